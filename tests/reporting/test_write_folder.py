"""The output folder: whole or not at all, and never over somebody's own files."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from collabsurvey.errors import NotSupportedError, OutputError
from collabsurvey.reporting import RunRecord, check_folder, write_folder
from collabsurvey.reporting import write as writing


class Killed(BaseException):
    """The process ends here."""


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def old_folder(folder: Path) -> Path:
    """A folder of an earlier run."""
    folder.mkdir()
    origin = {"schema": "collabsurvey-provenance/1", "written": ["old.txt", "provenance.json"]}
    (folder / "provenance.json").write_text(json.dumps(origin))
    (folder / "old.txt").write_text("old")
    return folder


def test_a_folder_holds_everything(record: RunRecord, tmp_path: Path) -> None:
    folder = write_folder(
        record, tmp_path / "deep" / "out", started=datetime(2026, 9, 1, tzinfo=UTC)
    )
    assert names(folder) == {
        "report.html",
        "tables",
        "figures",
        "scores.parquet",
        "provenance.json",
        "ledger.csv",
        "README.txt",
    }
    assert {"scales.csv", "response.csv", "answers.csv", "models.csv", "means_school.csv"} <= names(
        folder / "tables"
    )
    assert "reliability.svg" in names(folder / "figures")
    assert names(folder.parent) == {"out"}
    origin = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    assert origin["started"] == "2026-09-01T00:00:00+00:00"
    models = pd.read_csv(folder / "tables" / "models.csv")
    exact = record.models[0].result.estimates
    assert models.loc[1, "estimate"] == exact.loc[1, "estimate"]  # unrounded


def test_every_table_of_synthetic_data_says_so(slim: RunRecord, tmp_path: Path) -> None:
    folder = write_folder(slim, tmp_path / "out")
    tables = [*(folder / "tables").glob("*.csv"), folder / "ledger.csv"]
    assert len(tables) > 2
    assert all(pd.read_csv(path)["synthetic"].all() for path in tables)
    assert pd.read_parquet(folder / "scores.parquet")["synthetic"].all()
    write_folder(replace(slim, synthetic=False), folder)
    assert "synthetic" not in pd.read_csv(folder / "ledger.csv").columns


def test_a_second_run_replaces_the_first(slim: RunRecord, tmp_path: Path) -> None:
    folder = old_folder(tmp_path / "out")
    write_folder(slim, folder)
    assert "old.txt" not in names(folder)
    assert names(tmp_path) == {"out"}


def test_an_empty_folder_may_be_used(slim: RunRecord, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert (write_folder(slim, tmp_path / "out") / "report.html").is_file()


def test_a_folder_of_somebody_else_is_left_alone(slim: RunRecord, tmp_path: Path) -> None:
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter1.txt").write_text("dear")
    with pytest.raises(OutputError, match=r"holds files that collabsurvey did not write, so it is"):
        write_folder(slim, folder)
    (folder / "provenance.json").write_text('{"schema": "another"}')
    with pytest.raises(OutputError, match="Choose another folder, or empty this one"):
        write_folder(slim, folder)
    assert (folder / "chapter1.txt").read_text() == "dear"


def test_a_file_that_somebody_added_is_not_deleted(slim: RunRecord, tmp_path: Path) -> None:
    folder = write_folder(slim, tmp_path / "out")
    (folder / "tables" / "my notes.docx").write_text("dear")
    (folder / "minutes").mkdir()
    (folder / ".DS_Store").write_text("")
    with pytest.raises(OutputError, match=r"minutes, tables/my notes\.docx\. Move them to another"):
        write_folder(slim, folder)
    assert (folder / "tables" / "my notes.docx").read_text() == "dear"
    (folder / "tables" / "my notes.docx").unlink()
    (folder / "minutes").rmdir()
    write_folder(slim, folder)  # what the system left there is in nobody's way


def test_provenance_lists_every_file_of_the_folder(slim: RunRecord, tmp_path: Path) -> None:
    folder = write_folder(slim, tmp_path / "out")
    listed = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))["written"]
    assert {name for name in listed if (folder / name).is_file()} == {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    }


def test_a_folder_without_a_list_may_hold_what_runs_always_wrote(
    slim: RunRecord, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    (folder / "tables").mkdir(parents=True)
    (folder / "figures").mkdir()
    (folder / "provenance.json").write_text('{"schema": "collabsurvey-provenance/1"}')
    for name in ("report.html", "tables/scales.csv"):
        (folder / name).write_text("")
    assert check_folder(folder) == folder
    (folder / "tables" / "mine.xlsx").write_text("")
    with pytest.raises(OutputError, match=r"would delete: tables/mine\.xlsx\."):
        check_folder(folder)


def test_a_note_in_the_folder_says_what_must_stay(slim: RunRecord, tmp_path: Path) -> None:
    text = (write_folder(slim, tmp_path / "out") / "README.txt").read_text(encoding="utf-8")
    assert "one row a person" in text
    assert "do not send it on" in text
    assert "except where rounding protects people" in " ".join(text.split())


def test_names_that_a_spreadsheet_would_run_are_made_plain_text(
    slim: RunRecord, tmp_path: Path
) -> None:
    table = slim.response_by_school
    assert table is not None
    new = {"Ash": "=1+1", "Elm": "@home", "Fir": "+Fir", "Gorse": "-7"}
    folder = write_folder(
        replace(
            slim,
            response_by_school=table.replace({"school": new}),
            scores=slim.scores.replace({"school": new}),
        ),
        tmp_path / "out",
    )
    written = pd.read_csv(folder / "tables" / "response.csv", dtype={"school": "str"})
    assert {"'=1+1", "'@home", "'+Fir", "-7", "Birch"} <= set(written["school"])
    assert written["wave"].isin([1, 2]).all()
    icc = pd.read_csv(folder / "tables" / "icc.csv")
    assert icc["icc1_low"].dtype.kind == "f"  # a negative number stays a number


def test_a_file_in_the_way_is_named(slim: RunRecord, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError, match=r"cannot be written: a file of that name is in the way"):
        write_folder(slim, tmp_path / "out")
    with pytest.raises(OutputError, match=r"cannot be made: 'out' is a file\. Choose another"):
        write_folder(slim, tmp_path / "out" / "below")
    with pytest.raises(OutputError, match="cannot be made: 'out' is a file"):
        check_folder(tmp_path / "out" / "far" / "below")


def test_a_link_in_the_way_is_named(slim: RunRecord, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="a link of that name is in the way"):
        write_folder(slim, tmp_path / "out")


def test_a_full_disk_leaves_the_old_folder(
    slim: RunRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = old_folder(tmp_path / "out")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "_csv", full)
    with pytest.raises(OutputError, match=r"cannot be written: No space left on device\. Check"):
        write_folder(slim, folder)
    assert names(folder) == {"provenance.json", "old.txt"}
    assert names(tmp_path) == {"out"}


def test_other_formats_are_refused_by_name(slim: RunRecord, tmp_path: Path) -> None:
    with pytest.raises(NotSupportedError, match="The report format 'docx' is not part of this"):
        write_folder(slim, tmp_path / "out", formats=("html", "docx"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("step", range(5))
def test_a_run_killed_at_any_step_is_mended_by_the_next(
    slim: RunRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """0 while writing, 1 before and 2 after the old folder is set aside, 3 and 4 before and
    after it is deleted."""
    folder = old_folder(tmp_path / "out")
    real_rename, real_rmtree, real_csv = Path.rename, shutil.rmtree, writing._csv
    dead = False
    renames = 0

    def die() -> None:
        nonlocal dead
        dead = True
        raise Killed

    def rename(self: Path, target: Path) -> Path:
        nonlocal renames
        if step == 1 and renames == 0:
            die()
        renames += 1
        if step == 2 and renames == 2:
            die()
        return real_rename(self, target)

    def rmtree(path: Path, ignore_errors: bool = False) -> None:
        if dead:
            return  # a dead process cleans nothing up
        if step == 3 and path.name.endswith("previous"):
            die()
        real_rmtree(path, ignore_errors=ignore_errors)
        if step == 4 and path.name.endswith("previous"):
            die()

    def csv(path: Path, table: pd.DataFrame) -> None:
        if step == 0:
            die()
        real_csv(path, table)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        patch.setattr(writing.shutil, "rmtree", rmtree)
        patch.setattr(writing, "_csv", csv)
        with pytest.raises(Killed):
            write_folder(slim, folder)
    left = names(tmp_path)
    assert step == 4 or len(left) > 1  # something was left lying about
    writing.recover(folder)
    assert names(tmp_path) == {"out"}
    came = "report.html" in names(folder)
    assert came == (step >= 3)
    assert ("old.txt" in names(folder)) != came  # one or the other, whole
    write_folder(slim, folder)
    assert names(tmp_path) == {"out"}
    assert "old.txt" not in names(folder)
