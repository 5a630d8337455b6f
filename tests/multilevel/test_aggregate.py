"""Group means by hand, on every engine; shrinkage; response rates; bad input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from collabsurvey.errors import (
    DataError,
    OptionError,
    UnknownNameError,
    WeightsNotAppliedError,
)
from collabsurvey.multilevel import aggregate, icc
from collabsurvey.responses import Responses, from_frame
from collabsurvey.scoring import score
from support import dataset

Engine = Callable[[pd.DataFrame], Any]


def as_is(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


def staff() -> pd.DataFrame:
    """Twelve schools of 2 to 13 staff in three partnerships; some scores missing."""
    generator = np.random.default_rng(4)
    school = np.repeat(np.arange(12), np.arange(2, 14))
    y = generator.standard_normal(12)[school] + generator.standard_normal(len(school)) + 3
    frame = pd.DataFrame({"school": school, "group": np.array(["N", "S", "W"])[school % 3]})
    frame["y"] = np.where(generator.random(len(school)) < 0.1, np.nan, y)
    frame["z"] = generator.standard_normal(len(school))
    return frame.sample(frac=1, random_state=1)


def test_school_means_have_t_intervals(engine: Engine) -> None:
    result = aggregate(engine(staff()), "school", scales=["y"])
    frame = result.to_frame().set_index("school")
    for school, values in staff().dropna(subset="y").groupby("school")["y"]:
        row = frame.loc[school]
        assert row["n"] == row["n_units"] == len(values)
        assert_allclose(row["mean"], values.mean(), rtol=1e-12)
        assert_allclose(row["sd"], values.std(), rtol=1e-10)
        interval = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
        assert_allclose([row["ci_low"], row["ci_high"]], interval, rtol=1e-10)
        assert row["below_min_n"] == (len(values) < 10)


def test_a_partnership_is_the_mean_of_its_schools(engine: Engine) -> None:
    result = aggregate(engine(staff()), "group", through="school", scales=["y"])
    frame = result.to_frame().set_index("group")
    means = staff().groupby(["group", "school"])["y"].mean()
    for group, values in means.groupby("group"):
        row = frame.loc[group]
        assert (row["n_units"], row["df"]) == (4, 3)
        assert row["n"] == staff().query("group == @group")["y"].notna().sum()
        interval = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
        assert_allclose(row["mean"], values.mean(), rtol=1e-12)
        assert_allclose([row["ci_low"], row["ci_high"]], interval, rtol=1e-10)
    assert any("every school counting once" in note for note in result.notes)
    assert any("the number of schools less one" in note for note in result.notes)


def test_groups_are_in_order_and_as_they_were_in_the_data() -> None:
    frame = aggregate(staff(), "school").to_frame()
    assert frame["school"].tolist() == [g for g in range(12) for _ in range(2)]
    assert frame["scale"].tolist()[:3] == ["y", "z", "y"]
    assert frame.columns.tolist() == [
        "school",
        "scale",
        "n",
        "n_units",
        "n_eligible",
        "response_rate",
        "mean",
        "sd",
        "se",
        "df",
        "ci_low",
        "ci_high",
        "shrunken_mean",
        "reliability",
        "below_min_n",
    ]


def test_reliability_is_spearman_and_brown_of_the_icc() -> None:
    frame = aggregate(staff(), "school", scales=["y"]).to_frame()
    icc1 = icc(staff(), "y", "school").to_frame().loc[0, "icc1"]
    n = frame["n"]
    assert_allclose(frame["reliability"], n * icc1 / (1 + (n - 1) * icc1), rtol=1e-10)


def test_shrunken_means_are_nearer_to_the_truth() -> None:
    generator = np.random.default_rng(8)
    truth = generator.normal(3, 0.4, 300)
    school = np.repeat(np.arange(300), 5)
    frame = pd.DataFrame({"school": school, "y": truth[school] + generator.standard_normal(1500)})
    result = aggregate(frame, "school").to_frame()
    own = np.mean((result["mean"] - truth) ** 2)
    shrunken = np.mean((result["shrunken_mean"] - truth) ** 2)
    # In theory the error falls by the reliability, .16 / (.16 + 1 / 5) = .44.
    assert_allclose(shrunken / own, 0.44, atol=0.08)


def test_shrunken_means_are_those_of_a_mixed_model() -> None:
    statsmodels = pytest.importorskip("statsmodels.formula.api")
    generator = np.random.default_rng(9)
    school = np.repeat(np.arange(15), 8)  # with equal sizes, REML is the analysis of variance
    y = generator.standard_normal(15)[school] + generator.standard_normal(120)
    frame = pd.DataFrame({"school": school, "y": y})
    model = statsmodels.mixedlm("y ~ 1", frame, groups="school").fit(reml=True)
    blup = [
        model.fe_params["Intercept"] + effect.iloc[0] for effect in model.random_effects.values()
    ]
    found = aggregate(frame, "school").to_frame()
    assert_allclose(found["shrunken_mean"], blup, rtol=1e-4)  # an iterated estimate


def test_groups_that_do_not_differ_have_no_reliability() -> None:
    frame = pd.DataFrame({"y": [1.0, 5, 1, 5, 1, 5], "school": [1, 1, 2, 2, 3, 3]})
    result = aggregate(frame, "school")
    assert_allclose(result.to_frame()["reliability"], 0)
    assert_allclose(result.to_frame()["shrunken_mean"], 3)
    assert any("differ no more than chance" in note for note in result.notes)


def test_what_has_no_error_is_missing_and_named() -> None:
    frame = pd.DataFrame({"y": [1.0, 2, 4, 4, np.nan], "school": ["a", "b", "b", "b", "c"]})
    result = aggregate(frame, "school")
    found = result.to_frame().set_index("school")
    assert found["se"].isna().tolist() == [True, False, True]
    assert found["mean"].isna().tolist() == [False, False, True]
    assert any("Only one respondent, so no standard error: a." in note for note in result.notes)
    assert any("Nobody with a score, so no mean: c." in note for note in result.notes)


def test_one_group_has_no_shrinkage_and_says_so() -> None:
    result = aggregate(pd.DataFrame({"y": [1.0, 2, 4], "school": ["a"] * 3}), "school")
    assert result.to_frame()["shrunken_mean"].isna().all()
    assert any("need two groups" in note for note in result.notes)


def test_an_interval_without_width_is_noted() -> None:
    frame = pd.DataFrame({"y": [3.0, 3, 1, 2], "school": ["a", "a", "b", "b"]})
    assert any("without width" in n and n.endswith("a.") for n in aggregate(frame, "school").notes)


ELIGIBLE = {0: 4, 1: 3, 2: 2, 99: 7}


@pytest.mark.parametrize(
    "eligible",
    [
        ELIGIBLE,
        pd.Series(ELIGIBLE),
        pd.DataFrame({"school": list(ELIGIBLE), "staff": list(ELIGIBLE.values())}),
        pl.DataFrame({"school": list(ELIGIBLE), "staff": list(ELIGIBLE.values())}),
    ],
)
def test_response_rates(eligible: object) -> None:
    result = aggregate(staff(), "school", eligible=eligible, scales=["z"])
    frame = result.to_frame().set_index("school")
    assert frame.index.tolist() == [*range(12), 99]
    assert_allclose(frame.loc[[0, 1], "response_rate"], [0.5, 1])
    assert frame.loc[99, "n"] == 0
    assert frame.loc[99, ["mean", "shrunken_mean"]].isna().all()
    assert frame.loc[3:11, "response_rate"].isna().all()
    assert any("Eligible, but nobody answered: 99." in note for note in result.notes)
    assert any("More respondents than eligible people" in n and "2" in n for n in result.notes)
    assert any("No eligible number, so no response rate: 3" in note for note in result.notes)


@pytest.mark.parametrize(
    ("eligible", "sentence"),
    [
        ({0: -1}, "no count, or a negative one, for 0"),
        ({"abc": 3}, "eligible has groups abc, but 'school' holds numbers"),
        ({(1, 2): 3}, "not made of school: 1 · 2"),
        (pd.DataFrame({"school": [1, 1], "n": [2, 3]}), "names a group twice: 1"),
        (pd.DataFrame({"school": [1], "n": [2], "m": [3]}), "one column of counts; it has n, m"),
    ],
)
def test_wrong_eligible_numbers_are_refused(eligible: object, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        aggregate(staff(), "school", eligible=eligible)


@pytest.mark.parametrize("kind", [as_is, pl.from_pandas])
def test_columns_that_are_no_counts_are_passed_over(kind: Engine) -> None:
    table = pd.DataFrame(
        {"school": ["x", "y"], "wave": [1, 1], "staff": [4, 5], "synthetic": [True, True]}
    )
    result = aggregate(score(answers()), "cluster", eligible=kind(table))
    assert result.to_frame()["n_eligible"].tolist() == [4, 5]
    both = pd.concat([table, table.assign(wave=2, staff=9)])
    crossed = aggregate(score(answers()), ["cluster", "wave"], eligible=kind(both))
    assert crossed.to_frame()["n_eligible"].tolist() == [4, 9, 5, 9]
    with pytest.raises(DataError, match=r"twice: x, y.*keep one wave.*\['staff'\]\.sum\(\)"):
        aggregate(score(answers()), "cluster", eligible=kind(both))
    with pytest.raises(DataError, match="one column of counts; it has none"):
        aggregate(score(answers()), "cluster", eligible=kind(table[["school", "synthetic"]]))


def answers(engine: Engine = as_is, **roles: str) -> Responses:
    """Two waves of the same people, two of whom come twice."""
    frame = pd.DataFrame(
        {
            "person": ["a", "b", "c", "d", "a", "c"],
            "wave": [1, 1, 1, 1, 2, 2],
            "school": ["x", "x", "y", "y", "x", "y"],
            "i": [1.0, 2, 3, 4, 3, 5],
            "j": [2.0, 2, 4, 4, 4, 5],
            "w": [1.0] * 6,
        }
    )
    return from_frame(
        engine(frame),
        scales={"s": ["i", "j"]},
        response_range=(1, 5),
        roles={"respondent": "person", "wave": "wave", "cluster": "school", **roles},
    )


def test_a_person_who_answered_twice_counts_once(engine: Engine) -> None:
    result = aggregate(score(answers(engine)), "cluster")
    frame = result.to_frame()
    assert frame["school"].tolist() == ["x", "y"]
    assert frame["n"].tolist() == [2, 2]
    assert_allclose(frame["mean"], [(2.5 + 2) / 2, (4.25 + 4) / 2])  # a: 1.5 and 3.5; b: 2
    assert any("each counts once" in note for note in result.notes)


def test_roles_may_be_crossed() -> None:
    result = aggregate(score(answers()), ["cluster", "wave"])
    assert not any("several times" in note for note in result.notes)  # once in each wave
    frame = result.to_frame()
    assert frame[["school", "wave", "n"]].to_numpy().tolist() == [
        ["x", 1, 2],
        ["x", 2, 1],
        ["y", 1, 2],
        ["y", 2, 1],
    ]


def test_names_options_and_weights_are_checked() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'school'?"):
        aggregate(staff(), "scool")
    with pytest.raises(DataError, match="The role 'partnership' is not set"):
        aggregate(score(answers()), "partnership")
    with pytest.raises(OptionError, match="through='school'"):
        aggregate(staff(), "school", through="school")
    with pytest.raises(OptionError, match="min_n=0"):
        aggregate(staff(), "school", min_n=0)
    with pytest.raises(DataError, match="no numeric column besides its keys"):
        aggregate(staff()[["school"]], "school")
    with pytest.raises(WeightsNotAppliedError, match=r"multilevel\.aggregate"):
        aggregate(score(answers(weight="w")), "cluster")


def test_summary_and_chart() -> None:
    result = aggregate(dataset("cohesion"), "GRP", scales=["COH01"], min_n=3)
    assert result.summary() == (
        "Means by GRP (95% intervals)\n"
        "\n"
        "GRP       scale  n  mean    sd  ci low  ci high  shrunken mean  reliability  below 3\n"
        "--------  -----  -  ----  ----  ------  -------  -------------  -----------  -------\n"
        "1044B1ST  COH01  3  3.00  1.00    0.52     5.48           2.88         0.35  no\n"
        "1044B2ND  COH01  3  3.33  0.58    1.90     4.77           3.00         0.35  no\n"
        "1044C1ST  COH01  2  3.00  0.00    3.00     3.00           2.87         0.26  yes\n"
        "1044C2ND  COH01  3  2.00  1.00   −0.48     4.48           2.54         0.35  no\n"
        "\n"
        "Note. Mean of the respondents of each GRP; t interval on respondents less one.\n"
        "Note. Every respondent the same, so an interval without width that says nothing about "
        "others: 1044C1ST.\n"
        "Note. Fewer than 3 respondents, not to be published: the GRP 1044C1ST."
    )
    assert "1044B2ND" in result.chart().to_svg()
    with pytest.raises(UnknownNameError, match="has no scale 'COH9'"):
        result.chart("COH9")
