"""The base of every result: frozen, unrounded, complete; shown in one way.

An analysis writes three things: `to_frame()` (the tidy numbers), `table()` (what a
reader is shown) and `chart()` (what is drawn). Text, HTML, plots and great_tables
objects are derived from them here, so that all results look alike.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from collabsurvey.display import Chart, Table
from collabsurvey.errors import OptionError

if TYPE_CHECKING:
    import pandas as pd
    from great_tables import GT
    from matplotlib.axes import Axes


class Result(ABC):
    """What every analysis returns.

    Attributes
    ----------
    notes : tuple of str
        Sentences a reader needs to read the numbers rightly: estimator, rows dropped,
        what failed or was approximated.
    """

    notes: tuple[str, ...]

    @abstractmethod
    def to_frame(self) -> Any:
        """Return the tidy, unrounded numbers: a pandas DataFrame, except for row-wise output."""

    @abstractmethod
    def table(self) -> Table:
        """Return the table a reader is shown."""

    @abstractmethod
    def chart(self) -> Chart:
        """Return the picture a reader is shown."""

    def __str__(self) -> str:
        return self.summary()

    def summary(self) -> str:
        """Return the table as text. Never prints."""
        return self.table().to_text()

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the result on `ax`, or on a new figure; return the axes."""
        if isinstance(ax, str):
            raise OptionError("ax", ax, allowed=("axes of matplotlib",))
        return self.chart().plot(ax)

    def to_table(self) -> GT:
        """Return the table as a great_tables object."""
        return self.table().to_great_table()

    def _repr_html_(self) -> str:
        return self.table().to_html()


def table_from_frame(frame: pd.DataFrame, title: str, **options: Any) -> Table:
    """Wrap a tidy frame as a `Table`; `options` are the Table's own fields."""
    columns = {str(name): frame[name].tolist() for name in frame.columns}
    return Table(title=title, columns=columns, **options)
