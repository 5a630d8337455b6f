"""The outcome of a logistic or count model: what can be one, and when nothing finite fits it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from collabsurvey.errors import DataError, FormulaError, NoVarianceError, listed
from collabsurvey.numerics.glm_outcome import Family, Outcome
from collabsurvey.numerics.separation import directions, separating
from collabsurvey.numerics.typing import FloatArray, IntArray
from collabsurvey.regression.expressions import Call
from collabsurvey.regression.formula import Formula
from collabsurvey.regression.terms import INTERCEPT, DesignPlan, Encoding, evaluate
from collabsurvey.responses.engine import Column

MOST_NAMED = 4  # culprits named in one sentence


def read_outcome(
    method: str,
    family: Family,
    formula: Formula,
    columns: Mapping[str, Column],
    encoding: Encoding,
    weight: FloatArray,
) -> Outcome:
    """Read and check the outcome (n,); rows of `cbind()` without a trial are still among them."""
    response = formula.response
    if isinstance(response, Call) and response.function == "cbind":
        if family != "binomial":
            raise FormulaError(
                formula.text, f"cbind() is for successes and failures; {method} needs one count"
            )
        parts = [evaluate(part, columns, encoding) for part in response.arguments]
        successes, failures = (np.broadcast_to(part, weight.shape) for part in parts)
        for part, values in zip(response.arguments, (successes, failures), strict=True):
            _require_counts(part.label, values)
        return Outcome(family, np.array(successes), successes + failures, weight)
    if response in encoding.levels:
        raise DataError(_about_text(method, family, response.label, encoding.levels[response]))
    values = np.array(np.broadcast_to(evaluate(response, columns, encoding), weight.shape))
    if family == "binomial":
        _require_binary(method, response.label, values)
    else:
        _require_counts(response.label, values)
    return Outcome(family, values, np.ones(len(values)), weight)


def require_variation(method: str, label: str, outcome: Outcome) -> None:
    """Refuse an outcome that never, or always, happens, and counts that are all the same."""
    if outcome.family != "binomial":
        if np.ptp(outcome.count) == 0:
            raise NoVarianceError(
                f"the outcome {label!r} (only {_number(outcome.count[0])})", method=method
            )
        return
    if outcome.count.sum() == 0 or (outcome.count == outcome.trials).all():
        only = "no success" if outcome.count.sum() == 0 else "successes only"
        if outcome.trials.max() == 1:
            only = "only 0" if outcome.count.sum() == 0 else "only 1"
        raise NoVarianceError(f"the outcome {label!r} ({only})", method=method)


def refuse_separation(
    method: str, plan: DesignPlan, encoding: Encoding, x: FloatArray, outcome: Outcome
) -> None:
    """Raise if some coefficient has no finite estimate, and name what separates."""
    way = directions(outcome)
    if separating(x, way) is None:
        return
    culprits = _of_levels(plan, encoding, x, way, outcome) or _of_columns(plan, x, way, outcome)
    if not culprits:
        names = listed(_needed(plan, x, way), most=6)
        culprits = [f"{names} together tell the outcomes apart exactly"]
    what = "odds ratio" if outcome.family == "binomial" else "rate ratio"
    raise DataError(
        f"{method} finds perfect separation: {'; '.join(culprits[:MOST_NAMED])}. The estimate "
        f"would run to infinity, so no {what} can be given. Leave the term out, merge the level "
        "with another, or report the counts themselves; Firth's penalised estimate is not part "
        "of this version."
    )


def _needed(plan: DesignPlan, x: FloatArray, way: IntArray) -> list[str]:
    """Terms of which none can be spared if the outcomes are to be separated."""
    labels = np.array(plan.term_labels)
    kept = np.ones(len(labels), dtype=bool)
    for label in dict.fromkeys(plan.term_labels):
        fewer = kept & (labels != label)
        if label != INTERCEPT and separating(x[:, fewer], way) is not None:
            kept = fewer
    return [label for label in dict.fromkeys(labels[kept].tolist()) if label != INTERCEPT]


def _of_levels(
    plan: DesignPlan, encoding: Encoding, x: FloatArray, way: IntArray, outcome: Outcome
) -> list[str]:
    """Levels of factors whose rows all went one way."""
    found = []
    for variable, levels in encoding.levels.items():
        own = {
            column.parts[0][1]: x[:, j] == 1
            for j, column in enumerate(plan.columns)
            if len(column.parts) == 1 and column.parts[0][0] == variable
        }
        if not own:
            continue
        if 0 not in own:
            own[0] = ~np.logical_or.reduce(list(own.values()))
        for level, rows in sorted(own.items()):
            ways = np.unique(way[rows])
            if len(ways) == 1 and ways[0] != 0:
                found.append(
                    f"every row with {variable.label} {levels[level]!r} has "
                    f"{_went(outcome, int(ways[0]))}"
                )
    return found


def _of_columns(plan: DesignPlan, x: FloatArray, way: IntArray, outcome: Outcome) -> list[str]:
    """Columns that have a point above which all rows went one way and below it the other."""
    found = []
    for name, values in zip(plan.names, x.T, strict=True):
        for sign in (1, -1):
            low = values[sign * way <= 0]
            high = values[sign * way >= 0]
            if name == INTERCEPT or not len(low) or not len(high) or np.ptp(values) == 0:
                continue
            if low.max() <= high.min():
                sides = [
                    f"{_went(outcome, sign * side)} wherever {name} is {words} {low.max():.6g}"
                    for side, words in ((1, "above"), (-1, "below"))
                    if (values > low.max() if side == 1 else values < low.max()).any()
                ]
                found.append(f"there is {' and '.join(sides)}")
                break
    return found


def _went(outcome: Outcome, way: int) -> str:
    if outcome.family != "binomial":
        return "a count of 0"
    if outcome.trials.max() > 1:
        return "successes only" if way > 0 else "no success"
    return f"the outcome {1 if way > 0 else 0}"


def _require_binary(method: str, label: str, values: FloatArray) -> None:
    known = np.unique(values)
    if np.isin(known, (0.0, 1.0)).all():
        return
    if len(known) <= 2:
        shown = " and ".join(_number(value) for value in known)
        raise DataError(
            f"The outcome {label!r} has the values {shown}; {method} needs 1 where the thing "
            f"happened and 0 where it did not, and cannot know which is which. Recode it, for "
            f"example df['happened'] = (df[{label!r}] == {_number(known[-1])}).astype(int)."
        )
    if known[0] >= 0 and known[-1] <= 1:
        raise DataError(
            f"The outcome {label!r} holds fractions. {method} needs 0 and 1, or the numbers "
            "behind the fractions: cbind(successes, failures) ~ ..."
        )
    raise DataError(
        f"The outcome {label!r} has {len(known)} values from {_number(known[0])} to "
        f"{_number(known[-1])}; {method} needs 0 and 1. Recode it, or use mixed() for "
        "measurements and mixed_counts() for counts."
    )


def _require_counts(label: str, values: FloatArray) -> None:
    negative = int((values < 0).sum())
    if negative:
        raise DataError(
            f"{label!r} is negative in {negative} row{'s' if negative > 1 else ''}; "
            "counts are 0, 1, 2 and so on. Check for codes of missing answers such as -9."
        )
    broken = int((values != np.round(values)).sum())
    if broken:
        raise DataError(
            f"{label!r} is not a whole number in {broken} row{'s' if broken > 1 else ''}, so it "
            "holds no counts. For a rate, model the count and add offset(log(exposure)); for a "
            "measurement use mixed() or ols()."
        )


def _about_text(method: str, family: Family, label: str, levels: tuple[str, ...]) -> str:
    if family != "binomial":
        return f"The outcome {label!r} is text. {method} needs a count; recode it."
    if len(levels) == 2:
        return (
            f"The outcome {label!r} is text with the values {levels[0]!r} and {levels[1]!r}. "
            f"{method} needs 1 and 0 and does not guess which is 1. Make a column that says so, "
            f"for example df['happened'] = (df[{label!r}] == {levels[1]!r}).astype(int)."
        )
    return (
        f"The outcome {label!r} is text with {len(levels)} values ({listed(levels, most=5)}). "
        f"{method} needs 1 and 0: recode it, or use ordinal() if the values have an order."
    )


def _number(value: float) -> str:
    return f"{value:.10g}"


def alike_within(outcome: Outcome, codes: IntArray, n_groups: int) -> bool:
    """Whether all rows of every group went the same way."""
    way = directions(outcome)
    if (way == 0).any():
        return False
    sums = np.bincount(codes, weights=way, minlength=n_groups)
    return bool((np.abs(sums) == np.bincount(codes, minlength=n_groups)).all())


def singletons(codes: IntArray, n_groups: int) -> int:
    """How many groups have one row."""
    return int((np.bincount(codes, minlength=n_groups) == 1).sum())
