"""Instrument files: what is shipped, what is refused, and how evidence moves a status."""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Callable
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

import collabsurvey as cs
from collabsurvey import cli
from collabsurvey.errors import (
    AnswersError,
    CollabSurveyError,
    DataError,
    FaultsError,
    InstrumentError,
    NotEnoughDataError,
    OptionError,
    OutputError,
    UnknownNameError,
)
from collabsurvey.instruments import Instrument

FOLDER = Path(__file__).parents[2] / "instruments"
KEYS = ("omnibus_t", "ocai", "vichealth_partnerships", "levels_of_collaboration", "oric")
LADDER = ("draft", "content_reviewed", "piloted", "structure_supported", "validated_for")

# Items and reversed items of each sub-dimension.
COUNTS = {
    "rat.benefit": (5, 1),
    "rat.honest": (5, 2),
    "rat.fit": (5, 2),
    "rat.need.ours": (3, 0),
    "rat.need.theirs": (3, 0),
    "cap.willing": (6, 2),
    "cap.means": (6, 2),
    "cap.realism": (5, 2),
    "cul.gap": (5, 2),
    "cul.openness": (5, 2),
    "cul.help": (5, 2),
    "cul.flexibility": (3, 0),
    "cul.outward": (3, 0),
    "cul.plurality": (3, 0),
    "rol.fixedness": (6, 2),
    "rol.challenge": (5, 1),
    "rol.confidence": (6, 0),
    "rol.progress": (5, 2),
    "rol.school": (4, 0),
    "rol.partnership": (4, 0),
    "pur.shared": (5, 2),
    "pur.breadth": (5, 2),
    "pur.buyin": (5, 1),
    "pur.goals": (5, 2),
    "tru.expect": (6, 0),
    "tru.economise.contracts": (4, 1),
    "tru.economise.mandate": (4, 1),
    "tru.economise.incentives": (4, 1),
    "tru.invest.promises": (6, 2),
    "tru.invest.frontline": (5, 1),
    "tru.invest.leaders": (5, 1),
    "tru.invest.people": (4, 1),
    "tru.invest.risk": (5, 1),
    "own.reticulist": (6, 0),
    "own.recognition": (5, 2),
    "own.authority": (5, 2),
    "own.engagement": (5, 2),
    "own.convenor": (6, 2),
    "inc.milestones": (4, 1),
    "inc.wins": (4, 1),
    "inc.patience": (5, 2),
    "inc.thread": (4, 1),
    "ctx.now": (6, 0),
    "ctx.wanted": (6, 0),
    "ctx.like.network": (1, 0),
    "ctx.like.coalition": (1, 0),
    "ctx.like.unitary": (1, 0),
    "inf.inertia": (6, 2),
    "inf.fatigue": (6, 2),
    "inf.limbo": (5, 2),
    "aut.clarity": (5, 2),
    "aut.freedom": (5, 2),
    "aut.tension": (4, 1),
    "aut.balance": (3, 0),
    "rte.route": (6, 0),
    "rte.market": (4, 1),
    "rte.hierarchy": (4, 1),
    "rte.network": (4, 1),
    "ldr.attends": (4, 1),
    "ldr.tolerates": (3, 1),
    "ldr.aware": (4, 1),
    "ldr.attends.self": (4, 1),
    "ldr.tolerates.self": (3, 1),
    "ldr.aware.self": (4, 1),
    "cnf.normal": (4, 2),
    "cnf.handling": (5, 2),
    "cnf.task": (3, 0),
    "cnf.relationship": (3, 0),
    "cnf.process": (3, 0),
    "mng.cards": (5, 0),
    "mng.rank": (5, 0),
    "mng.felt": (4, 1),
    "cyn.change": (6, 2),
}
CORE = {
    "rat": 3, "cap": 4, "cul": 4, "rol": 4, "pur": 3, "tru": 8, "own": 3, "inc": 2, "ctx": 1,
    "inf": 3, "aut": 2, "ldr": 1, "cnf": 1, "mng": 1,
}  # fmt: skip


def own_instruments() -> list[Instrument]:
    table = cs.list_instruments()
    ids = table.loc[table["kind"] == "own", "id"]
    return [cs.load_instrument(one) for one in ids]


def text_of(name: str) -> str:
    key = FOLDER / "keys" / f"{name}.yaml"
    path = key if key.exists() else FOLDER / f"{name}.yaml"
    return path.read_text(encoding="utf-8")


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str], Instrument]:
    """Load the text of an instrument file."""
    made = iter(range(10**6))

    def run(text: str) -> Instrument:
        path = tmp_path / f"file_{next(made)}.yaml"
        path.write_text(text, encoding="utf-8")
        return cs.load_instrument(path)

    return run


