"""Mixed models with several random terms against lme4 and lmerTest, and properties."""

from __future__ import annotations

import json
import re
import warnings
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.errors import (
    CollabSurveyError,
    DataError,
    FewClustersWarning,
    FormulaError,
    NotEnoughDataError,
    NotSupportedError,
    SingularFitWarning,
)
from collabsurvey.regression import MixedResult, compare, mixed, mixed_several, ols
from support import REFERENCE, dataset, gold, matrix

ENTRIES = {
    name: entry
    for name, entry in gold("08_mixed_models").items()
    if "theta" in entry["values"] and len(entry["values"]["ngroups"]) > 1
}


@cache
def fitted(name: str, df_method: Any = "satterthwaite") -> MixedResult:
    entry = ENTRIES[name]
    formula = re.search(r"lmer\((.*?), REML", entry["method"])
    assert formula
    data = dataset(entry["dataset"].removesuffix(".csv"))
    return mixed(formula[1], data, reml=entry["values"]["REML"], df_method=df_method)


def column(table: list[dict[str, Any]], name: str) -> np.ndarray:
    return np.array([row[name] for row in table], dtype=float)


def test_every_entry_of_several_factors_is_walked() -> None:
    assert {name.split("_")[0] for name in ENTRIES} == {"pastes", "star3", "penicillin", "scotssec"}
    assert len(ENTRIES) == 8


@pytest.mark.parametrize("name", ENTRIES)
def test_estimates_match_lmertest(name: str) -> None:
    values = ENTRIES[name]["values"]
    result = fitted(name)
    found, expected = result.estimates, values["fixed"]
    assert found["term"].tolist() == [row["_row"] for row in expected]
    assert_allclose(found["estimate"], column(expected, "Estimate"), rtol=1e-4)
    assert_allclose(found["std_error"], column(expected, "Std. Error"), rtol=1e-4)
    assert_allclose(found["df"], column(expected, "df"), rtol=1e-3)
    assert_allclose(found["statistic"], column(expected, "t value"), rtol=2e-4)
    assert_allclose(found["p_value"], column(expected, "Pr(>|t|)"), rtol=0, atol=1e-5)
    scale = np.sqrt(np.outer(np.diag(result.covariance), np.diag(result.covariance)))
    assert (np.abs(result.vcov - matrix(values["vcov_fixed"])) < 2e-4 * scale).all(axis=None)


@pytest.mark.parametrize("name", ENTRIES)
def test_fit_and_variances_match_lme4(name: str) -> None:
    values = ENTRIES[name]["values"]
    result = fitted(name)
    assert abs(result.fit["loglik"] - values["logLik"]) < 1e-6
    assert result.fit["loglik"] > values["logLik"] - 1e-10  # no stored optimum is better
    assert abs(result.fit["aic"] - values["AIC"]) < 2e-6
    assert abs(result.fit["bic"] - values["BIC"]) < 2e-6
    key = "reml_criterion" if values["REML"] else "deviance"
    assert abs(result.fit[key] - values["criterion"]) < 2e-6
    assert result.fit["n_parameters"] == values["df"]
    assert result.fit["n_obs"] == values["nobs"]
    assert result.fit["n_groups"] == values["ngroups"]
    assert list(result.fit["n_groups"]) == list(values["ngroups"])
    assert result.singular is values["singular"]
    assert result.fit["converged"]
    found = result.variance_components
    assert found["group"].tolist() == [row["grp"] for row in values["varcomp"]]
    assert_allclose(found["vcov"], column(values["varcomp"], "vcov"), rtol=1e-3)
    assert_allclose(found["sdcor"], column(values["varcomp"], "sdcor"), rtol=1e-3)
    assert_allclose(result.theta, list(values["theta"].values()), rtol=1e-3)
    assert_allclose(result.fit["sigma"], values["sigma"], rtol=1e-4)


