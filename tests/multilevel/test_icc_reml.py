"""ICC by REML, reliability of each group's mean and WABA, against nlme, lme4 and multilevel."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.special import fdtri, stdtrit

from collabsurvey.errors import DataError, NotEnoughDataError, NoVarianceError, OptionError
from collabsurvey.multilevel.group_reliability import group_reliability
from collabsurvey.multilevel.icc import icc, stepped_up
from collabsurvey.multilevel.waba import waba
from collabsurvey.numerics.mixed import GroupProducts, fit_mixed
from collabsurvey.numerics.variance_components import one_way_reml, wald_ratio_interval
from collabsurvey.responses import from_frame
from support import dataset, gold

GOLD = gold("07_multilevel_aggregation")
RTOL = 1e-8  # closed forms
OPTIMUM = 1e-4  # optima of nlme and lme4: bh1996 agrees to 2e-6, the tiny cohesion to 2e-5


@pytest.mark.parametrize("name", ["bh1996", "cohesion"])
def test_icc_by_reml_matches_nlme_and_lme4(name: str) -> None:
    values = GOLD[f"icc12_reml_{name}"]["values"]
    frame = icc(
        dataset(name), [row["Variable"] for row in values["mult_icc"]], "GRP", method="reml"
    ).to_frame()
    frame = frame.set_index("variable")
    components = group_reliability(dataset(name), list(frame.index), "GRP").variables_frame
    components = components.set_index("variable")
    for row in values["mult_icc"]:
        variable = row["Variable"]
        assert_allclose(frame.loc[variable, "icc1"], row["ICC1"], rtol=OPTIMUM)
        # mult.icc counts rows without an answer in its mean size (COH02 of cohesion has one).
        rows = len(dataset(name)) / frame.loc[variable, "n_clusters"]
        assert_allclose(stepped_up(frame.loc[variable, "icc1"], rows), row["ICC2"], rtol=OPTIMUM)
        if rows == frame.loc[variable, "mean_size"]:
            assert_allclose(frame.loc[variable, "icc2"], row["ICC2"], rtol=OPTIMUM)
        stored = values[variable]
        assert_allclose(frame.loc[variable, "icc1"], stored["icc"], rtol=OPTIMUM)
        assert_allclose(components.loc[variable, "tau2"], stored["tau00"], rtol=OPTIMUM)
        assert_allclose(components.loc[variable, "sigma2"], stored["sigma2"], rtol=OPTIMUM)
        assert_allclose(
            components.loc[variable, "mean_reliability"],
            stored["group_mean_reliability_avg"],
            rtol=OPTIMUM,
        )


@pytest.mark.parametrize("name", ["bh1996", "cohesion"])
def test_the_grand_mean_is_lme4s(name: str) -> None:
    values = GOLD[f"icc12_reml_{name}"]["values"]
    for variable, stored in values.items():
        if variable == "mult_icc":
            continue
        groups = dataset(name).groupby("GRP")[variable]
        found = one_way_reml(
            groups.count().to_numpy(float),
            groups.mean().to_numpy(),
            (groups.var().fillna(0) * (groups.count() - 1)).to_numpy(),
        )
        assert_allclose(found.mean, stored["mean"], rtol=1e-6)


@pytest.mark.parametrize("name", ["bh1996", "cohesion"])
def test_reliability_of_each_mean_is_that_of_gmeanrel(name: str) -> None:
    entry = GOLD[f"gmeanrel_{name}"]
    stored = entry["values"]
    variable = entry["rows"].rpartition("variable ")[2]
    result = group_reliability(dataset(name), variable, "GRP")
    frame = result.to_frame()
    frame.index = frame["GRP"].astype(str)
    shown = frame.loc[stored["Group"]]
    assert shown["n"].tolist() == stored["GrpSize"]
    assert_allclose(shown["reliability"], stored["MeanRel"], rtol=OPTIMUM)
    summary = result.variables_frame.iloc[0]
    assert_allclose(summary["icc1"], stored["ICC"], rtol=OPTIMUM)
    assert_allclose(summary["mean_reliability"], stored["mean_of_MeanRel"], rtol=OPTIMUM)
    assert "customary" in result.summary().lower()
    assert variable in result.chart().to_svg()


@pytest.mark.parametrize(
    ("name", "x", "y"), [("bh1996", "HRS", "WBEING"), ("cohesion", "COH01", "COH02")]
)
def test_waba_matches_multilevel(name: str, x: str, y: str) -> None:
    (stored,) = GOLD[f"waba_{name}"]["values"]
    result = waba(dataset(name), x, y, "GRP")
    names = {
        "r": "RawCorr",
        "eta_between_x": "EtaBx",
        "eta_between_y": "EtaBy",
        "r_between": "CorrB",
        "eta_within_x": "EtaWx",
        "eta_within_y": "EtaWy",
        "r_within": "CorrW",
    }
    for ours, theirs in names.items():
        assert_allclose(result.estimate(ours), stored[theirs], rtol=RTOL, err_msg=ours)
    part = result.estimate
    between = part("eta_between_x") * part("eta_between_y") * part("r_between")
    within = part("eta_within_x") * part("eta_within_y") * part("r_within")
    assert_allclose(between + within, part("r"), rtol=1e-12)
    assert "r_within" in result.summary()
    assert "correlation" in result.chart().description


def moments(sizes: list[int], icc1: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    n = np.array(sizes, dtype=float)
    y = [
        np.sqrt(icc1) * generator.standard_normal()
        + generator.standard_normal(size) * np.sqrt(1 - icc1)
        for size in sizes
    ]
    return n, np.array([g.mean() for g in y]), np.array([((g - g.mean()) ** 2).sum() for g in y])


@given(
    sizes=st.lists(st.integers(1, 30), min_size=4, max_size=12),
    icc1=st.sampled_from([0.0, 0.1, 0.4]),
    seed=st.integers(0, 1000),
)
def test_the_mixed_model_finds_the_same(sizes: list[int], icc1: float, seed: int) -> None:
    n, mean, ss = moments([*sizes, 5, 6], icc1, seed)
    found = one_way_reml(n, mean, ss)
    # The same model as the general kernel for one random intercept has it, on Q = 1 / sqrt(N).
    total, centre = n.sum(), n @ mean / n.sum()
    root = np.sqrt(total)
    products = GroupProducts(
        zz=n[:, None, None],
        zx=(n / root)[:, None, None],
        ze=(n * (mean - centre))[:, None],
        ee=float(ss.sum() + n @ (mean - centre) ** 2),
        n_rows=int(total),
        reml=True,
    )
    general = fit_mixed(products, correlated=True)
    ratio = float(general.lower[0, 0] ** 2)
    assert_allclose(found.tau2 / found.sigma2, ratio, rtol=1e-5, atol=1e-6)
    assert_allclose(found.sigma2, general.sigma2, rtol=1e-5)


def test_balanced_reml_is_the_analysis_of_variance() -> None:
    n, mean, ss = moments([8] * 12, 0.3, 3)
    group = np.repeat(np.arange(12), 8)
    generator = np.random.default_rng(3)
    y = generator.standard_normal(12)[group] + generator.standard_normal(96)
    frame = pd.DataFrame({"y": y, "school": group})
    both = [icc(frame, "y", "school", method=m).to_frame().iloc[0] for m in ("anova", "reml")]
    for name in ("icc1", "icc1_low", "icc1_high", "icc2", "icc2_low", "icc2_high", "p_value"):
        assert_allclose(both[0][name], both[1][name], rtol=1e-7, err_msg=name)
    low, high = wald_ratio_interval(n, mean, ss, conf_level=0.95)
    assert 0 <= low < high


def test_limits_of_icc2_are_those_of_the_f_ratio() -> None:
    """For equal sizes 1 - F(quantile) / F (Shrout & Fleiss, 1979): their ICC(1,4)."""
    ratings = dataset("shrout_fleiss")
    long = ratings.melt(id_vars="subject", var_name="judge", value_name="y")
    row = icc(long, "y", "subject").to_frame().iloc[0]
    average = gold("02_reliability")["icc_family_shrout_fleiss"]["values"]["aov"][3]
    assert_allclose(row["icc2_low"], average["lower bound"], rtol=RTOL)
    assert_allclose(row["icc2_high"], average["upper bound"], rtol=RTOL)


def test_wald_interval_solves_its_equation() -> None:
    """At either limit the F ratio with weights n / (1 + n r) is a quantile of F."""
    n, mean, ss = moments([4, 9, 30, 12, 7, 22], 0.3, 5)
    df1, df2 = 5, n.sum() - 6
    limits = wald_ratio_interval(n, mean, ss, conf_level=0.9)
    for ratio, p in zip(limits, (0.95, 0.05), strict=True):
        if ratio == 0:
            continue
        w = n / (1 + n * ratio)
        between = w @ (mean - w @ mean / w.sum()) ** 2 / df1
        assert_allclose(fdtri(df1, df2, p), between / (ss.sum() / df2), rtol=1e-8)


def test_jackknife_is_that_of_single_fits() -> None:
    frame = pd.DataFrame({"school": np.repeat(np.arange(8), [3, 4, 5, 6, 7, 8, 9, 10])})
    generator = np.random.default_rng(2)
    frame["y"] = generator.standard_normal(8)[frame["school"]] + generator.standard_normal(52)
    whole = icc(frame, "y", "school", ci="jackknife").to_frame().iloc[0]
    logs = [
        np.log(icc(frame[frame["school"] != g], "y", "school").to_frame()["f_statistic"].iloc[0])
        for g in range(8)
    ]
    pseudo = 8 * np.log(whole["f_statistic"]) - 7 * np.array(logs)
    reach = stdtrit(7, 0.975) * pseudo.std(ddof=1) / np.sqrt(8)
    f = np.exp(pseudo.mean() + np.array([-reach, reach]))
    limits = (f - 1) / (f + whole["n0"] - 1)
    assert_allclose([whole["icc1_low"], whole["icc1_high"]], limits, rtol=1e-8)
    assert_allclose([whole["icc2_low"], whole["icc2_high"]], 1 - 1 / f, rtol=1e-8)
    again = icc(frame, "y", "school", method="reml", ci="jackknife")
    assert again.to_frame().iloc[0]["icc1_low"] == whole["icc1_low"]
    assert any("Arvesen & Schmitz" in note for note in again.notes)


@given(shift=st.floats(-100, 100), unit=st.floats(0.1, 10), seed=st.integers(0, 20))
def test_neither_unit_nor_origin_matters(shift: float, unit: float, seed: int) -> None:
    n, mean, ss = moments([3, 5, 8, 2, 9], 0.3, seed)
    first = one_way_reml(n, mean, ss)
    again = one_way_reml(n, shift + unit * mean, unit**2 * ss)
    assert_allclose(again.icc1, first.icc1, rtol=1e-6, atol=1e-9)


def test_no_variance_between_is_zero_and_said() -> None:
    frame = pd.DataFrame({"y": [1.0, 5, 1, 5, 1, 5], "school": [1, 1, 2, 2, 3, 3]})
    result = icc(frame, "y", "school", method="reml")
    row = result.to_frame().iloc[0]
    assert (row["icc1"], row["icc1_low"], row["icc2"]) == (0, 0, 0)
    assert any("so both are 0: y" in note for note in result.notes)
    reliability = group_reliability(frame, "y", "school")
    assert (reliability.to_frame()["reliability"] == 0).all()
    assert any("no more than chance" in note for note in reliability.notes)


def test_bad_input_is_refused() -> None:
    frame = pd.DataFrame({"y": [1.0, 1, 5, 5], "x": [1, 2, 3, 5], "school": [1, 1, 2, 2]})
    with pytest.raises(NoVarianceError, match="within each 'school'"):
        icc(frame, "y", "school", method="reml")
    with pytest.raises(NoVarianceError, match="within each 'school'"):
        group_reliability(frame, "y", "school")
    with pytest.raises(NoVarianceError, match="column 'y' within 'school'"):
        waba(frame, "x", "y", "school")
    with pytest.raises(NotEnoughDataError, match="at least 2 different values"):
        waba(frame.assign(school=1), "x", "y", "school")
    with pytest.raises(NotEnoughDataError, match="at least 2 answers in some"):
        group_reliability(frame.assign(school=range(4)), "x", "school")
    with pytest.raises(NotEnoughDataError, match="The jackknife of an intraclass"):
        icc(frame, "x", "school", ci="jackknife")
    with pytest.raises(OptionError, match="ci='bootstrap'"):
        icc(frame, "x", "school", ci="bootstrap")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="method='ml'"):
        group_reliability(frame, "y", "school", method="ml")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="holds text"):
        waba(frame.assign(y=list("abcd")), "x", "y", "school")


def test_rows_without_a_cluster_are_counted() -> None:
    frame = dataset("cohesion")
    frame.loc[0, "GRP"] = None
    assert any(": 1" in note for note in waba(frame, "COH01", "COH03", "GRP").notes)
    result = group_reliability(frame, "COH01", "GRP")
    assert "Rows without GRP, left out: 1." in result.notes
    responses = from_frame(frame, scales={"a": ["COH01"]}, roles={"cluster": "GRP"})
    assert group_reliability(responses, cluster="cluster").cluster == "GRP"
