"""What schools say of each partner, as it may be written.

A school's figure about a partner is shown where at least `min_group` of its people answered about
that partner, and the school is not hidden among those who answered. The sum of all answers is
known, so hidden figures of a wave must protect each other. Names of partners are shown as those
of schools are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from collabsurvey.display.heat import heat_chart
from collabsurvey.partnership.dyad_result import rounded_down, rounded_up
from collabsurvey.partnership.pictures import cell_format
from collabsurvey.reporting.disclosure import Hidden, groups_to_hide
from collabsurvey.reporting.groups import in_order, label_of, labels_of
from collabsurvey.reporting.relations_hide import LEAST_UNSOLVABLE, answered_hidden, blank

if TYPE_CHECKING:
    import pandas as pd

    from collabsurvey.display import Chart
    from collabsurvey.reporting.groups import Cell
    from collabsurvey.reporting.record import RunRecord
    from collabsurvey.reporting.relations_record import DependenceRecord, DyadRecord

PLACE = ("partnership", "wave", "source", "target", "resource")
OF_PAIRS = ("partnership", "wave", "school_a", "school_b", "one_sided")
ROUNDED_TO = 2  # digits of reciprocity, into which hidden figures enter
MOST_DRAWN = 30  # schools in a figure
ALL = "all resources"


@dataclass(frozen=True, eq=False)
class ReleasedDyads:
    """One scale about partners.

    `directed`: source, target, n_raters, mean, ci_low, ci_high; `pairs`: school_a, school_b,
    a_to_b, b_to_a, asymmetry and its limits; both with partnership and wave where they are
    known, and suppressed. `reciprocity`: a row a wave.
    """

    scale: str
    title: str
    n_answers: int
    directed: pd.DataFrame
    pairs: pd.DataFrame
    reciprocity: pd.DataFrame
    conf_level: float
    chart: Chart | None
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ReleasedNeeds:
    """Who needs whom for what.

    `grid`: source, target, resource, n_raters, we_need_them, they_need_us, asymmetry and its
    limits, joint, suppressed; with partnership and wave where they are known.
    """

    scales: tuple[str, str]
    title: str
    grid: pd.DataFrame
    resources: tuple[str, ...]
    n_left_out: int
    conf_level: float


def released_dyads(record: RunRecord, cells: Mapping[Cell, Hidden]) -> tuple[ReleasedDyads, ...]:
    """Every scale about partners; the first has a figure."""
    return tuple(
        _released(one, record, cells, drawn=not i) for i, one in enumerate(record.relations.dyads)
    )


def released_needs(record: RunRecord, cells: Mapping[Cell, Hidden]) -> tuple[ReleasedNeeds, ...]:
    """Every grid of needs."""
    return tuple(_needs(one, record, cells) for one in record.relations.dependence)


def _title(record: RunRecord, scale: str) -> str:
    return scale if record.responses is None else record.responses.instrument.scale(scale).title


def _written(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Groups as they are written."""
    frame = frame.copy()
    for name in names:
        if name in frame.columns:
            frame[name] = labels_of(frame[name])
    return frame.reset_index(drop=True)


def _hidden_cells(
    frame: pd.DataFrame, record: RunRecord, cells: Mapping[Cell, Hidden]
) -> set[tuple[str, ...]]:
    """Directed pairs (partnership, wave, source, target) that are not shown."""
    keys = [name for name in PLACE[:4] if name in frame.columns]
    places = [tuple(map(str, row)) for row in frame[keys].itertuples(index=False)]
    waves = frame["wave"].tolist() if "wave" in frame.columns else [""] * len(frame)
    hidden: set[tuple[str, ...]] = set()
    for wave in dict.fromkeys(waves):
        known = answered_hidden(cells, str(wave)).groups
        sizes, also = {}, set()
        for place, when, n, source in zip(
            places, waves, frame["n_raters"], frame["source"], strict=True
        ):
            if when != wave:
                continue
            name = "\x00".join(place)
            sizes[name] = int(n)
            if source in known:
                also.add(name)
        gone = groups_to_hide(sizes, record.min_group, also=also)
        hidden |= {tuple(name.split("\x00")) for name in gone}
    return hidden


def _is_gone(frame: pd.DataFrame, keys: Sequence[str], hidden: set[tuple[str, ...]]) -> list[bool]:
    return [tuple(map(str, row)) in hidden for row in frame[list(keys)].itertuples(index=False)]


