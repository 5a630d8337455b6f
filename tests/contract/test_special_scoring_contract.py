"""Scores that are no mean: each against a small example worked out by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

import collabsurvey as cs
from collabsurvey.errors import (
    AnswersError,
    CollabSurveyError,
    DataError,
    NotAmountsError,
    NotEnoughDataError,
    OptionError,
    UnknownNameError,
)

RTOL = 1e-10
NOW = [f"ctx.now.0{k}" for k in range(1, 7)]
WANTED = [f"ctx.wanted.0{k}" for k in range(1, 7)]
POINTS_NOW = [f"ctx.points.now.0{k}" for k in (1, 2, 3)]
POINTS_WANTED = [f"ctx.points.wanted.0{k}" for k in (1, 2, 3)]
TYPES = ["network", "coalition", "unitary"]
CARDS = [f"mng.card.0{k}" for k in range(1, 6)]
RANKS = [f"mng.rank.0{k}" for k in range(1, 6)]
FELT = [f"mng.felt.0{k}" for k in range(1, 5)]
BALANCE = [f"aut.balance.0{k}" for k in (1, 2, 3)]


def read(
    instrument: str, items: Sequence[str], rows: Any, engine: Any = None, **columns: Any
) -> cs.Responses:
    """Answers to some items of a shipped instrument; other columns are roles by name."""
    frame = pd.DataFrame(rows, columns=list(items), dtype=float)
    for role, values in columns.items():
        frame[role] = values
    return cs.from_frame(
        frame if engine is None else engine(frame),
        instrument=cs.load_instrument(instrument),
        items="present",
        roles={role: role for role in columns},
    )


def shares(result: Any, as_: str = "shares") -> np.ndarray:
    """The shares or log-ratios of a composition, without the columns that describe them."""
    frame = result.to_frame(as_=as_)
    tails = ("modal", "n_tied", "n_answered")
    return frame[[c for c in frame.columns if not str(c).endswith(tails)]].to_numpy(dtype=float)


def clr(parts: Any) -> np.ndarray:
    logs = np.log(np.asarray(parts, dtype=float))
    return logs - logs.mean(axis=-1, keepdims=True)


# Bipolar items: the signed value and the distance from the middle ----------------------------


@pytest.mark.filterwarnings("ignore::collabsurvey.errors.KeyingWarning")
@pytest.mark.parametrize(
    ("answers", "signed", "distance"),
    [
        ((-3, 0, 3), 0, 2),  # too much of both: in balance on average, far out of it
        ((1, 1, 1), 1, 1),
        ((-2, -2, -2), -2, 2),
        ((0, 0, 0), 0, 0),
        ((-2, -1, None), -1.5, 1.5),  # two of three are enough
        ((3, None, None), np.nan, np.nan),
    ],
)
def test_bipolar_answers_have_a_sign_and_a_distance(
    answers: tuple[float, ...], signed: float, distance: float
) -> None:
    scores = cs.score(
        read("autonomy_accountability", BALANCE, [answers]), ["aut.balance", "aut.imbalance"]
    ).to_frame()
    assert_allclose(scores.iloc[0], [signed, distance], rtol=RTOL)


@pytest.mark.filterwarnings("ignore::collabsurvey.errors.KeyingWarning")
def test_distance_on_every_engine(engine: Any) -> None:
    """|-3|, |1|, |2| average 2; |0|, |0|, |3| average 1."""
    answers = read(
        "autonomy_accountability",
        BALANCE,
        [(-3, 1, 2), (0, 0, 3)],
        engine,
        respondent=["a", "b"],
    )
    frame = engine.pandas(cs.score(answers, "aut.imbalance").to_frame(keep=["respondent"]))
    found = frame.set_index("respondent")["aut.imbalance"]
    assert_allclose(found[["a", "b"]], [2, 1], rtol=RTOL)


@pytest.mark.filterwarnings("ignore::collabsurvey.errors.KeyingWarning")
def test_distance_as_per_cent_of_the_largest_possible() -> None:
    """The furthest from 0 on -3 to 3 is 3, so a mean distance of 2 is 66.7."""
    answers = read("autonomy_accountability", BALANCE, [(-3, 0, 3), (3, -3, 3), (0, 0, 0)])
    found = cs.score(answers, "aut.imbalance", method="pomp").to_frame()["aut.imbalance"]
    assert_allclose(found, [200 / 3, 100, 0], rtol=RTOL)


def test_a_distance_ignores_on_which_side() -> None:
    rng = np.random.default_rng(4)
    answers = rng.integers(-3, 4, (40, 3))
    found = [
        cs.score(read("autonomy_accountability", BALANCE, side * answers), "aut.imbalance")
        .to_frame()["aut.imbalance"]
        .to_numpy()
        for side in (1, -1)
    ]
    assert_allclose(found[0], np.abs(answers).mean(axis=1), rtol=RTOL)
    assert_allclose(found[0], found[1], rtol=RTOL)


# Who needs whom: a difference of two scores --------------------------------------------------

NEED = [f"rat.need.{side}.0{k}" for side in ("ours", "theirs") for k in (1, 2, 3)]


def test_asymmetry_is_what_they_need_less_what_we_need() -> None:
    """We need 4, 3, 2 (mean 3), they need 1, 0, 2 (mean 1): -2, we need them more."""
    rows = [(4, 3, 2, 1, 0, 2), (0, 0, 0, 4, 4, 4), (4, 4, 4, 0, 0, 0), (2, 2, 2, 2, 2, 2)]
    scores = cs.score(read("resource_dependence", NEED, rows)).to_frame()
    assert_allclose(scores["rat.need.ours"], [3, 0, 4, 2], rtol=RTOL)
    assert_allclose(scores["rat.need.theirs"], [1, 4, 0, 2], rtol=RTOL)
    assert_allclose(scores["rat.asymmetry"], [-2, 4, -4, 0], rtol=RTOL)


@pytest.mark.parametrize("missing", range(6))
def test_asymmetry_needs_all_six(missing: int) -> None:
    row: list[float | None] = [4, 3, 2, 1, 0, 2]
    row[missing] = None
    answers = read("resource_dependence", NEED, [row, [1, 2, 3, 3, 2, 1], [0, 1, 0, 1, 0, 1]])
    assert np.isnan(cs.score(answers, "rat.asymmetry").to_frame()["rat.asymmetry"].iloc[0])


def test_codes_of_no_contact_are_no_needs() -> None:
    """-7 no contact, -8 cannot say: never numbers in a difference."""
    rows = [(4, 3, 2, 1, 0, -8), (4, 3, -7, 1, 0, 2), (1, 1, 1, 2, 2, 2)]
    found = cs.score(read("resource_dependence", NEED, rows)).to_frame()["rat.asymmetry"]
    assert_allclose(found, [np.nan, np.nan, 1], rtol=RTOL)


# Expectation from 0 to 100 -------------------------------------------------------------------

EXPECT = [f"tru.expect.0{k}" for k in range(1, 7)]


def test_expectation_is_the_mean_of_six_chances() -> None:
    """(90 + 80 + 70 + 60 + 50 + 40) / 6 = 65; four of six are enough, three are not."""
    rows = [
        (90, 80, 70, 60, 50, 40),
        (100, 90, 80, 70, None, None),
        (100, 90, 80, None, None, None),
        (0, 0, 0, 0, 0, -7),
    ]
    found = cs.score(read("trust", EXPECT, rows), "tru.expect").to_frame()["tru.expect"]
    assert_allclose(found, [65, 85, np.nan, 0], rtol=RTOL)


@pytest.mark.parametrize("wrong", [101, -1, 1000])
def test_chances_outside_0_to_100_are_refused(wrong: float) -> None:
    with pytest.raises(AnswersError, match="0 to 100"):
        read("trust", EXPECT, [(90, 80, 70, 60, 50, wrong), (1, 2, 3, 4, 5, 6)])


# Triads --------------------------------------------------------------------------------------


def test_shares_and_modal_type_of_triads() -> None:
    """Three network, two coalition, one unitary: 3/6, 2/6, 1/6."""
    result = cs.scoring.composition(
        read("relational_context", NOW, [(1, 1, 1, 2, 2, 3)]), "ctx.now"
    )
    row = result.to_frame().iloc[0]
    assert_allclose([row[f"ctx.now.{t}"] for t in TYPES], [3 / 6, 2 / 6, 1 / 6], rtol=RTOL)
    assert row["ctx.now.modal"] == "network"
    assert row["ctx.now.n_tied"] == 0
    assert row["ctx.now.n_answered"] == 6


def test_a_tie_has_no_modal_type() -> None:
    rows = [(1, 1, 1, 2, 2, 2), (1, 1, 2, 2, 3, 3), (3, 3, 3, 2, 2, 1)]
    result = cs.scoring.composition(read("relational_context", NOW, rows), "ctx.now")
    frame = result.to_frame()
    assert frame["ctx.now.modal"].isna().tolist() == [True, True, False]
    assert frame["ctx.now.n_tied"].tolist() == [2, 3, 0]
    assert result.n_tied == 2
    assert any("tied" in note.lower() for note in result.notes)


def test_shares_are_of_the_triads_answered() -> None:
    """Four of six are needed: 2, 1, 1 of four is 1/2, 1/4, 1/4; three of six give nothing."""
    rows = [(1, 1, 2, 3, None, -8), (1, 2, 3, None, None, None), (None,) * 6]
    result = cs.scoring.composition(read("relational_context", NOW, rows), "ctx.now")
    assert_allclose(shares(result)[0], [1 / 2, 1 / 4, 1 / 4], rtol=RTOL)
    assert np.isnan(shares(result)[1:]).all()
    assert (result.n_rows, result.n_scored, result.n_unscored) == (3, 1, 2)


def test_the_same_answers_in_another_order_are_the_same_shares() -> None:
    rng = np.random.default_rng(9)
    answers = rng.integers(1, 4, (30, 6))
    found = [
        shares(cs.scoring.composition(read("relational_context", NOW, some), "ctx.now"))
        for some in (answers, answers[:, ::-1])
    ]
    assert_allclose(found[0], found[1], rtol=RTOL)
    assert_allclose(found[0].sum(axis=1), 1, rtol=RTOL)


def test_shares_on_every_engine(engine: Any) -> None:
    answers = read(
        "relational_context", NOW, [(1,) * 6, (1, 1, 2, 2, 3, 3)], engine, respondent=["a", "b"]
    )
    frame = engine.pandas(
        cs.scoring.composition(answers, "ctx.now").to_frame(keep=["respondent"])
    ).set_index("respondent")
    columns = [f"ctx.now.{t}" for t in TYPES]
    assert_allclose(frame.loc["a", columns].astype(float), [1, 0, 0], rtol=RTOL)
    assert_allclose(frame.loc["b", columns].astype(float), [1 / 3] * 3, rtol=RTOL)


def _replaced(counts: np.ndarray, prior: str) -> np.ndarray:
    """Zeros replaced by count (Martín-Fernández et al., 2015), written again from the paper."""
    out = np.empty(counts.shape)
    d = counts.shape[1]
    for i, row in enumerate(counts):
        n = row.sum()
        t = np.full(d, 1 / d)
        if prior == "gbm":
            others = counts.sum(axis=0) - row
            t = others / others.sum()
        strength = {
            "jeffreys": d / 2,
            "perks": 1,
            "bayes_laplace": d,
            "sq": np.sqrt(n),
            "gbm": 1 / np.exp(np.log(t).mean()),
        }[prior]
        zero = row == 0
        filled = t * strength / (n + strength)
        out[i] = np.where(zero, filled, row / n * (1 - filled[zero].sum()))
    return out


@pytest.mark.parametrize("prior", ["jeffreys", "perks", "bayes_laplace", "sq", "gbm"])
def test_log_ratios_of_triads_with_zeros(prior: Any) -> None:
    rows = np.array([(1, 1, 1, 2, 2, 2), (1, 1, 1, 1, 2, 2), (3, 3, 1, 2, 2, 1), (3,) * 6])
    counts = np.stack([(rows == k).sum(axis=1) for k in (1, 2, 3)], axis=1)
    result = cs.scoring.composition(read("relational_context", NOW, rows), "ctx.now", prior=prior)
    assert_allclose(shares(result), counts / 6, rtol=RTOL)  # shares stay as they were answered
    assert_allclose(shares(result, "clr"), clr(_replaced(counts, prior)), rtol=1e-9, atol=1e-12)
    assert result.n_with_zero == 3


@pytest.mark.parametrize("prior", ["jeffreys", "perks", "sq", "gbm"])
def test_a_type_nobody_picked_stays_below_one_that_somebody_did(prior: Any) -> None:
    rows = [(1, 1, 1, 1, 1, 2), (3,) * 6, (1, 1, 2, 2, 3, 3), (1, 2, 2, 2, 2, 2)]
    result = cs.scoring.composition(read("relational_context", NOW, rows), "ctx.now", prior=prior)
    found, picked = shares(result, "clr"), shares(result)
    for i in (0, 1, 3):
        assert found[i][picked[i] == 0].max() < found[i][picked[i] > 0].min()


def test_log_ratios_of_one_triad_by_hand() -> None:
    """All six network: half a pick a type gives .5/7.5 = 1/15, 1/15 and 13/15.

    The centred log-ratio of network is ln 13 - (ln 13) / 3 = 1.709966.
    """
    result = cs.scoring.composition(read("relational_context", NOW, [(1,) * 6]), "ctx.now")
    high = 2 / 3 * np.log(13)
    assert_allclose(shares(result, "clr")[0], [high, -high / 2, -high / 2], rtol=RTOL)


def test_ilr_is_clr_turned() -> None:
    """First type against the second, then both against the third (Egozcue et al., 2003)."""
    rng = np.random.default_rng(2)
    result = cs.scoring.composition(
        read("relational_context", NOW, rng.integers(1, 4, (25, 6))), "ctx.now"
    )
    centred, turned = shares(result, "clr"), shares(result, "ilr")
    assert turned.shape == (25, 2)
    assert_allclose(centred.sum(axis=1), 0, atol=1e-12)
    first = (centred[:, 0] - centred[:, 1]) / np.sqrt(2)
    second = np.sqrt(2 / 3) * ((centred[:, 0] + centred[:, 1]) / 2 - centred[:, 2])
    assert_allclose(turned, np.stack([first, second], axis=1), rtol=1e-9, atol=1e-12)
    lengths = (turned**2).sum(axis=1), (centred**2).sum(axis=1)
    assert_allclose(*lengths, rtol=1e-9, atol=1e-12)


def test_zeros_may_be_refused() -> None:
    answers = read("relational_context", NOW, [(1,) * 6, (1, 1, 2, 2, 3, 3)])
    result = cs.scoring.composition(answers, "ctx.now", zeros="refuse")
    assert_allclose(shares(result)[0], [1, 0, 0], rtol=RTOL)
    with pytest.raises(CollabSurveyError, match="0"):
        result.to_frame(as_="clr")


def test_composition_of_each_school() -> None:
    """School a: shares 1,0,0 and 1/3 each average 2/3, 1/6, 1/6; school b is 0, 0, 1."""
    answers = read(
        "relational_context",
        NOW,
        [(1,) * 6, (1, 1, 2, 2, 3, 3), (3,) * 6, (None,) * 6],
        cluster=["a", "a", "b", "b"],
    )
    groups = cs.scoring.composition(answers, "ctx.now").by("cluster")
    assert list(groups.groups) == ["a", "b"]
    assert list(groups.n) == [2, 1]
    assert list(groups.n_unscored) == [0, 1]
    assert_allclose(groups.mean_shares, [[2 / 3, 1 / 6, 1 / 6], [0, 0, 1]], rtol=RTOL)
    assert list(groups.modal) == ["network", "unitary"]


def test_a_nominal_answer_that_no_card_has_is_refused() -> None:
    with pytest.raises(AnswersError, match="not possible"):
        read("relational_context", NOW, [(1, 2, 3, 4, 1, 1), (1,) * 6])


def test_routes_are_scored_as_shares_and_as_ratings() -> None:
    """Codes 1 market, 2 hierarchy, 3 network; the fourth rating of each route is reversed."""
    items = [f"rte.route.0{k}" for k in range(1, 7)]
    likert = [f"rte.market.0{k}" for k in range(1, 5)]
    answers = read("route", items + likert, [(1, 1, 1, 1, 2, 3, 5, 5, 5, 1)])
    found = shares(cs.scoring.composition(answers, "rte.route"))[0]
    assert_allclose(found, [4 / 6, 1 / 6, 1 / 6], rtol=RTOL)
    assert_allclose(cs.score(answers, "rte.market").to_frame()["rte.market"], [5], rtol=RTOL)


# A hundred points ----------------------------------------------------------------------------


def points(rows: Any, **options: Any) -> Any:
    return cs.scoring.composition(
        read("relational_context", POINTS_NOW, rows), "ctx.points.now", **options
    )


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ((50, 30, 20), (0.5, 0.3, 0.2)),
        ((100, 0, 0), (1, 0, 0)),
        ((33, 33, 33), (1 / 3, 1 / 3, 1 / 3)),  # thirds rounded: one off, closed to 100
        ((34, 34, 33), (34 / 101, 34 / 101, 33 / 101)),
        ((60, 40, None), (0.6, 0.4, 0)),  # nothing was left to give
    ],
)
def test_points_are_shares_of_100(row: Any, expected: tuple[float, ...]) -> None:
    assert_allclose(shares(points([row]))[0], expected, rtol=RTOL, atol=1e-15)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ((50, 30, 10), "few"),
        ((60, 40, 20), "many"),
        ((0, 0, 0), "few"),
        ((100, 100, 100), "many"),
        ((60, 20, None), "blank"),
    ],
)
def test_points_that_do_not_add_up_are_not_scored_and_said(row: Any, problem: str) -> None:
    result = points([row, (50, 30, 20)])
    assert np.isnan(shares(result)[0]).all()
    assert (result.n_scored, result.n_unscored) == (1, 1)
    assert len(result.faults) == 1
    assert problem in result.faults["problem"].iloc[0]
    assert sum(result.n_faults.values()) == 1
    assert any("not scored" in note for note in result.notes)


def test_blank_points_may_count_as_no_answer() -> None:
    assert np.isnan(shares(points([(60, 40, None), (50, 30, 20)], blank="unanswered"))[0]).all()


def test_tolerance_of_points() -> None:
    """95 of 100 points with a tolerance of 5: 60/95, 30/95, 5/95."""
    assert_allclose(shares(points([(60, 30, 5)], tolerance=5))[0], np.array([60, 30, 5]) / 95)
    for tolerance in (100, -1, float("nan")):
        with pytest.raises(OptionError):
            points([(60, 30, 10)], tolerance=tolerance)


@pytest.mark.parametrize("wrong", [-5, 101])
def test_negative_points_and_more_than_all_are_refused(wrong: float) -> None:
    with pytest.raises(AnswersError, match="0 to 100"):
        points([(wrong, 60, 40), (50, 30, 20)])


@pytest.mark.parametrize(("unit", "small"), [(None, 0.0065), (5, 0.0325), (10, 0.065)])
def test_zero_points_become_two_thirds_of_a_step(unit: float | None, small: float) -> None:
    """.65 of the step; the other shares give way in proportion."""
    expected = clr([0.6 * (1 - small), 0.4 * (1 - small), small])
    assert_allclose(shares(points([(60, 40, 0)], unit=unit), "clr")[0], expected, rtol=1e-9)


def test_published_points_average_over_six_blocks() -> None:
    """Four types, six blocks: five of 40/30/20/10 and one of 100/0/0/0.

    Clan (5 * .4 + 1) / 6 = .5, the others 5/6 of .3, .2 and .1.
    """
    items = [f"ocai.now.{b}{a}" for b in range(1, 7) for a in "abcd"]
    answers = read("ocai", items, [[40, 30, 20, 10] * 5 + [100, 0, 0, 0]])
    result = cs.scoring.composition(answers, "ocai.now")
    assert result.types == ("clan", "adhocracy", "market", "hierarchy")
    assert_allclose(shares(result)[0], [0.5, 0.25, 1 / 6, 1 / 12], rtol=RTOL)


def test_published_points_leave_out_a_block_that_does_not_add_up() -> None:
    items = [f"ocai.now.{b}{a}" for b in range(1, 7) for a in "abcd"]
    answers = read("ocai", items, [[40, 30, 20, 10] * 5 + [100, 50, 0, 0]])
    result = cs.scoring.composition(answers, "ocai.now")
    assert_allclose(shares(result)[0], [0.4, 0.3, 0.2, 0.1], rtol=RTOL)
    assert result.faults["block"].tolist() == [6]
    assert result.to_frame()["ocai.now.n_answered"].tolist() == [5]


def test_a_mean_scale_is_no_composition() -> None:
    with pytest.raises(DataError, match="composition"):
        cs.scoring.composition(read("trust", EXPECT, [(1, 2, 3, 4, 5, 6)]), "tru.expect")


@pytest.mark.parametrize("scale", ["ctx.now", "ctx.shift", "ctx.points.now"])
def test_score_names_what_scores_a_composition(scale: str) -> None:
    answers = read(
        "relational_context",
        NOW + WANTED + POINTS_NOW,
        [(1,) * 12 + (50, 30, 20), (2,) * 12 + (20, 30, 50)],
    )
    with pytest.raises(CollabSurveyError, match=r"scoring\.(composition|congruence)"):
        cs.score(answers, scale)


# From now to wanted --------------------------------------------------------------------------


def shift(now: Any, wanted: Any, **options: Any) -> pd.Series:
    answers = read("relational_context", POINTS_NOW + POINTS_WANTED, [(*now, *wanted)])
    return cs.scoring.congruence(answers, "ctx.points.shift", **options).to_frame().iloc[0]


@pytest.mark.parametrize(
    ("now", "wanted", "distance", "moved"),
    [
        ((50, 30, 20), (20, 30, 50), np.sqrt(2) * np.log(2.5), 30),
        ((50, 30, 20), (50, 30, 20), 0, 0),
        # one type doubled against both others: ln 2 * sqrt(2 / 3)
        ((40, 40, 20), (100 / 3, 100 / 3, 100 / 3), np.sqrt(2 / 3) * np.log(2), 40 / 3),
        # two types change places, 80 for 10: sqrt(2) * ln 8
        ((80, 10, 10), (10, 80, 10), np.sqrt(2) * np.log(8), 70),
    ],
)
def test_distance_from_now_to_wanted(now: Any, wanted: Any, distance: float, moved: float) -> None:
    row = shift(now, wanted)
    assert_allclose(row["ctx.points.shift.distance"], distance, rtol=1e-9, atol=1e-12)
    assert_allclose(row["ctx.points.shift.moved"], moved, rtol=1e-9, atol=1e-12)
    change = [row[f"ctx.points.shift.{t}"] for t in TYPES]
    assert_allclose(change, np.subtract(wanted, now), rtol=1e-9, atol=1e-9)
    back = shift(wanted, now)
    assert_allclose(back["ctx.points.shift.distance"], distance, rtol=1e-9, atol=1e-12)


def test_distance_of_triads_with_zeros() -> None:
    """Now six network, wanted six unitary: 13/15 and 1/15 change places, sqrt(2) * ln 13."""
    answers = read("relational_context", NOW + WANTED, [(1,) * 6 + (3,) * 6])
    row = cs.scoring.congruence(answers, "ctx.shift").to_frame().iloc[0]
    assert_allclose(row["ctx.shift.distance"], np.sqrt(2) * np.log(13), rtol=1e-9)
    assert_allclose(row["ctx.shift.moved"], 100, rtol=RTOL)
    with pytest.raises(DataError, match="0"):
        cs.scoring.congruence(answers, "ctx.shift", zeros="refuse")


def test_mean_distance_and_distance_of_the_centres() -> None:
    """Two people who want opposite ways: each 1.296 away, the centres not at all."""
    answers = read(
        "relational_context",
        POINTS_NOW + POINTS_WANTED,
        [(50, 30, 20, 20, 30, 50), (20, 30, 50, 50, 30, 20)],
        cluster=["a", "a"],
    )
    result = cs.scoring.congruence(answers, "ctx.points.shift")
    assert_allclose(result.distance, np.sqrt(2) * np.log(2.5), rtol=1e-9)
    assert_allclose(result.distance_of_centres, 0, atol=1e-12)
    groups = result.by("cluster")
    assert_allclose(groups.distance, [result.distance], rtol=1e-12)
    assert list(groups.n) == [2]


def test_distance_needs_the_same_types() -> None:
    cohort = cs.simulate_cohort(
        ["relational_context", "route"], n_partnerships=1, n_schools=2, n_staff=6, waves=1, seed=3
    )
    with pytest.raises(DataError, match="types"):
        cs.scoring.congruence(cohort.responses, "ctx.now", "rte.route")
    with pytest.raises(DataError):
        cs.scoring.congruence(cohort.responses, "ctx.now", "ctx.like.network")
    with pytest.raises(UnknownNameError):
        cs.scoring.congruence(cohort.responses, "ctx.now", "ctx.wnated")


# Neither alpha nor factors of answers that are no amounts --------------------------------------

REFUSED = [
    "ctx.now",
    "ctx.wanted",
    "ctx.points.now",
    "ctx.shift",
    "rte.route",
    "mng.cards",
    "mng.rank",
]


@pytest.fixture(scope="module")
def cohort() -> cs.Responses:
    return cs.simulate_cohort(
        [
            "relational_context",
            "route",
            "shared_meaning",
            "autonomy_accountability",
            "resource_dependence",
        ],
        n_partnerships=2,
        n_schools=6,
        n_staff=12,
        waves=1,
        seed=8,
    ).responses


ANALYSES: dict[str, Callable[[cs.Responses, str], Any]] = {
    "alpha": lambda r, s: cs.reliability.alpha(r, s, cluster=None),
    "omega": lambda r, s: cs.reliability.omega(r, s, ci="none", cluster=None),
    "item_analysis": cs.reliability.item_analysis,
    "guttman": cs.reliability.guttman,
    "efa": lambda r, s: cs.dimensionality.efa(r, s, 1),
    "retention": lambda r, s: cs.dimensionality.retention(r, s, seed=1),
    "polychoric": cs.dimensionality.polychoric,
    "cfa": lambda r, s: cs.dimensionality.cfa(r, "f =~ " + " + ".join(r.instrument.items_of(s))),
}


@pytest.mark.parametrize("scale", REFUSED)
@pytest.mark.parametrize("analysis", ANALYSES)
def test_no_alpha_and_no_factors_of_choices_points_and_ranks(
    analysis: str, scale: str, cohort: cs.Responses
) -> None:
    with pytest.raises(NotAmountsError) as caught:
        ANALYSES[analysis](cohort, scale)
    said = str(caught.value)
    assert "refused" in said
    assert "cs." in said  # and what to use in its place


def test_no_alpha_of_some_of_the_points(cohort: cs.Responses) -> None:
    """Item ids do not get round it, nor does one such item among others."""
    for items in (POINTS_NOW[:2], [*RANKS[:1], *FELT], [*FELT[:2], CARDS[0]]):
        with pytest.raises(NotAmountsError):
            cs.reliability.alpha(cohort, items, cluster=None)
        with pytest.raises(NotAmountsError):
            cs.dimensionality.efa(cohort, items, 1)


def test_overview_lists_them_with_the_reason(cohort: cs.Responses) -> None:
    table = cs.reliability.overview(cohort, cluster=None).to_frame().set_index("scale")
    for scale in [*REFUSED, "aut.imbalance", "rat.asymmetry"]:
        assert np.isnan(table.loc[scale, "alpha"])
        assert table.loc[scale, "reason"]
    assert np.isfinite(table.loc["mng.felt", "alpha"])


@pytest.mark.filterwarnings("ignore::collabsurvey.errors.KeyingWarning")
@pytest.mark.parametrize("analysis", ["alpha", "omega", "item_analysis"])
@pytest.mark.parametrize("scale", ["aut.imbalance", "rat.asymmetry"])
def test_no_alpha_of_the_answers_in_the_name_of_another_score(
    analysis: str, scale: str, cohort: cs.Responses
) -> None:
    """A distance from the middle, or a difference of two scores, is no sum of the answers.

    An alpha of the raw answers says nothing about such a score, so it must not bear its name.
    """
    with pytest.raises(CollabSurveyError):
        ANALYSES[analysis](cohort, scale)


# Meaning cards -------------------------------------------------------------------------------

PICKS = np.array([(1, 1, 1, 1, 1), (1, 1, 2, 2, 1), (1, 2, 3, 2, 1), (2, 2, 4, 2, 1)])
FEELS = [(5, 5, 5, 1), (4, 4, 4, 2), (3, 3, 3, 3), (2, 2, 2, 4)]


def meaning(picks: np.ndarray = PICKS, **options: Any) -> Any:
    answers = read(
        "shared_meaning",
        CARDS + FELT,
        np.hstack([picks, np.array(FEELS)]),
        partnership=["P"] * 4,
        respondent=list("abcd"),
    )
    return cs.partnership.consensus(answers, "mng.cards", **options)


def test_agreement_on_cards_by_hand() -> None:
    """Pairs of four people who agree: 3, 2, 0, 3 and 6 of 6; 14 of 30 in all.

    By chance one of four would be 1/4, so kappa is (14/30 - 1/4) / (3/4).
    """
    row = meaning().to_frame().iloc[0]
    assert row["n"] == 4
    assert_allclose(row["agreement"], 14 / 30, rtol=RTOL)
    assert_allclose(row["chance"], 1 / 4, rtol=RTOL)
    assert_allclose(row["kappa"], (14 / 30 - 1 / 4) / (3 / 4), rtol=RTOL)


def test_entropy_of_cards() -> None:
    """Shares 3/4 and 1/4: .811 bits of 2; 1/2: 1 bit; all four: 2 bits; one: none."""
    third = -(0.75 * np.log2(0.75) + 0.25 * np.log2(0.25))
    items = meaning().items()
    assert_allclose(items["entropy"], [third, 1, 2, third, 0], rtol=RTOL, atol=1e-12)
    expected = np.mean([third, 1, 2, third, 0]) / 2
    assert_allclose(meaning().to_frame()["entropy_share"], expected, rtol=RTOL)


def test_ac1_of_cards_by_hand() -> None:
    """Gwet's chance for an item is sum of p (1 - p) over q - 1 = 3."""
    gains, chances = [], []
    for item in PICKS.T:
        p = np.array([(item == k).mean() for k in (1, 2, 3, 4)])
        chances.append((p * (1 - p)).sum() / 3)
        gains.append(np.mean([a == b for a, b in combinations(item, 2)]))
    expected = (np.mean(gains) - np.mean(chances)) / (1 - np.mean(chances))
    assert_allclose(meaning().to_frame()["ac1"], expected, rtol=RTOL)


