"""Item analysis and description against psych; shares, notes and bad input."""

from __future__ import annotations

import json
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
from support import BFI_REVERSED, BFI_SCALES, REFERENCE, dataset, gold

Engine = Callable[[pd.DataFrame], Any]


def as_is(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


RTOL = 1e-8  # closed forms; the stored values have 15 digits
ALPHA = gold("02_reliability")
STORED = json.loads((REFERENCE / "reliability.json").read_text(encoding="utf-8"))


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


# Columns beside psych's


def test_one_factor_columns_match_factanal_and_describe(engine: Engine) -> None:
    result = item_analysis(bfi(engine), "agree")
    found = result.to_frame()
    # factanal's optimiser stops at a relative change of about 1e-6
    assert_allclose(found["loading"], STORED["loading_agree"], rtol=1e-4)
    assert_allclose(found["omega_if_dropped"], STORED["omega_if_dropped_agree"], rtol=1e-5)
    assert_allclose(found["kurtosis"], STORED["kurtosis_agree"], rtol=1e-8)
    omega = ALPHA["omega_1f_cfa_bfi_agree"]["values"]
    assert_allclose(result.omega, omega["omega_model_implied"], rtol=1e-4)


def test_columns_of_the_design_come_first_and_ranges_are_those_of_the_matrix() -> None:
    frame = item_analysis(bfi(), "agree").to_frame()
    first = ["item", "keyed", "n", "mean", "sd", "missing", "floor", "ceiling", "item_rest"]
    assert frame.columns[:9].tolist() == first
    answers = dataset("bfi")[BFI_SCALES["agree"]].dropna().assign(A1=lambda x: 7 - x["A1"])
    cor = answers.corr().to_numpy().copy()
    np.fill_diagonal(cor, np.nan)
    assert_allclose(frame["r_min"], np.nanmin(cor, axis=0), rtol=1e-12)
    assert_allclose(frame["r_max"], np.nanmax(cor, axis=0), rtol=1e-12)


def test_options_are_counted_also_those_nobody_chose() -> None:
    frame = pd.DataFrame(
        {"a": [1, 2, 2, 4], "b": [1, 2, 3, 4], "c": [2, 2, 3, 4], "w": [1, 1, 2, 0]}
    )
    responses = from_frame(
        frame, scales={"s": ["a", "b", "c"]}, response_range=(1, 4), roles={"weight": "w"}
    )
    result = item_analysis(responses, "s")
    a = result.options().query("item == 'a'").set_index("answer")
    assert a["n"].tolist()[:2] == [1, 2]
    assert_allclose(a["share"].tolist()[:2], [0.25, 0.75])
    assert result.to_frame()["options_used"].tolist() == [2, 3, 2]


def test_flags_are_words_with_their_source() -> None:
    generator = np.random.default_rng(2)
    factor = generator.standard_normal(400)
    frame = pd.DataFrame(
        {
            name: np.clip(np.round(factor + generator.standard_normal(400)), -2, 2) + 3
            for name in "abcd"
        }
    )
    frame["noise"] = np.where(
        generator.random(400) < 0.2, frame["a"], generator.integers(1, 6, 400)
    )
    frame["low"] = np.where(factor < np.quantile(factor, 0.97), 1.0, 5.0)
    frame.loc[:40, "b"] = np.nan
    responses = from_frame(frame, scales={"s": list(frame)}, response_range=(1, 5))
    result = item_analysis(responses, "s")
    flags = dict(zip(frame.columns, result.to_frame()["flags"], strict=True))
    assert "missing above 5 % (Schafer, 1999" in flags["b"]
    assert "loading below .40 (Stevens, 2009)" in flags["noise"]
    assert "alpha is higher without it" in flags["noise"]
    assert "floor above 15 % (Terwee et al., 2007" in flags["low"]
    assert "skew beyond ±2 (West, Finch & Curran, 1995)" in flags["low"]
    assert "kurtosis beyond 7" in flags["low"]
    text = result.flagged().to_text()
    assert text.startswith("What to look at in the items of s")
    assert text.endswith("not to drop it.")


def test_singular_and_short_scales_have_no_loadings_and_say_so() -> None:
    frame = pd.DataFrame(np.random.default_rng(1).standard_normal((50, 4)), columns=list("abcd"))
    frame += np.random.default_rng(2).standard_normal((50, 1))
    copies = from_frame(frame.assign(e=frame["a"]), scales={"s": list("abcde")})
    result = item_analysis(copies, "s")
    assert result.to_frame()["loading"].isna().all()
    assert any("singular or indefinite" in note for note in result.notes)
    three = item_analysis(from_frame(frame, scales={"s": list("abc")}), "s").to_frame()
    assert three["omega_if_dropped"].isna().all()
    assert three["loading"].notna().all()


def test_pooled_waves_are_said() -> None:
    one = dataset("bfi").iloc[:200].assign(person=range(200))
    both = pd.concat([one.assign(wave=1), one.assign(wave=2)], ignore_index=True)
    responses = from_frame(
        both,
        scales=BFI_SCALES,
        reverse_keyed=BFI_REVERSED,
        response_range=(1, 6),
        roles={"respondent": "person", "wave": "wave"},
        synthetic=True,
    )
    notes = item_analysis(responses, "agree").notes
    assert "400 rows of 200 people: rows of each wave are pooled here." in notes
    assert "Synthetic data." in notes
