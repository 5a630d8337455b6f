"""Where a report comes from, and what it must not tell."""

from __future__ import annotations

import json

import pytest

from collabsurvey.reporting import RunRecord, provenance, release
from collabsurvey.reporting.provenance import file_name, is_absolute, plain

KEY = b"0123456789abcdef"


def test_it_is_the_same_for_the_same_run(record: RunRecord) -> None:
    first = provenance(release(record, key=KEY), started=None, finished=None)
    again = provenance(release(record, key=b"another key, 16b"), started=None, finished=None)
    assert json.dumps(first) == json.dumps(again)
    assert first["seed"] == 7
    assert first["versions"]["pandas"]
    assert first["files"] == [
        {"name": "staff.csv", "holds": "responses", "sha256": "ab" * 32, "n_rows": 168}
    ]


def test_no_folder_of_the_machine_is_told(record: RunRecord) -> None:
    found = provenance(release(record, key=KEY), started=None, finished=None)
    assert found["options"]["privacy"]["key_file"] == "secret.key"
    assert "/home/" not in json.dumps(found)
    assert "someone" not in json.dumps(found)


@pytest.mark.parametrize(
    ("text", "absolute"),
    [
        ("/home/me/a.csv", True),
        ("C:\\Users\\me\\a.csv", True),
        ("\\\\server\\share\\a.csv", True),
        ("~/a.csv", True),
        ("data/a.csv", False),
        ("https://osf.io/abc", False),
        ("a / b", False),
    ],
)
def test_absolute_paths_are_known(text: str, absolute: bool) -> None:
    assert is_absolute(text) is absolute
    if absolute:
        assert file_name(text) == "a.csv"


def test_options_become_json() -> None:
    assert plain({1: (1, "a"), "s": {"b", "a"}}) == {"1": [1, "a"], "s": ["a", "b"]}
