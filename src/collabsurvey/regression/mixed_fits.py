"""What every way of fitting a mixed model ends in, and the way for one random term."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from collabsurvey.errors import DataError, NotEnoughDataError
from collabsurvey.moments.design import DesignProducts, design_products
from collabsurvey.numerics.mixed import (
    GroupProducts,
    MixedFit,
    evaluate,
    fit_mixed,
    free_elements,
    lower_root,
)
from collabsurvey.numerics.mixed_blocks import BlockFit, BlockProducts
from collabsurvey.numerics.mixed_inference import VarianceParameters, variance_parameters
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.regression.boundary import at_boundary
from collabsurvey.regression.grouping import single_row_notes
from collabsurvey.regression.linear import linear_fit
from collabsurvey.regression.mixed_result import RandomPart
from collabsurvey.regression.prepare import Groups, Prepared, groups_of
from collabsurvey.regression.residual_part import ResidualPart

EXACT = 1e-12  # share of the outcome's sum of squares that is no more than rounding


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted mixed model, in units of the data but for what lies on the basis Q."""

    made: DesignProducts
    products: GroupProducts | BlockProducts
    optimiser: MixedFit | BlockFit
    parts: tuple[RandomPart, ...]
    parameters: VarianceParameters
    beta: FloatArray  # (p,) on Q, without the least squares part
    sigma2: float
    criterion: float  # of e on Q
    criterion_without: float  # the same without random effects
    of_random: float  # mean variance of a row from the random effects
    n_groups: Mapping[str, int]
    singular: tuple[str, ...]  # sentences that name what is at the boundary
    notes: tuple[str, ...] = ()
    residual: ResidualPart | None = None  # where residuals are correlated or vary by wave


def one_term(model: Prepared, *, reml: bool) -> Fitted:
    """Fit a model with one random term from products per group."""
    (term,), (plan,) = model.random, model.random_plans
    groups = groups_of(term.group, model.rows.columns)
    check_groups(model, groups, n_random=len(plan.columns) if term.correlated else 1)
    made = design_products(model.blocks, model.basis, groups.codes, len(groups.names))
    linear_fit(model, made)  # refuses an outcome that the terms give exactly
    require_residual(model, made, groups.label, range(made.n_random))
    products = group_products(made, n_rows=model.n_obs, reml=reml)
    found = fit_mixed(products, correlated=term.correlated)
    parameters = variance_parameters(products, found, correlated=term.correlated)
    zero = np.zeros((products.n_random, products.n_random))
    return assembled(
        model,
        groups,
        made,
        products,
        found,
        parameters,
        criterion=found.at.criterion,
        criterion_without=evaluate(products, zero).criterion,
    )


def assembled(
    model: Prepared,
    groups: Groups,
    made: DesignProducts,
    products: GroupProducts,
    found: MixedFit,
    parameters: VarianceParameters,
    *,
    criterion: float,
    criterion_without: float,
) -> Fitted:
    """From the optimum of a model with one random term to units of the data."""
    (term,), (plan,) = model.random, model.random_plans
    lower = lower_root(made.z_transform @ found.lower)
    modes, mode_sds = conditional_modes(products, found, made)
    q = products.n_random
    sigma2 = found.sigma2 * made.e_scale**2
    part = RandomPart(
        term=term,
        group=groups.label,
        names=groups.names,
        plan=plan,
        theta=lower[free_elements(q, correlated=True)] if term.correlated else np.diag(lower),
        covariance=sigma2 * lower @ lower.T,
        modes=modes,
        mode_sds=mode_sds,
        scale=made.z_transform,
    )
    shared = float(np.sum(found.lower @ found.lower.T * made.plain[:q, :q])) / model.n_obs
    return Fitted(
        made=made,
        products=products,
        optimiser=found,
        parts=(part,),
        parameters=scaled(parameters, made.e_scale),
        beta=found.at.beta * made.e_scale,
        sigma2=sigma2,
        criterion=criterion,
        criterion_without=criterion_without,
        of_random=shared * sigma2,
        n_groups={groups.label: len(groups.names)},
        singular=at_boundary(plan.names, found.lower, made.z_transform, groups.label),
        notes=single_row_notes(groups.label, np.bincount(groups.codes)),
    )


