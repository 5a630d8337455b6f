"""One common factor of a set of items: maximum likelihood, and weighted least squares.

Maximum likelihood takes covariance matrices (Jöreskog, 1967, doi:10.1007/BF02289658);
diagonally weighted least squares takes polychoric correlations and the precision of each
(Muthén, du Toit & Spisic, 1997; lavaan's WLSMV gives the same point estimates). Both fit a
stack of matrices at a time, so that a bootstrap is a handful of calls.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from collabsurvey.dimensionality.extraction import LOWEST_UNIQUENESS, ExtractionMethod, extract
from collabsurvey.numerics.typing import BoolArray, FloatArray

FEWEST_ITEMS = 3  # two items have one covariance and two loadings
LARGEST_LOADING = float(np.sqrt(1 - LOWEST_UNIQUENESS))  # of a standardised item
GRADIENT = 1e-9  # largest slope at a minimum, per unit of weight
MOST_STEPS = 200


@dataclass(frozen=True, eq=False)
class OneFactor:
    """One-factor solutions of B matrices of k items, in the unit of the items.

    Signs are such that the loadings of each solution add up to more than zero.
    """

    loadings: FloatArray  # (B, k)
    residuals: FloatArray  # (B, k) residual variances
    objective: FloatArray  # (B,) discrepancy at the minimum
    converged: BoolArray  # (B,)
    at_bound: BoolArray  # (B, k) residual variance at its lower bound: a Heywood case


def one_factor(covs: FloatArray, method: ExtractionMethod = "ml") -> OneFactor:
    """Fit one factor to each covariance matrix of a stack (B, k, k); k is at least 3.

    Fitted to correlations and scaled back, which changes nothing for maximum likelihood.
    A residual variance is at least .005 of the item's variance.
    """
    sd = np.sqrt(np.diagonal(covs, axis1=1, axis2=2))  # (B, k)
    cors = covs / (sd[:, :, None] * sd[:, None, :])
    found = extract(cors, 1, method)
    loadings = _upright(found.loadings[:, :, 0]) * sd
    at_bound = found.uniquenesses <= LOWEST_UNIQUENESS * (1 + 1e-6)
    return OneFactor(
        loadings, found.uniquenesses * sd**2, found.objective, found.converged, at_bound
    )


def covariance_gradient(
    covs: FloatArray, fits: OneFactor, on_loadings: FloatArray, on_residuals: FloatArray
) -> FloatArray:
    """Derivative (B, q, k, k) by the covariances of q functions of a maximum-likelihood fit.

    `on_loadings`, `on_residuals` (B, q, k) are their derivatives by the parameters, which
    follow the covariances by the implicit function theorem: d theta = H^-1 tr(W D W dS) with
    W the inverse of the model and D its derivative by each parameter. A residual variance at
    its bound does not move. H is the exact second derivative, so that the result also holds
    where the model does not.
    """
    k = covs.shape[-1]
    lam, psi = fits.loadings, fits.residuals
    diagonal = np.arange(k)
    model = lam[:, :, None] * lam[:, None, :]
    model[:, diagonal, diagonal] += psi
    w: FloatArray = np.asarray(np.linalg.inv(model), dtype=np.float64)
    q: FloatArray = w @ (model - covs) @ w
    hessian = _paired(w, w, lam) - _paired(q, w, lam) - _paired(w, q, lam)
    hessian[:, :k, :k] += 2 * q
    fixed = np.concatenate([np.zeros_like(fits.at_bound), fits.at_bound], axis=1)
    hessian = np.where(fixed[:, :, None] | fixed[:, None, :], 0.0, hessian)
    both = np.arange(2 * k)
    hessian[:, both, both] += np.where(fixed, 1.0, 0.0)
    target = np.concatenate([on_loadings, np.where(fits.at_bound[:, None, :], 0, on_residuals)], 2)
    v = np.linalg.solve(hessian, target.transpose(0, 2, 1)).transpose(0, 2, 1)  # (B, q, 2k)
    by_loading = v[:, :, :k, None] * lam[:, None, None, :]
    middle = by_loading + by_loading.transpose(0, 1, 3, 2)
    middle[:, :, diagonal, diagonal] += v[:, :, k:]
    return np.asarray(w[:, None] @ middle @ w[:, None])


def _paired(x: FloatArray, y: FloatArray, lam: FloatArray) -> FloatArray:
    """tr(X D_a Y D_b) (B, 2k, 2k) over loadings then residual variances a, b; X, Y symmetric."""
    xl, yl = (x @ lam[:, :, None])[..., 0], (y @ lam[:, :, None])[..., 0]
    lxl, lyl = (lam * xl).sum(axis=1), (lam * yl).sum(axis=1)
    cross = xl[:, :, None] * yl[:, None, :]
    both = cross + cross.transpose(0, 2, 1)
    both += lyl[:, None, None] * x + lxl[:, None, None] * y
    mixed = x * yl[:, None, :] + y * xl[:, None, :]
    return np.asarray(np.block([[both, mixed], [mixed.transpose(0, 2, 1), x * y]]))


@dataclass(frozen=True)
class OneFactorFit:
    """Fit of a one-factor maximum-likelihood model, as lavaan counts it.

    chi2 is n times the discrepancy; RMSEA divides by n; CFI and TLI are against uncorrelated
    items; SRMR counts the diagonal. NaN where the model has no degrees of freedom.
    """

    chi2: float
    df: int
    p_value: float
    cfi: float
    tli: float
    rmsea: float
    srmr: float


def one_factor_fit(cov: FloatArray, fits: OneFactor, n: int) -> OneFactorFit:
    """Fit of the first solution of `fits` to a positive definite covariance matrix (k, k)."""
    k = len(cov)
    df, df_null = k * (k - 3) // 2, k * (k - 1) // 2
    sd = np.sqrt(np.diag(cov))
    cor = cov / np.outer(sd, sd)
    chi2 = float(fits.objective[0]) * n
    null = -float(np.linalg.slogdet(cor)[1]) * n
    loadings = fits.loadings[0] / sd
    residual = cor - np.outer(loadings, loadings)
    residual[np.arange(k), np.arange(k)] -= fits.residuals[0] / sd**2
    srmr = float(np.sqrt((np.tril(residual) ** 2).sum() / (k * (k + 1) / 2)))
    if df == 0:
        return OneFactorFit(chi2, 0, np.nan, np.nan, np.nan, np.nan, srmr)
    excess, excess_null = max(chi2 - df, 0.0), max(null - df_null, chi2 - df, 0.0)
    per_df, null_per_df = chi2 / df, null / df_null
    return OneFactorFit(
        chi2=chi2,
        df=df,
        p_value=float(chdtrc(df, chi2)),
        cfi=1 - excess / excess_null if excess_null > 0 else 1.0,
        tli=(null_per_df - per_df) / (null_per_df - 1) if null_per_df != 1 else np.nan,
        rmsea=float(np.sqrt(excess / (df * n))),
        srmr=srmr,
    )


def one_factor_dwls(cors: FloatArray, weights: FloatArray) -> OneFactor:
    """Fit one factor to each correlation matrix (B, k, k) by diagonally weighted least squares.

    Minimises the sum over pairs of w (r - l l')², `weights` (k, k) or (B, k, k); those of
    WLSMV are 1 / var(r). Residual variances are 1 - l². Loadings stay within ±sqrt(.995).
    The matrices need not be positive definite.
    """
    weights = np.array(np.broadcast_to(weights, cors.shape))
    k = cors.shape[-1]
    diagonal = np.arange(k)
    weights[:, diagonal, diagonal] = 0.0
    weights /= weights.sum(axis=(1, 2), keepdims=True) / (k * (k - 1))
    x = np.clip(_upright(extract(cors, 1, "minres").loadings[:, :, 0]), -0.98, 0.98)
    converged = np.zeros(len(x), dtype=bool)
    active = np.arange(len(x))
    for _ in range(MOST_STEPS):
        here, r, w = x[active], cors[active], weights[active]
        moved, done = _dwls_step(here, r, w)
        x[active] = moved
        converged[active[done]] = True
        active = active[~done]
        if not len(active):
            break
    x = _upright(x)
    objective = _dwls_value(x, cors, weights)
    return OneFactor(x, 1 - x**2, objective, converged, np.abs(x) >= LARGEST_LOADING - 1e-9)


def _dwls_value(x: FloatArray, r: FloatArray, w: FloatArray) -> FloatArray:
    return np.asarray((w * (r - x[:, :, None] * x[:, None, :]) ** 2).sum(axis=(1, 2)) / 2)


def _dwls_step(x: FloatArray, r: FloatArray, w: FloatArray) -> tuple[FloatArray, BoolArray]:
    """One projected Newton step with backtracking from x (b, k), and which had arrived."""
    k = x.shape[1]
    diagonal = np.arange(k)
    outer = x[:, :, None] * x[:, None, :]
    gradient = -2 * ((w * (r - outer)) @ x[:, :, None])[..., 0]
    outside = ((x >= LARGEST_LOADING) & (gradient < 0)) | ((x <= -LARGEST_LOADING) & (gradient > 0))
    gradient = np.where(outside, 0.0, gradient)
    done = np.asarray(np.abs(gradient).max(axis=1) < GRADIENT)
    own = 2 * (w @ (x**2)[:, :, None])[..., 0]
    exact = 2 * w * (2 * outer - r)
    exact[:, diagonal, diagonal] = own
    values, vectors = np.linalg.eigh(np.where(outside[:, :, None] | outside[:, None, :], 0, exact))
    # Directions of negative or no curvature count as curved upwards, so that each step descends.
    floor = 1e-8 * np.abs(values).max(axis=1, keepdims=True) + 1e-300
    steep = np.maximum(np.abs(values), floor)
    along = (vectors.transpose(0, 2, 1) @ gradient[:, :, None])[..., 0] / steep
    step = np.where(outside, 0.0, -(vectors @ along[:, :, None])[..., 0])
    value = _dwls_value(x, r, w)
    size = np.ones((len(x), 1))
    best = x.copy()
    waiting = np.arange(len(x))
    for _ in range(40):
        trial = np.clip(
            x[waiting] + size[waiting] * step[waiting], -LARGEST_LOADING, LARGEST_LOADING
        )
        fine = _dwls_value(trial, r[waiting], w[waiting]) <= value[waiting] * (1 + 1e-14) + 1e-16
        best[waiting[fine]] = trial[fine]
        waiting = waiting[~fine]
        if not len(waiting):
            break
        size[waiting] /= 2
    return best, done


def _upright(loadings: FloatArray) -> FloatArray:
    """Turn each row (B, k) so that it adds up to more than zero."""
    return np.asarray(loadings * np.where(loadings.sum(axis=1) < 0, -1.0, 1.0)[:, None])
