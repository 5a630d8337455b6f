"""Screening, gaps and who is missing in a study: what is refused, whose rows, what is left out."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from collabsurvey import from_frame, screen
from collabsurvey.errors import StudyError
from collabsurvey.reporting.record import RunRecord
from collabsurvey.responses import Responses
from collabsurvey.study import Study
from collabsurvey.study.plans import Analysis, MissingPlan, ScreeningPlan
from collabsurvey.study.trust import (
    absences,
    asked_everywhere,
    completeness,
    screen_rows,
    screening,
)
from study_files import plan, write_study

pytestmark = pytest.mark.filterwarnings("ignore::collabsurvey.errors.CollabSurveyWarning")

SCALES = {name: [f"{name}{i}" for i in range(1, 5)] for name in ("open", "help", "aim")}
ITEMS = [item for items in SCALES.values() for item in items]
REVERSED = [f"{name}4" for name in SCALES]
N_STRAIGHT = 20


def staff(n: int = 240, seed: int = 5) -> pd.DataFrame:
    """Answers 1 to 5 of three things; the first 20 people answer 5 throughout, and fast."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "person": [f"p{i:03d}" for i in range(n)],
            "school": [f"S{i % 12:02d}" for i in range(n)],
            "job": np.where(np.arange(n) % 3 == 0, "lead", "teacher"),
            "years": np.arange(n) % 30,
            "took": np.where(np.arange(n) < N_STRAIGHT, 8.0, 120.0),
        }
    )
    for items in SCALES.values():
        thing = rng.normal(size=n)
        for place, item in enumerate(items):
            latent = (-1 if place == 3 else 1) * thing + 0.7 * rng.normal(size=n)
            frame[item] = np.clip(np.round(3 + latent), 1, 5)
    frame.loc[: N_STRAIGHT - 1, ITEMS] = 5.0
    return frame


def responses(frame: pd.DataFrame) -> Responses:
    roles = {"respondent": "person", "cluster": "school", "staff_role": "job"}
    if "wave" in frame.columns:
        roles["wave"] = "wave"
    return from_frame(
        frame, scales=SCALES, reverse_keyed=REVERSED, response_range=(1, 5), roles=roles
    )


def study(**analysis: Any) -> dict[str, Any]:
    made = plan(analysis=analysis, outcomes=[])
    made["responses"][0] |= {"scales": SCALES, "reverse_keyed": REVERSED}
    made["responses"][0]["roles"] |= {"staff_role": "job"}
    return made


def run(folder: Path, frame: pd.DataFrame | None = None, **analysis: Any) -> RunRecord:
    given = staff() if frame is None else frame
    return Study.from_yaml(write_study(folder, study(**analysis), staff=given)).run().record


# The plan.


def test_the_cut_offs_are_those_of_screen() -> None:
    """A study that says nothing of a sign does what the function does."""
    options = inspect.signature(screen).parameters
    for name, field in ScreeningPlan.model_fields.items():
        if name in options:
            assert field.default == options[name].default, name


def test_screening_is_on_unless_it_is_switched_off() -> None:
    assert Analysis.model_validate({}).screening == ScreeningPlan()
    assert Analysis.model_validate({"screening": True}).screening == ScreeningPlan()
    assert Analysis.model_validate({"screening": False}).screening is None


@pytest.mark.parametrize(
    ("analysis", "sentence"),
    [
        ({"screening": "yes"}, "should be true, or a set of 'key: value' lines"),
        ({"screening": {"durations": "took"}}, "unknown key 'durations'. Did you mean 'duration'"),
        ({"screening": {"at_least": 0}}, "at least 1"),
        ({"screening": {"longstring": 7}}, "at most 1, not 7"),
        ({"screening": {"duration_unit": "hours"}}, "'seconds', 'milliseconds'"),
        ({"missing": {}}, "lacks the key 'predictors'"),
        ({"missing": {"predictors": []}}, "a list of at least 1"),
        ({"missing": True}, "should be a set of 'key: value' lines"),
    ],
)
def test_what_a_plan_cannot_be(tmp_path: Path, analysis: Any, sentence: str) -> None:
    with pytest.raises(StudyError, match=sentence):
        Study.from_yaml(write_study(tmp_path, study(**analysis)))


