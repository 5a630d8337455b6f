"""Exploratory factor analysis with the numbers of psych::fa, and principal components.

Sources: Thurstone (1947) Multiple-Factor Analysis; Harman (1976) Modern Factor Analysis;
Jöreskog (1967) doi:10.1007/BF02289658. See `extraction` and `rotation` for each method.
"""

from __future__ import annotations

import warnings
from dataclasses import asdict
from typing import Any, get_args

import numpy as np
import pandas as pd

from collabsurvey.dimensionality.correlate import (
    Correlation,
    ItemCorrelations,
    item_correlations,
)
from collabsurvey.dimensionality.efa_bootstrap import bootstrap_intervals
from collabsurvey.dimensionality.efa_notes import trouble, with_notes
from collabsurvey.dimensionality.efa_result import EfaResult
from collabsurvey.dimensionality.extraction import (
    LOWEST_UNIQUENESS,
    ExtractionMethod,
    extract,
)
from collabsurvey.dimensionality.factor_fit import (
    factor_fit,
    most_factors,
    without_inverse,
)
from collabsurvey.dimensionality.factor_scores import determinacy
from collabsurvey.dimensionality.inputs import Items
from collabsurvey.dimensionality.options import check_flag, check_number, check_whole, is_whole
from collabsurvey.dimensionality.pair_correlations import EmptyCells
from collabsurvey.dimensionality.rotation import (
    GENERAL_FIRST,
    Rotation,
    ordered,
)
from collabsurvey.dimensionality.rotation_plan import RotationPlan
from collabsurvey.errors import (
    ConvergenceWarning,
    DataError,
    NotSupportedError,
    OptionError,
    UnknownNameError,
    check_level,
)
from collabsurvey.moments.covariance import Missing
from collabsurvey.numerics.linalg import read_only
from collabsurvey.numerics.typing import FloatArray

SEED = 20260901
# Orthogonal bifactor criteria have many local minima: in trials only one start in six met the
# best. For all other rotations ten starts met it every time.
MANY_MINIMA = ("bifactor", "biquartimin")
TARGETED = ("target", "target_orthogonal")
FEWEST_RESAMPLES = 100  # fewer give no 95 % limits


