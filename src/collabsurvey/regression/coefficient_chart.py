"""Coefficients of one or several models with their intervals; scales that differ stand apart."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from collabsurvey.display import Chart
from collabsurvey.display.caterpillar import short_name
from collabsurvey.display.charts import interval_chart
from collabsurvey.display.compare import Compared, compare_chart
from collabsurvey.display.panels import beside
from collabsurvey.display.ratio_axis import ratio_axis
from collabsurvey.errors import DataError, OptionError
from collabsurvey.regression.compare_rows import models_of, slopes_of
from collabsurvey.regression.results import RegressionResult
from collabsurvey.regression.scales import Scale, scale_of
from collabsurvey.regression.terms import INTERCEPT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_PANELS = 3
NAN = float("nan")


def coefficient_chart(
    models: Sequence[RegressionResult],
    *,
    names: Sequence[str] | None = None,
    terms: Sequence[str] | None = None,
    exponentiate: bool = False,
) -> Chart:
    """Draw the coefficients of models side by side, without intercepts and thresholds.

    Parameters
    ----------
    models : sequence of results
        Up to six. Models whose coefficients are in different units (points of two outcomes, log
        odds) are drawn in panels of their own, up to three: their lengths cannot be compared.
    names : sequence of str, optional
        "(1)", "(2)" … if left out.
    terms : sequence of str, optional
        Which coefficients, in this order; all if left out.
    exponentiate : bool
        Odds and rate ratios where a model has them, on a logarithmic axis.

    Raises
    ------
    DataError
        No model or no coefficient; more than six models, or than three scales.
    OptionError
        One result instead of a list, or something that is none.
    """
    models = models_of(models)
    if not models:
        raise DataError("coefficient_chart() needs at least one model.")
    labels = list(names) if names is not None else [f"({i + 1})" for i in range(len(models))]
    if len(labels) != len(models):
        raise OptionError("names", names, allowed=[f"{len(models)} names"])
    known = dict.fromkeys(t for model in models for t in model.terms if t != INTERCEPT)
    known = known or dict.fromkeys(t for model in models for t in model.terms)
    if not known:
        raise DataError("The models have no coefficients to draw.")
    shown = list(known if terms is None else terms)
    if wrong := [term for term in shown if term not in known]:
        raise OptionError("terms", wrong[0], allowed=known)
    scales = [scale_of(model) for model in models]
    distinct = list(dict.fromkeys(scales))
    if len(distinct) > MOST_PANELS:
        raise DataError(
            f"The models are on {len(distinct)} different scales, too many for one picture; draw "
            f"up to {MOST_PANELS} at a time."
        )
    words = [short_name(term) for term in shown]
    title = "Coefficients" if len(models) > 1 else models[0].title
    panels = []
    for scale in distinct:
        ratio = exponentiate and scale.is_ratio
        groups = [
            _compared(label, model if own == scale else None, shown, ratio=ratio)
            for label, model, own in zip(labels, models, scales, strict=True)
        ]
        panels.append(_panel(words, groups, scale, title, models, ratio=ratio, n=len(distinct)))
    return panels[0] if len(panels) == 1 else beside(panels, words, title=title)


def _compared(
    label: str, model: RegressionResult | None, terms: Sequence[str], *, ratio: bool
) -> Compared:
    """Estimates of one model in the order of the terms; blank where it is on another scale."""
    if model is None:
        blank = [NAN] * len(terms)
        return Compared(label, blank, blank, blank)
    table = slopes_of(model).set_index("term")[["estimate", "ci_low", "ci_high"]]
    values = table.reindex(list(terms)).to_numpy(dtype=float)
    if ratio:
        values = np.exp(values)
    estimate, low, high = values.T.tolist()
    return Compared(label, estimate, low, high)


def _panel(
    names: Sequence[str],
    groups: Sequence[Compared],
    scale: Scale,
    title: str,
    models: Sequence[RegressionResult],
    *,
    ratio: bool,
    n: int,
) -> Chart:
    what = f"{scale.ratio_name} of {scale.outcome}" if ratio else scale.name
    levels = " or ".join(dict.fromkeys(f"{model.conf_level:.0%}" for model in models))
    axis = f"{what} ({levels} interval)"
    axis = short_name(axis, longest=34, most=3) if n > 1 else axis
    start = 1.0 if ratio else 0.0
    if len(groups) == 1:
        (own,) = groups
        chart = interval_chart(
            names, own.estimate, own.low, own.high, title=title, axis=axis, reference=start
        )
    else:
        chart = compare_chart(names, groups, title=title, axis=axis, reference=start)

    def draw(ax: Axes) -> None:
        chart.draw(ax)
        if ratio:
            ratio_axis(ax)

    return Chart(chart.title, _in_words(names, groups, axis), draw, chart.size)


def _in_words(names: Sequence[str], groups: Sequence[Compared], axis: str) -> str:
    """Estimates with intervals of the models that are on this scale."""
    said = []
    for group in groups:
        values = zip(names, group.estimate, group.low, group.high, strict=True)
        own = [f"{n} {x:.3g} [{a:.3g}, {b:.3g}]" for n, x, a, b in values if isfinite(x)]
        if own:
            said.append(f"{group.label}: {'; '.join(own)}")
    text = f"Coefficients, {axis}. {'. '.join(said)}."
    return text.replace("\n", " ").replace(" -", " −").replace("[-", "[−")
