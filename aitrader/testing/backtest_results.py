"""The part of the `JobsWork` contract about backtest results and worker liveness."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aitrader.testing.job_samples import Work, add, do, make_job
from aitrader.testing.waiting import together
from domain.common.errors import AITraderError, Conflict
from domain.common.ids import new_id
from domain.research.model import BacktestResult


def make_result(step: str = "", **fields: object) -> BacktestResult:
    """Return a result row, with some fields replaced."""
    row = BacktestResult(
        strategy="sma_cross",
        params={"fast": 10, "slow": 50, "deep": [1.5, None]},
        symbols=["NSE:RELIANCE", "NSE:TCS"],
        timeframe="1d",
        start_ms=-86_400_000,
        end_ms=1_700_000_000_000,
        metrics={"sharpe": 1.25, "undefined": None, "tiny": 5e-324},
        data_hash="ab" * 32,
        code_version="1.2.3+abcdef",
        step=step,
    )
    return replace(row, **fields)  # type: ignore[arg-type]


class RecordsContract:
    """Tests for any `BacktestResults` and `WorkerBeats`; see `JobsWorkContract`."""

    def test_results_come_back_as_they_were_stored(self, work: Work) -> None:
        job = add(work, make_job())
        rows = [
            make_result("b", kind="sweep_point", seed=2**40, trials=77, artifacts=["equity.csv", "chart.png"]),
            make_result("a", kind="walk_forward", seed=0),
            make_result(),
        ]
        for row in rows:
            do(work, lambda unit, row=row: unit.backtest_results.add(job, row))  # type: ignore[misc]
        with work() as unit:
            assert unit.backtest_results.of_job(job.id) == [rows[2], rows[1], rows[0]]
            assert unit.backtest_results.of_job(new_id()) == []

    def test_a_step_of_a_job_has_one_result(self, work: Work) -> None:
        one, two = make_job(), make_job()
        add(work, one, two)
        for job in (one, two):
            do(work, lambda unit, job=job: unit.backtest_results.add(job, make_result("s")))  # type: ignore[misc]
        with work() as unit, pytest.raises(Conflict) as caught:
            unit.backtest_results.add(one, make_result("s", trials=2))
        assert caught.value.code == "duplicate_step"
        with work() as unit:
            assert unit.backtest_results.of_job(one.id) == [make_result("s")]

    def test_results_do_not_outlive_a_rollback(self, work: Work) -> None:
        job = add(work, make_job())
        with work() as unit:
            unit.backtest_results.add(job, make_result())
        with work() as unit:
            assert unit.backtest_results.of_job(job.id) == []

    def test_two_threads_cannot_store_the_same_step(self, work: Work) -> None:
        job = add(work, make_job())

        def store() -> bool:
            try:
                do(work, lambda unit: unit.backtest_results.add(job, make_result("s")))
            except Conflict:
                return False
            return True

        assert sorted(together([store] * 4)) == [False, False, False, True]

    @pytest.mark.parametrize("field", ["step", "strategy", "timeframe", "data_hash", "code_version"])
    def test_a_value_that_is_too_long_is_stored_or_refused_in_our_own_words(self, work: Work, field: str) -> None:
        job = add(work, make_job())
        row = make_result(**{field: "x" * 300})
        refusals: list[AITraderError] = []
        try:
            do(work, lambda unit: unit.backtest_results.add(job, row))
        except AITraderError as error:
            refusals.append(error)
        assert not any(error.retryable for error in refusals)
        stored = [] if refusals else [row]
        with work() as unit:
            assert unit.backtest_results.of_job(job.id) == stored

    def test_workers_that_beat_are_alive_until_they_leave(self, work: Work) -> None:
        one, two = new_id(), new_id()
        for worker in (one, two, one):
            do(work, lambda unit, worker=worker: unit.workers.beat(worker, host="h", pid=7, role="worker", url=""))  # type: ignore[misc]
        with work() as unit:
            alive = unit.workers.alive(60_000)
            assert unit.workers.alive(-60_000) == []
        assert {row["id"] for row in alive} == {one, two}
        for row in alive:
            assert (row["host"], row["pid"], row["role"], row["url"]) == ("h", 7, "worker", "")
            assert row["started_at"] <= row["beat_at"]
        do(work, lambda unit: unit.workers.leave(one))
        do(work, lambda unit: unit.workers.leave(one))
        with work() as unit:
            assert [row["id"] for row in unit.workers.alive(60_000)] == [two]

    def test_a_worker_may_move(self, work: Work) -> None:
        worker = new_id()
        for url in ("", "http://127.0.0.1:8000"):
            do(work, lambda unit, url=url: unit.workers.beat(worker, host="h", pid=7, role="up", url=url))  # type: ignore[misc]
        with work() as unit:
            (row,) = unit.workers.alive(60_000)
        assert row["url"] == "http://127.0.0.1:8000"
