"""The shipped instruments are what the design says: counts, reversals, wording, status."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

from collabsurvey.instruments import (
    Instrument,
    computed_status,
    describe,
    list_instruments,
    load_instrument,
    schema,
)
from collabsurvey.instruments.folder import instruments_folder
from collabsurvey.instruments.schema import schema_text

# The construct map: sub-dimension → (items, reversed items), 114 items in all.
DESIGN = {
    "trust": {
        "tru.expect": (6, 0),
        "tru.economise.contracts": (4, 1),
        "tru.economise.mandate": (4, 1),
        "tru.economise.incentives": (4, 1),
        "tru.invest.promises": (6, 2),
        "tru.invest.frontline": (5, 1),
        "tru.invest.leaders": (5, 1),
        "tru.invest.people": (4, 1),
        "tru.invest.risk": (5, 1),
    },
    "role_identity": {
        "rol.fixedness": (6, 2),
        "rol.challenge": (5, 1),
        "rol.confidence": (6, 0),
        "rol.progress": (5, 2),
        "rol.school": (4, 0),
        "rol.partnership": (4, 0),
    },
    "culture": {
        "cul.gap": (5, 2),
        "cul.openness": (5, 2),
        "cul.help": (5, 2),
        "cul.flexibility": (3, 0),  # the six bipolar items, three to an axis
        "cul.outward": (3, 0),
        "cul.plurality": (3, 0),
    },
    "collaborative_capacity": {
        "cap.willing": (6, 2),
        "cap.means": (6, 2),
        "cap.realism": (5, 2),
    },
}
OVERALL = {
    "tru.economise": ("contracts", "mandate", "incentives"),
    "tru.invest": ("promises", "frontline", "leaders", "people", "risk"),
}
CORE = {"trust": 8, "role_identity": 4, "culture": 4, "collaborative_capacity": 4}
SLOTS = {
    "trust": {"partner", "own_school"},
    "role_identity": {"own_school", "partnership"},
    "culture": {"own_school"},
    "collaborative_capacity": {"own_school", "partnership"},
}
# Words of the literature, not of the staff room.
JARGON = re.compile(
    r"spann|reticulist|stakeholder|synerg|dyad|paradigm|inter-?agency|leverag|capacity", re.I
)


@pytest.fixture(params=sorted(DESIGN))
def instrument(request: pytest.FixtureRequest) -> Instrument:
    return load_instrument(request.param)


def texts(instrument: Instrument) -> dict[str, str]:
    return {item.id: item.text["en-GB"] for item in instrument.items if item.text}


def test_items_and_reversals_of_each_sub_dimension(instrument: Instrument) -> None:
    found = {
        scale.id: (len(scale.items), instrument.keys_of(scale.items).count(-1))
        for scale in instrument.scoring
        if scale.id not in OVERALL
    }
    assert found == DESIGN[instrument.id]
    assert sum(n for n, _ in found.values()) == len(instrument.items)


def test_an_item_is_named_after_its_scale_and_construct(instrument: Instrument) -> None:
    for name in DESIGN[instrument.id]:
        items = instrument.items_of(name)
        assert items == tuple(f"{name}.{i:02d}" for i in range(1, len(items) + 1))
        assert {instrument.item(item).construct_id for item in items} == {name}


def test_overall_scores_of_trust_are_their_sub_scales() -> None:
    trust = load_instrument("trust")
    for overall, parts in OVERALL.items():
        inside = [item for part in parts for item in trust.items_of(f"{overall}.{part}")]
        assert list(trust.items_of(overall)) == inside
    assert max(len(scale.items) for scale in trust.scoring) < len(trust.items) - 6  # no total


def test_no_scale_mixes_answers(instrument: Instrument) -> None:
    for scale in instrument.scoring:
        assert len({instrument.item(item).response for item in scale.items}) == 1


def test_answers_and_their_missing_codes(instrument: Instrument) -> None:
    codes = {-7.0: "no_contact", -8.0: "cannot_say", -9.0: "skipped"}
    kinds = {name: (a.type, a.low, a.high) for name, a in instrument.response_sets.items()}
    expected = {
        "agree5": ("ordinal", 1, 5),
        "likelihood": ("bounded", 0, 100),
        "confidence": ("ordinal", 0, 10),
        "nearer7": ("bipolar", -3, 3),
    }
    assert set(kinds) <= set(expected)
    assert all(kinds[name] == expected[name] for name in kinds)
    assert set(kinds) == {item.response for item in instrument.items}
    for answers in instrument.response_sets.values():
        assert answers.missing == codes
        assert set(answers.missing_labels["en-GB"]) == set(codes)


def test_wording(instrument: Instrument) -> None:
    for name, text in texts(instrument).items():
        assert len(text.split()) <= 20, name
        assert text[-1] in ".?", name
        assert not JARGON.search(text), name
        # reversed by content, never by "not"
        assert not re.search(r"\bnot\b|n't\b", text), name


def test_no_two_items_are_equal() -> None:
    counts = Counter(
        text.casefold() for name in DESIGN for text in texts(load_instrument(name)).values()
    )
    assert sum(counts.values()) == 114
    assert set(counts.values()) == {1}


def test_slots_forms_and_core(instrument: Instrument) -> None:
    used = {slot for text in texts(instrument).values() for slot in re.findall(r"{(\w+)}", text)}
    assert used == set(instrument.slots) == SLOTS[instrument.id]
    forms = [set(item.forms) for item in instrument.items]
    assert set().union(*forms) == {"core", "F", "D", "B"} | (
        {"P"} if "partner" in instrument.respondents else set()
    )
    assert sum("core" in form for form in forms) == CORE[instrument.id]


def test_every_trust_item_about_a_partner_names_the_partner() -> None:
    assert all("{partner}" in text for text in texts(load_instrument("trust")).values())


def test_what_a_reader_needs_is_there(instrument: Instrument) -> None:
    assert all(one.definition and one.sources for one in instrument.constructs)
    assert {scale.id for scale in instrument.scoring} == {c.id for c in instrument.constructs}
    assert all(scale.label_low and scale.label_high for scale in instrument.scoring)
    assert instrument.instructions["en-GB"]
    assert instrument.use.intended
    assert any("ranking" in text for text in instrument.use.not_for)
    persons_only = instrument.id == "role_identity"
    assert all((scale.aggregate is None) == persons_only for scale in instrument.scoring)


def test_licence_and_honest_status(instrument: Instrument) -> None:
    licence = instrument.licence
    assert (licence.items, licence.key) == ("CC-BY-4.0", "CC0-1.0")
    assert licence.redistribute_text
    assert instrument.status == computed_status(instrument) == "draft"
    assert instrument.evidence == instrument.norms == ()


def test_the_list_of_instruments() -> None:
    table = list_instruments()
    assert list(table.columns) == [
        "id",
        "title",
        "version",
        "status",
        "kind",
        "n_items",
        "n_scales",
        "licence",
    ]
    own = table[table["kind"] == "own"].set_index("id")
    assert set(DESIGN) <= set(own.index)
    assert own.loc[list(DESIGN), "n_items"].sum() == 114
    assert own.loc["trust", "n_scales"] == 11


def test_files_are_named_after_their_id(instrument: Instrument) -> None:
    assert (instruments_folder() / f"{instrument.id}.yaml").is_file()


def test_the_committed_schema_is_current() -> None:
    path = instruments_folder() / "schema.json"
    assert path.read_text(encoding="utf-8") == schema_text()
    assert schema()["additionalProperties"] is False
    assert json.loads(schema_text())["properties"]["items"]["minItems"] == 1


def test_describing_an_instrument(instrument: Instrument) -> None:
    about, scales, items, answers = describe(instrument)
    assert "Status draft" in about.notes[0]
    assert scales.n_rows == len(instrument.scoring)
    assert list(items.columns["text"]) == list(texts(instrument).values())
    assert list(items.columns["key"]).count("−") == instrument.keys_of(instrument.item_ids).count(
        -1
    )
    assert set(answers.columns["answers"]) == set(instrument.response_sets)
    shown = instrument.summary()
    assert all(text in shown for text in texts(instrument).values())
    assert "ranking schools or partners" in shown


def test_describing_in_a_notebook() -> None:
    page = load_instrument("collaborative_capacity")._repr_html_()
    assert page.count("<table") == 4
    assert "Leaders here play down the difficulties of joint work." in page
