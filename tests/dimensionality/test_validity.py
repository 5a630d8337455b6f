"""Validity: semTools' and lavaan's numbers, properties, and what a reader is told."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.dimensionality import cfa, given_correlations
from collabsurvey.dimensionality.htmt import htmt
from collabsurvey.dimensionality.sem import validity_kernels as kernels
from collabsurvey.dimensionality.sem.compile import build
from collabsurvey.dimensionality.sem.model import Model
from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.dimensionality.sem.validity_kernels import Measurement
from collabsurvey.dimensionality.validity import validity
from collabsurvey.dimensionality.validity_result import ValidityResult
from collabsurvey.errors import (
    CollabSurveyWarning,
    DataError,
    FewClustersWarning,
    KeyingWarning,
    NotEnoughDataError,
    NotEnoughItemsError,
    NotSupportedError,
    OptionError,
    UnknownNameError,
)
from collabsurvey.numerics import htmt as ratios
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.responses import from_frame
from support import REFERENCE, dataset, gold, matrix

STORED = json.loads((REFERENCE / "validity.json").read_text(encoding="utf-8"))
GOLD = gold("05_cfa")["ave_cr_htmt_hs1939"]["values"]
ITERATED = 1e-5  # semTools' numbers follow from estimates that lavaan iterates to about 2e-6
CLOSED = 1e-10

THREE = {"visual": ["x1", "x2", "x3"], "textual": ["x4", "x5", "x6"], "speed": ["x7", "x8", "x9"]}
HS = [item for items in THREE.values() for item in items]
MODEL = "\n".join(f"{name} =~ {' + '.join(items)}" for name, items in THREE.items())


@dataclass(frozen=True)
class Fitted:
    """A model at stored estimates: what `validity` asks of a result."""

    model: Model
    theta: FloatArray
    samples: Sequence[Sample]
    vcov: FloatArray | None = None
    missing: str = "listwise"
    group: str | None = None
    converged: bool = True


def sample_of(data: pd.DataFrame) -> Sample:
    return Sample(float(len(data)), np.cov(data.to_numpy().T, bias=True), data.mean().to_numpy())


def at_estimates(text: str, entry: dict[str, Any], data: pd.DataFrame) -> Fitted:
    """A model of one group at the estimates of a gold entry."""
    model = build(text)
    stored = {(row["lhs"], row["op"], row["rhs"]): row["est"] for row in entry["estimates"]}
    free = [one for one in model.parameters if one.free]
    theta = np.array([stored[one.lhs, one.op, one.rhs] for one in free])
    vcov = None
    if "vcov" in entry:
        names = [f"{one.lhs}{one.op}{one.rhs}" for one in free]
        vcov = matrix(entry["vcov"]).loc[names, names].to_numpy()
    return Fitted(model, theta, [sample_of(data[list(model.blocks[0].observed)])], vcov)


@cache
def hs1939() -> Fitted:
    entry = gold("05_cfa")["cfa_ml_hs1939"]["values"]
    return at_estimates(MODEL, entry, dataset("hs1939"))


@cache
def result_of_hs1939() -> ValidityResult:
    return validity(hs1939())


@cache
def with_intervals() -> ValidityResult:
    return validity(hs1939(), data=dataset("hs1939"), n_boot=500)


def measured(
    loadings: Any, *, factor_cov: Any = None, residual_cov: Any = None, sample_cov: Any = None
) -> Measurement:
    """Items i0, i1, … and factors f0, f1, …; residual variances make items vary by 1."""
    own = np.asarray(loadings, dtype=float)
    k, m = own.shape
    phi = np.eye(m) if factor_cov is None else np.asarray(factor_cov, dtype=float)
    true = own @ phi @ own.T
    rest = np.diag(1 - np.diag(true)) if residual_cov is None else np.asarray(residual_cov)
    return Measurement(
        items=tuple(f"i{j}" for j in range(k)),
        factors=tuple(f"f{j}" for j in range(m)),
        loadings=own,
        factor_cov=phi,
        residual_cov=rest,
        sample_cov=true + rest if sample_cov is None else np.asarray(sample_cov),
    )


def same_factors(a: pd.DataFrame, b: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(a, b, rtol=1e-9)


# Stored values.


@pytest.mark.parametrize(
    ("stored", "column"),
    [
        ("AVE", "ave_observed"),
        ("compRelSEM", "omega_observed"),
        ("AVE_from_std", "ave"),
        ("CR_from_std", "composite_reliability"),
    ],
)
def test_factors_as_semtools_has_them(stored: str, column: str) -> None:
    found = result_of_hs1939().factors.set_index("factor")[column]
    assert_allclose(found[list(GOLD[stored])], list(GOLD[stored].values()), rtol=ITERATED)


def test_reliability_as_semtools_has_it() -> None:
    expected = matrix(GOLD["reliability"])
    found = result_of_hs1939().factors.set_index("factor").loc[expected.columns]
    names = {
        "alpha": "alpha",
        "omega": "omega_total",
        "omega2": "omega_model",
        "omega3": "omega_observed",
        "avevar": "ave_raw",
    }
    assert list(expected.index) == list(names)
    assert_allclose(found[list(names.values())].T, expected, rtol=ITERATED)
    assert_allclose(found["alpha"], expected.loc["alpha"], rtol=CLOSED)


def test_maximal_reliability_as_semtools_finds_it() -> None:
    found = result_of_hs1939().overall
    assert_allclose(found["maximal_reliability"], [GOLD["maximalRelia"]], rtol=ITERATED)
    assert found["n"].tolist() == [301.0]


@pytest.mark.parametrize(
    ("stored", "quantity", "absolute"),
    [
        ("htmt_classic", "htmt", True),
        ("htmt_classic_signed", "htmt", False),
        ("htmt2", "htmt2", True),
    ],
)
def test_htmt_as_semtools_has_it(stored: str, quantity: str, absolute: bool) -> None:
    expected = matrix(GOLD[stored])
    after = validity(hs1939(), absolute=absolute).matrix(quantity)
    without = htmt(dataset("hs1939"), THREE, n_boot=0, absolute=absolute).matrix(quantity)
    for found in (after, without):
        assert list(found.columns) == list(found.index) == list(expected.columns)
        assert_allclose(found, expected, rtol=CLOSED)


def test_loadings_and_correlations_as_lavaan_has_them() -> None:
    expected = matrix(GOLD["std_loadings"])
    result = result_of_hs1939()
    assert result.loadings["item"].tolist() == list(expected.index)
    found = result.loadings.pivot_table(values="loading", index="item", columns="factor")
    found = found.fillna(0.0)
    assert_allclose(found.loc[expected.index, expected.columns], expected, rtol=ITERATED)
    phi = matrix(GOLD["factor_cor"])
    assert_allclose(result.matrix("correlation"), phi, rtol=ITERATED)


def test_every_stored_value_is_walked() -> None:
    walked = {"AVE", "compRelSEM", "AVE_from_std", "CR_from_std", "reliability", "maximalRelia"}
    walked |= {"htmt_classic", "htmt_classic_signed", "htmt2", "factor_cor", "std_loadings"}
    assert walked == set(GOLD)


def test_errors_are_those_of_lavaans_defined_parameters() -> None:
    stored = STORED["delta"]
    result = result_of_hs1939()
    factors = result.factors.set_index("factor")
    for factor in ("visual", "speed"):
        for column, name in (("ave", "ave"), ("composite_reliability", "cr")):
            expected = stored[f"{name}_{factor}"]
            assert_allclose(factors.loc[factor, column], expected["estimate"], rtol=ITERATED)
            error = factors.loc[factor, f"{column}_std_error"]
            assert_allclose(error, expected["std_error"], rtol=1e-4)
    pair = result.pairs.set_index(["factor_1", "factor_2"]).loc[("visual", "speed")]
    expected = stored["r_visual_speed"]
    assert_allclose(pair["correlation_std_error"], expected["std_error"], rtol=1e-4)
    # On Fisher's z: limits that lie as far apart, but never beyond 1.
    z = 1.959963984540054 * expected["std_error"] / (1 - expected["estimate"] ** 2)
    limits = np.tanh(np.arctanh(expected["estimate"]) + np.array([-z, z]))
    found = pair[["correlation_ci_low", "correlation_ci_high"]].astype(float)
    assert_allclose(found, limits, rtol=1e-4)


def test_an_item_of_two_factors_and_residuals_that_correlate() -> None:
    stored = STORED["crossed"]
    own = Measurement(
        items=tuple(stored["lambda"]["rows"]),
        factors=tuple(stored["lambda"]["cols"]),
        loadings=matrix(stored["lambda"]).to_numpy(dtype=float),
        factor_cov=matrix(stored["psi"]).to_numpy(dtype=float),
        residual_cov=matrix(stored["theta"]).to_numpy(dtype=float),
        sample_cov=matrix(stored["sample_cov"]).to_numpy(dtype=float),
    )
    expected = matrix(stored["reliability"])
    total, model, observed = kernels.omegas(own)
    assert_allclose(kernels.alpha(own), expected.loc["alpha"].astype(float), rtol=CLOSED)
    assert_allclose(total, expected.loc["omega"].astype(float), rtol=CLOSED)
    assert_allclose(model, expected.loc["omega2"].astype(float), rtol=CLOSED)
    assert_allclose(observed, expected.loc["omega3"].astype(float), rtol=CLOSED)
    assert_allclose(observed, list(stored["compRelSEM"].values()), rtol=CLOSED)
    assert_allclose(kernels.standardised(own), matrix(stored["std_loadings"]), rtol=CLOSED)
    # semTools gives no avevar of factors that share items.
    raw = kernels.raw_variance_extracted(own, own.cov)
    assert_allclose(raw[1], float(expected.loc["avevar", "textual"]), rtol=CLOSED)
    # semTools searches for the weights and stops close to the best ones.
    assert_allclose(kernels.maximal_reliability(own), stored["maximalRelia"], rtol=1e-6)


def test_a_factor_of_factors_as_semtools_has_it() -> None:
    entry = gold("05_cfa")["cfa_second_order_hs1939"]["values"]
    fitted = at_estimates(f"{MODEL}\ng =~ visual + textual + speed", entry, dataset("hs1939"))
    result = validity(fitted)
    (row,) = result.higher_order.to_dict("records")
    assert row["factor"] == "g"
    assert row["factors"] == ("visual", "textual", "speed")
    found = [row["omega_items"], row["omega_factors"], row["omega_partial"]]
    assert_allclose(found, list(entry["reliabilityL2"].values()), rtol=ITERATED)
    relations = entry["compRelSEM_higher"]
    assert_allclose(row["omega_observed"], relations["g"], rtol=ITERATED)
    factors = result.factors.set_index("factor")["omega_observed"]
    assert list(factors.index) == list(THREE)  # g has no items of its own
    assert_allclose(factors, [relations[name] for name in THREE], rtol=ITERATED)


BFI = {name: [f"{name[0].upper()}{i}" for i in range(1, 6)] for name in ("agree", "neuro", "extra")}


@pytest.mark.parametrize("kind", ["pearson", "polychoric"])
def test_htmt_of_reversed_and_ordered_items_as_semtools_has_it(kind: Any) -> None:
    stored = STORED["htmt_bfi"]
    found = htmt(dataset("bfi"), BFI, n_boot=0, correlation=kind)
    ending = "_ordered" if kind == "polychoric" else ""
    # lavaan's polychorics are good to about 1e-6.
    tolerance = 2e-6 if kind == "polychoric" else CLOSED
    classic = matrix(stored["classic_ordered" if ending else "classic"])
    assert_allclose(found.matrix("htmt"), classic, rtol=tolerance)
    assert_allclose(found.matrix("htmt2"), matrix(stored[f"htmt2{ending}"]), rtol=tolerance)
    assert found.n == stored["n"]


def test_signed_htmt_turns_reversed_items() -> None:
    answers = from_frame(dataset("bfi"), scales=BFI, reverse_keyed=["A1", "E1", "E2"])
    found = htmt(answers, n_boot=0, absolute=False)
    assert_allclose(found.matrix(), matrix(STORED["htmt_bfi"]["signed_turned"]), rtol=CLOSED)
    assert found.matrix().loc["agree", "neuro"] < 0
    # Without signs the key makes no difference.
    plain = htmt(dataset("bfi"), BFI, n_boot=0)
    assert_allclose(htmt(answers, n_boot=0).matrix(), plain.matrix(), rtol=CLOSED)
    turned = dataset("bfi")[[item for items in BFI.values() for item in items]].dropna()
    r = turned.assign(A1=-turned["A1"])[BFI["agree"]].corr().to_numpy()
    assert_allclose(found.average_r["agree"], r[np.triu_indices(5, 1)].mean(), rtol=CLOSED)


# Properties.


def perfect(between: float, within: Sequence[float], sizes: Sequence[int]) -> FloatArray:
    """Correlations of parallel items: `within` each scale, and those of factors at `between`."""
    load = np.sqrt(np.repeat(within, sizes))
    home = np.repeat(np.arange(len(sizes)), sizes)
    cor = np.outer(load, load) * np.where(home[:, None] == home, 1.0, between)
    np.fill_diagonal(cor, 1.0)
    return cor


@given(
    between=st.floats(-0.95, 0.95, allow_subnormal=False),
    within=st.lists(st.floats(0.1, 0.9), min_size=2, max_size=4),
    sizes=st.lists(st.integers(2, 5), min_size=4, max_size=4),
)
def test_parallel_items_give_the_correlation_of_the_factors(
    between: float, within: list[float], sizes: list[int]
) -> None:
    sizes = sizes[: len(within)]
    member = np.repeat(np.eye(len(within), dtype=bool), sizes, axis=0)
    cor = perfect(between, within, sizes)
    expected = np.where(np.eye(len(within), dtype=bool), 1.0, between)
    # Products of numbers near the smallest that a computer has lose their digits.
    tiny = 1e-200
    assert_allclose(ratios.htmt(cor, member, absolute=False), expected, rtol=1e-9, atol=tiny)
    assert_allclose(ratios.htmt(cor, member), np.abs(expected), rtol=1e-9, atol=tiny)
    assert_allclose(ratios.htmt2(cor, member), np.abs(expected), rtol=1e-9, atol=1e-200)


def test_unequal_loadings_leave_htmt2_right() -> None:
    loads = np.array([0.9, 0.5, 0.7, 0.8, 0.4, 0.6])
    home = np.repeat([0, 1], 3)
    cor = np.outer(loads, loads) * np.where(home[:, None] == home, 1.0, 0.6)
    np.fill_diagonal(cor, 1.0)
    member = np.eye(2, dtype=bool)[home]
    assert_allclose(ratios.htmt2(cor, member)[0, 1], 0.6, rtol=1e-12)
    assert ratios.htmt(cor, member)[0, 1] > 0.6  # tau-equivalence does not hold


def test_a_stack_is_its_matrices_one_by_one() -> None:
    rng = np.random.default_rng(3)
    cors = np.array([np.corrcoef(rng.standard_normal((7, 40))) for _ in range(5)])
    member = rng.random((7, 3)) < 0.5
    member[:2] = True  # two items of all
    for function in (ratios.htmt, ratios.htmt2):
        one_by_one = [function(cor, member) for cor in cors]
        assert_allclose(function(cors, member), one_by_one, rtol=1e-12)
        assert_allclose(cors, cors)
        order = rng.permutation(7)
        turned = function(cors[:, order][:, :, order], member[order])
        assert_allclose(turned, one_by_one, rtol=1e-10)


def test_shared_items_are_left_out_between_scales() -> None:
    rng = np.random.default_rng(5)
    cor = np.corrcoef(rng.standard_normal((5, 60)) + rng.standard_normal(60))
    member = np.array([[1, 0], [1, 0], [1, 1], [0, 1], [0, 1]], dtype=bool)
    pairs = [cor[i, j] for i in (0, 1, 2) for j in (2, 3, 4) if i != j]
    assert_allclose(ratios.pair_means(cor, member)[0, 1], np.mean(pairs), rtol=1e-12)


def test_neither_units_nor_the_factors_scale_matter() -> None:
    own = measured(
        [[0.8, 0], [0.7, 0], [0.6, 0], [0, 0.5], [0, 0.9]], factor_cov=[[1, 0.4], [0.4, 1]]
    )
    unit, factor = np.array([1.0, 20.0, 0.1, 3.0, 7.0]), np.array([2.0, 0.5])
    other = replace(
        own,
        loadings=own.loadings * unit[:, None] / factor,
        factor_cov=own.factor_cov * np.outer(factor, factor),
        residual_cov=own.residual_cov * np.outer(unit, unit),
        sample_cov=own.sample_cov * np.outer(unit, unit),
    )
    for function in (
        kernels.average_variance_extracted,
        kernels.composite_reliability,
        kernels.coefficient_h,
        kernels.maximal_reliability,
        kernels.factor_correlations,
        kernels.standardised,
    ):
        assert_allclose(function(other), function(own), rtol=CLOSED)


def test_figures_that_can_be_done_by_hand() -> None:
    own = measured([[0.8], [0.7], [0.6]])
    assert_allclose(kernels.average_variance_extracted(own), (0.64 + 0.49 + 0.36) / 3)
    assert_allclose(kernels.composite_reliability(own), 4.41 / (4.41 + 0.36 + 0.51 + 0.64))
    h = 0.64 / 0.36 + 0.49 / 0.51 + 0.36 / 0.64
    assert_allclose(kernels.coefficient_h(own), h / (1 + h))
    # Of one factor the best sum of all items is the best sum of its own.
    assert_allclose(kernels.maximal_reliability(own), h / (1 + h))
    total, model, observed = kernels.omegas(own)
    assert_allclose([total, model, observed], np.full((3, 1), 4.41 / (4.41 + 1.51)))
    assert_allclose(kernels.raw_variance_extracted(own, own.cov), 1.49 / 3)


def test_equal_loadings_make_alpha_composite_reliability() -> None:
    own = measured(np.full((4, 1), 0.6))
    assert_allclose(kernels.alpha(own), kernels.composite_reliability(own), rtol=CLOSED)
    assert_allclose(kernels.omegas(own)[0], kernels.alpha(own), rtol=CLOSED)


def test_a_reversed_item_changes_nothing_once_turned() -> None:
    data = dataset("hs1939")[HS]
    flipped = data.assign(x2=-data["x2"])
    base = hs1939()
    theta = base.theta.copy()
    names = [f"{p.lhs}{p.op}{p.rhs}" for p in base.model.parameters if p.free]
    theta[names.index("visual=~x2")] *= -1
    turned = replace(base, theta=theta, samples=[sample_of(flipped)], vcov=None)
    with pytest.warns(KeyingWarning, match=r"x2 \(visual, −0.42\)"):
        found = validity(turned, data=flipped, absolute=False, n_boot=100)
    expected = validity(replace(base, vcov=None), data=data, absolute=False, n_boot=100)
    same_factors(found.factors, expected.factors)
    pd.testing.assert_frame_equal(found.pairs, expected.pairs)
    assert_allclose(found.overall["maximal_reliability"], expected.overall["maximal_reliability"])
    assert any("such items turned" in note for note in found.notes)


def test_ordered_items_do_not_depend_on_the_parameterisation() -> None:
    text = "f =~ a + b + c\ng =~ d + e"
    ordered = dict.fromkeys("abcde", 2)
    delta = build(text, ordered=ordered)
    theta = build(text, ordered=ordered, parameterization="theta")
    loads = {"f": {"b": 0.9, "c": 1.2}, "g": {"e": 1.1}}
    variance = {("f", "f"): 0.4, ("g", "g"): 0.3, ("f", "g"): 0.1}

    def values(model: Model, scale: dict[str, float]) -> FloatArray:
        found = []
        for one in model.parameters:
            if not one.free:
                continue
            if one.op == "=~":
                marker = {"f": "a", "g": "d"}[one.lhs]
                found.append(loads[one.lhs][one.rhs] * scale[one.rhs] / scale[marker])
            elif one.op == "~~":
                a, b = {"f": "a", "g": "d"}[one.lhs], {"f": "a", "g": "d"}[one.rhs]
                found.append(variance[one.lhs, one.rhs] * scale[a] * scale[b])
            else:
                found.append(0.2)
        return np.array(found)

    # Under theta residuals have variance 1, so latent responses vary by 1 / (1 - R²).
    communality = {"a": 0.4, "b": 0.324, "c": 0.576, "d": 0.3, "e": 0.363}
    scale = {item: (1 - h) ** -0.5 for item, h in communality.items()}
    cov = np.eye(5) * 0.6 + 0.4
    one = kernels.measurement(delta, 0, values(delta, dict.fromkeys("abcde", 1.0)), cov)
    two = kernels.measurement(theta, 0, values(theta, scale), cov)
    assert_allclose(np.diag(one.cov), 1.0)
    assert_allclose(two.cov, one.cov, rtol=CLOSED)
    for function in (kernels.standardised, kernels.composite_reliability, kernels.alpha):
        assert_allclose(function(two), function(one), rtol=CLOSED)
    assert_allclose(kernels.average_variance_extracted(one)[0], (0.4 + 0.324 + 0.576) / 3)


def test_an_item_that_also_depends_on_a_covariate_keeps_its_loading() -> None:
    model = build("f =~ a + b + c\na ~ x", fixed_x=False)
    values = {"=~b": 0.8, "=~c": 0.7, "a~x": 0.3, "f~~f": 1.0, "x~~x": 1.0}
    theta = np.array(
        [values.get(f"{p.op}{p.rhs}" if p.op == "=~" else f"{p.lhs}{p.op}{p.rhs}", 0.5)
         for p in model.parameters if p.free]
    )  # fmt: skip
    given_model = kernels.measurement(model, 0, theta, np.eye(4))
    assert given_model.items == ("a", "b", "c")
    assert_allclose(given_model.loadings[:, 0], [1.0, 0.8, 0.7])
    assert_allclose(given_model.residual_cov[0, 0], 0.5 + 0.09)


# Intervals.


def test_limits_of_htmt_come_from_resampled_people() -> None:
    result = with_intervals()
    pairs = result.pairs
    for name in ("htmt", "htmt2"):
        assert pairs[name].between(pairs[f"{name}_ci_low"], pairs[f"{name}_ci_high"]).all()
    assert result.n_boot == 500
    assert "Intervals: 95% percentile limits of 500 resamples of respondents." in result.notes
    # The same answers without the model give the same limits.
    alone = htmt(dataset("hs1939"), THREE, n_boot=500).pairs
    columns = [name for name in alone.columns if name.startswith("htmt")]
    pd.testing.assert_frame_equal(alone[columns], pairs[columns])
    other = htmt(dataset("hs1939"), THREE, n_boot=500, seed=2).pairs
    assert_allclose(other[columns], alone[columns], atol=0.04)
    assert not np.allclose(other["htmt_ci_low"], alone["htmt_ci_low"], rtol=0, atol=1e-12)
    narrow = htmt(dataset("hs1939"), THREE, n_boot=500, conf_level=0.8).pairs
    assert (narrow["htmt_ci_low"] > alone["htmt_ci_low"]).all()


def test_limits_from_a_plain_loop_over_resamples() -> None:
    from collabsurvey.moments.resampled import resampler

    data = dataset("hs1939")
    answers = from_frame(data, scales=THREE)
    rows = resampler(answers, HS, cluster=None)
    found = []
    for block in rows.weights(200, seed=9):
        for weight in block:
            again = np.repeat(rows.x, weight.astype(int), axis=0)
            r = np.abs(np.corrcoef(again.T))
            own = [r[3 * f : 3 * f + 3, 3 * f : 3 * f + 3] for f in range(3)]
            mean = [(square.sum() - 3) / 6 for square in own]
            found.append(r[:3, 3:6].mean() / np.sqrt(mean[0] * mean[1]))
    pair = htmt(answers, n_boot=200, seed=9).pairs.iloc[0]
    assert_allclose(
        pair[["htmt_ci_low", "htmt_ci_high"]].astype(float), np.quantile(found, [0.025, 0.975])
    )


def clustered(n_schools: int, staff: int = 20) -> pd.DataFrame:
    """Two scales of three items whose relation differs from school to school."""
    rng = np.random.default_rng(11)
    school = np.repeat(np.arange(n_schools), staff)
    shared = rng.standard_normal((n_schools, 1))[school] * 1.2
    factors = rng.standard_normal((len(school), 2)) + shared
    items = np.repeat(factors, 3, axis=1) + 0.8 * rng.standard_normal((len(school), 6))
    return pd.DataFrame(items, columns=list("abcdef")).assign(school=school)


TWO = {"trust": ["a", "b", "c"], "safety": ["d", "e", "f"]}


def test_schools_are_drawn_whole_where_the_data_have_them() -> None:
    data = clustered(24)
    answers = from_frame(data, scales=TWO, roles={"cluster": "school"})
    found = htmt(answers, n_boot=300)
    alone = htmt(answers, n_boot=300, cluster=None)
    assert found.n_clusters == 24
    assert alone.n_clusters is None

    def width(result: Any) -> float:
        return float((result.pairs["htmt_ci_high"] - result.pairs["htmt_ci_low"]).iloc[0])

    assert width(found) > 1.5 * width(alone)
    said = "Intervals: 95% percentile limits of 300 resamples of whole clusters (24 of 'school')."
    assert said in found.notes
    named = htmt(data, TWO, cluster="school", n_boot=300)
    pd.testing.assert_frame_equal(named.pairs, found.pairs)
    with pytest.warns(FewClustersWarning, match="Only 6 clusters"):
        htmt(clustered(6), TWO, cluster="school", n_boot=100)


def test_polychoric_limits() -> None:
    some = dataset("bfi").iloc[:250]
    scales = {"agree": ["A2", "A3", "A5"], "extra": ["E3", "E4", "E5"]}
    found = htmt(some, scales, correlation="polychoric", n_boot=100).pairs.iloc[0]
    assert found["htmt_ci_low"] < found["htmt"] < found["htmt_ci_high"]
    plain = htmt(some, scales, n_boot=100).pairs.iloc[0]
    assert_allclose(found["htmt"], plain["htmt"], atol=0.05)


def test_other_rows_than_those_of_the_model_are_refused() -> None:
    with pytest.raises(DataError, match="fitted to 301 rows, and these data have 300"):
        validity(hs1939(), data=dataset("hs1939").iloc[1:])
    with pytest.raises(UnknownNameError, match="x9"):
        validity(hs1939(), data=dataset("hs1939").drop(columns="x9"))


def test_incomplete_rows_and_mixed_items() -> None:
    data = dataset("hs1939")
    data.loc[:9, "x1"] = np.nan
    result = validity(replace(hs1939(), missing="fiml"), data=data, n_boot=100)
    assert "The intervals of HTMT rest on the rows that have every item." in result.notes
    model = build("f =~ a + b\ng =~ c + d", ordered={"a": 2})
    theta = np.full(model.n_free, 0.3)
    mixed = Fitted(model, theta, [Sample(200.0, np.eye(4), None)])
    with pytest.raises(NotSupportedError, match="ordered items together with measurements"):
        validity(mixed, data=pd.DataFrame(np.eye(4), columns=list("abcd")))


def test_a_correlation_near_one_is_a_severe_problem() -> None:
    theta = hs1939().theta.copy()
    names = [f"{p.lhs}{p.op}{p.rhs}" for p in hs1939().model.parameters if p.free]
    theta[names.index("visual~~speed")] = 0.53  # a correlation of .95
    result = validity(replace(hs1939(), theta=theta))
    assert any("a severe problem" in note for note in result.notes)
    assert (result.pairs["correlation_ci_high"] < 1).all()


# Groups, and models that are unusual.


def test_groups_one_below_the_other() -> None:
    data = dataset("hs1939")
    schools = ["Pasteur", "Grant-White"]
    model = build(MODEL, groups=schools)
    parts = [data[data["school"] == name] for name in schools]
    fitted = Fitted(
        model=model,
        theta=group_theta(model),
        samples=[sample_of(part[list(model.blocks[0].observed)]) for part in parts],
        group="school",
    )
    result = validity(fitted, data=data, n_boot=100)
    assert result.factors["group"].tolist() == ["Pasteur"] * 3 + ["Grant-White"] * 3
    for name, part in zip(schools, parts, strict=True):
        alone = htmt(part, THREE, n_boot=100)
        found = result.pairs[result.pairs["group"] == name].reset_index(drop=True)
        columns = [c for c in alone.pairs.columns if c.startswith("htmt")]
        pd.testing.assert_frame_equal(found[columns], alone.pairs[columns])
        assert_allclose(result.matrix("htmt2", group=name), alone.matrix("htmt2"), rtol=CLOSED)
    assert any(note.startswith("Pasteur: ") for note in result.notes)
    assert "Pasteur" in result.summary()
    assert "visual – textual (Pasteur)" in result.chart().description
    with pytest.raises(OptionError, match="Grant-White"):
        result.matrix("htmt")
    with pytest.raises(DataError, match="no rows of the group 'Grant-White'"):
        validity(fitted, data=parts[0], n_boot=100)


def group_theta(model: Model) -> FloatArray:
    """Estimates of all pupils in each group, intercepts at zero."""
    entry = gold("05_cfa")["cfa_ml_hs1939"]["values"]["estimates"]
    stored = {(row["lhs"], row["op"], row["rhs"]): row["est"] for row in entry}
    free = [one for one in model.parameters if one.free]
    return np.array([stored.get((one.lhs, one.op, one.rhs), 0.0) for one in free])


def small(text: str, values: dict[str, float], cov: Any) -> Fitted:
    """A model at given values; a name is lhs, op and rhs, other variances .5."""
    model = build(text)
    free = [one for one in model.parameters if one.free]
    theta = np.array([values.get(f"{one.lhs}{one.op}{one.rhs}", 0.5) for one in free])
    return Fitted(model, theta, [Sample(200.0, np.asarray(cov, dtype=float), None)])


def test_a_factor_of_one_item_is_named_and_left_blank() -> None:
    cov = np.eye(4) * 0.6 + 0.4
    fitted = small("trust =~ a + b + c\nsize =~ d", {"trust~~size": 0.1}, cov)
    with pytest.warns(CollabSurveyWarning, match="size: one item, so AVE"):
        result = validity(fitted)
    factors = result.factors.set_index("factor")
    assert np.isnan(
        factors.loc["size", ["ave", "alpha", "omega_total", "average_r"]].astype(float)
    ).all()
    assert np.isfinite(factors.loc["trust", "ave"])
    (pair,) = result.pairs.to_dict("records")
    assert pair["reading"] == "not defined"
    assert pair["fornell_larcker"] is None
    assert "HTMT is not defined for trust and size." in result.notes
    assert "nan" not in result.summary()


def test_a_factor_of_two_items_is_rough() -> None:
    cov = np.eye(5) * 0.6 + 0.4
    fitted = small("trust =~ a + b + c\ncalm =~ d + e", {}, cov)
    with pytest.warns(CollabSurveyWarning, match="calm: two items"):
        result = validity(fitted)
    assert np.isfinite(result.pairs["htmt"]).all()
    (sentence,) = [
        n
        for n in htmt(clustered(20), {"x": ["a", "b"], "y": ["d", "e", "f"]}, n_boot=0).notes
        if "two items" in n
    ]
    assert sentence.startswith("x: two items")


def test_one_factor_has_nothing_to_be_told_apart_from() -> None:
    result = validity(small("trust =~ a + b + c", {}, np.eye(3) * 0.6 + 0.4))
    assert len(result.pairs) == 0
    assert "One factor: there is nothing to tell it apart from." in result.notes
    assert result.factors["closest"].tolist() == [None]
    assert result.chart().title == "Loadings of the items on their factor"
    assert "HTMT" not in result.summary()
    result.plot()


def test_two_levels_and_models_without_items_are_refused() -> None:
    model = replace(hs1939().model, levels=2)
    with pytest.raises(NotSupportedError, match="two-level"):
        validity(replace(hs1939(), model=model))
    with pytest.raises(DataError, match="No factor of this model has items"):
        validity(small("y ~ x", {}, np.eye(2)))


def test_what_went_wrong_in_the_model_is_said_first() -> None:
    result = validity(replace(hs1939(), converged=False))
    assert result.notes[0] == "The model did not converge: do not use these numbers."
    theta = hs1939().theta.copy()
    names = [f"{p.lhs}{p.op}{p.rhs}" for p in hs1939().model.parameters if p.free]
    theta[names.index("x1~~x1")] = -0.1
    result = validity(replace(hs1939(), theta=theta))
    assert any(note.startswith("Improper: x1 has a loading above 1") for note in result.notes)
    assert np.isnan(result.factors["coefficient_h"][0])


# What a reader is told.


@pytest.mark.parametrize(
    ("between", "reading", "start"),
    [
        (0.3, "different", "trust and safety measure different things: HTMT 0.30"),
        (0.87, "hard to tell apart", "Hard to tell apart (HTMT .85 to .90): trust and safety"),
        (0.97, "not told apart", "Not told apart (HTMT .90 or more): trust and safety"),
    ],
)
def test_the_question_is_answered_first(between: float, reading: str, start: str) -> None:
    cor = given_correlations(
        pd.DataFrame(
            perfect(between, [0.5, 0.5], [3, 3]), index=list("abcdef"), columns=list("abcdef")
        ),
        n=200,
    )
    result = htmt(cor, TWO)
    assert result.pairs["reading"].tolist() == [reading]
    assert result.notes[0].startswith(start)
    assert "No intervals: they need the answers, and these are correlations." in result.notes
    assert "Henseler, Ringle & Sarstedt, 2015" in " ".join(result.notes)


def test_an_interval_that_reaches_the_line_leaves_doubt() -> None:
    rng = np.random.default_rng(1)
    factors = rng.multivariate_normal([0, 0], [[1, 0.75], [0.75, 1]], 80)
    items = np.repeat(factors, 3, axis=1) + rng.standard_normal((80, 6))
    result = htmt(pd.DataFrame(items, columns=list("abcdef")), TWO, n_boot=300)
    assert result.pairs["reading"].tolist() == ["probably different"]
    assert result.notes[0].startswith("Probably different, but the interval reaches .85")


def test_sentences_about_hs1939() -> None:
    notes = with_intervals().notes
    assert notes[0] == (
        "Less than half of what varies in the items comes from their factor, which is the "
        "customary least (AVE of .50; Fornell & Larcker, 1981): visual 0.37, speed 0.43."
    )
    assert notes[1].startswith("Composite reliability below .70, the customary least")
    assert notes[2] == (
        "All 3 pairs of scales measure different things: every interval ends below .85, and the "
        "highest is 0.47 (visual and speed)."
    )
    assert notes[3].startswith("Fornell–Larcker holds for every pair")
    assert not any("hand in the answers" in note for note in notes)
    assert any("hand in the answers" in note for note in result_of_hs1939().notes)


def test_fornell_larcker_fails_where_factors_share_more_than_their_items() -> None:
    values = {
        "f~~f": 0.3,
        "g~~g": 0.3,
        "f~~g": 0.285,
        "f=~b": 1.0,
        "f=~c": 1.0,
        "g=~e": 1.0,
        "g=~h": 1.0,
    }
    fitted = small("f =~ a + b + c\ng =~ d + e + h", values, perfect(0.95, [0.4, 0.4], [3, 3]))
    result = validity(fitted)
    (pair,) = result.pairs.to_dict("records")
    assert pair["fornell_larcker"] is False
    assert_allclose(pair["shared_variance"], 0.95**2)
    assert any(
        n.startswith("Fornell–Larcker fails where") and "f and g (shared 0.90)" in n
        for n in result.notes
    )
    assert any("f and g (0.95, a moderate problem)" in n for n in result.notes)


def test_tables_and_charts() -> None:
    result = with_intervals()
    text = result.summary()
    assert text.startswith("Do the items belong together, and are the factors different things?")
    assert "AVE" in text
    pairs = result.pairs_table().to_text()
    assert "visual – speed" in pairs
    assert "Fornell–Larcker" in pairs
    chart = result.chart()
    assert "Lines at .85 and .90 (Henseler, Ringle & Sarstedt, 2015)" in chart.description
    svg = chart.to_svg()
    assert ".85" in svg
    assert ".90" in svg
    alone = htmt(dataset("hs1939"), THREE, n_boot=100)
    assert alone.summary().startswith("Do the scales measure different things?")
    assert alone.chart().to_svg().count("visual – speed") >= 1
    assert list(alone.to_frame().columns)[:3] == ["factor_1", "factor_2", "htmt"]
    with pytest.raises(OptionError, match="htmt2"):
        alone.matrix("reading")


# Bad input to htmt.


def test_what_htmt_refuses() -> None:
    data = dataset("hs1939")
    with pytest.raises(OptionError, match="mapping of scale to items"):
        htmt(data)
    with pytest.raises(NotEnoughItemsError, match="'size'"):
        htmt(data, {"visual": ["x1", "x2"], "size": ["x9"]})
    with pytest.raises(NotEnoughDataError, match="at least 2 scales"):
        htmt(data, {"visual": ["x1", "x2"]})
    with pytest.raises(UnknownNameError, match="x12"):
        htmt(data, {"visual": ["x1", "x12"], "speed": ["x7", "x8"]})
    with pytest.raises(OptionError, match="n_boot"):
        htmt(data, THREE, n_boot=10)
    with pytest.raises(OptionError, match="absolute"):
        htmt(data, THREE, absolute="no")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="conf_level"):
        htmt(data, THREE, conf_level=95)
    with pytest.raises(NotSupportedError, match="pairwise"):
        htmt(data, THREE, missing="pairwise")
    assert htmt(data, THREE, missing="pairwise", n_boot=0).n == 301


def test_scales_of_an_instrument_without_their_totals() -> None:
    scales = {**THREE, "all": HS, "single": ["x1"]}
    answers = from_frame(dataset("hs1939"), scales=scales)
    result = htmt(answers, n_boot=0)
    assert list(result.scales) == list(THREE)
    assert "Totals of other scales are left out: all." in result.notes
    assert "Scales of a single item have no HTMT and are left out: single." in result.notes
    some = htmt(answers, ["visual", "speed"], n_boot=0)
    assert some.pairs["factor_2"].tolist() == ["speed"]
    with pytest.raises(UnknownNameError, match="visuals"):
        htmt(answers, ["visuals", "speed"])
    shared = htmt(answers, ["visual", "all"], n_boot=0)
    assert any("Items that two scales share" in note for note in shared.notes)


def test_signed_htmt_of_scales_that_do_not_hold_together_is_not_defined() -> None:
    cor = perfect(0.3, [0.4, 0.4], [3, 3])
    cor[0, 1:3] = cor[1:3, 0] = -0.4
    frame = pd.DataFrame(cor, index=list("abcdef"), columns=list("abcdef"))
    result = htmt(given_correlations(frame, n=100), TWO, absolute=False)
    assert result.pairs["reading"].tolist() == ["not defined"]
    assert any(note == "HTMT is not defined for trust and safety." for note in result.notes)


def test_no_warning_for_an_ordinary_model() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        validity(hs1939())


def test_a_bifactor_model_is_not_read() -> None:
    rng = np.random.default_rng(8)
    n = 900
    general, specific = rng.normal(size=(n, 1)), rng.normal(size=(n, 3))
    x = 0.6 * general + 0.5 * np.repeat(specific, 4, axis=1) + 0.6 * rng.normal(size=(n, 12))
    names = [f"y{i + 1}" for i in range(12)]
    parts = [names[:4], names[4:8], names[8:]]
    text = "\n".join(
        f"{factor} =~ {' + '.join(items)}"
        for factor, items in zip(["g", "a", "b", "c"], [names, *parts], strict=True)
    )
    fit = cfa(pd.DataFrame(x, columns=names), text, orthogonal=True)
    result = validity(fit)
    assert set(result.pairs["reading"]) == {"not meant for this model"}
    said = [note for note in result.notes if "not meant for a bifactor model" in note]
    assert len(said) == 1
    assert "g has those of a, b, c" in said[0]
    for words in ("different things", "Fornell–Larcker holds", "Less than half", "Cut-offs"):
        assert not any(words in note for note in result.notes)
    assert result.pairs_table().notes == ()


def test_data_are_no_fitted_model() -> None:
    with pytest.raises(DataError, match=r"takes the result of cfa\(\).*a DataFrame"):
        validity(dataset("hs1939"))  # type: ignore[arg-type]
