"""The command line as a user meets it: what it says, and its exit code."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from collabsurvey import cli
from collabsurvey.instruments import list_instruments, load_instrument
from collabsurvey.instruments.next_steps import next_steps
from study_files import answers, outcomes, plan, write_study

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Run a command; return exit code, output and errors."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["collabsurvey", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
            raise SystemExit(0)
        out, err = capsys.readouterr()
        code = stopped.value.code
        return (code if isinstance(code, int) else 0), out, err

    return run


def refused(call: Call, *words: object) -> str:
    """The one error of a command that must end with exit code 2."""
    code, _, err = call(*words)
    assert code == 2, err
    assert err.startswith("Error: ")
    assert "Traceback" not in err
    return " ".join(err.split())


def test_a_study_runs_from_file_to_report(call: Call, tmp_path: Path) -> None:
    path = write_study(tmp_path)
    code, out, _ = call("check", path)
    assert code == 0
    assert "climate_between" in out
    code, out, _ = call("run", path)
    assert code == 0
    report = tmp_path / "out" / "report.html"
    assert str(report) in out
    assert "A small study" in report.read_text(encoding="utf-8")
    kept = json.loads((tmp_path / "out" / "provenance.json").read_text(encoding="utf-8"))
    assert str(tmp_path) not in json.dumps(kept)


def test_a_second_run_gives_the_same_tables(call: Call, tmp_path: Path) -> None:
    path = write_study(tmp_path)
    call("run", path, "--out", tmp_path / "one")
    call("run", path, "--out", tmp_path / "two")
    first = {p.name: p.read_bytes() for p in (tmp_path / "one" / "tables").iterdir()}
    second = {p.name: p.read_bytes() for p in (tmp_path / "two" / "tables").iterdir()}
    assert first == second
    assert first


def test_init_makes_a_study_that_says_what_is_missing(call: Call, tmp_path: Path) -> None:
    code, out, _ = call("init", tmp_path / "mine")
    assert code == 0
    assert "collabsurvey check" in out
    assert "There is no file" in refused(call, "check", tmp_path / "mine" / "study.yaml")
    assert "exists already" in refused(call, "init", tmp_path / "mine")


def test_the_factors_of_a_study_are_in_its_report(call: Call, tmp_path: Path) -> None:
    study = plan(analysis={"structure": {"exploratory": {"draws": 50}}}, outcomes=[])
    path = write_study(tmp_path, study, staff=answers(n_schools=10))
    assert call("check", path)[0] == 0
    assert call("run", path)[0] == 0
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "How many things the questionnaire measures" in report
    loadings = pd.read_csv(tmp_path / "out" / "tables" / "loadings.csv")
    assert loadings["item"].tolist() == ["q1", "q2", "q3", "q4"]
    kept = json.loads((tmp_path / "out" / "provenance.json").read_text(encoding="utf-8"))
    assert kept["options"]["analysis"] == study["analysis"]


def test_a_fault_of_the_structure_is_found_by_check(call: Call, tmp_path: Path) -> None:
    study = plan(analysis={"structure": {"exploratory": {"scales": ["climat"]}}}, outcomes=[])
    err = refused(call, "check", write_study(tmp_path, study))
    assert "no scale 'climat'. Did you mean 'climate'?" in err


def test_the_commented_lines_of_the_template_are_keys(call: Call, tmp_path: Path) -> None:
    call("init", tmp_path / "mine")
    path = tmp_path / "mine" / "study.yaml"
    text = path.read_text(encoding="utf-8")
    for key in ("structure: {exploratory: true, ", "invariance: {by: "):
        assert f"  # {key}" in text
        text = text.replace(f"  # {key}", f"  {key}")
    path.write_text(text, encoding="utf-8")
    err = refused(call, "check", path)
    assert "1 fault" in err
    assert "There is no file" in err


def test_instruments_are_listed_shown_and_checked(call: Call, tmp_path: Path) -> None:
    code, out, _ = call("instruments", "list")
    assert code == 0
    assert "role_identity" in out
    assert "draft" in out
    code, out, _ = call("instruments", "show", "trust")
    assert code == 0
    assert "tru.expect" in out
    assert "no instrument 'trus'. Did you mean 'trust'" in refused(
        call, "instruments", "show", "trus"
    )


def test_an_instrument_with_an_id_used_twice(call: Call, tmp_path: Path) -> None:
    from collabsurvey.instruments.folder import shipped_path

    text = shipped_path("culture").read_text(encoding="utf-8")
    data = yaml.safe_load(text)
    first, second = data["items"][0]["id"], data["items"][1]["id"]
    path = tmp_path / "twice.yaml"
    path.write_text(text.replace(f"id: {second}\n", f"id: {first}\n", 1), encoding="utf-8")
    err = refused(call, "instruments", "check", path)
    assert f"{first!r} is used twice" in err
    assert "line " in err


@pytest.mark.parametrize("words", [("verify", "out")])
def test_later_commands_are_refused_by_name(call: Call, words: tuple[str, str]) -> None:
    assert f"{words[0]} {words[1]} is not part of this version" in refused(call, *words)


def spoil(tmp_path: Path, content: bytes) -> Path:
    path = write_study(tmp_path)
    (tmp_path / "answers.csv").write_bytes(content)
    return path


def test_not_a_csv_at_all(call: Call, tmp_path: Path) -> None:
    path = spoil(tmp_path, b"PK\x03\x04" + os.urandom(2000))
    assert "answers.csv" in refused(call, "run", path)


def test_header_only(call: Call, tmp_path: Path) -> None:
    path = spoil(tmp_path, b"person,school,q1,q2,q3,q4\n")
    assert "no rows" in refused(call, "run", path)


def test_an_empty_file(call: Call, tmp_path: Path) -> None:
    assert "empty" in refused(call, "run", spoil(tmp_path, b""))


def test_another_encoding_is_read(call: Call, tmp_path: Path) -> None:
    staff = answers()
    staff["school"] = staff["school"].replace("S01", "École")
    results = outcomes()
    results["urn"] = results["urn"].replace("S01", "École")
    path = write_study(tmp_path, results=results)
    staff.to_csv(tmp_path / "answers.csv", index=False, encoding="windows-1252", sep=";")
    code, _, err = call("check", path)
    assert (code, err) == (0, "")


def test_all_answers_missing(call: Call, tmp_path: Path) -> None:
    staff = answers()
    staff[["q1", "q2", "q3", "q4"]] = np.nan
    assert "Every answer is missing" in refused(call, "run", write_study(tmp_path, staff=staff))


def test_one_respondent(call: Call, tmp_path: Path) -> None:
    err = refused(call, "run", write_study(tmp_path, staff=answers().head(1)))
    assert "there are answers of 1 person" in err


def test_one_school(call: Call, tmp_path: Path) -> None:
    staff = answers(n_schools=1, n_staff=40)
    results = outcomes(n_schools=1)
    study = plan()
    err = refused(call, "run", write_study(tmp_path, study, staff=staff, results=results))
    assert "model 'attendance'" in err
    study["analysis"] = {}
    path = write_study(tmp_path, study, staff=staff, results=results)
    code, _, _ = call("run", path)
    assert code == 0
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Differences between schools: " in text


def test_a_constant_item_is_named_in_the_report(call: Call, tmp_path: Path) -> None:
    path = write_study(tmp_path, staff=answers().assign(q2=4))
    code, _, _ = call("run", path)
    assert code == 0
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "q2" in text


def test_rows_without_a_school_are_counted(call: Call, tmp_path: Path) -> None:
    staff = answers()
    staff.loc[:2, "school"] = np.nan
    path = write_study(tmp_path, staff=staff)
    code, _, _ = call("run", path)
    assert code == 0
    ledger = pd.read_csv(tmp_path / "out" / "ledger.csv")
    assert ledger.loc[ledger["what"] == "rows without a cluster id, kept", "n"].tolist() == [3]


def test_an_outcome_key_that_matches_nothing_or_many(call: Call, tmp_path: Path) -> None:
    nothing = outcomes().assign(urn=lambda frame: "X" + frame["urn"])
    assert "no key matches" in refused(call, "run", write_study(tmp_path, results=nothing))
    many = pd.concat([outcomes(), outcomes()])
    assert "occur more than once" in refused(call, "run", write_study(tmp_path, results=many))


def test_formulas_with_unknown_columns_or_python(call: Call, tmp_path: Path) -> None:
    study = plan()
    study["analysis"]["models"][0]["formula"] = "attendance ~ climatic + (1 | school)"
    assert "no column 'climatic'" in refused(call, "run", write_study(tmp_path, study))
    study["analysis"]["models"][0]["formula"] = "attendance ~ open('x').read()"
    err = refused(call, "run", write_study(tmp_path, study))
    assert "Formula" in err
    assert "open" in err


def test_unknown_keys_of_a_study_file(call: Call, tmp_path: Path) -> None:
    err = refused(call, "run", write_study(tmp_path, plan(outcome=[])))
    assert "unknown key 'outcome'. Did you mean 'outcomes'?" in err


def test_an_output_folder_that_cannot_be_written(call: Call, tmp_path: Path) -> None:
    path = write_study(tmp_path)
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    err = refused(call, "run", path, "--out", tmp_path / "taken" / "out")
    assert "taken" in err
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.docx").write_text("precious", encoding="utf-8")
    refused(call, "run", path, "--out", other)
    assert (other / "thesis.docx").read_text(encoding="utf-8") == "precious"


def test_a_reader_who_leaves_and_a_full_disk_give_no_traceback() -> None:
    words = [sys.executable, "-c", "from collabsurvey.cli import main; main()", "instruments"]
    shown = subprocess.Popen(
        [*words, "show", "trust"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert shown.stdout is not None
    shown.stdout.close()
    _, err = shown.communicate(timeout=60)
    assert err == ""
    full = Path("/dev/full")
    if full.exists():
        with full.open("w", encoding="utf-8") as disk:
            done = subprocess.run(
                [*words, "list"], stdout=disk, stderr=subprocess.PIPE, text=True, check=False
            )
        assert done.returncode == 2
        assert done.stderr == "Error: the system refused: No space left on device.\n"


def test_columns_are_drafted_from_the_wording(call: Call, tmp_path: Path) -> None:
    from collabsurvey.instruments import load_instrument

    filled = load_instrument("culture").filled({"own_school": "Dale Primary"})
    texts = [(item.text or {})["en-GB"] for item in filled.items]
    export = tmp_path / "forms.csv"
    pd.DataFrame([[""] * len(texts)], columns=texts).assign(ID="1").to_csv(export, index=False)
    target = tmp_path / "columns.csv"
    code, out, _ = call("columns", export, "--instrument", "culture", "--out", target)
    assert code == 0
    assert "24 questions found by their wording" in out
    assert "slots: {own_school: Dale Primary}" in out
    assert pd.read_csv(target)["item"].tolist() == [item.id for item in filled.items]
    err = refused(call, "columns", export, "--instrument", "role_identity", "--out", target)
    assert "No header of forms.csv reads like a question of role_identity" in err


def test_an_instrument_is_exported(call: Call, tmp_path: Path) -> None:
    target = tmp_path / "trust.csv"
    code, out, _ = call(
        "export",
        "trust",
        "--to",
        "redcap",
        "--out",
        target,
        "--partner",
        "Hill",
        "--partner",
        "Vale",
    )
    assert code == 0
    assert f"Written: {target}" in out
    assert "upload it to a new project" in out
    assert "partners=['Hill', 'Vale']" in out
    assert "tru_expect_01_p2" in pd.read_csv(target).iloc[:, 0].tolist()


def test_an_export_says_what_is_still_to_be_filled_in(call: Call, tmp_path: Path) -> None:
    target = tmp_path / "trust.txt"
    code, out, _ = call("export", "trust", "--to", "qualtrics", "--out", target, "--form", "core")
    assert code == 0
    assert "{partner} is still to be filled in: --partner NAME" in out
    assert "items='present'" in out
    call("export", "trust", "--to", "csv", "--out", target, "--slot", "partner=Hill School")
    assert "Hill School" in target.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("trust", "--to", "excel"), "to='excel' is not possible here. Choose one of: 'xlsform'"),
        (("trust",), "to='' is not possible here"),
        (("trst", "--to", "csv"), "Did you mean 'trust'?"),
        (("trust", "--to", "csv", "--slot", "partner"), "name=word"),
        (("trust", "--to", "csv", "--language", "fr"), "has no language 'fr'"),
        (("culture", "--to", "csv", "--partner", "A"), "no slot {partner}"),
        (("culture", "--to", "csv", "--out", "no/such/folder.csv"), "cannot be written"),
        (("culture", "--to", "xlsform", "--out", "culture.xls"), "ends in .xlsx"),
    ],
)
def test_an_export_that_cannot_be_made(
    call: Call,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert sentence in refused(call, "export", *words)
    assert not list(tmp_path.iterdir())


def test_newcomer_sees_what_an_instrument_is_and_what_to_do_next(call: Call) -> None:
    code, out, _ = call("instruments", "show", "trust")
    assert code == 0
    for part in (
        "nobody's answers back it yet",
        "SCALES AND THEIR QUESTIONS",
        "Gambetta (1988)",
        "Never for: ranking schools or partners",
        "WHAT SHOULD BE FOUND",
        "collabsurvey export trust --to html",
    ):
        assert part in out


def test_the_catalogue_and_one_entry_of_it(call: Call) -> None:
    code, out, _ = call("instruments", "catalogue")
    assert code == 0
    assert "omnibus_t" in out
    code, out, _ = call("instruments", "catalogue", "omnibus_t")
    assert code == 0
    assert "load_instrument('omnibus_t')" in out
    assert "Did you mean 'omnibus_t'?" in refused(call, "instruments", "catalogue", "omnibus")


def test_two_versions_are_compared(call: Call, tmp_path: Path) -> None:
    later = tmp_path / "cynicism.yaml"
    text = Path("instruments/cynicism.yaml").read_text(encoding="utf-8")
    later.write_text(text.replace("be dropped within a year", "be gone within a year"), "utf-8")
    code, out, _ = call("instruments", "diff", "cynicism", later)
    assert code == 0
    assert "cyn.change.01 was reworded" in out
    assert "there is no such file" in refused(call, "instruments", "diff", "cynicism", "none.yaml")


RECORDS = """\
instrument: cynicism
evidence:
  - id: ev-1
    claim: {score: cyn.change, level: person, population: staff, language: en-GB, use: research}
    source_type: content
    study: {title: Six raters}
    instrument_version: 1.0.0
    sample: {n: 6, kind: real}
    statistic: S-CVI/Ave
    value: 0.95
    verdict: supports
