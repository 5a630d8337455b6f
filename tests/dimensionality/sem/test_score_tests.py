"""Score tests of equality constraints against lavTestScore() of lavaan 0.6.14."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose
from tests.dimensionality.sem.fitted_models import fitted

from collabsurvey.dimensionality.sem.chi_square import p_value
from collabsurvey.dimensionality.sem.score_tests import all_together, each_alone, release_tests
from support import REFERENCE, gold

STORED = json.loads((REFERENCE / "modification.json").read_text(encoding="utf-8"))["score"]


@pytest.mark.parametrize(
    ("entry", "name", "redundant"),
    [
        ("invariance_ml_hs_school", "groups", 3),
        ("invariance_mlr_hs_school", "groups_mlr", 3),
        ("invariance_ml_hs_sex", "groups_sex", 3),
        ("invariance_ml_bfi_gender_fiml", "groups_fiml", 2),
    ],
)
def test_equalities_across_groups(entry: str, name: str, redundant: int) -> None:
    values = gold("06_invariance")[entry]["values"]
    fit, discrepancy, n, _ = fitted(name)
    found = release_tests(fit, discrepancy, n_respondents=n)
    single = values["score_test_scalar_univariate"]
    assert len(found.constraints) == len(single)
    expected = np.array([row["X2"] for row in single])
    assert_allclose(found.statistic, expected, rtol=0, atol=1e-5 * expected.max())
    assert_allclose(found.p_value, [row["p.value"] for row in single], atol=1e-5)
    (total,) = values["score_test_scalar_total"]
    assert_allclose(found.together.statistic, total["X2"], rtol=1e-5)
    # lavaan counts every constraint, but without equal intercepts one mean of each factor is no
    # longer identified: only the rest can be tested.
    assert len(found.constraints) == total["df"]
    assert found.together.df == total["df"] - redundant
    assert_allclose(p_value(found.together.statistic, total["df"]), total["p.value"], rtol=1e-4)


def test_written_constraints() -> None:
    fit, discrepancy, n, _ = fitted("linear")
    found = release_tests(fit, discrepancy, n_respondents=n)
    assert found.constraints == ("a+b+c == 3", "d == 1.1*e")
    assert np.isnan(found.statistic[0])  # it sets the unit of the factor: nothing to test
    assert_allclose(found.statistic[1], STORED["linear"]["uni"][1], rtol=1e-6)
    assert found.together.df == 1
    assert_allclose(found.together.statistic, STORED["linear"]["total"], rtol=1e-6)


def test_ordinal_items_of_groups() -> None:
    fit, discrepancy, n, _ = fitted("categorical_groups")
    found = release_tests(fit, discrepancy, n_respondents=n)
    expected = np.array(STORED["categorical_groups"]["uni"])
    assert_allclose(found.statistic, expected, rtol=0, atol=1e-6 * expected.max())
    assert_allclose(found.together.statistic, STORED["categorical_groups"]["total"], rtol=1e-6)


def test_one_direction_is_the_same_alone_and_together() -> None:
    rng = np.random.default_rng(3)
    root = rng.normal(size=(30, 6))
    whole = root.T @ root
    score = rng.normal(size=2)
    own, cross, information = whole[4:, 4:], whole[4:, :4], whole[:4, :4]
    each = each_alone(score, np.diag(own), cross, information)
    for i in range(2):
        pick = slice(i, i + 1)
        one = all_together(score[pick], own[pick, pick], cross[pick], information)
        assert_allclose(one.statistic, each.statistic[i], rtol=1e-10)
        assert_allclose(one.change, each.change[pick], rtol=1e-10)
        assert one.df == 1
    # Together: the quadratic form in the inverse of what the estimated parameters leave.
    inverse = np.linalg.inv(whole)[4:, 4:]
    both = all_together(score, own, cross, information)
    assert_allclose(both.statistic, score @ inverse @ score, rtol=1e-10)
    assert_allclose(both.change, inverse @ score, rtol=1e-10)


def test_directions_that_repeat_each_other_count_once() -> None:
    score = np.array([1.0, 2.0])
    own = np.array([[1.0, 2.0], [2.0, 4.0]])
    found = all_together(score, own, np.zeros((2, 1)), np.eye(1))
    assert found.df == 1
    assert_allclose(found.statistic, 1.0)
    assert_allclose(found.p_value, p_value(1.0, 1))


def test_a_model_without_constraints_has_nothing_to_release() -> None:
    fit, discrepancy, n, _ = fitted("hs")
    found = release_tests(fit, discrepancy, n_respondents=n)
    assert found.constraints == ()
    assert found.together.df == 0