def changed(text: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


# What is shipped -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shipped() -> dict[str, tuple[Instrument, Any]]:
    """Every scale of our own instruments but those of the core form, by id."""
    return {
        scale.id: (one, scale)
        for one in own_instruments()
        if one.id != "core"
        for scale in one.scoring
    }


@pytest.mark.parametrize("scale", COUNTS)
def test_items_and_reversals_of_each_sub_dimension(scale: str, shipped: Any) -> None:
    instrument, _ = shipped[scale]
    keys = instrument.keys_of(instrument.items_of(scale))
    assert (len(keys), list(keys).count(-1)) == COUNTS[scale]


def test_rules_of_the_scales_that_are_no_means(shipped: Any) -> None:
    rules = {scale: found.rule for scale, (_, found) in shipped.items() if found.rule != "mean"}
    assert rules == {
        "ctx.now": "composition",
        "ctx.wanted": "composition",
        "ctx.points.now": "composition",
        "ctx.points.wanted": "composition",
        "rte.route": "composition",
        "ctx.shift": "distance",
        "ctx.points.shift": "distance",
        "aut.imbalance": "distance",
        "rat.asymmetry": "difference",
        "mng.cards": "agreement",
        "mng.rank": "agreement",
    }


def test_trust_has_two_separate_scores_of_economising_and_investing(shipped: Any) -> None:
    assert len(shipped["tru.economise"][1].items) == 12
    assert len(shipped["tru.invest"][1].items) == 25
    assert not {"tru", "trust"} & set(shipped)


def test_names_of_people_who_link_schools() -> None:
    """Five places for names, never scored."""
    instrument = cs.load_instrument("shared_ownership")
    unscored = [item for item in instrument.items if item.unscored]
    assert len(unscored) == 5


def test_the_core_form_has_forty_items_of_the_full_ones(shipped: Any) -> None:
    core = cs.load_instrument("core")
    assert len(core.items) == 40
    counts = dict.fromkeys(CORE, 0)
    for item in core.items:
        counts[item.id.split(".")[0]] += 1
    assert counts == CORE
    originals = {item.id: item for one, _ in shipped.values() for item in one.items}
    for item in core.items:
        assert item.text == originals[item.id].text
        assert (item.keyed, item.polarity) == (
            originals[item.id].keyed,
            originals[item.id].polarity,
        )


def test_core_components_of_fewer_than_three_items_are_single_indicators() -> None:
    core = cs.load_instrument("core")
    assert all(len(scale.items) == 1 or len(scale.items) >= 3 for scale in core.scoring)


@pytest.mark.parametrize("name", cs.list_instruments()["id"])
def test_every_item_is_scored_once_known_and_apart_from_no_answer(name: str) -> None:
    instrument = cs.load_instrument(name)
    assert problems(instrument) == []
    for item in instrument.items:
        options = instrument.response_sets[item.response]
        if options.type != "text":
            meanings = set(options.missing.values())
            assert "cannot_say" in meanings
            assert not set(options.missing) & set(options.values)


@pytest.mark.parametrize("instrument", own_instruments(), ids=lambda one: one.id)
def test_our_items_are_short_and_say_whom_they_are_about(instrument: Instrument) -> None:
    for item in instrument.items:
        assert item.text is not None
        words = re.sub(r"\{\w+\}", "word", item.text["en-GB"]).split()
        assert len(words) <= 20, item.text["en-GB"]
        assert set(re.findall(r"\{(\w+)\}", item.text["en-GB"])) <= set(instrument.slots)
    for slot in instrument.slots.values():
        assert slot.description


@pytest.mark.parametrize("instrument", own_instruments(), ids=lambda one: one.id)
def test_reversals_are_not_made_with_not(instrument: Instrument) -> None:
    for item in instrument.items:
        if item.keyed == -1:
            assert item.text is not None
            assert not re.search(r"\b(not|never|no longer)\b|n't\b", item.text["en-GB"], re.I)


@pytest.mark.parametrize("instrument", own_instruments(), ids=lambda one: one.id)
def test_our_instruments_say_what_they_are_not_for(instrument: Instrument) -> None:
    assert instrument.status == "draft"
    assert not instrument.evidence
    assert instrument.use.intended
    assert any("ranking" in one for one in instrument.use.not_for)
    page = FOLDER / "pages" / f"{instrument.id}.md"
    assert page.exists()
    assert all(scale in page.read_text(encoding="utf-8") for scale in instrument.scale_ids)


def test_scales_where_high_is_worse_say_so() -> None:
    for name in ("inertia_fatigue", "cynicism"):
        instrument = cs.load_instrument(name)
        assert {c.direction for c in instrument.constructs} == {"higher_is_worse"}


# Hypotheses and the catalogue ----------------------------------------------------------------


def test_sixteen_hypotheses_about_scales_that_exist(shipped: Any) -> None:
    table = cs.instruments.hypotheses()
    assert table["id"].tolist() == [f"H{k}" for k in range(1, 17)]
    for about in table["about"]:
        for name in about.split(", "):
            assert any(scale == name or scale.startswith(name + ".") for scale in shipped), name
    touched = cs.instruments.hypotheses(cs.load_instrument("shared_meaning"))["id"].tolist()
    assert touched == ["H13"]
    trust = cs.instruments.hypotheses(cs.load_instrument("trust"))["id"].tolist()
    assert {"H1", "H2", "H3", "H4", "H7", "H11", "H14", "H16"} <= set(trust)


PUBLISHED = [
    "Omnibus", "trust scales of the Chicago", "trustworthiness", "Trust Inventory",
    "Interorganizational and interpersonal", "governance networks", "Rotter",
    "Organizational identification", "Salience", "semantic differential", "Role Breadth",
    "Role conflict", "RIPLS", "PINCOM", "Boundary spanners", "School Culture Survey", "OCAI",
    "OCI", "Collaborative Capacity", "Thomson", "Wilder", "Partnership Self-Assessment",
    "Partnership Assessment Tool", "VicHealth", "Interagency Collaboration Activities",
    "Levels of Collaboration", "AITCS", "IPC", "Implementing Change", "IITC", "coalitions",
    "AACT", "PLCA-R", "TALIS", "Collective Efficacy", "Cynicism about", "Change-specific",
    "Relational Proximity",
]  # fmt: skip


@pytest.mark.parametrize("title", PUBLISHED)
def test_every_published_instrument_is_in_the_catalogue(title: str) -> None:
    table = cs.catalogue()
    assert table["title"].str.contains(title, case=False, regex=False).sum() >= 1


def test_the_catalogue_says_what_is_needed() -> None:
    table = cs.catalogue()
    assert table["id"].is_unique
    for column in ("measures", "answered_by", "owner", "licence_status", "needed", "citation"):
        assert table[column].astype(str).str.strip().ne("").all()
        assert table[column].notna().all()
    assert set(table.loc[table["key_here"], "key"]) == set(KEYS)
    assert table.loc[~table["key_here"], "key"].isna().all()
    commercial = set(table.loc[table["licence_status"] == "commercial", "id"])
    assert {"organizational_culture_inventory", "relational_proximity"} <= commercial


@pytest.mark.parametrize("name", cs.catalogue()["id"])
def test_every_entry_of_the_catalogue_has_a_page(name: str) -> None:
    entry = cs.instruments.catalogue_entry(name)
    page = entry.summary()
    assert entry.title in page
    assert entry.needed.split()[0] in page
    assert (entry.key is None) or cs.load_instrument(entry.key).kind == "key_only"


def test_numbers_of_the_catalogue_that_were_checked() -> None:
    counts = cs.catalogue().set_index("id")["n_items"]
    known = {
        "omnibus_t": 26, "psat": 67, "vichealth_partnerships": 35, "pincom_q": 48, "ripls": 19,
        "iacs": 12, "oric": 12, "ipc_scale": 13, "iitc_esmh": 26, "plca_r": 52,
        "mael_ashforth": 6,
    }  # fmt: skip
    assert {name: counts[name] for name in known} == known


def test_an_unknown_entry_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="omnibus_t"):
        cs.instruments.catalogue_entry("omnibus")


@pytest.mark.parametrize("name", KEYS)
def test_keys_hold_no_sentence(name: str) -> None:
    instrument = cs.load_instrument(name)
    assert instrument.kind == "key_only"
    assert not instrument.licence.redistribute_text
    assert all(not item.text for item in instrument.items)
    numbers = [item.source_item for item in instrument.items]
    assert None not in numbers
    assert len(set(numbers)) == len(numbers)


# Wording of a licensed user ------------------------------------------------------------------

WORDING = """\
instrument: omnibus_t
source: letter of the owner
items:
  omt.01: {en-GB: "First words of our own"}
  omt.04: {en-GB: "Fourth words of our own"}
"""


def wording(folder: Path, text: str = WORDING) -> Path:
    texts = folder / "texts"
    texts.mkdir(exist_ok=True)
    (texts / "omnibus_t.yaml").write_text(text, encoding="utf-8")
    return texts


def test_local_wording_stays_in_memory(tmp_path: Path) -> None:
    texts = wording(tmp_path)
    with_words = cs.load_instrument("omnibus_t", texts=texts)
    assert with_words.texts_are_local
    assert with_words.item("omt.01").text == {"en-GB": "First words of our own"}
    assert not with_words.item("omt.02").text
    assert with_words.item("omt.04").keyed == -1
    plain = cs.load_instrument("omnibus_t")
    assert not plain.texts_are_local
    assert not plain.item("omt.01").text
    again = cs.instruments.with_texts(plain, texts)
    assert again.item("omt.04").text == {"en-GB": "Fourth words of our own"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("instrument: omnibus_t", "instrument: ocai"),
        ("omt.04", "omt.99"),
        ('"First words of our own"', '""'),
        ("source: letter of the owner\n", ""),
        ("items:", "items: ["),
        ("source:", "version: 9.9.9\nsource:"),
    ],
)
def test_local_wording_with_faults(old: str, new: str, tmp_path: Path) -> None:
    with pytest.raises(InstrumentError, match=r"line|fault"):
        cs.load_instrument("omnibus_t", texts=wording(tmp_path, changed(WORDING, (old, new))))


def test_our_own_items_are_not_reworded(tmp_path: Path) -> None:
    path = tmp_path / "cynicism.yaml"
    path.write_text(
        "instrument: cynicism\nsource: me\nitems:\n  cyn.change.01: {en-GB: Other}\n", "utf-8"
    )
    with pytest.raises(InstrumentError, match=r"cyn\.change\.01"):
        cs.instruments.with_texts(cs.load_instrument("cynicism"), path)


# Faults of a file ----------------------------------------------------------------------------

