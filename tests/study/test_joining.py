"""How answers, outcomes and staff numbers meet: ids, waves, cohorts; nothing lost or doubled."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from collabsurvey.errors import StudyError
from collabsurvey.study import Study, StudyCheck
from collabsurvey.study.eligible import response_by_school
from study_files import ITEMS, answers, outcomes, plan, write_study

WAVES = [{"wave": 1, "cohort": 2024}, {"wave": 2, "cohort": 2025}]


def check(path: Path) -> StudyCheck:
    return Study.from_yaml(path).check()


def two_waves(**changes: Any) -> dict[str, Any]:
    file = plan()["responses"][0]
    waves = [{**file, "wave": 1}, {**file, "wave": 2}]
    return plan(**{"responses": waves, "calendar": WAVES, **changes})


def by_respondent() -> dict[str, Any]:
    grades = {
        "id": "grades",
        "path": "grades.csv",
        "key": {"respondent": "pupil"},
        "unit": "respondent",
    }
    return plan(outcomes=[grades], analysis={})


def test_missing_ids_match_nothing(tmp_path: Path) -> None:
    staff = answers()
    staff.loc[:2, "person"] = None
    path = write_study(tmp_path, by_respondent(), staff=staff)
    grades = pd.DataFrame({"pupil": [*staff["person"], None, None], "grade": 1.0})
    grades.to_csv(tmp_path / "grades.csv", index=False)
    found = check(path)
    assert found.faults == ()
    assert len(found.tables["grades", "respondent"].frame) == len(staff) - 3
    lost = [line.n for line in found.data.ledger if "which match nothing" in line.what]
    assert lost == [5]


def test_a_column_called_like_the_key_is_not_taken_for_it(tmp_path: Path) -> None:
    names = [f"School {urn[1:]}" for urn in outcomes()["urn"]]
    path = write_study(tmp_path, results=outcomes().assign(school=names))
    assert check(path).faults == (
        "outcome 'attendance' (outcomes.csv): the file has a column 'school' of its own, and its "
        "school is in 'urn'. Say which columns you need, and under which names, with "
        "columns: {name: column}.",
    )
    study = plan()
    study["outcomes"][0]["columns"] = {"attendance": "attendance", "name": "school"}
    assert check(write_study(tmp_path, study, results=outcomes().assign(school=names))).ok


def test_every_clash_of_names_is_reported(tmp_path: Path) -> None:
    faults = check(write_study(tmp_path, results=outcomes().assign(climate=1, n_respondents=2)))
    assert [fault.split("'")[3] for fault in faults.faults] == ["climate", "n_respondents"]


def test_numbers_and_text_of_one_id_match(tmp_path: Path) -> None:
    study = plan()
    study["outcomes"][0]["path"] = "outcomes.parquet"
    staff = answers().assign(school=lambda frame: frame["school"].str[1:].astype(int))
    path = write_study(tmp_path, study, staff=staff)
    numbers = outcomes().assign(urn=lambda frame: frame["urn"].str[1:].astype(float))
    numbers.loc[len(numbers)] = [np.nan, 2025, 90.0]  # makes 1.0 of 1 in every row
    numbers.to_parquet(tmp_path / "outcomes.parquet")
    found = check(path)
    assert found.faults == ()
    assert len(found.tables["attendance", "school"].frame) == len(outcomes())


@pytest.mark.parametrize("wave", [1, "1"])
def test_a_wave_of_the_file_and_one_of_a_column(tmp_path: Path, wave: int | str) -> None:
    study = two_waves()
    first, second = study["responses"]
    first["wave"] = wave
    del second["wave"]
    second["roles"] = {**second["roles"], "wave": "round"}
    path = write_study(tmp_path, study, staff=answers().assign(round=2))
    first["path"] = "first.csv"
    path = write_study(tmp_path, study, staff=answers().assign(round=2))
    answers().to_csv(tmp_path / "first.csv", index=False)
    found = check(path)
    assert found.faults == ()
    assert sorted(found.tables[None, "school"].frame["wave"].unique()) == [1, 2]


def test_a_calendar_gives_each_wave_one_cohort(tmp_path: Path) -> None:
    study = two_waves(calendar=[*WAVES, {"wave": 1, "cohort": 2026}])
    with pytest.raises(StudyError, match="wave 1 has a cohort already"):
        Study.from_yaml(write_study(tmp_path, study))


def test_a_cohort_for_two_waves_or_for_none(tmp_path: Path) -> None:
    study = two_waves(calendar=[{"wave": 1, "cohort": 2024}, {"wave": 2, "cohort": 2024}])
    assert "one cohort for several waves" in check(write_study(tmp_path, study)).faults[0]
    study = two_waves(calendar=[{"wave": 1, "cohort": 2024}, {"wave": 2, "cohort": 2031}])
    assert "no row of the cohort 2031" in check(write_study(tmp_path, study)).faults[0]


def test_lost_waves_are_counted(tmp_path: Path) -> None:
    results = outcomes().iloc[:-1]  # the last school has no outcome in 2025
    found = check(write_study(tmp_path, two_waves(), results=results))
    count = found.tables["attendance", "school"].count
    assert count is not None
    assert (count.n_survey_units, count.n_matched) == (12, 11)


def test_people_without_id_are_not_merged_over_partners(tmp_path: Path) -> None:
    study = plan(outcomes=[], analysis={})
    study["responses"] = [
        {
            "path": "answers.csv",
            "scales": {"climate": ["c1", "c2"]},
            "columns": {"c1": {"Hill": "q1", "Dale": "q3"}, "c2": {"Hill": "q2", "Dale": "q4"}},
            "roles": {"respondent": "person", "cluster": "school"},
        }
    ]
    staff = answers().assign(q4=lambda frame: 6 - frame["q4"])
    found = check(write_study(tmp_path, study, staff=staff))
    assert found.survey is not None
    assert len(found.survey.frame) == len(staff)
    means = staff[ITEMS].mean(axis=1).to_numpy()
    assert found.survey.frame["climate"].to_numpy() == pytest.approx(means)
    staff.loc[:3, "person"] = None
    faults = check(write_study(tmp_path, study, staff=staff)).faults
    assert "some rows do not say who answered" in faults[0]


def test_scales_that_would_share_a_column_are_refused(tmp_path: Path) -> None:
    study = plan(outcomes=[], analysis={})
    file = study["responses"][0]
    del file["reverse_keyed"]
    file["scales"] = {"a.b": ["q1"], "a_b": ["q2"], "n_respondents": ["q3"], "a_b_within": ["q4"]}
    faults = check(write_study(tmp_path, study)).faults
    assert [fault.split("'")[1] for fault in faults] == ["a_b", "n_respondents", "a_b_within"]


def scores_study() -> dict[str, Any]:
    study = plan(outcomes=[], analysis={})
    del study["responses"]
    return {
        **study,
        "scores": {"path": "scores.csv", "roles": {"cluster": "dbn"}, "columns": {"trust": "t"}},
    }


def test_scores_have_one_row_a_school_and_are_numbers(tmp_path: Path) -> None:
    path = write_study(tmp_path, scores_study())
    scores = pd.DataFrame({"dbn": ["01", "02", "02"], "t": [1.0, 2.0, 3.0]})
    scores.to_csv(tmp_path / "scores.csv", index=False)
    assert "several rows for one school, such as 02" in check(path).faults[0]
    scores.assign(t="high").to_csv(tmp_path / "scores.csv", index=False)
    assert "the scores 'trust' are words, not numbers" in check(path).faults[0]


@pytest.fixture
def staffed(tmp_path: Path) -> Any:
    """A study whose table of staff numbers can be spoilt; returns the check."""

    def run(numbers: pd.DataFrame, key: Any = ("school",), study: Any = None) -> StudyCheck:
        eligible = {"path": "staff.csv", "key": list(key), "count": "staff"}
        path = write_study(tmp_path, {**(study or plan()), "eligible": eligible})
        numbers.to_csv(tmp_path / "staff.csv", index=False)
        return check(path)

    return run


STAFF = pd.DataFrame({"school": [f"S{s:02d}" for s in range(1, 8)], "staff": 20})


def test_schools_in_which_nobody_answered_count_in_the_response(staffed: Any) -> None:
    found = staffed(STAFF)
    assert found.faults == ()
    table = response_by_school(found.survey, found.data.eligible)
    assert table is not None
    assert table["n"].tolist() == [12] * 6 + [0]
    assert table["n_eligible"].tolist() == [20] * 7
    assert table["rate"].tolist() == [0.6] * 6 + [0]


def test_staff_roles_are_added_up(staffed: Any) -> None:
    numbers = pd.concat([STAFF.assign(role="head", staff=1), STAFF.assign(role="teacher")])
    found = staffed(numbers, ("school", "role"))
    assert found.faults == ()
    assert found.data.eligible.frame["n_eligible"].tolist() == [21] * 7


@pytest.mark.parametrize(
    ("numbers", "key", "sentence"),
    [
        (STAFF.assign(school=STAFF["school"].str.replace("S0", "S")), ("school",), "respelling"),
        (pd.concat([STAFF, STAFF]), ("school",), r"\(school\) that occur more than once: 7"),
        (STAFF.assign(staff=[None, -1, *[20] * 5]), ("school",), "0 or more: 2"),
        (STAFF.assign(staff="many"), ("school",), "holds words, not numbers of staff"),
        (STAFF.assign(wave=1), ("school", "wave"), "the answers have no wave"),
        (STAFF.assign(s=STAFF["school"]), ("s",), "must say which column is the school"),
    ],
)
def test_staff_numbers_that_cannot_be_used(
    staffed: Any, numbers: pd.DataFrame, key: tuple[str, ...], sentence: str
) -> None:
    assert re.search(sentence, staffed(numbers, key).faults[-1])


def test_staff_numbers_say_their_wave(staffed: Any) -> None:
    faults = staffed(STAFF, study=two_waves()).faults
    assert "do not say for which wave they are" in faults[0]


@pytest.mark.parametrize(
    ("place", "changes", "sentence"),
    [
        ("responses", {"slots": {"partner": "Hill"}}, "'slots' has no effect here"),
        ("responses", {"roles": {"weight": "w"}}, "are not weighted in this version"),
        ("models", {"cov": "CR3"}, "'cov: CR3' needs 'cluster'"),
    ],
)
def test_options_without_effect_are_refused(
    tmp_path: Path, place: str, changes: dict[str, Any], sentence: str
) -> None:
    study = plan()
    section = study["responses"] if place == "responses" else study["analysis"]["models"]
    section[0].update(changes)
    with pytest.raises(StudyError, match=sentence):
        Study.from_yaml(write_study(tmp_path, study))


def test_a_path_for_windows_is_named(tmp_path: Path) -> None:
    study = plan()
    study["responses"][0]["path"] = r"data\answers.csv"
    if os.sep == "/":
        (fault,) = check(write_study(tmp_path, study)).faults
        assert "Write it with /, relative to the study file" in fault


def test_the_file_that_names_the_columns_is_on_record(tmp_path: Path) -> None:
    study = plan()
    study["responses"][0]["columns"] = "columns.csv"
    path = write_study(tmp_path, study, staff=answers().rename(columns={"q1": "first question"}))
    (tmp_path / "columns.csv").write_text("item,column\nq1,first question\n", encoding="utf-8")
    found = check(path)
    assert found.faults == ()
    assert "columns.csv" in [source.name for source in found.data.sources]
    assert found.survey is not None
