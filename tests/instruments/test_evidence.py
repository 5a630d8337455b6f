"""Status is earned by evidence records, rung by rung, and never typed in."""

from __future__ import annotations

from typing import Any

import pytest

from collabsurvey.instruments import (
    Instrument,
    claim_statuses,
    computed_status,
    instrument_from_scales,
    next_rung,
)
from collabsurvey.instruments.model import Construct, Evidence, Scale

CLAIM = {
    "score": "safety",
    "level": "person",
    "population": "uk_teachers",
    "language": "en-GB",
    "use": "group_feedback",
}


def record(
    source_type: str,
    statistic: str,
    n: int,
    *,
    study: str = "first",
    kind: str = "real",
    version: str = "1.0.0",
    **options: Any,
) -> Evidence:
    claim = {**CLAIM, **options.pop("claim", {})}
    about = {"title": study} | {
        key: options.pop(key) for key in ("prereg", "independent_of_authors") if key in options
    }
    return Evidence.model_validate(
        {
            "id": f"{source_type}-{statistic}-{study}",
            "claim": claim,
            "source_type": source_type,
            "study": about,
            "instrument_version": version,
            "sample": {"n": n, "kind": kind},
            "statistic": statistic,
            "verdict": "supports",
            **options,
        }
    )


def ladder(**same: Any) -> dict[str, list[Evidence]]:
    """Records that just reach each rung."""
    return {
        "content_reviewed": [
            record("content", "S-CVI/Ave", 6, value=0.90, **same),
            record("response_process", "cognitive interviews", 8, **same),
        ],
        "piloted": [
            record("reliability", "omega", 100, study="pilot", value=0.8, ci=[0.75, 0.85], **same),
            record("internal_structure", "item statistics", 100, study="pilot", **same),
            record("response_process", "missing share", 100, study="pilot", value=0.03, **same),
        ],
        "structure_supported": [
            record("internal_structure", "EFA", 250, study="explore", **same),
            record("internal_structure", "CFA", 300, study="confirm", **same),
        ],
        "validated_for": [
            record("relations", "r", 300, study="confirm", prereg="https://osf.io/x", **same),
            record("reliability", "retest ICC(2,1)", 50, study="again", value=0.7, **same),
            record("relations", "r", 90, study="others", independent_of_authors=True, **same),
        ],
    }


def instrument(*evidence: Evidence, version: str = "1.3.0", **options: Any) -> Instrument:
    base = instrument_from_scales({"safety": ["a", "b"]})
    return base.model_copy(update={"version": version, "evidence": evidence, **options})


def up_to(rung: str, **same: Any) -> list[Evidence]:
    found: list[Evidence] = []
    for name, records in ladder(**same).items():
        found += records
        if name == rung:
            break
    return found


@pytest.mark.parametrize("rung", list(ladder()))
def test_each_rung_is_reached_by_just_enough(rung: str) -> None:
    assert computed_status(instrument(*up_to(rung))) == rung


@pytest.mark.parametrize("rung", list(ladder()))
def test_each_record_of_a_rung_is_needed(rung: str) -> None:
    below = {"content_reviewed": "draft"} | dict(zip(list(ladder())[1:], ladder(), strict=False))
    full = up_to(rung)
    for needed in ladder()[rung]:
        rest = [one for one in full if one != needed]
        assert computed_status(instrument(*rest)) == below[rung], needed.id


def test_no_rung_is_skipped() -> None:
    records = [one for name, rung in ladder().items() if name != "piloted" for one in rung]
    assert computed_status(instrument(*records)) == "content_reviewed"


def test_simulated_data_never_moves_a_status() -> None:
    assert computed_status(instrument(*up_to("validated_for", kind="simulated"))) == "draft"


def test_evidence_is_not_inherited_across_major_versions() -> None:
    records = up_to("validated_for")
    assert computed_status(instrument(*records, version="1.9.4")) == "validated_for"
    assert computed_status(instrument(*records, version="2.0.0")) == "draft"


@pytest.mark.parametrize(
    ("rung", "spoilt"),
    [
        ("content_reviewed", record("content", "S-CVI/Ave", 5, value=0.95)),
        ("content_reviewed", record("content", "S-CVI/Ave", 6, value=0.89)),
        ("content_reviewed", record("content", "I-CVI (lowest)", 6, value=0.77)),
        ("piloted", record("reliability", "omega", 99, study="pilot", value=0.8, ci=[0.7, 0.9])),
        ("piloted", record("reliability", "omega", 100, study="pilot", value=0.8)),
        ("structure_supported", record("internal_structure", "CFA", 300, study="explore")),
        ("validated_for", record("reliability", "retest", 49, study="again", value=0.9)),
        ("validated_for", record("reliability", "retest", 50, study="again", value=0.69)),
    ],
)
def test_a_record_below_the_bar_does_not_count(rung: str, spoilt: Evidence) -> None:
    kind = spoilt.statistic.split()[0]
    same = {"I-CVI": "S-CVI/Ave"}.get(kind, kind)
    records = [
        one
        for one in up_to(rung)
        if not (one.source_type == spoilt.source_type and one.statistic.startswith(same))
    ]
    assert computed_status(instrument(*records, spoilt)) != rung


