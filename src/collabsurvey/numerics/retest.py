"""Two measurements of the same people: agreement from sums, so that groups can be left out.

Sources: Shrout & Fleiss (1979) doi:10.1037/0033-2909.86.2.420; Bland & Altman (1999)
doi:10.1177/096228029900800204; de Vet et al. (2006) doi:10.1016/j.jclinepi.2005.10.015.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from collabsurvey.numerics.typing import FloatArray, IntArray

NORMAL_95 = 1.959963984540054  # limits of agreement hold 95 % of differences, whatever the level
NAMES = (
    "icc_2_1",
    "icc_3_1",
    "pearson",
    "bias",
    "sd_difference",
    "limit_low",
    "limit_high",
    "proportional_bias",
    "sem",
    "sem_consistency",
)


def totals(x: FloatArray, y: FloatArray, codes: IntArray | None = None) -> FloatArray:
    """Sums of 1, x, y, x², y², xy (G, 6) in each group, or of all (1, 6).

    Centre x and y at a common value first: squares far from zero lose their digits.
    """
    pieces = np.column_stack([np.ones_like(x), x, y, x * x, y * y, x * y])
    if codes is None:
        return np.asarray(pieces.sum(axis=0))[None, :]
    return np.column_stack([np.bincount(codes, weights=piece) for piece in pieces.T])


@dataclass(frozen=True, eq=False)
class PairMoments:
    """Moments of pairs, from rows of sums (B, 6); each attribute (B,)."""

    n: FloatArray
    mean_x: FloatArray
    mean_y: FloatArray
    var_x: FloatArray
    var_y: FloatArray
    cov: FloatArray

    @classmethod
    def of(cls, sums: FloatArray) -> PairMoments:
        """From sums of 1, x, y, x², y², xy; divisor n - 1."""
        n, x, y, xx, yy, xy = sums.T
        return cls(
            n,
            x / n,
            y / n,
            (xx - x * x / n) / (n - 1),
            (yy - y * y / n) / (n - 1),
            (xy - x * y / n) / (n - 1),
        )


def statistics(sums: FloatArray) -> FloatArray:
    """Statistics in the order of `NAMES` (B, 10) from sums (B, 6).

    Differences are second less first. With two occasions MSR - MSE = 2 cov, MSR + MSE =
    var x + var y and MSC = n bias² / 2, which gives ICC(2,1). `sem` counts a shift between
    occasions as error, which `sem_consistency` = sd of differences / √2 does not.
    """
    m = PairMoments.of(sums)
    bias = m.mean_y - m.mean_x
    var_difference = m.var_x + m.var_y - 2 * m.cov
    sd = np.sqrt(np.maximum(var_difference, 0.0))
    shift = bias**2 - var_difference / m.n  # twice the variance of occasions, unbiased
    var_mean = (m.var_x + m.var_y + 2 * m.cov) / 4
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.column_stack(
            [
                2 * m.cov / (m.var_x + m.var_y + shift),
                2 * m.cov / (m.var_x + m.var_y),
                m.cov / np.sqrt(m.var_x * m.var_y),
                bias,
                sd,
                bias - NORMAL_95 * sd,
                bias + NORMAL_95 * sd,
                (m.var_y - m.var_x) / 2 / var_mean,
                np.sqrt((var_difference + np.maximum(shift, 0.0)) / 2),
                sd / np.sqrt(2),
            ]
        )


def mean_squares_of_pairs(m: PairMoments) -> tuple[float, float, float]:
    """Mean squares of persons, occasions and residual, for the first row of `m`."""
    var_x, var_y, cov, n = (float(part[0]) for part in (m.var_x, m.var_y, m.cov, m.n))
    bias = float(m.mean_y[0] - m.mean_x[0])
    half = (var_x + var_y) / 2
    return half + cov, n * bias**2 / 2, max(half - cov, 0.0)


def scales_of_intervals(values: FloatArray) -> FloatArray:
    """Statistics (B, 10) where they are nearly normal: Fisher's z, logarithms, or as they are."""
    out = values.copy()
    for name in ("icc_2_1", "icc_3_1", "pearson"):
        j = NAMES.index(name)
        out[:, j] = np.arctanh(np.clip(values[:, j], -1 + 1e-15, 1 - 1e-15))
    for name in ("sd_difference", "sem", "sem_consistency"):
        j = NAMES.index(name)
        out[:, j] = np.log(np.maximum(values[:, j], 1e-300))
    return out


def back_from_scales(values: FloatArray) -> FloatArray:
    """Undo `scales_of_intervals` on one row (10,)."""
    return np.array(
        [
            np.tanh(x)
            if name in ("icc_2_1", "icc_3_1", "pearson")
            else np.exp(x)
            if name in ("sd_difference", "sem", "sem_consistency")
            else x
            for name, x in zip(NAMES, values, strict=True)
        ]
    )


def jackknife_limits(
    groups: FloatArray, estimate: FloatArray, reach: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Standard errors and limits (10,) from sums (G, 6) of groups that are left out in turn.

    `reach` is the quantile of t; limits are found where the statistics are nearly normal.
    """
    without = statistics(groups.sum(axis=0) - groups)
    g = len(groups)

    def error(values: FloatArray) -> FloatArray:
        return np.asarray(np.sqrt((g - 1) / g * ((values - values.mean(axis=0)) ** 2).sum(axis=0)))

    centre = scales_of_intervals(estimate[None, :])[0]
    far = reach * error(scales_of_intervals(without))
    low, high = back_from_scales(centre - far), back_from_scales(centre + far)
    return error(without), low, high
