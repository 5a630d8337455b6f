"""What the pictures of this folder have in common: units written out, room for their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite

from collabsurvey.display import Chart

LINE = 0.2  # inches of a line of the axis


def axis_broken(chart: Chart) -> Chart:
    """A chart whose axis is named in two lines: with room for both, and spoken as one."""
    wide, high = chart.size
    return replace(
        chart, description=chart.description.replace("\n", " "), size=(wide, high + LINE)
    )


def framed(
    values: Sequence[Sequence[float]], small: Sequence[Sequence[bool]], who: str
) -> tuple[list[tuple[int, int]], str]:
    """Cells of a map to be framed, as they rest on few, and what the title says of them."""
    known = [(i, j) for i, row in enumerate(values) for j, x in enumerate(row) if isfinite(x)]
    few = [(i, j) for i, j in known if small[i][j]]
    if not few:
        return [], ""
    if len(few) == len(known):
        return [], f" (all: {who})"
    return few, f" (framed: {who})"


def cell_format(limit: float) -> str:
    """How numbers up to a limit are written in a map: about three digits, zeros and all."""
    if limit >= 100:
        return ".0f"
    return ".1f" if limit >= 10 else ".2f"
