"""How many people could have answered in each group: the denominators of response rates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from collabsurvey.errors import DataError, listed
from collabsurvey.moments.columns import numeric_columns
from collabsurvey.multilevel.groups import Groups
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.responses.engine import (
    as_narwhals,
    column_names,
    group_codes,
    read_columns,
    require_columns,
)

Counts = dict[tuple[str, ...], float]


def eligible_counts(
    eligible: Any, groups: Groups, keys: Sequence[str]
) -> tuple[Groups, FloatArray, list[str]]:
    """Groups, with those added that nobody answered in; eligible people (G,); what to say."""
    if eligible is None:
        return groups, np.full(len(groups.labels), np.nan), []
    counts = read_counts(eligible, keys)
    notes = []
    if silent := [label for label in counts if label not in set(groups.labels)]:
        groups = with_empty(groups, silent)
        names = [" · ".join(label) for label in silent]
        notes.append(f"Eligible, but nobody answered: {listed(names)}.")
    found = np.array([counts.get(label, np.nan) for label in groups.labels])
    if unknown := [" · ".join(g) for g in groups.labels if g not in counts]:
        notes.append(f"No eligible number, so no response rate: {listed(unknown)}.")
    most = groups.n.max(axis=1)
    over = [" · ".join(g) for g, n, m in zip(groups.labels, most, found, strict=True) if n > m]
    if over:
        notes.append(
            f"More respondents than eligible people, so a number is wrong: {listed(over)}."
        )
    return groups, found, notes


def read_counts(eligible: Any, keys: Sequence[str]) -> Counts:
    """Eligible people by group label, from a mapping, a pandas Series or a frame."""
    if isinstance(eligible, Mapping) or (
        hasattr(eligible, "items") and not hasattr(eligible, "columns")
    ):
        pairs = [(label_of(group), float(count)) for group, count in eligible.items()]
    else:
        pairs = frame_counts(eligible, keys)
    if bad := [" · ".join(label) for label, count in pairs if not count >= 0]:
        raise DataError(
            f"eligible has no count, or a negative one, for {listed(bad)}. Correct it, or leave "
            "the group out."
        )
    counts = dict(pairs)
    if len(counts) < len(pairs):
        often = Counter(label for label, _ in pairs)
        twice = [" · ".join(label) for label, times in often.items() if times > 1]
        raise DataError(f"eligible names a group twice: {listed(twice)}.")
    if wrong := [" · ".join(label) for label in counts if len(label) != len(keys)]:
        raise DataError(
            f"eligible has groups that are not made of {' and '.join(keys)}: {listed(wrong)}."
        )
    return counts


def frame_counts(frame: Any, keys: Sequence[str]) -> list[tuple[tuple[str, ...], float]]:
    """Rows of a frame with the grouping columns and one column of counts."""
    table = as_narwhals(frame)
    require_columns(table, keys, where="The table of eligible people")
    others = [name for name in column_names(table) if name not in keys]
    counts = [name for name in others if name in numeric_columns(table)]
    if len(counts) != 1:
        raise DataError(
            f"The table of eligible people needs {' and '.join(keys)} and one column of counts; "
            f"it has {listed(counts)}. Keep only the column that counts."
        )
    columns = read_columns(table, [*keys, counts[0]])
    labels = []
    for key in keys:
        codes, names = group_codes(columns[key])
        labels.append([names[code] if code >= 0 else "" for code in codes])
    return list(zip(zip(*labels, strict=True), columns[counts[0]].values.tolist(), strict=True))


def label_of(group: Any) -> tuple[str, ...]:
    """Label of a group, written as `grouped` writes it: 3.0 is "3"."""
    parts = group if isinstance(group, tuple) else (group,)
    return tuple(f"{part:.15g}" if isinstance(part, float) else str(part) for part in parts)


def with_empty(groups: Groups, labels: Sequence[tuple[str, ...]]) -> Groups:
    """Return the groups with others among them that have no respondents."""
    for j, key in enumerate(groups.keys):
        if groups.numeric[j] and (odd := [x[j] for x in labels if not is_number(x[j])]):
            raise DataError(
                f"eligible has groups {listed(odd)}, but {key!r} holds numbers. Write the groups "
                "as they are in the scores."
            )
    shape = (len(labels), len(groups.scales))
    none, blank = np.zeros(shape), np.full(shape, np.nan)
    return replace(
        groups,
        labels=(*groups.labels, *labels),
        n=np.vstack([groups.n, none]),
        units=np.vstack([groups.units, none]),
        mean=np.vstack([groups.mean, blank]),
        ss=np.vstack([groups.ss, none]),
    ).in_order()


def is_number(text: str) -> bool:
    """Whether a label reads as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
