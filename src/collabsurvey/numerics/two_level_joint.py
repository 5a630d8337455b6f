"""Likelihood of two levels with variables on both, only within, or only between clusters.

The mean of a cluster of size s and what was observed once for it have the joint covariance

    O_s = B + W / s

of the P variables, W and B being zero where a variable does not stand on that level. Then minus
twice the log-likelihood is

    (N - G) log|W| + tr(W^-1 S) + sum_g [log|O_s| + (u_g - m)' O_s^-1 (u_g - m) + p log s] + const.

with S the pooled cross-product within clusters and p the number of variables observed within
them (McDonald & Goldstein, 1989, doi:10.1111/j.2044-8317.1989.tb00911.x). Clusters of one size
share O, so that an evaluation costs one small inverse a size. Where all variables stand on both
levels this is the likelihood of `two_level_cov`, with O_s = V_s / s.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import log, pi

import numpy as np

from collabsurvey.numerics.linalg import triangular_inverse
from collabsurvey.numerics.two_level_cov import TwoLevelMoments, packed, pairs
from collabsurvey.numerics.typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Levels:
    """Moments of P variables, and which of them vary within and which between clusters."""

    moments: TwoLevelMoments  # a variable not observed within: its value, and zeros in `sscp`
    within: IntArray  # (p,) places
    between: IntArray  # (q,) places

    @cached_property
    def pooled(self) -> FloatArray:
        """Pooled cross-products (p, p) within clusters."""
        return self.moments.within[np.ix_(self.within, self.within)]

    @cached_property
    def df(self) -> float:
        """Respondents less clusters."""
        return self.moments.rows - self.moments.clusters

    @cached_property
    def constant(self) -> float:
        """Part of -2 log-likelihood without parameters."""
        sizes, _ = self.moments.sizes
        p, q = len(self.within), self.moments.k - len(self.within)
        scale = p * float(self.moments.by_size[0] @ np.log(sizes))
        return scale + (self.moments.rows * p + self.moments.clusters * q) * log(2 * pi)

    def of(self, kept: IntArray) -> Levels:
        """Some of the variables, by their places."""
        m = self.moments
        sscp = m.sscp[:, kept[:, None], kept]
        return Levels(
            TwoLevelMoments(m.n, m.mean[:, kept], sscp, m.times),
            np.flatnonzero(np.isin(kept, self.within)),
            np.flatnonzero(np.isin(kept, self.between)),
        )

    def joint(self, within: FloatArray, between: FloatArray) -> FloatArray:
        """O_s (S, P, P) of W (p, p) and B (q, q)."""
        sizes, _ = self.moments.sizes
        out = np.zeros((len(sizes), self.moments.k, self.moments.k))
        rows, columns = np.ix_(self.within, self.within)
        out[:, rows, columns] = within / sizes[:, None, None]
        rows, columns = np.ix_(self.between, self.between)
        out[:, rows, columns] += between
        return out


@dataclass(frozen=True, eq=False)
class Joint:
    """The likelihood at one point, and what its derivatives are made of."""

    value: float  # -2 log-likelihood
    mean: FloatArray  # (P,)
    inverse_within: FloatArray  # (p, p)
    inverses: FloatArray  # (S, P, P) of O_s
    residual: FloatArray  # (S, P) sums of u_g - m
    around: FloatArray  # (S, P, P) cross-products of u_g - m


def evaluate_joint(
    levels: Levels, within: FloatArray, between: FloatArray, mean: FloatArray | None = None
) -> Joint | None:
    """The likelihood at W, B and m (the best one if None); None where W or an O is not definite."""
    count, total, cross = levels.moments.by_size
    try:
        root: FloatArray = np.asarray(np.linalg.cholesky(within), dtype=np.float64)
        roots: FloatArray = np.asarray(
            np.linalg.cholesky(levels.joint(within, between)), dtype=np.float64
        )
    except np.linalg.LinAlgError:
        return None
    half, halves = triangular_inverse(root), triangular_inverse(roots)
    inverse_within, inverses = half.T @ half, halves.swapaxes(1, 2) @ halves
    if mean is None:
        precision = np.tensordot(count, inverses, axes=1)
        shift = np.linalg.solve(precision, np.einsum("sij,sj->i", inverses, total))
    else:
        shift = mean - levels.moments.centre
    sums = total[:, :, None] * shift
    around = cross - sums - sums.swapaxes(1, 2) + count[:, None, None] * np.outer(shift, shift)
    value = levels.constant + levels.df * 2 * np.log(np.diagonal(root)).sum()
    value += (inverse_within * levels.pooled).sum() + (inverses * around).sum()
    value += count @ (2 * np.log(np.diagonal(roots, axis1=1, axis2=2)).sum(axis=1))
    residual = total - count[:, None] * shift
    return Joint(
        float(value), levels.moments.centre + shift, inverse_within, inverses, residual, around
    )


def joint_slopes(levels: Levels, at: Joint) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Slopes of -2 log-likelihood by W (p, p), m (P,) and B (q, q)."""
    sizes, _ = levels.moments.sizes
    count = levels.moments.by_size[0]
    pieces = count[:, None, None] * at.inverses - at.inverses @ at.around @ at.inverses
    own = levels.df * at.inverse_within - at.inverse_within @ levels.pooled @ at.inverse_within
    through_means = np.tensordot(1 / sizes, pieces, axes=1)[np.ix_(levels.within, levels.within)]
    mean = -2 * np.einsum("sij,sj->i", at.inverses, at.residual)
    between = pieces.sum(axis=0)[np.ix_(levels.between, levels.between)]
    return own + through_means, mean, between


