from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from collabsurvey.dimensionality.sem.chi_square import robust_misfit
from collabsurvey.dimensionality.sem.fit_indices.measures import (
    LAVAAN_NAMES,
    fit_measures,
    two_level_minimum,
)
from dimensionality.sem.fit_indices.stored_fits import StoredFit, stored_fits

FITS = {fit.name: fit for fit in stored_fits()}
RESIDUALS = ("rmr", "srmr", "crmr")  # given to the function here, see test_residual.py
UNIROOT = 1.3e-4  # R's uniroot stops this near to the noncentrality


def measured(stored: StoredFit) -> dict[str, float]:
    """All indices, by lavaan's names, from the stored tests."""
    test, baseline = stored.test(), stored.test("baseline.")
    known = not (stored.ordinal or stored.missing)
    minimum = None
    if stored.two_level:
        minimum = two_level_minimum(stored.value("logl"), stored.n, 6)
    found = fit_measures(
        test,
        baseline,
        n=stored.n,
        n_groups=stored.n_groups,
        n_parameters=int(stored.fit["npar"]),
        residuals={n: stored.value(n) for n in stored.fit if n.startswith(RESIDUALS)},
        n_less_groups=stored.least_squares or "wishart" in stored.name,
        likelihood=stored.likelihood(),
        robust=robust_misfit(test) if known else None,
        robust_baseline=robust_misfit(baseline) if known else None,
        gfi=float(stored.fit.get("gfi", np.nan)),
        n_moments=stored.n_moments,
        ordinal=stored.ordinal,
        minimum=minimum,
    )
    return {LAVAAN_NAMES[name]: value for name, value in found.items()}


@pytest.mark.parametrize("name", FITS)
def test_indices_agree_with_lavaan(name: str) -> None:
    stored = FITS[name]
    found = measured(stored)
    for index in stored.fit:
        if (stored.ordinal or stored.missing) and index.endswith(".robust"):
            continue  # see test_robust.py
        if index in ("ntotal",) and stored.least_squares:
            continue
        ours, theirs = found[index], stored.value(index)
        if index.startswith("rmsea.ci.") and index != "rmsea.ci.level":
            unit = stored.n * stored.value("df") / stored.n_groups
            assert abs(ours**2 - theirs**2) * unit < UNIROOT * 2, index
            continue
        assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9, equal_nan=True, err_msg=index)


@pytest.mark.parametrize("name", FITS)
def test_every_index_of_lavaan_is_there_and_no_other(name: str) -> None:
    stored = FITS[name]
    found = set(measured(stored))
    wanted = set(stored.fit) | {"ntotal"}
    if stored.missing:  # robust without a corrected test: only with its own ingredients
        found = {one for one in found if not one.endswith(".robust")}
        wanted = {one for one in wanted if not one.endswith(".robust")}
    assert found == wanted


def test_names_are_one_to_one() -> None:
    assert len(set(LAVAAN_NAMES.values())) == len(LAVAAN_NAMES)
    assert all(name.isidentifier() for name in LAVAAN_NAMES)


def test_names_of_the_design() -> None:
    names = "chi2 df p_value cfi tli rmsea rmsea_ci_low rmsea_ci_high srmr loglik aic bic"
    suffixed = "chi2_scaled cfi_scaled cfi_robust tli_robust rmsea_robust rmsea_ci_low_robust"
    assert set(names.split()) | set(suffixed.split()) <= set(LAVAAN_NAMES)


def test_every_name_can_be_returned() -> None:
    returned = {name for fit in FITS.values() for name in measured(fit)}
    assert returned == set(LAVAAN_NAMES.values())
