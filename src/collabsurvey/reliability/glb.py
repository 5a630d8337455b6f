"""The greatest lower bound to the reliability of a scale."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from collabsurvey.dimensionality.extraction import LOWEST_UNIQUENESS, extract
from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import interval_chart
from collabsurvey.errors import ConvergenceWarning, FewClustersWarning
from collabsurvey.moments.covariance import Missing
from collabsurvey.numerics import itemstats
from collabsurvey.numerics.glb import greatest_lower_bound
from collabsurvey.numerics.linalg import read_only
from collabsurvey.numerics.lower_bounds import SINGULAR, correlation_stack
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.reliability.alpha_interval import SEED
from collabsurvey.reliability.bounds_inputs import scale_matrix
from collabsurvey.reliability.bounds_interval import BoundBootstrap, BoundInterval, bound_limits
from collabsurvey.responses.responses import Responses
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd

FORMULAS = {
    "glb": "1 − max tr(Θ) / ΣΣ C with C − Θ and Θ positive semidefinite (Jackson & Agunwamba, "
    "1977; psych's glb.algebraic)",
    "glb_fa": "(ΣΣ r + Σ communalities) / ΣΣ R of as many minres factors as one factor leaves "
    "positive roots (psych's glb.fa)",
    "alpha": "k/(k−1) (1 − Σ C_ii / ΣΣ C) (Cronbach, 1951)",
}
WORDS = {
    "glb": "greatest lower bound",
    "glb_fa": "bound from communalities (glb.fa)",
    "alpha": "alpha",
}
STARTS = 4  # of an improper factor solution
BIAS = (
    "The greatest lower bound is too high in samples, the more so with many items and few rows, "
    "where alpha is not (Shapiro & ten Berge, 2000); with fewer than about 1000 rows read it with "
    "its interval (ten Berge & Sočan, 2004)."
)


@dataclass(frozen=True, eq=False)
class GlbResult(Result):
    """The greatest lower bound of one scale.

    Attributes
    ----------
    estimate : float
        The greatest lower bound.
    accuracy : float
        Proven distance to the true optimum (duality gap); at most 1e-8 where `converged`.
    error_variances : (k,) the most error the items can have, the diagonal of Theta
    glb_fa : float
        psych's glb.fa: another number, from communalities of correlations. It can lie above
        `estimate` and is then no lower bound.
    n_factors_fa : int
        Factors behind `glb_fa`.
    bias : float
        Mean of the bootstrap's resamples minus the estimate; NaN without a bootstrap.
    """

    scale: str
    estimate: float
    ci_low: float
    ci_high: float
    std_error: float
    bias: float
    accuracy: float
    converged: bool
    error_variances: FloatArray
    glb_fa: float
    n_factors_fa: int
    alpha: float
    standardised: bool
    coefficients_frame: pd.DataFrame
    items: tuple[str, ...]
    n_respondents: int
    n_rows: int
    n_clusters: int | None
    ci_method: str
    conf_level: float
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Rows glb, glb_fa and alpha.

        Columns: coefficient, estimate, std_error, ci_low, ci_high, bias, formula, scale,
        n_respondents, conf_level, ci_method.
        """
        return self.coefficients_frame.copy()

    def table(self) -> Table:
        """The bound beside alpha, with formulas."""
        frame = self.coefficients_frame
        columns = ["coefficient", "estimate", "ci_low", "ci_high", "bias", "formula"]
        if self.ci_method == "none":
            columns = ["coefficient", "estimate", "formula"]
        elif self.ci_method == "jackknife":
            columns.remove("bias")
        return Table(
            title=f"Greatest lower bound to the reliability of {self.scale}: {self.estimate:.2f}",
            columns={
                "coefficient": [WORDS[name] for name in frame["coefficient"]],
                **{name: frame[name].tolist() for name in columns[1:]},
            },
            notes=self.notes,
            formats={**dict.fromkeys(("estimate", "ci_low", "ci_high"), ".2f"), "bias": ".3f"},
        )

    def chart(self) -> Chart:
        """The coefficients, with intervals where there are any."""
        frame = self.coefficients_frame
        return interval_chart(
            labels=[WORDS[name] for name in frame["coefficient"]],
            estimate=frame["estimate"].tolist(),
            low=frame["ci_low"].tolist(),
            high=frame["ci_high"].tolist(),
            title=f"Greatest lower bound of {self.scale}",
            axis="reliability is at least",
        )


