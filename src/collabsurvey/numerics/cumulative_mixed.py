"""The likelihood of a cumulative link model with a random intercept of one grouping factor.

log L = sum over clusters of log of the integral of exp(l(sd u) + log phi(u)) over u, with l the
sum of the cluster's log probabilities. The integral is worked out by adaptive Gauss-Hermite
quadrature around each cluster's mode of u (Pinheiro & Bates, 1995,
doi:10.1080/10618600.1995.10474663; for ordered categories Hedeker & Gibbons, 1994,
doi:10.2307/2533433); one node is Laplace's approximation. All clusters are treated at once, and the
gradient is that of the sum that is evaluated: it follows the nodes as mode and spread move with
the parameters. Numbers agree with R's `ordinal::clmm`.

Arrays run over rows or clusters last, rows sorted by cluster, so that sums over clusters are sums
of neighbours. Letters: n rows, G clusters, K nodes, J categories, r columns of w, p of x.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from collabsurvey.numerics.cumulative_link import (
    Curvatures,
    Link,
    Slopes,
    curvatures,
    slopes,
    thirds,
)
from collabsurvey.numerics.typing import FloatArray, IntArray

MODE_STEPS = 60
MODE_TOLERANCE = 1e-9  # of u, whose standard deviation is 1
BLOCK_VALUES = 1 << 17  # rows times nodes worked on at a time: what a processor's cache holds


@dataclass(frozen=True, eq=False)
class MixedRows:
    """Rows sorted by cluster; no cluster is empty, every category has a row."""

    link: Link
    category: IntArray  # (n,) 0 to J - 1
    n_thresholds: int  # J - 1
    w: FloatArray  # (n, r), the first column ones; see `numerics.cumulative`
    x: FloatArray  # (n, p)
    offset: FloatArray  # (n,)
    starts: IntArray  # (G,) first row of each cluster
    codes: IntArray  # (n,) cluster of each row

    def sums(self, values: FloatArray) -> FloatArray:
        """Sum over the rows of each cluster: (..., n) to (..., G)."""
        return np.asarray(np.add.reduceat(values, self.starts, axis=-1))

    def ends(self, theta: FloatArray, beta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Distances (n,) of a row's upper and lower threshold from its fixed part."""
        r = self.w.shape[1]
        padded = np.vstack((np.zeros(r), theta, np.zeros(r)))
        padded[0, 0], padded[-1, 0] = -np.inf, np.inf  # the first column of w is one
        fixed = self.x @ beta + self.offset
        if r == 1:
            return padded[self.category + 1, 0] - fixed, padded[self.category, 0] - fixed
        upper = (padded[self.category + 1] * self.w).sum(axis=1) - fixed
        return upper, (padded[self.category] * self.w).sum(axis=1) - fixed

    def theta_sums(self, of_a: FloatArray, of_b: FloatArray) -> FloatArray:
        """Derivatives by Theta (J - 1, r) from those by the rows' ends (n,)."""
        k = self.n_thresholds
        out = np.empty((k, self.w.shape[1]))
        for j in range(self.w.shape[1]):
            up = np.bincount(self.category, of_a * self.w[:, j], minlength=k + 1)[:k]
            out[:, j] = up + np.bincount(self.category, of_b * self.w[:, j], minlength=k + 1)[1:]
        return out


@dataclass(frozen=True, eq=False)
class NodeRule:
    """Nodes of a quadrature for the standard normal."""

    t: FloatArray  # (K,)
    log_weight: FloatArray  # (K,) of exp(t^2 / 2) times the normal weight


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Log-likelihood and its derivatives at some parameters."""

    loglik: float
    theta: FloatArray  # (J - 1, r)
    beta: FloatArray  # (p,)
    sd: float
    modes: FloatArray  # (G,) of u
    roots: FloatArray  # (G,) standard deviations of u given the data, by the curvature at the mode


@dataclass(frozen=True, eq=False)
class _Modes:
    """Where each cluster's integrand is highest, and what the rows give there."""

    u: FloatArray  # (G,)
    a: FloatArray  # (n,)
    b: FloatArray  # (n,)
    slope: Slopes
    curve: Curvatures
    push: FloatArray  # (G,) first derivative of l by the linear predictor
    weight: FloatArray  # (G,) minus the second
    height: FloatArray  # (G,) l - u^2 / 2


def node_rule(n_quad: int) -> NodeRule:
    """Gauss-Hermite nodes."""
    t, weight = np.polynomial.hermite_e.hermegauss(n_quad)
    return NodeRule(t, np.log(weight / weight.sum()) + t**2 / 2)


