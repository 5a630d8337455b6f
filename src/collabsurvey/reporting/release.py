"""What may leave the machine: a `RunRecord` after disclosure control.

Writers (HTML, tables, figures) see a `Release` and never the record, so that what is not
here cannot be written. Results over all respondents are shown where at least `min_group`
answered; results by group go through `groups`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from collabsurvey.reporting.confirm_release import ReleasedConfirmatory, released_confirmatory
from collabsurvey.reporting.disclosure import checked_min_group
from collabsurvey.reporting.groups import (
    SUPPRESSED,
    Cell,
    People,
    count_people,
    hidden_cells,
    in_order,
    labels_of,
    means_table,
    response_table,
    response_waves,
)
from collabsurvey.reporting.icc_release import icc_results, released_icc
from collabsurvey.reporting.invariance_release import ReleasedInvariance, released_invariance
from collabsurvey.reporting.item_release import ItemAnswers, answers_of, items_table
from collabsurvey.reporting.model_release import ReleasedModel, release_model
from collabsurvey.reporting.pseudonyms import safe_school_scores, safe_scores
from collabsurvey.reporting.relations_release import ReleasedRelations, released_relations
from collabsurvey.reporting.scale_release import (
    ScaleFacts,
    definitions_of,
    not_for_of,
    overall_table,
    scale_facts,
    unscored_titles,
    without_named_partners,
    without_unaveraged,
)
from collabsurvey.reporting.structure_release import ReleasedStructure, released_structures
from collabsurvey.reporting.term_words import spaced
from collabsurvey.reporting.trust_release import (
    ReleasedAbsences,
    ReleasedCompleteness,
    ReleasedScreening,
    released_absences,
    released_completeness,
    released_screening,
)
from collabsurvey.reporting.wording import names_any, plural_of, without_ids

if TYPE_CHECKING:
    import pandas as pd

    from collabsurvey.reporting.disclosure import Hidden
    from collabsurvey.reporting.record import JoinCount, RunRecord, SourceFile

ROLE_COLUMNS = (
    "respondent",
    "school",
    "cluster",
    "partnership",
    "partner",
    "wave",
    "cohort",
    "staff_role",
    "weight",
    "stratum",
    "n_respondents",
)
GROUP_COLUMNS = ("school", "cluster", "partnership")


@dataclass(frozen=True, eq=False)
class Release:
    """Everything a document is made of; nothing here tells who somebody is.

    Tables by group have a column `suppressed`; where it is true, all numbers that come from
    answers are missing.
    """

    study_id: str
    title: str
    seed: int
    min_group: int
    synthetic: bool
    conf_level: float
    design: str
    prereg: str
    school_word: str
    from_scores: bool  # the study starts at scores of schools, not at answers
    n_respondents: int | None  # people; None where fewer than min_group, or not known
    n_answers: int | None  # rows: a person has one in each wave
    n_schools: int | None
    waves: tuple[str, ...]  # in order; empty where the study has none
    not_for: Mapping[str, tuple[str, ...]]  # title of an instrument → forbidden uses
    scales: tuple[ScaleFacts, ...]
    scores: pd.DataFrame
    ledger: pd.DataFrame
    sources: tuple[SourceFile, ...]
    options: Mapping[str, Any]
    response: pd.DataFrame | None
    response_total: float | None  # of all groups, hidden ones too
    response_waves: Mapping[str, tuple[float, float]]  # wave → answers, places, over all groups
    means: Mapping[str, pd.DataFrame]
    icc: pd.DataFrame | None
    reliability: pd.DataFrame | None
    reliability_by: pd.DataFrame | None
    items: Mapping[str, pd.DataFrame]
    answers: tuple[ItemAnswers, ...]
    structures: tuple[ReleasedStructure, ...]
    confirmatory: tuple[ReleasedConfirmatory, ...]
    invariance: tuple[ReleasedInvariance, ...]
    screening: ReleasedScreening | None
    completeness: ReleasedCompleteness | None
    absences: ReleasedAbsences | None
    joins: tuple[JoinCount, ...]
    models: tuple[ReleasedModel, ...]
    limits: tuple[str, ...]
    notes: tuple[str, ...]
    result_notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unscored: Mapping[str, str] = field(default_factory=dict)  # id → title, of scales without one
    relations: ReleasedRelations = field(default_factory=ReleasedRelations)
    definitions: Mapping[str, str] = field(default_factory=dict)  # of those scales, by id

    @property
    def n_suppressed(self) -> int:
        """Schools that are hidden in the table of who answered."""
        return 0 if self.response is None else int(self.response[SUPPRESSED].sum())

    def scale_title(self, scale: str) -> str:
        """Title of a scale, by id or by its column's name."""
        for facts in self.scales:
            if scale in (facts.column, facts.id):
                return facts.title
        return self.unscored.get(scale, scale)

    def readable(self, text: str) -> str:
        """A text with the titles of scales for their columns, and schools for their groups."""
        text = re.sub(r"\bgroups of (?:school|cluster)\b", plural_of(self.school_word), text)
        names = {
            facts.column + suffix: f"“{facts.title}”{said}"
            for facts in self.scales
            for suffix, said in (
                ("_between", f" (mean of the {self.school_word})"),
                ("_within", f" (difference from the mean of the {self.school_word})"),
                ("", ""),
            )
        }
        if not names:
            return text
        either = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
        return re.sub(
            rf"(?<![\w.])(?:{either})(?!\w|\.\w)", lambda found: names[found.group()], text
        )

    def said(self, text: str) -> str:
        """`readable`, with the names of other columns as words."""
        return spaced(self.readable(text))

    def not_comparable(self, by: str) -> tuple[str, ...]:
        """Titles of scales whose averages, or those of a part, may not be compared by a role."""
        failing = [
            scale
            for found in self.invariance
            if found.by == by
            for one in found.judged
            if one.means_fail
            for scale in one.scales
        ]
        items = {facts.id: set(facts.items) for facts in self.scales}
        return tuple(
            facts.title
            for facts in self.scales
            if any(items.get(scale, {""}) <= set(facts.items) for scale in failing)
        )

    def parts_of(self, whole: ScaleFacts) -> tuple[ScaleFacts, ...]:
        """Smaller scales that hold all items of a scale between them; empty where none do."""
        parts = tuple(
            facts for facts in self.scales if facts.items and set(facts.items) < set(whole.items)
        )
        held = {item for facts in parts for item in facts.items}
        return parts if held and held == set(whole.items) else ()


