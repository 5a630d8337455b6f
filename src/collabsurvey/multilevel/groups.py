"""Counts, means and sums of squares of groups: of respondents, or of schools in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from collabsurvey.moments import grouped
from collabsurvey.moments.columns import group_values, numeric_columns
from collabsurvey.multilevel.inputs import ScoreTable
from collabsurvey.numerics.typing import FloatArray, IntArray

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Groups:
    """G groups and k scales; `units` are what a group's error is computed from."""

    keys: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]  # (G,) one label for each key
    numeric: tuple[bool, ...]  # whether the labels of a key are numbers
    scales: tuple[str, ...]
    n: FloatArray  # (G, k) respondents
    units: FloatArray  # (G, k)
    mean: FloatArray  # (G, k) of the units
    ss: FloatArray  # (G, k) of the units about their mean
    notes: tuple[str, ...]

    def column(self, scale: str) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return n, units, mean and sum of squares (each (G,)) of one scale."""
        j = self.scales.index(scale)
        return self.n[:, j], self.units[:, j], self.mean[:, j], self.ss[:, j]

    def in_order(self) -> Groups:
        """Sort the groups: numbers as numbers, text as text."""
        place = sorted(range(len(self.labels)), key=lambda g: self._place(self.labels[g]))
        return replace(
            self,
            labels=tuple(self.labels[g] for g in place),
            n=self.n[place],
            units=self.units[place],
            mean=self.mean[place],
            ss=self.ss[place],
        )

    def _place(self, label: tuple[str, ...]) -> tuple[Any, ...]:
        parts = zip(label, self.numeric, strict=True)
        return tuple(float(part) if number else part for part, number in parts)

    def key_frame(self) -> pd.DataFrame:
        """One row a group, with the keys as they were in the data."""
        import pandas as pd

        columns = {
            key: group_values(tuple(label[j] for label in self.labels), numeric=self.numeric[j])
            for j, key in enumerate(self.keys)
        }
        return pd.DataFrame(columns)


def groups_of(
    table: ScoreTable, scales: Sequence[str], keys: Sequence[str], unit: str | None
) -> Groups:
    """Groups of the table by `keys`; of the means of each `unit` where one is named."""
    numbers = set(numeric_columns(table.frame))
    nested = [*keys, unit] if unit is not None else list(keys)
    person = repeated_person(table)
    moments = grouped(table.frame, scales, [*nested, person] if person else nested)
    notes = []
    if person and (moments.n > 1).any():
        notes.append("People answered several times; each counts once, with their mean.")
    if moments.n_without_group:
        missing = " or ".join([*nested, person] if person else nested)
        notes.append(f"Rows without {missing}, left out: {moments.n_without_group}.")
    n, mean, ss, labels = moments.n, moments.mean, moments.ss, moments.groups
    if person:
        n, mean, ss, labels = merged(moments.mean, labels, len(nested))
    units = respondents = n
    if unit is not None:
        respondents = summed(n, labels, len(keys))
        units, mean, ss, labels = merged(mean, labels, len(keys))
    return Groups(
        keys=tuple(keys),
        labels=tuple(labels),
        numeric=tuple(key in numbers for key in keys),
        scales=tuple(scales),
        n=respondents,
        units=units,
        mean=mean,
        ss=ss,
        notes=tuple(notes),
    ).in_order()


def repeated_person(table: ScoreTable) -> str | None:
    """Return the respondent column if people have several rows, which the roles must tell."""
    responses = table.responses
    if responses is None or "respondent" not in responses.roles:
        return None
    return responses.roles["respondent"] if responses.n_rows > responses.n_respondents else None


def merged(
    values: FloatArray, labels: Sequence[tuple[str, ...]], n_keys: int
) -> tuple[FloatArray, FloatArray, FloatArray, tuple[tuple[str, ...], ...]]:
    """Count, mean and sum of squares of rows of `values` (U, k) with the same first keys."""
    codes, groups = coded(labels, n_keys)
    there = ~np.isnan(values)
    n = added(there.astype(float), codes, len(groups))
    filled = np.where(there, values, 0.0)
    mean = np.divide(
        added(filled, codes, len(groups)), n, out=np.full(n.shape, np.nan), where=n > 0
    )
    away = np.where(there, values - mean[codes], 0.0)
    return n, mean, added(away**2, codes, len(groups)), groups


def summed(values: FloatArray, labels: Sequence[tuple[str, ...]], n_keys: int) -> FloatArray:
    """Sums (G, k) of rows with the same first keys, in the order of `merged`."""
    codes, groups = coded(labels, n_keys)
    return added(values, codes, len(groups))


def coded(
    labels: Sequence[tuple[str, ...]], n_keys: int
) -> tuple[IntArray, tuple[tuple[str, ...], ...]]:
    """Position of the group of each row, and the groups in order of appearance."""
    groups: dict[tuple[str, ...], int] = {}
    codes = [groups.setdefault(label[:n_keys], len(groups)) for label in labels]
    return np.array(codes, dtype=np.int64), tuple(groups)


def added(values: FloatArray, codes: IntArray, n_groups: int) -> FloatArray:
    """Sums (n_groups, k) of the rows of `values` by code."""
    total = np.zeros((n_groups, values.shape[1]))
    np.add.at(total, codes, values)
    return total
