"""What non-invariance does to a finding: against lavaan, formulas, and known truth."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad
from scipy.special import ndtr

import collabsurvey as cs
from collabsurvey.errors import (
    DataError,
    NotEnoughDataError,
    NotEnoughItemsError,
    NotSupportedError,
    OptionError,
    UnknownNameError,
)
from collabsurvey.invariance.consequences import consequences
from collabsurvey.invariance.consequences_result import ConsequencesResult, _change
from collabsurvey.invariance.partial import partial
from collabsurvey.invariance.scale_scores import Rows, mean_difference, scale_score, slopes
from support import REFERENCE, dataset

STORED = json.loads((REFERENCE / "partial_invariance.json").read_text(encoding="utf-8"))
MODEL = "visual =~ x1 + x2 + x3\n textual =~ x4 + x5 + x6\n speed =~ x7 + x8 + x9"
FREE = ("x3~1", "x7~1")
ONE = "f =~ i0 + i1 + i2 + i3 + i4 + i5"
TRUE = 0.2  # factor difference between the groups of `answers`


@pytest.fixture(scope="module")
def hs() -> pd.DataFrame:
    return dataset("hs1939")


@pytest.fixture(scope="module")
def found(hs: pd.DataFrame) -> ConsequencesResult:
    return consequences(hs, MODEL, "school", FREE, outcome="grade")


def answers(seed: int, *, n: int = 1000, shift: float = 0.8, turn: float = 0.0) -> pd.DataFrame:
    """Six items in two waves; in the second i4 is answered `shift` higher and i2 is steeper."""
    rng = np.random.default_rng(seed)
    parts = []
    for g in range(2):
        factor = TRUE * g + rng.standard_normal(n)
        loadings, cuts = np.full(6, 0.8), np.zeros(6)
        if g:
            cuts[4] += shift
            loadings[2] += turn
        x = cuts + factor[:, None] * loadings + 0.6 * rng.standard_normal((n, 6))
        y = 0.5 * factor + rng.standard_normal(n)
        part = pd.DataFrame(x, columns=[f"i{j}" for j in range(6)])
        parts.append(part.assign(wave=f"wave {g + 1}", y=y, school=rng.integers(0, 40, n)))
    return pd.concat(parts, ignore_index=True)


def version(frame: pd.DataFrame, factor: str, name: str) -> pd.Series:
    return frame[(frame["factor"] == factor) & (frame["version"] == name)].iloc[0]


# Latent versions against lavaan.


@pytest.mark.parametrize("name", ["latent", "latent_partial"])
@pytest.mark.parametrize("factor", ["visual", "textual", "speed"])
def test_latent_differences_are_lavaans(found: ConsequencesResult, name: str, factor: str) -> None:
    row = version(found.differences, factor, name)
    estimate, error = STORED[name][factor]
    assert_allclose(row["difference"], estimate, atol=2e-5)
    assert_allclose(row["std_error"], error, rtol=1e-4)


@pytest.mark.parametrize("kind", ["within", "pooled"])
@pytest.mark.parametrize("name", ["latent", "latent_partial"])
def test_latent_slopes_are_lavaans(found: ConsequencesResult, kind: str, name: str) -> None:
    frame = found.slopes[found.slopes["kind"] == kind]
    for factor in ("visual", "textual", "speed"):
        row = version(frame, factor, name)
        estimate, error = STORED["slopes"][kind][name][factor]
        assert_allclose(row["slope"], estimate, atol=2e-6)
        assert_allclose(row["std_error"], error, rtol=1e-4)


def test_standardised_latent_slope_is_a_correlation_with_one_factor() -> None:
    """Slope times the ratio of implied standard deviations; truth .5 / sqrt(1.25)."""
    data = answers(5, n=4000, shift=0.8)
    frame = consequences(data, ONE, "wave", ["i4~1"], outcome="y").slopes
    row = version(frame[frame["kind"] == "within"], "f", "latent_partial")
    assert abs(row["std_slope"] - 0.5 / np.sqrt(1.25)) < 4 * row["std_slope_error"]
    assert 0.005 < row["std_slope_error"] < 0.02


# Scales.


def test_scale_difference_is_that_of_means_with_welchs_error(
    hs: pd.DataFrame, found: ConsequencesResult
) -> None:
    score = hs[["x7", "x8", "x9"]].mean(axis=1)
    late, early = score[hs["school"] == "Grant-White"], score[hs["school"] == "Pasteur"]
    row = version(found.differences, "speed", "scale")
    assert_allclose(row["difference"], late.mean() - early.mean(), rtol=1e-10)
    error = np.sqrt(late.var() / len(late) + early.var() / len(early))
    assert_allclose(row["std_error"], error, rtol=1e-10)
    pooled = (late.var() * (len(late) - 1) + early.var() * (len(early) - 1)) / (len(score) - 2)
    assert_allclose(row["d"], row["difference"] / np.sqrt(pooled), rtol=1e-10)
    left = hs[["x8", "x9"]].mean(axis=1)
    without = version(found.differences, "speed", "scale_without")
    assert_allclose(
        without["difference"],
        left[hs["school"] == "Grant-White"].mean() - left[hs["school"] == "Pasteur"].mean(),
        rtol=1e-10,
    )
    assert (row["n_items"], without["n_items"]) == (3, 2)


def test_errors_of_effects_are_those_of_the_jackknife() -> None:
    """Influences are the limit of leaving one out: the same to about 1 / n."""
    rng = np.random.default_rng(1)
    n = 400
    groups = np.repeat([0, 1], [250, 150]).astype(np.int64)
    x = np.column_stack([rng.standard_normal(n), rng.gamma(2.0, 1.0, n)]) + 0.4 * groups[:, None]
    y = x @ np.array([0.5, 0.3]) + rng.standard_normal(n) * (1 + groups)

    def both(keep: np.ndarray) -> np.ndarray:
        rows = Rows(groups[keep], np.ones(keep.sum()), None)
        effects = mean_difference(x[keep, 1], rows, 1, 0)
        inside = slopes(y[keep], x[keep], rows, within=True)
        over_all = slopes(y[keep], x[keep], rows, within=False)
        found = [*effects, *(one for pair in (*inside, *over_all) for one in pair)]
        return np.array([[one.value for one in found], [one.error(rows) for one in found]])

    every = np.ones(n, dtype=bool)
    left_out = []
    for i in range(n):
        every[i] = False
        left_out.append(both(every)[0])
        every[i] = True
    spread = np.sqrt((n - 1) / n * ((left_out - np.mean(left_out, axis=0)) ** 2).sum(axis=0))
    assert_allclose(both(every)[1], spread, rtol=0.02)


def test_slopes_are_least_squares() -> None:
    rng = np.random.default_rng(2)
    groups = np.repeat([0, 1, 2], 60).astype(np.int64)
    x = rng.standard_normal((180, 2)) + groups[:, None]
    y = x @ np.array([0.5, -0.2]) + groups + rng.standard_normal(180)
    rows = Rows(groups, np.ones(180), None)
    dummies = np.eye(3)[groups]
    for within, design in ((True, [x, dummies]), (False, [x, np.ones((180, 1))])):
        whole = np.column_stack(design)
        expected = np.linalg.lstsq(whole, y, rcond=None)[0]
        residual = y - whole @ expected
        inverse = np.linalg.inv(whole.T @ whole)
        meat = (whole * residual[:, None]).T @ (whole * residual[:, None])
        hc1 = inverse @ meat @ inverse * 180 / (180 - whole.shape[1])
        got = slopes(y, x, rows, within=within)
        assert_allclose([one.value for one, _ in got], expected[:2], rtol=1e-10)
        assert_allclose([one.error(rows) for one, _ in got], np.sqrt(np.diag(hc1))[:2], rtol=1e-10)


def test_clusters_of_one_change_only_the_small_sample_factor() -> None:
    rng = np.random.default_rng(3)
    groups = np.repeat([0, 1], 50).astype(np.int64)
    y = rng.standard_normal(100)
    alone = Rows(groups, np.ones(100), None)
    each = Rows(groups, np.ones(100), np.arange(100))
    influence = mean_difference(y, alone, 1, 0)[0].influence
    assert_allclose(each.error(influence), alone.error(influence) * np.sqrt(100 / 99), rtol=1e-12)
    twice = Rows(np.tile(groups, 2), np.ones(200), np.tile(np.arange(100), 2))
    doubled = np.tile(influence, 2) / 2
    assert_allclose(twice.error(doubled), each.error(influence), rtol=1e-12)


def test_scale_score_needs_half_the_answers() -> None:
    x = np.array(
        [[1.0, 2, 3, 4], [2, 3, 4, 5], [np.nan, np.nan, 4, 5], [np.nan, np.nan, np.nan, 5]]
    )
    score = scale_score(x, np.array([1.0, 1, -1, 1]))
    assert np.isnan(score).tolist() == [False, False, False, True]
    centred = x - np.nanmean(x, axis=0)
    assert_allclose(score[2], (-centred[2, 2] + centred[2, 3]) / 2)


# Truth.


def test_versions_without_the_item_recover_the_truth() -> None:
    frame = consequences(answers(1, n=3000), ONE, "wave", ["i4~1"]).differences
    by_version = frame.set_index("version")
    for name in ("latent_partial", "scale_without"):
        row = by_version.loc[name]
        reliable = 1.0 if name == "latent_partial" else np.sqrt(5 * 0.64 / (5 * 0.64 + 0.36))
        assert abs(row["d"] - TRUE * reliable) < 3 * row["d_std_error"]
    for name in ("latent", "scale"):
        row = by_version.loc[name]
        assert row["d"] - TRUE > 3 * row["d_std_error"]


def test_bias_of_an_item_is_its_shift_and_adds_up() -> None:
    data = answers(1, n=3000)
    found = consequences(data, ONE, "wave", ["i4~1"])
    item = found.items.iloc[0]
    assert (item["item"], len(found.items)) == ("i4", 1)
    assert abs(item["bias"] - 0.8) < 3 * item["std_error"]
    # With equal loadings dMACS is the shift in standard deviations, signed or not.
    assert_allclose(item["dmacs"], item["dmacs_signed"], rtol=1e-9)
    assert_allclose(item["scale_bias"], item["bias"] / 6, rtol=1e-9)
    # The scale's difference is what remains plus what the item adds.
    by_version = found.differences.set_index("version")["difference"]
    assert_allclose(
        by_version["scale"] - by_version["scale_without"] * 5 / 6 - item["scale_bias"],
        0.8 * TRUE / 6,
        atol=0.03,
    )


def test_dmacs_is_the_integral(hs: pd.DataFrame) -> None:
    found = consequences(hs, MODEL, "school", ["visual=~x3", "x3~1"])
    fitted = partial_parameters(hs, ("visual=~x3", "x3~1"))
    (a0, b0), (a1, b1), mean, sd_factor = fitted
    sd = pooled_sd(hs, "x3")
    x3 = found.items.iloc[0]

    def density(eta: float) -> float:
        return float(
            np.exp(-0.5 * ((eta - mean) / sd_factor) ** 2) / sd_factor / np.sqrt(2 * np.pi)
        )

    square = quad(lambda eta: (a1 - a0 + (b1 - b0) * eta) ** 2 * density(eta), -12, 12)[0]
    signed = quad(lambda eta: (a1 - a0 + (b1 - b0) * eta) * density(eta), -12, 12)[0]
    assert_allclose(x3["dmacs"], np.sqrt(square) / sd, rtol=1e-7)
    assert_allclose(x3["dmacs_signed"], signed / sd, rtol=1e-7)
    assert abs(x3["dmacs_signed"]) <= x3["dmacs"]


def partial_parameters(
    data: pd.DataFrame, free: tuple[str, ...]
) -> tuple[tuple[float, float], tuple[float, float], float, float]:
    """Intercept and loading of x3 in both groups, and the later group's factor, by cfa."""
    from collabsurvey.dimensionality import cfa

    frame = cfa(
        data, MODEL, group="school", equal=("loadings", "intercepts"), partial=free, std_lv=True
    ).estimates

    def value(lhs: str, op: str, rhs: str, group: int) -> float:
        at = (frame["lhs"] == lhs) & (frame["op"] == op) & (frame["rhs"] == rhs)
        return float(frame[at & (frame["group"] == group)]["estimate"].iloc[0])

    pairs = [(value("x3", "~1", "", g), value("visual", "=~", "x3", g)) for g in (1, 2)]
    mean, variance = value("visual", "~1", "", 2), value("visual", "~~", "visual", 2)
    return pairs[0], pairs[1], mean, float(np.sqrt(variance))


