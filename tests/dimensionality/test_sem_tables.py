"""What a reader is shown of a structural equation model: the text of its tables.

The numbers of `test_the_table_of_three_factors` are those lavaan prints for its first example
(Rosseel, 2012); here it is the words and the order that are tested.
"""

from __future__ import annotations

import textwrap
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtri

from collabsurvey.dimensionality.cfa import cfa, sem
from collabsurvey.dimensionality.sem_result import SemResult
from collabsurvey.dimensionality.sem_tables import fit_text
from support import dataset

HS = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
BFI = "agree =~ A1 + A2 + A3\nconsc =~ C1 + C2 + C3"


@cache
def three_factors() -> SemResult:
    return cfa(dataset("hs1939"), HS)


@cache
def ordered() -> SemResult:
    return cfa(dataset("bfi"), BFI, ordered=True)


def text_of(result: SemResult) -> list[str]:
    return [line.replace("\u00a0", " ") for line in result.summary().split("\n")]


def sections(result: SemResult) -> dict[str, list[list[str]]]:
    """Rows of each section of the table, by its heading."""
    out: dict[str, list[list[str]]] = {}
    table = result.table()
    for i, row in enumerate(table.cells()):
        if i in table.heads:
            here = out.setdefault(row[0], [])
        else:
            here.append([cell.replace("\u00a0", " ").strip() for cell in row])
    return out


def test_the_table_of_three_factors() -> None:
    text = text_of(three_factors())
    assert text[: text.index("", 31)] == textwrap.dedent("""\
        Model: chi-square(24) = 85.31, p < .001, CFI = .931, RMSEA = .092, SRMR = .065

                                  estimate  std error  95% CI               p  standardised
        ------------------------  --------  ---------  --------------  ------  ------------
        Loadings (factor → item)
          visual → x1                1.000          –                                  0.77
          visual → x2                0.554      0.100  [0.358, 0.749]  < .001          0.42
          visual → x3                0.729      0.109  [0.516, 0.943]  < .001          0.58
          textual → x4               1.000          –                                  0.85
          textual → x5               1.113      0.065  [0.985, 1.241]  < .001          0.86
          textual → x6               0.926      0.055  [0.817, 1.035]  < .001          0.84
          speed → x7                 1.000          –                                  0.57
          speed → x8                 1.180      0.165  [0.857, 1.503]  < .001          0.72
          speed → x9                 1.082      0.151  [0.785, 1.378]  < .001          0.67

        Covariances of factors
          visual ↔ textual           0.408      0.074  [0.264, 0.552]  < .001          0.46
          visual ↔ speed             0.262      0.056  [0.152, 0.373]  < .001          0.47
          textual ↔ speed            0.173      0.049  [0.077, 0.270]  < .001          0.28

        Variances of factors
          visual                     0.809      0.145  [0.524, 1.094]
          textual                    0.979      0.112  [0.760, 1.199]
          speed                      0.384      0.086  [0.215, 0.553]

        Residual variances
          x1                         0.549      0.114  [0.326, 0.772]                  0.40
          x2                         1.134      0.102  [0.934, 1.333]                  0.82
          x3                         0.844      0.091  [0.667, 1.022]                  0.66
          x4                         0.371      0.048  [0.278, 0.465]                  0.27
          x5                         0.446      0.058  [0.332, 0.561]                  0.27
          x6                         0.356      0.043  [0.272, 0.441]                  0.30
          x7                         0.799      0.081  [0.640, 0.959]                  0.68
          x8                         0.488      0.074  [0.342, 0.633]                  0.48
          x9                         0.566      0.071  [0.427, 0.705]                  0.56
        """).rstrip("\n").split("\n")  # fmt: skip


def test_regressions_and_defined_effects_come_before_covariances() -> None:
    model = f"{HS}\ntextual ~ a*visual + ageyr\nspeed ~ b*textual + visual\nind := a*b"
    found = sections(sem(dataset("hs1939"), model))
    assert list(found) == [
        "Loadings (factor → item)",
        "Regressions (predictor → outcome)",
        "Defined parameters",
        "Variances of factors",
        "Residual variances",
    ]
    names = [row[0] for row in found["Regressions (predictor → outcome)"]]
    assert names == ["visual → textual (a)", "ageyr → textual", "textual → speed (b)",
                     "visual → speed"]  # fmt: skip
    assert [row[0] for row in found["Defined parameters"]] == ["ind = a*b"]
    assert [row[0] for row in found["Variances of factors"]] == ["visual"]  # textual is an effect
    assert found["Residual variances"][-1][0] == "speed"


def test_thresholds_take_one_line_an_item() -> None:
    result = ordered()
    found = sections(result)
    lines = [row[0] for row in found["Thresholds"]]
    answers = dataset("bfi")[["A1", "A2", "A3", "C1", "C2", "C3"]].dropna()["A1"]
    below = [ndtri((answers <= category).mean()) for category in range(1, 6)]
    assert lines[0] == "A1: " + ", ".join(f"{x:.2f}" for x in below).replace("-", "−")
    assert [line.split(":")[0] for line in lines] == ["A1", "A2", "A3", "C1", "C2", "C3"]
    assert (result.estimates["op"] == "|").sum() == 30
    assert "Residual variances" not in found
    assert "Standard errors of thresholds are in `estimates`." in result.table().notes


def test_only_effects_are_tested_against_zero() -> None:
    result = cfa(dataset("hs1939"), HS, meanstructure=True)
    for heading, rows in sections(result).items():
        tested = {row[4] for row in rows} - {""}
        assert bool(tested) == heading.startswith(("Loadings", "Covariances"))
    assert [row[0] for row in sections(result)["Intercepts"]] == [f"x{i}" for i in range(1, 10)]


