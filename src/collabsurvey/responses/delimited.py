"""Text to records: the delimiter is found, every line has the cells of the header, or is named.

Python's csv module splits the lines, in its strict mode; cells stay text and only the empty
cell is a missing one.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from collabsurvey.errors import AnswersError, DataError, listed

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
SNIFFED_RECORDS = 200
SNIFFED_CHARACTERS = 1_000_000
SHOWN_LINES = 5
LONGEST_NAME = 60
UNCLOSED = "unexpected end of data"  # how the csv module calls a quote that never ends


@dataclass(frozen=True)
class Records:
    """The header and the rows of a delimited text."""

    header: tuple[str, ...]
    rows: list[list[str]]
    delimiter: str
    truncated_line: int | None = None  # line of a cut-off last record that was left out


@dataclass(frozen=True)
class _Line:
    number: int  # line of the file on which the record begins
    cells: list[str]


def split_records(
    text: str, *, name: str, delimiter: str | None = None, drop_truncated: bool = False
) -> Records:
    """Header and rows of a text; raise with the line numbers of everything that does not fit."""
    text, stated = _without_sep_line(text)
    used = delimiter or stated or find_delimiter(text, name)
    reader = _lines(text, used, name)
    try:
        first = next(reader, None)
    except _UnclosedError as error:
        raise DataError(_quoting_fault(name, error.line, UNCLOSED)) from None
    if first is None:
        raise DataError(f"{name} is empty. Export it again, or check the path.")
    header = tuple(first.cells)
    _refuse_repeated(header, name)
    rows: list[list[str]] = []
    ragged: list[tuple[int, int]] = []
    last: _Line = first
    cut: int | None = None
    try:
        for last in reader:
            if len(last.cells) == len(header):
                rows.append(last.cells)
            else:
                ragged.append((last.number, len(last.cells)))
    except _UnclosedError as error:
        cut = error.line
    if ragged and cut is None and _stops_inside(text, ragged[-1], last, len(header)):
        cut = ragged.pop()[0]
    _refuse_ragged(ragged, len(header), name)
    if cut is not None and not drop_truncated:
        raise DataError(
            f"{name} stops in the middle of line {cut}, so the file is cut off. Get the whole "
            "file, or say repair={'truncated': 'drop'} to leave that line out."
        )
    if not rows:
        raise DataError(f"{name} has a header but no rows: there are no answers to read.")
    return Records(header, rows, used, cut)


def find_delimiter(text: str, name: str) -> str:
    """Comma, semicolon, tab or pipe: whichever cuts the lines into equally many cells."""
    sample = text[:SNIFFED_CHARACTERS]
    scores = {mark: _evenness(sample, mark) for mark in DELIMITERS}
    best = max(scores.values())
    if best == (0.0, 0):
        raise DataError(
            f"{name} does not look like a table: its first line is not divided by commas, "
            "semicolons, tabs or pipes. Export the answers as CSV, or say delimiter=... if the "
            "file has one column or another separator."
        )
    winners = [mark for mark, score in scores.items() if score == best]
    if len(winners) > 1:
        names = " and ".join(DELIMITERS[mark] for mark in winners)
        raise DataError(
            f"{name} can be divided by {names} alike. Say which it is with delimiter=..."
        )
    return winners[0]


def _evenness(sample: str, mark: str) -> tuple[float, int]:
    """Share of lines with as many cells as the header, and that number; (0, 0) for one cell."""
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=mark)
    counts: list[int] = []
    try:
        for record in reader:
            if record:
                counts.append(len(record))
            if len(counts) > SNIFFED_RECORDS:
                break
    except csv.Error:  # a field beyond the size limit: not the delimiter
        return (0.0, 0)
    if not counts or counts[0] < 2:
        return (0.0, 0)
    return (sum(n == counts[0] for n in counts) / len(counts), counts[0])


def _without_sep_line(text: str) -> tuple[str, str | None]:
    """Excel's first line 'sep=;' says the delimiter; it is kept as an empty line."""
    found = re.match(r'"?sep=([,;|\t])"?(?=[\r\n])', text)
    return (text[found.end() :], found.group(1)) if found else (text, None)


class _UnclosedError(Exception):
    """A quoted cell on the last line that is never closed."""

    def __init__(self, line: int) -> None:
        self.line = line


def _lines(text: str, delimiter: str, name: str) -> Iterator[_Line]:
    """Records with their line numbers; empty lines are skipped."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if UNCLOSED in str(error) and reader.line_num == number:
                raise _UnclosedError(number) from None
            raise DataError(_quoting_fault(name, number, str(error))) from None
        if cells:
            yield _Line(number, cells)


def _quoting_fault(name: str, line: int, error: str) -> str:
    if UNCLOSED in error:
        return (
            f"{name}: a quoted cell that opens on line {line} is never closed, so all lines after "
            "it belong to that cell. Close or remove the quotation mark."
        )
    if "field larger" in error:
        return f"{name}: line {line} has a cell of more than {csv.field_size_limit():,} characters."
    return (
        f"{name}: line {line} has text after a closing quotation mark. Quotation marks inside a "
        'quoted cell are written twice (""); correct that line.'
    )


def _refuse_repeated(header: Sequence[str], name: str) -> None:
    repeated = [column for column, n in Counter(header).items() if n > 1 and column.strip()]
    if repeated:
        raise DataError(
            f"{name} has more than one column named {listed(map(_short, repeated), most=5)}. "
            "Rename them so that each name occurs once."
        )


def _short(name: str) -> str:
    """A column name in quotes; whole questions are cut."""
    return repr(name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…")


def _stops_inside(text: str, ragged: tuple[int, int], last: _Line, n_columns: int) -> bool:
    """Whether the last record is short and no line end follows it."""
    number, n_cells = ragged
    return number == last.number and n_cells < n_columns and not text.endswith(("\n", "\r"))


def _refuse_ragged(ragged: Sequence[tuple[int, int]], n_columns: int, name: str) -> None:
    if not ragged:
        return
    faults = [
        f"Line {line} has {_cells(n)}, the header has {n_columns}."
        for line, n in ragged[:SHOWN_LINES]
    ]
    if len(ragged) > SHOWN_LINES:
        faults.append(f"{len(ragged) - SHOWN_LINES} more lines have too few or too many cells.")
    faults.append(
        "A cell that holds the separator must stand in quotation marks; correct these lines, or "
        "say delimiter=... if another separator is meant."
    )
    raise AnswersError(name, faults)


def _cells(n: int) -> str:
    return "1 cell" if n == 1 else f"{n} cells"
