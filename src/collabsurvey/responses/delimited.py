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
class Lines:
    """Records as they stand in a file; nothing is said yet of which of them are headers."""

    rows: list[list[str]]
    numbers: list[int]  # line of the file, or row of the sheet, on which each record begins
    delimiter: str = ""
    cut: int | None = None  # line on which a last, never closed cell begins
    complete: bool = True  # whether a line end follows the last record


@dataclass(frozen=True)
class Records:
    """The header and the rows of a table."""

    header: tuple[str, ...]
    rows: list[list[str]]
    delimiter: str
    truncated_line: int | None = None  # line of a cut-off last record that was left out
    more_headers: tuple[tuple[str, ...], ...] = ()  # header rows below the first


def split_records(
    text: str, *, name: str, delimiter: str | None = None, drop_truncated: bool = False
) -> Records:
    """Header and rows of a text; raise with the line numbers of everything that does not fit."""
    lines = split_lines(text, name=name, delimiter=delimiter)
    _refuse_repeated(lines.rows[0], name)
    return records_of(lines, name=name, drop_truncated=drop_truncated)


def split_lines(text: str, *, name: str, delimiter: str | None = None) -> Lines:
    """Every record of a text, however many cells it has; the delimiter is found."""
    text, stated = _without_sep_line(text)
    used = delimiter or stated or find_delimiter(text, name)
    rows: list[list[str]] = []
    numbers: list[int] = []
    cut: int | None = None
    try:
        for number, cells in _lines(text, used, name):
            rows.append(cells)
            numbers.append(number)
    except _UnclosedError as error:
        cut = error.line
    if not rows and cut is not None:
        raise DataError(_quoting_fault(name, cut, UNCLOSED))
    if not rows:
        raise DataError(f"{name} is empty. Export it again, or check the path.")
    return Lines(rows, numbers, used, cut, text.endswith(("\n", "\r")))


def records_of(
    lines: Lines, *, name: str, n_headers: int = 1, drop_truncated: bool = False
) -> Records:
    """Header rows and rows of answers; raise with the lines that do not fit the header.

    Beside several header rows, as survey platforms write them, a row may end in blank cells
    that the header does not have, or lack the cells of columns without a name.
    """
    header = tuple(lines.rows[0])
    heads = [_fitted(row, header) for row in lines.rows[1:n_headers]]
    rows: list[list[str]] = []
    ragged: list[tuple[int, int]] = []
    later = zip(lines.rows[n_headers:], lines.numbers[n_headers:], strict=True)
    for cells, number in later:
        fitted = cells if n_headers == 1 else _fitted(cells, header)
        if len(fitted) == len(header):
            rows.append(fitted)
        else:
            ragged.append((number, len(cells)))
    cut = lines.cut
    if ragged and cut is None and not lines.complete and _is_short_end(ragged, lines, header):
        cut = ragged.pop()[0]
    odd = [
        (lines.numbers[place], len(head))
        for place, head in enumerate(heads, start=1)
        if len(head) != len(header)
    ]
    _refuse_ragged([*odd, *ragged], len(header), name)
    if cut is not None and not drop_truncated:
        raise DataError(
            f"{name} stops in the middle of line {cut}, so the file is cut off. Get the whole "
            "file, or say repair={'truncated': 'drop'} to leave that line out."
        )
    if not rows:
        raise DataError(f"{name} has a header but no rows: there are no answers to read.")
    more = tuple(tuple(head) for head in heads)
    return Records(header, rows, lines.delimiter, cut, more)


def _fitted(cells: list[str], header: Sequence[str]) -> list[str]:
    """A row with as many cells as the header, where only blank ones are added or cut."""
    extra = len(cells) - len(header)
    if extra > 0 and not any(cell.strip() for cell in cells[len(header) :]):
        return cells[: len(header)]
    if extra < 0 and not any(name.strip() for name in header[extra:]):
        return [*cells, *[""] * -extra]
    return cells


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


def _lines(text: str, delimiter: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each record with the line it begins on; empty lines are skipped."""
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
            yield number, cells


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


def _is_short_end(ragged: Sequence[tuple[int, int]], lines: Lines, header: Sequence[str]) -> bool:
    """Whether the last record is the last ragged one, and too short."""
    number, n_cells = ragged[-1]
    return number == lines.numbers[-1] and n_cells < len(header)


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
