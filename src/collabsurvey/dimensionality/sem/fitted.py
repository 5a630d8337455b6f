"""One analysis from prepared data: fit, errors, tests, baseline and fit indices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from collabsurvey.dimensionality.sem import estimate
from collabsurvey.dimensionality.sem.assess import Assessed, assess
from collabsurvey.dimensionality.sem.baseline import independence
from collabsurvey.dimensionality.sem.chi_square import Misfit, robust_misfit
from collabsurvey.dimensionality.sem.compile import count_moments
from collabsurvey.dimensionality.sem.estimate import Fit
from collabsurvey.dimensionality.sem.fit_indices.gfi import (
    missing_gfi,
    normal_gfi,
    pooled_gfi,
    weighted_gfi,
)
from collabsurvey.dimensionality.sem.fit_indices.information import Likelihood, saturated_loglik
from collabsurvey.dimensionality.sem.fit_indices.measures import fit_measures, two_level_minimum
from collabsurvey.dimensionality.sem.fit_indices.residual import (
    residual_indices,
    two_level_residuals,
)
from collabsurvey.dimensionality.sem.fit_indices.robust_categorical import (
    categorical_baseline,
    categorical_misfit,
)
from collabsurvey.dimensionality.sem.fit_indices.robust_missing import missing_misfit
from collabsurvey.dimensionality.sem.gamma import numeric_stack
from collabsurvey.dimensionality.sem.least_squares import LeastSquares
from collabsurvey.dimensionality.sem.level_specific import two_level_baseline
from collabsurvey.dimensionality.sem.material import Material, counted, covariates
from collabsurvey.dimensionality.sem.missing import MissingNormal
from collabsurvey.dimensionality.sem.model import Model
from collabsurvey.dimensionality.sem.normal import Normal, inverted
from collabsurvey.dimensionality.sem.sandwich import jacobian
from collabsurvey.dimensionality.sem.start import start_values, with_covariates
from collabsurvey.dimensionality.sem.two_level import TwoLevelNormal, covariates_loglik
from collabsurvey.numerics.typing import FloatArray

_FIELDS = ("material", "assessed", "df", "baseline")


@dataclass(frozen=True, eq=False)
class Analysis:
    """A model fitted to prepared data, with all that is computed from the fit."""

    material: Material
    assessed: Assessed
    df: int
    baseline: Assessed | None  # None where the baseline could not be fitted

    def __getstate__(self) -> dict[str, Any]:
        """What is computed on demand is computed again: a read-only mapping cannot be copied."""
        return {key: value for key, value in vars(self).items() if key in _FIELDS}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)

    @property
    def model(self) -> Model:
        """The model, with the moments of covariates filled in."""
        return self.assessed.fit.model

    @property
    def fit(self) -> Fit:
        """The estimates."""
        return self.assessed.fit

    @cached_property
    def loglik(self) -> Likelihood | None:
        """Log-likelihoods of model and saturated model; None for least squares."""
        return _likelihood(self)

    @cached_property
    def measures(self) -> Mapping[str, float]:
        """Every fit index, by name."""
        return MappingProxyType(_measures(self))


def analyse(model: Model, material: Material, *, start: FloatArray | None = None) -> Analysis:
    """Fit `model`, whose observed variables are in the order of the material's samples."""
    model = with_covariates(model, material.samples)
    begin = start_values(model, material.samples) if start is None else start
    fit = estimate.fit(model, material.discrepancy, begin)
    df = count_moments(model) - model.n_unique
    return Analysis(material, assess(fit, material, df), df, _baseline(model, material))


def _baseline(model: Model, material: Material) -> Assessed | None:
    """Fit the model of uncorrelated variables to the same data."""
    found = material.discrepancy
    if isinstance(found, TwoLevelNormal):
        null, x = two_level_baseline(model, found.samples)
        fit = estimate.finished(null, found, x)
        return assess(fit, material, count_moments(null) - null.n_unique, errors=False)
    null, start = independence(model, material.samples)
    if isinstance(found, Normal) and not any(block.covariates for block in model.blocks):
        fit = estimate.finished(null, found, start)  # the start is the solution
    else:
        fit = estimate.fit(null, found, start)
    if not fit.converged:
        return None
    return assess(fit, material, count_moments(null) - null.n_unique, errors=False)


def _likelihood(found: Analysis) -> Likelihood | None:
    discrepancy, assessed = found.material.discrepancy, found.assessed
    if isinstance(discrepancy, LeastSquares):
        return None
    if isinstance(discrepancy, Normal):
        whole = counted(found.material)
        units = sum(one.n for one in found.material.samples)
        saturated = saturated_loglik(whole, covariates(found.model))
        loglik = saturated - found.fit.value / 2 * (found.material.n / units)
    else:
        given = _predictors_loglik(found)
        saturated = discrepancy.unrestricted_loglik - given
        loglik = discrepancy.loglik(found.fit.implied) - given
    return Likelihood(loglik, saturated, assessed.factor, assessed.saturated_factor)


