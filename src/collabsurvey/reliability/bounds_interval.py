"""Intervals of any coefficient that follows from a covariance matrix, by resampling.

Rows, or whole clusters where there are any, are drawn again by the bootstrap that every
analysis shares; the jackknife leaves them out one by one and works on log(1 - coefficient),
where alpha is nearly symmetric (Bonett, 2002, doi:10.3102/10769986027004335). Over few clusters
percentile and BCa intervals are too short and the jackknife with t on G - 1 degrees of freedom
is not (for alpha: benchmarks/coverage_alpha.csv), so "auto" takes it where there are clusters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from collabsurvey.errors import DataError, NotSupportedError, OptionError, check_level
from collabsurvey.moments.covariance import Missing
from collabsurvey.moments.resampled import Resampler, resampler
from collabsurvey.moments.respondents import cluster_column
from collabsurvey.numerics.intervals import t_quantile
from collabsurvey.numerics.resampling import (
    bca_interval,
    jackknife_std_error,
    percentile_interval,
)
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.progress import track
from collabsurvey.reliability.alpha_interval import (
    FEW_CLUSTERS,
    FEWEST_BOOTSTRAP,
    few_clusters_sentence,
)
from collabsurvey.responses.responses import Responses

BoundInterval = Literal["none", "auto", "bootstrap", "jackknife"]
BoundBootstrap = Literal["bca", "percentile"]
AT_A_TIME = 100  # resamples between two steps of the progress bar
Statistic = Callable[[FloatArray], FloatArray]  # covariances (B, k, k) to coefficients (B, q)


@dataclass(frozen=True, eq=False)
class Limits:
    """Limits of q coefficients, and how they came about; NaN where none were asked for."""

    ci_low: FloatArray
    ci_high: FloatArray
    std_error: FloatArray
    bias: FloatArray  # mean of the resamples minus the estimate; NaN without a bootstrap
    method: str
    n_clusters: int | None
    notes: tuple[str, ...]
    few_clusters: str = ""


LOWEST = -1.0  # a reliability this far below zero is no limit to report


def log_error(values: FloatArray) -> FloatArray:
    """Distance of a coefficient from 1, as a logarithm."""
    return np.asarray(np.log(np.maximum(1 - values, 1e-300)))


def from_log_error(values: FloatArray) -> FloatArray:
    """Undo `log_error`; minus infinity where there is no lower limit."""
    with np.errstate(over="ignore"):
        return np.asarray(1 - np.exp(values))


def bound_limits(
    responses: Responses,
    items: Sequence[str],
    statistic: Statistic,
    estimates: FloatArray,
    *,
    ci: BoundInterval,
    cluster: str | None,
    missing: Missing,
    conf_level: float,
    bootstrap: BoundBootstrap,
    n_boot: int,
    seed: int,
    method: str,
    progress: bool = False,
    scale: tuple[Callable[[FloatArray], FloatArray], Callable[[FloatArray], FloatArray]] = (
        log_error,
        from_log_error,
    ),
) -> Limits:
    """Limits of `statistic`; `scale` is where the jackknife works, and the way back."""
    check_options(ci, bootstrap, n_boot, conf_level)
    q = len(estimates)
    if ci == "none":
        blank = np.full(q, np.nan)
        return Limits(blank, blank, blank, blank, "none", None, ())
    if missing == "pairwise":
        raise NotSupportedError(
            f"An interval of {method} from pairwise covariances",
            instead="Use missing='listwise', or ci='none'.",
        )
    column = cluster_column(responses, cluster)
    rows = resampler(responses, items, cluster=column)
    few = column is not None and rows.n_units < FEWEST_BOOTSTRAP
    if ci == "bootstrap" and few:
        raise DataError(
            f"A bootstrap needs at least {FEWEST_BOOTSTRAP} clusters of {column!r}; there are "
            f"{rows.n_units}. Use ci='jackknife'."
        )
    # The jackknife covers better over clusters; see the module's docstring.
    clustered = ci == "auto" and column is not None
    how = "jackknife" if clustered or ci == "jackknife" else "bootstrap"
    left_out = statistic(rows.left_out())
    if how == "jackknife":
        low, high = _jackknife(left_out, estimates, scale, conf_level)
        bias, n_gone = np.full(q, np.nan), 0
    else:
        parts = _parts(rows.covariances(n_boot, seed=seed))
        total = -(-n_boot // AT_A_TIME)
        drawn = np.concatenate(
            [
                statistic(c)
                for c in track(parts, f"Resampling: {method}", total=total, show=progress)
            ]
        )
        fine = np.isfinite(drawn).all(axis=1)
        n_gone = int((~fine).sum())
        if n_gone > n_boot // 2:
            raise DataError(
                f"{method} cannot be computed in {n_gone} of {n_boot} resamples: too few rows or "
                "clusters. Use ci='none'."
            )
        low, high = _bootstrap(drawn[fine], left_out, estimates, bootstrap, conf_level)
        bias = drawn[fine].mean(axis=0) - estimates
    notes = _notes(rows, how, bootstrap, n_boot, seed, conf_level, n_gone)
    # A lower bound below -1, or limits on one side of the estimate, say nothing.
    lost = ~((low >= LOWEST) & np.isfinite(high) & (low <= estimates) & (estimates <= high))
    lost |= ~np.isfinite(low)
    if lost.any():
        low, high = np.where(lost, np.nan, low), np.where(lost, np.nan, high)
        notes = (
            *notes,
            f"No limits for {int(lost.sum())} of {len(low)} coefficients: they vary without bound "
            "between resamples, as with few rows or a singular matrix.",
        )
    return Limits(
        ci_low=low,
        ci_high=high,
        std_error=np.array([jackknife_std_error(column_) for column_ in left_out.T]),
        bias=bias,
        method=how,
        n_clusters=None if column is None else rows.n_units,
        notes=notes,
        few_clusters=(
            few_clusters_sentence(rows.n_units)
            if column is not None and rows.n_units < FEW_CLUSTERS
            else ""
        ),
    )


def _parts(stacks: Iterable[FloatArray]) -> Iterator[FloatArray]:
    """Pieces of stacks of covariances, small enough for progress to be seen."""
    for stack in stacks:
        for start in range(0, len(stack), AT_A_TIME):
            yield stack[start : start + AT_A_TIME]


def check_options(ci: str, bootstrap: str, n_boot: int, conf_level: float) -> None:
    """Refuse options that mean nothing."""
    check_level(conf_level)
    if ci not in get_args(BoundInterval):
        raise OptionError("ci", ci, allowed=get_args(BoundInterval))
    if bootstrap not in get_args(BoundBootstrap):
        raise OptionError("bootstrap", bootstrap, allowed=get_args(BoundBootstrap))
    if n_boot < 100:
        raise OptionError("n_boot", n_boot, allowed=("100 or more",))


def _jackknife(
    left_out: FloatArray,
    estimates: FloatArray,
    scale: tuple[Callable[[FloatArray], FloatArray], Callable[[FloatArray], FloatArray]],
    conf_level: float,
) -> tuple[FloatArray, FloatArray]:
    """Limits (q,) from estimates (G, q) without each unit, t on G - 1 degrees of freedom."""
    there, back = scale
    values = there(left_out)
    error = np.array([jackknife_std_error(column) for column in values.T])
    reach = t_quantile((1 + conf_level) / 2, len(values) - 1) * error
    ends = np.sort([back(there(estimates) - reach), back(there(estimates) + reach)], axis=0)
    return ends[0], ends[1]


def _bootstrap(
    drawn: FloatArray,
    left_out: FloatArray,
    estimates: FloatArray,
    kind: BoundBootstrap,
    conf_level: float,
) -> tuple[FloatArray, FloatArray]:
    if kind == "percentile":
        pairs = [percentile_interval(column, conf_level=conf_level) for column in drawn.T]
    else:
        pairs = [
            bca_interval(column, estimate=float(one), jackknife=without, conf_level=conf_level)
            for column, one, without in zip(drawn.T, estimates, left_out.T, strict=True)
        ]
    low, high = np.array(pairs).T
    return low, high


def _notes(
    rows: Resampler,
    how: str,
    kind: str,
    n_boot: int,
    seed: int,
    conf_level: float,
    n_gone: int,
) -> tuple[str, ...]:
    g = rows.n_units
    unit = "single rows" if rows.cluster is None else f"{g} clusters ({rows.cluster})"
    if how == "jackknife":
        parts = unit if rows.cluster is not None or g <= 200 else "200 groups of rows"
        notes = [f"{conf_level:.0%} interval by the jackknife over {parts}."]
    else:
        notes = [
            f"{conf_level:.0%} interval by a {kind} bootstrap of {unit}, {n_boot} resamples, "
            f"seed {seed}."
        ]
    if n_gone:
        notes.append(f"{n_gone} resamples in which it cannot be computed were left out.")
    if rows.n_without_cluster:
        notes.append(
            f"Rows without {rows.cluster!r}, which count in the estimate but not in its interval: "
            f"{rows.n_without_cluster}."
        )
    if rows.cluster is not None and g < FEW_CLUSTERS:
        notes.append(few_clusters_sentence(g))
    return tuple(notes)
