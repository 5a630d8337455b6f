"""Cluster-robust pieces against their N × N definitions."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from collabsurvey.numerics.cluster_robust import (
    ClusterCovariance,
    cluster_pieces,
    joint_test,
    satterthwaite_df,
    small_sample_factor,
)
from collabsurvey.numerics.linalg import inverse_root


def dense(kind: str, seed: int = 0):
    """An orthonormal design in 9 clusters with the N × N matrices of the papers."""
    rng = np.random.default_rng(seed)
    n, p = 70, 3
    code = np.sort(rng.integers(0, 9, n))
    q, _ = np.linalg.qr(np.column_stack((np.ones(n), rng.normal(size=(n, p - 1)))))
    y = rng.normal(size=n)
    left = np.eye(n) - q @ q.T
    e = left @ y
    gram, scores, influence = [], [], []
    for g in range(9):
        rows = np.flatnonzero(code == g)
        block = left[np.ix_(rows, rows)]
        adjust = np.eye(len(rows))
        if kind == "CR2":
            adjust = inverse_root(block)
        elif kind == "CR3":
            adjust = np.linalg.inv(block)
        gram.append(q[rows].T @ q[rows])
        scores.append(q[rows].T @ e[rows])
        influence.append(left[:, rows] @ adjust @ q[rows])  # (n, p)
    return np.stack(gram), np.stack(scores), np.stack(influence), y, q.T @ y


@pytest.mark.parametrize("kind", ["CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3"])
def test_covariance_and_df_equal_the_definition(kind: ClusterCovariance) -> None:
    gram, scores, influence, y, _ = dense(kind)
    pieces = cluster_pieces(gram, scores, kind, n_rows=70)
    each = np.einsum("gnp,n->gp", influence, y)
    factor = small_sample_factor(kind, n_clusters=9, n_rows=70, n_terms=3)
    assert_allclose(pieces.vcov, factor * each.T @ each, rtol=1e-9, atol=1e-12)
    contrasts = np.array([[0.0, 1.0, 0.0], [1.0, -2.0, 0.5]])
    for contrast, df in zip(contrasts, satterthwaite_df(pieces, contrasts), strict=True):
        p = influence @ contrast  # (G, n)
        inner = p @ p.T
        assert_allclose(df, np.trace(inner) ** 2 / np.sum(inner**2), rtol=1e-9)


@pytest.mark.parametrize("kind", ["CR1", "CR2", "CR3"])
def test_joint_test_equals_the_definition(kind: ClusterCovariance) -> None:
    gram, scores, influence, _, beta = dense(kind, seed=4)
    pieces = cluster_pieces(gram, scores, kind, n_rows=70)
    contrasts = np.eye(3)[1:]
    found = joint_test(pieces, contrasts, contrasts @ beta)
    p = np.einsum("gnp,sp->sgn", influence, contrasts)
    inner = np.einsum("sgn,thn->stgh", p, p)
    root = inverse_root(np.einsum("stgg->st", inner))
    inner = np.einsum("us,stgh,tv->uvgh", root, inner, root)
    variance = 0.0
    for s in range(2):
        for t in range(2):
            variance += np.sum(inner[s, s] * inner[t, t]) + np.sum(inner[s, t] * inner[s, t].T)
    eta = 2 * 3 / variance
    assert_allclose(found.df2, eta - 1, rtol=1e-9)
    estimate = contrasts @ beta
    wald = estimate @ np.linalg.solve(contrasts @ pieces.vcov @ contrasts.T, estimate)
    assert_allclose(found.statistic, (eta - 1) / (2 * eta) * wald, rtol=1e-9)


def test_one_contrast_is_the_square_of_its_t() -> None:
    gram, scores, _, _, beta = dense("CR2", seed=5)
    pieces = cluster_pieces(gram, scores, "CR2", n_rows=70)
    contrast = np.eye(3)[1:2]
    found = joint_test(pieces, contrast, contrast @ beta)
    assert_allclose(found.statistic, beta[1] ** 2 / pieces.vcov[1, 1], rtol=1e-9)
    assert_allclose(found.df2, satterthwaite_df(pieces, contrast)[0], rtol=1e-9)
