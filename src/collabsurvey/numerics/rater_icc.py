"""The six intraclass correlations of raters, from mean squares, with F tests and intervals.

Sources: Shrout & Fleiss (1979) doi:10.1037/0033-2909.86.2.420; McGraw & Wong (1996)
doi:10.1037/1082-989X.1.1.30, Tables 4, 7 and 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from collabsurvey.numerics.crossed import FIXED, Components, Crossed, RatioOfTargets
from collabsurvey.numerics.intervals import f_quantile, f_tail

Program = Literal["psych", "irr"]
Limits = tuple[float, float]


@dataclass(frozen=True)
class Estimate:
    """One coefficient with its test against zero and its interval."""

    estimate: float
    f: float
    df1: float
    df2: float
    low: float
    high: float

    @property
    def p_value(self) -> float:
        """Probability of a larger F; 0 where nothing is left over."""
        return f_tail(self.f, self.df1, self.df2) if np.isfinite(self.f) else 0.0


@dataclass(frozen=True)
class TwoWay:
    """Mean squares of targets, raters and residual; k ratings a target, n targets.

    For incomplete data those a complete design with the same variances would be expected to
    have: k and n are then the harmonic means of ratings per target and per rater.
    """

    between: float
    raters: float
    residual: float
    k: float
    n: float
    df_between: float
    df_raters: float
    df_residual: float

    @classmethod
    def expected(cls, parts: Components, data: Crossed, exact: RatioOfTargets) -> TwoWay:
        """Mean squares that variances of incomplete data stand for."""
        k, n = harmonic(data.per_target), harmonic(data.per_rater)
        return cls(
            between=k * parts.target + parts.residual,
            raters=n * parts.rater + parts.residual,
            residual=parts.residual,
            k=k,
            n=n,
            df_between=exact.df1,
            df_raters=len(data.per_rater) - 1,
            df_residual=exact.df2,
        )


def harmonic(sizes: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    """Harmonic mean."""
    return float(len(sizes) / (1 / sizes).sum())


def ratio(above: float, below: float) -> float:
    """Quotient; minus infinity where the targets' means do not differ at all."""
    if below == 0:
        return 1.0 if above == 0 else float(np.copysign(np.inf, above))
    return above / below


def f_ratio(between: float, within: float) -> float:
    """F, infinite where there is no variance within."""
    return between / within if within > 0 else float("inf")


def single_from_f(f: float, k: float) -> float:
    """Reliability of one rating from an F ratio; 1 for an infinite one."""
    return (f - 1) / (f + k - 1) if np.isfinite(f) else 1.0


def stepped_up(single: float, k: float) -> float:
    """Reliability of the mean of k ratings (Spearman–Brown)."""
    return ratio(k * single, 1 + (k - 1) * single)


def from_ratio(variance_ratio: float) -> float:
    """Reliability of one rating from the variance of targets over the residual one."""
    return 1.0 if variance_ratio == FIXED else variance_ratio / (1 + variance_ratio)


def f_limits(f: float, df1: float, df2: float, conf_level: float) -> Limits:
    """F divided by its upper and its lower quantile."""
    tail = (1 - conf_level) / 2
    return f / f_quantile(1 - tail, df1, df2), f / f_quantile(tail, df1, df2)


def consistency(
    between: float, within: float, k: float, df1: float, df2: float, conf_level: float
) -> tuple[Estimate, Estimate]:
    """One rating and the mean of k, from a complete design: ICC(1) and ICC(C).

    The same formulas serve both; only what counts as `within` differs. Exact for normal
    ratings (Shrout & Fleiss, 1979, pp. 423-424).
    """
    f = f_ratio(between, within)
    low, high = f_limits(f, df1, df2, conf_level)
    single = ratio(between - within, between + (k - 1) * within)
    average = ratio(between - within, between)
    one = Estimate(single, f, df1, df2, single_from_f(low, k), single_from_f(high, k))
    mean = Estimate(average, f, df1, df2, 1 - ratio(1.0, low), 1 - ratio(1.0, high))
    return one, mean


def agreement_single(m: TwoWay) -> float:
    """ICC(2,1) = ICC(A,1) (Shrout & Fleiss, 1979, p. 423)."""
    raters = m.k / m.n * (m.raters - m.residual)
    return ratio(m.between - m.residual, m.between + (m.k - 1) * m.residual + raters)


def agreement_average(m: TwoWay) -> float:
    """ICC(2,k) = ICC(A,k)."""
    return ratio(m.between - m.residual, m.between + (m.raters - m.residual) / m.n)


def satterthwaite(m: TwoWay, icc: float) -> float:
    """Degrees of freedom of a MSJ + b MSE (McGraw & Wong, 1996, Table 7)."""
    if icc >= 1:
        return m.df_residual
    a = m.k * icc / (m.n * (1 - icc))
    raters, residual = a * m.raters, (1 + a * (m.n - 1)) * m.residual
    spread = raters**2 / m.df_raters + residual**2 / m.df_residual
    return (raters + residual) ** 2 / spread if spread > 0 else m.df_residual


