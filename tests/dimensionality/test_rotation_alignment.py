"""Order, signs and matching of factors."""

from __future__ import annotations

from itertools import permutations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from collabsurvey.dimensionality.rotation import (
    align,
    ordered,
    rearranged,
    starts_towards,
    tucker_congruence,
)


def test_factors_are_sorted_and_signed() -> None:
    loadings = np.array([[0.1, -0.8, 0.5], [0.2, -0.7, 0.5], [0.1, 0.1, -0.1]])
    phi = np.array([[1, 0.3, 0.2], [0.3, 1, -0.4], [0.2, -0.4, 1]])
    found = ordered(loadings, phi)
    assert_array_equal(found.permutation, [1, 2, 0])
    assert_array_equal(found.sign, [-1, 1, 1])
    assert_allclose(found.loadings, loadings[:, [1, 2, 0]] * [-1, 1, 1])
    assert_allclose(found.factor_correlations, [[1, 0.4, -0.3], [0.4, 1, 0.2], [-0.3, 0.2, 1]])
    general = ordered(loadings, phi, keep_first=True)
    assert_array_equal(general.permutation, [0, 1, 2])
    assert_array_equal(general.sign, [1, -1, 1])


def test_ties_keep_their_order_and_empty_columns_their_sign() -> None:
    loadings = np.array([[0.5, -0.5, 0.0, 0.5], [0.5, 0.5, 0.0, -0.5]])
    found = ordered(loadings, np.eye(4))
    assert_array_equal(found.permutation, [0, 1, 3, 2])
    assert_array_equal(found.sign, [1, 1, 1, 1])


@given(seed=st.integers(0, 10_000))
def test_ordering_keeps_the_model_and_is_final(seed: int) -> None:
    rng = np.random.default_rng(seed)
    loadings = rng.normal(size=(7, 4))
    turn = rng.normal(size=(4, 4))
    turn /= np.linalg.norm(turn, axis=0)
    phi = turn.T @ turn
    found = ordered(loadings, phi)
    implied = found.loadings @ found.factor_correlations @ found.loadings.T
    assert_allclose(implied, loadings @ phi @ loadings.T, atol=1e-12)
    explained = np.diag(found.factor_correlations @ found.loadings.T @ found.loadings)
    assert (np.diff(explained) <= 1e-12).all()
    assert (found.loadings.sum(axis=0) >= 0).all()
    moved = turn[:, found.permutation] * found.sign
    assert_allclose(found.factor_correlations, moved.T @ moved, atol=1e-12)
    again = ordered(found.loadings, found.factor_correlations)
    assert_array_equal(again.permutation, np.arange(4))
    assert_array_equal(again.sign, np.ones(4))


def test_congruence_is_a_cosine() -> None:
    a = np.array([[1.0, 0.0, 0.6], [0.0, 0.0, 0.8]])
    b = np.array([[2.0, -1.0], [0.0, -1.0]])
    expected = [[1, -np.sqrt(0.5)], [0, 0], [0.6, -1.4 / np.sqrt(2)]]
    assert_allclose(tucker_congruence(a, b), expected)


@given(seed=st.integers(0, 10_000))
def test_shuffled_factors_are_put_back(seed: int) -> None:
    rng = np.random.default_rng(seed)
    reference = np.kron(np.eye(4), np.ones((3, 1))) * 0.7 + 0.1 * rng.normal(size=(12, 4))
    resamples = reference + 0.05 * rng.normal(size=(5, 12, 4))
    shuffled, correlations, originals = [], [], []
    for each in resamples:
        places, signs = rng.permutation(4), rng.choice([-1.0, 1.0], size=4)
        phi = np.corrcoef(rng.normal(size=(4, 9)))
        shuffled.append((each[:, places]) * signs)
        correlations.append(phi[np.ix_(places, places)] * signs * signs[:, None])
        originals.append(phi)
    permutation, sign = align(np.array(shuffled), reference)
    loadings, phi = rearranged(np.array(shuffled), np.array(correlations), permutation, sign)
    assert_allclose(loadings, resamples, atol=1e-15)
    assert_allclose(phi, originals, atol=1e-15)


@given(seed=st.integers(0, 10_000), m=st.integers(1, 5))
def test_no_other_match_is_better(seed: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    reference, loadings = rng.normal(size=(6, m)), rng.normal(size=(3, 6, m))
    permutation, sign = align(loadings, reference)
    for each, places, signs in zip(loadings, permutation, sign, strict=True):
        found = np.diag(tucker_congruence(each[:, places] * signs, reference))
        assert (found >= 0).all()
        best = max(
            np.abs(np.diag(tucker_congruence(each[:, list(other)], reference))).sum()
            for other in permutations(range(m))
        )
        assert_allclose(found.sum(), best, rtol=1e-12)


def test_no_resamples_need_no_match() -> None:
    permutation, sign = align(np.zeros((0, 4, 2)), np.ones((4, 2)))
    assert permutation.shape == sign.shape == (0, 2)


def test_starts_reach_a_rotation_of_the_same_factors() -> None:
    rng = np.random.default_rng(1)
    loadings = rng.normal(size=(5, 10, 3))
    turn = rng.normal(size=(3, 3))
    turn /= np.linalg.norm(turn, axis=0)
    reference = loadings[0] @ np.linalg.inv(turn).T
    assert_allclose(starts_towards(loadings, reference, oblique=True)[0], turn, atol=1e-10)
    orthogonal = np.linalg.qr(turn)[0]
    found = starts_towards(loadings, loadings[0] @ orthogonal, oblique=False)
    assert_allclose(found[0], orthogonal, atol=1e-10)
    assert_allclose(found @ found.transpose(0, 2, 1), np.tile(np.eye(3), (5, 1, 1)), atol=1e-12)
