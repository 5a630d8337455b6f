"""From now to wanted: distances and points by hand, in every engine, by group."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.errors import DataError
from collabsurvey.instruments import Instrument, load_instrument, read_instrument
from collabsurvey.numerics.compositions import aitchison_distance, centre, replace_counts
from collabsurvey.responses import Responses, from_frame
from collabsurvey.scoring.congruence import congruence

RTOL = 1e-10  # closed forms
NAN = math.nan
TYPES = ("network", "coalition", "unitary")
NOW = [f"now.{i}" for i in range(1, 7)]
WANTED = [f"wanted.{i}" for i in range(1, 7)]

TEXT = """
schema_version: "1.0"
id: context
version: 1.0.0
title: Context
kind: own
licence:
  {items: CC-BY-4.0, key: CC0-1.0, redistribute_text: true, commercial: true, confidence: high}
response_sets:
  pick: {type: nominal, values: [1, 2, 3], labels: {en-GB: [a, b, c]}}
items:
"""


@cache
def instrument() -> Instrument:
    items = "".join(
        f"  - {{id: {name}, text: {{en-GB: 'Which of {name}?'}}, response: pick}}\n"
        for name in [*NOW, *WANTED, "other.1"]
    )
    # The types of what is wanted stand in another order: they are matched by name.
    scoring = f"""scoring:
  - id: now
    title: Now
    rule: composition
    types: {{1: network, 2: coalition, 3: unitary}}
    items: [{", ".join(NOW)}]
  - id: wanted
    title: Wanted
    rule: composition
    types: {{3: unitary, 1: network, 2: coalition}}
    items: [{", ".join(WANTED)}]
  - id: shift
    title: Shift
    rule: distance
    between: [now, wanted]
    items: [{", ".join([*NOW, *WANTED])}]
  - id: other
    title: Other
    rule: composition
    types: {{1: network, 2: market, 3: unitary}}
    items: [other.1]
    min_valid: 1
