"""Each kind of change between two versions, by one edit of a small file; then edits at random."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from collabsurvey.errors import InstrumentError, OptionError, UnknownNameError
from collabsurvey.instruments import load_instrument, read_instrument
from collabsurvey.instruments.compare import diff
from collabsurvey.instruments.compare_result import InstrumentDiff
from collabsurvey.instruments.compare_wording import judge_text
from collabsurvey.instruments.folder import shipped_paths
from collabsurvey.instruments.model import Instrument

BASE = """\
id: team
version: 1.2.3
title: Team climate
kind: own
licence: {items: CC-BY-4.0, key: CC0-1.0, redistribute_text: true, commercial: true,
          confidence: high}
instructions: {en-GB: "Please think of {partner} only.", cy-GB: "Meddyliwch am {partner}."}
constructs:
  - {id: t.safe, definition: Feeling free to speak up at work, level: [person],
     direction: higher_is_more, measurement_model: reflective}
  - {id: t.other, definition: Something else, level: [person],
     direction: higher_is_more, measurement_model: formative}
respondents: [front_line]
slots:
  partner: {type: organisation}
  own_school: {type: organisation}
response_sets:
  agree5:
    type: ordinal
    values: [1, 2, 3, 4, 5]
    labels: {en-GB: {1: Strongly disagree, 3: Neither, 5: Strongly agree}}
    missing: {-8: cannot_say, -9: skipped}
  cards: {type: nominal, values: [1, 2, 3], labels: {en-GB: {1: Apart, 2: Side by side, 3: As one}}}
  points: {type: bounded, values: [0, 100]}
  line: {type: text}
items:
  - {id: t.s.01, text: {en-GB: "We bring up problems.", cy-GB: "Codwn broblemau yn agored."},
     response: agree5, construct: t.safe, forms: [core]}
  - {id: t.s.02, text: {en-GB: "Staff at {partner} shout at us.", cy-GB: "Gwaeddant arnom."},
     response: agree5, construct: t.safe, keyed: -1, polarity: negative}
  - {id: t.s.03, text: {en-GB: "We listen carefully to {own_school}.", cy-GB: "Gwrandawn."},
     response: agree5, construct: t.safe}
  - {id: t.s.04, text: {en-GB: "People organise help for each other here.", cy-GB: "Trefnwn."},
     response: agree5, construct: t.safe}
  - {id: t.n.01, text: {en-GB: "We need their money.", cy-GB: "Angen arian."}, response: agree5}
  - {id: t.n.02, text: {en-GB: "They ask for our skills.", cy-GB: "Gofynnant."}, response: agree5}
  - {id: t.c.01, text: {en-GB: "Meetings are", cy-GB: "Cyfarfodydd"}, response: cards}
  - {id: t.c.02, text: {en-GB: "Plans are", cy-GB: "Cynlluniau"}, response: cards}
  - {id: t.p.01, text: {en-GB: "Points for working apart", cy-GB: "Pwyntiau ar wahân"},
     response: points}
  - {id: t.p.02, text: {en-GB: "Points for working as one", cy-GB: "Pwyntiau ynghyd"},
     response: points}
  - {id: t.line, text: {en-GB: "Anything else?", cy-GB: "Arall?"}, response: line, unscored: true}
retired_items: [t.s.00]
scoring:
  - {id: t.safe.mean, title: Safety, rule: mean, items: [t.s.01, t.s.02, t.s.03, t.s.04],
     min_valid: "1/2", rescale: {from: [1, 5], to: [0, 100]}}
  - {id: t.need.sum, title: Need, rule: sum, items: [t.n.01, t.n.02], min_valid: 2}
  - {id: t.our.need, title: Our need, rule: mean, items: [t.n.01]}
  - {id: t.their.need, title: Their need, rule: mean, items: [t.n.02]}
  - {id: t.need.gap, title: Gap, rule: difference, between: [t.our.need, t.their.need],
     items: [t.n.01, t.n.02]}
  - {id: t.kind, title: Kind, rule: composition, items: [t.c.01, t.c.02],
     types: {1: network, 2: coalition, 3: unitary}}
  - {id: t.points, title: Points, rule: composition, items: [t.p.01, t.p.02], total: 100,
     parts: {network: [t.p.01], unitary: [t.p.02]}}
  - {id: t.alike, title: Alike, rule: agreement, items: [t.c.01, t.c.02], felt: t.safe.mean}
  - {id: t.far, title: Far, rule: distance, items: [t.s.01, t.s.03], ideal: 3}
