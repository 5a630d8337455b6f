"""From a call's options to data that any model of the same variables can be fitted to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np

from collabsurvey.dimensionality.inputs import MOST_CATEGORIES
from collabsurvey.dimensionality.options import check_flag
from collabsurvey.dimensionality.sem.answers import (
    Answers,
    Missing,
    answered,
    complete,
    group_labels,
    read_answers,
    refuse_weights,
    require_answers,
    require_rows,
)
from collabsurvey.dimensionality.sem.compile import build, observed_variables
from collabsurvey.dimensionality.sem.estimators import ORDINAL, Estimator
from collabsurvey.dimensionality.sem.material import (
    Information,
    Likelihood,
    Material,
    missing_material,
    normal_material,
    squares_material,
    two_level_material,
)
from collabsurvey.dimensionality.sem.mixed_samples import mixed_samples
from collabsurvey.dimensionality.sem.model import Model, Parameterization
from collabsurvey.dimensionality.sem.roles import roles
from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.dimensionality.sem.samples import (
    Categories,
    balance,
    categories_of,
    continuous_samples,
    ordinal_samples,
)
from collabsurvey.dimensionality.sem.two_level import TwoLevelNormal, two_level_sample
from collabsurvey.errors import (
    DataError,
    NotEnoughDataError,
    NotSupportedError,
    OptionError,
    listed,
)
from collabsurvey.numerics.linalg import aliased_columns
from collabsurvey.responses.engine import as_narwhals, column_names, read_columns
from collabsurvey.responses.responses import Responses

Ordered = bool | Sequence[str]
WORDS: dict[str, Any] = {
    "estimator": Estimator,
    "missing": Missing,
    "parameterization": Parameterization,
    "likelihood": Likelihood,
    "information": Information,
}
FEWEST = 5  # respondents in a group below which nothing is attempted
METHOD = "A structural equation model"


@dataclass(frozen=True, eq=False)
class Options:
    """What the caller asked for, checked."""

    estimator: Estimator
    missing: Missing
    ordered: Ordered
    group: str | None
    cluster: str | None
    weights: str | None
    parameterization: Parameterization
    std_lv: bool
    orthogonal: bool
    means: bool | None
    fixed_x: bool
    information: Information | None
    likelihood: Likelihood


@dataclass(frozen=True, eq=False)
class Prepared:
    """Data of one set of variables, summarised for one estimator."""

    options: Options  # with the estimator that is used
    names: tuple[str, ...]  # observed variables, in the order of all samples
    answers: Answers
    categories: Mapping[str, Categories]  # of the ordered items
    material: Material
    means: bool | None
    notes: tuple[str, ...]
    unused_cluster: str = ""  # cluster role that the call leaves out of account

    def build(self, text: str, *, equal: Sequence[str] = (), partial: Sequence[str] = ()) -> Model:
        """Compile a model of these variables, with or without equalities across groups."""
        options = self.options
        return build(
            text,
            groups=self.answers.labels,
            ordered={name: one.n for name, one in self.categories.items()},
            means=self.means,
            std_lv=options.std_lv,
            orthogonal=options.orthogonal,
            fixed_x=options.fixed_x,
            parameterization=options.parameterization,
            equal=tuple(equal),
            partial=tuple(partial),
            observed=None if self.two_level else self.names,
        )

    @property
    def two_level(self) -> bool:
        """Whether there is a model at each of two levels."""
        return isinstance(self.material.discrepancy, TwoLevelNormal)


def check_options(options: Options) -> Options:
    """Refuse what does not go together; settle which estimator is meant."""
    for name, kind in WORDS.items():
        given, allowed = getattr(options, name), get_args(kind)
        if given not in allowed and not (name == "information" and given is None):
            raise OptionError(name, given, allowed=allowed)
    for name in ("std_lv", "orthogonal", "fixed_x"):
        check_flag(name, getattr(options, name))
    estimator = options.estimator
    if isinstance(options.ordered, str):
        raise OptionError("ordered", options.ordered, allowed=("a list of items, or True for all",))
    if _any_ordered(options.ordered) and estimator not in ORDINAL:
        if estimator != "ML":
            raise OptionError(
                "estimator", estimator, allowed=(*ORDINAL, "or no ordered items with it")
            )
        estimator = "WLSMV"
    ordinal = estimator in ORDINAL
    if ordinal and not options.ordered:
        options = replace(options, ordered=True)
    if options.missing == "fiml" and estimator not in ("ML", "MLR"):
        raise OptionError(
            "missing", "fiml", allowed=("with estimator='ML' or 'MLR'; 'pairwise' for WLSMV",)
        )
    if options.missing == "pairwise" and not ordinal:
        raise OptionError(
            "missing", "pairwise", allowed=("with ordered items; 'fiml' for continuous ones",)
        )
    if options.information is not None and estimator not in ("ML", "MLR"):
        raise OptionError("information", options.information, allowed=("None with " + estimator,))
    if options.likelihood == "wishart" and (estimator != "ML" or options.missing == "fiml"):
        raise OptionError(
            "likelihood", "wishart", allowed=("with estimator='ML' and complete rows",)
        )
    return replace(options, estimator=estimator)


def _amounts(data: Any, names: Sequence[str]) -> list[str]:
    """Items whose response set is a range, such as 0 to 100, and no set of answers."""
    if not isinstance(data, Responses):
        return []
    items = [name for name in names if name in data.instrument.item_ids]
    sets = {name: data.instrument.response_set(name) for name in items}
    return [
        name
        for name, one in sets.items()
        if one is not None and one.type == "bounded" and name != "" and _wide(data, name)
    ]


def _wide(data: Responses, name: str) -> bool:
    """Whether more different answers were given than categories can have."""
    values = read_columns(data.frame, [name])[name].values
    return len(np.unique(values[~np.isnan(values)])) > MOST_CATEGORIES


def _any_ordered(ordered: Ordered) -> bool:
    return ordered is True or (not isinstance(ordered, bool) and len(ordered) > 0)


def prepare(data: Any, text: str, options: Options, *, mixed: bool = False) -> Prepared:
    """Read the data once and summarise them for the estimator; `text` tells the variables.

    `mixed` allows ordered items together with continuous variables.
    """
    options = check_options(options)
    columns = _columns(data)
    labels: tuple[str, ...] = ("",)
    if options.group is not None and re.search(r"\bc\s*\(", text):
        labels = group_labels(data, options.group)  # for c(a, b)*x, one modifier a group
    first = build(
        text,
        columns=columns,
        groups=labels,
        means=options.means,
        fixed_x=options.fixed_x,
        parameterization=options.parameterization,
    )
    names = observed_variables(first)
    answers = read_answers(
        data,
        names,
        group=options.group,
        cluster=options.cluster,
        weights=options.weights,
        method=METHOD,
    )
    _warn_clusters(answers, options, first)
    asked = options.estimator
    options, notes = _robust_where_needed(options, answers, first)
    n_before = len(answers.x)
    require_answers(answers, method=METHOD)
    if options.missing == "fiml" and options.fixed_x:
        notes += _missing_predictors(answers, first)
    answers = answered(answers) if options.missing != "listwise" else complete(answers)
    if gone := n_before - len(answers.x):
        lack = "any answer" if options.missing != "listwise" else "every answer"
        notes.append(f"{gone} of {n_before} rows without {lack} were left out.")
    require_rows(answers, method=METHOD, needed=FEWEST)
    means = True if _needs_means(options, answers, first) else options.means
    categories: dict[str, Categories] = {}
    if options.estimator in ORDINAL:
        if options.ordered is True and (amounts := _amounts(data, names)):
            left = [name for name in names if name not in amounts]
            options = replace(options, ordered=left)
            notes.append(f"Amounts on a scale from end to end are continuous: {listed(amounts)}.")
        categories, merged = _ordered(options, answers, first, mixed=mixed)
        notes += merged
        if options.fixed_x and first.blocks[0].covariates:
            # As lavaan has it with conditional.x = FALSE: polyserial correlations vary with them.
            options = replace(options, fixed_x=False)
            notes.append(
                f"{listed(first.blocks[0].covariates)} and the items' latent responses are taken "
                "as jointly normal; lavaan by default conditions on predictors (conditional.x)."
            )
    material = _material(
        options, answers, first, names, categories, means=bool(means) or first.blocks[0].means
    )
    if asked == "ML" and options.estimator == "MLR" and answers.clusters is not None:
        # lavaan's rule for ML with clusters, where MLR was not asked for by name.
        material = replace(material, linear_test=True)
    unused = ""
    if isinstance(data, Responses) and options.cluster is None:
        unused = data.roles.get("cluster", "")
    return Prepared(
        options,
        names,
        answers,
        categories,
        material,
        means,
        (*answers.notes, *notes),
        unused_cluster=unused,
    )


def _missing_predictors(answers: Answers, model: Model) -> list[str]:
    """Say that rows without a predictor are kept, where there are such rows."""
    given = {name for block in model.blocks for name in block.covariates}
    gaps = [
        name
        for name, column in zip(answers.names, answers.x.T, strict=True)
        if name in given and np.isnan(column).any()
    ]
    if not gaps:
        return []
    return [
        f"Missing values of the predictor {listed(gaps)}: those rows are kept, and the predictor "
        "is taken as normal (lavaan would drop them unless asked for missing = 'fiml.x')."
    ]


def _columns(data: Any) -> tuple[str, ...]:
    if isinstance(data, Responses):
        return tuple(
            dict.fromkeys((*data.instrument.item_ids, *column_names(as_narwhals(data.frame))))
        )
    return column_names(as_narwhals(data))


def _warn_clusters(answers: Answers, options: Options, model: Model) -> None:
    if model.levels == 2 and answers.clusters is None:
        raise OptionError(
            "cluster", options.cluster, allowed=("the column of the clusters, for two levels",)
        )


def _robust_where_needed(
    options: Options, answers: Answers, model: Model
) -> tuple[Options, list[str]]:
    """Clusters and weights need sandwich errors: ML becomes MLR, others are refused."""
    notes: list[str] = []
    estimator = options.estimator
    if model.levels == 2:
        if estimator not in ("ML", "MLR") or options.missing != "listwise" or options.ordered:
            raise NotSupportedError(
                "A two-level model with anything but ML or MLR on complete continuous answers",
                instead="Use estimator='ML' or 'MLR' and missing='listwise'.",
            )
        refuse_weights(answers, method="A two-level model")
        return options, notes
    for what, given in (("clusters", answers.clusters), ("weights", answers.weights)):
        if given is None or estimator in ORDINAL or estimator == "MLR":
            continue
        if estimator != "ML" or options.likelihood == "wishart":
            raise NotSupportedError(
                f"Estimator {estimator!r} with {what}", instead="Use 'ML', 'MLR' or 'WLSMV'."
            )
        notes.append(f"Because of the {what}, errors and tests are robust, as with MLR.")
        options = replace(options, estimator="MLR")
        estimator = "MLR"
    return options, notes


def _needs_means(options: Options, answers: Answers, model: Model) -> bool:
    """Whether lavaan's rules add a mean structure: gaps, groups, levels, clusters."""
    return (
        options.missing == "fiml"
        or len(answers.labels) > 1
        or model.levels == 2
        or answers.clusters is not None
    )


