"""Distances of profiles by hand, in every metric, on every engine; the correction; bad input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.spatial import distance as scipy_distance

from collabsurvey.errors import (
    DataError,
    NotEnoughDataError,
    OptionError,
    UnknownNameError,
    WeightsNotAppliedError,
)
from collabsurvey.instruments import load_instrument
from collabsurvey.partnership import CultureDistanceResult, culture_distance
from collabsurvey.partnership.distance_kernels import (
    distance_limits,
    group_means,
    mean_variances,
    metrics,
    pooled_variances,
    resampled_errors,
    share_smaller,
    within_scatter,
    yardsticks,
)
from collabsurvey.responses import Responses, from_frame
from collabsurvey.scoring import score
from collabsurvey.scoring.composition import composition

Engine = Callable[[pd.DataFrame], Any]
BOOT = 100  # the fewest; limits are not judged where it is used


def found(data: Any, **options: Any) -> CultureDistanceResult:
    return culture_distance(data, "school", n_boot=BOOT, **options)


def staff(seed: int = 1, schools: int = 4) -> pd.DataFrame:
    """Schools of 4, 5, 6 … staff on three scales, the last 0 to 100."""
    generator = np.random.default_rng(seed)
    school = np.repeat(np.arange(schools), np.arange(4, 4 + schools))
    x = generator.normal(0, 0.7, (schools, 3))[school] + generator.standard_normal((len(school), 3))
    frame = pd.DataFrame(x * [1, 1, 20] + [3, 3, 50], columns=["open", "share", "hope"])
    return frame.assign(school=[f"S{s}" for s in school])


def two() -> pd.DataFrame:
    """A: 1, 3 (mean 2, variance 2); B: 5, 7, 9 (mean 7, variance 4)."""
    return pd.DataFrame({"school": list("AABBB"), "y": [1.0, 3, 5, 7, 9]})


def test_one_scale_by_hand(engine: Engine) -> None:
    row = found(engine(two()), standardise="none").to_frame().iloc[0]
    assert (row["school_a"], row["school_b"], row["n_a"], row["n_b"]) == ("A", "B", 2, 3)
    # Variance of the means: 2 / 2 + 4 / 3.
    assert_allclose([row["distance"], row["distance_corrected"]], [5, (25 - 7 / 3) ** 0.5])
    # Variance within schools: (2 + 8) / 3.
    row = found(engine(two())).to_frame().iloc[0]
    expected = np.array([5, (25 - 7 / 3) ** 0.5]) / (10 / 3) ** 0.5
    assert_allclose([row["distance"], row["distance_corrected"]], expected)
    # With one scale, Mahalanobis divides by the same standard deviation.
    row = found(engine(two()), metric="mahalanobis").to_frame().iloc[0]
    assert_allclose([row["distance"], row["distance_corrected"]], expected)


def test_metrics_are_scipys(engine: Engine) -> None:
    frame = staff()
    scales = ["open", "share", "hope"]
    means = frame.groupby("school")[scales].mean()
    within = frame[scales] - frame.groupby("school")[scales].transform("mean")
    cov = within.T @ within / (len(frame) - 4)
    expected = {
        ("euclidean", "none"): scipy_distance.pdist(means),
        ("euclidean", "within"): scipy_distance.pdist(means, "seuclidean", V=np.diag(cov)),
        ("mahalanobis", "auto"): scipy_distance.pdist(means, "mahalanobis", VI=np.linalg.inv(cov)),
    }
    for (metric, standardise), distances in expected.items():
        result = found(engine(frame), metric=metric, standardise=standardise)
        assert_allclose(result.pairs["distance"], distances, rtol=1e-10)
        assert result.scales == ("open", "share", "hope")


def test_corrected_mahalanobis_by_hand() -> None:
    frame = staff()
    scales = ["open", "share", "hope"]
    within = frame[scales] - frame.groupby("school")[scales].transform("mean")
    inverse = np.linalg.inv(within.T @ within / (len(frame) - 4))
    result = found(frame, metric="mahalanobis").pairs.iloc[0]
    a, b = (frame.loc[frame["school"] == s, scales] for s in ("S0", "S1"))
    noise = np.trace(inverse @ (a.cov() / len(a) + b.cov() / len(b)))
    expected = max(result["distance"] ** 2 - noise, 0) ** 0.5
    assert_allclose(result["distance_corrected"], expected, rtol=1e-10)


def test_the_corrected_square_is_unbiased() -> None:
    generator = np.random.default_rng(11)
    truth, errors = 0.5, []
    codes = np.repeat([0, 1], [3, 6])
    for _ in range(4000):
        x = generator.standard_normal((9, 2)) * np.where(codes == 0, 1.0, 3.0)[:, None]
        x[:, 0] += codes * truth
        n, means = group_means(x, codes, 2)
        square = ((means[0] - means[1]) ** 2).sum()
        errors.append(square - mean_variances(x, codes, n, means).sum() - truth**2)
    assert abs(np.mean(errors)) < 3.5 * np.std(errors) / 4000**0.5


def test_aitchison_by_hand(engine: Engine) -> None:
    frame = pd.DataFrame(
        {"school": list("AABB"), "x": [0.2, 0.5, 0.6, 0.4], "y": [0.8, 0.5, 0.4, 0.6]}
    )
    # With two parts the distance is |difference of log-ratios| / √2. Mean log-ratios:
    # (ln 1/4 + ln 1) / 2 and (ln 3/2 + ln 2/3) / 2 = 0.
    result = found(engine(frame), metric="aitchison")
    assert_allclose(result.pairs["distance"], [np.log(2) / 2**0.5])
    # The centre of A has the ratio of the mean log-ratio, 1 to 2.
    assert_allclose(result.profiles[["x", "y"]], [[1 / 3, 2 / 3], [0.5, 0.5]])


def test_aitchison_does_not_depend_on_the_unit_of_a_part() -> None:
    generator = np.random.default_rng(4)
    shares = generator.dirichlet([4, 3, 2], 20)
    frame = pd.DataFrame(shares, columns=["a", "b", "c"]).assign(school=list("XY") * 10)
    scaled = frame.assign(a=frame["a"] * 7)
    first, second = (found(data, metric="aitchison") for data in (frame, scaled))
    assert_allclose(first.pairs["distance_corrected"], second.pairs["distance_corrected"])
    assert any("do not add up to one total" in note for note in second.notes)
    assert not any("do not add up to one total" in note for note in first.notes)


def test_zeros_are_refused_with_what_to_do() -> None:
    frame = pd.DataFrame({"school": list("AB"), "x": [0.0, 0.5], "y": [1.0, 0.5]})
    with pytest.raises(DataError, match="1 respondents have a share of 0.*Replace zeros first"):
        found(frame, metric="aitchison")
    with pytest.raises(DataError, match="some values are negative"):
        found(frame.assign(x=-1.0), metric="aitchison")
    with pytest.raises(NotEnoughDataError, match="at least 2 parts"):
        found(frame, metric="aitchison", scales=["y"])


# Properties.


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_order_of_rows_changes_no_digit(seed: int) -> None:
    frame = staff(seed)
    other = frame.sample(frac=1, random_state=seed)
    first, second = (found(data) for data in (frame, other))
    pd.testing.assert_frame_equal(first.pairs, second.pairs, check_exact=True)


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), unit=st.floats(0.01, 100), shift=st.floats(-100, 100))
def test_units_do_not_matter_where_scales_are_standardised(
    seed: int, unit: float, shift: float
) -> None:
    frame = staff(seed)
    other = frame.assign(open=frame["open"] * unit + shift)
    first, second = (found(data).pairs for data in (frame, other))
    assert_allclose(first["distance"], second["distance"], rtol=1e-7)
    assert_allclose(first["distance_corrected"] ** 2, second["distance_corrected"] ** 2, atol=1e-7)


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_mahalanobis_does_not_depend_on_the_choice_of_axes(seed: int) -> None:
    frame = staff(seed)
    other = frame.assign(share=frame["share"] + 2 * frame["open"], hope=-frame["hope"])
    first, second = (found(data, metric="mahalanobis").pairs for data in (frame, other))
    assert_allclose(first["distance"], second["distance"], rtol=1e-7)


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_a_distance_is_symmetric_and_keeps_the_triangle(seed: int) -> None:
    result = found(staff(seed, schools=5))
    d = result.matrix("distance").to_numpy()
    assert_allclose(d, d.T)
    assert (np.diag(d) == 0).all()
    through = (d[:, :, None] + d[None, :, :]).min(axis=1)
    assert (d <= through + 1e-12).all()
    renamed = staff(seed, schools=5).replace({"school": {"S0": "S4", "S4": "S0"}})
    other = found(renamed).matrix("distance")
    names = {"S0": "S4", "S4": "S0"}
    turned = other.rename(index=names, columns=names)
    assert_allclose(turned.loc[result.matrix().index, result.matrix().columns], d, rtol=1e-9)


# The bootstrap.


def test_resampled_means_have_the_variance_of_means() -> None:
    codes = np.repeat([0, 1, 2], [4, 12, 1])
    x = np.random.default_rng(2).standard_normal((17, 2))
    n, means = group_means(x, codes, 3)
    errors = resampled_errors(x, codes, n, means, 20_000, seed=1)
    for g in (0, 1):
        expected = x[codes == g].var(axis=0, ddof=1) / n[g]
        assert_allclose(errors[:, g].var(axis=0), expected, rtol=0.05)
        assert_allclose(errors[:, g].mean(axis=0), 0, atol=4 * (expected.max() / 20_000) ** 0.5)
    assert (errors[:, 2] == 0).all()


@pytest.mark.parametrize("apart", [0.0, 0.7])
def test_intervals_cover(apart: float) -> None:
    generator = np.random.default_rng(5)
    codes = np.repeat([0, 1], 10)
    truth = apart * 3**0.5
    inside = 0
    for trial in range(200):
        x = generator.standard_normal((20, 3)) + apart * codes[:, None]
        n, means = group_means(x, codes, 2)
        errors = resampled_errors(x, codes, n, means, 200, seed=trial)
        low, high = distance_limits(
            means, mean_variances(x, codes, n, means), errors, conf_level=0.95
        )
        inside += low[0] <= truth <= high[0]
    assert inside / 200 > 0.9


def test_small_schools_borrow_the_deviations_of_all() -> None:
    codes = np.repeat([0, 1, 2], [2, 12, 1])
    x = np.random.default_rng(2).standard_normal((15, 2)) * [1, 3]
    n, means = group_means(x, codes, 3)
    within = within_scatter(x, codes, means) / 12  # 15 rows less 3 groups
    borrow = np.array([True, False, False])
    errors = resampled_errors(x, codes, n, means, 20_000, seed=1, borrow=borrow)
    assert_allclose(errors[:, 0].var(axis=0), np.diag(within) / 2, rtol=0.05)
    assert_allclose(errors[:, 1].var(axis=0), x[codes == 1].var(axis=0, ddof=1) / 12, rtol=0.05)
    assert_allclose(pooled_variances(x, codes, n, means), np.trace(within) / n)


def test_what_is_not_known_of_the_yardstick() -> None:
    """Squares over true ones: chi-squared of df, over df; Mahalanobis of df - k + 1."""
    correlations = np.array([[1, 0.6], [0.6, 1]])
    squares = yardsticks(correlations, 8, 20_000, seed=3) ** 2
    assert_allclose(squares.mean(axis=0), 1, atol=0.015)
    assert_allclose(squares.var(axis=0), 2 / 8, rtol=0.06)
    assert_allclose(np.corrcoef(squares.T)[0, 1], 0.6**2, atol=0.03)
    z = np.array([3.0, -1, 2])
    t = metrics(3, 9, 20_000, seed=3)
    ratio = ((t.swapaxes(1, 2) @ z) ** 2).sum(axis=1) / (z @ z)
    assert_allclose([ratio.mean(), ratio.var()], [7 / 9, 14 / 81], rtol=0.04)
    # Scales that follow from each other, and fewer people than scales.
    assert np.isfinite(yardsticks(np.ones((3, 3)), 2, 10, seed=1)).all()


@pytest.mark.parametrize("metric", ["within", "mahalanobis"])
def test_intervals_of_two_staff_a_school_cover(metric: str) -> None:
    """Ten schools of two; as each school's own resamples they covered 30 to 60 %."""
    generator = np.random.default_rng(6)
    codes, df, truth, inside = np.repeat(np.arange(10), 2), 10, 4.0, 0
    for trial in range(150):
        x = generator.standard_normal((20, 2))
        x[codes == 1] += truth / 2**0.5
        n, means = group_means(x, codes, 10)
        scatter = within_scatter(x, codes, means)
        if metric == "within":
            root = np.sqrt(np.diag(scatter))
            z = x / root * df**0.5
            yardstick = yardsticks(scatter / np.outer(root, root), df, 200, seed=trial)
        else:
            z = np.linalg.solve(np.linalg.cholesky(scatter / df), x.T).T
            yardstick = metrics(2, df, 200, seed=trial)
        _, means = group_means(z, codes, 10)
        few = n < 10
        errors = resampled_errors(z, codes, n, means, 200, seed=trial, borrow=few)
        low, high = distance_limits(
            means[:2],
            pooled_variances(z, codes, n, means)[:2],
            errors[:, :2],
            conf_level=0.95,
            yardstick=yardstick,
        )
        inside += low[0] <= truth <= high[0]
    assert inside / 150 > 0.9


