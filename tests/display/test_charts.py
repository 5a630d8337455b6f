"""Drawings: everything named is drawn, missing values are left out, words say what is shown."""

from __future__ import annotations

import pytest

from collabsurvey.display.charts import (
    MOST_NAMES,
    bar_chart,
    chart_height,
    diverging_chart,
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


def test_bars_carry_their_numbers() -> None:
    svg = bar_chart(["a", "b"], [3, 7.5], title="T", axis="n").to_svg()
    assert "7.5" in svg


def test_shares_are_centred_on_the_middle_category() -> None:
    chart = diverging_chart(["q"], [[0.2, 0.5, 0.3]], ["no", "neither", "yes"], title="T")
    bars = chart.plot().patches
    assert [bar.get_x() for bar in bars] == pytest.approx([-0.45, -0.25, 0.25])
    assert "neither" in chart.to_svg()
    even = diverging_chart(["q"], [[0.4, 0.6]], ["no", "yes"], title="T").plot().patches
    assert [bar.get_x() for bar in even] == pytest.approx([-0.4, 0.0])
