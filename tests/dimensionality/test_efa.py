"""Exploratory factor analysis against psych and R run to the end; what must hold; what is refused.

`tight` in the reference file is the optimum, which ours must meet. `psych` stops up to
`max_abs_diff_loadings_psych_vs_tight` away from it; what follows from loadings may be as far
away as that distance explains.
"""

from __future__ import annotations

import json
import warnings
from functools import cache
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.dimensionality import (
    EfaResult,
    efa,
    extraction,
    given_correlations,
    pca,
    polychoric,
)
from collabsurvey.dimensionality.rotation import align, rearranged
from collabsurvey.errors import (
    ConvergenceWarning,
    DataError,
    NotEnoughDataError,
    NotSupportedError,
    OptionError,
    UnknownNameError,
)
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.responses import from_frame
from support import BFI_SCALES, REFERENCE, dataset, gold, matrix

mpl.use("Agg")

GOLD = gold("04_efa")
BFI25 = [f"{scale}{i}" for scale in "ACENO" for i in range(1, 6)]
HS1939 = [f"x{i}" for i in range(1, 10)]
NUMBER = {"bfi25": 5, "hs1939": 3}
ANALYSES = [id_ for id_ in GOLD if id_.startswith("fa_") and "scores" not in id_]
OPTIMUM = 1e-6  # of loadings; R's own `tight` solutions end 4e-7 away
ROTATIONS = [
    *("none", "varimax", "quartimax", "oblimin", "quartimin", "promax"),
    *("geomin", "geomin_orthogonal", "bifactor", "biquartimin"),
]


@cache
def answers(name: str) -> pd.DataFrame:
    """Answers, not to be changed."""
    return dataset("bfi")[BFI25] if name == "bfi25" else dataset("hs1939")[HS1939]


@cache
def analysis(
    name: str, extraction: Any = "minres", rotation: Any = "oblimin", kaiser: bool | None = None
) -> EfaResult:
    return efa(
        answers(name),
        n_factors=NUMBER[name],
        extraction=extraction,
        rotation=rotation,
        kaiser=kaiser,
    )


@cache
def peers() -> dict[str, Any]:
    stored = json.loads((REFERENCE / "efa.json").read_text(encoding="utf-8"))
    return {entry["id"]: entry["values"] for entry in stored["entries"]}


def phi_of(stored: dict[str, Any], m: int) -> FloatArray:
    phi = stored.get("Phi")
    rows = phi["data"] if phi else []
    return np.array(rows, dtype=float) if len(rows) else np.eye(m)


