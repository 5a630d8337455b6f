"""A fitted model in plain words: what goes with what, how surely, and what cannot be said."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from collabsurvey.errors import UnknownNameError
from collabsurvey.numerics.student import critical_value
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.regression.explain_groups import about, between_groups, group_counts
from collabsurvey.regression.explain_limits import limits
from collabsurvey.regression.expressions import Call, Expression
from collabsurvey.regression.reading import (
    Reading,
    Words,
    joined,
    number,
    partners_of,
    read,
    step_size,
    together_words,
)
from collabsurvey.regression.results import RegressionResult
from collabsurvey.regression.scales import Scale, scale_of
from collabsurvey.regression.terms import Columns
from collabsurvey.regression.translate import translated
from collabsurvey.regression.typical import Point, contrast_at, points_of, rows_of, typical_words
from collabsurvey.regression.wording import Design, assigned_columns, compared, finding

MOST_PLACES = 8  # values of other variables at which a slope is told; more are left to a picture


@dataclass(frozen=True)
class Explanation:
    """What a model says, sentence by sentence; `str()` is the text.

    Attributes
    ----------
    about : tuple of str
        What was fitted, to how many rows.
    findings : mapping of str to str
        Coefficient name, for an interaction with the place it holds at, to its sentence.
    groups : tuple of str
        How much groups differ beyond that.
    limits : tuple of str
        What cannot be said, and why.
    """

    about: tuple[str, ...]
    findings: Mapping[str, str]
    groups: tuple[str, ...]
    limits: tuple[str, ...]
    place: str = ""  # "in a typical school"; "" without random effects

    @property
    def sentences(self) -> tuple[str, ...]:
        """Every sentence, in order."""
        return (*self.about, *self.findings.values(), *self.groups, *self.limits)

    def __str__(self) -> str:
        parts = [" ".join(self.about)]
        place = f", {self.place}" if self.place else ""
        bodies = {
            f"What goes with what{place}": tuple(self.findings.values()),
            "How much groups differ": self.groups,
            "What this does not say": self.limits,
        }
        for heading, body in bodies.items():
            if body:
                parts.append("\n".join((f"{heading}:", *(f"- {sentence}" for sentence in body))))
        return "\n\n".join(parts)


def explanation(
    result: RegressionResult,
    *,
    data: Any = None,
    unit: str = "rows",
    labels: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    steps: Mapping[str, float] | None = None,
    design: Design = "observational",
    assigned: str | Sequence[str] = (),
) -> Explanation:
    """Say in plain words what a model found.

    Parameters
    ----------
    result : RegressionResult
        A fitted model of any kind.
    data : frame, optional
        The table of the fit. With it log odds are told as probabilities, and logs of counts as
        counts, of the typical case (numbers at their mean, text at its most frequent value), and
        slopes of interactions at one standard deviation either side of the mean. Ordinal models
        keep their rows and do not need it.
    unit : str
        What a row of the data is, in the plural: "schools", "members of staff".
    labels, units : mapping, optional
        By column: what it is called, and its unit in the plural ("points").
    steps : mapping, optional
        By column: the difference that a sentence is about, in place of one unit.
    design : str
        "observational" (default), "quasi-experimental", or "randomised" ("experimental" in a study
        file). Only what chance assigned is said to have raised or lowered anything.
    assigned : str or sequence of str
        Columns that chance assigned. With "randomised" it may be left out where the model has one
        predictor; with "experimental" nothing is taken as assigned without it.

    Returns
    -------
    Explanation
        `str()` of it is what `result.explain()` returns.

    Raises
    ------
    OptionError
        An unknown design; "randomised" without the column that was assigned.
    UnknownNameError
        `labels`, `units` or `steps` name a column that the model does not hold.

    Notes
    -----
    Intervals of slopes at given values of other variables take the smallest df of the coefficients
    they add up. A p-value above .05 is told as what it is: the direction is open.
    """
    words = Words(unit, labels or {}, units or {}, steps or {})
    _check_names(result, words)
    scale = scale_of(result, words)
    chance = assigned_columns(result, design, assigned)
    columns = rows_of(result, data)
    found = _findings(result, columns, scale, words, chance)
    mixed = result.variance_components is not None
    groups = [words.label(name) for name in group_counts(result)] if mixed else []
    typical: tuple[str, ...] = ()
    formula = result.encoding.formula
    told = bool(formula.terms or formula.offsets)
    if columns is not None and scale.kind != "difference" and told:
        typical = (f"The typical case is {typical_words(result, columns, words)}.",)
    return Explanation(
        about=(*about(result, scale, words), *typical),
        findings={name: one.sentence for name, one in found.items()},
        groups=between_groups(result, columns, scale, words),
        limits=limits(
            result,
            words,
            design=design,
            chance=chance,
            open_terms=[name for name, one in found.items() if one.direction_open],
        ),
        place=f"in a typical {joined(groups)}" if groups else "",
    )


def _check_names(result: RegressionResult, words: Words) -> None:
    """Refuse labels, units and steps of columns that the model does not hold."""
    columns = dict.fromkeys(result.encoding.formula.columns)
    groups = dict.fromkeys(group_counts(result))
    of_random = [part.group_label for part in result.encoding.formula.random]
    for option, given, known in (
        ("labels", words.labels, {**columns, **groups, **dict.fromkeys(of_random)}),
        ("units", words.units, columns),
        ("steps", words.steps, columns),
    ):
        for name in given:
            if name not in known:
                where = f"{option}=: the model"
                raise UnknownNameError("column", name, available=known, where=where)


@dataclass(frozen=True)
class _Finding:
    sentence: str
    direction_open: bool


def _findings(
    result: RegressionResult,
    columns: Columns | None,
    scale: Scale,
    words: Words,
    chance: frozenset[str],
) -> dict[str, _Finding]:
    """Sentences of every coefficient but the intercept; of interactions slopes at each place."""
    found: dict[str, _Finding] = {}
    for j, column in enumerate(result.plan.columns):
        if not column.parts:
            continue
        reading = read(result, j, words)
        places = list(_places(result, j, reading, columns, words))
        for points in places:
            at = {variable: point.value for variable, point in points.items()}
            variable, level = column.parts[0]
            weights = contrast_at(variable, level, at, result)
            where = tuple(point.words for point in points.values())
            name = f"{column.name}, where {joined(where)}"
            here = Reading(reading.steps, where, reading.alike, reading.together)
            found[name] = _said(result, here, weights, at, columns, scale, words, chance)
        if not places:
            weights = np.eye(len(result.terms))[j]
            found[column.name] = _said(result, reading, weights, {}, columns, scale, words, chance)
    return found


def _places(
    result: RegressionResult, j: int, reading: Reading, columns: Columns | None, words: Words
) -> Iterator[dict[Expression, Point]]:
    """Where the slope of a variable in interactions is told; nowhere for other coefficients.

    At every level or value of what it interacts with; of two variables the one that is a number,
    else the first, is told so, and the other only at the mean or the reference of the first.
    """
    parts = result.plan.columns[j].parts
    if len(parts) != 1 or len(reading.steps) != 1:
        return
    variable = parts[0][0]
    partners = partners_of(variable, result)
    if not partners:
        return
    points = {p: points_of(p, result, columns, words) for p in partners}
    for partner, found in points.items():
        if not _is_focal(variable, partner, result):
            points[partner] = _one(found, factor=partner in _levels(result))
    if math.prod(len(found) for found in points.values()) > MOST_PLACES:
        return
    for chosen in product(*points.values()):
        yield dict(zip(partners, chosen, strict=True))


def _one(points: list[Point], *, factor: bool) -> list[Point]:
    """The reference level of a factor, the mean of a number; both values where there are two."""
    if factor:
        return points[:1]
    return points if len(points) == 2 else [points[len(points) // 2]]


def _is_focal(variable: Expression, partner: Expression, result: RegressionResult) -> bool:
    factors = _levels(result)
    if (variable in factors) != (partner in factors):
        return partner in factors
    order = list(dict.fromkeys(v for term in result.encoding.formula.terms for v in term))
    return order.index(variable) < order.index(partner)


def _levels(result: RegressionResult) -> Mapping[Expression, tuple[str, ...]]:
    return result.encoding.levels


def _said(
    result: RegressionResult,
    reading: Reading,
    weights: FloatArray,
    at: Mapping[Expression, float],
    columns: Columns | None,
    scale: Scale,
    words: Words,
    chance: frozenset[str],
) -> _Finding:
    """One sentence on a combination of coefficients, in steps that were asked for."""
    weights = weights * step_size(reading.steps, words)
    estimate = float(weights @ result.coefficients)
    error = math.sqrt(max(float(weights @ result.covariance @ weights), 0.0))
    used = result.df[weights != 0]
    df = np.array([used.min() if used.size else np.inf])
    half = float(critical_value(result.conf_level, df)[0]) * error
    low, high = estimate - half, estimate + half
    sentence = finding(reading, result, estimate, scale, words, chance)
    sentence += compared(reading, result, words)
    sentence += f". {_interval(reading, result, low, high, scale, words)}"
    if reading.steps and not reading.together and columns is not None and len(reading.steps) == 1:
        variable, level = reading.steps[0]
        sentence += translated(
            result, columns, scale, words, variable, level, weights, half,
            at=at, where=joined(reading.where),
        )  # fmt: skip
    if level_words := _level_words(reading, words):
        sentence += f". {level_words}"
    direction_open = bool(reading.steps) and low <= 0 <= high
    return _Finding(f"{sentence}{together_words(reading, words)}.", direction_open)


def _interval(
    reading: Reading, result: RegressionResult, low: float, high: float, scale: Scale, words: Words
) -> str:
    """Everything that fits the data, in words."""
    level = f"({result.conf_level * 100:g} % interval)"
    if not np.isfinite([low, high]).all():
        return "How surely cannot be said"
    is_level = not reading.steps
    contrast = len(reading.steps) > 1
    unit = words.unit_of(result.encoding.formula.response)
    unit = f" {unit}" if unit and scale.kind == "difference" else ""
    if is_level or scale.is_ratio:
        what = "Anything" if is_level else f"Any {scale.ratio_name}"
        text = (
            f"{what} from {scale.shown(low)} to {scale.shown(high)}{unit} fits these data {level}"
        )
        if is_level:
            return text
    else:
        up, down = ("more", "less") if scale.kind == "difference" else ("higher", "lower")
        up, down = ("higher", "lower") if contrast else (up, down)
        ends = [number(abs(end)) for end in (low, high)]
        if low <= 0 <= high:
            span = f"from {ends[0]}{unit} {down} to {ends[1]}{unit} {up}"
        elif low > 0:
            span = f"from {ends[0]} to {ends[1]}{unit} {up}"
        else:
            span = f"from {ends[1]} to {ends[0]}{unit} {down}"
        text = f"Anything {span} fits these data {level}"
    if not low <= 0 <= high:
        return text
    return f"{text}, so they leave the direction open"


def _level_words(reading: Reading, words: Words) -> str:
    """Say for parts within and between groups what is compared with what."""
    for variable, _ in reading.steps:
        if isinstance(variable, Call) and variable.function in {"within", "between"}:
            group = words.plain(variable.arguments[1])
            if variable.function == "within":
                return f"This compares {words.unit} with others of the same {group}"
            x = variable.arguments[0]
            if any(_is_itself(other, x) for other in reading.alike):
                return (
                    f"This compares {words.unit} who are alike themselves, in groups of {group} "
                    "whose means differ"
                )
            return f"This compares groups of {group} by their means, and not single {words.unit}"
    return ""


def _is_itself(variable: Expression, x: Expression) -> bool:
    """Whether a variable is x, or x centred at one value for all."""
    if isinstance(variable, Call) and variable.function == "center":
        return variable.arguments[0] == x
    return variable == x
