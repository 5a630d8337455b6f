"""Means of cells, their t intervals and Welch's comparison: arrays in, arrays out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from collabsurvey.numerics.typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Cells:
    """Count, mean and standard deviation (divisor n - 1) of C cells, NaN where there is none."""

    n: IntArray
    mean: FloatArray
    sd: FloatArray

    @property
    def se(self) -> FloatArray:
        """Standard error of the mean (C,)."""
        several = self.n > 1
        out = np.full(len(self.n), np.nan)
        out[several] = self.sd[several] / np.sqrt(self.n[several])
        return out

    @property
    def df(self) -> FloatArray:
        """Degrees of freedom n - 1 (C,); NaN for fewer than two."""
        return np.where(self.n > 1, self.n - 1.0, np.nan)

    def at(self, place: IntArray) -> Cells:
        """Return the cells at these places (D,); an empty cell where the place is -1."""
        there = place >= 0
        at = np.where(there, place, 0)
        return Cells(
            n=np.where(there, self.n[at], 0),
            mean=np.where(there, self.mean[at], np.nan),
            sd=np.where(there, self.sd[at], np.nan),
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
    sd = np.sqrt(_ratio(_summed(away**2, c, n_cells), n - 1))
    return Cells(n=n, mean=mean, sd=sd)


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

    Degrees of freedom after Satterthwaite; doi:10.1093/biomet/34.1-2.28. Where nobody differs
    from anybody on either side the interval has no width and n1 + n2 - 2 degrees of freedom.
    """
    v1, v2 = first.se**2, second.se**2
    total = v1 + v2
    below = v1**2 / first.df + v2**2 / second.df
    df = first.df + second.df
    df = np.divide(total**2, below, out=df, where=below > 0)
    df[np.isnan(total)] = np.nan
    estimate = first.mean - second.mean
    se = np.sqrt(total)
    low, high = t_limits(estimate, se, df, conf_level)
    return Difference(estimate, se, df, low, high)
