"""`collabsurvey evidence from`: a file of answers becomes a file of evidence records."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer
from tests.support import dataset
from tests.validation.test_evidence import instrument_text as text_of
from typer.testing import CliRunner, Result

from collabsurvey.cli.evidence_from import evidence_from
from collabsurvey.errors import DataError, OptionError, OutputError
from collabsurvey.instruments import read_records
from collabsurvey.instruments.evidence_file import add_evidence
from collabsurvey.simulation import simulate_cohort

app = typer.Typer(pretty_exceptions_enable=False)
app.command("from")(evidence_from)


@app.command("other")
def other() -> None:
    """With a second command, the first keeps its name."""


ABOUT = ["--study", "Pilot of the bfi", "--population", "us_adults", "--use", "research"]


def instrument_text() -> str:
    """The bfi with another wording for every item, as a questionnaire has it."""
    item = r"id: (\w+), text: {en-US: Words}"
    return re.sub(item, r"id: \1, text: {en-US: Is it \1}", text_of())


def call(*words: object) -> Result:
    return CliRunner().invoke(app, ["from", *map(str, words)])


def error_of(*words: object) -> Any:
    found = call(*words)
    assert found.exit_code != 0
    return found.exception


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    df = dataset("bfi").iloc[:400].reset_index(drop=True)
    df["school"] = df.index % 20
    df.to_csv(folder / "answers.csv", index=False)
    (folder / "bfi.yaml").write_text(instrument_text())
    return folder


def test_a_file_of_answers_becomes_a_file_of_records(study: Path, tmp_path: Path) -> None:
    out = tmp_path / "records.yaml"
    words = [
        study / "answers.csv",
        *("--instrument", study / "bfi.yaml", *ABOUT, "--out", out),
        *("--roles", "respondent=id", "--roles", "cluster=school"),
        *("--scale", "neuro", "--scale", "agree", "--year", 2010, "--response-rate", 0.4),
    ]
    done = call(*words)
    assert done.exit_code == 0, done.output
    assert "10 records of 2 scales: " in done.output
    assert f"Written: {out}" in done.output
    assert "each row was counted" not in done.output
    found = read_records(out)
    assert len(found) == 10
    assert set(found.instruments) == {"bfi"}
    assert {one.sample.n_groups for one in found} == {20}
    assert {one.sample.response_rate for one in found} == {0.4}
    mine = tmp_path / "bfi.yaml"
    mine.write_text(instrument_text())
    assert len(add_evidence(mine, found).instrument.evidence) == 10
    assert isinstance(error_of(*words), OutputError)
    assert call(*words, "--replace").exit_code == 0


def test_what_was_left_out_is_said(study: Path, tmp_path: Path) -> None:
    short = tmp_path / "few.csv"
    short.write_text("".join((study / "answers.csv").read_text().splitlines(keepends=True)[:101]))
    done = call(
        short,
        *("--instrument", study / "bfi.yaml", *ABOUT, "--out", tmp_path / "r.yaml"),
        *("--scale", "neuro", "--structure", "cfa"),
    )
    assert done.exit_code == 0, done.output
    assert "- neuro: no CFA: 100 people, and 200 are needed." in done.output
    assert (
        "Without --roles respondent=COLUMN each row was counted as another person." in done.output
    )


def test_synthetic_files_are_refused(tmp_path: Path) -> None:
    cohort = simulate_cohort("cynicism", n_schools=12, n_staff=30, truth={"turnover": 0.0}, seed=2)
    first, second = cohort.write(tmp_path).staff
    out = tmp_path / "r.yaml"
    words = [
        first,
        *("--instrument", "cynicism", "--study", "S", "--population", "uk", "--use", "research"),
        *("--out", out, "--roles", "respondent=respondent", "--roles", "cluster=school"),
    ]
    found = error_of(*words)
    assert isinstance(found, DataError)
    assert "they prove code, not the questionnaire" in str(found)
    assert not out.exists()
    done = call(*words, "--simulated", "--retest", second, "--weeks", 3)
    assert done.exit_code == 0, done.output
    records = read_records(out)
    assert {one.sample.kind for one in records} == {"simulated"}
    assert records[-1].statistic == "test-retest ICC(2,1)"


def test_words_that_cannot_be(study: Path, tmp_path: Path) -> None:
    words = [
        study / "answers.csv",
        *("--instrument", study / "bfi.yaml", *ABOUT, "--out", tmp_path / "r.yaml"),
    ]
    for wrong in ("respondent", "=id", "respondent="):
        assert isinstance(error_of(*words, "--roles", wrong), OptionError)
    twice = ("--roles", "respondent=id", "--roles", "respondent=school")
    assert "once for each role" in str(error_of(*words, *twice))
    assert isinstance(error_of(*words, "--weeks", 3), OptionError)
    assert isinstance(error_of(*words, "--structure", "pca"), OptionError)
    assert call(study / "answers.csv").exit_code == 2  # the options that are missing
