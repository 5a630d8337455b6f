"""The part of the study file that says what is calculated; every default has its reason here."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

Unit = Literal["respondent", "school", "pupil"]


class Section(BaseModel):
    """A part of the study file; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


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


class StructurePlan(Section):
    """How many things the questionnaires measure; confirmatory keys are known to be refused."""

    exploratory: ExploratoryPlan | None = None
    estimator: Any = None
    model: Any = None
    ordered: Any = None

    @field_validator("exploratory", mode="before")
    @classmethod
    def _true_or_keys(cls, value: Any) -> Any:
        """`true` asks for the defaults, `false` for nothing."""
        if isinstance(value, bool):
            return {} if value else None
        if value is None or isinstance(value, dict | ExploratoryPlan):
            return value
        raise PydanticCustomError("true_or_keys", "true, or a set of 'key: value' lines")


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
    invariance: Any = None

    @property
    def exploratory(self) -> ExploratoryPlan | None:
        """The plan of an exploratory factor analysis, where one is asked for."""
        return self.structure.exploratory
