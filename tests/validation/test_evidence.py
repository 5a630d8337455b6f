"""Evidence records made from results: numbers as in the result, verdicts by the stated bars."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.conftest import Engine
from tests.support import BFI_KEYS, BFI_SCALES, dataset

from collabsurvey.dimensionality import cfa, efa, given_correlations, retention
from collabsurvey.errors import CollabSurveyError, DataError, FaultsError, OptionError
from collabsurvey.instruments import Instrument, combine_instruments, read_instrument
from collabsurvey.instruments import evidence as gates
from collabsurvey.instruments.evidence_file import add_evidence
from collabsurvey.invariance import ladder
from collabsurvey.reliability import alpha, item_analysis, omega, overview, retest
from collabsurvey.responses import Responses, from_frame
from collabsurvey.validation import evidence_rules as rules
from collabsurvey.validation.content_validity import content_validity
from collabsurvey.validation.evidence import evidence, home_of
from collabsurvey.validation.evidence_inputs import counted

ABOUT: dict[str, Any] = {
    "study": "Pilot of the bfi",
    "use": "research",
    "population": "us_adults",
    "year": 2010,
}


def instrument_text(name: str = "bfi", formative: str = "") -> str:
    """An instrument file of the bfi, whose item ids are the columns of the data."""
    lines = [
        f"id: {name}",
        "version: 1.0.0",
        "title: Five factors",
        "kind: own",
        "licence: {items: CC0-1.0, key: CC0-1.0, redistribute_text: true, commercial: true,",
        "          confidence: high}",
        "response_sets: {six: {type: ordinal, values: [1, 2, 3, 4, 5, 6]}}",
        "constructs:",
    ]
    for scale in BFI_KEYS:
        model = "formative" if scale == formative else "reflective"
        lines.append(
            f"  - {{id: c.{scale}, definition: A trait, level: [person], "
            f"direction: higher_is_more, measurement_model: {model}}}"
        )
    lines.append("items:")
    for scale, items in BFI_KEYS.items():
        for item in items:
            key, name = -1 if item.startswith("-") else 1, item.lstrip("-")
            lines.append(
                f"  - {{id: {name}, text: {{en-US: Words of {name}}}, response: six, "
                f"construct: c.{scale}, keyed: {key}}}"
            )
    lines.append("scoring:")
    for scale, items in BFI_SCALES.items():
        lines.append(f"  - {{id: {scale}, title: {scale}, items: [{', '.join(items)}]}}")
    lines.append("use: {intended: [research], not_for: [choosing staff]}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def bfi() -> Instrument:
    return read_instrument(instrument_text())


def answers(instrument: Instrument, rows: slice = slice(0, 900), **options: Any) -> Responses:
    df = dataset("bfi").iloc[rows].reset_index(drop=True)
    df["school"] = df.index % 30
    roles = {"respondent": "id", "cluster": "school"}
    return from_frame(df, instrument=instrument, roles=roles, **options)


@pytest.fixture(scope="module")
def resp(bfi: Instrument) -> Responses:
    return answers(bfi)


# --- what each result says ------------------------------------------------------------------


def test_alpha_with_its_people_and_schools(resp: Responses) -> None:
    result = alpha(resp, "neuro")
    (record,) = found = evidence(result, responses=resp, **ABOUT)
    assert found.instruments == ("bfi",)
    assert record.claim.model_dump() == {
        "score": "neuro",
        "level": "person",
        "population": "us_adults",
        "language": "en-US",  # the only one of the items
        "use": "research",
    }
    assert record.value == round(result.estimate, 4)
    assert record.ci == (round(result.ci_low, 4), round(result.ci_high, 4))
    assert (record.sample.n, record.sample.n_groups) == (result.n_respondents, 30)
    assert (record.sample.kind, record.sample.year) == ("real", 2010)
    assert (record.id, record.instrument_version) == ("ev-2010-01", "1.0.0")
    assert record.verdict == "supports"
    assert "supports from 0.70 (for research)" in record.method


def test_a_pilot_opens_the_gate_of_pilots(resp: Responses) -> None:
    results = [omega(resp, "neuro", n_boot=100, progress=False), item_analysis(resp, "neuro")]
    found = evidence(results, responses=resp, **ABOUT)
    assert [one.statistic.split(" (")[0] for one in found] == [
        "omega_total",
        "item statistics",
        "missingness",
    ]
    assert [one.id for one in found] == ["ev-2010-01", "ev-2010-02", "ev-2010-03"]
    assert gates.piloted(list(found))
    assert not gates.content_reviewed(list(found))  # missing answers are no interviews
    frame = results[1].to_frame()
    assert found[1].value == round(frame["item_rest"].min(), 4)
    assert found[2].value == round(frame["missing"].max(), 4)
    assert found[2].verdict == "mixed"
    for j in range(3):
        assert not gates.piloted([one for k, one in enumerate(found) if k != j])


def test_an_overview_gives_a_record_for_each_scale(resp: Responses) -> None:
    result = overview(resp, ["agree", "open"])
    found = evidence(result, responses=resp, **ABOUT)
    assert [one.claim.score for one in found] == ["agree", "open"]
    assert [one.value for one in found] == [round(one.estimate, 4) for one in result.results]
    assert found[1].verdict == "against"  # the bfi's openness is a short scale
    parts = answers(resp.instrument).replace(roles=dict(resp.roles) | {"staff_role": "gender"})
    with pytest.raises(DataError, match="Run it without by="):
        evidence(overview(parts, ["agree"], by="staff_role"), responses=parts, **ABOUT)


def test_exploratory_and_confirmatory_analyses_open_their_gate(bfi: Instrument) -> None:
    first, second = answers(bfi, slice(0, 900)), answers(bfi, slice(900, 2800))
    explored = efa(first, ["neuro", "consc"], 2)
    found = evidence(explored, **ABOUT)  # its answers come with it
    assert [one.claim.score for one in found] == ["consc", "neuro"]
    assert {one.verdict for one in found} == {"supports"}
    loadings = explored.loadings.loc[BFI_SCALES["neuro"]].to_numpy()
    assert found[1].value == round(float(np.abs(loadings).max(axis=1).min()), 4)
    assert found[1].sample.n == explored.n
    model = "neuro =~ N1 + N2 + N3 + N4 + N5\nconsc =~ C1 + C2 + C3 + C4 + C5"
    confirmed = cfa(second, model, estimator="MLR")
    records = evidence(confirmed, responses=second, **ABOUT | {"study": "Another sample"})
    assert records[0].value == round(confirmed.fit["cfi_robust"], 4)
    assert "MLR" in records[0].method
    assert f"RMSEA (robust) {confirmed.fit['rmsea_robust']:.3f}" in records[0].method
    assert records[0].sample.n == confirmed.n_obs
    assert records[0].verdict == "against"  # CFI .887, RMSEA .099
    (alone,) = evidence(cfa(second, "consc =~ C1 + C2 + C3 + C4 + C5"), responses=second, **ABOUT)
    assert alone.verdict == "mixed"  # CFI .94 and SRMR .04, but RMSEA .10
    fine = [one.model_copy(update={"verdict": "supports"}) for one in records]
    assert gates.structure_supported([*found, *fine])
    assert not gates.structure_supported([*found, *records])
    assert not gates.structure_supported(list(found))
    assert not gates.structure_supported(fine)


def test_two_scales_on_one_factor_do_not_support_either(resp: Responses) -> None:
    with pytest.raises(DataError, match="was analysed as a whole"):
        evidence(efa(resp, ["agree", "extra"], 1), **ABOUT)
    merged = evidence(efa(resp, ["agree", "extra", "neuro"], 2), **ABOUT)
    assert [one.claim.score for one in merged] == ["agree", "extra", "neuro"]
    # Two factors cannot tell three scales apart, which is no fault of theirs.
    assert [one.verdict for one in merged][:2] == ["mixed", "mixed"]
    assert "shares its factor with extra; fewer factors than the 3 scales" in merged[0].method
    (alone,) = evidence(efa(resp, ["agree", "extra", "neuro"], 2), scale="agree", **ABOUT)
    assert (alone.verdict, alone.method) == ("mixed", merged[0].method)
    assert "shares its factor with extra" in merged[0].method


def test_a_model_that_cannot_fail_supports_nothing(resp: Responses) -> None:
    text = instrument_text().replace("items: [N1, N2, N3, N4, N5]", "items: [N1, N2, N3]")
    text = re.sub(r"  - \{id: N[45],[^\n]*\n", "", text)
    short = resp.replace(instrument=read_instrument(text))
    result = cfa(short, "neuro =~ N1 + N2 + N3")
    (record,) = evidence(result, responses=short, **ABOUT)
    assert record.verdict == "mixed"
    assert "Without degrees of freedom any answers would fit" in record.method


def test_how_many_factors(resp: Responses) -> None:
    result = retention(resp, ["neuro", "consc"])
    found = evidence(result, **ABOUT)
    assert [one.statistic for one in found] == ["number of factors"] * 2
    assert {one.verdict for one in found} == {
        rules.judge_number(result.suggested, 2).verdict,
    }
    assert not gates.structure_supported(list(found))


def test_invariance_between_groups(resp: Responses) -> None:
    result = ladder(resp, "extra =~ E1 + E2 + E3 + E4 + E5", "gender")
    (record,) = evidence(result, responses=resp, **ABOUT)
    assert record.statistic == f"measurement invariance by gender: {result.highest}"
    assert record.sample.n == sum(result.sizes)
    assert (record.value, record.verdict) == (None, "mixed" if result.cautions else "supports")
    assert all(level in record.method for level in result.levels)
    assert not re.search(r"\bcfa\b|\befa\b|exploratory|confirmatory", record.method, re.I)
    other = answers(resp.instrument, slice(0, 800))
    with pytest.raises(DataError, match="made from"):
        evidence(result, responses=other, **ABOUT)


def test_retest_counts_people_and_asks_for_the_time_between(bfi: Instrument) -> None:
    first, second = answers(bfi, slice(0, 300)), answers(bfi, slice(300, 600))
    ids = first.frame["id"].to_numpy()
    noise = np.random.default_rng(1).integers(-1, 2, size=(300, 25))
    again = first.frame.copy()
    again[list(bfi.item_ids)] = (first.frame[list(bfi.item_ids)] + noise).clip(1, 6)
    second = second.replace(frame=again.assign(id=ids))
    result = retest(first, second, "neuro", cluster=None)
    with pytest.raises(OptionError, match="weeks between"):
        evidence(result, responses=(first, second), **ABOUT)
    (record,) = evidence(result, responses=(first, second), weeks_apart=3, **ABOUT)
    assert (record.value, record.sample.n) == (round(result.estimate, 4), result.n)
    assert record.verdict == "supports"
    assert gates.says(record, r"re-?test")
    (late,) = evidence(result, responses=first, weeks_apart=26, **ABOUT)
    assert late.verdict == "mixed"
    with pytest.raises(OptionError, match="a number of weeks"):
        evidence(result, responses=first, weeks_apart="3", **ABOUT)  # type: ignore[arg-type]


def ratings(instrument: Instrument, low: dict[str, int], n: int = 9) -> pd.DataFrame:
    """Everybody finds every item relevant, but for `low`: how many do."""
    rows = [
        {"rater": f"r{j}", "item": item, "relevance": 4 if j < low.get(item, n) else 1}
        for item in BFI_SCALES["neuro"]
        for j in range(n)
    ]
    return pd.DataFrame(rows)


def test_content_validity_indices(bfi: Instrument) -> None:
    about = ABOUT | {"instrument": bfi}
    result = content_validity(ratings(bfi, {"N1": 7}), instrument=bfi)
    found = evidence(result, **about)
    assert [one.statistic for one in found] == ["I-CVI (lowest)", "S-CVI/Ave"]
    assert found[0].value == 0.78  # 7 of 9, as Lynn (1986) prints it
    assert found[1].value == round((4 + 7 / 9) / 5, 4)
    assert {one.verdict for one in found} == {"supports"}
    assert {one.sample.n for one in found} == {9}
    interviews = found[0].model_copy(update={"source_type": "response_process"})
    assert gates.content_reviewed([*found, interviews])
    low = evidence(content_validity(ratings(bfi, {"N1": 5}), instrument=bfi), **about)
    assert {one.verdict for one in low} == {"mixed"}  # also of the S-CVI, though it is met
    few = evidence(content_validity(ratings(bfi, {}, 5), instrument=bfi), **about)
    assert {one.verdict for one in few} == {"mixed"}
    assert evidence(result, level="dyad", **about)[0].claim.level == "dyad"


# --- the bars -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("use", "bar"),
    [
        ("research", 0.70),
        ("Research on staff", 0.70),
        ("group_feedback", 0.80),
        ("feedback to schools", 0.80),
        ("individual feedback", 0.90),
        ("something else", 0.90),
    ],
)
def test_the_bar_of_reliability_depends_on_the_use(use: str, bar: float) -> None:
    assert rules.reliability_bar(use)[0] == bar
    assert rules.judge_reliability(bar, bar + 0.05, use).verdict == "supports"
    assert rules.judge_reliability(bar - 0.001, bar + 0.05, use).verdict == "mixed"
    assert rules.judge_reliability(0.5, 0.699, use).verdict == "against"
    assert rules.judge_reliability(0.95, float("nan"), use).verdict == "mixed"


def test_the_bars_of_a_factor_model() -> None:
    good: dict[str, Any] = {"df": 5.0, "sound": True}
    loadings = [0.7, 0.3]

    def verdict(cfi: float, rmsea: float, srmr: float, n: int = 200, **more: Any) -> str:
        return rules.judge_confirmed(
            cfi, rmsea, srmr, more.pop("loadings", loadings), n, **{**good, **more}
        ).verdict

    assert verdict(0.95, 0.06, 0.08) == "supports"
    assert verdict(0.949, 0.06, 0.08) == verdict(0.95, 0.061, 0.08) == "mixed"
    assert verdict(0.949, 0.06, 0.081) == verdict(0.80, 0.06, 0.08) == "mixed"
    assert verdict(0.899, 0.081, 0.08) == verdict(0.95, 0.081, 0.081) == "against"
    assert verdict(float("nan"), 0.081, 0.08) == verdict(0.8, float("nan"), 0.08) == "against"
    assert verdict(1, 0, 0, n=199) == verdict(1, 0, 0, sound=False) == "mixed"
    assert verdict(1, 0, 0, loadings=[0.7, 0.29]) == verdict(1, 0, 0, df=0.0) == "mixed"


def test_the_bars_of_a_retest() -> None:
    assert rules.judge_retest(0.70, 0.8, 50, 2).verdict == "supports"
    assert rules.judge_retest(0.70, 0.8, 49, 2).verdict == "mixed"
    assert rules.judge_retest(0.70, 0.8, 50, 5).verdict == "mixed"
    assert rules.judge_retest(0.65, 0.72, 50, 2).verdict == "mixed"
    assert rules.judge_retest(0.5, 0.69, 49, 2).verdict == "against"


def test_the_bars_of_the_others() -> None:
    assert rules.judge_items([0.3, 0.5]).verdict == "supports"
    assert rules.judge_items([0.29, 0.5]).verdict == "mixed"
    assert rules.judge_items([-0.01, 0.5]).verdict == "against"
    assert rules.judge_items([-0.01, 0.5], "they need not").verdict == "mixed"
    for highest, expected in (
        ("strict", "supports"),
        ("scalar", "supports"),
        ("intercepts", "supports"),
        ("metric", "mixed"),
        ("thresholds", "mixed"),
        (None, "against"),
    ):
        assert rules.judge_invariance(highest, rough=False, partial=False).verdict == expected
    assert rules.judge_invariance("strict", rough=True, partial=False).verdict == "mixed"
    assert rules.judge_invariance("strict", rough=False, partial=True).verdict == "mixed"
    sound: dict[str, Any] = {"sound": True, "testable": True}
    assert rules.judge_explored([True, True], 200, **sound).verdict == "supports"
    assert rules.judge_explored([True, True], 199, **sound).verdict == "mixed"
    assert rules.judge_explored([True, False], 200, **sound).verdict == "mixed"
    assert rules.judge_explored([False, False, True], 200, **sound).verdict == "against"
    # Few people, or fewer factors than scales, speak neither for nor against.
    assert rules.judge_explored([False, False, True], 86, **sound).verdict == "mixed"
    few = rules.judge_explored([False, False, True], 200, **sound, enough_factors=False)
    assert few.verdict == "mixed"
    # A correlation of -.10 is chance with 200 people (-.117 is not), and with any ten.
    assert rules.judge_items([-0.10, 0.5], n=[200, 200]).verdict == "mixed"
    assert rules.judge_items([-0.12, 0.5], n=[200, 200]).verdict == "against"
    assert rules.judge_items([-0.90, 0.5], n=[10, 10]).verdict == "mixed"
    assert rules.judge_number((2,), 2).verdict == "supports"
    assert rules.judge_number((2, 3), 2).verdict == "mixed"
    assert rules.judge_number((3,), 2).verdict == "against"
    assert rules.judge_content([0.777, 1.0], 0.9, 6, 6).verdict == "supports"
    assert rules.judge_content([0.5, 0.5], 0.5, 6, 6).verdict == "against"


def test_a_verdict_may_be_lowered_and_never_raised(resp: Responses) -> None:
    result = alpha(resp, "neuro")
    (record,) = evidence(result, responses=resp, verdict="against", **ABOUT)
    assert record.verdict == "against"
    assert "Verdict: supports. " in record.method
    assert record.method.endswith("Lowered to against by the authors.")
    with pytest.raises(DataError, match="'supports' is refused: alpha of open comes to 'against'"):
        evidence(alpha(resp, "open"), responses=resp, verdict="supports", **ABOUT)


# --- refusing -------------------------------------------------------------------------------


def test_synthetic_answers_are_refused(bfi: Instrument, tmp_path: Path) -> None:
    drawn = answers(bfi, synthetic=True)
    real = answers(bfi)
    model = "neuro =~ N1 + N2 + N3 + N4 + N5"
    for result in (
        alpha(drawn, "neuro"),
        overview(drawn, ["neuro"]),
        item_analysis(drawn, "neuro"),
        efa(drawn, "neuro", 1),
        cfa(drawn, model),
        ladder(drawn, model, "gender"),
    ):
        for given in (drawn, real):  # also where other answers are handed in for them
            with pytest.raises(DataError, match="they prove code, not the questionnaire"):
                evidence(result, responses=given, **ABOUT)
    (record,) = evidence(alpha(drawn, "neuro"), responses=drawn, simulated=True, **ABOUT)
    assert (record.sample.kind, record.claim.population) == ("simulated", "simulated")
    assert not gates.counts(record, "1.0.0")
    path = tmp_path / "bfi.yaml"
    path.write_text(instrument_text())
    with pytest.raises(FaultsError, match="they prove code"):
        add_evidence(path, record)
    assert add_evidence(path, record, simulated=True).new_status == "draft"


def test_answers_that_the_result_was_not_made_from(resp: Responses, bfi: Instrument) -> None:
    other = answers(bfi, slice(0, 500))
    model = "neuro =~ N1 + N2 + N3 + N4 + N5"
    for result in (
        alpha(resp, "neuro"),
        alpha(resp, "neuro", missing="pairwise", cluster=None),
        alpha(resp, "neuro", missing="fiml"),
        item_analysis(resp, "neuro"),
        item_analysis(resp, "neuro", missing="pairwise"),
        cfa(resp, model),
        efa(resp, "neuro", 1),
    ):
        with pytest.raises(DataError, match="hand in the answers that it was made from"):
            evidence(result, responses=other, **ABOUT)
        assert evidence(result, responses=resp, **ABOUT)[0].claim.score == "neuro"
    with pytest.raises(DataError, match="Say which answers the result was made from"):
        evidence(alpha(resp, "neuro"), **ABOUT)
    given = given_correlations(np.eye(5) * 0.5 + 0.5, 300, items=BFI_SCALES["neuro"])
    with pytest.raises(DataError, match="Say which answers"):
        evidence(efa(given, n_factors=1), **ABOUT)


def test_what_is_about_no_score_of_the_instrument(resp: Responses) -> None:
    with pytest.raises(DataError, match="are no scale of 'bfi'"):
        evidence(alpha(resp, ["N1", "N2", "N3"]), responses=resp, **ABOUT)
    with pytest.raises(DataError, match="was analysed as a whole"):
        evidence(cfa(resp, "f =~ N1 + N2 + N3 + N4"), responses=resp, **ABOUT)
    bare = from_frame(resp.frame, scales={"neuro": BFI_SCALES["neuro"]})
    with pytest.raises(DataError, match="without an instrument file"):
        evidence(alpha(bare, "neuro"), responses=bare, **ABOUT)
    formative = resp.replace(instrument=read_instrument(instrument_text(formative="neuro")))
    with pytest.raises(DataError, match="internal consistency says nothing"):
        evidence(alpha(formative, "neuro"), responses=formative, **ABOUT)
    with pytest.raises(DataError, match="Factors are no evidence"):
        evidence(efa(formative, "neuro", 1), **ABOUT)
    items = evidence(item_analysis(formative, "neuro"), responses=formative, **ABOUT)
    assert items[0].verdict == "mixed"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"study": " "}, "study="),
        ({"use": ""}, "use="),
        ({"population": ""}, "population="),
        ({"use": "Choosing staff"}, "'bfi' is not to be used for 'choosing staff'"),
        ({"language": "fr"}, "language='fr'"),
        ({"level": "school"}, "level='school'"),
        ({"verdict": "good"}, "verdict='good'"),
        ({"response_rate": 41}, "'sample.response_rate' should be at most 1, not 41"),
        ({"year": "soon"}, "'sample.year' should be a whole number, not 'soon'"),
        ({"independent_of_authors": "no"}, "should be true or false, not 'no'"),
        ({"doi": 3}, "'study.doi' should be text"),
        ({"responses": 3}, "responses='int'"),
        ({"scale": "neuroo"}, "Did you mean 'neuro'?"),
        ({"scale": "agree"}, "are no scale of 'bfi'"),
    ],
)
def test_options_that_cannot_be(resp: Responses, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(CollabSurveyError) as caught:
        evidence(alpha(resp, "neuro"), **{"responses": resp, **ABOUT, **options})
    assert sentence in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 2


def test_other_objects_are_refused(resp: Responses) -> None:
    for wrong in (3, "alpha", None, resp, [3], alpha):
        with pytest.raises(OptionError, match="AlphaResult"):
            evidence(wrong, responses=resp, **ABOUT)
    with pytest.raises(OptionError, match="a list of results"):
        evidence([], responses=resp, **ABOUT)


# --- people, schools, instruments -----------------------------------------------------------


def test_people_who_answered_twice_count_once(resp: Responses, bfi: Instrument) -> None:
    df = pd.concat([resp.frame.assign(wave=1), resp.frame.assign(wave=2)])
    twice = from_frame(
        df, instrument=bfi, roles={"respondent": "id", "cluster": "school", "wave": "wave"}
    )
    result = alpha(twice, "neuro")
    (record,) = evidence(result, responses=twice, **ABOUT)
    assert record.sample.n * 2 == result.n_respondents
    weighted = replace(
        resp,
        frame=resp.frame.assign(w=(resp.frame.index < 100).astype(float)),
        roles={**resp.roles, "weight": "w"},
    )
    assert counted(weighted, ("A1",), complete=False).n_rows <= 100


def test_every_engine_counts_alike(engine: Engine, resp: Responses) -> None:
    other = resp.replace(frame=engine(resp.frame))
    for complete in (True, False):
        assert counted(other, BFI_SCALES["neuro"], complete=complete) == counted(
            resp, BFI_SCALES["neuro"], complete=complete
        )
    result = alpha(other, "neuro", ci="feldt")
    assert evidence(result, responses=other, **ABOUT)[0].sample.n_groups == 30


def test_each_score_of_a_combined_survey_goes_home(bfi: Instrument) -> None:
    text = instrument_text("other").replace("version: 1.0.0", "version: 2.1.0")
    text = re.sub(r"\b([ACENO][1-5])\b", r"x\1", text)
    for scale in BFI_SCALES:
        text = text.replace(f"{{id: {scale}", f"{{id: x{scale}").replace(
            f"c.{scale}", f"xc.{scale}"
        )
    other = read_instrument(text)
    both = combine_instruments([bfi, other])
    assert home_of(both, "neuro") == ("bfi", "1.0.0")
    assert home_of(both, "xneuro") == ("other", "2.1.0")
    df = dataset("bfi").iloc[:400].reset_index(drop=True)
    df = df.join(df[list(bfi.item_ids)].add_prefix("x"))
    responses = from_frame(df, instrument=both, roles={"respondent": "id"})
    found = evidence(overview(responses, ["neuro", "xneuro"]), responses=responses, **ABOUT)
    assert found.instruments == ("bfi", "other")
    assert [one.instrument_version for one in found] == ["1.0.0", "2.1.0"]
    assert [one.claim.score for one in found.of("other")] == ["xneuro"]


def test_records_go_into_the_file_of_their_instrument(resp: Responses, tmp_path: Path) -> None:
    path = tmp_path / "bfi.yaml"
    path.write_text(instrument_text())
    results = [alpha(resp, "neuro"), item_analysis(resp, "neuro"), efa(resp, "neuro", 1)]
    got = add_evidence(path, evidence(results, responses=resp, **ABOUT))
    assert len(got.instrument.evidence) == 4
    assert got.new_status == "draft"
    assert "raters judge how relevant each item is" in got.summary()
