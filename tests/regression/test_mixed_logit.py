"""Mixed logistic models against lme4, their properties, and what they refuse."""

from __future__ import annotations

import json
import pickle
import re
import warnings
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.special import expit

from collabsurvey.errors import (
    CollabSurveyError,
    DataError,
    FewClustersWarning,
    FormulaError,
    NotEnoughDataError,
    NotSupportedError,
    NoVarianceError,
    OptionError,
    SingularFitWarning,
)
from collabsurvey.regression.compare import compare
from collabsurvey.regression.generalized_linear import logit
from collabsurvey.regression.generalized_result import MixedGeneralizedResult
from collabsurvey.regression.mixed_logit import mixed_logit
from conftest import Engine
from support import REFERENCE, dataset, gold, matrix

ENTRIES = {
    name: entry
    for name, entry in gold("08_mixed_models").items()
    if name.startswith(("contraception", "cbpp"))
}
BEYOND_GOLD = {
    entry["id"]: entry
    for entry in json.loads((REFERENCE / "glmm.json").read_text(encoding="utf-8"))["entries"]
}


def contraception() -> pd.DataFrame:
    d = dataset("contraception").astype({"district": str})
    return d.assign(use01=(d["use"] == "Y").astype(int), age10=d["age"] / 10)


def cbpp() -> pd.DataFrame:
    d = dataset("cbpp").astype({"herd": str, "period": str})
    return d.assign(healthy=d["size"] - d["incidence"])


@cache
def fitted(name: str) -> MixedGeneralizedResult:
    n_quad = 10 if name.endswith("agq10") else 1
    if name.startswith("cbpp"):
        return mixed_logit("cbind(incidence, healthy) ~ period + (1 | herd)", cbpp(), n_quad=n_quad)
    formula = "use01 ~ age10 + I(age10^2) + urban + livch + (1 | district)"
    return mixed_logit(formula, contraception(), n_quad=n_quad)


def column(table: list[dict[str, Any]], name: str) -> np.ndarray:
    return np.array([row[name] for row in table], dtype=float)


def pupils(
    n_groups: int = 40, size: int = 12, *, sd: float = 0.8, slope_sd: float = 0.0, seed: int = 0
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(n_groups), size)
    x = rng.normal(size=len(school))
    u = sd * rng.normal(size=n_groups)
    slope = 0.7 + slope_sd * np.random.default_rng(seed + 1).normal(size=n_groups)
    y = rng.random(len(school)) < expit(-0.3 + slope[school] * x + u[school])
    return pd.DataFrame({"y": y.astype(int), "x": x, "school": school})


# lme4 ----------------------------------------------------------------------------------------


def test_every_entry_is_walked() -> None:
    assert set(ENTRIES) == {
        "contraception_laplace", "contraception_agq10", "cbpp_laplace", "cbpp_agq10"
    }  # fmt: skip


@pytest.mark.parametrize("name", ENTRIES)
def test_estimates_match_lme4(name: str) -> None:
    values, result = ENTRIES[name]["values"], fitted(name)
    found, expected = result.estimates, values["fixed"]
    assert found["term"].tolist() == [row["_row"] for row in expected]
    assert_allclose(found["estimate"], column(expected, "Estimate"), rtol=1e-4)
    assert_allclose(found["std_error"], column(expected, "Std. Error"), rtol=1e-4)
    assert_allclose(found["statistic"], column(expected, "z value"), rtol=1e-4)
    assert_allclose(found["p_value"], column(expected, "Pr(>|z|)"), rtol=0, atol=1e-5)
    assert np.isinf(found["df"]).all()
    # lme4's Hessian is of differences of the deviance: covariances to 1e-4 of the variances.
    size = np.outer(result.std_errors, result.std_errors)
    assert_allclose(result.vcov / size, matrix(values["vcov_fixed"]) / size, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ENTRIES)
