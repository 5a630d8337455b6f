"""Mixed models with correlated residuals and a variance by wave, against nlme, and properties."""

from __future__ import annotations

import json
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey.errors import (
    CollabSurveyError,
    DataError,
    NotEnoughDataError,
    NotSupportedError,
    SingularFitWarning,
    UnknownNameError,
)
from collabsurvey.regression import MixedResult, influence, likelihood_ratio, mixed
from support import REFERENCE, dataset, gold

FITS = json.loads((REFERENCE / "residual_structures.json").read_text(encoding="utf-8"))["fits"]


def sleep() -> pd.DataFrame:
    data = dataset("sleepstudy")
    data["moment"] = data["Days"] * (data["Days"] + 3) / 4
    data["late"] = np.where(data["Days"] > 6, "late", "early")
    return data


def fitted(name: str) -> tuple[MixedResult, dict[str, Any]]:
    entry = FITS[name]
    data = sleep() if entry["data"] == "sleep" else dataset("univbct_long")
    return mixed(entry["formula"], data, residual=entry["residual"], reml=entry["reml"]), entry


def simulated(
    phi: float,
    *,
    seed: int = 3,
    n_groups: int = 400,
    sds: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0, 1.0),
    missed: float = 0.1,
) -> pd.DataFrame:
    """Groups over waves with a tenth missed: intercepts of SD 0.8, residuals of `sds`."""
    rng = np.random.default_rng(seed)
    shape = (n_groups, len(sds))
    e = rng.normal(size=shape)
    for t in range(1, shape[1]):
        e[:, t] = phi * e[:, t - 1] + np.sqrt(1 - phi**2) * e[:, t]
    x = rng.normal(size=shape)
    wave = np.tile(np.arange(shape[1]), n_groups)
    y = 1 + 0.5 * x + 0.8 * rng.normal(size=(n_groups, 1)) + e * np.array(sds)
    data = pd.DataFrame(
        {
            "y": y.ravel(),
            "x": x.ravel(),
            "wave": wave,
            "g": np.repeat(np.arange(n_groups), shape[1]),
        }
    )
    return data[rng.random(len(data)) > missed].reset_index(drop=True)


def test_gold_of_nlme() -> None:
    values = gold("08_mixed_models")["nlme_ar1_univbct"]["values"]
    result = mixed(
        "JSAT ~ TIME + (1 | SUBNUM)", dataset("univbct_long"), residual="ar1(TIME, gaps=ignored)"
    )
    table = pd.DataFrame(values["tTable"])
    assert result.fit["n_obs"] == values["n"]
    assert_allclose(result.fit["loglik"], values["logLik"], atol=1e-6)
    assert_allclose(result.coefficients, table["Value"], rtol=1e-4)
    assert_allclose(result.std_errors, table["Std.Error"], rtol=1e-4)
    assert_allclose(result.estimates["statistic"], table["t-value"], rtol=1e-4)
    assert_allclose(result.fit["sigma"], values["sigma"], rtol=1e-3)
    assert_allclose(result.residual_parameters["estimate"][0], values["phi"]["Phi"], rtol=1e-3)
    assert_allclose(np.sqrt(result.random_covariance[0, 0]), values["random_sd"], rtol=1e-3)
    # nlme counts rows less groups; ours are Satterthwaite's, fewer, and the p-values near.
    assert (result.df < table["DF"]).all()
    assert_allclose(result.estimates["p_value"][1], table["p-value"][1], atol=5e-4)


@pytest.mark.parametrize("name", FITS)
def test_estimates_match_nlme(name: str) -> None:
    result, entry = fitted(name)
    assert_allclose(result.fit["loglik"], entry["loglik"], atol=1e-6)
    assert result.fit["n_parameters"] == entry["n_parameters"]
    assert_allclose(result.fit["aic"], entry["aic"], atol=2e-6)
    assert_allclose(result.coefficients, entry["estimate"], rtol=1e-5)
    # nlme enlarges the errors of maximum likelihood by sqrt(n / (n - p)).
    n, p = result.fit["n_obs"], len(result.terms)
    enlarged = 1.0 if entry["reml"] else np.sqrt(n / (n - p))
    assert_allclose(result.std_errors * enlarged, entry["std_error"], rtol=1e-5)
    random = np.array(entry["random"])
    assert_allclose(result.random_covariance, random, rtol=1e-4, atol=1e-6 * random.max())
    found = result.residual_parameters.set_index("parameter")
    sds = np.atleast_1d(found["estimate"]["sd"])
    ratios = entry["ratios"] or {"all": 1.0}
    assert_allclose(sds, entry["sigma"] * np.array(list(ratios.values())), rtol=1e-4)
    if entry["phi"] is not None:
        assert_allclose(found["estimate"]["phi"], entry["phi"], rtol=1e-4)
    if entry["ratios"]:
        assert np.atleast_1d(found["level"]["sd"]).tolist() == list(ratios)