def split(rows: MixedRows, n_nodes: int) -> list[tuple[slice, MixedRows]]:
    """Blocks of whole clusters, each with few enough rows for the cache, and their clusters."""
    most = max(BLOCK_VALUES // n_nodes, 1)
    ends = np.append(rows.starts[1:], len(rows.codes))
    blocks: list[tuple[slice, MixedRows]] = []
    first = 0
    while first < len(ends):
        begin = int(rows.starts[first])
        last = max(int(np.searchsorted(ends, begin + most, side="right")), first + 1)
        part = slice(begin, int(ends[last - 1]))
        block = replace(
            rows,
            category=rows.category[part],
            w=rows.w[part],
            x=rows.x[part],
            offset=rows.offset[part],
            starts=rows.starts[first:last] - begin,
            codes=rows.codes[part] - first,
        )
        blocks.append((slice(first, last), block))
        first = last
    return blocks


def evaluate(
    blocks: Sequence[tuple[slice, MixedRows]],
    theta: FloatArray,
    beta: FloatArray,
    sd: float,
    start: FloatArray,
    rule: NodeRule,
) -> Evaluation | None:
    """Log-likelihood and gradient; None where thresholds of some row cross.

    `start` (G,) is where modes are sought.
    """
    parts = []
    for clusters, rows in blocks:
        a, b = rows.ends(theta, beta)
        if not (a > b).all():
            return None
        parts.append(_evaluate_block(rows, a, b, sd, start[clusters], rule))
    if len(parts) == 1:
        return parts[0]
    return Evaluation(
        loglik=sum(part.loglik for part in parts),
        theta=np.sum([part.theta for part in parts], axis=0),
        beta=np.sum([part.beta for part in parts], axis=0),
        sd=sum(part.sd for part in parts),
        modes=np.concatenate([part.modes for part in parts]),
        roots=np.concatenate([part.roots for part in parts]),
    )


def _find_modes(
    rows: MixedRows, a0: FloatArray, b0: FloatArray, sd: float, start: FloatArray
) -> _Modes:
    """Newton steps for all clusters at once; a cluster whose step overshoots halves it.

    The integrand is log-concave, so each cluster has one mode.
    """
    found = _at(rows, a0, b0, sd, start)
    for _ in range(MODE_STEPS):
        move = (sd * found.push - found.u) / (1 + sd**2 * found.weight)
        if np.abs(move).max() < MODE_TOLERANCE:
            break
        for _ in range(50):
            there = _at(rows, a0, b0, sd, found.u + move)
            # Not by more than rounding lower.
            worse = ~(there.height >= found.height - 1e-10 * (1 + np.abs(found.height)))
            if not worse.any():
                break
            move = np.where(worse, move / 2, move)
        found = there
    return found


def _at(rows: MixedRows, a0: FloatArray, b0: FloatArray, sd: float, u: FloatArray) -> _Modes:
    shift = sd * u[rows.codes]
    a, b = a0 - shift, b0 - shift
    slope = slopes(rows.link, a, b)
    curve = curvatures(rows.link, a, b, slope)
    joined = np.stack((slope.loglik, -(slope.a + slope.b), -(curve.aa + 2 * curve.ab + curve.bb)))
    loglik, push, weight = rows.sums(joined)
    return _Modes(u, a, b, slope, curve, push, weight, loglik - u**2 / 2)


def _evaluate_block(
    rows: MixedRows, a0: FloatArray, b0: FloatArray, sd: float, start: FloatArray, rule: NodeRule
) -> Evaluation:
    """Log-likelihood and gradient over the clusters of one block."""
    with np.errstate(over="ignore", divide="ignore"):
        mode = _find_modes(rows, a0, b0, sd, start)
        third = thirds(rows.link, mode.a, mode.b, mode.slope)
    inner = 1 + sd**2 * mode.weight  # minus the curvature of the log integrand
    root = 1 / np.sqrt(inner)
    if len(rule.t) == 1:  # Laplace: the one node is the mode
        u = mode.u[None]
        row_a, row_b = mode.slope.a, mode.slope.b
        push, share, log_total = mode.push[None], np.ones((1, len(root))), mode.height
    else:
        u = mode.u + rule.t[:, None] * root
        shift = sd * u[:, rows.codes]
        with np.errstate(over="ignore", divide="ignore"):
            node = slopes(rows.link, a0 - shift, b0 - shift)
        height = rule.log_weight[:, None] + rows.sums(node.loglik) - u**2 / 2
        top = height.max(axis=0)
        share = np.exp(height - top)
        total = share.sum(axis=0)
        share = share / total  # (K, G) of the integral
        log_total = top + np.log(total)
        row_share = share[:, rows.codes]
        row_a = np.einsum("kn,kn->n", row_share, node.a)
        row_b = np.einsum("kn,kn->n", row_share, node.b)
        push = -rows.sums(node.a + node.b)

    # What the integral gains as nodes, curvature and mode move (names: the adjoint of each).
    pull = sd * push - u  # (K, G)
    of_root = (share * pull * rule.t[:, None]).sum(axis=0) + 1 / root
    of_inner = -(root**3) * of_root / 2
    bend_a = -(third.aaa + 2 * third.aab + third.abb)  # of minus the second derivative, by each end
    bend_b = -(third.aab + 2 * third.abb + third.bbb)
    swing = -rows.sums(bend_a + bend_b)  # of mode.weight by the linear predictor
    of_mode = (share * pull).sum(axis=0) + of_inner * sd**3 * swing
    moved = of_mode / inner
    by_weight, by_push = (of_inner * sd**2)[rows.codes], (moved * sd)[rows.codes]
    of_a = row_a + by_weight * bend_a - by_push * (mode.curve.aa + mode.curve.ab)
    of_b = row_b + by_weight * bend_b - by_push * (mode.curve.ab + mode.curve.bb)
    of_sd = (
        (share * u * push).sum(axis=0)
        + of_inner * (2 * sd * mode.weight + sd**2 * mode.u * swing)
        + moved * (mode.push - sd * mode.u * mode.weight)
    )
    return Evaluation(
        loglik=float((np.log(root) + log_total).sum()),
        theta=rows.theta_sums(of_a, of_b),
        beta=-((of_a + of_b) @ rows.x),
        sd=float(of_sd.sum()),
        modes=mode.u,
        roots=root,
    )
