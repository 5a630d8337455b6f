"""ICCs, group means and centring by formula, and on untidy groups."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import collabsurvey as cs
from collabsurvey.errors import CollabSurveyError, WeightsNotAppliedError
from conftest import Engine
from support import dataset


@pytest.fixture
def df() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    sizes = np.r_[1, 1, rng.integers(2, 25, 22)]
    school = np.repeat(np.arange(24), sizes)
    y = 3 + 0.6 * rng.normal(size=24)[school] + rng.normal(size=len(school))
    frame = pd.DataFrame({"school": [f"Q{s:02d}" for s in school], "y": y, "group": school // 6})
    frame.loc[rng.random(len(frame)) < 0.05, "y"] = np.nan
    return frame


def anova(df: pd.DataFrame, size: str = "n0", level: float = 0.95) -> dict[str, float]:
    used = df.dropna(subset=["y", "school"])
    groups = used.groupby("school")["y"]
    n, means = groups.size(), groups.mean()
    k, total = len(n), n.sum()
    msb = (n * (means - used["y"].mean()) ** 2).sum() / (k - 1)
    msw = ((used["y"] - used["school"].map(means)) ** 2).sum() / (total - k)
    f = msb / msw
    m = (total - (n**2).sum() / total) / (k - 1) if size == "n0" else total / k
    tail = (1 - level) / 2
    low = f / stats.f.ppf(1 - tail, k - 1, total - k)
    high = f / stats.f.ppf(tail, k - 1, total - k)
    return {
        "icc1": (f - 1) / (f + m - 1),
        "icc1_low": (low - 1) / (low + m - 1),
        "icc1_high": (high - 1) / (high + m - 1),
        "icc2": 1 - 1 / f,
        "f_statistic": f,
        "df1": k - 1,
        "df2": total - k,
        "p_value": stats.f.sf(f, k - 1, total - k),
        "mean_size": total / k,
        "n_clusters": k,
        "n": total,
        "design_effect": 1 + (total / k - 1) * (f - 1) / (f + m - 1),
    }


@pytest.mark.parametrize("size", ["n0", "mean"])
def test_icc_by_formula(engine: Engine, df: pd.DataFrame, size: str) -> None:
    row = cs.multilevel.icc(engine(df), "y", "school", size=size).to_frame().iloc[0]
    assert row["variable"] == "y"
    for name, value in anova(df, size).items():
        assert row[name] == pytest.approx(value, rel=1e-9), name


def test_icc_of_shifted_and_scaled_values(df: pd.DataFrame) -> None:
    for factor, shift in ((1e-8, 0), (1e8, 0), (1, 1e6)):
        moved = df.assign(y=df["y"] * factor + shift)
        row = cs.multilevel.icc(moved, ["y"], "school").to_frame().iloc[0]
        assert row["icc1"] == pytest.approx(anova(df)["icc1"], rel=1e-8)


def test_negative_icc_is_kept_and_noted() -> None:
    df = pd.DataFrame({"school": np.repeat(list("abcd"), 4), "y": np.tile([1.0, 2, 3, 4], 4)})
    df.loc[0, "y"] = 1.1
    result = cs.multilevel.icc(df, "y", "school")
    assert result.to_frame()["icc1"].iloc[0] == pytest.approx(anova(df)["icc1"], rel=1e-9)
    assert result.to_frame()["icc1"].iloc[0] < 0
    assert any("egative" in note for note in result.notes)


def test_rows_without_a_cluster_are_counted(df: pd.DataFrame) -> None:
    holes = df.assign(school=df["school"].where(np.arange(len(df)) % 9 > 0))
    result = cs.multilevel.icc(holes, "y", "school")
    assert result.to_frame()["icc1"].iloc[0] == pytest.approx(anova(holes)["icc1"], rel=1e-9)
    assert any(str(holes["school"].isna().sum()) in note for note in result.notes)


def test_unused_categories_are_no_groups(df: pd.DataFrame) -> None:
    levels = [*sorted(df["school"].unique()), "empty"]
    unused = df.assign(school=pd.Categorical(df["school"], categories=levels))
    assert cs.multilevel.icc(unused, "y", "school").to_frame()["n_clusters"].iloc[0] == 24
    assert "empty" not in set(cs.multilevel.aggregate(unused, "school").to_frame()["school"])


@pytest.mark.parametrize(
    "broken",
    [
        {"y": 1.0},
        {"school": "one"},
        {"school": range(5)},
        {"y": "text"},
    ],
)
def test_icc_refuses_what_has_none(broken: dict[str, object]) -> None:
    good = pd.DataFrame({"school": list("aabbc"), "y": [1.0, 2, 3, 4, 6]})
    with pytest.raises(CollabSurveyError, match=r"y|school"):
        cs.multilevel.icc(good.assign(**broken), "y", "school")  # type: ignore[arg-type]


def test_icc_options_are_checked(df: pd.DataFrame) -> None:
    for options in ({"size": "x"}, {"method": "x"}, {"conf_level": 95}):
        with pytest.raises(CollabSurveyError):
            cs.multilevel.icc(df, "y", "school", **options)  # type: ignore[arg-type]
    with pytest.raises(CollabSurveyError, match="zz"):
        cs.multilevel.icc(df, "zz", "school")


COLUMNS = "n n_units n_eligible mean sd se df ci_low ci_high shrunken_mean reliability below_min_n"


def test_school_means_by_formula(engine: Engine, df: pd.DataFrame) -> None:
    found = cs.multilevel.aggregate(engine(df), "school", scales=["y"], min_n=5).to_frame()
    found = found.set_index("school").sort_index()
    assert set(COLUMNS.split()) <= set(found.columns)
    groups = df.groupby("school")["y"]
    n, mean, sd = groups.count(), groups.mean(), groups.std()
    np.testing.assert_array_equal(found["n"], n)
    np.testing.assert_allclose(found["mean"], mean, rtol=1e-12)
    np.testing.assert_allclose(found["sd"], sd, rtol=1e-10)
    np.testing.assert_allclose(found["se"], sd / np.sqrt(n), rtol=1e-10)
    half = stats.t.ppf(0.975, (n - 1).where(n > 1)) * sd / np.sqrt(n)
    np.testing.assert_allclose(found["ci_low"], mean - half, rtol=1e-8)
    np.testing.assert_allclose(found["ci_high"], mean + half, rtol=1e-8)
    assert found["below_min_n"].tolist() == (n < 5).tolist()


def test_reliability_of_means_stays_between_nought_and_one(df: pd.DataFrame) -> None:
    found = cs.multilevel.aggregate(df, "school", scales=["y"]).to_frame()
    assert found["reliability"].between(0, 1).all()
    ordered = found.sort_values("n")["reliability"]
    assert ordered.is_monotonic_increasing
    grand = cs.multilevel.aggregate(df, "school", scales=["y"]).grand_mean["y"]
    drawn = grand + found["reliability"] * (found["mean"] - grand)
    np.testing.assert_allclose(found["shrunken_mean"], drawn, rtol=1e-10)
    noise = df.assign(y=df["y"] - df.groupby("school")["y"].transform("mean"))
    none = cs.multilevel.aggregate(noise, "school", scales=["y"]).to_frame()
    np.testing.assert_array_equal(none["reliability"], 0)


def test_partnership_means_go_through_schools(engine: Engine, df: pd.DataFrame) -> None:
    found = cs.multilevel.aggregate(engine(df), "group", through="school", scales=["y"])
    table = found.to_frame().set_index("group").sort_index()
    schools = df.groupby(["group", "school"])["y"].mean().dropna().groupby("group")
    count = schools.size()
    se = schools.std() / np.sqrt(count)
    np.testing.assert_array_equal(table["n_units"], count)
    np.testing.assert_array_equal(table["n"], df.groupby("group")["y"].count())
    np.testing.assert_array_equal(table["df"], count - 1)
    np.testing.assert_allclose(table["mean"], schools.mean(), rtol=1e-12)
    np.testing.assert_allclose(table["se"], se, rtol=1e-10)
    half = stats.t.ppf(0.975, count - 1) * se
    np.testing.assert_allclose(table["ci_high"], schools.mean() + half, rtol=1e-9)


def test_one_person_each_wave_counts_once() -> None:
    df = pd.DataFrame(
        {
            "id": [1, 1, 2, 2, 3, 3],
            "wave": [1, 2] * 3,
            "school": list("aaaabb"),
            "A": [1, 3, 2, 4, 5, 5],
        }
    )
    roles = {"respondent": "id", "wave": "wave", "cluster": "school"}
    scores = cs.score(cs.from_frame(df, scales={"s": ["A"]}, response_range=(1, 5), roles=roles))
    found = cs.multilevel.aggregate(scores, "cluster").to_frame().set_index("school")
    assert found["n"].tolist() == [2, 1]
    assert found["mean"].tolist() == [2.5, 5]
    by_wave = cs.multilevel.aggregate(scores, ["cluster", "wave"]).to_frame()
    assert by_wave["n"].tolist() == [2, 2, 1, 1]


def test_eligible_numbers_give_response_rates(df: pd.DataFrame) -> None:
    schools = sorted(df["school"].unique())
    for eligible in (
        dict.fromkeys(schools, 50),
        pd.Series(50, index=schools),
        pd.DataFrame({"school": schools, "staff": 50}),
    ):
        found = cs.multilevel.aggregate(df, "school", scales=["y"], eligible=eligible).to_frame()
        assert (found["n_eligible"] == 50).all()
        np.testing.assert_allclose(found["response_rate"], found["n"] / 50)
    with pytest.raises(CollabSurveyError, match="twice"):
        doubled = pd.DataFrame({"school": [schools[0]] * 2, "staff": [3, 4]})
        cs.multilevel.aggregate(df, "school", scales=["y"], eligible=doubled)


def test_small_groups_are_flagged_not_removed(df: pd.DataFrame) -> None:
    found = cs.multilevel.aggregate(df, "school", scales=["y"]).to_frame()
    small = found[found["n"] < 10]
    assert len(small) > 2
    assert small["below_min_n"].all()
    assert small["mean"].notna().all()


def test_center_adds_two_parts(engine: Engine, df: pd.DataFrame) -> None:
    keyed = df.assign(row=np.arange(len(df)))
    found = engine.pandas(cs.multilevel.center(engine(keyed), ["y"], "school")).sort_values("row")
    between = df.groupby("school")["y"].transform("mean")
    np.testing.assert_allclose(found["y_between"], between, rtol=1e-12)
    np.testing.assert_allclose(found["y_within"], df["y"] - between, rtol=1e-9, atol=1e-12)


def test_center_keeps_index_order_and_the_callers_frame(df: pd.DataFrame) -> None:
    df.index = pd.Index(np.arange(len(df))[::-1] // 3)
    before = df.copy(deep=True)
    found = cs.multilevel.center(df, "y", "school")
    pd.testing.assert_frame_equal(df, before)
    pd.testing.assert_index_equal(found.index, df.index)
    assert list(found.columns) == [*df.columns, "y_within", "y_between"]


def test_center_on_rows_without_school_or_value(df: pd.DataFrame) -> None:
    holes = df.assign(school=df["school"].where(np.arange(len(df)) > 4))
    found = cs.multilevel.center(holes, "y", "school")
    assert found[["y_within", "y_between"]].head(5).isna().all().all()
    unanswered = found[holes["y"].isna() & holes["school"].notna()]
    assert unanswered["y_within"].isna().all()
    with pytest.raises(CollabSurveyError, match="y_within"):
        cs.multilevel.center(df.assign(y_within=1), "y", "school")


def test_weight_role_is_refused_by_name() -> None:
    df = dataset("bfi").head(60).assign(w=1.5)
    roles = {"cluster": "education", "weight": "w"}
    scores = cs.score(cs.from_frame(df, scales={"s": ["A2", "A3"]}, roles=roles))
    for call in (
        lambda: cs.multilevel.icc(scores, cluster="cluster"),
        lambda: cs.multilevel.aggregate(scores, "cluster"),
        lambda: cs.multilevel.center(scores, "s", "cluster"),
    ):
        with pytest.raises(WeightsNotAppliedError, match="weight"):
            call()
