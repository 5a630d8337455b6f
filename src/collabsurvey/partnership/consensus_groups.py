"""Consensus of one group: its coefficients, with intervals from its people or its schools."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from collabsurvey.numerics.intervals import t_quantile
from collabsurvey.numerics.resampling import (
    cluster_draws,
    jackknife_std_error,
    percentile_interval,
)
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray
from collabsurvey.partnership.consensus_kernel import (
    Draws,
    Sums,
    pick_rows,
    pick_statistics,
    ranking_rows,
    ranking_statistics,
)
from collabsurvey.partnership.consensus_questions import Questions

Interval = Literal["jackknife", "bootstrap"]
FEWEST_SCHOOLS = 3  # whose leaving out says how schools differ; two may be alike by chance
FEWEST_BOOTSTRAP = 5  # as for alpha; below, whole schools drawn cover far too little
HELD = 2**22  # numbers held for some resamples: 32 MB

# What each coefficient cannot leave.
BOUNDS = {
    "agreement": (0.0, 1.0),
    "kendall_w": (0.0, 1.0),
    "felt": (0.0, 100.0),
    "actual": (0.0, 100.0),
    "actual_beyond_chance": (-100.0, 100.0),
    "gap": (-100.0, 100.0),
    "gap_beyond_chance": (-200.0, 200.0),
}


@dataclass(frozen=True, eq=False)
class Member:
    """The people of one group: answers (n, k), felt agreement (n,) and schools (n,)."""

    values: FloatArray | IntArray
    felt: FloatArray
    cluster: IntArray | None

    def sorted(self) -> Member:
        """In an order that does not depend on the order of the rows, so that draws do not."""
        keys = [np.nan_to_num(self.felt, nan=-1.0), *self.values.T[::-1]]
        if self.cluster is not None:
            keys.append(self.cluster)
        order = np.lexsort(keys)
        cluster = None if self.cluster is None else self.cluster[order]
        return Member(self.values[order], self.felt[order], cluster)


@dataclass(frozen=True, eq=False)
class Found:
    """Coefficients of one group with their limits, and what was left out or drawn."""

    estimate: Mapping[str, float]
    low: Mapping[str, float]
    high: Mapping[str, float]
    by_cluster: bool
    n_units: int  # people or schools left out or drawn
    interval: Interval


def consensus_of(
    member: Member,
    questions: Questions,
    *,
    felt: bool,
    ci: Interval,
    conf_level: float,
    n_boot: int,
    seed: int,
) -> Found:
    """Coefficients and limits of one group."""
    member = member.sorted()
    units, by_cluster = _units(member)
    sums = _sums(member, questions, units)
    statistics = _statistics(questions, felt=felt)
    estimate = {name: float(x[0]) for name, x in statistics(sums.whole()).items()}
    if questions.common and n_answered(sums) < 2:
        # They ask whether people tell items apart: of one item they are -1 / (n - 1) and 0.
        estimate["kappa"] = estimate["alpha"] = np.nan
    n_units = len(sums.size)
    if ci == "bootstrap" and by_cluster and n_units < FEWEST_BOOTSTRAP:
        ci = "jackknife"
    if ci == "jackknife":
        left_out = statistics(sums.left_out())
        limits = {
            name: _jackknife(value, left_out[name][_counting(sums, name)], conf_level)
            for name, value in estimate.items()
        }
    else:
        drawn = _bootstrap(sums, statistics, n_boot=n_boot, seed=seed)
        limits = {
            name: (np.nan, np.nan) if np.isnan(value) else _percentiles(drawn[name], conf_level)
            for name, value in estimate.items()
        }
    low, high = {}, {}
    for name, (a, b) in limits.items():
        least, most = BOUNDS.get(name, (-1.0, 1.0))
        low[name], high[name] = max(a, least), min(b, most)  # a NaN stays first
    return Found(estimate, low, high, by_cluster, int(_counting(sums, "agreement").sum()), ci)


def _units(member: Member) -> tuple[IntArray, bool]:
    """What is left out or drawn: schools where there are three at least, else people."""
    n = len(member.felt)
    if member.cluster is not None:
        schools, unit = np.unique(member.cluster, return_inverse=True)
        if len(schools) >= FEWEST_SCHOOLS:
            return unit.astype(np.int64), True
    return np.arange(n), False


def n_answered(sums: Sums) -> int:
    """How many items have answers of two people, so that agreement on them is known."""
    return int((sums.size.sum(axis=0) >= 2).sum())


def _sums(member: Member, questions: Questions, unit: IntArray) -> Sums:
    if questions.ranking:
        right = np.asarray(~np.isnan(member.values).any(axis=1))
        # Where there is no ranking any order will do: the row is counted as not answered.
        ranks = np.where(right[:, None], member.values, np.arange(member.values.shape[1]))
        rows = ranking_rows(ranks) * right[:, None, None]
        return Sums.of(rows, np.repeat(right[:, None], 2, axis=1), member.felt, unit)
    rows, answered = pick_rows(member.values.astype(np.int64), int(questions.n_options.max()))
    return Sums.of(rows, answered, member.felt, unit)


def _statistics(questions: Questions, *, felt: bool) -> Callable[[Draws], dict[str, FloatArray]]:
    """Every coefficient (B,) of resamples, and the gap between felt and actual agreement."""

    def found(draws: Draws) -> dict[str, FloatArray]:
        if questions.ranking:
            out = ranking_statistics(draws)
        else:
            out = pick_statistics(draws, questions.n_options, common=questions.common)
        if felt:
            actual, beyond = 100 * out["agreement"], 100 * out[BEYOND[questions.ranking]]
            out |= {
                "felt": draws.felt,
                "actual": actual,
                "actual_beyond_chance": beyond,
                "gap": draws.felt - actual,
                "gap_beyond_chance": draws.felt - beyond,
            }
        return out

    return found


BEYOND = {True: "tau", False: "ac1"}  # chance-corrected agreement of rankings, of picks


def _counting(sums: Sums, name: str) -> BoolArray:
    """Units (G,) that have a say in a coefficient; leaving out another one changes nothing."""
    said, answered = sums.n_felt > 0, np.asarray(sums.size.any(axis=1))
    if name == "felt":
        return said
    return np.asarray(said | answered) if name.startswith("gap") else answered


def _jackknife(estimate: float, left_out: FloatArray, conf_level: float) -> tuple[float, float]:
    """Limits with t on units less one; leave-one-out estimates (G,)."""
    if len(left_out) < 2 or np.isnan(left_out).any() or np.isnan(estimate):
        return np.nan, np.nan
    reach = jackknife_std_error(left_out) * t_quantile((1 + conf_level) / 2, len(left_out) - 1)
    return estimate - reach, estimate + reach


def _percentiles(values: FloatArray, conf_level: float) -> tuple[float, float]:
    kept = values[~np.isnan(values)]
    if len(kept) < len(values) / 2:
        return np.nan, np.nan
    return percentile_interval(kept, conf_level=conf_level)


def _bootstrap(
    sums: Sums, statistics: Callable[[Draws], dict[str, FloatArray]], *, n_boot: int, seed: int
) -> dict[str, FloatArray]:
    block = max(HELD // max(len(sums.size), sums.rows[0].size), 1)
    parts = [
        statistics(sums.drawn(times))
        for times in cluster_draws(len(sums.size), n_boot, seed=seed, block=block)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