def pooled_sd(data: pd.DataFrame, item: str) -> float:
    groups = data.groupby("school")[item]
    return float(np.sqrt((groups.var() * (groups.size() - 1)).sum() / (len(data) - 2)))


def test_ordered_items_have_biases_in_categories() -> None:
    data = answers(2, n=3000)
    cuts = np.array([-1.0, 0.0, 1.0])
    for j in range(6):
        data[f"i{j}"] = np.digitize(data[f"i{j}"], cuts) + 1
    found = consequences(data, ONE, "wave", ["i4~1"], ordered=True)
    item = found.items.iloc[0]
    # What a shift of .8 does to the mean category where the factor is N(.2, 1).
    sd = np.sqrt(0.64 + 0.36)
    expected = sum(ndtr((0.8 + 0.16 - cuts) / sd) - ndtr((0.16 - cuts) / sd))
    assert abs(item["bias"] - expected) < 3.5 * item["std_error"]
    by_version = found.differences.set_index("version")
    row = by_version.loc["latent_partial"]
    assert abs(row["d"] - TRUE) < 3.5 * row["d_std_error"]


def test_reversed_items_change_nothing() -> None:
    data = answers(3)
    turned = data.assign(i0=6 - data["i0"], i4=6 - data["i4"])
    a = consequences(data, ONE, "wave", ["i4~1"], outcome="y")
    b = consequences(turned, ONE, "wave", ["i4~1"], outcome="y")
    for name in ("difference", "std_error", "d", "d_std_error"):
        assert_allclose(b.differences[name], a.differences[name], atol=1e-6)
    assert_allclose(b.slopes["std_slope"], a.slopes["std_slope"], atol=1e-6)
    assert_allclose(b.items["scale_bias"], a.items["scale_bias"], atol=1e-6)
    assert_allclose(b.items["bias"], -a.items["bias"], atol=1e-6)


