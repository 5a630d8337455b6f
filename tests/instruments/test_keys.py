"""Scoring keys of published instruments: the numbers of the key, and no wording."""

from __future__ import annotations

import pandas as pd
import pytest

import collabsurvey as cs
from collabsurvey.instruments import Instrument, computed_status, describe_text, load_instrument
from collabsurvey.instruments.folder import instruments_folder

FOLDER = instruments_folder() / "keys"
KEYS = sorted(path.stem for path in FOLDER.glob("*.yaml"))


@pytest.fixture(params=KEYS)
def key(request: pytest.FixtureRequest) -> Instrument:
    return load_instrument(request.param)


def numbers(instrument: Instrument, scale: str) -> list[object]:
    return [instrument.item(item).source_item for item in instrument.items_of(scale)]


def test_the_keys_that_are_here() -> None:
    assert KEYS == [
        "levels_of_collaboration",
        "ocai",
        "omnibus_t",
        "oric",
        "vichealth_partnerships",
    ]


def test_a_key_holds_no_wording_and_claims_nothing(key: Instrument) -> None:
    assert key.kind == "key_only"
    assert all(item.text is None for item in key.items)
    assert not key.instructions
    licence = key.licence
    assert licence.items.startswith("LicenseRef-")
    assert licence.key == "CC0-1.0"
    assert not licence.redistribute_text
    assert not licence.commercial
    assert key.status == computed_status(key) == "draft"
    assert key.evidence == key.norms == ()
    assert key.citation
    assert key.use.not_for


def test_each_item_says_its_number_in_the_published_form(key: Instrument) -> None:
    published = [item.source_item for item in key.items]
    assert None not in published
    assert len(set(published)) == len(published)
    assert all((item.polarity == "negative") == (item.keyed == -1) for item in key.items)


def test_the_file_says_how_polarity_was_set_and_why_there_is_no_evidence(key: Instrument) -> None:
    header = (FOLDER / f"{key.id}.yaml").read_text(encoding="utf-8").split("schema_version")[0]
    flat = header.replace("\n# ", " ")
    assert "it is set to negative for the reversed items" in flat
    assert "No evidence records" in flat
    assert "Checked:" in flat


def test_a_key_can_be_shown(key: Instrument) -> None:
    shown = describe_text(key)
    assert "(text not distributed)" in shown
    assert "scoring key of a published instrument, without its texts" in shown


def test_omnibus_t_has_the_numbers_of_its_authors() -> None:
    """Scoring key on waynekhoy.com/faculty_trust.html."""
    key = load_instrument("omnibus_t")
    assert numbers(key, "omt.principal") == [1, 4, 7, 9, 11, 15, 18, 23]
    assert numbers(key, "omt.colleagues") == [2, 5, 8, 12, 13, 16, 19, 21]
    assert numbers(key, "omt.clients") == [3, 6, 10, 14, 17, 20, 22, 24, 25, 26]
    reversed_items = [item.source_item for item in key.items if item.keyed == -1]
    assert reversed_items == [4, 8, 11, 23, 26]
    assert key.response_sets["agree6"].values == (1, 2, 3, 4, 5, 6)


# Answers to items 1 to 26 and the sums over each scale, reversed items counted as 7 minus the
# answer: principal 2+2+2+4+1+4+1+1, colleagues 3+6+4+1+2+5+2+4, clients 4+1+5+3+6+3+5+1+2+4.
BY_HAND = {
    "always 6": ([6] * 26, (33, 43, 55)),
    "2 to 6 and round again": ([n % 6 + 1 for n in range(1, 27)], (17, 27, 34)),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_omnibus_t_scored_by_hand(case: str) -> None:
    given, (principal, colleagues, clients) = BY_HAND[case]
    key = load_instrument("omnibus_t")
    answers = pd.DataFrame([given], columns=list(key.item_ids)).assign(person="a")
    responses = cs.from_frame(answers, instrument=key, roles={"respondent": "person"})
    scores = cs.score(responses).to_frame().iloc[0]
    assert scores["omt.principal"] == pytest.approx(principal / 8)
    assert scores["omt.colleagues"] == pytest.approx(colleagues / 8)
    assert scores["omt.clients"] == pytest.approx(clients / 10)


def test_vichealth_totals_run_over_the_published_range() -> None:
    """Totals of 35 to 175, read in the bands 35-84, 85-126 and 127-175."""
    key = load_instrument("vichealth_partnerships")
    answers = pd.DataFrame([dict.fromkeys(key.item_ids, code) for code in (1, 5)])
    answers.loc[2] = answers.loc[1]
    answers.loc[2, "vpat.07"] = -9  # an incomplete checklist has no total
    answers["person"] = ["a", "b", "c"]
    responses = cs.from_frame(answers, instrument=key, roles={"respondent": "person"})
    scale = key.scale("vpat.total")
    assert (scale.rule, len(scale.items), scale.n_required()) == ("sum", 35, 35)
    totals = cs.score(responses, method="sum").to_frame()["vpat.total"]
    assert totals[:2].tolist() == [35, 175]
    assert pd.isna(totals[2])
    assert scale.label_low.startswith("84 or less")
    assert scale.label_high.startswith("127 or more")


def test_levels_of_collaboration_is_one_rating_of_a_partner() -> None:
    key = load_instrument("levels_of_collaboration")
    assert key.item_ids == ("loc.level.01",)
    assert key.response_sets["stage"].values == (0, 1, 2, 3, 4, 5)
    assert key.slots["partner"].required


def test_oric_has_five_and_seven_items() -> None:
    key = load_instrument("oric")
    assert numbers(key, "oric.commitment") == [2, 4, 6, 9, 11]
    assert numbers(key, "oric.efficacy") == [1, 3, 5, 7, 8, 10, 12]
    assert all(item.keyed == 1 for item in key.items)


def test_ocai_is_twice_six_blocks_of_a_hundred_points() -> None:
    key = load_instrument("ocai")
    for when in ("now", "preferred"):
        scale = key.scale(f"ocai.{when}")
        assert (scale.rule, scale.total) == ("composition", 100)
        assert list(scale.parts) == ["clan", "adhocracy", "market", "hierarchy"]
        for letter, items in zip("ABCD", scale.parts.values(), strict=True):
            published = [key.item(item).source_item for item in items]
            assert published == [f"{block}{letter} {when}" for block in range(1, 7)]
    assert key.scale("ocai.change").between == ("ocai.now", "ocai.preferred")
    assert {c.measurement_model for c in key.constructs} == {"ipsative"}
