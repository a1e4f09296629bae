"""The topic ``system_status``: one event each time the state of a component changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.common.events import EVERYONE, Event
from domain.common.health import component_view

if TYPE_CHECKING:
    from aitrader.container import Container

TOPIC = "system_status"


class PublishSystemStatus:
    """Compares each component with how it was, and stores an event for each that differs."""

    def __init__(self, container: Container) -> None:
        self._container = container
        self._known: dict[str, tuple[str, str]] = {}

    def __call__(self) -> None:
        """Look once.

        Raises:
            Unavailable: the database did not answer, so nobody can be told.
        """
        health = self._container.health()
        now = {part.name: part for part in (*health.all(), *health.services())}
        changed = [part for name, part in now.items() if self._known.get(name) != (part.status, part.detail)]
        if changed:
            with self._container.unit_of_work() as work:
                work.outbox.add([Event(TOPIC, EVERYONE, component_view(part)) for part in changed])
                work.commit()
        self._known = {name: (part.status, part.detail) for name, part in now.items()}
