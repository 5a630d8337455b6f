"""Columns to items: renaming, and one row for each partner where columns are per partner."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, cast

import narwhals as nw

from collabsurvey.errors import AnswersError, listed
from collabsurvey.instruments.model import Instrument
from collabsurvey.responses.engine import (
    Frame,
    as_number,
    column_names,
    count_rows,
    is_number,
)
from collabsurvey.responses.ledger import Ledger

PARTNER = "partner"


def rename_items(
    frame: Frame,
    instrument: Instrument,
    columns: Mapping[str, str | Mapping[str, str]],
    roles: dict[str, str],
    *,
    items: Literal["all", "present"],
    ledger: Ledger,
) -> tuple[Frame, Instrument, Ledger]:
    """Name columns by item id; read per-partner columns long. `roles` gains the partner role."""
    known = column_names(frame)
    source = {item: columns.get(item, item) for item in instrument.item_ids}
    faults = _mapping_faults(instrument, columns, known, roles)
    absent = [
        item
        for item, place in source.items()
        if isinstance(place, str) and place not in known and item not in columns
    ]
    if absent and items == "all":
        faults.append(
            f"{len(absent)} items of {instrument.id!r} have no column: {listed(absent, most=6)}. "
            "Map them with columns={item: column}, or pass items='present' to use the scales "
            "whose items are all there."
        )
    if faults:
        raise AnswersError("The table", faults)
    if absent:
        instrument = without_items(instrument, absent)
        source = {item: source[item] for item in instrument.item_ids}
        what = f"items of {instrument.id!r} not asked: {listed(absent, most=200)}"
        ledger = ledger.add("read", what, len(absent), unit="columns")
    by_partner = {i: dict(place) for i, place in source.items() if not isinstance(place, str)}
    simple = {i: place for i, place in source.items() if isinstance(place, str)}
    if not by_partner:
        renames = {place: item for item, place in simple.items() if place != item}
        _refuse_collisions(known, renames)
        return (frame.rename(renames) if renames else frame), instrument, ledger
    frame, ledger = _long_by_partner(frame, simple, by_partner, ledger)
    roles["partner"] = PARTNER
    return frame, instrument, ledger


def without_items(instrument: Instrument, absent: list[str]) -> Instrument:
    """Drop items that were not asked, and the scales that need them."""
    gone = set(absent)
    kept = tuple(item for item in instrument.items if item.id not in gone)
    if not kept:
        raise AnswersError(
            "The table",
            [
                f"no column is named like an item of {instrument.id!r} "
                f"({listed(instrument.item_ids, most=3)}). Map them with columns={{item: column}}."
            ],
        )
    scales = tuple(scale for scale in instrument.scoring if not gone.intersection(scale.items))
    return instrument.model_copy(update={"items": kept, "scoring": scales})


def _mapping_faults(
    instrument: Instrument,
    columns: Mapping[str, str | Mapping[str, str]],
    known: tuple[str, ...],
    roles: Mapping[str, str],
) -> list[str]:
    faults = [
        f"columns maps {item!r}, which is not an item of {instrument.id!r}."
        for item in columns
        if item not in instrument.item_ids
    ]
    places = [
        (item, place)
        for item, mapped in columns.items()
        for place in ([mapped] if isinstance(mapped, str) else mapped.values())
    ]
    faults += [
        f"columns maps {item!r} to the column {place!r}, which is not in the table."
        for item, place in places
        if place not in known
    ]
    used: dict[str, str] = {column: f"the role {role}" for role, column in roles.items()}
    faults += [
        f"The column {item!r} cannot be both an item and {used[item]}."
        for item in instrument.item_ids
        if item in used and item not in columns
    ]
    for item, place in places:
        if place in used:
            faults.append(f"The column {place!r} is mapped to {item!r} and to {used[place]}.")
        used[place] = repr(item)
    if "partner" in roles and any(not isinstance(mapped, str) for mapped in columns.values()):
        faults.append("columns names partners, so the role 'partner' cannot be a column as well.")
    return faults


def _refuse_collisions(known: tuple[str, ...], renames: Mapping[str, str]) -> None:
    taken = [item for column, item in renames.items() if item in known and item not in renames]
    if taken:
        raise AnswersError(
            "The table",
            [
                f"The item {item!r} is mapped to another column, but a column {item!r} exists too. "
                "Rename or drop it."
                for item in taken
            ],
        )


def _long_by_partner(
    frame: Frame,
    simple: Mapping[str, str],
    by_partner: Mapping[str, Mapping[str, str]],
    ledger: Ledger,
) -> tuple[Frame, Ledger]:
    """One row for each partner; items asked once stand in a row of their own, without partner.

    Repeating them for every partner would count each answer several times. Rows come partner
    after partner, in the order of the frame within each.
    """
    partners = list(dict.fromkeys(name for places in by_partner.values() for name in places))
    asked = {**{item: [place] for item, place in simple.items()}}
    asked |= {item: list(places.values()) for item, places in by_partner.items()}
    item_columns = {place for places in asked.values() for place in places}
    others = [name for name in column_names(frame) if name not in item_columns]
    _refuse_taken(others, asked)
    schema = frame.collect_schema()
    types = {item: _common_type([schema[c] for c in places]) for item, places in asked.items()}

    def part(rows: Frame, places: Mapping[str, str], partner: str | None) -> Frame:
        columns = [
            _as_type(places[item], schema[places[item]], dtype).alias(item)
            if item in places
            else nw.lit(None, dtype=dtype).alias(item)
            for item, dtype in types.items()
        ]
        return rows.select(*others, *columns, nw.lit(partner, dtype=nw.String).alias(PARTNER))

    parts: list[Frame] = []
    for partner in partners:
        places = {i: p[partner] for i, p in by_partner.items() if partner in p}
        answered = [_is_answered(c, schema[c]) for c in places.values()]
        rows = frame.filter(nw.any_horizontal(*answered, ignore_nulls=False))
        parts.append(part(rows, places, partner))
    if simple:
        parts.append(part(frame, simple, None))
    long = cast("Frame", nw.concat(cast("Any", parts), how="vertical"))
    if isinstance(long, nw.DataFrame) and long.implementation.is_pandas():
        long = nw.from_native(nw.to_native(long).reset_index(drop=True))
    n_before, n_after = count_rows(frame), count_rows(long)
    n_empty = n_before * (len(partners) + bool(simple)) - n_after
    words = f"{len(partners)} partners"
    ledger = ledger.add(
        "reshape", f"columns of {words} read as rows; rows added", n_after - n_before
    )
    return long, ledger.add("note", f"respondent × partner without answers, of {words}", n_empty)


def _refuse_taken(others: Sequence[str], items: Iterable[str]) -> None:
    taken = [name for name in (PARTNER, *items) if name in others]
    if taken:
        raise AnswersError(
            "The table",
            [
                f"A column {name!r} exists already; rename it to read partners long."
                for name in taken
            ],
        )


def _common_type(types: Sequence[nw.dtypes.DType]) -> nw.dtypes.DType:
    return nw.Float64() if all(is_number(dtype) for dtype in types) else nw.String()


def _as_type(name: str, dtype: nw.dtypes.DType, wanted: nw.dtypes.DType) -> nw.Expr:
    column = as_number(name, dtype) if is_number(dtype) else nw.col(name)
    return column.cast(wanted)


def _is_answered(name: str, dtype: nw.dtypes.DType) -> nw.Expr:
    """Whether there is anything in the cell: never null."""
    if is_number(dtype):
        return ~as_number(name, dtype).is_null()
    text = nw.col(name).cast(nw.String)
    return ~text.is_null() & (text.fill_null("").str.strip_chars() != "")