@pytest.mark.parametrize("name", ENTRIES)
def test_modes_and_predictions_match_lme4(name: str) -> None:
    values = ENTRIES[name]["values"]
    result = fitted(name)
    modes = result.random_effects.set_index(["group", "level", "term"])
    for row in values["ranef_condsd_first"]:
        found = modes.loc[(row["grpvar"], row["grp"], row["term"])]
        assert_allclose(found["estimate"], row["condval"], rtol=1e-3)
        assert_allclose(found["conditional_sd"], row["condsd"], rtol=1e-4)
    for group, rows in values["ranef_first"].items():
        for row in rows:
            found = modes.loc[(group, row["_row"], "(Intercept)")]
            assert_allclose(found["estimate"], row["(Intercept)"], rtol=1e-3)
    data = dataset(ENTRIES[name]["dataset"].removesuffix(".csv"))
    assert_allclose(result.predict(data.head(5)), values["fitted_first5"], rtol=1e-4)


@pytest.mark.parametrize("name", ENTRIES)
def test_r2_icc_and_joint_tests_match(name: str) -> None:
    values = ENTRIES[name]["values"]
    result = fitted(name)
    expected = values["r2_nakagawa"]
    theirs = expected["R2_marginal.Marginal R2"]
    assert_allclose(result.fit["r2_marginal"], theirs, rtol=1e-3, atol=1e-12)
    assert_allclose(
        result.fit["r2_conditional"], expected["R2_conditional.Conditional R2"], rtol=1e-4
    )
    assert_allclose(result.fit["icc"], values["icc_performance"]["ICC_adjusted"], rtol=1e-3)
    conditional = values["icc_performance"]["ICC_conditional"]
    assert_allclose(result.fit["icc_conditional"], conditional, rtol=1e-3)
    for row in values.get("anova_typeIII_satterthwaite", []):
        found = result.wald(row["_row"]).iloc[0]
        assert_allclose(found["statistic"], row["F value"], rtol=3e-4)
        assert found["df1"] == row["NumDF"]
        assert_allclose(found["df2"], row["DenDF"], rtol=1e-3)
        assert_allclose(found["p_value"], row["Pr(>F)"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ENTRIES)
def test_wald_intervals_match_lme4(name: str) -> None:
    expected = matrix(ENTRIES[name]["values"]["confint_wald_fixed"]).to_numpy()
    found = fitted(name, "z").estimates[["ci_low", "ci_high"]].to_numpy()
    scale = np.abs(expected).max(axis=1, keepdims=True)
    assert (np.abs(found - expected) < 1e-4 * scale).all()


@pytest.mark.parametrize("name", [n for n, e in ENTRIES.items() if "ranova" in e["values"]])
def test_leaving_one_factor_out_matches_ranova(name: str) -> None:
    entry = ENTRIES[name]
    data = dataset(entry["dataset"].removesuffix(".csv"))
    for row in entry["values"]["ranova"][1:]:
        formula = fitted(name).formula.replace(f" + {row['_row']}", "")
        reduced = mixed(formula, data, reml=entry["values"]["REML"])
        assert abs(reduced.fit["loglik"] - row["logLik"]) < 1e-6


# Weights, slopes, several terms of one factor, multiple membership: mixed_several.R ------------

STORED = json.loads((REFERENCE / "mixed_several.json").read_text(encoding="utf-8"))["models"]
NAMES = [f"{m['formula']}, {'REML' if m['reml'] else 'ML'}" for m in STORED]


@pytest.mark.parametrize("stored", STORED, ids=NAMES)
def test_matches_lme4(stored: dict[str, Any]) -> None:
    data = dataset("mixed_several")
    weights = "w" if stored["weighted"] else None
    with warnings.catch_warnings():
        if stored["singular"]:
            warnings.simplefilter("ignore", SingularFitWarning)
        result = mixed(stored["formula"], data, reml=stored["reml"], weights=weights)
    assert result.fit["converged"]
    assert result.singular is stored["singular"]
    # rhoend 1e-9 leaves lme4 as close to the optimum as it can tell
    assert -1e-9 < result.fit["loglik"] - stored["loglik"] < 1e-7
    assert abs(result.fit["aic"] - stored["aic"]) < 1e-6
    assert abs(result.fit["bic"] - stored["bic"]) < 1e-6
    assert_allclose(result.coefficients, stored["estimate"], rtol=1e-5)
    assert_allclose(result.std_errors, stored["std_error"], rtol=1e-5)
    assert_allclose(result.df, stored["df"], rtol=1e-4)  # both from numerical Hessians
    assert_allclose(result.estimates["p_value"], stored["p_value"], rtol=0, atol=1e-5)
    components = result.variance_components
    several = "mm(" not in stored["formula"]
    if several:
        assert components["group"].tolist() == stored["group"]
    vcov = np.array(stored["vcov"])
    assert_allclose(components["vcov"], vcov, rtol=1e-3, atol=1e-6 * vcov[-1])
    assert_allclose(result.theta, stored["theta"], rtol=1e-3, atol=2e-5)
    assert_allclose(result.predict(data.head(8)), stored["fitted"], rtol=1e-5)
    modes = result.random_effects
    modes["group"] = modes["group"].replace("mm(school, second)", "s")
    modes = modes.set_index(["group", "term", "level"])
    theirs = pd.DataFrame(stored["ranef"])
    found = modes.loc[list(zip(theirs["group"], theirs["term"], theirs["level"], strict=True))]
    scale = theirs["estimate"].abs().max()
    assert_allclose(found["estimate"], theirs["estimate"], rtol=1e-3, atol=1e-5 * scale)
    assert_allclose(found["conditional_sd"], theirs["sd"], rtol=1e-3, atol=1e-5 * scale)


# Properties --------------------------------------------------------------------------------------


def simulated(seed: int, *, n: int = 240) -> pd.DataFrame:
    """Pupils in classes in schools, marked by raters, some in a second school."""
    rng = np.random.default_rng(seed)
    school = rng.integers(0, 16, n)
    room = rng.integers(0, 3, n)
    rater = rng.integers(0, 7, n)
    x = rng.normal(size=n)
    tau = [0.8 * rng.normal(size=16), 0.6 * rng.normal(size=(16, 3)), 0.5 * rng.normal(size=7)]
    y = 3 + 0.4 * x + tau[0][school] + tau[1][school, room] + tau[2][rater] + rng.normal(size=n)
    other = np.where(rng.random(n) < 0.4, rng.integers(0, 16, n), np.nan)
    return pd.DataFrame(
        {"y": y, "x": x, "school": school, "room": room, "rater": rater, "other": other}
    ).assign(a=rng.uniform(1, 5, n), b=rng.uniform(1, 5, n), w=rng.uniform(0.4, 2, n))


def with_slopes(seed: int) -> pd.DataFrame:
    """The same with a slope of x that differs between schools."""
    data = simulated(seed)
    slope = np.random.default_rng(seed + 1000).normal(size=16)
    return data.assign(y=data["y"] + 0.6 * slope[data["school"]] * data["x"])


def alike(a: MixedResult, b: MixedResult, *, rtol: float = 1e-6) -> None:
    """The same numbers, but for the order of the random terms."""
    assert_allclose(a.fit["loglik"], b.fit["loglik"], rtol=1e-10)
    assert_allclose(a.coefficients, b.coefficients, rtol=rtol, atol=1e-9)
    assert_allclose(a.std_errors, b.std_errors, rtol=rtol)
    assert_allclose(a.df, b.df, rtol=1e3 * rtol)
    keys = ["group", "term1", "term2"]
    ours, theirs = (
        r.variance_components.fillna("").sort_values(keys)["vcov"].to_numpy() for r in (a, b)
    )
    assert_allclose(ours, theirs, rtol=100 * rtol, atol=1e-6)


FORMULAS = (
    "y ~ x + (1 | school/room)",
    "y ~ x + (1 | school) + (1 | rater)",
    "y ~ x + (x | school) + (1 | room:school) + (1 | rater)",
    "y ~ x + (1 | mm(school, other, weights=(a, b))) + (1 | rater)",
)


@pytest.mark.filterwarnings("ignore::collabsurvey.errors.SingularFitWarning")
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 300), formula=st.sampled_from(FORMULAS))
def test_order_of_rows_and_terms_does_not_matter(seed: int, formula: str) -> None:
    data = simulated(seed)
    first, *parts = formula.split(" + ")
    turned = " + ".join([first, *parts[::-1]])
    a = mixed(formula, data)
    b = mixed(turned, data.sample(frac=1, random_state=seed))
    alike(a, b)
    assert_allclose(a.predict(data), b.predict(data), rtol=1e-6)


