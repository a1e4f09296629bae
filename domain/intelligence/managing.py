"""Reading models and suggestions, and choosing which model suggests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from domain.common.time import Clock
from domain.intelligence.models import Model, ModelFilter, ModelStatus
from domain.intelligence.suggestions import Suggestion, SuggestionFilter
from domain.intelligence.work import IntelligenceWork


@dataclass(frozen=True, slots=True)
class ReadModels:
    """Look at models."""

    read_work: Callable[[], IntelligenceWork]

    def get(self, name_or_id: str) -> Model:
        """Return a model by id, or by name: the active one, else the newest.

        Raises:
            NotFound: there is none.
        """
        with self.read_work() as work:
            return work.models.get(name_or_id)

    def page(self, wanted: ModelFilter, *, before_id: str | None, limit: int) -> tuple[Sequence[Model], str | None]:
        """Return models, the newest first, and the id to go on from; None at the end."""
        with self.read_work() as work:
            found = work.models.page(wanted, before_id=before_id, limit=limit + 1)
        return found[:limit], found[limit - 1].id if len(found) > limit else None


@dataclass(frozen=True, slots=True)
class ActivateModel:
    """Have suggestions use a model from now on; the one of its name that they used is retired."""

    unit_of_work: Callable[[], IntelligenceWork]
    clock: Clock

    def __call__(self, name_or_id: str, *, actor: str) -> Model:
        """Return the model as it is now. Activating the active one changes nothing.

        Args:
            name_or_id: which; of a name the active or the newest.
            actor: who, for the audit log.

        Raises:
            NotFound: there is no such model.
            Conflict: someone else changed it, or another of its name, meanwhile.
        """
        with self.unit_of_work() as work:
            model = work.models.get(name_or_id)
            if model.status == ModelStatus.ACTIVE.value:
                return model
            now = self.clock.now_ms()
            wanted = ModelFilter(name=model.name, status=ModelStatus.ACTIVE.value)
            for other in work.models.page(wanted, before_id=None, limit=10):
                work.models.save(replace(other, status=ModelStatus.RETIRED.value))
            saved = work.models.save(replace(model, status=ModelStatus.ACTIVE.value, activated_at=now))
            details = {"name": model.name, "sha256": model.sha256, "beats_baselines": model.parsed.beats_baselines}
            work.audit.append(time=now, actor=actor, action="model.activate", subject=model.id, details=details)
            work.commit()
        return saved


@dataclass(frozen=True, slots=True)
class ReadSuggestions:
    """Look at the suggestions of a user."""

    read_work: Callable[[], IntelligenceWork]

    def get(self, suggestion_id: str, user_id: str) -> Suggestion:
        """Return a suggestion.

        Raises:
            NotFound: there is none, or it is someone else's.
        """
        with self.read_work() as work:
            return work.suggestions.get(suggestion_id, user_id)

    def page(
        self, wanted: SuggestionFilter, *, before_id: str | None, limit: int
    ) -> tuple[Sequence[Suggestion], str | None]:
        """Return suggestions, the newest first, and the id to go on from; None at the end."""
        with self.read_work() as work:
            found = work.suggestions.page(wanted, before_id=before_id, limit=limit + 1)
        return found[:limit], found[limit - 1].id if len(found) > limit else None