def test_fit_and_variances_match_lme4(name: str) -> None:
    values, result = ENTRIES[name]["values"], fitted(name)
    laplace = name.endswith("laplace")
    loglik = result.fit["loglik"] if laplace else result.fit["loglik_lme4"]
    assert abs(loglik - values["logLik"]) < 1e-6
    assert ("loglik_lme4" in result.fit) is not laplace
    k = result.fit["n_parameters"]
    assert k == values["df"]
    assert abs(-2 * loglik - values["deviance_2ll"]) < 2e-6
    assert abs(2 * k - 2 * loglik - values["AIC"]) < 2e-6
    assert abs(np.log(values["nobs"]) * k - 2 * loglik - values["BIC"]) < 2e-6
    if laplace:
        assert abs(result.fit["aic"] - values["AIC"]) < 2e-6
        assert abs(result.fit["bic"] - values["BIC"]) < 2e-6
    assert result.fit["n_obs"] == values["nobs"]
    assert {result.group: result.fit["n_groups"]} == values["ngroups"]
    assert result.fit["converged"]
    assert not result.singular
    found = result.variance_components
    assert found["group"].tolist() == [row["grp"] for row in values["varcomp"]]
    assert found["term1"].tolist() == [row["var1"] for row in values["varcomp"]]
    assert_allclose(found["vcov"], column(values["varcomp"], "vcov"), rtol=1e-4)
    assert_allclose(found["sdcor"], column(values["varcomp"], "sdcor"), rtol=1e-4)
    for key, ours in (("ICC_adjusted", "icc"), ("ICC_conditional", "icc_conditional")):
        assert_allclose(result.fit[ours], values["icc"][key], rtol=1e-4)
    assert values["icc"]["ICC_unadjusted"] == values["icc"]["ICC_conditional"]
    r2 = values["r2_nakagawa"]
    assert_allclose(result.fit["r2_marginal"], r2["R2_marginal.Marginal R2"], rtol=1e-4)
    assert_allclose(result.fit["r2_conditional"], r2["R2_conditional.Conditional R2"], rtol=1e-4)


@pytest.mark.parametrize("name", ENTRIES)
def test_modes_match_lme4(name: str) -> None:
    result = fitted(name)
    modes = result.random_effects.set_index("level")["estimate"]
    for first in ENTRIES[name]["values"]["ranef_first"].values():
        for row in first:
            assert_allclose(modes[row["_row"]], row["(Intercept)"], rtol=1e-4)


def test_likelihoods_of_laplace_and_quadrature_can_be_compared() -> None:
    few, many = fitted("cbpp_laplace").fit, fitted("cbpp_agq10").fit
    assert abs(few["loglik"] - many["loglik"]) < 0.05
    assert abs(few["loglik"] - many["loglik_lme4"]) > 40
    assert "loglik_lme4" in str(mixed_logit.__doc__)


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("slopes_factor", "use01 ~ age10 + urban + (1 + urban | district)"),
        ("slopes_uncorrelated", "use01 ~ age10 + urban + (1 + age10 || district)"),
    ],
)
def test_slopes_match_lme4(name: str, formula: str) -> None:
    values = BEYOND_GOLD[name]["values"]
    result = mixed_logit(formula, contraception(), n_quad=1)
    assert list(result.terms) == values["terms"]
    assert abs(result.fit["loglik"] - values["loglik"]) < 1e-6
    assert_allclose(result.coefficients, values["estimate"], rtol=1e-5)
    assert_allclose(result.std_errors, values["std_error"], rtol=1e-4)
    assert_allclose(result.theta, values["theta"], rtol=1e-5)
    assert_allclose(result.variance_components["vcov"], values["vcov"], rtol=2e-5)
    first = result.group_names.index(values["level_first"])
    modes = values["modes_first"]
    assert_allclose(result.modes[first], modes, rtol=1e-4)
    assert_allclose(result.mode_sds[first], values["sd_first"], rtol=1e-4)


# properties ----------------------------------------------------------------------------------


def test_recovers_what_made_the_data() -> None:
    data = pupils(800, 15, sd=1.0, seed=5)
    result = mixed_logit("y ~ x + (1 | school)", data)
    assert_allclose(result.coefficients, [-0.3, 0.7], atol=4 * float(result.std_errors.max()))
    assert abs(result.variance_components["sdcor"][0] - 1.0) < 0.1
    # Within a school the odds ratio is farther from 1 than in the population.
    within, averaged = result.coefficients[1], result.averaged[1]
    assert averaged < within
    # Zeger, Liang & Albert (1988): smaller by about the root of 1 + 0.346 tau².
    shrink = np.sqrt(1 + 0.346 * result.random_covariance[0, 0])
    assert_allclose(averaged, within / shrink, rtol=0.05)
    pooled = logit("y ~ x", data, cluster="school")
    assert abs(averaged - pooled.coefficients[1]) < 0.02


