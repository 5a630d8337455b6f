"""Intraclass correlations of waves, and their rounding where groups are hidden."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from collabsurvey.multilevel import IccResult, icc
from collabsurvey.reporting import RunRecord, release, render_html, write_folder
from collabsurvey.reporting.sections.schools import told_apart

KEY = b"0123456789abcdef"
SCALES = ["openness", "help"]


@pytest.fixture(scope="module")
def by_wave(record: RunRecord) -> dict[str, IccResult]:
    waves = record.scores.groupby("wave")
    return {str(wave): icc(rows, SCALES, "school") for wave, rows in waves}


def seen(text: str) -> str:
    without = re.sub(r"<(style|svg)\b.*?</\1>", " ", text, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", without).split())


@pytest.mark.parametrize("place", ["icc", "icc_by_wave"])
def test_results_of_waves_make_one_table(
    changed: Callable[..., RunRecord], by_wave: dict[str, IccResult], place: str
) -> None:
    table = release(changed(**{place: by_wave}), key=KEY).icc
    assert table is not None
    assert table["variable"].tolist() == ["openness", "openness", "help", "help"]
    assert table["wave"].tolist() == ["1", "2", "1", "2"]
    exact = by_wave["2"].to_frame().set_index("variable").loc["help", "icc1"]
    assert table.loc[3, "icc1"] == round(exact, 2)


def test_the_first_page_speaks_of_each_wave(
    changed: Callable[..., RunRecord], by_wave: dict[str, IccResult]
) -> None:
    first = by_wave["1"].variables_frame.assign(icc2=[0.8, 0.9])
    second = by_wave["2"].variables_frame.assign(icc2=[0.2, 0.3])
    parts = {
        "1": replace(by_wave["1"], variables_frame=first),
        "2": replace(by_wave["2"], variables_frame=second),
    }
    shown = release(changed(icc_by_wave=parts), key=KEY)
    assert told_apart(shown) == [("1", 2, 2), ("2", 0, 2)]
    said = (
        "In wave 1 the means of schools are reliable enough to tell schools apart on 2 of 2 scales,"
        " in wave 2 on none."
    )
    assert said in seen(render_html(shown))


def test_one_result_has_no_wave_column(record: RunRecord) -> None:
    table = release(record, key=KEY).icc
    assert table is not None
    assert "wave" not in table.columns
    assert len(told_apart(release(record, key=KEY))) == 1


def test_rounded_p_values_are_never_zero(
    changed: Callable[..., RunRecord], record: RunRecord, tmp_path: Path
) -> None:
    result = record.icc
    assert isinstance(result, IccResult)
    frame = result.variables_frame.assign(p_value=[1e-12, 0.0162])
    run = changed(
        icc=replace(result, variables_frame=frame), answers=None, aggregates={}, models=()
    )
    written = pd.read_csv(write_folder(run, tmp_path / "out") / "tables" / "icc.csv")
    assert written["p_value"].tolist() == [0.001, 0.017]  # rounded up
    assert written["rounded"].all()
    assert not {"ms_between", "ms_within", "n0", "f_statistic"} & set(written.columns)
    text = seen(render_html(release(run, key=KEY)))
    assert "≤ .001" in text
    assert "Rounded, here and in tables/icc.csv" in text


def test_nothing_is_rounded_where_no_group_is_hidden(
    changed: Callable[..., RunRecord], record: RunRecord
) -> None:
    large = record.scores[~record.scores["school"].isin(["Birch", "Cedar", "Gorse"])]
    result = icc(large, SCALES, "school")
    table = release(changed(scores=large, icc=result, response_by_school=None), key=KEY).icc
    assert table is not None
    pd.testing.assert_frame_equal(table, result.to_frame())


def test_the_table_is_not_called_agreement(record: RunRecord) -> None:
    text = seen(render_html(release(record, key=KEY)))
    assert "Agreement within" not in text
    assert "How much schools differ" in text
