"""What `dual_identification` returns: two scores of every respondent, and the quadrants."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import INK, QUIET
from collabsurvey.responses.engine import as_narwhals
from collabsurvey.responses.responses import Responses
from collabsurvey.results import Result
from collabsurvey.scoring.rows import beside

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

QUADRANTS = ("both", "first only", "second only", "neither", "on the line")
WORKING = "__dual__"  # starts the names of the columns of a row


@dataclass(frozen=True, eq=False)
class DualResult(Result):
    """Two scores of every respondent, their difference and quadrant.

    Attributes
    ----------
    cut_first, cut_second : the lines between low and high
    rows : native frame
        Columns of the roles, then working columns; see `to_frame`.
    n_both_scored : rows with both scores
    mean_first, mean_second, mean_difference : over these, weighted where there is a weight role
    correlation : Pearson's, between the two scores; NaN where one does not vary
    n, share : (5,) rows in each of `QUADRANTS`; their share, weighted where there is a weight
    min_n : the least number of people that is not flagged
    places : (x, y, n) for the chart: how many rows lie about there
    """

    responses: Responses
    first: str
    second: str
    cut_first: float
    cut_second: float
    rows: Any
    n_rows: int
    n_both_scored: int
    mean_first: float
    mean_second: float
    mean_difference: float
    correlation: float
    n: tuple[int, ...]
    share: tuple[float, ...]
    min_n: int
    places: tuple[tuple[float, float, int], ...]
    axis: tuple[float, float]
    notes: tuple[str, ...]

    def to_frame(self, keep: Sequence[str] = ()) -> Any:
        """Return each respondent's scores, `difference` (second − first) and `quadrant`.

        In the caller's engine, rows and order those of the answers. Quadrants are "both",
        "first only", "second only", "neither", and "on the line" where a score is at its cut.
        """
        columns = [
            nw.col(f"{WORKING}{place}").alias(name)
            for place, name in (
                ("first", self.first),
                ("second", self.second),
                ("difference", "difference"),
                ("quadrant", "quadrant"),
            )
        ]
        return beside(self.responses, as_narwhals(self.rows), keep, columns)

    @property
    def below_min_n(self) -> bool:
        """Whether fewer than `min_n` people have both scores."""
        return min(self.n_both_scored, self.responses.n_respondents) < self.min_n

    def counts(self) -> pd.DataFrame:
        """One row a quadrant: `quadrant`, `n`, `share`, `below_min_n`."""
        import pandas as pd

        small = [n < self.min_n for n in self.n]
        columns = {"quadrant": QUADRANTS, "n": self.n, "share": self.share, "below_min_n": small}
        return pd.DataFrame(columns)

    def table(self) -> Table:
        """One row a quadrant."""
        mark = " (synthetic data)" if self.responses.synthetic else ""
        words = (
            f"high in {self.first} and {self.second}",
            f"high in {self.first} only",
            f"high in {self.second} only",
            "high in neither",
            "exactly at a cut",
        )
        return Table(
            title=f"{self.first} and {self.second}: {self.n_both_scored} of {self.n_rows} with "
            f"both scores{mark}",
            columns={"quadrant": QUADRANTS, "meaning": words, "n": self.n, "share": self.share},
            notes=self.notes,
            formats={"share": ".0%"},
        )

    def chart(self) -> Chart:
        """Where respondents lie: larger dots are more of them; lines are the cuts."""

        def draw(ax: Axes) -> None:
            most = max((n for *_, n in self.places), default=1)
            for x, y, n in self.places:
                size = 8 + 180 * n / most
                ax.scatter([x], [y], s=size, color=INK, alpha=0.5, linewidths=0, zorder=3)
            ax.axvline(self.cut_first, color=QUIET, linewidth=1, zorder=1)
            ax.axhline(self.cut_second, color=QUIET, linewidth=1, zorder=1)
            low, high = self.axis
            pad = 0.06 * (high - low)
            ax.set_xlim(low - pad, high + pad)
            ax.set_ylim(low - pad, high + pad)
            corners = ((0.99, 0.99), (0.99, 0.01), (0.01, 0.99), (0.01, 0.01))
            for (x, y), name, share in zip(corners, QUADRANTS, self.share, strict=False):
                ax.text(
                    x,
                    y,
                    name if math.isnan(share) else f"{name}: {share:.0%}",
                    transform=ax.transAxes,
                    ha="right" if x > 0.5 else "left",
                    va="top" if y > 0.5 else "bottom",
                    fontsize=9,
                    color="0.25",
                )
            ax.set_xlabel(f"{self.first} (first)")
            ax.set_ylabel(f"{self.second} (second)")
            ax.set_aspect("equal")
            ax.spines[["top", "right"]].set_visible(False)

        said = [f"{name} {n}" for name, n in zip(QUADRANTS, self.n, strict=True)]
        return Chart(
            title=f"{self.first} and {self.second}",
            description=f"Respondents by {self.first} (across) and {self.second} (up), lines at "
            f"{self.cut_first:g} and {self.cut_second:g}: {'; '.join(said)}.",
            draw=draw,
            size=(5.5, 5.5),
        )