def test_evidence_against_holds_the_gate_shut() -> None:
    against = record("internal_structure", "CFA", 900, study="larger", verdict="against")
    records = up_to("structure_supported")
    assert computed_status(instrument(*records, against)) == "piloted"


def test_claims_keep_to_their_population_and_use() -> None:
    english = up_to("validated_for")
    welsh = up_to("content_reviewed", claim={"language": "cy-GB"})
    claims = claim_statuses(instrument(*english, *welsh))
    assert {(one.language, one.status, one.uses) for one in claims} == {
        ("en-GB", "validated_for", ("group_feedback",)),
        ("cy-GB", "content_reviewed", ()),
    }


def test_an_instrument_is_no_further_than_its_least_examined_score() -> None:
    two = instrument_from_scales({"safety": ["a", "b"], "voice": ["c", "d"]})
    two = two.model_copy(update={"version": "1.0.0", "evidence": tuple(up_to("piloted"))})
    assert computed_status(two) == "draft"
    voice = up_to("content_reviewed", claim={"score": "voice"})
    two = two.model_copy(update={"evidence": (*two.evidence, *voice)})
    assert computed_status(two) == "content_reviewed"


def test_retired_is_a_decision() -> None:
    assert computed_status(instrument(*up_to("piloted"), status="retired")) == "retired"


def formative(*evidence: Evidence) -> Instrument:
    """The same instrument, whose score is made of pieces that need not go together."""
    made = instrument(*evidence)
    construct = Construct(
        id="safety",
        definition="Pieces that add up.",
        level=("person",),
        direction="none",
        measurement_model="formative",
    )
    return made.model_copy(update={"constructs": (construct,)})


def test_scores_without_an_alpha_climb_by_other_reliability_and_structure() -> None:
    """A formative score has no alpha and no factors; a retest and two studies stand in."""
    piloting = [
        *ladder()["content_reviewed"],
        record("reliability", "retest ICC(2,1)", 120, value=0.8, ci=(0.7, 0.9)),
        record("internal_structure", "item statistics", 120),
        record("response_process", "missingness", 120, verdict="mixed"),
    ]
    assert computed_status(instrument(*piloting)) == "content_reviewed"
    assert computed_status(formative(*piloting)) == "piloted"
    first, second = (
        record("internal_structure", "weights of the pieces", 200, study=study)
        for study in ("first", "second")
    )
    assert computed_status(formative(*piloting, second)) == "piloted"
    assert computed_status(formative(*piloting, first, second)) == "structure_supported"
    missing = next_rung(formative(*ladder()["content_reviewed"]))[0].missing
    assert "alpha does not apply" in missing[0]


def test_blanks_are_no_account_of_how_a_question_is_understood() -> None:
    content = record("content", "S-CVI/Ave", 6, value=0.95)
    blanks = record("response_process", "missingness", 300)
    assert computed_status(instrument(content, blanks)) == "draft"
    assert "interviews" in next_rung(instrument(content, blanks))[0].missing[0]


def test_agreement_of_raters_is_no_alpha() -> None:
    records = [
        *up_to("content_reviewed"),
        record("reliability", "Krippendorff alpha", 120, value=0.8, ci=(0.7, 0.9)),
        record("internal_structure", "item statistics", 120),
        record("response_process", "missingness", 120, verdict="mixed"),
    ]
    assert computed_status(instrument(*records)) == "content_reviewed"


def test_a_study_against_one_use_leaves_the_others() -> None:
    against = record(
        "relations",
        "correlation",
        300,
        study="appraisal",
        verdict="against",
        prereg="osf.io/x",
        claim={"use": "appraisal"},
    )
    made = instrument(*up_to("validated_for"), against)
    (claim,) = claim_statuses(made)
    assert (claim.status, claim.uses) == ("validated_for", ("group_feedback",))


def test_a_difference_stands_on_its_two_scores() -> None:
    """It needs no evidence of its own, and holds nothing back."""
    two = instrument_from_scales({"safety": ["a", "b"], "voice": ["c", "d"]})
    gap = Scale(
        id="gap",
        title="Gap",
        rule="difference",
        between=("safety", "voice"),
        items=("a", "b", "c", "d"),
    )
    records = [
        *up_to("content_reviewed"),
        *up_to("content_reviewed", claim={"score": "voice"}),
    ]
    three = two.model_copy(
        update={"version": "1.0.0", "scoring": (*two.scoring, gap), "evidence": tuple(records)}
    )
    assert computed_status(three) == "content_reviewed"
    assert [rung.score for rung in next_rung(three)] == ["safety", "voice"]
