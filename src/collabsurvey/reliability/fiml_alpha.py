"""Alpha from maximum likelihood covariances, which use every answer that was given."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from collabsurvey.errors import DataError, OptionError, WeightsNotAppliedError
from collabsurvey.moments import Moments
from collabsurvey.moments.casewise import clustered_answers, weighted_answers
from collabsurvey.moments.covariance import key_signs
from collabsurvey.moments.respondents import cluster_column
from collabsurvey.numerics.em_errors import moment_influence
from collabsurvey.numerics.em_normal import em_moments
from collabsurvey.numerics.intervals import normal_quantile, t_quantile
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.reliability.alpha_interval import (
    FEW_CLUSTERS,
    AlphaInterval,
    few_clusters_sentence,
)
from collabsurvey.responses.responses import Responses


def fiml_moments(responses: Responses, moments: Moments) -> tuple[Moments, list[str]]:
    """Replace the pairwise moments of keyed items by those of EM, and say how that went.

    The divisor is n - 1, as everywhere here; n counts rows with at least one answer.
    """
    if moments.weighted:
        raise WeightsNotAppliedError("alpha with missing='fiml'")
    x, _ = weighted_answers(responses, moments.items)
    found = em_moments(x)
    if found.singular:
        raise DataError(
            "Maximum likelihood covariances do not exist here: with these gaps some items are "
            "copies or sums of others. Use missing='listwise' or 'pairwise'."
        )
    if not found.converged:
        raise DataError(
            f"Maximum likelihood covariances did not converge in {found.n_iterations} steps. Use "
            "missing='listwise' or 'pairwise'."
        )
    signs = key_signs(responses, moments.items)
    # A turned item is an offset less the answer, and the offset is in the pairwise mean.
    mean = moments.mean + signs * (found.mean - np.nanmean(x, axis=0))
    note = (
        f"Maximum likelihood covariances (EM, {found.n_iterations} steps) from all answers of "
        f"{found.n} rows; right where answers are missing at random."
    )
    n = found.n
    fitted = replace(
        moments,
        mean=mean,
        cov=found.cov * np.outer(signs, signs) * (n / (n - 1)),
        n_respondents=n,
    )
    return fitted, [note]


def fiml_interval(
    responses: Responses,
    moments: Moments,
    estimate: float,
    *,
    ci: str,
    cluster: str | None,
    conf_level: float,
) -> AlphaInterval:
    """Sandwich interval of alpha on log(1 - alpha), over rows or clusters."""
    if ci not in ("auto", "sandwich"):
        raise OptionError("ci", ci, allowed=("auto",))
    column = cluster_column(responses, cluster)
    signs = key_signs(responses, moments.items)
    codes = None
    outside = 0
    if column is None:
        x, _ = weighted_answers(responses, moments.items)
        x = x[~np.isnan(x).all(axis=1)]
    else:
        x, _, groups, _ = clustered_answers(responses, moments.items, column)
        used = ~np.isnan(x).all(axis=1)
        outside = int((used & (groups < 0)).sum())
        x, codes = x[used], groups[used]
    found = em_moments(x)
    influence: FloatArray = moment_influence(x, found.mean, found.cov) @ _gradient(found.cov, signs)
    g = len(influence)
    if codes is not None:
        inside = codes >= 0
        _, places = np.unique(codes[inside], return_inverse=True)
        influence = np.asarray(np.bincount(places, influence[inside]), dtype=np.float64)
        g = len(influence)
        if g < 2:
            raise DataError(
                f"There is only one {column!r}, so how alpha varies between them is unknown. Use "
                "cluster=None."
            )
    error = float(np.sqrt((influence**2).sum() * g / (g - 1)))
    level = (1 + conf_level) / 2
    quantile = normal_quantile(level) if column is None else t_quantile(level, g - 1)
    reach = float(np.exp(quantile * error))
    unit = "respondents as independent" if column is None else f"{g} clusters ({column})"
    notes = [f"{conf_level:.0%} interval by a sandwich over {unit}."]
    if column is None:
        notes = [f"{conf_level:.0%} interval by a sandwich, {unit}."]
    if outside:
        notes.append(
            f"Rows without {column!r}, which count in alpha but not in its interval: {outside}."
        )
    few = few_clusters_sentence(g) if column is not None and g < FEW_CLUSTERS else ""
    return AlphaInterval(
        ci_low=1 - (1 - estimate) * reach,
        ci_high=1 - (1 - estimate) / reach,
        std_error=(1 - estimate) * error,
        method="sandwich",
        n_clusters=None if column is None else g,
        notes=(*notes, few) if few else tuple(notes),
        few_clusters=few,
    )


def _gradient(cov: FloatArray, signs: FloatArray) -> FloatArray:
    """Derivative of log(1 - alpha) by mean and vech of the covariances of items as answered.

    1 - alpha = (k t - 1) / (k - 1) with t = tr(C) / sum(C) of the keyed items.
    """
    k = len(cov)
    keyed = cov * np.outer(signs, signs)
    total, trace = keyed.sum(), np.trace(keyed)
    first, second = np.triu_indices(k)
    same = first == second
    by_total = np.where(same, 1.0, 2.0) * signs[first] * signs[second]
    slope = same / total - trace / total**2 * by_total
    t = trace / total
    return np.concatenate([np.zeros(k), k / (k * t - 1) * slope])
