"""What every `AuditLog` does. Part of `IdentityWorkContract`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aitrader.testing.identity_samples import Work, append, do, lines
from aitrader.testing.waiting import together
from domain.identity.model import ChainCheck

# ``tamper(statement)`` changes the log behind the program's back, past all that guards it.
Tamper = Callable[[str], None]


def verify(work: Work, after_id: int = 0) -> ChainCheck:
    """Check the chain."""
    with work() as unit:
        return unit.audit.verify(after_id)


class AuditContract:
    """Tests for any `AuditLog`."""

    @pytest.fixture
    def work(self) -> Work:
        """Return a function that makes units of work over one empty database. Called from many threads."""
        raise NotImplementedError("override the work fixture")

    @pytest.fixture
    def tamper(self) -> Tamper:
        """Return a function that runs an SQL statement on ``audit_events`` past its guards."""
        raise NotImplementedError("override the tamper fixture")

    @pytest.fixture
    def attempt(self) -> Tamper:
        """Return a function that runs an SQL statement as the program could; raises when it is refused."""
        raise NotImplementedError("override the attempt fixture")

    def test_an_empty_log_is_in_order(self, work: Work) -> None:
        check = verify(work)
        assert (check.lines, check.broken_at, check.head) == (0, None, "0" * 64)
        assert lines(work) == []

    def test_lines_come_back_as_they_were_written(self, work: Work) -> None:
        details = {"deep": {"list": [1, 2.5, None, True, "₹ ☃"]}, "text": 'quote " and \\'}
        append(work, "login", actor="ann", subject="x", details=details, time=17)
        (line,) = lines(work)
        assert (line.id, line.time, line.actor, line.action, line.subject) == (1, 17, "ann", "login", "x")
        assert line.details == details
        assert verify(work).broken_at is None

    def test_each_line_holds_the_hash_of_the_one_before(self, work: Work) -> None:
        for number in range(5):
            append(work, f"action.{number}")
        found = lines(work)
        assert [line.id for line in found] == [1, 2, 3, 4, 5]
        assert [line.previous_hash for line in found[1:]] == [line.hash for line in found[:-1]]
        check = verify(work)
        assert (check.lines, check.broken_at, check.head) == (5, None, found[-1].hash)

    def test_reads_after_a_number_and_the_newest(self, work: Work) -> None:
        for number in range(5):
            append(work, f"action.{number}")
        assert [line.id for line in lines(work, after_id=3)] == [4, 5]
        with work() as unit:
            assert [line.id for line in unit.audit.newest(2)] == [5, 4]
        assert verify(work, after_id=3).lines == 2

    def test_several_lines_of_one_transaction(self, work: Work) -> None:
        def three(unit: Any) -> None:
            for number in range(3):
                unit.audit.append(time=number, actor="a", action="b", subject="c", details={})

        do(work, three)
        assert (verify(work).lines, verify(work).broken_at) == (3, None)

    def test_a_transaction_that_is_given_up_leaves_no_gap(self, work: Work) -> None:
        append(work)
        with work() as unit:
            unit.audit.append(time=1, actor="a", action="lost", subject="c", details={})
        append(work)
        assert [line.id for line in lines(work)] == [1, 2]
        assert verify(work).broken_at is None

    def test_long_names_are_cut_and_still_fit(self, work: Work) -> None:
        append(work, actor="a" * 500, subject="s" * 500)
        (line,) = lines(work)
        assert (len(line.actor), len(line.subject)) == (160, 160)
        assert verify(work).broken_at is None

    def test_eight_threads_make_one_chain(self, work: Work) -> None:
        def ten(name: int) -> Callable[[], None]:
            def run() -> None:
                for _ in range(10):
                    append(work, actor=f"thread-{name}")

            return run

        together([ten(number) for number in range(8)])
        check = verify(work)
        assert (check.lines, check.broken_at, check.reason) == (80, None, "")

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE audit_events SET actor = 'mallory' WHERE id = 1",
            "UPDATE audit_events SET hash = previous_hash",
            "DELETE FROM audit_events WHERE id = 1",
            "DELETE FROM audit_events",
        ],
    )
    def test_the_database_refuses_changes(self, work: Work, attempt: Tamper, statement: str) -> None:
        append(work)
        append(work)
        with pytest.raises(Exception, match="append-only"):
            attempt(statement)
        assert verify(work).lines == 2

    @pytest.mark.parametrize(
        ("statement", "at"),
        [
            ("UPDATE audit_events SET actor = 'mallory' WHERE id = 2", 2),
            ("UPDATE audit_events SET action = 'login' WHERE id = 3", 3),
            ("UPDATE audit_events SET subject = '' WHERE id = 4", 4),
            ("UPDATE audit_events SET time = time + 1 WHERE id = 2", 2),
            ("UPDATE audit_events SET details = '{\"n\":2}' WHERE id = 3", 3),
            (f"UPDATE audit_events SET hash = '{'f' * 64}' WHERE id = 2", 2),
            (f"UPDATE audit_events SET previous_hash = '{'f' * 64}' WHERE id = 2", 2),
            ("DELETE FROM audit_events WHERE id = 2", 3),
            ("DELETE FROM audit_events WHERE id = 1", 2),
            ("UPDATE audit_events SET id = 99 WHERE id = 3", 4),
        ],
    )
    def test_changes_past_the_guards_are_found(self, work: Work, tamper: Tamper, statement: str, at: int) -> None:
        for number in range(4):
            append(work, f"action.{number}")
        tamper(statement)
        check = verify(work)
        assert (check.broken_at, bool(check.reason)) == (at, True)

    def test_lines_cut_off_the_end_show_in_the_head(self, work: Work, tamper: Tamper) -> None:
        append(work)
        append(work)
        noted = verify(work).head
        tamper("DELETE FROM audit_events WHERE id = 2")
        check = verify(work)
        assert check.broken_at is None
        assert check.head != noted
