"""Nested grouping factors (pupils in classes in schools), eliminated from the bottom up.

W = [Z_1, ..., Z_T, Q, e] enters through W'W of each level of the finest factor. Eliminating Z_1
level by level leaves products of [Z_2, ..., e] that can be summed within the levels of the second
factor, and so on: the cost grows with the number of levels, and no matrix is larger than one
level's. Going back down gives every Z'V^-1 Z, Z'V^-1 [Q, e] and the covariance of the random
effects given the data. One factor with several terms is the case T = 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from collabsurvey.numerics.mixed_blocks import BlockEvaluation, Lowers, Pattern, Profiled
from collabsurvey.numerics.typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Parents:
    """In which level of the next factor each level of a factor lies."""

    codes: IntArray  # (G,)
    order: IntArray  # (G,) levels sorted by parent
    starts: IntArray  # (parents,) first of each parent's levels in that order

    @classmethod
    def of(cls, codes: IntArray) -> Parents:
        """From the parent (G,) of each level; every parent has a level."""
        order = np.argsort(codes, kind="stable")
        counts = np.bincount(codes)
        return cls(codes, order, np.cumsum(counts) - counts)

    def sums(self, values: FloatArray) -> FloatArray:
        """Sums (parents, ...) of the values (G, ...) of their levels."""
        return np.asarray(np.add.reduceat(values[self.order], self.starts, axis=0))


@dataclass(frozen=True, eq=False)
class NestedProducts:
    """W'W per level of the finest factor; blocks from fine to coarse."""

    patterns: tuple[Pattern, ...]
    by_level: FloatArray  # (G, m, m), m = sum of q + p + 1
    parents: tuple[Parents, ...]  # T - 1
    n_rows: int
    reml: bool

    @property
    def n_fixed(self) -> int:
        """p, fixed coefficients."""
        return len(self.by_level[0]) - sum(p.n_random for p in self.patterns) - 1

    @property
    def ee(self) -> float:
        """Sum of squares of e."""
        return float(self.by_level[:, -1, -1].sum())

    def evaluate(self, lowers: Lowers) -> BlockEvaluation:
        """Criterion and everything its derivatives are made of."""
        steps, log_v, left = self._up(lowers)
        p = self.n_fixed
        found = Profiled.of(self, log_v, left[:p, :p], left[:p, p], float(left[p, p]))
        s, zx, spread = self._down(steps)
        return BlockEvaluation(
            criterion=found.criterion,
            r2=found.r2,
            beta=found.beta,
            unscaled=found.unscaled,
            s=s,
            a=tuple(x[:, :, p] - x[:, :, :p] @ found.beta for x in zx),
            b=tuple(x[:, :, :p] for x in zx),
            spread=spread,
        )

    def moments(self) -> tuple[tuple[FloatArray, FloatArray], ...]:
        """Diagonals (G, q) of Z'Z and Z'e (G, q) of each block."""
        found, start, products = [], 0, self.by_level
        for t, pattern in enumerate(self.patterns):
            own = range(start, start + pattern.n_random)
            found.append((products[:, own, own], products[:, own, -1]))
            start += pattern.n_random
            if t < len(self.parents):
                products = self.parents[t].sums(products)
        return tuple(found)

    def _up(self, lowers: Lowers) -> tuple[list[_Step], float, FloatArray]:
        """Eliminate factor after factor; what is left are the products (p + 1) of [Q, e]."""
        steps: list[_Step] = []
        log_v = 0.0
        products = self.by_level
        for t, lower in enumerate(lowers):
            q = len(lower)
            rest = products[:, :q, q:]
            step, log_det = _Step.of(products[:, :q, :q], rest, lower)
            log_v += log_det
            steps.append(step)
            half = step.half @ rest
            if t < len(self.parents):
                left = products[:, q:, q:] - half.transpose(0, 2, 1) @ half
                products = self.parents[t].sums(left)
            else:
                joined = half.reshape(-1, half.shape[2])
                return steps, log_v, products[:, q:, q:].sum(axis=0) - joined.T @ joined
        raise RuntimeError("a nested model has a factor")

    def _down(self, steps: list[_Step]) -> tuple[Lowers, Lowers, Lowers]:
        """From coarse to fine: S, Z'V^-1 [Q, e] and the spread of each block."""
        columns = self.n_fixed + 1
        s: list[FloatArray] = []
        zx: list[FloatArray] = []
        spread: list[FloatArray] = []
        above = np.empty((1, 0, 0))  # covariance, over sigma^2, of all coarser effects together
        effects = np.empty((1, 0, columns))  # D Z'V^-1 [Q, e] of all coarser factors
        for t in range(len(steps) - 1, -1, -1):
            step = steps[t]
            codes = self.parents[t].codes if t < len(self.parents) else np.zeros(len(step.zz), int)
            above, effects = above[codes], effects[codes]
            q, u = step.zz.shape[1], above.shape[1]
            to_coarser, to_rest = step.rest[:, :, :u], step.rest[:, :, u:]
            net = to_rest - to_coarser @ effects  # Z_t'[Q, e] given the coarser effects
            zx.append(step.shrink @ net)
            reach = step.shrink @ to_coarser
            spread_here = to_coarser @ above
            s.append(
                (step.shrink @ step.zz).sum(axis=0)
                - np.einsum("gau,gbu->ab", step.shrink @ spread_here, reach)
            )
            moved = step.p @ spread_here
            joint = np.empty((len(step.zz), q + u, q + u))
            joint[:, :q, :q] = step.p + moved @ (to_coarser.transpose(0, 2, 1) @ step.p)
            joint[:, :q, q:] = -moved
            joint[:, q:, :q] = -moved.transpose(0, 2, 1)
            joint[:, q:, q:] = above
            spread.append(joint[:, :q, :q])
            above, effects = joint, np.concatenate((step.p @ net, effects), axis=1)
        return tuple(s[::-1]), tuple(zx[::-1]), tuple(spread[::-1])


@dataclass(frozen=True, eq=False)
class _Step:
    """One factor at its turn, what is finer already eliminated."""

    zz: FloatArray  # (G, q, q)
    rest: FloatArray  # (G, q, m - q) with the coarser factors, Q and e
    half: FloatArray  # (G, q, q) F^-1 L', with F F' = I + L' zz L
    p: FloatArray  # (G, q, q) L (I + L' zz L)^-1 L'
    shrink: FloatArray  # (G, q, q) I - zz p

    @classmethod
    def of(cls, zz: FloatArray, rest: FloatArray, lower: FloatArray) -> tuple[_Step, float]:
        """The step, and its part of log det V."""
        q = len(lower)
        inner = lower.T @ zz @ lower
        inner[:, range(q), range(q)] += 1.0
        factor = np.linalg.cholesky(inner)
        log_det = 2 * float(np.log(factor[:, range(q), range(q)]).sum())
        if q == 1:
            half = lower[0, 0] / factor
        else:
            half = np.linalg.solve(factor, np.broadcast_to(lower.T, zz.shape))
        p = half.transpose(0, 2, 1) @ half
        return cls(zz, rest, half, p, np.eye(q) - zz @ p), log_det
