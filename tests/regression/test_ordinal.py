"""Ordinal regression against ordinal::clm, sandwich and statsmodels, and properties."""

from __future__ import annotations

import json
import pickle
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
    DataError,
    FewClustersWarning,
    FormulaError,
    NotEnoughDataError,
    NotSupportedError,
    NoVarianceError,
    OptionError,
    UnknownNameError,
)
from collabsurvey.regression.mixed_ordinal import mixed_ordinal
from collabsurvey.regression.ordinal import ordinal
from support import REFERENCE, dataset, gold, matrix

GOLD = gold("08_mixed_models")
# Both programs iterate to the optimum (R's gradTol was 1e-10).
RTOL = 1e-8
SINGLE = {
    "clm_wine_logit": ("rating ~ temp + contact", "wine", "logit"),
    "clm_wine_probit": ("rating ~ temp + contact", "wine", "probit"),
    "clm_bfi_N1": ("N1 ~ gender + age + education", "bfi", "logit"),
}


@cache
def stored() -> dict[str, Any]:
    return json.loads((REFERENCE / "ordinal.json").read_text(encoding="utf-8"))


def bfi() -> pd.DataFrame:
    data = dataset("bfi").iloc[:800]
    return data.assign(w=1 + np.arange(800) % 3)


def by_column(table: list[dict[str, Any]], name: str) -> np.ndarray:
    return np.array([row[name] for row in table if row[name] is not None], dtype=float)


def simulated(n: int = 400, seed: int = 1, n_groups: int = 25) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x, kind, school = rng.normal(size=n), rng.choice(["a", "b"], n), rng.integers(0, n_groups, n)
    latent = 0.8 * x - 0.5 * (kind == "b") + rng.logistic(size=n)
    y = np.digitize(latent, [-1.5, 0.0, 1.2]) + 1
    return pd.DataFrame({"y": y, "x": x, "kind": kind, "school": school})


# against R -------------------------------------------------------------------------------------


def test_every_clm_entry_is_walked() -> None:
    assert {name for name in GOLD if name.startswith("clm_")} == set(SINGLE)


@pytest.mark.parametrize("name", SINGLE)
def test_clm(name: str) -> None:
    formula, data, link = SINGLE[name]
    values = GOLD[name]["values"]
    found = ordinal(formula, dataset(data), link=link)  # type: ignore[arg-type]
    expected = values["coefficients"]
    assert found.estimates["term"].tolist() == [row["_row"] for row in expected]
    for ours, theirs in (
        ("estimate", "Estimate"),
        ("std_error", "Std. Error"),
        ("statistic", "z value"),
        ("p_value", "Pr(>|z|)"),
    ):
        assert_allclose(found.estimates[ours], by_column(expected, theirs), rtol=1e-7)
    assert np.isinf(found.estimates["df"]).all()
    assert_allclose(found.fit["loglik"], values["logLik"], rtol=1e-12)
    assert_allclose(found.fit["aic"], values["AIC"], rtol=1e-12)
    assert found.fit["n_parameters"] == values["df"]
    assert found.fit["n_obs"] == values["nobs"]
    assert_allclose(found.vcov, matrix(values["vcov"]), rtol=RTOL)
    assert list(found.vcov.index) == values["vcov"]["rows"]
    assert_allclose(found.fit["condition"], values["cond_H"], rtol=1e-7)
    assert found.fit["converged"]
    # max_grad is what is left of the gradient when a program stops: nothing, in both.
    assert values["max_grad"] < 1e-10
    assert found.fit["max_gradient"] < 1e-6


