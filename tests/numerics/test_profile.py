"""The deviance in standard deviations and angles: gradient, angles, what is held."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.numerics.mixed import GroupProducts, fit_mixed
from collabsurvey.numerics.profile import Profile
from collabsurvey.numerics.profile_deviance import (
    Deviance,
    Held,
    ProfileModel,
    _angles_of,
    as_blocks,
    rows_of,
)


def products(*, reml: bool, q: int = 3, seed: int = 1) -> GroupProducts:
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(20), rng.integers(4, 12, 20))
    x = np.column_stack((np.ones(len(g)), rng.normal(size=(len(g), q - 1))))
    effects = rng.normal(size=(20, q)) * [1.0, 0.6, 0.4][:q]
    y = (x * effects[g]).sum(axis=1) + rng.normal(size=len(g))
    basis = np.linalg.qr(x)[0]
    e = y - basis @ (basis.T @ y)
    cut = [np.flatnonzero(g == i) for i in range(20)]
    return GroupProducts(
        zz=np.stack([x[i].T @ x[i] for i in cut]),
        zx=np.stack([x[i].T @ basis[i] for i in cut]),
        ze=np.stack([x[i].T @ e[i] for i in cut]),
        ee=float(e @ e),
        n_rows=len(g),
        reml=reml,
    )


SCALE = np.array([[1.0, -0.4, 0.2], [0.0, 1.7, 0.0], [0.0, 0.0, 0.6]])


@pytest.mark.parametrize("reml", [True, False])
def test_deviance_at_the_optimum_is_the_criterion(reml: bool) -> None:
    data = products(reml=reml)
    fit = fit_mixed(data, correlated=True)
    deviance = Deviance(ProfileModel(as_blocks(data, correlated=True), (SCALE,)))
    at = deviance.start((fit.lower,), float(np.sqrt(fit.sigma2)))
    value, gradient = deviance(at)
    assert_allclose(value, fit.at.criterion, rtol=1e-12)
    assert_allclose(gradient, 0, atol=1e-3)


@pytest.mark.parametrize("order", [None, [[1, 0, 2]], [[2, 1, 0]]])
@pytest.mark.parametrize("contrast", [None, np.array([0.3, 1.0, -0.5])])
@pytest.mark.parametrize("correlated", [True, False])
def test_gradient_equals_differences(
    order: list[list[int]] | None, contrast: np.ndarray | None, correlated: bool
) -> None:
    data = products(reml=False)
    fit = fit_mixed(data, correlated=correlated)
    if not correlated:
        order = None
    scale = SCALE if correlated else np.diag(np.diag(SCALE))
    model = ProfileModel(as_blocks(data, correlated=correlated), (scale,))
    deviance = Deviance(model, order)
    held = None if contrast is None else Held(contrast=contrast, value=0.7)
    rng = np.random.default_rng(3)
    at = deviance.start((fit.lower,), float(np.sqrt(fit.sigma2)))
    at = at + 0.2 * rng.normal(size=len(at))
    steps = 1e-5 * np.eye(len(at))
    numbers = [(deviance(at + h, held)[0] - deviance(at - h, held)[0]) / 2e-5 for h in steps]
    assert_allclose(deviance(at, held)[1], numbers, rtol=1e-5, atol=1e-5)


@given(st.lists(st.floats(0.05, 3.0), min_size=6, max_size=6))
def test_angles_and_rows_are_inverse(turns: list[float]) -> None:
    rows = rows_of(np.array(turns), 4)
    assert_allclose((rows**2).sum(axis=1), 1.0)
    assert_allclose(_angles_of(rows), turns, atol=1e-6)


def test_a_profile_is_a_minimum_over_the_rest() -> None:
    data = products(reml=False, q=2)
    fit = fit_mixed(data, correlated=True)
    deviance = Deviance(ProfileModel(as_blocks(data, correlated=True), (SCALE[:2, :2],)))
    profile = Profile(deviance, deviance.start((fit.lower,), float(np.sqrt(fit.sigma2))))
    held = Held(parameter=0, value=1.3 * profile.values[0])
    rise, values = profile.rise(held, profile.values)
    assert values[0] == held.value
    rng = np.random.default_rng(4)
    for _ in range(20):
        other = values + 0.05 * rng.normal(size=len(values))
        other[0] = held.value
        assert deviance(other)[0] > profile.least + rise**2 - 1e-6
