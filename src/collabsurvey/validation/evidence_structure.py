"""Structure: what factor analyses and invariance ladders say about a score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isfinite, nan
from typing import Any

import numpy as np

from collabsurvey.dimensionality.efa_result import EfaResult
from collabsurvey.dimensionality.retention_result import RetentionResult
from collabsurvey.dimensionality.sem_result import SemResult
from collabsurvey.errors import DataError, NotSupportedError
from collabsurvey.instruments.model import Scale
from collabsurvey.invariance.ladder_result import LadderResult
from collabsurvey.validation import evidence_rules as rules
from collabsurvey.validation.evidence_inputs import (
    Asked,
    Counted,
    Finding,
    counted,
    not_these,
    reflective,
    require_items,
    rows_of,
    scales_in,
    size_of,
    wanted,
)

HOLDS = {True: "holds", False: "does not hold", None: "is not judged"}


def read_efa(result: EfaResult, asked: Asked) -> list[Finding]:
    """Whether the items of each scale load on a factor of their own."""
    correlations = result.correlations
    size = size_of(asked, result.items, correlations.missing, result.n, exact=False)
    single = result.n_factors == 1
    scales = reflective(asked, scales_in(asked, result.items, single=single))
    # A scale shares a factor with any that was analysed, whichever of them are asked about.
    whole = replace(asked, scales=None)
    together = reflective(whole, scales_in(whole, result.items, single=single))
    loadings = result.loadings.to_numpy()
    place = {item: j for j, item in enumerate(result.items)}
    own = {one.id: _main_factor(loadings[[place[i] for i in one.items]]) for one in together}
    sound = result.converged and result.rotation_converged and not result.heywood
    found = []
    for scale in scales:
        factor = own[scale.id]
        shared = [other for other, its in own.items() if its == factor and other != scale.id]
        part = loadings[[place[i] for i in scale.items]]
        keyed = _in_direction(part[:, factor], asked.instrument.keys_of(scale.items))
        first = np.abs(part).argmax(axis=1) == factor
        fits = (keyed >= rules.LEAST_LOADING) & first & (not shared)
        how = (
            f"EFA of {len(result.items)} items, {result.n_factors} "
            f"factor{'' if result.n_factors == 1 else 's'}, "
            f"{result.extraction.replace('_', ' ')}, {_rotated(result)}{correlations.kind} "
            "correlations"
        )
        if shared:
            how += f"; shares its factor with {', '.join(shared)}"
        if len(together) > result.n_factors:
            how += f"; fewer factors than the {len(together)} scales"
        if result.heywood:
            how += f"; no unique variance in {', '.join(result.heywood)}"
        found.append(
            Finding(
                score=scale.id,
                source_type="internal_structure",
                statistic="EFA (lowest loading on its factor)",
                value=float(keyed.min()),
                ci=None,
                n=size.n_people,
                n_groups=size.n_groups,
                method=how,
                judged=rules.judge_explored(
                    fits.tolist(),
                    size.n_people,
                    sound=sound,
                    testable=result.fit["df"] > 0,
                    enough_factors=result.n_factors >= len(together),
                ),
            )
        )
    return found


def read_retention(result: RetentionResult, asked: Asked) -> list[Finding]:
    """Whether there are as many factors as scales."""
    size = size_of(asked, result.items, result.correlations.missing, result.n, exact=False)
    scales = reflective(asked, scales_in(asked, result.items, single=False))
    covered = {item for scale in scales for item in scale.items}
    if covered != set(result.items):
        lack = ", ".join(sorted(set(result.items) - covered))
        raise DataError(f"The items {lack} are of no whole scale, so factors cannot be counted.")
    said = ", ".join(f"{name} {k}" for name, k in result.suggestions.items() if k is not None)
    return [
        Finding(
            score=scale.id,
            source_type="internal_structure",
            statistic="number of factors",
            value=float(result.suggested[0]) if len(result.suggested) == 1 else None,
            ci=None,
            n=size.n_people,
            n_groups=size.n_groups,
            method=f"{len(scales)} scales, {len(result.items)} items; {said}",
            judged=rules.judge_number(result.suggested, len(scales)),
        )
        for scale in scales
    ]


def read_cfa(result: SemResult, asked: Asked) -> list[Finding]:
    """Fit of the model that a scale is a factor of."""
    if result.prepared.two_level:
        raise NotSupportedError(
            "Evidence from a model of two levels",
            instead="Fit the model to the answers, with cluster= for the schools.",
        )
    if not result.converged:
        raise DataError("This model did not converge, so none of its numbers are evidence.")
    items = tuple(name for name in result.items if name in asked.instrument.item_ids)
    size = _semsize_of(result, asked, items)
    scales = _factored(result, asked)
    tail = next(
        (end for end in ("_robust", "_scaled") if isfinite(result.fit.get(f"cfi{end}", nan))), ""
    )
    cfi, rmsea = (result.fit.get(f"{name}{tail}", nan) for name in ("cfi", "rmsea"))
    srmr, df = result.fit.get("srmr", nan), result.fit["df"]
    low, high = (result.fit.get(f"rmsea_ci_{end}{tail}", nan) for end in ("low", "high"))
    version = f" ({tail.strip('_')})" if tail else ""
    how = (
        f"CFA, {result.estimator}, {rows_of(result.missing)}, {df:.0f} degrees of freedom; "
        f"CFI{version} {cfi:.3f}, RMSEA{version} {rmsea:.3f} (90% {low:.3f} to {high:.3f}), "
        f"SRMR {srmr:.3f}"
    )
    if result.groups:
        how += f"; {len(result.groups)} groups ({result.group})"
    if result.improper:
        how += f"; improper: {' '.join(result.improper).rstrip('.')}"
    return [
        Finding(
            score=scale.id,
            source_type="internal_structure",
            statistic=f"CFA (CFI{version.replace(' (', ', ') or ')'}",
            value=cfi if isfinite(cfi) else None,
            ci=None,
            n=size.n_people,
            n_groups=size.n_groups,
            method=f"{how}; lowest loading {min(loadings):.2f}",
            judged=rules.judge_confirmed(
                cfi, rmsea, srmr, loadings, size.n_people, df=df, sound=not result.improper
            ),
        )
        for scale, loadings in scales
    ]


def read_ladder(result: LadderResult, asked: Asked) -> list[Finding]:
    """How strong a comparison between groups the measurement allows."""
    first = result.fits[result.levels[0]]
    names = set(first.items)
    waves = not names & set(asked.instrument.item_ids)
    known = {
        item
        for item in asked.instrument.item_ids
        if item in names or (waves and any(name.startswith(f"{item}_") for name in names))
    }
    ordered = tuple(item for item in asked.instrument.item_ids if item in known)
    scales = reflective(asked, scales_in(asked, ordered, single=False))
    size = counted(asked.answers(), ordered, complete=first.missing == "listwise")
    _require_ladder_rows(result, first, asked, waves=waves)
    n = min(max(result.sizes) if waves else sum(result.sizes), size.n_people)
    frame = result.to_frame()
    steps = ", ".join(
        f"{row['level']} {HOLDS[row['holds']]}"
        + (f" (CFI {_signed(row['delta_cfi'])})" if isfinite(row["delta_cfi"]) else "")
        for row in frame.to_dict("records")
    )
    how = (
        f"invariance of {len(result.groups)} {'waves' if waves else 'groups'}, {result.estimator}, "
        f"judged by {'change in fit' if result.rule == 'fit' else 'difference test'}: {steps}"
    )
    if result.partial:
        how += f"; left free: {', '.join(result.partial)}"
    if result.cautions:
        how += f"; rough: {', '.join(result.cautions)}"
    return [
        Finding(
            score=scale.id,
            source_type="internal_structure",
            statistic=f"measurement invariance by {result.by}: {result.highest or 'none'}",
            value=None,
            ci=None,
            n=n,
            n_groups=size.n_groups,
            method=how,
            judged=rules.judge_invariance(
                result.highest,
                rough=bool(result.cautions) or not result.converged,
                partial=bool(result.partial),
            ),
        )
        for scale in scales
    ]


def _semsize_of(result: SemResult, asked: Asked, items: Sequence[str]) -> Counted:
    """Rows of a model, which may leave out rows without a group, a cluster or another variable."""
    responses = asked.answers()
    require_items(asked, items)
    size = counted(responses, items, complete=result.missing == "listwise")
    if result.prepared.answers.n_rows != responses.n_rows or result.n_obs > size.n_rows:
        raise DataError(not_these(result.prepared.answers.n_rows, responses.n_rows))
    return Counted(result.n_obs, min(result.n_obs, size.n_people), size.n_groups)


def _factored(result: SemResult, asked: Asked) -> list[tuple[Scale, list[float]]]:
    """Scales that are a factor of the model, with the loadings of their items, as keyed."""
    frame = result.estimates[result.estimates["op"] == "=~"]
    below: dict[str, list[str]] = {}
    for left, right in zip(frame["lhs"], frame["rhs"], strict=True):
        below.setdefault(str(left), []).append(str(right))

    def items_of(name: str) -> set[str]:
        return {i for one in below[name] for i in (items_of(one) if one in below else {one})}

    measured = {name: items_of(name) for name in below}
    found = []
    for scale in asked.instrument.scoring:
        for name, items in measured.items():
            if items == set(scale.items):
                found.append((scale, _keyed_loadings(frame, name, below, asked, scale)))
                break
    kept = [one.id for one in reflective(asked, wanted(asked, [scale for scale, _ in found]))]
    return [(scale, loadings) for scale, loadings in found if scale.id in kept]


def _keyed_loadings(
    frame: Any, name: str, below: Mapping[str, Sequence[str]], asked: Asked, scale: Scale
) -> list[float]:
    """Standardised loadings in the direction of the key; of factors, for one of a second order."""
    out: list[float] = []
    for _, group in frame[frame["lhs"] == name].groupby("group"):
        values = group["std_all"].to_numpy(dtype=float)
        names = group["rhs"].tolist()
        keys = [1 if one in below else asked.instrument.item(one).keyed for one in names]
        out += _in_direction(values, keys).tolist()
    return out


def _in_direction(loadings: Any, keys: Sequence[int]) -> Any:
    """Loadings turned so that agreement with the key is positive for most of the scale."""
    keyed = np.asarray(loadings, dtype=float) * np.asarray(keys)
    return keyed if keyed.sum() >= 0 else -keyed


def _main_factor(loadings: Any) -> int:
    """Return the factor that most items of a scale load on most; the stronger if tied."""
    size = np.abs(loadings)
    votes = np.bincount(size.argmax(axis=1), minlength=size.shape[1]).astype(float)
    return int((votes + size.sum(axis=0) / (size.sum() + 1)).argmax())


def _rotated(result: EfaResult) -> str:
    return "" if result.n_factors == 1 else f"{result.rotation.replace('_', ' ')} rotation, "


def _signed(value: float) -> str:
    return f"{round(value, 3) + 0.0:+.3f}".replace("-", "−")


def _require_ladder_rows(
    result: LadderResult, first: SemResult, asked: Asked, *, waves: bool
) -> None:
    """Refuse answers that a ladder was not made from; of waves it keeps some of the people."""
    n_rows, fitted = asked.answers().n_rows, first.prepared.answers.n_rows
    if (sum(result.sizes) > n_rows) if waves else (fitted != n_rows):
        raise DataError(not_these(sum(result.sizes) if waves else fitted, n_rows))
