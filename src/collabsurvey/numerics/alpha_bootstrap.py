"""Bootstrap of alpha over many units, rows or clusters, from sums alone.

The numbers a resample needs are sums over its units of a few products of the unit's own
moments, so that all resamples are one matrix product with the counts of how often each unit
was drawn: no (resamples, units) array of anything else is ever made. The linearised standard
error of a studentised bootstrap is a sum of squares that expands into such sums too.
Notation as in `reliability.cluster_alpha`: t is the sum of the item variances over the
variance of the sum, log(1 - alpha) = log((k t - 1) / (k - 1)).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from collabsurvey.numerics.typing import FloatArray

COUNTED = 2**16  # units drawn at a time; counting is quickest in the processor's cache
BLOCK = 2**20  # counts in a block: 8 MB, so that products are few and large


def unit_draws(n: int, n_draws: int, *, seed: int) -> Iterator[FloatArray]:
    """Yield counts (b, n) of units drawn with replacement, for many units.

    Quicker than multinomial draws, whose time is that of a binomial for each unit.
    """
    generator = np.random.default_rng(seed)
    step = max(COUNTED // n, 1)
    size = max(BLOCK // (n * step), 1) * step
    small = np.uint16 if n < 2**16 else np.uint32
    offsets = (np.arange(step) * n)[:, None]
    for start in range(0, n_draws, size):
        counts = np.empty((min(size, n_draws - start), n))
        for first in range(0, len(counts), step):
            b = min(step, len(counts) - first)
            drawn = generator.integers(0, n, (b, n), dtype=small) + offsets[:b]
            counts[first : first + b] = np.bincount(drawn.ravel(), minlength=b * n).reshape(b, n)
        yield counts


def unit_products(
    weight: FloatArray, mean: FloatArray, trace: FloatArray, total: FloatArray, *, squares: bool
) -> FloatArray:
    """What is summed over units (G, q): weight, items' cross-products, their squares on request.

    `weight` (G,) rows of a unit, `mean` (G, k) about a common centre, `trace` and `total` (G,)
    of its centred cross-products: 0 where the unit is a row.
    """
    p = weight[:, None] * mean
    a = trace + (p * mean).sum(axis=1)
    b = total + p.sum(axis=1) * mean.sum(axis=1)
    first = [weight[:, None], a[:, None], b[:, None], p]
    if not squares:
        return np.hstack(first)
    upper = np.triu_indices(mean.shape[1])
    own = np.column_stack([weight, a, b])
    i, j = np.triu_indices(3)
    second = [own[:, i] * own[:, j], weight[:, None] * p, a[:, None] * p, b[:, None] * p]
    return np.hstack([*first, *second, p[:, upper[0]] * p[:, upper[1]]])


def resampled_log_error(
    sums: FloatArray, k: int, drawn: float
) -> tuple[FloatArray, FloatArray | None]:
    """Return log(1 - alpha) (B,) from sums (B, q) of `unit_products`, and its standard error.

    `drawn` is the number of units in a resample; the error is None without squares.
    """
    n, a, b, p = sums[:, 0], sums[:, 1], sums[:, 2], sums[:, 3 : 3 + k]
    centre = p / n[:, None]
    height = centre.sum(axis=1)
    length = (centre**2).sum(axis=1)
    whole = b - n * height**2
    t = (a - n * length) / whole
    value = np.log((k * t - 1) / (k - 1))
    if sums.shape[1] == 3 + k:
        return value, None
    # A unit adds y = a - t b + u'p + g n to (k t - 1) whole; the sum of y² term by term.
    u = 2 * (t * height)[:, None] - 2 * centre
    g = length - t * height**2
    rest = sums[:, 3 + k :]
    nn, na, nb, aa, ab, bb = rest[:, :6].T
    np_, ap, bp = (rest[:, 6 + i * k : 6 + (i + 1) * k] for i in range(3))
    i, j = np.triu_indices(k)
    pairs = rest[:, 6 + 3 * k :] * np.where(i == j, 1.0, 2.0)
    square = aa + t**2 * bb + g**2 * nn - 2 * t * ab + 2 * g * na - 2 * t * g * nb
    square += 2 * (u * (ap - t[:, None] * bp + g[:, None] * np_)).sum(axis=1)
    square += (pairs * u[:, i] * u[:, j]).sum(axis=1)
    variance = np.maximum(square, 0.0) / whole**2 * drawn / (drawn - 1)
    return value, k / (k * t - 1) * np.sqrt(variance)
