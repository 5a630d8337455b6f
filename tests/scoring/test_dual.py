"""Two scores, their quadrants and correlation, by hand and in every engine."""

from __future__ import annotations

import math
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.errors import DataError, KeyingWarning, OptionError, UnknownNameError
from collabsurvey.responses import Responses, from_frame
from collabsurvey.scoring.dual import dual_identification
from collabsurvey.scoring.dual_result import QUADRANTS

NAN = math.nan
RTOL = 1e-10  # closed forms

FRAME = pd.DataFrame(
    {
        "respondent": list("abcdefg"),
        "s1": [5, 4, 1, 2, 3, NAN, 5],
        "s2": [4, 5, 2, 1, 3, NAN, 4],
        "p1": [4, 2, 5, 1, 5, 4, NAN],
        "p2": [5, 1, 4, 2, 5, 4, NAN],
    }
)
PLACES = ["both", "first only", "second only", "neither", "on the line", None, None]


def responses(frame: Any = FRAME, **options: Any) -> Responses:
    options.setdefault("response_range", (1, 5))
    options.setdefault("roles", {"respondent": "respondent"})
    return from_frame(frame, scales={"school": ["s1", "s2"], "part": ["p1", "p2"]}, **options)


def test_quadrants_by_hand(engine: Any) -> None:
    result = dual_identification(responses(engine(FRAME)), "school", "part")
    found = engine.pandas(result.to_frame(keep="respondent")).sort_values("respondent")
    assert list(found.columns) == ["respondent", "school", "part", "difference", "quadrant"]
    quadrants = [None if pd.isna(x) else x for x in found["quadrant"]]
    assert quadrants == PLACES
    assert_allclose(found["difference"].astype(float), [0, -3, 3, 0, 2, NAN, NAN])
    assert result.n == (1, 1, 1, 1, 1)
    assert_allclose(result.share, [0.2] * 5)
    assert (result.n_rows, result.n_both_scored) == (7, 5)
    x, y = np.array([4.5, 4.5, 1.5, 1.5, 3]), np.array([4.5, 1.5, 4.5, 1.5, 5])
    assert_allclose(result.correlation, np.corrcoef(x, y)[0, 1], atol=1e-12)
    assert_allclose((result.mean_first, result.mean_second), (x.mean(), y.mean()), rtol=RTOL)
    assert_allclose(result.mean_difference, (y - x).mean(), rtol=RTOL)
    assert sum(n for *_, n in result.places) == 5


def test_rows_and_index_are_kept() -> None:
    frame = FRAME.set_axis([3, 3, 1, 0, 9, 8, 7])
    found = dual_identification(responses(frame), "school", "part").to_frame()
    assert found.index.tolist() == [3, 3, 1, 0, 9, 8, 7]
    assert found["quadrant"].tolist()[:5] == PLACES[:5]


@pytest.mark.parametrize(
    ("cut", "first", "expected"),
    [
        (None, (3.0, 3.0), (1, 1, 1, 1, 1)),
        (4.5, (4.5, 4.5), (0, 0, 1, 1, 3)),
        ((2, 4), (2.0, 4.0), (2, 1, 1, 1, 0)),
    ],
)
def test_the_cut(cut: Any, first: Any, expected: Any) -> None:
    result = dual_identification(responses(), "school", "part", cut=cut)
    assert (result.cut_first, result.cut_second) == first
    assert result.n == expected
    assert result.counts()["n"].tolist() == list(expected)


