"""Differences, distances from an ideal, and 0-100 expectations, each against a worked example."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import collabsurvey as cs
from collabsurvey.errors import NotSupportedError
from collabsurvey.instruments import Instrument, read_instrument

TEXT = """\
id: forum
version: 1.0.0
title: Joint meetings
kind: own
licence: {items: CC-BY-4.0, key: CC0-1.0, redistribute_text: true, commercial: true,
          confidence: high}
response_sets:
  need5: {type: ordinal, values: [0, 1, 2, 3, 4]}
  nearer7: {type: bipolar, values: [-3, -2, -1, 0, 1, 2, 3]}
  chance: {type: bounded, values: [0, 100]}
  pick3: {type: nominal, values: [2, 1, 3]}
items:
  - {id: need.ours.01, text: {en-GB: We need their knowledge.}, response: need5}
  - {id: need.ours.02, text: {en-GB: We need their money.}, response: need5}
  - {id: need.theirs.01, text: {en-GB: They need our knowledge.}, response: need5}
  - {id: need.theirs.02, text: {en-GB: They need our money.}, response: need5}
  - {id: bal.01, text: {en-GB: Left or right.}, response: nearer7}
  - {id: bal.02, text: {en-GB: Right or left.}, response: nearer7}
  - {id: bal.03, text: {en-GB: Up or down.}, response: nearer7}
  - {id: exp.01, text: {en-GB: How likely is this?}, response: chance}
  - {id: exp.02, text: {en-GB: How likely is that?}, response: chance}
  - {id: kind.01, text: {en-GB: Which fits?}, response: pick3}
scoring:
  - {id: need.ours, title: Ours, items: [need.ours.01, need.ours.02]}
  - {id: need.theirs, title: Theirs, items: [need.theirs.01, need.theirs.02]}
  - id: need.asymmetry
    title: Asymmetry
    rule: difference
    between: [need.theirs, need.ours]
    items: [need.theirs.01, need.theirs.02, need.ours.01, need.ours.02]
  - {id: bal.side, title: Side, items: [bal.01, bal.02, bal.03]}
  - {id: bal.off, title: Out of balance, rule: distance, ideal: 0, items: [bal.01, bal.02, bal.03]}
  - {id: exp, title: Expectation, items: [exp.01, exp.02]}
  - {id: kind, title: Kind, rule: composition, types: {1: a, 2: b, 3: c}, items: [kind.01]}
