"""Intraclass correlations against the R packages multilevel and psych, and what must hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.errors import (
    NotEnoughDataError,
    NoVarianceError,
    OptionError,
    UnknownNameError,
    WeightsNotAppliedError,
)
from collabsurvey.multilevel import icc
from collabsurvey.responses import from_frame
from collabsurvey.scoring import score
from support import dataset, gold

Engine = Callable[[pd.DataFrame], Any]


RTOL = 1e-8  # closed forms; the stored values have 15 digits
GOLD = gold("07_multilevel_aggregation")
NAMES = {
    "n": "N",
    "n_clusters": "groups",
    "mean_size": "mean_size",
    "n0": "n0",
    "ms_between": "MSB",
    "ms_within": "MSW",
    "f_statistic": "F",
    "df1": "df1",
    "df2": "df2",
    "icc2": "ICC2",
}


@pytest.mark.parametrize("name", ["bh1996", "cohesion"])
def test_icc_matches_multilevel_and_psych(engine: Engine, name: str) -> None:
    values = GOLD[f"icc12_anova_{name}"]["values"]
    variables = [key for key in values if key != "psych_statsBy"]
    data = engine(dataset(name))
    n0 = icc(data, variables, "GRP").to_frame().set_index("variable")
    mean = icc(data, variables, "GRP", size="mean").to_frame().set_index("variable")
    for variable in variables:
        stored = values[variable]
        for ours, theirs in NAMES.items():
            assert_allclose(n0.loc[variable, ours], stored[theirs], rtol=RTOL, err_msg=ours)
        assert_allclose(n0.loc[variable, "icc1"], stored["ICC1_n0"], rtol=RTOL)
        row = mean.loc[variable]
        assert_allclose(row["icc1"], stored["ICC1_mean_size"], rtol=RTOL)
        assert_allclose(row["design_effect"], stored["design_effect_mean_size_ICC1"], rtol=RTOL)
        assert_allclose(n0.loc[variable, "p_value"], stored["p"], rtol=RTOL)
        statsby = values["psych_statsBy"]
        assert_allclose(row["icc1"], statsby["ICC1"][variable], rtol=RTOL)
        assert_allclose(row["icc2"], statsby["ICC2"][variable], rtol=RTOL)


def test_balanced_interval_is_that_of_psych() -> None:
    """Six subjects as clusters of four ratings (Shrout & Fleiss, 1979, table 2): ICC(1,1)."""
    ratings = pd.DataFrame(
        [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    )
    long = ratings.reset_index().melt(id_vars="index", var_name="judge", value_name="y")
    row = icc(long, "y", "index").to_frame().iloc[0]
    stored = gold("02_reliability")["icc_family_shrout_fleiss"]["values"]["aov"]
    single, average = stored[0], stored[3]
    limits = [single["lower bound"], single["upper bound"]]
    assert_allclose([row["icc1_low"], row["icc1_high"]], limits, rtol=RTOL)
    assert_allclose(row["icc1"], single["ICC"], rtol=RTOL)
    assert_allclose(row["icc2"], average["ICC"], rtol=RTOL)
    assert_allclose(row["p_value"], single["p"], rtol=RTOL)


def clusters(sizes: list[int], icc1: float, seed: int) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(sizes)), sizes)
    between = np.sqrt(icc1) * generator.standard_normal(len(sizes))
    y = between[group] + np.sqrt(1 - icc1) * generator.standard_normal(len(group))
    return pd.DataFrame({"y": y, "school": group})


@pytest.mark.slow
def test_intervals_cover_the_truth_with_unequal_sizes() -> None:
    sizes = [4, 8, 12, 20, 30, 40] * 2
    hits = 0
    for seed in range(400):
        row = icc(clusters(sizes, 0.15, seed), "y", "school").to_frame().iloc[0]
        hits += row["icc1_low"] <= 0.15 <= row["icc1_high"]
    assert 368 <= hits <= 394  # 95 % of 400, within three binomial standard errors


@given(shift=st.floats(-100, 100), unit=st.floats(0.1, 10), seed=st.integers(0, 20))
def test_nothing_depends_on_unit_or_order(shift: float, unit: float, seed: int) -> None:
    frame = clusters([3, 5, 8, 2], 0.3, seed)
    first = icc(frame, "y", "school").to_frame()
    turned = frame.assign(y=shift + unit * frame["y"]).sample(frac=1, random_state=seed)
    again = icc(turned, "y", "school").to_frame()
    for name in ("icc1", "icc1_low", "icc1_high", "icc2", "p_value"):
        assert_allclose(again[name], first[name], rtol=1e-7, atol=1e-9)


def test_a_negative_icc_is_reported_and_explained() -> None:
    frame = pd.DataFrame({"y": [1.0, 5, 1, 5, 1, 5], "school": [1, 1, 2, 2, 3, 3]})
    result = icc(frame, "y", "school")
    assert_allclose(result.to_frame()["icc1"], -1)  # no variance between: -1 / (n - 1)
    sentence = "no more alike within a group of school than by chance: y"
    assert any(sentence in note for note in result.notes)


def test_no_variance_within_is_one_and_said() -> None:
    frame = pd.DataFrame({"y": [1.0, 1, 5, 5], "school": [1, 1, 2, 2]})
    result = icc(frame, "y", "school")
    row = result.to_frame().iloc[0]
    assert (row["icc1"], row["icc1_low"], row["icc1_high"], row["p_value"]) == (1, 1, 1, 0)
    assert any("No variance within groups of school" in note for note in result.notes)


def scored(**roles: str) -> object:
    frame = clusters([10, 12, 14], 0.3, 1)
    frame["b"] = frame["y"] + np.random.default_rng(2).standard_normal(36)
    frame["w"] = 2.0
    responses = from_frame(
        frame, scales={"s": ["y", "b"], "t": ["b"]}, roles={"cluster": "school", **roles}
    )
    return score(responses)


def test_scores_bring_their_scales_and_roles() -> None:
    result = icc(scored())
    assert result.to_frame()["variable"].tolist() == ["s", "t"]
    assert result.cluster == "school"
    with pytest.raises(WeightsNotAppliedError, match=r"multilevel\.icc cannot apply the weight"):
        icc(scored(weight="w"))


def test_rows_without_a_school_are_counted() -> None:
    frame = clusters([3, 4, 5], 0.2, 1)
    frame["school"] = frame["school"].where(frame.index > 0).astype("Int64")
    result = icc(frame, "y", "school")
    assert result.to_frame()["n"].tolist() == [11]
    assert any(note == "Rows without school, left out: 1." for note in result.notes)


def test_a_person_who_answered_twice_counts_once() -> None:
    first = clusters([6, 7, 8], 0.3, 1).assign(person=range(21), wave=1)
    second = first.assign(wave=2, y=first["y"] + np.tile([0.5, -0.5, 0.0], 7))
    frame = pd.concat([first, second])
    roles = {"respondent": "person", "wave": "wave", "cluster": "school"}
    responses = from_frame(frame, scales={"s": ["y"]}, roles=roles)
    result = icc(score(responses))
    people = frame.groupby(["school", "person"], as_index=False)["y"].mean()
    for name in ("icc1", "icc1_low", "p_value", "n"):
        expected = icc(people, "y", "school").to_frame()[name]
        assert_allclose(result.to_frame()[name], expected, rtol=1e-10)
    assert any("each counts once" in note for note in result.notes)


@pytest.mark.parametrize(
    ("values", "school", "error", "sentence"),
    [
        ([1, 2, 3], [1, 1, 1], NotEnoughDataError, "different values of 'school' with answers"),
        ([1, 2, 3], [1, 2, 3], NotEnoughDataError, "at least 2 answers in some 'school'"),
        ([2, 2, 2, 2], [1, 1, 2, 2], NoVarianceError, "column 'y' has the same value"),
    ],
)
def test_what_has_no_icc_is_refused(
    values: list[float], school: list[int], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        icc(pd.DataFrame({"y": values, "school": school}), "y", "school")


def test_options_and_names_are_checked() -> None:
    frame = clusters([3, 4], 0.2, 1)
    with pytest.raises(OptionError, match="method='ml'"):
        icc(frame, "y", "school", method="ml")
    with pytest.raises(OptionError, match="size='harmonic'"):
        icc(frame, "y", "school", size="harmonic")
    with pytest.raises(UnknownNameError, match="Did you mean 'school'?"):
        icc(frame, "y", "schol")
    with pytest.raises(UnknownNameError, match="has no column or role 'x'"):
        icc(frame, "x", "school")


def test_summary_and_chart() -> None:
    result = icc(dataset("bh1996"), ["HRS", "LEAD"], "GRP")
    assert result.summary() == (
        "Intraclass correlations by GRP (95% intervals)\n"
        "\n"
        "variable   icc1  icc1 low  icc1 high   icc2      F  df1   df2       p  mean size  "
        "clusters     n  design effect\n"
        "--------  -----  --------  ---------  -----  -----  ---  ----  ------  ---------  "
        "--------  ----  -------------\n"
        "HRS       0.133     0.103      0.176  0.920  12.45   98  7283  < .001       74.6        "
        "99  7382          10.82\n"
        "LEAD      0.127     0.098      0.168  0.916  11.85   98  7283  < .001       74.6        "
        "99  7382          10.37\n"
        "\n"
        "Note. ICC(1): share of the variance of one person's score that lies between groups of "
        "GRP. ICC(2): reliability of the mean of a group of mean size.\n"
        "Note. Group size in ICC(1): n0 of the analysis of variance."
    )
    assert "LEAD" in result.chart().to_svg()