def efa(
    data: Any,
    items: Items = None,
    n_factors: int | None = None,
    *,
    extraction: ExtractionMethod = "minres",
    rotation: Rotation = "oblimin",
    correlation: Correlation = "pearson",
    missing: Missing = "listwise",
    kaiser: bool | None = None,
    target: Any = None,
    gam: float = 0.0,
    epsilon: float = 0.01,
    power: float = 4.0,
    n_starts: int | None = None,
    empty_cells: EmptyCells = "lavaan",
    n_boot: int = 0,
    cluster: str | None = "auto",
    conf_level: float = 0.95,
    seed: int = SEED,
    progress: bool = True,
) -> EfaResult:
    """Exploratory factor analysis of items.

    Parameters
    ----------
    data : Responses, any frame, a PolychoricResult, or `given_correlations(matrix, n)`
        Answers as they were given: a reversed item has a negative loading. The weight role
        is applied.
    items : str, sequence of str, or None
        A scale id, scale or item ids, or every item; of a frame, columns.
    n_factors : int
        How many; `retention` helps to decide.
    extraction : "minres", "ml" or "principal_axis"
        "minres" (default, as psych) makes residual correlations small, needs no normal data
        and copes with singular matrices. "ml" has the proper chi-square for normal data and
        needs a positive definite matrix. "principal_axis" is iterated to its end, which is the
        minres solution; psych and SPSS stop earlier.
    rotation : see `rotation.Rotation`
        none, varimax, quartimax, oblimin, quartimin, promax, geomin, geomin_orthogonal,
        target, target_orthogonal, bifactor (orthogonal), biquartimin (oblique bifactor).
        "oblimin" is the default because facets of one thing correlate; it is psych's too.
    correlation : "pearson" or "polychoric"
        "polychoric" suits items of few or skewed answers; see `polychoric` for `empty_cells`.
    missing : "listwise" or "pairwise"
        Rows with every item, or each correlation from the rows that have both. psych takes
        pairs; its chi-square then counts all rows, and so does ours. Its RMSR weights pairs by
        their rows, ours does not.
    kaiser : bool, optional
        Bring each item's loadings to length one for the rotation. Left out: as psych, for
        varimax and promax only; SPSS does it for all. With `kaiser=False` promax is that of
        R's stats::promax, which can be .11 away from psych's.
    target : (items, factors) array or frame, optional
        For target rotations; NaN is free.
    gam, epsilon, power
        Of oblimin (0 is quartimin), geomin (.01 as in Mplus and GPArotation), promax (4).
    n_starts : int, optional
        Starts of the rotation: the unrotated solution, then random ones; 10, or 60 for
        bifactor rotations, which have many local minima.
    n_boot : int
        Resamples for intervals of loadings and factor correlations (`.intervals`); each is
        extracted, rotated and matched to the solution. 0, the default, makes none: 1000 take
        a second with Pearson correlations and half a minute with polychorics of 25 items.
    cluster : "auto", None, a role or a column
        Drawn together in resamples; "auto" takes the cluster role, or the respondent where
        people answered more than once.
    seed : int
        Of random starts and resamples.

    Raises
    ------
    OptionError
        `n_factors` is not a number the items allow.
    DataError
        Maximum likelihood of a matrix that has no inverse; what to do is said.
    NoVarianceError, NotEnoughItemsError, NotEnoughDataError, UnknownNameError

    Warns
    -----
    ConvergenceWarning
        Extraction or rotation did not reach their optimum.

    Notes
    -----
    Loadings are those of the optimum (gradient below 1e-9), where psych stops up to 2e-5 away,
    and up to 4e-3 for varimax. Fit statistics use psych's definitions: for minres, too, the
    chi-square is the likelihood discrepancy times Bartlett's multiplier. With polychoric
    correlations it is too large; read RMSR instead.
    """
    check_level(conf_level)
    _check_choices(rotation, extraction)
    _check_numbers(kaiser, n_starts, seed, n_boot=n_boot, gam=gam, epsilon=epsilon, power=power)
    found = item_correlations(
        data,
        items,
        correlation=correlation,
        missing=missing,
        empty_cells=empty_cells,
        method="Factor analysis",
    )
    m = _checked_number(n_factors, found)
    if extraction == "ml" and found.singular:
        raise DataError(
            "Maximum likelihood needs a correlation matrix that has an inverse. "
            f"{' '.join(note for note in found.notes if 'matrix is' in note)} "
            "Leave out items, or use extraction='minres'."
        )
    solution = extract(found.cor[None], m, extraction, n_starts=4)
    plan = RotationPlan(
        rotation, kaiser, _as_target(target, found, m, rotation), gam, epsilon, power
    )
    starts = n_starts if n_starts is not None else (60 if rotation in MANY_MINIMA else 10)
    result = assemble(
        found, solution.loadings[0], extraction, plan, n_starts=starts, seed=seed,
        converged=bool(solution.converged[0]), conf_level=conf_level,
    )  # fmt: skip
    if not (result.converged and result.rotation_converged):
        warnings.warn(trouble(result), ConvergenceWarning, stacklevel=2)
    if not n_boot:
        return result
    return bootstrap_intervals(
        result, plan, extraction, n_boot=n_boot, cluster=cluster, seed=seed, progress=progress
    )


