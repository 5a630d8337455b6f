"""The table of each model, and what is wrong with a model before it is fitted."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from collabsurvey.study.conditions import Scored, by_school
from collabsurvey.study.config import StudyFile
from collabsurvey.study.fitting import check_model
from collabsurvey.study.joining import Joined, join_outcome, respondent_table
from collabsurvey.study.plans import ModelPlan, Unit
from collabsurvey.study.reading import Faults, StudyData

if TYPE_CHECKING:
    import pandas as pd

Tables = Mapping[tuple[str | None, Unit], Joined]  # by outcome id (None: the survey alone) and unit


def joined_tables(
    study: StudyFile, data: StudyData, survey: Scored, faults: Faults
) -> dict[tuple[str | None, Unit], Joined]:
    """Every table a model of this study may be written for, by (outcome id, unit)."""
    calendar = {str(entry.wave): str(entry.cohort) for entry in study.calendar}
    schools = faults.attempt(lambda: by_school(survey))
    by_respondent = respondent_table(survey.frame, survey.scales)
    tables: dict[tuple[str | None, Unit], Joined] = {}
    if survey.unit == "respondent":
        tables[None, "respondent"] = Joined(by_respondent, "respondent", (), None, {})
    if schools is not None:
        tables[None, "school"] = Joined(schools[0], "school", schools[1], None, {})
    for outcome in study.outcomes:
        table = data.outcomes.get(outcome.id)
        if table is None:
            continue
        if outcome.unit == "respondent":
            base: tuple[pd.DataFrame, tuple[str, ...]] | None = (by_respondent, ())
        else:
            base = schools
        if base is None:
            continue
        left, conditions = base
        joined = faults.attempt(
            partial(join_outcome, left, outcome, table, conditions=conditions, calendar=calendar)
        )
        if joined is not None:
            tables[outcome.id, outcome.unit] = joined
    return tables


def model_table(plan: ModelPlan, tables: Mapping[tuple[str | None, Unit], Joined]) -> Joined | None:
    """Return the table of one model; None where its files could not be read."""
    if plan.outcome is None:
        return tables.get((None, plan.unit))
    for (outcome, _), joined in tables.items():
        if outcome == plan.outcome:
            return joined
    return None


def check_models(
    study: StudyFile, tables: Mapping[tuple[str | None, Unit], Joined], faults: Faults
) -> None:
    """Collect the faults of every model without fitting any."""
    for plan in study.analysis.models:
        joined = model_table(plan, tables)
        if joined is None:
            if plan.outcome is None:
                faults.sentences.append(
                    f"model {plan.name!r}: there is no table of {plan.unit}s. "
                    "Set the roles it needs."
                )
            continue
        if plan.outcome is not None and joined.unit != plan.unit:
            faults.sentences.append(
                f"model {plan.name!r} has the unit {plan.unit}, and its outcome {plan.outcome!r} "
                f"has the unit {joined.unit}. Make them the same."
            )
            continue
        faults.attempt(partial(check_model, plan, joined), where=f"model {plan.name!r}")