def _ordered(
    options: Options, answers: Answers, model: Model, *, mixed: bool
) -> tuple[dict[str, Categories], list[str]]:
    """Categories of the ordered items; unless `mixed`, all observed variables must be ordered.

    What only predicts has no thresholds: its numbers are used as they are.
    """
    names, predictors = answers.names, _predictors(model)
    wanted = options.ordered
    if isinstance(wanted, bool):
        wanted = [name for name in names if name not in predictors]
    if unknown := [name for name in wanted if name not in names]:
        raise OptionError("ordered", unknown, allowed=(f"items of the model: {listed(names)}",))
    if cut := [name for name in wanted if name in predictors]:
        raise NotSupportedError(
            f"An ordered predictor ({listed(cut)})",
            instead="Leave it out of ordered= to use its numbers as they are, give it as columns "
            "of 0 and 1, or let it be the indicator of a factor.",
        )
    continuous = [name for name in names if name not in wanted]
    if continuous and not mixed:
        raise NotSupportedError(
            f"A model of ordered items together with continuous ones ({listed(continuous)})",
            instead="Give every observed variable in ordered=, or use MLR for all.",
        )
    items = [name for name in names if name in wanted]
    found, notes = categories_of(answers, items)
    if continuous:
        notes.append(f"Continuous: {listed(continuous)}; the other {len(items)} are ordered.")
    return dict(zip(items, found, strict=True)), notes