def test_change_of_a_scale_has_an_error() -> None:
    found = consequences(answers(4), ONE, "wave", ["i4~1"])
    scale = found.changes[found.changes["kind"] == "scale"].iloc[0]
    assert_allclose(scale["change"], scale["d_to"] - scale["d_from"])
    assert scale["ci_high"] < 0 < scale["std_error"]
    # Both versions share five items, so that their difference is known better than either.
    assert scale["std_error"] < found.differences["d_std_error"].iloc[0]


# What is said and shown.


def test_sentences() -> None:
    found = consequences(answers(7, n=400, shift=0.9), ONE, "wave", ["i4~1"])
    at = found.differences.set_index("version")["d"]
    text = found.notes[0]
    assert text.startswith("f, wave 2 compared with wave 1: the difference shrinks from")
    assert f"{at['scale']:.2f}"[1:] in text and f"{at['scale_without']:.2f}"[1:] in text
    assert "the item that works differently (i4) is left out" in text


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (0.31, 0.12, "shrinks from .31 to .12"),
        (0.12, 0.31, "grows from .12 to .31"),
        (-0.11, 0.11, "turns round from −.11 to .11"),
        (0.311, 0.309, "stays at .31"),
        (1.5, 1.2, "shrinks from 1.50 to 1.20"),
        (0.2, -0.001, "shrinks from .20 to −.00"),
    ],
)
def test_words_of_a_change(before: float, after: float, words: str) -> None:
    assert _change(before, after) == words


