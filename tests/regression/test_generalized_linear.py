"""Logistic and count regression against R and statsmodels, and what they refuse."""

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
from scipy.special import expit

from collabsurvey.errors import (
    DataError,
    FewClustersWarning,
    FormulaError,
    NotEnoughDataError,
    OptionError,
)
from collabsurvey.regression.compare import compare
from collabsurvey.regression.generalized_linear import counts, logit
from support import REFERENCE, dataset

VALUES = {
    entry["id"]: entry["values"]
    for entry in json.loads((REFERENCE / "glmm.json").read_text(encoding="utf-8"))["entries"]
}
COUNT_FORMULA = "incidence ~ period + offset(log(size))"


def fitted(name: str, **options: Any) -> Any:
    if name == "logit":
        d = dataset("contraception").astype({"district": str})
        d = d.assign(use01=(d["use"] == "Y").astype(int), age10=d["age"] / 10)
        return logit("use01 ~ age10 + urban + livch", d, **options)
    herds = dataset("cbpp").astype({"herd": str, "period": str})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewClustersWarning)  # 15 herds
        return counts(COUNT_FORMULA, herds, family=name, **options)


def some(seed: int = 0, n: int = 500) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    d = pd.DataFrame({"g": rng.integers(0, 30, n), "x": rng.normal(size=n)})
    eta = 0.2 + 0.5 * d["x"] + 0.5 * rng.normal(size=30)[d["g"]]
    d["y"] = rng.binomial(1, expit(eta))
    d["c"] = rng.negative_binomial(2, 2 / (2 + np.exp(eta)))
    return d


@pytest.mark.parametrize("name", ["logit", "poisson", "negbin"])
def test_coefficients_match_r(name: str) -> None:
    values, result = VALUES[name], fitted(name)
    assert list(result.terms) == values["terms"]
    assert_allclose(result.coefficients, values["estimate"], rtol=1e-9)
    assert_allclose(result.fit["loglik"], values["loglik"], rtol=1e-10)
    assert_allclose(result.fit["aic"], values["aic"], rtol=1e-10)
    if name == "negbin":
        assert_allclose(result.fit["negbin_shape"], values["shape"], rtol=1e-8)


# MASS::glm.nb takes the shape as known, so errors of negbin are compared with statsmodels below.
@pytest.mark.parametrize("name", ["logit", "poisson"])
@pytest.mark.parametrize("cov", ["classical", "HC0", "HC1", "CR0", "CR1", "CR1S"])
def test_errors_match_sandwich(name: str, cov: str) -> None:
    cluster = {"logit": "district", "poisson": "herd"}[name] if cov.startswith("CR") else None
    result = fitted(name, cov=cov, cluster=cluster)
    assert_allclose(result.std_errors, VALUES[name][cov], rtol=1e-9)