def agreement_limits(m: TwoWay, v: float, conf_level: float) -> Limits:
    """Limits of ICC(2,1) with v degrees of freedom for raters and residual together."""
    tail = (1 - conf_level) / 2
    upper = f_quantile(1 - tail, m.df_between, v)
    lower = 1 / f_quantile(tail, m.df_between, v)
    rest = m.k * m.raters + (m.k * m.n - m.k - m.n) * m.residual
    low = ratio(m.n * (m.between - upper * m.residual), upper * rest + m.n * m.between)
    high = ratio(m.n * (lower * m.between - m.residual), rest + m.n * lower * m.between)
    return low, high


def agreement(
    m: TwoWay, f: float, conf_level: float, program: Program
) -> tuple[Estimate, Estimate]:
    """One rating and the mean of k, raters' differences in level counting as error.

    Limits of the mean are those of one rating stepped up. irr takes Satterthwaite's degrees
    of freedom for the test as well, and for the mean of k enters ICC(A,k) where McGraw and
    Wong's Table 7 has ICC(A,1) (their ρ / (n (1 - ρ)) with ρ = ICC(A,k) and no k).
    """
    single, average = agreement_single(m), agreement_average(m)
    v = satterthwaite(m, single)
    low, high = agreement_limits(m, v, conf_level)
    if program == "psych":
        test = (f, m.df_between, m.df_residual)
        limits = stepped_up(low, m.k), stepped_up(high, m.k)
        return Estimate(single, *test, low, high), Estimate(average, *test, *limits)
    v_mean = satterthwaite(m, average)
    mean_low, mean_high = agreement_limits(m, v_mean, conf_level)
    return (
        Estimate(single, f, m.df_between, v, low, high),
        Estimate(
            average,
            f,
            m.df_between,
            v_mean,
            stepped_up(mean_low, m.k),
            stepped_up(mean_high, m.k),
        ),
    )


def complete_family(
    between: float,
    raters: float,
    residual: float,
    *,
    n: int,
    k: int,
    conf_level: float,
    program: Program,
) -> dict[str, Estimate]:
    """All six from the mean squares of a complete table, in the order of Shrout and Fleiss."""
    within = (raters + (n - 1) * residual) / n
    df1, df2 = n - 1, (n - 1) * (k - 1)
    m = TwoWay(between, raters, residual, k, n, df1, k - 1, df2)
    one_1, one_k = consistency(between, within, k, df1, n * (k - 1), conf_level)
    three_1, three_k = consistency(between, residual, k, df1, df2, conf_level)
    two_1, two_k = agreement(m, three_1.f, conf_level, program)
    return {
        "icc_1_1": one_1,
        "icc_2_1": two_1,
        "icc_3_1": three_1,
        "icc_1_k": one_k,
        "icc_2_k": two_k,
        "icc_3_k": three_k,
    }


def exact_pair(
    share: float, exact: RatioOfTargets, k: float, conf_level: float
) -> tuple[Estimate, Estimate]:
    """One rating and the mean of k in incomplete data, `share` the reliability of one.

    Test and interval are Wald's, exact for normal ratings whatever is missing. An estimate
    held at zero may lie just outside; the interval then reaches to it.
    """
    f = exact.f_at(0.0)
    low, high = (from_ratio(limit) for limit in exact.interval(conf_level))
    low, high = min(low, share), max(high, share)
    test = (f, exact.df1, exact.df2)
    mean = stepped_up(share, k), *test, stepped_up(low, k), stepped_up(high, k)
    return Estimate(share, *test, low, high), Estimate(*mean)


def incomplete_family(
    data: Crossed,
    oneway: Components,
    twoway: Components | None,
    *,
    conf_level: float,
    program: Program,
) -> dict[str, Estimate]:
    """All six from variances, or the two that need no raters' effects where `twoway` is None."""
    k = harmonic(data.per_target)
    total = oneway.target + oneway.residual
    without = RatioOfTargets(data, raters=False)
    one_1, one_k = exact_pair(oneway.target / total, without, k, conf_level)
    if twoway is None:
        return {"icc_1_1": one_1, "icc_1_k": one_k}
    exact = RatioOfTargets(data, raters=True)
    share = twoway.target / (twoway.target + twoway.residual)
    three_1, three_k = exact_pair(share, exact, k, conf_level)
    m = TwoWay.expected(twoway, data, exact)
    two_1, two_k = agreement(m, three_1.f, conf_level, program)
    return {
        "icc_1_1": one_1,
        "icc_2_1": two_1,
        "icc_3_1": three_1,
        "icc_1_k": one_k,
        "icc_2_k": two_k,
        "icc_3_k": three_k,
    }
