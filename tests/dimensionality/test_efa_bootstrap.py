"""Bootstrap intervals of loadings: repeatable, aligned, as wide as they should be."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey.dimensionality import EfaResult, efa, given_correlations
from collabsurvey.errors import DataError, NotSupportedError, UnknownNameError
from collabsurvey.moments.resampled import resampler
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.responses import from_frame
from support import BFI_SCALES, dataset

HS1939 = [f"x{i}" for i in range(1, 10)]
SIMPLE = np.kron(np.eye(2), np.full((4, 1), 0.7))  # eight items, two factors
NAMES = [f"i{j}" for j in range(8)]


def pupils() -> pd.DataFrame:
    """Nine ability tests of 301 pupils."""
    return dataset("hs1939")[HS1939]


@cache
def booted(extraction: Any = "minres", rotation: Any = "oblimin", n_boot: int = 300) -> EfaResult:
    return efa(pupils(), n_factors=3, extraction=extraction, rotation=rotation, n_boot=n_boot)


def simulated(seed: int, n: int = 300, *, phi: float = 0.3) -> pd.DataFrame:
    """Answers of two correlated factors with four items each, loadings .7."""
    rng = np.random.default_rng(seed)
    factors = rng.multivariate_normal([0, 0], [[1, phi], [phi, 1]], n)
    noise = np.sqrt(0.51) * rng.standard_normal((n, 8))
    return pd.DataFrame(factors @ SIMPLE.T + noise, columns=NAMES)


def clustered(n_schools: int = 25, staff: int = 16) -> pd.DataFrame:
    """As above, but half of the factors' variance, and of the items' own, is between schools."""
    rng = np.random.default_rng(7)
    school = np.repeat(np.arange(n_schools), staff)

    def shared(k: int) -> FloatArray:
        between, within = rng.standard_normal((n_schools, k)), rng.standard_normal((len(school), k))
        return np.asarray(np.sqrt(0.5) * (between[school] + within))

    items = shared(2) @ SIMPLE.T + np.sqrt(0.51) * shared(8)
    return pd.DataFrame(items, columns=NAMES).assign(school=school)


def intervals(result: EfaResult) -> pd.DataFrame:
    assert result.intervals is not None
    return result.intervals


def test_one_row_a_loading_and_a_factor_correlation() -> None:
    result = booted()
    found = intervals(result)
    assert list(found.columns) == ["item", "factor", "estimate", "std_error", "ci_low", "ci_high"]
    assert len(found) == 9 * 3 + 3
    assert_allclose(found["estimate"][:27], result.loadings.to_numpy().ravel())
    assert found.iloc[27][["item", "factor"]].tolist() == ["F1", "F2"]
    assert_allclose(found["estimate"].iloc[27], result.factor_correlations.iloc[0, 1])
    assert result.n_boot == 300
    assert result.notes[-1] == "Intervals: 95% percentile limits of 300 resamples of respondents."
    assert (found["ci_low"] < found["ci_high"]).all()
    inside = found["estimate"].between(found["ci_low"], found["ci_high"])
    assert inside.mean() > 0.95
    width = (found["ci_high"] - found["ci_low"]) / found["std_error"]
    assert_allclose(width.median(), 2 * 1.96, rtol=0.05)
    # An orthogonal rotation has no factor correlations to speak of.
    assert len(intervals(booted(rotation="varimax"))) == 27


def test_resamples_repeat_with_their_seed() -> None:
    again = efa(pupils(), n_factors=3, n_boot=300)
    pd.testing.assert_frame_equal(intervals(again), intervals(booted()))
    other = efa(pupils(), n_factors=3, n_boot=300, seed=1)
    assert np.abs(intervals(other)["ci_low"] - intervals(booted())["ci_low"]).max() > 1e-4


@pytest.mark.parametrize("rotation", ["none", "varimax", "oblimin", "promax", "geomin", "bifactor"])
def test_factors_of_resamples_do_not_change_places_or_signs(rotation: Any) -> None:
    """A swap or a flip of some resamples would make standard errors of .5 and more."""
    result = booted(rotation=rotation)
    found = intervals(result)
    strong = found["estimate"].abs() > 0.5
    assert strong.sum() >= 6
    assert found.loc[strong, "std_error"].max() < 0.25
    if rotation in ("varimax", "oblimin", "promax"):
        assert found["std_error"].max() < 0.16
    assert result.n_boot > 0.95 * 300


def test_standard_errors_of_a_single_factor_are_those_of_theory() -> None:
    """Loadings of one factor by ml; Lawley & Maxwell's errors are those of the information."""
    rng = np.random.default_rng(5)
    n, loading = 2000, 0.7
    x = loading * rng.standard_normal((n, 1)) + np.sqrt(1 - loading**2) * rng.standard_normal(
        (n, 6)
    )
    result = efa(pd.DataFrame(x, columns=list("abcdef")), n_factors=1, extraction="ml", n_boot=1000)
    expected = information_errors(result.loadings["F1"].to_numpy(), n)
    # 1000 draws know an error to 2 %, 2000 answers their fourth moments to 5 %.
    assert_allclose(intervals(result)["std_error"], expected, rtol=0.12)


