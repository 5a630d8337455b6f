"""Two values of each name: what is drawn, what is said, what is left blank."""

from __future__ import annotations

from math import nan

import matplotlib.pyplot as plt

from collabsurvey.display.paired import paired_chart


def test_pairs_are_drawn_with_their_line() -> None:
    chart = paired_chart(
        ["Ash", "Birch", "Cedar"],
        [4.0, 3.0, nan],
        [3.0, nan, nan],
        names=("leaders", "staff"),
        title="Two views",
        axis="mean",
        hollow=[False, True, False],
        limits=(1, 5),
    )
    ax = chart.plot()
    dots = [line for line in ax.lines if line.get_marker() in ("o", "D") and len(line.get_xdata())]
    lines = [line for line in ax.lines if line.get_marker() == "None"]
    assert len(dots) == 3 and len(lines) == 1
    assert dots[-1].get_markerfacecolor() == "white"
    assert ax.get_xlim() == (1, 5)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["leaders", "staff"]
    assert "Ash 4.00 and 3.00; Birch 3.00 and nothing." in chart.description
    assert chart.to_svg().startswith("<svg")
    plt.close("all")
