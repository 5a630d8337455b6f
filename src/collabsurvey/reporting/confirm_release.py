"""Whether questions measure what they were written for, as it may be written: over everybody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from math import isfinite, nan
from typing import TYPE_CHECKING, Literal

import numpy as np

from collabsurvey.dimensionality.validity_words import CLOSE, SAME
from collabsurvey.instruments.answer_words import filled, wording_of
from collabsurvey.reporting.loadings_chart import Tied, loadings_chart
from collabsurvey.reporting.structure_release import UNTITLED, item_name
from collabsurvey.reporting.term_words import spaced
from collabsurvey.reporting.wording import without_ids

if TYPE_CHECKING:
    from collections.abc import Collection

    import pandas as pd

    from collabsurvey.dimensionality import SemResult
    from collabsurvey.display import Chart
    from collabsurvey.instruments.model import Instrument
    from collabsurvey.reporting.record import ConfirmatoryRecord, RunRecord

# Below, less than a sixth of what differs in the answers comes from the scale (Stevens, 2002).
WEAK = 0.40
LEAST_SHARED = 0.10  # a correlation that the model leaves unexplained; Kline (2016), p. 240
MOST_PAIRS = 3
Verdict = Literal["well", "roughly", "divided", "badly", "exactly", "unknown"]
# CFI at least, RMSEA and SRMR at most: Hu & Bentler (1999) for the first; the second from
# Bentler & Bonett (1980) and Browne & Cudeck (1992), with SRMR of .10 (Kline, 2016).
WELL = (0.95, 0.06, 0.08)
ROUGHLY = (0.90, 0.08, 0.10)
INDICES = ("chi2", "df", "p_value", "cfi", "tli", "rmsea", "rmsea_ci_low", "rmsea_ci_high")


@dataclass(frozen=True)
class MeasuredScale:
    """How well the questions of one scale stand for it; questions by their names."""

    scale: str  # id, or the name of a factor that is no scale
    title: str
    n_items: int
    low: float  # weakest and strongest loading
    high: float
    weak: tuple[str, ...]
    against: tuple[str, ...]
    reliability: float  # of the sum, error aside (composite reliability)
    ave: float
    same: tuple[str, ...] = ()  # titles of scales it is not told apart from
    close: tuple[str, ...] = ()  # hard to tell apart


@dataclass(frozen=True, eq=False)
class ReleasedConfirmatory:
    """One confirmatory model."""

    title: str
    n_people: int
    n_fewest: int  # people behind the correlation with the fewest
    wave: str
    n_repeated: int
    n_items: int
    n_clusters: int | None
    n_free: int  # parameters
    estimator: str
    why: str
    own_model: bool
    converged: bool
    verdict: Verdict
    scales: tuple[MeasuredScale, ...]
    fit: pd.DataFrame  # one row
    loadings: pd.DataFrame  # scale item wording reversed loading std_error ci_low ci_high weak
    pairs: pd.DataFrame  # scale_1 scale_2 correlation … htmt, reading
    together: tuple[tuple[str, str, float], ...]  # questions that share more than their scales
    map: Chart | None
    left_out: Mapping[str, str]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


def released_confirmatory(
    record: RunRecord, ids: Collection[str]
) -> tuple[ReleasedConfirmatory, ...]:
    """Models of at least `min_group` people; no group has one of its own."""
    if record.responses is None:
        return ()
    instrument = record.responses.instrument
    return tuple(
        _released(one, instrument, ids)
        for one in record.confirmatory
        if one.fewest >= record.min_group
    )


def _released(
    one: ConfirmatoryRecord, instrument: Instrument, ids: Collection[str]
) -> ReleasedConfirmatory:
    fit = one.fit
    titles = factor_titles(one.factors, instrument)
    loadings, turned = _loadings(one, instrument)
    pairs = _pairs(one, turned)
    usable = fit.converged
    return ReleasedConfirmatory(
        title=one.title or UNTITLED,
        n_people=one.n_people,
        n_fewest=one.fewest,
        wave=one.wave,
        n_repeated=one.n_repeated,
        n_items=len(one.items),
        n_clusters=one.n_clusters,
        n_free=fit.model.n_unique,
        estimator=fit.estimator,
        why=one.why,
        own_model=one.own_model,
        converged=usable,
        verdict=verdict_of(fit) if usable else "unknown",
        scales=_scales(one, instrument, loadings, pairs, titles) if usable else (),
        fit=_fit(fit),
        loadings=loadings if usable else loadings[:0],
        pairs=pairs,
        together=_together(one, instrument) if usable else (),
        map=_map(one, instrument, loadings, titles) if usable else None,
        left_out=one.left_out,
        warnings=_warnings(one, instrument),
        notes=tuple(
            without_ids(note, ids)
            for note in fit.notes
            if not note.startswith((f"{fit.estimator}:", "Errors over "))  # said in plainer words
        ),
    )


def factor_titles(factors: Mapping[str, str], instrument: Instrument) -> dict[str, str]:
    """Title of each scale that is a factor; factors of the study's own by their names."""
    known = {scale.id: scale.title or scale.id for scale in instrument.scoring}
    return {scale: known.get(scale, spaced(scale)) for scale in factors.values()}


