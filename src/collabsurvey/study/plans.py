"""The part of the study file that says what is calculated; every default has its reason here."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

Unit = Literal["respondent", "school", "pupil"]
Value = str | int  # of a role


class Section(BaseModel):
    """A part of the study file; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def true_or_keys(value: Any, plan: type[Section]) -> Any:
    """What a key may hold that is switched on by `true`, or by keys of its own."""
    if isinstance(value, bool):
        return {} if value else None
    if value is None or isinstance(value, dict | plan):
        return value
    raise PydanticCustomError("true_or_keys", "true, or a set of 'key: value' lines")


class ReliabilityPlan(Section):
    """Reliability, also separately by a role such as wave."""

    by: Literal["wave", "staff_role", "cohort", "partnership"] | None = None


class ExploratoryPlan(Section):
    """Exploratory factor analysis of each questionnaire, with how many factors it has.

    `correlation`: Pearson takes every kind of answer, costs a second, and with five or more
    possible answers differs little from polychoric (Rhemtulla, Brosseau-Liard & Savalei, 2012,
    doi:10.1037/a0029315). `n_factors`: as many as scales, because that number was decided
    before the answers were seen; "suggested" follows the methods. `rotation`: oblimin lets
    factors correlate, as parts of one thing do. `missing`: pairwise, as psych; where many people
    left out a question or two, few rows are complete, and they are not those of everybody.
    """

    scales: tuple[str, ...] = ()  # together in one analysis; all, by questionnaire, if left out
    correlation: Literal["pearson", "polychoric"] = "pearson"
    n_factors: Literal["scales", "suggested"] | Annotated[int, Field(ge=1, strict=True)] = "scales"
    rotation: Literal[
        "oblimin", "promax", "geomin", "quartimin", "varimax", "quartimax", "bifactor", "none"
    ] = "oblimin"
    missing: Literal["pairwise", "listwise"] = "pairwise"
    draws: int | None = Field(default=None, ge=20)  # 1000; with polychoric correlations 200
    compare: bool = True  # also comparison data, which takes some seconds


class MeasurementPlan(Section):
    """How answers enter a model of what questions measure.

    `estimator`: auto is MLR where every question has five answers or more, whose numbers then
    serve as well as ordered steps, and WLSMV otherwise (Rhemtulla, Brosseau-Liard & Savalei, 2012,
    doi:10.1037/a0029315). `ordered`: with WLSMV, questions of at most seven answers, the most that
    study looked at. `missing`: auto keeps everybody who answered anything; full information with
    MLR, which is right if gaps depend on what was answered, and with WLSMV each correlation from
    those who have both. `cluster`: auto takes errors over schools, because staff of one school are
    alike, where there are ten schools or more: with fewer they would rest on chance.
    """

    estimator: Literal["auto", "WLSMV", "MLR", "ML"] | None = None
    ordered: Literal["auto"] | bool | tuple[str, ...] = "auto"
    missing: Literal["auto", "fiml", "pairwise", "listwise"] = "auto"
    cluster: str | None = "auto"

    @field_validator("cluster", mode="before")
    @classmethod
    def _auto_or_none(cls, value: Any) -> Any:
        """`true` takes schools, `false` nothing."""
        return {True: "auto", False: None}[value] if isinstance(value, bool) else value


class StructurePlan(MeasurementPlan):
    """What the questionnaires measure: looked for (exploratory), or checked (confirmatory)."""

    exploratory: ExploratoryPlan | None = None
    model: str | None = None  # in lavaan's language, or a file with it

    @field_validator("exploratory", mode="before")
    @classmethod
    def _true_or_keys(cls, value: Any) -> Any:
        """`true` asks for the defaults, `false` for nothing."""
        return true_or_keys(value, ExploratoryPlan)

    @property
    def confirms(self) -> bool:
        """Whether a confirmatory model is asked for."""
        return self.estimator is not None or self.model is not None


Divided = Literal["wave", "staff_role", "cohort", "partnership"]


