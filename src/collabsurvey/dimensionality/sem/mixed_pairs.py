"""Two-step correlations of measurements, with ordered items and with each other, from rows.

A measurement z is standardised and an item is cut from a normal variable y. Means, variances and
thresholds come from the margins, the correlation rho maximises the likelihood of both given
these: Olsson, Drasgow & Dorans (1982, doi:10.1007/BF02294164, eq. 2) and, for two measurements
with gaps, the normal likelihood. `PairSums` hold what the sampling error of rho needs besides the
scores themselves: how its score changes with rho and with what came from the margins (Muthén,
1984, doi:10.1007/BF02294210: A22 and A21).

How a score changes is had from derivatives, or, as in lavaan, from products of scores ("outer").
The two agree on average where the measurement is normal, and only there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

from collabsurvey.dimensionality.two_way import (
    FLAT,
    LIMIT,
    MOST_STEPS,
    ROOT_TWO_PI,
    SAME,
    SMALLEST,
    STEP,
)
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray

Bread = Literal["derivative", "outer"]
FAR = 1e10  # stands for an infinite threshold: its density is zero, and so is the product
STRONG = 0.9  # correlation from which it is asked whether the limit is as likely
VALUES = 2**17  # numbers of one kind held at a time: 1 MB, within reach of the cache
COLLINEAR = 1 - 1e-8  # correlation of two measurements from which one follows from the other


@dataclass(frozen=True, eq=False)
class Edges:
    """Thresholds of k items that are looked up by code; code -1, missing, has none."""

    upper: FloatArray  # (k, c + 1): above code 0, 1, …; the last column for missing
    lower: FloatArray  # (k, c + 1)

    @classmethod
    def of(cls, cuts: Sequence[FloatArray]) -> Edges:
        """From the thresholds of each item."""
        most = max(len(one) for one in cuts)
        upper = np.full((len(cuts), most + 2), FAR)
        lower = np.full((len(cuts), most + 2), -FAR)
        for j, own in enumerate(cuts):
            upper[j, : len(own)] = own
            lower[j, 1 : len(own) + 1] = own
        return cls(upper, lower)

    def around(self, codes: IntArray) -> tuple[FloatArray, FloatArray]:
        """Thresholds (n, k) above and below each answer (n, k)."""
        item = np.arange(codes.shape[1])
        return self.upper[item, codes], self.lower[item, codes]

    def some(self, items: IntArray) -> Edges:
        """Those of some of the items."""
        return Edges(self.upper[items], self.lower[items])


@dataclass(frozen=True, eq=False)
class Polyserials:
    """Correlations of one measurement with k items."""

    rho: FloatArray  # (k,)
    at_limit: BoolArray  # (k,) perfect association: the likelihood grows up to ±LIMIT
    converged: BoolArray  # (k,)


@dataclass(frozen=True, eq=False)
class PairSums:
    """Sums over rows of how minus the score of rho changes, of k pairs (a vector for each)."""

    rho: FloatArray  # (k,) A22
    first: FloatArray  # (k, 2) A21 in mean and variance of the (first) measurement
    second: FloatArray  # (k, 2) of the second measurement, or (k, c) in thresholds


def polyserials(z: FloatArray, codes: IntArray, weight: FloatArray, edges: Edges) -> Polyserials:
    """Correlations of z (n,) with codes (n, k), by Newton's method inside a bracket.

    z is standardised, 0 where it is missing (and the codes then -1).
    """
    k = codes.shape[1]
    rho = np.clip(_closed_form(z, codes, weight, edges), -0.95, 0.95)
    low, high = np.full(k, -LIMIT), np.full(k, LIMIT)
    converged = np.zeros(k, dtype=bool)
    active, steps = np.arange(k), 0
    while len(active) and steps < MOST_STEPS:
        steps += 1
        here = rho[active]
        score, curvature, squares, total = _slopes(
            z, codes[:, active], weight, edges.some(active), here
        )
        low[active] = np.where(score > 0, here, low[active])
        high[active] = np.where(score < 0, here, high[active])
        steepness = np.where(curvature < 0, -curvature, squares)
        new = here + score / np.maximum(steepness, np.finfo(float).tiny)
        inside = (new > low[active]) & (new < high[active])
        new = np.where(inside, new, (low[active] + high[active]) / 2)
        new = np.where(np.abs(score) < FLAT * total, here, new)
        rho[active] = new
        rest = np.abs(new - here) < STEP
        converged[active[rest]] = True
        active = active[~rest]
    end = np.where(rho < 0, -LIMIT, LIMIT)
    at_limit = np.abs(rho) > LIMIT - 1e-6
    for j in np.flatnonzero(~at_limit & (np.abs(rho) > STRONG)):
        # Of perfectly ordered answers the likelihood is flat to every digit before the limit.
        own = z, codes[:, [j]], weight, edges.some(np.array([j]))
        slack = SAME * weight.sum()
        at_limit[j] = bool(_loglik(*own, end[[j]]) >= _loglik(*own, rho[[j]]) - slack)
    return Polyserials(np.where(at_limit, end, rho), at_limit, converged | at_limit)


def _closed_form(z: FloatArray, codes: IntArray, weight: FloatArray, edges: Edges) -> FloatArray:
    """Two-step formula (k,) from covariances with the codes (Olsson et al., 1982, eq. 25)."""
    scored = np.maximum(codes, 0)
    there = weight @ (codes >= 0)
    both = (weight * z) @ scored / there
    density = np.exp(-(edges.upper[:, :-1] ** 2) / 2).sum(axis=1) / ROOT_TWO_PI
    return np.asarray(both / density)


def polyserial_scores(z: FloatArray, codes: IntArray, edges: Edges, rho: FloatArray) -> FloatArray:
    """Scores (n, k) of rho: derivative of each row's log-likelihood; 0 where one is missing."""
    return _At.point(z, codes, edges, rho).score


