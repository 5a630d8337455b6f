"""What a model is fitted to: the moments of one group, and its rows where a method needs them."""

from __future__ import annotations

from dataclasses import dataclass

from collabsurvey.numerics.typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Sample:
    """Moments of one group over p observed variables, in the order of the blocks of the model."""

    n: float  # respondents; with weights, their sum scaled to the number of rows
    cov: FloatArray  # (p, p) divisor n; correlations of the latent responses for ordered items
    mean: FloatArray | None  # (p,)
    thresholds: FloatArray | None = None  # (t,)
    acov: FloatArray | None = None  # (s, s): n times the covariance of the moments' estimates
    rows: FloatArray | None = None  # (n, p), NaN for missing
    weights: FloatArray | None = None  # (n,)
    clusters: IntArray | None = None  # (n,) codes
