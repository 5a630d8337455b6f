"""A table whose rows come in sections, each under a row that holds its heading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from collabsurvey.display.table import Table

if TYPE_CHECKING:
    from great_tables import GT

HEAD_LINES = 4  # of a table as text: title, blank, headings, rule


@dataclass(frozen=True)
class SectionedTable(Table):
    """A table with `heads`, the rows that are headings: set apart in text, bold elsewhere."""

    heads: tuple[int, ...] = ()

    def to_text(self) -> str:
        """Plain text with aligned columns and a blank line before each section."""
        lines = super().to_text().split("\n")
        for row in sorted(self.heads, reverse=True):
            if row:
                lines.insert(HEAD_LINES + row, "")
        return "\n".join(lines)

    def to_great_table(self) -> GT:
        """Build the table as a great_tables object, its headings bold."""
        table = super().to_great_table()
        if not self.heads:
            return table
        from great_tables import loc, style

        return table.tab_style(style.text(weight="bold"), loc.body(rows=list(self.heads)))
