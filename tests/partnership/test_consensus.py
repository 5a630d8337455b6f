"""Agreement on cards, triads and rankings: worked by hand, and against the kernels for raters."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

import collabsurvey as cs
from collabsurvey.errors import (
    DataError,
    NotEnoughDataError,
    NotSupportedError,
    OptionError,
    UnknownNameError,
    WeightsNotAppliedError,
)
from collabsurvey.instruments import Instrument, read_instrument
from collabsurvey.numerics.category_agreement import category_counts, chance_corrected
from collabsurvey.numerics.coincidence import alphas, units
from collabsurvey.partnership.consensus import consensus
from collabsurvey.partnership.consensus_frames import standardised_gap
from collabsurvey.partnership.consensus_kernel import (
    Sums,
    entropy_bits,
    pick_rows,
    pick_statistics,
    ranking_rows,
    ranking_statistics,
)
from collabsurvey.reliability import fleiss_kappa, gwet, kendall_w, krippendorff
from collabsurvey.responses import Responses

RTOL = 1e-10

HEAD = """\
id: meaning
version: 1.0.0
title: Meaning
kind: own
licence: {items: CC-BY-4.0, key: CC0-1.0, redistribute_text: true, commercial: true,
          confidence: high}
response_sets:
  aim3: {type: nominal, values: [1, 2, 3], labels: {en-GB: {1: learning, 2: helping, 3: saving}}}
  way3: {type: nominal, values: [1, 2, 3], labels: {en-GB: {1: talking, 2: voting, 3: leading}}}
  kind3: {type: nominal, values: [2, 1, 3]}
  rank3: {type: ordinal, values: [1, 2, 3]}
  agree5: {type: ordinal, values: [1, 2, 3, 4, 5]}
  points: {type: bounded, values: [0, 100]}
items:
  - {id: card.01, text: {en-GB: It is for ...}, response: aim3}
  - {id: card.02, text: {en-GB: We decide by ...}, response: way3}
  - {id: kind.01, text: {en-GB: Contact.}, response: kind3}
  - {id: kind.02, text: {en-GB: Money.}, response: kind3}
  - {id: rank.01, text: {en-GB: Trust.}, response: rank3}
  - {id: rank.02, text: {en-GB: Plans.}, response: rank3}
  - {id: rank.03, text: {en-GB: Results.}, response: rank3}
  - {id: felt.01, text: {en-GB: We mean the same.}, response: agree5}
  - {id: felt.02, text: {en-GB: We misunderstand each other.}, response: agree5, keyed: -1,
     polarity: negative}
  - {id: pts.01, text: {en-GB: Points for one.}, response: points}
  - {id: pts.02, text: {en-GB: Points for two.}, response: points}
scoring:
  - {id: cards, title: Cards, rule: agreement, felt: felt, items: [card.01, card.02], min_valid: 1}
  - {id: kinds, title: Kinds, rule: composition, types: {1: net, 2: pact, 3: body},
     items: [kind.01, kind.02], min_valid: 1}
  - {id: ranks, title: Ranks, rule: agreement, items: [rank.01, rank.02, rank.03], min_valid: 3}
  - {id: felt, title: Felt, items: [felt.01, felt.02]}
  - {id: points, title: Points, rule: composition, parts: {one: [pts.01], two: [pts.02]},
     total: 100, items: [pts.01, pts.02], min_valid: 2}
