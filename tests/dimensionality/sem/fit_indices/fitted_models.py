"""The models of the gold files, fitted to their data, one place for all tests of fit indices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal

import numpy as np

from collabsurvey.dimensionality.sem.answers import answered, complete, read_answers
from collabsurvey.dimensionality.sem.baseline import independence
from collabsurvey.dimensionality.sem.compile import build
from collabsurvey.dimensionality.sem.estimate import Fit, fit
from collabsurvey.dimensionality.sem.least_squares import (
    LeastSquares,
    Stack,
    normal_weight,
    unit_weight,
)
from collabsurvey.dimensionality.sem.missing import MissingNormal
from collabsurvey.dimensionality.sem.normal import Normal
from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.dimensionality.sem.samples import (
    categories_of,
    continuous_samples,
    ordinal_samples,
)
from collabsurvey.dimensionality.sem.sandwich import jacobian
from collabsurvey.dimensionality.sem.start import start_values, with_covariates
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray
from support import dataset, gold

HS = "visual =~ x1 + x2 + x3 ; textual =~ x4 + x5 + x6 ; speed =~ x7 + x8 + x9"
AC = "agree =~ A1 + A2 + A3 + A4 + A5 ; consc =~ C1 + C2 + C3 + C4 + C5"
BFI = (
    AC
    + """ ; extra =~ E1 + E2 + E3 + E4 + E5 ; neuro =~ N1 + N2 + N3 + N4 + N5
