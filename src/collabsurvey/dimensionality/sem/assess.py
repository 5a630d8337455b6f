"""Errors and test of a fitted model: what `Material.recipe` asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np

from collabsurvey.dimensionality.sem.chi_square import ChiSquare, chi_square
from collabsurvey.dimensionality.sem.corrected import (
    model_trace,
    satorra_bentler,
    saturated_trace,
    saturated_trace_of,
    scaled_shifted,
    traces,
    yuan_bentler_mplus,
)
from collabsurvey.dimensionality.sem.estimate import Fit, observed_information
from collabsurvey.dimensionality.sem.material import Material, counted, covariates
from collabsurvey.dimensionality.sem.missing import MissingNormal
from collabsurvey.dimensionality.sem.normal import Normal
from collabsurvey.dimensionality.sem.sandwich import (
    RobustPieces,
    first_order_meat,
    in_theta,
    jacobian,
    least_squares_pieces,
    normal_pieces,
    robust_covariance,
)
from collabsurvey.dimensionality.sem.two_level import TwoLevelNormal
from collabsurvey.numerics.typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Assessed:
    """A fit with its errors and its test against the saturated model."""

    fit: Fit
    test: ChiSquare
    vcov: FloatArray  # (n_free, n_free) of theta; NaN where the information is singular
    information: FloatArray  # (n_unique, n_unique) that errors come from
    pieces: RobustPieces | None  # for tests of nested models
    factor: float = nan  # tr(inv(A) B) per free row of the table, as in lavaan; robust ML only
    saturated_factor: float = nan

    def __post_init__(self) -> None:
        self.vcov.setflags(write=False)

    @property
    def singular(self) -> bool:
        """Whether some direction of the parameters is without information."""
        return bool(np.isnan(self.vcov).any())


def assess(fit: Fit, material: Material, df: int, *, errors: bool = True) -> Assessed:
    """Errors and chi-square of `fit`; without `errors` (for a baseline) the test only."""
    recipe = material.recipe
    if recipe.errors == "sandwich":
        return _sandwich(fit, material, df)
    if recipe.errors == "robust_sem":
        return _corrected(fit, material, df)
    information = fit.information
    if material.information == "observed" and errors:
        information = observed_information(fit, material.discrepancy)
    elif recipe.distance == "uls" and errors:
        information = _unit_information(fit, material)
    vcov = _inverse(information) if errors else np.full_like(information, nan)
    test = chi_square(fit.value, df, p_known=recipe.distance != "uls")
    return Assessed(fit, test, in_theta(vcov, fit.model.reduce), information, None)


def _unit_information(fit: Fit, material: Material) -> FloatArray:
    """D'D, as lavaan has it for the naive errors of ULS: variances count like covariances."""
    total = np.zeros_like(fit.information)
    for sample, stack, slopes in zip(
        material.samples, material.stacks, fit.derivatives, strict=True
    ):
        slope = jacobian(stack, slopes, fit.model.reduce)
        total += sample.n * slope.T @ slope
    return total


def _corrected(fit: Fit, material: Material, df: int) -> Assessed:
    """Errors robust to non-normality, chi-square corrected by the trace of U Gamma."""
    model, recipe = fit.model, material.recipe
    if material.stacks:
        jacobians = [
            jacobian(stack, slopes, model.reduce)
            for stack, slopes in zip(material.stacks, fit.derivatives, strict=True)
        ]
        pieces = least_squares_pieces(
            [one.n for one in counted(material)], jacobians, material.weights, material.gammas
        )
        vcov = _robust(pieces.information, pieces.meat) * (
            material.n / (material.n - material.lost)
        )
    else:
        pieces = normal_pieces(
            material.samples,
            fit.implied,
            fit.derivatives,
            model.reduce,
            covariates=covariates(model),
        )
        vcov = _robust(pieces.information, pieces.meat)
    first, second = traces(pieces) if not np.isnan(vcov).any() else (nan, nan)
    if recipe.correction == "scaled_shifted":
        scaled = scaled_shifted(fit.value, df, first, second)
    else:
        scaled = satorra_bentler(fit.value, df, first)
    test = chi_square(fit.value, df, scaled=scaled, p_known=recipe.distance != "uls")
    return Assessed(fit, test, in_theta(vcov, model.reduce), pieces.information, pieces)


