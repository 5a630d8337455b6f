"""Answers from a file of any platform, with what its columns are and what to repair."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collabsurvey.errors import AnswersError, DataError, OptionError, OutputError
from collabsurvey.instruments.making import combine_instruments
from collabsurvey.instruments.model import Instrument
from collabsurvey.responses.build import ColumnMap, Items, from_frame
from collabsurvey.responses.ledger import Ledger, LedgerLine
from collabsurvey.responses.numbers import numbers_from_text
from collabsurvey.responses.platforms.items import Understood, asked_items, understand
from collabsurvey.responses.platforms.reading import read_export
from collabsurvey.responses.repair import Repair
from collabsurvey.responses.responses import ROLES, Responses
from collabsurvey.responses.tables import read_table

if TYPE_CHECKING:
    import pandas as pd


def read_responses(
    path: str | Path,
    *,
    instrument: Instrument | Sequence[Instrument] | None = None,
    slots: Mapping[str, str] | None = None,
    scales: Mapping[str, Sequence[str]] | None = None,
    reverse_keyed: Iterable[str] = (),
    response_range: tuple[float, float] | None = None,
    min_valid: str | int = "2/3",
    platform: str | None = None,
    definition: str | Path | None = None,
    sheet: str | None = None,
    form: str | None = None,
    partners: Mapping[str, str] | Sequence[str] | None = None,
    columns: ColumnMap | str | Path | None = None,
    roles: Mapping[str, str] | None = None,
    key: Sequence[str] | None = None,
    missing_codes: Iterable[float | str] = (),
    items: Items = "all",
    repair: Mapping[str, Any] | None = None,
    constants: Mapping[str, str | int] | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    synthetic: bool = False,
) -> Responses:
    """Read one survey export.

    Parameters
    ----------
    path : path
        Delimited text, Parquet, an Excel workbook, SPSS (.sav) or Stata (.dta). Every cell of
        text and of a workbook is read as text, so ids keep their leading zeros; only the empty
        cell is missing.
    platform : str, optional
        qualtrics, limesurvey, redcap, surveymonkey, microsoft_forms, google_forms, spss, stata,
        excel, csv or parquet. Found by the ending and the first rows where it is left out; the
        ledger says what was found and why.
    definition : path, optional
        The survey itself as its platform exports it: .qsf of Qualtrics, .lss or .xml of
        LimeSurvey, data dictionary of REDCap. Codes of the platform are read with it.
    sheet : str, optional
        Of a workbook, where several have cells.
    form : str, optional
        The repeating form of REDCap whose rows hold the answers; "" for rows that repeat nothing.
    partners : sequence, or mapping of number to name
        Who the columns `tru_expect_01__1`, `tru_expect_01__2`, … are about.
    columns : mapping, or path of a CSV
        As in `from_frame`; a file has the columns `item`, `column` and, for questions asked
        about each partner, `partner`. Columns that are called by an item's id or export name
        (`tru_expect_01`), or by the wording of its question, need not be named.
    instrument : Instrument, or several that were fielded together
    slots : mapping, optional
        The words that stood in the questions: {"partner": "Hill School"}.
    constants : mapping of role to value
        Roles that have one value in the whole file, such as {"wave": 1}.
    repair : mapping
        What may be mended, and how; see `collabsurvey.responses.repair`.
    encoding, delimiter : str, optional
        Found where they are left out; see `read_table`.
    scales, reverse_keyed, response_range, min_valid, roles, key, missing_codes, items,
    synthetic
        As in `from_frame`.

    Returns
    -------
    Responses
        Its frame is pandas. The ledger accounts for every row of the file.

    Raises
    ------
    DataError
        The file is not there, is empty, is no table, is cut off, or is of another platform.
    AnswersError
        With every fault of the table, such as answers that are none of an item's options.
    """
    plan = Repair.from_mapping(repair)
    export = read_export(
        path,
        platform=platform,
        definition=definition,
        sheet=sheet,
        encoding=encoding,
        delimiter=delimiter,
        drop_truncated=plan.truncated == "drop",
    )
    frame, lines = export.frame, export.lines
    name = Path(path).name
    if isinstance(roles, Mapping):
        roles = {role: export.aliases.get(column, column) for role, column in roles.items()}
    roles = dict(roles or {})
    frame = _with_constants(frame, constants or {}, roles)
    frame, weight_lines = _with_weights(frame, roles)
    if isinstance(columns, str | Path):
        columns = read_column_map(columns)
    if isinstance(instrument, list | tuple):
        instrument = combine_instruments(instrument)
    if slots and isinstance(instrument, Instrument):
        instrument = instrument.filled(slots)
    found = Understood(frame, columns, repair, (), ())
    if asked := asked_items(instrument, scales, reverse_keyed, response_range):
        found = understand(
            export,
            frame,
            asked,
            columns=columns,
            partners=partners,
            roles=roles,
            missing_codes=missing_codes,
            plan=plan,
            repair=repair,
            form=form,
            name=name,
        )
    try:
        responses = from_frame(
            found.frame,
            instrument=instrument,  # type: ignore[arg-type]
            scales=scales,
            reverse_keyed=reverse_keyed,
            response_range=response_range,
            min_valid=min_valid,
            missing_codes=missing_codes,
            roles=roles,
            key=key,
            columns=found.columns,
            items=items,
            repair=found.repair,
            synthetic=synthetic,
        )
    except AnswersError as error:  # which of several files it is
        raise AnswersError(name, (*found.faults, *error.faults)) from None
    except DataError:
        if found.faults:
            raise AnswersError(name, found.faults) from None
        raise
    if found.faults:
        raise AnswersError(name, found.faults)
    counted = responses.ledger.lines[1:]  # the file's own lines say how many rows were read
    ledger = Ledger((*lines, *weight_lines, *found.lines, *counted)).named(name)
    return replace(responses, ledger=ledger)


def write_column_map(columns: Mapping[str, str], path: str | Path) -> None:
    """Write which column holds which item as a CSV that `read_column_map` reads."""
    import pandas as pd

    table = pd.DataFrame({"item": list(columns), "column": list(columns.values())})
    try:
        table.to_csv(path, index=False)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}. Name another file with --out."
        ) from None


def read_column_map(path: str | Path) -> dict[str, str | dict[str, str]]:
    """Read which column holds which item from a CSV with `item`, `column` and maybe `partner`."""
    table, _ = read_table(path)
    name = Path(path).name
    faults = [
        f"It has no column {column!r}. The columns are: item, column, and partner where needed."
        for column in ("item", "column")
        if column not in table.columns
    ]
    if faults:
        raise AnswersError(name, faults)
    found: dict[str, str | dict[str, str]] = {}
    partners = table["partner"] if "partner" in table.columns else [None] * len(table)
    rows = zip(table["item"], table["column"], partners, strict=True)
    for number, (item, column, partner) in enumerate(rows, start=1):
        if not isinstance(item, str) or not isinstance(column, str):
            faults.append(f"Row {number} has no item or no column.")
        elif not isinstance(partner, str):
            if item in found:
                faults.append(f"Row {number}: {item!r} is mapped already.")
            found.setdefault(item, column)
        else:
            places = found.setdefault(item, {})
            if isinstance(places, str) or partner in places:
                faults.append(f"Row {number}: {item!r} is mapped already for {partner!r}.")
            else:
                places[partner] = column
    if faults:
        raise AnswersError(name, faults)
    return found


def _with_constants(
    frame: pd.DataFrame, constants: Mapping[str, str | int], roles: dict[str, str]
) -> pd.DataFrame:
    """Add a column for each role that has one value in the whole file; `roles` gains it."""
    for role, value in constants.items():
        if role not in ROLES:
            raise OptionError("constants", role, allowed=ROLES)
        if role in roles:
            raise OptionError(
                "constants", role, allowed=(f"a role without a column; roles[{role!r}] is set",)
            )
        column = role if role not in frame.columns else f"{role}_role"
        frame = frame.assign(**{column: value})
        roles[role] = column
    return frame


def _with_weights(
    frame: pd.DataFrame, roles: Mapping[str, str]
) -> tuple[pd.DataFrame, tuple[LedgerLine, ...]]:
    """Weights written as text become numbers."""
    column = roles.get("weight")
    if column is None or column not in frame.columns:
        return frame, ()
    numbers, lines = numbers_from_text(frame[column])
    return frame.assign(**{column: numbers}), lines
