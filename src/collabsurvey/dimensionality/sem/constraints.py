"""Linear equality constraints, and numbers defined from labelled parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

import numpy as np

from collabsurvey.dimensionality.sem.equality import name_of
from collabsurvey.dimensionality.sem.expression import (
    Linear,
    differentiate,
    linear,
    names_of,
    parse_expression,
)
from collabsurvey.dimensionality.sem.model import Model, Parameter
from collabsurvey.dimensionality.sem.syntax import SOURCE, Equation
from collabsurvey.dimensionality.sem.tokens import StatementError
from collabsurvey.errors import FaultsError, UnknownNameError
from collabsurvey.numerics.typing import FloatArray, IntArray

NEGLIGIBLE = 1e-10  # of a coefficient in the elimination, against the largest of its row


def check_definitions(parameters: Sequence[Parameter], definitions: Sequence[Equation]) -> None:
    """Refuse definitions that use unknown labels, later definitions, or a label's name."""
    known = {one.label for one in parameters if one.label}
    for one in definitions:
        if one.lhs in known:
            raise FaultsError(SOURCE, [f"line {one.line}: {one.lhs!r} is already a label"])
        _check_names(one.rhs, known, one.line)
        known.add(one.lhs)


def _check_names(expression: str, known: set[str], line: int) -> None:
    for name in names_of(parse_expression(expression)):
        if name not in known:
            raise UnknownNameError("label", name, available=known, where=f"The model (line {line})")


def reduction(
    parameters: Sequence[Parameter],
    place: IntArray,
    definitions: Sequence[Equation],
    constraints: Sequence[Equation],
    levels: int,
) -> tuple[FloatArray, FloatArray, tuple[str, ...]]:
    """Offset (n_free,), matrix (n_free, n_unique) and texts of all equalities.

    Shared labels alone give a matrix of 0 and 1.
    """
    free = [one for one in parameters if one.free]
    column: dict[str, int] = {}
    which = [column.setdefault(one.label or f"\n{i}", len(column)) for i, one in enumerate(free)]
    reduce = np.zeros((len(free), len(column)))
    reduce[np.arange(len(free)), which] = 1.0
    texts = tuple(f"{one.lhs} == {one.rhs}" for one in constraints)
    texts += tuple(f"{first} == {other}" for first, other, _ in _ties(parameters, place, levels))
    if not constraints:
        return np.zeros(len(free)), reduce, texts
    known = _labels(parameters, column)
    _add_definitions(known, definitions)
    matrix, constant = _equations(constraints, parameters, definitions, known, len(column))
    shift, basis = _eliminate(matrix, constant, constraints)
    return reduce @ shift, reduce @ basis, texts


def _add_definitions(known: dict[str, Linear], definitions: Sequence[Equation]) -> None:
    """Add what is linear; the rest does no harm unless a constraint needs it."""
    for one in definitions:
        with suppress(StatementError):
            known[one.lhs] = linear(parse_expression(one.rhs), known)


def _labels(parameters: Sequence[Parameter], column: Mapping[str, int]) -> dict[str, Linear]:
    """Every label as a column of the reduced parameters, or as its fixed value."""
    known: dict[str, Linear] = {}
    for one in parameters:
        if one.label and one.label not in known:
            where = column.get(one.label)
            known[one.label] = (
                Linear(one.value, {}) if where is None else Linear(0.0, {str(where): 1.0})
            )
    return known


def _equations(
    constraints: Sequence[Equation],
    parameters: Sequence[Parameter],
    definitions: Sequence[Equation],
    known: Mapping[str, Linear],
    width: int,
) -> tuple[FloatArray, FloatArray]:
    """The constraints as matrix @ x = constant."""
    names = {one.label for one in parameters if one.label} | {one.lhs for one in definitions}
    matrix, constant = np.zeros((len(constraints), width)), np.zeros(len(constraints))
    faults = []
    for i, one in enumerate(constraints):
        _check_names(one.lhs, names, one.line)
        _check_names(one.rhs, names, one.line)
        shown = f"'{one.lhs} == {one.rhs}'"
        try:
            unknown = {name for name in names if name not in known}
            sides = [parse_expression(side) for side in (one.lhs, one.rhs)]
            if any(name in unknown for side in sides for name in names_of(side)):
                raise StatementError("is not linear in the labels")
            for side, sign in zip(sides, (1.0, -1.0), strict=True):
                part = linear(side, known)
                constant[i] -= sign * part.constant
                for name, value in part.coefficients.items():
                    matrix[i, int(name)] += sign * value
        except StatementError as fault:
            only = "only linear constraints are supported"
            faults.append(f"line {one.line}: {shown} {fault}; {only}")
    if faults:
        raise FaultsError(SOURCE, faults)
    return matrix, constant