def matched(result: EfaResult, reference: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Loadings and factor correlations in the order and direction of a reference."""
    loadings, phi = result.loadings.to_numpy()[None], result.factor_correlations.to_numpy()[None]
    permutation, sign = align(loadings, reference)
    here, across = rearranged(loadings, phi, permutation, sign)
    return here[0], across[0]


def parts(id_: str) -> tuple[str, str, str]:
    _, extraction, rotation, name = id_.split("_")
    return name, extraction, rotation


# The stored results of R


@pytest.mark.parametrize("id_", ANALYSES)
def test_loadings_are_those_of_the_optimum(id_: str) -> None:
    name, extraction, rotation = parts(id_)
    tight = GOLD[id_]["values"]["tight"]
    # `tight` promax is stats::promax, which does not normalise.
    result = analysis(name, extraction, rotation, False if rotation == "promax" else None)
    reference = np.array(tight["loadings"]["data"], dtype=float)
    loadings, phi = matched(result, reference)
    assert result.converged
    assert result.rotation_converged
    assert_allclose(loadings, reference, atol=OPTIMUM)
    assert_allclose(phi, phi_of(tight, NUMBER[name]), atol=OPTIMUM)
    assert_allclose(result.communalities, list(tight["communality"].values()), atol=OPTIMUM)
    # The gold columns are sorted by sums of squares and signed: so are ours, without help.
    if rotation in ("none", "varimax"):
        assert_allclose(result.loadings.to_numpy(), reference, atol=OPTIMUM)


@pytest.mark.parametrize("id_", ANALYSES)
def test_loadings_are_as_far_from_psych_as_psych_is_from_the_optimum(id_: str) -> None:
    name, extraction, rotation = parts(id_)
    values = GOLD[id_]["values"]
    result = analysis(name, extraction, rotation)
    reference = matrix(values["psych"]["loadings"]).to_numpy()
    loadings, phi = matched(result, reference)
    distance = values["max_abs_diff_loadings_psych_vs_tight"]
    if rotation == "promax":  # psych normalises, `tight` does not: another rotation
        assert distance > 0.04
        distance = 1e-3  # of the varimax that psych's promax starts from
    assert_allclose(loadings, reference, atol=distance + OPTIMUM)
    assert_allclose(phi, phi_of(values["psych"], NUMBER[name]), atol=distance + OPTIMUM)


@pytest.mark.parametrize("id_", ANALYSES)
def test_numbers_beside_the_loadings_match_psych(id_: str) -> None:
    name, extraction, rotation = parts(id_)
    values = GOLD[id_]["values"]
    theirs, m = values["psych"], NUMBER[name]
    result = analysis(name, extraction, rotation)
    tight = np.array(list(values["tight"]["communality"].values()))
    stopped = np.abs(np.array(list(theirs["communality"].values())) - tight).max() + OPTIMUM
    assert_allclose(result.communalities, list(theirs["communality"].values()), atol=stopped)
    assert_allclose(result.uniquenesses, list(theirs["uniqueness"].values()), atol=stopped)
    assert_allclose(result.eigenvalues, theirs["e_values"], rtol=1e-10)
    # Eigenvalues move by no more than the largest change of the diagonal.
    assert_allclose(result.reduced_eigenvalues, theirs["values"], atol=stopped)

    reference = matrix(theirs["loadings"]).to_numpy()
    loadings, _ = matched(result, reference)
    moved = np.abs(loadings - reference).max()
    assert_allclose(
        result.complexity,
        list(theirs["complexity"].values()),
        atol=float((1.1 * moved * complexity_slope(loadings)).max()) + OPTIMUM,
    )
    # SS loadings are diag(Phi L'L): off by at most 2 |L| times the distance, and Phi's.
    variance = matrix(theirs["Vaccounted"]).T
    if not theirs["Vaccounted"]["rows"]:
        raise AssertionError("psych stores the names of its rows")
    order = np.argsort(-np.diag(phi_of(theirs, m) @ reference.T @ reference), kind="stable")
    size = np.abs(loadings).sum(axis=0).max()
    away = 4 * size * moved + OPTIMUM
    ours = result.variance.sort_values("ss_loadings", ascending=False)
    assert_allclose(ours["ss_loadings"], variance["SS loadings"].to_numpy()[order], atol=away)
    p = len(loadings)
    assert_allclose(ours["proportion"], variance["Proportion Var"].to_numpy()[order], atol=away / p)
    assert_allclose(ours["share"], variance["Proportion Explained"].to_numpy()[order], atol=away)
    # The total does not depend on the rotation.
    total = variance["Cumulative Var"].iloc[-1]
    assert_allclose(result.variance["cumulative"].iloc[-1], total, atol=stopped)
    assert_allclose(result.variance["share"].sum(), 1, rtol=1e-12)


def complexity_slope(loadings: FloatArray) -> FloatArray:
    """Sum of the absolute derivatives of Hofmann's complexity by an item's loadings (p,)."""
    square, fourth = (loadings**2).sum(axis=1), (loadings**4).sum(axis=1)
    slope = 4 * loadings * (square / fourth)[:, None]
    slope -= 4 * loadings**3 * (square**2 / fourth**2)[:, None]
    return np.asarray(np.abs(slope).sum(axis=1))


@pytest.mark.parametrize("id_", ANALYSES)
def test_fit_matches_psych(id_: str) -> None:
    """psych's own loadings give psych's fit to 1e-8: see test_factor_fit."""
    name, extraction, rotation = parts(id_)
    theirs = GOLD[id_]["values"]["psych"]
    fit = analysis(name, extraction, rotation).fit
    assert fit["df"] == theirs["dof"]
    # Likelihood is flat where psych's ml stops; minres is no minimum of it, and moves with the
    # 1e-6 to 7e-6 by which psych's communalities are off.
    rtol = 1e-8 if extraction == "ml" else 2e-6
    for ours, stored in (
        ("objective", theirs["objective"]),
        ("chi2", theirs["chi_statistic"]),
        ("tli", theirs["TLI"]),
        ("rmsea", theirs["RMSEA"]["RMSEA"]),
    ):
        assert_allclose(fit[ours], stored, rtol=rtol)
    slack = rtol * theirs["chi_statistic"]
    assert_allclose([fit["bic"], fit["sabic"]], [theirs["BIC"], theirs["SABIC"]], atol=slack)
    limits = [theirs["RMSEA"]["lower"], theirs["RMSEA"]["upper"]]
    # psych's limits come from uniroot.
    assert_allclose([fit["rmsea_ci_low"], fit["rmsea_ci_high"]], limits, rtol=2e-5)
    assert_allclose(fit["p_value"], theirs["p"], rtol=1e-6 + slack)
    # Residuals are flat where minres is, and move with the communalities of ml.
    rtol = 1e-8 if extraction == "minres" else 2e-6
    assert_allclose(fit["chi2_empirical"], theirs["empirical_chi"], rtol=rtol)
    assert_allclose(fit["rmsr"], theirs["RMSR"], rtol=rtol)
    assert_allclose(fit["rmsr_corrected"], theirs["CRMS"], rtol=rtol)
    assert_allclose(fit["fit_off"], theirs["fit_off"], rtol=1e-7)


@pytest.mark.parametrize("name", NUMBER)
@pytest.mark.parametrize(
    ("method", "theirs"),
    [("regression", "Thurstone"), ("ten_berge", "tenBerge"), ("bartlett", "Bartlett")],
)
def test_scores_match_psych(name: str, method: str, theirs: str) -> None:
    """Given psych's loadings weights match to 1e-8 (test_factor_scores); these are ours."""
    values = GOLD[f"fa_scores_{name}"]["values"]
    result = analysis(name)
    permutation, sign = align(
        result.loadings.to_numpy()[None], matrix(values["loadings"]).to_numpy()
    )
    order, turn = permutation[0], sign[0]
    stored = values[theirs]
    weights = result.score_weights(method).to_numpy()[:, order] * turn
    assert_allclose(weights, matrix(stored["weights"]).to_numpy(), atol=5e-5)
    complete = answers(name).notna().all(axis=1)
    scores = result.scores(method=method)
    assert len(scores) == len(complete)
    assert scores[~complete].isna().all(axis=None)
    kept = scores[complete].to_numpy(float)[:, order] * turn
    assert_allclose(kept[:10], matrix(stored["first10"]).to_numpy(), atol=1e-4)
    assert_allclose(np.corrcoef(kept.T), matrix(stored["r_scores"]).to_numpy(), atol=5e-5)
    if method == "regression":
        assert_allclose(kept.var(axis=0, ddof=1), result.determinacy.iloc[order], rtol=1e-8)


@pytest.mark.parametrize("name", NUMBER)
def test_principal_components_match_psych(name: str) -> None:
    values = GOLD[f"pca_{name}"]["values"]
    m = NUMBER[name]
    result = pca(answers(name), n_components=m)
    assert_allclose(result.eigenvalues, values["eigenvalues"], rtol=1e-10)
    assert_allclose(result.communalities, list(values["communality"].values()), atol=1e-10)
    reference = matrix(values["loadings"]).to_numpy()
    loadings, _ = matched(result, reference)
    # psych's varimax stops early: ours is the larger sum, by less than that rule promises.
    assert varimax_sum(loadings) > varimax_sum(reference)
    assert_allclose(varimax_sum(loadings), varimax_sum(reference), rtol=1e-5)
    assert_allclose(loadings, reference, atol=2e-3)
    plain = pca(answers(name), n_components=m, rotation="none")
    sums = plain.variance["ss_loadings"]
    assert_allclose(sums, values["eigenvalues"][:m], rtol=1e-10)
    assert list(plain.loadings.columns) == [f"PC{j + 1}" for j in range(m)]
    assert np.isnan(plain.fit["rmsea"])  # components are no model of correlations
    assert plain.fit["rmsr"] > 0


def varimax_sum(loadings: FloatArray) -> float:
    """What varimax makes large, with rows of length one (Kaiser, 1958)."""
    rows = loadings / np.sqrt((loadings**2).sum(axis=1, keepdims=True))
    return float((rows**4).sum() - ((rows**2).sum(axis=0) ** 2).sum() / len(rows))


# Other results of R


def test_pairs_of_answers_match_psych() -> None:
    expected = peers()["pairwise_bfi10"]
    result = efa(answers("bfi25"), BFI25[:10], 2, rotation="none", missing="pairwise")
    reference = np.array(expected["loadings"])
    assert result.n == expected["n"] == 2800
    assert_allclose(matched(result, reference)[0], reference, atol=2e-5)  # where psych stops
    assert_allclose(result.fit["chi2"], expected["chi2"], rtol=1e-6)
    # psych weights each residual by its rows.
    there = answers("bfi25")[BFI25[:10]].notna().to_numpy(float)
    rows, off = there.T @ there, ~np.eye(10, dtype=bool)
    weighted = (result.residuals.to_numpy() ** 2 * rows)[off].sum()
    rmsr = np.sqrt(weighted / (90 * 100 / (1 / rows).sum()))
    assert_allclose(rmsr, expected["rmsr"], rtol=1e-6)
    small = peers()["pairwise_small"]
    found = efa(dataset("efa_small"), n_factors=1, extraction="ml", missing="pairwise")
    assert_allclose(found.fit["chi2"], small["chi2"], rtol=1e-8)
    assert_allclose(found.communalities, small["communality"], atol=2e-5)


def test_three_items_determine_one_factor() -> None:
    expected = peers()["three_items"]
    result = efa(answers("hs1939"), HS1939[:3], 1)
    assert_allclose(result.communalities, expected["communality"], atol=2e-6)
    assert result.fit["df"] == 0
    assert np.isnan(result.fit["rmsea"])
    assert "RMSR 0.000; other measures of fit are not defined here." in result.notes
    assert result.rotation == "none"
    assert "None" not in result.summary()


def test_several_starts_of_the_extraction_find_the_lower_minimum() -> None:
    """A small sample whose likelihood has two minima; the usual start ends in the higher one."""
    rng = np.random.default_rng(56)
    factors = rng.standard_normal((15, 3)) @ rng.uniform(-1, 1, (3, 7))
    cor = np.corrcoef(factors + 0.7 * rng.standard_normal((15, 7)), rowvar=False)
    one = extraction.extract(cor[None], 2, "ml")
    best = extraction.extract(cor[None], 2, "ml", n_starts=4)
    assert best.objective[0] < one.objective[0] - 0.05
    result = efa(given_correlations(cor, 500), n_factors=2, extraction="ml", rotation="none")
    assert_allclose(result.loadings.abs(), np.abs(best.loadings[0]), atol=1e-6)


def test_a_heywood_case_is_named() -> None:
    result = efa(answers("hs1939"), n_factors=4, extraction="ml")
    at_bound = np.array(peers()["ml_4_hs1939"]["uniquenesses"]) <= 0.005 + 1e-9
    assert result.heywood == tuple(np.array(HS1939)[at_bound])
    assert any(note.startswith(f"Heywood case: {result.heywood[0]} (") for note in result.notes)
    assert analysis("hs1939").heywood == ()
    assert pca(answers("hs1939"), n_components=9, rotation="none").heywood == ()


def test_rotations_of_the_stored_reference_can_be_asked_for() -> None:
    """Each rotation is compared with GPArotation in test_rotation; here: it is passed on."""
    stored = json.loads((REFERENCE / "rotation.json").read_text(encoding="utf-8"))
    entries = {entry["id"]: entry["values"] for entry in stored["entries"]}
    for rotation, id_ in (("geomin", "geominQ"), ("quartimax", "quartimax")):
        reference = np.array(entries[f"{id_}_hs1939"]["loadings"], dtype=float)
        loadings, _ = matched(analysis("hs1939", rotation=rotation), reference)
        assert_allclose(loadings, reference, atol=1e-5)
    values = entries["targetQ_hs1939"]
    target = np.array(values["target"], dtype=float)
    shuffled = pd.DataFrame(target, index=HS1939).sample(frac=1, random_state=1)
    for given_as in (target, shuffled):  # rows of a named target are matched by name
        result = efa(answers("hs1939"), n_factors=3, rotation="target", target=given_as)
        # Factors stay in the order of the target; zeros leave their direction open.
        reference = np.array(values["loadings"], dtype=float)
        reference *= np.where(reference.sum(axis=0) < 0, -1, 1)
        assert_allclose(result.loadings.to_numpy(), reference, atol=1e-5)
    assert target[:, 2][target[:, 2] > 0].size  # the third has a direction
    turned = efa(answers("hs1939"), n_factors=3, rotation="target", target=-target)
    assert_allclose(turned.loadings["F3"], -result.loadings["F3"], atol=1e-5)


# What must hold


@pytest.mark.parametrize("rotation", ROTATIONS)
def test_a_rotation_changes_neither_communality_nor_fit(rotation: Any) -> None:
    plain, turned = analysis("hs1939", rotation="none"), analysis("hs1939", rotation=rotation)
    assert_allclose(turned.communalities, plain.communalities, atol=1e-9)
    assert_allclose(turned.fit["chi2"], plain.fit["chi2"], rtol=1e-8)
    assert_allclose(turned.residuals, plain.residuals, atol=1e-9)
    loadings, phi = turned.loadings.to_numpy(), turned.factor_correlations.to_numpy()
    assert_allclose(turned.structure, loadings @ phi, atol=1e-12)
    assert_allclose(np.diag(phi), 1, atol=1e-10)
    common = loadings @ phi @ loadings.T
    off = ~np.eye(9, dtype=bool)
    assert_allclose(
        (common + turned.residuals.to_numpy())[off], turned.correlations.cor[off], atol=1e-12
    )
    assert loadings.sum(axis=0).min() > 0
    assert turned.n_best >= 1


@given(seed=st.integers(0, 2**31))
@settings(max_examples=15)
def test_order_and_unit_of_items_and_order_of_rows_do_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frame = answers("hs1939")
    items = rng.permutation(HS1939).tolist()
    moved = frame.sample(frac=1, random_state=int(rng.integers(1000)))[items]
    moved = moved * rng.uniform(0.01, 100, 9) + rng.uniform(-100, 100, 9)
    result = efa(moved, n_factors=3, n_starts=3)
    expected = analysis("hs1939")
    assert_allclose(result.loadings.loc[HS1939], expected.loadings, atol=1e-6)
    assert_allclose(result.factor_correlations, expected.factor_correlations, atol=1e-6)
    assert_allclose(result.fit["chi2"], expected.fit["chi2"], rtol=1e-7)


def test_an_item_turned_round_turns_its_loadings_round() -> None:
    frame = answers("hs1939")
    turned = efa(frame.assign(x5=10 - frame["x5"]), n_factors=3)
    expected = analysis("hs1939").loadings.copy()
    expected.loc["x5"] *= -1
    loadings, _ = matched(turned, expected.to_numpy())
    assert_allclose(loadings, expected, atol=1e-6)


def test_every_row_twice_changes_the_test_only() -> None:
    frame = answers("hs1939")
    twice = efa(pd.concat([frame, frame], ignore_index=True), n_factors=3)
    once = analysis("hs1939")
    assert_allclose(twice.loadings, once.loadings, atol=1e-8)
    assert_allclose(twice.fit["objective"], once.fit["objective"], rtol=1e-8)
    assert twice.fit["chi2"] > 2 * once.fit["chi2"]


def test_weights_of_two_are_rows_twice() -> None:
    frame = answers("hs1939").assign(w=1.0 + (np.arange(301) % 3 == 0))
    weighted = efa(from_frame(frame, scales={"s": HS1939}, roles={"weight": "w"}), n_factors=3)
    repeated = efa(frame.loc[frame.index.repeat(frame["w"].astype(int)), HS1939], n_factors=3)
    assert_allclose(weighted.loadings, repeated.loadings, atol=1e-7)
    assert any("eight" in note for note in weighted.notes)


def test_every_engine_gives_the_same(engine: Any) -> None:
    result = efa(engine(answers("hs1939").copy()), n_factors=3)
    assert_allclose(result.loadings, analysis("hs1939").loadings, atol=1e-8)


def test_matrices_and_answers_give_the_same() -> None:
    frame = answers("hs1939")
    given = efa(given_correlations(frame.corr(), 301), n_factors=3)
    expected = analysis("hs1939")
    assert_allclose(given.loadings, expected.loadings, atol=1e-8)
    assert_allclose(list(given.fit.values()), list(expected.fit.values()), rtol=1e-7)
    agree = dataset("bfi")[BFI_SCALES["agree"]]
    from_result = efa(polychoric(agree), n_factors=1)
    from_answers = efa(agree, n_factors=1, correlation="polychoric")
    assert_allclose(from_result.loadings, from_answers.loadings, atol=1e-7)
    assert (
        from_answers.loadings["F1"].abs().mean()
        > efa(agree, n_factors=1).loadings["F1"].abs().mean()
    )
    assert any("too large for polychoric" in note for note in from_answers.notes)


def test_scales_of_responses_and_groups_of_the_picture() -> None:
    responses = from_frame(dataset("bfi"), scales=BFI_SCALES)
    both = efa(responses, ["agree", "neuro"], 2)
    assert both.items == (*BFI_SCALES["agree"], *BFI_SCALES["neuro"])
    assert efa(responses, "agree", 1).items == tuple(BFI_SCALES["agree"])
    everything = efa(responses, n_factors=5)
    assert_allclose(everything.loadings.loc[BFI25], analysis("bfi25").loadings, atol=1e-7)


def test_factors_are_found_again() -> None:
    """Three factors of simulated answers, loadings of .7 and correlations of .3."""
    rng = np.random.default_rng(11)
    phi = np.full((3, 3), 0.3) + 0.7 * np.eye(3)
    factors = rng.multivariate_normal(np.zeros(3), phi, 4000)
    items = 0.7 * np.repeat(factors, 4, axis=1) + np.sqrt(0.51) * rng.standard_normal((4000, 12))
    frame = pd.DataFrame(items, columns=[f"i{j:02}" for j in range(12)])
    for extract_by in ("minres", "ml"):
        result = efa(frame, n_factors=3, extraction=extract_by)  # type: ignore[arg-type]
        simple, found = matched(result, np.kron(np.eye(3), np.full((4, 1), 0.7)))
        assert_allclose(simple, np.kron(np.eye(3), np.full((4, 1), 0.7)), atol=0.06)
        assert_allclose(found, phi, atol=0.06)
        assert result.fit["p_value"] > 0.001


# Scores


def test_scores_keep_rows_and_index_and_leave_the_data_alone() -> None:
    frame = dataset("bfi")[BFI25].set_index(pd.Index(np.arange(2800) * 3 + 1, name="person"))
    before = frame.copy()
    result = efa(frame, n_factors=5)
    scores = result.scores()
    pd.testing.assert_index_equal(scores.index, frame.index)
    assert scores.isna().any(axis=1).tolist() == frame.isna().any(axis=1).tolist()
    pd.testing.assert_frame_equal(frame, before)
    part = frame.iloc[[5, 3, 100]]
    pd.testing.assert_frame_equal(result.scores(part), scores.loc[part.index])


def test_scores_of_lazy_answers_keep_their_roles(lazy_engine: Any) -> None:
    frame = answers("hs1939").assign(id=[f"p{i}" for i in range(301)])
    responses = from_frame(lazy_engine(frame), scales={"s": HS1939}, roles={"respondent": "id"})
    result = efa(responses, n_factors=3)
    scores = lazy_engine.pandas(result.scores()).set_index("id")
    expected = analysis("hs1939").scores().set_index(frame["id"])
    assert_allclose(scores.loc[expected.index].to_numpy(float), expected, atol=1e-6)


def test_scores_of_eager_engines(eager_engine: Any) -> None:
    result = efa(eager_engine(answers("hs1939").copy()), n_factors=3)
    scores = eager_engine.pandas(result.scores(method="tenBerge"))
    assert list(scores.columns) == ["F1", "F2", "F3"]
    correlations = np.corrcoef(scores.to_numpy(float), rowvar=False)
    assert_allclose(correlations, result.factor_correlations, atol=1e-6)


def test_scores_that_cannot_be_made() -> None:
    given = efa(given_correlations(answers("hs1939").corr(), 301), n_factors=3)
    for data in (None, answers("hs1939")):
        with pytest.raises(
            DataError, match=r"started from correlations. Run efa\(\) on the answers"
        ):
            given.scores(data)
    with pytest.raises(OptionError, match="method='regresion' is not possible"):
        analysis("hs1939").scores(method="regresion")
    with pytest.raises(UnknownNameError, match="The data has no column 'x2'"):
        analysis("hs1939").scores(answers("hs1939")[["x1"]])


# How it is shown


def everything_shown(result: EfaResult) -> None:
    assert result.notes
    assert "nan" not in result.summary().lower().replace("resonan", "")
    frame = result.to_frame()
    assert len(frame) == len(result.items)
    assert frame.columns[0] == "item"
    assert "<table" in result._repr_html_()
    assert result.to_table() is not None
    assert result.plot() is not None
    assert len(result.reading()) == result.n_factors
    mpl.pyplot.close("all")


@pytest.mark.parametrize(
    "make",
    [
        lambda: analysis("bfi25"),
        lambda: efa(answers("hs1939"), HS1939[:3], 1),
        lambda: efa(answers("hs1939").head(7), n_factors=2),
        lambda: efa(answers("hs1939"), n_factors=4),
        lambda: efa(given_correlations(answers("hs1939").corr(), 4), n_factors=3),
        lambda: efa(given_correlations(np.ones((6, 6)), 50), n_factors=2),
        lambda: efa(given_correlations(np.eye(6), 50), n_factors=1),
        lambda: pca(answers("hs1939"), n_components=3),
    ],
)
def test_every_result_can_be_shown(make: Any) -> None:
    import matplotlib.pyplot  # noqa: F401

    everything_shown(make())


def test_what_the_summary_says() -> None:
    text = analysis("hs1939").summary()
    assert text.startswith("3 factors of x1 … x9 (minres, oblimin)")
    assert "chi2(12) = 22.6; RMSEA 0.054" in text
    assert "Factor correlations: F1–F2 0.32" in text
    assert efa(answers("hs1939"), n_factors=1).summary().startswith("1 factor of x1 … x9 (minres)")
    assert analysis("hs1939").reading()[0].startswith("F1: x5 (")


# What is refused


@pytest.mark.parametrize("number", [None, 0, -1, 2.5, 2.0, True, "3", 6, float("nan"), [2]])
def test_no_number_of_factors(number: Any) -> None:
    with pytest.raises(OptionError, match="a whole number from 1 to 5"):
        efa(answers("hs1939"), n_factors=number)


def test_numbers_of_numpy_are_numbers() -> None:
    assert efa(answers("hs1939"), n_factors=np.int64(2)).n_factors == 2  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "option",
    [
        {"extraction": "pca"},
        {"rotation": "Varimax"},
        {"correlation": "spearman"},
        {"missing": "fiml"},
        {"n_boot": 50},
        {"n_boot": -5},
        {"n_boot": 100.5},
        {"n_boot": True},
        {"conf_level": 95},
        {"kaiser": "yes"},
        {"n_starts": 0},
        {"n_starts": 1.5},
        {"seed": "a"},
        {"seed": -1},
        {"gam": "x"},
        {"gam": float("nan")},
        {"rotation": "geomin", "epsilon": -1},
        {"rotation": "promax", "power": 1},
        {"target": np.zeros((9, 3))},
        {"rotation": "target"},
        {"rotation": "target", "target": np.zeros((9, 2))},
    ],
    ids=str,
)
def test_options_that_are_not_possible(option: dict[str, Any]) -> None:
    name = list(option)[-1] if "target" not in str(option) else "target"
    with pytest.raises(OptionError, match=f"{name}=.* is not possible here"):
        efa(answers("hs1939"), n_factors=3, **option)


