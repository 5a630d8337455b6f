from __future__ import annotations

from math import isnan

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey.dimensionality.sem.chi_square import p_value
from collabsurvey.dimensionality.sem.fit_indices.gfi import (
    agfi,
    missing_gfi,
    normal_gfi,
    pairwise_moments,
    pooled_gfi,
    weighted_gfi,
)
from collabsurvey.dimensionality.sem.fit_indices.information import saturated_loglik
from collabsurvey.dimensionality.sem.fit_indices.other import critical_n, mfi, wrmr
from dimensionality.sem.fit_indices.fitted_models import CASES, Fitted, fitted
from dimensionality.sem.fit_indices.stored_fits import stored_fits

FITS = {fit.name: fit for fit in stored_fits()}
ATOL = 1e-6  # lavaan stops when its estimates are good to about 2e-6
LIKELIHOOD = [name for name, case in CASES.items() if case.method in ("ml", "wishart")]


def gfi_of(model: Fitted) -> float:
    values = []
    for g, (sample, implied) in enumerate(zip(model.samples, model.fit.implied, strict=True)):
        given, stack = model.covariates[g], model.stacks[g]
        if model.case.method == "fiml":
            assert sample.rows is not None
            values.append(missing_gfi(sample.rows, implied, given))
        elif model.case.method in ("ml", "wishart"):
            values.append(normal_gfi(sample, implied, np.linalg.inv(implied.cov), given))
        elif model.case.method == "gls":
            values.append(normal_gfi(sample, implied, np.linalg.inv(sample.cov), given))
        else:
            observed = stack.vector(sample.cov, sample.mean, sample.thresholds)
            expected = stack.vector(implied.cov, implied.mean, implied.thresholds)
            unweighted = model.case.method == "uls"
            weights = np.ones(len(observed)) if unweighted else model.weights[g]
            values.append(weighted_gfi(observed, expected, weights))
    return pooled_gfi(values, [sample.n for sample in model.samples])


@pytest.mark.parametrize("name", CASES)
def test_gfi_agrees_with_lavaan(name: str) -> None:
    assert_allclose(gfi_of(fitted(name)), FITS[name].value("gfi"), rtol=0, atol=ATOL)


@pytest.mark.parametrize("name", LIKELIHOOD)
def test_loglik_agrees_with_lavaan(name: str) -> None:
    model = fitted(name)
    saturated = saturated_loglik(model.samples, model.covariates)
    assert_allclose(saturated, FITS[name].value("unrestricted.logl"), rtol=1e-10)
    n = sum(sample.n for sample in model.samples)
    per_respondent = model.fit.value / (n - 1 if model.case.method == "wishart" else n)
    loglik = saturated - n * per_respondent / 2
    assert_allclose(loglik, FITS[name].value("logl"), rtol=1e-10)


def test_missing_gfi_without_gaps_is_the_complete_one() -> None:
    model = fitted("cfa_ml_meanstructure_hs1939 fit")
    sample, implied = model.samples[0], model.fit.implied[0]
    assert sample.rows is not None
    complete = normal_gfi(sample, implied, np.linalg.inv(implied.cov))
    assert_allclose(missing_gfi(sample.rows, implied), complete, rtol=1e-12)


def test_pairwise_moments_agree_with_pandas() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(60, 4)) @ rng.normal(size=(4, 4)) + 100
    rows[rng.random(rows.shape) < 0.2] = np.nan
    frame = pd.DataFrame(rows).dropna(how="all")
    mean, cov = pairwise_moments(rows)
    assert_allclose(mean, frame.mean(), rtol=1e-13)
    assert_allclose(cov, frame.cov() * (len(frame) - 1) / len(frame), rtol=1e-9, atol=1e-12)


def test_what_is_not_defined_is_nan() -> None:
    assert isnan(agfi(1.0, 0, 10))
    assert isnan(critical_n(0.0, 0, 100))
    assert isnan(critical_n(0.0, 5, 100))
    assert isnan(mfi(np.inf, 5, 100))
    assert isnan(wrmr(np.nan, 20))


def test_hoelters_n_makes_the_misfit_just_significant() -> None:
    n = 301.0
    critical = critical_n(85.3, 24, n)
    assert_allclose(p_value(85.3 / n * (critical - 1), 24), 0.05, rtol=1e-12)
