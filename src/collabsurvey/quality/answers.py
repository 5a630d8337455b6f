"""The answers a screening looks at: item by item in memory, with what the key says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np

from collabsurvey.errors import (
    DataError,
    NotAmountsError,
    NotEnoughDataError,
    OptionError,
    listed,
)
from collabsurvey.instruments.model import Instrument
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.responses.engine import (
    as_narwhals,
    collect,
    is_lazy,
    is_number,
    read_columns,
    require_columns,
    to_native,
)
from collabsurvey.responses.free_text import coded_ids, is_text
from collabsurvey.responses.responses import Responses


@dataclass(frozen=True, eq=False)
class Answers:
    """Answers of k items, item by item, and the rows they belong to."""

    items: tuple[str, ...]  # (k,) in the order they were asked
    values: FloatArray  # (k, n), NaN for missing; this copy may be overwritten
    rows: nw.DataFrame[Any]  # the columns that are kept beside the answers, n rows
    lazy: Any  # the implementation of a lazy frame, None for an eager one


def read_answers(responses: Responses, items: Sequence[str], others: Sequence[str] = ()) -> Answers:
    """Read the items and the role columns in one pass; eager frames keep all their columns."""
    frame = as_narwhals(responses.frame)
    require_columns(frame, others, where="The table of answers")
    kept = list(dict.fromkeys([*responses.roles.values(), *others]))
    lazy = frame.implementation if is_lazy(frame) else None
    table = collect(frame.select(list(dict.fromkeys([*kept, *items])))) if lazy else collect(frame)
    values = np.empty((len(items), len(table)))
    for place, item in enumerate(items):
        values[place] = read_columns(table, [item])[item].values
    return Answers(tuple(items), values, table.select(kept) if lazy else table, lazy)


def screened_items(responses: Responses, items: str | Sequence[str] | None) -> tuple[str, ...]:
    """Ids of a scale's items, the ids given, or all items; in the order they were asked.

    Lines in people's own words are left out, and refused where they are named.
    """
    instrument = responses.instrument
    names = coded_ids(instrument) if items is None else instrument.items_of(items)
    if lines := [name for name in names if is_text(instrument, name)]:
        raise NotAmountsError(
            "Screening", items=lines, reason="they are free text.", instead="Leave them out."
        )
    if not names:
        raise NotEnoughDataError("Screening", what="items", found=0, needed=1)
    if repeated := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise OptionError("items", repeated, allowed=("every item once",))
    asked = set(names)
    return tuple(item for item in instrument.item_ids if item in asked)


def nominal_items(instrument: Instrument, items: Sequence[str]) -> tuple[str, ...]:
    """Items whose answers are names and not amounts."""
    sets = {item: instrument.response_set(item) for item in items}
    return tuple(item for item, answers in sets.items() if answers and answers.type == "nominal")


def dependent_items(instrument: Instrument, items: Sequence[str]) -> tuple[str, ...]:
    """Items whose answers settle one another: ranks, each given once, and shares of a whole."""
    bound = {
        item
        for scale in instrument.scoring
        if scale.rule in ("composition", "agreement")
        for item in scale.items
    }
    named = set(nominal_items(instrument, items))
    return tuple(item for item in items if item in bound and item not in named)


@dataclass(frozen=True, eq=False)
class Ranges:
    """Lowest and highest possible answer of each item."""

    low: FloatArray  # (k,)
    high: FloatArray  # (k,)
    observed: tuple[str, ...]  # items whose range is not stated: the extremes found

    @property
    def alike(self) -> bool:
        """Whether all items have the same range."""
        return bool(np.ptp(self.low) == 0 and np.ptp(self.high) == 0)


def ranges_of(instrument: Instrument, items: Sequence[str], values: FloatArray) -> Ranges:
    """Ranges of items (k,) as stated; for others the extremes over all items without one.

    One range for all of these, because items of one questionnaire mostly share it, and an
    item whose extremes nobody chose would otherwise have a range of its own.
    """
    low, high = np.zeros(len(items)), np.ones(len(items))
    unstated = []
    for place, item in enumerate(items):
        answers = instrument.response_set(item)
        if answers is None:
            unstated.append(place)
        else:
            low[place], high[place] = answers.low, answers.high
    found = [values[place] for place in unstated if not np.isnan(values[place]).all()]
    if found:
        low[unstated] = min(float(np.nanmin(item)) for item in found)
        high[unstated] = max(float(np.nanmax(item)) for item in found)
    return Ranges(low, high, tuple(items[place] for place in unstated))


def screened_scales(
    instrument: Instrument, items: Sequence[str], *, fewest: int = 2
) -> tuple[dict[str, list[int]], list[str]]:
    """Places of the items of each scale that has `fewest` of them, and scales left out.

    Of scales inside one another the smallest are taken, so that no answer counts twice as
    part of a total.
    """
    place = {item: i for i, item in enumerate(items)}
    found = {}
    short = []
    for scale in instrument.scoring:
        if scale.rule not in ("mean", "sum"):
            continue
        places = sorted(place[item] for item in scale.items if item in place)
        if len(places) >= fewest:
            found[scale.id] = places
        elif places:
            short.append(scale.id)
    inner = {
        name: places
        for name, places in found.items()
        if not any(
            set(other) < set(places) or (other == places and before < name)
            for before, other in found.items()
            if before != name
        )
    }
    return inner, short


def seconds(answers: Answers, column: str, per_unit: float) -> FloatArray:
    """How long each row took in seconds (n,), NaN where it is missing or not above zero."""
    table = answers.rows
    if not is_number(table.schema[column]):
        raise DataError(
            f"duration={column!r} holds text. Turn it into numbers first: how long each "
            "respondent took."
        )
    values = np.asarray(read_columns(table, [column])[column].values) * per_unit
    return np.where(values > 0, values, np.nan)


def beside(answers: Answers, keep: Sequence[str], columns: dict[str, Any]) -> Any:
    """A frame of the caller's kind: the columns kept, then the new ones; lazy stays lazy."""
    if clash := [name for name in keep if name in columns]:
        raise DataError(
            f"The answers have columns named as those of a screening: {listed(clash)}. "
            "Rename them, or leave them out of keep."
        )
    space = nw.get_native_namespace(answers.rows)
    series = [nw.new_series(name, values.copy(), backend=space) for name, values in columns.items()]
    if answers.rows.implementation.is_pandas_like():
        index = to_native(answers.rows).index
        for one in series:
            one.to_native().index = index
    table = answers.rows.with_columns(*series).select(*dict.fromkeys(keep), *columns)
    if not table.implementation.is_pandas_like():  # elsewhere NaN is a value, not a gap
        floats = [nw.col(name) for name in columns if table.schema[name].is_float()]
        table = table.with_columns(*(nw.when(~one.is_nan()).then(one) for one in floats))
    if answers.lazy is None:
        return to_native(table)
    if answers.lazy in (nw.Implementation.POLARS,):
        return to_native(table.lazy())
    return to_native(table.lazy(backend=answers.lazy))
