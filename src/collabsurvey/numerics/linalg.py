"""Small matrices: rank in column order, triangular inverses, functions of many symmetric ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from collabsurvey.numerics.typing import FloatArray

# Share of a column's own variation that the columns before it must leave unexplained.
ALIASED = 1e-12


def aliased_columns(correlations: FloatArray, *, tolerance: float = ALIASED) -> tuple[int, ...]:
    """Columns that earlier columns determine, from cross-products with unit diagonal (p, p).

    A Cholesky decomposition in column order, as R drops columns: the first of two equal
    columns stays.
    """
    rest = np.array(correlations)
    found: list[int] = []
    for j in range(len(rest)):
        if rest[j, j] <= tolerance:
            found.append(j)
            rest[j, :] = rest[:, j] = 0.0
            continue
        rest[j + 1 :, j + 1 :] -= np.outer(rest[j + 1 :, j], rest[j, j + 1 :]) / rest[j, j]
    return tuple(found)


def explaining_columns(correlations: FloatArray, j: int, aliased: tuple[int, ...]) -> list[int]:
    """Earlier columns that together give column j."""
    before = [i for i in range(j) if i not in aliased]
    if not before or correlations[j, j] == 0:
        return []
    share = np.linalg.lstsq(correlations[np.ix_(before, before)], correlations[before, j])[0]
    return [i for i, value in zip(before, share, strict=True) if abs(value) > 1e-6]


def triangular_inverse(lower: FloatArray) -> FloatArray:
    """Inverse of a lower triangular matrix, or of a stack of them (..., p, p)."""
    identity = np.broadcast_to(np.eye(lower.shape[-1]), lower.shape)
    return np.tril(np.linalg.solve(lower, identity))


def symmetric_function(
    matrices: FloatArray, function: Callable[[FloatArray], FloatArray]
) -> FloatArray:
    """f(A) for a stack of symmetric matrices (G, p, p); f takes their eigenvalues (G, p)."""
    values, vectors = np.linalg.eigh(matrices)
    return np.asarray((vectors * function(values)[:, None, :]) @ vectors.transpose(0, 2, 1))


def inverse_root(matrix: FloatArray) -> FloatArray:
    """Symmetric inverse square root of a positive definite matrix (p, p)."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors / np.sqrt(values)) @ vectors.T)


def read_only(values: FloatArray) -> FloatArray:
    """Return a copy that cannot be written to."""
    kept = np.array(values)
    kept.setflags(write=False)
    return kept


def smoothed_correlations(cor: FloatArray) -> FloatArray:
    """Nearest-looking positive definite correlation matrix (k, k), as psych::cor.smooth makes it.

    Eigenvalues below 1e-12 become 1e-10, all are scaled to sum to k, and the matrix is
    rescaled to a unit diagonal. Source: Wothke (1993), in Bollen & Long, Testing Structural
    Equation Models, p. 256-293; Knol & Berger (1991) doi:10.1207/s15327906mbr2603_5.
    """
    values, vectors = np.linalg.eigh(cor)
    values = np.where(values < 1e-12, 1e-10, values)
    values *= len(cor) / values.sum()
    rebuilt = (vectors * values) @ vectors.T
    sd = np.sqrt(np.diag(rebuilt))
    smooth: FloatArray = rebuilt / np.outer(sd, sd)
    np.fill_diagonal(smooth, 1.0)
    return (smooth + smooth.T) / 2
