"""What `check` finds: every fault of the file, the data and the models, in one go."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from collabsurvey.errors import StudyError
from collabsurvey.study import Study, StudyCheck
from study_files import answers, outcomes, plan, write_study


def check(path: Path) -> StudyCheck:
    return Study.from_yaml(path).check()


def test_a_sound_study_has_no_faults_and_names_its_columns(tmp_path: Path) -> None:
    found = check(write_study(tmp_path))
    assert found.faults == ()
    assert found.columns["attendance by school"] == (
        "school", "climate", "climate_between", "n_respondents", "urn", "year", "attendance",
        "cohort",
    )  # fmt: skip
    assert found.columns["survey by respondent"] == (
        "person" if "person" in found.columns["survey by respondent"] else "respondent",
        "school", "climate", "climate_within", "climate_between",
    )  # fmt: skip


def test_all_faults_of_a_file_are_reported_together(tmp_path: Path) -> None:
    text = "\n".join(
        [
            "study: {id: x, title: T, sed: 3}",
            "privacy: {min_group: 3}",
            "responses: [{path: a.csv, scales: {s: [a]}}]",
            "outcomes: [{id: a, path: x.csv, key: {school: y}, unit: shool}]",
        ]
    )
    path = tmp_path / "study.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StudyError) as caught:
        Study.from_yaml(path)
    faults = caught.value.faults
    assert faults[0] == "line 1: the file has an unknown key 'sed'. Did you mean 'seed'?"
    assert faults[1] == "line 2: 'privacy.min_group' should be at least 5, not 3."
    assert faults[2].startswith("line 4: 'outcomes.1.unit' should be 'respondent', 'school' or")
    assert len(faults) == 3


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"ties": {"path": "t.csv"}}, "'ties' is not part of this version"),
        ({"membership": {"path": "t.csv"}}, "'membership' is not part of this version"),
        ({"report": {"formats": ["word"]}}, "format 'word' is not part of this version"),
        ({"report": {"school_pages": True}}, "school pages are not part of this version"),
        ({"responses": []}, "name either 'responses' or 'scores'"),
    ],
)
def test_what_a_later_version_does_is_refused_by_name(
    tmp_path: Path, changes: dict[str, object], sentence: str
) -> None:
    with pytest.raises(StudyError, match=sentence):
        Study.from_yaml(write_study(tmp_path, plan(**changes)))


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words", "a: [1, 2"])
def test_a_file_that_is_no_study_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StudyError, match=r"line \d+: "):
        Study.from_yaml(path)


def test_a_missing_study_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="there is no such file"):
        Study.from_yaml(tmp_path / "nothing.yaml")
    with pytest.raises(StudyError, match="this is a folder"):
        Study.from_yaml(tmp_path)


def test_faults_of_several_files_come_together(tmp_path: Path) -> None:
    staff = answers()
    staff.loc[0, "q1"] = 9
    study = plan()
    study["outcomes"][0]["columns"] = {"attendance": "attendence"}
    faults = check(write_study(tmp_path, study, staff=staff)).faults
    assert len(faults) == 2
    assert "Item 'q1' has 1 answer that is not possible: 9" in faults[0]
    assert "no column 'attendence'. Did you mean 'attendance'?" in faults[1]


def one_fault(path: Path) -> str:
    faults = check(path).faults
    assert len(faults) == 1, faults
    return faults[0]


def test_an_outcome_key_that_matches_nothing(tmp_path: Path) -> None:
    results = outcomes().assign(urn=lambda frame: "X" + frame["urn"])
    fault = one_fault(write_study(tmp_path, results=results))
    assert "no key matches: the survey has 'S01', 'S02', 'S03' and 3 more" in fault


def test_ids_that_differ_in_zeros_are_not_matched_by_guess(tmp_path: Path) -> None:
    results = outcomes().assign(urn=lambda frame: frame["urn"].str.replace("S0", "S"))
    fault = one_fault(write_study(tmp_path, results=results))
    assert "some would after respelling: 'S01' and 'S1'" in fault


def test_an_unknown_column_in_a_formula(tmp_path: Path) -> None:
    study = plan()
    study["analysis"]["models"][0]["formula"] = "attendance ~ climat_between + (1 | school)"
    fault = one_fault(write_study(tmp_path, study))
    assert "no column 'climat_between'. Did you mean 'climate_between'?" in fault


def test_a_python_call_in_a_formula_is_refused(tmp_path: Path) -> None:
    study = plan()
    study["analysis"]["models"][0]["formula"] = "attendance ~ __import__('os').system('ls')"
    assert 'Formula "attendance ~ __import__' in one_fault(write_study(tmp_path, study))


def test_a_unit_the_model_leaves_out_is_refused(tmp_path: Path) -> None:
    study = plan()
    study["analysis"]["models"][0]["formula"] = "attendance ~ climate_between + C(year)"
    fault = one_fault(write_study(tmp_path, study))
    assert "'climate_between' has one value in every school" in fault
    assert "Add (1 | school) to the formula, or cluster: school." in fault


def test_several_waves_need_a_calendar(tmp_path: Path) -> None:
    study = plan()
    second = {**study["responses"][0], "wave": 2}
    study["responses"] = [{**study["responses"][0], "wave": 1}, second]
    fault = one_fault(write_study(tmp_path, study))
    assert "there are 2 waves, and outcomes by cohort" in fault
    study["calendar"] = [{"wave": 1, "cohort": 2024}, {"wave": 2, "cohort": 2025}]
    assert check(write_study(tmp_path, study)).faults == ()


def test_a_missing_environment_variable_is_named(tmp_path: Path) -> None:
    study = plan()
    study["responses"][0]["path"] = "${NO_SUCH_FOLDER_HERE}/answers.csv"
    assert "environment variable NO_SUCH_FOLDER_HERE is not set" in one_fault(
        write_study(tmp_path, study)
    )


def test_too_few_people_for_any_report(tmp_path: Path) -> None:
    fault = check(write_study(tmp_path, staff=answers().head(1))).faults[0]
    assert "there are answers of 1 person, and groups under 10 are not reported" in fault


def test_text_among_numbers_is_a_fault_only_if_a_formula_uses_it(tmp_path: Path) -> None:
    results = outcomes()
    results["staff"] = [str(i) for i in range(len(results) - 1)] + ["many"]
    assert check(write_study(tmp_path, results=results)).faults == ()
    study = plan()
    study["analysis"]["models"][0]["formula"] = "attendance ~ staff + (1 | school)"
    fault = one_fault(write_study(tmp_path, study, results=results))
    assert "Column 'staff' has values that are not numbers: 'many'" in fault


def test_schools_of_one_file_only_are_named_with_the_nearest(tmp_path: Path) -> None:
    staff = answers()
    staff["school"] = staff["school"].replace({"S01": "Riverside Acad.", "S02": "Elm Tree"})
    results = outcomes()
    results["urn"] = results["urn"].replace({"S01": "Riverside Academy"})
    found = check(write_study(tmp_path, staff=staff, results=results))
    assert found.faults == ()
    assert found.notes == (
        "2 schools are not in outcomes.csv: 'Riverside Acad.' (did you mean 'Riverside "
        "Academy'?), 'Elm Tree'.",
        "2 schools are only in outcomes.csv, not in the answers: 'Riverside Academy' (did you "
        "mean 'Riverside Acad.'?), 'S02'.",
    )


@pytest.mark.filterwarnings("ignore::collabsurvey.errors.FewClustersWarning")
def test_staff_numbers_without_a_wave_belong_to_the_only_wave(tmp_path: Path) -> None:
    study = plan(eligible={"path": "staff.csv", "key": ["school"], "count": "staff"}, analysis={})
    study["outcomes"] = []
    study["responses"][0]["wave"] = 1
    path = write_study(tmp_path, study)
    schools = [f"S{s + 1:02d}" for s in range(6)]
    pd.DataFrame({"school": schools, "staff": 20}).to_csv(tmp_path / "staff.csv", index=False)
    run = Study.from_yaml(path).run()
    assert run.record.response_by_school is not None
    assert run.record.response_by_school["rate"].tolist() == [12 / 20] * 6


@pytest.mark.filterwarnings("ignore::collabsurvey.errors.FewClustersWarning")
def test_differences_between_schools_are_worked_out_wave_by_wave(tmp_path: Path) -> None:
    study = plan(analysis={})
    first = study["responses"][0]
    study["responses"] = [{**first, "wave": 1}, {**first, "wave": 2}]
    study["outcomes"] = []
    record = Study.from_yaml(write_study(tmp_path, study)).run().record
    assert record.icc is None
    assert list(record.icc_by_wave) == ["1", "2"]
    assert record.icc_by_wave["1"].to_frame()["n"].tolist() == [72]


@pytest.mark.filterwarnings("ignore::collabsurvey.errors.FewClustersWarning")
def test_the_seed_of_the_study_is_the_seed_of_its_intervals(tmp_path: Path) -> None:
    study = plan(analysis={}, outcomes=[])
    intervals = []
    for seed in (1, 2):
        study["study"] = {**study["study"], "seed": seed}
        record = Study.from_yaml(write_study(tmp_path, study)).run().record
        assert record.overview is not None
        assert any(f"seed {seed}" in note for note in record.overview.notes)
        intervals.append(record.overview.to_frame()["ci_low"][0])
    assert intervals[0] != intervals[1]
