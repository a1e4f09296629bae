"""The port of servers that ``aitrader engine serve`` runs, and what they may use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from domain.intelligence.inference import InferenceEngine
from domain.intelligence.sentiment import SentimentEngine

# An ASGI 3 application, https://asgi.readthedocs.io/en/latest/specs/main.html.
AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]

REMOTE = "remote"  # what an engine behind a URL of the settings is called


class EngineTools(Protocol):
    """What a server may use of the installation that runs it. Each is made when it is first asked for."""

    @property
    def inference(self) -> InferenceEngine:
        """Inference in this process, over the installation's model folders."""
        ...

    @property
    def sentiment(self) -> SentimentEngine:
        """Sentiment in this process: the transformer that the settings name, or the built-in engine."""
        ...


class EngineServer(Protocol):
    """A server that ``aitrader engine serve NAME`` runs. Registered by the hook ``aitrader_register_engines``.

    ``options_type`` is a pydantic model or dataclass with defaults. ``path`` is what follows host and port in the
    address that clients are given, such as ``/mcp``.
    """

    name: str
    title: str
    default_port: int
    path: str
    options_type: type[Any]

    def app(self, options: Any, tools: EngineTools) -> AsgiApp:
        """Return the application. ``options`` is a validated ``options_type``. Opens no port.

        Raises:
            Invalid: the options lack something.
        """
        ...


class EngineMeter(Protocol):
    """Counts calls to engines. Safe for threads; costs microseconds."""

    def observe(self, engine: str, outcome: str, seconds: float) -> None:
        """Count a call: ``outcome`` is ``ok``, ``refused``, ``failed``, ``open`` or ``busy``."""
        ...


class NoMeter:
    """Counts nothing."""

    def observe(self, engine: str, outcome: str, seconds: float) -> None:
        """Do nothing."""
