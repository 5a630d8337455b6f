"""The greatest lower bound to reliability: a semidefinite programme in k variables.

Of all ways to write the covariances C of the items as those of true scores plus a diagonal of
errors, C = T + Theta with T positive semidefinite and Theta >= 0, the one with the most error:

    maximise tr(Theta)  subject to  C - Theta >= 0,  Theta >= 0;   glb = 1 - tr(Theta) / 1'C1.

Sources: Jackson & Agunwamba (1977) doi:10.1007/BF02295979; Woodhouse & Jackson (1977)
doi:10.1007/BF02295980; Bentler & Woodward (1980) doi:10.1007/BF02294079. Solved by following
the central path of the logarithmic barrier with Newton steps (Nesterov & Nemirovskii, 1994;
Boyd & Vandenberghe, 2004, ch. 11), a stack of matrices at a time. The dual solution that comes
with it bounds the error of the answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from collabsurvey.numerics.itemstats import correlations
from collabsurvey.numerics.lower_bounds import correlation_stack
from collabsurvey.numerics.typing import BoolArray, FloatArray

ACCURACY = 1e-8  # largest distance between the answer and its proven bound, in units of the glb
GAP = 2e-9  # at which the path ends; much closer, rounding of R - Phi would drown the bound
ROUNDING = 1e-12  # eigenvalue of R - Phi below which it has too few digits to go on
GROWTH = 6.0  # of the weight of the objective from one point of the path to the next
MOST_STEPS = 2000
NULL = 1e-11  # eigenvalue of a correlation matrix that counts as zero
IN_NULL = 1e-6  # share of an item in a direction without variance that keeps its error at zero


@dataclass(frozen=True, eq=False)
class GreatestLowerBound:
    """Solutions for B matrices of k items."""

    glb: FloatArray  # (B,)
    errors: FloatArray  # (B, k) error variances, the diagonal of Theta
    accuracy: FloatArray  # (B,) the true glb lies between glb - accuracy and glb
    converged: BoolArray  # (B,)


def greatest_lower_bound(covs: FloatArray) -> GreatestLowerBound:
    """Return the greatest lower bound of each positive semidefinite matrix of a stack (B, k, k)."""
    n, k = covs.shape[:2]
    theta, accuracy = np.zeros((n, k)), np.zeros(n)
    total = covs.sum(axis=(-2, -1))
    own = np.diagonal(covs, axis1=-2, axis2=-1)
    cors = correlation_stack(covs)
    regular = np.linalg.eigvalsh(cors)[:, 0] > NULL
    if regular.any():
        share = own[regular] / total[regular][:, None]
        most, accuracy[regular] = most_error(cors[regular], share)
        theta[regular] = most * own[regular]
    for b in np.flatnonzero(~regular):
        theta[b], accuracy[b] = _singular(covs[b])
    return GreatestLowerBound(
        glb=1 - theta.sum(axis=1) / total,
        errors=theta,
        accuracy=accuracy,
        converged=accuracy <= ACCURACY,
    )


def _singular(cov: FloatArray) -> tuple[FloatArray, float]:
    """Errors (k,) where some direction v has no variance: items that take part in it have none.

    v'Cv = 0 leaves no room for v'Theta v. The other items keep the errors they can have given
    the part of C that those items do not explain (the Schur complement).
    """
    theta = np.zeros(len(cov))
    sd = np.sqrt(np.maximum(np.diag(cov), 0.0))
    safe = np.where(sd > 0, sd, 1.0)
    values, vectors = np.linalg.eigh(cov / np.outer(safe, safe))
    null = vectors[:, values <= max(NULL, values[-1] * NULL)]
    free = (np.abs(null).max(axis=1) < IN_NULL) & (sd > 0)
    if not free.any():
        return theta, 0.0
    bound = ~free
    explained = cov[np.ix_(free, bound)] @ np.linalg.pinv(
        cov[np.ix_(bound, bound)], rcond=1e-10, hermitian=True
    )
    rest = cov[np.ix_(free, free)] - explained @ cov[np.ix_(bound, free)]
    rest = (rest + rest.T) / 2
    own = np.diag(rest)
    share = own / cov.sum()
    most, accuracy = most_error(correlations(rest)[None], share[None])
    theta[free] = most[0] * own
    return theta, float(accuracy[0])


def most_error(cors: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Maximise weights'phi (B,) with R - diag(phi) and phi (B, k) positive; also the gaps (B,).

    `cors` (B, k, k) are positive definite with a unit diagonal; `weights` (B, k) positive.
    """
    k = cors.shape[-1]
    phi = np.repeat(np.linalg.eigvalsh(cors)[:, :1] / 2, k, axis=1)
    # Where the objective begins to matter, and where the gap 2k / t is small enough.
    t = 2 * k / weights.sum(axis=1)
    last = 2 * k / GAP
    going = np.arange(len(cors))
    while len(going):
        phi[going] = _centre(cors[going], weights[going], phi[going], t[going])
        smallest = np.linalg.eigvalsh(_without(cors[going], phi[going]))[:, 0]
        going = going[(t[going] < last) & (smallest > ROUNDING)]
        t[going] = np.minimum(t[going] * GROWTH, last)
    return phi, _gap(cors, weights, phi, t)


