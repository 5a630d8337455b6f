"""A study's records in one go: the same as of single results, and what is left out is said."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.conftest import Engine
from tests.support import BFI_SCALES, dataset
from tests.validation.test_evidence import ABOUT, answers
from tests.validation.test_evidence import instrument_text as text_of

from collabsurvey.dimensionality import cfa, efa
from collabsurvey.errors import CollabSurveyError, DataError, OptionError, UnknownNameError
from collabsurvey.instruments import (
    EvidenceRecords,
    Instrument,
    load_instrument,
    read_instrument,
)
from collabsurvey.instruments import evidence as gates
from collabsurvey.instruments.evidence_file import add_evidence
from collabsurvey.instruments.model import Evidence
from collabsurvey.reliability import alpha, item_analysis, omega, retest
from collabsurvey.responses import Responses, from_frame
from collabsurvey.simulation import simulate_cohort
from collabsurvey.validation.evidence import evidence
from collabsurvey.validation.evidence_of_scales import (
    ScaleEvidence,
    Structure,
    evidence_of_scales,
)
from collabsurvey.validation.evidence_rows import asked_rows


def instrument_text(formative: str = "") -> str:
    """The bfi with another wording for every item, as a questionnaire has it."""
    return re.sub(
        r"id: (\w+), text: {en-US: Words}",
        r"id: \1, text: {en-US: Is it \1}",
        text_of(formative=formative),
    )


QUICK: dict[str, Any] = {**ABOUT, "n_boot": 100}


@pytest.fixture(scope="module")
def bfi() -> Instrument:
    return read_instrument(instrument_text())


@pytest.fixture(scope="module")
def resp(bfi: Instrument) -> Responses:
    return answers(bfi)


def bodies(records: EvidenceRecords) -> list[Evidence]:
    """Records without their ids, which are numbered in one row."""
    return [record.model_copy(update={"id": ""}) for record in records]


def test_the_records_are_those_of_the_single_results(resp: Responses) -> None:
    found = evidence_of_scales(resp, scales=["neuro", "open"], **QUICK)
    single: list[Evidence] = []
    for scale in ("neuro", "open"):
        results = [
            alpha(resp, scale, n_boot=100),
            omega(resp, scale, n_boot=100, progress=False),
            item_analysis(resp, scale),
            efa(resp, scale, 1),
        ]
        single += bodies(evidence(results, responses=resp, scale=scale, **ABOUT))
    assert bodies(found) == single
    assert [record.id for record in found] == [f"ev-2010-{j:02d}" for j in range(1, 11)]
    assert set(found.instruments) == {"bfi"}
    assert found.notes == ()
    assert gates.piloted([one for one in found if one.claim.score == "neuro"])


def test_all_scales_are_taken_and_add_up_to_a_file(
    resp: Responses, tmp_path: Any, bfi: Instrument
) -> None:
    found = evidence_of_scales(resp, coefficients="alpha", structure="none", **QUICK)
    assert list(dict.fromkeys(one.claim.score for one in found)) == list(BFI_SCALES)
    assert len(found) == 3 * len(BFI_SCALES)
    path = tmp_path / "bfi.yaml"
    path.write_text(instrument_text())
    assert len(add_evidence(path, found).instrument.evidence) == len(found)


def test_a_confirmatory_analysis_is_of_every_answer(resp: Responses) -> None:
    found = evidence_of_scales(
        resp, scales=["neuro"], coefficients="omega", structure="cfa", **QUICK
    )
    assert [one.statistic.split(" (")[0] for one in found] == [
        "omega_total",
        "item statistics",
        "missingness",
        "CFA",
    ]
    model = "factor =~ " + " + ".join(BFI_SCALES["neuro"])
    fit = cfa(resp, model, "MLR", missing="fiml", cluster="auto")
    assert bodies(found)[-1:] == bodies(evidence(fit, responses=resp, scale="neuro", **ABOUT))


def test_few_people_and_few_items_have_no_structure(bfi: Instrument) -> None:
    few = answers(bfi, slice(0, 150))
    found = evidence_of_scales(few, scales=["neuro"], coefficients="alpha", **QUICK)
    assert not any("EFA" in one.statistic for one in found)
    (note,) = found.notes
    assert re.fullmatch(
        r"neuro: no EFA: 1\d\d people who answered every item, and 200 are .*", note
    )
    short = instrument_text().replace(
        "items: [N1, N2, N3, N4, N5]}",
        "items: [N1, N2, N3]}\n  - {id: rest, title: rest, items: [N4, N5]}",
    )
    (note,) = evidence_of_scales(
        answers(read_instrument(short)), scales=["neuro"], coefficients="alpha", **QUICK
    ).notes
    assert note == "neuro: no EFA: a single factor of 3 items always fits."


def test_a_formative_scale_has_items_and_no_alpha(bfi: Instrument) -> None:
    formative = answers(read_instrument(instrument_text(formative="neuro")))
    found = evidence_of_scales(formative, scales=["neuro"], **QUICK)
    assert [one.source_type for one in found] == ["internal_structure", "response_process"]
    assert "no alpha, omega or structure: the construct 'c.neuro' is formative" in found.notes[0]


def test_a_scale_without_variance_is_said_and_the_others_stay(resp: Responses) -> None:
    flat = resp.replace(frame=resp.frame.assign(N1=3))
    found = evidence_of_scales(
        flat, scales=["neuro", "agree"], coefficients="alpha", structure="none", **QUICK
    )
    assert {one.claim.score for one in found} == {"agree"}
    assert [note.split(". ")[0] for note in found.notes] == [
        "neuro: Alpha could not be run",
        "neuro: The item analysis could not be run",
    ]
    with pytest.raises(DataError, match="No record could be made. neuro: Alpha could not be run"):
        evidence_of_scales(flat, scales=["neuro"], coefficients="alpha", structure="none", **QUICK)


def test_few_answers_are_taken_as_ordered_steps(bfi: Instrument) -> None:
    text = instrument_text().replace("[1, 2, 3, 4, 5, 6]", "[1, 2, 3]")
    df = dataset("bfi").iloc[:700].reset_index(drop=True)
    df[list(bfi.item_ids)] = np.ceil(df[list(bfi.item_ids)] / 2)
    three = from_frame(df, instrument=read_instrument(text), roles={"respondent": "id"})
    looked: tuple[tuple[Structure, str], ...] = (
        ("efa", "polychoric correlations"),
        ("cfa", "CFA, WLSMV, "),
    )
    for structure, word in looked:
        found = evidence_of_scales(
            three, scales=["neuro"], coefficients="alpha", structure=structure, **QUICK
        )
        assert word in found[-1].method


# --- shipped instruments --------------------------------------------------------------------


@pytest.fixture(scope="module")
def drawn() -> Responses:
    return simulate_cohort(
        ["trust", "relational_context", "shared_meaning"],
        n_schools=12,
        n_staff=30,
        waves=1,
        partners=2,
        seed=4,
    ).responses


SIMULATED: dict[str, Any] = {"study": "S", "use": "research", "simulated": True, "n_boot": 100}


def test_shares_picks_and_ranks_are_skipped_with_a_reason(drawn: Responses) -> None:
    found = evidence_of_scales(drawn, coefficients="alpha", structure="none", **SIMULATED)
    scored = {one.claim.score for one in found}
    said = {note.split(":")[0]: note for note in found.notes}
    for name, word in (
        ("ctx.now", "(ipsative)"),
        ("ctx.shift", "it is a distance"),
        ("ctx.like.network", "a single item"),
        ("mng.cards", "is no sum of items"),
        ("mng.rank", "is no sum of items"),
    ):
        assert name not in scored
        assert word in said[name]
    totals = {"tru.economise", "tru.invest"}  # their parts add up and need not go together
    assert all("is formative" in said[name] for name in totals)
    assert {one.claim.score for one in found if one.statistic == "alpha"} == scored - totals


def test_a_total_of_scales_is_a_factor_above_them(drawn: Responses) -> None:
    alike = [
        one.model_copy(update={"measurement_model": "reflective"})
        for one in drawn.instrument.constructs
    ]
    instrument = drawn.instrument.model_copy(update={"constructs": tuple(alike)})
    drawn = drawn.replace(instrument=instrument)
    found = evidence_of_scales(drawn, scales=["tru.invest"], structure="cfa", **SIMULATED)
    parts = [one for one in drawn.instrument.scoring if one.id.startswith("tru.invest.")]
    text = "top =~ " + " + ".join(f"f{j}" for j in range(len(parts)))
    text += "".join(f"\nf{j} =~ {' + '.join(one.items)}" for j, one in enumerate(parts))
    rows = drawn.replace(frame=drawn.frame[drawn.frame["partner"].notna()])
    fit = cfa(rows, text, "MLR", missing="fiml", cluster="auto")
    assert found[-1].value == round(fit.fit["cfi_robust"], 4)
    assert not any("omega" in one.statistic for one in found)
    assert "tru.invest: no omega of one factor: it is made of tru.invest.promises" in found.notes[0]
    (_, explored, _) = evidence_of_scales(drawn, scales=["tru.invest"], **SIMULATED).notes
    assert explored.endswith("so one factor is not its plan.")


def test_questions_about_a_partner_are_not_missing_elsewhere(drawn: Responses) -> None:
    frame = drawn.frame
    about = frame["partner"].notna()
    assert 0 < about.sum() < len(frame)
    found = evidence_of_scales(
        drawn, scales=["tru.invest.people", "mng.felt"], coefficients="alpha", **SIMULATED
    )
    for scale, rows in (("tru.invest.people", about), ("mng.felt", ~about)):
        items = list(drawn.instrument.scale(scale).items)
        expected = frame.loc[rows, items].isna().mean().max()
        (missing,) = [
            one for one in found if one.claim.score == scale and "missingness" in one.statistic
        ]
        assert missing.value == round(expected, 4)
        assert expected < 0.15 < frame[items].isna().mean().max()
        assert missing.sample.n == frame.loc[rows, "respondent"].nunique()
    assert found.notes[-1] == (
        f"Questions that name a partner were analysed over the {about.sum()} rows about one, the "
        f"others over the {(~about).sum()} rows about none."
    )


def test_every_engine_has_the_same_rows(engine: Engine, drawn: Responses) -> None:
    other = drawn.replace(frame=engine(drawn.frame))
    for items in (("mng.felt.01", "mng.felt.02"), ("tru.expect.01", "tru.expect.02")):
        mine, theirs = asked_rows(drawn, items), asked_rows(other, items)
        pd.testing.assert_frame_equal(mine.frame, theirs.frame)
        assert mine.roles == theirs.roles


# --- the second occasion --------------------------------------------------------------------


def two_occasions() -> tuple[Responses, Responses]:
    cohort = simulate_cohort(
        ["cynicism"], n_schools=12, n_staff=30, truth={"stability": 0.95, "turnover": 0.0}, seed=9
    )
    frame, made = cohort.responses.frame, cohort.responses
    first, second = (made.replace(frame=frame[frame["wave"] == wave]) for wave in (1, 2))
    return first, second


def test_a_retest_makes_one_more_record() -> None:
    first, second = two_occasions()
    found = evidence_of_scales(
        first, retest=second, weeks_apart=3, coefficients="alpha", structure="none", **SIMULATED
    )
    result = retest(first, second, "cyn.change")
    assert found[-1].statistic == "test-retest ICC(2,1)"
    assert found[-1].value == round(result.estimate, 4)
    assert "3 weeks apart" in found[-1].method


# --- refusing -------------------------------------------------------------------------------


def test_synthetic_answers_are_refused_before_anything_is_run(bfi: Instrument) -> None:
    first, second = two_occasions()
    real = first.replace(synthetic=False)
    about: dict[str, Any] = {**ABOUT, "population": "uk"}
    for one, other in ((first, None), (real, second)):
        with pytest.raises(DataError, match="they prove code, not the questionnaire"):
            evidence_of_scales(one, retest=other, weeks_apart=None if other is None else 3, **about)
    found = evidence_of_scales(first, coefficients="alpha", structure="none", **SIMULATED)
    assert {one.sample.kind for one in found} == {"simulated"}
    assert not any(gates.counts(one, one.instrument_version) for one in found)


@pytest.mark.parametrize(
    ("mark", "refused"),
    [("true", True), ("False", False), (True, True), (False, False), (1, True), (0, False)],
)
def test_a_file_of_a_cohort_says_itself_that_it_is_synthetic(
    resp: Responses, mark: object, refused: bool
) -> None:
    frame = resp.frame.assign(synthetic=mark)
    marked = from_frame(frame, instrument=resp.instrument, roles=dict(resp.roles))
    options = {**QUICK, "scales": ["neuro"], "coefficients": "alpha", "structure": "none"}
    if refused:
        with pytest.raises(DataError, match="synthetic"):
            evidence_of_scales(marked, **options)
    else:
        assert len(evidence_of_scales(marked, **options)) == 3


def test_several_waves_are_refused() -> None:
    first, second = two_occasions()
    both = first.replace(frame=pd.concat([first.frame, second.frame]))
    with pytest.raises(DataError, match="of the waves 1, 2, and a record is about one occasion"):
        evidence_of_scales(both, **SIMULATED)


@pytest.mark.parametrize(
    ("options", "kind", "sentence"),
    [
        ({"coefficients": "beta"}, OptionError, "coefficients='beta'"),
        ({"structure": "pca"}, OptionError, "structure='pca'"),
        ({"retest": 3, "weeks_apart": 2}, OptionError, "retest='int'"),
        ({"weeks_apart": 2}, OptionError, "retest=None"),
        ({"scales": ["neuroo"]}, UnknownNameError, "Did you mean 'neuro'?"),
        ({"use": "Choosing staff"}, DataError, "is not to be used for 'choosing staff'"),
        ({"population": ""}, OptionError, "population="),
        ({"language": "fr"}, OptionError, "language='fr'"),
    ],
)
def test_options_that_cannot_be(
    resp: Responses, options: dict[str, Any], kind: type[CollabSurveyError], sentence: str
) -> None:
    quick = {"scales": ["neuro"], "coefficients": "alpha", "structure": "none"}
    with pytest.raises(kind) as caught:
        evidence_of_scales(resp, **{**QUICK, **quick, **options})
    assert sentence in str(caught.value)


def test_retest_needs_weeks_and_answers_an_instrument(resp: Responses) -> None:
    with pytest.raises(OptionError, match="weeks between the two occasions"):
        evidence_of_scales(resp, retest=resp, **QUICK)
    bare = from_frame(resp.frame, scales={"neuro": BFI_SCALES["neuro"]})
    with pytest.raises(DataError, match="without an instrument file"):
        evidence_of_scales(bare, **QUICK)
    with pytest.raises(DataError, match="takes Responses"):
        evidence_of_scales(resp.frame, **QUICK)


def test_the_table_shows_what_was_left_out(bfi: Instrument) -> None:
    found = evidence_of_scales(
        answers(bfi, slice(0, 150)), scales=["neuro"], coefficients="alpha", **QUICK
    )
    assert isinstance(found, ScaleEvidence)
    assert isinstance(found.of("bfi"), EvidenceRecords)
    text = found.summary()
    assert "3 evidence records" in text
    assert "neuro: no EFA" in text


def test_no_shipped_instrument_is_left_without_a_reason() -> None:
    for name in ("route", "resource_dependence"):
        cohort = simulate_cohort(name, n_schools=12, n_staff=20, waves=1, seed=2)
        found = evidence_of_scales(
            cohort.responses, coefficients="alpha", structure="none", **SIMULATED
        )
        said = {one.claim.score for one in found} | {note.split(":")[0] for note in found.notes}
        assert said >= set(load_instrument(name).scale_ids)
