"""Kernels that draw: conditions of schools, people in them, and their answers.

Everything comes from one generator in a fixed order, so a seed fixes the cohort.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray
from collabsurvey.simulation.items import ItemModel
from collabsurvey.simulation.truth import Truth

STAFF_ROLES = ("front_line", "decision_maker", "boundary_spanner")
ROLE_SHARES = (0.80, 0.12, 0.08)


@dataclass(frozen=True, eq=False)
class Layout:
    """Who sits where: S schools in partnerships, N posts in schools."""

    partnership_of: IntArray  # (S,) of each school
    n_staff: IntArray  # (S,) posts
    school_of: IntArray  # (N,) of each post


@dataclass(frozen=True, eq=False)
class Wave:
    """The rows of one wave: those who answered."""

    person: IntArray  # (n,) number of the person; the same in every wave
    post: IntArray  # (n,) which of the N posts
    role: IntArray  # (n,) index into STAFF_ROLES; goes with the post
    answers: FloatArray  # (n, k) raw answers; NaN blank, or the "cannot say" code
    careless: BoolArray  # (n,) answered without reading


def layout(
    n_partnerships: int, n_schools: int, n_staff: tuple[int, int], rng: np.random.Generator
) -> Layout:
    """Spread schools over partnerships as evenly as possible, and staff over schools."""
    partnership_of = np.arange(n_schools) * n_partnerships // n_schools
    sizes = rng.integers(n_staff[0], n_staff[1] + 1, size=n_schools)
    return Layout(partnership_of, sizes, np.repeat(np.arange(n_schools), sizes))


def draw_conditions(
    model: ItemModel, where: Layout, waves: int, stability: float, rng: np.random.Generator
) -> FloatArray:
    """Deviations of the schools' true scores, partnership and school together, (waves, S, m)."""
    n_partnerships = int(where.partnership_of.max()) + 1
    root = np.linalg.cholesky(model.correlations).T
    between = np.sqrt(model.icc_partnership)
    within = np.sqrt(model.icc_school)
    m = len(model.factors)
    out = np.empty((waves, len(where.n_staff), m))
    top = rng.standard_normal((n_partnerships, m)) @ root
    own = rng.standard_normal((len(where.n_staff), m)) @ root
    for wave in range(waves):
        if wave:
            top = _step(top, stability, rng.standard_normal(top.shape) @ root)
            own = _step(own, stability, rng.standard_normal(own.shape) @ root)
        out[wave] = top[where.partnership_of] * between + own * within
    return out


def _step(before: FloatArray, stability: float, fresh: FloatArray) -> FloatArray:
    """One step of a first-order autoregression that keeps the variance."""
    return np.asarray(stability * before + np.sqrt(1 - stability**2) * fresh)


def draw_waves(
    model: ItemModel,
    where: Layout,
    conditions: FloatArray,
    truth: Truth,
    rng: np.random.Generator,
) -> list[Wave]:
    """Draw the answers of every wave. A new holder of a post is a new person."""
    n_posts = len(where.school_of)
    root = np.linalg.cholesky(model.correlations).T
    spread = np.sqrt(1 - model.icc_school - model.icc_partnership)
    role = rng.choice(len(STAFF_ROLES), size=n_posts, p=ROLE_SHARES)
    person = np.arange(n_posts)
    own = rng.standard_normal((n_posts, len(model.factors))) @ root
    n_people = n_posts
    out = []
    for wave, schools in enumerate(conditions):
        if wave:
            fresh = rng.standard_normal(own.shape) @ root
            new = rng.random(n_posts) < truth.turnover
            own = np.where(new[:, None], fresh, _step(own, truth.stability, fresh))
            person = np.where(new, n_people + np.cumsum(new) - 1, person)
            n_people += int(new.sum())
        post = np.flatnonzero(rng.random(n_posts) < truth.response_rate)
        mean = truth.level + model.change * wave
        scores = mean + schools[where.school_of[post]] + own[post] * spread
        answers = draw_answers(model, scores, rng)
        careless = rng.random(len(post)) < truth.careless_share
        answers[careless] = careless_answers(model, int(careless.sum()), rng)
        leave_out(answers, model, truth, rng)
        out.append(Wave(person[post], post, role[post], answers, careless))
    return out


def draw_answers(model: ItemModel, scores: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Raw answers (n, k) to true scores (n, m)."""
    # One row an item, so that each item's values lie together in memory.
    latent = rng.standard_normal((len(model.items), len(scores)))
    latent *= np.sqrt(1 - model.loading**2)[:, None]
    out = np.empty_like(latent)
    for j in range(len(model.items)):
        latent[j] += scores[:, model.factor_of[j]] * model.loading[j] + model.location[j]
        raw = latent[j] * model.keyed[j]
        out[j] = model.values[j][np.searchsorted(model.thresholds[j], raw)]
    return out.T


def answers_of(
    model: ItemModel, scores: FloatArray, careless: BoolArray, rng: np.random.Generator
) -> FloatArray:
    """Answers (n, k) to true scores (n, m); careless rows answer without reading."""
    answers = draw_answers(model, scores, rng)
    answers[careless] = careless_answers(model, int(careless.sum()), rng)
    return answers


def careless_answers(model: ItemModel, n: int, rng: np.random.Generator) -> FloatArray:
    """Answers (n, k) given without reading: one option throughout, or any option, half each."""
    straight = rng.random(n) < 0.5
    place = np.where(straight[:, None], rng.random((n, 1)), rng.random((n, len(model.items))))
    out = np.empty_like(place)
    for j, values in enumerate(model.values):
        out[:, j] = values[(place[:, j] * len(values)).astype(np.int64)]
    return out


def leave_out(
    answers: FloatArray, model: ItemModel, truth: Truth, rng: np.random.Generator
) -> None:
    """Blank answers and write "cannot say" codes, in place."""
    if truth.missing_share + truth.cannot_say_share == 0:
        return
    chance = rng.random(answers.shape)
    answers[chance < truth.missing_share] = np.nan
    unsaid = chance >= 1 - truth.cannot_say_share
    answers[unsaid] = np.broadcast_to(model.cannot_say, answers.shape)[unsaid]


def standard_conditions(model: ItemModel, conditions: FloatArray) -> FloatArray:
    """Express conditions (waves, S, m) in SD of schools at one wave, change included; 0 if none."""
    sd = np.sqrt(model.icc_school + model.icc_partnership)
    rise = np.arange(len(conditions))[:, None, None] * model.change
    scale = np.divide(1.0, sd, out=np.zeros_like(sd), where=sd > 0)
    return np.asarray((conditions + rise) * scale)
