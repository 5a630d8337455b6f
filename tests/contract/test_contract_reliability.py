"""Alpha, item analysis and overview against their formulas and what people do to them."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import collabsurvey as cs
from collabsurvey.errors import CollabSurveyError, FewClustersWarning, NoVarianceError
from conftest import Engine
from support import BFI_SCALES, dataset

AGREE = BFI_SCALES["agree"]
ALPHA = cs.reliability.alpha


def fielded(frame: object, **changes: object) -> cs.Responses:
    options: dict[str, object] = {
        "scales": {"agree": AGREE},
        "reverse_keyed": ["A1"],
        "response_range": (1, 6),
    }
    return cs.from_frame(frame, **{**options, **changes})  # type: ignore[arg-type]


def keyed(df: pd.DataFrame) -> pd.DataFrame:
    return df[AGREE].assign(A1=7 - df["A1"])


def alpha_of(cov: np.ndarray) -> float:
    k = len(cov)
    return float(k / (k - 1) * (1 - np.trace(cov) / cov.sum()))


@pytest.fixture
def df() -> pd.DataFrame:
    df = dataset("bfi").head(600)
    return df.assign(school=[f"S{row % 30}" for row in range(len(df))])


def test_alpha_by_formula(engine: Engine, df: pd.DataFrame) -> None:
    result = ALPHA(fielded(engine(df)), "agree")
    complete = keyed(df).dropna()
    assert result.n_respondents == len(complete)
    assert result.estimate == pytest.approx(alpha_of(complete.cov().to_numpy()), rel=1e-12)
    assert result.std_alpha == pytest.approx(alpha_of(complete.corr().to_numpy()), rel=1e-12)


def test_pairwise_alpha_by_formula(df: pd.DataFrame) -> None:
    result = ALPHA(fielded(df), "agree", missing="pairwise")
    assert result.estimate == pytest.approx(alpha_of(keyed(df).cov().to_numpy()), rel=1e-12)


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_feldt_interval(df: pd.DataFrame, level: float) -> None:
    result = ALPHA(fielded(df), "agree", conf_level=level)
    n, k = result.n_respondents, 5
    df1, df2 = n - 1, (n - 1) * (k - 1)
    tail = (1 - level) / 2
    assert result.ci_low == pytest.approx(
        1 - (1 - result.estimate) * stats.f.ppf(1 - tail, df1, df2), rel=1e-10
    )
    assert result.ci_high == pytest.approx(
        1 - (1 - result.estimate) * stats.f.ppf(tail, df1, df2), rel=1e-10
    )


def test_bonett_interval(df: pd.DataFrame) -> None:
    result = ALPHA(fielded(df), "agree", ci="bonett")
    n, k = result.n_respondents, 5
    half = stats.norm.ppf(0.975) * np.sqrt(2 * k / ((k - 1) * (n - 2)))
    centre = np.log(1 - result.estimate) - np.log(n / (n - 1))
    plain = np.log(1 - result.estimate)
    candidates = [(1 - np.exp(c + half), 1 - np.exp(c - half)) for c in (plain, centre)]
    assert any(np.allclose((result.ci_low, result.ci_high), pair, rtol=1e-9) for pair in candidates)


def test_cluster_role_is_respected_unless_told_otherwise(df: pd.DataFrame) -> None:
    answers = fielded(df, roles={"cluster": "school"})
    auto = ALPHA(answers, "agree", n_boot=200)
    assert auto.n_clusters == 30
    assert "cluster" in " ".join(auto.notes)
    assert auto.ci_low < auto.estimate < auto.ci_high
    alone = ALPHA(answers, "agree", cluster=None)
    assert alone.n_clusters is None
    assert (alone.ci_low, alone.ci_high) == (
        ALPHA(fielded(df), "agree").ci_low,
        ALPHA(fielded(df), "agree").ci_high,
    )


def test_people_who_answered_twice_count_as_clusters(df: pd.DataFrame) -> None:
    twice = pd.concat([df.assign(wave=1), df.assign(wave=2)])
    answers = fielded(twice, roles={"respondent": "id", "wave": "wave"})
    once = fielded(df, roles={"respondent": "id"})
    doubled = ALPHA(answers, "agree", n_boot=200)
    single = ALPHA(once, "agree", ci="bootstrap", n_boot=200)
    assert doubled.ci_high - doubled.ci_low == pytest.approx(single.ci_high - single.ci_low)


def test_bootstrap_is_repeatable_and_seeded(df: pd.DataFrame) -> None:
    answers = fielded(df, roles={"cluster": "school"})
    first, again = (ALPHA(answers, "agree", n_boot=150, seed=3) for _ in range(2))
    other = ALPHA(answers, "agree", n_boot=150, seed=4)
    assert (first.ci_low, first.ci_high) == (again.ci_low, again.ci_high)
    assert first.ci_low != other.ci_low


def test_whole_number_weights_are_copies_of_rows(df: pd.DataFrame) -> None:
    weighted = df.assign(w=1 + np.arange(len(df)) % 3)
    copies = weighted.loc[weighted.index.repeat(weighted["w"])].reset_index(drop=True)
    found = ALPHA(fielded(weighted, roles={"weight": "w"}), "agree")
    assert found.estimate == pytest.approx(ALPHA(fielded(copies), "agree").estimate, rel=1e-12)


def test_shift_and_scale_change_nothing(df: pd.DataFrame) -> None:
    items = AGREE[1:]
    plain = ALPHA(cs.from_frame(df, scales={"s": items}), "s").estimate
    for shift, factor in ((1e8, 1), (0, 1e8), (0, 1e-8)):
        moved = df[items] * factor + shift
        assert ALPHA(cs.from_frame(moved, scales={"s": items}), "s").estimate == pytest.approx(
            plain, rel=1e-9
        )


def test_copies_of_an_item_have_alpha_one(df: pd.DataFrame) -> None:
    copies = df.assign(B=df["A2"], C=df["A2"])
    result = ALPHA(cs.from_frame(copies, scales={"s": ["A2", "B", "C"]}), "s")
    assert result.estimate == pytest.approx(1)
    assert result.ci_high <= 1


def test_negative_alpha_is_reported_as_it_is(df: pd.DataFrame) -> None:
    answers = cs.from_frame(df, scales={"s": ["A1", "A2"]})
    with pytest.warns(cs.errors.KeyingWarning, match="A1"):
        result = ALPHA(answers, "s")
    cov = df[["A1", "A2"]].dropna().cov().to_numpy()
    assert result.estimate == pytest.approx(alpha_of(cov))
    assert result.estimate < 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda df: df.assign(A2=3), "'A2' has the same value"),
        (lambda df: df.assign(A2=np.nan), "at least 3 respondents"),
        (lambda df: df.head(2), "at least 3 respondents"),
    ],
)
def test_scales_without_an_alpha_say_why(change: object, message: str, df: pd.DataFrame) -> None:
    answers = fielded(change(df))  # type: ignore[operator]
    with pytest.raises(CollabSurveyError, match=message):
        ALPHA(answers, "agree")
    overview = cs.reliability.overview(answers).to_frame()
    assert overview["alpha"].isna().all()
    assert overview["reason"].str.len().gt(10).all()


def test_one_item_and_unknown_names(df: pd.DataFrame) -> None:
    answers = fielded(df)
    for items in (["A1"], "nope", ["A1", "nope"], ["A2", "A2"]):
        with pytest.raises(CollabSurveyError):
            ALPHA(answers, items)
    for options in ({"ci": "x"}, {"missing": "x"}, {"conf_level": 95}, {"cluster": "nope"}):
        with pytest.raises(CollabSurveyError):
            ALPHA(answers, "agree", **options)  # type: ignore[arg-type]


def test_one_school_says_that_clusters_cannot_be_resampled(df: pd.DataFrame) -> None:
    answers = fielded(df.assign(school="only"), roles={"cluster": "school"})
    with pytest.warns(FewClustersWarning, match="only one"):
        result = ALPHA(answers, "agree")
    assert any("this cluster only" in note for note in result.notes)


def test_rows_without_a_school_are_counted(df: pd.DataFrame) -> None:
    holes = df.assign(school=df["school"].where(np.arange(len(df)) > 40))
    result = ALPHA(fielded(holes, roles={"cluster": "school"}), "agree", n_boot=150)
    complete_without = keyed(holes)[holes["school"].isna()].dropna()
    assert any(str(len(complete_without)) in note for note in result.notes)
    assert result.estimate == pytest.approx(ALPHA(fielded(df), "agree").estimate)


def test_item_analysis_by_formula(engine: Engine, df: pd.DataFrame) -> None:
    found = cs.reliability.item_analysis(fielded(engine(df)), "agree").to_frame()
    for column in [
        "item",
        "n",
        "mean",
        "sd",
        "missing",
        "floor",
        "ceiling",
        "item_rest",
        "alpha_if_dropped",
    ]:
        assert column in found.columns
    complete = keyed(df).dropna()
    assert found["item"].tolist() == AGREE
    np.testing.assert_allclose(found["mean"], complete.mean(), rtol=1e-12)
    np.testing.assert_allclose(found["sd"], complete.std(), rtol=1e-12)
    np.testing.assert_allclose(found["missing"], df[AGREE].isna().mean(), rtol=1e-12)
    np.testing.assert_allclose(found["floor"], (complete == 1).mean(), rtol=1e-12)
    np.testing.assert_allclose(found["ceiling"], (complete == 6).mean(), rtol=1e-12)
    for row in found.itertuples():
        rest = complete.drop(columns=row.item)
        assert row.item_rest == pytest.approx(complete[row.item].corr(rest.sum(axis=1)), rel=1e-10)
        assert row.alpha_if_dropped == pytest.approx(alpha_of(rest.cov().to_numpy()), rel=1e-10)


def test_overview_has_one_row_for_each_scale(df: pd.DataFrame) -> None:
    answers = fielded(df, scales={"agree": AGREE, "pair": ["A2", "A3"], "one": ["A4"]})
    found = cs.reliability.overview(answers).to_frame().set_index("scale")
    assert found.index.tolist() == ["agree", "pair", "one"]
    for scale in ("agree", "pair"):
        assert found.loc[scale, "alpha"] == ALPHA(answers, scale).estimate
        assert found.loc[scale, "ci_low"] == ALPHA(answers, scale).ci_low
    assert np.isnan(found.loc["one", "alpha"])
    assert found.loc["one", "reason"]


def test_overview_by_wave(df: pd.DataFrame) -> None:
    waves = pd.concat([df.head(300).assign(wave=1), df.tail(300).assign(wave=2)])
    answers = fielded(waves, roles={"respondent": "id", "wave": "wave"})
    found = cs.reliability.overview(answers, by="wave").to_frame()
    assert len(found) == 2
    assert found["alpha"].iloc[0] == pytest.approx(ALPHA(fielded(df.head(300)), "agree").estimate)


def test_no_variance_is_its_own_error(df: pd.DataFrame) -> None:
    with pytest.raises(NoVarianceError):
        cs.reliability.item_analysis(fielded(df.assign(A3=2)), "agree")


def test_nothing_is_warned_about_good_data(df: pd.DataFrame) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ALPHA(fielded(df, roles={"cluster": "school"}), "agree", n_boot=150)
