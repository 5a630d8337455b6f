"""Minimum average partial: how many components leave the smallest partial correlations.

Sources: Velicer (1976) doi:10.1007/BF02293557, with squared partial correlations; Velicer,
Eaton & Fava (2000) in Goffin & Helmes, Problems and Solutions in Human Assessment, p. 41-71,
with their fourth powers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from collabsurvey.errors import NotEnoughDataError
from collabsurvey.numerics.typing import FloatArray

NO_VARIANCE = 1e-12  # of an item, after the components are removed


@dataclass(frozen=True, eq=False)
class MinimumAveragePartial:
    """Means over the partial correlations after m = 0, 1, ..., p - 1 components are removed.

    From the first m that leaves an item without variance on, there are no partial
    correlations and the means are NaN.
    """

    squared: FloatArray  # (p,) Velicer (1976)
    fourth_power: FloatArray  # (p,) Velicer, Eaton & Fava (2000)
    n_components: int  # where `squared` is smallest
    n_components_revised: int  # where `fourth_power` is smallest


def minimum_average_partial(cor: FloatArray) -> MinimumAveragePartial:
    """MAP of one correlation matrix (p, p); m = 0 removes nothing, psych's `map` begins at 1."""
    p = len(cor)
    if p < 2:
        raise NotEnoughDataError("The minimum average partial", what="items", found=p, needed=2)
    left = partial_covariances(cor)
    squared = np.full(p, np.nan)
    fourth_power = np.full(p, np.nan)
    for m in range(p):
        variances = np.diag(left[m])
        if variances.min() <= NO_VARIANCE:
            break
        squares = left[m] ** 2 / np.outer(variances, variances)
        np.fill_diagonal(squares, 0.0)
        squared[m] = squares.sum() / (p * (p - 1))
        fourth_power[m] = (squares**2).sum() / (p * (p - 1))
    return MinimumAveragePartial(
        squared=squared,
        fourth_power=fourth_power,
        n_components=int(np.nanargmin(squared)),
        n_components_revised=int(np.nanargmin(fourth_power)),
    )


def partial_covariances(cor: FloatArray) -> FloatArray:
    """Covariances (p, p, p) that are left when the first m = 0, ..., p - 1 components are removed.

    Added up from the components that stay, smallest first, so that nothing cancels.
    """
    values, vectors = np.linalg.eigh(cor)
    parts = values[:, None, None] * vectors.T[:, :, None] * vectors.T[:, None, :]
    return np.asarray(np.cumsum(parts, axis=0)[::-1])
