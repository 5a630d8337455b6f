"""Whether a questionnaire works the same in every wave and for every kind of staff.

Waves that the same people answered are fitted together; where few did, and for kinds of people,
groups are compared. A questionnaire is looked at as a whole where each group has five people for
each parameter (Bentler & Chou, 1987, doi:10.1177/0049124187016001004), else scale by scale.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

from collabsurvey.errors import CollabSurveyWarning, DataError, StudyError
from collabsurvey.instruments.model import Scale
from collabsurvey.invariance.consequences import consequences
from collabsurvey.invariance.consequences_result import ConsequencesResult
from collabsurvey.invariance.ladder import ladder
from collabsurvey.invariance.partial import partial
from collabsurvey.invariance.partial_result import PartialResult
from collabsurvey.reporting.groups import in_order, labels_of
from collabsurvey.reporting.record import InvarianceRecord
from collabsurvey.responses import Responses
from collabsurvey.study.measuring import (
    Way,
    all_or_none,
    factor_text,
    measurement_faults,
    model_frame,
    possible_answers,
    safe_names,
    way_of,
)
from collabsurvey.study.plans import Divided, InvariancePlan
from collabsurvey.study.structure import ScaleSet, once_each, one_row_each, sets_of

if TYPE_CHECKING:
    import pandas as pd

WHERE = "analysis.invariance"
FEWEST_IN_GROUP = 50  # fewer tell little of a model, and their part of every level is chance
FEWEST_IN_ALL = 100  # as for factors; Gorsuch (1983)
FEWEST_LINKED = 100  # people in both of two waves, from whom what goes with what is learnt
PEOPLE_PER_PARAMETER = 5
ITEM_PARAMETERS = 3  # of a number: loading, residual variance, intercept
USUAL: tuple[Divided, ...] = ("wave", "staff_role")
ORDERED_LEVELS = {
    "configural": ("configural",),
    "metric": ("thresholds", "loadings"),
    "scalar": ("intercepts",),
    "strict": ("residuals",),
}
BELOW_MEANS = ("configural", "thresholds", "metric", "loadings")


# The plan.


def divided_by(plan: InvariancePlan, responses: Responses) -> tuple[Divided, ...]:
    """Roles to compare by: those asked for, or the usual ones that have several values."""
    if plan.by is not None:
        return tuple(dict.fromkeys(plan.by))
    return tuple(
        role for role in USUAL if role in responses.roles and len(_groups(responses, role)) > 1
    )


def sets_to_compare(
    plan: InvariancePlan, responses: Responses, parts: Mapping[str, Sequence[str]]
) -> tuple[ScaleSet, ...]:
    """Questionnaires, or the scales named."""
    sets, faults = sets_of(plan.scales, responses.instrument, parts, leave_out="invariance")
    if faults:
        raise StudyError(WHERE, list(dict.fromkeys(faults)))
    return tuple(sets)


def check_invariance(
    plan: InvariancePlan,
    responses: Responses,
    parts: Mapping[str, Sequence[str]],
    *,
    min_group: int,
) -> tuple[str, ...]:
    """Find what is wrong with the plan, given the answers; return what may surprise.

    Raises
    ------
    StudyError
        Roles that are not set or have one value, scales that cannot take part: all of them.
    """
    roles, faults = divided_by(plan, responses), []
    if not roles:
        faults.append(
            "neither 'wave' nor 'staff_role' has several values here, so there is nothing to "
            "compare. Set such a role, or leave 'invariance' out."
        )
    several = []
    for role in roles:
        if role not in responses.roles:
            faults.append(
                f"by: the role {role!r} is not set. Say which column it is under 'responses', or "
                "leave it out."
            )
        elif (n := len(_groups(responses, role))) < 2:
            faults.append(
                f"by: {role!r} has {'one value' if n else 'no value'} in these answers, so there "
                "is nothing to compare. Leave it out."
            )
        else:
            several.append(role)
    notes = []
    try:
        sets = sets_to_compare(plan, responses, parts)
        items = list(dict.fromkeys(item for chosen in sets for item in chosen.items))
        notes = [_small_note(role, responses, items, min_group) for role in several]
    except StudyError as error:
        faults += error.faults
    faults += measurement_faults(plan, responses, "invariance")
    if faults:
        raise StudyError(WHERE, list(dict.fromkeys(faults)))
    return tuple(note for note in notes if note)


def _groups(responses: Responses, role: Divided) -> set[str]:
    return {name for name in labels_of(responses.frame[responses.roles[role]]) if name}


def _small_note(role: Divided, responses: Responses, items: Sequence[str], least: int) -> str:
    """Which groups have too few people; empty where none has."""
    small = rows_of(role, responses, items, complete=False, least=least, seed=1).small
    if not small:
        return ""
    named = ", ".join(f"{name} ({n})" for name, n in small.items())
    return (
        f"comparing by {role} needs {max(FEWEST_IN_GROUP, least)} people in a group, so these are "
        f"left out: {named}."
    )


# Whose answers.


@dataclass(frozen=True, eq=False)
class Rows:
    """The answers that are compared, those of small groups left out."""

    responses: Responses
    column: str  # of the groups: labels, in their order
    groups: Mapping[str, int]  # label → people; the first is the reference
    small: Mapping[str, int]
    wave: str  # whose answers, where the groups are no waves
    n_repeated: int  # further rows of the same people, left out
    n_linked: int  # fewest people that two waves share; 0 where groups are no waves
    n_people: int

    @property
    def repeated(self) -> bool:
        """Whether waves are fitted together, as answers of the same people."""
        return self.n_linked >= FEWEST_LINKED


def rows_of(
    by: Divided,
    responses: Responses,
    items: Sequence[str],
    *,
    complete: bool,
    least: int,
    seed: int,
) -> Rows:
    """One row of each person (and wave), of groups that have enough people.

    `complete` counts only people who answered every item. Waves come in their order, other groups
    by size, so that the largest is what the others are compared with.
    """
    column, names = responses.roles[by], list(items)
    if by == "wave":
        people = once_each(responses, names, seed=seed)
    else:
        people = one_row_each(responses, names, seed=seed)
    frame = people.responses.frame
    labels = labels_of(frame[column])
    full = frame[names].notna().all(axis=1) if complete else frame[names].notna().any(axis=1)
    counts = labels[full & (labels != "")].value_counts()
    order = in_order(counts.index)
    if by != "wave":
        order = sorted(order, key=lambda name: -counts[name])
    needed = max(FEWEST_IN_GROUP, least)
    groups = {name: int(counts[name]) for name in order if counts[name] >= needed}
    frame = frame.assign(**{column: _categories(labels, list(groups))})
    frame = frame[frame[column].notna()].sort_values(column, kind="stable", ignore_index=True)
    who = responses.roles.get("respondent")
    linked = _linked(frame, column, who) if by == "wave" and who is not None else 0
    return Rows(
        responses=people.responses.replace(frame=frame),
        column=column,
        groups=groups,
        small={name: int(counts[name]) for name in order if name not in groups},
        wave=people.wave,
        n_repeated=people.n_repeated,
        n_linked=linked,
        n_people=len(frame) if who is None else int(frame[who].nunique() + frame[who].isna().sum()),
    )


def _categories(labels: pd.Series, order: list[str]) -> pd.Series:
    import pandas as pd

    known = labels.where(labels.isin(order))
    return known.astype(pd.CategoricalDtype(order, ordered=True))


def _linked(frame: pd.DataFrame, column: str, who: str) -> int:
    """Fewest people that two of the waves have in common."""
    people = [set(part[who].dropna()) for _, part in frame.groupby(column, observed=True)]
    return min((len(a & b) for a, b in combinations(people, 2)), default=0)


# The comparison.


def compare(
    plan: InvariancePlan,
    by: Divided,
    chosen: ScaleSet,
    responses: Responses,
    *,
    min_group: int,
    seed: int,
) -> Iterator[InvarianceRecord]:
    """Compare a questionnaire as a whole, or scale by scale."""
    way = way_of(plan, responses, chosen.items)
    complete = way.missing == "listwise"
    rows = rows_of(by, responses, chosen.items, complete=complete, least=min_group, seed=seed)
    whole = len(chosen.scales) == 1 or _bears_whole(chosen, rows, way)
    for scales in [chosen.scales] if whole else [(scale,) for scale in chosen.scales]:
        items = tuple(dict.fromkeys(item for scale in scales for item in scale.items))
        way = all_or_none(way_of(plan, responses, items), items)
        rows = rows_of(by, responses, items, complete=complete, least=min_group, seed=seed)
        yield _compared(plan, by, chosen.title, scales, rows, way)


def _bears_whole(chosen: ScaleSet, rows: Rows, way: Way) -> bool:
    """Whether every group has five people for each parameter of the whole questionnaire."""
    k, m = len(chosen.items), len(chosen.scales)
    if len(rows.groups) < 2 or 0 < len(way.ordered) < k:
        return False
    own = ITEM_PARAMETERS * k
    if way.ordered:
        n_answers = possible_answers(rows.responses, chosen.items)
        own = 2 * k + sum(n - 1 for n in n_answers.values())
    if rows.repeated:
        w = len(rows.groups)
        parameters = w * own + w * m * (w * m - 1) // 2 + k * w * (w - 1) // 2
        return rows.n_people >= PEOPLE_PER_PARAMETER * parameters
    parameters = own + m * (m - 1) // 2
    return min(rows.groups.values()) >= PEOPLE_PER_PARAMETER * parameters


def _compared(
    plan: InvariancePlan, by: Divided, title: str, scales: Sequence[Scale], rows: Rows, way: Way
) -> InvarianceRecord:
    items = safe_names(list(dict.fromkeys(item for scale in scales for item in scale.items)))
    factors = safe_names([scale.id for scale in scales], taken=list(items.values()))
    who = rows.responses.roles.get("respondent") if rows.repeated else None
    frame, names = model_frame(rows.responses, items, [rows.column, who, way.cluster])
    record = InvarianceRecord(
        by=by,
        title=title,
        factors={name: scale for scale, name in factors.items()},
        items={name: item for item, name in items.items()},
        groups=rows.groups,
        small=rows.small,
        repeated=rows.repeated,
        n_people=rows.n_people,
        n_linked=rows.n_linked,
        wave=rows.wave,
        n_repeated=rows.n_repeated,
        n_clusters=None if way.cluster is None else int(frame[names[way.cluster]].nunique()),
        why=way.why,
        result=None,
        reason=_too_few(rows),
    )
    if record.reason:
        return record
    given = Given(
        frame=frame,
        text=factor_text(scales, factors, items),
        by=names[rows.column],
        repeated=None if who is None else names[who],
        way=way,
        cluster=None if way.cluster is None else names[way.cluster],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollabSurveyWarning)  # the notes of the results say it
        try:
            found = ladder(
                given.frame,
                given.text,
                given.by,
                given.repeated,
                _levels(plan, ordered=bool(way.ordered)),
                way.estimator,
                bool(way.ordered),
                way.missing,
                cluster=given.cluster,
            )
        except DataError as error:
            return replace(record, reason=str(error))
        record = replace(record, result=found)
        if found.highest in BELOW_MEANS and {"scalar", "intercepts"} & set(found.levels):
            searched, changed = _differing(given)
            record = replace(record, partial=searched, consequences=changed)
    return record


def _too_few(rows: Rows) -> str:
    if len(rows.groups) < 2:
        return "fewer than two groups have enough people"
    if sum(rows.groups.values()) < FEWEST_IN_ALL:
        return f"fewer than {FEWEST_IN_ALL} people in all"
    return ""


def _levels(plan: InvariancePlan, *, ordered: bool) -> tuple[str, ...] | None:
    """Names of the levels as the items need them; None for all."""
    if plan.levels is None or not ordered:
        return plan.levels
    return tuple(name for level in plan.levels for name in ORDERED_LEVELS[level])


@dataclass(frozen=True, eq=False)
class Given:
    """What a comparison starts from."""

    frame: pd.DataFrame
    text: str
    by: str
    repeated: str | None
    way: Way
    cluster: str | None


def _differing(given: Given) -> tuple[PartialResult | None, ConsequencesResult | None]:
    """Which questions work differently, and what they do to differences between groups.

    Waves are taken as if other people had answered each, which makes errors too large rather than
    too small. Candidates are ranked by score tests, the default: differences of chi-squares that
    are corrected for few clusters rank them wrongly while the model still fits badly.
    """
    way, by_name = given.way, given.frame.assign(**{given.by: given.frame[given.by].astype(str)})
    try:
        searched = partial(
            by_name,
            given.text,
            given.by,
            estimator=way.estimator,
            ordered=bool(way.ordered),
            missing=way.missing,
            cluster=given.cluster,
        )
    except DataError:
        return None, None
    if not searched.released:
        return searched, None
    try:
        changed = consequences(
            by_name,
            given.text,
            given.by,
            searched,
            estimator=way.estimator,
            ordered=bool(way.ordered),
            missing=way.missing,
            cluster=given.cluster,
        )
    except DataError:
        return searched, None
    return searched, changed
