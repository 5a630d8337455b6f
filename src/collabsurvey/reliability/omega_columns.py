"""Omega of a scale as cells of a table of many scales: no intervals, no warnings."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from collabsurvey.dimensionality.one_factor import one_factor
from collabsurvey.errors import DataError
from collabsurvey.moments import AnswerTables, Moments, answer_tables
from collabsurvey.moments.covariance import Missing, key_signs
from collabsurvey.reliability.omega_categorical import categorical_coefficients, ordinal_factor
from collabsurvey.reliability.omega_kernels import one_factor_coefficients
from collabsurvey.reliability.omega_solutions import misfit, require_inverse, require_three
from collabsurvey.responses.responses import Responses

FEW_OPTIONS = 5  # up to here answers are far from normal, and Green & Yang's omega differs


class OmegaColumns(NamedTuple):
    """Cells of one scale; NaN with the reason where there is no number."""

    omega_total: float
    omega_categorical: float  # NaN without a reason where items have more than 5 options
    reason: str
    misfit: str = ""  # why one factor of ordinal items is no basis for the categorical one


def omega_columns(
    responses: Responses, scale: str, moments: Moments, *, few_options: int = FEW_OPTIONS
) -> OmegaColumns:
    """Omega total of one factor, and categorical omega where items have few options.

    `moments` are those of the scale's keyed items, which alpha needs too; the same numbers as
    `omega` gives, without its intervals.
    """
    try:
        require_three(scale, moments.items)
        require_inverse(scale, moments)
    except DataError as error:
        return OmegaColumns(np.nan, np.nan, str(error))
    fits = one_factor(moments.cov[None])
    if not fits.converged[0]:
        return OmegaColumns(np.nan, np.nan, "the one-factor model did not converge")
    total = float(one_factor_coefficients(moments.cov[None], fits)[0, 0])
    if _most_options(responses, moments.items) > few_options:
        return OmegaColumns(total, np.nan, "")
    missing: Missing = "listwise" if moments.missing == "listwise" else "pairwise"
    try:
        tables = answer_tables(responses, moments.items, missing=missing).observed()
    except DataError:  # measurements, which are no categories
        return OmegaColumns(total, np.nan, "")
    if max(map(len, tables.categories)) > few_options:
        return OmegaColumns(total, np.nan, "")
    return _with_categorical(responses, total, tables)


def _most_options(responses: Responses, items: tuple[str, ...]) -> int:
    """Options that the response sets list; 0 where they give only a range."""
    sets = [responses.instrument.response_set(item) for item in items]
    return max(0 if own is None or own.type == "bounded" else len(own.values) for own in sets)


def _with_categorical(responses: Responses, total: float, tables: AnswerTables) -> OmegaColumns:
    try:
        found = ordinal_factor(tables, key_signs(responses, tables.items))
    except DataError as error:
        return OmegaColumns(total, np.nan, str(error))
    if found.pairs.at_limit.any() or not found.pairs.converged.all():
        return OmegaColumns(total, np.nan, "some of the items are perfectly associated")
    if not found.fits.converged[0]:
        return OmegaColumns(total, np.nan, "the model of ordinal items did not converge")
    values = categorical_coefficients(found.cuts, found.cors[None], found.fits)[0]
    if sentence := misfit(values):
        return OmegaColumns(total, np.nan, sentence, sentence)
    return OmegaColumns(total, float(values[0]), "")