def test_felt_against_actual_agreement() -> None:
    """Felt: the fourth item turned round gives 5, 4, 3, 2, mean 3.5, which is 62.5 of 100."""
    row = meaning().to_frame().iloc[0]
    assert_allclose(row["felt"], 62.5, rtol=RTOL)
    assert_allclose(row["actual"], 100 * 14 / 30, rtol=RTOL)
    assert_allclose(row["gap"], 62.5 - 100 * 14 / 30, rtol=RTOL)
    assert_allclose(row["actual_beyond_chance"], 100 * row["ac1"], rtol=RTOL)


def test_all_agree() -> None:
    row = meaning(np.full((4, 5), 2)).to_frame().iloc[0]
    assert_allclose([row["agreement"], row["ac1"], row["entropy_share"]], [1, 1, 0], atol=1e-12)


def test_shares_of_cards_say_every_ending() -> None:
    table = meaning().shares()
    first = table[table["item"] == "mng.card.01"]
    assert first["n"].tolist() == [3, 1, 0, 0]
    assert_allclose(first["share"], [0.75, 0.25, 0, 0], rtol=RTOL)


def _common(picks: np.ndarray, q: int) -> tuple[float, float, float]:
    """AC1, Krippendorff's nominal alpha and Fleiss' kappa with items as targets."""
    n = picks.shape[0]
    counts = np.stack([(picks == k).sum(axis=0) for k in range(1, q + 1)], axis=1)
    observed = ((counts * (counts - 1)).sum(axis=1) / (n * (n - 1))).mean()
    p = counts.sum(axis=0) / counts.sum()
    by_ac1 = (p * (1 - p)).sum() / (q - 1)
    by_kappa = (p**2).sum()
    total = counts.sum()
    margins = counts.sum(axis=0)
    by_alpha = (margins * (margins - 1)).sum() / (total * (total - 1))
    return tuple((observed - c) / (1 - c) for c in (by_ac1, by_alpha, by_kappa))


