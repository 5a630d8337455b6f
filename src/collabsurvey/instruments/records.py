"""The records of an instrument file that hold what is known and allowed, not what is asked."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticKnownError

VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
ID = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]*")

Text = dict[str, str]  # language, such as "en-GB" → the text in it
Status = Literal[
    "draft",
    "content_reviewed",
    "piloted",
    "structure_supported",
    "validated_for",
    "retired",
]


class Record(BaseModel):
    """A frozen record that refuses keys it does not know."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _booleans_are_no_numbers(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse true where a number belongs; Python would read it as 1."""
        inside = value if isinstance(value, list | tuple) else (value,)
        kind = cls.model_fields[str(info.field_name)].annotation
        if kind is not bool and any(isinstance(one, bool) for one in inside):
            raise PydanticKnownError("float_type")
        return value


class Licence(Record):
    """Who may use the items and the key, and how sure we are."""

    items: str
    key: str
    redistribute_text: StrictBool
    commercial: StrictBool
    confidence: Literal["high", "medium", "low"]


class Author(Record):
    """A person or group who wrote the instrument."""

    name: str
    orcid: str | None = None


class Construct(Record):
    """What a set of items is meant to measure."""

    id: str
    definition: str
    sources: tuple[str, ...] = ()
    level: tuple[str, ...] = Field(min_length=1)
    direction: Literal["higher_is_more", "higher_is_worse", "none"]
    measurement_model: Literal["reflective", "formative", "ipsative", "nominal"]


class Slot(Record):
    """A word filled in before fielding, such as the partner's name."""

    type: str
    required: StrictBool = True
    description: str = ""


class Translation(Record):
    """State of the work on one language."""

    lang: str
    status: Literal["source", "machine", "forward", "back", "harmonised", "tested"]
    by: str | None = None
    date: str | None = None


class Claim(Record):
    """What a piece of evidence is about: evidence never speaks for a whole instrument."""

    score: str
    level: str
    population: str
    language: str
    use: str


class EvidenceStudy(Record):
    """Where the evidence comes from."""

    title: str
    doi: str | None = None
    prereg: str | None = None
    data: str | None = None
    independent_of_authors: StrictBool = False


class EvidenceSample(Record):
    """Who was asked. `kind: simulated` proves code and never moves a status."""

    n: int = Field(ge=1)
    n_groups: int | None = None
    kind: Literal["real", "simulated"]
    sampling: str | None = None
    country: str | None = None
    year: int | None = None
    response_rate: float | None = Field(default=None, ge=0, le=1)


class Evidence(Record):
    """One record of evidence for or against one claim."""

    id: str
    claim: Claim
    source_type: Literal[
        "content",
        "response_process",
        "internal_structure",
        "relations",
        "consequences",
        "reliability",
    ]
    study: EvidenceStudy
    instrument_version: str
    sample: EvidenceSample
    statistic: str
    value: float | None = None
    ci: tuple[float, float] | None = None
    method: str = ""
    verdict: Literal["supports", "mixed", "against"]


class Norm(Record):
    """Scores of a known population."""

    id: str
    score: str
    n: int = Field(ge=1)
    groups: int | None = None
    mean: float
    sd: float
    population: str
    year: int | None = None
    caution: str = ""


class Use(Record):
    """What the instrument is for, and what it must not be used for."""

    intended: tuple[str, ...]
    not_for: tuple[str, ...]