def test_targets_that_cannot_be_used() -> None:
    def rotated(target: Any) -> EfaResult:
        return efa(answers("hs1939"), n_factors=3, rotation="target", target=target)

    with pytest.raises(DataError, match="A target holds numbers"):
        rotated([["a"] * 3] * 9)
    with pytest.raises(DataError, match="A target holds numbers"):
        rotated([[0], [0, 1]])
    with pytest.raises(DataError, match="it is infinite"):
        rotated(np.full((9, 3), np.inf))
    with pytest.raises(NotEnoughDataError, match="at least 6 values in the target; there are 0"):
        rotated(np.full((9, 3), np.nan))
    with pytest.raises(UnknownNameError, match="The target has no item 'y1'"):
        rotated(pd.DataFrame(np.zeros((9, 3)), index=[f"y{i}" for i in range(1, 10)]))


def test_rotations_that_need_more() -> None:
    with pytest.raises(NotEnoughDataError, match="rotation='bifactor' needs at least 3 factors"):
        efa(answers("hs1939"), n_factors=2, rotation="bifactor")
    with pytest.raises(NotSupportedError, match=r"Use efa\(\)"):
        pca(answers("hs1939"), n_components=2, rotation="target")
    with pytest.raises(OptionError, match="rotation='x'"):
        pca(answers("hs1939"), n_components=2, rotation="x")  # type: ignore[arg-type]
    for number in (None, 0, 10, 2.5, True, "2"):
        with pytest.raises(OptionError, match="a whole number from 1 to 9"):
            pca(answers("hs1939"), n_components=number)  # type: ignore[arg-type]


