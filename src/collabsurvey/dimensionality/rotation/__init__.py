"""Rotation of factor loadings, the order of factors, and their match across resamples."""

from collabsurvey.dimensionality.rotation.alignment import (
    Ordering,
    align,
    ordered,
    rearranged,
    starts_towards,
    tucker_congruence,
)
from collabsurvey.dimensionality.rotation.named import (
    GENERAL_FIRST,
    NORMALISED,
    ORTHOGONAL,
    Rotation,
    RotationBatch,
    RotationSolution,
    rotate,
    rotate_batch,
)

__all__ = [
    "GENERAL_FIRST",
    "NORMALISED",
    "ORTHOGONAL",
    "Ordering",
    "Rotation",
    "RotationBatch",
    "RotationSolution",
    "align",
    "ordered",
    "rearranged",
    "rotate",
    "rotate_batch",
    "starts_towards",
    "tucker_congruence",
]
