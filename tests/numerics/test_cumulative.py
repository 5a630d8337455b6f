"""Kernels of cumulative link models: derivatives against differences, and the ends of the scale."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from collabsurvey.numerics.cumulative import (
    CumulativeRows,
    derivatives,
    fit_cumulative,
    log_likelihood,
    scores,
    sorted_rows,
    start_values,
)
from collabsurvey.numerics.cumulative_link import (
    LATENT_VARIANCE,
    Link,
    averaged,
    curvatures,
    distribution,
    quantile,
    slopes,
    thirds,
)
from collabsurvey.numerics.cumulative_mixed import MixedRows, evaluate, node_rule, split
from collabsurvey.numerics.typing import FloatArray

LINKS: tuple[Link, ...] = ("logit", "probit", "cloglog")
A = np.array([0.4, 0.2, np.inf, -3.5, 2.4, 1.7])
B = np.array([-np.inf, -1.2, 0.3, -5.0, 1.5, 0.7])
STEP = 1e-5  # differences are then good to about 1e-9


def differences(function, at: FloatArray) -> FloatArray:
    units = STEP * np.eye(len(at))
    return np.array([(function(at + u) - function(at - u)) / (2 * STEP) for u in units])


@pytest.mark.parametrize("link", LINKS)
def test_log_probability_is_that_of_the_distribution(link: Link) -> None:
    expected = np.log(distribution(link, A) - distribution(link, B))
    assert_allclose(slopes(link, A, B).loglik, expected, rtol=1e-9)
    p = np.array([0.01, 0.3, 0.9])
    assert_allclose(distribution(link, quantile(link, p)), p, rtol=1e-12)


@pytest.mark.parametrize("link", LINKS)
def test_derivatives_of_the_log_probability(link: Link) -> None:
    def first(a: FloatArray, b: FloatArray) -> FloatArray:
        at = slopes(link, a, b)
        return np.array([at.a, at.b])

    def second(a: FloatArray, b: FloatArray) -> FloatArray:
        at = curvatures(link, a, b, slopes(link, a, b))
        return np.array([at.aa, at.ab, at.bb])

    def by_a(function) -> FloatArray:
        return (function(A + STEP, B) - function(A - STEP, B)) / (2 * STEP)

    def by_b(function) -> FloatArray:
        return (function(A, B + STEP) - function(A, B - STEP)) / (2 * STEP)

    loglik = lambda a, b: slopes(link, a, b).loglik  # noqa: E731
    assert_allclose(first(A, B), [by_a(loglik), by_b(loglik)], atol=1e-8)
    assert_allclose(second(A, B), [*by_a(first), by_b(first)[1]], atol=1e-8)
    third = thirds(link, A, B, slopes(link, A, B))
    expected = [*by_a(second), by_b(second)[2]]
    assert_allclose([third.aaa, third.aab, third.abb, third.bbb], expected, atol=1e-7)


@pytest.mark.parametrize("link", LINKS)
def test_far_tails_keep_their_digits(link: Link) -> None:
    far = np.array([-30.0]) if link != "cloglog" else np.array([-200.0])
    at = slopes(link, far, np.array([-np.inf]))
    log_p = {"logit": -30.0, "probit": -454.3212439563432, "cloglog": -200.0}[link]
    assert_allclose(at.loglik, log_p, rtol=1e-12)  # R: pnorm(-30, log.p = TRUE)
    assert np.isfinite(at.a).all()
    if link != "cloglog":  # both tails alike
        mirrored = slopes(link, np.array([np.inf]), -far)
        assert_allclose(mirrored.loglik, at.loglik, rtol=1e-12)


@pytest.mark.parametrize("link", LINKS)
def test_average_over_the_normal(link: Link) -> None:
    x = np.array([-2.0, 0.3, 1.0])
    t, w = np.polynomial.hermite_e.hermegauss(80)
    expected = distribution(link, x[:, None] + 1.3 * t) @ (w / w.sum())
    assert_allclose(averaged(link, x, 1.3), expected, rtol=1e-7)
    assert_allclose(averaged(link, x, 0.0), distribution(link, x), rtol=1e-12)


def test_latent_variances() -> None:
    grid = np.linspace(-40, 15, 200_001)
    for link in LINKS:
        density = np.gradient(distribution(link, grid), grid)
        mean = np.trapezoid(grid * density, grid)
        variance = np.trapezoid((grid - mean) ** 2 * density, grid)
        assert_allclose(variance, LATENT_VARIANCE[link], rtol=1e-3)


def rows_with_everything(link: Link) -> tuple[CumulativeRows, np.random.Generator]:
    rng = np.random.default_rng(3)
    n = 90
    made, _ = sorted_rows(
        rng.integers(0, 4, n),
        rng.normal(size=(n, 2)),
        link=link,
        offset=0.1 * rng.normal(size=n),
        weight=rng.uniform(0.5, 2, n),
        w=0.3 * rng.normal(size=(n, 1)),
        z=rng.normal(size=(n, 1)),
    )
    return made, rng


@pytest.mark.parametrize("link", LINKS)
def test_gradient_and_information(link: Link) -> None:
    rows, rng = rows_with_everything(link)
    at = start_values(rows) + 0.05 * rng.normal(size=rows.n_parameters)
    gradient, information = derivatives(rows, at)
    assert_allclose(differences(lambda p: log_likelihood(rows, p), at), gradient, atol=1e-6)
    assert_allclose(differences(lambda p: derivatives(rows, p)[0], at), -information, atol=1e-6)
    assert_allclose(scores(rows, at).sum(axis=0), gradient, atol=1e-10)


def test_crossing_thresholds_have_no_likelihood() -> None:
    rows, _ = rows_with_everything("logit")
    at = start_values(rows)
    theta, _, _ = rows.split(at)
    theta[0, 0] = theta[1, 0] + 1
    assert log_likelihood(rows, at) == -np.inf


def test_without_predictors_thresholds_give_the_shares() -> None:
    codes = np.repeat([0, 1, 2], [5, 3, 12])
    none = np.empty((20, 0))
    rows, _ = sorted_rows(codes, none, link="logit", offset=np.ones(20), weight=np.ones(20))
    found = fit_cumulative(rows)
    assert_allclose(distribution("logit", found.parameters - 1), [0.25, 0.4], rtol=1e-12)
    assert found.converged
    assert not found.flat


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("n_quad", [1, 2, 9])
@pytest.mark.parametrize("r", [1, 2])
def test_gradient_of_the_quadrature(link: Link, n_quad: int, r: int) -> None:
    """The gradient is that of the sum itself, also with one node."""
    rng = np.random.default_rng(5)
    n, groups = 80, 7
    codes = np.sort(rng.integers(0, groups, n))
    starts = np.searchsorted(codes, np.arange(groups))
    w = np.column_stack((np.ones(n), 0.3 * rng.normal(size=n)))[:, :r]
    rows = MixedRows(
        link,
        rng.integers(0, 4, n),
        3,
        w,
        rng.normal(size=(n, 2)),
        0.1 * rng.normal(size=n),
        starts,
        codes,
    )
    rule = node_rule(n_quad)
    blocks = split(rows, n_quad)
    theta = np.column_stack(([-1.1, 0.1, 1.0], 0.1 * rng.normal(size=3)))[:, :r]

    def at(p: FloatArray):
        k = theta.size
        found = evaluate(
            blocks, p[:k].reshape(theta.shape), p[k:-1], float(p[-1]), np.zeros(groups), rule
        )
        assert found is not None
        return found

    values = np.concatenate((theta.ravel(), [0.4, -0.2], [0.8]))
    found = at(values)
    gradient = np.concatenate((found.theta.ravel(), found.beta, [found.sd]))
    assert_allclose(differences(lambda p: at(p).loglik, values), gradient, atol=1e-7)


def test_blocks_do_not_change_the_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    codes = np.sort(rng.integers(0, 9, 120))
    rows = MixedRows(
        "logit",
        rng.integers(0, 3, 120),
        2,
        np.ones((120, 1)),
        rng.normal(size=(120, 1)),
        np.zeros(120),
        np.searchsorted(codes, np.arange(9)),
        codes,
    )
    rule, zeros = node_rule(5), np.zeros(9)
    at = (np.array([[-0.5], [0.6]]), np.array([0.3]), 0.9)
    whole = evaluate(split(rows, 5), *at, zeros, rule)
    monkeypatch.setattr("collabsurvey.numerics.cumulative_mixed.BLOCK_VALUES", 200)
    blocks = split(rows, 5)
    assert len(blocks) > 2
    parts = evaluate(blocks, *at, zeros, rule)
    assert whole is not None
    assert parts is not None
    for name in ("loglik", "theta", "beta", "sd", "modes", "roots"):
        # Modes are sought to 1e-9, each block with as many steps as it needs.
        assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-10, atol=1e-9)