def information_errors(loadings: FloatArray, n: int) -> FloatArray:
    """Standard errors of standardised loadings of one factor, by the delta method."""
    p = len(loadings)
    lower = np.tril_indices(p, -1)

    def implied(values: FloatArray) -> FloatArray:
        return np.outer(values, values)[lower]

    slope = np.array(
        [
            (implied(loadings + 1e-6 * unit) - implied(loadings - 1e-6 * unit)) / 2e-6
            for unit in np.eye(p)
        ]
    ).T
    cor = np.outer(loadings, loadings)
    np.fill_diagonal(cor, 1.0)
    gamma = np.array(
        [
            [correlation_covariance(cor, i, j, k, m) for k, m in zip(*lower, strict=True)]
            for i, j in zip(*lower, strict=True)
        ]
    )
    information = slope.T @ np.linalg.inv(gamma) @ slope * n
    return np.asarray(np.sqrt(np.diag(np.linalg.inv(information))))


def correlation_covariance(r: FloatArray, i: int, j: int, k: int, m: int) -> float:
    """n times the covariance of r_ij and r_km of normal items (Pearson & Filon, 1898)."""
    return float(
        r[i, j] * r[k, m] * (r[i, k] ** 2 + r[i, m] ** 2 + r[j, k] ** 2 + r[j, m] ** 2) / 2
        + r[i, k] * r[j, m]
        + r[i, m] * r[j, k]
        - r[i, j] * (r[i, k] * r[i, m] + r[j, k] * r[j, m])
        - r[k, m] * (r[i, k] * r[j, k] + r[i, m] * r[j, m])
    )


def test_intervals_cover_the_truth() -> None:
    """150 samples of 300: 16 loadings and a factor correlation each, 95 % limits."""
    hits = []
    for seed in range(150):
        result = efa(simulated(seed), n_factors=2, n_boot=200, n_starts=2, seed=seed)
        found = intervals(result)
        values = result.loadings.to_numpy()
        order = [0, 1] if values[0, 0] > values[0, 1] else [1, 0]
        truth = np.append(SIMPLE[:, order].ravel(), 0.3)
        hits.append(found["ci_low"].to_numpy() <= truth)
        hits[-1] &= truth <= found["ci_high"].to_numpy()
    covered = np.array(hits)
    assert 0.88 < covered.mean() < 0.99
    assert covered.mean(axis=0).min() > 0.85


def test_clusters_drawn_together_widen_intervals() -> None:
    data = from_frame(clustered(), scales={"s": NAMES}, roles={"cluster": "school"})
    rows = efa(data, n_factors=2, n_boot=300, cluster=None)
    schools = efa(data, n_factors=2, n_boot=300)  # "auto" takes the role
    assert intervals(schools)["std_error"].mean() > 1.2 * intervals(rows)["std_error"].mean()
    assert "resamples of whole clusters (25 of 'school')." in schools.notes[-1]
    assert "resamples of respondents." in rows.notes[-1]
    by_name = efa(data, n_factors=2, n_boot=300, cluster="school")
    pd.testing.assert_frame_equal(intervals(by_name), intervals(schools))


def test_few_clusters_are_said() -> None:
    data = from_frame(clustered(6, 30), scales={"s": NAMES}, roles={"cluster": "school"})
    result = efa(data, n_factors=2, n_boot=100)
    assert "Only 6 clusters: the intervals are rough, and rather too short." in result.notes


def test_intervals_do_not_depend_on_the_engine(eager_engine: Any) -> None:
    result = efa(eager_engine(pupils()), n_factors=3, n_boot=300)
    numbers = ["estimate", "std_error", "ci_low", "ci_high"]
    assert_allclose(intervals(result)[numbers], intervals(booted())[numbers], atol=1e-6)


