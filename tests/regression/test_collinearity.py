"""Variance inflation against car, condition numbers, and the sentences."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey.errors import DataError, NotEnoughDataError
from collabsurvey.regression import mixed, ols
from collabsurvey.regression.collinearity import collinearity
from support import REFERENCE, dataset

PEERS = json.loads((REFERENCE / "guard_rails.json").read_text(encoding="utf-8"))["values"]["vif"]
FORMULA = "normexam ~ standLRT + schavg + schgend + intake"


def together(seed: int = 1, sign: float = 1.0) -> pd.DataFrame:
    """Trust and culture that go together, in 40 schools."""
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(40), 10)
    trust = rng.normal(size=400)
    culture = sign * trust + 0.4 * rng.normal(size=400)
    y = trust + 0.5 * rng.normal(size=40)[school] + rng.normal(size=400)
    return pd.DataFrame(
        {"y": y, "trust": trust, "culture": culture, "z": rng.normal(size=400), "school": school}
    )


def test_vif_of_factors_matches_car() -> None:
    data = dataset("exam")
    result = collinearity(ols(FORMULA, data, cluster="school"))
    linear, of_mixed = np.array(PEERS["linear"]), np.array(PEERS["mixed"])
    assert result.terms["term"].tolist() == ["standLRT", "schavg", "schgend", "intake"]
    assert_allclose(result.terms["vif"], linear[:, 0], rtol=1e-9)
    assert result.terms["n_columns"].tolist() == linear[:, 1].tolist()
    assert_allclose(result.terms["error_times"], linear[:, 2], rtol=1e-9)
    # car takes the covariance at lme4's optimum, which agrees to six digits
    found = collinearity(mixed(f"{FORMULA} + (1 | school)", data)).terms
    assert_allclose(found["vif"], of_mixed[:, 0], rtol=1e-6)


def test_condition_number_is_that_of_the_scaled_columns() -> None:
    data = dataset("exam")
    result = collinearity(ols(FORMULA, data))
    assert_allclose(result.condition_number, PEERS["condition"][-1], rtol=1e-8)
    shifted = data.assign(standLRT=data["standLRT"] + 100)
    moved = collinearity(ols(FORMULA, shifted))
    assert_allclose(moved.condition_centred, result.condition_centred, rtol=1e-6)
    assert moved.condition_number > 100
    assert any("The condition number is" in note for note in moved.notes)


def test_the_weights_and_clusters_of_errors_do_not_matter() -> None:
    data = together()
    one = collinearity(ols("y ~ trust + culture + z", data)).terms
    for cov in ("CR0", "CR2"):
        other = ols("y ~ trust + culture + z", data, cluster="school", cov=cov)  # type: ignore[arg-type]
        pd.testing.assert_frame_equal(collinearity(other).terms, one, rtol=1e-9)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_two_conditions_that_go_together_are_told_in_words(sign: float) -> None:
    data = together(sign=sign)
    result = collinearity(ols("y ~ trust + culture + z", data, cluster="school"))
    (sentence,) = result.sentences
    r = np.corrcoef(data["trust"], data["culture"])[0, 1]
    assert f"r = {r:.2f}".replace("-", "−") in sentence
    assert sentence.startswith(("trust and culture go together", "culture and trust go together"))
    assert "Together they can be read: one SD more" in sentence
    assert ("and less of" in sentence) == (sign < 0)
    # both at once, one sd each, as a refit on their sum and difference says it
    scaled = data.assign(
        a=(data["trust"] / data["trust"].std() + sign * data["culture"] / data["culture"].std())
        / 2,
        b=(data["trust"] / data["trust"].std() - sign * data["culture"] / data["culture"].std())
        / 2,
    )
    direct = ols("y ~ a + b + z", scaled, cluster="school").estimates
    words = f"{direct['estimate'][1]:.2f} (95 % interval {direct['ci_low'][1]:.2f} to"
    starts_with_trust = sentence.startswith("trust")
    if sign > 0 or starts_with_trust:
        assert words.replace("-", "−") in sentence
    apart = (direct["ci_high"][2] - direct["ci_low"][2]) / 2
    assert f"± {apart:.2f}." in sentence
    assert "O'Brien" in result.summary()
    assert "trust" in result.chart().to_svg()


def test_a_term_that_follows_from_several_and_terms_that_stand_apart() -> None:
    data = together()
    rng = np.random.default_rng(5)
    parts = {f"p{i}": rng.normal(size=400) for i in range(4)}
    data = data.assign(**parts)
    data["total"] = sum(parts.values()) + 0.3 * rng.normal(size=400)
    result = collinearity(ols("y ~ p0 + p1 + p2 + p3 + total", data))
    assert any(
        s.startswith("total follows nearly from the other terms together") for s in result.sentences
    )
    apart = collinearity(ols("y ~ trust + z", data))
    assert apart.sentences[0].startswith("No term's error is more than 2.2 times")


def test_interactions_are_told_of() -> None:
    data = dataset("exam")
    result = collinearity(ols("normexam ~ standLRT * schavg", data))
    assert any("write center()" in note for note in result.notes)


def test_what_has_no_inflation_is_refused() -> None:
    data = dataset("exam")
    with pytest.raises(NotEnoughDataError, match="at least 2 terms; there are 1"):
        collinearity(ols("normexam ~ standLRT", data))
    with pytest.raises(DataError, match="it has no intercept"):
        collinearity(ols("normexam ~ 0 + standLRT + schavg", data))