def joint_curvature(levels: Levels, at: Joint, *, observed: bool) -> FloatArray:
    """Half the second derivatives by the elements of W | m | B, observed or expected."""
    sizes, _ = levels.moments.sizes
    count = levels.moments.by_size[0]
    own = -levels.df * at.inverse_within
    weights = -count[:, None, None] * at.inverses
    if observed:
        own = own + 2 * at.inverse_within @ levels.pooled @ at.inverse_within
        weights = weights + 2 * at.inverses @ at.around @ at.inverses
    else:
        own, weights = -own, -weights
    w, b = _elements(levels.within), _elements(levels.between)
    places = np.arange(len(levels.within))
    ww = _kernel(at.inverse_within[None], own[None], _elements(places), _elements(places))
    ww = ww + _kernel(at.inverses / sizes[:, None, None] ** 2, weights, w, w)
    wb = _kernel(at.inverses / sizes[:, None, None], weights, w, b)
    bb = _kernel(at.inverses, weights, b, b)
    mm = np.tensordot(count, at.inverses, axes=1)
    mw, mb = np.zeros((len(mm), len(ww))), np.zeros((len(mm), len(bb)))
    if observed:
        pulled = np.einsum("sij,sj->si", at.inverses, at.residual)
        mw = _cross(at.inverses, pulled / sizes[:, None], w)
        mb = _cross(at.inverses, pulled, b)
    return np.block([[ww, mw.T, wb], [mw, mm, mb], [wb.T, mb.T, bb]])


def joint_scores(levels: Levels, at: Joint) -> FloatArray:
    """Slopes (G, ·) of each cluster's log-likelihood by the elements of W | m | B."""
    moments = levels.moments
    _, of = moments.sizes
    inverses = at.inverses[of]
    pulled = np.einsum("gij,gj->gi", inverses, moments.mean - at.mean)
    pieces = inverses - pulled[:, :, None] * pulled[:, None, :]
    rows, columns = np.ix_(levels.within, levels.within)
    sscp = moments.sscp[:, rows, columns]
    own = (moments.n - 1)[:, None, None] * at.inverse_within
    own = own - at.inverse_within @ sscp @ at.inverse_within
    own = own + pieces[:, rows, columns] / moments.n[:, None, None]
    rows, columns = np.ix_(levels.between, levels.between)
    by_elements = [packed(own), -2 * pulled, packed(pieces[:, rows, columns])]
    return -np.hstack(by_elements) / 2


Elements = tuple[IntArray, IntArray, FloatArray]


def _elements(places: IntArray) -> Elements:
    """Rows, columns and how often the elements of a symmetric matrix of these places count."""
    rows, columns = pairs(len(places))
    return places[rows], places[columns], np.where(rows == columns, 1.0, 2.0)


def _kernel(
    inverses: FloatArray, weights: FloatArray, first: Elements, second: Elements
) -> FloatArray:
    """Half of sum over s of tr(D A_s E Q_s), for unit changes D and E of two sets of elements."""
    size, k = inverses.shape[:2]
    outer = inverses.reshape(size, -1).T @ weights.reshape(size, -1)
    outer = outer.reshape(k, k, k, k)
    (i, j, times), (m, n, again) = first, second
    i, j = i[:, None], j[:, None]
    four = outer[i, m, j, n] + outer[i, n, j, m] + outer[j, m, i, n] + outer[j, n, i, m]
    return np.asarray(four / 8 * np.outer(times, again))


def _cross(inverses: FloatArray, pulled: FloatArray, elements: Elements) -> FloatArray:
    """Sum over s of A_s D v_s, (P, ·) for unit changes D of the elements."""
    size, k = pulled.shape
    outer = (inverses.reshape(size, -1).T @ pulled).reshape(k, k, k)
    i, j, times = elements
    return np.asarray((outer[:, i, j] + outer[:, j, i]) / 2 * times)
