"""Invariance over waves: stored values of lavaan and semTools, properties, bad input.

Tolerances: chi-square of ML 1e-7; estimates 1e-5 of the largest, errors 1e-4; indices 1e-5. Robust
indices of FIML 1e-6 absolute (both programs iterate the saturated model). Ordered items: lavaan
stops where the gradient is small, so that all have 1e-5.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey import from_frame
from collabsurvey.dimensionality import cfa
from collabsurvey.dimensionality.sem.fit_indices.measures import LAVAAN_NAMES
from collabsurvey.dimensionality.sem.fitted import analyse
from collabsurvey.dimensionality.sem_result import SemResult
from collabsurvey.errors import (
    CollabSurveyWarning,
    DataError,
    NotSupportedError,
    NoVarianceError,
    OptionError,
    UnknownNameError,
)
from collabsurvey.invariance import LadderResult, ladder
from support import REFERENCE, dataset, gold

LEVELS = ("configural", "metric", "scalar", "strict")
ORDINAL = ("configural", "thresholds", "loadings", "intercepts", "residuals")
OURS = {theirs: ours for ours, theirs in LAVAAN_NAMES.items()}
MODEL = "f =~ JOBSAT + COMMIT + READY"
OF_WAVE = {"1": "0", "2": "1", "3": "2"}  # in the wide data, and in the long ones


def stored() -> dict[str, Any]:
    return gold("06_invariance")["invariance_longitudinal_univbct"]["values"]


def long_data() -> pd.DataFrame:
    return dataset("univbct_long").rename(columns={"JSAT": "JOBSAT"})


@cache
def univbct() -> LadderResult:
    return ladder(long_data(), MODEL, "TIME", "SUBNUM", missing="fiml")


@cache
def written(level: str) -> SemResult:
    """The same level, fitted with the stored text to the wide data."""
    text = stored()["syntax"][LEVELS.index(level)]
    return cfa(dataset("univbct_wide"), text, missing="fiml", meanstructure=True)


def in_long_names(name: str) -> str:
    return f"{name[:-1]}_{OF_WAVE[name[-1]]}" if name and name[-1] in OF_WAVE else name


def assert_fit(found: SemResult, expected: dict[str, float]) -> None:
    for name, value in expected.items():
        rtol = 1e-7 if name in ("chisq", "baseline.chisq", "logl") else 1e-5
        assert_allclose(found.fit[OURS[name]], value, rtol=rtol, atol=1e-5, err_msg=name)


def assert_scalar_estimates(estimates: pd.DataFrame, rename: bool) -> None:
    ours = {}
    for _, row in estimates.iterrows():
        ours[row["lhs"], row["op"], row["rhs"]] = row
        ours[row["rhs"], row["op"], row["lhs"]] = row
    rows = stored()["scalar_estimates"]
    size = {"est": max(abs(row["est"]) for row in rows), "se": max(row["se"] for row in rows)}
    columns = {"est": "estimate", "se": "std_error", "ci.lower": "ci_low", "ci.upper": "ci_high"}
    for row in rows:
        lhs, rhs = row["lhs"], row["rhs"] or ""
        if rename:
            lhs, rhs = in_long_names(lhs), in_long_names(rhs)
        found = ours[lhs, row["op"], rhs]
        for theirs, name in columns.items():
            atol = 1e-4 * size["se"] if theirs == "se" else 1e-5 * size["est"]
            assert_allclose(found[name], row[theirs], rtol=0, atol=atol, err_msg=str(row))
        if row["pvalue"] is not None:
            assert_allclose(found["p_value"], row["pvalue"], atol=1e-5)
            assert_allclose(found["statistic"], row["z"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("level", LEVELS)
def test_fit_of_the_stored_text(level: str) -> None:
    assert_fit(written(level), stored()["fit"][level])


@pytest.mark.parametrize("level", LEVELS)
def test_fit_of_the_ladder_from_long_data(level: str) -> None:
    assert_fit(univbct().fits[level], stored()["fit"][level])


def test_scalar_estimates_of_the_stored_text() -> None:
    assert_scalar_estimates(written("scalar").estimates, rename=False)


def test_scalar_estimates_of_the_ladder() -> None:
    assert_scalar_estimates(univbct().fits["scalar"].estimates, rename=True)


def test_difference_tests() -> None:
    frame = univbct().to_frame().set_index("level")
    for row in stored()["lrt"]:
        ours = frame.loc[row["_row"]]
        assert ours["df"] == row["Df"]
        assert_allclose(ours["chi2"], row["Chisq"], rtol=1e-7)
        assert_allclose([ours["aic"], ours["bic"]], [row["AIC"], row["BIC"]], rtol=1e-9)
        if row["Df diff"] is None:
            continue
        assert ours["delta_df"] == row["Df diff"]
        assert_allclose(ours["delta_chi2"], row["Chisq diff"], rtol=1e-6)
        assert_allclose(ours["delta_p"], row["Pr(>Chisq)"], rtol=1e-5)
        assert_allclose(ours["rmsea_difference"], row["RMSEA"], rtol=1e-5)


def test_change_of_latent_means() -> None:
    rows = {(r["lhs"], r["op"], r["rhs"]): r for r in stored()["scalar_estimates"]}
    means = univbct().latent_means
    sd = rows["f1", "~~", "f1"]["est"] ** 0.5
    assert means["group"].tolist() == ["1", "2"]
    assert set(means["reference"]) == {"0"}
    assert set(means["level"]) == {"scalar"}
    for (_, found), name in zip(means.iterrows(), ("f2", "f3"), strict=True):
        expected = next(r for (lhs, op, _), r in rows.items() if lhs == name and op == "~1")
        assert_allclose(found["difference"], expected["est"], atol=1e-5)
        assert_allclose(found["std_error"], expected["se"], rtol=1e-4)
        assert_allclose(found["d_reference"], expected["est"] / sd, atol=1e-5)


def test_error_of_the_standardised_change() -> None:
    """Beside the delta method of `:=` in the model text."""
    text = univbct().fits["scalar"].syntax
    text = text.replace("f_0 ~~ f_0", "f_0 ~~ v*f_0").replace("f_2 ~ 1", "f_2 ~ m*1")
    found = cfa(wide(long_data()), f"{text}\nd := m / sqrt(v)", missing="fiml").estimates
    row = found[found["op"] == ":="].iloc[0]
    ours = univbct().latent_means.iloc[1]
    assert_allclose(ours["d_reference"], row["estimate"], rtol=1e-6)
    assert_allclose(ours["d_reference_std_error"], row["std_error"], rtol=1e-6)


def wide(data: pd.DataFrame) -> pd.DataFrame:
    found = data.pivot_table(["JOBSAT", "COMMIT", "READY"], "SUBNUM", "TIME")
    found.columns = [f"{item}_{wave}" for item, wave in found.columns]
    return found


@pytest.mark.parametrize("level", LEVELS)
def test_the_text_of_a_level_is_the_level(level: str) -> None:
    fit = univbct().fits[level]
    again = cfa(wide(long_data()), fit.syntax, missing="fiml")
    assert_allclose(again.fit["chi2"], fit.fit["chi2"], rtol=1e-8)
    assert again.fit["df"] == fit.fit["df"]


def test_counts_and_notes() -> None:
    result = univbct()
    assert result.groups == ("0", "1", "2")
    assert result.by == "TIME"
    assert result.sizes == (473, 476, 472)
    text = result.summary()
    assert "493 people, matched by SUBNUM" in text
    assert "0 + 1 + 2 (444)" in text
    assert "groups" not in text
    assert "2 people without any answer" in text


def test_listwise_keeps_people_of_all_waves() -> None:
    data = long_data()
    result = ladder(data, MODEL, "TIME", "SUBNUM")
    complete = wide(data).dropna()
    assert result.fits["metric"].n_obs == len(complete)
    expected = cfa(complete, result.fits["metric"].syntax)
    assert_allclose(result.fits["metric"].fit["chi2"], expected.fit["chi2"], rtol=1e-9)
    share = f"loses {1 - len(complete) / 493:.0%} of them"
    assert any(share in note and "missing='fiml'" in note for note in result.notes)


def test_a_small_loss_is_counted_without_advice() -> None:
    data = simulated(400, 2)
    result = ladder(data[(data["wave"] == 1) | (data["person"] > 19)], FOUR, "wave", "person")
    found = [note for note in result.notes if "(listwise)" in note]
    assert found == [
        "380 of 400 people answered every item in all 2 waves; the others are left out (listwise)."
    ]


# Ordered items, beside semTools::measEq.syntax -------------------------------------------------


def panel() -> pd.DataFrame:
    items = [f"y{i}" for i in range(1, 5)]
    data = dataset("panel_ordinal")
    return pd.wide_to_long(data, items, "person", "wave", sep="_").reset_index()


ORDERED = "f =~ y1 + y2 + y3 + y4"
PARTIAL = {"listwise": (), "pairwise": (), "partial": ("y3~1", "y1|t2")}


@cache
def semtools() -> dict[str, Any]:
    return json.loads((REFERENCE / "longitudinal.json").read_text(encoding="utf-8"))


@cache
def ordinal(kind: str) -> LadderResult:
    missing = "pairwise" if kind == "pairwise" else "listwise"
    free = PARTIAL[kind]
    return ladder(panel(), ORDERED, "wave", "person", ordered=True, missing=missing, partial=free)


@pytest.mark.parametrize("kind", PARTIAL)
@pytest.mark.parametrize("level", ORDINAL)
def test_ordinal_fit(kind: str, level: str) -> None:
    found = ordinal(kind).fits[level]
    for name, value in semtools()[kind]["fit"][level].items():
        assert_allclose(found.fit[OURS[name]], value, rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("kind", PARTIAL)
def test_ordinal_difference_tests(kind: str) -> None:
    frame = ordinal(kind).to_frame().set_index("level")
    for row in semtools()[kind]["tests"]:
        ours = frame.loc[row["level"]]
        assert ours["delta_df"] == row["df"]
        assert_allclose(ours["delta_chi2"], row["statistic"], rtol=1e-5)
        assert_allclose(ours["delta_p"], row["p"], rtol=1e-4, atol=1e-10)


@pytest.mark.parametrize("kind", PARTIAL)
def test_ordinal_estimates(kind: str) -> None:
    found = ordinal(kind).fits["intercepts"].estimates.set_index(["lhs", "op", "rhs"])
    rows = pd.DataFrame(semtools()[kind]["estimates"]).set_index(["lhs", "op", "rhs"])
    shared = found.loc[rows.index]
    assert_allclose(shared["estimate"], rows["est"], rtol=0, atol=1e-5 * rows["est"].abs().max())
    assert_allclose(shared["std_error"], rows["se"], rtol=0, atol=1e-4 * rows["se"].max())


def test_the_text_of_an_ordinal_level_is_the_level() -> None:
    fit = ordinal("partial").fits["intercepts"]
    again = analyse(fit.prepared.build(fit.syntax), fit.prepared.material)
    assert_allclose(again.measures["chi2"], fit.fit["chi2"], rtol=1e-6)
    assert again.df == fit.fit["df"]


def test_a_category_empty_in_one_wave_is_joined_in_all() -> None:
    data = panel()
    top = (data["wave"] == 2) & (data["y1"] == 5)
    data.loc[top, "y1"] = 4
    result = ladder(data, ORDERED, "wave", "person", ordered=True, levels=["thresholds"])
    joined = data.assign(y1=data["y1"].clip(upper=4))
    expected = ladder(joined, ORDERED, "wave", "person", ordered=True, levels=["thresholds"])
    assert_allclose(result.to_frame()["chi2"], expected.to_frame()["chi2"], rtol=1e-10)
    assert any("in one of the waves" in note and "5 with 4" in note for note in result.notes)


def test_factor_scores_from_wide_answers() -> None:
    data = dataset("panel_ordinal")
    found = ordinal("pairwise").fits["intercepts"].factor_scores(data.head(20))
    assert list(found.columns) == ["f_1", "f_2", "f_3"]
    means = data.head(20)[["y1_1", "y2_1", "y3_1", "y4_1"]].mean(axis=1)
    assert np.corrcoef(found["f_1"], means)[0, 1] > 0.9


# Properties ------------------------------------------------------------------------------------


def simulated(n: int = 600, waves: int = 3, *, shift: float = 0.0, seed: int = 1) -> pd.DataFrame:
    """Four items; the intercept of the second one is `shift` higher in the last wave."""
    random = np.random.default_rng(seed)
    trait = random.standard_normal((n, 1))
    f = 0.7 * trait + 0.7 * random.standard_normal((n, waves)) + 0.2 * np.arange(waves)
    own = random.standard_normal((n, 4))
    parts = []
    for w in range(waves):
        x = 0.8 * f[:, [w]] + 0.3 * own + 0.5 * random.standard_normal((n, 4))
        x[:, 1] += shift if w == waves - 1 else 0.0
        part = pd.DataFrame(x, columns=["a", "b", "c", "d"])
        parts.append(part.assign(person=np.arange(n), wave=w + 1))
    return pd.concat(parts, ignore_index=True)


FOUR = "f =~ a + b + c + d"
COLUMNS = ["chi2", "df", "cfi", "rmsea", "srmr", "delta_chi2"]


def test_order_of_rows_and_labels_of_waves_do_not_matter() -> None:
    data = simulated()
    expected = ladder(data, FOUR, "wave", "person")
    mixed = data.sample(frac=1.0, random_state=3)
    mixed["wave"] = mixed["wave"].map({1: 2019.0, 2: 2020.5, 3: 2024.0})
    mixed["person"] = "id " + mixed["person"].astype(str)
    found = ladder(mixed, FOUR, "wave", "person")
    assert found.groups == ("2019", "2020.5", "2024")
    assert_allclose(found.to_frame()[COLUMNS], expected.to_frame()[COLUMNS], rtol=1e-6, atol=1e-8)
    assert_allclose(
        found.latent_means["difference"], expected.latent_means["difference"], rtol=1e-6
    )


def test_waves_with_equal_moments_are_invariant_without_loss() -> None:
    """The second wave is the first in answer and distribution, but not person by person."""
    one = simulated(400, 1)
    random = np.random.default_rng(5)
    other = one.assign(wave=2, person=random.permutation(400))
    result = ladder(pd.concat([one, other]), FOUR, "wave", "person")
    loadings = result.fits["configural"].estimates.query("op == '=~'")["estimate"].to_numpy()
    # Chance correlations between the waves move what would be equal to rounding otherwise.
    assert_allclose(loadings[:4], loadings[4:], atol=0.02)
    means = result.latent_means.iloc[0]
    assert abs(means["difference"]) < 1e-6 + 0.1 * means["std_error"]
    assert (result.to_frame()["delta_p"].dropna() > 0.9).all()
    assert result.highest == "strict"


def test_a_shifted_intercept_is_found_and_can_be_released() -> None:
    data = simulated(shift=0.4)
    result = ladder(data, FOUR, "wave", "person")
    assert result.highest == "metric"
    released = ladder(data, FOUR, "wave", "person", partial=["b~1"])
    assert released.highest == "strict"
    assert "Left free in every wave: b~1." in released.notes
    means = released.latent_means
    # The means grow by 0.2 a wave, in units of item a (loading 0.8).
    assert_allclose(means["difference"], [0.16, 0.32], atol=3 * means["std_error"].max())


def test_robust_errors_and_means_level() -> None:
    result = ladder(simulated(), FOUR, "wave", "person", ["scalar", "means"], "MLR")
    frame = result.to_frame().set_index("level")
    assert frame.loc["means", "delta_df"] == 4 * 2 + 2  # residual variances and means
    assert frame.loc["means", "test"] == "satorra-bentler-2001"
    assert frame.loc["means", "delta_p"] < 0.001
    assert any("Latent means differ between waves" in note for note in result.notes)


def test_roles_of_responses_and_every_engine(engine: Any) -> None:
    data = simulated(200, 2)
    expected = ladder(data, FOUR, "wave", "person").to_frame()
    responses = from_frame(
        engine(data),
        scales={"f": ["a", "b", "c", "d"]},
        roles={"respondent": "person", "wave": "wave"},
    )
    found = ladder(responses, FOUR, "wave", "respondent").to_frame()
    assert_allclose(found[COLUMNS], expected[COLUMNS], rtol=1e-6, atol=1e-8)


def test_clusters_of_people_and_weights() -> None:
    data = simulated(300, 2)
    data["school"] = data["person"] % 30
    data.loc[(data["wave"] == 2) & (data["person"] < 4), "school"] += 1
    result = ladder(data, FOUR, "wave", "person", cluster="school")
    assert result.estimator == "MLR"
    assert any("4 people changed 'school'" in note for note in result.notes)
    data["w"] = 1.0 + data["person"] % 3
    roles = {"respondent": "person", "wave": "wave", "weight": "w"}
    scales = {"f": ["a", "b", "c", "d"]}
    weighted = ladder(from_frame(data, scales=scales, roles=roles), FOUR, "wave", "respondent")
    assert weighted.fits["metric"].n_obs == 300
    assert weighted.estimator == "MLR"
    data["w"] = 1.0 + data["wave"]
    with pytest.raises(DataError, match="weight 'w' of 300 people changes from wave to wave"):
        ladder(from_frame(data, scales=scales, roles=roles), FOUR, "wave", "respondent")


def test_factors_uncorrelated_within_a_wave_are_so_over_waves() -> None:
    names = {"a": "e", "b": "f", "c": "g", "d": "h"}
    one, two = simulated(seed=2), simulated(seed=3).rename(columns=names)
    data = one.merge(two, on=["person", "wave"])
    text = "one =~ a + b + c + d\ntwo =~ e + f + g + h\none ~~ 0*two"
    frame = ladder(data, text, "wave", "person").fits["scalar"].estimates
    between = frame[(frame["lhs"] == "one_1") & (frame["rhs"] == "two_2")]
    assert between["estimate"].tolist() == [0.0]
    assert between["std_error"].tolist() == [0.0]


def second_order(n: int = 800, waves: int = 2) -> pd.DataFrame:
    random = np.random.default_rng(11)
    top = 0.8 * random.standard_normal((n, 1)) + 0.6 * random.standard_normal((n, waves))
    parts = []
    for w in range(waves):
        x = {}
        for name in ("p", "q", "r"):
            lower = 0.8 * (top[:, w] + 0.3 * w) + 0.5 * random.standard_normal(n)
            for i in range(3):
                x[f"{name}{i}"] = lower + 0.6 * random.standard_normal(n)
        parts.append(pd.DataFrame(x).assign(person=np.arange(n), wave=w))
    return pd.concat(parts)


def test_second_order_factor() -> None:
    lower = "\n".join(f"{name.upper()} =~ {name}0 + {name}1 + {name}2" for name in "pqr")
    result = ladder(second_order(), f"{lower}\ng =~ P + Q + R", "wave", "person")
    assert result.highest == "strict"
    assert result.latent_means["factor"].tolist() == ["g"]
    assert_allclose(result.latent_means["difference"], 0.3 * 0.8, atol=0.15)


# Bad input -------------------------------------------------------------------------------------


def test_two_rows_of_a_person_in_a_wave() -> None:
    data = simulated(100, 2)
    with pytest.raises(DataError, match="1 pair of .*'person' = '7' in 'wave' = '2' with 2 rows"):
        ladder(pd.concat([data, data.query("person == 7 and wave == 2")]), FOUR, "wave", "person")


def test_one_wave_only() -> None:
    with pytest.raises(DataError, match="two waves or more; every row has 'wave' = '1'"):
        ladder(simulated(100, 1), FOUR, "wave", "person")


def test_waves_of_different_people() -> None:
    data = simulated(100, 2)
    data["person"] += 1000 * data["wave"]
    with pytest.raises(DataError, match="compare the waves as groups"):
        ladder(data, FOUR, "wave", "person", missing="fiml")
    with pytest.raises(DataError, match="nobody answered every item in all 2 waves"):
        ladder(data, FOUR, "wave", "person")


def test_people_without_an_id_are_left_out() -> None:
    data = simulated(300, 2)
    data["person"] = data["person"].where(data["person"] > 2)
    result = ladder(data, FOUR, "wave", "person")
    assert result.fits["metric"].n_obs == 297
    assert "6 rows without a 'person' left out." in result.notes


def test_waves_named_in_words_are_in_the_order_of_the_alphabet_and_said() -> None:
    data = simulated(300, 2)
    data["wave"] = data["wave"].map({1: "spring", 2: "autumn 24"})
    result = ladder(data, FOUR, "wave", "person")
    assert result.groups == ("autumn 24", "spring")
    assert any("order is taken to be autumn 24, spring" in note for note in result.notes)
    assert "f_autumn_24 =~" in result.fits["metric"].syntax
    order = pd.CategoricalDtype(["spring", "autumn 24"], ordered=True)
    assert ladder(data.astype({"wave": order}), FOUR, "wave", "person").groups[0] == "spring"


def test_item_not_asked_or_constant_in_a_wave() -> None:
    data = simulated(200, 2)
    later = data["wave"] == 2
    with pytest.raises(DataError, match="nobody answered c in wave '2'"):
        ladder(data.assign(c=data["c"].mask(later)), FOUR, "wave", "person", missing="fiml")
    with pytest.raises(NoVarianceError, match="c \\(in wave '2'\\)"):
        ladder(data.assign(c=data["c"].mask(later, 3.0)), FOUR, "wave", "person")


def test_names_and_options_that_do_not_fit() -> None:
    data = simulated(100, 2)
    with pytest.raises(UnknownNameError, match="Did you mean 'wave'"):
        ladder(data, FOUR, "waves", "person")
    with pytest.raises(UnknownNameError, match="'z'"):
        ladder(data, "f =~ a + b + z", "wave", "person")
    with pytest.raises(UnknownNameError, match="b~~z"):
        ladder(data, FOUR, "wave", "person", partial=["b~~z"])
    with pytest.raises(OptionError, match="sets the unit"):
        ladder(data, FOUR, "wave", "person", partial=["f=~a"])
    with pytest.raises(OptionError, match="repeated='wave'"):
        ladder(data, FOUR, "wave", "wave")
    with pytest.raises(NotSupportedError, match="regression"):
        ladder(data, f"{FOUR}\nf ~ d", "wave", "person")
    with pytest.raises(NotSupportedError, match="together with continuous ones"):
        ladder(data, FOUR, "wave", "person", ordered=["a", "b"])


def test_few_people_are_warned_of() -> None:
    with pytest.warns(CollabSurveyWarning, match="mostly chance"):
        ladder(simulated(30, 3), FOUR, "wave", "person")
    with pytest.raises(DataError, match="people for 4 items in 3 waves"):
        ladder(simulated(12, 3), FOUR, "wave", "person")
