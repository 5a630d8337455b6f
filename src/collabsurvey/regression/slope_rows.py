"""The effect of one variable at a value of another, as weights of the coefficients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from collabsurvey.errors import FormulaError, NotSupportedError, OptionError
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.regression.contrasts import column_moments, same_columns, variable_named
from collabsurvey.regression.expressions import Expression
from collabsurvey.regression.results import RegressionResult


@dataclass(frozen=True)
class Interaction:
    """A variable, its moderator, and where the other variables that meet it are held."""

    x: Expression
    moderator: Expression
    levels: tuple[int, ...]  # of x: those compared with the first; (-1,) for a number
    held: Mapping[Expression, float]  # other moderators: their mean, or the reference level

    def row(self, result: RegressionResult, value: float, level: int = -1) -> FloatArray:
        """Weights (p,): the effect of x (of one level of it) where the moderator has a value."""
        at = {**self.held, self.moderator: value}
        found = np.zeros(len(result.terms))
        for j, column in enumerate(result.plan.columns):
            own = dict(column.parts).get(self.x)
            if own is None or own not in {level, 0 if level >= 0 else level}:
                continue
            weight = -1.0 if level >= 0 and own == 0 else 1.0  # a column for every level
            for variable, other in column.parts:
                if variable != self.x:
                    weight *= at[variable] if other < 0 else float(at[variable] == other)
            found[j] = weight
        return found

    def effect(self, result: RegressionResult, level: int = -1) -> str:
        """What the effect is of: "trust", or "sex M rather than F"."""
        if level < 0:
            return self.x.label
        names = result.encoding.levels[self.x]
        return f"{self.x.label} {names[level]} rather than {names[0]}"

    def held_note(self, result: RegressionResult) -> tuple[str, ...]:
        """Say where other moderators are held."""
        words = [
            f"{v.label} = {result.encoding.levels[v][int(value)]}"
            if v in result.encoding.levels
            else f"{v.label} = {value:.3g} (its mean)"
            for v, value in self.held.items()
        ]
        return (f"Slopes where {', '.join(words)}.",) if words else ()


def interaction_of(result: RegressionResult, x: str, moderator: str) -> Interaction:
    """Find x, its moderator, and what else x meets in interactions."""
    of, by = variable_named(result, x), variable_named(result, moderator)
    partners: dict[Expression, None] = {}
    together = False
    for column in result.plan.columns:
        variables = [v for v, _ in column.parts]
        if of in variables:
            partners |= dict.fromkeys(v for v in variables if v != of)
            together = together or by in variables
        for other in variables:
            if same_columns(of, other):
                raise NotSupportedError(
                    f"The slope of {x}, which is also in {other.label},",
                    instead="Give x as one term, or compare predictions.",
                )
    if of == by or not together:
        raise FormulaError(
            result.formula,
            f"{x} and {moderator} do not meet in an interaction; write {x} * {moderator}.",
        )
    for partner in partners:
        if partner != by and same_columns(by, partner):
            raise NotSupportedError(
                f"A moderator that is in two terms ({by.label} and {partner.label})",
                instead="Keep one of them, or compare predictions.",
            )
    factors = result.encoding.levels
    levels = tuple(range(1, len(factors[of]))) if of in factors else (-1,)
    held = {v: 0.0 if v in factors else mean_of(result, v)[0] for v in partners if v != by}
    return Interaction(of, by, levels, held)


def mean_of(result: RegressionResult, variable: Expression) -> tuple[float, float]:
    """Mean and sd of a number over the rows of the fit."""
    place = [j for j, c in enumerate(result.plan.columns) if c.parts == ((variable, -1),)]
    if not place:
        raise OptionError(
            "at", "mean_sd", allowed=(f"values of {variable.label}, which is no term of its own",)
        )
    mean, sd, _ = column_moments(result)
    return float(mean[place[0]]), float(sd[place[0]])
