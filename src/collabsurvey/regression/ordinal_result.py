"""What models of ordered categories return, beyond what every regression does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import interval_chart
from collabsurvey.display.ratio_axis import ratio_axis
from collabsurvey.errors import NotSupportedError, OptionError
from collabsurvey.moments.design import complete_columns, series_like
from collabsurvey.moments.ordered import frame_like, labels_like
from collabsurvey.numerics.cumulative import CumulativeFit
from collabsurvey.numerics.cumulative_link import Link, distribution
from collabsurvey.numerics.student import critical_value, two_sided_p
from collabsurvey.numerics.typing import BoolArray, FloatArray
from collabsurvey.regression.ordinal_assumption_result import AssumptionResult
from collabsurvey.regression.ordinal_assumptions import (
    proportional_odds_test,
    scale_test,
)
from collabsurvey.regression.ordinal_chart import probability_chart
from collabsurvey.regression.ordinal_rows import OrdinalRows
from collabsurvey.regression.prepare import Groups
from collabsurvey.regression.results import RegressionResult
from collabsurvey.results import table_from_frame

Kind = Literal["probability", "category", "cumulative", "link"]
KINDS = ("probability", "category", "cumulative", "link")
SCALE = {
    "logit": "log odds of a higher category",
    "probit": "standard deviations of the latent answer",
    "cloglog": "complementary log-log of a higher category",
}


@dataclass(frozen=True, eq=False)
class CumulativeResult(RegressionResult):
    """A model of ordered categories; see `RegressionResult` for the common part.

    P(outcome <= j) = F(threshold_j - slopes): a positive slope goes with higher categories.
    `terms`, `coefficients`, `covariance` and `df` are of the slopes; the thresholds stand apart,
    and first in `.estimates` and `.vcov`.

    Attributes
    ----------
    link : str
        "logit", "probit" or "cloglog".
    categories : tuple of str, (J,)
        Of the outcome, lowest first, those that somebody chose.
    threshold_values : (J - 1,) array
    joint_covariance : (J - 1 + p, J - 1 + p) array
        Of thresholds and slopes.
    """

    link: Link
    categories: tuple[str, ...]
    threshold_values: FloatArray
    joint_covariance: FloatArray = field(repr=False)
    rows: OrdinalRows = field(repr=False)

    @property
    def estimates(self) -> pd.DataFrame:
        """Thresholds, then slopes: estimate, std_error, statistic, df, p_value, ci_low, ci_high.

        The statistic is z, on infinite df. That of a threshold asks whether it is zero, which is
        seldom of interest.
        """
        estimate = np.concatenate((self.threshold_values, self.coefficients))
        error = np.sqrt(np.diag(self.joint_covariance))
        df = np.full(len(estimate), np.inf)
        half = critical_value(self.conf_level, df) * error
        return pd.DataFrame(
            {
                "term": [*self.rows.thresholds, *self.terms],
                "estimate": estimate,
                "std_error": error,
                "statistic": estimate / error,
                "df": df,
                "p_value": two_sided_p(estimate / error, df),
                "ci_low": estimate - half,
                "ci_high": estimate + half,
            }
        )

    @property
    def thresholds(self) -> pd.DataFrame:
        """Cut points between categories: threshold, estimate, std_error, ci_low, ci_high."""
        shown = self.estimates.iloc[: len(self.threshold_values)]
        shown = shown.rename(columns={"term": "threshold"})
        return shown[["threshold", "estimate", "std_error", "ci_low", "ci_high"]]

    @property
    def slopes(self) -> pd.DataFrame:
        """The rows of `.estimates` that are not thresholds."""
        return self.estimates.iloc[len(self.threshold_values) :].reset_index(drop=True)

    @property
    def vcov(self) -> pd.DataFrame:
        """Covariance matrix of thresholds and slopes, with their names."""
        names = [*self.rows.thresholds, *self.terms]
        return pd.DataFrame(self.joint_covariance, index=names, columns=names)

    @property
    def ratios(self) -> pd.DataFrame:
        """Odds ratios of a higher category, one row per slope: odds_ratio, ci_low, ci_high.

        Raises
        ------
        NotSupportedError
            The link is not the logit, so that exp() of a slope is no odds ratio.
        """
        if self.link != "logit":
            raise NotSupportedError(
                f"An odds ratio with link={self.link!r}",
                instead="Fit with link='logit', or read .estimates and .predict().",
            )
        shown = self.slopes
        return pd.DataFrame(
            {
                "term": shown["term"],
                "odds_ratio": np.exp(shown["estimate"]),
                "ci_low": np.exp(shown["ci_low"]),
                "ci_high": np.exp(shown["ci_high"]),
            }
        )

    @property
    def title(self) -> str:
        """What the model is, in one line."""
        return f"Ordinal regression of {self.outcome} ({self.link})"

    def wald(self, terms: Sequence[str] | str | None = None) -> pd.DataFrame:
        """Chi-square test that several slopes are zero at once; all of them by default.

        Returns
        -------
        DataFrame
            One row: test, statistic, df1, df2, p_value.
        """
        return self._wald_without_pieces(self._contrasts(terms))

    def table(self) -> Table:
        """Return slopes, for the logit with odds ratios, and the thresholds below them."""
        shown = self.slopes.drop(columns="df")
        if self.link == "logit":
            ratios = self.ratios
            shown = shown.drop(columns=["ci_low", "ci_high"])
            shown["odds_ratio"] = ratios["odds_ratio"]
            shown["ci_low"], shown["ci_high"] = ratios["ci_low"], ratios["ci_high"]
        below = self.thresholds.rename(columns={"threshold": "term"})
        below = below[["term", "estimate", "std_error"]]
        joined = {
            name: [*shown[name], *(below[name] if name in below else [None] * len(below))]
            for name in shown.columns
        }
        return table_from_frame(
            pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in joined.items()}),
            self.title,
            notes=(*self._fit_sentences(), *self.notes),
            labels={
                "p_value": "p",
                "ci_low": f"{self.conf_level:.0%} CI low",
                "ci_high": "high",
                "odds_ratio": "odds ratio",
            },
        )

    def _fit_sentences(self) -> tuple[str, ...]:
        return (
            f"{self.formula}; {self.fit['n_obs']} rows, {len(self.categories)} categories.",
            f"Terms are in {SCALE[self.link]}; {self.categories[0]}|{self.categories[1]} is the "
            "threshold between two categories.",
        )

    def chart(self) -> Chart:
        """Return a forest of the slopes; for the logit of odds ratios, on a logarithmic axis."""
        odds = self.link == "logit"
        shown = self.ratios if odds else self.slopes
        forest = interval_chart(
            shown["term"].tolist(),
            shown["odds_ratio" if odds else "estimate"].tolist(),
            shown["ci_low"].tolist(),
            shown["ci_high"].tolist(),
            title=self.title,
            axis=(
                f"{'odds ratio of a higher category' if odds else SCALE[self.link]} "
                f"({self.conf_level:.0%} interval)"
            ),
            reference=1.0 if odds else 0.0,
        )

        def draw(ax: Any) -> None:
            if odds:
                ratio_axis(ax)
            forest.draw(ax)

        return Chart(forest.title, forest.description, draw, forest.size)

    def probability_chart(self, predictor: str) -> Chart:
        """Return the probability of every category over one predictor, stacked.

        The other predictors are held at their mean (numbers) or most frequent value (text).

        Parameters
        ----------
        predictor : str
            A column of the formula's fixed part.
        """
        return probability_chart(
            predictor,
            rows=self.rows,
            probabilities=lambda grid: np.asarray(self.predict(grid)),
            outcome=self.outcome,
        )

    def _cumulative(self, eta: FloatArray) -> FloatArray:
        """P(outcome <= j) (n, J - 1) at linear predictors (n,)."""
        return distribution(self.link, self.threshold_values - eta[:, None])

    def _predictions(
        self, data: Any, complete: BoolArray, kind: Kind, eta: FloatArray, cumulative: FloatArray
    ) -> Any:
        """What the kind asks for, of the complete rows, as the caller's engine has it."""
        if kind == "link":
            return series_like(data, self.outcome, _spread(eta, complete))
        if kind == "cumulative":
            columns = zip(self.rows.thresholds, cumulative.T, strict=True)
            return frame_like(data, {name: _spread(p, complete) for name, p in columns})
        n = len(cumulative)
        shares = np.diff(np.column_stack((np.zeros(n), cumulative, np.ones(n))), axis=1)
        if kind == "probability":
            columns = zip(self.categories, shares.T, strict=True)
            return frame_like(data, {name: _spread(p, complete) for name, p in columns})
        best = shares.argmax(axis=1)
        if self.rows.numeric:
            values = np.array([float(category) for category in self.categories])
            return series_like(data, self.outcome, _spread(values[best], complete))
        codes = np.full(len(complete), -1, dtype=np.int64)
        codes[complete] = best
        return labels_like(data, self.outcome, codes, self.categories)