"""


@pytest.fixture(scope="module")
def forum() -> Instrument:
    return read_instrument(TEXT)


def answers(forum: Instrument, **columns: list[float | None]) -> Any:
    frame = pd.DataFrame({item: pd.Series(dtype=float) for item in forum.item_ids})
    frame = frame.reindex(range(len(next(iter(columns.values())))))
    for name, values in columns.items():
        frame[name.replace("__", ".")] = values
    frame["id"] = [f"p{i}" for i in range(len(frame))]
    frame["kind.01"] = 1.0
    return cs.from_frame(frame, instrument=forum, roles={"respondent": "id"})


def test_a_difference_is_the_first_mean_minus_the_second(forum: Instrument) -> None:
    """First respondent: they need us (4 + 2) / 2 = 3, we need them (1 + 0) / 2 = 0.5; 2.5."""
    resp = answers(
        forum,
        need__theirs__01=[4, 1, 3, None],
        need__theirs__02=[2, 1, None, 2],
        need__ours__01=[1, 4, 1, 1],
        need__ours__02=[0, 4, 1, None],
    )
    scored = cs.score(resp, "need.asymmetry", min_valid="1/2")
    assert scored.to_frame()["need.asymmetry"].tolist() == [2.5, -3.0, 2.0, 1.0]
    strict = cs.score(resp, "need.asymmetry")  # two thirds of two items are both
    np.testing.assert_array_equal(strict.to_frame()["need.asymmetry"], [2.5, -3.0, np.nan, np.nan])
    assert strict.n_required == (4,)
    assert any("put both scores" in note for note in strict.notes)


def test_a_difference_in_per_cent_and_in_sums(forum: Instrument) -> None:
    resp = answers(
        forum,
        need__theirs__01=[4],
        need__theirs__02=[2],
        need__ours__01=[1],
        need__ours__02=[0],
    )
    pomp = cs.score(resp, "need.asymmetry", method="pomp").to_frame()
    assert pomp["need.asymmetry"].tolist() == [62.5]  # 75 % minus 12.5 % of the possible
    assert cs.score(resp, "need.asymmetry", method="sum").to_frame().iloc[0, 0] == 5.0


def test_bipolar_answers_signed_and_absolute(forum: Instrument) -> None:
    """−3, 3, 0 are balanced on average and 2 away from the middle; both are worth knowing."""
    resp = answers(
        forum, bal__01=[-3, 1, 2, None], bal__02=[3, 1, None, 2], bal__03=[0, 1, -1, None]
    )
    both = cs.score(resp, ["bal.side", "bal.off"]).to_frame()
    np.testing.assert_allclose(both["bal.side"], [0, 1, 0.5, np.nan])
    np.testing.assert_allclose(both["bal.off"], [2, 1, 1.5, np.nan])
    pomp = cs.score(resp, "bal.off", method="pomp").to_frame()
    np.testing.assert_allclose(pomp["bal.off"], [200 / 3, 100 / 3, 50, np.nan])


def test_expectations_are_means_and_fifties_are_pointed_out(forum: Instrument) -> None:
    few = answers(forum, exp__01=[80, 20, 70], exp__02=[60, 30, 50])
    scored = cs.score(few, "exp")
    assert scored.to_frame()["exp"].tolist() == [70, 25, 60]
    assert not any("exactly 50" in note for note in scored.notes)  # 1 of 6
    many = cs.score(answers(forum, exp__01=[50, 50, 70], exp__02=[60, 30, 50]), "exp")
    assert any("50% of the answers to exp are exactly 50" in note for note in many.notes)


def test_all_scales_with_one_number_a_respondent_are_scored(forum: Instrument) -> None:
    resp = answers(forum, bal__01=[1, 2], need__ours__01=[1, 2])
    scored = cs.score(resp, min_valid=0)
    assert scored.scales == (
        "need.ours",
        "need.theirs",
        "need.asymmetry",
        "bal.side",
        "bal.off",
        "exp",
    )
    assert any("cs.scoring.composition(responses, 'kind')" in note for note in scored.notes)
    with pytest.raises(NotSupportedError, match=r"cs\.scoring\.composition"):
        cs.score(resp, "kind")


def test_a_sum_is_a_sum_unless_a_mean_is_asked_for() -> None:
    """Answers 4 and 3: the file says sum, so 7; that is 87.5 on 0 to 100."""
    text = (
        TEXT.replace(
            "{id: need.ours, title: Ours, items",
            "{id: need.ours, title: Ours, rule: sum, rescale: {from: [0, 8], to: [0, 100]}, items",
        )
        .replace(
            "rule: difference\n    between: [need.theirs, need.ours]",
            "rule: difference\n    between: [need.theirs, bal.side2]",
        )
        .replace(
            "items: [need.theirs.01, need.theirs.02, need.ours.01, need.ours.02]",
            "items: [need.theirs.01, need.theirs.02, need.ours.01]",
        )
        + "  - {id: bal.side2, title: One, items: [need.ours.01]}\n"
    )
    resp = answers(read_instrument(text), need__ours__01=[4, 3], need__ours__02=[3, None])
    by_rule = cs.score(resp, ["need.ours", "bal.side2"], min_valid=0)
    assert by_rule.to_frame()["need.ours"].tolist() == [7.0, 6.0]  # 3 of one item stands for 6
    assert by_rule.to_frame()["bal.side2"].tolist() == [4.0, 3.0]
    assert by_rule.method == "rule"
    assert cs.score(resp, "need.ours", min_valid=0).method == "sum"
    assert cs.score(resp, "bal.side2").method == "mean"
    mean = cs.score(resp, "need.ours", method="mean", min_valid=0).to_frame()
    assert mean["need.ours"].tolist() == [3.5, 3.0]
    unit = cs.score(resp, ["need.ours", "bal.side2"], method="rescale", min_valid=0).to_frame()
    assert unit["need.ours"].tolist() == [87.5, 75.0]
    assert unit["bal.side2"].tolist() == [4.0, 3.0]
