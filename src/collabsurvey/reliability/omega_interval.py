"""Intervals of several coefficients at once: bootstrap or jackknife over people or schools.

The caller says how the coefficients follow from reweighted rows; everything else is the same
for every kind of omega. Which interval is the default was decided by measured coverage:
benchmarks/coverage/omega.py and its table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from collabsurvey.errors import DataError
from collabsurvey.moments.resampled import Resampler
from collabsurvey.numerics.intervals import t_quantile
from collabsurvey.numerics.resampling import (
    MOST_LEFT_OUT,
    bca_interval,
    jackknife_std_error,
    percentile_interval,
    studentised_interval,
)
from collabsurvey.numerics.typing import BoolArray, FloatArray
from collabsurvey.progress import track

Interval = Literal["bootstrap", "jackknife", "none"]
Bootstrap = Literal["auto", "studentised", "percentile", "bca"]
Weights = NDArray[np.float32] | FloatArray


class Sampled(NamedTuple):
    """Coefficients of b samples."""

    values: FloatArray  # (b, q), NaN where a sample has no solution
    std_errors: FloatArray | None = None  # (b, q) where these are known
    at_bound: BoolArray | None = None  # (b,) Heywood cases, where they spoil an interval


Statistic = Callable[[Weights], Sampled]  # weights of the rows in b samples (b, n)

FEWEST_BOOTSTRAP = 5  # clusters; below, it is far too short (benchmarks/coverage_alpha.csv)
FEW_CLUSTERS = 10
MOST_SINGLE_ROWS = 20_000  # for the error of every resample; beyond, percentiles are as good
MOST_FAILED = 0.1  # share of resamples without a solution beyond which there are no limits
MOST_AT_BOUND = 0.1  # share of Heywood cases beyond which solutions are a mixture of two kinds
SMALLEST_ERROR = 1e-12  # a resample of a single cluster has none
AT_A_TIME = 250  # samples; tables and matrices of one part then fit into memory


@dataclass(frozen=True, eq=False)
class Intervals:
    """Limits and standard errors of q coefficients, and the sentences about them."""

    low: FloatArray  # (q,)
    high: FloatArray  # (q,)
    std_error: FloatArray  # (q,)
    method: str
    n_clusters: int | None
    n_failed: int  # resamples without a solution, left out
    notes: tuple[str, ...]
    few_clusters: str = ""  # the sentence of a FewClustersWarning


def no_intervals(q: int, note: str = "", *, n_failed: int = 0) -> Intervals:
    """Missing limits, where none were asked for or none can be had."""
    blank = np.full(q, np.nan)
    return Intervals(blank, blank, blank, "none", None, n_failed, (note,) if note else ())


@dataclass(frozen=True)
class Plan:
    """How limits are made."""

    ci: Interval
    bootstrap: Bootstrap  # never "auto"
    conf_level: float
    n_boot: int
    seed: int


def planned(
    source: Resampler,
    *,
    ci: Interval,
    bootstrap: Bootstrap,
    has_errors: bool,
    biased: bool,
    conf_level: float,
    n_boot: int,
    seed: int,
) -> Plan:
    """Settle what "auto" means here, and refuse what cannot be had.

    auto over clusters: studentised where each resample has a standard error (`has_errors`),
    else the jackknife. auto over rows: percentiles, or the jackknife for a `biased` estimate,
    around which resamples do not scatter. Fewer than 5 clusters are left out in turn.
    """
    clustered = source.codes is not None
    if bootstrap == "studentised" and not has_errors:
        raise DataError(
            "bootstrap='studentised' needs the standard error of every resample, which only omega "
            "total of one factor by maximum likelihood has. Use 'percentile' or 'bca', or "
            "ci='jackknife'."
        )
    if bootstrap == "studentised" and not clustered and len(source.x) > MOST_SINGLE_ROWS:
        raise DataError(
            f"bootstrap='studentised' of {len(source.x)} single rows takes too long. Use "
            "'percentile'."
        )
    if ci == "bootstrap" and clustered and source.n_units < FEWEST_BOOTSTRAP:
        ci = "jackknife"
    if bootstrap == "auto":
        if biased or (clustered and not has_errors):
            ci = "jackknife"
        bootstrap = "studentised" if clustered and has_errors else "percentile"
    return Plan(ci, bootstrap, conf_level, n_boot, seed)


def intervals(
    source: Resampler,
    estimates: FloatArray,
    statistic: Statistic,
    plan: Plan,
    *,
    label: str,
    show_progress: bool,
    lowest: FloatArray | None = None,
) -> Intervals:
    """Intervals of `estimates` (q,), the statistic of all rows of `source`.

    `lowest` (q,) is what each coefficient can be at least: limits below it are not given.
    """
    q = len(estimates)
    defined = np.isfinite(estimates)  # a group factor without items has no coefficients
    n_failed = 0
    draws = errors = without = at_bound = None
    if plan.ci == "bootstrap":
        draws, errors, at_bound = _drawn(
            source, statistic, plan, label=label, show_progress=show_progress
        )
        fine = np.isfinite(draws[:, defined]).all(axis=1)
        if errors is not None:
            fine &= (errors > SMALLEST_ERROR).all(axis=1)
            errors = errors[fine]
        n_failed, draws = int((~fine).sum()), draws[fine]
        if n_failed > MOST_FAILED * plan.n_boot:
            return no_intervals(
                q,
                f"No interval: {n_failed} of {plan.n_boot} resamples have no solution. There are "
                "too few respondents for this model.",
                n_failed=n_failed,
            )
    if plan.ci == "jackknife" or plan.bootstrap == "bca":
        without, _, bound = left_out(source, statistic, label=label, show_progress=show_progress)
        at_bound = bound if at_bound is None else at_bound
        if not np.isfinite(without[:, defined]).all():
            return no_intervals(
                q, "No interval: without one of the units left out in turn there is no solution."
            )
    if at_bound is not None and at_bound.mean() > MOST_AT_BOUND:
        return no_intervals(q, _at_bound_sentence(at_bound, plan), n_failed=n_failed)
    whole = None if errors is None else statistic(source.weight[None, :]).std_errors
    limits = np.array(
        [
            _limits(
                float(estimates[i]),
                plan,
                draws=None if draws is None else draws[:, i],
                errors=None if errors is None else errors[:, i],
                whole=np.nan if whole is None else float(whole[0, i]),
                without=None if without is None else without[:, i],
            )
            if defined[i]
            else (np.nan, np.nan, np.nan)
            for i in range(q)
        ]
    )
    impossible = np.zeros(q, dtype=bool)
    if lowest is not None:
        impossible = (limits[:, 0] < lowest - 1e-9) | (limits[:, 1] > 1 + 1e-9)
        limits[impossible] = np.nan
    clustered = source.codes is not None
    few = ""
    if clustered and source.n_units < FEW_CLUSTERS:
        few = few_clusters_sentence(source.n_units)
    return Intervals(
        limits[:, 0],
        limits[:, 1],
        limits[:, 2],
        "jackknife" if plan.ci == "jackknife" else plan.bootstrap,
        source.n_units if clustered else None,
        n_failed,
        tuple(_notes(source, plan, n_failed, few, int(impossible.sum()))),
        few,
    )


def _drawn(
    source: Resampler, statistic: Statistic, plan: Plan, *, label: str, show_progress: bool
) -> Sampled:
    """Coefficients (n_boot, q) of resamples, and their standard errors where they are used."""
    blocks = _parts(source.weights(plan.n_boot, seed=plan.seed))
    total = -(-plan.n_boot // AT_A_TIME)
    return _joined([statistic(x) for x in track(blocks, label, total=total, show=show_progress)])


def _joined(parts: Sequence[Sampled]) -> Sampled:
    errors = [part.std_errors for part in parts if part.std_errors is not None]
    bounds = [part.at_bound for part in parts if part.at_bound is not None]
    return Sampled(
        np.concatenate([part.values for part in parts]),
        np.concatenate(errors) if errors else None,
        np.concatenate(bounds) if bounds else None,
    )


def _parts(blocks: Iterable[Weights]) -> Iterator[Weights]:
    for block in blocks:
        for start in range(0, len(block), AT_A_TIME):
            yield block[start : start + AT_A_TIME]


def left_out(
    source: Resampler, statistic: Statistic, *, label: str = "", show_progress: bool = False
) -> Sampled:
    """Coefficients (G, q) without each unit in turn, or without each of 200 groups of units."""
    units = np.arange(len(source.x)) if source.codes is None else source.codes
    groups = units % min(source.n_units, MOST_LEFT_OUT)
    n_groups = int(groups.max()) + 1
    step = AT_A_TIME // 5
    starts = range(0, n_groups, step)
    return _joined(
        [
            statistic(
                (groups != np.arange(start, min(start + step, n_groups))[:, None]) * source.weight
            )
            for start in track(starts, label, total=len(starts), show=show_progress)
        ]
    )


def _at_bound_sentence(at_bound: BoolArray, plan: Plan) -> str:
    what = "resamples" if plan.ci == "bootstrap" else "solutions without one unit in turn"
    return (
        f"No interval: {int(at_bound.sum())} of {len(at_bound)} {what} have an item without "
        "variance of its own (a Heywood case), so that they are of two kinds and their scatter "
        "says nothing about the estimate. Try another number of group factors, or kind='total'."
    )


def _limits(
    estimate: float,
    plan: Plan,
    *,
    draws: FloatArray | None,
    errors: FloatArray | None,
    whole: float,
    without: FloatArray | None,
) -> tuple[float, float, float]:
    """Limits and standard error of one coefficient; log(1 - x) where the scale matters."""
    level = plan.conf_level
    if draws is None:
        if without is None or not estimate < 1:
            return np.nan, np.nan, np.nan
        logs = np.log(1 - np.minimum(without, 1 - 1e-9))
        reach = t_quantile((1 + level) / 2, len(logs) - 1) * jackknife_std_error(logs)
        low, high = 1 - (1 - estimate) * np.exp([reach, -reach])
        return float(low), float(high), jackknife_std_error(without)
    spread = float(draws.std(ddof=1))
    if plan.bootstrap == "studentised" and errors is not None:
        if not (estimate < 1 and (draws < 1).all()):
            return np.nan, np.nan, spread
        scaled = errors / (1 - draws)
        start = float(np.log(1 - estimate))
        with np.errstate(over="ignore"):  # with few clusters the lower limit may be unbounded
            high, low = 1 - np.exp(
                studentised_interval(
                    (np.log(1 - draws) - start) / scaled,
                    estimate=start,
                    std_error=whole / (1 - estimate),
                    conf_level=level,
                )
            )
        return float(low), float(high), whole
    if plan.bootstrap == "bca" and without is not None:
        low, high = bca_interval(draws, estimate=estimate, jackknife=without, conf_level=level)
        return low, high, spread
    low, high = percentile_interval(draws, conf_level=level)
    return low, high, spread


def few_clusters_sentence(g: int) -> str:
    """What few clusters cost."""
    return (
        f"Only {g} clusters: the interval is rough, since how scores vary between clusters is "
        f"known from {g} of them."
    )


def _notes(source: Resampler, plan: Plan, n_failed: int, few: str, n_impossible: int) -> list[str]:
    level = f"{plan.conf_level:.0%}"
    units = f"{source.n_units} clusters ({source.cluster})"
    if source.codes is None:
        units = "single rows"
    if plan.ci == "jackknife":
        left = min(source.n_units, MOST_LEFT_OUT)
        whole = "" if left == source.n_units else f" in {left} groups"
        notes = [f"{level} intervals by the jackknife over {units}{whole}, t on {left - 1} df."]
    else:
        name = "BCa" if plan.bootstrap == "bca" else plan.bootstrap
        notes = [
            f"{level} intervals by a {name} bootstrap of {units}, {plan.n_boot} resamples, seed "
            f"{plan.seed}."
        ]
    if n_failed:
        notes.append(f"{n_failed} resamples had no solution and were left out.")
    if n_impossible:
        notes.append(
            f"{n_impossible} coefficients without an interval: its limits would lie outside what "
            "the coefficient can be, a sign that solutions jump from sample to sample."
        )
    if source.n_without_cluster:
        notes.append(
            f"Rows without {source.cluster!r}, which count in the estimate but not in its "
            f"interval: {source.n_without_cluster}."
        )
    if few:
        notes.append(few)
    return notes
