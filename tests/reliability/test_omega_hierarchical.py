"""Omega with group factors: psych, closed forms of exact structures, what must hold."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey.errors import NotEnoughItemsError, OptionError, SingularFitWarning
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.reliability.omega import omega
from collabsurvey.reliability.omega_result import OmegaResult
from collabsurvey.reliability.schmid_leiman import (
    Structure,
    general_names,
    group_factors,
    hierarchical_coefficients,
    home_factor,
    percent_uncontaminated,
    resampled_group_factors,
)
from collabsurvey.responses import Responses, from_frame
from support import BFI_REVERSED, BFI_SCALES, dataset, gold, matrix

GOLD = gold("02_reliability")
LOOSE = 1e-3  # the entry's own tolerance: psych stops its rotation early
STOPPED = 5e-5  # how far psych's loadings are from the optimum on these data


def cases() -> dict[str, tuple[Responses, tuple[str, ...]]]:
    items = tuple(BFI_SCALES["agree"] + BFI_SCALES["consc"] + BFI_SCALES["neuro"])
    bfi = from_frame(
        dataset("bfi"), scales=BFI_SCALES, reverse_keyed=BFI_REVERSED, response_range=(1, 6)
    )
    nine = tuple(f"x{i}" for i in range(1, 10))
    hs = from_frame(dataset("hs1939"), scales={"nine": nine})
    return {"omega_3f_bfi": (bfi, items), "omega_3f_hs1939": (hs, nine)}


def fitted(entry: str, **options: Any) -> OmegaResult:
    responses, items = cases()[entry]
    return omega(responses, items, kind="hierarchical", n_factors=3, **{"ci": "none"} | options)


@pytest.mark.parametrize("entry", ["omega_3f_bfi", "omega_3f_hs1939"])
def test_every_coefficient_matches_psych(entry: str) -> None:
    expected = GOLD[entry]["values"]
    result = fitted(entry)
    ours = result.to_frame().set_index("coefficient")["estimate"]
    assert_allclose(result.estimate, expected["omega_h"], rtol=LOOSE)
    assert_allclose(ours["omega_total"], expected["omega_total"], rtol=LOOSE)
    assert_allclose(ours["omega_limit"], expected["omega_lim"], rtol=LOOSE)
    assert_allclose(ours["std_alpha"], expected["alpha"], rtol=1e-8)
    general, *groups = expected["omega_group"]
    assert_allclose(ours["omega_groups"], general["group"], rtol=LOOSE)
    for j, row in enumerate(groups, start=1):
        for kind in ("total", "general", "group"):
            assert_allclose(ours[f"omega_{kind}_F{j}"], row[kind], rtol=LOOSE)


@pytest.mark.parametrize("entry", ["omega_3f_bfi", "omega_3f_hs1939"])
def test_loadings_match_psych(entry: str) -> None:
    expected = GOLD[entry]["values"]
    result = fitted(entry)
    theirs = matrix(expected["schmid_leiman"]).to_numpy()
    ours = result.loadings[["general", "F1", "F2", "F3", "communality", "uniqueness"]]
    assert_allclose(ours, theirs[:, :6], atol=STOPPED)
    assert result.oblique is not None
    assert result.factor_correlations is not None
    assert result.second_order is not None
    assert_allclose(result.oblique, matrix(expected["oblique"]), atol=STOPPED)
    assert_allclose(result.factor_correlations, matrix(expected["phi"]), atol=STOPPED)
    assert_allclose(result.second_order, matrix(expected["gloading"]), atol=STOPPED)
    # Of three group factors the decomposition is exact, and psych's p2 is our general share.
    assert_allclose(result.loadings["general_share"], theirs[:, 6], atol=STOPPED)
    if "dof" in expected:
        assert result.fit["df"] == expected["dof"]


@pytest.mark.parametrize("entry", ["omega_3f_bfi", "omega_3f_hs1939"])
def test_ours_is_the_better_optimum(entry: str) -> None:
    """Psych's pattern has the larger oblimin criterion, by 3e-7: it stops early."""

    def oblimin(loadings: FloatArray) -> float:
        squares = loadings**2
        return float((squares.sum(axis=1) ** 2 - (squares**2).sum(axis=1)).sum() / 4)

    expected = GOLD[entry]["values"]
    result = fitted(entry)
    assert result.oblique is not None
    theirs = oblimin(matrix(expected["oblique"]).to_numpy())
    assert theirs - 1e-6 < oblimin(result.oblique.to_numpy()) < theirs
    # One factor of three correlations is exact, which gives ours in closed form.
    assert result.factor_correlations is not None
    assert result.second_order is not None
    phi = result.factor_correlations.to_numpy()
    r12, r13, r23 = phi[0, 1], phi[0, 2], phi[1, 2]
    closed = np.sqrt([r12 * r13 / r23, r12 * r23 / r13, r13 * r23 / r12])
    assert_allclose(np.abs(result.second_order["general"]), closed, rtol=1e-7)


