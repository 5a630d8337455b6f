"""Explained variance of every gold model, and improper solutions by name."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from collabsurvey.dimensionality.sem.explained import improper, r_squared
from dimensionality.sem.fit_indices.fitted_models import fitted
from dimensionality.sem.test_scores import HS, at_point, reference
from support import gold

FITS = {
    "cfa_ml_hs1939": "",
    "cfa_ml_stdlv_hs1939": "",
    "cfa_ml_meanstructure_hs1939": "",
    "cfa_wishart_hs1939": "",
    "cfa_gls_uls_hs1939": "ULS",
    "cfa_second_order_hs1939": "",
    "sem_mediation_hs1939": "",
    "cfa_fiml_bfi_AC": "",
    "cfa_fiml_bfi25": "",
    "cfa_wlsmv_bfi_NE": "",
    "cfa_wlsmv_theta_bfi_NE": "",
    "cfa_wlsmv_pairwise_bfi_NE": "",
    "cfa_ulsmv_wlsm_bfi_NE": "ULSMV",
}


@pytest.mark.parametrize("entry", FITS)
def test_gold(entry: str) -> None:
    key = FITS[entry]
    values = gold("05_cfa")[entry]["values"]
    expected = (values[key] if key else values)["rsquare"]
    case = fitted(f"{entry} {key} fit" if key else f"{entry} fit")
    block = case.fit.model.blocks[0]
    found = r_squared(block, case.fit.theta)
    assert found.keys() == expected.keys()
    assert_allclose(
        [found[name] for name in expected], list(expected.values()), rtol=1e-5, atol=1e-5
    )
    assert not improper(block, case.fit.theta)
    assert improper(block, case.fit.theta).sentences() == ()


def test_second_order_factors_and_ordered_outcomes_beside_lavaan() -> None:
    case = fitted("cfa_second_order_hs1939 fit")
    found = r_squared(case.fit.model.blocks[0], case.fit.theta)
    expected = reference()["rsquare"]["second_order"]
    assert_allclose([found[name] for name in expected], list(expected.values()), atol=1e-6)


def test_an_ordered_outcome_shares_the_variance_of_its_response() -> None:
    """Loadings and slopes of unit-variance responses: R-squared is the squared correlation."""
    values = {"f~~f": 0.6, "f=~y2": 0.9, "y3~f": 0.7} | {f"y{i}|t1": 0.0 for i in range(1, 4)}
    model, theta = at_point(
        "f =~ 1*y1 + y2 ; y3 ~ f", values, ordered=dict.fromkeys(("y1", "y2", "y3"), 2)
    )
    found = r_squared(model.blocks[0], theta)
    expected = {"y1": 0.6, "y2": 0.6 * 0.81, "y3": 0.6 * 0.49}
    assert found.keys() == expected.keys()
    assert_allclose([found[name] for name in expected], list(expected.values()), rtol=1e-12)
    assert not improper(model.blocks[0], theta)


def test_a_bifactor_models_heywood_case_is_named() -> None:
    stored = gold("05_cfa")["cfa_bifactor_hs1939"]["values"]
    estimates = {r["lhs"] + r["op"] + r["rhs"]: r["est"] for r in stored["estimates"]}
    text = "g =~ " + " + ".join(f"x{i}" for i in range(1, 10)) + " ; " + HS
    model, theta = at_point(text, estimates, std_lv=True, orthogonal=True)
    found = r_squared(model.blocks[0], theta)
    expected = {k: np.nan if v is None else v for k, v in stored["rsquare"].items()}
    assert_allclose([found[name] for name in expected], list(expected.values()), atol=1e-9)
    report = improper(model.blocks[0], theta)
    assert report
    assert [name for name, _ in report.negative_variances] == ["x1"]
    assert_allclose(report.negative_variances[0][1], estimates["x1~~x1"])
    assert report.sentences()[0].startswith("Improper solution: negative variances of x1 (-")


def test_factors_that_correlate_beyond_one_are_named() -> None:
    values = {f"{f}~~{f}": 0.5 for f in ("visual", "textual", "speed")}
    values |= {"visual~~textual": 0.51, "visual~~speed": 0.1, "textual~~speed": 0.1}
    model, theta = at_point(HS, values)
    report = improper(model.blocks[0], theta)
    assert [one[:2] for one in report.correlations] == [("visual", "textual")]
    assert_allclose(report.correlations[0][2], 1.02)
    assert set(report.indefinite_factors) == {"visual", "textual"}
    assert report.indefinite_residuals == ()
    assert report.sentences()[0] == (
        "Improper solution: correlations beyond 1 of visual with textual (1.02)."
    )
    assert "look at visual, textual" in report.sentences()[1]


def test_covariances_can_be_impossible_together() -> None:
    values = {f"{f}~~{f}": 1.0 for f in ("visual", "textual", "speed")}
    values |= {"visual~~textual": 0.9, "visual~~speed": 0.9, "textual~~speed": -0.9}
    report = improper((model := at_point(HS, values))[0].blocks[0], model[1])
    assert report.correlations == ()
    assert set(report.indefinite_factors) == {"visual", "textual", "speed"}


def test_residuals_and_disturbances_are_looked_at_too() -> None:
    text = HS + " ; g =~ 1*visual + textual + speed ; x1 ~~ x2"
    values = {"x1~~x2": 0.6, "g~~g": 1.0, "visual~~visual": -0.01}
    model, theta = at_point(text, values)
    report = improper(model.blocks[0], theta)
    assert [name for name, _ in report.negative_variances] == ["visual"]
    # A factor with a negative disturbance shares more than all of its variance.
    assert [one[:2] for one in report.correlations] == [("visual", "g"), ("x1", "x2")]
    assert report.indefinite_residuals == ("x1", "x2")
    assert np.isnan(r_squared(model.blocks[0], theta)["visual"])


def test_too_large_loadings_of_ordered_items_under_delta() -> None:
    values = {"f~~f": 0.6, "f=~y2": 1.4} | {f"y{i}|t1": 0.0 for i in range(1, 4)}
    model, theta = at_point(
        "f =~ 1*y1 + y2 + y3", values, ordered=dict.fromkeys(("y1", "y2", "y3"), 2)
    )
    report = improper(model.blocks[0], theta)
    assert report.negative_variances[0][0] == "y2"
    assert_allclose(report.negative_variances[0][1], 1 - 0.6 * 1.96)


def test_observed_causes_are_not_explained() -> None:
    case = fitted("sem_mediation_hs1939 fit")
    assert "ageyr" not in r_squared(case.fit.model.blocks[0], case.fit.theta)
