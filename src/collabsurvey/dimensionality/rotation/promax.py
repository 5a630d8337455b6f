"""Promax: an orthogonal rotation sharpened towards its own powers (Hendrickson & White, 1964).

doi:10.1111/j.2044-8317.1964.tb00244.x
"""

from __future__ import annotations

import numpy as np

from collabsurvey.dimensionality.rotation.gradient_projection import inverses
from collabsurvey.numerics.typing import FloatArray


@np.errstate(all="ignore")  # without an inverse the result is not a number, and the caller says so
def promax_turn(rotated: FloatArray, turn: FloatArray, *, power: float) -> FloatArray:
    """Oblique transformation (B, m, m) after an orthogonal one.

    `rotated` (B, p, m) = unrotated @ `turn` (B, m, m). The target has the loadings' signs and
    their sizes raised to `power`; least squares takes the loadings there, and columns are
    rescaled so that the factors have variance one. NaN where the loadings lack full rank.
    """
    target = np.sign(rotated) * np.abs(rotated) ** power
    across = rotated.transpose(0, 2, 1)
    mixing = inverses(across @ rotated) @ (across @ target)
    back = inverses(mixing)  # its rows are the factors before rescaling
    lengths = np.sqrt((back * back).sum(axis=-1, keepdims=True))
    return np.asarray(turn @ (back / lengths).transpose(0, 2, 1))
