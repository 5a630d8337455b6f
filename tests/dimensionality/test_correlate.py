"""What factor analysis starts from: given matrices, answers, singular and indefinite matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey.dimensionality import given_correlations, polychoric
from collabsurvey.dimensionality.correlate import Correlation, ItemCorrelations, item_correlations
from collabsurvey.dimensionality.inputs import Items
from collabsurvey.errors import (
    AnswersError,
    DataError,
    NotEnoughDataError,
    NotEnoughItemsError,
    NoVarianceError,
    OptionError,
    UnknownNameError,
)
from collabsurvey.moments.covariance import Missing
from collabsurvey.responses import from_frame
from support import BFI_SCALES, dataset

HS1939 = [f"x{i}" for i in range(1, 10)]


def pupils() -> pd.DataFrame:
    """Nine ability tests of 301 pupils."""
    return dataset("hs1939")[HS1939]


def correlate(
    data: Any,
    items: Items = None,
    *,
    correlation: Correlation = "pearson",
    missing: Missing = "listwise",
    fewest: int = 3,
) -> ItemCorrelations:
    return item_correlations(
        data, items, correlation=correlation, missing=missing, method="The analysis", fewest=fewest
    )


def sparse() -> pd.DataFrame:
    """Answers with so many gaps that pairwise correlations are no correlation matrix."""
    frame = pupils()
    return frame.mask(np.random.default_rng(1).random(frame.shape) < 0.6)


def test_correlations_of_complete_rows(engine: Any) -> None:
    frame = dataset("bfi")[BFI_SCALES["agree"]]
    found = correlate(engine(frame))
    assert_allclose(found.cor, np.corrcoef(frame.dropna().to_numpy(), rowvar=False), atol=1e-12)
    assert found.n == len(frame.dropna())
    assert_allclose(found.mean, frame.dropna().mean(), rtol=1e-12)
    assert_allclose(found.sd, frame.dropna().std(), rtol=1e-12)
    assert not (found.singular or found.smoothed or found.weighted)
    assert found.notes[0] == "Product-moment correlations of the answers as numbers."
    assert found.notes[1] == f"{found.n} of 2800 rows, those with every item answered."
    with pytest.raises(ValueError, match="read-only"):
        found.cor[0, 1] = 0


def test_correlations_of_pairs() -> None:
    frame = dataset("bfi")[BFI_SCALES["agree"]]
    found = correlate(frame, missing="pairwise")
    assert_allclose(found.cor, frame.corr(), atol=1e-12)
    assert found.n == 2800  # as psych counts
    answered = frame.notna().astype(int)
    fewest = int((answered.T @ answered).to_numpy().min())
    assert f"Each correlation from the rows with both items ({fewest} or more)." in found.notes


def test_weights_are_applied() -> None:
    frame = pupils().assign(w=np.random.default_rng(1).uniform(0.2, 3, 301))
    found = correlate(from_frame(frame, scales={"s": HS1939}, roles={"weight": "w"}))
    expected = np.cov(frame[HS1939].to_numpy().T, aweights=frame["w"])
    sd = np.sqrt(np.diag(expected))
    assert_allclose(found.cor, expected / np.outer(sd, sd), atol=1e-10)
    assert found.weighted


def test_scales_lists_of_scales_items_and_everything() -> None:
    responses = from_frame(dataset("bfi"), scales=BFI_SCALES)
    assert correlate(responses, "agree").items == tuple(BFI_SCALES["agree"])
    both = correlate(responses, ["agree", "neuro"])
    assert both.items == (*BFI_SCALES["agree"], *BFI_SCALES["neuro"])
    assert [size for _, size in both.groups] == [5, 5]
    assert len(correlate(responses).items) == 25
    assert correlate(responses, ["A1", "E2", "O3"]).items == ("A1", "E2", "O3")


def test_a_polychoric_result_and_its_answers_say_the_same() -> None:
    frame = dataset("bfi")[BFI_SCALES["agree"]]
    result = polychoric(frame)
    from_result, from_answers = correlate(result), correlate(frame, correlation="polychoric")
    assert_allclose(from_result.cor, from_answers.cor, atol=1e-9)
    assert from_result.kind == from_answers.kind == "polychoric"
    assert from_result.n == from_answers.n
    assert from_result.mean is None
    assert from_answers.mean is not None


def test_part_of_a_matrix() -> None:
    given = given_correlations(pupils().corr(), 301)
    expected = np.corrcoef(pupils()["x1"], pupils()["x3"])[0, 1]
    assert_allclose(correlate(given, ["x3", "x1", "x7"]).cor[0, 1], expected)
    with pytest.raises(UnknownNameError, match="matrix has no item 'x33'. Did you mean 'x3'"):
        correlate(given, ["x1", "x2", "x33"])
    with pytest.raises(OptionError, match="every item once"):
        correlate(given, ["x1", "x2", "x1"])
    with pytest.raises(NotEnoughItemsError, match="at least 3 items"):
        correlate(given, ["x1", "x2"])


def test_part_of_a_singular_matrix_need_not_be_singular() -> None:
    given = given_correlations(pupils().assign(copy=pupils()["x1"]).corr(), 301)
    assert given.singular
    assert "These items repeat each other: x1 and copy" in given.notes[-1]
    part = correlate(given, ["x1", "x2", "x3"])
    assert not part.singular
    assert not any("singular" in note for note in part.notes)


def test_singular_and_indefinite_matrices_are_named() -> None:
    few = correlate(pupils().head(6))
    assert few.singular
    assert not few.smoothed
    assert any("fewer respondents than items" in note for note in few.notes)
    gaps = correlate(sparse(), missing="pairwise")
    assert gaps.singular
    assert gaps.smoothed
    assert np.linalg.eigvalsh(gaps.cor)[0] > 0
    raw = sparse().corr().to_numpy()
    moved = np.abs(gaps.cor - raw).max()
    smallest = f"{np.linalg.eigvalsh(raw)[0]:.3g}".replace("-", "−")
    said = f"(smallest eigenvalue {smallest}). It was smoothed by its eigenvalues; correlations "
    assert any(said + f"moved by up to {moved:.3f}." in note for note in gaps.notes)


def test_a_given_matrix() -> None:
    matrix = pupils().corr()
    named = given_correlations(matrix, 301)
    assert named.items == tuple(HS1939)
    assert named.n == 301
    assert named.responses is None
    assert given_correlations(matrix.to_numpy(), 301).items[:2] == ("V1", "V2")
    assert given_correlations(matrix.to_numpy(), 301, items=list("abcdefghi")).items[0] == "a"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.cov(), "not all ones: this is a covariance matrix"),
        (lambda r: r.corr().iloc[:, :5], "is square; this one has the shape"),
        (lambda r: r.corr().to_numpy()[0], "is square"),
        (lambda r: np.zeros((0, 0)), "is square"),
        (lambda r: r.corr().mask(np.eye(9, k=1) > 0, 0.99), "not symmetric"),
        (lambda r: r.corr().iloc[::-1], "not symmetric"),
        (lambda r: r.corr().mask(np.eye(9, k=1) + np.eye(9, k=-1) > 0), "missing values"),
        (lambda r: r.corr().mask(np.eye(9, k=1) + np.eye(9, k=-1) > 0, 1.2), "above 1 or below −1"),
        (lambda r: [["a", "b"], ["b", "a"]], "holds numbers"),
        (lambda r: [[1, 0.5], [0.5]], "holds numbers"),
    ],
)
def test_no_correlation_matrix(change: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        given_correlations(change(pupils()), 301)


@pytest.mark.parametrize("n", [2, -5, 2.5, 301.0, None, "301", float("nan"), True])
def test_no_number_of_respondents(n: Any) -> None:
    with pytest.raises(OptionError, match="the number of respondents, 3 or more"):
        given_correlations(pupils().corr(), n)


@pytest.mark.parametrize("names", [["a"] * 9, ["a"], "abcdefghi"])
def test_no_names(names: Any) -> None:
    with pytest.raises(OptionError, match="9 different names"):
        given_correlations(pupils().corr(), 301, items=names)


def test_a_bare_correlation_matrix_is_not_taken_for_answers() -> None:
    for matrix in (pupils().corr(), pupils().corr().to_numpy()):
        with pytest.raises(DataError, match=r"given_correlations\(matrix, n\)"):
            correlate(matrix)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"x3": 2.0}, NoVarianceError, "item 'x3' has the same value in every row"),
        ({"x3": 2.0, "x4": 1.0}, NoVarianceError, "items 'x3', 'x4'"),
        ({"x3": np.nan}, NotEnoughDataError, "respondents who answered all items"),
        ({"x3": np.inf}, DataError, "x3 has infinite values"),
        ({"x3": 1e300}, DataError, "x3 has infinite values, or numbers too large"),
    ],
)
def test_items_that_do_not_correlate(
    change: dict[str, float], error: type[Exception], message: str
) -> None:
    frame = pupils()
    first = frame.iloc[0].copy()
    frame = frame.assign(**change)
    if max(change.values()) > 1e3:  # a single value
        frame.iloc[1:, 2] = first["x3"] + np.arange(300.0)
    with pytest.raises(error, match=message):
        correlate(frame)


def test_answers_that_cannot_be_used() -> None:
    frame = pupils()
    with pytest.raises(AnswersError, match="Item 'x3' has answers that are words"):
        correlate(frame.assign(x3="often"), ["x1", "x2", "x3"])
    assert "x3" not in correlate(frame.assign(x3="often")).items  # unnamed, text is no item
    with pytest.raises(UnknownNameError, match="no column 'x10'"):
        correlate(frame, ["x1", "x2", "x10"])
    with pytest.raises(NotEnoughItemsError, match="at least 3 items"):
        correlate(frame, ["x1", "x2"])
    with pytest.raises(OptionError, match="every item once"):
        correlate(frame, ["x1", "x2", "x1", "x3"])
    for items in ([], 5, [1, 2, 3]):
        with pytest.raises(OptionError, match="a name, or a list of names"):
            correlate(frame, items)  # type: ignore[arg-type]
    few = frame.assign(x3=np.where(frame.index < 3, 1.0, np.nan)).assign(
        x1=np.where(frame.index < 3, 2.0, frame["x1"])
    )
    few.loc[5, "x3"], few.loc[5, "x2"] = 4.0, np.nan
    few.loc[:2, "x2"] = [1.0, 2.0, 4.0]
    with pytest.raises(NoVarianceError, match="'x3', of the rows that also have 'x2', has the sam"):
        correlate(few[["x2", "x3", "x4"]], missing="pairwise")
    with pytest.raises(DataError, match="Fewer than two respondents answered x3"):
        correlate(frame.assign(x3=np.nan), missing="pairwise")
    with pytest.raises(NotEnoughDataError, match="at least 3 respondents; there are 2"):
        correlate(frame.head(2))
    with pytest.raises(NoVarianceError, match="item 'x3' has the same value"):
        correlate(frame.round().assign(x3=1.0), correlation="polychoric")
    whole = dataset("bfi")[BFI_SCALES["agree"]].astype(float)
    whole.iloc[0, 0] = 1e300
    with pytest.raises(DataError, match="A1 has infinite values, or numbers too large"):
        correlate(whole, correlation="polychoric")
    for option in ({"correlation": "spearman"}, {"missing": "fiml"}):
        with pytest.raises(OptionError, match="is not possible here"):
            correlate(frame, **option)  # type: ignore[arg-type]


def test_a_constant_far_from_zero_does_not_hide_the_correlations() -> None:
    """Spacing of numbers near 1e9 is 1e-7: correlations keep six digits."""
    assert_allclose(correlate(pupils() + 1e9).cor, correlate(pupils()).cor, atol=1e-6)
    with pytest.raises(NoVarianceError, match="same value in every row"):
        correlate(pupils() * 1e-6 + 1e12)  # every answer is the same number