def test_more_points_converge() -> None:
    data = pupils(60, 6, sd=1.5)
    points = (1, 5, 15, 31, 61)
    fits = {k: mixed_logit("y ~ x + (1 | school)", data, n_quad=k) for k in points}
    far = [abs(fits[k].fit["loglik"] - fits[61].fit["loglik"]) for k in points[:-1]]
    assert all(later < earlier for earlier, later in pairwise(far))
    assert far[3] < 1e-8
    assert_allclose(fits[31].coefficients, fits[61].coefficients, rtol=1e-7)
    assert_allclose(fits[31].random_covariance, fits[61].random_covariance, rtol=1e-6)


@settings(max_examples=10)
@given(seed=st.integers(0, 1000), n_quad=st.sampled_from([1, 5]))
def test_order_and_names_of_rows_and_groups_do_not_matter(seed: int, n_quad: int) -> None:
    data = pupils(15, 10)
    rng = np.random.default_rng(seed)
    names = rng.permutation(1000)[:15]
    mixed_up = data.assign(school=[f"s{names[s]}" for s in data["school"]])
    mixed_up = mixed_up.sample(frac=1, random_state=seed)
    a = mixed_logit("y ~ x + (1 | school)", data, n_quad=n_quad)
    b = mixed_logit("y ~ x + (1 | school)", mixed_up, n_quad=n_quad)
    assert_allclose(b.coefficients, a.coefficients, rtol=1e-6)
    assert_allclose(b.covariance, a.covariance, rtol=1e-5)
    assert_allclose(b.fit["loglik"], a.fit["loglik"], rtol=1e-10)
    for i, name in enumerate(a.group_names):
        j = b.group_names.index(f"s{names[int(name)]}")
        assert_allclose(b.modes[j], a.modes[i], rtol=1e-5, atol=1e-7)


@settings(max_examples=10)
@given(seed=st.integers(0, 1000))
def test_grouped_weighted_and_expanded_rows_are_the_same_model(seed: int) -> None:
    rng = np.random.default_rng(seed)
    wide = pd.DataFrame({"x": rng.normal(size=60), "school": np.repeat(np.arange(12), 5)})
    effect = 0.9 * rng.normal(size=12)[wide["school"]]
    wide["n"] = rng.integers(1, 7, 60)
    wide["yes"] = rng.binomial(wide["n"], expit(0.5 * wide["x"] + effect))
    wide["no"] = wide["n"] - wide["yes"]
    counted = pd.concat(
        [wide.assign(y=1, w=wide["yes"]), wide.assign(y=0, w=wide["no"])], ignore_index=True
    )
    long = counted.loc[counted.index.repeat(counted["w"])]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFitWarning)
        grouped = mixed_logit("cbind(yes, no) ~ x + (1 | school)", wide)
        expanded = mixed_logit("y ~ x + (1 | school)", long)
        weighted = mixed_logit("y ~ x + (1 | school)", counted, weights="w")
    for other in (expanded, weighted):
        assert_allclose(other.coefficients, grouped.coefficients, rtol=1e-6, atol=1e-7)
        assert_allclose(other.covariance, grouped.covariance, rtol=1e-5, atol=1e-8)
        assert_allclose(other.random_covariance, grouped.random_covariance, rtol=1e-5, atol=1e-7)
        assert_allclose(other.averaged, grouped.averaged, rtol=1e-6, atol=1e-7)
    for key in ("loglik", "icc", "r2_marginal", "r2_conditional"):
        assert_allclose(weighted.fit[key], expanded.fit[key], rtol=1e-5, atol=1e-7)


def test_units_and_places_of_predictors_do_not_matter() -> None:
    data = pupils(slope_sd=0.8)
    a = mixed_logit("y ~ x + (1 + x | school)", data, n_quad=1)
    b = mixed_logit("y ~ x + (1 + x | school)", data.assign(x=1e6 + 100 * data["x"]), n_quad=1)
    assert_allclose(b.coefficients[1] * 100, a.coefficients[1], rtol=1e-6)
    assert_allclose(b.fit["loglik"], a.fit["loglik"], rtol=1e-10)
    assert_allclose(b.random_covariance[1, 1] * 1e4, a.random_covariance[1, 1], rtol=1e-4)
    assert_allclose(b.averaged[1] * 100, a.averaged[1], rtol=1e-5)