@pytest.mark.parametrize("name", FITS)
def test_intervals_are_near_those_of_nlme(name: str) -> None:
    # nlme's Hessian is a rough difference: its phi of the two models of one data set are off by
    # 2 % to opposite sides. Ours is checked against dense matrices in tests/numerics.
    result, entry = fitted(name)
    limits = result.residual_parameters[["ci_low", "ci_high"]].to_numpy()
    is_phi = (result.residual_parameters["parameter"] == "phi").to_numpy()
    if entry["phi"] is not None:
        assert_allclose(limits[is_phi][0], entry["phi_limits"], rtol=0.03)
    assert_allclose(limits[~is_phi][0], entry["sigma_limits"], rtol=0.03)


@pytest.mark.parametrize("name", ["both", "by_wave", "slope"])
def test_predictions_match_nlme(name: str) -> None:
    result, entry = fitted(name)
    data = sleep() if entry["data"] == "sleep" else dataset("univbct_long").dropna(subset="JSAT")
    # nlme stopped where its variances are off by up to 4e-5.
    assert_allclose(result.predict(data)[:6], entry["fitted"], rtol=2e-5)
    mean = result.predict_mean(data.head(3))
    assert_allclose(mean["estimate"], result.predict(data.head(3), random_effects=False))
    assert (mean["df"] < len(data)).all()


@pytest.mark.parametrize("phi", [0.5, 0.0, -0.4])
def test_correlation_is_recovered_over_missed_waves(phi: float) -> None:
    result = mixed("y ~ x + wave + (1 | g)", simulated(phi), residual="ar1(wave)")
    row = result.residual_parameters.iloc[0]
    assert abs(row["estimate"] - phi) < 3 * row["std_error"]
    assert row["ci_low"] < row["estimate"] < row["ci_high"]
    assert result.fit["converged"]
    assert (result.residual_test["p_value"][0] < 0.001) == (phi != 0)


def test_standard_deviations_are_recovered() -> None:
    sds = (1.0, 0.5, 2.0, 1.0, 1.5)
    data = simulated(0.4, sds=sds)
    result = mixed("y ~ x + wave + (1 | g)", data, residual="ar1(wave) + by(wave)")
    found = result.residual_parameters.iloc[1:]
    assert (abs(found["estimate"] - np.array(sds)) < 3 * found["std_error"]).all()
    mean = np.mean(found["estimate"].to_numpy()[data["wave"]] ** 2)
    assert_allclose(result.fit["sigma"], np.sqrt(mean), rtol=1e-10)
    tau2 = float(result.random_covariance[0, 0])
    assert_allclose(result.fit["icc"], tau2 / (tau2 + mean), rtol=1e-10)
    assert_allclose(result.theta[0] * result.fit["sigma"], np.sqrt(tau2), rtol=1e-10)


def test_the_test_is_against_the_plain_model() -> None:
    data = simulated(0.3)
    for reml in (True, False):
        plain = mixed("y ~ x + (1 | g)", data, reml=reml)
        result = mixed("y ~ x + (1 | g)", data, reml=reml, residual="ar1(wave) + by(wave)")
        test = result.residual_test.iloc[0]
        expected = 2 * (result.fit["loglik"] - plain.fit["loglik"])
        assert_allclose(test["statistic"], expected, atol=1e-6)
        assert test["df1"] == 5


