"""What leaves the machine: no id, no role, no small school's figures."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from collabsurvey.errors import DataError, OptionError
from collabsurvey.reporting import RunRecord, release, write_folder
from collabsurvey.reporting.groups import SUPPRESSED
from collabsurvey.reporting.pseudonyms import pseudonym, read_key
from collabsurvey.reporting.wording import without_ids

KEY = b"0123456789abcdef"
HIDDEN = {"Birch", "Cedar"}  # 4 answered in Birch; Cedar (12) is the smallest beside it


@pytest.fixture(scope="module")
def written(record: RunRecord, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(record, tmp_path_factory.mktemp("out") / "report")


def texts(folder: Path) -> dict[str, str]:
    """Every file as text, Parquet as CSV."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".parquet":
            found[path.name] = pd.read_parquet(path).to_csv()
        elif path.is_file():
            found[path.name] = path.read_text(encoding="utf-8")
    return found


def test_small_schools_and_their_neighbours_are_blank_in_every_table(record: RunRecord) -> None:
    shown = release(record, key=KEY)
    for table in (shown.response, shown.means["school"]):
        assert table is not None
        assert set(table.loc[table[SUPPRESSED], "school"]) == HIDDEN
        numbers = table.select_dtypes("number").drop(columns=["wave", "n_eligible"])
        assert numbers[table[SUPPRESSED]].isna().all().all()
        assert table.loc[~table[SUPPRESSED], "n"].notna().all()


def test_hidden_schools_leave_no_spread_to_solve_for(record: RunRecord) -> None:
    table = release(record, key=KEY).means["partnership"]
    north = table[table["partnership"] == "North"]
    assert north["mean"].notna().all()
    assert north[["sd", "se", "ci_low", "ci_high"]].isna().all().all()
    assert table.loc[table["partnership"] == "South", "sd"].notna().all()


def test_icc_is_too_coarse_to_solve_for_hidden_means(record: RunRecord) -> None:
    table = release(record, key=KEY).icc
    assert table is not None
    assert not {"f_statistic", "mean_size", "design_effect"} & set(table.columns)
    assert (table["icc1"] == table["icc1"].round(2)).all()


def test_no_written_file_holds_a_raw_id(record: RunRecord, written: Path) -> None:
    ids = set(record.scores["respondent"])
    pattern = re.compile(r"Q-\d{4}")
    for name, text in texts(written).items():
        assert not ids & set(pattern.findall(text)), name


def test_no_written_file_holds_a_staff_role(written: Path) -> None:
    for name, text in texts(written).items():
        assert "Principal-in-charge" not in text, name
        assert "Classroom-teacher" not in text, name


def test_no_written_file_holds_a_hidden_mean(record: RunRecord, written: Path) -> None:
    table = record.aggregates["school"].to_frame()
    gone = table[table["school"].isin(HIDDEN)]
    values = {repr(float(x)) for x in gone[["mean", "shrunken_mean", "sd"]].to_numpy().ravel()}
    long = {value for value in values if len(value) > 8}  # a short one may occur by chance
    assert len(long) > 8
    for name, text in texts(written).items():
        assert not [value for value in long if value in text], name


def test_no_written_file_counts_a_hidden_school(record: RunRecord, written: Path) -> None:
    """In no table does a hidden school's row hold any number but the staff it has."""
    for path in (written / "tables").glob("*.csv"):
        table = pd.read_csv(path)
        if "school" not in table.columns:
            continue
        rows = table[table["school"].isin(HIDDEN)]
        assert len(rows)
        numbers = rows.select_dtypes("number").drop(columns=["wave", "n_eligible"], errors="ignore")
        assert numbers.isna().all().all(), path.name
    page = (written / "report.html").read_text(encoding="utf-8")
    row = re.search(r'<th scope="row">Birch</th>(.*?)</tr>', page)
    assert row is not None
    seen = " ".join(re.sub(r"<[^>]+>", " ", row.group(1)).split())
    assert seen == "1 &lt; 10 or withheld 11 – –"


def test_scores_are_those_of_the_run_without_ids_roles_and_small_schools(
    record: RunRecord,
) -> None:
    scores = release(record, key=KEY).scores
    assert list(scores) == ["pseudonym", "school", "partnership", "wave", "openness", "help"]
    assert len(scores) == len(record.scores)
    assert set(scores["school"].dropna()) == set(record.scores["school"]) - HIDDEN
    for scale in ("openness", "help"):
        assert sorted(scores[scale].dropna()) == sorted(record.scores[scale].dropna())


def test_scores_are_not_in_the_order_of_the_file(record: RunRecord) -> None:
    scores = release(record, key=KEY).scores
    assert scores["pseudonym"].is_monotonic_increasing
    first = record.scores["respondent"].map(lambda text: pseudonym(f"id {text}", KEY))
    assert set(first) == set(scores["pseudonym"])
    assert not first.is_monotonic_increasing


