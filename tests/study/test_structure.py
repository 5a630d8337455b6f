"""The structure of a study: which scales take part, whose answers are used, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from collabsurvey import concat, dimensionality, from_frame, load_instrument
from collabsurvey.errors import StudyError
from collabsurvey.instruments import combine_instruments
from collabsurvey.responses import Responses
from collabsurvey.study import Study
from collabsurvey.study.plans import ExploratoryPlan, StructurePlan
from collabsurvey.study.structure import explore, one_row_each, scale_sets, unsuitable
from study_files import plan, write_study

pytestmark = pytest.mark.filterwarnings("ignore::collabsurvey.errors.FewClustersWarning")

SCALES = {name: [f"{name}{i}" for i in range(1, 5)] for name in ("open", "help", "aim")}
ITEMS = [item for items in SCALES.values() for item in items]


def staff(n: int = 240, seed: int = 5) -> pd.DataFrame:
    """Answers 1 to 5 of three things that correlate; the fourth item of each is reversed."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=n)
    frame = pd.DataFrame(
        {
            "person": [f"p{i:03d}" for i in range(n)],
            "school": [f"S{i % 12:02d}" for i in range(n)],
        }
    )
    for items in SCALES.values():
        thing = 0.5 * common + np.sqrt(0.75) * rng.normal(size=n)
        for place, item in enumerate(items):
            latent = (-1 if place == 3 else 1) * 0.8 * thing + 0.6 * rng.normal(size=n)
            frame[item] = np.clip(np.round(3 + 1.1 * latent), 1, 5)
    return frame


def responses(frame: pd.DataFrame, **options: Any) -> Responses:
    roles = {"respondent": "person", "cluster": "school"}
    if "wave" in frame.columns:
        roles["wave"] = "wave"
    scales = options.pop("scales", SCALES)
    asked = {item for items in scales.values() for item in items}
    return from_frame(
        frame,
        scales=scales,
        reverse_keyed=[f"{name}4" for name in SCALES if f"{name}4" in asked],
        response_range=(1, 5),
        roles=roles,
        **options,
    )


def with_structure(structure: Any) -> dict[str, Any]:
    study = plan(analysis={"structure": structure}, outcomes=[])
    study["responses"][0] |= {
        "scales": SCALES,
        "reverse_keyed": [f"{name}4" for name in SCALES],
    }
    return study


# The plan.


@pytest.mark.parametrize("value", [True, {}])
def test_true_asks_for_the_defaults(value: object) -> None:
    exploratory = StructurePlan.model_validate({"exploratory": value}).exploratory
    assert exploratory == ExploratoryPlan()


@pytest.mark.parametrize("value", [False, None])
def test_false_asks_for_nothing(tmp_path: Path, value: object) -> None:
    study = with_structure({"exploratory": value})
    record = Study.from_yaml(write_study(tmp_path, study, staff=staff())).run().record
    assert record.structures == ()


@pytest.mark.parametrize(
    ("structure", "sentence"),
    [
        ({"exploratory": "yes please"}, "should be true, or a set of 'key: value' lines"),
        ({"exploratory": {"rotatoin": "oblimin"}}, "unknown key 'rotatoin'. Did you mean 'rotat"),
        ({"exploratory": {"n_factors": True}}, "'scales' or 'suggested' or a whole number"),
        ({"exploratory": {"n_factors": 0}}, "at least 1"),
        ({"exploratory": {"draws": 5}}, "at least 20, not 5"),
        ({"exploratory": {"rotation": "target"}}, "'oblimin', 'promax'"),
        ({"exploratory": {"correlation": "spearman"}}, "'pearson' or 'polychoric'"),
    ],
)
def test_what_a_plan_cannot_be(tmp_path: Path, structure: Any, sentence: str) -> None:
    with pytest.raises(StudyError, match=sentence):
        Study.from_yaml(write_study(tmp_path, with_structure(structure)))


def test_a_study_that_starts_from_scores_has_no_structure(tmp_path: Path) -> None:
    study = plan(analysis={"structure": {"exploratory": True}}, outcomes=[])
    del study["responses"]
    study["scores"] = {"path": "a.csv", "roles": {"cluster": "school"}, "columns": {"trust": "t"}}
    with pytest.raises(StudyError, match="no answers to look for factors in"):
        Study.from_yaml(write_study(tmp_path, study))


