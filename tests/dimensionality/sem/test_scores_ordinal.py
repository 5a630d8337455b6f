"""Scores of ordered answers beside posterior modes and expectations computed in R."""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.special import ndtr

from collabsurvey.dimensionality.sem.scores_ordinal import _probabilities, ordinal_scores
from collabsurvey.errors import DataError, NotSupportedError
from collabsurvey.numerics.typing import FloatArray
from dimensionality.sem.fit_indices.fitted_models import fitted
from dimensionality.sem.test_scores import at_point, numbers, reference
from support import dataset, gold, matrix

# R's estimates have a gradient of 1e-6 in units of which loadings move scores by some 1e-6.
TOLERANCE = 1e-5
FIVE = {f"y{i}": 4 for i in range(1, 6)}
CUTS = {f"y{i}|t{k}": k - 2.0 + 0.1 * i for i in range(1, 10) for k in range(1, 4)}


def answers(stored: dict[str, Any]) -> FloatArray:
    return numbers(stored["y"]) - 1


def test_first_rows_are_lavaans() -> None:
    case = fitted("cfa_wlsmv_bfi_NE fit")
    block = case.fit.model.blocks[0]
    codes = dataset("bfi")[list(block.observed)].dropna().to_numpy(dtype=float) - 1
    found = ordinal_scores(block, case.fit.theta, codes)
    expected = matrix(gold("05_cfa")["cfa_wlsmv_bfi_NE"]["values"]["factor_scores_EBM_first5"])
    assert tuple(expected.columns) == found.factors
    # Of 3e-6 that remain most are lavaan's optimiser: to the mode itself it is 3e-7, see below.
    assert_allclose(found.values[:5], expected.to_numpy(dtype=float), atol=TOLERANCE)
    assert (found.n_partial, found.n_empty) == (0, 0)
    assert (found.reliability > 0.75).all()
    assert (found.reliability < 0.95).all()
    # Scores and factors share the part of the variance that is not left open.
    variance = found.values.var(axis=0) / np.diag(block.factor_cov.filled(case.fit.theta))
    assert_allclose(variance, found.reliability, atol=0.05)


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("cfa_wlsmv_bfi_NE fit", "wlsmv"),
        ("cfa_wlsmv_pairwise_bfi_NE fit", "theta_pairwise"),
    ],
)
def test_modes_and_expectations(name: str, stored: str) -> None:
    expected = reference()[stored]
    case = fitted(name)
    theta, block = case.fit.theta, case.fit.model.blocks[0]
    unit = np.ones(2)
    if stored == "theta_pairwise":
        # The same model with unit variances; lavaan found extra turned round, which fits as well.
        unit = np.sqrt(np.diag(block.factor_cov.filled(theta))) * [1, -1]
    codes = answers(expected)
    mode = ordinal_scores(block, theta, codes)
    assert_allclose(mode.values / unit, numbers(expected["mode"]), atol=TOLERANCE)
    assert_allclose(mode.std_error / np.abs(unit), numbers(expected["se"]), atol=TOLERANCE)
    mean = ordinal_scores(block, theta, codes, method="eap")
    assert_allclose(mean.values / unit, numbers(expected["eap"]), atol=TOLERANCE)
    assert_allclose(mean.std_error / np.abs(unit), numbers(expected["sd"]), atol=TOLERANCE)
    assert mode.n_partial == np.isnan(codes).any(axis=1).sum()


def test_theta_parameterisation_gives_the_same_scores_in_other_units() -> None:
    delta, theta = fitted("cfa_wlsmv_bfi_NE fit"), fitted("cfa_wlsmv_theta_bfi_NE fit")
    codes = answers(reference()["wlsmv"])
    first = ordinal_scores(delta.fit.model.blocks[0], delta.fit.theta, codes)
    second = ordinal_scores(theta.fit.model.blocks[0], theta.fit.theta, codes)
    size = np.sqrt(np.diag(delta.fit.model.blocks[0].factor_cov.filled(delta.fit.theta)))
    assert_allclose(first.values / size, second.values, atol=1e-6)
    assert_allclose(first.std_error / size, second.std_error, atol=1e-6)
    assert_allclose(first.reliability, second.reliability, atol=1e-6)