open =~ O1 + O2 + O3 + O4 + O5"""
)
NE = "neuro =~ N1 + N2 + N3 + N4 + N5 ; extra =~ E1 + E2 + E3 + E4 + E5"
N = "neuro =~ N1 + N2 + N3 + N4 + N5"
GRP = "f =~ AF06 + AF07 + AP12 + AS14 + AS16 + AS28"
STEPS: dict[str, tuple[str, ...]] = {
    "configural": (),
    "metric": ("loadings",),
    "scalar": ("loadings", "intercepts"),
    "strict": ("loadings", "intercepts", "residuals"),
    "means": ("loadings", "intercepts", "residuals", "means"),
}
Method = Literal["ml", "wishart", "gls", "uls", "fiml", "dwls", "ordinal_uls", "pairwise"]


@dataclass(frozen=True)
class Case:
    """A model of the gold files."""

    data: str
    text: str
    method: Method = "ml"
    group: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    observed: tuple[str, ...] | None = None


@dataclass(frozen=True, eq=False)
class Fitted:
    """The model and the baseline at their estimates, and what they were fitted to."""

    case: Case
    samples: tuple[Sample, ...]
    fit: Fit
    baseline: Fit
    stacks: tuple[Stack, ...]
    weights: tuple[FloatArray, ...]  # of least squares
    discrepancy: Normal | MissingNormal | LeastSquares

    @property
    def ordered(self) -> list[BoolArray]:
        return [block.is_ordered for block in self.fit.model.blocks]

    @property
    def covariates(self) -> list[IntArray]:
        blocks = self.fit.model.blocks
        return [np.flatnonzero(np.isin(one.observed, one.covariates)) for one in blocks]

    @property
    def df(self) -> int:
        moments = sum(
            len(stack.vector(one.cov, one.mean, one.thresholds)) for stack, one in self.of
        )
        means = self.fit.model.blocks[0].means
        fixed = sum(len(one) * (len(one) + 1 + 2 * means) // 2 for one in self.covariates)
        return moments - fixed - self.fit.model.n_unique

    @property
    def of(self) -> list[tuple[Stack, Sample]]:
        return list(zip(self.stacks, self.samples, strict=True))

    def jacobians(self, fitted: Fit) -> list[FloatArray]:
        parts = zip(self.stacks, fitted.derivatives, strict=True)
        return [jacobian(stack, one, fitted.model.reduce) for stack, one in parts]


def _cases() -> dict[str, Case]:
    hs = Case("hs1939", HS)
    out = {
        "cfa_ml_hs1939 fit": hs,
        "cfa_ml_stdlv_hs1939 fit": Case("hs1939", HS, options={"std_lv": True}),
        "cfa_ml_meanstructure_hs1939 fit": Case("hs1939", HS, options={"means": True}),
        "cfa_wishart_hs1939 fit": Case("hs1939", HS, "wishart"),
        "cfa_gls_uls_hs1939 GLS fit": Case("hs1939", HS, "gls"),
        "cfa_gls_uls_hs1939 ULS fit": Case("hs1939", HS, "uls"),
        "cfa_second_order_hs1939 fit": Case("hs1939", HS + "; g =~ visual + textual + speed"),
        "sem_mediation_hs1939 fit": Case(
            "hs1939", HS + "; textual ~ visual ; speed ~ textual + visual ; visual ~ ageyr"
        ),
        "cfa_fiml_bfi_AC fit": Case("bfi", AC, "fiml"),
        "cfa_fiml_mlr_bfi_AC fit": Case("bfi", AC, "fiml"),
        "cfa_fiml_bfi25 fit": Case("bfi", BFI, "fiml"),
        "cfa_fiml_mlr_bfi25 fit": Case("bfi", BFI, "fiml"),
        "cfa_wlsmv_bfi_NE fit": Case("bfi", NE, "dwls"),
        "cfa_wlsmv_theta_bfi_NE fit": Case(
            "bfi", NE, "dwls", options={"parameterization": "theta", "std_lv": True}
        ),
        "cfa_wlsmv_pairwise_bfi_NE fit": Case("bfi", NE, "pairwise"),
        "cfa_ulsmv_wlsm_bfi_NE ULSMV fit": Case("bfi", NE, "ordinal_uls"),
        "cfa_ulsmv_wlsm_bfi_NE WLSM": Case("bfi", NE, "dwls"),
        "invariance_ordinal_bfi_gender fit configural": Case(
            "bfi", N, "dwls", "gender", {"parameterization": "theta", "std_lv": True}
        ),
        "invariance_partial_hs_school fit": Case(
            "hs1939",
            HS,
            group="school",
            options={"equal": STEPS["scalar"], "partial": ("x3~1", "x7~1")},
        ),
        "cfa_cluster_robust_bhr2000 fit": Case("bhr2000", GRP, options={"means": True}),
    }
    for step, equal in STEPS.items():
        options = {"equal": equal}
        for group in ("school", "sex"):
            name = f"invariance_ml_hs_{group} fit {step}"
            out[name] = Case("hs1939", HS, group=group, options=options)
        name = f"invariance_ml_bfi_gender_fiml fit {step}"
        out[name] = Case("bfi", AC, "fiml", "gender", options)
    syntax = gold("06_invariance")["invariance_longitudinal_univbct"]["values"]["syntax"]
    for step, text in zip(("configural", "metric", "scalar", "strict"), syntax, strict=True):
        out[f"invariance_longitudinal_univbct fit {step}"] = Case("univbct_wide", text, "fiml")
    return out


CASES = _cases()
# not in the gold files
OTHERS = {"fiml_covariate": Case("bfi", "agree =~ A1 + A2 + A3 + A4 + A5 ; agree ~ age", "fiml")}


@cache
def fitted(name: str) -> Fitted:
    """Fit a model of the gold files by our own engine."""
    case = (CASES | OTHERS)[name]
    ordinal = case.method in ("dwls", "ordinal_uls", "pairwise")
    options = dict(case.options)
    items = build(case.text).blocks[0].observed
    data = dataset(case.data)
    answers = read_answers(
        data, items, group=case.group, cluster=None, weights=None, method="A test"
    )
    answers = answered(answers) if case.method in ("fiml", "pairwise") else complete(answers)
    if case.group is not None:
        options["groups"] = answers.labels
    if case.method == "fiml":
        options["means"] = True
    if ordinal:
        categories, _ = categories_of(answers, items)
        options["ordered"] = {name: one.n for name, one in zip(items, categories, strict=True)}
    model = build(case.text, observed=items, **options)
    means = model.blocks[0].means
    stacks = tuple(Stack(block.is_ordered, means=means) for block in model.blocks)
    weights: tuple[FloatArray, ...] = ()
    discrepancy: Normal | MissingNormal | LeastSquares
    if case.method == "fiml":
        rows = [answers.x[answers.of(g)] for g in range(len(answers.labels))]
        discrepancy = MissingNormal(rows, items=items)
        samples: Sequence[Sample] = discrepancy.samples
    elif ordinal:
        missing = "pairwise" if case.method == "pairwise" else "listwise"
        samples = ordinal_samples(answers, categories, missing=missing)
        weights = tuple(
            np.ones(len(acov_of(one)))
            if case.method == "ordinal_uls"
            else 1 / np.diag(acov_of(one))
            for one in samples
        )
        discrepancy = LeastSquares(_one_less(samples), weights, stacks)
    else:
        samples = [_complete(one, case.method, means=means) for one in continuous_samples(answers)]
        if case.method in ("gls", "uls"):
            weigh = normal_weight if case.method == "gls" else unit_weight
            weights = tuple(
                weigh(one.cov, stack) for one, stack in zip(samples, stacks, strict=True)
            )
            discrepancy = LeastSquares(_one_less(samples), weights, stacks)
        else:
            discrepancy = Normal(_one_less(samples) if case.method == "wishart" else samples)
    model = with_covariates(model, samples)
    found = fit(model, discrepancy, start_values(model, samples))
    null, start = independence(model, samples)
    baseline = fit(null, discrepancy, start)
    assert found.converged
    assert baseline.converged
    return Fitted(case, tuple(samples), found, baseline, stacks, weights, discrepancy)


def acov_of(sample: Sample) -> FloatArray:
    assert sample.acov is not None
    return sample.acov


def _complete(sample: Sample, method: Method, *, means: bool) -> Sample:
    """The sample as lavaan sees it: divisor n - 1 but for ML, no means without their structure."""
    scale = 1.0 if method == "ml" else sample.n / (sample.n - 1)
    return Sample(sample.n, sample.cov * scale, sample.mean if means else None, rows=sample.rows)


def _one_less(samples: Sequence[Sample]) -> list[Sample]:
    """n - 1 respondents in each group: the unit of chi-square but for ML."""
    return [replace(one, n=one.n - 1) for one in samples]
