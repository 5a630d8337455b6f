"""The likelihood of a mixed model with a logit or log link and one grouping factor.

log L = sum over clusters of log of the integral of exp(l(X beta + Z L u) + log phi(u)) over u. The
integral is worked out by adaptive Gauss-Hermite quadrature around each cluster's mode of u
(Pinheiro & Bates, 1995, doi:10.1080/10618600.1995.10474663); one node is Laplace's approximation.
All clusters are treated at once, and the gradient is that of the quadrature itself: it follows the
nodes as mode and spread move with the parameters, so that the optimum is the optimum of the sum
that is evaluated, as lme4's is.

Arrays run over rows or clusters last, rows sorted by cluster, so that sums over clusters are
sums of neighbours. Letters: n rows, G clusters, q effects, K nodes, p coefficients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from collabsurvey.numerics.glm_outcome import (
    Curvature,
    Outcome,
    curvature,
    log_likelihood,
    shape_slopes,
)
from collabsurvey.numerics.typing import FloatArray, IntArray

MODE_STEPS = 100
MODE_TOLERANCE = 1e-9  # of u, whose standard deviation is 1
BLOCK_VALUES = 1 << 17  # rows times nodes worked on at a time: what a processor's cache holds


@dataclass(frozen=True, eq=False)
class ClusterRows:
    """Rows sorted by cluster; no cluster is empty."""

    x: FloatArray  # (n, p)
    z: FloatArray  # (q, n)
    offset: FloatArray  # (n,)
    outcome: Outcome
    starts: IntArray  # (G,) first row of each cluster
    codes: IntArray  # (n,) cluster of each row

    def sums(self, values: FloatArray) -> FloatArray:
        """Sum over the rows of each cluster: (..., n) to (..., G)."""
        return np.asarray(np.add.reduceat(values, self.starts, axis=-1))

    def spread_out(self, values: FloatArray) -> FloatArray:
        """z_i'v of each row's cluster, v (..., q, G), to (..., n)."""
        total = self.z[0] * values[..., 0, :][..., self.codes]
        for a in range(1, len(self.z)):
            total += self.z[a] * values[..., a, :][..., self.codes]
        return np.asarray(total)

    def z_sums(self, values: FloatArray) -> FloatArray:
        """Sum of z_i times a value (..., n) over each cluster: (..., q, G)."""
        return np.stack([self.sums(z * values) for z in self.z], axis=-2)


@dataclass(frozen=True, eq=False)
class NodeRule:
    """Nodes of a quadrature for the standard normal in q dimensions."""

    t: FloatArray  # (q, K)
    log_weight: FloatArray  # (K,) of exp(t't / 2) times the normal weight


@dataclass(frozen=True, eq=False)
class Parameters:
    """Where the likelihood is evaluated."""

    beta: FloatArray  # (p,)
    lower: FloatArray  # (q, q) L
    log_shape: float = 0.0


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Log-likelihood without the outcome's constant, and its derivatives."""

    loglik: float
    beta: FloatArray  # (p,)
    lower: FloatArray  # (q, q), for every element of L
    log_shape: float
    modes: FloatArray  # (q, G) of u
    roots: FloatArray  # (G, q, q) S, with S S' the inverse of minus the curvature at the mode


def node_rule(n_quad: int, q: int) -> NodeRule:
    """Gauss-Hermite nodes, `n_quad` in each of q dimensions."""
    t, weight = np.polynomial.hermite_e.hermegauss(n_quad)
    log_weight = np.log(weight / weight.sum()) + t**2 / 2
    grid = np.array(list(product(t, repeat=q))).T
    weights = np.array(list(product(log_weight, repeat=q))).sum(axis=1)
    return NodeRule(grid.reshape(q, -1), weights)


