"""What each coefficient of the omega family is: its formula, and who prints it under which name.

l are loadings and u residual variances of one factor, z those of standardised items, g general
and s group loadings; S are the items' covariances, R their correlations, V the variance of a sum.
"""

from __future__ import annotations

from typing import NamedTuple


class Named(NamedTuple):
    """Words, formula and programs of one coefficient."""

    words: str
    formula: str
    program: str


NAMES = {
    "omega_total": Named(
        "omega total",
        "(sum l)² / ((sum l)² + sum u)",
        "semTools: compRelSEM(obs.var=FALSE), reliability 'omega'",
    ),
    "omega_total_observed": Named(
        "omega total, observed variance",
        "(sum l)² / sum S",
        "semTools: compRelSEM (default), reliability 'omega3'",
    ),
    "composite_reliability": Named(
        "composite reliability (standardised items)",
        "(sum z)² / ((sum z)² + sum(1 - z²))",
        "Fornell & Larcker (1981) and PLS programs: CR",
    ),
    "ave": Named(
        "average variance extracted", "mean of z²", "Fornell & Larcker (1981) and PLS programs: AVE"
    ),
    "ave_raw": Named(
        "variance extracted, unit of the answers",
        "sum l² / (sum l² + sum u)",
        "semTools: AVE, reliability 'avevar'",
    ),
    "coefficient_h": Named(
        "coefficient H (best weights)",
        "h / (1 + h), h = sum z² / (1 - z²)",
        "Hancock & Mueller (2001): H",
    ),
    "alpha": Named(
        "alpha (equal loadings)",
        "k / (k - 1) (1 - tr S / sum S)",
        "every program; semTools: compRelSEM(tau.eq=TRUE)",
    ),
    "omega_categorical": Named(
        "categorical omega",
        "Green & Yang (2009) eq. 21 over the variance implied by the polychorics",
        "semTools: compRelSEM(ord.scale=TRUE), reliability 'omega3'; MBESS: omega categorical",
    ),
    "omega_categorical_model": Named(
        "categorical omega, model variance",
        "Green & Yang (2009) eq. 21 over the variance implied by the loadings",
        "semTools: compRelSEM(obs.var=FALSE), reliability 'omega' of ordinal items",
    ),
    "omega_latent": Named(
        "omega of the latent responses (not of the scale score)",
        "(sum z)² / sum of polychorics",
        "semTools: compRelSEM(ord.scale=FALSE); elsewhere 'ordinal omega'",
    ),
    "omega_latent_model": Named(
        "omega of the latent responses, model variance",
        "(sum z)² / ((sum z)² + sum(1 - z²))",
        "semTools: compRelSEM(ord.scale=FALSE, obs.var=FALSE)",
    ),
    "ordinal_alpha": Named(
        "ordinal alpha (of the latent responses)",
        "k / (k - 1) (1 - k / sum of polychorics)",
        "semTools: reliability 'alpha.ord'; psych::alpha of polychorics",
    ),
    "ave_latent": Named(
        "variance extracted of the latent responses",
        "mean of z²",
        "semTools: AVE, reliability 'avevar' of ordinal items",
    ),
    "omega_hierarchical": Named("omega hierarchical", "(sum g)² / V", "psych::omega 'omega_h'"),
    "omega_total_groups": Named(
        "omega total", "1 - sum of uniquenesses / V", "psych::omega 'omega.tot'"
    ),
    "omega_limit": Named(
        "omega hierarchical of an endless test (asymptotic)",
        "(sum g)² / ( V - sum of uniquenesses )",
        "psych::omega 'omega.lim'",
    ),
    "explained_common_variance": Named(
        "explained common variance (ECV)",
        "sum g² / (sum g² + sum s²)",
        "psych::omega 'ECV'; Reise (2012)",
    ),
    "omega_hierarchical_raw": Named(
        "omega hierarchical of the answers as given",
        "(sum sd g)² / V, items not standardised",
        "none by default",
    ),
    "omega_total_raw": Named(
        "omega total of the answers as given",
        "1 - sum(sd² uniqueness) / V, items not standardised",
        "none by default",
    ),
    "std_alpha": Named(
        "alpha of standardised items", "k / (k - 1) (1 - k / sum R)", "psych::omega 'alpha'"
    ),
    "omega_groups": Named(
        "share of the group factors",
        "sum over groups of (sum s)² / V",
        "psych::omega 'omega.group', row g, column group",
    ),
}
OF_A_GROUP = {
    "omega_total_F": Named(
        "total of the items of group factor {}",
        "((sum g)² + (sum s)²) / V of its items",
        "psych::omega 'omega.group', total",
    ),
    "omega_general_F": Named(
        "general factor in the items of group factor {}",
        "(sum g)² / V of its items",
        "psych::omega 'omega.group', general",
    ),
    "omega_group_F": Named(
        "omega hierarchical of group factor {}",
        "(sum s)² / V of its items",
        "psych::omega 'omega.group', group",
    ),
}


def named(coefficient: str, *, of_groups: bool) -> Named:
    """Look up a coefficient; `of_groups` where it comes from a general and group factors."""
    for start, form in OF_A_GROUP.items():
        if coefficient.startswith(start):
            return form._replace(words=form.words.format(coefficient.removeprefix(start[:-1])))
    if of_groups and coefficient == "omega_total":
        return NAMES["omega_total_groups"]
    return NAMES[coefficient]
