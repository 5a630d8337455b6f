"""Confirmatory models of a study: what the keys may be, how answers enter, and what is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from collabsurvey import dimensionality, from_frame
from collabsurvey.errors import StudyError
from collabsurvey.responses import Responses
from collabsurvey.study import Study
from collabsurvey.study.confirm import confirm, models_of
from collabsurvey.study.measuring import all_or_none, factor_text, safe_names, way_of
from collabsurvey.study.plans import MeasurementPlan, StructurePlan
from study_files import plan, write_study

SCALES = {name: [f"{name}{i}" for i in range(1, 5)] for name in ("open", "help")}
ITEMS = [item for items in SCALES.values() for item in items]
HERE = Path()


def staff(n: int = 240, n_schools: int = 12, seed: int = 5) -> pd.DataFrame:
    """Answers 1 to 5 of two things that correlate; the fourth item of each is reversed."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=n)
    frame = pd.DataFrame(
        {
            "person": [f"p{i:03d}" for i in range(n)],
            "school": [f"S{i % n_schools:02d}" for i in range(n)],
        }
    )
    for items in SCALES.values():
        thing = 0.6 * common + 0.8 * rng.normal(size=n)
        for place, item in enumerate(items):
            latent = (-1 if place == 3 else 1) * 0.8 * thing + 0.6 * rng.normal(size=n)
            frame[item] = np.clip(np.round(3 + 1.1 * latent), 1, 5)
    frame.loc[frame.index[:12], "open1"] = np.nan
    return frame


def responses(frame: pd.DataFrame, **options: Any) -> Responses:
    roles = {"respondent": "person", "cluster": "school"}
    given: dict[str, Any] = {
        "scales": SCALES,
        "reverse_keyed": ["open4", "help4"],
        "response_range": (1, 5),
        "roles": roles,
    }
    return from_frame(frame, **{**given, **options})


def with_structure(structure: Any) -> dict[str, Any]:
    study = plan(analysis={"structure": structure}, outcomes=[])
    study["responses"][0] |= {"scales": SCALES, "reverse_keyed": ["open4", "help4"]}
    return study


# The plan.


@pytest.mark.parametrize(
    ("structure", "sentence"),
    [
        ({"estimator": "WLS"}, "'auto', 'WLSMV', 'MLR' or 'ML'"),
        ({"estimator": "WLSMV", "ordered": False}, "WLSMV is for ordered answers. Say estimator"),
        ({"estimator": "MLR", "ordered": True}, "MLR takes answers as numbers. Say WLSMV."),
        ({"estimator": "WLSMV", "missing": "fiml"}, "'fiml' is not for ordered answers"),
        ({"estimator": "auto", "ordered": ["open1"], "missing": "fiml"}, "'fiml' is not for"),
        ({"estimator": "ML", "missing": "pairwise"}, "'pairwise' is for ordered answers"),
        ({"ordered": True}, "'ordered' belongs to a confirmatory model, which is asked for with"),
        ({"exploratory": True, "missing": "fiml"}, "'missing' belongs to a confirmatory model"),
        ({"estimater": "ML"}, "unknown key 'estimater'. Did you mean 'estimator'?"),
    ],
)
def test_what_a_plan_cannot_be(tmp_path: Path, structure: Any, sentence: str) -> None:
    with pytest.raises(StudyError, match=sentence):
        Study.from_yaml(write_study(tmp_path, with_structure(structure)))


@pytest.mark.parametrize("structure", [{}, {"exploratory": True}, {"estimator": None}])
def test_nothing_is_confirmed_that_nobody_asked_for(structure: Any) -> None:
    assert not StructurePlan.model_validate(structure).confirms


@pytest.mark.parametrize(("given", "meant"), [(True, "auto"), (False, None), ("site", "site")])
def test_clusters_are_schools_none_or_a_column(given: Any, meant: str | None) -> None:
    assert MeasurementPlan(cluster=given).cluster == meant


def test_a_study_that_starts_from_scores_has_no_models(tmp_path: Path) -> None:
    study = plan(analysis={"structure": {"estimator": "auto"}, "invariance": True}, outcomes=[])
    del study["responses"]
    study["scores"] = {"path": "a.csv", "roles": {"cluster": "school"}, "columns": {"trust": "t"}}
    with pytest.raises(StudyError) as caught:
        Study.from_yaml(write_study(tmp_path, study))
    text = str(caught.value)
    assert "no answers to look for factors in" in text
    assert "no answers for 'invariance' to look at" in text


@pytest.mark.parametrize(
    ("structure", "sentence"),
    [
        ({"estimator": "WLSMV", "ordered": ["opn1"]}, "no item 'opn1'. Did you mean 'open1'?"),
        ({"estimator": "MLR", "cluster": "skool"}, "no column or role 'skool'. Did you mean"),
        ({"model": "f =~ open1 + open2 + opne3"}, "no item 'opne3'. Did you mean 'open3'?"),
        ({"model": "f =~ open1 + open2 + open3\nhelp1 ~ f"}, "regressions belong under"),
        ({"model": "f =~ open1 + open2"}, "3 parameters, more than|cannot tell these parameters"),
        ({"model": "f =~ open1 +"}, "line 1"),
        ({"model": "model.txt"}, "'model.txt' is neither a model"),
        ({"exploratory": {"scales": ["opne"]}, "estimator": "ML"}, "no scale 'opne'"),
    ],
)
def test_faults_are_found_without_running(
    tmp_path: Path, structure: dict[str, Any], sentence: str
) -> None:
    study = Study.from_yaml(write_study(tmp_path, with_structure(structure), staff=staff()))
    with pytest.raises(StudyError, match=sentence):
        study.run()