def test_order_of_rows_and_unit_of_time_do_not_matter() -> None:
    data = simulated(0.5, n_groups=80)
    result = mixed("y ~ x + (1 | g)", data, residual="ar1(wave) + by(wave)")
    shuffled = data.sample(frac=1, random_state=1)
    again = mixed("y ~ x + (1 | g)", shuffled, residual="ar1(wave) + by(wave)")
    assert_allclose(again.fit["loglik"], result.fit["loglik"], atol=1e-8)
    assert_allclose(again.df, result.df, rtol=1e-5)
    plain = mixed("y ~ x + (1 | g)", data, residual="ar1(wave)")
    months = mixed("y ~ x + (1 | g)", data.assign(wave=6 * data["wave"]), residual="ar1(wave)")
    assert_allclose(months.fit["loglik"], plain.fit["loglik"], atol=1e-8)
    phi = [r.residual_parameters["estimate"][0] for r in (months, plain)]
    assert_allclose(phi[0] ** 6, phi[1], rtol=1e-5)


def test_weights_enter_the_residual_variance() -> None:
    # A weight is a known ratio of variances: as by() with a ratio of 2 between the halves.
    data = simulated(0.0, n_groups=100).assign(w=lambda d: np.where(d["wave"] < 2, 1.0, 4.0))
    weighted = mixed("y ~ x + (1 | g)", data, weights="w", residual="by(wave)")
    free = mixed("y ~ x + (1 | g)", data, residual="by(wave)")
    assert_allclose(weighted.fit["loglik"], free.fit["loglik"], atol=1e-7)
    assert_allclose(weighted.std_errors, free.std_errors, rtol=1e-5)
    found = [r.residual_parameters["estimate"].to_numpy() for r in (weighted, free)]
    assert_allclose(found[0] / found[1], [1, 1, 2, 2, 2], rtol=1e-4)


def test_structures_may_be_quoted_and_spaced() -> None:
    data = simulated(0.3, n_groups=60).rename(columns={"wave": "the wave"})
    formula = "y ~ x + (1 | g)"
    found = mixed(formula, data, residual=" ar1(`the wave`,gaps = 'counted')+by(`the wave`) ")
    assert found.residual is not None
    assert found.residual.structure.columns == ("the wave", "the wave")


def test_words_say_what_was_assumed() -> None:
    result, _ = fitted("both")
    text = result.summary()
    assert "correlated over TIME (first-order autoregression): 0.435 at a distance of one" in text
    assert "Residual SD by TIME: 0.876 (0), 0.827 (1), 0.733 (2)" in text
    ignored = fitted("gaps_ignored")[0].summary()
    assert "gaps in TIME are ignored" in ignored
    assert "sought above 0" in fitted("continuous")[0].summary()
    again = pickle.loads(pickle.dumps(result))
    pd.testing.assert_frame_equal(again.residual_parameters, result.residual_parameters)


def test_a_phi_above_zero_is_tested_at_its_boundary() -> None:
    result, _ = fitted("continuous")
    test = result.residual_test.iloc[0]
    plain = mixed("Reaction ~ Days + (1 | Subject)", sleep())
    assert_allclose(test["statistic"], 2 * (result.fit["loglik"] - plain.fit["loglik"]), atol=1e-6)
    assert 0 < test["p_value"] < 1e-8


def test_parameters_at_their_limit_are_named() -> None:
    rng = np.random.default_rng(1)
    data = simulated(0, n_groups=30, missed=0)
    alternating = np.where(data["wave"] % 2, 1, -1) * rng.normal(size=30)[data["g"]]
    data["y"] = alternating + 0.001 * rng.normal(size=len(data))
    with pytest.warns(SingularFitWarning, match="correlation of residuals over wave is at its li"):
        result = mixed("y ~ x + (1 | g)", data, residual="ar1(wave)")
    assert result.singular
    assert np.isnan(result.residual_parameters["std_error"][0])
    data["y"] = rng.normal(size=30)[data["g"]] + rng.normal(size=len(data))
    data.loc[data["wave"] == 3, "y"] *= 1e-9
    with pytest.warns(SingularFitWarning, match="the residual variance of wave 3 is a millionth"):
        mixed("y ~ 0 + C(wave) + (1 | g)", data, residual="by(wave)")


def test_groups_of_one_row_are_counted() -> None:
    data = simulated(0.5, n_groups=60)
    single = pd.DataFrame({"y": [1.0, 0.3], "x": [0.1, 0.2], "wave": [2, 0], "g": [900, 901]})
    result = mixed("y ~ x + (1 | g)", pd.concat((data, single)), residual="ar1(wave)")
    assert result.fit["n_groups"] == data["g"].nunique() + 2
    assert "have a single row" in result.summary()


