"""Outcomes drawn as products, and many models fitted at once."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from collabsurvey.numerics.mixed import GroupProducts, evaluate
from collabsurvey.numerics.mixed_blocks import Pattern, fit_blocks
from collabsurvey.numerics.mixed_bootstrap import (
    fitted_draws,
    refits,
    search_start,
    simulator,
    with_outcome,
)
from collabsurvey.numerics.mixed_coupling import Coupling
from collabsurvey.numerics.mixed_crossed import CrossedProducts
from collabsurvey.numerics.mixed_many import ManyProducts, fit_many, small_inverse
from collabsurvey.numerics.mixed_nested import NestedProducts, Parents
from collabsurvey.numerics.profile_deviance import as_blocks

N, LOWER = 90, np.array([[0.8, 0.0], [0.3, 0.5]])


def design(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Groups (one of a single row), orthonormal basis, random columns, least squares residual."""
    rng = np.random.default_rng(seed)
    g = np.concatenate((np.arange(12), rng.integers(0, 11, N - 12)))
    x = np.column_stack((np.ones(N), rng.normal(size=(N, 2))))
    q = np.linalg.qr(x)[0]
    y = rng.normal(size=12)[g] + rng.normal(size=N)
    return g, q, x[:, :2], y - q @ (q.T @ y)


def one_factor(*, reml: bool) -> tuple[GroupProducts, np.ndarray]:
    g, q, z, e = design(1)
    cut = [np.flatnonzero(g == i) for i in range(12)]
    products = GroupProducts(
        zz=np.stack([z[i].T @ z[i] for i in cut]),
        zx=np.stack([z[i].T @ q[i] for i in cut]),
        ze=np.stack([z[i].T @ e[i] for i in cut]),
        ee=float(e @ e),
        n_rows=N,
        reml=reml,
    )
    return products, g


def test_draws_have_the_moments_of_drawn_rows() -> None:
    products, g = one_factor(reml=True)
    _, q, z, _ = design(1)
    blocks = as_blocks(products, correlated=True)
    n_draws = 40_000
    draws = simulator(blocks).draw((LOWER,), 1.3, n_draws, np.random.default_rng(2))
    rng = np.random.default_rng(3)
    effects = rng.normal(size=(n_draws, 12, 2)) @ LOWER.T
    y = (effects[:, g] * z).sum(axis=2) + rng.normal(size=(n_draws, N))
    shift = 1.3 * y @ q
    e = 1.3 * y - shift @ q.T
    ze = np.stack([e[:, g == i] @ z[g == i] for i in range(12)], axis=1)

    def joined(ze: np.ndarray, shift: np.ndarray, ee: np.ndarray) -> np.ndarray:
        return np.column_stack((ze.reshape(n_draws, -1), shift, ee))

    ours = joined(draws.ze, draws.shift, draws.ee)
    theirs = joined(ze, shift, (e**2).sum(axis=1))
    sd = theirs.std(axis=0)
    exists = sd > 1e-9
    # the difference of two means has a standard error of sd sqrt(2 / n)
    gap = (ours.mean(axis=0) - theirs.mean(axis=0))[exists] / sd[exists]
    assert np.abs(gap).max() < 4.5 * np.sqrt(2 / n_draws)
    spread = np.corrcoef(ours[:, exists].T) - np.corrcoef(theirs[:, exists].T)
    assert np.abs(spread).max() < 5 * np.sqrt(2 / n_draws)
    assert_allclose(ours.std(axis=0)[exists], sd[exists], rtol=0.03)


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("correlated", [True, False])
def test_many_fits_equal_single_ones(reml: bool, correlated: bool) -> None:
    products, _ = one_factor(reml=reml)
    blocks = as_blocks(products, correlated=correlated)
    lower = LOWER if correlated else np.diag(np.diag(LOWER))
    draws = simulator(blocks).draw((lower,), 1.0, 25, np.random.default_rng(5))
    found = fitted_draws(blocks, draws, (lower,))
    assert found.converged.all()
    for i in range(25):
        alone = fit_blocks(with_outcome(blocks, draws.ze[i], float(draws.ee[i])))
        assert abs(found.criterion[i] - alone.at.criterion) < 1e-6
        ours = found.lowers[0][i] @ found.lowers[0][i].T
        theirs = alone.lowers[0] @ alone.lowers[0].T
        assert_allclose(ours, theirs, atol=5e-4 * max(1.0, np.abs(theirs).max()))
        assert_allclose(found.sigma2[i], alone.sigma2, rtol=1e-4)


