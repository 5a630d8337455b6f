"""One-way random-effects analysis of variance from group sizes, means and sums of squares.

Sources: Searle, Casella & McCulloch (1992) Variance Components, ch. 3; Bliese (2000) for
ICC(1) and ICC(2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from collabsurvey.numerics.typing import FloatArray


@dataclass(frozen=True)
class OneWay:
    """Mean squares between and within G groups of N observations."""

    n: int
    n_groups: int
    mean_size: float
    n0: float  # size that makes the between variance unbiased: (N - sum n² / N) / (G - 1)
    ms_between: float
    ms_within: float  # NaN where no group has two members

    @property
    def df1(self) -> int:
        """Degrees of freedom between."""
        return self.n_groups - 1

    @property
    def df2(self) -> int:
        """Degrees of freedom within."""
        return self.n - self.n_groups

    @property
    def f_statistic(self) -> float:
        """Ratio of the mean squares; infinite without variance within."""
        if self.ms_within == 0:
            return float("inf")
        return self.ms_between / self.ms_within

    def icc1(self, size: float) -> float:
        """ICC(1) with `size` as the common group size; may be negative."""
        return (self.ms_between - self.ms_within) / (self.ms_between + (size - 1) * self.ms_within)

    @property
    def icc2(self) -> float:
        """ICC(2) = (MSB - MSW) / MSB."""
        return (self.ms_between - self.ms_within) / self.ms_between

    @property
    def tau2(self) -> float:
        """Variance between groups by moments, not below zero."""
        return max((self.ms_between - self.ms_within) / self.n0, 0.0)


def one_way(n: FloatArray, mean: FloatArray, ss: FloatArray) -> OneWay:
    """Analysis of variance of groups with sizes, means and sums of squares, each (G,).

    Empty groups do not count.
    """
    there = n > 0
    n, mean, ss = n[there], mean[there], ss[there]
    total, g = n.sum(), len(n)
    grand = n @ mean / total if total else np.nan
    df1, df2 = g - 1, total - g
    between = n @ (mean - grand) ** 2
    return OneWay(
        n=int(total),
        n_groups=g,
        mean_size=float(total / g) if g else float("nan"),
        n0=float((total - (n**2).sum() / total) / df1) if df1 > 0 else float("nan"),
        ms_between=float(between / df1) if df1 > 0 else float("nan"),
        ms_within=float(ss.sum() / df2) if df2 > 0 else float("nan"),
    )


def group_reliability(n: FloatArray, *, tau2: float, sigma2: float) -> FloatArray:
    """Reliability (G,) of means of n members: tau² / (tau² + sigma² / n), 0 for n = 0."""
    if tau2 == 0:
        return np.zeros(len(n))
    share: FloatArray = tau2 * n / (tau2 * n + sigma2)
    return share


def shrunken_means(
    n: FloatArray, mean: FloatArray, *, tau2: float, sigma2: float
) -> tuple[FloatArray, float]:
    """Group means (G,) drawn towards the grand mean by their unreliability, and that mean.

    Empirical Bayes (Morris, 1983, doi:10.2307/2287098): the grand mean weighs groups by
    the precision of their means. An empty group gets the grand mean.
    """
    there = n > 0
    precision = n if tau2 == 0 else n / (tau2 * n + sigma2)
    weight = precision[there]
    grand = float(weight @ mean[there] / weight.sum())
    reliability = group_reliability(n, tau2=tau2, sigma2=sigma2)
    own = np.where(there, mean, grand)
    return grand + reliability * (own - grand), grand
