"""Compositions: shares of a whole, their log-ratios, distances and centre; zeros replaced.

A row of an (n, D) array is one composition; only the ratios of its parts mean something.
Sources: Aitchison (1986), The statistical analysis of compositional data; coordinates from
Egozcue et al. (2003) doi:10.1023/A:1023818214614. Zeros that only mean "less than one unit"
are replaced multiplicatively, Martín-Fernández, Barceló-Vidal & Pawlowsky-Glahn (2003)
doi:10.1023/A:1023866030544; zeros of counts by a Bayesian estimate, Martín-Fernández et al.
(2015) doi:10.1177/1471082X14535524. Both leave the ratios of the other parts as they are.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from collabsurvey.errors import DataError
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray

Prior = Literal["jeffreys", "perks", "bayes_laplace", "sq", "gbm"]

BELOW_UNIT = 0.65  # of the unit: the share recommended in 2003, as it distorts covariances least
SAME = 1e-9  # shares closer than this are tied: they differ by rounding only


def closure(x: FloatArray) -> FloatArray:
    """Rows (n, D) divided by their sums; a row that sums to zero has no shares (NaN)."""
    total = x.sum(axis=-1, keepdims=True)
    return np.asarray(x / np.where(total == 0, np.nan, total))


def clr(x: FloatArray) -> FloatArray:
    """Centred log-ratios (n, D): log of each part over the geometric mean of its row."""
    logs = np.log(_positive(x))
    return np.asarray(logs - logs.mean(axis=-1, keepdims=True))


def clr_inverse(y: FloatArray) -> FloatArray:
    """Shares (n, D) from centred log-ratios."""
    return closure(np.exp(y - y.max(axis=-1, keepdims=True)))


def ilr_basis(n_parts: int) -> FloatArray:
    """Orthonormal basis (D - 1, D) of Egozcue et al. (2003): Helmert contrasts.

    Coordinate i sets the geometric mean of the first i parts against part i + 1:
    sqrt(i / (i + 1)) · ln(gmean(x_1 … x_i) / x_{i+1}). R's compositions::ilr has the
    opposite sign.
    """
    basis = np.zeros((n_parts - 1, n_parts))
    for row, i in enumerate(range(1, n_parts)):
        basis[row, :i] = 1 / i
        basis[row, i] = -1.0
        basis[row] *= np.sqrt(i / (i + 1))
    return basis


def ilr(x: FloatArray) -> FloatArray:
    """Isometric log-ratios (n, D - 1) in the basis of `ilr_basis`."""
    return np.asarray(clr(x) @ ilr_basis(x.shape[-1]).T)


def ilr_inverse(z: FloatArray) -> FloatArray:
    """Shares (n, D) from isometric log-ratios (n, D - 1)."""
    return clr_inverse(np.asarray(z @ ilr_basis(z.shape[-1] + 1)))


def aitchison_distance(x: FloatArray, y: FloatArray) -> FloatArray:
    """Distance (n,) of each row of x to the same row of y, both (n, D): that of their clr."""
    return np.asarray(np.linalg.norm(clr(x) - clr(y), axis=-1))


def centre(x: FloatArray, weights: FloatArray | None = None) -> FloatArray:
    """Compositional centre (D,) of the rows (n, D): closed geometric means, weights (n,)."""
    return clr_inverse(np.average(clr(x), axis=0, weights=weights))


def modal_part(x: FloatArray) -> tuple[IntArray, IntArray]:
    """Place of the largest part of each row (n,), -1 where tied or unknown; how many are tied (n,).

    The number tied is 0 where one part is the largest, else 2 or more.
    """
    known = np.asarray(~np.isnan(x).any(axis=-1))
    filled = np.where(known[:, None], x, -1.0)
    top = filled >= filled.max(axis=-1, keepdims=True) - SAME
    n_top = top.sum(axis=-1)
    place = np.where(known & (n_top == 1), top.argmax(axis=-1), -1)
    tied = np.where(known & (n_top > 1), n_top, 0)
    return place.astype(np.int64), tied.astype(np.int64)


def replace_multiplicatively(x: FloatArray, delta: FloatArray | float) -> FloatArray:
    """Closed rows (n, D), zeros set to `delta`, the others shrunk to make room.

    `delta` is a share: one number, (n, 1) or (n, D).
    """
    shares = closure(x)
    zero = shares == 0
    stand_in = np.where(zero, delta, 0.0)
    return np.where(zero, stand_in, shares * (1 - stand_in.sum(axis=-1, keepdims=True)))


def prior_strength(prior: Prior, n_parts: int) -> float:
    """Pseudo-counts s that a prior adds to a row, shared out evenly; not of "sq" and "gbm"."""
    strengths: dict[str, float] = {
        "perks": 1.0,
        "jeffreys": n_parts / 2,
        "bayes_laplace": float(n_parts),
    }
    return strengths[prior]


def replace_counts(counts: FloatArray, prior: Prior = "jeffreys") -> FloatArray:
    """Closed rows (n, D) of counts, zeros replaced by their estimate under a Dirichlet prior.

    A zero becomes t·s / (N + s), where N is the count of the row, s the strength of the prior
    and t what it expects of the part: 1 / D each, with s = 1 (perks), D / 2 (jeffreys), D
    (bayes_laplace) or sqrt(N) (sq); "gbm" takes t from the counts of all other rows and
    s = 1 / gmean(t). Of a row in which that would not stay below the smallest part picked
    (possible with sq and gbm only), no zero becomes more than .65 of that part. R's cmultRepl
    compares with the smallest share of the column instead, and takes t from the other rows
    for sq and bayes_laplace too.
    """
    n = counts.sum(axis=-1, keepdims=True)
    t, s = _prior(counts, n, prior)
    zero = counts == 0
    stand_in = np.where(zero, t * s / (n + s), 0.0)
    smallest = np.where(zero, np.inf, closure(counts)).min(axis=-1, keepdims=True)
    left = 1 - stand_in.sum(axis=-1, keepdims=True)
    too_large = stand_in.max(axis=-1, keepdims=True) >= smallest * left
    ceiling = BELOW_UNIT * smallest
    # The parts picked shrink to make room: divided so that the ceiling holds afterwards.
    ceiling = ceiling / (1 + ceiling * zero.sum(axis=-1, keepdims=True))
    return replace_multiplicatively(
        counts, np.where(too_large, np.minimum(stand_in, ceiling), stand_in)
    )


def _prior(
    counts: FloatArray, n: FloatArray, prior: Prior
) -> tuple[FloatArray, FloatArray | float]:
    """Expected shares t and strength s of the prior of each row."""
    n_parts = counts.shape[-1]
    even = np.full((1, n_parts), 1 / n_parts)
    if prior == "sq":
        return even, np.sqrt(n)
    if prior != "gbm":
        return even, prior_strength(prior, n_parts)
    others = counts.sum(axis=0) - counts
    zero: BoolArray = counts == 0
    if zero.any():
        check_gbm(counts.sum(axis=0), counts.max(axis=0))
    t = closure(others)
    with np.errstate(divide="ignore"):  # a row without zeros may leave nothing to the others
        return t, np.exp(-np.log(t).mean(axis=-1, keepdims=True))


def check_gbm(totals: FloatArray, largest: FloatArray) -> None:
    """Refuse a part (D,) that only one row has: the others then say nothing of it."""
    if (totals - largest <= 0).any():
        raise DataError(
            "prior='gbm' takes what it expects from the other rows, and for one part there are no "
            "others that have it. Use prior='jeffreys', which needs no other rows."
        )


def _positive(x: FloatArray) -> FloatArray:
    if (x <= 0).any():
        raise DataError("Log-ratios need parts above zero. Replace the zeros first.")
    return x
