from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.dimensionality.sem.fit_indices.residual import (
    continuous_residuals,
    residual_indices,
    two_level_residuals,
)
from collabsurvey.dimensionality.sem.moments import Implied
from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.dimensionality.sem.two_level import two_level_sample
from dimensionality.sem.fit_indices.fitted_models import CASES, fitted
from dimensionality.sem.fit_indices.stored_fits import stored_fits
from dimensionality.sem.two_level_em import em_unrestricted
from support import dataset, gold, matrix

FITS = {fit.name: fit for fit in stored_fits()}
ATOL = 1e-6  # lavaan stops when its estimates are good to about 2e-6


@pytest.mark.parametrize("name", CASES)
def test_residual_indices_agree_with_lavaan(name: str) -> None:
    model = fitted(name)
    found = residual_indices(model.samples, model.fit.implied, model.ordered)
    for index, value in found.items():
        assert_allclose(value, FITS[name].value(index), rtol=0, atol=ATOL, err_msg=index)


def test_stored_moments_give_the_stored_indices() -> None:
    values = gold("05_cfa")["cfa_ml_hs1939"]["values"]
    sample = fitted("cfa_ml_hs1939 fit").samples[0]
    implied = Implied(matrix(values["implied_cov"]).to_numpy(), None, None)
    for index, value in continuous_residuals(sample, implied).items():
        assert_allclose(value, values["fit"][index], rtol=1e-9, err_msg=index)


@pytest.mark.parametrize("stopped", [True, False])
def test_two_levels_agree_with_lavaan(*, stopped: bool) -> None:
    # lavaan's saturated moments are those of EM, stopped early: 2e-5 from the maximum here
    values = gold("07_multilevel_aggregation")["twolevel_cfa_bhr2000"]["values"]
    items = values["implied"]["within"]["cov"]["rows"]
    data = dataset("bhr2000").dropna(subset=items)
    sample = two_level_sample(
        data[items].to_numpy(), np.unique(data["GRP"], return_inverse=True)[1], items, items, items
    )
    whole = em_unrestricted(sample.levels) if stopped else sample.saturated
    implied = [matrix(values["implied"][level]["cov"]).to_numpy() for level in ("within", "GRP")]
    within, between = zip((whole.within, whole.between), implied, strict=True)
    found = two_level_residuals([sample.n], [within], [between])
    for index, value in found.items():
        expected = FITS["twolevel_cfa_bhr2000 fit"].value(index)
        assert_allclose(value, expected, rtol=0, atol=ATOL if stopped else 3e-5, err_msg=index)


def test_a_level_without_variance_has_no_residuals() -> None:
    good, bad = np.eye(2), np.diag([1.0, -0.1])
    found = two_level_residuals([10], [(good, good)], [(good, bad)])
    assert found["srmr_within"] == 0.0
    assert np.isnan(found["srmr_between"])
    assert np.isnan(found["srmr"])


@given(units=st.lists(st.floats(0.01, 100), min_size=9, max_size=9))
def test_standardised_indices_do_not_depend_on_units(units: list[float]) -> None:
    model = fitted("cfa_ml_meanstructure_hs1939 fit")
    sample = model.samples[0]
    implied = replace(model.fit.implied[0], mean=sample.mean + 0.1)
    scale = np.array(units)
    square = np.outer(scale, scale)
    there = replace(sample, cov=sample.cov * square, mean=sample.mean * scale)
    moved = Implied(implied.cov * square, implied.mean * scale, None)
    before, after = continuous_residuals(sample, implied), continuous_residuals(there, moved)
    for index, value in before.items():
        if not index.startswith("rmr"):
            assert_allclose(after[index], value, rtol=1e-9, err_msg=index)


def test_perfect_fit_is_zero_and_twice_a_group_is_the_group() -> None:
    sample = Sample(50.0, np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([1.0, 2.0]))
    same = Implied(sample.cov, sample.mean, None)
    other = Implied(np.diag([1.5, 1.2]), np.array([0.5, 2.1]), None)
    continuous = np.zeros(2, dtype=bool)
    assert set(residual_indices([sample], [same], [continuous]).values()) == {0.0}
    once = residual_indices([sample], [other], [continuous])
    twice = residual_indices([sample] * 2, [other] * 2, [continuous] * 2)
    assert_allclose(list(twice.values()), list(once.values()), rtol=1e-14)
    three = residual_indices([sample, replace(sample, n=100.0)], [same, other], [continuous] * 2)
    assert_allclose(three["srmr"], 2 / 3 * once["srmr"], rtol=1e-14)
