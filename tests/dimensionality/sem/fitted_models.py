"""Models fitted to the reference data, for tests of what is computed from a fit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from collabsurvey.dimensionality.sem.estimate import Fit
from collabsurvey.dimensionality.sem.fitted import analyse
from collabsurvey.dimensionality.sem.moments import Discrepancy
from collabsurvey.dimensionality.sem.prepare import Options, prepare
from collabsurvey.numerics.typing import FloatArray
from support import dataset

HS = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
AC = "agree =~ A1 + A2 + A3 + A4 + A5\nconsc =~ C1 + C2 + C3 + C4 + C5"
NE = "neuro =~ N1 + N2 + N3 + N4 + N5\nextra =~ E1 + E2 + E3 + E4 + E5"
MIMIC = f"{HS}\ntextual ~ visual + ageyr\nvisual ~ sex\nx3 ~ sex\nspeed ~ textual"
LINEAR = """visual =~ NA*x1 + a*x1 + b*x2 + c*x3
textual =~ x4 + d*x5 + e*x6
speed =~ x7 + x8 + x9
a + b + c == 3
d == 1.1*e"""
BHR = "f =~ AF06 + AF07 + AP12 + AS14 + AS16 + AS28"
PLAIN: dict[str, Any] = {
    "estimator": "ML", "missing": "listwise", "ordered": False, "group": None, "cluster": None,
    "weights": None, "parameterization": "delta", "std_lv": False, "orthogonal": False,
    "means": None, "fixed_x": True, "information": None, "likelihood": "normal",
}  # fmt: skip
SCALAR = ("loadings", "intercepts")
MODELS: dict[str, tuple[str, str, dict[str, Any], Sequence[str]]] = {
    "hs": (HS, "hs1939", {}, ()),
    "second_order": (f"{HS}\ng =~ visual + textual + speed", "hs1939", {}, ()),
    "groups": (HS, "hs1939", {"group": "school"}, SCALAR),
    "groups_mlr": (HS, "hs1939", {"group": "school", "estimator": "MLR"}, SCALAR),
    "groups_sex": (HS, "hs1939", {"group": "sex"}, SCALAR),
    "groups_fiml": (AC, "bfi", {"group": "gender", "missing": "fiml"}, SCALAR),
    "mimic": (MIMIC, "hs1939", {"means": True}, ()),
    "random_covariates": (MIMIC, "hs1939", {"means": True, "fixed_x": False}, ()),
    "orthogonal": (HS, "hs1939", {"orthogonal": True, "std_lv": True}, ()),
    "wishart": (HS, "hs1939", {"likelihood": "wishart"}, ()),
    "gls": (HS, "hs1939", {"estimator": "GLS"}, ()),
    "linear": (LINEAR, "hs1939", {}, ()),
    "indirect": (f"{HS}\ntextual ~ p*visual + q*ageyr\nvisual ~ r*sex", "hs1939", {}, ()),
    "fiml": (AC, "bfi", {"missing": "fiml"}, ()),
    "wlsmv": (NE, "bfi", {"estimator": "WLSMV", "ordered": True}, ()),
    "theta": (
        NE,
        "bfi",
        {"estimator": "WLSMV", "ordered": True, "parameterization": "theta", "std_lv": True},
        (),
    ),
    "categorical_groups": (
        NE,
        "bfi",
        {"estimator": "WLSMV", "ordered": True, "group": "gender"},
        ("loadings", "thresholds"),
    ),
    "two_level": (f"level: 1\n{BHR}\nlevel: 2\n{BHR}", "bhr2000", {"cluster": "GRP"}, ()),
}


@cache
def fitted(name: str) -> tuple[Fit, Discrepancy, list[float] | None, FloatArray]:
    """Fit, discrepancy, respondents of every block (None for two levels) and vcov of theta."""
    text, data, options, equal = MODELS[name]
    prepared = prepare(dataset(data), text, Options(**{**PLAIN, **options}))
    material = prepared.material
    found = analyse(prepared.build(text, equal=equal), material)
    n = None
    if not prepared.two_level:
        n = [one.n + (material.divisor == "n-1") for one in material.samples]
    return found.fit, material.discrepancy, n, found.assessed.vcov