"""
    return read_instrument(TEXT + items + scoring)


def picks(*counts: int) -> list[float]:
    """So many picks of each type, the rest of six left out."""
    made = [float(code) for code, n in enumerate(counts, start=1) for _ in range(n)]
    return made + [NAN] * (6 - len(made))


def responses(rows: list[tuple[Any, Any]], make: Any = lambda frame: frame, **roles: Any) -> Any:
    """One row for each pair of counts, now and wanted."""
    table = [[*picks(*now), *picks(*wanted), 1.0] for now, wanted in rows]
    frame = pd.DataFrame(table, columns=[*NOW, *WANTED, "other.1"], dtype=float)
    frame["respondent"] = [f"p{i}" for i in range(len(frame))]
    for role, values in roles.items():
        frame[role] = values
    names = {role: role for role in ("respondent", *roles)}
    return from_frame(make(frame), instrument=instrument(), roles=names)


ROWS = [
    ((3, 2, 1), (1, 2, 3)),
    ((2, 2, 2), (2, 2, 2)),
    ((6, 0, 0), (0, 0, 6)),
    ((3, 2, 1), (1, 1)),  # too few triads of what is wanted
]


@pytest.mark.parametrize("names", [("shift",), ("now", "wanted")])
def test_distance_and_points_by_hand(names: Any, engine: Any) -> None:
    result = congruence(responses(ROWS, engine), *names)
    found = engine.pandas(result.to_frame(keep="respondent")).set_index("respondent").sort_index()
    assert list(found.columns) == [
        "shift.distance",
        "shift.moved",
        *(f"shift.{one}" for one in TYPES),
    ]
    # Jeffreys: a zero of six picks is .5 / 7.5 = 1/15, so the other part is 13/15: 13-fold.
    expected = [math.sqrt(2) * math.log(3), 0, math.sqrt(2) * math.log(13), NAN]
    assert_allclose(found["shift.distance"].astype(float), expected, atol=1e-12)
    assert_allclose(found["shift.moved"].astype(float), [100 / 3, 0, 100, NAN], atol=1e-12)
    assert_allclose(
        found[[f"shift.{one}" for one in TYPES]].to_numpy(float),
        [[-100 / 3, 0, 100 / 3], [0, 0, 0], [-100, 0, 100], [NAN] * 3],
        atol=1e-12,
    )
    assert (result.n_rows, result.n_scored) == (4, 3)
    assert_allclose(result.distance, np.mean(expected[:3]), rtol=RTOL)
    assert_allclose(result.moved, 400 / 9, rtol=RTOL)
    assert_allclose(result.mean_now, np.array([11, 4, 3]) / 18 * 100, rtol=RTOL)
    assert_allclose(result.change, [-400 / 9, 0, 400 / 9], atol=1e-12)


def test_the_numbers_of_the_docstring() -> None:
    for factor, distance in ((2, 0.57), (4, 1.13), (10, 1.88)):
        assert round(math.log(factor) * math.sqrt(2 / 3), 2) == distance
    now, wanted = np.array([[50.0, 30, 20]]), np.array([[20.0, 30, 50]])
    assert round(float(aitchison_distance(now, wanted)[0]), 2) == 1.30


def test_people_who_want_to_go_different_ways() -> None:
    rows = [((2, 2, 2), (4, 1, 1)), ((2, 2, 2), (1, 1, 4)), ((2, 2, 2), (1, 4, 1))]
    result = congruence(responses(rows, cluster=["a"] * 3), "shift")
    assert result.distance > 1
    assert_allclose(result.distance_of_centres, 0, atol=1e-12)
    assert_allclose(result.by("cluster").distance_of_centres, 0, atol=1e-12)


def test_groups(engine: Any) -> None:
    data = responses([*ROWS, ((1, 1, 4), (4, 1, 1))], engine, cluster=["a", "a", "b", "b", None])
    result = congruence(data, "shift").by("cluster")
    found = result.to_frame()
    assert found["cluster"].tolist() == ["a", "b"]
    assert (result.n, result.n_unscored) == ((2, 1), (0, 1))
    first, third = math.sqrt(2) * math.log(3), math.sqrt(2) * math.log(13)
    assert_allclose(found["distance"], [first / 2, third], rtol=RTOL)
    assert_allclose(found["moved"], [100 / 6, 100], rtol=RTOL)
    assert_allclose(found["change.unitary"], [100 / 6, 100], rtol=RTOL)
    now = centre(np.array([[3.0, 2, 1], [2, 2, 2]]))
    wanted = centre(np.array([[1.0, 2, 3], [2, 2, 2]]))
    apart = aitchison_distance(now[None], wanted[None])[0]
    assert_allclose(found["distance_of_centres"], [apart, third], rtol=1e-9)
    assert any("Without cluster, and in no group: 1 row." in note for note in result.notes)
    assert "by cluster" in result.summary() and result.chart().to_svg()


def test_limits_of_the_mean_distance() -> None:
    """Distances a = sqrt(2) ln 3 and 0: mean a / 2, sd a / sqrt(2), t of 1 is 12.706."""
    data = responses(ROWS[:2], cluster=["a"] * 2)
    result = congruence(data, "shift").by("cluster")
    a = math.sqrt(2) * math.log(3)
    assert_allclose(result.distance_high - result.distance, 12.7062047 * a / 2, rtol=1e-7)
    assert_allclose(result.distance - result.distance_low, 12.7062047 * a / 2, rtol=1e-7)
    narrow = congruence(data, "shift").by("cluster", conf_level=0.5)
    assert_allclose(narrow.distance_high - narrow.distance, a / 2, rtol=1e-9)  # t of 1 at .75 is 1
    assert "not with 0" in result.chart().description
    assert result.below_min_n == (True,)


@pytest.mark.parametrize(
    ("roles", "by", "why"),
    [
        ({"weight": [1.0, 2.0], "cluster": ["a", "a"]}, "cluster", "No limits of weighted means"),
        ({"cluster": ["a", "b"], "partnership": ["x", "x"]}, "partnership", "answer alike"),
    ],
)
def test_no_limits_where_people_are_no_draws(roles: Any, by: str, why: str) -> None:
    result = congruence(responses(ROWS[:2], **roles), "shift").by(by)
    assert np.isnan(result.distance_low).all() and np.isfinite(result.distance).all()
    assert any(why in note for note in result.notes)


def test_two_waves_of_the_same_people_are_no_more_people() -> None:
    data = responses([ROWS[0]] * 4, wave=[1, 1, 2, 2], cluster=["a"] * 4)
    data = data.replace(frame=data.frame.assign(respondent=["p", "q", "p", "q"]))
    result = congruence(data, "shift")
    assert any("4 rows of 2 people" in note for note in result.notes)
    assert (result.by("cluster").n, result.by("cluster").n_rows) == ((2,), (4,))
    apart = result.by(["cluster", "wave"])
    assert (apart.n, apart.keys) == ((2, 2), ("cluster", "wave"))
    assert np.isnan(result.by("cluster").distance_low).all()
    assert_allclose(apart.distance_low, math.sqrt(2) * math.log(3))  # nobody differs


def test_picks_against_points_are_told_apart() -> None:
    instrument = load_instrument("relational_context")
    frame = pd.DataFrame([[1.0] * 6], columns=[f"ctx.now.0{i}" for i in range(1, 7)])
    for item in instrument.item_ids:
        frame[item] = frame.get(item, NAN)
    parts = instrument.scale("ctx.points.wanted").parts
    for name, points in (("network", 50.0), ("coalition", 30.0), ("unitary", 20.0)):
        frame[parts[name][0]] = points
    data = from_frame(frame, instrument=instrument)
    notes = congruence(data, "ctx.now", "ctx.points.wanted").notes
    assert any("ctx.now are picks and ctx.points.wanted are points" in note for note in notes)
    assert not any(
        "are picks and" in note for note in congruence(data, "ctx.now", "ctx.wanted").notes
    )


def test_no_minus_zero_is_shown() -> None:
    rows = [((2, 2, 2), (2, 2, 2))]
    text = congruence(responses(rows, cluster=["a"]), "shift").by("cluster").summary()
    assert "-0" not in text and "−0" not in text


def test_weights_enter_the_means() -> None:
    data = responses(ROWS[:2], weight=[3.0, 1.0], cluster=["a", "a"])
    result = congruence(data, "shift")
    assert_allclose(result.distance, math.sqrt(2) * math.log(3) * 3 / 4, rtol=RTOL)
    assert_allclose(result.change, [-25, 0, 25], atol=1e-12)
    assert_allclose(result.by("cluster").distance[0], result.distance, rtol=RTOL)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_the_way_back_is_as_long(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [tuple(rng.multinomial(6, [0.5, 0.3, 0.2], size=2).tolist()) for _ in range(8)]
    there = congruence(responses(rows), "now", "wanted").to_frame()
    back = congruence(responses([(b, a) for a, b in rows]), "now", "wanted").to_frame()
    assert_allclose(there["shift.distance"], back["shift.distance"], atol=1e-12)
    assert_allclose(there["shift.network"], -back["shift.network"], atol=1e-12)
    counts = np.array(rows, dtype=float)
    expected = aitchison_distance(replace_counts(counts[:, 0]), replace_counts(counts[:, 1]))
    assert_allclose(there["shift.distance"], expected, atol=1e-10)


def test_refused_zeros_have_no_distance() -> None:
    with pytest.raises(DataError, match=r"A share of 0 in 'now': 1 row\..*zeros='refuse'"):
        congruence(responses(ROWS), "shift", zeros="refuse")
    assert congruence(responses(ROWS[:2]), "shift", zeros="refuse").n_scored == 2


def test_what_cannot_be_compared_is_refused() -> None:
    data = responses(ROWS)
    with pytest.raises(DataError, match="have different types"):
        congruence(data, "now", "other")
    with pytest.raises(DataError, match="'now' is named twice"):
        congruence(data, "now", "now")
    with pytest.raises(DataError, match="Name both"):
        congruence(data, "now")
    with pytest.raises(DataError, match="'shift' is scored by the rule 'distance'"):
        congruence(data, "now", "shift")


@pytest.mark.parametrize("n_rows", [0, 2])
def test_nobody_answered(n_rows: int, engine: Any) -> None:
    data: Responses = responses([((), ()), ((), ())], engine)
    if not n_rows:
        nobody = nw.from_native(data.frame).filter(nw.col("respondent") == "nobody")
        data = data.replace(frame=nobody.to_native())
    result = congruence(data, "shift")
    assert (result.n_rows, result.n_scored) == (n_rows, 0)
    assert math.isnan(result.distance)
    assert "0 of" in result.summary()
    assert result.chart().to_svg().startswith("<svg")
    assert len(engine.pandas(result.to_frame())) == n_rows


def test_the_notes_say_how_far_it_is() -> None:
    notes = congruence(responses(ROWS[:1]), "shift").notes
    # sqrt(2) ln 3 / sqrt(2/3) = sqrt(3) ln 3 = 1.90, e^1.90 = 6.7
    assert any("6.7-fold" in note and "33 of 100 points" in note for note in notes)
