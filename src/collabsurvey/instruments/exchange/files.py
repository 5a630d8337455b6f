"""Files written whole or not at all."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from collabsurvey.errors import OutputError

MADE = (1980, 1, 1, 0, 0, 0)  # the same files make the same archive


def write_file(path: Path, content: str | bytes, encoding: str) -> None:
    """Write beside the target, then put it in its place."""
    raw = content.encode(encoding) if isinstance(content, str) else content
    if path.is_dir():
        raise OutputError(f"{path} is a folder. Name the file to write.")
    with _os_errors(path):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        partial = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(raw)
            partial.chmod(0o644)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def write_folder(path: Path, texts: Mapping[str, str]) -> None:
    """Write a new folder of text files; one that holds something already is left alone."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise OutputError(f"{path} exists already. Name a new folder, or a file ending in .zip.")
    with _os_errors(path):
        partial = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        try:
            for name, text in texts.items():
                target = partial / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text, encoding="utf-8", newline="\n")
            partial.chmod(0o755)
            if path.is_dir():
                path.rmdir()
            partial.rename(path)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def zipped(texts: Mapping[str, str]) -> bytes:
    """Text files as one archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            info = zipfile.ZipInfo(name, MADE)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, text.encode("utf-8"))
    return out.getvalue()


@contextmanager
def _os_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}. Name another place."
        ) from None
