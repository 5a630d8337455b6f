"""Cluster-robust covariances CR0 to CR3, their degrees of freedom and tests of several terms.

Everything works on p × p pieces of each cluster, in a basis where X'X is the identity: A_g =
X_g'X_g and the score s_g = X_g'e_g. The correction of Bell and McCaffrey (2002) is applied as
X_g' f(I - X_g X_g') = f(I - A_g) X_g', so that no matrix has a row per observation.

Sources: Bell & McCaffrey (2002), Survey Methodology 28(2); Pustejovsky & Tipton (2018),
doi:10.1080/07350015.2016.1247004, with the identity as working model, as clubSandwich.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import fdtrc

from collabsurvey.numerics.linalg import inverse_root, symmetric_function
from collabsurvey.numerics.typing import FloatArray

ClusterCovariance = Literal["CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3"]
# A cluster that determines a coefficient alone (its own dummy) has an eigenvalue of 1 here.
DETERMINED = 1e-10


@dataclass(frozen=True, eq=False)
class ClusterPieces:
    """What the covariance, its df and its tests are computed from, on the orthonormal basis."""

    spread: FloatArray  # (G, p, p) E_g = f(A_g)^2 A_g
    reach: FloatArray  # (G, p, p) V_g = f(A_g) A_g
    vcov: FloatArray  # (p, p)


def cluster_pieces(
    gram: FloatArray, scores: FloatArray, kind: ClusterCovariance, *, n_rows: int
) -> ClusterPieces:
    """Covariance and pieces from A_g (G, p, p) and s_g (G, p), with sum of A_g the identity."""
    n_clusters, p = scores.shape
    adjusted = scores
    spread, reach = gram, gram
    if kind in {"CR2", "CR3"}:
        power = 0.5 if kind == "CR2" else 1.0

        def correction(values: FloatArray) -> FloatArray:
            left = 1.0 - values
            free = left > DETERMINED
            return np.where(free, np.where(free, left, 1.0) ** -power, 0.0)

        adjust = symmetric_function(gram, correction)
        adjusted = (adjust @ scores[:, :, None])[:, :, 0]
        reach = adjust @ gram
        spread = adjust @ reach
    factor = small_sample_factor(kind, n_clusters=n_clusters, n_rows=n_rows, n_terms=p)
    return ClusterPieces(spread, reach, factor * adjusted.T @ adjusted)


def small_sample_factor(
    kind: ClusterCovariance, *, n_clusters: int, n_rows: int, n_terms: int
) -> float:
    """Return what a CR1 covariance is multiplied by; 1 for the others."""
    m = n_clusters
    factors = {
        "CR1": m / (m - 1),
        "CR1p": m / (m - n_terms) if m > n_terms else np.inf,
        "CR1S": m / (m - 1) * (n_rows - 1) / (n_rows - n_terms),
    }
    return float(factors.get(kind, 1.0))


def satterthwaite_df(pieces: ClusterPieces, contrasts: FloatArray) -> FloatArray:
    """Degrees of freedom (k,) of contrasts (k, p): tr(P)^2 / tr(P^2), P = diag(d) - V V'.

    NaN for a contrast that one cluster determines alone: its error is zero by construction.
    """
    reached = np.einsum("gij,kj->kgi", pieces.reach, contrasts)
    d = np.einsum("ki,gij,kj->kg", contrasts, pieces.spread, contrasts)
    inner = np.einsum("kgi,kgi->kg", reached, reached)
    cross = reached.transpose(0, 2, 1) @ reached  # (k, p, p)
    trace = d.sum(axis=1) - inner.sum(axis=1)
    square = (d**2).sum(axis=1) - 2 * (d * inner).sum(axis=1) + (cross**2).sum(axis=(1, 2))
    known = trace > DETERMINED * (contrasts**2).sum(axis=1)
    unknown = np.full(len(trace), np.nan)
    return np.asarray(np.divide(trace**2, square, out=unknown, where=known))


def two_way_vcov(
    first: FloatArray, second: FloatArray, both: FloatArray
) -> tuple[FloatArray, bool]:
    """V1 + V2 - V12 (p, p), and whether an eigenvalue below zero was set to zero.

    Cameron, Gelbach & Miller (2011), doi:10.1198/jbes.2010.07136, eq. 2.11 and 2.12. On the
    orthonormal basis the mended matrix does not depend on the units of the predictors.
    """
    found = first + second - both
    values, vectors = np.linalg.eigh((found + found.T) / 2)
    if values[0] >= -DETERMINED * np.abs(values).max():
        return found, False
    return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T), True


def single_cluster_share(gram: FloatArray, contrasts: FloatArray) -> FloatArray:
    """Share (k,) of contrasts (k, p) that single clusters determine, such as their own dummies.

    In a direction in which A_g has the eigenvalue 1 no other cluster has any part, the residuals
    of g are zero, and a sandwich takes the coefficient for certain.
    """
    share = np.zeros(len(contrasts))
    # The A_g add up to the identity, so at most p of them have a trace of 1 or more.
    for alone in gram[np.trace(gram, axis1=1, axis2=2) > 1 - DETERMINED]:
        values, vectors = np.linalg.eigh(alone)
        share += ((contrasts @ vectors[:, values > 1 - DETERMINED]) ** 2).sum(axis=1)
    return np.asarray(share / (contrasts**2).sum(axis=1))


@dataclass(frozen=True)
class JointTest:
    """A test that several contrasts are zero at once."""

    statistic: float  # F
    df1: float
    df2: float
    p_value: float


def joint_test(pieces: ClusterPieces, contrasts: FloatArray, estimates: FloatArray) -> JointTest:
    """Hotelling-type test with approximate df (HTZ; Pustejovsky & Tipton, 2018, eq. 15-17).

    `contrasts` (q, p) and `estimates` (q,) are on the orthonormal basis.
    """
    q = len(contrasts)
    reached = np.einsum("gij,sj->gsi", pieces.reach, contrasts)  # (G, q, p)
    spread = contrasts @ pieces.spread @ contrasts.T  # (G, q, q)
    overlap = reached @ reached.transpose(0, 2, 1)  # (G, q, q)
    root = inverse_root(np.asarray((spread - overlap).sum(axis=0)))
    spread = root @ spread @ root
    reached = root @ reached
    overlap = reached @ reached.transpose(0, 2, 1)
    cross = np.einsum("gsi,gtj->stij", reached, reached)  # V_s'V_t
    same = np.einsum("gss->gs", spread)
    same_overlap = np.einsum("gss->gs", overlap)
    first = same.T @ same - same.T @ same_overlap - same_overlap.T @ same
    first = first + (cross**2).sum(axis=(2, 3))
    second = (spread**2).sum(axis=0) - 2 * (spread * overlap).sum(axis=0)
    second = second + np.einsum("stij,stji->st", cross, cross)
    eta = q * (q + 1) / float((first + second).sum())
    wald = float(estimates @ np.linalg.solve(contrasts @ pieces.vcov @ contrasts.T, estimates))
    df2 = eta - q + 1
    statistic = df2 / (eta * q) * wald
    return JointTest(statistic, float(q), df2, float(fdtrc(q, df2, statistic)))
