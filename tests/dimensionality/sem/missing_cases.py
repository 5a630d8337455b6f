"""Confirmatory models and rows with gaps that the tests of FIML share."""

from __future__ import annotations

from typing import Any

import numpy as np

from collabsurvey.dimensionality.sem.compile import build
from collabsurvey.dimensionality.sem.missing import MissingNormal
from collabsurvey.dimensionality.sem.model import Model
from collabsurvey.dimensionality.sem.moments import Derivatives, Implied
from collabsurvey.numerics.typing import FloatArray
from support import dataset, gold

GOLD = gold("05_cfa")
ENTRIES = ("cfa_fiml_bfi_AC", "cfa_fiml_bfi25")


def stored(entry: str) -> dict[str, Any]:
    """Values of a gold entry."""
    values: dict[str, Any] = GOLD[entry]["values"]
    return values


def items_of(entry: str) -> list[str]:
    items: list[str] = stored(entry.replace("_mlr", ""))["em_sample_cov"]["rows"]
    return items


def bfi_rows(entry: str) -> FloatArray:
    return np.asarray(dataset("bfi")[items_of(entry)].to_numpy(dtype=float))


def simple_structure(entry: str) -> tuple[Model, FloatArray]:
    """The entry's model, five items a factor, and lavaan's estimates (n_free,) of it."""
    text = GOLD[entry.replace("_mlr", "")]["rows"].split("model: ")[1]
    model = build(text, means=True)
    est = {(row["lhs"], row["op"], row["rhs"]): row["est"] for row in stored(entry)["estimates"]}
    found = [est[one.lhs, one.op, one.rhs] for one in model.parameters if one.free]
    return model, np.array(found)


def errors_of(entry: str, model: Model) -> FloatArray:
    """Standard errors by lavaan of the free parameters (n_free,)."""
    se = {(row["lhs"], row["op"], row["rhs"]): row["se"] for row in stored(entry)["estimates"]}
    return np.array([se[one.lhs, one.op, one.rhs] for one in model.parameters if one.free])


def gappy(n: int, p: int, share: float, seed: int) -> FloatArray:
    """Correlated rows of different units, with answers missing at random places."""
    rng = np.random.default_rng(seed)
    x = (rng.normal(size=(n, p)) + rng.normal(size=(n, 1))) * np.arange(1, p + 1) + 3.0
    x[rng.random((n, p)) < share] = np.nan
    return np.asarray(x)


def some_point(p: int, seed: int = 0) -> Implied:
    """Moments that are not the sample's."""
    rng = np.random.default_rng(seed)
    size = np.arange(1, p + 1)
    load = rng.uniform(0.5, 1.2, size=p)
    cov = np.outer(load, load) + np.diag(rng.uniform(0.5, 1.5, size=p))
    return Implied(cov * np.outer(size, size), 3.0 + rng.normal(size=p), None)


def directions(p: int, f: int, seed: int = 1) -> Derivatives:
    """Parameters that move all moments."""
    rng = np.random.default_rng(seed)
    cov = rng.normal(size=(f, p, p))
    return Derivatives(np.arange(f), cov + cov.swapaxes(1, 2), rng.normal(size=(f, p)), None)


def moved(point: Implied, along: Derivatives, step: FloatArray) -> Implied:
    """Moments after a step (f,)."""
    assert point.mean is not None
    assert along.mean is not None
    return Implied(
        point.cov + np.tensordot(step, along.cov, 1), point.mean + step @ along.mean, None
    )


def gradient_along(
    distance: MissingNormal, at: list[Implied], along: list[Derivatives]
) -> FloatArray:
    """Derivative of the value with respect to f parameters that all groups share."""
    total = np.zeros(len(along[0].which))
    for slopes, one in zip(distance.slopes(at), along, strict=True):
        assert one.mean is not None
        assert slopes.mean is not None
        total += np.tensordot(one.cov, slopes.cov, 2) + one.mean @ slopes.mean
    return total