# Fit.


def version_of(fit: Mapping[str, float]) -> str:
    """Suffix of the indices to read: robust ones, else scaled ones, else the plain ones."""
    for tail in ("_robust", "_scaled"):
        if isfinite(fit.get(f"cfi{tail}", nan)) and isfinite(fit.get(f"rmsea{tail}", nan)):
            return tail
    return ""


def verdict_of(result: SemResult) -> Verdict:
    """How the model fits, by customary limits; divided where one of three indices disagrees.

    RMSEA is large where questions are tied strongly to their scales, and CFI small where they are
    tied weakly, at the same misfit (McNeish, An & Hancock, 2018): one alone decides nothing.
    """
    fit = result.fit
    if not fit["df"]:
        return "exactly"
    tail = version_of(fit)
    found = (-fit[f"cfi{tail}"], fit[f"rmsea{tail}"], fit["srmr"])
    missed = {
        limits: sum(
            not one <= most for one, most in zip(found, (-limits[0], *limits[1:]), strict=True)
        )
        for limits in (WELL, ROUGHLY)
    }
    if not missed[WELL]:
        return "well"
    if not missed[ROUGHLY]:
        return "roughly"
    return "divided" if missed[ROUGHLY] == 1 else "badly"


def _fit(result: SemResult) -> pd.DataFrame:
    """One row: the indices to read, and which version of them it is."""
    import pandas as pd

    fit, tail = result.fit, version_of(result.fit)
    row: dict[str, object] = {"estimator": result.estimator, "n": result.n_obs}
    for name in INDICES:
        chi2 = name in ("chi2", "df", "p_value")
        version = "_scaled" if chi2 and isfinite(fit.get("chi2_scaled", nan)) else tail
        row[name] = fit.get(f"{name}{version}", fit.get(name, nan)) if result.converged else nan
    row["srmr"] = fit.get("srmr", nan) if result.converged else nan
    row["version"] = tail.lstrip("_") or "plain"
    row["converged"] = result.converged
    return pd.DataFrame([row])


# Loadings.