def test_groups_are_named_and_equal_values_shown_once() -> None:
    result = cfa(dataset("hs1939"), HS, group="school", equal=["loadings", "intercepts"])
    table, found = result.table(), sections(result)
    assert list(table.columns)[:3] == ["parameter", "group", "estimate"]
    rows = found["Loadings (factor → item)"]
    assert [row[:2] for row in rows[:3]] == [
        ["visual → x1", "Pasteur"],
        ["", "Grant-White"],
        ["visual → x2", "Pasteur"],
    ]
    assert {row[1] for row in found["Intercepts"]} == {"all, equal"}
    assert len(found["Intercepts"]) == 9
    # The reference group has means of zero, which are no news.
    assert [row[:2] for row in found["Means of factors"]] == [
        [name, "Grant-White"] for name in ("visual", "textual", "speed")
    ]
    assert "'all, equal': the model has one value for all groups." in table.notes


def test_values_that_differ_between_groups_are_all_shown() -> None:
    found = sections(cfa(dataset("hs1939"), HS, group="school"))
    assert [row[:2] for row in found["Intercepts"][:2]] == [["x1", "Pasteur"], ["", "Grant-White"]]
    assert len(found["Intercepts"]) == 18


def test_levels_have_sections_of_their_own() -> None:
    found = list(sections(two_levels()))
    assert found[:2] == [
        "Loadings within clusters (factor → item)",
        "Loadings between clusters (factor → item)",
    ]
    assert "SRMR within = " in two_levels().fit_text()


@cache
def two_levels() -> SemResult:
    rng = np.random.default_rng(1)
    school = np.repeat(np.arange(60), 10)
    common = rng.normal(size=60)[school, None] * 0.6 + rng.normal(size=(600, 1))
    own = rng.normal(size=(60, 4))[school] * 0.5
    data = pd.DataFrame(common + own + rng.normal(size=(600, 4)), columns=["a", "b", "c", "d"])
    text = "level: 1\nfw =~ a + b + c + d\nlevel: 2\nfb =~ a + b + c + d"
    return cfa(data.assign(school=school), text, cluster="school")


def test_html_has_bold_headings() -> None:
    html = three_factors().table().to_html()
    assert html.count('style="font-weight: bold;"') == 4 * 6
    assert "visual → x1" in html


def test_the_table_of_fit() -> None:
    table = three_factors().fit_table()
    assert table.to_text().split("\n")[:16] == textwrap.dedent("""\
        Fit of Model

        index                           value  usual reading
        ---------------------  --------------  -----------------------------------------
        Chi-square                     85.306  0 for a model that reproduces the data
        degrees of freedom                 24  moments less parameters
        p of exact fit                 < .001  large samples reject nearly every model
        CFI                             0.931  good from about .95 (Hu & Bentler, 1999)
        TLI                             0.896  good from about .95 (Hu & Bentler, 1999)
        RMSEA                           0.092  good up to about .06 (Hu & Bentler, 1999)
        90% interval of RMSEA  0.071 to 0.114  its width shows what the sample can tell
        p of close fit                 < .001  that RMSEA is at most .05
        SRMR                            0.065  good up to about .08 (Hu & Bentler, 1999)
        log-likelihood              −3737.745
        AIC                          7517.490  smaller is better, on the same data
        BIC                          7595.339  smaller is better, on the same data
        """).split("\n")[:16]  # fmt: skip
    assert any("Marsh, Hau & Wen" in note for note in table.notes)
    assert not any("Xia & Yang" in note for note in table.notes)


def test_a_model_that_fits_anything_is_not_praised() -> None:
    result = cfa(dataset("hs1939"), "visual =~ x1 + x2 + x3")
    table = result.fit_table()
    assert table.notes == (
        "No degrees of freedom: the model fits any data, so its fit tells nothing.",
    )
    assert {row[0]: row[-1] for row in table.cells()}["CFI"] == ""
    assert result.table().title == "Model: no degrees of freedom, so it fits exactly"


def test_corrected_versions_stand_side_by_side() -> None:
    table = ordered().fit_table()
    assert list(table.columns) == ["index", "plain", "scaled", "robust", "reading"]
    rows = {row[0]: row[1:4] for row in table.cells()}
    assert rows["Chi-square"][2] == ""  # there is no robust one
    assert all(rows["CFI"])
    assert any("Xia & Yang, 2019" in note for note in table.notes)
    assert any(note.startswith("Report the robust indices") for note in table.notes)


def test_fit_in_a_line() -> None:
    assert "(scaled), CFI (robust) = " in ordered().fit_text()
    fit = {"chi2": 1.0, "df": 2.0, "p_value": 0.6065, "cfi": 1.0, "rmsea": 0.0, "srmr": 0.01}
    assert fit_text(fit) == "chi-square(2) = 1.00, p = .607, CFI = 1.000, RMSEA = .000, SRMR = .010"
    scaled = fit | {"chi2_scaled": 1.5, "df_scaled": 2.25, "p_value_scaled": 0.5,
                    "cfi_scaled": 0.9, "cfi_robust": float("nan")}  # fmt: skip
    assert fit_text(scaled).startswith(
        "chi-square(2.2) = 1.50, p = .500 (scaled), CFI (scaled) = .900"
    )
    assert fit_text({"df": 0.0}) == "no degrees of freedom, so it fits exactly"


@pytest.mark.parametrize("result", [three_factors, ordered, two_levels])
def test_raw_numbers_stay_in_the_estimates(result: object) -> None:
    found = result()  # type: ignore[operator]
    assert list(found.to_frame().columns[:3]) == ["lhs", "op", "rhs"]
    assert len(found.estimates) >= found.table().n_rows - len(found.table().heads)
