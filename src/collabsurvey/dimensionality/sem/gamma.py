"""How sample moments vary: n times their covariance matrix ("Gamma"), by theory or from rows.

Moments of continuous variables stand in the order means | covariances by column (`Stack`). Row i
contributes z_i = (y_i - m, vech((y_i - m)(y_i - m)' - C)); the distribution-free Gamma is the mean
of z_i z_i' at the sample's own m and C (Browne, 1984, doi:10.1111/j.2044-8317.1984.tb00789.x).
Multiplied by a (f, s) matrix first, the same contributions are the scores of f parameters.

As in lavaan 0.6.14 the divisor is n, not n - 1. Weights w, scaled to the number of rows, give
sum(w_i^2 z_i z_i') / n. With clusters the contributions are summed within each first, and the
result is multiplied by G / (G - 1). Rows are taken in blocks, one matrix product each: an (n, s)
array is never made.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeGuard

import numpy as np
from scipy import linalg

from collabsurvey.dimensionality.sem.least_squares import Stack, normal_weight
from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.errors import DataError
from collabsurvey.numerics.typing import FloatArray, IntArray

BLOCK = 500_000  # numbers in a block of contributions: 4 MB


def numeric_stack(p: int, *, means: bool) -> Stack:
    """Return the order of the moments of p variables without thresholds."""
    return Stack(np.zeros(p, dtype=bool), means=means)


def normal_gamma(cov: FloatArray, *, means: bool) -> FloatArray:
    """Gamma (s, s) of normal variables with covariances (p, p)."""
    stack = numeric_stack(len(cov), means=means)
    i, j = stack.rows, stack.columns
    squares = cov[np.ix_(i, i)] * cov[np.ix_(j, j)] + cov[np.ix_(i, j)] * cov[np.ix_(j, i)]
    return linalg.block_diag(cov, squares) if means else squares


def adf_gamma(sample: Sample, *, means: bool, covariates: IntArray | None = None) -> FloatArray:
    """Gamma (s, s) of any variables, from the rows of the sample.

    `covariates` names columns whose values are taken as given: what they predict of the others'
    products is subtracted, so that moments of covariates alone do not vary (fixed.x).
    """
    rows, mean = _complete(sample)
    cov = _divided_by_n(sample, rows, mean)
    fitted = _prediction(cov, covariates) if _any(covariates) else None
    return cross_products(
        rows,
        mean=mean,
        cov=cov,
        means=means,
        weights=sample.weights,
        clusters=sample.clusters,
        fitted=fitted,
    )


def score_meat(
    sample: Sample,
    weighted: FloatArray,
    *,
    means: bool,
    cov: FloatArray | None = None,
    mean: FloatArray | None = None,
    covariates: IntArray | None = None,
) -> FloatArray:
    """Mean cross-product (q, q) of the rows' scores, `weighted`' z with `weighted` = W D (s, q).

    Without `cov` and `mean` contributions are taken about the sample's moments, which gives
    D' W Gamma W D without Gamma; this is the cheaper way unless q is close to s. About the
    model's moments they are the scores of the normal likelihood, and the result is the
    first-order information of one respondent (lavaan: h1.information = "structured").
    """
    rows, own = _complete(sample)
    fitted = None
    if cov is None:
        cov = _divided_by_n(sample, rows, own)
        fitted = _prediction(cov, covariates) if _any(covariates) else None
    return cross_products(
        rows,
        mean=own if mean is None else mean,
        cov=cov,
        means=means,
        weights=sample.weights,
        clusters=sample.clusters,
        left=np.ascontiguousarray(weighted.T),
        fitted=fitted,
    )


def normal_weight_trace(
    sample: Sample, cov: FloatArray, *, means: bool, covariates: IntArray | None = None
) -> float:
    """Trace of W Gamma, W the inverse normal-theory Gamma at `cov` (p, p), Gamma free of theory.

    For independent rows it is the mean of z' W z, which depends on the rows only through
    quadratic forms, so that Gamma is not needed.
    """
    rows, mean = _complete(sample)
    if sample.clusters is not None or _any(covariates):
        gamma = adf_gamma(sample, means=means, covariates=covariates)
        weight = normal_weight(cov, numeric_stack(len(cov), means=means))
        return float((weight * gamma).sum())
    root = linalg.solve_triangular(np.linalg.cholesky(cov), np.eye(len(cov)), lower=True)
    turned = root @ _divided_by_n(sample, rows, mean) @ root.T
    total, size = 0.0, max(1, BLOCK // len(mean))
    for start in range(0, len(rows), size):
        away = (rows[start : start + size] - mean) @ root.T
        square = np.einsum("ij,ij->i", away, away)
        inner = np.einsum("ij,ij->i", away @ turned, away)
        value = (square**2 + (turned**2).sum()) / 2 - inner
        if means:
            value += square
        if sample.weights is not None:
            value *= sample.weights[start : start + size] ** 2
        total += float(value.sum())
    return total / _size(sample, rows)


def cross_products(
    rows: FloatArray,
    *,
    mean: FloatArray,
    cov: FloatArray,
    means: bool,
    weights: FloatArray | None = None,
    clusters: IntArray | None = None,
    left: FloatArray | None = None,
    fitted: FloatArray | None = None,
) -> FloatArray:
    """Mean cross-product of contributions, (s, s) or with `left` (f, s) first (f, f).

    `fitted` (p, p) predicts centred rows from the covariates among them.
    """
    order = None if clusters is None else np.argsort(clusters, kind="stable")
    total = np.zeros(2 * ((len(left) if left is not None else _length(len(mean), means)),))
    blocks = _contributions(
        rows, order, mean=mean, cov=cov, means=means, weights=weights, left=left, fitted=fitted
    )
    n = float(len(rows) if weights is None else weights.sum())
    if clusters is None or order is None:
        for block in blocks:
            total += block @ block.T
        return total / n
    n_clusters = 0
    for block in _cluster_sums(blocks, clusters[order]):
        total += block @ block.T
        n_clusters += block.shape[1]
    if n_clusters < 2:
        raise DataError("Cluster-robust errors need at least two clusters; the data have one.")
    return total / n * (n_clusters / (n_clusters - 1))


def _contributions(
    rows: FloatArray,
    order: IntArray | None,
    *,
    mean: FloatArray,
    cov: FloatArray,
    means: bool,
    weights: FloatArray | None,
    left: FloatArray | None,
    fitted: FloatArray | None,
) -> Iterator[FloatArray]:
    """Contributions of a few rows at a time (s or f, b), in the order given."""
    p = len(mean)
    offset = numeric_stack(p, means=False).vector(
        cov if fitted is None else cov - fitted @ cov @ fitted.T, None, None
    )
    if means:
        offset = np.concatenate([np.zeros(p), offset])
    size = max(1, BLOCK // len(offset))
    if left is not None:
        offset = left @ offset
    for start in range(0, len(rows), size):
        part = slice(start, start + size) if order is None else order[start : start + size]
        away = np.ascontiguousarray((rows[part] - mean).T)
        block = _products(away, means=means)
        if fitted is not None:
            block -= _products(fitted @ away, means=means)
        if left is not None:
            block = left @ block
        block -= offset[:, None]
        if weights is not None:
            block *= weights[part]
        yield block


def _products(away: FloatArray, *, means: bool) -> FloatArray:
    """Deviations and their products (s, b) of variables (p, b)."""
    p, n = away.shape
    out = np.empty((_length(p, means), n))
    at = 0
    if means:
        out[:p], at = away, p
    for j in range(p):
        np.multiply(away[j:], away[j], out=out[at : at + p - j])
        at += p - j
    return out


def _cluster_sums(blocks: Iterator[FloatArray], codes: IntArray) -> Iterator[FloatArray]:
    """Sums of contributions (s, c) of a few clusters at a time; codes (n,) are sorted.

    The last cluster of a block may go on in the next one and is kept back until then.
    """
    start, kept, kept_code = 0, None, -1
    for block in blocks:
        own = codes[start : start + block.shape[1]]
        start += len(own)
        first = np.concatenate([[0], np.flatnonzero(np.diff(own)) + 1])
        sums = np.add.reduceat(block, first, axis=1)
        if kept is not None and kept_code == own[0]:
            sums[:, 0] += kept
        elif kept is not None:
            yield kept[:, None]
        kept, kept_code = sums[:, -1].copy(), own[-1]
        yield sums[:, :-1]
    if kept is not None:
        yield kept[:, None]


def _length(p: int, means: bool) -> int:
    return p * (p + 1) // 2 + (p if means else 0)


def _complete(sample: Sample) -> tuple[FloatArray, FloatArray]:
    """Rows and means of a sample without missing answers."""
    if sample.rows is None:
        raise DataError(
            "Robust errors and tests need the answers themselves, not only their covariances."
        )
    if sample.mean is not None:
        return sample.rows, sample.mean
    return sample.rows, np.average(sample.rows, axis=0, weights=sample.weights)


def _divided_by_n(sample: Sample, rows: FloatArray, mean: FloatArray) -> FloatArray:
    """Covariances about the mean with divisor n, whatever divisor the sample's have."""
    if abs(sample.n - _size(sample, rows)) < 0.5:
        return sample.cov
    return sample.cov * (sample.n / _size(sample, rows))


def _size(sample: Sample, rows: FloatArray) -> float:
    return float(len(rows) if sample.weights is None else sample.weights.sum())


def _any(covariates: IntArray | None) -> TypeGuard[IntArray]:
    return covariates is not None and len(covariates) > 0


def _prediction(cov: FloatArray, covariates: IntArray) -> FloatArray:
    """Matrix (p, p) that predicts every centred variable from the covariates."""
    out = np.zeros_like(cov)
    inside = cov[np.ix_(covariates, covariates)]
    out[:, covariates] = np.linalg.solve(inside, cov[covariates]).T
    return out
