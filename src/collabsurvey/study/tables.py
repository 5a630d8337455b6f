"""Tables beside the answers: outcomes, scores, staff numbers; read, filtered, as numbers.

A column whose cells are all numbers (also "94%" or "$1,200") becomes numbers, one that has
none stays text. A column that mixes both stays text until a formula asks for it: then the
sentence that names its odd cells is a fault.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collabsurvey.errors import AnswersError, StudyError, listed
from collabsurvey.reporting.record import SourceFile
from collabsurvey.responses.checks import LARGEST_EXACT_FLOAT
from collabsurvey.responses.ledger import Ledger, LedgerLine
from collabsurvey.responses.numbers import numbers_from_text
from collabsurvey.responses.tables import read_table
from collabsurvey.study.config import Derived

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class StudyTable:
    """A table that was read, with what was done to it."""

    frame: pd.DataFrame
    source: SourceFile
    ledger: Ledger
    mixed: Mapping[str, str] = field(default_factory=dict)  # column → why it is not numeric


def file_hash(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def as_text(values: pd.Series) -> pd.Series:
    """Ids and years as text: 101.0, which a table with gaps makes of 101, is "101"."""
    numbers = values.dropna()
    if values.dtype.kind == "f" and (numbers.abs() < LARGEST_EXACT_FLOAT).all():
        values = values if (numbers % 1).any() else values.astype("Int64")
    return values.astype("str").where(values.notna(), None)


def study_table(
    path: Path,
    *,
    holds: str,
    text_columns: Iterable[str],
    columns: Mapping[str, str] | None = None,
    where: Mapping[str, Any] | None = None,
    derive: Mapping[str, Derived] | None = None,
    missing: Iterable[Any] = (),
    repair: Mapping[str, Any] | None = None,
) -> StudyTable:
    """Read one table.

    Parameters
    ----------
    path : Path
        CSV, TSV or Parquet.
    holds : str
        What it is, for the ledger and for errors: "outcomes attendance".
    text_columns : names
        Key columns: kept as text, so that ids keep their zeros.
    columns : mapping of new name to column, optional
        The columns to keep beside the keys; all of them if left out.
    where : mapping of column to value or values
        Rows to keep, compared as text.
    derive : mapping of new column to `Derived`
        Columns made from part of another, such as the district in a school's number.
    missing : values
        Cells that mean there is no number.
    """
    drop_truncated = bool(repair and repair.get("truncated") == "drop")
    frame, lines = read_table(path, drop_truncated=drop_truncated)
    keys = list(dict.fromkeys(text_columns))
    wanted = dict(columns) if columns is not None else None
    frame, derived = _with_derived(path.name, frame, derive or {})
    _require(path.name, frame, [*keys, *(where or {}), *(wanted or {}).values()])
    source = SourceFile(path.name, file_hash(path), len(frame), holds)
    frame, filtered = _rows_where(path.name, frame, where or {})
    ledger = Ledger(tuple(lines)).extend((*derived, *filtered))
    if wanted is None:
        wanted = {name: name for name in frame.columns if name not in keys}
    kept = frame[keys].apply(as_text)
    if n := int(kept.isna().any(axis=1).sum()):
        what = f"rows without {' or '.join(map(repr, keys))}, which match nothing"
        ledger = ledger.add("note", what, n)
    mixed: dict[str, str] = {}
    words = tuple(missing)
    for name, column in wanted.items():
        if name in kept.columns:
            raise StudyError(
                path.name, [f"the column {name!r} is a key already; give it another name."]
            )
        values, more, odd = _numbers_or_text(frame[column], words)
        if odd:
            mixed[name] = odd
        kept[name] = values
        ledger = ledger.extend(more)
    return StudyTable(kept, source, ledger.named(path.name), mixed)


def _require(name: str, frame: pd.DataFrame, columns: Iterable[str]) -> None:
    from difflib import get_close_matches

    known = [str(column) for column in frame.columns]
    faults = []
    for column in dict.fromkeys(columns):
        if column in known:
            continue
        near = get_close_matches(column, known, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Columns are: {listed(known)}."
        faults.append(f"there is no column {column!r}. {hint}")
    if faults:
        raise StudyError(name, faults)


def _with_derived(
    name: str, frame: pd.DataFrame, derive: Mapping[str, Derived]
) -> tuple[pd.DataFrame, tuple[LedgerLine, ...]]:
    """Add derived columns; cells the pattern does not fit are missing, and counted."""
    ledger = Ledger()
    for new, rule in derive.items():
        _require(name, frame, [rule.from_])
        if new in frame.columns:
            raise StudyError(name, [f"derive makes the column {new!r}, which exists already."])
        source = frame[rule.from_]
        text = source.astype("str").where(source.notna(), None)
        made = text.str.extract(rule.pattern, expand=False)
        frame = frame.assign(**{new: made})
        n = int(made.notna().sum())
        if not n:
            raise StudyError(
                name,
                [f"derive {new!r}: the pattern {rule.pattern!r} fits no cell of {rule.from_!r}."],
            )
        ledger = ledger.add(
            "derive", f"made from part of {rule.from_!r}", n, unit="cells", column=new
        )
        if lost := int(source.notna().sum()) - n:
            what = f"{rule.from_!r} does not fit the pattern, {new!r} is missing"
            ledger = ledger.add("missing", what, lost, unit="cells", column=new)
    return frame, ledger.lines


def _rows_where(
    name: str, frame: pd.DataFrame, where: Mapping[str, Any]
) -> tuple[pd.DataFrame, tuple[LedgerLine, ...]]:
    ledger = Ledger()
    for column, value in where.items():
        text = frame[column].astype("str").where(frame[column].notna(), "")
        wanted = [str(one) for one in (value if isinstance(value, tuple | list) else (value,))]
        seen = set(text.unique())
        if absent := [one for one in wanted if one not in seen]:
            raise StudyError(
                name,
                [
                    f"no row has {absent[0]!r} in the column {column!r}. "
                    f"Values there are: {listed(map(repr, sorted(seen)), most=8)}."
                ],
            )
        keep = text.isin(wanted)
        what = f"rows whose {column!r} is not {listed(map(repr, wanted))} left out"
        ledger = ledger.add("drop", what, int((~keep).sum()), column=column)
        frame = frame[keep]
    return frame, ledger.lines


def _numbers_or_text(series: pd.Series, missing: tuple[Any, ...]) -> tuple[Any, Any, str]:
    """Numbers where every cell is one; else text without the missing words, and why."""
    try:
        numbers, lines = numbers_from_text(series, missing=missing)
    except AnswersError as error:
        gone = {str(word).strip().casefold() for word in missing}
        text = series.astype("str").where(series.notna(), None)
        text = text.where(~text.str.strip().str.casefold().isin(gone | {""}), None)
        has_numbers = bool(text.dropna().str.fullmatch(r"\s*[-+$£€]?\d[\d.,]*\s*%?\s*").any())
        return text, (), error.faults[0] if has_numbers else ""
    return numbers, lines, ""
