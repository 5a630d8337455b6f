"""Moments of ordered items with continuous variables beside lavaan's, and what they must obey."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.special import ndtri

from collabsurvey.dimensionality import polyserial
from collabsurvey.dimensionality.pair_correlations import correlate_pairs
from collabsurvey.dimensionality.pair_errors import errors_of_rows
from collabsurvey.dimensionality.sem.gamma import adf_gamma
from collabsurvey.dimensionality.sem.least_squares import Stack
from collabsurvey.dimensionality.sem.mixed_moments import MixedMoments, mixed_moments
from collabsurvey.dimensionality.sem.mixed_pairs import (
    Edges,
    normal_correlation,
    normal_scores,
    normal_sums,
    polyserial_scores,
    polyserial_sums,
)
from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.moments.tables import tables_of
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray
from support import REFERENCE, dataset

# nlminb stops where the log-likelihood is flat to 1e-10 or so: 1e-7 of a correlation and more.
TOLERANCE = 1e-6
NAMES = ["age", "N1", "N2", "education", "N3"]
ORDERED = np.array([False, True, True, False, True])


@cache
def stored() -> dict[str, Any]:
    return json.loads((REFERENCE / "mixed.json").read_text(encoding="utf-8"))


def bfi() -> FloatArray:
    x = dataset("bfi")[NAMES].head(600).to_numpy(dtype=float).copy()
    x[:, ORDERED] -= 1
    return x


def complete(x: FloatArray) -> FloatArray:
    return x[~np.isnan(x).any(axis=1)]


def grades_of_1939() -> tuple[FloatArray, BoolArray]:
    data, cuts = dataset("hs1939"), stored()["cuts"]
    names = [f"x{i}" for i in range(1, 7)]
    for name, own in cuts.items():
        data[name] = np.digitize(data[name], np.atleast_1d(own))
    return data[names].to_numpy(dtype=float), np.isin(names, list(cuts))


def vector(found: MixedMoments, ordered: BoolArray) -> FloatArray:
    return Stack(ordered, means=True).vector(found.cov, found.mean, found.thresholds)


def check(found: MixedMoments, ordered: BoolArray, name: str, *, n: float = 1.0) -> None:
    expected = stored()["moments"][name]
    moments, acov = vector(found, ordered), np.array(expected["acov"])
    assert_allclose(moments, expected["moments"], rtol=TOLERANCE, atol=TOLERANCE)
    size = np.sqrt(np.diag(acov))
    away = (found.acov * n - acov) / np.outer(size, size)
    assert_allclose(away, np.zeros_like(away), atol=TOLERANCE)


def test_complete_rows_are_lavaans() -> None:
    x = complete(bfi())
    assert len(x) == stored()["moments"]["listwise"]["n"]
    check(mixed_moments(x, np.ones(len(x)), ORDERED, bread="outer"), ORDERED, "listwise")


def test_rows_with_gaps_are_lavaans() -> None:
    x = bfi()
    found = mixed_moments(x, np.ones(len(x)), ORDERED, bread="outer")
    check(found, ORDERED, "pairwise")


def test_weights_are_lavaans() -> None:
    x = bfi()
    w = 1.0 + np.arange(1, 601) % 3
    known = ~np.isnan(x).any(axis=1)
    x, w = x[known], w[known]
    check(mixed_moments(x, w * len(w) / w.sum(), ORDERED, bread="outer"), ORDERED, "weighted")


def test_one_item_is_enough() -> None:
    x = bfi()[:, [1, 0, 3]]
    x, one = complete(x), np.array([True, False, False])
    check(mixed_moments(x, np.ones(len(x)), one, bread="outer"), one, "one_item")


def test_items_of_two_to_four_categories() -> None:
    x, ordered = grades_of_1939()
    check(mixed_moments(x, np.ones(len(x)), ordered, bread="outer"), ordered, "hs1939")


def people(
    n: int = 300, *, seed: int = 1, items: int = 3, skewed: bool = False
) -> tuple[FloatArray, BoolArray]:
    """Items of 4 categories, then two measurements, all of one factor."""
    rng = np.random.default_rng(seed)
    eta = rng.standard_normal(n)
    noise = rng.exponential(size=(n, 2)) - 1 if skewed else rng.standard_normal((n, 2))
    y = 0.7 * eta[:, None] + 0.7 * rng.standard_normal((n, items))
    measured = 0.5 * eta[:, None] + 0.9 * noise
    x = np.column_stack([np.digitize(y, [-0.8, 0.2, 1.0]), measured])
    return x, np.arange(items + 2) < items


def parts(found: MixedMoments, ordered: BoolArray) -> tuple[IntArray, IntArray]:
    """Places among the stacked moments of those of items alone, and of measurements alone."""
    stack = Stack(ordered, means=True)
    t, q = len(found.thresholds), int((~ordered).sum())
    n_ordered = ordered[stack.rows].astype(int) + ordered[stack.columns]
    covs = t + q + np.arange(len(stack.rows))
    items = np.concatenate([np.arange(t), covs[n_ordered == 2]])
    return items, np.concatenate([t + np.arange(q), covs[n_ordered == 0]])


def test_measurements_have_distribution_free_errors() -> None:
    x, ordered = people(skewed=True)
    w = 1.0 + np.arange(len(x)) % 3
    w *= len(w) / w.sum()
    clusters = np.arange(len(x)) // 6
    for weights, groups in ((None, None), (w, None), (None, clusters), (w, clusters)):
        used = np.ones(len(x)) if weights is None else weights
        found = mixed_moments(x, used, ordered, clusters=groups)
        at = parts(found, ordered)[1]
        y = x[:, ~ordered]
        mean = found.mean[~ordered]
        cov = found.cov[np.ix_(~ordered, ~ordered)]
        sample = Sample(float(len(y)), cov, mean, rows=y, weights=weights, clusters=groups)
        expected = adf_gamma(sample, means=True)
        assert_allclose(found.acov[np.ix_(at, at)], expected, rtol=1e-9, atol=1e-12)
        assert_allclose(mean, np.average(y, axis=0, weights=weights), rtol=1e-12)


def test_items_are_as_without_measurements() -> None:
    x, ordered = people()
    x[3, 1], x[9, 4] = np.nan, np.nan
    w, clusters = np.ones(len(x)), np.arange(len(x)) // 6
    codes = tuple(np.arange(4.0) for _ in range(3))
    tables = tables_of([x[:, ordered]], ("a", "b", "c"), codes, weight=False, missing="pairwise")
    pairs = correlate_pairs(tables, empty_cells="lavaan", with_influence=True)
    for groups, times in ((None, len(x) - 1), (clusters, len(x))):
        alone = errors_of_rows(
            x[:, ordered], w, codes, pairs,
            clusters=groups, called="team", missing="pairwise", full=True,
        )  # fmt: skip
        assert alone.acov is not None
        found = mixed_moments(x, w, ordered, clusters=groups)
        at = parts(found, ordered)[0]
        # lower triangle by column is the order of pairs
        assert_allclose(found.cov[pairs.first, pairs.second], pairs.rho, rtol=1e-12)
        assert_allclose(found.acov[np.ix_(at, at)], alone.acov * times, rtol=1e-9, atol=1e-12)


def test_a_filled_cell_counts_once_for_each_row() -> None:
    x, ordered = people(items=2)
    x[:, :2] = x[:, :2] > 1
    x[(x[:, 0] == 1) & (x[:, 1] == 0), 0] = 0  # one cell of the table stays empty
    each = mixed_moments(x, np.ones(len(x)), ordered)
    single = mixed_moments(x, np.ones(len(x)), ordered, clusters=np.arange(len(x)))
    pair = len(each.thresholds) + 2
    assert_allclose(single.acov[pair, pair], each.acov[pair, pair], rtol=0.02)


def test_polyserials_are_those_of_the_public_function() -> None:
    data = dataset("bfi")[["N1", "N2", "age"]].head(600).dropna()
    x = data.to_numpy(dtype=float) - [1, 1, 0]
    found = mixed_moments(x, np.ones(len(x)), np.array([True, True, False]))
    expected = polyserial(data, "age", ["N1", "N2"], method="two_step_ml")
    correlation = found.cov[2, :2] / np.sqrt(found.cov[2, 2])
    assert_allclose(correlation, expected.correlations.to_numpy()[0], rtol=1e-8)


def _edges() -> tuple[FloatArray, IntArray, list[FloatArray]]:
    x, ordered = people(60)
    z = x[:, 3]
    codes = x[:, ordered].astype(np.int64)
    codes[4, 1] = -1
    return (z - z.mean()) / z.std(), codes, [np.array([-0.9, 0.1, 1.0])] * 3


def test_sums_are_derivatives_of_the_score() -> None:
    z, codes, cuts = _edges()
    rho, w, step = np.array([0.4, -0.3, 0.6]), 1.0 + np.arange(60) % 2, 1e-6
    sums = polyserial_sums(z, codes, w, Edges.of(cuts), rho, bread="derivative")

    def score(move: float, z_moves: float, rho_moves: float, cut: int = -1) -> FloatArray:
        moved = [one + move * (np.arange(3) == cut) for one in cuts]
        at = z + z_moves if abs(z_moves) else z
        return w @ polyserial_scores(at, codes, Edges.of(moved), rho + rho_moves)

    def slope(*direction: float, cut: int = -1) -> FloatArray:
        ahead = score(*(step * one for one in direction), cut=cut)
        return (ahead - score(*(-step * one for one in direction), cut=cut)) / (2 * step)

    assert_allclose(sums.rho, -slope(0, 0, 1), rtol=1e-7)
    assert_allclose(sums.first[:, 0], slope(0, 1, 0), rtol=1e-6)
    for m in range(3):
        assert_allclose(sums.second[:, m], -slope(1, 0, 0, cut=m), rtol=1e-6, atol=1e-7)
    # the variance stretches z: dz = -z / 2
    wider, narrower = (
        w @ polyserial_scores(z * (1 + turn * step), codes, Edges.of(cuts), rho) for turn in (1, -1)
    )
    assert_allclose(sums.first[:, 1], (wider - narrower) / (4 * step), rtol=1e-6)


def test_sums_of_two_measurements() -> None:
    z, _, _ = _edges()
    y = 0.5 * z + np.random.default_rng(3).standard_normal(60)
    y = (y - y.mean()) / y.std()
    w, rho, step = np.ones(60), 0.3, 1e-6
    sums = normal_sums(z, y, w, rho, bread="derivative")

    def total(a: FloatArray, b: FloatArray, r: float) -> float:
        return float(w @ normal_scores(a, b, r))

    own = (total(z, y, rho + step) - total(z, y, rho - step)) / (2 * step)
    assert_allclose(sums.rho[0], -own, rtol=1e-7)
    wider = total(z * (1 + step), y, rho) - total(z * (1 - step), y, rho)
    assert_allclose(sums.first[0, 1], wider / (4 * step), rtol=1e-6)
    assert_allclose(normal_correlation(z, y, w), np.mean(z * y), rtol=1e-12)


def test_correlation_with_gaps_is_the_most_likely() -> None:
    z, _, _ = _edges()
    y = 0.5 * z + np.random.default_rng(3).standard_normal(60)
    there = np.arange(60) < 40
    a, b, w = z[there], y[there], np.ones(40)
    rho = normal_correlation(a, b, w)
    assert abs(rho - np.mean(a * b)) > 1e-3
    assert_allclose(w @ normal_scores(a, b, rho), 0.0, atol=1e-9)


def test_perfect_order_is_at_the_limit() -> None:
    z = ndtri((np.arange(50) + 0.5) / 50)
    x = np.column_stack([np.digitize(z, [-1.0, 0.5]), 2 - np.digitize(z, [-1.0, 0.5]), 3 * z])
    found = mixed_moments(x.astype(float), np.ones(50), np.array([True, True, False]))
    assert found.at_limit[2, :2].all()
    assert_allclose(found.cov[2, :2] / np.sqrt(found.cov[2, 2]), [0.999, -0.999])
    same = np.column_stack([x[:, 0] * (np.arange(50) % 3 > 0), z, 1 - 2 * z])
    both = mixed_moments(same, np.ones(50), np.array([True, False, False]))
    assert both.at_limit[1, 2]
    assert not both.at_limit[0, 1]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), unit=st.floats(1e-3, 1e3), zero=st.floats(-5, 5))
def test_unit_and_zero_of_a_measurement(seed: int, unit: float, zero: float) -> None:
    x, ordered = people(80, seed=seed)
    x[:, :3] = np.minimum(x[:, :3], 1)
    one = mixed_moments(x, np.ones(80), ordered)
    y = x.copy()
    y[:, 3] = unit * (x[:, 3] + zero)
    two = mixed_moments(y, np.ones(80), ordered)
    scale = np.array([1.0, 1.0, 1.0, unit, 1.0])
    assert_allclose(two.cov, one.cov * np.outer(scale, scale), rtol=1e-7, atol=1e-9)
    stack = Stack(ordered, means=True)
    by = np.concatenate([np.ones(3), scale[3:], scale[stack.rows] * scale[stack.columns]])
    size = np.sqrt(np.diag(one.acov))
    away = two.acov / np.outer(by, by) - one.acov
    assert_allclose(away / np.outer(size, size), np.zeros_like(away), atol=1e-6)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_order_of_rows_and_people_twice(seed: int) -> None:
    x, ordered = people(90, seed=seed)
    x[:, :3] = np.minimum(x[:, :3], 1)
    one = mixed_moments(x, np.ones(90), ordered)
    order = np.random.default_rng(seed).permutation(90)
    other = mixed_moments(x[order], np.ones(90), ordered)
    assert_allclose(other.acov, one.acov, rtol=1e-6, atol=1e-8)
    # everyone twice: as a weight, and as clusters of the same person
    weighted = mixed_moments(x, np.full(90, 2.0), ordered)
    assert_allclose(weighted.cov, one.cov, rtol=1e-9, atol=1e-9)
    twice = np.concatenate([x, x])
    who = np.tile(np.arange(90), 2)
    found = mixed_moments(twice, np.ones(180), ordered, clusters=who)
    assert_allclose(found.acov, one.acov * 2 * 90 / 89, rtol=1e-6, atol=1e-8)


def test_errors_of_a_skewed_measurement_are_how_estimates_vary() -> None:
    found, claimed, lavaans = [], [], []
    for seed in range(250):
        x, ordered = people(200, seed=seed, items=2, skewed=True)
        one = mixed_moments(x, np.ones(200), ordered)
        found.append(vector(one, ordered))
        claimed.append(np.diag(one.acov) / 200)
        outer = mixed_moments(x, np.ones(200), ordered, bread="outer")
        lavaans.append(np.diag(outer.acov) / 200)
    ratio = np.sqrt(np.mean(claimed, axis=0)) / np.std(found, axis=0)
    # 250 samples know a standard deviation to 4.5 %, and that of skewed ones to 10 %
    assert_allclose(ratio, np.ones_like(ratio), atol=0.2)
    off = np.sqrt(np.mean(lavaans, axis=0)) / np.std(found, axis=0)
    assert np.abs(off - 1).max() > 0.4
