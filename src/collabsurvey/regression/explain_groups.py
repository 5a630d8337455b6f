"""What was fitted, and how much groups differ beyond it, in plain words."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from collabsurvey.numerics.glm_outcome import mean_of
from collabsurvey.regression.generalized_result import GeneralizedResult
from collabsurvey.regression.reading import Words, joined, number, ratio_number
from collabsurvey.regression.results import RegressionResult
from collabsurvey.regression.scales import Scale, exp, probability_words
from collabsurvey.regression.terms import INTERCEPT, Columns
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
    if share is not None:
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
    for group, term, other, size in spreads(result):
        if other is not None:
            continue
        called = words.label(group)
        if size < NONE * float(result.fit.get("sigma") or 1.0):
            what = "" if term == INTERCEPT else f" in what goes with {term}"
            said.append(
                f"No spread between groups of {called}{what} is seen in these data (SD 0). They "
                "may differ by less than so few groups or rows can show."
            )
        elif term == INTERCEPT:
            said.append(_levels(result, columns, scale, words, called, size))
        else:
            said.append(_slopes(result, scale, term, called, size))
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
    group: str,
    sd: float,
) -> str:
    """How much groups differ in level."""
    slopes = [term for _, term, other, _ in spreads(result) if other is None and term != INTERCEPT]
    where = f" where {joined(slopes)} is 0" if slopes else ""
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
    if columns is None or not isinstance(result, GeneralizedResult):
        return f"{said}."
    eta = float(typical_case(result, columns).linear(result)[0])
    at = mean_of(result.family, eta + np.array([0.0, -wide, wide])).tolist()
    middle, low, high = (probability_words(x) if scale.kind == "odds" else number(x) for x in at)
    kind = "probability of" if scale.kind == "odds" else "expected count of"
    return (
        f"{said}. In the typical case the {kind} {scale.outcome} is {middle} in the typical group, "
        f"and between {low} and {high} in nineteen groups of twenty."
    )


def _slopes(result: RegressionResult, scale: Scale, term: str, group: str, sd: float) -> str:
    """How much what goes with a term differs between groups."""
    names = dict(zip(result.terms, result.coefficients.tolist(), strict=True))
    start = f"What goes with {term} differs between groups of {group}: SD {number(sd)}"
    if scale.kind != "difference":
        start += f" on the scale of the {scale.short_name}"
    middle = names.get(term, 0.0)
    ends = [middle - NINETEEN_IN_TWENTY * sd, middle + NINETEEN_IN_TWENTY * sd]
    if scale.is_ratio:
        low, high = (ratio_number(exp(end)) for end in ends)
        return f"{start}; in nineteen groups of twenty the {scale.ratio_name} is {low} to {high}."
    low, high = (number(end) for end in ends)
    return f"{start}; in nineteen groups of twenty it is between {low} and {high}."


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
