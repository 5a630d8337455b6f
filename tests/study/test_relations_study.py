"""Kinds, shared meaning, two views and partners in a study: on by default, off by a key."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from collabsurvey.errors import StudyError
from collabsurvey.study import Study
from relations_records import NAMES, cohort
from study_files import plan

pytestmark = pytest.mark.filterwarnings("ignore::collabsurvey.errors.CollabSurveyWarning")

ROLES = {name: name for name in ("respondent", "partnership", "staff_role", "wave", "partner")} | {
    "cluster": "school"
}
TABLES = ("kinds", "kinds_wanted", "agreement", "agreement_answers", "two_views", "needs")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("relations")
    cohort(instruments=NAMES, n_staff=30, n_schools=6, n_partnerships=2).to_csv(
        path / "staff.csv", index=False
    )
    return path


@pytest.fixture(scope="module")
def study_of(folder: Path) -> Callable[..., Study]:
    def made(
        analysis: dict[str, Any] | None = None,
        roles: dict[str, str] | None = None,
        path: str = "staff.csv",
        **keys: Any,
    ) -> Study:
        file = {"path": path, "instruments": NAMES, "roles": roles or ROLES}
        study = plan(
            responses=[file],
            outcomes=[],
            analysis={"screening": False, **(analysis or {})},
            **keys,
        )
        (folder / "study.yaml").write_text(json.dumps(study), encoding="utf-8")
        return Study.from_yaml(folder / "study.yaml")

    return made


@pytest.fixture(scope="module")
def out(study_of: Callable[..., Study], folder: Path) -> Path:
    study_of().run().report(folder / "out")
    return folder / "out"


def words(out: Path) -> str:
    page = (out / "report.html").read_text(encoding="utf-8")
    page = re.sub(r"<(script|style|svg)[\s\S]*?</\1>", "", page)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def section(out: Path, name: str) -> str:
    page = (out / "report.html").read_text(encoding="utf-8")
    found = re.search(rf'<section id="{name}"[\s\S]*?</section>', page)
    assert found is not None, name
    return found.group()


def test_everything_is_made_without_being_asked_for(out: Path) -> None:
    for name in ("kinds", "shared-meaning", "two-views", "partners"):
        section(out, name)
    for name in TABLES:
        assert len(pd.read_csv(out / "tables" / f"{name}.csv")), name


def test_findings_have_a_sentence_of_each(out: Path) -> None:
    found = " ".join(re.sub(r"<[^>]+>", " ", section(out, "what-we-found")).split())
    assert "“Kind of relationship now”: over everybody," in found
    assert "any two people gave the same answer in" in found
    assert re.search("Over all schools, leaders’ own view (is|and)", found)


def test_the_report_says_where_scales_without_a_score_are(out: Path) -> None:
    assert "They have sections of their own: “What kind of relationship”" in words(out)


def test_scales_about_partners_are_no_means_of_schools(out: Path) -> None:
    said = words(out)
    assert "Means of schools are not shown for “What we need from them”" in said
    means = pd.read_csv(out / "tables" / "means_school.csv")
    assert not {"rat_need_ours", "rat_asymmetry"} & set(means["scale"])
    icc = pd.read_csv(out / "tables" / "icc.csv")
    assert "rat_need_ours" not in set(icc["variable"])


def test_a_scale_about_the_partner_says_so_where_none_is_named(
    study_of: Callable[..., Study], tmp_path: Path
) -> None:
    frame = cohort(instruments=["resource_dependence"], partners=0, n_staff=14)
    frame.to_csv(tmp_path / "staff.csv", index=False)
    roles = {name: column for name, column in ROLES.items() if name != "partner"}
    study = plan(
        responses=[{"path": "staff.csv", "instruments": ["resource_dependence"], "roles": roles}],
        outcomes=[],
        analysis={"screening": False},
    )
    (tmp_path / "study.yaml").write_text(json.dumps(study), encoding="utf-8")
    Study.from_yaml(tmp_path / "study.yaml").run().report(tmp_path / "out")
    said = words(tmp_path / "out")
    assert "are about the partner: a mean of a school is what its people say of others" in said
    assert "Who works with whom" not in said


def test_each_can_be_switched_off(study_of: Callable[..., Study]) -> None:
    off = dict.fromkeys(("typologies", "consensus", "gaps", "partners"), False)
    found = study_of(off).run().record.relations
    assert (found.kinds, found.meanings, found.gaps, found.dyads, found.dependence) == ((),) * 5


def test_check_finds_what_is_wrong_with_the_keys(study_of: Callable[..., Study]) -> None:
    analysis = {
        "typologies": {"scales": ["ctx.nwo", "mng.felt"]},
        "consensus": {"scales": ["ctx.now"]},
        "partners": {"scales": ["mng.felt"]},
        "gaps": {"groups": ["head", "front_line"], "scales": ["mng.cards", "nobody"]},
    }
    faults = " ".join(study_of(analysis).check().faults)
    assert "typologies: The questionnaire has no scale 'ctx.nwo'. Did you mean 'ctx.now'?" in faults
    assert "typologies: the scale 'mng.felt' is not one whose answers share out" in faults
    assert "consensus: the scale 'ctx.now' is not one of the rule agreement" in faults
    assert "partners: the scale 'mng.felt' is not one about a partner" in faults
    assert "gaps: The questionnaire has no scale 'nobody'" in faults
    assert "gaps: the scale 'mng.cards' has no score of a person to compare" in faults
    assert "gaps: nobody has the value 'head' of 'staff_role'. Values are: 'boundary" in faults


def test_check_asks_for_roles_and_groups(study_of: Callable[..., Study], folder: Path) -> None:
    table = pd.read_csv(folder / "staff.csv")
    table[table["partner"].isna()].to_csv(folder / "once.csv", index=False)
    roles = {name: column for name, column in ROLES.items() if name != "partner"}
    alone = {"partners": True, "gaps": {"scales": ["mng.felt"]}}
    faults = " ".join(study_of(alone, roles, path="once.csv").check().faults)
    assert "partners: it needs the role 'partner'" in faults
    assert "'mng.felt' has no twin for leaders' own view, so say whose views" in faults
    same = {"gaps": {"groups": ["front_line", "front_line"]}}
    assert "'front_line' is in both groups" in " ".join(study_of(same).check().faults)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("typologies", 3, "true, or a set"),
        ("gaps", {"sides": ["a", "b"]}, "sides"),
        ("gaps", {"groups": ["head"]}, "groups"),
    ],
)
def test_odd_keys_are_refused(
    study_of: Callable[..., Study], key: str, value: object, said: str
) -> None:
    with pytest.raises(StudyError, match=said):
        study_of({key: value})


def test_two_groups_on_one_scale(study_of: Callable[..., Study]) -> None:
    groups = [["decision_maker", "boundary_spanner"], "front_line"]
    analysis = {
        "gaps": {"groups": groups, "scales": ["mng.felt"]},
        **dict.fromkeys(("typologies", "consensus", "partners"), False),
    }
    (gap,) = study_of(analysis).run().record.relations.gaps
    assert gap.names == ("decision maker and boundary spanner", "front line")
    assert gap.scales == ("mng.felt", "mng.felt")


def test_a_study_that_starts_from_scores_has_none_of_it(tmp_path: Path) -> None:
    study = plan(
        responses=[],
        scores={"path": "s.csv", "roles": {"cluster": "urn"}, "columns": {"a": "A"}},
        analysis={"consensus": True},
        outcomes=[],
    )
    (tmp_path / "study.yaml").write_text(json.dumps(study), encoding="utf-8")
    with pytest.raises(StudyError, match="no answers for 'consensus' to look at"):
        Study.from_yaml(tmp_path / "study.yaml")


def local_wording(folder: Path) -> str:
    """A folder with somebody's wording of the first published questionnaire that has a key."""
    import collabsurvey as cs

    listed = cs.list_instruments()
    name = str(listed.loc[listed["kind"] == "key_only", "id"].iloc[0])
    item = cs.load_instrument(name).item_ids[0]
    (folder / "texts").mkdir()
    text = f'instrument: {name}\nsource: "a letter"\nitems:\n  {item}: {{en-GB: "A SECRET LINE"}}\n'
    (folder / "texts" / f"{name}.yaml").write_text(text, encoding="utf-8")
    return name


def test_wording_of_ones_own_is_read_and_not_printed(tmp_path: Path) -> None:
    name = local_wording(tmp_path)
    frame = cohort(instruments=[name], partners=0, n_staff=14, n_schools=4, n_partnerships=1)
    frame.to_csv(tmp_path / "staff.csv", index=False)
    roles = {key: column for key, column in ROLES.items() if key != "partner"}
    study = plan(
        responses=[{"path": "staff.csv", "instruments": [name], "roles": roles}],
        outcomes=[],
        analysis={"screening": False},
        texts="texts/",
    )
    (tmp_path / "study.yaml").write_text(json.dumps(study), encoding="utf-8")
    run = Study.from_yaml(tmp_path / "study.yaml").run()
    assert run.record.responses is not None
    instrument = run.record.responses.instrument
    assert instrument.texts_are_local
    run.report(tmp_path / "out")
    for path in (tmp_path / "out").rglob("*"):
        if path.is_file():
            assert b"SECRET LINE" not in path.read_bytes(), path.name


def test_a_folder_of_texts_has_to_be_there(study_of: Callable[..., Study]) -> None:
    faults = " ".join(study_of(texts="wording").check().faults)
    assert "texts: there is no folder 'wording'" in faults