@pytest.mark.parametrize("method", ["ebm", "eap"])
def test_errors_and_reliability_are_those_of_simulated_factors(method: Any) -> None:
    """A second-order model: the general factor is scored through the ones below it."""
    text = "a =~ 1*y1 + y2 + y3 ; b =~ 1*y4 + y5 + y6 ; c =~ 1*y7 + y8 + y9 ; g =~ 1*a + b + c"
    ordered = {f"y{i}": 4 for i in range(1, 10)}
    loadings = {f"{f}=~y{i}": 1.0 for f in "abc" for i in range(1, 10)}
    values = {**CUTS, **loadings, "g=~b": 0.9, "g=~c": 0.8, "g~~g": 1.2}
    values |= {f"{f}~~{f}": 0.4 for f in "abc"}
    model, theta = at_point(text, values, ordered=ordered, parameterization="theta")
    block = model.blocks[0]
    rng = np.random.default_rng(8)
    n = 4000
    effect = np.linalg.inv(np.eye(4) - block.paths.filled(theta))
    own = rng.normal(size=(n, 4)) * np.sqrt(np.diag(block.factor_cov.filled(theta)))
    eta = own @ effect.T
    latent = eta @ block.loadings.filled(theta).T + rng.normal(size=(n, 9))
    cuts = block.thresholds.filled(theta).reshape(9, 3)
    codes = (latent[:, :, None] > cuts).sum(axis=2).astype(float)
    codes[rng.random(codes.shape) < 0.2] = np.nan
    found = ordinal_scores(block, theta, codes, method=method)
    away = found.values - eta
    # The mode's error is that of a normal approximation, the expectation's is exact.
    rtol = 0.05 if method == "ebm" else 0.03
    assert_allclose((away**2).mean(axis=0), (found.std_error**2).mean(axis=0), rtol=rtol)
    r = [np.corrcoef(found.values[:, j], eta[:, j])[0, 1] for j in range(4)]
    assert_allclose(found.reliability, np.square(r), atol=0.03)


@given(point=st.floats(-300, 300), width=st.floats(0.05, 30))
def test_probabilities_and_their_derivatives_hold_in_the_tails(point: float, width: float) -> None:
    """Integrals of the normal density, by Gauss's rule on slices, relative to its largest value."""
    low, high = np.array([[point]]), np.array([[point + width]])
    log_p, pull, stiff = _probabilities(low, high)
    near = min(max(0.0, point), point + width)  # where the density is largest
    reach = min(width, 12.0)
    start = point if near == point else max(point, near - reach)
    end = min(point + width, near + reach)
    nodes, weights = np.polynomial.legendre.leggauss(40)
    edges = near + np.concatenate(
        [-np.geomspace(1e-6, reach, 60)[::-1], [0], np.geomspace(1e-6, reach, 60)]
    )
    edges = np.unique(np.clip(edges, start, end))
    total = 0.0
    for a, b in pairwise(edges):
        x = (a + b) / 2 + (b - a) / 2 * nodes
        total += float((b - a) / 2 * weights @ np.exp((near**2 - x**2) / 2))
    assert_allclose(log_p, np.log(total / np.sqrt(2 * np.pi)) - near**2 / 2, rtol=1e-9, atol=1e-9)
    bottom, top = (float(np.exp((near**2 - x**2) / 2)) for x in (point, point + width))
    slope = (bottom - top) / total
    assert_allclose(pull, slope, rtol=1e-7, atol=1e-9)
    bend = slope**2 - (point * bottom - (point + width) * top) / total
    assert_allclose(stiff, bend, rtol=1e-5, atol=1e-6 * max(1.0, point**2))


def test_hardly_any_error_of_measurement_is_no_obstacle() -> None:
    """Thresholds lie hundreds of residual deviations from the prior mean."""
    values = {f"f=~y{i}": 0.99999 for i in range(1, 6)} | {"f~~f": 1.0} | CUTS
    model, theta = at_point("f =~ 1*y1 + y2 + y3", values, ordered=dict(list(FIVE.items())[:3]))
    theta = np.where(theta == 1.0, 0.9999999, theta)
    codes = np.array([[3.0, 3.0, 3.0], [0.0, 0.0, 0.0], [1.0, np.nan, 1.0]])
    found = ordinal_scores(model.blocks[0], theta, codes)
    cuts = np.array([[CUTS[f"y{i}|t{k}"] for k in range(1, 4)] for i in range(1, 4)])
    assert found.values[0, 0] >= cuts[:, 2].max() - 0.01
    assert found.values[1, 0] <= cuts[:, 0].min() + 0.01
    assert cuts[:, 0].max() - 0.2 < found.values[2, 0] < cuts[:, 1].min() + 0.2


