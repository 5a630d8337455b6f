"""Outcomes of school × cohort year: their units, and how they are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from collabsurvey.numerics.typing import FloatArray
from collabsurvey.simulation.items import ItemModel
from collabsurvey.simulation.truth import Truth


@dataclass(frozen=True)
class Unit:
    """Unit of an outcome or of intake: mean and SD among schools, and the highest value."""

    mean: float
    sd: float
    highest: float = np.inf


OUTCOMES: Mapping[str, Unit] = MappingProxyType(
    {
        "attendance": Unit(94.0, 2.0, highest=100.0),  # percentage of sessions attended
        "attainment": Unit(50.0, 10.0),  # points
    }
)
INTAKE = Unit(100.0, 5.0)  # prior attainment of the cohort, points
INTAKE_STABILITY = 0.8  # cohorts of one school resemble each other
DECIMALS = 2  # outcomes and intake are published rounded


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Values drawn, each (waves, S) in its unit; how many are at the highest, most of them cut."""

    intake: FloatArray
    values: Mapping[str, FloatArray]
    n_at_highest: int


def draw_outcomes(
    model: ItemModel, conditions: FloatArray, truth: Truth, rng: np.random.Generator
) -> Outcomes:
    """Draw intake and outcomes from standardised conditions (waves, S, m)."""
    shape = conditions.shape[:2]
    intake = INTAKE.mean + INTAKE.sd * _partly_stable(shape, INTAKE_STABILITY, rng)
    intake = np.round(intake, DECIMALS)
    weights = np.array([truth.effects.get(factor, 0.0) for factor in model.factors])
    expected = conditions @ weights + truth.intake_effect * (intake - INTAKE.mean) / INTAKE.sd
    drawn: dict[str, FloatArray] = {}
    n_at_highest = 0
    for name, unit in OUTCOMES.items():
        unexplained = _partly_stable(shape, truth.outcome_icc, rng)
        values = unit.mean + unit.sd * (expected + truth.residual_sd * unexplained)
        drawn[name] = np.round(values.clip(max=unit.highest), DECIMALS)
        n_at_highest += int((drawn[name] == unit.highest).sum())
    return Outcomes(intake, drawn, n_at_highest)


def _partly_stable(
    shape: tuple[int, ...], stable_share: float, rng: np.random.Generator
) -> FloatArray:
    """Draw standard normal values (waves, S), a share of the variance being the school's own."""
    stays = rng.standard_normal(shape[1]) * np.sqrt(stable_share)
    return np.asarray(stays + rng.standard_normal(shape) * np.sqrt(1 - stable_share))