translations:
  - {lang: en-GB, status: source}
  - {lang: cy-GB, status: tested}
evidence:
  - id: ev1
    claim: {score: t.safe.mean, level: person, population: staff, language: en-GB, use: research}
    source_type: reliability
    study: {title: Pilot}
    instrument_version: 1.0.0
    sample: {n: 120, kind: real}
    statistic: omega
    value: 0.8
    verdict: supports
  - id: ev2
    claim: {score: t.safe.mean, level: person, population: staff, language: en-GB, use: research}
    source_type: reliability
    study: {title: Simulation}
    instrument_version: 1.0.0
    sample: {n: 9000, kind: simulated}
    statistic: omega
    value: 0.8
    verdict: supports
use: {intended: [research], not_for: [ranking]}
"""
OLD = read_instrument(BASE)


def _copy(raw: dict[str, Any]) -> dict[str, Any]:
    copied: dict[str, Any] = yaml.safe_load(yaml.safe_dump(raw, sort_keys=False))
    return copied


RAW: dict[str, Any] = yaml.safe_load(BASE)


def edited(*swaps: tuple[str, str], version: str = "1.2.3") -> Instrument:
    """The base file with texts replaced, each of which has to be in it."""
    text = BASE.replace("version: 1.2.3", f"version: {version}")
    for old, new in swaps:
        assert old in text, old
        text = text.replace(old, new)
    return read_instrument(text)


def compared(*swaps: tuple[str, str], version: str = "1.2.3") -> InstrumentDiff:
    return diff(OLD, edited(*swaps, version=version))


def verdicts(result: InstrumentDiff) -> dict[str, str]:
    """Scales that are not simply comparable."""
    return {one.scale: one.comparable for one in result.scales if one.comparable != "yes"}


def said(result: InstrumentDiff, part: str) -> bool:
    return any(part in sentence for sentence in result.changes()["sentence"])


def test_nothing_has_changed() -> None:
    result = diff(OLD, OLD)
    assert result.all_comparable
    assert (result.version.needed, result.version.verdict) == ("none", "right")
    assert result.changes().empty
    assert result.rules_broken == ()
    assert result.scale("t.safe.mean").bridge == OLD.scale("t.safe.mean").items


@pytest.mark.parametrize("name", shipped_paths())
def test_shipped_instruments_are_like_themselves(name: str) -> None:
    result = diff(name, load_instrument(name))
    assert result.all_comparable
    assert result.version.verdict == "right"
    assert result.rules_broken == ()


# Wording.


@pytest.mark.parametrize(
    ("old", "new", "degree"),
    [
        ("We listen.", "We listen.", "same"),
        ("We listen.", "we  listen", "typographic"),
        ("Front-line staff don’t wait", "Frontline staff don't wait.", "typographic"),
        ("We do not wait.", "We don't wait.", "typographic"),
        ("Staff organise programmes", "Staff organize programs", "typographic"),
        ("Good behaviour, and colour", "Good behavior and color", "typographic"),
        ("the schools' plans", "the school's plans", "typographic"),
        ("We were heard.", "We're heard.", "reworded"),
        ("Four for us", "For for us", "reworded"),
        ("Our hour", "Or hor", "another"),
        ("from 5 to 10 staff", "from 5 to 100 staff", "reworded"),
        ("We bring up problems.", "We bring up hard problems.", "reworded"),
        ("We bring up problems.", "Leaders know every family by name.", "another"),
        ("Staff are trusted with the money here.", "Staff are not trusted with the money here.",
         "another"),
        ("The aims are clear to the staff here.", "The aims are unclear to the staff here.",
         "another"),
        ("It was a useful meeting for the staff", "It was a useless meeting for the staff",
         "another"),
        ("We need their money a great deal", "They need their money a great deal", "another"),
        ("We ask and they answer", "They ask and we answer", "another"),
        ("Work at {partner} goes well for all", "Work at {own_school} goes well for all",
         "another"),
        ("We plan with parents in the room", "We plan without parents in the room", "another"),
        ("It is sent in time, without a reminder", "It is sent in time", "reworded"),
        ("Nobody at the school shouts", "No one at the school shouts", "reworded"),
    ],
)  # fmt: skip
def test_degrees_of_wording(old: str, new: str, degree: str) -> None:
    assert judge_text(old, new) == degree
    assert judge_text(new, old) == degree


def test_typography() -> None:
    result = compared(("We bring up problems.", "We bring up problems!"), version="1.2.4")
    assert result.all_comparable
    assert result.version.verdict == "right"
    (reason,) = result.scale("t.safe.mean").reasons
    assert reason == (
        "t.s.01: typography changed (en-GB): “We bring up problems.” → “We bring up problems!”."
    )


def test_spelling() -> None:
    assert compared(("People organise help", "People organize help")).all_comparable


def test_other_words() -> None:
    result = compared(("We bring up problems.", "We bring up tough problems."))
    assert verdicts(result) == {"t.safe.mean": "with care", "t.far": "with care"}
    assert result.scale("t.safe.mean").bridge == ("t.s.02", "t.s.03", "t.s.04")
    assert (result.version.needed, result.version.verdict) == ("major", "too small")
    assert result.version.expected == "2.0.0"
    row = result.changes().query("scale == 't.safe.mean'").iloc[0]
    assert (row["what"], row["item"], row["language"]) == ("text", "t.s.01", "en-GB")
    assert (row["old"], row["new"]) == ("We bring up problems.", "We bring up tough problems.")


def test_other_words_in_one_language() -> None:
    result = compared(("yn agored", "yn gyflym"))
    assert verdicts(result) == {"t.safe.mean": "with care", "t.far": "with care"}
    assert said(result, "(cy-GB)")


def test_another_question_under_an_old_id() -> None:
    result = compared(("We bring up problems.", "Leaders know families by name."))
    assert verdicts(result) == {"t.safe.mean": "no", "t.far": "no"}
    assert result.rules_broken == (
        "The id t.s.01 was kept for another question. Give the question a new id.",
    )
    assert result.version.needed == "major"


def test_texts_that_changed_places() -> None:
    result = compared(
        ("We bring up problems.", "X"), ("We listen carefully to {own_school}.",
        "We bring up problems."), ("X", "We listen carefully to {own_school}."),
    )  # fmt: skip
    assert result.scale("t.safe.mean").comparable == "no"
    assert said(result, "It was the text of t.s.01.")


def test_texts_that_differ_in_a_word_and_changed_places() -> None:
    """Each is reworded in one word of six only, but it is the question of the other item."""
    was = ("We listen carefully to {own_school}.", "We bring up problems.")
    words = ("We solve big problems at {own_school}.", "We solve small problems at {own_school}.")
    before = edited(*zip(was, words, strict=True))
    result = diff(before, edited(*zip(was, reversed(words), strict=True)))
    assert result.scale("t.safe.mean").comparable == "no"
    assert said(result, "t.s.01 is another question")
    assert said(result, "It was the text of t.s.03.")
    other = (words[0], "We solve tiny problems at {own_school}.")
    reworded = diff(before, edited(*zip(was, other, strict=True)))
    assert reworded.scale("t.safe.mean").comparable == "with care"


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("value: 0.8", "value: 0.9", "evidence"),
        ("evidence:\n", "norms:\n  - {id: n1, score: t.safe.mean, n: 100, mean: 3, sd: 1, "
         "population: staff}\nevidence:\n", "norms"),
    ],
)  # fmt: skip
def test_what_is_known_of_a_version_needs_no_new_one(old: str, new: str, part: str) -> None:
    result = compared((old, new))
    assert result.all_comparable
    assert said(result, f"under: {part}. They are about a version, so this needs no new one.")
    assert (result.version.needed, result.version.verdict) == ("none", "right")
    assert "Only what is known of this version has changed" in result.version.sentence
    assert compared((old, new), version="1.2.4").version.verdict == "larger than needed"


def test_another_use_is_a_patch() -> None:
    result = compared(("not_for: [ranking]", "not_for: [ranking, hiring]"))
    assert (result.version.needed, result.version.verdict) == ("patch", "too small")
    assert said(result, "The file says other things under: use.")


def test_order_of_questions_and_words_about_a_slot() -> None:
    raw = _copy(RAW)
    raw["items"].insert(0, raw["items"].pop(6))  # the first card before everything
    result = diff(OLD, read_instrument(yaml.safe_dump(raw, allow_unicode=True)))
    assert said(result, "The questions are asked in another order, from t.c.01 on.")
    assert result.version.needed == "patch"
    raw = _copy(RAW)
    raw["slots"]["partner"]["description"] = "the school they visit"
    result = diff(OLD, read_instrument(yaml.safe_dump(raw, allow_unicode=True)))
    assert said(result, "The slot {partner} is described otherwise: “” → “the school they visit”.")
    assert not said(result, "Notes on the items")
    raw = _copy(RAW)
    raw["items"][0]["since"] = "1.1.0"
    result = diff(OLD, read_instrument(yaml.safe_dump(raw, allow_unicode=True)))
    assert said(result, "Also changed: since of items.")


def test_slot_renamed_and_slot_swapped() -> None:
    renamed = compared(("partner", "other_school"))
    assert renamed.all_comparable
    assert said(renamed, "The slot {partner} is now called {other_school}.")
    swapped = compared(
        ("We listen carefully to {own_school}.", "We listen carefully to {partner}."),
        ("We bring up problems.", "We bring up problems {own_school}."),
    )
    assert swapped.scale("t.far").comparable == "no"
    kind = compared(("own_school: {type: organisation}", "own_school: {type: person}"))
    assert verdicts(kind) == {"t.safe.mean": "with care", "t.far": "with care"}
    assert kind.scale("t.safe.mean").bridge == ("t.s.01", "t.s.02", "t.s.04")


def test_instructions() -> None:
    result = compared(("Please think of {partner} only.", "Please think of {partner} last term."))
    assert set(verdicts(result).values()) == {"with care"}
    assert len(verdicts(result)) == len(result.scales)
    assert compared(("{partner} only.", "{partner} only")).all_comparable


# Key and answers.


def test_key_turned() -> None:
    result = compared(("keyed: -1, polarity: negative", "keyed: 1, polarity: negative"))
    assert verdicts(result) == {"t.safe.mean": "no"}
    assert result.scale("t.safe.mean").bridge == ("t.s.01", "t.s.03", "t.s.04")
    assert result.version.expected == "2.0.0"
    assert said(result, "t.s.02: the key was turned round")


def test_more_answers() -> None:
    result = compared(
        ("values: [1, 2, 3, 4, 5]", "values: [1, 2, 3, 4, 5, 6, 7]"),
        ("rescale: {from: [1, 5]", "rescale: {from: [1, 7]"),
    )
    assert {s for s, v in verdicts(result).items() if v == "no"} == {
        "t.safe.mean", "t.need.sum", "t.our.need", "t.their.need", "t.need.gap", "t.far",
    }  # fmt: skip
    assert result.scale("t.safe.mean").bridge == ()
    # Its felt agreement has changed, which is another score.
    assert result.scale("t.alike").comparable == "yes"


def test_labels() -> None:
    assert compared(("5: Strongly agree", "5: strongly agree")).all_comparable
    result = compared(("5: Strongly agree", "5: Agree fully"))
    assert result.scale("t.safe.mean").comparable == "with care"
    turned = compared(("1: Strongly disagree", "1: X"), ("5: Strongly agree",
        "5: Strongly disagree"), ("1: X", "1: Strongly agree"))  # fmt: skip
    assert turned.scale("t.safe.mean").comparable == "no"
    assert said(turned, "belong to other codes than before")
    cards = compared(("1: Apart", "1: X"), ("3: As one", "3: Apart"), ("1: X", "1: As one"))
    assert verdicts(cards) == {"t.kind": "no", "t.alike": "no"}
    fewer = compared(("3: Neither, ", ""))
    assert fewer.scale("t.safe.mean").comparable == "with care"


def test_missing_codes() -> None:
    result = compared(("-8: cannot_say", "-7: no_contact, -8: cannot_say"))
    assert result.scale("t.safe.mean").comparable == "with care"
    assert result.version.needed == "minor"
    # One sentence for all items that say the same.
    (reason,) = result.scale("t.safe.mean").reasons
    assert reason.startswith("All 4 items: now also offered: no_contact")
    assert compared(("-8: cannot_say", "-88: cannot_say")).all_comparable


def test_type_of_answers() -> None:
    result = compared(("type: ordinal", "type: bipolar"))
    assert result.scale("t.far").comparable == "no"


def test_name_of_a_response_set_does_not_matter() -> None:
    result = compared(("agree5", "agreement"))
    assert result.all_comparable
    assert result.version.needed == "patch"


# Items and scales.

ADDED = (
    ("  - {id: t.n.01,", "  - {id: t.s.05, text: {en-GB: New., cy-GB: Newydd.}, response: agree5}\n"
     "  - {id: t.n.01,"),
    ("[t.s.01, t.s.02, t.s.03, t.s.04]", "[t.s.01, t.s.02, t.s.03, t.s.04, t.s.05]"),
)  # fmt: skip
WITHOUT_04 = (
    ('  - {id: t.s.04, text: {en-GB: "People organise help for each other here.", '
     'cy-GB: "Trefnwn."},\n     response: agree5, construct: t.safe}\n', ""),
    (", t.s.04]", "]"),
)  # fmt: skip


def test_item_added() -> None:
    result = compared(*ADDED, version="1.3.0")
    assert verdicts(result) == {"t.safe.mean": "with care"}
    assert result.version.verdict == "right"
    assert result.scale("t.safe.mean").bridge == ("t.s.01", "t.s.02", "t.s.03", "t.s.04")
    assert said(result, "1 item added (t.s.05)")


def test_item_left_out() -> None:
    result = compared(*WITHOUT_04, version="1.3.0")
    assert verdicts(result) == {"t.safe.mean": "with care"}
    assert (result.version.expected, result.version.verdict) == ("2.0.0", "too small")
    assert result.rules_broken == (
        "Ids that went belong under 'retired_items', never to be used again: t.s.04.",
    )
    listed = compared(*WITHOUT_04, ("[t.s.00]", "[t.s.00, t.s.04]"))
    assert listed.rules_broken == ()


def test_too_few_items_left() -> None:
    raw = _copy(RAW)
    raw["scoring"][0]["items"] = ["t.s.01", "t.n.01", "t.n.02"]
    for item in raw["items"]:
        item["unscored"] = item["id"] in ("t.s.02", "t.s.04", "t.line")
    result = diff(OLD, read_instrument(yaml.safe_dump(raw, allow_unicode=True)))
    assert result.scale("t.safe.mean").comparable == "no"
    assert said(result, "only 1 are common")


def test_sum_over_other_items() -> None:
    result = compared(("rule: sum, items: [t.n.01, t.n.02]", "rule: sum, items: [t.n.01]"),
                      ("min_valid: 2}", "min_valid: 1}"))  # fmt: skip
    assert verdicts(result) == {"t.need.sum": "no"}


def test_same_text_under_a_new_id() -> None:
    result = compared(("t.s.03", "t.x.33"), version="1.3.0")
    assert result.all_comparable
    assert said(result, "t.s.03 is now called t.x.33; its text is the same.")
    assert result.scale("t.far").common == (("t.s.01", "t.s.01"), ("t.s.03", "t.x.33"))
    assert result.version.verdict == "right"


def test_retired_id_used_again() -> None:
    result = compared(*((a, b.replace("t.s.05", "t.s.00")) for a, b in ADDED), ("[t.s.00]", "[]"))
    assert "The id t.s.00 was retired and is used again. Give the item a new id." in (
        result.rules_broken
    )


def test_scale_renamed() -> None:
    result = compared(("t.need.sum", "t.need.total"), version="1.3.0")
    assert result.all_comparable
    assert result.scale("t.need.total").before == "t.need.sum"
    assert said(result, "t.need.sum is now called t.need.total; its items are the same.")


def test_scale_new_and_gone() -> None:
    more = "  - {id: t.more, title: More, items: [t.s.01, t.s.02]}\ntranslations:"
    result = compared(("translations:", more), version="1.3.0")
    assert verdicts(result) == {"t.more": "new"}
    assert result.version.verdict == "right"
    back = diff(edited(("translations:", more)), OLD)
    assert verdicts(back) == {"t.more": "gone"}
    assert back.version.needed == "major"


def test_another_order() -> None:
    raw = _copy(RAW)
    raw["items"][0], raw["items"][2] = raw["items"][2], raw["items"][0]
    result = diff(OLD, read_instrument(yaml.safe_dump(raw, allow_unicode=True)))
    assert result.all_comparable
    assert said(result, "asked in another order: t.s.03, t.s.02, t.s.01, t.s.04.")
    assert result.version.needed == "patch"


def test_unscored_item_touches_no_score() -> None:
    result = compared(("Anything else?", "What do leaders never hear?"))
    assert result.all_comparable
    assert result.version.needed == "minor"


def test_forms_and_constructs() -> None:
    result = compared(("forms: [core]", "forms: [core, long]"))
    assert result.scale("t.safe.mean").comparable == "with care"
    assert len(result.scale("t.safe.mean").bridge) == 4
    moved = compared(("construct: t.safe, forms", "construct: t.other, forms"))
    assert moved.scale("t.safe.mean").comparable == "with care"
    assert said(moved, "t.s.01 now belongs to the construct t.other (was t.safe).")
    assert compared(("t.safe,", "t.safety,"), ("t.safe}", "t.safety}")).all_comparable


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("Feeling free to speak up at work", "Feeling free to speak at home", "defined otherwise"),
        ("measurement_model: reflective", "measurement_model: formative", "measurement model"),
        ("direction: higher_is_more, measurement_model: reflective",
         "direction: higher_is_worse, measurement_model: reflective", "direction"),
    ],
)  # fmt: skip
def test_what_is_measured(old: str, new: str, part: str) -> None:
    result = compared((old, new))
    assert verdicts(result) == {"t.safe.mean": "with care", "t.far": "with care"}
    assert said(result, part)
    assert result.version.needed == "major"


@pytest.mark.parametrize(
    ("old", "new", "scale", "verdict", "needed"),
    [
        ('min_valid: "1/2"', 'min_valid: "3/4"', "t.safe.mean", "with care", "minor"),
        ("to: [0, 100]", "to: [0, 10]", "t.safe.mean", "with care", "minor"),
        ("title: Safety", "title: Voice", "t.safe.mean", "yes", "minor"),
        ("ideal: 3", "ideal: 4", "t.far", "no", "major"),
        ("rule: distance, items: [t.s.01, t.s.03], ideal: 3", "rule: mean, items: [t.s.01, t.s.03]",
         "t.far", "no", "major"),
        ("between: [t.our.need, t.their.need],\n     items: [t.n.01, t.n.02]",
         "between: [t.their.need, t.our.need],\n     items: [t.n.02, t.n.01]",
         "t.need.gap", "no", "major"),
        ("{1: network, 2: coalition, 3: unitary}", "{3: network, 2: coalition, 1: unitary}",
         "t.kind", "no", "major"),
        ("2: coalition", "2: federation", "t.kind", "with care", "minor"),
        ("parts: {network: [t.p.01], unitary: [t.p.02]}",
         "parts: {network: [t.p.02], unitary: [t.p.01]}", "t.points", "no", "major"),
        ("parts: {network: [t.p.01]", "parts: {net: [t.p.01]", "t.points", "with care", "minor"),
        (", felt: t.safe.mean", "", "t.alike", "with care", "minor"),
        (", felt: t.safe.mean", ", felt: t.our.need", "t.alike", "with care", "minor"),
    ],
)  # fmt: skip
def test_rules(old: str, new: str, scale: str, verdict: str, needed: str) -> None:
    result = compared((old, new))
    assert result.scale(scale).comparable == verdict
    assert result.version.needed == needed
    assert set(verdicts(result)) <= {scale}


def test_points_of_another_total() -> None:
    result = compared(("total: 100", "total: 10"), ("values: [0, 100]}", "values: [0, 10]}"))
    assert verdicts(result) == {"t.points": "no"}


def test_a_difference_rests_on_its_two_scales() -> None:
    result = compared(
        ("rule: mean, items: [t.n.01]}", 'rule: mean, items: [t.n.01], min_valid: "1/1"}')
    )
    assert verdicts(result) == {"t.our.need": "with care", "t.need.gap": "with care"}
    assert said(result, "It rests on t.our.need (with care).")


def test_texts_that_are_not_there() -> None:
    text = BASE.replace("kind: own", "kind: key_only").replace(
        "redistribute_text: true", "redistribute_text: false"
    )
    bare = read_instrument(re.sub(r' text: \{en-GB: ".*?"\},', "", text))
    result = diff(bare, bare)
    assert result.all_comparable
    assert any("Neither file holds texts" in note for note in result.notes)
    assert diff(OLD, bare).scale("t.safe.mean").comparable == "with care"


# Version, evidence, other instruments, inputs.


@pytest.mark.parametrize(
    ("version", "given", "verdict"),
    [
        ("1.2.3", "none", "too small"),
        ("1.2.4", "patch", "right"),
        ("1.3.0", "minor", "larger than needed"),
        ("2.0.0", "major", "larger than needed"),
        ("1.2.2", "back", "not judged"),
    ],
)
def test_version_numbers(version: str, given: str, verdict: str) -> None:
    result = compared(("title: Team climate", "title: Climate of the team"), version=version)
    assert (result.version.needed, result.version.expected) == ("patch", "1.2.4")
    assert (result.version.given, result.version.verdict) == (given, verdict)


def test_evidence_carries_over_within_a_major_version() -> None:
    table = compared(version="1.9.0").evidence_table().set_index("id")
    assert table["carries"].tolist() == [True, False]
    assert table.loc["ev2", "why"] == "simulated answers never count"
    table = compared(version="2.0.0").evidence_table().set_index("id")
    assert table.loc["ev1", "why"] == "made with major version 1; this is 2"
    turned = compared(("keyed: -1, polarity: negative", "keyed: 1, polarity: negative"))
    assert "raise the major version" in turned.evidence_table()["why"][0]
    assert any("1 of them for a score that has changed" in note for note in turned.notes)


def test_two_instruments() -> None:
    result = compared(("id: team", "id: crew"))
    assert not result.same_instrument
    assert result.version.verdict == "not judged"
    assert result.summary().startswith("These are two instruments, 'team' and 'crew'")
    assert not result.evidence_table()["carries"].any()


def test_inputs(tmp_path: Path) -> None:
    (tmp_path / "team.yaml").write_text(BASE, encoding="utf-8")
    assert diff(str(tmp_path / "team.yaml"), OLD).all_comparable
    with pytest.raises(UnknownNameError, match="no instrument 'trusst'"):
        diff("trust", "trusst")
    with pytest.raises(OptionError, match="after="):
        diff("trust", 3)  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="The comparison has no scale"):
        diff("trust", "trust").scale("tru")


def test_what_a_reader_is_shown() -> None:
    result = compared(
        ("keyed: -1, polarity: negative", "keyed: 1, polarity: negative"), version="1.2.4"
    )
    text = result.summary()
    assert "team 1.2.3 and team 1.2.4: which scores stay comparable" in text
    assert "t.safe.mean (no)" in text
    assert "Bridging score of 3 items: t.s.01, t.s.03, t.s.04." in text
    assert "from 1.2.3 this needs 2.0.0 (a major version), not 1.2.4." in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 100
    assert result.to_frame().shape == (9, 8)
    assert "<table" in result._repr_html_()
    assert result.chart().to_svg().startswith("<svg")


# Edits at random.

Edit = Callable[[dict[str, Any], st.DataObject], None]


def _pick(data: st.DataObject, names: Any) -> Any:
    return data.draw(st.sampled_from(list(names)))


def turn_key(raw: dict[str, Any], data: st.DataObject) -> None:
    item = _pick(data, raw["items"])
    item["keyed"] = -item.get("keyed", 1)


def change_text(raw: dict[str, Any], data: st.DataObject) -> None:
    item = _pick(data, raw["items"])
    words = st.sampled_from(["we", "they", "not", "{partner}", "help", "un-", "5", "’", ""])
    item["text"]["en-GB"] = " ".join(data.draw(st.lists(words, min_size=1, max_size=5))) + " x"


def drop_item(raw: dict[str, Any], data: st.DataObject) -> None:
    item = _pick(data, raw["items"])["id"]
    raw["items"] = [one for one in raw["items"] if one["id"] != item]
    for scale in raw["scoring"]:
        scale["items"] = [one for one in scale["items"] if one != item]
    raw["scoring"] = [one for one in raw["scoring"] if one["items"]]


def rename_item(raw: dict[str, Any], data: st.DataObject) -> None:
    item = _pick(data, raw["items"])
    old, item["id"] = item["id"], data.draw(st.sampled_from(["n.01", "n.02", "t.s.00", "z"]))
    for scale in raw["scoring"]:
        scale["items"] = [item["id"] if one == old else one for one in scale["items"]]


def swap_ids(raw: dict[str, Any], data: st.DataObject) -> None:
    one, other = _pick(data, raw["items"]), _pick(data, raw["items"])
    one["id"], other["id"] = other["id"], one["id"]


def change_answers(raw: dict[str, Any], data: st.DataObject) -> None:
    answers = _pick(data, raw["response_sets"].values())
    answers["values"] = data.draw(st.sampled_from([[1, 2], [1, 2, 3], [0, 100], [1, 2, 3, 4, 5]]))
    answers["type"] = data.draw(st.sampled_from(["ordinal", "nominal", "bounded", "bipolar"]))
    answers.pop("labels", None)


def change_rule(raw: dict[str, Any], data: st.DataObject) -> None:
    scale = _pick(data, raw["scoring"])
    scale["rule"] = data.draw(st.sampled_from(["mean", "sum", "agreement"]))
    for key in ("types", "parts", "total", "between", "ideal", "felt", "rescale"):
        scale.pop(key, None)


def move_scale_items(raw: dict[str, Any], data: st.DataObject) -> None:
    scale = _pick(data, raw["scoring"])
    scale["items"] = data.draw(
        st.lists(st.sampled_from([one["id"] for one in raw["items"]]), min_size=1, unique=True)
    )


def rename_scale(raw: dict[str, Any], data: st.DataObject) -> None:
    _pick(data, raw["scoring"])["id"] = data.draw(st.sampled_from(["s.1", "s.2", "t.kind"]))


def reorder(raw: dict[str, Any], data: st.DataObject) -> None:
    raw["items"] = data.draw(st.permutations(raw["items"]))


def new_version(raw: dict[str, Any], data: st.DataObject) -> None:
    raw["version"] = data.draw(st.sampled_from(["1.2.4", "1.3.0", "2.0.0", "0.9.0"]))


EDITS: tuple[Edit, ...] = (
    turn_key,
    change_text,
    drop_item,
    rename_item,
    swap_ids,
    change_answers,
    change_rule,
    move_scale_items,
    rename_scale,
    reorder,
    new_version,
)


def _read(raw: dict[str, Any]) -> Instrument | None:
    try:
        return read_instrument(yaml.safe_dump(raw, sort_keys=False, allow_unicode=True))
    except InstrumentError:
        return None


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_random_edits(data: st.DataObject) -> None:
    """No crash; a scale that scores an item by another key is never called comparable."""
    raw, new = _copy(RAW), OLD
    for edit in data.draw(st.lists(st.sampled_from(EDITS), min_size=1, max_size=6)):
        trial = _copy(raw)
        edit(trial, data)
        if (read := _read(trial)) is not None:  # edits that break the file are left out
            raw, new = trial, read
    for before, after in ((OLD, new), (new, OLD)):
        result = diff(before, after)
        result.summary()
        result.table().to_text()
        result.chart()
        assert len(result.to_frame()) == len(result.scales)
        assert {one.scale for one in result.scales if one.comparable != "gone"} == set(
            after.scale_ids
        )
        for one in result.scales:
            if one.comparable in ("new", "gone"):
                continue
            turned = [
                (old, now) for old, now in one.common
                if before.item(old).keyed != after.item(now).keyed
            ]  # fmt: skip
            assert not turned or one.comparable == "no"
            assert set(one.bridge) <= set(after.scale(one.scale).items)
            assert not {now for _, now in turned} & set(one.bridge)
            if before.scale(one.before).rule != after.scale(one.scale).rule:
                assert one.comparable == "no"
            if one.comparable == "yes":
                assert len(one.common) == one.n_before == one.n_after
        if result.version.needed == "none":
            assert before.model_dump(exclude={"version"}) == after.model_dump(exclude={"version"})


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([item.id for item in OLD.items if item.id.startswith(("t.s", "t.n"))]))
def test_one_turned_key_is_seen_in_every_scale(item: str) -> None:
    raw = _copy(RAW)
    raw["scoring"] = [one for one in raw["scoring"] if one["rule"] != "distance"]
    base = read_instrument(yaml.safe_dump(raw, sort_keys=False, allow_unicode=True))
    for one in raw["items"]:
        if one["id"] == item:
            one["keyed"] = -one.get("keyed", 1)
    after = read_instrument(yaml.safe_dump(raw, sort_keys=False, allow_unicode=True))
    for scale in diff(base, after).scales:
        touched = item in after.scale(scale.scale).items
        assert (scale.comparable == "no") == touched
