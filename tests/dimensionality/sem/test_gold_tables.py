"""Parameter tables against lavaan 0.6.14: rows, their order, labels, parameters and df."""

from __future__ import annotations

from typing import Any

import pytest
from tests.dimensionality.sem.table_cases import ENTRIES

from collabsurvey.dimensionality.sem.compile import build, count_moments
from collabsurvey.dimensionality.sem.model import Model
from support import gold

HS = "visual =~ x1 + x2 + x3 ; textual =~ x4 + x5 + x6 ; speed =~ x7 + x8 + x9"
AC = "agree =~ A1 + A2 + A3 + A4 + A5 ; consc =~ C1 + C2 + C3 + C4 + C5"
BFI = f"""{AC}
extra =~ E1 + E2 + E3 + E4 + E5 ; neuro =~ N1 + N2 + N3 + N4 + N5
open =~ O1 + O2 + O3 + O4 + O5"""
NE = "neuro =~ N1 + N2 + N3 + N4 + N5 ; extra =~ E1 + E2 + E3 + E4 + E5"
NE_ORDERED = {f"{letter}{i}": 6 for letter in "NE" for i in range(1, 6)}
WITHIN = "f =~ AF06 + AF07 + AP12 + AS14 + AS16 + AS28"
MEDIATION = f"""{HS}
textual ~ a*visual ; speed ~ b*textual + c*visual ; visual ~ ageyr
ind := a*b ; total := c + a*b"""
SINGLE: list[tuple[str, str, str, dict[str, Any]]] = [
    ("05_cfa", "cfa_ml_hs1939", HS, {}),
    ("05_cfa", "cfa_ml_stdlv_hs1939", HS, {"std_lv": True}),
    ("05_cfa", "cfa_ml_meanstructure_hs1939", HS, {"means": True}),
    ("05_cfa", "cfa_mlr_hs1939", HS, {}),
    ("05_cfa", "cfa_mlm_hs1939", HS, {}),
    ("05_cfa", "cfa_wishart_hs1939", HS, {}),
    ("05_cfa", "cfa_observed_info_hs1939", HS, {}),
    ("05_cfa", "cfa_gls_uls_hs1939/GLS", HS, {}),
    ("05_cfa", "cfa_gls_uls_hs1939/ULS", HS, {}),
    ("05_cfa", "cfa_second_order_hs1939", HS + "; g =~ visual + textual + speed", {}),
    (
        "05_cfa",
        "cfa_bifactor_hs1939",
        "g =~ x1+x2+x3+x4+x5+x6+x7+x8+x9 ;" + HS,
        {"orthogonal": True, "std_lv": True},
    ),
    ("05_cfa", "sem_mediation_hs1939", MEDIATION, {}),
    ("05_cfa", "cfa_fiml_bfi_AC", AC, {"means": True}),
    ("05_cfa", "cfa_fiml_mlr_bfi_AC", AC, {"means": True}),
    ("05_cfa", "cfa_fiml_bfi25", BFI, {"means": True}),
    ("05_cfa", "cfa_fiml_mlr_bfi25", BFI, {"means": True}),
    ("05_cfa", "cfa_wlsmv_bfi_NE", NE, {"ordered": NE_ORDERED}),
    (
        "05_cfa",
        "cfa_wlsmv_theta_bfi_NE",
        NE,
        {"ordered": NE_ORDERED, "parameterization": "theta", "std_lv": True},
    ),
    ("05_cfa", "cfa_wlsmv_pairwise_bfi_NE", NE, {"ordered": NE_ORDERED}),
    ("05_cfa", "cfa_ulsmv_wlsm_bfi_NE/ULSMV", NE, {"ordered": NE_ORDERED}),
    (
        "06_invariance",
        "invariance_partial_hs_school",
        HS,
        {
            "groups": ("a", "b"),
            "equal": ("loadings", "intercepts"),
            "partial": ("x3~1", "x7~1"),
        },
    ),
    (
        "07_multilevel_aggregation",
        "twolevel_cfa_bhr2000",
        f"level: 1 ; {WITHIN} ; level: 2 ; {WITHIN}",
        {},
    ),
    (
        "07_multilevel_aggregation",
        "twolevel_cfa_mlr_bhr2000",
        f"level: 1\n {WITHIN}\nlevel: 2\n {WITHIN}",
        {},
    ),
    ("07_multilevel_aggregation", "cfa_cluster_robust_bhr2000", WITHIN, {"means": True}),
]
LADDER = ("loadings", "intercepts", "residuals", "means")
STEPS = ("configural", "metric", "scalar", "strict", "means")


