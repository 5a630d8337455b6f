"""From data to record: every analysis a study asks for, in the order of its report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from collabsurvey import multilevel, reliability
from collabsurvey.errors import DataError, StudyError
from collabsurvey.moments import AnswerTables, answer_tables
from collabsurvey.multilevel import AggregateResult, IccResult
from collabsurvey.progress import track
from collabsurvey.reliability import ItemAnalysisResult, ReliabilityOverview
from collabsurvey.reporting.record import (
    AbsenceRecord,
    CompletenessRecord,
    ConfirmatoryRecord,
    InvarianceRecord,
    ModelRecord,
    RunRecord,
    ScreeningRecord,
    StructureRecord,
)
from collabsurvey.reporting.relations_record import RelationsRecord
from collabsurvey.responses import Responses
from collabsurvey.responses.free_text import coded_ids
from collabsurvey.study.conditions import CONF_LEVEL, Scored, school_means
from collabsurvey.study.config import StudyFile
from collabsurvey.study.confirm import Measured, confirm
from collabsurvey.study.eligible import response_by_school
from collabsurvey.study.fitting import fit_model
from collabsurvey.study.invariance import compare, divided_by, sets_to_compare
from collabsurvey.study.joining import Joined
from collabsurvey.study.limits import limits_of
from collabsurvey.study.model_tables import Tables, model_table
from collabsurvey.study.plans import (
    Divided,
    ExploratoryPlan,
    InvariancePlan,
    MissingPlan,
    ModelPlan,
    ScreeningPlan,
)
from collabsurvey.study.reading import Faults, StudyData
from collabsurvey.study.relations import relations
from collabsurvey.study.structure import ScaleSet, explore, scale_sets
from collabsurvey.study.trust import absences, completeness, screening

T = TypeVar("T")


class Notes(list[str]):
    """Sentences on what could not be calculated, said in the report instead of a number."""

    def attempt(self, what: str, step: Callable[[], T]) -> T | None:
        """Run a step; a lack of data becomes a note, anything else is raised."""
        try:
            return step()
        except DataError as error:
            self.append(f"{what}: {error}")
            return None


@dataclass(eq=False)
class Analyses:
    """The analyses of one study; each step adds what it found."""

    study: StudyFile
    data: StudyData
    survey: Scored
    tables: Tables
    parts: Mapping[str, Sequence[str]] = field(default_factory=dict)  # questionnaire → its scales
    measured: Sequence[Measured] = ()  # confirmatory models
    notes: Notes = field(default_factory=Notes)
    faults: Faults = field(default_factory=Faults)
    overview: ReliabilityOverview | None = None
    overview_by: ReliabilityOverview | None = None
    items: dict[str, ItemAnalysisResult] = field(default_factory=dict)
    answers: AnswerTables | None = None
    structures: list[StructureRecord] = field(default_factory=list)
    confirmatory: list[ConfirmatoryRecord] = field(default_factory=list)
    invariance: list[InvarianceRecord] = field(default_factory=list)
    screening: ScreeningRecord | None = None
    completeness: CompletenessRecord | None = None
    absences: tuple[AbsenceRecord, ...] = ()
    icc: IccResult | None = None
    icc_by_wave: dict[str, IccResult] = field(default_factory=dict)
    means: dict[str, AggregateResult] = field(default_factory=dict)
    relations: RelationsRecord = field(default_factory=RelationsRecord)
    models: list[ModelRecord] = field(default_factory=list)

    def steps(self) -> list[Callable[[], None]]:
        """What is to be done, in order."""
        steps: list[Callable[[], None]] = []
        responses = self.data.responses
        if responses is not None:
            steps += self._on_trust(responses)
            steps += [
                partial(self.reliability_of, responses),
                partial(self.items_of, responses),
                partial(self.answers_of, responses),
            ]
            steps += self._on_structure(responses)
            steps.append(partial(self.relations_of, responses))
        if self.survey.unit == "respondent" and "school" in self.survey.frame.columns:
            steps += [self.between_schools, self.group_means]
        for plan in self.study.analysis.models:
            joined = model_table(plan, self.tables)
            if joined is not None:
                steps.append(partial(self.model, plan, joined))
        return steps

    def _on_trust(self, responses: Responses) -> list[Callable[[], None]]:
        """Steps that ask whether the answers can be trusted."""
        analysis = self.study.analysis
        steps = [partial(self.completeness_of, responses)]
        if analysis.screening is not None:
            steps.insert(0, partial(self.screening_of, responses, analysis.screening))
        if analysis.missing is not None:
            steps.append(partial(self.absences_of, responses, analysis.missing))
        return list(steps)

    def _on_structure(self, responses: Responses) -> list[Callable[[], None]]:
        """Steps that ask what the questions measure, and whether they do so everywhere."""
        steps: list[Callable[[], None]] = []
        analysis = self.study.analysis
        if (exploratory := analysis.exploratory) is not None:
            steps += [
                partial(self.structure_of, responses, exploratory, chosen)
                for chosen in scale_sets(exploratory, responses.instrument, self.parts)
            ]
        steps += [partial(self.confirmed, responses, model) for model in self.measured]
        if (plan := analysis.invariance) is not None:
            steps += [
                partial(self.compared, responses, plan, by, chosen)
                for by in divided_by(plan, responses)
                for chosen in sets_to_compare(plan, responses, self.parts)
            ]
        return steps

    def screening_of(self, responses: Responses, plan: ScreeningPlan) -> None:
        """Signs of careless answers, and what leaving flagged rows out changes."""
        step = partial(screening, plan, responses, self.data.screened, seed=self.study.study.seed)
        self.screening = self.notes.attempt("Signs of careless answers", step)

    def completeness_of(self, responses: Responses) -> None:
        """How much is missing."""
        step = partial(completeness, responses)
        self.completeness = self.notes.attempt("Missing answers", step)

    def absences_of(self, responses: Responses, plan: MissingPlan) -> None:
        """Who is missing."""
        found = self.notes.attempt("Who is missing", partial(absences, plan, responses))
        self.absences = found or ()

    def reliability_of(self, responses: Responses) -> None:
        """Reliability of every scale, and by a role where the study asks."""
        overview = partial(reliability.overview, responses, seed=self.study.study.seed)
        self.overview = self.notes.attempt("Reliability", overview)
        by = self.study.analysis.reliability.by
        if by is not None:
            self.overview_by = self.notes.attempt(f"Reliability by {by}", partial(overview, by=by))

    def items_of(self, responses: Responses) -> None:
        """Item analysis of every scale of two items or more."""
        for scale in responses.instrument.scoring:
            if scale.rule not in ("mean", "sum") or len(scale.items) < 2:
                continue
            step = partial(reliability.item_analysis, responses, scale.id)
            result = self.notes.attempt(f"Items of {scale.title}", step)
            if result is not None:
                self.items[scale.id] = result

    def answers_of(self, responses: Responses) -> None:
        """How often each answer was given."""
        step = partial(answer_tables, responses, coded_ids(responses.instrument))
        self.answers = self.notes.attempt("Distributions", step)

    def structure_of(self, responses: Responses, plan: ExploratoryPlan, chosen: ScaleSet) -> None:
        """How many things a questionnaire measures, and on which factors its items load."""
        step = partial(explore, plan, chosen, responses, seed=self.study.study.seed)
        where = f" ({chosen.title})" if chosen.title else ""
        result = self.notes.attempt(f"How many things are measured{where}", step)
        if result is not None:
            self.structures.append(result)

    def confirmed(self, responses: Responses, model: Measured) -> None:
        """Whether the questions of a questionnaire measure what they were written for."""
        plan, seed = self.study.analysis.structure, self.study.study.seed
        where = f" ({model.title})" if model.title else ""
        result = self.notes.attempt(
            f"Do questions measure what they were written for{where}",
            partial(confirm, plan, model, responses, seed=seed),
        )
        if result is not None:
            self.confirmatory.append(result)

    def compared(
        self, responses: Responses, plan: InvariancePlan, by: Divided, chosen: ScaleSet
    ) -> None:
        """Whether a questionnaire works the same in all groups of a role."""
        min_group, seed = self.study.privacy.min_group, self.study.study.seed
        for record in compare(plan, by, chosen, responses, min_group=min_group, seed=seed):
            self.invariance.append(record)

    def relations_of(self, responses: Responses) -> None:
        """Kinds of relationship, shared meaning, two views of a school, and partners."""
        self.relations = relations(self.study, responses, self.notes.attempt)

    def between_schools(self) -> None:
        """How much of the differences between people lies between schools, wave by wave.

        Waves are kept apart, because the same people answer in several, and because the means
        that are shown are those of a wave.
        """
        frame, scales = self.survey.frame, list(self.survey.scales)
        what = f"Differences between {self.study.study.school_word}s"
        if "wave" not in frame.columns:
            self.icc = self.notes.attempt(what, partial(multilevel.icc, frame, scales, "school"))
            return
        for wave, rows in frame.groupby("wave", observed=True, sort=True):
            step = partial(multilevel.icc, rows, scales, "school")
            result = self.notes.attempt(f"{what} in wave {wave}", step)
            if result is not None:
                self.icc_by_wave[str(wave)] = result

    def group_means(self) -> None:
        """Means of schools and partnerships."""
        for level in self.study.analysis.levels.aggregate:
            if level not in self.survey.frame.columns:
                self.notes.append(f"Means by {level}: the role is not set in these data.")
                continue
            eligible = self.data.eligible.frame if self.data.eligible is not None else None
            step = partial(school_means, self.survey, level, eligible)
            result = self.notes.attempt(f"Means by {level}", step)
            if result is not None:
                self.means[level] = result

    def model(self, plan: ModelPlan, joined: Joined) -> None:
        """Fit one model; what is wrong with it is a fault of the study."""
        step = partial(fit_model, plan, joined)
        result = self.faults.attempt(step, where=f"model {plan.name!r}")
        if result is not None:
            self.models.append(result)


def run_study(
    study: StudyFile,
    data: StudyData,
    survey: Scored,
    tables: Tables,
    options: Mapping[str, Any],
    *,
    not_for: Mapping[str, tuple[str, ...]],
    parts: Mapping[str, Sequence[str]],
    measured: Sequence[Measured] = (),
    progress: bool,
) -> RunRecord:
    """Calculate everything a study asks for; what the data cannot bear becomes a note."""
    found = Analyses(study, data, survey, tables, parts, measured)
    steps = found.steps()
    for step in track(steps, "Analysing", total=len(steps), show=progress):
        step()
    if found.faults.sentences:
        raise StudyError(study.study.id, found.faults.sentences)
    joins = tuple(joined.count for joined in tables.values() if joined.count is not None)
    prereg = study.design.prereg
    return RunRecord(
        study_id=study.study.id,
        title=study.study.title,
        seed=study.study.seed,
        min_group=study.privacy.min_group,
        synthetic=study.study.synthetic,
        conf_level=CONF_LEVEL,
        ledger=data.ledger,
        sources=data.sources,
        options=options,
        responses=data.responses,
        scores=survey.frame,
        score_result=survey.result,
        scale_titles=data.scale_titles,
        response_by_school=response_by_school(survey, data.eligible),
        overview=found.overview,
        overview_by=found.overview_by,
        item_analyses=found.items,
        answers=found.answers,
        structures=tuple(found.structures),
        confirmatory=tuple(found.confirmatory),
        invariance=tuple(found.invariance),
        screening=found.screening,
        completeness=found.completeness,
        absences=found.absences,
        icc=found.icc,
        icc_by_wave=found.icc_by_wave,
        not_for=not_for,
        aggregates=found.means,
        joins=joins,
        relations=found.relations,
        models=tuple(found.models),
        design=study.design.kind,
        prereg="" if prereg is None else f"{prereg.url} (registered {prereg.registered})",
        limits=limits_of(study, data, found.models, joins),
        school_word=study.study.school_word,
        notes=tuple(found.notes),
    )
