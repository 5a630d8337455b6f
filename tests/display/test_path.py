"""Path diagrams: everything is drawn, nothing collides, words say what is shown."""

from __future__ import annotations

from itertools import combinations
from math import nan

import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, Polygon, Rectangle
from matplotlib.transforms import Bbox

from collabsurvey.display import Chart
from collabsurvey.display.charts import ACCENT, INK
from collabsurvey.display.path import (
    MOST_ITEMS,
    Edge,
    Node,
    Panel,
    path_chart,
    path_panels,
)
from collabsurvey.display.path_layout import broken, layout
from collabsurvey.display.path_lines import Picture, picture
from collabsurvey.display.path_roles import roles_of
from collabsurvey.errors import DataError

Model = tuple[list[Node], list[Edge]]


def model(text: str) -> Model:
    """Nodes and edges of a small model language; values fall from .9, every fourth is negative."""
    rows = [line.split() for line in text.strip().splitlines()]
    latent = list(dict.fromkeys(row[0] for row in rows if row[1] == "=~"))
    observed: list[str] = []
    edges: list[Edge] = []
    for left, op, *right in rows:
        for name in (one for one in right if one != "+"):
            observed += [x for x in (left, name) if x not in latent and x not in observed]
            value = 0.9 - 0.07 * (len(edges) % 11)
            value = -value if len(edges) % 4 == 3 else value
            if op == "~":
                edges.append(Edge(name, left, value, "regression"))
            else:
                edges.append(Edge(left, name, value, "loading" if op == "=~" else "covariance"))
    return [Node(x, "latent") for x in latent] + [Node(x, "observed") for x in observed], edges


def items(prefix: str, n: int, first: int = 1) -> str:
    return " + ".join(f"{prefix}{i}" for i in range(first, first + n))


def covariances(names: list[str]) -> str:
    return "\n".join(f"{a} ~~ {b}" for a, b in combinations(names, 2))


THREE = f"f =~ {items('a', 3)}\ng =~ {items('b', 3)}\nh =~ {items('c', 3)}\n"
FIVE = [f"factor{k}" for k in range(5)]
MODELS = {
    "three factors": THREE + covariances(["f", "g", "h"]),
    "five factors": "\n".join(f"{f} =~ {items(f[-1] + '_', 5)}" for f in FIVE)
    + "\n"
    + covariances(FIVE),
    "second order": THREE + "top =~ f + g + h",
    "bifactor": THREE + f"top =~ {items('a', 3)} + {items('b', 3)} + {items('c', 3)}",
    "mediation": THREE + "g ~ f + age\nh ~ g + f + age",
    "two mediators": THREE + f"y =~ {items('d', 6)}\ng ~ f\nh ~ f\ny ~ g + h + f",
    "covariates": THREE + "f ~ age + sex\ng ~ age + sex\nage ~~ sex\nf ~~ g\na2 ~ sex",
    "waves": THREE + covariances(["f", "g", "h"]) + "\na1 ~~ b1\nb1 ~~ c1\na2 ~~ a3\na1 ~~ c1",
    "democracy": THREE + "g ~ f\nh ~ f + g\nb1 ~~ c1\nb2 ~~ c2\nb3 ~~ c3",
    "observed only": "m ~ x + age\ny ~ m + x + age\nx ~~ age",
    "both ways": THREE + "f ~ g + z1\ng ~ f + z2\nf ~~ g",
    "cross-loadings": THREE + covariances(["f", "g", "h"]) + "\nf =~ b2 + c1",
    "long names": THREE.replace("a", "tru.economise.contracts.0").replace(
        "f ", "tru.economise.contracts "
    ),
    "thirty items": f"f =~ {items('a', 30)}",
}


def drawn(chart: Chart) -> tuple[Figure, Axes]:
    figure = Figure(figsize=chart.size, layout="constrained")
    FigureCanvasAgg(figure)
    ax = chart.plot(figure.add_subplot())
    figure.canvas.draw()
    return figure, ax


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def placed(text: str) -> Picture:
    return picture(*model(text))


@pytest.mark.parametrize("text", MODELS.values(), ids=MODELS)
def test_boxes_and_values_keep_apart(text: str) -> None:
    found = placed(text)
    boxes = [box.limits for box in found.boxes.values()]
    values = [line.label for line in found.lines if line.text]
    assert len(values) == len(found.lines)
    assert not any(overlap(a, b) for a, b in combinations(boxes, 2))
    assert not any(overlap(a, b) for a, b in combinations(values, 2))
    assert not any(overlap(a, b) for a in boxes for b in values)


