"""Answers that are choices: picks among statements, rankings, points to share out.

The model. Every option has a utility for a person at a wave: popularity + partnership + school +
person, the three deviations normal with the variance shares that are assumed. A pick is the
option of highest utility plus Gumbel noise of the single question (the multinomial logit model;
McFadden, 1974); a ranking puts all options in the order of such sums (Plackett, 1975,
doi:10.2307/2346567; Luce, 1959); points go in proportion to exp(utility + normal noise), rounded
to the steps in which people count, and always add up to the total.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from collabsurvey.errors import TruthError, UnknownNameError
from collabsurvey.instruments.model import Instrument, Scale
from collabsurvey.numerics.typing import BoolArray, FloatArray
from collabsurvey.simulation.draw import Layout, Wave
from collabsurvey.simulation.items import cannot_say_code, per_name
from collabsurvey.simulation.truth import CHOICE_ICC_PARTNERSHIP, CHOICE_ICC_SCHOOL, Truth

Kind = Literal["picks", "ranks", "points"]
POINT_NOISE = 0.5  # SD of a single question's noise in the logarithm of points


@dataclass(frozen=True, eq=False)
class ChoiceSet:
    """Questions that offer the same c options to choose from.

    `blocks` are answered one by one: each is one item (a pick), or c items (the ranks, or the
    points, of each option).
    """

    scale: str
    kind: Kind
    options: tuple[str, ...]  # (c,) names of types; of cards the codes, of rankings the items
    blocks: tuple[tuple[str, ...], ...]
    codes: FloatArray  # (c,) of a pick, what is written for each option
    total: float  # of points
    cannot_say: float  # NaN where there is no such code


@dataclass(frozen=True, eq=False)
class Choices:
    """What was drawn: columns of answers, and the utilities behind them."""

    sets: tuple[ChoiceSet, ...]
    items: tuple[str, ...]  # (k,)
    answers: tuple[FloatArray, ...]  # of each wave (n, k)
    popularity: tuple[FloatArray, ...]  # of each set (c,)
    schools: tuple[FloatArray, ...]  # of each set (waves, S, c): popularity, partnership, school


def choice_sets(instrument: Instrument) -> tuple[ChoiceSet, ...]:
    """Sets of the compositions and of the scales about agreement, in the order of the file."""
    return tuple(one for scale in instrument.scoring for one in _sets_of(instrument, scale))


def _sets_of(instrument: Instrument, scale: Scale) -> Iterator[ChoiceSet]:
    def made(
        kind: Kind,
        options: Sequence[str],
        blocks: Sequence[tuple[str, ...]],
        codes: Sequence[float] = (),
    ) -> ChoiceSet:
        answers = instrument.response_set(blocks[0][0])
        code = np.nan if answers is None else cannot_say_code(answers)
        total = scale.total or 0.0
        return ChoiceSet(
            scale.id, kind, tuple(options), tuple(blocks), np.array(codes), total, code
        )

    answers = instrument.response_set(scale.items[0])
    if scale.rule == "composition" and scale.types:
        blocks = [(item,) for item in scale.items]
        yield made("picks", list(scale.types.values()), blocks, list(scale.types))
    elif scale.rule == "composition":
        yield made("points", scale.part_names, list(zip(*scale.parts.values(), strict=True)))
    elif scale.rule == "agreement" and answers is not None and answers.type == "nominal":
        for item in scale.items:
            own = instrument.response_set(item)
            codes = sorted(own.values) if own is not None else []
            yield made("picks", [f"{item} = {code:g}" for code in codes], [(item,)], codes)
    elif scale.rule == "agreement":
        yield made("ranks", scale.items, [scale.items])


def check_choices(sets: Sequence[ChoiceSet], truth: Truth) -> None:
    """Refuse names that are no scale of choices, and shares that leave no variance for people."""
    names = list(dict.fromkeys(one.scale for one in sets))
    where = "The truth of the synthetic cohort"
    for option in ("choice_icc_school", "choice_icc_partnership"):
        given = getattr(truth, option)
        for name in given if isinstance(given, Mapping) else ():
            if name not in names:
                raise UnknownNameError(f"scale for {option}", name, available=names, where=where)
    low = per_name(truth.choice_icc_school, names, CHOICE_ICC_SCHOOL)
    top = per_name(truth.choice_icc_partnership, names, CHOICE_ICC_PARTNERSHIP)
    faults = [
        f"choice_icc_school and choice_icc_partnership of {name!r} add up to {share:g}; they must "
        "leave some variance for people within schools, so their sum must be below 1."
        for name, share in zip(names, (low + top).tolist(), strict=True)
        if share >= 1
    ]
    if faults:
        raise TruthError(where, faults)


def draw_choices(
    sets: Sequence[ChoiceSet],
    where: Layout,
    rows: Sequence[Wave],
    truth: Truth,
    rng: np.random.Generator,
) -> Choices:
    """Draw the answers to every set for the rows that answered at all."""
    items = tuple(item for one in sets for block in one.blocks for item in block)
    families = {one.options: _deviations(len(one.options), where, rows, truth, rng) for one in sets}
    shared = [sum(one.options == other.options for other in sets) > 1 for one in sets]
    parts: list[list[FloatArray]] = [[] for _ in rows]
    popularity: list[FloatArray] = []
    schools: list[FloatArray] = []
    for place, one in enumerate(sets):
        own = _deviations(len(one.options), where, rows, truth, rng)
        r = truth.choice_correlation if shared[place] else 0.0
        mixed = _mixed(families[one.options], own, r)
        liked = np.roll(_popularity(len(one.options), truth.choice_popularity), place)
        to_school, to_person = _scaled(one, mixed, where, truth)
        popularity.append(liked)
        schools.append(np.asarray(liked + to_school))
        for wave, row in enumerate(rows):
            school = where.school_of[row.post]
            utility = liked + to_school[wave][school] + to_person[wave]
            answers = _answers(one, utility, row.careless, truth, rng)
            parts[wave].append(_left_out(one, answers, truth, rng))
    empty = [np.empty((len(row.post), 0)) for row in rows]
    drawn = tuple(np.hstack([none, *some]) for none, some in zip(empty, parts, strict=True))
    return Choices(tuple(sets), items, drawn, tuple(popularity), tuple(schools))


@dataclass(frozen=True, eq=False)
class _Deviations:
    """Standard normal deviations of c utilities at each wave."""

    partnership: FloatArray  # (waves, P, c)
    school: FloatArray  # (waves, S, c)
    person: tuple[FloatArray, ...]  # of each wave (n, c)


def _deviations(
    c: int, where: Layout, rows: Sequence[Wave], truth: Truth, rng: np.random.Generator
) -> _Deviations:
    n_people = max((int(row.person.max(initial=-1)) for row in rows), default=-1) + 1
    n_partnerships = int(where.partnership_of.max()) + 1
    waves = len(rows)
    people = _over_waves((n_people, c), waves, truth.stability, rng)
    return _Deviations(
        _over_waves((n_partnerships, c), waves, truth.school_stability, rng),
        _over_waves((len(where.n_staff), c), waves, truth.school_stability, rng),
        tuple(people[wave][row.person] for wave, row in enumerate(rows)),
    )


def _over_waves(
    shape: tuple[int, int], waves: int, stability: float, rng: np.random.Generator
) -> FloatArray:
    """First-order autoregression with variance 1, (waves, *shape)."""
    out = rng.standard_normal((waves, *shape))
    for wave in range(1, waves):
        out[wave] = stability * out[wave - 1] + np.sqrt(1 - stability**2) * out[wave]
    return out


def _mixed(family: _Deviations, own: _Deviations, r: float) -> _Deviations:
    """Deviations that correlate r with those of other sets of the family."""
    a, b = np.sqrt(r), np.sqrt(1 - r)
    return _Deviations(
        a * family.partnership + b * own.partnership,
        a * family.school + b * own.school,
        tuple(a * x + b * y for x, y in zip(family.person, own.person, strict=True)),
    )


def _scaled(
    one: ChoiceSet, z: _Deviations, where: Layout, truth: Truth
) -> tuple[FloatArray, list[FloatArray]]:
    """Utilities of schools (waves, S, c), partnership included, and of people (n, c) in them."""
    top = float(per_name(truth.choice_icc_partnership, [one.scale], CHOICE_ICC_PARTNERSHIP)[0])
    low = float(per_name(truth.choice_icc_school, [one.scale], CHOICE_ICC_SCHOOL)[0])
    sd = truth.choice_sd
    school = np.sqrt(top) * z.partnership[:, where.partnership_of] + np.sqrt(low) * z.school
    return sd * school, [sd * np.sqrt(1 - top - low) * person for person in z.person]


def _popularity(c: int, spread: float) -> FloatArray:
    return np.linspace(spread, -spread, c)


def _answers(
    one: ChoiceSet, utility: FloatArray, careless: BoolArray, truth: Truth, rng: np.random.Generator
) -> FloatArray:
    """Answers (n, items of the set) to utilities (n, c); careless ones have none."""
    utility = np.where(careless[:, None], 0.0, utility)
    columns: list[FloatArray] = []
    for _ in one.blocks:
        if one.kind == "points":
            noise = rng.normal(0.0, POINT_NOISE, utility.shape)
            columns.append(_points(utility + noise, one.total, truth.bounded_steps))
            continue
        order = np.argsort(-(utility + rng.gumbel(size=utility.shape)), axis=1)
        if one.kind == "picks":
            columns.append(one.codes[order[:, :1]])
        else:
            columns.append(np.argsort(order, axis=1).astype(np.float64) + 1.0)
    return np.hstack(columns)


def _points(utility: FloatArray, total: float, steps: int) -> FloatArray:
    """Share out a total (n, c) in so many steps; the largest remainders take what is left."""
    if float(total).is_integer():
        steps = min(steps, int(total))
    weight = np.exp(utility - utility.max(axis=1, keepdims=True))
    exact = weight / weight.sum(axis=1, keepdims=True) * steps
    whole = np.floor(exact)
    left = np.rint(steps - whole.sum(axis=1)).astype(np.int64)
    place = np.argsort(np.argsort(-(exact - whole), axis=1, kind="stable"), axis=1)
    return np.asarray((whole + (place < left[:, None])) * (total / steps))


def _left_out(
    one: ChoiceSet, answers: FloatArray, truth: Truth, rng: np.random.Generator
) -> FloatArray:
    """Blank blocks and "cannot say": a ranking or points are left out as a whole."""
    chance = rng.random((len(answers), len(one.blocks)))
    size = len(one.blocks[0])
    chance = np.repeat(chance, size, axis=1)
    unsaid = chance >= 1 - truth.cannot_say_share
    out = np.where(unsaid, one.cannot_say, answers)
    return np.where(chance < truth.missing_share, np.nan, out)
