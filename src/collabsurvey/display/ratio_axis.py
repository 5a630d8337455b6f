"""A logarithmic axis for ratios, with plain numbers: 0.5, 1, 2, 5."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_TICKS = 5
NARROW = 1.6  # ratio of the ends below which steps are of equal length
STEPS = ((1, 1.25, 1.5, 2, 3, 4, 6, 8), (1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,))


def ratio_axis(ax: Axes) -> None:
    """Make the x axis of what has been drawn logarithmic; call it last."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    ax.set_xscale("log")
    low, high = ax.get_xlim()
    ax.xaxis.set_major_locator(FixedLocator(ratio_ticks(low, high)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def ratio_ticks(low: float, high: float) -> list[float]:
    """Round numbers between two ratios, as many as can be read."""
    if high / low < NARROW:
        from matplotlib.ticker import MaxNLocator

        ticks = MaxNLocator(MOST_TICKS - 1, steps=[1, 2, 5, 10]).tick_values(low, high)
        return [float(f"{tick:.6g}") for tick in ticks if low <= tick <= high]
    found: list[float] = []
    for steps in STEPS:
        found = [step * 10.0**power for power in range(-6, 7) for step in steps]
        found = [tick for tick in found if low <= tick <= high]
        if len(found) <= MOST_TICKS:
            break
    return found[:: -(-len(found) // MOST_TICKS)] if found else [1.0]
