"""Moments with gaps beside lavaan, Little's test, and the robust covariance."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import collabsurvey as cs
from collabsurvey.errors import DataError, NotEnoughDataError, WeightsNotAppliedError
from collabsurvey.numerics.em_normal import em_moments, gap_patterns, observed_distances
from collabsurvey.numerics.mcd import consistency, mcd
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.quality import little_mcar
from support import BFI_SCALES, REFERENCE, dataset

ITEMS = [item for items in BFI_SCALES.values() for item in items]
STORED: dict[str, Any] = json.loads((REFERENCE / "missing.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("entry", "items"), [("bfi25", ITEMS), ("bfi_agree", ITEMS[:5])])
def test_em_is_lavaans_saturated_model(entry: str, items: list[str]) -> None:
    found = em_moments(dataset("bfi")[items].to_numpy(float))
    stored = STORED[entry]
    # Both iterate to the same optimum; lavaan stops at a change of 1e-13 of the likelihood.
    assert_allclose(found.mean, stored["mean"], rtol=1e-8)
    assert_allclose(found.cov, stored["cov"], atol=1e-8)
    assert_allclose(found.loglik, stored["loglik"], rtol=1e-12)
    assert found.converged
    assert not found.singular
    assert found.n_patterns == stored["little"]["n_patterns"]


@pytest.mark.parametrize(("entry", "scale"), [("bfi25", None), ("bfi_agree", "agree")])
def test_little_from_lavaans_moments(entry: str, scale: str | None) -> None:
    responses = cs.from_frame(dataset("bfi"), scales=BFI_SCALES, response_range=(1, 6))
    found = little_mcar(responses, scale)
    stored = STORED[entry]["little"]
    assert_allclose(found.statistic, stored["statistic"], rtol=1e-8)
    assert found.df == stored["df"]
    assert_allclose(found.p_value, stored["p_value"], rtol=1e-6)
    assert_allclose(found.pattern_statistic.sum(), found.statistic)


def numbers(text: str) -> list[float]:
    return [float(part) if part != "-" else np.nan for part in text.split()]


ENDERS = pd.DataFrame(  # Enders (2010) Applied Missing Data Analysis, table 1.1
    {
        "iq": numbers("78 84 84 85 87 91 92 94 94 96 99 105 105 106 108 112 113 115 118 134"),
        "wellbeing": numbers("13 9 10 10 - 3 12 3 13 - 6 12 14 10 - 10 14 14 12 11"),
        "performance": numbers("- - - - - - - - - - 7 10 11 15 10 10 12 14 16 12"),
    }
)


def test_little_of_a_textbook() -> None:
    """Enders (2010), p. 21: chi-squared(5) = 14.63, p = .01."""
    found = little_mcar(cs.from_frame(ENDERS, scales={"job": list(ENDERS)}))
    assert round(found.statistic, 2) == 14.63
    assert found.df == 5
    assert round(found.p_value, 2) == 0.01
    assert_allclose(found.statistic_unbiased, found.statistic * 19 / 20)
    assert "not missing completely at random" in found.summary()
    assert list(found.to_frame()["covariance"]) == ["maximum likelihood", "divisor n - 1"]
    assert "4 patterns" not in found.chart().description


@given(seed=st.integers(0, 10_000), share=st.floats(0.05, 0.4), repeat=st.integers(1, 30))
@settings(max_examples=30)
def test_em_stands_still_at_its_optimum(seed: int, share: float, repeat: int) -> None:
    """One more step, written out row by row, does not move it; repeated rows weigh more only."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 3)) + rng.normal(size=(40, 3))
    x[rng.random(x.shape) < share] = np.nan
    x[:8] = rng.normal(size=(8, 3))
    found = em_moments(np.repeat(x, repeat, axis=0), max_iterations=5000)
    mean, cov = found.mean, found.cov
    first, second, loglik, n = np.zeros(3), np.zeros((3, 3)), 0.0, 0
    for row in x:
        there, gap = ~np.isnan(row), np.isnan(row)
        if not there.any():
            continue
        n += 1
        inverse = np.linalg.inv(cov[np.ix_(there, there)])
        off = row[there] - mean[there]
        slope = cov[np.ix_(gap, there)] @ inverse
        full = np.where(there, row, 0.0)
        full[gap] = mean[gap] + slope @ off
        first += full
        second += np.outer(full, full)
        second[np.ix_(gap, gap)] += cov[np.ix_(gap, gap)] - slope @ cov[np.ix_(there, gap)]
        size = there.sum() * np.log(2 * np.pi) - np.linalg.slogdet(inverse)[1]
        loglik -= 0.5 * (size + off @ inverse @ off)
    assert found.n == n * repeat
    assert_allclose(mean, first / n, atol=1e-6)
    assert_allclose(cov, second / n - np.outer(first, first) / n**2, atol=1e-6)
    assert_allclose(found.loglik, loglik * repeat, rtol=1e-9)


