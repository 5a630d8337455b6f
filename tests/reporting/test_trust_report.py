"""Can the answers be trusted: what may be shown of it, and how it is said."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from collabsurvey.quality import screen
from collabsurvey.reporting import RunRecord, release, render_html, write_folder
from collabsurvey.reporting.figures import MISSING_MAP, all_figures
from collabsurvey.reporting.record import AbsenceRecord, ScreeningRecord
from collabsurvey.reporting.sections.trust import screening_words
from collabsurvey.responses import Responses, from_frame
from collabsurvey.study.trust import completeness
from collabsurvey.validation import impact, who_is_missing

pytestmark = pytest.mark.filterwarnings("ignore::collabsurvey.errors.CollabSurveyWarning")

KEY = b"0123456789abcdef"
SCALES = {name: [f"{name}{i}" for i in range(1, 5)] for name in ("open", "help", "aim")}
ITEMS = [item for items in SCALES.values() for item in items]
N_STRAIGHT = 24


def answers(n: int = 300, n_straight: int = N_STRAIGHT) -> Responses:
    """Three things, the fourth item of each reversed; the first people answer 5 throughout."""
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(
        {
            "id": [f"Q-{i:04d}" for i in range(n)],
            "school": [f"School {i % 9}" for i in range(n)],
            "job": np.where(np.arange(n) % 2 == 0, "lead_staff", "teacher"),
        }
    )
    for items in SCALES.values():
        thing = rng.normal(size=n)
        for place, item in enumerate(items):
            latent = (-1 if place == 3 else 1) * thing + 0.7 * rng.normal(size=n)
            frame[item] = np.clip(np.round(3 + latent), 1, 5)
    frame.loc[: n_straight - 1, ITEMS] = 5.0
    frame.loc[100:139, SCALES["aim"]] = np.nan
    frame.loc[140:154, SCALES["aim"] + SCALES["help"]] = np.nan
    frame.loc[155:165:2, "open1"] = np.nan
    return from_frame(
        frame,
        scales=SCALES,
        reverse_keyed=[f"{name}4" for name in SCALES],
        response_range=(1, 5),
        roles={"respondent": "id", "cluster": "school", "staff_role": "job"},
    )


def screened(given: Responses, **changes: object) -> ScreeningRecord:
    """Only the straight lines count, so that it is known who is flagged."""
    found = screen(given, missing_share=None, longstring=None, mahalanobis=None, duplicate=None)
    flagged = found.flags >= 1
    made = ScreeningRecord(
        result=found,
        at_least=1,
        left_out=False,
        impact=impact(given, found),
        n_people_flagged=int(flagged.sum()),
        people_behind=dict.fromkeys(SCALES, int(flagged.sum())),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def given() -> Responses:
    return answers()


@pytest.fixture(scope="module")
def found(given: Responses) -> ScreeningRecord:
    return screened(given)


@pytest.fixture
def run(changed: Callable[..., RunRecord], given: Responses) -> Callable[..., RunRecord]:
    """The run of a study with these parts, and little else."""

    def make(**parts: object) -> RunRecord:
        return changed(
            **{"responses": given, "answers": None, "item_analyses": {}, "models": (), **parts}
        )

    return make


def section(text: str, *, folded: bool = True) -> str:
    """What a reader sees of the section, without its figures."""
    part = text[text.index('<section id="can-they-be-trusted"') :]
    part = re.sub(r"<svg\b.*?</svg>", " ", part[: part.index("</section>")], flags=re.DOTALL)
    if not folded:
        part = re.sub(r"<details>.*?</details>", " ", part, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", part).replace("\u00a0", " ").split())


def page(record: RunRecord) -> str:
    return render_html(release(record, key=KEY))


# Signs of careless answers.


def test_signs_are_counted_in_plain_words(
    run: Callable[..., RunRecord], found: ScreeningRecord
) -> None:
    seen = section(page(run(screening=found)), folded=False)
    n = found.n_people_flagged
    assert "We looked for signs of that in 300 sets of answers" in seen
    assert f"{n} of them ({n / 300:.0%}) show at least one sign, and none two or more." in seen
    assert "A sign is a question, not a verdict" in seen
    assert "None was left out." in seen
    assert "One and the same answer to all items of a scale keyed both ways" in seen


def test_figures_that_move_come_first_and_the_rest_is_folded(
    run: Callable[..., RunRecord], found: ScreeningRecord
) -> None:
    text = page(run(screening=found))
    assert "would noticeably move" in section(text, folded=False)
    assert "Figures that move noticeably" in section(text, folded=False)
    assert "With all → without them" not in section(text, folded=False)
    assert "With all → without them" in section(text)


def test_nothing_that_moves_is_said_in_a_sentence(
    run: Callable[..., RunRecord], found: ScreeningRecord
) -> None:
    assert found.impact is not None
    numbers = found.impact.numbers.assign(difference=0.001, in_sd=0.001)
    still = replace(found, impact=replace(found.impact, numbers=numbers))
    record = run(screening=still)
    seen = section(page(record), folded=False)
    assert "would change no average, spread, reliability or share of differences notic" in seen
    (words,) = screening_words(release(record, key=KEY))
    assert words.endswith("Leaving them out would change nothing noticeably.")


def test_what_was_left_out_is_said_first(
    run: Callable[..., RunRecord], found: ScreeningRecord
) -> None:
    record = run(screening=replace(found, left_out=True))
    text = page(record)
    n = found.n_people_flagged
    first = text[text.index('<section id="what-we-found"') : text.index('id="who-answered"')]
    assert f"Before anything was calculated, {n} sets of answers out of 300" in first
    assert f"is about the {300 - n} that are left" in section(text)
    assert "count here as if nobody had answered" in text
    assert "could have answered did not, or were left out, counting each wave." in text
    assert "None was left out" not in text


def test_too_many_flags_are_doubted(run: Callable[..., RunRecord], found: ScreeningRecord) -> None:
    """Where half the people show a sign, the sign is wrong and not the people."""
    flags = np.arange(300) % 2
    result = replace(found.result, columns={**found.result.columns, "flags": flags})
    record = run(screening=replace(found, result=result))
    assert "50% are more than can be careless" in section(page(record))
    (words,) = screening_words(release(record, key=KEY))
    assert words.endswith("So many say more about the questionnaire than about the people.")


def test_nobody_flagged(run: Callable[..., RunRecord]) -> None:
    clean = answers(n_straight=0)
    found = screen(
        clean, missing_share=None, longstring=None, mahalanobis=None, duplicate=None,
        straight_reversed=None,
    )  # fmt: skip
    none = ScreeningRecord(found, 1, False, None, 0, dict.fromkeys(SCALES, 0))
    seen = section(page(run(screening=none)))
    assert "None of them shows any." in seen
    assert "What leaving them out" not in seen


# Disclosure.


def test_no_impact_of_fewer_people_than_may_be_shown(
    run: Callable[..., RunRecord], tmp_path: Path
) -> None:
    """The mean of a few could be worked out from the means with and without them."""
    few = screened(answers(n_straight=4))
    if few.n_people_flagged >= 10:  # honest rows beside the four: count fewer
        few = replace(few, n_people_flagged=4)
    record = run(screening=few)
    shown = release(record, key=KEY)
    assert shown.screening is not None
    assert shown.screening.impact is None
    assert "These are the answers of fewer than 10 people" in section(page(record))
    folder = write_folder(record, tmp_path / "out")
    assert not (folder / "tables" / "impact.csv").exists()


def test_no_impact_on_a_scale_that_few_of_the_flagged_answered(
    run: Callable[..., RunRecord], found: ScreeningRecord
) -> None:
    part = replace(found, people_behind={"open": 30, "help": 3, "aim": 0})
    shown = release(run(screening=part), key=KEY)
    assert shown.screening is not None
    assert shown.screening.impact is not None
    assert set(shown.screening.impact["scale"]) == {"open", "aim"}


def test_no_file_tells_whose_rows_are_flagged(
    run: Callable[..., RunRecord], found: ScreeningRecord, given: Responses, tmp_path: Path
) -> None:
    record = run(screening=found, completeness=completeness(given))
    folder = write_folder(record, tmp_path / "out")
    ids = re.compile(r"\bQ-\d{4}\b")
    for path in folder.rglob("*"):
        if path.suffix in (".html", ".csv", ".json", ".txt", ".svg"):
            text = path.read_text(encoding="utf-8")
            assert not ids.search(text), path.name
    for name in ("screening", "impact", "missing_items", "missing_scales"):
        table = pd.read_csv(folder / "tables" / f"{name}.csv")
        assert not {"school", "cluster", "respondent", "reasons", "flags"} & set(table.columns)
        assert len(table) < 40  # not a row a respondent
    scores = pd.read_parquet(folder / "scores.parquet")
    assert not {"reasons", "flags"} & set(scores.columns)


def test_too_few_people_have_no_section(
    run: Callable[..., RunRecord], found: ScreeningRecord, record: RunRecord
) -> None:
    shown = release(run(screening=found, scores=record.scores.head(6)), key=KEY)
    assert (shown.screening, shown.completeness, shown.absences) == (None, None, None)


# Gaps.


def test_gaps_in_words_with_a_map(run: Callable[..., RunRecord], given: Responses) -> None:
    record = run(completeness=completeness(given))
    text = page(record)
    seen = section(text, folded=False)
    share = (40 * 4 + 15 * 8 + 6) / (300 * 12)
    assert f"{share:.1%} of the answers that were asked for are missing." in seen
    assert "Most are missing on “aim” (18.3%)." in seen
    assert "at most 18.3% have none on a scale" in seen
    figures = all_figures(release(record, key=KEY))
    assert MISSING_MAP in figures
    assert "40 without aim" in figures[MISSING_MAP].chart.description
    assert "15 without help, aim" in figures[MISSING_MAP].chart.description
    assert "A large p is no proof that gaps are harmless" in section(text)
    assert "Little" not in seen


@pytest.mark.parametrize("few", [0, 1])
def test_rare_combinations_are_drawn_together(
    run: Callable[..., RunRecord], given: Responses, few: int
) -> None:
    gaps = completeness(given)
    rare = pd.DataFrame(
        [(False, False, False, 200), (False, False, True, 40), (True, True, False, 9)]
        + [(True, False, False, 1)] * few,
        columns=[*SCALES, "n"],
    )
    shown = release(run(completeness=replace(gaps, unscored=rare)), key=KEY)
    assert shown.completeness is not None
    drawn = shown.completeness.map
    if few:  # ten together
        assert drawn is not None
        assert "10 without open, help" in drawn.description
    else:  # nine are not drawn, which leaves one scale
        assert drawn is None


def test_nothing_missing_is_one_sentence(run: Callable[..., RunRecord], given: Responses) -> None:
    frame = given.frame.fillna(3.0)
    full = given.replace(frame=frame)
    seen = section(page(run(responses=full, completeness=completeness(full))))
    assert "Nothing is missing" in seen
    assert "Little" not in seen


# Who is missing.


@pytest.fixture(scope="module")
def who() -> AbsenceRecord:
    base = answers()
    rng = np.random.default_rng(3)
    frame = base.frame.copy()
    gone = rng.random(len(frame)) < np.where(frame["job"] == "teacher", 0.5, 0.15)
    frame.loc[gone, SCALES["open"]] = np.nan
    model = who_is_missing(base.replace(frame=frame), "open", predictors="staff_role")
    return AbsenceRecord("open", "", model)


def test_who_is_missing_in_words(run: Callable[..., RunRecord], who: AbsenceRecord) -> None:
    assert who.model is not None
    shares = who.model.shares.set_index("level")["share"]
    record = run(
        absences=(who, AbsenceRecord("help", "", None)),
        options={"analysis": {"missing": {"predictors": ["staff_role"]}}},
    )
    seen = section(page(record), folded=False)
    assert "We asked whether people differ, by staff role" in seen
    assert (
        f"“open”: missing for {shares['teacher']:.0%} of “teacher” and "
        f"{shares['lead_staff']:.0%} of “lead staff”; the odds for “teacher” are"
    ) in seen
    assert "is too small to be shown: “help”" in seen


def test_a_small_group_is_not_compared(run: Callable[..., RunRecord], who: AbsenceRecord) -> None:
    assert who.model is not None
    shares = who.model.shares.assign(n=[9, 291])
    small = replace(who, model=replace(who.model, shares=shares))
    shown = release(run(absences=(small,)), key=KEY)
    assert shown.absences is not None
    assert shown.absences.models == ()
    assert shown.absences.not_compared == ("open",)


def test_few_missing_are_not_compared(run: Callable[..., RunRecord], who: AbsenceRecord) -> None:
    assert who.model is not None
    few = replace(who, model=replace(who.model, n_missing=9))
    shown = release(run(absences=(few,)), key=KEY)
    assert shown.absences is not None
    assert shown.absences.models == ()


# Response rates.


def test_response_rates_have_intervals(record: RunRecord) -> None:
    shown = release(record, key=KEY)
    assert shown.response is not None
    row = shown.response[shown.response["school"] == "Ash"].iloc[0]
    n, rate = row["n_eligible"], row["rate"]
    z2 = 1.959963984540054**2  # Wilson (1927)
    centre, half = (rate + z2 / (2 * n)), np.sqrt(z2 * (rate * (1 - rate) / n + z2 / (4 * n**2)))
    limits = (centre + np.array([-half, half])) / (1 + z2 / n)
    assert [row["ci_low"], row["ci_high"]] == pytest.approx(limits.tolist(), rel=1e-10)
    assert f"{row['ci_low']:.0%}\u00a0to\u00a0{row['ci_high']:.0%}" in render_html(shown)
    hidden = shown.response[shown.response["suppressed"]]
    assert len(hidden)
    assert hidden[["ci_low", "ci_high"]].isna().all().all()


def test_a_report_without_answers_has_no_such_section(record: RunRecord) -> None:
    assert 'id="can-they-be-trusted"' not in page(record)
