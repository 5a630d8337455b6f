"""Study files that come with the package: the demonstration, and one to fill in."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from collabsurvey.errors import CollabSurveyError, OutputError

PACKAGE = Path(__file__).resolve().parents[1]
FOLDERS = (
    PACKAGE / "_studies",  # an installed wheel
    PACKAGE.parents[1] / "studies",  # a checkout, also when installed as editable
)


def template(name: Literal["demo", "new"]) -> str:
    """Text of a study file."""
    for folder in FOLDERS:
        path = folder / f"{name}.yaml"
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise CollabSurveyError(
        f"The study file {name!r} that belongs to collabsurvey is missing. "
        "Install the package again."
    )


def write_demo(folder: Path) -> Path:
    """Write the demonstration study with its synthetic data; return the study file."""
    from collabsurvey.simulation import demo_study_files

    demo_study_files(folder)
    return _write(folder / "study.yaml", template("demo"))


def write_new(folder: Path) -> Path:
    """Write a study file to fill in; an existing one is never replaced."""
    path = folder / "study.yaml"
    if path.exists():
        raise OutputError(f"{path} exists already and is left as it is. Name another folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"The folder {folder} cannot be made: {error.strerror or error}. Name another."
        ) from None
    return _write(path, template("new"))


def _write(path: Path, text: str) -> Path:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}. Name another folder."
        ) from None
    return path
