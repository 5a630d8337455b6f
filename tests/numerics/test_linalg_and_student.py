"""Small matrices and Student's t."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose
from scipy import stats

from collabsurvey.numerics.linalg import (
    aliased_columns,
    inverse_root,
    symmetric_function,
    triangular_inverse,
)
from collabsurvey.numerics.student import critical_value, two_sided_p


def test_the_later_of_two_equal_columns_is_aliased() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(50, 4))
    x[:, 2] = x[:, 0] - x[:, 1]
    x /= np.linalg.norm(x, axis=0)
    assert aliased_columns(x.T @ x) == (2,)
    x[:, 3] = x[:, 2]
    assert aliased_columns(x.T @ x) == (2, 3)
    x[:, 2] += 1e-4 * rng.normal(size=50)  # nearly, but not quite
    x[:, 3] = rng.normal(size=50)
    x /= np.linalg.norm(x, axis=0)
    assert aliased_columns(x.T @ x) == ()


def test_functions_of_stacked_matrices() -> None:
    rng = np.random.default_rng(2)
    root = rng.normal(size=(5, 3, 3))
    stack = root @ root.transpose(0, 2, 1) + np.eye(3)
    halves = symmetric_function(stack, np.sqrt)
    assert_allclose(halves @ halves, stack, rtol=1e-10)
    inverse = inverse_root(stack[0])
    assert_allclose(inverse @ stack[0] @ inverse, np.eye(3), atol=1e-12)
    lower = np.linalg.cholesky(stack)
    assert_allclose(
        triangular_inverse(lower) @ lower, np.broadcast_to(np.eye(3), (5, 3, 3)), atol=1e-12
    )


def test_student_matches_scipy_stats_and_the_normal() -> None:
    t = np.array([0.0, 1.3, -2.7, 40.0])
    df = np.array([3.5, 17.0, np.inf, 60.0])
    assert_allclose(
        two_sided_p(t, df)[[0, 1, 3]], 2 * stats.t.sf(np.abs(t), df)[[0, 1, 3]], rtol=1e-10
    )
    assert_allclose(two_sided_p(t, df)[2], 2 * stats.norm.sf(2.7), rtol=1e-12)
    assert_allclose(critical_value(0.9, df)[[0, 1]], stats.t.ppf(0.95, df[:2]), rtol=1e-10)
    assert_allclose(critical_value(0.9, df)[2], stats.norm.ppf(0.95), rtol=1e-12)
