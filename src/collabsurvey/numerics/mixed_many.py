"""Many outcomes on one design: mixed models of one grouping factor, all fitted at once.

For parametric bootstraps and simulations. Of [Z, Q, e] only Z'e and e'e differ between outcomes, so
that sums over groups are matrix products with the outcomes in rows. The criterion is that of
`numerics.mixed`, minimised over L by BFGS for all outcomes side by side.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from collabsurvey.numerics.mixed_blocks import BFGS_STEPS, LONGEST, Pattern
from collabsurvey.numerics.typing import BoolArray, FloatArray

CLOSE = 1e-9  # what another step must promise, in deviance
FALL = 1e-11  # relative fall of the criterion that is more than rounding
SHORTER = (1.0, 0.4, 0.15, 0.05, 0.01, 0.001)
NUMBERS = 3_000_000  # of one array that holds outcomes by groups
LEAST_R2 = 1e-14


@dataclass(frozen=True, eq=False)
class ManyProducts:
    """Products of the design, and of each of R outcomes with it."""

    pattern: Pattern
    zz: FloatArray  # (G, q, q)
    zx: FloatArray  # (G, q, p)
    ze: FloatArray  # (R, G, q)
    ee: FloatArray  # (R,)
    n_rows: int
    reml: bool

    @property
    def df_total(self) -> int:
        """N for maximum likelihood, N - p for REML."""
        return self.n_rows - (self.zx.shape[2] if self.reml else 0)

    @cached_property
    def _fixed_squares(self) -> FloatArray:
        """(G q q, p p) products of rows of zx, so that sums of zx'P zx are one matrix product."""
        g, q, p = self.zx.shape
        found = np.einsum("gap,gbr->gabpr", self.zx, self.zx)
        return np.asarray(found.reshape(g * q * q, p * p))

    @cached_property
    def _random_squares(self) -> FloatArray:
        """(G q q, q q) products of rows of zz, for sums of zz P zz."""
        g, q, _ = self.zz.shape
        found = np.einsum("gca,gdb->gabcd", self.zz, self.zz)
        return np.asarray(found.reshape(g * q * q, q * q))

    def part(self, rows: BoolArray | slice) -> ManyProducts:
        """Some of the outcomes."""
        found = ManyProducts(
            self.pattern, self.zz, self.zx, self.ze[rows], self.ee[rows], self.n_rows, self.reml
        )
        for name in ("_fixed_squares", "_random_squares"):
            found.__dict__[name] = getattr(self, name)
        return found

    def evaluate(self, lower: FloatArray) -> ManyEvaluation:
        """Criterion and slopes in D at L (R, q, q)."""
        g, q, p = self.zx.shape
        r = len(lower)
        turned = lower.transpose(0, 2, 1)
        inner = turned[:, None] @ self.zz @ lower[:, None]
        inner[:, :, range(q), range(q)] += 1.0
        inverse, log_det = small_inverse(inner)
        p_g = lower[:, None] @ inverse @ turned[:, None]  # (R, G, q, q)
        flat = p_g.reshape(r, g * q * q)
        information = np.eye(p) - (flat @ self._fixed_squares).reshape(r, p, p)
        moved = (p_g @ self.ze[:, :, :, None])[:, :, :, 0]
        cross = -moved.reshape(r, g * q) @ self.zx.reshape(g * q, p)
        unscaled: FloatArray = np.asarray(np.linalg.inv(information), dtype=np.float64)
        beta = (unscaled @ cross[:, :, None])[:, :, 0]
        r2 = self.ee - (moved * self.ze).sum(axis=(1, 2)) - (beta * cross).sum(axis=1)
        r2 = np.maximum(r2, LEAST_R2 * self.ee)
        n = self.df_total
        criterion = log_det.sum(axis=1) + n * (1 + np.log(2 * np.pi * r2 / n))
        left = self.ze - (self.zx.reshape(g * q, p) @ beta.T).T.reshape(r, g, q)
        shrink = np.eye(q) - self.zz @ p_g
        a = (shrink @ left[:, :, :, None])[:, :, :, 0]
        slope = self.zz.sum(axis=0) - (flat @ self._random_squares).reshape(r, q, q)
        slope -= a.transpose(0, 2, 1) @ a * (n / r2)[:, None, None]
        if self.reml:
            criterion += np.linalg.slogdet(information)[1]
            root = np.linalg.cholesky(unscaled)
            b = (shrink @ (self.zx @ root[:, None])).transpose(0, 2, 1, 3).reshape(r, q, g * p)
            slope -= b @ b.transpose(0, 2, 1)
        return ManyEvaluation(criterion, r2, beta, unscaled, (slope + slope.transpose(0, 2, 1)) / 2)


@dataclass(frozen=True, eq=False)
class ManyEvaluation:
    """The model of each of R outcomes."""

    criterion: FloatArray  # (R,)
    r2: FloatArray  # (R,)
    beta: FloatArray  # (R, p) on Q
    unscaled: FloatArray  # (R, p, p)
    slope: FloatArray  # (R, q, q) derivatives in D, with sigma^2 at its best


@dataclass(frozen=True, eq=False)
class ManyFits:
    """The optimum for each of R outcomes."""

    lower: FloatArray  # (R, q, q)
    sigma2: FloatArray  # (R,)
    beta: FloatArray  # (R, p) on Q
    unscaled: FloatArray  # (R, p, p)
    criterion: FloatArray  # (R,)
    converged: BoolArray  # (R,)