"""


def test_evidence_is_added_and_says_what_is_missing(call: Call, tmp_path: Path) -> None:
    own = tmp_path / "cynicism.yaml"
    own.write_bytes(Path("instruments/cynicism.yaml").read_bytes())
    records = tmp_path / "records.yaml"
    records.write_text(RECORDS, encoding="utf-8")
    code, out, _ = call("evidence", "add", own, "--from", records)
    assert code == 0
    assert "draft" in out
    assert "S-CVI/Ave" in own.read_text(encoding="utf-8")
    code, out, _ = call("evidence", "show", own)
    assert code == 0
    assert "interviews in which people say" in out
    before = own.read_bytes()
    records.write_text(RECORDS.replace("kind: real", "kind: simulated"), encoding="utf-8")
    assert "simulated" in refused(call, "evidence", "add", own, "--from", records)
    assert own.read_bytes() == before


def test_a_sheet_for_raters_goes_out_and_comes_back(call: Call, tmp_path: Path) -> None:
    code, out, _ = call(
        "evidence", "sheet", "cynicism", "--out", tmp_path / "s", "--rater", "A", "--rater", "B",
        "--rater", "C",
    )  # fmt: skip
    assert code == 0
    sheets = sorted((tmp_path / "s").glob("*.csv"))
    assert len(sheets) == 3
    for path in sheets:
        sheet = pd.read_csv(path)
        relevance = next(name for name in sheet if name.startswith("relevance"))
        asked = sheet["item"] != "cyn.change"  # the last row is about the whole construct
        sheet[relevance] = asked.map({True: 4.0, False: np.nan})
        sheet.to_csv(path, index=False)
    code, out, _ = call("evidence", "content", *sheets, "--instrument", "cynicism")
    assert code == 0
    assert "cyn.change.06" in out
    assert "1.00" in out


def test_local_wording_is_shown_and_never_needed(call: Call, tmp_path: Path) -> None:
    code, out, _ = call("instruments", "show", "levels_of_collaboration")
    assert code == 0
    assert "(text not distributed)" in out
    item = load_instrument("levels_of_collaboration").item_ids[0]
    (tmp_path / "levels_of_collaboration.yaml").write_text(
        f"instrument: levels_of_collaboration\nsource: letter of the owner\n"
        f'items: {{{item}: {{en-GB: "How far along are you with {{partner}}?"}}}}\n',
        encoding="utf-8",
    )
    code, out, _ = call("instruments", "show", "levels_of_collaboration", "--texts", tmp_path)
    assert code == 0
    assert "How far along are you" in out
    assert "has 1 fault" in refused(call, "instruments", "show", "ocai", "--texts", tmp_path)


@pytest.mark.parametrize("name", sorted(list_instruments()["id"]))
def test_what_to_do_next_can_be_done(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The commands run as they are printed, and the lines of Python are Python."""
    instrument = load_instrument(name)
    lines = [line.strip() for line in next_steps(instrument)]
    monkeypatch.chdir(tmp_path)
    for line in lines:
        if line.startswith("collabsurvey") and "--texts" not in line:
            code, _, err = call(*shlex.split(line)[1:])
            assert code == 0, err
    assert list(tmp_path.glob("*.html")) == [] or instrument.kind == "own"
    start = next(i for i, line in enumerate(lines) if line.startswith(("from ", "import ")))
    compile("\n".join(lines[start:]), name, "exec")


def test_what_to_do_next_with_a_file_of_ones_own(call: Call, tmp_path: Path) -> None:
    own = tmp_path / "mine.yaml"
    own.write_bytes(Path("instruments/cynicism.yaml").read_bytes())
    code, out, _ = call("instruments", "show", own)
    assert code == 0
    assert f"collabsurvey export {own} --to html" in out
    assert f'cs.load_instrument("{own}")' in out