NORM = "norms:\n  - {id: n1, score: cyn.change, n: 100, mean: 3, sd: 1, population: teachers}"
RECORD = """\
  - id: ev-1
    claim: {score: cyn.change, level: person, population: uk, language: en-GB, use: research}
    source_type: content
    study: {title: x}
    instrument_version: 1.0.0
    sample: {n: 8, kind: real}
    statistic: S-CVI/Ave
    value: 0.95
    verdict: supports
"""
INTERVIEWS = changed(
    RECORD,
    ("ev-1", "ev-2"),
    ("source_type: content", "source_type: response_process"),
    ("S-CVI/Ave\n    value: 0.95", "cognitive interviews"),
)
REVIEWED = (
    ("status: draft", "status: content_reviewed"),
    ("evidence: []\n", "evidence:\n" + RECORD + INTERVIEWS),
)
NEW_ITEM = """\
  - id: cyn.change.07
    text: {en-GB: "Change tires me."}
    response: agree5
    construct: cyn.change
    keyed: 1
    polarity: negative

scoring:"""

FAULTS: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "an item in no scale": ("cynicism", [("\nscoring:", "\n" + NEW_ITEM)]),
    "an unscored item in a scale": ("cynicism", [("    keyed: 1\n", "    unscored: true\n")]),
    "keyed 0": ("cynicism", [("    keyed: 1\n", "    keyed: 0\n")]),
    "keyed as text": ("cynicism", [("    keyed: -1\n", "    keyed: '-1'\n")]),
    "a negative item without key": ("cynicism", [("    keyed: 1\n", "")]),
    "a reversed item without key": ("cynicism", [("    keyed: -1\n", "")]),
    "a reversed item of a published key without key": ("omnibus_t", [("keyed: -1, ", "")]),
    "a text in a key": ("omnibus_t", [("keyed: 1,", "text: {en-GB: Words}, keyed: 1,")]),
    "texts that may not be passed on": (
        "cynicism",
        [("redistribute_text: true", "redistribute_text: false")],
    ),
    "texts of a key": ("cynicism", [("kind: own", "kind: key_only")]),
    "an own item without text": (
        "cynicism",
        [('    text: {en-GB: "Leaders here learn from changes that go badly."}\n', "")],
    ),
    "a norm without n": ("cynicism", [("norms: []", NORM.replace(" n: 100,", ""))]),
    "a norm of nobody": ("cynicism", [("norms: []", NORM.replace("n: 100", "n: 0"))]),
    "a norm of true people": ("cynicism", [("norms: []", NORM.replace("n: 100", "n: true"))]),
    "a norm without population": (
        "cynicism",
        [("norms: []", NORM.replace(", population: teachers", ""))],
    ),
    "a norm of another scale": (
        "cynicism",
        [("norms: []", NORM.replace("score: cyn.change", "score: cyn"))],
    ),
    **{
        f"status {status} without evidence": ("cynicism", [("status: draft", f"status: {status}")])
        for status in LADDER[1:]
    },
    "status below its evidence": ("cynicism", [REVIEWED[1]]),
    "status from simulated answers": (
        "cynicism",
        [*REVIEWED, *[("kind: real", "kind: simulated")] * 2],
    ),
    "status from a simulated population": (
        "cynicism",
        [*REVIEWED, *[("population: uk", "population: simulated")] * 2],
    ),
    "status from five raters": ("cynicism", [*REVIEWED, ("n: 8", "n: 5")]),
    "status from an index below its bar": ("cynicism", [*REVIEWED, ("value: 0.95", "value: 0.5")]),
    "status from an index above 1": ("cynicism", [*REVIEWED, ("value: 0.95", "value: 7")]),
    "status from evidence against": (
        "cynicism",
        [*REVIEWED, ("verdict: supports", "verdict: against")],
    ),
    "status from another major version": (
        "cynicism",
        [*REVIEWED, ("instrument_version: 1.0.0", "instrument_version: 0.9.0")],
    ),
    "evidence of a version yet to come": (
        "cynicism",
        [*REVIEWED, *[("instrument_version: 1.0.0", "instrument_version: 1.9.0")] * 2],
    ),
    "evidence in a language it is not written in": (
        "cynicism",
        [*REVIEWED, *[("language: en-GB, use", "language: cy-GB, use")] * 2],
    ),
    "evidence of an unknown scale": (
        "cynicism",
        [("evidence: []\n", "evidence:\n" + RECORD.replace("cyn.change", "cyn.chance"))],
    ),
    "evidence with one id twice": (
        "cynicism",
        [("evidence: []\n", "evidence:\n" + RECORD + RECORD)],
    ),
    "an interval beside its estimate": (
        "cynicism",
        [*REVIEWED, ("value: 0.95", "value: 0.95\n    ci: [0.10, 0.20]")],
    ),
    "an item id twice": ("cynicism", [("id: cyn.change.02", "id: cyn.change.01")]),
    "a retired id in use": (
        "cynicism",
        [("\nscoring:", "\nretired_items: [cyn.change.01]\nscoring:")],
    ),
    "a scale id twice": (
        "shared_meaning",
        [("  - id: mng.rank\n    title", "  - id: mng.cards\n    title")],
    ),
    "an item twice in a scale": (
        "cynicism",
        [("        cyn.change.01, cyn", "        cyn.change.01, cyn.change.01, cyn")],
    ),
    "one published item twice": ("omnibus_t", [("source_item: 2}", "source_item: 1}")]),
    "an undeclared slot": ("cynicism", [("at {own_school} to", "at {partner} to")]),
    "an unclosed slot": ("cynicism", [("at {own_school} to", "at {own_school to")]),
    "an unknown response set": ("cynicism", [("response: agree5", "response: agree7")]),
    "an unknown construct": ("cynicism", [("    construct: cyn.change", "    construct: cyn.x")]),
    "more items needed than there are": ("cynicism", [('min_valid: "2/3"', "min_valid: 7")]),
    "a share above one": ("cynicism", [('min_valid: "2/3"', 'min_valid: "3/2"')]),
    "rescaled to one number": ("cynicism", [("to: [0, 100]", "to: [0, 0]")]),
    "turned round by rescaling": ("cynicism", [("to: [0, 100]", "to: [100, 0]")]),
    "rescaled from other answers": ("cynicism", [("from: [1, 5]", "from: [0, 5]")]),
    "an answer that is a missing code": ("cynicism", [("missing: {-7: no", "missing: {5: no")]),
    "two answers with one label": ("cynicism", [("4: Agree\n", "4: Disagree\n")]),
    "a label of no answer": ("cynicism", [("        5: Strongly", "        6: Strongly")]),
    "two cards with one wording": (
        "relational_context",
        [
            (
                "1: They get in touch whenever something useful comes up",
                "1: They meet on set dates to plan joint work",
            )
        ],
    ),
    "a card without wording": (
        "relational_context",
        [("        1: They get in touch whenever something useful comes up\n", "")],
    ),
    "a card with empty wording": (
        "relational_context",
        [("1: They get in touch whenever something useful comes up", '1: ""')],
    ),
    "labels in no language": (
        "relational_context",
        [("      en-GB:\n        1: They get", '      "??":\n        1: They get')],
    ),
    "an unknown schema": ("cynicism", [('schema_version: "1.0"', 'schema_version: "7.0"')]),
    "a version that is none": ("cynicism", [("version: 1.0.0\n", "version: one\n")]),
    "an id with a path": ("cynicism", [("id: cynicism", "id: ../cynicism")]),
    "publishing single people": ("cynicism", [("min_n: 10", "min_n: 1")]),
    "an unknown rule": ("cynicism", [("rule: mean", "rule: median")]),
    "no licence": ("cynicism", [("items: CC-BY-4.0", "items: ''")]),
    "its own successor": (
        "cynicism",
        [("status: draft", "status: draft\nsuperseded_by: cynicism")],
    ),
    "a mean of cards": ("shared_meaning", [("rule: agreement\n    felt: mng.felt", "rule: mean")]),
    "a mean of ranks": (
        "shared_meaning",
        [("rule: agreement\n    items: [mng.rank", "rule: mean\n    items: [mng.rank")],
    ),
    "a felt score that is a ranking": ("shared_meaning", [("felt: mng.felt", "felt: mng.rank")]),
    "free text in a scale": ("shared_meaning", [("    unscored: true\n", "")]),
    "a card without a type": (
        "relational_context",
        [("types: {1: network, 2: coalition, 3: unitary}", "types: {1: network, 2: coalition}")],
    ),
    "two types of one name": (
        "relational_context",
        [("types: {1: network, 2: coalition,", "types: {1: network, 2: network,")],
    ),
    "points without total": ("relational_context", [("    total: 100\n", "")]),
    "points of another total": ("relational_context", [("total: 100", "total: 50")]),
    "points of an item left out": (
        "relational_context",
        [("unitary: [ctx.points.now.03]", "unitary: [ctx.points.now.02]")],
    ),
    "a distance to itself": (
        "relational_context",
        [("between: [ctx.now, ctx.wanted]", "between: [ctx.now, ctx.now]")],
    ),
    "a distance of picks and points": (
        "relational_context",
        [("between: [ctx.now, ctx.wanted]", "between: [ctx.now, ctx.points.wanted]")],
    ),
    "a reversed triad": (
        "relational_context",
        [("    construct: ctx.now\n", "    construct: ctx.now\n    keyed: -1\n")],
    ),
    "reversed points": (
        "relational_context",
        [("    construct: ctx.points.now\n", "    construct: ctx.points.now\n    keyed: -1\n")],
    ),
    "an ideal outside the answers": ("autonomy_accountability", [("ideal: 0", "ideal: 9")]),
    "a distance from nothing": ("autonomy_accountability", [("    ideal: 0\n", "")]),
    "a difference of nothing": (
        "resource_dependence",
        [("    between: [rat.need.theirs, rat.need.ours]\n", "")],
    ),
    "an anchor": ("cynicism", [("title: Cynicism", "title: &a Cynicism")]),
    "a tag": ("cynicism", [("title: Cynicism", "title: !!python/name:os.system Cynicism")]),
    "an unknown key": ("cynicism", [("title: Cynicism", "tilte: x\ntitle: Cynicism")]),
    "a key twice": ("cynicism", [("title: Cynicism", "title: x\ntitle: Cynicism")]),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_no_file_with_a_fault_is_accepted(fault: str, load: Any) -> None:
    name, changes = FAULTS[fault]
    with pytest.raises(InstrumentError) as caught:
        load(changed(text_of(name), *changes))
    assert re.search(r"line \d+", str(caught.value))


