"""Maps of loadings and correlations: what is written, how clearly, and that nothing collides."""

from __future__ import annotations

import re
from itertools import combinations
from math import nan

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from collabsurvey.display import Chart
from collabsurvey.display.charts import ACCENT, INK
from collabsurvey.display.heat import (
    Shades,
    contrast,
    heat_chart,
    rgb,
    shade,
    text_on,
    written,
)
from collabsurvey.errors import DataError
from support import gold, matrix

WHITE, BLACK = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)
SCALES = ["Agreeableness", "Conscientiousness", "Extraversion", "Neuroticism", "Openness"]
WORDING = "We know what the partner school expects of us in this year"


def drawn(chart: Chart) -> tuple[Figure, Axes]:
    figure = Figure(figsize=chart.size, layout="constrained")
    FigureCanvasAgg(figure)
    ax = chart.plot(figure.add_subplot())
    figure.canvas.draw()
    return figure, ax


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def loadings() -> Chart:
    stored = matrix(gold("04_efa")["fa_minres_oblimin_bfi25"]["values"]["tight"]["loadings"])
    return heat_chart(
        stored.to_numpy().tolist(),
        list(stored.index),
        ["Factor 1", "Factor 2", "Factor 3", "Factor 4", "Factor 5"],
        title="Loadings of 25 items on five factors",
        description_of="loading",
        groups=[(name, 5) for name in SCALES],
        quiet_below=0.3,
        mark=[(0, 3)],
    )


