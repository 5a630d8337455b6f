"""Contract of mixed, generalised and ordinal models, and of what stands beside a model."""

from __future__ import annotations

import dataclasses
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pytest

import collabsurvey as cs
from collabsurvey.errors import CollabSurveyError
from conftest import Engine

R = cs.regression
ESTIMATES = ["term", "estimate", "std_error", "statistic", "df", "p_value", "ci_low", "ci_high"]
COMPONENTS = ["group", "term1", "term2", "vcov", "sdcor"]
EFFECTS = ["group", "level", "term", "estimate", "conditional_sd"]
CAUSAL = re.compile(
    r"\b(caus|effect of|impact|leads? to|led to|makes?|made|raise[sd]?|lower(s|ed)|improv|increas"
    r"|reduc|because of|due to|multiplied)",
    re.IGNORECASE,
)


def _table() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    sizes = rng.integers(6, 15, 22)
    g = np.repeat(np.arange(22), sizes)
    n = len(g)
    x, m = rng.normal(size=n), rng.normal(size=22)[g]
    x = x + 0.6 * m
    s = rng.choice(["high", "low", "mid"], n)
    u = rng.normal(size=(22, 2)) * [0.7, 0.4]
    mean = 0.5 * x + 0.4 * (s == "low") + 0.3 * x * m + u[g, 0] + u[g, 1] * x
    latent = mean + rng.logistic(size=n)
    return pd.DataFrame(
        {
            "id": np.arange(n),
            "g": [f"s{i:02d}" for i in g],
            "other": [f"s{i:02d}" for i in rng.integers(0, 22, n)],
            "rater": [f"r{i}" for i in rng.integers(0, 9, n)],
            "class": rng.integers(0, 3, n),
            "x": x,
            "m": m,
            "s": s,
            "w": rng.integers(1, 4, n),
            "w1": rng.uniform(0.5, 2, n),
            "w2": rng.uniform(0.5, 2, n),
            "months": rng.uniform(1, 12, n),
            "wave": np.concatenate([np.arange(size) for size in sizes]),
            "y": mean + rng.normal(size=n),
            "yes": (latent > 0).astype(int),
            "answer": np.digitize(latent, [-1.5, 0, 1.5]) + 1,
            "count": rng.poisson(np.exp(0.3 + 0.3 * x + 0.4 * u[g, 0])),
        }
    )


TABLE = _table()
FITS: dict[str, Callable[[Any], Any]] = {
    "ols": lambda d: R.ols("y ~ x*m + s", d, cluster="g"),
    "logit": lambda d: R.logit("yes ~ x + s", d, cluster="g"),
    "counts": lambda d: R.counts("count ~ x + offset(log(months))", d, cluster="g"),
    "ordinal": lambda d: R.ordinal("answer ~ x + s", d),
    "mixed": lambda d: R.mixed("y ~ x*m + s + (1 + x | g)", d),
    "crossed": lambda d: R.mixed("y ~ x + (1 | g) + (1 | rater)", d),
    "mm": lambda d: R.mixed("y ~ x + (1 | mm(g, other, weights=(w1, w2)))", d),
    "mixed_logit": lambda d: R.mixed_logit("yes ~ x + s + (1 | g)", d),
    "mixed_counts": lambda d: R.mixed_counts("count ~ x + offset(log(months)) + (1 | g)", d),
    "mixed_ordinal": lambda d: R.mixed_ordinal("answer ~ x + s + (1 | g)", d),
}
MIXED = ["mixed", "crossed", "mm", "mixed_logit", "mixed_counts", "mixed_ordinal"]


def fit(name: str, data: Any = TABLE) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return FITS[name](data)


@pytest.fixture(scope="module")
def fits() -> dict[str, Any]:
    return {name: fit(name) for name in FITS}


@pytest.fixture(autouse=True)
def _no_open_figures() -> Iterator[None]:
    yield
    plt.close("all")


