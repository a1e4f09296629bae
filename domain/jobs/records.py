"""Storing what a job leaves in SQL besides its result."""

from __future__ import annotations

from dataclasses import replace

from domain.intelligence.models import Model
from domain.intelligence.news import ScoredText
from domain.intelligence.suggestions import Suggestion
from domain.jobs.model import Job, Record
from domain.jobs.ports import JobsWork
from domain.research.model import BacktestResult

# The kinds by the name that they have between a worker and its child. All their fields are JSON types.
RECORD_TYPES: dict[str, type[Record]] = {
    "backtest_result": BacktestResult,
    "model": Model,
    "suggestion": Suggestion,
    "scored_text": ScoredText,
}
RECORD_NAMES: dict[type[object], str] = {kind: name for name, kind in RECORD_TYPES.items()}


def store_record(work: JobsWork, job: Job, record: Record) -> None:
    """Insert a row for the job and its user.

    Raises:
        Conflict: the job has one of this kind and step already.
    """
    match record:
        case BacktestResult():
            work.backtest_results.add(job, record)
        case Model():
            work.models.add(replace(record, user_id=job.user_id, job_id=job.id))
        case Suggestion():
            work.suggestions.add(replace(record, user_id=job.user_id, job_id=job.id))
        case ScoredText():
            work.sentiments.put(replace(record, user_id=job.user_id, job_id=job.id))
