"""Which schools, partnerships and pairs of schools are hidden in tables about relations.

The rule is that of `disclosure`. People without a school, or without a partnership, count as a
group of their own that is never shown: what is left of a total is theirs. And where nearly
everybody in a group gave one answer, a figure would tell the answer of each of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from collabsurvey.reporting.disclosure import Hidden, groups_to_hide, nested_to_hide

if TYPE_CHECKING:
    import pandas as pd

    from collabsurvey.reporting.groups import Cell

NEARLY_ALL = 0.90  # of answers alike; with ten people, more is all of them. This project's rule
UNNAMED = "\x00"  # starts the name of people without a school or partnership
EVERYBODY = "everybody"  # name of a level, and of its only group
LEAST_UNSOLVABLE = 3  # hidden figures that a mean and a spread do not tell


def answered_hidden(cells: Mapping[Cell, Hidden], wave: str) -> Hidden:
    """What the table of who answered hides in a wave; "" is all waves together."""
    return cells.get((wave or None, None)) or Hidden()


def hidden_by_size(
    total: int,
    partnerships: Mapping[str, int] | None,
    schools: Mapping[str, int] | None,
    parents_of: Mapping[str, Collection[str]],
    min_group: int,
    *,
    also: Hidden,
) -> Hidden:
    """Schools and partnerships to hide beside a figure of everybody.

    Partnerships have to protect each other by themselves first, for a reader sees them as a table
    of their own; then schools within and outside of them.
    """
    hidden = Hidden(set(also.groups), set(also.parents))
    if partnerships is not None:
        sizes = with_rest(partnerships, total)
        gone = {*also.parents, *(name for name in sizes if name.startswith(UNNAMED))}
        hidden.parents |= groups_to_hide(sizes, min_group, also=gone)
    if schools is None:
        return hidden
    if partnerships is None:
        sizes = with_rest(schools, total)
        gone = {*also.groups, *(name for name in sizes if name.startswith(UNNAMED))}
        return Hidden(groups_to_hide(sizes, min_group, also=gone), set())
    sizes, parents = dict(schools), {name: set(of) for name, of in parents_of.items()}
    for name, n in partnerships.items():
        inside = sum(m for school, m in schools.items() if parents.get(school) == {name})
        if n > inside and not any(name in of and len(of) > 1 for of in parents.values()):
            sizes[UNNAMED + name], parents[UNNAMED + name] = n - inside, {name}
    sizes = with_rest(sizes, total)
    hidden.groups |= {name for name in sizes if name.startswith(UNNAMED)}
    return nested_to_hide(sizes, parents, partnerships, min_group, also=hidden)


def with_rest(sizes: Mapping[str, int], total: int) -> dict[str, int]:
    """Sizes with those of no group, where there are any."""
    rest = total - sum(sizes.values())
    return {**sizes, **({UNNAMED: rest} if rest > 0 else {})}


def blank(table: pd.DataFrame, hide: Collection[bool], keep: Collection[str]) -> pd.DataFrame:
    """The table with every column but those kept blank where hidden, and `suppressed`."""
    import numpy as np

    table = table.reset_index(drop=True).copy()
    gone = np.asarray(list(hide), dtype=bool)
    for name in table.columns:
        if name in keep:
            continue
        if table[name].dtype.kind in "fiub":
            table[name] = table[name].astype(float)
            table.loc[gone, name] = np.nan
        else:
            table[name] = table[name].astype(object)
            table.loc[gone, name] = None
    table["suppressed"] = gone
    return table
