"""What `omega` returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Literal

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import interval_chart
from collabsurvey.moments.covariance import Missing
from collabsurvey.reliability.omega_names import named
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["total", "hierarchical", "categorical"]
TITLES: Mapping[str, str] = {
    "total": "Omega total",
    "hierarchical": "Omega hierarchical",
    "categorical": "Categorical omega",
}


@dataclass(frozen=True, eq=False)
class OmegaResult(Result):
    """One omega, its neighbours under their own names, and the factor solution behind them.

    Attributes
    ----------
    estimate, std_error, ci_low, ci_high : float
        Of `coefficient`, the one asked for; NaN where there is no interval.
    coefficient, formula, estimator : str
        Its name in `to_frame()`, what it is, and how the factors were found.
    denominator : "model" or "observed"
        Whose variance of the sum it is divided by.
    coefficients : pandas.DataFrame
        All coefficients of the same solution; see `to_frame`.
    loadings : pandas.DataFrame
        One row an item (index). Of one factor: `loading` and `residual_variance` in the unit of
        the answers (covariances with n - 1) and `std_loading`; categorical: `std_loading` of
        the latent responses. Of several: `general`, one column a group factor,
        `communality`, `uniqueness`, `general_share` (of the item's common variance: I-ECV),
        `factor` (on which it loads most).
    oblique, factor_correlations, second_order : pandas.DataFrame or None
        Of a Schmid-Leiman solution: pattern, correlations of the oblique factors, and their
        loadings on the general factor.
    percent_uncontaminated : float
        Share of pairs of items that only the general factor correlates (PUC); NaN otherwise.
    fit : dict
        Fit of the factor model: chi2, df, p_value, cfi, tli, rmsea, srmr of one factor by
        maximum likelihood; psych's numbers of several; srmr (root mean square
        residual) of polychorics.
    heywood : tuple of str
        Items whose residual variance is at its lower bound.
    n_failed : int
        Resamples without a solution, left out of the interval.
    """

    scale: str
    kind: Kind
    coefficient: str
    estimate: float
    std_error: float
    ci_low: float
    ci_high: float
    conf_level: float
    ci_method: str
    formula: str
    estimator: str
    denominator: str
    coefficients: pd.DataFrame
    loadings: pd.DataFrame
    oblique: pd.DataFrame | None
    factor_correlations: pd.DataFrame | None
    second_order: pd.DataFrame | None
    percent_uncontaminated: float
    fit: Mapping[str, float]
    heywood: tuple[str, ...]
    items: tuple[str, ...]
    n_factors: int
    n_respondents: int
    n_rows: int
    n_clusters: int | None
    n_failed: int
    missing: Missing
    weighted: bool
    notes: tuple[str, ...]

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.items)

    def to_frame(self) -> pd.DataFrame:
        """One row a coefficient, the one asked for first.

        Columns: scale, coefficient, estimate, std_error, ci_low, ci_high, estimator, formula,
        program (which program prints it, and under which name), n_respondents, conf_level,
        ci_method ("none" where a coefficient has no interval).
        """
        return self.coefficients.copy()

    def table(self) -> Table:
        """Coefficients in words, with interval, formula and who prints them."""
        frame = self.coefficients
        columns: dict[str, list[object]] = {
            "coefficient": [self._words(name) for name in frame["coefficient"]]
        }
        two = ["estimate"]
        if self.ci_method != "none":
            two += ["ci_low", "ci_high"]
        columns |= {name: frame[name].tolist() for name in [*two, "formula", "program"]}
        return Table(
            title=f"{self._title()}: {self.estimate:.2f}{self._interval()}".replace("-", "−"),
            columns=columns,
            notes=(f"Estimated by {self.estimator}.", *self.notes),
            formats=dict.fromkeys(two, ".2f"),
            labels={"program": "also called"},
        )

    def chart(self) -> Chart:
        """Every coefficient with its interval; the one asked for is marked."""
        frame = self.coefficients
        return interval_chart(
            labels=[self._words(name) for name in frame["coefficient"]],
            estimate=frame["estimate"].tolist(),
            low=frame["ci_low"].tolist(),
            high=frame["ci_high"].tolist(),
            title=self._title(),
            axis="coefficient"
            if self.ci_method == "none"
            else f"coefficient, with its {self.conf_level:.0%} interval",
            highlight=(frame["coefficient"] == self.coefficient).tolist(),
        )

    def _words(self, name: str) -> str:
        return named(name, of_groups=self.n_factors > 1).words

    def _title(self) -> str:
        return f"{TITLES[self.kind]} of {self.scale}"

    def _interval(self) -> str:
        if not isfinite(self.ci_low):
            return ""
        return f" ({self.conf_level:.0%} CI {self.ci_low:.2f} to {self.ci_high:.2f})"
