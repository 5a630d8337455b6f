"""Small tables beside the answers: any file, cells as text, faults named by column and row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collabsurvey.errors import AnswersError, listed
from collabsurvey.responses.engine import is_known
from collabsurvey.responses.ids import plain_id
from collabsurvey.responses.ledger import LedgerLine
from collabsurvey.responses.numbers import numbers_from_text
from collabsurvey.responses.platforms.reading import ENDINGS, read_export

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 6


def any_table(
    path: str | Path, sheet: str | None
) -> tuple[pd.DataFrame, tuple[LedgerLine, ...], str]:
    """Any table file; text is taken as it stands."""
    platform = None if Path(path).suffix.casefold() in ENDINGS else "csv"
    export = read_export(path, platform=platform, sheet=sheet)
    return export.frame, export.lines, Path(path).name


def absent_columns(frame: pd.DataFrame, columns: Iterable[str]) -> list[str]:
    """Faults: columns that were named and are not there."""
    return [
        f"It has no column {column!r}. The columns are: {listed(frame.columns)}."
        for column in columns
        if column not in frame.columns
    ]


def text_cells(column: pd.Series) -> list[str | None]:
    """Cells as text without blanks at their ends; 7.0 is 7."""
    return [
        None if not is_known(cell) or not _plain(cell) else _plain(cell) for cell in column.tolist()
    ]


def _plain(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return f"{cell:.0f}"
    return str(cell).strip()


def number_cells(
    frame: pd.DataFrame, column: str
) -> tuple[list[float], tuple[LedgerLine, ...], list[str]]:
    """Cells as numbers, NaN for missing; ledger lines; faults."""
    try:
        numbers, lines = numbers_from_text(frame[column])
    except AnswersError as error:
        return [], (), list(error.faults)
    return numbers.tolist(), lines, []


def blank_cells(cells: Sequence[str | None], column: str) -> list[str]:
    """Faults: rows in which a column is empty that says what the row is about."""
    rows = [row for row, cell in enumerate(cells, start=1) if cell is None]
    return [f"Column {column!r} is empty in {row_numbers(rows)}."] if rows else []


def spelt_twice(ids: Iterable[str], column: str) -> list[str]:
    """Identifiers that differ only in case, blanks, leading zeros or a trailing '.0'."""
    spellings: dict[str, set[str]] = {}
    for one in ids:
        spellings.setdefault(plain_id(one), set()).add(one)
    pairs = [
        " and ".join(map(repr, sorted(group))) for group in spellings.values() if len(group) > 1
    ]
    if not pairs:
        return []
    return [
        f"Column {column!r} writes an identifier in several ways: "
        f"{listed(sorted(pairs), most=SHOWN)}. Write each in one way."
    ]


def row_numbers(rows: Sequence[int]) -> str:
    """Rows in words: 'rows 3, 7'."""
    return f"{'row' if len(rows) == 1 else 'rows'} {listed(rows, most=SHOWN)}"


def many(n: int, word: str) -> str:
    """A count in words: '1 key', '2 keys'."""
    return f"1 {word}" if n == 1 else f"{n} {word}s"
