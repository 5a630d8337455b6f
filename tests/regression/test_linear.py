"""Linear regression against clubSandwich, sandwich and estimatr, statsmodels, and properties."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.errors import (
    CollabSurveyError,
    DataError,
    FewClustersWarning,
    FormulaError,
    NotEnoughDataError,
    NoVarianceError,
    OptionError,
    UnknownNameError,
)
from collabsurvey.regression import ols
from support import dataset, gold, matrix

RTOL = 1e-10  # closed forms in both programs; R prints 15 digits
ENTRIES = gold("09_cluster_robust")
MODELS = {
    "exam": ("normexam ~ standLRT + sex + schavg", "school"),
    "sleepstudy": ("Reaction ~ Days", "Subject"),
    "bh1996": ("WBEING ~ HRS + LEAD", "GRP"),
}
ROBUST = [name for name in ENTRIES if not name.endswith("sandwich")]
SANDWICH = [name for name in ENTRIES if name.endswith("sandwich")]


def column(table: list[dict[str, Any]], name: str) -> list[Any]:
    return [row[name] for row in table]


def test_every_entry_is_walked() -> None:
    assert {name.split("_")[0] for name in ENTRIES} == set(MODELS)
    assert len(ROBUST) + len(SANDWICH) == len(ENTRIES) == 21


@pytest.mark.parametrize("entry", ROBUST)
def test_cluster_robust_matches_clubsandwich(entry: str) -> None:
    name, _, cov = entry.split("_")
    values = ENTRIES[entry]["values"]
    formula, cluster = MODELS[name]
    result = ols(formula, dataset(name), cluster=cluster, cov=cov)
    table = values["table"]
    found = result.estimates
    assert found["term"].tolist() == column(table, "Coef")
    assert_allclose(found["estimate"], column(table, "beta"), rtol=RTOL)
    assert_allclose(found["std_error"], column(table, "SE"), rtol=RTOL)
    assert_allclose(found["statistic"], column(table, "tstat"), rtol=RTOL)
    assert_allclose(found["df"], column(table, "df_Satt"), rtol=RTOL)
    assert_allclose(found["p_value"], column(table, "p_Satt"), rtol=1e-8, atol=1e-14)
    assert_allclose(result.vcov, matrix(values["vcov"]), rtol=1e-8, atol=1e-14)
    assert result.fit["n_obs"] == values["n"]
    assert result.fit["n_groups"] == values["n_clusters"]


@pytest.mark.parametrize("entry", ROBUST)
def test_other_df_match_clubsandwich(entry: str) -> None:
    name, _, cov = entry.split("_")
    table = ENTRIES[entry]["values"]["table"]
    formula, cluster = MODELS[name]
    if name == "sleepstudy":  # 18 clusters: warned of, and still the same number
        with pytest.warns(FewClustersWarning, match="18 clusters are few"):
            naive = ols(formula, dataset(name), cluster=cluster, cov=cov, df_method="naive")
        with pytest.warns(FewClustersWarning, match="Use cov='CR2'"):
            z = ols(formula, dataset(name), cluster=cluster, cov=cov, df_method="z")
    else:
        naive = ols(formula, dataset(name), cluster=cluster, cov=cov, df_method="naive")
        z = ols(formula, dataset(name), cluster=cluster, cov=cov, df_method="z")
    assert naive.estimates["df"].tolist() == column(table, "df_t")
    assert_allclose(naive.estimates["p_value"], column(table, "p_t"), rtol=1e-8, atol=1e-14)
    assert_allclose(z.estimates["p_value"], column(table, "p_z"), rtol=1e-8, atol=1e-14)
    assert np.isinf(z.estimates["df"]).all()


@pytest.mark.parametrize("name", MODELS)
def test_intervals_and_joint_test_match_clubsandwich(name: str) -> None:
    values = ENTRIES[f"{name}_ols_CR2"]["values"]
    formula, cluster = MODELS[name]
    result = ols(formula, dataset(name), cluster=cluster)
    assert_allclose(result.estimates["ci_low"], column(values["conf_int"], "CI_L"), rtol=RTOL)
    assert_allclose(result.estimates["ci_high"], column(values["conf_int"], "CI_U"), rtol=RTOL)
    expected = values["wald_all_slopes_HTZ"][0]
    found = result.wald().iloc[0]
    assert_allclose(found["statistic"], expected["Fstat"], rtol=1e-9)
    assert found["df1"] == expected["df_num"]
    assert_allclose(found["df2"], expected["df_denom"], rtol=1e-9)
    assert_allclose(found["p_value"], expected["p_val"], rtol=1e-7, atol=1e-14)


@pytest.mark.parametrize("entry", SANDWICH)
def test_row_and_cluster_errors_match_sandwich(entry: str) -> None:
    name = entry.split("_", maxsplit=1)[0]
    values = ENTRIES[entry]["values"]
    formula, cluster = MODELS[name]
    data = dataset(name)
    plain = ols(formula, data)
    assert_allclose(plain.estimates["estimate"], column(values["ols"], "Estimate"), rtol=RTOL)
    assert_allclose(plain.estimates["std_error"], column(values["ols"], "Std. Error"), rtol=RTOL)
    expected = column(values["ols"], "Pr(>|t|)")
    assert_allclose(plain.estimates["p_value"], expected, rtol=1e-6, atol=1e-14)
    for kind in ("HC0", "HC1", "HC2", "HC3", "HC4"):
        errors = list(values[f"vcov{kind}"].values())
        assert_allclose(ols(formula, data, cov=kind).std_errors, errors, rtol=RTOL)
    # sandwich's HC0 with cadjust is CR1; its HC1 is CR1S, as Stata's; without cadjust CR0.
    for cov, key in (
        ("CR1", "vcovCL_HC0"),
        ("CR1S", "vcovCL_HC1_default"),
        ("CR0", "vcovCL_HC0_nocadjust"),
    ):
        found = ols(formula, data, cluster=cluster, cov=cov).std_errors
        assert_allclose(found, list(values[key].values()), rtol=RTOL)
    cr2 = ols(formula, data, cluster=cluster).estimates
    # estimatr's own rounding is about 1e-12
    assert_allclose(cr2["std_error"], list(values["estimatr_CR2"]["se"].values()), rtol=1e-9)
    assert_allclose(cr2["df"], list(values["estimatr_CR2"]["df"].values()), rtol=1e-9)
    p = list(values["estimatr_CR2"]["p"].values())
    assert_allclose(cr2["p_value"], p, rtol=1e-7, atol=1e-14)
    stata = values["estimatr_stata"]
    with warnings.catch_warnings():  # 18 subjects are few; tested below
        warnings.simplefilter("ignore", FewClustersWarning)
        cr1s = ols(formula, data, cluster=cluster, cov="CR1S", df_method="naive").estimates
    assert cr1s["df"].tolist() == list(stata["df"].values())
    assert_allclose(cr1s["std_error"], list(stata["se"].values()), rtol=1e-9)
    assert_allclose(cr1s["p_value"], list(stata["p"].values()), rtol=1e-7, atol=1e-14)


def random_data(seed: int, n: int = 120, clusters: int = 24) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    school = rng.integers(0, clusters, n)
    x = rng.normal(size=n) + rng.normal(size=clusters)[school]
    y = 1 + 0.5 * x + rng.normal(size=clusters)[school] + rng.normal(size=n)
    return pd.DataFrame(
        {"y": y, "x": x, "z": rng.normal(size=n), "school": school, "w": rng.uniform(0.2, 3, n)}
    ).assign(kind=rng.choice(["a", "b", "c"], n))


@pytest.mark.parametrize("weights", [None, "w"])
def test_agrees_with_statsmodels(weights: str | None) -> None:
    data = random_data(1)
    formula = "y ~ x * kind + z"
    model = smf.ols(formula, data) if weights is None else smf.wls(formula, data, weights=data["w"])
    peer = model.fit()
    result = ols(formula, data, weights=weights)
    names = {"Intercept": "(Intercept)", "x:kind[T.b]": "x:kindb", "x:kind[T.c]": "x:kindc"}
    order = [names.get(t, t.replace("[T.", "").replace("]", "")) for t in peer.params.index]
    found = result.estimates.set_index("term").loc[order]
    assert_allclose(found["estimate"], peer.params, rtol=RTOL)
    assert_allclose(found["std_error"], peer.bse, rtol=RTOL)
    assert_allclose(found["p_value"], peer.pvalues, rtol=1e-8)
    assert_allclose(result.fit["loglik"], peer.llf, rtol=RTOL)
    assert_allclose(result.fit["r2"], peer.rsquared, rtol=RTOL)
    assert_allclose(result.fit["adj_r2"], peer.rsquared_adj, rtol=RTOL)
    clustered = model.fit(cov_type="cluster", cov_kwds={"groups": data["school"]})
    stata = ols(formula, data, weights=weights, cluster="school", cov="CR1S", df_method="z")
    found = stata.estimates.set_index("term").loc[order]
    assert_allclose(found["std_error"], clustered.bse, rtol=RTOL)
    assert_allclose(result.predict(data), peer.predict(data), rtol=RTOL)
    # R's lm counts sigma as a parameter, statsmodels does not
    assert_allclose(result.fit["aic"], peer.aic + 2, rtol=RTOL)


def dense_cr(data: pd.DataFrame, power: float) -> tuple[np.ndarray, np.ndarray]:
    """CR2 or CR3 with its Satterthwaite df, written as in the paper with N × N matrices."""
    x = np.column_stack((np.ones(len(data)), data["x"], data["z"]))
    root = np.sqrt(data["w"].to_numpy())
    x, y = x * root[:, None], data["y"].to_numpy() * root
    bread = np.linalg.inv(x.T @ x)
    hat = x @ bread @ x.T
    left = np.eye(len(x)) - hat
    e = left @ y
    meat = np.zeros((3, 3))
    columns = {j: [] for j in range(3)}
    for g in np.unique(data["school"]):
        rows = np.flatnonzero(data["school"] == g)
        values, vectors = np.linalg.eigh(left[np.ix_(rows, rows)])
        powered = np.where(values > 1e-10, np.maximum(values, 1e-10) ** -power, 0.0)
        adjust = (vectors * powered) @ vectors.T
        score = x[rows].T @ adjust @ e[rows]
        meat += np.outer(score, score)
        for j in range(3):
            columns[j].append(left[:, rows] @ adjust @ x[rows] @ bread[:, j])
    df = []
    for j in range(3):
        p = np.column_stack(columns[j])
        inner = p.T @ p
        df.append(np.trace(inner) ** 2 / np.sum(inner**2))
    return bread @ meat @ bread, np.array(df)


@pytest.mark.parametrize(("cov", "power"), [("CR2", 0.5), ("CR3", 1.0)])
def test_weighted_cr_equals_the_definition(cov: str, power: float) -> None:
    data = random_data(2)
    vcov, df = dense_cr(data, power)
    result = ols("y ~ x + z", data, cluster="school", cov=cov, weights="w")
    assert_allclose(result.covariance, vcov, rtol=1e-9, atol=1e-12)
    assert_allclose(result.df, df, rtol=1e-9)


def test_cluster_dummies_leave_cr2_of_the_slope_finite() -> None:
    data = random_data(3, n=60, clusters=12)
    x = data["x"] - data.groupby("school")["x"].transform("mean")
    y = data["y"] - data.groupby("school")["y"].transform("mean")
    full = ols("y ~ x + C(school)", data, cluster="school")
    within = ols("y ~ 0 + x", pd.DataFrame({"x": x, "y": y, "s": data["school"]}), cluster="s")
    assert_allclose(full.coefficients[1], within.coefficients[0], rtol=1e-9)
    # Bell & McCaffrey with absorbed clusters: clubSandwich gives both the same CR2 error.
    assert_allclose(full.std_errors[1], within.std_errors[0], rtol=1e-8)


def test_engines_agree(engine: Any) -> None:
    data = dataset("exam")
    data.loc[::50, "standLRT"] = np.nan
    formula = "normexam ~ within(standLRT, school) * schgend + sex"
    expected = ols(formula, data, cluster="school")
    other = engine(data)
    result = ols(formula, other, cluster="school")
    pd.testing.assert_frame_equal(result.estimates, expected.estimates, rtol=1e-12)
    assert result.notes == expected.notes
    predicted = np.asarray(result.predict(other), dtype=float)
    assert_allclose(predicted, expected.predict(data), rtol=1e-12)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    shift=st.floats(-1e6, 1e6),
    scale=st.floats(1e-4, 1e4),
)
def test_location_and_scale_of_a_predictor_do_not_matter(
    seed: int, shift: float, scale: float
) -> None:
    data = random_data(seed)
    moved = data.assign(x=shift + scale * data["x"])
    a = ols("y ~ x + z", data, cluster="school")
    b = ols("y ~ x + z", moved, cluster="school")
    # moving by 1e6 costs the data themselves 10 of 16 digits
    assert_allclose(b.coefficients[1] * scale, a.coefficients[1], rtol=1e-4, atol=1e-6)
    assert_allclose(b.std_errors[1] * scale, a.std_errors[1], rtol=1e-4)
    assert_allclose(b.df[1:], a.df[1:], rtol=1e-4)
    assert_allclose(b.fit["r2"], a.fit["r2"], rtol=1e-4, atol=1e-8)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000))
def test_row_order_and_cluster_labels_do_not_matter(seed: int) -> None:
    data = random_data(seed)
    shuffled = data.sample(frac=1, random_state=seed)
    shuffled["school"] = "school " + (97 - shuffled["school"]).astype(str)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewClustersWarning)  # by chance, for some seeds
        a = ols("y ~ x + kind", data, cluster="school")
        b = ols("y ~ x + kind", shuffled, cluster="school")
    pd.testing.assert_frame_equal(a.estimates, b.estimates, rtol=1e-9)


def test_large_values_keep_their_digits() -> None:
    rng = np.random.default_rng(4)
    steps = rng.integers(0, 1000, 200) / 1024  # exact beside 1e9
    noise = rng.normal(size=200)
    data = pd.DataFrame({"x": 1e9 + steps, "y": 1e9 + np.round(1024 * (steps + noise)) / 1024})
    small = pd.DataFrame({"x": steps, "y": data["y"] - 1e9})
    a, b = ols("y ~ x", data), ols("y ~ x", small)
    assert_allclose(a.coefficients[1], b.coefficients[1], rtol=1e-11)
    assert_allclose(a.std_errors[1], b.std_errors[1], rtol=1e-11)
    assert_allclose(a.fit["sigma"], b.fit["sigma"], rtol=1e-11)


def test_ill_conditioned_columns_agree_with_lstsq() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(300, 3)) * [1e-6, 1.0, 1e7] + [1e-3, 50.0, 3e8]
    x = np.column_stack((x, x[:, 1] + 1e-5 * rng.normal(size=300)))
    y = x @ [1e5, 2.0, 1e-6, -1.0] + rng.normal(size=300)
    data = pd.DataFrame(x, columns=list("abcd")).assign(y=y)
    result = ols("y ~ a + b + c + d", data)
    centred = x - x.mean(axis=0)
    scaled = centred / centred.std(axis=0)
    expected = np.linalg.lstsq(scaled, y - y.mean(), rcond=None)[0] / centred.std(axis=0)
    assert_allclose(result.coefficients[1:], expected, rtol=1e-9)


def test_many_row_blocks_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    from collabsurvey.moments import design

    data = dataset("exam")
    formula = "normexam ~ standLRT + sex + schavg"
    whole = ols(formula, data, cluster="school")
    hc = ols(formula, data, cov="HC3")
    monkeypatch.setattr(design.RowBlocks.__init__, "__defaults__", (700,))
    assert_allclose(ols(formula, data, cluster="school").covariance, whole.covariance, rtol=1e-9)
    assert_allclose(ols(formula, data, cov="HC3").covariance, hc.covariance, rtol=1e-9)


def test_no_intercept_and_offset() -> None:
    data = random_data(6)
    cells = ols("y ~ 0 + kind", data)
    assert cells.terms == ("kinda", "kindb", "kindc")
    assert_allclose(cells.coefficients, data.groupby("kind")["y"].mean(), rtol=RTOL)
    plain = ols("y ~ 0 + x + z", data)
    expected = np.linalg.lstsq(data[["x", "z"]].to_numpy(), data["y"].to_numpy(), rcond=None)[0]
    assert_allclose(plain.coefficients, expected, rtol=RTOL)
    moved = ols("y ~ x + offset(2 * z)", data)
    direct = ols("I(y - 2 * z) ~ x", data)
    assert_allclose(moved.coefficients, direct.coefficients, rtol=RTOL)
    assert_allclose(moved.predict(data), direct.predict(data) + 2 * data["z"], rtol=1e-9)


def test_missing_rows_are_counted_and_predicted_missing() -> None:
    data = random_data(7)
    data.loc[[3, 5], "x"] = np.nan
    data.loc[9, "kind"] = None
    data["school"] = data["school"].astype(float)
    data.loc[11, "school"] = np.nan
    result = ols("y ~ x + kind", data, cluster="school")
    complete = ols("y ~ x + kind", data.drop([3, 5, 9, 11]), cluster="school")
    assert_allclose(result.covariance, complete.covariance, rtol=1e-12)
    assert result.fit["n_dropped"] == 4
    assert "4 of 120 rows were left out" in result.notes[0]
    assert "x 2, kind 1, school 1" in result.notes[0]
    predicted = result.predict(data)
    assert predicted.index.equals(data.index)
    assert predicted.isna().to_numpy().nonzero()[0].tolist() == [3, 5, 9]


def test_weight_of_zero_is_a_row_left_out() -> None:
    data = random_data(8)
    data.loc[:9, "w"] = 0.0
    result = ols("y ~ x", data, weights="w")
    assert_allclose(
        result.covariance, ols("y ~ x", data.loc[10:], weights="w").covariance, rtol=1e-12
    )
    assert "a weight of 0 in w" in result.notes[0]


def test_few_clusters_warn() -> None:
    data = random_data(9, n=60, clusters=4)
    with pytest.warns(FewClustersWarning, match="Satterthwaite df are below 4"):
        result = ols("y ~ x", data, cluster="school")
    assert any("below 4" in note for note in result.notes)


@pytest.mark.parametrize(
    ("formula", "options", "error", "sentence"),
    [
        ("y ~ missing", {}, UnknownNameError, "The table has no column 'missing'"),
        ("y ~ kinds", {}, UnknownNameError, "Did you mean 'kind'?"),
        ("y ~ x + same", {}, DataError, "'same' has the same value in every row"),
        ("y ~ x + twice", {}, DataError, "'twice' follows exactly from the terms before it"),
        ("same ~ x", {}, NoVarianceError, "the outcome 'same' has the same value in every row"),
        ("kind ~ x", {}, DataError, "The outcome 'kind' is text"),
        ("y ~ I(kind + 1)", {}, FormulaError, "column 'kind' holds text"),
        ("y ~ log(x)", {}, DataError, "is not defined in"),
        ("y ~ one_kind", {}, NoVarianceError, "only 'k'"),
        ("y ~ x + (1 | school)", {}, FormulaError, r"use cs.regression.mixed\(\)"),
        ("cbind(y, x) ~ z", {}, FormulaError, "counts of successes"),
        ("y ~ I(y * 2)", {}, DataError, "exactly"),
        ("y ~ x", {"cluster": "same"}, NotEnoughDataError, "at least 2 clusters in 'same'"),
        ("y ~ x", {"cov": "CR2"}, OptionError, "without cluster=, cov='CR2'"),
        ("y ~ x", {"cluster": "school", "cov": "HC3"}, OptionError, "with cluster='school'"),
        ("y ~ x", {"df_method": "naive"}, OptionError, "df_method='naive'"),
        ("y ~ x", {"weights": "z"}, DataError, "weights in 'z' are negative"),
        ("y ~ x", {"weights": "kind"}, DataError, "weights in 'kind' are text"),
        ("y ~ x", {"weights": "nothing"}, UnknownNameError, "no column 'nothing'"),
        ("y ~ empty", {}, DataError, "'empty' is missing in 120 of 120 rows"),
        ("y ~ infinite", {}, DataError, "'infinite' holds infinite values"),
    ],
)
def test_mistakes_are_named(
    formula: str, options: dict[str, Any], error: type[CollabSurveyError], sentence: str
) -> None:
    data = random_data(10).assign(same=1.5, one_kind="k", empty=np.nan, infinite=np.inf)
    data["twice"] = 3 - 2 * data["x"]
    with pytest.raises(error, match=sentence):
        ols(formula, data, **options)


def test_too_few_rows_and_not_a_table() -> None:
    with pytest.raises(
        NotEnoughDataError, match="at least 3 complete rows in the table; there are"
    ):
        ols("y ~ x", random_data(11).head(2))
    with pytest.raises(DataError, match="A list is not a table"):
        ols("y ~ x", [1, 2])


def test_predicting_an_unseen_level_is_refused() -> None:
    data = random_data(12)
    result = ols("y ~ kind", data)
    with pytest.raises(DataError, match="were not among the rows of the fit: z"):
        result.predict(data.assign(kind="z"))


def test_result_shows_itself() -> None:
    result = ols("y ~ x + kind", random_data(13), cluster="school")
    text = result.summary()
    assert text.startswith("Linear regression of y (CR2 errors by school)")
    assert "120 rows in 24 clusters of school" in text
    assert "kindb" in result._repr_html_()
    assert "kindc" in result.chart().to_svg()
    assert not result.coefficients.flags.writeable
    assert result.wald("kind")["df1"].item() == 2
    assert result.variance_components is None
    with pytest.raises(UnknownNameError, match="no term 'kindd'"):
        result.wald("kindd")


def test_new_york_schools_match_the_values_beside_the_data(real_data: Path) -> None:
    folder = real_data / "nyc-schools-2011"
    data = pd.read_csv(folder / "high_schools_joined_by_third_party.csv")
    for formula, n, slope, error in (
        ("grads_percent ~ com_t_11", 310, 0.86, 1.11),
        ("grads_percent ~ com_t_11 + frl_percent", 298, 0.21, 1.03),
        ("avg_sat_score ~ aca_s_11", 340, 99.7, 17.7),
    ):
        result = ols(formula, data)
        row = result.estimates.iloc[1]
        digits = 1 if slope > 10 else 2
        assert result.fit["n_obs"] == n
        assert round(row["estimate"], digits) == slope
        assert round(row["std_error"], digits) == error


@pytest.mark.slow
def test_intervals_cover_the_truth_with_twelve_clusters() -> None:
    rng = np.random.default_rng(14)
    school = np.repeat(np.arange(12), 15)
    hits = plain_hits = 0
    for _ in range(400):
        x = rng.normal(size=12)[school]
        y = 0.5 * x + 0.6 * rng.normal(size=12)[school] + rng.normal(size=180)
        data = pd.DataFrame({"y": y, "x": x, "school": school})
        with warnings.catch_warnings():  # a few draws have less than 4 df
            warnings.simplefilter("ignore", FewClustersWarning)
            slope = ols("y ~ x", data, cluster="school", cov="CR2").estimates.iloc[1]
        hits += slope["ci_low"] <= 0.5 <= slope["ci_high"]
        slope = ols("y ~ x", data).estimates.iloc[1]
        plain_hits += slope["ci_low"] <= 0.5 <= slope["ci_high"]
    assert 0.92 <= hits / 400 <= 0.99  # .95 give or take three standard errors
    assert plain_hits / 400 < 0.75  # what ignoring the schools costs
