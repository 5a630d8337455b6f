"""Kernels of polychoric correlations: derivatives by differences, searches by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import optimize, special, stats

from collabsurvey.dimensionality.joint_ml import joint_fit
from collabsurvey.dimensionality.pair_correlations import filled
from collabsurvey.dimensionality.pair_errors import coded
from collabsurvey.dimensionality.two_way import (
    LIMIT,
    cell_probabilities,
    cell_scores,
    conditional_std_error,
    influence,
    loglik,
    pairs_of,
    thresholds,
    two_step,
    with_margins,
)
from collabsurvey.numerics.typing import FloatArray

seeds = st.integers(0, 2**32 - 1)
sizes = st.tuples(st.integers(2, 5), st.integers(2, 5))


def random_tables(
    seed: int, size: tuple[int, int], *, n: int = 300, at_least: float = 1.0
) -> FloatArray:
    """Two tables (2, r, c) without empty cells, of normal variables of some correlation."""
    generator = np.random.default_rng(seed)
    rho = generator.uniform(-0.8, 0.8, 2)
    cuts = [np.sort(generator.uniform(-1.5, 1.5, c - 1)) for c in size]
    cuts = [cut + np.arange(len(cut)) * 0.05 for cut in cuts]
    p = cell_probabilities(np.array([cuts[0]] * 2), np.array([cuts[1]] * 2), rho)
    drawn = [generator.multinomial(n, np.maximum(one, 0).ravel() / one.sum()) for one in p]
    return np.array(drawn).reshape(p.shape) + at_least


def cuts_of(tables: FloatArray) -> tuple[FloatArray, FloatArray]:
    return thresholds(tables.sum(axis=2)), thresholds(tables.sum(axis=1))


def differences(
    function: object, x: FloatArray, *, d: float = 1e-6
) -> FloatArray:  # (q, ...) central differences
    found = []
    for place in range(len(x)):
        up, down = x.copy(), x.copy()
        up[place] += d
        down[place] -= d
        found.append((function(up) - function(down)) / (2 * d))  # type: ignore[operator]
    return np.array(found)


def test_thresholds_give_back_the_margins() -> None:
    counts = np.array([[3.0, 5.0, 2.0], [1.0, 1.0, 8.0]])
    share = np.diff(special.ndtr(thresholds(counts)), prepend=0, append=1, axis=1)
    assert_allclose(share, counts / 10, rtol=1e-14)


@given(seed=seeds, size=sizes)
@settings(max_examples=25)
def test_cells_are_rectangles_of_the_normal(seed: int, size: tuple[int, int]) -> None:
    generator = np.random.default_rng(seed)
    cuts = [np.sort(generator.normal(size=c - 1)) for c in size]
    rho = float(generator.uniform(-0.95, 0.95))
    p = cell_probabilities(cuts[0][None], cuts[1][None], np.array([rho]))[0]
    normal = stats.multivariate_normal([0, 0], [[1, rho], [rho, 1]])
    edges = [np.r_[-9.0, cut, 9.0] for cut in cuts]
    for i in range(size[0]):
        for j in range(size[1]):
            upper = [edges[0][i + 1], edges[1][j + 1]]
            lower = [edges[0][i], edges[1][j]]
            assert_allclose(p[i, j], normal.cdf(upper, lower_limit=lower), atol=1e-10)
    assert_allclose(p.sum(axis=1), np.diff(special.ndtr(edges[0])), atol=1e-14)
    assert_allclose(p.sum(axis=0), np.diff(special.ndtr(edges[1])), atol=1e-14)


@given(seed=seeds, size=sizes)
@settings(max_examples=25)
def test_scores_are_slopes_of_log_probabilities(seed: int, size: tuple[int, int]) -> None:
    tables = random_tables(seed, size)[:1]
    row_cuts, column_cuts = cuts_of(tables)
    rho = two_step(tables, row_cuts, column_cuts).rho
    at = np.concatenate([rho, row_cuts[0], column_cuts[0]])
    r = size[0]

    def log_cells(x: FloatArray) -> FloatArray:
        p = cell_probabilities(x[None, 1:r], x[None, r:], x[:1])[0]
        logs: FloatArray = np.log(p)
        return logs

    scores = cell_scores(row_cuts, column_cuts, rho)
    expected = differences(log_cells, at)
    smallest = scores.probabilities.min()
    tolerance = 1e-7 / smallest  # rounding of a probability, over the step and the cell
    assert_allclose(scores.rho[0], expected[0], atol=tolerance)
    assert_allclose(np.moveaxis(scores.row_cuts[0], -1, 0), expected[1:r], atol=tolerance)
    assert_allclose(np.moveaxis(scores.column_cuts[0], -1, 0), expected[r:], atol=tolerance)
    # Probabilities add up to one whatever the parameters.
    assert_allclose((scores.rho * scores.probabilities).sum(), 0, atol=1e-12)


@given(seed=seeds, size=sizes)
@settings(max_examples=25)
def test_two_step_is_the_best_correlation(seed: int, size: tuple[int, int]) -> None:
    tables = random_tables(seed, size)
    row_cuts, column_cuts = cuts_of(tables)
    fits = two_step(tables, row_cuts, column_cuts)
    assert fits.converged.all()
    assert not fits.at_limit.any()
    assert_allclose(fits.probabilities, cell_probabilities(row_cuts, column_cuts, fits.rho))
    for table, a, b, rho in zip(tables, row_cuts, column_cuts, fits.rho, strict=True):

        def cost(
            r: float, table: FloatArray = table, a: FloatArray = a, b: FloatArray = b
        ) -> float:
            p = cell_probabilities(a[None], b[None], np.array([r]))[0]
            return float(-(table * np.log(p)).sum())

        found = optimize.minimize_scalar(
            cost, bounds=(-0.999, 0.999), method="bounded", options={"xatol": 1e-10}
        )
        assert_allclose(rho, found.x, atol=2e-6)  # a search without slopes ends at sqrt(eps)
        assert cost(float(rho)) <= found.fun + 1e-9


@given(seed=seeds, size=sizes)
@settings(max_examples=15)
def test_influences_of_all_answers_cancel(seed: int, size: tuple[int, int]) -> None:
    table = random_tables(seed, size)
    n = table.sum(axis=(1, 2))
    found = influence(table, *cuts_of(table), two_step(table, *cuts_of(table)), n, n)
    assert_allclose((table * found[:, :-1, :-1]).sum(axis=(1, 2)), 0, atol=1e-9)


def test_influence_is_exact_where_the_model_holds() -> None:
    row_cuts, column_cuts = np.array([[-0.5, 0.6]]), np.array([[-1.0, 0.1, 0.9]])
    table = 1000 * cell_probabilities(row_cuts, column_cuts, np.array([0.45]))
    n = table.sum(axis=(1, 2))
    fits = two_step(table, row_cuts, column_cuts)
    assert_allclose(fits.rho, 0.45, atol=1e-10)
    found = influence(table, row_cuts, column_cuts, fits, n, n)[0, :-1, :-1]
    for i in range(3):
        for j in range(4):
            moved = []
            for sign in (1, -1):
                other = table.copy()
                other[0, i, j] += sign * 0.01
                moved.append(two_step(other, *cuts_of(other)).rho[0])
            assert_allclose(found[i, j], (moved[0] - moved[1]) / 0.02, rtol=1e-5)


def test_margins_for_answers_to_one_item_only() -> None:
    table = np.array([[[3.0, 1.0], [2.0, 4.0]]])
    full = with_margins(table, np.array([[5.0, 7.0]]), np.array([[5.0, 6.0]]))
    assert_array_equal(full[0], [[3, 1, 1], [2, 4, 1], [0, 1, 0]])


def test_conditional_errors_are_the_curvature() -> None:
    tables = random_tables(5, (3, 4))
    row_cuts, column_cuts = cuts_of(tables)
    rho = two_step(tables, row_cuts, column_cuts).rho

    def value(r: FloatArray) -> FloatArray:
        return loglik(tables, cell_probabilities(row_cuts, column_cuts, r))

    d = 1e-4
    curvature = (value(rho + d) - 2 * value(rho) + value(rho - d)) / d**2
    found = conditional_std_error(tables, row_cuts, column_cuts, rho)
    assert_allclose(found, 1 / np.sqrt(-curvature), rtol=1e-4)


PERFECT = {
    "diagonal": [[5, 0, 0], [0, 9, 0], [0, 0, 4]],
    "opposite diagonal": [[0, 0, 3], [0, 7, 0], [8, 0, 0]],
    "steps": [[4, 2, 0], [0, 6, 3]],
    "one rare answer": [[54, 68, 11, 37, 24, 24, 23], [0, 0, 0, 0, 0, 0, 2]],
    "rare answers far out": [[170, 1], [4, 0], [128, 0]],
    "two by two": [[6, 0], [3, 8]],
}


@pytest.mark.parametrize("table", PERFECT.values(), ids=PERFECT)
@pytest.mark.parametrize("scale", [1.0, 0.13, 5000.0])
def test_perfect_association_is_at_the_limit(table: list[list[int]], scale: float) -> None:
    counts = scale * np.array([table], dtype=float)
    fits = two_step(counts, *cuts_of(counts))
    assert fits.at_limit.all()
    assert fits.converged.all()
    assert_allclose(np.abs(fits.rho), LIMIT, rtol=0)
    found = influence(counts, *cuts_of(counts), fits, counts.sum((1, 2)), counts.sum((1, 2)))
    assert np.isnan(found).all()


def test_one_answer_beside_a_perfect_association_is_not_at_the_limit() -> None:
    counts = np.array([[[50.0, 1.0], [1.0, 50.0]], [[1.0, 50.0], [50.0, 1.0]]])
    fits = two_step(counts, *cuts_of(counts))
    assert not fits.at_limit.any()
    assert_allclose(fits.rho[0], -fits.rho[1], atol=1e-12)
    assert_allclose(fits.probabilities * 102, counts, atol=1e-8)  # 2 × 2 tables fit exactly


def test_independent_answers() -> None:
    counts = np.outer([3.0, 4.0, 5.0], [2.0, 6.0])[None]
    assert_allclose(two_step(counts, *cuts_of(counts)).rho, 0, atol=1e-12)


def test_start_does_not_matter() -> None:
    tables = random_tables(8, (4, 3))
    plain = two_step(tables, *cuts_of(tables)).rho
    for start in (-0.95, 0.0, 0.95):
        again = two_step(tables, *cuts_of(tables), np.full(2, start)).rho
        assert_allclose(again, plain, atol=1e-10)


def test_category_that_this_table_lacks_plays_no_part() -> None:
    table = random_tables(3, (3, 4))[:1]
    wide = np.insert(table, 1, 0.0, axis=1)
    a, b = cuts_of(table)
    wider = np.insert(a, 1, a[:, 0] + 1e-9, axis=1)
    assert_allclose(two_step(wide, wider, b).rho, two_step(table, a, b).rho, atol=1e-7)


@given(seed=seeds, size=sizes)
@settings(max_examples=15)
def test_joint_maximum(seed: int, size: tuple[int, int]) -> None:
    tables = random_tables(seed, size)
    row_cuts, column_cuts = cuts_of(tables)
    start = two_step(tables, row_cuts, column_cuts)
    fits = joint_fit(tables, start.rho, row_cuts, column_cuts)
    assert fits.converged.all()
    scores = cell_scores(fits.row_cuts, fits.column_cuts, fits.rho)
    for slopes in (scores.rho[..., None], scores.row_cuts, scores.column_cuts):
        gradient = np.einsum("pij,pijq->pq", tables, slopes)
        assert np.abs(gradient).max() < 1e-4  # of 300 answers: 1e-7 of a standard error
    better = loglik(tables, scores.probabilities)
    assert (better >= loglik(tables, start.probabilities) - 1e-9).all()
    # Errors: the curvature of the likelihood with the cuts at their best for each correlation.
    assert_allclose(fits.std_error**-2, _profile_curvature(tables, fits.rho), rtol=1e-3)


def _profile_curvature(tables: FloatArray, rho: FloatArray) -> FloatArray:
    """Minus the second derivative of the likelihood maximised over the cuts by scipy."""
    found = []
    d = 0.01
    for table, r in zip(tables, rho, strict=True):
        a, b = (cuts[0] for cuts in cuts_of(table[None]))
        start = np.concatenate([a, b])

        def profile(
            at: float, table: FloatArray = table, start: FloatArray = start, n: int = len(a)
        ) -> float:
            def cost(x: FloatArray) -> float:
                p = cell_probabilities(x[None, :n], x[None, n:], np.array([at]))
                return -float(loglik(table[None], p)[0])

            def slope(x: FloatArray) -> FloatArray:
                scores = cell_scores(x[None, :n], x[None, n:], np.array([at]))
                both = np.concatenate([scores.row_cuts, scores.column_cuts], axis=3)[0]
                gradient: FloatArray = -np.einsum("ij,ijq->q", table, both)
                return gradient

            options = {"gtol": 1e-9, "maxiter": 500}
            return float(optimize.minimize(cost, start, jac=slope, options=options).fun)

        values = [profile(r + step * d) for step in (-2, -1, 0, 1, 2)]
        # Five points: the error is of order d^4.
        found.append(float(np.dot([-1, 16, -30, 16, -1], values)) / (12 * d**2))
    return np.array(found)


def test_joint_fit_merges_the_cuts_of_a_category_nobody_chose() -> None:
    table = random_tables(11, (3, 3))[:1]
    start = two_step(table, *cuts_of(table))
    plain = joint_fit(table, start.rho, *cuts_of(table))
    for place in range(4):
        wide = np.insert(table, place, 0.0, axis=1)
        row_cuts = np.sort(np.append(cuts_of(table)[0], 0.1))[None]
        found = joint_fit(wide, start.rho, row_cuts, cuts_of(table)[1])
        assert_allclose(found.rho, plain.rho, atol=1e-9)
        assert_allclose(found.std_error, plain.std_error, rtol=1e-8)
        ends = np.r_[-np.inf, plain.row_cuts[0], np.inf]
        assert_allclose(found.row_cuts[0], np.insert(ends, place, ends[place])[1:-1], atol=1e-8)


def test_joint_fit_of_a_perfect_association() -> None:
    counts = np.array([[[0.0, 37.0], [21.0, 1.0]]])
    row_cuts, column_cuts = np.array([[0.3]]), np.array([[-0.4]])  # of other rows than these
    fits = joint_fit(counts, np.array([-0.98]), row_cuts, column_cuts)
    assert fits.at_limit.all()
    assert fits.converged.all()
    assert_allclose(fits.rho, -LIMIT)
    assert np.isnan(fits.std_error).all()


def test_rules_for_empty_cells() -> None:
    one = np.array([[[5.0, 0.0], [3.0, 8.0]]])
    other = np.array([[[5.0, 2.0], [3.0, 0.0]]])
    two = np.array([[[5.0, 0.0], [0.0, 8.0]]])
    large = np.array([[[5.0, 0.0, 2.0], [0.0, 3.0, 8.0]]])
    assert_array_equal(filled(one, "lavaan")[0], [[4.5, 0.5], [3.5, 7.5]])
    assert_array_equal(filled(other, "lavaan")[0], [[5.5, 1.5], [2.5, 0.5]])
    assert_array_equal(filled(two, "lavaan"), two)
    assert_array_equal(filled(large, "lavaan"), large)
    assert_array_equal(filled(one, "psych")[0], [[5, 0.5], [3, 8]])
    assert_array_equal(filled(large, "psych"), large)
    assert_array_equal(filled(large, "add_half")[0], [[5, 0.5, 2], [0.5, 3, 8]])
    for table in (one, other, two, large):
        assert_array_equal(filled(table, "none"), table)
        assert_array_equal(filled(table, "lavaan").sum(axis=1), table.sum(axis=1))
    assert_array_equal(filled(one, "psych", 3.0)[0], [[5, 3], [3, 8]])


def test_codes_are_places_among_the_categories() -> None:
    x = np.array([[1.0, 10.0], [3.0, np.nan], [2.0, 20.0], [9.0, 5.0]])
    found = coded(x, [np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0])])
    assert_array_equal(found, [[0, 0], [2, -1], [1, 1], [-1, -1]])


def test_pairs_in_the_order_of_reading() -> None:
    first, second = pairs_of(3)
    assert_array_equal(first, [0, 0, 1])
    assert_array_equal(second, [1, 2, 2])
