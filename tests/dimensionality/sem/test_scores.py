"""Factor scores of continuous answers beside lavaan's, and what must hold of any of them."""

from __future__ import annotations

import json
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.dimensionality.sem.compile import build
from collabsurvey.dimensionality.sem.implied import parts
from collabsurvey.dimensionality.sem.model import Model
from collabsurvey.dimensionality.sem.scores import ContinuousMethod, factor_scores
from collabsurvey.errors import DataError
from collabsurvey.numerics.typing import FloatArray
from dimensionality.sem.fit_indices.fitted_models import HS, Fitted, fitted
from support import REFERENCE, dataset, gold, matrix

METHODS: tuple[ContinuousMethod, ...] = ("regression", "bartlett")
HIGHER = HS + " ; g =~ visual + textual + speed"
# lavaan's estimates have a gradient of about 1e-6, which moves scores by as much.
TOLERANCE = 1e-5


@cache
def reference() -> dict[str, Any]:
    """What sem_scores.R stored."""
    text = (REFERENCE / "sem_scores.json").read_text(encoding="utf-8")
    values: dict[str, Any] = json.loads(text)["values"]
    return values


def numbers(stored: list[list[float | None]]) -> FloatArray:
    return np.array(stored, dtype=float)


def rows_of(case: Fitted) -> FloatArray:
    names = list(case.fit.model.blocks[0].observed)
    return dataset(case.case.data)[names].to_numpy(dtype=float)


def at_point(text: str, values: dict[str, float], **options: Any) -> tuple[Model, FloatArray]:
    """A model, and theta with the values of parameters named like "f=~y1"; others stay 0.5."""
    model = build(text, **options)
    free = [one for one in model.parameters if one.free]
    return model, np.array([values.get(one.lhs + one.op + one.rhs, 0.5) for one in free])


@pytest.mark.parametrize("method", METHODS)
def test_first_rows_of_holzinger_swineford(method: ContinuousMethod) -> None:
    case = fitted("cfa_ml_hs1939 fit")
    sample = case.samples[0]
    found = factor_scores(
        case.fit.model.blocks[0],
        case.fit.theta,
        rows_of(case),
        method=method,
        mean=rows_of(case).mean(axis=0),
    )
    stored = gold("05_cfa")["cfa_ml_hs1939"]["values"][f"factor_scores_{method}_first10"]
    expected = matrix(stored)
    assert tuple(expected.columns) == found.factors
    assert_allclose(found.values[:10], expected.to_numpy(dtype=float), atol=TOLERANCE)
    assert (found.n_partial, found.n_empty) == (0, 0)
    assert sample.n == len(found.values)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("cfa_fiml_bfi_AC fit", "fiml"),
        ("cfa_second_order_hs1939 fit", "second_order"),
        ("sem_mediation_hs1939 fit", "mediation"),
    ],
)
def test_scores_and_errors_beside_lavaan(name: str, stored: str, method: ContinuousMethod) -> None:
    case = fitted(name)
    rows = rows_of(case)
    mean = np.nanmean(rows, axis=0)
    found = factor_scores(case.fit.model.blocks[0], case.fit.theta, rows, method=method, mean=mean)
    some = np.array(reference()[stored]["rows"]) - 1
    expected = reference()[stored][method]
    values, errors = numbers(expected["values"]), numbers(expected["se"])
    # lavaan's Bartlett score of the second-order factor is 0 for everybody, without an error.
    known = ~np.isnan(errors).all(axis=0)
    assert known.sum() >= len(known) - (stored == "second_order" and method == "bartlett")
    assert_allclose(found.values[some][:, known], values[:, known], atol=3 * TOLERANCE)
    assert_allclose(found.std_error[some][:, known], errors[:, known], atol=TOLERANCE)