def rows_of(model: Model) -> list[tuple[str, str, str, int]]:
    """Rows of the table, then the definitions, as lavaan lists them; blocks from 1."""
    table = [(one.lhs, one.op, one.rhs, one.block + 1) for one in model.parameters]
    return table + [(one.name, ":=", one.expression, 0) for one in model.definitions]


def stored_rows(estimates: list[dict[str, Any]]) -> list[tuple[str, str, str, int]]:
    return [(row["lhs"], row["op"], row["rhs"], row.get("block", 1)) for row in estimates]


def labels_of(model: Model) -> list[str]:
    return [one.label for one in model.parameters] + [one.name for one in model.definitions]


def check(model: Model, stored: dict[str, Any]) -> None:
    assert count_moments(model) - model.n_unique == stored["fit"]["df"]
    assert model.n_unique == stored["fit"]["npar"]
    check_rows(model, stored["estimates"])


def check_rows(model: Model, estimates: list[dict[str, Any]]) -> None:
    ours = rows_of(model)
    theirs = stored_rows(estimates)
    if model.definitions:  # lavaan gives definitions no block
        theirs = [(*row[:3], 0) if row[1] == ":=" else row for row in theirs]
    assert ours == theirs
    if "label" in estimates[0]:
        assert labels_of(model) == [row["label"] for row in estimates]
    free = [one.free for one in model.parameters]
    for one, row, is_free in zip(model.parameters, estimates, free, strict=False):
        if "se" in row and one.op != "~*~" and not (one.op == "~~" and one.lhs == one.rhs):
            assert is_free == (row["se"] is not None and row["se"] > 0), row


@pytest.mark.parametrize(("topic", "entry", "text", "options"), SINGLE)
def test_table_is_lavaans(topic: str, entry: str, text: str, options: dict[str, Any]) -> None:
    name, _, part = entry.partition("/")
    values = gold(topic)[name]["values"]
    check(build(text, **options), values[part] if part else values)


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ("invariance_ml_hs_school", HS),
        ("invariance_mlr_hs_school", HS),
        ("invariance_ml_hs_sex", HS),
        ("invariance_ml_bfi_gender_fiml", AC),
    ],
)
@pytest.mark.parametrize("step", range(5))
def test_ladder_of_groups_is_lavaans(entry: str, text: str, step: int) -> None:
    values = gold("06_invariance")[entry]["values"]
    if STEPS[step] not in values["fit"]:
        pytest.skip("not stored")
    model = build(text, groups=("a", "b"), equal=LADDER[:step])
    fit = values["fit"][STEPS[step]]
    assert (model.n_unique, count_moments(model) - model.n_unique) == (fit["npar"], fit["df"])
    if (stored := values.get(f"{STEPS[step]}_estimates")) is not None:
        check_rows(model, stored)


@pytest.mark.parametrize("step", range(4))
def test_ladder_of_waves_is_lavaans(step: int) -> None:
    values = gold("06_invariance")["invariance_longitudinal_univbct"]["values"]
    text = values["syntax"][step]
    model = build(text, means=True)
    fit = values["fit"][STEPS[step]]
    assert (model.n_unique, count_moments(model) - model.n_unique) == (fit["npar"], fit["df"])
    if (stored := values.get(f"{STEPS[step]}_estimates")) is not None:
        check_rows(model, stored)


@pytest.mark.parametrize("step", range(5))
def test_ladder_of_ordinal_items_is_lavaans(step: int) -> None:
    """Wu & Estabrook (2016), with the texts that semTools::measEq.syntax() writes."""
    values = gold("06_invariance")["invariance_ordinal_bfi_gender"]["values"]
    (text,) = (one["model"]["text"] for one in ENTRIES if one["id"] == f"measeq_theta_{step}")
    items = {f"N{i}": 6 for i in range(1, 6)}
    model = build(text, groups=("g1", "g2"), ordered=items, parameterization="theta")
    name = ("configural", "thresholds", "metric", "scalar", "strict")[step]
    assert model.n_free == values["npar"][name]
    assert count_moments(model) - model.n_unique == values["fit"][name]["df"]
    if name == "strict":
        check_rows(model, values["strict_estimates"])
