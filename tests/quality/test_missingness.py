"""What is missing, by item, scale, group and pattern; the map; who responded."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import collabsurvey as cs
from collabsurvey.display.missing import missingness_map
from collabsurvey.errors import DataError, OptionError, UnknownNameError
from collabsurvey.numerics.em_normal import gap_patterns
from collabsurvey.quality import missingness, response_rate
from collabsurvey.quality.missingness import is_monotone
from collabsurvey.quality.response_rate import wilson_interval
from conftest import Engine
from support import BFI_SCALES, dataset

ITEMS = [item for items in BFI_SCALES.values() for item in items]


def bfi(engine: Engine | None = None) -> cs.Responses:
    data = dataset("bfi").assign(wave=lambda d: 1 + d.index % 2)
    return cs.from_frame(
        data if engine is None else engine(data),
        scales=BFI_SCALES,
        response_range=(1, 6),
        roles={"cluster": "education", "wave": "wave"},
    )


def test_counts_are_those_of_pandas(engine: Engine) -> None:
    data = dataset("bfi").assign(wave=lambda d: 1 + d.index % 2)
    found = missingness(bfi(engine), by=["cluster", "wave"])
    empty = data[ITEMS].isna()
    assert_array_equal(found.to_frame()["n_missing"], empty.sum())
    assert_allclose(found.to_frame()["missing_share"], empty.mean())
    assert found.n_complete == 2436
    assert len(found.patterns) == 87
    assert found.patterns["n"].sum() == 2800
    assert found.patterns["missing"].head(3).tolist() == ["nothing", "N4", "N5"]
    assert not found.monotone
    groups = found.to_frame("groups")
    one = groups[(groups["education"] == "3") & (groups["wave"] == "2")].set_index("item")
    rows = (data["education"] == 3) & (data["wave"] == 2)
    assert (one["n_rows"] == rows.sum()).all()
    assert_array_equal(one.loc[ITEMS, "n_missing"], empty[rows].sum())
    assert one.loc["(all)", "n_missing"] == empty[rows].to_numpy().sum()
    assert_allclose(one.loc["(all)", "missing_share"], empty[rows].to_numpy().mean())
    assert "(none)" in set(groups["education"])
    scales = found.to_frame("scales").set_index("scale")
    part = empty[BFI_SCALES["neuro"]]
    assert scales.loc["neuro", "n_complete"] == (~part.any(axis=1)).sum()
    assert scales.loc["neuro", "n_scored"] == (part.sum(axis=1) <= 1).sum()  # 2/3 of 5 is 4


def test_what_a_reader_is_shown() -> None:
    found = missingness(bfi())
    assert "2436 of 2800 rows are complete; 87 patterns" in found.summary()
    assert "Left out together most often: N4 (25)" in found.summary()
    chart = found.chart()
    assert chart.title == "Missing answers: 364 rows with gaps, 2436 complete rows not drawn"
    assert "25 without N4" in chart.description
    assert chart.to_svg().startswith("<svg")
    with pytest.raises(DataError, match="by='cluster'"):
        found.to_frame("groups")
    with pytest.raises(OptionError, match="part='rows'"):
        found.to_frame("rows")  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError):
        missingness(bfi(), by="school")


def test_nothing_missing_and_everything_missing() -> None:
    data = pd.DataFrame({"a": [1.0, 2, 3], "b": [1.0, 2, 3]})
    found = missingness(cs.from_frame(data, scales={"s": ["a", "b"]}))
    assert found.notes == ("All 3 rows are complete: nothing is missing.",)
    assert found.chart().to_svg()
    data = pd.DataFrame({"a": [1.0, np.nan, np.nan], "b": [np.nan] * 3})
    found = missingness(cs.from_frame(data, scales={"s": ["a", "b"]}))
    assert "Nobody answered: b." in found.notes
    assert "2 rows have no answer at all." in found.notes
    assert found.monotone
    assert found.patterns["missing"].tolist() == ["everything", "b"]


@given(
    rows=st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=8),
)
def test_monotone_means_one_order_of_dropping_out(rows: list[list[bool]]) -> None:
    answered = np.array(rows)
    order = np.argsort(-answered.sum(axis=0), kind="stable")
    ordered = answered[:, order]
    expected = bool((ordered[:, 1:] <= ordered[:, :-1]).all())
    assert is_monotone(gap_patterns(answered)) == expected


def test_the_map_checks_its_shape() -> None:
    with pytest.raises(DataError, match="needs 1 × 2 values"):
        missingness_map([[0.0]], [3], ["3"], ["a", "b"], title="t")
    many = missingness_map(np.eye(70).tolist(), [1] * 70, ["1"] * 70, ["x"] * 70, title="t")
    assert many.to_svg()
    assert "and 60 more bands" in many.description


def test_wilson_is_the_published_interval() -> None:
    """Newcombe (1998) table I, method 3: 81/263, 15/148, 0/20, 1/29."""
    low, high = wilson_interval(
        np.array([81 / 263, 15 / 148, 0.0, 1 / 29]),
        np.array([263.0, 148, 20, 29]),
        conf_level=0.95,
    )
    assert_allclose(low, [0.2553, 0.0624, 0.0, 0.0061], atol=5e-5)
    assert_allclose(high, [0.3662, 0.1605, 0.1611, 0.1718], atol=5e-5)


def school_answers() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "who": ["a", "b", "b", "c", "d", None, "e"],
            "school": ["Ash", "Ash", "Ash", "Ash", "Elm", "Elm", None],
            "wave": [1, 1, 2, 1, 1, 1, 1],
            "q1": [1.0, 2, 3, np.nan, 4, 5, 1],
            "q2": [1.0, 2, 3, np.nan, np.nan, 5, 1],
        }
    )


def schools(engine: Engine | None = None, **roles: str) -> cs.Responses:
    data = school_answers()
    return cs.from_frame(
        data if engine is None else engine(data),
        scales={"s": ["q1", "q2"]},
        roles={"cluster": "school", **roles},
    )


def test_response_rate_counts_people_with_an_answer(engine: Engine) -> None:
    found = response_rate(
        schools(engine, respondent="who", wave="wave"),
        {"Ash": 5, "Elm": 2, "Oak": 7},
        by="cluster",
    )
    frame = found.to_frame().set_index("school")
    assert frame["n"].to_dict() == {"Ash": 2, "Elm": 2, "Oak": 0}
    assert_allclose(frame["rate"], [0.4, 1.0, 0.0])
    assert_allclose(found.overall[["n", "n_eligible", "rate"]].iloc[0], [4, 14, 4 / 14])
    z2 = 1.959963984540054**2
    centre = (0.4 + z2 / 10) / (1 + z2 / 5)
    reach = sqrt(z2 * (0.24 / 5 + z2 / 100)) / (1 + z2 / 5)
    assert_allclose(
        frame.loc["Ash", ["ci_low", "ci_high"]].tolist(), [centre - reach, centre + reach]
    )
    notes = " ".join(found.notes)
    assert "nobody answered: Oak" in notes
    assert "1 rows with answers have no group" in notes
    assert "Fewer than half answered in Ash, Oak" in notes
    assert "count without sampling error" in notes
    assert found.chart().to_svg()
    assert "all" in found.summary()


def test_response_rate_by_school_and_wave() -> None:
    asked = pd.DataFrame({"school": ["Ash", "Ash", "Elm"], "wave": [1, 2, 1], "staff": [4, 4, 1]})
    found = response_rate(schools(respondent="who", wave="wave"), asked)
    frame = found.to_frame()
    assert frame["wave"].tolist() == [1, 2, 1]
    assert frame["n"].tolist() == [2, 1, 2]
    assert np.isnan(frame["rate"][2])  # two answered of one
    assert any("so a number is wrong and no rate is given: Elm · 1" in x for x in found.notes)
    assert found.overall["n"][0] == 3


def test_response_rate_refuses_numbers_that_cannot_be() -> None:
    with pytest.raises(DataError, match="negative one, for Ash"):
        response_rate(schools(), {"Ash": -1})
    with pytest.raises(DataError, match="names a group twice: Ash"):
        response_rate(schools(), pd.DataFrame({"school": ["Ash", "Ash"], "n": [1, 2]}))
    with pytest.raises(DataError, match="not made of school"):
        response_rate(schools(), {("Ash", "1"): 3})
    with pytest.raises(DataError, match="one column of counts"):
        response_rate(schools(), pd.DataFrame({"school": ["Ash"], "n": [1], "m": [2]}))
    bare = cs.from_frame(school_answers(), scales={"s": ["q1", "q2"]})
    with pytest.raises(DataError, match="needs the role 'cluster'"):
        response_rate(bare, {"Ash": 3})
    assert "No respondent role" in " ".join(response_rate(schools(), {"Ash": 9, "Elm": 9}).notes)


def test_response_rate_takes_the_eligible_table_of_a_synthetic_cohort() -> None:
    made = cs.simulate_cohort(["trust"], n_partnerships=2, n_schools=4, n_staff=8, waves=2, seed=3)
    found = response_rate(made.responses, made.eligible).to_frame()
    assert found["n_eligible"].tolist() == [8] * 8
