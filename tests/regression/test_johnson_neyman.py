"""Johnson-Neyman regions: closed form, R's adjusted p-values, and what a boundary is."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from collabsurvey.errors import NotSupportedError, OptionError
from collabsurvey.numerics.student import critical_value
from collabsurvey.regression import mixed, ols
from collabsurvey.regression.johnson_neyman import discovery_level, johnson_neyman
from collabsurvey.regression.simple_slopes import simple_slopes
from support import REFERENCE, dataset

PEERS = json.loads((REFERENCE / "guard_rails.json").read_text(encoding="utf-8"))
SLOPES = PEERS["values"]["slopes"]
FORMULA = "normexam ~ standLRT * schavg + sex"


def test_boundaries_are_the_roots_of_the_parabola() -> None:
    result = ols(FORMULA, dataset("exam"))
    found = johnson_neyman(result, "schavg", moderator="standLRT", data=dataset("exam"))
    v, b = result.vcov, dict(zip(result.terms, result.coefficients, strict=True))
    t2 = critical_value(0.95, result.df[:1])[0] ** 2
    one, both = "schavg", "standLRT:schavg"
    roots = np.roots(
        [
            b[both] ** 2 - t2 * v.loc[both, both],
            2 * (b[one] * b[both] - t2 * v.loc[one, both]),
            b[one] ** 2 - t2 * v.loc[one, one],
        ]
    )
    assert_allclose(found.boundaries, np.sort(roots), rtol=1e-9)
    regions = found.to_frame()
    assert regions["direction"].tolist() == ["negative", "not different from zero", "positive"]
    x = dataset("exam")["standLRT"].to_numpy()
    expected = [np.mean(x < roots.min()), 0, np.mean(x > roots.max())]
    expected[1] = 1 - expected[0] - expected[2]
    assert_allclose(regions["rows"], expected, rtol=1e-12)
    assert regions["low"][0] == x.min()
    assert regions["high"][2] == x.max()


def test_tests_and_false_discovery_match_r() -> None:
    result = ols(FORMULA, dataset("exam"))
    span = (SLOPES["at"][0], SLOPES["at"][-1])
    plain = johnson_neyman(result, "schavg", moderator="standLRT", span=span)
    assert_allclose(plain.curve["moderator"], SLOPES["at"], rtol=1e-9, atol=1e-12)
    assert_allclose(plain.curve["slope"], SLOPES["other"], rtol=1e-9, atol=1e-12)
    assert_allclose(plain.curve["p_value"], SLOPES["p"], rtol=1e-6, atol=1e-14)
    adjusted = np.array(SLOPES["adjusted"])  # p.adjust(p, "BH")
    for level in (0.9, 0.95, 0.99):
        found = johnson_neyman(
            result, "schavg", moderator="standLRT", span=span, control="fdr", conf_level=level
        )
        sure = found.curve["p_value"] <= found.alpha
        assert (sure.to_numpy() == (adjusted <= 1 - level)).all()
        assert found.alpha <= 1 - level


def test_discovery_level_where_nothing_is_found() -> None:
    assert discovery_level(np.array([0.4, 0.6, 0.9, 0.5]), 0.05) == 0.0125
    assert discovery_level(np.array([0.0, 0.0]), 0.05) == 0.05


def test_the_df_of_each_slope_are_used() -> None:
    data = dataset("exam")
    within, between = "within(standLRT, school)", "between(standLRT, school)"
    result = mixed(f"normexam ~ {within} * {between} + (1 + {within} | school)", data)
    found = johnson_neyman(result, between, moderator=within, span=(-6, 6))
    assert found.curve["df"].nunique() > 10
    assert len(found.boundaries) >= 1
    for boundary in found.boundaries:
        slope = simple_slopes(result, between, moderator=within, at=[boundary]).to_frame()
        assert_allclose(slope["p_value"], 0.05, rtol=1e-6)
    clustered = ols("normexam ~ standLRT * schavg", data, cluster="school")
    robust = johnson_neyman(clustered, "schavg", moderator="standLRT", data=data)
    assert robust.curve["df"].max() < 65
    for boundary in robust.boundaries:
        slope = simple_slopes(clustered, "schavg", moderator="standLRT", at=[boundary]).to_frame()
        assert_allclose(slope["p_value"], 0.05, rtol=1e-6)


def test_without_data_two_sds_either_side(engine: object) -> None:
    data = dataset("exam")
    result = ols(FORMULA, data)
    found = johnson_neyman(result, "schavg", moderator="standLRT")
    x = data["standLRT"]
    ends = [x.mean() - 2 * x.std(), x.mean() + 2 * x.std()]
    assert_allclose([found.regions["low"].iloc[0], found.regions["high"].iloc[-1]], ends, rtol=1e-8)
    assert "rows" not in found.regions
    text = found.summary()
    assert "tests at 0.05, each value for itself" in text
    assert "95 % band" in found.chart().to_svg()
    other = johnson_neyman(result, "schavg", moderator="standLRT", data=engine(data))  # type: ignore[operator]
    same = johnson_neyman(result, "schavg", moderator="standLRT", data=data)
    assert_allclose(other.regions["rows"], same.regions["rows"])


def test_mistakes_are_named() -> None:
    data = dataset("exam")
    result = ols("normexam ~ standLRT * sex + standLRT * schavg", data)
    with pytest.raises(NotSupportedError, match=r"of a factor.*Use simple_slopes"):
        johnson_neyman(result, "standLRT", moderator="sex")
    with pytest.raises(OptionError, match="control='holm'"):
        johnson_neyman(result, "standLRT", moderator="schavg", control="holm")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="a lower and a higher value"):
        johnson_neyman(result, "standLRT", moderator="schavg", span=(1, 0))
