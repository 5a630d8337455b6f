"""How many factors, all methods in one result: against psych, what must hold, what is refused.

The methods have their own tests under how_many; here their numbers are those of the result.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from collabsurvey.dimensionality import (
    RetentionResult,
    given_correlations,
    polychoric,
    retention,
)
from collabsurvey.errors import (
    DataError,
    NotEnoughDataError,
    NotEnoughItemsError,
    OptionError,
)
from collabsurvey.responses import from_frame
from support import BFI_SCALES, dataset, gold

mpl.use("Agg")

GOLD = gold("04_efa")
BFI25 = [f"{scale}{i}" for scale in "ACENO" for i in range(1, 6)]
HS1939 = [f"x{i}" for i in range(1, 10)]
DATA = ("bfi25", "hs1939")
RTOL = 1e-8  # closed forms; the stored values have 15 digits


@cache
def answers(name: str) -> pd.DataFrame:
    """Answers, not to be changed."""
    return dataset("bfi")[BFI25] if name == "bfi25" else dataset("hs1939")[HS1939]


@cache
def overview(name: str) -> RetentionResult:
    """All methods; comparison data for the small set only."""
    return retention(answers(name), n_draws=200, compare=name == "hs1939")


# The stored results of psych


@pytest.mark.parametrize("name", DATA)
def test_adequacy_matches_psych(name: str) -> None:
    expected = GOLD[f"kmo_bartlett_{name}"]["values"]
    result = overview(name)
    assert result.n == expected["n"]
    assert_allclose(result.kmo, expected["MSA"], rtol=RTOL)
    assert_allclose(result.kmo_items.loc[list(expected["MSAi"])], list(expected["MSAi"].values()))
    bartlett = expected["bartlett"]
    assert_allclose(result.bartlett["chi2"], bartlett["chisq"], rtol=RTOL)
    assert result.bartlett["df"] == bartlett["df"]
    assert_allclose(result.bartlett["p_value"], bartlett["p.value"], rtol=1e-6)
    assert result.bartlett["log_p"] < -300
    assert_allclose(result.determinant, expected["det"], rtol=RTOL)


@pytest.mark.parametrize("name", DATA)
def test_eigenvalues_and_parallel_analysis_match_psych(name: str) -> None:
    expected = GOLD[f"parallel_eigen_{name}"]["values"]
    result = overview(name)
    assert_allclose(result.eigenvalues, expected["pc_values"], rtol=RTOL)
    assert_allclose(result.parallel["component"], expected["pc_values"], rtol=RTOL)
    # psych's minres of one factor stops 1e-6 before its minimum: see how_many/test_parallel.
    assert_allclose(result.parallel["factor"], expected["fa_values"], atol=1e-6)
    assert result.suggestions["parallel_components"] == expected["ncomp"]
    assert result.suggestions["parallel_factors"] == expected["nfact"]
    # Means of its 50 normal samples, and of our 200: four standard errors of the difference,
    # where the 95 % quantile is 1.645 standard deviations above the mean.
    for column, theirs in (("component", "pc_sim_mean_or_quantile"), ("factor", "fa_sim")):
        mean = result.parallel[f"{column}_mean"]
        sd = (result.parallel[f"{column}_reference"] - mean) / 1.645
        error = sd * np.sqrt(1 / 50 + 1 / 200)
        assert ((mean - expected[theirs]).abs() < 4 * error).all()


@pytest.mark.parametrize("name", DATA)
def test_map_and_fit_by_number_of_factors_match_psych(name: str) -> None:
    expected = GOLD[f"map_vss_{name}"]["values"]
    result = overview(name)
    assert_allclose(result.map.iloc[1:9], expected["map"], rtol=RTOL)  # psych starts at 1
    assert result.suggestions["map"] == expected["min_map_at"]
    fits = result.vss
    k = len(fits)
    assert k == sum(df >= 0 for df in expected["dof"])
    assert fits["df"].tolist() == expected["dof"][:k]
    # psych stops early, and at the bound of a unique variance short of the minimum: where that
    # shows, how_many/test_vss compares with R run to the end.
    regular = 8 if name == "bfi25" else 3
    for ours, theirs in (("chi2", "chisq"), ("bic", "BIC"), ("sabic", "SABIC"), ("rmsea", "RMSEA")):
        stored = np.array(expected[theirs][:regular], dtype=float)
        assert_allclose(fits[ours].iloc[:regular], stored, rtol=1e-4)
    # Its varimax stops early: VSS of many factors is up to .02 away.
    for ours in ("vss1", "vss2"):
        first = 1 if ours == "vss2" else 0
        stored = np.array(expected[ours][first:k], dtype=float)
        assert_allclose(fits[ours].iloc[first:], stored, atol=0.02)
        assert_allclose(fits[ours].iloc[first:5], stored[: 5 - first], atol=5e-4)


# What must hold


def test_methods_agree_on_three_factors_of_the_ability_tests() -> None:
    result = overview("hs1939")
    assert result.suggestions["comparison_data"] == 3
    assert result.suggestions["ekc"] == 3
    assert result.suggested == (3,)
    assert result.p_comparison is not None
    assert result.p_comparison.index.tolist() == list(range(1, len(result.p_comparison) + 1))
    assert "Methods say 2 to 3, most often 3." in result.reading()
    assert result.items == tuple(HS1939)


def test_the_seed_decides() -> None:
    first = retention(answers("hs1939"), n_draws=50, compare=False, seed=1)
    again = retention(answers("hs1939"), n_draws=50, compare=False, seed=1)
    other = retention(answers("hs1939"), n_draws=50, compare=False, seed=2)
    pd.testing.assert_frame_equal(first.parallel, again.parallel)
    assert (first.parallel["component_mean"] != other.parallel["component_mean"]).any()
    assert_allclose(first.parallel["component"], other.parallel["component"])


@given(seed=st.integers(0, 2**31))
@settings(max_examples=6)
def test_order_and_unit_of_items_and_order_of_rows_do_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frame = answers("hs1939").sample(frac=1, random_state=int(rng.integers(1000)))
    moved = (frame * rng.choice([-1, 1], 9) * rng.uniform(0.1, 9, 9))[rng.permutation(HS1939)]
    result = retention(moved, n_draws=50, compare=False)
    expected = retention(answers("hs1939"), n_draws=50, compare=False)
    assert_allclose(result.kmo, expected.kmo, rtol=1e-9)
    assert_allclose(result.eigenvalues, expected.eigenvalues, rtol=1e-9)
    assert_allclose(result.map, expected.map, rtol=1e-7)
    assert_allclose(result.parallel, expected.parallel, rtol=1e-6, atol=1e-9)
    assert result.suggestions == expected.suggestions


def test_every_engine_gives_the_same(engine: Any) -> None:
    result = retention(engine(answers("hs1939").copy()), n_draws=200, compare=False)
    expected = overview("hs1939")
    assert_allclose(result.eigenvalues, expected.eigenvalues, rtol=1e-9)
    assert_allclose(result.parallel, expected.parallel, rtol=1e-6, atol=1e-9)


def test_matrices_and_answers_give_the_same() -> None:
    given_matrix = given_correlations(answers("hs1939").corr(), 301)
    result = retention(given_matrix, n_draws=200)
    expected = overview("hs1939")
    assert_allclose(result.parallel, expected.parallel, rtol=1e-6, atol=1e-9)
    assert result.suggestions["comparison_data"] is None
    assert result.p_comparison is None
    assert "Comparison data was not used: only correlations were handed in." in result.notes
    others = {key: value for key, value in expected.suggestions.items() if key != "comparison_data"}
    assert {key: result.suggestions[key] for key in others} == others


def test_polychoric_correlations_are_compared_with_resampled_ones() -> None:
    frame = dataset("bfi")[[*BFI_SCALES["agree"][1:4], *BFI_SCALES["neuro"][:3]]].dropna().head(250)
    result = retention(frame, correlation="polychoric", n_draws=40, compare=False, progress=False)
    assert "Parallel analysis: 40 draws of answers resampled item by item" in " ".join(result.notes)
    assert result.suggestions["parallel_components"] == 2
    assert_allclose(result.eigenvalues.sum(), 6)
    # Polychoric correlations scatter more than those of normal items.
    normal = retention(frame, correlation="polychoric", draws="normal", n_draws=200, compare=False)
    first = "component_reference"
    assert result.parallel[first].iloc[0] > normal.parallel[first].iloc[0]
    from_result = retention(polychoric(frame), draws="normal", n_draws=200)
    assert_allclose(from_result.parallel, normal.parallel, rtol=1e-5, atol=1e-6)


def test_resampled_answers_have_the_eigenvalues_of_normal_ones() -> None:
    normal = overview("hs1939").parallel
    resampled = retention(answers("hs1939"), draws="resampled", n_draws=200, compare=False).parallel
    assert_allclose(resampled["component_mean"], normal["component_mean"], atol=0.02)


def test_the_mean_retains_no_fewer_than_the_quantile() -> None:
    mean = retention(answers("hs1939"), reference="mean", n_draws=200, compare=False)
    high = overview("hs1939")
    assert mean.suggestions["parallel_factors"] >= high.suggestions["parallel_factors"]  # type: ignore[operator]
    assert_allclose(mean.parallel["factor_reference"], mean.parallel["factor_mean"])
    assert "reference mean." in " ".join(mean.notes)
    assert "reference 95%." in " ".join(high.notes)


def test_factors_of_simulated_answers_are_counted() -> None:
    rng = np.random.default_rng(3)
    factors = np.repeat(rng.standard_normal((500, 3)), 4, axis=1)
    x = 0.7 * factors + np.sqrt(0.51) * rng.standard_normal((500, 12))
    result = retention(pd.DataFrame(x, columns=[f"i{j}" for j in range(12)]), n_draws=100)
    assert {result.suggestions[name] for name in ("parallel_components", "map", "ekc")} == {3}
    assert result.suggestions["comparison_data"] == 3
    assert result.suggestions["bic"] == 3
    assert result.reading() == "All methods counted say 3."
    noise = retention(
        pd.DataFrame(rng.standard_normal((500, 8)), columns=list("abcdefgh")), n_draws=100
    )
    assert noise.suggestions["parallel_components"] == 0
    assert noise.suggestions["map"] == 0


def test_scales_of_responses() -> None:
    responses = from_frame(dataset("bfi"), scales=BFI_SCALES)
    result = retention(responses, ["agree", "neuro"], n_draws=50, compare=False)
    assert result.items == (*BFI_SCALES["agree"], *BFI_SCALES["neuro"])
    assert len(retention(responses, n_draws=20, compare=False).items) == 25


def test_weights_are_applied_and_comparison_data_left_out() -> None:
    frame = answers("hs1939").assign(w=np.random.default_rng(1).uniform(0.5, 2, 301))
    weighted = from_frame(frame, scales={"s": HS1939}, roles={"weight": "w"})
    result = retention(weighted, n_draws=50)
    assert result.eigenvalues[0] != overview("hs1939").eigenvalues[0]
    assert result.suggestions["comparison_data"] is None
    assert "Comparison data was not used: it cannot apply weights." in result.notes


# Tables that are too small, singular, or strange


def test_singular_matrices_have_no_kmo_and_no_fit() -> None:
    twice = retention(
        answers("hs1939").assign(x10=answers("hs1939")["x1"]), n_draws=50, compare=False
    )
    few = retention(answers("hs1939").head(6), n_draws=50)
    for result in (twice, few):
        assert np.isnan(result.kmo)
        assert np.isnan(result.bartlett["chi2"])
        assert result.vss.empty
        assert result.suggestions["bic"] is None
        assert (
            result.notes[0] == "KMO and Bartlett's test are not defined: the matrix has no inverse."
        )
        assert (
            "VSS and fit by number of factors are not given: the matrix has no inverse."
            in result.notes
        )
        assert result.suggestions["parallel_components"] is not None
    assert any("x1 and x10" in note for note in twice.notes)
    assert (
        "Comparison data was not used: there are fewer than three respondents an item." in few.notes
    )


def test_too_few_respondents_and_no_correlation_at_all() -> None:
    few = retention(given_correlations(answers("hs1939").corr(), 4), n_draws=50)
    assert few.notes[0].endswith("not defined: there are too few respondents.")
    assert few.vss.empty
    none = retention(given_correlations(np.eye(6), 100), n_draws=50)
    assert none.notes[0].startswith("KMO is not defined: no item correlates with another.")
    assert none.suggestions["parallel_components"] == 0


def test_pairs_of_answers() -> None:
    rng = np.random.default_rng(1)
    gaps = answers("hs1939").mask(rng.random((301, 9)) < 0.1)
    result = retention(gaps, missing="pairwise", draws="resampled", n_draws=50, compare=False)
    complete = len(gaps.dropna())
    assert f"resampled item by item (the {complete} complete rows)" in " ".join(result.notes)
    assert result.n == 301
    nobody = gaps.assign(
        x1=gaps["x1"].where(gaps.index < 150), x2=gaps["x2"].where(gaps.index > 90)
    )
    nobody.iloc[91:150, 2] = np.nan
    assert len(nobody.dropna()) == 0
    with pytest.raises(NotEnoughDataError, match="at least 3 complete rows; there are 0"):
        retention(nobody, missing="pairwise", draws="resampled", compare=False)
    assert retention(nobody, missing="pairwise", n_draws=50).suggestions["ekc"] is not None


def shown(result: RetentionResult) -> None:
    text = result.summary()
    assert text.startswith("How many factors: ")
    assert result.notes
    assert list(result.to_frame().columns) == ["method", "title", "n_factors", "counted"]
    assert "<table" in result._repr_html_()
    assert result.to_table() is not None
    assert result.plot() is not None
    mpl.pyplot.close("all")


@pytest.mark.parametrize(
    "make",
    [
        lambda: overview("hs1939"),
        lambda: retention(answers("hs1939")[HS1939[:3]], n_draws=20),
        lambda: retention(answers("hs1939").head(6), n_draws=20),
        lambda: retention(answers("hs1939").head(3), n_draws=20),
        lambda: retention(given_correlations(np.ones((5, 5)), 50), n_draws=20),
        lambda: retention(given_correlations(np.eye(5), 50), n_draws=20),
    ],
)
def test_every_result_can_be_shown(make: Any) -> None:
    import matplotlib.pyplot  # noqa: F401

    shown(make())


def test_what_the_summary_says() -> None:
    text = overview("hs1939").summary()
    assert "parallel analysis (components)" in text
    assert "KMO 0.75 ('middling' in Kaiser's words of 1974)" in text
    assert "chi2(36) = 904.1, p < .001" in text
    frame = overview("hs1939").to_frame()
    assert frame.set_index("method")["n_factors"].to_dict() == overview("hs1939").suggestions
    assert_array_equal(
        frame.loc[frame["counted"], "method"],
        ["parallel_components", "parallel_factors", "map", "ekc", "comparison_data"],
    )


# What is refused


@pytest.mark.parametrize(
    "option",
    [
        {"draws": "x"},
        {"reference": "median"},
        {"correlation": "x"},
        {"missing": "x"},
        {"n_draws": 5},
        {"n_draws": 0},
        {"n_draws": 20.5},
        {"n_draws": "100"},
        {"level": 95},
        {"level": 0.2},
        {"level": "0.95"},
        {"max_factors": 0},
        {"max_factors": 2.5},
        {"max_factors": "3"},
        {"seed": "a"},
        {"compare": "no"},
    ],
    ids=str,
)
def test_options_that_are_not_possible(option: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=f"{next(iter(option))}=.* is not possible here"):
        retention(answers("hs1939"), **option)


def test_data_that_cannot_be_used() -> None:
    with pytest.raises(NotEnoughItemsError, match="The number of factors needs at least 3 items"):
        retention(answers("hs1939"), HS1939[:2])
    given_matrix = given_correlations(answers("hs1939").corr(), 301)
    with pytest.raises(DataError, match="Resampling needs answers, and only correlations"):
        retention(given_matrix, draws="resampled")
    agree = dataset("bfi")[BFI_SCALES["agree"]]
    with pytest.raises(DataError, match="hand in the answers with correlation='polychoric'"):
        retention(polychoric(agree))


@given(
    seed=st.integers(0, 2**31),
    n=st.integers(3, 40),
    k=st.integers(3, 6),
    rounded=st.booleans(),
    draws=st.sampled_from(["normal", "resampled"]),
)
@settings(max_examples=20)
def test_small_tables_give_a_result_or_a_sentence(
    seed: int, n: int, k: int, rounded: bool, draws: Any
) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 1)) * rng.uniform(-1, 1, k) + rng.standard_normal((n, k))
    frame = pd.DataFrame(np.round(x) if rounded else x, columns=[f"v{j}" for j in range(k)])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            result = retention(frame, n_draws=20, compare=False, draws=draws)
    except DataError as error:
        assert str(error).endswith((".", "out"))
        return
    assert np.isfinite(result.eigenvalues).all()
    assert_allclose(result.eigenvalues.sum(), k)
    assert result.summary()
