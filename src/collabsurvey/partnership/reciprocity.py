"""Whether what one school says of another is answered: correlations over pairs of schools."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from collabsurvey.numerics.typing import FloatArray, IntArray


def double_entry_correlation(forth: FloatArray, back: FloatArray) -> float:
    """Correlation of P pairs entered in both orders: the pairwise intraclass correlation.

    Which school of a pair comes first means nothing, so each pair counts once either way
    (Fisher, 1925; Griffin & Gonzalez, 1995, doi:10.1037/0033-2909.118.3.430). NaN where all
    values are the same.
    """
    both = np.concatenate([forth, back])
    centred = both - both.mean()
    total = float(centred @ centred)
    if total <= 1e-24 * float(both @ both):
        return float("nan")
    p = len(forth)
    return float(2 * (centred[:p] @ centred[p:]) / total)


@dataclass(frozen=True)
class DyadCorrelation:
    """Reciprocity of what is particular to a pair, with its exact interval; NaN if not known.

    `sums` and `differences` are mean squares of (forth + back) / √2 and (forth - back) / √2
    about the levels of the schools, with `df_sums` and `df_differences` degrees of freedom.
    """

    estimate: float
    low: float
    high: float
    sums: float
    differences: float
    df_sums: int
    df_differences: int


def dyad_correlation(
    forth: FloatArray, back: FloatArray, a: IntArray, b: IntArray, *, conf_level: float
) -> DyadCorrelation:
    """Correlation of the relationship effects of P pairs of schools a, b (codes, all (P,)).

    A school's level as a source and as a target is removed by least squares. Sums of the two
    directions then have variance s² (1 + r), differences s² (1 - r), independent of each
    other, so the ratio of their mean squares is (1 + r) / (1 - r) times an F. In a complete
    round robin the mean squares are those of Warner, Kenny & Stoto (1979)
    doi:10.1037/0022-3514.37.10.1742, with (n - 1)(n - 2) / 2 - 1 and (n - 1)(n - 2) / 2
    degrees of freedom; any other set of two-sided pairs is handled in the same way.
    """
    parts = connected(a, b)
    sums, df_sums = _residual((forth + back) / np.sqrt(2), a, b, parts, sign=1.0)
    differences, df_differences = _residual((forth - back) / np.sqrt(2), a, b, parts, sign=-1.0)
    nothing = float("nan")
    if df_sums < 1 or df_differences < 1 or sums + differences == 0:
        return DyadCorrelation(
            nothing, nothing, nothing, sums, differences, df_sums, df_differences
        )
    tail = (1 - conf_level) / 2
    q_low, q_high = (special.fdtri(df_sums, df_differences, p) for p in (tail, 1 - tail))
    estimate, low, high = (
        float((sums - q * differences) / (sums + q * differences)) for q in (1.0, q_high, q_low)
    )
    return DyadCorrelation(estimate, low, high, sums, differences, df_sums, df_differences)


def connected(a: IntArray, b: IntArray) -> IntArray:
    """Which part of the network each pair (P,) belongs to: parts share no school."""
    label = np.arange(int(max(a.max(), b.max())) + 1)
    while True:
        least = np.minimum(label[a], label[b])
        before = label.copy()
        np.minimum.at(label, a, least)
        np.minimum.at(label, b, least)
        label = label[label]
        if np.array_equal(label, before):
            return label[a]


def _residual(
    y: FloatArray, a: IntArray, b: IntArray, parts: IntArray, *, sign: float
) -> tuple[float, int]:
    """Mean square (0 without degrees of freedom) of y (P,) about level[a] + sign · level[b]."""
    scale = float(np.abs(y).max()) or 1.0
    square, df = 0.0, 0
    for part in np.unique(parts):
        at = np.flatnonzero(parts == part)
        schools, place = np.unique(np.concatenate([a[at], b[at]]), return_inverse=True)
        first, second = np.split(place, 2)
        levels = np.zeros((len(at), len(schools)))
        levels[np.arange(len(at)), first] = 1.0
        levels[np.arange(len(at)), second] = sign
        fitted, _, rank, _ = np.linalg.lstsq(levels, y[at] / scale)
        away = y[at] / scale - levels @ fitted
        if len(at) > rank:
            square += float(away @ away)
            df += len(at) - int(rank)
    if df < 1:
        return 0.0, 0
    mean = square / df
    return (mean * scale**2 if mean > 1e-24 else 0.0), df


@dataclass(frozen=True)
class Accuracy:
    """Agreement of D expectations with what came true."""

    n: int
    correlation: float
    bias: float


def accuracy(expected: FloatArray, actual: FloatArray) -> Accuracy:
    """Correlation and mean difference expected - actual, both (D,); NaN where not defined."""
    n = len(expected)
    if not n:
        return Accuracy(0, float("nan"), float("nan"))
    x, y = expected - expected.mean(), actual - actual.mean()
    spread = float(np.sqrt((x @ x) * (y @ y)))
    size = float(np.sqrt((expected @ expected) * (actual @ actual)))
    defined = n > 2 and spread > 1e-12 * size
    r = float(x @ y) / spread if defined else float("nan")
    return Accuracy(n, r, float((expected - actual).mean()))
