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
MIRROR = 96  # rows mirrored at a time, so that they stay in the cache
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
            return self._pairs.squared(p)
        found = np.zeros((m, m))
        for part, rows in self._dense or self._rows():
            found += rows.reshape(-1, m).T @ (p[part] @ rows).reshape(-1, m)
        return (found + found.T) / 2

    def within(self, t: FloatArray) -> FloatArray:
        """Diagonal blocks (G, q, q) of B T B' for a symmetric T (m, m)."""
        if self._pairs is not None:
            return self._pairs.within(t)
        found = np.empty((self.n_levels, self.n_random, self.n_random))
        for part, rows in self._dense or self._rows():
            moved = (rows.reshape(-1, self.n_columns) @ t).reshape(rows.shape)
            found[part] = moved @ rows.transpose(0, 2, 1)
        return found


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of columns i >= j that occur in one level, as sparse matrices (m m, G).

    For each a <= b the entry of the cell i m + j and a level is B_ai B_bj, plus B_bi B_aj if a < b.
    """

    elements: tuple[tuple[int, int], ...]  # a <= b
    products: tuple[sparse.csr_array, ...]
    transposed: tuple[sparse.csr_array, ...]
    levels: IntArray  # (G,) the order of their columns: by number of pairs
    n_columns: int

    @classmethod
    def of(cls, coupling: Coupling, sizes: IntArray) -> Pairs:
        """From the columns of each level, all levels of one size at once."""
        first = np.cumsum(sizes) - sizes
        levels = np.argsort(sizes, kind="stable")
        left, right = [], []
        for size in np.unique(sizes).tolist():
            start = first[levels[sizes[levels] == size]][:, None]
            i, j = np.tril_indices(size)
            left.append((start + i).ravel())
            right.append((start + j).ravel())
        i, j = np.concatenate(left), np.concatenate(right)
        q, m = coupling.n_random, coupling.n_columns
        cell = coupling.column[i] * m + coupling.column[j]
        ends = np.cumsum(np.r_[0, (sizes * (sizes + 1) // 2)[levels]])
        v = coupling.values.T
        elements = tuple((a, b) for a in range(q) for b in range(a, q))
        rows = []
        for a, b in elements:
            product = v[a][i] * v[b][j]
            if a < b:
                product += v[b][i] * v[a][j]
            rows.append(sparse.csr_array((product, cell, ends), shape=(len(levels), m * m)))
        columns = tuple(sparse.csr_array(part.T.tocsr()) for part in rows)
        return cls(elements, columns, tuple(rows), levels, m)

    def squared(self, p: FloatArray) -> FloatArray:
        """B'PB (m, m) for the blocks of P (G, q, q)."""
        # On the diagonal the two products of a < b are two terms of the sum.
        parts = zip(self.elements, self.products, strict=True)
        lower = sum(product @ p[self.levels, a, b] for (a, b), product in parts)
        return mirrored(np.asarray(lower).reshape(self.n_columns, self.n_columns))

    def within(self, t: FloatArray) -> FloatArray:
        """Diagonal blocks (G, q, q) of B T B'."""
        q = self.elements[-1][1] + 1
        halved = t.copy()
        halved.flat[:: self.n_columns + 1] /= 2
        found = np.empty((len(self.levels), q, q))
        for (a, b), product in zip(self.elements, self.transposed, strict=True):
            sums = product @ halved.ravel()
            found[self.levels, a, b] = found[self.levels, b, a] = sums * (2 if a == b else 1)
        return found


def mirrored(lower: FloatArray) -> FloatArray:
    """The lower triangle of a square matrix copied above its diagonal, in place."""
    for start in range(0, len(lower), MIRROR):
        end = min(start + MIRROR, len(lower))
        lower[start:end, end:] = lower[end:, start:end].T
        own = np.tril(lower[start:end, start:end])
        lower[start:end, start:end] = own + np.tril(own, -1).T
    return lower
