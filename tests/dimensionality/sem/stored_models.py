"""Models from stored parameter tables with estimates, and the samples they were fitted to.

So that errors and tests of a model can be tested at R's own estimates, without model text,
start values or iterations.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal

import numpy as np
import pandas as pd

from collabsurvey.dimensionality.sem.answers import Answers
from collabsurvey.dimensionality.sem.estimate import Fit, finished
from collabsurvey.dimensionality.sem.least_squares import LeastSquares, Stack
from collabsurvey.dimensionality.sem.model import Block, Cells, Model
from collabsurvey.dimensionality.sem.normal import Normal
from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.dimensionality.sem.samples import categories_of, ordinal_samples
from collabsurvey.dimensionality.sem.sandwich import (
    RobustPieces,
    jacobian,
    least_squares_pieces,
)
from collabsurvey.numerics.typing import FloatArray
from support import REFERENCE, dataset

MATRICES = ("loadings", "factor_cov", "paths", "residual_cov")
VECTORS = ("intercepts", "factor_means", "thresholds", "scales")
X = tuple(f"x{i}" for i in range(1, 10))
NE = tuple(f"{scale}{i}" for scale in "NE" for i in range(1, 6))


@cache
def robust_reference() -> dict[str, Any]:
    """What sem_robust.R stored."""
    return json.loads((REFERENCE / "sem_robust.json").read_text(encoding="utf-8"))


@cache
def pupils() -> pd.DataFrame:
    """Holzinger and Swineford's pupils with the columns that sem_robust.R adds."""
    data = dataset("hs1939")
    data["age"] = data["ageyr"] + data["agemo"] / 12
    data["birth"] = data["ageyr"] * 100 + data["agemo"]
    weight = 0.5 + (np.arange(1, len(data) + 1) % 5) / 4
    data["w"] = weight / weight.mean()
    return data


def pupil_samples(
    names: Sequence[str] = X,
    *,
    group: str | None = None,
    cluster: str | None = None,
    weight: str | None = None,
) -> list[Sample]:
    """Samples of complete answers, groups in order of appearance."""
    data, out = pupils(), []
    parts = [data] if group is None else [data[data[group] == g] for g in data[group].unique()]
    for part in parts:
        rows = part[list(names)].to_numpy(dtype=float)
        w = None if weight is None else part[weight].to_numpy() / part[weight].mean()
        mean = np.average(rows, axis=0, weights=w)
        cov = np.cov(rows.T, bias=True, aweights=w)
        codes = None if cluster is None else part[cluster].to_numpy()
        out.append(Sample(float(len(rows)), cov, mean, rows=rows, weights=w, clusters=codes))
    return out


@cache
def bfi_samples(items: tuple[str, ...], group: str | None = None) -> list[Sample]:
    """Thresholds and polychoric correlations of complete answers; groups by code."""
    columns = [*items, group] if group else list(items)
    data = dataset("bfi")[columns].dropna()
    codes = data[group].to_numpy(dtype=int) - 1 if group else np.zeros(len(data), dtype=int)
    labels = tuple(str(i) for i in range(codes.max() + 1)) if group else ("",)
    x = data[list(items)].to_numpy(dtype=float)
    answers = Answers(items, x, None, None, codes, labels, group or "", len(x), ())
    return ordinal_samples(answers, categories_of(answers, items)[0], missing="listwise")


def normal_fit(table: pd.DataFrame, samples: Sequence[Sample], *, means: bool) -> Fit:
    """The stored model of continuous answers at the stored estimates, by ML."""
    names = (*X, "age")[: len(samples[0].cov)]
    model, x = stored_model(table, names, means=means)
    return finished(model, Normal(samples), x)


def ordinal_fit(
    table: pd.DataFrame,
    items: Sequence[str],
    samples: Sequence[Sample],
    *,
    unweighted: bool = False,
    parameterization: Literal["delta", "theta"] = "delta",
) -> tuple[Fit, RobustPieces, list[FloatArray]]:
    """The stored model of ordinal answers, with pieces and jacobians.

    As in lavaan the discrepancy counts n - 1 and the pieces n respondents of each group.
    """
    model, x = stored_model(table, items, ordered=True, parameterization=parameterization)
    stack = Stack(np.ones(len(items), dtype=bool), means=True)
    gammas = [one.acov for one in samples if one.acov is not None]
    weights = [np.ones(len(one)) if unweighted else 1 / np.diag(one) for one in gammas]
    counted = [Sample(one.n - 1, one.cov, None, one.thresholds) for one in samples]
    fit = finished(model, LeastSquares(counted, weights, [stack] * len(samples)), x)
    jacobians = [jacobian(stack, slopes, model.reduce) for slopes in fit.derivatives]
    pieces = least_squares_pieces([one.n for one in samples], jacobians, weights, gammas)
    return fit, pieces, jacobians


