"""FIML against lavaan, against complete-data likelihood, and against its own derivatives."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.dimensionality.sem import missing_patterns
from collabsurvey.dimensionality.sem.estimate import fit, observed_information
from collabsurvey.dimensionality.sem.implied import derivatives, implied
from collabsurvey.dimensionality.sem.missing import MissingNormal
from collabsurvey.dimensionality.sem.moments import Implied
from collabsurvey.dimensionality.sem.normal import Normal
from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.dimensionality.sem.start import start_values
from dimensionality.sem.missing_cases import (
    ENTRIES,
    bfi_rows,
    directions,
    errors_of,
    gappy,
    gradient_along,
    items_of,
    moved,
    simple_structure,
    some_point,
    stored,
)

RTOL = 1e-10  # closed form in both programs


@pytest.mark.parametrize("entry", ENTRIES)
def test_likelihood_at_the_estimates_matches_lavaan(entry: str) -> None:
    expected = stored(entry)
    model, theta = simple_structure(entry)
    distance = MissingNormal([bfi_rows(entry)], items=items_of(entry))
    at = [implied(model.blocks[0], theta)]
    assert_allclose(distance.loglik(at), expected["fit"]["logl"], rtol=1e-13)
    assert_allclose(distance.unrestricted_loglik, expected["unrestricted_logl"], rtol=1e-13)
    assert_allclose(distance.value(at), expected["fit"]["chisq"], rtol=RTOL)
    assert distance.n_patterns == (expected["n_patterns"],)


@pytest.mark.parametrize("entry", ENTRIES)
def test_independence_baseline_matches_lavaan(entry: str) -> None:
    x = bfi_rows(entry)
    at = Implied(np.diag(np.nanvar(x, axis=0)), np.nanmean(x, axis=0), None)
    value = MissingNormal([x]).value([at])
    assert_allclose(value, stored(entry)["fit"]["baseline.chisq"], rtol=RTOL)


@pytest.mark.parametrize("entry", ENTRIES)
def test_estimates_and_errors_match_lavaan(entry: str) -> None:
    expected = stored(entry)
    model, theta = simple_structure(entry)
    distance = MissingNormal([bfi_rows(entry)])
    found = fit(model, distance, start_values(model, distance.samples))
    assert found.converged
    assert_allclose(found.theta, theta, rtol=0, atol=1e-5 * np.abs(theta).max())
    assert_allclose(found.value, expected["fit"]["chisq"], rtol=RTOL)
    observed = np.linalg.inv(observed_information(found, distance))
    assert_allclose(np.sqrt(np.diag(observed)), errors_of(entry, model), rtol=1e-4)


def test_complete_rows_give_the_likelihood_of_their_moments() -> None:
    x = gappy(200, 5, 0.0, seed=3)
    sample = Sample(n=200, cov=np.cov(x.T, bias=True), mean=x.mean(axis=0))
    whole, by_rows = Normal([sample]), MissingNormal([x])
    at, along = [some_point(5)], [directions(5, 7)]
    assert_allclose(by_rows.value(at), whole.value(at), rtol=RTOL)
    slopes, expected = by_rows.slopes(at)[0], whole.slopes(at)[0]
    assert_allclose(slopes.cov, expected.cov, rtol=1e-8)
    assert_allclose(slopes.mean, expected.mean, rtol=1e-8)
    args = (at, along, 7)
    assert_allclose(by_rows.information(*args), whole.information(*args), rtol=RTOL)
    assert_allclose(by_rows.curvature(*args), whole.curvature(*args), rtol=1e-9)


def test_slopes_and_curvature_are_derivatives() -> None:
    x = gappy(120, 6, 0.25, seed=4)
    distance = MissingNormal([x])
    point, along = some_point(6), directions(6, 9)
    gradient = gradient_along(distance, [point], [along])
    curvature = distance.curvature([point], [along], 9)
    step = 1e-5
    for i in range(9):
        way = step * np.eye(9)[i]
        ahead, behind = moved(point, along, way), moved(point, along, -way)
        slope = (distance.value([ahead]) - distance.value([behind])) / (2 * step)
        assert_allclose(slope, gradient[i], rtol=1e-6, atol=1e-6 * np.abs(gradient).max())
        change = gradient_along(distance, [ahead], [along]) - gradient_along(
            distance, [behind], [along]
        )
        limit = 1e-7 * np.abs(curvature).max()  # of central differences
        assert_allclose(change / (4 * step), curvature[i], rtol=1e-6, atol=limit)


def test_expected_information_is_summed_over_rows() -> None:
    x = gappy(40, 4, 0.3, seed=5)
    point, along = some_point(4), directions(4, 6)
    assert along.mean is not None
    total = np.zeros((6, 6))
    for row in x:
        seen = np.flatnonzero(~np.isnan(row))
        if not len(seen):
            continue
        inverse = np.linalg.inv(point.cov[np.ix_(seen, seen)])
        turned = [inverse @ one[np.ix_(seen, seen)] for one in along.cov]
        total += [[np.trace(a @ b) / 2 for b in turned] for a in turned]
        total += along.mean[:, seen] @ inverse @ along.mean[:, seen].T
    found = MissingNormal([x]).information([point], [along], 6)
    assert_allclose(found, total, rtol=RTOL, atol=1e-12 * total.max())


@pytest.mark.parametrize("observed", [True, False])
def test_work_by_pattern_equals_work_by_pairs_of_items(
    observed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    distance = MissingNormal([gappy(300, 5, 0.2, seed=6)])
    point, along = [some_point(5)], [directions(5, 8)]
    way = distance.curvature if observed else distance.information
    monkeypatch.setattr(missing_patterns, "FEW", 0)
    by_pattern = way(point, along, 8)
    monkeypatch.setattr(missing_patterns, "FEW", 100)
    assert_allclose(way(point, along, 8), by_pattern, rtol=RTOL)


def test_small_parts_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    x = gappy(150, 6, 0.2, seed=7)
    point, along = [some_point(6)], [directions(6, 8)]
    whole = MissingNormal([x])
    expected = whole.curvature(point, along, 8), whole.first_order(point, along, 8)
    for module in ("em_normal", "missing_patterns", "missing_scores"):
        folder = "numerics" if module == "em_normal" else "dimensionality.sem"
        monkeypatch.setattr(import_module(f"collabsurvey.{folder}.{module}"), "CELLS", 200)
    parts = MissingNormal([x])
    assert_allclose(parts.value(point), whole.value(point), rtol=RTOL)
    assert_allclose(parts.curvature(point, along, 8), expected[0], rtol=1e-9)
    assert_allclose(parts.first_order(point, along, 8), expected[1], rtol=1e-9)


def test_two_halves_add_up_to_the_whole() -> None:
    x = gappy(200, 5, 0.2, seed=8)
    point, along = some_point(5), directions(5, 7)
    whole, halves = MissingNormal([x]), MissingNormal([x[::2], x[1::2]])
    both, twice = [point, point], [along, along]
    assert_allclose(halves.loglik(both), whole.loglik([point]), rtol=1e-13)
    assert_allclose(
        gradient_along(halves, both, twice), gradient_along(whole, [point], [along]), rtol=1e-9
    )
    for one, other in (
        (halves.information, whole.information),
        (halves.curvature, whole.curvature),
        (halves.first_order, whole.first_order),
    ):
        assert_allclose(one(both, twice, 7), other([point], [along], 7), rtol=1e-9)


def test_a_weight_of_two_is_a_row_given_twice() -> None:
    x = gappy(80, 4, 0.2, seed=9)
    weights = np.resize([1.0, 2.0, 3.0], len(x))
    times = weights.astype(int)
    repeated, weighted = (
        MissingNormal([np.repeat(x, times, axis=0)]),
        MissingNormal([x], weights=[weights]),
    )
    point, along = [some_point(4)], [directions(4, 6)]
    assert weighted.samples[0].n == times.sum()
    assert_allclose(weighted.samples[0].cov, repeated.samples[0].cov, rtol=1e-9)
    assert_allclose(weighted.value(point), repeated.value(point), rtol=RTOL)
    args = (point, along, 6)
    assert_allclose(weighted.curvature(*args), repeated.curvature(*args), rtol=1e-9)
    scores = weighted.scores(*args)
    assert_allclose(scores.sum(axis=0), repeated.scores(*args).sum(axis=0), rtol=1e-9)
    assert_allclose(weighted.first_order(*args), scores.T @ scores, rtol=1e-9)


def test_rows_without_answers_or_weight_do_not_count() -> None:
    x = gappy(60, 4, 0.2, seed=10)
    x = x[~np.isnan(x).all(axis=1)]
    more = np.vstack([x, np.full((2, 4), np.nan), x[:3]])
    weights = np.r_[np.ones(len(x) + 2), np.zeros(3)]
    distance, expected = MissingNormal([more], weights=[weights]), MissingNormal([x])
    point, along = [some_point(4)], [directions(4, 6)]
    assert distance.n_empty == (2,)
    assert expected.n_empty == (0,)
    assert distance.samples[0].n == len(x)
    assert_allclose(distance.value(point), expected.value(point), rtol=RTOL)
    scores = distance.scores(point, along, 6)
    assert scores.shape == (len(more), 6)
    assert not scores[len(x) :].any()
    assert_allclose(scores[: len(x)], expected.scores(point, along, 6), rtol=1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), unit=st.floats(0.01, 100), shift=st.floats(-50, 50))
def test_chi_square_does_not_depend_on_units_or_order(seed: int, unit: float, shift: float) -> None:
    x = gappy(60, 4, 0.15, seed)
    point = some_point(4)
    assert point.mean is not None
    scale = np.array([unit, 1.0, 1.0, 1.0])
    order = np.random.default_rng(seed).permutation(4)
    cov = (point.cov * np.outer(scale, scale))[np.ix_(order, order)]
    there = Implied(cov, (point.mean * scale + shift)[order], None)
    turned = (x * scale + shift)[::-1, order]
    assert_allclose(
        MissingNormal([turned]).value([there]), MissingNormal([x]).value([point]), rtol=1e-9
    )


def test_an_impossible_point_is_infinitely_far() -> None:
    distance = MissingNormal([gappy(50, 3, 0.1, seed=11)])
    at = [Implied(np.ones((3, 3)) - 2 * np.eye(3), np.zeros(3), None)]
    assert distance.value(at) == np.inf
    with pytest.raises(np.linalg.LinAlgError):
        distance.slopes(at)


def test_scores_add_up_to_the_gradient() -> None:
    entry = ENTRIES[0]
    model, theta = simple_structure(entry)
    distance = MissingNormal([bfi_rows(entry)])
    at = [implied(model.blocks[0], 0.9 * theta)]
    along = [derivatives(model.blocks[0], 0.9 * theta)]
    scores = distance.scores(at, along, model.n_free)
    gradient = gradient_along(distance, at, along)
    assert_allclose(scores.sum(axis=0), -gradient / 2, rtol=1e-9)
