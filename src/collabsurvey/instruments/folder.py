"""Where the shipped instrument files are."""

from __future__ import annotations

from pathlib import Path

from collabsurvey.errors import CollabSurveyError, UnknownNameError

PACKAGE = Path(__file__).resolve().parents[1]
CANDIDATES = (
    PACKAGE / "_instruments",  # an installed wheel
    PACKAGE.parents[1] / "instruments",  # a checkout, also when installed as editable
)


def instruments_folder() -> Path:
    """Folder of the shipped instruments: inside the wheel, or at the top of the checkout."""
    for folder in CANDIDATES:
        if (folder / "schema.json").is_file():
            return folder
    places = " or ".join(str(folder) for folder in CANDIDATES)
    raise CollabSurveyError(
        f"The instrument files that belong to collabsurvey are not at {places}. "
        "Install the package again."
    )


def shipped_paths() -> dict[str, Path]:
    """Id → file of every shipped instrument; scoring keys of published ones are in `keys`."""
    folder = instruments_folder()
    files = [*folder.glob("*.yaml"), *(folder / "keys").glob("*.yaml")]
    return {path.stem: path for path in sorted(files)}


def shipped_path(name: str) -> Path:
    """File of a shipped instrument, or `UnknownNameError`."""
    paths = shipped_paths()
    if name not in paths:
        raise UnknownNameError("instrument", name, available=paths, where="collabsurvey")
    return paths[name]