@pytest.mark.parametrize("text", MODELS.values(), ids=MODELS)
def test_arrows_pass_no_other_variable(text: str) -> None:
    found = placed(text)
    for line in found.lines:
        for name, box in found.boxes.items():
            if name not in (line.edge.start, line.edge.end):
                left, low, right, top = box.limits
                assert not any(left < x < right and low < y < top for x, y in line.points)


@pytest.mark.parametrize("text", MODELS.values(), ids=MODELS)
def test_all_is_drawn_inside_the_figure(text: str) -> None:
    nodes, edges = model(text)
    figure, ax = drawn(path_chart(nodes, edges, title="A model", note="Standardised estimates."))
    heads = [p for p in ax.patches if isinstance(p, Polygon)]
    assert len(ax.lines) == len(edges)
    assert len(heads) == len(edges) + sum(edge.kind == "covariance" for edge in edges)
    shapes = [p for p in ax.patches if p.get_linewidth() > 0]
    assert sum(isinstance(p, Ellipse) for p in shapes) == sum(n.kind == "latent" for n in nodes)
    rectangles = sum(isinstance(p, Rectangle) for p in shapes)
    assert rectangles == sum(n.kind == "observed" for n in nodes)
    whole = Bbox([[0, 0], [figure.bbox.width, figure.bbox.height]])
    for label in [*ax.texts, ax.title]:
        box = label.get_window_extent()
        assert whole.x0 <= box.x0 and box.x1 <= whole.x1, label.get_text()
        assert whole.y0 <= box.y0 and box.y1 <= whole.y1 + 1, label.get_text()


def test_names_fit_their_boxes() -> None:
    for text in (MODELS["long names"], MODELS["five factors"]):
        nodes, edges = model(text)
        _, ax = drawn(path_chart(nodes, edges, title="T"))
        shapes = [p for p in ax.patches if p.get_linewidth() > 0]
        names = [t for t in ax.texts if t.get_text().replace("\n", "") in {n.name for n in nodes}]
        assert len(names) == len(nodes)
        for name in names:
            own = name.get_window_extent()
            assert any(
                box.x0 <= own.x0 and own.x1 <= box.x1 and box.y0 <= own.y0 and own.y1 <= box.y1
                for box in (shape.get_window_extent() for shape in shapes)
            ), name.get_text()


def test_values_stay_apart_on_small_axes() -> None:
    nodes, edges = model(MODELS["three factors"])
    figure = Figure(figsize=(6, 2.2), layout="constrained")
    FigureCanvasAgg(figure)
    ax = path_chart(nodes, edges, title="T").plot(figure.add_subplot(1, 2, 1))
    figure.canvas.draw()
    values = [t.get_window_extent() for t in ax.texts if "." in t.get_text()[:2]]
    assert len(values) == len(edges)
    assert not any(a.overlaps(b) for a, b in combinations(values, 2))


def test_signs_sizes_and_fixed_values_are_seen() -> None:
    nodes = [Node("f", "latent"), *(Node(x, "observed") for x in "abcd")]
    edges = [
        Edge("f", "a", 0.9, "loading", fixed=True),
        Edge("f", "b", -0.9, "loading"),
        Edge("f", "c", 0.1, "loading"),
        Edge("f", "d", nan, "loading"),
    ]
    chart = path_chart(nodes, edges, title="T")
    _, ax = drawn(chart)
    colours = [to_hex(line.get_color()).upper() for line in ax.lines]
    assert colours[:3] == [INK, ACCENT, INK]
    assert colours[3] not in (INK, ACCENT)
    assert [line.is_dashed() for line in ax.lines] == [True, False, False, False]
    widths = [line.get_linewidth() for line in ax.lines]
    assert widths[1] == pytest.approx(widths[0])
    assert widths[2] < widths[0]
    texts = [text.get_text() for text in ax.texts]
    assert {".90", "−.90", ".10"} <= set(texts)
    key = "Dashed: fixed, not estimated; orange: negative; thicker: further from zero."
    assert key in " ".join(texts)
    assert "f is measured by b −.90" in chart.description
    assert "f is measured by d." in chart.description


def columns(text: str) -> list[list[str]]:
    roles = roles_of(*model(text))
    return [roles.column(layer) for layer in range(roles.n_layers)]


def test_causes_stand_left_of_effects() -> None:
    assert columns(MODELS["three factors"]) == [["f", "g", "h"]]
    assert columns(MODELS["second order"]) == [["top"], ["f", "g", "h"]]
    assert columns(MODELS["mediation"]) == [["f", "age"], ["g"], ["h"]]
    assert columns(MODELS["two mediators"]) == [["f"], ["g", "h"], ["y"]]
    # Items of two waves covary: their factors share a column, so that the arcs stay outside.
    assert columns(MODELS["democracy"]) == [["f"], ["g", "h"]]
    assert columns(MODELS["both ways"])  # a circle is no trouble