def _predictors(model: Model) -> tuple[str, ...]:
    """Observed variables that only predict."""
    return roles([one for one in model.parameters if one.written]).exogenous


def _material(
    options: Options,
    answers: Answers,
    model: Model,
    names: Sequence[str],
    categories: Mapping[str, Categories],
    *,
    means: bool,
) -> Material:
    """Summarise the answers for the estimator."""
    if model.levels == 2:
        return _two_level(options, answers, model)
    if categories and len(categories) < len(names):
        ordered = np.isin(names, list(categories))
        samples = mixed_samples(answers, categories)
        for sample, label in zip(samples, answers.labels, strict=True):
            part = replace(sample, cov=sample.cov[np.ix_(~ordered, ~ordered)])
            require_definite(part, np.array(names)[~ordered].tolist(), label)
        return squares_material(samples, options.estimator, means=True, ordered=ordered)
    if categories:
        samples = ordinal_samples(
            answers,
            list(categories.values()),
            missing="pairwise" if options.missing == "pairwise" else "listwise",
        )
        return squares_material(samples, options.estimator, means=True)
    if options.missing == "fiml":
        return missing_material(
            _rows(answers),
            options.estimator,
            names,
            information=options.information,
            groups=answers.labels if len(answers.labels) > 1 else None,
        )
    samples = continuous_samples(answers)
    for sample, label in zip(samples, answers.labels, strict=True):
        require_definite(sample, names, label)
    if options.estimator in ("GLS", "ULS"):
        return squares_material(samples, options.estimator, means=means)
    return normal_material(
        samples,
        options.estimator,
        information=options.information,
        likelihood=options.likelihood,
    )


