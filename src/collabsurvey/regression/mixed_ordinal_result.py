"""What an ordinal regression with a random intercept returns, beyond what the others do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from collabsurvey.errors import OptionError
from collabsurvey.moments.design import complete_columns
from collabsurvey.numerics.cumulative import CumulativeFit
from collabsurvey.numerics.cumulative_link import averaged
from collabsurvey.numerics.cumulative_mixed import MixedRows
from collabsurvey.numerics.cumulative_mixed_fit import CumulativeMixedFit, fit_cumulative_mixed
from collabsurvey.numerics.student import critical_value
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.regression.ordinal_assumption_result import AssumptionResult
from collabsurvey.regression.ordinal_assumptions import FreeFit, proportional_odds_test
from collabsurvey.regression.ordinal_result import SCALE, CumulativeResult, Kind, check_kind
from collabsurvey.regression.ordinal_rows import OrdinalRows
from collabsurvey.regression.prepare import Groups, groups_of
from collabsurvey.regression.terms import INTERCEPT

Level = Literal["population", "typical", "cluster"]
LEVELS = ("population", "typical", "cluster")


@dataclass(frozen=True, eq=False)
class MixedOrdinalResult(CumulativeResult):
    """An ordinal regression with a random intercept; see `CumulativeResult`.

    Slopes and odds ratios compare members of one group, or of groups that are alike.

    Attributes
    ----------
    n_quad : int
        Points of the quadrature; 1 is Laplace's approximation.
    singular : bool
        Whether the variance between groups was estimated at zero.
    sd : float
        Standard deviation between groups, on the scale of the link.
    parameter_covariance : (J - 1 + p + 1, J - 1 + p + 1) array
        Of thresholds, slopes and sd. `ordinal::clmm` keeps log(sd): divide the last row and column
        by sd.
    modes, mode_sds : (G,) arrays
        Conditional modes of the groups and their conditional standard deviations, the parameters
        taken as known; the order of `group_names`.
    optimiser : CumulativeMixedFit
        Method, iterations, gradient at the optimum, on centred orthonormal columns.
    """

    n_quad: int
    singular: bool
    sd: float
    group: str
    group_names: tuple[str, ...] = field(repr=False)
    groups: Groups = field(repr=False)
    parameter_covariance: FloatArray = field(repr=False)
    modes: FloatArray = field(repr=False)
    mode_sds: FloatArray = field(repr=False)
    start: CumulativeFit = field(repr=False)
    optimiser: CumulativeMixedFit = field(repr=False)

    @property
    def title(self) -> str:
        """What the model is, in one line."""
        method = "Laplace" if self.n_quad == 1 else f"quadrature with {self.n_quad} points"
        return f"Mixed ordinal model of {self.outcome} by {self.group} ({self.link}, {method})"

    @property
    def variance_components(self) -> pd.DataFrame:
        """The variance between groups with lme4's columns: group, term1, term2, vcov, sdcor."""
        row = (self.group, INTERCEPT, None, self.sd**2, self.sd)
        return pd.DataFrame([row], columns=["group", "term1", "term2", "vcov", "sdcor"])

    @property
    def sd_interval(self) -> tuple[float, float] | None:
        """Interval of the standard deviation between groups, from its logarithm; None at zero."""
        if self.singular:
            return None
        error = float(np.sqrt(self.parameter_covariance[-1, -1])) / self.sd
        z = float(critical_value(self.conf_level, np.array([np.inf]))[0])
        return self.sd * float(np.exp(-z * error)), self.sd * float(np.exp(z * error))

    @property
    def random_effects(self) -> pd.DataFrame:
        """Conditional modes: group, level, term, estimate, conditional_sd; clmm's `ranef`."""
        return pd.DataFrame(
            {
                "group": self.group,
                "level": list(self.group_names),
                "term": INTERCEPT,
                "estimate": self.modes,
                "conditional_sd": self.mode_sds,
            }
        )

    def predict(self, data: Any, *, kind: Kind = "probability", level: Level = "population") -> Any:
        """Predictions for every row of a table, as its engine has them.

        Parameters
        ----------
        data : frame
            With the columns of the predictors, and of the groups for `level="cluster"`. A row that
            lacks one has a missing prediction.
        kind : str
            "probability": a table with a column per category. "cumulative": a table with
            a column per threshold, the probability of a category at or below it. "category": the
            most probable category, as a series. "link": the linear predictor, which for
            "population" is that of a typical group.
        level : str
            "population" (default): probabilities averaged over groups, which are the shares in the
            population. "typical": a group whose effect is zero. "cluster": the row's own group
            at its conditional mode; a group that the fit has not seen is predicted as the
            population.
        """
        check_kind(kind)
        if level not in LEVELS:
            raise OptionError("level", level, allowed=LEVELS)
        formula = self.encoding.formula
        names = formula.grouping_columns if level == "cluster" else ()
        columns, complete = complete_columns(data, [*formula.predictor_columns, *names])
        eta = self._fixed_part(columns, int(complete.sum()))
        if level == "typical":
            return self._predictions(data, complete, kind, eta, self._cumulative(eta))
        cumulative = averaged(self.link, self.threshold_values - eta[:, None], self.sd)
        if level == "cluster":
            groups = groups_of(formula.random[0].group, columns)
            place = {name: i for i, name in enumerate(self.group_names)}
            of_row = np.array([place.get(name, -1) for name in groups.names], dtype=np.int64)
            of_row = of_row[groups.codes]
            eta = eta + np.append(self.modes, 0.0)[of_row]
            cumulative = np.where(of_row[:, None] < 0, cumulative, self._cumulative(eta))
        return self._predictions(data, complete, kind, eta, cumulative)

    def proportional_odds(self) -> AssumptionResult:
        """Test, term by term, whether its effect is the same at every threshold.

        Each term in turn gets an effect of its own at each threshold, beside the random intercept;
        the test is the likelihood ratio of the two models.

        Returns
        -------
        AssumptionResult
            `.to_frame()` has the tests, `.effects` the effect at each threshold (without the random
            intercept), `.notes` what to do.
        """

        def refit(free: FreeFit) -> float:
            back = np.empty_like(free.order)
            back[free.order] = np.arange(len(free.order))
            rows = mixed_rows(self.rows, self.groups, free.rows.x[back], free.rows.w[back])
            return fit_cumulative_mixed(rows, free.fit, n_quad=self.n_quad).loglik

        return proportional_odds_test(
            self.rows,
            self.start,
            groups=None,
            conf_level=self.conf_level,
            refit=refit,
            loglik=float(self.fit["loglik"]),
        )

    def _fit_sentences(self) -> tuple[str, ...]:
        interval = self.sd_interval
        limits = f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else ""
        return (
            f"{self.formula}; {self.fit['n_obs']} rows in {self.fit['n_groups']} groups of "
            f"{self.group}, {len(self.categories)} categories.",
            f"Terms are in {SCALE[self.link]}, within a group; {self.rows.thresholds[0]} is the "
            "threshold between two categories.",
            f"Between groups: SD {self.sd:.3f}{limits}; {self.fit['icc']:.0%} of the variance of "
            "the latent answer (ICC).",
        )


def mixed_rows(model: OrdinalRows, groups: Groups, x: FloatArray, w: FloatArray) -> MixedRows:
    """Sort rows by group."""
    order = np.argsort(groups.codes, kind="stable")
    codes = groups.codes[order]
    starts = np.searchsorted(codes, np.arange(len(groups.names)))
    return MixedRows(
        link=model.link,
        category=model.codes[order],
        n_thresholds=len(model.thresholds),
        w=w[order],
        x=x[order],
        offset=model.offset[order],
        starts=starts.astype(np.int64),
        codes=codes,
    )
