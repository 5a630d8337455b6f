"""Mixed models with several random terms, or with people in several groups at once.

The rows are read once more than for one term, for the products between factors; after that they
are not touched. Which kernel does the rest depends on the factors alone: `numerics.mixed_nested`
where each lies within the next, `numerics.mixed_crossed` where not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from collabsurvey.errors import DataError, NotSupportedError
from collabsurvey.moments.design import DesignProducts, design_products
from collabsurvey.numerics.mixed import lower_root
from collabsurvey.numerics.mixed_blocks import (
    BlockFit,
    BlockProducts,
    Pattern,
    block_variance_parameters,
    fit_blocks,
)
from collabsurvey.numerics.mixed_coupling import Coupling
from collabsurvey.numerics.mixed_crossed import CrossedProducts
from collabsurvey.numerics.mixed_nested import NestedProducts, Parents
from collabsurvey.numerics.typing import FloatArray
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
    EXACT,
    SINGULAR,
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
    found = fit_blocks(products)
    if found.at.r2 <= EXACT * products.ee:
        raise DataError(no_residual(model, " and ".join(f.grouping.label for f in factors)))
    parameters = block_variance_parameters(products, found)
    parts = _parts(model, made, factors, found)
    order = lme4_order([len(part.names) for part in parts])
    without = products.evaluate(tuple(np.zeros_like(lower) for lower in found.lowers))
    return Fitted(
        made=made,
        products=products,
        optimiser=found,
        parts=tuple(parts[i] for i in order),
        parameters=scaled(parameters, made.e_scale),
        beta=found.at.beta * made.e_scale,
        sigma2=found.sigma2 * made.e_scale**2,
        criterion=found.at.criterion,
        criterion_without=without.criterion,
        of_random=_row_variance(model, made, factors, found),
        n_groups={parts[i].group: len(parts[i].names) for i in order},
        singular=tuple(_singular(model, factors, found)),
        notes=tuple(sparse_notes([factor.grouping for factor in factors])),
    )
