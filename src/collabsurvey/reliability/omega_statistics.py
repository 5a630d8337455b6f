"""Each kind of omega as a statistic of reweighted rows, for resampling."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from collabsurvey.dimensionality.extraction import ExtractionMethod
from collabsurvey.dimensionality.one_factor import one_factor
from collabsurvey.moments import ClusterMoments
from collabsurvey.moments.clustered import within_group_sscp
from collabsurvey.moments.resampled import Resampler
from collabsurvey.numerics.resampling import weighted_covariances
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray
from collabsurvey.reliability.omega_categorical import keyed_answers, resampled_coefficients
from collabsurvey.reliability.omega_interval import Sampled, Statistic, Weights
from collabsurvey.reliability.omega_kernels import (
    coefficient_gradients,
    linearised_std_errors,
    one_factor_coefficients,
)
from collabsurvey.reliability.schmid_leiman import (
    GroupFactors,
    ObliqueRotation,
    Structure,
    hierarchical_coefficients,
    resampled_group_factors,
)

SMALLEST_EIGENVALUE = 1e-10  # of a correlation matrix that has an inverse


def solvable(covs: FloatArray, method: ExtractionMethod) -> BoolArray:
    """Which covariances (B, k, k) a factor model can be fitted to."""
    variances = np.diagonal(covs, axis1=1, axis2=2)
    fine = np.asarray((variances > 1e-12 * variances.max(axis=1, keepdims=True)).all(axis=1))
    fine &= variances.max(axis=1) > 0
    if method == "ml":
        sd = np.sqrt(variances[fine])
        cors = covs[fine] / (sd[:, :, None] * sd[:, None, :])
        fine[fine] = np.linalg.eigvalsh(cors)[:, 0] > SMALLEST_EIGENVALUE
    return fine


def one_factor_statistic(
    source: Resampler, method: ExtractionMethod, *, with_errors: bool
) -> Statistic:
    """Coefficients ONE_FACTOR of resamples, with their standard errors over units if asked."""
    pieces, first = unit_pieces(source) if with_errors else (None, None)

    def statistic(weights: Weights) -> Sampled:
        times = None if first is None else weights[:, first] / source.weight[first]
        if pieces is None or times is None or source.codes is None:
            covs = weighted_covariances(source.x, weights)
        else:  # the same from per-cluster sums, without going through the rows
            covs = pieces.resampled_covariances(times.astype(np.float64))
        fine = solvable(covs, method)
        fits = one_factor(covs[fine], method)
        values = np.full((len(covs), 7), np.nan)
        own = one_factor_coefficients(covs[fine], fits)
        own[~fits.converged] = np.nan
        values[fine] = own
        if pieces is None or times is None:
            return Sampled(values)
        errors = np.full((len(covs), 7), np.nan)
        slopes = coefficient_gradients(covs[fine], fits)
        errors[fine] = linearised_std_errors(pieces, times[fine], slopes)
        return Sampled(values, errors)

    return statistic


def unit_pieces(source: Resampler) -> tuple[ClusterMoments, IntArray]:
    """Moments of each unit that is drawn, and the first row (G,) of each unit."""
    codes = np.arange(len(source.x)) if source.codes is None else source.codes
    g = source.n_units
    own = within_group_sscp(source.x, codes, g, source.weight)
    first = np.unique(codes, return_index=True)[1].astype(np.int64)
    pieces = ClusterMoments(
        items=source.items,
        clusters=tuple(map(str, range(g))),
        n=own.n,
        mean=own.mean,
        sscp=own.sscp,
        n_complete=len(source.x),
        n_without_cluster=source.n_without_cluster,
    )
    return pieces, first


def hierarchical_statistic(
    source: Resampler,
    reference: GroupFactors,
    home: IntArray,
    *,
    structure: Structure,
    extraction: ExtractionMethod,
    rotation: ObliqueRotation,
    observed: bool,
) -> Statistic:
    """Coefficients named by `general_names` of resamples; items stay with their group factor."""
    q = 8 + 3 * reference.groups.shape[2]

    def statistic(weights: Weights) -> Sampled:
        covs = weighted_covariances(source.x, weights)
        fine = solvable(covs, extraction)
        values = np.full((len(covs), q), np.nan)
        at_bound = np.zeros(len(covs), dtype=bool)
        if fine.any():
            sd = np.sqrt(np.diagonal(covs[fine], axis1=1, axis2=2))
            cors = covs[fine] / (sd[:, :, None] * sd[:, None, :])
            factors = resampled_group_factors(
                cors, reference, structure=structure, extraction=extraction, rotation=rotation
            )
            own = hierarchical_coefficients(covs[fine], factors, home, observed=observed)
            own[~factors.converged] = np.nan
            values[fine] = own
            at_bound[fine] = factors.at_bound.any(axis=1)
        return Sampled(values, at_bound=at_bound)

    return statistic


def categorical_statistic(source: Resampler, signs: FloatArray) -> Statistic:
    """Coefficients CATEGORICAL of resamples; `source` holds raw answers, `signs` (k,) the key."""
    answers = keyed_answers(source.x, signs)
    patterns, place = np.unique(answers.places, axis=0, return_inverse=True)
    place = place.ravel()
    if len(patterns) > len(answers.places) // 2:  # nothing gained by adding up equal rows
        return lambda weights: Sampled(resampled_coefficients(answers, weights))
    short = replace(answers, places=patterns)

    def statistic(weights: Weights) -> Sampled:
        added = np.array([np.bincount(place, row, minlength=len(patterns)) for row in weights])
        return Sampled(resampled_coefficients(short, added))

    return statistic
