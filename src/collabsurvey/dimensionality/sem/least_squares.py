"""Least squares on moments: ULS, GLS and diagonally weighted (Browne, 1984; Muthén, 1993).

The moments of a group are stacked as thresholds | means | covariances by column, diagonal
included for items without thresholds. doi:10.1111/j.2044-8317.1984.tb00789.x
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from collabsurvey.dimensionality.sem.moments import Derivatives, Implied, Slopes
from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray


class Stack:
    """Where the moments of p variables stand in one vector; `ordered` (p,) have thresholds."""

    def __init__(self, ordered: BoolArray, *, means: bool) -> None:
        p = len(ordered)
        columns, rows = np.triu_indices(p)
        keep = (rows != columns) | ~ordered[rows]
        self.rows: IntArray = rows[keep]
        self.columns: IntArray = columns[keep]
        self.numeric: IntArray = np.flatnonzero(~ordered) if means else np.array([], dtype=np.intp)

    def vector(
        self, cov: FloatArray, mean: FloatArray | None, thresholds: FloatArray | None
    ) -> FloatArray:
        """Stack moments along the last axis; derivatives stack the same way."""
        out = [] if thresholds is None else [thresholds]
        if mean is not None:
            out.append(mean[..., self.numeric])
        out.append(cov[..., self.rows, self.columns])
        return np.concatenate(out, axis=-1)

    def slopes(self, vector: FloatArray, p: int, n_thresholds: int | None) -> Slopes:
        """Unstack the derivative of a function with respect to the stacked moments."""
        cov = np.zeros((p, p))
        n_cov = len(self.rows)
        tail = vector[len(vector) - n_cov :]
        cov[self.rows, self.columns] = tail / 2
        cov += cov.T
        mean, t = None, n_thresholds or 0
        if len(self.numeric) or n_thresholds is not None:
            mean = np.zeros(p)
            mean[self.numeric] = vector[t : t + len(self.numeric)]
        return Slopes(cov, mean, vector[:t] if n_thresholds is not None else None)


class LeastSquares:
    """Weighted sum of squared differences of stacked moments.

    `weights` holds for every group either a vector (s,), the diagonal of the weight matrix, or
    the whole matrix (s, s).
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        weights: Sequence[FloatArray],
        stacks: Sequence[Stack],
    ) -> None:
        self.samples, self.weights, self.stacks = tuple(samples), tuple(weights), tuple(stacks)
        self.moments = [
            stack.vector(one.cov, one.mean, one.thresholds)
            for one, stack in zip(samples, stacks, strict=True)
        ]

    def residuals(self, implied: Sequence[Implied]) -> list[FloatArray]:
        """Sample minus implied moments of every group, stacked."""
        return [
            moments - stack.vector(one.cov, one.mean, one.thresholds)
            for moments, stack, one in zip(self.moments, self.stacks, implied, strict=True)
        ]

    def value(self, implied: Sequence[Implied]) -> float:
        """Return the distance, group sizes times weighted squares."""
        total = 0.0
        for sample, weight, away in self._each(implied):
            total += sample.n * float(away @ _times(weight, away))
        return total if np.isfinite(total) else np.inf

    def slopes(self, implied: Sequence[Implied]) -> list[Slopes]:
        """Return the derivative with respect to the moments of every group."""
        out = []
        for (sample, weight, away), stack, one in zip(
            self._each(implied), self.stacks, implied, strict=True
        ):
            n_thresholds = None if one.thresholds is None else len(one.thresholds)
            vector = -2 * sample.n * _times(weight, away)
            out.append(stack.slopes(vector, len(one.cov), n_thresholds))
        return out

    def information(
        self, implied: Sequence[Implied], derivatives: Sequence[Derivatives], n_free: int
    ) -> FloatArray:
        """Return D' W D (n_free, n_free) over groups, times their sizes."""
        total = np.zeros((n_free, n_free))
        for sample, weight, stack, slopes in zip(
            self.samples, self.weights, self.stacks, derivatives, strict=True
        ):
            jacobian = stack.vector(slopes.cov, slopes.mean, slopes.thresholds)
            part = jacobian @ _times(weight, jacobian.T)
            total[np.ix_(slopes.which, slopes.which)] += sample.n * part
        return total

    def curvature(
        self, implied: Sequence[Implied], derivatives: Sequence[Derivatives], n_free: int
    ) -> FloatArray:
        """Return the same: squares are quadratic in the moments."""
        return self.information(implied, derivatives, n_free)

    def _each(self, implied: Sequence[Implied]) -> list[tuple[Sample, FloatArray, FloatArray]]:
        return list(zip(self.samples, self.weights, self.residuals(implied), strict=True))


def _times(weight: FloatArray, right: FloatArray) -> FloatArray:
    """Weight matrix times a vector or matrix; a vector of weights is a diagonal."""
    if weight.ndim == 2:
        return np.asarray(weight @ right)
    return np.asarray((weight * right.T).T)


def normal_weight(cov: FloatArray, stack: Stack) -> FloatArray:
    """Weight matrix (s, s) of generalised least squares: inverse of the normal-theory acov.

    Means have weight inv(S); covariances half of D'(inv(S) x inv(S))D with D the duplication
    matrix, here for the lower triangle by column.
    """
    inverse = np.linalg.inv(cov)
    i, j = stack.rows, stack.columns
    block = inverse[np.ix_(i, i)] * inverse[np.ix_(j, j)]
    block += inverse[np.ix_(i, j)] * inverse[np.ix_(j, i)]
    times = np.where(i == j, 0.5, 1.0)
    block *= np.outer(times, times)
    m, s = len(stack.numeric), len(i)
    out = np.zeros((m + s, m + s))
    out[:m, :m] = inverse[np.ix_(stack.numeric, stack.numeric)]
    out[m:, m:] = block
    return out


def unit_weight(cov: FloatArray, stack: Stack) -> FloatArray:
    """Weights (s,) of unweighted least squares: every cell of the matrix counts half.

    A covariance stands in two cells and a variance in one, so weights are 1 and 1/2.
    """
    return np.concatenate(
        [np.ones(len(stack.numeric)), np.where(stack.rows == stack.columns, 0.5, 1.0)]
    )