@pytest.mark.filterwarnings("ignore::collabsurvey.errors.SingularFitWarning")
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 300), formula=st.sampled_from(FORMULAS), scale=st.floats(1e-4, 1e4))
def test_scale_of_the_outcome(seed: int, formula: str, scale: float) -> None:
    data = simulated(seed)
    a = mixed(formula, data)
    b = mixed(formula, data.assign(y=scale * data["y"] - 100 * scale))
    assert_allclose(b.coefficients[1] / scale, a.coefficients[1], rtol=1e-6, atol=1e-8)
    assert_allclose(b.std_errors / scale, a.std_errors, rtol=1e-6)
    assert_allclose(b.df, a.df, rtol=1e-4)
    variances = a.variance_components["vcov"]
    assert_allclose(
        b.variance_components["vcov"] / scale**2, variances, rtol=1e-4, atol=1e-8 * variances.sum()
    )


@pytest.mark.parametrize("reml", [True, False])
def test_nested_is_written_in_two_ways(reml: bool) -> None:
    data = simulated(1)
    a = mixed("y ~ x + (1 | school/room)", data, reml=reml)
    b = mixed("y ~ x + (1 | school) + (1 | room:school)", data, reml=reml)
    alike(a, b, rtol=1e-10)
    assert a.variance_components["group"].tolist() == ["room:school", "school", "Residual"]
    # and with one name for each class, however it is written
    named = data.assign(cls=data["school"].astype(str) + "_" + data["room"].astype(str))
    c = mixed("y ~ x + (1 | school) + (1 | cls)", named, reml=reml)
    # the groups are sorted differently, so that the optimiser ends a digit away
    assert_allclose(c.covariance, a.covariance, rtol=1e-6)
    assert_allclose(c.variance_components["vcov"], a.variance_components["vcov"], rtol=1e-5)


