"""Partial invariance: find the few items that work differently, with a stated rule and a trace.

Sources: Byrne, Shavelson & Muthén (1989) doi:10.1037/0033-2909.105.3.456 for partial invariance;
Yoon & Millsap (2007) doi:10.1080/10705510701301677 and Jung & Yoon (2016)
doi:10.1080/10705511.2015.1138092 for the search.
"""

from __future__ import annotations

from numbers import Real
from typing import Any, get_args

from collabsurvey.dimensionality.options import check_flag, check_whole
from collabsurvey.dimensionality.sem.answers import Missing
from collabsurvey.dimensionality.sem.estimators import Estimator
from collabsurvey.dimensionality.sem.prepare import Ordered
from collabsurvey.errors import NotSupportedError, OptionError, check_level
from collabsurvey.instruments.model import Instrument
from collabsurvey.invariance.levels import Level
from collabsurvey.invariance.measured import Measured, measured
from collabsurvey.invariance.partial_result import Correction, PartialResult, Rule, partial_result
from collabsurvey.invariance.partial_search import Search, search_notes

METHOD = "The search for partial invariance"
ALIAS = {"metric": "loadings", "scalar": "intercepts", "strict": "residuals"}


def partial(
    data: Any,
    model: str | Instrument,
    by: str,
    *,
    level: str = "scalar",
    estimator: Estimator = "ML",
    ordered: Ordered = (),
    missing: Missing = "listwise",
    cluster: str | None = None,
    alpha: float = 0.05,
    correction: Correction = "holm",
    rule: Rule = "score",
    most: int | None = None,
    whole_item: bool = True,
    conf_level: float = 0.95,
) -> PartialResult:
    """Search for the parameters that differ between groups, one at a time.

    Every level up to `level` is searched in turn. At each step the equality with the largest test
    is released in all groups, until the level is no longer worse than the one before, no test is
    significant, or too few items would be left.

    Parameters
    ----------
    data : Responses or any frame
        Answers as they were given. The weight role is applied (ML then becomes MLR).
    model : str or Instrument
        A measurement model in lavaan's language, or an instrument, each of whose scales becomes
        a factor.
    by : str
        Column or role of the groups.
    level : str
        "metric" (loadings), "scalar" (and intercepts) or "strict" (and residual variances); for
        ordered items "thresholds", "loadings", "intercepts" or "residuals" after Wu & Estabrook
        (2016), where "scalar" means "intercepts". The default is what a comparison of means needs.
    estimator, ordered, missing, cluster
        As in `cfa`.
    alpha : float
        Level of every test: of the candidates, and of the difference from the level before.
    correction : "holm", "bonferroni" or "none"
        For the number of candidates of a step. Only the largest is ever released, for which Holm
        and Bonferroni are the same; without a correction, searches release items that do not
        differ (Yoon & Millsap, 2007).
    rule : "score", "wald" or "difference"
        "score": the Lagrange multiplier test, from one fit a step; uncorrected for robust
        estimators (as in lavaan). "wald" fits the model with each candidate released and tests
        the equality of its values with the errors of the estimator. "difference" compares the
        chi-squares of these models, corrected as the estimator asks for. The last two cost a fit
        for each candidate; take one of them with MLR or WLSMV where answers are far from normal.
    most : int, optional
        Most releases in all; None for as many as leave two items that are the same.
    whole_item : bool
        Release the intercept of an item with its loading (and all after its thresholds): with
        different slopes an intercept is the item's mean where the factor happens to be zero
        (Byrne et al., 1989). Thresholds are always followed by the rest of the item.
    conf_level : float
        Of the intervals of the final model.

    Returns
    -------
    PartialResult

    Raises
    ------
    OptionError
        A level, rule or number that is not possible.
    NotEnoughItemsError
        A factor with a single item.
    DataError, NotEnoughDataError
        `by` has one value; a group is too small; a model did not converge.
    NotSupportedError
        Two levels, second-order factors, Wald tests of thresholds.

    Notes
    -----
    Each factor keeps at least two items of which nothing is released: with one, its unit and
    origin would rest on a single item whose equality cannot be checked (Byrne et al., 1989). The
    unit is the factor's standard deviation in the first group, so that no marker item is assumed
    to be the same. A search capitalises on chance: with a third or more of the items different
    it often releases the wrong ones (Yoon & Millsap, 2007; Jung & Yoon, 2016). Repeat it in new
    data or explain it by the wording.
    """
    _check(alpha, correction, rule, most)
    check_level(conf_level)
    check_flag("whole_item", whole_item)
    found = measured(
        data,
        model,
        by,
        estimator=estimator,
        missing=missing,
        ordered=ordered,
        cluster=cluster,
        method=METHOD,
    )
    levels = _levels(found, level)
    if rule == "wald" and any("thresholds" in one.equal for one in levels):
        raise NotSupportedError(
            "A Wald test of thresholds, whose values depend on the scale of each group's answers,",
            instead="Use rule='score' or rule='difference'.",
        )
    search = Search(found, float(alpha), correction, rule, most, whole_item)
    search.run(levels)
    return partial_result(
        found,
        steps=search.steps,
        tried=search.tried,
        released=tuple(search.released),
        levels=levels,
        alpha=float(alpha),
        correction=correction,
        rule=rule,
        conf_level=conf_level,
        notes=search_notes(search, levels),
    )


def _check(alpha: float, correction: str, rule: str, most: int | None) -> None:
    if not (isinstance(alpha, Real) and not isinstance(alpha, bool) and 0 < alpha < 1):
        raise OptionError("alpha", alpha, allowed=("a number between 0 and 1",))
    if correction not in get_args(Correction):
        raise OptionError("correction", correction, allowed=get_args(Correction))
    if rule not in get_args(Rule):
        raise OptionError("rule", rule, allowed=get_args(Rule))
    if most is not None:
        check_whole("most", most, least=1, also=("None",))


def _levels(found: Measured, level: str) -> tuple[Level, ...]:
    """Levels from the configural one to the one that is asked for."""
    names = [one.name for one in found.levels]
    wanted = ALIAS.get(level, level) if found.ordinal else level
    if wanted not in names[1:]:
        raise OptionError("level", level, allowed=names[1:])
    return found.levels[: names.index(wanted) + 1]
