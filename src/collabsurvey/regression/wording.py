"""Coefficients in plain words: what goes with what, how surely, compared with whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from collabsurvey.errors import OptionError, UnknownNameError
from collabsurvey.numerics.student import critical_value
from collabsurvey.regression.expressions import Call, Expression, columns_of
from collabsurvey.regression.generalized_result import MixedGeneralizedResult
from collabsurvey.regression.mixed_ordinal_result import MixedOrdinalResult
from collabsurvey.regression.reading import (
    Reading,
    Words,
    alike_words,
    capital,
    joined,
    number,
    read,
    step_words,
    together_words,
)
from collabsurvey.regression.results import RegressionResult
from collabsurvey.regression.scales import Scale, scale_of

# As the study file has them; "randomised" is an experiment by its usual name.
Design = Literal["observational", "quasi-experimental", "experimental", "randomised"]
DESIGNS = ("observational", "quasi-experimental", "experimental", "randomised")


def in_words(
    result: RegressionResult,
    *,
    unit: str = "rows",
    design: Design = "observational",
    assigned: str | Sequence[str] = (),
) -> dict[str, str]:
    """One sentence for each coefficient but the intercept.

    The sentences describe differences that go together; they claim no cause, unless chance
    decided who got what.

    Parameters
    ----------
    result : RegressionResult
        A fitted model of any kind. Logistic and count models are read as ratios, ordinal ones as
        odds of a higher category or as shifts.
    unit : str
        What a row of the data is, in the plural: "schools", "members of staff".
    design, assigned
        As in `explanation`.

    Returns
    -------
    dict of str to str
        Coefficient name: sentence, in the order of the model.
    """
    words, scale = Words(unit=unit), scale_of(result)
    chance = assigned_columns(result, design, assigned)
    half = critical_value(result.conf_level, result.df) * result.std_errors
    sentences: dict[str, str] = {}
    for j, column in enumerate(result.plan.columns):
        if not column.parts:
            continue
        estimate = float(result.coefficients[j])
        low, high = estimate - float(half[j]), estimate + float(half[j])
        reading = read(result, j, words)
        sentences[column.name] = (
            f"{finding(reading, result, estimate, scale, words, chance)} "
            f"({result.conf_level * 100:g} % interval {scale.shown(low)} to {scale.shown(high)})"
            f"{compared(reading, result, words)}; the interval "
            f"{'includes' if low <= 0 <= high else 'excludes'} {scale.null}"
            f"{together_words(reading, words)}."
        )
    return sentences


def finding(
    reading: Reading,
    result: RegressionResult,
    estimate: float,
    scale: Scale,
    words: Words,
    chance: frozenset[str] = frozenset(),
) -> str:
    """What goes with what, without how surely."""
    unit = words.unit_of(result.encoding.formula.response)
    places = joined(reading.where)
    if not reading.steps:
        return f"Where {places}, {scale.level(estimate, unit)}"
    (variable, level), *others = reading.steps
    where = f", where {places}," if places else ""
    step = step_words(variable, level, result, words)
    if not others:
        goes = _goes(estimate, scale, unit, by_chance=_by_chance(variable, chance))
        return f"{capital(step)}{where} {goes}"
    conditions = joined([step_words(v, at, result, words) for v, at in others])
    return f"With {conditions}{where or ','} {scale.contrast(step, estimate, unit)}"


def compared(reading: Reading, result: RegressionResult, words: Words) -> str:
    """Which rows a coefficient compares; of a model on a curved scale also of which group."""
    alike = alike_words(reading, words)
    if not reading.steps or not isinstance(result, MixedGeneralizedResult | MixedOrdinalResult):
        return alike
    start = f"{alike}," if alike else f", comparing {words.unit}"
    return f"{start} in the same {words.label(result.group)} or in two alike"


def assigned_columns(
    result: RegressionResult, design: str, assigned: str | Sequence[str]
) -> frozenset[str]:
    """Columns of which chance decided the value; none unless the design says so."""
    if design not in DESIGNS:
        raise OptionError("design", design, allowed=DESIGNS)
    names = [assigned] if isinstance(assigned, str) else list(assigned)
    known = result.encoding.formula.predictor_columns
    for name in names:
        if name not in known:
            raise UnknownNameError("predictor", name, available=known, where="The model")
    by_chance = design in {"experimental", "randomised"}
    if names and not by_chance:
        raise OptionError(
            f"design={design!r} with assigned={names}, design", design, allowed=("randomised",)
        )
    if design == "randomised" and not names:
        if len(known) != 1:
            raise OptionError("assigned", assigned, allowed=known)
        names = list(known)
    return frozenset(names)


def _by_chance(variable: Expression, chance: frozenset[str]) -> bool:
    columns = columns_of([variable])
    parted = isinstance(variable, Call) and variable.function in {"within", "between"}
    return bool(columns) and not parted and set(columns) <= chance


def _goes(estimate: float, scale: Scale, unit: str, *, by_chance: bool) -> str:
    """Say "goes with 0.56 more y"; where chance decided, "raised y by 0.56"."""
    if not by_chance:
        return f"goes with {scale.amount(estimate, unit)}"
    verb = "raised" if estimate >= 0 else "lowered"
    if scale.kind == "difference":
        return f"{verb} {scale.outcome} by {number(abs(estimate))}{f' {unit}' if unit else ''}"
    if scale.is_ratio:
        what = scale.amount(0.0).removeprefix("1.00 times ")
        return f"multiplied {what} by {scale.shown(estimate)}"
    return f"brought {scale.amount(estimate)}"