def test_agreement_on_triads_pools_the_types() -> None:
    rng = np.random.default_rng(21)
    picks = rng.choice([1, 2, 3], p=[0.6, 0.3, 0.1], size=(12, 6))
    answers = read("relational_context", NOW, picks, partnership=["P"] * 12)
    row = cs.partnership.consensus(answers, "ctx.now").to_frame().iloc[0]
    assert_allclose([row["ac1"], row["alpha"], row["kappa"]], _common(picks, 3), rtol=1e-9)


def test_consensus_refuses_amounts() -> None:
    with pytest.raises(DataError):
        cs.partnership.consensus(
            read("shared_meaning", FELT, FEELS, partnership=["P"] * 4), "mng.felt"
        )


def test_small_groups_are_marked_and_kept() -> None:
    assert meaning().to_frame()["below_min_n"].tolist() == [True]
    assert meaning(min_n=4).to_frame()["below_min_n"].tolist() == [False]


# Rankings ------------------------------------------------------------------------------------


def ranking(rows: Any) -> pd.Series:
    answers = read("shared_meaning", RANKS, rows, partnership=["P"] * len(rows))
    return cs.partnership.consensus(answers, "mng.rank").to_frame().iloc[0]


def test_agreement_of_rankings_by_hand() -> None:
    """Sums of ranks 9, 9, 12, 15, 15: squared deviations 36, W = 12 * 36 / (16 * 120) = .225."""
    rows = [(1, 2, 3, 4, 5), (2, 1, 3, 4, 5), (1, 2, 3, 5, 4), (5, 4, 3, 2, 1)]
    row = ranking(rows)
    assert_allclose(row["kendall_w"], 0.225, rtol=RTOL)
    pairs = list(combinations(rows, 2))
    assert_allclose(row["tau"], np.mean([stats.kendalltau(*p).statistic for p in pairs]), rtol=1e-9)
    assert_allclose(
        row["spearman"], np.mean([stats.spearmanr(*p).statistic for p in pairs]), rtol=1e-9
    )
    assert_allclose(row["agreement"], (row["tau"] + 1) / 2, rtol=1e-9)