@pytest.mark.parametrize("name", ["binomial", "poisson", "negbin"])
@pytest.mark.parametrize("cluster", [None, "g"])
def test_statsmodels_agrees(name: str, cluster: str | None) -> None:
    import statsmodels.api as sm

    data = some()
    x = sm.add_constant(data[["x"]])
    options: dict[str, Any] = {"tol": 1e-12} if name == "binomial" else {}
    if name == "negbin":
        model: Any = sm.NegativeBinomial(data["c"], x)
        options = {"method": "newton", "maxiter": 100, "tol": 1e-12, "disp": 0}
    elif name == "poisson":
        model = sm.GLM(data["c"], x, family=sm.families.Poisson())
    else:
        model = sm.GLM(data["y"], x, family=sm.families.Binomial())
    if cluster:
        options |= {"cov_type": "cluster", "cov_kwds": {"groups": data["g"]}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = model.fit(**options)
    if name == "binomial":
        ours = logit("y ~ x", data, cluster=cluster)
    else:
        ours = counts("c ~ x", data, family=name, cluster=cluster)  # type: ignore[arg-type]
    assert_allclose(ours.coefficients, theirs.params.to_numpy()[:2], rtol=1e-7)
    assert_allclose(ours.std_errors, theirs.bse.to_numpy()[:2], rtol=1e-6)
    assert_allclose(ours.fit["loglik"], theirs.llf, rtol=1e-10)


def test_clusters_give_t_with_one_df_less() -> None:
    data = some()
    naive, normal = (logit("y ~ x", data, cluster="g", df_method=m) for m in ("naive", "z"))
    assert (naive.estimates["df"] == 29).all()
    assert np.isinf(normal.estimates["df"]).all()
    assert naive.estimates["p_value"][1] > normal.estimates["p_value"][1]
    assert naive.wald("x")["test"][0] == "F"
    assert_allclose(naive.wald("x")["p_value"], naive.estimates["p_value"][1:], rtol=1e-8)
    assert "30 clusters of g" in naive.summary()


@settings(max_examples=15)
@given(seed=st.integers(0, 1000))
def test_grouped_equals_expanded(seed: int) -> None:
    rng = np.random.default_rng(seed)
    wide = pd.DataFrame({"x": rng.normal(size=40), "n": rng.integers(1, 6, 40)})
    wide["yes"] = rng.binomial(wide["n"], expit(0.4 * wide["x"]))
    wide["no"] = wide["n"] - wide["yes"]
    long = pd.concat([wide.assign(y=1, w=wide["yes"]), wide.assign(y=0, w=wide["no"])])
    grouped = logit("cbind(yes, no) ~ x", wide)
    weighted = logit("y ~ x", long, weights="w")
    assert_allclose(weighted.coefficients, grouped.coefficients, rtol=1e-8, atol=1e-10)
    assert_allclose(weighted.covariance, grouped.covariance, rtol=1e-8)


def test_predictions_ratios_and_tables() -> None:
    data = some()
    result = logit("y ~ x", data)
    assert_allclose(result.predict(data).mean(), data["y"].mean(), rtol=1e-9)
    assert_allclose(expit(result.predict(data, kind="link")), result.predict(data), rtol=1e-12)
    assert_allclose(result.ratios["odds_ratio"], np.exp(result.coefficients[1:]))
    assert "averaged" not in result.summary()
    assert "treat all rows as independent" in result.summary()
    assert result.plot().get_xscale() == "log"
    both = compare([result, logit("y ~ x", data, cluster="g")])
    assert "Logistic regression of y" in both.summary()


def test_counts_that_vary_more_say_so() -> None:
    data = some()
    plain = counts("c ~ x", data)
    assert plain.fit["dispersion_ratio"] > 1.2
    assert any("use family='negbin'" in note for note in plain.notes)
    robust = counts("c ~ x", data, cov="HC1")
    assert any("which the robust errors allow for" in note for note in robust.notes)
    less = counts("c ~ x", data.assign(c=np.arange(500) % 3), family="negbin")
    assert less.fit["negbin_shape"] == np.inf
    assert any("no more than a Poisson" in note for note in less.notes)


def test_refusals() -> None:
    data = some()
    with pytest.raises(FormulaError, match=r"use cs.regression.mixed_logit\(\)"):
        logit("y ~ x + (1 | g)", data)
    with pytest.raises(FormulaError, match=r"use cs.regression.mixed_counts\(\)"):
        counts("c ~ x + (1 | g)", data)
    with pytest.raises(OptionError, match=r"with cluster='g', cov='CR2'"):
        logit("y ~ x", data, cluster="g", cov="CR2")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="without cluster=, cov='CR1S'"):
        logit("y ~ x", data, cov="CR1S")
    with pytest.raises(OptionError, match="without cluster=, df_method='naive'"):
        logit("y ~ x", data, df_method="naive")
    with pytest.raises(NotEnoughDataError, match="2 clusters in 'g'"):
        logit("y ~ x", data.assign(g=1), cluster="g")
    with pytest.raises(DataError, match="perfect separation"):
        logit("y ~ x", data.assign(y=(data["x"] > 0).astype(int)))
    with pytest.warns(FewClustersWarning, match="6 clusters of g are few") as caught:
        logit("y ~ x", data.assign(g=data["g"] % 6), cluster="g")
    assert caught[0].filename == __file__
