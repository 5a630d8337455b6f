"""Criteria: gradients by finite differences, values by their published formulas; the iteration."""

from __future__ import annotations

from functools import partial
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.dimensionality.rotation.criteria import (
    Criterion,
    bifactor,
    geomin,
    oblimin,
    orthomax,
    towards_target,
)
from collabsurvey.dimensionality.rotation.gradient_projection import (
    gradient_projection,
    inverses,
)
from collabsurvey.numerics.typing import FloatArray

TARGET = np.where(np.arange(18).reshape(6, 3) % 4 == 0, np.nan, 0.1)
CRITERIA: dict[str, Criterion] = {
    "varimax": partial(orthomax, gamma=1.0),
    "quartimax": partial(orthomax, gamma=0.0),
    "equamax": partial(orthomax, gamma=1.5),
    "quartimin": partial(oblimin, gam=0.0),
    "oblimin": partial(oblimin, gam=-0.7),
    "geomin": partial(geomin, epsilon=0.01),
    "target": partial(towards_target, target=TARGET),
    "bifactor": bifactor,
}


def some_loadings(seed: int = 1) -> FloatArray:
    return np.random.default_rng(seed).uniform(-0.9, 0.9, size=(4, 6, 3))


@pytest.mark.parametrize("name", CRITERIA)
def test_gradients_are_the_finite_differences(name: str) -> None:
    criterion, loadings, h = CRITERIA[name], some_loadings(), 1e-5
    value, gradient = criterion(loadings)
    assert value.shape == (4,)
    numeric = np.zeros_like(loadings)
    for i, j in np.ndindex(6, 3):
        step = np.zeros((6, 3))
        step[i, j] = h
        numeric[:, i, j] = (criterion(loadings + step)[0] - criterion(loadings - step)[0]) / (2 * h)
    assert_allclose(gradient, numeric, atol=1e-8)  # h² and 1e-16 / h


def test_values_are_the_published_formulas() -> None:
    (loadings,) = some_loadings()[:1]
    squares = loadings**2
    p = len(loadings)
    variances = np.var(squares, axis=0).sum()  # Kaiser's raw varimax
    assert_allclose(orthomax(loadings, gamma=1.0)[0], -p * variances / 4, rtol=1e-12)
    assert_allclose(orthomax(loadings, gamma=0.0)[0], -(loadings**4).sum() / 4, rtol=1e-12)
    pairs = list(permutations(range(3), 2))
    crossed = sum(squares[:, j] @ squares[:, k] for j, k in pairs)
    assert_allclose(oblimin(loadings, gam=0.0)[0], crossed / 4, rtol=1e-12)
    centred = squares - squares.mean(axis=0)
    covariance = sum(centred[:, j] @ centred[:, k] for j, k in pairs)
    assert_allclose(oblimin(loadings, gam=1.0)[0], covariance / 4, rtol=1e-12)
    means = np.prod(squares + 0.01, axis=1) ** (1 / 3)
    assert_allclose(geomin(loadings, epsilon=0.01)[0], means.sum(), rtol=1e-12)
    group = sum(squares[:, j] @ squares[:, k] for j, k in pairs if 0 not in {j, k})
    assert_allclose(bifactor(loadings)[0], group, rtol=1e-12)
    free = np.isnan(TARGET)
    gap = ((loadings - TARGET)[~free] ** 2).sum()
    assert_allclose(towards_target(loadings, target=TARGET)[0], gap, rtol=1e-12)


@given(angle=st.floats(-1.5, 1.5))
def test_two_factor_quartimax_has_its_closed_form(angle: float) -> None:
    """Neuhaus & Wrigley (1954): the angle whose fourfold has the tangent below."""
    rng = np.random.default_rng(1)
    pattern = np.kron(np.eye(2), np.ones((4, 1))) * 0.6 + 0.1 * rng.normal(size=(8, 2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    loadings = pattern @ turn
    u, v = loadings[:, 0] ** 2 - loadings[:, 1] ** 2, 2 * loadings[:, 0] * loadings[:, 1]
    best = np.arctan2(2 * (u @ v), u @ u - v @ v) / 4
    expected = loadings @ [[np.cos(best), -np.sin(best)], [np.sin(best), np.cos(best)]]
    # From a start one eighth of a turn away, where the criterion is at its other extreme, the
    # gradient is zero: start a little off.
    starts = np.array([[[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]] for a in (0.0, 0.3)])
    ends = gradient_projection(loadings, starts, partial(orthomax, gamma=0.0), oblique=False)
    value = orthomax(expected, gamma=0.0)[0]
    assert ends.converged.all()
    assert_allclose(ends.value.min(), value, rtol=1e-10)


@pytest.mark.parametrize("oblique", [True, False])
def test_the_end_is_stationary_and_lower_than_the_start(oblique: bool) -> None:
    loadings = np.random.default_rng(2).uniform(-0.9, 0.9, size=(50, 10, 4))
    starts = np.broadcast_to(np.eye(4), (50, 4, 4))
    criterion = partial(oblimin, gam=0.0)
    ends = gradient_projection(loadings, starts, criterion, oblique=oblique)
    assert ends.converged.all()
    assert (ends.gradient_norm <= 1e-10).all()
    assert (ends.value <= criterion(loadings)[0]).all()
    assert_allclose((ends.transformation**2).sum(axis=1), 1, rtol=1e-12)
    inverse = np.linalg.inv(ends.transformation).transpose(0, 2, 1)
    assert_allclose(ends.loadings, loadings @ inverse, atol=1e-10)
    assert_allclose(ends.value, criterion(ends.loadings)[0], rtol=1e-12)
    # No small move of the transformation lowers the criterion.
    rng = np.random.default_rng(3)
    for _ in range(20):
        near = ends.transformation + 1e-3 * rng.normal(size=starts.shape)
        if oblique:
            near /= np.linalg.norm(near, axis=1, keepdims=True)
        else:
            left, _, right = np.linalg.svd(near)
            near = left @ right
        moved = loadings @ np.linalg.inv(near).transpose(0, 2, 1)
        assert (criterion(moved)[0] >= ends.value - 1e-9).all()


def test_loadings_may_be_shared_by_all_starts() -> None:
    loadings = np.random.default_rng(4).uniform(-0.9, 0.9, size=(10, 3))
    starts = np.linalg.qr(np.random.default_rng(5).normal(size=(7, 3, 3)))[0]
    for oblique in (True, False):
        shared = gradient_projection(loadings, starts, CRITERIA["geomin"], oblique=oblique)
        own = gradient_projection(
            np.broadcast_to(loadings, (7, 10, 3)), starts, CRITERIA["geomin"], oblique=oblique
        )
        assert_allclose(shared.loadings, own.loadings, atol=1e-9)


def test_a_singular_start_harms_no_other() -> None:
    loadings = some_loadings()[:3]
    starts = np.array([np.eye(3), np.ones((3, 3)) / np.sqrt(3), np.eye(3)])
    ends = gradient_projection(loadings, starts, CRITERIA["quartimin"], oblique=True)
    assert ends.converged.tolist() == [True, False, True]
    assert np.isnan(inverses(np.stack([np.eye(2), np.ones((2, 2))]))[1]).all()
    assert_allclose(inverses(np.stack([np.eye(2), np.ones((2, 2))]))[0], np.eye(2))
