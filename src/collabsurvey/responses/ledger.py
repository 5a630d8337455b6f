"""The ledger: every step that recodes, drops or sets to missing, counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class LedgerLine:
    """One thing that was done to the data."""

    step: str  # read, rename, recode, missing, drop, repair, reshape, …
    what: str  # in plain words
    n: int  # how many rows, or how many cells
    unit: str = "rows"  # rows | cells | columns
    column: str = ""
    source: str = ""  # the file, where there are several


@dataclass(frozen=True)
class Ledger:
    """The lines in the order in which things were done; adding makes a new ledger."""

    lines: tuple[LedgerLine, ...] = ()

    def add(self, step: str, what: str, n: int, *, unit: str = "rows", column: str = "") -> Ledger:
        """Return a ledger with one line more."""
        return Ledger((*self.lines, LedgerLine(step, what, int(n), unit, column)))

    def extend(self, lines: Iterable[LedgerLine]) -> Ledger:
        """Return a ledger with these lines at its end."""
        return Ledger((*self.lines, *lines))

    def named(self, source: str) -> Ledger:
        """Return a ledger whose lines all say which file they are about."""
        return Ledger(
            tuple(
                LedgerLine(x.step, x.what, x.n, x.unit, x.column, x.source or source)
                for x in self.lines
            )
        )

    def n_dropped(self) -> int:
        """Rows that were read and are not in the data any more."""
        return sum(line.n for line in self.lines if line.step == "drop" and line.unit == "rows")

    def to_frame(self) -> pd.DataFrame:
        """One row a line: step, what, n, unit, column, source."""
        import pandas as pd

        names = ("step", "what", "n", "unit", "column", "source")
        return pd.DataFrame({name: [getattr(line, name) for line in self.lines] for name in names})

    def __iter__(self) -> Iterator[LedgerLine]:
        return iter(self.lines)

    def __len__(self) -> int:
        return len(self.lines)
