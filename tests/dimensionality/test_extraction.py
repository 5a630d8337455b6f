"""Extraction against R run to its end, and what must hold for any correlation matrix.

efa.json holds the best of several starts in R: minres by nlminb, maximum likelihood by
stats::factanal. Some solutions have a unique variance at its bound of .005 (efa.R).
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.dimensionality import extraction
from collabsurvey.dimensionality.extraction import (
    LOWEST_UNIQUENESS,
    ExtractionMethod,
    axis_loadings,
    extract,
    start_values,
)
from collabsurvey.numerics.typing import FloatArray
from support import REFERENCE, dataset

METHODS: tuple[ExtractionMethod, ...] = ("minres", "ml", "principal_axis")
COLUMNS = {
    "bfi25": ("bfi", [f"{scale}{i}" for scale in "ACENO" for i in range(1, 6)]),
    "hs1939": ("hs1939", [f"x{i}" for i in range(1, 10)]),
    "efa_small": ("efa_small", [f"v{i}" for i in range(1, 8)]),
}


@cache
def peers() -> dict[str, Any]:
    stored = json.loads((REFERENCE / "efa.json").read_text(encoding="utf-8"))
    return {entry["id"]: entry for entry in stored["entries"]}


@cache
def correlations(name: str) -> FloatArray:
    table, columns = COLUMNS[name]
    return np.corrcoef(dataset(table)[columns].dropna().to_numpy(float), rowvar=False)


SOLVED = [id_ for id_ in peers() if id_.startswith(("minres_", "ml_"))]


def random_correlations(seed: int, p: int, m: int, *, noise: float, n: int = 400) -> FloatArray:
    """Correlations (p, p) of n random answers with m factors."""
    rng = np.random.default_rng(seed)
    factors = rng.standard_normal((n, m)) @ rng.uniform(-1, 1, (m, p))
    return np.corrcoef(factors + noise * rng.standard_normal((n, p)), rowvar=False)


@pytest.mark.parametrize("id_", SOLVED)
def test_no_solution_of_r_is_better(id_: str) -> None:
    method, m, name = id_.split("_", maxsplit=2)
    expected = peers()[id_]["values"]
    found = extract(correlations(name)[None], int(m), method, n_starts=4)  # type: ignore[arg-type]
    assert found.converged.all()
    # R's objective is good to about 1e-14 of the terms that it adds up.
    assert found.objective[0] <= expected["objective"] + 1e-12
    if found.objective[0] > expected["objective"] - 1e-9:  # the same minimum: flat ones move far
        assert_allclose(found.uniquenesses[0], expected["uniquenesses"], atol=1e-4)


@pytest.mark.parametrize("id_", [id_ for id_ in SOLVED if id_.startswith("ml_")])
def test_maximum_likelihood_matches_factanal(id_: str) -> None:
    _, m, name = id_.split("_", maxsplit=2)
    expected = peers()[id_]["values"]
    found = extract(correlations(name)[None], int(m), "ml", n_starts=4)
    assert_allclose(found.objective[0], expected["objective"], rtol=1e-8)
    loadings = np.array(expected["loadings"])
    implied = found.loadings[0] @ found.loadings[0].T  # whatever the signs of the factors
    assert_allclose(implied, loadings @ loadings.T, atol=5e-5)


@pytest.mark.parametrize("name", ["bfi25", "hs1939"])
def test_principal_axis_iterated_to_its_end_matches_psych_and_is_minres(name: str) -> None:
    expected = peers()[f"pa_{name}"]["values"]
    m = 5 if name == "bfi25" else 3
    found = extract(correlations(name)[None], m, "principal_axis")
    ours, theirs = found.loadings[0], np.array(expected["loadings"])
    assert_allclose(np.abs(ours), np.abs(theirs), atol=1e-6)
    assert_allclose(1 - found.uniquenesses[0], expected["communality"], atol=1e-6)
    minres = extract(correlations(name)[None], m, "minres")
    assert_allclose(found.uniquenesses, minres.uniquenesses, atol=1e-6)
    assert_allclose(found.objective, minres.objective, rtol=1e-10)


@pytest.mark.parametrize("method", METHODS)
def test_a_stack_is_its_matrices_one_by_one(method: ExtractionMethod) -> None:
    cors = np.array([random_correlations(seed, 6, 2, noise=0.8) for seed in range(8)])
    together = extract(cors, 2, method)
    for i, cor in enumerate(cors):
        alone = extract(cor[None], 2, method)
        assert_allclose(together.uniquenesses[i], alone.uniquenesses[0], atol=1e-7)
        assert_allclose(together.objective[i], alone.objective[0], rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("method", METHODS)
def test_a_matrix_with_exact_factors_is_reproduced(method: ExtractionMethod) -> None:
    rng = np.random.default_rng(3)
    loadings = rng.uniform(0.3, 0.7, (8, 2)) * np.array([[1, 1]] * 4 + [[1, -1]] * 4)
    cor = loadings @ loadings.T
    np.fill_diagonal(cor, 1.0)
    found = extract(cor[None], 2, method)
    assert found.converged.all()
    assert_allclose(found.loadings[0] @ found.loadings[0].T, loadings @ loadings.T, atol=1e-6)
    assert_allclose(found.objective, 0, atol=1e-12)


def test_one_factor_of_three_items_has_a_closed_form() -> None:
    """Spearman: the squared loading of the first item is r12 r13 / r23."""
    cor = np.array([[1, 0.42, 0.35], [0.42, 1, 0.3], [0.35, 0.3, 1]])
    expected = np.sqrt([0.42 * 0.35 / 0.3, 0.42 * 0.3 / 0.35, 0.35 * 0.3 / 0.42])
    for method in METHODS:
        loadings = extract(cor[None], 1, method).loadings[0, :, 0]
        assert_allclose(np.abs(loadings), expected, atol=1e-6)


@given(
    seed=st.integers(0, 2**31),
    p=st.integers(4, 8),
    m=st.integers(1, 3),
    noise=st.floats(0.2, 2),
    n=st.sampled_from([12, 30, 300]),
    method=st.sampled_from(["minres", "ml"]),
)
@settings(max_examples=40)
@example(125414320, 8, 2, 1.2588143809607772, 30, "ml").via("Newton's method met a saddle")
def test_every_end_is_a_minimum(
    seed: int, p: int, m: int, noise: float, n: int, method: ExtractionMethod
) -> None:
    cor = random_correlations(seed, p, m, noise=noise, n=n)
    found = extract(cor[None], m, method)
    assert found.converged.all()
    psi = found.uniquenesses[0]
    assert psi.min() >= LOWEST_UNIQUENESS * (1 - 1e-12)
    # A step away from any unique variance, within the bound, gains nothing.
    for j in range(p):
        for step in (-1e-3, 1e-3):
            moved = psi.copy()
            moved[j] = max(psi[j] + step, LOWEST_UNIQUENESS)
            assert discrepancy(cor, moved, m, method) >= found.objective[0] - 1e-12


def test_no_search_ends_at_a_saddle() -> None:
    """One in twenty searches in small samples met one before each end was examined."""
    rng = np.random.default_rng(8)
    cors = np.array([random_correlations(seed, 8, 2, noise=1.0, n=20) for seed in range(200)])
    found = extract(cors, 2, "ml")
    assert found.converged.all()
    for cor, psi, value in zip(cors, found.uniquenesses, found.objective, strict=True):
        ways = rng.standard_normal((30, 8)) * 0.02
        steps = np.where(psi <= LOWEST_UNIQUENESS * (1 + 1e-6), np.abs(ways), ways)
        there = [discrepancy(cor, psi * np.exp(step), 2, "ml") for step in steps]
        assert min(there) >= value - 1e-12


def discrepancy(cor: FloatArray, psi: FloatArray, m: int, method: ExtractionMethod) -> float:
    """The objective at unique variances psi, written out."""
    if method == "minres":
        left = np.linalg.eigvalsh(cor - np.diag(psi))[: len(psi) - m]
        return float((left**2).sum() / 2)
    root = np.sqrt(psi)
    left = np.linalg.eigvalsh(cor / np.outer(root, root))[: len(psi) - m]
    return float((left - np.log(left) - 1).sum())


@given(seed=st.integers(0, 2**31), method=st.sampled_from(["minres", "ml"]))
@settings(max_examples=20)
def test_item_order_and_direction_do_not_matter(seed: int, method: ExtractionMethod) -> None:
    cor = random_correlations(seed, 7, 2, noise=0.9)
    rng = np.random.default_rng(seed)
    order, sign = rng.permutation(7), rng.choice([-1, 1], 7)
    turned = (cor * np.outer(sign, sign))[np.ix_(order, order)]
    found = extract(np.array([cor, turned]), 2, method, n_starts=4)
    assert_allclose(found.objective[1], found.objective[0], rtol=1e-9, atol=1e-14)
    assert_allclose(found.uniquenesses[1], found.uniquenesses[0][order], atol=1e-5)


def test_unique_variances_at_the_bound_do_not_stop_maximum_likelihood() -> None:
    """Small samples, where a bound magnifies rounding: every search reaches its minimum."""
    cors = np.array([random_correlations(seed, 7, 2, noise=0.6, n=12) for seed in range(150)])
    for m in (1, 2, 3):
        found = extract(cors, m, "ml")
        assert found.converged.all()
        assert found.n_iterations.max() < 100
    assert (found.uniquenesses <= LOWEST_UNIQUENESS * (1 + 1e-9)).any()


@pytest.mark.parametrize("method", ["minres", "principal_axis"])
def test_singular_matrices_can_be_factored(method: ExtractionMethod) -> None:
    cor = random_correlations(1, 8, 2, noise=0.5, n=5)
    assert np.linalg.eigvalsh(cor)[0] < 1e-12
    found = extract(cor[None], 2, method, n_starts=4)
    assert np.isfinite(found.loadings).all()
    assert found.converged.all()


@pytest.mark.parametrize(
    ("name", "m"), [("bfi25", 5), ("bfi25", 8), ("hs1939", 3), ("efa_small", 2)]
)
@pytest.mark.parametrize("method", ["minres", "ml"])
def test_newton_takes_few_steps(name: str, m: int, method: ExtractionMethod) -> None:
    """With the exact Hessian; the positive semidefinite one alone takes 7 to 24."""
    assert extract(correlations(name)[None], m, method).n_iterations[0] <= 6


def test_more_starts_never_end_higher() -> None:
    cors = np.array([random_correlations(seed, 7, 3, noise=0.7, n=15) for seed in range(60)])
    one, four = extract(cors, 2, "ml"), extract(cors, 2, "ml", n_starts=4)
    assert (four.objective <= one.objective + 1e-12).all()
    assert (four.objective < one.objective - 1e-4).any()  # and there are local minima


def test_an_unfinished_search_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction, "MOST_STEPS", 1)
    monkeypatch.setattr(extraction, "MOST_AXIS_STEPS", 1)
    for method in METHODS:
        found = extract(correlations("hs1939")[None], 3, method, n_starts=2)
        assert not found.converged.any()
        assert np.isfinite(found.loadings).all()


def test_unrelated_items_have_no_factor() -> None:
    found = extract(np.eye(5)[None], 1, "minres")
    assert_allclose(found.objective, 0, atol=1e-14)
    likelihood = extract(np.eye(5)[None], 1, "ml")
    assert_allclose(likelihood.objective, 0, atol=1e-14)


def test_start_values_and_loadings_by_hand() -> None:
    cor = np.array([[1, 0.5], [0.5, 1]])  # the inverse has 4 / 3 on its diagonal
    assert_allclose(start_values(cor[None], 1), [[0.75 * 0.75] * 2])
    # R - Psi = [[.5, .5], [.5, .5]] has the root 1 with equal weights.
    found = axis_loadings(cor[None], np.array([[0.5, 0.5]]), 1)[0, :, 0]
    assert_allclose(np.abs(found), np.sqrt([0.5, 0.5]))
