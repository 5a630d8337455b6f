"""Everything about the data that fitting, errors and tests of a model need, by estimator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from collabsurvey.dimensionality.sem.estimators import RECIPES, Recipe
from collabsurvey.dimensionality.sem.least_squares import (
    LeastSquares,
    Stack,
    normal_weight,
    unit_weight,
)
from collabsurvey.dimensionality.sem.missing import MissingNormal
from collabsurvey.dimensionality.sem.model import Model
from collabsurvey.dimensionality.sem.normal import Normal
from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.dimensionality.sem.two_level import TwoLevelNormal
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray

Information = Literal["expected", "observed"]
Likelihood = Literal["normal", "wishart"]


@dataclass(frozen=True, eq=False)
class Material:
    """Data, discrepancy and options of one analysis."""

    recipe: Recipe
    discrepancy: Normal | MissingNormal | LeastSquares | TwoLevelNormal
    samples: tuple[Sample, ...]  # one for each block of the model
    information: Information
    divisor: Literal["n", "n-1"]
    linear_test: bool = False  # the test's information leaves out how moments curve
    clusters: tuple[IntArray, ...] = ()  # codes of the rows of each group
    stacks: tuple[Stack, ...] = ()  # least squares only, as the two that follow
    weights: tuple[FloatArray, ...] = ()
    gammas: tuple[FloatArray, ...] = field(default=())

    @property
    def n(self) -> float:
        """Respondents of all groups."""
        if isinstance(self.discrepancy, TwoLevelNormal):
            return float(sum(one.n for one in self.discrepancy.samples))
        return sum(one.n for one in self.samples) + self.lost

    @property
    def n_groups(self) -> int:
        """Groups of respondents."""
        return len(self.discrepancy.samples)

    @property
    def lost(self) -> int:
        """By how much the units of the discrepancy fall short of the number of respondents."""
        return len(self.samples) if self.divisor == "n-1" else 0


def normal_material(
    samples: Sequence[Sample],
    estimator: str,
    *,
    information: Information | None,
    likelihood: Likelihood,
) -> Material:
    """Complete continuous answers, for ML and its robust kin."""
    divisor: Literal["n", "n-1"] = "n-1" if likelihood == "wishart" else "n"
    used = [unbiased(one) for one in samples] if divisor == "n-1" else list(samples)
    return Material(
        RECIPES[estimator],
        Normal(used),
        tuple(used),
        information or ("observed" if estimator == "MLR" else "expected"),
        divisor,
        clusters=_clusters(samples),
    )


def missing_material(
    samples: Sequence[Sample],
    estimator: str,
    names: Sequence[str],
    *,
    information: Information | None,
    groups: Sequence[str] | None = None,
) -> Material:
    """Continuous answers with gaps; `groups` are labels for messages."""
    rows = [one.rows for one in samples if one.rows is not None]
    found = MissingNormal(
        rows, weights=[one.weights for one in samples], items=names, groups=groups
    )
    given = [replace(a, clusters=b.clusters) for a, b in zip(found.samples, samples, strict=True)]
    return Material(
        RECIPES[estimator],
        found,
        tuple(given),
        information or "observed",
        "n",
        clusters=_clusters(samples),
    )


def squares_material(
    samples: Sequence[Sample],
    estimator: str,
    *,
    means: bool,
    ordered: BoolArray | None = None,
) -> Material:
    """Least squares: GLS and ULS of continuous answers; ULS and DWLS of ordered ones.

    `ordered` (p,) says which variables have thresholds where only some do.
    """
    recipe = RECIPES[estimator]
    ordinal = any(one.thresholds is not None for one in samples)
    if ordered is None:
        ordered = np.full(len(samples[0].cov), ordinal)
    # lavaan multiplies least squares by n - 1; covariances of continuous answers have it too.
    used = [replace(one, n=one.n - 1) if ordinal else unbiased(one) for one in samples]
    stacks = [Stack(ordered, means=means) for _ in used]
    weights = []
    for sample, stack in zip(used, stacks, strict=True):
        if recipe.distance == "dwls" and sample.acov is not None:
            weights.append(1 / np.diag(sample.acov))
        elif recipe.distance == "gls":
            weights.append(normal_weight(sample.cov, stack))
        elif ordinal and sample.acov is not None:
            weights.append(np.ones(len(sample.acov)))
        else:
            weights.append(unit_weight(sample.cov, stack))
    return Material(
        recipe,
        LeastSquares(used, weights, stacks),
        tuple(used),
        "expected",
        "n-1",
        stacks=tuple(stacks),
        weights=tuple(weights),
        gammas=tuple(one.acov for one in used if one.acov is not None),
    )


def two_level_material(
    discrepancy: TwoLevelNormal, estimator: str, *, information: Information | None
) -> Material:
    """Continuous answers of people in clusters, a model at each level."""
    samples = [level for one in discrepancy.samples for level in one.each_level()]
    return Material(RECIPES[estimator], discrepancy, tuple(samples), information or "observed", "n")


def unbiased(sample: Sample) -> Sample:
    """Covariances with the divisor n - 1, and n - 1 as what the discrepancy counts."""
    n = sample.n
    return replace(sample, n=n - 1, cov=sample.cov * (n / (n - 1)))


def counted(material: Material) -> list[Sample]:
    """Samples with the number of their respondents, where the discrepancy counts one less."""
    if material.divisor == "n":
        return list(material.samples)
    return [replace(one, n=one.n + 1) for one in material.samples]


def covariates(model: Model) -> list[IntArray]:
    """Places of the covariates among the observed variables of every block."""
    return [
        np.flatnonzero(np.isin(block.observed, block.covariates)).astype(np.int64)
        for block in model.blocks
    ]


def _clusters(samples: Sequence[Sample]) -> tuple[IntArray, ...]:
    return tuple(one.clusters for one in samples if one.clusters is not None)