@pytest.mark.parametrize("which", ["nominal_test", "scale_test"])
def test_assumptions_match_clm(which: str) -> None:
    values = GOLD["clm_bfi_N1"]["values"]
    fitted = ordinal("N1 ~ gender + age + education", dataset("bfi"))
    found = (fitted.proportional_odds if which == "nominal_test" else fitted.scale_test)()
    base, *expected = values[which]
    assert_allclose(fitted.fit["loglik"], base["logLik"], rtol=1e-10)
    assert_allclose(fitted.fit["aic"], base["AIC"], rtol=1e-10)
    tests = found.to_frame()
    assert tests["term"].tolist() == [row["_row"] for row in expected]
    for ours, theirs in (
        ("df", "Df"),
        ("loglik", "logLik"),
        ("aic", "AIC"),
        ("statistic", "LRT"),
        ("p_value", "Pr(>Chi)"),
    ):  # R's fits of these were to the default gradTol 1e-6
        assert_allclose(tests[ours], by_column(expected, theirs), rtol=1e-5)


FORMULAS = {
    "wine_cloglog": ("rating ~ temp + contact", {"link": "cloglog"}),
    "wine_interaction": ("rating ~ temp*contact + bottle", {"link": "probit"}),
    "bfi_weights": ("N1 ~ gender + C(education) + age", {"weights": "w"}),
    "bfi_offset": ("N1 ~ gender + age + offset(education/4)", {}),
    "bfi_clusters": ("N1 ~ gender + education", {}),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_links_weights_offsets_factors(name: str) -> None:
    formula, options = FORMULAS[name]
    values = stored()[name]
    found = ordinal(formula, dataset("wine") if "wine" in name else bfi(), **options)
    # R names and orders columns alike but for factor() and the order of interactions.
    assert_allclose(found.estimates["estimate"], values["estimate"], rtol=1e-6, atol=1e-9)
    assert_allclose(found.vcov, values["vcov"], rtol=1e-6, atol=1e-10)
    for name_of in ("loglik", "aic", "bic"):
        assert_allclose(found.fit[name_of], values[name_of], rtol=1e-10)
    for which, test in (
        ("nominal_test", found.proportional_odds),
        ("scale_test", found.scale_test),
    ):
        if which in values:
            tests, expected = test().to_frame(), values[which]
            assert tests["df"].tolist() == expected["df"]
            assert_allclose(tests["loglik"], expected["loglik"], rtol=1e-8)
            assert_allclose(tests["p_value"], expected["p_value"], rtol=1e-4, atol=1e-8)


def test_cluster_robust_errors_match_sandwich() -> None:
    values = stored()["bfi_clusters"]
    found = ordinal("N1 ~ gender + education", bfi(), cluster="age")
    assert_allclose(found.vcov, values["robust"], rtol=1e-6, atol=1e-10)
    assert found.fit["n_groups"] == bfi().dropna(subset=["N1", "education"])["age"].nunique()
    assert "CR1S by age" in " ".join(found.notes)


def test_statsmodels_agrees() -> None:
    from statsmodels.miscmodels.ordinal_model import OrderedModel

    data = simulated()
    for link, distr in (("logit", "logit"), ("probit", "probit")):
        found = ordinal("y ~ x + kind", data, link=link)  # type: ignore[arg-type]
        x = np.column_stack((data["x"], data["kind"] == "b")).astype(float)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            peer = OrderedModel(data["y"].to_numpy(), x, distr=distr).fit(
                method="bfgs", disp=0, gtol=1e-8
            )
        assert_allclose(found.fit["loglik"], peer.llf, rtol=1e-10)
        assert_allclose(found.coefficients, peer.params[:2], rtol=1e-5)
        # Their Hessian is numerical.
        assert_allclose(found.slopes["std_error"], peer.bse[:2], rtol=1e-4)
        expected = peer.model.predict(peer.params, x)
        assert_allclose(found.predict(data), expected, atol=1e-6)


# properties ------------------------------------------------------------------------------------


def test_parameters_are_recovered() -> None:
    found = ordinal("y ~ x + kind", simulated(n=20_000))
    truth = [-1.5, 0.0, 1.2, 0.8, -0.5]
    error = (found.estimates["estimate"] - truth) / found.estimates["std_error"]
    assert np.abs(error).max() < 3.5
    assert_allclose(found.ratios["odds_ratio"], np.exp(found.coefficients))


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6), link=st.sampled_from(["logit", "probit", "cloglog"]))
def test_order_of_rows_does_not_matter(seed: int, link: Any) -> None:
    data = simulated(n=120, seed=seed % 7)
    mixed_up = data.sample(frac=1, random_state=seed)
    one = ordinal("y ~ x + kind", data, link=link, cluster="school")
    other = ordinal("y ~ x + kind", mixed_up, link=link, cluster="school")
    assert_allclose(one.estimates["estimate"], other.estimates["estimate"], rtol=1e-8)
    assert_allclose(one.vcov, other.vcov, rtol=1e-6, atol=1e-10)
    assert np.all(np.diff(one.threshold_values) > 0)


