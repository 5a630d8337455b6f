"""Wording from a user's own folder: joined in memory, never passed on."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collabsurvey.errors import InstrumentError
from collabsurvey.instruments import Instrument, load_instrument, read_instrument
from collabsurvey.instruments.answer_words import wording_of
from collabsurvey.instruments.texts import LOCAL_NOTICE, with_texts

KEY = """\
id: tiny
version: 1.1.0
title: A published scale (scoring key)
kind: key_only
licence: {items: LicenseRef-Tiny, key: CC0-1.0, redistribute_text: false, commercial: false,
          confidence: high}
slots:
  partner: {type: organisation}
response_sets:
  agree3:
    type: ordinal
    values: [1, 2, 3]
    labels: {en-GB: {1: Low}}
    missing: {-8: cannot_say}
items:
  - {id: tin.01, response: agree3, source_item: 1}
  - {id: tin.02, response: agree3, keyed: -1, polarity: negative, source_item: 2}
scoring:
  - {id: tin, title: Tiny, items: [tin.01, tin.02]}
"""
TEXTS = """\
instrument: tiny
version: 1.1.0
source: "letter of the authors, 3 May"
instructions: {en-GB: "Think of {partner}."}
items:
  tin.01: {en-GB: "Invented sentence about {partner}.", de-DE: "Erfundener Satz."}
  tin.02: {en-GB: "Another invented sentence."}
labels:
  agree3: {en-GB: {1: Never, 2: Now and then, 3: Always, -8: No idea}}
"""


@pytest.fixture
def key() -> Instrument:
    return read_instrument(KEY)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tiny.yaml").write_text(TEXTS, encoding="utf-8")
    return tmp_path


def faults(text: str, path: Path, instrument: Instrument | None = None) -> tuple[str, ...]:
    file = path / "texts.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InstrumentError) as caught:
        with_texts(instrument or read_instrument(KEY), file)
    return caught.value.faults


def test_a_folder_or_the_file_itself(key: Instrument, folder: Path) -> None:
    from_folder = with_texts(key, folder)
    assert from_folder == with_texts(key, folder / "tiny.yaml") == with_texts(key, str(folder))
    (folder / "tiny.yaml").rename(folder / "tiny.yml")
    assert with_texts(key, folder) == from_folder


def test_texts_labels_and_instructions_are_joined(key: Instrument, folder: Path) -> None:
    worded = with_texts(key, folder)
    assert worded.item("tin.01").text == {
        "en-GB": "Invented sentence about {partner}.",
        "de-DE": "Erfundener Satz.",
    }
    answers = worded.response_sets["agree3"]
    assert answers.labels["en-GB"] == {1: "Never", 2: "Now and then", 3: "Always"}
    assert answers.missing_labels["en-GB"] == {-8: "No idea"}
    assert worded.instructions == {"en-GB": "Think of {partner}."}
    assert worded.filled({"partner": "Hill School"}).item("tin.01").text == {
        "en-GB": "Invented sentence about Hill School.",
        "de-DE": "Erfundener Satz.",
    }


def test_key_scoring_and_licence_stay(key: Instrument, folder: Path) -> None:
    worded = with_texts(key, folder)
    assert worded.keys_of(worded.item_ids) == (1, -1)
    assert (worded.scoring, worded.licence, worded.version) == (
        key.scoring,
        key.licence,
        key.version,
    )
    assert key.item("tin.01").text is None  # the loaded instrument is as it was


def test_local_texts_are_marked_and_kept_out_of_reports(key: Instrument, folder: Path) -> None:
    worded = with_texts(key, folder)
    assert worded.texts_are_local
    assert not key.texts_are_local
    assert worded.filled({"partner": "Hill School"}).texts_are_local
    assert "texts_are_local" not in worded.model_dump()
    assert [wording_of(worded, item) for item in worded.item_ids] == ["", ""]
    assert "do not pass" in LOCAL_NOTICE


def test_items_may_be_left_out(key: Instrument, tmp_path: Path) -> None:
    some = "\n".join(line for line in TEXTS.splitlines() if "tin.02" not in line)
    (tmp_path / "tiny.yaml").write_text(some, encoding="utf-8")
    worded = with_texts(key, tmp_path)
    assert worded.item("tin.02").text is None
    assert worded.item("tin.01").text


def test_a_shipped_key_takes_local_texts(tmp_path: Path) -> None:
    key = load_instrument("levels_of_collaboration")
    text = """\
instrument: levels_of_collaboration
source: my own words
items:
  loc.level.01: {en-GB: "How closely do you work with {partner}?"}