def test_a_success_and_a_failure_change_places() -> None:
    data = pupils()
    a = mixed_logit("y ~ x + (1 | school)", data)
    b = mixed_logit("y ~ x + (1 | school)", data.assign(y=1 - data["y"]))
    assert_allclose(b.coefficients, -a.coefficients, rtol=1e-6)
    assert_allclose(b.covariance, a.covariance, rtol=1e-6)
    assert_allclose(b.modes, -a.modes, atol=1e-6)
    assert_allclose(b.averaged, -a.averaged, rtol=1e-6)


def test_no_variance_between_groups_is_the_model_without_groups() -> None:
    data = pupils(20, 10, sd=0.0, seed=3)
    with pytest.warns(
        SingularFitWarning, match=r"variance of \(Intercept\) between groups of school is zero"
    ):
        mixed = mixed_logit("y ~ x + (1 | school)", data)
    single = logit("y ~ x", data)
    assert mixed.singular
    assert mixed.fit["singular"]
    assert_allclose(mixed.coefficients, single.coefficients, rtol=1e-6)
    assert_allclose(mixed.covariance, single.covariance, rtol=1e-5)
    assert_allclose(mixed.averaged, mixed.coefficients, rtol=1e-8)
    assert_allclose(mixed.fit["loglik"], mixed.fit["loglik_without_random"], rtol=1e-12)
    assert mixed.fit["icc"] == 0
    assert any("singular" in note for note in mixed.notes)


def test_offset_shifts_the_intercept() -> None:
    data = pupils().assign(two=2.0)
    a = mixed_logit("y ~ x + (1 | school)", data)
    b = mixed_logit("y ~ x + offset(two) + (1 | school)", data)
    assert_allclose(b.coefficients, a.coefficients - [2, 0], rtol=1e-5)
    assert_allclose(b.predict(data), a.predict(data), rtol=1e-6)


def test_every_engine_gives_the_same(engine: Engine) -> None:
    data = pupils(12, 8, seed=2)
    expected = mixed_logit("y ~ x + (1 | school)", data, n_quad=3)
    found = mixed_logit("y ~ x + (1 | school)", engine(data), n_quad=3)
    assert_allclose(found.coefficients, expected.coefficients, rtol=1e-10)


# what is shown -------------------------------------------------------------------------------


def test_predictions() -> None:
    data = pupils(seed=1)
    result = mixed_logit("y ~ x + (1 | school)", data)
    new = pd.DataFrame({"x": [0.0, 1.0, np.nan, 1.0], "school": [3, 3, 3, 999]}, index=[5, 6, 7, 8])
    fixed = result.coefficients @ np.array([1.0, 1.0])
    mode = result.modes[result.group_names.index("3"), 0]
    own = result.predict(new, level="cluster")
    assert own.index.tolist() == [5, 6, 7, 8]
    assert np.isnan(own[7])
    assert_allclose(own[6], expit(fixed + mode), rtol=1e-12)
    typical = result.predict(new, level="typical")
    assert_allclose(typical[[6, 8]], expit(fixed), rtol=1e-12)
    average = result.predict(new)
    draws = fixed + np.sqrt(result.random_covariance[0, 0]) * np.random.default_rng(0).normal(
        size=400_000
    )
    assert_allclose(average[6], expit(draws).mean(), atol=2e-3)
    assert own[8] == average[8]  # a school the fit has not seen
    for level in ("population", "typical", "cluster"):
        link = result.predict(new, kind="link", level=level)
        shown = result.predict(new, kind="probability", level=level)
        assert_allclose(expit(link), shown, rtol=1e-12)
    # At their modes, the schools' predictions come to the observed shares, but for shrinkage.
    assert abs(result.predict(data, level="cluster").mean() - data["y"].mean()) < 0.01
    with pytest.raises(OptionError, match="kind='mean'"):
        result.predict(new, kind="mean")
    with pytest.raises(OptionError, match="level='school'"):
        result.predict(new, level="school")  # type: ignore[arg-type]


