"""Who could have answered: the numbers of eligible staff, and response by school."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from collabsurvey.errors import StudyError
from collabsurvey.study.config import Eligible, located
from collabsurvey.study.joining import no_match, spelt_differently, typed_times
from collabsurvey.study.tables import StudyTable, as_text, study_table

if TYPE_CHECKING:
    import pandas as pd

    from collabsurvey.study.conditions import Scored

COUNT = "n_eligible"


def read_eligible(plan: Eligible, folder: Path) -> StudyTable:
    """Staff who could answer, by school (and wave): columns school, wave, n_eligible.

    Finer groups, such as staff roles, are added up.

    Raises
    ------
    StudyError
        No school in the key, a key that occurs twice, or a count that is none.
    """
    key = plan.key if isinstance(plan.key, dict) else {name: name for name in plan.key}
    table = study_table(
        located(plan.path, folder),
        holds="eligible staff",
        text_columns=key.values(),
        columns={COUNT: plan.count},
    )
    frame = table.frame.rename(columns={column: name for name, column in key.items()})
    faults = []
    if "school" not in key:
        faults.append(
            "the key of the eligible numbers must say which column is the school: "
            "key: {school: column}."
        )
    known = frame[list(key)].dropna()
    if n := len(known[known.duplicated()].drop_duplicates()):
        faults.append(
            f"keys ({' × '.join(key)}) that occur more than once: {n}. Complete the key, for "
            "example with the staff role; the numbers of a school are then added up."
        )
    if frame[COUNT].dtype.kind != "f":
        faults.append(
            table.mixed.get(COUNT, f"the column {plan.count!r} holds words, not numbers of staff.")
        )
    elif n := int((frame[COUNT].isna() | (frame[COUNT] < 0)).sum()):
        faults.append(
            f"cells of the column {plan.count!r} without a number of 0 or more: {n}. Correct them, "
            "or leave these rows out."
        )
    if faults:
        raise StudyError(table.source.name, faults)
    by = [name for name in ("school", "wave") if name in key]
    counts = frame.groupby(by, observed=True)[COUNT].sum().reset_index()
    return StudyTable(typed_times(counts), table.source, table.ledger)


def for_one_wave(survey: Scored, table: StudyTable) -> StudyTable:
    """Numbers without a wave belong to the wave of the answers, where there is only one."""
    frame = survey.frame
    if "wave" in table.frame.columns or "wave" not in frame.columns:
        return table
    waves = frame["wave"].dropna().unique()
    if len(waves) != 1:
        return table
    return replace(table, frame=table.frame.assign(wave=waves[0]))


def check_eligible(survey: Scored, table: StudyTable) -> None:
    """Refuse numbers that cannot be put beside the answers, school by school and wave by wave."""
    frame = survey.frame
    if survey.unit != "respondent" or "school" not in frame.columns:
        raise StudyError(
            table.source.name,
            ["eligible numbers belong to answers of people in schools. Set the role 'cluster'."],
        )
    ours, theirs = as_text(frame["school"]).dropna(), as_text(table.frame["school"])
    faults = []
    if not set(ours) & set(theirs):
        faults.append(no_match(ours, theirs, "school"))
    elif spelt := spelt_differently(ours, theirs):
        faults.append(f"some school ids match only after respelling: {spelt}.")
    if "wave" in table.frame.columns and "wave" not in frame.columns:
        faults.append("the numbers are by wave, and the answers have no wave. Set the role 'wave'.")
    elif "wave" in frame.columns and "wave" not in table.frame.columns:
        faults.append(
            "the answers have waves, and the numbers do not say for which wave they are. Give "
            "them a column for it: key: [school, wave]."
        )
    elif "wave" in frame.columns:
        waves = as_text(frame["wave"]).dropna(), as_text(table.frame["wave"])
        if not set(waves[0]) & set(waves[1]):
            faults.append(no_match(*waves, "wave"))
    if faults:
        raise StudyError(table.source.name, faults)


def response_by_school(survey: Scored, table: StudyTable | None) -> pd.DataFrame | None:
    """People with at least one score by school and wave, against the eligible numbers.

    Schools in which nobody answered are in it, with 0, where their numbers are known.
    """
    frame = survey.frame
    if survey.unit != "respondent" or "school" not in frame.columns:
        return None
    by = ["school", *(["wave"] if "wave" in frame.columns else [])]
    answered = frame[frame[list(survey.scales)].notna().any(axis=1)]
    counts = answered.groupby(by, observed=True).size().rename("n").reset_index()
    if table is None:
        return counts.assign(n_eligible=float("nan"), rate=float("nan"))
    asked = table.frame
    if "wave" in by:  # a later wave that nobody was asked in yet is not one without answers
        counts, asked = (part.assign(wave=as_text(part["wave"])) for part in (counts, asked))
        asked = asked[asked["wave"].isin(counts["wave"])]
    merged = counts.merge(asked, on=by, how="outer", sort=True)
    merged["n"] = merged["n"].fillna(0).astype(int)
    return typed_times(merged.assign(rate=merged["n"] / merged[COUNT].where(merged[COUNT] > 0)))
