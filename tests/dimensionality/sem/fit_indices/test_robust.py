from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from collabsurvey.dimensionality.sem.chi_square import (
    ChiSquare,
    Misfit,
    ScaledChiSquare,
    ScaledKind,
    chi_square,
    robust_misfit,
    scaled_chi_square,
)
from collabsurvey.dimensionality.sem.estimate import Fit
from collabsurvey.dimensionality.sem.fit_indices.measures import LAVAAN_NAMES, fit_measures
from collabsurvey.dimensionality.sem.fit_indices.robust_categorical import (
    categorical_baseline,
    categorical_misfit,
)
from collabsurvey.dimensionality.sem.fit_indices.robust_missing import missing_misfit
from collabsurvey.dimensionality.sem.least_squares import Stack, normal_weight
from collabsurvey.dimensionality.sem.missing import MissingNormal
from dimensionality.sem.fit_indices.fitted_models import CASES, Fitted, acov_of, fitted
from dimensionality.sem.fit_indices.stored_fits import StoredFit, stored_fits
from support import REFERENCE

FITS = {fit.name: fit for fit in stored_fits()}
ATOL = 1e-5  # lavaan's saturated moments with gaps are good to 1e-5 of a standard deviation
MISSING = [name for name, case in CASES.items() if case.method == "fiml"]
ORDINAL = [
    name for name, case in CASES.items() if case.method in ("dwls", "ordinal_uls", "pairwise")
]


def after_fiml(model: Fitted, point: Fit, df: int, *, robust: bool) -> Misfit | None:
    distance = model.discrepancy
    assert isinstance(distance, MissingNormal)
    return missing_misfit(
        model.samples,
        point.implied,
        model.jacobians(point),
        distance.saturated_information(),
        distance.saturated_first_order() if robust else None,
        df=df,
        covariates=model.covariates,
    )


def of_ordinal(model: Fitted) -> Misfit | None:
    acovs = [acov_of(sample) for sample in model.samples]
    jacobians = model.jacobians(model.fit)
    return categorical_misfit(
        model.samples, model.fit.implied, jacobians, model.weights, acovs, df=model.df
    )


def compare(stored: StoredFit, own: Misfit | None, null: Misfit | None) -> None:
    found = fit_measures(
        stored.test(),
        stored.test("baseline."),
        n=stored.n,
        n_groups=stored.n_groups,
        n_parameters=int(stored.fit["npar"]),
        residuals={},
        n_less_groups=stored.least_squares,
        robust=own,
        robust_baseline=null,
    )
    ours = {LAVAAN_NAMES[name]: value for name, value in found.items() if "robust" in name}
    theirs = {name for name in stored.fit if name.endswith(".robust")}
    assert theirs <= set(ours)
    for name in theirs:
        assert_allclose(ours[name], stored.value(name), rtol=0, atol=ATOL, err_msg=name)


@pytest.mark.parametrize("name", MISSING)
def test_robust_indices_with_gaps_agree_with_lavaan(name: str) -> None:
    model, stored = fitted(name), FITS[name]
    robust = "chisq.scaled" in stored.fit
    own = after_fiml(model, model.fit, model.df, robust=robust)
    null_df = int(stored.fit["baseline.df"])
    compare(stored, own, after_fiml(model, model.baseline, null_df, robust=robust))


@pytest.mark.parametrize("name", ORDINAL)
def test_robust_indices_of_ordered_items_agree_with_lavaan(name: str) -> None:
    model = fitted(name)
    null = categorical_baseline(model.samples, [acov_of(sample) for sample in model.samples])
    compare(FITS[name], of_ordinal(model), null)


def test_without_gaps_fiml_is_ml_and_needs_no_correction() -> None:
    model = fitted("cfa_ml_meanstructure_hs1939 fit")
    sample = model.samples[0]
    stack = Stack(np.zeros(9, dtype=bool), means=True)
    information = sample.n * normal_weight(sample.cov, stack)
    found = missing_misfit(
        model.samples, model.fit.implied, model.jacobians(model.fit), [information], None, df=24
    )
    assert found is not None
    assert_allclose(found.statistic, model.fit.value, rtol=1e-12)
    assert_allclose(found.factor, 1.0, rtol=1e-10)
    # with scores whose products are the information, V3 is V6
    same = missing_misfit(
        model.samples,
        model.fit.implied,
        model.jacobians(model.fit),
        [information],
        [information],
        df=24,
    )
    assert same is not None
    assert_allclose(same.factor, 1.0, rtol=1e-10)


def test_baseline_of_ordered_items_is_the_model_that_restricts_all_correlations() -> None:
    model = fitted("cfa_wlsmv_bfi_NE fit")
    acovs = [acov_of(sample) for sample in model.samples]
    # its parameters are the thresholds, so that no correlation moves
    jacobians = model.jacobians(model.baseline)
    found = categorical_misfit(
        model.samples, model.baseline.implied, jacobians, model.weights, acovs, df=45
    )
    null = categorical_baseline(model.samples, acovs)
    assert found is not None
    assert null is not None
    assert_allclose([found.statistic, found.factor], [null.statistic, null.factor], rtol=1e-10)


