"""Where the shipped files are looked for: the wheel, then the checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from collabsurvey.errors import CollabSurveyError
from collabsurvey.instruments import folder, list_instruments
from collabsurvey.instruments.folder import instruments_folder, shipped_paths


def test_the_wheel_comes_before_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel, checkout = tmp_path / "_instruments", tmp_path / "instruments"
    monkeypatch.setattr(folder, "CANDIDATES", (wheel, checkout))
    checkout.mkdir()
    (checkout / "schema.json").touch()
    assert instruments_folder() == checkout
    wheel.mkdir()
    (wheel / "schema.json").touch()
    assert instruments_folder() == wheel


def test_scoring_keys_are_found_in_their_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keys").mkdir()
    for name in ("schema.json", "mine.yaml", "keys/theirs.yaml", "notes.txt"):
        (tmp_path / name).touch()
    monkeypatch.setattr(folder, "CANDIDATES", (tmp_path,))
    assert list(shipped_paths()) == ["theirs", "mine"]


def test_without_the_files_the_error_says_where_it_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "CANDIDATES", (tmp_path / "a", tmp_path / "b"))
    with pytest.raises(CollabSurveyError, match=r"are not at .*a or .*b\. Install"):
        list_instruments()
