"""The factor solution behind each kind of omega, and how to have it again from resampled rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from collabsurvey.dimensionality.extraction import ExtractionMethod
from collabsurvey.dimensionality.factor_fit import factor_fit, most_factors
from collabsurvey.dimensionality.inputs import require_categories
from collabsurvey.dimensionality.one_factor import (
    OneFactor,
    one_factor,
    one_factor_fit,
)
from collabsurvey.errors import DataError, NotEnoughItemsError, listed
from collabsurvey.moments import Moments, answer_tables
from collabsurvey.moments.covariance import key_signs
from collabsurvey.moments.resampled import Resampler
from collabsurvey.numerics.itemstats import correlations
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray
from collabsurvey.reliability.omega_categorical import (
    CATEGORICAL,
    categorical_coefficients,
    ordinal_factor,
)
from collabsurvey.reliability.omega_interval import Statistic
from collabsurvey.reliability.omega_kernels import ONE_FACTOR, one_factor_coefficients
from collabsurvey.reliability.omega_statistics import (
    SMALLEST_EIGENVALUE,
    categorical_statistic,
    hierarchical_statistic,
    one_factor_statistic,
)
from collabsurvey.reliability.schmid_leiman import (
    GroupFactors,
    ObliqueRotation,
    Structure,
    general_names,
    group_factors,
    hierarchical_coefficients,
    home_factor,
    percent_uncontaminated,
)
from collabsurvey.responses.responses import Responses

if TYPE_CHECKING:
    import pandas as pd

EXTRACTIONS: Mapping[str, str] = {
    "ml": "maximum likelihood",
    "minres": "minres",
    "principal_axis": "principal axes",
}
SMALL_SAMPLE = 400  # respondents below which the bias of omega hierarchical is worth a note
# Of several factors these can be negative; all others are shares of a variance.
RELIABILITIES = ("omega_total", "omega_total_raw", "std_alpha")
STRUCTURES: Mapping[str, str] = {
    "schmid_leiman": "Schmid–Leiman",
    "direct_schmid_leiman": "direct Schmid–Leiman",
    "bifactor": "orthogonal bifactor rotation (Jennrich–Bentler)",
}


@dataclass(frozen=True, eq=False)
class Solution:
    """Coefficients of a scale, what they rest on, and the same as a statistic of rows."""

    names: tuple[str, ...]
    estimates: FloatArray  # (q,)
    estimator: str
    loadings: pd.DataFrame
    fit: Mapping[str, float]
    heywood: tuple[str, ...]
    notes: tuple[str, ...]
    statistic: Callable[[Resampler, bool], Statistic]  # the flag asks for standard errors
    has_errors: bool
    biased: bool = False  # resamples do not scatter around the estimate
    lowest: FloatArray | None = None  # (q,) what each coefficient can be at least
    no_interval: str = ""  # why there can be none
    oblique: pd.DataFrame | None = None
    factor_correlations: pd.DataFrame | None = None
    second_order: pd.DataFrame | None = None
    percent_uncontaminated: float = float("nan")


def one_factor_solution(name: str, moments: Moments, extraction: ExtractionMethod) -> Solution:
    """One factor of covariances."""
    import pandas as pd

    items = moments.items
    require_three(name, items)
    if extraction == "ml":
        require_inverse(name, moments)
    fits = one_factor(moments.cov[None], extraction)
    require_converged(name, fits.converged)
    lam, psi = fits.loadings[0], fits.residuals[0]
    loadings = pd.DataFrame(
        {"loading": lam, "residual_variance": psi, "std_loading": lam / np.sqrt(lam**2 + psi)},
        index=pd.Index(items, name="item"),
    )
    notes = []
    if negative := [item for item, value in zip(items, lam, strict=True) if value < 0]:
        notes.append(f"Negative loadings after keying: {listed(negative)}. Check the key.")
    n = moments.n_respondents
    fit = asdict(one_factor_fit(moments.cov, fits, n)) if extraction == "ml" else {}
    if fit:
        notes.append(_fit_note(fit))
    return Solution(
        names=ONE_FACTOR,
        estimates=one_factor_coefficients(moments.cov[None], fits)[0],
        estimator=f"one factor, {EXTRACTIONS[extraction]}",
        loadings=loadings,
        fit=fit,
        heywood=_named(items, fits.at_bound[0]),
        notes=tuple(notes),
        statistic=lambda source, errors: one_factor_statistic(
            source, extraction, with_errors=errors
        ),
        has_errors=extraction == "ml",
    )


def _fit_note(fit: Mapping[str, float]) -> str:
    if fit["df"] == 0:
        return "Three items always fit one factor, so whether one is enough cannot be seen."
    p = "< .001" if fit["p_value"] < 0.001 else f"= {fit['p_value']:.3f}"
    return (
        f"Fit of one factor: chi-square {fit['chi2']:.1f} on {fit['df']:.0f} df (p {p}), CFI "
        f"{fit['cfi']:.3f}, RMSEA {fit['rmsea']:.3f}, SRMR {fit['srmr']:.3f}. Omega of one factor "
        "presumes that it fits."
    )


def group_solution(
    name: str,
    moments: Moments,
    n_factors: int,
    *,
    structure: Structure,
    extraction: ExtractionMethod,
    rotation: ObliqueRotation,
    observed: bool,
    seed: int,
) -> Solution:
    """General and group factors of correlations."""
    items, m = moments.items, n_factors
    extracted = m + (structure == "bifactor")
    if extracted > most_factors(len(items)):
        raise NotEnoughItemsError(
            name,
            n_items=len(items),
            needed=fewest_items(extracted),
            method=f"Omega with {m} group factors",
        )
    if extraction == "ml":
        require_inverse(name, moments)
    cor = correlations(moments.cov)
    found = group_factors(
        cor, m, structure=structure, extraction=extraction, rotation=rotation, seed=seed
    )
    require_converged(name, found.converged)
    home = home_factor(found.groups[0])
    estimates = hierarchical_coefficients(moments.cov[None], found, home, observed=observed)[0]
    frames = _group_frames(items, found)
    turned = "" if structure == "bifactor" else f", {rotation}"
    count = f"{m} group factors"
    return Solution(
        names=general_names(m),
        estimates=estimates,
        estimator=f"{count}, {EXTRACTIONS[extraction]}{turned}, {STRUCTURES[structure]}",
        loadings=frames[0],
        fit=_group_fit(cor, found, moments.n_respondents),
        heywood=_named(items, found.at_bound[0]),
        notes=tuple(_group_notes(items, found, home, structure, moments.n_respondents)),
        statistic=lambda source, _: hierarchical_statistic(
            source,
            found,
            home,
            structure=structure,
            extraction=extraction,
            rotation=rotation,
            observed=observed,
        ),
        has_errors=False,
        biased=True,
        lowest=np.array([-1.0 if name in RELIABILITIES else 0.0 for name in general_names(m)]),
        no_interval=_no_interval(_named(items, found.at_bound[0])),
        oblique=frames[1],
        factor_correlations=frames[2],
        second_order=frames[3],
        percent_uncontaminated=percent_uncontaminated(home),
    )


def _no_interval(heywood: Sequence[str]) -> str:
    """Why a solution at its bound has no interval; "" where it is not there."""
    if not heywood:
        return ""
    return (
        f"No interval: {listed(heywood)} would have no variance of its own (a Heywood case). Where "
        "rows are left out or drawn again such a solution stays at its bound or jumps to another, "
        "so that limits would be far too narrow or impossible. Try another number of group "
        "factors, or kind='total'."
    )


def fewest_items(n_factors: int) -> int:
    """Fewest items that so many factors can be extracted from (Ledermann, 1937)."""
    k = n_factors + 1
    while most_factors(k) < n_factors:
        k += 1
    return k


def _group_frames(
    items: Sequence[str], found: GroupFactors
) -> tuple[pd.DataFrame, pd.DataFrame | None, pd.DataFrame | None, pd.DataFrame | None]:
    """Loadings of every factor, and the oblique solution where there was one."""
    import pandas as pd

    index = pd.Index(items, name="item")
    general, groups = found.general[0], found.groups[0]
    factors = [f"F{j + 1}" for j in range(groups.shape[1])]
    loadings = pd.DataFrame({"general": general}, index=index)
    loadings[factors] = groups
    loadings["communality"] = found.communalities[0]
    loadings["uniqueness"] = 1 - found.communalities[0]
    loadings["general_share"] = general**2 / (general**2 + (groups**2).sum(axis=1))
    loadings["factor"] = [factors[j] for j in home_factor(groups)]
    if not found.oblique.shape[2]:
        return loadings, None, None, None
    return (
        loadings,
        pd.DataFrame(found.oblique[0], index=index, columns=factors),
        pd.DataFrame(found.factor_correlations[0], index=factors, columns=factors),
        pd.DataFrame({"general": found.second_order[0]}, index=factors),
    )


def _group_fit(cor: FloatArray, found: GroupFactors, n: int) -> Mapping[str, float]:
    """Fit of the extracted factors; none for a singular matrix."""
    if np.linalg.eigvalsh(cor)[0] <= SMALLEST_EIGENVALUE:
        return {}
    if found.oblique.shape[2]:
        fit = factor_fit(cor, found.oblique[0], n, factor_correlations=found.factor_correlations[0])
    else:
        fit = factor_fit(cor, np.column_stack([found.general[0], found.groups[0]]), n)
    return asdict(fit)


def _group_notes(
    items: Sequence[str], found: GroupFactors, home: IntArray, structure: Structure, n: int
) -> list[str]:
    notes = []
    if n < SMALL_SAMPLE:
        notes.append(
            f"With {n} respondents omega hierarchical tends to come out low. In a trial with 12 "
            "items, three groups and a true value of .71 it was .06 too low with 100 and .02 with "
            "300, and 95 % intervals covered 84 and 93 % (benchmarks/coverage/omega.csv)."
        )
    m = found.groups.shape[2]
    if m == 2 and structure == "schmid_leiman":
        notes.append(
            "Two group factors have one correlation, which cannot tell their loadings on the "
            "general factor apart: they are set equal (psych's option='equal')."
        )
    if found.second_order_at_bound[0] and structure == "schmid_leiman":
        notes.append(
            "One oblique factor is the general factor itself, as far as the correlations show, so "
            "that nothing is left for its group. Read omega hierarchical with care, or use fewer "
            "factors."
        )
    if negative := _named(items, found.general[0] < 0):
        notes.append(
            f"Negative loadings on the general factor: {listed(negative)}. They count against the "
            "others in omega hierarchical; psych turns such items round unless flip=FALSE."
        )
    if empty := [f"F{j + 1}" for j in range(m) if j not in home]:
        notes.append(f"No item loads most on {listed(empty)}, which therefore has no coefficients.")
    if found.n_minima > 1:
        notes.append(
            f"The rotation has {found.n_minima} local solutions; the best of them is shown."
        )
    return notes


def categorical_solution(
    name: str, responses: Responses, items: Sequence[str], moments: Moments
) -> Solution:
    """One factor of polychoric correlations, by the weights of WLSMV."""
    import pandas as pd

    require_three(name, items)
    tables = answer_tables(responses, items, missing=moments.missing).observed()
    require_categories(tables, method=f"Categorical omega of {name!r}")
    signs = key_signs(responses, items)
    found = ordinal_factor(tables, signs)
    pairs = found.pairs
    if pairs.at_limit.any():
        alike = [
            f"{items[i]} with {items[j]}"
            for i, j in zip(pairs.first[pairs.at_limit], pairs.second[pairs.at_limit], strict=True)
        ]
        raise DataError(
            f"Categorical omega of {name!r} is not defined: as far as these answers show, "
            f"{listed(alike, most=6)} are perfectly associated. Leave one of the items out."
        )
    require_converged(name, np.append(pairs.converged, found.fits.converged))
    lam = found.fits.loadings[0]
    notes = []
    smallest = float(np.linalg.eigvalsh(found.cors)[0])
    if smallest <= 0:
        notes.append(
            "The polychoric correlations are not positive definite (smallest eigenvalue "
            f"{smallest:.3g}), a sign of too few respondents; weighted least squares does not "
            "need it.".replace("-", "−")
        )
    if negative := _named(items, lam < 0):
        notes.append(f"Negative loadings after keying: {listed(negative)}. Check the key.")
    if n_empty := int((pairs.n_empty > 0).sum()):
        notes.append(
            f"{n_empty} of {len(pairs.rho)} pairs of items have combinations of answers that "
            "nobody gave."
        )
    estimates = categorical_coefficients(found.cuts, found.cors[None], found.fits)[0]
    notes.append(_polychoric_fit(items, found.cors, found.fits))
    if sentence := misfit(estimates):
        sentence = sentence[0].upper() + sentence[1:]
        notes.append(f"{sentence}. Look at parts of the scale, or at kind='hierarchical'.")
    return Solution(
        names=CATEGORICAL,
        estimates=estimates,
        estimator="one factor, weighted least squares of polychoric correlations (WLSMV's "
        "estimates)",
        loadings=pd.DataFrame({"std_loading": lam}, index=pd.Index(items, name="item")),
        fit={"srmr": _srmr(found.cors, found.fits)},
        heywood=_named(items, found.fits.at_bound[0]),
        notes=tuple(notes),
        statistic=lambda source, _: categorical_statistic(source, signs),
        has_errors=False,
    )


MOST_APART = 0.02  # of categorical omega over the observed and over the model's variance


def misfit(coefficients: FloatArray) -> str:
    """Say where one factor of ordinal items does not hold, from coefficients CATEGORICAL (6,).

    Categorical omega over the observed variance is too high where the loadings imply more
    covariance than there is; the two versions then part. "" where they agree.
    """
    observed, model = float(coefficients[0]), float(coefficients[1])
    if abs(observed - model) <= MOST_APART:
        return ""
    return (
        f"one factor does not hold these items together: categorical omega is {observed:.2f} over "
        f"the observed variance and {model:.2f} over the model's"
    ).replace("-", "−")


def _polychoric_fit(items: Sequence[str], cors: FloatArray, fits: OneFactor) -> str:
    """Residual correlations of one factor, with the largest."""
    if len(items) == 3:
        return "Three items always fit one factor, so whether one is enough cannot be seen."
    lam = fits.loadings[0]
    residual = np.triu(cors - np.outer(lam, lam), 1)
    i, j = divmod(int(np.abs(residual).argmax()), len(lam))
    return (
        f"Fit of one factor to the polychoric correlations: root mean square residual "
        f"{_srmr(cors, fits):.3f}, the largest {residual[i, j]:.2f} ({items[i]} with {items[j]}). "
        "Categorical omega presumes that it fits."
    ).replace("-0", "−0")


def _srmr(cors: FloatArray, fits: OneFactor) -> float:
    """Root mean square residual correlation between different items."""
    lam = fits.loadings[0]
    residual = cors - np.outer(lam, lam)
    return float(np.sqrt((residual[np.triu_indices(len(lam), 1)] ** 2).mean()))


def require_three(name: str, items: Sequence[str]) -> None:
    """Refuse two items: one correlation does not give two loadings."""
    if len(items) < 3:
        raise NotEnoughItemsError(
            name,
            n_items=len(items),
            needed=3,
            method="Omega of one factor (for two items report alpha(), whose std_alpha is the "
            "Spearman–Brown coefficient)",
        )


def require_inverse(name: str, moments: Moments) -> None:
    """Refuse singular covariances, with the reason: copies, too few rows, or pairwise answers."""
    cor = correlations(moments.cov)
    if np.linalg.eigvalsh(cor)[0] > SMALLEST_EIGENVALUE:
        return
    k = len(cor)
    above = np.argwhere(np.triu(np.abs(cor) > 1 - 1e-9, 1))
    if len(above):
        pairs = listed([f"{moments.items[i]} and {moments.items[j]}" for i, j in above], most=6)
        reason = f"{pairs} have the same answers throughout. Leave one of them out"
    elif moments.missing == "listwise" and moments.n_respondents <= k:
        reason = f"{moments.n_respondents} rows are too few for {k} items"
    elif moments.missing == "pairwise":
        reason = "their pairwise covariances contradict each other. Use missing='listwise'"
    else:
        reason = "one of the items is a sum of others. Leave it out"
    raise DataError(
        f"Omega of {name!r} by maximum likelihood is not defined: {reason}, or use "
        "extraction='minres', which needs no inverse."
    )


def require_converged(name: str, converged: BoolArray) -> None:
    """Refuse a solution that is none."""
    if not converged.all():
        raise DataError(
            f"The factor model of {name!r} did not converge, so omega cannot be trusted. Look at "
            "the items' correlations; a scale with fewer or other items may work."
        )


def _named(items: Sequence[str], which: BoolArray) -> tuple[str, ...]:
    return tuple(item for item, flag in zip(items, which, strict=True) if flag)
