"""Whether a study's questionnaire works the same for all: whose answers, what is found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from collabsurvey import from_frame, invariance
from collabsurvey.errors import StudyError
from collabsurvey.reporting.record import InvarianceRecord
from collabsurvey.responses import Responses
from collabsurvey.study import Study
from collabsurvey.study.invariance import (
    check_invariance,
    compare,
    divided_by,
    rows_of,
    sets_to_compare,
)
from collabsurvey.study.plans import Analysis, InvariancePlan
from study_files import plan, write_study

SCALES = {name: [f"{name}{i}" for i in range(1, 6)] for name in ("open", "help")}
ITEMS = [item for items in SCALES.values() for item in items]
PARTS = {"": tuple(SCALES)}
MOVED = ("open1", "open2")  # easier to agree with in wave 2


def people(n: int = 260, seed: int = 3) -> pd.DataFrame:
    """Two waves of the same people; three kinds of staff, of which one is few."""
    rng = np.random.default_rng(seed)
    roles = np.where(
        np.arange(n) % 13 == 0, "governor", np.where(np.arange(n) % 3, "teacher", "lead")
    )
    common = rng.normal(size=n)
    waves = []
    for wave in (1, 2):
        frame = pd.DataFrame(
            {
                "person": [f"p{i:03d}" for i in range(n)],
                "school": [f"S{i % 13:02d}" for i in range(n)],
                "role": roles,
                "wave": wave,
            }
        )
        for items in SCALES.values():
            thing = 0.8 * common + 0.6 * rng.normal(size=n)
            for place, item in enumerate(items):
                latent = (-1 if place == 4 else 1) * 0.8 * thing + 0.6 * rng.normal(size=n)
                latent += 0.7 * (wave == 2 and item in MOVED)
                frame[item] = np.clip(np.round(3 + 1.1 * latent), 1, 5)
        waves.append(frame)
    return pd.concat(waves, ignore_index=True)


def responses(frame: pd.DataFrame, **roles: str) -> Responses:
    named = {"respondent": "person", "cluster": "school", "wave": "wave", "staff_role": "role"}
    return from_frame(
        frame,
        scales=SCALES,
        reverse_keyed=["open5", "help5"],
        response_range=(1, 5),
        roles={role: column for role, column in {**named, **roles}.items() if column},
    )


def compared(
    answers: Responses, by: Any, *, min_group: int = 10, **keys: Any
) -> list[InvarianceRecord]:
    plan = InvariancePlan(**keys)
    (chosen,) = sets_to_compare(plan, answers, PARTS)
    return list(compare(plan, by, chosen, answers, min_group=min_group, seed=1))


# The plan.


@pytest.mark.parametrize(("value", "asked"), [(True, True), ({}, True), (False, False)])
def test_true_asks_for_the_defaults(value: object, asked: bool) -> None:
    analysis = Analysis.model_validate({"invariance": value})
    assert (analysis.invariance == InvariancePlan()) is asked


def test_the_usual_roles_are_those_with_several_values() -> None:
    frame = people(60)
    assert divided_by(InvariancePlan(), responses(frame)) == ("wave", "staff_role")
    assert divided_by(InvariancePlan(), responses(frame[frame["wave"] == 1])) == ("staff_role",)
    assert divided_by(InvariancePlan(by="cohort"), responses(frame)) == ("cohort",)


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"by": "school"}, "'wave', 'staff_role', 'cohort' or 'partnership'"),
        ({"by": []}, "at least 1"),
        ({"levels": ["thresholds"]}, "'configural', 'metric', 'scalar' or 'strict'"),
        ({"estimator": "ML", "ordered": True}, "ML takes answers as numbers"),
    ],
)
def test_what_a_plan_cannot_be(tmp_path: Path, keys: dict[str, Any], sentence: str) -> None:
    study = plan(analysis={"invariance": keys}, outcomes=[])
    with pytest.raises(StudyError, match=sentence):
        Study.from_yaml(write_study(tmp_path, study))


def test_all_faults_are_found_at_once() -> None:
    answers = responses(people(80).assign(role="teacher"))
    plan = InvariancePlan(by=("staff_role", "cohort"), scales=("opne",), cluster="skool")
    with pytest.raises(StudyError) as caught:
        check_invariance(plan, answers, PARTS, min_group=10)
    text = str(caught.value)
    assert "'staff_role' has one value in these answers" in text
    assert "the role 'cohort' is not set" in text
    assert "no scale 'opne'. Did you mean 'open'?" in text
    assert "no column or role 'skool'" in text


def test_answers_without_groups_have_nothing_to_compare() -> None:
    frame = people(80).assign(role="teacher")
    answers = responses(frame[frame["wave"] == 1])
    with pytest.raises(StudyError, match="neither 'wave' nor 'staff_role' has several values"):
        check_invariance(InvariancePlan(), answers, PARTS, min_group=10)


def test_small_groups_are_named_before_the_run(tmp_path: Path) -> None:
    (note,) = check_invariance(InvariancePlan(), responses(people()), PARTS, min_group=10)
    assert note == (
        "comparing by staff_role needs 50 people in a group, so these are left out: governor (20)."
    )
    study = plan(analysis={"invariance": {"by": "staff_role"}}, outcomes=[])
    study["responses"][0] |= {
        "scales": SCALES,
        "reverse_keyed": ["open5", "help5"],
        "roles": {
            "respondent": "person",
            "cluster": "school",
            "wave": "wave",
            "staff_role": "role",
        },
    }
    found = Study.from_yaml(write_study(tmp_path, study, staff=people())).check()
    assert found.ok
    assert found.notes == (note,)


# Whose answers.


def test_waves_come_in_order_and_other_groups_by_size() -> None:
    answers = responses(people())
    waves = rows_of("wave", answers, ITEMS, complete=False, least=10, seed=1)
    assert list(waves.groups) == ["1", "2"]
    assert (waves.n_linked, waves.repeated, waves.n_people) == (260, True, 260)
    kinds = rows_of("staff_role", answers, ITEMS, complete=False, least=10, seed=1)
    assert list(kinds.groups.items()) == [("teacher", 160), ("lead", 80)]
    assert kinds.small == {"governor": 20}
    assert (kinds.wave, kinds.repeated) == ("2", False)  # the later of equal waves


def test_a_group_needs_as_many_people_as_may_be_shown() -> None:
    answers = responses(people())
    kinds = rows_of("staff_role", answers, ITEMS, complete=False, least=90, seed=1)
    assert list(kinds.groups) == ["teacher"]
    (record, *_) = compared(answers, "staff_role", min_group=90)
    assert record.result is None
    assert record.reason == "fewer than two groups have enough people"


def test_only_complete_rows_count_where_only_they_are_used() -> None:
    frame = people()
    frame.loc[frame["role"] == "lead", "help1"] = np.nan
    answers = responses(frame)
    kinds = rows_of("staff_role", answers, ITEMS, complete=True, least=10, seed=1)
    assert list(kinds.groups) == ["teacher"]


def test_one_row_a_person_and_wave() -> None:
    frame = people(120)
    again = frame[frame["wave"] == 1].assign(partner="b", open1=np.nan)
    both = pd.concat([frame.assign(partner="a"), again], ignore_index=True)
    rows = rows_of(
        "wave", responses(both, partner="partner"), ITEMS, complete=False, least=10, seed=1
    )
    assert (len(rows.responses.frame), rows.n_repeated) == (240, 120)
    assert set(rows.responses.frame["partner"]) == {"a"}  # the fuller of two


# The run.


def test_waves_of_the_same_people_are_fitted_together() -> None:
    frame = people()
    levels = ["metric", "scalar"]
    first, second = compared(responses(frame), "wave", estimator="MLR", levels=levels)
    assert (first.scales, second.scales) == (("open",), ("help",))
    assert first.repeated
    assert first.result is not None
    text = f"open =~ {' + '.join(SCALES['open'])}"
    alone = invariance.ladder(
        frame, text, "wave", "person", levels, "MLR", missing="fiml", cluster="school"
    )
    pd.testing.assert_frame_equal(first.result.to_frame(), alone.to_frame(), rtol=1e-6)
    assert second.result is not None
    assert second.result.highest == "scalar"
    assert second.partial is None


def test_the_questions_that_moved_are_found_with_what_they_do() -> None:
    (found,) = compared(responses(people()), "wave", scales=("open",))
    assert found.result is not None
    assert found.result.highest == "metric"
    assert found.partial is not None
    assert found.partial.items == MOVED
    assert found.consequences is not None
    d = found.consequences.differences.set_index("version")["d"]
    assert d["scale"] > 0.2
    assert abs(d["scale_without"]) < 0.1


def test_waves_of_other_people_are_groups() -> None:
    frame = people(120)
    other = frame.assign(person=frame["person"] + frame["wave"].astype(str))
    for answers in (responses(other), responses(frame, respondent="")):
        (found,) = compared(answers, "wave", scales=("help",))
        assert not found.repeated
        assert found.n_linked == 0
        assert found.groups == {"1": 120, "2": 120}
        assert found.result is not None
        assert found.result.groups == ("1", "2")


def test_ordered_answers_climb_their_own_levels() -> None:
    (found,) = compared(
        responses(people()), "staff_role", estimator="WLSMV", levels="scalar", scales=("help",)
    )
    assert found.result is not None
    assert found.result.levels == ("intercepts",)
    assert found.result.groups == ("teacher", "lead")
    assert (found.result.estimator, found.result.rule) == ("WLSMV", "test")


def test_a_questionnaire_is_compared_as_a_whole_where_groups_bear_it() -> None:
    frame = people()
    three = pd.concat([frame, frame.assign(person=frame["person"] + "x")], ignore_index=True)
    answers = responses(three, staff_role="", respondent="")
    (found,) = compared(answers, "wave", levels=["metric"])
    assert found.scales == ("open", "help")
    # 5 people for each of 30 + 1 parameters
    assert min(found.groups.values()) == 520
    assert len(compared(responses(frame.head(140), staff_role="", respondent=""), "wave")) == 2


def test_what_the_answers_cannot_bear_has_a_reason() -> None:
    frame = people(120)
    frame.loc[frame["wave"] == 2, SCALES["help"]] = np.nan
    first, second = compared(responses(frame), "wave")
    assert first.result is not None
    assert second.reason == "fewer than two groups have enough people"
    frame.loc[frame["wave"] == 2, "open3"] = 4.0
    assert "open3" in compared(responses(frame), "wave")[0].reason
