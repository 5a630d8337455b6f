"""Shares of picks and points: rules by hand, every engine, and the arrays they must equal."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.errors import DataError, OptionError, UnknownNameError
from collabsurvey.instruments import Instrument, read_instrument
from collabsurvey.numerics.compositions import (
    Prior,
    centre,
    clr,
    ilr,
    replace_counts,
    replace_multiplicatively,
)
from collabsurvey.responses import Responses, from_frame
from collabsurvey.scoring.composition import composition
from collabsurvey.scoring.log_ratios import PRIOR_WORDS

RTOL = 1e-10  # closed forms
TYPES = ("network", "coalition", "unitary")
TRIADS = [f"now.{i}" for i in range(1, 7)]
POINTS = [f"{one}.{b}" for one in TYPES for b in (1, 2)]
NAN = math.nan

HEAD = """
schema_version: "1.0"
id: context
version: 1.0.0
title: Context
kind: own
licence:
  {items: CC-BY-4.0, key: CC0-1.0, redistribute_text: true, commercial: true, confidence: high}
response_sets:
  pick: {type: nominal, values: [1, 2, 3], labels: {en-GB: [a, b, c]}}
  points: {type: bounded, values: [0, 100]}
  agree: {type: ordinal, values: [1, 2, 3, 4, 5], labels: {en-GB: [a, b, c, d, e]}}
items:
"""


@cache
def instrument() -> Instrument:
    def item(name: str, answers: str) -> str:
        return f"  - {{id: {name}, text: {{en-GB: 'Which of {name}?'}}, response: {answers}}}\n"

    items = "".join(item(name, "pick") for name in TRIADS)
    items += "".join(item(name, "points") for name in POINTS) + item("like.1", "agree")
    types = ", ".join(f"{code}: {name}" for code, name in enumerate(TYPES, start=1))
    parts = ", ".join(f"{name}: [{name}.1, {name}.2]" for name in TYPES)
    scoring = f"""scoring:
  - {{id: now, title: Now, rule: composition, types: {{{types}}}, items: [{", ".join(TRIADS)}]}}
  - id: given
    title: Given
    rule: composition
    parts: {{{parts}}}
    total: 100
    items: [{", ".join(POINTS)}]
    min_valid: "1/2"
  - {{id: like, title: Like, items: [like.1], min_valid: 1}}