def free_errors(table: pd.DataFrame) -> FloatArray:
    """Standard errors of the free rows."""
    free = table["free"] > 0 if "free" in table else table["se"] > 0
    return table.loc[free, "se"].to_numpy(dtype=float)


def stored_model(
    table: pd.DataFrame,
    observed: Sequence[str],
    *,
    ordered: bool = False,
    means: bool = False,
    parameterization: Literal["delta", "theta"] = "delta",
) -> tuple[Model, FloatArray]:
    """Model and its estimates x from a table (lhs, op, rhs, est, se; block, free, label).

    Rows with a standard error are free; equal labels are equal parameters.
    """
    rows = table.copy()
    if "block" not in rows:
        rows["block"] = 1
    if "label" not in rows:
        rows["label"] = ""
    free = rows["free"] > 0 if "free" in rows else rows["se"] > 0
    rows["place"] = np.where(free, np.cumsum(free) - 1, -1)
    theta = rows["est"].to_numpy(dtype=float)[free.to_numpy()]
    names = [label or f"?{i}" for i, label in enumerate(rows["label"].fillna("")[free.to_numpy()])]
    unique = list(dict.fromkeys(names))
    reduce = np.zeros((len(theta), len(unique)))
    reduce[np.arange(len(theta)), [unique.index(name) for name in names]] = 1.0
    blocks = tuple(
        _block(part, tuple(observed), ordered, means, parameterization, i)
        for i, (_, part) in enumerate(rows.groupby("block"))
    )
    labels = tuple(str(i) for i in range(len(blocks)))
    offset = np.zeros(len(theta))
    model = Model((), np.zeros(0, dtype=int), blocks, labels, 1, (), (), offset, reduce)
    return model, np.linalg.lstsq(reduce, theta)[0]


def _block(
    rows: pd.DataFrame,
    observed: tuple[str, ...],
    ordered: bool,
    means: bool,
    parameterization: Literal["delta", "theta"],
    group: int,
) -> Block:
    factors = list(dict.fromkeys(rows.loc[rows["op"] == "=~", "lhs"]))
    given = list(dict.fromkeys(rows.loc[rows["op"] == "~", "rhs"]))
    latent = factors + given
    p, m = len(observed), len(latent)
    cuts = rows[rows["op"] == "|"]
    at: dict[str, list[tuple[int, int, Any]]] = {name: [] for name in (*MATRICES, *VECTORS)}
    for row in rows.itertuples():
        value = (row.est, row.place)
        if row.op == "=~":
            at["loadings"].append((observed.index(row.rhs), latent.index(row.lhs), value))
        elif row.op == "~":
            at["paths"].append((latent.index(row.lhs), latent.index(row.rhs), value))
        elif row.op == "~~":
            name, among = (
                ("factor_cov", latent) if row.lhs in latent else ("residual_cov", observed)
            )
            i, j = among.index(row.lhs), among.index(row.rhs)
            at[name].append((i, j, value))
            if i != j:
                at[name].append((j, i, value))
        elif row.op == "~1":
            inside = row.lhs in latent
            among = latent if inside else observed
            name = "factor_means" if inside else "intercepts"
            at[name].append((among.index(row.lhs), 0, value))
        elif row.op == "~*~":
            at["scales"].append((observed.index(row.lhs), 0, value))
    for name in given:
        at["loadings"].append((observed.index(name), latent.index(name), (1.0, -1)))
    for i, row in enumerate(cuts.itertuples()):
        at["thresholds"].append((i, 0, (row.est, row.place)))
    if parameterization == "theta":
        at["scales"] = []
    sizes = {"loadings": (p, m), "factor_cov": (m, m), "paths": (m, m), "residual_cov": (p, p)}
    vectors = {"intercepts": p, "factor_means": m, "thresholds": len(cuts), "scales": p}
    cells = {name: _cells(at[name], np.zeros(size)) for name, size in sizes.items()}
    cells |= {name: _cells(at[name], np.zeros(size)) for name, size in vectors.items()}
    return Block(
        group=group,
        level=1,
        observed=observed,
        latent=tuple(latent),
        n_factors=len(factors),
        covariates=tuple(given),
        ordered=observed if ordered else (),
        threshold_of=tuple(cuts["lhs"]),
        means=means or ordered,
        parameterization=parameterization,
        **cells,
    )


def _cells(entries: list[tuple[int, int, Any]], fixed: FloatArray) -> Cells:
    places = []
    for i, j, (value, place) in entries:
        if place >= 0:
            places.append((i, j, place))
        else:
            fixed[(i, j)[: fixed.ndim]] = value
    found = np.array(places, dtype=int).reshape(-1, 3)
    return Cells(fixed, found[:, 0], found[:, 1], found[:, 2])
