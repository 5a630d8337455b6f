"""How many people could have answered in each group: the denominators of response rates."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from collabsurvey.errors import DataError, listed
from collabsurvey.multilevel.groups import Groups
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.quality.eligible import read_counts


def eligible_counts(
    eligible: Any, groups: Groups, keys: Sequence[str], *, roles: Collection[str] = ()
) -> tuple[Groups, FloatArray, list[str]]:
    """Groups, with those added that nobody answered in; eligible people (G,); what to say."""
    if eligible is None:
        return groups, np.full(len(groups.labels), np.nan), []
    counts = read_counts(eligible, keys, roles=roles)
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