def correlations(n: int, groups: list[tuple[str, int]] | None = None) -> Chart:
    answers = np.random.default_rng(3).normal(size=(200, n))
    answers[:, : n // 2] += answers[:, [0]]
    names = [f"item {i}" for i in range(n)]
    return heat_chart(
        np.corrcoef(answers.T).tolist(),
        names,
        names,
        title=f"Correlations of {n} items",
        description_of="correlation",
        groups=groups,
        square=True,
    )


def few() -> Chart:
    return heat_chart(
        [[0.7], [nan], [-0.2]],
        ["x1", "x2", "x3"],
        ["Factor"],
        title="Three items and a title that is wider than the only column",
        description_of="loading",
    )


def many() -> Chart:
    values = np.random.default_rng(4).uniform(-0.9, 0.9, size=(60, 5))
    values[:, 2] = nan
    return heat_chart(
        values.tolist(),
        [f"{WORDING} ({i})" for i in range(60)],
        ["Expectations of the partner", "Trust", "Never answered", "Conscientiousness", "Wins"],
        title="Loadings of sixty items with long wordings, of which one column has no numbers",
        description_of="loading",
        groups=[("Expectations of the partner", 58), ("One", 1), ("Another", 1)],
    )


# Colours.


def test_contrast_is_that_of_wcag() -> None:
    assert_allclose(contrast(BLACK, WHITE), 21.0, rtol=1e-12)
    assert contrast(WHITE, WHITE) == 1.0
    # #767676 is the palest grey that passes on white, #777777 the first that does not.
    assert contrast(rgb("#767676"), WHITE) >= 4.5 > contrast(rgb("#777777"), WHITE)


@given(value=st.floats(-1.5, 1.5), quiet=st.booleans())
def test_numbers_can_be_read_on_every_colour(value: float, quiet: bool) -> None:
    assert contrast(text_on(shade(value), quiet=quiet), shade(value)) >= 4.5


def test_quiet_numbers_recede() -> None:
    for value in (0.0, 0.2, -0.2):
        ground = shade(value)
        assert contrast(text_on(ground, quiet=True), ground) < contrast(text_on(ground), ground) / 2


def test_the_palette_runs_from_orange_over_white_to_blue() -> None:
    ends = [rgb(ACCENT), WHITE, rgb(INK)]
    assert_allclose([shade(x) for x in (-1.0, 0.0, 1.0)], ends, rtol=1e-12)
    assert shade(2.0, limit=0.5) == shade(0.5, limit=0.5) == shade(1.0)
    # In grey print both ends darken step by step with the distance from zero.
    for sign in (1, -1):
        depths = [contrast(shade(sign * x / 10), WHITE) for x in range(11)]
        assert depths == sorted(set(depths))
    assert shade(nan) != WHITE


def test_numbers_have_no_leading_zero_and_a_true_minus() -> None:
    assert [written(x) for x in (0.52, -0.31, 1.04, -1.0, 0.0, -0.001, 0.999)] == [
        ".52",
        "−.31",
        "1.04",
        "−1.00",
        ".00",
        ".00",
        "1.00",
    ]


# What is drawn.


def test_loadings_are_written_and_named() -> None:
    _, ax = drawn(loadings())
    assert [label.get_text() for label in ax.get_yticklabels()][:2] == ["A1", "A2"]
    assert ax.get_xticklabels()[0].get_text() == "Factor 1"
    shown = texts(ax)
    assert sum(bool(re.fullmatch(r"−?\.\d\d", text)) for text in shown) == 125
    assert set(SCALES) < set(shown)
    assert shown[-2:] == ["−1", "1   loading"]
    colours = {text.get_text(): text.get_color() for text in ax.texts}
    assert colours[".83"] == BLACK
    assert colours[".15"] != BLACK


def test_svg_names_everything_and_is_the_same_each_time() -> None:
    chart = loadings()
    svg = chart.to_svg()
    assert svg == loadings().to_svg()
    for name in ("A1", "Factor 3", "Neuroticism", "−.44", "Loadings of 25 items on five factors"):
        assert f">{name}<" in svg


def test_missing_numbers_are_left_blank() -> None:
    _, ax = drawn(few())
    assert [text for text in texts(ax) if re.fullmatch(r"−?\.\d\d", text)] == [".70", "−.20"]
    blank = ax.collections[0].get_facecolor()[1][:3]
    assert_allclose(blank, shade(nan))


def test_the_diagonal_of_a_square_map_is_blank() -> None:
    _, ax = drawn(correlations(4))
    assert "1.00" not in texts(ax)
    assert_allclose(ax.collections[0].get_facecolor()[::5, :3], [shade(nan)] * 4)


def test_numbers_drop_off_where_they_do_not_fit_and_dashes_keep_the_sign() -> None:
    _, small = drawn(correlations(12))
    _, large = drawn(correlations(40))
    assert any(text.startswith("−.") for text in texts(small))
    assert not any(text.startswith("−.") for text in texts(large))
    assert len(small.lines) == 0
    assert len(large.lines) > 0


def test_numbers_can_be_asked_for_and_refused() -> None:
    names = [f"q{i}" for i in range(30)]
    values = [[0.1] * 30] * 30
    for annotate, n in ((True, 900), (False, 0)):
        chart = heat_chart(
            values, names, names, title="T", description_of="loading", annotate=annotate
        )
        assert texts(drawn(chart)[1]).count(".10") == n


def test_long_names_of_a_square_map_become_numbers() -> None:
    _, ax = drawn(correlations(12))
    assert [label.get_text() for label in ax.get_xticklabels()][:2] == ["1", "2"]
    assert ax.get_yticklabels()[11].get_text() == "item 11  12"


def test_too_many_names_are_thinned_out_then_counted() -> None:
    _, ax = drawn(correlations(90))
    assert len(ax.get_yticks()) == 45
    _, ax = drawn(correlations(120, groups=[("First half", 60), ("Second half", 60)]))
    assert len(ax.get_yticks()) == 0
    assert ax.get_ylabel() == "120 rows"
    assert {"First half", "Second half"} < set(texts(ax))


def test_values_beyond_the_scale_are_said_to_be() -> None:
    chart = heat_chart([[0.4]], ["a"], ["b"], title="T", description_of="residual", limit=0.3)
    assert texts(drawn(chart)[1])[-2:] == ["≤ −.30", "≥ .30   residual"]


@pytest.mark.parametrize(
    "chart",
    [
        loadings(),
        few(),
        many(),
        correlations(3),
        correlations(18, groups=[("Expectations of the partner", 2), ("Trust", 16)]),
        correlations(43, groups=[("Expectations of the partner", 1), ("B", 1), ("C", 41)]),
        correlations(60),
        correlations(150, groups=[("A", 148), ("B", 1), ("C", 1)]),
    ],
    ids=lambda chart: chart.title,
)
def test_nothing_is_cut_off_or_overlaps(chart: Chart) -> None:
    figure, ax = drawn(chart)
    labels = [*ax.get_xticklabels(), *ax.get_yticklabels(), *ax.texts, ax.title]
    upright = [label for label in labels if label.get_text() and label.get_rotation() != 45]
    boxes = [label.get_window_extent() for label in labels if label.get_text()]
    for box in boxes:
        assert box.x0 >= -1 and box.y0 >= -1
        assert box.x1 <= figure.bbox.width + 1 and box.y1 <= figure.bbox.height + 1
    for one, other in combinations([label.get_window_extent() for label in upright], 2):
        wide = min(one.x1, other.x1) - max(one.x0, other.x0)
        high = min(one.y1, other.y1) - max(one.y0, other.y0)
        assert wide <= 1 or high <= 3  # line heights include room above the letters


def test_sizes_grow_and_stay_on_a_page() -> None:
    heights = [correlations(n).size[1] for n in (3, 10, 43, 60)]
    assert heights == sorted(heights)
    assert max(correlations(n).size[0] for n in (43, 60, 100, 150)) < 10
    assert many().size[1] < 12


def test_many_cells_make_a_small_file() -> None:
    assert len(correlations(60).to_svg()) < 150_000


def test_it_draws_on_given_axes() -> None:
    figure = Figure(layout="constrained")
    left, right = figure.subplots(1, 2)
    assert loadings().plot(left) is left
    assert len(right.texts) == 0


def test_names_are_not_read_as_mathematics() -> None:
    chart = heat_chart([[0.1]], ["costs $5 or $6"], ["$x"], title="T", description_of="loading")
    assert ">costs $5 or $6<" in chart.to_svg()


def test_styles_of_the_caller_are_left_alone() -> None:
    before = dict(mpl.rcParams)
    loadings().to_svg()
    assert dict(mpl.rcParams) == before


# Words and errors.


def test_words_give_the_largest_of_each_row() -> None:
    assert few().description == (
        "Three items and a title that is wider than the only column. Largest loading of each "
        "row: x1 0.70 on Factor; x3 −0.20 on Factor."
    )
    assert many().description.endswith("; and 30 more rows.")


def test_words_give_the_pairs_furthest_from_zero() -> None:
    values = [[1.0, -0.6, 0.1], [-0.6, 1.0, nan], [0.1, nan, 1.0]]
    chart = heat_chart(
        values, list("abc"), list("abc"), title="T", description_of="correlation", square=True
    )
    assert chart.description == (
        "T. 3 rows; each correlation furthest from zero: a with b −0.60; a with c 0.10."
    )
    assert correlations(43).description.endswith("; and 893 more pairs.")


def test_nothing_known_is_said_too() -> None:
    chart = heat_chart([[nan]], ["a"], ["b"], title="T", description_of="loading")
    assert chart.description == "T. Largest loading of each row: none."
    assert chart.to_svg()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rows": []}, "at least one row"),
        ({"values": [[0.1]]}, r"needs 2 × 2 values"),
        ({"rows": ["a"], "values": [[0.1, 0.2]], "square": True}, "1 rows but 2 columns"),
        ({"groups": [("A", 3)]}, "3 rows together, the map has 2"),
    ],
)
def test_what_does_not_fit_together_is_said(change: dict[str, object], said: str) -> None:
    given_: dict[str, object] = {
        "values": [[0.1, 0.2], [0.3, 0.4]],
        "rows": ["a", "b"],
        "columns": ["c", "d"],
        "title": "T",
        "description_of": "loading",
    }
    with pytest.raises(DataError, match=said):
        heat_chart(**(given_ | change))  # type: ignore[arg-type]


