"""Wald tests: whether labelled parameters, as estimated, contradict equalities about them.

Source: Wald (1943, doi:10.1090/S0002-9947-1943-0012401-3). For equalities g(theta) = 0 with
derivatives G and the covariance V of the estimates, g' inv(G V G') g is chi-square distributed
if they hold. With robust V the test is robust. Unlike a likelihood ratio it depends on how a
nonlinear equality is written (`a*b == 0` or `a == 0`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collabsurvey.dimensionality.sem.chi_square import p_value
from collabsurvey.dimensionality.sem.constraints import defined
from collabsurvey.dimensionality.sem.expression import differentiate, names_of, parse_expression
from collabsurvey.dimensionality.sem.model import Model
from collabsurvey.errors import DataError, FaultsError, UnknownNameError
from collabsurvey.numerics.typing import FloatArray

HELD = 1e-7  # standard error, against those of its parameters, of an equality that holds already
NEGLIGIBLE = 1e-10  # share of its variance that an equality must keep beside the others


@dataclass(frozen=True, eq=False)
class WaldTest:
    """Joint test of k equalities."""

    constraints: tuple[str, ...]  # (k,) as written
    distance: FloatArray  # (k,) left side minus right side, as estimated
    std_error: FloatArray  # (k,)
    statistic: float
    df: int
    p_value: float


def wald(
    model: Model, theta: FloatArray, vcov: FloatArray, constraints: str | Sequence[str]
) -> WaldTest:
    """Test equalities such as "a == b" or "a*b == 0.2" jointly.

    `theta` (n_free,) with covariance `vcov` (n_free, n_free). Names are labels and `:=`
    definitions of the model; several equalities of one text stand on lines of their own or
    behind a semicolon.
    """
    texts = _split(constraints)
    values, slopes = _named(model, theta)
    distance, jacobian = np.zeros(len(texts)), np.zeros((len(texts), model.n_free))
    for i, text in enumerate(texts):
        sides = text.split("==")
        if len(sides) != 2:
            raise FaultsError("The test", [f"{text!r} is not an equality such as 'a == b'"])
        for sign, side in zip((1.0, -1.0), sides, strict=True):
            node = parse_expression(side.strip())
            for name in names_of(node):
                if name not in values:
                    raise UnknownNameError("label", name, available=values, where="The model")
            value, change = differentiate(node, values)
            distance[i] += sign * value
            for name, slope in change.items():
                jacobian[i] += sign * slope * slopes[name]
    statistic, spread = wald_statistic(distance, jacobian, vcov)
    return WaldTest(
        texts,
        distance,
        np.sqrt(np.diag(spread)),
        statistic,
        len(texts),
        p_value(statistic, len(texts)),
    )


def wald_statistic(
    distance: FloatArray, jacobian: FloatArray, vcov: FloatArray
) -> tuple[float, FloatArray]:
    """Chi-square of distances (k,) with derivatives (k, n), and their covariance (k, k)."""
    spread = jacobian @ vcov @ jacobian.T
    scale = np.sqrt(np.diag(spread))
    if not np.isfinite(scale).all():
        raise DataError("A Wald test needs the errors of the estimates, which are not known here.")
    # An equality that holds already has a variance of rounding error only.
    size = np.abs(jacobian) @ np.sqrt(np.maximum(np.diag(vcov), 0.0))
    varies = scale > HELD * size
    unit = spread / np.outer(scale, scale) if varies.all() else np.zeros_like(spread)
    if np.linalg.eigvalsh(unit)[0] < NEGLIGIBLE:
        raise DataError(
            "The equalities of a Wald test repeat each other, or one holds in the model already. "
            "Leave it out."
        )
    away = distance / scale
    return float(away @ np.linalg.solve(unit, away)), spread


def _split(constraints: str | Sequence[str]) -> tuple[str, ...]:
    given = [constraints] if isinstance(constraints, str) else constraints
    texts = [one.strip() for text in given for one in text.replace(";", "\n").splitlines()]
    if not any(texts):
        raise FaultsError("The test", ["it is empty: write for instance 'a == b'"])
    return tuple(one for one in texts if one)


def _named(model: Model, theta: FloatArray) -> tuple[dict[str, float], dict[str, FloatArray]]:
    """Values of labels and definitions, and their derivatives (n_free,)."""
    values: dict[str, float] = {}
    slopes: dict[str, FloatArray] = {}
    for place, one in zip(model.place, model.parameters, strict=True):
        if one.label and one.label not in values:
            values[one.label] = float(theta[place]) if one.free else one.value
            slopes[one.label] = np.zeros(model.n_free)
            if one.free:
                slopes[one.label][place] = 1.0
    found, changes = defined(model, theta)
    for definition, value, change in zip(model.definitions, found, changes, strict=True):
        values[definition.name], slopes[definition.name] = float(value), change
    return values, slopes