def test_rankings_that_all_agree() -> None:
    row = ranking([(3, 1, 2, 5, 4)] * 3)
    assert_allclose([row["kendall_w"], row["tau"], row["agreement"]], [1, 1, 1], rtol=RTOL)


@pytest.mark.parametrize("wrong", [(1, 1, 3, 4, 5), (1, 2, 3, 4, None), (2, 2, 2, 2, 2)])
def test_rankings_with_ties_or_holes_do_not_count(wrong: Any) -> None:
    rows = [(1, 2, 3, 4, 5), (2, 1, 3, 4, 5), (1, 2, 3, 5, 4)]
    with_wrong, without = ranking([*rows, wrong]), ranking(rows)
    assert with_wrong["n"] == 3
    assert with_wrong["n_left_out"] == 1
    assert_allclose(with_wrong["kendall_w"], without["kendall_w"], rtol=RTOL)


# Directed pairs ------------------------------------------------------------------------------

PAIRS = pd.DataFrame(
    {
        "own": ["A", "A", "A", "B", "B", "B", "A", "A", "C", "C"],
        "partner": ["B", "B", "B", "A", "A", "A", "C", "C", "A", "A"],
        "trust": [4, 5, 3, 2, 3, 1, 5, 4, 2, 4.0],
        "person": ["a1", "a2", "a3", "b1", "b2", "b3", "a1", "a2", "c1", "c2"],
        "thinks": [3, 2, 1, 4, 4, 5, 2, 4, 5, 4.0],
    }
)