def _sandwich(fit: Fit, material: Material, df: int) -> Assessed:
    """Sandwich errors of maximum likelihood, chi-square after Yuan and Bentler as in Mplus."""
    model, found = fit.model, material.discrepancy
    information = fit.information
    if material.information == "observed":
        information = observed_information(fit, found)
    free, saturated = model.n_free, nan
    if isinstance(found, TwoLevelNormal):
        meat = found.first_order(fit.implied, fit.derivatives, free)
        parts = found.saturated_pieces()
        saturated = saturated_trace_of([a for a, _ in parts], [b for _, b in parts])
    elif isinstance(found, MissingNormal):
        clusters = material.clusters or None
        meat = found.first_order(fit.implied, fit.derivatives, free)
        first = found.saturated_first_order(clusters=clusters)
        if clusters is not None:
            meat, first = _grown(fit, found, clusters, first)
        saturated = saturated_trace_of(found.saturated_information(), first)
    elif isinstance(found, Normal):
        means = fit.model.blocks[0].means
        meat = first_order_meat(material.samples, fit.implied, fit.derivatives, np.eye(free))
        saturated = saturated_trace(material.samples, means=means, covariates=covariates(model))
    else:
        raise TypeError(type(found))
    meat = model.reduce.T @ meat @ model.reduce
    vcov = _robust(information, meat)
    bread = information
    if material.linear_test and material.information == "observed":
        curved = found.curvature(fit.implied, fit.derivatives, free)
        bread = model.reduce.T @ curved @ model.reduce
    own = model_trace(bread, meat) if not np.isnan(vcov).any() else nan
    scaled = yuan_bentler_mplus(fit.value, df, saturated=saturated, model=own)
    test = chi_square(fit.value, df, scaled=scaled)
    n_moments = df + model.n_unique
    return Assessed(
        fit,
        test,
        in_theta(vcov, model.reduce),
        information,
        RobustPieces(information, meat, saturated),
        factor=own / model.n_free,
        saturated_factor=saturated / n_moments,
    )


def _grown(
    fit: Fit, found: MissingNormal, clusters: Sequence[IntArray], first: Sequence[FloatArray]
) -> tuple[FloatArray, list[FloatArray]]:
    """Meat and saturated first-order parts over clusters, each group times its G / (G - 1)."""
    free = fit.model.n_free
    sums = found.scores(fit.implied, fit.derivatives, free)
    meat, grown, start = np.zeros((free, free)), [], 0
    for codes, part in zip(clusters, first, strict=True):
        count = int(codes.max()) + 1
        total = np.zeros((count, free))
        np.add.at(total, codes, sums[start : start + len(codes)])
        factor = count / (count - 1)
        meat += factor * total.T @ total
        grown.append(factor * part)
        start += len(codes)
    return meat, grown


def _robust(information: FloatArray, meat: FloatArray) -> FloatArray:
    if np.isnan(_inverse(information)).any():
        return np.full_like(information, nan)
    return robust_covariance(information, meat)


def _inverse(information: FloatArray) -> FloatArray:
    """Inverse of an information matrix; NaN throughout where it is singular."""
    scale = np.sqrt(np.abs(np.diag(information)))
    if not len(scale):
        return information.copy()
    if not np.isfinite(information).all() or (scale == 0).any():
        return np.full_like(information, nan)
    unit = information / np.outer(scale, scale)
    if np.abs(np.linalg.eigvalsh(unit)).min() < 1e-9:
        return np.full_like(information, nan)
    return np.asarray(np.linalg.inv(unit) / np.outer(scale, scale))
