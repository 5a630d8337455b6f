"""The study file: its keys, and reading it with every fault at once.

Keys are explained in studies/README.md. What a later version will do (memberships, ties, Word)
is known here by name, so that it is refused and not ignored.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator

from collabsurvey.errors import StudyError
from collabsurvey.instruments.faults import faults_of
from collabsurvey.instruments.yaml_tree import Document, Fault, parse
from collabsurvey.responses.responses import Role
from collabsurvey.study.plans import Analysis, MeasurementPlan, Section, StructurePlan, Unit

Scalar = str | int | float | bool

LATER: dict[tuple[str, ...], str] = {
    ("membership",): "Give the partnership as a role of the responses instead.",
    ("ties",): "Leave it out.",
}
OF_SCALES = {"scales", "reverse_keyed", "response_range", "min_valid"}
OF_INSTRUMENTS = {"slots"}


class StudyInfo(Section):
    """What the study is called, and the seed of everything random in it."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    title: str
    seed: int = 1
    synthetic: bool = False
    school_word: str = "school"


class Prereg(Section):
    """Where the plan was registered before the data were seen."""

    url: str
    registered: str


class Design(Section):
    """What kind of study it is."""

    kind: Literal["observational", "quasi-experimental", "experimental"] = "observational"
    prereg: Prereg | None = None


class Privacy(Section):
    """Groups smaller than this are not shown; ids are hashed with the key file's content."""

    min_group: int = Field(default=10, ge=5)
    key_file: str | None = None


class ResponseFile(Section):
    """One file of answers."""

    path: str
    platform: str | None = None  # found where it is left out
    definition: str | None = None  # .qsf, .lss, .xml or data dictionary of the platform
    sheet: str | None = None  # of a workbook
    form: str | None = None  # the repeating form of REDCap that holds the answers
    partners: tuple[str, ...] = ()  # whom numbered columns are about, in order
    instruments: tuple[str, ...] = ()
    slots: dict[str, str] = Field(default_factory=dict)  # the words that stood in the questions
    scales: dict[str, tuple[str, ...]] | None = None
    titles: dict[str, str] = Field(default_factory=dict)  # of the scales named here
    reverse_keyed: tuple[str, ...] = ()
    response_range: tuple[float, float] | None = None
    min_valid: str | int = "2/3"
    wave: int | str | None = None
    columns: str | dict[str, str | dict[str, str]] | None = None
    items: Literal["all", "present"] = "all"
    roles: dict[Role, str] = Field(default_factory=dict)
    key: tuple[Role, ...] | None = None  # what makes a row; respondent, wave, partner if None
    missing_codes: tuple[float | str, ...] = ()
    repair: dict[str, Any] | None = None
    encoding: str | None = None
    delimiter: str | None = None


class Derived(Section):
    """A column made from part of another: the group of a pattern."""

    from_: str = Field(alias="from")
    pattern: str

    @field_validator("pattern")
    @classmethod
    def _one_group(cls, pattern: str) -> str:
        try:
            n_groups = re.compile(pattern).groups
        except re.error as error:
            raise ValueError(f"a regular expression ({error})") from None
        if n_groups != 1:
            raise ValueError("a regular expression with one group, such as '^(..)'")
        return pattern


class ScoresFile(Section):
    """Scores instead of answers: one row for each school (and wave)."""

    path: str
    roles: dict[Role, str]
    columns: dict[str, str]
    titles: dict[str, str] = Field(default_factory=dict)
    missing: tuple[Scalar, ...] = ()
    where: dict[str, Scalar | tuple[Scalar, ...]] = Field(default_factory=dict)
    derive: dict[str, Derived] = Field(default_factory=dict)
    repair: dict[str, Any] | None = None
    n_respondents: str | None = None  # column with the number behind each score


class Eligible(Section):
    """How many staff could have answered."""

    path: str
    key: tuple[str, ...] | dict[str, str]
    count: str


class Outcome(Section):
    """A file of outcomes: one row for each unit (and cohort)."""

    id: str
    path: str
    key: dict[Literal["school", "respondent", "cohort", "wave", "partnership"], str]
    unit: Unit = "school"
    columns: dict[str, str] | None = None  # name in formulas → column of the file
    missing: tuple[Scalar, ...] = ()
    where: dict[str, Scalar | tuple[Scalar, ...]] = Field(default_factory=dict)
    derive: dict[str, Derived] = Field(default_factory=dict)
    source: str = ""
    repair: dict[str, Any] | None = None


