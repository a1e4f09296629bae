"""The desk: the one role that talks to brokers. Any process may offer itself; a lease says who has which account."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

from aitrader.desk_account import AccountDesk, DeskParts
from aitrader.loops import Loop
from domain.common.errors import AITraderError, Unavailable
from domain.common.events import PublishedEvent
from domain.trading.brokerage import Quote
from domain.trading.model import Account
from domain.trading.sending import Fence
from domain.trading.views import TOPIC
from domain.trading.work import TradingWork

log = logging.getLogger(__name__)

WATCH_S = 0.5
TAKE_S = 1.0
_STOP_S = 15.0


class DeskBell:
    """Wakes the desk of this process, if it has one, when an order was stored. Others hear the event, or look."""

    def __init__(self) -> None:
        self._wake: Callable[[str], None] = lambda account: None

    def attach(self, wake: Callable[[str], None]) -> None:
        """Say what ``__call__`` does."""
        self._wake = wake

    def __call__(self, account: str) -> None:
        """Ask that an account's desk take a turn soon. Cheap; from any thread."""
        self._wake(account)


class Desk:
    """Takes accounts that nobody has, gives each a thread, and obeys the kill switches.

    ``watch`` is called twice a second: it reads the switches, lets no call begin that an older state of them
    allowed, and says so in the lease. That is what makes a kill switch effective.

    Args:
        parts: what each account goes through.
        fence: the last check before an order leaves; the sender of ``parts`` asks the same one.
        lease_work: makes units of work for leases.
        token: identifies this process's leases.
        owner: who holds them, for people.
        lease_ms: how long a process that stopped answering keeps its accounts.
        make_loop: makes what takes an account's turns.
    """

    def __init__(
        self,
        parts: DeskParts,
        fence: Fence,
        lease_work: Callable[[], TradingWork],
        token: str,
        owner: str,
        lease_ms: int,
        make_loop: Callable[[str, float, AccountDesk], Loop] = Loop,
    ) -> None:
        self._parts = parts
        self._fence = fence
        self._lease_work = lease_work
        self._token = token
        self._owner = owner
        self._lease_ms = lease_ms
        self._make_loop = make_loop
        self._loops: dict[str, tuple[Loop, AccountDesk]] = {}
        self._lock = threading.Lock()
        self._renewed = 0.0
        self._stopping = False
        self._look: Callable[[], None] = lambda: None

    def attach(self, look: Callable[[], None]) -> None:
        """Say how to have ``take`` called soon."""
        self._look = look

    def take(self) -> None:
        """Take the accounts whose lease is free."""
        if self._stopping:
            return
        with self._parts.read_work() as work:
            accounts = {account.id: account for account in work.accounts.list()}
            taken = {lease.account for lease in work.desk.leases()}
        for account_id, account in accounts.items():
            if account_id not in taken and account_id not in self._loops and self._take(account_id):
                self._start(account)

    def watch(self) -> None:
        """Obey the switches as they are now, and keep the leases."""
        with self._parts.read_work() as work:
            switches = work.switches.list()
        before = self._fence.epoch
        self._fence.obey(switches)
        epoch = self._fence.epoch
        if self._loops and (epoch > before or time.monotonic() - self._renewed > self._lease_ms / 4000):
            self._renew(epoch)

    def wake(self, account: str) -> None:
        """Ask that an account take a turn soon; ``""`` means all."""
        with self._lock:
            loops = [loop for name, (loop, _) in self._loops.items() if account in ("", name)]
        for loop in loops:
            loop.wake()

    def prices(self, account: str, symbols: Sequence[str]) -> Sequence[Quote]:
        """Return last prices from the broker of an account that this process has.

        Raises:
            Unavailable: another process has the account, its broker is not connected, or tells no prices.
        """
        with self._lock:
            found = self._loops.get(account)
        if found is None:
            raise Unavailable(f"the account {account!r} is not traded by this process", code="account_elsewhere")
        return found[1].prices(symbols)

    def wake_or_take(self, account: str) -> None:
        """Ask that an account take a turn soon; one that was made a moment ago is looked for."""
        with self._lock:
            known = account in self._loops
        if not known and account:
            self._look()
        self.wake(account)

    def hear(self, event: PublishedEvent) -> None:
        """Wake the account of an order that changed in another process."""
        if event.topic == TOPIC and (event.data["status"] == "new" or event.data["cancel_requested"]):
            self.wake(event.data["account"])

    def stop(self) -> None:
        """End all turns, then give the accounts up, so that others may take them at once."""
        self._stopping = True
        with self._lock:
            loops, self._loops = dict(self._loops), {}
        threads = [threading.Thread(target=loop.stop, daemon=True) for loop, _ in loops.values()]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + _STOP_S
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        for _, account_desk in loops.values():
            account_desk.close()
        try:
            with self._lease_work() as work:
                work.desk.release(self._token)
                work.commit()
        except AITraderError as error:
            log.warning("leases not released; they lapse by themselves", extra={"reason": error.detail})

    def _take(self, account_id: str) -> bool:
        with self._lease_work() as work:
            taken = work.desk.take(account_id, token=self._token, owner=self._owner, ttl_ms=self._lease_ms)
            work.commit()
        return taken

    def _start(self, account: Account) -> None:
        account_desk = AccountDesk(
            account, self._parts, wake=partial(self.wake, account.id), lost=partial(self._drop, account.id)
        )
        loop = self._make_loop(f"desk {account.id}", self._parts.idle_s, account_desk)
        with self._lock:
            self._loops[account.id] = (loop, account_desk)
        loop.start()
        log.info("account taken", extra={"account": account.id})

    def _renew(self, epoch: int) -> None:
        with self._lock:
            mine = sorted(self._loops)
        with self._lease_work() as work:
            kept = set(work.desk.renew(self._token, mine, seen_epoch=epoch, ttl_ms=self._lease_ms))
            work.commit()
        self._renewed = time.monotonic()
        for account_id in mine:
            if account_id not in kept:
                self._drop(account_id)

    def _drop(self, account_id: str) -> None:
        """Another process has the account: this one's turns end."""
        with self._lock:
            found = self._loops.pop(account_id, None)
        if found is None:
            return
        log.warning("account lost to another process", extra={"account": account_id})
        threading.Thread(target=_end, args=found, daemon=True).start()


def _end(loop: Loop, account_desk: AccountDesk) -> None:
    loop.stop()
    account_desk.close()
