"""Residuals that are correlated over time or vary by wave, within the groups of a mixed model.

The residuals of a group have covariance sigma^2 S R S: S holds ratios of standard deviations to
that of the first wave, and R the correlations rho^|t - s| of a first-order autoregression. With
rows in order of time its inverse root has two bands: u_t = (w_t - r w_(t-1)) / sqrt(1 - r^2) with
r = rho^gap (Pinheiro & Bates, 2000, doi:10.1007/b98882, chapter 5). Products of the rows so
whitened enter the likelihood of `numerics.mixed`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations_with_replacement

import numpy as np

from collabsurvey.numerics.linalg import triangular_inverse
from collabsurvey.numerics.mixed import Evaluation, GroupProducts, evaluate
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray

# tanh(6): a correlation within 1.2e-5 of 1.
MOST_SERIAL = 6.0
# A standard deviation a thousand times that of the first wave, or a thousandth.
MOST_RATIO = float(np.log(1e3))


@dataclass(frozen=True, eq=False)
class ResidualRows:
    """Rows of W = [Z, Q, e] and where each stands in its group.

    Rows are sorted by group, and by time within it; no group is empty. The parameters omega are the
    one of the autoregression, if there is one, and the logs of the ratios of all waves but the
    first.
    """

    w: FloatArray  # (m, n), m = q + p + 1: one column of W after the other
    codes: IntArray  # (n,) groups 0 … G − 1
    n_groups: int
    n_random: int  # q
    reml: bool
    gap: FloatArray | None = None  # (n,) to the row before, in steps; None without autoregression
    signed: bool = True  # whether the correlation of one step may be negative
    wave: IntArray | None = None  # (n,) 0 … K − 1; None where all waves have one variance
    n_waves: int = 1

    @property
    def n_serial(self) -> int:
        """Parameters of the autoregression."""
        return int(self.gap is not None)

    @property
    def n_parameters(self) -> int:
        """Elements of omega."""
        return self.n_serial + self.n_waves - 1

    @cached_property
    def first(self) -> BoolArray:
        """(n,) whether a row is the first of its group."""
        return np.append(True, self.codes[1:] != self.codes[:-1])

    @cached_property
    def sizes(self) -> IntArray:
        """(G,) rows of each group."""
        return np.asarray(np.bincount(self.codes, minlength=self.n_groups))

    def products(self, u: FloatArray) -> FloatArray:
        """Return u u' (G, m, m) of each group, for columns (m, n)."""
        m = len(u)
        starts = np.cumsum(self.sizes) - self.sizes
        found = np.empty((self.n_groups, m, m))
        for i, j in combinations_with_replacement(range(m), 2):
            found[:, i, j] = found[:, j, i] = np.add.reduceat(u[i] * u[j], starts)
        return found

    def weighted(self, weight: FloatArray, u: FloatArray) -> FloatArray:
        """Return weight (G, m, m) of its group times each row of u (m, n)."""
        found = np.zeros_like(u)
        for i, j in combinations_with_replacement(range(len(u)), 2):
            of_rows = np.repeat(weight[:, i, j], self.sizes)
            found[i] += of_rows * u[j]
            if i != j:
                found[j] += of_rows * u[i]
        return found


@dataclass(frozen=True, eq=False)
class Whitened:
    """Rows without correlation and of one variance, and what they were made with."""

    u: FloatArray  # (m, n)
    scaled: FloatArray  # (m, n) before the differences
    r: FloatArray  # (n,) correlation with the row before
    c: FloatArray  # (n,) 1 / sqrt(1 - r^2)
    r_slope: FloatArray  # (n,) of r in the parameter of the autoregression
    log_det: float  # of S R S over all rows


@dataclass(frozen=True, eq=False)
class Structured:
    """The model at one omega and L; the criterion is -2 log-likelihood of e on the rows' Q."""

    criterion: float
    by_group: FloatArray  # (G, m, m) products of the whitened rows
    products: GroupProducts  # the same on a basis that is orthonormal again
    at: Evaluation  # of those products
    basis: FloatArray  # (p, p) whose columns on Q are that basis

    @property
    def unscaled(self) -> FloatArray:
        """(p, p) inverse of Q'V^-1 Q, on the Q of the rows."""
        return np.asarray(self.basis @ self.at.unscaled @ self.basis.T)


def serial_correlation(omega: float, *, signed: bool) -> tuple[float, float]:
    """Correlation over one step and its derivative: tanh(omega), or its upper half, above 0."""
    if signed:
        rho = float(np.tanh(omega))
        return rho, 1 - rho**2
    rho = float(1 / (1 + np.exp(-2 * omega)))
    return rho, 2 * rho * (1 - rho)


def bounds(rows: ResidualRows) -> FloatArray:
    """(len(omega),) largest absolute values of omega."""
    return np.array([MOST_SERIAL] * rows.n_serial + [MOST_RATIO] * (rows.n_waves - 1))


def sd_ratios(rows: ResidualRows, omega: FloatArray) -> FloatArray:
    """(K,) standard deviations of the waves relative to the first."""
    return np.asarray(np.exp(np.append(0.0, omega[rows.n_serial :])))