@pytest.mark.parametrize(
    "changes", [(), REVIEWED, (("norms: []", NORM),), (("status: draft", "status: retired"),)]
)
def test_the_same_files_without_the_fault_are_accepted(changes: Any, load: Any) -> None:
    assert problems(load(changed(text_of("cynicism"), *changes))) == []


def test_all_faults_come_at_once(load: Any) -> None:
    with pytest.raises(InstrumentError) as caught:
        load(
            changed(
                text_of("cynicism"),
                ("keyed: -1\n", "keyed: 3\n"),
                ("response: agree5", "response: agree7"),
                ("norms: []", NORM.replace(" n: 100,", "")),
                ("status: draft", "status: piloted"),
            )
        )
    said = str(caught.value)
    assert "keyed" in said
    assert "agree7" in said


def problems(instrument: Instrument) -> list[str]:
    """What must hold in every instrument that loads."""
    ids, scales = [item.id for item in instrument.items], instrument.scale_ids
    supported = cs.instruments.computed_status(instrument)
    checks = {
        "an item id twice": len(set(ids)) < len(ids),
        "a retired id in use": bool(set(ids) & set(instrument.retired_items)),
        "a scale id twice": len(set(scales)) < len(scales),
        "a missing code that is an answer": any(
            set(options.values) & set(options.missing)
            for options in instrument.response_sets.values()
        ),
        f"status {instrument.status}, but {supported}": instrument.status != supported,
        "a norm of nobody": any(norm.n < 1 for norm in instrument.norms),
        "a norm of no scale": any(norm.score not in scales for norm in instrument.norms),
        "a status from simulated answers": supported not in ("draft", "retired")
        and all(record.sample.kind == "simulated" for record in instrument.evidence),
    }
    found = [what for what, wrong in checks.items() if wrong]
    found += [one for item in instrument.items for one in _item_problems(instrument, item)]
    return found + [
        one for scale in instrument.scoring for one in _scale_problems(instrument, scale)
    ]


def _item_problems(instrument: Instrument, item: Any) -> list[str]:
    scored = any(item.id in scale.items for scale in instrument.scoring)
    may_have_text = instrument.licence.redistribute_text and instrument.kind != "key_only"
    worded = bool(item.text) and all(text.strip() for text in item.text.values())
    checks = {
        "is neither scored nor unscored, or both": scored == item.unscored,
        "has a text that may not be passed on": bool(item.text) and not may_have_text,
        "has no text": instrument.kind == "own" and not worded,
        "has no key": item.keyed not in (1, -1),
        "has no answers": item.response not in instrument.response_sets,
    }
    return [f"{item.id} {what}" for what, wrong in checks.items() if wrong]


def _scale_problems(instrument: Instrument, scale: Any) -> list[str]:
    if not set(scale.items) <= set(instrument.item_ids):
        return [f"{scale.id} has an item that does not exist"]
    kinds = {instrument.response_sets[instrument.item(i).response].type for i in scale.items}
    checks = {
        "is a mean of names": scale.rule in ("mean", "sum") and bool(kinds & {"nominal", "text"}),
        "needs more items than it has": not 0 <= scale.n_required() <= len(scale.items),
        "has an item twice": len(set(scale.items)) < len(scale.items),
        "is empty": not scale.items,
    }
    return [f"{scale.id} {what}" for what, wrong in checks.items() if wrong]


TOKENS = (
    "null", "[]", "{}", "-1", "0", "true", "1e400", ".nan", "''", "2021-01-01", "*a", "&a",
    "!!python/object:os.system", "mean", "composition", "key_only", "piloted", "simulated", "2/3",
    "own", "false", "99", "ctx.now", "{partner}",
)  # fmt: skip


def _mutated(lines: list[str], rnd: random.Random) -> str:
    out = list(lines)
    for _ in range(rnd.choice((1, 1, 1, 2, 3))):
        at = rnd.randrange(len(out))
        how = rnd.choice(("drop", "twice", "swap", "word", "letter", "number", "indent", "cut"))
        if how == "drop":
            del out[at]
        elif how == "twice":
            out.insert(at, out[at])
        elif how == "swap":
            other = rnd.randrange(len(out))
            out[at], out[other] = out[other], out[at]
        elif how == "word" and (words := re.findall(r"[\w.{}-]+", out[at])):
            out[at] = out[at].replace(rnd.choice(words), rnd.choice(TOKENS), 1)
        elif how == "letter" and out[at]:
            k = rnd.randrange(len(out[at]))
            out[at] = out[at][:k] + rnd.choice("{}[]:,'\"#-0é\t&*!%@`|> \x00") + out[at][k + 1 :]
        elif how == "number":
            step = rnd.choice((-1, 1, 100))
            out[at] = re.sub(r"-?\d+", lambda m, s=step: str(int(m[0]) + s), out[at], count=1)
        elif how == "indent":
            out[at] = " " * rnd.choice((0, 1, 2, 4, 6)) + out[at].lstrip()
        elif how == "cut" and rnd.random() < 0.2:
            out = out[: max(at, 1)]
    return "\n".join(out)