def test_too_few_for_an_interval() -> None:
    frame = staff(schools=3).groupby("school").head(2)  # 3 beyond one a school
    result = found(frame)
    assert result.pairs["ci_low"].isna().all()
    said = "No intervals: they need 6 respondents beyond one a school, and there are 3."
    assert said in result.notes
    assert any("The standard deviation within schools rests on 3" in n for n in result.notes)
    enough = found(staff())  # schools of 4, 5, 6 and 7
    assert any("4 schools with fewer than 10 staff take the spread" in n for n in enough.notes)


def test_schools_without_a_difference_are_at_distance_zero() -> None:
    frame = pd.concat([staff(schools=1), staff(schools=1).assign(school="T")])
    result = found(frame)
    assert_allclose(result.pairs[["distance", "distance_corrected", "ci_low"]], 0, atol=1e-12)
    assert result.pairs["ci_high"].iloc[0] > 0
    assert any("set to 0: 1 of 1" in note for note in result.notes)
    assert result.share_apart == 0


def test_the_seed_repeats_and_limits_surround() -> None:
    first, second = found(staff()), found(staff())
    pd.testing.assert_frame_equal(first.pairs, second.pairs)
    pairs = culture_distance(staff(), "school").pairs
    assert (pairs["ci_low"] <= pairs["distance_corrected"]).all()
    assert (pairs["ci_high"] >= pairs["distance_corrected"]).all()
    none = culture_distance(staff(), "school", ci="none")
    assert none.pairs["ci_low"].isna().all()
    assert np.isnan(none.share_apart)
    assert none.n_boot == 0


