"""Parallel analysis: eigenvalues against psych, draws against direct simulation."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from collabsurvey.dimensionality.how_many.parallel import (
    eigenvalues,
    parallel_analysis,
    pearson,
    random_correlations,
    resampled_correlations,
)
from collabsurvey.errors import NotEnoughDataError, NoVarianceError
from collabsurvey.numerics.typing import FloatArray, IntArray
from support import gold


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def drawn(n: int, p: int, n_draws: int, *, block: int | None = None) -> FloatArray:
    return np.concatenate(list(random_correlations(n, p, n_draws, rng(), block=block)))


def test_components_match_psych(named_answers: tuple[str, FloatArray]) -> None:
    name, x = named_answers
    expected = gold("04_efa")[f"parallel_eigen_{name}"]["values"]
    found, _ = eigenvalues(np.corrcoef(x, rowvar=False)[None], "components")
    assert_allclose(found[0], expected["pc_values"], rtol=1e-10)


def test_factors_match_psych_up_to_where_its_minres_stops(
    named_answers: tuple[str, FloatArray],
) -> None:
    name, x = named_answers
    expected = np.array(gold("04_efa")[f"parallel_eigen_{name}"]["values"]["fa_values"])
    found, n_failed = eigenvalues(np.corrcoef(x, rowvar=False)[None], "factors")
    assert n_failed == 0
    assert_allclose(found[0], expected, rtol=0, atol=1e-6)
    # At the minimum the factor is the first eigenvector of R with communalities on its
    # diagonal, so the others add up to zero. psych's stop 1e-6 before that, ours do not.
    assert abs(found[0, 1:].sum()) < 1e-12
    assert abs(expected[1:].sum()) > 1e-7


def test_number_retained_and_simulated_means_match_psych(
    named_answers: tuple[str, FloatArray],
) -> None:
    """psych's `pc.sim` and `fa.sim` are means over its 50 normal samples; it tests quantiles."""
    name, x = named_answers
    n, p = x.shape
    expected = gold("04_efa")[f"parallel_eigen_{name}"]["values"]
    draws = list(random_correlations(n, p, 400, rng()))
    found = parallel_analysis(np.corrcoef(x, rowvar=False), draws)
    assert found["components"].n_retained == expected["ncomp"]
    assert found["factors"].n_retained == expected["nfact"]
    assert found["factors"].n_not_converged == 0
    for kind, theirs in (("components", "pc_sim_mean_or_quantile"), ("factors", "fa_sim")):
        sd = np.concatenate([eigenvalues(block, kind)[0] for block in draws]).std(axis=0)
        error = sd * np.sqrt(1 / 50 + 1 / 400)
        assert (np.abs(found[kind].mean - expected[theirs]) < 4 * error).all()
        assert (found[kind].quantile > found[kind].mean).all()


@pytest.mark.parametrize(("n", "p"), [(30, 6), (9, 8), (8, 8), (5, 8), (3, 4)])
def test_draws_are_those_of_normal_samples(n: int, p: int) -> None:
    """Eigenvalues against direct simulation; E(r²) = 1 / (n - 1) for every pair exactly."""
    n_draws = 4000
    cors = drawn(n, p, n_draws)
    direct = pearson(rng(2).standard_normal((n_draws, p, n)))
    ours, theirs = (eigenvalues(some, "components")[0] for some in (cors, direct))
    error = np.sqrt((ours.var(axis=0) + theirs.var(axis=0)) / n_draws)
    assert (np.abs(ours.mean(axis=0) - theirs.mean(axis=0)) < 4 * error + 1e-12).all()
    assert_allclose(ours.std(axis=0), theirs.std(axis=0), rtol=0.1, atol=1e-10)
    squares = cors[:, *np.triu_indices(p, 1)] ** 2
    error = squares.std(axis=0) / np.sqrt(n_draws)
    assert (np.abs(squares.mean(axis=0) - 1 / (n - 1)) < 4.5 * error).all()
    assert (np.linalg.matrix_rank(cors[:50], tol=1e-12) == min(p, n - 1)).all()


def test_draws_do_not_depend_on_the_blocks() -> None:
    assert_array_equal(drawn(20, 5, 10, block=3), drawn(20, 5, 10))
    x = rng(3).integers(0, 3, (31, 4))  # an odd number of draws, few enough to need redrawing
    whole = np.concatenate(list(resampled_correlations(x[:6], 40, rng())))
    parts = np.concatenate(list(resampled_correlations(x[:6], 40, rng(), block=7)))
    assert_allclose(parts, whole, rtol=0, atol=1e-14)


