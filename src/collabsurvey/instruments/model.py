"""What was asked: an instrument, its items, scales, constructs and evidence.

Plain data, frozen, no arithmetic on answers. The keys are those of an instrument
file, so a file and an object say the same. Files are read by `loader`, which also
checks what a single field cannot know (ids used twice, items nobody scores).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Literal, Self

from pydantic import Field, StrictBool, model_validator

from collabsurvey.errors import OptionError, UnknownNameError
from collabsurvey.instruments.records import (
    Author,
    Claim,
    Construct,
    Evidence,
    EvidenceSample,
    EvidenceStudy,
    Licence,
    Norm,
    Record,
    Slot,
    Status,
    Text,
    Translation,
    Use,
)

__all__ = [
    "DEFAULT_MIN_VALID",
    "Aggregate",
    "Author",
    "Claim",
    "Construct",
    "Evidence",
    "EvidenceSample",
    "EvidenceStudy",
    "Instrument",
    "Item",
    "Licence",
    "Norm",
    "Record",
    "Rescale",
    "ResponseSet",
    "Rule",
    "Scale",
    "Slot",
    "Status",
    "Text",
    "Translation",
    "Use",
    "items_required",
]

Rule = Literal["mean", "sum", "composition", "distance", "agreement", "difference"]

UNVERSIONED = "0.0.0"  # of an instrument made from scales named in a call
DEFAULT_MIN_VALID = "2/3"  # score from the answered items if two thirds are answered


class ResponseSet(Record):
    """The answers an item allows.

    `ordinal`, `bipolar` and `nominal` allow the listed values only; `bounded` allows
    every number from the first to the last value; `text` is a line in the respondent's own
    words, has no values and is never scored. `labels` maps a language to
    {value: label}; only some values need a label. `missing` maps codes that are not
    answers, such as -8, to their reason, such as "cannot_say".
    """

    type: Literal["ordinal", "bipolar", "bounded", "nominal", "text"]
    values: tuple[float, ...] = ()
    labels: dict[str, dict[float, str]] = Field(default_factory=dict)
    missing: dict[float, str] = Field(default_factory=dict)
    missing_labels: dict[str, dict[float, str]] = Field(default_factory=dict)
    # Labels added from the user's own folder, which may be fielded but not passed on.
    labels_are_local: bool = Field(default=False, exclude=True)

    @model_validator(mode="before")
    @classmethod
    def _labels_in_order(cls, data: Any) -> Any:
        """Let labels be a plain list, one for each value in order."""
        if not isinstance(data, dict) or not isinstance(labels := data.get("labels"), dict):
            return data
        values = data.get("values")
        if not isinstance(values, list | tuple) or not all(map(_is_number, values)):
            return data
        paired = {
            language: dict(zip(values, texts, strict=True))
            if isinstance(texts, list | tuple) and len(texts) == len(values)
            else texts
            for language, texts in labels.items()
        }
        return {**data, "labels": paired}

    @model_validator(mode="after")
    def _enough_values(self) -> Self:
        if self.type == "text" and self.values:
            raise ValueError("is of the type text, so it has no 'values'. Remove them")
        if self.type != "text" and len(self.values) < 2:
            raise ValueError("needs 'values', a list of at least 2 answers")
        return self

    @property
    def low(self) -> float:
        """Lowest answer; nan for text."""
        return min(self.values, default=math.nan)

    @property
    def high(self) -> float:
        """Highest answer; nan for text."""
        return max(self.values, default=math.nan)

    def codes_by_label(self) -> dict[str, float]:
        """Every label and missing label, in any language, to its code; case folded."""
        found: dict[str, float] = {}
        for texts in (self.labels, self.missing_labels):
            for by_value in texts.values():
                found.update({label.strip().casefold(): code for code, label in by_value.items()})
        return found


class Item(Record):
    """One question."""

    id: str
    text: Text | None = None  # left out where it may not be redistributed
    response: str | None = None  # None only in instruments made from a bare frame
    construct_id: str | None = Field(default=None, alias="construct")
    keyed: Literal[1, -1] = 1
    polarity: Literal["positive", "negative"] = "positive"
    forms: tuple[str, ...] = ()
    since: str = "1.0.0"
    unscored: StrictBool = False
    source_item: str | int | None = None  # number in the published form


class Rescale(Record):
    """A linear change of unit offered beside the plain score."""

    from_: tuple[float, float] = Field(alias="from")
    to: tuple[float, float]


class Aggregate(Record):
    """The unit a scale may be averaged to, and from how many respondents."""

    unit: str
    min_n: int = Field(default=10, ge=5)


class Scale(Record):
    """Items scored together, and the rule.

    mean, sum      of the keyed answers; `parts` may name pieces of the scale
    composition    shares of a whole: picks (`types`: which answer means which type), or an
                   allocation (`parts`: the items of each type; the k-th items of all parts
                   together add up to `total`)
    distance       mean distance of the answers from `ideal`; or, of two compositions
                   (`between`), their Aitchison distance
    difference     the first scale of `between` minus the second
    agreement      how far the people of a group give the same answer; `felt` is the scale
                   that says how far they feel they do
    """

    id: str
    title: str
    rule: Rule = "mean"
    items: tuple[str, ...] = Field(min_length=1)
    min_valid: str | int = DEFAULT_MIN_VALID
    rescale: Rescale | None = None
    aggregate: Aggregate | None = None
    label_low: str = ""  # what a low score means, in plain words
    label_high: str = ""
    types: dict[float, str] = Field(default_factory=dict)
    parts: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    total: float | None = Field(default=None, gt=0)
    between: tuple[str, str] | None = None
    ideal: float | None = None
    felt: str | None = None

    @property
    def part_names(self) -> tuple[str, ...]:
        """Names of the types of a composition, or of the pieces of a scale, in their order."""
        return tuple(self.parts) or tuple(dict.fromkeys(self.types.values()))

    def n_required(self, min_valid: str | int | None = None) -> int:
        """How many answered items a score needs; `min_valid` overrides the scale's own."""
        chosen = self.min_valid if min_valid is None else min_valid
        return items_required(chosen, len(self.items))