def test_one_term_written_as_several_is_the_same() -> None:
    data = with_slopes(2)
    a = mixed("y ~ x + (x || school)", data, weights="w")
    b = mixed("y ~ x + (1 | school) + (0 + x | school)", data, weights="w")
    alike(a, b)
    assert a.variance_components["group"].tolist() == ["school", "school.1", "Residual"]
    for key in ("icc", "r2_marginal", "r2_conditional", "loglik_without_random", "n_parameters"):
        assert_allclose(a.fit[key], b.fit[key], rtol=1e-7)
    assert_allclose(a.predict(data), b.predict(data), rtol=1e-7)
    ours = a.random_effects.set_index(["level", "term"])["conditional_sd"]
    theirs = b.random_effects.set_index(["level", "term"])["conditional_sd"]
    assert_allclose(ours, theirs.loc[ours.index], rtol=1e-6)


@pytest.mark.filterwarnings("ignore::collabsurvey.errors.SingularFitWarning")
def test_a_factor_without_variance_leaves_the_other_model() -> None:
    data = simulated(3)
    rng = np.random.default_rng(3)
    data["noise"] = rng.permutation(np.arange(len(data)) % 12)
    for name in ("noise", "noise:school"):
        groups = [data[part] for part in name.split(":")]
        outcome = data["y"] - data.groupby(groups)["y"].transform("mean") * 0.999
        flat = data.assign(y=outcome)
        both = mixed(f"y ~ x + (1 | rater) + (1 | {name})", flat)
        alone = mixed("y ~ x + (1 | rater)", flat)
        assert both.singular
        assert f"the variance of (Intercept) between groups of {name} is zero" in both.summary()
        assert_allclose(both.fit["loglik"], alone.fit["loglik"], rtol=1e-9)
        assert_allclose(both.coefficients, alone.coefficients, rtol=1e-5)
        assert_allclose(both.std_errors, alone.std_errors, rtol=1e-5)
        assert_allclose(both.df, alone.df, rtol=1e-3)


def test_no_variance_anywhere_equals_ols() -> None:
    data = simulated(4)
    rng = np.random.default_rng(4)
    x, g, h = data["x"], data["school"], data["rater"]
    y = x + rng.normal(size=len(data))
    for _ in range(60):  # no mean of any group is left
        y = y - y.groupby(g).transform("mean")
        y = y - y.groupby(h).transform("mean")
    data["y"] = y
    with pytest.warns(
        SingularFitWarning, match=r"groups of school is zero; .*groups of rater is z"
    ):
        result = mixed("y ~ x + (1 | school) + (1 | rater)", data)
    plain = ols("y ~ x", data)
    assert (result.variance_components["vcov"][:2] == 0).all()
    assert_allclose(result.coefficients, plain.coefficients, rtol=1e-6, atol=1e-9)
    assert_allclose(result.std_errors, plain.std_errors, rtol=1e-6)
    assert_allclose(result.df, plain.df, rtol=1e-5)
    assert_allclose(result.fit["loglik"], result.fit["loglik_without_random"], rtol=1e-12)


