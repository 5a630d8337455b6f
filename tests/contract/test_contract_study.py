"""A study file from check to report; nobody identifiable in what is written."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pandas as pd
import pytest

import collabsurvey as cs
from collabsurvey.errors import CollabSurveyError, FewClustersWarning

STUDY = """
study: {id: contract-study, title: "A study", seed: 1}
privacy: {min_group: 10}
responses:
  - path: answers.csv
    instruments: [trust]
    wave: 1
    roles: {respondent: respondent, cluster: school, partnership: partnership}
eligible: {path: staff.csv, key: [school, wave], count: staff}
outcomes:
  - {id: attendance, path: outcomes.csv, key: {school: school, cohort: cohort}, unit: school}
calendar: [{wave: 1, cohort: 2025}]
analysis:
  levels: {aggregate: [school, partnership]}
  models:
    - name: m1
      outcome: attendance
      unit: school
      role: exploratory
      formula: "attendance ~ tru_expect_between"
report: {formats: [html]}
"""


SMALL = "S08"


def filled(folder: Path) -> Path:
    cohort = cs.simulate_cohort(
        "trust", n_partnerships=2, n_schools=12, n_staff=(18, 30), waves=1, seed=3
    )
    answers = cohort.answers
    assert SMALL in set(answers["school"])
    answers = answers[(answers["school"] != SMALL) | (answers.groupby("school").cumcount() < 4)]
    answers = answers.assign(respondent=[f"secret-{i:03d}" for i in range(len(answers))])
    answers.to_csv(folder / "answers.csv", index=False)
    cohort.outcomes.drop(columns="partnership").to_csv(folder / "outcomes.csv", index=False)
    cohort.eligible.to_csv(folder / "staff.csv", index=False)
    (folder / "study.yaml").write_text(STUDY, encoding="utf-8")
    return folder / "study.yaml"


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewClustersWarning)
        study = cs.Study.from_yaml(filled(folder))
        assert study.check().ok
        study.run(progress=False).report(folder / "out")
    return folder / "out"


def everything(folder: Path) -> str:
    parts = [
        path.read_text(encoding="utf-8", errors="replace")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".parquet"
    ]
    parts += [pd.read_parquet(path).to_csv() for path in folder.rglob("*.parquet")]
    return "\n".join(parts)


def test_folder_holds_what_the_design_names(out: Path) -> None:
    for name in ("report.html", "scores.parquet", "provenance.json", "ledger.csv"):
        assert (out / name).is_file()
    for name in ("tables", "figures"):
        assert any((out / name).iterdir())


def test_no_id_is_written(out: Path) -> None:
    assert "secret-" not in everything(out)
    scores = pd.read_parquet(out / "scores.parquet")
    assert not scores.astype(str).apply(lambda c: c.str.contains("secret")).any().any()


def test_small_school_is_suppressed_everywhere(out: Path) -> None:
    means = pd.read_csv(out / "tables" / "means_school.csv").set_index("school")
    small = means[means.index == SMALL]
    assert small[["mean", "sd", "se", "ci_low", "ci_high", "shrunken_mean"]].isna().all().all()
    response = pd.read_csv(out / "tables" / "response.csv").set_index("school")
    assert response.loc[SMALL, "suppressed"]
    assert pd.isna(response.loc[SMALL, "n"])
    scores = pd.read_parquet(out / "scores.parquet")
    assert SMALL not in set(scores["school"].dropna())
    shown = means[~means["suppressed"]]
    assert shown.index.nunique() > 3
    assert (shown["n"] >= 10).all()


def test_a_single_hidden_school_cannot_be_had_by_subtraction(out: Path) -> None:
    response = pd.read_csv(out / "tables" / "response.csv")
    answers = pd.read_csv(out.parent / "answers.csv")
    partnership = answers.drop_duplicates("school").set_index("school")["partnership"]
    hidden = response[response["suppressed"]]["school"].map(partnership).value_counts()
    assert (hidden >= 2).all()


def test_school_means_are_those_of_aggregate(out: Path) -> None:
    answers = cs.read_responses(
        out.parent / "answers.csv",
        instrument=cs.load_instrument("trust"),
        roles={"respondent": "respondent", "cluster": "school"},
    )
    expected = cs.multilevel.aggregate(cs.score(answers, "tru.expect"), "cluster").to_frame()
    means = pd.read_csv(out / "tables" / "means_school.csv")
    shown = means[(means["scale"] == "tru_expect") & ~means["suppressed"]].set_index("school")
    expected = expected.set_index("school").loc[shown.index]
    for column in ("n", "mean", "sd", "ci_low", "ci_high"):
        assert shown[column].to_numpy() == pytest.approx(expected[column].to_numpy(), rel=1e-9)


def test_report_says_that_the_data_are_synthetic_or_draft(out: Path) -> None:
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "draft" in page
    assert "m1" in page
    assert 'src="http' not in page


def test_ledger_adds_up(out: Path) -> None:
    ledger = pd.read_csv(out / "ledger.csv")
    rows = ledger[ledger["unit"] == "rows"]
    read = rows[(rows["step"] == "read") & (rows["source"] == "answers.csv")]["n"].sum()
    dropped = rows[(rows["step"] == "drop") & (rows["source"] == "answers.csv")]["n"].sum()
    assert read == len(pd.read_csv(out.parent / "answers.csv"))
    assert len(pd.read_parquet(out / "scores.parquet")) == read - dropped


def test_provenance_holds_seed_and_hashes(out: Path) -> None:
    text = (out / "provenance.json").read_text(encoding="utf-8")
    assert "answers.csv" in text
    assert json.loads(text)
    assert cs.__name__ in text


def test_same_study_gives_the_same_numbers(out: Path, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewClustersWarning)
        run = cs.Study.from_yaml(out.parent / "study.yaml").run()
        run.report(tmp_path / "again")
    for name in ("reliability.csv", "means_school.csv", "models.csv"):
        again = (tmp_path / "again" / "tables" / name).read_bytes()
        assert again == (out / "tables" / name).read_bytes()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("path: answers.csv", "path: nope.csv", "nope.csv"),
        ("cluster: school", "cluster: nope", "nope"),
        ("instruments: [trust]", "instruments: [trsut]", "trsut"),
        ("min_group: 10", "min_group: 2", "min_group"),
        ("report:", "repport:", "repport"),
        ("tru_expect_between", "nope_between", "nope_between"),
        ("key: {school: school,", "key: {school: nope,", "nope"),
        ("seed: 1", "seed: 1, seed: 2", "seed"),
        ("formats: [html]", "formats: [papyrus]", "papyrus"),
    ],
)
def test_faults_of_a_study_are_named(
    out: Path, tmp_path: Path, old: str, new: str, message: str
) -> None:
    for name in ("answers.csv", "outcomes.csv", "staff.csv"):
        (tmp_path / name).write_bytes((out.parent / name).read_bytes())
    assert old in STUDY
    (tmp_path / "study.yaml").write_text(STUDY.replace(old, new), encoding="utf-8")
    with pytest.raises(CollabSurveyError, match=message):
        cs.Study.from_yaml(tmp_path / "study.yaml").run()


def test_two_faults_are_told_at_once(out: Path, tmp_path: Path) -> None:
    for name in ("answers.csv", "outcomes.csv", "staff.csv"):
        (tmp_path / name).write_bytes((out.parent / name).read_bytes())
    broken = STUDY.replace("cluster: school", "cluster: nowhere").replace("staff.csv", "gone.csv")
    (tmp_path / "study.yaml").write_text(broken, encoding="utf-8")
    with pytest.raises(CollabSurveyError) as caught:
        cs.Study.from_yaml(tmp_path / "study.yaml").run()
    assert "nowhere" in str(caught.value)
    assert "gone.csv" in str(caught.value)