def _released(
    one: DyadRecord, record: RunRecord, cells: Mapping[Cell, Hidden], *, drawn: bool
) -> ReleasedDyads:
    result = one.result
    frame = _written(result.directed, PLACE)
    hidden = _hidden_cells(frame, record, cells)
    keys = [name for name in PLACE[:4] if name in frame.columns]
    wanted = [*keys, "n_raters", "mean", "sd", "ci_low", "ci_high"]
    directed = blank(frame[wanted], _is_gone(frame, keys, hidden), PLACE)
    pairs = _pairs(result.pairs, keys[:-2], hidden)
    title = _title(record, one.scale)
    return ReleasedDyads(
        scale=one.scale,
        title=title,
        n_answers=result.n_rows,
        directed=directed,
        pairs=pairs,
        reciprocity=_reciprocity(result.reciprocity, directed),
        conf_level=result.conf_level,
        chart=_heat(directed, title) if drawn else None,
        notes=tuple(note for note in result.notes if "Means and t" in note),
    )


def _pairs(pairs: pd.DataFrame, keys: Sequence[str], hidden: set[tuple[str, ...]]) -> pd.DataFrame:
    """Pairs of schools; both directions have to be shown."""
    frame = _written(pairs, OF_PAIRS[:4])
    there = _is_gone(frame, [*keys, "school_a", "school_b"], hidden)
    back = _is_gone(frame, [*keys, "school_b", "school_a"], hidden)
    wanted = [*keys, "school_a", "school_b", "n_a_to_b", "a_to_b", "n_b_to_a", "b_to_a"]
    wanted += ["asymmetry", "ci_low", "ci_high", "one_sided"]
    table = blank(frame[wanted], np.asarray(there) | np.asarray(back), OF_PAIRS)
    return table[~frame["one_sided"].to_numpy(dtype=bool)].reset_index(drop=True)


def _reciprocity(frame: pd.DataFrame, directed: pd.DataFrame) -> pd.DataFrame:
    """Correlations over pairs, where no one or two hidden figures could be worked out from them."""
    frame = _written(frame, ("wave",))
    numbers = [name for name in frame.columns if name not in ("wave", "n_pairs")]
    frame[numbers] = frame[numbers].astype(float)
    for i in range(len(frame)):
        rows = directed
        if "wave" in frame.columns and "wave" in directed.columns:
            rows = directed[directed["wave"] == frame.loc[i, "wave"]]
        n_hidden = int(rows["suppressed"].sum())
        if 0 < n_hidden < LEAST_UNSOLVABLE:
            frame.loc[i, numbers] = np.nan
        elif n_hidden:
            for name in numbers:
                frame.loc[i, name] = round(float(str(frame.loc[i, name])), ROUNDED_TO)
    return frame


def _heat(directed: pd.DataFrame, title: str) -> Chart | None:
    """Sources in rows, targets in columns, of the last wave; hidden and empty cells are grey."""
    rows = directed
    if "wave" in rows.columns:
        rows = rows[rows["wave"] == in_order(rows["wave"])[-1]]
    if rows["mean"].isna().all():
        return None
    place = dict[str, str]()
    if "partnership" in rows.columns:
        place = dict(zip(rows["source"], rows["partnership"], strict=True))
    names = in_order([*rows["source"], *rows["target"]])
    names.sort(key=lambda name: in_order(place.values()).index(place[name]) if name in place else 0)
    if len(names) > MOST_DRAWN:
        return None
    values = {(s, t): m for s, t, m in zip(rows["source"], rows["target"], rows["mean"],
                                           strict=True)}  # fmt: skip
    grid = [[float(values.get((s, t), np.nan)) for t in names] for s in names]
    limit = rounded_up(float(np.nanmax(np.abs(grid))))
    lowest = float(np.nanmin(grid))
    return heat_chart(
        grid,
        names,
        names,
        title=f"{title}: rows say it of columns",
        description_of="mean",
        limit=limit,
        start=rounded_down(lowest, limit) if lowest >= 0 else None,
        form=cell_format(limit),
    )


def _needs(one: DependenceRecord, record: RunRecord, cells: Mapping[Cell, Hidden]) -> ReleasedNeeds:
    frame = _written(one.result.grid, PLACE)
    keys = [name for name in PLACE[:4] if name in frame.columns]
    last = one.result.resources[-1]
    hidden = _hidden_cells(frame[frame["resource"] == last].reset_index(drop=True), record, cells)
    wanted: list[Any] = [*keys, "resource", "n_raters", "we_need_them", "they_need_us"]
    wanted += ["asymmetry", "ci_low", "ci_high", "joint"]
    return ReleasedNeeds(
        scales=one.scales,
        title=_title(record, one.scales[0]),
        grid=blank(frame[wanted], _is_gone(frame, keys, hidden), PLACE),
        resources=tuple(map(label_of, one.result.resources)),
        n_left_out=one.n_left_out,
        conf_level=one.result.conf_level,
    )
