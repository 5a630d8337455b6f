"""Errors of two-level estimates over clusters: the sandwich, and leaving each cluster out.

Sources: Huber (1967) and White (1982) doi:10.2307/1912526 for the sandwich; the one-step jackknife
as in Efron & Tibshirani (1993) An Introduction to the Bootstrap, ch. 11.
"""

from __future__ import annotations

import numpy as np

from collabsurvey.numerics.two_level_cov import (
    TwoLevelMoments,
    cluster_slopes,
    evaluate,
    information,
    squared_kernel,
)
from collabsurvey.numerics.two_level_fit import (
    Structure,
    TwoLevelFit,
    packed_slopes,
    saturated,
    standing,
)
from collabsurvey.numerics.typing import FloatArray


def influences(moments: TwoLevelMoments, fit: TwoLevelFit, structure: Structure) -> FloatArray:
    """Shift (G, t) of the parameters by each cluster; their cross-product is the sandwich.

    Bread: the second derivatives, filling: the slopes of each cluster. Without structure the
    expected second derivatives are right for any answers; one factor that does not fit needs
    the observed ones. Parameters at their boundary count as known.
    """
    at, jacobian = standing(moments, fit.parameters, structure)
    jacobian = jacobian[:, fit.free]
    if structure is saturated:
        curvature = information(moments, at)
    else:
        curvature = observed_curvature(moments, fit, structure)
    shifts = np.zeros((len(moments.n), len(fit.parameters)))
    shifts[:, fit.free] = -cluster_slopes(moments, at) @ jacobian @ np.linalg.pinv(curvature)
    return shifts


def observed_curvature(
    moments: TwoLevelMoments, fit: TwoLevelFit, structure: Structure
) -> FloatArray:
    """Second derivatives of -2 log-likelihood by the free parameters, by central differences."""
    free = np.flatnonzero(fit.free)

    def slope(part: FloatArray) -> FloatArray:
        theta = fit.parameters.copy()
        theta[free] = part
        at, jacobian = standing(moments, theta, structure)
        return np.asarray((packed_slopes(at) @ jacobian)[free])

    here = fit.parameters[free]
    steps = 1e-5 * np.maximum(np.abs(here), 1e-2 * np.sqrt(np.trace(fit.within) / moments.k))
    columns = []
    for i, h in enumerate(steps):
        unit = np.zeros(len(free))
        unit[i] = h
        columns.append((slope(here + unit) - slope(here - unit)) / (2 * h))
    curvature = np.stack(columns, axis=-1)
    return np.asarray((curvature + curvature.T) / 2)


def left_out(moments: TwoLevelMoments, fit: TwoLevelFit, structure: Structure) -> FloatArray:
    """Parameters (G, t) without each cluster, by one Newton step from those of all.

    The slope without the cluster is exact, the mean profiled anew; the second derivatives are
    those of all less what is expected of the cluster. Parameters at their boundary stay there.
    """
    within, between, jacobian = structure(fit.parameters)
    at, _ = standing(moments, fit.parameters, structure)
    jacobian = jacobian[:, fit.free]
    if structure is saturated:
        curvature = information(moments, at)
    else:
        curvature = observed_curvature(moments, fit, structure)
    whole = packed_slopes(at)  # not zero where the optimum lies at a boundary
    sizes, of = moments.sizes
    kernels = squared_kernel(at.inverses)
    own = squared_kernel(at.inverse_within[None])[0]
    found = np.tile(fit.parameters, (len(moments.n), 1))
    inverses: dict[int, FloatArray] = {}
    for g in range(len(moments.n)):
        times = moments.times.copy()
        times[g] -= 1
        without = evaluate(moments.taken(times), within, between)
        if without is None:  # the same covariances as of all
            raise np.linalg.LinAlgError("covariances are not positive definite")
        s = int(of[g])
        if s not in inverses:
            n, kernel = sizes[s], kernels[s]
            part = np.block([[(n - 1) * own + kernel, n * kernel], [n * kernel, n**2 * kernel]])
            inverses[s] = np.linalg.pinv(curvature - jacobian.T @ part @ jacobian)
        found[g, fit.free] -= inverses[s] @ ((packed_slopes(without) - whole) @ jacobian)
    return found