class InvariancePlan(MeasurementPlan):
    """Whether the questionnaire works the same in every wave, and for every kind of staff.

    `by`: wave and staff_role where the answers have them, because averages are compared by them.
    `levels`: all, because what may be compared depends on how far the ladder holds.
    """

    by: tuple[Divided, ...] | None = Field(default=None, min_length=1)
    levels: tuple[Literal["configural", "metric", "scalar", "strict"], ...] | None = Field(
        default=None, min_length=1
    )
    scales: tuple[str, ...] = ()  # all if left out

    @field_validator("by", "levels", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value


class ScreeningPlan(Section):
    """Signs of careless answers; what each cut-off rests on is said by `collabsurvey.screen`.

    `at_least`: one sign, which shows the largest change that leaving rows out can make.
    `leave_out`: false, because honest people show a sign now and then (Curran, 2016,
    doi:10.1016/j.jesp.2015.07.006). A cut-off of null keeps a sign from being used.
    """

    at_least: int = Field(default=1, ge=1, strict=True)
    leave_out: bool = False
    duration: str | None = None  # column with the time a row took
    duration_unit: Literal["seconds", "milliseconds", "minutes"] = "seconds"
    seconds_per_item: float | None = Field(default=2.0, ge=0)
    missing_share: float | None = Field(default=0.5, ge=0, le=1)
    longstring: float | None = Field(default=0.5, ge=0, le=1)
    even_odd: float | None = Field(default=-0.30, ge=-1, le=1)
    mahalanobis: float | None = Field(default=0.001, ge=0, le=1)
    person_total: float | None = Field(default=0.0, ge=-1, le=1)
    synonyms: float | None = Field(default=0.0, ge=-1, le=1)
    antonyms: float | None = Field(default=-0.03, ge=-1, le=1)
    straight_reversed: int | None = Field(default=1, ge=1)
    duplicate: int | None = Field(default=1, ge=1)
    robust: bool = False


class MissingPlan(Section):
    """Who is missing, by what is known of everybody: from later waves, and from scales."""

    predictors: tuple[str, ...] = Field(min_length=1)
    scales: tuple[str, ...] | None = None  # all if left out; [] looks at waves only


class ScalesPlan(Section):
    """An analysis that is made wherever the questionnaire has scales for it; of these scales."""

    scales: tuple[str, ...] = ()  # all if left out


class GapsPlan(ScalesPlan):
    """Two views of the same school: leaders' own view and that of staff.

    `groups`: whose answers make the first view and whose the second, as values of `role` (each a
    value or a list of values). Left out, two scales of which nobody answered both are enough,
    and where people did, decision makers stand against front-line staff.
    """

    role: str = "staff_role"
    groups: tuple[Value | tuple[Value, ...], Value | tuple[Value, ...]] | None = None

    @property
    def sides(self) -> tuple[tuple[Value, ...], tuple[Value, ...]] | None:
        """Values of the role on each side."""
        if self.groups is None:
            return None
        first, second = (one if isinstance(one, tuple) else (one,) for one in self.groups)
        return first, second


class LevelsPlan(Section):
    """Which group means are reported."""

    aggregate: tuple[Literal["school", "partnership"], ...] = ("school",)


class ModelPlan(Section):
    """One regression."""

    name: str
    formula: str
    outcome: str | None = None
    unit: Unit = "school"
    role: Literal["confirmatory", "exploratory"] = "exploratory"
    family: str = ""
    hypothesis: str = ""
    cluster: str | None = None
    cov: Literal["CR0", "CR1", "CR1S", "CR1p", "CR2", "CR3"] = "CR2"


class Analysis(Section):
    """What is calculated."""

    reliability: ReliabilityPlan = ReliabilityPlan()
    levels: LevelsPlan = LevelsPlan()
    models: tuple[ModelPlan, ...] = ()
    structure: StructurePlan = StructurePlan()
    screening: ScreeningPlan | None = ScreeningPlan()
    missing: MissingPlan | None = None
    invariance: InvariancePlan | None = None
    typologies: ScalesPlan | None = ScalesPlan()
    consensus: ScalesPlan | None = ScalesPlan()
    gaps: GapsPlan | None = GapsPlan()
    partners: ScalesPlan | None = ScalesPlan()

    @field_validator(
        "screening",
        "invariance",
        "typologies",
        "consensus",
        "gaps",
        "partners",
        mode="before",
    )
    @classmethod
    def _true_or_keys(cls, value: Any, info: ValidationInfo) -> Any:
        """`true` asks for the defaults, `false` for nothing."""
        plans: dict[str | None, type[Section]] = {
            "screening": ScreeningPlan,
            "invariance": InvariancePlan,
            "gaps": GapsPlan,
        }
        return true_or_keys(value, plans.get(info.field_name, ScalesPlan))

    @property
    def exploratory(self) -> ExploratoryPlan | None:
        """The plan of an exploratory factor analysis, where one is asked for."""
        return self.structure.exploratory