def hierarchical_structure() -> tuple[FloatArray, FloatArray, FloatArray]:
    """Correlations of 12 items with an exact second-order structure; general, group loadings."""
    second = np.array([0.8, 0.7, 0.6])
    pattern = np.zeros((12, 3))
    pattern[np.arange(12), np.repeat([0, 1, 2], 4)] = np.tile([0.8, 0.7, 0.6, 0.75], 3)
    general = pattern @ second
    groups = pattern * np.sqrt(1 - second**2)
    cor = np.outer(general, general) + groups @ groups.T
    np.fill_diagonal(cor, 1.0)
    return cor, general, groups


@pytest.mark.parametrize("structure", ["schmid_leiman", "direct_schmid_leiman"])
def test_an_exact_structure_is_found(structure: Structure) -> None:
    cor, general, groups = hierarchical_structure()
    found = group_factors(
        cor, 3, structure=structure, extraction="minres", rotation="oblimin", seed=1
    )
    # The direct rotation is towards ones, not towards these loadings: it is near them only.
    atol = 1e-5 if structure == "schmid_leiman" else 0.08
    assert_allclose(found.general[0], general, atol=atol)
    order = np.abs(found.groups[0]).argmax(axis=1)[[0, 4, 8]]
    assert_allclose(found.groups[0][:, order], groups, atol=atol)
    common = np.outer(found.general[0], found.general[0]) + found.groups[0] @ found.groups[0].T
    np.fill_diagonal(common, 1.0)
    assert_allclose(common, cor, atol=1e-6)


def test_an_exact_bifactor_structure_is_found() -> None:
    general = np.tile([0.7, 0.5, 0.6, 0.4], 3)
    groups = np.zeros((12, 3))
    groups[np.arange(12), np.repeat([0, 1, 2], 4)] = np.tile([0.3, 0.6, 0.4, 0.5], 3)
    cor = np.outer(general, general) + groups @ groups.T
    np.fill_diagonal(cor, 1.0)
    found = group_factors(
        cor, 3, structure="bifactor", extraction="minres", rotation="oblimin", seed=1
    )
    assert_allclose(found.general[0], general, atol=1e-4)
    home = home_factor(found.groups[0])
    values = hierarchical_coefficients(cor[None], found, home, observed=True)[0]
    ours = dict(zip(general_names(3), values, strict=True))
    whole = cor.sum()
    unique = (1 - general**2 - (groups**2).sum(axis=1)).sum()
    assert_allclose(ours["omega_hierarchical"], general.sum() ** 2 / whole, atol=1e-4)
    assert_allclose(ours["omega_total"], 1 - unique / whole, atol=1e-5)
    common = (general**2).sum() + (groups**2).sum()
    assert_allclose(ours["explained_common_variance"], (general**2).sum() / common, atol=1e-4)


def test_variances_of_model_and_data_are_the_same_in_an_exact_structure() -> None:
    cor, general, _ = hierarchical_structure()
    found = group_factors(
        cor, 3, structure="schmid_leiman", extraction="minres", rotation="oblimin", seed=1
    )
    home = home_factor(found.groups[0])
    both = [
        hierarchical_coefficients(cor[None], found, home, observed=observed)[0]
        for observed in (True, False)
    ]
    assert_allclose(both[0], both[1], atol=1e-6)
    assert_allclose(both[0][0], general.sum() ** 2 / cor.sum(), atol=1e-5)


