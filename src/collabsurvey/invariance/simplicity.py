"""Alignment of one factor: group means and variances that make most items agree.

Every group has its own loadings (p, G) and intercepts (c, G) from the configural model, in which
each group's factor has mean 0 and variance 1. A mean a and a log standard deviation u for each
group turn them into

    loading = loading0 exp(-u),   intercept = intercept0 - a loading

(Asparouhov & Muthén, 2014, doi:10.1080/10705511.2014.919210, eqs. 5 to 7). Those that make the sum
over pairs of groups of sqrt(n n') f(difference), f(x) = sqrt(sqrt(x^2 + epsilon)), as small as
possible leave few large differences rather than many small ones. A threshold is an intercept
with its sign turned (Muthén & Asparouhov, 2014, doi:10.3389/fpsyg.2014.00978).

All derivatives are analytic. The criterion has many local minima: it is first minimised with a
large epsilon, which makes it nearly convex, and followed while epsilon falls, and again from
random points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from collabsurvey.numerics.typing import FloatArray, IntArray

PATH = (1.0, 0.1)  # larger values of epsilon from which the minimum is followed
SPREAD = 0.5  # sd of random starts of means and of log standard deviations
SAME = 1e-6  # relative difference of criteria that counts as the same minimum
MOST_STEPS = 50  # Newton steps


@dataclass(frozen=True, eq=False)
class Unaligned:
    """Configural estimates of one factor, with what may move."""

    loadings: FloatArray  # (p, G)
    cuts: FloatArray  # (c, G) intercepts, or thresholds with the sign turned
    item: IntArray  # (c,) which loading goes with each of them
    weights: FloatArray  # (G, G) of the pairs: zero diagonal, sum 2
    epsilon: float
    reduce: FloatArray  # (2G, q): log sds and means (u, a) = reduce @ x

    @property
    def n_groups(self) -> int:
        """Number of groups, G."""
        return int(self.loadings.shape[1])

    @property
    def stacked(self) -> FloatArray:
        """Loadings and cuts (p + c, G) as they came."""
        return np.vstack([self.loadings, self.cuts])


@dataclass(frozen=True, eq=False)
class Aligned:
    """The best of all starts."""

    x: FloatArray  # (q,)
    log_sd: FloatArray  # (G,)
    mean: FloatArray  # (G,)
    values: FloatArray  # (p + c, G) aligned loadings and cuts
    criterion: float
    n_starts: int
    n_at_best: int  # starts that ended there
    converged: bool


def pair_weights(n: FloatArray) -> FloatArray:
    """Weight every pair of groups by the root of the product of their sizes (G,); sum 2."""
    out = np.sqrt(np.outer(n, n))
    np.fill_diagonal(out, 0.0)
    return np.asarray(2 * out / out.sum())


def freedom(n_groups: int, reference: int, *, free_mean: bool, product: bool) -> FloatArray:
    """Matrix (2G, q) from what is estimated to log standard deviations and means.

    The product of the standard deviations is 1, or that of the reference; its mean is 0 unless
    `free_mean`.
    """
    unit = np.eye(n_groups)
    log_sd = np.delete(unit, reference, axis=1)
    if product:
        log_sd[reference] = -1.0
    mean = unit if free_mean else np.delete(unit, reference, axis=1)
    out = np.zeros((2 * n_groups, log_sd.shape[1] + mean.shape[1]))
    out[:n_groups, : log_sd.shape[1]] = log_sd
    out[n_groups:, log_sd.shape[1] :] = mean
    return out


def aligned_values(problem: Unaligned, x: FloatArray) -> FloatArray:
    """Loadings and cuts (p + c, G) at x (q,)."""
    log_sd, mean = np.split(problem.reduce @ x, 2)
    loadings = problem.loadings * np.exp(-log_sd)
    return np.vstack([loadings, problem.cuts - mean * loadings[problem.item]])


def criterion(problem: Unaligned, x: FloatArray) -> float:
    """Sum over pairs of the weighted component loss; smallest where groups agree."""
    apart = _differences(aligned_values(problem, x))
    loss = (apart**2 + problem.epsilon) ** 0.25
    return float(np.einsum("gh,mgh->", problem.weights, loss) / 2)


def slope(problem: Unaligned, x: FloatArray) -> FloatArray:
    """Derivative (q,) of the criterion."""
    values = aligned_values(problem, x)
    pull = _pull(problem, values)
    moved = _moves(problem, x, values)
    return np.asarray(problem.reduce.T @ (moved * pull).sum(axis=1).ravel())


def curvature(problem: Unaligned, x: FloatArray) -> FloatArray:
    """Second derivative (q, q) of the criterion."""
    values = aligned_values(problem, x)
    pull, bend = _pull(problem, values), _bend(problem, values)
    moved = _moves(problem, x, values)  # (2, m, G)
    g, p = problem.n_groups, len(problem.loadings)
    whole = np.einsum("img,mgh,jmh->igjh", moved, bend, moved, optimize=True)
    at = np.arange(g)
    loadings, own = values[:p], values[:p][problem.item]
    mean = (problem.reduce @ x)[g:]
    both = (own * pull[p:]).sum(axis=0)
    whole[0, at, 0, at] += (loadings * pull[:p]).sum(axis=0) - mean * both
    whole[0, at, 1, at] += both
    whole[1, at, 0, at] += both
    return np.asarray(problem.reduce.T @ whole.reshape(2 * g, 2 * g) @ problem.reduce)


def response(problem: Unaligned, x: FloatArray) -> FloatArray:
    """How the optimum moves (q, m G) with the configural estimates, group by group.

    Implicit differentiation: the slope stays zero. Columns: for each group its loadings, then
    its cuts.
    """
    values = aligned_values(problem, x)
    pull, bend = _pull(problem, values), _bend(problem, values)
    moved = _moves(problem, x, values)
    g, p, m = problem.n_groups, len(problem.loadings), len(values)
    log_sd, mean = np.split(problem.reduce @ x, 2)
    at = np.arange(g)
    shrink = np.exp(-log_sd)
    # d slope_h / d value_mg, then d value / d estimate
    felt = np.einsum("imh,mhg->ihmg", moved, bend)  # (2, h, m, g)
    cross = np.zeros((2, g, g, m))  # (2, h, g, m)
    cross[..., p:] = felt[:, :, p:].swapaxes(2, 3)
    through = felt[:, :, :p].copy()
    for k, item in enumerate(problem.item):
        through[:, :, item] -= felt[:, :, p + k] * mean
    cross[..., :p] = through.swapaxes(2, 3) * shrink[:, None]
    # d moves / d loading0
    by_item = np.zeros((p, g))
    np.add.at(by_item, problem.item, pull[p:])
    cross[0, at, at, :p] += (shrink * (mean * by_item - pull[:p])).T
    cross[1, at, at, :p] -= (shrink * by_item).T
    slopes = problem.reduce.T @ cross.reshape(2 * g, g * m)
    return np.asarray(-np.linalg.solve(curvature(problem, x), slopes))


def spread_of(problem: Unaligned, x: FloatArray, covs: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Covariances of log sds and means (2G, 2G), and of every aligned parameter (m, G, G).

    `covs` (G, m, m) are those of the configural estimates, which are independent of each other.
    """
    g, p = problem.n_groups, len(problem.loadings)
    values = aligned_values(problem, x)
    m = len(values)
    moves = (problem.reduce @ response(problem, x)).reshape(2, g, g, m)  # (2, g, of group, m)
    whole = np.einsum("igkm,kmn,jhkn->igjh", moves, covs, moves, optimize=True)
    moved = _moves(problem, x, values)
    log_sd, mean = np.split(problem.reduce @ x, 2)
    shrink, at = np.exp(-log_sd), np.arange(g)
    out = np.empty((m, g, g))
    for i in range(m):
        change = moved[0, i][:, None, None] * moves[0] + moved[1, i][:, None, None] * moves[1]
        if i < p:
            change[at, at, i] += shrink
        else:
            change[at, at, i] += 1.0
            change[at, at, problem.item[i - p]] -= mean * shrink
        out[i] = np.einsum("gkm,kmn,hkn->gh", change, covs, change, optimize=True)
    return whole.reshape(2 * g, 2 * g), out


