"""A difference or a slope in its four versions: scale and latent, with and without items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np

from collabsurvey.dimensionality.sem.fitted import Analysis
from collabsurvey.dimensionality.sem.samples import Categories
from collabsurvey.invariance.item_bias import dmacs, item_bias
from collabsurvey.invariance.latent_means import group_pairs, latent_means
from collabsurvey.invariance.latent_slopes import latent_slopes
from collabsurvey.invariance.measured import Measured
from collabsurvey.invariance.scale_scores import (
    Rows,
    mean_difference,
    scale_score,
    slopes,
)
from collabsurvey.numerics.student import critical_value, two_sided_p
from collabsurvey.numerics.typing import BoolArray, FloatArray

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Scores:
    """Scale scores of every respondent, with all items and without those that differ."""

    rows: Rows
    whole: Mapping[str, FloatArray]  # factor to (n,)
    kept: Mapping[str, FloatArray]
    signs: Mapping[str, Mapping[str, float]]  # -1 for items that load negatively
    df: float  # for intervals: clusters less one, or infinite

    def known(self, factor: str) -> BoolArray:
        """Who has both scores of a factor."""
        return ~np.isnan(self.whole[factor]) & ~np.isnan(self.kept[factor])

    def reach(self, conf_level: float) -> float:
        """Multiple of an error that an interval reaches to each side."""
        return float(critical_value(conf_level, np.array([self.df]))[0])

    def p_value(self, estimate: float, error: float) -> float:
        """Two-sided p-value of a difference from zero."""
        if not error > 0:
            return nan
        return float(two_sided_p(np.array([estimate / error]), np.array([self.df]))[0])


def scores_of(found: Measured, full: Analysis, kept: Mapping[str, Sequence[str]]) -> Scores:
    """Score every respondent of the model's data; `full` tells which items are reversed."""
    answers = found.prepared.answers
    weights = np.ones(len(answers.x))
    if answers.weights is not None:
        weights = answers.weights.astype(np.float64)
        for g in range(len(answers.labels)):
            at = answers.of(g)
            weights[at] *= at.sum() / weights[at].sum()
    place = {name: i for i, name in enumerate(answers.names)}
    whole: dict[str, FloatArray] = {}
    rest: dict[str, FloatArray] = {}
    signs = {}
    for factor, items in found.factors.items():
        direction = upward(full, factor, items)
        own = dict(zip(items, direction * _loading_signs(full, factor, items), strict=True))
        signs[factor] = own
        for into, chosen in ((whole, items), (rest, kept[factor])):
            x = answers.x[:, [place[item] for item in chosen]]
            into[factor] = scale_score(x, np.array([own[item] for item in chosen]))
    rows = Rows(answers.groups, weights, answers.clusters)
    df = float(rows.n_clusters - 1) if answers.clusters is not None else np.inf
    return Scores(rows, whole, rest, signs, df)


def upward(found: Analysis, factor: str, items: Iterable[str]) -> float:
    """-1 where the factor points down: most of its items load negatively; else 1.

    With unit variances the direction of a factor is arbitrary.
    """
    signs = _loading_signs(found, factor, items)
    return float(np.sign(signs.sum()) or signs[0])


def _loading_signs(found: Analysis, factor: str, items: Iterable[str]) -> FloatArray:
    block = found.model.blocks[0]
    loadings = block.loadings.filled(found.fit.theta)[:, block.latent.index(factor)]
    return np.where(loadings[[block.observed.index(item) for item in items]] < 0, -1.0, 1.0)


