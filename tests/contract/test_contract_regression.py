"""Linear and mixed models against dense matrices, statsmodels and the formula language."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy import optimize, stats

import collabsurvey as cs
from collabsurvey.errors import CollabSurveyError, FewClustersWarning, SingularFitWarning
from conftest import Engine

OLS, MIXED = cs.regression.ols, cs.regression.mixed
ESTIMATES = ["term", "estimate", "std_error", "statistic", "df", "p_value", "ci_low", "ci_high"]
FIT = ["loglik", "aic", "bic", "n_obs", "n_groups", "sigma", "converged"]


@pytest.fixture(scope="module")
def df() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    sizes = np.r_[1, 1, 1, rng.integers(2, 18, 21)]
    g = np.repeat(np.arange(24), sizes)
    n = len(g)
    out = pd.DataFrame(
        {
            "g": [f"s{i:02d}" for i in g],
            "x": rng.normal(size=n),
            "z": rng.normal(size=n),
            "w": rng.uniform(0.2, 3, n),
            "s": rng.choice(["low", "mid", "high"], n),
            "c": pd.Categorical(rng.choice(list("bca"), n), categories=["c", "a", "b", "unused"]),
            "yr": rng.choice([2024, 2025, 2026], n),
        }
    )
    u = rng.normal(size=(24, 2)) * [0.7, 0.4]
    out["y"] = 1 + 0.5 * out["x"] + u[g, 0] + u[g, 1] * out["x"] + rng.normal(size=n)
    out["tr ust é"] = out["x"] + rng.normal(size=n)
    return out


# --- the language of formulas -------------------------------------------------------------------

SAME_IN_PATSY = {
    "y ~ x": "y ~ x",
    "y ~ 0 + x": "y ~ 0 + x",
    "y ~ s - 1": "y ~ s - 1",
    "y ~ 0 + s + c": "y ~ 0 + s + c",
    "y ~ x*z": "y ~ x*z",
    "y ~ x:s": "y ~ x:s",
    "y ~ s*c": "y ~ s*c",
    "y ~ s + s:c": "y ~ s + s:c",
    "y ~ x*s*c": "y ~ x*s*c",
    "y ~ 0 + s:x": "y ~ 0 + s:x",
    "y ~ (x + z)*s - x": "y ~ (x + z)*s - x",
    "y ~ (x + z + w)^2 - x:z": "y ~ (x + z + w)**2 - x:z",
    "y ~ factor(yr)*x": "y ~ C(yr)*x",
    "log(w) ~ I(x^2) + center(z)": "np.log(w) ~ I(x**2) + center(z)",
    "y ~ I(x/2 + z*3)": "y ~ I(x/2 + z*3)",
    "y ~ `tr ust é`*x": 'y ~ Q("tr ust é")*x',
}


@pytest.mark.parametrize("formula", SAME_IN_PATSY)
def test_formula_means_what_patsy_takes_it_for(df: pd.DataFrame, formula: str) -> None:
    used = df.assign(c=df["c"].cat.remove_unused_categories())
    theirs = smf.ols(SAME_IN_PATSY[formula], used).fit()
    ours = OLS(formula, df)
    table = ours.estimates
    order, their_order = np.argsort(table["estimate"]), np.argsort(theirs.params.to_numpy())
    for column, values in (("estimate", theirs.params), ("std_error", theirs.bse)):
        np.testing.assert_allclose(
            table[column].to_numpy()[order], values.to_numpy()[their_order], rtol=1e-8
        )
    assert ours.fit["loglik"] == pytest.approx(theirs.llf, rel=1e-10)
    assert ours.fit["sigma"] ** 2 == pytest.approx(theirs.mse_resid, rel=1e-10)


def test_within_and_between_are_center_of_multilevel(df: pd.DataFrame) -> None:
    parts = cs.multilevel.center(df, "x", "g")
    ours = OLS("y ~ within(x, g) + between(x, g)", df, cluster="g").estimates
    same = OLS("y ~ x_within + x_between", parts, cluster="g").estimates
    np.testing.assert_allclose(ours.drop(columns="term"), same.drop(columns="term"), rtol=1e-9)


def test_offset_is_taken_from_the_outcome(df: pd.DataFrame) -> None:
    ours = OLS("y ~ x + offset(z)", df, cluster="g").estimates
    same = OLS("I(y - z) ~ x", df, cluster="g").estimates
    pd.testing.assert_frame_equal(ours, same, rtol=1e-10)


def test_terms_are_named_as_in_r(df: pd.DataFrame) -> None:
    terms = OLS("y ~ x*s + C(yr) + c", df).estimates["term"].tolist()
    assert terms == [
        "(Intercept)",
        "x",
        "slow",
        "smid",
        "C(yr)2025",
        "C(yr)2026",
        "ca",
        "cb",
        "x:slow",
        "x:smid",
    ]


@pytest.mark.parametrize(
    "formula",
    [
        "y ~ nope",
        "y ~ __import__('os').getcwd()",
        "y ~ x.sum()",
        "y ~ [i for i in x]",
        "y ~ poly(x, 2)",
        "y ~ np.log(x)",
        "y ~ x +",
        "y ~ x z",
        "y ~ 3",
        "y",
        "~ x",
        "",
        "y ~ x ~ z",
        "s ~ x",
        "y ~ log(x)",
        "y ~ x + I(2*x)",
        "y ~ x + (1 | g)",
        "cbind(y, z) ~ x",
        "y ~ I(C(s) * 2)",
        "y ~ y",
    ],
)
def test_what_a_formula_may_not_hold(df: pd.DataFrame, formula: str) -> None:
    with pytest.raises(CollabSurveyError) as caught:
        OLS(formula, df)
    assert len(str(caught.value)) > 30


# --- ols ----------------------------------------------------------------------------------------


def robust_by_hand(
    x: np.ndarray, y: np.ndarray, groups: np.ndarray, kind: str
) -> tuple[np.ndarray, np.ndarray]:
    """Covariance and Satterthwaite df from N × N matrices (Pustejovsky & Tipton, 2018)."""
    n, p = x.shape
    bread = np.linalg.inv(x.T @ x)
    hat = x @ bread @ x.T
    e = y - hat @ y
    names = np.unique(groups)
    m = len(names)
    factor = {"CR1": m / (m - 1), "CR1S": m / (m - 1) * (n - 1) / (n - p)}.get(kind, 1.0)
    power = {"CR2": -0.5, "CR3": -1.0}.get(kind, 0.0)
    meat = np.zeros((p, p))
    vectors = np.zeros((p, m, n))
    for j, name in enumerate(names):
        rows = np.flatnonzero(groups == name)
        values, basis = np.linalg.eigh(np.eye(len(rows)) - hat[np.ix_(rows, rows)])
        kept = values > 1e-10
        adjust = (basis[:, kept] * values[kept] ** power) @ basis[:, kept].T if power else None
        block = x[rows].T if adjust is None else x[rows].T @ adjust
        score = block @ e[rows]
        meat += np.outer(score, score)
        vectors[:, j] = bread @ block @ (np.eye(n) - hat)[rows]
    df = np.array([np.trace(v @ v.T) ** 2 / np.sum((v @ v.T) ** 2) for v in vectors])
    return factor * bread @ meat @ bread, df


@pytest.mark.parametrize("kind", ["CR0", "CR1", "CR1S", "CR2", "CR3"])
def test_cluster_robust_errors_from_dense_matrices(df: pd.DataFrame, kind: str) -> None:
    found = OLS("y ~ x + s", df, cluster="g", cov=kind)
    x = sm.add_constant(
        np.column_stack([df["x"], df["s"] == "low", df["s"] == "mid"]).astype(float)
    )
    vcov, dof = robust_by_hand(x, df["y"].to_numpy(), df["g"].to_numpy(), kind)
    np.testing.assert_allclose(found.vcov, vcov, rtol=1e-8)
    np.testing.assert_allclose(found.estimates["df"], dof, rtol=1e-8)


def test_cr2_with_fixed_effects_of_the_clusters(df: pd.DataFrame) -> None:
    sizes = df["g"].map(df["g"].value_counts())
    used = df[sizes > 1]
    found = OLS("y ~ x + C(g)", used, cluster="g").estimates.set_index("term").loc["x"]
    x = np.column_stack([used["x"], pd.get_dummies(used["g"]).to_numpy(float)])
    vcov, dof = robust_by_hand(x, used["y"].to_numpy(), used["g"].to_numpy(), "CR2")
    assert found["std_error"] == pytest.approx(np.sqrt(vcov[0, 0]), rel=1e-8)
    assert found["df"] == pytest.approx(dof[0], rel=1e-6)
    within = OLS("y ~ within(x, g)", used, cluster="g").estimates.iloc[1]
    assert found["estimate"] == pytest.approx(within["estimate"], rel=1e-9)


def test_table_and_fit_have_the_promised_names(df: pd.DataFrame) -> None:
    for fit in (OLS("y ~ x", df), OLS("y ~ x", df, cluster="g"), MIXED("y ~ x + (1 | g)", df)):
        assert list(fit.estimates.columns) == ESTIMATES
        assert set(FIT) <= set(fit.fit)
        pd.testing.assert_frame_equal(fit.to_frame(), fit.estimates)
        table = fit.estimates
        np.testing.assert_allclose(table["statistic"], table["estimate"] / table["std_error"])
        np.testing.assert_allclose(
            table["p_value"], 2 * stats.t.sf(np.abs(table["statistic"]), table["df"]), rtol=1e-8
        )
        half = stats.t.ppf(0.975, table["df"]) * table["std_error"]
        np.testing.assert_allclose(table["ci_high"] - table["estimate"], half, rtol=1e-8)
    assert OLS("y ~ x", df, cluster="g").fit["n_groups"] == 24
    assert OLS("y ~ x", df).fit["n_obs"] == len(df)


def test_cr2_is_the_default_where_there_are_clusters(df: pd.DataFrame) -> None:
    default = OLS("y ~ x", df, cluster="g")
    pd.testing.assert_frame_equal(
        default.estimates, OLS("y ~ x", df, cluster="g", cov="CR2").estimates
    )
    assert any("CR2" in note and "24" in note for note in default.notes)
    assert any("independent" in note for note in OLS("y ~ x", df).notes)


def test_weights_are_inverse_variances(df: pd.DataFrame) -> None:
    found = OLS("y ~ x", df, weights="w")
    theirs = smf.wls("y ~ x", df, weights=df["w"]).fit()
    np.testing.assert_allclose(found.estimates["estimate"], theirs.params, rtol=1e-9)
    np.testing.assert_allclose(found.estimates["std_error"], theirs.bse, rtol=1e-9)
    root = np.sqrt(df["w"].to_numpy())[:, None]
    x = sm.add_constant(df["x"].to_numpy()) * root
    vcov, dof = robust_by_hand(x, df["y"].to_numpy() * root[:, 0], df["g"].to_numpy(), "CR2")
    robust = OLS("y ~ x", df, weights="w", cluster="g")
    np.testing.assert_allclose(robust.vcov, vcov, rtol=1e-8)
    np.testing.assert_allclose(robust.estimates["df"], dof, rtol=1e-8)


@pytest.mark.parametrize("kind", ["HC0", "HC1", "HC2", "HC3"])
def test_heteroscedastic_errors(df: pd.DataFrame, kind: str) -> None:
    theirs = smf.ols("y ~ x + z", df).fit(cov_type=kind, use_t=True)
    found = OLS("y ~ x + z", df, cov=kind).estimates
    np.testing.assert_allclose(found["std_error"], theirs.bse, rtol=1e-9)
    np.testing.assert_allclose(found["p_value"], theirs.pvalues, rtol=1e-7)


@pytest.mark.parametrize("column", ["x", "y"])
@pytest.mark.parametrize(("factor", "shift"), [(1e-8, 0), (1e8, 0), (1, 1e6)])
def test_units_do_not_matter(df: pd.DataFrame, column: str, factor: float, shift: float) -> None:
    moved = df.assign(**{column: df[column] * factor + shift})
    for fit in (
        lambda d: OLS("y ~ x + s", d, cluster="g"),
        lambda d: MIXED("y ~ x + (1 + x | g)", d),
    ):
        before, after = (fit(d).estimates.iloc[1] for d in (df, moved))
        for name in ("statistic", "df"):
            assert after[name] == pytest.approx(before[name], rel=1e-5)


def test_rows_left_out_are_counted(df: pd.DataFrame) -> None:
    holes = df.assign(
        g=df["g"].where(np.arange(len(df)) > 6),
        x=df["x"].where(np.arange(len(df)) % 10 > 0),
    )
    kept = holes.dropna(subset=["g", "x"])
    for holed, whole in (
        (OLS("y ~ x", holes, cluster="g"), OLS("y ~ x", kept, cluster="g")),
        (MIXED("y ~ x + (1 | g)", holes), MIXED("y ~ x + (1 | g)", kept)),
    ):
        pd.testing.assert_frame_equal(holed.estimates, whole.estimates, rtol=1e-9)
        assert holed.fit["n_obs"] == len(kept)
        assert any(str(len(df) - len(kept)) in note for note in holed.notes)


def test_every_engine_and_the_callers_data(engine: Engine, df: pd.DataFrame) -> None:
    small = df[["y", "x", "s", "g"]]
    before = small.copy(deep=True)
    found = OLS("y ~ x*s", engine(small), cluster="g").estimates
    pd.testing.assert_frame_equal(found, OLS("y ~ x*s", df, cluster="g").estimates, rtol=1e-9)
    mixed = MIXED("y ~ x + (1 + x | g)", engine(small)).estimates
    pd.testing.assert_frame_equal(
        mixed, MIXED("y ~ x + (1 + x | g)", df).estimates, rtol=1e-6, atol=1e-9
    )
    pd.testing.assert_frame_equal(small, before)


def test_predictions_keep_the_rows(df: pd.DataFrame) -> None:
    moved = df.sample(frac=1, random_state=2)
    moved.index = pd.Index(np.zeros(len(df), dtype=int))
    moved = moved.assign(x=moved["x"].where(np.arange(len(df)) > 2))
    fit = OLS("y ~ x + s", df)
    found = fit.predict(moved)
    theirs = smf.ols("y ~ x + s", df).fit().predict(moved.fillna({"x": 0}))
    assert found.iloc[:3].isna().all()
    np.testing.assert_allclose(found.iloc[3:], theirs.iloc[3:], rtol=1e-9)
    pd.testing.assert_index_equal(found.index, moved.index)


@pytest.mark.parametrize(
    ("change", "options"),
    [
        ({"y": 3.0}, {}),
        ({"x": 3.0}, {}),
        ({"x": np.nan}, {}),
        ({"x": np.inf}, {}),
        ({"w": -1.0}, {"weights": "w"}),
        ({"w": 0.0}, {"weights": "w"}),
        ({"w": "a"}, {"weights": "w"}),
        ({"g": "one"}, {"cluster": "g"}),
        ({"g": None}, {"cluster": "g"}),
        ({}, {"cluster": "nope"}),
        ({}, {"cluster": "g", "cov": "HC1"}),
        ({}, {"cov": "CR2"}),
        ({}, {"df_method": "x"}),
    ],
)
def test_ols_refuses(df: pd.DataFrame, change: dict[str, Any], options: dict[str, Any]) -> None:
    with pytest.raises(CollabSurveyError):
        OLS("y ~ x", df.assign(**change), **options)


def test_nearly_collinear_predictors_are_estimated(df: pd.DataFrame) -> None:
    near = df.assign(x2=df["x"] + 1e-5 * df["z"])
    same = OLS("y ~ x + z", df).estimates
    found = OLS("y ~ x + x2", near).estimates
    assert found["statistic"].iloc[2] == pytest.approx(same["statistic"].iloc[2], rel=1e-5)


def test_few_clusters_are_warned_of(df: pd.DataFrame) -> None:
    with pytest.warns(FewClustersWarning):
        OLS("y ~ x", df.assign(g=np.arange(len(df)) % 3), cluster="g")


# --- mixed --------------------------------------------------------------------------------------


def reml_by_hand(
    df: pd.DataFrame, slopes: bool, *, reml: bool = True, weights: str | None = None
) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """Log-likelihood, fixed effects, their errors and variances, from dense N × N matrices."""
    x = sm.add_constant(df["x"].to_numpy())
    y = df["y"].to_numpy()
    same = df["g"].to_numpy()[:, None] == df["g"].to_numpy()[None]
    noise = np.diag(1 / (df[weights].to_numpy() if weights else np.ones(len(df))))
    z = x if slopes else x[:, :1]
    q = z.shape[1]
    n, p = x.shape

    def solve(theta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray, float]:
        factor = np.zeros((q, q))
        factor[np.tril_indices(q)] = theta
        v = same * (z @ factor @ factor.T @ z.T) + noise
        inverse = np.linalg.inv(v)
        information = x.T @ inverse @ x
        beta = np.linalg.solve(information, x.T @ inverse @ y)
        r = y - x @ beta
        divisor = n - p if reml else n
        sigma2 = float(r @ inverse @ r) / divisor
        deviance = divisor * (1 + np.log(2 * np.pi * sigma2)) + np.linalg.slogdet(v)[1]
        if reml:
            deviance += np.linalg.slogdet(information)[1]
        return deviance, beta, np.linalg.inv(information) * sigma2, sigma2

    start = np.eye(q)[np.tril_indices(q)]
    best = optimize.minimize(
        lambda t: solve(t)[0], start, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-9}
    )
    deviance, beta, vcov, sigma2 = solve(best.x)
    factor = np.zeros((q, q))
    factor[np.tril_indices(q)] = best.x
    cov = factor @ factor.T * sigma2
    variances = np.r_[np.diag(cov), cov[np.tril_indices(q, -1)], sigma2]
    return -deviance / 2, beta, np.sqrt(np.diag(vcov)), variances


@pytest.mark.parametrize(
    ("slopes", "reml", "weights"),
    [
        (False, True, None),
        (False, False, None),
        (False, True, "w"),
        (False, False, "w"),
        (True, True, None),
        (True, False, "w"),
    ],
)
def test_mixed_from_dense_matrices(
    df: pd.DataFrame, slopes: bool, reml: bool, weights: str | None
) -> None:
    formula = "y ~ x + (1 + x | g)" if slopes else "y ~ x + (1 | g)"
    df = df[df["g"] > "s09"]
    found = MIXED(formula, df, reml=reml, weights=weights)
    loglik, beta, errors, variances = reml_by_hand(df, slopes, reml=reml, weights=weights)
    assert found.fit["loglik"] == pytest.approx(loglik, abs=1e-6)
    np.testing.assert_allclose(found.estimates["estimate"], beta, rtol=1e-4)
    np.testing.assert_allclose(found.estimates["std_error"], errors, rtol=1e-4)
    np.testing.assert_allclose(found.variance_components["vcov"], variances, rtol=1e-3)


def test_variance_components_have_lme4s_columns(df: pd.DataFrame) -> None:
    table = MIXED("y ~ x + (1 + x | g)", df).variance_components
    assert list(table.columns) == ["group", "term1", "term2", "vcov", "sdcor"]
    assert table["group"].tolist() == ["g", "g", "g", "Residual"]
    np.testing.assert_allclose(table["sdcor"].iloc[[0, 1, 3]] ** 2, table["vcov"].iloc[[0, 1, 3]])
    correlation = table["vcov"][2] / np.sqrt(table["vcov"][0] * table["vcov"][1])
    assert table["sdcor"][2] == pytest.approx(correlation)


def test_balanced_intercept_has_the_df_of_the_groups() -> None:
    rng = np.random.default_rng(5)
    g = np.repeat(np.arange(15), 8)
    df = pd.DataFrame({"g": g, "y": rng.normal(size=15)[g] + rng.normal(size=120)})
    row = MIXED("y ~ 1 + (1 | g)", df).estimates.iloc[0]
    means = df.groupby("g")["y"].mean()
    assert row["df"] == pytest.approx(14, rel=1e-4)
    assert row["estimate"] == pytest.approx(means.mean())
    assert row["std_error"] == pytest.approx(means.std() / np.sqrt(15), rel=1e-4)


def test_no_variance_between_groups_is_ols(df: pd.DataFrame) -> None:
    flat = df.assign(y=df["y"] - df.groupby("g")["y"].transform("mean"))
    with pytest.warns(SingularFitWarning):
        found = MIXED("y ~ z + (1 | g)", flat)
    theirs = smf.ols("y ~ z", flat).fit()
    np.testing.assert_allclose(found.estimates["estimate"], theirs.params, rtol=1e-6)
    np.testing.assert_allclose(found.estimates["std_error"], theirs.bse, rtol=1e-6)
    assert found.variance_components["vcov"].iloc[0] == pytest.approx(0, abs=1e-8)
    assert any("singular" in note for note in found.notes)


@pytest.mark.parametrize(
    ("formula", "change"),
    [
        ("y ~ x", {}),
        ("y ~ x + (1 | nope)", {}),
        ("y ~ x + (nope | g)", {}),
        ("y ~ x + (1 | g) + (1 | g)", {}),
        ("y ~ x + (1 | g) + (1 | nope)", {}),
        ("y ~ x + (1 | mm(g))", {}),
        ("y ~ x + (0 | g)", {}),
        ("y ~ x * (1 | g)", {}),
        ("y ~ x + I(2*x) + (1 | g)", {}),
        ("y ~ x + (1 | g)", {"g": "one"}),
        ("y ~ x + (1 | g)", {"y": 2.0}),
        ("y ~ x + (1 | g)", {"g": None}),
    ],
)
def test_mixed_refuses(df: pd.DataFrame, formula: str, change: dict[str, Any]) -> None:
    with pytest.raises(CollabSurveyError):
        MIXED(formula, df.assign(**change))


def test_mixed_options_are_checked(df: pd.DataFrame) -> None:
    for options in ({"df_method": "x"}, {"residual": "ar1"}, {"weights": "nope"}):
        with pytest.raises(CollabSurveyError):
            MIXED("y ~ x + (1 | g)", df, **options)  # type: ignore[arg-type]


def test_compare_puts_models_side_by_side(df: pd.DataFrame) -> None:
    models = [OLS("y ~ x", df, cluster="g"), OLS("y ~ x + z", df, cluster="g")]
    table = cs.regression.compare(models, names=["a", "b"])
    assert len(table.to_frame()) == 5
    assert "a" in table.summary()
    assert "b" in table.summary()