@settings(max_examples=10)
@given(shift=st.floats(-1e6, 1e6), unit=st.floats(1e-3, 1e3))
def test_unit_and_origin_of_a_predictor(shift: float, unit: float) -> None:
    data = simulated(n=150)
    moved = data.assign(x=data["x"] * unit + shift)
    one, other = ordinal("y ~ x", data), ordinal("y ~ x", moved)
    assert_allclose(other.coefficients * unit, one.coefficients, rtol=1e-6)
    assert_allclose(other.fit["loglik"], one.fit["loglik"], rtol=1e-9)


def test_answers_turned_round() -> None:
    data = simulated()
    for link in ("logit", "probit"):  # symmetric links
        one = ordinal("y ~ x + kind", data, link=link)  # type: ignore[arg-type]
        other = ordinal("I(5 - y) ~ x + kind", data, link=link)  # type: ignore[arg-type]
        assert_allclose(other.coefficients, -one.coefficients, rtol=1e-8)
        assert_allclose(other.threshold_values, -one.threshold_values[::-1], rtol=1e-8)


def test_weights_are_repeated_rows() -> None:
    data = simulated(n=150).assign(w=lambda d: 1 + np.arange(len(d)) % 3)
    repeated = data.loc[data.index.repeat(data["w"])]
    for options in ({}, {"cluster": "school"}):
        one = ordinal("y ~ x + kind", data, weights="w", **options)
        other = ordinal("y ~ x + kind", repeated, **options)
        assert_allclose(one.estimates["estimate"], other.estimates["estimate"], rtol=1e-9)
        assert_allclose(one.vcov, other.vcov, rtol=1e-8)
        assert_allclose(one.fit["bic"], other.fit["bic"], rtol=1e-12)
    assert one.fit["n_obs"] == 150
    assert one.fit["total_weight"] == len(repeated)


def test_two_categories_are_logistic_regression() -> None:
    from collabsurvey.regression.generalized_linear import logit

    data = simulated().assign(up=lambda d: (d["y"] > 2).astype(int))
    found, peer = ordinal("up ~ x + kind", data), logit("up ~ x + kind", data)
    assert_allclose(found.coefficients, peer.coefficients[1:], rtol=1e-7)
    assert_allclose(-found.threshold_values[0], peer.coefficients[0], rtol=1e-7)
    assert_allclose(found.fit["loglik"], peer.fit["loglik"], rtol=1e-10)
    with pytest.raises(NotEnoughDataError, match="at least 2 thresholds"):
        found.proportional_odds()


def test_probit_slopes_are_smaller_than_logit_slopes() -> None:
    """By the ratio of the latent standard deviations, about (Agresti, 2010, p. 123: 1.6 to 1.8)."""
    data = simulated(n=5000)
    ratio = (
        ordinal("y ~ x + kind", data).coefficients
        / ordinal("y ~ x + kind", data, link="probit").coefficients
    )
    assert (ratio > 1.55).all()
    assert (ratio < 1.85).all()


def test_without_predictors_shares_are_given_back() -> None:
    data = simulated()
    found = ordinal("y ~ 1", data)
    shares = data["y"].value_counts(normalize=True).sort_index()
    assert_allclose(found.predict(data.head(2)), np.tile(shares, (2, 1)), rtol=1e-8)
    assert found.slopes.empty
    assert "1|2" in found.summary()
    with pytest.raises(DataError, match="has no predictors"):
        found.proportional_odds()


