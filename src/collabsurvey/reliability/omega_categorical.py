"""Omega of ordinal items on the metric of their sum (Green & Yang, 2009).

doi:10.1007/s11336-008-9099-3, eq. 21. A common factor moves normal latent responses, which
thresholds cut into answers; what two administrations of the scale would share is summed over
all pairs of items and answers. Everything takes a stack of B samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from collabsurvey.dimensionality.one_factor import OneFactor, one_factor_dwls
from collabsurvey.dimensionality.pair_correlations import Pairs, correlate_pairs, filled
from collabsurvey.dimensionality.two_way import (
    influence,
    pairs_of,
    thresholds,
    two_step,
)
from collabsurvey.errors import DataError
from collabsurvey.moments import AnswerTables
from collabsurvey.numerics.bivariate_normal import bivariate_cdf
from collabsurvey.numerics.typing import FloatArray, IntArray

CELLS = 2**22  # products of answers held at a time: 32 MB
EVALUATIONS = 2**20  # bivariate probabilities computed at a time


@dataclass(frozen=True, eq=False)
class Cuts:
    """Thresholds of k items, padded to the longest, and what passing one adds to an answer."""

    at: FloatArray  # (B, k, t) ascending; infinite where an item has fewer
    steps: FloatArray  # (k, t) difference of neighbouring codes; 0 where an item has fewer


def padded_cuts(cuts: Sequence[FloatArray], categories: Sequence[FloatArray]) -> Cuts:
    """Cuts of one sample from the thresholds (c - 1,) and codes (c,), ascending, of each item."""
    most = max(len(own) for own in cuts)
    at = np.full((1, len(cuts), most), np.inf)
    steps = np.zeros((len(cuts), most))
    for i, (own, codes) in enumerate(zip(cuts, categories, strict=True)):
        at[0, i, : len(own)] = own
        steps[i, : len(own)] = np.diff(codes)
    return Cuts(at, steps)


def answer_covariances(cuts: Cuts, latent: FloatArray) -> FloatArray:
    """Covariances (B, k, k) of answers whose latent responses correlate `latent` (B, k, k).

    The sum over thresholds a, b of P(X <= a, Y <= b) - P(X <= a) P(Y <= b), times what
    passing each adds. The diagonal is that of an item with a repetition of itself.
    """
    b, k, t = cuts.at.shape
    first, second = (places.astype(np.int64) for places in np.triu_indices(k))
    below = special.ndtr(cuts.at)
    out = np.empty((b, k, k))
    block = max(EVALUATIONS // (len(first) * t * t), 1)
    for start in range(0, b, block):
        part = slice(start, start + block)
        x, y = cuts.at[part, first, :, None], cuts.at[part, second, None, :]
        joint = bivariate_cdf(x, y, latent[part, first, second, None, None])
        joint -= below[part, first, :, None] * below[part, second, None, :]
        values = np.einsum("bpst,ps,pt->bp", joint, cuts.steps[first], cuts.steps[second])
        out[part, first, second] = values
        out[part, second, first] = values
    return out


def answer_variances(cuts: Cuts) -> FloatArray:
    """Variance (B, k) of each answer, which its thresholds imply."""
    below = special.ndtr(cuts.at)
    lower = np.minimum(below[..., :, None], below[..., None, :])
    joint = lower - below[..., :, None] * below[..., None, :]
    return np.asarray(np.einsum("bkst,ks,kt->bk", joint, cuts.steps, cuts.steps))


CATEGORICAL = (
    "omega_categorical",
    "omega_categorical_model",
    "omega_latent",
    "omega_latent_model",
    "ordinal_alpha",
    "ave_latent",
)


def categorical_coefficients(cuts: Cuts, cors: FloatArray, fits: OneFactor) -> FloatArray:
    """Coefficients (B, 6), in the order of CATEGORICAL, from polychorics (B, k, k)."""
    k = cors.shape[-1]
    diagonal = np.arange(k)
    common = fits.loadings[:, :, None] * fits.loadings[:, None, :]
    shared = answer_covariances(cuts, common)
    observed = answer_covariances(cuts, np.clip(_hollow(cors), -0.999, 0.999))
    own = answer_variances(cuts)
    true = shared.sum(axis=(1, 2))
    rest = own.sum(axis=1) - np.trace(shared, axis1=1, axis2=2)
    observed[:, diagonal, diagonal] = own
    latent = common.sum(axis=(1, 2))
    total = cors.sum(axis=(1, 2))
    return np.column_stack(
        [
            true / observed.sum(axis=(1, 2)),
            true / (true + rest),
            latent / total,
            latent / (latent + fits.residuals.sum(axis=1)),
            k / (k - 1) * (1 - k / total),
            (fits.loadings**2).mean(axis=1),
        ]
    )


def _hollow(cors: FloatArray) -> FloatArray:
    out = cors.copy()
    diagonal = np.arange(cors.shape[-1])
    out[:, diagonal, diagonal] = 0.0
    return out


@dataclass(frozen=True, eq=False)
class OrdinalFactor:
    """One factor of the polychoric correlations of a sample, in the keyed direction."""

    cors: FloatArray  # (k, k)
    cuts: Cuts
    fits: OneFactor
    pairs: Pairs


def ordinal_factor(tables: AnswerTables, signs: FloatArray) -> OrdinalFactor:
    """Fit one factor by least squares with the weights of WLSMV: 1 / var(r).

    `tables` hold observed categories; `signs` (k,) are 1, or -1 for reversed items. Sums of
    weights count as respondents.
    """
    pairs = correlate_pairs(tables, empty_cells="lavaan")
    if pairs.at_limit.all():  # no pair has an error, so there are no weights
        raise DataError(
            "Categorical omega is not defined: as far as these answers show, the items are "
            "perfectly associated. One of them says as much as all."
        )
    cors = pairs.matrix(pairs.rho, 1.0) * np.outer(signs, signs)
    known = np.isfinite(pairs.std_error) & (pairs.std_error > 0)
    precision = np.where(known, 1 / np.where(known, pairs.std_error, 1.0) ** 2, 0.0)
    fits = one_factor_dwls(cors[None], pairs.matrix(precision, 0.0))
    turned = [
        (cuts, codes) if sign > 0 else (-cuts[::-1], -codes[::-1])
        for cuts, codes, sign in zip(pairs.cuts, tables.categories, signs, strict=True)
    ]
    cuts = padded_cuts([own for own, _ in turned], [codes for _, codes in turned])
    return OrdinalFactor(cors, cuts, fits, pairs)


@dataclass(frozen=True, eq=False)
class Answers:
    """Complete answers as places among the categories of each item, in its keyed direction."""

    places: IntArray  # (n, k)
    sizes: IntArray  # (k,) categories of each item
    steps: FloatArray  # (k, t)


def keyed_answers(x: FloatArray, signs: FloatArray) -> Answers:
    """Answers of raw rows (n, k) without missing values, from the categories that occur."""
    columns, codes = [], []
    for column, sign in zip(x.T, signs, strict=True):
        own, place = np.unique(sign * column, return_inverse=True)
        codes.append(own)
        columns.append(place)
    most = max(map(len, codes)) - 1
    steps = np.zeros((len(codes), most))
    for i, own in enumerate(codes):
        steps[i, : len(own) - 1] = np.diff(own)
    sizes = np.array([len(own) for own in codes], dtype=np.int64)
    return Answers(np.column_stack(columns).astype(np.int64), sizes, steps)


def resampled_coefficients(
    answers: Answers, weights: NDArray[np.float32] | FloatArray
) -> FloatArray:
    """Coefficients (b, 6) of resamples, given as weights (b, n) of the rows.

    Thresholds, polychorics, their precision and loadings are estimated anew in each: with the
    precision of the sample, errors came out up to a tenth too small where one factor does not
    fit. NaN where a resample has no solution: an item that everyone in it answered alike, or
    two that are perfectly associated.
    """
    k, c = len(answers.sizes), int(answers.sizes.max())
    pairs = k * (k - 1) // 2
    step = max(CELLS // (pairs * c * c), 1)
    parts = [
        _resampled(answers, weights[start : start + step]) for start in range(0, len(weights), step)
    ]
    return np.concatenate(parts)


def _resampled(answers: Answers, weights: NDArray[np.float32] | FloatArray) -> FloatArray:
    k = len(answers.sizes)
    first, second = pairs_of(k)
    tables = pair_tables(answers, weights)  # (b, P, c, c)
    single = _margins(tables, first)  # (b, k, c)
    cuts = thresholds(single)
    b, pairs, c, _ = tables.shape
    used = _filled(tables, answers.sizes, first, second).reshape(-1, c, c)
    row_cuts, column_cuts = (cuts[:, which].reshape(-1, c - 1) for which in (first, second))
    fits = two_step(used, row_cuts, column_cuts)
    n = used.sum(axis=(1, 2))
    # Beyond 8 a threshold is infinite to every digit, but its density is not yet zero.
    finite = np.clip(row_cuts, -8, 8), np.clip(column_cuts, -8, 8)
    cells = influence(used, *finite, fits, n, n)[:, :c, :c]
    variance = (tables.reshape(-1, c, c) * cells**2).sum(axis=(1, 2)).reshape(b, pairs)
    cors, precision = (np.array(np.broadcast_to(np.eye(k), (b, k, k))) for _ in range(2))
    fine = (fits.converged & ~fits.at_limit).reshape(b, pairs).all(axis=1)
    fine &= ((single > 0).sum(axis=2) > 1).all(axis=1)
    fine &= (np.isfinite(variance) & (variance > 0)).all(axis=1)
    values = np.full((b, len(CATEGORICAL)), np.nan)
    if not fine.any():
        return values
    for matrix, entries in (
        (cors, fits.rho.reshape(b, pairs)),
        (precision, 1 / np.where(fine[:, None], variance, 1.0)),
    ):
        matrix[:, first, second] = entries
        matrix[:, second, first] = entries
    factor = one_factor_dwls(cors[fine], precision[fine])
    own = categorical_coefficients(Cuts(cuts[fine], answers.steps), cors[fine], factor)
    own[~factor.converged] = np.nan
    values[fine] = own
    return values


def pair_tables(answers: Answers, weights: NDArray[np.float32] | FloatArray) -> FloatArray:
    """Two-way tables (b, P, c, c) of all pairs under weights (b, n), padded to c categories."""
    first, second = pairs_of(len(answers.sizes))
    n, c = len(answers.places), int(answers.sizes.max())
    width = len(first) * c * c
    out = np.zeros((len(weights), width))
    step = max(CELLS // width, 1)
    for start in range(0, n, step):
        places = answers.places[start : start + step]
        cell = (np.arange(len(first)) * c + places[:, first]) * c + places[:, second]
        hot = np.zeros((len(places), width), dtype=weights.dtype)
        np.put_along_axis(hot, cell, 1, axis=1)
        out += weights[:, start : start + step] @ hot
    return out.reshape(len(weights), len(first), c, c)


def _margins(tables: FloatArray, first: IntArray) -> FloatArray:
    """Counts (b, k, c) of each answer: the margins of the pairs of the first item."""
    others = tables[:, first == 0].sum(axis=2)
    return np.concatenate([tables[:, :1].sum(axis=3), others], axis=1)


def _filled(tables: FloatArray, sizes: IntArray, first: IntArray, second: IntArray) -> FloatArray:
    """Tables with lavaan's half answer in the empty cell of a 2 × 2 table."""
    small = np.flatnonzero((sizes[first] == 2) & (sizes[second] == 2))
    if not len(small):
        return tables
    out = tables.copy()
    part = tables[:, small, :2, :2]
    out[:, small, :2, :2] = filled(part.reshape(-1, 2, 2), "lavaan").reshape(part.shape)
    return out
