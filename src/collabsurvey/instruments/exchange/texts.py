"""Texts made safe for where they go: HTML, spreadsheets, tables with delimiters."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Iterable, Sequence

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def spreadsheet_text(text: str) -> str:
    """Text that no spreadsheet takes for a formula: an apostrophe comes before it."""
    return f"'{text}" if _is_formula(text) else text


def html_text(text: str) -> str:
    """Text as HTML; a sign at its start that a spreadsheet would run is written as an entity."""
    safe = html.escape(text, quote=False)
    return f"&#{ord(safe[0])};{safe[1:]}" if _is_formula(safe) else safe


def csv_text(header: Sequence[str], rows: Iterable[Sequence[str]], delimiter: str = ",") -> str:
    """A table as delimited text, every line ended by a line feed."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def _is_formula(text: str) -> bool:
    if not text.startswith(FORMULA_STARTS):
        return False
    try:
        float(text)
    except ValueError:
        return True
    return False  # a number, such as the code -8
