"""The practice broker for tests: in a thread where only its answers matter, as a process where it is to be killed."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from aitrader.engine_host import run_engine
from plugins.mock_mcp.plugin import MockMcp
from tests.processes import Process


class Control:
    """Talks to ``/control`` and follows login links, as a person would."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx2.Client(base_url=url.removesuffix("/mcp"), trust_env=False, timeout=10)

    def __call__(self, action: str, **body: Any) -> dict[str, Any]:
        """Do something; return the state."""
        response = self._http.post(f"/control/{action}", json=body)
        response.raise_for_status()
        state: dict[str, Any] = response.json()
        return state

    def state(self) -> dict[str, Any]:
        """Return the state."""
        state: dict[str, Any] = self._http.get("/control/state").json()
        return state

    def log_in(self, link: str) -> None:
        """Open a login link, and click."""
        page = self._http.get(link)
        page.raise_for_status()
        target = page.text.partition("href=&#x27;")[2] or page.text.partition("href='")[2]
        self._http.get(target.partition("'")[0].replace("&amp;", "&")).raise_for_status()

    def close(self) -> None:
        """Close connections."""
        self._http.close()


class _Stop:
    """A ``Shutdown`` that no signal sets."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[[], object]] = []

    def is_set(self) -> bool:
        return False

    def then(self, callback: Callable[[], object]) -> None:
        self._callbacks.append(callback)

    def set(self) -> None:
        for callback in self._callbacks:
            callback()


@contextmanager
def mock_broker(port: int = 0, **options: Any) -> Iterator[Control]:
    """Serve a practice broker from a thread of this process."""
    stop, ready = _Stop(), queue.SimpleQueue[str]()
    tools: Any = None  # the practice broker asks no engine
    work = threading.Thread(
        target=lambda: run_engine(MockMcp(), "127.0.0.1", port, options, stop, ready.put, tools)  # type: ignore[arg-type]
    )
    work.start()
    control = Control(ready.get(timeout=10))
    try:
        yield control
    finally:
        control.close()
        stop.set()
        work.join(10)


class BrokerProcess:
    """The practice broker as a process on one port, over one folder, to be killed and started again."""

    def __init__(self, start: Callable[..., Process], folder: Path, **options: str) -> None:
        self._start = start
        self._folder = folder
        self.options = {"folder": str(folder / "mock"), **options}
        self._port = "0"
        self.process: Process | None = None
        self.url = ""
        self.up()

    def up(self) -> None:
        """Start it; wait until it answers."""
        sets = [word for name, value in self.options.items() for word in ("--set", f"{name}={value}")]
        command = [sys.executable, "-m", "aitrader", "engine", "serve", "mock-mcp", "--port", self._port, *sets]
        self.process = self._start(command, env={"AITRADER_DATA_DIR": str(self._folder / "mock-data")})
        self.url = self.process.wait_for_line(r"^(http://\S+)$", 30).group(1)
        self._port = self.url.rpartition(":")[2].partition("/")[0]
        self.control = Control(self.url)

    def kill(self) -> None:
        """Kill it, with no chance to do anything."""
        assert self.process is not None
        self.control.close()
        self.process.kill()