BESIDE: dict[str, Callable[[dict[str, Any]], Any]] = {
    "intervals": lambda f: R.intervals(f["crossed"], method="wald"),
    "profile": lambda f: R.intervals(R.mixed("y ~ x + (1 | g)", TABLE)),
    "likelihood_ratio": lambda f: R.likelihood_ratio(
        R.mixed("y ~ x + (1 | g)", TABLE), f["crossed"]
    ),
    "anova": lambda f: R.anova(f["mixed"]),
    "wild_bootstrap": lambda f: R.wild_bootstrap(f["ols"], "x", n_boot=199),
    "contextual_effect": lambda f: R.contextual_effect(
        R.mixed("y ~ within(x, g) + between(x, g) + (1 | g)", TABLE), "x", "g"
    ),
    "simple_slopes": lambda f: R.simple_slopes(f["mixed"], "x", moderator="m"),
    "johnson_neyman": lambda f: R.johnson_neyman(f["mixed"], "x", moderator="m", data=TABLE),
    "collinearity": lambda f: R.collinearity(f["mixed"]),
    "influence": lambda f: R.influence(f["ols"]),
    "residuals": lambda f: R.residuals(f["mixed"], TABLE),
    "aggregated_predictor": lambda f: R.aggregated_predictor("y ~ between(x, g) + s", TABLE),
    "enough_clusters": lambda f: R.enough_clusters(12),
    "compare": lambda f: R.compare([f["ols"], f["mixed"], f["mixed_logit"], f["mixed_counts"]]),
    "proportional_odds": lambda f: f["ordinal"].proportional_odds(),
}

# --- what every result has ----------------------------------------------------------------------


@pytest.mark.parametrize("name", FITS)
def test_tables_have_the_promised_columns(fits: dict[str, Any], name: str) -> None:
    result = fits[name]
    assert list(result.estimates.columns)[:8] == ESTIMATES
    assert all(result.estimates[column].dtype == np.float64 for column in ESTIMATES[1:])
    assert all(isinstance(term, str) for term in result.estimates["term"])
    assert {"loglik", "aic", "bic", "n_obs", "converged"} <= set(result.fit)
    assert result.fit["n_obs"] == len(TABLE)
    assert result.fit["converged"] is True
    if name in MIXED:
        assert list(result.variance_components.columns) == COMPONENTS
        assert list(result.random_effects.columns) == EFFECTS
        assert "n_groups" in result.fit