def test_lazy_engines_can_be_resampled(lazy_engine: Any) -> None:
    assert len(intervals(efa(lazy_engine(pupils()), n_factors=3, n_boot=100))) == 30


def test_principal_axes_have_the_intervals_of_minres() -> None:
    numbers = ["estimate", "std_error", "ci_low", "ci_high"]
    axes = intervals(booted(extraction="principal_axis"))[numbers]
    assert_allclose(axes, intervals(booted())[numbers], atol=1e-5)


def test_likelihood_leaves_out_resamples_without_an_inverse() -> None:
    """Twelve rows of nine items: some resamples have fewer different rows than items."""
    result = efa(pupils().iloc[::25], n_factors=1, extraction="ml", n_boot=200)
    assert result.n_boot < 200
    assert f"{200 - result.n_boot} resamples had no solution and are left out." in result.notes[-1]
    assert np.isfinite(intervals(result)["std_error"]).all()


def test_polychoric_correlations_are_resampled() -> None:
    items = [*BFI_SCALES["agree"][1:4], *BFI_SCALES["neuro"][:3]]
    frame = dataset("bfi")[items].dropna().head(300)
    result = efa(frame, n_factors=2, correlation="polychoric", n_boot=100, progress=False)
    found = intervals(result)
    assert result.n_boot > 90
    assert found["std_error"].max() < 0.15
    assert found["estimate"].between(found["ci_low"], found["ci_high"]).mean() > 0.95
    pearson = intervals(efa(frame, n_factors=2, n_boot=100))
    ratio = found["std_error"] / pearson["std_error"]
    assert 0.7 < ratio.median() < 1.4


def test_an_item_that_a_resample_lacks_the_variance_of() -> None:
    """One answer of 25 differs: a third of the resamples do not draw it."""
    frame = simulated(3, 25)[NAMES[:5]].round(1)
    frame["i4"] = [1.0] * 24 + [2.0]
    result = efa(frame, n_factors=1, n_boot=300)
    assert 150 < result.n_boot < 240
    far = efa(frame + 1e6, n_factors=1, n_boot=300)
    assert far.n_boot == result.n_boot


def test_weights_are_drawn_with_their_rows() -> None:
    frame = pupils().assign(w=1.0)
    even = efa(
        from_frame(frame, scales={"s": HS1939}, roles={"weight": "w"}), n_factors=3, n_boot=300
    )
    numbers = ["estimate", "std_error", "ci_low", "ci_high"]
    assert_allclose(intervals(even)[numbers], intervals(booted())[numbers], atol=1e-7)
    frame["w"] = np.random.default_rng(2).choice([0.1, 3.0], 301)
    uneven = from_frame(frame, scales={"s": HS1939}, roles={"weight": "w"})
    assert (
        intervals(efa(uneven, n_factors=3, n_boot=300))["std_error"].mean()
        > intervals(booted())["std_error"].mean()
    )


def test_two_stages_are_wider_than_one() -> None:
    """The shared resampler draws respondents within clusters, too: variance counted twice."""
    data = from_frame(clustered(), scales={"s": NAMES}, roles={"cluster": "school"})

    def spread(*, two_stage: bool) -> float:
        rows = resampler(data, NAMES, cluster="school", two_stage=two_stage, keyed=False)
        return float(np.concatenate(list(rows.covariances(400, seed=1))).std(axis=0).mean())

    assert spread(two_stage=True) > spread(two_stage=False)


def test_what_cannot_be_resampled() -> None:
    given = given_correlations(pupils().corr(), 301)
    with pytest.raises(DataError, match="A bootstrap needs answers"):
        efa(given, n_factors=3, n_boot=100)
    with pytest.raises(NotSupportedError, match="Use missing='listwise'"):
        efa(pupils(), n_factors=3, n_boot=100, missing="pairwise")
    with pytest.raises(UnknownNameError, match="no column 'school'"):
        efa(pupils(), n_factors=3, n_boot=100, cluster="school")
    one = from_frame(pupils().assign(s="a"), scales={"v": HS1939}, roles={"cluster": "s"})
    with pytest.raises(DataError, match="only one 's' with complete answers.*cluster=None"):
        efa(one, n_factors=3, n_boot=100)
    # Nine rows of eight items: hardly a resample has nine different rows, and an inverse.
    with pytest.raises(DataError, match="No resample could be factored"):
        efa(simulated(1, 9), n_factors=1, n_boot=100, extraction="ml")
