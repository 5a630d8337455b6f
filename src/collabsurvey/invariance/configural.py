"""Every group's factor model on its own: what alignment starts from.

Without equalities the groups share nothing, so each is fitted alone, which is the same as the
configural model and much faster with many groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from collabsurvey.dimensionality.sem import estimate
from collabsurvey.dimensionality.sem.assess import assess
from collabsurvey.dimensionality.sem.compile import build, count_moments
from collabsurvey.dimensionality.sem.equality import name_of
from collabsurvey.dimensionality.sem.identification import check_identified
from collabsurvey.dimensionality.sem.least_squares import LeastSquares
from collabsurvey.dimensionality.sem.material import Material
from collabsurvey.dimensionality.sem.missing import MissingNormal
from collabsurvey.dimensionality.sem.model import Model, Parameter
from collabsurvey.dimensionality.sem.normal import Normal
from collabsurvey.dimensionality.sem.prepare import Prepared
from collabsurvey.dimensionality.sem.start import start_values
from collabsurvey.errors import DataError, NotSupportedError, listed
from collabsurvey.numerics.typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class FactorPart:
    """Where the parameters of one factor stand in theta of a group's model."""

    factor: str
    items: tuple[str, ...]  # (p,)
    names: tuple[str, ...]  # (p + c,) of loadings, then intercepts or thresholds
    cut_item: IntArray  # (c,) which item each intercept or threshold belongs to
    places: IntArray  # (p + c,)
    turned: bool  # thresholds: intercepts with their sign turned


@dataclass(frozen=True, eq=False)
class Configural:
    """All groups of the configural model."""

    parts: tuple[FactorPart, ...]
    theta: FloatArray  # (G, n_free)
    vcov: FloatArray  # (G, n_free, n_free)
    chi2: FloatArray  # (G,) corrected where the estimator corrects it
    df: int  # of each group
    n: FloatArray  # (G,)

    def of(self, part: FactorPart) -> tuple[FloatArray, FloatArray]:
        """Estimates (p + c, G) of one factor and their covariances (G, p + c, p + c).

        Thresholds have their sign turned, and factors point the same way in all groups.
        """
        p = len(part.items)
        values = self.theta[:, part.places].T
        sign = np.ones_like(values)
        if part.turned:
            sign[p:] = -1.0
        largest = values[:p, int(np.argmax(np.abs(values[:p].sum(axis=0))))]
        upward = largest * (np.sign(largest.sum()) or 1.0)
        along = np.sign(upward @ values[:p])
        sign[:p] *= np.where(along == 0, 1.0, along)
        covs = self.vcov[:, part.places[:, None], part.places]
        return values * sign, covs * sign.T[:, :, None] * sign.T[:, None, :]


def configural(prepared: Prepared, text: str) -> Configural:
    """Fit every group alone, with factor means 0 and variances 1."""
    model = build(
        text,
        ordered={name: one.n for name, one in prepared.categories.items()},
        means=True,
        std_lv=True,
        orthogonal=prepared.options.orthogonal,
        parameterization="theta",
        observed=prepared.names,
    )
    parts = factor_parts(model)
    check_identified(model)
    df = count_moments(model) - model.n_unique
    theta, vcov, chi2, n = [], [], [], []
    for label, material in zip(prepared.answers.labels, one_by_one(prepared), strict=True):
        fit = estimate.fit(model, material.discrepancy, start_values(model, material.samples))
        found = assess(fit, material, df)
        if not fit.converged or found.singular:
            raise DataError(
                f"The model could not be fitted to group {label!r} alone, from which alignment "
                "starts. Leave the group out, join it with another, or use fewer factors."
            )
        scaled = found.test.scaled
        theta.append(fit.theta)
        vcov.append(found.vcov)
        chi2.append(found.test.statistic if scaled is None else scaled.statistic)
        n.append(material.n)
    return Configural(parts, np.array(theta), np.array(vcov), np.array(chi2), df, np.array(n))


def one_by_one(prepared: Prepared) -> list[Material]:
    """Material of each group as if it were the only one."""
    whole = prepared.material
    out = []
    for g, sample in enumerate(whole.samples):
        found = whole.discrepancy
        alone: Normal | MissingNormal | LeastSquares
        if isinstance(found, LeastSquares):
            alone = LeastSquares([sample], [whole.weights[g]], [whole.stacks[g]])
        elif isinstance(found, MissingNormal) and sample.rows is not None:
            alone = MissingNormal([sample.rows], weights=[sample.weights], items=prepared.names)
        elif isinstance(found, Normal):
            alone = Normal([sample])
        else:
            raise NotSupportedError(
                "Alignment of two-level models", instead="Use cluster= for errors over clusters."
            )
        out.append(
            replace(
                whole,
                discrepancy=alone,
                samples=(sample,),
                clusters=(_codes(whole.clusters[g]),) if whole.clusters else (),
                stacks=whole.stacks[g : g + 1],
                weights=whole.weights[g : g + 1],
                gammas=whole.gammas[g : g + 1],
            )
        )
    return out


def _codes(clusters: IntArray) -> IntArray:
    return np.unique(clusters, return_inverse=True)[1].astype(np.int64)


def factor_parts(model: Model) -> tuple[FactorPart, ...]:
    """Split the parameters by factor, and refuse what alignment is not defined for."""
    rows, ordered = model.parameters, bool(model.blocks[0].ordered)
    place = {
        name_of(one.lhs, one.op, one.rhs): int(i) for one, i in zip(rows, model.place, strict=True)
    }
    loadings = [one for one in rows if one.op == "=~"]
    _check(rows, loadings)
    parts = []
    for factor in dict.fromkeys(one.lhs for one in loadings):
        items = tuple(one.rhs for one in loadings if one.lhs == factor)
        op = "|" if ordered else "~1"
        cuts = [one for item in items for one in rows if one.op == op and one.lhs == item]
        names = [f"{factor}=~{item}" for item in items]
        names += [name_of(one.lhs, one.op, one.rhs) for one in cuts]
        parts.append(
            FactorPart(
                factor,
                items,
                tuple(names),
                np.array([items.index(one.lhs) for one in cuts], dtype=np.int64),
                np.array([place[name] for name in names], dtype=np.int64),
                ordered,
            )
        )
    return tuple(parts)


def _check(rows: Sequence[Parameter], loadings: Sequence[Parameter]) -> None:
    """Alignment needs free loadings and cuts, each item on one factor, no equalities."""
    items = [one.rhs for one in loadings]
    latent = {one.lhs for one in loadings}
    if any(one.op == "~" for one in rows) or latent & set(items):
        raise NotSupportedError(
            "Alignment with regressions or second-order factors",
            instead="Align the measurement model (`factor =~ items`) alone.",
        )
    if twice := sorted({one for one in items if items.count(one) > 1}):
        raise NotSupportedError(
            f"Alignment with items on several factors ({listed(twice)})",
            instead="Let every item measure one factor.",
        )
    held = [
        name_of(one.lhs, one.op, one.rhs)
        for one in rows
        if (one.op in ("=~", "|") or (one.op == "~1" and one.lhs in items))
        and (
            (not one.free and not (one.op == "~1" and any(r.op == "|" for r in rows))) or one.label
        )
    ]
    if held:
        raise NotSupportedError(
            f"Alignment with fixed or labelled parameters ({listed(held)})",
            instead="Leave numbers and labels out of the model text.",
        )