def test_means_of_the_model_or_of_the_sample_make_the_same_scores() -> None:
    case = fitted("sem_mediation_hs1939 fit")
    rows = rows_of(case)
    with_means = build(
        case.case.text, means=True, observed=case.fit.model.blocks[0].observed
    ).blocks[0]
    assert with_means.means
    expected = numbers(reference()["mediation_means"]["regression"]["values"])
    found = factor_scores(case.fit.model.blocks[0], case.fit.theta, rows, mean=rows.mean(axis=0))
    assert_allclose(found.values[:10], expected, atol=3 * TOLERANCE)


def test_each_group_has_its_own_means_and_weights() -> None:
    case = fitted("invariance_ml_hs_school fit strict")
    for block, sample, stored in zip(
        case.fit.model.blocks,
        case.samples,
        reference()["strict_groups"].values(),
        strict=True,
    ):
        assert sample.rows is not None
        found = factor_scores(block, case.fit.theta, sample.rows)
        assert_allclose(found.values[:10], numbers(stored), atol=3 * TOLERANCE)


@pytest.mark.parametrize("method", METHODS)
def test_errors_and_reliability_are_those_of_simulated_factors(method: ContinuousMethod) -> None:
    """A second-order model with a covariate, of known factors, a third of the answers missing."""
    text = "a =~ 1*y1 + y2 + y3 ; b =~ 1*y4 + y5 + y6 ; c =~ 1*y7 + y8 + y9 ; g =~ 1*a + b + c"
    values = {"b=~y5": 1.5, "c=~y9": -0.8, "g=~c": 1.2, "y1~~y1": 0.3, "g~~g": 1.4}
    model, theta = at_point(text, values)
    block = model.blocks[0]
    rng = np.random.default_rng(5)
    n = 60_000
    effect = np.linalg.inv(np.eye(4) - block.paths.filled(theta))
    disturbances = rng.normal(size=(n, 4)) @ np.linalg.cholesky(block.factor_cov.filled(theta)).T
    eta = disturbances @ effect.T
    errors = rng.normal(size=(n, 9)) * np.sqrt(np.diag(block.residual_cov.filled(theta)))
    rows = eta @ block.loadings.filled(theta).T + errors
    rows[rng.random(rows.shape) < 0.3] = np.nan
    rows[0] = np.nan
    found = factor_scores(block, theta, rows, method=method)
    scored = ~np.isnan(found.values).any(axis=1)
    away = (found.values - eta)[scored]
    spread = (found.std_error[scored] ** 2).mean(axis=0)
    assert_allclose((away**2).mean(axis=0), spread, rtol=0.03)
    if method == "bartlett":  # unbiased for each person: errors do not depend on the factor
        slope = (away * eta[scored]).mean(axis=0) / (eta[scored] ** 2).mean(axis=0)
        assert_allclose(slope, 0.0, atol=0.02)
    else:
        r = [np.corrcoef(found.values[scored, j], eta[scored, j])[0, 1] for j in range(4)]
        assert_allclose(found.reliability, np.square(r), atol=0.01)
    assert found.n_empty == np.isnan(rows).all(axis=1).sum()
    assert found.n_partial == np.isnan(rows).any(axis=1).sum() - found.n_empty


def test_reliability_of_one_factor_is_that_of_the_best_composite() -> None:
    """With one factor it is a / (1 + a), a the sum of squared loadings over uniquenesses."""
    values = {"f~~f": 1.0, "f=~y2": 0.7, "f=~y3": 0.9, "f=~y4": 0.4}
    model, theta = at_point("f =~ 1*y1 + y2 + y3 + y4", values)
    rows = np.random.default_rng(1).normal(size=(20, 4))
    a = (np.array([1.0, 0.7, 0.9, 0.4]) ** 2 / 0.5).sum()
    for method in METHODS:
        found = factor_scores(model.blocks[0], theta, rows, method=method)
        assert_allclose(found.reliability, a / (1 + a), rtol=1e-12)
        assert_allclose(found.determinacy, np.sqrt(a / (1 + a)), rtol=1e-12)


