"""What coefficients of agreement among raters return."""

from __future__ import annotations

from dataclasses import dataclass
from math import atanh, tanh
from typing import TYPE_CHECKING

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import interval_chart
from collabsurvey.numerics.intervals import normal_quantile, t_quantile
from collabsurvey.results import Result, table_from_frame

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class AgreementResult(Result):
    """One coefficient of agreement, and what it is made of.

    Attributes
    ----------
    coefficient : str
        Its name, such as "Fleiss' kappa".
    estimate, std_error, ci_low, ci_high : float
        `std_error` allows for any amount of agreement; the interval is made with it, or by
        resampling targets where the notes say so.
    statistic, p_value : float or None
        Against no agreement beyond chance; None where no test was made.
    observed, expected : float
        Agreement, and agreement by chance as this coefficient sees it; NaN for coefficients
        that are not made of the two.
    categories : tuple of str
        In order; empty where ratings are numbers.
    details : pandas.DataFrame
        One row a category, a pair of raters or a measure, with columns `part`, `estimate`,
        `std_error`, `ci_low`, `ci_high` and more.
    """

    coefficient: str
    estimate: float
    std_error: float
    ci_low: float
    ci_high: float
    conf_level: float
    statistic: float | None
    p_value: float | None
    observed: float
    expected: float
    n_targets: int
    n_raters: int
    n_ratings: int
    n_missing: int
    categories: tuple[str, ...]
    details: pd.DataFrame
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row: the coefficient, its error, interval and test, and what it rests on."""
        import pandas as pd

        row = {
            "coefficient": self.coefficient,
            "estimate": self.estimate,
            "std_error": self.std_error,
            "statistic": self.statistic,
            "p_value": self.p_value,
            "ci_low": self.ci_low,
            "ci_high": self.ci_high,
            "observed": self.observed,
            "expected": self.expected,
            "n_targets": self.n_targets,
            "n_raters": self.n_raters,
            "n_ratings": self.n_ratings,
            "n_missing": self.n_missing,
        }
        return pd.DataFrame([row])

    def table(self) -> Table:
        """The coefficient with its parts below it."""
        import pandas as pd

        shown = ["estimate", "std_error", "ci_low", "ci_high"]
        whole = pd.DataFrame([{"part": "all", **{name: getattr(self, name) for name in shown}}])
        columns = ["part", *shown]
        frame = pd.concat(
            [part.astype(object) for part in (whole, self.details.reindex(columns=columns))],
            ignore_index=True,
        )
        return table_from_frame(
            frame,
            f"{self.coefficient}: {self.estimate:.2f} "
            f"({self.conf_level:.0%} CI {self.ci_low:.2f} to {self.ci_high:.2f}), "
            f"{self.n_raters} raters, {self.n_targets} targets".replace("-", "−"),
            notes=self.notes,
            labels={"ci_low": "low", "ci_high": "high", "std_error": "std. error"},
        )

    def chart(self) -> Chart:
        """The coefficient and its parts with their intervals."""
        frame = self.details.reindex(columns=["part", "estimate", "ci_low", "ci_high"])
        return interval_chart(
            labels=["all", *map(str, frame["part"])],
            estimate=[self.estimate, *frame["estimate"]],
            low=[self.ci_low, *frame["ci_low"]],
            high=[self.ci_high, *frame["ci_high"]],
            title=self.coefficient,
            axis=f"agreement beyond chance, with its {self.conf_level:.0%} interval",
            reference=0.0,
        )


def symmetric_limits(
    estimate: float, std_error: float, conf_level: float, df: float | None = None
) -> tuple[float, float]:
    """Estimate and its error times the quantile of the normal (or of t), cut at -1 and 1."""
    upper = (1 + conf_level) / 2
    reach = std_error * (normal_quantile(upper) if df is None else t_quantile(upper, df))
    return max(estimate - reach, -1.0), min(estimate + reach, 1.0)


def fisher_limits(
    estimate: float, std_error: float, n: int, conf_level: float
) -> tuple[float, float]:
    """Limits on the scale of Fisher's z, with t on n - 1 and the error for n - 1 targets."""
    if std_error == 0 or abs(estimate) >= 1:
        return estimate, estimate
    quantile = t_quantile((1 + conf_level) / 2, n - 1)
    reach = quantile * std_error * (n / (n - 1)) ** 0.5 / (1 - estimate**2)
    centre = atanh(estimate)
    return tanh(centre - reach), tanh(centre + reach)