def test_items_stand_outside() -> None:
    boxes = layout(*model(MODELS["two mediators"]))
    assert boxes["a1"].x < boxes["f"].x < boxes["g"].x < boxes["y"].x < boxes["d1"].x
    assert boxes["b1"].y > boxes["g"].y > boxes["h"].y > boxes["c1"].y


@pytest.mark.parametrize("order", [1, -1])
def test_a_general_factor_stands_on_the_other_side(order: int) -> None:
    lines = MODELS["bifactor"].splitlines()[::order]
    boxes = layout(*model("\n".join(lines)))
    assert boxes["f"].x < boxes["a1"].x < boxes["top"].x
    assert boxes["f"].x == boxes["g"].x == boxes["h"].x


def test_methods_stand_opposite_of_traits() -> None:
    text = "t =~ a1 + a2 + a3\nu =~ b1 + b2 + b3\nv =~ c1 + c2 + c3\n"
    text += "m =~ a1 + b1 + c1\nn =~ a2 + b2 + c2\no =~ a3 + b3 + c3"
    assert roles_of(*model(text)).opposite == ("m", "n", "o")


def test_an_item_stands_beside_the_factor_it_loads_on_most() -> None:
    nodes = [*(Node(x, "latent") for x in "fg"), *(Node(x, "observed") for x in "abcd")]
    edges = [Edge("f", x, 0.7, "loading") for x in "ab"]
    edges += [Edge("f", "c", 0.2, "loading")]
    edges += [Edge("g", x, 0.8, "loading") for x in "cd"]
    assert roles_of(nodes, edges).items == {"f": ("a", "b"), "g": ("c", "d")}


def test_too_many_items_leave_the_factors() -> None:
    text = "\n".join(f"{f} =~ {items(f[-1] + '_', 13)}" for f in FIVE)
    nodes, edges = model(text + "\n" + covariances(FIVE))
    chart = path_chart(nodes, edges, title="T")
    _, ax = drawn(chart)
    assert len(ax.lines) == 10
    assert "65 items are too many to be drawn: factors only." in chart.description
    assert MOST_ITEMS < 65


def test_groups_have_a_panel_each_and_the_same_places() -> None:
    nodes, edges = model(MODELS["cross-loadings"])
    other = [Edge(e.start, e.end, -e.value / 2, e.kind) for e in edges]
    chart = path_panels([Panel("One", nodes, edges), Panel("Two", nodes, other)], title="T")
    _, ax = drawn(chart)
    assert len(ax.lines) == 2 * len(edges)
    assert {"One", "Two"} <= {text.get_text() for text in ax.texts}
    shapes = [p for p in ax.patches if isinstance(p, Ellipse)]
    first, second = shapes[:3], shapes[3:]
    assert [p.center[1] for p in first] == pytest.approx([p.center[1] for p in second])
    assert "One: f is measured by a1" in chart.description


def test_of_many_groups_the_first_is_drawn() -> None:
    nodes, edges = model(MODELS["three factors"])
    chart = path_panels([Panel(f"Group {i}", nodes, edges) for i in range(5)], title="T")
    _, ax = drawn(chart)
    assert len(ax.lines) == len(edges)
    assert "The first of 5 groups is shown: Group 0." in [text.get_text() for text in ax.texts]


def test_svg_is_the_same_each_time() -> None:
    nodes, edges = model(MODELS["mediation"])
    chart = path_chart(nodes, edges, title="T")
    text = chart.to_svg()
    assert text == chart.to_svg()
    assert ">age</text>" in text


def test_names_are_broken_at_dots() -> None:
    assert broken("visual") == ["visual"]
    assert broken("tru.economise.contracts") == ["tru.economise.", "contracts"]
    assert max(map(len, broken("x" * 60))) <= 24


def test_a_diagram_needs_variables_that_are_there() -> None:
    a = Node("a", "observed")
    with pytest.raises(DataError, match="at least one variable"):
        path_chart([], [], title="T")
    with pytest.raises(DataError, match="same name"):
        path_chart([a, a], [], title="T")
    with pytest.raises(DataError, match="joins 'b'"):
        path_chart([a], [Edge("a", "b", 0.1, "regression")], title="T")
    _, ax = drawn(path_chart([a], [], title="T"))
    assert not ax.lines
