"""Means and covariances of items: over all respondents, or by pairs.

Blocks of columns go to BLAS; each block is centred before it is squared and centred
blocks are merged (Chan, Golub & LeVeque 1983, Am. Stat. 37:242-247), because one-pass
cross-products lose every digit on values far from zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Self, get_args

import numpy as np

from collabsurvey.errors import DataError, NotEnoughDataError, OptionError, listed
from collabsurvey.numerics.typing import FloatArray, IntArray
from collabsurvey.responses.engine import (
    BLOCK_ROWS,
    as_narwhals,
    number_blocks,
)
from collabsurvey.responses.responses import Responses

Missing = Literal["listwise", "pairwise"]


@dataclass(frozen=True, eq=False)
class Moments:
    """Means and covariances of k items in the direction of their scale.

    With `weights`, the moments are those of the weighted sample, with the divisor of an
    unweighted one: sum(w d d') / sum(w) * n / (n - 1).
    """

    items: tuple[str, ...]
    mean: FloatArray  # (k,)
    cov: FloatArray  # (k, k), divisor n - 1
    n_respondents: int  # listwise: rows with all items; pairwise: all rows (as psych counts)
    n_pairs: IntArray  # (k, k) rows behind each covariance
    n_rows: int  # rows in the data
    missing: Missing
    weighted: bool
    pair_variance: FloatArray | None = None  # (k, k) pairwise: of item i in the rows that have j


def item_moments(
    responses: Responses,
    items: str | Sequence[str],
    *,
    missing: Missing = "listwise",
    keyed: bool = True,
) -> Moments:
    """Moments of the items of a scale (or of the items named).

    `keyed` turns reversed items round; the weight role is applied where there is one.
    Source of the pairwise rule: each covariance from the rows that have both items.
    """
    names = item_names(responses, items)
    if missing not in get_args(Missing):
        raise OptionError("missing", missing, allowed=get_args(Missing))
    blocks = answer_blocks(responses, names)
    moments = _listwise(names, blocks) if missing == "listwise" else _pairwise(names, blocks)
    if keyed:
        moments = _turned(moments, responses)
    return moments


def answer_blocks(
    responses: Responses, names: tuple[str, ...]
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Blocks of answers (n_block, k) with their weights (n_block,); 1 where there are none."""
    weight = weight_column(responses)
    frame = as_narwhals(responses.frame)
    for block in number_blocks(frame, [*names, *weight], rows=BLOCK_ROWS):
        if weight:
            w = block[:, -1]
            yield block[:, :-1], np.where(np.isnan(w), 0.0, w)
        else:
            yield block, np.ones(len(block))


def weight_column(responses: Responses) -> tuple[str, ...]:
    """The column of the weight role; none where the role is not set."""
    return (responses.roles["weight"],) if "weight" in responses.roles else ()


def item_names(responses: Responses, items: str | Sequence[str]) -> tuple[str, ...]:
    """Ids of the items of a scale, or the ids given: at least one, each once."""
    names = responses.instrument.items_of(items)
    if not names:
        raise NotEnoughDataError("A covariance", what="items", found=0, needed=1)
    if repeated := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise OptionError("items", repeated, allowed=("every item once",))
    return names


@dataclass(eq=False)
class _Running:
    """Moments so far; `add` merges a block that was centred by itself.

    Means are kept as distances from the mean of the first block: the difference of two means
    far from zero would have lost the digits that the merging needs.
    """

    n: int
    weight: float
    origin: FloatArray
    mean: FloatArray  # minus the origin
    scatter: FloatArray

    @classmethod
    def empty(cls, k: int) -> Self:
        return cls(0, 0.0, np.zeros(k), np.zeros(k), np.zeros((k, k)))

    def add(self, x: FloatArray, w: FloatArray) -> None:
        if not len(x):
            return
        if not self.n:
            self.origin = x.mean(axis=0)
        x = x - self.origin
        weight = float(w.sum())
        mean = w @ x / weight
        d = x - mean
        shift = mean - self.mean
        total = self.weight + weight
        self.scatter += (d * w[:, None]).T @ d
        self.scatter += np.outer(shift, shift) * (self.weight * weight / total)
        self.mean += shift * (weight / total)
        self.weight = total
        self.n += len(x)


def _listwise(names: tuple[str, ...], blocks: Iterator[tuple[FloatArray, FloatArray]]) -> Moments:
    k = len(names)
    running = _Running.empty(k)
    n_rows = 0
    weighted = False
    for x, w in blocks:
        n_rows += len(x)
        complete = ~np.isnan(x).any(axis=1) & (w > 0)
        weighted = weighted or bool((w != 1).any())
        running.add(x[complete], w[complete])
    n = running.n
    if n < 2:
        raise NotEnoughDataError(
            "A covariance",
            what="respondents who answered all items",
            found=n,
            needed=2,
            where=listed(names, most=6),
        )
    return Moments(
        items=names,
        mean=running.origin + running.mean,
        cov=running.scatter / running.weight * (n / (n - 1)),
        n_respondents=n,
        n_pairs=np.full((k, k), n, dtype=np.int64),
        n_rows=n_rows,
        missing="listwise",
        weighted=weighted,
    )


def _pairwise(names: tuple[str, ...], blocks: Iterator[tuple[FloatArray, FloatArray]]) -> Moments:
    k = len(names)
    n_rows = 0
    weighted = False
    centre = np.full(k, np.nan)
    counts, size, sums, squares, products = (np.zeros((k, k)) for _ in range(5))
    for x, w in blocks:
        n_rows += len(x)
        answered = ~np.isnan(x) & (w > 0)[:, None]
        weighted = weighted or bool((w != 1).any())
        first = np.isnan(centre) & answered.any(axis=0)  # near enough to the mean for the digits
        centre[first] = np.mean(x[:, first], axis=0, where=answered[:, first])
        m = answered.astype(float)
        d = np.where(answered, x - centre, 0.0)
        counts += m.T @ m
        size += (m * w[:, None]).T @ m
        sums += (d * w[:, None]).T @ m  # of item i over the rows that have j
        squares += (d**2 * w[:, None]).T @ m
        products += (d * w[:, None]).T @ d
    _require_pairs(counts, names)
    unbiased = counts / (counts - 1) / size
    cov = (products - sums * sums.T / size) * unbiased
    return Moments(
        items=names,
        mean=centre + np.diag(sums) / np.diag(size),
        cov=cov,
        n_respondents=n_rows,
        n_pairs=counts.astype(np.int64),
        n_rows=n_rows,
        missing="pairwise",
        weighted=weighted,
        pair_variance=(squares - sums**2 / size) * unbiased,
    )


def _require_pairs(counts: FloatArray, names: tuple[str, ...]) -> None:
    """Raise for the pairs of items that fewer than two respondents answered."""
    rows, columns = np.nonzero(np.triu(counts < 2))
    if not len(rows):
        return
    alone = [names[i] for i, j in zip(rows, columns, strict=True) if i == j]
    if alone:
        raise DataError(
            f"Fewer than two respondents answered {listed(alone, most=6)}, so there is no "
            "covariance. Leave these items out."
        )
    pairs = [f"{names[i]} with {names[j]}" for i, j in zip(rows, columns, strict=True)]
    raise DataError(
        f"Fewer than two respondents answered both items: {listed(pairs, most=6)}. Leave out items "
        "that were not asked together."
    )


def key_signs(responses: Responses, names: Sequence[str]) -> FloatArray:
    """1 or -1 for each item (k,)."""
    return np.array(responses.instrument.keys_of(names), dtype=float)


def turn_offsets(responses: Responses, names: Sequence[str]) -> FloatArray:
    """Minimum + maximum for reversed items, 0 for the others; NaN where no range is known."""
    offsets = []
    for name, sign in zip(names, responses.instrument.keys_of(names), strict=True):
        answers = responses.instrument.response_set(name)
        if sign == 1:
            offsets.append(0.0)
        else:
            offsets.append(np.nan if answers is None else answers.low + answers.high)
    return np.array(offsets)


def _turned(moments: Moments, responses: Responses) -> Moments:
    signs = key_signs(responses, moments.items)
    return Moments(
        items=moments.items,
        mean=moments.mean * signs + turn_offsets(responses, moments.items),
        cov=moments.cov * np.outer(signs, signs),
        n_respondents=moments.n_respondents,
        n_pairs=moments.n_pairs,
        n_rows=moments.n_rows,
        missing=moments.missing,
        weighted=moments.weighted,
        pair_variance=moments.pair_variance,
    )


def constant_items(moments: Moments) -> tuple[str, ...]:
    """Items everyone answered alike, up to rounding."""
    size = np.maximum(np.abs(np.nan_to_num(moments.mean)), 1.0)
    same = np.diag(moments.cov) <= (1e-12 * size) ** 2
    return tuple(item for item, fixed in zip(moments.items, same, strict=True) if fixed)
