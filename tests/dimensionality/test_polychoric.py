"""Polychoric and tetrachoric correlations against psych, lavaan and polycor; what must hold."""

from __future__ import annotations

import json
import warnings
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from collabsurvey.dimensionality import PolychoricResult, polychoric, tetrachoric
from collabsurvey.dimensionality.joint_ml import joint_fit
from collabsurvey.dimensionality.two_way import cell_probabilities, loglik, thresholds, two_step
from collabsurvey.errors import (
    AnswersError,
    CollabSurveyError,
    DataError,
    FewClustersWarning,
    NotEnoughDataError,
    NotEnoughItemsError,
    NoVarianceError,
    OptionError,
    UnknownNameError,
)
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.responses import Responses, from_frame
from support import BFI_REVERSED, BFI_SCALES, REFERENCE, dataset, gold, matrix

GOLD = gold("03_polychoric_and_tetrachoric")
PSYCH = 1e-4  # psych stops optimize() at its default, which is 6e-5 on [-1, 1]
LAVAAN = 1e-6  # nlminb's relative tolerance on the likelihood; 2e-7 is reached
POLYCOR = 1e-5  # optimise() with its default tolerance
SETS = {
    "bfi": ["N1", "N2", "N3", "N4", "N5", "E1", "E2"],
    "bfi_agree": ["A1", "A2", "A3", "A4", "A5"],
}
MIXED = ["two", "never", "rare", "three", "four", "five", "skewed"]
BINARY = ["two", "never", "rare"]


@cache
def reference() -> dict[str, dict[str, Any]]:
    """Values made by tests/reference/polychoric.R."""
    text = (REFERENCE / "polychoric.json").read_text(encoding="utf-8")
    return {entry["id"]: entry["values"] for entry in json.loads(text)["entries"]}


def mixed(**roles: str) -> Responses:
    return from_frame(dataset("ordinal_mixed"), scales={"mixed": MIXED}, roles=roles)


def above_diagonal(frame: pd.DataFrame) -> FloatArray:
    values: FloatArray = frame.to_numpy()[np.triu_indices(len(frame), 1)]
    return values


def answers(
    n: int = 300, *, seed: int = 1, categories: tuple[int, ...] = (2, 3, 4, 5), loading: float = 0.7
) -> pd.DataFrame:
    """Items cut from one factor, each with so many categories, coded from 1."""
    generator = np.random.default_rng(seed)
    factor = generator.standard_normal(n)
    columns = {}
    for j, c in enumerate(categories):
        y = loading * factor + np.sqrt(1 - loading**2) * generator.standard_normal(n)
        cuts = np.linspace(-1, 1, c + 1)[1:-1] + generator.uniform(-0.2, 0.2)
        columns[f"q{j + 1}"] = 1.0 + np.searchsorted(cuts, y)
    return pd.DataFrame(columns)


def schools(
    n_schools: int = 40, staff: int = 15, *, icc: float = 0.3, seed: int = 3
) -> pd.DataFrame:
    """Four items whose factor schools share in part, and the school of each row."""
    generator = np.random.default_rng(3)
    school = np.repeat(np.arange(n_schools), staff)
    factor = np.sqrt(icc) * generator.standard_normal(n_schools)[school]
    factor += np.sqrt(1 - icc) * generator.standard_normal(len(school))
    own = np.sqrt(icc) * generator.standard_normal((n_schools, 4))[school]
    own += np.sqrt(1 - icc) * generator.standard_normal((len(school), 4))
    y = 0.7 * factor[:, None] + np.sqrt(0.51) * own
    codes = 1.0 + np.searchsorted([-0.8, 0.1, 1.0], y)
    return pd.DataFrame(codes, columns=["a", "b", "c", "d"]).assign(school=school)


# ---------------------------------------------------------------- stored values


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("how", ["psych_c0", "psych_default"])
def test_psych_listwise(name: str, how: str) -> None:
    values = GOLD[f"polychoric_{how}_{name}"]["values"]
    items = SETS[name]
    # global=FALSE takes thresholds from each pair's table; without missing answers these are the
    # same. No table has an empty cell here except at the edges, where correct=0 leaves them.
    rule = "none" if how == "psych_c0" else "psych"
    found = polychoric(dataset("bfi"), items, empty_cells=rule, smooth=False)
    assert found.n == values["n"]
    assert_allclose(found.correlations, matrix(values["rho"]), atol=PSYCH)
    tau = matrix(values["tau"])
    for item in items:
        assert_allclose(found.thresholds[item], tau.loc[item], atol=1e-10)


@pytest.mark.parametrize("name", SETS)
def test_psych_pairwise(name: str) -> None:
    values = GOLD[f"polychoric_psych_pairwise_{name}"]["values"]
    found = polychoric(
        dataset("bfi"),
        SETS[name],
        missing="pairwise",
        thresholds_from="pairs",
        empty_cells="none",
        smooth=False,
    )
    assert found.n == found.n_rows == 2800
    assert_allclose(found.correlations, matrix(values["rho"]), atol=PSYCH)
    tau = matrix(values["tau"])  # of all answers to an item
    for item in SETS[name]:
        assert_allclose(found.thresholds[item], tau.loc[item], atol=1e-10)


@pytest.mark.parametrize("name", SETS)
def test_lavaan(name: str, engine: Any) -> None:
    values = GOLD[f"polychoric_lavCor_{name}"]["values"]
    found = polychoric(engine(dataset("bfi")[SETS[name]]), SETS[name], acov=True)
    assert found.n == values["n"]
    assert_allclose(found.correlations, matrix(values["rho"]), atol=LAVAAN)
    cuts = np.concatenate([found.thresholds[item] for item in SETS[name]])
    assert_allclose(cuts, list(values["thresholds"].values()), atol=1e-10)
    stored = pd.DataFrame(values["estimates"])
    pairs = stored[(stored["op"] == "~~") & (stored["lhs"] != stored["rhs"])]
    frame = found.to_frame()
    both = frame.merge(pairs, left_on=["item_1", "item_2"], right_on=["lhs", "rhs"])
    assert len(both) == len(frame) == len(pairs)
    assert_allclose(both["estimate"], both["est"], atol=LAVAAN)
    assert_allclose(both["std_error"], both["se"], rtol=1e-5)
    if len(pairs) < len(stored[stored["op"] == "|"]):  # errors of thresholds are stored too
        of_cuts = stored[stored["op"] == "|"]
        assert found.acov is not None
        n_cuts = len(of_cuts)
        errors = np.sqrt(np.diag(found.acov))[:n_cuts]
        assert_allclose(errors, of_cuts["se"], rtol=1e-8)
        assert list(found.acov.index[:n_cuts]) == list(of_cuts["lhs"] + "|" + of_cuts["rhs"])