# People and schools.


def test_a_school_of_one_is_flagged() -> None:
    frame = pd.concat([two(), pd.DataFrame({"school": ["C"], "y": [4.0]})])
    result = found(frame, standardise="none")
    assert result.one_respondent == ("C",)
    assert result.pairs["one_respondent"].tolist() == [False, True, True]
    ac = result.pairs.iloc[1]
    # C takes the variance within A and B, 10 / 3.
    assert_allclose(ac["distance_corrected"], max(4 - 2 / 2 - 10 / 3, 0) ** 0.5)
    assert np.isnan(ac["ci_low"])
    assert any("stands for the school: C" in note for note in result.notes)


def test_every_school_of_one() -> None:
    frame = pd.DataFrame({"school": list("AB"), "y": [1.0, 2.0]})
    with pytest.raises(NotEnoughDataError, match="respondents beyond one a school"):
        found(frame)
    result = found(frame, standardise="none")
    assert result.pairs["distance"].tolist() == [1.0]
    assert result.pairs["distance_corrected"].isna().all()
    assert any("the sampling error is not known" in note for note in result.notes)
    assert "<svg" in result.chart().to_svg()


def test_incomplete_respondents_are_counted(engine: Engine) -> None:
    frame = staff()
    frame.loc[0, "open"] = np.nan
    frame.loc[1, ["open", "share", "hope"]] = np.nan
    frame.loc[2, "school"] = None
    result = found(engine(frame))
    assert (result.n_incomplete, result.n_respondents) == (1, len(frame) - 3)
    assert "Respondents without all scales, left out: 1." in result.notes
    assert "Rows without school, left out: 1." in result.notes
    assert result.profiles["n"].tolist() == [1, 5, 6, 7]


