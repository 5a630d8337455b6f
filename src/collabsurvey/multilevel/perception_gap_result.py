"""What `perception_gap` returns: two views of each school, and of all schools together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from collabsurvey.display import Chart, Table
from collabsurvey.display.paired import paired_chart
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd

OWN_COLUMNS = (
    "n_first",
    "mean_first",
    "sd_first",
    "n_second",
    "mean_second",
    "sd_second",
    "gap",
    "se",
    "df",
    "ci_low",
    "ci_high",
    "sd_borrowed",
    "gap_sd",
    "gap_sd_low",
    "gap_sd_high",
    "category",
    "below_min_n",
    "identifies_one",
)


@dataclass(frozen=True, eq=False)
class PerceptionGapResult(Result):
    """Two views of each school; no school is removed, whatever the number of people.

    Attributes
    ----------
    schools_frame : pandas.DataFrame
        One row a school: the grouping column, then `n_first mean_first sd_first n_second
        mean_second sd_second gap se df ci_low ci_high`, `sd_borrowed` (a side's people differ so
        little that the spread in all schools takes the place of theirs), the gap and its limits
        in standard deviations of people within schools (`gap_sd gap_sd_low gap_sd_high`),
        `category` (over-rates, in agreement, under-rates: the first view is rosier, alike, less
        rosy than the second; "" where there is no gap), `below_min_n` and `identifies_one`,
        whether a side is one person. Schools with one side only have no gap.
    overall_frame : pandas.DataFrame
        One row: `n_schools mean_first mean_second estimate std_error statistic df p_value ci_low
        ci_high` of the mean gap over schools, `estimate_sd` in standard deviations of
        people, `sd_of_gaps`, `correlation correlation_low correlation_high` of the two views
        over schools, `n_over n_alike n_under`.
    first, second : str
        What the two sides are called.
    one_sided : tuple
        Schools with one view only.
    pooled_sd : float
        Standard deviation of people within school and side; NaN where nobody differs.
    """

    schools_frame: pd.DataFrame
    overall_frame: pd.DataFrame
    first: str
    second: str
    scales: tuple[str, ...]
    by: str
    one_sided: tuple[Any, ...]
    pooled_sd: float
    method: Literal["mean", "pomp"]
    half_sd_of: str
    min_n: int
    conf_level: float
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row a school; see the class."""
        return self.schools_frame.copy()

    def over_schools(self) -> pd.DataFrame:
        """One row over all schools with both views; see the class."""
        return self.overall_frame.copy()

    @property
    def _about(self) -> str:
        """The scale, where its id is not in the names of the sides."""
        return f"{self.scales[0]}: " if len(self.scales) == 1 else ""

    def table(self) -> Table:
        """Both means of each school, and the gap with its interval."""
        frame = self.schools_frame
        shown = [self.by, "n_first", "mean_first", "n_second", "mean_second"]
        shown += ["gap", "ci_low", "ci_high", "gap_sd", "category"]
        shown += ["below_min_n", "identifies_one"]
        two = ("mean_first", "mean_second", "gap", "ci_low", "ci_high", "gap_sd")
        digits = dict.fromkeys(two, 1 if self.method == "pomp" else 2) | {"gap_sd": 2}
        # Rounded here, and 0 added, so that no -0.00 is shown.
        rounded = {name: (frame[name].round(digits[name]) + 0.0).tolist() for name in two}
        return Table(
            title=f"{self._about}{self.first} against {self.second} by {self.by} "
            f"({self.conf_level:.0%} intervals)",
            columns={name: frame[name].tolist() for name in shown} | rounded,
            notes=self.notes,
            formats=dict.fromkeys(two, ".1f" if self.method == "pomp" else ".2f")
            | {"gap_sd": ".2f"},
            labels={
                "n_first": "n 1st",
                "mean_first": "1st view",
                "n_second": "n 2nd",
                "mean_second": "2nd view",
                "gap_sd": "gap in sd",
                "below_min_n": f"below {self.min_n}",
                "identifies_one": "one person",
            },
        )

    def chart(self) -> Chart:
        """Both views of each school and the line between them, from the lowest gap.

        Hollow: fewer than `min_n` people on a side.
        """
        frame = self.schools_frame
        frame = frame[frame["gap"].notna()].sort_values("gap", kind="stable")
        unit = "0 to 100" if self.method == "pomp" else "units of the answers"
        return paired_chart(
            [str(label) for label in frame[self.by]],
            frame["mean_first"].tolist(),
            frame["mean_second"].tolist(),
            names=(self.first, self.second),
            title=f"{self._about}{self.first} and {self.second} by {self.by}",
            axis=f"mean, {unit} (hollow: fewer than {self.min_n} people on a side)",
            hollow=frame["below_min_n"].tolist(),
        )
