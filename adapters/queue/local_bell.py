"""Hints from other programs on this machine to an embedded installation, through a Unix datagram socket.

`aitrader up` would notice their jobs by itself, a fifth of a second later.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

log = logging.getLogger(__name__)

_LONGEST_PATH = 100  # of a Unix socket: 104 bytes on macOS, 108 on Linux
_MOST_HINTS = 1000


class BellRinger:
    """The queue of a program that only submits: it rings at whoever runs jobs here, if anybody does.

    Args:
        path: where the bell is.
    """

    def __init__(self, path: Path) -> None:
        self._path = str(path)

    def hint(self, queue: str, job_ids: Sequence[str]) -> None:
        """Ring. Nobody there, or too busy to hear: the jobs are found in SQL."""
        if not _usable(self._path):
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ringer, contextlib.suppress(OSError):
            ringer.setblocking(False)
            ringer.sendto(f"{queue} {len(job_ids)}".encode(), self._path)

    def pending(self, queue: str) -> int:
        """Return 0: rings do not wait."""
        return 0

    def close(self) -> None:
        """Nothing to release."""


class LocalBell:
    """Hears rings and passes them on.

    Args:
        path: where the bell is; a bell left there by a killed process is replaced.
        on_ring: called with the queue and the number of jobs.
    """

    def __init__(self, path: Path, on_ring: Callable[[str, int], None]) -> None:
        self._path = path
        self._on_ring = on_ring
        self._socket: socket.socket | None = None

    def start(self) -> None:
        """Begin to listen, if this machine and the path allow it."""
        if not _usable(str(self._path)):
            return
        bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._path.unlink(missing_ok=True)
            bell.bind(str(self._path))
            os.chmod(self._path, 0o600)
        except OSError as error:
            bell.close()
            log.warning("no local bell; jobs of other programs start a little later", extra={"reason": str(error)})
            return
        self._socket = bell
        threading.Thread(target=self._run, args=(bell,), name="bell", daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        bell, self._socket = self._socket, None
        if bell is not None:
            self._path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                bell.shutdown(socket.SHUT_RDWR)
            bell.close()

    def _run(self, bell: socket.socket) -> None:
        while True:
            try:
                ring = bell.recv(128)
            except OSError:
                return
            if not ring:
                return
            queue, _, count = ring.decode("utf-8", "replace").partition(" ")
            if count.isdigit():
                self._on_ring(queue, min(int(count), _MOST_HINTS))


def _usable(path: str) -> bool:
    return hasattr(socket, "AF_UNIX") and len(path.encode()) <= _LONGEST_PATH
