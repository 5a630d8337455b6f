"""The kernels of mixed models with several factors, against dense matrices of all rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from collabsurvey.numerics import mixed_coupling
from collabsurvey.numerics.mixed_blocks import (
    BlockProducts,
    NoResidualError,
    Pattern,
    Search,
    criterion_without_random,
    curvature,
    fit_blocks,
    lowers_of,
    moment_start,
)
from collabsurvey.numerics.mixed_coupling import Coupling, mirrored
from collabsurvey.numerics.mixed_crossed import CrossedProducts
from collabsurvey.numerics.mixed_nested import NestedProducts, Parents

N = 90


@dataclass
class Case:
    """A design with its dense Z of each block, and the products made of it."""

    products: BlockProducts
    z: list[np.ndarray]
    on_q: np.ndarray
    e: np.ndarray


def spread(codes: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Z (n, G q) of a factor from its columns (n, q)."""
    levels = codes.max() + 1
    found = np.zeros((len(codes), levels, z.shape[1]))
    found[np.arange(len(codes)), codes] = z
    return found.reshape(len(codes), -1)


def rows(seed: int) -> tuple[np.random.Generator, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = np.column_stack((np.ones(N), rng.normal(size=(N, 2))))
    on_q, _ = np.linalg.qr(x)
    y = rng.normal(size=N)
    return rng, x, on_q, y - on_q @ (on_q.T @ y)


def nested(seed: int, *, reml: bool) -> Case:
    """Three factors: an intercept; an intercept with a slope; two terms of one column each."""
    rng, x, on_q, e = rows(seed)
    fine = np.unique(rng.integers(0, 20, N), return_inverse=True)[1]
    n_fine = fine.max() + 1
    parent = rng.permutation(np.r_[np.arange(6), rng.integers(0, 6, n_fine - 6)])
    grand = np.r_[0, 1, rng.integers(0, 2, 4)]
    columns = [x[:, :1], x[:, :2], x[:, [0, 2]]]
    w = np.column_stack((*columns, on_q, e))
    products = NestedProducts(
        patterns=(Pattern((1,)), Pattern((2,)), Pattern((1, 1))),
        by_level=np.stack([w[fine == g].T @ w[fine == g] for g in range(n_fine)]),
        parents=(Parents.of(parent), Parents.of(grand)),
        n_rows=N,
        reml=reml,
    )
    codes = [fine, parent[fine], grand[parent[fine]]]
    z = [spread(code, column) for code, column in zip(codes, columns, strict=True)]
    return Case(products, z, on_q, e)


def crossed(seed: int, *, reml: bool, first: int | None = 1) -> Case:
    """A factor of `first` columns, a crossed one with a slope, and one of multiple membership."""
    rng, x, on_q, e = rows(seed)
    q = first or 1
    w = rng.uniform(size=N)
    own = [spread(rng.integers(0, 7, N), x[:, :1]) for _ in range(2)]
    z = [
        spread(np.r_[np.arange(12), rng.integers(0, 12, N - 12)], x[:, :q]),
        spread(np.r_[np.arange(5), rng.integers(0, 5, N - 5)], x[:, [0, 2]]),
        own[0] * w[:, None] + own[1] * (1 - w[:, None]),
    ]
    joined = np.column_stack((on_q, e))
    patterns: tuple[Pattern, ...] = (Pattern((q,)), Pattern((2,)), Pattern((1,)))
    rest = np.hstack(z[1:] if first else z)
    if first:
        met = (z[0].T @ rest).reshape(12, q, -1)
        level, column = np.nonzero(np.abs(met).sum(axis=1))
        coupling = Coupling.of(level, column, met[level, :, column], shape=(12, rest.shape[1]))
        zz = np.einsum("jajb->jab", (z[0].T @ z[0]).reshape(12, q, 12, q))
        zx = (z[0].T @ joined).reshape(12, q, -1)
    else:
        none = np.empty(0, dtype=np.int64)
        coupling = Coupling.of(none, none, np.empty((0, 1)), shape=(0, rest.shape[1]))
        zz, zx = np.empty((0, 1, 1)), np.empty((0, 1, 4))
    products = CrossedProducts(
        patterns=patterns,
        zz=zz,
        zx=zx,
        coupling=coupling,
        rr=rest.T @ rest,
        rx=rest.T @ joined,
        n_levels=(5, 7) if first else (12, 5, 7),
        ee=float(e @ e),
        n_rows=N,
        reml=reml,
    )
    return Case(products, z, on_q, e)


def block_diagonal(lower: np.ndarray, columns: int) -> np.ndarray:
    return np.kron(np.eye(columns // len(lower)), lower @ lower.T)


CASES: dict[str, Any] = {
    "nested": nested,
    "crossed": crossed,
    "crossed slopes": lambda seed, *, reml: crossed(seed, reml=reml, first=2),
    "memberships alone": lambda seed, *, reml: crossed(seed, reml=reml, first=None),
}


@pytest.mark.parametrize("pairs", [True, False])
@pytest.mark.parametrize("at_zero", [False, True])
@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_everything_equals_its_definition(
    name: str, reml: bool, at_zero: bool, pairs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mixed_coupling, "DENSE", 2.0 if pairs else 0.0)
    monkeypatch.setattr(mixed_coupling, "CHUNK", 100)  # several chunks
    monkeypatch.setattr(mixed_coupling, "MIRROR", 4)
    case = CASES[name](3, reml=reml)
    patterns = case.products.patterns
    theta = np.random.default_rng(5).normal(size=sum(p.n_free for p in patterns))
    if at_zero:
        theta[[0, -1]] = 0.0
    lowers = lowers_of(patterns, theta)
    at = case.products.evaluate(lowers)

    d = [block_diagonal(low, z.shape[1]) for low, z in zip(lowers, case.z, strict=True)]
    v = np.eye(N) + sum(z @ part @ z.T for z, part in zip(case.z, d, strict=True))
    inverse = np.linalg.inv(v)
    information = case.on_q.T @ inverse @ case.on_q
    beta = np.linalg.solve(information, case.on_q.T @ inverse @ case.e)
    rest = case.e - case.on_q @ beta
    r2 = rest @ inverse @ rest
    n = N - 3 * reml
    criterion = np.linalg.slogdet(v)[1] + n * (1 + np.log(2 * np.pi * r2 / n))
    criterion += np.linalg.slogdet(information)[1] * reml
    assert_allclose(at.criterion, criterion, rtol=1e-10)
    assert_allclose(at.beta, beta, rtol=1e-8, atol=1e-10)
    assert_allclose(at.unscaled, np.linalg.inv(information), rtol=1e-9, atol=1e-12)
    for k, (z, part, lower) in enumerate(zip(case.z, d, lowers, strict=True)):
        q = len(lower)
        shape = (z.shape[1] // q, q, z.shape[1] // q, q)
        own = np.einsum("jajb->ab", (z.T @ inverse @ z).reshape(shape))
        assert_allclose(at.s[k], own, rtol=1e-8, atol=1e-8)
        assert_allclose(at.a[k].ravel(), z.T @ inverse @ rest, rtol=1e-8, atol=1e-9)
        assert_allclose(at.b[k].reshape(-1, 3), z.T @ inverse @ case.on_q, rtol=1e-8, atol=1e-9)
        left = (part - part @ z.T @ inverse @ z @ part).reshape(shape)
        assert_allclose(at.spread[k], np.einsum("jajb->jab", left), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_gradient_and_hessian_are_derivatives(name: str, reml: bool) -> None:
    case = CASES[name](4, reml=reml)
    theta = np.random.default_rng(1).uniform(
        0.2, 1.0, sum(p.n_free for p in case.products.patterns)
    )
    search = Search(case.products)
    slope = search.at(theta)[1]
    step = 1e-5 * np.eye(len(theta))
    numerical = [
        (search.at(theta + h)[0].criterion - search.at(theta - h)[0].criterion) / 2e-5 for h in step
    ]
    assert_allclose(slope, numerical, rtol=1e-5, atol=1e-6)
    hessian = search.hessian(theta)
    columns = [(search.at(theta + h)[1] - search.at(theta - h)[1]) / 2e-5 for h in step]
    assert_allclose(hessian, np.array(columns), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_without_random_effects(name: str) -> None:
    case = CASES[name](5, reml=True)
    zero = tuple(np.zeros((p.n_random, p.n_random)) for p in case.products.patterns)
    found = criterion_without_random(case.products)
    assert_allclose(found, case.products.evaluate(zero).criterion, rtol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_no_direction_improves_the_optimum(name: str) -> None:
    case = CASES[name](6, reml=True)
    found = fit_blocks(case.products)
    assert found.converged
    rng = np.random.default_rng(2)
    for _ in range(40):
        moved = tuple(
            np.where(low == 0, 0, low + 0.03 * rng.normal(size=low.shape)) for low in found.lowers
        )
        assert case.products.evaluate(moved).criterion > found.at.criterion - 1e-9
        # where a variance is zero, more of it does not help
        raised = tuple(low + 0.05 * np.eye(len(low)) * rng.random() for low in found.lowers)
        assert case.products.evaluate(raised).criterion > found.at.criterion - 1e-9


def test_starts_and_curvatures_are_of_the_right_size() -> None:
    rng = np.random.default_rng(7)
    code = np.repeat(np.arange(200), 10)
    x = np.ones((2000, 1)) / np.sqrt(2000)
    y = 0.7 * rng.normal(size=200)[code] + rng.normal(size=2000)
    e = y - x[:, 0] * (x[:, 0] @ y)
    w = np.column_stack((np.ones(2000), x, e))
    by_level = np.stack([w[code == g].T @ w[code == g] for g in range(200)])
    products = NestedProducts((Pattern((1,)),), by_level, (), 2000, True)
    found = fit_blocks(products)
    assert 0.4 < moment_start(products)[0] < 1.1
    assert 0.4 < found.lowers[0][0, 0] < 1.1
    rough = curvature(products, found.at, found.lowers)
    assert 0.4 < rough[0] / found.hessian[0, 0] < 2.5


def test_exact_outcome_is_told() -> None:
    _, _, on_q, _ = rows(8)
    codes = np.arange(N) % 9
    y = np.sin(codes)
    e = y - on_q @ (on_q.T @ y)
    w = np.column_stack((np.ones(N), on_q, e))
    by_level = np.stack([w[codes == g].T @ w[codes == g] for g in range(9)])
    with pytest.raises(NoResidualError):
        fit_blocks(NestedProducts((Pattern((1,)),), by_level, (), N, True))


def test_mirrored_copies_the_lower_triangle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixed_coupling, "MIRROR", 3)
    full = np.random.default_rng(9).normal(size=(8, 8))
    expected = np.tril(full) + np.tril(full, -1).T
    assert_allclose(mirrored(full), expected)