def test_weights_enter_means_shares_and_correlation() -> None:
    weights = [2.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0]
    frame = FRAME.assign(w=weights)
    roles = {"respondent": "respondent", "weight": "w"}
    result = dual_identification(responses(frame, roles=roles), "school", "part")
    twice = pd.concat([FRAME.iloc[[0]].assign(respondent="z"), FRAME.iloc[[0, 1, 2, 4]]])
    plain = dual_identification(responses(twice), "school", "part")
    for name in ("mean_first", "mean_second", "mean_difference", "correlation"):
        assert_allclose(getattr(result, name), getattr(plain, name), rtol=RTOL)
    assert_allclose(result.share, plain.share, rtol=RTOL)
    assert result.n == (1, 1, 1, 1, 1)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_order_of_rows_and_of_scales(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.integers(1, 6, (2, 15)).astype(float)
    frame = pd.DataFrame({"respondent": range(15), "s1": x, "s2": x, "p1": y, "p2": y})
    plain = dual_identification(responses(frame), "school", "part")
    turned = dual_identification(responses(frame.sample(frac=1, random_state=1)), "school", "part")
    swapped = dual_identification(responses(frame), "part", "school")
    assert plain.n == turned.n == tuple(swapped.n[j] for j in (0, 2, 1, 3, 4))
    assert sum(plain.n) == 15
    assert_allclose(plain.correlation, turned.correlation, rtol=1e-9, atol=1e-12)
    assert_allclose(plain.mean_difference, -swapped.mean_difference, atol=1e-12)


def test_without_spread_there_is_no_correlation() -> None:
    result = dual_identification(responses(FRAME.iloc[:1]), "school", "part")
    assert math.isnan(result.correlation)
    assert result.n == (1, 0, 0, 0, 0)
    assert any("no correlation, because one of them does not vary" in n for n in result.notes)


@pytest.mark.parametrize("n_rows", [0, 1])
def test_nobody_has_both_scores(n_rows: int, engine: Any) -> None:
    data = responses(engine(FRAME.iloc[[5]]))
    if not n_rows:
        nobody = nw.from_native(data.frame).filter(nw.col("respondent") == "nobody")
        data = data.replace(frame=nobody.to_native())
    result = dual_identification(data, "school", "part")
    assert (result.n_rows, result.n_both_scored) == (n_rows, 0)
    assert "Nobody has both scores" in result.summary()
    assert result.chart().to_svg().startswith("<svg")


def test_scales_that_cannot_be_set_beside_one_another() -> None:
    with pytest.raises(UnknownNameError, match=r"no scale 'rol\.school'"):
        dual_identification(responses())
    with pytest.raises(OptionError, match="second='school'"):
        dual_identification(responses(), "school", "school")
    with pytest.raises(DataError, match="neither is the middle"):
        dual_identification(responses(response_range=None), "school", "part")
    assert dual_identification(responses(response_range=None), "school", "part", cut=3).n[0] == 1


@pytest.mark.parametrize("cut", [0.5, 6, True, "3", (1, 2, 3), NAN])
def test_impossible_cuts_are_refused(cut: Any) -> None:
    with pytest.raises(OptionError, match="cut="):
        dual_identification(responses(), "school", "part", cut=cut)


def test_a_contradicted_key_is_passed_on() -> None:
    """Six people could contradict it by chance; 24 do not."""
    frame = FRAME.assign(s2=[1, 2, 4, 5, 3, NAN, 1])
    assert "Scale 'school'" not in dual_identification(responses(frame), "school", "part").notes[0]
    frame = pd.concat([frame] * 4, ignore_index=True)
    frame["respondent"] = range(len(frame))
    with pytest.warns(KeyingWarning, match="Scale 'school'"):
        result = dual_identification(responses(frame), "school", "part")
    assert "Scale 'school'" in result.notes[0]


def test_what_a_reader_is_shown() -> None:
    result = dual_identification(responses(), "school", "part")
    text = result.summary()
    assert text.startswith("school and part: 5 of 7 with both scores")
    assert "high in school only" in text
    assert "Edwards, 2001" in text
    svg = result.chart().to_svg()
    assert all(f"{name}: 20%" in svg for name in QUADRANTS[:4])


def test_the_difference_says_its_direction() -> None:
    """Means 3.0 and 3.4: the second is .4 higher."""
    notes = " ".join(dual_identification(responses(), "school", "part").notes)
    assert "Mean difference +0.40, which is part minus school: above 0 people are more" in notes


def test_few_people_are_flagged() -> None:
    result = dual_identification(responses(), "school", "part")
    assert result.below_min_n
    assert "Fewer than 10 people, not to be published." in result.notes
    larger = dual_identification(responses(), "school", "part", min_n=2)
    assert not larger.below_min_n
    assert larger.counts()["below_min_n"].tolist() == [True] * 5
    assert any("in a quadrant" in n and "both (1), first only (1)" in n for n in larger.notes)
    with pytest.raises(OptionError, match="min_n=0"):
        dual_identification(responses(), "school", "part", min_n=0)


def test_two_waves_of_the_same_people_are_told() -> None:
    """14 rows of 7 people, of whom 5 have both scores."""
    frame = pd.concat([FRAME.assign(wave=1), FRAME.assign(wave=2)])
    data = responses(frame, roles={"respondent": "respondent", "wave": "wave"})
    result = dual_identification(data, "school", "part", min_n=8)
    assert (result.n_both_scored, result.below_min_n) == (10, True)
    assert any("14 rows of 7 people" in note for note in result.notes)