def test_singular_matrices_are_for_minres() -> None:
    twice = answers("hs1939").assign(x10=answers("hs1939")["x1"])
    with pytest.raises(
        DataError, match="needs a correlation matrix that has an inverse.*x1 and x10"
    ):
        efa(twice, n_factors=2, extraction="ml")
    result = efa(twice, n_factors=2)
    assert result.correlations.singular
    assert np.isnan(result.fit["chi2"])
    assert np.isfinite(result.fit["rmsr"])
    with pytest.raises(DataError, match="fewer respondents than items"):
        efa(answers("hs1939").head(6), n_factors=2, extraction="ml")
    few = efa(answers("hs1939").head(6), n_factors=2)
    assert "6 respondents for 9 items: loadings are rough." in few.notes


def test_an_extraction_that_does_not_end_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction, "MOST_STEPS", 1)
    with pytest.warns(ConvergenceWarning, match=r"The extraction \(minres\) did not reach"):
        result = efa(answers("hs1939"), n_factors=3)
    assert not result.converged
    assert "do not use these loadings" in result.notes[-2]
    assert np.isfinite(result.loadings.to_numpy()).all()


def test_a_rotation_that_does_not_end_is_said() -> None:
    """Oblimin with gam above 0 has no minimum here: factors collapse (Jennrich, 1979)."""
    with pytest.warns(ConvergenceWarning, match=r"The rotation \(oblimin\) did not reach"):
        result = efa(answers("hs1939"), n_factors=3, gam=1.0, n_starts=2)
    assert result.converged
    assert not result.rotation_converged
    assert np.isfinite(result.loadings.to_numpy()).all()


