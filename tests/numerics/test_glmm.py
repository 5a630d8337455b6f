"""The kernel of generalised mixed models: gradient, quadrature, modes, separation, averages."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.integrate import dblquad, quad
from scipy.special import expit, gammaln

from collabsurvey.numerics.glm import fit_glm
from collabsurvey.numerics.glm_outcome import Family, Outcome
from collabsurvey.numerics.glmm import (
    ClusterRows,
    Parameters,
    evaluate,
    find_modes,
    node_rule,
    split,
)
from collabsurvey.numerics.glmm_fit import fit_glmm
from collabsurvey.numerics.glmm_population import (
    averaged_coefficients,
    averaged_link,
    averaged_mean,
)
from collabsurvey.numerics.mixed import free_elements
from collabsurvey.numerics.separation import directions, separating, suspect

FAMILIES: tuple[Family, ...] = ("binomial", "poisson", "negbin")
AT = Parameters(np.array([0.2, 0.3, -0.4]), np.array([[0.8, 0.0], [0.3, 0.5]]), 0.4)


def some_rows(
    family: Family, q: int = 1, *, n: int = 120, n_groups: int = 15, seed: int = 1
) -> ClusterRows:
    rng = np.random.default_rng(seed)
    codes = np.sort(np.append(np.arange(n_groups), rng.integers(0, n_groups, n - n_groups)))
    x = np.column_stack((np.ones(n), rng.normal(size=(n, 2))))
    trials = rng.integers(1, 4, n) if family == "binomial" else np.ones(n, dtype=int)
    count = rng.binomial(trials, 0.4) if family == "binomial" else rng.negative_binomial(2, 0.4, n)
    outcome = Outcome(family, count.astype(float), trials.astype(float), rng.uniform(0.5, 2.0, n))
    return ClusterRows(
        x=x,
        z=np.vstack((np.ones(n), x[:, 1]))[:q],
        offset=0.2 * rng.normal(size=n),
        outcome=outcome,
        starts=np.searchsorted(codes, np.arange(n_groups)),
        codes=codes,
    )


def at_size(q: int) -> Parameters:
    return replace(AT, lower=AT.lower[:q, :q])


def value(rows: ClusterRows, at: Parameters, n_quad: int) -> float:
    q = len(rows.z)
    rule = node_rule(n_quad, q)
    start = np.zeros((q, len(rows.starts)))
    found = evaluate(split(rows, rule.t.shape[1]), at, start, rule)
    return found.loglik + rows.outcome.constant(at.log_shape)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("q", [1, 2])
@pytest.mark.parametrize("n_quad", [1, 3, 6])
def test_gradient_is_that_of_the_quadrature(family: Family, q: int, n_quad: int) -> None:
    rows, at, h = some_rows(family, q), at_size(q), 1e-5
    rule = node_rule(n_quad, q)
    start = np.zeros((q, len(rows.starts)))
    found = evaluate(split(rows, 1), at, start, rule)

    def slope(move: Parameters) -> float:
        up = Parameters(
            at.beta + h * move.beta, at.lower + h * move.lower, at.log_shape + h * move.log_shape
        )
        down = Parameters(
            at.beta - h * move.beta, at.lower - h * move.lower, at.log_shape - h * move.log_shape
        )
        return (value(rows, up, n_quad) - value(rows, down, n_quad)) / (2 * h)

    no_beta, no_lower = np.zeros(3), np.zeros((q, q))
    by_beta = [slope(Parameters(unit, no_lower, 0.0)) for unit in np.eye(3)]
    assert_allclose(found.beta, by_beta, atol=2e-7)
    for a in range(q):
        for b in range(a + 1):
            unit = np.outer(np.eye(q)[a], np.eye(q)[b])
            assert_allclose(
                found.lower[a, b], slope(Parameters(no_beta, unit, 0.0)), rtol=0, atol=2e-7
            )
    if family == "negbin":
        assert_allclose(found.log_shape, slope(Parameters(no_beta, no_lower, 1.0)), atol=2e-7)


def brute_force(rows: ClusterRows, at: Parameters) -> float:
    """The log-likelihood by scipy's integration, cluster by cluster, from the textbook formulas."""
    total = 0.0
    q, outcome = len(rows.z), rows.outcome
    for g in range(len(rows.starts)):
        own = rows.codes == g
        fixed = rows.x[own] @ at.beta + rows.offset[own]
        y, m, w = outcome.count[own], outcome.trials[own], outcome.weight[own]
        z = rows.z[:, own]

        def density(*u: float, fixed=fixed, y=y, m=m, w=w, z=z) -> float:
            eta = fixed + z.T @ (at.lower @ np.array(u))
            if outcome.family == "binomial":
                p = expit(eta)
                ways = gammaln(m + 1) - gammaln(y + 1) - gammaln(m - y + 1)
                log = ways + y * np.log(p) + (m - y) * np.log(1 - p)
            elif outcome.family == "poisson":
                log = y * eta - np.exp(eta) - gammaln(y + 1)
            else:
                r, mean = np.exp(at.log_shape), np.exp(eta)
                log = gammaln(y + r) - gammaln(r) - gammaln(y + 1)
                log = log + r * np.log(r / (r + mean)) + y * np.log(mean / (r + mean))
            normal = np.exp(-np.sum(np.square(u)) / 2) / (2 * np.pi) ** (q / 2)
            return float(np.exp(w @ log) * normal)

        if q == 1:
            integral = quad(density, -9, 9, epsabs=0, epsrel=1e-11, limit=200)[0]
        else:
            integral = dblquad(density, -7, 7, -7, 7, epsabs=0, epsrel=1e-7)[0]
        total += np.log(integral)
    return float(total)


