"""Cross-products of a design, per cluster and by block."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose

from collabsurvey.errors import DataError, UnknownNameError
from collabsurvey.moments import design


def blocks(n: int = 90, *, weighted: bool, rows: int = 1000) -> design.RowBlocks:
    rng = np.random.default_rng(0)
    x = np.column_stack((np.ones(n), 50 + rng.normal(size=n), rng.normal(size=n)))
    y = rng.normal(size=n) + 7
    w = rng.uniform(0.5, 2, n) if weighted else None

    def make(part: slice) -> design.RowBlock:
        weight = None if w is None else w[part]
        return design.RowBlock(x[part], x[part, :2], y[part], weight)

    return design.RowBlocks(make, n, rows)


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("rows", [1000, 7])
def test_products_equal_those_of_the_rows(weighted: bool, rows: int) -> None:
    n = 90
    source = blocks(weighted=weighted, rows=rows)
    whole = source.make(slice(0, n))
    codes = np.random.default_rng(1).integers(0, 11, n)
    basis = design.least_squares_basis(source, np.array([1.0, 0, 0]), centre_z=True)
    found = design.design_products(source, basis, codes, 12)
    root = np.ones(n) if whole.weight is None else np.sqrt(whole.weight)
    beta = np.linalg.lstsq(whole.x * root[:, None], whole.y * root, rcond=None)[0]
    assert_allclose(found.start, beta, rtol=1e-10)
    e = (whole.y - whole.x @ beta) / found.e_scale
    w = np.column_stack((whole.z @ found.z_transform, whole.x @ found.transform, e))
    assert_allclose(found.plain[:-1, :-1], w.T @ w, rtol=1e-8, atol=1e-9)
    assert_allclose(found.plain[-1, :-1], w.sum(axis=0), rtol=1e-8, atol=1e-9)
    w *= root[:, None]
    expected = np.stack([w[codes == g].T @ w[codes == g] for g in range(12)])
    assert_allclose(found.by_cluster, expected, rtol=1e-8, atol=1e-9)
    assert not found.by_cluster[11].any()  # a cluster without rows
    total = found.by_cluster.sum(axis=0)
    assert_allclose(total[2:-1, 2:-1], np.eye(3), atol=1e-13)
    assert_allclose(total[2:-1, -1], 0, atol=1e-12)


def test_gathering_in_steps_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    w = rng.normal(size=(60, 3))
    codes = np.repeat(np.arange(20), 3)
    rng.shuffle(codes)
    whole, steps = np.zeros((20, 3, 3)), np.zeros((20, 3, 3))
    design.add_products_by_cluster(whole, w, codes)
    monkeypatch.setattr(design, "GATHER_VALUES", 20)
    design.add_products_by_cluster(steps, w, codes)
    assert_allclose(whole, steps, rtol=1e-12)
    assert_allclose(whole[4], w[codes == 4].T @ w[codes == 4], rtol=1e-12)


def test_complete_rows_are_kept_and_the_rest_counted() -> None:
    frame = pl.DataFrame({"a": [1.0, None, float("nan"), 4.0], "b": ["u", "v", None, "u"]})
    rows = design.model_rows(frame, ["a", "b"])
    assert rows.n_rows == 2
    assert rows.n_dropped == 2
    assert dict(rows.n_missing) == {"a": 2, "b": 1}
    assert rows.columns["a"].values.tolist() == [1.0, 4.0]
    assert rows.columns["b"].categories is not None
    with pytest.raises(UnknownNameError, match="no column 'c'"):
        design.model_rows(frame, ["c"])
    with pytest.raises(DataError, match="weights in 'b' are text"):
        design.model_rows(frame, ["a", "b"], weights="b")


def test_predictions_keep_the_kind_and_the_index_of_the_table() -> None:
    values = np.array([1.0, 2.0])
    frame = pd.DataFrame({"a": [1, 2]}, index=["p", "q"])
    series = design.series_like(frame, "y", values)
    assert isinstance(series, pd.Series)
    assert series.index.tolist() == ["p", "q"]
    assert isinstance(design.series_like(pl.DataFrame({"a": [1, 2]}), "y", values), pl.Series)
    columns, complete = design.complete_columns(frame, [])
    assert columns == {}
    assert complete.tolist() == [True, True]
