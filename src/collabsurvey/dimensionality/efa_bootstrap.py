"""Bootstrap intervals of rotated loadings, each resample matched to the sample's solution.

Resamples are extracted and rotated as the sample was, from a start near its solution; factors
are then permuted and signed to be most congruent with it, since their order and sign are
arbitrary. Source: Zhang, Preacher & Luo (2010) doi:10.1080/00273170903504836; percentile
limits, which that study found to cover well. Resamples of whole schools where staff of a
school answer alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from collabsurvey.dimensionality.efa_result import EfaResult
from collabsurvey.dimensionality.extraction import ExtractionMethod, extract
from collabsurvey.dimensionality.inverse import SMALLEST_EIGENVALUE
from collabsurvey.dimensionality.pair_errors import coded
from collabsurvey.dimensionality.resampled_polychoric import (
    hot_columns,
    pair_layout,
    polychoric_of_counts,
)
from collabsurvey.dimensionality.rotation import align, rearranged
from collabsurvey.dimensionality.rotation_plan import RotationPlan
from collabsurvey.errors import DataError, NotSupportedError
from collabsurvey.moments.resampled import Resampler, resampler
from collabsurvey.moments.respondents import cluster_column
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.progress import track

FEW_CLUSTERS = 10
NOTHING = 1e-8  # sum of squared loadings of a factor that a resample lacks
CONSTANT = 1e-12  # share of an item's variance that is rounding: all drew the same answer


def bootstrap_intervals(
    result: EfaResult,
    plan: RotationPlan,
    extraction: ExtractionMethod,
    *,
    n_boot: int,
    cluster: str | None,
    seed: int,
    progress: bool,
) -> EfaResult:
    """Add the intervals of loadings and factor correlations to a result."""
    given = result.correlations
    if given.responses is None:
        raise DataError("A bootstrap needs answers, and this analysis started from correlations.")
    if given.missing == "pairwise":
        raise NotSupportedError(
            "A bootstrap of pairwise correlations", instead="Use missing='listwise'."
        )
    column = cluster_column(given.responses, cluster)
    rows = resampler(given.responses, given.items, cluster=column, keyed=False)
    loadings, phi = result.loadings.to_numpy(), result.factor_correlations.to_numpy()
    drawn_loadings, drawn_phi = [], []
    n_kept = n_seen = 0
    # The end point of principal axes is the minres solution, which takes fewer steps.
    method: ExtractionMethod = "minres" if extraction == "principal_axis" else extraction
    blocks = _correlation_blocks(rows, given.kind, n_boot, seed)
    # Polychorics come one by one and take time; the others are a few blocks.
    slow = given.kind == "polychoric"
    for drawn in track(blocks, "Resampling", total=n_boot, show=progress and slow):
        n_seen += len(drawn)
        cors = drawn[np.isfinite(drawn).all(axis=(1, 2))]
        if extraction == "ml":
            cors = cors[np.linalg.eigvalsh(cors)[:, 0] > SMALLEST_EIGENVALUE]
        found = extract(cors, result.n_factors, method)
        whole = found.converged & ((found.loadings**2).sum(axis=1).min(axis=1) > NOTHING)
        turned = plan.rotate_towards(found.loadings[whole], loadings)
        kept = turned.converged
        here, across = _matched(turned.loadings[kept], turned.factor_correlations[kept], loadings)
        drawn_loadings.append(here)
        drawn_phi.append(across)
        n_kept += int(kept.sum())
    frame = _interval_frame(result, np.vstack(drawn_loadings), np.vstack(drawn_phi), loadings, phi)
    unit = "respondents" if column is None else f"whole clusters ({rows.n_units} of {column!r})"
    lost = n_seen - n_kept
    said = f"Intervals: {result.conf_level:.0%} percentile limits of {n_kept} resamples of {unit}."
    if lost:
        said += f" {lost} resamples had no solution and are left out."
    notes = [*result.notes, said]
    if column is not None and rows.n_units < FEW_CLUSTERS:
        notes.append(
            f"Only {rows.n_units} clusters: the intervals are rough, and rather too short."
        )
    return replace(result, intervals=frame, n_boot=n_kept, notes=tuple(notes))


def _correlation_blocks(rows: Resampler, kind: str, n_boot: int, seed: int) -> Iterator[FloatArray]:
    """Blocks (b, k, k) of resampled correlation matrices."""
    if kind == "pearson":
        nothing = rows.x.var(axis=0) * CONSTANT
        for cov in rows.covariances(n_boot, seed=seed):
            variance = np.diagonal(cov, axis1=1, axis2=2)
            sd = np.sqrt(np.where(variance > nothing, variance, np.nan))
            cor = cov / (sd[:, :, None] * sd[:, None, :])
            diagonal = np.arange(cov.shape[1])
            cor[:, diagonal, diagonal] = np.where(np.isnan(sd), np.nan, 1.0)
            yield cor
        return
    categories = [np.unique(answers) for answers in rows.x.T]
    layout = pair_layout([len(codes) for codes in categories])
    hot = hot_columns(coded(rows.x, categories), layout)
    whole = polychoric_of_counts((hot * rows.weight) @ hot.T.astype(float), layout)
    for weights in rows.weights(n_boot, seed=seed):
        for weight in weights:
            counts = ((hot * weight) @ hot.T).astype(np.float64)
            yield polychoric_of_counts(counts, layout, whole)[None]


def _matched(
    loadings: FloatArray, phi: FloatArray, reference: FloatArray
) -> tuple[FloatArray, FloatArray]:
    if not len(loadings):
        return loadings, phi
    permutation, sign = align(loadings, reference)
    return rearranged(loadings, phi, permutation, sign)


def _interval_frame(
    result: EfaResult,
    drawn: FloatArray,
    drawn_phi: FloatArray,
    loadings: FloatArray,
    phi: FloatArray,
) -> pd.DataFrame:
    """One row a loading, then one a factor correlation."""
    if len(drawn) < 2:
        raise DataError(
            "No resample could be factored: the correlations of resamples are not defined. There "
            "are too few respondents, or items that hardly vary."
        )
    tail = (1 - result.conf_level) / 2
    names = list(result.loadings.columns)
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    rows, columns = np.indices(loadings.shape)
    frames = [
        pd.DataFrame(
            {
                "item": np.array(result.items)[rows.ravel()],
                "factor": np.array(names)[columns.ravel()],
                "estimate": loadings.ravel(),
                "std_error": drawn.std(axis=0, ddof=1).ravel(),
                "ci_low": low.ravel(),
                "ci_high": high.ravel(),
            }
        )
    ]
    i, j = np.triu_indices(len(phi), 1)
    if len(i) and np.abs(phi[i, j]).max() > 0:
        pairs = drawn_phi[:, i, j]
        low, high = np.quantile(pairs, [tail, 1 - tail], axis=0)
        frames.append(
            pd.DataFrame(
                {
                    "item": np.array(names)[i],
                    "factor": np.array(names)[j],
                    "estimate": phi[i, j],
                    "std_error": pairs.std(axis=0, ddof=1),
                    "ci_low": low,
                    "ci_high": high,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)