def test_tables_charts_and_notes() -> None:
    result = fitted("contraception_agq10")
    ratios = result.ratios
    assert ratios.columns.tolist() == ["term", "odds_ratio", "ci_low", "ci_high"]
    assert "(Intercept)" not in ratios["term"].tolist()
    assert_allclose(ratios["odds_ratio"], np.exp(result.coefficients[1:]))
    average = result.population_average
    assert (np.abs(average["estimate"]) < np.abs(result.coefficients)).all()
    assert np.isnan(average["odds_ratio"][0])
    text = result.summary()
    for words in (
        "odds ratio", "averaged odds ratio", "rows of the same district", "π²/3", "10 points"
    ):  # fmt: skip
        assert words in text
    assert "odds ratio" in result.to_table().as_raw_html()
    assert result.plot().get_xscale() == "log"
    wald = result.wald("livch")
    assert wald["test"][0] == "chi-square"
    assert wald["df1"][0] == 3
    both = compare([result, fitted("contraception_laplace")])
    assert "urbanY" in both.summary()


def test_result_is_read_only_and_can_be_stored() -> None:
    result = fitted("cbpp_laplace")
    again = pickle.loads(pickle.dumps(result))
    assert_allclose(again.coefficients, result.coefficients)
    assert again.summary() == result.summary()
    with pytest.raises(ValueError, match="read-only"):
        result.modes[0, 0] = 1.0


def test_notes_of_overdispersed_and_lone_rows() -> None:
    result = fitted("cbpp_laplace")
    assert any("1 of 15 groups of herd has one row" in note for note in result.notes)
    assert any("Pearson's chi-square over its df is 1.2" in note for note in result.notes)
    assert_allclose(
        result.fit["dispersion_ratio"], result.fit["dispersion_chi2"] / result.fit["dispersion_df"]
    )


def test_rows_left_out_are_counted() -> None:
    data = pupils().assign(school=lambda d: d["school"].where(d["school"] > 1))
    data["w"] = np.where(data.index < 40, 0.0, 1.0)
    result = mixed_logit("y ~ x + (1 | school)", data, weights="w")
    assert result.fit["n_dropped"] == 40
    assert "school 24" in result.notes[0]
    wide = cbpp()
    wide.loc[0, ["incidence", "healthy"]] = 0
    untried = mixed_logit("cbind(incidence, healthy) ~ period + (1 | herd)", wide)
    assert untried.fit["n_obs"] == 55
    assert untried.notes[0] == "1 row without a trial was left out."


# what is refused -----------------------------------------------------------------------------

