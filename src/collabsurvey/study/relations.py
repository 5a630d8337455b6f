"""Kinds of relationship, shared meaning, two views and partners: what a study makes of them.

Each is made where the questionnaire has scales for it and the answers have the roles; what
cannot be calculated is said in the report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Protocol, TypeVar

from collabsurvey.errors import StudyError, UnknownNameError, listed
from collabsurvey.instruments.model import Instrument
from collabsurvey.reporting.groups import labels_of
from collabsurvey.reporting.relations_record import (
    DependenceRecord,
    DyadRecord,
    GapRecord,
    KindRecord,
    MeaningRecord,
    RelationsRecord,
)
from collabsurvey.responses import Responses
from collabsurvey.study.config import StudyFile
from collabsurvey.study.kinds import families, items_of, kind, nobody, waves_of
from collabsurvey.study.meanings import agreement_scales, meaning
from collabsurvey.study.partners import about_partners, dyad, dyadic_scales, needed, needs_of
from collabsurvey.study.plans import Analysis, GapsPlan, ScalesPlan
from collabsurvey.study.views import pairs_of, unclear, view, who_is_who

T = TypeVar("T")

# How notes on what could not be calculated begin; the sections of the report look for them.
KINDS, MEANINGS = "Kinds of relationship", "Shared meaning"
VIEWS, PARTNERS = "Two views", "Partners"


class Attempt(Protocol):
    """Runs a step; what the data cannot bear becomes a note of the run, and None."""

    def __call__(self, what: str, step: Callable[[], T]) -> T | None:
        """Run the step called `what`."""


def relations(study: StudyFile, responses: Responses, attempt: Attempt) -> RelationsRecord:
    """Everything about relations that was not switched off."""
    return RelationsRecord(
        kinds=tuple(_kinds(study, responses, attempt)),
        meanings=tuple(_meanings(study, responses, attempt)),
        gaps=tuple(_gaps(study, responses, attempt)),
        dyads=tuple(_dyads(study, responses, attempt)),
        dependence=tuple(_dependence(study, responses, attempt)),
    )


def _when(what: str, wave: str) -> str:
    return f"{what}, wave {wave}" if wave else what


def _asked(responses: Responses, scales: Sequence[str]) -> Iterator[tuple[str, Responses]]:
    """Waves in which somebody answered these scales; all, where nobody ever did."""
    items = items_of(responses.instrument, scales)
    if nobody(responses, items):
        yield "", responses
        return
    for wave, part in waves_of(responses).items():
        if not nobody(part, items):
            yield wave, part


def _kinds(study: StudyFile, responses: Responses, attempt: Attempt) -> Iterator[KindRecord]:
    plan, seed = study.analysis.typologies, study.study.seed
    if plan is None:
        return
    instrument = responses.instrument
    for family in families(instrument, plan.scales):
        title = instrument.scale(family.scales[0]).title
        for wave, part in _asked(responses, family.ids):
            what = _when(f"{KINDS} ({title})", wave)
            found = attempt(what, partial(kind, part, family, wave, seed=seed))
            if found is not None:
                yield found


def _meanings(study: StudyFile, responses: Responses, attempt: Attempt) -> Iterator[MeaningRecord]:
    plan, seed, least = study.analysis.consensus, study.study.seed, study.privacy.min_group
    if plan is None:
        return
    for scale in agreement_scales(responses.instrument, plan.scales):
        title = responses.instrument.scale(scale).title
        for wave, part in _asked(responses, [scale]):
            what = _when(f"{MEANINGS} ({title})", wave)
            step = partial(meaning, part, scale, wave, min_group=least, seed=seed)
            found = attempt(what, step)
            if found is not None:
                yield found


def _gaps(study: StudyFile, responses: Responses, attempt: Attempt) -> Iterator[GapRecord]:
    plan, seed, least = study.analysis.gaps, study.study.seed, study.privacy.min_group
    if plan is None or "cluster" not in responses.roles:
        return
    pairs = pairs_of(responses.instrument, plan)
    titles = {pair: responses.instrument.scale(pair.second).title for pair in pairs}
    both = {pair: unclear(responses, pair, plan) for pair in pairs}
    asked = [(titles[pair], n) for pair, n in both.items() if n]
    if asked:
        attempt(VIEWS, partial(who_is_who, asked))
    for pair in pairs:
        if both[pair]:
            continue
        title = titles[pair]
        for wave, part in _asked(responses, [pair.first, pair.second]):
            what = _when(f"{VIEWS} ({title})", wave)
            step = partial(view, part, pair, plan, wave, min_group=least, seed=seed)
            found = attempt(what, step)
            if found is not None:
                yield found


def _dyads(study: StudyFile, responses: Responses, attempt: Attempt) -> Iterator[DyadRecord]:
    plan, least = study.analysis.partners, study.privacy.min_group
    if plan is None or "partner" not in responses.roles:
        return
    for scale in dyadic_scales(responses.instrument, plan.scales):
        title = responses.instrument.scale(scale).title
        step = partial(dyad, responses, scale, min_group=least)
        found = attempt(f"{PARTNERS} ({title})", step)
        if found is not None:
            yield found


def _dependence(
    study: StudyFile, responses: Responses, attempt: Attempt
) -> Iterator[DependenceRecord]:
    plan, least = study.analysis.partners, study.privacy.min_group
    if plan is None or "partner" not in responses.roles:
        return
    for needs in needs_of(responses.instrument, plan.scales):
        title = responses.instrument.scale(needs.ours).title
        step = partial(needed, responses, needs, min_group=least)
        found = attempt(f"{PARTNERS} ({title})", step)
        if found is not None:
            yield found


# What is wrong with the plans.


def check_relations(analysis: Analysis, responses: Responses) -> None:
    """Find faults of what the study file says of relations; calculate nothing.

    Raises
    ------
    StudyError
        Scales that are unknown or of another kind, roles or groups that are not there, a key
        that was set and has nothing to work on: all of them together.
    """
    instrument, faults = responses.instrument, list[str]()
    suitable: dict[str, tuple[ScalesPlan | None, set[str], str]] = {
        "typologies": (
            analysis.typologies,
            {name for one in families(instrument) for name in one.ids},
            "whose answers share out a whole",
        ),
        "consensus": (
            analysis.consensus,
            set(agreement_scales(instrument)),
            "of the rule agreement",
        ),
        "partners": (
            analysis.partners,
            set(about_partners(instrument)),
            "about a partner",
        ),
    }
    for key, (plan, scales, kind_of) in suitable.items():
        if plan is not None and key in analysis.model_fields_set:
            faults += [
                f"{key}: {fault}" for fault in _scale_faults(plan, scales, kind_of, responses)
            ]
    if analysis.partners is not None and "partners" in analysis.model_fields_set:
        faults += _role_faults("partners", ("partner", "cluster"), responses)
    if analysis.gaps is not None and "gaps" in analysis.model_fields_set:
        faults += [f"gaps: {fault}" for fault in _gap_faults(analysis.gaps, responses)]
    if faults:
        raise StudyError("analysis", faults)


def _role_faults(key: str, roles: Sequence[str], responses: Responses) -> list[str]:
    return [
        f"{key}: it needs the role {role!r}, which these answers do not have. Set it, or leave "
        f"{key!r} out."
        for role in roles
        if role not in responses.roles
    ]


def _scale_faults(
    plan: ScalesPlan, suitable: set[str], kind_of: str, responses: Responses
) -> Iterator[str]:
    if not suitable:
        yield f"the questionnaire has no scale {kind_of}. Leave it out."
        return
    yield from _unknown(plan, responses.instrument)
    for name in plan.scales:
        if name in responses.instrument.scale_ids and name not in suitable:
            yield f"the scale {name!r} is not one {kind_of}. Those are: {listed(sorted(suitable))}."


def _unknown(plan: ScalesPlan, instrument: Instrument) -> Iterator[str]:
    known = instrument.scale_ids
    for name in plan.scales:
        if name not in known:
            yield str(UnknownNameError("scale", name, available=known, where="The questionnaire"))


def _gap_faults(plan: GapsPlan, responses: Responses) -> Iterator[str]:
    if "cluster" not in responses.roles:
        yield "it needs the role 'cluster', the school. Set it, or leave 'gaps' out."
    yield from _unknown(plan, responses.instrument)
    pairs = pairs_of(responses.instrument, plan)
    if not pairs and not plan.scales:
        yield (
            "no scale has a twin for leaders' own view. Name the scales that two groups answered: "
            "gaps: {groups: [head, teacher], scales: [...]}."
        )
    for pair in pairs:
        rule = responses.instrument.scale(pair.first).rule
        if rule not in ("mean", "sum", "difference", "distance"):
            yield f"the scale {pair.first!r} has no score of a person to compare."
        elif pair.one_scale and plan.groups is None:
            yield (
                f"the scale {pair.first!r} has no twin for leaders' own view, so say whose views "
                "are compared: groups: [head, teacher]."
            )
    if plan.sides is not None:
        yield from _group_faults(plan, responses)


def _group_faults(plan: GapsPlan, responses: Responses) -> Iterator[str]:
    column = responses.roles.get(plan.role, plan.role)
    if column not in responses.frame.columns:
        available = [*responses.roles, *responses.frame.columns]
        error = UnknownNameError("role or column", plan.role, available=available,
                                 where="The answers")  # fmt: skip
        yield str(error)
        return
    values = [value for value in labels_of(responses.frame[column]).unique() if value]
    first, second = plan.sides or ((), ())
    for value in (*first, *second):
        if str(value) not in values:
            yield (
                f"nobody has the value {str(value)!r} of {plan.role!r}. Values are: "
                f"{listed(map(repr, sorted(values)), most=12)}."
            )
    if not first or not second:
        yield "'groups' needs two groups with a value each: groups: [head, teacher]."
    if twice := {str(one) for one in first} & {str(one) for one in second}:
        yield f"{listed(map(repr, sorted(twice)))} is in both groups."
