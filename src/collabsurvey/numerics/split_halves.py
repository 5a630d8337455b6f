"""Reliability of a test split in two halves, for all splits or a sample of them.

The coefficient of a split is 4 cov(A, B) / var(A + B): Guttman's (1945)
doi:10.1007/BF02288892 lambda 4, the same as Rulon's (1939) and Flanagan's (1937). With as many
items in each half its mean over all splits is alpha (Cronbach, 1951); with an odd number of
items halves differ by one item and the mean is alpha (1 - 1 / k²).
"""

from __future__ import annotations

from itertools import combinations, islice
from math import comb

import numpy as np

from collabsurvey.numerics.typing import FloatArray

MOST_ENUMERATED = 16  # items: 6435 splits; 17 items have 24 310
STARTS = 8  # of the best splits of a sample that exchanges begin from
BLOCK = 2**23  # coefficients held at a time: 64 MB


def every_half(k: int) -> FloatArray:
    """Zeros and ones (S, k): the first half of each split, floor(k / 2) items.

    With an even number of items the first item is always in it, so that no split comes twice.
    """
    m = k // 2
    if k % 2:
        chosen = list(combinations(range(k), m))
    else:
        chosen = [(0, *rest) for rest in combinations(range(1, k), m - 1)]
    return _members(chosen, k)


def psych_halves(k: int) -> FloatArray:
    """Return the splits that psych::splitHalf 2.2.9 tries: the first half of all in lexical order.

    For an even number of items these are all splits; for an odd one they leave out half of them.
    """
    m = k // 2
    count = max(comb(k, m) // 2, 1)
    return _members(list(islice(combinations(range(k), m), count)), k)


def sampled_halves(k: int, n: int, *, seed: int) -> FloatArray:
    """Halves (n, k) drawn at random, each as likely as any other."""
    generator = np.random.default_rng(seed)
    order = np.argsort(generator.random((n, k)), axis=1)
    halves = np.zeros((n, k))
    np.put_along_axis(halves, order[:, : k // 2], 1.0, axis=1)
    return halves


def _members(chosen: list[tuple[int, ...]], k: int) -> FloatArray:
    halves = np.zeros((len(chosen), k))
    np.put_along_axis(halves, np.array(chosen, dtype=np.int64), 1.0, axis=1)
    return halves


def split_coefficients(covs: FloatArray, halves: FloatArray) -> FloatArray:
    """Coefficients (B, S) of each split in each covariance matrix (B, k, k): one product.

    cov(A, B) = a'C 1 - a'C a for the indicator a of the first half, linear in the elements of C.
    """
    upper = np.triu_indices(covs.shape[-1], 1)
    # a_i + a_j - 2 a_i a_j is 1 where the split parts the two items, 0 where it does not.
    parted = np.abs(halves[:, upper[0]] - halves[:, upper[1]])
    total = covs.sum(axis=(-2, -1))
    return np.asarray(4 * (covs[:, upper[0], upper[1]] @ parted.T) / total[:, None])


def extremes(
    covs: FloatArray, halves: FloatArray, *, search: bool
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Best, worst and mean coefficient (B,), and the halves (B, k) of the best and the worst.

    `search` improves both by exchanging items, for samples of splits that leave some out.
    """
    n, k = len(covs), covs.shape[-1]
    mean = np.empty(n)
    high, low = np.empty((n, k)), np.empty((n, k))
    step = max(BLOCK // len(halves), 1)
    for start in range(0, n, step):
        part = slice(start, start + step)
        values = split_coefficients(covs[part], halves)
        mean[part] = values.mean(axis=1)
        if search:
            high[part] = _searched(covs[part], halves, values)
            low[part] = _searched(-covs[part], halves, -values)
        else:
            high[part], low[part] = halves[values.argmax(axis=1)], halves[values.argmin(axis=1)]
    return _own(covs, high), _own(covs, low), mean, high, low


def _searched(covs: FloatArray, halves: FloatArray, values: FloatArray) -> FloatArray:
    """Best of the splits (B, k) that exchanges reach from the highest of the `values` (B, S)."""
    starts = min(STARTS, len(halves))
    top = np.argpartition(-values, starts - 1, axis=1)[:, :starts]
    found = exchanged(np.repeat(covs, starts, axis=0), halves[top.ravel()])
    across = np.einsum("bi,bij,bj->b", found, np.repeat(covs, starts, axis=0), 1 - found)
    place = across.reshape(len(covs), starts).argmax(axis=1)
    return np.asarray(found.reshape(len(covs), starts, -1)[np.arange(len(covs)), place])


def _own(covs: FloatArray, halves: FloatArray) -> FloatArray:
    """Coefficient (B,) of one split (B, k) for each matrix."""
    across = np.einsum("bi,bij,bj->b", halves, covs, 1 - halves)
    return np.asarray(4 * across / covs.sum(axis=(-2, -1)))


def exchanged(covs: FloatArray, halves: FloatArray) -> FloatArray:
    """Exchange two items between halves (B, k) as long as cov(A, B) rises; a local maximum."""
    halves = halves.copy()
    own = np.diagonal(covs, axis1=-2, axis2=-1)
    rows = covs.sum(axis=-1)
    scale = np.abs(covs).sum(axis=(-2, -1))
    active = np.arange(len(covs))
    while len(active):
        a, c, v = halves[active], covs[active], own[active]
        inside = np.einsum("bij,bj->bi", c, a)
        # Gain of moving item i out of the first half and item j into it.
        out = -rows[active] + 2 * inside - v
        into = rows[active] - 2 * inside - v
        gain = out[:, :, None] + into[:, None, :] + 2 * c
        gain = np.where((a[:, :, None] == 1) & (a[:, None, :] == 0), gain, -np.inf)
        flat = gain.reshape(len(active), -1)
        place = flat.argmax(axis=1)
        better = flat[np.arange(len(active)), place] > 1e-12 * scale[active]
        active = active[better]
        i, j = np.unravel_index(place[better], gain.shape[1:])
        halves[active, i], halves[active, j] = 0.0, 1.0
    return halves


def spearman_brown(r: FloatArray) -> FloatArray:
    """Reliability of a test twice as long: 2 r / (1 + r) (Spearman, 1910; Brown, 1910)."""
    return np.asarray(2 * r / (1 + r))
