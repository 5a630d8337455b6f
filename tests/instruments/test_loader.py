"""Every fault of a file is reported, with its line, in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from collabsurvey.errors import InstrumentError, UnknownNameError
from collabsurvey.instruments import load_instrument, read_instrument
from collabsurvey.instruments.folder import shipped_paths
from collabsurvey.instruments.yaml_tree import parse

GOOD = """\
id: team
version: 1.2.0
title: Team climate
kind: own
licence: {items: CC-BY-4.0, key: CC0-1.0, redistribute_text: true, commercial: true,
          confidence: high}
constructs:
  - id: team.safety
    definition: Safe to speak
    level: [person]
    direction: higher_is_more
    measurement_model: reflective
slots:
  partner: {type: organisation}
response_sets:
  agree5:
    type: ordinal
    values: [1, 2, 3, 4, 5]
    labels: {en-GB: {1: No, 5: Yes}}
    missing: {-8: cannot_say}
  cards:
    type: nominal
    values: [1, 2, 3]
items:
  - {id: team.safety.01, text: {en-GB: "We speak up."}, response: agree5, construct: team.safety}
  - {id: team.safety.02, text: {en-GB: "{partner} shouts."}, response: agree5, keyed: -1}
  - {id: team.safety.03, text: {en-GB: "We listen."}, response: agree5}
  - {id: team.card.01, text: {en-GB: "Pick one."}, response: cards, unscored: true}
scoring:
  - id: team.safety
    title: Safety
    items: [team.safety.01, team.safety.02, team.safety.03]
    min_valid: 2/3
    rescale: {from: [1, 5], to: [0, 100]}
norms:
  - {id: n1, score: team.safety, n: 200, mean: 3.5, sd: 0.7, population: English primary staff}
translations:
  - {lang: en-GB, status: source}