# predictions -----------------------------------------------------------------------------------


def test_kinds_of_predictions() -> None:
    data = simulated()
    found = ordinal("y ~ x + kind", data)
    some = data.head(6).assign(x=lambda d: d["x"].where(d.index != 2))
    some.index = pd.Index(list("abcdef"))
    shares = found.predict(some)
    assert list(shares.columns) == ["1", "2", "3", "4"]
    assert shares.index.tolist() == list("abcdef")
    assert shares.loc["c"].isna().all()
    known = shares.drop(index="c")
    assert_allclose(known.sum(axis=1), 1, rtol=1e-12)
    cumulative = found.predict(some, kind="cumulative")
    assert list(cumulative.columns) == ["1|2", "2|3", "3|4"]
    assert_allclose(cumulative.drop(index="c"), known.cumsum(axis=1).iloc[:, :3], rtol=1e-12)
    best = found.predict(some, kind="category")
    assert best.drop("c").tolist() == [float(c) for c in known.idxmax(axis=1)]
    eta = found.predict(some, kind="link")
    assert_allclose(eta["a"], found.coefficients @ [some["x"]["a"], some["kind"]["a"] == "b"])
    with pytest.raises(OptionError, match="kind="):
        found.predict(some, kind="odds")  # type: ignore[arg-type]


def words(data: pd.DataFrame) -> pd.DataFrame:
    names = np.array(["never", "rarely", "often", "always"])[data["y"] - 1]
    order = ["never", "rarely", "sometimes", "often", "always"]
    return data.assign(y=pd.Categorical(names, categories=order, ordered=True))


def test_ordered_words_are_taken_in_their_order() -> None:
    data = simulated()
    found, peer = ordinal("y ~ x + kind", words(data)), ordinal("y ~ x + kind", data)
    assert found.categories == ("never", "rarely", "often", "always")
    assert_allclose(found.estimates["estimate"], peer.estimates["estimate"], rtol=1e-12)
    assert "'sometimes'" in " ".join(found.notes)
    assert found.thresholds["threshold"].tolist()[1] == "rarely|often"
    best = found.predict(data.head(4), kind="category")
    assert list(best.cat.categories) == list(found.categories)
    assert best.cat.ordered
    reverse = words(data)
    reverse["y"] = reverse["y"].cat.reorder_categories(
        ["always", "often", "sometimes", "rarely", "never"]
    )
    assert_allclose(ordinal("y ~ x + kind", reverse).coefficients, -peer.coefficients, rtol=1e-8)


def test_engines_agree(engine: Any) -> None:
    data = simulated()
    peer = ordinal("y ~ x + kind", data, cluster="school")
    table = engine(data)
    found = ordinal("y ~ x + kind", table, cluster="school")
    assert_allclose(found.vcov, peer.vcov, rtol=1e-8)
    assert_allclose(engine.pandas(found.predict(table)), peer.predict(data), rtol=1e-8)


def test_enum_of_polars_and_ordered_dictionary_of_arrow() -> None:
    pl = pytest.importorskip("polars")
    import pyarrow as pa

    data = simulated()
    peer = ordinal("y ~ x", data)
    order = ["never", "rarely", "sometimes", "often", "always"]
    text = words(data)["y"].astype(str).tolist()
    polars = pl.DataFrame({"y": pl.Series(text, dtype=pl.Enum(order)), "x": data["x"].to_numpy()})
    arrow = pa.Table.from_pandas(words(data)[["y", "x"]])
    for table in (polars, arrow):
        found = ordinal("y ~ x", table)
        assert_allclose(found.coefficients, peer.coefficients, rtol=1e-10)
        assert found.categories == ("never", "rarely", "often", "always")
        assert len(found.predict(table, kind="category")) == len(data)
        assert "'sometimes'" in " ".join(found.notes)


