"""A point that is none of the model: variances of latent responses below zero."""

from __future__ import annotations

import numpy as np

from collabsurvey.dimensionality.sem.compile import build
from collabsurvey.dimensionality.sem.implied import implied, parts
from collabsurvey.dimensionality.sem.least_squares import LeastSquares, Stack
from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.numerics.typing import FloatArray


def start(residual: float) -> tuple[LeastSquares, FloatArray, float]:
    """Distance from a sample at a point where items have this residual variance."""
    model = build(
        "\n".join(("f =~ y1 + y2 + y3", *(f"y{i} ~~ {residual}*y{i}" for i in (1, 2, 3)))),
        ordered={"y1": 3, "y2": 3, "y3": 3},
        parameterization="theta",
        std_lv=True,
        means=True,
    )
    theta = np.full(model.n_free, 0.5)
    block = model.blocks[0]
    n = len(block.threshold_of)
    sample = Sample(n=100.0, cov=np.eye(3), mean=np.zeros(3), thresholds=np.linspace(-1, 1, n))
    stack = Stack(block.is_ordered, means=True)
    found = LeastSquares([sample], [np.ones(n + 3)], [stack])
    return found, theta, found.value([implied(block, theta)])


def test_an_impossible_point_is_infinitely_far_without_a_warning() -> None:
    assert np.isfinite(start(0.5)[2])
    assert start(-0.5)[2] == np.inf
    assert start(-0.25)[2] == np.inf  # a variance of zero


def test_complex_points_are_possible() -> None:
    model = build("f =~ y1 + y2", ordered={"y1": 2, "y2": 2}, parameterization="theta", std_lv=True)
    block = model.blocks[0]
    theta = np.full(model.n_free, 0.5)
    step = theta + 1j * 1e-30 * (np.arange(model.n_free) == 0)
    scale = parts(block, step).scale
    loading = 0.5  # of y1, and the derivative of (loading² + 1) ** -0.5
    np.testing.assert_allclose(scale[0].real, (loading**2 + 1) ** -0.5)
    np.testing.assert_allclose(scale[0].imag / 1e-30, -loading * (loading**2 + 1) ** -1.5)
