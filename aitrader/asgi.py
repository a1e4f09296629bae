"""The API of an application: its use cases handed to the HTTP adapter."""

from __future__ import annotations

from quart import Quart

from adapters.http.app import create_app
from adapters.http.services import HttpOptions, HttpServices
from aitrader._version import __version__
from aitrader.bootstrap import Application
from aitrader.settings import Settings

# Until there are logins, every request acts as the owner of this installation.
OWNER = "owner"

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


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
    settings = application.settings
    options = HttpOptions(threads=settings.api_threads, allowed_hosts=_hosts(settings))
    return create_app(http_services(application), options)


def _hosts(settings: Settings) -> tuple[str, ...]:
    """Return the Host names to answer to; any, when listening on more than this machine and none are named.

    A web page whose name is made to resolve to 127.0.0.1 (DNS rebinding) must not reach the API.
    """
    if settings.host in _LOOPBACK:
        return (*_LOOPBACK, *settings.allowed_hosts)
    return (settings.host, *settings.allowed_hosts) if settings.allowed_hosts else ()
