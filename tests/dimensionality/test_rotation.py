"""Rotations by name against GPArotation, stats and psych, and what must hold for any of them."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.dimensionality.rotation import (
    GENERAL_FIRST,
    ORTHOGONAL,
    Ordering,
    Rotation,
    ordered,
    rotate,
    rotate_batch,
    starts_towards,
)
from collabsurvey.errors import DataError, NotEnoughDataError, OptionError
from collabsurvey.numerics.typing import FloatArray
from support import REFERENCE, gold, matrix

# GPArotation ends, for rounding, at a projected gradient of up to 6e-8 (ours at 1e-10); flat
# minima turn that into up to 1e-6 in the loadings.
ATOL = 1e-6
DATA = ("hs1939", "bfi25")
NAMES: dict[str, tuple[Rotation, dict[str, Any]]] = {
    "quartimax": ("quartimax", {}),
    "geominQ": ("geomin", {}),
    "geominT": ("geomin_orthogonal", {}),
    "bifactorQ": ("biquartimin", {}),
    "bifactorT": ("bifactor", {}),
    "targetQ": ("target", {}),
    "targetT": ("target_orthogonal", {}),
    "oblimin_normalize": ("oblimin", {"kaiser": True}),
    "oblimin_gam_minus_1": ("oblimin", {"gam": -1.0}),
    "varimax_plain": ("varimax", {"kaiser": False}),
    "promax_kaiser": ("promax", {}),
}
# Without their own options: they need nothing but loadings.
PLAIN: tuple[Rotation, ...] = (
    "varimax",
    "quartimax",
    "oblimin",
    "promax",
    "geomin",
    "geomin_orthogonal",
    "bifactor",
    "biquartimin",
)


@cache
def rotation_reference() -> dict[str, dict[str, Any]]:
    text = (REFERENCE / "rotation.json").read_text(encoding="utf-8")
    return {entry["id"]: entry for entry in json.loads(text)["entries"]}


def numbers(rows: list[list[float | None]]) -> FloatArray:
    return np.array([[np.nan if x is None else x for x in row] for row in rows], dtype=float)


def unrotated(data: str, extraction: str = "minres") -> FloatArray:
    stored = gold("04_efa")[f"fa_{extraction}_none_{data}"]["values"]["tight"]["loadings"]
    return matrix(stored).to_numpy(dtype=float)


def solved(loadings: FloatArray, method: Rotation, **options: Any) -> Ordering:
    # Bifactor rotation has many local minima (Mansolf & Reise, 2016): here every sixth start
    # or so reaches the best one.
    n_starts = 100 if method == "bifactor" else 10
    found = rotate(loadings, method, **{"seed": 1, "n_starts": n_starts, **options})
    assert found.converged
    return ordered(found.loadings, found.factor_correlations, keep_first=method in GENERAL_FIRST)


def simple_structure(seed: int, *, m: int = 3, noise: float = 0.08) -> FloatArray:
    """Unrotated loadings (5 m, m) with one clear minimum: noisy clusters, turned at random."""
    rng = np.random.default_rng(seed)
    clusters = np.kron(np.eye(m), np.ones((5, 1))) * rng.uniform(0.5, 0.8, size=(5 * m, 1))
    pattern = clusters + noise * rng.normal(size=(5 * m, m))
    phi = np.full((m, m), 0.3) + 0.7 * np.eye(m)
    return pattern @ np.linalg.cholesky(phi) @ np.linalg.qr(rng.normal(size=(m, m)))[0]


def bifactor_structure(seed: int) -> FloatArray:
    """Unrotated loadings (18, 4): three groups, general loadings far from proportional to theirs.

    Proportional ones would leave a matrix of rank 3, and the general factor undefined.
    """
    rng = np.random.default_rng(seed)
    profile = np.linspace(0.3, 0.7, 6)
    groups = np.kron(np.eye(3), profile[:, None])
    general = np.concatenate([rng.permutation(profile[::-1]) for _ in range(3)])
    pattern = np.column_stack([general, groups]) + 0.01 * rng.normal(size=(18, 4))
    return pattern @ np.linalg.qr(rng.normal(size=(4, 4)))[0]


def example(method: Rotation, seed: int) -> FloatArray:
    return bifactor_structure(seed) if method in GENERAL_FIRST else simple_structure(seed)


# Against R ------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("extraction", ["minres", "ml"])
@pytest.mark.parametrize("method", ["oblimin", "varimax", "promax"])
def test_the_optimum_is_that_of_r(data: str, extraction: str, method: Rotation) -> None:
    expected = gold("04_efa")[f"fa_{extraction}_{method}_{data}"]["values"]["tight"]
    options = {"kaiser": False} if method == "promax" else {}
    found = solved(unrotated(data, extraction), method, **options)
    want = matrix(expected["loadings"]).to_numpy(dtype=float)
    phi = np.eye(want.shape[1]) if expected["Phi"] is None else matrix(expected["Phi"]).to_numpy()
    want, phi, *_ = ordered(want, phi)
    assert_allclose(found.loadings, want, atol=ATOL)
    assert_allclose(found.factor_correlations, phi, atol=ATOL)


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("extraction", ["minres", "ml"])
def test_promax_is_that_of_psych_by_default(data: str, extraction: str) -> None:
    expected = gold("04_efa")[f"fa_{extraction}_promax_{data}"]["values"]["psych"]
    want, phi, *_ = ordered(
        matrix(expected["loadings"]).to_numpy(), matrix(expected["Phi"]).to_numpy()
    )
    found = solved(unrotated(data, extraction), "promax")
    # psych's varimax stops at eps 1e-5: up to 1e-3 from the optimum. See promax_kaiser below.
    assert_allclose(found.loadings, want, atol=1e-3)
    assert_allclose(found.factor_correlations, phi, atol=1e-3)


@pytest.mark.parametrize("n_starts", [1, 10])
@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("name", NAMES)
def test_the_solution_is_that_of_gparotation(name: str, data: str, n_starts: int) -> None:
    entry = rotation_reference()[f"{name}_{data}"]["values"]
    method, options = NAMES[name]
    if entry.get("target") is not None:
        options = options | {"target": numbers(entry["target"])}
    found = rotate(unrotated(data), method, seed=1, n_starts=n_starts, **options)
    assert found.converged
    want, phi = np.array(entry["loadings"]), np.array(entry["Phi"])
    have = found.loadings, found.factor_correlations
    if "target" not in options:  # a target has its own order and signs
        first = method in GENERAL_FIRST
        want, phi, *_ = ordered(want, phi, keep_first=first)
        have = ordered(*have, keep_first=first)[:2]
    if method != "promax":
        assert found.value is not None
        assert found.value <= entry["value"] + 1e-12
    atol = ATOL
    if method == "biquartimin":
        # The general factor's correlations are zero at the minimum, where the curvature is
        # twice the criterion (see `bifactor`): that bounds how near GPArotation came.
        assert_allclose(have[1][0, 1:], 0, atol=1e-7)
        atol = max(atol, entry["gradient_norm"] / (2 * entry["value"]))
    assert_allclose(have[0], want, atol=atol)
    assert_allclose(have[1], phi, atol=atol)


def test_the_two_promax_definitions_differ() -> None:
    loadings = unrotated("bfi25")
    psych, stats = (solved(loadings, "promax", kaiser=kaiser) for kaiser in (True, False))
    assert np.abs(psych.loadings - stats.loadings).max() > 0.02


# Properties -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kaiser", [True, False])
@pytest.mark.parametrize("method", PLAIN)
def test_the_model_is_unchanged(method: Rotation, kaiser: bool) -> None:
    @given(seed=st.integers(0, 10_000))
    @settings(max_examples=10)
    def holds(seed: int) -> None:
        loadings = np.random.default_rng(seed).uniform(-0.9, 0.9, size=(8, 3))
        found = rotate(loadings, method, seed=seed, n_starts=2, kaiser=kaiser)
        turn, phi = found.transformation, found.factor_correlations
        assert_allclose(np.diag(phi), 1, atol=1e-12)
        assert_allclose(found.loadings, loadings @ np.linalg.inv(turn).T, atol=1e-10)
        assert_allclose(phi, turn.T @ turn, atol=1e-10)
        implied = found.loadings @ phi @ found.loadings.T
        assert_allclose(implied, loadings @ loadings.T, atol=1e-9)
        if method in ORTHOGONAL:
            assert_allclose(phi, np.eye(3), rtol=0, atol=0)

    holds()


@pytest.mark.parametrize("method", PLAIN)
def test_only_the_common_part_matters(method: Rotation) -> None:
    """Order of rows, signs and rotation of the unrotated factors leave the solution as it is."""

    @given(seed=st.integers(0, 10_000))
    @settings(max_examples=10)
    def holds(seed: int) -> None:
        rng = np.random.default_rng(seed)
        loadings = example(method, seed)
        p, m = loadings.shape
        rows = rng.permutation(p)
        signs = rng.choice([-1.0, 1.0], size=m)
        turn = np.linalg.qr(rng.normal(size=(m, m)))[0]
        want = solved(loadings, method)
        for changed, order in (
            (loadings[rows], rows),
            (loadings * signs, np.arange(p)),
            (loadings @ turn, np.arange(p)),
        ):
            have = solved(changed, method)
            assert_allclose(have.loadings, want.loadings[order], atol=1e-5)
            assert_allclose(have.factor_correlations, want.factor_correlations, atol=1e-5)

    holds()


@pytest.mark.parametrize("method", [name for name in PLAIN if name != "promax"])
def test_rotating_twice_is_rotating_once(method: Rotation) -> None:
    @given(seed=st.integers(0, 10_000))
    @settings(max_examples=10)
    def holds(seed: int) -> None:
        loadings = example(method, seed)
        once = rotate(loadings, method, seed=1)
        # The same common part with uncorrelated factors, and the way back as the start: a
        # column of any start has length one, as those of the Cholesky factor of Phi do.
        root = np.linalg.cholesky(once.factor_correlations)
        again = rotate_batch((once.loadings @ root)[None], method, start=root.T)
        assert again.converged.all()
        assert again.n_iterations[0] <= 3
        assert_allclose(again.loadings[0], once.loadings, atol=1e-6)
        if method in ORTHOGONAL:
            twice = solved(once.loadings, method)
            assert_allclose(twice.loadings, solved(loadings, method).loadings, atol=1e-5)

    holds()


@given(seed=st.integers(0, 10_000))
@settings(max_examples=25)
def test_a_perfect_simple_structure_is_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pattern = np.kron(np.eye(3), np.ones((4, 1))) * rng.uniform(0.4, 0.9, size=(12, 1))
    phi = np.full((3, 3), 0.4) + 0.6 * np.eye(3)
    loadings = pattern @ np.linalg.cholesky(phi)
    want = ordered(pattern, phi)
    found = rotate(loadings, "oblimin", seed=seed)
    have = ordered(found.loadings, found.factor_correlations)
    assert_allclose(have.loadings, want.loadings, atol=1e-6)
    assert_allclose(have.factor_correlations, want.factor_correlations, atol=1e-6)
    complete = rotate(loadings, "target", target=pattern, seed=seed)
    assert_allclose(complete.loadings, pattern, atol=1e-6)
    assert_allclose(complete.factor_correlations, phi, atol=1e-6)


# Starts, batches and edges --------------------------------------------------------------------


def test_local_minima_are_counted() -> None:
    """Geomin with a small epsilon is known for them (Hattori, Zhang & Preacher, 2017)."""
    found = rotate(unrotated("hs1939"), "geomin", epsilon=0.001, n_starts=20, seed=1)
    one = rotate(unrotated("hs1939"), "geomin", epsilon=0.001, n_starts=1, seed=1)
    assert found.n_minima == 2
    assert 0 < found.n_best < 20
    assert found.value is not None
    assert one.value is not None
    assert found.value < one.value - 1e-4
    assert (one.n_best, one.n_minima, one.n_starts) == (1, 1, 1)
    smooth = rotate(unrotated("hs1939"), "oblimin", n_starts=20, seed=1)
    assert (smooth.n_best, smooth.n_minima) == (20, 1)


def test_a_saddle_at_the_identity_is_left_by_the_other_starts() -> None:
    loadings = np.array([[0.5, 0.5], [0.6, 0.6], [0.5, -0.5], [0.6, -0.6]])
    stuck = rotate(loadings, "varimax", n_starts=1, seed=1)
    assert_allclose(stuck.loadings, loadings)
    found = ordered(*(rotate(loadings, "varimax", seed=1).loadings, np.eye(2)))
    want = np.kron(np.eye(2), [[0.5], [0.6]]) * np.sqrt(2)
    for column in found.loadings.T:
        assert np.abs(np.abs(want.T) - np.abs(column)).max(axis=1).min() < 1e-6


@pytest.mark.parametrize("method", PLAIN)
def test_a_batch_is_its_matrices_one_by_one(method: Rotation) -> None:
    rng = np.random.default_rng(3)
    loadings = example(method, 3)
    whole = rotate(loadings, method, seed=1)
    resamples = loadings + 0.02 * rng.normal(size=(6, *loadings.shape))
    start = np.eye(loadings.shape[1]) if method == "promax" else whole.transformation
    batch = rotate_batch(resamples, method, start=start)
    assert batch.converged.all()
    for b, each in enumerate(resamples):
        one = rotate_batch(each[None], method, start=start)
        assert_allclose(batch.loadings[b], one.loadings[0], atol=1e-9)
        assert_allclose(batch.factor_correlations[b], one.factor_correlations[0], atol=1e-9)
        best = solved(each, method)
        have = ordered(
            batch.loadings[b], batch.factor_correlations[b], keep_first=method in GENERAL_FIRST
        )
        assert_allclose(have.loadings, best.loadings, atol=1e-6)


@pytest.mark.parametrize("method", ["oblimin", "varimax", "biquartimin", "bifactor"])
def test_resamples_with_exchanged_factors_start_from_the_reference(method: Rotation) -> None:
    rng = np.random.default_rng(4)
    loadings = example(method, 4)
    m = loadings.shape[1]
    whole = rotate(loadings, method, seed=1)
    turns = np.linalg.qr(rng.normal(size=(8, m, m)))[0]
    starts = starts_towards(loadings @ turns, whole.loadings, oblique=method not in ORTHOGONAL)
    batch = rotate_batch(loadings @ turns, method, start=starts)
    assert_allclose(
        batch.loadings, np.broadcast_to(whole.loadings, batch.loadings.shape), atol=1e-6
    )


@pytest.mark.parametrize("method", ["none", *PLAIN])
def test_one_factor_is_not_rotated(method: Rotation) -> None:
    loadings = np.array([[0.5], [-0.6], [0.7]])
    found = rotate(loadings, method, seed=1)
    assert_allclose(found.loadings, loadings, rtol=0)
    assert_allclose(found.factor_correlations, [[1]], rtol=0)
    assert found.converged
    assert found.value is None


def test_none_changes_nothing() -> None:
    loadings = unrotated("bfi25")
    found = rotate(loadings, "none", seed=1)
    assert_allclose(found.loadings, loadings, rtol=0)
    assert_allclose(found.transformation, np.eye(5), rtol=0)
    assert (found.n_starts, found.kaiser, found.converged) == (1, False, True)


def test_defaults_of_normalisation_are_those_of_psych() -> None:
    loadings = simple_structure(1)
    bifactors = bifactor_structure(1)
    for method in PLAIN:
        given_loadings = bifactors if method in GENERAL_FIRST else loadings
        found = rotate(given_loadings, method, n_starts=1, seed=1)
        assert found.kaiser == (method in {"varimax", "promax"})
    same = rotate(loadings, "quartimin", seed=1), rotate(loadings, "oblimin", seed=1, gam=0.0)
    assert_allclose(same[0].loadings, same[1].loadings, rtol=0)


def test_an_item_without_communality_stays_at_zero() -> None:
    loadings = np.vstack([simple_structure(2), np.zeros(3)])
    for method in ("varimax", "promax", "oblimin"):
        found = solved(loadings, method, kaiser=True)
        assert_allclose(found.loadings[-1], 0, rtol=0)
        without = solved(loadings[:-1], method, kaiser=True)
        if method == "oblimin":  # varimax takes means over items, of which there is one more
            assert_allclose(found.loadings[:-1], without.loadings, atol=1e-6)


def test_what_did_not_converge_is_said() -> None:
    short = rotate(unrotated("bfi25"), "oblimin", max_passes=5, seed=1)
    assert not short.converged
    assert np.isfinite(short.loadings).all()
    assert short.n_iterations == 5
    assert short.n_minima == 0
    # Covarimin is not bounded below: factors collapse.
    unbounded = rotate(unrotated("bfi25"), "oblimin", gam=1.0, max_passes=200, seed=1)
    assert not unbounded.converged


def test_loadings_without_full_rank_have_no_promax() -> None:
    loadings = np.stack([simple_structure(5), simple_structure(5)])
    loadings[1, :, 2] = 0
    batch = rotate_batch(loadings, "promax")
    assert batch.converged.tolist() == [True, False]
    assert np.isfinite(batch.loadings).all()
    alone = rotate_batch(loadings[:1], "promax")
    assert_allclose(batch.loadings[0], alone.loadings[0], atol=1e-10)


def test_the_same_seed_gives_the_same_solution() -> None:
    first, second = (rotate(unrotated("bfi25"), "geomin", seed=5) for _ in range(2))
    assert_allclose(first.loadings, second.loadings, rtol=0)


def test_impossible_requests_are_refused() -> None:
    loadings = simple_structure(1)
    with pytest.raises(OptionError, match="rotation='oblimax' is not possible"):
        rotate(loadings, "oblimax", seed=1)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=r"target=None .*loadings \(15, 3\), NaN where free"):
        rotate(loadings, "target", seed=1)
    with pytest.raises(OptionError, match="rotation='varimax' .* 'target_orthogonal'"):
        rotate(loadings, "varimax", target=loadings, seed=1)
    with pytest.raises(OptionError, match=r"target=\(15, 2\)"):
        rotate(loadings, "target", target=loadings[:, :2], seed=1)
    with pytest.raises(DataError, match="infinite"):
        rotate(loadings, "target", target=np.full_like(loadings, np.inf), seed=1)
    free = np.full_like(loadings, np.nan)
    free[0] = 0
    with pytest.raises(NotEnoughDataError, match="at least 6 values in the target; there are 3"):
        rotate(loadings, "target", target=free, seed=1)
    assert rotate(loadings, "target_orthogonal", target=free, seed=1).n_starts == 10
    with pytest.raises(NotEnoughDataError, match="'bifactor' needs at least 3 factors"):
        rotate(loadings[:, :2], "bifactor", seed=1)
    with pytest.raises(OptionError, match="n_starts=0"):
        rotate(loadings, "varimax", n_starts=0, seed=1)
    with pytest.raises(OptionError, match="epsilon=0"):
        rotate(loadings, "geomin", epsilon=0, seed=1)
    with pytest.raises(OptionError, match="power=1"):
        rotate(loadings, "promax", power=1, seed=1)
    with pytest.raises(DataError, match="not numbers"):
        rotate(np.full((4, 2), np.nan), "varimax", seed=1)
