"""How many people could have answered in each group, as the caller hands it in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from collabsurvey.errors import DataError, listed
from collabsurvey.responses.engine import (
    as_narwhals,
    column_names,
    group_codes,
    read_columns,
    require_columns,
)

Counts = dict[tuple[str, ...], float]


def read_counts(eligible: Any, keys: Sequence[str], *, roles: Collection[str] = ()) -> Counts:
    """Eligible people by group label, from a mapping, a pandas Series or a frame.

    `roles`: columns with a role in the responses, which are no counts.
    """
    if isinstance(eligible, Mapping) or (
        hasattr(eligible, "items") and not hasattr(eligible, "columns")
    ):
        pairs = [(label_of(group), float(count)) for group, count in eligible.items()]
    else:
        pairs = frame_counts(eligible, keys, roles)
    if bad := [" · ".join(label) for label, count in pairs if not count >= 0]:
        raise DataError(
            f"eligible has no count, or a negative one, for {listed(bad)}. Correct it, or leave "
            "the group out."
        )
    often = Counter(label for label, _ in pairs)
    if twice := [" · ".join(label) for label, times in often.items() if times > 1]:
        raise DataError(f"eligible names a group twice: {listed(twice)}. Give one count a group.")
    if wrong := [" · ".join(label) for label in often if len(label) != len(keys)]:
        raise DataError(
            f"eligible has groups that are not made of {' and '.join(keys)}: {listed(wrong)}."
        )
    return dict(pairs)


def frame_counts(
    frame: Any, keys: Sequence[str], roles: Collection[str]
) -> list[tuple[tuple[str, ...], float]]:
    """Rows of a frame with the grouping columns and one column of counts.

    Text, true and false, and columns with a role (wave, partnership) are no counts. Rows of one
    group are not added up: of several waves they would be the same people again.
    """
    table = as_narwhals(frame)
    require_columns(table, keys, where="The table of eligible people")
    schema = table.collect_schema()
    others = [name for name in column_names(table) if name not in keys]
    counts = [name for name in others if schema[name].is_numeric()]
    if len(counts) > 1:
        counts = [name for name in counts if name not in roles]
    if len(counts) != 1:
        raise DataError(
            f"The table of eligible people needs {' and '.join(keys)} and one column of counts; "
            f"it has {listed(counts) or 'none'}. Keep only the column that counts."
        )
    columns = read_columns(table, [*keys, counts[0]])
    labels = []
    for key in keys:
        codes, names = group_codes(columns[key])
        labels.append([names[code] if code >= 0 else "" for code in codes])
    groups = list(zip(*labels, strict=True))
    if twice := [" · ".join(group) for group, times in Counter(groups).items() if times > 1]:
        raise DataError(
            f"eligible names a group twice: {listed(twice)}. Name the column that tells its rows "
            "apart in by as well, or give one row a group: keep one wave, since the others count "
            f"the same people again, then {summing(keys, counts[0])}."
        )
    return list(zip(groups, columns[counts[0]].values.tolist(), strict=True))


def summing(keys: Sequence[str], count: str) -> str:
    """How to add up the rows of each group."""
    by = repr(keys[0]) if len(keys) == 1 else repr(list(keys))
    return f"table.groupby({by}, as_index=False)[{count!r}].sum()"


def label_of(group: Any) -> tuple[str, ...]:
    """Label of a group, as `group_codes` writes it: 3.0 is "3"."""
    parts = group if isinstance(group, tuple) else (group,)
    return tuple(
        f"{part:.0f}" if isinstance(part, float) and part.is_integer() else str(part)
        for part in parts
    )
