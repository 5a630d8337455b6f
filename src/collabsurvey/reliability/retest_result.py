"""What a retest returns: measures of agreement, and the plot of Bland and Altman."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import ACCENT, INK, QUIET
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

MOST_DOTS = 5000  # more people are drawn as a cloud of fainter dots
WORDS = {
    "icc_2_1": "ICC(2,1), agreement",
    "icc_3_1": "ICC(3,1), consistency",
    "pearson": "correlation",
    "sem": "standard error of measurement",
    "sdc": "smallest detectable change",
    "sem_consistency": "standard error of measurement, without a shift",
    "sdc_consistency": "smallest detectable change, without a shift",
    "bias": "bias (second less first)",
    "sd_difference": "sd of differences",
    "limit_low": "lower limit of agreement",
    "limit_high": "upper limit of agreement",
    "proportional_bias": "slope of difference on mean",
}
LINES = {
    "limit_high": "upper limit of agreement",
    "bias": "bias",
    "limit_low": "lower limit of agreement",
}


@dataclass(frozen=True, eq=False)
class RetestResult(Result):
    """Agreement of two measurements of the same people.

    Attributes
    ----------
    estimate, ci_low, ci_high : float
        ICC(2,1) of agreement: a shift of everybody counts as error.
    icc_3_1 : float
        ICC of consistency, which does not count such a shift.
    pearson : float
        Correlation; blind to shift and spread.
    sem, sdc : float
        Standard error of measurement √(variance of occasions + residual), and the smallest
        change of one person beyond it with 95 % confidence, 1.96 √2 sem.
    sem_consistency, sdc_consistency : float
        The same without the variance of occasions: sd of differences / √2.
    bias, sd_difference, limit_low, limit_high : float
        Mean and sd of second less first, and the limits of agreement that hold 95 % of the
        differences of normal data.
    proportional_bias, proportional_p : float
        Slope of the differences on the means of both, and its p-value: whether differences
        grow with the score.
    measures : pandas.DataFrame
        `measure estimate std_error df ci_low ci_high` of all these.
    items : pandas.DataFrame
        One row an item: quadratic weighted kappa with its interval, share of equal answers.
    mean, difference : (n,)
        Of the two scores of each person, without ids.
    n, n_only_first, n_only_second, n_unscored : int
        People matched with both scores; found on one occasion only; matched but with too few
        answers on one of them.
    """

    scale: str
    estimate: float
    ci_low: float
    ci_high: float
    conf_level: float
    icc_3_1: float
    pearson: float
    sem: float
    sdc: float
    sem_consistency: float
    sdc_consistency: float
    bias: float
    sd_difference: float
    limit_low: float
    limit_high: float
    proportional_bias: float
    proportional_p: float
    measures: pd.DataFrame
    items: pd.DataFrame
    mean: FloatArray
    difference: FloatArray
    n: int
    n_only_first: int
    n_only_second: int
    n_unscored: int
    n_clusters: int | None
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row a measure: estimate, standard error, df, interval."""
        return self.measures.copy()

    def table(self) -> Table:
        """The measures of the scale; `items` has those of its items."""
        names = ["estimate", "std_error", "ci_low", "ci_high"]
        return Table(
            title=f"Retest of {self.scale}: ICC(2,1) {self.estimate:.2f} "
            f"({self.conf_level:.0%} CI {self.ci_low:.2f} to {self.ci_high:.2f}), "
            f"{self.n} people".replace("-", "−"),
            columns={
                "measure": [WORDS[name] for name in self.measures["measure"]],
                **{name: self.measures[name].tolist() for name in names},
            },
            notes=self.notes,
            labels={"std_error": "std. error", "ci_low": "low", "ci_high": "high"},
        )

    def chart(self) -> Chart:
        """Bland–Altman plot: difference over mean, bias and limits of agreement as lines."""

        def draw(ax: Axes) -> None:
            few = self.n <= MOST_DOTS
            ax.scatter(
                self.mean,
                self.difference,
                s=16 if few else 4,
                color=INK,
                alpha=0.5 if few else 0.15,
                linewidths=0,
                rasterized=not few,
            )
            rows = {str(row["measure"]): row for row in self.measures.to_dict("records")}
            for name, word in LINES.items():
                value, low, high = (float(rows[name][x]) for x in ("estimate", "ci_low", "ci_high"))
                ax.axhspan(low, high, color=ACCENT, alpha=0.12, linewidth=0)
                style = "-" if name == "bias" else "--"
                ax.axhline(value, color=ACCENT, linewidth=1.4, linestyle=style)
                ax.annotate(
                    f"{word} {value:.2f}".replace("-", "−"),
                    xy=(1.0, value),
                    xycoords=("axes fraction", "data"),
                    xytext=(-4, 3),
                    textcoords="offset points",
                    ha="right",
                    va="bottom",
                    fontsize=8,
                    bbox={"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 1},
                )
            ax.axhline(0, color=QUIET, linewidth=0.8, zorder=0)
            ax.set_xlabel("mean of the two scores")
            ax.set_ylabel("second less first")
            ax.spines[["top", "right"]].set_visible(False)

        return Chart(
            title=f"Agreement of two measurements of {self.scale}",
            description=(
                f"Bland–Altman plot of {self.scale}: differences of {self.n} people over the mean "
                f"of both scores. Bias {self.bias:.2f}, limits of agreement {self.limit_low:.2f} "
                f"to {self.limit_high:.2f}."
            ).replace("-", "−"),
            draw=draw,
            size=(7.0, 4.5),
        )
