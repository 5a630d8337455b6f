"""Mixed models whose residuals are correlated over time or vary by wave."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from collabsurvey.errors import DataError, NotEnoughDataError, NotSupportedError, listed
from collabsurvey.moments.design import DesignProducts, design_products, orthonormalised
from collabsurvey.numerics.mixed import fit_mixed
from collabsurvey.numerics.residual_fit import (
    ResidualFit,
    fit_residuals,
    residual_variance_parameters,
)
from collabsurvey.numerics.residual_structures import ResidualRows, sd_ratios
from collabsurvey.numerics.typing import FloatArray, IntArray
from collabsurvey.regression.linear import linear_fit
from collabsurvey.regression.mixed_fits import (
    Fitted,
    assembled,
    check_groups,
    group_products,
    require_residual,
)
from collabsurvey.regression.prepare import Groups, Prepared, groups_of
from collabsurvey.regression.residual_part import ResidualPart, ResidualStructure
from collabsurvey.responses.engine import group_codes


def residual_term(model: Prepared, structure: ResidualStructure, *, reml: bool) -> Fitted:
    """Fit a model with one random term and a structure of its residuals."""
    if len(model.random) > 1 or model.random[0].multiple_membership:
        raise NotSupportedError(
            f"residual={structure.text!r} with several grouping factors",
            instead="Keep the random term of the units that are measured again, or leave it out.",
        )
    (term,), (plan,) = model.random, model.random_plans
    groups = groups_of(term.group, model.rows.columns)
    check_groups(model, groups, n_random=len(plan.columns) if term.correlated else 1)
    made = design_products(model.blocks, model.basis, groups.codes, len(groups.names))
    linear_fit(model, made)  # refuses an outcome that the terms give exactly
    require_residual(model, made, groups.label, range(made.n_random))
    order, gap, step = _times(model, groups, structure)
    wave, waves = _waves(model, structure)
    rows = ResidualRows(
        w=np.ascontiguousarray(design_rows(model, made)[order].T),
        codes=groups.codes[order],
        n_groups=len(groups.names),
        n_random=made.n_random,
        reml=reml,
        gap=None if gap is None else gap / step,
        signed=gap is None or (step == 1 and bool((gap == np.round(gap)).all())),
        wave=None if wave is None else wave[order],
        n_waves=max(len(waves), 1),
    )
    plain = fit_mixed(
        group_products(made, n_rows=model.n_obs, reml=reml), correlated=term.correlated
    )
    found = fit_residuals(rows, plain.lower, correlated=term.correlated)
    parameters = residual_variance_parameters(rows, found, correlated=term.correlated)
    here = orthonormalised(replace(made, by_cluster=found.found.by_group))
    # The criterion of e on the basis that is orthonormal at the optimum.
    of_basis = 2 * float(np.linalg.slogdet(found.found.basis)[1]) if reml else 0.0
    fitted = assembled(
        model,
        groups,
        here,
        group_products(here, n_rows=model.n_obs, reml=reml),
        found.fit,
        parameters,
        criterion=found.criterion + of_basis,
        criterion_without=found.criterion_without + of_basis,
    )
    part = ResidualPart(
        structure=structure,
        waves=waves,
        omega=found.omega,
        omega_covariance=_omega_covariance(parameters.covariance, found),
        at_limit=found.at_limit,
        signed=rows.signed,
        step=step,
        sigma=float(np.sqrt(fitted.sigma2)),
        mean_ratio2=_mean_ratio2(rows, found),
        statistic=plain.at.criterion - found.criterion,
    )
    (random,) = fitted.parts
    return replace(
        fitted,
        residual=part,
        # Relative to fit["sigma"], which is that of all rows.
        parts=(replace(random, theta=random.theta / np.sqrt(part.mean_ratio2)),),
        singular=(*fitted.singular, *part.limits()),
        notes=(*fitted.notes, *part.notes(groups.label)),
    )


def design_rows(model: Prepared, made: DesignProducts) -> FloatArray:
    """Rows (n, m) of [Z*, Q, e] whose products `made` holds, with the root of their weight."""
    found = []
    for _, block in model.blocks:
        q = made.basis.orthonormal(block.x)
        e = made.basis.residual(q, block.y) / made.e_scale
        w = np.column_stack((made.basis.random(block.z), q, e))
        found.append(w if block.weight is None else w * np.sqrt(block.weight)[:, None])
    return np.vstack(found)


def _times(
    model: Prepared, groups: Groups, structure: ResidualStructure
) -> tuple[IntArray, FloatArray | None, float]:
    """Order of the rows by group and time, gaps (n,) to the row before, and the time of a step.

    One step is one unit of time where gaps are whole numbers and the smallest is one, as in
    most panels; else the median gap.
    """
    if structure.time is None:
        return np.argsort(groups.codes, kind="stable"), None, 1.0
    column = model.rows.columns[structure.time]
    if column.categories is not None:
        raise DataError(
            f"ar1({structure.time}) needs the time of each row as a number; {structure.time!r} "
            f"is text ({listed(column.categories[:4])}). Recode it to numbers such as 0, 1, 2."
        )
    time = column.values
    order = np.lexsort((time, groups.codes))
    codes, time = groups.codes[order], time[order]
    follows = codes[1:] == codes[:-1]
    gap = np.append(1.0, np.where(follows, np.diff(time), 1.0))
    if (gap == 0).any():
        at = int(np.flatnonzero(gap == 0)[0])
        raise DataError(
            f"{int((gap == 0).sum())} rows have the same {structure.time!r} as another of their "
            f"{groups.label!r}, first {groups.names[codes[at]]!r} at {time[at]:g}. ar1() needs one "
            "row a time: drop copies, or group by the unit that is measured again."
        )
    _check_times(model, groups.label, np.bincount(codes), gap[1:][follows], np.unique(time).size)
    if structure.gaps == "ignored":
        return order, np.ones(len(gap)), 1.0
    gaps = gap[1:][follows]
    whole = bool((gaps == np.round(gaps)).all()) and gaps.min() == 1
    return order, gap, 1.0 if whole else float(np.median(gaps))


def _check_times(
    model: Prepared, label: str, sizes: IntArray, gaps: FloatArray, n_times: int
) -> None:
    """Refuse data in which the autoregression cannot be told from the random effects."""
    (term,), (plan,) = model.random, model.random_plans
    if sizes.max() < 3 and len(np.unique(gaps)) == 1:
        raise NotEnoughDataError(
            "ar1() beside a random term",
            what=f"rows of a {label}",
            found=int(sizes.max()),
            needed=3,
        )
    q = len(plan.columns)
    asked = (q * (q + 1) // 2 if term.correlated else q) + 2
    if asked > n_times * (n_times + 1) // 2:
        raise DataError(
            f"{n_times} times give {n_times * (n_times + 1) // 2} variances and covariances, too "
            f"few for the {asked} of the random effects and ar1(). Use a simpler random part."
        )


def _waves(
    model: Prepared, structure: ResidualStructure
) -> tuple[IntArray | None, tuple[str, ...]]:
    """Codes (n,) of the values of by() that occur, and their names."""
    if structure.by is None:
        return None, ()
    codes, names = group_codes(model.rows.columns[structure.by])
    present, codes = np.unique(codes, return_inverse=True)
    waves = tuple(names[i] for i in present.tolist())
    if len(waves) < 2:
        raise NotEnoughDataError(
            f"by({structure.by})", what=f"values of {structure.by!r}", found=1, needed=2
        )
    counts = np.bincount(codes)
    if single := [waves[i] for i in np.flatnonzero(counts < 2).tolist()]:
        raise DataError(
            f"by({structure.by}) needs at least 2 rows of each value to estimate its variance; "
            f"{listed(single[:6])} {'has' if len(single) == 1 else 'have'} one. Join values, or "
            "leave those rows out."
        )
    return codes.astype(np.int64), waves


def _omega_covariance(covariance: FloatArray, found: ResidualFit) -> FloatArray:
    """Covariance (k + 1, k + 1) of omega and log sigma."""
    picked = np.append(np.arange(len(found.omega)), len(covariance) - 1)
    scale = np.ones(len(picked))
    scale[-1] = 1 / np.sqrt(found.fit.sigma2)
    return np.asarray(covariance[np.ix_(picked, picked)] * np.outer(scale, scale))


def _mean_ratio2(rows: ResidualRows, found: ResidualFit) -> float:
    if rows.wave is None:
        return 1.0
    return float((sd_ratios(rows, found.omega)[rows.wave] ** 2).mean())
