"""Which groups share a parameter, and how much of its variation the factor explains.

Asparouhov & Muthén (2014, doi:10.1080/10705511.2014.919210): two groups are connected if their
values do not differ at p < .01; the largest connected set is where the search starts; then groups
leave it that differ from its average at p < .001, and others join that do not, until it is at
rest.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from collabsurvey.numerics.typing import BoolArray, FloatArray

CONNECTED = 0.01
DIFFERS = 0.001
MOST_ROUNDS = 100


def invariant_set(values: FloatArray, cov: FloatArray) -> BoolArray:
    """Groups (G,) in which a parameter with `values` (G,) and covariance (G, G) is the same."""
    members = _largest_connected(values, cov)
    seen: set[bytes] = set()
    for _ in range(MOST_ROUNDS):
        inside = differs_from_average(values, cov, members) >= DIFFERS
        if (inside == members).all() or not inside.any() or inside.tobytes() in seen:
            break
        seen.add(inside.tobytes())
        members = inside
    return members


def differs_from_average(values: FloatArray, cov: FloatArray, members: BoolArray) -> FloatArray:
    """p-values (G,) of each group's difference from the average of the members."""
    share = members / members.sum()
    away = np.eye(len(values)) - share
    error = np.sqrt(np.maximum(np.einsum("gi,ij,gj->g", away, cov, away), 0.0))
    return _two_sided(away @ values, error)


def _largest_connected(values: FloatArray, cov: FloatArray) -> BoolArray:
    """Largest set of groups that hang together by pairs that do not differ."""
    variance = np.diag(cov)
    error = np.sqrt(np.maximum(variance[:, None] + variance - 2 * cov, 0.0))
    linked = _two_sided(values[:, None] - values, error) > CONNECTED
    np.fill_diagonal(linked, True)
    left = np.ones(len(values), dtype=bool)
    best = np.zeros(len(values), dtype=bool)
    while left.any():
        found: BoolArray = np.zeros(len(values), dtype=bool)
        found[np.argmax(left)] = True
        while (wider := np.asarray(linked[found].any(axis=0))).sum() > found.sum():
            found = wider
        if found.sum() > best.sum():
            best = found
        left &= ~found
    return best


def explained(raw: FloatArray, expected: FloatArray) -> float:
    """Share of the variance of configural values (G,) that means and variances account for.

    `expected` (G,) is what they would be with the same aligned value everywhere; 1 if that is
    all there is, 0 or less if nothing of the differences is due to the factor.
    """
    spread = float(np.var(raw))
    return 1 - float(np.var(raw - expected)) / spread if spread > 0 else float("nan")


def _two_sided(difference: FloatArray, error: FloatArray) -> FloatArray:
    """p-values of differences; 1 where there is neither difference nor error."""
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.abs(difference) / error
    return np.asarray(2 * special.ndtr(-np.nan_to_num(z, nan=0.0, posinf=np.inf)))
