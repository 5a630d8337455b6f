"""Numbers that a spreadsheet wrote as text: '94%', '$31,141.72 ', '1 234,5'.

Nothing is guessed: a comma that could be a decimal or a thousands mark is a fault, and so is
every word that was not named as missing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from collabsurvey.errors import AnswersError, OptionError, listed
from collabsurvey.responses.ledger import LedgerLine

if TYPE_CHECKING:
    import pandas as pd

DecimalMark = Literal[".", ","]
BLANKS = " \t\u00a0\u2009\u202f"
CURRENCIES = "$£€¥"
ENGLISH_CURRENCIES = "$£¥"  # written 1,234.56; the euro is written either way
NUMBER = re.compile(
    rf"(?P<sign>[-+\u2212]?)(?P<before>[{CURRENCIES}]?)(?P<digits>[\d.,'{BLANKS}]*\d[.,]?)"
    rf"(?P<exponent>[eE][-+]?\d+)?[{BLANKS}]*(?P<after>[%{CURRENCIES}]?)"
)
SHOWN_VALUES = 5
SHOWN_ROWS = 3


def numbers_from_text(
    series: pd.Series,
    *,
    missing: Iterable[str | float] = (),
    decimal: DecimalMark | None = None,
) -> tuple[pd.Series, tuple[LedgerLine, ...]]:
    """Read a column of numbers that may be written as text.

    Parameters
    ----------
    series : pandas.Series
        Text or numbers. It is not changed.
    missing : text or numbers
        Values that say there is no number, such as "s", "SUPP" or "N/A"; case and blanks around
        them do not matter. Empty cells are missing already.
    decimal : {".", ","}, optional
        The decimal mark. Where it is left out the column decides, and "1,234" is a fault if
        nothing in the column says which of the two readings is meant.

    Returns
    -------
    numbers : pandas.Series
        float64 with the same index and name; "94%" is 94.
    lines : tuple of LedgerLine
        How many cells were percentages or money, and how many were set to missing.

    Raises
    ------
    AnswersError
        With the values that are no numbers, and their rows.
    """
    import pandas as pd

    if decimal not in (None, ".", ","):
        raise OptionError("decimal", decimal, allowed=(".", ","))
    column = "values" if series.name is None else str(series.name)
    if pd.api.types.is_bool_dtype(series):
        raise AnswersError("The table", [f"Column {column!r} holds true and false, not numbers."])
    words = (missing,) if isinstance(missing, str | int | float) else missing
    gone = {_folded(value) for value in words}
    cells = [None if pd.isna(value) else str(value) for value in series.tolist()]
    counts = Counter(cell for cell in cells if cell is not None)
    missing_cells = {cell: n for cell, n in counts.items() if _is_missing(cell, gone)}
    found = {cell: NUMBER.fullmatch(cell.strip(BLANKS)) for cell in counts.keys() - missing_cells}
    _refuse_mixed_units(found, column)
    mark = decimal or _decimal_mark(found, column, cells)
    values = {cell: _value(match, mark) for cell, match in found.items()}
    wrong = {cell for cell, value in values.items() if value is None}
    if wrong:
        raise AnswersError("The table", [_not_numbers(column, wrong, cells)])
    read = [None if cell is None else values.get(cell) for cell in cells]
    numbers = pd.Series(read, index=series.index, name=series.name, dtype="float64")
    return numbers, _ledger_lines(column, counts, missing_cells, found)


def _folded(value: str | float) -> str:
    text = f"{value:.15g}" if isinstance(value, float) else str(value)
    return text.strip(BLANKS).casefold()


def _is_missing(cell: str, gone: set[str]) -> bool:
    """Whether a cell is blank or named as missing; the code -9 also stands for '-9.0'."""
    text = _folded(cell)
    return not text or text in gone or re.sub(r"(?<=\d)\.0+$", "", text) in gone


def _refuse_mixed_units(found: Mapping[str, re.Match[str] | None], column: str) -> None:
    """Refuse '94%' beside '0.94', and pounds beside dollars; a bare 0 is 0 in every unit."""
    units: dict[str, str] = {}
    for cell, match in found.items():
        if match is not None and match["digits"].strip("0.,"):
            units.setdefault(match["before"] + match["after"], cell)
    if len(units) > 1:
        raise AnswersError(
            "The table",
            [
                f"Column {column!r} mixes units, such as "
                f"{' and '.join(map(repr, sorted(units.values())))}. Write all in one unit."
            ],
        )


def _decimal_mark(
    found: Mapping[str, re.Match[str] | None], column: str, cells: Sequence[str | None]
) -> DecimalMark:
    """The decimal mark of a column, from the values that can be read in one way only."""
    votes: dict[DecimalMark, str] = {}
    unsure: set[str] = set()
    for cell, match in found.items():
        if match is None:
            continue
        mark = _only_mark(match)
        if mark == "either":
            unsure.add(cell)
        elif mark is not None:
            votes.setdefault(mark, cell)
    if len(votes) > 1:
        examples = " and ".join(repr(cell) for cell in votes.values())
        raise AnswersError(
            "The table",
            [
                f"Column {column!r} mixes decimal marks, such as {examples}. Write them in one "
                "way, or say decimal='.' or decimal=','."
            ],
        )
    if votes:
        return next(iter(votes))
    if unsure:
        shown, rows = _examples(unsure, cells)
        raise AnswersError(
            "The table",
            [
                f"Column {column!r} has numbers that can be read in two ways: {shown} ({rows}). "
                "Write them without a thousands mark, or say decimal='.' or decimal=','."
            ],
        )
    return "."


def _only_mark(match: re.Match[str]) -> DecimalMark | Literal["either"] | None:
    """The decimal mark a number must have been written with; None where it says nothing.

    One point is always a decimal mark: programs that write no thousands mark write 1.234.
    """
    digits = match["digits"]
    points, commas = digits.count("."), digits.count(",")
    if points and commas:
        return "." if digits.rfind(".") > digits.rfind(",") else ","
    if points or commas > 1:
        return "." if points <= 1 else ","
    if not commas:
        return None
    if not re.fullmatch(r"[1-9]\d{0,2},\d{3}", digits):
        return ","
    currency = match["before"] or match["after"]
    return "." if currency and currency in ENGLISH_CURRENCIES else "either"


def _value(match: re.Match[str] | None, decimal: DecimalMark) -> float | None:
    """The number, or None where its thousands marks do not stand every three digits."""
    if match is None or (match["before"] and match["after"]):
        return None
    whole, point, fraction = match["digits"].partition(decimal)
    thousands = "." if decimal == "," else ","
    if thousands in fraction or not re.fullmatch(r"\d*", fraction):
        return None
    marks = re.escape(thousands) + "'" + BLANKS
    if not re.fullmatch(rf"\d*|\d{{1,3}}(?:[{marks}]\d{{3}})+", whole):
        return None
    sign = "-" if match["sign"] in ("-", "\u2212") else ""
    plain = re.sub(rf"[{marks}]", "", whole)
    if point and not (plain or fraction):
        return None
    return float(f"{sign}{plain or '0'}.{fraction or '0'}{match['exponent'] or ''}")


def _not_numbers(column: str, wrong: set[str], cells: Sequence[str | None]) -> str:
    shown, rows = _examples(wrong, cells)
    return (
        f"Column {column!r} has values that are not numbers: {shown} ({rows}). "
        "If they mean that there is no number, name them as missing."
    )


def _examples(values: set[str], cells: Sequence[str | None]) -> tuple[str, str]:
    rows = [row for row, cell in enumerate(cells, start=1) if cell in values]
    shown = listed(map(repr, sorted(values)), most=SHOWN_VALUES)
    word = "row" if len(rows) == 1 else "rows"
    return shown, f"{word} {listed(rows, most=SHOWN_ROWS)}"


def _ledger_lines(
    column: str,
    counts: Mapping[str, int],
    missing_cells: Mapping[str, int],
    found: Mapping[str, re.Match[str] | None],
) -> tuple[LedgerLine, ...]:
    percent = sum(counts[c] for c, m in found.items() if m and m["after"] == "%")
    money = sum(
        counts[c] for c, m in found.items() if m and (m["before"] or m["after"] not in ("", "%"))
    )
    lines = [
        LedgerLine("recode", "percentages read as numbers, 94% as 94", percent, "cells", column),
        LedgerLine("recode", "amounts of money read as numbers", money, "cells", column),
    ]
    by_word = Counter[str]()
    for cell, n in missing_cells.items():
        by_word[cell.strip(BLANKS)] += n
    lines += [
        LedgerLine(
            "missing", f"{word!r} set to missing" if word else "blank text", n, "cells", column
        )
        for word, n in sorted(by_word.items())
    ]
    return tuple(line for line in lines if line.n)
