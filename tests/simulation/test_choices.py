"""Picks, rankings and points of a synthetic cohort: what must hold, and what is recovered."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import collabsurvey as cs
import collabsurvey.simulation as sim
from collabsurvey.errors import OptionError, TruthError, UnknownNameError
from collabsurvey.instruments import Instrument
from collabsurvey.instruments.model import Item, ResponseSet

SE = 4
CLEAN = {"missing_share": 0.0, "cannot_say_share": 0.0, "careless_share": 0.0}
RANKS = [f"mng.rank.0{n}" for n in range(1, 6)]
NOW = [f"ctx.points.now.0{n}" for n in range(1, 4)]
SIZE = {"n_partnerships": 3, "n_schools": 9, "n_staff": 20, "waves": 2, "seed": 5}
OWN = [str(row.id) for row in cs.list_instruments().itertuples() if row.kind == "own"]


def draw(names: Any, *, truth: dict[str, Any] | None = None, **size: Any) -> sim.Cohort:
    return sim.simulate_cohort(names, truth=sim.Truth(**(truth or {})), **{**SIZE, **size})


@pytest.mark.parametrize("name", OWN)
def test_every_shipped_instrument_can_be_drawn(name: str) -> None:
    cohort = draw(name, waves=1)
    answers = cohort.responses.instrument.item_ids
    assert tuple(cohort.answers.columns[-len(answers) :]) == answers


def test_all_can_be_drawn_together_and_written() -> None:
    names = [name for name in OWN if name != "core"]  # whose items are those of the others
    cohort = draw(names)
    assert cohort.responses.synthetic
    assert cohort.answers[["mng.line.01", "own.nominate.01"]].isna().all(axis=None)


def test_files_hold_whole_numbers_and_empty_lines(tmp_path: Any) -> None:
    files = draw("shared_meaning").write(tmp_path)
    table = pd.read_csv(files.staff[0], dtype=str)
    assert table["mng.line.01"].isna().all()
    assert set(table["mng.rank.01"].dropna()) <= {"1", "2", "3", "4", "5", "-7", "-8", "-9"}


def test_rankings_have_every_rank_once_or_none() -> None:
    answers = draw("shared_meaning", n_staff=60, truth={"missing_share": 0.1}).answers[RANKS]
    whole = np.sort(answers[(answers > 0).all(axis=1)].to_numpy(), axis=1)
    assert (whole == np.arange(1, 6)).all()
    rest = answers[~(answers > 0).all(axis=1)]
    assert len(rest) > 0
    assert (rest.isna().all(axis=1) | (rest == -8).all(axis=1)).all()


@pytest.mark.parametrize(("steps", "unit"), [(20, 5), (10, 10), (500, 1)])
def test_points_add_up_to_their_total(steps: int, unit: int) -> None:
    answers = draw("relational_context", truth={"bounded_steps": steps}).answers[NOW]
    points = answers[(answers >= 0).all(axis=1)].to_numpy()
    assert (points.sum(axis=1) == 100).all()
    assert (points % unit == 0).all()


def test_the_most_popular_is_picked_by_the_logit_model() -> None:
    truth = {**CLEAN, "choice_sd": 0.0}
    cohort = draw("relational_context", n_schools=30, n_staff=60, waves=1, truth=truth)
    picks = cohort.answers[[f"ctx.now.0{n}" for n in range(1, 7)]].to_numpy()
    liked = np.exp([0.5, 0.0, -0.5])
    expected = liked / liked.sum()
    found = [(picks == code).mean() for code in (1, 2, 3)]
    assert_allclose(found, expected, atol=SE * 0.5 / np.sqrt(picks.size))


def test_a_ranking_puts_first_what_is_picked_most() -> None:
    """The first place of a Plackett-Luce ranking is a pick of the logit model."""
    truth = {**CLEAN, "choice_sd": 0.0}
    cohort = draw("shared_meaning", n_schools=30, n_staff=60, waves=1, truth=truth)
    known = cohort.truth.choices.query("scale == 'mng.rank' and school == 'S01'")
    liked = np.exp(known.set_index("option")["popularity"][RANKS].to_numpy())
    found = (cohort.answers[RANKS] == 1).mean().to_numpy()
    assert_allclose(found, liked / liked.sum(), atol=SE * 0.5 / np.sqrt(len(cohort.answers)))


def test_partnerships_differ_as_much_as_is_assumed() -> None:
    truth = {**CLEAN, "choice_icc_partnership": {"ctx.now": 0.9}, "choice_icc_school": 0.0}
    cohort = draw("relational_context", n_partnerships=40, n_schools=80, waves=1, truth=truth)
    known = cohort.truth.choices.query("option == 'unitary'")
    now, wanted = (
        known[known["scale"] == scale].drop_duplicates("partnership")
        for scale in ("ctx.now", "ctx.wanted")
    )
    deviations = [one["utility"] - one["popularity"] for one in (now, wanted)]
    assert_allclose(deviations[0].var(), 0.9, rtol=SE * np.sqrt(2 / 39))
    assert_allclose(deviations[1].var(), 0.2, rtol=SE * np.sqrt(2 / 39))
    joined = pd.concat(
        [deviations[0].reset_index(drop=True), deviations[1].reset_index(drop=True)], axis=1
    )
    assert joined.corr().iloc[0, 1] > 0  # .5 among partnerships


def test_truth_of_schools_shows_in_their_picks() -> None:
    truth = {**CLEAN, "choice_sd": 2.0, "choice_icc_partnership": 0.8}
    cohort = draw("route", n_partnerships=20, n_schools=20, n_staff=60, waves=1, truth=truth)
    known = cohort.truth.choices.query("option == 'market'").set_index("school")
    others = cohort.truth.choices.query("option != 'market'").groupby("school")["utility"].mean()
    items = [f"rte.route.0{n}" for n in range(1, 7)]
    share = (cohort.answers.set_index("school")[items] == 1).mean(axis=1).groupby("school").mean()
    assert share.corr(known["utility"] - others) > 0.8


def test_amounts_are_the_same_numbers_beside_choices() -> None:
    alone = draw("trust")
    truth_alone = alone.truth.school_conditions
    with_choices = draw(["trust", _cards()])
    pd.testing.assert_frame_equal(truth_alone, with_choices.truth.school_conditions)
    items = list(alone.responses.instrument.item_ids)
    pd.testing.assert_frame_equal(alone.answers[items], with_choices.answers[items])


def _cards() -> Instrument:
    """An instrument of nothing but picks."""
    context = cs.load_instrument("relational_context")
    kept = tuple(item for item in context.items if item.id.startswith("ctx.now."))
    scales = tuple(scale for scale in context.scoring if scale.id == "ctx.now")
    return context.model_copy(update={"items": kept, "scoring": scales})


def test_an_instrument_of_picks_alone() -> None:
    cohort = draw(_cards())
    assert cohort.truth.scales.empty
    assert set(cohort.truth.choices["option"]) == {"network", "coalition", "unitary"}


def test_an_item_of_no_scale_is_drawn_evenly_still() -> None:
    cards = _cards()
    loose = cards.model_copy(
        update={
            "items": (*cards.items, Item(id="loose", response="dice", unscored=True)),
            "response_sets": {
                **cards.response_sets,
                "dice": ResponseSet(type="nominal", values=(1, 2)),
            },
        }
    )
    answers = draw(loose, n_staff=100, truth=CLEAN).answers["loose"]
    assert_allclose((answers == 1).mean(), 0.5, atol=SE * 0.5 / np.sqrt(len(answers)))


def test_truth_of_choices_is_checked() -> None:
    with pytest.raises(UnknownNameError, match=r"choice_icc_school 'ctx.no'.*Did you mean"):
        draw("relational_context", truth={"choice_icc_school": {"ctx.no": 0.1}})
    with pytest.raises(TruthError, match="of 'ctx.now' add up to 1.1"):
        draw("relational_context", truth={"choice_icc_school": 0.9, "choice_icc_partnership": 0.2})
    with pytest.raises(TruthError, match="choice_sd is -1"):
        sim.Truth(choice_sd=-1)


def dyads(**options: Any) -> sim.Cohort:
    return draw("resource_dependence", **{"partners": 2, **options})


def test_answers_about_partners_have_a_row_each() -> None:
    cohort = dyads(waves=1)
    answers = cohort.answers
    assert answers.groupby("respondent").size().eq(2).all()
    assert (answers["partner"] != answers["school"]).all()
    schools = answers.drop_duplicates("school").set_index("school")["partnership"]
    assert (answers["partner"].map(schools) == answers["partnership"]).all()
    assert cohort.responses.roles["partner"] == "partner"


def test_questions_that_name_no_partner_stay_in_a_row_of_their_own() -> None:
    plain = draw(["resource_dependence", "rationale"])
    cohort = draw(["resource_dependence", "rationale"], partners=2)
    alone = cohort.answers[cohort.answers["partner"].isna()].drop(columns="partner")
    about = cohort.answers[cohort.answers["partner"].notna()]
    assert len(about) == 2 * len(alone)
    assert about["rat.fit.01"].isna().all()
    assert alone["rat.need.ours.01"].isna().all()
    kept = [name for name in plain.answers if not name.startswith("rat.need")]
    pd.testing.assert_frame_equal(alone[kept].reset_index(drop=True), plain.answers[kept])


def test_two_schools_see_one_pair_from_both_ends() -> None:
    truth = {**CLEAN, "dyad_share": 0.7, "response_rate": 1.0}
    cohort = dyads(n_partnerships=4, n_schools=24, n_staff=40, waves=1, partners=5, truth=truth)
    scores = cs.score(cohort.responses, ["rat.need.ours", "rat.need.theirs"])
    means = scores.to_frame(keep=["cluster", "partner"]).groupby(["school", "partner"]).mean()
    turned = means["rat.need.theirs"].copy()
    turned.index = turned.index.swaplevel().set_names(["school", "partner"])
    assert means["rat.need.ours"].corr(turned) > 0.6  # the need of s for t, said in s and in t
    known = cohort.truth.dyads.query("scale == 'rat.need.ours'").set_index(["school", "partner"])
    assert means["rat.need.ours"].corr(known["deviation"]) > 0.8
    mirror = cohort.truth.dyads.query("scale == 'rat.need.theirs'")
    mirror = mirror.set_index(["partner", "school"])["deviation"]
    assert_allclose(mirror.reindex(known.index).to_numpy(), known["deviation"])


def test_partners_nobody_is_asked_about_are_refused() -> None:
    with pytest.raises(OptionError, match="no question names a partner"):
        draw("rationale", partners=2)
    with pytest.raises(OptionError, match="partners=-1"):
        dyads(partners=-1)
    with pytest.raises(TruthError, match="dyad_share of 'rat.need.ours' add up to 1.05"):
        dyads(truth={"dyad_share": 0.9})