def test_baseline_of_groups_in_lavaan_and_consistently() -> None:
    model = fitted("cfa_wlsmv_bfi_NE fit")
    sample, acov = model.samples[0], acov_of(model.samples[0])
    one = categorical_baseline([sample], [acov])
    lavaan = categorical_baseline([sample, sample], [acov, acov])
    ours = categorical_baseline([sample, sample], [acov, acov], groups="consistent")
    assert one is not None
    assert lavaan is not None
    assert ours is not None
    assert_allclose(ours.factor, one.factor, rtol=1e-12)
    assert_allclose(lavaan.factor, 2 * one.factor, rtol=1e-12)


def test_twice_a_group_has_the_factor_of_the_group() -> None:
    model = fitted("cfa_wlsmv_bfi_NE fit")
    acov, jacobian = acov_of(model.samples[0]), model.jacobians(model.fit)[0]
    own = np.zeros_like(jacobian)
    one = of_ordinal(model)
    two = categorical_misfit(
        model.samples * 2,
        list(model.fit.implied) * 2,
        [np.hstack([jacobian, own]), np.hstack([own, jacobian])],
        model.weights * 2,
        [acov, acov],
        df=2 * model.df,
    )
    assert one is not None
    assert two is not None
    assert_allclose(two.factor, one.factor, rtol=1e-10)
    assert_allclose(two.statistic, 2 * one.statistic, rtol=1e-12)


def test_restricted_thresholds_and_indefinite_correlations_have_no_robust_indices() -> None:
    model = fitted("cfa_wlsmv_bfi_NE fit")
    acovs = [acov_of(sample) for sample in model.samples]
    jacobians = model.jacobians(model.fit)
    point = (model.fit.implied, jacobians, model.weights, acovs)
    assert categorical_misfit(model.samples, *point, df=model.df + 5) is None
    cov = model.samples[0].cov.copy()
    cov[0, 1] = cov[1, 0] = 1.0
    bad = [replace(model.samples[0], cov=cov)]
    assert categorical_misfit(bad, *point, df=model.df) is None
    assert categorical_baseline(bad, acovs) is None


def test_complete_answers_take_the_plain_statistic_less_its_mean() -> None:
    scaled = scaled_chi_square("scaled-shifted", 80.0, 20, factor=0.8, shift=4.0)
    found = robust_misfit(chi_square(80.0, 20, scaled=scaled))
    assert found == Misfit(80.0, 20, 0.8 * 16 / 20, 104.0, 0.8)
    assert robust_misfit(ChiSquare(80.0, 20, 0.0)) is None
    adjusted = scaled_chi_square("mean-var-adjusted", 80.0, 11.5, factor=1.7)
    assert robust_misfit(chi_square(80.0, 20, scaled=adjusted)) is None


STORED = json.loads((REFERENCE / "fit_indices.json").read_text(encoding="utf-8"))
KINDS: dict[str, ScaledKind] = {
    "scaled.shifted": "scaled-shifted",
    "mean.var.adjusted": "mean-var-adjusted",
}


def stored_test(values: dict[str, Any]) -> ChiSquare:
    scaled = ScaledChiSquare(
        KINDS[values["kind"]],
        values["scaled"],
        values["scaled_df"],
        values["p_value"],
        values["factor"],
        values["shift"],
    )
    return chi_square(values["statistic"], values["df"], scaled=scaled)


@pytest.mark.parametrize("name", ["mlmv", "mlmvs", "mlmv_groups"])
def test_shifted_and_adjusted_tests_of_continuous_answers(name: str) -> None:
    stored = STORED[name]
    test, baseline = stored_test(stored["test"]), stored_test(stored["baseline"])
    found = fit_measures(
        test,
        baseline,
        n=stored["n"],
        n_groups=stored["groups"],
        n_parameters=stored["fit"]["npar"],
        residuals={},
        robust=robust_misfit(test),
        robust_baseline=robust_misfit(baseline),
    )
    ours = {LAVAAN_NAMES[index]: value for index, value in found.items()}
    suffixes = (".scaled", ".robust")
    for index, value in stored["fit"].items():
        if index.endswith(suffixes) and not index.startswith("srmr"):
            # limits: R's uniroot stops within 1e-4 of the noncentrality
            close = 1e-5 if ".ci." in index else 1e-9
            expected = np.nan if value is None else value
            assert_allclose(ours[index], expected, rtol=0, atol=close, err_msg=index)


@pytest.mark.parametrize("name", ["fiml_covariate", "fiml_mlr_covariate"])
def test_gaps_beside_a_covariate(name: str) -> None:
    stored = STORED[name]["corrected"]
    model = fitted("fiml_covariate")
    robust = "mlr" in name
    own = after_fiml(model, model.fit, stored["df3"], robust=robust)
    null = after_fiml(model, model.baseline, stored["df3.null"], robust=robust)
    assert own is not None
    assert null is not None
    # lavaan's EM stops when means and covariances move by less than 1e-5
    expected = [stored[one] for one in ("XX3", "c.hat3", "XX3.null", "c.hat3.null")]
    found = [own.statistic, own.factor, null.statistic, null.factor]
    assert_allclose(found, expected, rtol=1e-6)