def align(problem: Unaligned, *, starts: int, rng: np.random.Generator) -> Aligned:
    """Minimise the criterion along falling epsilon, and from `starts` - 1 random points."""
    begin = _first_guess(problem)
    ends = []
    for k in range(starts):
        x = begin if k == 0 else begin + SPREAD * rng.standard_normal(len(begin))
        if k == 0:
            for epsilon in PATH:
                x = _descend(_with_epsilon(problem, max(epsilon, problem.epsilon)), x)
        ends.append(_descend(problem, x))
    values = np.array([criterion(problem, x) for x in ends])
    best = int(values.argmin())
    x, settled = polish(problem, ends[best])
    at_best = values <= values[best] + SAME * abs(values[best])
    log_sd, mean = np.split(problem.reduce @ x, 2)
    return Aligned(
        x,
        log_sd,
        mean,
        aligned_values(problem, x),
        criterion(problem, x),
        starts,
        int(at_best.sum()),
        settled,
    )


def polish(problem: Unaligned, x: FloatArray) -> tuple[FloatArray, bool]:
    """Newton steps to full precision, while the criterion falls; and whether it came to rest."""
    value = criterion(problem, x)
    for _ in range(MOST_STEPS):
        down = slope(problem, x)
        if np.abs(down).max() < 1e-10:
            return x, True
        curved = curvature(problem, x)
        roots, vectors = np.linalg.eigh(curved)
        if roots[0] <= 0:
            roots = np.maximum(np.abs(roots), 1e-8)
        step = -vectors @ ((vectors.T @ down) / roots)
        share = 1.0
        while share > 1e-6:
            there = criterion(problem, x + share * step)
            if there <= value:
                break
            share /= 2
        else:
            break
        x, value = x + share * step, there
    return x, bool(np.abs(slope(problem, x)).max() < 1e-7)