def pairs(data: pd.DataFrame = PAIRS, **options: Any) -> Any:
    return cs.partnership.dyads(data, "own", "partner", "trust", rater="person", **options)


def test_directed_means_and_their_intervals() -> None:
    """A about B: 4, 5, 3 have mean 4, sd 1, standard error 1/sqrt(3), t on 2."""
    table = pairs().directed.set_index(["source", "target"])
    row = table.loc[("A", "B")]
    assert_allclose([row["mean"], row["sd"], row["n_raters"]], [4, 1, 3], rtol=RTOL)
    half = stats.t.ppf(0.975, 2) / np.sqrt(3)
    assert_allclose([row["ci_low"], row["ci_high"]], [4 - half, 4 + half], rtol=1e-9)
    assert_allclose(table.loc[("B", "A"), "mean"], 2, rtol=RTOL)
    assert table["below_min"].all()
    assert ("B", "C") not in table.index


def test_asymmetry_of_a_pair() -> None:
    """A about B 4, B about A 2: asymmetry 2, its error sqrt(1/3 + 1/3), Welch's df 4."""
    row = pairs().pairs.set_index(["school_a", "school_b"]).loc[("A", "B")]
    reference = stats.ttest_ind([4, 5, 3], [2, 3, 1], equal_var=False).confidence_interval(0.95)
    assert_allclose([row["mean"], row["asymmetry"], row["df"]], [3, 2, 4], rtol=1e-9)
    assert_allclose([row["ci_low"], row["ci_high"]], reference, rtol=1e-9)
    assert not row["one_sided"]


