"""A picture to be drawn: what it shows, in words, and how to draw it on axes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class Chart:
    """One set of axes: a title, a sentence for those who cannot see it, a drawing."""

    title: str
    description: str
    draw: Callable[[Axes], None]
    size: tuple[float, float] = (7.0, 4.0)  # inches

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw on the given axes, or on a new figure."""
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots(figsize=self.size, layout="constrained")
        self.draw(ax)
        ax.set_title(self.title, loc="left", fontsize=11)
        return ax

    def to_svg(self) -> str:
        """SVG text, drawn without a window and without a date, so that it can be compared."""
        from matplotlib import rc_context
        from matplotlib.figure import Figure

        # Text stays text, so that a reader can search and copy it.
        with rc_context({"svg.fonttype": "none", "svg.hashsalt": "collabsurvey"}):
            figure = Figure(figsize=self.size, layout="constrained")
            self.plot(figure.add_subplot())
            out = StringIO()
            figure.savefig(out, format="svg", metadata={"Date": None})
        text = out.getvalue()
        return text[text.index("<svg") :]
