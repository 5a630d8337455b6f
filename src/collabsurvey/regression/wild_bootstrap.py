"""The wild cluster bootstrap of one coefficient, for few clusters."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Literal

import numpy as np
import pandas as pd

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import interval_chart
from collabsurvey.errors import (
    DataError,
    NotSupportedError,
    OptionError,
    UnknownNameError,
    check_level,
)
from collabsurvey.numerics.cluster_robust import single_cluster_share
from collabsurvey.numerics.student import critical_value, two_sided_p
from collabsurvey.numerics.wild_bootstrap import (
    WildWeights,
    all_signs,
    inverted_limits,
    random_signs,
    wild_draws,
)
from collabsurvey.regression.call_checks import check_whole
from collabsurvey.regression.clustered import ALONE
from collabsurvey.regression.few_clusters import FEW_RADEMACHER, FEWEST_RADEMACHER
from collabsurvey.regression.linear import LinearResult
from collabsurvey.results import Result, table_from_frame

MOST_ENUMERATED = 12  # 2^12 draws are fewer than the default number of random ones
SEED = 20_260_901


@dataclass(frozen=True, eq=False)
class WildBootstrapResult(Result):
    """A test and an interval of one coefficient by the wild cluster bootstrap.

    Attributes
    ----------
    estimate, null : float
        The coefficient, and the value that is tested.
    statistic : float
        (estimate - null) / its CR1 error; what the draws are compared with.
    p_value : float
        Share of draws with a statistic at least as far from zero.
    ci_low, ci_high : float
        Nulls that are not rejected; infinite where the clusters set no bound.
    n_boot : int
        Draws; 2^G where all were made (`enumerated`).
    weights : str
        "rademacher" or "webb".
    robust_low, robust_high : float
        The interval of the model itself, to compare.
    """

    term: str
    estimate: float
    null: float
    statistic: float
    p_value: float
    ci_low: float
    ci_high: float
    conf_level: float
    n_boot: int
    weights: WildWeights
    enumerated: bool
    n_clusters: int
    cluster: str
    cov: str
    robust_low: float
    robust_high: float
    robust_p: float
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Return two rows: the bootstrap, and the model's own test."""
        return pd.DataFrame(
            {
                "term": [self.term] * 2,
                "method": ["wild bootstrap", self.cov],
                "estimate": [self.estimate] * 2,
                "p_value": [self.p_value, self.robust_p],
                "ci_low": [self.ci_low, self.robust_low],
                "ci_high": [self.ci_high, self.robust_high],
            }
        )

    def table(self) -> Table:
        """Return both tests, one under the other."""
        return table_from_frame(
            self.to_frame().drop(columns="term"),
            f"Wild cluster bootstrap of {self.term}",
            labels={"p_value": "p", "ci_low": f"{self.conf_level:.0%} CI low", "ci_high": "high"},
            notes=self.notes,
        )

    def chart(self) -> Chart:
        """Return both intervals."""
        frame = self.to_frame()
        return interval_chart(
            frame["method"].tolist(),
            frame["estimate"].tolist(),
            frame["ci_low"].tolist(),
            frame["ci_high"].tolist(),
            title=f"Wild cluster bootstrap of {self.term}",
            axis=f"coefficient ({self.conf_level:.0%} interval)",
            reference=self.null,
        )


