"""Columns to items: renaming, and one row for each partner where columns are per partner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

import narwhals as nw

from collabsurvey.errors import AnswersError, listed
from collabsurvey.instruments.model import Instrument
from collabsurvey.responses.engine import Frame, collect, column_names
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

    Repeating them for every partner would count each answer several times.
    """
    partners = list(dict.fromkeys(name for places in by_partner.values() for name in places))
    item_columns = {*simple.values(), *(c for p in by_partner.values() for c in p.values())}
    others = [name for name in column_names(frame) if name not in item_columns]
    if PARTNER in others:
        raise AnswersError(
            "The table", [f"A column {PARTNER!r} exists already; rename it to read partners long."]
        )
    absent = nw.lit(None, dtype=nw.String)
    parts: list[Frame] = []
    n_empty = 0
    for partner in partners:
        places = {i: p[partner] for i, p in by_partner.items() if partner in p}
        answered = nw.any_horizontal(
            *(
                ~nw.col(c).cast(nw.String).is_null() & (nw.col(c).cast(nw.String) != "")
                for c in places.values()
            ),
            ignore_nulls=True,
        )
        total = collect(frame.select(nw.len().alias("n"), answered.sum().alias("a")))
        n_empty += int(total["n"].to_list()[0]) - int(total["a"].to_list()[0] or 0)
        part = frame.filter(answered).select(
            *others,
            *(nw.col(places[i]).alias(i) if i in places else absent.alias(i) for i in by_partner),
            *(absent.alias(item) for item in simple),
            nw.lit(partner).alias(PARTNER),
        )
        parts.append(part)
    if simple:
        parts.append(
            frame.select(
                *others,
                *(absent.alias(item) for item in by_partner),
                *(nw.col(column).alias(item) for item, column in simple.items()),
                absent.alias(PARTNER),
            )
        )
    items = [*by_partner, *simple]
    texts = [part.with_columns(*(nw.col(i).cast(nw.String) for i in items)) for part in parts]
    long = cast("Frame", nw.concat(cast("Any", texts), how="vertical"))
    if isinstance(long, nw.DataFrame) and long.implementation.is_pandas():
        long = nw.from_native(nw.to_native(long).reset_index(drop=True))
    what = f"columns of {len(partners)} partners read as rows; respondent × partner without answers"
    return long, ledger.add("reshape", what, n_empty)
