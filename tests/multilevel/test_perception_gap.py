"""Two views of the same school: worked by hand, against Welch's test, and with odd schools."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

import collabsurvey as cs
from collabsurvey.errors import (
    DataError,
    NotEnoughDataError,
    NotSupportedError,
    OptionError,
    UnknownNameError,
    WeightsNotAppliedError,
)
from collabsurvey.multilevel.perception_gap import perception_gap
from collabsurvey.multilevel.perception_gap_schools import (
    Side,
    categories,
    correlation,
    spread,
    welch,
)
from collabsurvey.responses import Responses

RTOL = 1e-10
NA = np.nan
ROLES = {"cluster": "school", "staff_role": "job"}

# School a: leaders 5, 4; staff 2, 3, 4. School b: one head 3; staff 3, 5. School c: staff only.
# School d: leaders 2, 2, 5; staff 4, 4.
VIEWS = [
    *[("a", "head", 5), ("a", "deputy", 4), ("a", "teacher", 2), ("a", "teacher", 3)],
    *[("a", "teacher", 4), ("b", "head", 3), ("b", "teacher", 3), ("b", "teacher", 5)],
    *[("c", "teacher", 1), ("c", "teacher", 2)],
    *[("d", "head", 2), ("d", "deputy", 2), ("d", "deputy", 5)],
    *[("d", "teacher", 4), ("d", "teacher", 4)],
]


def lived(engine: Any = None, rows: list[Any] = VIEWS) -> Responses:
    """One scale that everybody answers."""
    frame = pd.DataFrame(rows, columns=["school", "job", "open"]).astype({"open": float})
    return cs.from_frame(
        frame if engine is None else engine(frame),
        scales={"openness": ["open"]},
        response_range=(1, 5),
        roles=ROLES,
    )


def mirrored(engine: Any = None, rows: list[Any] = VIEWS) -> Responses:
    """The same views as two scales: leaders answer the first, teachers the second."""
    frame = pd.DataFrame(rows, columns=["school", "job", "open"]).astype({"open": float})
    leads = frame["job"] != "teacher"
    frame["own"], frame["seen"] = frame["open"].where(leads), frame["open"].where(~leads)
    return cs.from_frame(
        frame if engine is None else engine(frame),
        scales={"self": ["own"], "others": ["seen"]},
        response_range=(1, 5),
        roles=ROLES,
    )


LEADERS = ("head", "deputy")


def check_by_hand(frame: pd.DataFrame) -> None:
    frame = frame.set_index("school")
    assert frame.index.tolist() == ["a", "b", "c", "d"]
    assert frame["n_first"].tolist() == [2, 1, 0, 3]
    assert frame["n_second"].tolist() == [3, 2, 2, 2]
    assert_allclose(frame["gap"], [4.5 - 3, 3 - 4, NA, 3 - 4])
    # a: variances 1/2 and 1; b: the head's answer is given; d: variances 3 and, since two
    # teachers who say the same are no proof that teachers never differ, that of all people:
    # sums of squares 2.5 + 2 + 6 on 7 degrees of freedom (leaders alone would have only 3).
    v, w = [1 / 2 / 2, 1 / 3], [3 / 3, 1.5 / 2]
    df = [(v[0] + v[1]) ** 2 / (v[0] ** 2 / 1 + v[1] ** 2 / 2), 1, NA]
    df += [(w[0] + w[1]) ** 2 / (w[0] ** 2 / 2 + w[1] ** 2 / 7)]
    assert_allclose(frame["se"], np.sqrt([v[0] + v[1], 2 / 2, NA, w[0] + w[1]]), rtol=RTOL)
    assert_allclose(frame["df"], df, rtol=RTOL)
    assert frame["sd_borrowed"].tolist() == [False, False, False, True]
    assert_allclose(frame.loc["b", "ci_high"], -1 + 12.706204736, rtol=1e-9)  # t of 1 at .975
    assert_allclose(frame.loc["d", "ci_high"], -1 + stats.t.ppf(0.975, df[3]) * np.sqrt(1.75))
    # Sums of squares 1/2 + 2, 0 + 2, 6 + 0 on 1 + 2, 0 + 1, 2 + 1 degrees of freedom.
    sd = np.sqrt((2.5 + 2 + 6) / 7)
    assert_allclose(frame["gap_sd"], [1.5 / sd, -1 / sd, NA, -1 / sd], rtol=RTOL)
    assert_allclose(frame.loc["d", "gap_sd_high"], frame.loc["d", "ci_high"] / sd, rtol=1e-9)
    assert frame["category"].tolist() == ["over-rates", "under-rates", "", "under-rates"]
    assert frame["identifies_one"].tolist() == [False, True, False, False]
    assert frame["below_min_n"].all()


def test_espoused_and_lived_by_hand(engine: Any) -> None:
    result = perception_gap(lived(engine), "openness", groups=(LEADERS, "teacher"))
    check_by_hand(result.to_frame())
    assert (result.first, result.second) == ("head + deputy", "teacher")
    assert result.one_sided == ("c",)
    whole = result.over_schools().iloc[0]
    gaps = np.array([1.5, -1, -1])
    error = gaps.std(ddof=1) / np.sqrt(3)
    assert_allclose([whole["estimate"], whole["std_error"]], [-1 / 6, error], rtol=RTOL)
    assert_allclose(whole["ci_low"], -1 / 6 - 4.302652730 * error, rtol=1e-9)
    assert_allclose(whole["estimate_sd"], -1 / 6 / result.pooled_sd, rtol=RTOL)
    assert whole[["n_schools", "n_over", "n_alike", "n_under"]].tolist() == [3, 1, 0, 2]
    r = np.corrcoef([4.5, 3, 3], [3, 4, 4])[0, 1]
    assert_allclose(whole["correlation"], r, rtol=RTOL)
    text = " ".join(result.notes)
    assert "Only teacher, so no gap, by school: c" in text
    assert "beyond the largest possible gap of 4, because there are too few" in text
    assert "takes the spread in all schools (sd_borrowed): d" in text
    assert "taken as given, so the interval is about the other side only: b" in text
    assert "must not be published, nor the gap made of it (identifies_one), by school: b" in text
    assert "Edwards, 2001" in text and "does not say who is right" in text


def test_self_and_others_by_hand(engine: Any) -> None:
    result = perception_gap(mirrored(engine), "self", "others")
    check_by_hand(result.to_frame())
    assert (result.first, result.second, result.scales) == ("self", "others", ("self", "others"))


def test_sides_swapped_turn_the_sign() -> None:
    one = perception_gap(mirrored(), "self", "others")
    two = perception_gap(mirrored(), "others", "self")
    a, b = one.to_frame(), two.to_frame()
    assert_allclose(a["gap"], -b["gap"])
    assert_allclose(a["ci_low"], -b["ci_high"])
    assert_allclose(a["se"], b["se"])
    turned = {"over-rates": "under-rates", "under-rates": "over-rates", "": ""}
    assert [turned[x] for x in a["category"]] == b["category"].tolist()
    whole = [x.over_schools().iloc[0] for x in (one, two)]
    assert_allclose(whole[0]["estimate"], -whole[1]["estimate"])
    assert_allclose(whole[0]["correlation"], whole[1]["correlation"])


schools = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from(["head", "teacher"]), st.integers(1, 5)),
    min_size=4,
    max_size=30,
)


@given(schools, st.randoms(use_true_random=False))
def test_order_of_rows_does_not_count(rows: list[Any], random: Any) -> None:
    def sides(some: list[Any]) -> tuple[Side, Side]:
        frame = pd.DataFrame(some, columns=["school", "job", "x"])
        code = frame["school"].map({"a": 0, "b": 1, "c": 2, "d": 3}).to_numpy()
        x = frame["x"].to_numpy(dtype=float)
        leads = (frame["job"] == "head").to_numpy()
        return (
            Side.of(np.where(leads, x, NA), code, 4),
            Side.of(np.where(leads, NA, x), code, 4),
        )

    first, second = sides(rows)
    gap, se, df, _ = welch(first, second)
    there, back = welch(*sides(random.sample(rows, len(rows)))), welch(second, first)
    for ours, theirs, turned, sign in zip(
        (gap, se, df), there[:3], back[:3], (-1, 1, 1), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
        assert_allclose(ours, sign * turned, rtol=1e-12)
    known = ~np.isnan(se)
    assert (known == (~np.isnan(gap) & ((first.n > 1) | (second.n > 1)))).all()
    # Between the smaller side's degrees of freedom and all of them (Welch, 1947), or those of
    # the spread in all schools, which may take the place of a side's own.
    least = np.fmin(first.df, second.df)[known]
    borrowed = max(df for _, df in spread(first, second))
    most = np.nan_to_num(np.fmax(first.df, borrowed))[known]
    most += np.nan_to_num(np.fmax(second.df, borrowed))[known]
    assert (df[known] >= least - 1e-9).all() and (df[known] <= most + 1e-9).all()


def test_welch_is_that_of_scipy() -> None:
    rng = np.random.default_rng(6)
    a, b = rng.normal(0, 1, 12), rng.normal(0.4, 2, 30)
    school = np.zeros(42, dtype=np.int64)
    first = Side.of(np.r_[a, np.full(30, NA)], school, 1)
    second = Side.of(np.r_[np.full(12, NA), b], school, 1)
    gap, se, df, borrowed = welch(first, second)
    assert not borrowed.any()
    theirs = stats.ttest_ind(a, b, equal_var=False)
    assert_allclose(gap / se, theirs.statistic, rtol=1e-10)
    assert_allclose(df, theirs.df, rtol=1e-10)


def sides_of(first: list[list[float]], second: list[list[float]]) -> tuple[Side, Side]:
    """Values of each school on both sides."""
    n = len(first)
    made = []
    for values in (first, second):
        code = np.repeat(np.arange(n), [len(x) for x in values])
        made.append(Side.of(np.concatenate([np.array(x, dtype=float) for x in values]), code, n))
    return made[0], made[1]


STAFF = [3, 3, 4, 3, 2, 4, 3, 3, 4, 3]


def test_two_heads_who_agree_make_no_narrow_interval() -> None:
    """Heads 4 and 4, staff 3.2 with a sum of squares of 3.6 on 9 degrees of freedom.

    The spread of all is 3.6 on 1 + 9; so the error is .36 / 2 for heads, .4 / 10 for staff.
    """
    gap, se, df, borrowed = welch(*sides_of([[4, 4]], [STAFF]))
    assert_allclose([gap[0], se[0] ** 2], [0.8, 0.18 + 0.04], rtol=RTOL)
    assert_allclose(df, 0.22**2 / (0.18**2 / 10 + 0.04**2 / 9), rtol=RTOL)
    assert borrowed.tolist() == [True]


def test_a_side_with_enough_pairs_lends_its_own_spread() -> None:
    """Five pairs of heads: four differ by 1 (sums of squares 1/2), so .4 on 5."""
    heads = [[4.0, 4.0], *[[3.0, 4.0]] * 4]
    first, second = sides_of(heads, [STAFF] * 5)
    assert_allclose(spread(first, second), [(0.4, 5), (0.4, 45)], rtol=RTOL)
    _, se, df, borrowed = welch(first, second)
    assert borrowed.tolist() == [True, False, False, False, False]
    assert_allclose(se[0] ** 2, 0.4 / 2 + 0.4 / 10, rtol=RTOL)
    assert_allclose(df[0], 0.24**2 / (0.2**2 / 5 + 0.04**2 / 9), rtol=RTOL)


def test_limits_of_two_heads_and_ten_staff_cover_the_gap() -> None:
    """Means of four answers from 1 to 5 in 8 schools; plain Welch limits cover 89 %."""
    rng = np.random.default_rng(4)

    def means(true: float, n: int) -> Any:
        latent = rng.normal(true, 0.6, (n, 1)) + rng.normal(0, 0.7, (n, 4))
        return np.clip(np.round(latent), 1, 5).mean(axis=1)

    true = means(3.6, 200_000).mean() - means(3.0, 200_000).mean()
    covered, code1, code2 = [], np.repeat(np.arange(8), 2), np.repeat(np.arange(8), 10)
    for _ in range(400):
        first = Side.of(means(3.6, 16), code1, 8)
        second = Side.of(means(3.0, 80), code2, 8)
        gap, se, df, _ = welch(first, second)
        covered += (np.abs(gap - true) <= stats.t.ppf(0.975, df) * se).tolist()
    assert 0.955 <= np.mean(covered) <= 0.985  # .97 in 16 000 schools


def test_the_rosier_view_of_what_is_worse_when_high() -> None:
    """cul.gap: leaders see 2 where staff live 4, so they over-rate their school."""
    items = [f"cul.gap.0{k}" for k in range(1, 6)]
    instrument = cs.load_instrument("culture")
    keys = instrument.keys_of(items)
    frame = pd.DataFrame({"school": list("aaaa"), "job": ["D", "D", "F", "F"]})
    for item in instrument.item_ids:
        frame[item] = NA
    for item, key in zip(items, keys, strict=True):
        score = np.array([2.0, 3, 4, 5])
        frame[item] = score if key == 1 else 6 - score
    data = cs.from_frame(frame, instrument=instrument, roles=ROLES)
    result = perception_gap(data, "cul.gap", groups=("D", "F"))
    assert_allclose(result.to_frame()["gap"], [-2])
    assert result.to_frame()["category"].tolist() == ["over-rates"]
    assert result.over_schools()[["n_over", "n_under"]].to_numpy().tolist() == [[1, 0]]
    assert "High scores of cul.gap are worse" in " ".join(result.notes)
    assert "cul.gap: D against F by school" in result.summary()
    assert result.chart().title == "cul.gap: D and F by school"


def test_half_of_the_people_or_of_the_gaps() -> None:
    gap = np.array([1.0, 1.0, 3.0, NA])
    assert categories(gap, 4.0, "people") == ["in agreement", "in agreement", "over-rates", ""]
    # Gaps: mean 5/3, sd 1.155; half of it is .577.
    assert categories(gap, 4.0, "gaps") == ["under-rates", "under-rates", "over-rates", ""]
    assert categories(np.array([2.0, -2.0]), 4.0, "people") == ["over-rates", "under-rates"]
    assert categories(gap, NA, "people") == [""] * 4
    assert categories(np.array([1.0, 1.0]), 1.0, "gaps") == ["", ""]
    result = perception_gap(mirrored(), "self", "others", half_sd_of="gaps")
    assert any("compares schools with each other" in note for note in result.notes)


def test_correlation_and_its_limits() -> None:
    x, y = np.array([1.0, 2, 3, 4, 5]), np.array([2.0, 1, 4, 3, 5])
    r, low, high = correlation(x, y, 0.95)
    assert_allclose(r, 0.8)
    reach = 1.959963985 / np.sqrt(2)
    assert_allclose([low, high], np.tanh([np.arctanh(0.8) - reach, np.arctanh(0.8) + reach]))
    assert np.isnan(correlation(x[:2], y[:2], 0.95)).all()
    assert np.isnan(correlation(np.ones(5), y, 0.95)).all()
    assert np.isnan(correlation(x[:3], y[:3], 0.95)[1])


def test_pomp_and_raw_say_the_same_in_sd() -> None:
    raw = perception_gap(mirrored(), "self", "others").to_frame()
    pomp = perception_gap(mirrored(), "self", "others", method="pomp").to_frame()
    assert_allclose(pomp["gap"], 25 * raw["gap"])
    assert_allclose(pomp["gap_sd"], raw["gap_sd"])


def test_people_on_both_sides() -> None:
    frame = pd.DataFrame(
        {
            "school": ["a"] * 5,
            "job": ["head", "head", "teacher", "teacher", "teacher"],
            "own": [5.0, 4, 3, NA, NA],
            "seen": [NA, 2.0, 4, 3, 1],
        }
    )
    data = cs.from_frame(
        frame, scales={"self": ["own"], "others": ["seen"]}, response_range=(1, 5), roles=ROLES
    )
    with pytest.raises(DataError, match="2 people have a score on both sides"):
        perception_gap(data, "self", "others")
    row = perception_gap(data, "self", "others", both="first")
    assert row.to_frame()[["n_first", "n_second"]].to_numpy().tolist() == [[3, 2]]
    assert any("2 people with a score on both sides: counted on the first" in x for x in row.notes)
    row = perception_gap(data, "self", "others", both="second")
    assert row.to_frame()[["n_first", "n_second"]].to_numpy().tolist() == [[1, 4]]
    told = perception_gap(data, "self", "others", groups=("head", "teacher"))
    assert told.to_frame()[["n_first", "n_second"]].to_numpy().tolist() == [[2, 3]]
    assert told.first == "self (head)"


def test_odd_schools() -> None:
    rows = [
        *[("e", "head", 4), ("e", "teacher", 2)],  # one person on each side
        *[("f", "head", 3), ("f", "head", 3), ("f", "teacher", 2), ("f", "teacher", 2)],  # alike
        *[("g", "head", 1)],  # leaders only
        *[(None, "teacher", 2)],
    ]
    result = perception_gap(lived(rows=rows), "openness", groups=("head", "teacher"), min_n=2)
    frame = result.to_frame().set_index("school")
    assert_allclose(frame["gap"], [2, 1, NA])
    assert_allclose(frame["se"], [NA, 0, NA])
    assert_allclose(frame.loc["f", ["ci_low", "ci_high", "df"]].astype(float), [1, 1, 2])
    assert frame["identifies_one"].tolist() == [True, False, True]
    assert frame["below_min_n"].tolist() == [True, False, True]
    assert (frame["category"] == "").all() and np.isnan(result.pooled_sd)
    text = " ".join(result.notes)
    for part in (
        "One person on each side, so no interval: e",
        "without width that says nothing about others: f",
        "Only head, so no gap, by school: g",
        "without school, left out: 1",
        "no category",
        "needs three at least",
    ):
        assert part in text
    result.summary(), result.chart().to_svg()


def test_one_school_has_no_mean_gap() -> None:
    rows = [row for row in VIEWS if row[0] == "a"]
    result = perception_gap(lived(rows=rows), "openness", groups=(LEADERS, "teacher"))
    whole = result.over_schools().iloc[0]
    assert whole["estimate"] == 1.5 and np.isnan(whole["std_error"]) and np.isnan(whole["ci_low"])
    assert any("One school with both views" in note for note in result.notes)


def test_groups_may_be_numbers_in_any_column() -> None:
    frame = pd.DataFrame({"place": [1, 1, 1, 2, 2, 2], "level": [1, 2, 2, 1, 1, 2]})
    frame["x"] = [5.0, 3, 4, 2, 3, 1]
    data = cs.from_frame(frame, scales={"s": ["x"]}, response_range=(1, 5))
    result = perception_gap(data, "s", by="place", role="level", groups=(1, 2))
    assert result.to_frame()["place"].tolist() == [1, 2]
    assert_allclose(result.to_frame()["gap"], [5 - 3.5, 2.5 - 1])


def test_the_shipped_leadership_instrument() -> None:
    """Reversed items are turned round on both sides; the forms are answered by different people."""
    instrument = cs.load_instrument("relational_leadership")
    frame = pd.DataFrame({"school": list("aabbaabb"), "job": ["D"] * 4 + ["F"] * 4})
    for item in instrument.items:
        own = ".self." in item.id
        score = np.array([5, 4, 4, 4, 3, 3, 2, 3.0])
        score = score if item.keyed == 1 else 6 - score
        frame[item.id] = np.where((frame["job"] == "D") == own, score, NA)
    data = cs.from_frame(frame, instrument=instrument, roles=ROLES)
    result = perception_gap(data, "ldr.attends.self", "ldr.attends")
    assert_allclose(result.to_frame()["gap"], [4.5 - 3, 4 - 2.5])


def test_table_and_chart() -> None:
    result = perception_gap(mirrored(), "self", "others")
    assert "self against others by school" in result.summary()
    assert result.table().n_rows == 4
    assert "a 4.50 and 3.00" in result.chart().description
    assert "c " not in result.chart().description.split(":", 1)[1]
    ax = result.plot()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["b", "d", "a"]


def test_refusals() -> None:
    data = lived()
    with pytest.raises(OptionError, match="groups=None"):
        perception_gap(data, "openness")
    with pytest.raises(OptionError, match="a pair"):
        perception_gap(data, "openness", groups="head")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="teacher is in both"):
        perception_gap(data, "openness", groups=("teacher", ("head", "teacher")))
    with pytest.raises(UnknownNameError, match="Did you mean 'teacher'"):
        perception_gap(data, "openness", groups=("head", "teachers"))
    with pytest.raises(UnknownNameError, match="no scale 'opennes'"):
        perception_gap(data, "opennes", groups=("head", "teacher"))
    with pytest.raises(OptionError, match="second='openness'"):
        perception_gap(data, "openness", "openness", groups=("head", "teacher"))
    for option in ({"both": "none"}, {"half_sd_of": "x"}, {"min_n": 0}, {"method": "z"}):
        with pytest.raises(OptionError, match=next(iter(option))):
            perception_gap(data, "openness", groups=("head", "teacher"), **option)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="conf_level"):
        perception_gap(data, "openness", groups=("head", "teacher"), conf_level=95)
    with pytest.raises(DataError, match="takes Responses"):
        perception_gap(data.frame, "openness")
    with pytest.raises(DataError, match="role 'cluster'"):
        perception_gap(data.replace(roles={}), "openness", groups=("head", "teacher"))
    with pytest.raises(DataError, match="role 'staff_role'"):
        cluster = data.replace(roles={"cluster": "school"})
        perception_gap(cluster, "openness", groups=("head", "teacher"))
    with pytest.raises(WeightsNotAppliedError, match="perception_gap"):
        weighted = data.replace(roles={**ROLES, "weight": "open"})
        perception_gap(weighted, "openness", groups=("head", "teacher"))
    with pytest.raises(NotEnoughDataError, match="both head and teacher"):
        apart = lived(rows=[("a", "head", 3), ("b", "teacher", 2)])
        perception_gap(apart, "openness", groups=("head", "teacher"))
    with pytest.raises(NotSupportedError, match="consensus"):
        cards = cs.load_instrument("shared_meaning")
        frame = pd.DataFrame({item: [1.0, 2.0] for item in cards.item_ids if "line" not in item})
        frame = frame.assign(**{"mng.line.01": ["a", "b"], "school": ["a", "a"], "job": ["x", "y"]})
        picked = cs.from_frame(frame, instrument=cards, roles=ROLES)
        perception_gap(picked, "mng.cards", groups=("x", "y"))


def test_scales_with_other_ranges_need_pomp() -> None:
    instrument = cs.load_instrument("relational_context")
    frame = pd.DataFrame({"school": list("aabb"), "job": list("xyxy")})
    for item in instrument.item_ids:
        frame[item] = np.full(4, NA)
    frame["ctx.like.network.01"] = [3.0, NA, 5, NA]
    frame["ctx.like.unitary.01"] = [NA, 4.0, NA, 1]
    data = cs.from_frame(frame, instrument=instrument, roles=ROLES)
    same = perception_gap(data, "ctx.like.network", "ctx.like.unitary")
    assert_allclose(same.to_frame()["gap"], [-1, 4])
    wider = instrument.model_copy(
        update={
            "items": tuple(
                item.model_copy(update={"response": "points"})
                if item.id == "ctx.like.unitary.01"
                else item
                for item in instrument.items
            ),
            "response_sets": {
                **instrument.response_sets,
                "points": instrument.response_sets["contact3"].model_copy(
                    update={"type": "bounded", "values": (0.0, 100.0), "labels": {}}
                ),
            },
        }
    )
    with pytest.raises(DataError, match="0 to 10, 'ctx.like.unitary' from 0 to 100"):
        perception_gap(data.replace(instrument=wider), "ctx.like.network", "ctx.like.unitary")
    other = perception_gap(
        data.replace(instrument=wider), "ctx.like.network", "ctx.like.unitary", method="pomp"
    )
    assert_allclose(other.to_frame()["gap"], [30 - 4, 50 - 1])
