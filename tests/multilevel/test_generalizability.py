"""Generalizability and decision studies: published numbers, REML against ANOVA, plans."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.errors import (
    DataError,
    NotEnoughDataError,
    NoVarianceError,
    OptionError,
    UnknownNameError,
)
from collabsurvey.multilevel.decision import decision, range_sentence
from collabsurvey.multilevel.generalizability import generalizability, respondents_in_clusters
from collabsurvey.multilevel.icc import icc
from collabsurvey.multilevel.waba import waba
from collabsurvey.multilevel.wording import counted, several
from collabsurvey.responses import Responses, from_frame
from support import dataset, gold

RTOL = 1e-8


def ratings() -> pd.DataFrame:
    return dataset("shrout_fleiss").melt(id_vars="subject", var_name="judge", value_name="y")


def test_one_facet_gives_the_iccs_of_shrout_and_fleiss() -> None:
    """Relative is ICC(3,k) and absolute ICC(2,k), of one judge and of four."""
    stored = gold("02_reliability")["icc_family_shrout_fleiss"]["values"]["aov"]
    known = {row["type"]: row["ICC"] for row in stored}
    result = generalizability(ratings(), "y", "subject", "judge")
    assert result.method == "anova"
    assert_allclose(result.generalizability, known["ICC3k"], rtol=RTOL)
    assert_allclose(result.dependability, known["ICC2k"], rtol=RTOL)
    assert_allclose(result.coefficient({"judge": 1}), known["ICC3"], rtol=RTOL)
    assert_allclose(result.coefficient({"judge": 1}, absolute=True), known["ICC2"], rtol=RTOL)


def design(seed: int, shape: tuple[int, int, int] = (20, 3, 4)) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    draw = generator.standard_normal
    p, t, i = shape
    y = draw((p, 1, 1)) + 0.7 * draw((p, t, 1)) + 0.6 * draw((p, 1, i)) + 2 * draw((1, t, 1))
    y = y + 2 * draw((1, 1, i)) + 0.7 * draw((1, t, i)) + draw(shape)
    place = np.indices(shape).reshape(3, -1)
    return pd.DataFrame(dict(zip("pti", place, strict=True)) | {"y": y.ravel()})


@settings(max_examples=15)
@given(seed=st.integers(0, 200))
def test_reml_is_the_analysis_of_variance_where_nothing_is_negative(seed: int) -> None:
    frame = design(seed)
    anova = generalizability(frame, "y", "p", ["t", "i"]).to_frame()
    reml = generalizability(frame, "y", "p", ["t", "i"], method="reml").to_frame()
    assert anova["source"].tolist() == reml["source"].tolist()
    if (anova["estimate"] > 1e-3).all():
        assert_allclose(reml["variance"], anova["variance"], rtol=1e-4)


def test_sums_of_squares_add_up() -> None:
    frame = design(1)
    table = generalizability(frame, "y", "p", ["t", "i"]).to_frame()
    total = ((frame["y"] - frame["y"].mean()) ** 2).sum()
    assert_allclose((table["df"] * table["ms"]).sum(), total, rtol=1e-10)
    assert table["df"].sum() == len(frame) - 1


def test_components_are_recovered_from_incomplete_cells() -> None:
    frame = design(5, (150, 5, 5)).sample(frac=0.7, random_state=1)
    result = generalizability(frame, "y", "p", ["t", "i"])
    assert result.method == "reml"
    assert result.converged
    found = result.to_frame().set_index("source")["variance"]
    truth = {"p": 1.0, "p × t": 0.49, "p × i": 0.36, "residual": 1.0}
    assert_allclose([found[name] for name in truth], list(truth.values()), rtol=0.25)


def test_a_fixed_facet_is_no_error() -> None:
    frame = design(2)
    random = generalizability(frame, "y", "p", ["t", "i"])
    fixed = generalizability(frame, "y", "p", ["t", "i"], fixed=["i"])
    v = fixed.to_frame().set_index("source")["variance"]
    true = v["p"] + v["p × i"] / 4
    assert_allclose(fixed.generalizability, true / (true + v["p × t"] / 3 + v["residual"] / 12))
    assert fixed.generalizability > random.generalizability > random.dependability
    assert "Fixed: i." in fixed.notes
    assert "relative" in fixed.summary()
    assert "share of variance" in fixed.chart().to_svg()


def test_negative_components_are_cut_off_and_said() -> None:
    frame = pd.DataFrame({"p": [1, 1, 2, 2], "r": [1, 2, 1, 2], "y": [1.0, 5, 5, 1]})
    result = generalizability(frame, "y", "p", "r")
    assert (result.to_frame()["estimate"] < 0).sum() == 2
    assert (result.to_frame()["variance"] >= 0).all()
    assert any(note.startswith("Negative, set to 0: p, r") for note in result.notes)
    assert result.generalizability == 0
    assert any("no number of r reaches" in note for note in decision(result).notes)


def test_smallest_number_reaches_the_target_and_one_less_does_not() -> None:
    result = generalizability(design(3), "y", "p", ["t", "i"])
    for facet, other in (("t", "i"), ("i", "t")):
        for absolute in (False, True):
            limit = decision(result, facet=facet, absolute=absolute).needed_frame["limit"].iloc[0]
            target = 0.9 * limit
            plan = decision(result, facet=facet, target=target, absolute=absolute)
            n = plan.n_needed
            assert n is not None
            sizes = {other: result.sizes[other]}
            assert result.coefficient({facet: n} | sizes, absolute=absolute) >= target - 1e-9
            if n > 1:
                assert result.coefficient({facet: n - 1} | sizes, absolute=absolute) < target
            row = plan.to_frame().set_index("n").loc[10, "reliability"]
            assert_allclose(row, result.coefficient({facet: 10} | sizes, absolute=absolute))
    unreachable = decision(result, facet="t", target=0.99)
    assert unreachable.n_needed is None
    assert unreachable.needed_frame["n"].isna().all()
    assert any("infinitely many would reach" in note for note in unreachable.notes)


def schools() -> Responses:
    return from_frame(
        dataset("bhr2000"),
        scales={"s": ["AF06", "AF07", "AP12", "AS14", "AS16", "AS28"], "one": ["AF06"]},
        response_range=(1, 5),
        roles={"cluster": "GRP"},
    )


def test_respondents_per_school_for_seventy() -> None:
    """With the questionnaire fixed, the plan is the ICC(1) of the score, stepped up."""
    responses = schools()
    plan = decision(responses, "s", "cluster")
    frame = dataset("bhr2000")
    frame["score"] = frame[["AF06", "AF07", "AP12", "AS14", "AS16", "AS28"]].mean(axis=1)
    scored = icc(frame, "score", "GRP", method="reml")
    again = decision(scored)
    columns = ["n", "reliability", "ci_low", "ci_high"]
    assert_allclose(plan.to_frame()[columns], again.to_frame()[columns], rtol=1e-8)
    row = scored.to_frame().iloc[0]
    ratio = row["icc1"] / (1 - row["icc1"])
    assert plan.n_needed == int(np.ceil(0.7 / 0.3 / ratio))
    needed = plan.needed_frame.iloc[0]
    assert needed["n_at_ci_high"] <= needed["n"] <= needed["n_at_ci_low"]
    assert f"for 0.70: GRP on s: {plan.n_needed}" in plan.summary()
    assert "reliability of the mean" in plan.chart().to_svg()


def test_random_items_cost_more_respondents() -> None:
    responses = schools()
    fixed = decision(responses, "s")
    random = decision(responses, "s", fixed_items=False)
    assert "ci_low" not in random.to_frame()
    assert (random.to_frame()["reliability"] < fixed.to_frame()["reliability"]).all()
    assert random.needed_frame["limit"].iloc[0] < 1
    single = decision(responses, "one")
    assert single.n_needed is not None
    assert single.n_needed > (fixed.n_needed or 0)


def test_components_of_respondents_in_schools_are_recovered() -> None:
    generator = np.random.default_rng(1)
    draw = generator.standard_normal
    n, g, k = 20, 1000, 5
    school = np.repeat(np.arange(g), n)
    y = 0.5 * draw(g)[school][:, None] + 0.4 * draw((g, k))[school] + 0.8 * draw((n * g, 1))
    y = y + 0.6 * draw(k) + draw((n * g, k))
    items = list("abcde")
    frame = pd.DataFrame(y, columns=items).assign(school=school)
    responses = from_frame(frame, scales={"s": items}, roles={"cluster": "school"})
    result = respondents_in_clusters(responses, "s", "auto", fixed_items=False, conf_level=0.95)
    found = result.to_frame().set_index("source")["variance"]
    truth = {"school": 0.25, "school × item": 0.16, "respondent": 0.64, "residual": 1.0}
    assert_allclose([found[name] for name in truth], list(truth.values()), rtol=0.15)
    # Balanced: the analysis of variance of the three-way layout has the same components.
    cells = frame.melt(id_vars="school", var_name="item", value_name="y")
    means = cells.groupby(["school", "item"], as_index=False)["y"].mean()
    crossed = generalizability(means, "y", "school", "item").to_frame().set_index("source")
    assert_allclose(
        found["school"] + found["respondent"] / n, crossed.loc["school", "variance"], rtol=1e-6
    )
    assert_allclose(found["item"], crossed.loc["item", "variance"], rtol=1e-6)


def test_bad_input_is_refused() -> None:
    frame = ratings()
    with pytest.raises(DataError, match="several rows for one judge"):
        generalizability(pd.concat([frame, frame.head(2)]), "y", "subject", "judge")
    with pytest.raises(NotEnoughDataError, match="different values of 'judge'"):
        generalizability(frame[frame["judge"] == "J1"], "y", "subject", "judge")
    with pytest.raises(NoVarianceError, match="column 'y'"):
        generalizability(frame.assign(y=1.0), "y", "subject", "judge")
    with pytest.raises(OptionError, match="facets="):
        generalizability(frame, "y", "subject", [])
    with pytest.raises(OptionError, match="facets="):
        generalizability(frame, "y", "subject", "subject")
    with pytest.raises(OptionError, match="fixed="):
        generalizability(frame, "y", "subject", "judge", fixed=["judge"])
    with pytest.raises(OptionError, match="method='ml'"):
        generalizability(frame, "y", "subject", "judge", method="ml")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="needs a value in every cell"):
        generalizability(frame.iloc[1:], "y", "subject", "judge", method="anova")
    with pytest.raises(UnknownNameError, match="'judges'"):
        generalizability(frame, "y", "subject", "judges")
    with pytest.raises(UnknownNameError, match="no facet 'subject'"):
        generalizability(frame, "y", "subject", "judge", fixed=["subject"])
    with pytest.raises(DataError, match="holds text"):
        generalizability(frame.assign(y="a"), "y", "subject", "judge")


def test_bad_plans_are_refused() -> None:
    result = generalizability(ratings(), "y", "subject", "judge")
    with pytest.raises(OptionError, match="target=70"):
        decision(result, target=70)
    with pytest.raises(OptionError, match="counts="):
        decision(result, counts=[0, 1])
    with pytest.raises(UnknownNameError, match="random facet 'item'"):
        decision(result, facet="item")
    with pytest.raises(DataError, match="not a DataFrame"):
        decision(ratings())
    with pytest.raises(OptionError, match="items=None"):
        decision(schools())
    with pytest.raises(OptionError, match="facet='judge'"):
        decision(icc(ratings(), "y", "subject"), facet="judge")


def test_a_plan_says_which_rows_and_which_estimator_it_rests_on() -> None:
    frame = dataset("bhr2000")
    items = ["AF06", "AF07", "AP12", "AS14", "AS16", "AS28"]
    frame.loc[:99, "AF06"] = np.nan
    responses = from_frame(
        frame, scales={"s": items}, response_range=(1, 5), roles={"cluster": "GRP"}
    )
    text = " ".join(decision(responses, "s").notes)
    assert f"{len(frame) - 100} of {len(frame)} rows (the complete ones)" in text
    assert "REML of the scores" in text
    assert "may need another number" in text
    scores = frame[["GRP"]].assign(s=frame[items].mean(axis=1))
    for method, name in (("anova", "analysis of variance"), ("reml", "REML")):
        note = decision(icc(scores, "s", "GRP", method=method)).notes[0]  # type: ignore[arg-type]
        assert f"({name})" in note
        assert f"{len(frame):,} for s" in note


def test_a_plan_says_that_waves_are_pooled() -> None:
    frame = pd.concat([dataset("bhr2000").assign(who=range(5400), wave=wave) for wave in (1, 2)])
    responses = from_frame(
        frame,
        scales={"s": ["AF06", "AF07"]},
        response_range=(1, 5),
        roles={"cluster": "GRP", "respondent": "who", "wave": "wave"},
    )
    sentence = "10800 rows of 5400 people: rows of each wave are pooled here."
    assert sentence in decision(responses, "s").notes
    assert sentence in waba(responses, "AF06", "AF07").notes


@pytest.mark.parametrize(
    ("fewest", "most", "words"),
    [
        (3, 9, "between 3 and 9 items for 0.70 within the interval."),
        (3, None, "at the upper limit of the interval, 3 items reach 0.70; at the lower limit no"),
        (None, None, "no number of items reaches 0.70 anywhere in the interval."),
    ],
)
def test_numbers_at_the_limits_in_words(fewest: int | None, most: int | None, words: str) -> None:
    said = range_sentence(fewest, most, facet="items", goal="0.70", interval="the interval")
    assert said.startswith(words)


def test_facets_are_counted_in_words() -> None:
    frame = design(2).rename(columns={"t": "wave", "i": "IT"})
    assert "(3 waves, 4 IT)" in generalizability(frame, "y", "p", ["wave", "IT"]).summary()
    asked = generalizability(frame, "y", "p", ["wave", "IT"], method="reml")
    assert asked.notes[0] == "Variance components by REML, as asked."
    gaps = generalizability(frame.iloc[1:], "y", "p", ["wave", "IT"])
    assert gaps.notes[0] == "Variance components by REML, since some cells are empty."
    words = ["school", "class", "facility", "day", "batch", "GRP", "x_1", "t"]
    plural = ["schools", "class", "facilities", "days", "batches", "GRP", "x_1", "t"]
    assert [several(word) for word in words] == plural
    assert [counted(1, "day"), counted(2.5, "day")] == ["1 day", "2.5 days"]
