"""What each kind of result says about a score, in the words that the status gates look for.

A gate knows a record by its statistic and method: "alpha", "omega", "item statistics",
"missingness", "EFA", "CFA", "retest", "I-CVI", "S-CVI". None of these words stands in a record of
another kind. Factor analyses and ladders are read in `evidence_structure`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite, nan
from typing import Any

import numpy as np

from collabsurvey.dimensionality.efa_result import EfaResult
from collabsurvey.dimensionality.retention_result import RetentionResult
from collabsurvey.dimensionality.sem_result import SemResult
from collabsurvey.errors import DataError, OptionError
from collabsurvey.instruments.evidence import MIN_RATERS
from collabsurvey.instruments.scales import not_reflective
from collabsurvey.invariance.ladder_result import LadderResult
from collabsurvey.reliability.alpha import AlphaResult
from collabsurvey.reliability.item_analysis import ItemAnalysisResult
from collabsurvey.reliability.omega_result import OmegaResult
from collabsurvey.reliability.overview import ReliabilityOverview
from collabsurvey.reliability.retest_result import RetestResult
from collabsurvey.validation import evidence_rules as rules
from collabsurvey.validation.content_validity_result import ContentValidityResult
from collabsurvey.validation.evidence_inputs import (
    Asked,
    Counted,
    Finding,
    counted,
    judged_scales,
    not_these,
    rows_of,
    scale_of,
    size_of,
)
from collabsurvey.validation.evidence_structure import (
    read_cfa,
    read_efa,
    read_ladder,
    read_retention,
)


def read(result: object, asked: Asked) -> list[Finding]:
    """Findings of one result, by its kind."""
    for kind, reader in READERS.items():
        if isinstance(result, kind):
            return reader(result, asked)
    known = sorted(kind.__name__ for kind in READERS)
    raise OptionError("result", type(result).__name__, allowed=known)


def read_alpha(result: AlphaResult, asked: Asked) -> list[Finding]:
    """Alpha with its interval."""
    size = size_of(asked, result.items, result.missing, result.n_respondents)
    how = f"alpha, {rows_of(result.missing)}, {_interval(result.conf_level, result.ci_method)}"
    return [_coefficient(result, asked, "alpha", how, size)]


def read_omega(result: OmegaResult, asked: Asked) -> list[Finding]:
    """The omega asked for, with its interval, under its own name."""
    size = size_of(asked, result.items, result.missing, result.n_respondents)
    how = (
        f"{result.coefficient} by {result.estimator}, {rows_of(result.missing)}, "
        f"{_interval(result.conf_level, result.ci_method)}"
    )
    return [_coefficient(result, asked, result.coefficient, how, size)]


def read_overview(result: ReliabilityOverview, asked: Asked) -> list[Finding]:
    """Alpha of every scale that has one; the omegas of an overview have no interval."""
    if result.by is not None:
        raise DataError(
            f"This overview is of parts (by {result.by!r}). Run it without by=: a claim is about "
            "one population, and each part would be a claim of its own."
        )
    found = [one for each in result.results for one in read_alpha(each, asked)]
    if not found:
        raise DataError("This overview has no scale with a coefficient, so there is no evidence.")
    return found


def read_items(result: ItemAnalysisResult, asked: Asked) -> list[Finding]:
    """Item statistics, and missingness."""
    frame = result.items_frame
    items, n_used = tuple(frame["item"]), frame["n"].tolist()
    scale = scale_of(asked, items)
    complete = result.missing == "listwise"
    size = counted(asked.answers(), items, complete=complete)
    if complete and (size.n_rows,) != tuple(set(n_used)):
        raise DataError(not_these(n_used[0], size.n_rows))
    if max(n_used) > size.n_rows:
        raise DataError(not_these(max(n_used), size.n_rows))
    rest, missing = frame["item_rest"].tolist(), frame["missing"].tolist()
    weakest, most = int(np.argmin(rest)), int(np.argmax(missing))
    reason = not_reflective(asked.instrument, scale.items)
    asked_all = counted(asked.answers(), items, complete=False)
    return [
        Finding(
            score=scale.id,
            source_type="internal_structure",
            statistic="item statistics (lowest item-rest correlation)",
            value=rest[weakest],
            ci=None,
            n=size.n_people,
            n_groups=size.n_groups,
            method=f"{len(items)} items, {rows_of(result.missing)}; lowest in {items[weakest]}",
            judged=rules.judge_items(rest, reason, n_used),
        ),
        Finding(
            score=scale.id,
            source_type="response_process",
            statistic="missingness (largest share of an item)",
            value=missing[most],
            ci=None,
            n=asked_all.n_people,
            n_groups=asked_all.n_groups,
            method=f"share of rows without an answer, whatever the reason; most in {items[most]}",
            judged=rules.judge_missing(missing),
        ),
    ]


def read_retest(result: RetestResult, asked: Asked) -> list[Finding]:
    """ICC(2,1) of the people who answered twice."""
    weeks = asked.weeks
    if weeks is None:
        raise OptionError("weeks_apart", None, allowed=("weeks between the two occasions",))
    scale = scale_of(asked, tuple(result.items["item"]))
    once = result.n + result.n_only_first + result.n_unscored
    if once > asked.answers().n_rows:
        raise DataError(not_these(once, asked.answers().n_rows))
    # Pairs of scores may be a person's answers about several partners.
    n = min(result.n, counted(asked.answers(), scale.items, complete=False).n_people)
    return [
        Finding(
            score=scale.id,
            source_type="reliability",
            statistic="test-retest ICC(2,1)",
            value=result.estimate,
            ci=_limits(result.ci_low, result.ci_high),
            n=n,
            n_groups=result.n_clusters,
            method=(
                f"{result.n} pairs of scores, {weeks:g} weeks apart; "
                f"{result.conf_level:.0%} interval; standard error of measurement "
                f"{result.sem:.2f}, smallest detectable change {result.sdc:.2f}"
            ),
            judged=rules.judge_retest(result.estimate, result.ci_high, n, weeks),
        )
    ]


def read_content(result: ContentValidityResult, asked: Asked) -> list[Finding]:
    """Content validity indices of each scale whose items were all rated; n is the fewest raters."""
    place = {item: j for j, item in enumerate(result.items)}
    table = {str(row["scale"]): row for row in result.scales().to_dict("records")}
    found = []
    for scale in judged_scales(asked, result.items):
        at = [place[item] for item in scale.items]
        of_items = result.i_cvi[at]
        low = at[int(np.argmin(of_items))]
        n = int(result.relevance.n[at].min())
        s_cvi = float(of_items.mean())
        limits = table.get(scale.id, {"ci_low": nan, "ci_high": nan})
        judged = rules.judge_content(of_items.tolist(), s_cvi, n, MIN_RATERS)
        counting = " or ".join(map(str, result.relevant))
        how = (
            f"{len(at)} items, {n} raters or more each, ratings of {counting} count; lowest in "
            f"{result.items[low]}, modified kappa {result.modified_kappa[low]:.2f}"
        )
        of_item = _limits(float(result.relevance.ci_low[low]), float(result.relevance.ci_high[low]))
        of_scale = _limits(float(limits["ci_low"]), float(limits["ci_high"]))
        # Lynn (1986) prints 7 of 9 as .78, and means that it reaches the bar.
        smallest = round(float(of_items.min()), 2)
        found += [
            Finding(scale.id, "content", name, value, ci, n, None, how, judged)
            for name, value, ci in (
                ("I-CVI (lowest)", smallest, of_item),
                ("S-CVI/Ave", s_cvi, of_scale),
            )
        ]
    return found


READERS: Mapping[type, Callable[[Any, Asked], list[Finding]]] = {
    AlphaResult: read_alpha,
    OmegaResult: read_omega,
    ReliabilityOverview: read_overview,
    ItemAnalysisResult: read_items,
    RetestResult: read_retest,
    EfaResult: read_efa,
    RetentionResult: read_retention,
    SemResult: read_cfa,
    LadderResult: read_ladder,
    ContentValidityResult: read_content,
}


def _coefficient(
    result: AlphaResult | OmegaResult, asked: Asked, name: str, how: str, size: Counted
) -> Finding:
    scale = scale_of(asked, result.items)
    if reason := not_reflective(asked.instrument, scale.items):
        raise DataError(f"{name} is no evidence for {scale.id!r}: {reason}.")
    return Finding(
        score=scale.id,
        source_type="reliability",
        statistic=name,
        value=result.estimate,
        ci=_limits(result.ci_low, result.ci_high),
        n=size.n_people,
        n_groups=size.n_groups,
        method=how,
        judged=rules.judge_reliability(result.estimate, result.ci_high, asked.use),
    )


def _limits(low: float, high: float) -> tuple[float, float] | None:
    return (low, high) if isfinite(low) and isfinite(high) else None


def _interval(level: float, method: str) -> str:
    return "no interval" if method == "none" else f"{level:.0%} interval ({method})"
