"""Odds as probabilities, logs as counts, shifts as answers: of the typical case, in words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from collabsurvey.numerics.cumulative_link import distribution
from collabsurvey.numerics.glm_outcome import mean_of
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.regression.expressions import Expression
from collabsurvey.regression.generalized_result import GeneralizedResult, MixedGeneralizedResult
from collabsurvey.regression.mixed_ordinal_result import MixedOrdinalResult
from collabsurvey.regression.ordinal_result import CumulativeResult
from collabsurvey.regression.reading import Words, joined, number, step_words
from collabsurvey.regression.results import RegressionResult
from collabsurvey.regression.scales import Scale, probability_words
from collabsurvey.regression.terms import Columns
from collabsurvey.regression.typical import typical_case

MOST_CATEGORIES = 7  # shares of more answers are not read one by one


def translated(
    result: RegressionResult,
    columns: Columns,
    scale: Scale,
    words: Words,
    variable: Expression,
    level: int,
    weights: FloatArray,
    half: float,
    *,
    at: Mapping[Expression, float],
    where: str,
) -> str:
    """What a step goes with in the typical case; "" for a model in units of its outcome.

    The interval is that of the step; the starting point is taken as it is. `at` are values of other
    variables, `where` the same in words.
    """
    if scale.kind == "difference":
        return ""
    start, step = _start(result, columns, variable, level, weights, at)
    place = ""
    if isinstance(result, MixedGeneralizedResult | MixedOrdinalResult):
        place = f" of a typical {words.label(result.group)}"
    if level >= 0:
        before = f"with {words.plain(variable)} {result.encoding.levels[variable][0]}"
        after = f"with {result.encoding.levels[variable][level]}"
    else:
        before, after = "", f"with {step_words(variable, level, result, words)}"
    case = f". In the typical case{place}{f', where {where},' if where else ''}"
    if isinstance(result, CumulativeResult):
        return f"{case} {_answers(result, start, step, before, after)}"
    if not isinstance(result, GeneralizedResult):
        return ""
    means = mean_of(result.family, start + np.array([0.0, step, step - half, step + half]))
    said = [probability_words(p) if scale.kind == "odds" else number(p) for p in means.tolist()]
    what = "the probability of" if scale.kind == "odds" else "the expected count of"
    first = f"{said[0]} {before}" if before else said[0]
    return (
        f"{case} {what} {scale.outcome} is {first}, and {said[1]} {after} ({said[2]} to {said[3]})"
    )


def _start(
    result: RegressionResult,
    columns: Columns,
    variable: Expression,
    level: int,
    weights: FloatArray,
    at: Mapping[Expression, float],
) -> tuple[float, float]:
    """Linear predictor of the typical case (of a factor at its first level), and of the step."""
    case = typical_case(result, columns)
    for other, value in (({variable: 0.0} if level >= 0 else {}) | dict(at)).items():
        case = case.replaced(other, np.array([value]))
    return float(case.linear(result)[0]), float(weights @ result.coefficients)


def _answers(result: CumulativeResult, start: float, step: float, before: str, after: str) -> str:
    """How a hundred answers spread before and after a step."""
    both = np.array([start, start + step])
    below = distribution(result.link, result.threshold_values - both[:, None])
    edges = np.column_stack((np.zeros(2), below, np.ones(2)))
    shares = np.diff(edges, axis=1)
    names = list(result.categories)
    if len(names) > MOST_CATEGORIES:
        middle = len(names) // 2
        shares = np.column_stack((shares[:, :middle].sum(axis=1), shares[:, middle:].sum(axis=1)))
        names = [f"up to {names[middle - 1]}", f"{names[middle]} or above"]
    first, then = (joined([probability_words(p) for p in row]) for row in shares.tolist())
    return f"{first} answer {joined(names)}{f' {before}' if before else ''}; {after} {then}"
