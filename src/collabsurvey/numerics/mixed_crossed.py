"""Crossed grouping factors and multiple membership: one factor eliminated, the rest dense.

The factor with most random effects is eliminated level by level, as in `numerics.mixed`. What is
left of the others, C = Z_R'(I + Z_1 D_1 Z_1')^-1 Z_R (m, m), is dense in general, for two of their
levels meet wherever one of the first factor has rows in both. m is the number of random effects
of all factors but the largest: time grows with its cube, memory with its square.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import lapack

from collabsurvey.numerics.mixed_blocks import BlockEvaluation, Lowers, Pattern, Profiled
from collabsurvey.numerics.mixed_coupling import Coupling, mirrored
from collabsurvey.numerics.typing import FloatArray, IntArray

FIRM = 1e-3  # an L with a smaller singular value is not inverted


@dataclass(frozen=True, eq=False)
class CrossedProducts:
    """Products of the factor that is eliminated, and of the others, on [Q, e].

    G is 0 where no factor can be eliminated (multiple membership); else its pattern is the first.
    """

    patterns: tuple[Pattern, ...]
    zz: FloatArray  # (G, q, q)
    zx: FloatArray  # (G, q, p + 1) Z_1'[Q, e]
    coupling: Coupling  # Z_1'Z_R
    rr: FloatArray  # (m, m) Z_R'Z_R
    rx: FloatArray  # (m, p + 1) Z_R'[Q, e]
    n_levels: tuple[int, ...]  # of the other factors
    ee: float
    n_rows: int
    reml: bool

    @property
    def n_fixed(self) -> int:
        """p, fixed coefficients."""
        return int(self.rx.shape[1]) - 1

    @cached_property
    def rest(self) -> Rest:
        """Where the effects of the other factors are."""
        others = self.patterns[len(self.patterns) - len(self.n_levels) :]
        return Rest.of(tuple(p.n_random for p in others), self.n_levels)

    def evaluate(self, lowers: Lowers) -> BlockEvaluation:
        """Criterion and everything its derivatives are made of."""
        p, rest = self.n_fixed, self.rest
        others = lowers[len(lowers) - len(self.n_levels) :]
        log_v, p_g, shrink = self._eliminated(lowers[0])
        left = np.eye(p + 1)
        left[p, p] = self.ee
        shrunken = p_g @ self.zx
        left -= np.tensordot(self.zx, shrunken, axes=((0, 1), (0, 1)))
        c = self.rr - self.coupling.squared(p_g)
        cx = self.rx - self.coupling.down(shrunken)
        inner = rest.both_sides(c, others)
        inner.flat[:: len(inner) + 1] += 1.0
        factor, log_det = cholesky(inner)
        right = rest.times(cx.T, others).T
        solved = lapack.dpotrs(factor, right, lower=0)[0]
        left -= right.T @ solved
        log_v += log_det
        found = Profiled.of(self, log_v, left[:p, :p], left[:p, p], float(left[p, p]))
        inverse = inverse_from(factor)
        transposed = tuple(lower.T for lower in others)
        effects = rest.times(solved.T, transposed).T  # D Z_R'V^-1 [Q, e]
        covariance = rest.both_sides(inverse, transposed)  # of the effects given the data
        zx = rest.by_level(cx - c @ effects)
        s = self._informations(c, inverse, covariance, others)
        spread = rest.diagonal_blocks(covariance)
        if len(self.zz):
            met = self.coupling.within(covariance)
            moved = shrink.transpose(0, 2, 1)
            s = [(shrink @ (self.zz - met @ moved)).sum(axis=0), *s]
            zx = [shrink @ (self.zx - self.coupling.up(effects)), *zx]
            spread = [p_g + p_g @ met @ p_g, *spread]
        return BlockEvaluation(
            criterion=found.criterion,
            r2=found.r2,
            beta=found.beta,
            unscaled=found.unscaled,
            s=tuple(s),
            a=tuple(x[:, :, p] - x[:, :, :p] @ found.beta for x in zx),
            b=tuple(x[:, :, :p] for x in zx),
            spread=tuple(spread),
        )

    def moments(self) -> tuple[tuple[FloatArray, FloatArray], ...]:
        """Diagonals (G, q) of Z'Z and Z'e (G, q) of each block."""
        diagonal = np.diag(self.rr)
        found = [(diagonal[place], self.rx[place, -1]) for place in self.rest.places]
        if len(self.zz):
            found.insert(0, (np.einsum("gaa->ga", self.zz), self.zx[:, :, -1]))
        return tuple(found)

    def _eliminated(self, lower: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """Log determinant, P_g = L (I + L'zz L)^-1 L' and I - zz P_g of the first factor."""
        if not len(self.zz):
            return 0.0, self.zz, self.zz
        q = len(lower)
        inner = lower.T @ self.zz @ lower
        inner[:, range(q), range(q)] += 1.0
        factor = np.linalg.cholesky(inner)
        half = np.linalg.solve(factor, np.broadcast_to(lower.T, self.zz.shape))
        p_g = half.transpose(0, 2, 1) @ half
        log_det = 2 * float(np.log(factor[:, range(q), range(q)]).sum())
        return log_det, p_g, np.eye(q) - self.zz @ p_g

    def _informations(
        self, c: FloatArray, inverse: FloatArray, covariance: FloatArray, others: Lowers
    ) -> list[FloatArray]:
        """Sum over levels of Z'V^-1 Z = C - C cov C, for each of the other factors.

        Where L has an inverse that is L^-T (I - K^-1) L^-1, with no product of matrices.
        """
        found = []
        blocks = zip(self.rest.places, self.rest.diagonal_blocks(inverse), others, strict=True)
        for place, block, lower in blocks:
            q = len(lower)
            if np.linalg.svd(lower, compute_uv=False)[-1] > FIRM:
                root = np.linalg.inv(lower)
                found.append(root.T @ (np.eye(q) * len(block) - block.sum(axis=0)) @ root)
                continue
            rows = c[place.ravel()]
            moved = (rows @ covariance).reshape(*place.shape, -1)
            own = c[place[:, :, None], place[:, None, :]].sum(axis=0)
            found.append(own - np.einsum("jam,jbm->ab", moved, rows.reshape(moved.shape)))
        return found


@dataclass(frozen=True, eq=False)
class Rest:
    """The columns of Z_R: level after level of each factor, q columns to a level."""

    places: tuple[IntArray, ...]  # (levels, q) of each factor
    scalar: bool  # q = 1 everywhere

    @classmethod
    def of(cls, sizes: tuple[int, ...], n_levels: tuple[int, ...]) -> Rest:
        """From q and the number of levels of each factor."""
        places, start = [], 0
        for q, n in zip(sizes, n_levels, strict=True):
            places.append(start + np.arange(n * q).reshape(n, q))
            start += n * q
        return cls(tuple(places), all(q == 1 for q in sizes))

    def scales(self, lowers: Lowers) -> FloatArray:
        """Diagonal (m,) of Lambda, where it is one."""
        pairs = zip(self.places, lowers, strict=True)
        return np.concatenate([np.full(len(place), lower[0, 0]) for place, lower in pairs])

    def times(self, matrix: FloatArray, lowers: Lowers) -> FloatArray:
        """Matrix (r, m) times Lambda, the block-diagonal matrix of every level's L."""
        if self.scalar:
            return np.asarray(matrix * self.scales(lowers))
        found = np.empty(matrix.shape)
        for place, lower in zip(self.places, lowers, strict=True):
            part = slice(place[0, 0], place[-1, -1] + 1)
            cut = matrix[:, part].reshape(len(matrix), *place.shape)
            found[:, part] = (cut @ lower).reshape(len(matrix), -1)
        return found

    def both_sides(self, matrix: FloatArray, lowers: Lowers) -> FloatArray:
        """Lambda' M Lambda for a symmetric M (m, m)."""
        if self.scalar:
            scales = self.scales(lowers)
            found = matrix * scales
            found *= scales[:, None]
            return np.asarray(found)
        return self.times(self.times(matrix, lowers).T, lowers)

    def by_level(self, values: FloatArray) -> list[FloatArray]:
        """Rows (m, r) as (levels, q, r) of each factor."""
        return [values[place] for place in self.places]

    def diagonal_blocks(self, matrix: FloatArray) -> list[FloatArray]:
        """Blocks (levels, q, q) of each level with itself."""
        return [matrix[place[:, :, None], place[:, None, :]] for place in self.places]


def cholesky(matrix: FloatArray) -> tuple[FloatArray, float]:
    """Upper U in Fortran order with U'U = matrix, and the log determinant."""
    factor, info = lapack.dpotrf(np.asfortranarray(matrix.T), lower=0, clean=0, overwrite_a=1)
    if info != 0:
        raise np.linalg.LinAlgError("the matrix of the random effects is not positive definite")
    return factor, 2 * float(np.log(np.diag(factor)).sum())


def inverse_from(factor: FloatArray) -> FloatArray:
    """Inverse from that U, which is overwritten."""
    found, info = lapack.dpotri(factor, lower=0, overwrite_c=1)
    if info != 0:
        raise np.linalg.LinAlgError("the matrix of the random effects is singular")
    return mirrored(found.T)
