"""Weights that turn standardised items into factor scores.

Sources: Thurstone (1935) The Vectors of Mind, for regression; Bartlett (1937)
doi:10.1111/j.2044-8295.1937.tb00863.x; ten Berge, Krijnen, Wansbeek & Shapiro (1999)
doi:10.1016/S0024-3795(97)10007-6; Anderson & Rubin (1956), Proc. 3rd Berkeley Symposium 5:111-150.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from collabsurvey.dimensionality.extraction import LOWEST_UNIQUENESS
from collabsurvey.errors import OptionError
from collabsurvey.numerics.linalg import symmetric_function
from collabsurvey.numerics.typing import FloatArray

ScoreMethod = Literal["regression", "bartlett", "ten_berge", "anderson_rubin"]

# psych's and SPSS's names for the same
ALIASES = {
    "thurstone": "regression",
    "tenberge": "ten_berge",
    "anderson": "anderson_rubin",
    "andersonrubin": "anderson_rubin",
}
ROUNDING = 1e-12  # of the largest root; smaller ones are zero
METHODS = ("regression", "bartlett", "ten_berge", "anderson_rubin")


def score_method(name: str) -> str:
    """Return the method of that name, in any case, under our name or psych's."""
    key = str(name).lower()
    found = ALIASES.get(key.replace("_", "").replace("-", ""), key)
    if found not in METHODS:
        raise OptionError("method", name, allowed=METHODS)
    return found


def score_weights(
    cor: FloatArray, loadings: FloatArray, phi: FloatArray, method: str
) -> FloatArray:
    """Weights (k, m) for standardised items, from R (k, k), pattern (k, m) and Phi (m, m).

    regression: R^-1 L Phi. bartlett: U^-2 L (L' U^-2 L)^-1. ten_berge keeps the factor
    correlations: R^-1 A (A' R^-1 A)^-1/2 Phi^1/2 with A = L Phi^1/2. anderson_rubin gives
    uncorrelated scores: U^-2 L (L' U^-2 R U^-2 L)^-1/2. What is singular takes its
    pseudo-inverse, so that a factor without loadings has no weights; unique variances of
    Heywood cases are at their bound.
    """
    inverse = np.linalg.pinv(cor, hermitian=True, rcond=1e-10)
    if method == "regression":
        return np.asarray(inverse @ loadings @ phi)
    if method == "ten_berge":
        root = _power(phi, 0.5)
        across = loadings @ root
        return np.asarray(inverse @ across @ _power(across.T @ inverse @ across, -0.5) @ root)
    unique = 1 - np.einsum("im,mn,in->i", loadings, phi, loadings)
    scaled = loadings / np.maximum(unique, LOWEST_UNIQUENESS)[:, None]
    if method == "bartlett":
        return np.asarray(scaled @ _power(loadings.T @ scaled, -1.0))
    return np.asarray(scaled @ _power(scaled.T @ cor @ scaled, -0.5))


def _power(matrix: FloatArray, exponent: float) -> FloatArray:
    """Power of a positive semidefinite matrix (m, m); roots of zero stay zero."""

    def power(values: FloatArray) -> FloatArray:
        there = values > ROUNDING * values.max(initial=1e-300)
        return np.asarray(np.where(there, np.where(there, values, 1.0) ** exponent, 0.0))

    return np.asarray(symmetric_function(matrix[None], power)[0])


def determinacy(cor: FloatArray, loadings: FloatArray, phi: FloatArray) -> FloatArray:
    """Squared correlation (m,) of each factor with its regression scores (Guttman, 1955)."""
    structure = loadings @ phi
    inverse = np.linalg.pinv(cor, hermitian=True, rcond=1e-10)
    return np.asarray(np.einsum("im,ij,jm->m", structure, inverse, structure))
