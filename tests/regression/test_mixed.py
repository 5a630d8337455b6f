"""Mixed models with one grouping factor against lme4 and lmerTest, and properties."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.errors import (
    CollabSurveyError,
    ConvergenceWarning,
    DataError,
    FewClustersWarning,
    FormulaError,
    NotEnoughDataError,
    NotSupportedError,
    OptionError,
    SingularFitWarning,
)
from collabsurvey.regression import MixedResult, mixed, ols
from support import dataset, gold, matrix

ALL = gold("08_mixed_models")
# One grouping factor and a normal outcome: the other entries are not part of this version.
ENTRIES = {
    name: entry
    for name, entry in ALL.items()
    if "theta" in entry["values"] and len(entry["values"]["ngroups"]) == 1
}
# lme4 stopped where the log-likelihood is 1e-7 below ours; its p-values are off in the fifth digit.
P_ATOL = {"exam_crosslevel_reml": 2e-5, "exam_rs_ml": 1.1e-5}
# performance 0.10 leaves the slope's variance out of models with ||.
NOT_JOHNSON = {"sleepstudy_rs_uncorr_reml", "sleepstudy_rs_uncorr_ml"}


def formula_of(entry: dict[str, Any]) -> str:
    """The formula of the R call; `within` and `gm` were made from the rows."""
    found = re.search(r"lmer\((.*?), REML", entry["method"])
    assert found
    text = re.sub(r"\bwithin\b", "within(standLRT, school)", found[1])
    return re.sub(r"\bgm\b", "between(standLRT, school)", text)


def fitted(name: str) -> MixedResult:
    entry = ENTRIES[name]
    data = dataset(entry["dataset"].removesuffix(".csv"))
    return mixed(formula_of(entry), data, reml=entry["values"]["REML"])


def column(table: list[dict[str, Any]], name: str) -> np.ndarray:
    return np.array([row[name] for row in table], dtype=float)


def test_every_linear_entry_of_one_factor_is_walked() -> None:
    assert len(ENTRIES) == 20
    left_out = set(ALL) - set(ENTRIES)
    assert all(
        name.split("_")[0]
        in {"pastes", "star3", "penicillin", "scotssec", "nlme", "contraception", "cbpp"}
        or name.startswith("clm")
        for name in left_out
    )


@pytest.mark.parametrize("name", ENTRIES)
def test_estimates_match_lmertest(name: str) -> None:
    values = ENTRIES[name]["values"]
    result = fitted(name)
    found = result.estimates
    expected = values["fixed"]
    assert_allclose(found["estimate"], column(expected, "Estimate"), rtol=1e-4)
    assert_allclose(found["std_error"], column(expected, "Std. Error"), rtol=1e-4)
    assert_allclose(found["df"], column(expected, "df"), rtol=1e-3)
    assert_allclose(found["statistic"], column(expected, "t value"), rtol=2e-4)
    p_atol = P_ATOL.get(name, 1e-5)
    assert_allclose(found["p_value"], column(expected, "Pr(>|t|)"), rtol=0, atol=p_atol)
    assert_allclose(result.vcov, matrix(values["vcov_fixed"]), rtol=4e-4, atol=1e-9)
    if not name.startswith(("exam_within", "exam_mundlak", "exam_cross")):
        assert found["term"].tolist() == [row["_row"] for row in expected]


@pytest.mark.parametrize("name", P_ATOL)
def test_where_p_values_differ_ours_is_the_better_optimum(name: str) -> None:
    assert fitted(name).fit["loglik"] > ENTRIES[name]["values"]["logLik"] + 1e-7


@pytest.mark.parametrize("name", ENTRIES)
def test_fit_and_variances_match_lme4(name: str) -> None:
    values = ENTRIES[name]["values"]
    result = fitted(name)
    assert abs(result.fit["loglik"] - values["logLik"]) < 1e-6
    assert abs(result.fit["aic"] - values["AIC"]) < 2e-6
    assert abs(result.fit["bic"] - values["BIC"]) < 2e-6
    key = "reml_criterion" if values["REML"] else "deviance"
    assert abs(result.fit[key] - values["criterion"]) < 2e-6
    assert result.fit["n_parameters"] == values["df"]
    assert result.fit["n_obs"] == values["nobs"]
    assert {result.group: result.fit["n_groups"]} == values["ngroups"]
    assert result.singular is values["singular"]
    assert result.fit["converged"]
    # No stored optimum is better than ours by more than rounding.
    assert result.fit["loglik"] > values["logLik"] - 1e-10
    found = result.variance_components
    assert_allclose(found["vcov"], column(values["varcomp"], "vcov"), rtol=1e-3)
    assert_allclose(found["sdcor"], column(values["varcomp"], "sdcor"), rtol=1e-3)
    assert found["group"].tolist() == [row["grp"] for row in values["varcomp"]]
    assert_allclose(result.theta, list(values["theta"].values()), rtol=1e-3)
    assert_allclose(result.fit["sigma"], values["sigma"], rtol=1e-4)


@pytest.mark.parametrize("name", ENTRIES)
def test_modes_and_predictions_match_lme4(name: str) -> None:
    values = ENTRIES[name]["values"]
    result = fitted(name)
    modes = result.random_effects.set_index(["level", "term"])
    named = {"within": "within(standLRT, school)"}
    scale = modes["estimate"].abs().max()
    for row in values["ranef_condsd_first"]:
        found = modes.loc[(row["grp"], named.get(row["term"], row["term"]))]
        assert_allclose(found["estimate"], row["condval"], rtol=1e-3, atol=1e-4 * scale)
        assert_allclose(found["conditional_sd"], row["condsd"], rtol=1e-4)
    predicted = result.predict(dataset(ENTRIES[name]["dataset"].removesuffix(".csv")).head(5))
    assert_allclose(predicted, values["fitted_first5"], rtol=1e-4)


@pytest.mark.parametrize("name", ENTRIES)
def test_r2_icc_and_joint_tests_match(name: str) -> None:
    values = ENTRIES[name]["values"]
    result = fitted(name)
    if name not in NOT_JOHNSON:
        expected = values["r2_nakagawa"]
        for key, theirs in (("r2_marginal", "R2_marginal"), ("r2_conditional", "R2_conditional")):
            title = theirs[3:].capitalize()
            assert_allclose(
                result.fit[key], expected[f"{theirs}.{title} R2"], rtol=1e-4, atol=1e-12
            )
        icc = values["icc_performance"]
        assert_allclose(result.fit["icc"], icc["ICC_adjusted"], rtol=1e-3)
        assert_allclose(result.fit["icc_conditional"], icc["ICC_conditional"], rtol=1e-3)
    for row in values.get("anova_typeIII_satterthwaite", []):
        term = re.sub(r"\bwithin\b", "within(standLRT, school)", row["_row"])
        term = re.sub(r"\bgm\b", "between(standLRT, school)", term)
        found = result.wald(term).iloc[0]
        assert_allclose(found["statistic"], row["F value"], rtol=3e-4)
        assert found["df1"] == row["NumDF"]
        assert_allclose(found["df2"], row["DenDF"], rtol=1e-3)
        assert_allclose(found["p_value"], row["Pr(>F)"], rtol=0, atol=P_ATOL.get(name, 1e-5))


def test_uncorrelated_slopes_count_in_r2() -> None:
    data = dataset("sleepstudy")
    result = mixed("Reaction ~ Days + (Days || Subject)", data)
    tau = result.variance_components["vcov"]
    between = tau[0] + tau[1] * (data["Days"] ** 2).mean()  # Johnson (2014), eq. 10
    fixed = np.var(result.predict(data, random_effects=False), ddof=1)
    assert_allclose(result.fit["icc"], between / (between + tau[2]), rtol=1e-9)
    assert_allclose(
        result.fit["r2_conditional"], (fixed + between) / (fixed + between + tau[2]), rtol=1e-9
    )


@pytest.mark.parametrize("name", [n for n, e in ENTRIES.items() if "ranova" in e["values"]])
def test_leaving_the_random_part_out_matches_ranova(name: str) -> None:
    entry = ENTRIES[name]
    reduced = entry["values"]["ranova"][1]
    if "_rs_" in name:  # lmerTest takes the slope out first
        data = dataset(entry["dataset"].removesuffix(".csv"))
        formula = re.sub(r"\((\w+) \|", "(1 |", formula_of(entry))
        found = mixed(formula, data, reml=entry["values"]["REML"]).fit["loglik"]
    else:
        found = fitted(name).fit["loglik_without_random"]
    assert abs(found - reduced["logLik"]) < 1e-6


@pytest.mark.parametrize("name", ENTRIES)
def test_wald_intervals_match_lme4(name: str) -> None:
    entry = ENTRIES[name]
    data = dataset(entry["dataset"].removesuffix(".csv"))
    result = mixed(formula_of(entry), data, reml=entry["values"]["REML"], df_method="z")
    expected = matrix(entry["values"]["confint_wald_fixed"])
    scale = expected.abs().to_numpy().max(axis=1, keepdims=True)
    found = result.estimates[["ci_low", "ci_high"]].to_numpy()
    assert (np.abs(found - expected.to_numpy()) < 1e-4 * scale).all()


def simulated(
    seed: int, *, groups: int = 30, size: int = 12, tau: float = 0.7, slope: float = 0.4
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(groups), size)
    x = rng.normal(size=len(g))
    y = 2 + 0.5 * x + tau * rng.normal(size=groups)[g] + slope * rng.normal(size=groups)[g] * x
    return pd.DataFrame({"g": g, "x": x, "y": y + rng.normal(size=len(g))}).assign(
        z=rng.normal(size=len(g)), w=rng.uniform(0.3, 3, len(g))
    )


def minus_twice_loglik(data: pd.DataFrame, result: MixedResult, *, reml: bool) -> float:
    """The criterion from the N × N covariance, as it is defined."""
    x = np.column_stack((np.ones(len(data)), data["x"]))
    z = x[:, : len(result.random_terms)]
    same = data["g"].to_numpy()[:, None] == data["g"].to_numpy()
    v = same * (z @ result.random_covariance @ z.T)
    v += np.diag(result.fit["sigma"] ** 2 / data["w"])
    inverse = np.linalg.inv(v)
    information = x.T @ inverse @ x
    beta = np.linalg.solve(information, x.T @ inverse @ data["y"])
    assert_allclose(result.coefficients, beta, rtol=1e-8)
    assert_allclose(result.covariance, np.linalg.inv(information), rtol=1e-8)
    e = data["y"] - x @ beta
    n = len(data)
    total = np.linalg.slogdet(v)[1] + e @ inverse @ e + n * np.log(2 * np.pi)
    if reml:
        total += np.linalg.slogdet(information)[1] - 2 * np.log(2 * np.pi)
    return float(total)


@pytest.mark.parametrize("reml", [True, False])
def test_weighted_criterion_equals_the_definition(reml: bool) -> None:
    data = simulated(1)
    result = mixed("y ~ x + (x | g)", data, weights="w", reml=reml)
    expected = minus_twice_loglik(data, result, reml=reml)
    assert_allclose(-2 * result.fit["loglik"], expected, rtol=1e-10)
    # and no variance nearby does better
    for i, j in ((0, 0), (0, 1), (1, 1)):
        for change in (0.99, 1.01):
            moved = np.array(result.random_covariance)
            moved[i, j] = moved[j, i] = moved[i, j] * change
            x = np.column_stack((np.ones(len(data)), data["x"]))
            same = data["g"].to_numpy()[:, None] == data["g"].to_numpy()
            v = same * (x @ moved @ x.T) + np.diag(result.fit["sigma"] ** 2 / data["w"])
            inverse = np.linalg.inv(v)
            information = x.T @ inverse @ x
            e = data["y"] - x @ np.linalg.solve(information, x.T @ inverse @ data["y"])
            other = np.linalg.slogdet(v)[1] + e @ inverse @ e + len(data) * np.log(2 * np.pi)
            if reml:
                other += np.linalg.slogdet(information)[1] - 2 * np.log(2 * np.pi)
            assert other > expected


def test_engines_agree(engine: Any) -> None:
    data = dataset("exam")
    data.loc[::40, "standLRT"] = np.nan
    formula = "normexam ~ within(standLRT, school) + schgend + (standLRT | school)"
    expected = mixed(formula, data)
    other = engine(data)
    result = mixed(formula, other)
    pd.testing.assert_frame_equal(result.estimates, expected.estimates, rtol=1e-10)
    pd.testing.assert_frame_equal(
        result.variance_components, expected.variance_components, rtol=1e-10
    )
    predicted = np.asarray(result.predict(other), dtype=float)
    assert_allclose(predicted, expected.predict(data), rtol=1e-10)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 500), shift=st.floats(-1e4, 1e4), scale=st.floats(1e-3, 1e3))
def test_scale_order_and_labels_do_not_matter(seed: int, shift: float, scale: float) -> None:
    data = simulated(seed)
    moved = data.sample(frac=1, random_state=seed)
    moved = moved.assign(x=shift + scale * moved["x"], g="g" + (99 - moved["g"]).astype(str))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFitWarning)
        a = mixed("y ~ x + (x | g)", data)
        b = mixed("y ~ x + (x | g)", moved)
    assert_allclose(b.coefficients[1] * scale, a.coefficients[1], rtol=1e-4, atol=1e-5)
    assert_allclose(b.std_errors[1] * scale, a.std_errors[1], rtol=1e-4)
    assert_allclose(b.df[1], a.df[1], rtol=1e-3)
    # the REML criterion depends on the unit of x, by the log of it
    assert_allclose(b.fit["loglik"] + np.log(scale), a.fit["loglik"], atol=1e-5)
    ours = a.variance_components["vcov"].to_numpy()
    theirs = b.variance_components["vcov"].to_numpy()
    assert_allclose(theirs[1] * scale**2, ours[1], rtol=1e-3, atol=1e-6)


def test_no_variance_between_groups_is_singular_and_equals_ols() -> None:
    data = simulated(3, tau=0.0, slope=0.0)
    data["y"] -= data.groupby("g")["y"].transform("mean") * 0.99
    with pytest.warns(
        SingularFitWarning, match=r"variance of \(Intercept\) between groups of g is zero"
    ):
        result = mixed("y ~ x + (1 | g)", data)
    plain = ols("y ~ x", data)
    assert result.singular
    assert result.fit["singular"]
    assert result.fit["converged"]
    assert result.variance_components["vcov"][0] == 0.0
    assert_allclose(result.coefficients, plain.coefficients, rtol=1e-9)
    assert_allclose(result.std_errors, plain.std_errors, rtol=1e-9)
    assert_allclose(result.df, plain.df, rtol=1e-6)
    assert any("singular" in note for note in result.notes)


def test_perfect_correlation_is_singular() -> None:
    rng = np.random.default_rng(4)
    g = np.repeat(np.arange(25), 8)
    x = rng.normal(size=200)
    y = rng.normal(size=25)[g] * (1 + x) + rng.normal(size=200)
    with pytest.warns(
        SingularFitWarning, match=r"correlation of \(Intercept\) and x between groups of g is [+−]1"
    ):
        result = mixed("y ~ x + (x | g)", pd.DataFrame({"g": g, "x": x, "y": y}))
    assert_allclose(result.variance_components["sdcor"][2], 1.0, atol=1e-8)
    assert result.fit["converged"]


def test_hardly_any_residual_still_converges() -> None:
    data = simulated(4, slope=0.0)
    data["y"] = data.groupby("g")["y"].transform("mean") + 1e-4 * data["z"]
    result = mixed("y ~ x + (1 | g)", data)
    assert result.fit["converged"]
    assert result.fit["icc"] > 0.9999


def test_recovers_what_was_simulated() -> None:
    data = simulated(5, groups=400, size=20)
    result = mixed("y ~ x + (x | g)", data)
    tau = result.variance_components["sdcor"]
    # three standard errors of a standard deviation from 400 groups: 3 sd / sqrt(2 * 400)
    assert abs(tau[0] - 0.7) < 3 * 0.72 / np.sqrt(800) * 1.1
    assert abs(tau[1] - 0.4) < 3 * 0.45 / np.sqrt(800) * 1.1
    assert abs(result.fit["sigma"] - 1) < 0.03
    estimates = result.estimates
    assert (abs(estimates["estimate"] - [2, 0.5]) < 3.5 * estimates["std_error"]).all()


def test_slope_without_intercept_and_combined_groups() -> None:
    data = simulated(6).assign(h=lambda d: np.arange(len(d)) % 3)
    result = mixed("y ~ x + (0 + x | g)", data)
    assert result.random_terms == ("x",)
    combined = mixed("y ~ x + (1 | g:h)", data)
    both = data.assign(gh=data["g"].astype(str) + ":" + data["h"].astype(str))
    single = mixed("y ~ x + (1 | gh)", both)
    assert_allclose(combined.covariance, single.covariance, rtol=1e-9)
    assert combined.group == "g:h"
    assert set(combined.group_names) == set(single.group_names)
    assert_allclose(combined.predict(data), single.predict(both), rtol=1e-9)


def test_random_slopes_of_a_factor() -> None:
    data = simulated(7, groups=60).assign(f=lambda d: np.array(list("abc"))[np.arange(len(d)) % 3])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFitWarning)
        result = mixed("y ~ x + f + (1 + f | g)", data)
    assert result.random_terms == ("(Intercept)", "fb", "fc")
    assert result.fit["converged"]
    assert len(result.variance_components) == 7


def test_unknown_groups_are_predicted_at_the_average() -> None:
    data = simulated(8)
    result = mixed("y ~ x + (1 | g)", data)
    new = data.head(3).assign(g=1000)
    assert_allclose(result.predict(new), result.predict(new, random_effects=False))
    assert_allclose(result.predict(new), result.coefficients[0] + result.coefficients[1] * new["x"])
    new.loc[new.index[0], "g"] = np.nan
    assert np.isnan(result.predict(new).iloc[0])


@pytest.mark.parametrize(
    ("formula", "options", "error", "sentence"),
    [
        ("y ~ x", {}, FormulaError, r"needs a random term such as \(1 \| school\)"),
        ("y ~ x + (f || g)", {}, NotSupportedError, r"\|\| with the factor 'f'"),
        ("y ~ x + (1 | one)", {}, NotEnoughDataError, "at least 2 groups in 'one'; there are 1"),
        ("y ~ x + (1 | id)", {}, NotEnoughDataError, "needs at least 361 rows; there are 360"),
        ("y ~ x + (1 | g)", {"residual": "ar1"}, NotSupportedError, "residual='ar1'"),
        ("y ~ x + (1 | g)", {"df_method": "kenward"}, OptionError, "'satterthwaite', 'kenward-ro"),
        ("y ~ x + I(2 * x) + (1 | g)", {}, DataError, "follows exactly from the terms before"),
        ("I(x + 1) ~ x + (1 | g)", {}, DataError, "The terms give"),
    ],
)
def test_mistakes_are_named(
    formula: str, options: dict[str, Any], error: type[CollabSurveyError], sentence: str
) -> None:
    data = simulated(9).assign(one=1, id=range(360), h=lambda d: d["g"] % 4)
    data["f"] = np.array(["p", "q"])[np.arange(360) % 2]
    with pytest.raises(error, match=sentence):
        mixed(formula, data, **options)


def test_few_groups_warn() -> None:
    data = simulated(10, groups=4, size=40)
    with pytest.warns(FewClustersWarning, match="4 groups of g are too few"):
        mixed("y ~ x + (1 | g)", data)
    data = simulated(11, groups=5, size=40).assign(v=lambda d: (d["g"] > 2) * 1.0)
    with pytest.warns(FewClustersWarning, match="df are below 4"):
        mixed("y ~ v + (1 | g)", data)


def test_not_converging_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from collabsurvey.numerics import mixed as kernel

    monkeypatch.setattr(kernel, "DECREMENT", -1.0)
    with pytest.warns(ConvergenceWarning, match="another step would still lower the deviance"):
        result = mixed("y ~ x + (1 | g)", simulated(12))
    assert not result.fit["converged"]
    assert any("did not converge" in note for note in result.notes)


def test_result_shows_itself() -> None:
    result = mixed("y ~ x + (x | g)", simulated(13), weights="w")
    text = result.summary()
    assert text.startswith("Mixed model of y by g (REML)")
    assert "360 rows in 30 groups of g" in text
    assert "correlation (Intercept), x" in text
    assert "Weighted by w" in text
    assert result.random_effects.columns.tolist() == [
        "group",
        "level",
        "term",
        "estimate",
        "conditional_sd",
    ]
    assert "x" in result.chart().to_svg()
    assert result.optimiser.method == "L-BFGS-B, then Newton"
    assert result.optimiser.n_iterations > 0
    assert not result.modes.flags.writeable
