"""Logging: structlog renders every record of the standard library, one JSON object per line on stderr."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from aitrader._version import __version__
from aitrader.redaction import hide, redact_record
from aitrader.settings import Settings

_QUIET = ("dramatiq", "hypercorn.access", "asyncio", "matplotlib", "alembic")


def set_up_logging(settings: Settings, *, service: str, level: str | None = None) -> None:
    """Send all logging to stderr, without secrets: JSON, or text when ``DEBUG`` is set or stderr is a terminal."""
    hide(settings.secrets)
    wanted = level or ("DEBUG" if settings.debug else settings.log_level)
    text = settings.debug or sys.stderr.isatty()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_log_level,
                structlog.stdlib.ExtraAdder(),
                structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
                _common(service),
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                redact_record,
                structlog.dev.ConsoleRenderer() if text else structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(level=wanted, handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(wanted)))


def _common(service: str) -> structlog.typing.Processor:
    def add(_logger: Any, _method: str, record: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return {**record, "service": service, "version": __version__}

    return add