def test_rows_without_a_time_are_left_out() -> None:
    data = simulated(0.5, n_groups=60).astype({"wave": float})
    data.loc[:4, "wave"] = np.nan
    result = mixed("y ~ x + (1 | g)", data, residual="ar1(wave)")
    assert result.fit["n_dropped"] == 5
    assert "wave 5" in result.summary()


@pytest.mark.parametrize(
    ("change", "residual", "error", "words"),
    [
        ({"wave": "text"}, "ar1(wave)", DataError, "'wave' is text"),
        ({"wave": 1}, "ar1(wave)", DataError, "the same 'wave' as another of their 'g'"),
        ({"wave": 1}, "by(wave)", NotEnoughDataError, "at least 2 values of 'wave'; there are 1"),
        ({}, "by(x)", DataError, "at least 2 rows of each value"),
        ({}, "ar1(nope)", UnknownNameError, "no column 'nope'"),
        ({}, "ar1", NotSupportedError, r"residual='ar1' is not .* Write \"ar1\(time\)\""),
        ({}, "ar1(wave) + ar1(wave)", NotSupportedError, "Write"),
        ({}, "ar1(wave) * by(wave)", NotSupportedError, "Write"),
        ({}, "by(__import__('os'))", NotSupportedError, "Write"),
        ({}, "ar1(wave, gaps=none)", NotSupportedError, "Write"),
        ({}, "", NotSupportedError, "Write"),
    ],
)
def test_bad_input(
    change: dict[str, Any], residual: str, error: type[CollabSurveyError], words: str
) -> None:
    data = simulated(0.3, n_groups=30).assign(**change)
    with pytest.raises(error, match=words):
        mixed("y ~ x + (1 | g)", data, residual=residual)


def test_too_few_waves_for_what_is_asked() -> None:
    data = simulated(0.3, n_groups=30, missed=0)
    with pytest.raises(NotEnoughDataError, match="at least 3 rows of a g; there are 2"):
        mixed("y ~ x + (1 | g)", data[data["wave"] < 2], residual="ar1(wave)")
    of_three = data[data["wave"] < 3].assign(x2=lambda d: d["x"] ** 2)
    with pytest.raises(NotEnoughDataError, match="random effects"):
        mixed("y ~ x + (x + x2 | g)", of_three, residual="ar1(wave)")


def test_what_takes_residuals_as_independent_refuses() -> None:
    data = simulated(0.3, n_groups=30)
    plain = mixed("y ~ x + (1 | g)", data)
    result = mixed("y ~ x + (1 | g)", data, residual="ar1(wave)")
    with pytest.raises(DataError, match="residual="):
        _ = plain.residual_parameters
    with pytest.raises(NotSupportedError, match=r"residual='ar1\(wave\)'"):
        influence(result, data)
    with pytest.raises(NotSupportedError, match=r"residual='ar1\(wave\)'"):
        likelihood_ratio(mixed("y ~ 1 + (1 | g)", data), result)
    with pytest.raises(NotSupportedError, match="Satterthwaite"):
        mixed("y ~ x + (1 | g)", data, residual="ar1(wave)", df_method="kenward-roger")
    with pytest.raises(NotSupportedError, match="several grouping factors"):
        mixed("y ~ x + (1 | g) + (1 | wave)", data, residual="ar1(wave)")


def test_wald_and_normal_tests_rest_on_the_same_covariance() -> None:
    data = simulated(0.3, n_groups=60)
    result = mixed("y ~ x + wave + (1 | g)", data, residual="ar1(wave)")
    wald = result.wald("x").iloc[0]
    row = result.estimates.set_index("term").loc["x"]
    assert_allclose(wald["statistic"], row["statistic"] ** 2, rtol=1e-10)
    assert_allclose(wald["df2"], row["df"], rtol=1e-8)
    normal = mixed("y ~ x + wave + (1 | g)", data, residual="ar1(wave)", df_method="z")
    assert_allclose(normal.std_errors, result.std_errors, rtol=1e-12)
    assert np.isinf(normal.df).all()