def release(record: RunRecord, *, key: bytes) -> Release:
    """Apply disclosure control to a run.

    Parameters
    ----------
    record : RunRecord
        Unsuppressed.
    key : bytes
        Secret of the pseudonyms; see `pseudonyms.read_key`.

    Raises
    ------
    OptionError
        `record.min_group` is below 5.
    """
    min_group = checked_min_group(record.min_group)
    scales = scale_columns(record)
    people = People.of(record.scores)
    from_scores = record.responses is None and people.respondent is None
    cells = {} if from_scores else hidden_cells(record.scores, scales, min_group)
    n_people = None if from_scores else _n_people(record, people)
    enough = n_people is None or n_people >= min_group
    response = None if from_scores else response_table(record, cells)
    total = _response_total(record)
    ids = _ids(record, people)
    return Release(
        study_id=record.study_id,
        title=record.title,
        seed=record.seed,
        min_group=min_group,
        synthetic=record.synthetic,
        conf_level=record.conf_level,
        design=record.design,
        prereg=record.prereg,
        school_word=record.school_word,
        from_scores=from_scores,
        n_respondents=n_people if enough else None,
        n_answers=None if from_scores or not enough else len(record.scores),
        n_schools=None if people.school is None else int(record.scores[people.school].nunique()),
        waves=_waves(record, people),
        not_for=not_for_of(record),
        scales=scale_facts(
            record, scales, min_group, units=_units(record, n_people), by_school=from_scores
        ),
        scores=_scores(record, scales, key, cells, from_scores),
        ledger=_ledger(record, ids),
        sources=record.sources,
        options=record.options,
        response=response,
        response_total=total if total is not None and total >= min_group else None,
        response_waves=response_waves(record),
        means=_means(record, cells, from_scores),
        icc=without_named_partners(record, released_icc(record, cells)) if enough else None,
        reliability=overall_table(record.overview, min_group),
        reliability_by=overall_table(record.overview_by, min_group, grouped=True),
        items={
            scale: table
            for scale, result in record.item_analyses.items()
            if (table := items_table(result, min_group)) is not None
        },
        answers=answers_of(record, min_group),
        structures=released_structures(record, ids) if enough else (),
        confirmatory=released_confirmatory(record, ids) if enough else (),
        invariance=released_invariance(record, ids) if enough else (),
        screening=released_screening(record, ids) if enough else None,
        completeness=released_completeness(record) if enough else None,
        absences=released_absences(record) if enough else None,
        joins=record.joins,
        models=tuple(release_model(model, record) for model in record.models if enough),
        limits=tuple(without_ids(text, ids) for text in record.limits),
        notes=tuple(without_ids(text, ids) for text in record.notes),
        result_notes=_result_notes(record, ids),
        unscored=unscored_titles(record),
        relations=released_relations(record, cells) if enough else ReleasedRelations(),
        definitions=definitions_of(record),
    )


