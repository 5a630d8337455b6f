"""Invariance over waves of the same people: one model of all waves, level by level.

Sources: Meredith & Horn (2001); Vandenberg & Lance (2000) doi:10.1177/109442810031002; Widaman,
Ferrer & Conger (2010) doi:10.1111/j.1750-8606.2009.00110.x; Liu, Millsap, West, Tein, Tanaka &
Grimm (2017) doi:10.1037/met0000075 for ordered items, with the conditions of Wu & Estabrook
(2016) doi:10.1007/s11336-016-9506-0.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from collabsurvey.dimensionality.sem.answers import Missing
from collabsurvey.dimensionality.sem.compile import compile_model
from collabsurvey.dimensionality.sem.estimators import ORDINAL, Estimator
from collabsurvey.dimensionality.sem.fitted import Analysis
from collabsurvey.dimensionality.sem.model import Model, Parameter
from collabsurvey.dimensionality.sem.prepare import (
    Options,
    Ordered,
    Prepared,
    check_options,
    prepare,
)
from collabsurvey.dimensionality.sem.roles import roles
from collabsurvey.dimensionality.sem.samples import Categories
from collabsurvey.dimensionality.sem.syntax import Syntax
from collabsurvey.errors import (
    CollabSurveyWarning,
    NotEnoughDataError,
    NotSupportedError,
    OptionError,
    listed,
)
from collabsurvey.invariance.climb import climb
from collabsurvey.invariance.ladder_result import LadderResult, assemble
from collabsurvey.invariance.latent_means import MeanPair
from collabsurvey.invariance.levels import Level, effects, refuse_markers, released
from collabsurvey.invariance.longitudinal_levels import joined, text_of, wave_syntax, wave_table
from collabsurvey.invariance.ordinal_levels import category_notes
from collabsurvey.invariance.panel import METHOD, Panel, endings, ordered_codes, used_people
from collabsurvey.invariance.reading import Rule
from collabsurvey.invariance.waves import read_panel
from collabsurvey.invariance.whose_rows import cluster_notes


def longitudinal_ladder(
    data: Any,
    text: str,
    by: str,
    repeated: str,
    *,
    levels: Sequence[Level],
    estimator: Estimator = "ML",
    ordered: Ordered = (),
    missing: Missing = "listwise",
    partial: str | Sequence[str] | None = None,
    cluster: str | None = None,
    rule: Rule = "auto",
    conf_level: float = 0.95,
    name: str = "Model",
) -> LadderResult:
    """Fit the model of one wave to all waves of the same people, level by level; see `ladder`.

    `data` has a row a person and wave; `by` and `repeated` are the roles or columns of wave and
    person. Items and factors of a wave are named with its label behind: `trust_1`, `trust_2`, as
    the columns of `Responses.wide`, which `factor_scores` of a level takes. Waves are in their
    own order (numbers ascend), whatever the order of the rows.

    Notes
    -----
    Residuals of the same item covary over waves at every level, and so do all factors. A person
    who missed a wave stays in with `missing="fiml"` (ordered items: "pairwise"); the default
    leaves such people out, as everywhere here, and a note says when that loses many. Latent means
    are 0 in the first wave. `d_reference` in `latent_means` is the change divided by the
    standard deviation of the factor in the first wave, `d_pooled` by that of both waves.
    """
    syntax = wave_syntax(text)
    found = roles(syntax.statements)
    options = _options(estimator, missing, ordered, found.observed)
    panel = used_people(
        read_panel(data, found.observed, by=by, repeated=repeated, cluster=cluster), missing
    )
    if not options.ordered:
        _require_people(panel, missing)
    categories: dict[str, Categories] = {}
    notes = [*_wave_notes(panel)]
    if options.ordered:
        panel, categories, merged = ordered_codes(panel)
        notes += merged
    ends = endings(panel.waves, (*found.observed, *found.latent))
    frame, clusters, weights = panel.frame(ends)
    prepared = prepare(
        frame, _skeleton(syntax, ends), replace(options, cluster=clusters, weights=weights)
    )
    models, texts, kinds, more = _models(prepared, syntax, levels, partial, categories, ends)
    notes += [*more, *cluster_notes(prepared), *prepared.notes]
    if small := _small(len(panel.x), models[0][1]):
        warnings.warn(small, CollabSurveyWarning, stacklevel=3)
    result = assemble(
        prepared,
        climb(models, prepared.material),
        name=name,
        texts=texts,
        by=panel.by,
        labels=panel.waves,
        sizes=panel.sizes,
        rule=rule,
        partial=sorted(kinds),
        conf_level=conf_level,
        notes=notes,
        released=kinds.values(),
        small={f"{len(panel.x)} people": small} if small else {},
        # No function of its own in here: such a result could not be pickled.
        pairs=functools.partial(
            _wave_pairs, latent=found.latent, ends=ends, waves=panel.waves, sizes=panel.sizes
        ),
    )
    return replace(result, notes=tuple(_of_waves(one) for one in result.notes))


def _options(
    estimator: Estimator, missing: Missing, ordered: Ordered, items: Sequence[str]
) -> Options:
    """Options of the engine; ordered items are all or none."""
    if isinstance(ordered, str):
        raise OptionError("ordered", ordered, allowed=("a list of items, or True for all",))
    ordinal = estimator in ORDINAL or bool(ordered)
    if not isinstance(ordered, bool) and ordered:
        if unknown := [one for one in ordered if one not in items]:
            raise OptionError("ordered", unknown, allowed=(f"items of the model: {listed(items)}",))
        if rest := [one for one in items if one not in ordered]:
            raise NotSupportedError(
                f"A model of ordered items together with continuous ones ({listed(rest)})",
                instead="Give every item in ordered=, or use MLR for all.",
            )
    return check_options(
        Options(
            estimator=estimator,
            missing=missing,
            ordered=ordinal,
            group=None,
            cluster=None,
            weights=None,
            parameterization="theta" if ordinal else "delta",
            std_lv=ordinal,
            orthogonal=False,
            means=True,
            fixed_x=True,
            information=None,
            likelihood="normal",
        )
    )


def _skeleton(syntax: Syntax, ends: Sequence[str]) -> str:
    """Name the observed variables of all waves; the models come later."""
    items = roles(syntax.statements).observed
    return "\n".join(f"{item}{end} ~~ {item}{end}" for end in ends for item in items)


def _models(
    prepared: Prepared,
    syntax: Syntax,
    levels: Sequence[Level],
    partial: str | Sequence[str] | None,
    categories: Mapping[str, Categories],
    ends: Sequence[str],
) -> tuple[list[tuple[Level, Model]], dict[str, str], dict[str, str], list[str]]:
    """Model and text of every level; released parameters and their kinds; what to say."""
    counts = {item: one.n for item, one in categories.items()}
    first = wave_table(syntax, replace(levels[0], equal=()), len(ends), (), counts)
    kinds = effects(released(partial, first), first)
    notes = ["Residuals of the same item, and the factors, covary over waves at every level."]
    latent = {row.lhs for row in first if row.op == "=~"}
    if any(row.rhs in latent for row in first if row.op == "=~"):
        notes.append(
            "Intercepts of first-order factors are 0 in every wave: their means are what the "
            "second-order factor explains."
        )
    if counts:
        notes.append(
            "Theta parameterisation with unit factor variances in the first wave; levels after Wu "
            "& Estabrook (2016)."
        )
        notes += category_notes(replace(prepared, categories=categories))
    else:
        refuse_markers(kinds, first)
    if kinds:
        notes.append(f"Left free in every wave: {', '.join(sorted(kinds))}.")
        equal = {kind for level in levels for kind in level.equal}
        if unused := sorted(name for name, kind in kinds.items() if kind not in equal):
            notes.append(
                f"No level here makes {', '.join(unused)} equal, so that releasing it changes "
                "nothing."
            )
    tables = {
        level.name: joined(wave_table(syntax, level, len(ends), sorted(kinds), counts), ends)
        for level in levels
    }
    models = [(level, _compiled(prepared, syntax, tables[level.name])) for level in levels]
    texts = {level: text_of(rows) for level, rows in tables.items()}
    return models, texts, kinds, notes


def _compiled(prepared: Prepared, syntax: Syntax, rows: Sequence[Parameter]) -> Model:
    return compile_model(
        rows,
        definitions=syntax.definitions,
        constraints=syntax.constraints,
        parameterization=prepared.options.parameterization,
        observed=prepared.names,
    )


def _wave_pairs(
    found: Analysis,
    latent: Sequence[str],
    ends: Sequence[str],
    waves: Sequence[str],
    sizes: Sequence[int],
) -> list[MeanPair]:
    """Means that are free in the waves after the first, each with its reference there."""
    rows = found.model.parameters
    place = {(row.lhs, row.op, row.rhs): i for i, row in enumerate(rows)}
    caused = {row.rhs for row in rows if row.op == "=~"}
    pairs = []
    for name in latent:
        reference = name + ends[0]
        for w in range(1, len(ends)):
            own = name + ends[w]
            mean = place[own, "~1", ""]
            if own in caused or not rows[mean].free:
                continue
            pairs.append(
                MeanPair(
                    name,
                    waves[w],
                    waves[0],
                    mean,
                    place[own, "~~", own],
                    place[reference, "~~", reference],
                    float(sizes[w]),
                    float(sizes[0]),
                )
            )
    return pairs


def _wave_notes(panel: Panel) -> tuple[str, ...]:
    shown = ", ".join(f"{a} ({n})" for a, n in zip(panel.waves, panel.sizes, strict=True))
    return (
        f"{len(panel.x)} people, matched by {panel.who}. Waves: {shown}; the first is the "
        "reference.",
        *panel.notes,
    )


def _require_people(panel: Panel, missing: Missing) -> None:
    """Refuse fewer people than variables, whose covariances have no inverse."""
    n, _, p = panel.x.shape
    needed = p * len(panel.waves) + 1
    if n < needed and missing == "listwise":
        raise NotEnoughDataError(
            METHOD,
            what=f"people for {p} items in {len(panel.waves)} waves",
            found=n,
            needed=needed,
        )


def _small(n: int, model: Model) -> str:
    """Say that there are fewer people than parameters; "" if there are not."""
    p = len(model.blocks[0].observed)
    if n >= max(p, model.n_free):
        return ""
    return (
        f"{n} people for {model.n_free} parameters of {p} variables: every level is mostly chance. "
        "Take fewer items or waves."
    )


def _of_waves(sentence: str) -> str:
    """Put the reading of the ladder, which speaks of groups, into words for waves."""
    for words, ours in (
        ("between groups", "between waves"),
        ("in every group", "in every wave"),
        ("comparing groups", "comparing waves"),
    ):
        sentence = sentence.replace(words, ours)
    return sentence
