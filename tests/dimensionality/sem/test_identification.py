"""Models that the data cannot determine, and which of their parameters."""

from __future__ import annotations

from typing import Any

import pytest
from tests.dimensionality.sem.table_cases import ENTRIES, options_of

from collabsurvey.dimensionality.sem.compile import build
from collabsurvey.dimensionality.sem.identification import check_identified, open_parts
from collabsurvey.errors import FaultsError

HS = "visual =~ x1 + x2 + x3 ; textual =~ x4 + x5 + x6 ; speed =~ x7 + x8 + x9"


@pytest.mark.parametrize(
    ("text", "options", "sentence"),
    [
        ("f =~ x1 + x2", {}, "4 parameters.*: 3\n.*f=~x2, x1~~x1.*has only 2 items"),
        ("f =~ x1\nx1 ~~ x1", {}, "has only 1 item"),
        (HS + "; g =~ x10 + x11", {"orthogonal": True}, "apart: g=~x11, x10~~x10.*only 2 items"),
        ("f =~ NA*x1 + x2 + x3 + x4", {}, "f=~x1, f=~x2.*'f' has no unit"),
        (HS + "\nspeed ~ NA*1", {}, "speed~1, x7~1, x8~1, x9~1.*latent means"),
        ("y ~ x\nx ~ y", {}, "y~x, x~y"),
        (
            "f =~ x1 + x2 + x3 + x4\nf ~ c(NA, NA)*1",
            {"groups": ("a", "b"), "equal": ("loadings", "intercepts")},
            "f~1.g2",
        ),
    ],
)
def test_open_parameters_are_named(text: str, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(FaultsError, match=f"(?s){sentence}"):
        check_identified(build(text, **options))


def test_parts_that_do_not_hang_together_are_told_apart() -> None:
    parts = open_parts(build("f =~ NA*x1 + x2 + x3\ng =~ NA*x4 + x5 + x6", orthogonal=True))
    assert [{one.lhs for one in part if one.op == "=~"} for part in parts] == [{"f"}, {"g"}]


def test_models_with_nonnegative_df_of_lavaan_are_identified() -> None:
    found = {
        entry["id"]
        for entry in ENTRIES
        if open_parts(build(entry["model"]["text"], **options_of(entry["model"])))
    }
    # With equal intercepts lavaan frees the means of both orders of factors: it cannot be done.
    assert found == {"second_order_groups"}