def scaled(parameters: VarianceParameters, e_scale: float) -> VarianceParameters:
    """The same where the outcome is in its own units."""
    return VarianceParameters(
        parameters.covariance, parameters.derivative * e_scale**2, parameters.vcov * e_scale**2
    )


def check_groups(model: Prepared, groups: Groups, *, n_random: int) -> None:
    """Refuse data that cannot tell the random part from the residual.

    `n_random` counts effects that are correlated; those of `||` are terms of their own, as in lme4.
    """
    if len(groups.names) < 2:
        raise NotEnoughDataError("mixed", what=f"groups in {groups.label!r}", found=1, needed=2)
    if len(groups.names) * n_random >= model.n_obs:
        raise NotEnoughDataError(
            f"mixed with {n_random} random effect{'s' if n_random > 1 else ''} for each of "
            f"{len(groups.names)} groups",
            what="rows",
            found=model.n_obs,
            needed=len(groups.names) * n_random + 1,
        )


def require_residual(
    model: Prepared, made: DesignProducts, label: str, columns: Sequence[int]
) -> None:
    """Refuse an outcome that groups of their own coefficients give exactly, with the fixed part.

    `columns` of Z are those of the groups.
    """
    q = len(columns)
    kept = [*columns, *range(made.n_random, made.by_cluster.shape[1])]
    w = made.by_cluster[:, kept][:, :, kept] if q < made.n_random else made.by_cluster
    if model.n_obs <= q * len(w) + len(made.start):  # so many coefficients fit anything
        return
    z = w[:, :q, :q]
    # What is left of [Q, e] after least squares on Z within each group.
    rest = w[:, q:, q:] - w[:, q:, :q] @ np.linalg.pinv(z, hermitian=True) @ w[:, :q, q:]
    left = rest.sum(axis=0)
    slope = np.linalg.pinv(left[:-1, :-1], rcond=EXACT, hermitian=True) @ left[:-1, -1]
    if left[-1, -1] - slope @ left[:-1, -1] <= EXACT * w[:, -1, -1].sum():
        raise DataError(no_residual(model, label))


def no_residual(model: Prepared, label: str) -> str:
    """Say that groups leave nothing to a residual."""
    return (
        f"The outcome {model.formula.response.label!r} does not vary within {label!r} "
        "beyond what the terms give exactly, so there is no residual to estimate. Fit one row "
        "per group instead."
    )


def group_products(made: DesignProducts, *, n_rows: int, reml: bool) -> GroupProducts:
    """Cut the blocks of the products per group."""
    q = made.n_random
    w = made.by_cluster
    return GroupProducts(
        zz=np.ascontiguousarray(w[:, :q, :q]),
        zx=np.ascontiguousarray(w[:, :q, q:-1]),
        ze=np.ascontiguousarray(w[:, :q, -1]),
        ee=float(w[:, -1, -1].sum()),
        n_rows=n_rows,
        reml=reml,
    )


def conditional_modes(
    products: GroupProducts, found: MixedFit, made: DesignProducts
) -> tuple[FloatArray, FloatArray]:
    """Conditional modes (G, q) and their sds, in units of the data."""
    e_g = products.ze - products.zx @ found.at.beta
    modes = (found.at.p_g @ e_g[:, :, None])[:, :, 0] @ made.z_transform.T * made.e_scale
    spread = made.z_transform @ found.at.p_g @ made.z_transform.T
    variances = np.maximum(np.einsum("gii->gi", spread), 0.0) * found.sigma2
    return modes, np.sqrt(variances) * made.e_scale
