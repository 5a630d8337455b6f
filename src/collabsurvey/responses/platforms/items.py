"""From an export to a table that `from_frame` takes: columns are items, cells are codes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from collabsurvey.errors import OptionError
from collabsurvey.instruments.making import instrument_from_scales
from collabsurvey.instruments.model import Instrument
from collabsurvey.responses.build import ColumnMap
from collabsurvey.responses.engine import as_narwhals, to_native
from collabsurvey.responses.ledger import Ledger, LedgerLine
from collabsurvey.responses.platforms.answers import translate
from collabsurvey.responses.platforms.columns import columns_of, place_items
from collabsurvey.responses.platforms.export import Export
from collabsurvey.responses.platforms.redcap import kept_rows
from collabsurvey.responses.repair import Repair, drop_named_rows, recode_columns

if TYPE_CHECKING:
    import pandas as pd

LENIENT = ("csv", "parquet", "excel")  # plain tables: `from_frame` judges their answers


@dataclass(frozen=True, eq=False)
class Understood:
    """The table with the instrument's codes, where the items stand, and what was done for it."""

    frame: pd.DataFrame
    columns: Any
    repair: Mapping[str, Any] | None  # what `from_frame` has still to mend
    lines: tuple[LedgerLine, ...]
    faults: tuple[str, ...]


def asked_items(
    instrument: object,
    scales: object,
    reverse_keyed: Iterable[str],
    response_range: tuple[float, float] | None,
) -> Instrument | None:
    """The items to look for; None where `from_frame` has to say what is wrong with the call."""
    if isinstance(instrument, Instrument):
        return instrument if scales is None else None
    if instrument is not None or not isinstance(scales, Mapping) or not scales:
        return None
    if any(isinstance(columns, str) for columns in scales.values()):
        return None
    return instrument_from_scales(
        scales, reverse_keyed=reverse_keyed, response_range=response_range, min_valid=0
    )


def understand(
    export: Export,
    frame: pd.DataFrame,
    instrument: Instrument,
    *,
    columns: ColumnMap | None,
    partners: Mapping[str, str] | Sequence[str] | None,
    roles: Mapping[str, str],
    missing_codes: Iterable[float | str],
    plan: Repair,
    repair: Mapping[str, Any] | None,
    form: str | None,
    name: str,
) -> Understood:
    """Repair what was named, find the columns of the items and read the platform's answers."""
    columns = _named_columns(columns, export)
    if not isinstance(columns, Mapping):
        return Understood(frame, columns, repair, (), ())
    ledger = Ledger()
    if plan.drop_rows or plan.recode:
        # Before the answers are read, so that a word can be written as one of the options.
        mended, ledger = drop_named_rows(as_narwhals(frame), plan.drop_rows, ledger)
        mended, ledger = recode_columns(mended, plan.recode, ledger)
        frame = to_native(mended).reset_index(drop=True)
        repair = {k: v for k, v in (repair or {}).items() if k not in ("drop_rows", "recode")}
    export = replace(export, frame=frame)
    taken = set(roles.values()) - set(instrument.item_ids)
    placed = place_items(export, instrument, columns, partners, taken=taken)
    lines = list(placed.lines)
    if export.platform == "redcap":
        places = [
            column
            for item in instrument.item_ids
            for column in columns_of(placed.columns.get(item, item))
            if column in frame.columns
        ]
        frame, dropped = kept_rows(export, places, form=form, name=name)
        lines += dropped
    elif form is not None:
        raise OptionError("form", form, allowed=("None: only REDCap has repeating forms",))
    lenient = export.platform in LENIENT
    read = translate(export, frame, instrument, placed.columns, missing_codes, lenient=lenient)
    return Understood(
        read.frame,
        placed.columns,
        repair,
        (*ledger.lines, *lines, *read.lines),
        (*placed.faults, *read.faults),
    )


def _named_columns(columns: Any, export: Export) -> Any:
    """The column map with headers as they stand in the file called by our name for them."""
    if columns is None:
        return {}
    if not isinstance(columns, Mapping):
        return columns

    def named(place: Any) -> Any:
        if isinstance(place, Mapping):
            return {partner: named(column) for partner, column in place.items()}
        return export.aliases.get(place, place) if isinstance(place, str) else place

    return {item: named(place) for item, place in columns.items()}