# The criterion as it is defined, from the N x N covariance -----------------------------------


def indicator(codes: np.ndarray) -> np.ndarray:
    return (codes[:, None] == np.unique(codes[~np.isnan(codes)])).astype(float)


def membership(data: pd.DataFrame) -> np.ndarray:
    """Z of mm(school, other, weights=(a, b)), (n, 16)."""
    second = data["other"].notna()
    shares = np.where(second, data["a"] / (data["a"] + data["b"]), 1.0)
    own = indicator(data["school"].to_numpy(dtype=float)) * shares[:, None]
    return own + indicator(data["other"].to_numpy()) * (1 - shares[:, None])


def minus_twice_loglik(
    y: np.ndarray, x: np.ndarray, v: np.ndarray, *, reml: bool
) -> tuple[float, np.ndarray, np.ndarray]:
    inverse = np.linalg.inv(v)
    information = x.T @ inverse @ x
    beta = np.linalg.solve(information, x.T @ inverse @ y)
    e = y - x @ beta
    total = np.linalg.slogdet(v)[1] + e @ inverse @ e + len(y) * np.log(2 * np.pi)
    if reml:
        total += np.linalg.slogdet(information)[1] - x.shape[1] * np.log(2 * np.pi)
    return float(total), beta, np.linalg.inv(information)


@pytest.mark.parametrize("reml", [True, False])
def test_multiple_membership_is_the_best_dense_fit(reml: bool) -> None:
    data = with_slopes(5)
    formula = "y ~ x + (x | mm(school, other, weights=(a, b))) + (1 | rater)"
    result = mixed(formula, data, weights="w", reml=reml)
    x = np.column_stack((np.ones(len(data)), data["x"]))
    z = membership(data)
    rater = indicator(data["rater"].to_numpy(dtype=float))
    school_part, rater_part = result.parts
    assert school_part.group == "mm(school, other)"

    def covariance(tau: np.ndarray, rho: float, sigma2: float) -> np.ndarray:
        effects = np.hstack((z, z * x[:, 1:]))
        d = np.kron(tau, np.eye(16))
        noise = np.diag(sigma2 / data["w"].to_numpy())
        return effects @ d @ effects.T + rho * rater @ rater.T + noise

    tau = np.array(school_part.covariance)
    rho, sigma2 = float(rater_part.covariance[0, 0]), result.fit["sigma"] ** 2
    y = data["y"].to_numpy()
    best, beta, vcov = minus_twice_loglik(y, x, covariance(tau, rho, sigma2), reml=reml)
    assert_allclose(-2 * result.fit["loglik"], best, rtol=1e-10)
    assert_allclose(result.coefficients, beta, rtol=1e-8)
    assert_allclose(result.covariance, vcov, rtol=1e-8)
    # no variance nearby does better
    for change in (0.98, 1.02):
        for i, j in ((0, 0), (0, 1), (1, 1)):
            moved = np.array(tau)
            moved[i, j] = moved[j, i] = tau[i, j] * change
            v = covariance(moved, rho, sigma2)
            assert minus_twice_loglik(y, x, v, reml=reml)[0] > best
        assert minus_twice_loglik(y, x, covariance(tau, rho * change, sigma2), reml=reml)[0] > best
        assert minus_twice_loglik(y, x, covariance(tau, rho, sigma2 * change), reml=reml)[0] > best


def test_share_of_variance_of_several_memberships() -> None:
    data = simulated(6)
    result = mixed("y ~ x + (1 | mm(school, other, weights=(a, b)))", data)
    tau2, sigma2 = result.variance_components["vcov"]
    per_row = tau2 * (membership(data) ** 2).sum(axis=1).mean()
    assert_allclose(result.fit["icc"], per_row / (per_row + sigma2), rtol=1e-9)


