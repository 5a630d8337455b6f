"""The output folder: written whole or not at all.

Everything is written into a hidden folder beside the one asked for, which then takes its
place by two renames. A run that is stopped in between leaves either the old folder or the
new one; the next run finishes or undoes what it finds. A folder that holds a file which no
run wrote is not replaced: `provenance.json` lists those that one did.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collabsurvey.errors import NotSupportedError, OutputError, listed
from collabsurvey.reporting.figures import all_figures
from collabsurvey.reporting.html import render_html
from collabsurvey.reporting.provenance import SCHEMA, provenance
from collabsurvey.reporting.pseudonyms import read_key
from collabsurvey.reporting.release import Release, release
from collabsurvey.reporting.tables import csv_tables, spreadsheet_safe

if TYPE_CHECKING:
    import pandas as pd

    from collabsurvey.reporting.record import RunRecord

FORMATS = ("html",)
PROVENANCE = "provenance.json"
WRITTEN = "written"  # its list of the files of the folder
# What runs wrote before the list was kept
EARLIER_FILES = ("report.html", "ledger.csv", "scores.parquet", PROVENANCE)
EARLIER_FOLDERS = {"tables": ".csv", "figures": ".svg"}
LITTER = (".DS_Store", "Thumbs.db", "desktop.ini")  # an operating system leaves these anywhere
MOST_NAMED = 5
READ_ME = """\
What is in this folder, and who may have it

report.html       the report. Small groups are hidden, so it may be passed on.
tables/           the numbers of the report, unrounded, except where rounding protects people
                  (agreement.csv; icc.csv, two_views.csv and reciprocity.csv where groups are
                  hidden). They may be passed on with the report.
figures/          the figures of the report, as files.
ledger.csv        every step that changed or left out an answer.
provenance.json   versions, files, seed and options, to run the study again.
scores.parquet    the scores of single people, one row a person (and wave), under codes that
                  cannot be turned back. It stays with the evaluator: do not send it on.

The next run replaces this folder. Keep files of your own elsewhere.
"""


def write_folder(
    record: RunRecord,
    folder: str | Path,
    *,
    formats: Sequence[str] = ("html",),
    key_file: str | Path | None = None,
    started: datetime | None = None,
) -> Path:
    """Write the report, tables, figures, scores, ledger and provenance of a run.

    Parameters
    ----------
    record : RunRecord
        Unsuppressed; what may be written is decided here.
    folder : path
        Absent, empty, or written by an earlier run, which is replaced unless files were
        added to it. Parent folders are made.
    formats : names
        Documents to write: "html".
    key_file : path, optional
        Secret that keeps pseudonyms the same from run to run; without it a new key is drawn
        and forgotten.
    started : datetime, optional
        When the run began, for the provenance.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    NotSupportedError
        A format that this version does not write.
    OutputError
        The folder cannot be written, or holds something else.
    OptionError
        `record.min_group` is below 5.
    """
    for name in formats:
        if name not in FORMATS:
            raise NotSupportedError(
                f"The report format {name!r}", instead=f"Formats are: {', '.join(FORMATS)}."
            )
    target = check_folder(folder)
    shown = release(record, key=read_key(None if key_file is None else Path(key_file)))
    with _os_errors(target):
        recover(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = _beside(target, f"partial-{os.getpid()}")
        try:
            _fill(partial, shown, started)
            swap(partial, target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return target


def check_folder(folder: str | Path) -> Path:
    """Return the absolute path of an output folder that may be written, or raise.

    Call it before a long run, so that the run is not lost.
    """
    target = Path(os.path.abspath(folder))  # noqa: PTH100  (a link stays a link)
    for parent in target.parents:
        if parent.exists():
            if not parent.is_dir():
                raise OutputError(
                    f"The output folder {str(folder)!r} cannot be made: {parent.name!r} is a file. "
                    "Choose another folder, or move the file."
                )
            if not os.access(parent, os.W_OK | os.X_OK):
                raise OutputError(
                    f"The output folder {str(folder)!r} cannot be made: the folder "
                    f"{str(parent)!r} is read-only. Choose a folder you may write to."
                )
            break
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        what = "a link" if target.is_symlink() else "a file"
        raise OutputError(
            f"The output folder {str(folder)!r} cannot be written: {what} of that name is in the "
            "way. Choose another name, or move it."
        )
    if target.is_dir() and any(target.iterdir()) and not is_ours(target):
        raise OutputError(
            f"The folder {str(folder)!r} holds files that collabsurvey did not write, so it is not "
            "replaced. Choose another folder, or empty this one."
        )
    if target.is_dir() and (added := added_files(target)):
        raise OutputError(
            f"The folder {str(folder)!r} holds files that collabsurvey did not write and that a "
            f"new run would delete: {listed(added, most=MOST_NAMED)}. Move them to another "
            "folder, or write this run to another one."
        )
    return target


def added_files(folder: Path) -> list[str]:
    """Files in the folder of an earlier run that no run wrote, in order."""
    try:
        origin = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        origin = {}
    written = origin.get(WRITTEN)
    return [
        name
        for name in files_in(folder)
        if Path(name).name not in LITTER
        and not (_by_earlier_version(name) if written is None else name in written)
    ]


def files_in(folder: Path) -> list[str]:
    """Every file below a folder (links and empty folders too), relative to it, in order."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir() or not any(path.iterdir())
    )


