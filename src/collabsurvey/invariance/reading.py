"""Which levels hold, by stated rules, and what that allows a reader to do.

Rules of change in fit: CFI must not fall by more than .010 (Cheung & Rensvold, 2002,
doi:10.1207/S15328007SEM0902_5) and RMSEA not rise by more than .015; with 300 respondents or fewer
by .005 and .010 (Chen, 2007, doi:10.1080/10705510701301834). They were made for maximum
likelihood; of WLSMV the indices change less than they should (Sass, Schmitt & Marsh, 2014,
doi:10.1080/10705511.2014.882658), so that with ordered items the difference test decides, at .05.
The first level has nothing to change from: its model must be usable at all, with CFI of .90
(Bentler & Bonett, 1980, doi:10.1037/0033-2909.88.3.588) and RMSEA of .10 at most (Browne & Cudeck,
1992, doi:10.1177/0049124192021002005). What partial invariance allows: Byrne, Shavelson & Muthén
(1989, doi:10.1037/0033-2909.105.3.456).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan
from typing import Literal

from collabsurvey.errors import listed
from collabsurvey.invariance.climb import Step

Rule = Literal["auto", "fit", "test"]
Settled = Literal["fit", "test"]
ALPHA = 0.05
SMALL = 300  # respondents, up to which Chen (2007) has tighter cut-offs
LARGE = 500  # respondents from which small differences are significant (power, Chen, 2007)
LEAST_CFI = 0.90
MOST_RMSEA = 0.10
MODERATE_RMSEA = 0.08  # above, fit is no longer "reasonable" (Browne & Cudeck)


@dataclass(frozen=True)
class Cutoffs:
    """By how much fit may change from level to level."""

    cfi: float  # the fall
    rmsea: float  # the rise


@dataclass(frozen=True)
class Judged:
    """What the rules say of every level; None where a level cannot be judged."""

    rule: Settled
    cutoffs: Cutoffs
    cfi: tuple[float, ...]  # (levels,) in the version named
    rmsea: tuple[float, ...]
    version: str  # "robust", "scaled" or "": of CFI and RMSEA
    by_fit: tuple[bool | None, ...]  # each against the level before
    by_test: tuple[bool | None, ...]
    holds: tuple[bool | None, ...]  # by the rule, with all levels before it

    @property
    def steps(self) -> tuple[bool | None, ...]:
        """Each level against the one before, by the rule."""
        return self.by_fit if self.rule == "fit" else self.by_test


def judged(steps: Sequence[Step], rule: Rule, *, ordinal: bool) -> Judged:
    """Apply the rules to all levels."""
    n = steps[0].analysis.material.n
    cutoffs = Cutoffs(0.005, 0.010) if n <= SMALL else Cutoffs(0.010, 0.015)
    settled: Settled = "test" if rule == "test" or (rule == "auto" and ordinal) else "fit"
    kind = index_version([measures_of(step) for step in steps if step.converged], ordinal=ordinal)
    cfi, rmsea = (
        tuple(measures_of(step).get(f"{name}{kind}", nan) for step in steps)
        for name in ("cfi", "rmsea")
    )
    by_fit, by_test = [_usable(steps[0], cfi[0], rmsea[0])], []
    by_test.append(by_fit[0])
    for i in range(1, len(steps)):
        by_fit.append(
            _by_fit(steps[i - 1 : i + 1], cfi[i - 1 : i + 1], rmsea[i - 1 : i + 1], cutoffs)
        )
        by_test.append(_by_test(steps[i]))
    holds: list[bool | None] = []
    for one in by_fit if settled == "fit" else by_test:
        below = holds[-1] if holds else True
        holds.append(one if below else below)
    return Judged(
        settled,
        cutoffs,
        cfi,
        rmsea,
        kind.lstrip("_"),
        tuple(by_fit),
        tuple(by_test),
        tuple(holds),
    )


def measures_of(step: Step) -> Mapping[str, float]:
    """Fit of a level; nothing where it did not converge."""
    return step.analysis.measures if step.converged else {}


def highest(steps: Sequence[Step], found: Judged) -> str | None:
    """Name of the last level of measurement that holds with all before it."""
    names = [
        step.level.name
        for step, one in zip(steps, found.holds, strict=True)
        if one and step.level.measurement
    ]
    return names[-1] if names else None


def index_version(found: Sequence[Mapping[str, float]], *, ordinal: bool) -> str:
    """Suffix of CFI and RMSEA: robust ones, of ordered items else scaled; one for all models."""
    for tail in ("_robust", "_scaled") if ordinal else ("_robust",):
        names = (f"cfi{tail}", f"rmsea{tail}")
        if found and not any(isnan(one.get(name, nan)) for one in found for name in names):
            return tail
    return ""


def _usable(step: Step, cfi: float, rmsea: float) -> bool | None:
    if not step.converged:
        return None
    return step.analysis.df == 0 or bool(cfi >= LEAST_CFI and rmsea <= MOST_RMSEA)


def _by_fit(
    steps: Sequence[Step], cfi: Sequence[float], rmsea: Sequence[float], cutoffs: Cutoffs
) -> bool | None:
    """Change in fit of the second of two levels."""
    before, step = steps
    if step.test is not None and step.test.equivalent:
        return True
    if not (step.converged and before.converged):
        return None
    start = 0.0 if before.analysis.df == 0 else rmsea[0]  # a saturated model has no RMSEA
    fall, rise = cfi[0] - cfi[1], rmsea[1] - start
    if isnan(fall) or isnan(rise):
        return None
    return bool(fall <= cutoffs.cfi and rise <= cutoffs.rmsea)


def _by_test(step: Step) -> bool | None:
    if step.test is None or (isnan(step.test.p_value) and not step.test.equivalent):
        return None
    return step.test.equivalent or step.test.p_value >= ALPHA


def sentences(
    steps: Sequence[Step],
    found: Judged,
    sizes: Mapping[str, tuple[float, str]],
    *,
    by: str,
    released: Collection[str] = (),
) -> tuple[str, ...]:
    """The reading: highest level, what it allows, where rules disagree, how large steps may be."""
    out = []
    if lost := [step.level.name for step in steps if not step.converged]:
        out.append(f"DID NOT CONVERGE: {listed(lost)}. None of its numbers can be read.")
    out += _outcome(steps, found, by, released)
    out.append(_rule_words(found))
    if found.holds[0] and found.rmsea[0] > MODERATE_RMSEA:
        out.append(
            f"The {steps[0].level.name} model itself fits moderately (RMSEA "
            f"{_short(found.rmsea[0])}): what differs between groups is judged against a model "
            "that is not quite right."
        )
    out += _disagreements(steps, found)
    if same := [s.level.name for s in steps if s.test is not None and s.test.equivalent]:
        out.append(
            f"{listed(same).capitalize()}: no restriction is added; the model is the one before in "
            "other coordinates, so that nothing is tested."
        )
    if known := {name: one for name, one in sizes.items() if one[1]}:
        text = "; ".join(f"{name} {_short(size)} ({word})" for name, (size, word) in known.items())
        out.append(
            f"At worst (95 % confidence) the RMSEA of what a level adds is: {text}. Labels by the "
            "adjusted cut-offs of Yuan & Chan (2016), which are lenient (Counsell et al., 2020)."
        )
    for step in steps:
        if not step.level.measurement and step.test is not None and not isnan(step.test.p_value):
            verb = "differ" if step.test.p_value < ALPHA else "do not differ significantly"
            out.append(f"Latent means {verb} between groups ({p_words(step.test.p_value)}).")
    return tuple(out)


def _outcome(steps: Sequence[Step], found: Judged, by: str, released: Collection[str]) -> list[str]:
    """What holds, and what it allows; `released` are words of what some parameters are free of."""
    first, name = steps[0], highest(steps, found)
    if name is not None:
        level = next(step.level for step in steps if step.level.name == name)
        out = [f"Highest level that holds for {by}: {level.name}. {level.allows}."]
        if set(released) & set(level.equal):
            out.append(
                "It holds in part: some parameters differ between groups. Factors may be compared "
                "by the items that are left equal, two or more of each factor (Byrne, Shavelson & "
                "Muthén, 1989); scores made of all items may not."
            )
        return out
    if not first.converged:
        return ["No level can be judged, because the first did not converge."]
    then = []
    for step, one in zip(steps[1:], found.steps[1:], strict=True):
        if not one or not step.level.measurement:
            break
        then.append(step.level.name)
    after = f" From there on, {listed(then)} would hold." if then else ""
    return [
        f"No level can be relied on: the {first.level.name} model itself does not fit (CFI "
        f"{_short(found.cfi[0])}, RMSEA {_short(found.rmsea[0])}; usable from .90 and up to .10). "
        f"Mend the model before comparing groups.{after}"
    ]


def _rule_words(found: Judged) -> str:
    if found.rule == "test":
        return (
            "A level holds if the difference test from the level before is not significant at .05. "
            "The cut-offs for change in CFI and RMSEA were made for maximum likelihood; with WLSMV "
            "they miss differences (Sass et al., 2014)."
        )
    kind = f"{found.version} " if found.version else ""
    return (
        f"A level holds if {kind}CFI falls by no more than {_short(found.cutoffs.cfi)} and {kind}"
        f"RMSEA rises by no more than {_short(found.cutoffs.rmsea)} from the level before (Cheung "
        "& Rensvold, 2002; Chen, 2007)."
    )


def _disagreements(steps: Sequence[Step], found: Judged) -> list[str]:
    """Levels on which the two rules differ."""
    out = []
    weak = bool(steps[0].analysis.material.gammas)  # ordered items
    large = steps[0].analysis.material.n >= LARGE
    for step, fit, test in zip(steps, found.by_fit, found.by_test, strict=True):
        if step.test is None or fit is None or test is None or fit == test:
            continue
        if not step.level.measurement:
            continue
        name, p = step.level.name.capitalize(), p_words(step.test.p_value)
        if fit:
            sentence = f"{name}: the difference test rejects it ({p}), the change in fit is small"
            if weak:
                sentence += "; with WLSMV that is a weak sign of equality"
                sentence += ", in large samples a test a weak sign of difference" if large else ""
            elif large:
                sentence += ". In large samples tests find differences too small to matter"
            out.append(f"{sentence}.")
        else:
            out.append(
                f"{name}: the change in fit is large, the difference test does not reject it "
                f"({p}). In small samples tests miss differences that matter."
            )
    return out


def p_words(p: float) -> str:
    """P-value as it is written in a sentence."""
    return "p < .001" if p < 0.001 else f"p = {p:.3f}".replace("0.", ".", 1)


def no_minus_zero(values: Sequence[float]) -> list[float]:
    """Chi-squares for a table of two decimals, in which rounding does not become "−0.00"."""
    return [0.0 if abs(one) < 0.005 else one for one in values]


def _short(value: float) -> str:
    return f"{value:.3f}".replace("0.", ".", 1)
