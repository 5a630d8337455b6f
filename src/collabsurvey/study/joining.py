"""From scores and outcomes to the tables that formulas are written for.

Names in a joined table: `respondent`, `school`, `partnership`, `wave`, `cohort`, … for the
roles; a scale's id with `_` for `.` (tru.expect → tru_expect); for the unit `respondent` also
`tru_expect_within` and `tru_expect_between`; for schools and pupils `tru_expect_between`, the
mean of the school's respondents (also under the plain name); the columns of the outcomes file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from collabsurvey.errors import StudyError, listed
from collabsurvey.reporting.record import JoinCount
from collabsurvey.responses.ids import plain_id
from collabsurvey.study.config import Outcome, Unit
from collabsurvey.study.tables import StudyTable

if TYPE_CHECKING:
    import pandas as pd

ROLE_NAMES = {"cluster": "school"}  # every other role keeps its name in joined tables


def formula_name(scale_id: str) -> str:
    """Name of a scale's column in a joined table: tru.expect → tru_expect."""
    return scale_id.replace(".", "_").replace("-", "_")


@dataclass(frozen=True, eq=False)
class Joined:
    """One table for models, and how its two halves met."""

    frame: pd.DataFrame
    unit: Unit
    conditions: tuple[str, ...]  # columns that are school means of the survey
    count: JoinCount | None
    mixed: Mapping[str, str]  # columns that are not numbers although they look like it


def respondent_table(scores: pd.DataFrame, scales: Sequence[str]) -> pd.DataFrame:
    """Scores of respondents with deviations from, and means of, their school (and wave)."""
    table = scores.copy()
    if "school" not in table.columns:
        return table
    keys = [name for name in ("school", "wave") if name in table.columns]
    groups = table.groupby(keys, observed=True, dropna=True)
    for scale in scales:
        mean = groups[scale].transform("mean")
        table[f"{scale}_within"] = table[scale] - mean
        table[f"{scale}_between"] = mean
    return table


