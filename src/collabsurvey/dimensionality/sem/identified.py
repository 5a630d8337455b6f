"""What an information matrix that is singular at the estimates leaves undetermined.

`identification` tells before estimation what no data could determine. A model may pass that and
still fail on these data: a factor with two items needs to covary with another, and here the
covariance is zero; two factors cannot be told apart (Rindskopf, 1984,
doi:10.1177/0049124184013001004, calls it empirical under-identification). Errors do not exist
then, and these sentences say for which parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collabsurvey.dimensionality.sem.equality import name_of
from collabsurvey.dimensionality.sem.model import Model, Parameter
from collabsurvey.errors import listed
from collabsurvey.numerics.typing import FloatArray

# Smallest eigenvalue, of an information matrix with ones on its diagonal, of which an inverse is
# taken: errors would be 30 000 times what each parameter has alone.
SINGULAR = 1e-9
SHARE = 0.05  # of the largest part in a direction, below which a parameter is not named


@dataclass(frozen=True, eq=False)
class OpenDirection:
    """A way to move parameters together that the data say (almost) nothing about."""

    parameters: tuple[Parameter, ...]  # the largest part first
    parts: FloatArray  # relative to the largest, in units of each parameter's own precision
    information: float  # eigenvalue; 0 where there is none at all


def open_directions(model: Model, information: FloatArray) -> list[OpenDirection]:
    """Directions in which an information matrix (n_unique, n_unique) is singular.

    Several of them can be mixed at will; they are turned so that each has as few parameters as
    can be had by elimination.
    """
    if not len(information) or not np.isfinite(information).all():
        return []
    scale = np.sqrt(np.abs(np.diag(information)))
    known = scale > 0
    scale = np.where(known, scale, 1.0)
    values, vectors = np.linalg.eigh(information / np.outer(scale, scale))
    singular = values < SINGULAR
    directions = _reduced(vectors[:, singular])
    free = [one for one in model.parameters if one.free]
    out = []
    for direction in directions.T:
        moved = model.reduce @ np.where(np.abs(direction) >= SHARE, direction, 0.0)
        places = np.flatnonzero(moved)
        places = places[np.argsort(-np.abs(moved[places]), kind="stable")]
        parts = moved[places] / np.abs(moved[places]).max()
        left = float(direction @ (information / np.outer(scale, scale)) @ direction)
        left /= float(direction @ direction)
        out.append(OpenDirection(tuple(free[i] for i in places.tolist()), parts, left))
    return out


def singular_sentences(model: Model, information: FloatArray) -> list[str]:
    """Sentences on what could not be determined; none where the information is sound."""
    return [_sentence(model, one) for one in open_directions(model, information)]


def _sentence(model: Model, one: OpenDirection) -> str:
    names = [_name(model, parameter) for parameter in one.parameters]
    if len(names) == 1:
        return f"These data do not determine {names[0]}: fix it, or leave it out."
    return (
        f"These data do not determine {listed(names)} apart from each other: a change of one is "
        f"made up for by the others. {_advice(model, one.parameters)}"
    )


def _advice(model: Model, parameters: Sequence[Parameter]) -> str:
    """What usually mends it, by the factors that are involved."""
    factors = dict.fromkeys(
        (one.lhs, one.block) for one in parameters if one.op == "=~"
    ) or dict.fromkeys(
        (row.lhs, row.block)
        for one in parameters
        for row in model.parameters
        if row.op == "=~" and row.block == one.block and one.lhs in (row.lhs, row.rhs)
    )
    hints = []
    for name, block in factors:
        items = [
            row.rhs
            for row in model.parameters
            if row.op == "=~" and row.lhs == name and row.block == block
        ]
        if len(items) == 2:
            hints.append(
                f"{name!r} has two items only ({items[0]}, {items[1]}) and needs a covariance "
                "with another factor that is not zero: make its two loadings equal."
            )
    pairs = [one for one in parameters if one.op == "~~" and one.lhs != one.rhs]
    if not hints and len(pairs) > 1:
        hints.append("Are two of the factors one? Join them, or fix a covariance.")
    return " ".join(hints) or "Fix one of them, or make two equal."


def _reduced(vectors: FloatArray) -> FloatArray:
    """The same space (n, k) in reduced echelon form, columns scaled to a largest part of 1."""
    rows = vectors.T.copy()
    for i in range(len(rows)):
        # The largest entry left as pivot keeps the elimination stable.
        best, pivot = divmod(int(np.abs(rows[i:]).argmax()), rows.shape[1])
        rows[[i, i + best]] = rows[[i + best, i]]
        rows[i] /= rows[i, pivot]
        others = np.arange(len(rows)) != i
        rows[others] -= np.outer(rows[others, pivot], rows[i])
    largest = np.abs(rows).max(axis=1, initial=0.0, keepdims=True)
    return np.asarray((rows / np.where(largest > 0, largest, 1.0)).T)


def _name(model: Model, one: Parameter) -> str:
    group, level = divmod(one.block, model.levels)
    return name_of(one.lhs, one.op, one.rhs, group, level + 1)