def glb(
    responses: Responses,
    items: str | Sequence[str],
    *,
    standardised: bool = False,
    missing: Missing = "listwise",
    ci: BoundInterval = "none",
    cluster: str | None = "auto",
    conf_level: float = 0.95,
    bootstrap: BoundBootstrap = "bca",
    n_boot: int = 2000,
    seed: int = SEED,
    progress: bool = True,
) -> GlbResult:
    """Find the greatest lower bound to the reliability of a scale.

    No lower bound that uses the covariances of the items can be higher: of all splits of the
    covariances into true scores and uncorrelated errors it takes the one with most error.

    Parameters
    ----------
    responses : Responses
        Reverse-keyed items are turned round; the weight role is applied.
    items : str or sequence of str
        A scale id, or item ids.
    standardised : bool
        From correlations; the default is covariances, for the score as it is used. `glb_fa`
        is from correlations in any case.
    missing, ci, cluster, conf_level, bootstrap, n_boot, seed, progress
        As in `guttman`. The optimum is found anew in every resample: ci="bootstrap" of 2000
        takes about 3 seconds with five items and 10 with ten, ci="jackknife" a tenth of that.

    Raises
    ------
    NotEnoughItemsError, NotEnoughDataError, NoVarianceError, DataError
        As `alpha`.

    Warns
    -----
    ConvergenceWarning
        The optimum is known to less than 1e-8.

    Notes
    -----
    Agrees with psych::glb.algebraic (the solver CSDP). Where the matrix is singular, as with
    copies of an item or fewer rows than items, items that take part in the singular direction
    can have no error, and the bound says so rather than what is likely. Items that correlate
    by more than .999999 leave too few digits for 1e-8; `accuracy` and a warning say so.
    Sources: Jackson & Agunwamba (1977) doi:10.1007/BF02295979; Bentler & Woodward (1980)
    doi:10.1007/BF02294079; Shapiro & ten Berge (2000) doi:10.1007/BF02296154 for its bias;
    ten Berge & Sočan (2004) doi:10.1007/BF02289858.
    """
    import pandas as pd

    matrix = scale_matrix(
        responses,
        items,
        missing=missing,
        standardised=standardised,
        method="The greatest lower bound",
    )
    moments = matrix.moments
    solved = greatest_lower_bound(matrix.values[None])
    factored, n_factors = factor_bound(correlation_stack(matrix.values[None]))

    def statistic(covs: FloatArray) -> FloatArray:
        used = correlation_stack(covs) if standardised else covs
        return np.column_stack(
            [
                greatest_lower_bound(used).glb,
                factor_bound(correlation_stack(covs))[0],
                itemstats.alphas(used),
            ]
        )

    estimates = np.array([solved.glb[0], factored[0], itemstats.coefficient_alpha(matrix.values)])
    limits = bound_limits(
        responses,
        moments.items,
        statistic,
        estimates,
        ci=ci,
        cluster=cluster,
        missing=missing,
        conf_level=conf_level,
        bootstrap=bootstrap,
        n_boot=n_boot,
        seed=seed,
        method="The greatest lower bound",
        progress=progress,
    )
    if limits.few_clusters:
        warnings.warn(limits.few_clusters, FewClustersWarning, stacklevel=2)
    notes = [*matrix.notes, BIAS, *limits.notes]
    if not solved.converged[0]:
        sentence = f"The optimum is known to {solved.accuracy[0]:.1g} only."
        notes.append(sentence)
        warnings.warn(sentence, ConvergenceWarning, stacklevel=2)
    frame = pd.DataFrame(
        {
            "coefficient": list(FORMULAS),
            "estimate": estimates,
            "std_error": limits.std_error,
            "ci_low": limits.ci_low,
            "ci_high": limits.ci_high,
            "bias": limits.bias,
            "formula": list(FORMULAS.values()),
            "scale": matrix.name,
            "n_respondents": moments.n_respondents,
            "conf_level": conf_level,
            "ci_method": limits.method,
        }
    )
    return GlbResult(
        scale=matrix.name,
        estimate=float(estimates[0]),
        ci_low=float(limits.ci_low[0]),
        ci_high=float(limits.ci_high[0]),
        std_error=float(limits.std_error[0]),
        bias=float(limits.bias[0]),
        accuracy=float(solved.accuracy[0]),
        converged=bool(solved.converged[0]),
        error_variances=read_only(solved.errors[0]),
        glb_fa=float(estimates[1]),
        n_factors_fa=int(n_factors[0]),
        alpha=float(estimates[2]),
        standardised=standardised,
        coefficients_frame=frame,
        items=moments.items,
        n_respondents=moments.n_respondents,
        n_rows=moments.n_rows,
        n_clusters=limits.n_clusters,
        ci_method=limits.method,
        conf_level=conf_level,
        notes=tuple(notes),
    )


def factor_bound(cors: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Psych's glb.fa (B,) of correlation matrices (B, k, k), and how many factors it took.

    One minres factor; then as many as the correlations with its communalities on the diagonal
    have positive roots, one fewer where that many leave no degrees of freedom. NaN with fewer
    than three items and where a matrix is singular.
    """
    n, k = cors.shape[:2]
    found, m = np.full(n, np.nan), np.zeros(n)
    regular = np.flatnonzero(np.linalg.eigvalsh(cors)[:, 0] > SINGULAR)
    if k < 3 or not len(regular):
        return found, m
    one = extract(cors[regular], 1, "minres")
    places = np.arange(k)
    reduced = cors[regular].copy()
    reduced[:, places, places] = 1 - one.uniquenesses
    positive = (np.linalg.eigvalsh(reduced) > 0).sum(axis=1)
    df = k * (k - 1) / 2 - positive * k + positive * (positive - 1) / 2
    m[regular] = np.maximum(np.where(df < 0, positive - 1, positive), 1)
    for count in np.unique(m[regular]):
        some = regular[m[regular] == count]
        communality = _communality(cors[some], int(count))
        total = cors[some].sum(axis=(1, 2))
        found[some] = (total - k + communality) / total
    return found, m


def _communality(cors: FloatArray, n_factors: int) -> FloatArray:
    """Sum of communalities (B,) of minres factors.

    Two factors of five items often have several local optima. The one reached from squared
    multiple correlations is taken where it is proper, the lowest of four starts where an item
    has no unique variance left.
    """
    first = extract(cors, n_factors, "minres")
    total = (first.loadings**2).sum(axis=(1, 2))
    improper = np.flatnonzero(first.uniquenesses.min(axis=1) < LOWEST_UNIQUENESS + 1e-6)
    if len(improper):
        again = extract(cors[improper], n_factors, "minres", n_starts=STARTS)
        total[improper] = (again.loadings**2).sum(axis=(1, 2))
    return np.asarray(total)
