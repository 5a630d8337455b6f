"""Columns found by the wording of the questions."""

from __future__ import annotations

from pathlib import Path

from collabsurvey.instruments import load_instrument
from collabsurvey.responses import read_column_map, write_column_map
from collabsurvey.responses.matching import match_columns

TRUST = load_instrument("trust")


def headers(**slots: str) -> dict[str, str]:
    filled = TRUST.filled(slots)
    return {item.id: (item.text or {})["en-GB"] for item in filled.items}


def test_wording_is_found_with_any_words_in_the_slots() -> None:
    asked = headers(partner="Hill School", own_school="Dale Primary")
    dirty = [f"{i}. {text.upper()}\u00a0 " for i, text in enumerate(asked.values(), start=1)]
    found = match_columns(["ID", "Start time", *dirty], TRUST)
    assert found.columns == dict(zip(asked, dirty, strict=True))
    assert found.missing == ()
    assert found.slots["partner"].casefold() == "hill school"
    assert match_columns(list(asked.values()), TRUST).slots == {
        "partner": "Hill School",
        "own_school": "Dale Primary",
    }


def test_a_changed_word_is_offered_and_not_taken() -> None:
    asked = headers(partner="Hill School", own_school="Dale Primary")
    texts = {**asked, "tru.invest.risk.05": "We go into plans with Hill School and only hope."}
    texts["tru.invest.risk.04"] = "We test small things with Hill School before large ones."
    found = match_columns(list(texts.values()), TRUST)
    assert "tru.invest.risk.04" not in found.columns
    column, likeness = found.near["tru.invest.risk.04"]
    assert column == texts["tru.invest.risk.04"]
    assert 0.85 <= likeness < 1
    assert found.missing == ("tru.invest.risk.05",)


def test_the_draft_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "columns.csv"
    write_column_map({"a.01": 'With, comma and "quote"', "a.02": "Plain"}, path)
    assert read_column_map(path) == {"a.01": 'With, comma and "quote"', "a.02": "Plain"}
