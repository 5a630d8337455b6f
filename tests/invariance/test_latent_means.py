"""Differences of latent means: against models that have them as parameters."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
from numpy.testing import assert_allclose

from collabsurvey.dimensionality.cfa import cfa
from collabsurvey.dimensionality.sem.fitted import analyse
from collabsurvey.dimensionality.sem.frames import estimates_frame
from collabsurvey.invariance import LadderResult, ladder
from support import dataset

VISUAL = "visual =~ x1 + x2 + x3 + x4"
SCALAR = ("loadings", "intercepts")


@cache
def climbed(estimator: str = "ML") -> LadderResult:
    return ladder(dataset("hs1939"), VISUAL, "school", estimator=estimator)  # type: ignore[arg-type]


def test_raw_differences_are_the_estimates() -> None:
    found = climbed().latent_means.iloc[0]
    rows = climbed().fits["scalar"].estimates
    row = rows[(rows["lhs"] == "visual") & (rows["op"] == "~1") & (rows["group"] == 2)].iloc[0]
    for ours, theirs in (
        ("difference", "estimate"),
        ("std_error", "std_error"),
        ("statistic", "statistic"),
        ("p_value", "p_value"),
        ("ci_low", "ci_low"),
        ("ci_high", "ci_high"),
    ):
        assert_allclose(found[ours], row[theirs], rtol=1e-12)
    assert (found["group"], found["reference"]) == ("Grant-White", "Pasteur")


def test_in_units_of_the_reference_it_is_the_mean_of_a_standardised_factor() -> None:
    data = dataset("hs1939")
    other = cfa(data, VISUAL, group="school", equal=SCALAR, std_lv=True).estimates
    row = other[(other["lhs"] == "visual") & (other["op"] == "~1") & (other["group"] == 2)].iloc[0]
    found = climbed().latent_means.iloc[0]
    assert_allclose(found["d_reference"], row["estimate"], rtol=1e-7)
    assert_allclose(found["d_reference_std_error"], row["std_error"], rtol=1e-6)
    assert_allclose(found["d_reference_ci_low"], row["ci_low"], rtol=1e-6)


def test_pooled_it_is_a_defined_parameter() -> None:
    text = (
        f"{VISUAL}; visual ~ c(m0, m1)*1; visual ~~ c(v0, v1)*visual; m0 == 0; "
        "d := m1 / sqrt((156*v0 + 145*v1) / 301)"
    )
    prepared = climbed().fits["scalar"].prepared
    other = analyse(prepared.build(text, equal=SCALAR), prepared.material)
    rows = estimates_frame(other, conf_level=0.95)
    row = rows[rows["lhs"] == "d"].iloc[0]
    found = climbed().latent_means.iloc[0]
    assert_allclose(found["d_pooled"], row["estimate"], rtol=1e-7)
    assert_allclose(found["d_pooled_std_error"], row["std_error"], rtol=1e-6)


def test_several_groups_are_each_compared_with_the_first() -> None:
    rng = np.random.default_rng(3)
    n, shift = 900, {"a": 0.0, "b": 0.5, "c": -0.4}
    group = rng.choice(list(shift), n)
    factor = rng.normal(size=n) + pd.Series(group).map(shift).to_numpy()
    data = pd.DataFrame({f"y{j}": 0.8 * factor + rng.normal(0, 0.6, n) for j in range(1, 5)})
    data.insert(0, "g", group)
    result = ladder(data.sort_values("g"), "f =~ y1 + y2 + y3 + y4", "g")
    assert result.highest == "strict"
    found = result.latent_means.set_index("group")
    assert found.index.tolist() == ["b", "c"]
    for label, truth in (("b", 0.5), ("c", -0.4)):
        row = found.loc[label]
        assert row["d_pooled_ci_low"] < truth < row["d_pooled_ci_high"]


def test_without_a_level_of_equal_intercepts_there_are_none() -> None:
    result = ladder(dataset("hs1939"), VISUAL, "school", levels=["configural", "metric"])
    assert result.latent_means.empty
    assert "d_pooled" in result.latent_means


def test_robust_errors_are_used() -> None:
    plain, robust = climbed().latent_means.iloc[0], climbed("MLR").latent_means.iloc[0]
    assert_allclose(plain["d_pooled"], robust["d_pooled"], rtol=1e-7)
    assert abs(plain["d_pooled_std_error"] / robust["d_pooled_std_error"] - 1) > 1e-3
