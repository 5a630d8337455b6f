"""The wild cluster bootstrap from the pieces of each cluster: a draw never touches the rows.

Restricted residuals of a cluster are multiplied by one random number (Cameron, Gelbach & Miller,
2008, doi:10.1162/rest.90.3.414). On a basis where X'X is the identity, with A_g = X_g'X_g and
s_g = X_g'e_g, the restricted scores are s_g + A_g c d for the contrast c and d = (estimate - null)
/ c'c. The statistic of a draw is then the ratio of a line in d to the root of a parabola in d, so
that five numbers of a draw serve every null, and an interval costs no more than a test (Roodman,
Nielsen, MacKinnon & Webb, 2019, doi:10.1177/1536867X19830877).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from collabsurvey.numerics.typing import FloatArray

WildWeights = Literal["rademacher", "webb"]
WEBB = np.sqrt([0.5, 1.0, 1.5])  # and their negatives (Webb, 2023, doi:10.1111/caje.12661)
VALUES_AT_ONCE = 4_000_000
TIED = 1e-9  # |t*| and |t| this near are equal but for rounding
NO_SPREAD = 1e-20  # a draw whose variance is this share of the plain one has none
STEPS = np.concatenate((np.arange(0.25, 10.25, 0.25), 10 * 1.5 ** np.arange(1, 18)))
HALVINGS = 50


@dataclass(frozen=True, eq=False)
class WildDraws:
    """What the statistic of each draw is made of, and that of the data."""

    top: FloatArray  # (B, 2) numerator: constant and slope in d
    bottom: FloatArray  # (B, 3) squared denominator: constant, linear, square in d
    own: FloatArray  # (G, 2) c's_g and c'A_g c
    length: float  # c'c
    complete: bool  # every combination of signs, up to the sign of all

    def p_value(self, distance: float) -> float:
        """Share of draws at least as far out as the data, for estimate - null = distance."""
        d = distance / self.length
        observed = abs(distance) / np.sqrt((self.own[:, 0] ** 2).sum())
        top = np.abs(self.top[:, 0] + d * self.top[:, 1])
        bottom = self.bottom[:, 0] + d * (self.bottom[:, 1] + d * self.bottom[:, 2])
        least = NO_SPREAD * float(((self.own[:, 0] + d * self.own[:, 1]) ** 2).sum())
        # Without spread nothing is known of a draw: it counts as far out.
        far = (bottom <= least) | (top >= observed * (1 - TIED) * np.sqrt(np.abs(bottom)))
        count = int(far.sum())
        return count / len(far) if self.complete else (count + 1) / (len(far) + 1)


def wild_draws(
    gram: FloatArray,
    scores: FloatArray,
    contrast: FloatArray,
    signs: Iterator[FloatArray],
    *,
    complete: bool,
) -> WildDraws:
    """Run the draws.

    Parameters
    ----------
    gram, scores : (G, p, p), (G, p) arrays
        A_g, which add up to the identity, and s_g, which add up to zero.
    contrast : (p,) array
        The coefficient is contrast @ those of the basis.
    signs : iterator of (b, G) arrays
        Random numbers of mean 0 and variance 1 for each cluster.
    complete : bool
        Whether they are all combinations of -1 and 1, up to the sign of all.
    """
    reach = gram @ contrast
    own = np.column_stack((scores @ contrast, reach @ contrast))
    tops, bottoms = [], []
    for v in signs:
        summed = v @ scores, v @ reach
        tops.append(np.column_stack([s @ contrast for s in summed]))
        constant = v * own[:, 0] - summed[0] @ reach.T
        slope = v * own[:, 1] - summed[1] @ reach.T
        squares = np.einsum("bg,bg->b", constant, constant), np.einsum("bg,bg->b", slope, slope)
        product = 2 * np.einsum("bg,bg->b", constant, slope)
        bottoms.append(np.column_stack((squares[0], product, squares[1])))
    return WildDraws(
        np.concatenate(tops), np.concatenate(bottoms), own, float(contrast @ contrast), complete
    )


def all_signs(n_clusters: int) -> Iterator[FloatArray]:
    """Every combination of -1 and 1 with the first at 1: the others give the same |t|."""
    n = 2 ** (n_clusters - 1)
    bits = (np.arange(n)[:, None] >> np.arange(n_clusters - 1)) & 1
    yield np.column_stack((np.ones(n), 1.0 - 2.0 * bits))


def random_signs(
    n_clusters: int, n_boot: int, kind: WildWeights, *, seed: int
) -> Iterator[FloatArray]:
    """Random weights (b, G), some draws at a time."""
    rng = np.random.default_rng(seed)
    values = np.array([-1.0, 1.0]) if kind == "rademacher" else np.concatenate((-WEBB, WEBB))
    step = max(1, VALUES_AT_ONCE // n_clusters)
    for start in range(0, n_boot, step):
        shape = (min(step, n_boot - start), n_clusters)
        yield values[rng.integers(0, len(values), shape)]


def inverted_limits(
    draws: WildDraws, estimate: float, std_error: float, *, alpha: float
) -> tuple[float, float]:
    """The nulls furthest below and above the estimate with p above alpha; may be infinite.

    Searched in steps of the standard error, widening, then by halving between two of them.
    """
    limits = []
    for sign in (1.0, -1.0):  # a null below the estimate is a distance above zero
        inside = [draws.p_value(sign * step * std_error) > alpha for step in STEPS]
        if inside[-1]:
            limits.append(-sign * np.inf)
            continue
        last = int(np.flatnonzero(inside)[-1]) if any(inside) else -1
        low, high = (STEPS[last] if last >= 0 else 0.0), STEPS[last + 1]
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            if draws.p_value(sign * middle * std_error) > alpha:
                low = middle
            else:
                high = middle
        limits.append(estimate - sign * float(low) * std_error)
    return limits[0], limits[1]
