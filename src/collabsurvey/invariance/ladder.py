"""The invariance ladder: whether the same thing is measured in every group, or at every wave.

Sources: Meredith (1993) doi:10.1007/BF02294825; Vandenberg & Lance (2000)
doi:10.1177/109442810031002; Wu & Estabrook (2016) doi:10.1007/s11336-016-9506-0 for ordered items.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, get_args

from collabsurvey.dimensionality.sem.answers import Missing
from collabsurvey.dimensionality.sem.estimators import ORDINAL, Estimator
from collabsurvey.dimensionality.sem.from_instrument import model_of
from collabsurvey.dimensionality.sem.model import Model
from collabsurvey.dimensionality.sem.prepare import Options, Ordered, Prepared, prepare
from collabsurvey.dimensionality.sem.syntax import Syntax, parse
from collabsurvey.errors import (
    CollabSurveyWarning,
    NotEnoughDataError,
    NotSupportedError,
    OptionError,
    check_level,
)
from collabsurvey.instruments.model import Instrument
from collabsurvey.invariance.climb import climb
from collabsurvey.invariance.ladder_result import LadderResult, assemble
from collabsurvey.invariance.levels import (
    Level,
    chosen_levels,
    effects,
    refuse_markers,
    released,
    require_factor,
)
from collabsurvey.invariance.ordinal_levels import category_notes, ordinal_model, ordinal_table
from collabsurvey.invariance.reading import Rule
from collabsurvey.invariance.whose_rows import cluster_notes, with_people

METHOD = "The invariance ladder"
MANY_GROUPS = 20  # groups from which exact invariance is a lot to ask


def ladder(
    data: Any,
    model: str | Instrument,
    by: str,
    repeated: str | None = None,
    levels: Sequence[str] | None = None,
    estimator: Estimator = "ML",
    ordered: Ordered = (),
    missing: Missing = "listwise",
    partial: str | Sequence[str] | None = None,
    cluster: str | None = None,
    *,
    rule: Rule = "auto",
    conf_level: float = 0.95,
) -> LadderResult:
    """Measurement invariance, level by level: which comparisons between groups mean something.

    Parameters
    ----------
    data : Responses or any frame
        Answers as they were given. The weight role is applied (ML then becomes MLR).
    model : str or Instrument
        A measurement model in lavaan's language, or an instrument, each of whose scales becomes
        a factor.
    by : str
        Role or column whose values are compared: staff role, school, wave. They come in the order
        in which they first appear; the first is the reference.
    repeated : str, optional
        Role or column of the person, where `by` is the wave and the same people answered more
        than once: the waves are then fitted together, with residuals of the same item correlated.
    levels : sequence of str, optional
        None for all but "means". Continuous items: "configural", "metric" (equal loadings),
        "scalar" (and intercepts), "strict" (and residual variances), "means" (and latent means).
        Ordered items: "configural", "thresholds", "loadings", "intercepts", "residuals", "means".
    estimator : "ML", "MLR", "MLM", "GLS", "WLSMV", "WLSM" or "ULSMV"
        "ML" by default; "MLR" where answers are not normal. With `ordered` items WLSMV.
    ordered : sequence of str or True
        Items whose answers are ordered categories; True for all. All or none.
    missing : "listwise", "fiml" or "pairwise"
        As in `cfa`.
    partial : sequence of str, optional
        Parameters left free in every group, such as "x3~1", "f=~x2", "x3~~x3" or "x3|t2"; each from
        the level on that would make it equal.
    cluster : "auto", None, a role or a column
        Whose errors belong together (robust errors and tests). None by default.
    rule : "auto", "fit" or "test"
        What a level needs to hold. "fit": CFI does not fall by more than .010, RMSEA does not
        rise by more than .015 (.005 and .010 up to 300 respondents; Chen, 2007). "test": the
        difference test is not significant at .05. "auto" is "fit", because in large samples the
        test rejects what does not matter; for ordered items it is "test", because these
        cut-offs miss differences with WLSMV (Sass et al., 2014). Both are reported always.
    conf_level : float
        Of the intervals in `fits` and `latent_means`.

    Returns
    -------
    LadderResult

    Raises
    ------
    OptionError, UnknownNameError, FaultsError
        A level, column, item or parameter that does not exist; a model that is not understood.
    DataError, NotEnoughDataError, NoVarianceError
        The model has no factor; `by` has one value or more than 100; a group is too small for the
        model; an item does not vary in a group, which is named.
    NotSupportedError
        An estimator whose differences cannot be tested, or a model of two levels.

    Warns
    -----
    ConvergenceWarning
        A level did not converge; the others are reported.
    SingularFitWarning
        An improper solution, with its level.
    CollabSurveyWarning
        A group has fewer respondents than items, or than parameters of its own.

    Notes
    -----
    Continuous items: the first loading of each factor is fixed at 1; latent means are 0 in the
    first group and free in the others from "scalar" on. With a second-order factor the intercepts
    of its first-order factors are 0 in all groups, so that "scalar" makes them equal too. "strict"
    leaves covariances of residuals free. Ordered items: theta parameterisation after Wu &
    Estabrook (2016), see `ordinal_levels`; a category nobody chose in one group is joined to its
    neighbour in all, and noted.

    Difference tests are lavaan's: of chi-squares for ML, Satorra & Bentler (2001) for MLR, MLM
    and WLSM, Satorra (2000) with scaling and shift for WLSMV and ULSMV. Indices are those of `cfa`.
    The rules of the reading are in `reading`, the T-size in `equivalence`.
    """
    check_level(conf_level)
    if rule not in get_args(Rule):
        raise OptionError("rule", rule, allowed=get_args(Rule))
    text = model_of(model) if isinstance(model, Instrument) else model
    if not isinstance(text, str) or not text.strip():
        raise OptionError("model", model, allowed=("a model text, or an Instrument",))
    if not isinstance(by, str):
        raise OptionError("by", by, allowed=("the name of a role or column",))
    name = model.title if isinstance(model, Instrument) else "Model"
    ordinal = _is_ordinal(estimator, ordered)
    chosen = chosen_levels(levels, ordinal=ordinal)
    require_factor(parse(text))
    if repeated is not None:
        from collabsurvey.invariance.longitudinal import longitudinal_ladder

        return longitudinal_ladder(
            data,
            text,
            by,
            repeated,
            levels=chosen,
            estimator=estimator,
            ordered=ordered,
            missing=missing,
            partial=partial,
            cluster=cluster,
            rule=rule,
            conf_level=conf_level,
            name=name,
        )
    _refuse_two_levels(text)
    options = options_for(estimator, missing, ordered, by, cluster, ordinal=ordinal)
    prepared = with_people(prepare(data, text, options), data)
    models, kinds, notes = _models(prepared, text, chosen, partial)
    groups, small = group_notes(prepared, models[0][1])
    notes = [*groups, *notes, *cluster_notes(prepared), *prepared.notes]
    answers = prepared.answers
    sizes = [int(answers.of(g).sum()) for g in range(len(answers.labels))]
    return assemble(
        prepared,
        climb(models, prepared.material),
        name=name,
        texts={level.name: text for level in chosen},
        by=answers.group,
        labels=answers.labels,
        sizes=sizes,
        rule=rule,
        partial=sorted(kinds),
        conf_level=conf_level,
        notes=notes,
        released=kinds.values(),
        small=small,
    )


def options_for(
    estimator: Estimator,
    missing: Missing,
    ordered: Ordered,
    group: str | None,
    cluster: str | None,
    *,
    ordinal: bool,
) -> Options:
    """Options of the structural equation engine for a ladder."""
    return Options(
        estimator=estimator,
        missing=missing,
        ordered=ordered,
        group=group,
        cluster=cluster,
        weights=None,
        parameterization="theta" if ordinal else "delta",
        std_lv=ordinal,
        orthogonal=False,
        means=True,
        fixed_x=True,
        information=None,
        likelihood="normal",
    )


def _is_ordinal(estimator: str, ordered: Ordered) -> bool:
    if estimator in ("ULS", "DWLS"):
        raise NotSupportedError(
            f"{METHOD} with {estimator}, whose differences of chi-square follow no known law,",
            instead="Use 'ULSMV' or 'WLSMV', for continuous items 'ML' or 'MLR'.",
        )
    if isinstance(ordered, bool):
        return ordered or estimator in ORDINAL
    return bool(ordered) or estimator in ORDINAL


def _refuse_two_levels(text: str) -> None:
    if parse(text).levels == 2:
        raise NotSupportedError(
            f"{METHOD} of a model with two levels",
            instead="Leave out `level:` and give cluster= for robust errors.",
        )


def _models(
    prepared: Prepared, text: str, levels: Sequence[Level], partial: str | Sequence[str] | None
) -> tuple[list[tuple[Level, Model]], dict[str, str], list[str]]:
    """Compile every level; which parameters are released and of what kind; what to say."""
    notes: list[str] = []
    syntax, kinds = parse(text), dict[str, str]()
    if prepared.categories:
        rows = ordinal_table(prepared, syntax)
        kinds = effects(released(partial, rows), rows)
        models = [(one, ordinal_model(prepared, syntax, rows, one, kinds)) for one in levels]
        notes.append(
            "Theta parameterisation with unit factor variances in the first group; levels after Wu "
            "& Estabrook (2016)."
        )
        notes += category_notes(prepared)
    else:
        if lower := _first_order(syntax):
            text = "\n".join((text, *(f"{name} ~ 0*1" for name in lower)))
            notes.append(
                "Intercepts of first-order factors are 0 in every group: their means are what the "
                "second-order factor explains."
            )
        if partial:
            rows = prepared.build(text).parameters
            kinds = effects(released(partial, rows), rows)
            refuse_markers(kinds, rows)
        models = [
            (one, prepared.build(text, equal=one.equal, partial=sorted(kinds))) for one in levels
        ]
    if kinds:
        notes.append(f"Left free in every group: {', '.join(sorted(kinds))}.")
        equal = {kind for level in levels for kind in level.equal}
        if unused := sorted(name for name, kind in kinds.items() if kind not in equal):
            notes.append(
                f"No level here makes {', '.join(unused)} equal, so that releasing it changes "
                "nothing."
            )
    return models, kinds, notes


def _first_order(syntax: Syntax) -> list[str]:
    """Latent variables that another one is measured by, and whose intercept is not written."""
    measured = [one for one in syntax.statements if one.op == "=~"]
    latent = {one.lhs for one in measured}
    written = {one.lhs for one in syntax.statements if one.op == "~1"}
    found = dict.fromkeys(one.rhs for one in measured if one.rhs in latent)
    return [name for name in found if name not in written]


def group_notes(prepared: Prepared, model: Model) -> tuple[list[str], dict[str, str]]:
    """Sizes of the groups, and what to say of small ones by what they are.

    Warns of small ones, and refuses those no model can be fitted to.
    """
    answers, p = prepared.answers, len(prepared.names)
    sizes = {a: int(answers.of(g).sum()) for g, a in enumerate(answers.labels)}
    own = -(-model.n_free // len(sizes))
    notes = [
        f"Groups: {', '.join(f'{a} ({n})' for a, n in sizes.items())}; the first is the reference."
    ]
    small = {}
    for label, n in sizes.items():
        if n <= p and not prepared.categories:
            raise NotEnoughDataError(
                METHOD, what=f"respondents for {p} items", found=n, needed=p + 1,
                where=f"group {label!r}",
            )  # fmt: skip
        if n < max(own, p):
            sentence = (
                f"Group {label!r} has {n} respondents for {p} items and {own} parameters of its "
                "own: its part of every level is mostly chance. Join it with another group, or "
                "leave it out."
            )
            small[f"a group of {n}"] = sentence
            warnings.warn(sentence, CollabSurveyWarning, stacklevel=3)
    if len(sizes) > MANY_GROUPS:
        notes.append(
            f"With {len(sizes)} groups, exact equality of every parameter is a lot to ask; "
            "approximate invariance by alignment may suit better (Asparouhov & Muthén, 2014)."
        )
    return notes, small
