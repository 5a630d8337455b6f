"""Samples of ordered items together with continuous variables, one for each group."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from collabsurvey.dimensionality.sem.answers import Answers
from collabsurvey.dimensionality.sem.mixed_moments import mixed_moments
from collabsurvey.dimensionality.sem.mixed_pairs import Bread
from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.dimensionality.sem.samples import Categories, recoded
from collabsurvey.errors import DataError, listed
from collabsurvey.numerics.typing import BoolArray, FloatArray


def mixed_samples(
    answers: Answers, categories: Mapping[str, Categories], *, bread: Bread = "derivative"
) -> list[Sample]:
    """Moments of every group; `categories` names the ordered items, the others are continuous.

    Each moment is from the rows that have what it needs; drop incomplete rows first for
    listwise. The asymptotic covariance has the divisor lavaan uses, as in `ordinal_samples`.
    """
    ordered = np.isin(answers.names, list(categories))
    known = [categories[name] for name in answers.names if name in categories]
    out = []
    for g, label in enumerate(answers.labels):
        rows, where = answers.of(g), f" in group {label!r}" if label else ""
        x = answers.x[rows].copy()
        x[:, ordered] = recoded(x[:, ordered], known)
        w = answers.weights[rows] if answers.weights is not None else np.ones(len(x))
        clusters = answers.clusters[rows] if answers.clusters is not None else None
        if clusters is not None and len(np.unique(clusters)) < 2:
            raise DataError(
                f"There is only one cluster{where}, so how moments vary between clusters is "
                "unknown. Use cluster=None."
            )
        _require_categories(x[:, ordered], known, list(categories), where)
        found = mixed_moments(x, w * (len(w) / w.sum()), ordered, clusters=clusters, bread=bread)
        _require_inside(found.at_limit, answers.names, where)
        if not found.converged:
            raise DataError(
                f"A polychoric or polyserial correlation could not be estimated{where}. Look for "
                "items that hardly anyone answered differently, and leave them out."
            )
        out.append(Sample(float(len(x)), found.cov, found.mean, found.thresholds, found.acov))
    return out


def _require_categories(
    codes: FloatArray, known: list[Categories], names: list[str], where: str
) -> None:
    empty = [
        name
        for name, one, column in zip(names, known, codes.T, strict=True)
        if len(np.unique(column[~np.isnan(column)])) < one.n
    ]
    if empty:
        raise DataError(
            f"Nobody with complete answers chose one of the categories of {listed(empty)}{where}. "
            "Use missing='pairwise'."
        )


def _require_inside(at_limit: BoolArray, names: tuple[str, ...], where: str) -> None:
    if at_limit.any():
        first, second = np.argwhere(at_limit)[0]
        raise DataError(
            f"{names[first]} and {names[second]} are perfectly associated{where}: their latent "
            "correlation is at its limit and a weighted model of it is not defined. Leave one of "
            "them out."
        )
