"""Everything about relations that may be written, with its figures and its files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from collabsurvey.reporting.kinds_release import ReleasedKind, released_kinds
from collabsurvey.reporting.meanings_release import ReleasedMeaning, released_meanings
from collabsurvey.reporting.partners_release import (
    ReleasedDyads,
    ReleasedNeeds,
    released_dyads,
    released_needs,
)
from collabsurvey.reporting.views_release import ReleasedView, released_views, whole_row

if TYPE_CHECKING:
    import pandas as pd

    from collabsurvey.display import Chart
    from collabsurvey.reporting.disclosure import Hidden
    from collabsurvey.reporting.groups import Cell
    from collabsurvey.reporting.record import RunRecord


P = TypeVar("P", ReleasedKind, ReleasedMeaning, ReleasedView)


@dataclass(frozen=True, eq=False)
class ReleasedRelations:
    """Kinds of relationship, shared meaning, two views, partners."""

    kinds: tuple[ReleasedKind, ...] = ()
    meanings: tuple[ReleasedMeaning, ...] = ()
    views: tuple[ReleasedView, ...] = ()
    dyads: tuple[ReleasedDyads, ...] = ()
    needs: tuple[ReleasedNeeds, ...] = ()


def released_relations(record: RunRecord, cells: Mapping[Cell, Hidden]) -> ReleasedRelations:
    """Apply disclosure control to everything about relations."""
    several = "wave" in record.scores.columns and len(set(record.scores["wave"].dropna())) > 1

    def named(parts: tuple[P, ...]) -> tuple[P, ...]:
        """A single wave is not named."""
        return parts if several else tuple(replace(one, wave="") for one in parts)

    return ReleasedRelations(
        kinds=named(released_kinds(record, cells)),
        meanings=named(released_meanings(record, cells)),
        views=named(released_views(record, cells)),
        dyads=released_dyads(record, cells),
        needs=released_needs(record, cells),
    )


def figure_name(*parts: str) -> str:
    """Name of a figure: letters, digits and hyphens."""
    text = "-".join(part for part in parts if part)
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def charts_of(shown: ReleasedRelations) -> Iterator[tuple[str, str, Chart]]:
    """Name, caption and drawing of each figure."""
    for kind in shown.kinds:
        for level, chart in kind.charts.items():
            who = "schools" if level == "school" else "everybody and partnerships"
            caption = f"{kind.title}{in_wave(kind.wave)}: {who}, shares in per cent"
            yield figure_name("kind", next(iter(kind.scales)), kind.wave, level), caption, chart
    for meaning in shown.meanings:
        if meaning.chart is not None:
            caption = f"{meaning.chart.title}{in_wave(meaning.wave)}"
            yield figure_name("meaning", meaning.scale, meaning.wave), caption, meaning.chart
    for view in shown.views:
        if view.chart is not None:
            caption = f"{view.chart.title}{in_wave(view.wave)}"
            yield figure_name("views", view.scales[1], view.wave), caption, view.chart
    for one in shown.dyads:
        if one.chart is not None:
            yield figure_name("partners", one.scale), one.chart.title, one.chart


def in_wave(wave: str) -> str:
    """The wave in words; empty where there is none."""
    return f", wave {wave}" if wave else ""


def relation_tables(shown: ReleasedRelations) -> dict[str, pd.DataFrame | None]:
    """Files by their names."""
    import pandas as pd

    views = [whole_row(one) for one in shown.views]
    return {
        "kinds": _together([_long(one, one.shares, "share") for one in shown.kinds]),
        "kinds_wanted": _together(
            [_long(one, one.moved, "change") for one in shown.kinds if one.moved is not None]
        ),
        "agreement": _together(
            [_marked(one.groups, scale=one.scale, wave=one.wave) for one in shown.meanings]
        ),
        "agreement_answers": _together(
            [_marked(one.cards, scale=one.scale, wave=one.wave) for one in shown.meanings]
        ),
        "two_views": pd.DataFrame(views) if views else None,
        "two_views_schools": _together(
            [
                _marked(one.schools, scale=one.scales[1], wave=one.wave)
                for one in shown.views
                if not one.reason
            ]
        ),
        "partners": _together([_marked(one.directed, scale=one.scale) for one in shown.dyads]),
        "partner_pairs": _together([_marked(one.pairs, scale=one.scale) for one in shown.dyads]),
        "reciprocity": _together(
            [_marked(one.reciprocity, scale=one.scale) for one in shown.dyads]
        ),
        "needs": _together([_marked(one.grid) for one in shown.needs]),
    }


def _long(one: ReleasedKind, table: pd.DataFrame, value: str) -> pd.DataFrame:
    """One row a group and type, for types differ from scale to scale."""
    others = [name for name in table.columns if name not in one.types]
    long = table.melt(id_vars=others, value_vars=list(one.types), var_name="type", value_name=value)
    long.insert(0, "wave", one.wave)
    first = ["scale", "wave", "level", "group", "n", "type", value]
    order = {name: i for i, name in enumerate(one.types)}
    place = long.assign(row=[*range(len(table))] * len(one.types), of=long["type"].map(order))
    long = long.loc[place.sort_values(["row", "of"], kind="stable").index]
    return long[[*first, *(name for name in long.columns if name not in first)]]


def _marked(table: pd.DataFrame, **columns: str) -> pd.DataFrame:
    """The table with these columns first; a wave of its own stays."""
    table = table.copy()
    for i, (name, value) in enumerate(columns.items()):
        if name not in table.columns:
            table.insert(i, name, value)
    return table


def _together(parts: Sequence[pd.DataFrame]) -> pd.DataFrame | None:
    """One table of all parts that have rows; a wave nobody has is left out."""
    import pandas as pd

    filled = [part for part in parts if len(part)]
    if not filled:
        return None
    names = list(dict.fromkeys(name for part in filled for name in part.columns))
    table = pd.DataFrame(
        {
            name: [
                value
                for part in filled
                for value in (part[name].tolist() if name in part.columns else [None] * len(part))
            ]
            for name in names
        }
    )
    if "wave" in table.columns and (table["wave"] == "").all():
        table = table.drop(columns="wave")
    return table
