"""Alpha and omega within and between schools, from two-level covariances of the items.

An alpha of all staff together mixes how consistently a person differs from colleagues with how
consistently schools differ; for school means only the second counts (Geldhof, Preacher & Zyphur,
2014, doi:10.1037/a0032138). Lai (2021, doi:10.1037/met0000287) adds what holds for scores as they
are used: a member's score, and the observed mean of a school.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from collabsurvey.errors import OptionError, check_level
from collabsurvey.instruments.scales import not_reflective, scale_name
from collabsurvey.moments import ClusterMoments
from collabsurvey.moments.covariance import turn_offsets
from collabsurvey.multilevel.level_ratios import (
    Denominator,
    Ratios,
    alpha_ratios,
    omega_influence,
    omega_left_out,
    omega_parts,
    omega_ratios,
)
from collabsurvey.multilevel.levels import (
    LevelsResult,
    believable,
    common_notes,
    level_moments,
    logged_interval,
    row_of,
    two_level_moments,
)
from collabsurvey.numerics.itemstats import coefficient_alpha
from collabsurvey.numerics.linalg import read_only
from collabsurvey.numerics.resampling import cluster_draws, percentile_interval
from collabsurvey.numerics.two_level_errors import influences, left_out
from collabsurvey.numerics.two_level_fit import (
    TwoLevelFit,
    bounded_saturated,
    fit_one_factor,
    fit_saturated,
    saturated,
)
from collabsurvey.numerics.typing import BoolArray, FloatArray
from collabsurvey.progress import track
from collabsurvey.reliability.cluster_alpha import jackknife_interval
from collabsurvey.responses.responses import Responses

Interval = Literal["jackknife", "sandwich", "bootstrap"]
SEED = 20260901
RESAMPLED = 1e-4  # slope per cluster left in a resampled fit
NEAR_ONE = 1e-3  # share of 1 - reliability below which leaving a cluster out took nearly all of it


def two_level_alpha(
    responses: Responses,
    items: str | Sequence[str],
    cluster: str = "auto",
    *,
    ci: Interval = "jackknife",
    conf_level: float = 0.95,
    n_boot: int = 500,
    seed: int = SEED,
) -> LevelsResult:
    """Cronbach's alpha within and between clusters.

    Parameters
    ----------
    responses : Responses
        Reverse-keyed items are turned round here. Rows with all items and a cluster count.
    items : str or sequence of str
        A scale id, or item ids.
    cluster : "auto", a role or a column
        "auto" takes the cluster role; without one, the respondent where people answered more
        than once (within and between people).
    ci : "jackknife", "sandwich" or "bootstrap"
        All treat clusters as drawn and take no normal answers for granted. "jackknife" leaves
        each cluster out in turn and is the default because it covers best with few clusters
        (benchmarks/coverage/levels.csv); "sandwich" is what lavaan's MLR gives; "bootstrap" fits
        the model again to resampled clusters.

    Returns
    -------
    LevelsResult
        `alpha_within`, `alpha_between`, `alpha_2level`, `alpha_cluster_mean`, `irr`,
        `alpha_single_level`, `alpha_of_means`; each with what it is the reliability of.

    Raises
    ------
    NotEnoughDataError
        Fewer than three clusters, or too few rows for the covariances within.
    NoVarianceError
        An item does not vary within clusters.
    WeightsNotAppliedError
        The responses have a weight role.

    Notes
    -----
    alpha = k / (k - 1) (1 - tr(S) / sum(S)) of the maximum likelihood covariances S within and
    between, as lavaan's saturated two-level model gives them. `alpha_2level` is that of within
    + between, for a construct of members; `alpha_cluster_mean` divides the covariances between
    by the variance of observed means of the harmonic mean number of members, for a construct
    of clusters (Lai, 2021); `alpha_of_means` takes the observed means at face value, error of
    few members included, and is usually too high. A covariance between clusters that would not
    be positive semidefinite is bounded there, which lavaan does not do. Standard error and limits
    are missing, with a note, where an estimate is at its bound, where it gets there without some
    cluster, and where the lower limit would be below -1: numbers there would only look exact.
    """
    pieces, column = checked(responses, items, cluster, ci, conf_level, n_boot, "Two-level alpha")
    moments = two_level_moments(pieces)
    size = harmonic(pieces)
    whole = fit_saturated(moments)
    ratios = alpha_ratios(moments.k, size)

    def again(times: FloatArray) -> FloatArray:
        return ratios.at(bounded_saturated(moments.taken(times), tolerance=RESAMPLED).parameters)

    rows, unknown = coefficient_rows(
        ratios,
        whole.parameters,
        Pieces(
            lambda: left_out(moments, whole, saturated),
            lambda: influences(moments, whole, saturated),
            again,
        ),
        n_clusters=len(pieces.n),
        ci=ci,
        conf_level=conf_level,
        n_boot=n_boot,
        seed=seed,
    )
    observed, also = believable(observed_rows(pieces, conf_level=conf_level), beyond=())
    rows += observed
    notes = common_notes(responses, pieces, column, conf_level=conf_level, ci=ci) + unknown + also
    notes.append(
        "alpha_single_level and alpha_of_means from observed covariances; their intervals by the "
        "jackknife over clusters."
    )
    return levels_result(
        "Alpha", responses, items, column, pieces, rows, whole, None, notes, ci, conf_level
    )


def two_level_omega(
    responses: Responses,
    items: str | Sequence[str],
    cluster: str = "auto",
    *,
    denominator: Denominator = "model",
    ci: Interval = "jackknife",
    conf_level: float = 0.95,
    n_boot: int = 500,
    seed: int = SEED,
) -> LevelsResult:
    """Omega within and between clusters, from one factor at each level.

    Parameters
    ----------
    responses, items, cluster, ci
        As in `two_level_alpha`.
    denominator : "model" or "observed"
        Variance of the sum of the items: as the factors imply it (Geldhof et al., 2014), the
        default as in `reliability.omega`; or of the saturated covariances, as semTools
        (`compRelSEM`) does it. They differ where one factor does not fit.

    Returns
    -------
    LevelsResult
        `omega_within`, `omega_between`, `omega_2level`, `omega_cluster_mean`, and `loadings`.

    Raises
    ------
    NotEnoughItemsError, NotEnoughDataError, NoVarianceError, WeightsNotAppliedError
        As `two_level_alpha`; three items at least.

    Notes
    -----
    Both levels are fitted together by maximum likelihood (lavaan's two-level `cfa`); unique
    variances are not allowed below zero. `omega_2level` means something only for a construct
    of members whose loadings are alike at both levels, `omega_cluster_mean` for a construct
    that members share (Lai, 2021). Intervals are missing where `two_level_alpha` says.
    """
    if denominator not in get_args(Denominator):
        raise OptionError("denominator", denominator, allowed=get_args(Denominator))
    pieces, column = checked(
        responses, items, cluster, ci, conf_level, n_boot, "Two-level omega", fewest=3
    )
    moments = two_level_moments(pieces)
    whole = fit_saturated(moments)
    factors = fit_one_factor(moments, whole)
    ratios = omega_ratios(harmonic(pieces))

    def again(times: FloatArray) -> FloatArray:
        taken = moments.taken(times)
        free = whole
        if denominator == "observed":
            free = bounded_saturated(taken, tolerance=RESAMPLED)
        return ratios.at(omega_parts(fit_one_factor(taken, whole, factors), free, denominator))

    rows, unknown = coefficient_rows(
        ratios,
        omega_parts(factors, whole, denominator),
        Pieces(
            lambda: omega_left_out(moments, factors, whole, denominator),
            lambda: omega_influence(moments, factors, whole, denominator),
            again,
        ),
        n_clusters=len(pieces.n),
        ci=ci,
        conf_level=conf_level,
        n_boot=n_boot,
        seed=seed,
    )
    notes = common_notes(responses, pieces, column, conf_level=conf_level, ci=ci) + unknown
    notes.append(
        "One factor at each level. Denominator: "
        + ("variance implied by it." if denominator == "model" else "saturated variance.")
    )
    if factors.boundary:
        notes.append(
            f"No unique variance is left for {', '.join(without_unique(factors, pieces.items))}: "
            "estimated at its bound of 0."
        )
    return levels_result(
        "Omega", responses, items, column, pieces, rows, whole, factors, notes, ci, conf_level
    )


def checked(
    responses: Responses,
    items: str | Sequence[str],
    cluster: str,
    ci: Interval,
    conf_level: float,
    n_boot: int,
    method: str,
    *,
    fewest: int = 2,
) -> tuple[ClusterMoments, str]:
    """Moments and cluster column, after the options."""
    check_level(conf_level)
    if ci not in get_args(Interval):
        raise OptionError("ci", ci, allowed=get_args(Interval))
    if n_boot < 100:
        raise OptionError("n_boot", n_boot, allowed=("100 or more",))
    return level_moments(responses, items, cluster, method=method, fewest=fewest)


def harmonic(pieces: ClusterMoments) -> float:
    """Harmonic mean of the cluster sizes."""
    return float(len(pieces.n) / np.sum(1 / pieces.n))


def without_unique(fit: TwoLevelFit, items: Sequence[str]) -> list[str]:
    """Items whose unique variance is at its bound, with the level."""
    unique = ~fit.free.reshape(4, -1)[1::2]
    levels = ("within", "between")
    return [
        f"{item} ({level})"
        for level, row in zip(levels, unique, strict=True)
        for item, bound in zip(items, row, strict=True)
        if bound
    ]


@dataclass(frozen=True)
class Pieces:
    """What the intervals are made of, computed when it is needed."""

    left_out: Callable[[], FloatArray]  # x (G, m) without each cluster
    influence: Callable[[], FloatArray]  # shift (G, m) of x by each cluster
    again: Callable[[FloatArray], FloatArray]  # coefficients (c,) of clusters taken so often


def coefficient_rows(
    ratios: Ratios,
    x: FloatArray,
    pieces: Pieces,
    *,
    n_clusters: int,
    ci: Interval,
    conf_level: float,
    n_boot: int,
    seed: int,
) -> tuple[list[dict[str, object]], list[str]]:
    """One row a coefficient, with its interval; and why some have none."""
    values = ratios.at(x)
    beyond: BoolArray = np.zeros(len(values), dtype=bool)
    if ci == "bootstrap":
        draws = np.concatenate(list(cluster_draws(n_clusters, n_boot, seed=seed)))
        several = draws[(draws > 0).sum(axis=1) > 2]
        steps = track(several, "Resampling clusters", total=len(several), show=True)
        drawn = np.array([pieces.again(times) for times in steps])
        errors = drawn.std(axis=0, ddof=1)
        limits = [percentile_interval(column, conf_level=conf_level) for column in drawn.T]
    else:
        if ci == "sandwich":
            shifts = ratios.shifts(x, pieces.influence())
            errors = np.sqrt((shifts**2).sum(axis=0) * n_clusters / (n_clusters - 1))
        else:
            without = ratios.at(pieces.left_out())
            beyond = np.any(at_bound(without, values), axis=0)
            errors = jackknife_errors(without, values)
        limits = [
            logged_interval(value, error, n_clusters=n_clusters, conf_level=conf_level)
            for value, error in zip(values, errors, strict=True)
        ]
    return believable(
        [
            row_of(name, float(value), float(error), limit)
            for name, value, error, limit in zip(ratios.names, values, errors, limits, strict=True)
        ],
        beyond={name for name, odd in zip(ratios.names, beyond, strict=True) if odd},
    )


def jackknife_errors(without: FloatArray, values: FloatArray) -> FloatArray:
    """Standard errors (c,) from coefficients (G, c) without each cluster, by log(1 - reliability).

    NaN where a coefficient without some cluster is so near 1, or above, that its logarithm says
    nothing.
    """
    g = len(without)
    rest = np.where(at_bound(without, values), np.nan, 1 - without)
    away = np.log(rest) - np.log(rest).mean(axis=0)
    return np.asarray((1 - values) * np.sqrt((g - 1) / g * (away**2).sum(axis=0)))


def at_bound(without: FloatArray, values: FloatArray) -> BoolArray:
    """Whether coefficients (G, c) are 1 or more, or so near that their logarithm runs away."""
    return np.asarray(1 - without < NEAR_ONE * np.maximum(1 - values, 1e-12))


def observed_rows(pieces: ClusterMoments, *, conf_level: float) -> list[dict[str, object]]:
    """Alpha of all members, clusters ignored, and of the observed means of clusters."""
    k = len(pieces.items)
    g = len(pieces.n)
    means = replace(pieces, n=np.ones(g), sscp=np.zeros((g, k, k)), rows=np.ones(g), n_complete=g)
    rows = []
    for name, part in (("alpha_single_level", pieces), ("alpha_of_means", means)):
        value = coefficient_alpha(part.pooled()[1])
        found = jackknife_interval(part, estimate=value, conf_level=conf_level)
        rows.append(row_of(name, value, found.std_error, (found.ci_low, found.ci_high)))
    return rows


def levels_result(
    name: str,
    responses: Responses,
    items: str | Sequence[str],
    column: str,
    pieces: ClusterMoments,
    rows: list[dict[str, object]],
    whole: TwoLevelFit,
    factors: TwoLevelFit | None,
    notes: list[str],
    ci: Interval,
    conf_level: float,
) -> LevelsResult:
    """Put the result together, with what has to be said of the estimates."""
    import pandas as pd

    used = whole if factors is None else factors
    if whole.boundary and (factors is None or factors.boundary):
        notes.append(
            "Boundary: between clusters some combination of the items does not vary, so their "
            "covariance there is positive semidefinite only; intervals do not know of the bound."
        )
    if not used.converged:
        notes.append("The iteration did not reach its optimum; do not use these numbers.")
    if reason := not_reflective(responses.instrument, pieces.items):
        notes.append(f"Read with care: {reason}.")
    if responses.synthetic:
        notes.append("Synthetic data.")
    loadings = None
    if factors is not None:
        columns = ("loading_within", "unique_within", "loading_between", "unique_between")
        values = factors.parameters.reshape(4, -1)
        loadings = pd.DataFrame(
            {"item": list(pieces.items), **dict(zip(columns, values, strict=True))}
        )
    within, between = np.diag(whole.within), np.diag(whole.between)
    return LevelsResult(
        name=name,
        scale=scale_name(items),
        items=pieces.items,
        cluster=column,
        coefficients_frame=pd.DataFrame(rows),
        cov_within=read_only(whole.within),
        cov_between=read_only(whole.between),
        mean=read_only(whole.mean + turn_offsets(responses, pieces.items)),
        icc_items=read_only(between / (within + between)),
        loadings=loadings,
        loglik=used.loglik,
        loglik_saturated=whole.loglik,
        boundary=whole.boundary if factors is None else factors.boundary,
        converged=used.converged,
        n_respondents=int(pieces.n.sum()),
        n_clusters=len(pieces.n),
        mean_size=float(pieces.n.mean()),
        harmonic_size=harmonic(pieces),
        ci_method=ci,
        conf_level=conf_level,
        notes=tuple(notes),
    )
