"""Variance components by restricted maximum likelihood: one-way, and objects crossed with cells.

Objects (persons) answer in some of M cells (occasions, items, occasion × item). With W (M, M) the
covariance of one object's answers and C (M, M) that of what all objects share, answers y_p in
the cells S_p have Cov(y_p, y_q) = S_p (C + [p = q] W) S_q'. W and C are linear in the variance
components, so that everything follows from the objects of each pattern of cells: how many, the sum
and the cross-products of their answers. The shared effects are eliminated by Woodbury's identity.

Sources: Patterson & Thompson (1971) doi:10.1093/biomet/58.3.545; Searle, Casella & McCulloch
(1992) Variance Components, ch. 6; Wald (1940) Ann. Math. Stat. 11:96-100 for the interval.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from collabsurvey.numerics.intervals import f_quantile, t_quantile
from collabsurvey.numerics.mixed import jacobian, polished
from collabsurvey.numerics.typing import BoolArray, FloatArray

GRID = np.concatenate([[0.0], np.geomspace(1e-6, 1e6, 121)])  # variance ratios first looked at
ZERO_SHARE = 1e-8  # a component below this share of the total is at its boundary


@dataclass(frozen=True)
class OneWayReml:
    """REML of groups: mean, variance between (tau2 ≥ 0) and within (sigma2)."""

    mean: float
    tau2: float
    sigma2: float

    @property
    def icc1(self) -> float:
        """Share of the variance that lies between groups."""
        return self.tau2 / (self.tau2 + self.sigma2)


def one_way_reml(
    n: FloatArray, mean: FloatArray, ss: FloatArray, *, replicates: int = 1
) -> OneWayReml:
    """REML from sizes (G,), means (G,) or (G, r) and the within sum of squares (G,) of groups.

    With `replicates` r, r independent variables (such as item contrasts) share the two
    variances but not their mean; `ss` is summed over them, and `mean` (G, r).
    """
    from scipy.optimize import brentq

    there = n > 0
    n, ss = n[there], ss[there]
    means = mean[there].reshape(len(n), replicates)
    df = replicates * (n.sum() - 1)
    within = float(ss.sum())

    def at(ratio: float) -> tuple[float, float, float, FloatArray]:
        """Criterion, half its slope, residual sum of squares and centre at tau2 / sigma2."""
        w = n / (1 + n * ratio)
        centre = w @ means / w.sum()
        d2 = ((means - centre) ** 2).sum(axis=1)
        r2 = within + float(w @ d2)
        slope = replicates * (w.sum() - (w**2).sum() / w.sum()) - df * float(w**2 @ d2) / r2
        value = replicates * (np.log1p(n * ratio).sum() + np.log(w.sum())) + df * np.log(r2)
        return float(value), float(slope), r2, centre

    if within <= 0:
        raise ZeroDivisionError("no variance within groups")
    values = [at(float(ratio))[0] for ratio in GRID]
    best = int(np.argmin(np.array(values)))
    low, high = GRID[max(best - 1, 0)], GRID[min(best + 1, len(GRID) - 1)]
    ratio = float(GRID[best])
    if at(low)[1] < 0 < at(high)[1]:
        ratio = float(brentq(lambda x: at(x)[1], low, high, xtol=1e-15, rtol=1e-13))
    _, _, r2, centre = at(ratio)
    sigma2 = r2 / df
    return OneWayReml(mean=float(centre[0]), tau2=ratio * sigma2, sigma2=float(sigma2))


def wald_ratio_interval(
    n: FloatArray, mean: FloatArray, ss: FloatArray, *, conf_level: float
) -> tuple[float, float]:
    """Exact interval of tau2 / sigma2 in unequal groups (Wald, 1940), cut off at 0.

    At the true ratio r, the weighted sum of squares of the group means with weights
    n / (1 + n r), over its degrees of freedom and the mean square within, follows F.
    """
    from scipy.optimize import brentq

    there = n > 0
    n, mean = n[there], mean[there]
    df1, df2 = len(n) - 1, float(n.sum()) - len(n)
    ms_within = float(ss[there].sum()) / df2

    def statistic(ratio: float) -> float:
        w = n / (1 + n * ratio)
        centre = w @ mean / w.sum()
        found: float = float(w @ (mean - centre) ** 2) / df1 / ms_within
        return found

    limits = []
    for tail in ((1 + conf_level) / 2, (1 - conf_level) / 2):
        target = f_quantile(tail, df1, df2)
        if statistic(0.0) <= target:
            limits.append(0.0)
            continue
        top = 1.0
        while statistic(top) > target:
            top *= 4
        limits.append(float(brentq(lambda r, t=target: statistic(r) - t, 0.0, top, xtol=1e-14)))
    return limits[0], limits[1]


def jackknife_ratio_interval(
    n: FloatArray, mean: FloatArray, ss: FloatArray, *, conf_level: float
) -> tuple[float, float, float] | None:
    """Limits of F by the jackknife over groups on log F, and n0; None where F has no logarithm.

    Arvesen & Schmitz (1970) doi:10.2307/2528715: for variances of effects that are not normal.
    Centre and spread of the pseudo-values, t on groups - 1.
    """
    there = n > 0
    n, mean, ss = n[there], mean[there], ss[there]
    g = len(n)
    mean = mean - n @ mean / n.sum()
    kept = np.vstack([np.ones((1, g)), 1 - np.eye(g)])  # all, then without each
    size, groups = kept @ n, kept.sum(axis=1)
    if g < 3 or (size - groups < 1).any():
        return None
    between = kept @ (n * mean**2) - (kept @ (n * mean)) ** 2 / size
    within = (kept @ ss) / (size - groups)
    if not ((between > 0).all() and (within > 0).all()):
        return None
    log_f = np.log(between / (groups - 1) / within)
    pseudo = g * log_f[0] - (g - 1) * log_f[1:]
    error = float(np.sqrt(pseudo.var(ddof=1) / g))
    reach = t_quantile((1 + conf_level) / 2, g - 1) * error
    centre = float(pseudo.mean())
    n0 = float((size[0] - n @ n / size[0]) / (g - 1))
    return float(np.exp(centre - reach)), float(np.exp(centre + reach)), n0


@dataclass(frozen=True, eq=False)
class Patterns:
    """Answers of P objects, summed over those who answered in the same cells; padded with 0."""

    seen: FloatArray  # (K, M) 1 for the cells of a pattern
    count: FloatArray  # (K,) objects
    total: FloatArray  # (K, M) sums of answers
    products: FloatArray  # (K, M, M) sums of y y'

    @property
    def n_answers(self) -> float:
        """Answers altogether."""
        return float(self.count @ self.seen.sum(axis=1))


def patterns_of(answers: FloatArray) -> Patterns:
    """Patterns of answers (P, M), NaN for a cell without one; objects without any are dropped."""
    seen: BoolArray = ~np.isnan(answers)
    some = seen.any(axis=1)
    filled = np.where(seen, answers, 0.0)[some]
    kinds, of = np.unique(seen[some], axis=0, return_inverse=True)
    of = np.ravel(of)
    k, m = kinds.shape
    total = np.zeros((k, m))
    products = np.zeros((k, m, m))
    for j in range(k):
        rows = filled[of == j]
        total[j] = rows.sum(axis=0)
        products[j] = rows.T @ rows
    count = np.bincount(of, minlength=k).astype(np.float64)
    return Patterns(kinds.astype(np.float64), count, total, products)


@dataclass(frozen=True, eq=False)
class Components:
    """Variance components at their REML estimates, and what their errors need."""

    names: tuple[str, ...]
    variances: FloatArray  # (c,) not below 0
    at_zero: BoolArray  # (c,)
    mean: float
    criterion: float  # -2 restricted log-likelihood, up to a constant
    information: FloatArray  # (c, c) observed, of the variances; rows at zero are NaN
    converged: bool

    def covariance(self) -> FloatArray:
        """Covariance (c, c) of the estimates; components at zero count as known."""
        free = np.flatnonzero(~self.at_zero)
        cov = np.zeros_like(self.information)
        if len(free):
            cov[np.ix_(free, free)] = np.linalg.pinv(self.information[np.ix_(free, free)])
        return cov


def crossed_reml(
    patterns: Patterns, within: Mapping[str, FloatArray], across: Mapping[str, FloatArray]
) -> Components:
    """REML of components with structure matrices (M, M): of one object's answers, and shared.

    `within` ends with the residual (the identity). Variances are squares of free parameters, so
    that a variance of zero is an ordinary stationary point.
    """
    from scipy.optimize import minimize

    names = (*within, *across)
    kernels = np.array([*within.values(), *across.values()])
    inside = np.arange(len(names)) < len(within)
    scale = overall_variance(patterns)

    def slopes(variances: FloatArray) -> tuple[float, FloatArray]:
        w = np.tensordot(variances[inside], kernels[inside], axes=1)
        c = np.tensordot(variances[~inside], kernels[~inside], axes=1)
        value, slope_w, slope_c = criterion(patterns, w, c if len(across) else np.zeros_like(w))
        parts = [(slope_w if own else slope_c) * k for own, k in zip(inside, kernels, strict=True)]
        return value, np.array([part.sum() for part in parts])

    def of_roots(root: FloatArray) -> tuple[float, FloatArray]:
        value, slope = slopes(scale * root**2)
        return value, 2 * scale * root * slope

    best: Components | None = None
    for share in (1.0, 0.05):  # equal parts, then mostly residual
        start = np.full(len(names), share)
        start[len(within) - 1] = 1.0
        found = minimize(
            of_roots,
            np.sqrt(start / start.sum()),
            jac=True,
            method="L-BFGS-B",
            options={"ftol": 1e-13, "gtol": 1e-6, "maxiter": 500},
        )
        root, _, _ = polished(lambda r: of_roots(r)[1], np.asarray(found.x))
        here = finished(names, scale * root**2, slopes, patterns, kernels, inside)
        if best is None or here.criterion < best.criterion - 1e-9:
            best = here
        if best.converged:
            break
    if best is None:  # there are two starts
        raise RuntimeError("no start was tried")
    return best


def finished(
    names: tuple[str, ...],
    variances: FloatArray,
    slopes: Callable[[FloatArray], tuple[float, FloatArray]],
    patterns: Patterns,
    kernels: FloatArray,
    inside: BoolArray,
) -> Components:
    """Vanishing components at zero, the information of the others, whether this is an optimum."""
    at_zero = variances < ZERO_SHARE * variances.sum()
    variances = np.where(at_zero, 0.0, variances)
    value, slope = slopes(variances)
    _, mean, _ = shared_effects(patterns, *matrices(variances, kernels, inside))
    free = ~at_zero

    def free_slope(part: FloatArray) -> FloatArray:
        full = variances.copy()
        full[free] = part
        return np.asarray(slopes(full)[1][free])

    information = np.full((len(names), len(names)), np.nan)
    found = jacobian(free_slope, variances[free], 1e-3 * variances[free]) / 2
    information[np.ix_(free, free)] = (found + found.T) / 2
    tolerance = 1e-4 * patterns.n_answers
    still = np.abs(slope[free] * variances[free]).max(initial=0.0) < tolerance
    rises = bool((slope[at_zero] * variances.sum() > -tolerance).all())
    return Components(
        names, variances, at_zero, mean, value, information, converged=bool(still and rises)
    )


def matrices(
    variances: FloatArray, kernels: FloatArray, inside: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """W and C (M, M) at the variances."""
    w = np.tensordot(variances[inside], kernels[inside], axes=1)
    c = np.zeros_like(w)
    if (~inside).any():
        c = np.tensordot(variances[~inside], kernels[~inside], axes=1)
    return w, c


def overall_variance(patterns: Patterns) -> float:
    """Variance of all answers about their mean, the scale of the parameters."""
    n = patterns.n_answers
    squares = float(np.trace(patterns.products, axis1=1, axis2=2).sum())
    return max((squares - float(patterns.total.sum()) ** 2 / n) / n, 1e-300)


def inverses(patterns: Patterns, w: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Inverses (K, M, M) of W on the cells of each pattern, 0 elsewhere; log determinants (K,)."""
    seen = patterns.seen
    both = seen[:, :, None] * seen[:, None, :]
    padded = both * w
    diagonal = np.arange(seen.shape[1])
    padded[:, diagonal, diagonal] += 1 - seen
    inverse = np.linalg.inv(padded) * both
    return inverse, np.linalg.slogdet(padded)[1]


