from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = """
import logging
from aitrader.logs import set_up_logging
from aitrader.settings import load_settings

set_up_logging(load_settings(), service="test")
log = logging.getLogger("x")
{body}
"""


def logged(folder: Path, body: str, **env: str) -> tuple[str, list[str]]:
    """Run a program that logs; return its stdout and the lines of its stderr."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(body=body)],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[3]), **env},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout, done.stderr.splitlines()


def records(folder: Path, body: str, **env: str) -> list[dict[str, Any]]:
    out, lines = logged(folder, body, **env)
    assert out == ""
    return [json.loads(line) for line in lines]


def test_one_json_object_per_record(tmp_path: Path) -> None:
    (record,) = records(tmp_path, "log.warning('hello %s', 'you', extra={'job_id': 'j1'})")
    assert record.pop("ts").endswith("Z")
    assert record.pop("version")
    assert record == {"event": "hello you", "level": "warning", "job_id": "j1", "service": "test"}


def test_newlines_and_control_characters_stay_inside_the_line(tmp_path: Path) -> None:
    (record,) = records(tmp_path, r"log.error('a\nb\r\n{\"event\": \"forged\"}\x1b[31m', extra={'x': 'c\nd'})")
    assert record["event"] == r'a\nb\r\n{"event": "forged"}\x1b[31m'
    assert record["x"] == r"c\nd"


def test_secrets_are_in_no_line(tmp_path: Path) -> None:
    body = (
        "import os\n"
        "log.warning('url %s', os.environ['DATABASE_URL'], extra={'password': 'Canary-1', 'n': 1})\n"
        "try:\n    raise ValueError('Bearer Canary-2-Canary-2')\n"
        "except ValueError:\n    log.exception('plain Canary-3-Canary-3')"
    )
    url = "postgresql://me:Canary-3-Canary-3@db/x"
    first, second = records(tmp_path, body, DATABASE_URL=url, AITRADER_NOTIFY_URLS="tgram://Canary-4-4/x")
    assert "Canary" not in json.dumps([first, second])
    assert (first["event"], first["password"], first["n"]) == ("url postgresql://me:[redacted]@db/x", "[redacted]", 1)
    assert "Traceback (most recent call last):\n" in second["exception"]


@pytest.mark.parametrize("env", [{"DEBUG": "1"}, {}])
def test_secrets_of_the_settings_are_in_no_line(tmp_path: Path, env: dict[str, str]) -> None:
    urls = {
        "REDIS_URL": "redis://:Canary-1-1@h",
        "MCP_URL": "http://u:Canary-2-2@h/mcp",
        "AITRADER_NOTIFY_URLS": "tgram://Canary-3-3/chat,json://u:Canary-4-4@h/Canary-5-5",
    }
    body = "for n in range(1, 6):\n    log.error('x %s', f'<Canary-{n}-{n}>')"
    out, lines = logged(tmp_path, body, **urls, **env)
    assert (out, len(lines)) == ("", 5)
    assert "Canary" not in "".join(lines)


def test_a_traceback_is_in_the_line_too(tmp_path: Path) -> None:
    body = "try:\n    1 / 0\nexcept ZeroDivisionError:\n    log.exception('broken')"
    (record,) = records(tmp_path, body)
    assert record["event"] == "broken"
    assert "ZeroDivisionError: division by zero" in record["exception"]


def test_what_is_not_json_is_shown_as_text(tmp_path: Path) -> None:
    (record,) = records(tmp_path, "log.warning('x', extra={'path': __import__('pathlib').Path('/a')})")
    assert "/a" in record["path"]


def test_context_variables_are_in_every_line(tmp_path: Path) -> None:
    body = "import structlog\nstructlog.contextvars.bind_contextvars(request_id='r1')\nlog.warning('x')"
    assert records(tmp_path, body)[0]["request_id"] == "r1"


@pytest.mark.parametrize(
    ("env", "levels"),
    [
        ({}, ["info", "warning"]),
        ({"LOG_LEVEL": "WARNING"}, ["warning"]),
        ({"LOG_LEVEL": "debug"}, ["debug", "info", "warning"]),
    ],
)
def test_levels(tmp_path: Path, env: dict[str, str], levels: list[str]) -> None:
    found = records(tmp_path, "log.debug('x'); log.info('x'); log.warning('x')", **env)
    assert [record["level"] for record in found] == levels


def test_chatty_libraries_are_quiet(tmp_path: Path) -> None:
    body = "[logging.getLogger(name).info('x') for name in ('dramatiq', 'asyncio', 'alembic.runtime')]"
    assert records(tmp_path, body) == []


def test_debug_is_text(tmp_path: Path) -> None:
    out, lines = logged(tmp_path, "log.debug('hello')", DEBUG="1")
    assert out == ""
    assert "hello" in lines[0]
    with pytest.raises(ValueError):
        json.loads(lines[0])
