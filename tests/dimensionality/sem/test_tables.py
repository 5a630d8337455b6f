"""Tables of models of many kinds against lavaanify() and semTools::measEq.syntax()."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.dimensionality.sem.table_cases import ENTRIES, NAMES, numbers, options_of

from collabsurvey.dimensionality.sem.compile import build, count_moments
from collabsurvey.dimensionality.sem.implied import implied
from collabsurvey.dimensionality.sem.model import Block


@pytest.mark.parametrize("entry", ENTRIES, ids=NAMES)
def test_table_is_lavaans(entry: dict[str, Any]) -> None:
    model = build(entry["model"]["text"], **options_of(entry["model"]))
    ours = [(p.lhs, p.op, p.rhs, p.block + 1, p.free, p.label) for p in model.parameters]
    rows = entry["rows"]
    # equal("f=~x3"): lavaan leaves the text as the label of one of the two
    labels = [".p3." if label == "f=~x3" else label for label in rows["label"]]
    columns = [rows[name] for name in ("lhs", "op", "rhs", "block", "free")]
    assert ours == list(zip(*columns, labels, strict=True))
    np.testing.assert_array_equal([p.value for p in model.parameters], numbers(rows["value"]))
    assert [p.exogenous for p in model.parameters] == rows["exogenous"]
    assert model.n_unique == entry["n_unique"]
    assert count_moments(model) - model.n_unique == entry["df"]


IMPLIED = [one for one in ENTRIES if one["implied"]]


@pytest.mark.parametrize("entry", IMPLIED, ids=[one["id"] for one in IMPLIED])
def test_matrices_imply_lavaans_moments(entry: dict[str, Any]) -> None:
    model = build(entry["model"]["text"], **options_of(entry["model"]))
    at = np.array(entry["rows"]["at"])
    theta = at[model.place >= 0]
    for number, (block, stored) in enumerate(zip(model.blocks, entry["implied"], strict=True)):
        of_covariates = {
            frozenset((one.lhs, one.rhs or "~1")): value
            for one, value in zip(model.parameters, at, strict=True)
            if one.exogenous and one.block == number and math.isnan(one.value)
        }
        ours = implied(with_moments(block, of_covariates), theta)
        assert list(block.observed) == stored["observed"]
        np.testing.assert_allclose(ours.cov, np.array(stored["cov"]), rtol=1e-10, atol=1e-14)
        if ours.thresholds is not None:
            np.testing.assert_allclose(ours.thresholds, stored["thresholds"], rtol=1e-10)
        if ours.mean is not None:
            numeric = ~block.is_ordered
            np.testing.assert_allclose(
                ours.mean[numeric], np.array(stored["mean"])[numeric], rtol=1e-10
            )


def with_moments(block: Block, moments: dict[frozenset[str], float]) -> Block:
    """Put the moments of covariates where the block waits for the sample's."""
    cov, means = block.factor_cov.fixed.copy(), block.factor_means.fixed.copy()
    for i, j in zip(*np.nonzero(np.isnan(cov)), strict=True):
        cov[i, j] = moments[frozenset((block.latent[i], block.latent[j]))]
    for (i,) in zip(*np.nonzero(np.isnan(means)), strict=True):
        means[i] = moments[frozenset((block.latent[i], "~1"))]
    return replace(
        block,
        factor_cov=replace(block.factor_cov, fixed=cov),
        factor_means=replace(block.factor_means, fixed=means),
    )
