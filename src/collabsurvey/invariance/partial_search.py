"""The search itself: which equality is released next, and when it ends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import isnan, nan

from collabsurvey.dimensionality.sem.difference import step_test
from collabsurvey.dimensionality.sem.estimators import RECIPES
from collabsurvey.dimensionality.sem.fitted import Analysis
from collabsurvey.invariance.levels import Level
from collabsurvey.invariance.measured import FEWEST, Measured
from collabsurvey.invariance.partial_result import Correction, Rule, Step, Tried
from collabsurvey.invariance.releases import (
    Candidate,
    ReleaseTest,
    adjusted,
    candidates,
    held,
    score_tests,
    wald_test,
)
from collabsurvey.invariance.whose_rows import cluster_notes


@dataclass(eq=False)
class Search:
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
        gone = {kind: items_of(self.released, kinds, kind) for kind in ("loadings", "thresholds")}
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


def items_of(names: Iterable[str], kinds: dict[str, str], kind: str) -> set[str]:
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


def search_notes(search: Search, levels: Sequence[Level]) -> tuple[str, ...]:
    """Say by which rule it was searched, how each level ended, and what to be wary of."""
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
    return (*notes, *cluster_notes(prepared), *prepared.notes)


def _share(search: Search) -> float:
    kinds = search.measured.kinds()
    gone = set().union(
        *(items_of(search.released, kinds, kind) for kind in ("loadings", "thresholds"))
    )
    gone |= {name.removesuffix("~1") for name in search.released if kinds[name] == "intercepts"}
    items = {item for own in search.measured.factors.values() for item in own}
    return len(gone) / len(items)
