"""Guttman's lower bounds to reliability, with the split halves and their relatives."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import interval_chart
from collabsurvey.errors import FewClustersWarning, NotEnoughItemsError
from collabsurvey.moments.covariance import Missing
from collabsurvey.numerics.linalg import read_only
from collabsurvey.numerics.lower_bounds import FORMULAS, correlation_stack, lower_bounds
from collabsurvey.numerics.split_halves import (
    MOST_ENUMERATED,
    every_half,
    extremes,
    sampled_halves,
)
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.reliability.alpha_interval import SEED
from collabsurvey.reliability.bounds_inputs import scale_matrix
from collabsurvey.reliability.bounds_interval import BoundBootstrap, BoundInterval, bound_limits
from collabsurvey.responses.responses import Responses
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd

HALVES = {
    "lambda4": "4 cov(A, B) / ΣΣ C of the split in halves A, B with the highest value (Guttman, "
    "1945)",
    "split_half_worst": "the lowest value of all splits (psych's beta of splitHalf)",
    "split_half_mean": "mean over all splits; alpha where the number of items is even (Cronbach, "
    "1951)",
}
ORDER = (
    *("lambda1", "lambda2", "lambda3", "lambda4", "lambda5", "lambda6", "lambda5_plus"),
    *("mu2", "mu3", "theta", "split_half_worst", "split_half_mean"),
)
WORDS = {
    "lambda1": "lambda 1",
    "lambda2": "lambda 2",
    "lambda3": "lambda 3 (alpha)",
    "lambda4": "lambda 4 (best split half)",
    "lambda5": "lambda 5",
    "lambda6": "lambda 6",
    "lambda5_plus": "lambda 5 with k/(k−1)",
    "mu2": "mu 2 (ten Berge & Zegers)",
    "mu3": "mu 3 (ten Berge & Zegers)",
    "theta": "theta (Armor; no lower bound)",
    "split_half_worst": "worst split half",
    "split_half_mean": "mean split half",
}
SPLITS = 10_000  # of larger scales, drawn at random and improved by exchanging items


@dataclass(frozen=True, eq=False)
class GuttmanResult(Result):
    """Lower bounds to the reliability of one scale.

    Attributes
    ----------
    lambda1 … lambda6 : float
        Guttman's bounds; lambda3 is alpha, lambda4 the best split half.
    lambda5_plus, mu2, mu3, theta : float
        psych's `lambda.5p`, `tenberge` and `alpha.pc`; theta is no lower bound.
    split_half_best, split_half_worst, split_half_mean : float
        Over all splits into halves, or over a sample; the best is lambda4.
    standardised : bool
        From correlations (as psych) and not from covariances.
    bounds : pandas.DataFrame
        One row a coefficient: coefficient, estimate, std_error, ci_low, ci_high, bias, formula,
        scale, n_respondents, conf_level, ci_method.
        `bias` is the bootstrap's estimate of how much the coefficient is too high.
    """

    scale: str
    bounds: pd.DataFrame
    items: tuple[str, ...]
    matrix: FloatArray
    standardised: bool
    n_splits: int
    all_splits: bool
    n_respondents: int
    n_rows: int
    n_clusters: int | None
    ci_method: str
    conf_level: float
    notes: tuple[str, ...]

    def _of(self, name: str) -> float:
        return float(self.bounds.loc[self.bounds["coefficient"] == name, "estimate"].iloc[0])

    @property
    def lambda1(self) -> float:
        """Guttman's lambda 1."""
        return self._of("lambda1")

    @property
    def lambda2(self) -> float:
        """Guttman's lambda 2, never below alpha."""
        return self._of("lambda2")

    @property
    def lambda3(self) -> float:
        """Guttman's lambda 3: alpha."""
        return self._of("lambda3")

    @property
    def lambda4(self) -> float:
        """Guttman's lambda 4: the best split half."""
        return self._of("lambda4")

    @property
    def lambda5(self) -> float:
        """Guttman's lambda 5."""
        return self._of("lambda5")

    @property
    def lambda6(self) -> float:
        """Guttman's lambda 6."""
        return self._of("lambda6")

    @property
    def lambda5_plus(self) -> float:
        """Lambda 5 with k / (k - 1), psych's lambda.5p."""
        return self._of("lambda5_plus")

    @property
    def alpha(self) -> float:
        """Lambda 3 under its common name."""
        return self.lambda3

    @property
    def mu2(self) -> float:
        """Third of the series of ten Berge & Zegers, after alpha and lambda 2."""
        return self._of("mu2")

    @property
    def mu3(self) -> float:
        """Fourth of that series."""
        return self._of("mu3")

    @property
    def theta(self) -> float:
        """Armor's theta, from the correlations in any case."""
        return self._of("theta")

    @property
    def split_half_best(self) -> float:
        """The best split half, lambda 4."""
        return self.lambda4

    @property
    def split_half_worst(self) -> float:
        """The worst split half."""
        return self._of("split_half_worst")

    @property
    def split_half_mean(self) -> float:
        """Mean of the split halves."""
        return self._of("split_half_mean")

    def to_frame(self) -> pd.DataFrame:
        """One row a coefficient, with its formula; see the class."""
        return self.bounds.copy()

    def table(self) -> Table:
        """Every coefficient, its interval where there is one, and its formula."""
        columns = ["coefficient", "estimate", "ci_low", "ci_high", "bias", "formula"]
        if self.ci_method == "none":
            columns = ["coefficient", "estimate", "formula"]
        elif self.ci_method == "jackknife":
            columns.remove("bias")
        kind = "correlations" if self.standardised else "covariances"
        return Table(
            title=f"Lower bounds to the reliability of {self.scale}, from {kind}",
            columns={
                "coefficient": [WORDS[name] for name in self.bounds["coefficient"]],
                **{name: self.bounds[name].tolist() for name in columns[1:]},
            },
            notes=self.notes,
            formats={
                **dict.fromkeys(("estimate", "ci_low", "ci_high"), ".2f"),
                "bias": ".3f",
            },
        )

    def chart(self) -> Chart:
        """Every coefficient of the table, with intervals where there are any."""
        frame = self.bounds
        return interval_chart(
            labels=[WORDS[name] for name in frame["coefficient"]],
            estimate=frame["estimate"].tolist(),
            low=frame["ci_low"].tolist(),
            high=frame["ci_high"].tolist(),
            title=f"Lower bounds to the reliability of {self.scale}",
            axis="coefficient"
            if self.ci_method == "none"
            else f"coefficient, with its {self.conf_level:.0%} interval",
        )


