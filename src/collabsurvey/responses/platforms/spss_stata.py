"""SPSS (.sav, .zsav) and Stata (.dta): values with their labels, declared missing values counted.

Values declared missing (discrete, ranges, .a to .z, text) become missing; value labels are taken
as the answers a column offered, so that they are matched with the instrument's own.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from collabsurvey.errors import DataError, MissingPackageError
from collabsurvey.responses.ledger import LedgerLine
from collabsurvey.responses.platforms.export import Choices, Export, as_value, plain_text
from collabsurvey.responses.tables import refuse_path

if TYPE_CHECKING:
    import pandas as pd

PROGRAMS = {"spss": "SPSS", "stata": "Stata"}
LARGEST_WHOLE = 2.0**53


def read_sav(path: str | Path) -> Export:
    """Read an SPSS file (.sav, .zsav)."""
    frame, meta, file = _read(path, "read_sav", "SPSS")
    return _export("spss", frame, meta, file, ranges=meta.missing_ranges)


def read_dta(path: str | Path) -> Export:
    """Read a Stata file (.dta)."""
    frame, meta, file = _read(path, "read_dta", "Stata")
    return _export("stata", frame, meta, file, ranges={})


def pyreadstat_package() -> Any:
    """Return pyreadstat, or say which extra holds it."""
    try:
        import pyreadstat
    except ImportError:
        raise MissingPackageError(
            "pyreadstat", purpose="Reading and writing SPSS and Stata files", extra="files"
        ) from None
    return pyreadstat


def _read(path: str | Path, function: str, program: str) -> tuple[pd.DataFrame, Any, Path]:
    pyreadstat = pyreadstat_package()
    file = Path(path)
    refuse_path(file)
    try:
        frame, meta = getattr(pyreadstat, function)(file, user_missing=True)
    except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError, ValueError, OverflowError,
            UnicodeError, OSError, TypeError, IndexError, KeyError) as error:  # fmt: skip
        reason = str(error).splitlines()[0][:200].rstrip(".") if str(error) else "damaged"
        raise DataError(
            f"{file.name} cannot be read as a file of {program} ({reason}). Save it again there, "
            "or export CSV."
        ) from None
    if not len(frame):
        raise DataError(f"{file.name} has no rows: there are no answers to read.")
    names = list(frame.columns)
    if not names or len(set(names)) < len(names) or not all(isinstance(n, str) for n in names):
        raise DataError(
            f"{file.name} has no variables, or variables without a name of their own: it is "
            f"damaged. Save it again in {program}."
        )
    return frame, meta, file


def _export(
    platform: Literal["spss", "stata"],
    frame: pd.DataFrame,
    meta: Any,
    file: Path,
    *,
    ranges: Mapping[str, Sequence[Mapping[str, Any]]],
) -> Export:
    letters: Mapping[str, Sequence[str]] = meta.missing_user_values or {}
    kinds: Mapping[str, str] = meta.readstat_variable_types
    labels: Mapping[str, Mapping[Any, str]] = meta.variable_value_labels
    columns: dict[str, pd.Series] = {}
    lines = [LedgerLine("read", f"rows read; {PROGRAMS[platform]}", len(frame))]
    choices: dict[str, Choices] = {}
    for name in frame.columns:
        column, numeric = frame[name], kinds.get(name) != "string"
        own = {_key(value): str(label) for value, label in labels.get(name, {}).items()}
        column, gone = _without_missing(
            column, ranges.get(name, ()), letters.get(name, ()), numeric
        )
        for value, n in gone.items():
            said = f" ({plain_text(own[value])})" if own.get(value) else ""
            shown = f".{value}" if value in letters.get(name, ()) and numeric else value
            what = f"{shown}{said}, declared missing in the file, set to missing"
            lines.append(LedgerLine("missing", what, n, "cells", name))
        columns[name] = _plain_column(column, numeric=numeric)
        offered = {v: (plain_text(t),) for v, t in own.items() if v not in gone and t.strip()}
        if offered:
            choices[name] = offered
    import pandas as pd

    pairs = zip(meta.column_names, meta.column_labels, strict=True)
    return Export(
        platform,
        pd.DataFrame(columns),
        tuple(LedgerLine(x.step, x.what, x.n, x.unit, x.column, file.name) for x in lines),
        wording={name: (plain_text(label),) for name, label in pairs if label},
        choices=choices,
        some_labelled=True,
        hint="Label the values in the file, or give the instrument these labels.",
    )


def _key(value: Any) -> str:
    """A value as text: 1.0 is 1."""
    return f"{value:.15g}" if isinstance(value, int | float) else as_value(str(value))


def _without_missing(
    column: pd.Series,
    ranges: Sequence[Mapping[str, Any]],
    letters: Sequence[str],
    numeric: bool,
) -> tuple[pd.Series, dict[str, int]]:
    """The column with declared missing values blank, and how often each occurred."""
    cells = column.tolist()
    gone: dict[str, int] = {}
    kept: list[Any] = []
    for cell in cells:
        if cell is not None and cell == cell and _is_declared(cell, ranges, letters, numeric):  # noqa: PLR0124
            gone[_key(cell)] = gone.get(_key(cell), 0) + 1
            kept.append(None)
        else:
            kept.append(cell)
    if not gone:
        return column, {}
    import pandas as pd

    return pd.Series(kept, index=column.index, name=column.name, dtype=object), gone


def _is_declared(
    cell: Any, ranges: Sequence[Mapping[str, Any]], letters: Sequence[str], numeric: bool
) -> bool:
    if numeric and isinstance(cell, str):
        return cell in letters  # Stata's .a to .z
    for one in ranges:
        low, high = one["lo"], one["hi"]
        if isinstance(cell, str) and isinstance(low, str):
            if cell.rstrip() == low.rstrip():
                return True
        elif isinstance(cell, int | float) and isinstance(low, int | float) and low <= cell <= high:
            return True
    return False


def _plain_column(column: pd.Series, *, numeric: bool) -> pd.Series:
    """Numbers as numbers (whole ones as Int64), text as text, dates as 2026-09-01."""
    import pandas as pd

    if not numeric:
        text = column.astype(object).where(column.notna(), None)
        return text.map(lambda cell: cell if cell else None, na_action="ignore").astype("str")
    if pd.api.types.is_datetime64_any_dtype(column) or any(
        isinstance(cell, dt.date | dt.time | dt.timedelta) for cell in column.tolist()
    ):
        return column.map(_date_text, na_action="ignore").astype("str")
    numbers = pd.to_numeric(column, errors="coerce").astype("float64")
    known = numbers.dropna()
    if len(known) and (known % 1 == 0).all() and (known.abs() < LARGEST_WHOLE).all():
        return numbers.astype("Int64")
    return numbers


def _date_text(value: Any) -> str:
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    return value.isoformat() if isinstance(value, dt.date | dt.time) else str(value)