def test_gaps_between_numbers() -> None:
    data = simulated()
    gap = data.assign(y=data["y"].replace({3: 4, 4: 5}))
    found = ordinal("y ~ x", gap)
    assert found.categories == ("1", "2", "4", "5")
    assert "The category '3' of 'y' was chosen in no row" in " ".join(found.notes)
    tens = ordinal("y ~ x", data.assign(y=data["y"] * 10))
    assert tens.categories == ("10", "20", "30", "40")
    assert not [note for note in tens.notes if "chosen in no row" in note]


def test_truth_values_and_numbers_kept_as_objects() -> None:
    data = simulated()
    peer = ordinal("y ~ x", data)
    assert_allclose(ordinal("y ~ x", data.assign(y=data["y"].astype(object))).vcov, peer.vcov)
    yes = ordinal("y ~ x", data.assign(y=data["y"] > 2))
    assert yes.categories == ("0", "1")
    numbers = data.assign(y=pd.Categorical(data["y"], categories=[4, 3, 2, 1], ordered=True))
    turned = ordinal("y ~ x", numbers)
    assert turned.categories == ("4", "3", "2", "1")
    assert_allclose(turned.coefficients, -peer.coefficients, rtol=1e-8)


def test_models_stand_beside_each_other() -> None:
    from collabsurvey.regression import compare

    data = simulated()
    models = [ordinal("y ~ x", data), ordinal("y ~ x + kind", data)]
    text = compare(models).summary()
    assert "kindb" in text
    assert "log-likelihood" in text


# assumptions -----------------------------------------------------------------------------------


def crossing(n: int = 3000) -> pd.DataFrame:
    """A predictor that moves the lowest threshold only, one that spreads, one that shifts."""
    rng = np.random.default_rng(9)
    x, z, s = (rng.normal(size=n) for _ in range(3))
    u = rng.logistic(size=n) * np.exp(0.5 * z)
    latent = 0.7 * s + u
    y = 1 + (latent > -1.0 - 0.9 * np.tanh(x)) + (latent > 1.2) + (latent > 2.5)
    return pd.DataFrame({"y": y, "x": x, "z": z, "s": s, "school": rng.integers(0, 60, n)})


@pytest.mark.parametrize("cluster", [None, "school"])
def test_proportional_odds_in_words(cluster: str | None) -> None:
    found = ordinal("y ~ x + s", crossing(), cluster=cluster).proportional_odds()
    tests = found.to_frame().set_index("term")
    assert tests.loc["x", "p_value"] < 1e-6
    assert tests.loc["s", "p_value"] > 0.001
    text = found.summary()
    assert re.search(r"The effect of x differs between thresholds \(p < \.001\): from .* to", text)
    assert "What to do" in text
    robust = cluster is not None
    assert ("robust to clusters of school" in text) == robust
    assert (tests["test"] == ("Wald, robust by school" if robust else "likelihood ratio")).all()
    of_x = found.effects[found.effects["term"] == "x"]
    assert of_x["threshold"].tolist() == ["1|2", "2|3", "3|4"]
    assert of_x["estimate"].iloc[0] > 0.4
    assert found.chart().to_svg()


def test_scale_test_finds_spread() -> None:
    found = ordinal("y ~ z + s", crossing()).scale_test()
    tests = found.to_frame().set_index("term")
    assert tests.loc["z", "p_value"] < 1e-6
    effect = found.effects.set_index("term").loc["z"]
    assert abs(effect["estimate"] - 0.5) < 3.5 * effect["std_error"]
    assert "Answers spread differently along z" in found.summary()
    assert found.chart().to_svg()
    robust = ordinal("y ~ z + s", crossing(), cluster="school").scale_test().to_frame()
    assert robust["p_value"].iloc[0] < 1e-6


def test_robust_wald_test_is_near_the_likelihood_ratio_for_independent_rows() -> None:
    data = simulated(n=4000, n_groups=200)
    one = ordinal("y ~ x + kind", data).proportional_odds().to_frame()
    other = ordinal("y ~ x + kind", data, cluster="school").proportional_odds().to_frame()
    assert_allclose(one["df"], other["df"])
    assert_allclose(one["statistic"], other["statistic"], atol=1.5)


