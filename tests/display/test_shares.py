"""Bars of shares: the axis and the parts are both in per cent."""

from __future__ import annotations

from math import nan

import matplotlib.pyplot as plt

from collabsurvey.display.shares import share_chart


def test_axis_and_parts_are_in_per_cent() -> None:
    chart = share_chart(
        ["Ash", "Birch", "Cedar"],
        [[0.5, 0.3, 0.2], [0.97, 0.02, 0.01], [nan, nan, nan]],
        ["network", "coalition", "unitary"],
        title="Shares",
    )
    ax = chart.plot()
    ax.figure.canvas.draw()
    ticks = [label.get_text() for label in ax.get_xticklabels()]
    assert ticks[0] == "0%" and ticks[-1] == "100%"
    assert [text.get_text() for text in ax.texts] == ["50", "30", "20", "97"]
    assert "Ash: network 50%, coalition 30%, unitary 20%" in chart.description
    plt.close("all")