def small_inverse(matrices: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Inverses of positive definite matrices (..., q, q), and their log determinants."""
    q = matrices.shape[-1]
    if q == 1:
        return 1 / matrices, np.log(matrices[..., 0, 0])
    if q == 2:
        a, b, d = matrices[..., 0, 0], matrices[..., 0, 1], matrices[..., 1, 1]
        det = a * d - b * b
        found = np.empty(matrices.shape)
        found[..., 0, 0], found[..., 1, 1] = d / det, a / det
        found[..., 0, 1] = found[..., 1, 0] = -b / det
        return found, np.log(det)
    found = np.asarray(np.linalg.inv(matrices), dtype=np.float64)
    return found, np.asarray(np.linalg.slogdet(matrices)[1])


def fit_many(products: ManyProducts, start: FloatArray, hessian: FloatArray) -> ManyFits:
    """Fit every outcome from L elements `start` (k,), where the criterion curves by `hessian`."""
    g, q, p = products.zx.shape
    step = max(1, NUMBERS // (g * q * max(p, q)))
    parts = [
        _fitted(products.part(slice(first, first + step)), start, hessian)
        for first in range(0, len(products.ee), step)
    ]
    names = ("lower", "sigma2", "beta", "unscaled", "criterion", "converged")
    return ManyFits(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _fitted(products: ManyProducts, start: FloatArray, hessian: FloatArray) -> ManyFits:
    """BFGS for all outcomes at once; those that are finished take no further part."""
    r = len(products.ee)
    theta = np.tile(start, (r, 1))
    inverse = np.tile(np.linalg.inv(hessian), (r, 1, 1))
    criterion, slope = _criterion(products, theta)
    active = np.ones(r, dtype=bool)
    fresh = np.ones(r, dtype=bool)
    for _ in range(BFGS_STEPS):
        move = (inverse @ slope[:, :, None])[:, :, 0]
        decrement = (slope * move).sum(axis=1)
        active &= decrement >= CLOSE
        if not active.any():
            break
        move *= np.minimum(1.0, LONGEST / np.maximum(np.abs(move).max(axis=1), 1e-300))[:, None]
        moved = _line_search(products, theta, criterion, slope, move, decrement, active)
        change, rise = moved.theta - theta, moved.slope - slope
        theta, criterion, slope = moved.theta, moved.criterion, moved.slope
        inverse = _updated(inverse, change, rise)
        stuck = active & ~moved.fell
        active &= moved.fell | ~fresh  # a step along the gradient is left to try
        inverse[stuck] = np.linalg.inv(hessian)
        fresh = stuck
    lower = _filled(theta, products.pattern)
    at = products.evaluate(lower)
    sigma2 = at.r2 / products.df_total
    done = np.abs((slope[:, None] @ inverse @ slope[:, :, None])[:, 0, 0]) < 1e-5
    return ManyFits(lower, sigma2, at.beta, at.unscaled, at.criterion, done)


@dataclass(frozen=True, eq=False)
class _Moved:
    theta: FloatArray
    criterion: FloatArray
    slope: FloatArray
    fell: BoolArray


def _line_search(
    products: ManyProducts,
    theta: FloatArray,
    criterion: FloatArray,
    slope: FloatArray,
    move: FloatArray,
    decrement: FloatArray,
    active: BoolArray,
) -> _Moved:
    """The longest of a few steps along which the criterion falls, for each active outcome."""
    theta, criterion, slope = theta.copy(), criterion.copy(), slope.copy()
    fell = np.zeros(len(theta), dtype=bool)
    origin, height = theta.copy(), criterion.copy()
    for shorter in SHORTER:
        waiting = active & ~fell
        if not waiting.any():
            break
        trial = origin[waiting] - shorter * move[waiting]
        there, trial_slope = _criterion(products.part(waiting), trial)
        enough = height[waiting] - 1e-4 * shorter * decrement[waiting]
        good = there <= enough + FALL * np.abs(height[waiting])
        places = np.flatnonzero(waiting)[good]
        theta[places], criterion[places] = trial[good], there[good]
        slope[places] = trial_slope[good]
        fell[places] = True
    return _Moved(theta, criterion, slope, fell)


def _criterion(products: ManyProducts, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Criterion (R,) and its gradient (R, k) at the elements of L."""
    lower = _filled(theta, products.pattern)
    at = products.evaluate(lower)
    rows, columns = products.pattern.elements
    return at.criterion, (2 * at.slope @ lower)[:, rows, columns]


def _filled(theta: FloatArray, pattern: Pattern) -> FloatArray:
    """L (R, q, q) from its free elements (R, k)."""
    lower = np.zeros((len(theta), pattern.n_random, pattern.n_random))
    rows, columns = pattern.elements
    lower[:, rows, columns] = theta
    return lower


def _updated(inverse: FloatArray, moved: FloatArray, change: FloatArray) -> FloatArray:
    """BFGS update of each inverse Hessian (R, k, k) whose curvature is positive."""
    along = (moved * change).sum(axis=1)
    sizes = np.linalg.norm(moved, axis=1) * np.linalg.norm(change, axis=1)
    good = along > 1e-10 * sizes
    safe = np.where(good, along, 1.0)[:, None, None]
    left = np.eye(moved.shape[1]) - moved[:, :, None] * change[:, None, :] / safe
    found = left @ inverse @ left.transpose(0, 2, 1)
    found += moved[:, :, None] * moved[:, None, :] / safe
    return np.where(good[:, None, None], found, inverse)