def polyserial_sums(
    z: FloatArray,
    codes: IntArray,
    weight: FloatArray,
    edges: Edges,
    rho: FloatArray,
    *,
    bread: Bread,
) -> PairSums:
    """Sums for the k correlations; thresholds come as (k, c), zero past an item's last."""
    k, c = codes.shape[1], edges.upper.shape[1] - 2
    own, margin, cuts = np.zeros(k), np.zeros((k, 2)), np.zeros((k, c))
    for rows in blocks_of(len(z), k):
        at = _At.point(z[rows], codes[rows], edges, rho)
        w = weight[rows, None]
        if bread == "outer":
            s = w * at.score
            by_mean, by_variance = at.margin_scores()
            upper, lower = at.cut_scores()
            own += (s * at.score).sum(axis=0)
            parts = s * by_mean, s * by_variance, s * upper, s * lower
        else:
            by_z, upper, lower = at.changes()
            own -= (w * at.curvature()).sum(axis=0)
            # z moves by -1 with the mean and by -z / 2 with the variance
            parts = w * by_z, w * by_z * at.z / 2, -w * upper, -w * lower
        margin[:, 0] += parts[0].sum(axis=0)
        margin[:, 1] += parts[1].sum(axis=0)
        for j, code in enumerate(codes[rows].T):
            there = code >= 0
            high = np.bincount(code[there], parts[2][there, j], minlength=c + 1)
            low = np.bincount(code[there], parts[3][there, j], minlength=c + 1)
            cuts[j] += high[:c] + low[1 : c + 1]
    return PairSums(own, margin, cuts)


