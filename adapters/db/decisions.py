"""Strategies and decisions in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from adapters.db.decision_tables import decisions, strategies, strategy_rewards
from adapters.db.trading_tables import fills, orders
from domain.common.errors import Conflict, NotFound
from domain.decisions.model import Action, Decision, DecisionFilter, DecisionStatus, RiskMetrics, TradingStrategy
from domain.decisions.params import parse_params
from domain.decisions.trades import StrategyFill
from domain.trading.model import Side

_LISTED = [column for column in decisions.c if column.name != "inputs"]

_LIST = select(strategies).where(strategies.c.user_id == bindparam("user_id")).order_by(strategies.c.name)


class SqlStrategies:
    """Strategies in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, strategy: TradingStrategy) -> None:
        """Insert a strategy."""
        try:
            self._connection.execute(insert(strategies), _to_row(strategy))
        except IntegrityError as error:
            taken = f"there is a strategy {strategy.name!r} already"
            raise Conflict(taken, code="strategy_exists") from error

    def get(self, name_or_id: str, user_id: str) -> TradingStrategy:
        """Return a strategy of a user by id or name."""
        named = or_(strategies.c.id == name_or_id, strategies.c.name == name_or_id)
        query = select(strategies).where(named, strategies.c.user_id == user_id)
        row = self._connection.execute(query).first()
        if row is None:
            raise NotFound("there is no such strategy; see: aitrader strategies list", code="strategy_not_found")
        return _to_strategy(row)

    def list(self, user_id: str) -> Sequence[TradingStrategy]:
        """Return a user's strategies, by name."""
        return [_to_strategy(row) for row in self._connection.execute(_LIST, {"user_id": user_id})]

    def save(self, strategy: TradingStrategy) -> TradingStrategy:
        """Write a strategy back if nobody else changed it meanwhile."""
        saved = replace(strategy, version=strategy.version + 1)
        same = (strategies.c.id == strategy.id, strategies.c.version == strategy.version)
        if self._connection.execute(update(strategies).where(*same).values(_to_row(saved))).rowcount != 1:
            raise Conflict("someone else changed the strategy meanwhile; read it again", code="strategy_changed")
        return saved

    def trading(self) -> Sequence[TradingStrategy]:
        """Return the strategies of all users that have an account."""
        query = select(strategies).where(strategies.c.account.is_not(None)).order_by(strategies.c.id)
        return [_to_strategy(row) for row in self._connection.execute(query)]

    def rewarded(self, strategy_id: str, account: str) -> int:
        """Return how many closed trades of a strategy in an account its engine was told of."""
        query = select(strategy_rewards.c.trades).where(*_told(strategy_id, account))
        return self._connection.execute(query).scalar_one_or_none() or 0

    def set_rewarded(self, strategy_id: str, account: str, before: int, after: int) -> bool:
        """Change that number, unless it is another one by now."""
        same = (*_told(strategy_id, account), strategy_rewards.c.trades == before)
        if self._connection.execute(update(strategy_rewards).where(*same).values(trades=after)).rowcount == 1:
            return True
        if before or self.rewarded(strategy_id, account):
            return False
        row = {"strategy_id": strategy_id, "account": account, "trades": after}
        try:
            with self._connection.begin_nested():
                self._connection.execute(insert(strategy_rewards), row)
        except IntegrityError:
            return False
        return True


def _told(strategy_id: str, account: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return strategy_rewards.c.strategy_id == strategy_id, strategy_rewards.c.account == account


def _to_row(strategy: TradingStrategy) -> dict[str, Any]:
    names = ("id", "user_id", "name", "engine", "account", "enabled", "created_at", "updated_at", "version")
    row = {name: getattr(strategy, name) for name in names}
    return {**row, "symbols": list(strategy.symbols), "params": strategy.params.to_json()}


def _to_strategy(row: Row[Any]) -> TradingStrategy:
    values = {**row._mapping, "symbols": tuple(row.symbols), "params": parse_params(row.params)}
    return TradingStrategy(**values)


class SqlDecisions:
    """Decisions in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, decision: Decision) -> None:
        """Insert a decision."""
        values = {column.name: getattr(decision, column.name) for column in decisions.c}
        values |= {"action": decision.action.value, "status": decision.status.value, "risk": asdict(decision.risk)}
        try:
            self._connection.execute(insert(decisions), values)
        except IntegrityError as error:
            taken = "the strategy has decided on this signal already"
            raise Conflict(taken, code="decision_exists") from error

    def get(self, decision_id: str, user_id: str) -> Decision:
        """Return a decision of a user, with its inputs."""
        same = (decisions.c.id == decision_id, decisions.c.user_id == user_id)
        row = self._connection.execute(select(decisions).where(*same)).one_or_none()
        if row is None:
            raise NotFound("there is no such decision", code="decision_not_found")
        return _to_decision(row)

    def page(self, wanted: DecisionFilter, *, before_id: str | None, limit: int) -> Sequence[Decision]:
        """Return decisions without their inputs, the newest first."""
        query = select(*_LISTED).where(decisions.c.user_id == wanted.user_id)
        for name in ("strategy", "symbol", "action", "status", "signal"):
            value = getattr(wanted, name)
            if value is not None:
                query = query.where(decisions.c[name] == value)
        if wanted.since_ms is not None:
            query = query.where(decisions.c.as_of >= wanted.since_ms)
        if before_id is not None:
            query = query.where(decisions.c.id < before_id)
        return [
            _to_decision(row) for row in self._connection.execute(query.order_by(decisions.c.id.desc()).limit(limit))
        ]

    def position(self, account: str, strategy: str, symbol: str) -> Decimal:
        """Return what the fills of a strategy's orders in a symbol add up to."""
        query = (
            select(fills.c.side, fills.c.quantity)
            .join(orders, orders.c.id == fills.c.order_id)
            .where(fills.c.account == account, fills.c.symbol == symbol, orders.c.strategy == strategy)
        )
        rows = self._connection.execute(query)
        return sum((row.quantity if row.side == "buy" else -row.quantity for row in rows), Decimal(0))

    def fills(self, account: str, strategy: str) -> Sequence[StrategyFill]:
        """Return the fills of a strategy's orders in an account."""
        query = (
            select(fills, orders.c.decision_id, decisions.c.confidence)
            .join(orders, orders.c.id == fills.c.order_id)
            .join(decisions, decisions.c.id == orders.c.decision_id, isouter=True)
            .where(orders.c.account == account, orders.c.strategy == strategy)
            .order_by(fills.c.filled_at, fills.c.id)
        )
        return [
            StrategyFill(
                symbol=row.symbol,
                side=Side(row.side),
                quantity=row.quantity,
                price=row.price,
                fees=row.fees,
                time_ms=row.filled_at,
                decision_id=row.decision_id,
                confidence=row.confidence,
            )
            for row in self._connection.execute(query)
        ]


def _to_decision(row: Row[Any]) -> Decision:
    values = dict(row._mapping)
    values["action"], values["status"] = Action(row.action), DecisionStatus(row.status)
    values["risk"] = RiskMetrics(**row.risk)
    return Decision(**values)