def test_nothing_to_explain() -> None:
    result = efa(given_correlations(np.ones((6, 6)), 50), n_factors=2)
    assert "Nothing is explained by F2: take fewer factors." in result.notes
    for method in ("regression", "bartlett", "ten_berge", "anderson_rubin"):
        assert np.isfinite(result.score_weights(method).to_numpy()).all()


@given(
    seed=st.integers(0, 2**31),
    n=st.integers(3, 60),
    k=st.integers(3, 7),
    kind=st.sampled_from(["numbers", "answers", "gaps", "copies"]),
    rotation=st.sampled_from(["oblimin", "varimax", "promax", "geomin_orthogonal"]),
    extract_by=st.sampled_from(["minres", "ml", "principal_axis"]),
)
@settings(max_examples=40)
def test_small_tables_give_finite_loadings_or_a_sentence(
    seed: int, n: int, k: int, kind: str, rotation: Any, extract_by: Any
) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 1)) * rng.uniform(-1, 1, k) + rng.standard_normal((n, k))
    if kind != "numbers":
        x = np.round(x)
    if kind == "gaps":
        x[rng.random(x.shape) < 0.2] = np.nan
    if kind == "copies":
        x[:, 0] = x[:, -1]
    frame = pd.DataFrame(x, columns=[f"v{j}" for j in range(k)])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            result = efa(
                frame,
                n_factors=1 + (k > 4),
                rotation=rotation,
                extraction=extract_by,
                missing="pairwise" if kind == "gaps" else "listwise",
                n_starts=2,
            )
    except DataError as error:  # NoVarianceError, NotEnoughDataError, …
        assert str(error).endswith((".", "out"))
        return
    assert np.isfinite(result.loadings.to_numpy()).all()
    assert np.isfinite(result.factor_correlations.to_numpy()).all()
    assert result.summary()
