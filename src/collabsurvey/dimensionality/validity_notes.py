"""Sentences under the validity of factors: do items belong together, do factors differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from collabsurvey.dimensionality.sem.validity_kernels import Measurement, standardised
from collabsurvey.errors import listed

if TYPE_CHECKING:
    import pandas as pd

ENOUGH_VARIANCE = 0.5  # Fornell & Larcker (1981, p. 46)
ENOUGH_RELIABILITY = 0.7  # Nunnally & Bernstein (1994, p. 264-265), early research
MARGINAL, MODERATE = 0.8, 0.9  # Rönkkö & Cho (2022), of the upper limit of a correlation
ORDERED = (
    "The items are taken as ordered categories: AVE, reliabilities and correlations are of the "
    "latent responses behind the answers. A sum of the answers is less reliable; see "
    "cs.reliability.omega(kind='categorical')."
)
MIXED = "Intervals of HTMT for ordered items together with measurements"


def factor_notes(frame: pd.DataFrame) -> list[str]:
    """How well items belong to their factor, from AVE and composite reliability."""
    notes = []
    known = frame[frame["n_items"] > 1]
    low = known[known["ave"] < ENOUGH_VARIANCE]
    if len(low):
        notes.append(
            "Less than half of what varies in the items comes from their factor, which is the "
            f"customary least (AVE of .50; Fornell & Larcker, 1981): {_with(low, 'ave')}."
        )
    elif len(known):
        notes.append(
            "At least half of what varies in the items comes from their factor (AVE of .50 or "
            "more; Fornell & Larcker, 1981)."
        )
    weak = known[known["composite_reliability"] < ENOUGH_RELIABILITY]
    if len(weak):
        notes.append(
            "Composite reliability below .70, the customary least for a first study (Nunnally & "
            f"Bernstein, 1994): {_with(weak, 'composite_reliability')}. Take their scores with "
            "care."
        )
    return notes


def _with(frame: pd.DataFrame, column: str) -> str:
    return listed([f"{a} {x:.2f}" for a, x in zip(frame["factor"], frame[column], strict=True)])


def criterion_notes(pairs: pd.DataFrame) -> list[str]:
    """Fornell–Larcker, and the upper limits of the factor correlations."""
    if not len(pairs):
        return ["One factor: there is nothing to tell it apart from."]
    broken = pairs[pairs["fornell_larcker"].eq(False)]
    if len(broken):
        named = [
            f"{a} and {b} (shared {x:.2f})"
            for a, b, x in zip(
                broken["factor_1"], broken["factor_2"], broken["shared_variance"], strict=True
            )
        ]
        notes = [
            "Fornell–Larcker fails where two factors share more variance than one of them shares "
            f"with its own items: {listed(named, most=6)}. With weak items that happens even where "
            "factors differ, so read HTMT and the factor correlation first (Rönkkö & Cho, 2022)."
        ]
    else:
        notes = [
            "Fornell–Larcker holds for every pair: each factor shares more with its items than "
            "with any other factor."
        ]
    far = pairs[pairs["reach"] >= MARGINAL].sort_values("reach", ascending=False)
    if len(far):
        named = [
            f"{a} and {b} ({x:.2f}, {_problem(x)})"
            for a, b, x in zip(far["factor_1"], far["factor_2"], far["reach"], strict=True)
        ]
        notes.append(
            "Factor correlations that may well be .80 or more (upper limit; Rönkkö & Cho, 2022): "
            f"{listed(named, most=6)}."
        )
    return notes


def _problem(reach: float) -> str:
    if reach < MODERATE:
        return "a marginal problem"
    return "a moderate problem" if reach < 1 else "a severe problem"


def item_notes(given: Measurement) -> tuple[list[str], str]:
    """Say what is unusual about items; and the sentence of a warning on reversed ones, or ""."""
    loads = standardised(given)
    notes, reversed_ones = [], []
    for j, factor in enumerate(given.factors):
        signs = given.turned[:, j]
        against = np.flatnonzero(signs == (-1 if signs.sum() >= 0 else 1))
        reversed_ones += [f"{given.items[i]} ({factor}, {loads[i, j]:.2f})" for i in against]
    sentence = ""
    if reversed_ones:
        sentence = (
            f"Loads against the other items of its factor: {listed(reversed_ones)}. Reliabilities "
            "are of scores with such items turned; check that scores turn them."
        ).replace("-", "−")
        notes.append(sentence)
    if crossed := [given.items[i] for i in np.flatnonzero(given.member.sum(axis=1) > 1)]:
        notes.append(
            f"Items of more than one factor: {listed(crossed)}. They count for each, so AVE says "
            "less there, and HTMT leaves them out between the two."
        )
    if correlated_residuals(given):
        notes.append(
            "Residuals of items of one factor correlate in this model. Composite reliability "
            "leaves that out; omega_total counts it as error."
        )
    beyond = np.flatnonzero((np.abs(loads) > 1).any(axis=1) | (np.diag(given.residual_cov) < 0))
    if len(beyond):
        notes.append(
            f"Improper: {listed([given.items[i] for i in beyond])} has a loading above 1 or a "
            "negative residual variance. Do not read the numbers of its factor."
        )
    return notes, sentence


def shared_by_general(given: Measurement) -> list[tuple[str, list[str]]]:
    """General factors of a bifactor model, each with its specific ones.

    The items of a specific factor are some of the general one's, and the two are uncorrelated.
    """
    member, cov = given.member, given.factor_cov
    out = []
    for g, name in enumerate(given.factors):
        within = [
            given.factors[s]
            for s in range(len(given.factors))
            if s != g
            and cov[g, s] == 0
            and member[:, s].sum() < member[:, g].sum()
            and not (member[:, s] & ~member[:, g]).any()
        ]
        if within:
            out.append((name, within))
    return out


def bifactor_note(general: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Say why AVE and HTMT are not read where a general factor has the items of others."""
    named = "; ".join(f"{name} has those of {listed(within)}" for name, within in general)
    return (
        f"Factors that share their items and are uncorrelated by construction ({named}): AVE, "
        "Fornell–Larcker and HTMT are made for factors with items of their own and are not meant "
        "for a bifactor model. They are shown and not read; how much of a score is the general "
        "factor is answered by omega_hierarchical, cs.reliability.omega()."
    )


