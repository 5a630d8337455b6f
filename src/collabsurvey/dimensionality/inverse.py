"""The inverse and the determinant of a correlation matrix, or the sentence that it has none."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_solve

from collabsurvey.errors import DataError
from collabsurvey.numerics.typing import FloatArray

# Eigenvalues below this are zero up to rounding; smoothing a matrix replaces them by more.
SMALLEST_EIGENVALUE = 1e-12


def inverse_and_log_det(
    cor: FloatArray, *, method: str = "Sampling adequacy"
) -> tuple[FloatArray, float]:
    """Inverse (p, p) and log determinant of a positive definite correlation matrix (p, p).

    Raises, naming the `method` that needs them, if the matrix is singular or indefinite.
    """
    smallest = float(np.linalg.eigvalsh(cor)[0])
    if not smallest > SMALLEST_EIGENVALUE:
        raise DataError(
            f"{method} needs a positive definite correlation matrix; the smallest eigenvalue of "
            f"this one is {smallest:.2g}. Leave out items that repeat others, or smooth the "
            "matrix first."
        )
    lower = np.linalg.cholesky(cor)
    inverse = cho_solve((lower, True), np.eye(len(cor)))
    return np.asarray(inverse), float(2 * np.log(np.diag(lower)).sum())
