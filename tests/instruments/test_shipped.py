"""The shipped instruments are what the design says: counts, reversals, wording, status."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import combinations

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
from collabsurvey.instruments.hypotheses import hypotheses
from collabsurvey.instruments.page import page_markdown
from collabsurvey.instruments.schema import schema_text

# The construct map: sub-dimension → (items, reversed items).
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
    "rationale": {"rat.benefit": (5, 1), "rat.honest": (5, 2), "rat.fit": (5, 2)},
    "resource_dependence": {"rat.need.ours": (3, 0), "rat.need.theirs": (3, 0)},
    "purpose": {
        "pur.shared": (5, 2),
        "pur.breadth": (5, 2),
        "pur.buyin": (5, 1),
        "pur.goals": (5, 2),
    },
    "shared_ownership": {
        "own.reticulist": (6, 0),
        "own.reticulist.self": (6, 0),  # the same six acts in the first person
        "own.recognition": (5, 2),
        "own.authority": (5, 2),
        "own.engagement": (5, 2),
        "own.convenor": (6, 2),
    },
    "incremental_change": {
        "inc.milestones": (4, 1),
        "inc.wins": (4, 1),
        "inc.patience": (5, 2),
        "inc.thread": (4, 1),
    },
    "relational_context": {
        "ctx.now": (6, 0),
        "ctx.wanted": (6, 0),
        "ctx.like.network": (1, 0),
        "ctx.like.coalition": (1, 0),
        "ctx.like.unitary": (1, 0),
        "ctx.points.now": (3, 0),
        "ctx.points.wanted": (3, 0),
    },
    "inertia_fatigue": {"inf.inertia": (6, 2), "inf.fatigue": (6, 2), "inf.limbo": (5, 2)},
    "autonomy_accountability": {
        "aut.clarity": (5, 2),
        "aut.freedom": (5, 2),
        "aut.tension": (4, 1),
        "aut.balance": (3, 0),
    },
    "route": {
        "rte.route": (6, 0),
        "rte.market": (4, 1),
        "rte.hierarchy": (4, 1),
        "rte.network": (4, 1),
    },
    "relational_leadership": {
        "ldr.attends": (4, 1),
        "ldr.tolerates": (3, 1),
        "ldr.aware": (4, 1),
        "ldr.attends.self": (4, 1),  # leaders about themselves, item by item
        "ldr.tolerates.self": (3, 1),
        "ldr.aware.self": (4, 1),
    },
    "conflict": {
        "cnf.normal": (4, 2),
        "cnf.handling": (5, 2),
        "cnf.task": (3, 0),
        "cnf.relationship": (3, 0),
        "cnf.process": (3, 0),
    },
    "shared_meaning": {"mng.cards": (5, 0), "mng.rank": (5, 0), "mng.felt": (4, 1)},
    "cynicism": {"cyn.change": (6, 2)},
}
# Scales that score items of others anew, and items that no rule scores.
DERIVED = {"rat.asymmetry", "ctx.shift", "ctx.points.shift", "aut.imbalance"}
UNSCORED = {"shared_ownership": 5, "shared_meaning": 1}  # nominations; one line in own words
# The stem of the items of a scale, where it is not the id of the scale.
STEMS = {"mng.cards": "mng.card"}
OVERALL = {
    "tru.economise": ("contracts", "mandate", "incentives"),
    "tru.invest": ("promises", "frontline", "leaders", "people", "risk"),
}
# The forty questions: how many each component gives.
CORE = {
    "rationale": 3,
    "resource_dependence": 0,
    "collaborative_capacity": 4,
    "culture": 4,
    "role_identity": 4,
    "purpose": 3,
    "trust": 8,
    "shared_ownership": 3,
    "incremental_change": 2,
    "relational_context": 1,
    "inertia_fatigue": 3,
    "autonomy_accountability": 2,
    "route": 0,
    "relational_leadership": 1,
    "conflict": 1,
    "shared_meaning": 1,
    "cynicism": 0,
}
SLOTS = {
    "trust": {"partner", "own_school"},
    "role_identity": {"own_school", "partnership"},
    "culture": {"own_school"},
    "collaborative_capacity": {"own_school", "partnership"},
    "rationale": {"own_school", "partnership"},
    "resource_dependence": {"own_school", "partner"},
    "purpose": {"own_school", "partnership"},
    "shared_ownership": {"own_school", "partnership", "convenor"},
    "incremental_change": {"partnership"},
    "relational_context": {"partnership"},
    "inertia_fatigue": {"own_school", "partnership"},
    "autonomy_accountability": {"own_school", "partnership"},
    "route": {"partnership"},
    "relational_leadership": {"own_school"},
    "conflict": {"partnership"},
    "shared_meaning": {"partnership"},
    "cynicism": {"own_school"},
}
PERSONS_ONLY = {"inf.fatigue", "own.reticulist.self"}
# Words that most questions share, which make no two of them alike.
COMMON = frozenset(
    "a an and at by do does for from has have here how i in is it of on our own that the they "  # noqa: SIM905
    "this to us we what when who with work working joint partnership partner school schools "
    "people staff".split()
)
# Words of the literature, not of the staff room.
JARGON = re.compile(
    r"spann|reticulist|stakeholder|synerg|dyad|paradigm|inter-?agency|leverag|capacity|framework"
    r"|strateg|facilitat|implement|autonom|accountab|utili[sz]|embed",
    re.I,
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
        if scale.id not in OVERALL and scale.id not in DERIVED
    }
    assert found == DESIGN[instrument.id]
    unscored = sum(item.unscored for item in instrument.items)
    assert unscored == UNSCORED.get(instrument.id, 0)
    assert sum(n for n, _ in found.values()) + unscored == len(instrument.items)


def test_an_item_is_named_after_its_scale_and_construct(instrument: Instrument) -> None:
    for name in DESIGN[instrument.id]:
        items = instrument.items_of(name)
        stem = STEMS.get(name, name)
        assert items == tuple(f"{stem}.{i:02d}" for i in range(1, len(items) + 1))
        assert {instrument.item(item).construct_id for item in items} == {name}


def test_overall_scores_of_trust_are_their_sub_scales() -> None:
    trust = load_instrument("trust")
    for overall, parts in OVERALL.items():
        inside = [item for part in parts for item in trust.items_of(f"{overall}.{part}")]
        assert list(trust.items_of(overall)) == inside
    assert max(len(scale.items) for scale in trust.scoring) < len(trust.items) - 6  # no total


def test_no_scale_mixes_answers(instrument: Instrument) -> None:
    for scale in instrument.scoring:
        if scale.types or scale.between or scale.rule == "agreement":
            continue  # each triad and each card has answers of its own
        assert len({instrument.item(item).response for item in scale.items}) == 1


def test_answers_and_their_missing_codes(instrument: Instrument) -> None:
    codes = {-7.0: "no_contact", -8.0: "cannot_say", -9.0: "skipped"}
    expected = {
        "agree5": ("ordinal", 1, 5),
        "agree5_contact": ("ordinal", 1, 5),
        "frequency5": ("ordinal", 1, 5),
        "likelihood": ("bounded", 0, 100),
        "points100": ("bounded", 0, 100),
        "confidence": ("ordinal", 0, 10),
        "like10": ("ordinal", 0, 10),
        "need5": ("ordinal", 0, 4),
        "rank5": ("ordinal", 1, 5),
        "nearer7": ("bipolar", -3, 3),
    }
    assert set(instrument.response_sets) == {item.response for item in instrument.items}
    for name, answers in instrument.response_sets.items():
        if answers.type == "text":
            continue
        assert answers.missing == codes
        assert set(answers.missing_labels["en-GB"]) == set(codes)
        if answers.type == "nominal":  # every choice has its words
            assert set(answers.labels["en-GB"]) == set(answers.values)
        else:
            assert (answers.type, answers.low, answers.high) == expected[name]


def test_wording(instrument: Instrument) -> None:
    for name, text in texts(instrument).items():
        assert len(text.split()) <= 20, name
        assert text[-1] in ".?", name  # a card ends in "...", the beginning of its answers
        assert not JARGON.search(text), name
        # reversed by content, never by "not"
        assert not re.search(r"\bnot\b|n't\b", text), name


def test_choices_are_short_and_alike(instrument: Instrument) -> None:
    """No statement of a triad or card stands out by its length: at most four words apart."""
    for answers in instrument.response_sets.values():
        if answers.type == "nominal":
            words = [len(label.split()) for label in answers.labels["en-GB"].values()]
            assert max(words) <= 12
            assert max(words) - min(words) <= 4


def test_a_type_is_not_always_the_first_choice() -> None:
    for name, scale in (("relational_context", "ctx.now"), ("route", "rte.route")):
        inst = load_instrument(name)
        sets = [inst.response_set(item) for item in inst.items_of(scale)]
        assert Counter(one.values[0] for one in sets if one) == {1: 2, 2: 2, 3: 2}


def test_no_two_items_are_equal() -> None:
    counts = Counter(
        text.casefold() for name in DESIGN for text in texts(load_instrument(name)).values()
    )
    assert set(counts.values()) == {1}


def test_no_two_items_are_nearly_equal() -> None:
    """Between files; twins in one file, such as now and wanted, are meant."""
    words = {
        (name, item): set(re.findall(r"[a-z]+", text.casefold())) - COMMON
        for name in DESIGN
        for item, text in texts(load_instrument(name)).items()
    }
    near = [
        (one, other)
        for (one, a), (other, b) in combinations(words.items(), 2)
        if one[0] != other[0] and a and b and len(a & b) / len(a | b) > 0.6
    ]
    assert near == []


def test_slots_forms_and_core(instrument: Instrument) -> None:
    used = {slot for text in texts(instrument).values() for slot in re.findall(r"{(\w+)}", text)}
    assert used == set(instrument.slots) == SLOTS[instrument.id]
    forms = [set(item.forms) for item in instrument.items]
    assert all(forms)
    assert set().union(*forms) <= {"core", "F", "D", "B", "P", "points"}
    assert any("P" in form for form in forms) == ("partner" in instrument.respondents)
    assert sum("core" in form for form in forms) == CORE[instrument.id]


def test_front_line_staff_can_be_asked_every_core_item(instrument: Instrument) -> None:
    assert all("F" in item.forms for item in instrument.items if "core" in item.forms)


def test_the_core_form_is_the_marked_items_of_the_others() -> None:
    """Forty items, each with the wording and key of the file it comes from."""
    core = load_instrument("core")
    marked = {
        item.id: (item.text, item.keyed, item.polarity, item.construct_id)
        for name in DESIGN
        for item in load_instrument(name).items
        if "core" in item.forms
    }
    assert len(core.items) == sum(CORE.values()) == 40
    assert {
        item.id: (item.text, item.keyed, item.polarity, item.construct_id) for item in core.items
    } == marked
    homes = {name: load_instrument(name) for name in DESIGN}
    for item in core.items:
        home = next(one for one in homes.values() if item.id in one.item_ids)
        here, there = core.response_set(item.id), home.response_set(item.id)
        assert here is not None and there is not None
        assert (here.type, here.values, here.labels) == (there.type, there.values, there.labels)


def test_core_parts_of_fewer_than_three_items_are_single_indicators() -> None:
    core = load_instrument("core")
    assert {len(scale.items) for scale in core.scoring} == {1, 3, 4}
    scored = [item for scale in core.scoring for item in scale.items]
    assert sorted(scored) == sorted(core.item_ids)  # each once: there is no total
    assert core.status == computed_status(core) == "draft"


def test_every_trust_item_about_a_partner_names_the_partner() -> None:
    assert all("{partner}" in text for text in texts(load_instrument("trust")).values())


def test_what_a_reader_needs_is_there(instrument: Instrument) -> None:
    assert all(one.definition and one.sources for one in instrument.constructs)
    scales = {scale.id for scale in instrument.scoring}
    constructs = {one.id for one in instrument.constructs}
    assert scales - DERIVED <= constructs
    unscored = {item.construct_id for item in instrument.items if item.unscored}
    assert constructs - unscored <= scales
    assert all(
        scale.label_low and scale.label_high
        for scale in instrument.scoring
        if scale.rule in ("mean", "difference", "distance")
    )
    assert instrument.instructions["en-GB"]
    assert instrument.use.intended
    assert any("ranking" in text for text in instrument.use.not_for)
    assert all(
        (scale.aggregate is None) == (scale.id in PERSONS_ONLY or scale.id.startswith("rol."))
        for scale in instrument.scoring
        if scale.rule == "mean"
    )


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
    assert set(own.index) == {*DESIGN, "core"}
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
    page, _ = instrument.summary().split("WHAT TO DO NEXT")  # commands are not broken
    assert max(map(len, page.splitlines())) <= 96
    shown = " ".join(instrument.summary().split())  # lines are wrapped
    assert all(text in shown for text in texts(instrument).values())
    assert all(f"Never for: {text}" in shown for text in instrument.use.not_for)
    assert "nobody's answers back it yet" in shown
    assert f"collabsurvey export {instrument.id}" in shown


def test_describing_in_a_notebook() -> None:
    page = load_instrument("collaborative_capacity")._repr_html_()
    assert page.count("<table") == 4
    assert "Leaders here play down the difficulties of joint work." in page


def test_every_construct_page_is_current() -> None:
    folder = instruments_folder() / "pages"
    for name in (*DESIGN, "core"):
        page = (folder / f"{name}.md").read_text(encoding="utf-8")
        assert page == page_markdown(load_instrument(name)), name
    assert {path.stem for path in folder.glob("*.md")} == {*DESIGN, "core"}


def test_hypotheses_speak_of_scores_that_exist() -> None:
    found = hypotheses()
    assert list(found["id"]) == [f"H{i}" for i in range(1, 17)]
    names = {c.id for name in DESIGN for c in load_instrument(name).constructs}
    names |= {scale for name in DESIGN for scale in load_instrument(name).scale_ids}
    for about in found["about"]:
        for one in about.split(", "):
            assert any(name == one or name.startswith(f"{one}.") for name in names), one
    for name in DESIGN:  # each part of working together is in at least one
        assert len(hypotheses(load_instrument(name))) >= 1, name


def test_a_hypothesis_touches_the_whole_and_the_parts() -> None:
    assert "H1" in set(hypotheses(load_instrument("trust"))["id"])
    assert set(hypotheses(load_instrument("cynicism"))["id"]) == {"H8"}
    assert "H16" not in set(hypotheses(load_instrument("conflict"))["id"])
