"""Factor scores of any frame, from a fitted model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from collabsurvey.dimensionality.sem.answers import read_answers
from collabsurvey.dimensionality.sem.fitted import Analysis
from collabsurvey.dimensionality.sem.prepare import METHOD, Prepared
from collabsurvey.dimensionality.sem.samples import recoded
from collabsurvey.dimensionality.sem.scores import Scores, factor_scores
from collabsurvey.dimensionality.sem.scores_ordinal import ordinal_scores
from collabsurvey.errors import DataError, NotSupportedError, OptionError
from collabsurvey.moments.ordered import frame_like
from collabsurvey.numerics.typing import FloatArray, IntArray
from collabsurvey.responses.responses import Responses

if TYPE_CHECKING:
    import pandas as pd

ScoreMethod = Literal["auto", "regression", "bartlett", "ebm", "eap"]


def score_answers(
    found: Analysis, prepared: Prepared, data: Any, method: ScoreMethod
) -> tuple[Any, pd.Series]:
    """Scores (rows of the data, factors), and the reliability of each group's scores."""
    import pandas as pd

    if method not in get_args(ScoreMethod):
        raise OptionError("method", method, allowed=get_args(ScoreMethod))
    if prepared.two_level:
        raise NotSupportedError(
            "Factor scores of a two-level model", instead="Fit the level you need by itself."
        )
    if 0 < len(prepared.categories) < len(prepared.names):
        raise NotSupportedError(
            "Factor scores from ordered items together with continuous variables",
            instead="Fit the items alone and score them, or use estimator='MLR'.",
        )
    ordinal = bool(prepared.categories)
    allowed = ("auto", "ebm", "eap") if ordinal else ("auto", "regression", "bartlett")
    if method not in allowed:
        raise OptionError("method", method, allowed=allowed)
    x, groups = _rows(prepared, data)
    factors = list(found.model.blocks[0].latent[: found.model.blocks[0].n_factors])
    values = np.full((len(x), len(factors)), np.nan)
    reliability: dict[str, list[float]] = {}
    for g in range(len(found.model.blocks)):
        rows = np.flatnonzero(groups == g)
        if not len(rows):
            continue
        scores = _scored(found, prepared, g, x[rows], method)
        values[rows] = scores.values
        reliability[found.model.groups[g]] = scores.reliability.tolist()
    frame = data.frame if isinstance(data, Responses) else data
    parts = {label: pd.Series(one, index=factors) for label, one in reliability.items()}
    by_group = pd.concat(parts) if len(found.model.groups) > 1 else next(iter(parts.values()))
    by_group.name = "reliability"
    columns = {name: values[:, j] for j, name in enumerate(factors)}
    return frame_like(frame, columns), by_group


def _scored(
    found: Analysis, prepared: Prepared, g: int, x: FloatArray, method: ScoreMethod
) -> Scores:
    block, theta = found.model.blocks[g], found.fit.theta
    if prepared.categories:
        codes = recoded(x, list(prepared.categories.values()))
        return ordinal_scores(block, theta, codes, method="eap" if method == "eap" else "ebm")
    return factor_scores(
        block,
        theta,
        x,
        method="bartlett" if method == "bartlett" else "regression",
        mean=found.material.samples[g].mean,
    )


def _rows(prepared: Prepared, data: Any) -> tuple[FloatArray, IntArray]:
    """All rows (n, p) of the data and the group (n,) of each, -1 for none of the model's."""
    group = prepared.answers.group or None
    answers = read_answers(
        data, prepared.names, group=group, cluster=None, weights=None, method=METHOD, keep_all=True
    )
    if group is None:
        return answers.x, answers.groups
    known = {label: g for g, label in enumerate(prepared.answers.labels)}
    place = np.array([known.get(label, -1) for label in answers.labels] + [-1])
    groups = place[answers.groups]
    if (groups < 0).all():
        raise DataError(
            f"No row has one of the groups the model was fitted to: {', '.join(known)}."
        )
    return answers.x, groups
