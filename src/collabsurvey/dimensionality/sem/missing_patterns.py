"""Answers with gaps under a normal model: likelihood, slopes and information by pattern.

Rows with the same gaps are a pattern; of a pattern with many rows only so many are kept as carry
its sums and cross-products, so no work depends on the number of rows. With P the inverse of Sigma
and the gaps of a row filled by their expectation z, u = P z is zero in the gaps and the inverse
of the answered part times its deviations elsewhere. The likelihood and its slopes need nothing
else (Dempster, Laird & Rubin, 1977, doi:10.1111/j.2517-6161.1977.tb01600.x).

For second derivatives (Yuan & Bentler, 2000, doi:10.1111/0081-1750.00078) let P_q be P of pattern
q with zeros in the gaps. All of them are sums over q of products of two elements, so the elements
on and below the diagonal are laid out as one row for each pattern and multiplied once; no work is
done for each pair of parameters, or for each parameter and pattern.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from collabsurvey.dimensionality.sem.normal import inverted
from collabsurvey.numerics.em_normal import CELLS, Patterns, fill_gaps, gap_patterns
from collabsurvey.numerics.em_normal import Group as Batch
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray

FEW = 4  # patterns times this, against items: below it, work is done pattern by pattern


@dataclass(frozen=True, eq=False)
class GapData:
    """Rows of one group of respondents, reduced to what the likelihood depends on."""

    x: FloatArray  # (n, p) as given
    weights: FloatArray | None  # (n,)
    used: BoolArray  # (n,) rows with an answer and a weight above zero
    patterns: Patterns  # of the rows used, in their order
    centre: FloatArray  # (p,) subtracted from the rows of the batches
    batches: tuple[Batch, ...]
    n: float  # rows used, or the sum of their weights
    coverage: FloatArray  # (p, p) rows that answered both items


@dataclass(frozen=True, eq=False)
class GapSums:
    """Expected sums of the complete answers at one point, and the likelihood there."""

    mean: FloatArray  # (p,) of the point, about the centre
    inverse: FloatArray  # (p, p) of Sigma
    deviance: float  # minus twice the log-likelihood of the answers given
    first: FloatArray  # (p,) deviations from the mean
    second: FloatArray  # (p, p) cross-products of deviations


def gap_data(x: FloatArray, weights: FloatArray | None) -> GapData:
    """Find the patterns of x (n, p), NaN for missing, and reduce them."""
    answered = ~np.isnan(x)
    used: BoolArray = np.asarray(answered.any(axis=1))
    if weights is not None:
        used = used & (weights > 0)
    whole = bool(used.all())
    rows = x if whole else x[used]
    some = weights if whole or weights is None else weights[used]
    patterns = gap_patterns(answered if whole else answered[used])
    centre, scale = _units(rows)
    batches = tuple(_batches(rows, some, patterns, centre, scale))
    shape = (x.shape[1], x.shape[1])
    coverage = sum(
        ((one.answered.T * one.n) @ one.answered for one in batches), start=np.zeros(shape)
    )
    n = float(len(rows) if some is None else some.sum())
    return GapData(x, weights, used, patterns, centre, batches, n, coverage)


def _units(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of each item; 0 and 1 for one that is refused later."""
    centre, scale = np.zeros(x.shape[1]), np.ones(x.shape[1])
    for i, item in enumerate(x.T):  # one by one: no copy of them all
        there = item[~np.isnan(item)]
        if len(there):
            centre[i], scale[i] = there.mean(), there.std() or 1.0
    return centre, scale


def _batches(
    x: FloatArray,
    weights: FloatArray | None,
    patterns: Patterns,
    centre: FloatArray,
    scale: FloatArray,
) -> Iterator[Batch]:
    """Patterns with the same number of gaps, each with its rows or rows that stand for them."""
    order = np.argsort(patterns.which, kind="stable")
    sorted_patterns = patterns.which[order]
    n_gaps = (~patterns.answered).sum(axis=1)
    p = x.shape[1]
    for m in np.unique(n_gaps):
        members = np.flatnonzero(n_gaps == m)
        place = np.full(len(n_gaps), -1)
        place[members] = np.arange(len(members))
        of = place[sorted_patterns]
        rows, of = order[of >= 0], of[of >= 0]
        sizes = patterns.n_rows[members]
        many = sizes > p - m + 1
        plain = ~many[of]
        parts = [_weighted(x, weights, rows[plain], centre, scale)]
        owners = [of[plain]]
        ends = np.cumsum(sizes)
        for q in np.flatnonzero(many):
            mine = rows[ends[q] - sizes[q] : ends[q]]
            parts.append(_stand_ins(x, weights, mine, centre, scale))
            owners.append(np.full(len(parts[-1]), q))
        held, owner = np.vstack(parts), np.concatenate(owners)
        held[:, 1:] *= scale
        by_pattern = np.argsort(owner, kind="stable")
        answered = patterns.answered[members]
        gaps = np.nonzero(~answered)[1].reshape(len(members), m)
        n = sizes.astype(float)
        if weights is not None:
            n = np.bincount(of, weights[rows], minlength=len(members))
        yield Batch(answered, gaps, n, held[by_pattern], owner[by_pattern])


