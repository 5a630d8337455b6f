"""Resampled covariance matrices of items: the bootstrap that every analysis shares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collabsurvey.errors import DataError, NotEnoughDataError
from collabsurvey.moments.casewise import clustered_answers, weighted_answers
from collabsurvey.moments.covariance import key_signs
from collabsurvey.numerics.resampling import (
    Unit,
    left_out_weights,
    row_weights,
    weighted_covariances,
)
from collabsurvey.numerics.typing import FloatArray, IntArray
from collabsurvey.responses.responses import Responses

FEWEST_UNITS = 2


@dataclass(frozen=True, eq=False)
class Resampler:
    """Complete rows of some items, and how they are drawn again.

    Attributes
    ----------
    x : (n, k) answers, turned in the direction of the scale where asked for
    weight : (n,) of the weight role, 1 without one
    codes : (n,) cluster of each row, or None where rows are drawn one by one
    """

    items: tuple[str, ...]
    x: FloatArray
    weight: FloatArray
    codes: IntArray | None
    unit: Unit
    cluster: str | None
    n_without_cluster: int  # complete rows whose cluster is missing, left out

    @property
    def n_units(self) -> int:
        """Rows or clusters that are drawn."""
        return len(self.x) if self.codes is None else int(self.codes.max()) + 1

    def weights(self, n_draws: int, *, seed: int) -> Iterator[NDArray[np.float32] | FloatArray]:
        """Blocks (b, n) of weights of each row in each draw, the weight role applied."""
        for block in row_weights(len(self.x), n_draws, unit=self.unit, seed=seed, codes=self.codes):
            yield block if (self.weight == 1).all() else block * self.weight

    def covariances(self, n_draws: int, *, seed: int) -> Iterator[FloatArray]:
        """Blocks (b, k, k) of resampled covariance matrices."""
        for block in self.weights(n_draws, seed=seed):
            yield weighted_covariances(self.x, block)

    def left_out(self) -> FloatArray:
        """Covariances (G, k, k) without each unit (at most 200 groups of single rows)."""
        return weighted_covariances(self.x, left_out_weights(len(self.x), self.codes) * self.weight)


def resampler(
    responses: Responses,
    items: Sequence[str],
    *,
    cluster: str | None,
    two_stage: bool = False,
    keyed: bool = True,
) -> Resampler:
    """Take the complete rows for resampling; `cluster` is a column, None draws single rows.

    `two_stage` draws clusters, then respondents within them. Holds every row in memory.
    """
    codes: IntArray | None
    if cluster is None:
        x, weight = weighted_answers(responses, items)
        used = ~np.isnan(x).any(axis=1) & (weight > 0)
        codes, outside = None, 0
    else:
        x, weight, groups, _ = clustered_answers(responses, items, cluster)
        complete = ~np.isnan(x).any(axis=1) & (weight > 0)
        used = complete & (groups >= 0)
        outside = int((complete & (groups < 0)).sum())
        codes = np.unique(groups[used], return_inverse=True)[1].astype(np.int64)
        if len(codes) and int(codes.max()) + 1 < FEWEST_UNITS:
            raise DataError(
                f"There is only one {cluster!r} with complete answers, so clusters cannot be drawn "
                "again. Use cluster=None."
            )
    if used.sum() < FEWEST_UNITS:
        raise NotEnoughDataError(
            "A bootstrap", what="complete rows", found=int(used.sum()), needed=FEWEST_UNITS
        )
    x = x[used]
    if keyed:
        x = x * key_signs(responses, items)
    unit: Unit = "respondents"
    if codes is not None:
        unit = "clusters_then_respondents" if two_stage else "clusters"
    return Resampler(tuple(items), x, weight[used], codes, unit, cluster, outside)
