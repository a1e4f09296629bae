"""Models in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

from sqlalchemy import Connection, case, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from adapters.db.intelligence_tables import models
from domain.common.errors import Conflict, NotFound
from domain.intelligence.models import Model, ModelFilter, ModelStatus

_ACTIVE = models.c.status == ModelStatus.ACTIVE.value


class SqlModels:
    """Models in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, model: Model) -> None:
        """Insert a model."""
        self._connection.execute(insert(models), asdict(model))

    def get(self, name_or_id: str) -> Model:
        """Return a model by id, or by name: the active one, else the newest."""
        named = or_(models.c.id == name_or_id, models.c.name == name_or_id)
        first = case((_ACTIVE, 0), else_=1)
        row = self._connection.execute(select(models).where(named).order_by(first, models.c.id.desc())).first()
        if row is None:
            raise NotFound("there is no such model; see: aitrader model list", code="model_not_found")
        return Model(**row._mapping)

    def page(self, wanted: ModelFilter, *, before_id: str | None, limit: int) -> Sequence[Model]:
        """Return models, the newest first."""
        query = select(models).order_by(models.c.id.desc()).limit(limit)
        for name, value in asdict(wanted).items():
            if value is not None:
                query = query.where(models.c[name] == value)
        if before_id is not None:
            query = query.where(models.c.id < before_id)
        return [Model(**row._mapping) for row in self._connection.execute(query)]

    def active(self, timeframe: str) -> Sequence[Model]:
        """Return the active models of a timeframe."""
        query = select(models).where(_ACTIVE, models.c.timeframe == timeframe)
        rows = self._connection.execute(query.order_by(models.c.activated_at.desc(), models.c.id.desc()))
        return [Model(**row._mapping) for row in rows]

    def save(self, model: Model) -> Model:
        """Write status and time of activation back if nobody else changed them meanwhile."""
        saved = replace(model, version=model.version + 1)
        values = {"status": saved.status, "activated_at": saved.activated_at, "version": saved.version}
        same = (models.c.id == model.id, models.c.version == model.version)
        changed = Conflict("someone else changed the model meanwhile; try again", code="model_changed")
        try:
            if self._connection.execute(update(models).where(*same).values(values)).rowcount != 1:
                raise changed
        except IntegrityError as error:  # another of this name became active meanwhile
            raise changed from error
        return saved