@pytest.mark.parametrize("q", [1, 2, 3])
def test_many_evaluations_equal_single_ones(q: int) -> None:
    rng = np.random.default_rng(q)
    zz = rng.normal(size=(7, 6, q))
    zz = zz.transpose(0, 2, 1) @ zz
    zx, ze = 0.1 * rng.normal(size=(7, q, 2)), rng.normal(size=(4, 7, q))
    ee = 60 + rng.chisquare(50, 4)
    lower = np.tril(rng.normal(size=(4, q, q)))
    many = ManyProducts(Pattern((q,)), zz, zx, ze, ee, 50, reml=True).evaluate(lower)
    for i in range(4):
        products = GroupProducts(zz, zx, ze[i], float(ee[i]), 50, True)
        at = evaluate(products, lower[i])
        assert_allclose(many.criterion[i], at.criterion, rtol=1e-12)
        assert_allclose(many.beta[i], at.beta, rtol=1e-9, atol=1e-12)
        slope = at.gradient(products, at.r2 / products.df_total)
        assert_allclose(many.slope[i], slope, rtol=1e-8, atol=1e-9)


def test_small_inverses() -> None:
    rng = np.random.default_rng(0)
    for q in (1, 2, 3):
        root = rng.normal(size=(5, q, q)) + 2 * np.eye(q)
        matrices = root @ root.transpose(0, 2, 1)
        inverse, log_det = small_inverse(matrices)
        assert_allclose(inverse, np.linalg.inv(matrices), rtol=1e-9, atol=1e-12)
        assert_allclose(log_det, np.linalg.slogdet(matrices)[1], rtol=1e-9, atol=1e-12)


def test_no_variance_at_all_is_found_from_a_firm_start() -> None:
    products, _ = one_factor(reml=True)
    blocks = as_blocks(products, correlated=True)
    start, hessian = search_start(blocks, (np.zeros((2, 2)),))
    assert (start[[0, 2]] > 0).all()
    assert np.linalg.eigvalsh(hessian)[0] > 0
    many = ManyProducts(
        Pattern((2,)), products.zz, products.zx, 0 * products.ze[None], np.array([80.0]), N, True
    )
    found = fit_many(many, start, hessian)
    assert_allclose(found.lower[0], 0, atol=1e-4)
    assert_allclose(found.sigma2, 80 / (N - 3), rtol=1e-6)


def test_refits_of_nested_and_crossed_factors_recover_what_was_drawn() -> None:
    rng = np.random.default_rng(8)
    n = 400
    fine, other = rng.integers(0, 40, n), rng.integers(0, 12, n)
    fine = np.concatenate((np.arange(40), fine[40:]))
    q = np.linalg.qr(np.column_stack((np.ones(n), rng.normal(size=n))))[0]
    w = np.column_stack((np.ones(n), np.ones(n), q, np.zeros(n)))
    by_level = np.stack([w[fine == i].T @ w[fine == i] for i in range(40)])
    by_level[0, -1, -1] = 1.0  # there has to be an outcome, which no draw uses
    patterns = (Pattern((1,)), Pattern((1,)))
    nested = NestedProducts(patterns, by_level, (Parents.of(np.arange(40) % 10),), n, True)
    met = np.bincount(fine * 12 + other, minlength=480).reshape(40, 12)
    level, column = np.nonzero(met)
    values = met[level, column][:, None].astype(float)
    right = np.column_stack((q, np.zeros(n)))
    zx = np.stack([right[fine == i].sum(axis=0) for i in range(40)])[:, None]
    rx = np.stack([right[other == i].sum(axis=0) for i in range(12)])
    crossed = CrossedProducts(
        patterns,
        np.bincount(fine).astype(float)[:, None, None],
        zx,
        Coupling.of(level, column, values, shape=(40, 12)),
        np.diag(np.bincount(other).astype(float)),
        rx,
        (12,),
        1.0,
        n,
        True,
    )
    lowers = (np.array([[0.8]]), np.array([[0.5]]))
    for products in (nested, crossed):
        found = refits(products, lowers, 2.0, n_draws=80, seed=1)
        assert found.converged.all()
        assert_allclose(found.sigma2.mean(), 4.0, rtol=0.04)
        for lower, drawn in zip(lowers, found.lowers, strict=True):
            variances = found.sigma2 * drawn[:, 0, 0] ** 2
            error = variances.std() / np.sqrt(80)
            assert abs(variances.mean() - 4 * lower[0, 0] ** 2) < 4 * error
        again = refits(products, lowers, 2.0, n_draws=2, seed=1)
        assert again.criterion.shape == (2,)
