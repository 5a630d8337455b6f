"""Figures: several in one page do not meet; each says what it shows."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from collabsurvey.display.diverging import diverging_items
from collabsurvey.reporting import RunRecord, release
from collabsurvey.reporting.figures import Figure, all_figures

KEY = b"0123456789abcdef"
SHARES = [[0.1, 0.2, 0.3, 0.25, 0.15], [0.0, 0.1, 0.5, 0.2, 0.2]]
ANSWERS = ["Never", "Seldom", "Neither", "Often", "Always"]


@pytest.fixture(scope="module")
def figures(record: RunRecord) -> dict[str, Figure]:
    return all_figures(release(record, key=KEY))


def test_ids_of_figures_do_not_collide(figures: dict[str, Figure]) -> None:
    seen: set[str] = set()
    for figure in figures.values():
        ids = re.findall(r'\bid="([^"]+)"', figure.inline_svg())
        assert len(ids) == len(set(ids))
        assert not seen & set(ids)
        seen |= set(ids)


def test_a_figure_of_its_own_is_svg_with_its_caption(figures: dict[str, Figure]) -> None:
    for figure in figures.values():
        text = figure.standalone_svg()
        root = ElementTree.fromstring(text.split("?>", 1)[1])
        assert root.tag.endswith("svg")
        words = "".join(root.itertext())
        assert "(synthetic\u00a0data)" in words
        assert figure.caption.split(":", maxsplit=1)[0] in words


def test_hidden_schools_are_not_drawn(figures: dict[str, Figure]) -> None:
    drawn = figures["means-school-01-openness"].inline_svg()
    assert "Ash" in drawn
    assert "Birch" not in drawn
    assert "Cedar" not in drawn


def test_diverging_bars_part_at_the_line_and_set_the_middle_apart() -> None:
    from matplotlib.figure import Figure as Canvas

    chart = diverging_items(["One", "Two"], SHARES, ANSWERS, title="T", neutral=2)
    ax = Canvas().add_subplot()
    chart.draw(ax)
    bars = [p for p in ax.patches if p.get_height() == pytest.approx(0.24)]
    first = [(bar.get_x(), bar.get_width()) for bar in bars[:5]]
    assert [width for _, width in first] == pytest.approx([0.1, 0.2, 0.25, 0.15, 0.3])
    assert first[0][0] == pytest.approx(-0.3)
    assert first[2][0] == pytest.approx(0.0)
    assert first[4][0] > 0.25 + 0.15  # the middle answer, right of the longest agreement
    assert bars[9].get_x() == pytest.approx(first[4][0])


def test_the_description_counts_the_middle_apart() -> None:
    chart = diverging_items(["One.", "Two"], SHARES, ANSWERS, title="T", neutral=2)
    assert chart.description.startswith(
        "T. One: 40% answered “Often” or higher, 30% “Neither”; Two: 40%"
    )


def test_without_a_middle_bars_part_between_the_halves() -> None:
    chart = diverging_items(["One"], [[0.1, 0.2, 0.3, 0.4]], ["a", "b", "c", "d"], title="T")
    assert "70% answered “c” or higher" in chart.description
