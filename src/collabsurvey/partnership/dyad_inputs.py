"""Who answered about which partner: rows of any frame, checked, as codes of directed pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from collabsurvey.errors import DataError, NotEnoughDataError, listed
from collabsurvey.moments.columns import group_values
from collabsurvey.multilevel.inputs import ScoreTable
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray
from collabsurvey.responses.engine import Column, group_codes, read_columns

if TYPE_CHECKING:
    import pandas as pd

ROLE_OF = {
    "source": "cluster",
    "target": "partner",
    "rater": "respondent",
    "partnership": "partnership",
    "wave": "wave",
}
WHAT = {
    "source": "the column with the rater's own school",
    "target": "the column with the school the answers are about",
}
SHOWN = 5  # names in a message


@dataclass(frozen=True, eq=False)
class Ties:
    """Answers about partners, row by row, and the directed pairs they belong to.

    Attributes
    ----------
    directed : pandas.DataFrame
        One row a directed pair, in order: `partnership` and `wave` where they are known, then
        `source` and `target`.
    codes : (C, 4) codes of the columns partnership, wave, source, target; 0 where not known
    cell : (n,) the directed pair of each row
    values : name to (n,) numbers, NaN for missing
    schools : all schools that answer or are answered about, sorted
    n_rows : rows with a value
    n_raters : people among them, counted once in each school
    silent : schools that were asked about and gave no value themselves
    """

    directed: pd.DataFrame
    codes: IntArray
    cell: IntArray
    values: Mapping[str, FloatArray]
    schools: tuple[Any, ...]
    n_rows: int
    n_raters: int
    silent: tuple[Any, ...]
    notes: tuple[str, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """Which of partnership and wave are known."""
        return tuple(self.directed.columns[:-2])


@dataclass(frozen=True, eq=False)
class Names:
    """Codes (n,) of one column of names, -1 for none, and the names in order."""

    codes: IntArray
    labels: tuple[str, ...]
    numeric: bool

    @property
    def values(self) -> list[Any]:
        """Names as they were in the data."""
        return group_values(self.labels, numeric=self.numeric)


def partner_columns(
    table: ScoreTable, given: Mapping[str, str | None], *, method: str
) -> dict[str, str]:
    """Columns of source, target, rater, partnership and wave: named, or by their roles."""
    found = {}
    for option, role in ROLE_OF.items():
        name = given.get(option)
        if name is not None:
            found[option] = table.column(name)
        elif role in table.roles:
            found[option] = table.roles[role]
        elif option in WHAT:
            raise DataError(
                f"{method} needs {option}=, {WHAT[option]}"
                + (f", or the role {role!r}." if table.responses is not None else ".")
            )
    if found["source"] == found["target"]:
        raise DataError(
            f"source and target are both {found['source']!r}. {method} needs two columns: the "
            "school of the person who answers, and the school the answers are about."
        )
    return found


def read_ties(
    table: ScoreTable, columns: Mapping[str, str], values: Sequence[str], *, method: str
) -> Ties:
    """Read and check the rows; every fault is named in one message."""
    read = read_columns(table.frame, [*columns.values(), *values])
    numbers = {name: _numbers(read[name], name) for name in values}
    source, target = _schools(read[columns["source"]], read[columns["target"]])
    partnership = _names(read, columns.get("partnership"))
    wave = _names(read, columns.get("wave"))
    rater = _names(read, columns.get("rater"))
    answered = np.any([~np.isnan(x) for x in numbers.values()], axis=0)
    placed = (partnership.codes >= 0) & (wave.codes >= 0)
    named = (source.codes >= 0) & (target.codes >= 0)
    own = named & (source.codes == target.codes)
    kept = placed & named & ~own
    if not (kept & answered).any() and not (answered & ~kept).any():
        raise NotEnoughDataError(
            method, what=f"rows with a number in {listed(map(repr, values))}", found=0, needed=1
        )
    key = np.column_stack([partnership.codes, wave.codes, source.codes, target.codes])
    faults = [
        *_name_faults(source, target, answered & placed, columns),
        *_own_faults(source, own & answered, columns),
        *_spelling_faults(source.labels, "Schools", columns["source"], columns["target"]),
        *_spelling_faults(partnership.labels, "Partnerships", columns.get("partnership", "")),
        *_partnership_faults(key[kept & answered], partnership, source, columns),
        *_repeat_faults(key[kept], rater, rater.codes[kept], source, columns),
    ]
    if faults:
        raise DataError(" ".join(faults))
    if not kept.any():
        raise NotEnoughDataError(method, what="rows with a school and a partner", found=0, needed=1)
    codes, cell = np.unique(key[kept], axis=0, return_inverse=True)
    cell = np.asarray(cell, dtype=np.int64).reshape(-1)
    silent = np.setdiff1d(target.codes[kept], source.codes[kept & answered])
    names = source.values
    schools = np.union1d(source.codes[kept], target.codes[kept])
    return Ties(
        directed=_directed(codes, partnership, wave, source),
        codes=np.asarray(codes, dtype=np.int64),
        cell=cell,
        values={name: x[kept] for name, x in numbers.items()},
        schools=tuple(names[i] for i in schools),
        n_rows=int((kept & answered).sum()),
        n_raters=_count_raters(source.codes, rater.codes, kept & answered)
        if "rater" in columns
        else int((kept & answered).sum()),
        silent=tuple(names[i] for i in silent),
        notes=tuple(
            _notes(columns, source, silent, ~placed, placed & ~kept, rater.codes, kept & answered)
        ),
    )


def _numbers(column: Column, name: str) -> FloatArray:
    """Refuse text and what is not finite."""
    if column.categories is not None:
        if column.missing.all():
            return np.full(len(column.values), np.nan)
        raise DataError(
            f"Column {name!r} holds text ({listed(map(repr, column.categories), most=3)}), and "
            "its answers are to be averaged. Code them as numbers first."
        )
    values = np.asarray(column.values, dtype=np.float64)
    if np.isinf(values).any():
        raise DataError(f"Column {name!r} has infinite values. Set them to missing first.")
    return values


def _labelled(column: Column) -> tuple[IntArray, tuple[str, ...]]:
    """Codes and labels; text of blanks only is no name."""
    codes, labels = group_codes(column)
    blank = [i for i, label in enumerate(labels) if not label.strip()]
    return np.where(np.isin(codes, blank), -1, codes), labels


def _names(read: Mapping[str, Column], name: str | None) -> Names:
    """Names of one column; a single one for every row where there is no column."""
    if name is None:
        n = len(next(iter(read.values())).values)
        return Names(np.zeros(n, dtype=np.int64), ("",), numeric=False)
    codes, labels = _labelled(read[name])
    return Names(codes, labels, numeric=read[name].categories is None)


def _schools(first: Column, second: Column) -> tuple[Names, Names]:
    """Sources and targets with the same codes: schools in order, numbers as numbers."""
    numeric = first.categories is None and second.categories is None
    found = [_labelled(first), _labelled(second)]
    union = {labels[i] for codes, labels in found for i in np.unique(codes) if i >= 0}
    order = tuple(sorted(union, key=float) if numeric else sorted(union))
    place = {label: i for i, label in enumerate(order)}
    names = []
    for codes, labels in found:
        moved = np.array([place.get(label, -1) for label in labels] + [-1], dtype=np.int64)
        names.append(Names(moved[codes], order, numeric))
    return names[0], names[1]


def _directed(codes: IntArray, partnership: Names, wave: Names, schools: Names) -> pd.DataFrame:
    import pandas as pd

    columns = {}
    for j, (name, names) in enumerate(
        (("partnership", partnership), ("wave", wave), ("source", schools), ("target", schools))
    ):
        if names.labels != ("",):
            values = names.values
            columns[name] = [values[i] for i in codes[:, j]]
    return pd.DataFrame(columns)


def _count_raters(source: IntArray, rater: IntArray, rows: BoolArray) -> int:
    """People, each once in a school, and rows without an id."""
    known = rows & (rater >= 0)
    people = len(np.unique(np.column_stack([source[known], rater[known]]), axis=0))
    return people + int((rows & (rater < 0)).sum())


# What is wrong with the rows.


def _name_faults(
    source: Names, target: Names, rows: BoolArray, columns: Mapping[str, str]
) -> list[str]:
    faults = []
    for names, option, who in ((target, "target", "partner's"), (source, "source", "rater's")):
        if n := int((rows & (names.codes < 0)).sum()):
            have = "row has an answer" if n == 1 else "rows have an answer"
            faults.append(
                f"{n} {have} and no name in {columns[option]!r}, so the {who} school is not known: "
                "fill it in, or leave the answer out."
            )
    return faults


def _own_faults(source: Names, rows: BoolArray, columns: Mapping[str, str]) -> list[str]:
    if not rows.any():
        return []
    where = [source.labels[i] for i in np.unique(source.codes[rows])]
    return [
        f"{columns['source']!r} and {columns['target']!r} are the same school in {rows.sum()} of "
        f"the rows with an answer ({listed(where, most=SHOWN)}): a school is not its own partner."
    ]


def _spelling_faults(labels: Sequence[str], what: str, *columns: str) -> list[str]:
    spellings: dict[str, list[str]] = {}
    for label in labels:
        spellings.setdefault(" ".join(label.split()).casefold(), []).append(label)
    twice = [" and ".join(map(repr, found)) for found in spellings.values() if len(found) > 1]
    if not twice:
        return []
    return [
        f"{what} are spelt in more than one way in {' and '.join(map(repr, columns))}: "
        f"{listed(twice, most=SHOWN)}. Capitals and blanks count: write each name in one way."
    ]


def _partnership_faults(
    key: IntArray, partnership: Names, schools: Names, columns: Mapping[str, str]
) -> list[str]:
    """Two schools that answer about each other, each under another partnership."""
    under: dict[tuple[int, ...], tuple[set[int], set[int]]] = {}
    for p, w, s, t in np.unique(key, axis=0).tolist():
        sides = under.setdefault((w, min(s, t), max(s, t)), (set(), set()))
        sides[int(s > t)].add(p)
    apart = [
        f"{schools.labels[a]} about {schools.labels[b]} under {partnership.labels[min(one)]!r}, "
        f"{schools.labels[b]} about {schools.labels[a]} under {partnership.labels[min(other)]!r}"
        for (_, a, b), (one, other) in under.items()
        if one and other and not one & other
    ]
    if not apart:
        return []
    return [
        f"Schools that answer about each other have different names in {columns['partnership']!r}, "
        f"so their answers would not be put together: {listed(apart, most=SHOWN)}. Write the name "
        "of the partnership they share on both sides; if they are in none together, hand in the "
        "answers without a partnership."
    ]


def _repeat_faults(
    key: IntArray, rater: Names, rater_codes: IntArray, schools: Names, columns: Mapping[str, str]
) -> list[str]:
    if "rater" not in columns:
        return []
    known = rater_codes >= 0
    rows, times = np.unique(
        np.column_stack([key[known], rater_codes[known]]), axis=0, return_counts=True
    )
    twice = rows[times > 1]
    if not len(twice):
        return []
    shown = [
        f"{rater.labels[row[4]]} ({schools.labels[row[2]]}) about {schools.labels[row[3]]}"
        for row in twice[:SHOWN]
    ]
    shown += ["…"] * (len(twice) > SHOWN)
    mend = "keep one row"
    if "wave" not in columns:
        mend = "name the column of waves if there were several (wave=), or keep one row"
    when = " in one wave" if "wave" in columns else ""
    return [
        f"The same rater answers twice about the same partner{when}: {', '.join(shown)}; {mend}."
    ]


def _notes(
    columns: Mapping[str, str],
    schools: Names,
    silent: IntArray,
    unplaced: BoolArray,
    empty: BoolArray,
    rater: IntArray,
    rows: BoolArray,
) -> list[str]:
    """What was left out, whose answers there are none of, and who counts as a person."""
    notes = []
    if n := int(unplaced.sum()):
        where = " or ".join(columns[key] for key in ("partnership", "wave") if key in columns)
        notes.append(f"Rows without {where}, left out: {n}.")
    if n := int(empty.sum()):
        notes.append(f"Rows without an answer and without a partner, left out: {n}.")
    if len(silent):
        names = listed(schools.labels[i] for i in silent)
        notes.append(f"No answers from {names}: only what others say about them is known.")
    if "rater" not in columns:
        notes.append("No column of raters was named, so every row counts as another person.")
    elif n := int((rows & (rater < 0)).sum()):
        notes.append(f"Rows without a rater's id, each counted as another person: {n}.")
    return notes
