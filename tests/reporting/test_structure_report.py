"""How many things the questionnaire measures: what may be shown of it, and how it is said."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from collabsurvey import simulate_cohort
from collabsurvey.dimensionality import EfaResult, efa, retention
from collabsurvey.reporting import RunRecord, release, render_html, write_folder
from collabsurvey.reporting.figures import all_figures
from collabsurvey.reporting.record import StructureRecord
from collabsurvey.reporting.structure_release import ReleasedStructure, placed_scales
from collabsurvey.responses import Responses, from_frame

KEY = b"0123456789abcdef"
SCALES = {name: [f"{name}{i}" for i in range(1, 5)] for name in ("open", "help", "aim")}
ITEMS = [item for items in SCALES.values() for item in items]


def answers(n: int = 300) -> Responses:
    """Three things, the fourth item of each reversed."""
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"id": [f"Q-{i:04d}" for i in range(n)]})
    for items in SCALES.values():
        thing = rng.normal(size=n)
        for place, item in enumerate(items):
            latent = (-1 if place == 3 else 1) * thing + 0.8 * rng.normal(size=n)
            frame[item] = np.clip(np.round(3 + latent), 1, 5)
    return from_frame(
        frame,
        scales=SCALES,
        reverse_keyed=[f"{name}4" for name in SCALES],
        response_range=(1, 5),
        roles={"respondent": "id"},
    )


def structure(given: Responses, **changes: object) -> StructureRecord:
    found = retention(given, ITEMS, n_draws=50, compare=False, seed=1, progress=False)
    made = StructureRecord(
        title="Climate",
        scales=tuple(SCALES),
        left_out={"All items": "all items are in its parts"},
        retention=found,
        efa=efa(found.correlations, None, 3, seed=1),
        chosen_by="scales",
        wave="",
        n_people=300,
        n_repeated=0,
        fewest=300,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def given() -> Responses:
    return answers()


@pytest.fixture(scope="module")
def found(given: Responses) -> StructureRecord:
    return structure(given)


@pytest.fixture
def run(changed: Callable[..., RunRecord], given: Responses) -> Callable[..., RunRecord]:
    """The run of a study with these structures, and little else."""

    def make(*structures: StructureRecord, **parts: object) -> RunRecord:
        return changed(
            responses=given, structures=structures, answers=None, item_analyses={}, **parts
        )

    return make


def moved(result: EfaResult, loadings: dict[str, tuple[float, float, float]]) -> EfaResult:
    """The result with other loadings of some items."""
    table = result.loadings.copy()
    for item, values in loadings.items():
        table.loc[item] = values
    return replace(result, loadings=table)


def section(text: str, *, folded: bool = True) -> str:
    """What a reader sees of the section, without its figures."""
    part = text[text.index('<section id="structure"') :]
    part = re.sub(r"<svg\b.*?</svg>", " ", part[: part.index("</section>")], flags=re.DOTALL)
    if not folded:
        part = re.sub(r"<details>.*?</details>", " ", part, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", part).replace("\u00a0", " ").split())


def only(record: RunRecord) -> ReleasedStructure:
    (one,) = release(record, key=KEY).structures
    return one


# Where scales are placed.


def test_scales_that_come_out_as_meant(found: StructureRecord, given: Responses) -> None:
    assert found.efa is not None
    scales = [given.instrument.scale(name) for name in SCALES]
    placed = placed_scales(found.efa, scales, given.instrument)
    assert all(scale.as_intended for scale in placed)
    assert {scale.factor for scale in placed} == {"F1", "F2", "F3"}
    assert all(scale.n_on_it == scale.n_items == 4 for scale in placed)


def test_items_elsewhere_nowhere_and_the_wrong_way_round(
    found: StructureRecord, given: Responses
) -> None:
    assert found.efa is not None
    loadings = {
        **{f"open{i}": (0.7, 0.1, 0.0) for i in (1, 2, 3)},
        "open4": (0.6, 0.0, 0.0),  # reversed, so it should be negative
        **{f"help{i}": (0.0, 0.7, 0.0) for i in (1, 2)},
        "help3": (0.1, 0.29, -0.2),
        "help4": (0.1, -0.31, -0.5),
        **{f"aim{i}": (0.0, 0.6, 0.35) for i in (1, 2, 3)},
        "aim4": (0.0, -0.6, 0.0),
    }
    result = moved(found.efa, loadings)
    scales = [given.instrument.scale(name) for name in SCALES]
    first, second, third = placed_scales(result, scales, given.instrument)
    assert (first.factor, first.n_on_it, first.against) == ("F1", 4, ("open4 (reversed item)",))
    assert second.elsewhere == (("help4 (reversed item)", "F3"),)
    assert second.nowhere == ("help3",)
    assert (second.factor, second.n_on_it) == ("F2", 2)
    assert second.shared == ("aim",)
    assert (third.shared, third.n_across) == (("help",), 3)
    assert not any(scale.as_intended for scale in (first, second, third))


def test_a_scale_without_any_loading_has_no_factor(
    found: StructureRecord, given: Responses
) -> None:
    assert found.efa is not None
    result = moved(found.efa, {f"open{i}": (0.1, 0.2, -0.29) for i in range(1, 5)})
    placed = placed_scales(result, [given.instrument.scale("open")], given.instrument)
    assert placed[0].factor == ""
    assert len(placed[0].nowhere) == 4
    assert not placed[0].as_intended


# What may be shown.


def test_nothing_is_shown_of_fewer_people_than_min_group(
    run: Callable[..., RunRecord], found: StructureRecord
) -> None:
    record = run(replace(found, fewest=9))
    assert release(record, key=KEY).structures == ()
    assert 'id="structure"' not in render_html(release(record, key=KEY))


def test_tables_are_those_of_the_analyses(
    run: Callable[..., RunRecord], found: StructureRecord, tmp_path: Path
) -> None:
    folder = write_folder(run(found, aggregates={}, overview=None, models=()), tmp_path / "out")
    tables = {path.stem: pd.read_csv(path) for path in (folder / "tables").glob("*.csv")}
    assert found.efa is not None
    loadings = tables["loadings"].set_index("item")
    pd.testing.assert_frame_equal(
        loadings[["F1", "F2", "F3"]], found.efa.loadings, check_names=False, rtol=1e-12
    )
    assert list(loadings["scale"]) == [scale for scale in SCALES for _ in range(4)]
    assert loadings.index[loadings["reversed"]].tolist() == ["open4", "help4", "aim4"]
    assert tables["eigenvalues"]["component"].tolist() == pytest.approx(
        list(found.retention.eigenvalues), rel=1e-12
    )
    assert tables["retention"]["n_factors"].tolist() == list(found.retention.suggestions.values())
    pairs = tables["factor_correlations"]
    first = pairs.iloc[0]
    phi = found.efa.factor_correlations
    assert first["correlation"] == pytest.approx(phi.loc[first["factor_1"], first["factor_2"]])
    for name in ("loadings", "retention", "eigenvalues", "factor_correlations"):
        assert tables[name]["synthetic"].all()
        assert set(tables[name]["questionnaire"]) == {"Climate"}
    assert (folder / "figures" / "structure-01-how-many.svg").is_file()
    assert (folder / "figures" / "structure-01-loadings.svg").is_file()


def test_two_questionnaires_share_their_tables(
    run: Callable[..., RunRecord], found: StructureRecord, tmp_path: Path
) -> None:
    given = found.retention.correlations
    second = replace(found, title="Other", efa=efa(given, None, 2, seed=1))
    record = run(second, found, aggregates={}, overview=None, models=())
    table = pd.read_csv(write_folder(record, tmp_path / "out") / "tables" / "loadings.csv")
    names = [name for name in table.columns if name.startswith("F")]
    assert names == ["F1", "F2", "F3"]
    assert table.loc[table["questionnaire"] == "Other", "F3"].isna().all()
    text = section(render_html(release(record, key=KEY)))
    assert "Each question: Other" in text
    assert "Each question: Climate" in text


def test_no_respondent_is_named(run: Callable[..., RunRecord], found: StructureRecord) -> None:
    noted = replace(found.retention, notes=(*found.retention.notes, "Row of Q-0003."))
    text = section(render_html(release(run(replace(found, retention=noted)), key=KEY)))
    assert "Row of [id]." in text
    assert "Q-0" not in text


# How it is said.


def test_the_section_follows_reliability(
    run: Callable[..., RunRecord], found: StructureRecord, record: RunRecord
) -> None:
    text = render_html(release(run(found), key=KEY))
    order = re.findall(r'<section id="([^"]+)"', text)
    assert order[order.index("reliability") + 1] == "structure"
    assert "structure" not in re.findall(
        r'<section id="([^"]+)"', render_html(release(record, key=KEY))
    )


def test_plain_words_first_and_technique_folded(
    run: Callable[..., RunRecord], found: StructureRecord
) -> None:
    text = render_html(release(run(found), key=KEY))
    seen = section(text, folded=False)
    assert "12 questions of three scales were looked at, as 300 people answered them." in seen
    assert "Four methods all say three, as many as there are scales." in seen
    assert "three factors: as many as scales, because that number was decided before" in seen
    assert "The questions of each of the three scales go together as intended" in seen
    assert "Not part of this: “All items” (all items are in its parts)." in seen
    assert "It does not say what the factor is." in seen
    for technical in ("KMO", "RMSEA", "Kaiser normalisation", "minimum residuals"):
        assert technical not in seen
        assert technical in section(text)
    first = text[text.index('id="what-we-found"') : text.index("</section>")]
    assert "The questions of each of 3 scales go together as intended" in first


def test_what_did_not_go_as_meant_is_said_by_question(
    run: Callable[..., RunRecord], found: StructureRecord
) -> None:
    assert found.efa is not None
    result = found.efa
    own = result.loadings.loc["help1"].abs().idxmax()
    table = result.loadings.copy()
    table.loc["open1"] = [0.5 if name == own else 0.0 for name in table.columns]
    table.loc["aim1"] = 0.1
    table.loc["aim4"] *= -1
    changed = replace(found, efa=replace(result, loadings=table))
    text = render_html(release(run(changed), key=KEY))
    seen = section(text, folded=False)
    assert f"open: on another factor “open1” ({own})." in seen
    assert "aim: on none “aim1”; against the others “aim4 (reversed item)”" in seen
    assert "One of three scales goes together as intended" in seen
    assert "1 question apart; 1 question the wrong way round" in seen
    first = " ".join(text[text.index('id="what-we-found"') :].split())
    assert "On 1 of 3 scales the questions go together as intended" in first
    assert "not so on “open” and “aim”" in first


def test_methods_that_disagree_and_a_method_without_an_answer(
    run: Callable[..., RunRecord], found: StructureRecord
) -> None:
    said = {**found.retention.suggestions, "map": 1, "ekc": None, "comparison_data": None}
    other = replace(found, retention=replace(found.retention, suggestions=said))
    shown = release(run(other), key=KEY)
    assert "of three methods go from one to three, most often three; there are three" in section(
        render_html(shown)
    )
    drawn = all_figures(shown)["structure-01-how-many"].chart.description
    assert "VSS, complexity 1, not counted" in drawn


def test_no_factor_at_all(run: Callable[..., RunRecord], found: StructureRecord) -> None:
    shown = release(run(replace(found, efa=None, chosen_by="suggested")), key=KEY)
    assert "nothing that these questions have in common" in section(render_html(shown))
    assert "structure-01-loadings" not in all_figures(shown)


def test_a_heywood_case_and_an_unfinished_calculation_are_warned_of(
    run: Callable[..., RunRecord], found: StructureRecord
) -> None:
    assert found.efa is not None
    bad = replace(found.efa, heywood=("help2",), rotation_converged=False)
    seen = section(render_html(release(run(replace(found, efa=bad)), key=KEY)), folded=False)
    assert "explain everything about “help2”" in seen
    assert "Do not use these loadings" in seen


def test_what_could_not_be_calculated_stands_in_the_section(
    run: Callable[..., RunRecord],
) -> None:
    record = run(notes=("How many things are measured: there are 40.",))
    seen = section(render_html(release(record, key=KEY)))
    assert "Could not be calculated. How many things are measured: there are 40." in seen
    assert "We asked whether" not in seen


def test_waves_and_repeated_rows_are_said(
    run: Callable[..., RunRecord], found: StructureRecord
) -> None:
    text = section(render_html(release(run(replace(found, wave="2", n_repeated=19)), key=KEY)))
    assert "as 300 people answered them in wave 2." in text
    assert "One answer of each person was used, of the wave that most people answered" in text
    assert "19 further rows of people who answered several times were left out" in text


def test_the_map_tells_alike_questions_apart(
    changed: Callable[..., RunRecord], found: StructureRecord
) -> None:
    """The six questions on expected actions begin alike; what differs is shown."""
    cohort = simulate_cohort(["trust"], n_schools=4, n_staff=80, waves=1, seed=3)
    given = cohort.responses
    expect, risk = given.instrument.scale("tru.expect"), given.instrument.scale("tru.invest.risk")
    items = [*expect.items, *risk.items]
    numbers = retention(given, items, n_draws=20, compare=False, missing="pairwise", seed=1)
    made = replace(
        found,
        scales=(expect.id, risk.id),
        retention=numbers,
        efa=efa(numbers.correlations, None, 2, seed=1),
    )
    record = changed(responses=given, structures=(made,), answers=None, item_analyses={})
    figure = all_figures(release(record, key=KEY))["structure-01-loadings"]
    assert "How likely is it" not in figure.chart.description
    assert "… sends what it promised on time" in figure.chart.description
    assert "(r) " in figure.chart.description
    assert "tru.expect" not in figure.chart.description
    one = only(record)
    assert one.loadings is not None
    assert one.loadings["wording"].str.startswith("How likely is it").sum() == 6


def test_a_wide_map_can_be_pushed_on_a_telephone(
    run: Callable[..., RunRecord], found: StructureRecord
) -> None:
    shown = release(run(found), key=KEY)
    assert '<figure class="wide">' not in render_html(shown)
    figures = all_figures(shown)
    drawn = figures["structure-01-loadings"]
    wide = replace(drawn, chart=replace(drawn.chart, size=(8.0, 4.0)))
    text = render_html(shown, figures={**figures, drawn.name: wide})
    assert '<figure class="wide">\n<div class="scroll" role="region" aria-label="Climate' in text
