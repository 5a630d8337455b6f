"""Convergent and discriminant validity of the factors of a fitted model.

Do the items of a factor belong together (AVE, composite reliability), and are the factors
different things (HTMT, Fornell–Larcker, factor correlations)? Sources: Fornell & Larcker (1981)
doi:10.1177/002224378101800104; Henseler, Ringle & Sarstedt (2015)
doi:10.1007/s11747-014-0403-8; Roemer, Schuberth & Henseler (2021)
doi:10.1108/IMDS-02-2021-0082; Rönkkö & Cho (2022) doi:10.1177/1094428120968614; definitions
beside them as in semTools 0.5-6.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd

from collabsurvey.dimensionality.inputs import item_set
from collabsurvey.dimensionality.options import check_flag
from collabsurvey.dimensionality.overlap import (
    N_BOOT,
    SEED,
    check_draws,
    drawn_rows,
    overlap,
    resampling_notes,
    warn_few_clusters,
)
from collabsurvey.dimensionality.resampled_correlations import Kind, correlation_draws
from collabsurvey.dimensionality.sem import validity_kernels as kernels
from collabsurvey.dimensionality.sem.model import Model
from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.dimensionality.sem.validity_kernels import Measurement
from collabsurvey.dimensionality.validity_frames import factor_frame, factor_pair_frame
from collabsurvey.dimensionality.validity_notes import (
    MIXED,
    ORDERED,
    bifactor_note,
    criterion_notes,
    factor_notes,
    item_notes,
    limits_note,
    shared_by_general,
    short_factor_sentence,
)
from collabsurvey.dimensionality.validity_result import ValidityResult
from collabsurvey.dimensionality.validity_words import (
    CUT_OFFS,
    MEANING,
    NOT_MEANT,
    WITHOUT_SIGN,
    distinct_notes,
)
from collabsurvey.errors import (
    CollabSurveyWarning,
    DataError,
    KeyingWarning,
    NotSupportedError,
    check_level,
)
from collabsurvey.moments.resampled import Resampler
from collabsurvey.moments.split import split
from collabsurvey.numerics.itemstats import correlations
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.responses.responses import Responses


class FittedModel(Protocol):
    """What is asked of a fitted model."""

    @property
    def model(self) -> Model:
        """Return the compiled model, moments of covariates filled in."""

    @property
    def theta(self) -> FloatArray:
        """Return the estimates (n_free,)."""

    @property
    def vcov(self) -> FloatArray | None:
        """Return their covariances (n_free, n_free), None without standard errors."""

    @property
    def samples(self) -> Sequence[Sample]:
        """Return the moments of each group that the model was fitted to."""

    @property
    def missing(self) -> str:
        """Return the rule for missing answers."""

    @property
    def group(self) -> str | None:
        """Return the column of the groups."""

    @property
    def converged(self) -> bool:
        """Whether the estimates are an optimum."""


def validity(
    result: FittedModel,
    *,
    data: Any = None,
    absolute: bool = True,
    n_boot: int = N_BOOT,
    cluster: str | None = "auto",
    conf_level: float = 0.95,
    seed: int = SEED,
) -> ValidityResult:
    """Convergent and discriminant validity of a fitted factor model.

    Do the items of a factor belong together, and do the factors measure different things?
    Without a model, `htmt` answers the second question.

    Parameters
    ----------
    result : CfaResult
        Of `cfa` or `sem`, with one level.
    data : Responses or any frame, optional
        The answers that the model was fitted to, for intervals of HTMT: a result holds
        moments, not people.
    absolute : bool
        HTMT from correlations without their sign, semTools' default; False keeps the signs,
        items turned so that they load positively. HTMT2 is always without signs.
    n_boot, cluster, seed
        Percentile limits of HTMT as in `htmt`, of the rows that have every item; 0 for none.
    conf_level : float
        Of all intervals.

    Raises
    ------
    NotSupportedError
        A two-level model; intervals of HTMT where some items are ordered and some are not.
    DataError
        `result` is no fitted model; `data` has other rows than the model was fitted to; no
        factor has items.

    Warns
    -----
    KeyingWarning
        An item loads against the other items of its factor.
    FewClustersWarning
        Fewer than 10 clusters behind the intervals of HTMT.
    CollabSurveyWarning
        A factor of one item (nothing is defined for it) or of two.

    Notes
    -----
    With standardised loadings l and residual variances e: AVE = mean l², composite reliability
    = (sum l)² / ((sum l)² + sum e), both Fornell & Larcker's (1981). Items are first turned so
    that they load positively. semTools' numbers from raw metrics stand beside them:

    - `ave_raw`, avevar of semTools::reliability: explained over implied variance, summed over
      the items; `ave_observed`, semTools::AVE: over the observed variances. They weigh items by
      their variance. For items of several factors semTools gives nothing.
    - `omega_total`, `omega_model`, `omega_observed` are its omega, omega2 and omega3: variance
      of the factor in the unweighted sum over its own and the residuals', over the implied, and
      over the observed variance. compRelSEM is `omega_observed`.
    - `maximal_reliability` is maximalRelia; `higher_order` has reliabilityL2's three omegas
      and compRelSEM(higher=).

    semTools adds items as they load, which is no score where one is reverse-keyed.

    For a bifactor model (a general factor that has the items of others and is uncorrelated with
    them) the numbers are given without a reading: they are not meant for it.

    HTMT comes from the sample correlations (of latent responses where items are ordered, from
    the saturated model where answers are missing), not from the model. Intervals of AVE,
    composite reliability and factor correlations are by the delta method, as lavaan's for
    defined parameters, but on the logit and Fisher's z scale, where they stay within bounds.
    """
    _require_fit(result)
    check_level(conf_level)
    check_flag("absolute", absolute)
    check_draws(n_boot)
    if result.model.levels > 1:
        raise NotSupportedError(
            "The validity of a two-level model",
            instead="Fit the model to the answers with cluster=, and hand that in.",
        )
    several = len(result.model.groups) > 1
    drawn = [None] * len(result.model.groups) if data is None or not n_boot else (
        _rows_by_group(result, data, cluster)
    )  # fmt: skip
    found = []
    for b, rows in enumerate(drawn):  # one level: a block a group
        one = _group_validity(
            result, b, rows, absolute=absolute, n_boot=n_boot, conf_level=conf_level, seed=seed
        )
        found.append((result.model.groups[b], one))
    for _, one in found:
        _warn(one)
    notes = [] if result.converged else ["The model did not converge: do not use these numbers."]
    for label, one in found:
        notes += [f"{label}: {note}" if several else note for note in one.notes]
    first = found[0][1]
    if len(first.pairs) and not all(one.bifactor for _, one in found):
        notes += [MEANING, CUT_OFFS, *([WITHOUT_SIGN] if absolute else [])]
        if data is None:
            notes.append("HTMT has no interval: hand in the answers as data= for one.")
    if any(block.ordered for block in result.model.blocks):
        notes.append(ORDERED)
    notes.append(limits_note(conf_level, first.given.factors, result.vcov is not None))
    if data is not None and n_boot and result.missing != "listwise":
        notes.append("The intervals of HTMT rest on the rows that have every item.")

    def stacked(name: str) -> pd.DataFrame:
        frames = []
        for label, one in found:
            frame = getattr(one, name)
            if several:
                frame.insert(0, "group", label)
            frames.append(frame)
        whole: pd.DataFrame = pd.concat(frames, ignore_index=True)
        return whole

    return ValidityResult(
        factors=stacked("factors"),
        pairs=stacked("pairs"),
        loadings=stacked("loadings"),
        higher_order=stacked("higher_order"),
        overall=pd.DataFrame(
            {
                "group": [label for label, _ in found],
                "n": [sample.n for sample in result.samples],
                "maximal_reliability": [one.maximal_reliability for _, one in found],
            }
        ),
        absolute=absolute,
        n_boot=min(one.n_kept for _, one in found),
        conf_level=conf_level,
        notes=tuple(notes),
    )


@dataclass(frozen=True, eq=False)
class _GroupValidity:
    """Numbers and sentences of one group."""

    given: Measurement
    factors: pd.DataFrame
    pairs: pd.DataFrame
    loadings: pd.DataFrame
    higher_order: pd.DataFrame
    maximal_reliability: float
    n_kept: int
    reversed_items: str
    short_factors: str
    rows: Resampler | None
    bifactor: bool
    notes: list[str]


def _group_validity(
    result: FittedModel,
    b: int,
    rows: Resampler | None,
    *,
    absolute: bool,
    n_boot: int,
    conf_level: float,
    seed: int,
) -> _GroupValidity:
    block, cov = result.model.blocks[b], result.samples[b].cov
    given = kernels.measurement(result.model, b, result.theta, cov)
    if not given.factors:
        raise DataError("No factor of this model has items, so there is no validity to speak of.")
    errors = None
    if result.vcov is not None:
        errors = kernels.delta_errors(result.model, b, result.theta, result.vcov, cov)
    # Each item in the direction of the first factor it loads on.
    signs = given.turned[np.arange(len(given.items)), np.argmax(given.member, axis=1)]
    turn = np.outer(signs, signs)
    draws: Any = ()
    if rows is not None:
        kind: Kind = "polychoric" if block.ordered else "pearson"
        draws = (one * turn for one in correlation_draws(rows, kind, n_boot, seed=seed))
    measured = overlap(
        correlations(given.sample_cov) * turn,
        given.member,
        absolute=absolute,
        draws=draws,
        conf_level=conf_level,
    )
    factors = factor_frame(given, errors, measured, conf_level)
    pairs = factor_pair_frame(given, errors, measured, conf_level)
    about_items, reversed_items = item_notes(given)
    short = short_factor_sentence(
        dict(zip(given.factors, given.member.sum(axis=0).tolist(), strict=True))
    )
    general = shared_by_general(given)
    if general:
        pairs["reading"] = NOT_MEANT
        read = [bifactor_note(general)]
    else:
        read = [
            *factor_notes(factors),
            *distinct_notes(pairs, conf_level),
            *criterion_notes(pairs),
        ]
    notes = [
        *read,
        *about_items,
        *([short] if short else []),
        *(resampling_notes(rows, n_boot, measured.n_kept, conf_level) if rows is not None else []),
    ]
    item, factor = np.nonzero(given.member)
    order = np.argsort(factor, kind="stable")
    return _GroupValidity(
        given=given,
        factors=factors,
        pairs=pairs.drop(columns="reach"),
        loadings=pd.DataFrame(
            {
                "factor": np.array(given.factors, dtype=object)[factor[order]],
                "item": np.array(given.items, dtype=object)[item[order]],
                "loading": kernels.standardised(given)[item[order], factor[order]],
            }
        ),
        higher_order=pd.DataFrame(
            [vars(one) for one in kernels.higher_order(result.model, b, result.theta, cov)],
            columns=list(kernels.HigherOrder.__dataclass_fields__),
        ),
        maximal_reliability=kernels.maximal_reliability(given),
        n_kept=measured.n_kept,
        reversed_items=reversed_items,
        short_factors=short,
        rows=rows,
        bifactor=bool(general),
        notes=notes,
    )


def _require_fit(result: object) -> None:
    """Refuse data, or the result of something else."""
    if not all(hasattr(result, name) for name in ("model", "theta", "samples", "converged")):
        kind = type(result).__name__
        raise DataError(
            f"validity() takes the result of cfa() or sem(), and this is a {kind}. Fit the model "
            "first, or see htmt() for scales without a model."
        )


def _rows_by_group(
    result: FittedModel, data: Any, cluster: str | None
) -> Sequence[Resampler | None]:
    """Complete rows of each group, checked against what the model was fitted to."""
    rows = []
    parts: dict[str, Responses] = {}
    for b, (block, sample) in enumerate(zip(result.model.blocks, result.samples, strict=True)):
        given = kernels.measurement(result.model, b, result.theta, sample.cov)
        if 0 < sum(item in block.ordered for item in given.items) < len(given.items):
            raise NotSupportedError(MIXED, instead="Leave data out.")
        chosen = item_set(data, given.items, method="HTMT")
        if result.group is None:
            answers = chosen.responses
        else:
            parts = parts or {str(k): v for k, v in split(chosen.responses, result.group).items()}
            label = str(result.model.groups[block.group])
            if label not in parts:
                raise DataError(f"These data have no rows of the group {label!r}.")
            answers = parts[label]
        one = drawn_rows(answers, given.items, cluster=cluster)
        n = len(one.x) + one.n_without_cluster
        if result.missing == "listwise" and n != round(sample.n):
            raise DataError(
                f"The model was fitted to {sample.n:.0f} rows, and these data have {n} with every "
                "item. Hand in the answers that the model was fitted to."
            )
        rows.append(one)
    return rows


def _warn(one: _GroupValidity) -> None:
    """Warn of what is easily misread."""
    if one.reversed_items:
        warnings.warn(one.reversed_items, KeyingWarning, stacklevel=3)
    if one.short_factors:
        warnings.warn(one.short_factors, CollabSurveyWarning, stacklevel=3)
    if one.rows is not None:
        warn_few_clusters(one.rows)