"""
    (tmp_path / f"{key.id}.yaml").write_text(text, encoding="utf-8")
    worded = with_texts(key, tmp_path)
    assert "How closely" in worded.summary()  # on the user's own screen
    assert worded.response_sets == key.response_sets


# (what is written, what it becomes, the sentence expected)
CASES = {
    "another instrument": (
        "instrument: tiny",
        "instrument: oric",
        "these texts are for the instrument 'oric', not for 'tiny'.",
    ),
    "another version": (
        "version: 1.1.0",
        "version: 1.0.0",
        "these texts are for version 1.0.0, but 'tiny' is 1.1.0.",
    ),
    "unknown item": ("tin.02:", "tin.03:", "'tiny' has no item 'tin.03'. Did you mean 'tin."),
    "item twice": ("tin.02:", "tin.01:", "key 'tin.01' is used twice (first on line 6)."),
    "empty text": ('"Another invented sentence."', '" "', "item 'tin.02': a text in en-GB is empt"),
    "no text": ('"Another invented sentence."', "", "should be text (put it in quotes), not empty"),
    "no language": ('{en-GB: "Another invented sentence."}', "{}", "has no text in any language"),
    "no source": ('"letter of the authors, 3 May"', '""', "'source' is empty. Write where the per"),
    "language": ("de-DE:", "german:", "'german' is not a language code such as en-GB."),
    "unknown slot": ("about {partner}", "about {parner}", "the slot {parner}, which 'tiny' does"),
    "stray brace": ("about {partner}", "about {partner", "item 'tin.01' has a stray brace."),
    "unknown response set": ("agree3:", "agree5:", "'tiny' has no response set 'agree5'. Did you"),
    "label of no answer": ("3: Always", "4: Always", "'agree3' has no answer 4 to be labelled."),
    "empty label": ("3: Always", "3: ''", "response set 'agree3': a text in en-GB is empty."),
    "unknown key": ("items:", "texts:", "the file has an unknown key 'texts'."),
    "broken": ("items:", "items", "this is not valid YAML"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_fault_is_told_with_its_line(case: str, tmp_path: Path) -> None:
    old, new, sentence = CASES[case]
    assert TEXTS.count(old) == 1
    found = faults(TEXTS.replace(old, new), tmp_path)
    assert any(sentence in fault for fault in found), found
    assert all(fault.startswith("line ") for fault in found)


def test_all_faults_are_told_together(tmp_path: Path) -> None:
    text = TEXTS.replace("tin.02", "tin.09").replace("instrument: tiny", "instrument: other")
    assert len(faults(text, tmp_path)) == 2


def test_an_item_with_a_text_keeps_it(tmp_path: Path) -> None:
    trust = load_instrument("trust")
    text = "instrument: trust\nsource: mine\nitems:\n  tru.expect.01: {en-GB: Mine.}\n"
    (found,) = faults(text, tmp_path, trust)
    assert found == (
        "line 4: item 'tru.expect.01' has a text already. Local wording is for items without one."
    )


def test_files_that_cannot_be_read(key: Instrument, tmp_path: Path) -> None:
    with pytest.raises(
        InstrumentError, match=r"tiny\.yaml.*\n.*there is no such file. Put the wor"
    ):
        with_texts(key, tmp_path)
    (tmp_path / "tiny.yaml").write_bytes(b"source: caf\xe9\n")
    with pytest.raises(InstrumentError, match="not UTF-8 text"):
        with_texts(key, tmp_path)
    for nothing in ("", "just words", "- a list"):
        (tmp_path / "tiny.yaml").write_text(nothing, encoding="utf-8")
        with pytest.raises(InstrumentError, match="these are no texts"):
            with_texts(key, tmp_path)


@given(
    place=st.integers(0, len(TEXTS)), cut=st.integers(0, 12), put=st.sampled_from("{}[]:\"'\n -8#x")
)
@settings(max_examples=300, deadline=None)
def test_a_damaged_file_gives_faults_or_texts_of_the_key(
    tmp_path_factory: pytest.TempPathFactory, place: int, cut: int, put: str
) -> None:
    file = tmp_path_factory.getbasetemp() / "damaged.yaml"
    file.write_text(TEXTS[:place] + put + TEXTS[place + cut :], encoding="utf-8")
    key = read_instrument(KEY)
    try:
        worded = with_texts(key, file)
    except InstrumentError as error:
        assert error.faults
        return
    assert worded.item_ids == key.item_ids
    assert worded.texts_are_local
    assert all(text.strip() for item in worded.items for text in (item.text or {}).values())
