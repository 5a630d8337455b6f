"""How levels of one factor meet those of others: the sparse matrix B = Z_1'Z_R of a mixed model.

Two products with B are needed at every step of the optimiser: B'PB for a block-diagonal P, and the
diagonal blocks of B T B' for a dense T. Where few levels meet they are sums over the pairs of
columns that a level of the first factor holds; where most do, matrix products.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from collabsurvey.numerics.typing import FloatArray, IntArray

MOST_PAIRS = 30_000_000  # numbers kept for pairs; 8 bytes each
DENSE = 0.25  # share of pairs that occur from which matrix products are faster
CHUNK = 16_000_000  # numbers of B that are dense at a time


@dataclass(frozen=True, eq=False)
class Coupling:
    """B (G q, m): for each place where a level meets a column, q numbers."""

    level: IntArray  # (nnz,) 0 ... G - 1, sorted
    column: IntArray  # (nnz,) 0 ... m - 1, sorted within a level
    values: FloatArray  # (nnz, q)
    n_levels: int  # G
    n_columns: int  # m

    @classmethod
    def of(
        cls, level: IntArray, column: IntArray, values: FloatArray, *, shape: tuple[int, int]
    ) -> Coupling:
        """Add up values (n, q) that share a level and a column."""
        places, inverse = np.unique(level * shape[1] + column, return_inverse=True)
        sums = [np.bincount(inverse, weights=v, minlength=len(places)) for v in values.T]
        total = np.column_stack(sums).astype(np.float64)
        return cls(places // shape[1], places % shape[1], total, *shape)

    @property
    def n_random(self) -> int:
        """q, random effects of a level of the first factor."""
        return int(self.values.shape[1])

    @cached_property
    def matrix(self) -> sparse.csr_array:
        """B (G q, m)."""
        q = self.n_random
        rows = (self.level[:, None] * q + np.arange(q)).ravel()
        shape = (self.n_levels * q, self.n_columns)
        found = sparse.coo_array((self.values.ravel(), (rows, np.repeat(self.column, q))), shape)
        return sparse.csr_array(found)

    @cached_property
    def _transposed(self) -> sparse.csr_array:
        return sparse.csr_array(self.matrix.T)

    def up(self, values: FloatArray) -> FloatArray:
        """B values: (m, r) to (G, q, r)."""
        found = self.matrix @ values
        return np.asarray(found).reshape(self.n_levels, self.n_random, values.shape[1])

    def down(self, values: FloatArray) -> FloatArray:
        """B' values: (G, q, r) to (m, r)."""
        return np.asarray(self._transposed @ values.reshape(-1, values.shape[2]))

    @cached_property
    def _pairs(self) -> Pairs | None:
        sizes = np.bincount(self.level, minlength=self.n_levels)
        count = int((sizes * (sizes + 1) // 2).sum())
        possible = self.n_levels * self.n_columns * (self.n_columns + 1) / 2
        kept = count * self.n_random * (self.n_random + 1) // 2
        if count == 0 or count > DENSE * possible or kept > MOST_PAIRS:
            return None
        return Pairs.of(self, sizes)

    def _rows(self) -> list[tuple[slice, FloatArray]]:
        """Levels and their rows of B, dense: (levels, q, m)."""
        q, m = self.n_random, self.n_columns
        step = max(1, CHUNK // (q * m))
        parts = [slice(s, min(s + step, self.n_levels)) for s in range(0, self.n_levels, step)]
        return [
            (part, self.matrix[part.start * q : part.stop * q].toarray().reshape(-1, q, m))
            for part in parts
        ]

    @cached_property
    def _dense(self) -> list[tuple[slice, FloatArray]] | None:
        small = self.n_levels * self.n_random * self.n_columns <= CHUNK
        return self._rows() if small else None

    def squared(self, p: FloatArray) -> FloatArray:
        """B'PB (m, m) for the blocks of P (G, q, q)."""
        m = self.n_columns
        if self._pairs is not None:
            return self._pairs.squared(p, m)
        found = np.zeros((m, m))
        for part, rows in self._dense or self._rows():
            found += rows.reshape(-1, m).T @ (p[part] @ rows).reshape(-1, m)
        return (found + found.T) / 2

    def within(self, t: FloatArray) -> FloatArray:
        """Diagonal blocks (G, q, q) of B T B' for a symmetric T (m, m)."""
        if self._pairs is not None:
            return self._pairs.within(t, self.n_levels)
        found = np.empty((self.n_levels, self.n_random, self.n_random))
        for part, rows in self._dense or self._rows():
            moved = (rows.reshape(-1, self.n_columns) @ t).reshape(rows.shape)
            found[part] = moved @ rows.transpose(0, 2, 1)
        return found


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of columns i >= j that occur in one level, those of a level side by side."""

    cell: IntArray  # (r,) i m + j
    level: IntArray  # (r,)
    levels: IntArray  # (levels that meet a column,) in the order of the pairs
    starts: IntArray  # (levels that meet a column,) first pair of each
    half: FloatArray  # (r,) 1 where i > j, 1/2 where i = j
    elements: tuple[tuple[int, int], ...]  # a <= b
    products: tuple[FloatArray, ...]  # for each (r,): B_ai B_bj, plus B_bi B_aj if a < b

    @classmethod
    def of(cls, coupling: Coupling, sizes: IntArray) -> Pairs:
        """From the columns of each level, all levels of one size at once."""
        first = np.cumsum(sizes) - sizes
        left, right, levels, counts = [], [], [], []
        for size in np.unique(sizes[sizes > 0]).tolist():
            some = np.flatnonzero(sizes == size)
            i, j = np.tril_indices(size)
            left.append((first[some][:, None] + i).ravel())
            right.append((first[some][:, None] + j).ravel())
            levels.append(some)
            counts.append(np.full(len(some), len(i)))
        i, j = np.concatenate(left), np.concatenate(right)
        count = np.concatenate(counts)
        elements = [(a, b) for a in range(coupling.n_random) for b in range(a, coupling.n_random)]
        v = coupling.values.T
        return cls(
            cell=coupling.column[i] * coupling.n_columns + coupling.column[j],
            level=coupling.level[i],
            levels=np.concatenate(levels),
            starts=np.cumsum(count) - count,
            half=np.where(i == j, 0.5, 1.0),
            elements=tuple(elements),
            products=tuple(
                v[a][i] * v[b][j] + (v[b][i] * v[a][j] if a < b else 0.0) for a, b in elements
            ),
        )

    def squared(self, p: FloatArray, m: int) -> FloatArray:
        """B'PB (m, m)."""
        total = np.zeros(len(self.cell))
        for (a, b), product in zip(self.elements, self.products, strict=True):
            share = product * p[self.level, a, b]
            total = total + share
        # On the diagonal the two products of a < b are the same two terms of the sum.
        lower = np.bincount(self.cell, weights=total, minlength=m * m)
        return mirrored(lower.astype(np.float64, copy=False).reshape(m, m))

    def within(self, t: FloatArray, n_levels: int) -> FloatArray:
        """Diagonal blocks (G, q, q) of B T B'."""
        q = max(b for _, b in self.elements) + 1
        found = np.zeros((n_levels, q, q))
        taken = t.ravel()[self.cell] * self.half
        for (a, b), product in zip(self.elements, self.products, strict=True):
            sums = np.add.reduceat(taken * product, self.starts)
            found[self.levels, a, b] = found[self.levels, b, a] = sums * (2 if a == b else 1)
        return found


def mirrored(lower: FloatArray) -> FloatArray:
    """Symmetric matrix of a lower triangle; what is above the diagonal does not count."""
    found = np.tril(lower)
    found += np.tril(lower, -1).T
    return found