def test_multiple_membership_with_one_group_each_is_an_ordinary_factor() -> None:
    data = simulated(7).assign(other=lambda d: d["school"])
    a = mixed("y ~ x + (1 | mm(school, other))", data)
    b = mixed("y ~ x + (1 | school)", data)
    assert_allclose(a.fit["loglik"], b.fit["loglik"], rtol=1e-12)
    assert_allclose(a.covariance, b.covariance, rtol=1e-6)  # two optimisers
    assert_allclose(a.df, b.df, rtol=1e-4)
    missing = data.assign(other=np.nan)
    c = mixed("y ~ x + (1 | mm(school, other))", missing)
    assert_allclose(c.covariance, a.covariance, rtol=1e-10)


def test_rows_without_any_membership_are_left_out() -> None:
    data = simulated(8)
    data.loc[:9, "school"] = np.nan
    lost = int(data.loc[:9, "other"].isna().sum())
    assert 0 < lost < 10
    result = mixed("y ~ x + (1 | mm(school, other))", data)
    assert result.fit["n_dropped"] == lost
    predicted = result.predict(data)
    assert predicted.isna().sum() == lost


# Engines, predictions, words ----------------------------------------------------------------------


def test_engines_agree(engine: Any) -> None:
    data = simulated(9).assign(school=lambda d: "s" + d["school"].astype(str))
    data["other"] = [None if np.isnan(v) else f"s{v:.0f}" for v in data["other"]]
    data.loc[::30, "x"] = np.nan
    formula = "y ~ x + (1 | mm(school, other, weights=(a, b))) + (x | rater)"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFitWarning)
        expected = mixed(formula, data)
        other = engine(data)
        result = mixed(formula, other)
    pd.testing.assert_frame_equal(result.estimates, expected.estimates, rtol=1e-10)
    pd.testing.assert_frame_equal(result.random_effects, expected.random_effects, rtol=1e-8)
    predicted = np.asarray(result.predict(other), dtype=float)
    assert_allclose(predicted, expected.predict(data), rtol=1e-10)


def test_unknown_groups_of_one_factor_are_predicted_at_its_average() -> None:
    data = simulated(10)
    result = mixed("y ~ x + (1 | school) + (1 | rater)", data)
    new = data.head(4).assign(rater=99)
    modes = result.random_effects
    schools = modes[modes["group"] == "school"].set_index("level")["estimate"]
    expected = result.predict(new, random_effects=False) + [
        schools[str(code)] for code in new["school"]
    ]
    assert_allclose(result.predict(new), expected, rtol=1e-12)
    assert_allclose(
        result.predict(new.assign(school=-1)), result.predict(new, random_effects=False)
    )


@pytest.mark.parametrize("df_method", ["satterthwaite", "z"])
def test_interval_of_the_mean(df_method: Any) -> None:
    data = simulated(11)
    result = mixed("y ~ x + (1 | school) + (1 | rater)", data, df_method=df_method)
    # the mean at x = 2 is the intercept where x is counted from 2
    shifted = mixed(
        "y ~ I(x - 2) + (1 | school) + (1 | rater)", data, df_method=df_method
    ).estimates.iloc[0]
    new = pd.DataFrame({"x": [2.0, np.nan]}, index=["a", "b"])
    found = result.predict_mean(new)
    assert found.index.tolist() == ["a", "b"]
    for name in ("estimate", "std_error", "df", "ci_low", "ci_high"):
        assert_allclose(found.loc["a", name], shifted[name], rtol=1e-5)
    assert found.loc["b"].isna().all()
    narrower = result.predict_mean(new, conf_level=0.5).loc["a"]
    assert narrower["ci_low"] > found.loc["a", "ci_low"]


def test_result_shows_itself() -> None:
    data = simulated(12)
    result = mixed("y ~ x + (1 | school/room) + (1 | rater)", data, weights="w")
    text = result.summary()
    assert text.startswith("Mixed model of y by room:school and school and rater (REML)")
    assert "240 rows in 48 groups of room:school and 16 groups of school and 7 groups" in text
    assert "Between groups of room:school: (Intercept) SD" in text
    assert "Weighted by w" in text
    assert list(result.fit["n_groups"]) == ["room:school", "school", "rater"]
    assert result.optimiser.method == "BFGS, then Newton"
    with pytest.raises(NotSupportedError, match=r"\.modes of a model with several random terms"):
        _ = result.modes


