"""Tables by school and partnership, as they may be shown.

Which groups are hidden is judged from the scores themselves, per scale and wave, and again
from each table's own numbers; `disclosure` has the rule.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np

from collabsurvey.quality.response_rate import wilson_interval
from collabsurvey.reporting.disclosure import Hidden, groups_to_hide, nested_to_hide

if TYPE_CHECKING:
    import pandas as pd

    from collabsurvey.reporting.record import RunRecord

SCHOOL = ("school", "cluster")  # how a cluster's column may be called
TIME = ("wave", "cohort")
SUPPRESSED = "suppressed"  # column of every table by group: whether its numbers are hidden
KEPT_WHEN_HIDDEN = ("n_eligible", SUPPRESSED)  # known without the survey
DROPPED = ("below_min_n",)  # would tell small groups from those hidden for their sake

SPREAD = ("sd", "se", "ci_low", "ci_high")
LEAST_UNSOLVABLE = 3  # hidden schools that a mean and a spread do not tell

Cell = tuple[Hashable, str | None]  # (wave or None for all, scale or None for having answered)


@dataclass(frozen=True)
class People:
    """Where the columns of people and groups are in the frame of scores."""

    respondent: str | None
    school: str | None
    partnership: str | None
    wave: str | None

    @classmethod
    def of(cls, scores: pd.DataFrame) -> People:
        """Find the columns by role name."""

        def first(*names: str) -> str | None:
            return next((name for name in names if name in scores.columns), None)

        return cls(first("respondent"), first(*SCHOOL), first("partnership"), first("wave"))


def label_of(value: object) -> str:
    """How a school, wave or partnership is written: 3.0 is "3", missing is empty."""
    if (
        value is None
        or (isinstance(value, float) and isnan(value))
        or str(value) in ("NaT", "<NA>")
    ):
        return ""
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    return str(value)


def labels_of(column: pd.Series[Any]) -> pd.Series[Any]:
    """Every value of a column as it is written."""
    labelled: pd.Series[Any] = column.astype(object).map(label_of)
    return labelled


def in_order(names: Iterable[str]) -> list[str]:
    """Different names as a reader looks for them: S2 before S10."""
    return sorted(set(names), key=name_order)


def name_order(name: str) -> tuple[tuple[int, int, str], ...]:
    """Key that puts names in the order of their letters and their numbers."""
    parts = re.split(r"(\d+)", name)
    return tuple(
        (0, int(part), "") if part.isdecimal() else (1, 0, part.casefold()) for part in parts
    )


def count_people(scores: pd.DataFrame, by: str, people: People) -> dict[str, int]:
    """Different respondents in each group; a row without an id counts as one person."""
    groups = labels_of(scores[by])
    if people.respondent is None:
        counts = groups.value_counts()
    else:
        ids = scores[people.respondent]
        named = ids.notna()
        counts = ids[named].groupby(groups[named]).nunique()
        counts = counts.add(groups[~named].value_counts(), fill_value=0)
    return {str(name): int(n) for name, n in counts.items() if name}


def parents_by_school(scores: pd.DataFrame, people: People) -> dict[str, set[str]]:
    """Partnerships of each school."""
    if people.school is None or people.partnership is None:
        return {}
    schools, parents = labels_of(scores[people.school]), labels_of(scores[people.partnership])
    found: dict[str, set[str]] = {}
    for school, parent in set(zip(schools, parents, strict=True)):
        if school and parent:
            found.setdefault(school, set()).add(parent)
    return found


def hide_in(scores: pd.DataFrame, min_group: int, also: Hidden | None = None) -> Hidden:
    """Schools and partnerships to hide among these rows of one wave and scale."""
    people = People.of(scores)
    if people.school is None:
        if people.partnership is None:
            return Hidden()
        sizes = count_people(scores, people.partnership, people)
        return Hidden(set(), groups_to_hide(sizes, min_group, also=also.parents if also else ()))
    sizes = count_people(scores, people.school, people)
    if people.partnership is None:
        return Hidden(groups_to_hide(sizes, min_group, also=also.groups if also else ()))
    parent_sizes = count_people(scores, people.partnership, people)
    parents_of = parents_by_school(scores, people)
    return nested_to_hide(sizes, parents_of, parent_sizes, min_group, also=also)


def hidden_cells(
    scores: pd.DataFrame, scales: tuple[str, ...], min_group: int
) -> dict[Cell, Hidden]:
    """What is hidden for every wave (and all waves together) and scale (and having answered).

    Who is hidden for having answered is hidden on every scale.
    """
    people = People.of(scores)
    parts: list[tuple[Hashable, pd.DataFrame]] = [(None, scores)]
    if people.wave is not None:
        waves = labels_of(scores[people.wave])
        parts += [(wave, scores[waves == wave]) for wave in sorted(set(waves))]
    cells: dict[Cell, Hidden] = {}
    for wave, rows in parts:
        answered = hide_in(rows, min_group)
        cells[wave, None] = answered
        for scale in scales:
            cells[wave, scale] = hide_in(rows[rows[scale].notna()], min_group, answered)
    return cells


def response_table(record: RunRecord, cells: Mapping[Cell, Hidden]) -> pd.DataFrame | None:
    """Who answered, by school (and wave); finer groups, such as staff roles, are added up."""
    frame = record.response_by_school
    if frame is None or frame.empty:
        return None
    unit = next((name for name in SCHOOL if name in frame.columns), str(frame.columns[0]))
    keys = [unit, *(name for name in ("partnership", *TIME) if name in frame.columns)]
    table = frame.groupby(keys, dropna=False, sort=False, as_index=False).agg(
        {
            "n": "sum",
            **({"n_eligible": _sum_if_known} if "n_eligible" in frame.columns else {}),
        }
    )
    if "n_eligible" not in table:
        table["n_eligible"] = np.nan
    table["rate"] = table["n"] / table["n_eligible"]
    n = table["n_eligible"].to_numpy(dtype=float)
    table["ci_low"], table["ci_high"] = wilson_interval(
        table["rate"].to_numpy(dtype=float), n, conf_level=record.conf_level
    )
    parents = parents_by_school(record.scores, People.of(record.scores))
    return _suppressed(table, unit, None, "school", record.min_group, cells, parents)


def response_waves(record: RunRecord) -> dict[str, tuple[float, float]]:
    """Answers and places of each wave over all schools, where both are known and not few."""
    frame = record.response_by_school
    if frame is None or not {"wave", "n_eligible"} <= set(frame.columns):
        return {}
    found = {}
    waves = labels_of(frame["wave"])
    for wave in in_order(name for name in waves if name):
        rows = frame[waves == wave]
        if rows["n_eligible"].notna().all() and rows["n"].sum() >= record.min_group:
            found[wave] = float(rows["n"].sum()), float(rows["n_eligible"].sum())
    return found


def means_table(
    record: RunRecord, level: str, frame: pd.DataFrame, cells: Mapping[Cell, Hidden]
) -> pd.DataFrame:
    """Group means of one level as they may be shown; long, one row a group and scale."""
    before = list(frame.columns)[: list(frame.columns).index("scale")]
    unit = level if level in before else next(c for c in before if c not in TIME)
    kind = "school" if level in SCHOOL or unit in SCHOOL else level
    parents = parents_by_school(record.scores, People.of(record.scores))
    table = frame.drop(columns=[name for name in DROPPED if name in frame.columns])
    table = _suppressed(table, unit, "scale", kind, record.min_group, cells, parents)
    return _without_solvable_spread(table, unit, cells, parents) if kind == "partnership" else table


def _without_solvable_spread(
    table: pd.DataFrame, unit: str, cells: Mapping[Cell, Hidden], parents_of: Mapping[str, set[str]]
) -> pd.DataFrame:
    """Blank the spread of school means where one or two of a partnership's schools are hidden.

    The mean and the spread are two equations, from which two hidden means could be solved.
    """
    waves = labels_of(table["wave"]) if "wave" in table.columns else None
    for i, name in labels_of(table[unit]).items():
        row = int(str(i))
        wave = None if waves is None else waves[row]
        hidden = cells.get((wave, str(table.loc[row, "scale"])), Hidden()).groups
        n_hidden = sum(name in parents_of.get(school, ()) for school in hidden)
        if 0 < n_hidden < LEAST_UNSOLVABLE:
            table.loc[row, [name for name in SPREAD if name in table.columns]] = np.nan
    return table


def _sum_if_known(values: pd.Series[Any]) -> float:
    return float(values.sum()) if values.notna().all() else float("nan")


def _suppressed(
    table: pd.DataFrame,
    unit: str,
    scale: str | None,
    kind: str,
    min_group: int,
    cells: Mapping[Cell, Hidden],
    parents_of: Mapping[str, set[str]],
) -> pd.DataFrame:
    """Blank every number of the groups that are hidden, cell by cell (wave × scale)."""
    table = table.reset_index(drop=True).copy()
    names = labels_of(table[unit])
    waves = labels_of(table["wave"]) if "wave" in table.columns else None
    scales = table[scale] if scale else None
    hide = np.zeros(len(table), dtype=bool)
    for wave in [None] if waves is None else sorted(set(waves)):
        for one in [None] if scales is None else list(dict.fromkeys(scales)):
            rows = np.ones(len(table), dtype=bool)
            if waves is not None:
                rows &= np.asarray(waves == wave)
            if scales is not None:
                rows &= np.asarray(scales == one)
            known = cells.get((wave, one)) or cells.get((wave, None)) or Hidden()
            sizes = table.loc[rows, "n"].fillna(0).groupby(names[rows]).sum()
            counts = {str(name): int(n) for name, n in sizes.items()}
            hidden = _hidden_names(kind, counts, min_group, known, parents_of)
            hide |= rows & np.asarray(names.isin(hidden))
    table[SUPPRESSED] = hide
    numbers = [
        name
        for name in table.columns
        if name not in (unit, scale, "partnership", *TIME, *KEPT_WHEN_HIDDEN)
    ]
    table[numbers] = table[numbers].astype(float)
    table.loc[hide, numbers] = np.nan
    return table


def _hidden_names(
    kind: str,
    counts: Mapping[str, int],
    min_group: int,
    known: Hidden,
    parents_of: Mapping[str, set[str]],
) -> set[str]:
    if kind == "school" and parents_of:
        parent_sizes: dict[str, int] = {}
        for name, n in counts.items():
            for parent in parents_of.get(name, ()):
                parent_sizes[parent] = parent_sizes.get(parent, 0) + n
        return nested_to_hide(counts, parents_of, parent_sizes, min_group, also=known).groups
    also = known.groups if kind == "school" else known.parents if kind == "partnership" else ()
    return groups_to_hide(counts, min_group, also=also)
