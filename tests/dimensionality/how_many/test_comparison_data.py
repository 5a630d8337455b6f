"""Comparison data: each step against its formula, and recovery of known numbers of factors."""

from __future__ import annotations

from math import erfc, sqrt

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from collabsurvey.dimensionality.extraction import extract
from collabsurvey.dimensionality.how_many.comparison_data import (
    comparison_data,
    make_population,
    probability_smaller,
    sample_eigenvalues,
    with_marginals,
)
from collabsurvey.errors import NotEnoughDataError, NoVarianceError
from collabsurvey.numerics.typing import FloatArray


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_mann_whitney_matches_r() -> None:
    """R 4.2.2: wilcox.test(x, y, "less", exact = FALSE), with ties."""
    x, y = np.array([1, 4, 2, 2, 7, 3, 3, 9, 1, 5.0]), np.array([4, 6, 2, 8, 8, 3, 10, 11, 5.0])
    assert_allclose(probability_smaller(x, y), 0.0323834733944854, rtol=1e-12)
    assert_allclose(probability_smaller(y, x), 0.973131227478498, rtol=1e-12)


def test_mann_whitney_by_hand() -> None:
    """1, 2 below 3, 4: no pair the other way round, so U = 0, mean 2, variance 2 * 2 * 5 / 12."""
    p = probability_smaller(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    z = (0 - 2 + 0.5) / sqrt(20 / 12)
    assert_allclose(p, erfc(-z / sqrt(2)) / 2, rtol=1e-12)
    assert probability_smaller(np.ones(3), np.ones(4)) == 1.0


def test_answers_take_the_ranks_of_scores() -> None:
    scores = np.array([[0.3, -1.0, 2.0], [5.0, 4.0, 3.0]])
    marginals = np.array([[1.0, 2.0, 2.0], [10.0, 20.0, 30.0]])
    assert_array_equal(with_marginals(scores, marginals), [[2, 1, 2], [30, 20, 10]])


def test_population_has_the_answers_and_nearly_the_correlations(three_factors: FloatArray) -> None:
    x = np.exp(three_factors)  # skewed
    target = np.corrcoef(x, rowvar=False)
    for k in (1, 3):
        population = make_population(x, target, k, rng())
        reached = np.corrcoef(population.answers)
        difference = (target - reached)[np.tril_indices(12, -1)]
        assert_allclose(population.rmsr, np.sqrt((difference**2).mean()), rtol=1e-10)
        for j in range(12):
            assert np.isin(population.answers[j], x[:, j]).all()
        # Nothing with k factors is nearer to the correlations than the minres solution.
        closest = np.sqrt(extract(target[None], k).objective[0] / 66)
        assert closest < population.rmsr < 1.1 * closest
        # Three factors can make up for what the answers weaken: more than a first attempt
        # and five trials that bring nothing. One factor has nothing to gain.
        assert (population.n_iterations > 6) == (k == 3)


def test_distances_are_those_of_the_formula(hs1939: FloatArray) -> None:
    """Recomputed from the same rows one sample at a time: RMSR of all p eigenvalues."""
    target = np.corrcoef(hs1939, rowvar=False)
    found = comparison_data(hs1939, rng(5), max_factors=1, n_population=2000, n_samples=20)
    stream = rng(5)
    population = make_population(hs1939, target, 1, stream, n_population=2000)
    rows = stream.spawn(2)[0].integers(0, 2000, (20, 301))
    observed = np.linalg.eigvalsh(target)
    expected = [
        np.sqrt(
            ((np.linalg.eigvalsh(np.corrcoef(population.answers[:, some])) - observed) ** 2).mean()
        )
        for some in rows
    ]
    assert_allclose(found.rmsr[0], expected, rtol=1e-9)


def test_distances_match_a_program_in_r(hs1939: FloatArray) -> None:
    """Mean distance for 1 to 4 factors in four runs of an R program written from the papers.

    .2870 .2852 .2863 .2868; .1786 .1747 .1789 .1758; .0719 .0701 .0704 .0702;
    .0709 .0731 .0695 .0710 (R 4.2.2). Within four of their standard deviations, for which the
    four of each row are pooled: .0016.
    """
    expected = np.array([0.2863, 0.1770, 0.0706, 0.0711])
    found = comparison_data(hs1939, rng(), alpha=1.0, max_factors=4)
    assert_allclose(found.rmsr.mean(axis=1), expected, atol=4 * 0.0016)


def test_factors_are_added_as_long_as_they_help(hs1939: FloatArray) -> None:
    tried: list[int] = []
    found = comparison_data(hs1939, rng(), progress=tried.append)
    assert found.stopped
    assert len(found.rmsr) == found.n_factors + 1
    assert tried == list(range(1, found.n_factors + 2))
    assert np.isnan(found.p_values[0])
    assert (found.p_values[1:-1] < 0.30).all()
    assert found.p_values[-1] >= 0.30
    for k in range(1, len(found.rmsr)):
        assert found.p_values[k] == probability_smaller(found.rmsr[k], found.rmsr[k - 1])


def test_three_factors_are_found(three_factors: FloatArray) -> None:
    found = comparison_data(three_factors, rng(), n_samples=200)
    assert found.n_factors == 3
    assert found.stopped
    limited = comparison_data(three_factors, rng(), n_samples=100, max_factors=2)
    assert limited.n_factors == 2
    assert not limited.stopped


def test_one_factor_of_coarse_answers_is_found() -> None:
    draw = rng(8)
    latent = 0.7 * draw.standard_normal((400, 1)) + 0.7 * draw.standard_normal((400, 8))
    coarse = np.digitize(latent, [-1.5, 0.8, 1.6]).astype(float)
    assert comparison_data(coarse, rng(), n_samples=200).n_factors == 1


def test_samples_do_not_depend_on_the_blocks_and_have_variance() -> None:
    population = (rng(9).random((3, 101)) < 0.2).astype(float)
    whole = sample_eigenvalues(population, 5, 50, rng())
    parts = sample_eigenvalues(population, 5, 50, rng(), block=7)
    assert_allclose(parts, whole, rtol=0, atol=1e-14)
    assert np.isfinite(whole).all()
    assert_allclose(whole.sum(axis=1), 3, rtol=1e-12)


def test_what_it_refuses() -> None:
    with pytest.raises(NotEnoughDataError, match="at least 3 items"):
        comparison_data(rng().random((20, 2)), rng())
    x = rng().random((20, 4))
    x[:, 2] = 1
    with pytest.raises(NoVarianceError, match="column 3 has the same value"):
        comparison_data(x, rng())
