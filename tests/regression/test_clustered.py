"""Two ways of clustering against sandwich, Wald tests of contrasts against clubSandwich."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey.errors import (
    FewClustersWarning,
    NotEnoughDataError,
    OptionError,
    UnknownNameError,
)
from collabsurvey.numerics.cluster_robust import two_way_vcov
from collabsurvey.regression import compare, mixed, ols
from support import REFERENCE, dataset

RTOL = 1e-9  # closed forms; R prints 15 digits
PEERS = json.loads((REFERENCE / "guard_rails.json").read_text(encoding="utf-8"))["values"]
FORMULA = "attain ~ verbal + sex + social"


def two_way(**options: Any) -> Any:
    with pytest.warns(FewClustersWarning, match="19 clusters of second are few for two-way"):
        return ols(FORMULA, dataset("scotssec"), cluster=["primary", "second"], **options)


# sandwich's HC0 with cadjust is CR1, its HC1 CR1S, its HC2 and HC3 with cadjust are CR2 and CR3.
@pytest.mark.parametrize(
    ("cov", "key"),
    [("CR0", "HC0_plain"), ("CR1", "HC0"), ("CR1S", "HC1"), ("CR2", "HC2"), ("CR3", "HC3")],
)
def test_two_way_errors_match_sandwich(cov: str, key: str) -> None:
    result = two_way(cov=cov)
    assert_allclose(result.covariance, PEERS["two_way"][key], rtol=RTOL)
    assert result.fit["n_groups"] == {"primary": 148, "second": 19}
    assert (result.df == 18).all()


def test_two_way_defaults_and_words() -> None:
    result = two_way()
    assert_allclose(result.covariance, PEERS["two_way"]["HC1"], rtol=RTOL)
    text = result.summary()
    assert "3435 rows in 148 clusters of primary and 19 clusters of second" in text
    assert "two-way CR1S by primary (148 clusters) and second (19 clusters)" in text
    assert result.pieces is None
    found = result.wald("sex").iloc[0]
    assert_allclose(found["statistic"], result.estimates["statistic"][2] ** 2, rtol=1e-12)
    assert np.isinf(two_way(df_method="z").df).all()


def test_clusters_within_the_other_are_those_of_the_other_alone() -> None:
    data = dataset("exam")
    formula = "normexam ~ standLRT + schgend"
    with pytest.warns(FewClustersWarning, match="Enter vr as C"):
        result = ols(formula, data, cluster=["school", "vr"])
    assert_allclose(result.covariance, PEERS["negative"]["vcov"], rtol=RTOL)
    assert any("Every cluster of school lies within one of vr" in note for note in result.notes)


def test_a_negative_eigenvalue_is_set_to_zero_and_said() -> None:
    first, second, both = np.diag([2.0, 1]), np.diag([1.0, 1]), np.diag([1.0, 3])
    found, mended = two_way_vcov(first, second, both)
    assert mended
    assert_allclose(found, np.diag([2.0, 0]), atol=1e-12)
    found, mended = two_way_vcov(first, second, np.eye(2))
    assert not mended
    assert_allclose(found, np.diag([2.0, 1]))
    rng = np.random.default_rng(2)
    rows = np.arange(36)
    data = pd.DataFrame({"a": rows % 6, "b": rows // 6, "x": rng.normal(size=36)})
    data["y"] = rng.normal(size=36)
    for name in ("a", "b"):  # residuals that cancel in both directions
        data["y"] -= data.groupby(name)["y"].transform("mean")
    data["x"] = 1.0 + (rows % 2)
    with pytest.warns(FewClustersWarning):
        result = ols("y ~ 1", data, cluster=["a", "b"])
    assert any("eigenvalue below zero, which was set to zero" in note for note in result.notes)
    assert result.covariance[0, 0] >= 0


def test_two_ways_of_clustering_swap_and_are_compared() -> None:
    data = dataset("scotssec")
    one = two_way()
    with pytest.warns(FewClustersWarning):
        other = ols(FORMULA, data, cluster=("second", "primary"))
    assert_allclose(one.covariance, other.covariance, rtol=1e-12)
    single = ols(FORMULA, data, cluster=["primary"])
    assert_allclose(single.covariance, ols(FORMULA, data, cluster="primary").covariance, rtol=1e-14)
    assert "two-way" not in compare([single]).summary()


@pytest.mark.parametrize(
    ("cluster", "options", "error", "sentence"),
    [
        (["school", "school"], {}, OptionError, "two different columns"),
        (["school", "vr", "sex"], {}, OptionError, "two different columns"),
        ([], {}, OptionError, "left out"),
        (["school", "one"], {}, NotEnoughDataError, "at least 2 clusters in 'one'"),
        (["school", "vr"], {"cov": "CR1p"}, OptionError, "cov='CR1p'"),
        (["school", "vr"], {"df_method": "satterthwaite"}, OptionError, "df_method"),
        (["school", "vrr"], {}, UnknownNameError, "Did you mean 'vr'"),
    ],
)
def test_mistakes_are_named(
    cluster: Any, options: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        ols("normexam ~ standLRT", dataset("exam").assign(one=1), cluster=cluster, **options)


def test_wald_tests_of_contrasts_match_clubsandwich() -> None:
    result = ols("normexam ~ standLRT + schgend + intake", dataset("exam"), cluster="school")
    first = {"schgendgirls": 1, "schgendmixed": -1}
    second = {"intakemid 50%": 1, "intaketop 25%": -1}
    for contrasts, key in ((first, "one"), ([first, second], "contrast")):
        found, expected = result.wald(contrasts).iloc[0], PEERS["wald"][key]
        assert_allclose(found["statistic"], expected["F"], rtol=RTOL)
        assert found["df1"] == expected["df1"]
        assert_allclose(found["df2"], expected["df2"], rtol=RTOL)
        assert_allclose(found["p_value"], expected["p"], rtol=1e-8)
    with pytest.raises(UnknownNameError, match="no term 'schgendboys'"):
        result.wald({"schgendboys": 1})
    with pytest.raises(OptionError, match="none follows from the others"):
        result.wald([first, {"schgendgirls": -2, "schgendmixed": 2}])


def test_a_contrast_of_a_mixed_model_is_the_square_of_its_t() -> None:
    data = dataset("exam")
    result = mixed("normexam ~ standLRT + schgend + (1 | school)", data)
    found = result.wald({"schgendgirls": 1, "schgendmixed": -1}).iloc[0]
    data["schgend"] = data["schgend"].replace("mixed", "a")  # the reference instead of boys
    row = mixed("normexam ~ standLRT + schgend + (1 | school)", data).estimates.iloc[3]
    assert row["term"] == "schgendgirls"
    assert_allclose(found["statistic"], row["statistic"] ** 2, rtol=1e-6)
    assert_allclose(found["df2"], row["df"], rtol=1e-4)


def test_clusters_of_single_rows_are_named() -> None:
    data = dataset("exam").head(60).assign(row=lambda d: np.arange(60).astype(str))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewClustersWarning)
        result = ols("normexam ~ standLRT", data, cluster="row")
    assert any("Every cluster of row is a single row" in note for note in result.notes)
    hc2 = ols("normexam ~ standLRT", data, cov="HC2")
    assert_allclose(result.covariance, hc2.covariance, rtol=1e-10)