def test_a_school_small_in_one_wave_is_blank_in_all(
    record: RunRecord, changed: Callable[..., RunRecord]
) -> None:
    scores = record.scores
    late = scores[(scores["school"] == "Gorse") & (scores["wave"] == 2)].index[3:]
    shown = release(changed(scores=scores.drop(late)), key=KEY).scores
    assert "Gorse" not in set(shown["school"].dropna())


def test_pseudonyms_follow_the_key_and_are_new_without_one(
    record: RunRecord, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_bytes(KEY)
    assert read_key(file) == KEY
    assert read_key(None) != read_key(None)
    same = release(record, key=KEY).scores["pseudonym"]
    assert set(same) == set(release(record, key=KEY).scores["pseudonym"])
    assert not set(same) & set(release(record, key=read_key(None)).scores["pseudonym"])


def test_a_short_or_missing_key_file_is_refused(tmp_path: Path) -> None:
    short = tmp_path / "short"
    short.write_bytes(b"abc")
    with pytest.raises(DataError, match=r"'short' holds 3 bytes, which can be guessed\. Put"):
        read_key(short)
    with pytest.raises(DataError, match=r"'none' cannot be read \(No such file.*\)\. Check"):
        read_key(tmp_path / "none")


def test_min_group_below_five_is_refused(changed: Callable[..., RunRecord]) -> None:
    with pytest.raises(OptionError, match="min_group=4 is not possible"):
        release(changed(min_group=4), key=KEY)


def test_a_run_of_few_people_shows_no_figures(
    record: RunRecord, changed: Callable[..., RunRecord]
) -> None:
    scores = record.scores[record.scores["wave"] == 1].head(8)
    shown = release(changed(scores=scores, response_by_school=None), key=KEY)
    assert shown.n_respondents is None
    assert shown.models == ()
    assert shown.icc is None
    assert all(facts.mean is None and facts.n is None for facts in shown.scales)


def test_answers_are_shown_only_where_enough_people_gave_them(
    record: RunRecord, changed: Callable[..., RunRecord]
) -> None:
    assert len(release(record, key=KEY).answers) == 7
    assert release(changed(min_group=500), key=KEY).answers == ()


def test_coefficients_of_single_schools_are_withheld(record: RunRecord) -> None:
    model = release(record, key=KEY).models[1]
    assert set(model.estimates["term"]) == {"(Intercept)", "help"}
    assert model.n_withheld == 5
    assert any("5 coefficients that belong to single groups" in note for note in model.notes)
    assert not any("Cedar" in sentence for sentence in model.in_words)


def test_coefficients_of_a_small_role_are_withheld_with_the_intercept(
    record: RunRecord, changed: Callable[..., RunRecord]
) -> None:
    from collabsurvey.regression import ols

    scores = record.scores.assign(
        staff_role=["Bursar"] * 6 + ["Teacher"] * (len(record.scores) - 6)
    )
    fitted = ols("openness ~ help + staff_role", scores)
    model = replace(record.models[0], result=fitted)
    released = release(changed(models=(model,), scores=scores), key=KEY).models[0]
    assert list(released.estimates["term"]) == ["help"]


def test_notes_that_name_groups_are_left_out(record: RunRecord) -> None:
    assert any("Birch" in note for note in record.aggregates["school"].notes)
    notes = release(record, key=KEY).result_notes["means school"]
    assert notes
    assert not any("Birch" in note for note in notes)


def test_ids_in_texts_are_masked_and_counts_are_not() -> None:
    ids = {"Q-0003", "12", "90210"}
    said = without_ids("12 rows of Q-0003, also 90210", ids)
    assert said == "12 rows of [id], also [id]"


def test_response_by_role_is_added_up(record: RunRecord, changed: Callable[..., RunRecord]) -> None:
    table = record.response_by_school
    assert table is not None
    halves = pd.concat(
        [table.assign(staff_role="a"), table.assign(staff_role="b")], ignore_index=True
    )
    shown = release(changed(response_by_school=halves), key=KEY).response
    assert shown is not None
    assert "staff_role" not in shown.columns
    ash = shown[shown["school"] == "Ash"]
    assert ash["n"].tolist() == [48, 48]
    assert ash["n_eligible"].tolist() == [62, 62]


def test_scores_of_schools_are_kept_and_those_of_few_people_blanked(
    changed: Callable[..., RunRecord],
) -> None:
    scores = pd.DataFrame(
        {"school": ["a", "b", "c"], "trust": [3.0, 4.0, 5.0], "n_respondents": [30, 6, 12]}
    )
    shown = release(
        changed(
            scores=scores,
            responses=None,
            score_result=None,
            scale_titles={"trust": "Trust"},
            response_by_school=None,
            aggregates={},
            models=(),
            answers=None,
            overview=None,
            item_analyses={},
            icc=None,
        ),
        key=KEY,
    )
    assert shown.from_scores
    assert list(shown.scores) == ["school", "trust"]
    assert shown.scores["trust"].isna().tolist() == [False, True, False]
    assert shown.scales[0].n == 3
