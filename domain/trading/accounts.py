"""Accounts: who trades where."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Protocol

from domain.common.errors import Conflict, FieldError, Invalid, NotFound
from domain.common.time import Clock
from domain.trading.limits import RiskLimits, default_limits, parse_limits
from domain.trading.model import ZERO, Account, Mode
from domain.trading.work import TradingWork

PAPER = "paper"
PAPER_CASH = Decimal(100_000)
_TRIES = 5
_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_CURRENCY = re.compile(r"[A-Z]{3,5}")


class Brokers(Protocol):
    """The kinds of broker that this process knows."""

    def modes(self, broker: str) -> tuple[Mode, ...]:
        """Return what an account may be; the first is the default.

        Raises:
            NotFound: no plugin registered the broker; the message lists what there is.
        """
        ...

    def validate(self, broker: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return an account's options in canonical form, defaults left out.

        Raises:
            Invalid: they are off schema; fields start with ``options.``.
        """
        ...


@dataclass(frozen=True, slots=True)
class FindAccount:
    """Find the account that a request means; a user's paper account is made when it is first meant."""

    unit_of_work: Callable[[], TradingWork]
    read_work: Callable[[], TradingWork]
    clock: Clock

    def __call__(self, user_id: str, account: str | None = None, broker: str | None = None) -> Account:
        """Return an account of the user: the named one, the only one with a broker, or the one made for them.

        Raises:
            NotFound: there is none.
            Invalid: the user has several with this broker; the message lists them.
        """
        if account is not None:
            with self.read_work() as work:
                found = work.accounts.get(account, user_id)
            if broker is not None and found.broker != broker:
                raise Invalid(f"the account {account} is with {found.broker}, not with {broker}", code="other_broker")
            return found
        return self._with_broker(user_id, broker or PAPER, named=broker is not None)

    def _with_broker(self, user_id: str, broker: str, *, named: bool) -> Account:
        with self.read_work() as work:
            mine = [account for account in work.accounts.list(user_id) if account.broker == broker]
        if len(mine) == 1:
            return mine[0]
        made = [account for account in mine if account.id in (PAPER, _own_paper(user_id))]
        if made and not named:
            return made[0]
        if mine:
            names = ", ".join(account.id for account in mine)
            raise Invalid(
                f"you have several accounts with {broker}; name one of: {names}",
                code="account_ambiguous",
                errors=[FieldError("account", f"is required; one of: {names}")],
            )
        if broker == PAPER:
            return self._make_paper(user_id)
        raise NotFound(
            f"you have no account with {broker[:64]!r}; an administrator makes one with: aitrader accounts create",
            code="account_not_found",
        )

    def _make_paper(self, user_id: str) -> Account:
        for _ in range(_TRIES):
            with self.unit_of_work() as work:
                everyone = work.accounts.list()
                mine = [account for account in everyone if (account.user_id, account.broker) == (user_id, PAPER)]
                if mine:
                    return mine[0]
                taken = {account.id for account in everyone}
                name = PAPER if PAPER not in taken else _own_paper(user_id)
                now = self.clock.now_ms()
                account = Account(name, user_id, PAPER, Mode.PAPER, "USD", now, starting_cash=PAPER_CASH)
                try:
                    work.accounts.add(account)
                except Conflict:
                    continue  # another request was faster
                work.limits.save(name, "", default_limits(Mode.PAPER))
                work.commit()
                return account
        raise Conflict("the paper account is being made; try again", code="account_exists")


def _own_paper(user_id: str) -> str:
    return f"{PAPER}-{user_id}"[:64]


@dataclass(frozen=True, slots=True)
class NewAccount:
    """A request for an account. ``mode`` None: what the broker is by default."""

    id: str
    user_id: str
    broker: str
    mode: Mode | None = None
    currency: str = "USD"
    starting_cash: Decimal = ZERO
    options: Mapping[str, Any] | None = None
    approval_required: bool = False
    approval_strategies: tuple[str, ...] = ()
    approval_minutes: int = 15


