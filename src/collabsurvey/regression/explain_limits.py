"""What a fitted model does not say: in plain words, and only what applies to it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from collabsurvey.regression.explain_groups import group_counts
from collabsurvey.regression.expressions import Call
from collabsurvey.regression.few_clusters import FEW_CLUSTERS, FEW_DF
from collabsurvey.regression.generalized_result import MixedGeneralizedResult
from collabsurvey.regression.mixed_ordinal_result import MixedOrdinalResult
from collabsurvey.regression.ordinal_result import CumulativeResult
from collabsurvey.regression.reading import Words, joined
from collabsurvey.regression.results import RegressionResult

MOST_NAMED = 6


def limits(
    result: RegressionResult,
    words: Words,
    *,
    design: str,
    chance: frozenset[str],
    open_terms: Sequence[str],
) -> tuple[str, ...]:
    """Sentences on causes, open directions, levels, few groups, rows left out, failures."""
    said = [_about_design(design, chance, words)] if result.encoding.formula.terms else []
    if open_terms:
        named = joined([f"“{term}”" for term in open_terms[:MOST_NAMED]])
        more = len(open_terms) - MOST_NAMED
        named += f" and {more} more" if more > 0 else ""
        said.append(
            f"For {named} the data do not tell the direction. That is no evidence that there is no "
            "difference: the interval says how large it may be."
        )
    said += _about_levels(result, words)
    said += _about_groups(result, words)
    n_dropped = result.fit.get("n_dropped") or 0
    if n_dropped:
        said.append(
            f"{n_dropped} {words.unit} with a missing value were left out; if they differ from the "
            "others, these figures may not hold for them."
        )
    if not result.fit.get("converged", True):
        said.append("The model did not converge: none of these figures can be relied on.")
    return tuple(said)


def _about_design(design: str, chance: frozenset[str], words: Words) -> str:
    if chance:
        names = joined([words.label(name) for name in sorted(chance)])
        return (
            f"Only {names} was assigned by chance: of it alone the figures say what it did. The "
            "other differences merely go together."
        )
    if design == "quasi-experimental":
        return (
            f"Chance did not assign anything here: {words.unit} that differ in one thing may "
            "differ in others that the model leaves out, so no figure shows a cause."
        )
    return (
        f"These are differences that go together: {words.unit} that differ in one thing may differ "
        "in others that the model leaves out, so no figure says what would happen if something "
        "were altered."
    )


def _about_levels(result: RegressionResult, words: Words) -> list[str]:
    said = []
    calls = {v.function for column in result.plan.columns for v, _ in column.parts
             if isinstance(v, Call)}  # fmt: skip
    if "between" in calls:
        said.append(
            f"A comparison of groups by their means says nothing of single {words.unit}, and the "
            "other way round."
        )
    if isinstance(result, MixedGeneralizedResult | MixedOrdinalResult):
        group = words.label(result.group)
        said.append(
            f"Figures are for {words.unit} of one {group}, or of groups that are alike; shares in "
            f"the whole population differ less, the more so the more groups of {group} differ."
        )
    if isinstance(result, CumulativeResult):
        said.append(
            "One figure stands for the step at every category; `.proportional_odds()` tests "
            "whether that is so."
        )
    return said


def _about_groups(result: RegressionResult, words: Words) -> list[str]:
    said = []
    for name, n in group_counts(result).items():
        if n < FEW_CLUSTERS:
            what = f"how much groups of {words.label(name)} differ is only roughly known"
            if result.variance_components is None:
                what = "the intervals are rough"
            said.append(f"With {n} groups of {words.label(name)} {what}.")
    low = [t for t, df in zip(result.terms, result.df, strict=True) if df < FEW_DF]
    if low:
        said.append(
            f"The intervals of {joined(low)} rest on so few groups (fewer than {FEW_DF} degrees "
            "of freedom) that they are rough."
        )
    if result.fit.get("singular") or getattr(result, "singular", False):
        said.append(
            "A spread between groups was estimated at zero, or a correlation at ±1; errors of such "
            "a fit are rough."
        )
    if not np.isfinite(result.std_errors).all():
        said.append("Some standard errors could not be worked out.")
    return said
