"""Kinds of relationship as they may be written: shares of everybody, partnerships and schools."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from collabsurvey.display.charts import MOST_NAMES
from collabsurvey.display.shares import share_chart
from collabsurvey.reporting.caterpillar import WIDTH, short
from collabsurvey.reporting.disclosure import Hidden
from collabsurvey.reporting.groups import People, in_order, parents_by_school
from collabsurvey.reporting.relations_hide import (
    EVERYBODY,
    NEARLY_ALL,
    answered_hidden,
    blank,
    hidden_by_size,
)

if TYPE_CHECKING:
    import pandas as pd

    from collabsurvey.display import Chart
    from collabsurvey.reporting.groups import Cell
    from collabsurvey.reporting.record import RunRecord
    from collabsurvey.reporting.relations_record import KindRecord

KEYS = ("level", "group", "scale")
# Of notes that are about calls in Python, which no reader of a report makes
CALLS = re.compile(r"\s*\((?:prior|zeros)=[^)]*\)|\s*They are listed in [^;]*faults\.")


@dataclass(frozen=True, eq=False)
class ReleasedKind:
    """Shares of types, and what people would want instead, in one wave.

    `shares` has one row a group and scale: level, group, scale, n, a column a type,
    suppressed. `moved`, where what is wanted was asked: level, group, n, moved (points of
    100), distance, a column a type (points of 100, wanted less now), suppressed.
    """

    title: str
    wave: str
    scales: Mapping[str, str]  # id → title
    types: tuple[str, ...]
    n: int | None  # None where fewer than min_group
    n_left_out: int
    shares: pd.DataFrame
    moved: pd.DataFrame | None
    charts: Mapping[str, Chart]  # by level
    notes: tuple[str, ...]

    def says(self, scale: str) -> str:
        """What tells the bars of one group apart."""
        if len(self.scales) == 1:
            return ""
        return "now" if scale == next(iter(self.scales)) else "wanted"


def released_kinds(record: RunRecord, cells: Mapping[Cell, Hidden]) -> tuple[ReleasedKind, ...]:
    """Every composition, in the order of the questionnaire and of waves."""
    return tuple(_released(one, record, cells) for one in record.relations.kinds)


def _released(one: KindRecord, record: RunRecord, cells: Mapping[Cell, Hidden]) -> ReleasedKind:
    instrument = record.responses.instrument if record.responses is not None else None
    titles = {
        name: instrument.scale(name).title if instrument is not None else name
        for name in one.scales
    }
    first = one.results[one.scales[0]]
    n = first.n_scored
    enough = n >= record.min_group
    hidden = _hidden(one, record, cells)
    shares = _shares(one, hidden)
    moved = _moved(one, hidden)
    if not enough:
        shares, moved = shares[:0], None
    released = ReleasedKind(
        title=titles[one.scales[0]],
        wave=one.wave,
        scales=titles,
        types=first.types,
        n=n if enough else None,
        n_left_out=one.n_left_out if enough else 0,
        shares=shares,
        moved=moved,
        charts={},
        notes=_notes(one, titles) if enough else (),
    )
    return replace(released, charts=_charts(released)) if enough else released


def _sizes(one: KindRecord, level: str) -> dict[str, int] | None:
    """People with shares in each group of a level; None where there is no such level."""
    groups = one.groups[one.scales[0]].get(level)
    if groups is None:
        return None
    return {str(name): int(n) for name, n in zip(groups.groups, groups.n, strict=True)}


def _alike(one: KindRecord, level: str) -> set[str]:
    """Groups in which nearly all answers are of one type."""
    found = set()
    for by_level in one.groups.values():
        groups = by_level.get(level)
        if groups is None:
            continue
        for name, row in zip(groups.groups, groups.mean_shares.tolist(), strict=True):
            if any(share > NEARLY_ALL for share in row):
                found.add(str(name))
    return found


def _hidden(one: KindRecord, record: RunRecord, cells: Mapping[Cell, Hidden]) -> Hidden:
    known = answered_hidden(cells, one.wave)
    also = Hidden(known.groups | _alike(one, "school"), known.parents | _alike(one, "partnership"))
    return hidden_by_size(
        one.results[one.scales[0]].n_scored,
        _sizes(one, "partnership"),
        _sizes(one, "school"),
        parents_by_school(record.scores, People.of(record.scores)),
        record.min_group,
        also=also,
    )


def _is_hidden(level: str, group: str, hidden: Hidden) -> bool:
    return group in (hidden.groups if level == "school" else hidden.parents)


def _shares(one: KindRecord, hidden: Hidden) -> pd.DataFrame:
    import pandas as pd

    types = one.results[one.scales[0]].types
    rows: list[dict[str, Any]] = []
    for scale, result in one.results.items():
        order = [result.types.index(name) for name in types]
        mean = [result.mean_shares[j] for j in order]
        rows.append(_row(EVERYBODY, EVERYBODY, scale, result.n_scored, types, mean))
        for level, groups in one.groups[scale].items():
            for i, name in enumerate(groups.groups):
                mean = [groups.mean_shares[i, j] for j in order]
                rows.append(_row(level, str(name), scale, groups.n[i], types, mean))
    return _ordered(pd.DataFrame(rows), hidden)


def _row(
    level: str, group: str, scale: str, n: int, types: Sequence[str], values: Sequence[float]
) -> dict[str, Any]:
    return {
        "level": level,
        "group": group,
        "scale": scale,
        "n": n,
        **dict(zip(types, values, strict=True)),
    }


def _moved(one: KindRecord, hidden: Hidden) -> pd.DataFrame | None:
    import pandas as pd

    shift = one.moved
    if shift is None or not shift.n_scored:
        return None
    rows = [
        {
            **_row(EVERYBODY, EVERYBODY, one.shift, shift.n_scored, shift.types, shift.change),
            "moved": shift.moved,
            "distance": shift.distance,
        }
    ]
    for level, groups in one.moved_groups.items():
        for i, name in enumerate(groups.groups):
            change = groups.change[i].tolist()
            rows.append(
                {
                    **_row(level, str(name), one.shift, groups.n[i], groups.types, change),
                    "moved": float(groups.moved[i]),
                    "distance": float(groups.distance[i]),
                }
            )
    return _ordered(pd.DataFrame(rows), hidden)


def _ordered(table: pd.DataFrame, hidden: Hidden) -> pd.DataFrame:
    """Everybody, partnerships, schools; groups by name; hidden ones blank."""
    levels = [EVERYBODY, "partnership", "school"]
    names = in_order(table["group"])
    scales = list(dict.fromkeys(table["scale"]))
    place = [
        (levels.index(level), names.index(group), scales.index(scale))
        for level, group, scale in zip(table["level"], table["group"], table["scale"], strict=True)
    ]
    table = table.iloc[sorted(range(len(table)), key=place.__getitem__)].reset_index(drop=True)
    hide = [
        level != EVERYBODY and (_is_hidden(level, group, hidden) or not n > 0)
        for level, group, n in zip(table["level"], table["group"], table["n"], strict=True)
    ]
    return blank(table, hide, KEYS)


def _charts(one: ReleasedKind) -> dict[str, Chart]:
    """One figure of everybody and partnerships, one of schools."""
    charts = {}
    for level, levels in (("partnership", (EVERYBODY, "partnership")), ("school", ("school",))):
        rows = one.shares[one.shares["level"].isin(levels) & ~one.shares["suppressed"]]
        if rows.empty or len(rows) > MOST_NAMES:
            continue
        labels = [
            short(", ".join(part for part in (str(group), one.says(str(scale))) if part))
            for group, scale in zip(rows["group"], rows["scale"], strict=True)
        ]
        values = rows[list(one.types)].to_numpy(dtype=float).tolist()
        chart = share_chart(labels, values, one.types, title=one.title)
        charts[level] = replace(chart, size=(WIDTH, chart.size[1]))
    return charts


def _notes(one: KindRecord, titles: Mapping[str, str]) -> tuple[str, ...]:
    notes = [note for result in one.results.values() for note in result.notes]
    if one.moved is not None:
        notes += one.moved.notes
    kept = dict.fromkeys(note for note in notes if not note.startswith("Synthetic"))
    return tuple(_named(CALLS.sub("", note), titles) for note in kept if "as_=" not in note)


def _named(note: str, titles: Mapping[str, str]) -> str:
    """A note with titles for ids."""
    for name, title in titles.items():
        note = re.sub(rf"(?<![\w.]){re.escape(name)}(?!\w|\.\w)", f"“{title}”", note)
    return note
