"""A model that comes into the catalogue as a file of its own in the plugins folder: nothing that a person wrote is touched."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from gizzi import registry as registries
from gizzi.cli.terminal import clean
from gizzi.clock import LiveClock
from gizzi.config import Settings
from gizzi.errors import UsageError
from gizzi.models.catalogue import Catalogue
from gizzi.models.merge import catalogue_of
from gizzi.models.model import Model
from gizzi.registry import Registry

LONGEST_ROW = 20_000


@dataclass(frozen=True, slots=True)
class NewModel:
    """row: as it will be written. catalogue, registry: with it."""

    model: Model
    row: str
    catalogue: Catalogue
    registry: Registry


def new_model(settings: Settings, row: str) -> NewModel:
    """The one model that the row adds. Raises UsageError where it adds none or several, or changes what is there; ConfigError."""
    try:
        rows = tomllib.loads(row[: LONGEST_ROW + 1], parse_float=Decimal)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"the row cannot be read: {clean(error, 200)}") from None
    if len(row) > LONGEST_ROW:
        raise UsageError(f"the row is longer than {LONGEST_ROW} characters")
    today = datetime.fromtimestamp(LiveClock().now(), UTC).date()
    loaded = registries.load(settings)
    before = catalogue_of(settings, loaded, today)
    for kind, known in (("providers", before.providers), ("models", before.models)):
        named = rows.get(kind)
        doubled = next((name for name in named if name in known), None) if isinstance(named, Mapping) else None
        if doubled is not None:
            raise UsageError(f"the {kind[:-1]} {clean(doubled, 80)} is there already; a new model changes nothing else")
    loaded.model_rows.append(("the new row", rows))
    after = catalogue_of(settings, loaded, today)
    new = [model for name, model in after.models.items() if name not in before.models]
    if len(new) != 1:
        raise UsageError(f"the row adds {len(new)} models; it must add one")
    return NewModel(new[0], row, after, loaded)


def free_place(settings: Settings, model: Model) -> Path:
    """Where its row goes. Raises UsageError where a file lies there."""
    place = Path(settings.plugins.folder) / f"{re.sub(r'[^a-z0-9]+', '-', model.id.lower()).strip('-')}.toml"
    if place.exists():
        raise UsageError(f"{place} exists already")
    return place


def write_row(place: Path, new: NewModel) -> None:
    """Raises UsageError where the file cannot be written, or has come to be meanwhile."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("x", encoding="utf-8") as file:
            file.write(new.row)
    except OSError as error:
        raise UsageError(f"{place} cannot be written: {error.strerror}") from None