"""
NA = np.nan


@pytest.fixture(scope="module")
def meaning() -> Instrument:
    return read_instrument(HEAD)


def answers(
    instrument: Instrument, engine: Any = None, *, roles: Any = None, **columns: list[Any]
) -> Responses:
    frame = pd.DataFrame(columns)
    frame.columns = [name.replace("_", ".") for name in frame.columns]
    for item in instrument.item_ids:
        if item not in frame:
            frame[item] = np.full(len(frame), NA)
    frame["who"] = np.arange(len(frame))
    roles = {"respondent": "who", "partnership": "pa", **(roles or {})}
    return cs.from_frame(
        frame if engine is None else engine(frame), instrument=instrument, roles=roles
    )


BY_HAND = {
    "pa": ["A"] * 4,
    "card_01": [1, 1, 1, 2],
    "card_02": [1, 2, 3, NA],
    "felt_01": [5, 3, 4, 1],
    "felt_02": [1, 3, 2, 5],
}


def test_cards_worked_by_hand(meaning: Instrument, engine: Any) -> None:
    """Card 1: 3 of 6 pairs agree; card 2: none of 3."""
    result = consensus(answers(meaning, engine, **BY_HAND), "cards")
    row = result.to_frame().iloc[0]
    assert row["n"] == 4
    assert_allclose(row["agreement"], (1 / 2 + 0) / 2, rtol=RTOL)
    assert_allclose(row["chance"], 1 / 3, rtol=RTOL)
    # Chance of AC1: (1 - 9/16 - 1/16) / 2 and (1 - 3/9) / 2.
    chance = (3 / 16 + 1 / 3) / 2
    assert_allclose(row["ac1"], (1 / 4 - chance) / (1 - chance), rtol=RTOL)
    assert_allclose(row["kappa"], (1 / 4 - 1 / 3) / (2 / 3), rtol=RTOL)
    # 7 answers are 21 yes or no, 7 of them yes; 3 and 3 pairs differ, each on two of three.
    observed = (4 * 2 * (1 / 2) + 3 * 2 * 1) / 21
    expected = 2 * 7 * 14 / (21 * 20)
    assert_allclose(row["alpha"], 1 - observed / expected, rtol=RTOL)
    # Felt: 100, 50, 75 and 0.
    assert_allclose([row["felt"], row["actual"], row["gap"]], [56.25, 25, 31.25], rtol=RTOL)
    assert_allclose(row["gap_beyond_chance"], 56.25 - 100 * row["ac1"], rtol=RTOL)
    assert np.isnan(row["gap_z"]) and row["n_felt"] == 4 and row["below_min_n"]
    bits = [-(0.75 * np.log2(0.75) + 0.25 * np.log2(0.25)), np.log2(3)]
    items = result.items()
    assert_allclose(items["entropy"], bits, rtol=RTOL)
    assert_allclose(items["entropy_share"], [bits[0] / np.log2(3), 1], rtol=RTOL)
    assert_allclose(row["entropy_share"], (bits[0] / np.log2(3) + 1) / 2, rtol=RTOL)
    assert items["label"].tolist() == ["learning", "talking = voting = leading"]
    assert items["n_tied"].tolist() == [1, 3]
    assert items["answer"].tolist()[0] == 1 and np.isnan(items["answer"].tolist()[1])
    assert_allclose(items["share"], [0.75, 1 / 3], rtol=RTOL)
    assert_allclose(items["agreement"], [0.5, 0], atol=1e-15)
    assert_allclose(items["ac1"], [(1 / 2 - 3 / 16) / (13 / 16), -1 / 2], rtol=RTOL)
    shares = result.shares()
    assert shares["n"].tolist() == [3, 1, 0, 1, 1, 1]


def test_jackknife_worked_by_hand(meaning: Instrument) -> None:
    """Of a, a, a, b: without one a 1/3, without b 1; the error is sqrt(3/4 × 1/3) = 1/2."""
    data = answers(meaning, pa=["A"] * 4, card_01=[1, 1, 1, 2])
    row = consensus(data, "cards", conf_level=0.5).to_frame().iloc[0]
    reach = 0.764892328 / 2  # t of 3 at .75
    assert_allclose([row["agreement_low"], row["agreement_high"]], [0.5 - reach, 0.5 + reach])
    assert row["n_units"] == 4 and row["interval"] == "jackknife over respondents"
    wide = consensus(data, "cards", conf_level=0.99).to_frame().iloc[0]
    assert (wide["agreement_low"], wide["agreement_high"]) == (0, 1)


def test_rankings_worked_by_hand(meaning: Instrument, engine: Any) -> None:
    """Two alike, one with the last two swapped; a tie and a blank are counted, not used."""
    data = answers(
        meaning,
        engine,
        pa=["A"] * 6,
        rank_01=[1, 1, 1, 1, 1, NA],
        rank_02=[2, 2, 3, 1, NA, NA],
        rank_03=[3, 3, 2, 3, 3, NA],
    )
    result = consensus(data, "ranks")
    row = result.to_frame().iloc[0]
    assert (row["n"], row["n_left_out"]) == (3, 2)
    assert_allclose(row["tau"], (1 + 1 / 3 + 1 / 3) / 3, rtol=RTOL)
    assert_allclose(row["agreement"], (1 + 2 / 3 + 2 / 3) / 3, rtol=RTOL)
    assert_allclose(row["spearman"], 2 / 3, rtol=RTOL)
    assert_allclose(row["kendall_w"], 12 * 14 / (9 * 24), rtol=RTOL)  # sums of ranks 3, 7, 8
    items = result.items()
    assert_allclose(items["mean_rank"], [1, 7 / 3, 8 / 3], rtol=RTOL)
    assert items["place"].tolist() == [1, 2, 3]
    assert_allclose(items["share_first"], [1, 0, 0])
    assert result.shares()["n"].tolist() == [3, 0, 0, 0, 2, 1, 0, 1, 2]
    assert any("An incomplete ranking, left out: 1." in note for note in result.notes)
    assert any("Not each rank from 1 to 3 once, left out: 1." in note for note in result.notes)
    assert result.felt is None and "felt" not in result.to_frame()


OBSERVERS = [  # Krippendorff (2011): 12 units, 4 observers; also irrCAC's cac.raw4raters
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NA, NA, NA],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NA, 3],
    [NA, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NA],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NA],
]


def test_common_options_give_the_published_values() -> None:
    """Krippendorff's alpha of his example, .743; AC1 and kappa of Gwet's irrCAC vignette."""
    text = HEAD[: HEAD.index("response_sets")] + (
        "response_sets:\n  five: {type: nominal, values: [1, 2, 3, 4, 5]}\nitems:\n"
        + "".join(
            f"  - {{id: u.{j:02}, text: {{en-GB: Unit {j}.}}, response: five}}\n" for j in range(12)
        )
        + "scoring:\n  - {id: u, title: Units, rule: agreement, items: ["
        + ", ".join(f"u.{j:02}" for j in range(12))
        + "]}\n"
    )
    instrument = read_instrument(text)
    columns = {f"u_{j:02}": [row[j] for row in OBSERVERS] for j in range(12)}
    result = consensus(answers(instrument, pa=["A"] * 4, **columns), "u", min_valid=0)
    row = result.to_frame().iloc[0]
    assert result.common
    assert_allclose(row["agreement"], 0.8181818, atol=5e-8)
    assert_allclose(row["ac1"], 0.77544, atol=5e-6)
    assert_allclose(row["kappa"], 0.76117, atol=5e-6)
    assert_allclose(row["alpha"], 0.743, atol=5e-4)


picks = arrays(np.int64, (7, 3), elements=st.integers(-1, 3))


def statistics(codes: Any, *, common: bool, n_options: int = 4) -> dict[str, float]:
    rows, answered = pick_rows(codes, n_options)
    sums = Sums.of(rows, answered, np.full(len(codes), NA), np.arange(len(codes)))
    options = np.full(codes.shape[1], n_options)
    found = pick_statistics(sums.whole(), options, common=common)
    return {name: float(value[0]) for name, value in found.items()}


def long_form(codes: Any) -> pd.DataFrame:
    person, item = np.nonzero(codes >= 0)
    return pd.DataFrame({"item": item, "person": person, "code": codes[person, item]})


def alpha_of(target: pd.Series, code: pd.Series) -> float:
    data = units(target.to_numpy(), code.to_numpy(dtype=np.int64), np.arange(4.0))
    return float(alphas(data, "nominal", data.times[None, :])[0])


@given(picks)
def test_common_options_are_the_kernels_for_raters(codes: Any) -> None:
    long = long_form(codes)
    per_item = long.groupby("item")["person"].count()
    if len(per_item) < 2 or (per_item < 2).all() or long["code"].nunique() < 2:
        return
    found = statistics(codes, common=True)
    named = {"targets": "item", "raters": "person", "ratings": "code"}
    theirs = gwet(long, categories=[0, 1, 2, 3], **named)
    assert_allclose(found["agreement"], theirs.observed, rtol=RTOL, atol=1e-12)
    assert_allclose(found["ac1"], theirs.estimate, rtol=RTOL, atol=1e-12)
    assert_allclose(found["kappa"], fleiss_kappa(long, **named).estimate, rtol=RTOL, atol=1e-12)
    paired = long[long["item"].isin(per_item[per_item > 1].index)]
    assert_allclose(found["alpha"], alpha_of(paired["item"], paired["code"]), atol=1e-12)


@given(picks)
def test_own_options_are_the_kernels_on_yes_and_no(codes: Any) -> None:
    """Every option of every item is a target, which each person says yes or no to."""
    answered = (codes >= 0).sum(axis=0)
    found = statistics(codes, common=False)
    if (answered < 2).any():
        return
    units = [(j, option) for j in range(3) for option in range(4)]
    yes = np.array([np.where(codes[:, j] < 0, NA, codes[:, j] == option) for j, option in units])
    unit, person = np.nonzero(~np.isnan(yes))
    long = pd.DataFrame({"unit": unit, "person": person, "yes": yes[unit, person]})
    named = {"targets": "unit", "raters": "person", "ratings": "yes"}
    assert_allclose(found["kappa"], fleiss_kappa(long, **named).estimate, rtol=RTOL, atol=1e-12)
    assert_allclose(found["alpha"], alpha_of(long["unit"], long["yes"]), atol=1e-12)
    assert_allclose(found["kappa"], (found["agreement"] - 0.25) / 0.75, rtol=RTOL, atol=1e-12)
    counts = [category_counts(np.zeros(len(x[x >= 0]), int), x[x >= 0], 1, 4) for x in codes.T]
    each = [chance_corrected(count, np.eye(4), "gwet") for count in counts]
    observed, chance = np.mean([[x.observed, x.expected] for x in each], axis=0)
    assert_allclose(found["ac1"], (observed - chance) / (1 - chance), rtol=RTOL, atol=1e-12)


@given(picks, st.permutations(range(4)))
def test_numbering_of_own_options_does_not_count(codes: Any, order: list[int]) -> None:
    other = codes.copy()
    other[:, 0] = np.where(codes[:, 0] < 0, -1, np.array(order)[codes[:, 0]])
    here, there = statistics(codes, common=False), statistics(other, common=False)
    for name in here:
        assert_allclose(here[name], there[name], rtol=RTOL, atol=1e-12)


@given(picks)
def test_agreement_is_that_of_pairs(codes: Any) -> None:
    per_item = []
    for x in codes.T:
        given_ = x[x >= 0]
        if len(given_) > 1:
            per_item.append(np.mean([a == b for a, b in combinations(given_, 2)]))
    expected = np.mean(per_item) if per_item else NA
    for common in (True, False):
        assert_allclose(statistics(codes, common=common)["agreement"], expected, atol=1e-12)


@given(st.lists(st.permutations([1, 2, 3, 4]), min_size=2, max_size=6))
def test_rankings_are_kendall_w(rankings: list[list[int]]) -> None:
    ranks = np.array(rankings, dtype=float)
    n = len(ranks)
    rows = ranking_rows(ranks)
    sums = Sums.of(rows, np.ones((n, 2), dtype=bool), np.full(n, NA), np.arange(n))
    found = ranking_statistics(sums.whole())
    theirs = kendall_w(ranks.T)
    assert_allclose(found["kendall_w"][0], theirs.estimate, atol=1e-12)
    assert_allclose(found["spearman"][0], theirs.mean_spearman, atol=1e-12)
    same = [
        np.mean([(a[i] < a[j]) == (b[i] < b[j]) for i, j in combinations(range(4), 2)])
        for a, b in combinations(rankings, 2)
    ]
    assert_allclose(found["agreement"][0], np.mean(same), atol=1e-12)


@given(arrays(np.float64, (3, 5), elements=st.integers(0, 40).map(float)))
def test_entropy_is_between_none_and_an_even_spread(counts: Any) -> None:
    bits = entropy_bits(counts)
    empty = counts.sum(axis=1) == 0
    assert (np.isnan(bits) == empty).all()
    assert (bits[~empty] >= 0).all() and (bits[~empty] <= np.log2(5) + 1e-12).all()
    assert_allclose(entropy_bits(np.array([[7.0, 0, 0, 0, 0], [2, 2, 2, 2, 2]])), [0, np.log2(5)])


def cohort(meaning: Instrument, seed: int = 3, groups: str = "ABCDEF", **options: Any) -> Responses:
    """Partnerships of four schools of eight, whose agreement rises from A on."""
    rng = np.random.default_rng(seed)
    n = 32 * len(groups)
    group = np.repeat(np.arange(len(groups)), 32)
    near = rng.random((n, 4)) < (0.2 + 0.12 * group)[:, None]
    cards = np.where(near, group[:, None] % 3 + 1, rng.integers(1, 4, (n, 4)))
    order = np.array([rng.permutation([1, 2, 3]) for _ in range(n)])
    felt = np.clip(np.round(rng.normal(3, 1, n)), 1, 5)
    columns = {
        "pa": [groups[g] for g in group],
        "school": [f"s{i // 8}" for i in range(n)],
        **{f"card_0{j + 1}": cards[:, j] for j in range(2)},
        **{f"kind_0{j + 1}": cards[:, 2 + j] for j in range(2)},
        **{f"rank_0{j + 1}": order[:, j] for j in range(3)},
        "felt_01": felt,
        "felt_02": 6 - felt,
    }
    return answers(meaning, roles={"cluster": "school"}, **{**columns, **options})


def test_schools_are_left_out_whole(meaning: Instrument) -> None:
    data = cohort(meaning)
    frame = data.frame
    row = consensus(data, "cards").to_frame().iloc[2]
    assert row["interval"] == "jackknife over schools" and row["n_units"] == 4
    inside = frame[frame["pa"] == "C"]
    names = ["agreement", "ac1", "alpha", "kappa", "felt", "gap"]
    without = np.array(
        [
            consensus(data.replace(frame=inside[inside["school"] != school]), "cards", cluster=None)
            .to_frame()[names]
            .to_numpy()[0]
            for school in inside["school"].unique()
        ]
    )
    spread = np.sqrt(3 / 4 * ((without - without.mean(axis=0)) ** 2).sum(axis=0))
    reach = 3.182446305 * spread  # t of 3 at .975
    for name, half in zip(names, reach, strict=True):
        low, high = row[name] - half, row[name] + half
        assert_allclose([row[f"{name}_low"], row[f"{name}_high"]], [low, high], rtol=1e-8)


def test_jackknife_holds_its_level() -> None:
    """Twenty people, three items of four options: agreement is the sum of squared shares."""
    rng = np.random.default_rng(12)
    shares = np.array([0.6, 0.2, 0.1, 0.1])
    covered = 0
    for _ in range(400):
        codes = rng.choice(4, size=(20, 3), p=shares)
        rows, answered = pick_rows(codes, 4)
        sums = Sums.of(rows, answered, np.full(20, NA), np.arange(20))
        whole, without = sums.whole().agreement.mean(), sums.left_out().agreement.mean(axis=1)
        reach = 2.093024054 * np.sqrt(19 / 20 * ((without - without.mean()) ** 2).sum())
        covered += abs(whole - (shares**2).sum()) <= reach
    assert 0.92 <= covered / 400 <= 0.98  # .95 and twice its error over 400 trials, and a little


def test_people_are_the_units_without_schools(meaning: Instrument) -> None:
    data = cohort(meaning)
    alone = consensus(data, "cards", cluster=None).to_frame()
    assert (alone["n_units"] == 32).all()
    by_school = consensus(data, "cards", by="cluster")
    assert by_school.by == "school"
    assert (by_school.to_frame()["interval"] == "jackknife over respondents").all()
    assert by_school.to_frame()["below_min_n"].all()


def test_two_schools_say_nothing_about_schools(meaning: Instrument) -> None:
    """Two that are alike by chance would give next to no interval; people are the units."""
    data = cohort(meaning)
    frame = data.frame.assign(school=data.frame["school"].where(data.frame["pa"] != "B", "s4"))
    frame.loc[frame.index[48:64], "school"] = "s5"  # B has two schools, the others four
    mixed = consensus(data.replace(frame=frame), "cards")
    rows = mixed.to_frame().set_index("pa")
    assert rows.loc["B", "interval"] == "jackknife over respondents"
    assert rows.loc["A", "interval"] == "jackknife over schools"
    people = consensus(data.replace(frame=frame), "cards", cluster=None).to_frame()
    ends = ["agreement_low", "agreement_high", "gap_low", "gap_high"]
    assert_allclose(
        rows.loc["B", ends].astype(float), people.set_index("pa").loc["B", ends].astype(float)
    )
    text = " ".join(mixed.notes)
    assert "over schools (respondents where there are fewer than 3 schools)" in text
    assert "cannot be compared in width with those over schools: B." in text
    assert "over respondents" in mixed.summary()
    frame = data.frame.assign(school=[f"s{i // 16}" for i in range(len(data.frame))])
    notes = consensus(data.replace(frame=frame), "cards").notes
    assert any("No pa has people of 3 schools" in note for note in notes)


def test_a_single_card_has_options_of_its_own() -> None:
    """Pairs of 6 people picking 3, 2, 1 of one option: (3 + 1) of 15 agree; chance is 1 / 3."""
    text = HEAD.replace("items: [card.01, card.02], min_valid: 1", "items: [card.01], min_valid: 1")
    text = text.replace("response: way3}", "response: way3, unscored: true}")
    data = answers(read_instrument(text), pa=["A"] * 6, card_01=[1, 1, 1, 2, 2, 3])
    result = consensus(data, "cards")
    row = result.to_frame().iloc[0]
    assert not result.common
    assert_allclose(row["agreement"], 4 / 15, rtol=RTOL)
    assert_allclose(row["kappa"], (4 / 15 - 1 / 3) / (2 / 3), rtol=RTOL)  # not -1 / 5
    # AC1: chance is (1 - (1/4 + 1/9 + 1/36)) / 2 = 11 / 36.
    assert_allclose(row["ac1"], (4 / 15 - 11 / 36) / (25 / 36), rtol=RTOL)
    # Alpha: 18 answers of yes or no, 6 of them yes; 22 / 15 apart of 144 / 306 by chance.
    assert_allclose(row["alpha"], 1 - (2 * 6 * 11 / 15 / 18) / (2 * 6 * 12 / (18 * 17)), rtol=RTOL)
    with pytest.raises(OptionError, match="one item has nothing to be pooled with"):
        consensus(data, "cards", options="common")


def test_an_item_nobody_answered_does_not_count(meaning: Instrument) -> None:
    data = answers(
        meaning,
        pa=["A"] * 4 + ["B"] * 3,
        card_01=[1, 1, 2, 2, 1, 1, 2],
        kind_01=[1, 1, 2, 2, 1, 1, 2],
    )
    cards = consensus(data, "cards")
    assert cards.to_frame()["n_items"].tolist() == [1, 1]
    assert cards.notes[0].startswith("Agreement: share of pairs of people with the same answer, ")
    assert "mean of 1 item; 33% by chance" in cards.notes[0]
    assert "Nobody answered card.02, so agreement rests on the other items." in cards.notes
    kinds = consensus(data, "kinds").to_frame()  # one item: nothing to tell apart
    assert kinds["kappa"].isna().all() and kinds["kappa_low"].isna().all()
    assert_allclose(kinds["agreement"], [1 / 3, 1 / 3], rtol=RTOL)
    assert any("no items to tell apart" in note for note in consensus(data, "kinds").notes)
    frame = data.frame.assign(**{"card.02": [1.0, 2, 3, NA, 2, NA, NA]})
    fewer = consensus(data.replace(frame=frame), "cards")
    assert any(note.endswith("do not have two answers there: B (1).") for note in fewer.notes)


def test_bootstrap_is_repeatable_and_does_not_agree_with_itself(meaning: Instrument) -> None:
    data = cohort(meaning)
    options: dict[str, Any] = {"ci": "bootstrap", "cluster": None, "n_boot": 400}
    once = consensus(data, "cards", **options).to_frame()
    shuffled = data.replace(frame=data.frame.sample(frac=1, random_state=5))
    pd.testing.assert_frame_equal(once, consensus(shuffled, "cards", **options).to_frame())
    other = consensus(data, "cards", **{**options, "seed": 1}).to_frame()
    assert (once["agreement_low"] != other["agreement_low"]).any()
    # Both kinds of interval are about as wide, and have the estimate in their middle.
    jackknife = consensus(data, "cards", cluster=None).to_frame()
    width = [frame["agreement_high"] - frame["agreement_low"] for frame in (once, jackknife)]
    assert_allclose(width[0], width[1], rtol=0.25)
    middle = (once["agreement_low"] + once["agreement_high"]) / 2
    assert_allclose(middle, once["agreement"], atol=0.03)


def test_few_schools_are_not_drawn(meaning: Instrument) -> None:
    result = consensus(cohort(meaning), "cards", ci="bootstrap", n_boot=100)
    assert (result.to_frame()["interval"] == "jackknife over schools").all()
    assert any("the jackknife was taken" in note for note in result.notes)


def test_order_of_rows_does_not_count(meaning: Instrument) -> None:
    data = cohort(meaning)
    shuffled = data.replace(frame=data.frame.sample(frac=1, random_state=8))
    for scale in ("cards", "kinds", "ranks"):
        one, two = consensus(data, scale), consensus(shuffled, scale)
        pd.testing.assert_frame_equal(one.to_frame(), two.to_frame())
        pd.testing.assert_frame_equal(one.items(), two.items())


def test_engines_agree(meaning: Instrument, engine: Any) -> None:
    data = cohort(meaning)
    there = cs.from_frame(engine(data.frame), instrument=meaning, roles=dict(data.roles))
    for scale in ("cards", "ranks"):
        pd.testing.assert_frame_equal(
            consensus(there, scale, felt="felt").to_frame(),
            consensus(data, scale, felt="felt").to_frame(),
        )


def test_gap_is_standardised_over_groups(meaning: Instrument) -> None:
    result = consensus(cohort(meaning), "cards")
    frame = result.to_frame()
    z = [(frame[x] - frame[x].mean()) / frame[x].std() for x in ("felt", "actual")]
    assert_allclose(frame["gap_z"], z[0] - z[1], rtol=RTOL, atol=1e-12)
    assert any("different footings: 33 of 100" in note for note in result.notes)
    whole = result.over_groups().set_index("measure")
    assert_allclose(whole.loc["gap", "mean"], frame["gap"].mean(), rtol=RTOL)
    error = frame["gap"].std() / np.sqrt(6)
    assert_allclose(whole.loc["gap", "ci_high"], frame["gap"].mean() + 2.570581836 * error)
    four = consensus(cohort(meaning, groups="ABCD"), "cards")
    assert four.to_frame()["gap_z"].isna().all()
    assert any("5 groups or more; 4 have both" in note for note in four.notes)
    assert np.isnan(standardised_gap(np.full(6, 50.0), np.arange(6.0))).all()


def test_triads_have_common_options_and_cards_their_own(meaning: Instrument) -> None:
    data = cohort(meaning)
    kinds = consensus(data, "kinds")
    assert kinds.common and not consensus(data, "cards").common
    assert consensus(data, "cards", options="common").common
    assert set(kinds.shares()["label"]) == {"net", "pact", "body"}
    inside = data.frame[data.frame["pa"] == "B"][["kind.01", "kind.02"]]
    row = kinds.to_frame().set_index("pa").loc["B"]
    table = inside.to_numpy().T
    assert_allclose(row["ac1"], gwet(table, categories=[1, 2, 3]).estimate, rtol=RTOL)
    assert_allclose(row["kappa"], fleiss_kappa(table).estimate, rtol=RTOL)
    assert_allclose(row["alpha"], krippendorff(table, n_boot=2).estimate, rtol=RTOL)


def test_everybody_agrees(meaning: Instrument) -> None:
    """AC1 is 1; kappa and alpha of common options divide nothing by nothing."""
    data = answers(
        meaning,
        pa=["A"] * 5,
        card_01=[1] * 5,
        card_02=[2] * 5,
        kind_01=[3] * 5,
        kind_02=[3] * 5,
    )
    kinds = consensus(data, "kinds")
    row = kinds.to_frame().iloc[0]
    assert (row["agreement"], row["ac1"], row["entropy_share"]) == (1, 1, 0)
    assert np.isnan(row["kappa"]) and np.isnan(row["alpha"])
    assert any("not defined: A" in note for note in kinds.notes)
    assert any("without width" in note for note in kinds.notes)
    cards = consensus(data, "cards").to_frame().iloc[0]
    assert_allclose(cards[["agreement", "ac1", "kappa", "alpha"]].astype(float), 1)
    assert (cards["agreement_low"], cards["agreement_high"]) == (1, 1)


def test_nearly_everybody_agrees_and_kappa_is_below_zero(meaning: Instrument) -> None:
    """The reason to read AC1: 49 of 50 pick the same in both items, kappa is -1/50."""
    one = [1] * 49
    row = (
        consensus(answers(meaning, pa=["A"] * 50, kind_01=[*one, 2], kind_02=[2, *one]), "kinds")
        .to_frame()
        .iloc[0]
    )
    assert row["agreement"] == pytest.approx(0.96)
    assert row["kappa"] < 0 and row["ac1"] > 0.95


def test_small_and_empty_groups_are_kept(meaning: Instrument) -> None:
    data = answers(
        meaning,
        pa=["A", "B", "B", "C", None, "D", "D", "D"],
        card_01=[1, 1, 2, NA, 1, 1, 1, 2],
        card_02=[1, NA, NA, NA, 1, NA, NA, NA],
        felt_01=[1, 2, 3, 4, 5, 1, 2, 3],
        felt_02=[5, 4, 3, 2, 1, 5, 4, 3],
    )
    result = consensus(data, "cards")
    frame = result.to_frame().set_index("pa")
    assert frame["n"].to_dict() == {"A": 1, "B": 2, "C": 0, "D": 3}
    assert frame["agreement"].isna().to_dict() == {"A": True, "B": False, "C": True, "D": False}
    assert np.isnan(frame.loc["B", "agreement_low"]) and frame.loc["B", "agreement"] == 0
    assert frame.loc["C", "felt"] == 75 and np.isnan(frame.loc["C", "gap"])
    text = " ".join(result.notes)
    assert "without agreement: A, C" in text and "Too few people for an interval: B" in text
    assert "without pa, left out: 1" in text and "Nobody with enough answers: C" in text
    assert "not to be published: A, B, D" in text
    assert result.items().query("pa == 'C'")["label"].tolist() == ["", ""]
    result.summary(), result.chart().to_svg(), result.over_groups()


def test_people_with_felt_agreement_only_do_not_sharpen_the_rest(meaning: Instrument) -> None:
    """Leaving out somebody who picked nothing changes nothing and is no degree of freedom."""
    picked = {"card_01": [1, 1, 1, 2], "felt_01": [5, 4, 3, 2], "felt_02": [1, 2, 3, 4]}
    more = {"card_01": [NA] * 20, "felt_01": [1.0, 5] * 10, "felt_02": [5.0, 1] * 10}
    both = {name: [*picked[name], *more[name]] for name in picked}
    few = consensus(answers(meaning, pa=["A"] * 4, **picked), "cards", conf_level=0.5)
    many = consensus(answers(meaning, pa=["A"] * 24, **both), "cards", conf_level=0.5)
    names = ["agreement_low", "agreement_high", "ac1_low"]
    assert_allclose(few.to_frame()[names], many.to_frame()[names], rtol=1e-8)


def test_min_valid_is_the_instruments_unless_told(meaning: Instrument) -> None:
    data = answers(meaning, pa=["A"] * 3, card_01=[1, 1, 2], card_02=[1, 1, NA])
    result = consensus(data, "cards", min_valid=2)
    assert result.to_frame()["n"].tolist() == [2]
    assert any("Fewer than 2 of 2 items answered, left out: 1" in x for x in result.notes)


def test_shipped_instruments_work(meaning: Instrument) -> None:
    rng = np.random.default_rng(4)
    for name, scale in (("shared_meaning", "mng.cards"), ("relational_context", "ctx.now")):
        instrument = cs.load_instrument(name)
        frame = pd.DataFrame({"pa": ["A", "B"] * 20})
        for item in instrument.items:
            answers_of = instrument.response_set(item.id)
            if item.id in instrument.scale(scale).items:
                frame[item.id] = rng.choice(answers_of.values, 40)
            else:
                frame[item.id] = None if answers_of.type == "text" else NA
        data = cs.from_frame(frame, instrument=instrument, roles={"partnership": "pa"})
        result = consensus(data, scale)
        assert result.to_frame()["n"].tolist() == [20, 20]
        assert result.common == (scale == "ctx.now")
        assert "learning" in " ".join(result.shares()["label"]) or result.common


def test_table_and_charts_say_what_they_show(meaning: Instrument) -> None:
    data = cohort(meaning)
    result = consensus(data, "cards")
    assert "felt" in result.chart().description and "33 by chance" in result.chart().description
    assert "AC1" in result.summary() and result.table().n_rows == 6
    headings = result.table().headings()
    assert len(set(headings)) == len(headings)
    assert "0 where all pick the same" in result.notes[0]
    ranks = consensus(data, "ranks")
    ax = ranks.chart().plot()
    assert_allclose(ax.lines[-1].get_xdata(), [50, 50])  # per cent, as in the table
    few = consensus(data.replace(frame=data.frame.iloc[:38]), "ranks").chart()
    lines = few.plot().get_xlabel().split("\n")
    assert lines[1] == "(hollow: fewer than 10 people)"
    assert max(map(len, lines)) < 75  # a longer one is cut at the edges of the picture
    assert "line: by chance (hollow: fewer" in few.description
    assert "same order" in ranks.summary() and "by chance" in ranks.chart().description
    assert ranks.chart().to_svg().startswith("<svg")


def test_refusals(meaning: Instrument) -> None:
    data = cohort(meaning)
    with pytest.raises(DataError, match="answers are amounts"):
        consensus(data, "felt")
    with pytest.raises(NotSupportedError, match="points shared out"):
        consensus(data, "points")
    with pytest.raises(UnknownNameError, match="no scale 'card'"):
        consensus(data, "card")
    with pytest.raises(OptionError, match="felt='ranks'"):
        consensus(data, "cards", felt="ranks")
    for option in ({"ci": "bca"}, {"options": "all"}, {"min_n": 0}, {"n_boot": 5}):
        with pytest.raises(OptionError, match=next(iter(option))):
            consensus(data, "cards", **option)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="conf_level"):
        consensus(data, "cards", conf_level=95)
    with pytest.raises(DataError, match="takes Responses"):
        consensus(data.frame, "cards")
    with pytest.raises(DataError, match="role 'partnership'"):
        consensus(data.replace(roles={"respondent": "who"}), "cards")
    with pytest.raises(WeightsNotAppliedError, match="consensus"):
        consensus(data.replace(roles={**data.roles, "weight": "felt.01"}), "cards")
    with pytest.raises(NotEnoughDataError, match="enough answers"):
        consensus(answers(meaning, pa=["A"], felt_01=[3]), "cards")
    with pytest.raises(DataError, match="not among its options: 7"):
        consensus(data.replace(frame=data.frame.assign(**{"card.01": 7.0})), "cards")
    with pytest.raises(OptionError, match="not called 'gap'"):
        named = data.frame.rename(columns={"pa": "gap"})
        consensus(data.replace(frame=named, roles={"partnership": "gap"}), "cards")


def test_people_count_once(meaning: Instrument) -> None:
    frame = pd.DataFrame(BY_HAND).rename(columns=lambda name: name.replace("_", "."))
    frame = frame.reindex(columns=["pa", *meaning.item_ids])
    frame["who"], frame["wave"] = [1, 1, 2, 2], [1, 2, 1, 2]
    data = cs.from_frame(
        frame,
        instrument=meaning,
        roles={"respondent": "who", "wave": "wave", "partnership": "pa"},
    )
    with pytest.raises(DataError, match="counts each person once"):
        consensus(data, "cards")
