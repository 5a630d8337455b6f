"""Kaiser's rule and the empirical Kaiser criterion, from the eigenvalues of the correlations.

Sources: Kaiser (1960) doi:10.1177/001316446002000116, given for reference only: it keeps too
many in samples; Braeken & van Assen (2017) doi:10.1037/met0000074.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from collabsurvey.errors import NotEnoughDataError
from collabsurvey.numerics.typing import BoolArray, FloatArray


@dataclass(frozen=True, eq=False)
class EmpiricalKaiser:
    """Observed eigenvalues beside those that would be large enough, largest first."""

    observed: FloatArray  # (p,)
    reference: FloatArray  # (p,) at least 1
    n_factors: int  # leading eigenvalues above their reference
    n_above_one: int  # Kaiser's rule


def empirical_kaiser(cor: FloatArray, n: int) -> EmpiricalKaiser:
    """Empirical Kaiser criterion of one correlation matrix (p, p) of n respondents."""
    if n < 2:
        raise NotEnoughDataError(
            "The empirical Kaiser criterion", what="respondents", found=n, needed=2
        )
    observed = sorted_eigenvalues(cor)
    reference = reference_eigenvalues(observed, n)
    return EmpiricalKaiser(
        observed=observed,
        reference=reference,
        n_factors=n_leading(observed > reference),
        n_above_one=int((observed > 1).sum()),
    )


def sorted_eigenvalues(cors: FloatArray) -> FloatArray:
    """Eigenvalues (..., p) of symmetric matrices (..., p, p), largest first."""
    return np.asarray(np.linalg.eigvalsh(cors)[..., ::-1])


def reference_eigenvalues(observed: FloatArray, n: int) -> FloatArray:
    """References (p,): the Marchenko-Pastur edge times the mean of what is left, at least 1.

    Braeken & van Assen (2017, eq. 2). What is left after j - 1 factors is taken from the
    observed eigenvalues, largest first; some programs wrongly took the reference ones.
    """
    p = len(observed)
    before = np.concatenate([[0.0], np.cumsum(observed)[:-1]])
    left = (p - before) / (p - np.arange(p))
    return np.asarray(np.maximum(left * (1 + np.sqrt(p / n)) ** 2, 1.0))


def n_leading(above: BoolArray) -> int:
    """Number of true values before the first false one."""
    return len(above) if above.all() else int(np.argmin(above))