@pytest.mark.parametrize("key", ["screening", "missing"])
def test_a_study_of_scores_has_no_answers_to_look_at(tmp_path: Path, key: str) -> None:
    analysis = {"screening": {"screening": True}, "missing": {"missing": {"predictors": ["job"]}}}
    given = plan(analysis=analysis[key], outcomes=[])
    del given["responses"]
    given["scores"] = {"path": "a.csv", "roles": {"cluster": "school"}, "columns": {"trust": "t"}}
    with pytest.raises(StudyError, match=f"no answers for '{key}' to look at"):
        Study.from_yaml(write_study(tmp_path, given))


def test_faults_that_need_the_answers_come_together(tmp_path: Path) -> None:
    made = study(
        screening={"duration": "tok"},
        missing={"predictors": ["jobs", "school", "person", "same"], "scales": ["opne"]},
    )
    path = write_study(tmp_path, made, staff=staff().assign(same="x"))
    faults = " ".join(Study.from_yaml(path).check().faults)
    assert "no column 'tok'. Did you mean 'took'?" in faults
    assert "no column or role 'jobs'. Did you mean 'job'?" in faults
    assert "'school' says which group somebody is in" in faults
    assert "'person' says which group somebody is in, or who it is" in faults
    assert "'same' has the same value in all rows" in faults
    assert "no scale 'opne'. Did you mean 'open'?" in faults


def test_a_predictor_of_too_many_words_is_refused(tmp_path: Path) -> None:
    frame = staff().assign(town=[f"t{i % 20}" for i in range(240)])
    path = write_study(tmp_path, study(missing={"predictors": ["town"]}), staff=frame)
    (fault,) = Study.from_yaml(path).check().faults
    assert "20 different values; more than 12" in fault


def test_a_duration_in_words_is_a_fault(tmp_path: Path) -> None:
    frame = staff().assign(took="2 min")
    path = write_study(tmp_path, study(screening={"duration": "took"}), staff=frame)
    (fault,) = Study.from_yaml(path).check().faults
    assert "240 of its values are words, such as '2 min'" in fault


# Screening.


def test_flagged_rows_are_counted_and_stay(tmp_path: Path) -> None:
    record = run(tmp_path, screening={"duration": "took"})
    found = record.screening
    assert found is not None
    assert found.result.n_flagged["straight_reversed"] >= N_STRAIGHT
    assert found.result.n_flagged["seconds_per_item"] == N_STRAIGHT
    assert (found.result.flags[:N_STRAIGHT] >= 2).all()
    assert not found.left_out
    assert len(record.scores) == 240
    assert found.impact is not None
    assert found.n_people_flagged == int((found.result.flags >= 1).sum())


def test_flagged_rows_are_left_out_before_everything_else(tmp_path: Path) -> None:
    record = run(tmp_path, screening={"duration": "took", "at_least": 2, "leave_out": True})
    found = record.screening
    assert found is not None
    assert found.left_out
    n_out = int((found.result.flags >= 2).sum())
    assert n_out >= N_STRAIGHT
    assert len(record.scores) == 240 - n_out
    assert not set(record.scores["respondent"]) & {f"p{i:03d}" for i in range(N_STRAIGHT)}
    lines = [line for line in record.ledger if line.step == "drop"]
    assert [(line.what, line.n) for line in lines] == [
        ("rows flagged as perhaps careless by 2 or more indices", n_out)
    ]
    assert record.overview is not None
    assert found.impact is not None
    changed = found.impact.to_frame().set_index(["scale", "quantity"])["without_flagged"]
    scored = record.scores["open"]
    assert changed["open", "mean"] == pytest.approx(scored.mean(), rel=1e-10)
    assert any("careless were left out" in limit for limit in record.limits)


def test_every_row_flagged_is_a_fault_where_they_are_to_be_left_out(tmp_path: Path) -> None:
    made = study(screening={"duration": "took", "seconds_per_item": 60, "leave_out": True})
    (fault,) = Study.from_yaml(write_study(tmp_path, made, staff=staff())).check().faults
    assert "Every row is flagged" in fault


