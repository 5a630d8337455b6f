"""One rotation with its options, for a sample and for all its resamples alike."""

from __future__ import annotations

from dataclasses import dataclass

from collabsurvey.dimensionality.rotation import (
    ORTHOGONAL,
    Rotation,
    RotationBatch,
    RotationSolution,
    rotate,
    rotate_batch,
    starts_towards,
)
from collabsurvey.numerics.typing import FloatArray


@dataclass(frozen=True, eq=False)
class RotationPlan:
    """How loadings are rotated; see `rotation.rotate` for each option."""

    method: Rotation
    kaiser: bool | None = None
    target: FloatArray | None = None
    gam: float = 0.0
    epsilon: float = 0.01
    power: float = 4.0

    def rotate(self, loadings: FloatArray, *, n_starts: int, seed: int) -> RotationSolution:
        """Rotate the loadings (k, m) of a sample from several starts."""
        return rotate(
            loadings,
            self.method,
            seed=seed,
            kaiser=self.kaiser,
            n_starts=n_starts,
            gam=self.gam,
            epsilon=self.epsilon,
            power=self.power,
            target=self.target,
        )

    def rotate_towards(self, loadings: FloatArray, reference: FloatArray) -> RotationBatch:
        """Rotate resamples (B, k, m) from starts near the rotated sample (k, m)."""
        # The start of promax is one of its varimax.
        oblique = self.method not in ORTHOGONAL and self.method != "promax"
        return rotate_batch(
            loadings,
            self.method,
            start=starts_towards(loadings, reference, oblique=oblique),
            kaiser=self.kaiser,
            gam=self.gam,
            epsilon=self.epsilon,
            power=self.power,
            target=self.target,
        )
