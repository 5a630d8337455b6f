"""Correlation matrices of many resamples of the same items: Pearson or polychoric."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from collabsurvey.dimensionality.pair_errors import coded
from collabsurvey.dimensionality.resampled_polychoric import (
    hot_columns,
    pair_layout,
    polychoric_of_counts,
)
from collabsurvey.moments.resampled import Resampler
from collabsurvey.numerics.typing import FloatArray

Kind = Literal["pearson", "polychoric"]
CONSTANT = 1e-12  # share of an item's variance that is rounding: all drew the same answer


def correlation_draws(
    rows: Resampler, kind: Kind, n_boot: int, *, seed: int
) -> Iterator[FloatArray]:
    """Yield blocks (b, k, k); NaN where a draw gave an item the same answer in every row."""
    return _polychoric(rows, n_boot, seed) if kind == "polychoric" else _pearson(rows, n_boot, seed)


def _pearson(rows: Resampler, n_boot: int, seed: int) -> Iterator[FloatArray]:
    nothing = rows.x.var(axis=0) * CONSTANT
    diagonal = np.arange(rows.x.shape[1])
    for cov in rows.covariances(n_boot, seed=seed):
        variance = np.diagonal(cov, axis1=1, axis2=2)
        sd = np.sqrt(np.where(variance > nothing, variance, np.nan))
        cor = cov / (sd[:, :, None] * sd[:, None, :])
        cor[:, diagonal, diagonal] = np.where(np.isnan(sd), np.nan, 1.0)
        yield cor


def _polychoric(rows: Resampler, n_boot: int, seed: int) -> Iterator[FloatArray]:
    categories = [np.unique(answers) for answers in rows.x.T]
    layout = pair_layout([len(codes) for codes in categories])
    hot = hot_columns(coded(rows.x, categories), layout)
    whole = polychoric_of_counts((hot * rows.weight) @ hot.T.astype(float), layout)
    for weights in rows.weights(n_boot, seed=seed):
        for weight in weights:
            counts = ((hot * weight) @ hot.T).astype(np.float64)
            yield polychoric_of_counts(counts, layout, whole)[None]
