"""The bivariate normal against scipy, its limits, identities and derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import integrate, special, stats

from collabsurvey.numerics.bivariate_normal import (
    bivariate_cdf,
    bivariate_density,
    density_slope,
    given_first,
)
from collabsurvey.numerics.typing import FloatArray

RHO = (-0.999, -0.95, -0.5, -0.1, 0.0, 0.3, 0.7, 0.99, 0.999)
POINTS = (-3.1, -1.0, -0.2, 0.0, 0.4, 1.7)
ATOL = 1e-15  # Owen's T and the normal distribution are exact to rounding
INFINITY = np.inf

thresholds = st.floats(-6, 6)
correlations = st.floats(-0.999, 0.999)


def array(*values: float) -> tuple[FloatArray, ...]:
    return tuple(np.array(value) for value in values)


def by_quadrature(h: float, k: float, rho: float) -> float:
    """P(X <= h, Y <= k) as the integral of phi(x) P(Y <= k | x)."""
    root = np.sqrt((1 - rho) * (1 + rho))

    def height(x: float) -> float:
        return float(np.exp(-x * x / 2) / np.sqrt(2 * np.pi) * special.ndtr((k - rho * x) / root))

    bend = min(max(k / rho, -9.0), h) if rho else 0.0  # where the conditional probability turns
    value, _ = integrate.quad(height, -9.0, h, points=[bend], epsabs=1e-13, epsrel=1e-13, limit=400)
    return float(value)


@pytest.mark.parametrize("rho", RHO)
def test_distribution_is_that_of_scipy(rho: float) -> None:
    normal = stats.multivariate_normal([0, 0], [[1, rho], [rho, 1]])
    for h in POINTS:
        for k in POINTS:
            # scipy's own algorithm promises 1e-5 by default and gives about 1e-15 in two dimensions
            assert_allclose(bivariate_cdf(*array(h, k, rho)), normal.cdf([h, k]), atol=1e-12)


@pytest.mark.parametrize("rho", [-0.95, -0.5, 0.3, 0.99])
def test_distribution_is_the_integral(rho: float) -> None:
    for h in POINTS:
        for k in POINTS:
            expected = by_quadrature(h, k, rho)
            assert_allclose(bivariate_cdf(*array(h, k, rho)), expected, atol=1e-12)


@pytest.mark.parametrize("rho", RHO)
def test_density_is_that_of_scipy(rho: float) -> None:
    normal = stats.multivariate_normal([0, 0], [[1, rho], [rho, 1]])
    for h in POINTS:
        for k in POINTS:
            # scipy inverts the matrix: at .999 it has lost three digits in the exponent
            assert_allclose(
                bivariate_density(*array(h, k, rho)), normal.pdf([h, k]), rtol=1e-9, atol=1e-290
            )


@pytest.mark.parametrize("rho", RHO)
def test_at_the_centre(rho: float) -> None:
    expected = 0.25 + np.arcsin(rho) / (2 * np.pi)  # Sheppard (1899)
    assert_allclose(bivariate_cdf(*array(0.0, 0.0, rho)), expected, atol=ATOL)
    # A zero threshold is no special place, on either axis and with either sign of zero.
    for h, k in ((0.0, 1e-14), (-0.0, 0.0), (1e-14, -0.0), (-1e-300, 1e-300)):
        assert_allclose(bivariate_cdf(*array(h, k, rho)), expected, atol=1e-13)


@pytest.mark.parametrize("rho", RHO)
@pytest.mark.parametrize("h", [-8.0, -1.3, 0.0, 0.4, 8.0])
def test_infinite_thresholds_leave_the_margin(h: float, rho: float) -> None:
    assert_allclose(bivariate_cdf(*array(h, INFINITY, rho)), special.ndtr(h), atol=ATOL)
    assert_allclose(bivariate_cdf(*array(INFINITY, h, rho)), special.ndtr(h), atol=ATOL)
    assert bivariate_cdf(*array(h, -INFINITY, rho)) <= ATOL
    assert bivariate_cdf(*array(-INFINITY, h, rho)) <= ATOL
    assert bivariate_density(*array(h, INFINITY, rho)) <= 1e-290
    assert given_first(*array(INFINITY, h, rho)) <= 1e-290


def test_corners_at_infinity() -> None:
    both = np.array([-INFINITY, INFINITY])
    found = bivariate_cdf(both[:, None], both[None, :], np.array(0.4))
    assert_allclose(found, [[0, 0], [0, 1]], atol=ATOL)


@given(h=thresholds, k=thresholds, rho=correlations)
def test_identities(h: float, k: float, rho: float) -> None:
    here = bivariate_cdf(*array(h, k, rho))
    assert_allclose(here, bivariate_cdf(*array(k, h, rho)), atol=ATOL)
    # P(X <= h, Y <= k) + P(X <= h, -Y <= -k) = P(X <= h)
    assert_allclose(here + bivariate_cdf(*array(h, -k, -rho)), special.ndtr(h), atol=1e-14)
    # P(X > h, Y > k) = P(-X <= -h, -Y <= -k)
    opposite = 1 - special.ndtr(h) - special.ndtr(k) + here
    assert_allclose(bivariate_cdf(*array(-h, -k, rho)), opposite, atol=1e-14)
    assert 0 <= here <= min(special.ndtr(h), special.ndtr(k)) + ATOL


@given(h=thresholds, k=thresholds)
def test_independent_and_nearly_perfect(h: float, k: float) -> None:
    a, b = special.ndtr(h), special.ndtr(k)
    assert_allclose(bivariate_cdf(*array(h, k, 0.0)), a * b, atol=1e-14)
    # Between independence and the Fréchet bounds, and near them at the limit.
    top, bottom = bivariate_cdf(*array(h, k, 0.999)), bivariate_cdf(*array(h, k, -0.999))
    assert a * b - 1e-14 <= top <= min(a, b) + 1e-14
    assert max(a + b - 1, 0) - 1e-14 <= bottom <= a * b + 1e-14
    assert min(a, b) - top <= np.arccos(0.999) / (2 * np.pi) + 1e-14  # largest at the centre
    assert bottom - max(a + b - 1, 0) <= np.arccos(0.999) / (2 * np.pi) + 1e-14


@given(h=st.floats(-3, 3), k=st.floats(-3, 3), rho=st.floats(-0.97, 0.97))
@settings(max_examples=60)
def test_derivatives_by_differences(h: float, k: float, rho: float) -> None:
    d = 1e-5  # the error of a central difference is d²/6 times a third derivative

    def slope(function: object, at: tuple[float, float, float], place: int) -> float:
        up, down = list(at), list(at)
        up[place] += d
        down[place] -= d
        return float((function(*array(*up)) - function(*array(*down))) / (2 * d))  # type: ignore[operator]

    here = (h, k, rho)
    assert_allclose(slope(bivariate_cdf, here, 2), bivariate_density(*array(*here)), atol=1e-6)
    assert_allclose(slope(bivariate_cdf, here, 0), given_first(*array(*here)), atol=1e-6)
    swapped = given_first(*array(k, h, rho))
    assert_allclose(slope(bivariate_cdf, here, 1), swapped, atol=1e-6)
    density = float(bivariate_density(*array(*here)))
    expected = density * float(density_slope(*array(*here)))
    assert_allclose(slope(bivariate_density, here, 2), expected, atol=2e-4, rtol=1e-4)


def test_arguments_broadcast() -> None:
    h, k, rho = np.array([[-1.0], [0.5]]), np.array([0.0, 1.0, 2.0]), np.array(0.3)
    for function in (bivariate_cdf, bivariate_density, density_slope, given_first):
        whole = function(h, k, rho)
        assert whole.shape == (2, 3)
        assert_allclose(whole[1, 2], function(*array(0.5, 2.0, 0.3)), atol=ATOL)