def split(rows: ClusterRows, n_nodes: int) -> list[tuple[slice, ClusterRows]]:
    """Blocks of whole clusters, each with few enough rows for the cache, and their clusters."""
    most = max(BLOCK_VALUES // n_nodes, 1)
    ends = np.append(rows.starts[1:], len(rows.codes))
    blocks: list[tuple[slice, ClusterRows]] = []
    first = 0
    while first < len(ends):
        begin = int(rows.starts[first])
        last = max(int(np.searchsorted(ends, begin + most, side="right")), first + 1)
        part = slice(begin, int(ends[last - 1]))
        block = ClusterRows(
            rows.x[part],
            np.ascontiguousarray(rows.z[:, part]),
            rows.offset[part],
            rows.outcome.part(part),
            rows.starts[first:last] - begin,
            rows.codes[part] - first,
        )
        blocks.append((slice(first, last), block))
        first = last
    return blocks


def evaluate(
    blocks: Sequence[tuple[slice, ClusterRows]], at: Parameters, start: FloatArray, rule: NodeRule
) -> Evaluation:
    """Log-likelihood and gradient over all clusters; `start` (q, G) is where modes are sought."""
    parts = [evaluate_block(rows, at, start[:, g], rule) for g, rows in blocks]
    return Evaluation(
        loglik=sum(part.loglik for part in parts),
        beta=np.sum([part.beta for part in parts], axis=0),
        lower=np.sum([part.lower for part in parts], axis=0),
        log_shape=sum(part.log_shape for part in parts),
        modes=np.concatenate([part.modes for part in parts], axis=1),
        roots=np.concatenate([part.roots for part in parts], axis=0),
    )


@dataclass(frozen=True, eq=False)
class Modes:
    """Where each cluster's integrand is highest, and its curvature there."""

    u: FloatArray  # (q, G)
    eta: FloatArray  # (n,)
    height: FloatArray  # (G,) log of the integrand, without constants
    rows: Curvature
    zwz: FloatArray  # (G, q, q)
    root: FloatArray  # (G, q, q) S


def find_modes(rows: ClusterRows, at: Parameters, start: FloatArray) -> Modes:
    """Penalised Newton steps for all clusters at once; a cluster whose step overshoots halves it.

    The integrand is log-concave, so each cluster has one mode.
    """
    q, lower = len(rows.z), at.lower
    fixed = rows.x @ at.beta + rows.offset
    u = start
    eta = fixed + rows.spread_out(lower @ u)
    here = curvature(rows.outcome, eta, at.log_shape)
    height = rows.sums(here.loglik) - (u**2).sum(axis=0) / 2
    for _ in range(MODE_STEPS):
        zwz = _weighted_products(rows, here.weight)
        slope = lower.T @ rows.z_sums(here.score) - u
        inner = lower.T @ zwz @ lower + np.eye(q)
        move = np.linalg.solve(inner, slope.T[:, :, None])[:, :, 0].T
        if np.abs(move).max() < MODE_TOLERANCE:
            break
        for _ in range(50):
            trial = u + move
            trial_eta = fixed + rows.spread_out(lower @ trial)
            there = curvature(rows.outcome, trial_eta, at.log_shape)
            trial_height = rows.sums(there.loglik) - (trial**2).sum(axis=0) / 2
            # Not by more than rounding lower.
            worse = ~(trial_height >= height - 1e-10 * (1 + np.abs(height)))
            if not worse.any():
                break
            move = np.where(worse, move / 2, move)
        u, eta, here, height = trial, trial_eta, there, trial_height
    else:
        zwz = _weighted_products(rows, here.weight)
        inner = lower.T @ zwz @ lower + np.eye(q)
    return Modes(u, eta, height, here, zwz, _inverse_root(inner))


def evaluate_block(
    rows: ClusterRows, at: Parameters, start: FloatArray, rule: NodeRule
) -> Evaluation:
    """Log-likelihood and gradient over the clusters of one block."""
    lower, t = at.lower, rule.t
    found = find_modes(rows, at, start)
    u_hat, root = found.u, found.root
    if t.shape[1] == 1:  # Laplace: the one node is the mode
        u, eta = u_hat[None], found.eta[None]
        loglik, score = found.rows.loglik[None], found.rows.score[None]
    else:
        u = u_hat + np.moveaxis(root @ t, 0, -1).transpose(1, 0, 2)  # (K, q, G)
        fixed = rows.x @ at.beta + rows.offset
        eta = fixed + rows.spread_out(lower @ u)
        loglik, score = log_likelihood(rows.outcome, eta, at.log_shape)
    log_height = rule.log_weight[:, None] + rows.sums(loglik) - (u**2).sum(axis=1) / 2
    top = log_height.max(axis=0)
    share = np.exp(log_height - top)
    total = share.sum(axis=0)
    share = share / total  # (K, G) of the integral
    log_root = np.log(root[:, range(len(t)), range(len(t))]).sum(axis=1)
    value = float((log_root + top + np.log(total)).sum())
    row_share = share[:, rows.codes]

    # What the integral gains as nodes, curvature and mode move (names: the adjoint of each).
    b = rows.z_sums(score)  # (K, q, G)
    pull = np.einsum("ba,kbg->kag", lower, b) - u
    of_modes = np.einsum("kg,kag->ag", share, pull)
    of_root = np.einsum("kg,kag,bk->gab", share, pull, t)
    of_inner = _of_inner(root, of_root)  # (G, q, q)
    spread = lower @ of_inner @ lower.T
    leverage = _quadratic_form(rows, spread)  # (n,)
    swing = found.rows.weight_slope * leverage
    z_swing = rows.z_sums(swing)  # (q, G)
    of_modes = of_modes + lower.T @ z_swing
    moved = np.einsum("gab,gcb,cg->ag", root, root, of_modes)  # by H^-1
    l_moved = lower @ moved
    tilt = rows.spread_out(l_moved)
    of_eta = np.einsum("kn,kn->n", row_share, score) + swing - found.rows.weight * tilt
    z_score = rows.z_sums(found.rows.score)
    of_lower = (
        np.einsum("kg,kag,kbg->ab", share, b, u)
        + 2 * np.einsum("gab,bc,gcd->ad", found.zwz, lower, of_inner)
        + z_swing @ u_hat.T
        - np.einsum("gab,bg->ag", found.zwz, l_moved) @ u_hat.T
        + z_score @ moved.T
    )
    of_shape = 0.0
    if rows.outcome.family == "negbin":
        slopes = shape_slopes(rows.outcome, eta, found.eta, at.log_shape)
        of_shape = float(
            np.vdot(row_share, slopes.loglik) + leverage @ slopes.weight + tilt @ slopes.score
        )
    return Evaluation(value, of_eta @ rows.x, of_lower, of_shape, u_hat, root)


def _of_inner(root: FloatArray, of_root: FloatArray) -> FloatArray:
    """Adjoint (G, q, q) of H from that of S, where H = C C' and S = C'^-1, and log |S| counts too.

    dS = -S (lower half of S' dH S)', the diagonal halved (Murray, 2016, arXiv:1602.07527).
    """
    half = np.tril(of_root.transpose(0, 2, 1) @ root)
    index = range(root.shape[1])
    half[:, index, index] /= 2
    symmetric = (half + half.transpose(0, 2, 1)) / 2 + np.eye(root.shape[1]) / 2
    return np.asarray(-root @ symmetric @ root.transpose(0, 2, 1))


def _weighted_products(rows: ClusterRows, weight: FloatArray) -> FloatArray:
    """Z'WZ of each cluster (G, q, q)."""
    q = len(rows.z)
    out = np.empty((len(rows.starts), q, q))
    for a in range(q):
        for b in range(a + 1):
            out[:, a, b] = out[:, b, a] = rows.sums(rows.z[a] * rows.z[b] * weight)
    return out


def _quadratic_form(rows: ClusterRows, matrices: FloatArray) -> FloatArray:
    """z_i'M z_i of each row's cluster, M symmetric (G, q, q)."""
    total = np.zeros(len(rows.codes))
    for a in range(len(rows.z)):
        for b in range(a + 1):
            twice = 1 if a == b else 2
            total += twice * rows.z[a] * rows.z[b] * matrices[rows.codes, a, b]
    return total


def _inverse_root(inner: FloatArray) -> FloatArray:
    """S (G, q, q), the transposed inverse of the Cholesky factor of H."""
    factor = np.linalg.cholesky(inner)
    identity = np.broadcast_to(np.eye(inner.shape[-1]), inner.shape)
    return np.asarray(np.linalg.solve(factor, identity).transpose(0, 2, 1))