def test_effects_without_finite_estimate_are_named() -> None:
    for link in ("logit", "probit"):  # nobody called a cold wine 5, or a warm one 1
        found = ordinal("rating ~ temp + contact", dataset("wine"), link=link)  # type: ignore[arg-type]
        test = found.proportional_odds()
        assert "temp has no finite estimate" in test.summary()
        assert set(test.effects["term"]) == {"contactyes"}


# refusals --------------------------------------------------------------------------------------


def test_text_without_order_is_refused_with_what_to_do() -> None:
    text = words(simulated())
    text["y"] = text["y"].astype(str)
    with pytest.raises(DataError, match=r"text without an order .*pd\.Categorical\(df\['y'\]"):
        ordinal("y ~ x", text)
    with pytest.raises(DataError, match="without an order"):
        ordinal("y ~ x", text.assign(y=text["y"].astype("category")))


def test_outcomes_that_are_no_categories() -> None:
    data = simulated()
    with pytest.raises(DataError, match="not a whole number in 400 rows"):
        ordinal("y ~ x", data.assign(y=data["y"] + 0.5))
    with pytest.raises(NoVarianceError, match="only '2'"):
        ordinal("y ~ x", data.assign(y=2))
    with pytest.raises(FormulaError, match=r"cbind\(\) is for counts"):
        ordinal("cbind(y, x) ~ kind", data)
    with pytest.raises(FormulaError, match="'y' is the outcome and a predictor too"):
        ordinal("y ~ x + y", data)


def test_formulas_that_are_refused() -> None:
    data = simulated()
    with pytest.raises(FormulaError, match="no intercept to leave out"):
        ordinal("y ~ 0 + x", data)
    with pytest.raises(FormulaError, match="mixed_ordinal"):
        ordinal("y ~ x + (1 | school)", data)
    with pytest.raises(UnknownNameError, match="shool"):
        ordinal("y ~ x", data, cluster="shool")
    with pytest.raises(OptionError, match="link="):
        ordinal("y ~ x", data, link="cauchit")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="conf_level"):
        ordinal("y ~ x", data, conf_level=95)


def test_aliased_and_constant_columns_are_named() -> None:
    data = simulated().assign(copy=lambda d: 2 * d["x"] + 1, one=1.0, only="k")
    with pytest.raises(DataError, match="'copy' follows exactly"):
        ordinal("y ~ x + copy", data)
    with pytest.raises(DataError, match="'one' has the same value in every row"):
        ordinal("y ~ x + one", data)
    with pytest.raises(NoVarianceError, match="'only'"):
        ordinal("y ~ x + only", data)


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_separation_is_named(link: Any) -> None:
    data = simulated()
    data.loc[data["kind"] == "b", "y"] = 4
    with pytest.raises(DataError, match="every row with kind 'b' has the category '4'"):
        ordinal("y ~ x + kind", data, link=link)
    data = simulated().assign(x=lambda d: d["y"] + 0.3 * np.tanh(d["x"]))
    with pytest.raises(DataError, match="x tells categories apart exactly"):
        ordinal("y ~ x", data, link=link)
    with pytest.raises(DataError, match="mixed_ordinal finds perfect separation"):
        mixed_ordinal("y ~ x + (1 | school)", data, link=link)


def test_empty_cells_are_no_separation() -> None:
    data = simulated(n=2000)
    data = data[~((data["kind"] == "b") & (data["y"] == 2))]
    found = ordinal("y ~ x + kind", data)
    assert found.fit["converged"]
    assert found.slopes["std_error"].max() < 1


def test_an_outlier_is_no_separation() -> None:
    data = simulated()
    data.loc[0, "x"] = 60.0
    data.loc[0, "y"] = 4
    assert ordinal("y ~ x", data).fit["converged"]