class Instrument(Record):
    """A questionnaire: what was asked, how it is keyed and scored, what is known of it.

    `status` is computed from the evidence records, except `retired`, which is a decision;
    `retired_items` are ids of withdrawn items, which may never be used again.
    """

    schema_version: str = "1.0"
    id: str
    version: str
    title: str
    kind: Literal["own", "adapted", "key_only"]
    status: Status = "draft"
    authors: tuple[Author, ...] = ()
    citation: str = ""
    superseded_by: str | None = None  # id of the instrument to use instead
    licence: Licence
    instructions: Text = Field(default_factory=dict)  # read before the first item
    constructs: tuple[Construct, ...] = ()
    respondents: tuple[str, ...] = ()
    slots: dict[str, Slot] = Field(default_factory=dict)
    response_sets: dict[str, ResponseSet] = Field(default_factory=dict)
    items: tuple[Item, ...] = Field(min_length=1)
    retired_items: tuple[str, ...] = ()
    scoring: tuple[Scale, ...] = ()
    translations: tuple[Translation, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    norms: tuple[Norm, ...] = ()
    use: Use = Use(intended=(), not_for=())
    # Wording added from the user's own folder, which may be fielded but not passed on.
    texts_are_local: bool = Field(default=False, exclude=True)

    def summary(self) -> str:
        """Return what the instrument is, its scales, items and answers, as text."""
        from collabsurvey.instruments.describe import describe_text

        return describe_text(self)

    def _repr_html_(self) -> str:
        from collabsurvey.instruments.describe import describe

        return "\n".join(table.to_html() for table in describe(self))

    @property
    def item_ids(self) -> tuple[str, ...]:
        """Ids in questionnaire order."""
        return tuple(item.id for item in self.items)

    @property
    def scale_ids(self) -> tuple[str, ...]:
        """Ids of the scored scales, in the order of the file."""
        return tuple(scale.id for scale in self.scoring)

    @property
    def examined_ids(self) -> tuple[str, ...]:
        """Ids of the scores that need evidence of their own.

        All but differences and distances between two scores, which stand on these two.
        """
        return tuple(scale.id for scale in self.scoring if scale.between is None)

    def item(self, item_id: str) -> Item:
        """Return the item of that id, or raise `UnknownNameError`."""
        for item in self.items:
            if item.id == item_id:
                return item
        raise UnknownNameError(
            "item", item_id, available=self.item_ids, where=f"Instrument {self.id!r}"
        )

    def scale(self, scale_id: str) -> Scale:
        """Return the scale of that id, or raise `UnknownNameError`."""
        for scale in self.scoring:
            if scale.id == scale_id:
                return scale
        raise UnknownNameError(
            "scale", scale_id, available=self.scale_ids, where=f"Instrument {self.id!r}"
        )

    def response_set(self, item_id: str) -> ResponseSet | None:
        """Return the answers an item allows; None where the range was never stated."""
        name = self.item(item_id).response
        return None if name is None else self.response_sets[name]

    def items_of(self, scale_or_items: str | Sequence[str]) -> tuple[str, ...]:
        """Item ids of a scale id, or the given item ids, checked."""
        if isinstance(scale_or_items, str):
            return self.scale(scale_or_items).items
        return tuple(self.item(item_id).id for item_id in scale_or_items)

    def filled(self, words: Mapping[str, str]) -> Self:
        """Return the instrument with words in its slots: {"partner": "Hill School"}.

        Slots without a word stay as they are, such as `{partner}`.
        """
        for name in words:
            if name not in self.slots:
                raise UnknownNameError(
                    "slot", name, available=self.slots, where=f"Instrument {self.id!r}"
                )

        def fill(text: str) -> str:
            for name, word in words.items():
                text = text.replace(f"{{{name}}}", word)
            return text[:1].upper() + text[1:]

        items = tuple(
            item.model_copy(update={"text": {lang: fill(t) for lang, t in item.text.items()}})
            if item.text
            else item
            for item in self.items
        )
        return self.model_copy(update={"items": items})

    def keys_of(self, items: Iterable[str]) -> tuple[int, ...]:
        """1 or -1 for each item."""
        return tuple(self.item(item_id).keyed for item_id in items)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def items_required(min_valid: str | int, n_items: int) -> int:
    """Answered items a score needs: a share such as "2/3" is rounded up; never below 1.

    Shares are exact fractions: "4/5" of 5 items is 4, not 4.000000000000001.
    """
    if isinstance(min_valid, float):  # 0.5 may be half or a slip for a count
        raise OptionError("min_valid", min_valid, allowed=("2/3", "1/2", "0.8", 3, 0))
    if isinstance(min_valid, int) and not isinstance(min_valid, bool):
        needed = min_valid
    else:
        try:
            share = Fraction(str(min_valid))
        except (ValueError, ZeroDivisionError):
            share = Fraction(-1)
        if not 0 <= share <= 1:
            raise OptionError("min_valid", min_valid, allowed=("2/3", "1/2", "0.8", 3, 0))
        needed = math.ceil(share * n_items)
    if not 0 <= needed <= n_items:
        raise OptionError("min_valid", min_valid, allowed=(f"a count from 0 to {n_items}", "2/3"))
    return max(needed, 1)