def test_a_pair_with_one_view_has_no_asymmetry() -> None:
    data = PAIRS[PAIRS["own"] != "C"]
    row = pairs(data).pairs.set_index(["school_a", "school_b"]).loc[("A", "C")]
    assert row["one_sided"]
    assert np.isnan(row["asymmetry"])
    assert_allclose(row["a_to_b"], 4.5, rtol=RTOL)


def test_pairs_matrix_and_order_of_rows() -> None:
    first = pairs().matrix()
    second = pairs(PAIRS.sample(frac=1, random_state=1)).matrix()
    pd.testing.assert_frame_equal(first, second)
    assert_allclose(first.loc["A", ["B", "C"]], [4, 4.5], rtol=RTOL)
    assert np.isnan(first.loc["A", "A"])


def test_what_people_think_the_partner_thinks() -> None:
    """A expects 2 of B, and gets 2; B expects 13/3 of A, and gets 4: bias 0 and 1/3."""
    result = pairs(meta="thinks")
    table = result.meta.set_index(["source", "target"])
    assert_allclose(table.loc[("A", "B"), "bias"], 0, atol=1e-12)
    assert_allclose(table.loc[("B", "A"), "bias"], 1 / 3, rtol=RTOL)
    # A of C: expects 3, gets 3; C of A: expects 4.5, gets 4.5
    expected, actual = [2, 13 / 3, 3, 4.5], [2, 4, 3, 4.5]
    row = result.meta_accuracy.iloc[0]
    assert_allclose(row["correlation"], np.corrcoef(expected, actual)[0, 1], rtol=1e-9)
    assert_allclose(row["mean_bias"], 1 / 12, rtol=RTOL)


def test_reciprocity_is_the_double_entry_correlation() -> None:
    rng = np.random.default_rng(6)
    rows = [
        (a, b, rng.normal(), f"{a}{b}{k}")
        for a in "ABCDE"
        for b in "ABCDE"
        if a != b
        for k in range(3)
    ]
    data = pd.DataFrame(rows, columns=["own", "partner", "trust", "person"])
    result = pairs(data)
    both = result.pairs[["a_to_b", "b_to_a"]].to_numpy()
    entered = np.vstack([both, both[:, ::-1]])
    expected = np.corrcoef(entered.T)[0, 1]
    assert result.reciprocity["n_pairs"].iloc[0] == 10
    assert_allclose(result.reciprocity["icc_double_entry"].iloc[0], expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (PAIRS.assign(partner=["A", *PAIRS["partner"][1:]]), "own partner"),
        (pd.concat([PAIRS, PAIRS.iloc[:1]]), "a1"),
        (PAIRS.assign(own=["a", *PAIRS["own"][1:]]), "spelt"),
        (PAIRS.assign(trust=list("abcdefghij")), "text"),
        (PAIRS.assign(partner=[None, *PAIRS["partner"][1:]]), "name"),
    ],
    ids=["itself", "twice", "spelt in two ways", "text", "no name"],
)
def test_pairs_that_cannot_be(wrong: pd.DataFrame, said: str) -> None:
    with pytest.raises(DataError, match=said):
        pairs(wrong)


def test_pairs_without_a_value() -> None:
    with pytest.raises(NotEnoughDataError):
        pairs(PAIRS.assign(trust=np.nan))
    with pytest.raises(UnknownNameError, match="trust"):
        cs.partnership.dyads(PAIRS, "own", "partner", "turst")


def test_one_person_about_several_partners() -> None:
    """Questions asked about two partners at once are read as a row for each."""
    wide = pd.DataFrame({f"q{k}_{p}": [v] for k in range(1, 7) for p, v in (("b", 80), ("c", 20))})
    wide = wide.assign(respondent="r1", cluster="A")
    responses = cs.from_frame(
        wide,
        instrument=cs.load_instrument("trust"),
        items="present",
        columns={f"tru.expect.0{k}": {"B": f"q{k}_b", "C": f"q{k}_c"} for k in range(1, 7)},
        roles={"respondent": "respondent", "cluster": "cluster"},
    )
    assert responses.n_rows == 2
    assert responses.n_respondents == 1
    result = cs.partnership.dyads(cs.score(responses, "tru.expect"))
    table = result.directed.set_index("target")["mean"]
    assert_allclose(table[["B", "C"]], [80, 20], rtol=RTOL)


# The grid of needs ---------------------------------------------------------------------------


def needs(**options: Any) -> Any:
    answers = read(
        "resource_dependence",
        NEED,
        [(4, 0, 2, 1, 0, 3), (2, 2, 2, 3, 2, 1), (1, 1, 1, 4, 4, 4)],
        cluster=["A", "A", "B"],
        partner=["B", "B", "A"],
        respondent=["a1", "a2", "b1"],
    )
    return cs.partnership.dependence(answers, **options)


def test_needs_by_resource() -> None:
    """Knowledge, A of B: we need (4 + 2) / 2 = 3, they need (1 + 3) / 2 = 2: -1, jointly 2.5."""
    grid = needs().grid.set_index(["source", "target", "resource"])
    row = grid.loc[("A", "B", "knowledge")]
    columns = ["we_need_them", "they_need_us", "asymmetry", "joint"]
    assert_allclose(row[columns].astype(float), [3, 2, -1, 2.5], rtol=RTOL)
    assert row["n_raters"] == 2
    all_of_them = grid.loc[("A", "B", "all resources")]
    assert_allclose(all_of_them[columns].astype(float), [2, 5 / 3, -1 / 3, 11 / 6], rtol=RTOL)
    assert_allclose(grid.loc[("B", "A", "money"), "asymmetry"], 3, rtol=RTOL)


