"""What one run of a study found: everything a report is written from.

The record holds finished results and plain tables, unsuppressed; `disclosure` decides
what may leave the machine, and the writers only see what it lets through.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from collabsurvey.reporting.relations_record import RelationsRecord

if TYPE_CHECKING:
    import pandas as pd

    from collabsurvey.dimensionality import EfaResult, RetentionResult, SemResult, ValidityResult
    from collabsurvey.invariance import LadderResult
    from collabsurvey.invariance.consequences_result import ConsequencesResult
    from collabsurvey.invariance.partial_result import PartialResult
    from collabsurvey.moments import AnswerTables
    from collabsurvey.multilevel import AggregateResult, IccResult
    from collabsurvey.quality import LittleResult, MissingnessResult, ScreenResult
    from collabsurvey.regression import LinearResult, MixedResult
    from collabsurvey.reliability import ItemAnalysisResult, ReliabilityOverview
    from collabsurvey.responses import Ledger, Responses
    from collabsurvey.scoring import ScoreResult
    from collabsurvey.validation import ImpactResult, MissingnessModel


@dataclass(frozen=True)
class SourceFile:
    """A file that was read: its name, its SHA-256 and its rows."""

    name: str
    sha256: str
    n_rows: int
    holds: str  # "responses", "scores", "outcomes attendance", …


@dataclass(frozen=True, eq=False)
class Calibrated:
    """A coefficient of a school mean, and what it is with the means shrunken for unreliability."""

    term: str
    estimate: float
    adjusted: float  # refitted with means shrunken by their reliability (regression calibration)
    reliability: float  # average reliability of the school means used, 0 to 1


@dataclass(frozen=True, eq=False)
class ModelRecord:
    """One model of the study file, fitted, or the reason why not."""

    name: str
    formula: str
    unit: str  # "respondent" or "school"
    role: Literal["confirmatory", "exploratory"]
    result: LinearResult | MixedResult
    rows_used: int
    rows_joined: int  # rows of the joined table before missing values were dropped
    hypothesis: str = ""
    family: str = ""
    calibrated: tuple[Calibrated, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class StructureRecord:
    """How many things a questionnaire measures, from one answer of each person."""

    title: str  # of the questionnaire; empty where the study file names the items itself
    scales: tuple[str, ...]  # ids of the scales that take part
    left_out: Mapping[str, str]  # title of another scale → why it does not
    retention: RetentionResult
    efa: EfaResult | None  # None where the methods see no factor at all
    chosen_by: Literal["scales", "suggested", "named"]  # whose number of factors it is
    wave: str  # whose answers; empty where there are no waves
    n_people: int
    n_repeated: int  # further rows of the same people that were left out
    fewest: int  # people behind the correlation with the fewest


@dataclass(frozen=True, eq=False)
class ConfirmatoryRecord:
    """Whether questions measure what they were written for, from one answer of each person."""

    title: str  # of the questionnaire; empty where the study file names the items itself
    factors: Mapping[str, str]  # name in the model → id of its scale, or that name again
    items: Mapping[str, str]  # name in the model → item id
    left_out: Mapping[str, str]  # title of a scale → why it takes no part
    own_model: bool  # whether the study file holds the model
    fit: SemResult
    validity: ValidityResult | None  # None where the model did not converge
    why: str  # of the estimator, in words
    n_clusters: int | None  # groups the errors are over; None where they are not
    wave: str  # whose answers; empty where there are no waves
    n_people: int
    n_repeated: int  # further rows of the same people that were left out
    fewest: int  # people behind the correlation with the fewest


@dataclass(frozen=True, eq=False)
class InvarianceRecord:
    """Whether one scale (or questionnaire) works the same in all groups, or why that is unknown."""

    by: str  # role
    title: str  # of the questionnaire
    factors: Mapping[str, str]  # name in the model → id of its scale
    items: Mapping[str, str]  # name in the model → item id
    groups: Mapping[str, int]  # label → people, those compared; the first is the reference
    small: Mapping[str, int]  # groups with too few people, left out
    repeated: bool  # waves of the same people, fitted together
    n_people: int
    n_linked: int  # fewest people that two waves share; 0 where groups are no waves
    wave: str  # whose answers, where the groups are no waves
    n_repeated: int  # further rows of the same people that were left out
    n_clusters: int | None
    why: str  # of the estimator, in words
    result: LadderResult | None
    reason: str  # why there is no result
    partial: PartialResult | None = None  # where averages cannot be compared: which items differ
    consequences: ConsequencesResult | None = None

    @property
    def scales(self) -> tuple[str, ...]:
        """Ids of the scales that are looked at together."""
        return tuple(self.factors.values())


@dataclass(frozen=True, eq=False)
class ScreeningRecord:
    """Which rows show signs of careless answers, and what leaving them out changes."""

    result: ScreenResult
    at_least: int  # signs from which a row is flagged
    left_out: bool  # whether flagged rows were left out before everything else
    impact: ImpactResult | None
    n_people_flagged: int
    people_behind: Mapping[str, int]  # scale → flagged people with a score
    not_everywhere: tuple[str, ...] = ()  # items not asked in every wave, so not looked at


@dataclass(frozen=True, eq=False)
class CompletenessRecord:
    """How much is missing, of what was asked."""

    by_item: pd.DataFrame  # item n_asked n_missing missing_share
    by_scale: pd.DataFrame  # scale n_items n_asked missing_share n_complete n_scored
    together: MissingnessResult  # of the items asked in every wave
    # Scales without a score, together: a column a scale (true: no score), and n, the rows
    unscored: pd.DataFrame
    not_everywhere: tuple[str, ...]
    little: Mapping[str, LittleResult]  # scale → Little's test of its items


@dataclass(frozen=True, eq=False)
class AbsenceRecord:
    """Who is missing from a scale, or did not come back in a wave."""

    scale: str  # id; empty where it is about a wave
    wave: str
    model: MissingnessModel | None  # None: nobody, or too few are missing to compare groups


@dataclass(frozen=True)
class JoinCount:
    """How a table of outcomes met the survey: what matched and what did not."""

    outcome: str
    n_survey_units: int  # units (schools or respondents) with scores
    n_outcome_units: int  # units in the outcomes file
    n_matched: int
    n_rows: int  # rows of the joined table


@dataclass(frozen=True, eq=False)
class RunRecord:
    """One run of one study."""

    study_id: str
    title: str
    seed: int
    min_group: int
    synthetic: bool
    conf_level: float
    ledger: Ledger
    sources: tuple[SourceFile, ...]
    options: Mapping[str, Any]  # the study file as it was read
    responses: Responses | None  # None where the study starts at scores
    scores: pd.DataFrame  # role columns by role name (respondent, school, wave, …), then scales
    score_result: ScoreResult | None
    scale_titles: Mapping[str, str]  # column of a scale in the joined tables → its title
    # Who answered, by school (and wave): group columns, n, n_eligible (NaN: unknown), rate
    response_by_school: pd.DataFrame | None = None
    overview: ReliabilityOverview | None = None
    overview_by: ReliabilityOverview | None = None  # by wave, role, … where the study asks
    item_analyses: Mapping[str, ItemAnalysisResult] = field(default_factory=dict)
    answers: AnswerTables | None = None
    structures: tuple[StructureRecord, ...] = ()
    confirmatory: tuple[ConfirmatoryRecord, ...] = ()
    invariance: tuple[InvarianceRecord, ...] = ()
    screening: ScreeningRecord | None = None
    completeness: CompletenessRecord | None = None
    absences: tuple[AbsenceRecord, ...] = ()
    icc: IccResult | Mapping[str, IccResult] | None = None  # one result, or one a wave
    icc_by_wave: Mapping[str, IccResult] = field(default_factory=dict)  # goes before `icc`
    aggregates: Mapping[str, AggregateResult] = field(default_factory=dict)  # level → means
    relations: RelationsRecord = field(default_factory=RelationsRecord)
    joins: tuple[JoinCount, ...] = ()
    models: tuple[ModelRecord, ...] = ()
    design: str = "observational"
    prereg: str = ""
    limits: tuple[str, ...] = ()  # what the study layer knows that a reader must be told
    school_word: str = "school"  # how the report calls a cluster
    notes: tuple[str, ...] = ()  # what could not be calculated, and why
    # Title of an instrument → what it must not be used for; left out, the instrument says it
    not_for: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
