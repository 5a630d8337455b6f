"""Two values of each name on one line, with the distance between them drawn."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING

from collabsurvey.display.chart import Chart
from collabsurvey.display.charts import ACCENT, INK, MOST_NAMES, QUIET, chart_height, name_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEGEND = 0.45  # inches from the axis to the key
MORE = 0.17  # for each more line of the axis


def paired_chart(
    labels: Sequence[str],
    first: Sequence[float],
    second: Sequence[float],
    *,
    names: tuple[str, str],
    title: str,
    axis: str,
    hollow: Sequence[bool] | None = None,
    limits: tuple[float, float] | None = None,
) -> Chart:
    """A dot for the first value, a diamond for the second, and the line between them.

    Values that are missing are left blank; `hollow` marks names whose values rest on few.
    The shapes tell the two apart without colour.
    """
    marked = [False] * len(labels) if hollow is None else [bool(x) for x in hollow]
    rows = list(zip(first, second, marked, strict=True))

    def draw(ax: Axes) -> None:
        from matplotlib.transforms import ScaledTranslation

        for place, (a, b, mark) in enumerate(rows):
            if isfinite(a) and isfinite(b):
                ax.plot([a, b], [place, place], color=QUIET, linewidth=1.6, zorder=2)
            for x, shape, colour in ((a, "o", INK), (b, "D", ACCENT)):
                if isfinite(x):
                    fill = "white" if mark else colour
                    ax.plot([x], [place], shape, color=colour, markerfacecolor=fill, zorder=3)
        for name, shape, colour in zip(names, ("o", "D"), (INK, ACCENT), strict=True):
            ax.plot([], [], shape, color=colour, label=name)
        name_axis(ax, labels)
        if limits is not None:
            ax.set_xlim(*limits)
        ax.set_xlabel(axis)
        # Below the axis, whatever the height of the picture: beside the title there may be no room.
        room = LEGEND + MORE * axis.count("\n")
        below = ax.transAxes + ScaledTranslation(0, -room, ax.figure.dpi_scale_trans)
        ax.legend(
            frameon=False,
            loc="upper right",
            bbox_to_anchor=(1.0, 0.0),
            bbox_transform=below,
            ncols=2,
        )

    known = [
        f"{label} {spoken(a)} and {spoken(b)}"
        for label, a, b in zip(labels, first, second, strict=True)
        if isfinite(a) or isfinite(b)
    ]
    described = f"{title}. {axis}, {names[0]} and {names[1]}: {'; '.join(known[:MOST_NAMES])}."
    return Chart(
        title=title,
        description=described.replace("-", "−"),
        draw=draw,
        size=(7.0, chart_height(len(labels)) + 0.3),
    )


def spoken(value: float) -> str:
    """A value in a description."""
    return f"{value:.2f}" if isfinite(value) else "nothing"