def test_an_item_of_two_categories_is_a_probit() -> None:
    """One item of loading l: the mode solves u = l' phi / Phi, checked at its own equation."""
    model, theta = at_point(
        "f =~ l*y1 + l*y2", {"f~~f": 1.0, "f=~y1": 0.8, "f=~y2": 0.8},
        ordered={"y1": 2, "y2": 2}, parameterization="theta", std_lv=True,
    )  # fmt: skip
    block = model.blocks[0]
    found = ordinal_scores(block, theta, np.array([[1.0, np.nan], [1.0, 1.0]]))
    for value, times in zip(found.values[:, 0], (1, 2), strict=True):
        z = 0.8 * value - 0.5
        density = np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
        assert_allclose(value, times * 0.8 * density / ndtr(z), rtol=1e-10)


def test_rows_without_answers_have_no_score_and_are_counted() -> None:
    model, theta = at_point("f =~ 1*y1 + y2 + y3 + y4 + y5", CUTS | {"f~~f": 0.5}, ordered=FIVE)
    codes = np.array([[0, 1, 2, 3, 3], [np.nan] * 5, [0, 1, np.nan, 3, 3], [0, 1, 2, 3, 3]])
    found = ordinal_scores(model.blocks[0], theta, codes)
    assert np.isnan(found.values[:, 0]).tolist() == [False, True, False, False]
    assert (found.n_partial, found.n_empty) == (1, 1)
    assert found.values[0, 0] == found.values[3, 0]
    assert found.std_error[2, 0] > found.std_error[0, 0]
    spread = np.array([found.std_error[i, 0] ** 2 for i in (0, 2, 3)]).mean()
    assert_allclose(found.reliability, 1 - spread / 0.5, rtol=1e-12)
    nobody = ordinal_scores(model.blocks[0], theta, np.full((2, 5), np.nan))
    assert nobody.n_empty == 2
    assert np.isnan(nobody.reliability).all()


def test_residual_covariances_are_named() -> None:
    text = "f =~ 1*y1 + y2 + y3 + y4 + y5 ; y2 ~~ y4"
    values = CUTS | {"f~~f": 0.5, "y2~~y4": 0.1}
    model, theta = at_point(text, values, ordered=FIVE)
    found = ordinal_scores(model.blocks[0], theta, np.zeros((1, 5)))
    assert found.ignored == (("y2", "y4"),)


def test_what_cannot_be_scored_says_so() -> None:
    model, theta = at_point("f =~ 1*y1 + y2 + y3 + y4 + y5", CUTS | {"f~~f": 0.5}, ordered=FIVE)
    block = model.blocks[0]
    with pytest.raises(DataError, match="'y3' has answers outside the 4 categories"):
        ordinal_scores(block, theta, np.array([[0.0, 0.0, 4.0, 0.0, 0.0]]))
    free = [one.lhs + one.op + one.rhs for one in model.parameters if one.free]
    high = np.where(np.array(free) == "f=~y2", 2.0, theta)
    with pytest.raises(DataError, match="residual variance of y2 is not positive"):
        ordinal_scores(block, high, np.zeros((1, 5)))
    none = np.where(np.array(free) == "f~~f", -0.1, theta)
    with pytest.raises(DataError, match="covariances of f are not positive definite"):
        ordinal_scores(block, none, np.zeros((1, 5)))
    mixed, point = at_point(
        "f =~ 1*y1 + y2 + y3 + y4 + y5", CUTS | {"f~~f": 0.5}, ordered={"y1": 4, "y2": 4}
    )
    with pytest.raises(NotSupportedError, match="ordered and continuous"):
        ordinal_scores(mixed.blocks[0], point, np.zeros((1, 5)))
    text = " ; ".join(f"{f} =~ 1*{f}1 + {f}2" for f in "abcd")
    values = {f"{f}~~{f}": 0.9 for f in "abcd"}
    values |= {f"{a}~~{b}": 0.1 for a, b in combinations("abcd", 2)}
    items = {f"{f}{i}": 2 for f in "abcd" for i in (1, 2)}
    many, point = at_point(text, values, ordered=items)
    with pytest.raises(NotSupportedError, match="Expected scores of 4 factors"):
        ordinal_scores(many.blocks[0], point, np.zeros((1, 8)), method="eap")