def _predictors_loglik(found: Analysis) -> float:
    """Log-likelihood of covariates alone, whose moments are fixed: it does not count."""
    discrepancy = found.material.discrepancy
    if isinstance(discrepancy, TwoLevelNormal):
        blocks = found.model.blocks
        names = [
            {*a.covariates, *b.covariates} for a, b in zip(blocks[::2], blocks[1::2], strict=True)
        ]
        return sum(
            covariates_loglik(sample, sorted(some))
            for sample, some in zip(discrepancy.samples, names, strict=True)
        )
    total = 0.0
    for sample, places in zip(found.material.samples, covariates(found.model), strict=True):
        if len(places) and sample.rows is not None:
            alone = MissingNormal([sample.rows[:, places]], weights=[sample.weights])
            total += alone.unrestricted_loglik
    return total


def _measures(found: Analysis) -> dict[str, float]:
    material, fit, baseline = found.material, found.fit, found.baseline
    two_level = isinstance(material.discrepancy, TwoLevelNormal)
    ordered = [block.is_ordered for block in found.model.blocks]
    ordinal = any(one.any() for one in ordered)
    likelihood, minimum = found.loglik, None
    if two_level and likelihood is not None:
        names = {name for block in found.model.blocks for name in block.observed}
        minimum = two_level_minimum(likelihood.loglik, material.n, len(names))
        residuals = _level_residuals(found)
    else:
        residuals = residual_indices(material.samples, fit.implied, ordered)
    robust, robust_baseline = _robust(found)
    return fit_measures(
        found.assessed.test,
        baseline.test if baseline is not None else None,
        n=material.n,
        n_groups=material.n_groups,
        n_parameters=found.model.n_unique,
        residuals=residuals,
        n_less_groups=bool(material.stacks) or material.divisor == "n-1",
        likelihood=likelihood,
        robust=robust,
        robust_baseline=robust_baseline,
        gfi=float("nan") if two_level else _gfi(found),
        n_moments=None if two_level else _n_moments(found.model),
        ordinal=ordinal,
        minimum=minimum,
    )


def _n_moments(model: Model) -> list[int]:
    """Moments of each group: thresholds, means, variances and covariances."""
    out = []
    for block in model.blocks:
        p, ordered = len(block.observed), len(block.ordered)
        count = p * (p + 1) // 2 - ordered + len(block.threshold_of)
        out.append(count + (p - ordered if block.means else 0))
    return out


def _level_residuals(found: Analysis) -> dict[str, float]:
    discrepancy, implied = found.material.discrepancy, found.fit.implied
    if not isinstance(discrepancy, TwoLevelNormal):
        raise TypeError(type(discrepancy))
    whole = discrepancy.saturated
    return two_level_residuals(
        [one.n for one in discrepancy.samples],
        [(one.within, at.cov) for one, at in zip(whole, implied[::2], strict=True)],
        [(one.between, at.cov) for one, at in zip(whole, implied[1::2], strict=True)],
    )


def _gfi(found: Analysis) -> float:
    """Goodness of fit, averaged over groups."""
    material, values = found.material, []
    for g, (sample, one, given) in enumerate(
        zip(material.samples, found.fit.implied, covariates(found.model), strict=True)
    ):
        if material.stacks and material.recipe.distance != "gls":
            stack, weight = material.stacks[g], material.weights[g]
            if material.recipe.distance == "uls":
                weight = np.ones(len(weight))  # as lavaan, whatever was minimised
            observed = stack.vector(sample.cov, sample.mean, sample.thresholds)
            expected = stack.vector(one.cov, one.mean, one.thresholds)
            values.append(weighted_gfi(observed, expected, weight))
        elif isinstance(material.discrepancy, MissingNormal) and sample.rows is not None:
            values.append(missing_gfi(sample.rows, one, given))
        else:
            cov = sample.cov if material.recipe.distance == "gls" else one.cov
            inverse, _ = inverted(cov)
            if inverse is None:
                return float("nan")
            values.append(normal_gfi(sample, one, inverse, given))
    return pooled_gfi(values, [one.n for one in material.samples])


def _robust(found: Analysis) -> tuple[Misfit | None, Misfit | None]:
    """What the robust indices of model and baseline are made of."""
    material, assessed, baseline = found.material, found.assessed, found.baseline
    if assessed.singular or baseline is None:
        return None, None
    if material.recipe.correction != "none" and material.gammas:
        samples = counted(material)
        model = categorical_misfit(
            samples,
            found.fit.implied,
            _jacobians(assessed, material),
            material.weights,
            material.gammas,
            df=found.df,
        )
        return model, categorical_baseline(samples, material.gammas)
    if isinstance(material.discrepancy, MissingNormal):
        discrepancy = material.discrepancy
        observed, first = discrepancy.saturated_information(), None
        if material.recipe.correction != "none":
            first = discrepancy.saturated_first_order(clusters=material.clusters or None)
        tests = [
            missing_misfit(
                material.samples,
                one.fit.implied,
                _jacobians(one, material),
                observed,
                first,
                df=one.test.df,
                covariates=covariates(one.fit.model),
            )
            for one in (assessed, baseline)
        ]
        return tests[0], tests[1]
    return robust_misfit(assessed.test), robust_misfit(baseline.test)


def _jacobians(assessed: Assessed, material: Material) -> list[FloatArray]:
    """Derivatives (s, q) of the stacked moments of every group by the estimated parameters."""
    fit = assessed.fit
    stacks = material.stacks or tuple(
        numeric_stack(len(one.cov), means=one.mean is not None) for one in fit.implied
    )
    return [
        jacobian(stack, slopes, fit.model.reduce)
        for stack, slopes in zip(stacks, fit.derivatives, strict=True)
    ]
