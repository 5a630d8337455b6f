"""Pictures of structural equation models: path diagram, loadings, and groups side by side."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from collabsurvey.dimensionality.sem.model import Block, Model
from collabsurvey.display import Chart
from collabsurvey.display.charts import interval_chart
from collabsurvey.display.compare import Compared, compare_chart
from collabsurvey.display.heat import PAGE, TITLE
from collabsurvey.display.path import Edge, Node, Panel, path_panels
from collabsurvey.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

GroupPart = Literal["loadings", "intercepts"]
LONG = 30  # characters of "factor → item"


def path_diagram(model: Model, estimates: pd.DataFrame, *, title: str, caution: str = "") -> Chart:
    """Path diagram with standardised estimates: a panel for each group, or each level of one.

    `caution` is written below it, such as that the solution is improper.
    """
    values = estimates["std_all"].tolist()
    panels = [
        Panel(heading(model, number), _nodes(block), _edges(model, number, values))
        for number, block in enumerate(model.blocks)
    ]
    return path_panels(
        panels,
        title=title,
        note=f"{caution} Standardised estimates; variances and intercepts are not drawn.".strip(),
    )


def heading(model: Model, number: int) -> str:
    """Group and level of a block, in words; empty for one sample."""
    block = model.blocks[number]
    label = model.groups[block.group]
    if model.levels == 1:
        return label
    level = "within clusters" if block.level == 1 else "between clusters"
    return f"{label}, {level}" if label else level.capitalize()


def _nodes(block: Block) -> list[Node]:
    factors = [Node(name, "latent") for name in block.latent[: block.n_factors]]
    return factors + [Node(name, "observed") for name in block.observed]


def _edges(model: Model, number: int, values: Sequence[float]) -> list[Edge]:
    """Arrows of a block; what is fixed at zero is not there."""
    out = []
    for row, place, value in zip(model.parameters, model.place, values, strict=False):
        if row.block != number or row.lhs == row.rhs or row.op not in ("=~", "~", "~~"):
            continue
        fixed = bool(place < 0)
        if fixed and row.value == 0:
            continue
        if row.op == "=~":
            out.append(Edge(row.lhs, row.rhs, value, "loading", fixed))
        elif row.op == "~":
            out.append(Edge(row.rhs, row.lhs, value, "regression", fixed))
        else:
            out.append(Edge(row.lhs, row.rhs, value, "covariance", fixed))
    return out


def loadings_picture(standardised: pd.DataFrame, groups: Sequence[str], *, name: str) -> Chart:
    """Standardised loadings (of a model without any: regressions) with their intervals."""
    shown, what = standardised[standardised["op"] == "=~"], "loading"
    labels = _loading_labels(list(zip(shown["lhs"], shown["rhs"], strict=True)))
    if not len(shown):
        shown, what = standardised[standardised["op"] == "~"], "regression"
        labels = [f"{b} → {a}" for a, b in zip(shown["lhs"], shown["rhs"], strict=True)]
    if "level" in shown:
        levels = ["within" if one == 1 else "between" for one in shown["level"]]
        labels = [f"{a} ({b})" for a, b in zip(labels, levels, strict=True)]
    if groups:
        labels = [f"{a} ({groups[g - 1]})" for a, g in zip(labels, shown["group"], strict=True)]
    return interval_chart(
        labels,
        shown["estimate"].tolist(),
        shown["ci_low"].tolist(),
        shown["ci_high"].tolist(),
        title=_titled(f"Standardised {what}s of {name}", labels),
        axis=f"standardised {what}",
        reference=0.0,
    )


def group_picture(
    what: GroupPart,
    frame: pd.DataFrame,
    groups: Sequence[str],
    *,
    factors: Sequence[str],
    name: str,
) -> Chart:
    """Loadings or intercepts of the items, group by group.

    `frame` holds standardised estimates for loadings, raw ones for intercepts.
    """
    if len(groups) < 2:
        raise DataError(
            "There is one group only, so there are none to compare; fit the model with group=."
        )
    op = "=~" if what == "loadings" else "~1"
    shown = frame[frame["op"] == op]
    if what == "intercepts":
        shown = shown[~shown["lhs"].isin(factors)]
        shown = shown[shown["std_error"] > 0]
        if not len(shown):
            raise DataError(
                "The items have no intercepts in this model: ordered items have thresholds, "
                "which are in `estimates`; for others fit it with meanstructure=True."
            )
    keys = ["lhs", "rhs", *(["level"] if "level" in shown else [])]
    rows = list(dict.fromkeys(zip(*(shown[key] for key in keys), strict=True)))
    labels = [str(row[0]) for row in rows]
    if what == "loadings":
        labels = _loading_labels([(row[0], row[1]) for row in rows])
    if "level" in shown:
        labels = [
            f"{label} ({'within' if row[2] == 1 else 'between'})"
            for label, row in zip(labels, rows, strict=True)
        ]
    compared = []
    for number, label in enumerate(groups, start=1):
        own = shown[shown["group"] == number].set_index(keys).reindex(rows)
        compared.append(
            Compared(
                label, own["estimate"].tolist(), own["ci_low"].tolist(), own["ci_high"].tolist()
            )
        )
    loadings = what == "loadings"
    return compare_chart(
        labels,
        compared,
        title=_titled(
            f"{'Standardised loadings' if loadings else 'Intercepts'} of {name} by group",
            [*labels, max(groups, key=len)],
        ),
        axis="standardised loading" if loadings else "intercept, in units of the item",
        reference=0.0 if loadings and shown["estimate"].min() < 0 else None,
    )


def _loading_labels(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Factor and item; the item alone where both together are long and it has one factor."""
    labels = [f"{a} → {b}" for a, b in pairs]
    factors: dict[str, set[str]] = {}
    for a, b in pairs:
        factors.setdefault(b, set()).add(a)
    once = all(len(one) == 1 for one in factors.values())
    return [b for _, b in pairs] if once and max(map(len, labels), default=0) > LONG else labels


def _titled(title: str, labels: Sequence[str]) -> str:
    """A title broken where the drawing beside the labels ends."""
    room = PAGE - 0.075 * max(map(len, labels), default=0)
    return textwrap.fill(title, max(int(room / TITLE), 24))
