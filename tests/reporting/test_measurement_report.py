"""What questions measure, and whether they do for all: what may be shown, and how it is said."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from collabsurvey import invariance
from collabsurvey.dimensionality import cfa, validity
from collabsurvey.errors import CollabSurveyWarning
from collabsurvey.reporting import RunRecord, release, render_html, write_folder
from collabsurvey.reporting.confirm_release import verdict_of
from collabsurvey.reporting.record import ConfirmatoryRecord, InvarianceRecord
from collabsurvey.responses import Responses, from_frame

KEY = b"0123456789abcdef"
SCALES = {"openness": [f"o{i}" for i in range(1, 7)], "help": [f"h{i}" for i in range(1, 5)]}
TEXT = {name: f"{name} =~ {' + '.join(items)}" for name, items in SCALES.items()}
ITEMS = [item for items in SCALES.values() for item in items]
MOVED = ["o1", "o2"]


def answers(n: int = 300) -> Responses:
    """Two waves; `o5` is reversed, `h4` is weak, and `o1` and `o2` are easier in wave 2."""
    rng = np.random.default_rng(2)
    common = rng.normal(size=n)
    waves = []
    for wave in (1, 2):
        frame = pd.DataFrame({"id": [f"Q-{i:04d}" for i in range(n)], "wave": wave})
        for items in SCALES.values():
            thing = 0.7 * common + 0.7 * rng.normal(size=n)
            for item in items:
                size = 0.25 if item == "h4" else 0.8
                sign = -1 if item == "o5" else 1
                latent = sign * size * thing + np.sqrt(1 - size**2) * rng.normal(size=n)
                latent += 0.7 * (wave == 2 and item in MOVED)
                frame[item] = np.clip(np.round(3 + 1.1 * latent), 1, 5)
        waves.append(frame)
    return from_frame(
        pd.concat(waves, ignore_index=True),
        scales=SCALES,
        reverse_keyed=["o5"],
        response_range=(1, 5),
        roles={"respondent": "id", "wave": "wave"},
    )


def confirmatory(given: Responses, **changes: object) -> ConfirmatoryRecord:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollabSurveyWarning)
        frame = given.frame[given.frame["wave"] == 1]
        fit = cfa(frame, "\n".join(TEXT.values()), "MLR")
        made = ConfirmatoryRecord(
            title="Climate",
            factors={name: name for name in SCALES},
            items={item: item for item in ITEMS},
            left_out={"Pairs": "fewer than three items"},
            own_model=False,
            fit=fit,
            validity=validity(fit),
            why="the study file asks for it",
            n_clusters=None,
            wave="1",
            n_people=300,
            n_repeated=0,
            fewest=300,
        )
    return replace(made, **changes)  # type: ignore[arg-type]


def comparison(given: Responses, scale: str, **changes: object) -> InvarianceRecord:
    frame = given.frame
    searched = changed = None
    found = invariance.ladder(frame, TEXT[scale], "wave", "id", estimator="MLR")
    if found.highest == "metric":
        text = TEXT[scale]
        searched = invariance.partial(frame.astype({"wave": str}), text, "wave", estimator="MLR")
        changed = invariance.consequences(
            frame.astype({"wave": str}), text, "wave", searched, estimator="MLR"
        )
    made = InvarianceRecord(
        by="wave",
        title="Climate",
        factors={scale: scale},
        items={item: item for item in SCALES[scale]},
        groups={"1": 300, "2": 300},
        small={},
        repeated=True,
        n_people=300,
        n_linked=300,
        wave="",
        n_repeated=0,
        n_clusters=None,
        why="the study file asks for it",
        result=found,
        reason="",
        partial=searched,
        consequences=changed,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def given() -> Responses:
    return answers()


@pytest.fixture(scope="module")
def model(given: Responses) -> ConfirmatoryRecord:
    return confirmatory(given)


@pytest.fixture(scope="module")
def moved(given: Responses) -> InvarianceRecord:
    """Two questions of the scale work differently."""
    return comparison(given, "openness")


@pytest.fixture(scope="module")
def same(given: Responses) -> InvarianceRecord:
    return comparison(given, "help")


@pytest.fixture
def run(changed: Callable[..., RunRecord], given: Responses) -> Callable[..., RunRecord]:
    """The run of a study with these results, and little else."""

    def make(
        confirmed: tuple[ConfirmatoryRecord, ...] = (),
        compared: tuple[InvarianceRecord, ...] = (),
        **parts: object,
    ) -> RunRecord:
        return changed(
            responses=given,
            confirmatory=confirmed,
            invariance=compared,
            answers=None,
            item_analyses={},
            **parts,
        )

    return make


def fit_of(model: ConfirmatoryRecord, **indices: float) -> ConfirmatoryRecord:
    """The model with other indices, the corrected ones taken away."""
    plain: Mapping[str, float] = {
        name: value
        for name, value in model.fit.fit.items()
        if not name.endswith(("_scaled", "_robust"))
    }
    return replace(model, fit=replace(model.fit, fit={**plain, **indices}))


def section(text: str, name: str, *, folded: bool = True) -> str:
    """What a reader sees of a section, without its figures."""
    part = text[text.index(f'<section id="{name}"') :]
    part = re.sub(r"<svg\b.*?</svg>", " ", part[: part.index("</section>")], flags=re.DOTALL)
    if not folded:
        part = re.sub(r"<details>.*?</details>", " ", part, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", part).replace("\u00a0", " ").split())


# What the questions measure.


def test_loadings_are_those_of_the_model_turned_round(
    run: Callable[..., RunRecord], model: ConfirmatoryRecord
) -> None:
    (one,) = release(run((model,)), key=KEY).confirmatory
    estimates = model.fit.standardised()
    raw = estimates[estimates["op"] == "=~"].set_index("rhs")
    table = one.loadings.set_index("item")
    assert raw.loc["o5", "estimate"] < -0.7
    assert table.loc["o5", "loading"] == pytest.approx(-raw.loc["o5", "estimate"])
    assert table.loc["o5", "ci_low"] == pytest.approx(-raw.loc["o5", "ci_high"])
    assert table.loc["h1", "loading"] == pytest.approx(raw.loc["h1", "estimate"])
    assert table.index[table["weak"]].tolist() == ["h4"]


def test_a_factor_that_stands_upside_down_is_turned(
    run: Callable[..., RunRecord], given: Responses, model: ConfirmatoryRecord
) -> None:
    text = f"openness =~ o5 + o1 + o2 + o3 + o4 + o6\n{TEXT['help']}"
    frame = given.frame[given.frame["wave"] == 1]
    turned = replace(model, fit=cfa(frame, text, "MLR"), validity=None)
    (one,) = release(run((turned,)), key=KEY).confirmatory
    (first,) = release(run((model,)), key=KEY).confirmatory
    ours, theirs = (x.loadings.set_index("item")["loading"].sort_index() for x in (one, first))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


@pytest.mark.parametrize(
    ("cfi", "rmsea", "srmr", "verdict"),
    [
        (0.96, 0.05, 0.05, "well"),
        (0.96, 0.07, 0.05, "roughly"),
        (0.91, 0.05, 0.09, "roughly"),
        (0.97, 0.11, 0.03, "divided"),  # strong questions
        (0.88, 0.03, 0.05, "divided"),  # weak ones
        (0.88, 0.09, 0.05, "badly"),
        (0.80, 0.15, 0.15, "badly"),
    ],
)
def test_one_index_alone_decides_nothing(
    model: ConfirmatoryRecord, cfi: float, rmsea: float, srmr: float, verdict: str
) -> None:
    assert verdict_of(fit_of(model, cfi=cfi, rmsea=rmsea, srmr=srmr).fit) == verdict


def test_plain_words_first_and_technique_folded(
    run: Callable[..., RunRecord], model: ConfirmatoryRecord
) -> None:
    text = render_html(release(run((model,)), key=KEY))
    seen = section(text, "do-they-measure", folded=False)
    assert "10 questions, as 300 people answered them in wave 1. The answers fit that plan" in seen
    assert "One of them is tied only weakly to its scale." in seen
    assert "Tied weakly to “help”: “h4”." in seen
    assert "Not part of this: “Pairs” (fewer than three items)." in seen
    assert "Other plans may fit as well" in seen
    for technical in ("CFI", "RMSEA", "MLR", "HTMT"):
        assert technical not in seen
        assert technical in section(text, "do-they-measure")
    first = section(text, "what-we-found")
    assert "1 question hardly belongs to its scale." in first


def test_a_plan_that_does_not_fit_says_where(
    run: Callable[..., RunRecord], model: ConfirmatoryRecord
) -> None:
    bad = fit_of(model, cfi=0.7, rmsea=0.2, srmr=0.2)
    text = render_html(release(run((bad,)), key=KEY))
    seen = section(text, "do-they-measure", folded=False)
    assert "The answers do not fit that plan" in seen
    assert "No two questions have much in common beyond their scales" in seen
    assert "do not go together as the questions were written to" in section(text, "what-we-found")


def test_scales_that_are_one_thing_are_named(
    run: Callable[..., RunRecord], model: ConfirmatoryRecord
) -> None:
    assert model.validity is not None
    pairs = model.validity.pairs.assign(reading="not told apart", htmt=0.95)
    one = replace(model, validity=replace(model.validity, pairs=pairs))
    text = render_html(release(run((one,)), key=KEY))
    assert "not told apart from “help”" in section(text, "do-they-measure")
    assert "people do not tell “openness” and “help” apart" in section(text, "what-we-found")


def test_a_model_that_did_not_converge_shows_no_number(
    run: Callable[..., RunRecord], model: ConfirmatoryRecord, tmp_path: Path
) -> None:
    lost = replace(model, fit=replace(model.fit, converged=False), validity=None)
    record = run((lost,), aggregates={}, overview=None, models=())
    text = section(render_html(release(record, key=KEY)), "do-they-measure")
    assert "The calculation did not come to an end, so there is nothing to read." in text
    assert "Each question and the fit" not in text
    tables = write_folder(record, tmp_path / "out") / "tables"
    assert not (tables / "cfa_loadings.csv").exists()
    assert pd.read_csv(tables / "cfa_fit.csv")["cfi"].isna().all()


def test_an_impossible_result_names_the_question(
    run: Callable[..., RunRecord], model: ConfirmatoryRecord
) -> None:
    odd = replace(model, fit=replace(model.fit, improper=("The residual variance of h2 is -0.1.",)))
    text = section(render_html(release(run((odd,)), key=KEY)), "do-they-measure")
    assert "Part of the result is impossible" in text
    assert "It concerns “h2”." in text


def test_nothing_is_shown_of_fewer_people_than_min_group(
    run: Callable[..., RunRecord], model: ConfirmatoryRecord
) -> None:
    shown = release(run((replace(model, fewest=9),)), key=KEY)
    assert shown.confirmatory == ()
    assert 'id="do-they-measure"' not in render_html(shown)


# Whether it does so for all.


def test_what_may_be_compared_is_said_in_words(
    run: Callable[..., RunRecord], moved: InvarianceRecord, same: InvarianceRecord
) -> None:
    text = render_html(release(run(compared=(moved, same)), key=KEY))
    seen = section(text, "same-for-all", folded=False)
    assert "Does the questionnaire work the same in every wave?" in seen
    assert "wave 1 (300) and wave 2 (300), as answers of the same people: 300 people" in seen
    assert "Averages may be compared between waves on 1 of 2 scales." in seen
    assert "openness what goes with it; averages not" in seen
    assert "openness: 2 questions work differently, “o1” and “o2”." in seen
    assert moved.consequences is not None
    d = moved.consequences.differences.set_index("version")["d"]
    assert f"goes from {d['scale']:.2f} to {d['scale_without']:.2f} standard deviations" in (
        seen.replace("−", "-")
    )
    for technical in ("CFI", "chi-square", "MLR"):
        assert technical not in seen
        assert technical in section(text, "same-for-all")
    first = section(text, "what-we-found")
    assert "may be compared on 1 of 2 scales; not on “openness”" in first


def test_two_camps_of_questions_are_not_taken_for_one_that_changed(
    run: Callable[..., RunRecord], moved: InvarianceRecord
) -> None:
    assert moved.partial is not None
    half = replace(moved, partial=replace(moved.partial, same={"openness": ("o4", "o5", "o6")}))
    shown = release(run(compared=(half,)), key=KEY)
    assert shown.invariance[0].comparisons[0].changes == ()
    seen = section(render_html(shown), "same-for-all", folded=False)
    assert "openness: 3 questions work differently from the others" in seen
    assert "averages cannot be mended by leaving some out" in seen
    assert "standard deviations" not in seen


def test_what_one_rule_sees_and_no_question_shows_is_unclear(
    run: Callable[..., RunRecord], moved: InvarianceRecord, same: InvarianceRecord
) -> None:
    assert moved.result is not None
    assert moved.partial is not None
    judged = moved.result.judged
    doubtful = replace(
        moved,
        result=replace(moved.result, judged=replace(judged, by_test=(True, True, True, True))),
        partial=replace(moved.partial, same={"openness": tuple(SCALES["openness"])}),
        consequences=None,
    )
    shown = release(run(compared=(doubtful, same)), key=KEY)
    text = render_html(shown)
    seen = section(text, "same-for-all", folded=False)
    assert "on 1 of 2 scales; on 1 it is unclear." in seen
    assert "openness averages: unclear" in seen
    assert shown.not_comparable("wave") == ()
    first = section(text, "what-we-found")
    assert "may be compared on 1 of 2 scales; it is unclear on “openness”." in first


def test_where_all_is_the_same_the_table_is_folded(
    run: Callable[..., RunRecord], same: InvarianceRecord
) -> None:
    text = render_html(release(run(compared=(same,)), key=KEY))
    seen = section(text, "same-for-all", folded=False)
    assert "Averages may be compared between waves on “help”." in seen
    assert "What may be compared between waves" not in seen
    assert "The questions of the scale that was looked at work the same in every wave" in section(
        text, "what-we-found"
    )


def test_a_change_of_such_a_scale_is_doubted(
    run: Callable[..., RunRecord], record: RunRecord, moved: InvarianceRecord
) -> None:
    shown = release(run(compared=(moved,)), key=KEY)
    titles = [facts.title for facts in shown.scales if facts.id == "openness"]
    assert shown.not_comparable("wave") == tuple(titles)
    assert shown.not_comparable("staff_role") == ()
    schools = section(render_html(shown), "schools")
    if "Change between waves" in schools:
        assert "the questions do not work the same in every wave" in schools


def test_tables_are_those_of_the_analyses(
    run: Callable[..., RunRecord],
    model: ConfirmatoryRecord,
    moved: InvarianceRecord,
    same: InvarianceRecord,
    tmp_path: Path,
) -> None:
    record = run((model,), (moved, same), aggregates={}, overview=None, models=())
    folder = write_folder(record, tmp_path / "out")
    tables = {path.stem: pd.read_csv(path) for path in (folder / "tables").glob("*.csv")}
    fit = tables["cfa_fit"].iloc[0]
    assert fit["cfi"] == pytest.approx(model.fit.fit["cfi_robust"], rel=1e-12)
    assert fit["chi2"] == pytest.approx(model.fit.fit["chi2_scaled"], rel=1e-12)
    assert fit["version"] == "robust"
    assert tables["cfa_loadings"]["item"].tolist() == ITEMS
    assert model.validity is not None
    assert tables["cfa_pairs"]["htmt"].tolist() == pytest.approx(model.validity.pairs["htmt"])
    ladder = tables["invariance"]
    assert ladder["scale"].tolist() == ["openness"] * 4 + ["help"] * 4
    assert moved.result is not None
    assert ladder["cfi"][:4].tolist() == pytest.approx(list(moved.result.judged.cfi), rel=1e-12)
    assert set(tables["invariance_items"]["item"]) == set(MOVED)
    assert set(tables["invariance_differences"]["scale"]) == {"openness"}
    assert (folder / "figures" / "measures-01-loadings.svg").is_file()
    assert (folder / "figures" / "same-by-wave.svg").is_file()
    assert all(tables[name]["synthetic"].all() for name in ("cfa_fit", "invariance"))


# Who may not be seen.


def test_a_small_group_hides_its_own_numbers_and_another_s(
    run: Callable[..., RunRecord], moved: InvarianceRecord
) -> None:
    kinds = replace(
        moved,
        by="staff_role",
        repeated=False,
        groups={"1": 300, "2": 60},
        small={"governor": 4},
        wave="1",
    )
    (found,) = release(run(compared=(kinds,)), key=KEY).invariance
    (one,) = found.comparisons
    assert one.groups == {"1": 300, "2": None}
    assert one.differences is None
    assert one.items is None
    text = section(render_html(release(run(compared=(kinds,)), key=KEY)), "same-for-all")
    assert "(60)" not in text
    assert "Left out: governor has too few people for such a comparison." in text


def test_groups_that_protect_each_other_leave_the_rest_to_be_shown(
    run: Callable[..., RunRecord], moved: InvarianceRecord
) -> None:
    kinds = replace(moved, by="staff_role", small={"governor": 4, "clerk": 8})
    (found,) = release(run(compared=(kinds,)), key=KEY).invariance
    assert found.comparisons[0].groups == {"1": 300, "2": 300}
    assert found.comparisons[0].differences is not None


def test_no_respondent_is_named(
    run: Callable[..., RunRecord], model: ConfirmatoryRecord, same: InvarianceRecord
) -> None:
    noted = replace(model, fit=replace(model.fit, notes=("Row of Q-0003.",)))
    failed = replace(same, result=None, reason="the row of Q-0004 is odd")
    text = render_html(release(run((noted,), (failed,)), key=KEY))
    assert "Row of [id]." in section(text, "do-they-measure")
    assert "The row of [id] is odd." in section(text, "same-for-all")
    assert "Q-0" not in section(text, "do-they-measure") + section(text, "same-for-all")


def test_sections_stand_between_structure_and_schools(
    run: Callable[..., RunRecord], model: ConfirmatoryRecord, same: InvarianceRecord
) -> None:
    text = render_html(release(run((model,), (same,)), key=KEY))
    order = re.findall(r'<section id="([^"]+)"', text)
    at = order.index("reliability")
    assert order[at + 1 : at + 4] == ["do-they-measure", "same-for-all", "schools"]
