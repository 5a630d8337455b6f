"""Maximum likelihood mean and covariance of normal answers with gaps (EM).

Rows with the same gaps are a pattern. A pattern of many rows is replaced by at most
k + 1 rows with the same sums and cross-products, so the work of a step grows with the
number of patterns, not of rows. Within a step all patterns with the same number of gaps
are worked on together: with P the inverse of the covariance and z the deviations, 0 in
the gaps M, the gaps are expected at -inv(P_MM) (P z)_M, with covariance inv(P_MM).

Sources: Dempster, Laird & Rubin (1977) doi:10.1111/j.2517-6161.1977.tb01600.x; Little &
Rubin (2020) Statistical Analysis with Missing Data, sec. 11.2, doi:10.1002/9781119482260.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from collabsurvey.numerics.linalg import aliased_columns
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray

CELLS = 2**21  # numbers held at a time in a step: 16 MB
FOLLOWS = 1e-4  # share of its variance that is left to an item where the rank is lost
SMALLEST_EIGENVALUE = 1e-6  # of the correlations: below it some items follow from others


@dataclass(frozen=True, eq=False)
class EmMoments:
    """What the iteration came to.

    `singular` says that it stopped because the covariance lost its rank; the numbers are
    then those of the step before.
    """

    mean: FloatArray  # (k,)
    cov: FloatArray  # (k, k), divisor n: maximum likelihood
    n: int  # rows with at least one answer
    n_patterns: int
    n_iterations: int
    converged: bool
    loglik: float  # of the answers that were given
    singular: bool


@dataclass(frozen=True, eq=False)
class Patterns:
    """Which answers are there: each combination once."""

    answered: BoolArray  # (p, k)
    n_rows: IntArray  # (p,)
    which: IntArray  # (n,) pattern of each row


def following_items(found: EmMoments) -> tuple[int, ...]:
    """Items that earlier items all but determine, where the iteration lost its rank."""
    sd = np.sqrt(np.diag(found.cov))
    return aliased_columns(found.cov / np.outer(sd, sd), tolerance=FOLLOWS)


def gap_patterns(answered: BoolArray) -> Patterns:
    """Patterns of an (n, k) array that says which answers are there, most frequent first."""
    bits = np.packbits(answered, axis=1)
    whole = np.ascontiguousarray(bits).view(np.dtype((np.void, bits.shape[1]))).ravel()
    _, first, which, n_rows = np.unique(
        whole, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.lexsort((first, -n_rows))  # among equals, the one that came first
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return Patterns(answered[first[order]], n_rows[order].astype(np.int64), place[which])


def em_moments(x: FloatArray, *, max_iterations: int = 1000, tolerance: float = 1e-9) -> EmMoments:
    """Mean and covariance of (n, k) answers, NaN for missing; every item must vary.

    Iterates until no mean or covariance moves by `tolerance` standard deviations (their
    squares). Rows without any answer are left out.
    """
    centre = np.array([np.nanmean(item) for item in x.T])  # item by item: no copy of them all
    scale = np.array([np.nanstd(item) for item in x.T])
    patterns = gap_patterns(~np.isnan(x))
    groups, n = _groups(x, patterns, centre, scale)
    k = x.shape[1]
    mean, cov = np.zeros(k), _start(x, centre, scale)
    converged = singular = False
    step = loglik = -np.inf
    iterations = 0
    while not converged and iterations < max_iterations:
        new_mean, new_cov, _ = _step(groups, mean, cov, n)
        iterations += 1
        if np.linalg.eigvalsh(new_cov)[0] < SMALLEST_EIGENVALUE:
            singular = True
            break
        step = max(np.abs(new_mean - mean).max(), np.abs(new_cov - cov).max())
        mean, cov = new_mean, new_cov
        converged = bool(step < tolerance)
    loglik = _step(groups, mean, cov, n)[2] - float(
        sum(group.n @ (group.answered @ np.log(scale)) for group in groups)
    )
    return EmMoments(
        mean=centre + mean * scale,
        cov=cov * np.outer(scale, scale),
        n=n,
        n_patterns=len(patterns.n_rows) - int((~patterns.answered.any(axis=1)).sum()),
        n_iterations=iterations,
        converged=converged,
        loglik=loglik,
        singular=singular,
    )


@dataclass(frozen=True, eq=False)
class Group:
    """Patterns with the same number m of gaps, and the rows that stand for them."""

    answered: BoolArray  # (p, k)
    gaps: IntArray  # (p, m) items without an answer
    n: FloatArray  # (p,) rows of answers in each pattern
    rows: FloatArray  # (r, 1 + k): 1 (or its stand-in) and the answers, 0 in the gaps
    of: IntArray  # (r,) pattern of each row, ascending

    def parts(self) -> Iterator[tuple[slice, slice]]:
        """Patterns and their rows, a few at a time so that the step stays small."""
        k, m = self.answered.shape[1], self.gaps.shape[1]
        per_pattern = m * m + (4 * k + m * m) * len(self.of) / max(len(self.n), 1)
        size = max(int(CELLS / per_pattern), 1)
        for start in range(0, len(self.n), size):
            end = min(start + size, len(self.n))
            low, high = np.searchsorted(self.of, (start, end))
            yield slice(start, end), slice(int(low), int(high))


def _groups(
    x: FloatArray, patterns: Patterns, centre: FloatArray, scale: FloatArray
) -> tuple[list[Group], int]:
    """Groups of patterns with their rows in standard units; rows with any answer."""
    n_gaps = (~patterns.answered).sum(axis=1)
    order = np.argsort(patterns.which, kind="stable")
    ends = np.cumsum(patterns.n_rows)
    groups = []
    k = x.shape[1]
    for m in np.unique(n_gaps):
        if m == k:
            continue
        members = np.flatnonzero(n_gaps == m)
        held = []
        for place, p in enumerate(members):
            rows = order[ends[p] - patterns.n_rows[p] : ends[p]]
            if len(rows) <= k - m + 1:
                continue
            held.append((place, _stand_ins(x, rows, centre, scale)))
        few = members[patterns.n_rows[members] <= k - m + 1]
        groups.append(_group(x, patterns, members, few, held, order, ends, (centre, scale)))
    return groups, int(patterns.n_rows[n_gaps < k].sum())


def _group(
    x: FloatArray,
    patterns: Patterns,
    members: IntArray,
    few: IntArray,
    held: list[tuple[int, FloatArray]],
    order: IntArray,
    ends: IntArray,
    units: tuple[FloatArray, FloatArray],
) -> Group:
    """One group: rows as they are for patterns of `few` rows, stand-ins for the others."""
    sizes = patterns.n_rows[few]
    offsets = np.repeat(ends[few] - sizes, sizes)
    within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    plain = _standard(x[order[offsets + within]], *units)
    of = np.repeat(np.searchsorted(members, few), sizes)
    rows = np.vstack([plain, *(stand_in for _, stand_in in held)])
    of = np.concatenate([of, *(np.full(len(part), place) for place, part in held)])
    by_pattern = np.argsort(of, kind="stable")
    answered = patterns.answered[members]
    m = int((~answered[0]).sum())
    gaps = np.nonzero(~answered)[1].reshape(len(members), m)
    n = patterns.n_rows[members].astype(float)
    return Group(answered, gaps, n, rows[by_pattern], of[by_pattern].astype(np.int64))


def _standard(x: FloatArray, centre: FloatArray, scale: FloatArray) -> FloatArray:
    """Rows (r, 1 + k): 1 and the answers in standard units, 0 in the gaps."""
    rows = np.empty((len(x), 1 + x.shape[1]))
    rows[:, 0] = 1.0
    np.divide(x - centre, scale, out=rows[:, 1:])
    np.nan_to_num(rows, copy=False)
    return rows


def _stand_ins(x: FloatArray, rows: IntArray, centre: FloatArray, scale: FloatArray) -> FloatArray:
    """Return at most k + 1 rows with the sums and cross-products of the rows named."""
    k = x.shape[1]
    products = np.zeros((k + 1, k + 1))
    size = max(CELLS // k, 1)
    for start in range(0, len(rows), size):
        part = _standard(x[rows[start : start + size]], centre, scale)
        products += part.T @ part
    values, vectors = np.linalg.eigh(products)
    kept = values > values[-1] * 1e-15
    return np.asarray((vectors[:, kept] * np.sqrt(values[kept])).T)


def _step(
    groups: list[Group], mean: FloatArray, cov: FloatArray, n: int
) -> tuple[FloatArray, FloatArray, float]:
    """Mean and covariance after one step, and the log-likelihood before it."""
    k = len(mean)
    inverse = _inverse(cov)
    log_det = float(np.linalg.slogdet(cov)[1])
    first, second = np.zeros(k), np.zeros((k, k))
    loglik = 0.0
    for group in groups:
        for some, rows in group.parts():
            c = group.rows[rows, 0]
            z = group.rows[rows, 1:] - c[:, None] * mean
            of = group.of[rows] - some.start
            z[~group.answered[some][of]] = 0.0
            gaps, size = group.gaps[some], group.n[some]
            quadratic, log_part, spread = fill_gaps(z, inverse, gaps, of)
            first += c @ z
            second += z.T @ z
            m = gaps.shape[1]
            if m:
                cells = (gaps[:, :, None] * k + gaps[:, None, :]).ravel()
                weights = (size[:, None, None] * spread).ravel()
                second += np.bincount(cells, weights, minlength=k * k).reshape(k, k)
            deviance = size @ ((k - m) * np.log(2 * np.pi) + log_det + log_part)
            loglik -= 0.5 * float(quadratic.sum() + deviance)
    shift = first / n
    new = second / n - np.outer(shift, shift)
    return mean + shift, (new + new.T) / 2, loglik


def fill_gaps(
    z: FloatArray, inverse: FloatArray, gaps: IntArray, of: IntArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Put the expected deviations into the gaps of z (r, k), which holds 0 there.

    `gaps` (p, m) lists the items without an answer of each pattern, `of` (r,) names the
    pattern of each row. Returns the squared distance of the answers given (r,), the log
    determinant of P_MM (p,) and the covariance of what is missing (p, m, m).
    """
    leverage = z @ inverse
    quadratic = np.einsum("ij,ij->i", z, leverage)
    p, m = gaps.shape
    if not m:
        return quadratic, np.zeros(p), np.zeros((p, 0, 0))
    block = inverse[gaps[:, :, None], gaps[:, None, :]]
    spread = 1 / block if m == 1 else _inverse(block)
    log_part = np.log(block[:, 0, 0]) if m == 1 else np.linalg.slogdet(block)[1]
    pull = np.take_along_axis(leverage, gaps[of], axis=1)
    filled = -np.einsum("rij,rj->ri", spread[of], pull)
    quadratic += np.einsum("ri,ri->r", filled, pull)
    np.put_along_axis(z, gaps[of], filled, axis=1)
    return quadratic, log_part, spread


