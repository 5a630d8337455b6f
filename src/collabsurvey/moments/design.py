"""Cross-products of a design matrix, per cluster, in row blocks.

Linear and mixed models need nothing of the rows but the matrices made here. The columns are
centred (where the model holds a constant), scaled and made orthonormal before the
products that matter are formed (Cholesky QR, twice: Yamamoto et al., 2015,
doi:10.1016/j.procs.2015.05.266), and the outcome enters as its residual from least squares, so
that values such as 1e9 + 0.1 keep their digits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import narwhals as nw
import numpy as np

from collabsurvey.errors import DataError
from collabsurvey.numerics.linalg import aliased_columns, triangular_inverse
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray
from collabsurvey.responses.engine import (
    BLOCK_ROWS,
    Column,
    as_narwhals,
    collect,
    is_lazy,
    read_columns,
    require_columns,
)

GATHER_VALUES = 4_000_000  # numbers copied at a time when rows of equal clusters are gathered
ROUNDING = 64 * np.finfo(np.float64).eps


@dataclass(frozen=True, eq=False)
class ModelRows:
    """The rows a model uses: those with an answer in every column it names."""

    columns: Mapping[str, Column]  # complete rows only, in the order of the frame
    n_rows: int
    n_dropped: int
    n_missing: Mapping[str, int]  # column: rows of the frame without a value
    n_weightless: int  # rows with every value, and a weight of 0
    kept: BoolArray  # (rows of the frame,)


def model_rows(
    frame: Any,
    names: Sequence[str],
    *,
    weights: str | None = None,
    any_of: Sequence[Sequence[str]] = (),
    optional: Sequence[str] = (),
) -> ModelRows:
    """Read the named columns and keep the complete rows; rows of weight 0 are dropped too.

    Of the columns in each of `any_of` one value is enough; `optional` ones may be missing.
    """
    require_columns(as_narwhals(frame), names)
    columns = read_columns(frame, names)
    missing = _needed(columns, any_of, optional)
    n_missing = {name: int(absent.sum()) for name, absent in missing.items()}
    absent = np.logical_or.reduce(list(missing.values()))
    n_weightless = 0
    if weights is not None:
        values = columns[weights].values
        if columns[weights].categories is not None:
            raise DataError(f"The weights in {weights!r} are text. Name a column of numbers.")
        if (values[~absent] < 0).any():
            raise DataError(
                f"Some weights in {weights!r} are negative. Weights are positive numbers."
            )
        n_weightless = int((values[~absent] == 0).sum())
        absent = absent | (values == 0)
    kept = ~absent
    for name, column in columns.items():
        if column.categories is None and np.isinf(column.values[kept]).any():
            raise DataError(f"Column {name!r} holds infinite values. Set them to missing.")
    used = {
        name: Column(column.values[kept], column.categories) for name, column in columns.items()
    }
    return ModelRows(used, int(kept.sum()), int(absent.sum()), n_missing, n_weightless, kept)


def _needed(
    columns: Mapping[str, Column], any_of: Sequence[Sequence[str]], optional: Sequence[str]
) -> dict[str, BoolArray]:
    """Rows (n,) that a column leaves out; of several alternatives the first stands for all."""
    apart = {name for group in any_of for name in group} | set(optional)
    found = {name: column.missing for name, column in columns.items() if name not in apart}
    for group in any_of:
        found[group[0]] = np.logical_and.reduce([columns[name].missing for name in group])
    return found


def complete_columns(
    frame: Any,
    names: Sequence[str],
    *,
    any_of: Sequence[Sequence[str]] = (),
    optional: Sequence[str] = (),
) -> tuple[dict[str, Column], BoolArray]:
    """Columns at the rows that have all of them, and which rows those are, for predictions."""
    table = as_narwhals(frame)
    require_columns(table, names)
    if not names:
        rows = int(collect(table.select(nw.len())).item())
        return {}, np.ones(rows, dtype=bool)
    columns = read_columns(frame, names)
    complete = ~np.logical_or.reduce(list(_needed(columns, any_of, optional).values()))
    kept = {name: Column(c.values[complete], c.categories) for name, c in columns.items()}
    return kept, complete


def series_like(frame: Any, name: str, values: FloatArray) -> Any:
    """Return row-wise numbers as a series of the caller's engine, with pandas' index kept.

    A lazy frame gives a series of the engine it is collected into, in the order of its rows.
    """
    table = as_narwhals(frame)
    rows = collect(table.select(table.collect_schema().names()[:1])) if is_lazy(table) else table
    series = nw.new_series(name, values, nw.Float64, backend=rows.implementation)
    native = series.to_native()
    if rows.implementation.is_pandas_like():
        native.index = rows.to_native().index
    return native


@dataclass(frozen=True, eq=False)
class RowBlock:
    """Some rows of a model, before any centring."""

    x: FloatArray  # (n, p) fixed part
    z: FloatArray  # (n, q) random part; q may be 0
    y: FloatArray  # (n,)
    weight: FloatArray | None  # (n,) positive


@dataclass(frozen=True, eq=False)
class RowBlocks:
    """All rows, block by block; a model that fits in one block is expanded once."""

    make: Callable[[slice], RowBlock]
    n_rows: int
    rows: int = BLOCK_ROWS

    @cached_property
    def _only(self) -> RowBlock:
        return self.make(slice(0, self.n_rows))

    def __iter__(self) -> Iterator[tuple[slice, RowBlock]]:
        if self.n_rows <= self.rows:
            yield slice(0, self.n_rows), self._only
            return
        for start in range(0, self.n_rows, self.rows):
            part = slice(start, min(start + self.rows, self.n_rows))
            yield part, self.make(part)


@dataclass(frozen=True, eq=False)
class Basis:
    """Orthonormal columns Q = (X @ shift) @ inner, and least squares on them.

    The two steps are kept apart because the first is exact where the second rounds. `aliased`
    lists columns that earlier ones determine; where there are any, nothing else is filled.
    """

    shift: FloatArray  # (p, p) takes the means off
    inner: FloatArray  # (p, p) upper triangular
    on_basis: FloatArray  # (p,) least squares of y - mean_y on Q
    constant: FloatArray  # (p,) X @ constant is a column of ones; zeros where there is none
    z_shift: FloatArray  # (q, q) takes the means off
    z_scale: FloatArray  # (q,) root mean squares
    mean_y: float
    y_scale: float  # root mean square of y about its mean; 0 if the outcome is constant
    centred_ss: float  # sum of w (y - mean)^2, or of w y^2 without a constant
    total_weight: float
    aliased: tuple[int, ...] = ()

    def orthonormal(self, x: FloatArray) -> FloatArray:
        """Return Q (n, p) for rows of X."""
        return np.asarray((x @ self.shift) @ self.inner)

    def random(self, z: FloatArray) -> FloatArray:
        """Return Z* (n, q) for rows of Z."""
        return np.asarray((z @ self.z_shift) / self.z_scale)

    def residual(self, q: FloatArray, y: FloatArray) -> FloatArray:
        """Residuals (n,) from least squares."""
        return np.asarray((y - self.mean_y) - q @ self.on_basis)

    @property
    def transform(self) -> FloatArray:
        """(p, p) coefficients of X from coefficients of Q."""
        return np.asarray(self.shift @ self.inner)

    @property
    def coefficients(self) -> FloatArray:
        """(p,) least squares coefficients of X."""
        return np.asarray(self.transform @ self.on_basis + self.mean_y * self.constant)


@dataclass(frozen=True, eq=False)
class DesignProducts:
    """Cross-products of W = [Z*, Q, e]: e the residual from least squares, in units of `e_scale`.

    Q'Q is the identity and Q'e zero, to rounding. Rows carry the root of their weight.
    """

    by_cluster: FloatArray  # (G, m, m), m = q + p + 1
    plain: FloatArray  # (m + 1, m + 1) without weights, over all rows, of [Z*, Q, e, 1]
    transform: FloatArray  # (p, p) coefficients of X = transform @ coefficients of Q
    start: FloatArray  # (p,) least squares coefficients of X
    on_basis: FloatArray  # (p,) the same of Q, for the outcome less its mean
    z_transform: FloatArray  # (q, q): Z* = Z @ z_transform
    e_scale: float
    log_weights: float  # sum of the logs of the weights
    basis: Basis  # its columns are Q, and its residual e times e_scale

    @property
    def n_random(self) -> int:
        """Number of columns of Z."""
        return len(self.z_transform)


def least_squares_basis(
    blocks: RowBlocks,
    constant: FloatArray | None,
    *,
    centre_z: bool | Sequence[tuple[int, int]],
) -> Basis:
    """Means, then centred products, then the basis in which the columns are orthonormal.

    Parameters
    ----------
    blocks : RowBlocks
        [X, Z, y] and weights.
    constant : (p,) array or None
        Coefficients that make a column of ones of X (the intercept; a full set of dummies).
    centre_z : bool, or sequence of (int, int)
        Whether Z holds an intercept first, so that its slopes may be centred; or, for several
        terms, the pairs of a column of ones and a slope.
    """
    means = _weighted_means(blocks)
    _, block = next(iter(blocks))
    p, q = block.x.shape[1], block.z.shape[1]
    ones = np.zeros(p) if constant is None else constant
    shift = np.eye(p) - np.outer(ones, np.where(ones == 0, means[:p], 0.0))
    mean_y = float(means[p + q]) if constant is not None else 0.0
    z_shift = np.eye(q)
    if isinstance(centre_z, bool):
        centre_z = [(0, slope) for slope in range(1, q)] if centre_z else ()
    for one, slope in centre_z:
        z_shift[one, slope] = -means[p + slope]
    gram = np.zeros((p + 1, p + 1))
    raw = np.zeros(p)
    z_squares = np.zeros(q)
    for _, rows in blocks:
        root = np.ones(1) if rows.weight is None else np.sqrt(rows.weight)
        joined = np.column_stack((rows.x @ shift, rows.y - mean_y)) * root[:, None]
        gram += joined.T @ joined
        raw += ((rows.x * root[:, None]) ** 2).sum(axis=0)
        z_squares += (((rows.z @ z_shift) * root[:, None]) ** 2).sum(axis=0)
    size = np.sqrt(np.diag(gram))[:p]
    flat = size <= ROUNDING * np.sqrt(raw)
    scale = np.where(flat, 1.0, size)
    correlations = gram[:p, :p] / np.outer(scale, scale)
    correlations[flat] = 0.0
    correlations[:, flat] = 0.0
    aliased = aliased_columns(correlations)
    inner = np.zeros((p, p))
    if not aliased:
        inner = triangular_inverse(np.linalg.cholesky(correlations)).T / scale[:, None]
    centred_ss = float(gram[p, p])
    if constant is not None:  # the mean was rounded: take off what is left of it
        centred_ss -= float((ones @ gram[:p, p]) ** 2 / (ones @ gram[:p, :p] @ ones))
    total_weight = float(means[-1])
    y_scale = float(np.sqrt(max(centred_ss, 0.0) / total_weight))
    z_scale = np.sqrt(z_squares / total_weight)
    return Basis(
        shift=shift,
        inner=inner,
        on_basis=inner.T @ gram[:p, p],
        constant=ones,
        z_shift=z_shift,
        z_scale=np.where(z_scale > 0, z_scale, 1.0),
        mean_y=mean_y,
        y_scale=0.0 if y_scale <= ROUNDING * abs(means[p + q]) else y_scale,
        centred_ss=centred_ss,
        total_weight=total_weight,
        aliased=aliased,
    )


def design_products(
    blocks: RowBlocks, basis: Basis, codes: IntArray | None = None, n_clusters: int = 1
) -> DesignProducts:
    """Products of [Z*, Q, e] per cluster (`codes`, one per row), or over all rows."""
    _, block = next(iter(blocks))
    p, q = block.x.shape[1], block.z.shape[1]
    m = q + p + 1
    e_scale = basis.y_scale if basis.y_scale > 0 else 1.0
    by_cluster = np.zeros((n_clusters, m, m))
    plain = np.zeros((m + 1, m + 1))
    log_weights = 0.0
    weighted = block.weight is not None
    for part, rows in blocks:
        w = np.ones((len(rows.y), m + 1))
        w[:, :q] = basis.random(rows.z)
        w[:, q : q + p] = basis.orthonormal(rows.x)
        w[:, m - 1] = basis.residual(w[:, q : q + p], rows.y) / e_scale
        if weighted and rows.weight is not None:
            plain += w.T @ w
            w *= np.sqrt(rows.weight)[:, None]
            log_weights += float(np.log(rows.weight).sum())
        else:
            plain[m] += w.sum(axis=0)
        if codes is None:
            by_cluster[0] += w[:, :m].T @ w[:, :m]
        else:
            add_products_by_cluster(by_cluster, w[:, :m], codes[part])
    if not weighted:  # the sums over clusters are the same products
        plain[:m, :m] = by_cluster.sum(axis=0)
        plain[:, m] = plain[m]
    return orthonormalised(
        DesignProducts(
            by_cluster,
            plain,
            basis.transform,
            basis.coefficients,
            basis.on_basis,
            basis.z_shift / basis.z_scale,
            e_scale,
            log_weights,
            basis,
        )
    )


def orthonormalised(products: DesignProducts) -> DesignProducts:
    """Repeat the Cholesky step on columns that are orthonormal but for rounding."""
    q = products.n_random
    total = products.by_cluster.sum(axis=0)
    again = triangular_inverse(np.linalg.cholesky(total[q:-1, q:-1])).T
    left_over = again.T @ total[q:-1, -1]
    change = np.eye(len(total) + 1)
    change[q:-2, q:-2] = again
    change[q:-2, -2] = -again @ left_over
    cut = change[:-1, :-1]
    on_basis = np.linalg.solve(again, products.on_basis) + left_over * products.e_scale
    return replace(
        products,
        by_cluster=cut.T @ products.by_cluster @ cut,
        plain=change.T @ products.plain @ change,
        transform=products.transform @ again,
        on_basis=on_basis,
        basis=replace(products.basis, inner=products.basis.inner @ again, on_basis=on_basis),
        start=products.start + products.transform @ (again @ left_over) * products.e_scale,
    )


def row_meat(
    blocks: RowBlocks, basis: Basis, factor: Callable[[FloatArray], FloatArray]
) -> FloatArray:
    """Return Q' diag(e^2 f(h)) Q (p, p); f takes the leverages (n,), e is unscaled."""
    p = len(basis.shift)
    meat = np.zeros((p, p))
    for _, rows in blocks:
        w = basis.orthonormal(rows.x)
        e = basis.residual(w, rows.y)
        if rows.weight is not None:
            root = np.sqrt(rows.weight)
            w, e = w * root[:, None], e * root
        scores = w * (e * np.sqrt(factor((w**2).sum(axis=1))))[:, None]
        meat += scores.T @ scores
    return meat