def test_em_of_complete_rows_is_their_covariance() -> None:
    x = dataset("bfi")[ITEMS].dropna().to_numpy(float)
    found = em_moments(x)
    assert_allclose(found.mean, x.mean(axis=0), rtol=1e-12)
    assert_allclose(found.cov, np.cov(x, rowvar=False, ddof=0), atol=1e-10)
    assert found.n_patterns == 1


def test_em_far_from_zero_keeps_its_digits() -> None:
    x = dataset("bfi")[ITEMS[:5]].to_numpy(float)
    near, far = em_moments(x), em_moments(x + 1e7)
    assert_allclose(far.cov, near.cov, atol=1e-6)
    assert_allclose(far.mean - 1e7, near.mean, atol=1e-7)


def test_distances_of_what_was_answered() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(50, 4))
    cov = np.cov(x, rowvar=False)
    x[rng.random(x.shape) < 0.3] = np.nan
    x[7] = np.nan
    found, n_answered = observed_distances(x, np.zeros(4), cov)
    for row, squared, n in zip(x, found, n_answered, strict=True):
        there = ~np.isnan(row)
        assert n == there.sum()
        if n:
            part = row[there]
            expected = part @ np.linalg.inv(cov[np.ix_(there, there)]) @ part
            assert_allclose(squared, expected, rtol=1e-10)
    assert np.isnan(found[7])


def test_patterns_come_most_frequent_first() -> None:
    answered = np.array([[1, 0], [1, 1], [1, 1], [0, 1], [1, 1], [0, 1]], dtype=bool)
    found = gap_patterns(answered)
    assert_array_equal(found.n_rows, [3, 2, 1])
    assert_array_equal(found.answered, [[True, True], [False, True], [True, False]])
    assert_array_equal(found.answered[found.which], answered)


def test_mcd_is_robustbases() -> None:
    stored = STORED["hs1939_mcd"]
    x = dataset("hs1939")[[f"x{i}" for i in range(1, 10)]].to_numpy(float)
    found = mcd(x, seed=1)
    assert len(found.best) == stored["h"]
    # The search is random: the subset may be second best, the reweighted rows are the same.
    assert stored["raw_log_det"] - 1e-9 <= found.raw_log_det <= stored["raw_log_det"] + 0.02
    assert_allclose(found.mean, stored["center"], rtol=1e-8)
    # robustbase scales by the share of rows kept, which odd rows make smaller; here by .975.
    factor = consistency(0.975, 9) / consistency(found.n_used / len(x), 9)
    assert_allclose(found.cov, np.array(stored["cov"]) * factor, rtol=1e-8)


def test_mcd_withstands_a_quarter_of_odd_rows_and_is_seeded() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(400, 4))
    x[:80] = rng.normal(size=(80, 4)) * 0.1 + 8
    found, again = mcd(x, seed=4), mcd(x, seed=4)
    assert_array_equal(found.cov, again.cov)
    assert np.abs(found.mean).max() < 0.25
    assert found.best.min() >= 80
    assert_allclose(np.diag(found.cov), 1, atol=0.25)
    assert_allclose(consistency(1.0, 5), 1.0)


def test_mcd_says_when_most_rows_lie_in_a_plane() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(100, 3))
    x[:90, 2] = x[:90, 0]
    assert mcd(x, seed=1).singular


def frame(x: FloatArray, **roles: str) -> cs.Responses:
    data = pd.DataFrame(x, columns=[f"i{j}" for j in range(x.shape[1])])
    items = list(data)
    data["w"] = 1.0
    return cs.from_frame(data, scales={"s": items}, roles=roles)


def test_little_refuses_what_it_cannot_test() -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(1, 6, size=(30, 3)).astype(float)
    with pytest.raises(DataError, match="nothing is missing"):
        little_mcar(frame(x))
    x[0, 0] = np.nan
    with pytest.raises(WeightsNotAppliedError, match="Little's test"):
        little_mcar(frame(x, weight="w"))
    with pytest.raises(NotEnoughDataError, match="at least 2 items"):
        little_mcar(frame(x), ["i0"])
    with pytest.raises(NotEnoughDataError, match="at least 5 rows"):
        little_mcar(frame(x[:3]))
    apart = x.copy()
    apart[:15, 0], apart[15:, 1] = np.nan, np.nan
    with pytest.raises(DataError, match="nobody answered both.*i0 with i1"):
        little_mcar(frame(apart))
    flat = x.copy()
    flat[:, 1] = 2
    with pytest.raises(DataError, match="do not vary.*i1"):
        little_mcar(frame(flat))
    same = x.copy()
    same[:, 1] = same[:, 0]
    same[5, 2] = np.nan
    with pytest.raises(DataError, match="singular.*i1 follow"):
        little_mcar(frame(same))
