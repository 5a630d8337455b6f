"""What is said of an alignment: fit before it, and what its means are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan, sqrt

from collabsurvey.dimensionality.sem.chi_square import p_value
from collabsurvey.dimensionality.sem.estimators import RECIPES
from collabsurvey.dimensionality.sem.prepare import Prepared
from collabsurvey.errors import listed
from collabsurvey.invariance.alignment_frames import SolvedFactor
from collabsurvey.invariance.configural import Configural

LIMIT = 0.25  # share of differing parameters up to which means may be trusted
SMALL = 100  # respondents of a group


def configural_fit(found: Configural) -> dict[str, float]:
    """Chi-square summed over the groups, which are independent, and its RMSEA."""
    chi2, df, g = float(found.chi2.sum()), found.df * len(found.n), len(found.n)
    if df == 0:
        return {"chi2": chi2, "df": 0, "p_value": nan, "rmsea": nan}
    rmsea = sqrt(max((chi2 / df - 1) / found.n.sum(), 0.0) * g)
    return {"chi2": chi2, "df": df, "p_value": p_value(chi2, df), "rmsea": rmsea}


def alignment_notes(
    prepared: Prepared,
    found: Configural,
    solved: Sequence[SolvedFactor],
    used: str,
    at: int,
    method: str,
    metric: str,
    share: float,
    fit: Mapping[str, float],
    *,
    n_boot: int | None,
) -> tuple[str, ...]:
    """Sentences a reader needs to read the means rightly."""
    labels, n = prepared.answers.labels, found.n
    reference = labels[at]
    notes = []
    if not all(one.aligned.converged for one in solved):
        notes.append("THE CRITERION DID NOT COME TO REST: read the means with care.")
    held = f"the mean of {reference} is 0" if used == "fixed" else "every mean is estimated"
    unit = "the standard deviations multiply to 1"
    if metric == "reference":
        unit = f"{reference} has the standard deviation 1"
    notes.append(f"Alignment ({used}): {held}, {unit}. {len(labels)} groups.")
    if method == "auto" and used == "fixed" and len(labels) > 2:
        notes.append(
            "Fixed, because the loadings are so similar that the mean of the reference could "
            "hardly be estimated."
        )
    notes.append(_verdict(share))
    if fit["df"]:
        notes.append(
            f"Before alignment (configural model): chi-square({fit['df']:.0f}) = "
            f"{fit['chi2']:.1f}, RMSEA {fit['rmsea']:.3f}. If the model does not fit the groups, "
            "the means mean little."
        )
    if any(one.aligned.n_at_best == 1 < one.aligned.n_starts for one in solved):
        notes.append(
            "Only one of the starts ended at the best solution: try more (starts=) before relying "
            "on it."
        )
    if n_boot is not None:
        notes.append(f"Errors from {n_boot} draws of the configural estimates.")
    if prepared.categories:
        notes.append(
            "Thresholds are aligned; residual variances of the latent responses are 1 in every "
            "group."
        )
    says = RECIPES[prepared.options.estimator].says
    notes.append(f"Configural model: {prepared.options.estimator}, {says}.")
    if n.min() < SMALL:
        few = [name for name, size in zip(labels, n, strict=True) if size < SMALL]
        notes.append(
            f"{len(few)} of {len(labels)} groups have fewer than {SMALL} respondents "
            f"({listed(few, most=6)}): their means are rough, and differences of their items "
            "are hardly seen."
        )
    return tuple(dict.fromkeys((*notes, *prepared.notes)))


def _verdict(share: float) -> str:
    shown = f"{share:.0%} of the parameters are not the same as in the other groups"
    if share <= LIMIT:
        return (
            f"{shown}: up to {LIMIT:.0%}, the means of the groups may be compared (Muthén & "
            "Asparouhov, 2014)."
        )
    return (
        f"{shown}, more than {LIMIT:.0%}: the means may be biased (Muthén & Asparouhov, 2014). "
        "Look at the items that differ, and check by simulation."
    )
