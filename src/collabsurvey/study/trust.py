"""Whether the answers of a study can be trusted: signs of carelessness, gaps, and who is missing.

Only items that were asked in every wave are screened together: a question somebody was never
asked is not one that was left out.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from collabsurvey.errors import (
    DataError,
    FewClustersWarning,
    NotEnoughDataError,
    StudyError,
    UnknownNameError,
)
from collabsurvey.instruments.scales import amounts
from collabsurvey.moments.split import split
from collabsurvey.quality import (
    LittleResult,
    ScreenResult,
    little_mcar,
    missingness,
    screen,
    without_flagged,
)
from collabsurvey.reporting.groups import label_of
from collabsurvey.reporting.record import AbsenceRecord, CompletenessRecord, ScreeningRecord
from collabsurvey.responses import Responses
from collabsurvey.responses.free_text import coded_ids
from collabsurvey.study.config import StudyFile
from collabsurvey.study.plans import MissingPlan, ScreeningPlan
from collabsurvey.study.reading import StudyData
from collabsurvey.validation import impact, who_is_missing
from collabsurvey.validation.who_is_missing import MOST_LEVELS

if TYPE_CHECKING:
    import pandas as pd

GROUPS = ("respondent", "cluster", "partnership", "partner", "wave")  # roles that predict nothing


def screened_data(study: StudyFile, data: StudyData) -> StudyData:
    """Check what the study file says of screening and gaps; leave flagged rows out if it asks to.

    Raises
    ------
    StudyError
        Columns or scales that do not exist, or that cannot be used so: all of them together.
    DataError
        Every row is flagged, so none would be left.
    """
    responses, plan = data.responses, study.analysis.screening
    if responses is None:
        return data
    faults = _screening_faults(plan, responses) + _missing_faults(study.analysis.missing, responses)
    if faults:
        raise StudyError("analysis", faults)
    if plan is None or not plan.leave_out:
        return data
    found = screen_rows(plan, responses, seed=study.study.seed)
    kept = without_flagged(found, at_least=plan.at_least)
    new_lines = list(kept.ledger)[len(responses.ledger) :]
    return replace(data, responses=kept, ledger=data.ledger.extend(new_lines), screened=found)


def _screening_faults(plan: ScreeningPlan | None, responses: Responses) -> list[str]:
    if plan is None or plan.duration is None:
        return []
    if plan.duration not in responses.frame.columns:
        error = UnknownNameError(
            "column", plan.duration, available=responses.frame.columns, where="The file of answers"
        )
        return [f"screening: {error}"]
    given = responses.frame[plan.duration].dropna()
    odd = given[as_numbers(given).isna()]
    if len(odd):
        return [
            f"screening: the column {plan.duration!r} should hold how long each row took, as a "
            f"number, and {len(odd)} of its values are words, such as {str(odd.iloc[0])!r}."
        ]
    return []


def as_numbers(column: pd.Series[Any]) -> pd.Series[Any]:
    """A column that was read as text, as numbers; what is none is missing."""
    import pandas as pd

    numbers: pd.Series[Any] = pd.to_numeric(column, errors="coerce")
    return numbers


def _missing_faults(plan: MissingPlan | None, responses: Responses) -> list[str]:
    if plan is None:
        return []
    faults = []
    for name in plan.predictors:
        if said := _predictor_fault(name, responses):
            faults.append(f"missing: {said}")
    known = responses.instrument.scale_ids
    for scale in plan.scales or ():
        if scale not in known:
            error = UnknownNameError("scale", scale, available=known, where="The questionnaire")
            faults.append(f"missing: {error}")
    return faults


def _predictor_fault(name: str, responses: Responses) -> str:
    roles = responses.roles
    column = roles.get(name, name)
    if column not in responses.frame.columns:
        available = [*roles, *responses.frame.columns]
        return str(
            UnknownNameError("column or role", name, available=available, where="The answers")
        )
    if column in [roles[role] for role in GROUPS if role in roles]:
        return (
            f"{name!r} says which group somebody is in, or who it is. Name what is known of "
            "people, such as staff_role."
        )
    values = counted_by_unit(responses.frame[column])
    n_levels = int(values.nunique())
    if n_levels < 2:
        return f"the predictor {name!r} has the same value in all rows. Leave it out."
    if values.dtype.kind not in "fiub" and n_levels > MOST_LEVELS:
        return (
            f"the predictor {name!r} has {n_levels} different values; more than {MOST_LEVELS} "
            "cannot be told apart. Put them into groups with 'repair: {recode: ...}'."
        )
    return ""


def counted_by_unit(column: pd.Series[Any]) -> pd.Series[Any]:
    """Numbers of more values than can be compared one by one; other columns as they are."""
    given = column.dropna()
    if given.nunique() > MOST_LEVELS and as_numbers(given).notna().all():
        return as_numbers(column)
    return column


def asked(responses: Responses) -> dict[str, list[str]]:
    """Items that somebody answered, wave by wave; one part under "" where there are no waves."""
    items = list(coded_ids(responses.instrument))

    def answered(frame: pd.DataFrame) -> list[str]:
        there = frame[items].notna().any()
        return [item for item in items if there[item]]

    if "wave" not in responses.roles:
        return {"": answered(responses.frame)}
    waves = split(responses, "wave")
    parts = {label_of(level): answered(part.frame) for level, part in waves.items()}
    return {wave: names for wave, names in parts.items() if names} or {"": []}


def asked_everywhere(responses: Responses) -> tuple[str, ...]:
    """Items that were asked in every wave, in the order of the questionnaire."""
    parts = [set(names) for names in asked(responses).values()]
    common = set.intersection(*parts)
    return tuple(item for item in responses.instrument.item_ids if item in common)


def screen_rows(plan: ScreeningPlan, responses: Responses, *, seed: int) -> ScreenResult:
    """Look for careless answers as the study file says."""
    items = asked_everywhere(responses)
    if plan.duration is not None:
        took = as_numbers(responses.frame[plan.duration])
        responses = responses.replace(frame=responses.frame.assign(**{plan.duration: took}))
    if not items:
        raise NotEnoughDataError(
            "Screening", what="items asked in every wave", found=0, needed=1
        )  # nothing could be compared
    return screen(
        responses,
        list(items),
        missing_share=plan.missing_share,
        longstring=plan.longstring,
        even_odd=plan.even_odd,
        mahalanobis=plan.mahalanobis,
        person_total=plan.person_total,
        synonyms=plan.synonyms,
        antonyms=plan.antonyms,
        straight_reversed=plan.straight_reversed,
        duplicate=plan.duplicate,
        duration=plan.duration,
        duration_unit=plan.duration_unit,
        seconds_per_item=plan.seconds_per_item,
        robust=plan.robust,
        seed=seed,
    )


def screening(
    plan: ScreeningPlan, responses: Responses, left_out: ScreenResult | None, *, seed: int
) -> ScreeningRecord:
    """Signs of careless answers and what leaving flagged rows out changes.

    `left_out` is the screening by which rows were left out before, if they were.
    """
    found = left_out or screen_rows(plan, responses, seed=seed)
    every = found.responses
    flagged = found.flags >= plan.at_least
    n_flagged = int(flagged.sum())
    change = None
    if 0 < n_flagged < found.n_rows:
        change = impact(every, found, at_least=plan.at_least)
    rows = every.frame[flagged]
    behind = {
        scale.id: _n_people(
            every, rows[rows[list(scale.items)].notna().sum(axis=1) >= scale.n_required()]
        )
        for scale in every.instrument.scoring
    }
    looked_at = set(found.items)
    return ScreeningRecord(
        result=found,
        at_least=plan.at_least,
        left_out=left_out is not None,
        impact=change,
        n_people_flagged=_n_people(every, rows),
        people_behind=behind,
        not_everywhere=tuple(i for i in coded_ids(every.instrument) if i not in looked_at),
    )


def _n_people(responses: Responses, rows: pd.DataFrame) -> int:
    """Different people behind rows; a row without an id counts as one."""
    if "respondent" not in responses.roles:
        return len(rows)
    who = rows[responses.roles["respondent"]]
    return int(who.nunique() + who.isna().sum())


def completeness(responses: Responses) -> CompletenessRecord:
    """What is missing of what was asked, by item and by scale, and Little's test of each scale."""
    import pandas as pd

    when = asked(responses)
    everywhere = asked_everywhere(responses)
    if not everywhere:
        raise NotEnoughDataError(
            "Counting missing answers", what="items asked in every wave", found=0, needed=1
        )
    frame = responses.frame
    wave = None if "" in when else frame[responses.roles["wave"]].map(label_of)
    rows_of = {
        one: np.ones(len(frame), dtype=bool) if wave is None else (wave == one).to_numpy()
        for one in when
    }
    items = [
        item for item in responses.instrument.item_ids if any(item in x for x in when.values())
    ]
    n_asked, n_missing = {}, {}
    for item in items:
        rows = np.any([rows_of[one] for one, names in when.items() if item in names], axis=0)
        n_asked[item] = int(rows.sum())
        n_missing[item] = int(frame.loc[rows, item].isna().sum())
    by_item = pd.DataFrame({"item": items, "n_asked": n_asked.values()})
    by_item["n_missing"] = list(n_missing.values())
    by_item["missing_share"] = by_item["n_missing"] / by_item["n_asked"]
    counts = missingness(responses).by_scale.set_index("scale").to_dict("index")
    scales = []
    for scale in responses.instrument.scoring:
        given = [item for item in scale.items if item in n_asked]
        if not given or scale.id not in counts:
            continue
        total = sum(n_asked[item] for item in given)
        row = {
            "scale": scale.id,
            "n_items": len(scale.items),
            "n_asked": max(n_asked[item] for item in given),
            "missing_share": sum(n_missing[item] for item in given) / total,
            "n_complete": int(counts[scale.id]["n_complete"]),
            "n_scored": int(counts[scale.id]["n_scored"]),
        }
        scales.append(row)
    names = ["scale", "n_items", "n_asked", "missing_share", "n_complete", "n_scored"]
    return CompletenessRecord(
        by_item=by_item,
        by_scale=pd.DataFrame(scales, columns=names),
        together=missingness(responses, items=list(everywhere)),
        unscored=_unscored(responses, everywhere),
        not_everywhere=tuple(item for item in items if item not in everywhere),
        little=_little(responses),
    )