# Faults that need the questionnaire or the answers.


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"scales": ["opne"]}, "no scale 'opne'. Did you mean 'open'?"),
        ({"n_factors": 9}, "'n_factors: 9' is more than 12 items allow, which is 7"),
        ({"scales": ["open"], "n_factors": 2}, "more than 4 items allow, which is 1"),
    ],
)
def test_faults_are_found_without_running(
    tmp_path: Path, keys: dict[str, Any], sentence: str
) -> None:
    study = with_structure({"exploratory": keys})
    faults = Study.from_yaml(write_study(tmp_path, study, staff=staff())).check().faults
    assert len(faults) == 1
    assert sentence in faults[0]


def test_measurements_have_no_polychoric_correlations(tmp_path: Path) -> None:
    frame = staff()
    frame["aim1"] = 1 + np.arange(len(frame)) / len(frame)
    study = with_structure({"exploratory": {"correlation": "polychoric"}})
    (fault,) = Study.from_yaml(write_study(tmp_path, study, staff=frame)).check().faults
    assert "at most 20 different answers, and aim has more. Say correlation: pearson" in fault


def test_named_scales_that_share_items_are_refused() -> None:
    scales = {**SCALES, "all": ITEMS}
    answers = responses(staff(), scales=scales)
    with pytest.raises(StudyError, match="'open' and 'all' share items"):
        scale_sets(ExploratoryPlan(scales=("open", "all")), answers.instrument, {"": ("open",)})


def test_a_questionnaire_without_such_scales_is_a_fault() -> None:
    answers = responses(staff(), scales={"pair": ["open1", "open2"]} | {"rest": ITEMS[2:4]})
    with pytest.raises(StudyError, match="no scale has 3 or more items"):
        scale_sets(ExploratoryPlan(), answers.instrument, {"": ("pair", "rest")})


# Which scales.


def test_wholes_and_formative_scales_are_left_out_by_name() -> None:
    trust, culture = load_instrument("trust"), load_instrument("culture")
    both = combine_instruments([trust, culture])
    parts = {one.title: one.scale_ids for one in (trust, culture)}
    first, second = scale_sets(ExploratoryPlan(), both, parts)
    assert first.title == trust.title
    assert len(first.scales) == 9
    assert first.left_out == {
        "Economising on trust": "all items are in its parts",
        "Investing in trust": "all items are in its parts",
    }
    assert len(second.items) == len(culture.items)
    assert second.left_out == {}
    assert "need not go together" in unsuitable(both, both.scale("tru.invest"))


def test_named_scales_are_one_set_across_questionnaires() -> None:
    trust, culture = load_instrument("trust"), load_instrument("culture")
    both = combine_instruments([trust, culture])
    parts = {one.title: one.scale_ids for one in (trust, culture)}
    named = ExploratoryPlan(scales=("tru.expect", "cul.gap"))
    (chosen,) = scale_sets(named, both, parts)
    assert chosen.title == f"{trust.title}; {culture.title}"
    assert [scale.id for scale in chosen.scales] == ["tru.expect", "cul.gap"]


def test_scales_of_two_items_are_left_out_and_said() -> None:
    answers = responses(staff(), scales={"open": SCALES["open"], "pair": ["help1", "help2"]})
    (chosen,) = scale_sets(ExploratoryPlan(), answers.instrument, {"": ("open", "pair")})
    assert chosen.items == tuple(SCALES["open"])
    assert chosen.left_out == {"pair": "fewer than three items"}


# Whose answers.


def two_waves() -> Responses:
    """The second wave has more people; in it p001 answered twice, and p002 nothing."""
    first = staff().head(100).assign(wave=1)
    second = staff().head(150).assign(wave=2)
    second.loc[2, ITEMS] = np.nan
    again = second[second["person"] == "p001"].assign(partner="b", open1=np.nan)
    frame = pd.concat([first, second, again], ignore_index=True)
    frame["partner"] = frame["partner"].fillna("a")
    roles = {"respondent": "person", "cluster": "school", "wave": "wave", "partner": "partner"}
    return from_frame(frame, scales=SCALES, response_range=(1, 5), roles=roles)


def test_one_row_a_person_of_the_wave_most_answered() -> None:
    answers = two_waves()
    people = one_row_each(answers, ITEMS, seed=1)
    frame = people.responses.frame
    assert people.wave == "2"
    assert people.n_repeated == 1
    assert len(frame) == 149
    assert frame["person"].is_unique
    assert "p002" not in set(frame["person"])
    assert frame.loc[frame["person"] == "p001", "partner"].item() == "a"  # the fuller of two


