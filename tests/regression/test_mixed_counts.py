"""Mixed models of counts against lme4, their properties, and what they refuse."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.special import polygamma

from collabsurvey.errors import (
    CollabSurveyError,
    DataError,
    FormulaError,
    NoVarianceError,
    OptionError,
    SingularFitWarning,
)
from collabsurvey.regression.generalized_linear import counts
from collabsurvey.regression.mixed_counts import mixed_counts
from support import REFERENCE, dataset

BEYOND_GOLD = {
    entry["id"]: entry
    for entry in json.loads((REFERENCE / "glmm.json").read_text(encoding="utf-8"))["entries"]
}


def cbpp() -> pd.DataFrame:
    return dataset("cbpp").astype({"herd": str, "period": str})


def meetings(
    n_groups: int = 60, size: int = 10, *, shape: float = np.inf, seed: int = 0
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(n_groups), size)
    x = rng.normal(size=len(school))
    months = rng.integers(1, 12, len(school))
    mean = months * np.exp(0.2 + 0.4 * x + 0.5 * rng.normal(size=n_groups)[school])
    if np.isfinite(shape):
        mean = mean * rng.gamma(shape, 1 / shape, len(school))
    return pd.DataFrame({"y": rng.poisson(mean), "x": x, "months": months, "school": school})


FORMULA = "y ~ x + offset(log(months)) + (1 | school)"


@pytest.mark.parametrize(("name", "n_quad"), [("poisson_laplace", 1), ("poisson_agq9", 9)])
def test_poisson_matches_lme4(name: str, n_quad: int) -> None:
    values = BEYOND_GOLD[name]["values"]
    formula = "incidence ~ period + offset(log(size)) + (1 | herd)"
    result = mixed_counts(formula, cbpp(), n_quad=n_quad)
    assert list(result.terms) == values["terms"]
    assert_allclose(result.coefficients, values["estimate"], rtol=1e-5)
    assert_allclose(result.std_errors, values["std_error"], rtol=1e-5)
    assert_allclose(result.theta, values["theta"], rtol=1e-6)
    loglik = result.fit["loglik" if n_quad == 1 else "loglik_lme4"]
    assert abs(loglik - values["loglik"]) < 1e-6
    first = result.group_names.index(values["level_first"])
    assert_allclose(result.modes[first], values["modes_first"], rtol=1e-5)
    assert_allclose(result.mode_sds[first], values["sd_first"], rtol=1e-5)


def test_recovers_what_made_the_data() -> None:
    result = mixed_counts(FORMULA, meetings(400, 10), n_quad=3)
    assert_allclose(result.coefficients, [0.2, 0.4], atol=4 * float(result.std_errors.max()))
    assert abs(result.variance_components["sdcor"][0] - 0.5) < 0.06
    assert 0.85 < result.fit["dispersion_ratio"] < 1.15
    assert any("no sign that rows vary more" in note for note in result.notes)


def test_extra_variation_is_seen_and_its_shape_recovered() -> None:
    data = meetings(400, 10, shape=2.0, seed=3)
    poisson = mixed_counts(FORMULA, data, n_quad=1)
    assert poisson.fit["dispersion_ratio"] > 2
    assert any("times too small; use family='negbin'" in note for note in poisson.notes)
    negbin = mixed_counts(FORMULA, data, family="negbin", n_quad=3)
    assert_allclose(negbin.fit["negbin_shape"], 2.0, rtol=0.15)
    assert negbin.fit["loglik"] > poisson.fit["loglik"] + 100
    assert negbin.fit["n_parameters"] == poisson.fit["n_parameters"] + 1
    assert negbin.std_errors[1] > 1.5 * poisson.std_errors[1]
    assert abs(negbin.variance_components["sdcor"][0] - 0.5) < 0.08


def test_without_extra_variation_the_negative_binomial_is_the_poisson() -> None:
    rng = np.random.default_rng(1)
    data = meetings().assign(y=rng.binomial(8, 0.4, 600))  # varies less than a Poisson
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFitWarning)
        poisson = mixed_counts("y ~ x + (1 | school)", data)
        negbin = mixed_counts("y ~ x + (1 | school)", data, family="negbin")
    assert negbin.fit["negbin_shape"] == np.inf
    assert_allclose(negbin.coefficients, poisson.coefficients, rtol=1e-8)
    assert any("no more than a Poisson model" in note for note in negbin.notes)


def test_more_points_converge() -> None:
    data = meetings(30, 5)
    best = mixed_counts(FORMULA, data, n_quad=41).fit["loglik"]
    for n_quad, error in ((1, 0.1), (7, 2e-3), (15, 1e-6), (25, 1e-8)):
        assert abs(mixed_counts(FORMULA, data, n_quad=n_quad).fit["loglik"] - best) < error


@settings(max_examples=5)
@given(seed=st.integers(0, 1000), family=st.sampled_from(["poisson", "negbin"]))
def test_order_of_rows_and_weights_as_repeats(seed: int, family: Any) -> None:
    data = meetings(20, 6, shape=3.0)
    data["w"] = np.random.default_rng(seed).integers(1, 4, len(data))
    repeated = data.loc[data.index.repeat(data["w"])].sample(frac=1, random_state=seed)
    a = mixed_counts(FORMULA, data, family=family, weights="w", n_quad=3)
    b = mixed_counts(FORMULA, repeated, family=family, n_quad=3)
    assert_allclose(b.coefficients, a.coefficients, rtol=1e-6, atol=1e-8)
    assert_allclose(b.covariance, a.covariance, rtol=1e-5, atol=1e-9)
    for key in ("loglik", "icc", "r2_marginal", "dispersion_ratio"):
        assert_allclose(b.fit[key], a.fit[key], rtol=1e-5)


def test_variance_of_a_row_is_nakagawas() -> None:
    data = meetings(shape=3.0)
    poisson = mixed_counts(FORMULA, data)
    mean = data["y"].mean()
    assert_allclose(poisson.fit["distribution_variance"], polygamma(1, mean), rtol=1e-10)
    negbin = mixed_counts(FORMULA, data, family="negbin")
    extra = 1 / (1 / mean + 1 / negbin.fit["negbin_shape"])
    assert_allclose(negbin.fit["distribution_variance"], polygamma(1, extra), rtol=1e-10)
    tau2, rest = negbin.random_covariance[0, 0], negbin.fit["distribution_variance"]
    assert_allclose(negbin.fit["icc"], tau2 / (tau2 + rest), rtol=1e-10)


def test_predictions_and_tables() -> None:
    data = meetings()
    result = mixed_counts(FORMULA, data)
    new = pd.DataFrame({"x": [0.0], "months": [2], "school": [5]})
    fixed = result.coefficients[0] + np.log(2)
    tau2 = result.random_covariance[0, 0]
    assert_allclose(result.predict(new, level="typical"), np.exp(fixed), rtol=1e-10)
    assert_allclose(result.predict(new), np.exp(fixed + tau2 / 2), rtol=1e-10)
    mode = result.modes[result.group_names.index("5"), 0]
    assert_allclose(result.predict(new, level="cluster", kind="link"), fixed + mode, rtol=1e-10)
    assert result.ratios.columns[1] == "rate_ratio"
    assert_allclose(result.population_average["rate_ratio"][1], result.ratios["rate_ratio"][0])
    for words in ("rate ratio", "Poisson", "trigamma"):
        assert words in result.summary()
    with pytest.raises(OptionError, match="kind='probability'"):
        result.predict(new, kind="probability")


REFUSED: dict[str, tuple[Any, str, type[CollabSurveyError], str]] = {
    "negative": (lambda d: d.assign(y=d["y"] - 9), FORMULA, DataError, "negative in .* rows"),
    "fraction": (lambda d: d.assign(y=d["y"] + 0.5), FORMULA, DataError, r"offset\(log"),
    "text": (lambda d: d.assign(y="often"), FORMULA, DataError, "is text"),
    "constant": (lambda d: d.assign(y=3), FORMULA, NoVarianceError, "only 3"),
    "cbind": (lambda d: d, "cbind(y, months) ~ x + (1 | school)", FormulaError, "one count"),
    "never at a level": (
        lambda d: d.assign(f=np.where(d.index % 4, "a", "b"), y=d["y"] * (d.index % 4 > 0)),
        "y ~ f + (1 | school)", DataError, "every row with f 'b' has a count of 0",
    ),
    "no exposure": (lambda d: d.assign(months=0), FORMULA, DataError, "logarithm of 0"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refuses_with_a_reason(case: str) -> None:
    change, formula, error, words = REFUSED[case]
    with pytest.raises(error, match=words):
        mixed_counts(formula, change(meetings()))


def test_refuses_an_unknown_family() -> None:
    with pytest.raises(OptionError, match="family='gamma'"):
        mixed_counts(FORMULA, meetings(), family="gamma")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="family='gamma'"):
        counts("y ~ x", meetings(), family="gamma")  # type: ignore[arg-type]
    with pytest.raises(FormulaError, match=r"use counts\(\)"):
        mixed_counts("y ~ x", meetings())
