"""What every `Journal` and every `Vault` does."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from aitrader.testing.waiting import together
from domain.common.errors import Conflict
from domain.trading.ports import Journal, Vault


class JournalContract:
    """Tests for any `Journal`; ``journals(account)`` returns the journal of an account."""

    @pytest.fixture
    def journals(self) -> Callable[[str], Journal]:
        """Return what opens journals."""
        raise NotImplementedError("override the journals fixture")

    def test_entries_are_numbered_without_gaps(self, journals: Callable[[str], Journal]) -> None:
        one, other = journals("a"), journals("b")
        assert one.append(0, [{"n": 1}, {"n": "ü"}]) == 2
        assert one.append(2, [{"n": None}]) == 3
        assert one.append(3, []) == 3
        assert list(journals("a").read()) == [(1, {"n": 1}), (2, {"n": "ü"}), (3, {"n": None})]
        assert list(one.read(2)) == [(3, {"n": None})]
        assert list(other.read()) == []

    @pytest.mark.parametrize("after", [0, 1, 3])
    def test_only_the_one_who_knows_the_last_entry_may_go_on(
        self, journals: Callable[[str], Journal], after: int
    ) -> None:
        journals("a").append(0, [{}, {}])
        with pytest.raises(Conflict):
            journals("a").append(after, [{"lost": True}])
        assert len(journals("a").read()) == 2

    def test_of_many_at_once_one_goes_on(self, journals: Callable[[str], Journal]) -> None:
        won: list[int] = []

        def append(number: int) -> None:
            try:
                journals("a").append(0, [{"by": number}])
            except Conflict:
                return
            won.append(number)

        together([partial(append, number) for number in range(6)])
        assert [entry for _, entry in journals("a").read()] == [{"by": won[0]}]
        assert len(won) == 1


class VaultContract:
    """Tests for any `Vault`; ``vaults(account)`` returns the vault of an account."""

    @pytest.fixture
    def vaults(self) -> Callable[[str], Vault]:
        """Return what opens vaults."""
        raise NotImplementedError("override the vaults fixture")

    def test_a_secret_is_kept_until_it_is_replaced_or_forgotten(self, vaults: Callable[[str], Vault]) -> None:
        assert vaults("a").load() is None
        for secret in (b"one", b"", b"\x00\xff" * 1000):
            vaults("a").save(secret)
            assert vaults("a").load() == secret
        assert vaults("b").load() is None
        vaults("a").save(None)
        vaults("a").save(None)
        assert vaults("a").load() is None
