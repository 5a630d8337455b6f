"""Equivalence tests of steps against the authors' own program, and by what defines them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import chndtr

from collabsurvey.dimensionality.sem.fit_indices.rmsea import rmsea_interval
from collabsurvey.invariance.equivalence import (
    CONVENTIONAL,
    adjusted_cutoffs,
    size_label,
    t_size_rmsea,
)
from support import REFERENCE

STORED = json.loads((REFERENCE / "equivalence.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("row", STORED["cutoffs"])
def test_adjusted_cutoffs(row: dict[str, Any]) -> None:
    found = adjusted_cutoffs(row["df"], n=row["N"], n_groups=row["m"])
    assert_allclose(found, row["cutoffs"], rtol=1e-9)


@pytest.mark.parametrize("row", STORED["sizes"])
def test_t_size(row: dict[str, float]) -> None:
    """The authors expand the noncentrality in a series (Venables, 1975), good to some per mille."""
    found = t_size_rmsea(row["T"], row["df"], n=row["N"], n_groups=row["m"])
    assert_allclose(found, row["rmsea_t"], rtol=5e-3)


def test_the_statistic_is_at_the_lower_end_of_what_the_t_size_implies() -> None:
    size = t_size_rmsea(28.446, 24, n=200, n_groups=2, factor=1.0)
    noncentrality = size**2 * 24 * (200 - 2) / 2
    assert_allclose(chndtr(28.446, 24, noncentrality), 0.05, rtol=1e-8)


def test_it_is_the_upper_limit_of_rmsea_with_n_less_groups() -> None:
    upper = rmsea_interval(28.446, 24, 200 - 2, n_groups=2)[1]
    assert_allclose(t_size_rmsea(28.446, 24, n=200, n_groups=2), upper, rtol=1e-10)


def test_a_factor_scales_the_noncentrality() -> None:
    plain = t_size_rmsea(28.446, 24, n=200, n_groups=2)
    assert_allclose(t_size_rmsea(28.446, 24, n=200, n_groups=2, factor=4.0), 2 * plain)


def test_what_cannot_be_known() -> None:
    assert np.isnan(t_size_rmsea(3.0, 0, n=200, n_groups=2))
    assert np.isnan(t_size_rmsea(float("nan"), 3, n=200, n_groups=2))
    assert t_size_rmsea(1.0, 24, n=200, n_groups=2) == 0.0
    assert size_label(float("nan"), CONVENTIONAL) == ""


def test_more_than_five_groups_have_the_conventional_cutoffs() -> None:
    assert adjusted_cutoffs(9, n=900, n_groups=6) == CONVENTIONAL


@pytest.mark.parametrize(
    ("size", "label"),
    [(0.0, "excellent"), (0.02, "close"), (0.06, "fair"), (0.09, "mediocre"), (0.2, "poor")],
)
def test_labels(size: float, label: str) -> None:
    assert size_label(size, CONVENTIONAL) == label