def whiten(rows: ResidualRows, omega: FloatArray) -> Whitened:
    """Rows times the inverse root of their residual covariance."""
    scaled, log_det, n = rows.w, 0.0, len(rows.codes)
    if rows.wave is not None:
        ratios = sd_ratios(rows, omega)
        counts = np.bincount(rows.wave, minlength=rows.n_waves)
        scaled = rows.w / ratios[rows.wave]
        log_det += 2 * float(counts @ np.log(ratios))
    if rows.gap is None:
        return Whitened(scaled, scaled, np.zeros(n), np.ones(n), np.zeros(n), log_det)
    rho, by_omega = serial_correlation(float(omega[0]), signed=rows.signed)
    r = np.where(rows.first, 0.0, rho**rows.gap)
    r_slope = np.where(rows.first, 0.0, rows.gap * rho ** (rows.gap - 1) * by_omega)
    left = 1 - r**2
    c = 1 / np.sqrt(left)
    u = (scaled - r * _before(scaled)) * c
    return Whitened(u, scaled, r, c, r_slope, log_det + float(np.log(left).sum()))


def _before(w: FloatArray) -> FloatArray:
    """Each row's predecessor, zero for the first, along the last axis."""
    moved = np.zeros_like(w)
    moved[..., 1:] = w[..., :-1]
    return moved


def _omega_slope(rows: ResidualRows, white: Whitened, weight: FloatArray) -> FloatArray:
    """Derivatives (k,) of log |S R S| + sum over groups of tr(weight u u') in omega."""
    t = rows.weighted(weight, white.u)
    r, c = white.r, white.c
    found = np.empty(rows.n_parameters)
    if rows.gap is not None:
        moved = r * c * white.u - _before(white.scaled)  # du / dr, less a factor of c
        along = (moved * t).sum(axis=0)
        found[0] = 2 * float((white.r_slope * c) @ along) - 2 * float((r * white.r_slope) @ c**2)
    if rows.wave is not None:
        back = c * t
        back[:, :-1] -= (r * c * t)[:, 1:]
        by_row = 2 - 2 * (white.scaled * back).sum(axis=0)
        by_wave = np.bincount(rows.wave, weights=by_row, minlength=rows.n_waves)
        found[rows.n_serial :] = by_wave[1:]
    return found


def structured(rows: ResidualRows, omega: FloatArray, lower: FloatArray) -> Structured:
    """The criterion at omega and L (q, q)."""
    return _at(rows, whiten(rows, omega), lower)


def _at(rows: ResidualRows, white: Whitened, lower: FloatArray) -> Structured:
    """Products of whitened rows on an orthonormal basis, and the criterion they give."""
    by_group = rows.products(white.u)
    q = rows.n_random
    total = by_group.sum(axis=0)
    root = np.linalg.cholesky(total[q:-1, q:-1])
    basis = triangular_inverse(root).T
    change = np.eye(len(total))
    change[q:-1, q:-1] = basis
    change[q:-1, -1] = -basis @ (basis.T @ total[q:-1, -1])
    turned = change.T @ by_group @ change
    products = GroupProducts(
        zz=np.ascontiguousarray(turned[:, :q, :q]),
        zx=np.ascontiguousarray(turned[:, :q, q:-1]),
        ze=np.ascontiguousarray(turned[:, :q, -1]),
        ee=float(turned[:, -1, -1].sum()),
        n_rows=len(rows.codes),
        reml=rows.reml,
    )
    at = evaluate(products, lower)
    criterion = at.criterion + white.log_det
    if rows.reml:  # from the basis back to Q
        criterion += 2 * float(np.log(np.diag(root)).sum())
    return Structured(criterion, by_group, products, at, basis)


def structured_slope(
    rows: ResidualRows, omega: FloatArray, lower: FloatArray, sigma2: float | None = None
) -> tuple[Structured, FloatArray, FloatArray]:
    """The model with its derivatives in omega (k,) and in D (q, q).

    They are those of the deviance at `sigma2`; at its optimum, those of the criterion.
    """
    white = whiten(rows, omega)
    found = _at(rows, white, lower)
    products, at, q = found.products, found.at, rows.n_random
    sigma2 = at.r2 / products.df_total if sigma2 is None else sigma2
    # What multiplies the products of each group: Z, then Q and e on the basis of the rows.
    modes = (at.p_g @ (products.ze - products.zx @ at.beta)[:, :, None])[:, :, 0]
    total = found.by_group.sum(axis=0)
    least_squares = found.basis @ (found.basis.T @ total[q:-1, -1])
    p = len(least_squares)
    of_residual = np.empty((rows.n_groups, q + p + 1))
    of_residual[:, :q] = -modes
    of_residual[:, q:-1] = -least_squares - found.basis @ at.beta
    of_residual[:, -1] = 1.0
    weight = of_residual[:, :, None] * of_residual[:, None, :] / sigma2
    weight[:, :q, :q] += at.p_g
    if rows.reml:
        reach = np.zeros((rows.n_groups, q + p + 1, p))
        reach[:, :q] = -at.p_g @ products.zx
        reach[:, q:-1] = found.basis
        rooted = reach @ np.linalg.cholesky(at.unscaled)
        weight += rooted @ rooted.transpose(0, 2, 1)
    return found, _omega_slope(rows, white, weight), at.gradient(products, sigma2)


def with_basis(rows: ResidualRows, found: Structured) -> ResidualRows:
    """The same rows with Q and e on the basis that is orthonormal at a fit."""
    q = rows.n_random
    total = found.by_group.sum(axis=0)
    change = np.eye(len(total))
    change[q:-1, q:-1] = found.basis
    change[q:-1, -1] = -found.basis @ (found.basis.T @ total[q:-1, -1])
    return replace(rows, w=np.ascontiguousarray(change.T @ rows.w))