def _eliminate(
    matrix: FloatArray, constant: FloatArray, constraints: Sequence[Equation]
) -> tuple[FloatArray, FloatArray]:
    """Solve matrix @ x = constant: x = shift + basis @ z, by Gauss-Jordan elimination.

    The last parameter of a constraint is expressed by the others, so that z are parameters.
    """
    rows = np.column_stack([matrix, constant])
    pivots: list[tuple[int, int]] = []
    for i, one in enumerate(constraints):
        row = rows[i, :-1]
        scale = max(np.abs(matrix[i]).max(initial=0.0), NEGLIGIBLE)
        big = np.flatnonzero(np.abs(row) > NEGLIGIBLE * scale)
        if len(big) == 0:
            if abs(rows[i, -1]) > NEGLIGIBLE * max(scale, np.abs(constant).max()):
                shown = f"'{one.lhs} == {one.rhs}'"
                fault = f"line {one.line}: {shown} contradicts the others, or fixed values"
                raise FaultsError(SOURCE, [fault])
            continue
        pivot = int(big[-1])
        rows[i] /= rows[i, pivot]
        for j in range(len(rows)):
            if j != i:
                rows[j] -= rows[j, pivot] * rows[i]
        pivots.append((i, pivot))
    width = matrix.shape[1]
    solved = {pivot for _, pivot in pivots}
    kept = [j for j in range(width) if j not in solved]
    shift, basis = np.zeros(width), np.zeros((width, len(kept)))
    basis[kept, np.arange(len(kept))] = 1.0
    for i, pivot in pivots:
        shift[pivot] = rows[i, -1]
        basis[pivot] = -rows[i, kept]
    return shift, basis + 0.0  # no -0


def _ties(
    parameters: Sequence[Parameter], place: IntArray, levels: int
) -> list[tuple[str, str, tuple[int, int]]]:
    """Pairs of free parameters with the same label: the first of them with each other one."""
    together: dict[str, list[int]] = {}
    order: dict[str, None] = {}
    for i, one in enumerate(parameters):
        if one.free and one.label:
            together.setdefault(one.label, []).append(i)
            if len(together[one.label]) == 2:
                order[one.label] = None

    def name(i: int) -> str:
        one = parameters[i]
        return name_of(one.lhs, one.op, one.rhs, one.block // levels, one.block % levels + 1)

    return [
        (name(together[label][0]), name(i), (int(place[together[label][0]]), int(place[i])))
        for label in order
        for i in together[label][1:]
    ]


def constraint_matrix(model: Model) -> FloatArray:
    """All equalities as rows (k, n_free) in the order of `model.constraints`.

    The row times theta is the same wherever the constraint holds.
    """
    ties = _ties(model.parameters, model.place, model.levels)
    implied = np.zeros((len(ties), model.n_free))
    for i, (_, _, (first, other)) in enumerate(ties):
        implied[i, first], implied[i, other] = 1.0, -1.0
    texts = model.constraints[: len(model.constraints) - len(ties)]
    if not texts:
        return implied
    sides = [text.split(" == ") for text in texts]
    equations = [Equation(left, right, 0) for left, right in sides]
    place: dict[str, int] = {}
    for i, one in zip(model.place, model.parameters, strict=True):
        if one.label and one.free:
            place.setdefault(one.label, int(i))
    known = _labels(model.parameters, place)
    definitions = [Equation(one.name, one.expression, 0) for one in model.definitions]
    _add_definitions(known, definitions)
    written, _ = _equations(equations, model.parameters, definitions, known, model.n_free)
    return np.vstack([written, implied])


def defined(model: Model, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Values (d,) of the `:=` definitions, and their derivatives (d, n_free) in theta."""
    values: dict[str, float] = {}
    changes: dict[str, FloatArray] = {}
    for i, one in zip(model.place, model.parameters, strict=True):
        if one.label and one.label not in values:
            values[one.label] = float(theta[i]) if one.free else one.value
            changes[one.label] = np.zeros(model.n_free)
            if one.free:
                changes[one.label][i] = 1.0
    for wanted in model.definitions:
        values[wanted.name], slopes = differentiate(wanted.expression, values)
        changes[wanted.name] = np.zeros(model.n_free)
        for name, slope in slopes.items():
            changes[wanted.name] += slope * changes[name]
    names = [one.name for one in model.definitions]
    matrix = np.array([changes[name] for name in names]).reshape(len(names), model.n_free)
    return np.array([values[name] for name in names]), matrix
