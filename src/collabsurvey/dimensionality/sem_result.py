"""What `cfa` and `sem` return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from collabsurvey.dimensionality.sem.chi_square import p_value
from collabsurvey.dimensionality.sem.constraints import constraint_matrix
from collabsurvey.dimensionality.sem.estimate import fit
from collabsurvey.dimensionality.sem.explained import r_squared
from collabsurvey.dimensionality.sem.fitted import Analysis
from collabsurvey.dimensionality.sem.frames import standardised_frame
from collabsurvey.dimensionality.sem.level_specific import level_fits
from collabsurvey.dimensionality.sem.material import counted
from collabsurvey.dimensionality.sem.model import Model
from collabsurvey.dimensionality.sem.modification import modification_indices
from collabsurvey.dimensionality.sem.prepare import Prepared
from collabsurvey.dimensionality.sem.residual_z import residual_z
from collabsurvey.dimensionality.sem.residuals import ResidualKind, residuals
from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.dimensionality.sem.score_tests import p_values, release_tests
from collabsurvey.dimensionality.sem.scoring import ScoreMethod, score_answers
from collabsurvey.dimensionality.sem.standardise import Kind
from collabsurvey.dimensionality.sem.two_level import TwoLevelNormal
from collabsurvey.dimensionality.sem_picture import (
    GroupPart,
    group_picture,
    loadings_picture,
    path_diagram,
)
from collabsurvey.dimensionality.sem_tables import estimates_table, fit_table, fit_text
from collabsurvey.display import Chart, Table
from collabsurvey.errors import DataError, OptionError
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd

Solution = Literal["all", "latent", "not_covariates"]


@dataclass(frozen=True, eq=False)
class SemResult(Result):
    """A fitted structural equation model.

    Attributes
    ----------
    estimates : pandas.DataFrame
        One row a parameter, in lavaan's order: `lhs, op, rhs, group, label, estimate,
        std_error, statistic, p_value, ci_low, ci_high, std_all, std_lv, std_nox`; with several
        groups also `group_label`, with two levels `level`. Fixed parameters have the error 0.
        `std_all` has unit variances for all variables, `std_lv` for latent ones, `std_nox` for
        all but covariates.
    fit : mapping of name to number
        `chi2, df, p_value, cfi, tli, rmsea, rmsea_ci_low, rmsea_ci_high, srmr, loglik, aic, bic`
        and more; `_scaled` are made of the corrected chi-square, `_robust` estimate what
        normal and complete answers would show.
    converged : bool
        Whether the optimiser reached a minimum; read no number if it did not.
    improper : tuple of str
        Impossible parts of the solution, such as negative variances; empty if there are none.
    n_obs : int
        Respondents used, in all groups.
    groups : tuple of str
        Labels of the groups, in the order of the column `group`; empty for one sample.
    """

    name: str
    estimator: str
    missing: str
    syntax: str  # the model text
    estimates: pd.DataFrame
    fit: Mapping[str, float]
    converged: bool
    improper: tuple[str, ...]
    n_obs: int
    groups: tuple[str, ...]
    conf_level: float
    notes: tuple[str, ...]
    analysis: Analysis = field(repr=False)
    prepared: Prepared = field(repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"fit": dict(self.fit)}  # a read-only mapping cannot be copied

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state | {"fit": MappingProxyType(state["fit"])})

    @property
    def model(self) -> Model:
        """The compiled model."""
        return self.analysis.model

    @property
    def theta(self) -> FloatArray:
        """Free parameters (n_free,), in the order of the free rows of `estimates`."""
        return self.analysis.fit.theta

    @property
    def vcov(self) -> FloatArray:
        """Covariance matrix (n_free, n_free) of the free parameters."""
        return self.analysis.assessed.vcov

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Moments the model was fitted to, one for each group (or level)."""
        if self.prepared.two_level:
            return self.analysis.material.samples
        return tuple(counted(self.analysis.material))

    @property
    def group(self) -> str | None:
        """Column of the groups; None for one sample."""
        return self.prepared.answers.group or None

    @property
    def items(self) -> tuple[str, ...]:
        """Observed variables of the model."""
        return self.prepared.names

    @property
    def factors(self) -> tuple[str, ...]:
        """Latent variables of the model."""
        names = [name for b in self.model.blocks for name in b.latent[: b.n_factors]]
        return tuple(dict.fromkeys(names))

    def to_frame(self) -> pd.DataFrame:
        """Return the estimates."""
        return self.estimates.copy()

    def standardised(self, kind: Kind = "all") -> pd.DataFrame:
        """Standardised estimates with their own errors (delta method).

        `kind` as the columns of `estimates`: "all", "latent" or "not_covariates".
        """
        if kind not in get_args(Kind):
            raise OptionError("kind", kind, allowed=get_args(Kind))
        return standardised_frame(self.analysis, kind, conf_level=self.conf_level)

    @property
    def r_squared(self) -> pd.Series:
        """Share of its variance that the model explains in each indicator and outcome."""
        import pandas as pd

        found = [r_squared(block, self.theta) for block in self.model.blocks]
        if len(found) == 1:
            return pd.Series(found[0], name="r_squared")
        keys = [self._block_label(b) for b in range(len(found))]
        return pd.concat(
            {key: pd.Series(one, name="r_squared") for key, one in zip(keys, found, strict=True)}
        )

    def _block_label(self, number: int) -> str:
        block = self.model.blocks[number]
        label = self.model.groups[block.group]
        if self.model.levels == 1:
            return label
        level = "within" if block.level == 1 else "between"
        return f"{label} {level}".strip()

    def _block_of(self, group: int | str) -> int:
        """Place of the block of a group: its number from 1, or its label (of levels: number)."""
        labels = [self._block_label(b) for b in range(len(self.model.blocks))]
        if isinstance(group, str) and group in labels:
            return labels.index(group)
        if isinstance(group, int) and 1 <= group <= len(labels):
            return group - 1
        known = [f"{i} ({label})" if label else str(i) for i, label in enumerate(labels, start=1)]
        raise OptionError("group", group, allowed=known)

    def implied_cov(self, group: int | str = 1) -> pd.DataFrame:
        """Covariances the model implies in a group; of latent responses if ordered.

        `group` is its number in `estimates` or its label; of two-level models 1 is within, 2
        between (3, 4 of the second group).
        """
        import pandas as pd

        place = self._block_of(group)
        names = self.model.blocks[place].observed
        return pd.DataFrame(self.analysis.fit.implied[place].cov, names, names)

    def residuals(self, kind: ResidualKind = "correlation", group: int | str = 1) -> pd.DataFrame:
        """What the model leaves unexplained: sample minus implied covariances.

        "raw" as they are; "correlation" of the correlations of both (lavaan's "cor"); "bentler"
        divided by the sample's standard deviations. `group` as in `implied_cov`.
        """
        import pandas as pd

        if kind not in get_args(ResidualKind):
            raise OptionError("kind", kind, allowed=get_args(ResidualKind))
        place = self._block_of(group)
        names = self.model.blocks[place].observed
        sample, one = self.samples[place], self.analysis.fit.implied[place]
        return pd.DataFrame(residuals(sample, one, kind=kind).cov, names, names)

    def standardised_residuals(self, group: int | str = 1) -> pd.DataFrame:
        """Residual covariances over their standard errors: z values, 0 where nothing can differ.

        lavaan's residuals(type = "standardized"). For ML and GLS of complete rows and for least
        squares of ordered items; other estimators are refused.
        """
        import pandas as pd

        place = self._block_of(group)
        block = self.model.blocks[place]
        raw, errors = residual_z(self.analysis, place)
        z = np.divide(raw.cov, errors.cov, out=np.zeros_like(raw.cov), where=errors.cov > 0)
        return pd.DataFrame(z, block.observed, block.observed)

    def level_fits(self) -> pd.DataFrame:
        """Fit of each level of a two-level model by itself, the other level left without a model.

        Columns `level, chi2, df, p_value, cfi, tli, rmsea, n, converged`; n are respondents
        within and clusters between (Ryu & West, 2009, doi:10.1080/10705510903203466).
        """
        import pandas as pd

        discrepancy = self.analysis.material.discrepancy
        if not isinstance(discrepancy, TwoLevelNormal):
            raise DataError("level_fits() takes a model with level: 1 and level: 2.")
        found = level_fits(
            self.analysis.fit, discrepancy, lambda model, x: fit(model, discrepancy, x)
        )
        return pd.DataFrame(
            {
                "level": [one.level for one in found],
                "chi2": [one.chi2 for one in found],
                "df": [one.df for one in found],
                "p_value": [p_value(one.chi2, one.df) for one in found],
                "cfi": [one.cfi for one in found],
                "tli": [one.tli for one in found],
                "rmsea": [one.rmsea for one in found],
                "n": [one.n for one in found],
                "converged": [one.converged for one in found],
            }
        )

    def modification_indices(self, minimum: float = 0.0) -> pd.DataFrame:
        """By how much chi-square would fall if one more parameter were free, largest first.

        Columns `lhs, op, rhs, group, mi, p_value, epc, sepc_lv, sepc_all, sepc_nox`: the fall of
        chi-square (1 df), and the change of the parameter, raw and standardised. Choosing the
        largest capitalises on chance (MacCallum, Roznowski & Necowitz, 1992,
        doi:10.1037/0033-2909.111.3.490): free only what theory or wording explains.
        """
        import pandas as pd

        found = modification_indices(
            self.analysis.fit,
            self.analysis.material.discrepancy,
            n_respondents=self._n_respondents(),
        )
        levels = self.model.levels
        frame = pd.DataFrame(
            {
                "lhs": [one.lhs for one in found.parameters],
                "op": [one.op for one in found.parameters],
                "rhs": [one.rhs for one in found.parameters],
                "group": [one.block // levels + 1 for one in found.parameters],
                "mi": found.mi,
                "p_value": p_values(found.mi),
                "epc": found.epc,
                "sepc_lv": found.sepc_lv,
                "sepc_all": found.sepc_all,
                "sepc_nox": found.sepc_nox,
            }
        )
        if levels == 2:
            frame.insert(4, "level", [one.block % 2 + 1 for one in found.parameters])
        frame = frame[frame["mi"].notna() & (frame["mi"] >= minimum)]
        return frame.sort_values("mi", ascending=False, ignore_index=True)

    def score_tests(self) -> pd.DataFrame:
        """Test each equality of the model by what releasing it alone would bring (1 df).

        Columns `constraint, statistic, df, p_value`; the last row, "all", releases all together.
        lavaan's lavTestScore() gives the same statistics. For all together it counts every
        constraint as a degree of freedom; here only what can be released at once counts, since
        without any equality the latent means would not be identified.
        """
        import pandas as pd

        if not len(constraint_matrix(self.model)):
            raise DataError("The model has no equality constraints, so there is none to test.")
        found = release_tests(
            self.analysis.fit,
            self.analysis.material.discrepancy,
            n_respondents=self._n_respondents(),
        )
        names = [*found.constraints, "all"]
        whole = found.together
        return pd.DataFrame(
            {
                "constraint": names,
                "statistic": np.append(found.statistic, whole.statistic),
                "df": np.append(np.ones(len(found.statistic), dtype=int), whole.df),
                "p_value": np.append(found.p_value, whole.p_value),
            }
        )

    def _n_respondents(self) -> list[float] | None:
        """Respondents of each group, which least squares count one less of."""
        if self.prepared.two_level:
            return None
        return [one.n for one in counted(self.analysis.material)]

    def factor_scores(self, data: Any, method: ScoreMethod = "auto") -> Any:
        """Scores of every row of `data` on the latent variables; index and order as they were.

        Parameters
        ----------
        data : Responses or any frame
            With the items of the model (and its group column). A row is scored from the
            answers it has, without any answer it has no score.
        method : "auto", "regression", "bartlett", "ebm" or "eap"
            "regression" predicts the factors best and is the default for continuous answers;
            "bartlett" is unbiased for each person. For ordered items "ebm", the mode of the
            posterior, is lavaan's and the default; "eap" is its mean.

        Returns
        -------
        frame with one column a latent variable.
        """
        return score_answers(self.analysis, self.prepared, data, method)[0]

    def score_reliability(self, data: Any, method: ScoreMethod = "auto") -> pd.Series:
        """Squared correlation of the factor scores with the factors, by group and factor."""
        return score_answers(self.analysis, self.prepared, data, method)[1]

    def table(self) -> Table:
        """Fit in the title, estimates below in sections: loadings, regressions and so on."""
        return estimates_table(
            self.model,
            self.estimates,
            title=f"{self.name}: {self.fit_text()}",
            notes=self.notes,
            conf_level=self.conf_level,
        )

    def fit_table(self) -> Table:
        """Fit indices in words with their usual reading; corrected versions side by side."""
        return fit_table(self.fit, name=self.name, estimator=self.estimator)

    def fit_text(self) -> str:
        """Say in one line how the model fits, corrected versions where there are any."""
        said = fit_text(self.fit)
        return said if self.converged else f"NOT CONVERGED; {said}"

    def chart(self) -> Chart:
        """Path diagram with standardised estimates, a panel for each of up to four groups."""
        title, caution = f"{self.name}: path diagram", " ".join(self.improper)
        if not self.converged:
            title, caution = f"NOT CONVERGED: {title}", "None of these numbers can be read."
        return path_diagram(self.model, self.estimates, title=title, caution=caution)

    def loadings_chart(self) -> Chart:
        """Standardised loadings with their intervals."""
        return loadings_picture(self.standardised(), self.groups, name=self.name)

    def group_chart(self, what: GroupPart = "loadings") -> Chart:
        """Compare the groups item by item: standardised loadings, or intercepts as they are.

        Standardised loadings also differ where groups differ in the spread of a factor; the
        invariance of loadings is tested with `equal=["loadings"]`.
        """
        if what not in get_args(GroupPart):
            raise OptionError("what", what, allowed=get_args(GroupPart))
        frame = self.standardised() if what == "loadings" else self.estimates
        return group_picture(what, frame, self.groups, factors=self.factors, name=self.name)
