"""AITrader: a self-hosted backend for AI-assisted trading.

``enqueue_job`` submits a background job from any program.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aitrader._version import __version__

__all__ = ["__version__", "enqueue_job"]


def enqueue_job(
    job_type: str,
    user_id: str,
    payload: Mapping[str, Any],
    *,
    priority: int = 0,
    run_at: int | None = None,
    idempotency_key: str | None = None,
) -> str:
    """Submit a background job and return its id.

    Uses the database and Redis of the settings (environment, ``.env``), or the embedded ones.

    Args:
        job_type: a registered job type, such as ``backtest``; see ``aitrader plugins list``.
        user_id: whom the job belongs to: a username or an id.
        payload: what the job type asks for; see ``GET /job-types``.
        priority: higher runs first, −100 … 100.
        run_at: earliest start in milliseconds since 1970-01-01 UTC; now when omitted.
        idempotency_key: the same key and request again return the same job.

    Raises:
        Invalid: unknown user or job type, payload off schema, or a key reused for another request.
        Unavailable: the database did not answer.
    """
    from aitrader.bootstrap import client_application
    from domain.jobs.model import NewJob
    from domain.jobs.services import Submitted

    application = client_application()
    new = NewJob(
        user_id=application.user_ids()(user_id),
        job_type=job_type,
        payload=payload,
        priority=priority,
        run_at=run_at,
        idempotency_key=idempotency_key,
    )
    submitted: Submitted = application.submit_job()(new)
    return submitted.job.id
