"""Means of cells, their t intervals and Welch's comparison: arrays in, arrays out.

Two people who give the same answer do not show that everybody would. Cells whose raters all say
the same therefore take the variance within all cells, pooled, with its degrees of freedom; all
others keep their own. In trials with 6 or 24 cells of 2 to 10 raters on five answers, alike or
unlike in spread, 95 % intervals of the mean covered 95 to 99 %, and Welch's of a difference 95 to
99 %; with an interval of no width in those cells it had been 58 to 73 % for two raters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from collabsurvey.numerics.typing import FloatArray, IntArray

SAME = 1e-6  # of the pooled sd: below, raters all say the same but for rounding


@dataclass(frozen=True, eq=False)
class Cells:
    """Count, mean and standard deviation (divisor n - 1) of C cells, NaN where there is none.

    `spread` is the standard deviation the error is taken from, with `df` degrees of freedom:
    a cell's own, or the pooled one where its raters all say the same; NaN for one rater, and
    where nobody differs from anybody.
    """

    n: IntArray
    mean: FloatArray
    sd: FloatArray
    spread: FloatArray
    df: FloatArray

    @property
    def se(self) -> FloatArray:
        """Standard error of the mean (C,)."""
        return np.asarray(self.spread / np.sqrt(np.maximum(self.n, 1)))

    @property
    def borrowed(self) -> IntArray:
        """Places of the cells whose raters all say the same (D,)."""
        return np.flatnonzero((self.n > 1) & (self.sd != self.spread))

    def at(self, place: IntArray) -> Cells:
        """Return the cells at these places (D,); an empty cell where the place is -1."""
        there = place >= 0
        at = np.where(there, place, 0)
        return Cells(
            n=np.where(there, self.n[at], 0),
            mean=np.where(there, self.mean[at], np.nan),
            sd=np.where(there, self.sd[at], np.nan),
            spread=np.where(there, self.spread[at], np.nan),
            df=np.where(there, self.df[at], np.nan),
        )


def cell_moments(values: FloatArray, cell: IntArray, n_cells: int) -> Cells:
    """Moments of values (n,) by cell (n,); missing values are left out.

    Values are summed in sorted order, so that the order of rows changes no digit.
    """
    known = ~np.isnan(values)
    x, c = values[known], cell[known]
    order = np.lexsort((x, c))
    x, c = x[order], c[order]
    n = np.bincount(c, minlength=n_cells).astype(np.int64)
    # About the first value of its cell: a cell of equal values has exactly that mean, and sd 0.
    first = np.full(n_cells, np.nan)
    first[c[::-1]] = x[::-1]
    mean = first + _ratio(_summed(x - first[c], c, n_cells), n)
    away = x - mean[c]
    square = _summed(away**2, c, n_cells)
    sd = np.sqrt(_ratio(square, n - 1))
    spread, df = _spread(sd, n, float(square.sum()))
    return Cells(n=n, mean=mean, sd=sd, spread=spread, df=df)


def _spread(sd: FloatArray, n: IntArray, square: float) -> tuple[FloatArray, FloatArray]:
    """Each cell's sd and n - 1; the pooled ones where its raters all say the same."""
    several = n > 1
    total = int((n[several] - 1).sum())
    pooled = np.sqrt(square / total) if square > 0 else np.nan
    same = several & ~(sd > SAME * pooled)
    spread, df = np.where(same, pooled, sd), np.where(same, float(total), n - 1.0)
    df[np.isnan(spread)] = np.nan
    return spread, df


def _summed(values: FloatArray, cell: IntArray, n_cells: int) -> FloatArray:
    return np.asarray(np.bincount(cell, values, minlength=n_cells), dtype=np.float64)


def _ratio(above: FloatArray, below: IntArray) -> FloatArray:
    out = np.full(len(above), np.nan)
    np.divide(above, below, out=out, where=below > 0)
    return out


def t_limits(
    estimate: FloatArray, se: FloatArray, df: FloatArray, conf_level: float
) -> tuple[FloatArray, FloatArray]:
    """Limits of estimate ± t se, all (C,); NaN where there is no standard error."""
    reach = se * special.stdtrit(df, (1 + conf_level) / 2)
    return estimate - reach, estimate + reach


@dataclass(frozen=True, eq=False)
class Difference:
    """First mean less the second, with its standard error and interval; all (C,)."""

    estimate: FloatArray
    se: FloatArray
    df: FloatArray
    low: FloatArray
    high: FloatArray


def welch(first: Cells, second: Cells, conf_level: float) -> Difference:
    """Difference of the means of different people, variances unequal (Welch, 1947).

    Degrees of freedom after Satterthwaite; doi:10.1093/biomet/34.1-2.28.
    """
    v1, v2 = first.se**2, second.se**2
    total = v1 + v2
    df = total**2 / (v1**2 / first.df + v2**2 / second.df)
    estimate = first.mean - second.mean
    se = np.sqrt(total)
    low, high = t_limits(estimate, se, df, conf_level)
    return Difference(estimate, se, df, low, high)