def pca(
    data: Any,
    items: Items = None,
    n_components: int | None = None,
    *,
    rotation: Rotation = "varimax",
    correlation: Correlation = "pearson",
    missing: Missing = "listwise",
    kaiser: bool | None = None,
    n_starts: int = 10,
    seed: int = SEED,
) -> EfaResult:
    """Principal components, rotated: psych::principal.

    Components summarise items; they are not factors, because the items' own and error
    variance is in them, so that loadings are larger than those of `efa`. Offered because
    older studies report them. Parameters as in `efa`.
    """
    _check_choices(rotation)
    if rotation in TARGETED:
        raise NotSupportedError("A target rotation of components", instead="Use efa().")
    _check_numbers(kaiser, n_starts, seed)
    found = item_correlations(
        data, items, correlation=correlation, missing=missing, method="Principal components"
    )
    p = len(found.items)
    if n_components is None or not is_whole(n_components) or not 1 <= n_components <= p:
        raise OptionError("n_components", n_components, allowed=(f"a whole number from 1 to {p}",))
    values, vectors = np.linalg.eigh(found.cor)
    largest = np.sqrt(np.maximum(values[::-1][:n_components], 0.0))
    plan = RotationPlan(rotation, kaiser, None, 0.0, 0.01, 4.0)
    return assemble(
        found, vectors[:, ::-1][:, :n_components] * largest, "principal_components", plan,
        n_starts=n_starts, seed=seed, converged=True, conf_level=0.95,
    )  # fmt: skip


def assemble(
    found: ItemCorrelations,
    unrotated: FloatArray,
    extraction: str,
    plan: RotationPlan,
    *,
    n_starts: int,
    seed: int,
    converged: bool,
    conf_level: float,
) -> EfaResult:
    """Rotate, order and describe an unrotated solution (k, m)."""
    turned = plan.rotate(unrotated, n_starts=n_starts, seed=seed)
    loadings, phi = turned.loadings, turned.factor_correlations
    if plan.method in TARGETED:
        loadings, phi = _signed(loadings, phi, plan.target)
    else:
        loadings, phi, _, _ = ordered(loadings, phi, keep_first=plan.method in GENERAL_FIRST)
    cor, m = found.cor, loadings.shape[1]
    communality = np.einsum("im,mn,in->i", loadings, phi, loadings)
    items = list(found.items)
    names = factor_names(m, items, components=extraction == "principal_components")
    reduced = cor.copy()
    np.fill_diagonal(reduced, communality)
    size = (loadings**2).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        complexity = size**2 / (loadings**4).sum(axis=1)
    heywood = tuple(
        item
        for item, own in zip(items, 1 - communality, strict=True)
        if own <= LOWEST_UNIQUENESS + 1e-6 and extraction != "principal_components"
    )
    components = extraction == "principal_components"
    fit = _fit(found, loadings, phi, components=components)
    residual = cor - loadings @ phi @ loadings.T

    def by_item(values: FloatArray, name: str) -> pd.Series[float]:
        return pd.Series(values, index=items, name=name)

    result = EfaResult(
        correlations=found,
        n_factors=m,
        extraction=extraction,
        rotation=plan.method if m > 1 else "none",
        kaiser=turned.kaiser,
        loadings=pd.DataFrame(loadings, index=items, columns=names),
        structure=pd.DataFrame(loadings @ phi, index=items, columns=names),
        factor_correlations=pd.DataFrame(phi, index=names, columns=names),
        communalities=by_item(communality, "communality"),
        uniquenesses=by_item(1 - communality, "uniqueness"),
        complexity=by_item(complexity, "complexity"),
        variance=_variance(loadings, phi, names),
        fit=fit,
        eigenvalues=read_only(np.asarray(np.linalg.eigvalsh(cor)[::-1], dtype=np.float64)),
        reduced_eigenvalues=read_only(
            np.asarray(np.linalg.eigvalsh(reduced)[::-1], dtype=np.float64)
        ),
        residuals=pd.DataFrame(residual, index=items, columns=items),
        determinacy=pd.Series(determinacy(cor, loadings, phi), index=names, name="determinacy"),
        heywood=heywood,
        converged=converged,
        rotation_converged=turned.converged,
        n_starts=turned.n_starts,
        n_best=turned.n_best,
        n_minima=turned.n_minima,
        intervals=None,
        n_boot=0,
        conf_level=conf_level,
        notes=(),
    )
    return with_notes(result, turned)


