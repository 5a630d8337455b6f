"""Item analysis and description against psych; shares, notes and bad input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey.errors import (
    KeyingWarning,
    NotEnoughItemsError,
    NoVarianceError,
    WeightsNotAppliedError,
)
from collabsurvey.reliability import describe_items, item_analysis
from collabsurvey.responses import Responses, from_frame
from support import BFI_REVERSED, BFI_SCALES, dataset, gold

Engine = Callable[[pd.DataFrame], Any]


def as_is(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


RTOL = 1e-8  # closed forms; the stored values have 15 digits
ALPHA = gold("02_reliability")


def bfi(engine: Engine = as_is, **options: object) -> Responses:
    return from_frame(
        engine(dataset("bfi")),
        scales=BFI_SCALES,
        **{"reverse_keyed": BFI_REVERSED, "response_range": (1, 6), **options},
    )


@pytest.mark.parametrize("missing", ["listwise", "pairwise"])
@pytest.mark.parametrize("scale", BFI_SCALES)
def test_item_statistics_match_psych(engine: Engine, missing: str, scale: str) -> None:
    stored = ALPHA[f"alpha_{missing}_bfi_{scale}"]["values"]
    expected = pd.DataFrame(stored["item_stats"])
    found = item_analysis(bfi(engine), scale, missing=missing).to_frame()
    assert found["item"].tolist() == expected["_row"].tolist()
    names = {"n": "n", "mean": "mean", "sd": "sd", "std_r": "std.r", "r_cor": "r.cor"}
    names["item_rest"] = "r.drop"
    if missing == "listwise":  # psych's pairwise raw.r is with the mean of the answered items
        names["raw_r"] = "raw.r"
    for ours, theirs in names.items():
        assert_allclose(found[ours], expected[theirs], rtol=RTOL)
    dropped = pd.DataFrame(stored["alpha_drop"])["raw_alpha"]
    assert_allclose(found["alpha_if_dropped"], dropped, rtol=RTOL)


@pytest.mark.parametrize("scale", BFI_SCALES)
def test_item_rest_matches_multilevel(scale: str) -> None:
    stored = pd.DataFrame(ALPHA[f"alpha_listwise_bfi_{scale}"]["values"]["item_total_multilevel"])
    found = item_analysis(bfi(), scale).to_frame()
    assert_allclose(found["item_rest"], stored["Item.Total"], rtol=RTOL)
    assert_allclose(found["alpha_if_dropped"], stored["Alpha.Without"], rtol=RTOL)


def test_items_as_answered_match_psych_describe(engine: Engine) -> None:
    expected = pd.DataFrame(gold("01_scoring")["item_descriptives_bfi"]["values"])
    found = describe_items(bfi(engine)).to_frame()
    assert found["item"].tolist() == expected["_row"].tolist()
    for name in found.columns.drop("item"):
        assert_allclose(found[name], expected[name], rtol=RTOL, err_msg=name)


def test_skew_in_the_direction_of_the_scale() -> None:
    stored = pd.DataFrame(gold("01_scoring")["item_descriptives_bfi"]["values"]).set_index("_row")
    found = item_analysis(bfi(), "agree", missing="pairwise").to_frame().set_index("item")
    assert_allclose(found.loc["A1", "skew"], -stored.loc["A1", "skew"], rtol=RTOL)
    assert_allclose(found.loc["A2", "skew"], stored.loc["A2", "skew"], rtol=RTOL)


def small(**options: object) -> Responses:
    frame = pd.DataFrame(
        {
            "a": [1, 5, 5, 4, np.nan],
            "b": [1, 4, 5, 3, 2],
            "c": [5, 1, 1, 3, 5],
            "w": [1, 1, 2, 1, 1],
        }
    )
    return from_frame(
        frame,
        scales={"s": ["a", "b", "c"]},
        **{"reverse_keyed": ["c"], "response_range": (1, 5), **options},
    )


def test_shares_count_what_they_say() -> None:
    found = item_analysis(small(), "s").to_frame().set_index("item")
    assert found["keyed"].tolist() == [1, 1, -1]
    assert_allclose(found["missing"], [0.2, 0, 0], rtol=1e-12)
    assert found["floor"].tolist() == [0.25, 0.25, 0.25]  # of the 4 complete rows
    assert found["ceiling"].tolist() == [0.5, 0.25, 0.5]  # c turned round: 1 means most
    pairwise = item_analysis(small(), "s", missing="pairwise").to_frame().set_index("item")
    assert_allclose(pairwise["floor"], [0.25, 0.2, 0.4])


def test_weights_are_applied_to_shares() -> None:
    found = item_analysis(small(roles={"weight": "w"}), "s").to_frame().set_index("item")
    assert_allclose(found["ceiling"], [3 / 5, 2 / 5, 3 / 5])
    assert_allclose(found["missing"], [1 / 6, 0, 0])


def test_an_unknown_range_is_said() -> None:
    result = item_analysis(small(response_range=None), "s")
    assert result.to_frame()["mean"].isna().tolist() == [False, False, True]
    assert any("range of answers was not stated" in note for note in result.notes)
    assert any("means of reversed items are missing" in note for note in result.notes)


def test_a_wrong_key_is_named() -> None:
    with pytest.warns(KeyingWarning, match=r"'agree': A1 \(−0.31\)"):
        result = item_analysis(bfi(reverse_keyed=()), "agree")
    assert any("Check whether the export has reversed" in note for note in result.notes)
    assert "A1" in result.chart().to_svg()


def test_bad_input_is_refused_by_name() -> None:
    with pytest.raises(NotEnoughItemsError, match="Item analysis needs at least 2 items"):
        item_analysis(bfi(), ["A1"])
    constant = from_frame(pd.DataFrame({"a": [3, 3, 3], "b": [1, 2, 3]}), scales={"s": ["a", "b"]})
    with pytest.raises(NoVarianceError, match="item 'a'"):
        item_analysis(constant, "s")
    with pytest.raises(WeightsNotAppliedError, match="describe_items cannot apply the weight"):
        describe_items(small(roles={"weight": "w"}))


def test_description_says_what_it_cannot_compute() -> None:
    frame = pd.DataFrame({"a": [3.0, 3, 3], "b": [1, np.nan, np.nan], "c": [1, 2, 3]})
    result = describe_items(from_frame(frame, scales={"s": ["a", "b", "c"]}))
    assert any("The same answer in every row, so no skew: a" in note for note in result.notes)
    assert any("Fewer than two answers, so no standard deviation: b" in n for n in result.notes)
    assert "Items as answered" in result.chart().to_svg()


def test_summary() -> None:
    assert item_analysis(small(), "s").summary() == (
        "Items of s (alpha 0.99)\n"
        "\n"
        "item  keyed  n  mean    sd  missing  floor  ceiling  item–rest r  alpha if dropped\n"
        "----  -----  -  ----  ----  -------  -----  -------  -----------  ----------------\n"
        "a         1  4  3.75  1.89      20%    25%      50%         0.97              0.98\n"
        "b         1  4  3.25  1.71       0%    25%      25%         0.97              0.98\n"
        "c        -1  4  3.50  1.91       0%    25%      50%         0.98              0.97\n"
        "\n"
        "Note. 4 of 5 rows, those with every item answered.\n"
        "Note. Turned round (low answers mean more): c."
    )
