"""Where a report comes from: versions, files, seed and every option, to run it again."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collabsurvey.reporting.release import Release

SCHEMA = "collabsurvey-provenance/1"
PACKAGES = (
    "collabsurvey",
    "numpy",
    "pandas",
    "scipy",
    "statsmodels",
    "narwhals",
    "pyarrow",
    "pydantic",
    "PyYAML",
    "matplotlib",
    "jinja2",
)


def provenance(
    release: Release, *, started: datetime | None, finished: datetime | None
) -> dict[str, Any]:
    """Everything needed to run a study again; the same for the same run, but for the times.

    Files are named without their folders, and nothing says whose machine it was.
    """
    return {
        "schema": SCHEMA,
        "written_by": "collabsurvey",
        "study": {"id": release.study_id, "title": release.title},
        "synthetic": release.synthetic,
        "seed": release.seed,
        "started": None if started is None else started.isoformat(timespec="seconds"),
        "finished": None if finished is None else finished.isoformat(timespec="seconds"),
        "versions": package_versions(),
        "platform": {
            "python": platform.python_version(),
            "implementation": platform.python_implementation(),
            "system": platform.system(),
            "machine": platform.machine(),
        },
        "files": [
            {
                "name": file_name(source.name),
                "holds": source.holds,
                "sha256": source.sha256,
                "n_rows": source.n_rows,
            }
            for source in release.sources
        ],
        "options": plain(release.options),
        "privacy": {"min_group": release.min_group},
    }


def package_versions() -> dict[str, str]:
    """Version of Python and of every package the numbers depend on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def file_name(path: str) -> str:
    """Name of a file without its folders, whether written for Windows or not."""
    return PureWindowsPath(PurePosixPath(path).name).name


def plain(value: Any) -> Any:
    """Options as JSON can hold them; an absolute path keeps its last part only."""
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        parts = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [plain(part) for part in parts]
    if isinstance(value, bool | int | float) or value is None:
        return value
    text = str(value)
    return file_name(text) if is_absolute(text) else text


def is_absolute(text: str) -> bool:
    """Whether a text is an absolute path; an address such as https://… is not."""
    if re.match(r"[a-z][a-z0-9+.-]+://", text, re.IGNORECASE):
        return False
    return text.startswith(("/", "~", "\\\\")) or PureWindowsPath(text).is_absolute()