REFUSED: dict[str, tuple[Any, str, type[CollabSurveyError], str]] = {
    "text": (
        lambda d: d.assign(y=np.where(d["y"] == 1, "yes", "no")),
        "y ~ x + (1 | school)", DataError, "does not guess which is 1.*== 'yes'",
    ),
    "three words": (
        lambda d: d.assign(y=np.where(d["x"] > 1, "c", np.where(d["y"] == 1, "a", "b"))),
        "y ~ x + (1 | school)", DataError, "text with 3 values",
    ),
    "1 and 2": (
        lambda d: d.assign(y=d["y"] + 1),
        "y ~ x + (1 | school)", DataError, "values 1 and 2.*which is which",
    ),
    "fractions": (
        lambda d: d.assign(y=expit(d["x"])),
        "y ~ x + (1 | school)", DataError, "holds fractions.*cbind",
    ),
    "measurement": (
        lambda d: d.assign(y=10 * d["x"]), "y ~ x + (1 | school)", DataError, "use mixed()",
    ),
    "always 1": (
        lambda d: d.assign(y=1), "y ~ x + (1 | school)", NoVarianceError, "only 1",
    ),
    "never": (
        lambda d: d.assign(yes=0, y=3), "cbind(yes, y) ~ x + (1 | school)", NoVarianceError,
        "no success",
    ),
    "negative trials": (
        lambda d: d.assign(no=-1), "cbind(y, no) ~ x + (1 | school)", DataError,
        "'no' is negative in 480 rows",
    ),
    "alike within": (
        lambda d: d.assign(y=d["school"] % 2), "y ~ x + (1 | school)", DataError,
        "Within every group of 'school' all outcomes are alike",
    ),
    "nearly alike within": (
        lambda d: d.assign(y=np.where(d.index == 0, 1, d["school"] % 2)), "y ~ x + (1 | school)",
        DataError, "no end to how much the groups of school differ",
    ),
    "level separates": (
        lambda d: d.assign(f=np.where(d.index % 5 == 0, "b", "a"), y=d["y"] * (d.index % 5 > 0)),
        "y ~ f + x + (1 | school)", DataError, "every row with f 'b' has the outcome 0",
    ),
    "number separates": (
        lambda d: d.assign(y=(d["x"] > 0.5).astype(int)), "y ~ x + (1 | school)", DataError,
        "outcome 1 wherever x is above .* and the outcome 0 wherever x is below",
    ),
    "combination separates": (
        lambda d: d.assign(z=np.cos(d.index * 7.0), y=(d["x"] + np.cos(d.index * 7.0) > 0) * 1,
                           k=d.index % 3),
        "y ~ x + z + k + (1 | school)", DataError, "x, z together tell the outcomes apart",
    ),
    "constant": (
        lambda d: d.assign(k=3.0), "y ~ x + k + (1 | school)", DataError,
        "'k' has the same value in every row",
    ),
    "aliased": (
        lambda d: d.assign(k=2 * d["x"]), "y ~ x + k + (1 | school)", DataError,
        "'k' follows exactly",
    ),
    "one level": (
        lambda d: d.assign(f="a"), "y ~ x + f + (1 | school)", NoVarianceError, "only 'a'",
    ),
    "one group": (
        lambda d: d.assign(school=1), "y ~ x + (1 | school)", NotEnoughDataError, "2 groups",
    ),
    "lone rows": (
        lambda d: d.assign(school=d.index), "y ~ x + (1 | school)", NotEnoughDataError,
        "1 random effect for each of 480 groups",
    ),
    "no group at all": (
        lambda d: d.assign(school=np.nan), "y ~ x + (1 | school)", DataError, "'school' is missing",
    ),
    "no random term": (lambda d: d, "y ~ x", FormulaError, "use logit"),
    "nested": (
        lambda d: d.assign(town=d["school"] % 7), "y ~ x + (1 | town/school)", NotSupportedError,
        "several random terms .town and school:town.",
    ),
    "multiple membership": (
        lambda d: d.assign(s=d["school"]), "y ~ x + (1 | mm(s, school))", NotSupportedError, "mm()",
    ),
    "uncorrelated factor": (
        lambda d: d.assign(f=np.where(d.index % 2, "a", "b")), "y ~ x + (1 + f || school)",
        NotSupportedError, "factor 'f'",
    ),
    "code": (lambda d: d, "y ~ exp(x) + (1 | school)", FormulaError, "not a function"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refuses_with_a_reason(case: str) -> None:
    change, formula, error, words = REFUSED[case]
    with pytest.raises(error, match=words):
        mixed_logit(formula, change(pupils()))


def test_refuses_options_and_weights() -> None:
    data = pupils().assign(w=-1.0)
    with pytest.raises(DataError, match="negative"):
        mixed_logit("y ~ x + (1 | school)", data, weights="w")
    for wrong in (0, 2.5, True):
        with pytest.raises(OptionError, match="n_quad"):
            mixed_logit("y ~ x + (1 | school)", data, n_quad=wrong)  # type: ignore[arg-type]
    with pytest.raises(NotSupportedError, match="n_quad=50 with 2 random effects"):
        mixed_logit("y ~ x + (1 + x | school)", data, n_quad=50)
    with pytest.raises(OptionError, match="conf_level"):
        mixed_logit("y ~ x + (1 | school)", data, conf_level=95)


def test_warns_of_few_groups() -> None:
    data = pupils(4, 60, sd=1.5, seed=1)
    with pytest.warns(FewClustersWarning, match="4 groups of school are too few") as caught:
        mixed_logit("y ~ x + (1 | school)", data)
    assert caught[0].filename == __file__


def test_true_and_false_are_1_and_0() -> None:
    data = pupils()
    a = mixed_logit("y ~ x + (1 | school)", data, n_quad=3)
    b = mixed_logit("y ~ x + (1 | school)", data.assign(y=data["y"] == 1), n_quad=3)
    assert_allclose(b.coefficients, a.coefficients, rtol=1e-12)


def test_sentences_name_no_python() -> None:
    for case in ("text", "1 and 2", "level separates"):
        change, formula, error, _ = REFUSED[case]
        with pytest.raises(error) as caught:
            mixed_logit(formula, change(pupils()))
        assert not re.search(r"np\.|array\(", str(caught.value))
