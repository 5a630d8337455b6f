"""The catalogue of published instruments: complete, honest about what was checked, strict."""

from __future__ import annotations

import re

import pytest

from collabsurvey.errors import InstrumentError, UnknownNameError
from collabsurvey.instruments import load_instrument
from collabsurvey.instruments.catalogue import (
    catalogue,
    catalogue_entry,
    catalogue_path,
    read_catalogue,
)
from collabsurvey.instruments.folder import instruments_folder, shipped_paths

KEYS = {path.stem for path in (instruments_folder() / "keys").glob("*.yaml")}
AREAS = {"trust": 7, "role": 8, "culture": 3, "capacity": 14, "community": 6}
# Yardsticks of the construct map: our construct → published instruments.
YARDSTICKS = {
    "tru": {"organizational_trust_inventory", "zaheer_trust"},
    "cap": {"interorganizational_collaborative_capacity"},
    "pur": {"partnership_assessment_tool", "psat"},
    "own": {"partnership_assessment_tool", "psat"},
    "inf": {"partnership_assessment_tool", "psat"},
    "ctx": {"levels_of_collaboration"},
    "rol": {"mael_ashforth", "role_breadth_self_efficacy"},
    "cul": {"school_culture_survey"},
    "cyn": {"cynicism_about_change"},
}
GOOD = """\
entries:
  - id: one
    title: One
    authors: [A]
    year: "2003"
    citation: A (2003).
    doi: 10.1000/one
    area: trust
    measures: trust
    answered_by: staff
    n_items: 3
    answers: not checked
    structure: one scale
    owner: A
    licence_status: ask the owner
    needed: a letter
    key_missing: the items
    caution: none known
    checked:
      - {fact: 3 items, at: page of A}
"""


def faults(text: str, **options: set[str]) -> tuple[str, ...]:
    with pytest.raises(InstrumentError) as caught:
        read_catalogue(text, source="published.yaml", **options)
    return caught.value.faults


def test_every_published_instrument_has_one_row() -> None:
    table = catalogue()
    assert table["id"].is_unique
    assert table["area"].value_counts().to_dict() == AREAS
    first = ["id", "title", "measures", "owner", "licence_status", "key_here", "key", "needed"]
    assert set(first) <= set(table.columns)
    texts = table.drop(columns=["n_items", "key_here", "key", "our_scales"])
    assert texts.map(lambda text: bool(str(text).strip())).to_numpy().all()


def test_keys_of_the_catalogue_are_those_of_the_folder() -> None:
    table = catalogue().set_index("id")
    with_key = table[table["key_here"]]
    assert set(with_key["key"]) == KEYS
    for key in with_key["key"]:
        instrument = load_instrument(key)
        assert instrument.kind == "key_only"
        assert with_key.loc[with_key["key"] == key, "n_items"].item() == len(instrument.items)
    assert table.loc[~table["key_here"], "key"].isna().all()
    assert not table["key_here"].loc["ipc_scale"]


def test_the_commercial_and_the_free() -> None:
    status = catalogue().set_index("id")["licence_status"]
    assert set(status[status == "commercial"].index) == {
        "organizational_culture_inventory",
        "relational_proximity",
    }
    assert list(status[status == "public domain"].index) == [
        "interorganizational_collaborative_capacity"
    ]
    # no open licence was seen for the wording of any of them
    assert "open licence" not in set(status)


def test_yardsticks_are_those_of_the_construct_map() -> None:
    found: dict[str, set[str]] = {}
    for name, scales in catalogue().set_index("id")["our_scales"].items():
        for scale in filter(None, scales.split(", ")):
            found.setdefault(scale.split(".")[0], set()).add(str(name))
    assert found == YARDSTICKS
    ours = {scale for name in shipped_paths() for scale in load_instrument(name).scale_ids}
    assert {"rol.school", "rol.partnership", "rol.confidence"} <= ours


def test_what_was_not_checked_says_so() -> None:
    for name in catalogue()["id"]:
        entry = catalogue_entry(name)
        assert entry.checked or name == "generalised_trust"
        assert entry.key or entry.key_missing
        if entry.n_items is None:
            assert "items: 0" not in entry.summary()
            assert re.search(r"items +not checked", entry.summary())


def test_an_entry_as_a_page() -> None:
    page = catalogue_entry("omnibus_t").summary()
    assert "load_instrument('omnibus_t')" in page
    assert "waynekhoy.com/faculty_trust.html" in page
    assert "free of charge without licence: handed out free" in page
    assert "not between schools" in page
    assert catalogue_entry("psat")._repr_html_().count("<table") == 1
    without = catalogue_entry("rizzo_role_stress").summary()
    assert re.search(r"scoring key here +none", without)
    assert "1, 3, 5, 8, 10 and 13" in without


def test_an_unknown_entry() -> None:
    with pytest.raises(UnknownNameError, match="The catalogue has no entry 'omnibus'. Did you mea"):
        catalogue_entry("omnibus")


def test_the_shipped_file_is_what_is_read() -> None:
    text = catalogue_path().read_text(encoding="utf-8")
    assert [one.id for one in read_catalogue(text, keys=KEYS)] == list(catalogue()["id"])
    assert not re.search(r"\[V\]|\[R\??\]|/work", text)


CASES = {
    "unknown key": ("title: One", "titel: One", "unknown key 'titel'. Did you mean 'title'?"),
    "unknown status": ("ask the owner", "free", "should be 'public domain', 'open licence'"),
    "empty text": ("needed: a letter", "needed: ' '", "entry 'one': 'needed' is empty."),
    "no text": ("needed: a letter\n", "needed:\n", "should be text (put it in quotes), not empty"),
    "no such doi": ("10.1000/one", "doi.org/10", "is no doi such as 10.1177/1098214006290356"),
    "nothing said of a key": ("    key_missing: the items\n", "", "'key' nor 'key_missing'"),
    "no items": ("n_items: 3", "n_items: 0", "should be at least 1, not 0"),
    "key that is not here": (
        "key_missing: the items",
        "key: omnibus",
        "names a scoring key 'omnibus' that does not exist. Did you mean 'omnibus_t'?",
    ),
    "comma in a fact": ("{fact: 3 items,", "{fact: 3 items, five points,", "key 'five points'"),
    "id of several words": ("id: one", "id: one more", "should be a word like 'omnibus_t'"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_fault_is_told_with_its_line(case: str) -> None:
    old, new, sentence = CASES[case]
    assert GOOD.count(old) == 1
    found = faults(GOOD.replace(old, new), keys={"omnibus_t"})
    assert any(sentence in fault for fault in found), found
    assert all(re.match(r"line \d+: ", fault) for fault in found)


def test_the_good_file_is_read() -> None:
    (entry,) = read_catalogue(GOOD, keys=set())
    assert (entry.id, entry.n_items, entry.checked[0].at) == ("one", 3, "page of A")


def test_an_id_used_twice_and_a_file_of_something_else() -> None:
    twice = GOOD + GOOD.removeprefix("entries:\n")
    assert faults(twice) == ("line 21: catalogue entry 'one' is there twice (first on line 2).",)
    assert "this is no catalogue" in faults("- one\n- two\n")[0]
    assert faults("entries: [a, a: 1}")