def _unscored(responses: Responses, everywhere: tuple[str, ...]) -> pd.DataFrame:
    """Which scales the same rows have no score on; scales made of others are left to their parts.

    One row a combination, most frequent first: a column a scale, true where it has no score, and
    `n`, the rows.
    """
    import pandas as pd

    scales = [s for s in responses.instrument.scoring if set(s.items) <= set(everywhere)]
    whole = [s for s in scales if any(set(other.items) < set(s.items) for other in scales)]
    parts = [scale for scale in scales if scale not in whole]
    answered = responses.frame[list(everywhere)].notna()
    table = pd.DataFrame(
        {s.id: answered[list(s.items)].sum(axis=1) < s.n_required() for s in parts},
        index=responses.frame.index,
    )
    if not parts:
        return table.assign(n=0)[:0]
    counts = table.value_counts().rename("n").reset_index()
    order = [*counts.columns[:-1]]
    counts = counts.sort_values(["n", *order], ascending=[False, *[True] * len(order)])
    return counts.reset_index(drop=True)


def _little(responses: Responses) -> dict[str, LittleResult]:
    """Little's test of each scale that has gaps and can be tested."""
    found = {}
    for scale in amounts(responses.instrument):
        if len(scale.items) < 2 or scale.rule == "difference":
            continue
        try:
            found[scale.id] = little_mcar(responses, scale.id)
        except DataError:  # nothing is missing, or too little to test: no line in the table
            continue
    return found