def correlated_residuals(given: Measurement) -> bool:
    """Whether two items of one factor share more than the factors."""
    sd = np.sqrt(np.diag(given.cov))
    rest = np.abs(np.triu(given.residual_cov / np.outer(sd, sd), 1))
    together = given.member.astype(int) @ given.member.T.astype(int) > 0
    return bool((rest[together] > 1e-8).any())


def short_factor_sentence(items: dict[str, int]) -> str:
    """Say which factors have one item, or two; "" where none has."""
    single = [name for name, k in items.items() if k == 1]
    double = [name for name, k in items.items() if k == 2]
    parts = []
    if single:
        parts.append(
            f"{listed(single)}: one item, so AVE, reliability and HTMT are not defined there."
        )
    if double:
        parts.append(
            f"{listed(double)}: two items, so what holds the factor together is a single "
            "correlation; its numbers are rough and lean on the rest of the model."
        )
    return " ".join(parts)


def limits_note(conf_level: float, factors: Sequence[str], has_errors: bool) -> str:
    """How the limits of AVE, reliability and factor correlations came about."""
    if not has_errors:
        return "The model has no standard errors, so AVE and reliability have no intervals."
    also = " and factor correlations" if len(factors) > 1 else ""
    scales = "logit scale, correlations on Fisher's z" if len(factors) > 1 else "logit scale"
    return (
        f"Intervals of AVE, composite reliability{also}: {conf_level:.0%}, delta method from the "
        f"model's own standard errors, on the {scales}."
    )