@pytest.mark.parametrize("name", [*FITS, *BESIDE])
def test_every_result_shows_itself(fits: dict[str, Any], name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = fits[name] if name in fits else BESIDE[name](fits)
    assert isinstance(result.summary(), str)
    assert "nan" not in result.summary().lower().split()
    assert isinstance(result.to_frame(), pd.DataFrame)
    assert all(isinstance(note, str) for note in result.notes)
    assert "<table" in result._repr_html_()
    assert "<table" in result.to_table().as_raw_html()
    assert isinstance(result.plot(), plt.Axes)
    assert r"\toprule" in cs.reporting.to_latex(result)


@pytest.mark.parametrize("name", FITS)
def test_results_are_frozen(fits: dict[str, Any], name: str) -> None:
    result = fits[name]
    with pytest.raises((dataclasses.FrozenInstanceError, AttributeError, TypeError)):
        result.fit = {}
    with pytest.raises(TypeError):
        result.fit["loglik"] = 0.0
    before = result.estimates.copy(deep=True)
    for taken in (result.estimates, result.to_frame()):
        taken["estimate"] = 0.0
    pd.testing.assert_frame_equal(result.estimates, before)
    assert (result.estimates["estimate"] != 0).all()


# --- what must not matter -----------------------------------------------------------------------


def same(found: Any, expected: Any, rtol: float = 1e-5) -> None:
    pd.testing.assert_frame_equal(found.estimates, expected.estimates, rtol=rtol, atol=1e-7)
    assert found.fit["loglik"] == pytest.approx(expected.fit["loglik"], rel=1e-9)


@pytest.mark.parametrize("name", FITS)
def test_order_of_rows_and_their_index(fits: dict[str, Any], name: str) -> None:
    moved = TABLE.sample(frac=1, random_state=3)
    moved.index = pd.Index(np.zeros(len(moved), dtype=int))
    same(fit(name, moved), fits[name])


@pytest.mark.parametrize("name", ["mixed", "mm", "mixed_logit", "mixed_counts", "mixed_ordinal"])
def test_engines(fits: dict[str, Any], name: str, engine: Engine) -> None:
    same(fit(name, engine(TABLE)), fits[name])


@pytest.mark.parametrize("name", FITS)
@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_units_of_a_predictor(fits: dict[str, Any], name: str, factor: float) -> None:
    found = fit(name, TABLE.assign(x=TABLE["x"] * factor)).estimates.set_index("term")
    expected = fits[name].estimates.set_index("term")
    assert found.loc["x", "estimate"] * factor == pytest.approx(
        expected.loc["x", "estimate"], rel=1e-4
    )
    np.testing.assert_allclose(found["statistic"], expected["statistic"], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found["df"], expected["df"], rtol=1e-3)


@pytest.mark.parametrize("name", ["mixed", "crossed", "mm"])
@pytest.mark.parametrize("factor", [1e-5, 1e5])
def test_units_of_the_outcome(fits: dict[str, Any], name: str, factor: float) -> None:
    found, expected = fit(name, TABLE.assign(y=TABLE["y"] * factor)), fits[name]
    np.testing.assert_allclose(
        found.estimates["estimate"] / factor, expected.estimates["estimate"], rtol=1e-4, atol=1e-6
    )
    np.testing.assert_allclose(
        found.variance_components["vcov"] / factor**2,
        expected.variance_components["vcov"],
        rtol=1e-3,
    )


@pytest.mark.parametrize("name", MIXED)
def test_names_of_groups(fits: dict[str, Any], name: str) -> None:
    names = dict(zip(sorted(TABLE["g"].unique()), range(22, 0, -1), strict=True))
    same(
        fit(name, TABLE.assign(g=TABLE["g"].map(names), other=TABLE["other"].map(names))),
        fits[name],
    )


def test_the_table_handed_in_is_left_alone() -> None:
    before = TABLE.copy(deep=True)
    for name in FITS:
        fit(name)
    pd.testing.assert_frame_equal(TABLE, before)


# --- the language of random terms ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("(1 | g/class)", "(1 | g) + (1 | g:class)"),
        ("(1 + x || g)", "(1 | g) + (0 + x | g)"),
        ("(x | g)", "(1 + x | g)"),
        ("(1 | mm(g, other))", "(1 | mm(other, g))"),
        ("(1 | mm(g, other, weights=(w1, w2)))", "(1 | mm(other, g, weights=(w2, w1)))"),
        ("(1 | mm(g, none))", "(1 | g)"),
        ("(1 | rater) + (1 | g)", "(1 | g) + (1 | rater)"),
    ],
)
def test_two_ways_to_say_it(short: str, long: str) -> None:
    data = TABLE.assign(none=None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, expected = (R.mixed(f"y ~ x + {part}", data) for part in (short, long))
    same(found, expected, rtol=1e-4)
    np.testing.assert_allclose(
        sorted(found.variance_components["vcov"]),
        sorted(expected.variance_components["vcov"]),
        rtol=1e-3,
        atol=1e-7,
    )


def test_weights_of_mm_are_shares() -> None:
    data = TABLE.assign(w1=TABLE["w1"] * 40, w2=TABLE["w2"] * 40)
    same(fit("mm", data), fit("mm"))


def test_what_is_allowed_is_said_in_full() -> None:
    for part in ("within(", "between(", "offset(", "cbind(", "mm(", "||", "/"):
        assert part in R.LANGUAGE


def test_formulas_are_never_run(tmp_path: Path) -> None:
    made = tmp_path / "made"
    for formula in (
        f"y ~ x + __import__('pathlib').Path('{made}').touch() + (1 | g)",
        f"y ~ I(open('{made}', 'w')) + (1 | g)",
        "y ~ x + (1 | g.map(str))",
        "y ~ x.mean() + (1 | g)",
    ):
        for model in (R.mixed, R.mixed_logit, R.mixed_ordinal, R.mixed_counts):
            with pytest.raises(CollabSurveyError, match="formula is made of"):
                model(formula, TABLE)
    assert not made.exists()


# --- rows that stand for several ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "formula"),
    [
        (R.logit, "yes ~ x"),
        (R.counts, "count ~ x"),
        (R.ordinal, "answer ~ x"),
        (R.mixed_logit, "yes ~ x + (1 | g)"),
        (R.mixed_counts, "count ~ x + (1 | g)"),
    ],
)
def test_a_weight_is_a_number_of_rows(model: Callable[..., Any], formula: str) -> None:
    weighted = model(formula, TABLE, weights="w")
    repeated = model(formula, TABLE.loc[TABLE.index.repeat(TABLE["w"])])
    np.testing.assert_allclose(
        weighted.estimates[["estimate", "std_error"]],
        repeated.estimates[["estimate", "std_error"]],
        rtol=1e-4,
    )
    assert weighted.fit["loglik"] == pytest.approx(repeated.fit["loglik"], rel=1e-8)


