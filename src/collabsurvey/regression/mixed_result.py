"""What a mixed model returns, beyond what every regression does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from collabsurvey.moments.design import complete_columns, series_like
from collabsurvey.numerics.mixed import MixedFit
from collabsurvey.numerics.mixed_inference import VarianceParameters, joint_test
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.regression.prepare import groups_of
from collabsurvey.regression.results import RegressionResult, wald_frame
from collabsurvey.regression.terms import DesignPlan, expand, variable_values


@dataclass(frozen=True, eq=False)
class MixedResult(RegressionResult):
    """A linear mixed model; see `RegressionResult` for the common part.

    Attributes
    ----------
    reml : bool
        Whether the criterion is REML; `fit["loglik"]` is then the REML criterion's, as lme4's.
    singular : bool
        Whether a variance was estimated at zero, or a correlation at ±1.
    theta : (k,) array
        Elements of lme4's relative covariance factor, column by column.
    random_covariance : (q, q) array
        Variances and covariances of the random effects, in units of the data.
    modes : (G, q) array
        Conditional modes of the groups, the order of `group_names`.
    mode_sds : (G, q) array
        Their conditional standard deviations, the fixed effects taken as known (as lme4).
    optimiser : MixedFit
        Method, iterations, gradient at the optimum.
    """

    df_method: str
    reml: bool
    singular: bool
    group: str
    group_names: tuple[str, ...] = field(repr=False)
    random_terms: tuple[str, ...]
    correlated: bool
    theta: FloatArray = field(repr=False)
    random_covariance: FloatArray = field(repr=False)
    modes: FloatArray = field(repr=False)
    mode_sds: FloatArray = field(repr=False)
    random_plan: DesignPlan = field(repr=False)
    parameters: VarianceParameters = field(repr=False)
    basis: FloatArray = field(repr=False)  # (p, p) coefficients = basis @ those of Q
    optimiser: MixedFit = field(repr=False)

    @property
    def title(self) -> str:
        """What the model is, in one line."""
        method = "REML" if self.reml else "maximum likelihood"
        return f"Mixed model of {self.outcome} by {self.group} ({method})"

    @property
    def variance_components(self) -> pd.DataFrame:
        """Variances with lme4's columns: group, term1, term2, vcov, sdcor.

        Variances first, then covariances (term2 set, sdcor the correlation), the residual last.
        Slopes that are uncorrelated (`||`) are numbered as groups of their own, as lme4 does.
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
        if self.correlated:
            for i in range(len(names)):
                for j in range(i + 1, len(names)):
                    size = sds[i] * sds[j]
                    correlation = float(cov[i, j] / size) if size > 0 else np.nan
                    rows.append((self.group, names[i], names[j], float(cov[i, j]), correlation))
        sigma = float(self.fit["sigma"])
        rows.append(("Residual", None, None, sigma**2, sigma))
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

    def wald(self, terms: Sequence[str] | str | None = None) -> pd.DataFrame:
        """Test that several coefficients are zero at once; all but the intercept by default.

        F with Satterthwaite df, as lmerTest (for one coefficient, its t squared); chi-square with
        `df_method="z"`.

        Returns
        -------
        DataFrame
            One row: test, statistic, df1, df2, p_value.
        """
        rows = self._contrasts(terms)
        if self.df_method == "z":
            return self._wald_without_pieces(rows)
        found = joint_test(self.parameters, rows @ self.basis, rows @ self.coefficients)
        return wald_frame("F", found[0], len(rows), found[1], found[2])

    def predict(self, data: Any, *, random_effects: bool = True) -> Any:
        """Predicted outcome for every row of a table, as a series of its engine.

        With `random_effects` the conditional modes of known groups are added; a group that the
        fit has not seen is predicted at the average group. A row that lacks a predictor, or
        its group, has a missing prediction.
        """
        formula = self.encoding.formula
        random = formula.random[0]
        names = formula.random_columns if random_effects else ()
        columns, complete = complete_columns(data, [*formula.predictor_columns, *names])
        n = int(complete.sum())
        fitted = self._fixed_part(columns, n)
        if random_effects:
            groups = groups_of(random.group, columns)
            place = {name: i for i, name in enumerate(self.group_names)}
            modes = np.vstack((self.modes, np.zeros(self.modes.shape[1])))
            of_group = modes[[place.get(name, -1) for name in groups.names]]
            values = variable_values(random.terms, columns, self.encoding, n)
            z = expand(self.random_plan, values, slice(0, n))
            fitted = fitted + (z * of_group[groups.codes]).sum(axis=1)
        predictions = np.full(len(complete), np.nan)
        predictions[complete] = fitted
        return series_like(data, self.outcome, predictions)

    def _fit_sentences(self) -> tuple[str, ...]:
        parts = [
            f"{name} SD {sd:.3f}" if other is None else f"correlation {name}, {other} {sd:.2f}"
            for group, name, other, _, sd in self._components()
            if group != "Residual"
        ]
        return (
            f"{self.formula}; {self.fit['n_obs']} rows in {self.fit['n_groups']} groups of "
            f"{self.group}.",
            f"Between groups: {', '.join(parts)}; residual SD {self.fit['sigma']:.3f}.",
        )
