"""Structural equation models against their formulas, and what their results and errors promise."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import collabsurvey as cs
from collabsurvey.errors import (
    CollabSurveyError,
    ConvergenceWarning,
    DataError,
    FaultsError,
    FewClustersWarning,
    NotEnoughDataError,
    NotSupportedError,
    NoVarianceError,
    OptionError,
    SingularFitWarning,
    UnknownNameError,
    WeightsNotAppliedError,
)
from conftest import Engine

cfa, sem = cs.dimensionality.cfa, cs.dimensionality.sem

A, B = ["a1", "a2", "a3", "a4"], ["b1", "b2", "b3"]
ITEMS = A + B
MODEL = "a =~ a1 + a2 + a3 + a4\nb =~ b1 + b2 + b3"
ESTIMATES = ["estimate", "std_error", "statistic", "p_value", "ci_low", "ci_high", "std_all"]


def drawn(n: int = 360, *, seed: int = 5, groups: int = 2) -> pd.DataFrame:
    """Seven continuous items of two factors, one of them reversed, in groups and 30 schools."""
    rng = np.random.default_rng(seed)
    factors = rng.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], size=n)
    school = rng.integers(0, 30, n)
    factors += 0.4 * rng.normal(size=(30, 2))[school]
    loadings = dict(zip(ITEMS, [0.8, 0.7, -0.6, 0.75, 0.9, 0.65, 0.7], strict=True))
    frame = {
        item: 3 + loading * factors[:, int(item[0] == "b")] + 0.7 * rng.standard_t(7, n)
        for item, loading in loadings.items()
    }
    y = 0.4 * factors[:, 0] + 0.3 * factors[:, 1] + rng.normal(size=n)
    return pd.DataFrame(
        {
            "id": np.arange(n) + 1,
            "school": [f"S{s:02d}" for s in school],
            "part": [("north", "south", "west")[k % groups] for k in range(n)],
            **frame,
            "y": y,
        }
    )


def likert(df: pd.DataFrame, options: int = 4) -> pd.DataFrame:
    cuts = np.linspace(-1.1, 1.0, options - 1)
    return df.assign(
        **{i: 1 + np.searchsorted(cuts, (df[i] - df[i].mean()) / df[i].std()) for i in ITEMS}
    )


@pytest.fixture(scope="module")
def df() -> pd.DataFrame:
    return drawn()


@pytest.fixture(scope="module")
def holes(df: pd.DataFrame) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    return df.assign(**{i: df[i].where(rng.random(len(df)) > 0.1) for i in ITEMS})


@pytest.fixture(scope="module")
def answers(df: pd.DataFrame) -> pd.DataFrame:
    return likert(df)


@pytest.fixture(scope="module")
def fit(df: pd.DataFrame) -> Any:
    return cfa(df, MODEL)


@pytest.fixture(scope="module")
def by_part(df: pd.DataFrame) -> Any:
    return cfa(df, MODEL, group="part")


def value(
    result: Any, lhs: str, op: str, rhs: str, column: str = "estimate", group: int = 1
) -> Any:
    table = result.estimates
    rows = table[(table.lhs == lhs) & (table.op == op) & (table.rhs == rhs)]
    rows = rows[rows.group == group] if op != ":=" else rows
    assert len(rows) == 1, (lhs, op, rhs)
    return rows[column].iloc[0]


def keyed(result: Any) -> pd.DataFrame:
    """Estimates by parameter, whatever the order of the rows."""
    table = result.estimates
    ends = [tuple(sorted(p)) if o == "~~" else p for p, o in _pairs(table)]
    return table.set_index(
        pd.MultiIndex.from_tuples(
            [(o, *e, g) for o, e, g in zip(table.op, ends, table.group, strict=True)]
        )
    ).sort_index()


def _pairs(table: pd.DataFrame) -> list[tuple[tuple[str, str], str]]:
    return list(zip(zip(table.lhs, table.rhs, strict=True), table.op, strict=True))


def assert_same(one: Any, other: Any, rtol: float = 1e-5) -> None:
    first, second = keyed(one), keyed(other)
    assert list(first.index) == list(second.index)
    np.testing.assert_allclose(first[ESTIMATES], second[ESTIMATES], rtol=rtol, atol=rtol)
    for index in ("chi2", "cfi", "rmsea", "srmr"):
        assert one.fit[index] == pytest.approx(other.fit[index], rel=rtol, abs=1e-6)


# Names, order, types


CONTRACT = ["lhs", "op", "rhs", "group", "label", *ESTIMATES]
ROBUST = ["cfi", "tli", "rmsea", "rmsea_ci_low", "rmsea_ci_high"]
SCALED = ["chi2", "p_value", *ROBUST]
FIT = ["df", *SCALED, "srmr", "loglik", "aic", "bic"]


def in_order(columns: list[str], table: pd.DataFrame) -> bool:
    return [name for name in table.columns if name in columns] == columns


def test_estimates_have_the_columns_of_the_contract_in_order(fit: Any) -> None:
    assert in_order(CONTRACT, fit.estimates)
    assert {"std_lv", "std_nox"} <= set(fit.estimates)
    assert fit.estimates[ESTIMATES].dtypes.eq(float).all()
    assert "group_label" not in fit.estimates
    assert "level" not in fit.estimates
    assert set(fit.estimates.op) == {"=~", "~~"}


def test_groups_are_numbered_in_order_of_appearance_and_labelled(by_part: Any) -> None:
    assert by_part.groups == ("north", "south")
    table = by_part.estimates
    assert set(table.group) == {1, 2}
    labels = dict(zip(table.group, table.group_label, strict=True))
    assert labels == {1: "north", 2: "south"}
    assert (table.op == "~1").any(), "groups have a mean structure"


def test_fit_has_the_names_of_the_contract(
    df: pd.DataFrame, answers: pd.DataFrame, fit: Any
) -> None:
    assert set(FIT) <= set(fit.fit)
    assert not [name for name in fit.fit if name.endswith(("_scaled", "_robust"))]
    robust = cfa(df, MODEL, estimator="MLR").fit
    ordinal = cfa(answers, MODEL, ordered=True).fit
    for found in (robust, ordinal):
        assert {f"{name}_scaled" for name in SCALED} <= set(found)
        assert {f"{name}_robust" for name in ROBUST} <= set(found)
        assert all(isinstance(number, float) for number in found.values())


def test_fixed_parameters_have_the_error_zero_and_no_test(fit: Any) -> None:
    assert value(fit, "a", "=~", "a1") == 1
    assert value(fit, "a", "=~", "a1", "std_error") == 0
    assert np.isnan(value(fit, "a", "=~", "a1", "p_value"))


def test_attributes(fit: Any, df: pd.DataFrame) -> None:
    assert fit.converged is True
    assert fit.improper == ()
    assert fit.n_obs == len(df)
    assert tuple(fit.factors) == ("a", "b")
    assert tuple(fit.items) == tuple(ITEMS)
    assert fit.groups == ()
    assert fit.group is None
    assert fit.theta.shape == (15,)
    assert fit.vcov.shape == (15, 15)


def test_free_parameters_and_their_covariances_match_the_estimates(fit: Any) -> None:
    free = fit.estimates[fit.estimates.std_error > 0]
    np.testing.assert_allclose(free.estimate, fit.theta)
    np.testing.assert_allclose(free.std_error, np.sqrt(np.diag(fit.vcov)))


def test_cfa_and_sem_are_the_same(df: pd.DataFrame, fit: Any) -> None:
    assert_same(fit, sem(df, MODEL), rtol=1e-10)


# What every result promises


def test_result_is_frozen(fit: Any) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        fit.converged = False
    with pytest.raises(dataclasses.FrozenInstanceError):
        fit.notes = ()
    with pytest.raises(TypeError):
        fit.fit["chi2"] = 0.0


def test_frame_is_fresh_each_time(df: pd.DataFrame) -> None:
    result = cfa(df, MODEL)
    text = result.summary()
    first = result.to_frame()
    first["estimate"] = 99.0
    assert not (result.to_frame()["estimate"] == 99).any()
    assert not (result.estimates["estimate"] == 99).any()
    assert result.summary() == text


def test_arrays_are_read_only(df: pd.DataFrame) -> None:
    result = cfa(df, MODEL)
    for array in (result.theta, result.vcov):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.0


def test_result_survives_copies_and_pickles(fit: Any) -> None:
    for other in (copy.deepcopy(fit), pickle.loads(pickle.dumps(fit))):
        assert_same(fit, other, rtol=1e-12)
        assert other.summary() == fit.summary()


def test_text_html_and_great_tables(fit: Any, by_part: Any) -> None:
    for result in (fit, by_part):
        assert all(isinstance(note, str) and note for note in result.notes)
        assert all(note in result.summary() for note in result.notes)
        assert "<table" in result._repr_html_()
        assert "<table" in result.to_table().as_raw_html()
        assert "nan" not in result.summary().lower()
        assert all(item in result.summary() for item in ITEMS)


def test_fit_table_is_read_as_text_and_in_a_notebook(fit: Any) -> None:
    table = fit.fit_table()
    assert "RMSEA" in table.to_text()
    assert "Table(title=" not in str(table), "print(fit.fit_table()) is what a user types"
    assert "<table" in table._repr_html_()


def test_plots(fit: Any, by_part: Any) -> None:
    mpl = pytest.importorskip("matplotlib")
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    _, ax = plt.subplots()
    assert fit.plot(ax) is ax
    for chart in (fit.chart(), by_part.chart(), fit.loadings_chart(), by_part.group_chart()):
        assert chart.title
    assert "north" in by_part.group_chart("intercepts").description
    with pytest.raises(CollabSurveyError, match="one group"):
        fit.group_chart()
    plt.close("all")


# Numbers, worked out again here


def model_cov(x: np.ndarray) -> np.ndarray:
    """Of one factor with unit first loading: loadings 2-4, factor variance, residuals 1-4."""
    loadings = np.r_[1, x[:3]]
    return x[3] * np.outer(loadings, loadings) + np.diag(x[4:8])


def distance(x: np.ndarray, sample: np.ndarray) -> float:
    cov = model_cov(x)
    sign, logdet = np.linalg.slogdet(cov)
    if sign <= 0:
        return 1e6
    return float(
        logdet - np.linalg.slogdet(sample)[1] + np.trace(np.linalg.solve(cov, sample)) - len(sample)
    )


@pytest.fixture(scope="module")
def one(df: pd.DataFrame) -> Any:
    return cfa(df, "a =~ a1 + a2 + a3 + a4\nratio := a3 / a2".replace("a2 + a3", "a2*a2 + a3*a3"))


@pytest.fixture(scope="module")
def minimised(df: pd.DataFrame) -> np.ndarray:
    sample = np.cov(df[A].T, bias=True)
    start = np.r_[1, -1, 1, 0.5, np.diag(sample) / 2]
    found = optimize.minimize(
        distance, start, args=(sample,), method="BFGS", options={"gtol": 1e-9, "maxiter": 2000}
    )
    return found.x


def test_maximum_likelihood_is_the_minimum_of_its_discrepancy(
    one: Any, minimised: np.ndarray
) -> None:
    found = [value(one, "a", "=~", item) for item in A[1:]]
    found += [value(one, "a", "~~", "a")] + [value(one, i, "~~", i) for i in A]
    np.testing.assert_allclose(found, minimised, rtol=2e-5)


def test_errors_are_those_of_the_expected_information(
    one: Any, minimised: np.ndarray, df: pd.DataFrame
) -> None:
    step = 1e-6
    jacobian = np.stack(
        [
            (model_cov(minimised + step * e) - model_cov(minimised - step * e)).ravel() / (2 * step)
            for e in np.eye(8)
        ],
        axis=1,
    )
    inverse = np.linalg.inv(model_cov(minimised))
    information = len(df) / 2 * jacobian.T @ np.kron(inverse, inverse) @ jacobian
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    found = [value(one, "a", "=~", item, "std_error") for item in A[1:]]
    found += [value(one, "a", "~~", "a", "std_error")]
    found += [value(one, i, "~~", i, "std_error") for i in A]
    np.testing.assert_allclose(found, errors, rtol=1e-4)


def test_defined_parameters_have_delta_method_errors(one: Any) -> None:
    second, third = value(one, "a", "=~", "a2"), value(one, "a", "=~", "a3")
    assert value(one, "ratio", ":=", "a3/a2") == pytest.approx(third / second, rel=1e-10)
    free = one.estimates[one.estimates.std_error.gt(0) & one.estimates.op.ne(":=")]
    places = [list(free.label).index(name) for name in ("a2", "a3")]
    slope = np.array([-third / second**2, 1 / second])
    variance = slope @ one.vcov[np.ix_(places, places)] @ slope
    assert value(one, "ratio", ":=", "a3/a2", "std_error") == pytest.approx(
        np.sqrt(variance), rel=1e-8
    )


def test_tests_and_intervals_follow_from_estimate_and_error(fit: Any) -> None:
    free = fit.estimates[fit.estimates.std_error > 0]
    z = free.estimate / free.std_error
    np.testing.assert_allclose(free.statistic, z)
    np.testing.assert_allclose(free.p_value, 2 * stats.norm.sf(abs(z)), rtol=1e-7, atol=1e-300)
    half = stats.norm.ppf(0.975) * free.std_error
    np.testing.assert_allclose(free.ci_low, free.estimate - half)
    np.testing.assert_allclose(free.ci_high, free.estimate + half)


def test_confidence_level_is_used(df: pd.DataFrame, fit: Any) -> None:
    narrow = cfa(df, MODEL, conf_level=0.5).estimates
    free = fit.estimates.std_error > 0
    ratio = (narrow.ci_high - narrow.ci_low)[free] / (fit.estimates.ci_high - fit.estimates.ci_low)[
        free
    ]
    np.testing.assert_allclose(ratio, stats.norm.ppf(0.75) / stats.norm.ppf(0.975))


def test_chi_square_and_indices_follow_their_formulas(
    one: Any, minimised: np.ndarray, df: pd.DataFrame
) -> None:
    n, sample = len(df), np.cov(df[A].T, bias=True)
    chi2 = n * distance(minimised, sample)
    found = one.fit
    assert found["df"] == 2
    assert found["chi2"] == pytest.approx(chi2, rel=1e-6)
    assert found["p_value"] == pytest.approx(stats.chi2.sf(chi2, 2), rel=1e-6)
    baseline = n * (np.log(np.diag(sample)).sum() - np.linalg.slogdet(sample)[1])
    assert found["baseline_chi2"] == pytest.approx(baseline, rel=1e-9)
    cfi = 1 - max(chi2 - 2, 0) / max(baseline - 6, chi2 - 2, 0)
    assert found["cfi"] == pytest.approx(cfi, rel=1e-6)
    tli = (baseline / 6 - chi2 / 2) / (baseline / 6 - 1)
    assert found["tli"] == pytest.approx(tli, rel=1e-6)
    assert found["rmsea"] == pytest.approx(np.sqrt(max(chi2 - 2, 0) / (2 * n)), rel=1e-5, abs=1e-8)
    root = np.sqrt(np.diag(sample))
    residual = (sample - model_cov(minimised)) / np.outer(root, root)
    srmr = np.sqrt(np.mean(residual[np.tril_indices(4)] ** 2))
    assert found["srmr"] == pytest.approx(srmr, rel=1e-4)
    normal = stats.multivariate_normal(df[A].mean(), model_cov(minimised))
    loglik = normal.logpdf(df[A]).sum()
    assert found["loglik"] == pytest.approx(loglik, rel=1e-9)
    assert found["aic"] == pytest.approx(-2 * loglik + 16, rel=1e-9)
    assert found["bic"] == pytest.approx(-2 * loglik + 8 * np.log(n), rel=1e-9)


def test_interval_of_rmsea_holds_ninety_per_cent(fit: Any, df: pd.DataFrame) -> None:
    found = fit.fit
    for limit, at in (("rmsea_ci_low", 0.95), ("rmsea_ci_high", 0.05)):
        away = found[limit] ** 2 * found["df"] * len(df)
        if found[limit] > 0:
            share = stats.ncx2.cdf(found["chi2"], found["df"], away)
            assert share == pytest.approx(at, abs=1e-5)
    assert found["rmsea_ci_low"] <= found["rmsea"] <= found["rmsea_ci_high"]


def test_standardised_solution(fit: Any, df: pd.DataFrame) -> None:
    implied = fit.implied_cov()
    spread = np.sqrt(value(fit, "a", "~~", "a"))
    for item in A:
        expected = value(fit, "a", "=~", item) * spread / np.sqrt(implied.loc[item, item])
        assert value(fit, "a", "=~", item, "std_all") == pytest.approx(expected, rel=1e-10)
        assert value(fit, "a", "=~", item, "std_lv") == pytest.approx(
            value(fit, "a", "=~", item) * spread, rel=1e-10
        )
    correlation = value(fit, "a", "~~", "b") / np.sqrt(
        value(fit, "a", "~~", "a") * value(fit, "b", "~~", "b")
    )
    assert value(fit, "a", "~~", "b", "std_all") == pytest.approx(correlation)
    # With unit factor variances the covariance of the factors is that correlation, with its error.
    unit = cfa(df, MODEL, std_lv=True)
    assert unit.fit["chi2"] == pytest.approx(fit.fit["chi2"], rel=1e-8)
    table = fit.standardised()
    row = table[(table.lhs == "a") & (table.op == "~~") & (table.rhs == "b")].iloc[0]
    assert row.std_error == pytest.approx(value(unit, "a", "~~", "b", "std_error"), rel=1e-5)


def test_shares_explained_and_residuals(fit: Any, df: pd.DataFrame) -> None:
    for item in ITEMS:
        assert fit.r_squared[item] == pytest.approx(1 - value(fit, item, "~~", item, "std_all"))
    sample = np.cov(df[ITEMS].T, bias=True)
    raw = fit.residuals("raw").loc[ITEMS, ITEMS]
    np.testing.assert_allclose(raw, sample - fit.implied_cov().loc[ITEMS, ITEMS], atol=1e-10)


def test_regression_scores(fit: Any, df: pd.DataFrame) -> None:
    loadings = np.zeros((7, 2))
    for place, item in enumerate(ITEMS):
        loadings[place, int(item[0] == "b")] = value(fit, item[0], "=~", item)
    cross = value(fit, "a", "~~", "b")
    factors = np.array([[value(fit, "a", "~~", "a"), cross], [cross, value(fit, "b", "~~", "b")]])
    centred = df[ITEMS] - df[ITEMS].mean()
    weights = np.linalg.solve(fit.implied_cov().loc[ITEMS, ITEMS], loadings @ factors)
    scores = fit.factor_scores(df)
    np.testing.assert_allclose(scores[["a", "b"]], centred @ weights, atol=1e-8)
    bartlett = fit.factor_scores(df, "bartlett")
    theta = np.diag([1 / value(fit, i, "~~", i) for i in ITEMS])
    expected = centred @ theta @ loadings @ np.linalg.inv(loadings.T @ theta @ loadings)
    np.testing.assert_allclose(bartlett[["a", "b"]], expected, atol=1e-8)


def test_modification_index_foretells_the_fall_of_chi_square(df: pd.DataFrame, fit: Any) -> None:
    table = fit.modification_indices()
    size = ["mi", "p_value", "epc", "sepc_lv", "sepc_all", "sepc_nox"]
    assert in_order(["lhs", "op", "rhs", "group", *size], table)
    assert table.mi.is_monotonic_decreasing
    np.testing.assert_allclose(table.p_value, stats.chi2.sf(table.mi, 1), rtol=1e-7)
    top = table[table.op == "~~"].iloc[0]
    freed = cfa(df, f"{MODEL}\n{top.lhs} ~~ {top.rhs}")
    assert fit.fit["chi2"] - freed.fit["chi2"] == pytest.approx(top.mi, rel=0.2)
    assert value(freed, top.lhs, "~~", top.rhs) == pytest.approx(top.epc, rel=0.25)
    assert (fit.modification_indices(2).mi >= 2).all()


def test_path_analysis_is_least_squares(df: pd.DataFrame) -> None:
    result = sem(df, "y ~ a1 + b1\na1 ~~ b1", fixed_x=False)
    design = np.column_stack([np.ones(len(df)), df.a1, df.b1])
    slopes = np.linalg.lstsq(design, df.y, rcond=None)[0]
    assert value(result, "y", "~", "a1") == pytest.approx(slopes[1], rel=1e-7)
    assert value(result, "y", "~", "b1") == pytest.approx(slopes[2], rel=1e-7)
    residual = df.y - design @ slopes
    assert value(result, "y", "~~", "y") == pytest.approx(np.mean(residual**2), rel=1e-7)


def test_indirect_effect(df: pd.DataFrame) -> None:
    result = sem(df, "b1 ~ p*a1\ny ~ q*b1 + r*a1\nind := p*q\nall := p*q + r")
    total = np.polyfit(df.a1, df.y, 1)[0]
    assert value(result, "all", ":=", "p*q+r") == pytest.approx(total, rel=1e-7)


def test_a_saturated_model_says_that_its_fit_tells_nothing(df: pd.DataFrame) -> None:
    result = cfa(df, "b =~ b1 + b2 + b3")
    assert result.fit["df"] == 0
    assert result.fit["chi2"] == pytest.approx(0, abs=1e-6)
    assert any("degrees of freedom" in note for note in result.notes)
    assert "degrees of freedom" in result.fit_text()


def test_full_information_is_the_likelihood_of_the_answers_given(holes: pd.DataFrame) -> None:
    result = cfa(holes, "a =~ a1 + a2 + a3 + a4", missing="fiml")
    mean = np.array([value(result, i, "~1", "") for i in A])
    cov = result.implied_cov().loc[A, A].to_numpy()
    loglik = 0.0
    for row in holes[A].to_numpy():
        seen = ~np.isnan(row)
        if seen.any():
            part = stats.multivariate_normal(mean[seen], cov[np.ix_(seen, seen)])
            loglik += part.logpdf(row[seen])
    assert result.fit["loglik"] == pytest.approx(loglik, rel=1e-9)
    assert result.n_obs == holes[A].notna().any(axis=1).sum()


def test_full_information_conditions_on_predictors_as_complete_rows_do(df: pd.DataFrame) -> None:
    model = "a =~ a1 + a2 + a3\na ~ y"
    complete = sem(df, model, meanstructure=True).fit
    full = sem(df, model, missing="fiml").fit
    for name in ("chi2", "loglik", "aic", "bic"):
        assert full[name] == pytest.approx(complete[name], rel=1e-6, abs=1e-6), name


def test_full_information_of_complete_rows_is_maximum_likelihood(df: pd.DataFrame) -> None:
    one = cfa(df, MODEL, missing="fiml", information="expected")
    other = cfa(df, MODEL, meanstructure=True, information="expected")
    assert_same(one, other)


def test_thresholds_and_latent_correlations_of_ordered_items(answers: pd.DataFrame) -> None:
    result = cfa(answers, "b =~ b1 + b2 + b3", ordered=True)
    for item in B:
        counts = answers[item].value_counts().sort_index().to_numpy()
        cuts = stats.norm.ppf(np.cumsum(counts)[:-1] / counts.sum())
        found = result.estimates.query("lhs == @item and op == '|'").estimate
        np.testing.assert_allclose(found, cuts, rtol=1e-8)
    # Three items fit exactly: what is implied are the polychoric correlations.
    expected = cs.dimensionality.polychoric(answers, B).correlations
    np.testing.assert_allclose(result.implied_cov().loc[B, B], expected, atol=1e-6)


def test_parameterisations_tell_the_same(answers: pd.DataFrame) -> None:
    delta = cfa(answers, MODEL, ordered=True)
    theta = cfa(answers, MODEL, ordered=True, parameterization="theta")
    assert theta.fit["chi2_scaled"] == pytest.approx(delta.fit["chi2_scaled"], rel=1e-5)
    for item in ITEMS:
        both = [value(fit, item[0], "=~", item, "std_all") for fit in (delta, theta)]
        assert both[0] == pytest.approx(both[1], rel=1e-5)
        assert value(theta, item, "~~", item) == 1


def test_scores_of_ordered_items_are_posterior_modes(answers: pd.DataFrame) -> None:
    result = cfa(answers, "b =~ b1 + b2 + b3", ordered=True, std_lv=True)
    loadings = np.array([value(result, "b", "=~", i) for i in B])
    spread = np.sqrt(1 - loadings**2)
    cuts = [
        np.r_[-np.inf, result.estimates.query("lhs == @i and op == '|'").estimate, np.inf]
        for i in B
    ]
    scores = result.factor_scores(answers)["b"]
    for row in (0, 7, 40):

        def negative(x: float, row: int = row) -> float:
            total = -0.5 * x**2
            for place, item in enumerate(B):
                y = int(answers[item].iloc[row])
                high = (cuts[place][y] - loadings[place] * x) / spread[place]
                low = (cuts[place][y - 1] - loadings[place] * x) / spread[place]
                total += np.log(stats.norm.cdf(high) - stats.norm.cdf(low))
            return -float(total)

        mode = optimize.minimize_scalar(negative, bounds=(-5, 5), method="bounded").x
        assert scores.iloc[row] == pytest.approx(mode, abs=1e-4)


def test_equalities_and_constraints_hold(df: pd.DataFrame) -> None:
    result = cfa(df, "a =~ a1 + u*a2 + v*a3 + u*a4\nb =~ b1 + w*b2 + b3\nu + v == 2*w - 1")
    u, v, w = (result.estimates.query("label == @name").estimate.iloc[0] for name in "uvw")
    assert value(result, "a", "=~", "a2") == value(result, "a", "=~", "a4")
    assert u + v == pytest.approx(2 * w - 1, abs=1e-9)
    assert result.fit["df"] == 13 + 2
    tests = result.score_tests()
    assert list(tests.columns[:4]) == ["constraint", "statistic", "df", "p_value"]
    assert tests.constraint.iloc[-1] == "all"
    free = cfa(df, MODEL)
    fall = result.fit["chi2"] - free.fit["chi2"]
    assert tests.statistic.iloc[-1] == pytest.approx(fall, rel=0.5)


# What must not matter


def test_order_of_rows_does_not_matter(df: pd.DataFrame, holes: pd.DataFrame, fit: Any) -> None:
    assert_same(fit, cfa(df.sample(frac=1, random_state=3), MODEL))
    one = cfa(holes, MODEL, missing="fiml", estimator="MLR")
    assert_same(
        one, cfa(holes.sample(frac=1, random_state=4), MODEL, missing="fiml", estimator="MLR")
    )


def test_order_of_items_and_columns_does_not_matter(df: pd.DataFrame, fit: Any) -> None:
    turned = cfa(df[df.columns[::-1]], "b =~ b1 + b3 + b2\na =~ a1 + a4 + a3 + a2")
    assert_same(fit, turned)


def test_which_item_is_the_marker_does_not_matter(df: pd.DataFrame, fit: Any) -> None:
    other = cfa(df, "a =~ a4 + a3 + a2 + a1\nb =~ b3 + b2 + b1")
    assert other.fit["chi2"] == pytest.approx(fit.fit["chi2"], rel=1e-7)
    for item in ITEMS:
        found = value(other, item[0], "=~", item, "std_all")
        assert abs(found) == pytest.approx(
            abs(value(fit, item[0], "=~", item, "std_all")), rel=1e-5
        )


def test_order_of_groups_only_renumbers(df: pd.DataFrame, by_part: Any) -> None:
    turned = cfa(df.iloc[::-1], MODEL, group="part")
    assert turned.groups == by_part.groups[::-1]
    first = by_part.estimates.set_index("group_label").loc["south", "estimate"]
    second = turned.estimates.set_index("group_label").loc["south", "estimate"]
    np.testing.assert_allclose(first, second, rtol=1e-5, atol=1e-6)
    assert turned.fit["chi2"] == pytest.approx(by_part.fit["chi2"], rel=1e-7)


def test_groups_add_up(df: pd.DataFrame, by_part: Any) -> None:
    alone = [cfa(df[df.part == part], MODEL, meanstructure=True) for part in by_part.groups]
    assert by_part.fit["chi2"] == pytest.approx(sum(one.fit["chi2"] for one in alone), rel=1e-7)
    assert by_part.fit["df"] == sum(one.fit["df"] for one in alone)


UNITS = {"a1": 1e6, "a2": 1e-6, "a3": 100.0, "b1": 0.01, "b2": 2.0}


@pytest.mark.parametrize(
    "options",
    [{}, {"estimator": "MLR"}, {"estimator": "GLS"}, {"missing": "fiml"}, {"group": "part"}],
    ids=lambda options: "-".join(options.values()) or "ML",
)
def test_units_of_items_do_not_matter(holes: pd.DataFrame, options: dict[str, Any]) -> None:
    scaled = holes.assign(**{item: 50 + unit * holes[item] for item, unit in UNITS.items()})
    one, other = cfa(holes, MODEL, **options), cfa(scaled, MODEL, **options)
    assert other.converged
    for index in ("chi2", "cfi", "rmsea"):
        assert other.fit[index] == pytest.approx(one.fit[index], rel=1e-5, abs=1e-6)
    loadings = one.estimates.op == "=~"
    np.testing.assert_allclose(
        other.estimates.std_all[loadings], one.estimates.std_all[loadings], rtol=1e-4
    )
    ratio = UNITS["a2"] / UNITS["a1"]
    for column in ("estimate", "std_error"):
        expected = ratio * value(one, "a", "=~", "a2", column)
        assert value(other, "a", "=~", "a2", column) == pytest.approx(expected, rel=1e-4)


def test_a_reversed_item_turns_its_loading_only(df: pd.DataFrame, fit: Any) -> None:
    turned = cfa(df.assign(a2=6 - df.a2), MODEL)
    assert turned.fit["chi2"] == pytest.approx(fit.fit["chi2"], rel=1e-8)
    assert value(turned, "a", "=~", "a2") == pytest.approx(-value(fit, "a", "=~", "a2"), rel=1e-6)
    assert value(turned, "a", "=~", "a4") == pytest.approx(value(fit, "a", "=~", "a4"), rel=1e-6)


@pytest.mark.parametrize("codes", [(0, 10, 20, 30), (-2, 5, 6, 99)])
def test_codes_of_ordered_answers_do_not_matter(
    answers: pd.DataFrame, codes: tuple[int, ...]
) -> None:
    coded = answers.assign(
        **{i: answers[i].map(dict(zip(range(1, 5), codes, strict=True))) for i in ITEMS}
    )
    assert_same(cfa(answers, MODEL, ordered=True), cfa(coded, MODEL, ordered=True), rtol=1e-8)


@pytest.mark.parametrize(
    "options",
    [{}, {"missing": "fiml", "group": "part"}, {"estimator": "MLR", "cluster": "school"}],
    ids=["ML", "FIML-groups", "clusters"],
)
def test_every_engine_gives_the_same_numbers(
    holes: pd.DataFrame, engine: Engine, options: dict[str, Any]
) -> None:
    assert_same(cfa(holes, MODEL, **options), cfa(engine(holes), MODEL, **options), rtol=1e-7)


def test_arrow_tables_and_ordered_items_on_every_engine(
    answers: pd.DataFrame, engine: Engine
) -> None:
    pa = pytest.importorskip("pyarrow")
    one = cfa(answers, MODEL, ordered=True)
    for frame in (engine(answers), pa.Table.from_pandas(answers, preserve_index=False)):
        assert_same(one, cfa(frame, MODEL, ordered=True), rtol=1e-7)


def test_factor_scores_come_back_in_the_callers_engine(
    df: pd.DataFrame, eager_engine: Engine, fit: Any
) -> None:
    frame = eager_engine(df)
    scores = fit.factor_scores(frame)
    assert type(scores) is type(frame)
    np.testing.assert_allclose(eager_engine.pandas(scores)["a"], fit.factor_scores(df)["a"])


def test_factor_scores_keep_rows_and_index(holes: pd.DataFrame, fit: Any) -> None:
    shown = holes.set_index(holes.id.map("P{:03d}".format)).iloc[::-1].copy()
    shown.iloc[3, shown.columns.get_indexer(ITEMS)] = np.nan
    scores = fit.factor_scores(shown)
    assert list(scores.index) == list(shown.index)
    assert list(scores.columns) == ["a", "b"]
    assert scores.iloc[3].isna().all()
    assert scores.drop(index=shown.index[3]).notna().all().all()


def test_the_callers_data_are_not_changed(holes: pd.DataFrame) -> None:
    before = holes.copy(deep=True)
    result = cfa(holes, MODEL, missing="fiml", group="part")
    result.factor_scores(holes)
    pd.testing.assert_frame_equal(holes, before)


# Groups, weights, clusters, levels


@pytest.mark.parametrize(
    ("values", "labels"),
    [((2, 1), ("2", "1")), (("x y", "z"), ("x y", "z")), ((True, False), ("True", "False"))],
    ids=["numbers", "strings", "booleans"],
)
def test_group_labels_are_the_values_of_the_column(
    df: pd.DataFrame, by_part: Any, values: tuple[Any, Any], labels: tuple[str, str]
) -> None:
    names = {"north": values[0], "south": values[1]}
    result = cfa(df.assign(part=[names[p] for p in df.part]), MODEL, group="part")
    assert result.groups == labels
    assert result.fit["chi2"] == pytest.approx(by_part.fit["chi2"])


@pytest.mark.parametrize("absent", [None, np.nan], ids=repr)
def test_rows_without_a_group_are_left_out_and_counted(df: pd.DataFrame, absent: Any) -> None:
    part = pd.Series(df.part.to_numpy(dtype=object))
    part[:12] = absent
    result = cfa(df.assign(part=part), MODEL, group="part")
    assert result.n_obs == len(df) - 12
    assert set(result.groups) == {"north", "south"}
    assert any("12" in note and "part" in note for note in result.notes)


def test_equal_and_partial(df: pd.DataFrame, by_part: Any) -> None:
    equal = cfa(df, MODEL, group="part", equal=["loadings", "intercepts"])
    assert equal.fit["df"] == by_part.fit["df"] + 5 + 5
    assert value(equal, "a", "=~", "a2", group=1) == value(equal, "a", "=~", "a2", group=2)
    assert value(equal, "a", "~1", "", group=1) == 0
    assert value(equal, "a", "~1", "", group=2) != 0
    freed = cfa(
        df, MODEL, group="part", equal=["loadings", "intercepts"], partial=["a=~a2", "b2~1"]
    )
    assert freed.fit["df"] == equal.fit["df"] - 2
    assert value(freed, "b2", "~1", "", group=1) != value(freed, "b2", "~1", "", group=2)


def test_labels_across_groups(df: pd.DataFrame, by_part: Any) -> None:
    result = cfa(df, MODEL.replace("a2", "c(u, u)*a2").replace("b2", "c(v, w)*b2"), group="part")
    assert result.fit["df"] == by_part.fit["df"] + 1
    assert value(result, "a", "=~", "a2", group=1) == value(result, "a", "=~", "a2", group=2)


def test_whole_weights_stand_for_repeated_rows(df: pd.DataFrame) -> None:
    times = np.arange(len(df)) % 3 + 1
    weighted = cfa(df.assign(w=times), MODEL, weights="w")
    repeated = cfa(df.loc[df.index.repeat(times)], MODEL)
    first, second = keyed(weighted), keyed(repeated)
    np.testing.assert_allclose(first.estimate, second.estimate, rtol=1e-5, atol=1e-6)
    assert any("eight" in note for note in weighted.notes)
    assert "chi2_scaled" in weighted.fit, "weights make errors robust"
    scaled = cfa(df.assign(w=times * 7.5), MODEL, weights="w")
    assert_same(weighted, scaled, rtol=1e-6)


def test_weights_make_ml_robust_as_the_note_says(df: pd.DataFrame) -> None:
    weighted = df.assign(w=1 + df.id % 4)
    plain = cfa(weighted, MODEL, weights="w")
    assert any("MLR" in note for note in plain.notes)
    assert_same(plain, cfa(weighted, MODEL, weights="w", estimator="MLR"), rtol=1e-7)
    robust = cfa(weighted, MODEL, weights="w", estimator="MLR")
    assert plain.fit["chi2_scaled"] == pytest.approx(robust.fit["chi2_scaled"], rel=1e-6)


def test_weights_keep_the_balance_of_groups(df: pd.DataFrame) -> None:
    """Weights that are larger in one group make that group count for more."""
    weight = np.where(df.part == "north", 3.0, 1.0)
    options: dict[str, Any] = {"group": "part", "equal": ["loadings"], "estimator": "MLR"}
    weighted = cfa(df.assign(w=weight), MODEL, weights="w", **options)
    repeated = cfa(df.loc[df.index.repeat(weight.astype(int))], MODEL, **options)
    first, second = keyed(weighted), keyed(repeated)
    np.testing.assert_allclose(first.estimate, second.estimate, rtol=1e-5, atol=1e-6)


def test_weight_role_is_applied(df: pd.DataFrame) -> None:
    weighted = df.assign(w=np.arange(len(df)) % 3 + 1.0)
    responses = cs.from_frame(weighted, scales={"a": A, "b": B}, roles={"weight": "w"})
    assert_same(cfa(responses, MODEL), cfa(weighted, MODEL, weights="w"), rtol=1e-9)
    with pytest.raises((NotSupportedError, WeightsNotAppliedError), match="weight"):
        cfa(responses, MODEL, estimator="GLS")


def test_errors_over_clusters_leave_estimates_alone(df: pd.DataFrame) -> None:
    clustered = cfa(df, MODEL, cluster="school")
    first, second = keyed(cfa(df, MODEL, meanstructure=True)), keyed(clustered)
    np.testing.assert_allclose(first.estimate, second.estimate, rtol=1e-8)
    assert not np.allclose(first.std_error, second.std_error, rtol=1e-3)
    assert any("30" in note and "cluster" in note for note in clustered.notes)
    alone = cfa(df, MODEL, cluster="id", estimator="MLR")
    robust = cfa(df, MODEL, estimator="MLR")
    ratio = keyed(alone).std_error / keyed(robust).std_error
    np.testing.assert_allclose(ratio.dropna(), 1, rtol=0.01)


def test_few_clusters_are_said(df: pd.DataFrame) -> None:
    """Four schools say little about errors; the sandwich is then far too small."""
    few = df.assign(school=np.arange(len(df)) % 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewClustersWarning)
        result = cfa(few, MODEL, cluster="school")
    assert any("few" in note.lower() and "cluster" in note.lower() for note in result.notes)


def test_a_cluster_role_that_is_not_used_is_said(df: pd.DataFrame) -> None:
    """Intervals that treat staff of one school as independent are wrong without a word."""
    responses = cs.from_frame(df, scales={"a": A, "b": B}, roles={"cluster": "school"})
    auto = cfa(responses, MODEL, cluster="auto")
    assert any("30 cluster" in note for note in auto.notes)
    plain = cfa(responses, MODEL, meanstructure=True)
    if not np.allclose(keyed(plain).std_error, keyed(auto).std_error):
        assert any("cluster" in note for note in plain.notes)


def test_a_role_or_its_column(df: pd.DataFrame) -> None:
    responses = cs.from_frame(
        df, scales={"a": A, "b": B}, roles={"cluster": "school", "staff_role": "part"}
    )
    one = cfa(responses, MODEL, group="staff_role", cluster="cluster", estimator="MLR")
    other = cfa(df, MODEL, group="part", cluster="school", estimator="MLR")
    assert_same(one, other, rtol=1e-9)


def test_answers_are_taken_as_given(df: pd.DataFrame) -> None:
    responses = cs.from_frame(
        likert(df, 6), scales={"a": A, "b": B}, reverse_keyed=["a3"], response_range=(1, 6)
    )
    result = cfa(responses, responses.instrument)
    assert tuple(result.factors) == ("a", "b")
    assert value(result, "a", "=~", "a3") < 0


def test_columns_beside_the_items_may_be_in_the_model(df: pd.DataFrame) -> None:
    """An outcome in the same table; `consequences` takes it by the same name."""
    responses = cs.from_frame(df, scales={"a": A, "b": B})
    model = f"{MODEL}\ny ~ a + b"
    assert_same(sem(responses, model), sem(df, model), rtol=1e-9)


def test_two_levels(df: pd.DataFrame) -> None:
    text = "a =~ a1 + a2 + a3 + a4"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFitWarning)
        result = cfa(df, f"level: 1\n{text}\nlevel: 2\n{text}", cluster="school")
    assert "level" in result.estimates
    assert set(result.estimates.level) == {1, 2}
    within = result.estimates.query("level == 1")
    assert (within[within.op == "~1"].estimate == 0).all(), "means are between clusters"
    assert "level" in result.standardised()
    assert result.fit["df"] == 4
    with pytest.raises(NotSupportedError, match="two-level"):
        result.factor_scores(df)


def test_the_example_of_the_readme_runs_on_a_shipped_questionnaire() -> None:
    trust = cs.load_instrument("trust")
    cohort = cs.simulate_cohort(["trust"], n_schools=20, n_staff=25, waves=1, seed=5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", (SingularFitWarning, ConvergenceWarning))
        result = cfa(cohort.responses, trust, ordered=True, missing="pairwise")
    assert result.converged


# Notes on what was left out


def test_rows_left_out_are_counted(holes: pd.DataFrame) -> None:
    result = cfa(holes, MODEL)
    complete = holes[ITEMS].notna().all(axis=1).sum()
    assert result.n_obs == complete
    assert any(str(len(holes) - complete) in n and str(len(holes)) in n for n in result.notes)


def test_predictors_with_missing_answers_are_a_choice_that_is_said(df: pd.DataFrame) -> None:
    """lavaan drops these rows; keeping them takes the predictor as normal."""
    result = sem(df.assign(y=df.y.where(df.id > 40)), "a =~ a1 + a2 + a3\na ~ y", missing="fiml")
    assert any("y" in note.split() or "predictor" in note for note in result.notes)


def test_impossible_solutions_name_the_part(df: pd.DataFrame) -> None:
    cross = df.assign(a1=df.a2 + 0.05 * df.a1)
    with pytest.warns(SingularFitWarning, match="a2|a1"):
        result = cfa(cross, "a =~ a1 + a2\nb =~ b1 + b2 + b3")
    assert result.improper
    assert any("a2" in text or "a1" in text for text in result.improper)
    assert all(text in result.summary() for text in result.improper)


def test_impossible_solutions_name_the_group(df: pd.DataFrame) -> None:
    cross = df.assign(a1=np.where(df.part == "south", df.a2 + 0.05 * df.a1, df.a1))
    with pytest.warns(SingularFitWarning, match="south"):
        result = cfa(cross, "a =~ a1 + a2\nb =~ b1 + b2 + b3", group="part")
    assert all("south" in text for text in result.improper)


def test_no_minimum_is_not_read(df: pd.DataFrame) -> None:
    noise = pd.DataFrame(np.random.default_rng(0).normal(size=(200, 6)), columns=ITEMS[:6])
    with pytest.warns(ConvergenceWarning, match="read none"):
        result = cfa(noise, "a =~ a1 + a2 + a3\nb =~ a4 + b1 + b2")
    assert result.converged is False
    assert "NOT CONVERGED" in result.summary()


# Errors: what is wrong, then what to do


@pytest.mark.parametrize("name", ["A1", "a11"])
def test_unknown_items_get_a_suggestion(df: pd.DataFrame, name: str) -> None:
    with pytest.raises(UnknownNameError, match=r"(?i)line 1.*did you mean 'a1'"):
        cfa(df, f"f =~ {name} + a2 + a3")


def test_all_unknown_items_are_named_at_once(df: pd.DataFrame) -> None:
    with pytest.raises(CollabSurveyError, match=r"(?s)one1.*two2"):
        cfa(df, "f =~ one1 + a2 + a3\ng =~ two2 + b1 + b2")


def test_factors_are_not_offered_as_columns(df: pd.DataFrame) -> None:
    with pytest.raises(UnknownNameError) as caught:
        cfa(df, "climate =~ qqqq + a2 + a3")
    assert "climate" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("f =~ a1 + a2", r"(?s)f=~a2.*only 2 items"),
        ("f =~ NA*a1 + a2 + a3", r"(?s)'f' has no unit"),
        ("f =~ a1 + a2 + a3\na1 ~~ a2 + a3", r"cannot tell"),
        ("a1 ~ a2\na2 ~ a1", r"a1~a2, a2~a1"),
    ],
)
def test_what_is_not_identified_is_named(df: pd.DataFrame, model: str, words: str) -> None:
    with pytest.raises(FaultsError, match=words):
        cfa(df, model)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("f <~ a1 + a2", "<~"),
        ("f =~ a1 + u*a2 + a3\nu > 0", "inequality"),
        ("f =~ a1 + u*a2 + v*a3\nu == v^2", "linear"),
        ("y ~ a1 + a1:b1", "interaction"),
        ('efa("e")*f =~ a1 + a2 + a3', "efa"),
        ('f =~ a1 + prior("n(0,1)")*a2 + a3', "prior"),
        ("group: north\nf =~ a1 + a2 + a3", "group:"),
    ],
)
def test_parts_of_the_language_that_are_missing_are_named(
    df: pd.DataFrame, line: str, words: str
) -> None:
    with pytest.raises(FaultsError, match=f"(?s)line .*{words}.*not|not.*{words}"):
        cfa(df, line)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("f a1 + a2", "operator"),
        ("f =~ a1 + a2 +", "missing"),
        ("f =~ a1 + a2 + a1", "twice"),
        ("f =~ a1 + a2 + a3\nf =~ a1", "twice"),
        ("y ~ y", "itself"),
        ("b1 =~ a1 + a2 + a3", "rename"),
        ("f =~ a1 + u*a2 + a3\nu == 1\nu == 2", "contradicts"),
        ("f =~ a1 + c(u, v, w)*a2 + a3", "3 values"),
        ("# nothing", "empty"),
    ],
)
def test_faults_of_the_text_name_the_line(df: pd.DataFrame, model: str, words: str) -> None:
    with pytest.raises(FaultsError, match=words):
        cfa(df, model)


def test_faults_are_reported_together(df: pd.DataFrame) -> None:
    with pytest.raises(FaultsError, match=r"(?s)line 1.*line 2.*line 3"):
        cfa(df, "f a1 + a2\ny ~ y\ng <~ b1 + b2")


@pytest.mark.parametrize("missing", ["listwise", "fiml"])
def test_an_item_nobody_answered_is_named(df: pd.DataFrame, missing: Any) -> None:
    with pytest.raises(CollabSurveyError, match="a2"):
        cfa(df.assign(a2=np.nan), MODEL, missing=missing)


def test_an_item_a_group_did_not_answer_is_named_with_the_group(df: pd.DataFrame) -> None:
    gone = df.assign(a2=df.a2.where(df.part == "north"))
    with pytest.raises(CollabSurveyError, match=r"(?s)south.*a2"):
        cfa(gone, MODEL, missing="fiml", group="part")


def test_items_without_variance_or_without_news_are_named(df: pd.DataFrame) -> None:
    with pytest.raises(NoVarianceError, match="a2"):
        cfa(df.assign(a2=3.0), MODEL)
    with pytest.raises(NoVarianceError, match="a2.*south"):
        cfa(df.assign(a2=np.where(df.part == "south", 3.0, df.a2)), MODEL, group="part")
    with pytest.raises(DataError, match="follows exactly"):
        cfa(df.assign(a2=2 * df.a1 + df.a3), MODEL)
    with pytest.raises(DataError, match="a1"):
        cfa(df.assign(a1=np.where(df.id == 3, np.inf, df.a1)), MODEL)


def test_columns_that_are_no_numbers(df: pd.DataFrame) -> None:
    with pytest.raises(CollabSurveyError, match="words.*agree"):
        cfa(df.assign(a2="agree"), MODEL)
    assert_same(cfa(df, MODEL), cfa(df.assign(a2=df.a2.astype(str)), MODEL))
    twice = df.rename(columns={"y": "a1"})
    with pytest.raises(DataError, match="more than one column named 'a1'"):
        cfa(twice, MODEL)
    for thing in (None, df[ITEMS].to_numpy(), {"a1": [1]}):
        with pytest.raises(DataError, match="frame"):
            cfa(thing, MODEL)


def test_too_few_people(df: pd.DataFrame) -> None:
    with pytest.raises(NotEnoughDataError, match="needs at least"):
        cfa(df.head(6), MODEL)
    small = df.assign(part=["tiny"] * 4 + ["rest"] * (len(df) - 4))
    with pytest.raises(NotEnoughDataError, match="tiny"):
        cfa(small, MODEL, group="part")
    with pytest.raises(CollabSurveyError, match="tiny"):
        cfa(
            df.assign(part=["tiny"] * 6 + ["rest"] * (len(df) - 6)),
            MODEL,
            group="part",
            missing="fiml",
        )
    with pytest.raises(DataError, match="two groups"):
        cfa(df.assign(part="one"), MODEL, group="part")
    with pytest.raises(DataError, match="cluster="):
        cfa(df, MODEL, group="id")


def test_small_samples_are_said(df: pd.DataFrame) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFitWarning)
        result = cfa(df.head(40), MODEL)
    assert any("100" in note for note in result.notes)


def test_weights_that_cannot_be_used(df: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="negative"):
        cfa(df.assign(w=-1.0), MODEL, weights="w")
    with pytest.raises(CollabSurveyError, match="'w'"):
        cfa(df.assign(w="heavy"), MODEL, weights="w")
    with pytest.raises(CollabSurveyError, match="'w'"):
        cfa(df.assign(w=0.0), MODEL, weights="w")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"estimator": "PML"}, "'ML'.*'WLSMV'"),
        ({"missing": "two.stage"}, "'fiml'"),
        ({"missing": "fiml", "estimator": "WLSMV"}, "fiml"),
        ({"missing": "fiml", "estimator": "MLM"}, "fiml"),
        ({"missing": "pairwise"}, "pairwise"),
        ({"estimator": "MLR", "ordered": True}, "MLR"),
        ({"parameterization": "gamma"}, "'delta', 'theta'"),
        ({"likelihood": "wishart", "missing": "fiml"}, "wishart"),
        ({"information": "fisher"}, "'expected'"),
        ({"conf_level": 95}, "between 0 and 1"),
        ({"equal": ["loadings"]}, "group"),
        ({"group": "part", "equal": ["loading"]}, "'loadings'"),
        ({"ordered": ["nothing"]}, "nothing"),
        ({"cluster": "school", "estimator": "GLS"}, "GLS"),
    ],
)
def test_refused_options_are_named(
    answers: pd.DataFrame, options: dict[str, Any], words: str
) -> None:
    with pytest.raises((OptionError, NotSupportedError), match=words):
        cfa(answers, MODEL, **options)


@pytest.mark.parametrize("option", ["group", "cluster", "weights"])
def test_unknown_columns_are_named(df: pd.DataFrame, option: str) -> None:
    with pytest.raises(UnknownNameError, match="'schol'.*Did you mean 'school'"):
        cfa(df, MODEL, **{option: "schol"})


def test_unknown_exceptions_are_named(df: pd.DataFrame) -> None:
    with pytest.raises(UnknownNameError, match="'a9~1'"):
        cfa(df, MODEL, group="part", equal=["intercepts"], partial=["a9~1"])


def test_measurements_are_not_ordered_answers(df: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="'a1'"):
        cfa(df, MODEL, ordered=True)
    # Nothing was said of ordered=, so that a sentence about it does not help.
    with pytest.raises(CollabSurveyError, match="WLSMV"):
        cfa(df, MODEL, estimator="WLSMV")


@pytest.mark.parametrize("group", [0, 3, "west"])
def test_groups_that_do_not_exist(by_part: Any, group: Any) -> None:
    for table in (lambda: by_part.residuals(group=group), lambda: by_part.implied_cov(group)):
        with pytest.raises(CollabSurveyError, match=r"north|1, 2"):
            table()


def test_other_data_for_scores(df: pd.DataFrame, fit: Any, by_part: Any) -> None:
    with pytest.raises(UnknownNameError, match="a2"):
        fit.factor_scores(df.drop(columns="a2"))
    with pytest.raises(CollabSurveyError, match="part"):
        by_part.factor_scores(df.drop(columns="part"))
    with pytest.raises(OptionError, match="bartlett"):
        fit.factor_scores(df, "bart")
    with pytest.raises(CollabSurveyError):
        fit.score_tests()


# Validity


def test_validity_follows_its_formulas(fit: Any, df: pd.DataFrame) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.errors.KeyingWarning)
        result = cs.dimensionality.validity(fit)
    row = result.to_frame().set_index("factor").loc["a"]
    loadings = np.abs([value(fit, "a", "=~", i, "std_all") for i in A])
    assert row.ave == pytest.approx(np.mean(loadings**2))
    total = loadings.sum() ** 2
    assert row.composite_reliability == pytest.approx(total / (total + (1 - loadings**2).sum()))
    h = (loadings**2 / (1 - loadings**2)).sum()
    assert row.coefficient_h == pytest.approx(h / (1 + h))
    corr = df[ITEMS].corr().abs()
    between = corr.loc[A, B].to_numpy().mean()
    inside = [corr.loc[s, s].to_numpy()[np.tril_indices(len(s), -1)].mean() for s in (A, B)]
    pair = result.pairs.iloc[0]
    assert pair.htmt == pytest.approx(between / np.sqrt(inside[0] * inside[1]), rel=1e-7)
    assert pair.correlation == pytest.approx(value(fit, "a", "~~", "b", "std_all"))
    np.testing.assert_allclose(result.matrix("htmt").loc["a", "b"], pair.htmt)


def test_htmt_needs_no_model_and_agrees(fit: Any, df: pd.DataFrame) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.errors.KeyingWarning)
        model = cs.dimensionality.validity(fit, data=df, n_boot=200, cluster=None).pairs.iloc[0]
    plain = cs.dimensionality.htmt(df, {"a": A, "b": B}, n_boot=200).pairs.iloc[0]
    for name in ("htmt", "htmt2", "htmt_ci_low", "htmt_ci_high"):
        assert model[name] == pytest.approx(plain[name], rel=1e-8)
    assert model.htmt_ci_low < model.htmt < model.htmt_ci_high


def test_validity_refuses_what_it_cannot_do(fit: Any, df: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="fitted to"):
        cs.dimensionality.validity(fit, data=df.head(50))
    with pytest.raises(DataError, match="No factor"):
        cs.dimensionality.validity(sem(df, "y ~ a1"))
    with pytest.raises(CollabSurveyError, match="cfa"):
        cs.dimensionality.validity(df)
