"""What was fitted, and how much groups differ beyond it, in plain words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from collabsurvey.numerics.glm_outcome import mean_of
from collabsurvey.regression.expressions import Call, Expression, columns_of
from collabsurvey.regression.generalized_result import GeneralizedResult
from collabsurvey.regression.reading import Words, has_reference, joined, number, ratio_number, read
from collabsurvey.regression.results import RegressionResult
from collabsurvey.regression.scales import Scale, exp, probability_words
from collabsurvey.regression.terms import INTERCEPT, Columns, design_plan
from collabsurvey.regression.typical import typical_case

NONE = 1e-4  # of the residual SD: as a fit is called singular
NINETEEN_IN_TWENTY = 1.96  # standard deviations of a normal distribution


def group_counts(result: RegressionResult) -> dict[str, int]:
    """Groups or clusters by factor; empty for a model without."""
    counts = result.fit.get("n_groups")
    if counts is None:
        return {}
    if isinstance(counts, Mapping):
        return {str(name): int(n) for name, n in counts.items()}
    name = getattr(result, "group", None) or getattr(result, "cluster", None)
    return {str(name or "group"): int(counts)}


def spreads(result: RegressionResult) -> list[tuple[str, str, str | None, float]]:
    """Standard deviations and correlations: factor, term, other term, size; no residual.

    Slopes that are uncorrelated, and second terms of a factor, are numbered as groups in
    `.variance_components`; here they have the factor's name.
    """
    table = result.variance_components
    if table is None:
        return []
    known = {re.sub(r"[^\w.]", ".", name): name for name in group_counts(result)}
    known |= {name: name for name in group_counts(result)}
    found = []
    for group, term, other, size in zip(
        table["group"], table["term1"], table["term2"], table["sdcor"], strict=True
    ):
        if not isinstance(term, str) or group == "Residual":
            continue
        name = known.get(group) or known.get(re.sub(r"\.\d+$", "", group), group)
        found.append((name, term, other if isinstance(other, str) else None, float(size)))
    return found


def about(result: RegressionResult, scale: Scale, words: Words) -> tuple[str, ...]:
    """What was fitted, to how many rows."""
    counts = joined([f"{n} groups of {words.label(g)}" for g, n in group_counts(result).items()])
    where = f" in {counts}" if counts else ""
    said = [f"{result.title}: {result.formula}; {result.fit['n_obs']} {words.unit}{where}."]
    share = result.fit.get("r2", result.fit.get("r2_marginal"))
    if share is not None and result.encoding.formula.terms:
        of = "" if scale.kind == "difference" else f", on the scale of the {scale.short_name}"
        said.append(
            f"The terms go with {probability_words(share)} of the variance of {scale.outcome}{of}."
        )
    return tuple(said)


def between_groups(
    result: RegressionResult, columns: Columns | None, scale: Scale, words: Words
) -> tuple[str, ...]:
    """How much groups differ beyond the terms; of models without, what their errors allow for."""
    if result.variance_components is None:
        return (_without(result, words),)
    said = []
    slopes = random_columns(result)
    for group, term, other, size in spreads(result):
        if other is not None:
            continue
        called = words.label(group)
        if size < NONE * float(result.fit.get("sigma") or 1.0):
            random = slopes.get((group, term))
            name = term if random is None else _called(random, (), result, words)
            what = "" if term == INTERCEPT else f" in what goes with {name}"
            said.append(
                f"No spread between groups of {called}{what} is seen in these data (SD 0). They "
                "may differ by less than so few groups or rows can show."
            )
        elif term == INTERCEPT:
            beside = [one for (of, _), one in slopes.items() if of == group]
            said.append(_levels(result, columns, scale, words, beside, called, size))
        elif (group, term) in slopes:
            said.append(_slopes(result, scale, words, slopes[group, term], called, size))
    sigma = result.fit.get("sigma")
    unit = words.unit_of(result.encoding.formula.response)
    if sigma is not None:
        left = f"{number(sigma)} {unit}" if unit else number(sigma)
        said.append(f"Single {words.unit} of one group still differ, with an SD of {left}.")
    if "icc" in result.fit:
        of = "" if scale.kind == "difference" else f" (on the scale of the {scale.short_name})"
        said.append(
            f"Of the variance that the terms leave, {probability_words(result.fit['icc'])} lies "
            f"between groups{of}."
        )
    return tuple(said)


def _levels(
    result: RegressionResult,
    columns: Columns | None,
    scale: Scale,
    words: Words,
    slopes: Sequence[RandomColumn],
    group: str,
    sd: float,
) -> str:
    """How much groups differ in level."""
    zeros = dict.fromkeys(
        _at(v, min(level, 0), result, words)
        for slope in slopes
        for v, level in slope.parts
        if level < 0 or slope.has_reference(v)
    )
    where = f" where {joined(list(zeros))}" if zeros else ""
    unit = words.unit_of(result.encoding.formula.response)
    tail = f" {unit}" if unit and scale.kind == "difference" else ""
    start = f"Groups of {group} differ beyond that{where}: their SD is {number(sd)}"
    wide = NINETEEN_IN_TWENTY * sd
    if scale.kind == "difference":
        return (
            f"{start}{tail} of {scale.outcome}, so that about two in three lie within "
            f"{number(sd)}{tail} of the typical one and nineteen in twenty within "
            f"{number(wide)}{tail}, if they are normally distributed."
        )
    if not scale.is_ratio:
        return f"{start} on the scale of the {scale.short_name}."
    what = scale.amount(sd)
    said = (
        f"{start} on the scale of the {scale.short_name}: one SD above the typical group is {what}"
    )
    # with slopes the SD holds at their zeros, where the typical case need not be
    if columns is None or zeros or not isinstance(result, GeneralizedResult):
        return f"{said}."
    eta = float(typical_case(result, columns).linear(result)[0])
    at = mean_of(result.family, eta + np.array([0.0, -wide, wide])).tolist()
    middle, low, high = (probability_words(x) if scale.kind == "odds" else number(x) for x in at)
    kind = "probability of" if scale.kind == "odds" else "expected count of"
    return (
        f"{said}. In the typical case the {kind} {scale.outcome} is {middle} in the typical group, "
        f"and between {low} and {high} in nineteen groups of twenty."
    )


def _slopes(
    result: RegressionResult,
    scale: Scale,
    words: Words,
    random: RandomColumn,
    group: str,
    sd: float,
) -> str:
    """How much what goes with a term differs between groups, around what the fixed part says."""
    unit = f" on the scale of the {scale.short_name}" if scale.kind != "difference" else ""
    cells = [v for v, level in random.parts if level >= 0 and not random.has_reference(v)]
    if len(cells) == len(random.parts):  # a level for each cell of a factor, and no slope
        where = joined([_at(v, dict(random.parts)[v], result, words) for v in cells])
        return f"Groups of {group} differ where {where}: SD {number(sd)}{unit}."
    called = _called(random, cells, result, words)
    start = f"What goes with {called} differs between groups of {group}: SD {number(sd)}{unit}"
    j = fixed_column(result, random)
    where_held = {_at(v, level, result, words): None for v, level in random.held()}
    why = ""
    if j is not None:
        reading = read(result, j, words)
        if reading.together:
            return f"{start}; its average varies with {words.listing(reading.together)}."
        where_held |= dict.fromkeys(reading.where)
        middle = float(result.coefficients[j])
    elif any(_share_columns(random.parts, column.parts) for column in result.plan.columns):
        return f"{start}; the model has no single fixed slope to tell a range around."
    else:
        middle = 0.0
        why = f"its average is set to 0, as the model has no fixed slope of {called}; "
    place = f"where {joined(list(where_held))}, " if where_held else ""
    ends = [middle - NINETEEN_IN_TWENTY * sd, middle + NINETEEN_IN_TWENTY * sd]
    if scale.is_ratio:
        low, high = (ratio_number(exp(end)) for end in ends)
        range_words = f"the {scale.ratio_name} is {low} to {high}"
    else:
        low, high = (number(end) for end in ends)
        range_words = f"it is between {low} and {high}"
    return f"{start}; {why}{place}in nineteen groups of twenty {range_words}."


def _called(
    random: RandomColumn, cells: Sequence[Expression], result: RegressionResult, words: Words
) -> str:
    """A random slope in words: "x", "sex M rather than F", "x together with sex M"."""
    said = []
    for variable, level in random.parts:
        levels = result.encoding.levels.get(variable, ())
        name = words.plain(variable)
        if variable in cells:
            said.append(f"{name} {levels[level]}")
        elif level >= 0:
            said.append(f"{name} {levels[level]} rather than {levels[0]}")
        else:
            said.append(name)
    return " together with ".join(said)


def _at(variable: Expression, level: int, result: RegressionResult, words: Words) -> str:
    """A level of a factor, or the zero of a number, in words."""
    name = words.plain(variable)
    if level >= 0:
        return f"{name} is {result.encoding.levels[variable][level]}"
    if isinstance(variable, Call) and variable.function == "within":
        x, g = (words.plain(argument) for argument in variable.arguments)
        return f"{x} is at the mean of the {g}"
    centred = isinstance(variable, Call) and variable.function == "center"
    return f"{name} is {'at its mean' if centred else '0'}"


@dataclass(frozen=True)
class RandomColumn:
    """A column of a random term: its parts, the groups, and the columns beside it."""

    parts: tuple[tuple[Expression, int], ...]
    term: str
    group: tuple[str, ...]
    beside: tuple[tuple[str, tuple[tuple[Expression, int], ...]], ...]  # term, parts

    def has_reference(self, variable: Expression) -> bool:
        """Whether the first level of a factor has no column of its own in this term."""
        return not any((variable, 0) in parts for term, parts in self.beside if term == self.term)

    def held(self) -> list[tuple[Expression, int]]:
        """What random interactions hold at zero: variables, with the first level or -1."""
        own = {v for v, _ in self.parts}
        found = {
            v: min(level, 0)
            for _, parts in self.beside
            if own < {v for v, _ in parts}
            for v, level in parts
            if v not in own
        }
        return list(found.items())


def random_columns(result: RegressionResult) -> dict[tuple[str, str], RandomColumn]:
    """Columns of the random terms but the intercepts, by grouping factor and name."""
    found = {}
    for term in result.encoding.formula.random:
        plans = [
            design_plan(one.terms, intercept=one.intercept, encoding=result.encoding)
            for one in term.single_terms()
        ]
        beside = tuple(
            (label, column.parts)
            for plan in plans
            for label, column in zip(plan.term_labels, plan.columns, strict=True)
        )
        for plan in plans:
            for label, column in zip(plan.term_labels, plan.columns, strict=True):
                if column.parts:
                    one = RandomColumn(column.parts, label, term.group, beside)
                    found[term.group_label, column.name] = one
    return found


def fixed_column(result: RegressionResult, random: RandomColumn) -> int | None:
    """The coefficient that is the average of a random slope; None where there is none.

    x, center(x) and, between the groups g, within(x, g) have the same slope. Without a main effect
    it is the coefficient of the cell of first levels.
    """
    wanted = {_bare(v, random.group): level for v, level in random.parts}
    columns = [
        {_bare(v, random.group): level for v, level in column.parts}
        for column in result.plan.columns
    ]
    exact = [j for j, parts in enumerate(columns) if parts == wanted]
    cells = [
        j
        for j, parts in enumerate(columns)
        if wanted.items() < parts.items()
        and all(level == 0 for v, level in parts.items() if v not in wanted)
    ]
    found = exact or cells
    if len(found) != 1:
        return None
    label = result.plan.term_labels[found[0]]
    coded_alike = all(
        random.has_reference(v) == has_reference(v, label, result)
        for v, level in random.parts
        if level >= 0
    )
    return found[0] if coded_alike else None


def _bare(variable: Expression, group: tuple[str, ...]) -> Expression:
    """The variable that has the same slope between these groups."""
    if isinstance(variable, Call) and (
        variable.function == "center"
        or (variable.function == "within" and columns_of([variable.arguments[1]]) == group)
    ):
        return _bare(variable.arguments[0], group)
    return variable


def _share_columns(
    a: Sequence[tuple[Expression, int]], b: Sequence[tuple[Expression, int]]
) -> bool:
    """Whether the columns of a are all among those of b, whatever part within or between."""
    mine, others = ({name for v, _ in parts for name in _measured(v)} for parts in (a, b))
    return mine <= others


def _measured(variable: Expression) -> tuple[str, ...]:
    """Columns of a variable, without the groups of within() and between()."""
    if isinstance(variable, Call) and variable.function in {"within", "between"}:
        return columns_of([variable.arguments[0]])
    return columns_of([variable])


def _without(result: RegressionResult, words: Words) -> str:
    counts = group_counts(result)
    if counts:
        names = joined([f"{n} of {words.label(group)}" for group, n in counts.items()])
        return (
            f"The intervals allow for groups ({names}); how much groups differ is not described "
            "by this model."
        )
    return (
        f"All {words.unit} are taken as independent. If several come from one school, the "
        "intervals are too narrow."
    )
