"""Modification indices against lavaan 0.6.14, and where they are exact."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from tests.dimensionality.sem.fitted_models import HS, fitted

from collabsurvey.dimensionality.sem import estimate
from collabsurvey.dimensionality.sem.candidate_information import candidate_information
from collabsurvey.dimensionality.sem.candidates import candidates, only
from collabsurvey.dimensionality.sem.compile import build
from collabsurvey.dimensionality.sem.estimate import Fit
from collabsurvey.dimensionality.sem.implied import derivatives
from collabsurvey.dimensionality.sem.least_squares import LeastSquares, Stack, unit_weight
from collabsurvey.dimensionality.sem.model import Parameter
from collabsurvey.dimensionality.sem.modification import modification_indices
from collabsurvey.dimensionality.sem.moments import Derivatives, Discrepancy, Implied
from collabsurvey.dimensionality.sem.normal import Normal
from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.dimensionality.sem.start import start_values
from collabsurvey.numerics.typing import FloatArray
from support import REFERENCE, dataset, gold

STORED = json.loads((REFERENCE / "modification.json").read_text(encoding="utf-8"))["indices"]
COLUMNS = {"mi": "mi", "epc": "epc", "sepc_lv": "sepc.lv", "sepc_all": "sepc.all"}
COLUMNS["sepc_nox"] = "sepc.nox"
# lavaan stops where slopes are 1e-5 with its default optimiser (gold) or 1e-8 (stored here).
RTOL_GOLD, RTOL = 1e-5, 1e-6
COVARIATES = {"ageyr", "sex"}

Key = tuple[str, str, str, int]


def key_of(lhs: str, op: str, rhs: str, block: int) -> Key:
    if op == "~~":
        lhs, rhs = sorted((lhs, rhs))
    return lhs, op, rhs, block


def ours(name: str) -> dict[Key, dict[str, float]]:
    fit, discrepancy, n, _ = fitted(name)
    found = modification_indices(fit, discrepancy, n_respondents=n)
    return {
        key_of(one.lhs, one.op, one.rhs, one.block + 1): {
            column: float(getattr(found, column)[i]) for column in COLUMNS
        }
        for i, one in enumerate(found.parameters)
    }


def theirs(name: str) -> dict[Key, dict[str, float]]:
    table = STORED[name]
    rows = zip(table["lhs"], table["op"], table["rhs"], table["group"], strict=True)
    return {
        key_of(*row): {column: table[other][i] for column, other in COLUMNS.items()}
        for i, row in enumerate(rows)
    }


def compare(
    found: dict[Key, dict[str, float]],
    expected: dict[Key, dict[str, float]],
    rtol: float,
    columns: Sequence[str] = tuple(COLUMNS),
) -> None:
    for column in columns:
        wanted = np.array([one[column] for one in expected.values()])
        got = [found[key][column] for key in expected]
        assert_allclose(got, wanted, rtol=0, atol=rtol * np.abs(wanted).max(), err_msg=column)


@pytest.mark.parametrize(
    "name",
    ["second_order", "groups", "orthogonal", "wishart", "gls", "fiml", "theta",
     "categorical_groups", "two_level"],
)  # fmt: skip
def test_lists_and_numbers_are_those_of_lavaan(name: str) -> None:
    expected = theirs(name)
    found = ours(name)
    assert found.keys() == expected.keys()
    compare(found, expected, RTOL)


def test_estimated_covariates_are_variables_like_others() -> None:
    expected, found = theirs("random_covariates"), ours("random_covariates")
    assert found.keys() == expected.keys()
    compare(found, expected, RTOL, ("mi", "epc", "sepc_lv", "sepc_all"))
    # lavaan's nox leaves them out even so; here only covariates taken as given are.
    assert all(one["sepc_nox"] == one["sepc_all"] for one in found.values())


def test_covariates_as_given_are_those_of_lavaan_but_where_they_become_outcomes() -> None:
    expected, found = theirs("mimic"), ours("mimic")
    outcomes = {key for key in expected if key[0] in COVARIATES}
    assert found.keys() - outcomes == expected.keys() - outcomes
    compare(found, {key: expected[key] for key in expected.keys() - outcomes}, RTOL)
    # lavaan holds the covariates' moments fixed there; here they are as if estimated.
    estimated = ours("random_covariates")
    listed = {key: one for key, one in estimated.items() if key[0] in COVARIATES}
    assert found.keys() & outcomes == listed.keys()
    compare(found, listed, 1e-8, ("mi", "epc", "sepc_lv", "sepc_all"))


@pytest.mark.parametrize(
    ("entry", "name"), [("cfa_ml_hs1939", "hs"), ("cfa_wlsmv_bfi_NE", "wlsmv")]
)
def test_the_ten_largest_of_the_gold_models(entry: str, name: str) -> None:
    rows: list[dict[str, Any]] = gold("05_cfa")[entry]["values"]["modindices_top10"]
    expected = {
        key_of(row["lhs"], row["op"], row["rhs"], 1): {c: row[o] for c, o in COLUMNS.items()}
        for row in rows
    }
    found = ours(name)
    largest = sorted(found, key=lambda key: -found[key]["mi"])[:10]
    assert largest == list(expected)
    compare(found, expected, RTOL_GOLD)


def squares(text: str, sample: Sample) -> tuple[Fit, LeastSquares]:
    model = build(text)
    stack = Stack(np.zeros(len(sample.cov), dtype=bool), means=False)
    discrepancy = LeastSquares([sample], [unit_weight(sample.cov, stack)], [stack])
    return estimate.fit(model, discrepancy, start_values(model, [sample])), discrepancy


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_exact_where_moments_are_linear_in_the_parameters(seed: int) -> None:
    # With all loadings fixed, least squares are a parabola: the index is the whole gain of
    # freeing a covariance, and the expected change is the change.
    x = np.random.default_rng(seed).normal(size=(60, 7))
    x[:, :6] += x[:, [6]]
    names = [f"x{i}" for i in range(1, 7)]
    cov = np.cov(x[:, :6].T)
    text = "f =~ 1*x1 + 0.8*x2 + 1.1*x3\ng =~ 1*x4 + 0.7*x5 + 1*x6"
    first, discrepancy = squares(text, Sample(59.0, cov, None))
    found = modification_indices(first, discrepancy)
    at = {(one.lhs, one.op, one.rhs): i for i, one in enumerate(found.parameters)}
    assert len([key for key in at if key[1] == "~~"]) == len(names) * (len(names) - 1) // 2
    for pair in (("x1", "x2"), ("x3", "x5")):
        freed, _ = squares(f"{text}\n{pair[0]} ~~ {pair[1]}", Sample(59.0, cov, None))
        i = at[pair[0], "~~", pair[1]]
        place = [one for one in freed.model.parameters if one.free].index(
            next(one for one in freed.model.parameters if (one.lhs, one.rhs) == pair)
        )
        assert_allclose(found.mi[i], first.value - freed.value, rtol=1e-7, atol=1e-9)
        assert_allclose(found.epc[i], freed.theta[place], rtol=1e-7, atol=1e-9)


class Plain:
    """A discrepancy about which nothing but the protocol is known."""

    def __init__(self, inner: Discrepancy) -> None:
        self.value, self.slopes, self.curvature = inner.value, inner.slopes, inner.curvature
        self._inner = inner

    def information(
        self, implied: list[Implied], derivatives: list[Derivatives], n_free: int
    ) -> FloatArray:
        return self._inner.information(implied, derivatives, n_free)


@pytest.mark.parametrize("name", ["groups", "gls", "fiml", "theta", "categorical_groups"])
def test_looked_up_information_is_that_of_the_discrepancy(name: str) -> None:
    fit, discrepancy, _, _ = fitted(name)
    quick = candidate_information(fit, discrepancy)
    plain = candidate_information(fit, Plain(discrepancy))
    assert type(quick) is not type(plain)
    for family in candidates(fit.model):
        alone = only(fit.model.blocks[family.block], fit.theta, family)
        change = derivatives(alone, family.value)
        expected = plain.along(family.block, change)
        found = [quick.along(family.block, change)]
        if family.matrix == "residual_cov" and family.pairs:
            found.append(quick.pairs(family.block, family.row, family.column))
            if not fit.model.blocks[family.block].ordered:
                found.append(plain.pairs(family.block, family.row, family.column))
        for own, shared in found:
            assert_allclose(own, expected[0], rtol=1e-9, atol=1e-9)
            assert_allclose(shared, expected[1], rtol=1e-9, atol=1e-7)


def fitted_to(cov: FloatArray) -> dict[tuple[str, str, str], float]:
    model = build(HS)
    sample = Sample(301.0, cov, None)
    discrepancy = Normal([sample])
    fit = estimate.fit(model, discrepancy, start_values(model, [sample]))
    found = modification_indices(fit, discrepancy)
    return {(p.lhs, p.op, p.rhs): v for p, v in zip(found.parameters, found.mi, strict=True)}


def test_units_of_the_items_do_not_matter() -> None:
    x = dataset("hs1939")[[f"x{i}" for i in range(1, 10)]].to_numpy(float)
    unit = np.array([1, 10, 0.1, 2, 3, 5, 0.01, 1, 100.0])
    before, after = (fitted_to(np.cov((x * by).T, bias=True)) for by in (1.0, unit))
    assert before.keys() == after.keys()
    assert_allclose([after[key] for key in before], list(before.values()), rtol=1e-6, atol=1e-7)


def test_a_saturated_model_has_no_candidates() -> None:
    x = dataset("hs1939")[["x1", "x2", "x3"]].to_numpy(float)
    model = build("f =~ x1 + x2 + x3")
    sample = Sample(301.0, np.cov(x.T, bias=True), None)
    discrepancy = Normal([sample])
    found = modification_indices(
        estimate.fit(model, discrepancy, start_values(model, [sample])), discrepancy
    )
    assert found.parameters == ()
    assert found.mi.shape == found.sepc_all.shape == (0,)


def test_a_value_the_text_fixes_can_be_freed() -> None:
    x = dataset("hs1939")[["x1", "x2", "x3", "x4"]].to_numpy(float)
    model = build("f =~ x1 + 0.5*x2 + x3 + x4")
    sample = Sample(301.0, np.cov(x.T, bias=True), None)
    discrepancy = Normal([sample])
    found = modification_indices(
        estimate.fit(model, discrepancy, start_values(model, [sample])), discrepancy
    )
    freed = {(one.lhs, one.op, one.rhs): one for one in found.parameters}
    assert freed["f", "=~", "x2"] == Parameter("f", "=~", "x2", 0, False, 0.5)
    # Both fixed loadings set the unit: freeing either of them brings the same.
    index = {(p.lhs, p.op, p.rhs): v for p, v in zip(found.parameters, found.mi, strict=True)}
    assert_allclose(index["f", "=~", "x1"], index["f", "=~", "x2"], rtol=1e-8)
