"""Polychoric correlations of many resamples of the same items: only the matrices, quickly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collabsurvey.dimensionality.two_way import pairs_of, thresholds, two_step
from collabsurvey.numerics.typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class PairLayout:
    """Where the two-way tables of k items stand in the table of all categories."""

    sizes: IntArray  # (k,) categories
    first: IntArray  # (P,)
    second: IntArray  # (P,)
    shapes: tuple[tuple[IntArray, IntArray, IntArray], ...]  # pairs, rows and columns, by shape

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.sizes)


def pair_layout(sizes: Sequence[int]) -> PairLayout:
    """Lay out the pairs of items with these numbers of categories."""
    size = np.asarray(sizes, dtype=np.int64)
    start = np.cumsum(size) - size
    first, second = pairs_of(len(size))
    both = np.column_stack([size[first], size[second]])
    shapes = []
    for r, c in np.unique(both, axis=0).tolist():
        at = np.flatnonzero((both == (r, c)).all(axis=1))
        rows = start[first[at]][:, None, None] + np.arange(r)[:, None]
        columns = start[second[at]][:, None, None] + np.arange(c)
        shapes.append((at, rows, columns))
    return PairLayout(size, first, second, tuple(shapes))


def hot_columns(codes: IntArray, layout: PairLayout) -> NDArray[np.float32]:
    """Zeros and ones (sum c, n) of codes (n, k) from 0."""
    hot = np.empty((int(layout.sizes.sum()), len(codes)), dtype=np.float32)
    row = 0
    for j, size in enumerate(layout.sizes.tolist()):
        answers = np.ascontiguousarray(codes[:, j])
        for category in range(size):
            hot[row] = answers == category
            row += 1
    return hot


def polychoric_of_counts(
    counts: FloatArray, layout: PairLayout, start: FloatArray | None = None
) -> FloatArray:
    """Correlations (k, k) from the table of all categories (sum c, sum c); `start` (k, k).

    A category that a resample lacks has a threshold at infinity, or two at one place, and
    plays no part.
    """
    k = layout.n_items
    margins = np.diag(counts)
    ends = np.cumsum(layout.sizes)
    rho = np.empty(len(layout.first))
    with np.errstate(divide="ignore"):
        cuts = [
            thresholds(margins[end - size : end])
            for end, size in zip(ends, layout.sizes, strict=True)
        ]
    for at, rows, columns in layout.shapes:
        i, j = layout.first[at], layout.second[at]
        begin = None if start is None else start[i, j]
        fits = two_step(
            counts[rows, columns],
            np.array([cuts[item] for item in i]),
            np.array([cuts[item] for item in j]),
            begin,
        )
        rho[at] = fits.rho
    cor = np.eye(k)
    cor[layout.first, layout.second] = rho
    cor[layout.second, layout.first] = rho
    return cor