def _with_epsilon(problem: Unaligned, epsilon: float) -> Unaligned:
    return Unaligned(
        problem.loadings, problem.cuts, problem.item, problem.weights, epsilon, problem.reduce
    )


def _descend(problem: Unaligned, x: FloatArray) -> FloatArray:
    def both(at: FloatArray) -> tuple[float, FloatArray]:
        return criterion(problem, at), slope(problem, at)

    found = minimize(
        both,
        np.atleast_1d(x),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 2000, "maxfun": 4000, "ftol": 1e-13, "gtol": 1e-8},
    )
    return np.asarray(found.x)


def _first_guess(problem: Unaligned) -> FloatArray:
    """Median ratio of loadings, median shift of intercepts; as near as `reduce` allows."""
    average = problem.loadings.mean(axis=1, keepdims=True)
    average = np.where(np.abs(average) > 1e-3, average, 1e-3)
    ratio = np.abs(np.median(problem.loadings / average, axis=0))
    log_sd = np.log(np.clip(ratio, 0.1, 10.0))
    loadings = problem.loadings * np.exp(-log_sd)
    own = loadings[problem.item]
    strong = np.abs(own) > 0.1 * np.abs(own).max()
    centred = problem.cuts - problem.cuts.mean(axis=1, keepdims=True)
    shift = np.where(strong, centred / np.where(strong, own, 1.0), np.nan)
    mean = np.nan_to_num(np.nanmedian(shift, axis=0))
    # The reference has mean 0 and sd 1 (or the product is 1): shifts of all do no harm.
    free = problem.reduce[: problem.n_groups].any(axis=1)
    log_sd = log_sd - (log_sd.mean() if free.all() else log_sd[~free][0])
    still = ~problem.reduce[problem.n_groups :].any(axis=1)
    mean = mean - (mean[still][0] if still.any() else 0.0)
    return np.asarray(np.linalg.lstsq(problem.reduce, np.concatenate([log_sd, mean]))[0])


def _differences(values: FloatArray) -> FloatArray:
    """Of every parameter between every two groups (m, G, G)."""
    return np.asarray(values[:, :, None] - values[:, None, :])


def _pull(problem: Unaligned, values: FloatArray) -> FloatArray:
    """Derivative (m, G) of the criterion by the aligned values."""
    apart = _differences(values)
    steep = 0.5 * apart * (apart**2 + problem.epsilon) ** -0.75
    return np.asarray(np.einsum("gh,mgh->mg", problem.weights, steep))


def _bend(problem: Unaligned, values: FloatArray) -> FloatArray:
    """Second derivative (m, G, G) of the criterion by the aligned values."""
    square = _differences(values) ** 2
    base = square + problem.epsilon
    bent = problem.weights * (0.5 * base**-0.75 - 0.75 * square * base**-1.75)
    out = -bent
    at = np.arange(problem.n_groups)
    # The diagonal of `bent` is zero because a group has no weight with itself.
    out[:, at, at] = bent.sum(axis=2)
    return np.asarray(out)


def _moves(problem: Unaligned, x: FloatArray, values: FloatArray) -> FloatArray:
    """Derivatives (2, m, G) of the aligned values by the group's log sd and its mean."""
    mean = (problem.reduce @ x)[problem.n_groups :]
    loadings = values[: len(problem.loadings)]
    own = loadings[problem.item]
    by_log_sd = np.vstack([-loadings, mean * own])
    by_mean = np.vstack([np.zeros_like(loadings), -own])
    return np.stack([by_log_sd, by_mean])
