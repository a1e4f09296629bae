"""Making, changing and reading strategies, and reading decisions."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from domain.common.errors import Conflict, FieldError, Invalid
from domain.common.ids import new_id
from domain.common.time import Clock
from domain.decisions.evidence import EVIDENCE
from domain.decisions.model import Decision, DecisionFilter, TradingStrategy
from domain.decisions.params import StrategyParams, parse_params
from domain.decisions.work import DecisionWork
from domain.market.model import parse_symbol

_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_MOST_SYMBOLS = 1000
_MOST_STRATEGIES = 100
FIRST = "evidence"


@dataclass(frozen=True, slots=True)
class CreateStrategy:
    """Make a strategy. It only observes until it is enabled for an account.

    ``engines`` are the engines that may be named, whether they are set up here or not.
    """

    unit_of_work: Callable[[], DecisionWork]
    engines: Collection[str]
    clock: Clock

    def __call__(
        self,
        user_id: str,
        name: str,
        *,
        actor: str,
        engine: str = EVIDENCE,
        symbols: Sequence[str] = (),
        params: Mapping[str, Any] | None = None,
    ) -> TradingStrategy:
        """Store the strategy.

        Raises:
            Invalid: a name, engine, symbol or parameter that cannot be.
            Conflict: the user has one of this name, or too many.
        """
        _require_name(name)
        if engine not in self.engines:
            raise _invalid("engine", f"must be one of: {', '.join(sorted(self.engines))}")
        now = self.clock.now_ms()
        strategy = TradingStrategy(
            id=new_id(),
            user_id=user_id,
            name=name,
            engine=engine,
            symbols=parse_symbols(symbols),
            params=parse_params(params or {}),
            created_at=now,
            updated_at=now,
        )
        with self.unit_of_work() as work:
            if len(work.strategies.list(user_id)) >= _MOST_STRATEGIES:
                raise Conflict(f"there are {_MOST_STRATEGIES} strategies already", code="too_many_strategies")
            work.strategies.add(strategy)
            details = {"name": name, "engine": engine}
            work.audit.append(time=now, actor=actor, action="strategy.create", subject=strategy.id, details=details)
            work.commit()
        return strategy


@dataclass(frozen=True, slots=True)
class EnsureStrategy:
    """See that a user has a strategy, so that signals are decided on from the first one."""

    unit_of_work: Callable[[], DecisionWork]
    create: CreateStrategy

    def __call__(self, user_id: str, engine: str) -> None:
        """Make the first strategy of a user who has none; it is off."""
        with self.unit_of_work() as work:
            known = work.strategies.list(user_id)
        if known:
            return
        try:
            self.create(user_id, FIRST, actor="system", engine=engine)
        except Conflict:
            return  # another process was faster


@dataclass(frozen=True, slots=True)
class ChangeStrategy:
    """Change a strategy, or turn it on and off."""

    unit_of_work: Callable[[], DecisionWork]
    clock: Clock

    def __call__(
        self,
        name_or_id: str,
        user_id: str,
        *,
        actor: str,
        enabled: bool | None = None,
        account: str | None = None,
        symbols: Sequence[str] | None = None,
        params: Mapping[str, Any] | None = None,
        version: int | None = None,
    ) -> TradingStrategy:
        """Store the change; None leaves something as it is.

        Raises:
            NotFound: there is no such strategy or account, or it is someone else's.
            Invalid: a symbol or parameter that cannot be, or enabled without an account.
            Conflict: ``version`` is not the strategy's any more.
        """
        with self.unit_of_work() as work:
            before = work.strategies.get(name_or_id, user_id)
            if version is not None and version != before.version:
                raise Conflict("someone else changed the strategy meanwhile; read it again", code="strategy_changed")
            if account is not None:
                work.accounts.get(account, user_id)
            after = replace(
                before,
                enabled=before.enabled if enabled is None else enabled,
                account=account or before.account,
                symbols=before.symbols if symbols is None else parse_symbols(symbols),
                params=before.params if params is None else parse_params(params, before.params),
                updated_at=self.clock.now_ms(),
            )
            if after.enabled and after.account is None:
                raise _invalid("account", "is required: where its decisions become orders")
            saved = work.strategies.save(after)
            work.audit.append(
                time=after.updated_at,
                actor=actor,
                action="strategy.change",
                subject=after.id,
                details=_changes(before, after),
            )
            work.commit()
        return saved


@dataclass(frozen=True, slots=True)
class ReadDecisions:
    """Look at the strategies and decisions of a user."""

    read_work: Callable[[], DecisionWork]

    def strategies(self, user_id: str) -> Sequence[TradingStrategy]:
        """Return the strategies, by name."""
        with self.read_work() as work:
            return work.strategies.list(user_id)

    def strategy(self, name_or_id: str, user_id: str) -> TradingStrategy:
        """Return a strategy.

        Raises:
            NotFound: there is none, or it is someone else's.
        """
        with self.read_work() as work:
            return work.strategies.get(name_or_id, user_id)

    def get(self, decision_id: str, user_id: str) -> Decision:
        """Return a decision with its inputs.

        Raises:
            NotFound: there is none, or it is someone else's.
        """
        with self.read_work() as work:
            return work.decisions.get(decision_id, user_id)

    def page(
        self, wanted: DecisionFilter, *, before_id: str | None, limit: int
    ) -> tuple[Sequence[Decision], str | None]:
        """Return decisions, the newest first, and the id to go on from; None at the end."""
        with self.read_work() as work:
            found = work.decisions.page(wanted, before_id=before_id, limit=limit + 1)
        more = len(found) > limit
        return found[:limit], found[limit - 1].id if more else None


def parse_symbols(symbols: Sequence[str]) -> tuple[str, ...]:
    """Return symbols in upper case, each once, sorted.

    Raises:
        Invalid: one is none, or there are too many.
    """
    if len(symbols) > _MOST_SYMBOLS:
        raise _invalid("symbols", f"must be at most {_MOST_SYMBOLS}")
    return tuple(sorted({parse_symbol(symbol) for symbol in symbols}))


def _require_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise _invalid("name", "use a-z, 0-9 and _.-, starting with a letter, at most 64")


def _changes(before: TradingStrategy, after: TradingStrategy) -> dict[str, Any]:
    old, new = _told(before), _told(after)
    return {name: {"before": old[name], "after": new[name]} for name in new if old[name] != new[name]}


def _told(strategy: TradingStrategy) -> dict[str, Any]:
    params: StrategyParams = strategy.params
    return {
        "enabled": strategy.enabled,
        "account": strategy.account,
        "symbols": list(strategy.symbols),
        "params": params.to_json(),
    }


def _invalid(field: str, message: str) -> Invalid:
    errors = [FieldError(field, message)]
    return Invalid(f"the strategy is not valid: {field} {message}", code="invalid_strategy", errors=errors)
