"""How the numbers of logistic and count models are read, and what to beware of, in words."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import chdtrc

from collabsurvey.errors import ConvergenceWarning, FewClustersWarning, SingularFitWarning
from collabsurvey.numerics.glm_outcome import Family
from collabsurvey.numerics.glmm_fit import GlmmFit
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.regression.boundary import at_boundary
from collabsurvey.regression.generalized import GeneralizedRows
from collabsurvey.regression.generalized_outcome import singletons
from collabsurvey.regression.prepare import Groups

FEW_GROUPS = 5  # as mixed() (Gelman & Hill, 2007, p. 275)
OVERDISPERSED = 1.2  # variance over the family's that is worth a sentence, if p < .01


def mixed_notes(
    model: GeneralizedRows,
    groups: Groups,
    fit: Mapping[str, Any],
    *,
    n_quad: int,
    weights: str | None,
    poisson: bool,
) -> list[str]:
    """Say how it was fitted, and how its numbers are read."""
    label = groups.label
    how = "Laplace's approximation" if n_quad == 1 else f"adaptive quadrature, {n_quad} points"
    notes = [f"Maximum likelihood ({how}); tests use the normal distribution."]
    if weights:
        notes.append(f"Weighted by {weights}: each row counts as so many rows.")
    if model.outcome.family == "binomial":
        notes.append(
            f"An odds ratio compares rows of the same {label}: it is conditional on the group. The "
            f"averaged odds ratio compares averages over all groups of {label}; it is nearer 1, "
            "the more so the more groups differ."
        )
        notes.append("ICC and R² are on the scale of log odds, a row's variance being π²/3.")
    else:
        notes.append(
            f"A rate ratio compares rows of the same {label}. Averaged over groups it is the same, "
            "unless its slope differs between groups; only the intercept is higher."
        )
        notes.append(
            "ICC and R² are on the log scale, a row's variance by the trigamma function of the "
            "mean count."
        )
    alone = singletons(groups.codes, len(groups.names))
    if alone:
        notes.append(
            f"{alone} of {len(groups.names)} groups of {label} "
            f"{'has one row: it says' if alone == 1 else 'have one row: they say'} little about "
            "how much groups differ."
        )
    if poisson:
        notes.append("The counts vary no more than a Poisson model says: the shape is infinite.")
    if "dispersion_ratio" in fit and model.outcome.family != "negbin":
        notes.append(
            dispersion_sentence(
                model.outcome.family,
                fit["dispersion_ratio"], fit["dispersion_chi2"], fit["dispersion_df"],
            )
        )  # fmt: skip
    return notes


def dispersion_sentence(
    family: Family, ratio: float, chi2: float, df: float, *, robust: bool = False
) -> str:
    """Say whether the rows vary more than the family allows (Pearson's chi-square)."""
    name = "a Poisson distribution" if family == "poisson" else "a binomial distribution"
    if df <= 0:
        return f"Too few rows to see whether they vary more than {name} says."
    p_value = float(chdtrc(df, chi2))
    size = f"Pearson's chi-square over its df is {ratio:.2f} ({chi2:.1f} on {df:.6g})"
    if not (ratio > OVERDISPERSED and p_value < 0.01):
        return f"{size}: no sign that rows vary more than {name} says."
    if robust:
        return f"{size}: rows vary more than {name} says, which the robust errors allow for."
    instead = (
        "use family='negbin'"
        if family == "poisson"
        else "use cluster-robust errors, or a random effect for each row"
    )
    return (
        f"{size}: rows vary more than {name} says, and errors are about {np.sqrt(ratio):.1f} "
        f"times too small; {instead}."
    )


def mixed_cautions(
    groups: Groups, found: GlmmFit, names: Sequence[str], transform: FloatArray
) -> list[str]:
    """Warn of what is easily misread, and return the same sentences as notes."""
    label, n_groups = groups.label, len(groups.names)
    singular = at_boundary(names, found.lower, transform, label)
    cautions: list[tuple[str, type[Warning]]] = []
    if not found.converged:
        sentence = (
            "The model did not converge: another step would still raise the log-likelihood by "
            f"{found.decrement:.2g}. Simplify the random part or rescale the predictors."
        )
        cautions.append((sentence, ConvergenceWarning))
    if singular:
        sentence = (
            f"The fit is singular: {'; '.join(singular)}. Its errors are rough; consider a "
            "simpler random part."
        )
        cautions.append((sentence, SingularFitWarning))
    if n_groups < FEW_GROUPS:
        sentence = (
            f"{n_groups} groups of {label} are too few to estimate a variance between groups "
            f"(Gelman & Hill, 2007: at least {FEW_GROUPS}). Enter the group as C({label}) in a "
            "model without random terms instead."
        )
        cautions.append((sentence, FewClustersWarning))
    for sentence, category in cautions:
        warnings.warn(sentence, category, stacklevel=5)
    return [sentence for sentence, _ in cautions]