def test_successes_and_failures_are_their_rows() -> None:
    sums = TABLE.groupby(["g", "s"], as_index=False).agg(n=("yes", "size"), yes=("yes", "sum"))
    sums["no"] = sums["n"] - sums["yes"]
    for model, random in ((R.logit, ""), (R.mixed_logit, " + (1 | g)")):
        found = model(f"cbind(yes, no) ~ s{random}", sums).estimates
        expected = model(f"yes ~ s{random}", TABLE).estimates
        np.testing.assert_allclose(
            found[["estimate", "std_error"]], expected[["estimate", "std_error"]], rtol=1e-4
        )


def test_weights_of_mixed_are_relative_up_to_sigma() -> None:
    one = R.mixed("y ~ x + (1 | g)", TABLE, weights="w")
    ten = R.mixed("y ~ x + (1 | g)", TABLE.assign(w=TABLE["w"] * 10), weights="w")
    pd.testing.assert_frame_equal(one.estimates, ten.estimates, rtol=1e-5, atol=1e-8)
    assert ten.fit["sigma"] == pytest.approx(one.fit["sigma"] * np.sqrt(10), rel=1e-5)


def test_an_offset_is_taken_from_the_outcome_of_a_mixed_model() -> None:
    moved = R.mixed("y ~ s + (1 | g)", TABLE.assign(y=TABLE["y"] - TABLE["x"]))
    same(R.mixed("y ~ s + offset(x) + (1 | g)", TABLE), moved, rtol=1e-6)


# --- quantities that follow from each other -----------------------------------------------------


@pytest.mark.parametrize("method", ["satterthwaite", "kenward-roger"])
def test_f_tests_of_one_column_are_squared_t(method: Any) -> None:
    result = R.mixed("y ~ x + s + (1 + x | g)", TABLE, df_method=method)
    found = R.anova(result).to_frame().set_index("term").loc["x"]
    expected = result.estimates.set_index("term").loc["x"]
    assert found["statistic"] == pytest.approx(expected["statistic"] ** 2, rel=1e-8)
    assert found["df2"] == pytest.approx(expected["df"], rel=1e-8)
    assert found["p_value"] == pytest.approx(expected["p_value"], rel=1e-8)


def test_kenward_roger_is_satterthwaite_where_all_is_balanced() -> None:
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"g": np.repeat(list("abcdefgh"), 6), "x": np.tile([0.0, 1, 2], 16)})
    data["y"] = np.repeat(rng.normal(size=8), 6) * 2 + rng.normal(size=48)
    kr, satterthwaite = (
        R.mixed("y ~ x + (1 | g)", data, df_method=method).estimates
        for method in ("kenward-roger", "satterthwaite")
    )
    pd.testing.assert_frame_equal(kr, satterthwaite, rtol=1e-4, atol=1e-9)
    assert kr["df"][1] == pytest.approx(48 - 8 - 1, rel=1e-4)


def test_contextual_is_between_less_within() -> None:
    result = R.mixed("y ~ within(x, g) + between(x, g) + (1 | g)", TABLE)
    found = R.contextual_effect(result, "x", "g").to_frame().set_index("effect")["estimate"]
    assert found["contextual"] == pytest.approx(found["between"] - found["within"])
    mundlak = R.mixed("y ~ x + between(x, g) + (1 | g)", TABLE)
    expected = R.contextual_effect(mundlak, "x", "g").to_frame().set_index("effect")
    for effect in ("within", "between", "contextual"):
        assert found[effect] == pytest.approx(expected.loc[effect, "estimate"], rel=1e-5)


