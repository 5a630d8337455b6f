"""The scree plot: eigenvalues, what they are compared with, and every method's verdict."""

from __future__ import annotations

from itertools import combinations
from math import nan

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from collabsurvey.display import Chart
from collabsurvey.display.scree import Series, scree_chart
from collabsurvey.errors import DataError
from support import gold

VERDICTS = {
    "parallel analysis (components)": 5,
    "parallel analysis (factors)": 6,
    "minimum average partial": 5,
    "empirical Kaiser criterion": 6,
    "VSS, complexity 1": 4,
    "exploratory graph analysis": None,
}


def drawn(chart: Chart, size: tuple[float, float] | None = None) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size or chart.size, layout="constrained")
    FigureCanvasAgg(figure)
    ax = chart.plot(figure.add_subplot())
    figure.canvas.draw()
    return figure, ax


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def both(entry: str = "parallel_eigen_bfi25") -> list[Series]:
    stored = gold("04_efa")[entry]["values"]
    simulated = stored["pc_sim_mean_or_quantile"]
    return [
        Series("components", stored["pc_values"], simulated, "components, simulated (95 %)"),
        Series("factors", stored["fa_values"], stored["fa_sim"], "factors, simulated (95 %)"),
    ]


def bfi() -> Chart:
    return scree_chart(both(), VERDICTS, title="How many factors: 25 items")


def test_it_draws_eigenvalues_and_what_they_are_compared_with() -> None:
    _, ax = drawn(bfi())
    observed = [line for line in ax.lines if line.get_marker() in ("o", "D")][:2]
    dashed = [line for line in ax.lines if line.get_linestyle() == "--"]
    assert [line.get_marker() for line in observed] == ["o", "D"]
    for line, one in zip(observed, both(), strict=True):
        assert_allclose(line.get_ydata(), one.values)
    for line, one in zip(dashed, both(), strict=True):
        assert_allclose(line.get_ydata(), one.reference)


def test_each_method_has_a_dot_at_its_number() -> None:
    _, ax = drawn(bfi())
    dots = [line for line in ax.lines if len(line.get_xdata()) == 1]
    assert [dot.get_xdata()[0] for dot in dots] == [5, 6, 5, 6, 4]
    # On the page, each dot is right below the eigenvalue of that number.
    for dot in dots:
        x = dot.get_transform().transform(dot.get_xydata())[0, 0]
        assert_allclose(x, ax.transData.transform((dot.get_xdata()[0], 0))[0], rtol=1e-10)
    shown = texts(ax)
    assert "5  parallel analysis (components)" in shown
    assert "–  exploratory graph analysis" in shown


def test_numbers_at_the_right_have_their_names_at_the_left() -> None:
    chart = scree_chart(both("parallel_eigen_hs1939"), {"BIC": 8, "MAP": 2}, title="T")
    assert {"BIC  8", "2  MAP"} < set(texts(drawn(chart)[1]))


def test_no_factor_and_too_many_factors_are_shown() -> None:
    chart = scree_chart(both(), {"MAP": 0, "BIC": 31}, title="T")
    _, ax = drawn(chart)
    zero, beyond = (line for line in ax.lines if len(line.get_xdata()) == 1)
    assert zero.get_xdata()[0] == 0
    assert ax.get_xlim()[0] < 0
    assert beyond.get_marker() == ">"
    assert {"0  MAP", "BIC  31"} < set(texts(ax))


def test_only_the_first_eigenvalues_are_shown() -> None:
    values = np.linspace(9, 0.1, 43).tolist()
    _, ax = drawn(scree_chart([Series("components", values)], {}, title="T"))
    assert ax.get_xlabel() == "factor or component (the first 25 of 43)"
    assert len(ax.lines[1].get_xdata()) == 25
    assert texts(ax) == ["components"]


def test_missing_eigenvalues_are_left_out() -> None:
    chart = scree_chart([Series("factors", [2.0, nan, 0.5], [nan] * 3, "simulated")], {}, title="T")
    assert chart.description == "T. Eigenvalues from the largest on, factors: 2.00, 0.50."
    assert texts(drawn(chart)[1]) == ["factors"]
    with pytest.raises(DataError, match="at least one eigenvalue"):
        scree_chart([Series("factors", [nan])], {}, title="T")


def test_svg_says_everything_and_is_the_same_each_time() -> None:
    svg = bfi().to_svg()
    assert svg == bfi().to_svg()
    for text in ("How many factors: 25 items", "eigenvalue", "factors", "number of factors"):
        assert text in svg
    for method, number in VERDICTS.items():
        assert f">{'–' if number is None else number}  {method}<" in svg


LONG = "a method with a very long name that has to be cut so that it fits the page"


@pytest.mark.parametrize(
    ("chart", "size"),
    [
        (bfi(), None),
        (bfi(), (6.4, 4.8)),
        (scree_chart(both("parallel_eigen_hs1939"), {"MAP": 2, LONG: 5, "B": 9}, title="T"), None),
        (scree_chart(both(), {LONG: 14, LONG + " too": 16}, title="A long title " * 8), None),
        (scree_chart([Series("components", [1.9, 0.7, 0.4])], {"MAP": 1}, title="T"), None),
        (scree_chart([Series("components", [1.0])], {LONG: 1}, title="One item"), None),
    ],
)
def test_nothing_is_cut_off_or_overlaps(chart: Chart, size: tuple[float, float] | None) -> None:
    figure, ax = drawn(chart, size)
    labels = [*ax.get_xticklabels(), *ax.texts, ax.xaxis.label, ax.yaxis.label, ax.title]
    assert min(label.get_fontsize() for label in labels) >= 8
    boxes = [label.get_window_extent() for label in labels if label.get_text()]
    for box in boxes:
        assert box.x0 >= -1 and box.y0 >= -1
        assert box.x1 <= figure.bbox.width + 1 and box.y1 <= figure.bbox.height + 1
    for one, other in combinations(boxes, 2):
        assert not one.overlaps(other)


def test_words_give_eigenvalues_and_verdicts() -> None:
    chart = scree_chart(
        [Series("components", [2.0, -0.5], [1.2, 0.8], "simulated")],
        {"MAP": 1, "comparison data": None},
        title="T",
    )
    assert chart.description == (
        "T. Eigenvalues from the largest on, components: 2.00, −0.50; simulated: 1.20, 0.80. "
        "Number of factors, by method: MAP 1; comparison data no answer."
    )
    assert "0.69 and 15 more;" in bfi().description
