"""Groups side by side: a dot for each known value, looks that can be told apart."""

from __future__ import annotations

import pytest

from collabsurvey.display.compare import LOOKS, Compared, compare_chart
from collabsurvey.errors import DataError

NAN = float("nan")


def test_each_group_has_its_dots_and_intervals() -> None:
    one = Compared("One", [0.5, 0.7], [0.4, 0.6], [0.6, 0.8])
    two = Compared("Two", [-0.2, NAN], [NAN, NAN], [NAN, NAN])
    chart = compare_chart(["a", "b"], [one, two], title="T", axis="x", reference=0.0)
    ax = chart.plot()
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["a", "b"]
    dots = {line.get_label(): line for line in ax.lines if line.get_linestyle() == "None"}
    assert dots["One"].get_xdata().tolist() == [0.5, 0.7]
    assert dots["Two"].get_xdata().tolist() == [-0.2]
    assert dots["One"].get_marker() != dots["Two"].get_marker()
    assert dots["One"].get_ydata()[0] < dots["Two"].get_ydata()[0]  # the first on top
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["One", "Two"]
    assert chart.description == "T. x. One: a 0.50; b 0.70. Two: a −0.20."


def test_more_groups_than_looks_are_refused() -> None:
    many = [Compared(str(i), [0.0], [0.0], [0.0]) for i in range(len(LOOKS) + 1)]
    with pytest.raises(DataError, match="7 groups cannot be told apart"):
        compare_chart(["a"], many, title="T", axis="x")