def test_slopes_and_their_regions_agree(fits: dict[str, Any]) -> None:
    at_zero = R.simple_slopes(fits["mixed"], "x", moderator="m", at=[0.0]).to_frame().iloc[0]
    expected = fits["mixed"].estimates.set_index("term").loc["x"]
    for column in ("estimate", "std_error", "df", "p_value"):
        assert at_zero[column] == pytest.approx(expected[column], rel=1e-6)
    found = R.johnson_neyman(fits["mixed"], "x", moderator="m", span=(-6.0, 6.0))
    assert len(found.boundaries) > 0
    edges = R.simple_slopes(fits["mixed"], "x", moderator="m", at=list(found.boundaries))
    np.testing.assert_allclose(edges.to_frame()["p_value"], 0.05, atol=1e-4)


def test_influence_is_the_model_without_the_cluster() -> None:
    result = R.mixed("y ~ x + (1 | g)", TABLE)
    found = R.influence(result, TABLE)
    without = R.mixed("y ~ x + (1 | g)", TABLE[TABLE["g"] != "s03"])
    np.testing.assert_allclose(
        found.coefficients.loc["s03"], without.estimates["estimate"], rtol=1e-5
    )
    np.testing.assert_allclose(
        found.variances.loc["s03"], without.variance_components["vcov"], rtol=1e-4
    )


def test_wald_intervals_are_those_of_the_estimates(fits: dict[str, Any]) -> None:
    frame = R.intervals(fits["crossed"], method="wald").to_frame()
    found = frame[frame["quantity"] == "coefficient"][["ci_low", "ci_high"]]
    np.testing.assert_allclose(found, fits["crossed"].estimates[["ci_low", "ci_high"]], rtol=1e-8)


def test_a_variance_is_tested_at_its_border() -> None:
    from scipy.stats import chi2

    found = R.likelihood_ratio(R.ols("y ~ x", TABLE), R.mixed("y ~ x + (1 | g)", TABLE))
    assert found.statistic > 0
    assert found.weights == (0.5, 0.5)
    assert found.p_value == pytest.approx(0.5 * chi2.sf(found.statistic, 1), rel=1e-9)