def absences(plan: MissingPlan, responses: Responses) -> tuple[AbsenceRecord, ...]:
    """Who did not come back in each later wave, and who is missing from each scale."""
    predictors = list(plan.predictors)
    roles = responses.roles
    columns = {roles.get(name, name) for name in predictors}
    typed = {name: counted_by_unit(responses.frame[name]) for name in columns}
    responses = responses.replace(frame=responses.frame.assign(**typed))
    found = []
    if {"wave", "respondent"} <= set(responses.roles):
        waves = list(split(responses, "wave"))
        found += [
            _absence(responses, predictors, wave=wave, label=label_of(wave)) for wave in waves[1:]
        ]
    scales = responses.instrument.scale_ids if plan.scales is None else plan.scales
    found += [_absence(responses, predictors, scale=scale) for scale in scales]
    return tuple(found)


def _absence(
    responses: Responses,
    predictors: list[str],
    *,
    scale: str = "",
    wave: Any = None,
    label: str = "",
) -> AbsenceRecord:
    options: Mapping[str, Any] = {"of": scale} if scale else {"absent_in": wave}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FewClustersWarning)  # a note of the model says it
            model = who_is_missing(responses, predictors=predictors, **options)
    except DataError:  # nobody is missing, or nobody or everybody of some group
        return AbsenceRecord(scale, label, None)
    return AbsenceRecord(scale, label, model)
