"""A table to be read: title, columns, formats, notes; as text, HTML or great_tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from great_tables import GT

MISSING = "–"

# How a column is shown when its table does not say: by name, else by type.
NAMED_FORMATS = {
    "p_value": "p",
    "df": ".1f",
    "df1": ".0f",
    "df2": ".0f",
    "mean": ".2f",
    "sd": ".2f",
    "mean_size": ".1f",
}


@dataclass(frozen=True)
class Table:
    """What a reader is shown; the values stay unrounded until they are formatted.

    `formats` maps a column to a format: a Python format such as ".2f" or ".0%", or
    "p" for a p-value. `labels` maps a column to the heading shown.
    """

    title: str
    columns: Mapping[str, Sequence[object]]
    notes: tuple[str, ...] = ()
    formats: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return max((len(values) for values in self.columns.values()), default=0)

    def headings(self) -> list[str]:
        """Headings in column order, underscores shown as spaces."""
        return [self.labels.get(name, name.replace("_", " ")) for name in self.columns]

    def is_numeric(self) -> list[bool]:
        """Whether each column holds numbers, and is therefore aligned right."""
        return [
            any(isinstance(value, Real) and not isinstance(value, bool) for value in values)
            for values in self.columns.values()
        ]

    def cells(self) -> list[list[str]]:
        """Formatted cells, row by row."""
        shown = [
            [format_value(value, self.formats.get(name, NAMED_FORMATS.get(name))) for value in col]
            for name, col in self.columns.items()
        ]
        return [list(row) for row in zip(*shown, strict=True)]

    def __str__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        return self.to_html()

    def to_text(self) -> str:
        """Plain text with aligned columns."""
        body = self.cells()
        heads = self.headings()
        right = self.is_numeric()
        widths = [
            max(len(head), *(len(row[i]) for row in body)) if body else len(head)
            for i, head in enumerate(heads)
        ]

        def line(row: Sequence[str]) -> str:
            parts = (
                cell.rjust(width) if number else cell.ljust(width)
                for cell, width, number in zip(row, widths, right, strict=True)
            )
            return "  ".join(parts).rstrip()

        rule = "  ".join("-" * width for width in widths)
        lines = [self.title, "", line(heads), rule, *(line(row) for row in body)]
        if self.notes:
            lines += ["", *(f"Note. {note}" for note in self.notes)]
        return "\n".join(lines)

    def to_great_table(self) -> GT:
        """Build the table as a great_tables object, for HTML, LaTeX or an image."""
        import pandas as pd
        from great_tables import GT

        frame = pd.DataFrame(self.cells(), columns=list(self.columns), dtype="str")
        table = GT(frame).tab_header(title=self.title)
        table = table.cols_label(dict(zip(self.columns, self.headings(), strict=True)))
        right = [
            name for name, number in zip(self.columns, self.is_numeric(), strict=True) if number
        ]
        if right:
            table = table.cols_align(align="right", columns=right)
        for note in self.notes:
            table = table.tab_source_note(note)
        return table

    def to_html(self) -> str:
        """HTML for a notebook cell."""
        html: str = self.to_great_table().as_raw_html()
        return html


def format_value(value: Any, how: str | None = None) -> str:
    """One cell: missing as a dash, p-values as '< .001', numbers by `how`."""
    if value is None or (isinstance(value, Real) and math.isnan(float(value))):
        return MISSING
    if isinstance(value, bool) or type(value).__name__ == "bool_":
        return "yes" if value else "no"
    if isinstance(value, str) or not isinstance(value, Real):
        return str(value)
    if how == "p":
        return format_p(float(value))
    if isinstance(value, Integral) and (how is None or how.endswith("f")):
        return f"{int(value):d}"
    text = f"{float(value):{how or '.3f'}}"
    if text.startswith("-") and not text.strip("-0.%"):
        text = text[1:]  # what rounds to nothing has no sign
    return text.replace("-", "−")


def format_p(value: float) -> str:
    """A p-value to three digits; never a bare zero."""
    return "< .001" if value < 0.001 else f"{value:.3f}"
