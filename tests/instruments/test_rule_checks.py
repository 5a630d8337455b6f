"""Scoring rules beyond the mean: what each needs, and one sentence for everything that is wrong."""

from __future__ import annotations

import pytest

from collabsurvey.errors import InstrumentError
from collabsurvey.instruments import read_instrument

GOOD = """\
id: forum
version: 1.0.0
title: Joint meetings
kind: own
licence: {items: CC-BY-4.0, key: CC0-1.0, redistribute_text: true, commercial: true,
          confidence: high}
response_sets:
  agree5: {type: ordinal, values: [1, 2, 3, 4, 5]}
  nearer7: {type: bipolar, values: [-3, -2, -1, 0, 1, 2, 3]}
  pick3: {type: nominal, values: [2, 1, 3]}
  points: {type: bounded, values: [0, 100]}
  rank2: {type: ordinal, values: [1, 2]}
  line: {type: text}
items:
  - {id: a.01, text: {en-GB: First.}, response: agree5}
  - {id: a.02, text: {en-GB: Second.}, response: agree5, keyed: -1, polarity: negative}
  - {id: b.01, text: {en-GB: Third.}, response: agree5}
  - {id: bal.01, text: {en-GB: Left or right.}, response: nearer7}
  - {id: now.01, text: {en-GB: Which now?}, response: pick3}
  - {id: now.02, text: {en-GB: Which then?}, response: pick3}
  - {id: want.01, text: {en-GB: Which wanted?}, response: pick3}
  - {id: pts.01, text: {en-GB: Points for one.}, response: points}
  - {id: pts.02, text: {en-GB: Points for other.}, response: points}
  - {id: rank.01, text: {en-GB: Rank of one.}, response: rank2}
  - {id: rank.02, text: {en-GB: Rank of other.}, response: rank2}
  - {id: line.01, text: {en-GB: In your words?}, response: line, unscored: true}
scoring:
  - {id: a, title: A, items: [a.01, a.02], parts: {one: [a.01], other: [a.02]}}
  - {id: b, title: B, items: [b.01]}
  - {id: gap, title: Gap, rule: difference, between: [a, b], items: [a.01, a.02, b.01]}
  - {id: off, title: Off, rule: distance, ideal: 0, items: [bal.01]}
  - {id: now, title: Now, rule: composition, types: {1: x, 2: y, 3: z}, items: [now.01, now.02]}
  - {id: want, title: Wanted, rule: composition, types: {1: x, 2: y, 3: z}, items: [want.01]}
  - {id: shift, title: Shift, rule: distance, between: [now, want],
     items: [now.01, now.02, want.01]}
  - {id: pts, title: Points, rule: composition, parts: {x: [pts.01], y: [pts.02]}, total: 100,
     items: [pts.01, pts.02]}
  - {id: ranks, title: Ranks, rule: agreement, felt: a, items: [rank.01, rank.02]}
"""


def faults(text: str) -> tuple[str, ...]:
    with pytest.raises(InstrumentError) as caught:
        read_instrument(text, source="forum.yaml")
    return caught.value.faults


def test_the_good_file_loads() -> None:
    forum = read_instrument(GOOD)
    assert forum.scale("now").part_names == ("x", "y", "z")
    assert forum.scale("pts").part_names == ("x", "y")
    assert forum.scale("a").part_names == ("one", "other")
    assert forum.response_sets["line"].values == ()


