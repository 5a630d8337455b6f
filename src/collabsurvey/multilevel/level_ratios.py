"""Alphas and omegas of two levels as ratios of linear forms, with their shifts by cluster.

Sources: Geldhof, Preacher & Zyphur (2014) doi:10.1037/a0032138; Lai (2021)
doi:10.1037/met0000287.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from collabsurvey.numerics.two_level_cov import TwoLevelMoments, packed
from collabsurvey.numerics.two_level_errors import influences, left_out
from collabsurvey.numerics.two_level_fit import TwoLevelFit, one_factor, saturated
from collabsurvey.numerics.typing import FloatArray

Denominator = Literal["model", "observed"]


@dataclass(frozen=True, eq=False)
class Ratios:
    """Coefficients as ratios of linear forms: factor × (top · x) / (bottom · x)."""

    names: tuple[str, ...]
    top: FloatArray  # (c, m)
    bottom: FloatArray  # (c, m)
    factor: FloatArray  # (c,)

    def at(self, x: FloatArray) -> FloatArray:
        """Coefficients (..., c) at x (..., m)."""
        return np.asarray(self.factor * (x @ self.top.T) / (x @ self.bottom.T))

    def shifts(self, x: FloatArray, influence: FloatArray) -> FloatArray:
        """Shift (G, c) of the coefficients by each cluster, from that of x (G, m)."""
        below = self.bottom @ x
        ratio = (self.top @ x) / below
        moved = influence @ (self.top - ratio[:, None] * self.bottom).T
        return np.asarray(self.factor * moved / below)


def alpha_ratios(k: int, size: float) -> Ratios:
    """Alphas as ratios of sums of the elements of W and B; `size` is the harmonic mean size.

    Within, between: Geldhof et al. (2014); 2level, cluster_mean: Lai (2021). The last is the
    share of the variance of cluster means (of `size` members) that lies between clusters.
    """
    everything = packed(np.ones((k, k)))
    apart = packed(np.ones((k, k)) - np.eye(k))
    none = np.zeros_like(apart)
    rows = {
        "alpha_within": ((apart, none), (everything, none)),
        "alpha_between": ((none, apart), (none, everything)),
        "alpha_2level": ((apart, apart), (everything, everything)),
        "alpha_cluster_mean": ((none, apart), (everything / size, everything)),
        "irr": ((none, everything), (everything / size, everything)),
    }
    return Ratios(
        names=tuple(rows),
        top=np.array([np.concatenate(top) for top, _ in rows.values()]),
        bottom=np.array([np.concatenate(bottom) for _, bottom in rows.values()]),
        factor=np.array([1.0 if name == "irr" else k / (k - 1) for name in rows]),
    )


def omega_ratios(size: float) -> Ratios:
    """Omegas as ratios of (true, total variance within, true, total variance between)."""
    names = ("omega_within", "omega_between", "omega_2level", "omega_cluster_mean")
    top = [[1, 0, 0, 0], [0, 0, 1, 0], [1, 0, 1, 0], [0, 0, 1, 0]]
    bottom = [[0, 1, 0, 0], [0, 0, 0, 1], [0, 1, 0, 1], [0, 1 / size, 0, 1]]
    return Ratios(names, np.array(top, float), np.array(bottom, float), np.ones(4))


def omega_parts(factors: TwoLevelFit, whole: TwoLevelFit, denominator: Denominator) -> FloatArray:
    """True and total variance of the sum of the items, within and between (4,)."""
    parts = []
    chosen = factors if denominator == "model" else whole
    for level, cov in ((0, chosen.within), (1, chosen.between)):
        loadings = factors.parameters.reshape(4, -1)[2 * level]
        parts += [loadings.sum() ** 2, cov.sum()]
    return np.array(parts)


def omega_left_out(
    moments: TwoLevelMoments, factors: TwoLevelFit, whole: TwoLevelFit, denominator: Denominator
) -> FloatArray:
    """`omega_parts` (G, 4) without each cluster."""
    k = moments.k
    own = left_out(moments, factors, one_factor).reshape(-1, 4, k).sum(axis=2)
    true = [own[:, 0] ** 2, own[:, 2] ** 2]
    if denominator == "model":
        total = [true[0] + own[:, 1], true[1] + own[:, 3]]
    else:
        everything = packed(np.ones((k, k)))
        free = left_out(moments, whole, saturated)
        p = len(everything)
        total = [free[:, :p] @ everything, free[:, p:] @ everything]
    return np.column_stack([true[0], total[0], true[1], total[1]])


def omega_influence(
    moments: TwoLevelMoments, factors: TwoLevelFit, whole: TwoLevelFit, denominator: Denominator
) -> FloatArray:
    """Shift (G, 4) of `omega_parts` by each cluster."""
    k = moments.k
    own = influences(moments, factors, one_factor).reshape(-1, 4, k)
    sums = factors.parameters.reshape(4, k).sum(axis=1)
    true = [2 * sums[2 * level] * own[:, 2 * level].sum(axis=1) for level in range(2)]
    if denominator == "model":
        total = [true[level] + own[:, 2 * level + 1].sum(axis=1) for level in range(2)]
    else:
        everything = packed(np.ones((k, k)))
        free = influences(moments, whole, saturated)
        p = len(everything)
        total = [free[:, p * level : p * (level + 1)] @ everything for level in range(2)]
    return np.column_stack([true[0], total[0], true[1], total[1]])