use: {intended: [research], not_for: [ranking]}
"""


def faults(text: str) -> tuple[str, ...]:
    with pytest.raises(InstrumentError) as caught:
        read_instrument(text, source="team.yaml")
    return caught.value.faults


def line_of(part: str, text: str = GOOD) -> int:
    return text[: text.index(part)].count("\n") + 1


def test_the_good_file_loads() -> None:
    instrument = read_instrument(GOOD)
    assert instrument.item("team.safety.02").keyed == -1
    assert instrument.scale("team.safety").n_required() == 2


def test_plain_words_stay_text() -> None:
    instrument = read_instrument(GOOD)
    assert instrument.response_sets["agree5"].labels["en-GB"] == {1.0: "No", 5.0: "Yes"}
    document = parse("[No, yes, on, Off, TRUE, 2024-01-31, 010, 0x1F, 1_000, 12:30, .inf]")
    assert all(isinstance(value, str) for value in document.data)
    assert parse("[true, false, ~, -3, 0.5, 1.5e3]").data == [True, False, None, -3, 0.5, 1500.0]


def test_labels_may_be_a_list_in_the_order_of_the_values() -> None:
    text = GOOD.replace("{en-GB: {1: No, 5: Yes}}", "{en-GB: [a, b, c, d, e]}")
    labels = read_instrument(text).response_sets["agree5"].labels["en-GB"]
    assert labels == {1.0: "a", 2.0: "b", 3.0: "c", 4.0: "d", 5.0: "e"}


# (what is written, what it becomes, the sentence expected, where it is found afterwards)
CASES: dict[str, tuple[str, str, str, str]] = {
    "item used twice": (
        "id: team.safety.03,",
        "id: team.safety.01,",
        f"item 'team.safety.01' is used twice (first on line {line_of('id: team.safety.01')}).",
        '"We listen."',
    ),
    "duplicate key": (
        "title: Team climate\n",
        "title: Team climate\ntitle: Again\n",
        "key 'title' is used twice (first on line 3).",
        "title: Again",
    ),
    "unknown key": (
        "version: 1.2.0",
        "verzion: 1.2.0",
        "the file has an unknown key 'verzion'. Did you mean 'version'?",
        "verzion",
    ),
    "unknown key of an item": (
        "response: agree5, keyed: -1}",
        "response: agree5, keyd: -1}",
        "item 'team.safety.02' has an unknown key 'keyd'. Did you mean 'keyed'?",
        "keyd",
    ),
    "name of the program for a key": (
        "construct: team.safety}",
        "construct_id: team.safety}",
        "item 'team.safety.01' has an unknown key 'construct_id'. Did you mean 'construct'?",
        "construct_id",
    ),
    "unknown key deep inside": (
        "commercial: true,",
        "commercial: true, comercial: true,",
        "the file has an unknown key 'comercial'. Did you mean 'commercial'?",
        "comercial: true",
    ),
    "missing key": (
        "title: Safety\n",
        "rule: mean\n",
        "scale 'team.safety' lacks the key 'title'.",
        "- id: team.safety\n    rule",
    ),
    "keyed": (
        "keyed: -1",
        "keyed: 2",
        "item 'team.safety.02': 'keyed' should be 1 or -1, not 2.",
        "keyed: 2",
    ),
    "not a boolean": (
        "redistribute_text: true",
        "redistribute_text: Yes",
        "'licence.redistribute_text' should be true or false, not 'Yes'.",
        "redistribute_text",
    ),
    "label that is no text": (
        "5: Yes",
        "5: true",
        "response set 'agree5': 'labels.en-GB.5' should be text (put it in quotes), not true.",
        "5: true",
    ),
    "second value of a list": (
        "values: [1, 2, 3]",
        "values: [1, x, 3]",
        "response set 'cards': 'values.2' should be a number, not 'x'.",
        "values: [1, x",
    ),
    "number for text": (
        "version: 1.2.0",
        "version: 1.2",
        "'version' should be text (put it in quotes), not 1.2.",
        "version: 1.2",
    ),
    "version": (
        "version: 1.2.0",
        "version: v1",
        "version 'v1' should read x.y.z, such as 1.0.0.",
        "version: v1",
    ),
    "item newer than the instrument": (
        "unscored: true}",
        "unscored: true, since: 2.0.0}",
        "item 'team.card.01' is from version 2.0.0, but the instrument is 1.2.0.",
        "since",
    ),
    "item in no scale": (
        ", team.safety.03]",
        "]",
        "item 'team.safety.03' is in no scale. Add it to one, or mark it 'unscored: true'.",
        '"We listen."',
    ),
    "unscored but scored": (
        'text: {en-GB: "We listen."}, ',
        'text: {en-GB: "We listen."}, unscored: true, ',
        "item 'team.safety.03' is marked unscored, yet a scale lists it.",
        '"We listen."',
    ),
    "scale with an unknown item": (
        "team.safety.02, team.safety.03]",
        "team.safety.02, team.safty.03, team.safety.03]",
        "scale 'team.safety' lists the item 'team.safty.03', which does not exist. "
        "Did you mean 'team.safety.03'?",
        "items: [team",
    ),
    "item twice in a scale": (
        "items: [team.safety.01,",
        "items: [team.safety.01, team.safety.01,",
        "scale 'team.safety' lists the item 'team.safety.01' twice.",
        "items: [team",
    ),
    "unknown response set": (
        '"We listen."}, response: agree5',
        '"We listen."}, response: agree6',
        "item 'team.safety.03' names a response set 'agree6' that does not exist. "
        "Did you mean 'agree5'?",
        '"We listen."',
    ),
    "unknown construct": (
        "construct: team.safety}",
        "construct: team.safe}",
        "item 'team.safety.01' names a construct 'team.safe' that does not exist. "
        "Did you mean 'team.safety'?",
        "construct: team.safe}",
    ),
    "min_valid larger than the scale": (
        "min_valid: 2/3",
        "min_valid: 4",
        "scale 'team.safety': min_valid 4 does not fit 3 items. "
        'Write a share such as "2/3", or a count no larger than that.',
        "min_valid",
    ),
    "min_valid of the wrong kind": (
        "min_valid: 2/3",
        "min_valid: [2, 3]",
        "scale 'team.safety': 'min_valid' should be text (put it in quotes) or a whole number, "
        "not a list of 2.",
        "min_valid",
    ),
    "mixed response sets": (
        '"We listen."}, response: agree5',
        '"We listen."}, response: cards',
        "scale 'team.safety' mixes the response sets 'agree5', 'cards'. A mean needs one.",
        "items: [team",
    ),
    "mean of nominal answers": (
        "type: ordinal",
        "type: nominal",
        "scale 'team.safety' takes the mean of 'agree5', whose answers are nominal.",
        "- id: team.safety\n    title",
    ),
    "reversal without a range": (
        "type: ordinal",
        "type: nominal",
        "item 'team.safety.02' is reversed, but its answers ('agree5') are nominal: "
        "there is no range to turn round.",
        "items: [team",
    ),
    "rescale from another range": (
        "from: [1, 5]",
        "from: [0, 5]",
        "scale 'team.safety' is rescaled from 0 to 5, but its scores run from 1 to 5.",
        "rescale",
    ),
    "label of no value": (
        "5: Yes",
        "6: Yes",
        "response set 'agree5' has a label for 6, which is no value of it.",
        "6: Yes",
    ),
    "missing code that is an answer": (
        "{-8: cannot_say}",
        "{5: cannot_say}",
        "response set 'agree5': the missing code 5 is also an answer.",
        "5: cannot_say",
    ),
    "values out of order": (
        "[1, 2, 3, 4, 5]",
        "[1, 3, 2, 4, 5]",
        "the values of response set 'agree5' should ascend.",
        "values: [1, 3",
    ),
    "slot not declared": (
        "We listen.",
        "We hear {partnr}.",
        "item 'team.safety.03' uses the slot {partnr}, which is not declared. "
        "Did you mean 'partner'?",
        "{partnr}",
    ),
    "slot not used": (
        "{partner} shouts.",
        "They shout.",
        "slot 'partner' is declared, but no item uses it.",
        "partner: {type",
    ),
    "stray brace": (
        "We listen.",
        "We {listen.",
        "item 'team.safety.03' has a stray brace. A slot is written {partner}.",
        "We {listen",
    ),
    "no text": (
        'text: {en-GB: "We listen."}, ',
        "",
        "item 'team.safety.03' has no text in en-GB.",
        "id: team.safety.03",
    ),
    "text that may not be distributed": (
        "redistribute_text: true",
        "redistribute_text: false",
        "item 'team.safety.01' has a text, but the instrument may not hold any "
        "(its licence says 'redistribute_text: false'). Remove the text.",
        "id: team.safety.01",
    ),
    "text in a key": (
        "kind: own",
        "kind: key_only",
        "item 'team.card.01' has a text, but the instrument may not hold any "
        "(its kind is key_only). Remove the text.",
        "id: team.card.01",
    ),
    "norm without n": (
        "n: 200, ",
        "",
        "norm 'n1' lacks the key 'n'.",
        "id: n1",
    ),
    "norm without population": (
        ", population: English primary staff",
        "",
        "norm 'n1' lacks the key 'population'.",
        "id: n1",
    ),
    "norm of no scale": (
        "score: team.safety",
        "score: team.saftey",
        "norm 'n1' is about the scale 'team.saftey', which does not exist. "
        "Did you mean 'team.safety'?",
        "score: team.saftey",
    ),
    "status not earned": (
        "kind: own\n",
        "kind: own\nstatus: piloted\n",
        "status is 'piloted', but the evidence records support 'draft'. "
        "Write 'draft', or add the records.",
        "status: piloted",
    ),
    "retired id": (
        "scoring:",
        "retired_items: [team.safety.02]\nscoring:",
        "item 'team.safety.02' is retired: its id may not be used again. Give the item a new id.",
        "retired_items",
    ),
    "scale with the id of an item": (
        "  - id: team.safety\n    title",
        "  - id: team.card.01\n    title",
        "scale 'team.card.01' has the id of an item. Rename one of them.",
        "- id: team.card.01\n",
    ),
    "translation half done": (
        "status: source}",
        "status: source}\n  - {lang: cy-GB, status: forward}",
        "the translation cy-GB lacks the items team.safety.01, team.safety.02, team.safety.03, "
        "team.card.01.",
        "cy-GB",
    ),
    "language not listed": (
        'en-GB: "We listen."',
        'en-GB: "We listen.", cy-GB: "Rydym yn gwrando."',
        "items have texts in cy-GB, which is not listed under 'translations'.",
        "translations:",
    ),
    "tag": (
        "title: Team climate",
        "title: !!python/object/apply:os.getcwd []",
        "the tag '!!python/object/apply:os.getcwd' is not allowed: a file holds plain data only.",
        "title: !!",
    ),
    "alias": (
        "title: Safety",
        "title: *safety",
        "anchors and aliases (& and *) are not allowed. Write the value out.",
        "title: *safety",
    ),
    "several documents": (
        "use: {",
        "---\nuse: {",
        "a second document starts here ('---'). Keep one to a file.",
        "---",
    ),
    "syntax": (
        "slots:\n",
        "slots: [\n",
        "this is not valid YAML (did not find expected ',' or ']'). Look for a missing colon, "
        "quote, bracket or indent here or on the line above.",
        "response_sets:",
    ),
    "control character": (
        "Safe to speak",
        "Safe to \x07speak",
        "there is a control character that YAML does not allow. Retype this line as plain text.",
        "definition:",
    ),
    "nested without end": (
        "title: Safety",
        "title: " + "[" * 100_000,
        "lists and keys are nested more than 20 levels deep; look for a bracket that was never "
        "closed.",
        "title: [",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_fault_is_named_with_its_line(case: str) -> None:
    before, after, sentence, marker = CASES[case]
    assert before in GOOD
    text = GOOD.replace(before, after, 1)
    assert f"line {line_of(marker, text)}: {sentence}" in faults(text)


ALONE = {
    "name of the program for a key",
    "scale with an unknown item",
    "duplicate key",
    "unknown key",
    "keyed",
    "version",
    "tag",
}


@pytest.mark.parametrize("case", sorted(ALONE))
def test_one_fault_is_reported_once(case: str) -> None:
    before, after, _, _ = CASES[case]
    found = faults(GOOD.replace(before, after, 1))
    # a misspelt key is also a missing one; a tag leaves no value of the right type
    assert len(found) == (2 if case in ("unknown key", "tag") else 1)


def test_all_faults_come_together_in_the_order_of_their_lines() -> None:
    together = ("keyed", "label of no value", "min_valid larger than the scale", "norm of no scale")
    text = GOOD
    for case in together:
        text = text.replace(*CASES[case][:2], 1)
    found = faults(text)
    assert len(found) == len(together)
    assert all(any(CASES[case][2] in one for one in found) for case in together)
    lines = [int(one.split(":")[0].removeprefix("line ")) for one in found]
    assert lines == sorted(lines)


def test_an_alias_bomb_is_refused_before_it_grows() -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    assert any("anchors and aliases" in one for one in faults("\n".join(rows)))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "line 1: this is not an instrument: it should be keys such as 'id:', not empty."),
        (b"- 1\n- 2", "it should be keys such as 'id:', not a list of 2."),
        (b"name,age\nx,3\n", "it should be keys such as 'id:', not 'name,age x,3'."),
        (b"id: a\ntitle: caf\xe9\n", "line 2: the file is not UTF-8 text."),
        ("id: team".encode("utf-16"), "line 1: the file is not UTF-8 text."),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "line 1: the file is not UTF-8 text."),
        (b"PK\x03\x04\x00", "line 1: there is a control character that YAML does not allow."),
    ],
)
def test_other_kinds_of_file(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "other.yaml"
    path.write_bytes(content)
    with pytest.raises(InstrumentError) as caught:
        load_instrument(path)
    assert sentence in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InstrumentError, match=r"there is no such file"):
        load_instrument(str(tmp_path / "absent.yaml"))
    with pytest.raises(InstrumentError, match=r"this is a folder"):
        load_instrument(tmp_path)
    with pytest.raises(UnknownNameError, match=r"no instrument 'trsut'. Did you mean 'trust'\?"):
        load_instrument("trsut")


def test_a_changed_file_is_read_again_and_an_unchanged_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "team.yaml"
    path.write_text("\ufeff" + GOOD.replace("\n", "\r\n"), encoding="utf-8")
    first = load_instrument(path)
    assert load_instrument(str(path)) is first
    path.write_text(GOOD.replace("Team climate", "Team climate, second look"), encoding="utf-8")
    assert load_instrument(path).title == "Team climate, second look"


def test_a_shipped_file_reads_as_any_yaml_program_reads_it() -> None:
    text = shipped_paths()["trust"].read_text(encoding="utf-8")
    ours, theirs = parse(text).data, yaml.safe_load(text)
    assert ours == theirs


SHIPPED = {name: path.read_text(encoding="utf-8") for name, path in shipped_paths().items()}
EDITS = ("delete", "duplicate", "indent", "rename", "cut")


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_damaged_file_loads_or_is_explained(data: st.DataObject) -> None:
    lines = SHIPPED[data.draw(st.sampled_from(sorted(SHIPPED)))].splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(lines) - 1))
        edit = data.draw(st.sampled_from(EDITS))
        line = lines[place]
        if edit == "delete" and len(lines) > 1:
            del lines[place]
        elif edit == "duplicate":
            lines.insert(data.draw(st.integers(0, len(lines))), line)
        elif edit == "indent":
            lines[place] = "  " + line
        elif edit == "rename":
            junk = data.draw(st.sampled_from(["zz", "12", "[]", "{a: b}", "null", "'", "-7", ""]))
            key, colon, _ = line.partition(":")
            lines[place] = f"{key}{colon} {junk}" if colon else junk
        else:
            lines[place] = line[: data.draw(st.integers(0, len(line)))]
    try:
        read_instrument("\n".join(lines))
    except InstrumentError as error:
        assert error.faults
        assert all(one.startswith("line ") for one in error.faults)


def test_slots_are_filled_with_words() -> None:
    instrument = load_instrument("trust").filled({"partner": "Hill School"})
    texts = [text for item in instrument.items for text in (item.text or {}).values()]
    assert any("Hill School" in text for text in texts)
    assert not any("{partner}" in text for text in texts)
    with pytest.raises(UnknownNameError, match="no slot 'parter'. Did you mean 'partner'"):
        load_instrument("trust").filled({"parter": "Hill School"})