@pytest.mark.parametrize("family", FAMILIES)
def test_quadrature_converges_to_the_integral(family: Family) -> None:
    rows, at = some_rows(family), at_size(1)
    exact = brute_force(rows, at)
    # Errors of clusters may cancel in the sum, so that few points can do better than more.
    for n_quad, error in ((1, 0.5), (3, 0.05), (7, 1e-4), (15, 1e-7), (31, 1e-8)):
        assert abs(value(rows, at, n_quad) - exact) < error


def test_quadrature_in_two_directions_converges_to_the_integral() -> None:
    rows, at = some_rows("binomial", 2, n=30, n_groups=3), at_size(2)
    exact = brute_force(rows, at)
    assert abs(value(rows, at, 1) - exact) < 0.2
    assert abs(value(rows, at, 9) - exact) < 1e-5


def test_modes_are_stationary_from_any_start() -> None:
    rows, at = some_rows("poisson", 2), at_size(2)
    rng = np.random.default_rng(0)
    near = find_modes(rows, at, np.zeros((2, 15)))
    far = find_modes(rows, at, 30 * rng.normal(size=(2, 15)))
    assert_allclose(far.u, near.u, atol=1e-8)
    slope = at.lower.T @ rows.z_sums(near.rows.score) - near.u
    assert np.abs(slope).max() < 1e-6