def guttman(
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
) -> GuttmanResult:
    """Guttman's lower bounds to the reliability of a scale, and its split halves.

    Parameters
    ----------
    responses : Responses
        Reverse-keyed items are turned round; the weight role is applied.
    items : str or sequence of str
        A scale id, or item ids.
    standardised : bool
        From correlations, for a score of standardised items: what psych::guttman gives. The
        default is covariances, for the score as it is used (Guttman, 1945).
    missing : "listwise" or "pairwise"
        Rows with all items, or each covariance from the rows that have both. A pairwise
        matrix that is not positive semidefinite is smoothed and the result says so.
    ci : "none", "auto", "bootstrap" or "jackknife"
        Intervals on request; "auto" is the bootstrap of rows, or the jackknife over clusters
        where there are any: a bootstrap of few clusters is too short.
    cluster : "auto", None, a role or a column
        As in `alpha`.
    bootstrap : "bca" or "percentile"
        "bca" is the default since lambda4, lambda6 and their kin are too high in samples, and
        it allows for that bias where percentiles add it a second time.
    progress : bool
        Show a progress bar of the bootstrap where somebody is looking.

    Raises
    ------
    NotEnoughItemsError, NotEnoughDataError, NoVarianceError, DataError
        As `alpha`.

    Warns
    -----
    KeyingWarning
        An item correlates negatively with the rest after keying.
    FewClustersWarning
        Intervals from fewer than 10 clusters.

    Notes
    -----
    Every number comes with its formula in `to_frame()`. psych's `lambda.4` and `beta` leave
    out half of the splits where the number of items is odd (`splitHalf` 2.2.9 stops at
    choose(k, floor(k/2)) / 2), so ours can be higher and lower; `split_half(splits="psych")`
    gives psych's. Up to 16 items all splits are tried, beyond that 10 000 and exchanges of
    items from the best and worst of them. lambda4, lambda6 and the greatest lower bound
    capitalise on chance: prefer lambda2 with fewer than about 1000 rows (Sijtsma, 2009,
    doi:10.1007/s11336-008-9101-0; Benton, 2015, doi:10.1007/978-3-319-07503-9).
    """
    import pandas as pd

    matrix = scale_matrix(
        responses, items, missing=missing, standardised=standardised, method="Lower bounds"
    )
    moments = matrix.moments
    k = len(moments.items)
    if k < 3:
        raise NotEnoughItemsError(matrix.name, n_items=k, needed=3, method="Guttman's lambda")
    enumerated = k <= MOST_ENUMERATED
    halves = every_half(k) if enumerated else sampled_halves(k, SPLITS, seed=seed)

    def statistic(covs: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> FloatArray:
        return coefficients(correlation_stack(covs) if standardised else covs, halves, enumerated)

    estimates = statistic(matrix.values[None])[0]
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
        method="Guttman's lambda",
        progress=progress,
    )
    if limits.few_clusters:
        warnings.warn(limits.few_clusters, FewClustersWarning, stacklevel=2)
    formulas = FORMULAS | HALVES
    frame = pd.DataFrame(
        {
            "coefficient": list(ORDER),
            "estimate": estimates,
            "std_error": limits.std_error,
            "ci_low": limits.ci_low,
            "ci_high": limits.ci_high,
            "bias": limits.bias,
            "formula": [formulas[name] for name in ORDER],
            "scale": matrix.name,
            "n_respondents": moments.n_respondents,
            "conf_level": conf_level,
            "ci_method": limits.method,
        }
    )
    return GuttmanResult(
        scale=matrix.name,
        bounds=frame,
        items=moments.items,
        matrix=read_only(matrix.values),
        standardised=standardised,
        n_splits=len(halves),
        all_splits=enumerated,
        n_respondents=moments.n_respondents,
        n_rows=moments.n_rows,
        n_clusters=limits.n_clusters,
        ci_method=limits.method,
        conf_level=conf_level,
        notes=(*matrix.notes, splits_note(k, len(halves), enumerated, seed), *limits.notes),
    )


def coefficients(covs: FloatArray, halves: FloatArray, enumerated: bool) -> FloatArray:
    """Coefficients (B, 12) in the order of ORDER from matrices (B, k, k)."""
    bounds = lower_bounds(covs)
    best, worst, mean, _, _ = extremes(covs, halves, search=not enumerated)
    bounds |= {"lambda4": best, "split_half_worst": worst, "split_half_mean": mean}
    return np.column_stack([bounds[name] for name in ORDER])


def splits_note(k: int, n_splits: int, enumerated: bool, seed: int) -> str:
    """Say which splits were tried."""
    if enumerated:
        return f"All {n_splits} splits of {k} items into halves."
    return (
        f"{n_splits} splits of {k} items drawn at random (seed {seed}); best and worst improved by "
        "exchanging items."
    )