def _loadings(
    one: ConfirmatoryRecord, instrument: Instrument
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Standardised loadings, reversed items turned round; and which factors were turned.

    A factor whose first item is reversed comes out upside down, which says nothing.
    """
    import pandas as pd

    table = one.fit.standardised()
    table = table[(table["op"] == "=~") & table["rhs"].isin(list(one.items))]
    items = [one.items[name] for name in table["rhs"]]
    keys = np.array(instrument.keys_of(items), dtype=float)
    size = pd.Series(keys * table["estimate"].to_numpy(), index=table["lhs"].to_numpy())
    turned = {
        str(name): -1 if total < 0 else 1 for name, total in size.groupby(level=0).sum().items()
    }
    sign = keys * np.array([turned[name] for name in table["lhs"]])
    ends = np.sort(sign[:, None] * table[["ci_low", "ci_high"]].to_numpy(dtype=float), axis=1)
    loading = sign * table["estimate"].to_numpy(dtype=float)
    frame = pd.DataFrame(
        {
            "scale": [one.factors[name] for name in table["lhs"]],
            "item": items,
            "wording": [filled(wording_of(instrument, item)) for item in items],
            "reversed": [instrument.item(item).keyed == -1 for item in items],
            "loading": loading,
            "std_error": table["std_error"].to_numpy(dtype=float),
            "ci_low": ends[:, 0],
            "ci_high": ends[:, 1],
            "weak": loading < WEAK,
        }
    )
    return frame, turned


def _map(
    one: ConfirmatoryRecord,
    instrument: Instrument,
    loadings: pd.DataFrame,
    titles: Mapping[str, str],
) -> Chart | None:
    rows = [
        Tied(titles[scale], item_name(instrument, item), float(loading), bool(weak))
        for scale, item, loading, weak in zip(
            loadings["scale"], loadings["item"], loadings["loading"], loadings["weak"], strict=True
        )
    ]
    title = f"How strongly the questions of {one.title or UNTITLED} are tied to their scales"
    return loadings_chart(rows, title=title, least=WEAK)


# Scales and pairs of them.


def _pairs(one: ConfirmatoryRecord, turned: Mapping[str, int]) -> pd.DataFrame:
    import pandas as pd

    names = ["scale_1", "scale_2", "correlation", "ci_low", "ci_high", "htmt", "reading"]
    if one.validity is None or not len(one.validity.pairs):
        return pd.DataFrame(columns=names)
    found = one.validity.pairs
    signs = np.array(
        [
            turned.get(a, 1) * turned.get(b, 1)
            for a, b in zip(found["factor_1"], found["factor_2"], strict=True)
        ]
    )
    ends = found[["correlation_ci_low", "correlation_ci_high"]].to_numpy(dtype=float)
    ends = np.sort(signs[:, None] * ends, axis=1)
    return pd.DataFrame(
        {
            "scale_1": [one.factors[name] for name in found["factor_1"]],
            "scale_2": [one.factors[name] for name in found["factor_2"]],
            "correlation": signs * found["correlation"].to_numpy(dtype=float),
            "ci_low": ends[:, 0],
            "ci_high": ends[:, 1],
            "htmt": found["htmt"].to_numpy(dtype=float),
            "reading": found["reading"].tolist(),
        },
        columns=names,
    )


def _scales(
    one: ConfirmatoryRecord,
    instrument: Instrument,
    loadings: pd.DataFrame,
    pairs: pd.DataFrame,
    titles: Mapping[str, str],
) -> tuple[MeasuredScale, ...]:
    known = {} if one.validity is None else {
        one.factors[row["factor"]]: row for row in one.validity.factors.to_dict("records")
    }  # fmt: skip
    scales = []
    for scale in dict.fromkeys(loadings["scale"]):
        own = loadings[loadings["scale"] == scale]
        names = [item_name(instrument, item) for item in own["item"]]
        row = known.get(scale, {})
        found = MeasuredScale(
            scale=scale,
            title=titles[scale],
            n_items=len(own),
            low=float(own["loading"].min()),
            high=float(own["loading"].max()),
            weak=tuple(
                name for name, x in zip(names, own["loading"], strict=True) if 0 <= x < WEAK
            ),
            against=tuple(name for name, x in zip(names, own["loading"], strict=True) if x < 0),
            reliability=float(row.get("composite_reliability", nan)),
            ave=float(row.get("ave", nan)),
        )
        scales.append(
            replace(
                found,
                same=_others(pairs, scale, SAME, titles),
                close=_others(pairs, scale, CLOSE, titles),
            )
        )
    return tuple(scales)


def _others(
    pairs: pd.DataFrame, scale: str, reading: str, titles: Mapping[str, str]
) -> tuple[str, ...]:
    own = pairs[pairs["reading"] == reading]
    return tuple(
        titles[b if a == scale else a]
        for a, b in zip(own["scale_1"], own["scale_2"], strict=True)
        if scale in (a, b)
    )


def _together(
    one: ConfirmatoryRecord, instrument: Instrument
) -> tuple[tuple[str, str, float], ...]:
    """Pairs of questions whose correlation the model misses by most, larger than it says."""
    names = [name for name in one.items if name in one.fit.items]
    left = one.fit.residuals("correlation").loc[names, names].to_numpy()
    implied = one.fit.implied_cov().loc[names, names].to_numpy()
    # More alike than the model has it, whichever way round the two are worded.
    more = left * np.where(implied < 0, -1.0, 1.0)
    found = [(float(more[i, j]), i, j) for i, j in combinations(range(len(names)), 2)]
    largest = sorted((row for row in found if row[0] >= LEAST_SHARED), reverse=True)
    return tuple(
        (
            item_name(instrument, one.items[names[i]]),
            item_name(instrument, one.items[names[j]]),
            x,
        )
        for x, i, j in largest[:MOST_PAIRS]
    )


def _warnings(one: ConfirmatoryRecord, instrument: Instrument) -> tuple[str, ...]:
    fit, said = one.fit, []
    if not fit.converged:
        return (
            "The calculation did not come to an end, so there is nothing to read. A smaller model, "
            "with fewer scales, may.",
        )
    if fit.improper:
        words = " ".join(fit.improper)
        named = [item_name(instrument, item) for name, item in one.items.items() if name in words]
        about = f" It concerns {'; '.join(f'“{name}”' for name in named)}." if named else ""
        said.append(
            "Part of the result is impossible, such as a share of more than all. That is a sign of "
            "too few people, or of questions that do not belong together: do not use the numbers "
            f"of that scale.{about}"
        )
    return tuple(said)
