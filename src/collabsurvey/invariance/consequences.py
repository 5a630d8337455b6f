"""What items that work differently do to the conclusion: differences and slopes without them.

Sources: Schmitt & Kuljanin (2008) doi:10.1016/j.hrmr.2008.03.003 for the question; Nye & Drasgow
(2011) doi:10.1037/a0022955 for the size of an item's bias; Chen (2008) doi:10.1037/a0013193 for
what non-invariance does to slopes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from collabsurvey.dimensionality.sem.answers import Missing
from collabsurvey.dimensionality.sem.estimators import RECIPES, Estimator
from collabsurvey.dimensionality.sem.prepare import Ordered
from collabsurvey.errors import (
    NotEnoughItemsError,
    NotSupportedError,
    OptionError,
    UnknownNameError,
    check_level,
)
from collabsurvey.instruments.model import Instrument
from collabsurvey.invariance.consequences_result import ConsequencesResult, said
from collabsurvey.invariance.levels import Level, refuse_markers
from collabsurvey.invariance.levels import released as known_names
from collabsurvey.invariance.measured import FEWEST, Measured, measured
from collabsurvey.invariance.partial_result import PartialResult
from collabsurvey.invariance.releases import same_items
from collabsurvey.invariance.versions import (
    Scores,
    difference_frames,
    item_frame,
    no_slopes,
    scores_of,
    slope_frame,
)
from collabsurvey.responses.engine import as_narwhals, column_names
from collabsurvey.responses.responses import Responses

if TYPE_CHECKING:
    import pandas as pd

METHOD = "The comparison with and without items"
FEW_CLUSTERS = 20


def consequences(
    data: Any,
    model: str | Instrument,
    by: str,
    released: Sequence[str] | PartialResult,
    outcome: str | None = None,
    *,
    estimator: Estimator = "ML",
    ordered: Ordered = (),
    missing: Missing = "listwise",
    cluster: str | None = None,
    conf_level: float = 0.95,
) -> ConsequencesResult:
    """Compare groups with and without the items that work differently.

    The difference between groups in four versions: means of all items, means without those of
    which something was released, latent means with every item the same in all groups, and latent
    means with what was released free. If they agree, non-invariance does not matter here.

    Parameters
    ----------
    data : Responses or any frame
        Answers as they were given; items that load negatively are turned round in the means.
        The weight role is applied.
    model : str or Instrument
        Factors and their items, as in `partial`.
    by : str
        Column or role of the groups; the first in the data is the reference.
    released : sequence of str or PartialResult
        Parameters that differ, such as "x3~1" or "f=~x2", or what `partial` found.
    outcome : str, optional
        A column that is regressed on all factors (or scales) together, in all four versions.
    estimator, ordered, missing, cluster
        As in `cfa`. With `cluster` all errors are over clusters.

    Returns
    -------
    ConsequencesResult

    Raises
    ------
    UnknownNameError
        A released parameter that the model does not have; an outcome that is no column.
    NotEnoughItemsError
        Fewer than two items of a factor would be left.
    OptionError
        An outcome that is part of the model.
    NotSupportedError
        An outcome together with ordered items; regressions in the model.

    Notes
    -----
    All four versions use the same respondents. With missing="fiml" a mean needs half of the
    items. Standard errors of means and slopes hold for unequal variances (sandwich); those of
    latent ones are the estimator's. Standardised differences divide by the pooled standard
    deviation within the two groups: of the scores, or of the factor, so that latent ones are
    larger by what measurement error hides. Compare within a pair of versions.

    The model is the one with equal loadings and intercepts (thresholds for ordered items); released
    residual variances do not matter here. Slopes "within" groups let the outcome have a mean for
    each group, "pooled" ones do not and take differences between groups as evidence.
    """
    check_level(conf_level)

    def read(extra: str = "") -> Measured:
        return measured(
            data,
            model,
            by,
            estimator=estimator,
            missing=missing,
            ordered=ordered,
            cluster=cluster,
            extra=extra,
            method=METHOD,
        )

    found = read()
    if outcome is not None:
        _require_outcome(data, found, outcome)
    if any(row.op == "~" for row in found.rows):
        raise NotSupportedError(
            f"{METHOD} in a model with regressions",
            instead="Give the measurement model (`factor =~ items`) and outcome=.",
        )
    level = found.levels[-2]  # intercepts are equal, residual variances are not
    free, kept = _left(found, level, released)
    full, loose = found.fit(level, ()), found.fit(level, free)
    scores = scores_of(found, full, kept)
    differences, changes = difference_frames(found, full, loose, scores, kept, conf_level)
    slopes, slope_notes = no_slopes(), tuple[str, ...]()
    if outcome is not None:
        slopes, slope_notes = _slopes(found, read, outcome, level, free, kept, conf_level)
    without = {
        name: tuple(item for item in items if item not in kept[name])
        for name, items in found.factors.items()
    }
    return ConsequencesResult(
        by=found.prepared.answers.group,
        groups=found.groups,
        released=tuple(sorted(free)),
        without=without,
        outcome=outcome,
        differences=differences,
        changes=changes,
        slopes=slopes,
        items=item_frame(found, loose, scores, without),
        conf_level=conf_level,
        notes=(
            *said(differences, slopes, without, outcome),
            *slope_notes,
            *_notes(found, level, free, scores),
        ),
    )


def _require_outcome(data: Any, found: Measured, outcome: str) -> None:
    """Refuse what is no column beside the model."""
    taken = (*found.prepared.names, *found.factors, found.prepared.answers.group)
    if not isinstance(outcome, str) or outcome in taken:
        raise OptionError("outcome", outcome, allowed=("a column that is not in the model",))
    frame = data.frame if isinstance(data, Responses) else data
    columns = column_names(as_narwhals(frame))
    if outcome not in columns:
        beside = [name for name in columns if name not in taken]
        raise UnknownNameError("column", outcome, available=beside, where="The data for outcome=")


def _left(
    found: Measured, level: Level, released: str | Sequence[str] | PartialResult
) -> tuple[frozenset[str], dict[str, tuple[str, ...]]]:
    """Names that matter at this level, and the items of each factor that are left."""
    texts = released.released if isinstance(released, PartialResult) else released
    kinds = found.kinds()
    free = frozenset(one for one in known_names(texts, found.rows) if kinds[one] in level.equal)
    if not found.ordinal and any(row.op == "=~" and not row.free for row in found.rows):
        refuse_markers(free, found.rows)
    kept = {name: same_items(found, level, free, name) for name in found.factors}
    for name, items in kept.items():
        if len(items) < FEWEST:
            raise NotEnoughItemsError(name, n_items=len(items), needed=FEWEST, method=METHOD)
    return free, kept


def _slopes(
    found: Measured,
    read: Callable[[str], Measured],
    outcome: str,
    level: Level,
    free: Collection[str],
    kept: dict[str, tuple[str, ...]],
    conf_level: float,
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Regress the outcome on all factors together, in all versions."""
    if found.ordinal:
        raise NotSupportedError(
            f"{METHOD} for slopes with ordered items",
            instead="Leave out outcome=, or use estimator='MLR' for all items as continuous.",
        )
    factors = list(found.factors)
    wider = read(f"{outcome} ~ {' + '.join(factors)}")
    equal = replace(level, equal=(*level.equal, "regressions"))
    models = {
        (kind, version): wider.fit(equal, {*names, *own})
        for kind, own in (("within", (f"{outcome}~1",)), ("pooled", ()))
        for version, names in (("latent", frozenset[str]()), ("latent_partial", free))
    }
    answers = wider.prepared.answers
    scores = scores_of(wider, models["within", "latent"], kept)
    y = answers.x[:, answers.names.index(outcome)]
    frame = slope_frame(outcome, y, scores, models, conf_level)
    notes = []
    if len(factors) > 1:
        notes.append(f"{outcome} is regressed on {', '.join(factors)} together.")
    lost = int(np.isnan(y).sum()) + len(found.prepared.answers.x) - len(answers.x)
    if lost > 0:
        people = "1 respondent" if lost == 1 else f"{lost} respondents"
        notes.append(f"Slopes of scales leave out {people} without {outcome}.")
    notes.append(
        "Latent slopes are free of measurement error, which makes them larger: compare them with "
        "each other, not with slopes of scales."
    )
    return frame, tuple(notes)


def _notes(found: Measured, level: Level, free: Collection[str], scores: Scores) -> tuple[str, ...]:
    prepared, answers = found.prepared, found.prepared.answers
    notes = []
    if free:
        notes.append(
            f"Left free in every group: {', '.join(sorted(free))}; the rest as at the level "
            f"{level.name!r}."
        )
    else:
        notes.append("Nothing was released: the versions with and without items are the same.")
    notes.append(
        "d is the difference in pooled standard deviations within the two groups: of the scores, "
        "or of the factor, which is free of measurement error."
    )
    if answers.clusters is not None:
        m = scores.rows.n_clusters
        rough = ": few, so that errors are rough" if m < FEW_CLUSTERS else ""
        notes.append(f"Errors and intervals over {m} clusters{rough}.")
    says = RECIPES[prepared.options.estimator].says
    notes.append(f"Latent versions: {prepared.options.estimator}, {says}.")
    if prepared.options.missing != "listwise":
        notes.append("A mean of items needs half of them answered.")
    sizes = [f"{label} ({int(answers.of(g).sum())})" for g, label in enumerate(answers.labels)]
    notes.append(f"Groups: {', '.join(sizes)}; the first is the reference.")
    return (*notes, *prepared.notes)
