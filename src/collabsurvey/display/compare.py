"""The same values in several groups: a dot with its interval for each group, name by name."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from collabsurvey.display.chart import Chart
from collabsurvey.display.charts import ACCENT, INK, MOST_NAMES, QUIET, name_axis
from collabsurvey.errors import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# One look for each group: colour (Okabe–Ito and greys), marker, whether it is filled.
LOOKS = (
    (INK, "o", True), (ACCENT, "D", False), ("#404040", "s", True), ("#009E73", "^", False),
    ("#CC79A7", "v", True), ("#8C8C8C", "P", True),
)  # fmt: skip
ROW, MORE = 0.18, 0.11  # inches of a name, and for each group
FRAME = 1.0
KEY_WRAP = 22  # characters of a group's name on one line


@dataclass(frozen=True)
class Compared:
    """Values of one group, in the order of the names."""

    label: str
    estimate: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


def compare_chart(
    names: Sequence[str],
    groups: Sequence[Compared],
    *,
    title: str,
    axis: str,
    reference: float | None = None,
) -> Chart:
    """Dots with intervals, those of one name below each other in the order of the groups."""
    if len(groups) > len(LOOKS):
        raise DataError(
            f"{len(groups)} groups cannot be told apart in one picture; "
            f"choose up to {len(LOOKS)} of them."
        )
    step = 0.7 / max(len(groups), 2)

    def draw(ax: Axes) -> None:
        for k, (group, look) in enumerate(zip(groups, LOOKS, strict=False)):
            colour, marker, filled = look
            shift = (k - (len(groups) - 1) / 2) * step
            known = [i for i, x in enumerate(group.estimate) if isfinite(x)]
            for i in known:
                a, b = group.low[i], group.high[i]
                if isfinite(a) and isfinite(b):
                    ax.plot([a, b], [i + shift] * 2, color=colour, linewidth=1.5, zorder=2)
            ax.plot(
                [group.estimate[i] for i in known],
                [i + shift for i in known],
                marker,
                color=colour,
                markerfacecolor=colour if filled else "white",
                markersize=5,
                label=textwrap.fill(group.label, KEY_WRAP),
                zorder=3,
            )
        if reference is not None:
            ax.axvline(reference, color=QUIET, linewidth=1, zorder=1)
        name_axis(ax, names)
        for edge in range(1, len(names)):
            ax.axhline(edge - 0.5, color="#F0F0F0", linewidth=0.6, zorder=0)
        ax.set_xlabel(axis)
        ax.legend(
            loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=9, borderpad=0
        )

    parts = [
        f"{group.label}: "
        + "; ".join(
            f"{name} {x:.2f}"
            for name, x in zip(names[:MOST_NAMES], group.estimate, strict=False)
            if isfinite(x)
        )
        for group in groups
    ]
    height = FRAME + (ROW + MORE * len(groups)) * min(max(len(names), 2), MOST_NAMES)
    return Chart(
        title=title,
        description=f"{title}. {axis}. {'. '.join(parts)}.".replace(" -", " −"),
        draw=draw,
        size=(7.0, height),
    )
