"""Guttman's bounds against psych and formulas; what must hold; intervals; bad input."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.errors import (
    DataError,
    FewClustersWarning,
    KeyingWarning,
    NotEnoughItemsError,
    NotSupportedError,
    NoVarianceError,
    OptionError,
)
from collabsurvey.numerics.glb import greatest_lower_bound
from collabsurvey.numerics.lower_bounds import FORMULAS, lower_bounds
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.reliability.alpha import alpha
from collabsurvey.reliability.guttman import WORDS, guttman
from collabsurvey.responses import Responses, from_frame
from support import BFI_REVERSED, BFI_SCALES, dataset, gold

Engine = Callable[[pd.DataFrame], Any]
RTOL = 1e-8  # closed forms; the stored values have 15 digits
GOLD = gold("02_reliability")
PSYCH = {
    "lambda1": "lambda.1",
    "lambda2": "lambda.2",
    "lambda3": "lambda.3",
    "lambda5": "lambda.5",
    "lambda5_plus": "lambda.5p",
    "lambda6": "lambda.6",
    "theta": "alpha.pc",
}


def as_is(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


def bfi(engine: Engine = as_is, **options: object) -> Responses:
    return from_frame(
        engine(dataset("bfi")),
        scales=BFI_SCALES,
        **{"reverse_keyed": BFI_REVERSED, "response_range": (1, 6), **options},
    )


def schools(n_schools: int = 20, staff: int = 15, k: int = 6, seed: int = 1) -> pd.DataFrame:
    """Items of one factor that schools share in part."""
    generator = np.random.default_rng(seed)
    school = np.repeat(np.arange(n_schools), staff)
    factor = 0.5 * generator.standard_normal(n_schools)[school]
    factor += generator.standard_normal(len(school))
    answers = 0.7 * factor[:, None] + 0.7 * generator.standard_normal((len(school), k))
    return pd.DataFrame(answers, columns=[f"i{j}" for j in range(k)]).assign(school=school)


def in_schools(frame: pd.DataFrame) -> Responses:
    items = [name for name in frame if name != "school"]
    return from_frame(frame, scales={"s": items}, roles={"cluster": "school"})


def random_covariances(k: int, seed: int) -> FloatArray:
    root = np.random.default_rng(seed).standard_normal((k, 3 * k))
    return np.asarray(root @ root.T + 2 * np.ones((k, k)))


@pytest.mark.parametrize("scale", BFI_SCALES)
def test_bounds_from_covariances_match_the_formulas(engine: Engine, scale: str) -> None:
    expected = GOLD[f"guttman_bfi_{scale}"]["values"]
    found = guttman(bfi(engine), scale)
    for name in ("lambda1", "lambda2", "lambda3", "lambda6"):
        assert_allclose(getattr(found, name), expected[f"{name}_cov"], rtol=RTOL)
    assert_allclose(found.alpha, alpha(bfi(), scale).estimate, rtol=1e-12)


@pytest.mark.parametrize("scale", BFI_SCALES)
def test_bounds_from_correlations_match_psych(scale: str) -> None:
    expected = GOLD[f"guttman_bfi_{scale}"]["values"]["psych_from_cor"]
    found = guttman(bfi(), scale, standardised=True)
    for ours, theirs in PSYCH.items():
        assert_allclose(getattr(found, ours), expected[theirs], rtol=RTOL, err_msg=ours)
    series = [found.lambda3, found.lambda2, found.mu2, found.mu3]
    assert_allclose(series, list(expected["tenberge"].values()), rtol=RTOL)
    # psych tries only half of the splits of an odd number of items.
    assert found.lambda4 >= expected["lambda.4"] - 1e-12
    assert found.split_half_worst <= expected["beta"] + 1e-12
    assert (found.n_splits, found.all_splits) == (10, True)


def test_every_number_names_its_formula() -> None:
    frame = guttman(bfi(), "agree").to_frame()
    assert frame["formula"].str.len().min() > 20
    assert set(FORMULAS) < set(frame["coefficient"])
    lambda2 = frame.set_index("coefficient").loc["lambda2", "formula"]
    assert lambda2.startswith("(ΣΣ c + √(k/(k−1) ΣΣ c²)) / ΣΣ C")


@given(seed=st.integers(0, 10_000), k=st.integers(3, 9))
def test_bounds_are_in_their_order(seed: int, k: int) -> None:
    cov = random_covariances(k, seed)[None]
    found = {name: float(value[0]) for name, value in lower_bounds(cov).items()}
    highest = float(greatest_lower_bound(cov).glb[0]) + 1e-7
    assert abs(found["lambda1"]) <= abs(found["lambda3"])
    series = [found[name] for name in ("lambda3", "lambda2", "mu2", "mu3")]
    assert all(b >= a - 1e-12 for a, b in pairwise(series))
    for name in ("mu3", "lambda5", "lambda6"):
        assert found[name] <= highest


@given(seed=st.integers(0, 10_000))
def test_bounds_do_not_depend_on_order_or_unit(seed: int) -> None:
    cov = random_covariances(5, seed)
    order = np.random.default_rng(seed).permutation(5)
    first = lower_bounds(cov[None])
    second = lower_bounds(9 * cov[np.ix_(order, order)][None])
    for name, value in first.items():
        assert_allclose(second[name], value, rtol=1e-9, err_msg=name)


def test_tau_equivalent_items_make_bounds_equal() -> None:
    cov = np.full((6, 6), 0.5) + np.diag([0.5] * 6)
    found = lower_bounds(cov[None])
    for name in ("lambda2", "lambda3", "mu2", "mu3"):
        assert_allclose(found[name], 6 * 0.5 / (1 + 5 * 0.5), rtol=1e-12)


def test_intervals_on_request_by_bootstrap_and_jackknife() -> None:
    plain = guttman(bfi(), "agree").to_frame()
    assert plain[["ci_low", "ci_high"]].isna().all(axis=None)
    boot = guttman(bfi(), "agree", ci="bootstrap", n_boot=500)
    jack = guttman(bfi(), "agree", ci="jackknife").to_frame()
    frame = boot.to_frame()
    assert (frame["ci_low"] < frame["estimate"]).all()
    assert (frame["estimate"] < frame["ci_high"]).all()
    smooth = ["lambda1", "lambda2", "lambda3", "lambda6", "mu2", "theta"]
    a, b = (x.set_index("coefficient").loc[smooth] for x in (frame, jack))
    # Noise of 500 resamples at the tails, and rows jackknifed in 200 groups.
    assert_allclose(a[["ci_low", "ci_high"]], b[["ci_low", "ci_high"]], atol=0.008)
    assert any("bca bootstrap of single rows, 500 resamples" in note for note in boot.notes)
    again = guttman(bfi(), "agree", ci="bootstrap", n_boot=500).to_frame()
    pd.testing.assert_frame_equal(frame, again)


def test_intervals_draw_schools_where_they_are_known() -> None:
    few = schools(staff=2)
    frame = few.loc[few.index.repeat(10)]  # ten colleagues who think exactly alike
    clustered = guttman(in_schools(frame), "s", ci="jackknife")
    independent = guttman(in_schools(frame), "s", ci="jackknife", cluster=None)
    assert (clustered.n_clusters, independent.n_clusters) == (20, None)
    wide, narrow = (x.to_frame()["std_error"] for x in (clustered, independent))
    assert (wide > 2 * narrow).all()


def test_few_schools_get_the_jackknife_and_a_warning() -> None:
    with pytest.warns(FewClustersWarning, match="Only 4 clusters"):
        result = guttman(in_schools(schools(n_schools=4)), "s", ci="auto")
    assert result.ci_method == "jackknife"
    with pytest.raises(DataError, match="at least 5 clusters of 'school'; there are 4"):
        guttman(in_schools(schools(n_schools=4)), "s", ci="bootstrap")


def test_copies_of_an_item_and_few_rows_are_said() -> None:
    frame = schools().assign(copy=lambda x: x["i0"]).drop(columns="school")
    result = guttman(from_frame(frame, scales={"s": list(frame)}), "s")
    assert any("singular (copies or exact sums of other items)" in note for note in result.notes)
    assert result.lambda6 < 1
    few = schools(k=8).drop(columns="school").head(6)
    result = guttman(from_frame(few, scales={"s": list(few)}), "s")
    assert any("6 rows cannot tell 8 items apart" in note for note in result.notes)
    assert_allclose(result.lambda6, 1, atol=1e-8)


def test_an_indefinite_pairwise_matrix_is_smoothed_and_said() -> None:
    frame = pd.DataFrame(np.random.default_rng(3).standard_normal((60, 3)), columns=list("abc"))
    frame["b"] = frame["a"] + 0.1 * frame["b"]
    frame.loc[:19, "c"] = frame.loc[:19, "a"]
    frame.loc[20:39, "c"] = -frame.loc[20:39, "b"]
    frame.loc[:19, "b"] = np.nan
    frame.loc[20:39, "a"] = np.nan
    frame.loc[40:, "c"] = np.nan
    frame["d"] = np.random.default_rng(4).standard_normal(60) + frame["a"].fillna(0)
    responses = from_frame(frame, scales={"s": list("abcd")})
    result = guttman(responses, "s", missing="pairwise")
    assert any("not positive semidefinite (smallest eigenvalue −" in note for note in result.notes)
    assert np.linalg.eigvalsh(result.matrix)[0] > -1e-9
    with pytest.raises(NotSupportedError, match="from pairwise covariances"):
        guttman(responses, "s", missing="pairwise", ci="bootstrap")


def test_negative_alpha_is_a_number() -> None:
    frame = pd.DataFrame(np.random.default_rng(3).standard_normal((80, 3)), columns=list("abc"))
    frame["b"] = frame["b"] - 0.5 * frame["a"]
    with pytest.warns(KeyingWarning, match="negatively"):
        result = guttman(from_frame(frame, scales={"s": list("abc")}), "s")
    assert result.alpha < 0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"ci": "feldt"}, "ci='feldt' is not possible"),
        ({"bootstrap": "studentised"}, "bootstrap='studentised' is not possible"),
        ({"n_boot": 10}, "n_boot=10 is not possible"),
        ({"conf_level": 95}, "conf_level=95 is not possible"),
        ({"missing": "fiml"}, "missing='fiml' is not possible"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        guttman(bfi(), "agree", **options)


def test_bad_scales_are_refused() -> None:
    with pytest.raises(NotEnoughItemsError, match="needs at least 2 items"):
        guttman(bfi(), ["A1"])
    with pytest.raises(NotEnoughItemsError, match="needs at least 3 items"):
        guttman(bfi(), ["A2", "A3"])
    frame = schools().assign(i0=1.0)
    with pytest.raises(NoVarianceError, match="item 'i0'"):
        guttman(in_schools(frame), "s")


def test_summary_and_chart() -> None:
    result = guttman(bfi(), "agree")
    text = result.summary()
    assert text.startswith("Lower bounds to the reliability of agree, from covariances\n")
    assert (
        "lambda 2                           0.71  (ΣΣ c + √(k/(k−1) ΣΣ c²)) / ΣΣ C (Guttman, 1945)"
        in text
    )
    assert text.endswith("Note. All 10 splits of 5 items into halves.")
    described = result.chart().description
    assert all(f"{words} " in described for words in WORDS.values())
    assert "_" not in "".join(result.table().columns["coefficient"])  # type: ignore[arg-type]
    assert "bias" in guttman(bfi(), "agree", ci="bootstrap", n_boot=100).summary()


def test_frame_says_what_it_is_of() -> None:
    found = guttman(bfi(), "agree", ci="jackknife", conf_level=0.9)
    frame = found.to_frame()
    assert frame.columns[-4:].tolist() == ["scale", "n_respondents", "conf_level", "ci_method"]
    assert frame.iloc[3, -4:].tolist() == ["agree", found.n_respondents, 0.9, "jackknife"]