@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("levels_of_collaboration", 700),
        ("resource_dependence", 500),
        ("omnibus_t", 400),
        ("cynicism", 700),
        ("relational_context", 350),
        ("shared_meaning", 350),
        ("route", 250),
        ("autonomy_accountability", 250),
        ("ocai", 150),
        ("reviewed", 500),
    ],
)
def test_mutated_files_give_faults_or_sound_instruments(
    name: str, times: int, tmp_path: Path
) -> None:
    """Never another exception than ours, and nothing accepted that does not hold together."""
    if name == "reviewed":
        text = changed(text_of("cynicism"), *REVIEWED, ("norms: []", NORM))
    else:
        text = text_of(name)
    text = re.sub(r"^ *#.*\n", "", text, flags=re.M)  # what is said beside it changes nothing
    rnd = random.Random(f"mutations of {name}")
    lines = text.split("\n")
    accepted = 0
    for k in range(times):
        path = tmp_path / f"{k}.yaml"
        path.write_text(mutation := _mutated(lines, rnd), encoding="utf-8")
        try:
            instrument = cs.load_instrument(path)
        except InstrumentError as error:
            assert "fault" in str(error)
            continue
        accepted += 1
        assert problems(instrument) == [], mutation
    assert 0 < accepted < times


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00", b"\xff\xfe\x00", b"- a\n- b", b"1", b"{" * 5000, b"a: " + b"[" * 3000, b"? :"],
)  # fmt: skip
def test_files_that_are_no_instruments(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "odd.yaml"
    path.write_bytes(content)
    with pytest.raises(InstrumentError):
        cs.load_instrument(path)


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "cynicism.yaml"
    path.write_text(text_of("cynicism"), encoding="utf-8")
    first = cs.load_instrument(path)
    assert cs.load_instrument(path) is first
    path.write_text(changed(text_of("cynicism"), ("title: Cynicism", "title: Weariness")), "utf-8")
    assert cs.load_instrument(path).title.startswith("Weariness")


# Content validity ----------------------------------------------------------------------------


def ratings(**others: list[int]) -> pd.DataFrame:
    """Six raters who find every item of cynicism relevant, but for the ratings named."""
    items = cs.load_instrument("cynicism").item_ids
    frame = pd.DataFrame({"item": items, **{f"r{k}": [4] * 6 for k in range(1, 7)}})
    return frame.assign(**others)


@pytest.mark.parametrize("agree", range(7))
def test_i_cvi_and_modified_kappa(agree: int) -> None:
    """I-CVI = A / N; Pc = C(N, A) .5^N; kappa* = (I-CVI - Pc) / (1 - Pc)."""
    sheet = ratings()
    sheet.loc[0, [f"r{k}" for k in range(1, 7)]] = [3] * agree + [2] * (6 - agree)
    result = cs.validation.content_validity(sheet)
    row = result.to_frame().iloc[0]
    share, chance = agree / 6, comb(6, agree) * 0.5**6
    assert_allclose(row["i_cvi"], share, rtol=1e-12)
    assert_allclose(row["modified_kappa"], (share - chance) / (1 - chance), rtol=1e-12)
    assert row["meets_bar"] == (agree >= 5)
    limits = stats.binomtest(agree, 6).proportion_ci(method="exact")
    assert_allclose([row["ci_low"], row["ci_high"]], limits, rtol=1e-9, atol=1e-12)
    assert_allclose(result.s_cvi_ave, (5 + share) / 6, rtol=1e-12)
    assert_allclose(result.s_cvi_ua, 5 / 6 + (agree == 6) / 6, rtol=1e-12)


def test_wilson_interval_of_an_i_cvi() -> None:
    row = cs.validation.content_validity(
        ratings(r1=[1, 4, 4, 4, 4, 4]), interval="wilson"
    ).to_frame()
    limits = stats.binomtest(5, 6).proportion_ci(method="wilson")
    assert_allclose(row.loc[0, ["ci_low", "ci_high"]].astype(float), limits, rtol=1e-9)


def test_seven_of_nine_reaches_the_bar() -> None:
    """.78 is how 7/9 = .7778 is printed."""
    sheet = pd.DataFrame({"item": ["a", "b"]})
    for k in range(9):
        sheet[f"r{k}"] = [4 if k < 7 else 1, 4 if k < 6 else 1]
    assert cs.validation.content_validity(sheet).to_frame()["meets_bar"].tolist() == [True, False]


@pytest.mark.parametrize(
    "wrong",
    [[5, 4, 4, 4, 4, 4], [0, 4, 4, 4, 4, 4], [2.5, 4, 4, 4, 4, 4], ["good", 4, 4, 4, 4, 4]],
)
def test_ratings_that_cannot_be(wrong: list[Any]) -> None:
    with pytest.raises(AnswersError):
        cs.validation.content_validity(ratings(r1=wrong))


def test_sheets_with_faults() -> None:
    instrument = cs.load_instrument("cynicism")
    with pytest.raises(NotEnoughDataError):
        cs.validation.content_validity(ratings()[["item", "r1", "r2"]])
    with pytest.raises(AnswersError, match=r"cyn\.change\.9"):
        sheet = ratings().replace({"item": {"cyn.change.01": "cyn.change.99"}})
        cs.validation.content_validity(sheet, instrument=instrument)
    long = ratings().melt("item", var_name="rater", value_name="relevance")
    twice = pd.concat([long, long.iloc[:1].assign(relevance=1)])
    with pytest.raises(AnswersError, match="r1"):
        cs.validation.content_validity(twice)


def test_blank_ratings_are_no_judgement() -> None:
    sheet = ratings(r1=[None, 4, 4, 4, 4, 4], r2=[1, 4, 4, 4, 4, 4])
    row = cs.validation.content_validity(sheet).to_frame().iloc[0]
    assert (row["n_raters"], row["n_relevant"]) == (5, 4)
    assert_allclose(row["i_cvi"], 0.8, rtol=1e-12)


def test_a_sheet_goes_out_and_comes_back(tmp_path: Path) -> None:
    instrument = cs.load_instrument("cynicism")
    files = cs.validation.content_sheet(
        instrument, tmp_path / "sheets", raters=["ada", "ben", "cy"], coverage=False
    )
    assert len(files) == 3
    for path, value in zip(files, (4, 3, 1), strict=True):
        table = pd.read_csv(path, encoding="utf-8-sig")
        relevance = next(c for c in table if c.startswith("relevance"))
        table[relevance] = value
        table.to_csv(path, index=False)
    result = cs.validation.content_validity(list(files), instrument=instrument)
    assert set(result.raters) == {"ada", "ben", "cy"}
    assert_allclose(result.i_cvi, 2 / 3, rtol=1e-12)


def test_sheets_that_cannot_be_written(tmp_path: Path) -> None:
    instrument = cs.load_instrument("cynicism")
    with pytest.raises(DataError, match="text"):
        cs.validation.content_sheet(cs.load_instrument("omnibus_t"), tmp_path / "a.csv")
    with pytest.raises(OptionError):
        cs.validation.content_sheet(instrument, tmp_path / "a.csv", raters=["ada", "ada"])
    with pytest.raises(OptionError):
        cs.validation.content_sheet(instrument, tmp_path / "a.docx")
    cs.validation.content_sheet(instrument, tmp_path / "a.csv")
    with pytest.raises(OutputError, match="already"):
        cs.validation.content_sheet(instrument, tmp_path / "a.csv")


# Evidence and the ladder ---------------------------------------------------------------------

WHERE = {"use": "research", "population": "uk_teachers"}


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    path = tmp_path / "cynicism.yaml"
    shutil.copy(FOLDER / "cynicism.yaml", path)
    return path


def answered(instrument: Instrument, n: int, seed: int, traits: Any = None) -> cs.Responses:
    """Answers as people might give them: one trait, five categories, the last two reversed."""
    rng = np.random.default_rng(seed)
    trait = rng.normal(size=n) if traits is None else traits
    x = np.clip(np.round(3 + 0.8 * trait[:, None] + 0.6 * rng.normal(size=(n, 6))), 1, 5)
    x[:, 4:] = 6 - x[:, 4:]
    frame = pd.DataFrame(x, columns=list(instrument.item_ids))
    frame["person"] = [f"p{k}" for k in range(n)]
    return cs.from_frame(frame, instrument=instrument, roles={"respondent": "person"})


def interviews(population: str = "uk_teachers", kind: str = "real", n: int = 8) -> str:
    record = INTERVIEWS.replace("population: uk,", f"population: {population},")
    record = record.replace("{n: 8, kind: real}", f"{{n: {n}, kind: {kind}}}")
    return "instrument: cynicism\nevidence:\n" + record


def relations() -> str:
    record = changed(
        INTERVIEWS,
        ("population: uk,", "population: uk_teachers,"),
        ("response_process", "relations"),
        ("title: x", "title: R, prereg: https://osf.io/abcde, independent_of_authors: true"),
        ("n: 8", "n: 250"),
        ("cognitive interviews", "share of hypotheses supported\n    value: 1.0"),
    )  # fmt: skip
    return "instrument: cynicism\nevidence:\n" + record


def read_text(folder: Path, text: str) -> Any:
    path = folder / "records.yaml"
    path.write_text(text, encoding="utf-8")
    return cs.instruments.read_records(path)


def test_the_whole_ladder(copied: Path, tmp_path: Path) -> None:
    """Raters and interviews, a pilot, two samples of structure, then retest and relations."""
    instrument = cs.load_instrument(copied)
    evidence = cs.validation.evidence
    add = cs.instruments.add_evidence
    assert cs.instruments.next_rung(instrument)[0].rung == "content_reviewed"

    content = cs.validation.content_validity(ratings(), instrument=instrument)
    added = add(copied, evidence(content, study="Raters", instrument=instrument, **WHERE))
    assert (added.old_status, added.new_status) == ("draft", "draft")
    added = add(copied, read_text(tmp_path, interviews()))
    assert added.new_status == "content_reviewed"

    first, second = answered(instrument, 300, 1), answered(instrument, 300, 2)
    scale = "cyn.change"
    pilot = [cs.reliability.alpha(first, scale), cs.reliability.item_analysis(first, scale)]
    added = add(copied, evidence(pilot, study="Pilot", responses=first, **WHERE))
    assert added.new_status == "piloted"

    explored = cs.dimensionality.efa(first, scale, 1)
    added = add(copied, evidence(explored, study="Pilot", **WHERE))
    assert added.new_status == "piloted"
    confirmed = cs.dimensionality.cfa(second, instrument)
    added = add(copied, evidence(confirmed, study="Second", responses=second, **WHERE))
    assert added.new_status == "structure_supported"
    missing = " ".join(cs.instruments.next_rung(cs.load_instrument(copied))[0].missing).lower()
    assert "retest" in missing
    assert "others than the authors" in missing

    traits = np.random.default_rng(5).normal(size=120)
    once, again = answered(instrument, 120, 6, traits), answered(instrument, 120, 7, traits)
    retest = cs.reliability.retest(once, again, scale)
    records = evidence(retest, study="Twice", responses=(once, again), weeks_apart=3, **WHERE)
    assert_allclose(records[0].value, retest.estimate, atol=1e-4)
    assert add(copied, records).new_status == "structure_supported"
    added = add(copied, read_text(tmp_path, relations()))
    assert added.new_status == "validated_for"
    assert added.held_back == ""

    final = cs.load_instrument(copied)
    assert final.status == cs.instruments.computed_status(final) == "validated_for"
    claims = cs.instruments.claim_statuses(final)
    assert [(c.score, c.population, c.status) for c in claims] == [
        (scale, "uk_teachers", "validated_for")
    ]
    assert cs.instruments.what_is_missing(final, claims[0]) == ()
    ids = [record.id for record in final.evidence]
    assert len(set(ids)) == len(ids)
    assert "# computed from the evidence records" in copied.read_text(encoding="utf-8")


def test_evidence_of_one_population_is_not_that_of_another(copied: Path, tmp_path: Path) -> None:
    instrument = cs.load_instrument(copied)
    content = cs.validation.content_validity(ratings(), instrument=instrument)
    cs.instruments.add_evidence(
        copied, cs.validation.evidence(content, study="R", instrument=instrument, **WHERE)
    )
    other = cs.instruments.add_evidence(copied, read_text(tmp_path, interviews("us_teachers")))
    assert other.new_status == "draft"


def test_one_sample_does_not_both_explore_and_confirm(copied: Path, tmp_path: Path) -> None:
    instrument = cs.load_instrument(copied)
    content = cs.validation.content_validity(ratings(), instrument=instrument)
    answers = answered(instrument, 300, 1)
    scale = "cyn.change"
    results = [
        cs.reliability.alpha(answers, scale),
        cs.reliability.item_analysis(answers, scale),
        cs.dimensionality.efa(answers, scale, 1),
        cs.dimensionality.cfa(answers, instrument),
    ]
    add = cs.instruments.add_evidence
    add(copied, cs.validation.evidence(content, study="R", instrument=instrument, **WHERE))
    add(copied, read_text(tmp_path, interviews()))
    records = cs.validation.evidence(results, study="One", responses=answers, **WHERE)
    assert add(copied, records).new_status == "piloted"


@pytest.mark.parametrize("n", [60, 99])
def test_a_pilot_needs_a_hundred_people(n: int, copied: Path, tmp_path: Path) -> None:
    instrument = cs.load_instrument(copied)
    content = cs.validation.content_validity(ratings(), instrument=instrument)
    answers = answered(instrument, n, 4)
    scale = "cyn.change"
    results = [cs.reliability.alpha(answers, scale), cs.reliability.item_analysis(answers, scale)]
    add = cs.instruments.add_evidence
    add(copied, cs.validation.evidence(content, study="R", instrument=instrument, **WHERE))
    add(copied, read_text(tmp_path, interviews()))
    records = cs.validation.evidence(results, study="P", responses=answers, **WHERE)
    assert add(copied, records).new_status == "content_reviewed"


def test_five_raters_are_too_few(copied: Path) -> None:
    instrument = cs.load_instrument(copied)
    content = cs.validation.content_validity(ratings().drop(columns="r6"), instrument=instrument)
    records = cs.validation.evidence(content, study="R", instrument=instrument, **WHERE)
    assert all(record.verdict != "supports" for record in records)


def test_records_say_what_was_found(copied: Path) -> None:
    instrument = cs.load_instrument(copied)
    answers = answered(instrument, 300, 1)
    alpha = cs.reliability.alpha(answers, "cyn.change")
    (record,) = cs.validation.evidence(alpha, study="S", responses=answers, **WHERE)
    assert record.statistic == "alpha"
    assert_allclose(record.value, alpha.estimate, atol=1e-4)
    assert record.ci is not None
    assert_allclose(record.ci, (alpha.ci_low, alpha.ci_high), atol=1e-4)
    assert (record.sample.n, record.sample.kind) == (300, "real")
    assert record.claim.language == "en-GB"
    assert record.instrument_version == "1.0.0"


def test_a_low_reliability_is_kept_as_evidence_against(copied: Path) -> None:
    instrument = cs.load_instrument(copied)
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(rng.integers(1, 6, (300, 6)), columns=list(instrument.item_ids))
    answers = cs.from_frame(frame, instrument=instrument)
    with pytest.warns(cs.errors.KeyingWarning):
        alpha = cs.reliability.alpha(answers, "cyn.change")
    (record,) = cs.validation.evidence(alpha, study="S", responses=answers, **WHERE)
    assert record.verdict == "against"
    with pytest.raises(DataError, match="verdict"):
        cs.validation.evidence(alpha, study="S", responses=answers, verdict="supports", **WHERE)
    added = cs.instruments.add_evidence(copied, record)
    assert added.instrument.evidence[0].verdict == "against"


def synthetic() -> tuple[cs.Responses, Any]:
    cohort = cs.simulate_cohort(
        ["cynicism"], n_partnerships=2, n_schools=12, n_staff=20, waves=1, seed=1
    )
    return cohort.responses, cs.reliability.alpha(cohort.responses, "cyn.change", cluster=None)


def test_synthetic_answers_are_refused(copied: Path) -> None:
    answers, alpha = synthetic()
    before = copied.read_bytes()
    with pytest.raises(DataError, match="synthetic"):
        cs.validation.evidence(alpha, study="S", responses=answers, **WHERE)
    records = cs.validation.evidence(alpha, study="S", responses=answers, simulated=True, **WHERE)
    assert all(r.sample.kind == "simulated" for r in records)
    with pytest.raises(FaultsError, match="simulated"):
        cs.instruments.add_evidence(copied, records)
    assert copied.read_bytes() == before
    added = cs.instruments.add_evidence(copied, records, simulated=True)
    assert added.new_status == "draft"
    assert cs.instruments.claim_statuses(added.instrument) == ()


@pytest.mark.parametrize("analysis", ["efa", "cfa", "item_analysis", "overview"])
def test_every_analysis_of_synthetic_answers_is_refused(analysis: str) -> None:
    answers, _ = synthetic()
    result: Any = {
        "efa": lambda: cs.dimensionality.efa(answers, "cyn.change", 1),
        "cfa": lambda: cs.dimensionality.cfa(answers, answers.instrument),
        "item_analysis": lambda: cs.reliability.item_analysis(answers, "cyn.change"),
        "overview": lambda: cs.reliability.overview(answers, cluster=None),
    }[analysis]()
    with pytest.raises(DataError, match="synthetic"):
        cs.validation.evidence(result, study="S", responses=answers, **WHERE)


def test_answers_the_result_was_not_made_from(copied: Path) -> None:
    """Neither other people's answers nor real ones in the place of synthetic ones."""
    instrument = cs.load_instrument(copied)
    _, alpha = synthetic()
    with pytest.raises(DataError):
        cs.validation.evidence(alpha, study="S", responses=answered(instrument, 300, 1), **WHERE)


def test_answers_without_an_instrument_are_no_evidence() -> None:
    trait = np.random.default_rng(1).integers(1, 6, (50, 1))
    frame = pd.DataFrame(trait + np.array([0, 0, 0]), columns=list("abc"))
    frame.loc[:9, "c"] = 3
    answers = cs.from_frame(frame, scales={"s": ["a", "b", "c"]}, response_range=(1, 5))
    result = cs.reliability.item_analysis(answers, "s")
    with pytest.raises(DataError, match="instrument"):
        cs.validation.evidence(result, study="S", responses=answers, **WHERE)


@pytest.mark.parametrize(
    ("option", "value"), [("response_rate", 41), ("response_rate", -0.1), ("language", "cy-GB")]
)
def test_fields_of_a_record_that_cannot_be(option: str, value: Any, copied: Path) -> None:
    answers = answered(cs.load_instrument(copied), 100, 1)
    alpha = cs.reliability.alpha(answers, "cyn.change")
    with pytest.raises((FaultsError, OptionError)):
        cs.validation.evidence(alpha, study="S", responses=answers, **WHERE, **{option: value})


def test_ids_of_records_are_never_used_twice(copied: Path, tmp_path: Path) -> None:
    records = read_text(tmp_path, interviews())
    first = cs.instruments.add_evidence(copied, records)
    second = cs.instruments.add_evidence(copied, read_text(tmp_path, relations()))
    ids = [r.id for r in (*first.records, *second.records)]
    assert len(set(ids)) == 2
    assert second.notes
    before = copied.read_bytes()
    with pytest.raises(FaultsError):
        cs.instruments.add_evidence(copied, records, ids="keep")
    assert copied.read_bytes() == before


def test_records_go_to_a_file_and_come_back(copied: Path, tmp_path: Path) -> None:
    instrument = cs.load_instrument(copied)
    answers = answered(instrument, 300, 1)
    results = [
        cs.reliability.alpha(answers, "cyn.change"),
        cs.dimensionality.efa(answers, "cyn.change", 1),
    ]
    records = cs.validation.evidence(results, study="S", responses=answers, **WHERE)  # fmt: skip
    path = cs.instruments.write_records(records, tmp_path / "found.yaml")
    back = cs.instruments.read_records(path)
    assert list(back) == list(records)
    assert back.instruments == records.instruments == ("cynicism", "cynicism")
    with pytest.raises(OutputError):
        cs.instruments.write_records(records, path)
    cs.instruments.write_records(records, path, replace=True)
    with pytest.raises(CollabSurveyError):  # only a file of records is ever replaced
        cs.instruments.write_records(records, copied, replace=True)


@pytest.mark.parametrize(
    "change",
    [
        ("verdict: supports", "verdict: great"),
        ("kind: real", "kind: imagined"),
        ("n: 8", "n: 0"),
        ("n: 8", "n: many"),
        ("source_type: response_process", "source_type: hearsay"),
        ("    verdict: supports\n", ""),
        ("instrument_version: 1.0.0", "instrument_version: one"),
        ("score: cyn.change, ", ""),
        ("id: ev-2", "id: ev-2\n    id: ev-3"),
    ],
)
def test_files_of_records_with_faults(change: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(FaultsError, match="line"):
        read_text(tmp_path, changed(interviews(), change))


def test_records_of_another_instrument_are_refused(copied: Path, tmp_path: Path) -> None:
    text = interviews().replace("instrument: cynicism", "instrument: trust")
    text = text.replace("score: cyn.change", "score: tru.expect")
    before = copied.read_bytes()
    with pytest.raises(FaultsError):
        cs.instruments.add_evidence(copied, read_text(tmp_path, text))
    assert copied.read_bytes() == before


def test_an_instrument_is_no_further_than_its_least_examined_score() -> None:
    rungs = cs.instruments.next_rung(cs.load_instrument("trust"))
    assert len(rungs) == len(cs.load_instrument("trust").scale_ids)
    assert {one.status for one in rungs} == {"draft"}


RESCALE = "    rescale: {from: [1, 5], to: [0, 100]}\n"

# Two versions --------------------------------------------------------------------------------


def compared(load: Any, *changes: tuple[str, str], name: str = "cynicism") -> Any:
    text = text_of(name)
    return cs.instruments.diff(load(text), load(changed(text, *changes)))


CHANGES: dict[str, tuple[list[tuple[str, str]], str]] = {
    "nothing": ([], "yes"),
    "a title": ([("title: Cynicism about change\n", "title: Weariness of change\n")], "yes"),
    "a label": ([("4: Agree\n", "4: Rather agree\n")], "with care"),
    "a key": ([("    keyed: -1\n", "    keyed: 1\n")], "no"),
    "a rule": ([("rule: mean", "rule: sum"), (RESCALE, "")], "no"),
    "codes": (
        [
            ("values: [1, 2, 3, 4, 5]", "values: [0, 1, 2, 3, 4]"),
            ("        5: Strongly agree", "        0: Strongly agree"),
            (RESCALE, ""),
        ],
        "no",
    ),
    "a negation": ([("Leaders here learn from", "Leaders here never learn from")], "no"),
    "another question": (
        [("Leaders here learn from changes that go badly.", "Pupils enjoy trips to museums.")],
        "no",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_which_scores_stay_comparable(change: str, load: Any) -> None:
    changes, comparable = CHANGES[change]
    result = compared(load, *changes)
    scale = result.scale("cyn.change")
    assert scale.comparable == comparable
    assert bool(scale.changes) or comparable == "yes"
    assert result.all_comparable == (comparable == "yes")
    if comparable == "no":
        assert (result.version.needed, result.version.expected) == ("major", "2.0.0")
    if change == "nothing":
        assert (result.version.needed, result.version.verdict) == ("none", "right")


def test_an_item_left_out_within_the_bound(load: Any) -> None:
    """Six items, four are needed: five are left, so a mean is comparable with care."""
    text = text_of("cynicism")
    start = text.index("  - id: cyn.change.06")
    end = text.index("\nscoring:")
    fewer = text[:start] + text[end:]
    fewer = fewer.replace("cyn.change.05,\n        cyn.change.06,", "cyn.change.05,")
    fewer = fewer.replace("\nscoring:", "\nretired_items: [cyn.change.06]\nscoring:", 1)
    result = cs.instruments.diff(load(text), load(fewer))
    assert result.scale("cyn.change").comparable == "with care"
    assert len(result.scale("cyn.change").common) == 5
    summed = [changed(one, ("rule: mean", "rule: sum"), (RESCALE, "")) for one in (text, fewer)]
    assert cs.instruments.diff(*map(load, summed)).scale("cyn.change").comparable == "no"


def test_an_item_that_went_without_being_retired(load: Any) -> None:
    text = text_of("cynicism")
    start = text.index("  - id: cyn.change.06")
    fewer = text[:start] + text[text.index("\nscoring:") :]
    fewer = fewer.replace("cyn.change.05,\n        cyn.change.06,", "cyn.change.05,")
    result = cs.instruments.diff(load(text), load(fewer))
    assert any("cyn.change.06" in broken for broken in result.rules_broken)


def test_the_version_number_must_fit_the_changes(load: Any) -> None:
    key = ("    keyed: -1\n", "    keyed: 1\n")
    small = compared(load, key, ("version: 1.0.0\n", "version: 1.0.1\n"))
    assert (small.version.verdict, small.version.expected) == ("too small", "2.0.0")
    right = compared(load, key, ("version: 1.0.0\n", "version: 2.0.0\n"))
    assert right.version.verdict == "right"
    later = changed(text_of("cynicism"), ("version: 1.0.0\n", "version: 1.1.0\n"))
    back = cs.instruments.diff(load(later), load(text_of("cynicism")))
    assert back.version.given == "back"


def test_a_first_draft_may_have_a_version_below_one(load: Any) -> None:
    """No item of the file says since when it is there."""
    assert load(changed(text_of("cynicism"), ("version: 1.0.0\n", "version: 0.1.0\n"))).items


def test_evidence_counts_within_a_major_version(load: Any) -> None:
    text = changed(text_of("cynicism"), *REVIEWED)
    minor = changed(text, ("version: 1.0.0\n", "version: 1.1.0\n"))
    assert all(one.carries for one in cs.instruments.diff(load(text), load(minor)).evidence)
    major = changed(
        text,
        ("version: 1.0.0\n", "version: 2.0.0\n"),
        ("status: content_reviewed", "status: draft"),
        ("    keyed: -1\n", "    keyed: 1\n"),
    )
    carried = cs.instruments.diff(load(text), load(major)).evidence
    assert len(carried) == 2
    assert not any(one.carries for one in carried)


def test_evidence_needs_no_new_version(load: Any, copied: Path, tmp_path: Path) -> None:
    """Records are about a version; adding one leaves every question and number as it was."""
    before = load(text_of("cynicism"))
    cs.instruments.add_evidence(copied, read_text(tmp_path, interviews()))
    result = cs.instruments.diff(before, copied)
    assert result.scale("cyn.change").comparable == "yes"
    assert result.version.verdict == "right"


THEIRS_FIRST = """\
        rat.need.theirs.01, rat.need.theirs.02, rat.need.theirs.03, rat.need.ours.01,
        rat.need.ours.02, rat.need.ours.03,
"""
OURS_FIRST = """\
        rat.need.ours.01, rat.need.ours.02, rat.need.ours.03, rat.need.theirs.01,
        rat.need.theirs.02, rat.need.theirs.03,
"""
SPECIAL: dict[str, tuple[str, list[tuple[str, str]], str]] = {
    "ctx.now": ("relational_context", [("1: network, 2: coal", "2: network, 1: coal")], "no"),
    "ctx.points.now": ("relational_context", [("total: 100", "total: 100.0")], "yes"),
    "aut.imbalance": ("autonomy_accountability", [("ideal: 0", "ideal: 1")], "no"),
    "rat.asymmetry": (
        "resource_dependence",
        [
            (
                "between: [rat.need.theirs, rat.need.ours]",
                "between: [rat.need.ours, rat.need.theirs]",
            ),
            (THEIRS_FIRST, OURS_FIRST),
        ],
        "no",
    ),
}


@pytest.mark.parametrize("scale", SPECIAL)
def test_special_rules_are_compared_too(scale: str, load: Any) -> None:
    name, changes, comparable = SPECIAL[scale]
    if scale == "ctx.now":  # wanted too, so that the two have the same types
        changes = changes * 2
    assert compared(load, *changes, name=name).scale(scale).comparable == comparable


def test_unknown_files_of_a_comparison() -> None:
    with pytest.raises(UnknownNameError):
        cs.instruments.diff("trsut", "trust")


# The command line ----------------------------------------------------------------------------


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["collabsurvey", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
            raise SystemExit(0)
        out, err = capsys.readouterr()
        code = stopped.value.code
        return (code if isinstance(code, int) else 0), out, err

    return run


def test_commands_on_instruments(call: Any, copied: Path) -> None:
    code, out, _ = call("instruments", "list")
    assert code == 0
    assert all(name in out for name in cs.list_instruments()["id"])
    code, out, _ = call("instruments", "show", "trust")
    assert code == 0
    assert "draft" in out
    assert "{partner}" in out
    assert "ranking" in out
    assert call("instruments", "check", copied)[0] == 0
    code, out, _ = call("instruments", "catalogue")
    assert code == 0
    assert "omnibus_t" in out
    code, out, _ = call("instruments", "catalogue", "omnibus_t")
    assert code == 0
    assert "Hoy" in out
    code, out, _ = call("instruments", "diff", "cynicism", copied)
    assert code == 0
    assert "cyn.change" in out


def test_check_reports_every_fault_with_its_line(call: Any, copied: Path) -> None:
    copied.write_text(
        changed(
            text_of("cynicism"),
            ("    keyed: -1\n", "    keyed: 3\n"),
            ("status: draft", "status: piloted"),
        ),
        encoding="utf-8",
    )
    code, _, err = call("instruments", "check", copied)
    assert code == 2
    assert "keyed" in err
    assert "line" in err
    assert "Traceback" not in err


def test_commands_on_evidence(call: Any, copied: Path, tmp_path: Path) -> None:
    assert call("evidence", "sheet", "cynicism", "--out", tmp_path / "s.csv")[0] == 0
    for rater in range(6):
        ratings()[["item"]].assign(rater=f"r{rater}", relevance=4).to_csv(
            tmp_path / f"r{rater}.csv", index=False
        )
    sheets = [tmp_path / f"r{rater}.csv" for rater in range(6)]
    code, out, err = call("evidence", "content", *sheets, "--instrument", "cynicism")
    assert code == 0, err
    assert "I-CVI" in out
    (tmp_path / "records.yaml").write_text(interviews(), encoding="utf-8")
    code, out, err = call("evidence", "add", copied, "--from", tmp_path / "records.yaml")
    assert code == 0, err
    assert "content record" in out
    code, out, _ = call("evidence", "show", copied)
    assert code == 0
    assert "cyn.change" in out
    (tmp_path / "records.yaml").write_text(interviews(kind="simulated"), encoding="utf-8")
    code, _, err = call("evidence", "add", copied, "--from", tmp_path / "records.yaml")
    assert code == 2
    assert "simulated" in err


def test_local_wording_reaches_a_form(call: Any, tmp_path: Path) -> None:
    texts = wording(
        tmp_path,
        "instrument: omnibus_t\nsource: letter\nitems:\n"
        + "".join(f'  omt.{k:02d}: {{en-GB: "Own words number {k}"}}\n' for k in range(1, 27)),
    )
    out_path = tmp_path / "form.csv"
    code, _, err = call("export", "omnibus_t", "--to", "csv", "--out", out_path)
    assert code == 2
    assert "Traceback" not in err
    assert not out_path.exists()
    code, _, err = call("export", "omnibus_t", "--to", "csv", "--out", out_path, "--texts", texts)
    assert code == 0, err
    assert "Own words number 17" in out_path.read_text(encoding="utf-8-sig")