@given(seed=st.integers(0, 10_000), share=st.floats(0.0, 0.7))
def test_a_row_is_scored_like_a_model_of_the_items_it_answered(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    model, theta = at_point(HIGHER, {})
    block = model.blocks[0]
    theta = theta + 0.3 * rng.random(len(theta))
    rows = rng.normal(size=(4, 9))
    rows[rng.random(rows.shape) < share] = np.nan
    found = factor_scores(block, theta, rows)
    at = parts(block, theta)
    for row, values, errors in zip(rows, found.values, found.std_error, strict=True):
        there = ~np.isnan(row)
        if not there.any():
            assert np.isnan(values).all()
            continue
        cross = at.cross_cov[there]
        weights = np.linalg.solve(at.cov[np.ix_(there, there)], cross)
        assert_allclose(values, row[there] @ weights, atol=1e-10)
        left = np.diag(at.latent_cov - cross.T @ weights)
        assert_allclose(errors**2, left, atol=1e-10)


def test_unmeasured_factors_of_a_row_have_no_unbiased_score() -> None:
    model, theta = at_point(HS, {})
    rows = np.ones((2, 9))
    rows[0, 3:6] = np.nan
    block = model.blocks[0]
    bartlett = factor_scores(block, theta, rows, method="bartlett")
    assert np.isnan(bartlett.values).tolist() == [[False, True, False], [False] * 3]
    assert np.isnan(bartlett.std_error).tolist() == np.isnan(bartlett.values).tolist()
    assert not np.isnan(bartlett.reliability).any()
    assert not np.isnan(factor_scores(block, theta, rows).values).any()


def test_units_of_the_items_do_not_matter_to_bartlett_scores_with_gaps() -> None:
    model, theta = at_point(HS, {})
    block = model.blocks[0]
    unit = np.where(np.arange(9) == 4, 1e6, 1.0)
    rows = np.random.default_rng(3).normal(size=(30, 9))
    rows[rows > 1.2] = np.nan
    free = [one for one in model.parameters if one.free]
    scale = [
        unit[4] if one.rhs == "x5" and one.op == "=~" else unit[4] ** 2 if one.lhs == "x5" else 1.0
        for one in free
    ]
    plain = factor_scores(block, theta, rows, method="bartlett")
    turned = factor_scores(block, theta * np.array(scale), rows * unit, method="bartlett")
    assert_allclose(turned.values, plain.values, rtol=1e-8)


def test_scores_over_several_blocks_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    model, theta = at_point(HS, {})
    rows = np.random.default_rng(4).normal(size=(50, 9))
    rows[rows > 1.5] = np.nan
    whole = [factor_scores(model.blocks[0], theta, rows, method=one) for one in METHODS]
    monkeypatch.setattr(import_module(factor_scores.__module__), "CELLS", 40)
    for expected, method in zip(whole, METHODS, strict=True):
        found = factor_scores(model.blocks[0], theta, rows, method=method)
        assert_allclose(found.values, expected.values, rtol=1e-12)
        assert_allclose(found.std_error, expected.std_error, rtol=1e-12)


def test_a_negative_residual_variance_leaves_no_reliability() -> None:
    model, theta = at_point("f =~ 1*y1 + y2 + y3", {"y1~~y1": -0.2, "f~~f": 1.0})
    found = factor_scores(model.blocks[0], theta, np.ones((3, 3)))
    assert np.isfinite(found.values).all()
    assert np.isnan(found.reliability).all()
    assert np.isnan(found.std_error).all()


def test_impossible_covariances_are_refused() -> None:
    model, theta = at_point("f =~ 1*y1 + y2 + y3", {"y1~~y1": -3.0, "f~~f": 1.0})
    with pytest.raises(DataError, match="not positive definite"):
        factor_scores(model.blocks[0], theta, np.ones((3, 3)))
