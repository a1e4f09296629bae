"""Backtest results and worker liveness in SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from adapters.db.tables import backtest_results, workers
from adapters.db.types import now_ms
from domain.common.errors import Conflict
from domain.common.ids import new_id
from domain.jobs.model import Job
from domain.research.model import BacktestResult


class SqlBacktestResults:
    """Rows of ``backtest_results`` in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, job: Job, row: BacktestResult) -> None:
        """Insert a row, unique by (job, step)."""
        values = {
            "id": new_id(),
            "job_id": job.id,
            "step": row.step,
            "user_id": job.user_id,
            "kind": row.kind,
            "strategy": row.strategy,
            "params": row.params,
            "symbols": row.symbols,
            "timeframe": row.timeframe,
            "start": row.start_ms,
            "end": row.end_ms,
            "metrics": row.metrics,
            "data_hash": row.data_hash,
            "code_version": row.code_version,
            "seed": row.seed,
            "trials": row.trials,
            "artifacts": row.artifacts,
        }
        try:
            self._connection.execute(insert(backtest_results).values(created_at=now_ms(), **values))
        except IntegrityError as error:
            raise Conflict(f"the job already has a result for step {row.step!r}", code="duplicate_step") from error

    def of_job(self, job_id: str) -> list[BacktestResult]:
        """Return the rows of one job."""
        query = select(backtest_results).where(backtest_results.c.job_id == job_id).order_by(backtest_results.c.step)
        return [_to_result(row._mapping) for row in self._connection.execute(query)]


def _to_result(row: Any) -> BacktestResult:
    same = (
        "strategy",
        "params",
        "symbols",
        "timeframe",
        "metrics",
        "data_hash",
        "code_version",
        "kind",
        "step",
    )
    rest = ("seed", "trials", "artifacts")
    return BacktestResult(start_ms=row["start"], end_ms=row["end"], **{name: row[name] for name in same + rest})


class SqlWorkerBeats:
    """Liveness of worker processes in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def beat(self, worker_id: str, *, host: str, pid: int, role: str, url: str) -> None:
        """Say that this process is alive."""
        seen = update(workers).where(workers.c.id == worker_id).values(beat_at=now_ms(), url=url)
        if self._connection.execute(seen).rowcount:
            return
        row = {"id": worker_id, "host": host, "pid": pid, "role": role, "url": url}
        self._connection.execute(insert(workers).values(started_at=now_ms(), beat_at=now_ms(), **row))

    def leave(self, worker_id: str) -> None:
        """Say that this process has stopped; forget others that stopped long ago without saying so."""
        day_ms = 24 * 3600 * 1000
        gone = (workers.c.id == worker_id) | (workers.c.beat_at < now_ms() - day_ms)
        self._connection.execute(delete(workers).where(gone))

    def alive(self, within_ms: int) -> list[dict[str, Any]]:
        """Return processes that beat within so many milliseconds."""
        query = select(workers).where(workers.c.beat_at > now_ms() - within_ms).order_by(workers.c.started_at)
        return [dict(row._mapping) for row in self._connection.execute(query)]
