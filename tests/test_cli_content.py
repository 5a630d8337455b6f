"""`collabsurvey evidence content`: raters' sheets become indices, and a file of records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from collabsurvey.cli.evidence import evidence_app
from collabsurvey.errors import DataError
from collabsurvey.instruments import add_evidence, read_records
from collabsurvey.instruments.folder import shipped_paths

RATERS = [f"r{j}" for j in range(1, 7)]
ABOUT = ["--study", "Panel", "--population", "uk_teachers", "--use", "research", "--year", "2026"]


def call(*words: object) -> Result:
    return CliRunner().invoke(evidence_app, [*map(str, words)])


def content(*words: object) -> Result:
    found = call("content", *words, "--instrument", "cynicism")
    assert found.exit_code == 0, found.exception
    return found


def error_of(*words: object) -> Any:
    found = call("content", *words, "--instrument", "cynicism")
    assert found.exit_code != 0
    return found.exception


@pytest.fixture
def sheets(tmp_path: Path) -> Path:
    """Sheets as `sheet` writes them, filled: all 4, but one of six raters gives item 1 a 2."""
    folder = tmp_path / "sheets"
    raters = [word for rater in RATERS for word in ("--rater", rater)]
    written = call("sheet", "cynicism", "--out", folder, *raters)
    assert written.exit_code == 0, written.exception
    for file in folder.iterdir():
        frame = pd.read_csv(file, dtype=object)
        items = frame["item"].str.startswith("cyn.change.0")
        relevance = frame.columns[frame.columns.str.startswith("relevance")][0]
        frame.loc[items, relevance] = "4"
        if file.stem.endswith("r1"):
            frame.loc[frame["item"] == "cyn.change.01", relevance] = "2"
        frame.to_csv(file, index=False)
    return folder


def test_the_folder_that_sheet_wrote_is_read(sheets: Path) -> None:
    (sheets / "notes.csv").write_text("nothing,here\n")
    found = content(sheets)
    assert content(*sorted(sheets.glob("cynicism_*.csv"))).output == found.output
    assert "I-CVI" in found.output and "cyn.change" in found.output


def test_records_of_the_panel(sheets: Path, tmp_path: Path) -> None:
    """5 of 6 raters for the first item is .83, and 1 for the other five: S-CVI/Ave 35/36."""
    out = tmp_path / "records.yaml"
    found = content(sheets, "--records-out", out, *ABOUT)
    assert "2 records written" in found.output
    records = read_records(out)
    assert [(r.statistic, r.value, r.verdict) for r in records] == [
        ("I-CVI (lowest)", 0.83, "supports"),
        ("S-CVI/Ave", 0.9722, "supports"),
    ]
    first = records[0]
    assert (first.claim.score, first.claim.population, first.sample.n) == (
        "cyn.change", "uk_teachers", 6,
    )  # fmt: skip
    assert (first.claim.language, first.study.title, first.sample.year) == ("en-GB", "Panel", 2026)
    shipped = next(one for one in shipped_paths().values() if Path(one).stem == "cynicism")
    copy = tmp_path / "cynicism.yaml"
    copy.write_text(Path(shipped).read_text(encoding="utf-8"), encoding="utf-8")
    assert len(add_evidence(copy, records).records) == 2
    assert "exists already" in str(error_of(sheets, "--records-out", out, *ABOUT))
    content(sheets, "--records-out", out, "--replace", *ABOUT)


def test_what_records_need(sheets: Path, tmp_path: Path) -> None:
    out = tmp_path / "records.yaml"
    assert "need --population, --use as well" in str(
        error_of(sheets, "--records-out", out, "--study", "Panel")
    )
    assert "say --records-out" in str(error_of(sheets, "--study", "Panel"))
    assert not out.exists()


def test_a_folder_without_sheets(tmp_path: Path) -> None:
    error = error_of(tmp_path)
    assert isinstance(error, DataError)
    assert "cynicism_RATER.csv" in str(error)
