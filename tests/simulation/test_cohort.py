"""A synthetic cohort: shapes, marks, margins, reproducibility, files and refusals."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal

import collabsurvey.simulation as sim
from collabsurvey.errors import (
    DataError,
    NotEnoughDataError,
    OptionError,
    OutputError,
    TruthError,
    UnknownNameError,
)
from collabsurvey.instruments.making import instrument_from_scales
from collabsurvey.instruments.model import (
    Instrument,
    Item,
    ResponseSet,
    Scale,
)
from collabsurvey.responses import from_frame

SHIPPED = ["trust", "culture", "role_identity", "collaborative_capacity"]
SE = 4  # sampling errors allowed; a seed is fixed, so a test that passes keeps passing
CLEAN = {"missing_share": 0.0, "cannot_say_share": 0.0, "careless_share": 0.0}
OPEN, HELP = ["open1", "open2", "open3"], ["help1", "help2"]


def small(**changes: Any) -> Instrument:
    """Two scales on five options, one item reversed, with a code for "cannot say"."""
    plain = instrument_from_scales(
        {"open": OPEN, "help": HELP}, reverse_keyed=["open2"], response_range=(1, 5)
    )
    answers = ResponseSet(
        type="ordinal", values=(1, 2, 3, 4, 5), missing={-9: "skipped", -8: "cannot_say"}
    )
    return plain.model_copy(update={"response_sets": {"answers": answers}, **changes})


def draw(instrument: Any = None, **options: Any) -> sim.Cohort:
    truth = options.pop("truth", {})
    defaults = {"n_partnerships": 3, "n_schools": 8, "n_staff": 20, "waves": 2, "seed": 5}
    return sim.simulate_cohort(
        instrument or small(), truth=sim.Truth(**truth), **(defaults | options)
    )


def test_the_parts_have_the_shapes_promised() -> None:
    cohort = draw(waves=3, n_staff=(5, 9))
    assert dict(cohort.responses.roles) == {
        "respondent": "respondent",
        "cluster": "school",
        "partnership": "partnership",
        "wave": "wave",
        "staff_role": "staff_role",
    }
    assert cohort.outcomes.groupby(["school", "cohort"]).size().tolist() == [1] * 24
    assert cohort.eligible.groupby(["school", "wave"]).size().tolist() == [1] * 24
    assert cohort.eligible["staff"].between(5, 9).all()
    assert cohort.calendar.to_numpy().tolist() == [[1, 2025], [2, 2026], [3, 2027]]
    sizes = cohort.eligible.groupby("partnership")["school"].nunique()
    assert sorted(sizes) == [2, 3, 3]
    assert len(cohort.truth.school_conditions) == 24


def test_nobody_answers_twice_in_a_wave_and_no_school_has_more_answers_than_staff() -> None:
    cohort = draw(n_staff=(5, 30))
    rows = cohort.answers
    assert not rows.duplicated(["respondent", "wave"]).any()
    answered = rows.groupby(["school", "wave"]).size().rename("n").reset_index()
    both = cohort.eligible.merge(answered, on=["school", "wave"])
    assert (both["n"] <= both["staff"]).all()
    assert rows.groupby("respondent")["school"].nunique().max() == 1


@pytest.mark.parametrize("part", ["outcomes", "eligible", "answers"])
def test_every_row_is_marked_synthetic(part: str) -> None:
    assert getattr(draw(), part)["synthetic"].all()


def test_the_responses_are_marked_synthetic() -> None:
    cohort = draw()
    assert cohort.responses.synthetic
    assert cohort.responses.frame["synthetic"].all()
    assert "synthetic" in repr(cohort)
    assert "Synthetic data" in cohort.truth.summary()


def test_a_seed_fixes_the_cohort() -> None:
    one, same, other = draw(seed=3), draw(seed=3), draw(seed=4)
    for part in ("answers", "outcomes", "eligible"):
        assert_frame_equal(getattr(one, part), getattr(same, part))
    assert_frame_equal(one.truth.school_conditions, same.truth.school_conditions)
    assert not one.outcomes["attendance"].equals(other.outcomes["attendance"])


def test_the_order_in_which_assumptions_are_named_changes_nothing() -> None:
    forward = draw(truth={"effects": {"open": 0.3, "help": 0.1}})
    backward = draw(truth={"effects": {"help": 0.1, "open": 0.3}})
    assert_frame_equal(forward.outcomes, backward.outcomes)


@pytest.mark.parametrize("turnover", [0.0, 0.3, 1.0])
def test_respondents_keep_their_ids_apart_from_turnover(turnover: float) -> None:
    cohort = draw(
        n_schools=40, n_staff=50, waves=3, truth={"turnover": turnover, "response_rate": 1.0}
    )
    ids = [set(rows["respondent"]) for _, rows in cohort.answers.groupby("wave")]
    error = SE * np.sqrt(turnover * (1 - turnover) / 2000)
    for before, after in pairwise(ids):
        assert_allclose(len(after - before) / 2000, turnover, atol=error)


def test_the_response_rate_is_the_one_asked_for() -> None:
    cohort = draw(n_schools=50, n_staff=40, truth={"response_rate": 0.6})
    share = len(cohort.answers) / cohort.eligible["staff"].sum()
    assert_allclose(share, 0.6, atol=SE * np.sqrt(0.24 / 4000))


def test_blank_answers_and_codes_come_as_often_as_asked_for() -> None:
    cohort = draw(n_schools=60, n_staff=50, truth={"missing_share": 0.06, "cannot_say_share": 0.03})
    items = cohort.answers[OPEN + HELP].to_numpy()
    n = items.size
    assert_allclose(np.isnan(items).mean(), 0.06, atol=SE * np.sqrt(0.06 * 0.94 / n))
    assert_allclose((items == -8).mean(), 0.03, atol=SE * np.sqrt(0.03 * 0.97 / n))
    assert not (items == -9).any()
    answered = cohort.responses.frame[OPEN + HELP].to_numpy()
    assert np.isnan(answered).sum() == np.isnan(items).sum() + (items == -8).sum()
    coded = sum(line.n for line in cohort.responses.ledger if line.step == "missing")
    assert coded == (items == -8).sum()


def test_without_a_code_cannot_say_is_a_blank() -> None:
    plain = instrument_from_scales({"open": OPEN}, response_range=(1, 5))
    cohort = draw(plain, n_schools=60, n_staff=50, truth={**CLEAN, "cannot_say_share": 0.05})
    items = cohort.answers[OPEN].to_numpy()
    assert_allclose(np.isnan(items).mean(), 0.05, atol=SE * np.sqrt(0.05 * 0.95 / items.size))


@pytest.mark.parametrize("item", OPEN)
def test_answers_have_the_shares_their_thresholds_say(item: str) -> None:
    truth = {**CLEAN, "icc_school": 0.0, "icc_partnership": 0.0, "response_rate": 1.0, "level": 0.5}
    cohort = draw(waves=1, n_schools=100, n_staff=100, truth=truth)
    location = {"open1": 0.3, "open2": 0.0, "open3": -0.3}[item]
    mean = 0.7 * 0.5 + location
    below = [NormalDist().cdf(cut - mean) for cut in (-1.2, -0.4, 0.4, 1.2)]
    expected = np.diff([0.0, *below, 1.0])
    if item == "open2":  # reversed: what shows most of the construct is the lowest answer
        expected = expected[::-1]
    shares = cohort.answers[item].value_counts(normalize=True).sort_index()
    errors = np.sqrt(expected * (1 - expected) / len(cohort.answers))
    assert (np.abs(shares.to_numpy() - expected) < SE * errors).all()


def test_reversed_items_are_answered_reversed() -> None:
    correlations = draw(n_schools=30, truth=CLEAN).answers[OPEN].corr()
    assert correlations.loc["open1", "open2"] < -0.2
    assert correlations.loc["open1", "open3"] > 0.2


def test_a_negative_loading_contradicts_the_key() -> None:
    cohort = draw(n_schools=30, truth={**CLEAN, "loadings": {"open3": -0.7}})
    assert cohort.answers[OPEN].corr().loc["open1", "open3"] < -0.2


@pytest.mark.parametrize(
    ("span", "steps", "unit"), [((0, 100), 20, 5.0), ((0, 100), 100, 1.0), ((0, 10), 20, 1.0)]
)
def test_people_round_on_a_bounded_scale(
    span: tuple[float, float], steps: int, unit: float
) -> None:
    plain = instrument_from_scales({"open": OPEN}, response_range=span)
    cohort = draw(plain, n_staff=100, truth={**CLEAN, "bounded_steps": steps})
    items = cohort.answers[OPEN].to_numpy()
    assert set(np.unique(items % unit)) == {0.0}
    assert (items.min(), items.max()) == span


def test_answers_without_an_order_go_with_nothing() -> None:
    nominal = small(
        response_sets={
            "answers": ResponseSet(type="ordinal", values=(1, 2, 3, 4, 5)),
            "cards": ResponseSet(type="nominal", values=(1, 2, 3, 4)),
        },
        items=(*small().items, Item(id="card", response="cards", unscored=True)),
    )
    cohort = draw(nominal, n_schools=60, n_staff=60, truth=CLEAN)
    n = len(cohort.answers)
    shares = cohort.answers["card"].value_counts(normalize=True)
    assert_allclose(shares, 0.25, atol=SE * np.sqrt(0.1875 / n))
    assert abs(cohort.answers["card"].corr(cohort.answers["open1"])) < SE / np.sqrt(n)


def test_careless_rows_are_named_and_half_of_them_are_straight_lines() -> None:
    cohort = draw(n_schools=60, n_staff=60, truth={**CLEAN, "careless_share": 0.2})
    n = len(cohort.answers)
    careless = cohort.answers.merge(cohort.truth.careless, on=["respondent", "wave"])
    assert len(careless) == len(cohort.truth.careless)
    assert_allclose(len(careless) / n, 0.2, atol=SE * np.sqrt(0.16 / n))
    items = careless[OPEN + HELP].to_numpy()
    straight = (items == items[:, :1]).all(axis=1)
    assert_allclose(straight.mean(), 0.5 + 0.5 / 5**4, atol=SE * np.sqrt(0.25 / len(careless)))


def test_staff_roles_stay_with_the_person() -> None:
    rows = draw(n_schools=20).answers
    assert rows.groupby("respondent")["staff_role"].nunique().max() == 1
    assert set(rows["staff_role"]) == {"front_line", "decision_maker", "boundary_spanner"}


def test_the_shipped_instruments_can_be_answered_together() -> None:
    cohort = draw(SHIPPED, n_staff=30)
    instrument = cohort.responses.instrument
    assert instrument.id == "+".join(SHIPPED)
    assert set(instrument.item_ids) <= set(cohort.answers.columns)
    assert set(cohort.truth.scales["scale"]) <= set(instrument.scale_ids)
    # A scale made of scales has no true score of its own, and its items follow their own.
    assert "tru.invest" not in set(cohort.truth.items["factor"])
    assert "tru.invest" in set(cohort.truth.scales["scale"])


def test_an_id_alone_and_an_instrument_alone_will_do() -> None:
    by_id = sim.simulate_cohort("culture", n_schools=4, waves=1, seed=2)
    in_list = sim.simulate_cohort(["culture"], n_schools=4, waves=1, seed=2)
    assert_frame_equal(by_id.answers, in_list.answers)


def test_the_files_say_synthetic_and_read_back_as_the_responses(tmp_path: Path) -> None:
    cohort = draw()
    files = cohort.write(tmp_path / "new" / "folder")
    assert [path.name for path in files.staff] == [
        "synthetic_staff_wave1.csv",
        "synthetic_staff_wave2.csv",
    ]
    for path in (*files.staff, files.outcomes, files.staff_counts):
        assert path.name.startswith("synthetic_")
        assert pd.read_csv(path)["synthetic"].all()
    text = files.staff[0].read_text(encoding="utf-8")
    assert ",-8" in text
    assert "." not in text.split("\n", 1)[1]  # codes are whole numbers
    read = from_frame(
        pd.read_csv(files.staff[1]),
        instrument=small(),
        roles={"respondent": "respondent", "cluster": "school"},
    )
    wave2 = cohort.responses.frame.query("wave == 2").reset_index(drop=True)
    assert_frame_equal(read.frame[OPEN + HELP], wave2[OPEN + HELP])
    assert_frame_equal(pd.read_csv(files.outcomes), cohort.outcomes, check_dtype=False)


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OutputError, match=r"cannot be written to .*taken"):
        draw().write(tmp_path / "taken")


def test_the_demonstration_has_schools_too_small_to_show(tmp_path: Path) -> None:
    cohort = sim.demo_cohort()
    answered = cohort.answers.groupby(["school", "wave"]).size()
    assert answered.min() < 10 < answered.median()
    files = sim.demo_study_files(tmp_path)
    first = pd.read_csv(files.staff[0])
    assert set(cohort.responses.instrument.item_ids) <= set(first.columns)
    assert "wave" not in first.columns


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"n_schools": 0}, r"n_schools=0 is not possible"),
        ({"n_partnerships": 0}, r"n_partnerships=0 is not possible"),
        ({"waves": 0}, r"waves=0 is not possible"),
        ({"n_schools": 2}, r"n_schools=2 .*3 or more, one for a partnership"),
        ({"n_staff": 0}, r"n_staff=\(?0"),
        ({"n_staff": (9, 5)}, r"n_staff=\(9, 5\)"),
        ({"seed": -1}, r"seed=-1 is not possible"),
    ],
)
def test_numbers_that_cannot_be_drawn_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        draw(**options)


def test_no_instrument_is_refused() -> None:
    with pytest.raises(OptionError, match="at least one id or Instrument"):
        sim.simulate_cohort([])


@pytest.mark.parametrize(
    ("truth", "sentence"),
    [
        ({"loadings": 1.0}, r"loadings is 1; it must lie between -1 and 1"),
        ({"loadings": {"open": 1.2}}, r"loadings\['open'\] is 1\.2"),
        ({"icc_school": 1.0}, r"icc_school is 1; it must be at least 0 and below 1"),
        ({"icc_school": 0.6, "icc_partnership": 0.4}, r"of 'open' add up to 1;"),
        ({"response_rate": 0.0}, r"response_rate is 0; it must be above 0"),
        ({"stability": 1.5}, r"stability is 1\.5"),
        ({"residual_sd": -1.0}, r"residual_sd is -1; it must be 0 or more"),
        ({"intake_effect": float("nan")}, r"intake_effect is nan"),
        ({"missing_share": 0.6, "cannot_say_share": 0.5}, r"add up to 1\.1; no answer"),
        (
            {"icc_school": 0.0, "icc_partnership": 0.0, "effects": {"open": 0.3}},
            r"schools that do not differ have no effect",
        ),
    ],
)
def test_assumptions_that_cannot_hold_are_refused(truth: dict[str, Any], sentence: str) -> None:
    with pytest.raises(TruthError, match=sentence):
        draw(truth=truth)


def test_correlations_that_no_data_can_have_are_refused() -> None:
    # Three or more scales cannot all correlate -.6: the variance of their sum would be negative.
    with pytest.raises(TruthError, match="factor_correlations cannot all hold at once"):
        draw("culture", truth={"factor_correlations": -0.6})


def test_all_faults_of_the_truth_are_named_at_once() -> None:
    with pytest.raises(TruthError, match="2 faults") as caught:
        sim.Truth(loadings=2.0, turnover=-1.0)
    assert len(caught.value.faults) == 2


@pytest.mark.parametrize(
    "truth",
    [
        {"effects": {"opne": 0.3}},
        {"icc_school": {"opne": 0.1}},
        {"change_per_wave": {"opne": 0.1}},
        {"loadings": {"opne": 0.1}},
        {"factor_correlations": {("opne", "help"): 0.1}},
    ],
)
def test_an_unknown_scale_is_answered_with_a_near_one(truth: dict[str, Any]) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'open'"):
        draw(truth=truth)


def test_a_scale_with_itself_has_no_correlation_to_set() -> None:
    with pytest.raises(TruthError, match="names 'open' twice"):
        draw(truth={"factor_correlations": {("open", "open"): 0.5}})


def test_an_item_that_allows_nothing_cannot_be_answered() -> None:
    with pytest.raises(DataError, match="'open1' does not say which answers it allows"):
        draw(instrument_from_scales({"open": OPEN}))


def test_nobody_answering_is_an_error() -> None:
    with pytest.raises(NotEnoughDataError, match="raise n_staff or response_rate"):
        draw(n_partnerships=1, n_schools=1, n_staff=1, waves=1, truth={"response_rate": 1e-9})


def test_items_of_two_scales_follow_the_smaller() -> None:
    both = small(
        scoring=(
            Scale(id="all", title="All", items=tuple(OPEN + HELP)),
            *small().scoring,
        )
    )
    cohort = draw(both)
    assert set(cohort.truth.items["factor"]) == {"open", "help"}
