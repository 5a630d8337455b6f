"""How alike the answers of a group are, for many resamples of its people at once: arrays only.

Every answer is a row of numbers whose product with another row says how alike two people are:
a pick is a 1 in its category; a ranking holds the order of each pair of things, or its centred
ranks. Agreement is the mean product over pairs of different people, so that a person drawn
twice does not agree with themselves. With every person once, the coefficients are those of
`numerics.category_agreement` and `numerics.coincidence`, which take one sample at a time.
Sources: Gwet (2008) doi:10.1348/000711006X126600; Fleiss (1971) doi:10.1037/h0031619;
Krippendorff (2004) Content Analysis, ch. 11; Brennan & Prediger (1981)
doi:10.1177/001316448104100307; Kendall & Babington Smith (1939) doi:10.1214/aoms/1177732186.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from collabsurvey.numerics.typing import AnyArray, BoolArray, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Draws:
    """B resamples of a group, and how alike their people are.

    Attributes
    ----------
    rows : (B, m, p) sums over people of the rows of numbers, for each of m items
    size : (B, m) people who answered
    agreement : (B, m) mean product over pairs of different people; NaN where there is no pair
    felt : (B,) mean felt agreement; NaN where nobody said
    """

    rows: FloatArray
    size: FloatArray
    agreement: FloatArray
    felt: FloatArray


@dataclass(frozen=True, eq=False)
class Sums:
    """Answers added up over the people of each of G units: clusters, or single people.

    Attributes
    ----------
    rows, size : (G, m, p), (G, m) as in `Draws`
    felt, n_felt : (G,) sum of felt agreement, and people who said
    """

    rows: FloatArray
    size: FloatArray
    felt: FloatArray
    n_felt: FloatArray

    @classmethod
    def of(cls, rows: FloatArray, answered: BoolArray, felt: FloatArray, unit: IntArray) -> Sums:
        """Add up rows (n, m, p) of length 1, answers given (n, m) and felt (n,) by unit (n,)."""
        g = int(unit.max(initial=-1)) + 1
        total, size = np.zeros((g, *rows.shape[1:])), np.zeros((g, rows.shape[1]))
        np.add.at(total, unit, rows)
        np.add.at(size, unit, answered.astype(float))
        said = ~np.isnan(felt)
        amount = np.bincount(unit, np.where(said, felt, 0.0), minlength=g).astype(float)
        return cls(total, size, amount, np.bincount(unit, said, minlength=g).astype(float))

    def whole(self) -> Draws:
        """Every unit once (B = 1)."""
        return self.drawn(np.ones((1, len(self.size))))

    def drawn(self, times: FloatArray) -> Draws:
        """Take unit g `times[b, g]` times.

        Copies of a unit are not compared with each other: two units that were drawn
        independently are alike by chance, copies are alike because they are copies.
        """
        g, m, p = self.rows.shape
        rows = (times @ self.rows.reshape(g, m * p)).reshape(len(times), m, p)
        size = times @ self.size
        own = (self.rows**2).sum(axis=2)  # pairs within a unit, and each person with itself
        alike = (rows**2).sum(axis=2) - times**2 @ own + times @ (own - self.size)
        pairs = size**2 - times**2 @ self.size**2 + times @ (self.size**2 - self.size)
        felt = ratio(times @ self.felt, times @ self.n_felt)
        return Draws(rows, size, _mean_of_pairs(alike, pairs), felt)

    def left_out(self) -> Draws:
        """Each unit left out in turn (B = G)."""
        rows = self.rows.sum(axis=0) - self.rows
        size = self.size.sum(axis=0) - self.size
        # Pairs of different people: all, less each person with itself.
        alike = (rows**2).sum(axis=2) - size
        felt = ratio(self.felt.sum() - self.felt, self.n_felt.sum() - self.n_felt)
        return Draws(rows, size, _mean_of_pairs(alike, size**2 - size), felt)


def _mean_of_pairs(alike: FloatArray, pairs: FloatArray) -> FloatArray:
    out = np.full(pairs.shape, np.nan)
    return np.asarray(np.divide(alike, pairs, out=out, where=pairs > 0.5))


def pick_rows(codes: IntArray, n_options: int) -> tuple[FloatArray, BoolArray]:
    """Rows (n, m, q) of picks, codes (n, m) with -1 for none, and who answered (n, m)."""
    return (codes[:, :, None] == np.arange(n_options)).astype(float), codes >= 0


def ranking_rows(ranks: FloatArray) -> FloatArray:
    """Rows (n, 2, p) of rankings (n, k): products are Kendall's tau, Spearman's correlation."""
    n, k = ranks.shape
    first, second = np.triu_indices(k, 1)
    rows = np.zeros((n, 2, max(len(first), k)))
    rows[:, 0, : len(first)] = np.sign(ranks[:, second] - ranks[:, first]) / np.sqrt(len(first))
    away = ranks - ranks.mean(axis=1, keepdims=True)
    rows[:, 1, :k] = away / np.linalg.norm(away, axis=1, keepdims=True)
    return rows


def ranking_statistics(draws: Draws) -> dict[str, FloatArray]:
    """Share of pairs in the same order, tau, Spearman and Kendall's W, each (B,)."""
    tau, spearman = draws.agreement.T
    n = draws.size[:, 0]
    return {
        "agreement": (1 + tau) / 2,
        "tau": tau,
        "spearman": spearman,
        "kendall_w": (1 + (n - 1) * spearman) / np.maximum(n, 1),
    }


