"""Perfect separation: coefficients that the likelihood drives to infinity.

A logistic likelihood has no maximum where some combination of the columns never disagrees with
the outcome (Albert & Anderson, 1984, doi:10.1093/biomet/71.1.1); a log link where some combination
is zero in every row with a count and never positive elsewhere (Correia, Guimaraes & Zylkin, 2019,
arXiv:1903.01633). Whether there is one is a linear programme (Konis, 2007).
"""

from __future__ import annotations

import numpy as np

from collabsurvey.numerics.glm_outcome import Outcome
from collabsurvey.numerics.typing import FloatArray, IntArray

# Fitted probabilities beyond 6e-6 from 0 or 1, or means below that, are worth the programme.
SUSPECT = 12.0
SEPARATED = 1e-7


def directions(outcome: Outcome) -> IntArray:
    """Which way (n,) the linear predictor may go without end: 1 up, -1 down, 0 neither."""
    if outcome.family == "binomial":
        up = (outcome.count == outcome.trials).astype(np.int64)
        return np.asarray(up - (outcome.count == 0))
    return np.asarray(-(outcome.count == 0).astype(np.int64))


def suspect(outcome: Outcome, eta: FloatArray) -> bool:
    """Whether a fit is extreme enough to look for separation."""
    return bool((np.abs(eta) if outcome.family == "binomial" else -eta).max() > SUSPECT)


def separating(x: FloatArray, way: IntArray) -> FloatArray | None:
    """Return a combination (p,) of the columns (n, p) that separates, or None.

    Columns are scaled to a largest value of 1 for the programme; the answer is for them as given.
    """
    from scipy.optimize import linprog

    scale = np.abs(x).max(axis=0)
    scale[scale == 0] = 1.0
    rows = np.unique(np.column_stack((way, x / scale)), axis=0)
    way, x = rows[:, 0], rows[:, 1:]
    free, tied = way != 0, way == 0
    gain = x[free] * way[free, None]
    found = linprog(
        -gain.sum(axis=0) / max(len(gain), 1),
        A_ub=-gain,
        b_ub=np.zeros(len(gain)),
        A_eq=x[tied] if tied.any() else None,
        b_eq=np.zeros(int(tied.sum())) if tied.any() else None,
        bounds=(-1, 1),
        method="highs",
    )
    if found.x is None or not float(found.fun or 0.0) < -SEPARATED:
        return None
    return np.asarray(found.x / scale)
