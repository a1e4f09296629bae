"""The API of an application: its use cases handed to the HTTP adapter."""

from __future__ import annotations

from quart import Quart

from adapters.http.app import create_app
from adapters.http.services import HttpOptions, HttpServices
from aitrader._version import __version__
from aitrader.bootstrap import Application

# Until there are logins, every request acts as the owner of this installation.
OWNER = "owner"


def http_services(application: Application) -> HttpServices:
    """Return what the HTTP adapter needs."""
    parts = application.container
    artifacts_dir = application.settings.artifacts_dir.resolve()

    parts.health().attach(application.late_loops, lambda: application.draining)
    return HttpServices(
        prepare_job=parts.prepare_job(),
        submit_jobs=parts.submit_jobs(),
        get_job=parts.get_job(),
        list_jobs=parts.list_jobs(),
        cancel_job=parts.cancel_job(),
        retry_job=parts.retry_job(),
        job_types=parts.job_types(),
        artifact_path=lambda artifact: artifacts_dir / artifact.path,
        events=parts.read_work,
        bus=parts.bus(),
        health=parts.health(),
        version=__version__,
        user_id=OWNER,
    )


def http_app(application: Application) -> Quart:
    """Return the ASGI app."""
    return create_app(http_services(application), HttpOptions(threads=application.settings.api_threads))
