"""What every reader of results needs: the scale that was analysed, its rows, people and groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from collabsurvey.errors import DataError
from collabsurvey.instruments.model import Instrument, Scale
from collabsurvey.instruments.scales import not_reflective
from collabsurvey.responses.engine import group_codes, read_columns
from collabsurvey.responses.responses import Responses
from collabsurvey.validation.evidence_rules import Judgement

Source = Literal["content", "internal_structure", "reliability", "response_process"]


@dataclass(frozen=True)
class Finding:
    """What a result says about one score."""

    score: str
    source_type: Source
    statistic: str
    value: float | None
    ci: tuple[float, float] | None
    n: int
    n_groups: int | None
    method: str
    judged: Judgement


@dataclass(frozen=True, eq=False)
class Asked:
    """What a reader needs besides the result."""

    instrument: Instrument
    responses: Responses | None  # None where nobody answered: raters of content
    use: str
    weeks: float | None
    scales: tuple[str, ...] | None  # those wanted; None for all that the result is about

    def answers(self) -> Responses:
        """Answers behind a result."""
        if self.responses is None:
            raise DataError(NO_ANSWERS)
        return self.responses


NO_ANSWERS = (
    "Say which answers the result was made from, responses=...: they know the instrument, its "
    "version, the people and whether the answers are synthetic."
)


@dataclass(frozen=True)
class Counted:
    """How many rows, people and groups an analysis rests on."""

    n_rows: int
    n_people: int
    n_groups: int | None


def counted(responses: Responses, items: Sequence[str], *, complete: bool) -> Counted:
    """Count the rows with every item (or any), their people, and their values of cluster."""
    named = {role: responses.roles.get(role) for role in ("respondent", "cluster", "weight")}
    columns = read_columns(responses.frame, [*items, *(c for c in named.values() if c is not None)])
    answered = np.column_stack([~columns[item].missing for item in items])
    used = answered.all(axis=1) if complete else answered.any(axis=1)
    if (weight := named["weight"]) is not None:
        used &= np.nan_to_num(columns[weight].values) > 0
    n_people, n_groups = int(used.sum()), None
    if (who := named["respondent"]) is not None:
        codes = group_codes(columns[who])[0][used]
        n_people = len(np.unique(codes[codes >= 0])) + int((codes < 0).sum())
    if (cluster := named["cluster"]) is not None:
        codes = group_codes(columns[cluster])[0][used]
        n_groups = len(np.unique(codes[codes >= 0])) or None
    return Counted(int(used.sum()), n_people, n_groups)


def size_of(
    asked: Asked, items: Sequence[str], missing: str, n_rows: int, *, exact: bool = True
) -> Counted:
    """Rows, people and groups; refuses answers that the result was not made from."""
    responses = asked.answers()
    require_items(asked, items)
    size = counted(responses, items, complete=missing == "listwise")
    if missing == "pairwise":  # such results count all rows
        if n_rows > responses.n_rows:
            raise DataError(not_these(n_rows, responses.n_rows))
    elif size.n_rows != n_rows and (exact or missing == "listwise"):
        raise DataError(not_these(n_rows, size.n_rows))
    return size


def not_these(result: int, responses: int) -> str:
    """Say that a result was made from other answers."""
    return (
        f"The result rests on {result} rows and these answers have {responses} such rows: hand in "
        "the answers that it was made from."
    )


def require_items(asked: Asked, items: Sequence[str]) -> None:
    """Refuse items that the instrument does not have."""
    known = set(asked.instrument.item_ids)
    if strange := [item for item in items if item not in known]:
        raise DataError(
            f"{strange[0]!r} is no item of {asked.instrument.id!r}: evidence is about the scales "
            "of an instrument."
        )


def scale_of(asked: Asked, items: Sequence[str]) -> Scale:
    """Return the one scale that has exactly these items."""
    require_items(asked, items)
    fit = [scale for scale in asked.instrument.scoring if set(scale.items) == set(items)]
    if asked.scales is not None:
        fit = [scale for scale in fit if scale.id in asked.scales]
    if not fit:
        raise DataError(
            f"The items {items[0]} … {items[-1]} are no scale of {asked.instrument.id!r}. Evidence "
            "is about a score: analyse a whole scale."
        )
    return fit[0]


def judged_scales(asked: Asked, items: Sequence[str]) -> list[Scale]:
    """Scales whose items were all judged, totals too; not what is made of two other scores."""
    inside = [scale for scale in asked.instrument.scoring if set(scale.items) <= set(items)]
    return wanted(asked, [scale for scale in inside if scale.between is None])


def scales_in(asked: Asked, items: Sequence[str], *, single: bool) -> list[Scale]:
    """Scales whose items were all analysed, totals of smaller ones left out; or the whole set."""
    inside = [scale for scale in asked.instrument.scoring if set(scale.items) <= set(items)]
    if single:
        inside = [scale for scale in inside if set(scale.items) == set(items)]
    parts = [
        scale
        for scale in inside
        if not set(scale.items)
        <= {i for one in inside if set(one.items) < set(scale.items) for i in one.items}
    ]
    return wanted(asked, parts)


def reflective(asked: Asked, scales: Sequence[Scale]) -> list[Scale]:
    """Keep the scales whose items should go together; refuse where there is none."""
    reasons = {scale.id: not_reflective(asked.instrument, scale.items) for scale in scales}
    kept = [scale for scale in scales if not reasons[scale.id]]
    if scales and not kept:
        first = scales[0].id
        raise DataError(f"Factors are no evidence for {first!r}: {reasons[first]}.")
    return kept


def wanted(asked: Asked, scales: Sequence[Scale]) -> list[Scale]:
    """Keep the scales the caller named; refuse none at all."""
    if asked.scales is not None:
        scales = [scale for scale in scales if scale.id in asked.scales]
    if not scales:
        raise DataError(
            f"No scale of {asked.instrument.id!r} was analysed as a whole, so there is no score "
            "that this is evidence about."
        )
    return list(scales)


def rows_of(missing: str) -> str:
    """Say which rows a rule for missing answers takes."""
    return {
        "listwise": "rows with every item answered",
        "pairwise": "rows with both items",
        "fiml": "every answer (full information)",
    }[missing]