def wild_bootstrap(
    result: LinearResult,
    term: str,
    *,
    null: float = 0.0,
    n_boot: int = 9999,
    weights: Literal["auto", "rademacher", "webb"] = "auto",
    conf_level: float | None = None,
    seed: int = SEED,
) -> WildBootstrapResult:
    """Test one coefficient by a wild cluster bootstrap with the null imposed.

    Use it beside CR2 where clusters are few or very unequal.

    Parameters
    ----------
    result : LinearResult
        Of `ols(..., cluster=...)` with one way of clustering.
    term : str
        Name of a coefficient.
    null : float
        The value that is tested.
    n_boot : int
        Random draws; 9999, so that .05 and .01 of one more are whole numbers (Davidson &
        MacKinnon, 2000, doi:10.1080/07474930008800459). With Rademacher weights and up to 12
        clusters all 2^G are made instead.
    weights : str
        "rademacher" (-1 or 1), "webb" (six values), or "auto": Webb below 10 clusters, for
        Rademacher's statistics take 2^(G-1) values only (Webb, 2023).
    conf_level : float, optional
        Of the interval, found by inverting the test; that of the fit if left out.
    seed : int
        Makes random draws repeatable.

    Returns
    -------
    WildBootstrapResult
        `.p_value`, `.ci_low`, `.ci_high`, beside those of the model.

    Raises
    ------
    NotSupportedError
        The model has no clusters, or two ways of clustering.
    DataError
        The coefficient rests on a single cluster.

    Notes
    -----
    The statistic is t with CR1 errors, as in Cameron, Gelbach & Miller (2008),
    doi:10.1162/rest.90.3.414. A draw as far out as the data counts as further out, and of random
    draws the data are one more, so that p is never 0; fwildclusterboot and boottest count strictly
    greater statistics only, which is smaller by 1/(B+1), or by 2^(1-G) where all draws are made.
    Where few clusters have the condition, the restricted test rejects too rarely (MacKinnon & Webb,
    2017, doi:10.1002/jae.2508).
    """
    by_cluster = result.by_cluster if isinstance(result, LinearResult) else None
    if by_cluster is None or result.cluster is None:
        raise NotSupportedError(
            "The wild bootstrap of a model without one way of clustering",
            instead="Fit ols() with cluster= and one column.",
        )
    if term not in result.terms:
        raise UnknownNameError("coefficient", term, available=result.terms, where="The model")
    if weights not in {"auto", "rademacher", "webb"}:
        raise OptionError("weights", weights, allowed=("auto", "rademacher", "webb"))
    if not (isinstance(n_boot, int | np.integer) and n_boot >= 99):
        raise OptionError("n_boot", n_boot, allowed=("99 or more",))
    check_whole("seed", seed, least=0)
    if not (isinstance(null, Real) and np.isfinite(null)):
        raise OptionError("null", null, allowed=("a number",))
    level = result.conf_level if conf_level is None else conf_level
    check_level(level)
    j = result.terms.index(term)
    gram, scores, contrast = by_cluster[:, :-1, :-1], by_cluster[:, :-1, -1], result.basis[j]
    if single_cluster_share(gram, contrast[None])[0] > ALONE:
        raise DataError(
            f"{term!r} rests on a single cluster of {result.cluster}, so that nothing says how it "
            "would differ between clusters. No bootstrap of clusters can mend that."
        )
    n_clusters = len(scores)
    kind: WildWeights = "webb" if weights == "webb" else "rademacher"
    if weights == "auto" and n_clusters < FEW_RADEMACHER:
        kind = "webb"
    complete = kind == "rademacher" and n_clusters <= MOST_ENUMERATED
    signs = all_signs(n_clusters) if complete else random_signs(n_clusters, n_boot, kind, seed=seed)
    draws = wild_draws(gram, scores, contrast, signs, complete=complete)
    estimate = float(result.coefficients[j])
    plain = float(np.sqrt((draws.own[:, 0] ** 2).sum()))
    error = plain * float(np.sqrt(n_clusters / (n_clusters - 1)))
    low, high = inverted_limits(draws, estimate, plain, alpha=1 - level)
    robust = float(result.std_errors[j])
    half = float(critical_value(level, result.df[j : j + 1])[0]) * robust
    statistic = np.array([(estimate - null) / robust])
    return WildBootstrapResult(
        term=term,
        estimate=estimate,
        null=null,
        statistic=(estimate - null) / error,
        p_value=draws.p_value(estimate - null),
        ci_low=low,
        ci_high=high,
        conf_level=level,
        n_boot=2**n_clusters if complete else n_boot,
        weights=kind,
        enumerated=complete,
        n_clusters=n_clusters,
        cluster=result.cluster,
        cov=result.cov,
        robust_low=estimate - half,
        robust_high=estimate + half,
        robust_p=float(two_sided_p(statistic, result.df[j : j + 1])[0]),
        notes=_notes(kind, complete, n_clusters, n_boot, (low, high), null),
    )


def _notes(
    kind: WildWeights,
    complete: bool,
    n_clusters: int,
    n_boot: int,
    limits: tuple[float, float],
    null: float,
) -> tuple[str, ...]:
    made = (
        f"all {2**n_clusters} combinations of Rademacher weights"
        if complete
        else f"{n_boot} draws of {kind.capitalize()} weights"
    )
    notes = [
        f"Restricted wild cluster bootstrap-t, null {null:g}, {made}, {n_clusters} clusters "
        "(Cameron, Gelbach & Miller, 2008); the interval inverts the test."
    ]
    if kind == "rademacher" and n_clusters < FEWEST_RADEMACHER:
        notes.append(
            f"With {n_clusters} clusters the smallest possible p is {2.0 ** (1 - n_clusters):.3f}, "
            "so that nothing can be found at .05; weights='webb' has more values (Webb, 2023)."
        )
    if not np.isfinite(limits).all():
        notes.append(
            "The interval has no bound on a side where no null is rejected: too few clusters "
            "tell of this coefficient."
        )
    return tuple(notes)