def test_single_rows_and_single_classes_are_noted() -> None:
    data = simulated(13)
    data.loc[data["school"] < 3, "room"] = 0
    data = data[(data["school"] != 5) | (data["room"] != 1)]
    data = pd.concat([data, data[data["school"] == 5].head(1).assign(room=1)])
    result = mixed("y ~ x + (1 | school/room)", data)
    notes = " ".join(result.notes)
    assert "2 of 41 groups of room:school have a single row" in notes
    assert "3 of 16 groups of school hold a single group of room:school" in notes


def test_too_many_effects_of_crossed_factors_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixed_several, "MOST_DENSE", 6)
    with pytest.raises(NotSupportedError, match=r"7 random effects beside .* \(rater\)"):
        mixed("y ~ x + (1 | school) + (1 | rater)", simulated(16))


def test_compare_shows_the_groups_of_every_factor() -> None:
    data = simulated(17)
    models = [mixed(f"y ~ x + {part}", data) for part in ("(1 | school)", "(1 | school/room)")]
    cells = compare(models).table().columns
    row = list(cells["term"]).index("groups")
    assert cells["(1)"][row] == "16"
    assert cells["(2)"][row] == "47 room:school, 16 school"


def test_few_groups_of_one_factor_warn() -> None:
    data = simulated(14).assign(rater=lambda d: d["rater"] % 3)
    with pytest.warns(FewClustersWarning, match=r"3 groups of rater .* in the fixed part"):
        mixed("y ~ x + (1 | school) + (1 | rater)", data, df_method="z")


MISTAKES = [
    ("y ~ x + (1 | school) + (1 | copy)", {}, DataError, "'copy' and 'school' divide the rows"),
    ("y ~ x + (1 | school/one)", {}, DataError, "'one:school' and 'school' divide the rows"),
    ("y ~ x + (1 | school) + (x | school)", {}, FormulaError, "stands in two random terms"),
    ("y ~ x + (1 | school) + (1 | one)", {}, NotEnoughDataError, "2 groups in 'one'; there are 1"),
    ("y ~ x + (1 | school) + (1 | id)", {}, NotEnoughDataError, "at least 241 rows; there are 240"),
    ("y ~ x + (f || school) + (1 | rater)", {}, NotSupportedError, r"\|\| with the factor 'f'"),
    ("y ~ x + (1 | school) + (1 | rater)", {"weights": "zero"}, DataError, "are 0 in 1 row, "),
    ("y ~ x + (1 | school)", {"weights": "zero"}, DataError, "are 0 in 1 row, "),
    ("y ~ x + (1 | school/room)", {"weights": "below"}, DataError, "'below' are negative"),
    ("y ~ x + (1 | mm(school, text))", {}, DataError, "columns of numbers and of text"),
    ("y ~ x + (1 | mm(school, other, weights=(a, text)))", {}, DataError, "'text' are text"),
    ("y ~ x + (1 | mm(school, other, weights=(a, below)))", {}, DataError, "'below' are negative"),
    ("y ~ x + (1 | mm(school, other, weights=(gap, b)))", {}, DataError, "'gap' is missing in 5"),
    ("y ~ x + (1 | mm(school, rater, weights=(zero, zero)))", {}, DataError, "all 0 in 1 rows"),
    ("exact ~ x + (1 | school) + (1 | rater)", {}, DataError, "no residual to estimate"),
    ("exact2 ~ x + (1 | school/room)", {}, DataError, "no residual to estimate"),
]


@pytest.mark.parametrize(("formula", "options", "error", "sentence"), MISTAKES)
def test_mistakes_are_named(
    formula: str, options: dict[str, Any], error: type[CollabSurveyError], sentence: str
) -> None:
    data = simulated(15).assign(
        copy=lambda d: "c" + d["school"].astype(str),
        one="a",
        id=range(240),
        f=np.array(["p", "q"])[np.arange(240) % 2],
        text="t",
        zero=np.where(np.arange(240) == 7, 0.0, 1.0),
        below=-1.0,
        gap=np.where(np.arange(240) < 5, np.nan, 1.0),
        exact=lambda d: np.sin(d["school"]) + np.cos(d["rater"]) + d["x"],
        exact2=lambda d: np.sin(d["school"] + 3 * d["room"]),
    )
    with pytest.raises(error, match=sentence):
        mixed(formula, data, **options)