def test_table_and_charts(found: ConsequencesResult, hs: pd.DataFrame) -> None:
    text = found.summary()
    assert "mean without the items that differ" in text and "latent, all items equal" in text
    assert found.chart().to_svg() and found.slope_chart().to_svg()
    assert found.to_frame().equals(found.differences)
    assert found.without == {"visual": ("x3",), "textual": (), "speed": ("x7",)}
    with pytest.raises(DataError, match="give outcome="):
        consequences(hs, MODEL, "school", FREE).slope_chart()


def test_takes_what_partial_found(hs: pd.DataFrame, found: ConsequencesResult) -> None:
    other = consequences(hs, MODEL, "school", partial(hs, MODEL, "school"))
    assert_allclose(other.differences["d"], found.differences["d"], rtol=1e-9)


def test_nothing_released_leaves_all_the_same(hs: pd.DataFrame) -> None:
    found = consequences(hs, MODEL, "school", [])
    assert_allclose(found.changes["change"], 0, atol=1e-12)
    assert found.items.empty
    assert found.notes[0].startswith("Nothing was released")


def test_errors_over_clusters() -> None:
    data = answers(6, n=800)
    rng = np.random.default_rng(0)
    effect = rng.normal(0, 0.5, 40)[data["school"]]
    data[[f"i{j}" for j in range(6)]] += effect[:, None]
    data["site"] = data["school"].astype(str) + data["wave"]
    alone = consequences(data, ONE, "wave", ["i4~1"]).differences
    found = consequences(data, ONE, "wave", ["i4~1"], cluster="site")
    assert (found.differences["std_error"] > 1.5 * alone["std_error"]).all()
    assert any("over 80 clusters" in note for note in found.notes)


