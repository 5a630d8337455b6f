"""Two views of the same schools as they may be written.

A school's views are shown only where each rests on `min_group` people, and where those of its
people with a score who are on neither side are none or as many: their scores could be worked
out from the mean of the school. Schools that are hidden must protect each other; the mean gap
and its interval are two equations, so that there are three of them, or none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np

from collabsurvey.display.paired import paired_chart
from collabsurvey.reporting.caterpillar import WIDTH, short
from collabsurvey.reporting.disclosure import Hidden
from collabsurvey.reporting.groups import in_order, label_of
from collabsurvey.reporting.relations_hide import LEAST_UNSOLVABLE, answered_hidden, blank

if TYPE_CHECKING:
    import pandas as pd

    from collabsurvey.display import Chart
    from collabsurvey.reporting.groups import Cell
    from collabsurvey.reporting.record import RunRecord
    from collabsurvey.reporting.relations_record import GapRecord

ROUNDED_TO = 1  # digits of the mean gap where one or two schools are hidden elsewhere
WHOLE = ("mean_first", "mean_second", "gap", "ci_low", "ci_high")


@dataclass(frozen=True, eq=False)
class ReleasedView:
    """Two views in one wave.

    `whole` is over the schools with both: mean_first, mean_second, gap, ci_low, ci_high; empty
    where `reason` says why it is not shown. `schools`: school, n_first, mean_first, n_second,
    mean_second, gap, ci_low, ci_high, suppressed.
    """

    title: str
    wave: str
    names: tuple[str, str]
    scales: tuple[str, str]
    n_schools: int
    n_first: int | None
    n_second: int | None
    whole: Mapping[str, float]
    rounded: bool
    reason: str
    conf_level: float
    schools: pd.DataFrame
    chart: Chart | None


def released_views(record: RunRecord, cells: Mapping[Cell, Hidden]) -> tuple[ReleasedView, ...]:
    """Every pair of views, wave by wave."""
    return tuple(_released(one, record, cells) for one in record.relations.gaps)


def _released(one: GapRecord, record: RunRecord, cells: Mapping[Cell, Hidden]) -> ReleasedView:
    result = one.result
    frame = result.schools_frame.copy()
    frame.insert(0, "school", [label_of(name) for name in frame.pop(result.by)])
    both = frame[frame["gap"].notna()].reset_index(drop=True)
    hidden = _hidden(one, both, record.min_group, answered_hidden(cells, one.wave).groups)
    n_first, n_second = int(both["n_first"].sum()), int(both["n_second"].sum())
    reason = _reason(one, record, len(both), min(n_first, n_second))
    if reason:
        hidden = set(both["school"])
    n_elsewhere = _hidden_elsewhere(one, both, cells)
    rounded = not reason and 0 < n_elsewhere < LEAST_UNSOLVABLE
    row = result.overall_frame.iloc[0]
    names = () if reason else WHOLE
    whole = {name: float(row["estimate" if name == "gap" else name]) for name in names}
    columns = ["school", "n_first", "mean_first", "n_second", "mean_second", "gap", "ci_low",
               "ci_high"]  # fmt: skip
    order = {name: i for i, name in enumerate(in_order(frame["school"]))}
    table = frame[columns].sort_values("school", key=lambda names: names.map(order))
    alone = table["gap"].isna()
    schools = blank(table, table["school"].isin(hidden) | alone, ("school",))
    released = ReleasedView(
        title=one.title,
        wave=one.wave,
        names=one.names,
        scales=one.scales,
        n_schools=len(both),
        n_first=None if reason else n_first,
        n_second=None if reason else n_second,
        whole={k: round(v, ROUNDED_TO) if rounded else v for k, v in whole.items()},
        rounded=rounded,
        reason=reason,
        conf_level=result.conf_level,
        schools=schools,
        chart=None,
    )
    return replace(released, chart=_chart(released))


def _reason(one: GapRecord, record: RunRecord, n_schools: int, fewest: int) -> str:
    """Why nothing is shown; empty where it is."""
    word = record.school_word
    if n_schools < LEAST_UNSOLVABLE:
        return (
            f"only {n_schools} {word}{'s have' if n_schools != 1 else ' has'} both views, so that "
            "each side could work out the other"
        )
    if fewest < record.min_group:
        return f"fewer than {record.min_group} people stand behind one of the two views"
    return ""


def _hidden(one: GapRecord, both: pd.DataFrame, min_group: int, answered: set[str]) -> set[str]:
    """Schools whose views are not shown."""
    sizes: dict[str, int] = {}
    hidden = set()
    for row in both.to_dict("records"):
        name = str(row["school"])
        sides = (int(row["n_first"]), int(row["n_second"]))
        sizes[name] = min(sides)
        if min(sides) < min_group or name in answered or _leaves_few(one, name, sides, min_group):
            hidden.add(name)
    n_of = both.set_index("school")[["n_first", "n_second"]]
    while hidden and (
        len(hidden) < LEAST_UNSOLVABLE or int(n_of.loc[sorted(hidden)].sum().min()) < min_group
    ):
        free = [(n, name) for name, n in sizes.items() if name not in hidden]
        if not free:
            break
        hidden.add(min(free)[1])
    return hidden


def _leaves_few(one: GapRecord, school: str, sides: tuple[int, int], min_group: int) -> bool:
    """Whether few people of a school have a score and are on no side of it."""
    totals = [scored.get(school, 0) for scored in one.scored]
    if one.scales[0] == one.scales[1]:
        rests = [totals[0] - sum(sides)]
    else:
        rests = [total - n for total, n in zip(totals, sides, strict=True)]
    return any(0 < rest < min_group for rest in rests)


def _hidden_elsewhere(one: GapRecord, both: pd.DataFrame, cells: Mapping[Cell, Hidden]) -> int:
    """Most schools with both views whose mean on one of the scales is hidden among means."""
    schools = set(both["school"])
    counts = []
    for scale in one.scales:
        column = scale.replace(".", "_")
        known = cells.get((one.wave or None, column)) or cells.get((one.wave or None, scale))
        counts.append(len((known or Hidden()).groups & schools))
    return max((n for n in counts if n < LEAST_UNSOLVABLE), default=0)


def _chart(one: ReleasedView) -> Chart | None:
    """Both views of each school that is shown, in the order of names."""
    rows = one.schools[~one.schools["suppressed"]]
    if len(rows) < 2:
        return None
    chart = paired_chart(
        [short(str(name)) for name in rows["school"]],
        rows["mean_first"].tolist(),
        rows["mean_second"].tolist(),
        names=one.names,
        title=f"{one.title}: two views",
        axis="mean",
    )
    return replace(chart, size=(WIDTH, chart.size[1]))


def clear(one: ReleasedView) -> int:
    """1 or -1 where the interval of the mean gap leaves out 0, else 0."""
    low, high = one.whole.get("ci_low", np.nan), one.whole.get("ci_high", np.nan)
    if isnan(low) or isnan(high):
        return 0
    return int(low > 0) - int(high < 0)


def whole_row(one: ReleasedView) -> dict[str, Any]:
    """The row of a table over schools."""
    return {
        "scale": one.scales[1],
        "first": one.names[0],
        "second": one.names[1],
        "wave": one.wave,
        "n_schools": one.n_schools if not one.reason else None,
        "n_first": one.n_first,
        "n_second": one.n_second,
        **{name: one.whole.get(name) for name in WHOLE},
        "rounded": one.rounded,
        "not_shown": one.reason,
    }
