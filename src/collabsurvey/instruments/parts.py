"""The sound records of a file, with their places, so that checks can go on beside faults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError

from collabsurvey.instruments.model import (
    Construct,
    Evidence,
    Item,
    Licence,
    Norm,
    Record,
    ResponseSet,
    Scale,
    Slot,
    Translation,
)
from collabsurvey.instruments.yaml_tree import Document, Fault, Path

T = TypeVar("T", bound=Record)


@dataclass(frozen=True)
class Parts:
    """The sound records of a file, keyed by their place in it, and where they stand."""

    document: Document
    items: dict[int, Item]
    scales: dict[int, Scale]
    constructs: dict[int, Construct]
    evidence: dict[int, Evidence]
    norms: dict[int, Norm]
    translations: dict[int, Translation]
    response_sets: dict[str, ResponseSet]
    slots: dict[str, Slot]
    licence: Licence | None

    @property
    def raw(self) -> dict[str, Any]:
        """The file as plain data."""
        data: dict[str, Any] = self.document.data
        return data

    def fault(self, path: Path, sentence: str) -> Fault:
        """Make a fault at a path of the file."""
        return Fault(self.document.line(path), sentence)

    def ids(self, section: str) -> list[tuple[Path, str]]:
        """Path and id of every record in a listed section, sound or not."""
        return [
            ((section, place), one["id"])
            for place, one in enumerate(self.raw_list(section))
            if isinstance(one, dict) and isinstance(one.get("id"), str)
        ]

    def names(self, section: str) -> list[str]:
        """Ids in a section, sound or not: a broken record is not also reported as absent."""
        records = self.raw.get(section)
        if isinstance(records, dict):
            return [str(name) for name in records]
        return [name for _, name in self.ids(section)]

    def raw_list(self, section: str) -> list[Any]:
        """Entries of a top-level list; empty if it is none."""
        records = self.raw.get(section)
        return records if isinstance(records, list) else []

    def raw_records(self, section: str) -> list[dict[str, Any]]:
        """Entries of a top-level list that have keys."""
        return [one for one in self.raw_list(section) if isinstance(one, dict)]

    def text(self, key: str) -> str | None:
        """Return a top-level value, if it is text."""
        value = self.raw.get(key)
        return value if isinstance(value, str) else None

    def response_set_of(self, item: Item) -> ResponseSet | None:
        """Answers an item allows, if they are sound."""
        return None if item.response is None else self.response_sets.get(item.response)


def parts_of(document: Document) -> Parts:
    """Sort out the sound records of a file; the unsound ones are reported by the loader."""
    data = document.data
    return Parts(
        document,
        items=_listed(data, "items", Item),
        scales=_listed(data, "scoring", Scale),
        constructs=_listed(data, "constructs", Construct),
        evidence=_listed(data, "evidence", Evidence),
        norms=_listed(data, "norms", Norm),
        translations=_listed(data, "translations", Translation),
        response_sets=_named(data, "response_sets", ResponseSet),
        slots=_named(data, "slots", Slot),
        licence=_sound(Licence, data.get("licence")),
    )


def _sound(model: type[T], raw: object) -> T | None:
    try:
        return model.model_validate(raw)
    except ValidationError:
        return None


def _listed(data: dict[str, Any], section: str, model: type[T]) -> dict[int, T]:
    records = data.get(section)
    if not isinstance(records, list):
        return {}
    found = {place: _sound(model, raw) for place, raw in enumerate(records)}
    return {place: record for place, record in found.items() if record is not None}


def _named(data: dict[str, Any], section: str, model: type[T]) -> dict[str, T]:
    records = data.get(section)
    if not isinstance(records, dict):
        return {}
    found = {str(name): _sound(model, raw) for name, raw in records.items()}
    return {name: record for name, record in found.items() if record is not None}
