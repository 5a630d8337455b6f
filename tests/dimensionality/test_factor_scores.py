"""Score weights: psych's, and what each method promises."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.dimensionality.factor_scores import (
    METHODS,
    determinacy,
    score_method,
    score_weights,
)
from collabsurvey.errors import OptionError
from collabsurvey.numerics.typing import FloatArray
from support import REFERENCE, dataset, gold, matrix

COLUMNS = {
    "bfi25": ("bfi", [f"{scale}{i}" for scale in "ACENO" for i in range(1, 6)]),
    "hs1939": ("hs1939", [f"x{i}" for i in range(1, 10)]),
}
PSYCH = {"regression": "Thurstone", "ten_berge": "tenBerge", "bartlett": "Bartlett"}


def correlations(name: str) -> FloatArray:
    table, columns = COLUMNS[name]
    return np.corrcoef(dataset(table)[columns].dropna().to_numpy(float), rowvar=False)


def solution(
    seed: int = 1, *, correlated: float = 0.4, misfit: float = 0.05
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Correlations (8, 8), pattern (8, 2) and factor correlations of a model that nearly fits."""
    rng = np.random.default_rng(seed)
    loadings = np.zeros((8, 2))
    loadings[:4, 0], loadings[4:, 1] = rng.uniform(0.4, 0.8, 4), rng.uniform(0.4, 0.8, 4)
    phi = np.array([[1, correlated], [correlated, 1]])
    noise = rng.uniform(-misfit, misfit, (8, 8))
    cor = loadings @ phi @ loadings.T + (noise + noise.T) / 2
    np.fill_diagonal(cor, 1.0)
    return cor, loadings, phi


@pytest.mark.parametrize("name", ["bfi25", "hs1939"])
@pytest.mark.parametrize("method", PSYCH)
def test_weights_match_psych_given_its_loadings(name: str, method: str) -> None:
    values = gold("04_efa")[f"fa_scores_{name}"]["values"]
    loadings, phi = matrix(values["loadings"]).to_numpy(), matrix(values["Phi"]).to_numpy()
    weights = score_weights(correlations(name), loadings, phi, method)
    assert_allclose(weights, matrix(values[PSYCH[method]]["weights"]).to_numpy(), atol=1e-8)


def test_anderson_and_rubin_match_psych() -> None:
    stored = json.loads((REFERENCE / "efa.json").read_text(encoding="utf-8"))
    values = next(e for e in stored["entries"] if e["id"] == "anderson_hs1939")["values"]
    loadings = np.array(values["loadings"])
    weights = score_weights(correlations("hs1939"), loadings, np.eye(3), "anderson_rubin")
    assert_allclose(weights, values["weights"], atol=1e-8)


@given(seed=st.integers(0, 2**31), correlated=st.floats(-0.7, 0.7))
@settings(max_examples=30)
def test_each_method_keeps_its_promise(seed: int, correlated: float) -> None:
    cor, loadings, phi = solution(seed, correlated=correlated)

    def covariance(method: str) -> FloatArray:
        weights = score_weights(cor, loadings, phi, method)
        return np.asarray(weights.T @ cor @ weights)

    # Regression: the variance of the scores is the squared correlation with the factor.
    assert_allclose(np.diag(covariance("regression")), determinacy(cor, loadings, phi), rtol=1e-9)
    # Bartlett: unbiased, so that a factor's own score follows it one to one, and no other.
    assert_allclose(
        score_weights(cor, loadings, phi, "bartlett").T @ loadings, np.eye(2), atol=1e-9
    )
    # ten Berge: correlations of the scores are those of the factors; Anderson and Rubin: none.
    assert_allclose(covariance("ten_berge"), phi, atol=1e-9)
    assert_allclose(covariance("anderson_rubin"), np.eye(2), atol=1e-9)


@given(seed=st.integers(0, 2**31))
@settings(max_examples=20)
def test_no_weights_predict_the_factor_better_than_regression(seed: int) -> None:
    cor, loadings, phi = solution(seed)
    structure = loadings @ phi

    def error(weights: FloatArray) -> FloatArray:
        return np.asarray(
            1 - 2 * (weights * structure).sum(axis=0) + np.diag(weights.T @ cor @ weights)
        )

    best = error(score_weights(cor, loadings, phi, "regression"))
    for method in METHODS:
        assert (error(score_weights(cor, loadings, phi, method)) >= best - 1e-12).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_singular_matrix_still_has_weights(method: str) -> None:
    cor, loadings, phi = solution(misfit=0)
    cor = np.block([[cor, cor[:, :1]], [cor[:1], np.ones((1, 1))]])  # the first item twice
    loadings = np.vstack([loadings, loadings[:1]])
    assert np.isfinite(score_weights(cor, loadings, phi, method)).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_factor_without_loadings_has_no_weights(method: str) -> None:
    cor, loadings, _ = solution(misfit=0)
    loadings[:, 1] = 0.0
    weights = score_weights(cor, loadings, np.eye(2), method)
    assert_allclose(weights[:, 1], 0, atol=1e-10)
    assert np.isfinite(weights).all()


def test_a_heywood_case_does_not_take_over() -> None:
    """A unique variance below zero counts as the bound of .005, not as next to nothing."""
    cor, loadings, phi = solution(correlated=0.0, misfit=0)
    loadings[0, 0] = 1.01
    weights = score_weights(cor, loadings, phi, "bartlett")[:4, 0]
    unique = np.append(0.005, 1 - loadings[1:4, 0] ** 2)
    expected = loadings[:4, 0] / unique
    assert_allclose(weights, expected / (loadings[:4, 0] @ expected), rtol=1e-10)


def test_names_of_methods() -> None:
    for name in ("Thurstone", "REGRESSION", "tenBerge", "ten_berge", "Bartlett", "Anderson-Rubin"):
        assert score_method(name) in METHODS
    with pytest.raises(OptionError, match="method='sum' is not possible"):
        score_method("sum")
