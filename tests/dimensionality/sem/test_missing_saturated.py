"""The saturated model of answers with gaps: a true maximum, and what cannot be estimated."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from collabsurvey.dimensionality.sem import missing_saturated
from collabsurvey.dimensionality.sem.estimate import finished, observed_information
from collabsurvey.dimensionality.sem.missing import MissingNormal
from collabsurvey.errors import DataError, NoVarianceError
from collabsurvey.numerics.em_errors import moment_influence
from collabsurvey.numerics.em_normal import em_moments
from dimensionality.sem.missing_cases import (
    ENTRIES,
    bfi_rows,
    directions,
    errors_of,
    gappy,
    simple_structure,
    some_point,
    stored,
)


def at_the_top(distance: MissingNormal) -> bool:
    """Whether no moment promises a gain that matters beside rounding."""
    information = distance.saturated_information()
    for slopes, sample, matrix in zip(
        distance.slopes(distance.saturated), distance.samples, information, strict=True
    ):
        assert slopes.mean is not None
        column, row = np.triu_indices(len(sample.cov))
        once = np.where(column == row, 0.5, 1.0)
        half = np.r_[slopes.mean / 2, once * slopes.cov[column, row]]
        if half @ np.linalg.solve(matrix, half) > 1e-13 * sample.n:
            return False
    return True


@pytest.mark.parametrize("entry", ENTRIES)
def test_moments_match_lavaan(entry: str) -> None:
    expected = stored(entry)
    distance = MissingNormal([bfi_rows(entry)])
    assert distance.saturated_converged
    assert at_the_top(distance)
    # lavaan stops once a step moves the moments by less than 1e-5: up to 2e-7 from the maximum.
    assert_allclose(distance.samples[0].cov, expected["em_sample_cov"]["data"], atol=5e-7)
    assert_allclose(distance.samples[0].mean, list(expected["em_sample_mean"].values()), atol=1e-7)
    assert distance.unrestricted_loglik >= expected["unrestricted_logl"] - 1e-9


def forms(n: int, p: int, seed: int) -> np.ndarray:
    """A design of three forms, each without a quarter of the items: EM is slow."""
    x = gappy(n, p, 0.0, seed)
    form = np.random.default_rng(seed).integers(0, 3, n)
    x[(np.arange(p) % 4)[None, :] == form[:, None] + 1] = np.nan
    return x


def test_slow_em_is_brought_to_the_maximum() -> None:
    x = forms(300, 12, seed=2)
    distance = MissingNormal([x])
    patient = em_moments(x, max_iterations=5000, tolerance=1e-13)
    assert patient.n_iterations > missing_saturated.EM_STEPS
    assert at_the_top(distance)
    assert_allclose(distance.unrestricted_loglik, patient.loglik, rtol=1e-13)
    assert_allclose(distance.samples[0].cov, patient.cov, rtol=1e-8)
    assert_allclose(distance.samples[0].mean, patient.mean, rtol=1e-8)


def test_em_alone_gets_there_where_items_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    x = forms(300, 12, seed=2)
    quick = MissingNormal([x])
    monkeypatch.setattr(missing_saturated, "MOST_ITEMS", 0)
    slow = MissingNormal([x])
    assert slow.saturated_converged
    assert_allclose(slow.unrestricted_loglik, quick.unrestricted_loglik, rtol=1e-13)
    monkeypatch.setattr(missing_saturated, "MOST_STEPS", 20)
    assert not MissingNormal([x]).saturated_converged


def test_the_maximum_has_distance_zero_and_no_slope() -> None:
    distance = MissingNormal([gappy(100, 4, 0.2, 1), gappy(90, 4, 0.3, 2)])
    assert distance.value(distance.saturated) == 0.0
    assert at_the_top(distance)
    assert distance.value([some_point(4), some_point(4)]) > 0


def test_sandwich_equals_the_influence_of_rows() -> None:
    x = gappy(150, 4, 0.2, seed=3)
    distance = MissingNormal([x])
    sample = distance.samples[0]
    assert sample.mean is not None
    bread = np.linalg.inv(distance.saturated_information()[0])
    influence = moment_influence(x, sample.mean, sample.cov)
    found = bread @ distance.saturated_first_order()[0] @ bread
    expected = influence.T @ influence
    limit = 1e-9 * np.sqrt(np.outer(np.diag(expected), np.diag(expected))).max()
    assert_allclose(found, expected, rtol=1e-7, atol=limit)


@pytest.mark.parametrize("entry", ["cfa_fiml_mlr_bfi_AC", "cfa_fiml_mlr_bfi25"])
def test_pieces_of_robust_ml_match_lavaan(entry: str) -> None:
    expected = stored(entry)
    model, theta = simple_structure(entry)
    distance = MissingNormal([bfi_rows(entry)])
    found = finished(model, distance, theta)
    bread = np.linalg.inv(observed_information(found, distance))
    meat = distance.first_order(found.implied, found.derivatives, model.n_free)
    errors = errors_of(entry, model)
    assert_allclose(np.sqrt(np.diag(bread @ meat @ bread)), errors, rtol=1e-5)
    restricted = np.trace(bread @ meat)
    information = distance.saturated_information()[0]
    free = np.trace(np.linalg.solve(information, distance.saturated_first_order()[0]))
    fit = expected["fit"]
    assert_allclose(restricted / model.n_free, fit["scaling.factor.h0"], rtol=1e-6)
    assert_allclose(free / len(information), fit["scaling.factor.h1"], rtol=1e-6)
    scaling = (free - restricted) / fit["df"]
    assert_allclose(scaling, fit["chisq.scaling.factor"], rtol=1e-5)


def test_a_cluster_is_the_sum_of_its_rows() -> None:
    x, y = gappy(60, 4, 0.2, seed=4), gappy(50, 4, 0.2, seed=5)
    distance = MissingNormal([x, y])
    point, along = [some_point(4)] * 2, [directions(4, 6)] * 2
    own = [np.arange(60), 60 + np.arange(50)]
    plain = distance.first_order(point, along, 6)
    assert_allclose(distance.first_order(point, along, 6, clusters=own), plain, rtol=1e-9)
    codes = [np.arange(60) % 7, np.arange(50) % 7]
    scores = distance.scores(point, along, 6)
    sums = np.array([scores[np.concatenate(codes) == code].sum(axis=0) for code in range(7)])
    found = distance.first_order(point, along, 6, clusters=codes)
    assert_allclose(found, sums.T @ sums, rtol=1e-9)
    free = distance.saturated_first_order(clusters=[own[0], own[1] - 60])
    for one, other in zip(free, distance.saturated_first_order(), strict=True):
        assert_allclose(one, other, rtol=1e-9, atol=1e-12 * np.abs(other).max())


def test_structured_moments_are_those_of_the_model() -> None:
    distance = MissingNormal([gappy(60, 3, 0.2, seed=6)])
    point, along = some_point(3), directions(3, 5)
    assert along.mean is not None
    column, row = np.triu_indices(3)
    moved = np.concatenate([along.mean, along.cov[:, column, row]], axis=1)
    for observed, expected in (
        (True, distance.curvature([point], [along], 5)),
        (False, distance.information([point], [along], 5)),
    ):
        matrix = distance.saturated_information([point], observed=observed)[0]
        assert_allclose(moved @ matrix @ moved.T, expected, rtol=1e-9)
    meat = distance.saturated_first_order([point])[0]
    expected = distance.first_order([point], [along], 5)
    assert_allclose(moved @ meat @ moved.T, expected, rtol=1e-9)


def test_items_never_answered_together_are_named() -> None:
    x = gappy(60, 4, 0.0, seed=7)
    x[:30, 1] = np.nan
    x[30:, 3] = np.nan
    message = "No respondent answered both items of a pair: trust2 with trust4"
    with pytest.raises(DataError, match=message):
        MissingNormal([x], items=["trust1", "trust2", "trust3", "trust4"])


def test_a_constant_item_is_named() -> None:
    x = gappy(60, 3, 0.1, seed=8)
    x[:, 2] = np.where(np.isnan(x[:, 2]), np.nan, 4.0)
    with pytest.raises(NoVarianceError, match="item 'climate3' has the same value"):
        MissingNormal([x], items=["climate1", "climate2", "climate3"])


def test_an_item_nobody_answered_is_named() -> None:
    x = gappy(60, 3, 0.1, seed=9)
    x[:, 0] = np.nan
    with pytest.raises(DataError, match="Nobody answered item 1"):
        MissingNormal([x])


def test_a_group_without_answers_is_refused() -> None:
    x = gappy(60, 3, 0.1, seed=9)
    with pytest.raises(DataError, match="Nobody in group '2' answered trust1, trust2, trust3"):
        MissingNormal([x, np.full((5, 3), np.nan)], items=["trust1", "trust2", "trust3"])


def test_the_group_whose_moments_cannot_be_had_is_named() -> None:
    many, few = gappy(60, 3, 0.1, seed=9), gappy(60, 3, 0.0, seed=9)[:3]
    with pytest.raises(DataError, match="cannot be estimated in group 'leaders': in the answers"):
        MissingNormal([many, few], groups=["teachers", "leaders"])


@pytest.mark.parametrize("gaps", [0.0, 0.1])
def test_an_item_that_follows_from_others_is_named(gaps: float) -> None:
    x = gappy(80, 4, 0.0, seed=10)
    x[:, 3] = x[:, 0] + x[:, 1]
    x[:, 2][np.random.default_rng(1).random(80) < gaps] = np.nan
    with pytest.raises(DataError, match=r"follow exactly from others \(item 4\)"):
        MissingNormal([x])


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(DataError, match="too few respondents"):
        MissingNormal([gappy(4, 6, 0.0, seed=11)])
