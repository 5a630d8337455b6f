"""Kenward and Roger's pieces against matrices of rows by rows, as the paper defines them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from collabsurvey.numerics.kenward_roger import scaled_inverse, variance_derivatives
from collabsurvey.numerics.mixed import GroupProducts, free_elements
from collabsurvey.numerics.mixed_blocks import Pattern
from collabsurvey.numerics.mixed_nested import NestedProducts, Parents
from collabsurvey.numerics.random_systems import EffectSystem, effect_systems

N = 60


def rows(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Fine and coarse groups, an orthonormal basis, and the columns 1 and x."""
    rng = np.random.default_rng(seed)
    fine = np.concatenate((np.arange(15), rng.integers(0, 15, N - 15)))
    coarse = np.concatenate((np.arange(4), rng.integers(0, 4, 11)))[fine]
    x = np.column_stack((np.ones(N), rng.normal(size=(N, 2))))
    return fine, coarse, np.linalg.qr(x)[0], x[:, :2]


def effects(codes: np.ndarray, z: np.ndarray) -> list[np.ndarray]:
    """One indicator matrix (n, G) for each column of z."""
    indicator = codes[:, None] == np.arange(codes.max() + 1)
    return [indicator * column[:, None] for column in z.T]


def defined(
    changes: list[np.ndarray], relative: np.ndarray, q: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Phi, P, Q and traces from V (n, n) = I + sum of d_i G_i; the residual's G is I."""
    everything = [*changes, np.eye(N)]
    v = np.eye(N) + sum(d * g for d, g in zip(relative, changes, strict=True))
    inverse = np.linalg.inv(v)
    first = np.array([-q.T @ inverse @ g @ inverse @ q for g in everything])
    second = np.array(
        [[q.T @ inverse @ a @ inverse @ b @ inverse @ q for b in everything] for a in everything]
    )
    traces = [[np.trace(inverse @ a @ inverse @ b) for b in everything] for a in everything]
    return np.linalg.inv(q.T @ inverse @ q), first, second, np.array(traces)


def compare(
    systems: list[EffectSystem], changes: list[np.ndarray], relative: np.ndarray, q: np.ndarray
) -> None:
    phi, first, second, traces = defined(changes, relative, q)
    found = variance_derivatives(systems, relative, phi, n_rows=N)
    scale = np.abs(traces).max()
    assert_allclose(found.first, first, atol=1e-10 * np.abs(first).max())
    assert_allclose(found.second, second, atol=1e-10 * np.abs(second).max())
    assert_allclose(found.traces, traces, atol=1e-10 * scale)


@pytest.mark.parametrize("correlated", [True, False])
def test_pieces_of_one_factor_equal_the_definition(correlated: bool) -> None:
    fine, _, q, z = rows(1)
    a, b = effects(fine, z)
    changes = [a @ a.T, a @ b.T + b @ a.T, b @ b.T] if correlated else [a @ a.T, b @ b.T]
    zz = np.stack([z[fine == g].T @ z[fine == g] for g in range(15)])
    zx = np.stack([z[fine == g].T @ q[fine == g] for g in range(15)])
    products = GroupProducts(zz, zx, np.zeros((15, 2)), 1.0, N, True)
    relative = np.array([0.8, -0.2, 0.3]) if correlated else np.array([0.8, 0.3])
    elements = free_elements(2, correlated=correlated)
    assert len(elements[0]) == len(relative)
    compare(effect_systems(products, correlated=correlated), changes, relative, q)


def test_pieces_of_nested_factors_equal_the_definition() -> None:
    fine, coarse, q, z = rows(2)
    w = np.column_stack((z[:, :1], z, q, np.zeros(N)))
    by_level = np.stack([w[fine == g].T @ w[fine == g] for g in range(15)])
    parents = np.empty(15, dtype=np.int64)
    parents[fine] = coarse
    patterns = (Pattern((1,)), Pattern((2,)))
    products = NestedProducts(patterns, by_level, (Parents.of(parents),), N, True)
    (one,) = effects(fine, z[:, :1])
    a, b = effects(coarse, z)
    changes = [one @ one.T, a @ a.T, a @ b.T + b @ a.T, b @ b.T]
    relative = np.array([0.5, 1.2, 0.4, 0.6])
    systems = effect_systems(products)
    assert len(systems) == 4  # one a coarse group
    compare(systems, changes, relative, q)
    # Without variance everything is a product of the design alone.
    compare(systems, changes, np.zeros(4), q)


def test_directions_without_information_are_left_out() -> None:
    information = np.diag([4e6, 1e-4, 0.0])
    assert_allclose(np.diag(scaled_inverse(information)), [1 / 4e6, 1e4, 0.0])