def test_a_school_without_a_scale_is_named(engine: Engine) -> None:
    frame = staff()
    frame.loc[frame["school"] == "S1", "hope"] = np.nan
    frame.loc[frame["school"] == "S3", "open"] = [np.nan, 1, 1, 1, 1, 1, 1]
    frame.loc[frame["school"] == "S3", "share"] = [1, *[np.nan] * 6]
    result = found(engine(frame))
    assert result.schools == ("S0", "S2")
    said = "Schools left out, as nobody there has every scale: S1 (nobody has hope), S3."
    assert said in result.notes
    assert not any("Schools left out" in note for note in found(staff()).notes)


def test_small_schools_are_marked() -> None:
    result = found(staff(), min_n=6)
    assert result.pairs["below_min_n"].tolist() == [True, True, True, True, True, False]
    assert "Fewer than 6 people, not to be published: S0, S1." in result.notes
    assert "below 6" in result.summary()
    assert "(framed: fewer than 6 people)" in result.chart().title.replace("\n", " ")
    assert "(all: fewer than 10 people)" in found(staff()).chart().title.replace("\n", " ")
    assert "fewer" not in found(staff(), min_n=4).chart().title
    assert "not to be published: S0, S1, S2, S3." in found(staff()).summary()  # fewer than 10
    with pytest.raises(OptionError, match="min_n"):
        found(staff(), min_n=0)


