"""Differences of latent means, raw and as effect sizes, with delta-method errors.

The mean of a factor is 0 in the reference (the first group or wave), so that a free mean is the
difference. Standardised after Hancock (2001, doi:10.1007/BF02294440): divided by the pooled
standard deviation of the factor, and by that of the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan, sqrt
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from collabsurvey.dimensionality.sem.fitted import Analysis
from collabsurvey.dimensionality.sem.standardise import values
from collabsurvey.numerics.intervals import normal_quantile
from collabsurvey.numerics.typing import FloatArray

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class MeanPair:
    """A mean and its reference: rows of the parameter table, and the sizes for pooling."""

    factor: str
    group: str  # label of the group or wave
    reference: str
    mean: int  # row of the free mean
    variance: int  # row of the variance beside it
    reference_variance: int
    n: float
    reference_n: float


def group_pairs(found: Analysis) -> list[MeanPair]:
    """Means of the exogenous factors that are free in the groups after the first."""
    rows = found.model.parameters
    place = {(row.lhs, row.op, row.rhs, row.block): i for i, row in enumerate(rows)}
    latent = list(dict.fromkeys(row.lhs for row in rows if row.op == "=~"))
    caused = {row.rhs for row in rows if row.op == "=~" and row.rhs in latent}
    caused |= {row.lhs for row in rows if row.op == "~"}
    labels, sizes = found.model.groups, [one.n for one in found.material.samples]
    pairs = []
    for name in latent:
        for g in range(1, len(labels)):
            mean = place.get((name, "~1", "", g))
            if name in caused or mean is None or not rows[mean].free:
                continue
            variance = place[name, "~~", name, g]
            reference = place[name, "~~", name, 0]
            pairs.append(
                MeanPair(name, labels[g], labels[0], mean, variance, reference, sizes[g], sizes[0])
            )
    return pairs


def latent_means(
    found: Analysis, pairs: Sequence[MeanPair], *, level: str, conf_level: float
) -> pd.DataFrame:
    """One row a factor and group: the difference from the reference, raw and standardised."""
    import pandas as pd

    model = found.model
    value, vcov = values(model, found.fit.theta), found.assessed.vcov
    reach = normal_quantile(0.5 + conf_level / 2)
    out = []
    for pair in pairs:
        difference = float(value[pair.mean])
        error = _error(vcov, {int(model.place[pair.mean]): 1.0})
        z = difference / error if error > 0 else nan
        row: dict[str, object] = {
            "factor": pair.factor,
            "group": pair.group,
            "reference": pair.reference,
            "difference": difference,
            "std_error": error,
            "statistic": z,
            "p_value": float(2 * ndtr(-abs(z))),
            "ci_low": difference - reach * error,
            "ci_high": difference + reach * error,
        }
        share = pair.n / (pair.n + pair.reference_n)
        for kind, weight in (("pooled", share), ("reference", 0.0)):
            effect, effect_error = _effect(found, value, pair, weight)
            row |= {
                f"d_{kind}": effect,
                f"d_{kind}_std_error": effect_error,
                f"d_{kind}_ci_low": effect - reach * effect_error,
                f"d_{kind}_ci_high": effect + reach * effect_error,
            }
        out.append(row | {"level": level})
    return pd.DataFrame(out, columns=COLUMNS)


COLUMNS = [
    "factor", "group", "reference", "difference", "std_error", "statistic", "p_value", "ci_low",
    "ci_high", "d_pooled", "d_pooled_std_error", "d_pooled_ci_low", "d_pooled_ci_high",
    "d_reference", "d_reference_std_error", "d_reference_ci_low", "d_reference_ci_high", "level",
]  # fmt: skip


def _effect(
    found: Analysis, value: FloatArray, pair: MeanPair, weight: float
) -> tuple[float, float]:
    """Difference over a standard deviation, `weight` being the group's share of the variance."""
    variance = weight * value[pair.variance] + (1 - weight) * value[pair.reference_variance]
    if not variance > 0:
        return nan, nan
    sd = sqrt(variance)
    effect = float(value[pair.mean]) / sd
    slopes: dict[int, float] = {}
    for row, slope in (
        (pair.mean, 1 / sd),
        (pair.variance, -effect * weight / (2 * variance)),
        (pair.reference_variance, -effect * (1 - weight) / (2 * variance)),
    ):
        at = int(found.model.place[row])
        if at >= 0:
            slopes[at] = slopes.get(at, 0.0) + float(slope)
    return effect, _error(found.assessed.vcov, slopes)


def _error(vcov: FloatArray, slopes: dict[int, float]) -> float:
    """Delta-method error of a function with these slopes in theta."""
    at, slope = list(slopes), np.array(list(slopes.values()))
    spread = float(slope @ vcov[np.ix_(at, at)] @ slope)
    return sqrt(spread) if spread >= 0 else nan
