"""Mixed models with several random terms, or with people in several groups at once.

The rows are read once more than for one term, for the products between factors; after that they
are not touched. Which kernel does the rest depends on the factors alone: `numerics.mixed_nested`
where each lies within the next, `numerics.mixed_crossed` where not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import sparse

from collabsurvey.errors import DataError, NotSupportedError
from collabsurvey.moments.design import DesignProducts, design_products
from collabsurvey.numerics.mixed import free_elements, lower_root
from collabsurvey.numerics.mixed_block_inference import block_variance_parameters
from collabsurvey.numerics.mixed_blocks import (
    BlockFit,
    BlockProducts,
    NoResidualError,
    Pattern,
    criterion_without_random,
    fit_blocks,
)
from collabsurvey.numerics.mixed_coupling import Coupling
from collabsurvey.numerics.mixed_crossed import CrossedProducts
from collabsurvey.numerics.mixed_nested import NestedProducts, Parents
from collabsurvey.numerics.typing import FloatArray, IntArray
from collabsurvey.regression.boundary import at_boundary
from collabsurvey.regression.grouping import (
    Grouping,
    check_groupings,
    grouping_of,
    lme4_order,
    parent_of,
    sparse_notes,
)
from collabsurvey.regression.linear import linear_fit
from collabsurvey.regression.mixed_fits import (
    Fitted,
    no_residual,
    require_residual,
    scaled,
)
from collabsurvey.regression.mixed_result import RandomPart
from collabsurvey.regression.prepare import Prepared

# Effects of all factors but the largest; four matrices of this size are in memory at a time.
MOST_DENSE = 12_000


@dataclass(frozen=True, eq=False)
class Factor:
    """One grouping factor with all its random terms."""

    grouping: Grouping
    terms: tuple[int, ...]  # places in the model's random terms
    columns: tuple[int, ...]  # of Z, term after term
    pattern: Pattern


def several_terms(model: Prepared, *, reml: bool) -> Fitted:
    """Fit a model with several random terms, or multiple membership."""
    groupings = _groupings(model)
    names = [plan.names for plan in model.random_plans]
    check_groupings(model.formula.text, names, groupings, n_rows=model.n_obs)
    factors = _factors(model, groupings)
    chain = nested_chain(factors)
    first = chain[0] if chain else _largest(factors)
    made = _design(model, first)
    linear_fit(model, made)  # refuses an outcome that the terms give exactly
    products: BlockProducts
    if chain:
        factors = chain
        products = _nested_products(model, made, chain, reml=reml)
    else:
        factors = [first, *(f for f in factors if f is not first)] if first else factors
        products = _crossed_products(model, made, factors, first, reml=reml)
    try:
        found = fit_blocks(products)
    except NoResidualError as error:
        labels = " and ".join(factor.grouping.label for factor in factors)
        raise DataError(no_residual(model, labels)) from error
    parameters = block_variance_parameters(products, found)
    parts = _parts(model, made, factors, found)
    order = lme4_order([len(part.names) for part in parts])
    return Fitted(
        made=made,
        products=products,
        optimiser=found,
        parts=tuple(parts[i] for i in order),
        parameters=scaled(parameters, made.e_scale),
        beta=found.at.beta * made.e_scale,
        sigma2=found.sigma2 * made.e_scale**2,
        criterion=found.at.criterion,
        criterion_without=criterion_without_random(products),
        of_random=_row_variance(model, made, factors, found),
        n_groups={parts[i].group: len(parts[i].names) for i in order},
        singular=tuple(_singular(model, made, factors, found)),
        notes=tuple(sparse_notes([factor.grouping for factor in factors])),
    )


def nested_chain(factors: Sequence[Factor]) -> list[Factor]:
    """The factors from fine to coarse if each lies within the next, else none."""
    chain = sorted(factors, key=lambda f: -f.grouping.n_groups)
    if not all(f.grouping.simple for f in chain):
        return []
    nested = all(parent_of(a.grouping, b.grouping) is not None for a, b in pairwise(chain))
    return chain if nested else []


def _groupings(model: Prepared) -> list[Grouping]:
    """One for each random term; terms of one factor share it."""
    known: dict[tuple[object, ...], Grouping] = {}
    found = []
    for term in model.random:
        key = (term.group, term.multiple_membership, term.membership_weights)
        if key not in known:
            known[key] = grouping_of(term, model.rows.columns)
        found.append(known[key])
    return found


def _factors(model: Prepared, groupings: Sequence[Grouping]) -> list[Factor]:
    """Each grouping factor with its terms and their columns of Z."""
    sizes = [len(plan.columns) for plan in model.random_plans]
    starts = np.cumsum([0, *sizes]).tolist()
    found = []
    for grouping in dict.fromkeys(groupings):
        terms = tuple(i for i, other in enumerate(groupings) if other is grouping)
        columns = tuple(j for i in terms for j in range(starts[i], starts[i + 1]))
        found.append(Factor(grouping, terms, columns, Pattern(tuple(sizes[i] for i in terms))))
    return found


def _largest(factors: Sequence[Factor]) -> Factor | None:
    """The factor to eliminate: the one with most random effects, if rows have one group each."""
    simple = [f for f in factors if f.grouping.simple]
    return max(simple, key=_n_effects, default=None)


def _n_effects(factor: Factor) -> int:
    return factor.grouping.n_groups * len(factor.columns)


def _design(model: Prepared, first: Factor | None) -> DesignProducts:
    """Products per group of the factor that is eliminated first, over all rows without one."""
    if first is None:
        return design_products(model.blocks, model.basis)
    grouping = first.grouping
    made = design_products(model.blocks, model.basis, grouping.codes[:, 0], grouping.n_groups)
    require_residual(model, made, grouping.label, first.columns)
    return made


def _nested_products(
    model: Prepared, made: DesignProducts, chain: Sequence[Factor], *, reml: bool
) -> NestedProducts:
    columns = [j for factor in chain for j in factor.columns]
    columns += range(made.n_random, made.by_cluster.shape[1])
    parents = [parent_of(inner.grouping, outer.grouping) for inner, outer in pairwise(chain)]
    return NestedProducts(
        patterns=tuple(factor.pattern for factor in chain),
        by_level=np.ascontiguousarray(made.by_cluster[:, columns][:, :, columns]),
        parents=tuple(Parents.of(codes) for codes in parents if codes is not None),
        n_rows=model.n_obs,
        reml=reml,
    )


def _crossed_products(
    model: Prepared,
    made: DesignProducts,
    factors: Sequence[Factor],
    first: Factor | None,
    *,
    reml: bool,
) -> CrossedProducts:
    """Products of the first factor from those per group, of the others from sparse matrices."""
    others = [factor for factor in factors if factor is not first]
    m = sum(_n_effects(factor) for factor in others)
    if m > MOST_DENSE:
        labels = ", ".join(factor.grouping.label for factor in others)
        raise NotSupportedError(
            f"mixed with {m} random effects beside those of the largest factor ({labels}), whose "
            "matrix would not fit into memory",
            instead=f"At most {MOST_DENSE} are possible; nested factors have no such limit.",
        )
    q = made.n_random
    own = list(first.columns) if first else []
    n_first = first.grouping.n_groups if first else 0
    zx = made.by_cluster[:n_first, own, q:] if first else np.empty((0, 1, len(made.start) + 1))
    zz = made.by_cluster[:, own][:, :, own] if first else np.empty((0, 1, 1))
    rr = np.zeros((m, m))
    rx = np.zeros((m, zx.shape[2]))
    met: list[tuple[IntArray, IntArray, FloatArray]] = []
    for part, rows in model.blocks:
        root = np.ones(len(rows.y)) if rows.weight is None else np.sqrt(rows.weight)
        z = made.basis.random(rows.z) * root[:, None]
        on_q = made.basis.orthonormal(rows.x)
        e = made.basis.residual(on_q, rows.y) / made.e_scale
        z_r = _sparse_effects(others, z, part, m)
        rr += (z_r.T @ z_r).toarray()
        rx += z_r.T @ (np.column_stack((on_q, e)) * root[:, None])
        if first:
            width = z_r.indptr[1] if len(e) else 0
            level = np.repeat(first.grouping.codes[part, 0], width)
            values = np.repeat(z[:, own], width, axis=0) * z_r.data[:, None]
            met.append((level, z_r.indices.astype(np.int64), values))
    empty = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, 1)))
    level, column, values = (np.concatenate(x) for x in zip(*(met or [empty]), strict=True))
    return CrossedProducts(
        patterns=tuple(factor.pattern for factor in factors),
        zz=np.ascontiguousarray(zz),
        zx=np.ascontiguousarray(zx),
        coupling=Coupling.of(level, column, values, shape=(n_first, m)),
        rr=rr,
        rx=rx,
        n_levels=tuple(factor.grouping.n_groups for factor in others),
        ee=float(made.by_cluster[:, -1, -1].sum()),
        n_rows=model.n_obs,
        reml=reml,
    )


def _sparse_effects(
    factors: Sequence[Factor], z: FloatArray, part: slice, m: int
) -> sparse.csr_array:
    """Rows (n, m) of Z_R: the same number of entries in each, some of weight zero."""
    columns, values = [], []
    start = 0
    for factor in factors:
        codes = factor.grouping.codes[part]
        q = len(factor.columns)
        places = start + codes[:, :, None] * q + np.arange(q)
        shares = (
            np.ones(codes.shape)
            if factor.grouping.weights is None
            else factor.grouping.weights[part]
        )
        columns.append(places.reshape(len(codes), -1))
        values.append(
            (shares[:, :, None] * z[:, None, list(factor.columns)]).reshape(len(codes), -1)
        )
        start += _n_effects(factor)
    joined = np.concatenate(columns, axis=1)
    ends = np.arange(len(joined) + 1) * joined.shape[1]
    data = np.concatenate(values, axis=1).ravel()
    return sparse.csr_array((data, joined.ravel(), ends), shape=(len(joined), m))


def _parts(
    model: Prepared, made: DesignProducts, factors: Sequence[Factor], found: BlockFit
) -> list[RandomPart]:
    """Each random term in units of the data, in the order of the formula."""
    parts: dict[int, RandomPart] = {}
    sigma2 = found.sigma2 * made.e_scale**2
    for factor, lower, a, spread in zip(
        factors, found.lowers, found.at.a, found.at.spread, strict=True
    ):
        effects = a @ (lower @ lower.T)
        for i, cut in zip(factor.terms, factor.pattern.terms, strict=True):
            columns = list(factor.columns[cut])
            scale = made.z_transform[np.ix_(columns, columns)]
            root = lower_root(scale @ lower[cut, cut])
            variances = np.einsum("ab,gbc,ac->ga", scale, spread[:, cut, cut], scale)
            parts[i] = RandomPart(
                term=model.random[i],
                group=factor.grouping.label,
                names=factor.grouping.names,
                plan=model.random_plans[i],
                theta=root[free_elements(len(columns), correlated=True)],
                covariance=sigma2 * root @ root.T,
                modes=effects[:, cut] @ scale.T * made.e_scale,
                mode_sds=np.sqrt(np.maximum(variances, 0.0) * sigma2),
                scale=scale,
            )
    return [parts[i] for i in range(len(parts))]


def _row_variance(
    model: Prepared, made: DesignProducts, factors: Sequence[Factor], found: BlockFit
) -> float:
    """Mean variance of a row from its random effects (Johnson, 2014, doi:10.1111/2041-210X.12225).

    A row of several groups with weights w has the sum of w^2 of their variance.
    """
    total = 0.0
    for factor, lower in zip(factors, found.lowers, strict=True):
        columns = list(factor.columns)
        products = made.plain[np.ix_(columns, columns)]
        if not factor.grouping.simple:
            share = factor.grouping.squares()
            products = np.zeros_like(products)
            for part, rows in model.blocks:
                z = made.basis.random(rows.z)[:, columns]
                products += (z * share[part, None]).T @ z
        total += float(np.sum(lower @ lower.T * products))
    return total / model.n_obs * found.sigma2 * made.e_scale**2


def _singular(
    model: Prepared, made: DesignProducts, factors: Sequence[Factor], found: BlockFit
) -> list[str]:
    """Name every random term at the boundary."""
    sentences: list[str] = []
    for factor, lower in zip(factors, found.lowers, strict=True):
        columns = np.array(factor.columns)
        for i, cut in zip(factor.terms, factor.pattern.terms, strict=True):
            own = columns[cut]
            transform = made.z_transform[np.ix_(own, own)]
            names = model.random_plans[i].names
            sentences += at_boundary(names, lower[cut, cut], transform, factor.grouping.label)
    return sentences
