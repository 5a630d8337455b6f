"""What every measurement promises: names, types, rows, weights, and what it does to odd data."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import pickle
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import narwhals as nw
import numpy as np
import pandas as pd
import pytest

import collabsurvey as cs
from collabsurvey.errors import (
    CollabSurveyError,
    CollabSurveyWarning,
    DataError,
    NotEnoughDataError,
    NotEnoughItemsError,
    NoVarianceError,
    OptionError,
    UnknownNameError,
    WeightsNotAppliedError,
)
from conftest import ENGINES, Engine

mpl.use("Agg")

A = ["a1", "a2", "a3", "a4"]
B = ["b1", "b2", "b3", "b4"]
ITEMS = A + B
REVERSED = ["a3"]
ROLES = {"respondent": "id", "cluster": "school"}

dim, rel, mlm = cs.dimensionality, cs.reliability, cs.multilevel


def drawn(n: int = 260, *, holes: float = 0.04, seed: int = 4) -> pd.DataFrame:
    """Two correlated factors of four items each, five options, 13 schools."""
    rng = np.random.default_rng(seed)
    school = np.arange(n) % 13
    factors = rng.multivariate_normal([0, 0], [[1, 0.4], [0.4, 1]], size=n)
    factors += 0.4 * rng.normal(size=(13, 2))[school]
    frame: dict[str, Any] = {"id": np.arange(n) + 500, "school": [f"S{s:02d}" for s in school]}
    for place, item in enumerate(ITEMS):
        latent = 0.75 * factors[:, place // 4] + 0.66 * rng.normal(size=n)
        answer = 1.0 + np.searchsorted([-1.3, -0.5, 0.4, 1.2], latent)
        answer = 6 - answer if item in REVERSED else answer
        frame[item] = np.where(rng.random(n) < holes, np.nan, answer)
    return pd.DataFrame(frame)


def fielded(frame: Any, **changes: Any) -> cs.Responses:
    options: dict[str, Any] = {
        "scales": {"a": A, "b": B},
        "reverse_keyed": REVERSED,
        "response_range": (1, 5),
        "roles": ROLES,
    }
    return cs.from_frame(frame, **{**options, **changes})


@pytest.fixture
def df() -> pd.DataFrame:
    return drawn()


@pytest.fixture(scope="module")
def answers() -> cs.Responses:
    return fielded(drawn())


def ratings() -> pd.DataFrame:
    rng = np.random.default_rng(6)
    marks = rng.normal(size=(15, 1)) + rng.normal(size=(15, 3))
    return pd.DataFrame(
        {
            "pupil": np.repeat(np.arange(15), 3),
            "judge": np.tile(["x", "y", "z"], 15),
            "mark": marks.ravel(),
        }
    )


def later(df: pd.DataFrame) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    moved = df[ITEMS] + rng.integers(-1, 2, (len(df), len(ITEMS)))
    return df.assign(**moved.clip(1, 5)).sample(frac=0.9, random_state=2)


@functools.cache
def _retested() -> cs.Responses:
    return fielded(later(drawn()))


# The names and defaults of the contract

NAMES: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "polychoric": (dim.polychoric, {"items": ..., "empty_cells": "lavaan"}),
    "retention": (dim.retention, {"items": ..., "seed": ...}),
    "efa": (
        dim.efa,
        {
            "items": ...,
            "n_factors": ...,
            "extraction": "minres",
            "rotation": "oblimin",
            "correlation": "pearson",
        },
    ),
    "alpha": (
        rel.alpha,
        {"ci": "auto", "cluster": "auto", "missing": "listwise", "conf_level": 0.95},
    ),
    "omega": (
        rel.omega,
        {
            "kind": "total",
            "n_factors": 1,
            "ci": "bootstrap",
            "cluster": "auto",
            "missing": "listwise",
        },
    ),
    "rater icc": (rel.icc, {"targets": ..., "raters": ..., "ratings": ...}),
    "kappa": (rel.kappa, {"a": ..., "b": ..., "weights": ...}),
    "retest": (rel.retest, {"scale": ...}),
    "icc": (
        mlm.icc,
        {
            "variables": ...,
            "cluster": ...,
            "size": "n0",
            "method": "anova",
            "conf_level": 0.95,
        },
    ),
    "agreement": (mlm.agreement, {"cluster": ..., "null": ("uniform", "slight_skew")}),
}


@pytest.mark.parametrize("name", NAMES)
def test_arguments_and_defaults_are_those_of_the_contract(name: str) -> None:
    function, expected = NAMES[name]
    parameters = inspect.signature(function).parameters
    for argument, default in expected.items():
        assert argument in parameters
        if default is not ...:
            assert parameters[argument].default == default, argument


@pytest.mark.xfail(
    strict=True,
    reason='the contract has denominator="model"; it is "auto", which is "observed" for kind= '
    '"hierarchical" and "categorical" and for several factors',
)
def test_denominator_of_omega_is_the_models_by_default() -> None:
    assert inspect.signature(rel.omega).parameters["denominator"].default == "model"


def test_agreement_takes_a_scale_by_that_name() -> None:
    assert "scale" in inspect.signature(mlm.agreement).parameters


COLUMNS: dict[str, tuple[Callable[[cs.Responses], Any], str]] = {
    "item_analysis": (
        lambda r: rel.item_analysis(r, "a"),
        "item n mean sd missing floor ceiling item_rest alpha_if_dropped",
    ),
    "icc": (
        lambda r: mlm.icc(cs.score(r), cluster="cluster"),
        "variable icc1 icc1_low icc1_high icc2 f_statistic df1 df2 p_value mean_size n_clusters n "
        "design_effect",
    ),
    "agreement": (lambda r: mlm.agreement(r, "a", "cluster"), "school n rwg rwg_j ad"),
    "screen": (cs.screen, "missing_share longstring irv even_odd mahalanobis duplicate flags"),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_come_in_the_order_of_the_contract(name: str, answers: cs.Responses) -> None:
    call, columns = COLUMNS[name]
    found = list(call(answers).to_frame().columns)
    assert [column for column in found if column in columns.split()] == columns.split()


DOCUMENTED: dict[str, tuple[Callable[[cs.Responses], Any], str]] = {
    "polychoric": (
        lambda r: dim.polychoric(r, A),
        "item_1 item_2 estimate std_error ci_low ci_high n n_empty n_adjusted chi2 df p_value",
    ),
    "omega": (
        lambda r: rel.omega(r, "a", ci="none"),
        "scale coefficient estimate std_error ci_low ci_high estimator formula program",
    ),
    "rater icc": (
        lambda _: rel.icc(ratings(), targets="pupil", raters="judge", ratings="mark"),
        "icc mcgraw_wong answers estimate f_statistic df1 df2 p_value ci_low ci_high",
    ),
    "retest": (
        lambda r: rel.retest(r, _retested(), "a"),
        "measure estimate std_error df ci_low ci_high",
    ),
    "item_analysis options": (
        lambda r: _Frame(rel.item_analysis(r, "a").options()),
        "item answer n share",
    ),
    "overview": (
        lambda r: rel.overview(r, n_boot=100),
        "scale title n_items n_respondents n_clusters alpha std_error ci_low ci_high ci_method "
        "std_alpha average_r item_rest_min weakest_item sem reason omega_total omega_categorical",
    ),
    "agreement": (
        lambda r: mlm.agreement(r, "a", "cluster"),
        "school n rwg rwg_j rwg_star ad ad_median awg below_min_n rwg_slight_skew "
        "rwg_j_slight_skew rwg_star_slight_skew",
    ),
    "retention": (
        lambda r: dim.retention(r, ITEMS, compare=False, n_draws=50),
        "method title n_factors counted",
    ),
    "efa": (lambda r: dim.efa(r, ITEMS, 2), "item F1 F2 communality uniqueness complexity"),
}


@dataclasses.dataclass(frozen=True)
class _Frame:
    frame: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        return self.frame


@pytest.mark.parametrize("name", DOCUMENTED)
def test_columns_are_those_of_the_docstring(name: str, answers: cs.Responses) -> None:
    call, columns = DOCUMENTED[name]
    found = call(answers).to_frame()
    assert isinstance(found, pd.DataFrame)
    assert [column for column in found.columns if column in columns.split()] == columns.split()


def test_attributes_of_the_contract(answers: cs.Responses, df: pd.DataFrame) -> None:
    poly = dim.polychoric(answers, "a")
    assert isinstance(poly.correlations, pd.DataFrame)
    assert list(poly.correlations.index) == list(poly.correlations.columns) == A
    assert isinstance(poly.thresholds, Mapping)
    assert list(poly.thresholds) == A
    assert all(isinstance(cuts, np.ndarray) and len(cuts) == 4 for cuts in poly.thresholds.values())
    assert poly.n == len(df[A].dropna())
    kept = dim.retention(answers, ITEMS, compare=False, n_draws=50)
    assert isinstance(kept.kmo, float)
    assert {"chi2", "df", "p_value"} <= set(kept.bartlett)
    assert len(kept.eigenvalues) == len(kept.parallel) == len(ITEMS)
    factors = dim.efa(answers, ITEMS, 2)
    assert list(factors.loadings.index) == ITEMS
    assert factors.loadings.shape == (8, 2)
    assert list(factors.communalities.index) == ITEMS
    assert factors.factor_correlations.shape == (2, 2)
    assert {"chi2", "df", "p_value", "rmsea", "tli", "bic", "rmsr"} <= set(factors.fit)
    alpha = rel.alpha(answers, "a", n_boot=100)
    assert alpha.ci_low < alpha.estimate < alpha.ci_high
    assert alpha.std_alpha == pytest.approx(alpha.estimate, abs=0.05)
    bounds = rel.guttman(answers, "a")
    for name in [f"lambda{i}" for i in range(1, 7)]:
        assert 0 < getattr(bounds, name) < 1
    retest = rel.retest(answers, _retested(), "a")
    assert retest.ci_low < retest.estimate < retest.ci_high
    assert retest.sdc > retest.sem > 0


# What every result promises

RESULTS: dict[str, Callable[[cs.Responses], Any]] = {
    "polychoric": lambda r: dim.polychoric(r, A),
    "retention": lambda r: dim.retention(r, ITEMS, compare=False, n_draws=50),
    "efa": lambda r: dim.efa(r, ITEMS, 2),
    "alpha": lambda r: rel.alpha(r, "a", n_boot=100),
    "omega": lambda r: rel.omega(r, "a", n_boot=100),
    "omega hierarchical": lambda r: rel.omega(
        r, ITEMS, kind="hierarchical", n_factors=2, ci="none"
    ),
    "omega categorical": lambda r: rel.omega(r, "a", kind="categorical", ci="none"),
    "item_analysis": lambda r: rel.item_analysis(r, "a"),
    "guttman": lambda r: rel.guttman(r, "a"),
    "rater icc": lambda _: rel.icc(ratings(), targets="pupil", raters="judge", ratings="mark"),
    "kappa": lambda _: rel.kappa([1, 2, 3, 2, 1, 3], [1, 2, 3, 3, 1, 2], weights="quadratic"),
    "retest": lambda r: rel.retest(r, _retested(), "a"),
    "overview": lambda r: rel.overview(r, n_boot=100),
    "icc": lambda r: mlm.icc(cs.score(r), cluster="cluster"),
    "agreement": lambda r: mlm.agreement(r, "a", "cluster"),
    "screen": cs.screen,
}


@pytest.fixture(scope="module", params=RESULTS)
def result(request: pytest.FixtureRequest) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollabSurveyWarning)
        return RESULTS[request.param](fielded(drawn()))


def test_text_html_and_great_tables(result: Any, capsys: pytest.CaptureFixture[str]) -> None:
    text = result.summary()
    assert capsys.readouterr().out == ""
    assert isinstance(text, str)
    assert len(text) > 40
    assert isinstance(result.notes, tuple)
    assert all(isinstance(note, str) and note and note in text for note in result.notes)
    assert "<table" in result._repr_html_()
    assert type(result.to_table()).__name__ == "GT"


def test_every_field_is_frozen(result: Any) -> None:
    for field in dataclasses.fields(result):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(result, field.name, None)


def test_arrays_are_read_only_also_inside_mappings(result: Any) -> None:
    for field in dataclasses.fields(result):
        if field.name in {"eigenvalues", "reduced_eigenvalues"}:
            continue  # see below
        value = getattr(result, field.name)
        for array in value.values() if isinstance(value, Mapping) else [value]:
            if isinstance(array, np.ndarray) and array.size:
                with pytest.raises(ValueError, match="read-only"):
                    array[...] = array.flat[0]


@pytest.mark.parametrize("name", ["retention", "efa"])
def test_eigenvalues_are_read_only(name: str, answers: cs.Responses) -> None:
    assert not RESULTS[name](answers).eigenvalues.flags.writeable


@pytest.mark.xfail(
    strict=True,
    reason="results are frozen, but their mappings are plain dicts: result.fit['chi2'] = 0 works",
)
@pytest.mark.parametrize(
    "name",
    ["polychoric", "retention", "efa", "omega categorical", "agreement", "screen"],
)
def test_mappings_of_results_are_frozen(name: str, answers: cs.Responses) -> None:
    result = RESULTS[name](answers)
    for field in dataclasses.fields(result):
        value = getattr(result, field.name)
        if isinstance(value, Mapping) and value:
            with pytest.raises(TypeError):
                value[next(iter(value))] = 0  # type: ignore[index]


def test_frames_are_fresh(result: Any) -> None:
    first = result.to_frame()
    expected = first.copy()
    column = first.columns[0]
    first[column] = None
    first["another"] = 1
    pd.testing.assert_frame_equal(result.to_frame(), expected)


def test_plots_draw_on_the_axes_given_or_on_new_ones(result: Any) -> None:
    _, ax = plt.subplots()
    assert list(inspect.signature(result.plot).parameters) == ["ax"]
    assert result.plot(ax=ax) is ax
    assert ax.has_data()
    assert result.plot() is not ax
    plt.close("all")


def test_results_survive_pickling(result: Any) -> None:
    copy = pickle.loads(pickle.dumps(result))
    pd.testing.assert_frame_equal(copy.to_frame(), result.to_frame())
    assert copy.summary() == result.summary()


# A scale id where items are asked

BY_ITEMS: dict[str, Callable[[cs.Responses, Any], Any]] = {
    "polychoric": lambda r, items: dim.polychoric(r, items),
    "retention": lambda r, items: dim.retention(r, items, compare=False, n_draws=50),
    "efa": lambda r, items: dim.efa(r, items, 1),
    "alpha": lambda r, items: rel.alpha(r, items, n_boot=100),
    "omega": lambda r, items: rel.omega(r, items, ci="none"),
    "item_analysis": lambda r, items: rel.item_analysis(r, items),
    "guttman": lambda r, items: rel.guttman(r, items),
    "agreement": lambda r, items: mlm.agreement(r, items, "cluster"),
    "screen": lambda r, items: cs.screen(r, items),
}


@pytest.mark.parametrize("name", BY_ITEMS)
def test_a_scale_id_stands_for_its_items(name: str, answers: cs.Responses) -> None:
    call = BY_ITEMS[name]
    one, other = call(answers, "a").to_frame(), call(answers, A).to_frame()
    kept = [column for column in one.columns if column != "scale"]
    pd.testing.assert_frame_equal(one[kept], other[kept])


@pytest.mark.parametrize("name", BY_ITEMS)
def test_unknown_items_are_named_with_the_nearest(name: str, answers: cs.Responses) -> None:
    for items in ("aa", ["a1", "a2", "a3", "a44"]):
        with pytest.raises(UnknownNameError, match=r"aa|a44"):
            BY_ITEMS[name](answers, items)


@pytest.mark.parametrize("name", [n for n in BY_ITEMS if n not in {"agreement", "screen"}])
def test_one_item_is_too_few(name: str, answers: cs.Responses) -> None:
    with pytest.raises(NotEnoughItemsError):
        BY_ITEMS[name](answers, ["a1"])


@pytest.mark.parametrize(
    "name",
    [*BY_ITEMS],
)
def test_an_item_named_twice_is_refused(name: str, answers: cs.Responses) -> None:
    with pytest.raises(CollabSurveyError, match="a2"):
        BY_ITEMS[name](answers, ["a1", "a2", "a4", "a2"])


@pytest.mark.parametrize("name", [n for n in BY_ITEMS if n not in {"agreement", "screen"}])
def test_a_constant_item_is_named(name: str, df: pd.DataFrame) -> None:
    with pytest.raises(NoVarianceError, match="a2"):
        BY_ITEMS[name](fielded(df.assign(a2=3.0)), "a")


@pytest.mark.parametrize("call", [dim.polychoric, dim.retention, dim.efa])
def test_any_frame_will_do_for_dimensions(
    call: Any, answers: cs.Responses, df: pd.DataFrame, engine: Engine
) -> None:
    options: dict[str, Any] = {dim.efa: {"n_factors": 2}}.get(call, {})
    options |= {"compare": False, "n_draws": 50} if call is dim.retention else {}
    plain = call(engine(df), ITEMS, **options).to_frame()
    asked = call(
        answers, ITEMS, **options | ({"cluster": None} if call is not dim.retention else {})
    )
    pd.testing.assert_frame_equal(plain, asked.to_frame(), rtol=1e-9, atol=1e-12)


# Engines and rows

SAME: dict[str, Callable[[cs.Responses], pd.DataFrame]] = {
    "polychoric": lambda r: dim.polychoric(r, A).to_frame(),
    "retention": lambda r: dim.retention(r, ITEMS, compare=False, n_draws=50).parallel,
    "efa": lambda r: dim.efa(r, ITEMS, 2).loadings,
    "efa polychoric": lambda r: dim.efa(r, A, 1, correlation="polychoric").loadings,
    "alpha": lambda r: rel.alpha(r, "a", ci="jackknife").to_frame(),
    "alpha bootstrap": lambda r: rel.alpha(r, "a", n_boot=100).to_frame(),
    "alpha pairwise": lambda r: rel.alpha(r, "a", missing="pairwise", ci="feldt").to_frame(),
    "alpha fiml": lambda r: rel.alpha(r, "a", missing="fiml").to_frame(),
    "omega": lambda r: rel.omega(r, "a", ci="jackknife").to_frame(),
    "omega bootstrap": lambda r: rel.omega(r, "a", n_boot=100).to_frame(),
    "omega categorical": lambda r: rel.omega(r, "a", kind="categorical", ci="none").to_frame(),
    "item_analysis": lambda r: rel.item_analysis(r, "a").to_frame(),
    "guttman": lambda r: rel.guttman(r, "a", ci="auto").to_frame(),
    "overview": lambda r: rel.overview(r, n_boot=100).to_frame(),
    "icc": lambda r: mlm.icc(cs.score(r), cluster="cluster").to_frame(),
    "screen": lambda r: pd.DataFrame(cs.screen(r).n_flagged, index=["rows"]),
    "agreement": lambda r: (
        mlm.agreement(r, "a", "cluster").to_frame().sort_values("school", ignore_index=True)
    ),
}


@pytest.mark.parametrize("name", SAME)
def test_row_order_is_irrelevant(name: str, answers: cs.Responses, df: pd.DataFrame) -> None:
    shuffled = df.sample(frac=1, random_state=9)
    pd.testing.assert_frame_equal(
        SAME[name](fielded(shuffled)), SAME[name](answers), rtol=1e-7, atol=1e-9
    )


@pytest.mark.parametrize("engine", ENGINES[1::2], ids=lambda engine: engine.name)
@pytest.mark.parametrize("name", SAME)
def test_polars_and_duckdb_have_the_same_numbers(
    name: str, answers: cs.Responses, df: pd.DataFrame, engine: Engine
) -> None:
    pd.testing.assert_frame_equal(
        SAME[name](fielded(engine(df))), SAME[name](answers), rtol=1e-7, atol=1e-9
    )


@pytest.mark.parametrize("name", SAME)
def test_the_callers_data_are_not_changed(name: str, df: pd.DataFrame) -> None:
    before = df.copy(deep=True)
    answers = fielded(df)
    kept = answers.frame.copy(deep=True)
    SAME[name](answers)
    pd.testing.assert_frame_equal(df, before)
    pd.testing.assert_frame_equal(answers.frame, kept)


def test_read_only_input_is_enough(answers: cs.Responses, df: pd.DataFrame) -> None:
    marks = ratings()
    a, b = np.array([1, 2, 3, 2, 1]), np.array([1, 2, 2, 2, 1])
    a.setflags(write=False)
    b.setflags(write=False)
    rel.kappa(a, b, weights="linear")
    before = marks.copy(deep=True)
    rel.icc(marks, targets="pupil", raters="judge", ratings="mark")
    pd.testing.assert_frame_equal(marks, before)
    second = later(df)
    kept = second.copy(deep=True)
    rel.retest(answers, fielded(second), "a")
    pd.testing.assert_frame_equal(second, kept)


def test_raters_in_any_order_and_engine(engine: Engine) -> None:
    names = {"targets": "pupil", "raters": "judge", "ratings": "mark"}
    plain = rel.icc(ratings(), **names).to_frame()
    mixed = rel.icc(engine(ratings().sample(frac=1, random_state=1)), **names).to_frame()
    pd.testing.assert_frame_equal(plain, mixed, rtol=1e-9)
    wide = ratings().pivot_table(index="pupil", columns="judge", values="mark")
    pd.testing.assert_frame_equal(rel.icc(engine(wide)).to_frame(), plain, rtol=1e-9)


def test_kappa_takes_lists_arrays_and_series() -> None:
    pl = pytest.importorskip("polars")
    a, b = [1, 2, 3, 2, 1, 3, 2], [1, 2, 3, 3, 1, 2, 2]
    expected = rel.kappa(a, b, weights="quadratic").estimate
    for kind in (np.array, pd.Series, pl.Series, tuple):
        assert rel.kappa(kind(a), kind(b), weights="quadratic").estimate == expected
    order = [3, 1, 0, 6, 5, 4, 2]
    shuffled = rel.kappa([a[i] for i in order], [b[i] for i in order], weights="quadratic")
    assert shuffled.estimate == pytest.approx(expected, rel=1e-12)
    text = rel.kappa([f"c{x}" for x in a], [f"c{x}" for x in b])
    assert text.estimate == pytest.approx(rel.kappa(a, b).estimate, rel=1e-12)


def test_kappa_leaves_out_pairs_and_counts_them() -> None:
    a = [1, 2, None, 2, 1, 3, 2, np.nan]
    b = [1, 2, 3, 3, None, 2, 2, 1]
    result = rel.kappa(a, b)
    assert (result.n, result.n_missing) == (5, 3)
    assert result.estimate == rel.kappa([1, 2, 2, 3, 2], [1, 2, 3, 2, 2]).estimate


def test_retest_matches_people_not_rows(answers: cs.Responses, df: pd.DataFrame) -> None:
    second = later(df)
    expected = rel.retest(answers, fielded(second), "a").to_frame()
    mixed = rel.retest(
        fielded(df.sample(frac=1, random_state=1)),
        fielded(second.sample(frac=1, random_state=3)),
        "a",
    )
    pd.testing.assert_frame_equal(mixed.to_frame(), expected, rtol=1e-9)


def test_screening_keeps_index_and_order_of_pandas(df: pd.DataFrame) -> None:
    df.index = pd.Index(np.arange(len(df))[::-1] // 2, name="row")
    rows = cs.screen(fielded(df)).to_frame(keep=["respondent", "cluster"])
    assert isinstance(rows, pd.DataFrame)
    pd.testing.assert_index_equal(rows.index, df.index)
    assert rows["id"].tolist() == df["id"].tolist()
    assert rows["school"].tolist() == df["school"].tolist()
    assert len(cs.screen(fielded(df)).to_frame()) == len(df)


def test_screening_of_polars_is_polars(answers: cs.Responses, df: pd.DataFrame) -> None:
    pl = pytest.importorskip("polars")
    rows = cs.screen(fielded(pl.from_pandas(df))).to_frame(keep=["respondent"])
    assert isinstance(rows, pl.DataFrame)
    assert rows["id"].to_list() == df["id"].tolist()
    expected = cs.screen(answers).to_frame()
    np.testing.assert_allclose(
        rows["mahalanobis"].to_numpy().astype(float),
        expected["mahalanobis"].to_numpy(dtype=float),
        rtol=1e-9,
    )


def test_row_wise_output_of_lazy_frames_is_lazy_and_keyed(
    df: pd.DataFrame, lazy_engine: Engine
) -> None:
    answers = fielded(lazy_engine(df))
    expected = cs.screen(fielded(df)).to_frame(keep=["respondent"]).set_index("id")
    rows = cs.screen(answers).to_frame()
    assert isinstance(nw.from_native(rows), nw.LazyFrame)
    found = lazy_engine.pandas(rows).set_index("id").reindex(expected.index)
    assert {"school", "flags"} <= set(found.columns)
    for column in ("missing_share", "longstring", "irv", "flags", "duplicate"):
        np.testing.assert_allclose(
            found[column].to_numpy(float), expected[column].to_numpy(float), rtol=1e-9
        )


def test_screening_judges_rows_alike_in_any_order(answers: cs.Responses, df: pd.DataFrame) -> None:
    expected = cs.screen(answers).to_frame(keep=["respondent"]).set_index("id")
    shuffled = df.sample(frac=1, random_state=5)
    found = cs.screen(fielded(shuffled)).to_frame(keep=["respondent"]).set_index("id")
    pd.testing.assert_frame_equal(found.reindex(expected.index), expected, rtol=1e-8)


def test_factor_scores_come_in_the_engine_of_the_data(df: pd.DataFrame) -> None:
    pl = pytest.importorskip("polars")
    df.index = pd.Index(np.arange(len(df)) * 3 % 7, name="row")
    result = dim.efa(fielded(df), ITEMS, 2)
    scores = result.scores(df)
    assert isinstance(scores, pd.DataFrame)
    pd.testing.assert_index_equal(scores.index, df.index)
    assert list(scores.columns) == ["F1", "F2"]
    incomplete = df[ITEMS].isna().any(axis=1).to_numpy()
    np.testing.assert_array_equal(scores.isna().to_numpy(), np.c_[incomplete, incomplete])
    other = result.scores(pl.from_pandas(df.reset_index(drop=True)))
    assert isinstance(other, pl.DataFrame)
    assert other["F1"].null_count() == incomplete.sum()
    np.testing.assert_allclose(
        other.to_pandas().to_numpy(float), scores.to_numpy(float), rtol=1e-9, atol=1e-12
    )
    pd.testing.assert_frame_equal(result.scores(), scores)
    pd.testing.assert_frame_equal(result.scores(fielded(df)), scores)


# Missing answers


LISTWISE = ["polychoric", "retention", "efa", "efa polychoric", "alpha", "omega"]
LISTWISE += ["omega categorical", "item_analysis", "guttman"]


@pytest.mark.parametrize("name", LISTWISE)
def test_listwise_is_the_default(name: str, answers: cs.Responses, df: pd.DataFrame) -> None:
    items = ITEMS if name in {"retention", "efa"} else A
    found = SAME[name](answers)
    complete = SAME[name](fielded(df.dropna(subset=items)))
    out = [c for c in ("missing", "flags") if c in found.columns]
    pd.testing.assert_frame_equal(
        found.drop(columns=out), complete.drop(columns=out), rtol=1e-8, atol=1e-10
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda r: dim.polychoric(r, A),
        lambda r: dim.retention(r, A, compare=False, n_draws=50),
        lambda r: dim.efa(r, A, 1),
        lambda r: rel.alpha(r, "a"),
        lambda r: rel.omega(r, "a", ci="none"),
        lambda r: rel.item_analysis(r, "a"),
        lambda r: rel.guttman(r, "a"),
        lambda r: mlm.agreement(r, "a", "cluster"),
    ],
)
def test_dropped_rows_are_said(call: Any, answers: cs.Responses, df: pd.DataFrame) -> None:
    complete = len(df[A].dropna())
    assert complete < len(df)
    notes = " ".join(call(answers).notes)
    assert str(complete) in notes or str(len(df) - complete) in notes


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda r: dim.efa(r, A, 1, missing="pairwise").correlations.cor, "corr"),
        (lambda r: dim.retention(r, A, missing="pairwise", compare=False, n_draws=50), "values"),
        (lambda r: rel.guttman(r, "a", missing="pairwise").matrix, "cov"),
    ],
)
def test_pairwise_takes_every_pair(
    call: Any, expected: str, answers: cs.Responses, df: pd.DataFrame
) -> None:
    found = call(answers)
    keyed = df[A].assign(a3=6 - df["a3"])
    if expected == "values":
        values = np.linalg.eigvalsh(df[A].corr())[::-1]
        np.testing.assert_allclose(found.eigenvalues, values, rtol=1e-9)
    else:
        matrix = df[A].corr() if expected == "corr" else keyed.cov()
        np.testing.assert_allclose(np.asarray(found), matrix, rtol=1e-9)


def test_retest_scores_by_the_rule_of_the_scale(df: pd.DataFrame) -> None:
    holes = df.copy()
    holes.loc[holes.index[:30], ["a1", "a2"]] = np.nan
    first, second = fielded(holes), _retested()
    usual, lenient = (rel.retest(first, second, "a", min_valid=m) for m in (None, 1))
    scored = cs.score(first).to_frame(keep=["respondent"]).dropna(subset=["a"])
    after = cs.score(second).to_frame(keep=["respondent"]).dropna(subset=["a"])
    assert usual.n == len(set(scored["id"]) & set(after["id"]))
    assert lenient.n > usual.n
    assert usual.n + usual.n_unscored + usual.n_only_first == len(df)


# Weights


def _in_standard_deviations(scores: pd.DataFrame) -> pd.DataFrame:
    once = scores.drop_duplicates()  # a copied row has the score of its original
    return once / once.std()


WEIGHTED: dict[str, Callable[[cs.Responses], Any]] = {
    "polychoric": lambda r: dim.polychoric(r, A, std_errors="none").correlations,
    "polychoric pairwise": lambda r: dim.polychoric(r, A, missing="pairwise").correlations,
    "retention": lambda r: dim.retention(r, ITEMS, compare=False, n_draws=20).kmo_items,
    "retention values": lambda r: dim.retention(r, ITEMS, compare=False, n_draws=20).eigenvalues,
    "efa": lambda r: dim.efa(r, ITEMS, 2).loadings,
    "efa scores": lambda r: (
        dim.efa(r, ITEMS, 2).scores().drop_duplicates().pipe(lambda d: d / d.std())
    ),
    "alpha": lambda r: rel.alpha(r, "a", ci="feldt").estimate,
    "alpha fiml": lambda r: rel.alpha(r, "a", missing="fiml").estimate,
    "omega": lambda r: rel.omega(r, "a", ci="none").estimate,
    "omega hierarchical": lambda r: (
        rel.omega(r, ITEMS, kind="hierarchical", n_factors=2, ci="none").estimate
    ),
    "omega categorical": lambda r: rel.omega(r, "a", kind="categorical", ci="none").estimate,
    "item_analysis": lambda r: (
        rel.item_analysis(r, "a")
        .to_frame()
        .set_index("item")[
            ["mean", "missing", "floor", "ceiling", "item_rest", "alpha_if_dropped", "loading"]
        ]
    ),
    "guttman": lambda r: rel.guttman(r, "a").to_frame()["estimate"],
    "overview": lambda r: rel.overview(r, ci="feldt").to_frame()[
        ["alpha", "omega_total", "omega_categorical"]
    ],
    "retest": lambda r: rel.retest(r, _retested(), "a").estimate,
    "icc": lambda r: mlm.icc(cs.score(r), cluster="cluster").to_frame()["icc1"],
    "agreement": lambda r: mlm.agreement(r, "a", "cluster").to_frame()["rwg_j"],
}


@pytest.mark.parametrize("name", WEIGHTED)
def test_whole_weights_are_copies_of_rows_or_refused_by_name(name: str, df: pd.DataFrame) -> None:
    weighted = df.assign(w=1 + np.arange(len(df)) % 3)
    copies = weighted.loc[weighted.index.repeat(weighted["w"])].reset_index(drop=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollabSurveyWarning)
        try:
            found = WEIGHTED[name](fielded(weighted, roles={**ROLES, "weight": "w"}))
        except WeightsNotAppliedError as error:
            assert "weight" in str(error)
            return
        expected = WEIGHTED[name](fielded(copies, roles={"cluster": "school"}))
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", [n for n in WEIGHTED if n not in {"retest", "icc", "agreement"}])
def test_scale_of_weights_is_irrelevant(name: str, df: pd.DataFrame) -> None:
    w = 0.5 + np.arange(len(df)) % 4
    roles = {**ROLES, "weight": "w"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollabSurveyWarning)
        try:
            one, other = (
                WEIGHTED[name](fielded(df.assign(w=w * k), roles=roles)) for k in (1, 1000)
            )
        except WeightsNotAppliedError:
            return
    np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=1e-6, atol=1e-8)


def test_screening_says_that_weights_play_no_part(df: pd.DataFrame) -> None:
    answers = fielded(df.assign(w=1.5), roles={**ROLES, "weight": "w"})
    try:
        notes = " ".join(cs.screen(answers).notes)
    except WeightsNotAppliedError:
        return
    assert "eight" in notes


# People sit in schools


def clustered(n_schools: int = 20, size: int = 20) -> pd.DataFrame:
    """Whole schools that answer nearly alike, so that errors over them are much larger."""
    rng = np.random.default_rng(13)
    school = np.repeat(np.arange(n_schools), size)
    spread = np.exp(rng.normal(size=n_schools))[school]
    frame: dict[str, Any] = {"id": np.arange(len(school)), "school": school}
    common = spread * rng.normal(size=len(school))
    for item in ITEMS:
        latent = common + rng.normal(size=len(school)) + rng.normal(size=n_schools)[school]
        frame[item] = 1.0 + np.digitize(latent, [-2, -0.7, 0.7, 2])
    return pd.DataFrame(frame)


INTERVALS: dict[str, Callable[[cs.Responses], tuple[float, float, Any]]] = {
    "alpha": lambda r: _limits(rel.alpha(r, "a", ci="bootstrap", n_boot=1000)),
    "omega": lambda r: _limits(rel.omega(r, "a", n_boot=1000)),
    "omega categorical": lambda r: _limits(rel.omega(r, "a", kind="categorical", ci="jackknife")),
    "guttman": lambda r: _row(rel.guttman(r, "a", ci="auto", n_boot=1000)),
    "polychoric": lambda r: _row(dim.polychoric(r, A)),
    "retest": lambda r: _limits(
        rel.retest(
            r,
            fielded(
                later(clustered()),
                reverse_keyed=(),
                roles={k: v for k, v in ROLES.items() if k in r.roles},
            ),
            "a",
        )
    ),
}


def _limits(result: Any) -> tuple[float, float, Any]:
    return result.ci_low, result.ci_high, result.n_clusters


def _row(result: Any) -> tuple[float, float, Any]:
    row = result.to_frame().iloc[1]
    return row["ci_low"], row["ci_high"], result.n_clusters


@pytest.mark.parametrize("name", INTERVALS)
def test_intervals_respect_schools_and_say_so(name: str) -> None:
    df = clustered()
    low, high, n = INTERVALS[name](fielded(df, reverse_keyed=()))
    plain = INTERVALS[name](fielded(df, reverse_keyed=(), roles={"respondent": "id"}))
    assert (n, plain[2]) == (20, None)
    assert high - low > 1.1 * (plain[1] - plain[0])


@pytest.mark.parametrize(
    "call",
    [
        lambda r: rel.alpha(r, "a", n_boot=100),
        lambda r: rel.omega(r, "a", n_boot=100),
        lambda r: rel.guttman(r, "a", ci="auto"),
        lambda r: dim.polychoric(r, A),
        lambda r: dim.efa(r, ITEMS, 2, n_boot=100),
        lambda r: rel.overview(r, n_boot=100),
        lambda r: rel.retest(r, _retested(), "a"),
    ],
)
def test_the_result_says_that_schools_were_counted(call: Any, answers: cs.Responses) -> None:
    notes = call(answers).notes
    assert any("13" in note and ("school" in note or "cluster" in note) for note in notes)


@pytest.mark.parametrize("name", ["alpha", "omega", "guttman", "polychoric"])
def test_people_who_answered_twice_count_once(name: str) -> None:
    df = clustered()
    twice = pd.concat([df.assign(wave=1), df.assign(wave=2)])
    roles = {"respondent": "id", "wave": "wave"}
    doubled = INTERVALS[name](fielded(twice, reverse_keyed=(), roles=roles))
    single = INTERVALS[name](fielded(df, reverse_keyed=(), roles={"respondent": "id"}))
    assert doubled[2] == len(df)
    assert doubled[1] - doubled[0] == pytest.approx(single[1] - single[0], rel=0.25)


@pytest.mark.parametrize(
    "call",
    [
        lambda r, seed: rel.omega(r, "a", n_boot=100, seed=seed).ci_low,
        lambda r, seed: dim.efa(r, ITEMS, 2, n_boot=100, seed=seed).intervals["ci_low"].iloc[0],
        lambda r, seed: dim.retention(r, ITEMS, n_draws=50, compare=False, seed=seed).parallel.iloc[
            0, 2
        ],
    ],
)
def test_seeds_make_draws_repeatable(call: Any, answers: cs.Responses) -> None:
    assert call(answers, 1) == call(answers, 1) != call(answers, 2)
    state = np.random.get_state()[1]  # noqa: NPY002  the global generator is left alone
    call(answers, 1)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


# Bad input


def every_call() -> dict[str, Callable[[cs.Responses], Any]]:
    return {
        **{name: call for name, call in RESULTS.items() if name not in {"rater icc", "kappa"}},
        "efa ml": lambda r: dim.efa(r, ITEMS, 2, extraction="ml"),
        "efa polychoric": lambda r: dim.efa(r, ITEMS, 1, correlation="polychoric"),
        "alpha fiml": lambda r: rel.alpha(r, "a", missing="fiml"),
        "guttman ci": lambda r: rel.guttman(r, "a", ci="auto", n_boot=100),
    }


def _same(df: pd.DataFrame) -> pd.DataFrame:
    return df.assign(a2=df["a1"])


ODD: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "two identical items": _same,
    "all items identical": lambda d: d.assign(**dict.fromkeys(ITEMS, d["a1"])),
    "mirrored item": lambda d: d.assign(a3=6 - d["a1"]),
    "constant item": lambda d: d.assign(a2=3.0),
    "fewer rows than items": lambda d: d.head(6),
    "three rows": lambda d: d.dropna().head(3),
    "one row": lambda d: d.head(1),
    "nobody complete": lambda d: d.assign(
        a1=d["a1"].where(d["id"] % 2 == 0), a2=d["a2"].where(d["id"] % 2 == 1)
    ),
    "item nobody answered": lambda d: d.assign(a4=np.nan),
    "nothing answered": lambda d: d.assign(**dict.fromkeys(ITEMS, np.nan)),
    "everybody constant": lambda d: d.assign(**dict.fromkeys(ITEMS, 1.0 + d["id"] % 5)),
    "one school": lambda d: d.assign(school="only"),
    "own school each": lambda d: d.assign(school=d["id"]),
    "two categories": lambda d: d.assign(**{i: (d[i] > 2) + 1.0 for i in ITEMS}),
    "one rare answer": lambda d: d.assign(a1=np.where(d["id"] == 500, 1.0, 2.0)),
    "unrelated": lambda d: d.assign(
        **{i: np.random.default_rng(k).permutation(d[i]) for k, i in enumerate(ITEMS)}
    ),
}


@functools.cache
def _oddly(odd: str) -> cs.Responses:
    return fielded(ODD[odd](drawn()))


@pytest.mark.parametrize(("odd", "name"), [(odd, name) for odd in ODD for name in every_call()])
def test_odd_answers_get_a_result_or_a_sentence(odd: str, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollabSurveyWarning)
        try:
            result = every_call()[name](_oddly(odd))
        except CollabSurveyError as error:
            assert len(str(error)) > 20  # a sentence, and ours
            return
        words = result.summary().replace("\u2212", "-").split()
        assert "nan" not in words
        assert "-inf" not in words or (odd, name) == ("everybody constant", "icc")  # F is 0
        if odd in {"one row", "nothing answered", "two identical items"}:
            result._repr_html_()
            result.plot()
            plt.close("all")


def test_alpha_has_limits_or_says_why_not(df: pd.DataFrame) -> None:
    copies = fielded(df.assign(a2=df["a1"], a3=6 - df["a1"], a4=df["a1"]))
    result = rel.alpha(copies, "a", n_boot=100)
    assert result.estimate == pytest.approx(1)
    assert np.isfinite([result.ci_low, result.ci_high]).all() or "interval" in result.summary()


@pytest.mark.parametrize("n_factors", [0, -1, 8, 20, 1.5, True, "2", None])
def test_impossible_numbers_of_factors(n_factors: Any, answers: cs.Responses) -> None:
    with pytest.raises(CollabSurveyError, match="n_factors"):
        dim.efa(answers, ITEMS, n_factors)


WRONG: dict[str, Callable[[cs.Responses], Any]] = {
    "empty_cells": lambda r: dim.polychoric(r, A, empty_cells="x"),  # type: ignore[arg-type]
    "extraction": lambda r: dim.efa(r, A, 1, extraction="x"),  # type: ignore[arg-type]
    "rotation": lambda r: dim.efa(r, ITEMS, 2, rotation="x"),  # type: ignore[arg-type]
    "correlation": lambda r: dim.efa(r, A, 1, correlation="x"),  # type: ignore[arg-type]
    "reference": lambda r: dim.retention(r, A, reference="x"),  # type: ignore[arg-type]
    "kind": lambda r: rel.omega(r, "a", kind="x"),  # type: ignore[arg-type]
    "denominator": lambda r: rel.omega(r, "a", denominator="x"),  # type: ignore[arg-type]
    "missing": lambda r: rel.item_analysis(r, "a", missing="x"),  # type: ignore[arg-type]
    "ci": lambda r: rel.guttman(r, "a", ci="x"),  # type: ignore[arg-type]
    "weights": lambda _: rel.kappa([1, 2, 2], [1, 2, 1], weights="x"),  # type: ignore[arg-type]
    "null": lambda r: mlm.agreement(r, "a", "cluster", null="x"),  # type: ignore[arg-type]
    "longstring": lambda r: cs.screen(r, longstring=-1),
}


@pytest.mark.parametrize("name", WRONG)
def test_unknown_options_are_named(name: str, answers: cs.Responses) -> None:
    with pytest.raises(OptionError, match=name):
        WRONG[name](answers)


@pytest.mark.parametrize("level", [95, 0, 1, -0.5, float("nan"), "0.95"])
def test_confidence_level_is_checked(level: Any, answers: cs.Responses, df: pd.DataFrame) -> None:
    names = {"targets": "pupil", "raters": "judge", "ratings": "mark"}
    for call in (
        lambda: dim.polychoric(answers, A, conf_level=level),
        lambda: dim.efa(answers, A, 1, conf_level=level),
        lambda: rel.alpha(answers, "a", conf_level=level),
        lambda: rel.omega(answers, "a", conf_level=level),
        lambda: rel.guttman(answers, "a", conf_level=level),
        lambda: rel.icc(ratings(), **names, conf_level=level),
        lambda: rel.kappa([1, 2, 2], [1, 2, 1], conf_level=level),
        lambda: rel.retest(answers, _retested(), "a", conf_level=level),
        lambda: rel.overview(answers, conf_level=level),
        lambda: mlm.icc(df, "a1", "school", conf_level=level),
    ):
        with pytest.raises(OptionError, match="conf_level"):
            call()


def test_raters_that_cannot_be_compared() -> None:
    names = {"targets": "pupil", "raters": "judge", "ratings": "mark"}
    marks = ratings()
    with pytest.raises(DataError):
        rel.icc(pd.concat([marks, marks.head(1)]), **names)
    with pytest.raises(NotEnoughDataError):
        rel.icc(marks[marks["judge"] == "x"], **names)
    with pytest.raises(NotEnoughDataError):
        rel.icc(marks[marks["pupil"] == 0], **names)
    with pytest.raises(NoVarianceError):
        rel.icc(marks.assign(mark=3), **names)
    with pytest.raises(UnknownNameError, match="jugde"):
        rel.icc(marks, targets="pupil", raters="jugde", ratings="mark")
    with pytest.raises(DataError):
        rel.icc(marks.assign(mark="good"), **names)


def test_kappa_refuses_what_it_cannot_compare() -> None:
    with pytest.raises(DataError):
        rel.kappa([1, 2, 3], [1, 2])
    with pytest.raises(DataError):
        rel.kappa(pd.Series([1, 2, 3]), pd.Series([1, 2, 3], index=[4, 5, 6]))
    with pytest.raises(DataError):
        rel.kappa(["low", "high", "mid"], ["low", "mid", "mid"], weights="linear")
    with pytest.raises(NoVarianceError):
        rel.kappa([1, 1, 1], [1, 1, 1])
    with pytest.raises(NotEnoughDataError):
        rel.kappa([1, None], [1, 2])
    with pytest.raises(DataError):
        rel.kappa([1, 2, 3], [1, 2, 3], categories=[1, 2])


def test_kappa_of_no_pair_at_all() -> None:
    with pytest.raises(NotEnoughDataError):
        rel.kappa([1, None], [None, 2])


def test_retest_needs_people_it_can_match(answers: cs.Responses, df: pd.DataFrame) -> None:
    second = _retested()
    with pytest.raises(DataError, match="respondent"):
        rel.retest(fielded(df, roles={"cluster": "school"}), second, "a")
    with pytest.raises(DataError):
        rel.retest(fielded(df.assign(id=df["id"] + 9000)), second, "a")
    with pytest.raises(UnknownNameError, match="aa"):
        rel.retest(answers, second, "aa")


def test_matrix_that_is_not_positive_definite_is_named() -> None:
    matrix = np.array([[1, 0.9, 0.1], [0.9, 1, 0.9], [0.1, 0.9, 1.0]])
    given = dim.given_correlations(matrix, 200, items=["x", "y", "z"])
    for result in (
        dim.efa(given, n_factors=1),
        dim.retention(given, compare=False, n_draws=50),
    ):
        assert "positive" in " ".join(result.notes)
    with pytest.raises(DataError):
        cs.dimensionality.given_correlations(matrix + np.triu(np.ones((3, 3)), 1), 200)


def test_copies_of_an_item_are_named(df: pd.DataFrame) -> None:
    copied = df.assign(a2=df["a1"])
    found = dim.polychoric(fielded(copied), A)
    assert ("a1", "a2") in found.at_limit
    assert any("a1" in note and "a2" in note for note in found.notes)
    with pytest.raises(DataError, match=r"a1|a2|inverse"):
        dim.efa(fielded(copied), A, 1, extraction="ml")
    kept = dim.retention(fielded(copied), ITEMS, compare=False, n_draws=50)
    assert np.isnan(kept.kmo)
    assert any("inverse" in note or "a2" in note for note in kept.notes)


HEYWOOD = np.array([[1, 0.9, 0.8], [0.9, 1, 0.62], [0.8, 0.62, 1]])


@pytest.mark.parametrize("extraction", ["minres", "ml", "principal_axis"])
def test_heywood_case_is_named(extraction: Any) -> None:
    given = dim.given_correlations(HEYWOOD, 200, items=["x", "y", "z"])
    result = dim.efa(given, n_factors=1, extraction=extraction)
    assert result.heywood == ("x",)
    assert any("Heywood" in note and "x" in note for note in result.notes)


def test_note_on_a_heywood_case_tells_the_number(df: pd.DataFrame) -> None:
    given = dim.given_correlations(HEYWOOD, 200, items=["x", "y", "z"])
    result = dim.efa(given, n_factors=1)
    assert result.uniquenesses["x"] < -0.01
    assert not any("at the bound of .005" in note for note in result.notes)


def test_everybody_flagged_is_still_a_screening(df: pd.DataFrame) -> None:
    straight = df.assign(**dict.fromkeys(ITEMS, 4.0))
    result = cs.screen(fielded(straight))
    rows = result.to_frame()
    assert len(rows) == len(df)
    assert isinstance(result.summary(), str)
    blank = cs.screen(fielded(df.assign(**dict.fromkeys(ITEMS[:6], np.nan))))
    assert (blank.to_frame()["flags"] >= 1).all()


def test_options_used_in_some_schools_only(df: pd.DataFrame) -> None:
    uneven = df.assign(a1=df["a1"].where(df["school"] > "S06", df["a1"].clip(2, 4)))
    found = mlm.agreement(fielded(uneven), "a", "cluster").to_frame()
    assert found["rwg_j"].notna().all()
    assert len(dim.polychoric(fielded(uneven), A).thresholds["a1"]) == 4
