"""Fitting the levels one after the other, each from the estimates of the one before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collabsurvey.dimensionality.sem import estimate
from collabsurvey.dimensionality.sem.assess import assess
from collabsurvey.dimensionality.sem.compile import count_moments
from collabsurvey.dimensionality.sem.difference import StepTest, step_test
from collabsurvey.dimensionality.sem.explained import improper
from collabsurvey.dimensionality.sem.fitted import Analysis, analyse
from collabsurvey.dimensionality.sem.identification import check_identified
from collabsurvey.dimensionality.sem.material import Material
from collabsurvey.dimensionality.sem.model import Model
from collabsurvey.dimensionality.sem.standardise import values
from collabsurvey.dimensionality.sem.start import with_covariates
from collabsurvey.invariance.levels import Level
from collabsurvey.numerics.typing import FloatArray


@dataclass(frozen=True, eq=False)
class Step:
    """One level, fitted, and its test against the level before."""

    level: Level
    analysis: Analysis
    test: StepTest | None  # None for the first level
    improper: tuple[str, ...]  # sentences

    @property
    def converged(self) -> bool:
        """Whether the optimiser reached a minimum."""
        return self.analysis.fit.converged


def climb(models: Sequence[tuple[Level, Model]], material: Material) -> tuple[Step, ...]:
    """Fit every level, the freest first; what does not converge does not stop the rest."""
    steps: list[Step] = []
    reached: Analysis | None = None
    for level, model in models:
        found = _fitted(model, material, reached)
        if found.assessed.singular and found.fit.converged:
            check_identified(model)
        faults = tuple(
            sentence
            for block in found.model.blocks
            for sentence in improper(block, found.fit.theta).sentences()
        )
        test = step_test(found, steps[-1].analysis) if steps else None
        steps.append(Step(level, found, test, faults))
        reached = found if found.fit.converged else reached
    return tuple(steps)


def _fitted(model: Model, material: Material, before: Analysis | None) -> Analysis:
    """Fit from the level before, which shares the baseline; else from the beginning."""
    if before is None:
        return analyse(model, material)
    model = with_covariates(model, material.samples)
    fit = estimate.fit(model, material.discrepancy, _start(model, before))
    if not fit.converged:
        return analyse(model, material)
    df = count_moments(model) - model.n_unique
    return Analysis(material, assess(fit, material, df), df, before.baseline)


def _start(model: Model, before: Analysis) -> FloatArray:
    """Values (n_unique,) of the level before, averaged where parameters are now equal."""
    known = values(before.model, before.fit.theta)
    old = {
        (row.lhs, row.op, row.rhs, row.block): float(value)
        for row, value in zip(before.model.parameters, known, strict=True)
    }
    free = [row for row in model.parameters if row.free]
    theta = np.array([old.get((row.lhs, row.op, row.rhs, row.block), 0.0) for row in free])
    return np.asarray(np.linalg.lstsq(model.reduce, theta - model.offset, rcond=None)[0])
