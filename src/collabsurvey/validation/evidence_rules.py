"""The bars of a verdict, each written into the record that was judged by it.

Bars are defaults of practice and no laws of nature. Reliability by use: Nunnally & Bernstein
(1994, Psychometric Theory, 3rd ed., ch. 7). Fit: Hu & Bentler (1999,
doi:10.1080/10705519909540118), which are guides for maximum likelihood with loadings near .70.
Retest: Terwee et al. (2007, doi:10.1016/j.jclinepi.2006.03.012). Content validity: Polit, Beck &
Owen (2007, doi:10.1002/nur.20199).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

import numpy as np

from collabsurvey.instruments.evidence import CONTENT_BARS, MIN_RETEST, MIN_RETEST_VALUE
from collabsurvey.numerics.itemstats import (
    BY_CHANCE,
    LEAST_TO_CONTRADICT,
    negative_beyond_chance,
)

Verdict = Literal["supports", "mixed", "against"]
VERDICTS: tuple[Verdict, ...] = ("against", "mixed", "supports")

RESEARCH, GROUPS, PERSONS = 0.70, 0.80, 0.90  # least reliability, by what a score is used for
USES = (
    (r"individual|person", PERSONS, "for single persons"),
    (r"feedback|group|school|team", GROUPS, "for feedback to groups"),
    (r"research", RESEARCH, "for research"),
)
LEAST_FACTORED = 200  # respondents of a factor analysis
LEAST_LOADING = 0.30  # below, an item shares less than a tenth of its variance with the factor
LEAST_ITEM_REST = 0.30
MOST_MISSING = 0.15  # share of people without an answer to an item
GOOD = {"cfi": 0.95, "rmsea": 0.06, "srmr": 0.08}
ACCEPTABLE = {"cfi": 0.90, "rmsea": 0.08, "srmr": 0.08}
WEEKS = (2.0, 4.0)  # between the two occasions of a retest


@dataclass(frozen=True)
class Judgement:
    """A verdict, and the rule it follows from."""

    verdict: Verdict
    rule: str


def lowest(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the least favourable of several verdicts."""
    return min(verdicts, key=VERDICTS.index, default="supports")


def reliability_bar(use: str) -> tuple[float, str]:
    """Least reliability for a use, and what use that is; the strictest that its words name."""
    words = use.casefold()
    for pattern, bar, what in USES:
        if re.search(pattern, words):
            return bar, what
    return PERSONS, "for a use without a bar of its own, as for single persons"


def judge_reliability(value: float, high: float, use: str) -> Judgement:
    """Estimate at the bar of its use supports; against is what no use would do with.

    A record against a score holds for all its uses, so that missing a high bar is mixed.
    """
    bar, what = reliability_bar(use)
    rule = (
        f"supports from {bar:.2f} ({what}), against where the whole interval is below "
        f"{RESEARCH:.2f}, mixed between and without an interval"
    )
    if not isfinite(high):
        return Judgement("mixed", rule)
    return Judgement(_three(value >= bar, high >= RESEARCH), rule)


def judge_retest(value: float, high: float, n: int, weeks: float) -> Judgement:
    """ICC(2,1) of .70 from 50 people, 2 to 4 weeks apart."""
    first, last = WEEKS
    rule = (
        f"supports from {MIN_RETEST_VALUE:.2f} with {MIN_RETEST} people or more, {first:g} to "
        f"{last:g} weeks apart, mixed where only the interval reaches it, or with fewer people or "
        "another time between"
    )
    found = _three(value >= MIN_RETEST_VALUE, isfinite(high) and high >= MIN_RETEST_VALUE)
    if n < MIN_RETEST or not first <= weeks <= last:
        found = lowest([found, "mixed"])
    return Judgement(found, rule)


def judge_items(
    item_rest: Sequence[float], why_not: str = "", n: Sequence[float] | None = None
) -> Judgement:
    """Every item goes with the others; a negative one contradicts the key.

    `why_not` says why items need not go together, where they need not; `n` has the people
    behind each correlation, of whom a few make a negative one by chance.
    """
    if why_not:
        return Judgement("mixed", f"mixed, because {why_not}")
    rule = (
        f"supports where every item-rest correlation is {LEAST_ITEM_REST:.2f} or more, against "
        "where one is negative"
    )
    bad = min(item_rest) < 0
    if n is not None:
        rule += f" beyond chance (one-sided p below {BY_CHANCE:.2f}, {LEAST_TO_CONTRADICT} people)"
        bad = bool(negative_beyond_chance(np.array(item_rest), np.array(n)).any())
    return Judgement(_three(min(item_rest) >= LEAST_ITEM_REST, not bad), rule)


