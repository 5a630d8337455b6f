"""Charts with the same names down the left, beside each other on axes of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from collabsurvey.display.chart import Chart
from collabsurvey.display.charts import name_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GAP = 0.06  # of the width, between panels
FIRST, EACH = 2.6, 2.8  # inches for names and key, and for a panel


def beside(charts: Sequence[Chart], names: Sequence[str], *, title: str) -> Chart:
    """Draw charts of the same names in panels; the names stand once, the key of the last."""
    n = len(charts)
    width = (1 - GAP * (n - 1)) / n

    def draw(ax: Axes) -> None:
        name_axis(ax, names)
        ax.grid(visible=False)
        ax.spines[["bottom"]].set_visible(False)
        # Room below, as the panels' own axes take.
        ax.set_xlabel("\n")
        ax.set_xticks([0.5], [" "])
        ax.tick_params(axis="x", length=0)
        ax.set_xlim(0, 1)
        for i, chart in enumerate(charts):
            panel = ax.inset_axes((i * (width + GAP), 0, width, 1))
            chart.draw(panel)
            panel.set_yticks([])
            panel.set_ylim(ax.get_ylim())
            key = panel.get_legend()
            if key is not None and i < n - 1:
                key.remove()

    return Chart(
        title=title,
        description=" ".join(chart.description for chart in charts),
        draw=draw,
        size=(FIRST + EACH * n, max(chart.size[1] for chart in charts) + 0.15),
    )