@pytest.mark.parametrize("name", SETS)
def test_polycor_two_step(name: str) -> None:
    values = GOLD[f"polychoric_polycor_{name}"]["values"]
    found = polychoric(dataset("bfi"), SETS[name], std_errors="conditional", smooth=False)
    assert_allclose(found.correlations, matrix(values["two_step"]), atol=POLYCOR)
    expected = above_diagonal(matrix(values["two_step_se"]))
    assert_allclose(above_diagonal(found.std_errors), expected, rtol=1e-3)
    assert "Standard errors take the thresholds as known and are too small." in found.notes


def stored_fit(fit: dict[str, Any]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Correlation (1,), row cuts (1, r - 1) and column cuts (1, c - 1) of polycor."""
    cuts = [np.array([list(fit[key].values())]) for key in ("row_cuts", "col_cuts")]
    return np.array(list(fit["rho"].values())), cuts[0], cuts[1]


@pytest.mark.parametrize("name", SETS)
def test_polycor_full_likelihood(name: str) -> None:
    """Ours is the better optimum.

    polychor(ML=TRUE) runs optim()'s Nelder-Mead over 11 parameters, which gives up after 500
    evaluations: its deviances are up to .8 too large. Its estimates lie within what so flat a top
    allows (.005), its errors, of the curvature there, within 2 %.
    """
    values = GOLD[f"polychoric_polycor_{name}"]["values"]["full_ml"]
    bfi = dataset("bfi")[SETS[name]].dropna()
    found = polychoric(bfi, SETS[name], method="ml", empty_cells="none").to_frame()
    found = found.set_index(["item_1", "item_2"])
    assert len(values) == 3
    for pair, stored in values.items():
        second, first = pair.split("~")  # rows of the table, then columns
        ours = found.loc[(first, second)]
        rho, row_cuts, column_cuts = stored_fit(stored)
        table = pd.crosstab(bfi[second], bfi[first]).to_numpy(dtype=float)[None]
        theirs = loglik(table, cell_probabilities(row_cuts, column_cuts, rho))
        full = loglik(table, table / table.sum())
        # The stored chi-square is that of the stored parameters, so both likelihoods are theirs.
        assert_allclose(2 * (full - theirs), stored["chisq"], rtol=1e-6)
        fit = joint_fit(table, rho, thresholds(table.sum(2)), thresholds(table.sum(1)))
        mine = loglik(table, cell_probabilities(fit.row_cuts, fit.column_cuts, fit.rho))
        assert mine[0] >= theirs[0]
        assert_allclose(ours["chi2"], 2 * (full - mine)[0], rtol=1e-8)
        assert_allclose(ours["estimate"], fit.rho[0], atol=1e-8)
        assert_allclose(ours["estimate"], rho[0], atol=0.005)
        assert_allclose(ours["std_error"], stored["se"], rtol=0.02)
        assert ours["df"] == stored["df"]


def test_lsat6() -> None:
    values = GOLD["tetrachoric_lsat6"]["values"]
    lsat = dataset("lsat6")
    items = matrix(values["lavCor"]).index.tolist()
    found = tetrachoric(lsat, items)
    assert found.n == values["n"]
    assert_allclose(found.correlations, matrix(values["lavCor"]), atol=LAVAAN)
    assert_allclose(found.correlations, matrix(values["psych_correct0"]), atol=PSYCH)
    psych = tetrachoric(lsat, items, empty_cells="psych")
    assert_allclose(psych.correlations, matrix(values["psych_default"]), atol=PSYCH)
    for item, tau in values["tau"].items():
        assert_allclose(found.thresholds[item], [tau], atol=1e-10)
    assert_allclose(lsat[items].corr(), matrix(values["phi"]), atol=1e-12)
    # Undoing the cut makes correlations larger.
    assert (above_diagonal(found.correlations) > above_diagonal(matrix(values["phi"]))).all()


@pytest.mark.parametrize(
    ("entry", "items", "roles"),
    [
        ("lavaan_mixed", MIXED, {}),
        ("lavaan_2x2", BINARY, {}),
        ("lavaan_weighted", MIXED, {"weight": "weight"}),
    ],
)
def test_lavaan_saturated(entry: str, items: list[str], roles: dict[str, str]) -> None:
    """Items of 2 to 5 categories with empty cells, two of them in 2 × 2 tables; also weighted."""
    values = reference()[entry]
    data: Any = mixed(**roles) if roles else dataset("ordinal_mixed").dropna()
    found = polychoric(data, items, acov=True)
    assert found.n == values["n"]
    assert found.weighted == bool(roles)
    assert_allclose(found.correlations, matrix(values["rho"]), atol=1e-7)
    cuts = np.concatenate([found.thresholds[item] for item in items])
    assert_allclose(cuts, list(values["thresholds"].values()), atol=1e-10)
    stored = pd.DataFrame(values["se"])
    frame = found.to_frame()
    assert list(frame["item_1"]) == list(stored["lhs"])
    assert list(frame["item_2"]) == list(stored["rhs"])
    assert_allclose(frame["std_error"], stored["se"], rtol=1e-6)
    # lavaan's NACOV / n is the mean product over n; ours has the factor n / (n - 1) of its errors.
    assert found.acov is not None
    expected = matrix(values["acov"])
    assert list(found.acov.index) == list(expected.index)
    ours = found.acov.to_numpy() * (values["n"] - 1) / values["n"]
    spread = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    assert_allclose(ours / spread, expected / spread, atol=1e-6)
    n_adjusted = frame.set_index(["item_1", "item_2"])["n_adjusted"]
    assert n_adjusted.loc[("two", "rare")] == n_adjusted.loc[("never", "rare")] == 1
    assert n_adjusted.sum() == 2


def test_rules_for_empty_cells_are_those_of_psych() -> None:
    stored, data = reference(), dataset("ordinal_mixed").dropna()
    found = tetrachoric(data, BINARY, empty_cells="psych", smooth=False)
    assert_allclose(found.correlations, matrix(stored["psych_tetrachoric"]["rho"]), atol=PSYCH)
    for item, tau in stored["psych_tetrachoric"]["tau"].items():
        assert_allclose(found.thresholds[item], [tau], atol=1e-10)
    large = polychoric(data, ["five", "skewed"], empty_cells="psych")
    expected = matrix(stored["psych_global_true"]["rho"])
    assert_allclose(large.correlations, expected, atol=PSYCH)
    # psych's manual: halves in empty cells, too; with global=TRUE it does not do it.
    plain = polychoric(data, ["five", "skewed"], empty_cells="none")
    assert_allclose(plain.correlations, large.correlations, atol=1e-12)


def test_psych_takes_thresholds_of_filled_tables_from_too_large_shares() -> None:
    """psych's polychoric(global=FALSE) divides a table with halves by the n without them.

    Cumulated shares then go beyond what they should be. With its thresholds we get its value; the
    rule "add_half" divides by the sum.
    """
    expected = matrix(reference()["psych_global_false"]["rho"]).loc["five", "skewed"]
    data = dataset("ordinal_mixed").dropna()
    table = pd.crosstab(data["five"], data["skewed"]).to_numpy(dtype=float).copy()
    n = table.sum()
    table[table == 0] = 0.5

    def cuts(margin: FloatArray, total: float) -> FloatArray:
        rest = total - margin[:-1].sum()
        return thresholds(np.append(margin[:-1], rest))[None]

    def correlation(total: float) -> float:
        row_cuts, column_cuts = cuts(table.sum(axis=1), total), cuts(table.sum(axis=0), total)
        return float(two_step(table[None], row_cuts, column_cuts).rho[0])

    assert_allclose(correlation(n), expected, atol=PSYCH)
    ours = polychoric(data, ["five", "skewed"], empty_cells="add_half")
    assert_allclose(ours.correlations.iloc[0, 1], correlation(table.sum()), atol=1e-10)
    assert ours.to_frame()["n_adjusted"].item() == ours.to_frame()["n_empty"].item() == 7
    # psych sets global=FALSE itself where items differ in categories.
    both = matrix(reference()["psych_default"]["rho"])
    assert_allclose(both.loc["five", "skewed"], expected, atol=PSYCH)


def test_perfect_tables_and_those_programs_that_search_them() -> None:
    """Without a rule, an empty cell of a 2 × 2 table is a perfect association.

    Its likelihood is flat towards the limit: psych (-.98) and polycor stop where they stop.
    """
    data = dataset("ordinal_mixed").dropna()
    found = polychoric(data, BINARY, empty_cells="none", smooth=False)
    assert found.at_limit == (("two", "rare"), ("never", "rare"))
    psych = matrix(reference()["psych_tetrachoric_0"]["rho"])
    assert_allclose(found.correlations.loc["two", "never"], psych.loc["two", "never"], atol=PSYCH)
    for first, second in found.at_limit:
        assert found.correlations.loc[first, second] == -0.999
        assert psych.loc[first, second] < -0.9
        assert np.isnan(found.std_errors.loc[first, second])
        table = pd.crosstab(data[first], data[second]).to_numpy(dtype=float)[None]
        cuts = thresholds(table.sum(axis=2)), thresholds(table.sum(axis=1))
        at = np.array([psych.loc[first, second]])
        theirs = loglik(table, cell_probabilities(*cuts, at))
        assert loglik(table, cell_probabilities(*cuts, np.array([-0.999]))) >= theirs - 1e-9
    assert any(note.startswith("Perfectly associated, as far as these") for note in found.notes)


def test_polycor_with_mixed_categories() -> None:
    stored = pd.DataFrame(reference()["polycor_mixed"]["pairs"])
    data = dataset("ordinal_mixed").dropna()
    found = polychoric(data, MIXED, empty_cells="none", std_errors="conditional", smooth=False)
    frame = found.to_frame()
    inside = frame["estimate"].abs() < 0.999
    errors = pd.to_numeric(stored["se"], errors="coerce")
    assert (~inside).sum() == 2
    # optimise() stops at 1.2e-4 on [-1, 1], which sparse tables show; lavaan agrees to 1e-7.
    assert_allclose(frame["estimate"][inside], stored["rho"][inside], atol=2.4e-4)
    assert_allclose(frame["std_error"][inside], errors[inside], rtol=1e-3)
    assert_allclose(frame["chi2"], stored["chisq"], atol=1e-4)
    assert_array_equal(frame["df"], stored["df"])


# ---------------------------------------------------------------- what must hold


seeds = st.integers(0, 10_000)


@given(seed=seeds)
@settings(max_examples=15)
def test_order_of_rows_and_items(seed: int) -> None:
    df = answers(seed=seed)
    shuffled = df.sample(frac=1, random_state=seed)
    names = list(np.random.default_rng(seed).permutation(df.columns))
    plain, other = polychoric(df, acov=True), polychoric(shuffled, names, acov=True)
    wanted = plain.correlations.loc[names, names]
    assert_allclose(other.correlations, wanted, atol=1e-8)  # Newton's last step is below 1e-8
    assert_allclose(other.std_errors, plain.std_errors.loc[names, names], rtol=1e-6)
    assert plain.acov is not None
    assert other.acov is not None
    cuts = [name for name in plain.acov.index if "|" in name]
    assert_allclose(other.acov.loc[cuts, cuts], plain.acov.loc[cuts, cuts], rtol=1e-9, atol=1e-15)


@given(seed=seeds, scale=st.floats(0.01, 100), shift=st.floats(-50, 50))
@settings(max_examples=15)
def test_codes_are_only_an_order(seed: int, scale: float, shift: float) -> None:
    df = answers(seed=seed)
    coded = shift + scale * np.exp(df)
    plain, other = polychoric(df), polychoric(coded)
    assert_allclose(other.correlations, plain.correlations, rtol=0, atol=1e-14)
    assert_allclose(other.std_errors, plain.std_errors, rtol=1e-12)


@given(seed=seeds, place=st.integers(0, 3), method=st.sampled_from(["two_step", "ml"]))
@settings(max_examples=15)
def test_an_item_turned_round(seed: int, place: int, method: Any) -> None:
    df = answers(seed=seed)
    item = str(df.columns[place])
    plain = polychoric(df, method=method, smooth=False)
    other = polychoric(df.assign(**{item: -df[item]}), method=method, smooth=False)
    signs = np.where(df.columns == item, -1.0, 1.0)
    assert_allclose(other.correlations, plain.correlations * np.outer(signs, signs), atol=1e-7)
    assert_allclose(other.thresholds[item], -plain.thresholds[item][::-1], atol=1e-12)
    assert_allclose(other.std_errors, plain.std_errors, rtol=1e-5)
    low, high = plain.to_frame()["ci_low"], plain.to_frame()["ci_high"]
    turned = (plain.to_frame()[["item_1", "item_2"]] == item).any(axis=1)
    assert_allclose(other.to_frame()["ci_low"], np.where(turned, -high, low), atol=1e-6)


@given(seed=seeds, method=st.sampled_from(["two_step", "ml"]))
@settings(max_examples=15)
def test_rows_twice(seed: int, method: Any) -> None:
    df = answers(seed=seed, n=200)
    # A half stays a half, so that only tables without one are the same twice.
    plain = polychoric(df, method=method, acov=method == "two_step", empty_cells="none")
    twice = polychoric(
        pd.concat([df, df]), method=method, acov=method == "two_step", empty_cells="none"
    )
    assert_allclose(twice.correlations, plain.correlations, atol=1e-8)
    n = len(df)
    factor = np.sqrt((n - 1) / (2 * n - 1)) if method == "two_step" else np.sqrt(0.5)
    assert_allclose(twice.std_errors, plain.std_errors * factor, rtol=1e-6)
    assert_allclose(twice.to_frame()["chi2"], 2 * plain.to_frame()["chi2"], rtol=1e-6, atol=1e-6)
    if plain.acov is not None:
        assert twice.acov is not None
        assert_allclose(twice.acov, plain.acov * factor**2, rtol=1e-5, atol=1e-12)


@given(seed=seeds, unit=st.sampled_from([1e-6, 0.3, 2.0, 1e6]))
@settings(max_examples=10)
def test_the_unit_of_weights_does_not_matter(seed: int, unit: float) -> None:
    df = answers(seed=seed, n=80, categories=(2, 2, 4))
    w = np.random.default_rng(seed).choice([1.0, 2.0, 3.0], len(df))

    def weighted(scale: float, missing: Any) -> PolychoricResult:
        data = df.assign(w=w * scale)
        items = list(df.columns)
        data.loc[:4, "q3"] = np.nan
        answered = from_frame(data, scales={"s": items}, roles={"weight": "w"})
        return polychoric(answered, "s", missing=missing)

    for missing in ("listwise", "pairwise"):
        plain, other = weighted(1.0, missing), weighted(unit, missing)
        assert_allclose(other.correlations, plain.correlations, atol=1e-8)
        assert_allclose(other.std_errors, plain.std_errors, rtol=1e-6)
        frames = other.to_frame(), plain.to_frame()
        assert_allclose(frames[0]["chi2"], frames[1]["chi2"], rtol=1e-6, atol=1e-8)
        assert_allclose(frames[0]["n"], unit * frames[1]["n"], rtol=1e-12)


@given(seed=seeds)
@settings(max_examples=10)
def test_whole_weights_are_rows(seed: int) -> None:
    df = answers(seed=seed, n=150)
    times = np.random.default_rng(seed).integers(0, 4, len(df))
    items = list(df.columns)
    answered = from_frame(df.assign(w=times), scales={"s": items}, roles={"weight": "w"})
    found = polychoric(answered, "s", empty_cells="none", acov=True)
    rows = polychoric(df.loc[df.index.repeat(times)], empty_cells="none")
    assert_allclose(found.correlations, rows.correlations, atol=1e-8)
    assert found.n == (times > 0).sum()
    assert_array_equal(found.n_pairs, rows.n_pairs)
    assert "Weights applied." in found.notes
    # Errors: copies of a row are one row, so they are those of clusters of copies.
    copies = df.loc[df.index.repeat(times)].assign(of=np.repeat(np.arange(len(df)), times))
    answered = from_frame(copies, scales={"s": items}, roles={"cluster": "of"})
    clustered = polychoric(answered, "s", empty_cells="none", acov=True)
    assert clustered.n_clusters == found.n
    assert_allclose(found.std_errors, clustered.std_errors, rtol=1e-8)
    assert found.acov is not None
    assert clustered.acov is not None
    assert_allclose(found.acov, clustered.acov, rtol=1e-8, atol=1e-14)


def test_weights_of_two_are_rows_twice() -> None:
    df = answers(seed=7)
    answered = from_frame(df.assign(w=2.0), scales={"s": list(df.columns)}, roles={"weight": "w"})
    found, rows = polychoric(answered, "s"), polychoric(pd.concat([df, df]))
    assert_allclose(found.correlations, rows.correlations, atol=1e-8)
    assert_array_equal(found.n_pairs, rows.n_pairs)
    # Weighted rows stay rows: precision is that of their number.
    assert_allclose(found.std_errors, polychoric(df).std_errors, rtol=1e-8)


def test_each_row_its_own_cluster() -> None:
    df = dataset("ordinal_mixed").assign(row=np.arange(160))
    alone = from_frame(df, scales={"s": MIXED}, roles={"cluster": "row"})
    found, plain = polychoric(alone, "s", acov=True), polychoric(df, MIXED, acov=True)
    assert found.n_clusters == found.n == 156
    assert_allclose(found.std_errors, plain.std_errors, rtol=1e-8)
    assert found.acov is not None
    assert plain.acov is not None
    assert_allclose(found.acov, plain.acov, rtol=1e-8, atol=1e-14)


@pytest.mark.parametrize("missing", ["listwise", "pairwise"])
def test_cluster_errors_are_close_to_the_jackknife(missing: Any) -> None:
    df = schools()
    gone = np.random.default_rng(5).random((len(df), 4)) < 0.03
    items = ["a", "b", "c", "d"]
    df[items] = df[items].mask(gone)
    answered = from_frame(df, scales={"s": items}, roles={"cluster": "school"})
    found = polychoric(answered, "s", missing=missing)
    assert found.n_clusters == 40
    left_out = [
        polychoric(df[df["school"] != g], items, missing=missing, std_errors="none").to_frame()
        for g in range(40)
    ]
    each = np.array([frame["estimate"] for frame in left_out])
    jackknife = np.sqrt(39 / 40 * ((each - each.mean(axis=0)) ** 2).sum(axis=0))
    assert_allclose(found.to_frame()["std_error"], jackknife, rtol=0.15)
    # Schools share their answers here: counting respondents as independent is too bold.
    plain = polychoric(answered, "s", missing=missing, cluster=None)
    assert found.to_frame()["std_error"].mean() > 1.2 * plain.to_frame()["std_error"].mean()
    assert_allclose(found.correlations, plain.correlations, atol=0)


def test_cluster_errors_where_a_cell_was_filled() -> None:
    """What the rule adds is no difference between clusters."""
    found = polychoric(mixed(cluster="school"), "mixed").to_frame()
    plain = polychoric(mixed(), "mixed").to_frame()
    done = found["n_adjusted"] > 0
    assert done.sum() == 2
    ratio = found["std_error"] / plain["std_error"]
    assert ratio[done].between(0.8, 1.25).all()


@pytest.mark.parametrize("std_errors", ["auto", "conditional"])
@pytest.mark.parametrize("method", ["two_step", "ml"])
def test_pairwise_is_listwise_where_nothing_is_missing(std_errors: Any, method: Any) -> None:
    df = answers(seed=2)
    one = polychoric(df, method=method, std_errors=std_errors)
    for cuts in ("items", "pairs"):
        other = polychoric(
            df, missing="pairwise", thresholds_from=cuts, method=method, std_errors=std_errors
        )
        assert_allclose(other.correlations, one.correlations, atol=1e-10)
        assert_allclose(other.std_errors, one.std_errors, rtol=1e-9)
        assert_array_equal(other.n_pairs, one.n_pairs)


def test_pairwise_errors_count_every_answer_to_an_item() -> None:
    """Against the jackknife over parts, where thresholds have more rows than the table."""
    df = answers(n=900, seed=12, categories=(3, 4, 2)).sample(frac=1, random_state=1)
    part = np.arange(900) % 100
    df["q1"] = df["q1"].where(np.arange(900) >= 300)
    df["q2"] = df["q2"].where(np.arange(900) < 700)
    found = polychoric(df, missing="pairwise").to_frame()
    left_out = [
        polychoric(df[part != g], missing="pairwise", std_errors="none").to_frame()
        for g in range(100)
    ]
    each = np.array([frame["estimate"] for frame in left_out])
    jackknife = np.sqrt(99 / 100 * ((each - each.mean(axis=0)) ** 2).sum(axis=0))
    # 100 parts give an error to within 1 / sqrt(200).
    assert_allclose(found["std_error"], jackknife, rtol=0.15)


def test_engines_agree(engine: Any) -> None:
    df = schools(n_schools=12)
    answered = from_frame(
        engine(df.assign(w=1.0 + df["a"] / 4)),
        scales={"s": ["a", "b", "c", "d"]},
        roles={"cluster": "school", "weight": "w"},
    )
    found = polychoric(answered, "s", acov=True)
    plain = polychoric(
        from_frame(
            df.assign(w=1.0 + df["a"] / 4),
            scales={"s": ["a", "b", "c", "d"]},
            roles={"cluster": "school", "weight": "w"},
        ),
        "s",
        acov=True,
    )
    assert_allclose(found.correlations, plain.correlations, atol=1e-10)
    assert_allclose(found.std_errors, plain.std_errors, rtol=1e-9)
    assert found.acov is not None
    assert plain.acov is not None
    assert_allclose(found.acov, plain.acov, rtol=1e-8, atol=1e-14)
    assert found.notes == plain.notes


def test_items_in_any_frame(eager_engine: Any) -> None:
    df = answers(n=100)
    plain = polychoric(df)
    assert_allclose(polychoric(eager_engine(df)).correlations, plain.correlations, atol=1e-12)


@pytest.mark.parametrize("dtype", ["int8", "float32", "Int64", "Float64", "int64[pyarrow]"])
def test_types_of_numbers(dtype: str) -> None:
    df = answers(n=100)
    found, plain = polychoric(df.astype(dtype)), polychoric(df)
    assert_allclose(found.correlations, plain.correlations, atol=1e-12)


def test_booleans_text_and_categories() -> None:
    df = answers(n=100)
    yes = df > 2
    assert_allclose(
        polychoric(yes[["q2", "q3"]]).correlations,
        polychoric(yes[["q2", "q3"]].astype(int)).correlations,
        atol=1e-12,
    )
    words = df.astype(int).astype(str)
    items = list(df.columns)
    assert_allclose(polychoric(words, items).correlations, polychoric(df).correlations, atol=1e-12)
    levels = df.astype(int).astype("category")
    assert_allclose(polychoric(levels, items).correlations, polychoric(df).correlations, atol=1e-12)


@pytest.mark.parametrize("shift", [1e15, -1e15, 1e-12])
def test_huge_and_tiny_codes(shift: float) -> None:
    df = answers(n=100)
    other = df * shift if abs(shift) < 1 else df + shift
    assert_allclose(polychoric(other).correlations, polychoric(df).correlations, atol=1e-12)


def test_category_in_the_middle_that_nobody_chose() -> None:
    df = answers(categories=(5, 5, 3))
    gone = df.replace({"q1": {3: 2}})
    stated = from_frame(gone, scales={"s": ["q1", "q2", "q3"]}, response_range=(1, 5))
    ordinal = stated.instrument.response_sets["answers"].model_copy(
        update={"type": "ordinal", "values": (1.0, 2.0, 3.0, 4.0, 5.0)}
    )
    stated = stated.replace(
        instrument=stated.instrument.model_copy(update={"response_sets": {"answers": ordinal}})
    )
    found, plain = polychoric(stated, "s"), polychoric(gone)
    assert_allclose(found.correlations, plain.correlations, atol=1e-12)
    assert_array_equal(found.categories["q1"], [1, 2, 4, 5])
    assert len(found.thresholds["q1"]) == 3
    assert "Answers that nobody chose, left out: q1: 3, q3: 4, 5." in found.notes


def test_recovery_of_a_known_correlation() -> None:
    generator = np.random.default_rng(20)
    true = np.array([[1, 0.5, -0.3], [0.5, 1, 0.7], [-0.3, 0.7, 1]]) * 0.9 + 0.1 * np.eye(3)
    y = generator.multivariate_normal(np.zeros(3), true, 20_000)
    codes = {"a": [-0.5, 0.8], "b": [0.3], "c": [-1, -0.2, 0.9, 1.6]}
    df = pd.DataFrame({n: np.searchsorted(c, y[:, j]) for j, (n, c) in enumerate(codes.items())})
    for method in ("two_step", "ml"):
        found = polychoric(df, method=method)
        error = above_diagonal(found.correlations) - above_diagonal(pd.DataFrame(true))
        assert (np.abs(error) < 4 * above_diagonal(found.std_errors)).all()
    for item, cuts in codes.items():
        assert_allclose(found.thresholds[item], cuts, atol=0.05)


@pytest.mark.parametrize(("rho", "missing"), [(0.0, "listwise"), (0.6, "pairwise")])
def test_intervals_cover_the_truth(rho: float, missing: Any) -> None:
    """In 200 samples of 150; the binomial error of 95 % is 1.5."""
    generator = np.random.default_rng(8)
    covered = 0
    for _ in range(200):
        y = generator.multivariate_normal([0, 0], [[1, rho], [rho, 1]], 150)
        df = pd.DataFrame({"a": np.searchsorted([-0.7, 0.5], y[:, 0])}, dtype=float)
        df["b"] = np.searchsorted([-1, 0, 0.8], y[:, 1])
        if missing == "pairwise":
            df = df.mask(generator.random(df.shape) < 0.2)
        row = polychoric(df, missing=missing).to_frame().iloc[0]
        covered += row["ci_low"] <= rho <= row["ci_high"]
    assert 0.90 <= covered / 200 <= 0.99


def test_test_of_the_normal_is_uniform_where_it_holds() -> None:
    generator = np.random.default_rng(18)
    p = []
    for _ in range(100):
        y = generator.multivariate_normal([0, 0], [[1, 0.4], [0.4, 1]], 400)
        df = pd.DataFrame({"a": np.searchsorted([-0.7, 0.5], y[:, 0])})
        df["b"] = np.searchsorted([-0.8, 0, 0.8], y[:, 1])
        p.append(polychoric(df, std_errors="none").to_frame()["p_value"].item())
    assert 0.4 < np.mean(p) < 0.6
    assert np.mean(np.array(p) < 0.05) < 0.1


# ---------------------------------------------------------------- what is shown


def bfi(**roles: str) -> Responses:
    return from_frame(
        dataset("bfi"),
        scales=BFI_SCALES,
        reverse_keyed=BFI_REVERSED,
        response_range=(1, 6),
        roles=roles,
    )


def test_result_of_a_scale() -> None:
    found = polychoric(bfi(), "agree")
    assert found.name == "agree"
    assert found.items == ("A1", "A2", "A3", "A4", "A5")
    assert found.correlations.loc["A1", "A2"] < 0  # answers as they were given
    assert found.notes[0] == "Two-step maximum likelihood (Olsson, 1979)."
    assert found.notes[1] == "2709 of 2800 rows, those with every item answered."
    assert "Polychoric correlations of agree (2709 respondents)" in found.summary()
    assert "<table" in found._repr_html_()
    assert found.chart() is not None
    with pytest.raises(ValueError, match="read-only"):
        found.thresholds["A1"][0] = 0.0
    frame = found.to_frame()
    frame.loc[0, "estimate"] = 9.0
    assert found.to_frame().loc[0, "estimate"] < 1
    inside = (frame["ci_low"] < frame["ci_high"]) & (frame["ci_low"] > -1) & (frame["ci_high"] < 1)
    assert inside.all()


def test_many_items_and_several_scales() -> None:
    found = polychoric(bfi(), missing="pairwise", std_errors="none")
    assert len(found.items) == 25
    assert "strongest" in found.summary()
    assert [n for _, n in found.groups] == [5, 5, 5, 5, 5]
    assert found.to_frame()["std_error"].isna().all()
    some = polychoric(bfi(), ["agree", "N1", "neuro"])
    assert some.items == ("A1", "A2", "A3", "A4", "A5", "N1", "N2", "N3", "N4", "N5")


def test_tetrachoric_is_polychoric_of_two_answers() -> None:
    df = dataset("ordinal_mixed")
    answered = from_frame(df, scales={"s": BINARY}, roles={"cluster": "school"})
    one = tetrachoric(answered, "s", missing="pairwise", smooth=False, conf_level=0.9)
    other = polychoric(answered, "s", missing="pairwise", smooth=False, conf_level=0.9)
    pd.testing.assert_frame_equal(one.to_frame(), other.to_frame())
    assert one.notes == other.notes
    assert one.name == other.name == "s"


def test_no_errors_where_none_are_asked_for() -> None:
    found = polychoric(mixed(cluster="school"), "mixed", std_errors="none", acov=True)
    assert found.to_frame()["std_error"].isna().all()
    assert found.acov is not None
    with_errors = polychoric(mixed(cluster="school"), "mixed", acov=True)
    assert with_errors.acov is not None
    assert_allclose(found.acov, with_errors.acov, rtol=1e-12)
    known = polychoric(mixed(), "mixed", std_errors="conditional", acov=True)
    assert known.acov is not None
    assert (known.to_frame()["std_error"] != np.sqrt(np.diag(known.acov))[-21:]).all()


# ---------------------------------------------------------------- what cannot be done


def refused(data: Any, items: Any = None, **options: Any) -> str:
    """The sentence of the error."""
    with pytest.raises(CollabSurveyError) as caught:
        polychoric(data, items, **options)
    return str(caught.value)


def test_items_with_one_category_are_named() -> None:
    df = answers().assign(q2=1.0, q4=3.0)
    assert refused(df) == (
        "A polychoric correlation is not defined: each of the items 'q2', 'q4' has the same value "
        "in every row used. Check the export, or leave it out."
    )
    with pytest.raises(NoVarianceError, match="item 'q2' has the same value"):
        polychoric(df[["q1", "q2"]])
    with pytest.raises(NoVarianceError, match="each of the items 'q1', 'q2', 'q3', 'q4'"):
        polychoric(answers(n=1))
    # Only in the rows that are used.
    constant = answers()
    constant.loc[constant["q1"] == 1, "q2"] = np.nan
    with pytest.raises(NoVarianceError, match="item 'q1' has the same value in every row used"):
        polychoric(constant)


@pytest.mark.parametrize("missing", ["listwise", "pairwise"])
def test_items_that_nobody_answered(missing: Any) -> None:
    text = refused(answers().assign(q3=np.nan), missing=missing)
    assert text == "A polychoric correlation is not defined: nobody answered q3. Leave it out."
    assert "nobody answered q1, q2, q3, q4" in refused(answers() * np.nan, missing=missing)


def test_items_that_were_never_answered_together() -> None:
    df = answers()
    df.loc[:149, "q1"] = np.nan
    df.loc[150:, "q2"] = np.nan
    with pytest.raises(NotEnoughDataError, match="who answered every item; there are 0"):
        polychoric(df)
    with pytest.raises(DataError, match=r"nobody answered both: q1 with q2\. Leave out items that"):
        polychoric(df, missing="pairwise")
    df.loc[:9, "q1"] = 2.0  # together, but always the same answer
    with pytest.raises(DataError, match="all gave the same answer to one, or nobody.*: q1 with q2"):
        polychoric(df, missing="pairwise")


def test_two_identical_items() -> None:
    df = answers(categories=(3, 4, 5, 4))
    df["copy"] = df["q2"]
    df["turned"] = -df["q2"]
    found = polychoric(df)
    assert found.at_limit == (("q2", "copy"), ("q2", "turned"), ("copy", "turned"))
    frame = found.to_frame().set_index(["item_1", "item_2"])
    assert frame.loc[("q2", "copy"), "estimate"] == 0.999
    assert frame.loc[("copy", "turned"), "estimate"] == -0.999
    assert frame.loc[list(found.at_limit), "std_error"].isna().all()
    assert frame.drop(list(found.at_limit))["std_error"].notna().all()
    assert (
        "Perfectly associated, as far as these answers show: q2 with copy, q2 with turned, copy "
        "with turned. The estimate is set to ±.999; one of the items can be left out."
    ) in found.notes
    assert found.summary()


def inconsistent() -> pd.DataFrame:
    """Three items answered in pairs by different people, with correlations that cannot be."""
    parts = []
    for seed, (first, second), sign in ((1, "ab", 1), (2, "bc", 1), (3, "ac", -1)):
        both = answers(seed=seed, categories=(4, 4), loading=0.95)
        both["q2"] *= sign
        parts.append(both.set_axis([first, second], axis=1))
    return pd.concat(parts, ignore_index=True).replace({"c": {-1: 4, -2: 3, -3: 2, -4: 1}})


def test_matrix_that_is_not_positive_definite() -> None:
    found = polychoric(inconsistent(), missing="pairwise")
    assert found.smoothed
    assert found.smallest_eigenvalue < -0.5
    assert np.linalg.eigvalsh(found.correlations)[0] > -1e-12
    assert_allclose(np.diag(found.correlations), 1)
    said = [note for note in found.notes if note.startswith("The matrix is not positive definite")]
    assert "smallest eigenvalue −0." in said[0]
    assert "smoothed by its eigenvalues; correlations moved by up to 0." in said[0]
    left = polychoric(inconsistent(), missing="pairwise", smooth=False)
    assert not left.smoothed
    assert_allclose(np.linalg.eigvalsh(left.correlations)[0], left.smallest_eigenvalue)
    assert "It was left so; factor analysis needs a smoothed one." in left.notes[-1]
    # The pairs are as estimated in both.
    pd.testing.assert_frame_equal(left.to_frame(), found.to_frame())
    assert_allclose(above_diagonal(left.correlations), left.to_frame()["estimate"])
    with pytest.raises(NotEnoughDataError):
        polychoric(inconsistent())


def test_measurements_are_refused() -> None:
    df = answers().assign(days=np.arange(300.0) % 25)
    assert "days has more than 20 different answers, which is a measurement" in refused(df)
    assert "'days' has 300 different answers" in refused(df.assign(days=np.arange(300.0)))
    assert len(polychoric(df.assign(days=np.arange(300.0) % 20)).categories["days"]) == 20


def test_frames_without_answers() -> None:
    df = answers()
    with pytest.raises(NotEnoughDataError, match="2 columns of numbers in the table; there are 0"):
        polychoric(df.astype(str))
    with pytest.raises(NotEnoughDataError, match="2 columns of numbers in the table; there are 0"):
        polychoric(pd.DataFrame())
    with pytest.raises(DataError, match="needs at least 3 respondents|no rows"):
        polychoric(df.iloc[:0])
    with pytest.raises(NotEnoughItemsError, match="needs at least 2 items"):
        polychoric(df, ["q1"])
    with pytest.raises(AnswersError, match="Item 'q1' has answers that are words: 'a'"):
        polychoric(df.assign(q1="a"), ["q1", "q2"])
    # Columns of text are no items unless they are named.
    assert polychoric(df.assign(name="a")).items == ("q1", "q2", "q3", "q4")
    for data in (None, 3, [[1, 2]], df.to_numpy()):
        with pytest.raises(DataError, match="is not a table of answers"):
            polychoric(data, ["q1", "q2"])
    with pytest.raises(DataError, match="Column names must be text"):
        polychoric(df.set_axis(range(4), axis=1))


def test_infinite_answers() -> None:
    df = answers()
    for value in (np.inf, -np.inf):
        text = refused(df.assign(q2=df["q2"].replace(2, value)))
        assert "q2 has infinite values" in text
    with pytest.raises(CollabSurveyError, match="Answers are finite numbers"):
        from_frame(df.replace(2, np.inf), scales={"s": ["q1", "q2"]})
    # NaN is a missing answer.
    gone = df.mask(df == 2)
    assert polychoric(gone[["q3", "q4"]]).n == gone[["q3", "q4"]].notna().all(axis=1).sum()


def test_names_that_do_not_exist() -> None:
    df = answers()
    with pytest.raises(UnknownNameError, match="has no column 'q11'. Did you mean 'q1'"):
        polychoric(df, ["q11", "q2"])
    with pytest.raises(UnknownNameError, match="has no scale 'agre'. Did you mean 'agree'"):
        polychoric(bfi(), "agre")
    with pytest.raises(UnknownNameError, match="has no item 'A11'. Did you mean 'A1'"):
        polychoric(bfi(), ["A11", "A2"])
    with pytest.raises(UnknownNameError, match="has no column 'school'"):
        polychoric(df, cluster="school")
    for data in (df, bfi()):
        for items in ([], 3, [1, 2], ()):
            with pytest.raises(OptionError, match="items=.*a name, or a list of names"):
                polychoric(data, items)  # type: ignore[arg-type]
    names = df.columns
    assert polychoric(df, names).items == polychoric(df, np.array(names)).items == tuple(names)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("empty_cells", "half"),
        ("missing", "fiml"),
        ("method", "ML"),
        ("thresholds_from", "item"),
        ("std_errors", "robust"),
        ("conf_level", 95),
        ("conf_level", None),
    ],
)
def test_options(option: str, value: Any) -> None:
    with pytest.raises(OptionError, match=f"{option}={value!r} is not possible here"):
        polychoric(answers(), **{option: value})


def test_no_asymptotic_covariance_of_joint_estimates() -> None:
    with pytest.raises(OptionError, match="acov=True is not possible here"):
        polychoric(answers(), method="ml", acov=True)


def test_tetrachoric_refuses_more_than_two_answers() -> None:
    with pytest.raises(DataError, match=r"more were chosen of q2 \(3\), q3 \(4\), q4 \(5\)\. Use"):
        tetrachoric(answers())


def test_fewer_rows_than_items() -> None:
    generator = np.random.default_rng(1)
    df = pd.DataFrame(generator.integers(1, 4, (8, 12)).astype(float)).rename(columns="q{}".format)
    found = polychoric(df)
    assert found.smoothed
    assert np.linalg.eigvalsh(found.correlations)[0] > -1e-10
    assert found.summary()


def test_rows_without_a_weight_are_not_used() -> None:
    df = answers()
    weight = np.where(np.arange(300) < 100, 0.0, 1.5)
    weight[100:110] = np.nan
    items = list(df.columns)
    answered = from_frame(df.assign(w=weight), scales={"s": items}, roles={"weight": "w"})
    found, rest = polychoric(answered, "s"), polychoric(df.iloc[110:])
    assert found.n == rest.n == 190
    assert found.n_rows == 300
    assert_allclose(found.correlations, rest.correlations, atol=1e-8)
    assert_allclose(found.std_errors, rest.std_errors, rtol=1e-8)
    pairs = polychoric(answered, "s", missing="pairwise")
    assert_allclose(pairs.correlations, rest.correlations, atol=1e-8)


def clustered(df: pd.DataFrame) -> Responses:
    items = [name for name in df.columns if name != "school"]
    return from_frame(df, scales={"s": items}, roles={"cluster": "school"})


def test_clusters_that_are_missing_few_or_one() -> None:
    df = schools(n_schools=12)
    gone = df.assign(school=df["school"].where(df["school"] != 3))
    found = polychoric(clustered(gone), "s")
    assert found.n == len(df)
    assert found.n_clusters == 11
    assert (
        "Standard errors over 11 clusters; 15 rows without a cluster are left out of them."
        in found.notes
    )
    few = df.assign(school=df["school"] % 5)
    with pytest.warns(FewClustersWarning, match="Only 5 clusters: standard errors"):
        found = polychoric(clustered(few), "s")
    assert any("Only 5 clusters" in note for note in found.notes)
    assert polychoric(clustered(few), "s", cluster=None).n_clusters is None
    assert polychoric(clustered(few), "s", std_errors="none").n_clusters is None
    with pytest.raises(DataError, match="There is only one 'school' with answers"):
        polychoric(clustered(df.assign(school=1)), "s")


def test_respondents_who_answered_twice_are_clusters() -> None:
    df = answers(n=100)
    twice = pd.concat([df.assign(wave=1), df.assign(wave=2)])
    twice["id"] = [f"p{i}" for i in twice.index]
    answered = from_frame(
        twice, scales={"s": list(df.columns)}, roles={"respondent": "id", "wave": "wave"}
    )
    found = polychoric(answered, "s", empty_cells="none")
    assert found.n_clusters == 100
    assert any("200 rows of 100 people" in note for note in found.notes)
    # The same answers again: nothing was added.
    plain = polychoric(df, empty_cells="none")
    assert_allclose(found.std_errors, plain.std_errors, rtol=1e-8)


def test_small_frames_give_numbers_or_one_clear_sentence() -> None:
    """A short version of a search of some thousand frames: never a warning of numpy's."""
    generator = np.random.default_rng(99)
    finished = 0
    for _ in range(150):
        n, k = int(generator.choice([2, 4, 8, 20, 60])), int(generator.integers(2, 5))
        x = generator.integers(0, generator.integers(2, 5), (n, k)).astype(float)
        x[generator.random(x.shape) < generator.choice([0.0, 0.0, 0.2])] = np.nan
        options: dict[str, Any] = {
            "empty_cells": str(generator.choice(["lavaan", "psych", "add_half", "none"])),
            "missing": str(generator.choice(["listwise", "pairwise"])),
            "method": str(generator.choice(["two_step", "ml"])),
            "thresholds_from": str(generator.choice(["items", "pairs"])),
        }
        df = pd.DataFrame(x).rename(columns="q{}".format)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                found = polychoric(df, **options)
            except CollabSurveyError as error:
                assert "\n" not in str(error)
                continue
        finished += 1
        cor = found.correlations.to_numpy()
        assert np.isfinite(cor).all()
        assert (np.abs(cor) <= 1 + 1e-12).all()
        inside = found.to_frame()["estimate"].abs() < 0.999
        assert np.isfinite(found.to_frame()["std_error"][inside]).all()
        assert not any("did not converge" in note for note in found.notes)
    assert finished > 40
