"""A stream writer that joins small writes of one turn of the event loop.

Hypercorn writes the head, the body and the end of a response, and every WebSocket frame, one by one; a system call
for each costs more than all the rest of sending them.
"""

from __future__ import annotations

import asyncio
from typing import Any

_FLUSH_BYTES = 16 * 1024


class CorkedWriter:
    """Wraps a ``StreamWriter``; has the methods that Hypercorn calls."""

    def __init__(self, writer: asyncio.StreamWriter, loop: asyncio.AbstractEventLoop) -> None:
        self._writer = writer
        self._loop = loop
        self._parts: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        """Send soon: at the end of this turn of the loop, or at once when much is waiting."""
        if not data:
            return
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)
        self._size += len(data)
        if self._size >= _FLUSH_BYTES:
            self._flush()

    async def drain(self) -> None:
        """Wait until the peer has taken enough of what was sent."""
        await self._writer.drain()

    def write_eof(self) -> None:
        """Send what waits, then the end."""
        self._flush()
        self._writer.write_eof()

    def close(self) -> None:
        """Send what waits, then close."""
        self._flush()
        self._writer.close()

    async def wait_closed(self) -> None:
        """Wait until the connection is closed."""
        await self._writer.wait_closed()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return a fact about the transport."""
        return self._writer.get_extra_info(name, default)

    def _flush(self) -> None:
        if self._parts:
            data = b"".join(self._parts)
            self._parts.clear()
            self._size = 0
            if not self._writer.transport.is_closing():
                self._writer.write(data)
