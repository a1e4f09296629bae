"""The one connection to a server: a thread of its own keeps it up, and calls are handed over to it.

The MCP client lives inside one task, which is entered again with growing pauses whenever it ends: its context ends
with an ``ExceptionGroup``, and every call with it, when its connection breaks. A call that was under way then has
failed, alone; it is never repeated here.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError as FutureCancelled
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import anyio
import httpx2
from aiolimiter import AsyncLimiter
from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp_types import Implementation, PaginatedRequestParams, TextContent

from aitrader.api import AITraderError, Vault
from plugins.mcp_broker.calls import Answer, CallFailed, as_answer
from plugins.mcp_broker.transport import CalmTransport, SavedSession

T = TypeVar("T")

_CONNECT_S = 5.0
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_LONGEST_WISH_S = 5.0
_MOST_PAGES = 50
_GRACE_S = 1.0

# What servers say before they look at a request. Others say "terminated" of a session that ends during a call.
_UNKNOWN_SESSION = frozenset(
    {
        "invalid session id",
        "session terminated",
        "session not found",
        "not found: session has been terminated",
        "not found: invalid or expired session id",
    }
)

# They log session ids, which are as good as a password, and whole answers.
_TALKATIVE = ("mcp", "httpx2", "httpcore2")


@dataclass(frozen=True, slots=True)
class Server:
    """A connected server. ``generation`` numbers the connections; ``tools`` are the input schemas by name."""

    name: str
    version: str
    protocol: str
    tools: dict[str, Any]
    generation: int


@dataclass(slots=True)
class _Link:
    """The living client and what it is connected to."""

    client: Client
    server: Server
    lost: anyio.Event = field(default_factory=anyio.Event)


class McpSession:
    """A supervised connection; may be used from any thread.

    Args:
        url: the server.
        vault: keeps the session that a login belongs to.
        logger: carries the account.
        calls_per_second: how many requests may be made, all together.
    """

    def __init__(
        self,
        url: str,
        *,
        vault: Vault,
        logger: logging.Logger | logging.LoggerAdapter[logging.Logger],
        calls_per_second: float,
    ) -> None:
        self._url = url
        self._vault = vault
        self._log = logger
        self._interval = 1 / calls_per_second
        self._lock = threading.Lock()
        self._running: AbstractContextManager[BlockingPortal] | None = None
        self._portal: BlockingPortal | None = None
        self._link: _Link | None = None
        self._generation = 0
        self._closed = False
        self._trouble = "the server does not answer"
        self._resting = False

    def connect(self, timeout_s: float = _CONNECT_S) -> Server:
        """Return the server, connecting to it first if need be.

        Raises:
            CallFailed: it cannot be reached; nothing was sent.
        """
        return self._run(self._connected, timeout_s, sent=False)

    def turn(self) -> Server:
        """Wait until a call may be made, and return the server that it may be made to.

        Raises:
            CallFailed: it cannot be reached; nothing was sent.
        """
        return self._run(self._my_turn, _CONNECT_S + _LONGEST_WISH_S, sent=False)

    def call(self, server: Server, tool: str, arguments: dict[str, Any], timeout_s: float) -> Answer:
        """Call a tool, once, over the very connection that ``turn`` gave.

        Raises:
            CallFailed: there is no answer.
        """
        return self._run(lambda: self._call(server, tool, arguments, timeout_s), timeout_s + 3 * _GRACE_S, sent=True)

    def read(self, tool: str, arguments: dict[str, Any], timeout_s: float) -> Answer:
        """Call a tool that changes nothing, when it is its turn.

        Raises:
            CallFailed: there is no answer.
        """
        return self.call(self.turn(), tool, arguments, timeout_s)

    def close(self) -> None:
        """Let go of the server, without ending the session there. Idempotent."""
        with self._lock:
            self._closed = True
            running, portal, self._running, self._portal = self._running, self._portal, None, None
        if running is None or portal is None:
            return
        portal.call(portal.stop, True)
        running.__exit__(None, None, None)

    def _run(self, work: Callable[[], Coroutine[Any, Any, T]], timeout_s: float, *, sent: bool) -> T:
        future = self._started().start_task_soon(work)
        try:
            result: T = future.result(timeout_s)
        except CallFailed:
            raise
        except TimeoutError:
            future.cancel()
            raise CallFailed(self._trouble if not sent else "no answer in time", sent=sent) from None
        except FutureCancelled:
            raise CallFailed("the call was canceled", sent=sent) from None
        except Exception as error:
            raise CallFailed(f"{type(error).__name__}: {error}", sent=sent) from error
        return result

    def _started(self) -> BlockingPortal:
        with self._lock:
            if self._closed:
                raise CallFailed("the account was closed here; open it again", sent=False)
            if self._portal is None:
                for name in _TALKATIVE:
                    logging.getLogger(name).setLevel(logging.WARNING)
                self._running = start_blocking_portal("asyncio")
                self._portal = self._running.__enter__()
                self._portal.call(self._prepare)
                self._portal.start_task_soon(self._supervise)
            return self._portal

    async def _prepare(self) -> None:
        self._limiter = AsyncLimiter(1, self._interval)
        self._changed = anyio.Event()
        self._wanted = anyio.Event()
        self._not_before = 0.0

    async def _connected(self) -> Server:
        while self._link is None:
            if self._resting:
                raise CallFailed(self._trouble, sent=False)
            self._wanted.set()
            await self._changed.wait()
        return self._link.server

    async def _my_turn(self) -> Server:
        with anyio.move_on_after(_LONGEST_WISH_S):
            await anyio.sleep(max(0.0, self._not_before - anyio.current_time()))
            await self._limiter.acquire()
        return await self._connected()

    async def _call(self, server: Server, tool: str, arguments: dict[str, Any], timeout_s: float) -> Answer:
        link = self._link
        if link is None or link.server.generation != server.generation:
            raise CallFailed("the connection was lost before anything was sent", sent=False)
        try:
            with anyio.fail_after(timeout_s + _GRACE_S):
                # The client's own call would repeat a request of itself; the session's never does.
                result = await link.client.session.call_tool(tool, arguments, read_timeout_seconds=timeout_s)
        except MCPError as error:
            raise self._failure(link, error) from error
        except TimeoutError:
            raise CallFailed("no answer in time") from None
        texts = [item.text for item in result.content if isinstance(item, TextContent)]
        return as_answer(bool(result.is_error), texts, result.structured_content)

    def _failure(self, link: _Link, error: MCPError) -> CallFailed:
        failed = _as_failure(error)
        if failed.http == 429:
            self._not_before = anyio.current_time() + _wish(error)
        if failed.no_session:
            self._vault.save(None)
        if failed.no_session or failed.http is not None:
            link.lost.set()
        return failed

    async def _supervise(self) -> None:
        pause = _FIRST_PAUSE_S
        while True:
            await self._wanted.wait()
            before = self._generation
            try:
                await self._live()
            except BaseException as error:
                # A connection that breaks may cancel the task that holds it; only closing really ends it.
                if self._closed or not isinstance(error, Exception | anyio.get_cancelled_exc_class()):
                    raise
                self._trouble, self._resting = f"the server cannot be used: {_reason(error)}", True
                self._log.warning("the connection to the MCP server ended", extra={"reason": self._trouble})
            finally:
                self._set(None)
            pause = _FIRST_PAUSE_S if self._generation > before else min(_LONGEST_PAUSE_S, pause * 2)
            self._wanted = anyio.Event()
            await anyio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
            self._resting = False

    async def _live(self) -> None:
        """Be connected until the connection is lost."""
        saved = SavedSession.load(self._vault.load(), self._url)
        transport = CalmTransport(httpx2.AsyncHTTPTransport(), saved, self._keep)
        # A pause in an answer is bounded by each call's own deadline; this one is only a last resort.
        timeout = httpx2.Timeout(_CONNECT_S, read=60.0)
        headers = {"accept-encoding": "identity"}
        async with httpx2.AsyncClient(transport=transport, timeout=timeout, headers=headers, trust_env=False) as http:
            streams = streamable_http_client(self._url, http_client=http, terminate_on_close=False)
            info = Implementation(name="aitrader", version="1")
            mode = "auto" if saved is None else "legacy"
            async with Client(streams, mode=mode, client_info=info, read_timeout_seconds=_CONNECT_S * 2) as client:
                link = await self._introduce(client)
                self._set(link)
                await link.lost.wait()

    async def _introduce(self, client: Client) -> _Link:
        tools: dict[str, Any] = {}
        cursor = None
        try:
            for _ in range(_MOST_PAGES):
                page = await client.session.list_tools(params=PaginatedRequestParams(cursor=cursor))
                tools |= {tool.name: tool.input_schema for tool in page.tools}
                cursor = page.next_cursor
                if cursor is None:
                    break
        except MCPError as error:
            if _as_failure(error).no_session:
                self._vault.save(None)
            raise
        self._generation += 1
        info = client.server_info or Implementation(name="", version="")
        server = Server(info.name, info.version, client.protocol_version, tools, self._generation)
        told = {"server": server.name, "version": server.version, "protocol": server.protocol, "tools": len(tools)}
        self._log.info("connected to the MCP server", extra=told)
        return _Link(client, server)

    def _keep(self, session: SavedSession) -> None:
        try:
            self._vault.save(session.dump(self._url))
        except AITraderError as error:
            self._log.warning("the session was not kept; a restart needs a new login", extra={"reason": error.detail})

    def _set(self, link: _Link | None) -> None:
        self._link = link
        self._changed.set()
        self._changed = anyio.Event()


def _as_failure(error: MCPError) -> CallFailed:
    data = error.data if isinstance(error.data, dict) else {}
    http, text = data.get("http"), str(data.get("text", ""))
    unknown = http == 404 or (http == 400 and "session" in text.lower())
    refused = unknown and text.lower() in _UNKNOWN_SESSION
    sent = data.get("sent") is not False
    return CallFailed(error.message, sent=sent, http=http, no_session=unknown, refused=refused)


def _wish(error: MCPError) -> float:
    """Return how long a server that was asked too often wants to be left alone, in seconds."""
    data = error.data if isinstance(error.data, dict) else {}
    try:
        return min(_LONGEST_WISH_S, max(1.0, float(data.get("retry_after") or 1)))
    except ValueError:
        return 1.0


def _reason(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return _reason(error.exceptions[0])
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