def _two_level(options: Options, answers: Answers, model: Model) -> Material:
    if answers.clusters is None:
        raise OptionError("cluster", None, allowed=("the column of the clusters",))
    samples = []
    for g in range(len(answers.labels)):
        rows = answers.of(g)
        samples.append(
            two_level_sample(
                answers.x[rows],
                answers.clusters[rows],
                answers.names,
                model.blocks[0].observed,
                model.blocks[1].observed,
            )
        )
    return two_level_material(
        TwoLevelNormal(samples), options.estimator, information=options.information
    )


def _rows(answers: Answers) -> list[Sample]:
    """Rows of each group, with nothing computed from them yet."""
    p, out = len(answers.names), []
    for g in range(len(answers.labels)):
        rows = answers.of(g)
        x = answers.x[rows]
        w = answers.weights[rows] if answers.weights is not None else None
        if w is not None:
            w = w * balance(answers)
        clusters = None
        if answers.clusters is not None:
            clusters = np.unique(answers.clusters[rows], return_inverse=True)[1]
        out.append(
            Sample(float(len(x)), np.eye(p), np.zeros(p), rows=x, weights=w, clusters=clusters)
        )
    return out


def require_definite(sample: Sample, names: Sequence[str], label: str) -> None:
    """Refuse a covariance matrix without an inverse, and say why it has none."""
    where = f" in group {label!r}" if label else ""
    sd = np.sqrt(np.diag(sample.cov))
    correlations = sample.cov / np.outer(sd, sd)
    if np.linalg.eigvalsh(correlations)[0] > 1e-10:
        return
    if sample.n <= len(names):
        raise NotEnoughDataError(
            METHOD,
            what=f"complete rows{where} for {len(names)} variables",
            found=int(sample.n),
            needed=len(names) + 1,
        )
    found = [names[i] for i in aliased_columns(correlations)]
    raise DataError(
        f"{METHOD} is not defined{where}: {listed(found) or 'an item'} follows exactly from the "
        "other items, so that the covariance matrix has no inverse. Leave it out."
    )