def school_table(
    means: pd.DataFrame, scales: Sequence[str]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """One row per school (and wave) from long group means; names of the condition columns."""
    keys = [name for name in ("school", "wave", "partnership") if name in means.columns]
    wide = means.pivot_table(index=keys, columns="scale", values="mean")
    counts = means.groupby(keys, observed=True)["n"].max()
    table = wide.rename(columns=formula_name)
    table.columns.name = None
    between = [name for name in (formula_name(scale) for scale in scales) if name in table.columns]
    for name in between:
        table[f"{name}_between"] = table[name]
    table["n_respondents"] = counts
    return table.reset_index(), tuple(f"{name}_between" for name in between)


def join_outcome(
    survey: pd.DataFrame,
    outcome: Outcome,
    table: StudyTable,
    *,
    conditions: tuple[str, ...],
    calendar: Mapping[str, str],
) -> Joined:
    """Put the survey beside one outcomes file.

    Raises
    ------
    StudyError
        Keys that match nothing or more than once, or ids spelt differently in the two files.
    """
    where = f"outcome {outcome.id!r} ({table.source.name})"
    key = {name: column for name, column in outcome.key.items() if name != "wave"}
    right = table.frame.copy()
    for name, column in outcome.key.items():
        if name not in right.columns:
            right[name] = right[column]
    left = survey.copy()
    by: list[str] = [name for name in key if name in left.columns]
    if "cohort" in key and "wave" in left.columns and "cohort" not in left.columns:
        left, by = _dated(left, calendar, by, where)
    if "wave" in outcome.key and "wave" in left.columns:
        by.append("wave")
    absent = [name for name in outcome.key if name not in by and name != "cohort"]
    if absent:
        raise StudyError(
            where, [f"the survey has no {absent[0]} to match with. Set it in the roles."]
        )
    left[by] = left[by].astype("str").where(left[by].notna(), None)
    _refuse_repeats(left, right, by, outcome, where)
    clash = [c for c in right.columns if c in left.columns and c not in by]
    right = right.drop(columns=[c for c in clash if c in outcome.key])
    clash = [c for c in clash if c in right.columns]
    if clash:
        raise StudyError(
            where,
            [
                f"the column {clash[0]!r} is in the survey as well. "
                "Rename it with columns: {new_name: column}."
            ],
        )
    joined = left.merge(right, on=by, how="inner")
    unit = by[0]
    if joined.empty:
        raise StudyError(where, [_no_match(left, right, by)])
    spelt = _spelt_differently(left[unit], right[unit])
    if spelt:
        raise StudyError(where, [f"some {unit} ids match only after respelling: {spelt}."])
    count = JoinCount(
        outcome=outcome.id,
        n_survey_units=int(left[unit].nunique()),
        n_outcome_units=int(right[unit].nunique()),
        n_matched=int(joined[unit].nunique()),
        n_rows=len(joined),
    )
    return Joined(_typed_keys(joined), outcome.unit, conditions, count, dict(table.mixed))


def _dated(
    left: pd.DataFrame, calendar: Mapping[str, str], by: list[str], where: str
) -> tuple[pd.DataFrame, list[str]]:
    """Give each wave the cohort whose outcome follows it."""
    waves = [str(wave) for wave in left["wave"].dropna().unique()]
    unknown = sorted(set(waves) - set(calendar))
    if calendar and unknown:
        raise StudyError(
            where, [f"the calendar does not say which cohort follows wave {unknown[0]}."]
        )
    if calendar:
        left = left.assign(cohort=left["wave"].astype("str").map(calendar))
        return left, [*by, "cohort"]
    if len(waves) > 1:
        raise StudyError(
            where,
            [
                f"there are {len(waves)} waves, and outcomes by cohort. Say which cohort follows "
                "which wave: calendar: [{wave: 1, cohort: 2025}]."
            ],
        )
    return left, by


def _refuse_repeats(
    left: pd.DataFrame, right: pd.DataFrame, by: list[str], outcome: Outcome, where: str
) -> None:
    """One row of the survey per key; and of the outcomes, unless the unit is the pupil."""
    if outcome.unit != "respondent" and left.duplicated(by).any():
        raise StudyError(
            where,
            [
                f"the survey has several rows for one {' × '.join(by)}. Add wave or cohort to the "
                "key of the outcome, with a calendar."
            ],
        )
    full = [name for name in outcome.key if name in right.columns]
    repeated = right[right[full].notna().all(axis=1)].duplicated(full, keep=False)
    if outcome.unit != "pupil" and repeated.any():
        n = int(
            right.loc[repeated.reindex(right.index, fill_value=False), full]
            .drop_duplicates()
            .shape[0]
        )
        raise StudyError(
            where,
            [
                f"{n} keys ({' × '.join(full)}) occur more than once, so one row of the survey "
                "would match many. Choose rows with where: {column: value}, complete the key, or "
                "say unit: pupil."
            ],
        )


def _spelt_differently(left: pd.Series, right: pd.Series) -> str:
    """Ids that fail to match only for zeros, blanks, case or a trailing '.0'."""
    ours = {str(value) for value in left.dropna().unique()}
    theirs = {str(value) for value in right.dropna().unique()}
    plain = {plain_id(value): value for value in theirs - ours}
    pairs = [(a, plain[plain_id(a)]) for a in sorted(ours - theirs) if plain_id(a) in plain]
    return listed([f"{a!r} and {b!r}" for a, b in pairs], most=3) if pairs else ""


def _no_match(left: pd.DataFrame, right: pd.DataFrame, by: list[str]) -> str:
    unit = by[0]
    spelt = _spelt_differently(left[unit], right[unit])
    if spelt:
        return f"no key matches, but some would after respelling: {spelt}. Write ids in one way."
    ours = listed([repr(v) for v in left[unit].dropna().unique()], most=3)
    theirs = listed([repr(v) for v in right[unit].dropna().unique()], most=3)
    hint = ""
    if len(by) > 1 and set(left[unit].dropna()) & set(right[unit].dropna()):
        hint = f" The {unit} ids meet, but not together with {', '.join(by[1:])}."
    return (
        f"no key matches: the survey has {ours}, the file has {theirs} as {unit}.{hint} "
        "Check the key of the outcome."
    )


def _typed_keys(joined: pd.DataFrame) -> pd.DataFrame:
    """Years and waves that are numbers become numbers, so that a formula may use them as such."""
    import pandas as pd

    table = joined.copy()
    for name in ("cohort", "wave"):
        if name in table.columns:
            numbers = pd.to_numeric(table[name], errors="coerce")
            if numbers.notna().all():
                table[name] = numbers
    return table


def with_reasons(joined: Joined, columns: Sequence[str]) -> list[str]:
    """Faults of columns a formula uses although they are not clean numbers."""
    return [joined.mixed[column] for column in columns if column in joined.mixed]