def test_weights_are_checked() -> None:
    data = simulated().assign(w=1.0)
    for bad, words_of in ((0.0, "1 weights in 'w' are 0"), (-1.0, "negative")):
        wrong = data.copy()
        wrong.loc[3, "w"] = bad
        with pytest.raises(DataError, match=words_of):
            ordinal("y ~ x", wrong, weights="w")
    with pytest.raises(DataError, match="add up to 1"):
        ordinal("y ~ x", data.assign(w=1 / len(data)), weights="w")


def test_too_little_data() -> None:
    data = simulated()
    with pytest.raises(NotEnoughDataError, match="complete rows for 4 categories"):
        ordinal("y ~ x + kind", data.iloc[:5].assign(y=[1, 2, 3, 4, 2], kind=list("ababa")))
    with pytest.raises(NotEnoughDataError, match="at least 2 clusters in 'school'"):
        ordinal("y ~ x", data.assign(school=1), cluster="school")
    with pytest.raises(DataError, match="no row with an answer in every column"):
        ordinal("y ~ x", data.assign(x=np.nan))


def test_few_clusters_are_warned_of() -> None:
    with pytest.warns(FewClustersWarning, match="8 clusters of school are few"):
        found = ordinal("y ~ x", simulated(n_groups=8), cluster="school")
    assert "8 clusters" in " ".join(found.notes)


def test_missing_values_are_counted() -> None:
    data = simulated()
    data.loc[:4, "x"] = np.nan
    found = ordinal("y ~ x", data)
    assert found.fit["n_obs"] == 395
    assert found.fit["n_dropped"] == 5
    assert "5 of 400 rows were left out" in " ".join(found.notes)


# what a reader sees ----------------------------------------------------------------------------


def test_table_and_charts() -> None:
    found = ordinal("rating ~ temp + contact", dataset("wine"))
    text = found.summary()
    assert "odds ratio" in text
    assert re.search(r"tempwarm +2\.503 .*12\.220", text)
    assert re.search(r"1\|2 +−1\.344 +0\.517 +– +–", text)
    assert found._repr_html_()
    assert "tempwarm" in found.chart().description
    assert "1|2" not in found.chart().to_svg()
    probit = ordinal("rating ~ temp + contact", dataset("wine"), link="probit")
    assert "odds ratio" not in probit.summary()
    with pytest.raises(NotSupportedError, match="odds ratio with link='probit'"):
        _ = probit.ratios
    assert probit.chart().to_svg()


def test_probability_chart() -> None:
    data = simulated().assign(year=lambda d: 2015 + d["school"] % 3)
    found = ordinal("y ~ center(x) + kind + C(year) + between(x, school)", data)
    over_x = found.probability_chart("x")
    assert "Held: kind" in over_x.description
    assert over_x.to_svg()
    over_kind = found.probability_chart("kind")
    shares = found.predict(
        pd.DataFrame(
            {
                "x": data["x"].mean(),
                "kind": ["a"],
                "year": data["year"].mode(),
                "school": data["school"].mode(),
            }
        )
    )
    assert f"at kind a: 1 {shares['1'][0]:.0%}, 2 {shares['2'][0]:.0%}" in over_kind.description
    assert over_kind.to_svg()
    assert found.probability_chart("year").to_svg()
    with pytest.raises(UnknownNameError, match="no predictor 'kindd'"):
        found.probability_chart("kindd")


def test_wald_and_frames() -> None:
    found = ordinal("rating ~ temp + contact", dataset("wine"))
    joint = found.wald()
    b, v = found.coefficients, found.covariance
    assert_allclose(joint["statistic"], b @ np.linalg.solve(v, b))
    one = found.wald("temp")
    assert_allclose(one["statistic"], found.slopes["statistic"][0] ** 2)
    assert found.to_frame().equals(found.estimates)
    again = pickle.loads(pickle.dumps(found))
    assert_allclose(again.vcov, found.vcov)
    with pytest.raises(ValueError, match="read-only"):
        found.threshold_values[0] = 0
