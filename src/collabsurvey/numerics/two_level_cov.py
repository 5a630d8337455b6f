"""Covariances of items within and between clusters by maximum likelihood, saturated or structured.

With V_s = W + s B for clusters of size s, minus twice the log-likelihood is

    (N - G) log|W| + tr(W^-1 S) + sum_g [log|V_s| + s (y_g - m)' V_s^-1 (y_g - m)] + N k log(2 pi)

where S is the pooled cross-product within clusters and y_g their means (McDonald & Goldstein,
1989, doi:10.1111/j.2044-8317.1989.tb00911.x; Muthén, 1994, doi:10.1177/0049124194022003006).
Clusters of one size share V, so that an evaluation costs one small inverse a size. The fits are
in `two_level_fit`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from collabsurvey.numerics.typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class TwoLevelMoments:
    """G clusters of complete answers to k items; `times` counts how often each is taken."""

    n: FloatArray  # (G,)
    mean: FloatArray  # (G, k)
    sscp: FloatArray  # (G, k, k) within the cluster
    times: FloatArray  # (G,)

    @cached_property
    def k(self) -> int:
        """Items."""
        return int(self.mean.shape[1])

    @cached_property
    def clusters(self) -> float:
        """Clusters, counted as often as they are taken."""
        return float(self.times.sum())

    @cached_property
    def rows(self) -> float:
        """Respondents."""
        return float(self.times @ self.n)

    @cached_property
    def within(self) -> FloatArray:
        """Pooled cross-products (k, k) within clusters."""
        return np.asarray(np.tensordot(self.times, self.sscp, axes=1))

    @cached_property
    def sizes(self) -> tuple[FloatArray, IntArray]:
        """Different sizes (S,), and which of them each cluster has (G,)."""
        sizes, of = np.unique(self.n, return_inverse=True)
        return sizes, np.ravel(of)

    @cached_property
    def centre(self) -> FloatArray:
        """Mean (k,) of all respondents, about which sums are taken."""
        return np.asarray((self.times * self.n) @ self.mean / self.rows)

    @cached_property
    def by_size(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Counts (S,), sums (S, k) and cross-products (S, k, k) of the centred cluster means."""
        sizes, of = self.sizes
        one_hot = (np.arange(len(sizes))[:, None] == of) * self.times
        d = self.mean - self.centre
        outer = (d[:, :, None] * d[:, None, :]).reshape(len(d), -1)
        shape = (len(sizes), self.k, self.k)
        return one_hot.sum(axis=1), one_hot @ d, (one_hot @ outer).reshape(shape)

    def taken(self, times: FloatArray) -> TwoLevelMoments:
        """Return the same clusters, each taken so many times (G,)."""
        return replace(self, times=times)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """-2 log-likelihood, its slopes by W and B, and what the information is made of."""

    value: float
    slope_within: FloatArray  # (k, k)
    slope_between: FloatArray  # (k, k)
    mean: FloatArray  # (k,) profiled
    inverse_within: FloatArray  # (k, k)
    inverses: FloatArray  # (S, k, k) of V_s


def evaluate(
    moments: TwoLevelMoments, within: FloatArray, between: FloatArray
) -> Evaluation | None:
    """The likelihood at W and B (k, k); None where a covariance is not positive definite."""
    sizes, _ = moments.sizes
    count, total, cross = moments.by_size
    identity = np.eye(moments.k)
    try:
        root = np.linalg.cholesky(within)
        roots = np.linalg.cholesky(within + sizes[:, None, None] * between)
        half = np.linalg.solve(root, identity)
        halves = np.linalg.solve(roots, np.broadcast_to(identity, roots.shape))
        inverse_within = half.T @ half
        inverses = halves.transpose(0, 2, 1) @ halves
        weight = sizes[:, None, None] * inverses
        precision = np.tensordot(count, weight, axes=1)
        shift = np.linalg.solve(precision, np.einsum("sij,sj->i", weight, total))
    except np.linalg.LinAlgError:
        return None
    sums = total[:, :, None] * shift
    about = cross - sums - sums.transpose(0, 2, 1)
    about += count[:, None, None] * np.outer(shift, shift)
    df = moments.rows - moments.clusters
    value = df * 2 * np.log(np.diag(root)).sum() + np.sum(inverse_within * moments.within)
    logs = 2 * np.log(np.diagonal(roots, axis1=1, axis2=2)).sum(axis=1)
    value += count @ logs + np.sum(weight * about)
    value += moments.rows * moments.k * np.log(2 * np.pi)
    pieces = count[:, None, None] * inverses - weight @ about @ inverses
    slope_within = df * inverse_within - inverse_within @ moments.within @ inverse_within
    return Evaluation(
        float(value),
        slope_within + pieces.sum(axis=0),
        np.tensordot(sizes, pieces, axes=1),
        moments.centre + shift,
        inverse_within,
        inverses,
    )


def pairs(k: int) -> tuple[IntArray, IntArray]:
    """Rows and columns of the k (k + 1) / 2 elements of a symmetric matrix."""
    rows, columns = np.triu_indices(k)
    return rows, columns


def packed(matrix: FloatArray) -> FloatArray:
    """Slopes (..., k, k) by the elements of `pairs`: those off the diagonal count twice."""
    k = matrix.shape[-1]
    rows, columns = pairs(k)
    return np.asarray(matrix[..., rows, columns] * np.where(rows == columns, 1.0, 2.0))


def symmetric(elements: FloatArray, k: int) -> FloatArray:
    """Matrix (k, k) of its elements in the order of `pairs`."""
    rows, columns = pairs(k)
    matrix = np.empty((k, k))
    matrix[rows, columns] = elements
    matrix[columns, rows] = elements
    return matrix


def squared_kernel(inverses: FloatArray) -> FloatArray:
    """D'(A ⊗ A)D (S, p, p) for each A, with D the duplication matrix."""
    rows, columns = pairs(inverses.shape[-1])
    first = inverses[:, rows[:, None], rows] * inverses[:, columns[:, None], columns]
    second = inverses[:, rows[:, None], columns] * inverses[:, columns[:, None], rows]
    double = np.where(rows == columns, 1.0, 2.0)
    return np.asarray((first + second) / 2 * np.outer(double, double))


def information(moments: TwoLevelMoments, at: Evaluation) -> FloatArray:
    """Expected second derivatives (2p, 2p) of -2 log-likelihood by the elements of W and B."""
    sizes, _ = moments.sizes
    count = moments.by_size[0]
    kernels = squared_kernel(at.inverses)
    df = moments.rows - moments.clusters
    ww = df * squared_kernel(at.inverse_within[None])[0] + np.tensordot(count, kernels, axes=1)
    wb = np.tensordot(count * sizes, kernels, axes=1)
    bb = np.tensordot(count * sizes**2, kernels, axes=1)
    return np.block([[ww, wb], [wb, bb]])


def cluster_slopes(moments: TwoLevelMoments, at: Evaluation) -> FloatArray:
    """Slopes (G, 2p) of each cluster's part of -2 log-likelihood by the elements of W and B."""
    _, of = moments.sizes
    inverses = at.inverses[of]
    d = np.einsum("gij,gj->gi", inverses, moments.mean - at.mean)
    pieces = inverses - moments.n[:, None, None] * d[:, :, None] * d[:, None, :]
    own = (moments.n - 1)[:, None, None] * at.inverse_within
    own = own - at.inverse_within @ moments.sscp @ at.inverse_within
    return np.hstack([packed(own + pieces), packed(moments.n[:, None, None] * pieces)])