@pytest.mark.parametrize("order", [1, 2])
def test_the_order_of_rows_does_not_matter(order: int) -> None:
    frame = staff().head(60)
    twice = pd.concat([frame.assign(partner="a"), frame.assign(partner="b")], ignore_index=True)
    twice.loc[60:, ITEMS] = 6 - twice.loc[60:, ITEMS]
    roles = {"respondent": "person", "partner": "partner"}
    mixed = twice.sample(frac=1, random_state=order)
    taken = [
        one_row_each(from_frame(rows, scales=SCALES, roles=roles), ITEMS, seed=4)
        .responses.frame.set_index("person")["partner"]
        .sort_index()
        for rows in (twice, mixed)
    ]
    pd.testing.assert_series_equal(*taken)
    assert set(taken[0]) == {"a", "b"}  # drawn, not always the first


def test_answers_without_ids_are_people_each() -> None:
    answers = from_frame(staff().drop(columns="person"), scales=SCALES)
    assert one_row_each(answers, ITEMS, seed=1).n_repeated == 0
    repeated = concat([responses(staff().assign(wave=1)), responses(staff().assign(wave=2))])
    people = one_row_each(repeated, ITEMS, seed=1)
    assert (people.wave, len(people.responses.frame)) == ("2", 240)  # the later of equals


# The run.


def run_of(tmp_path: Path, keys: Any, frame: pd.DataFrame | None = None) -> Any:
    study = with_structure({"exploratory": keys})
    people = staff() if frame is None else frame
    return Study.from_yaml(write_study(tmp_path, study, staff=people)).run().record


def test_a_run_gives_the_numbers_of_the_analyses(tmp_path: Path) -> None:
    frame = staff()
    record = run_of(tmp_path, {"draws": 50, "compare": False}, frame)
    (found,) = record.structures
    assert found.title == ""
    assert found.scales == ("open", "help", "aim")
    assert (found.n_people, found.fewest, found.n_repeated, found.wave) == (240, 240, 0, "")
    assert found.retention.suggested == (3,)
    alone = dimensionality.efa(frame, ITEMS, 3, missing="pairwise", seed=record.seed)
    pd.testing.assert_frame_equal(found.efa.loadings, alone.loadings, rtol=1e-8)
    again = dimensionality.retention(
        frame, ITEMS, missing="pairwise", n_draws=50, compare=False, seed=record.seed
    )
    pd.testing.assert_frame_equal(found.retention.parallel, again.parallel, rtol=1e-8)


@pytest.mark.parametrize(
    ("n_factors", "expected", "whose"), [("suggested", 3, "suggested"), (2, 2, "named")]
)
def test_the_number_of_factors_is_the_one_asked_for(
    tmp_path: Path, n_factors: object, expected: int, whose: str
) -> None:
    keys = {"n_factors": n_factors, "draws": 50, "compare": False}
    (found,) = run_of(tmp_path, keys).structures
    assert (found.efa.n_factors, found.chosen_by) == (expected, whose)


def test_polychoric_correlations_are_those_of_the_analysis(tmp_path: Path) -> None:
    keys = {"correlation": "polychoric", "draws": 20, "compare": False, "missing": "listwise"}
    (found,) = run_of(tmp_path, keys).structures
    cor = dimensionality.polychoric(staff(), ITEMS, std_errors="none").correlations
    np.testing.assert_allclose(found.efa.correlations.cor, cor, atol=1e-8)


def test_unrelated_items_have_no_factor() -> None:
    rng = np.random.default_rng(8)
    frame = pd.DataFrame(rng.integers(1, 6, size=(300, 12)), columns=ITEMS).astype(float)
    frame = frame.assign(person=[str(i) for i in range(300)], school="S1")
    answers = responses(frame)
    plan = ExploratoryPlan(n_factors="suggested", draws=100, compare=False)
    (chosen,) = scale_sets(plan, answers.instrument, {"": tuple(SCALES)})
    found = explore(plan, chosen, answers, seed=1)
    assert found.retention.suggested == (0,)
    assert found.efa is None


def test_too_few_people_is_a_note_and_no_crash(tmp_path: Path) -> None:
    record = run_of(tmp_path, True, staff(90))
    assert record.structures == ()
    assert record.notes == (
        "How many things are measured: Factor analysis of 12 items needs at least 100 people who "
        "answered any two of the items (100, and 5 for each item); there are 90.",
    )


def test_listwise_counts_complete_rows(tmp_path: Path) -> None:
    frame = staff()
    frame.loc[frame.index[:200], "aim1"] = np.nan
    (note,) = run_of(tmp_path, {"missing": "listwise"}, frame).notes
    assert "people who answered every item (100, and 5 for each item); there are 40" in note


def test_an_item_answered_alike_is_a_note(tmp_path: Path) -> None:
    (note,) = (
        note
        for note in run_of(tmp_path, True, staff().assign(aim2=3)).notes
        if note.startswith("How many things")
    )
    assert "'aim2' has the same value in every row used" in note