def test_a_sign_that_is_null_flags_nobody() -> None:
    given = responses(staff())
    found = screen_rows(ScreeningPlan(straight_reversed=None), given, seed=1)
    assert "straight_reversed" not in found.used


def test_items_of_one_wave_only_are_not_left_out_items() -> None:
    """A question that was not asked is no sign, and no gap."""
    first, second = staff().assign(wave=1), staff(seed=6).assign(wave=2)
    second[SCALES["aim"]] = np.nan
    given = responses(pd.concat([first, second], ignore_index=True))
    assert set(asked_everywhere(given)) == {*SCALES["open"], *SCALES["help"]}
    found = screening(ScreeningPlan(missing_share=0.3), given, None, seed=1)
    assert found.result.n_flagged["missing_share"] == 0
    assert found.not_everywhere == tuple(SCALES["aim"])
    gaps = completeness(given)
    assert gaps.by_item["n_missing"].sum() == 0
    assert gaps.by_item.set_index("item")["n_asked"]["aim1"] == 240
    assert gaps.by_item.set_index("item")["n_asked"]["open1"] == 480
    assert gaps.by_scale.set_index("scale")["n_complete"]["aim"] == 240


# Gaps.


def test_gaps_are_counted_by_item_and_scale() -> None:
    frame = staff()
    frame.loc[30:49, SCALES["aim"]] = np.nan  # no score
    frame.loc[60:64, "open1"] = np.nan  # still a score
    gaps = completeness(responses(frame))
    missing = gaps.by_item.set_index("item")["n_missing"]
    assert (missing["aim1"], missing["open1"], missing["help1"]) == (20, 5, 0)
    scales = gaps.by_scale.set_index("scale")
    assert (scales["n_scored"]["aim"], scales["n_complete"]["aim"]) == (220, 220)
    assert (scales["n_scored"]["open"], scales["n_complete"]["open"]) == (240, 235)
    assert scales["missing_share"]["open"] == pytest.approx(5 / 960)
    patterns = gaps.unscored.set_index("n")
    assert patterns.loc[20].to_dict() == {"open": False, "help": False, "aim": True}
    assert set(gaps.little) == {"open"}  # nothing to test elsewhere


def test_who_is_missing_from_scales_and_waves() -> None:
    rng = np.random.default_rng(1)
    first = staff().assign(wave=1)
    gone = rng.random(240) < np.where(first["job"] == "lead", 0.2, 0.6)
    second = staff(seed=6).assign(wave=2)[~gone]
    first.loc[rng.random(240) < 0.3, SCALES["aim"]] = np.nan
    given = responses(pd.concat([first, second], ignore_index=True))
    found = absences(MissingPlan(predictors=("staff_role",)), given)
    assert [(one.scale, one.wave) for one in found] == [
        ("", "2"),
        ("open", ""),
        ("help", ""),
        ("aim", ""),
    ]
    wave, *scales = (one.model for one in found)
    assert wave is not None
    assert (wave.n, wave.n_missing) == (240, int(gone.sum()))
    odds = wave.estimates.set_index("term")["odds_ratio"]["staff_role[teacher]"]
    lead = (first["job"] == "lead").to_numpy()
    here, there = gone[~lead].mean(), gone[lead].mean()
    assert odds == pytest.approx(here / (1 - here) / (there / (1 - there)), rel=1e-6)
    assert scales[0] is None  # nobody is missing
    assert scales[2] is not None
    only_waves = absences(MissingPlan(predictors=("staff_role",), scales=()), given)
    assert len(only_waves) == 1


def test_numbers_that_were_read_as_text_count_by_the_unit(tmp_path: Path) -> None:
    frame = staff()
    frame.loc[30:70, SCALES["aim"]] = np.nan
    record = run(tmp_path, frame, missing={"predictors": ["years"], "scales": ["aim"]})
    (one,) = record.absences
    assert one.model is not None
    assert one.model.estimates["term"].tolist() == ["Intercept", "years"]


def test_a_study_of_answers_looks_at_them_unasked(tmp_path: Path) -> None:
    record = run(tmp_path)
    assert record.screening is not None
    assert record.completeness is not None
    assert record.absences == ()
    assert run(tmp_path / "off", screening=False).screening is None
