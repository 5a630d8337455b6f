"""Whether models may be compared by the difference of their chi-squares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from collabsurvey.dimensionality.sem.difference import SAME, not_reproduced
from collabsurvey.dimensionality.sem_result import SemResult
from collabsurvey.errors import DataError, OptionError, listed


def model_names(results: Sequence[SemResult], names: Sequence[str] | None) -> list[str]:
    """Names as given, else the models' own, else numbers."""
    if names is None:
        own = [one.name for one in results]
        distinct = len(set(own)) == len(own)
        return own if distinct else [f"model {i + 1}" for i in range(len(own))]
    called = [names] if isinstance(names, str) else [str(name) for name in names]
    if len(called) != len(results) or len(set(called)) != len(called):
        raise OptionError("names", names, allowed=(f"{len(results)} different names",))
    return called


def require_same(results: Sequence[SemResult], names: Sequence[str]) -> None:
    """Refuse models whose chi-squares are not of the same data."""
    first = results[0]
    for other, name in zip(results[1:], names[1:], strict=True):
        if fault := next(_differences(first, other), ""):
            raise DataError(
                f"{names[0]} and {name} {fault}, so that their chi-squares cannot be compared."
            )
    if failed := [name for one, name in zip(results, names, strict=True) if not one.converged]:
        raise DataError(f"{listed(failed)} did not converge, so that nothing can be compared.")


def _differences(a: SemResult, b: SemResult) -> Iterator[str]:
    """In what two models differ that must be the same."""
    one, other = a.prepared, b.prepared
    if a.estimator != b.estimator:
        yield f"have different estimators ({a.estimator} and {b.estimator})"
    if odd := set(one.answers.names) ^ set(other.answers.names):
        yield (
            f"have different observed variables (only one has {listed(sorted(odd))}; to leave a "
            "variable unrelated, keep it in the text as in 'x ~~ x')"
        )
    for option in ("missing", "likelihood"):
        if getattr(one.options, option) != getattr(other.options, option):
            yield f"were fitted with a different {option}="
    if one.material.information != other.material.information:
        yield "were fitted with a different information="
    if set(one.categories) != set(other.categories):
        yield "have different ordered items"
    if one.answers.labels != other.answers.labels or one.two_level != other.two_level:
        yield "have different groups or levels"
    if {block.means for block in a.model.blocks} != {block.means for block in b.model.blocks}:
        yield "have means in one only (fit both with meanstructure=True)"
    if not _same_rows(a, b):
        yield "are of different rows, weights or clusters"


def _same_rows(a: SemResult, b: SemResult) -> bool:
    one, other = a.prepared.answers, b.prepared.answers
    if one.x.shape != other.x.shape or not np.array_equal(one.groups, other.groups):
        return False
    for first, second in ((one.weights, other.weights), (one.clusters, other.clusters)):
        if (first is None) != (second is None):
            return False
        if first is not None and second is not None and not np.array_equal(first, second):
            return False
    return all(
        np.array_equal(one.x[:, i], other.x[:, other.names.index(name)], equal_nan=True)
        for i, name in enumerate(one.names)
    )


def require_nested(ordered: Sequence[SemResult], names: Sequence[str]) -> None:
    """Each model must restrict the one before."""
    for (free, a), (restricted, b) in pairwise(zip(ordered, names, strict=True)):
        if free.analysis.df == restricted.analysis.df:
            raise DataError(
                f"{a} and {b} have the same {free.analysis.df} degrees of freedom: neither "
                "restricts the other, so there is nothing to test. Compare their AIC or BIC."
            )
        missed = not_reproduced(restricted.analysis, free.analysis)
        if missed is not None and missed > SAME:
            raise DataError(
                f"{b} is not nested in {a}: {a} cannot reproduce what {b} implies (it misses it "
                f"by a chi-square of {missed:.3g}), so that the difference of their chi-squares "
                "follows no chi-square. Compare their AIC or BIC."
            )
