"""All indices of a screening from the answers, and what a reader must know of each.

Order matters: what compares answers as they were given comes first; then items with other
ranges are brought to 0 to 1 in place, so that one copy of the answers is enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from collabsurvey.errors import listed
from collabsurvey.numerics import careless
from collabsurvey.numerics.typing import FloatArray, IntArray
from collabsurvey.quality.answers import (
    Answers,
    Ranges,
    dependent_items,
    nominal_items,
    ranges_of,
    screened_scales,
)
from collabsurvey.quality.cutoffs import FEWEST_ITEMS, FEWEST_NUMBERS
from collabsurvey.quality.distance import row_distances
from collabsurvey.responses.responses import Responses

Pairs = tuple[tuple[str, str], ...]


@dataclass(eq=False)
class Indices:
    """Columns of a screening (n,), how many numbers stand behind each, and notes.

    `unfit` maps an index that must not flag to the reason; `behind` counts items, scales or
    pairs for each row.
    """

    columns: dict[str, FloatArray | IntArray] = field(default_factory=dict)
    behind: dict[str, IntArray] = field(default_factory=dict)
    unfit: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    synonym_pairs: Pairs = ()
    antonym_pairs: Pairs = ()


@dataclass(frozen=True)
class Plan:
    """What the caller chose, apart from the cut-offs."""

    synonym_r: float
    antonym_r: float
    keyed_even_odd: bool
    robust: bool
    seed: int


def all_indices(responses: Responses, answers: Answers, plan: Plan) -> Indices:
    """Compute every index; the answers are used up."""
    found = Indices()
    instrument = responses.instrument
    values = answers.values
    found.columns["missing_share"] = np.isnan(values).sum(axis=0) / len(values)
    duplicate = careless.duplicate_rows(values)
    items, values = answers.items, answers.values
    nominal, dependent = nominal_items(instrument, items), dependent_items(instrument, items)
    for some, what in (
        (nominal, "Answers that are names and not amounts"),
        (dependent, "Ranks, and points that add up to a total,"),
    ):
        if some:
            found.notes.append(
                f"{what} count for missing answers and equal rows only: {listed(some)}."
            )
    if nominal or dependent:
        keep = [i for i, item in enumerate(items) if item not in (*nominal, *dependent)]
        items, values = tuple(items[i] for i in keep), values[keep]
    if not items:
        values = np.full((1, answers.values.shape[1]), np.nan)
        items = ("",)
    ranges = ranges_of(instrument, items, values)
    _runs(found, values)
    _straight(found, responses, items, values, ranges)
    _one_unit(found, items, values, ranges)
    mean, spread, n_answered = careless.row_moments(values)
    found.columns["irv"] = spread
    _even_odd(found, responses, items, values, ranges, plan)
    total, behind = careless.person_total(values, mean)
    found.columns["person_total"], found.behind["person_total"] = total, behind
    _pairs(found, items, values, mean, plan)
    _distances(found, items, values, plan)
    found.columns["duplicate"] = duplicate
    found.behind["duplicate"] = n_answered
    return found


def _runs(found: Indices, values: FloatArray) -> None:
    longest, average = careless.longest_runs(values)
    found.columns["longstring"] = longest
    found.columns["avg_longstring"] = average
    found.behind["longstring"] = np.full(len(longest), len(values))
    if len(values) < FEWEST_ITEMS:
        found.unfit["longstring"] = f"fewer than {FEWEST_ITEMS} items"


def _straight(
    found: Indices, responses: Responses, items: Sequence[str], values: FloatArray, ranges: Ranges
) -> None:
    scales, _ = screened_scales(responses.instrument, items, fewest=3)
    keyed = [responses.instrument.item(item).keyed if item else 1 for item in items]
    both = [
        places
        for places in scales.values()
        if len({keyed[i] for i in places}) == 2
        and len({(ranges.low[i], ranges.high[i]) for i in places}) == 1
    ]
    n = values.shape[1]
    if both:
        middle = (ranges.low + ranges.high) / 2
        count = careless.straight_scales(values, both, keyed, middle)
        found.columns["straight_reversed"] = count.astype(float)
        return
    found.columns["straight_reversed"] = np.full(n, np.nan)
    found.unfit["straight_reversed"] = "no scale of three items or more is keyed both ways"


def _one_unit(found: Indices, items: Sequence[str], values: FloatArray, ranges: Ranges) -> None:
    """Bring items to 0 to 1 where their ranges differ; say what was assumed of ranges."""
    if ranges.alike:
        return
    found.notes.append(
        "Items have different ranges: spread, even-odd, person-total, synonyms and antonyms are "
        "taken from answers brought to 0 to 1."
    )
    width = np.where(ranges.high > ranges.low, ranges.high - ranges.low, 1.0)
    values -= ranges.low[:, None]
    values /= width[:, None]


def _even_odd(
    found: Indices,
    responses: Responses,
    items: Sequence[str],
    values: FloatArray,
    ranges: Ranges,
    plan: Plan,
) -> None:
    scales, short = screened_scales(responses.instrument, items)
    keyed = np.array(
        [responses.instrument.item(item).keyed if item else 1 for item in items], dtype=float
    )
    signs, offsets = np.ones(len(items)), np.zeros(len(items))
    if plan.keyed_even_odd:
        signs = keyed
        turned = keyed == -1
        offsets[turned] = (ranges.low + ranges.high)[turned] if ranges.alike else 1.0
        if unknown := [i for i in ranges.observed if keyed[items.index(i)] == -1]:
            found.notes.append(
                "No range is stated, so reversed items were turned round within the lowest and "
                f"highest answer found, for even-odd: {listed(unknown)}."
            )
    if short:
        found.notes.append(f"Scales with one item here, not in even-odd: {listed(short)}.")
    value, behind = careless.even_odd(values, list(scales.values()), signs, offsets)
    found.columns["even_odd"], found.behind["even_odd"] = value, behind
    if len(scales) < FEWEST_NUMBERS:
        found.unfit["even_odd"] = f"scales of two items or more: {len(scales)}"


def _pairs(
    found: Indices, items: Sequence[str], values: FloatArray, mean: FloatArray, plan: Plan
) -> None:
    correlations = careless.item_correlations(values)
    for name, cut in (("synonyms", plan.synonym_r), ("antonyms", plan.antonym_r)):
        pairs = careless.item_pairs(correlations, cut)
        value, behind = careless.pair_correlations(values, mean, pairs)
        found.columns[name], found.behind[name] = value, behind
        named = tuple((items[i], items[j]) for i, j in pairs)
        if name == "synonyms":
            found.synonym_pairs = named
        else:
            found.antonym_pairs = named
        if len(pairs) < FEWEST_NUMBERS:
            side = "above" if cut > 0 else "below"
            how = f"{side} {cut:.2f}".replace("-", "−")
            found.unfit[name] = f"pairs of items that correlate {how}: {len(pairs)}"


def _distances(found: Indices, items: Sequence[str], values: FloatArray, plan: Plan) -> None:
    distance = row_distances(values, items, robust=plan.robust, seed=plan.seed)
    found.columns["mahalanobis"] = distance.squared
    found.columns["mahalanobis_p"] = distance.p_value
    found.notes.extend(distance.notes)
    if distance.unfit:
        found.unfit["mahalanobis_p"] = distance.unfit
