"""Coefficients without one cluster, for every cluster, from their cross-products.

Least squares: with X'X the identity over all rows, A_g = X_g'X_g and s_g = X_g'e_g, leaving out
cluster g moves the coefficients by -(I - A_g)^-1 s_g. A mixed model with one grouping factor
is fitted again from the products of the other groups, starting at the variances of all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from collabsurvey.numerics.cluster_robust import DETERMINED
from collabsurvey.numerics.linalg import triangular_inverse
from collabsurvey.numerics.mixed import (
    DECREMENT,
    VANISHING,
    Evaluation,
    GroupProducts,
    evaluate,
    filled,
    fit_mixed,
    free_elements,
    polished,
    rises_from,
    standardised,
)
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray


def least_squares_changes(
    gram: FloatArray, scores: FloatArray, transform: FloatArray
) -> tuple[FloatArray, BoolArray]:
    """Changes (G, p) of coefficients = transform @ those of the basis, without each cluster.

    Also whether a coefficient is not determined without it (G, p); its change is then NaN.
    """
    p = gram.shape[1]
    values, vectors = np.linalg.eigh(gram)
    left = 1 - values  # (G, p)
    gone = left <= DETERMINED
    inverse = np.where(gone, 0.0, 1 / np.where(gone, 1.0, left))
    along = np.einsum("gij,gi->gj", vectors, scores)
    moved = -np.einsum("gij,gj->gi", vectors, inverse * along)
    changes = moved @ transform.T
    lost = np.zeros(changes.shape, dtype=bool)
    for g in np.flatnonzero(gone.any(axis=1)).tolist():
        reach = transform @ vectors[g][:, gone[g]]
        lost[g] = np.linalg.norm(reach, axis=1) > 1e-6 * np.linalg.norm(transform, axis=1)
    changes[lost] = np.nan
    return changes.reshape(-1, p), lost


@dataclass(frozen=True, eq=False)
class WithoutGroup:
    """A mixed model without one group, on the basis of all rows."""

    beta: FloatArray  # (p,) on Q
    vcov: FloatArray  # (p, p) on Q
    lower: FloatArray  # (q, q) L on Z*
    sigma2: float
    converged: bool


def mixed_without_groups(
    by_group: FloatArray,
    n_rows: IntArray,
    lower: FloatArray,
    *,
    reml: bool,
    correlated: bool,
    refit: bool,
) -> Iterator[WithoutGroup | None]:
    """Fit without each group in turn; None where the others do not determine the coefficients.

    Parameters
    ----------
    by_group : (G, m, m) array
        Products of [Z*, Q, e] of each group.
    n_rows : (G,) array
        Rows of each group.
    lower : (q, q) array
        L of the fit to all groups.
    refit : bool
        Whether the variances are estimated again; else they are kept.
    """
    q = len(lower)
    for g in range(len(by_group)):
        kept = np.delete(by_group, g, axis=0)
        total = kept.sum(axis=0)
        x = slice(q, len(total) - 1)
        values = np.linalg.eigvalsh(total[x, x])
        if values[0] <= DETERMINED:
            yield None
            continue
        back = triangular_inverse(np.linalg.cholesky(total[x, x])).T
        on_basis = back.T @ total[x, -1]
        zx = kept[:, :q, x] @ back
        products = GroupProducts(
            zz=np.ascontiguousarray(kept[:, :q, :q]),
            zx=np.ascontiguousarray(zx),
            ze=kept[:, :q, -1] - zx @ on_basis,
            ee=float(total[-1, -1] - on_basis @ on_basis),
            n_rows=int(n_rows.sum() - n_rows[g]),
            reml=reml,
        )
        here, at, converged = lower, evaluate(products, lower), True
        if refit:
            here, at, converged = _refitted(products, lower, correlated=correlated)
        sigma2 = at.r2 / products.df_total
        yield WithoutGroup(
            beta=back @ (on_basis + at.beta),
            vcov=sigma2 * back @ at.unscaled @ back.T,
            lower=here,
            sigma2=sigma2,
            converged=converged,
        )


def _refitted(
    products: GroupProducts, lower: FloatArray, *, correlated: bool
) -> tuple[FloatArray, Evaluation, bool]:
    """Newton steps from the variances of all groups; a search from the start where they fail."""
    q = len(lower)
    rows, columns = free_elements(q, correlated=correlated)

    def slope(theta: FloatArray) -> FloatArray:
        here = filled(theta, rows, columns, q)
        at = evaluate(products, here)
        found = 2 * at.gradient(products, at.r2 / products.df_total) @ here
        return np.asarray(found[rows, columns])

    if (np.diag(lower) > VANISHING).all():
        theta, decrement, _ = polished(slope, lower[rows, columns])
        near = standardised(filled(theta, rows, columns, q))
        at = evaluate(products, near)
        by_d = at.gradient(products, at.r2 / products.df_total)
        rises = rises_from(near, by_d, products.n_rows, correlated=correlated)
        if abs(decrement) < DECREMENT and rises and (np.diag(near) > VANISHING).all():
            return near, at, True
    found = fit_mixed(products, correlated=correlated)
    return found.lower, found.at, found.converged