def scale_columns(record: RunRecord) -> tuple[str, ...]:
    """Columns of the scores that are scales, in order."""
    scores = record.scores
    named = [name for name in scores.columns if name in record.scale_titles]
    if named:
        return tuple(named)
    return tuple(
        str(name)
        for name in scores.columns
        if name not in ROLE_COLUMNS and scores[name].dtype.kind in "fi"
    )


def _n_people(record: RunRecord, people: People) -> int:
    everyone = record.scores.assign(everyone__="all")
    return count_people(everyone, "everyone__", people)["all"] if len(everyone) else 0


def _units(record: RunRecord, n_people: int | None) -> str:
    """What a row of the scores is, in the plural."""
    if n_people is None:
        return plural_of(record.school_word)
    return "people" if n_people == len(record.scores) else "answers"


def _waves(record: RunRecord, people: People) -> tuple[str, ...]:
    if people.wave is None:
        return ()
    return tuple(in_order(label for label in labels_of(record.scores[people.wave]) if label))


def _response_total(record: RunRecord) -> float | None:
    table = record.response_by_school
    return None if table is None else float(table["n"].sum())


def _ids(record: RunRecord, people: People) -> frozenset[str]:
    if people.respondent is None:
        return frozenset()
    return frozenset(str(value) for value in record.scores[people.respondent].dropna())


def _scores(
    record: RunRecord,
    scales: tuple[str, ...],
    key: bytes,
    cells: Mapping[Cell, Hidden],
    from_scores: bool,
) -> pd.DataFrame:
    if from_scores:
        return safe_school_scores(record.scores, scales, min_group=record.min_group)
    return safe_scores(record.scores, scales, key=key, min_group=record.min_group, cells=cells)


def _means(
    record: RunRecord, cells: Mapping[Cell, Hidden], from_scores: bool
) -> dict[str, pd.DataFrame]:
    if from_scores:  # the n of such a table counts schools
        return {
            level: result.to_frame()
            .drop(columns="below_min_n", errors="ignore")
            .assign(**{SUPPRESSED: False})
            for level, result in record.aggregates.items()
        }
    return {
        level: means_table(record, level, without_unaveraged(record, result.to_frame()), cells)
        for level, result in record.aggregates.items()
    }


def _ledger(record: RunRecord, ids: frozenset[str]) -> pd.DataFrame:
    table = record.ledger.to_frame()
    table["what"] = [without_ids(text, ids) for text in table["what"]]
    return table


def _result_notes(record: RunRecord, ids: frozenset[str]) -> dict[str, tuple[str, ...]]:
    """Notes of the results; those that name groups say which are small, and are left out."""
    results = {
        "reliability": record.overview,
        "reliability_by": record.overview_by,
        "scores": record.score_result,
        **{f"icc {wave}".strip(): result for wave, result in icc_results(record).items()},
        **{f"means {level}": result for level, result in record.aggregates.items()},
    }
    groups = frozenset(
        label
        for name in GROUP_COLUMNS
        if name in record.scores.columns
        for label in labels_of(record.scores[name])
        if label
    )
    return {
        name: tuple(
            without_ids(note, ids)
            for note in result.notes
            if not (name.startswith("means") and names_any(note, groups))
        )
        for name, result in results.items()
        if result is not None
    }