def difference_frames(
    found: Measured,
    full: Analysis,
    loose: Analysis,
    scores: Scores,
    kept: Mapping[str, Sequence[str]],
    conf_level: float,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Differences from the first group in every version, and what changes between versions."""
    import pandas as pd

    latent = {"latent": _latent(found, full), "latent_partial": _latent(found, loose)}
    out: list[dict[str, Any]] = []
    changes: list[dict[str, Any]] = []
    for factor, items in found.factors.items():
        known = scores.known(factor)
        rows = scores.rows.some(known)
        for g, label in enumerate(found.groups[1:], start=1):
            names = {"factor": factor, "group": label, "reference": found.groups[0]}
            effects = []
            for version, score in (("scale", scores.whole), ("scale_without", scores.kept)):
                raw, effect = mean_difference(score[factor][known], rows, g, 0)
                effects.append(effect)
                n = len(items if version == "scale" else kept[factor])
                row = {**names, "version": version, "n_items": n}
                numbers = raw.value, raw.error(rows), effect.value, effect.error(rows)
                out.append(row | _difference(numbers, scores, conf_level))
            for version, means in latent.items():
                row = {**names, "version": version, "n_items": len(items)}
                out.append(row | _difference(means[factor, label], scores, conf_level))
            before, after = effects
            error = rows.error(after.influence - before.influence)
            change = _change(before.value, after.value, error, scores, conf_level)
            changes.append({**names, "kind": "scale"} | change)
            start, end = (means[factor, label][2] for means in latent.values())
            change = _change(start, end, nan, scores, conf_level)
            changes.append({**names, "kind": "latent"} | change)
    return pd.DataFrame(out), pd.DataFrame(changes)


def _latent(
    found: Measured, model: Analysis
) -> dict[tuple[str, str], tuple[float, float, float, float]]:
    """Latent mean difference with its error, and both over the pooled standard deviation."""
    frame = latent_means(model, group_pairs(model), level="", conf_level=0.95)
    columns = ("factor", "group", "difference", "std_error", "d_pooled", "d_pooled_std_error")
    out = {}
    for factor, group, raw, error, d, d_error in zip(
        *(frame[name].tolist() for name in columns), strict=True
    ):
        up = upward(model, factor, found.factors[factor])
        out[factor, group] = (up * raw, error, up * d, d_error)
    return out


def _difference(
    numbers: tuple[float, float, float, float], scores: Scores, conf_level: float
) -> dict[str, float]:
    raw, error, d, d_error = numbers
    reach = scores.reach(conf_level)
    return {
        "difference": raw,
        "std_error": error,
        "ci_low": raw - reach * error,
        "ci_high": raw + reach * error,
        "d": d,
        "d_std_error": d_error,
        "d_ci_low": d - reach * d_error,
        "d_ci_high": d + reach * d_error,
        "p_value": scores.p_value(raw, error),
    }


def _change(
    before: float, after: float, error: float, scores: Scores, conf_level: float
) -> dict[str, float]:
    change, reach = after - before, scores.reach(conf_level)
    return {
        "d_from": before,
        "d_to": after,
        "change": change,
        "std_error": error,
        "ci_low": change - reach * error,
        "ci_high": change + reach * error,
        "p_value": scores.p_value(change, error),
    }


SLOPES = (
    "factor", "kind", "version", "slope", "std_error", "ci_low", "ci_high", "std_slope",
    "std_slope_error", "std_ci_low", "std_ci_high", "p_value",
)  # fmt: skip


def no_slopes() -> pd.DataFrame:
    """An empty frame of slopes."""
    import pandas as pd

    return pd.DataFrame(columns=list(SLOPES))


def slope_frame(
    outcome: str,
    y: FloatArray,
    scores: Scores,
    models: Mapping[tuple[str, str], Analysis],
    conf_level: float,
) -> pd.DataFrame:
    """Slopes of the outcome (n,) on all factors together; `models` by kind and version."""
    import pandas as pd

    factors = list(scores.whole)
    known = ~np.isnan(y)
    for factor in factors:
        known &= scores.known(factor)
    rows = scores.rows.some(known)
    reach = scores.reach(conf_level)
    out = []
    for kind in ("within", "pooled"):
        within = kind == "within"
        found: dict[str, list[tuple[tuple[float, float], tuple[float, float]]]] = {}
        for version, score in (("scale", scores.whole), ("scale_without", scores.kept)):
            x = np.column_stack([score[factor][known] for factor in factors])
            found[version] = [
                ((raw.value, raw.error(rows)), (std.value, std.error(rows)))
                for raw, std in slopes(y[known], x, rows, within=within)
            ]
        for version in ("latent", "latent_partial"):
            model = models[kind, version]
            found[version] = [
                ((up * raw, error), (up * std, std_error))
                for up, ((raw, error), (std, std_error)) in zip(
                    (upward(model, factor, scores.signs[factor]) for factor in factors),
                    latent_slopes(model, outcome, factors, within=within),
                    strict=True,
                )
            ]
        for j, factor in enumerate(factors):
            for version, estimates in found.items():
                (raw, error), (std, std_error) = estimates[j]
                numbers = (
                    factor, kind, version, raw, error, raw - reach * error, raw + reach * error,
                    std, std_error, std - reach * std_error, std + reach * std_error,
                    scores.p_value(raw, error),
                )  # fmt: skip
                out.append(dict(zip(SLOPES, numbers, strict=True)))
    frame = pd.DataFrame(out)
    # Versions of one slope stand together.
    order = frame["factor"].map({name: i for i, name in enumerate(factors)})
    return frame.iloc[np.argsort(order.to_numpy(), kind="stable")].reset_index(drop=True)


ITEMS = (
    "factor", "item", "group", "dmacs", "dmacs_signed", "bias", "std_error", "scale_bias",
    "scale_bias_d",
)  # fmt: skip


def item_frame(
    found: Measured, loose: Analysis, scores: Scores, without: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    """How far every item that differs moves the answers of each later group."""
    import pandas as pd

    prepared, names = found.prepared, loose.model.blocks[0].observed
    codes = {name: _category_values(one) for name, one in prepared.categories.items()}
    bias = item_bias(loose.model, loose.fit.theta, loose.assessed.vcov, codes)
    out = []
    for g, label in enumerate(found.groups[1:], start=1):
        sd = np.array([_pooled_sd(x, scores.rows, g) for x in prepared.answers.x.T])
        size, signed = dmacs(bias, sd)
        for factor, items in found.factors.items():
            spread = _pooled_sd(scores.whole[factor], scores.rows, g)
            for item in items:
                if item not in without[factor]:
                    continue
                i = names.index(item)
                mean = float(bias.mean[g - 1, i])
                share = scores.signs[factor][item] * mean / len(items)
                numbers = (
                    factor, item, label, float(size[g - 1, i]), float(signed[g - 1, i]), mean,
                    float(bias.error[g - 1, i]), share, share / spread,
                )  # fmt: skip
                out.append(dict(zip(ITEMS, numbers, strict=True)))
    frame = pd.DataFrame(out, columns=list(ITEMS))
    return frame.sort_values("dmacs", ascending=False, ignore_index=True, kind="stable")


def _category_values(one: Categories) -> FloatArray:
    """Value of each category; joined categories have the average of theirs."""
    place = np.array(one.place)
    return np.asarray(np.bincount(place, one.codes) / np.bincount(place))


def _pooled_sd(values: FloatArray, rows: Rows, group: int) -> float:
    """Standard deviation within a group and the first, from all who have a value."""
    total, size = 0.0, 0.0
    for one in (group, 0):
        at = (rows.groups == one) & ~np.isnan(values)
        w, y = rows.weights[at], values[at]
        total += float(w @ (y - w @ y / w.sum()) ** 2)
        size += float(w.sum())
    return float(np.sqrt(total / (size - 2)))