def test_amounts_go_from_white_at_their_start_to_blue() -> None:
    scale = Shades(limit=86.0, start=39.0, form=".1f")
    assert scale(39.0) == (1, 1, 1) and scale(20.0) == (1, 1, 1)
    assert_allclose(scale(86.0), rgb(INK), rtol=1e-12)
    halfway = tuple((1 + part) / 2 for part in rgb(INK))
    assert_allclose(scale(62.5), halfway)
    assert [scale.text(x) for x in (39.15, 0.04, -0.04, -3)] == ["39.1", "0.0", "0.0", "−3.0"]
    svg = heat_chart(
        [[39.15, 85.7], [50, 61]],
        ["a", "b"],
        ["c", "d"],
        title="Trust",
        description_of="mean",
        limit=86,
        start=39,
        form=".1f",
    ).to_svg()
    assert ">39<" in svg and ">86   mean<" in svg and ">85.7<" in svg
    assert "−" not in svg and "≥" not in svg
    beyond = heat_chart(
        [[30, 90]], ["a"], ["b", "c"], title="T", description_of="mean", limit=86, start=39
    ).to_svg()
    assert ">≤ 39<" in beyond and ">≥ 86   mean<" in beyond


def test_zeros_before_the_point_where_a_format_is_given() -> None:
    values, names = [[0.5, 1.0, 0.0, -0.001]], ["b", "c", "d", "e"]
    words = {"title": "T", "description_of": "asymmetry", "limit": 4.0}
    svg = heat_chart(values, ["a"], names, form=".2f", **words).to_svg()
    assert [x in svg for x in (">0.50<", ">1.00<", ">0.00<", "−0.00")] == [True, True, True, False]
    assert ">.50<" in heat_chart(values, ["a"], names, **words).to_svg()  # as loadings are
