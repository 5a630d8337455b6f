"""Krippendorff's alpha from disagreement within units and between all ratings.

Source: Krippendorff (2004) Content Analysis, ch. 11; Hayes & Krippendorff (2007)
doi:10.1080/19312450709336664. No coincidence matrix is built: disagreement within a unit is
a sum over its own ratings, and the expected one depends only on how often each value occurs.
The ordinal metric is the interval metric on midranks of the pooled ratings. Drawing units
with replacement is drawing how often each pattern of ratings occurs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import sparse

from collabsurvey.numerics.typing import FloatArray, IntArray

Level = Literal["nominal", "ordinal", "interval", "ratio"]
BLOCK = 2**22  # numbers held for some resamples: 32 MB


@dataclass(frozen=True, eq=False)
class Units:
    """Units with two ratings or more; units with the same ratings are one pattern.

    Attributes
    ----------
    counts : (p, q) sparse, how often each value was given to a unit of each pattern
    times : (p,) units of each pattern
    values : (q,) ascending; codes where the level is nominal or ordinal
    """

    counts: sparse.csr_array
    times: FloatArray
    values: FloatArray

    @property
    def size(self) -> FloatArray:
        """Ratings of a unit of each pattern (p,)."""
        return np.asarray(self.counts.sum(axis=1))


def units(target: IntArray, code: IntArray, values: FloatArray) -> Units:
    """Units from one code (N,) a rating; those with a single rating are left out."""
    order = np.lexsort((code, target))
    target, code = target[order], code[order]
    size = np.bincount(target)
    place = np.arange(len(target)) - np.repeat(size.cumsum() - size, size)
    table = np.full((len(size), int(size.max())), -1, dtype=np.int64)
    table[target, place] = code
    patterns, times = np.unique(table[size >= 2], axis=0, return_counts=True)
    row, column = np.nonzero(patterns >= 0)
    seen, again = np.unique(patterns[row, column], return_inverse=True)
    counts = sparse.csr_array((np.ones(len(row)), (row, again)), shape=(len(times), len(seen)))
    return Units(counts, times.astype(float), values[seen])


def spread(size: FloatArray, total: FloatArray, squares: FloatArray) -> FloatArray:
    """Sum of squared differences over ordered pairs of values with these sums."""
    return np.asarray(2 * (size * squares - total**2))


def ratio_metric(values: FloatArray) -> FloatArray:
    """((a - b) / (a + b))² (q, q); 0 for two zeros."""
    below = np.add.outer(values, values)
    above = np.subtract.outer(values, values)
    return np.asarray(np.divide(above, below, out=np.zeros_like(above), where=below != 0) ** 2)


def own_disagreement(data: Units, level: Level) -> FloatArray:
    """Disagreement within a unit of each pattern (p,): ordered pairs over one rating less.

    Not for the ordinal level, whose metric changes with the ratings drawn.
    """
    size, values = data.size, data.values
    if level == "nominal":
        pairs = size**2 - np.asarray(data.counts.multiply(data.counts).sum(axis=1))
    elif level == "interval":
        away = values - values.mean()
        pairs = spread(size, data.counts @ away, data.counts @ away**2)
    else:
        weighted = data.counts @ ratio_metric(values)
        pairs = np.asarray(data.counts.multiply(weighted).sum(axis=1))
    return np.asarray(pairs / (size - 1))


def alphas(data: Units, level: Level, weights: FloatArray) -> FloatArray:
    """Alpha (B,) with each pattern counted `weights` (B, p) times; NaN where nothing varies."""
    size, values = data.size, data.values
    given = np.asarray(weights @ data.counts)  # (B, q) how often each value occurs
    n = given.sum(axis=1)
    if level == "ordinal":
        rank = given.cumsum(axis=1) - given / 2
        rank -= n[:, None] / 2
        sums = np.asarray(data.counts @ rank.T)  # (p, B)
        squares = np.asarray(data.counts @ rank.T**2)
        own = spread(size[:, None], sums, squares) / (size - 1)[:, None]
        observed = (weights.T * own).sum(axis=0)
        expected = spread(n, (given * rank).sum(axis=1), (given * rank**2).sum(axis=1))
    else:
        observed = weights @ own_disagreement(data, level)
        if level == "nominal":
            expected = n**2 - (given**2).sum(axis=1)
        elif level == "interval":
            away = values - values.mean()
            expected = spread(n, given @ away, given @ away**2)
        else:
            expected = ((given @ ratio_metric(values)) * given).sum(axis=1)
    varies = expected > 1e-12 * n**2 * max(float(np.ptp(values)), 1e-300) ** 2
    varies |= (expected > 0) & (level != "interval")
    out = np.full(len(n), np.nan)
    out[varies] = 1 - (n[varies] - 1) * observed[varies] / expected[varies]
    return out


def resampled_alphas(data: Units, level: Level, *, n_draws: int, seed: int) -> Iterator[FloatArray]:
    """Blocks of alphas of units drawn with replacement."""
    n, (p, q) = int(data.times.sum()), data.counts.shape
    generator = np.random.default_rng(seed)
    step = max(BLOCK // max(p, q), 1)
    for start in range(0, n_draws, step):
        size = min(step, n_draws - start)
        yield alphas(data, level, generator.multinomial(n, data.times / n, size=size).astype(float))
