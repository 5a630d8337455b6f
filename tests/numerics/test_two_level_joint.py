"""Two-level likelihood with variables on one level only, against the plain normal density."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from collabsurvey.numerics.two_level_cov import (
    TwoLevelMoments,
    evaluate,
    information,
    packed,
    pairs,
    symmetric,
)
from collabsurvey.numerics.two_level_joint import (
    Levels,
    evaluate_joint,
    joint_curvature,
    joint_scores,
    joint_slopes,
)
from collabsurvey.numerics.typing import FloatArray, IntArray

EXACT = 1e-10
DIFFERENCE = 1e-6  # central differences
SIZES = np.array([1, 2, 2, 4, 3, 7, 4, 4, 5, 2])


def example(within: IntArray, between: IntArray) -> tuple[Levels, FloatArray, FloatArray]:
    """Ten clusters of four variables, with the rows (n, 4) and the cluster of each."""
    rng = np.random.default_rng(3)
    of = np.repeat(np.arange(len(SIZES)), SIZES)
    rows = rng.normal(size=(len(of), 4)) + rng.normal(size=(len(SIZES), 4))[of]
    only = np.setdiff1d(np.arange(4), within)
    mean = np.array([rows[of == g].mean(axis=0) for g in range(len(SIZES))])
    rows[:, only] = mean[of][:, only]
    away = rows - mean[of]
    sscp = np.array([away[of == g].T @ away[of == g] for g in range(len(SIZES))])
    moments = TwoLevelMoments(SIZES.astype(float), mean, sscp, np.ones(len(SIZES)))
    return Levels(moments, within, between), rows, of


def matrices(levels: Levels) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Some W, B and mean."""
    rng = np.random.default_rng(4)
    p, q = len(levels.within), len(levels.between)
    first, second = rng.normal(size=(p, 2 * p)), rng.normal(size=(q, 2 * q))
    return first @ first.T / p, second @ second.T / (3 * q), rng.normal(size=levels.moments.k) / 3


PLACES = [
    (np.arange(4), np.arange(4)),
    (np.array([0, 1, 2]), np.array([0, 1, 3])),  # 2 only within, 3 only between
    (np.array([2, 0]), np.array([1, 0, 3])),
]


@pytest.mark.parametrize(("within", "between"), PLACES)
def test_likelihood_is_that_of_all_answers_of_a_cluster(
    within: IntArray, between: IntArray
) -> None:
    levels, rows, of = example(within, between)
    w, b, mean = matrices(levels)
    only = np.setdiff1d(between, within)
    expected = 0.0
    for g, size in enumerate(SIZES):
        values = np.concatenate([rows[of == g][:, within].ravel(), levels.moments.mean[g, only]])
        wide_b = np.zeros((4, 4))
        wide_b[np.ix_(between, between)] = b
        inner = np.kron(np.eye(size), w)
        inner += np.kron(np.ones((size, size)), wide_b[np.ix_(within, within)])
        across = np.tile(wide_b[np.ix_(within, only)], (size, 1))
        cov = np.block([[inner, across], [across.T, wide_b[np.ix_(only, only)]]])
        away = values - np.concatenate([np.tile(mean[within], size), mean[only]])
        expected += np.linalg.slogdet(2 * np.pi * cov)[1] + away @ np.linalg.solve(cov, away)
    at = evaluate_joint(levels, w, b, mean)
    assert at is not None
    assert_allclose(at.value, expected, rtol=EXACT)


@pytest.mark.parametrize(("within", "between"), PLACES)
def test_derivatives_match_differences(within: IntArray, between: IntArray) -> None:
    levels, _, _ = example(within, between)
    w, b, mean = matrices(levels)
    p, q, k = len(w), len(b), levels.moments.k
    n_w = p * (p + 1) // 2
    point = np.concatenate([w[pairs(p)], mean, b[pairs(q)]])

    def slope(x: FloatArray) -> tuple[FloatArray, float]:
        at = evaluate_joint(
            levels, symmetric(x[:n_w], p), symmetric(x[n_w + k :], q), x[n_w : n_w + k]
        )
        assert at is not None
        by_w, by_mean, by_b = joint_slopes(levels, at)
        return np.concatenate([packed(by_w), by_mean, packed(by_b)]), at.value

    steps = 1e-5 * np.eye(len(point))
    ahead, behind = [slope(point + h) for h in steps], [slope(point - h) for h in steps]
    by_value = np.array([(a[1] - c[1]) / 2e-5 for a, c in zip(ahead, behind, strict=True)])
    by_slope = np.array([(a[0] - c[0]) / 2e-5 for a, c in zip(ahead, behind, strict=True)])
    here, _ = slope(point)
    at = evaluate_joint(levels, w, b, mean)
    assert at is not None
    curved = joint_curvature(levels, at, observed=True)
    assert_allclose(here, by_value, atol=DIFFERENCE * np.abs(here).max())
    assert_allclose(2 * curved, by_slope, atol=DIFFERENCE * np.abs(by_slope).max())
    assert_allclose(joint_scores(levels, at).sum(axis=0), -here / 2, rtol=EXACT, atol=1e-9)


def test_the_best_mean_has_no_slope() -> None:
    levels, _, _ = example(*PLACES[1])
    w, b, _ = matrices(levels)
    at = evaluate_joint(levels, w, b)
    assert at is not None
    assert_allclose(joint_slopes(levels, at)[1], 0.0, atol=1e-10)


def test_all_on_both_levels_is_the_usual_likelihood() -> None:
    levels, _, _ = example(*PLACES[0])
    w, b, _ = matrices(levels)
    at, usual = evaluate_joint(levels, w, b), evaluate(levels.moments, w, b)
    assert at is not None and usual is not None
    assert_allclose(at.value, usual.value, rtol=EXACT)
    assert_allclose(at.mean, usual.mean, rtol=EXACT)
    assert_allclose(joint_slopes(levels, at)[0], usual.slope_within, rtol=EXACT, atol=1e-9)
    assert_allclose(joint_slopes(levels, at)[2], usual.slope_between, rtol=EXACT, atol=1e-9)
    expected = joint_curvature(levels, at, observed=False)
    places = np.r_[:10, 14:24]
    assert_allclose(2 * expected[np.ix_(places, places)], information(levels.moments, usual))


def test_impossible_matrices() -> None:
    levels, _, _ = example(*PLACES[0])
    w, b, mean = matrices(levels)
    assert evaluate_joint(levels, -w, b, mean) is None
    assert evaluate_joint(levels, w, b - 100 * np.eye(4), mean) is None
    assert evaluate_joint(levels, w, b - 1e-3 * np.eye(4), mean) is not None
