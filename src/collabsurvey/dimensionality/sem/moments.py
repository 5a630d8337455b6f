"""Moments that a model implies, their derivatives, and slopes with respect to them.

Three small records travel between the model and the discrepancy functions: what is implied,
how it changes with each parameter, and how the discrepancy changes with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from collabsurvey.numerics.typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Implied:
    """Moments of one block. For ordered items: unit variances, of the latent responses."""

    cov: FloatArray  # (p, p)
    mean: FloatArray | None  # (p,)
    thresholds: FloatArray | None  # (t,)


@dataclass(frozen=True, eq=False)
class Derivatives:
    """Of the moments of one block with respect to those free parameters that move them."""

    which: IntArray  # (f,) places in theta
    cov: FloatArray  # (f, p, p), symmetric
    mean: FloatArray | None  # (f, p)
    thresholds: FloatArray | None  # (f, t)


@dataclass(frozen=True, eq=False)
class Slopes:
    """Derivatives of a function f by the moments of one block, df = sum(cov * dSigma) + ….

    `cov` is symmetric and counts both halves of Sigma: a change of one covariance by d moves
    the function by 2 d cov[i, j].
    """

    cov: FloatArray  # (p, p)
    mean: FloatArray | None = None  # (p,)
    thresholds: FloatArray | None = None  # (t,)


class Discrepancy(Protocol):
    """Distance of implied from sample moments over all blocks, in units of chi-square.

    Half of its second derivative is the information about the parameters. The same object is
    asked at many points; what depends on the sample alone is computed once. An impossible
    point (Sigma not positive definite) has the value infinity.
    """

    def value(self, implied: Sequence[Implied]) -> float:
        """Return the distance; 0 for moments equal to the sample's."""

    def slopes(self, implied: Sequence[Implied]) -> list[Slopes]:
        """Return its derivative with respect to the moments of every block."""

    def information(
        self, implied: Sequence[Implied], derivatives: Sequence[Derivatives], n_free: int
    ) -> FloatArray:
        """Return half the expected second derivative (n_free, n_free)."""

    def curvature(
        self, implied: Sequence[Implied], derivatives: Sequence[Derivatives], n_free: int
    ) -> FloatArray:
        """Return half the second derivative as if moments were linear in the parameters.

        The observed information is this plus the part of the moments' own curvature, which is
        the same for every discrepancy and is added by the caller.
        """