"""
    return read_instrument(HEAD + items + scoring)


def responses(
    picks: Any = None,
    points: Any = None,
    *,
    make: Any = lambda frame: frame,
    **columns: list[Any],
) -> Responses:
    """Rows of six picks, or of points in the order of POINTS; other columns are roles."""
    n = len(picks if picks is not None else points or [])
    blank = [[NAN] * 6] * n
    given = {name: table or blank for name, table in (("picks", picks), ("points", points))}
    frame = pd.concat(
        [
            pd.DataFrame(given["picks"], columns=TRIADS, dtype=float),
            pd.DataFrame(given["points"], columns=POINTS, dtype=float),
        ],
        axis=1,
    )
    frame["like.1"] = 3.0
    columns.setdefault("respondent", [f"p{i}" for i in range(n)])
    for role, values in columns.items():
        frame[role] = pd.Series(values, dtype=object if role != "weight" else float)
    return from_frame(make(frame), instrument=instrument(), roles={role: role for role in columns})


def block(*parts: float) -> list[float]:
    """The points of one block, the other left blank, in the order of POINTS."""
    return [value for part in parts for value in (part, NAN)]


# Picks.

PICKS: list[Any] = [
    [1, 1, 1, 2, 2, 3],  # 3, 2, 1
    [1, 1, 1, 1, 2, NAN],  # 4, 1, 0 of five
    [1, 1, 2, 2, 3, 3],  # three tied
    [2, 2, 1, 1, NAN, NAN],  # two tied of four, which is enough
    [3, 3, 3, NAN, NAN, NAN],  # too few
    [NAN] * 6,
]


def test_share_is_picks_over_triads_answered() -> None:
    result = composition(responses(PICKS), "now")
    found = result.to_frame(keep=["respondent"])
    assert list(found.columns) == [
        "respondent",
        *(f"now.{name}" for name in TYPES),
        "now.modal",
        "now.n_tied",
        "now.n_answered",
    ]
    assert_allclose(
        found[[f"now.{name}" for name in TYPES]].to_numpy(float),
        [
            [3 / 6, 2 / 6, 1 / 6],
            [4 / 5, 1 / 5, 0],
            [1 / 3, 1 / 3, 1 / 3],
            [1 / 2, 1 / 2, 0],
            [NAN] * 3,
            [NAN] * 3,
        ],
        rtol=RTOL,
    )
    assert [None if pd.isna(x) else x for x in found["now.modal"]] == [
        *["network"] * 2,
        *[None] * 4,
    ]
    assert_allclose(found["now.n_tied"].to_numpy(float), [0, 0, 3, 2, NAN, NAN])
    assert_allclose(found["now.n_answered"].to_numpy(float), [6, 5, 6, 4, 3, 0])
    assert (result.n_rows, result.n_scored, result.n_unscored) == (6, 4, 2)
    assert (result.n_tied, result.n_with_zero, result.n_modal) == (2, 2, (2, 0, 0))
    assert_allclose(result.mean_shares[0], (3 / 6 + 4 / 5 + 1 / 3 + 1 / 2) / 4, rtol=RTOL)
    assert result.faults is None


def test_zeros_of_picks_are_replaced_for_log_ratios_only() -> None:
    result = composition(responses(PICKS), "now")
    # Jeffreys: (1/2) / (5 + 3/2) of five picks.
    zero = 0.5 / 6.5
    shares = np.array([[4 / 5 * (1 - zero), 1 / 5 * (1 - zero), zero]])
    found = result.to_frame(as_="clr")
    assert_allclose(
        found[[f"now.clr.{name}" for name in TYPES]].to_numpy(float)[1], clr(shares)[0], rtol=RTOL
    )
    found = result.to_frame(as_="ilr")
    assert list(found.columns)[:2] == ["now.ilr.1", "now.ilr.2"]
    assert_allclose(found.to_numpy()[1, :2].astype(float), ilr(shares)[0], rtol=RTOL)
    assert any("A share of 0 in now: 2 rows." in n and "Jeffreys" in n for n in result.notes)


@pytest.mark.parametrize("prior", PRIOR_WORDS)
def test_engines_compute_what_the_arrays_do(engine: Any, prior: Prior) -> None:
    rng = np.random.default_rng(5)
    picks = rng.choice([1.0, 2.0, 3.0, NAN], size=(40, 6), p=[0.6, 0.25, 0.05, 0.1])
    data = responses(picks.tolist(), make=engine)
    result = composition(data, "now", prior=prior)
    found = engine.pandas(result.to_frame(keep="respondent", as_="clr"))
    found = found.set_index("respondent").loc[[f"p{i}" for i in range(40)]]
    counts = np.column_stack([(picks == code).sum(axis=1) for code in (1, 2, 3)]).astype(float)
    enough = counts.sum(axis=1) >= 4
    replaced = replace_counts(counts[enough], prior)
    columns = [f"now.clr.{name}" for name in TYPES]
    assert_allclose(found[columns].to_numpy(float)[enough], clr(replaced), atol=1e-12)
    assert np.isnan(found[columns].to_numpy(float)[~enough]).all()
    assert_allclose(result.centre, centre(replaced), rtol=1e-9)


@pytest.mark.parametrize("as_", ["shares", "clr", "ilr"])
def test_rows_stay_aligned_with_the_answers(eager_engine: Any, as_: Any) -> None:
    data = responses(PICKS, make=eager_engine)
    found = eager_engine.pandas(composition(data, "now").to_frame(keep="respondent", as_=as_))
    assert found["respondent"].tolist() == [f"p{i}" for i in range(6)]


def test_the_index_of_pandas_is_kept() -> None:
    frame = responses(PICKS).frame.set_axis([9, 9, 3, 1, 0, 7])
    found = composition(responses(PICKS).replace(frame=frame), "now").to_frame()
    assert found.index.tolist() == [9, 9, 3, 1, 0, 7]


def test_refused_zeros_have_no_log_ratios() -> None:
    result = composition(responses(PICKS), "now", zeros="refuse")
    assert np.isnan(result.centre).all()
    with pytest.raises(DataError, match=r"A share of 0.*: 2 rows.*Use zeros='auto'"):
        result.to_frame(as_="clr")
    shares = result.to_frame()["now.unitary"].to_numpy(float)
    assert_allclose(shares[:4], [1 / 6, 0, 1 / 3, 0], rtol=RTOL)
    assert any("zeros='refuse'" in note for note in result.notes)
    whole = composition(responses(PICKS[:1]), "now", zeros="refuse")
    assert_allclose(whole.centre, [1 / 2, 1 / 3, 1 / 6], rtol=RTOL)


def test_gbm_is_refused_where_nobody_else_picked_the_type() -> None:
    with pytest.raises(DataError, match="Use prior='jeffreys'"):
        composition(responses([[1, 1, 1, 2, 2, 2]] * 3), "now", prior="gbm")


# Points.


@pytest.mark.parametrize(
    ("given_points", "options", "expected"),
    [
        ((50, 30, 20), {}, [0.5, 0.3, 0.2]),
        ((33, 33, 33), {}, [1 / 3, 1 / 3, 1 / 3]),  # rounding: closed
        ((34, 34, 33), {}, [34 / 101, 34 / 101, 33 / 101]),
        ((33, 33, 33), {"tolerance": 0}, "too few points"),
        ((50, 30, 18), {}, "too few points"),
        ((50, 30, 18), {"tolerance": 2}, [50 / 98, 30 / 98, 18 / 98]),
        ((50, 40, 20), {}, "too many points"),
        ((0, 0, 0), {}, "too few points"),
        ((60, 40, NAN), {}, [0.6, 0.4, 0]),  # nothing left to give
        ((60, 40, NAN), {"blank": "unanswered"}, "parts left blank"),
        ((60, 39, NAN), {}, "parts left blank"),  # the blank may be the missing point
        ((60, 41, NAN), {}, "too many points"),
        ((100, NAN, NAN), {}, [1, 0, 0]),
        ((33.3, 33.3, 33.4), {"tolerance": 0}, [0.333, 0.333, 0.334]),
        ((NAN, NAN, NAN), {}, None),
    ],
)
def test_blocks_of_points(given_points: Any, options: Any, expected: Any, engine: Any) -> None:
    data = responses(points=[block(*given_points), block(50, 25, 25)], make=engine)
    result = composition(data, "given", **options)
    found = engine.pandas(result.to_frame(keep="respondent")).set_index("respondent")
    shares = found[[f"given.{name}" for name in TYPES]].to_numpy(float)[
        found.index.tolist().index("p0")
    ]
    faults = engine.pandas(result.faults)
    if isinstance(expected, list):
        assert_allclose(shares, expected, rtol=RTOL)
    else:
        assert np.isnan(shares).all()
    if isinstance(expected, str):
        assert faults["respondent"].tolist() == ["p0"]
        assert faults["problem"].tolist() == [expected]
        assert faults["block"].tolist() == [1]
        assert_allclose(faults["points"].astype(float), np.nansum(given_points))
        assert result.n_faults[expected] == sum(result.n_faults.values()) == 1
        assert any(f"1 {expected}" in note and ".faults" in note for note in result.notes)
    else:
        assert len(faults) == sum(result.n_faults.values()) == 0


def test_blocks_are_averaged_and_a_faulty_one_is_left_out() -> None:
    rows = [
        [50, 20, 30, 60, 20, 20],  # (50, 30, 20) and (20, 60, 20)
        [50, 20, 30, 60, 20, 70],  # the second adds up to 150
    ]
    result = composition(responses(points=rows), "given")
    found = result.to_frame()
    columns = [f"given.{name}" for name in TYPES]
    assert_allclose(found[columns].to_numpy(float), [[0.35, 0.45, 0.2], [0.5, 0.3, 0.2]])
    assert found["given.n_answered"].tolist() == [2, 1]
    faults = result.faults
    assert faults[["row", "block", "points", "blank"]].to_numpy().tolist() == [[1, 2, 150, 0]]
    assert faults["scale"].tolist() == ["given"]


def test_zeros_of_points_are_part_of_a_unit() -> None:
    rows = [block(60, 40, 0), [60, 70, 40, 30, 0, 0]]
    columns = [f"given.clr.{name}" for name in TYPES]
    found = composition(responses(points=rows), "given").to_frame(as_="clr")
    # .65 points of 100; of 200 where two blocks count.
    expected = [
        replace_multiplicatively(np.array([[0.6, 0.4, 0.0]]), 0.0065)[0],
        replace_multiplicatively(np.array([[0.65, 0.35, 0.0]]), 0.0065 / 2)[0],
    ]
    assert_allclose(found[columns].to_numpy(float), clr(np.array(expected)), rtol=RTOL)
    fives = composition(responses(points=rows), "given", unit=5).to_frame(as_="clr")
    of_five = replace_multiplicatively(np.array([[0.6, 0.4, 0.0]]), 0.0325)
    assert_allclose(fives[columns].to_numpy(float)[0], clr(of_five)[0], rtol=RTOL)


def test_faults_of_a_lazy_frame_stay_lazy() -> None:
    data = responses(points=[block(50, 40, 20)], make=lambda frame: pl.from_pandas(frame).lazy())
    faults = composition(data, "given").faults
    assert isinstance(faults, pl.LazyFrame)
    assert "row" not in faults.collect_schema().names()


# Groups.


def test_groups(engine: Any) -> None:
    picks = [*PICKS, [2, 2, 2, 2, 2, 2], [1, 1, 1, 1, 3, 3]]
    schools = ["a", "a", "a", "b", "b", "c", "d", None]
    data = responses(picks, cluster=schools, make=engine)
    result = composition(data, "now").by("cluster")
    found = result.to_frame()
    assert found["cluster"].tolist() == ["a", "b", "c", "d"]
    assert found["n"].tolist() == [3, 1, 0, 1]
    assert found["n_unscored"].tolist() == [0, 1, 1, 0]
    shares = found[[f"share.{name}" for name in TYPES]].to_numpy()
    assert_allclose(shares[0], np.mean([[3 / 6, 2 / 6, 1 / 6], [0.8, 0.2, 0], [1 / 3] * 3], axis=0))
    assert_allclose(shares[1], [0.5, 0.5, 0])
    assert np.isnan(shares[2]).all()
    counts = np.array([[3, 2, 1], [4, 1, 0], [2, 2, 2.0]])
    assert_allclose(
        found[[f"centre.{name}" for name in TYPES]].to_numpy()[0],
        centre(replace_counts(counts)),
        rtol=1e-9,
    )
    assert result.modal == ("network", None, None, "coalition")
    assert result.n_tied == (0, 2, 0, 0)
    assert any("Without cluster, and in no group: 1 row." in note for note in result.notes)
    assert "Composition of now by cluster" in result.summary()
    assert result.chart().to_svg().startswith("<svg")


def test_two_waves_of_the_same_people_are_no_more_people(engine: Any) -> None:
    """Three people of a school, one of whom answers at one of two waves only."""
    people, waves = ["p", "q", "r"] * 2, [1.0] * 3 + [2.0] * 3
    picks = [*[PICKS[0]] * 3, *[[2.0] * 6] * 2, [NAN] * 6]
    data = responses(picks, cluster=["a"] * 6, respondent=people, wave=waves, make=engine)
    result = composition(data, "now")
    assert any("6 rows of 3 people: rows of each wave are pooled" in note for note in result.notes)
    group = result.by("cluster", min_n=3)
    assert (group.n, group.n_rows, group.n_unscored) == ((3,), (5,), (1,))
    assert group.below_min_n == (False,)
    assert any("by=['cluster', 'wave']" in note for note in group.notes)
    assert_allclose(group.mean_shares[0], [0.3, 0.6, 0.1])  # (3 x 3/6 + 0) / 5 and so on
    apart = result.by(["cluster", "wave"], min_n=3)
    found = apart.to_frame()
    assert found["cluster"].tolist() == ["a", "a"]
    assert [str(one)[0] for one in found["wave"]] == ["1", "2"]
    assert (apart.n, apart.n_rows) == ((3, 2), (3, 2))
    assert found["below_min_n"].tolist() == [False, True]
    assert apart.groups == tuple(f"a · {one}" for one in found["wave"])
    assert_allclose(found["share.coalition"], [2 / 6, 1])
    assert any(f"Fewer than 3 people, not to be published: {apart.groups[1]}." == note
               for note in apart.notes)  # fmt: skip
    assert "by cluster and wave" in apart.summary() and apart.chart().to_svg()


@pytest.mark.parametrize("by", [[], ["cluster", "cluster"]])
def test_groups_are_named_once(by: Any) -> None:
    with pytest.raises(OptionError, match="by="):
        composition(responses(PICKS, cluster=["a"] * 6), "now").by(by)


def test_ten_people_are_the_least_group() -> None:
    data = responses([PICKS[0]] * 19, cluster=["a"] * 10 + ["b"] * 9)
    assert composition(data, "now").by("cluster").below_min_n == (False, True)
    with pytest.raises(OptionError, match="min_n=0"):
        composition(data, "now").by("cluster", min_n=0)


def test_one_block_is_the_block() -> None:
    notes = composition(responses(points=[block(50, 30, 20)]), "given").notes
    assert notes[0] == "given: 1 of 1 rows have at least 1 of 2 blocks as asked."


def test_weights_enter_means_and_centres() -> None:
    data = responses(PICKS[:2], cluster=["a", "a"], weight=[1.0, 3.0])
    expected = np.array([3 / 6 + 3 * 0.8, 2 / 6 + 3 * 0.2, 1 / 6]) / 4
    result = composition(data, "now")
    assert_allclose(result.mean_shares, expected, rtol=RTOL)
    group = result.by("cluster")
    assert_allclose(group.mean_shares[0], expected, rtol=RTOL)
    replaced = replace_counts(np.array([[3, 2, 1], [4, 1, 0.0]]))
    expected_centre = centre(replaced, np.array([1.0, 3.0]))
    assert_allclose(result.centre, expected_centre, rtol=RTOL)
    assert_allclose(group.centres[0], expected_centre, rtol=RTOL)
    assert group.n == (2,)


def test_refused_zeros_leave_a_group_without_centre() -> None:
    data = responses([PICKS[0], PICKS[1]], cluster=["a", "b"])
    result = composition(data, "now", zeros="refuse").by("cluster")
    assert_allclose(result.centres[0], [1 / 2, 1 / 3, 1 / 6], rtol=RTOL)
    assert np.isnan(result.centres[1]).all()
    assert any("zeros are refused" in note for note in result.notes)


# Data at the edge.


def test_one_type_everywhere() -> None:
    result = composition(responses([[2.0] * 6] * 3), "now")
    assert result.mean_shares == (0, 1, 0)
    assert result.n_modal == (0, 3, 0)
    zero = 0.5 / 7.5
    assert_allclose(result.centre, [zero, 1 - 2 * zero, zero], rtol=RTOL)


def without_rows(data: Responses) -> Responses:
    frame = nw.from_native(data.frame).filter(nw.col("respondent") == "nobody")
    return data.replace(frame=frame.to_native())


@pytest.mark.parametrize("n_rows", [0, 3])
@pytest.mark.parametrize("scale", ["now", "given"])
def test_nobody_answered(n_rows: int, scale: str, engine: Any) -> None:
    data = responses([[NAN] * 6] * 3, make=engine)
    data = data if n_rows else without_rows(data)
    result = composition(data, scale)
    assert (result.n_rows, result.n_scored) == (n_rows, 0)
    assert np.isnan([*result.mean_shares, *result.centre]).all()
    assert len(engine.pandas(result.to_frame())) == n_rows
    assert "0 of" in result.summary()
    assert result.chart().to_svg().startswith("<svg")


def test_one_respondent() -> None:
    result = composition(responses(PICKS[:1], cluster=["a"]), "now")
    assert_allclose(result.mean_shares, [1 / 2, 1 / 3, 1 / 6], rtol=RTOL)
    assert_allclose(result.centre, [1 / 2, 1 / 3, 1 / 6], rtol=RTOL)
    assert result.by("cluster").modal == ("network",)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_order_of_rows_and_engine_do_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    picks = rng.choice([1.0, 2.0, 3.0, NAN], size=(12, 6))
    order = rng.permutation(12)
    columns = [f"now.{name}" for name in TYPES]
    plain = composition(responses(picks.tolist()), "now")
    shares = plain.to_frame()[columns].to_numpy(float)
    known = ~np.isnan(shares[:, 0])
    assert_allclose(shares[known].sum(axis=1), 1, rtol=1e-12)
    turned = composition(responses(picks[order].tolist()), "now")
    assert_allclose(turned.to_frame()[columns].to_numpy(float), shares[order], rtol=1e-12)
    assert_allclose(turned.centre, plain.centre, rtol=1e-9)
    for make in (pl.from_pandas, lambda frame: pl.from_pandas(frame).lazy()):
        other = composition(responses(picks.tolist(), make=make), "now")
        native = other.to_frame(keep="respondent")
        frame = native.collect() if isinstance(native, pl.LazyFrame) else native
        assert_allclose(frame.select(columns).to_pandas().to_numpy(float), shares, rtol=1e-12)
        assert (other.n_tied, other.n_modal) == (plain.n_tied, plain.n_modal)


# What is refused, and what is shown.


def test_answers_are_not_changed() -> None:
    data = responses(PICKS)
    before = data.frame.copy()
    composition(data, "now").by("respondent")
    pd.testing.assert_frame_equal(data.frame, before)


def test_other_rules_are_refused() -> None:
    with pytest.raises(DataError, match="'like' is scored by the rule 'mean', not as a compo"):
        composition(responses(PICKS), "like")
    with pytest.raises(UnknownNameError, match="no scale 'nwo'. Did you mean 'now'"):
        composition(responses(PICKS), "nwo")


@pytest.mark.parametrize(
    "options",
    [
        {"zeros": "drop"},
        {"prior": "haldane"},
        {"blank": "nought"},
        {"tolerance": -1},
        {"tolerance": 100},
        {"unit": 0},
        {"unit": 50},
    ],
)
def test_impossible_options_are_refused(options: Any) -> None:
    with pytest.raises(OptionError, match=f"{next(iter(options))}="):
        composition(responses(points=[block(50, 30, 20)]), "given", **options)


def test_columns_that_are_not_there_are_named() -> None:
    result = composition(responses(PICKS), "now")
    with pytest.raises(DataError, match="role 'cluster', which is not set"):
        result.to_frame(keep=["cluster"])
    with pytest.raises(UnknownNameError, match="no role or role column 'respondnt'"):
        result.by("respondnt")
    with pytest.raises(OptionError, match="as_='log'"):
        result.to_frame(as_="log")  # type: ignore[arg-type]


def test_a_role_column_named_like_a_share_is_refused() -> None:
    data = responses(PICKS)
    frame = data.frame.rename(columns={"respondent": "now.modal"})
    data = data.replace(frame=frame, roles={"respondent": "now.modal"})
    with pytest.raises(DataError, match=r"would be called now\.modal.*Rename"):
        composition(data, "now").to_frame(keep="respondent")


def test_the_table_reads_like_a_table() -> None:
    text = composition(responses(PICKS), "now").summary()
    assert text.splitlines()[0] == "Composition of now: 4 of 6 scored"
    assert "type" in text and "mean share" in text and "most for" in text
    assert "Shares add up to 1" in text
