"""How the parts of an installation are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from domain.common.time import rfc3339

HealthStatus = Literal["ok", "degraded", "down", "off"]


@dataclass(frozen=True, slots=True)
class ComponentHealth:
    """How one component is. ``off`` means not configured. ``checked_at`` is milliseconds UTC."""

    name: str
    status: HealthStatus
    detail: str
    latency_ms: float | None
    checked_at: int


class HealthReport(Protocol):
    """Asks the components. May block for up to 2 s per component; answers are cached for a moment."""

    def check(self, name: str) -> ComponentHealth:
        """Return how one component is.

        Raises:
            NotFound: there is no such component.
        """
        ...

    def all(self) -> list[ComponentHealth]:
        """Return how our own parts are: ``db``, ``redis``, ``workers``, ``feed``, ``signals``."""
        ...

    def services(self) -> list[ComponentHealth]:
        """Return how the outside services are; ``off`` when not configured."""
        ...

    def ready(self) -> tuple[bool, list[str]]:
        """Return whether requests and jobs are safe here, and why not."""
        ...


def component_view(component: ComponentHealth) -> dict[str, object]:
    """Return the health of a component as clients see it."""
    return {
        "name": component.name,
        "status": component.status,
        "detail": component.detail,
        "latency_ms": component.latency_ms,
        "checked_at": rfc3339(component.checked_at),
    }
