"""What is striking about an item, in words, with the source of each cut-off.

A flag is a reason to look at the item, never to drop it: coefficients rise when the items that
widen a construct leave it (Raykov, 2007, doi:10.1348/000711006X115954).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from collabsurvey.dimensionality.extraction import LOWEST_UNIQUENESS, extract
from collabsurvey.numerics import itemstats
from collabsurvey.numerics.lower_bounds import SINGULAR
from collabsurvey.numerics.typing import FloatArray

LOW_ITEM_REST = 0.30
LOW_LOADING = 0.40
MOST_AT_END = 0.15
MOST_SKEW, MOST_KURTOSIS = 2.0, 7.0
MOST_MISSING = 0.05

SOURCES = {
    "item–rest r below .30": "Nunnally & Bernstein, 1994",
    "loading below .40": "Stevens, 2009",
    "floor above 15 %": "Terwee et al., 2007, of scores; items often exceed it",
    "ceiling above 15 %": "Terwee et al., 2007, of scores; items often exceed it",
    "skew beyond ±2": "West, Finch & Curran, 1995",
    "kurtosis beyond 7": "West, Finch & Curran, 1995",
    "missing above 5 %": "Schafer, 1999, doi:10.1191/096228099671525676",
    "alpha is higher without it": "a comparison without cut-off, often by chance",
    "item–rest r below zero": "contradicts the key",
    "options nobody chose": "a count, no cut-off",
    "no unique variance left": "a Heywood case of the one-factor model",
}


@dataclass(frozen=True, eq=False)
class OneFactor:
    """One factor of the items by maximum likelihood, with and without each item."""

    loadings: FloatArray  # (k,) standardised
    omega: float  # omega total of the covariances the model implies
    omega_if_dropped: FloatArray  # (k,)
    improper: tuple[int, ...]  # items without unique variance
    note: str  # why there is none, or what is improper; "" where all is well


def one_factor(cov: FloatArray) -> OneFactor:
    """One-factor solution of covariances (k, k); NaN with fewer than three items or singular ones.

    omega = (sum of loadings × sd)² / (the same + sum of unique variances) (McDonald, 1999).
    """
    k = len(cov)
    blank = np.full(k, np.nan)
    cor = itemstats.correlations(cov)
    if k < 3:
        return OneFactor(blank, float("nan"), blank, (), "One factor needs at least three items.")
    if np.linalg.eigvalsh(cor)[0] < SINGULAR:
        sentence = "The correlations are singular or indefinite, so there are no factor loadings."
        return OneFactor(blank, float("nan"), blank, (), sentence)
    sd = np.sqrt(np.diag(cov))
    whole = extract(cor[None], 1, "ml")
    loadings = whole.loadings[0, :, 0]
    if (loadings * sd).sum() < 0:
        loadings = -loadings
    omega = _omega(whole.loadings[:, :, 0], whole.uniquenesses, sd[None])[0]
    dropped = blank
    if k > 3:
        kept = np.array([np.delete(np.arange(k), j) for j in range(k)])
        parts = extract(cor[kept[:, :, None], kept[:, None, :]], 1, "ml")
        dropped = _omega(parts.loadings[:, :, 0], parts.uniquenesses, sd[kept])
        dropped[~parts.converged] = np.nan
    improper = np.flatnonzero(whole.uniquenesses[0] < LOWEST_UNIQUENESS + 1e-6)
    note = "" if whole.converged[0] else "The one-factor model did not converge."
    if k == 3:
        note = "With three items, omega without one of them does not exist."
    return OneFactor(loadings, float(omega), dropped, tuple(map(int, improper)), note)


def _omega(loadings: FloatArray, unique: FloatArray, sd: FloatArray) -> FloatArray:
    """Omega total (B,) from standardised loadings, unique variances and sds (B, k)."""
    common = (loadings * sd).sum(axis=1) ** 2
    return np.asarray(common / (common + (unique * sd**2).sum(axis=1)))


def item_flags(
    columns: Mapping[str, FloatArray],
    alpha: float,
    unused: Sequence[str],
    improper: Sequence[int],
) -> list[tuple[str, ...]]:
    """Flags of each item, each with its source, from the columns of an item analysis.

    `unused` holds, for each item, the options that nobody chose as text; "" for none.
    """
    found = []
    for j in range(len(unused)):
        item = {name: float(values[j]) for name, values in columns.items()}
        flags = [
            "item–rest r below zero" if item["item_rest"] < 0 else "",
            "item–rest r below .30" if 0 <= item["item_rest"] < LOW_ITEM_REST else "",
            "loading below .40" if item["loading"] < LOW_LOADING else "",
            "alpha is higher without it" if item["alpha_if_dropped"] > alpha else "",
            "floor above 15 %" if item["floor"] > MOST_AT_END else "",
            "ceiling above 15 %" if item["ceiling"] > MOST_AT_END else "",
            "skew beyond ±2" if abs(item["skew"]) > MOST_SKEW else "",
            "kurtosis beyond 7" if abs(item["kurtosis"]) > MOST_KURTOSIS else "",
            "missing above 5 %" if item["missing"] > MOST_MISSING else "",
            "options nobody chose" if unused[j] else "",
            "no unique variance left" if j in improper else "",
        ]
        found.append(
            tuple(
                f"{flag}: {unused[j]}" if flag == "options nobody chose" else with_source(flag)
                for flag in flags
                if flag
            )
        )
    return found


def with_source(flag: str) -> str:
    """Write the flag with its source in brackets."""
    return f"{flag} ({SOURCES[flag]})"
