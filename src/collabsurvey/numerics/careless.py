"""Signs of careless answers, one number for each row of answers.

Answers are (k, n), one line for each item in the order they were asked, NaN for missing:
every index goes down the items and works on all rows at once. A number that is not
defined (too few answers, no variation) is NaN.

Sources: Meade & Craig (2012) doi:10.1037/a0028085; Curran (2016)
doi:10.1016/j.jesp.2015.07.006; formulas as in the R package careless 1.2.2 unless said.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from scipy import special

from collabsurvey.numerics.typing import FloatArray, IntArray

ROWS = 16_384  # rows worked on at a time where several copies are needed
FLAT = 1e-12  # sum of squares, as a share of its terms, that is rounding and not variation


def longest_runs(answers: FloatArray) -> tuple[IntArray, FloatArray]:
    """Longest run of one answer (n,), and the mean length of the runs (n,).

    Items left out are passed over: 3, 3, missing, 3 is a run of three. (In careless a
    missing answer is a run of its own.) Source: Johnson (2005)
    doi:10.1016/j.jrp.2004.09.009.
    """
    n = answers.shape[1]
    last, run = np.full(n, np.nan), np.zeros(n)
    longest, n_runs, n_answered = np.zeros(n), np.zeros(n), np.zeros(n)
    for item in answers:
        given = ~np.isnan(item)
        same = item == last
        run = np.where(given, np.where(same, run + 1, 1), run)
        n_runs += given & ~same
        n_answered += given
        np.maximum(longest, run, out=longest)
        np.copyto(last, item, where=given)
    with np.errstate(invalid="ignore"):
        return longest.astype(np.int64), n_answered / n_runs


def row_moments(answers: FloatArray) -> tuple[FloatArray, FloatArray, IntArray]:
    """Mean, standard deviation (divisor n - 1) and number of the answers of each row (n,).

    The standard deviation is the intra-individual response variability of Dunn, Heggestad,
    Shanock & Theilgard (2018) doi:10.1007/s10869-016-9479-0.
    """
    n = answers.shape[1]
    count, total, squares = np.zeros(n), np.zeros(n), np.zeros(n)
    for item in answers:
        count += ~np.isnan(item)
        total += np.nan_to_num(item)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / count
        for item in answers:
            squares += np.nan_to_num(item - mean) ** 2
        sd = np.where(count > 1, np.sqrt(squares / (count - 1)), np.nan)
    return mean, sd, count.astype(np.int64)


class PairedSums:
    """Running sums behind a correlation within each row of n pairs of numbers.

    `add` takes one pair for each row; a pair with a gap is left out. Numbers should be
    taken from near zero, so that no digits are lost.
    """

    def __init__(self, n: int) -> None:
        self.sums = np.zeros((6, n))  # pairs, a, b, aa, bb, ab

    def add(self, a: FloatArray, b: FloatArray) -> None:
        """Add the pair (a, b), each (n,)."""
        both = ~(np.isnan(a) | np.isnan(b))
        a, b = np.where(both, a, 0.0), np.where(both, b, 0.0)
        for place, term in enumerate((both, a, b, a * a, b * b, a * b)):
            self.sums[place] += term

    def correlations(self, *, fewest: int) -> tuple[FloatArray, IntArray]:
        """Correlation (n,) and number of pairs (n,); NaN below `fewest` or without variation."""
        n, a, b, aa, bb, ab = self.sums
        with np.errstate(invalid="ignore", divide="ignore"):
            var_a, var_b = aa - a * a / n, bb - b * b / n
            varies = (var_a > FLAT * aa) & (var_b > FLAT * bb) & (n >= fewest)
            r = np.where(varies, (ab - a * b / n) / np.sqrt(var_a * var_b), np.nan)
        return np.clip(r, -1.0, 1.0), n.astype(np.int64)


def even_odd(
    answers: FloatArray, scales: Sequence[Sequence[int]], signs: FloatArray, offsets: FloatArray
) -> tuple[FloatArray, IntArray]:
    """Even-odd inconsistency (n,), -1 (consistent) to 1, and the number of scales behind it.

    The mean of the first, third, ... item of each scale is correlated with the mean of the
    second, fourth, ... over the scales of a row, and stepped up by Spearman-Brown, not
    below -1; then the sign is turned, as in careless since 1.2.0, so that high is careless.
    Item i counts as offsets[i] + signs[i] * answer: signs (k,) of 1 and offsets (k,) of 0
    take the answers as they are. Source: Jackson (1976); Johnson (2005).
    """
    n = answers.shape[1]
    sums = PairedSums(n)
    centre = _centre(answers, scales, signs, offsets)
    for items in scales:
        halves = [_mean_of(answers, items[half::2], signs, offsets) for half in (0, 1)]
        sums.add(halves[1] - centre, halves[0] - centre)
    r, n_scales = sums.correlations(fewest=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        stepped_up = np.where(r <= -1, -1.0, 2 * r / (1 + r))
    return -np.maximum(stepped_up, -1.0), n_scales


def _centre(
    answers: FloatArray, scales: Sequence[Sequence[int]], signs: FloatArray, offsets: FloatArray
) -> float:
    """A number near all of them: the mean of a few rows."""
    items = sorted({item for items in scales for item in items})
    few = answers[items, :ROWS] * signs[items, None] + offsets[items, None]
    return float(np.nanmean(few)) if not np.isnan(few).all() else 0.0


def _mean_of(
    answers: FloatArray, items: Sequence[int], signs: FloatArray, offsets: FloatArray
) -> FloatArray:
    """Mean (n,) of the answered ones of some items, NaN where none is."""
    total, count = np.zeros(answers.shape[1]), np.zeros(answers.shape[1])
    for item in items:
        keyed = answers[item] * signs[item] + offsets[item]
        given = ~np.isnan(keyed)
        total += np.where(given, keyed, 0.0)
        count += given
    with np.errstate(invalid="ignore"):
        return np.asarray(total / count)


def person_total(answers: FloatArray, mean: FloatArray) -> tuple[FloatArray, IntArray]:
    """Correlation (n,) of a row's answers with the means of the items over the other rows.

    `mean` (n,) is the mean of each row. The row's own answers are left out of the means, so
    that few rows do not agree with themselves. Source: Donlon & Fischer (1968)
    doi:10.1177/001316446802800110; Curran (2016).
    """
    sums = PairedSums(answers.shape[1])
    totals = np.array([np.nansum(item) for item in answers])  # no copy of all items
    counts = np.array([float((~np.isnan(item)).sum()) for item in answers])
    grand = totals.sum() / max(counts.sum(), 1.0)
    for item, total, count in zip(answers, totals, counts, strict=True):
        others = (total - item) / (count - 1) if count > 1 else np.full(len(item), np.nan)
        sums.add(item - mean, others - grand)
    return sums.correlations(fewest=3)


def item_correlations(answers: FloatArray) -> FloatArray:
    """Correlation matrix (k, k) of the items, each from the rows that have both."""
    k, n = answers.shape
    centre = np.array([np.nanmean(item) if not np.isnan(item).all() else 0.0 for item in answers])
    counts, sums, squares, products = (np.zeros((k, k)) for _ in range(4))
    for start in range(0, n, ROWS):
        part = answers[:, start : start + ROWS] - centre[:, None]
        products_of = part @ part.T
        if not np.isnan(products_of).any():  # no gaps: the rest are sums
            counts += part.shape[1]
            sums += part.sum(axis=1)[:, None]
            squares += np.diag(products_of)[:, None]
            products += products_of
            continue
        there = (~np.isnan(part)).astype(float)
        part = np.nan_to_num(part, copy=False)
        counts += there @ there.T
        sums += part @ there.T  # of item i over the rows that have j
        squares += (part * part) @ there.T
        products += part @ part.T
    with np.errstate(invalid="ignore", divide="ignore"):
        scatter = squares - sums**2 / counts
        scatter[scatter <= FLAT * squares] = np.nan
        cov = products - sums * sums.T / counts
        return np.asarray(cov / np.sqrt(scatter * scatter.T))


def item_pairs(correlations: FloatArray, cut: float) -> list[tuple[int, int]]:
    """Pairs (later, earlier item) that correlate above a positive or below a negative cut."""
    lower = np.tril(np.nan_to_num(correlations), -1)
    later, earlier = np.nonzero(lower > cut if cut > 0 else lower < cut)
    return list(zip(later.tolist(), earlier.tolist(), strict=True))


def pair_correlations(
    answers: FloatArray, mean: FloatArray, pairs: Iterable[tuple[int, int]]
) -> tuple[FloatArray, IntArray]:
    """Correlation (n,) over pairs of items within each row, and the pairs answered (n,).

    Psychometric synonyms and antonyms; at least three pairs. The second item of a pair is
    one variable, the first the other, so the order within a pair matters, as in careless.
    """
    sums = PairedSums(answers.shape[1])
    for first, second in pairs:
        sums.add(answers[first] - mean, answers[second] - mean)
    return sums.correlations(fewest=3)


def straight_scales(
    answers: FloatArray,
    scales: Sequence[Sequence[int]],
    keyed: Sequence[int],
    middle: FloatArray,
) -> IntArray:
    """In how many scales (n,) a row gave one answer to items keyed both ways.

    Counted are scales in which at least three items were answered, some of either
    direction, all alike, and not with the `middle` (k,) of the range: there a row contradicts
    itself, while a middle answer turned round is the same.
    """
    found = np.zeros(answers.shape[1], dtype=np.int64)
    for items in scales:
        first = np.full(answers.shape[1], np.nan)
        alike = np.ones(answers.shape[1], dtype=bool)
        n_up, n_down = np.zeros(answers.shape[1]), np.zeros(answers.shape[1])
        for item in items:
            given = ~np.isnan(answers[item])
            np.copyto(first, answers[item], where=given & np.isnan(first))
            alike &= ~given | (answers[item] == first)
            (n_up if keyed[item] == 1 else n_down)[given] += 1
        contradicts = (n_up > 0) & (n_down > 0) & (n_up + n_down >= 3)
        found += alike & contradicts & (first != middle[items[0]])
    return found


def duplicate_rows(answers: FloatArray) -> IntArray:
    """How many other rows (n,) have the same answers and gaps; 0 for rows without answers.

    Rows are sorted by a 64-bit hash and neighbours compared answer by answer, so that a
    chance agreement of hashes cannot count.
    """
    n = answers.shape[1]
    code = np.zeros(n, dtype=np.uint64)
    given = np.zeros(n, dtype=bool)
    for item in answers:
        here = ~np.isnan(item)
        given |= here
        bits = np.where(here, item + 0.0, np.inf).view(np.uint64)  # + 0.0: no negative zero
        code = _mixed(code ^ bits)
    order = np.argsort(code, kind="stable")
    same = np.ones(max(n - 1, 0), dtype=bool)
    for item in answers:
        there = item[order]
        same &= (there[1:] == there[:-1]) | (np.isnan(there[1:]) & np.isnan(there[:-1]))
    starts = np.concatenate([[True], ~same])[:n]
    group = np.cumsum(starts) - 1
    sizes = np.bincount(group, minlength=1)
    others = np.empty(n, dtype=np.int64)
    others[order] = sizes[group] - 1
    return np.where(given, others, 0)


def _mixed(
    code: np.ndarray[tuple[int], np.dtype[np.uint64]],
) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """Spread every bit over all 64 (the finaliser of splitmix64)."""
    code = code + np.uint64(0x9E3779B97F4A7C15)
    code = (code ^ (code >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    code = (code ^ (code >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return code ^ (code >> np.uint64(31))


def chi2_tail(value: FloatArray, df: IntArray | FloatArray) -> FloatArray:
    """Probability of a larger chi-squared, for each value and its degrees of freedom."""
    return np.asarray(special.chdtrc(df, value))


def bulk_below(correlations: FloatArray, cut: float) -> float:
    """Share of the bulk of the rows that lies below a cut, whoever else does.

    The bulk is a normal distribution of Fisher's z with the median and the median absolute
    deviation of the rows, which a minority of odd rows cannot move.
    """
    z = np.arctanh(np.clip(correlations[~np.isnan(correlations)], -0.999999, 0.999999))
    centre = float(np.median(z))
    spread = 1.4826 * float(np.median(np.abs(z - centre)))
    distance = float(np.arctanh(np.clip(cut, -0.999999, 0.999999))) - centre
    return float(special.ndtr(distance / max(spread, 1e-9)))