class CalendarEntry(Section):
    """Which cohort's outcome follows which wave."""

    wave: int | str
    cohort: int | str


class ReportPlan(Section):
    """What is written."""

    formats: tuple[str, ...] = ("html",)
    school_pages: bool = False


class StudyFile(Section):
    """The whole study file."""

    study: StudyInfo
    texts: str | None = None  # folder with wording that may be used and not passed on
    design: Design = Design()
    privacy: Privacy = Privacy()
    responses: tuple[ResponseFile, ...] = ()
    scores: ScoresFile | None = None
    eligible: Eligible | None = None
    membership: Any = None
    outcomes: tuple[Outcome, ...] = ()
    calendar: tuple[CalendarEntry, ...] = ()
    ties: Any = None
    analysis: Analysis = Analysis()
    report: ReportPlan = ReportPlan()


def read_study_file(path: Path) -> tuple[StudyFile, dict[str, Any]]:
    """Read and check one study file; return it and the plain data it came from.

    Raises
    ------
    StudyError
        With every fault of the file, each with its line.
    """
    document = parse(_text_of(path))
    if not document.faults and not isinstance(document.data, dict):
        document.faults.append(
            Fault(1, "the file holds no study. Start one with: collabsurvey init FOLDER.")
        )
    if document.faults:
        raise StudyError(path.name, [str(fault) for fault in sorted(document.faults)])
    faults: list[Fault] = []
    study: StudyFile | None = None
    try:
        study = StudyFile.model_validate(document.data)
    except ValidationError as error:
        faults += faults_of(error, document, StudyFile)
    if study is not None:
        faults += _rules(study, document)
    if faults or study is None:
        raise StudyError(path.name, [str(fault) for fault in sorted(faults)])
    return study, document.data


def _text_of(path: Path) -> str:
    if path.is_dir():
        raise StudyError(str(path), ["this is a folder; name the study file in it."])
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise StudyError(str(path), ["there is no such file."]) from None
    except UnicodeDecodeError:
        raise StudyError(path.name, ["the file is not UTF-8 text. Save it as UTF-8."]) from None
    except OSError as error:
        raise StudyError(path.name, [f"the file cannot be read: {error.strerror}."]) from None


def _rules(study: StudyFile, document: Document) -> list[Fault]:
    """What a single key cannot know."""
    faults: list[Fault] = []

    def fault(path: tuple[Any, ...], sentence: str) -> None:
        faults.append(Fault(document.line(path), sentence))

    for where, advice in LATER.items():
        value: Any = document.data
        for key in where:
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            name = ".".join(where)
            fault(where, f"{name!r} is not part of this version of collabsurvey. {advice}")
    for name in study.report.formats:
        if name != "html":
            fault(
                ("report", "formats"), f"the format {name!r} is not part of this version. Use html."
            )
    if study.report.school_pages:
        fault(
            ("report", "school_pages"), "school pages are not part of this version. Leave it out."
        )
    if bool(study.responses) == (study.scores is not None):
        fault(("study",), "name either 'responses' or 'scores' (and not both).")
    _input_rules(study, fault)
    _model_rules(study, fault)
    _measurement_rules(study.analysis, fault)
    structure = study.analysis.structure
    if study.scores is not None and (structure.exploratory is not None or structure.confirms):
        fault(
            ("analysis", "structure"),
            "the study starts from scores, so there are no answers to look for factors in. Leave "
            "'structure' out.",
        )
    if study.scores is not None:
        _need_answers(study, fault)
    seen: set[str] = set()
    for i, outcome in enumerate(study.outcomes):
        if outcome.id in seen:
            fault(("outcomes", i, "id"), f"the outcome id {outcome.id!r} is used twice.")
        seen.add(outcome.id)
        needed = "respondent" if outcome.unit == "respondent" else "school"
        if needed not in outcome.key:
            fault(
                ("outcomes", i, "key"),
                f"outcome {outcome.id!r} has the unit {outcome.unit}, so its key must say which "
                f"column is the {needed}: key: {{{needed}: column}}.",
            )
    return faults


def _need_answers(study: StudyFile, fault: Any) -> None:
    """Keys about single answers, in a study that has none."""
    asked = study.analysis.model_fields_set
    about_answers = (
        "screening",
        "missing",
        "invariance",
        "typologies",
        "consensus",
        "gaps",
        "partners",
    )
    for key in about_answers:
        if key in asked and getattr(study.analysis, key) is not None:
            fault(
                ("analysis", key),
                f"the study starts from scores, so there are no answers for {key!r} to look at. "
                "Leave it out.",
            )