@pytest.mark.parametrize(
    ("smaller", "larger"),
    [
        (
            lambda: R.ols("y ~ x", TABLE, weights="w1"),
            lambda: R.mixed("y ~ x + (1 | g)", TABLE),
        ),
        (
            lambda: R.ols("y ~ x", TABLE),
            lambda: R.mixed("y ~ x + (1 | g)", TABLE, weights="w1"),
        ),
        (
            lambda: R.mixed("y ~ x + (1 | mm(g, other))", TABLE),
            lambda: R.mixed(
                "y ~ x + (1 | mm(g, other, weights=(w1, w2))) + (1 + x | rater)", TABLE
            ),
        ),
    ],
)
def test_models_that_are_not_within_each_other(
    smaller: Callable[[], Any], larger: Callable[[], Any]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        models = smaller(), larger()
    with pytest.raises(CollabSurveyError):
        R.likelihood_ratio(*models)


def test_another_residual_structure_is_not_the_same_model() -> None:
    plain = R.mixed("y ~ x + (1 | g)", TABLE)
    with pytest.raises(CollabSurveyError) as caught:
        R.likelihood_ratio(plain, R.mixed("y ~ x + (1 | g)", TABLE, residual="ar1(wave)"))
    assert "the same" not in str(caught.value)


def test_counts_that_vary_little_give_no_warning_of_numpy() -> None:
    R.counts("count ~ x", TABLE, family="negbin")
    result = R.mixed_counts("count ~ x + (1 | g)", TABLE, family="negbin")
    assert result.fit["negbin_shape"] == np.inf
    assert any("shape is infinite" in note for note in result.notes)


def test_an_expected_count_says_for_what_exposure(fits: dict[str, Any]) -> None:
    line = next(
        x for x in fits["mixed_counts"].explain(data=TABLE).splitlines() if "typical case is" in x
    )
    assert "months" in line.split("typical case is")[1]


@pytest.mark.parametrize("name", FITS)
def test_predictions_keep_rows_and_engine(fits: dict[str, Any], name: str) -> None:
    moved = TABLE.sample(frac=1, random_state=5)
    found, expected = fits[name].predict(moved), fits[name].predict(TABLE)
    assert found.index.equals(moved.index)
    np.testing.assert_allclose(found.sort_index(), expected, rtol=1e-10)
    assert isinstance(fits[name].predict(pl.from_pandas(TABLE)), pl.Series | pl.DataFrame)


def test_an_unknown_group_is_the_typical_one(fits: dict[str, Any]) -> None:
    new = TABLE.head(5).assign(g="unseen")
    np.testing.assert_allclose(
        fits["mixed"].predict(new), fits["mixed"].predict(new, random_effects=False)
    )


# --- errors are sentences of ours ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        *[(name, {"x": 1.0}, "x") for name in MIXED],
        *[(name, {"g": "one", "other": "one"}, "group") for name in MIXED],
        *[(name, {"x": np.inf}, "x") for name in MIXED],
        *[(name, {"x": np.nan}, "x") for name in MIXED],
        ("mixed", {"y": 2.0}, "y"),
        ("mixed_logit", {"yes": 1}, "yes"),
        ("mixed_logit", {"yes": TABLE["answer"]}, "yes"),
        ("mixed_logit", {"yes": (TABLE["x"] > 0).astype(int)}, "separation.*x"),
        ("logit", {"yes": (TABLE["s"] == "low").astype(int)}, "separation.*s"),
        ("mixed_counts", {"count": -1}, "count"),
        ("mixed_counts", {"count": 0.5}, "count"),
        ("mixed_ordinal", {"answer": 3}, "answer"),
        ("mixed_ordinal", {"answer": TABLE["s"]}, "order"),
        ("mixed_ordinal", {"answer": np.digitize(TABLE["x"], [-1, 0, 1])}, "separation.*x"),
        ("mixed", {"s": TABLE["x"] * 2 + 1}, "s"),
        ("mixed", {"g": TABLE["id"]}, "rows|groups"),
        ("mm", {"other": TABLE["id"]}, "type"),
        ("mm", {"w1": -1.0}, "w1"),
        ("mm", {"w1": 0.0, "w2": 0.0}, "weights"),
        ("crossed", {"rater": TABLE["g"]}, "rater"),
    ],
)
def test_bad_tables_are_refused_by_name(name: str, change: dict[str, Any], said: str) -> None:
    with pytest.raises(CollabSurveyError, match=f"(?s){said}"):
        fit(name, TABLE.assign(**change))


@pytest.mark.parametrize("model", ["mixed", "mixed_logit", "mixed_ordinal", "mixed_counts"])
def test_the_outcome_is_no_predictor(model: str) -> None:
    outcome = {"mixed": "y", "mixed_logit": "yes", "mixed_ordinal": "answer"}.get(model, "count")
    with pytest.raises(CollabSurveyError, match="predictor|copy of the outcome"):
        getattr(R, model)(f"{outcome} ~ {outcome} + (1 | g)", TABLE)


@pytest.mark.parametrize("model", ["mixed", "mixed_logit", "mixed_ordinal", "mixed_counts"])
def test_a_table_without_rows_is_called_so(model: str) -> None:
    outcome = {"mixed": "y", "mixed_logit": "yes", "mixed_ordinal": "answer"}.get(model, "count")
    with pytest.raises(CollabSurveyError, match="without rows"):
        getattr(R, model)(f"{outcome} ~ x + (1 | g)", TABLE.head(0))


def test_a_within_part_that_is_zero() -> None:
    with pytest.raises(CollabSurveyError, match=r"one value within each g.*within\(m, g\)"):
        R.mixed("y ~ within(m, g) + (1 | g)", TABLE)


@pytest.mark.parametrize("value", [0.0, -1.0, np.inf, "two"])
def test_weights_that_are_none(value: Any) -> None:
    column = TABLE["w"].astype(object if value == "two" else float)
    column[4] = value
    with pytest.raises(CollabSurveyError, match="w"):
        R.mixed("y ~ x + (1 | g)", TABLE.assign(w=column), weights="w")


def test_a_negative_weight_is_not_told_that_zero_will_do() -> None:
    with pytest.raises(CollabSurveyError) as caught:
        R.mixed("y ~ x + (1 | g)", TABLE.assign(w=-1.0), weights="w")
    assert "0 or more" not in str(caught.value)