def test_answers_with_gaps() -> None:
    data = answers(8, n=1500)
    rng = np.random.default_rng(1)
    for item in ("i1", "i4"):
        data[item] = data[item].where(rng.random(len(data)) > 0.2)
    found = consequences(data, ONE, "wave", ["i4~1"], missing="fiml", outcome="y")
    row = version(found.differences, "f", "latent_partial")
    assert abs(row["d"] - TRUE) < 3.5 * row["d_std_error"]
    assert any("half of them answered" in note for note in found.notes)


def test_roles_of_responses_are_used() -> None:
    data = answers(1, n=400)
    items = [f"i{j}" for j in range(6)]
    data[items] = np.clip(np.round(data[items] + 3), 1, 5)
    data["w"] = np.random.default_rng(0).uniform(0.5, 1.5, len(data))
    roles = {"cluster": "school", "wave": "wave", "weight": "w"}
    responses = cs.from_frame(data, scales={"trust": items}, response_range=(1, 5), roles=roles)
    a = consequences(responses, ONE, "wave", ["i4~1"], outcome="y", cluster="auto")
    b = consequences(data.assign(weight=1), ONE, "wave", ["i4~1"], outcome="y", cluster="school")
    assert any("Weights applied" in note for note in a.notes)
    assert (np.abs(a.slopes["slope"] - b.slopes["slope"]) < 0.05).all()
    assert (np.abs(a.slopes["slope"] - b.slopes["slope"]) > 0).all()


# Bad input.


def test_refuses_what_it_cannot_compare(hs: pd.DataFrame) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'x3~1'"):
        consequences(hs, MODEL, "school", ["x33~1"])
    with pytest.raises(NotEnoughItemsError, match="scale 'visual'"):
        consequences(hs, MODEL, "school", ["x3~1", "x2~1"])
    with pytest.raises(OptionError, match="not in the model"):
        consequences(hs, MODEL, "school", FREE, outcome="x1")
    with pytest.raises(UnknownNameError, match="Did you mean 'grade'"):
        consequences(hs, MODEL, "school", FREE, outcome="grad")
    with pytest.raises(NotSupportedError, match="regressions"):
        consequences(hs, f"{MODEL}\n speed ~ visual", "school", FREE)
    with pytest.raises(DataError, match="every row has the same value"):
        consequences(hs.assign(one=1), MODEL, "one", FREE)
    with pytest.raises(NotEnoughDataError, match="there are 6"):
        consequences(hs.groupby("school").head(6), MODEL, "school", FREE)
    bfi = dataset("bfi")
    with pytest.raises(NotSupportedError, match="ordered items"):
        consequences(bfi, "a =~ A2 + A3 + A4 + A5", "gender", ["A4~1"], outcome="age", ordered=True)
