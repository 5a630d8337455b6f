"""Residuals of a fitted model with their standard errors, by estimator."""

from __future__ import annotations

import numpy as np

from collabsurvey.dimensionality.sem.fitted import Analysis
from collabsurvey.dimensionality.sem.gamma import normal_gamma
from collabsurvey.dimensionality.sem.material import covariates
from collabsurvey.dimensionality.sem.normal import Normal
from collabsurvey.dimensionality.sem.residuals import (
    Residuals,
    normal_residual_variances,
    residual_variances,
    residuals,
    standard_errors,
)
from collabsurvey.dimensionality.sem.sandwich import jacobian
from collabsurvey.errors import NotSupportedError


def residual_z(found: Analysis, place: int) -> tuple[Residuals, Residuals]:
    """Raw residuals of the block at `place`, and their standard errors."""
    material, fit = found.material, found.fit
    block, sample, at = found.model.blocks[place], material.samples[place], fit.implied[place]
    change = fit.derivatives[place]
    bread = np.asarray(np.linalg.inv(fit.information), dtype=np.float64)
    plain = isinstance(material.discrepancy, Normal) and material.recipe.errors == "standard"
    if plain and material.divisor == "n":
        variances = normal_residual_variances(
            sample,
            at,
            change,
            reduce=found.model.reduce,
            bread=bread,
            means=block.means,
            covariates=covariates(found.model)[place],
        )
    elif material.gammas or material.recipe.distance == "gls":
        means = block.means
        gamma = material.gammas[place] if material.gammas else normal_gamma(sample.cov, means=means)
        variances = residual_variances(
            jacobian=jacobian(material.stacks[place], change, found.model.reduce),
            weight=sample.n * material.weights[place],
            gamma=gamma,
            bread=bread,
            n=sample.n + 1,
        )
    else:
        raise NotSupportedError(
            "Standardised residuals with this estimator",
            instead="Use ML or GLS on complete rows, or residuals(), which has no errors.",
        )
    return residuals(sample, at), standard_errors(block, variances)
