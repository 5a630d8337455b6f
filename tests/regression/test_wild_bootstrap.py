"""The wild cluster bootstrap against the same by brute force over the rows."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey.errors import (
    DataError,
    FewClustersWarning,
    NotSupportedError,
    OptionError,
    UnknownNameError,
)
from collabsurvey.numerics.wild_bootstrap import all_signs, random_signs
from collabsurvey.regression import LinearResult, mixed, ols
from collabsurvey.regression.wild_bootstrap import wild_bootstrap
from support import dataset


def few_schools(n_clusters: int = 8, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(n_clusters), rng.integers(4, 20, n_clusters))
    x = rng.normal(size=len(school)) + rng.normal(size=n_clusters)[school]
    data = pd.DataFrame({"school": school, "x": x, "z": rng.normal(size=n_clusters)[school]})
    data["w"] = rng.uniform(0.5, 2, len(school))
    data["y"] = 0.3 * x + rng.normal(size=n_clusters)[school] + rng.normal(size=len(school))
    return data


def fitted(data: pd.DataFrame, **options: str) -> LinearResult:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewClustersWarning)
        return ols("y ~ x + z", data, cluster="school", **options)  # type: ignore[arg-type]


def brute_force(data: pd.DataFrame, weights: bool = False) -> Callable[[int, float], float]:
    """The p-value over all signs: refits every draw to the rows."""
    root = np.sqrt(data["w"].to_numpy()) if weights else np.ones(len(data))
    x = np.column_stack((np.ones(len(data)), data["x"], data["z"])) * root[:, None]
    y, school = data["y"].to_numpy() * root, data["school"].to_numpy()
    bread, groups = np.linalg.inv(x.T @ x), np.unique(school)

    def statistic(outcome: np.ndarray, j: int, null: float) -> float:
        b = bread @ x.T @ outcome
        e = outcome - x @ b
        scores = np.array([x[school == g].T @ e[school == g] for g in groups])
        vcov = bread @ scores.T @ scores @ bread * len(groups) / (len(groups) - 1)
        return float((b[j] - null) / np.sqrt(vcov[j, j]))

    def p_value(j: int, null: float) -> float:
        kept = [k for k in range(3) if k != j]
        b = np.linalg.lstsq(x[:, kept], y - null * x[:, j], rcond=None)[0]
        fit = x[:, kept] @ b + null * x[:, j]
        place = np.searchsorted(groups, school)
        signs = itertools.product((-1.0, 1.0), repeat=len(groups))
        draws = [statistic(fit + np.array(v)[place] * (y - fit), j, null) for v in signs]
        return float(np.mean(np.abs(draws) >= abs(statistic(y, j, null)) * (1 - 1e-9)))

    return p_value


@pytest.mark.parametrize("weights", [False, True])
def test_all_signs_give_the_p_value_of_brute_force(weights: bool) -> None:
    data = few_schools()
    result = fitted(data, **({"weights": "w"} if weights else {}))
    expected = brute_force(data, weights)
    for j, term in ((1, "x"), (2, "z")):
        for null in (0.0, 0.2):
            found = wild_bootstrap(result, term, null=null, weights="rademacher")
            assert found.enumerated
            assert found.n_boot == 256
            assert_allclose(found.p_value, expected(j, null), rtol=1e-12)


def test_the_interval_inverts_the_test() -> None:
    data = few_schools()
    result = fitted(data)
    found = wild_bootstrap(result, "x", weights="rademacher", conf_level=0.9)
    expected = brute_force(data)
    step = 1e-6
    assert expected(1, found.ci_low - step) <= 0.1 < expected(1, found.ci_low + step)
    assert expected(1, found.ci_high + step) <= 0.1 < expected(1, found.ci_high - step)
    assert wild_bootstrap(result, "x", weights="rademacher", null=found.estimate).p_value == 1


def test_the_covariance_and_df_of_the_model_do_not_matter() -> None:
    data = few_schools()
    one = wild_bootstrap(fitted(data), "x")
    other = wild_bootstrap(fitted(data, cov="CR0", df_method="z"), "x")
    assert_allclose(one.p_value, other.p_value)
    assert_allclose(one.ci_low, other.ci_low, rtol=1e-9)
    cr1 = fitted(data, cov="CR1").estimates["statistic"][1]
    assert_allclose(one.statistic, cr1, rtol=1e-10)


def test_random_draws_repeat_and_agree_with_all_of_them() -> None:
    data = few_schools(12)
    result = fitted(data)
    exact = wild_bootstrap(result, "x")
    assert exact.enumerated
    assert exact.n_boot == 4096
    webb = wild_bootstrap(result, "x", weights="webb", n_boot=4999)
    assert webb.weights == "webb"
    # a binomial error of 4999 draws, and weights of another distribution with the same moments
    assert abs(webb.p_value - exact.p_value) < 0.02
    assert wild_bootstrap(result, "x", weights="webb", n_boot=4999).p_value == webb.p_value
    assert wild_bootstrap(result, "x", weights="webb", n_boot=4999, seed=1).p_value != webb.p_value


def test_many_clusters_agree_with_cr2() -> None:
    result = ols("normexam ~ standLRT + schavg", dataset("exam"), cluster="school")
    found = wild_bootstrap(result, "schavg", n_boot=1999)
    assert found.weights == "rademacher"
    assert not found.enumerated
    row = result.estimates.iloc[2]
    assert_allclose([found.ci_low, found.ci_high], [row["ci_low"], row["ci_high"]], atol=0.03)
    assert abs(found.p_value - row["p_value"]) < 0.01  # two approximations of one probability
    assert_allclose(found.to_frame()["ci_low"], [found.ci_low, row["ci_low"]])
    text = found.summary()
    assert "1999 draws of Rademacher weights, 65 clusters" in text
    assert "schavg" in found.chart().to_svg()


def test_weights_have_mean_zero_and_variance_one() -> None:
    for kind in ("rademacher", "webb"):
        v = np.concatenate(list(random_signs(5, 40_000, kind, seed=1)))  # type: ignore[arg-type]
        assert v.shape == (40_000, 5)
        assert_allclose(v.mean(), 0, atol=0.01)
        assert_allclose(v.var(), 1, atol=0.01)
    (signs,) = all_signs(4)
    assert len(np.unique(signs, axis=0)) == 8
    assert (signs[:, 0] == 1).all()


def test_very_few_clusters_are_told() -> None:
    result = fitted(few_schools(5))
    assert wild_bootstrap(result, "x", n_boot=199).weights == "webb"
    found = wild_bootstrap(result, "x", weights="rademacher")
    assert found.p_value >= 0.0625
    assert any("smallest possible p is 0.062" in note for note in found.notes)
    assert np.isinf(found.ci_low)
    assert any("no bound" in note for note in found.notes)


def test_mistakes_are_named() -> None:
    data = few_schools()
    result = fitted(data)
    with pytest.raises(UnknownNameError, match="no coefficient 'X'"):
        wild_bootstrap(result, "X")
    with pytest.raises(OptionError, match="weights='mammen'"):
        wild_bootstrap(result, "x", weights="mammen")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="99 or more"):
        wild_bootstrap(result, "x", n_boot=9)
    with pytest.raises(NotSupportedError, match="without one way of clustering"):
        wild_bootstrap(ols("y ~ x", data), "x")
    with pytest.raises(NotSupportedError):
        wild_bootstrap(mixed("y ~ x + (1 | school)", data), "x")  # type: ignore[arg-type]
    data["own"] = (data["school"] == 2).astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewClustersWarning)
        alone = ols("y ~ x + own", data, cluster="school")
    with pytest.raises(DataError, match="'own' rests on a single cluster of school"):
        wild_bootstrap(alone, "own")