@dataclass(frozen=True, eq=False)
class _At:
    """Rows (b, k) at given correlations (k,): all that derivatives are made of."""

    z: FloatArray  # (b, 1)
    rho: FloatArray  # (k,)
    root: FloatArray  # (k,) of 1 - rho²
    cuts: tuple[FloatArray, FloatArray]  # thresholds above and below
    edges: tuple[FloatArray, FloatArray]  # as they stand given z
    density: tuple[FloatArray, FloatArray]  # at the edges, over the probability of the answer
    moves: tuple[FloatArray, FloatArray]  # derivative of the edges in rho
    probability: FloatArray  # of the answer given z

    @classmethod
    def point(cls, z: FloatArray, codes: IntArray, edges: Edges, rho: FloatArray) -> _At:
        root = np.sqrt((1 - rho) * (1 + rho))
        z = z[:, None]
        cuts = edges.around(codes)
        upper, lower = ((one - rho * z) / root for one in cuts)
        turn = np.where(lower > 0, -1.0, 1.0)  # the tail that keeps the digits
        p = np.maximum(np.abs(special.ndtr(turn * upper) - special.ndtr(turn * lower)), SMALLEST)
        high, low = (np.exp(-(one**2) / 2) / (ROOT_TWO_PI * p) for one in (upper, lower))
        up, down = ((rho * one - z) / root**3 for one in cuts)
        return cls(z, rho, root, cuts, (upper, lower), (high, low), (up, down), p)

    @property
    def score(self) -> FloatArray:
        (high, low), (up, down) = self.density, self.moves
        return np.asarray(high * up - low * down)

    def curvature(self) -> FloatArray:
        """Second derivative in rho."""
        parts = [
            density * (cut / self.root**3 + 3 * self.rho * move / self.root**2 - edge * move**2)
            for density, cut, move, edge in zip(
                self.density, self.cuts, self.moves, self.edges, strict=True
            )
        ]
        return np.asarray(parts[0] - parts[1] - self.score**2)

    def margin_scores(self) -> tuple[FloatArray, FloatArray]:
        """Derivatives in mean and variance of the measurement."""
        pull = self.rho / self.root * (self.density[0] - self.density[1])
        return self.z + pull, (self.z**2 - 1 + self.z * pull) / 2

    def cut_scores(self) -> tuple[FloatArray, FloatArray]:
        """Derivatives in the thresholds above and below."""
        return self.density[0] / self.root, -self.density[1] / self.root

    def changes(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Derivatives of the score in z and in the thresholds above and below."""
        score, steep = self.score, 1 / self.root**3
        above, below = (
            density * edge * move
            for density, edge, move in zip(self.density, self.edges, self.moves, strict=True)
        )
        high, low = self.density
        by_z = self.rho / self.root * (above - below + score * (high - low)) - steep * (high - low)
        by_upper = -above / self.root + high * (self.rho * steep - score / self.root)
        by_lower = below / self.root - low * (self.rho * steep - score / self.root)
        return by_z, by_upper, by_lower


def _slopes(
    z: FloatArray, codes: IntArray, weight: FloatArray, edges: Edges, rho: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """First and second derivative of the log-likelihood, sum of squares, and weight; all (k,)."""
    score, curvature, squares, total = (np.zeros(len(rho)) for _ in range(4))
    for rows in blocks_of(len(z), len(rho)):
        at, w = _At.point(z[rows], codes[rows], edges, rho), weight[rows]
        own = at.score
        score += w @ own
        squares += w @ own**2
        curvature += w @ at.curvature()
        total += w @ (codes[rows] >= 0)
    return score, curvature, squares, total


def _loglik(
    z: FloatArray, codes: IntArray, weight: FloatArray, edges: Edges, rho: FloatArray
) -> FloatArray:
    total = np.zeros(len(rho))
    for rows in blocks_of(len(z), len(rho)):
        total += weight[rows] @ np.log(_At.point(z[rows], codes[rows], edges, rho).probability)
    return total


def normal_correlation(z: FloatArray, y: FloatArray, weight: FloatArray) -> float:
    """Correlation of two measurements, each standardised over its own rows.

    Where none is missing it is the mean of z y.
    """
    n = weight.sum()
    both, squares = weight @ (z * y) / n, (weight @ z**2 + weight @ y**2) / n
    rho = float(np.clip(both / (squares / 2), -COLLINEAR, COLLINEAR))
    for _ in range(MOST_STEPS):
        # rho (1 - rho²) + (1 + rho²) both - rho squares = 0
        value = rho * (1 - rho**2) + (1 + rho**2) * both - rho * squares
        step = value / (1 - 3 * rho**2 + 2 * rho * both - squares)
        rho = float(np.clip(rho - step, -COLLINEAR, COLLINEAR))
        if abs(step) < STEP:
            break
    return rho


def normal_scores(z: FloatArray, y: FloatArray, rho: float) -> FloatArray:
    """Scores (n,) of rho for two measurements."""
    r = 1 - rho**2
    return np.asarray((rho + z * y - (z**2 - 2 * rho * z * y + y**2) * rho / r) / r)


def normal_sums(
    z: FloatArray, y: FloatArray, weight: FloatArray, rho: float, *, bread: Bread
) -> PairSums:
    """Sums for one pair of measurements."""
    r = 1 - rho**2
    score = normal_scores(z, y, rho)
    margins = []
    for a, b in ((z, y), (y, z)):
        if bread == "outer":
            by_mean = score * (a - rho * b) / r
            by_variance = score * ((a**2 - rho * a * b) / r - 1) / 2
        else:
            by_mean = (b - 2 * (a - rho * b) * rho / r) / r
            by_variance = by_mean * a / 2
        margins.append([weight @ by_mean, weight @ by_variance])
    if bread == "outer":
        own = weight @ score**2
    else:
        cross, square = z * y, z**2 - 2 * rho * z * y + y**2
        curvature = 1 / r + (2 * rho * (rho + 2 * cross) - square) / r**2
        own = -(weight @ (curvature - 4 * rho**2 * square / r**3))
    return PairSums(np.array([own]), np.array([margins[0]]), np.array([margins[1]]))


def blocks_of(n: int, width: int) -> list[slice]:
    """Cut n rows of `width` numbers into blocks of about VALUES numbers."""
    step = max(VALUES // max(width, 1), 1)
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]
