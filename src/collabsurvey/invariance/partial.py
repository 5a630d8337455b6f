"""Partial invariance: find the few items that work differently, with a stated rule and a trace.

Sources: Byrne, Shavelson & Muthén (1989) doi:10.1037/0033-2909.105.3.456 for partial invariance;
Yoon & Millsap (2007) doi:10.1080/10705510701301677 and Jung & Yoon (2016)
doi:10.1080/10705511.2015.1138092 for the search.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import isnan, nan
from numbers import Real
from typing import Any, get_args

from collabsurvey.dimensionality.options import check_flag, check_whole
from collabsurvey.dimensionality.sem.answers import Missing
from collabsurvey.dimensionality.sem.estimators import RECIPES, Estimator
from collabsurvey.dimensionality.sem.fitted import Analysis
from collabsurvey.dimensionality.sem.prepare import Ordered
from collabsurvey.errors import NotSupportedError, OptionError, check_level
from collabsurvey.instruments.model import Instrument
from collabsurvey.invariance.difference import step_test
from collabsurvey.invariance.levels import Level
from collabsurvey.invariance.measured import FEWEST, Measured, measured
from collabsurvey.invariance.partial_result import (
    Correction,
    PartialResult,
    Rule,
    Step,
    Tried,
    partial_result,
)
from collabsurvey.invariance.releases import (
    Candidate,
    ReleaseTest,
    adjusted,
    candidates,
    held,
    score_tests,
    wald_test,
)

METHOD = "The search for partial invariance"
ALIAS = {"metric": "loadings", "scalar": "intercepts", "strict": "residuals"}


def partial(
    data: Any,
    model: str | Instrument,
    by: str,
    *,
    level: str = "scalar",
    estimator: Estimator = "ML",
    ordered: Ordered = (),
    missing: Missing = "listwise",
    cluster: str | None = None,
    alpha: float = 0.05,
    correction: Correction = "holm",
    rule: Rule = "score",
    most: int | None = None,
    whole_item: bool = True,
    conf_level: float = 0.95,
) -> PartialResult:
    """Search for the parameters that differ between groups, one at a time.

    Every level up to `level` is searched in turn. At each step the equality with the largest test
    is released in all groups, until the level is no longer worse than the one before, no test is
    significant, or too few items would be left.

    Parameters
    ----------
    data : Responses or any frame
        Answers as they were given. The weight role is applied (ML then becomes MLR).
    model : str or Instrument
        A measurement model in lavaan's language, or an instrument, each of whose scales becomes
        a factor.
    by : str
        Column or role of the groups.
    level : str
        "metric" (loadings), "scalar" (and intercepts) or "strict" (and residual variances); for
        ordered items "thresholds", "loadings", "intercepts" or "residuals" after Wu & Estabrook
        (2016), where "scalar" means "intercepts". The default is what a comparison of means needs.
    estimator, ordered, missing, cluster
        As in `cfa`.
    alpha : float
        Level of every test: of the candidates, and of the difference from the level before.
    correction : "holm", "bonferroni" or "none"
        For the number of candidates of a step. Only the largest is ever released, for which Holm
        and Bonferroni are the same; without a correction, searches release items that do not
        differ (Yoon & Millsap, 2007).
    rule : "score", "wald" or "difference"
        "score": the Lagrange multiplier test, from one fit a step; uncorrected for robust
        estimators (as in lavaan). "wald" fits the model with each candidate released and tests
        the equality of its values with the errors of the estimator. "difference" compares the
        chi-squares of these models, corrected as the estimator asks for. The last two cost a fit
        for each candidate; take one of them with MLR or WLSMV where answers are far from normal.
    most : int, optional
        Most releases in all; None for as many as leave two items that are the same.
    whole_item : bool
        Release the intercept of an item with its loading (and all after its thresholds): with
        different slopes an intercept is the item's mean where the factor happens to be zero
        (Byrne et al., 1989). Thresholds are always followed by the rest of the item.
    conf_level : float
        Of the intervals of the final model.

    Returns
    -------
    PartialResult

    Raises
    ------
    OptionError
        A level, rule or number that is not possible.
    NotEnoughItemsError
        A factor with a single item.
    DataError, NotEnoughDataError
        `by` has one value; a group is too small; a model did not converge.
    NotSupportedError
        Two levels, second-order factors, Wald tests of thresholds.

    Notes
    -----
    Each factor keeps at least two items of which nothing is released: with one, its unit and
    origin would rest on a single item whose equality cannot be checked (Byrne et al., 1989). The
    unit is the factor's standard deviation in the first group, so that no marker item is assumed
    to be the same. A search capitalises on chance: with a third or more of the items different
    it often releases the wrong ones (Yoon & Millsap, 2007; Jung & Yoon, 2016). Repeat it in new
    data or explain it by the wording.
    """
    _check(alpha, correction, rule, most)
    check_level(conf_level)
    check_flag("whole_item", whole_item)
    found = measured(
        data,
        model,
        by,
        estimator=estimator,
        missing=missing,
        ordered=ordered,
        cluster=cluster,
        method=METHOD,
    )
    levels = _levels(found, level)
    if rule == "wald" and any("thresholds" in one.equal for one in levels):
        raise NotSupportedError(
            "A Wald test of thresholds, whose values depend on the scale of each group's answers,",
            instead="Use rule='score' or rule='difference'.",
        )
    search = _Search(found, float(alpha), correction, rule, most, whole_item)
    search.run(levels)
    return partial_result(
        found,
        steps=search.steps,
        tried=search.tried,
        released=tuple(search.released),
        levels=levels,
        alpha=float(alpha),
        correction=correction,
        rule=rule,
        conf_level=conf_level,
        notes=_notes(search, levels),
    )


def _check(alpha: float, correction: str, rule: str, most: int | None) -> None:
    if not (isinstance(alpha, Real) and not isinstance(alpha, bool) and 0 < alpha < 1):
        raise OptionError("alpha", alpha, allowed=("a number between 0 and 1",))
    if correction not in get_args(Correction):
        raise OptionError("correction", correction, allowed=get_args(Correction))
    if rule not in get_args(Rule):
        raise OptionError("rule", rule, allowed=get_args(Rule))
    if most is not None:
        check_whole("most", most, least=1, also=("None",))


def _levels(found: Measured, level: str) -> tuple[Level, ...]:
    """Levels from the configural one to the one that is asked for."""
    names = [one.name for one in found.levels]
    wanted = ALIAS.get(level, level) if found.ordinal else level
    if wanted not in names[1:]:
        raise OptionError("level", level, allowed=names[1:])
    return found.levels[: names.index(wanted) + 1]


@dataclass(eq=False)
class _Search:
    """The state of a search: what is released so far, and how it came to that."""

    measured: Measured
    alpha: float
    correction: Correction
    rule: Rule
    most: int | None
    whole_item: bool
    released: dict[str, None] = field(default_factory=dict)
    n_releases: int = 0
    steps: list[Step] = field(default_factory=list)
    tried: list[Tried] = field(default_factory=list)
    ends: list[tuple[Level, str]] = field(default_factory=list)

    def run(self, levels: Sequence[Level]) -> None:
        """Search every level after the first, each from what the one before released."""
        before = self.measured.fit(levels[0], ())
        self.steps.append(Step(levels[0].name, 0, (), before, None))
        for place, level in enumerate(levels[1:], start=1):
            follow = self._following(level, levels[place - 1])
            self.released.update(dict.fromkeys(follow))
            before = self._level(level, before, follow)

    def _level(self, level: Level, before: Analysis, follow: tuple[str, ...]) -> Analysis:
        """Release what differs at one level; return its final model."""
        now = self.measured.fit(level, self.released)
        self.steps.append(Step(level.name, 0, follow, now, step_test(now, before)))
        step = 0
        while True:
            test = self.steps[-1].test
            if test is not None and (test.equivalent or test.df <= 0):
                self._end(level, "restricts nothing")
                return now
            if test is not None and test.p_value >= self.alpha:
                self._end(level, "no longer worse" if step else "not worse")
                return now
            tests = self._tests(level, now)
            step += 1
            chosen = self._decide(level, step, tests)
            if chosen is None:
                return now
            self.released.update(dict.fromkeys(chosen.names))
            self.n_releases += 1
            now = self.measured.fit(level, self.released)
            self.steps.append(Step(level.name, step, chosen.names, now, step_test(now, before)))

    def _tests(self, level: Level, now: Analysis) -> list[ReleaseTest]:
        """Test every candidate by the rule."""
        chosen = candidates(self.measured, level, self.released)
        if self.rule == "score":
            return score_tests(now, chosen)
        out = []
        for one in chosen:
            free = self.measured.fit(level, {*self.released, *one.names})
            if free.df >= now.df:
                out.append(ReleaseTest(one, nan, 0, nan, nan))
            elif self.rule == "wald":
                out.append(wald_test(free, one))
            else:
                test = step_test(now, free)
                out.append(ReleaseTest(one, test.statistic, test.df, test.p_value, nan))
        return out

    def _decide(self, level: Level, step: int, tests: Sequence[ReleaseTest]) -> Candidate | None:
        """Take the significant candidate with the smallest p that may be released."""
        p = adjusted(tests, self.correction)
        # By p, then by statistic: p-values may all be 0 to machine precision.
        order = sorted(
            (i for i, one in enumerate(tests) if not isnan(one.p_value)),
            key=lambda i: (p[i], tests[i].p_value, -tests[i].statistic),
        )
        full = self.most is not None and self.n_releases >= self.most
        chosen, decision = None, ["kept"] * len(tests)
        for i in order:
            if p[i] >= self.alpha:
                break
            if full:
                decision[i] = "limit"
            elif held(self.measured, level, self.released, tests[i].candidate):
                decision[i] = "held"
            elif chosen is None:
                chosen, decision[i] = tests[i].candidate, "released"
        for i, one in enumerate(tests):
            if isnan(one.p_value):
                decision[i] = "untestable"
            self.tried.append(Tried(level.name, step, one, p[i], decision[i]))
        if chosen is None:
            self._end(level, _why(decision))
        return chosen

    def _following(self, level: Level, before: Level) -> tuple[str, ...]:
        """Parameters of released items that become equal now and cannot be compared any more."""
        kinds = self.measured.kinds()
        gone = {kind: _items(self.released, kinds, kind) for kind in ("loadings", "thresholds")}
        new = set(level.equal) - set(before.equal)
        items = gone["thresholds"] | (gone["loadings"] if self.whole_item else set())
        if "residuals" in new:
            items = gone["thresholds"]
        return tuple(
            name
            for one in candidates(self.measured, level, self.released)
            if one.item in items
            for name in one.names
        )

    def _end(self, level: Level, why: str) -> None:
        self.ends.append((level, why))


def _items(names: Iterable[str], kinds: dict[str, str], kind: str) -> set[str]:
    """Items of the released parameters of one kind."""
    chosen = [name for name in names if kinds[name] == kind]
    return {name.split("=~")[-1].split("|")[0] for name in chosen}


def _why(decision: Sequence[str]) -> str:
    for one in ("limit", "held"):
        if one in decision:
            return one
    return "none significant"


ENDS = {
    "restricts nothing": "{level}: restricts nothing here and was not searched.",
    "not worse": "{level}: not significantly worse than {before}, so nothing was released.",
    "no longer worse": "{level}: with what was released, no longer worse than {before}.",
    "none significant": (
        "{level}: still worse than {before}, but no single equality is significant after "
        "correction; the misfit is spread over many small differences."
    ),
    "held": (
        "{level}: still worse than {before}, and more equalities are significant, but releasing "
        f"them would leave a factor with fewer than {FEWEST} items that are the same. Means may "
        "not be compared on this basis: look at the scale, or try alignment."
    ),
    "limit": "{level}: still worse than {before}; the search ended at most={most} releases.",
}
RULES = {
    "score": "score test",
    "wald": "Wald test in the model without the equality",
    "difference": "difference of chi-square without the equality",
}


def _notes(search: _Search, levels: Sequence[Level]) -> tuple[str, ...]:
    prepared = search.measured.prepared
    corrected = "" if search.correction == "none" else f", {search.correction.title()}-corrected"
    notes = [
        f"Rule: at each step the equality with the largest {RULES[search.rule]} is released in "
        f"all groups if p < {search.alpha:g}{corrected}; each factor keeps {FEWEST} items of which "
        "nothing is released."
    ]
    before = {one.name: levels[i - 1].name for i, one in enumerate(levels)}
    notes += [
        ENDS[why].format(level=one.name, before=before[one.name], most=search.most)
        for one, why in search.ends
    ]
    follow = [name for one in search.steps if one.step == 0 for name in one.released]
    if follow:
        notes.append(f"Released with the rest of their items: {', '.join(follow)}.")
    robust = RECIPES[prepared.options.estimator].correction != "none"
    if search.rule == "score" and robust:
        notes.append(
            f"Score tests are the ordinary ones, not corrected as {prepared.options.estimator} is; "
            "rule='difference' gives corrected ones."
        )
    share = _share(search)
    if share >= 1 / 3:
        notes.append(
            f"{share:.0%} of the items were released. With a third or more, searches often pick "
            "the wrong ones (Yoon & Millsap, 2007)."
        )
    if search.n_releases:
        notes.append(
            "A search capitalises on chance: explain what was released by the wording, or repeat "
            "it in new data."
        )
    answers = prepared.answers
    sizes = [f"{label} ({int(answers.of(g).sum())})" for g, label in enumerate(answers.labels)]
    notes.append(f"Groups: {', '.join(sizes)}; the first is the reference.")
    return (*notes, *prepared.notes)


def _share(search: _Search) -> float:
    kinds = search.measured.kinds()
    gone = set().union(
        *(_items(search.released, kinds, kind) for kind in ("loadings", "thresholds"))
    )
    gone |= {name.removesuffix("~1") for name in search.released if kinds[name] == "intercepts"}
    items = {item for own in search.measured.factors.values() for item in own}
    return len(gone) / len(items)