def test_fewer_respondents_than_items() -> None:
    x = rng(4).standard_normal((8, 12))
    found = parallel_analysis(np.corrcoef(x, rowvar=False), random_correlations(8, 12, 200, rng()))
    assert found["components"].n_retained == 0
    assert_allclose(found["components"].mean[7:], 0, atol=1e-12)
    assert np.isfinite(found["factors"].quantile).all()


def test_three_factors_are_found(three_factors: FloatArray) -> None:
    cor = np.corrcoef(three_factors, rowvar=False)
    for draws in (
        random_correlations(500, 12, 200, rng()),
        resampled_correlations(three_factors, 200, rng()),
    ):
        found = parallel_analysis(cor, draws)
        assert [found[kind].n_retained for kind in ("components", "factors")] == [3, 3]


def test_independent_items_have_none_but_for_one_sample_in_twenty() -> None:
    """In 5 % of samples the first eigenvalue exceeds the 95th percentile of its distribution."""
    found = parallel_analysis(np.eye(10), [drawn(300, 10, 1000)])
    samples = pearson(rng(5).standard_normal((400, 10, 300)))
    for kind in ("components", "factors"):
        above = eigenvalues(samples, kind)[0][:, 0] > found[kind].quantile[0]
        assert abs(above.mean() - 0.05) < 4 * np.sqrt(0.05 * 0.95 * (1 / 400 + 1 / 1000))
    none = int(np.argmin(np.abs(np.linalg.eigvalsh(samples)[:, -1] - found["components"].mean[0])))
    typical = parallel_analysis(samples[none], [drawn(300, 10, 1000)])
    assert [typical[kind].n_retained for kind in ("components", "factors")] == [0, 0]


def test_the_mean_is_an_easier_reference(three_factors: FloatArray) -> None:
    cor = np.corrcoef(three_factors, rowvar=False)
    draws = list(random_correlations(500, 12, 100, rng()))
    strict = parallel_analysis(cor, draws, of=["components"], level=0.5)
    easy = parallel_analysis(cor, draws, of=["components"], reference="mean")
    assert list(easy) == ["components"]
    assert_allclose(strict["components"].quantile, easy["components"].mean, atol=0.01)
    assert easy["components"].reference == "mean"


def test_resampled_columns_keep_their_answers_and_lose_their_correlations() -> None:
    x = np.repeat(rng(6).integers(1, 6, (200, 1)), 4, axis=1)  # four copies of one item
    seen: list[IntArray] = []

    def correlate(codes: IntArray) -> FloatArray:
        seen.append(codes)
        return np.corrcoef(codes, rowvar=False)

    by_callable = np.concatenate(list(resampled_correlations(x, 300, rng(), correlate=correlate)))
    by_default = np.concatenate(list(resampled_correlations(x, 300, rng())))
    assert_allclose(by_callable, by_default, atol=1e-12)
    assert seen[0].shape == x.shape
    assert seen[0].dtype == x.dtype
    shares = np.bincount(np.concatenate(seen).ravel(), minlength=6) / (300 * x.size)
    assert_allclose(shares, np.bincount(x[:, 0], minlength=6) / 200, atol=0.005)
    off = by_default[:, *np.triu_indices(4, 1)]
    assert_allclose(off.mean(), 0, atol=4 / np.sqrt(off.size * 200))
    assert_allclose((off**2).mean(), 1 / 199, rtol=0.1)


def test_resamples_without_variance_are_drawn_again() -> None:
    x = np.zeros((5, 3))
    x[0] = 1
    for cors in resampled_correlations(x, 200, rng()):
        assert np.isfinite(cors).all()
    with pytest.raises(NoVarianceError, match="column 2 has the same value"):
        next(resampled_correlations(np.array([[1.0, 2.0], [2.0, 2.0], [4.0, 2.0]]), 1, rng()))


def test_what_it_refuses() -> None:
    with pytest.raises(NotEnoughDataError, match="at least 3 respondents"):
        next(random_correlations(2, 4, 1, rng()))
    with pytest.raises(NotEnoughDataError, match="of factors needs at least 3 items"):
        parallel_analysis(np.eye(2), [], of=["factors"])
