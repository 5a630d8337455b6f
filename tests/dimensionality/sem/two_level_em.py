"""lavaan's EM algorithm for the unrestricted two-level model, with its rule of stopping."""

from __future__ import annotations

import numpy as np

from collabsurvey.dimensionality.sem.two_level_saturated import Unstructured
from collabsurvey.numerics.two_level_joint import Levels, evaluate_joint


def em_unrestricted(levels: Levels, *, tolerance: float = 1e-4) -> Unstructured:
    """What lavaan compares with: EM from identity matrices until a step gains < `tolerance`.

    For variables on both levels. Expectation is of the clusters' parts; lavaan gives what is
    within clusters a mean of its own at each step.
    """
    moments = levels.moments
    k = moments.k
    within, between = np.eye(k), np.eye(k)
    mean_within, mean_between = np.zeros(k), np.zeros(k)
    _, of = moments.sizes
    n = moments.n
    old = -np.inf
    while True:
        mean = mean_within + mean_between
        at = evaluate_joint(levels, within, between, mean)
        assert at is not None
        loglik = -at.value / 2
        if loglik - old < tolerance:
            return Unstructured(within, between, mean, loglik, False, True)
        old = loglik
        gain = (between @ at.inverses)[of]
        part = mean_between + np.einsum("gij,gj->gi", gain, moments.mean - mean)
        left = (between - between @ at.inverses @ between)[of]
        error = moments.mean - part
        mean_within, mean_between = n @ error / moments.rows, part.mean(axis=0)
        away = part - mean_between
        between = away.T @ away / len(n) + left.mean(axis=0)
        within = moments.within + (error * n[:, None]).T @ error + np.tensordot(n, left, axes=1)
        within = within / moments.rows - np.outer(mean_within, mean_within)