def _inverse(matrices: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.inv(matrices), dtype=np.float64)


def observed_distances(
    x: FloatArray, mean: FloatArray, cov: FloatArray
) -> tuple[FloatArray, IntArray]:
    """Squared Mahalanobis distance (n,) of the answers given, and how many they are (n,).

    Each row is measured with the part of the mean and the covariance (positive definite)
    that belongs to its answers; a row without answers has NaN.
    """
    inverse = _inverse(cov)
    n, k = x.shape
    answered = ~np.isnan(x)
    n_answered = answered.sum(axis=1)
    found = np.full(n, np.nan)
    for m in np.unique(k - n_answered):
        if m == k:
            continue
        rows = np.flatnonzero(n_answered == k - m)
        size = max(CELLS // int(4 * k + 2 * m * m), 1)
        for start in range(0, len(rows), size):
            some = rows[start : start + size]
            z = np.nan_to_num(x[some] - mean)
            gaps = np.nonzero(~answered[some])[1].reshape(len(some), m)
            found[some] = fill_gaps(z, inverse, gaps, np.arange(len(some)))[0]
    return found, n_answered


def _start(x: FloatArray, centre: FloatArray, scale: FloatArray) -> FloatArray:
    """Covariance to start from: pairwise in standard units, made positive definite."""
    k = x.shape[1]
    counts, products = np.zeros((k, k)), np.zeros((k, k))
    size = max(CELLS // (4 * k), 1)
    for start in range(0, len(x), size):
        part = (x[start : start + size] - centre) / scale
        there = (~np.isnan(part)).astype(float)
        part = np.nan_to_num(part)
        counts += there.T @ there
        products += part.T @ part
    values, vectors = np.linalg.eigh(products / np.maximum(counts, 1.0))
    return np.asarray((vectors * np.maximum(values, 0.05)) @ vectors.T)