def _measurement_rules(analysis: Analysis, fault: Any) -> None:
    """Keys of measurement models that contradict each other, or have no effect."""
    plans: dict[str, MeasurementPlan] = {"structure": analysis.structure}
    if analysis.invariance is not None:
        plans["invariance"] = analysis.invariance
    for name, plan in plans.items():
        here = ("analysis", name)
        if isinstance(plan, StructurePlan) and not plan.confirms:
            for key in sorted(plan.model_fields_set & {"ordered", "missing", "cluster"}):
                fault(
                    (*here, key),
                    f"{key!r} belongs to a confirmatory model, which is asked for with "
                    "'estimator: auto'. Add that, or leave it out.",
                )
            continue
        continuous = plan.estimator in ("ML", "MLR")
        if plan.estimator == "WLSMV" and plan.ordered is False:
            fault((*here, "ordered"), "WLSMV is for ordered answers. Say estimator: MLR.")
        if continuous and plan.ordered not in ("auto", False):
            fault((*here, "ordered"), f"{plan.estimator} takes answers as numbers. Say WLSMV.")
        if plan.missing == "fiml" and (
            plan.estimator == "WLSMV" or plan.ordered not in ("auto", False)
        ):
            fault((*here, "missing"), "'fiml' is not for ordered answers. Say pairwise.")
        if plan.missing == "pairwise" and (continuous or plan.ordered is False):
            fault((*here, "missing"), "'pairwise' is for ordered answers. Say fiml.")


def _input_rules(study: StudyFile, fault: Any) -> None:
    for i, file in enumerate(study.responses):
        if bool(file.instruments) == (file.scales is not None):
            fault(("responses", i), "name either 'instruments' or 'scales' (and not both).")
        idle = OF_SCALES if file.instruments else OF_INSTRUMENTS
        other = "instruments say this themselves" if file.instruments else "it is for instruments"
        for name in sorted(file.model_fields_set & idle):
            fault(("responses", i, name), f"{name!r} has no effect here: {other}. Leave it out.")
    places: list[tuple[str | int, ...]] = [("responses", i) for i in range(len(study.responses))]
    roles = [file.roles for file in study.responses]
    if study.scores is not None:
        places, roles = [*places, ("scores",)], [*roles, study.scores.roles]
        if "cluster" not in study.scores.roles:
            fault(("scores", "roles"), "set the role 'cluster': which column is the school.")
    for place, given in zip(places, roles, strict=True):
        if "weight" in given:
            fault(
                (*place, "roles", "weight"),
                "means and models of a study are not weighted in this version. Leave the role "
                "'weight' out, or weight in a script.",
            )
    waves: set[str] = set()
    for i, entry in enumerate(study.calendar):
        if str(entry.wave) in waves:
            fault(("calendar", i), f"wave {entry.wave} has a cohort already; it can have one.")
        waves.add(str(entry.wave))


def _model_rules(study: StudyFile, fault: Any) -> None:
    outcomes = {outcome.id for outcome in study.outcomes}
    names: set[str] = set()
    for i, model in enumerate(study.analysis.models):
        here = ("analysis", "models", i)
        if model.outcome is not None and model.outcome not in outcomes:
            known = ", ".join(sorted(outcomes)) or "none"
            fault(
                (*here, "outcome"),
                f"model {model.name!r} names the outcome {model.outcome!r}. Outcomes are: {known}.",
            )
        if model.name in names:
            fault((*here, "name"), f"the model name {model.name!r} is used twice.")
        names.add(model.name)
        if "cov" in model.model_fields_set and model.cluster is None:
            fault((*here, "cov"), f"'cov: {model.cov}' needs 'cluster': errors by which column?")


def located(path: str, folder: Path, environment: Mapping[str, str] = os.environ) -> Path:
    r"""A path of the study file: relative to its folder; ${NAME} is an environment variable.

    Raises
    ------
    StudyError
        The variable is not set, or a path written for Windows, such as data\staff.csv, is read
        elsewhere, where it would be the name of a file.
    """

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in environment:
            raise StudyError(path, [f"the environment variable {name} is not set."])
        return environment[name]

    expanded = Path(re.sub(r"\$\{(\w+)\}", value, path))
    if "\\" in str(expanded) and os.sep == "/" and not (folder / expanded).exists():
        raise StudyError(
            path, ["this is a path for Windows. Write it with /, relative to the study file."]
        )
    return expanded if expanded.is_absolute() else folder / expanded