def test_answers_are_scored_first() -> None:
    """Six scales, not 24 items; items only where they are named."""
    instrument = load_instrument("culture")
    generator = np.random.default_rng(9)
    frame = pd.DataFrame({"id": range(24), "school": list("XYZ") * 8})
    for item in instrument.item_ids:
        answers = instrument.response_set(item)
        assert answers is not None
        frame[item] = generator.choice(answers.values, 24).astype(float)
    data = Responses(frame, instrument, {"respondent": "id", "cluster": "school"})
    result = culture_distance(data, "cluster", n_boot=BOOT)
    assert result.scales == instrument.scale_ids
    pd.testing.assert_frame_equal(
        result.pairs, culture_distance(score(data), "cluster", n_boot=BOOT).pairs
    )
    one = culture_distance(data, "cluster", scales="cul.openness", n_boot=BOOT)
    assert one.scales == ("cul.openness",)
    items = list(instrument.scale("cul.openness").items)
    assert culture_distance(data, "cluster", scales=items, n_boot=BOOT).scales == tuple(items)
    with pytest.raises(DataError, match="names scales and items"):
        culture_distance(data, "cluster", scales=["cul.openness", items[0]])
    with pytest.raises(DataError, match=r"Hand in cs\.scoring\.composition"):
        culture_distance(data, "cluster", metric="aitchison")


def test_people_who_answered_twice_count_once() -> None:
    frame = staff().assign(id=lambda f: [f"r{i}" for i in range(len(f))], partner="P")
    again = frame.assign(partner="Q", open=frame["open"] + 1)
    both = pd.concat([frame, again])
    roles = {"respondent": "id", "cluster": "school", "partner": "partner"}
    scales = {name: [name] for name in ("open", "share", "hope")}
    items = both.rename(columns={name: f"{name}1" for name in scales})
    answers = from_frame(items, scales={name: [f"{name}1"] for name in scales}, roles=roles)
    result = culture_distance(score(answers), "cluster", n_boot=BOOT)
    once = found(frame.assign(open=frame["open"] + 0.5).drop(columns=["id", "partner"]))
    assert_allclose(result.pairs["distance"], once.pairs["distance"], rtol=1e-10)
    assert result.n_respondents == len(frame)
    assert any("each counts once" in note for note in result.notes)
    weighted = answers.replace(roles={**roles, "weight": "open1"})
    with pytest.raises(WeightsNotAppliedError, match="culture_distance"):
        culture_distance(score(weighted), "cluster")


