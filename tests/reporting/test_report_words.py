"""Words of the report: terms, uses, notes, schools without answers."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from collabsurvey.errors import CollabSurveyWarning
from collabsurvey.multilevel import aggregate, icc
from collabsurvey.regression import mixed, ols
from collabsurvey.reporting import ModelRecord, RunRecord, release, render_html
from collabsurvey.reporting.figures import all_figures
from collabsurvey.reporting.groups import in_order
from collabsurvey.reporting.term_words import term_words
from collabsurvey.scoring import score
from collabsurvey.simulation import simulate_cohort

KEY = b"0123456789abcdef"


def section(text: str, name: str) -> str:
    """What a reader sees of one section."""
    start = text.index(f'<section id="{name}"')
    part = re.sub(
        r"<svg\b.*?</svg>", " ", text[start : text.index("</section>", start)], flags=re.S
    )
    return " ".join(re.sub(r"<[^>]+>", " ", part).split())


@pytest.fixture(scope="module")
def cohorts() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(
        {
            "school": np.repeat([f"S{i}" for i in range(12)], 10),
            "cohort": np.tile(["2024/25", "2025/26"], 60),
            "openness": rng.normal(size=120),
        }
    )
    return frame.assign(final_grade=frame["openness"] + rng.normal(size=120))


def test_terms_are_said_in_words(cohorts: pd.DataFrame) -> None:
    model = ols("final_grade ~ C(cohort) * openness + log(I(openness + 9))", cohorts)
    words = term_words(model)
    assert words["C(cohort)2025/26"] == "cohort 2025/26 rather than 2024/25"
    assert words["C(cohort)2025/26:openness"] == "cohort 2025/26 rather than 2024/25 × openness"
    assert "(Intercept)" not in words
    cells = ols("final_grade ~ 0 + C(cohort)", cohorts)
    assert set(term_words(cells).values()) == {"cohort 2024/25", "cohort 2025/26"}


def test_the_parts_of_a_formula_stay_in_the_technical_notes(
    cohorts: pd.DataFrame, changed: Callable[..., RunRecord]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollabSurveyWarning)
        fitted = mixed("final_grade ~ openness + C(cohort) + (1 | school)", cohorts)
    model = ModelRecord("grades", "…", "respondent", "exploratory", fitted, 120, 120)
    shown = release(changed(models=(model,)), key=KEY)
    text = render_html(shown)
    open_parts = re.sub(r"<details>.*?</details>", " ", text, flags=re.DOTALL)
    seen = section(open_parts, "models")
    assert "cohort 2025/26 rather than 2024/25" in seen
    assert "difference in final grade" in seen
    for raw in ("C(cohort)", "(Intercept)", "REML", "Satterthwaite", "final_grade", "singular"):
        assert raw not in seen
    folded = section(text, "models")
    assert "level when all else is zero" in folded
    assert "REML" in folded
    drawn = all_figures(shown)["model-01-grades"].inline_svg()
    assert "cohort 2025/26" in drawn
    assert "C(cohort)" not in drawn
    assert "(Intercept)" not in drawn


def test_no_seed_and_no_file_of_the_package_stands_in_the_open(record: RunRecord) -> None:
    text = render_html(release(record, key=KEY))
    open_parts = re.sub(r"<details>.*?</details>", " ", text, flags=re.DOTALL)
    for name in ("scales", "reliability", "schools", "models"):
        assert not re.search(r"seed|resamples|n0 of|REML", section(open_parts, name)), name
    assert "benchmarks/" not in text
    assert "Technical notes" in section(text, "reliability")
    assert "lies between schools" in section(text, "schools")
    assert "groups of school" not in section(text, "schools")


def test_schools_without_answers_count_in_the_rate(
    record: RunRecord, changed: Callable[..., RunRecord]
) -> None:
    table = record.response_by_school
    assert table is not None
    silent = pd.DataFrame(
        {"school": ["Holly", "Holly"], "wave": [1, 2], "n": 0, "n_eligible": 40, "rate": 0.0}
    )
    both = pd.concat([table, silent], ignore_index=True)
    shown = release(changed(response_by_school=both), key=KEY)
    seen = section(render_html(shown), "who-answered")
    n, places = int(both["n"].sum()), int(both["n_eligible"].sum())
    assert f"{n} answers out of {places} places over two waves ({n / places:.0%})" in seen
    assert "Holly 1 &lt; 10 or withheld 40 –" in seen
    response = shown.response
    assert response is not None
    assert response.loc[response["school"] == "Holly", ["n", "rate"]].isna().all().all()
    of_one = both[both["wave"] == 1]
    assert f"Wave 1: {of_one['n'].sum()} of {of_one['n_eligible'].sum()}" in seen


def test_with_one_wave_answers_are_set_against_people(
    record: RunRecord, changed: Callable[..., RunRecord]
) -> None:
    table = record.response_by_school
    assert table is not None
    one = table[table["wave"] == 1].drop(columns="wave")
    scores = record.scores[record.scores["wave"] == 1].drop(columns="wave")
    shown = release(
        changed(response_by_school=one, scores=scores, aggregates={}, models=()), key=KEY
    )
    seen = section(render_html(shown), "what-we-found")
    assert "84 answers out of 126 people who could have answered (67%)" in seen


def test_rows_are_answers_where_people_answered_twice(record: RunRecord) -> None:
    text = render_html(release(record, key=KEY))
    assert '<th scope="col" class="number">answers</th>' in text
    assert "respondents with a score" not in text
    assert "answers with a score" in section(text, "scales")


def test_schools_are_in_order_of_name_in_tables_and_figures(record: RunRecord) -> None:
    assert in_order(["S10", "S2", "s1", "S2"]) == ["s1", "S2", "S10"]
    shown = release(record, key=KEY)
    text = render_html(shown)
    table = text[text.index("Table of means: Openness") :]
    rows = re.findall(r'<th scope="row">(\w+)</th>', table[: table.index("</table>")])
    assert rows == sorted(rows)
    assert '<th scope="col" class="number">schools</th>' not in table[: table.index("</table>")]
    drawn = all_figures(shown)["means-school-01-openness"].inline_svg()
    names = [name for name in re.findall(r">(\w+)</text>", drawn) if name in ("Ash", "Elm", "Fir")]
    assert names == ["Ash", "Elm", "Fir"]


def test_the_axis_of_means_shows_the_whole_range(record: RunRecord) -> None:
    from matplotlib.figure import Figure as Canvas

    chart = all_figures(release(record, key=KEY))["means-school-01-openness"].chart
    ax = Canvas().add_subplot()
    chart.draw(ax)
    low, high = ax.get_xlim()
    assert low <= 1
    assert high >= 5


def test_what_could_not_be_calculated_is_seen_at_its_section_and_in_the_limits(
    changed: Callable[..., RunRecord],
) -> None:
    notes = (
        "Differences between schools: too few answers.",
        "Reliability: help has no variance.",
        "Distributions: nothing to count.",
    )
    text = render_html(release(changed(notes=notes, icc=None), key=KEY))
    for name, note in zip(("schools", "reliability", "answers"), notes, strict=True):
        assert f"Could not be calculated. {note}".replace("help", "“Help-seeking”") in section(
            text, name
        )
    limits = section(text, "limits")
    assert "What could not be calculated" in limits
    assert all(note.split(":")[0] in limits for note in notes)


def test_one_model_is_spoken_of_in_the_singular(
    record: RunRecord, changed: Callable[..., RunRecord]
) -> None:
    model = replace(
        record.models[0],
        result=ols("openness ~ help + C(wave)", record.scores, cluster="school"),
    )
    seen = section(render_html(release(changed(models=(model,)), key=KEY)), "limits")
    assert "1 model with 2 coefficients was tested" in seen


@pytest.fixture(scope="module")
def roles(record: RunRecord) -> RunRecord:
    """A run of a draft whose scales are about persons, beside one of schools."""
    cohort = simulate_cohort(
        ["role_identity", "culture"], n_partnerships=2, n_schools=6, n_staff=15, seed=1
    )
    responses = cohort.responses
    result = score(responses, ["rol.fixedness", "cul.openness"])
    scores = result.to_frame(keep=["respondent", "cluster"])
    scores.columns = ["respondent", "school", "rol_fixedness", "cul_openness"]
    scales = ["rol_fixedness", "cul_openness"]
    return replace(
        record,
        responses=responses,
        scores=scores,
        score_result=result,
        scale_titles={"rol_fixedness": "Role fixedness", "cul_openness": "Openness"},
        response_by_school=None,
        overview=None,
        item_analyses={},
        answers=None,
        icc=icc(scores, scales, "school"),
        aggregates={"school": aggregate(scores, ["school"], scales=scales)},
        models=(),
    )


def test_means_that_an_instrument_does_not_support_are_left_out(roles: RunRecord) -> None:
    shown = release(roles, key=KEY)
    assert set(shown.means["school"]["scale"]) == {"cul_openness"}
    assert [facts.averaged for facts in shown.scales] == [False, True]
    assert not any("fixedness" in name for name in all_figures(shown) if "means" in name)
    text = render_html(shown)
    assert "Means of schools are not shown for “Role fixedness”" in section(text, "schools")
    assert "is not supported until a study has tested it" in section(text, "limits")
    assert "Table of means: Role fixedness" not in text
    assert "of 1 scale." in section(text, "what-we-found")


def test_scales_of_a_study_file_may_be_averaged(record: RunRecord) -> None:
    shown = release(record, key=KEY)
    assert set(shown.means["school"]["scale"]) == {"openness", "help"}
    assert all(facts.averaged for facts in shown.scales)


def test_forbidden_uses_are_printed_with_the_scales_and_in_the_limits(roles: RunRecord) -> None:
    text = render_html(release(roles, key=KEY))
    assert "Ranking schools or partners." in section(text, "scales")
    assert "The questions must not be used for: ranking schools or partners" in section(
        text, "limits"
    )
    told = replace(roles, not_for={"Culture": ("setting targets for culture",), "Other": ()})
    again = render_html(release(told, key=KEY))
    assert "Culture: Setting targets for culture." in section(again, "scales")
    assert "Other:" not in section(again, "scales")


def test_drafts_are_not_for_ranking_whatever_the_numbers(roles: RunRecord) -> None:
    text = render_html(release(roles, key=KEY))
    assert "The questions are drafts: do not rank schools." in section(text, "schools")
    assert "do not rank schools" in section(text, "what-we-found")
    assert "have a reliability below .70: do not rank" not in text


def test_the_reader_is_told_where_numbers_are_rounded_and_what_must_stay(
    record: RunRecord,
) -> None:
    seen = section(render_html(release(record, key=KEY)), "how-made")
    assert "unrounded, except where rounding protects people" in seen
    assert "scores.parquet holds one row for each person (and wave)" in seen
    assert "do not send it on" in seen


def test_first_columns_stay_and_headings_do_not_stand_alone(record: RunRecord) -> None:
    text = render_html(release(record, key=KEY))
    style = text[text.index("<style>") : text.index("</style>")]
    screen, printed = style.split("@media print", 1)
    assert re.search(r"tbody th, thead th:first-child \{ position: sticky; left: 0;", screen)
    assert re.search(r"h1, h2, h3, h4, caption.*?break-after: avoid", printed)
    assert "tbody tr:nth-child(-n+3) { break-before: avoid; }" in printed
    assert '<div class="card">' in text