def test_missing_groups_and_single_rows_are_counted() -> None:
    holes = TABLE.assign(g=TABLE["g"].where(TABLE["id"] > 4))
    holes.loc[[7, 8], "g"] = ["alone", "alone too"]
    for name in ("mixed", "mixed_logit", "mixed_ordinal", "mixed_counts"):
        notes = " ".join(fit(name, holes).notes)
        assert re.search(r"\b5 of \d+ rows", notes) and "g 5" in notes
    assert re.search(r"2 of \d+ groups of g have a single row", " ".join(fit("mixed", holes).notes))


@pytest.mark.parametrize(
    "call",
    [
        lambda f: R.mixed("y ~ x + (1 | g)", TABLE, reml="no"),
        lambda f: R.mixed("y ~ x + (1 | g)", TABLE, conf_level=1.5),
        lambda f: R.mixed("y ~ x + (1 | g)", TABLE, reml=False, df_method="kenward-roger"),
        lambda f: R.mixed("y ~ x + (1 | g)", TABLE, residual="cs(wave)"),
        lambda f: R.mixed_logit("yes ~ x + (1 | g)", TABLE, n_quad=2.5),
        lambda f: R.ordinal("answer ~ x", TABLE, link="cauchit"),
        lambda f: R.counts("count ~ x", TABLE, family="gamma"),
        lambda f: R.intervals(f["ols"]),
        lambda f: R.intervals(f["mixed_logit"]),
        lambda f: R.intervals(f["mixed_ordinal"]),
        lambda f: R.anova(f["ols"]),
        lambda f: R.anova(f["mixed_logit"]),
        lambda f: R.anova(None),
        lambda f: R.likelihood_ratio(None, f["mixed"]),
        lambda f: R.likelihood_ratio(f["mixed"], f["mixed"]),
        lambda f: R.wild_bootstrap(f["mixed"], "x"),
        lambda f: R.wild_bootstrap(f["ols"], "x", seed="a"),
        lambda f: R.simple_slopes(f["mixed"], "x", moderator="m", at=[]),
        lambda f: R.simple_slopes(f["mixed"], "x", moderator="m", at=[np.nan]),
        lambda f: R.simple_slopes(f["mixed"], "x", moderator="s"),
        lambda f: R.johnson_neyman(f["mixed"], "x", moderator="m", span=(2.0, 1.0)),
        lambda f: R.influence(f["mixed"], TABLE.head(90)),
        lambda f: R.residuals(f["mixed"], TABLE.head(90)),
        lambda f: R.residuals(f["mixed_logit"], TABLE),
        lambda f: R.collinearity("a model"),
        lambda f: R.caterpillar(f["ols"]),
        lambda f: R.caterpillar("a model"),
        lambda f: R.caterpillar(f["crossed"]),
        lambda f: R.prediction_chart(f["mixed"], "nothing", TABLE),
        lambda f: R.coefficient_chart(f["mixed"]),
        lambda f: R.compare(f["mixed"]),
        lambda f: R.compare([f["mixed"], "a model"]),
        lambda f: R.compare([]),
        lambda f: f["mixed"].explain(labels={"nothing": "a thing"}),
        lambda f: f["mixed"].explain(steps={"nothing": 2.0}),
        lambda f: f["mixed"].explain(design="randomised", assigned="nothing"),
        lambda f: cs.reporting.to_latex("a table"),
        lambda f: cs.reporting.to_word(f["mixed"], "name.txt"),
    ],
)
def test_wrong_calls_are_refused_in_words(
    fits: dict[str, Any], call: Callable[[dict[str, Any]], Any]
) -> None:
    with pytest.raises(CollabSurveyError) as caught:
        call(fits)
    assert str(caught.value).endswith((".", ")", "]"))


def test_collinearity_of_another_model_says_which_it_takes(fits: dict[str, Any]) -> None:
    with pytest.raises(CollabSurveyError, match=r"(?i)ols|mixed\(|linear model|collinearity"):
        R.collinearity(fits["mixed_logit"])


def test_dates_are_no_factor_of_as_many_levels_as_rows() -> None:
    days = pd.Timestamp("2026-01-01") + pd.to_timedelta(TABLE["id"], unit="D")
    with pytest.raises(CollabSurveyError, match="day"):
        R.mixed("y ~ day + (1 | g)", TABLE.assign(day=days))