def judge_missing(shares: Sequence[float]) -> Judgement:
    """Share of unanswered items says little by itself, so that it is mixed at best."""
    count = sum(share > MOST_MISSING for share in shares)
    above = "no item is" if not count else f"{count} of {len(shares)} items are"
    rule = (
        f"mixed at best, because an answer does not show how the question was understood; {above} "
        f"above {MOST_MISSING:.0%} missing"
    )
    return Judgement("mixed", rule)


def judge_explored(
    own: Sequence[bool], n: int, *, sound: bool, testable: bool, enough_factors: bool = True
) -> Judgement:
    """Items of a scale that load on a factor of their own, one entry an item.

    Few people, an unsound solution or fewer factors than scales show neither that a scale has
    a factor of its own nor that it has none.
    """
    rule = (
        f"supports where every item loads {LEAST_LOADING:.2f} or more, in the direction of its "
        "key, on one factor that is the scale's own, from "
        f"{LEAST_FACTORED} people or more and a sound solution; against where most items do not; "
        "mixed with fewer people, an unsound solution or fewer factors than scales"
    )
    if n < LEAST_FACTORED or not (sound and testable and enough_factors):
        return Judgement("mixed", rule)
    return Judgement(_three(all(own), 2 * sum(own) >= len(own)), rule)


def judge_number(suggested: Sequence[int], wanted: int) -> Judgement:
    """Whether the number of factors is the number of scales."""
    rule = "supports where most methods say one factor for each scale, mixed where methods tie"
    return Judgement(_three(tuple(suggested) == (wanted,), wanted in suggested), rule)


def judge_confirmed(
    cfi: float,
    rmsea: float,
    srmr: float,
    loadings: Sequence[float],
    n: int,
    *,
    df: float,
    sound: bool,
) -> Judgement:
    """Fit by the usual guides, loadings of the items, and a model that could have failed."""
    good, fair = GOOD, ACCEPTABLE
    rule = (
        f"supports with CFI {good['cfi']:.2f}, RMSEA {good['rmsea']:.2f}, "
        f"SRMR {good['srmr']:.2f} or better, loadings of {LEAST_LOADING:.2f} "
        "or more in the direction of the key, "
        f"{LEAST_FACTORED} people or more, a sound solution and at least one degree of freedom; "
        f"against where two of CFI {fair['cfi']:.2f}, RMSEA {fair['rmsea']:.2f} and SRMR "
        f"{fair['srmr']:.2f} are missed"
    )
    if not df > 0:
        return Judgement("mixed", f"{rule}. Without degrees of freedom any answers would fit")

    def met(bars: dict[str, float]) -> list[bool]:  # a missing index is not met
        return [cfi >= bars["cfi"], rmsea <= bars["rmsea"], srmr <= bars["srmr"]]

    found = _three(all(met(good)), sum(met(fair)) >= 2)
    if n < LEAST_FACTORED or not sound or min(loadings) < LEAST_LOADING:
        found = lowest([found, "mixed"])
    return Judgement(found, rule)


def judge_invariance(highest: str | None, *, rough: bool, partial: bool) -> Judgement:
    """Whether means may be compared between the groups."""
    rule = (
        "supports where intercepts are equal (latent means may be compared), mixed where only "
        "weaker levels hold, some parameters were left free or the ladder is rough, against where "
        "not even the pattern holds"
    )
    comparable = highest in ("scalar", "strict", "intercepts", "residuals", "means")
    found = _three(comparable, highest is not None)
    if rough or partial:
        found = lowest([found, "mixed"])
    return Judgement(found, rule)


def judge_content(i_cvi: Sequence[float], s_cvi: float, n_raters: int, fewest: int) -> Judgement:
    """Indices of every item and of the scale, from enough raters."""
    item, scale = CONTENT_BARS["i_cvi"], CONTENT_BARS["s_cvi"]
    rule = (
        f"supports with I-CVI of every item from {item:.2f}, S-CVI/Ave from {scale:.2f} and "
        f"{fewest} raters or more, mixed where one of them is missed, against where neither "
        "index is met"
    )
    met = (round(min(i_cvi), 2) >= item, s_cvi >= scale)
    found = _three(all(met), any(met))
    if n_raters < fewest:
        found = lowest([found, "mixed"])
    return Judgement(found, rule)


def _three(supports: bool, mixed: bool) -> Verdict:
    if supports:
        return "supports"
    return "mixed" if mixed else "against"
