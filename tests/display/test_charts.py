"""Drawings: everything named is drawn, missing values are left out, words say what is shown."""

from __future__ import annotations

from collabsurvey.display.charts import (
    MOST_NAMES,
    chart_height,
    dot_chart,
    interval_chart,
)

NAN = float("nan")


def test_an_interval_chart_draws_what_is_there() -> None:
    chart = interval_chart(
        ["one", "two", "three"],
        [0.5, 0.7, NAN],
        [0.4, NAN, NAN],
        [0.6, NAN, NAN],
        title="T",
        axis="x",
        highlight=[False, True, False],
    )
    ax = chart.plot()
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["one", "two", "three"]
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert [dot.get_markerfacecolor() == "white" for dot in dots] == [False, True]
    assert len(ax.lines) == 3  # two dots and one interval
    assert chart.description == "T. x: one 0.50; two 0.70."


def test_negative_values_are_spoken_with_a_minus() -> None:
    assert "a −0.20" in dot_chart(["a"], [-0.2], title="T", axis="r", reference=0.0).description


def test_too_many_names_are_counted_instead() -> None:
    names = [str(i) for i in range(MOST_NAMES + 1)]
    ax = dot_chart(names, [0.0] * len(names), title="T", axis="x").plot()
    assert ax.get_ylabel() == "61 rows"
    assert chart_height(10_000) == chart_height(MOST_NAMES)
