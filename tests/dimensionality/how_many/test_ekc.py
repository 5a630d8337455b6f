"""The empirical Kaiser criterion by hand, and on data with a known number of factors."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from collabsurvey.dimensionality.how_many.ekc import empirical_kaiser, n_leading
from collabsurvey.errors import NotEnoughDataError
from collabsurvey.numerics.typing import FloatArray


def test_by_hand() -> None:
    """Eigenvalues 1.6, 1.2, .8, .4 and n = 100: the edge is (1 + sqrt(4 / 100))² = 1.44."""
    cor = np.array([[1, 0.6, 0, 0], [0.6, 1, 0, 0], [0, 0, 1, 0.2], [0, 0, 0.2, 1]])
    found = empirical_kaiser(cor, 100)
    assert_allclose(found.observed, [1.6, 1.2, 0.8, 0.4])
    assert_allclose(found.reference, [1.44, (4 - 1.6) / 3 * 1.44, 1, 1])  # 1.152; .864, .576
    # With the reference instead of the observed eigenvalue taken off, the second reference
    # were 2.56 / 3 * 1.44 = 1.229 and one factor too few would be kept.
    assert found.n_factors == 2
    assert found.n_above_one == 2


def test_in_an_endless_sample_it_is_kaisers_rule() -> None:
    cor = np.array([[1, 0.6, 0, 0], [0.6, 1, 0, 0], [0, 0, 1, 0.2], [0, 0, 0.2, 1]])
    found = empirical_kaiser(cor, 10**12)
    assert_allclose(found.reference, 1, atol=1e-5)
    assert found.n_factors == found.n_above_one == 2


def test_three_factors_are_found(three_factors: FloatArray) -> None:
    assert empirical_kaiser(np.corrcoef(three_factors, rowvar=False), 500).n_factors == 3


def test_counting_stops_at_the_first_that_fails() -> None:
    assert n_leading(np.array([True, True, False, True])) == 2
    assert n_leading(np.array([False, True])) == 0
    assert n_leading(np.array([True, True])) == 2


def test_one_respondent_is_too_few() -> None:
    with pytest.raises(NotEnoughDataError, match="at least 2 respondents"):
        empirical_kaiser(np.eye(3), 1)