# --- tables and words ---------------------------------------------------------------------------


def test_one_table_for_models_of_every_kind(fits: dict[str, Any], tmp_path: Path) -> None:
    table = R.compare(list(fits.values()), names=list(fits), p_values="stars")
    text = table.summary()
    for name in fits:
        assert name in text
    spread = [line for line in text.splitlines() if line.startswith(("SD ", "residual SD"))]
    assert len(spread) >= 4
    assert not any("*" in line for line in spread)
    mixed = fits["mixed"].variance_components
    assert f"{mixed['sdcor'].iloc[0]:.3f}" in next(x for x in spread if "(Intercept), g" in x)
    assert any("outcomes differ" in note for note in table.notes)
    for line in text.splitlines():
        if line.startswith("AIC"):  # REML with other fixed parts, and another family
            values = dict(zip(fits, re.split(r"\s{2,}", line.strip())[1:], strict=True))
            assert {values[name] for name in ("ols", "mixed", "crossed", "mm")} == {"–"}
    written = cs.reporting.to_word(table, tmp_path / "models.docx")
    assert written.stat().st_size > 5000
    latex = cs.reporting.to_latex(table, label="tab:models")
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") == 1
    assert not re.search(r"(?<!\\)[_%]", latex.replace("tab:models", ""))


def test_ratios_are_exponentiated_and_spreads_are_not(fits: dict[str, Any]) -> None:
    plain, ratio = (
        R.compare([fits["mixed_logit"]], exponentiate=value).summary() for value in (False, True)
    )
    b = fits["mixed_logit"].estimates.set_index("term").loc["x", "estimate"]
    assert f"{b:.3f}" in plain and f"{np.exp(b):.3f}" in ratio

    def spreads(text: str) -> list[str]:
        return [line.split()[-1] for line in text.splitlines() if line.startswith("SD ")]

    assert spreads(plain) == spreads(ratio)


@pytest.mark.parametrize("name", FITS)
def test_words_without_a_cause(fits: dict[str, Any], name: str) -> None:
    assert not CAUSAL.search(fits[name].explain())
    assert "interval" in fits[name].explain()


def test_words_of_a_cause_for_what_was_assigned_only(fits: dict[str, Any]) -> None:
    text = fits["mixed_logit"].explain(design="randomised", assigned="s")
    told = [line for line in text.splitlines() if line.startswith("- ")]
    assert any(CAUSAL.search(line) for line in told if "S " in line or " s " in line)
    assert not any(CAUSAL.search(line) for line in told if line.startswith("- One unit more x"))


def test_the_spread_of_a_slope_lies_around_its_slope() -> None:
    """A raw slope beside within() has the within slope as its middle, not zero."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = R.mixed("y ~ within(x, g) + between(x, g) + (1 + x | g)", TABLE)
    line = next(x for x in result.explain().splitlines() if "What goes with x" in x)
    ends = re.search(r"between (\S+) and (\S+?)\.?$", line)
    if ends is not None:  # to leave the range out would do as well
        low, high = (float(value.replace("−", "-")) for value in ends.groups())
        slope = result.estimates.set_index("term").loc["within(x, g)", "estimate"]
        assert (low + high) / 2 == pytest.approx(slope, abs=0.02)


def test_a_spread_in_an_interaction_says_where_it_is_read() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = R.mixed("y ~ x*s + (1 + x | g)", TABLE)
    line = next(x for x in result.explain().splitlines() if "What goes with x" in x)
    assert "high" in line or "nineteen" not in line


def test_a_model_without_predictors_has_no_words_on_predictors() -> None:
    text = R.mixed("y ~ 1 + (1 | g)", TABLE).explain()
    assert "The terms go with" not in text
    assert "differences that go together" not in text


def test_a_singular_fit_is_named() -> None:
    flat = TABLE.assign(y=np.random.default_rng(0).normal(size=len(TABLE)))
    flat["y"] -= flat.groupby("g")["y"].transform("mean")
    with pytest.warns(cs.errors.SingularFitWarning, match="g"):
        result = R.mixed("y ~ x + (1 | g)", flat)
    assert any("singular" in note and "g" in note for note in result.notes)
    assert "(SD 0)" in result.explain()
