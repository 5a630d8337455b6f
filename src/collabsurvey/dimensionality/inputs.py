"""What every analysis of dimensionality asks of its items before it computes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from collabsurvey.errors import (
    DataError,
    NotEnoughDataError,
    NotEnoughItemsError,
    NoVarianceError,
    OptionError,
    listed,
)
from collabsurvey.instruments.making import instrument_from_scales
from collabsurvey.instruments.model import UNVERSIONED, Instrument
from collabsurvey.instruments.scales import amounts, refuse_not_amounts, scale_name
from collabsurvey.moments import AnswerTables
from collabsurvey.moments.columns import numeric_columns
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.responses.build import from_frame
from collabsurvey.responses.engine import as_narwhals, require_columns
from collabsurvey.responses.responses import Responses

Items = str | Sequence[str] | None
MOST_CATEGORIES = 20  # beyond, a two-way table is mostly empty and Pearson loses nothing


@dataclass(frozen=True, eq=False)
class ItemSet:
    """The answers, the items chosen, and what they are called together."""

    responses: Responses
    items: tuple[str, ...]
    name: str
    notes: tuple[str, ...] = ()  # what was taken where nothing was named


def item_set(data: Any, items: Items, *, method: str, fewest: int = 2) -> ItemSet:
    """Items of a scale, of several scales, named one by one, or all; from answers or any frame.

    A frame may be pandas, polars, DuckDB, …; without `items` its columns of numbers are taken.
    """
    notes: tuple[str, ...] = ()
    if isinstance(data, Responses):
        items = items if items is None or isinstance(items, str) else named(items)
        names = chosen_items(data.instrument, items)
        refuse_not_amounts(data.instrument, names, method=method, asked=items)
        responses = data
        name = scale_name(items) if items is not None else title_of(data.instrument, names)
    else:
        names = numeric_columns(data) if items is None else named(items)
        if items is None and len(names) < fewest:
            raise NotEnoughDataError(
                method,
                what="columns of numbers",
                found=len(names),
                needed=fewest,
                where="the table",
            )
        require_columns(as_narwhals(data), names)
        responses = _answers_of(data, tuple(dict.fromkeys(names)))
        name = scale_name(names)
        if items is None:
            taken = listed(names, most=40)
            notes = (f"No items were named, so every column of numbers was taken: {taken}.",)
    if len(names) < fewest:
        raise NotEnoughItemsError(name, n_items=len(names), needed=fewest, method=method)
    return ItemSet(responses, names, name, notes)


def title_of(instrument: Instrument, items: Sequence[str]) -> str:
    """Title of an instrument, or the number of items of one that was made in a call."""
    return f"{len(items)} items" if instrument.version == UNVERSIONED else instrument.title


def _answers_of(data: Any, names: tuple[str, ...]) -> Responses:
    """Take columns of numbers as they are; anything else is read, or refused, by `from_frame`."""
    if set(names) <= set(numeric_columns(data)):
        return Responses(data, instrument_from_scales({"items": names}))
    return from_frame(data, scales={"items": list(names)})


def require_finite(values: FloatArray, items: Sequence[str], *, method: str) -> None:
    """Refuse items whose moments (k,) are infinite or not a number."""
    if bad := [item for item, value in zip(items, values, strict=True) if not isfinite(value)]:
        raise DataError(
            f"{method} is not defined: {', '.join(bad)} has infinite values, or numbers too large "
            "to square. Set them to missing, or rescale them."
        )


def named(items: str | Sequence[str], *, option: str = "items") -> tuple[str, ...]:
    """Names one by one; refuses none, and what is no name."""
    names: tuple[Any, ...] = ()
    if isinstance(items, str):
        names = (items,)
    elif isinstance(items, Iterable):
        names = tuple(items)
    if not names or not all(isinstance(name, str) for name in names):
        raise OptionError(option, items, allowed=("a name, or a list of names",))
    return tuple(map(str, names))


def chosen_items(instrument: Instrument, items: Items) -> tuple[str, ...]:
    """Item ids of a scale id, of a list of scale or item ids, or of every scale of amounts."""
    if isinstance(items, str):
        return instrument.items_of(items)
    listed = [one.id for one in amounts(instrument)] if items is None else list(items)
    scales = set(instrument.scale_ids) - set(instrument.item_ids)
    asked = [name for name in listed if name not in scales]
    if twice := [name for name in dict.fromkeys(asked) if asked.count(name) > 1]:
        raise OptionError("items", twice, allowed=("every item once",))
    found: list[str] = []
    for name in listed:
        found += instrument.items_of(name) if name in scales else instrument.items_of([name])
    return tuple(dict.fromkeys(found))


def scale_groups(instrument: Instrument, items: Sequence[str]) -> list[tuple[str, int]]:
    """Titles of the scales that consecutive items belong to, with the number of items."""
    home: dict[str, str] = {}
    # The smallest scale that holds an item: its part, not the whole.
    for scale in sorted(instrument.scoring, key=lambda one: len(one.items)):
        for item in scale.items:
            home.setdefault(item, scale.title or scale.id)
    groups: list[tuple[str, int]] = []
    for item in items:
        title = home.get(item, "")
        if groups and groups[-1][0] == title:
            groups[-1] = (title, groups[-1][1] + 1)
        else:
            groups.append((title, 1))
    return groups


def require_categories(tables: AnswerTables, *, method: str) -> None:
    """Refuse items with one answer, with no answer, or with too many different answers."""
    sizes = dict(zip(tables.items, map(len, tables.categories), strict=True))
    missing = dict(zip(tables.items, tables.n_missing.tolist(), strict=True))
    all_rows = tables.n_rows or -1
    silent = [item for item, n in missing.items() if n == all_rows and not tables.weighted]
    if not tables.counts.any() and not silent:
        raise NotEnoughDataError(
            method, what="respondents who answered every item", found=0, needed=3
        )
    if silent := silent or [item for item, size in sizes.items() if size == 0]:
        raise DataError(f"{method} is not defined: nobody answered {listed(silent)}. Leave it out.")
    if constant := [item for item, size in sizes.items() if size == 1]:
        what = "item" if len(constant) == 1 else "each of the items"
        raise NoVarianceError(f"{what} {', '.join(map(repr, constant))}", method=method)
    for item, codes in zip(tables.items, tables.categories, strict=True):
        require_finite(codes[-1:], [item], method=method)
        require_finite(codes[:1], [item], method=method)
    if many := [item for item, size in sizes.items() if size > MOST_CATEGORIES]:
        raise DataError(
            f"{method}: {', '.join(many)} has more than {MOST_CATEGORIES} different answers, which "
            "is a measurement. Use an analysis of Pearson correlations, or polyserial() for it "
            "with ordinal items."
        )