@dataclass(frozen=True, slots=True)
class CreateAccount:
    """Make an account. Live ones begin disarmed, with careful limits."""

    unit_of_work: Callable[[], TradingWork]
    brokers: Brokers
    clock: Clock

    def __call__(self, new: NewAccount, *, actor: str) -> Account:
        """Store the account.

        Raises:
            Invalid: a name, currency or option that cannot be.
            NotFound: there is no such broker.
            Conflict: the name is taken.
        """
        modes = self.brokers.modes(new.broker)
        mode = new.mode or modes[0]
        problems = _problems(new, mode, modes)
        if problems:
            raise Invalid("the account is not valid", code="invalid_account", errors=problems)
        now = self.clock.now_ms()
        account = Account(
            id=new.id,
            user_id=new.user_id,
            broker=new.broker,
            mode=mode,
            currency=new.currency,
            created_at=now,
            options=self.brokers.validate(new.broker, new.options or {}),
            approval_required=new.approval_required,
            approval_strategies=tuple(sorted(set(new.approval_strategies))),
            approval_minutes=new.approval_minutes,
            starting_cash=new.starting_cash,
        )
        with self.unit_of_work() as work:
            work.accounts.add(account)
            work.limits.save(account.id, "", default_limits(mode))
            details = {"broker": account.broker, "mode": mode.value, "user_id": account.user_id}
            work.audit.append(time=now, actor=actor, action="account.create", subject=account.id, details=details)
            work.commit()
        return account


def _problems(new: NewAccount, mode: Mode, modes: tuple[Mode, ...]) -> list[FieldError]:
    problems = []
    if not _NAME.fullmatch(new.id):
        problems.append(FieldError("id", "use a-z, 0-9 and _.-, starting with a letter, at most 64"))
    if not _CURRENCY.fullmatch(new.currency):
        problems.append(FieldError("currency", "must be a code such as USD or INR"))
    if mode not in modes:
        problems.append(FieldError("mode", f"must be one of: {', '.join(modes)}"))
    if not new.starting_cash.is_finite() or new.starting_cash < 0:
        problems.append(FieldError("starting_cash", "must be 0 or above"))
    if not 1 <= new.approval_minutes <= 1440:
        problems.append(FieldError("approval_minutes", "must be between 1 and 1440"))
    return problems


@dataclass(frozen=True, slots=True)
class ChangeAccount:
    """Change how an account's orders are approved."""

    unit_of_work: Callable[[], TradingWork]
    clock: Clock

    def __call__(
        self,
        account_id: str,
        *,
        actor: str,
        approval_required: bool | None = None,
        approval_strategies: tuple[str, ...] | None = None,
        approval_minutes: int | None = None,
        version: int | None = None,
    ) -> Account:
        """Store the change; None leaves something as it is.

        Raises:
            NotFound: there is no such account.
            Conflict: ``version`` is not the account's any more.
            Invalid: minutes outside 1…1440.
        """
        if approval_minutes is not None and not 1 <= approval_minutes <= 1440:
            raise Invalid("approval_minutes must be between 1 and 1440", code="invalid_account")
        changes: dict[str, Any] = {
            "approval_required": approval_required,
            "approval_strategies": approval_strategies,
            "approval_minutes": approval_minutes,
        }
        given = {name: value for name, value in changes.items() if value is not None}
        with self.unit_of_work() as work:
            account = work.accounts.lock(account_id)
            if version is not None and version != account.version:
                raise Conflict("someone else changed the account meanwhile; read it again", code="account_changed")
            account = work.accounts.save(replace(account, **given))
            now = self.clock.now_ms()
            work.audit.append(time=now, actor=actor, action="account.change", subject=account_id, details=given)
            work.commit()
        return account


@dataclass(frozen=True, slots=True)
class SetLimits:
    """Set risk limits of an account, or of one strategy in it."""

    unit_of_work: Callable[[], TradingWork]
    clock: Clock

    def __call__(self, account_id: str, strategy: str, values: Mapping[str, Any], *, actor: str) -> RiskLimits:
        """Replace the limits named in ``values``; null lifts one. An account that was armed is disarmed.

        Raises:
            NotFound: there is no such account.
            Invalid: an unknown limit or a bad value.
        """
        now = self.clock.now_ms()
        with self.unit_of_work() as work:
            account = work.accounts.lock(account_id)
            base = work.limits.get(account_id, strategy)
            if base is None:
                base = RiskLimits() if strategy else default_limits(account.mode)
            limits = parse_limits(values, base)
            work.limits.save(account_id, strategy, limits)
            work.switches.disarm(account_id)
            details = {"strategy": strategy, "before": base.to_json(), "after": limits.to_json()}
            work.audit.append(time=now, actor=actor, action="limits.set", subject=account_id, details=details)
            work.commit()
        return limits


@dataclass(frozen=True, slots=True)
class GetLimits:
    """Read the limits of an account."""

    unit_of_work: Callable[[], TradingWork]

    def __call__(self, account_id: str, user_id: str | None = None) -> dict[str, RiskLimits]:
        """Return limits by strategy; ``""`` is the account's own.

        Raises:
            NotFound: there is no such account.
        """
        with self.unit_of_work() as work:
            account = work.accounts.get(account_id, user_id)
            found = dict(work.limits.list(account_id))
        return {"": default_limits(account.mode), **found}