def _signed(
    loadings: FloatArray, phi: FloatArray, target: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """Sign factors whose target is zeros, which leave their direction open, as all others are."""
    given = np.zeros(loadings.shape[1]) if target is None else np.nansum(np.abs(target), axis=0)
    sign = np.where((given == 0) & (loadings.sum(axis=0) < 0), -1.0, 1.0)
    return loadings * sign, phi * np.outer(sign, sign)


def _fit(
    found: ItemCorrelations, loadings: FloatArray, phi: FloatArray, *, components: bool
) -> dict[str, float]:
    """Fit statistics; NaN where they need an inverse that is not there, and for components.

    Components are no model of the correlations, so that chi-square and what follows from it
    mean nothing for them.
    """
    fit = without_inverse if found.singular or components else factor_fit
    return asdict(fit(found.cor, loadings, found.n, factor_correlations=phi))


def factor_names(m: int, items: list[str], *, components: bool) -> list[str]:
    """F1, F2, … or PC1, PC2, …; in words where an item is called so."""
    short, long = ("PC", "component ") if components else ("F", "factor ")
    names = [f"{short}{j + 1}" for j in range(m)]
    return names if not set(names) & set(items) else [f"{long}{j + 1}" for j in range(m)]


def _variance(loadings: FloatArray, phi: FloatArray, names: list[str]) -> pd.DataFrame:
    """Variance that each factor explains: diag(Phi L'L), as psych counts it."""
    explained = np.diag(phi @ loadings.T @ loadings)
    p = len(loadings)
    return pd.DataFrame(
        {
            "ss_loadings": explained,
            "proportion": explained / p,
            "cumulative": np.cumsum(explained) / p,
            "share": explained / explained.sum(),
        },
        index=names,
    )


def _check_choices(rotation: str, extraction: str = "minres") -> None:
    for name, value, allowed in (
        ("extraction", extraction, get_args(ExtractionMethod)),
        ("rotation", rotation, get_args(Rotation)),
    ):
        if value not in allowed:
            raise OptionError(name, value, allowed=allowed)


def _check_numbers(
    kaiser: bool | None,
    n_starts: int | None,
    seed: int,
    *,
    n_boot: int = 0,
    gam: float = 0.0,
    epsilon: float = 0.01,
    power: float = 4.0,
) -> None:
    check_flag("kaiser", kaiser, none=True)
    check_whole("seed", seed, least=0)
    if n_starts is not None:
        check_whole("n_starts", n_starts, least=1)
    if not is_whole(n_boot) or n_boot != 0:
        check_whole("n_boot", n_boot, least=FEWEST_RESAMPLES, also=("0",))
    for name, value in (("gam", gam), ("epsilon", epsilon), ("power", power)):
        check_number(name, value)


def _checked_number(n_factors: int | None, found: ItemCorrelations) -> int:
    """Refuse a number of factors that so many items cannot have."""
    p = len(found.items)
    most = most_factors(p)
    if n_factors is None:
        raise OptionError(
            "n_factors",
            None,
            allowed=(f"a whole number from 1 to {most}; retention() helps to decide",),
        )
    if not is_whole(n_factors) or not 1 <= n_factors <= most:
        raise OptionError(
            "n_factors",
            n_factors,
            allowed=(f"a whole number from 1 to {most}: {p} items do not determine more factors",),
        )
    return int(n_factors)


def _as_target(
    target: Any, found: ItemCorrelations, m: int, rotation: Rotation
) -> FloatArray | None:
    """A target as an array (k, m), its rows matched by name where it has names."""
    if target is None:
        return None
    if rotation not in TARGETED:
        raise OptionError("target", "given", allowed=(f"None with rotation={rotation!r}",))
    if isinstance(target, pd.DataFrame) and not isinstance(target.index, pd.RangeIndex):
        if other := [name for name in target.index if name not in found.items]:
            raise UnknownNameError("item", str(other[0]), available=found.items, where="The target")
        target = target.reindex(list(found.items))  # an item without a row is free
    try:
        values = np.asarray(target, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(
            "A target holds numbers, the loadings wanted, and NaN where they are free."
        ) from None
    if values.shape != (len(found.items), m):
        raise OptionError(
            "target", values.shape, allowed=(f"an array of shape {(len(found.items), m)}",)
        )
    return values
