"""The output folder: written whole or not at all.

Everything is written into a hidden folder beside the one asked for, which then takes its
place by two renames. A run that is stopped in between leaves either the old folder or the
new one; the next run finishes or undoes what it finds.
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

from collabsurvey.errors import NotSupportedError, OutputError
from collabsurvey.reporting.figures import all_figures
from collabsurvey.reporting.html import render_html
from collabsurvey.reporting.provenance import SCHEMA, provenance
from collabsurvey.reporting.pseudonyms import read_key
from collabsurvey.reporting.release import Release, release
from collabsurvey.reporting.tables import csv_tables

if TYPE_CHECKING:
    import pandas as pd

    from collabsurvey.reporting.record import RunRecord

FORMATS = ("html",)
PROVENANCE = "provenance.json"


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
        Absent, empty, or written by an earlier run, which is replaced. Parent folders are
        made.
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
    return target


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
    _json(folder / PROVENANCE, origin)


def _marked(table: pd.DataFrame, shown: Release) -> pd.DataFrame:
    """A table of synthetic data says so in every row, wherever it is taken."""
    return table.assign(synthetic=True) if shown.synthetic else table


def _text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _csv(path: Path, table: pd.DataFrame) -> None:
    table.to_csv(path, index=False, encoding="utf-8", lineterminator="\n")


def _json(path: Path, content: Mapping[str, Any]) -> None:
    _text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
