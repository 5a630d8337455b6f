"""Which equalities could be released, and what each would bring.

A candidate is one loading, one intercept, one residual variance or all thresholds of an item, in
all groups at once, as lavaan's `group.partial` has it: with G groups its test has G - 1 degrees of
freedom (thresholds: less where intercept and scale of the response can follow them).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from math import nan

import numpy as np

from collabsurvey.dimensionality.sem.chi_square import p_value
from collabsurvey.dimensionality.sem.compile import compile_model
from collabsurvey.dimensionality.sem.equality import name_of
from collabsurvey.dimensionality.sem.fitted import Analysis
from collabsurvey.dimensionality.sem.implied import derivatives, gradient
from collabsurvey.dimensionality.sem.model import Model, Parameter
from collabsurvey.dimensionality.sem.score_tests import all_together
from collabsurvey.dimensionality.sem.standardise import values
from collabsurvey.dimensionality.sem.start import with_covariates
from collabsurvey.dimensionality.sem.wald import wald_statistic
from collabsurvey.invariance.levels import Level, effect_of
from collabsurvey.invariance.measured import FEWEST, Measured
from collabsurvey.numerics.typing import FloatArray

ITEM_OF = {"loadings": "rhs", "intercepts": "lhs", "residuals": "lhs", "thresholds": "lhs"}


@dataclass(frozen=True)
class Candidate:
    """Parameters that are released together."""

    names: tuple[str, ...]  # as lavaan writes them for the first group
    item: str
    factors: tuple[str, ...]  # whose unit or origin it helps to set
    kind: str  # loadings, intercepts, residuals or thresholds

    @property
    def label(self) -> str:
        """How it is shown."""
        return self.names[0] if len(self.names) == 1 else f"{self.item}|thresholds"


@dataclass(frozen=True)
class ReleaseTest:
    """What releasing one candidate brings."""

    candidate: Candidate
    statistic: float  # chi-square; NaN where nothing would be tested
    df: int
    p_value: float
    change: float  # largest difference from the first group that it would show, or shows


def candidates(measured: Measured, level: Level, released: Collection[str]) -> list[Candidate]:
    """What the level makes equal beyond the level before, without what is released already."""
    place = measured.levels.index(level)
    before = measured.levels[place - 1].equal if place else ()
    new = set(level.equal) - set(before)
    factors = measured.factors
    together: dict[tuple[str, ...], list[Parameter]] = {}
    for row in measured.rows:
        kind = effect_of(row, set(factors))
        if row.block > 0 or kind not in new or name_of(row.lhs, row.op, row.rhs) in released:
            continue
        if row.op in ("=~", "|") and not row.free:
            continue
        if not measured.ordinal and not row.free:
            continue
        item = row.rhs if row.op == "=~" else row.lhs
        key = (kind, item) if kind == "thresholds" else (kind, item, row.lhs)
        together.setdefault(key, []).append(row)
    out = []
    for (kind, item, *_), rows in together.items():
        own = tuple(name for name, items in factors.items() if item in items)
        if not own:
            continue
        if kind == "loadings":
            own = (rows[0].lhs,)
        names = tuple(name_of(row.lhs, row.op, row.rhs) for row in rows)
        out.append(Candidate(names, item, own, kind))
    return out


def same_items(
    measured: Measured, level: Level, released: Collection[str], factor: str
) -> tuple[str, ...]:
    """Items of a factor that set its unit and origin: nothing of them is released."""
    kinds = measured.kinds()
    gone = set()
    for name in released:
        kind = kinds[name]
        if kind not in level.equal or kind == "residuals":
            continue
        lhs, _, rhs = name.partition("=~")
        if kind != "loadings":
            gone.add(name.split("~1")[0].split("|")[0])
        elif lhs == factor:
            gone.add(rhs)
    return tuple(item for item in measured.factors[factor] if item not in gone)


def held(measured: Measured, level: Level, released: Collection[str], candidate: Candidate) -> bool:
    """Whether its release would leave a factor with fewer than two items that are the same."""
    if candidate.kind == "residuals":
        return False
    after = {*released, *candidate.names}
    return any(
        len(same_items(measured, level, after, factor)) < FEWEST for factor in candidate.factors
    )


def score_tests(found: Analysis, chosen: Sequence[Candidate]) -> list[ReleaseTest]:
    """Score (Lagrange multiplier) test of each candidate, from the restricted fit alone.

    Uncorrected also for robust estimators, as lavaan's lavTestScore().
    """
    model, fit, discrepancy = found.model, found.fit, found.material.discrepancy
    names = {name for one in chosen for name in one.names}
    wide = _freed(model, names)
    wide = with_covariates(wide, found.material.samples)
    known = values(model, fit.theta)
    free = [i for i, row in enumerate(wide.parameters) if row.free]
    theta = known[free]
    embedded = np.zeros((len(free), model.n_unique))
    for to, i in enumerate(free):
        if model.place[i] >= 0:
            embedded[to] = model.reduce[model.place[i]]
    slopes = discrepancy.slopes(fit.implied)
    score = -0.5 * gradient(wide.blocks, theta, slopes)
    change = [derivatives(block, theta) for block in wide.blocks]
    whole = discrepancy.information(fit.implied, change, len(free))
    cross = whole @ embedded
    place = {i: to for to, i in enumerate(free)}
    out = []
    for one in chosen:
        rows = _rows_of(model, one.names, first=False)
        at = np.array([place[i] for i in rows], dtype=np.int64)
        test = all_together(score[at], whole[np.ix_(at, at)], cross[at], fit.information)
        if test.df == 0:
            out.append(ReleaseTest(one, nan, 0, nan, nan))
            continue
        largest = float(test.change[np.argmax(np.abs(test.change))])
        out.append(ReleaseTest(one, test.statistic, test.df, test.p_value, largest))
    return out


def wald_test(found: Analysis, candidate: Candidate) -> ReleaseTest:
    """Wald test of equality in the model that has the candidate released.

    With the errors of the estimator, so that it is robust where they are.
    """
    model, vcov = found.model, found.assessed.vcov
    known = values(model, found.fit.theta)
    distance, jacobian = [], []
    for name in candidate.names:
        rows = _rows_of(model, (name,), first=True)
        reference = rows[0]
        for i in rows[1:]:
            change = np.zeros(model.n_free)
            for row, sign in ((i, 1.0), (reference, -1.0)):
                if model.place[row] >= 0:
                    change[model.place[row]] += sign
            distance.append(known[i] - known[reference])
            jacobian.append(change)
    away: FloatArray = np.array(distance)
    statistic, _ = wald_statistic(away, np.array(jacobian), vcov)
    largest = float(away[np.argmax(np.abs(away))])
    return ReleaseTest(candidate, statistic, len(away), p_value(statistic, len(away)), largest)


def adjusted(tests: Sequence[ReleaseTest], correction: str) -> list[float]:
    """p-values corrected for the number of candidates of one step."""
    p = np.array([one.p_value for one in tests])
    m = int(np.isfinite(p).sum())
    if correction == "none":
        return [float(one) for one in p]
    if correction == "bonferroni":
        return [float(one) for one in np.minimum(p * m, 1.0)]
    out = np.full(len(p), nan)
    largest = 0.0
    for rank, i in enumerate(np.argsort(p, kind="stable")[:m]):
        largest = max(largest, min(float(p[i]) * (m - rank), 1.0))
        out[i] = largest
    return [float(one) for one in out]


def _freed(model: Model, names: Collection[str]) -> Model:
    """The model with the named parameters free in every group, and equal to nothing."""
    rows = []
    for row in model.parameters:
        alone = name_of(row.lhs, row.op, row.rhs) in names and not row.exogenous
        free = row.free or (alone and row.block > 0)
        rows.append(replace(row, label="", free=free) if alone else row)
    block = model.blocks[0]
    return compile_model(
        rows,
        groups=model.groups,
        levels=model.levels,
        definitions=(),
        constraints=(),
        parameterization=block.parameterization,
        observed=block.observed,
    )


def _rows_of(model: Model, names: Collection[str], *, first: bool) -> list[int]:
    """Rows of these parameters in every group, with or without the first."""
    return [
        i
        for i, row in enumerate(model.parameters)
        if name_of(row.lhs, row.op, row.rhs) in names and (first or row.block > 0)
    ]