def _centre(cors: FloatArray, weights: FloatArray, phi: FloatArray, t: FloatArray) -> FloatArray:
    """Newton's method on t w'phi + log|R - Phi| + sum log phi, until its decrement is small.

    The barrier is self-concordant: a step shortened by 1 / (1 + decrement) stays inside.
    """
    phi = phi.copy()
    active = np.arange(len(phi))
    for _ in range(MOST_STEPS):
        here = phi[active]
        inverse = np.linalg.inv(_without(cors[active], here))
        diagonal = np.diagonal(inverse, axis1=-2, axis2=-1)
        # In units of phi itself, where the Hessian of the second barrier is the identity.
        gradient = here * (t[active, None] * weights[active] - diagonal) + 1
        hessian = (here[:, :, None] * inverse) * (inverse.transpose(0, 2, 1) * here[:, None, :])
        places = np.arange(phi.shape[1])
        hessian[:, places, places] += 1
        step = np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0]
        decrement = np.sqrt(np.maximum((gradient * step).sum(axis=1), 0.0))
        length = np.where(decrement > 0.25, 1 / (1 + decrement), 1.0)
        phi[active] = here * (1 + length[:, None] * step)
        active = active[decrement > 1e-3]
        if not len(active):
            break
    return phi


def _without(cors: FloatArray, phi: FloatArray) -> FloatArray:
    places = np.arange(phi.shape[1])
    rest = cors.copy()
    rest[:, places, places] -= phi
    return rest


def _gap(cors: FloatArray, weights: FloatArray, phi: FloatArray, t: FloatArray) -> FloatArray:
    """Distance (B,) to the bound of the dual: tr(R Y) for any Y >= 0 with diag(Y) >= weights.

    Y = (R - Phi)^-1 / t is such a matrix on the path, with the diagonal weights + 1 / (t phi).
    Rounding leaves it off by a little, which a rescaling of rows and columns mends at
    second-order cost.
    """
    values, vectors = np.linalg.eigh(_without(cors, phi))
    inverse = 1 / (np.maximum(values, 1e-17) * t[:, None])
    dual = (vectors * inverse[:, None, :]) @ vectors.transpose(0, 2, 1)
    diagonal = weights + 1 / (t[:, None] * phi)
    scale = np.sqrt(diagonal / np.diagonal(dual, axis1=-2, axis2=-1))
    dual = dual * scale[:, :, None] * scale[:, None, :]
    bound = (cors * dual).sum(axis=(-2, -1))
    gap = bound - (weights * phi).sum(axis=1)
    feasible = (values[:, 0] > -1e-14) & (phi > 0).all(axis=1)
    return np.where(feasible, np.maximum(gap, 0.0), np.inf)
