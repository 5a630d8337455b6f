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
from collabsurvey.study.config import Outcome
from collabsurvey.study.plans import Unit
from collabsurvey.study.tables import StudyTable, as_text

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
    left, by = _keyed(survey, outcome, calendar, where)
    right = table.frame.drop(columns=[c for c in outcome.key.values() if _taken(c, left, by)])
    right = right.assign(**{name: table.frame[column] for name, column in outcome.key.items()})
    own = [n for n, c in outcome.key.items() if n != c and n in table.frame.columns]
    clash = [c for c in right.columns if c in left.columns and c not in by]
    faults = [
        f"the file has a column {name!r} of its own, and its {name} is in {outcome.key[name]!r}. "
        "Say which columns you need, and under which names, with columns: {name: column}."
        for name in own
    ]
    faults += [
        f"the column {name!r} is in the survey as well. "
        "Rename it with columns: {new_name: column}, or leave it out of them."
        for name in clash
    ]
    if faults:
        raise StudyError(where, faults)
    _refuse_repeats(left, right, by, outcome, where)
    left, right = left.dropna(subset=by), right.dropna(subset=by)  # a missing id matches nothing
    joined = left.merge(right, on=by, how="inner")
    unit = by[0]
    if joined.empty:
        raise StudyError(where, [no_match(left[unit], right[unit], unit, by[1:])])
    if spelt := spelt_differently(left[unit], right[unit]):
        raise StudyError(where, [f"some {unit} ids match only after respelling: {spelt}."])
    if absent := sorted(set(left.get("cohort", ())) - set(right.get("cohort", ()))):
        raise StudyError(where, [f"the file has no row of the cohort {listed(absent)}."])
    count = JoinCount(
        outcome=outcome.id,
        n_survey_units=len(left[by].drop_duplicates()),
        n_outcome_units=len(right[by].drop_duplicates()),
        n_matched=len(joined[by].drop_duplicates()),
        n_rows=len(joined),
    )
    return Joined(typed_times(joined), outcome.unit, conditions, count, dict(table.mixed))


def _taken(column: str, left: pd.DataFrame, by: Sequence[str]) -> bool:
    """Whether a key column of the outcomes is called like another column of the survey."""
    return column in left.columns and column not in by


def _keyed(
    survey: pd.DataFrame, outcome: Outcome, calendar: Mapping[str, str], where: str
) -> tuple[pd.DataFrame, list[str]]:
    """The survey with the columns to match by, as text; and their names, the unit first."""
    left = survey
    if "cohort" in outcome.key and "wave" in left.columns and "cohort" not in left.columns:
        left = _dated(left, calendar, outcome, where)
    by: list[str] = [name for name in outcome.key if name in left.columns]
    absent = [name for name in outcome.key if name not in by and name != "cohort"]
    if absent:
        raise StudyError(
            where,
            [f"the survey has no {name} to match with. Set it in the roles." for name in absent],
        )
    return left.assign(**{name: as_text(left[name]) for name in by}), by


def _dated(
    left: pd.DataFrame, calendar: Mapping[str, str], outcome: Outcome, where: str
) -> pd.DataFrame:
    """Give each wave the cohort whose outcome follows it."""
    wave = as_text(left["wave"])
    waves = sorted(wave.dropna().unique())
    if not calendar and len(waves) < 2:
        return left
    if not calendar:
        raise StudyError(
            where,
            [
                f"there are {len(waves)} waves, and outcomes by cohort. Say which cohort follows "
                "which wave: calendar: [{wave: 1, cohort: 2025}]."
            ],
        )
    if unknown := [name for name in waves if name not in calendar]:
        raise StudyError(
            where, [f"the calendar does not say which cohort follows wave {listed(unknown)}."]
        )
    cohorts = [calendar[name] for name in waves]
    if outcome.unit != "respondent" and len(set(cohorts)) < len(cohorts):
        raise StudyError(
            where,
            [
                "the calendar names one cohort for several waves, so its outcomes would be counted "
                "several times. Leave a wave out of this study, or correct the calendar."
            ],
        )
    return left.assign(cohort=wave.map(calendar))


def _refuse_repeats(
    left: pd.DataFrame, right: pd.DataFrame, by: list[str], outcome: Outcome, where: str
) -> None:
    """One row of the survey per key; and of the outcomes, unless the unit is the pupil."""
    if outcome.unit != "respondent" and left.dropna(subset=by).duplicated(by).any():
        raise StudyError(
            where,
            [
                f"the survey has several rows for one {' × '.join(by)}. Add wave or cohort to the "
                "key of the outcome, with a calendar."
            ],
        )
    full = list(outcome.key)
    keys = right[full].dropna()
    repeated = keys[keys.duplicated(full)].drop_duplicates()
    if outcome.unit != "pupil" and len(repeated):
        raise StudyError(
            where,
            [
                f"{len(repeated)} keys ({' × '.join(full)}) occur more than once, so one row of "
                "the survey would match many. Choose rows with where: {column: value}, complete "
                "the key, or say unit: pupil."
            ],
        )


def spelt_differently(left: pd.Series, right: pd.Series) -> str:
    """Ids that fail to match only for zeros, blanks, case or a trailing '.0'."""
    ours = {str(value) for value in left.dropna().unique()}
    theirs = {str(value) for value in right.dropna().unique()}
    plain = {plain_id(value): value for value in theirs - ours}
    pairs = [(a, plain[plain_id(a)]) for a in sorted(ours - theirs) if plain_id(a) in plain]
    return listed([f"{a!r} and {b!r}" for a, b in pairs], most=3) if pairs else ""


def no_match(ours: pd.Series, theirs: pd.Series, unit: str, others: Sequence[str] = ()) -> str:
    """Say why no id of the survey is one of the file."""
    if spelt := spelt_differently(ours, theirs):
        return f"no key matches, but some would after respelling: {spelt}. Write ids in one way."
    have = listed([repr(v) for v in ours.dropna().unique()], most=3)
    found = listed([repr(v) for v in theirs.dropna().unique()], most=3)
    hint = ""
    if others and set(ours.dropna()) & set(theirs.dropna()):
        hint = f" The {unit} ids meet, but not together with {', '.join(others)}."
    return (
        f"no key matches: the survey has {have}, the file has {found} as {unit}.{hint} "
        "Check the key and the files."
    )


def typed_times(table: pd.DataFrame) -> pd.DataFrame:
    """Years and waves that are numbers become numbers, so that a formula may use them as such."""
    import pandas as pd

    changed = {}
    for name in ("cohort", "wave"):
        if name in table.columns and table[name].dtype.kind not in "iuf":
            numbers = pd.to_numeric(table[name], errors="coerce")
            if as_text(numbers).equals(as_text(table[name])):  # "01" and "1" stay two waves
                changed[name] = numbers
    return table.assign(**changed)


def with_reasons(joined: Joined, columns: Sequence[str]) -> list[str]:
    """Faults of columns a formula uses although they are not clean numbers."""
    return [joined.mixed[column] for column in columns if column in joined.mixed]