def shared_effects(
    patterns: Patterns, w: FloatArray, c: FloatArray
) -> tuple[FloatArray, float, FloatArray]:
    """Effects of the cells (M,) without the mean, the mean, and (M, M) E = C (I + A C)^-1."""
    inverse, _ = inverses(patterns, w)
    a = np.tensordot(patterns.count, inverse, axes=1)
    b = np.einsum("kij,kj->i", inverse, patterns.total)
    e = c @ np.linalg.inv(np.eye(len(c)) + a @ c)
    ones = np.ones(len(c))
    h_one = a @ ones - a @ e @ (a @ ones)
    mean = float(ones @ (b - a @ e @ b) / (ones @ h_one))
    return e @ (b - a @ ones * mean), mean, e


def criterion(
    patterns: Patterns, w: FloatArray, c: FloatArray
) -> tuple[float, FloatArray, FloatArray]:
    """-2 restricted log-likelihood (up to a constant) and its derivatives (M, M) by W and C."""
    inverse, log_det = inverses(patterns, w)
    count = patterns.count
    a = np.tensordot(count, inverse, axes=1)
    b = np.einsum("kij,kj->i", inverse, patterns.total)
    m = len(c)
    mixer = np.linalg.inv(np.eye(m) + a @ c)  # (I + A C)^-1
    e = c @ mixer
    h = mixer @ a
    h_y = mixer @ b
    h_one = h.sum(axis=1)
    weight = float(h_one.sum())
    mean = float(h_y.sum()) / weight
    quadratic = float((inverse * patterns.products).sum()) - float(b @ e @ b)
    value = float(count @ log_det) - float(np.linalg.slogdet(mixer)[1]) + float(np.log(weight))
    value += quadratic - weight * mean**2
    left = h_y - h_one * mean
    slope_c = h - np.outer(h_one, h_one) / weight - np.outer(left, left)
    cells = mean + e @ (b - a.sum(axis=1) * mean)  # mean and shared effects
    reach = mixer.T.sum(axis=1)  # (I + C A)^-1 1
    removed = e + np.outer(reach, reach) / weight
    cross = patterns.total[:, :, None] * cells
    square = count[:, None, None] * np.outer(cells, cells)
    scatter = patterns.products - cross - cross.transpose(0, 2, 1) + square
    taken = inverse @ (count[:, None, None] * removed + scatter) @ inverse
    slope_w = (count[:, None, None] * inverse - taken).sum(axis=0)
    return value, (slope_w + slope_w.T) / 2, slope_c
