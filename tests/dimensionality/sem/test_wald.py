"""Wald tests against lavTestWald() of lavaan 0.6.14."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose
from tests.dimensionality.sem.fitted_models import fitted

from collabsurvey.dimensionality.sem.wald import wald, wald_statistic
from collabsurvey.errors import DataError, FaultsError, UnknownNameError
from support import REFERENCE

STORED = json.loads((REFERENCE / "modification.json").read_text(encoding="utf-8"))["wald"]


@pytest.mark.parametrize(
    ("name", "stored", "text"),
    [("linear", "linear", "b == c"), ("indirect", "mimic", "p*r == 0.2; q == 0")],
)
def test_equalities_of_labels(name: str, stored: str, text: str) -> None:
    fit, _, _, vcov = fitted(name)
    found = wald(fit.model, fit.theta, vcov, text)
    assert_allclose(found.statistic, STORED[stored]["stat"], rtol=1e-6)
    assert found.df == STORED[stored]["df"]
    assert_allclose(found.p_value, STORED[stored]["p.value"], rtol=1e-5)


def test_one_equality_is_the_square_of_distance_over_error() -> None:
    fit, _, _, vcov = fitted("indirect")
    found = wald(fit.model, fit.theta, vcov, ["p == 0"])
    place = [one.label for one in fit.model.parameters if one.free].index("p")
    assert_allclose(found.distance[0], fit.theta[place])
    assert_allclose(found.std_error[0], np.sqrt(vcov[place, place]))
    assert_allclose(found.statistic, (found.distance[0] / found.std_error[0]) ** 2, rtol=1e-12)


def test_the_statistic_does_not_depend_on_how_linear_equalities_are_written() -> None:
    fit, _, _, vcov = fitted("indirect")
    first = wald(fit.model, fit.theta, vcov, "p == 0\nq == r")
    other = wald(fit.model, fit.theta, vcov, "2*p == q - r\nr == q + p")
    assert_allclose(first.statistic, other.statistic, rtol=1e-9)


def test_what_cannot_be_tested_is_refused() -> None:
    fit, _, _, vcov = fitted("indirect")
    with pytest.raises(UnknownNameError, match="no label 'z'"):
        wald(fit.model, fit.theta, vcov, "z == 0")
    with pytest.raises(FaultsError, match="'p > 0' is not an equality"):
        wald(fit.model, fit.theta, vcov, "p > 0")
    with pytest.raises(FaultsError, match="it is empty"):
        wald(fit.model, fit.theta, vcov, " ")
    with pytest.raises(DataError, match="repeat each other"):
        wald(fit.model, fit.theta, vcov, "p == 0; 2*p == 0")
    with pytest.raises(DataError, match="needs the errors"):
        wald(fit.model, fit.theta, np.full_like(vcov, np.nan), "p == 0")
    linear, _, _, known = fitted("linear")
    with pytest.raises(DataError, match="holds in the model already"):
        wald(linear.model, linear.theta, known, "d == 1.1*e")


def test_kernel() -> None:
    vcov = np.array([[2.0, 0.5], [0.5, 1.0]])
    statistic, spread = wald_statistic(np.array([1.0, -1.0]), np.eye(2), vcov)
    assert_allclose(statistic, np.array([1.0, -1.0]) @ np.linalg.inv(vcov) @ [1.0, -1.0])
    assert_allclose(spread, vcov)