# name → (what is written, what it becomes, part of the sentence)
CASES: dict[str, tuple[str, str, str]] = {
    "types of a mean": ("items: [b.01]}", "items: [b.01], types: {1: x, 2: y}}", "has 'types'"),
    "ideal of a mean": ("items: [b.01]}", "items: [b.01], ideal: 3}", "has 'ideal'"),
    "rescaled composition": (
        "items: [want.01]}",
        "items: [want.01], rescale: {from: [0, 1], to: [0, 100]}}",
        "has 'rescale', which the rule 'composition' cannot use",
    ),
    "composition of nothing": (
        ", types: {1: x, 2: y, 3: z}, items: [want.01]}",
        ", items: [want.01]}",
        "needs either 'types'",
    ),
    "a type named twice": (
        "types: {1: x, 2: y, 3: z}, items: [want.01]",
        "types: {1: x, 2: x, 3: z}, items: [want.01]",
        "should name two or more, each once",
    ),
    "types that are no answers": (
        "types: {1: x, 2: y, 3: z}, items: [want.01]",
        "types: {1: x, 2: y, 4: z}, items: [want.01]",
        "should be nominal and have just these",
    ),
    "points without a total": ("total: 100,", "", "lacks 'total', such as 100"),
    "points that run to another total": ("total: 100,", "total: 10,", "bounded, 0 to 10"),
    "no total at all": ("total: 100,", "total: -5,", "'total' should be above 0"),
    "parts of unequal length": (
        "parts: {x: [pts.01], y: [pts.02]}",
        "parts: {x: [pts.01, pts.02], y: []}",
        "equally many items",
    ),
    "an item in no part": (
        "parts: {x: [pts.01], y: [pts.02]}",
        "parts: {x: [pts.01], y: [pts.01]}",
        "each once",
    ),
    "pieces that miss an item": (
        "parts: {one: [a.01], other: [a.02]}",
        "parts: {one: [a.01]}",
        "the items under 'parts' should be those under 'items'",
    ),
    "distance from nowhere": (
        ", ideal: 0, items: [bal.01]",
        ", items: [bal.01]",
        "needs either 'ideal' (an answer) or 'between'",
    ),
    "an ideal out of reach": ("ideal: 0,", "ideal: 5,", "5 is no place between the answers"),
    "distance between means": (
        "between: [now, want]",
        "between: [a, b]",
        "a distance is between two compositions",
    ),
    "distance between unlike compositions": (
        "between: [now, want],\n     items: [now.01, now.02, want.01]",
        "between: [now, pts],\n     items: [now.01, now.02, pts.01, pts.02]",
        "have different types",
    ),
    "difference of nothing": (", between: [a, b]", "", "lacks 'between', the two scales"),
    "difference from a stranger": ("between: [a, b]", "between: [a, bb]", "names the scale 'bb'"),
    "difference from itself": (
        "between: [a, b], items: [a.01, a.02, b.01]",
        "between: [a, a], items: [a.01, a.02, b.01]",
        "two other scales",
    ),
    "difference of kinds": (
        "between: [a, b], items: [a.01, a.02, b.01]",
        "between: [now, want],\n     items: [now.01, now.02, want.01]",
        "between two means or between two sums",
    ),
    "items of a difference in another order": (
        "items: [a.01, a.02, b.01]",
        "items: [b.01, a.01, a.02]",
        "'items' should be those of 'a', then those of 'b'",
    ),
    "felt agreement that is none": ("felt: a,", "felt: now,", "should be a mean"),
    "felt agreement from a stranger": ("felt: a,", "felt: nobody,", "names the scale 'nobody'"),
    "ranks that are none": (
        "rank2: {type: ordinal, values: [1, 2]}",
        "rank2: {type: ordinal, values: [1, 2, 3]}",
        "ranks from 1 to 2",
    ),
    "a reversed pick": (
        "Which wanted?}, response: pick3}",
        "Which wanted?}, response: pick3, keyed: -1}",
        "turns no item round",
    ),
    "a scored line": ("response: line, unscored: true}", "response: line}", "free text"),
    "a line with values": (
        "line: {type: text}",
        "line: {type: text, values: [1, 2]}",
        "so it has no 'values'",
    ),
    "answers without values": (
        "agree5: {type: ordinal, values: [1, 2, 3, 4, 5]}",
        "agree5: {type: ordinal}",
        "a list of at least 2 answers",
    ),
    "a reversed item without its key": (
        "keyed: -1, polarity: negative",
        "polarity: negative",
        "lacks 'keyed'",
    ),
    "a mean of picks": ("title: B, items: [b.01]", "title: B, items: [now.01]", "are nominal"),
    "local wording in a file": (
        "kind: own",
        "kind: own\ntexts_are_local: true",
        "unknown key 'texts_are_local'",
    ),
    "local labels in a file": (
        "line: {type: text}",
        "line: {type: text, labels_are_local: true}",
        "unknown key 'labels_are_local'",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_fault_has_its_sentence(name: str) -> None:
    before, after, sentence = CASES[name]
    assert before in GOOD
    found = faults(GOOD.replace(before, after, 1))
    assert any(sentence in fault for fault in found), found
    assert all(fault.startswith("line ") for fault in found)


def test_difference_over_unequal_ranges() -> None:
    text = GOOD.replace("title: B, items: [b.01]", "title: B, items: [bal.01]").replace(
        "between: [a, b], items: [a.01, a.02, b.01]", "between: [a, b], items: [a.01, a.02, bal.01]"
    )
    assert any("have different ranges" in fault for fault in faults(text))


def test_simulated_data_offered_for_a_status_are_named() -> None:
    record = """\
status: piloted
evidence:
  - id: ev-1
    claim: {score: a, level: person, population: staff, language: en-GB, use: research}
    source_type: reliability
    study: {title: A draw}
    instrument_version: 1.0.0
    sample: {n: 500, kind: simulated}
    statistic: omega
    value: 0.9
    ci: [0.88, 0.92]
    verdict: supports
"""
    found = faults(GOOD + record)
    assert len(found) == 1
    assert "Simulated data (ev-1) prove code and never move a status" in found[0]
    assert read_instrument(GOOD + record.replace("piloted", "draft")).status == "draft"