def test_measurements_are_no_ordered_steps(tmp_path: Path) -> None:
    frame = staff()
    frame["help1"] = 1 + np.arange(len(frame)) / len(frame)
    study = with_structure({"estimator": "WLSMV", "ordered": True})
    (fault,) = Study.from_yaml(write_study(tmp_path, study, staff=frame)).check().faults
    assert "help1 has more than 20 different answers, which are no ordered steps" in fault


# How answers enter.


def test_five_answers_are_numbers_and_fewer_are_steps() -> None:
    five = way_of(MeasurementPlan(), responses(staff()), ITEMS)
    assert (five.estimator, five.ordered, five.missing) == ("MLR", (), "fiml")
    assert "5 possible answers or more" in five.why
    few = responses(staff().assign(help1=np.arange(240) % 4), response_range=None)
    four = way_of(MeasurementPlan(), few, ITEMS)
    assert (four.estimator, four.ordered, four.missing) == ("WLSMV", tuple(ITEMS), "pairwise")


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"ordered": True}, ("WLSMV", "pairwise")),
        ({"missing": "pairwise"}, ("WLSMV", "pairwise")),
        ({"ordered": False}, ("MLR", "fiml")),
        ({"missing": "listwise"}, ("MLR", "listwise")),
        ({"estimator": "ML"}, ("ML", "fiml")),
        ({"estimator": "WLSMV", "missing": "listwise"}, ("WLSMV", "listwise")),
    ],
)
def test_what_is_asked_for_settles_the_rest(
    keys: dict[str, Any], expected: tuple[str, str]
) -> None:
    way = way_of(MeasurementPlan(**keys), responses(staff()), ITEMS)
    assert (way.estimator, way.missing) == expected


def test_many_answers_are_numbers_even_where_steps_are_asked_for() -> None:
    frame = staff()
    fine = frame.assign(**{item: frame[item] * 2 + np.arange(240) % 2 for item in SCALES["open"]})
    answers = responses(fine, response_range=None)
    plan = MeasurementPlan(estimator="WLSMV")
    mixed = way_of(plan, answers, ITEMS)
    assert mixed.ordered == tuple(SCALES["help"])
    # Groups are compared with all of a model's items taken alike.
    assert all_or_none(mixed, ITEMS).estimator == "MLR"
    assert all_or_none(way_of(plan, answers, SCALES["help"]), SCALES["help"]).estimator == "WLSMV"
    alone = way_of(plan, answers, SCALES["open"])
    assert (alone.estimator, alone.missing) == ("MLR", "fiml")
    assert "7 possible answers or fewer" in alone.why


@pytest.mark.parametrize(("n_schools", "column"), [(10, "school"), (9, None)])
def test_errors_are_over_ten_schools_or_more(n_schools: int, column: str | None) -> None:
    answers = responses(staff(n_schools=n_schools))
    assert way_of(MeasurementPlan(), answers, ITEMS).cluster == column
    assert way_of(MeasurementPlan(cluster="cluster"), answers, ITEMS).cluster == "school"
    assert way_of(MeasurementPlan(cluster=None), answers, ITEMS).cluster is None


def test_names_that_no_model_can_hold_are_replaced() -> None:
    names = safe_names(["a.1", "2 b", "2-b", "c"], taken=["c"])
    assert names == {"a.1": "a.1", "2 b": "x_2_b", "2-b": "x_2_b_", "c": "c_"}


# The run.


def test_a_run_gives_the_numbers_of_the_analysis(tmp_path: Path) -> None:
    frame = staff()
    study = with_structure({"estimator": "auto"})
    record = Study.from_yaml(write_study(tmp_path, study, staff=frame)).run().record
    (found,) = record.confirmatory
    scales = responses(frame).instrument.scoring
    alone = dimensionality.cfa(
        frame,
        factor_text(scales, {name: name for name in SCALES}, {item: item for item in ITEMS}),
        "MLR",
        "fiml",
        cluster="school",
    )
    pd.testing.assert_frame_equal(found.fit.estimates, alone.estimates, rtol=1e-10)
    assert found.factors == {"open": "open", "help": "help"}
    assert (found.n_people, found.fewest, found.n_clusters) == (240, 228, 12)
    assert found.validity is not None
    assert record.structures == ()


def test_a_model_of_the_study_s_own_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "model.txt").write_text("people =~ open1 + open2 + open3 + help1\n")
    plan = StructurePlan(model="model.txt")
    answers = responses(staff())
    (model,) = models_of(plan, answers.instrument, {"Climate": ("open", "help")}, tmp_path)
    assert (model.title, model.own, model.factors) == ("Climate", True, {"people": "people"})
    found = confirm(plan, model, answers, seed=1)
    assert found.fit.items == ("open1", "open2", "open3", "help1")
    assert found.own_model


def test_questions_with_any_name_are_modelled() -> None:
    asked = {item: f"{i + 1}. {item}?" for i, item in enumerate(SCALES["open"])}
    answers = responses(
        staff().rename(columns=asked),
        scales={"our climate": list(asked.values())},
        reverse_keyed=[asked["open4"]],
    )
    plan = StructurePlan(estimator="auto")
    (model,) = models_of(plan, answers.instrument, {"": ("our climate",)}, HERE)
    found = confirm(plan, model, answers, seed=1)
    assert found.factors == {"our_climate": "our climate"}
    assert found.items["x_1__open1_"] == "1. open1?"
    assert found.fit.converged


def test_too_few_people_is_a_note_and_no_crash(tmp_path: Path) -> None:
    study = with_structure({"estimator": "auto"})
    record = Study.from_yaml(write_study(tmp_path, study, staff=staff(90))).run().record
    assert record.confirmatory == ()
    (note,) = (note for note in record.notes if note.startswith("Do questions measure"))
    assert "needs at least 100 people" in note
