"""Answers about named partners: each respondent about some other schools of the partnership.

The model. The true score behind an answer about a partner is that of `draw`, in which part of
what tells people apart is replaced by a deviation of the pair: of school s towards school t,
another one than of t towards s. Two scales whose difference an instrument scores look at one
pair from both ends: "what they need from us", said in s about t, has the deviation of "what we
need from them" of t towards s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from collabsurvey.errors import OptionError, TruthError
from collabsurvey.instruments.model import Instrument
from collabsurvey.numerics.typing import FloatArray, IntArray
from collabsurvey.simulation.draw import Layout, Wave, answers_of, leave_out
from collabsurvey.simulation.items import ItemModel
from collabsurvey.simulation.truth import Truth

SLOT = "{partner}"


@dataclass(frozen=True, eq=False)
class PartnerRows:
    """The rows about partners in one wave."""

    row: IntArray  # (n,) row of the wave they belong to
    partner: IntArray  # (n,) school they are about
    answers: FloatArray  # (n, k) to the items about a partner


@dataclass(frozen=True, eq=False)
class Dyads:
    """What was drawn about partners."""

    items: tuple[str, ...]  # (k,)
    factors: tuple[str, ...]  # (m,) scales of these items
    rows: tuple[PartnerRows, ...]  # of each wave
    deviations: FloatArray  # (S, S, m) of the first school towards the second, variance 1


NOBODY = Dyads((), (), (), np.empty((0, 0, 0)))


def partner_items(instrument: Instrument, model: ItemModel) -> tuple[str, ...]:
    """Items that name a partner."""
    return tuple(
        item.id
        for item in instrument.items
        if item.id in model.items and any(SLOT in text for text in (item.text or {}).values())
    )


def check_dyads(instrument: Instrument, model: ItemModel, truth: Truth, partners: int) -> None:
    """Refuse partners nobody is asked about, and shares that leave no variance for people."""
    items = partner_items(instrument, model)
    if not items:
        raise OptionError("partners", partners, allowed=("0: no question names a partner",))
    part = model.only(items)
    between = model.icc_school + model.icc_partnership + truth.dyad_share
    faults = [
        f"icc_school, icc_partnership and dyad_share of {model.factors[f]!r} add up to "
        f"{between[f]:g}; they must leave some variance for people, so their sum must be below 1."
        for f in np.unique(part.factor_of).tolist()
        if between[f] >= 1
    ]
    if faults:
        raise TruthError("The truth of the synthetic cohort", faults)


def draw_dyads(
    instrument: Instrument,
    model: ItemModel,
    where: Layout,
    rows: Sequence[Wave],
    conditions: FloatArray,
    truth: Truth,
    partners: int,
    rng: np.random.Generator,
) -> Dyads:
    """Draw the answers of everybody who answered about so many other schools at most."""
    items = partner_items(instrument, model)
    if not items:
        return NOBODY
    part = model.only(items)
    used = np.unique(part.factor_of)
    factors = tuple(model.factors[f] for f in used)
    n_schools = len(where.n_staff)
    pair = rng.standard_normal((n_schools, n_schools, len(model.factors)))
    for first, second in mirrored(instrument).items():
        if first in model.factors and second in model.factors:
            mirror = pair[:, :, model.factors.index(first)]
            pair[:, :, model.factors.index(second)] = mirror.T
    others = [_others(where, school) for school in range(n_schools)]
    out = []
    for wave, row in enumerate(rows):
        school = where.school_of[row.post]
        chosen = [rng.permutation(others[s])[:partners] for s in school.tolist()]
        index = np.repeat(np.arange(len(row.post)), [len(some) for some in chosen])
        partner = np.concatenate([*chosen, np.empty(0)]).astype(np.int64)
        own = _people(model, truth, len(row.post), index, rng)
        mean = truth.level + model.change * wave
        at_school = conditions[wave][school[index]]
        dyad = np.sqrt(truth.dyad_share) * pair[school[index], partner]
        answers = answers_of(part, mean + at_school + dyad + own, row.careless[index], rng)
        leave_out(answers, part, truth, rng)
        out.append(PartnerRows(index, partner, answers))
    return Dyads(items, factors, tuple(out), pair[:, :, used])


def mirrored(instrument: Instrument) -> Mapping[str, str]:
    """Scales that look at one pair from both ends: those whose difference is scored."""
    return {
        scale.between[1]: scale.between[0]
        for scale in instrument.scoring
        if scale.rule == "difference" and scale.between is not None
    }


def _others(where: Layout, school: int) -> IntArray:
    same = np.flatnonzero(where.partnership_of == where.partnership_of[school])
    return np.asarray(same[same != school])


def _people(
    model: ItemModel, truth: Truth, n: int, index: IntArray, rng: np.random.Generator
) -> FloatArray:
    """What is left for the person, half of it the same about every partner."""
    left = 1 - model.icc_school - model.icc_partnership - truth.dyad_share
    left = np.sqrt(np.maximum(left, 0) / 2)  # below 0 only for scales that name no partner
    root = np.linalg.cholesky(model.correlations).T
    person = rng.standard_normal((n, len(model.factors))) @ root
    occasion = rng.standard_normal((len(index), len(model.factors))) @ root
    return np.asarray(left * (person[index] + occasion))
