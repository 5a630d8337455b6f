"""The indices beside careless 1.2.2, and what must hold of them whatever the answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import chdtri

from collabsurvey.numerics import careless
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.quality.distance import plain_moments, row_distances
from support import BFI_SCALES, dataset, gold

RTOL = 1e-8  # the stored values have 15 digits; closed forms in both programs
GOLD = gold("12_careless_responding")
ITEMS = [item for items in (BFI_SCALES[name] for name in BFI_SCALES) for item in items]
BLOCKS = [list(range(start, start + 5)) for start in range(0, 25, 5)]


@pytest.fixture(scope="module")
def answers() -> FloatArray:
    """Complete rows of bfi, item by item (25, 2436)."""
    return np.ascontiguousarray(dataset("bfi")[ITEMS].dropna().to_numpy(float).T)


def check(found: Any, stored: dict[str, Any]) -> None:
    """Every number stored of a column: count, moments, first rows, extremes, order."""
    found = np.asarray(found, dtype=float)
    known = found[~np.isnan(found)]
    assert len(known) == stored["n"]
    assert np.isnan(found).sum() == stored["n_na"]
    first = [np.nan if value is None else value for value in stored["first30"]]
    assert_allclose(found[:30], first, rtol=RTOL, atol=1e-12)
    assert_allclose(known.mean(), stored["mean"], rtol=RTOL)
    assert_allclose(known.std(ddof=1), stored["sd"], rtol=RTOL)
    assert_allclose(known.sum(), stored["sum"], rtol=RTOL)
    assert_allclose((known**2).sum(), stored["sumsq"], rtol=RTOL)
    assert_allclose([known.min(), known.max()], [stored["min"], stored["max"]], atol=1e-12)
    # Positions of the ten largest: ties may stand in another order, so values are compared.
    top = found[np.array(stored["order_top10"]) - 1]
    ends = np.sort(known)[::-1][:10]
    assert_allclose(np.sort(top)[::-1], ends, rtol=RTOL, atol=1e-12)


def test_longstring(answers: FloatArray) -> None:
    stored = GOLD["longstring_bfi25"]["values"]
    longest, average = careless.longest_runs(answers)
    check(longest, stored["longstr"])
    check(average, stored["avgstr"])


def test_irv(answers: FloatArray) -> None:
    check(careless.row_moments(answers)[1], GOLD["irv_bfi25"]["values"])


def test_mahalanobis(answers: FloatArray) -> None:
    stored = GOLD["mahad_bfi25"]["values"]
    found = row_distances(answers, ITEMS, robust=False, seed=1)
    check(found.squared, stored["d2"])
    assert_allclose(chdtri(25, 0.01), stored["cut"], rtol=RTOL)
    assert (found.p_value < 0.01).sum() == stored["n_flagged"]
    assert found.notes == ()


def test_even_odd(answers: FloatArray) -> None:
    found, n_scales = careless.even_odd(answers, BLOCKS, np.ones(25), np.zeros(25))
    check(found, GOLD["evenodd_bfi25"]["values"])
    assert_array_equal(n_scales, 5)


def test_synonyms(answers: FloatArray) -> None:
    stored = GOLD["psychsyn_bfi25"]["values"]
    correlations = careless.item_correlations(answers)
    pairs = careless.item_pairs(correlations, 0.55)
    assert [(ITEMS[i], ITEMS[j]) for i, j in pairs] == [
        (pair["Var1"], pair["Var2"]) for pair in stored["pairs"]
    ]
    assert len(pairs) == stored["numPairs"]
    mean = careless.row_moments(answers)[0]
    check(careless.pair_correlations(answers, mean, pairs)[0], stored["cor"])
    lower = correlations[np.tril_indices(25, -1)]
    top = [pair["cor"] for pair in stored["critval_top10"]]
    assert_allclose(np.sort(lower)[::-1][:10], top, rtol=RTOL)
    for pair in stored["critval_top10"]:
        i, j = ITEMS.index(pair["var1"]), ITEMS.index(pair["var2"])
        assert_allclose(correlations[i, j], pair["cor"], rtol=RTOL)


def test_antonyms_but_for_rows_that_careless_redraws(answers: FloatArray) -> None:
    """careless ran with resample_na=TRUE: for rows without variation in one member of the pairs
    it swaps members at random until there is some. These are blank here (12 against 4)."""
    stored = GOLD["psychant_bfi25"]["values"]
    pairs = careless.item_pairs(careless.item_correlations(answers), -0.35)
    assert {(ITEMS[i], ITEMS[j]) for i, j in pairs} == {
        (pair["Var1"], pair["Var2"]) for pair in stored["pairs"]
    }
    mean = careless.row_moments(answers)[0]
    found, n_pairs = careless.pair_correlations(answers, mean, pairs)
    assert_array_equal(n_pairs, 9)
    blank = np.isnan(found)
    redrawn = int(blank.sum()) - stored["cor"]["n_na"]
    assert redrawn == 8
    assert_allclose(found[:30], stored["cor"]["first30"], rtol=RTOL)
    # A row that can be redrawn varies within its pairs; the other four cannot.
    first, second = answers[[i for i, _ in pairs]], answers[[j for _, j in pairs]]
    assert (first != second)[:, blank].any(axis=0).sum() == redrawn
    # What the stored sums leave for the redrawn rows are correlations: at most 1 each.
    assert abs(stored["cor"]["sum"] - np.nansum(found)) <= redrawn
    assert 0 <= stored["cor"]["sumsq"] - np.nansum(found**2) <= redrawn


def test_a_run_passes_over_missing_answers() -> None:
    rows = np.array([[3, 3, np.nan, 3, 2], [1, 2, 2, 2, np.nan], [np.nan] * 5], dtype=float)
    longest, average = careless.longest_runs(np.ascontiguousarray(rows.T))
    assert_array_equal(longest, [3, 3, 0])
    assert_allclose(average, [2.0, 2.0, np.nan])


def test_straight_lines_over_reversed_items() -> None:
    rows = np.array(
        [
            [5, 5, 5, 5],  # against itself
            [3, 3, 3, 3],  # the middle turned round is the middle
            [5, 5, np.nan, np.nan],  # two items say little
            [5, np.nan, 5, 5],
            [5, 5, 4, 5],
            [np.nan] * 4,
        ]
    )
    found = careless.straight_scales(
        np.ascontiguousarray(rows.T), [[0, 1, 2, 3]], [1, -1, 1, -1], np.full(4, 3.0)
    )
    assert_array_equal(found, [1, 0, 0, 1, 0, 0])


def test_person_total_leaves_the_own_answers_out() -> None:
    rng = np.random.default_rng(3)
    rows = rng.integers(1, 6, size=(7, 6)).astype(float)
    rows[2, 1] = np.nan
    answers = np.ascontiguousarray(rows.T)
    found, n_items = careless.person_total(answers, careless.row_moments(answers)[0])
    for i, row in enumerate(rows):
        others = np.nanmean(np.delete(rows, i, axis=0), axis=0)
        known = ~np.isnan(row)
        assert_allclose(found[i], np.corrcoef(row[known], others[known])[0, 1], rtol=1e-10)
        assert n_items[i] == known.sum()


codes = st.sampled_from([1.0, 2.0, 3.0, np.nan])


@st.composite
def rows_of_answers(draw: st.DrawFn) -> FloatArray:
    n, k = draw(st.integers(1, 12)), draw(st.integers(1, 8))
    return np.array(draw(st.lists(st.lists(codes, min_size=k, max_size=k), min_size=n, max_size=n)))


@given(rows=rows_of_answers())
@settings(max_examples=200)
def test_duplicates_are_those_of_pandas(rows: FloatArray) -> None:
    frame = pd.DataFrame(rows)
    whole = frame.groupby(list(frame.columns), dropna=False)[0].transform("size")
    expected = np.where(np.isnan(rows).all(axis=1), 0, whole - 1)
    assert_array_equal(careless.duplicate_rows(np.ascontiguousarray(rows.T)), expected)


@given(rows=rows_of_answers())
@settings(max_examples=200)
def test_runs_one_row_at_a_time(rows: FloatArray) -> None:
    longest, average = careless.longest_runs(np.ascontiguousarray(rows.T))
    for i, row in enumerate(rows):
        known = row[~np.isnan(row)]
        if not len(known):
            assert longest[i] == 0
            assert np.isnan(average[i])
            continue
        ends = np.flatnonzero(np.append(known[1:] != known[:-1], True))
        lengths = np.diff(np.append(-1, ends))
        assert longest[i] == lengths.max()
        assert_allclose(average[i], lengths.mean())


@given(rows=rows_of_answers())
@settings(max_examples=200)
def test_item_correlations_are_those_of_pandas(rows: FloatArray) -> None:
    found = careless.item_correlations(np.ascontiguousarray(rows.T))
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = pd.DataFrame(rows).corr(min_periods=2).to_numpy()
    both = ~np.isnan(found)
    assert_array_equal(both, ~np.isnan(expected))
    assert_allclose(found[both], expected[both], atol=1e-12)


@given(rows=rows_of_answers(), shift=st.floats(-5, 5), unit=st.floats(0.1, 10))
def test_even_odd_does_not_depend_on_the_unit(rows: FloatArray, shift: float, unit: float) -> None:
    k = rows.shape[1]
    scales = [list(range(start, min(start + 2, k))) for start in range(0, k - 1, 2)]
    answers = np.ascontiguousarray(rows.T)
    plain, _ = careless.even_odd(answers, scales, np.ones(k), np.zeros(k))
    moved, _ = careless.even_odd(answers * unit + shift, scales, np.ones(k), np.zeros(k))
    assert_allclose(moved, plain, atol=1e-6)


def test_plain_moments_are_those_of_numpy(answers: FloatArray) -> None:
    mean, cov = plain_moments(answers.T)
    assert_allclose(mean, answers.mean(axis=1), rtol=1e-12)
    assert_allclose(cov, np.cov(answers), rtol=1e-10)
