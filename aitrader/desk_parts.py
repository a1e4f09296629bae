"""What a desk is made of."""

from __future__ import annotations

import logging
from collections.abc import Callable

from aitrader.desk import Desk
from aitrader.desk_account import SURE_MS, DeskParts
from aitrader.loops import Loop
from domain.common.errors import AITraderError
from domain.common.ids import new_id
from domain.common.notify import Notifier
from domain.common.time import Clock
from domain.trading.applying import ApplyUpdate
from domain.trading.gate import RiskGate
from domain.trading.model import Account
from domain.trading.ports import Broker, Quotes
from domain.trading.reconciling import Reconcile, RememberSession
from domain.trading.sending import Fence, SendCancels, SendOrder
from domain.trading.work import TradingWork

log = logging.getLogger(__name__)

# A job may be silent for longer than a desk: nobody else can cancel orders while an account is held.
_LEASE_SHARE = 0.2

Work = Callable[[], TradingWork]


def make_desk(
    *,
    unit_of_work: Work,
    read_work: Work,
    lease_work: Work,
    clock: Clock,
    gate: RiskGate,
    quotes: Quotes,
    open_broker: Callable[[Account], Broker],
    notifier: Notifier,
    owner: str,
    idle_s: float,
    lease_s: float,
    sure_ms: int = SURE_MS,
    make_loop: Callable[..., Loop] = Loop,
) -> Desk:
    """Return a desk whose sender, fence and leases belong together."""
    token, fence, apply = new_id(), Fence(), ApplyUpdate(clock, quotes)
    notify = _telling(notifier)
    send = SendOrder(unit_of_work, read_work, gate, clock, apply, fence, token, notify)
    parts = DeskParts(
        unit_of_work=unit_of_work,
        read_work=read_work,
        clock=clock,
        open_broker=open_broker,
        send=send,
        cancels=SendCancels(unit_of_work, gate, clock, send),
        reconcile=Reconcile(unit_of_work, clock, apply, send, quotes, notify),
        apply=apply,
        remember=RememberSession(unit_of_work),
        notify=notify,
        idle_s=idle_s,
        sure_ms=sure_ms,
    )
    return Desk(parts, fence, lease_work, token, owner, round(lease_s * _LEASE_SHARE * 1000), make_loop)


def _telling(notifier: Notifier) -> Callable[[str, str], None]:
    def notify(subject: str, body: str) -> None:
        try:
            notifier.send(subject, body)
        except AITraderError as error:
            log.error("nobody could be told", extra={"subject": subject, "reason": error.detail})

    return notify
