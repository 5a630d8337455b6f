"""What logistic and count models return, beyond what every regression does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import interval_chart
from collabsurvey.display.ratio_axis import ratio_axis
from collabsurvey.errors import OptionError
from collabsurvey.moments.design import complete_columns, series_like
from collabsurvey.numerics.glm_outcome import Family, mean_of
from collabsurvey.numerics.glmm_fit import GlmmFit
from collabsurvey.numerics.glmm_population import averaged_link, averaged_mean
from collabsurvey.numerics.student import critical_value, two_sided_p
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.regression.prepare import groups_of
from collabsurvey.regression.results import RegressionResult
from collabsurvey.regression.terms import INTERCEPT, DesignPlan, expand, variable_values
from collabsurvey.results import table_from_frame

Kind = Literal["auto", "probability", "mean", "link"]
Level = Literal["population", "typical", "cluster"]


@dataclass(frozen=True, eq=False)
class GeneralizedResult(RegressionResult):
    """A logistic regression, or one of counts; see `RegressionResult` for the common part.

    Estimates are on the scale of the link: log odds, or logs of expected counts. `.ratios` has
    them as odds ratios or rate ratios.
    """

    family: Family

    @property
    def ratio_name(self) -> str:
        """What exp() of a coefficient is: "odds_ratio" or "rate_ratio"."""
        return "odds_ratio" if self.family == "binomial" else "rate_ratio"

    @property
    def ratios(self) -> pd.DataFrame:
        """One row per term without the intercept: odds_ratio or rate_ratio, ci_low, ci_high."""
        shown = self.estimates
        shown = shown[shown["term"] != INTERCEPT].reset_index(drop=True)
        return pd.DataFrame(
            {
                "term": shown["term"],
                self.ratio_name: np.exp(shown["estimate"]),
                "ci_low": np.exp(shown["ci_low"]),
                "ci_high": np.exp(shown["ci_high"]),
            }
        )

    @property
    def title(self) -> str:
        """What the model is, in one line."""
        return f"{_family_words(self.family)} regression of {self.outcome}"

    def wald(self, terms: Sequence[str] | str | None = None) -> pd.DataFrame:
        """Test that several coefficients are zero at once; all but the intercept by default.

        Chi-square where the tests use the normal distribution, else F on the df of the model.

        Returns
        -------
        DataFrame
            One row: test, statistic, df1, df2, p_value.
        """
        return self._wald_without_pieces(self._contrasts(terms))

    def predict(self, data: Any, *, kind: Kind = "auto") -> Any:
        """Predicted probability or count for every row of a table, as a series of its engine.

        Parameters
        ----------
        data : frame
            With the columns of the predictors; a row that lacks one has a missing prediction.
        kind : str
            "probability" (logistic), "mean" (counts), or "link" for the linear predictor: log
            odds, or the log of the mean. "auto" is the first that fits the model.
        """
        kind = self._checked_kind(kind)
        columns, complete = complete_columns(data, self.encoding.formula.predictor_columns)
        fitted = self._fixed_part(columns, int(complete.sum()))
        values = np.full(len(complete), np.nan)
        values[complete] = fitted if kind == "link" else mean_of(self.family, fitted)
        return series_like(data, self.outcome, values)

    def _checked_kind(self, kind: Kind) -> Kind:
        own: Kind = "probability" if self.family == "binomial" else "mean"
        if kind not in {"auto", own, "link"}:
            raise OptionError("kind", kind, allowed=("auto", own, "link"))
        return own if kind == "auto" else kind

    def table(self) -> Table:
        """Return coefficients and ratios as a reader is shown them."""
        shown = self.estimates.drop(columns=["ci_low", "ci_high"])
        if np.isinf(self.df).all():
            shown = shown.drop(columns="df")
        ratios = self.ratios.rename(columns={"ci_low": "ratio_low", "ci_high": "ratio_high"})
        shown = shown.merge(ratios, on="term", how="left", sort=False)
        labels = {
            "p_value": "p",
            "ratio_low": f"{self.conf_level:.0%} CI low",
            "ratio_high": "high",
            "averaged": f"averaged {self.ratio_name.replace('_', ' ')}",
        }
        averaged = self._averaged_ratios()
        if averaged is not None:
            shown["averaged"] = averaged
        return table_from_frame(
            shown, self.title, notes=(*self._fit_sentences(), *self.notes), labels=labels
        )

    def _averaged_ratios(self) -> FloatArray | None:
        """Ratios (p,) averaged over clusters, missing for the intercept; None without clusters."""
        return None

    def chart(self) -> Chart:
        """Return a forest of the ratios with their intervals, on a logarithmic axis."""
        shown = self.ratios
        words = self.ratio_name.replace("_", " ")
        forest = interval_chart(
            shown["term"].tolist(),
            shown[self.ratio_name].tolist(),
            shown["ci_low"].tolist(),
            shown["ci_high"].tolist(),
            title=self.title,
            axis=f"{words} ({self.conf_level:.0%} interval)",
            reference=1.0,
        )

        def draw(ax: Any) -> None:
            forest.draw(ax)
            ratio_axis(ax)

        return Chart(forest.title, forest.description, draw, forest.size)


@dataclass(frozen=True, eq=False)
class MixedGeneralizedResult(GeneralizedResult):
    """A mixed logistic model, or one of counts; see `GeneralizedResult` for the common part.

    Attributes
    ----------
    singular : bool
        Whether a variance was estimated at zero, or a correlation at ±1.
    theta : (k,) array
        Elements of lme4's covariance factor, column by column.
    random_covariance : (q, q) array
        Variances and covariances of the random effects, on the scale of the link.
    modes, mode_sds : (G, q) arrays
        Conditional modes of the groups and their conditional standard deviations, the parameters
        taken as known; the order of `group_names`.
    averaged, averaged_covariance : (p,) and (p, p) arrays
        Population-averaged coefficients and their covariance.
    optimiser : GlmmFit
        Method, iterations, gradient at the optimum.
    """

    n_quad: int
    singular: bool
    group: str
    group_names: tuple[str, ...] = field(repr=False)
    random_terms: tuple[str, ...]
    correlated: bool
    theta: FloatArray = field(repr=False)
    random_covariance: FloatArray = field(repr=False)
    modes: FloatArray = field(repr=False)
    mode_sds: FloatArray = field(repr=False)
    averaged: FloatArray = field(repr=False)
    averaged_covariance: FloatArray = field(repr=False)
    random_plan: DesignPlan = field(repr=False)
    optimiser: GlmmFit = field(repr=False)

    @property
    def title(self) -> str:
        """What the model is, in one line."""
        method = "Laplace" if self.n_quad == 1 else f"quadrature with {self.n_quad} points"
        words = _family_words(self.family).replace("Logistic", "logistic")
        words = words.replace("Negative", "negative")
        return f"Mixed {words} model of {self.outcome} by {self.group} ({method})"

    @property
    def variance_components(self) -> pd.DataFrame:
        """Variances on the link's scale with lme4's columns: group, term1, term2, vcov, sdcor.

        Variances first, then covariances (term2 set, sdcor the correlation); there is no residual
        variance. Slopes that are uncorrelated (`||`) are numbered as groups, as lme4 does.
        """
        names = ["group", "term1", "term2", "vcov", "sdcor"]
        return pd.DataFrame(self._components(), columns=names)

    def _components(self) -> list[tuple[str, str | None, str | None, float, float]]:
        cov, names = self.random_covariance, self.random_terms
        sds = np.sqrt(np.diag(cov))
        rows: list[tuple[str, str | None, str | None, float, float]] = []
        for i, name in enumerate(names):
            group = self.group if self.correlated or i == 0 else f"{self.group}.{i}"
            rows.append((group, name, None, float(cov[i, i]), float(sds[i])))
        for i in range(len(names)) if self.correlated else ():
            for j in range(i + 1, len(names)):
                size = sds[i] * sds[j]
                correlation = float(cov[i, j] / size) if size > 0 else np.nan
                rows.append((self.group, names[i], names[j], float(cov[i, j]), correlation))
        return rows

    @property
    def random_effects(self) -> pd.DataFrame:
        """Conditional modes: group, level, term, estimate, conditional_sd; lme4's `ranef`."""
        n_groups, q = self.modes.shape
        return pd.DataFrame(
            {
                "group": self.group,
                "level": np.repeat(np.array(self.group_names, dtype=object), q),
                "term": list(self.random_terms) * n_groups,
                "estimate": self.modes.ravel(),
                "conditional_sd": self.mode_sds.ravel(),
            }
        )

    @property
    def population_average(self) -> pd.DataFrame:
        """Coefficients of the averaged probability or count, over all groups.

        Columns of `.estimates` and the odds or rate ratio. An odds ratio of `.ratios` compares
        members of one group; that of this table compares the averages of all groups, and is
        nearer 1 (Hedeker et al., 2018, doi:10.1111/biom.12707; errors by the delta method).
        """
        error = np.sqrt(np.diag(self.averaged_covariance))
        statistic = self.averaged / error
        half = critical_value(self.conf_level, self.df) * error
        return pd.DataFrame(
            {
                "term": list(self.terms),
                "estimate": self.averaged,
                "std_error": error,
                "statistic": statistic,
                "df": self.df,
                "p_value": two_sided_p(statistic, self.df),
                "ci_low": self.averaged - half,
                "ci_high": self.averaged + half,
                self.ratio_name: self._averaged_ratios(),
            }
        )

    def _averaged_ratios(self) -> FloatArray:
        of_intercept = np.array([term == INTERCEPT for term in self.terms])
        return np.where(of_intercept, np.nan, np.exp(self.averaged))

    def predict(self, data: Any, *, kind: Kind = "auto", level: Level = "population") -> Any:
        """Predicted probability or count for every row of a table, as a series of its engine.

        Parameters
        ----------
        data : frame
            With the columns of the predictors, and of the groups for `level="cluster"`. A row that
            lacks one has a missing prediction.
        kind : str
            "probability" (logistic), "mean" (counts), or "link": log odds, or the log of the
            mean, of the same prediction. "auto" is the first that fits the model.
        level : str
            "population" (default): the average over groups, which is what a share or a mean in
            the population is. "typical": a group whose effects are zero, lme4's `re.form=NA`.
            "cluster": the row's own group at its conditional mode, lme4's default; a group that the
            fit has not seen is predicted as the population.
        """
        kind = self._checked_kind(kind)
        if level not in {"population", "typical", "cluster"}:
            raise OptionError("level", level, allowed=("population", "typical", "cluster"))
        formula = self.encoding.formula
        names = {"typical": (), "cluster": formula.random_columns}.get(
            level, tuple(n for n in formula.random_columns if n not in formula.grouping_columns)
        )
        columns, complete = complete_columns(data, [*formula.predictor_columns, *names])
        n = int(complete.sum())
        eta = self._fixed_part(columns, n)
        if level != "typical":
            values = variable_values(formula.random[0].terms, columns, self.encoding, n)
            z = expand(self.random_plan, values, slice(0, n))
            sd = np.sqrt(np.einsum("na,ab,nb->n", z, self.random_covariance, z))
            averaged = averaged_link(self.family, averaged_mean(self.family, eta, sd))
            eta = averaged if level == "population" else self._at_modes(columns, z, eta, averaged)
        predictions = np.full(len(complete), np.nan)
        predictions[complete] = eta if kind == "link" else mean_of(self.family, eta)
        return series_like(data, self.outcome, predictions)

    def _at_modes(
        self, columns: Any, z: FloatArray, eta: FloatArray, averaged: FloatArray
    ) -> FloatArray:
        groups = groups_of(self.encoding.formula.random[0].group, columns)
        place = {name: i for i, name in enumerate(self.group_names)}
        known = np.array([place.get(name, -1) for name in groups.names], dtype=np.int64)
        of_row = known[groups.codes]
        return np.where(of_row < 0, averaged, eta + (z * self.modes[of_row]).sum(axis=1))

    def _fit_sentences(self) -> tuple[str, ...]:
        parts = [
            f"{name} SD {sd:.3f}" if other is None else f"correlation {name}, {other} {sd:.2f}"
            for _, name, other, _, sd in self._components()
        ]
        scale = "log odds" if self.family == "binomial" else "logs of the count"
        return (
            f"{self.formula}; {self.fit['n_obs']} rows in {self.fit['n_groups']} groups of "
            f"{self.group}.",
            f"Between groups, in {scale}: {', '.join(parts)}.",
        )


def _family_words(family: Family) -> str:
    return {"binomial": "Logistic", "poisson": "Poisson", "negbin": "Negative binomial"}[family]
