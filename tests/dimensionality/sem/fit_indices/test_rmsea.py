from __future__ import annotations

from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.special import chndtr

from collabsurvey.dimensionality.sem.fit_indices.rmsea import (
    p_close,
    p_not_close,
    rmsea,
    rmsea_interval,
)


@given(x=st.floats(1.0, 1e4), df=st.floats(1.0, 300.0), n=st.integers(30, 10**6))
def test_limits_are_where_the_statistic_is_in_the_tails(x: float, df: float, n: int) -> None:
    low, high = rmsea_interval(x, df, n)
    assert 0.0 <= low <= high
    for limit, tail in ((low, 0.95), (high, 0.05)):
        if limit > 0.0:
            assert_allclose(chndtr(x, df, n * df * limit**2), tail, atol=1e-9)


@given(x=st.floats(30.0, 3000.0), n=st.integers(50, 5000), groups=st.integers(1, 9))
def test_tests_and_limits_say_the_same(x: float, n: int, groups: int) -> None:
    low, high = rmsea_interval(x, 20, n, n_groups=groups, factor=1.3)
    if low > 0.0:
        assert_allclose(p_close(x, 20, n, n_groups=groups, factor=1.3, close=low), 0.05, atol=1e-9)
    assert_allclose(
        p_not_close(x, 20, n, n_groups=groups, factor=1.3, not_close=high), 0.05, atol=1e-9
    )


def test_two_groups_alike_have_the_rmsea_of_one() -> None:
    alone = rmsea(40.0, 24, 72)
    together = rmsea(80.0, 48, 144, n_groups=2)
    assert_allclose(together, alone, rtol=1e-12)


@pytest.mark.parametrize("x", [0.0, 5.0])
def test_better_than_expected_is_zero(x: float) -> None:
    assert rmsea(x, 24, 100) == 0.0
    assert rmsea_interval(x, 24, 100) == (0.0, 0.0)
    assert p_close(x, 24, 100) > 0.999


def test_no_degrees_of_freedom_no_rmsea() -> None:
    assert isnan(rmsea(0.0, 0, 100))
    assert all(isnan(limit) for limit in rmsea_interval(0.0, 0, 100))
    assert isnan(p_close(0.0, 0, 100))
    assert isnan(p_not_close(float("nan"), 5, 100))


def test_millions_of_respondents() -> None:
    low, high = rmsea_interval(6e4, 24, 10**6)
    assert low < rmsea(6e4, 24, 10**6) < high
    assert p_close(6e4, 24, 10**6) == pytest.approx(0.51872, abs=1e-4)
