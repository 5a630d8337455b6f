"""Rows of an outcome joined to the means of members, and what is known of those means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from collabsurvey.errors import DataError
from collabsurvey.moments.design import ModelRows, model_rows
from collabsurvey.numerics.aggregated import MemberMoments
from collabsurvey.numerics.typing import FloatArray, IntArray
from collabsurvey.regression.formula import Formula
from collabsurvey.regression.prepare import Groups
from collabsurvey.responses.engine import Column, as_narwhals, column_names, group_codes

ROUNDING = 1e-20  # share of all squares that is no more than the rounding of means


@dataclass(frozen=True, eq=False)
class Members:
    """Rows of the outcome, and the members behind their means."""

    frame: pd.DataFrame  # complete rows of the outcome, with the mean where it is not there
    values: FloatArray  # (N,) members' values
    codes: IntArray  # (N,) their groups
    labels: tuple[str, ...]
    eligible: FloatArray | None  # (N,) members of the group, as stated


def joined_rows(
    formula: Formula, data: Any, members: Any, *, x: str, group: str, n_eligible: str | None
) -> tuple[Members, list[str]]:
    """Read the rows; with a table of members, give each row the mean of its group's members."""
    extra = [n_eligible] if n_eligible else []
    if members is None:
        rows = model_rows(data, list(dict.fromkeys((*formula.columns, *extra))))
        return _members(rows, _frame(rows), x, group, n_eligible), []
    if x in column_names(as_narwhals(data)):
        raise DataError(
            f"Column {x!r} is in the data and among the members, so that it is not clear which is "
            "meant. Drop or rename it in one of them."
        )
    staff = model_rows(members, list(dict.fromkeys((x, group, *extra))))
    if staff.n_rows == 0:
        raise DataError(f"No member has both {x!r} and {group!r}. Check the table of members.")
    rows = model_rows(data, [name for name in formula.columns if name != x])
    codes, labels = group_codes(staff.columns[group])
    counts = np.bincount(codes, minlength=len(labels))
    sums = np.bincount(codes, weights=_numbers(staff, x), minlength=len(labels))
    mean = {label: sums[i] / counts[i] for i, label in enumerate(labels) if counts[i]}
    row_codes, row_labels = group_codes(rows.columns[group])
    own = np.array([mean.get(label, np.nan) for label in row_labels])[row_codes]
    known = np.isfinite(own)
    if not known.any():
        raise DataError(
            f"No group of {group!r} in the data is one of the members' ({row_labels[0]!r} there, "
            f"{labels[0]!r} among the members). Write both the same way."
        )
    frame = _frame(rows).assign(**{x: own})[known].reset_index(drop=True)
    told = _dropped(staff, rows, known, set(labels) - set(row_labels), group)
    return _members(staff, frame, x, group, n_eligible), told


def member_moments(rows: Members, groups: Groups, *, x: str, group: str) -> MemberMoments:
    """Counts, means and squares of the members of each group of the model (G,)."""
    place = {label: i for i, label in enumerate(groups.names)}
    own = np.array([place.get(label, -1) for label in rows.labels])[rows.codes]
    known, n_groups = own >= 0, len(groups.names)
    codes, values = own[known], rows.values[known]
    n = np.bincount(codes, minlength=n_groups).astype(np.float64)
    middle = float(values.mean())
    mean = middle + np.bincount(codes, weights=values - middle, minlength=n_groups) / n
    squares = (values - mean[codes]) ** 2
    ss = np.bincount(codes, weights=squares, minlength=n_groups).astype(np.float64)
    if ss.sum() <= ROUNDING * float(((values - middle) ** 2).sum()):
        raise DataError(
            f"{x!r} has one value within each {group!r}, so that nothing says how much its means "
            "vary by chance. Hand in the rows of the members."
        )
    if rows.eligible is None:
        return MemberMoments(n, mean, ss, np.ones(n_groups))
    total = np.zeros(n_groups)
    np.maximum.at(total, codes, rows.eligible[known])
    if (total < n).any():
        worst = groups.names[int(np.argmax(n - total))]
        raise DataError(
            f"{group} {worst} has more members who answered than are eligible. Check the counts."
        )
    return MemberMoments(n, mean, ss, 1 - n / total)


def _members(
    rows: ModelRows, frame: pd.DataFrame, x: str, group: str, n_eligible: str | None
) -> Members:
    codes, labels = group_codes(rows.columns[group])
    eligible = _numbers(rows, n_eligible) if n_eligible else None
    return Members(frame, _numbers(rows, x), codes, labels, eligible)


def _numbers(rows: ModelRows, name: str) -> FloatArray:
    column = rows.columns[name]
    if column.categories is not None:
        raise DataError(f"Column {name!r} holds text, and has no mean. Turn it into numbers.")
    return np.asarray(column.values, dtype=np.float64)


def _frame(rows: ModelRows) -> pd.DataFrame:
    """The complete rows as pandas, categories in their order."""
    return pd.DataFrame({name: _series(column) for name, column in rows.columns.items()})


def _series(column: Column) -> Any:
    if column.categories is None:
        return column.values
    return pd.Categorical.from_codes(column.values, categories=pd.Index(column.categories))


def _dropped(
    staff: ModelRows, rows: ModelRows, known: np.ndarray, unused: set[str], group: str
) -> list[str]:
    told = []
    if rows.n_dropped:
        told.append(f"{rows.n_dropped} rows of the outcome lack a value and were left out.")
    if staff.n_dropped:
        told.append(f"{staff.n_dropped} members lack a value or a group and were left out.")
    if without := int((~known).sum()):
        told.append(f"{without} rows are in groups of {group} without members and were left out.")
    if unused:
        told.append(f"{len(unused)} groups of {group} have members but no row of the outcome.")
    return told
