"""Whether groups and waves are measured alike: rules, differences, searches, refusals."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import collabsurvey as cs
from collabsurvey.errors import (
    CollabSurveyError,
    CollabSurveyWarning,
    DataError,
    NotEnoughItemsError,
    NotSupportedError,
    NoVarianceError,
    OptionError,
    SingularFitWarning,
    UnknownNameError,
)
from conftest import Engine

ladder, partial = cs.invariance.ladder, cs.invariance.partial
alignment, consequences = cs.invariance.alignment, cs.invariance.consequences

ITEMS = ["t1", "t2", "t3", "t4", "t5"]
MODEL = "trust =~ t1 + t2 + t3 + t4 + t5"
LEVELS = ["configural", "metric", "scalar", "strict"]
ORDINAL = ["configural", "thresholds", "loadings", "intercepts", "residuals"]


def drawn(n: int = 600, *, seed: int = 11, biased: float = 0.9, gap: float = 0.5) -> pd.DataFrame:
    """Two roles; the second trusts more by `gap` and answers t3 higher by `biased` beyond that."""
    rng = np.random.default_rng(seed)
    second = np.arange(n) % 2 == 1
    trust = rng.normal(size=n) + gap * second
    loadings = [0.9, 0.8, 0.7, 0.8, 0.75]
    frame = {
        item: 3 + loading * trust + 0.6 * rng.normal(size=n)
        for item, loading in zip(ITEMS, loadings, strict=True)
    }
    frame["t3"] = frame["t3"] + biased * second
    return pd.DataFrame(
        {
            "id": np.arange(n) + 1,
            "role": np.where(second, "leader", "teacher"),
            "school": [f"S{s:02d}" for s in rng.integers(0, 25, n)],
            **frame,
            "outcome": 0.5 * trust + rng.normal(size=n),
        }
    )


def likert(df: pd.DataFrame, options: int = 4) -> pd.DataFrame:
    cuts = np.linspace(1.9, 4.4, options - 1)
    return df.assign(**{item: 1 + np.searchsorted(cuts, df[item]) for item in ITEMS})


def panel(n: int = 260, seed: int = 3) -> pd.DataFrame:
    """The same people in two waves, a row each."""
    rng = np.random.default_rng(seed)
    trust = rng.multivariate_normal([0, 0.3], [[1, 0.6], [0.6, 1]], size=n)
    own = 0.4 * rng.normal(size=(n, 5))
    waves = [
        pd.DataFrame(
            3 + 0.8 * trust[:, [wave]] + own + 0.5 * rng.normal(size=(n, 5)), columns=ITEMS
        ).assign(person=np.arange(n), wave=wave + 1)
        for wave in (0, 1)
    ]
    return pd.concat(waves, ignore_index=True)


@pytest.fixture(scope="module")
def df() -> pd.DataFrame:
    return drawn()


@pytest.fixture(scope="module")
def fair() -> pd.DataFrame:
    return drawn(biased=0.0, seed=21)


@pytest.fixture(scope="module")
def answers(df: pd.DataFrame) -> pd.DataFrame:
    return likert(df)


@pytest.fixture(scope="module")
def climbed(df: pd.DataFrame) -> Any:
    return ladder(df, MODEL, "role")


@pytest.fixture(scope="module")
def ordinal(answers: pd.DataFrame) -> Any:
    return ladder(answers, MODEL, "role", ordered=True)


# Names, order, types


CONTRACT = [
    *["level", "chi2", "df", "p_value", "cfi", "rmsea", "srmr"],
    *["delta_chi2", "delta_df", "delta_p", "delta_cfi", "delta_rmsea"],
]


def test_frame_has_the_columns_of_the_contract_in_order(climbed: Any, ordinal: Any) -> None:
    for result, levels in ((climbed, LEVELS), (ordinal, ORDINAL)):
        table = result.to_frame()
        assert [name for name in table.columns if name in CONTRACT] == CONTRACT
        assert list(table.level) == levels
        assert list(result.levels) == levels
        assert (
            table.drop(columns="level")[CONTRACT[1:]]
            .dtypes.map(pd.api.types.is_numeric_dtype)
            .all()
        )
        assert table.loc[0, CONTRACT[7:]].isna().all()
    assert "cfi_robust" not in climbed.to_frame()
    assert {"chi2_scaled", "cfi_scaled", "rmsea_scaled"} <= set(ordinal.to_frame())


def test_attributes(climbed: Any, df: pd.DataFrame) -> None:
    assert climbed.by == "role"
    assert climbed.groups == ("teacher", "leader")
    assert climbed.sizes == (300, 300)
    assert set(climbed.holds) == set(LEVELS) == set(climbed.fits)
    assert climbed.rule == "fit"
    assert climbed.partial == ()
    assert climbed.converged is True


@pytest.fixture(
    scope="module", params=["ladder", "partial", "alignment", "consequences"], name="result"
)
def any_result(request: pytest.FixtureRequest, df: pd.DataFrame, climbed: Any) -> Any:
    made: dict[str, Callable[[], Any]] = {
        "ladder": lambda: climbed,
        "partial": lambda: partial(df, MODEL, "role"),
        "alignment": lambda: alignment(df, MODEL, "role", starts=2),
        "consequences": lambda: consequences(df, MODEL, "role", ["t3~1"]),
    }
    return made[request.param]()


def test_results_are_frozen_and_fresh(result: Any) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.notes = ()
    first = result.to_frame()
    for column in first.columns:
        first[column] = None
    assert not result.to_frame().isna().all().all()


def test_results_survive_copies_and_pickles(result: Any) -> None:
    for other in (copy.deepcopy(result), pickle.loads(pickle.dumps(result))):
        assert other.summary() == result.summary()
        pd.testing.assert_frame_equal(other.to_frame(), result.to_frame())


def test_text_html_and_pictures(result: Any) -> None:
    mpl = pytest.importorskip("matplotlib")
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    assert all(isinstance(note, str) and note for note in result.notes)
    assert all(note in result.summary() for note in result.notes)
    assert "nan" not in result.summary().lower().split()
    assert "<table" in result._repr_html_()
    _, ax = plt.subplots()
    assert result.plot(ax) is ax
    plt.close("all")


# The ladder against its parts


def test_levels_are_models_with_equalities(df: pd.DataFrame, climbed: Any) -> None:
    equal: list[list[str]] = [[], ["loadings"], ["loadings", "intercepts"]]
    equal.append([*equal[-1], "residuals"])
    table = climbed.to_frame()
    for row, (level, same) in enumerate(zip(LEVELS, equal, strict=True)):
        alone = cs.dimensionality.cfa(df, MODEL, group="role", equal=same)
        for name in ("chi2", "df", "p_value", "cfi", "rmsea", "srmr"):
            assert table[name][row] == pytest.approx(alone.fit[name], rel=1e-5, abs=1e-9)
        np.testing.assert_allclose(
            climbed.fits[level].estimates.estimate, alone.estimates.estimate, atol=1e-4
        )


def test_changes_are_differences_of_neighbours(climbed: Any) -> None:
    table = climbed.to_frame()
    for name in ("chi2", "df", "cfi", "rmsea"):
        np.testing.assert_allclose(table[f"delta_{name}"][1:], np.diff(table[name]))
    np.testing.assert_allclose(
        table.delta_p[1:], stats.chi2.sf(table.delta_chi2[1:], table.delta_df[1:]), rtol=1e-6
    )
    assert list(table.delta_df[1:]) == [4, 4, 5]


def test_degrees_of_freedom_of_ordered_levels(ordinal: Any) -> None:
    # 5 items of 4 categories, 2 groups: 15 equal thresholds less 5 intercepts and 5 variances,
    # 5 loadings less a factor variance, 5 intercepts less a factor mean, 5 residual variances.
    assert list(ordinal.to_frame().delta_df[1:]) == [5, 4, 4, 5]


@pytest.mark.parametrize(("options", "expected"), [(2, [0, 0, 3, 5]), (3, [0, 4, 4, 5])])
def test_few_categories_restrict_less(df: pd.DataFrame, options: int, expected: list[int]) -> None:
    result = ladder(likert(df, options), MODEL, "role", ordered=True)
    table = result.to_frame()
    assert list(table.delta_df[1:]) == expected
    same = table.chi2[[k + 1 for k, more in enumerate(expected) if more == 0]]
    np.testing.assert_allclose(same, table.chi2[0], rtol=1e-5)
    assert any("restrict nothing" in note for note in result.notes)


def test_what_differs_is_found(climbed: Any, fair: pd.DataFrame) -> None:
    assert climbed.highest == "metric"
    assert dict(climbed.holds) == {
        "configural": True,
        "metric": True,
        "scalar": False,
        "strict": False,
    }
    assert ladder(fair, MODEL, "role").highest == "strict"


def test_the_rule_is_the_one_that_is_stated(df: pd.DataFrame) -> None:
    for rule in ("fit", "test"):
        result = ladder(df, MODEL, "role", rule=rule)
        table = result.to_frame()
        if rule == "fit":
            step = table.delta_cfi.ge(-0.010) & table.delta_rmsea.le(0.015)
        else:
            step = table.delta_p.ge(0.05)
        assert list(table.step_holds[1:].astype(bool)) == list(step[1:])
        holds = [bool(result.holds[level]) for level in LEVELS]
        assert holds == list(np.logical_and.accumulate(np.r_[True, step[1:]]))
        assert result.rule == rule


def test_small_samples_have_stricter_cut_offs(fair: pd.DataFrame) -> None:
    small = ladder(fair.head(300), MODEL, "role")
    assert any(".005" in note and ".010" in note for note in small.notes)


def test_ordered_items_are_judged_by_the_test(ordinal: Any) -> None:
    assert ordinal.rule == "test"
    table = ordinal.to_frame()
    assert [bool(x) for x in table.step_holds[1:]] == list(table.delta_p[1:] >= 0.05)


def test_latent_means_are_differences_from_the_first_group(fair: pd.DataFrame) -> None:
    result = ladder(fair, MODEL, "role")
    row = result.latent_means.iloc[0]
    assert (row.factor, row.group, row.reference) == ("trust", "leader", "teacher")
    estimates = result.fits["scalar"].estimates
    factor = estimates[(estimates.lhs == "trust") & (estimates.group == 2)]
    mean = factor[factor.op == "~1"].iloc[0]
    assert row.difference == pytest.approx(mean.estimate, rel=1e-4)
    assert row.std_error == pytest.approx(mean.std_error, rel=1e-3)
    variances = estimates[(estimates.lhs == "trust") & (estimates.op == "~~")].estimate
    assert row.d_reference == pytest.approx(row.difference / np.sqrt(variances.iloc[0]), rel=1e-4)
    assert row.d_pooled == pytest.approx(row.difference / np.sqrt(variances.mean()), rel=1e-3)
    assert row.d_pooled == pytest.approx(0.5, abs=0.25)
    assert row.ci_low < row.difference < row.ci_high


def test_latent_means_need_equal_intercepts(fair: pd.DataFrame) -> None:
    result = ladder(fair, MODEL, "role", levels=["configural", "metric"])
    assert result.latent_means.empty


def test_partial_levels(df: pd.DataFrame, climbed: Any) -> None:
    freed = ladder(df, MODEL, "role", partial=["t3~1"])
    assert freed.partial == ("t3~1",)
    assert freed.to_frame().delta_df[2] == climbed.to_frame().delta_df[2] - 1
    assert freed.highest == "strict"
    assert any("in part" in note for note in freed.notes)


# What must not matter


def same_steps(one: Any, other: Any, rtol: float = 1e-5) -> None:
    names = ["chi2", "cfi", "rmsea", "srmr", "delta_chi2"]
    np.testing.assert_allclose(one.to_frame()[names], other.to_frame()[names], rtol=rtol, atol=1e-6)
    assert one.highest == other.highest


def test_order_of_rows_items_and_groups_does_not_matter(df: pd.DataFrame, climbed: Any) -> None:
    mixed = df.sample(frac=1, random_state=2)
    turned = ladder(mixed, "trust =~ t1 + t5 + t4 + t3 + t2", "role")
    same_steps(climbed, turned)
    second = df.sort_values("role")  # leaders first
    first = ladder(second, MODEL, "role")
    assert first.groups == ("leader", "teacher")
    same_steps(climbed, first)
    gaps = [one.latent_means.iloc[0] for one in (climbed, first)]
    assert gaps[0].d_pooled == pytest.approx(-gaps[1].d_pooled, rel=1e-3)


@pytest.mark.parametrize("estimator", ["ML", "MLR"])
def test_units_do_not_matter(df: pd.DataFrame, estimator: Any) -> None:
    units = [1e5, 1e-5, 1.0, 10.0, 0.3]
    scaled = df.assign(
        **{item: 7 + unit * df[item] for item, unit in zip(ITEMS, units, strict=True)}
    )
    same_steps(
        ladder(df, MODEL, "role", estimator=estimator),
        ladder(scaled, MODEL, "role", estimator=estimator),
        rtol=1e-4,
    )


def test_codes_of_ordered_answers_do_not_matter(answers: pd.DataFrame, ordinal: Any) -> None:
    coded = answers.assign(**{i: answers[i].map({1: 0, 2: 5, 3: 6, 4: 40}) for i in ITEMS})
    same_steps(ordinal, ladder(coded, MODEL, "role", ordered=True))


def test_every_engine_gives_the_same_numbers(
    df: pd.DataFrame, climbed: Any, engine: Engine
) -> None:
    same_steps(climbed, ladder(engine(df), MODEL, "role"), rtol=1e-6)


def test_every_engine_searches_and_aligns_alike(df: pd.DataFrame, engine: Engine) -> None:
    one, other = (partial(frame, MODEL, "role") for frame in (df, engine(df)))
    assert one.released == other.released
    options: dict[str, Any] = {"method": "fixed", "starts": 2}
    first, second = (alignment(frame, MODEL, "role", **options).means for frame in (df, engine(df)))
    np.testing.assert_allclose(first["mean"], second["mean"], atol=1e-6)


def test_full_information_of_complete_rows_changes_nothing(df: pd.DataFrame, climbed: Any) -> None:
    full = ladder(df, MODEL, "role", missing="fiml").to_frame()
    np.testing.assert_allclose(full.chi2, climbed.to_frame().chi2, rtol=1e-5)


@pytest.mark.parametrize(
    ("names", "groups"),
    [((7, 3), ("7", "3")), ((True, False), ("True", "False"))],
    ids=["numbers", "booleans"],
)
def test_labels_are_the_values_of_the_column(
    df: pd.DataFrame, climbed: Any, names: tuple[Any, Any], groups: tuple[str, str]
) -> None:
    role = df.role.map(dict(zip(("teacher", "leader"), names, strict=True)))
    result = ladder(df.assign(role=role), MODEL, "role")
    assert result.groups == groups
    same_steps(climbed, result)


def test_rows_without_a_group_are_counted(df: pd.DataFrame) -> None:
    result = ladder(df.assign(role=df.role.where(df.id > 20)), MODEL, "role")
    assert sum(result.sizes) == len(df) - 20
    assert any("20" in note and "role" in note for note in result.notes)


# Categories, waves, clusters, weights


def test_a_category_nobody_chose_in_one_group_is_joined(answers: pd.DataFrame) -> None:
    leaders = answers.role == "leader"
    rare = answers.assign(t2=answers.t2.mask(leaders & (answers.t2 == 1), 2))
    result = ladder(rare, MODEL, "role", ordered=True)
    assert any("t2" in note and "joined" in note for note in result.notes)
    by_hand = ladder(rare.assign(t2=rare.t2.clip(lower=2)), MODEL, "role", ordered=True)
    same_steps(result, by_hand)


def test_answers_at_the_ends_only_are_no_traceback(answers: pd.DataFrame) -> None:
    """A group that used only the first and last answer; steps of the search may not overflow."""
    leaders = answers.role == "leader"
    ends = answers.assign(
        **{i: answers[i].mask(leaders, np.where(answers[i] > 2, 4, 1)) for i in ("t1", "t2")}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollabSurveyWarning)
        result = ladder(ends, MODEL, "role", ordered=True)
    assert any("t1" in note and "joined" in note for note in result.notes)


def test_waves_of_the_same_people() -> None:
    long = panel()
    result = ladder(long, MODEL, "wave", repeated="person")
    assert result.groups == ("1", "2")
    assert any("260 people" in note for note in result.notes)
    assert result.highest == "strict"
    apart = ladder(long, MODEL, "wave")
    # The same gap, known better by what people have in common in both waves.
    gaps = [one.latent_means.iloc[0] for one in (result, apart)]
    assert gaps[0].d_pooled == pytest.approx(gaps[1].d_pooled, abs=0.1)
    assert gaps[0].std_error < 0.9 * gaps[1].std_error
    shuffled = long.sample(frac=1, random_state=1).sort_values("wave")
    same_steps(result, ladder(shuffled, MODEL, "wave", repeated="person"))


def test_waves_taken_as_groups_say_that_people_came_twice() -> None:
    responses = cs.from_frame(
        panel(), scales={"trust": ITEMS}, roles={"respondent": "person", "wave": "wave"}
    )
    result = ladder(responses, MODEL, "wave")
    assert any("repeated" in note for note in result.notes)
    assert not any("pooled" in note for note in result.notes), "waves are compared, not pooled"


def test_clusters_and_weights_are_said(df: pd.DataFrame) -> None:
    responses = cs.from_frame(
        df.assign(w=1 + df.id % 2),
        scales={"trust": ITEMS},
        roles={"cluster": "school", "weight": "w"},
    )
    result = ladder(responses, MODEL, "role", cluster="auto")
    assert any("eight" in note for note in result.notes)
    assert any("25 cluster" in note for note in result.notes)
    assert "chi2_scaled" in result.to_frame()


# The search


def test_search_finds_what_was_planted(df: pd.DataFrame) -> None:
    found = partial(df, MODEL, "role")
    assert found.released == ("t3~1",)
    assert found.items == ("t3",)
    assert found.holds
    assert set(found.same["trust"]) == set(ITEMS) - {"t3"}
    columns = ["level", "step", "parameter", "item", "statistic", "df", "p_value", "p_adjusted"]
    assert list(found.trace.columns[:10]) == [*columns, "change", "decision"]
    released = found.trace[found.trace.decision == "released"]
    assert list(released.parameter) == ["t3~1"]
    first = found.trace[found.trace.step == released.step.iloc[0]]
    assert released.statistic.iloc[0] == first.statistic.max()
    assert (found.trace.p_adjusted >= found.trace.p_value - 1e-12).all()
    models = ["level", "step", "released", "chi2", "df", "cfi", "rmsea", "srmr"]
    assert list(found.models.columns[:8]) == models
    # What was found goes where it is needed.
    equal = ["loadings", "intercepts"]
    again = cs.dimensionality.cfa(df, MODEL, group="role", equal=equal, partial=found.released)
    assert again.fit["chi2"] == pytest.approx(found.models.chi2.iloc[-1], rel=1e-5)
    assert ladder(df, MODEL, "role", partial=found.released).highest == "strict"


@pytest.mark.parametrize("rule", ["score", "wald", "difference"])
def test_every_rule_finds_it_and_nothing_where_nothing_is(
    df: pd.DataFrame, fair: pd.DataFrame, rule: Any
) -> None:
    assert partial(df, MODEL, "role", rule=rule).released == ("t3~1",)
    assert partial(fair, MODEL, "role", rule=rule).released == ()


def test_search_does_not_depend_on_order(df: pd.DataFrame) -> None:
    turned = df.sample(frac=1, random_state=5)
    result = partial(turned, "trust =~ t5 + t3 + t2 + t1 + t4", "role")
    assert result.released == ("t3~1",)


def test_search_has_its_limit(df: pd.DataFrame) -> None:
    more = df.assign(t5=df.t5 - 0.8 * (df.role == "leader"))
    assert set(partial(more, MODEL, "role").released) == {"t3~1", "t5~1"}
    result = partial(more, MODEL, "role", most=1)
    assert len(result.released) == 1
    assert not result.holds
    assert "limit" in set(result.trace.decision)


def test_fit_of_the_search_is_of_one_kind(answers: pd.DataFrame, ordinal: Any) -> None:
    """A CFI that is robust in one row and not in the next cannot be compared down the column."""
    found = partial(answers, MODEL, "role", ordered=True).models
    found = found[found.step == 0].set_index("level")
    table = ordinal.to_frame().set_index("level").loc[found.index]
    kinds = [name for name in ("cfi", "cfi_scaled", "cfi_robust") if name in table]
    matches = [np.allclose(found.cfi, table[kind], atol=1e-5, equal_nan=True) for kind in kinds]
    assert any(matches), found.cfi.to_dict()


# Alignment


def test_alignment_recovers_means_in_spite_of_bias() -> None:
    rng = np.random.default_rng(7)
    truth = np.array([0.0, 0.4, -0.3, 0.2, 0.6, -0.5])
    parts = []
    for place, mean in enumerate(truth):
        trust = mean + rng.normal(size=500)
        frame = {i: 3 + 0.8 * trust + 0.6 * rng.normal(size=500) for i in ITEMS}
        frame[ITEMS[place % 5]] += 0.8  # one item in each group is off
        parts.append(pd.DataFrame(frame).assign(group=f"g{place}"))
    data = pd.concat(parts, ignore_index=True)
    result = alignment(data, MODEL, "group", method="fixed", starts=3)
    columns = ["factor", "group", "n_respondents", "mean", "std_error", "ci_low", "ci_high"]
    assert list(result.means.columns[:7]) == columns
    assert list(result.means.group) == [f"g{k}" for k in range(6)]
    np.testing.assert_allclose(result.means["mean"], truth, atol=0.2)
    marked = result.parameters[~result.parameters.invariant.astype(bool)]
    planted = {(f"g{k}", ITEMS[k % 5]) for k in range(6)}
    found = set(zip(marked.group, marked.item, strict=True))
    assert len(found & planted) >= 5
    assert len(found - planted) <= 1
    mixed = alignment(
        data.sample(frac=1, random_state=1),
        MODEL,
        "group",
        method="fixed",
        reference="g0",
        starts=3,
    )
    again = mixed.means.set_index("group")["mean"].loc[list(result.means.group)]
    np.testing.assert_allclose(again, result.means["mean"], atol=1e-3)


# Consequences


def test_scale_differences_are_those_of_the_means(df: pd.DataFrame) -> None:
    result = consequences(df, MODEL, "role", ["t3~1"])
    table = result.differences.set_index("version")
    assert list(table.index) == ["scale", "scale_without", "latent", "latent_partial"]
    for version, items in (("scale", ITEMS), ("scale_without", [i for i in ITEMS if i != "t3"])):
        scores = df[items].mean(axis=1)
        means = scores.groupby(df.role).mean()
        gap = means["leader"] - means["teacher"]
        assert table.difference[version] == pytest.approx(gap)
        spread = np.sqrt(scores.groupby(df.role).var().mean())
        assert table.d[version] == pytest.approx(gap / spread, rel=2e-3)
        assert table.n_items[version] == len(items)
    assert table.d["latent_partial"] == pytest.approx(0.5, abs=0.25)
    assert table.d["latent"] > table.d["latent_partial"]
    bias = result.items.iloc[0]
    assert (bias["item"], bias["group"]) == ("t3", "leader")
    assert bias.bias == pytest.approx(0.9, abs=0.2)


def test_consequences_take_what_the_search_found(df: pd.DataFrame) -> None:
    one = consequences(df, MODEL, "role", partial(df, MODEL, "role"))
    other = consequences(df, MODEL, "role", ["t3~1"])
    np.testing.assert_allclose(one.differences.difference, other.differences.difference)


def test_slopes_within_groups_are_least_squares(df: pd.DataFrame) -> None:
    result = consequences(df, MODEL, "role", ["t3~1"], outcome="outcome")
    table = result.slopes.set_index(["kind", "version"])
    score = df[ITEMS].mean(axis=1)
    design = np.column_stack([np.ones(len(df)), df.role == "leader", score]).astype(float)
    slope = np.linalg.lstsq(design, df.outcome, rcond=None)[0][2]
    assert table.slope["within", "scale"] == pytest.approx(slope)
    pooled = np.polyfit(score, df.outcome, 1)[0]
    assert table.slope["pooled", "scale"] == pytest.approx(pooled)


# Errors


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"levels": ["weak"]}, "'metric'"),
        ({"levels": ["thresholds"]}, "'metric'"),
        ({"rule": "chen"}, "'fit', 'test'"),
        ({"conf_level": 2}, "between 0 and 1"),
        ({"estimator": "ULS"}, "ULS"),
        ({"missing": "fiml", "estimator": "MLM"}, "fiml"),
    ],
)
def test_refused_options_are_named(df: pd.DataFrame, options: dict[str, Any], words: str) -> None:
    with pytest.raises((OptionError, NotSupportedError), match=words):
        ladder(df, MODEL, "role", **options)


def test_columns_and_parameters_that_do_not_exist(df: pd.DataFrame) -> None:
    with pytest.raises(UnknownNameError, match="'rol'.*'role'"):
        ladder(df, MODEL, "rol")
    with pytest.raises(UnknownNameError, match="t9~1"):
        ladder(df, MODEL, "role", partial=["t9~1"])
    with pytest.raises(UnknownNameError, match="t9~1"):
        consequences(df, MODEL, "role", ["t9~1"])
    with pytest.raises(UnknownNameError, match="headteacher"):
        alignment(df, MODEL, "role", reference="headteacher")
    with pytest.raises(UnknownNameError, match="'outcom'.*'outcome'") as caught:
        consequences(df, MODEL, "role", ["t3~1"], outcome="outcom")
    assert "trust" not in str(caught.value), "a factor is no column to choose"
    with pytest.raises(OptionError, match="outcome"):
        consequences(df, MODEL, "role", ["t3~1"], outcome="t1")


def test_groups_that_cannot_be_compared(df: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="two groups"):
        ladder(df.assign(role="all"), MODEL, "role")
    with pytest.raises(DataError, match="cluster="):
        ladder(df, MODEL, "id")
    with pytest.raises(NoVarianceError, match=r"t2.*leader"):
        ladder(df.assign(t2=df.t2.where(df.role == "teacher", 3.0)), MODEL, "role")
    with pytest.raises(CollabSurveyError, match="few"):
        ladder(df.assign(role=np.where(df.id <= 3, "few", "many")), MODEL, "role")


@pytest.mark.parametrize("missing", ["listwise", "fiml"])
def test_a_group_too_small_for_the_model_is_named(df: pd.DataFrame, missing: Any) -> None:
    small = df.assign(role=np.where(df.id <= 5, "few", df.role))
    with pytest.raises(CollabSurveyError, match="few"):
        ladder(small, MODEL, "role", missing=missing)


def test_small_groups_are_said(df: pd.DataFrame) -> None:
    small = df.assign(role=np.where(df.id <= 10, "few", "many"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFitWarning)
        with pytest.warns(CollabSurveyWarning, match="'few' has 10"):
            result = ladder(small, MODEL, "role")
    assert any("few" in note and "10" in note for note in result.notes)


def test_there_must_be_something_measured(df: pd.DataFrame) -> None:
    """Regressions among observed variables have no measurement that could be the same."""
    with pytest.raises(CollabSurveyError, match="factor"):
        ladder(df, "outcome ~ t1 + t2", "role")


def test_what_is_not_computed_is_named(df: pd.DataFrame, answers: pd.DataFrame) -> None:
    two = f"level: 1\n{MODEL}\nlevel: 2\n{MODEL}"
    with pytest.raises(NotSupportedError, match="two levels"):
        ladder(df, two, "role", cluster="school")
    with pytest.raises(NotSupportedError, match="DWLS"):
        ladder(answers, MODEL, "role", ordered=True, estimator="DWLS")
    with pytest.raises(NotSupportedError, match=r"t2, t3, t4, t5|ordered"):
        ladder(answers, MODEL, "role", ordered=["t1"])
    with pytest.raises(NotSupportedError, match="t3"):
        alignment(df, "a =~ t1 + t2 + t3\nb =~ t3 + t4 + t5", "role")
    with pytest.raises(NotEnoughItemsError):
        consequences(df, "a =~ t1 + t2 + t3", "role", ["t2~1", "t3~1"])
    with pytest.raises(OptionError, match="'metric', 'scalar', 'strict'"):
        partial(df, MODEL, "role", level="means")
    with pytest.raises(OptionError, match="between 0 and 1"):
        partial(df, MODEL, "role", alpha=5)
