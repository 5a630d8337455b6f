"""How far every scale is the same in all groups: one line a scale, one dot a level."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from collabsurvey.display import Chart
from collabsurvey.display.charts import ACCENT, GRID, INK, QUIET
from collabsurvey.reporting.caterpillar import WIDTH

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LONGEST_LINE = 27
MOST_LINES = 2
FRAME = 0.75  # inches
LINE = 0.14
GAP = 0.07


def ladders_chart(
    names: Sequence[str],
    levels: Mapping[str, str],
    holds: Sequence[Mapping[str, bool | None]],
    *,
    title: str,
) -> Chart:
    """Dots for the levels of each scale: filled where a level holds, hollow where it does not.

    `levels` maps a level to its heading; a level that was not looked at has no dot, one that
    could not be judged a dash.
    """
    labels = [
        "\n".join(textwrap.wrap(name, LONGEST_LINE, max_lines=MOST_LINES, placeholder="…")) or name
        for name in names
    ]
    lines = max(label.count("\n") + 1 for label in labels)

    def draw(ax: Axes) -> None:
        for place, one in enumerate(holds):
            passed = [i for i, level in enumerate(levels) if one.get(level)]
            if passed:
                ax.plot(passed, [place] * len(passed), color=INK, linewidth=1.6, zorder=2)
            for i, level in enumerate(levels):
                if level not in one:
                    continue
                held = one[level]
                if held is None:
                    ax.plot([i], [place], marker="_", color=QUIET, markersize=8)
                    continue
                colour = INK if held else ACCENT
                fill = colour if held else "white"
                ax.plot([i], [place], "o", color=colour, markerfacecolor=fill, zorder=3)
        ax.set_xlim(-0.5, len(levels) - 0.5)
        ax.set_ylim(len(labels) - 0.4, -0.6)
        ax.set_yticks(range(len(labels)), labels, fontsize=9)
        headings = [heading.replace(" ", "\n", 1) for heading in levels.values()]
        ax.set_xticks(range(len(levels)), headings, fontsize=9)
        ax.xaxis.tick_top()
        ax.grid(axis="y", color=GRID, linewidth=0.8, zorder=0)
        ax.set_axisbelow(True)
        ax.spines[:].set_visible(False)
        ax.tick_params(axis="both", length=0)

    said = []
    for name, one in zip(names, holds, strict=True):
        passed = [heading for level, heading in levels.items() if one.get(level)]
        said.append(f"{name}: {', '.join(passed) if passed else 'none'}")
    return Chart(
        title,
        f"{title}. Levels that hold: {'; '.join(said)}.",
        draw,
        (WIDTH, FRAME + (LINE * lines + GAP) * len(labels)),
    )