def _weighted(
    x: FloatArray,
    weights: FloatArray | None,
    rows: IntArray,
    centre: FloatArray,
    scale: FloatArray,
) -> FloatArray:
    """1 and the answers in standard units, 0 in the gaps, times the root of the weight."""
    out = np.empty((len(rows), 1 + x.shape[1]))
    out[:, 0] = 1.0
    np.divide(x[rows] - centre, scale, out=out[:, 1:])
    np.nan_to_num(out, copy=False)
    if weights is not None:
        out *= np.sqrt(weights[rows])[:, None]
    return out


def _stand_ins(
    x: FloatArray,
    weights: FloatArray | None,
    rows: IntArray,
    centre: FloatArray,
    scale: FloatArray,
) -> FloatArray:
    """Return at most p + 1 rows with the sums and cross-products of the rows named."""
    k = 1 + x.shape[1]
    products = np.zeros((k, k))
    size = max(CELLS // k, 1)
    for start in range(0, len(rows), size):
        part = _weighted(x, weights, rows[start : start + size], centre, scale)
        products += part.T @ part
    values, vectors = np.linalg.eigh(products)
    kept = values > values[-1] * 1e-15
    return np.asarray((vectors[:, kept] * np.sqrt(values[kept])).T)


def gap_sums(data: GapData, mean: FloatArray, cov: FloatArray) -> GapSums | None:
    """Likelihood and expected sums at a point; None if cov is not positive definite."""
    inverse, log_det = inverted(cov)
    if inverse is None:
        return None
    about = mean - data.centre
    p = len(about)
    first, second = np.zeros(p), np.zeros((p, p))
    deviance = 0.0
    for batch in data.batches:
        m = batch.gaps.shape[1]
        for some, rows in batch.parts():
            c, z, of = deviations(batch, some, rows, about)
            quadratic, log_part, spread = fill_gaps(z, inverse, batch.gaps[some], of)
            first += c @ z
            second += z.T @ z
            n = batch.n[some]
            if m:
                gaps = batch.gaps[some]
                cells = (gaps[:, :, None] * p + gaps[:, None, :]).ravel()
                missing = (n[:, None, None] * spread).ravel()
                second += np.bincount(cells, missing, minlength=p * p).reshape(p, p)
            constant = (p - m) * np.log(2 * np.pi) + log_det
            deviance += float(quadratic.sum() + n @ (constant + log_part))
    return GapSums(about, inverse, deviance, first, (second + second.T) / 2)


def deviations(
    batch: Batch, some: slice, rows: slice, about: FloatArray
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Stand-ins for 1 (r,), deviations (r, p) with 0 in the gaps, pattern of each (r,)."""
    c = batch.rows[rows, 0]
    of = batch.of[rows] - some.start
    z = batch.rows[rows, 1:] - c[:, None] * about
    z[~batch.answered[some][of]] = 0.0
    return c, z, of


def pattern_inverses(inverse: FloatArray, answered: BoolArray, gaps: IntArray) -> FloatArray:
    """Inverses (q, p, p) of the answered parts, 0 in the gaps, from that of the whole."""
    if not gaps.shape[1]:
        return np.broadcast_to(inverse, (len(gaps), *inverse.shape))
    spread = np.linalg.inv(inverse[gaps[:, :, None], gaps[:, None, :]])
    cut = inverse[gaps]  # (q, m, p)
    out = inverse - cut.swapaxes(1, 2) @ (spread @ cut)
    out *= answered[:, :, None] & answered[:, None, :]
    return np.asarray(out)


@dataclass(frozen=True, eq=False)
class MomentInformation:
    """Half the second derivative with respect to means and vech(Sigma)."""

    mean: FloatArray  # (p, p)
    cross: FloatArray  # (p, v)
    cov: FloatArray  # (v, v)

    def stacked(self) -> FloatArray:
        """As one matrix: means, then vech(Sigma) column by column."""
        return np.block([[self.mean, self.cross], [self.cross.T, self.cov]])

    def along(self, mean: FloatArray, cov: FloatArray) -> FloatArray:
        """Carry over to f parameters that move the moments by mean (f, p) and cov (f, p, p)."""
        vech = cov[:, *vech_cells(cov.shape[1])]
        cross = mean @ self.cross @ vech.T
        return np.asarray(mean @ self.mean @ mean.T + vech @ self.cov @ vech.T + cross + cross.T)


def vech_cells(p: int) -> tuple[IntArray, IntArray]:
    """Columns and rows of the lower triangle of a (p, p) matrix, column by column."""
    column, row = np.triu_indices(p)
    return column, row


@dataclass(frozen=True, eq=False)
class PatternPart:
    """Some patterns at one point; the last three are empty unless asked for."""

    inverses: FloatArray  # (q, p, p) of the answered part of Sigma, 0 in the gaps
    n: FloatArray  # (q,)
    starts: IntArray  # (q,) first row of each
    c: FloatArray  # (r,) stand-in for 1
    u: FloatArray  # (r, p) deviations times the inverse


def _parts(data: GapData, at: GapSums, observed: bool) -> Iterator[PatternPart]:
    """Go through the patterns, a few at a time."""
    p = len(at.mean)
    nothing = np.zeros(0)
    for batch in data.batches:
        for some, rows in _few(batch, 2 * p * p):
            gaps, n = batch.gaps[some], batch.n[some]
            inverses = pattern_inverses(at.inverse, batch.answered[some], gaps)
            if not observed:
                yield PatternPart(inverses, n, np.zeros(0, dtype=np.int64), nothing, nothing)
                continue
            c, z, of = deviations(batch, some, rows, at.mean)
            fill_gaps(z, at.inverse, gaps, of)
            starts = np.searchsorted(of, np.arange(len(n)))
            yield PatternPart(inverses, n, starts, c, z @ at.inverse)


def information_along(
    data: GapData, at: GapSums, mean: FloatArray, cov: FloatArray, *, observed: bool
) -> FloatArray:
    """Information (f, f) about parameters that move the moments by mean (f, p), cov (f, p, p)."""
    if len(data.patterns.n_rows) * FEW > len(at.mean):
        return moment_information(data, at, observed=observed).along(mean, cov)
    f = len(cov)
    total = np.zeros((f, f))
    for part in _parts(data, at, observed):
        for q, (inverse, n) in enumerate(zip(part.inverses, part.n, strict=True)):
            weight = 0.5 * n * inverse
            total += n * (mean @ inverse @ mean.T)
            if observed:
                end = part.starts[q + 1] if q + 1 < len(part.n) else len(part.u)
                mine = slice(part.starts[q], end)
                weight = part.u[mine].T @ part.u[mine] - weight
                cross = mean @ inverse @ (cov @ (part.c[mine] @ part.u[mine])).T
                total += cross + cross.T
            total += (inverse @ cov).reshape(f, -1) @ (cov @ weight).reshape(f, -1).T
    return (total + total.T) / 2


def moment_information(data: GapData, at: GapSums, *, observed: bool) -> MomentInformation:
    """Observed or expected information at a point; the expected one has no cross part."""
    p = len(at.mean)
    column, row = vech_cells(p)
    mean, pairs = np.zeros(len(column)), np.zeros((len(column), len(column)))
    cross = np.zeros((len(column), p))
    for part in _parts(data, at, observed):
        left = part.inverses[:, column, row]
        mean += part.n @ left
        if not observed:
            root = np.sqrt(0.5 * part.n)[:, None] * left
            pairs += root.T @ root  # a product with itself: half the work
            continue
        around = np.add.reduceat(part.u[:, column] * part.u[:, row], part.starts, axis=0)
        pulled = np.add.reduceat(part.c[:, None] * part.u, part.starts, axis=0)
        cross += left.T @ pulled
        pairs += left.T @ (around - 0.5 * part.n[:, None] * left)
    pairs += pairs.T.copy()
    place = np.empty((p, p), dtype=np.int64)
    place[column, row] = place[row, column] = np.arange(len(column))
    once = np.where(column == row, 0.5, 1.0)
    mixed = cross[place[:, column], row] + cross[place[:, row], column]
    return MomentInformation(mean[place], mixed * once, _paired(pairs, place, once))


def _paired(pairs: FloatArray, place: IntArray, once: FloatArray) -> FloatArray:
    """Information (v, v) about covariances ab and cd: products ac·bd and ad·bc together."""
    v = len(pairs)
    column, row = vech_cells(len(place))
    flat = pairs.ravel()
    out = np.empty((v, v))
    size = max(CELLS // (4 * v), 1)
    by_column, by_row = place[:, column], place[:, row]
    for start in range(0, v, size):
        part = slice(start, start + size)
        first, second = column[part], row[part]
        cells = by_column[first] * v
        cells += by_row[second]
        np.take(flat, cells, out=out[part], mode="clip")  # clip: without a buffer
        cells = by_row[first] * v
        cells += by_column[second]
        out[part] += flat[cells]
    out *= once
    out *= once[:, None]
    return out


def _few(batch: Batch, cells: int) -> Iterator[tuple[slice, slice]]:
    """Patterns and their rows, so few at a time that `cells` numbers for each are few."""
    rows_each = len(batch.of) / len(batch.n)
    size = max(int(CELLS / (cells * (1 + rows_each))), 1)
    for start in range(0, len(batch.n), size):
        end = min(start + size, len(batch.n))
        low, high = np.searchsorted(batch.of, (start, end))
        yield slice(start, end), slice(int(low), int(high))