def test_resamples_of_the_sample_itself_are_the_sample() -> None:
    cor = np.corrcoef(dataset("hs1939")[[f"x{i}" for i in range(1, 10)]].T)
    for structure in ("schmid_leiman", "direct_schmid_leiman", "bifactor"):
        found = group_factors(
            cor, 3, structure=structure, extraction="minres", rotation="oblimin", seed=1
        )
        again = resampled_group_factors(
            np.repeat(cor[None], 2, 0),
            found,
            structure=structure,
            extraction="minres",
            rotation="oblimin",
        )
        assert_allclose(again.general, np.repeat(found.general, 2, 0), atol=1e-5)
        assert_allclose(again.groups, np.repeat(found.groups, 2, 0), atol=1e-5)


def test_percent_uncontaminated() -> None:
    # 12 items in 3 groups of 4: 18 of 66 pairs share a group (Reise et al., 2013).
    assert_allclose(percent_uncontaminated(np.repeat([0, 1, 2], 4)), 48 / 66)
    assert fitted("omega_3f_hs1939").percent_uncontaminated == pytest.approx(27 / 36)


def test_the_unit_and_the_direction_of_an_item_do_not_matter() -> None:
    frame = dataset("hs1939")
    nine = [f"x{i}" for i in range(1, 10)]
    plain = omega(
        from_frame(frame, scales={"s": nine}), "s", kind="hierarchical", n_factors=3, ci="none"
    )
    frame["x1"] = 3 - 10 * frame["x1"]
    turned = from_frame(frame, scales={"s": nine}, reverse_keyed=["x1"], response_range=(-90, 20))
    result = omega(turned, "s", kind="hierarchical", n_factors=3, ci="none")
    assert_allclose(result.estimate, plain.estimate, rtol=1e-6)
    raw = result.to_frame().set_index("coefficient").loc["omega_hierarchical_raw", "estimate"]
    assert abs(raw - result.estimate) > 0.01  # of the answers as given, x1 counts more


def test_total_of_several_factors_is_the_same_solution() -> None:
    responses, items = cases()["omega_3f_hs1939"]
    total = omega(responses, items, n_factors=3, ci="none")
    assert total.coefficient == "omega_total"
    assert_allclose(total.estimate, GOLD["omega_3f_hs1939"]["values"]["omega_total"], rtol=LOOSE)
    frames = [r.to_frame().sort_values("coefficient") for r in (total, fitted("omega_3f_hs1939"))]
    assert_allclose(frames[0]["estimate"], frames[1]["estimate"])


def test_structures_are_named_and_differ() -> None:
    results = {
        structure: fitted("omega_3f_hs1939", structure=structure)
        for structure in ("schmid_leiman", "direct_schmid_leiman")
    }
    with pytest.warns(SingularFitWarning, match="residual variance of x7"):  # one factor too many
        results["bifactor"] = fitted("omega_3f_hs1939", structure="bifactor")
    assert len({round(r.estimate, 4) for r in results.values()}) == 3
    assert results["bifactor"].oblique is None
    assert "bifactor rotation" in results["bifactor"].estimator
    assert results["schmid_leiman"].estimator == "3 group factors, minres, oblimin, Schmid–Leiman"


def test_two_group_factors_get_equal_general_loadings() -> None:
    responses, items = cases()["omega_3f_hs1939"]
    result = omega(responses, items[:6], kind="hierarchical", n_factors=2, ci="none")
    assert result.second_order is not None
    assert result.factor_correlations is not None
    r = result.factor_correlations.iloc[0, 1]
    assert_allclose(result.second_order["general"], np.sqrt(r))
    assert any("set equal" in note for note in result.notes)


def test_negative_general_loadings_are_said() -> None:
    notes = fitted("omega_3f_bfi").notes
    assert any("Negative loadings on the general factor: N1, N2" in note for note in notes)


def test_too_many_factors_for_the_items() -> None:
    responses, items = cases()["omega_3f_hs1939"]
    with pytest.raises(NotEnoughItemsError, match="3 group factors needs at least 6 items"):
        omega(responses, items[:5], kind="hierarchical", n_factors=3)
    with pytest.raises(NotEnoughItemsError, match="needs at least 8 items"):
        omega(responses, items[:7], kind="hierarchical", n_factors=3, structure="bifactor")