def test_joint_need_as_a_sum() -> None:
    row = needs(joint="sum").grid.set_index(["source", "target", "resource"])
    assert_allclose(row.loc[("A", "B", "knowledge"), "joint"], 5, rtol=RTOL)


def test_two_accounts_of_one_need() -> None:
    """A says B needs its know-how 2; B says it needs A's know-how 1."""
    table = needs().accounts.set_index(["source", "target", "resource"])
    row = table.loc[("A", "B", "knowledge")]
    assert_allclose([row["source_says"], row["target_says"], row["difference"]], [2, 1, 1])
    other = table.loc[("B", "A", "authority")]
    assert_allclose([other["source_says"], other["target_says"]], [4, 2], rtol=RTOL)


# Distances of cultures -----------------------------------------------------------------------

STAFF = pd.DataFrame(
    {
        "school": ["a"] * 4 + ["b"] * 4,
        "x": [1, 2, 3, 2, 4, 5, 6, 5.0],
        "y": [1, 1, 3, 3, 5, 5, 7, 7.0],
    }
)


def culture(data: pd.DataFrame = STAFF, **options: Any) -> pd.Series:
    return cs.partnership.culture_distance(data, "school", ci="none", **options).pairs.iloc[0]


def test_distance_of_two_schools_by_hand() -> None:
    """Means (2, 2) and (5, 6): 3, 4, 5. Variances 2/3 and 4/3 over 4 people, twice: 1 less."""
    row = culture(standardise="none")
    assert_allclose(row["distance"], 5, rtol=RTOL)
    assert_allclose(row["distance_corrected"], np.sqrt(24), rtol=RTOL)


def test_distance_in_units_of_colleagues() -> None:
    """9 / (2/3) + 16 / (4/3) = 25.5; the error is 2 scales * (1/4 + 1/4) = 1."""
    row = culture()
    assert_allclose(row["distance"], np.sqrt(25.5), rtol=RTOL)
    assert_allclose(row["distance_corrected"], np.sqrt(24.5), rtol=RTOL)
    other = culture(STAFF.assign(x=STAFF["x"] * 20 - 7))
    assert_allclose(other["distance"], row["distance"], rtol=RTOL)


def test_mahalanobis_distance() -> None:
    within = STAFF[["x", "y"]] - STAFF.groupby("school")[["x", "y"]].transform("mean")
    pooled = within.T.to_numpy() @ within.to_numpy() / 6
    gap = np.array([3, 4])
    expected = np.sqrt(gap @ np.linalg.solve(pooled, gap))
    assert_allclose(culture(metric="mahalanobis")["distance"], expected, rtol=1e-9)


def test_aitchison_distance_of_schools() -> None:
    """Schools at 50/30/20 and 20/30/50, all alike within: sqrt(2) * ln 2.5."""
    data = pd.DataFrame(
        {
            "school": ["a", "a", "b", "b"],
            "p": [50, 50, 20, 20.0],
            "q": [30, 30, 30, 30.0],
            "r": [20, 20, 50, 50.0],
        }
    )
    row = culture(data, metric="aitchison")
    assert_allclose(row["distance"], np.sqrt(2) * np.log(2.5), rtol=1e-9)


def test_distance_of_samples_of_one_school_is_taken_out() -> None:
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"school": np.repeat(["a", "b"], 30), "x": rng.normal(size=60)})
    half = data["school"] == "b"
    data.loc[half, "x"] += data.loc[~half, "x"].mean() - data.loc[half, "x"].mean() + 0.05
    row = culture(data)
    assert row["distance"] > 0
    assert row["distance_corrected"] == 0


def test_distances_are_repeatable_and_need_two_schools() -> None:
    found = [
        cs.partnership.culture_distance(STAFF, "school", n_boot=200, seed=3).pairs for _ in "ab"
    ]
    pd.testing.assert_frame_equal(*found)
    with pytest.raises(NotEnoughDataError):
        cs.partnership.culture_distance(STAFF[STAFF["school"] == "a"], "school")


# Two views of a school -----------------------------------------------------------------------

STAFF_VIEW = [f"ldr.attends.0{k}" for k in range(1, 5)]
OWN_VIEW = [f"ldr.attends.self.0{k}" for k in range(1, 5)]


def views(schools: dict[str, tuple[list[int], list[int]]], **options: Any) -> Any:
    """Heads' own view and the view of staff; the fourth item of each is reversed."""
    rows, who = [], []
    for school, (heads, staff) in schools.items():
        for role, values in (("D", heads), ("F", staff)):
            for v in values:
                turned = (v, v, v, 6 - v)
                blank = (None,) * 4
                rows.append(blank + turned if role == "D" else turned + blank)
                who.append((school, role, f"p{len(who)}"))
    cluster, role, respondent = zip(*who, strict=True)
    answers = read(
        "relational_leadership",
        STAFF_VIEW + OWN_VIEW,
        rows,
        cluster=list(cluster),
        staff_role=list(role),
        respondent=list(respondent),
    )
    return cs.multilevel.perception_gap(answers, "ldr.attends.self", "ldr.attends", **options)


def test_self_and_other_gap() -> None:
    """Heads 5 and 4, staff 2, 3, 4: gap 4.5 - 3 = 1.5 with Welch's interval."""
    result = views({"a": ([5, 4], [2, 3, 4]), "b": ([3, 2], [4, 4, 5])})
    row = result.to_frame().iloc[0]
    reference = stats.ttest_ind([5, 4], [2, 3, 4], equal_var=False).confidence_interval(0.95)
    assert_allclose(row["gap"], 1.5, rtol=RTOL)
    assert_allclose([row["ci_low"], row["ci_high"]], reference, rtol=1e-9)
    # within school and side: .5 + 2 + .5 + 2/3 over 1 + 2 + 1 + 2
    assert_allclose(result.pooled_sd, np.sqrt((0.5 + 2 + 0.5 + 2 / 3) / 6), rtol=1e-9)
    assert result.to_frame()["category"].tolist() == ["over-rates", "under-rates"]


def test_mean_gap_counts_schools_equally() -> None:
    """Gaps 2, 0, -1: mean 1/3, t on 2."""
    result = views({"a": ([5], [3, 3, 4, 2]), "b": ([4], [4, 5, 3]), "c": ([3], [4, 3, 5])})
    row = result.over_schools().iloc[0]
    reference = stats.ttest_1samp([2, 0, -1], 0)
    assert_allclose(row["estimate"], 1 / 3, rtol=1e-9)
    assert_allclose([row["statistic"], row["p_value"]], reference[:2], rtol=1e-9)
    assert (row["n_over"], row["n_alike"], row["n_under"]) == (1, 1, 1)
    assert result.to_frame()["identifies_one"].all()


def test_a_single_head_is_taken_as_given() -> None:
    """Gap 5 - 3 = 2; only the error of the staff mean, 1 / sqrt(3), t on 2."""
    row = views({"a": ([5], [2, 3, 4]), "b": ([4], [4, 5, 3])}).to_frame().iloc[0]
    assert_allclose(row["se"], 1 / np.sqrt(3), rtol=1e-9)
    half = stats.t.ppf(0.975, 2) / np.sqrt(3)
    assert_allclose([row["ci_low"], row["ci_high"]], [2 - half, 2 + half], rtol=1e-9)