def _by_earlier_version(name: str) -> bool:
    parts = Path(name).parts
    if len(parts) == 1:
        return name in EARLIER_FILES or name in EARLIER_FOLDERS
    return len(parts) == 2 and Path(name).suffix == EARLIER_FOLDERS.get(parts[0])


def is_ours(folder: Path) -> bool:
    """Whether a folder was written by an earlier run."""
    try:
        written = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(written, dict) and str(written.get("schema", "")).startswith(
        SCHEMA.partition("/")[0]
    )


def swap(partial: Path, target: Path) -> None:
    """Put a finished folder in the place of the earlier one."""
    previous = _beside(target, "previous")
    if target.exists():
        target.rename(previous)
    partial.rename(target)
    shutil.rmtree(previous, ignore_errors=True)


def recover(target: Path) -> None:
    """Finish or undo a swap that was interrupted; remove what was half written."""
    previous = _beside(target, "previous")
    if previous.is_dir():
        if target.exists():
            shutil.rmtree(previous)  # the new folder is in place
        else:
            previous.rename(target)  # it never came: the old one is put back
    if target.parent.is_dir():
        for partial in target.parent.glob(_beside(target, "partial-*").name):
            shutil.rmtree(partial)


def _beside(target: Path, suffix: str) -> Path:
    return target.with_name(f".{target.name}.{suffix}")


@contextmanager
def _os_errors(target: Path) -> Iterator[None]:
    """Say in one sentence why the disk refused."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"The output folder {str(target)!r} cannot be written: {reason}. Check the disk and "
            "the permissions, or choose another folder."
        ) from error


def _fill(folder: Path, shown: Release, started: datetime | None) -> None:
    """Write every file of a report into an empty folder."""
    (folder / "tables").mkdir(parents=True)
    (folder / "figures").mkdir()
    figures = all_figures(shown)
    finished = datetime.now().astimezone()
    origin = provenance(shown, started=started, finished=finished)
    _text(folder / "report.html", render_html(shown, figures=figures, origin=origin))
    for name, table in csv_tables(shown).items():
        _csv(folder / "tables" / f"{name}.csv", _marked(table, shown))
    for figure in figures.values():
        _text(folder / "figures" / f"{figure.file_name}.svg", figure.standalone_svg())
    _csv(folder / "ledger.csv", _marked(shown.ledger, shown))
    _marked(shown.scores, shown).to_parquet(folder / "scores.parquet", index=False)
    _text(folder / "README.txt", READ_ME)
    written = sorted([*files_in(folder), PROVENANCE])
    _json(folder / PROVENANCE, {**origin, WRITTEN: written})


def _marked(table: pd.DataFrame, shown: Release) -> pd.DataFrame:
    """A table of synthetic data says so in every row, wherever it is taken."""
    return table.assign(synthetic=True) if shown.synthetic else table


def _text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _csv(path: Path, table: pd.DataFrame) -> None:
    spreadsheet_safe(table).to_csv(path, index=False, encoding="utf-8", lineterminator="\n")


def _json(path: Path, content: Mapping[str, Any]) -> None:
    _text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