def add_products_by_cluster(out: FloatArray, w: FloatArray, codes: IntArray) -> None:
    """Add W_g' W_g to out (G, m, m), all clusters of one size in one matrix product."""
    order = np.argsort(codes, kind="stable")
    sizes = np.bincount(codes, minlength=len(out))
    starts = np.cumsum(sizes) - sizes
    for size in np.unique(sizes[sizes > 0]).tolist():
        groups = np.flatnonzero(sizes == size)
        step = max(1, GATHER_VALUES // (size * w.shape[1]))
        for first in range(0, len(groups), step):
            some = groups[first : first + step]
            rows = order[starts[some][:, None] + np.arange(size)]
            gathered = w[rows]  # (clusters, size, m)
            out[some] += gathered.transpose(0, 2, 1) @ gathered


def _weighted_means(blocks: RowBlocks) -> FloatArray:
    """Weighted means of [X, Z, y], and the total weight last."""
    total: FloatArray | None = None
    mass = 0.0
    for _, rows in blocks:
        joined = np.column_stack((rows.x, rows.z, rows.y))
        weight = np.ones(len(joined)) if rows.weight is None else rows.weight
        here = float(weight.sum())
        mean = weight @ joined / here
        mass += here
        total = mean if total is None else total + (mean - total) * (here / mass)
    if total is None:
        raise DataError("There are no rows to fit a model to.")
    return np.append(total, mass)