def test_a_school_with_one_view_has_no_gap() -> None:
    result = views({"a": ([5, 4], [2, 3]), "b": ([4], []), "c": ([3, 2], [1, 2])})
    row = result.to_frame().set_index("cluster").loc["b"]
    assert np.isnan(row["gap"])
    assert row["category"] == ""
    assert tuple(result.one_sided) == ("b",)
    assert result.over_schools()["n_schools"].iloc[0] == 2


def test_espoused_and_lived_culture() -> None:
    """One scale, two groups: leaders say 4, staff live 2.5."""
    items = [f"cul.openness.0{k}" for k in range(1, 6)]
    keys = cs.load_instrument("culture").keys_of(items)
    values = [4, 4, 4, 2, 3, 2, 3]
    answers = read(
        "culture",
        items,
        [[v if key == 1 else 6 - v for key in keys] for v in values],
        cluster=["a"] * 3 + ["a"] * 4,
        staff_role=["head", "deputy", "deputy", "teacher", "teacher", "aide", "aide"],
        respondent=list("abcdefg"),
    )
    result = cs.multilevel.perception_gap(
        answers, "cul.openness", groups=(("head", "deputy"), ("teacher", "aide"))
    )
    row = result.to_frame().iloc[0]
    assert_allclose([row["mean_first"], row["mean_second"], row["gap"]], [4, 2.5, 1.5], rtol=RTOL)
    assert (row["n_first"], row["n_second"]) == (3, 4)
    with pytest.raises(UnknownNameError):
        cs.multilevel.perception_gap(answers, "cul.openness", groups=("head", "governor"))


# Two identities ------------------------------------------------------------------------------

TIES = [f"rol.{side}.0{k}" for side in ("school", "partnership") for k in range(1, 5)]


def test_quadrants_of_two_identities() -> None:
    rows = [
        (5,) * 4 + (1,) * 4,
        (1,) * 4 + (5,) * 4,
        (4, 4, 4, 5) + (4,) * 4,
        (2,) * 8,
        (3,) * 4 + (5,) * 4,  # exactly at the line
        (None,) * 4 + (4,) * 4,
    ]
    result = cs.scoring.dual_identification(read("role_identity", TIES, rows))
    frame = result.to_frame()
    assert frame["quadrant"].tolist()[:5] == [
        "first only",
        "second only",
        "both",
        "neither",
        "on the line",
    ]
    assert pd.isna(frame["quadrant"].iloc[5])
    assert_allclose(frame["difference"], [-4, 4, -0.25, 0, 2, np.nan], rtol=RTOL)
    assert (result.n_rows, result.n_both_scored) == (6, 5)
    expected = np.corrcoef([5, 1, 4.25, 2, 3], [1, 5, 4, 2, 5])[0, 1]
    assert_allclose(result.correlation, expected, rtol=1e-9)
    counts = result.counts().set_index("quadrant")
    assert (counts["n"] == 1).all()
    assert_allclose(counts["share"], 0.2, rtol=RTOL)


def test_lines_of_one_s_own() -> None:
    rows = [(4,) * 4 + (3,) * 4, (5,) * 4 + (2,) * 4]
    result = cs.scoring.dual_identification(read("role_identity", TIES, rows), cut=(4.5, 2.5))
    assert result.to_frame()["quadrant"].tolist() == ["second only", "first only"]
    assert (result.cut_first, result.cut_second) == (4.5, 2.5)


def test_two_identities_need_one_range() -> None:
    cohort = cs.simulate_cohort(
        ["role_identity", "autonomy_accountability"],
        n_partnerships=1,
        n_schools=2,
        n_staff=6,
        waves=1,
        seed=3,
    )
    for other in ("rol.confidence", "aut.imbalance"):
        with pytest.raises(DataError):
            cs.scoring.dual_identification(cohort.responses, "rol.school", other)


# Published keys ------------------------------------------------------------------------------

OMNIBUS = {
    "omt.principal": ([1, 4, 7, 9, 11, 15, 18, 23], {4, 11, 23}),
    "omt.colleagues": ([2, 5, 8, 12, 13, 16, 19, 21], {8}),
    "omt.clients": ([3, 6, 10, 14, 17, 20, 22, 24, 25, 26], {26}),
}


def test_omnibus_t_turns_five_items_round() -> None:
    """Items 4, 8, 11, 23 and 26 count as 7 - x; scores are means over 8, 8 and 10 items."""
    items = [f"omt.{k:02d}" for k in range(1, 27)]
    answers = np.random.default_rng(5).integers(1, 7, (20, 26))
    keyed = answers.copy()
    for k in (4, 8, 11, 23, 26):
        keyed[:, k - 1] = 7 - keyed[:, k - 1]
    with pytest.warns(cs.errors.KeyingWarning):  # answers by lot do not go together
        found = cs.score(read("omnibus_t", items, answers)).to_frame()
    for scale, (numbers, _) in OMNIBUS.items():
        expected = keyed[:, [k - 1 for k in numbers]].mean(axis=1)
        assert_allclose(found[scale], expected, rtol=RTOL)


def test_omnibus_t_key() -> None:
    instrument = cs.load_instrument("omnibus_t")
    assert set(instrument.scale_ids) == set(OMNIBUS)
    for scale, (numbers, reversed_) in OMNIBUS.items():
        items = instrument.items_of(scale)
        assert [instrument.item(i).source_item for i in items] == numbers
        turned = {instrument.item(i).source_item for i in items if instrument.item(i).keyed == -1}
        assert turned == reversed_


def test_vichealth_is_a_total_of_complete_checklists() -> None:
    """35 answers of 1 and of 5: 35 and 175; with one left blank there is no total."""
    items = [f"vpat.{k:02d}" for k in range(1, 36)]
    rows = [[1] * 35, [5] * 35, [3] * 34 + [None]]
    found = cs.score(read("vichealth_partnerships", items, rows), method="sum").to_frame()
    assert_allclose(found["vpat.total"], [35, 175, np.nan], rtol=RTOL)


def test_readiness_for_change() -> None:
    """Commitment 2, 4, 6, 9, 11; efficacy the other seven; none is reversed."""
    items = [f"oric.{k:02d}" for k in range(1, 13)]
    row = [2 if k in {2, 4, 6, 9, 11} else 5 for k in range(1, 13)]
    found = cs.score(read("oric", items, [row])).to_frame().iloc[0]
    assert_allclose([found["oric.commitment"], found["oric.efficacy"]], [2, 5], rtol=RTOL)


def test_levels_of_collaboration_is_a_matrix_of_pairs() -> None:
    answers = read(
        "levels_of_collaboration",
        ["loc.level.01"],
        [[5], [3], [0], [4]],
        cluster=["A", "A", "B", "B"],
        partner=["B", "B", "A", "A"],
        respondent=list("abcd"),
    )
    result = cs.partnership.dyads(answers, value="loc.level")
    assert_allclose(result.matrix().loc["A", "B"], 4, rtol=RTOL)
    assert_allclose(result.pairs["asymmetry"], [2], rtol=RTOL)