def test_several_keys_and_numbers_as_names() -> None:
    frame = two().assign(wave=[1, 1, 1, 2, 2])
    result = culture_distance(frame, ["school", "wave"], scales=["y"], n_boot=BOOT)
    assert result.schools == ("A · 1", "B · 1", "B · 2")
    numbers = found(two().assign(school=[10, 10, 9, 9, 9]))
    assert numbers.schools == (9, 10)


def test_shares_closer() -> None:
    assert_allclose(share_smaller(np.array([3.0, 1, 2])), [1, 0, 0.5])
    assert_allclose(share_smaller(np.array([1.0, 1, 2])), [0.25, 0.25, 1])
    assert np.isnan(share_smaller(np.array([1.0]))).all()


def test_results_can_be_shown() -> None:
    result = found(staff())
    assert "in standard deviations within schools" in result.summary()
    assert "Closer pairs: the share of all other pairs" in result.summary()
    svg = result.chart().to_svg()
    assert "<svg" in svg and "−" not in svg  # no colours for distances below zero
    assert result.matrix().shape == (4, 4)
    with pytest.raises(OptionError, match="quantity"):
        result.matrix("ci_low")


def test_bad_input() -> None:
    frame = staff()
    with pytest.raises(NotEnoughDataError, match="at least 2 schools.*there are 1"):
        found(staff(schools=1))
    with pytest.raises(NotEnoughDataError, match="there are 0"):
        found(frame.assign(open=np.nan))
    with pytest.raises(OptionError, match="metric='cosine'"):
        found(frame, metric="cosine")
    with pytest.raises(OptionError, match="has its own yardstick"):
        found(frame, metric="mahalanobis", standardise="within")
    with pytest.raises(OptionError, match="n_boot"):
        culture_distance(frame, "school", n_boot=5)
    with pytest.raises(UnknownNameError, match="column or role 'scool'"):
        culture_distance(frame, "scool")
    with pytest.raises(DataError, match="Everybody in a school has the same value of 'open'"):
        found(frame.assign(open=3.3))
    with pytest.raises(DataError, match="'both' follow from those before"):
        found(frame.assign(both=frame["open"] + frame["share"]), metric="mahalanobis")
    with pytest.raises(NotEnoughDataError, match="beyond one a school"):
        found(frame.groupby("school").head(1), metric="mahalanobis")
    with pytest.raises(DataError, match="holds text"):
        found(frame.assign(word="x"), scales=["open", "word"])
    with pytest.raises(DataError, match="infinite"):
        found(frame.assign(open=np.inf))
    with pytest.raises(DataError, match="cannot be called 'n'"):
        found(frame.rename(columns={"open": "n"}))


def test_a_covariance_from_few_people_is_named() -> None:
    result = found(staff(schools=2), metric="mahalanobis")
    assert any("rests on 7 respondents beyond one a school for 3" in n for n in result.notes)


def test_shares_of_a_composition_bring_their_zeros_replaced() -> None:
    instrument = load_instrument("relational_context")
    scale = next(s for s in instrument.scoring if s.rule == "composition" and s.types)
    generator = np.random.default_rng(3)
    frame = pd.DataFrame({"id": range(12), "school": list("XYZ") * 4})
    for item in instrument.item_ids:
        frame[item] = np.nan
    frame[list(scale.items)] = generator.integers(1, 4, (12, len(scale.items))).astype(float)
    answers = Responses(frame, instrument, {"respondent": "id", "cluster": "school"})
    shares = composition(answers, scale.id)
    result = culture_distance(shares, "cluster", metric="aitchison", n_boot=BOOT)
    logs = shares.to_frame(keep=["cluster"], as_="clr")
    names = [f"{scale.id}.clr.{name}" for name in shares.types]
    means = logs.groupby("school")[names].mean()
    assert_allclose(result.pairs["distance"], scipy_distance.pdist(means), rtol=1e-10)
    assert result.scales == tuple(f"{scale.id}.{name}" for name in shares.types)
    assert_allclose(result.profiles[list(result.scales)].sum(axis=1), 1)
    with pytest.raises(OptionError, match="shares add up to a constant"):
        culture_distance(shares, "cluster")