def pick_statistics(draws: Draws, n_options: IntArray, *, common: bool) -> dict[str, FloatArray]:
    """Agreement, AC1, Fleiss' kappa and Krippendorff's alpha (B,) of items with n_options (m,).

    common: a category means the same in every item, so that shares are pooled over items for
    chance agreement. Otherwise chance belongs to each item: AC1 takes the item's own shares;
    kappa and alpha take every option as a question of yes or no, with one yes in each item,
    which makes kappa that of Brennan & Prediger (1981).
    """
    known = ~np.isnan(draws.agreement)
    apart = np.where(known, 1 - draws.agreement, 0.0)
    mean_apart = ratio(apart.sum(axis=1), known.sum(axis=1))
    parts = (
        _pooled(draws, known, apart, n_options) if common else _own(draws, known, apart, n_options)
    )
    chance, kappa_room, observed, alpha_room = parts
    return {
        "agreement": 1 - mean_apart,
        "ac1": 1 - ratio(mean_apart, 1 - chance),
        "alpha": 1 - ratio(observed, alpha_room),
        "kappa": 1 - ratio(mean_apart, kappa_room),
    }


Parts = tuple[FloatArray, FloatArray, FloatArray, FloatArray]


def _pooled(draws: Draws, known: BoolArray, apart: FloatArray, n_options: IntArray) -> Parts:
    """Chance agreement of AC1, chance disagreement of kappa; disagreement of alpha and by chance.

    Items answered once say what is chosen, though nothing on agreement (Gwet, 2008); alpha
    leaves them out and counts items by their answers.
    """
    given = draws.size > 0
    shares = ratio(draws.rows, draws.size[:, :, None])
    pooled = np.where(given[:, :, None], shares, 0.0).sum(axis=1)
    square = (ratio(pooled, given.sum(axis=1)[:, None]) ** 2).sum(axis=1)
    counted = (draws.rows * known[:, :, None]).sum(axis=1)
    n = counted.sum(axis=1)
    observed = ratio((draws.size * apart).sum(axis=1), n)
    expected = ratio(n**2 - (counted**2).sum(axis=1), n * (n - 1))
    return (1 - square) / (n_options.max() - 1), 1 - square, observed, expected


def _own(draws: Draws, known: BoolArray, apart: FloatArray, n_options: IntArray) -> Parts:
    """Return the four numbers of `_pooled` where categories belong to their item."""
    shares = ratio(draws.rows, draws.size[:, :, None])
    each = (1 - (np.where(known[:, :, None], shares, 0.0) ** 2).sum(axis=2)) / (n_options - 1)
    n_known = known.sum(axis=1)
    chance = ratio(np.where(known, each, 0.0).sum(axis=1), n_known)
    # Two picks that differ are two of the q yes-or-no answers apart.
    one_of = ratio(n_known, np.where(known, n_options, 0).sum(axis=1))
    weight = np.where(known, draws.size, 0.0)
    yes, n = weight.sum(axis=1), (weight * n_options).sum(axis=1)
    observed = ratio(2 * (weight * apart).sum(axis=1), n)
    expected = ratio(2 * yes * (n - yes), n * (n - 1))
    return chance, 1 - one_of, observed, expected


def entropy_bits(counts: FloatArray) -> FloatArray:
    """Shannon's entropy in bits of counts (..., q): 0 where all is one category, NaN for none."""
    shares = ratio(counts, counts.sum(axis=-1, keepdims=True))
    logs = np.log2(shares, out=np.zeros(shares.shape), where=shares > 0)
    return np.asarray(np.abs((shares * logs).sum(axis=-1)))  # abs: minus zero is no entropy


def ratio(above: AnyArray, below: AnyArray) -> FloatArray:
    """Quotient of arrays of one number of dimensions, NaN where the divisor is zero."""
    a, b = np.broadcast_arrays(np.asarray(above, dtype=float), np.asarray(below, dtype=float))
    return np.asarray(np.divide(a, b, out=np.full(a.shape, np.nan), where=np.abs(b) > 1e-12))
