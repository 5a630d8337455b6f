"""Random effects of the groups with their intervals, in order."""

from __future__ import annotations

import numpy as np

from collabsurvey.display import Chart
from collabsurvey.display.caterpillar import caterpillar_chart
from collabsurvey.errors import NotSupportedError, OptionError, UnknownNameError, check_level
from collabsurvey.numerics.student import critical_value
from collabsurvey.regression.results import RegressionResult
from collabsurvey.regression.scales import scale_of
from collabsurvey.regression.terms import INTERCEPT


def caterpillar(
    result: RegressionResult,
    group: str | None = None,
    *,
    term: str | None = None,
    conf_level: float | None = None,
) -> Chart:
    """Draw what each group adds to the typical one, with intervals, from highest to lowest.

    Parameters
    ----------
    result : MixedResult, MixedGeneralizedResult or MixedOrdinalResult
        A model with random effects.
    group : str, optional
        The grouping factor; needed where there are several.
    term : str, optional
        Intercept or slope; the intercept, or the first slope, if left out.
    conf_level : float, optional
        That of the fit if left out.

    Raises
    ------
    NotSupportedError
        A model without random effects.
    OptionError, UnknownNameError
        Several factors and none chosen; a factor or term that the model does not have.

    Notes
    -----
    Intervals are conditional modes ± z conditional standard deviations, with variances and
    coefficients taken as known. Modes are drawn towards the middle, those of small groups most, so
    that the picture understates how much groups differ; and the intervals of neighbours overlap, so
    that their order is no ranking (Goldstein & Spiegelhalter, 1996, doi:10.2307/2983325).
    """
    if not isinstance(result, RegressionResult):
        shown = result if isinstance(result, str) else type(result).__name__
        raise OptionError("result", shown, allowed=("a model with random effects, as of mixed()",))
    effects = result.random_effects
    if effects is None:
        raise NotSupportedError(
            "A caterpillar of a model without random effects",
            instead="Fit one with a random term such as (1 | school).",
        )
    level = result.conf_level if conf_level is None else conf_level
    check_level(level)
    factors = list(dict.fromkeys(effects["group"]))
    if group is None:
        if len(factors) > 1:
            raise OptionError("group", group, allowed=factors)
        group = factors[0]
    elif group not in factors:
        raise UnknownNameError("grouping factor", group, available=factors, where="The model")
    effects = effects[effects["group"] == group]
    terms = list(dict.fromkeys(effects["term"]))
    if term is None:
        term = INTERCEPT if INTERCEPT in terms else terms[0]
    elif term not in terms:
        raise UnknownNameError("random term", term, available=terms, where=f"Factor {group}")
    shown = effects[effects["term"] == term]
    half = float(critical_value(level, np.array([np.inf]))[0]) * shown["conditional_sd"]
    scale = scale_of(result)
    if term == INTERCEPT:
        unit = scale.outcome if scale.kind == "difference" else scale.name
        axis = f"{unit}, beside the typical {group}"
        title = f"Groups of {group}"
    else:
        axis = f"slope of {term} ({scale.name}), beside the typical {group}"
        title = f"Slopes of {term} by {group}"
    return caterpillar_chart(
        [str(level_name) for level_name in shown["level"]],
        shown["estimate"].tolist(),
        (shown["estimate"] - half).tolist(),
        (shown["estimate"] + half).tolist(),
        title=title,
        axis=f"{axis} ({level:.0%} interval)",
        kind=f"groups of {group}",
        reference=(0.0, f"typical {group}"),
    )