@pytest.mark.parametrize("most", [1, 40, 10_000])
def test_blocks_hold_whole_clusters_and_change_nothing(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, at = some_rows("binomial"), at_size(1)
    whole = value(rows, at, 5)
    monkeypatch.setattr("collabsurvey.numerics.glmm.BLOCK_VALUES", most)
    blocks = split(rows, 5)
    assert sum(len(block.codes) for _, block in blocks) == len(rows.codes)
    assert [g.stop for g, _ in blocks][-1] == len(rows.starts)
    assert_allclose(value(rows, at, 5), whole, rtol=1e-13)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_optimum_has_no_slope_and_no_better_neighbour(family: Family) -> None:
    rows = some_rows(family, n=400, n_groups=30, seed=4)
    found = fit_glmm(rows, fit_glm(rows.x, rows.offset, rows.outcome), n_quad=5, correlated=True)
    assert found.converged
    assert found.gradient_norm < 1e-6
    assert_allclose(
        value(rows, Parameters(found.beta, found.lower, found.log_shape), 5), found.loglik
    )
    rng = np.random.default_rng(2)
    for _ in range(10):
        near = Parameters(
            found.beta + 0.02 * rng.normal(size=3),
            found.lower * np.exp(0.05 * rng.normal()),
            found.log_shape + 0.05 * rng.normal(),
        )
        assert value(rows, near, 5) < found.loglik + 1e-9


def test_separation_is_found_exactly_where_it_is() -> None:
    x = np.column_stack((np.ones(6), [0.0, 1, 2, 3, 4, 5]))
    ones = np.ones(6)

    def way(y: list[float]) -> np.ndarray:
        return directions(Outcome("binomial", np.array(y), ones, ones))

    assert separating(x, way([0, 0, 0, 1, 1, 1])) is not None
    assert separating(x, way([0, 0, 1, 0, 1, 1])) is None
    twice = np.vstack((x, x[3]))
    quasi = np.append(way([0, 0, 0, 1, 1, 1]), -1)
    found = separating(twice, quasi)  # both outcomes at 3, and only there
    assert found is not None
    assert abs(found[0] + 3 * found[1]) < 1e-9
    zeros = directions(Outcome("poisson", np.array([0.0, 0, 0, 2, 0, 1]), ones, ones))
    assert separating(x, zeros) is None
    dummy = np.column_stack((np.ones(6), [1.0, 1, 0, 0, 0, 0]))
    assert separating(dummy, zeros) is not None


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_newton_runs_away_where_outcomes_are_separated_and_nowhere_else(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = np.column_stack((np.ones(12), rng.normal(size=(12, 2))))
    outcome = Outcome("binomial", rng.integers(0, 2, 12).astype(float), np.ones(12), np.ones(12))
    found = fit_glm(x, np.zeros(12), outcome)
    separated = separating(x, directions(outcome)) is not None
    assert separated <= (not found.converged or suspect(outcome, found.eta))
    if not separated:
        assert found.converged


@pytest.mark.parametrize("sd", [0.0, 0.3, 1.0, 3.0, 8.0])
def test_averaged_probability_is_the_integral(sd: float) -> None:
    eta = np.array([-6.0, -1.0, 0.0, 0.7, 3.0])

    def average(function, x: float) -> float:
        def weighted(e: float) -> float:
            return float(function(x + sd * e) * np.exp(-(e**2) / 2) / np.sqrt(2 * np.pi))

        return quad(weighted, -12, 12, epsabs=1e-13, limit=400, points=[-x / sd] if sd else None)[0]

    found = averaged_mean("binomial", eta, np.full(5, sd))
    assert_allclose(found.mean, [average(expit, x) for x in eta], atol=1e-9)
    assert_allclose(found.rest, 1 - found.mean, atol=1e-12)
    assert_allclose(
        found.by_eta, [average(lambda t: expit(t) * expit(-t), x) for x in eta], atol=1e-8
    )
    h = 1e-4
    up, down = (averaged_mean("binomial", eta, np.full(5, sd + s)).mean for s in (h, -h))
    assert_allclose(found.by_sd, (up - down) / (2 * h), atol=1e-7)


@pytest.mark.parametrize("family", ["binomial", "poisson"])
def test_averaged_coefficients_are_least_squares_and_their_errors_the_delta_method(
    family: Family,
) -> None:
    rows, at = some_rows(family, 2), at_size(2)
    free = free_elements(2, correlated=True)
    rng = np.random.default_rng(3)
    half = rng.normal(size=(6, 6)) * 0.1
    covariance = half @ half.T
    weight = rows.outcome.size

    def averaged(beta: np.ndarray, lower: np.ndarray) -> np.ndarray:
        sd = np.sqrt(((lower.T @ rows.z) ** 2).sum(axis=0))
        link = averaged_link(family, averaged_mean(family, rows.x @ beta + rows.offset, sd))
        root = np.sqrt(weight)[:, None]
        return np.linalg.lstsq(rows.x * root, (link - rows.offset) * root[:, 0])[0]

    found, errors = averaged_coefficients(
        family, rows.x, rows.z, rows.offset, weight, at.beta, at.lower, free, covariance
    )
    assert_allclose(found, averaged(at.beta, at.lower), rtol=1e-10)
    h, jacobian = 1e-5, np.empty((3, 6))
    for i in range(6):
        ends = []
        for sign in (1, -1):
            beta, lower = at.beta.copy(), at.lower.copy()
            if i < 3:
                beta[i] += sign * h
            else:
                lower[free[0][i - 3], free[1][i - 3]] += sign * h
            ends.append(averaged(beta, lower))
        jacobian[:, i] = (ends[0] - ends[1]) / (2 * h)
    assert_allclose(errors, jacobian @ covariance @ jacobian.T, rtol=1e-6, atol=1e-10)


def test_a_random_intercept_leaves_rate_ratios_as_they_are() -> None:
    rows, at = some_rows("poisson"), at_size(1)
    found, _ = averaged_coefficients(
        "poisson", rows.x, rows.z, rows.offset, rows.outcome.size, at.beta, at.lower,
        free_elements(1, correlated=True), np.eye(4),
    )  # fmt: skip
    assert_allclose(found[1:], at.beta[1:], atol=1e-12)
    assert_allclose(found[0], at.beta[0] + at.lower[0, 0] ** 2 / 2, rtol=1e-12)
