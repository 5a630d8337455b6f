"""Robust covariance matrices of estimates, and the pieces they share with corrected tests.

Everything is in units of chi-square, so that groups simply add up: with D the derivatives of the
moments of a group of n, W its weight matrix and Gamma n times the covariance of its moments,

    information  A = sum n D' W D,      meat  M = sum n D' W Gamma W D,
    covariance of the estimates  inv(A) M inv(A)

(Browne, 1984, doi:10.1111/j.2044-8317.1984.tb00789.x; Satorra & Bentler, 1994; Huber, 1967;
White, 1982, doi:10.2307/1912526). D is taken with respect to the q parameters that remain after
equality constraints; `in_theta` gives the covariance matrix of all.

What lavaan 0.6.14 combines. MLM, MLMV and least squares with robust.sem: expected A, W at the
implied moments (ML) or fixed (least squares), Gamma distribution-free or of the polychoric
moments. MLR: observed A, M the cross-product of the scores at the implied moments. Clusters: the
same with scores summed by cluster, and M times G / (G - 1) in every group. Least squares count
n respondents here, though their chi-square counts n - 1 in each group, and their covariance
matrix is multiplied by N / (N - number of groups); that of ML is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collabsurvey.dimensionality.sem.gamma import (
    normal_weight_trace,
    numeric_stack,
    score_meat,
)
from collabsurvey.dimensionality.sem.least_squares import Stack
from collabsurvey.dimensionality.sem.moments import Derivatives, Implied
from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.numerics.typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class RobustPieces:
    """What robust errors and corrected chi-squares are made of; sums over groups."""

    information: FloatArray  # (q, q) A
    meat: FloatArray  # (q, q) M
    trace: float  # of W Gamma
    trace_square: float | None = None  # of (W Gamma)²; not known without Gamma
    cross: FloatArray | None = None  # (q, q) sum n D' W Gamma W Gamma W D


def jacobian(stack: Stack, derivatives: Derivatives, reduce: FloatArray) -> FloatArray:
    """Stack derivatives of a block's moments with respect to x: (s, q) from reduce (n_free, q)."""
    free = stack.vector(derivatives.cov, derivatives.mean, derivatives.thresholds)
    return np.asarray(free.T @ reduce[derivatives.which])


def normal_weighted(derivatives: Derivatives, cov: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return D and W D (s, f) of a block's own f parameters, W the normal weight at `cov`.

    W is the inverse normal-theory Gamma; W D comes from inv(S) dS inv(S), so that W (s, s) is
    never formed.
    """
    stack = numeric_stack(len(cov), means=derivatives.mean is not None)
    inverse = np.linalg.inv(cov)
    times = np.where(stack.rows == stack.columns, 0.5, 1.0)
    turned = (inverse @ derivatives.cov @ inverse)[:, stack.rows, stack.columns] * times
    if derivatives.mean is not None:
        turned = np.concatenate([derivatives.mean @ inverse, turned], axis=1)
    return stack.vector(derivatives.cov, derivatives.mean, None).T, turned.T


def least_squares_pieces(
    n: Sequence[float],
    jacobians: Sequence[FloatArray],
    weights: Sequence[FloatArray],
    gammas: Sequence[FloatArray],
    *,
    second_order: bool = True,
) -> RobustPieces:
    """Pieces from D (s, q), W (s,) if diagonal or (s, s), and Gamma (s, s) of every group.

    `second_order` gives what mean-and-variance corrections need besides; it costs an (s, s)
    product only where W is not diagonal.
    """
    q = jacobians[0].shape[1]
    information, meat, cross = np.zeros((q, q)), np.zeros((q, q)), np.zeros((q, q))
    trace = square = 0.0
    for size, slopes, weight, gamma in zip(n, jacobians, weights, gammas, strict=True):
        weighted = _times(weight, slopes)
        spread = gamma @ weighted
        information += size * (slopes.T @ weighted)
        meat += size * (weighted.T @ spread)
        trace += (
            float(weight @ np.diag(gamma)) if weight.ndim == 1 else float((weight * gamma).sum())
        )
        if second_order:
            cross += size * (spread.T @ _times(weight, spread))
            square += _trace_square(weight, gamma)
    if not second_order:
        return RobustPieces(_even(information), _even(meat), trace)
    return RobustPieces(_even(information), _even(meat), trace, square, _even(cross))


def normal_pieces(
    samples: Sequence[Sample],
    implied: Sequence[Implied],
    derivatives: Sequence[Derivatives],
    reduce: FloatArray,
    *,
    covariates: Sequence[IntArray | None] | None = None,
) -> RobustPieces:
    """Pieces of maximum likelihood (MLM) straight from the rows, one pass, without Gamma.

    W is the normal-theory weight at the implied covariances, as lavaan has it
    (h1.information = "structured").
    """
    q = reduce.shape[1]
    information, meat, trace = np.zeros((q, q)), np.zeros((q, q)), 0.0
    given = covariates if covariates is not None else [None] * len(samples)
    for sample, one, slopes, columns in zip(samples, implied, derivatives, given, strict=True):
        means = slopes.mean is not None
        own, weighted = normal_weighted(slopes, one.cov)
        part = reduce[slopes.which]
        scores = score_meat(sample, weighted, means=means, covariates=columns)
        information += sample.n * (part.T @ (own.T @ weighted) @ part)
        meat += sample.n * (part.T @ scores @ part)
        trace += normal_weight_trace(sample, one.cov, means=means, covariates=columns)
    return RobustPieces(_even(information), _even(meat), trace)


def first_order_meat(
    samples: Sequence[Sample],
    implied: Sequence[Implied],
    derivatives: Sequence[Derivatives],
    reduce: FloatArray,
) -> FloatArray:
    """Cross-product (q, q) of the scores of the normal likelihood at the implied moments (MLR)."""
    total = np.zeros((reduce.shape[1], reduce.shape[1]))
    for sample, one, slopes in zip(samples, implied, derivatives, strict=True):
        means = slopes.mean is not None
        _, weighted = normal_weighted(slopes, one.cov)
        mean = one.mean if means else None
        scores = score_meat(sample, weighted, means=means, cov=one.cov, mean=mean)
        part = reduce[slopes.which]
        total += sample.n * (part.T @ scores @ part)
    return _even(total)


def robust_covariance(
    information: FloatArray, meat: FloatArray, *, n: float = 1.0, lost: int = 0
) -> FloatArray:
    """Covariance inv(A) M inv(A) of the estimates (q, q), times n / (n - lost).

    For least squares give the number of respondents and, as `lost`, that of groups.
    """
    inverse = np.linalg.inv(information)
    return _even(inverse @ meat @ inverse) * (n / (n - lost) if lost else 1.0)


def in_theta(covariance: FloatArray, reduce: FloatArray) -> FloatArray:
    """Covariance matrix (n_free, n_free) of all free parameters from that of x (q, q)."""
    return np.asarray(reduce @ covariance @ reduce.T)


def _times(weight: FloatArray, right: FloatArray) -> FloatArray:
    """Weight matrix, or the vector of its diagonal, times a matrix."""
    return np.asarray(weight @ right if weight.ndim == 2 else weight[:, None] * right)


def _trace_square(weight: FloatArray, gamma: FloatArray) -> float:
    """Trace of (W Gamma)²."""
    if weight.ndim == 1:
        return float(weight @ gamma**2 @ weight)
    product = weight @ gamma
    return float((product * product.T).sum())


def _even(matrix: FloatArray) -> FloatArray:
    """Remove the rounding that makes a symmetric matrix uneven."""
    return np.asarray((matrix + matrix.T) / 2)
