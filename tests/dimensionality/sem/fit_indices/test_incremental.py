from __future__ import annotations

from math import isnan

from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.dimensionality.sem.fit_indices.incremental import (
    cfi,
    ifi,
    nfi,
    pnfi,
    rfi,
    rni,
    tli,
)

statistics = st.floats(0.0, 1e5)
counts = st.integers(1, 500)


@given(x=statistics, df=counts, more=counts, null=statistics)
def test_cfi_is_rni_kept_between_0_and_1(x: float, df: int, more: int, null: float) -> None:
    found = cfi(x, df, null, df + more)
    assert 0.0 <= found <= 1.0
    free = rni(x, df, null, df + more)
    if null > df + more and 0.0 <= free <= 1.0:
        assert_allclose(found, free, atol=1e-7)


@given(x=st.floats(1.0, 1e4), df=counts, more=counts, far=st.floats(1.1, 1e3))
def test_definitions_in_terms_of_each_other(x: float, df: int, more: int, far: float) -> None:
    null_df = df + more
    null = far * (x + null_df)
    assert_allclose(
        pnfi(x, df, null, null_df), df / null_df * nfi(x, df, null, null_df), rtol=1e-12
    )
    # TLI compares chi-square per degree of freedom (Tucker & Lewis, 1973)
    by_ratio = (null / null_df - x / df) / (null / null_df - 1)
    assert_allclose(tli(x, df, null, null_df), by_ratio, rtol=1e-9, atol=1e-9)
    # and so does RFI, with 0 instead of 1 for the best
    assert_allclose(rfi(x, df, null, null_df), 1 - x / df / (null / null_df), atol=1e-12)


@given(x=st.floats(1.0, 1e4), df=counts, more=counts, factor=st.floats(0.2, 5.0))
def test_a_factor_is_a_change_of_unit(x: float, df: int, more: int, factor: float) -> None:
    null_df = df + more
    null = 3 * (x + null_df)
    for index in (cfi, tli, rni):
        plain = index(x, df, null, null_df)
        scaled = index(
            factor * x, df, factor * null, null_df, factor=factor, baseline_factor=factor
        )
        assert_allclose(scaled, plain, rtol=1e-9, atol=1e-9)


def test_a_model_without_degrees_of_freedom() -> None:
    assert cfi(0.0, 0, 100.0, 10) == 1.0
    assert isnan(tli(0.0, 0, 100.0, 10))
    assert isnan(rfi(0.0, 0, 100.0, 10))
    assert nfi(0.0, 0, 100.0, 10) == 1.0


def test_a_baseline_that_fits_better_than_the_model() -> None:
    assert cfi(50.0, 20, 40.0, 30) == 0.0
    assert cfi(10.0, 20, 20.0, 30) == 1.0  # both better than expected
    assert rfi(90.0, 20, 60.0, 30) < 0.0
    assert isnan(ifi(5.0, 20, 15.0))
    assert isnan(nfi(90.0, 40, 60.0, 30))  # less degrees of freedom than the model


def test_an_unknown_statistic_has_unknown_indices() -> None:
    nan = float("nan")
    assert isnan(cfi(nan, 10, 100.0, 20))
    assert isnan(cfi(30.0, 10, 100.0, 20, factor=nan))
    assert isnan(tli(30.0, 10, nan, 20))
    assert isnan(rni(30.0, 10, 20.0, 20))  # divides by nothing