@dataclass(frozen=True, eq=False)
class OrdinalResult(CumulativeResult):
    """An ordinal regression without random effects; see `CumulativeResult`.

    Attributes
    ----------
    cluster : str or None
        Column of the clusters that the standard errors allow for.
    optimiser : CumulativeFit
        Iterations and gradient at the optimum, on centred orthonormal columns.
    """

    cluster: str | None
    groups: Groups | None = field(repr=False)
    optimiser: CumulativeFit = field(repr=False)

    def predict(self, data: Any, *, kind: Kind = "probability") -> Any:
        """Predictions for every row of a table, as its engine has them.

        Parameters
        ----------
        data : frame
            With the columns of the predictors; a row that lacks one has a missing prediction.
        kind : str
            "probability": a table with a column per category. "cumulative": a table with
            a column per threshold, the probability of a category at or below it. "category": the
            most probable category, as a series (numbers where the outcome is a number).
            "link": the linear predictor.
        """
        check_kind(kind)
        columns, complete = complete_columns(data, self.encoding.formula.predictor_columns)
        eta = self._fixed_part(columns, int(complete.sum()))
        return self._predictions(data, complete, kind, eta, self._cumulative(eta))

    def proportional_odds(self) -> AssumptionResult:
        """Test, term by term, whether its effect is the same at every threshold.

        Each term in turn gets an effect of its own at each threshold (Peterson & Harrell, 1990,
        doi:10.2307/2347760). The test is the likelihood ratio of the two models (as
        `ordinal::nominal_test`), with `cluster` a cluster-robust Wald test.

        Returns
        -------
        AssumptionResult
            `.to_frame()` has the tests, `.effects` the effect at each threshold, `.notes` what to
            do.
        """
        return proportional_odds_test(
            self.rows, self.optimiser, groups=self.groups, conf_level=self.conf_level
        )

    def scale_test(self) -> AssumptionResult:
        """Test, term by term, whether the latent answers spread equally along it.

        Where they do not, a slope mixes a shift with a difference in spread (McCullagh, 1980,
        doi:10.1111/j.2517-6161.1980.tb01109.x). Likelihood ratio as `ordinal::scale_test`; with
        `cluster` a cluster-robust Wald test.
        """
        return scale_test(self.rows, self.optimiser, groups=self.groups, conf_level=self.conf_level)


def check_kind(kind: str) -> None:
    """Refuse a kind of prediction that there is not."""
    if kind not in KINDS:
        raise OptionError("kind", kind, allowed=KINDS)


def _spread(values: FloatArray, complete: BoolArray) -> FloatArray:
    out = np.full(len(complete), np.nan)
    out[complete] = values
    return out