def test_interval_over_respondents_and_schools() -> None:
    result = fitted("omega_3f_hs1939", ci="bootstrap")
    assert result.ci_method == "jackknife"
    assert result.ci_low < result.estimate < result.ci_high
    for bootstrap in ("percentile", "bca"):
        other = fitted("omega_3f_hs1939", ci="bootstrap", bootstrap=bootstrap, n_boot=200)
        assert other.ci_method == bootstrap
        assert other.ci_low < other.estimate < other.ci_high
    frame = dataset("hs1939").assign(room=np.arange(301) % 12)
    nine = [f"x{i}" for i in range(1, 10)]
    clustered = from_frame(frame, scales={"s": nine}, roles={"cluster": "room"})
    over = omega(clustered, "s", kind="hierarchical", n_factors=3)
    assert over.ci_method == "jackknife"
    assert over.n_clusters == 12
    assert over.ci_low < over.estimate < over.ci_high
    text = over.summary()
    assert text.startswith("Omega hierarchical of s: 0.45 (95% CI 0.")
    assert "omega hierarchical of group factor F1" in text


def test_a_group_factor_without_items_has_no_coefficients() -> None:
    cor, *_ = hierarchical_structure()
    found = group_factors(
        cor, 3, structure="schmid_leiman", extraction="minres", rotation="oblimin", seed=1
    )
    home = np.where(home_factor(found.groups[0]) == 2, 0, home_factor(found.groups[0]))
    values = hierarchical_coefficients(cor[None], found, home, observed=True)[0]
    missing = [name for name, v in zip(general_names(3), values, strict=True) if np.isnan(v)]
    assert missing == ["omega_total_F3", "omega_general_F3", "omega_group_F3"]


def test_the_other_coefficients_keep_their_intervals() -> None:
    """Three factors of two clusters of items: one has no items, and the rest is still there."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal((500, 2))[:, np.repeat([0, 1], 5)] + rng.standard_normal((500, 10))
    names = list("abcdefghij")
    responses = from_frame(pd.DataFrame(x, columns=names), scales={"s": names})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFitWarning)
        result = omega(
            responses, "s", kind="hierarchical", n_factors=4, bootstrap="percentile", n_boot=100
        )
    frame = result.to_frame().set_index("coefficient")
    empty = frame.index[frame["estimate"].isna()]
    if len(empty):
        assert any("No item loads most on" in note for note in result.notes)
    refused = any(note.startswith("No interval") for note in result.notes)
    assert refused or (frame["ci_low"].isna() == frame["estimate"].isna()).all()


@pytest.mark.filterwarnings("ignore::collabsurvey.errors.SingularFitWarning")
@pytest.mark.parametrize("scale", ["agree", "consc", "extra", "neuro", "open"])
def test_no_impossible_interval(scale: str) -> None:
    """Five items and two group factors are often a Heywood case, whose interval means nothing."""
    bfi = cases()["omega_3f_bfi"][0]
    result = omega(bfi, scale, kind="hierarchical", n_factors=2)
    frame = result.to_frame()
    assert not (frame["ci_low"] < -1).any()
    shares = frame[~frame["coefficient"].isin(["omega_total", "omega_total_raw", "std_alpha"])]
    assert not (shares["ci_low"] < 0).any()
    assert (result.ci_method == "none") == bool(result.heywood)
    if result.heywood:
        assert frame["ci_low"].isna().all()
        assert any(note.startswith("No interval: ") for note in result.notes)
        assert "CI" not in result.table().title
    else:
        assert set(frame["ci_method"]) == {"jackknife"}
        assert any(note.startswith("The jackknife, not a bootstrap") for note in result.notes)


def test_a_default_is_not_quoted_as_chosen() -> None:
    with pytest.raises(OptionError) as caught:
        omega(cases()["omega_3f_bfi"][0], "agree", kind="hierarchical")
    assert str(caught.value).startswith("kind='hierarchical' needs n_factors of 2 or more")
