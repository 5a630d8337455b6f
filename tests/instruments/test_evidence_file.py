"""Evidence added to a file: every line kept, nothing accepted that is not evidence."""

from __future__ import annotations

import difflib
import os
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from collabsurvey.errors import (
    CollabSurveyError,
    FaultsError,
    InstrumentError,
    OptionError,
    OutputError,
)
from collabsurvey.instruments import Instrument, claim_statuses, read_instrument
from collabsurvey.instruments import evidence as gates
from collabsurvey.instruments.evidence_checks import record_faults
from collabsurvey.instruments.evidence_file import add_evidence, next_id
from collabsurvey.instruments.evidence_records import (
    EvidenceRecords,
    read_records,
    records_from_text,
    write_records,
)
from collabsurvey.instruments.folder import CANDIDATES, shipped_paths
from collabsurvey.instruments.model import Evidence
from collabsurvey.instruments.rungs import (
    MISSING,
    NextRung,
    holding_back,
    next_rung,
    rung_of,
    rung_sentences,
    what_is_missing,
)

HEAD = """\
# A comment at the top
id: team  # the id
version: 1.2.0
title: Team climate
kind: own
status: draft  # computed; there are none yet
licence: {items: CC-BY-4.0, key: CC0-1.0, redistribute_text: true, commercial: true,
          confidence: high}
response_sets:
  agree5: {type: ordinal, values: [1, 2, 3, 4, 5]}
items:
  - {id: team.safety.01, text: {en-GB: "We speak up."}, response: agree5}
  - {id: team.safety.02, text: {en-GB: "We listen."}, response: agree5}
scoring:
  - {id: team.safety, title: Safety, items: [team.safety.01, team.safety.02]}
"""
TAIL = """\

# what it is for
use: {intended: [research], not_for: [ranking]}
"""
GOOD = f"{HEAD}evidence: []\n{TAIL}"
CLAIM = {
    "score": "team.safety",
    "level": "person",
    "population": "uk_teachers",
    "language": "en-GB",
    "use": "research",
}


def record(
    source_type: str = "reliability",
    statistic: str = "omega",
    n: int = 120,
    *,
    title: str = "Pilot",
    version: str = "1.2.0",
    kind: str = "real",
    name: str = "ev-2026-01",
    claim: dict[str, str] | None = None,
    study: dict[str, Any] | None = None,
    **more: Any,
) -> Evidence:
    return Evidence.model_validate(
        {
            "id": name,
            "claim": CLAIM | (claim or {}),
            "source_type": source_type,
            "study": {"title": title} | (study or {}),
            "instrument_version": version,
            "sample": {"n": n, "kind": kind, "year": 2026},
            "statistic": statistic,
            "verdict": "supports",
        }
        | more
    )


def content() -> list[Evidence]:
    return [
        record("content", "S-CVI/Ave", 8, value=0.93),
        record("response_process", "cognitive interviews", 9, name="ev-2026-02"),
    ]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "team.yaml"
    path.write_text(GOOD, encoding="utf-8")
    return path


def kept(old: str, new: str) -> list[str]:
    """Lines of the old text that the new one has not."""
    return [
        line[2:]
        for line in difflib.ndiff(old.splitlines(), new.splitlines())
        if line.startswith("- ")
    ]


# --- adding ---------------------------------------------------------------------------------


def test_records_are_added_and_the_status_follows(file: Path) -> None:
    got = add_evidence(file, content())
    assert (got.old_status, got.new_status) == ("draft", "content_reviewed")
    text = file.read_text(encoding="utf-8")
    assert "status: content_reviewed  # computed\n" in text
    assert kept(GOOD, text) == ["status: draft  # computed; there are none yet", "evidence: []"]
    assert read_instrument(text).evidence == got.records == tuple(content())
    assert [one.rung for one in got.claims] == ["piloted"]
    assert "status: draft → content_reviewed" in got.summary()
    assert "item statistics" in got.summary()


def test_records_added_later_stand_behind_the_others(file: Path) -> None:
    add_evidence(file, content())
    before = file.read_text(encoding="utf-8")
    got = add_evidence(file, record(value=0.8, ci=[0.75, 0.85]))
    assert [one.id for one in got.records] == ["ev-2026-03"]
    assert "The id 'ev-2026-01' was taken: the record is 'ev-2026-03' in the file." in got.notes
    assert kept(before, file.read_text(encoding="utf-8")) == []
    assert [one.id for one in got.instrument.evidence] == [f"ev-2026-0{j}" for j in (1, 2, 3)]


def test_numbers_stay_in_order_where_some_are_taken(file: Path) -> None:
    """01 and 02 are in the file; 01 to 03 of the second study become 03 to 05."""
    add_evidence(file, content())
    study = [record(value=v, ci=[0.75, 0.95], name=f"ev-2026-0{j}") for j, v in
             ((1, 0.81), (2, 0.82), (3, 0.83))]  # fmt: skip
    kept_id = record(value=0.9, ci=[0.85, 0.95], name="by-hand")
    got = add_evidence(file, [*study, kept_id])
    assert [one.id for one in got.records] == ["ev-2026-03", "ev-2026-04", "ev-2026-05", "by-hand"]
    assert [one.value for one in got.records] == [0.81, 0.82, 0.83, 0.9]
    assert got.notes == (
        "Ids were taken: 3 records, 'ev-2026-01' to 'ev-2026-03', are 'ev-2026-03' to "
        "'ev-2026-05' in the file, in the same order.",
    )


def test_scores_that_lack_the_same_share_a_sentence() -> None:
    one = NextRung("a", None, "draft", "content_reviewed", ("A content record.",))
    two, other = replace(one, score="b"), replace(one, score="c", missing=("Interviews.",))
    assert rung_sentences([one, other, two]) == [
        "a, b: draft. For 'content_reviewed' each lacks: A content record.",
        "c: draft. For 'content_reviewed' it lacks: Interviews.",
    ]


LIST = """\
evidence:
  # written by hand
  - id: ev-2025-01
    claim: {score: team.safety, level: person, population: p, language: en-GB, use: research}
    source_type: reliability
    study: {title: An earlier study}   # a comment
    instrument_version: 1.0.0
    sample: {n: 60, kind: real}
    statistic: alpha
    verdict: mixed
    method: |
      first line
      # no comment but text

  # - id: ev-2025-02, taken out
"""
SHAPES = {
    "empty list": "evidence: []\n",
    "a comment behind": "evidence: []   # none yet, sorry\n",
    "a list on the next line": "evidence:\n  []\n",
    "a list": LIST,
    "dashes without indent": LIST.replace("\n  ", "\n"),
    "a deeper list": LIST.replace("\n  ", "\n      "),
    "no key": "",
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("tail", ["", TAIL, "# the end"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_every_line_stays(shape: str, tail: str, newline: str, mark: str, tmp_path: Path) -> None:
    old = (mark + HEAD + SHAPES[shape] + tail).replace("\n", newline)
    path = tmp_path / "team.yaml"
    path.write_bytes(old.encode())
    got = add_evidence(path, content())
    new = path.read_bytes().decode()
    changed = {"status: draft  # computed; there are none yet", *SHAPES["empty list"].split("\n")}
    changed |= {"evidence: []   # none yet, sorry", "evidence:", "  []"}
    assert set(kept(old, new)) <= changed
    assert new.startswith(mark)
    assert new.count("#") == old.count("#")
    assert ("\n" in new.replace("\r\n", "")) == (newline == "\n")
    read = read_instrument(new.removeprefix("\ufeff"))
    earlier = read_instrument(old.removeprefix("\ufeff")).evidence
    assert read.evidence == (*earlier, *got.records)
    add_evidence(path, record(value=0.8))  # and once more, into what we wrote ourselves


def test_a_file_without_a_last_line_end(tmp_path: Path) -> None:
    path = tmp_path / "team.yaml"
    path.write_text((HEAD + LIST).rstrip("\n"), encoding="utf-8")
    assert len(add_evidence(path, record()).instrument.evidence) == 2


def test_a_status_that_was_left_out_is_written(tmp_path: Path) -> None:
    path = tmp_path / "team.yaml"
    path.write_text("\n".join(one for one in GOOD.split("\n") if "status" not in one))
    assert add_evidence(path, content()).new_status == "content_reviewed"
    assert "kind: own\nstatus: content_reviewed\n" in path.read_text()


def test_a_retired_instrument_stays_retired(file: Path) -> None:
    file.write_text(GOOD.replace("status: draft", "status: retired"))
    got = add_evidence(file, content())
    assert got.new_status == "retired"
    assert got.claims[0].missing == (
        "The instrument is retired; its evidence is kept, and moves nothing.",
    )


@pytest.mark.parametrize("name", sorted(shipped_paths()))
def test_every_shipped_file_takes_records(name: str, tmp_path: Path) -> None:
    text = shipped_paths()[name].read_text(encoding="utf-8")
    try:
        old = read_instrument(text)
    except InstrumentError:  # its own test says so
        pytest.skip("the file has faults")
    path = tmp_path / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    one = record(claim={"score": old.scale_ids[0]}, version=old.version)
    got = add_evidence(path, one)
    assert got.instrument.evidence == (*old.evidence, one)
    lost = kept(text, path.read_text(encoding="utf-8"))
    assert all(line.startswith(("status:", "evidence:")) for line in lost)


# --- refusing -------------------------------------------------------------------------------


def refused(file: Path, records: Any, **options: Any) -> str:
    before = file.read_bytes()
    with pytest.raises(FaultsError) as caught:
        add_evidence(file, records, **options)
    assert file.read_bytes() == before
    assert [one.name for one in file.parent.iterdir()] == [file.name]
    return str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (record(claim={"score": "team.saftey"}), "Did you mean 'team.safety'?"),
        (record(kind="simulated"), "they prove code, not the questionnaire"),
        (record(version="1.3.0"), "is about version 1.3.0, and the file is version 1.2.0"),
        (record(version="2.0.0"), "it is not the file that was fielded"),
        (record(version="one"), "'instrument_version' should read x.y.z, not 'one'"),
        (record(name="no id"), "has characters an id cannot have"),
        (record(title="  "), "'study.title' is blank"),
        (record(claim={"population": ""}), "'claim.population' is blank"),
        (record(ci=[0.9, 0.8]), "lower limit first"),
        (
            record(sample={"n": 5, "kind": "real", "n_groups": 6}),
            "'sample.n_groups' should be from 1 to n, not 6",
        ),
        (
            record(sample={"n": 5, "kind": "real", "year": 26}),
            "'sample.year' should be a year such as 2026, not 26",
        ),
        ([], "there are no records to add"),
        ([record(), record(name="ev-2026-02")], "is in the file already, as 'ev-2026-01'"),
        (EvidenceRecords((record(),), ("trust",)), "about the instrument 'trust', not 'team'"),
    ],
)
def test_what_is_no_evidence_for_this_file(file: Path, wrong: Any, sentence: str) -> None:
    assert sentence in refused(file, wrong)


def test_all_faults_are_said_at_once(file: Path) -> None:
    said = refused(file, [record(kind="simulated"), record(version="9.0.0", name="b")])
    assert "2 faults" in said


def test_the_same_record_twice_is_refused(file: Path) -> None:
    add_evidence(file, record())
    assert "is in the file already, as 'ev-2026-01'" in refused(file, record(name="other"))
    assert "the id is taken" in refused(file, record(value=0.4), ids="keep")


def test_simulated_records_are_kept_only_when_asked_for(file: Path) -> None:
    simulated = [
        one.model_copy(update={"sample": record(kind="simulated").sample}) for one in content()
    ]
    got = add_evidence(file, simulated, simulated=True)
    assert got.new_status == "draft"
    assert "counts for nothing: its answers are simulated" in got.notes[0]


def test_records_of_an_older_major_version_are_kept_and_said_to_count_for_nothing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "team.yaml"
    path.write_text(GOOD.replace("version: 1.2.0", "version: 2.0.0"))
    got = add_evidence(path, content())
    assert got.new_status == "draft"
    assert "it is about version 1.2.0, and the instrument is 2.0.0" in got.notes[0]


def test_a_claim_written_otherwise_is_pointed_out(file: Path) -> None:
    add_evidence(file, record())
    got = add_evidence(file, record(claim={"population": "UK teachers"}))
    assert "add up only where both are written alike" in got.notes[-1]


def test_files_that_cannot_take_records(tmp_path: Path) -> None:
    path = tmp_path / "team.yaml"
    flow = LIST.replace("evidence:\n  # written by hand\n  - id: ev-2025-01\n", "")
    inside = ", ".join(one.strip().split("  #")[0] for one in flow.split("\n")[:7])
    path.write_text(f"{HEAD}evidence: [{{id: ev-2025-01, {inside}}}]\n")
    assert "are in square brackets" in refused(path, record())
    path.write_text(f"{HEAD}evidence: [ # none\n  ]\n")
    assert "Write 'evidence: []'" in refused(path, record())
    path.write_text(f"{HEAD}nonsense: 1\n")
    assert "unknown key 'nonsense'" in refused(path, record())
    path.write_text("id: [")
    assert "not valid YAML" in refused(path, record())


def test_paths_that_are_no_file_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OutputError, match="Name your own copy"):
        add_evidence("trust", record())
    with pytest.raises(InstrumentError, match="no such file"):
        add_evidence(tmp_path / "gone.yaml", record())
    with pytest.raises(InstrumentError, match="folder"):
        add_evidence(tmp_path, record())
    with pytest.raises(InstrumentError, match="cannot be"):
        add_evidence("a\0.yaml", record())
    monkeypatch.setattr(
        "collabsurvey.instruments.evidence_file.CANDIDATES", (tmp_path.resolve(), CANDIDATES[1])
    )
    path = tmp_path / "team.yaml"
    path.write_text(GOOD)
    with pytest.raises(OutputError, match="next update would undo"):
        add_evidence(path, record())


def test_options_and_kinds(file: Path) -> None:
    with pytest.raises(OptionError, match="ids="):
        add_evidence(file, record(), ids="new")  # type: ignore[arg-type]
    for wrong in (3, "ev-2026-01", [1], None):
        with pytest.raises(OptionError, match="evidence records"):
            add_evidence(file, wrong)  # type: ignore[arg-type]


def test_a_write_that_fails_leaves_the_old_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match="No space left"):
        add_evidence(file, record())
    assert file.read_text() == GOOD
    assert [one.name for one in file.parent.iterdir()] == [file.name]


def test_a_file_changed_meanwhile_is_not_overwritten(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: file.write_text(f"{GOOD}# mine\n"))
    with pytest.raises(OutputError, match="changed by somebody else"):
        add_evidence(file, record())
    assert file.read_text() == f"{GOOD}# mine\n"


def test_a_link_stays_a_link_and_the_mode_stays(file: Path, tmp_path: Path) -> None:
    file.chmod(0o640)
    link = tmp_path / "link.yaml"
    link.symlink_to(file)
    add_evidence(link, record())
    assert link.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o640


def test_next_free_id() -> None:
    assert next_id([], 2026) == "ev-2026-01"
    assert next_id(["ev-2026-01", "ev-2026-07", "ev-2025-99", "ev-2026-x"], 2026) == "ev-2026-08"


# --- mutated files --------------------------------------------------------------------------

SCRAPS = (
    *"\t\x00\x07\x85\u2028\ufeff:[]{}#-|>&*!%@`'\"\\,?",
    "\n", "\r", "\r\n", "---\n", "...\n", "evidence:", "evidence: []\n", "status: piloted\n", "- ",
    "  ", "null", "~", "&a ", "*a", "!!python/object:os.system ", "<<: ", "{", "}", "]", "🙂",
)  # fmt: skip


def mutated(text: str, chance: random.Random) -> str:
    for _ in range(chance.randint(1, 3)):
        lines = text.splitlines(keepends=True)
        kind = chance.randrange(6)
        at = chance.randrange(len(text)) if text else 0
        if kind == 0 and lines:
            del lines[chance.randrange(len(lines))]
            text = "".join(lines)
        elif kind == 1 and lines:
            lines.insert(chance.randrange(len(lines)), chance.choice(lines))
            text = "".join(lines)
        elif kind == 2:
            text = text[:at] + chance.choice(SCRAPS) + text[at:]
        elif kind == 3:
            text = text[:at] + text[at + chance.randint(1, 9) :]
        elif kind == 4:
            text = text[:at] + chance.choice(SCRAPS) + text[at + 1 :]
        else:
            text = text[:at]
    return text


def test_mutated_files_end_in_sentences_or_in_sound_files(tmp_path: Path) -> None:
    chance = random.Random(20260901)
    path = tmp_path / "team.yaml"
    n_added = 0
    for _ in range(3000):
        shape = chance.choice(list(SHAPES.values()))
        content_ = mutated(HEAD + shape + chance.choice(["", TAIL]), chance).encode()
        if chance.random() < 0.05:
            content_ = content_[:-3] + bytes([255]) + content_[-3:]
        path.write_bytes(content_)
        try:
            got = add_evidence(path, content())
        except CollabSurveyError as error:
            assert str(error).strip()
            assert path.read_bytes() == content_
        else:
            n_added += 1
            old = read_instrument(content_.decode("utf-8-sig"))
            new = read_instrument(path.read_bytes().decode("utf-8-sig"))
            assert new.evidence == (*old.evidence, *got.records)
            assert new.items == old.items
        assert [one.name for one in tmp_path.iterdir()] == ["team.yaml"]
    assert n_added > 100  # most mutations are faults of their own


def test_mutated_files_of_records_end_in_sentences(tmp_path: Path) -> None:
    path = write_records(content(), tmp_path / "records.yaml")
    text, chance = path.read_text(), random.Random(1)
    for _ in range(2000):
        try:
            found = records_from_text(mutated(text, chance))
        except FaultsError as error:
            assert all(one.startswith("line ") for one in error.faults)
        else:
            assert all(isinstance(one, Evidence) for one in found)


# --- files of records -----------------------------------------------------------------------

words = st.text(min_size=1, max_size=60).filter(str.strip)
numbers = st.none() | st.floats(-1e6, 1e6, allow_nan=False)


@settings(max_examples=150)
@given(words, words, words, st.text(max_size=200), numbers, st.booleans())
def test_records_survive_their_file(
    title: str, population: str, statistic: str, method: str, value: float | None, far: bool
) -> None:
    from collabsurvey.instruments.evidence_records import record_text

    one = record(
        statistic=statistic,
        title=title,
        claim={"population": population},
        study={"independent_of_authors": far, "doi": population},
        method=method,
        value=value,
    )
    assume(not record_faults(one))  # such as an alpha of 2, or a population called synthetic
    text = "evidence:\n" + record_text(one, indent=2)
    assert tuple(records_from_text(text)) == (one,)


TRICKY = ("null", "~", "yes", "No", "on", "+.5", "1e5", "0x1f", "2026-01-01", "- a", "a: b", "# c",
          "08", "1_000", "=", "<<", "true", ".5", "1.", "'", '"', "\n", " x ", "{a}", "[", "%",
          "\t", "\x85")  # fmt: skip


@pytest.mark.parametrize("word", TRICKY)
def test_words_that_yaml_takes_for_something_else(word: str) -> None:
    from collabsurvey.instruments.evidence_records import record_text

    one = record(study={"doi": word, "title": f"x{word}"}, method=word or "-")
    assert tuple(records_from_text("evidence:\n" + record_text(one, indent=0))) == (one,)


def test_written_and_read_back_with_their_instrument(tmp_path: Path, file: Path) -> None:
    given_ = EvidenceRecords(tuple(content()), ("team", "team"))
    path = write_records(given_, tmp_path / "records.yaml")
    found = read_records(path)
    assert found == given_
    assert "collabsurvey evidence add" in path.read_text()
    assert add_evidence(file, found).new_status == "content_reviewed"
    frame = found.to_frame()
    assert frame["statistic"].tolist() == ["S-CVI/Ave", "cognitive interviews"]
    assert "2 evidence records" in found.summary()


def test_records_are_not_written_over_other_files(tmp_path: Path, file: Path) -> None:
    with pytest.raises(OutputError, match="exists already"):
        write_records(content(), file)
    with pytest.raises(OutputError, match="is not a file of records"):
        write_records(content(), file, replace=True)
    assert file.read_text() == GOOD
    path = write_records(content()[:1], tmp_path / "records.yml")
    assert len(read_records(write_records(content(), path, replace=True))) == 2
    with pytest.raises(OutputError, match="does not exist"):
        write_records(content(), tmp_path / "no" / "records.yaml")
    with pytest.raises(OutputError, match=r"should end in \.yaml"):
        write_records(content(), tmp_path / "records.txt")
    with pytest.raises(CollabSurveyError, match="Write a file for each"):
        write_records(EvidenceRecords(tuple(content()), ("a", "b")), tmp_path / "x.yaml")
    with pytest.raises(CollabSurveyError, match="no evidence records"):
        write_records([], tmp_path / "x.yaml")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "line 1: a file of records has the keys"),
        ("- a", "line 1: a file of records has the keys"),
        ("evidence: []", "line 1: 'evidence' holds no record."),
        ("instrument: trust", "lacks the key 'evidence'"),
        ("records: []\nevidence: []", "line 1: the file has an unknown key 'records'"),
        (GOOD, "line 1: this is an instrument, not a file of records"),
    ],
)
def test_what_is_no_file_of_records(text: str, sentence: str) -> None:
    with pytest.raises(FaultsError) as caught:
        records_from_text(text)
    assert any(sentence in one for one in caught.value.faults), caught.value.faults


def test_faults_of_records_have_their_line(tmp_path: Path) -> None:
    path = write_records(content(), tmp_path / "records.yaml")
    text = path.read_text().replace("kind: real", "kind: fake").replace("ev-2026-02", "ev-2026-01")
    with pytest.raises(FaultsError) as caught:
        records_from_text(text)
    assert len(caught.value.faults) == 2
    assert "should be 'real' or 'simulated', not 'fake'" in caught.value.faults[0]
    with pytest.raises(FaultsError, match="used twice"):
        records_from_text(text.replace("fake", "real"))
    for gone in (tmp_path / "gone.yaml", tmp_path, "a\0.yaml"):
        with pytest.raises(FaultsError):
            read_records(gone)


# --- what is missing ------------------------------------------------------------------------

STATISTICS = (
    ("content", "S-CVI/Ave"), ("content", "I-CVI"), ("response_process", "interviews"),
    ("reliability", "alpha"), ("internal_structure", "item statistics"),
    ("response_process", "missingness"), ("internal_structure", "EFA"),
    ("internal_structure", "CFA"), ("relations", "r"), ("reliability", "retest ICC"),
)  # fmt: skip
some_record = st.builds(
    lambda kind, n, title, value, ci, verdict, study: record(
        *kind, n, title=title, value=value, ci=ci, verdict=verdict, study=study
    ),
    st.sampled_from(STATISTICS),
    st.sampled_from([5, 6, 49, 50, 99, 100, 300]),
    st.sampled_from(["one", "two"]),
    st.sampled_from([None, 0.5, 0.7, 0.78, 0.95]),
    st.sampled_from([None, (0.4, 0.9)]),
    st.sampled_from(["supports", "supports", "supports", "mixed", "against"]),
    st.fixed_dictionaries(
        {}, optional={"prereg": st.just("osf"), "independent_of_authors": st.just(True)}
    ),
)


@settings(max_examples=500)
@given(st.lists(some_record, max_size=12))
def test_something_is_missing_exactly_where_the_gate_is_shut(records: list[Evidence]) -> None:
    for rung, gate in gates.GATES:
        assert (MISSING[rung](records) == ()) == bool(gate(records)), rung


def instrument(*records: Evidence) -> Instrument:
    return read_instrument(GOOD).model_copy(update={"evidence": records})


def test_what_a_score_lacks_in_plain_sentences() -> None:
    first = next_rung(instrument())[0]
    assert (first.score, first.status, first.rung) == ("team.safety", "draft", "content_reviewed")
    assert len(first.missing) == 2
    assert "6 or more raters" in first.missing[0]
    assert "1 of 1 scores stays at 'draft': team.safety" in holding_back(next_rung(instrument()))
    few = instrument(record("content", "S-CVI/Ave", 4, value=0.9), content()[1])
    assert what_is_missing(few, few.evidence[0].claim) == (
        "A content record with 6 or more raters, the verdict 'supports', and I-CVI of 0.78 at "
        "least for every item and S-CVI of 0.90 at least; ev-2026-01 falls short of it.",
    )
    against = record("response_process", "interviews", 9, name="ev-9", verdict="against")
    found = instrument(*content(), against)
    assert what_is_missing(found, against.claim)[0].startswith("ev-9 speaks against it")
    pilot = [
        record("reliability", "omega", value=0.8, ci=[0.7, 0.9], name="p1"),
        record("internal_structure", "item statistics", name="p2"),
    ]
    found = instrument(*content(), *pilot)
    assert what_is_missing(found, claim_statuses(found)[0]) == (
        "The study 'Pilot' has no record of missingness.",
    )
    same = [*pilot, record("response_process", "missingness", name="p3")]
    same += [record("internal_structure", name, 300, name=name) for name in ("EFA", "CFA")]
    found = instrument(*content(), *same)
    assert "both of the study 'Pilot'" in rung_of(found, claim_statuses(found)[0]).missing[0]
    with pytest.raises(CollabSurveyError, match="no scale"):
        what_is_missing(found, record(claim={"score": "x"}).claim)


def test_the_best_claim_of_a_score_is_taken() -> None:
    other = record(claim={"population": "others"}, name="other")
    rung = next_rung(instrument(other, *content()))[0]
    assert rung.status == "content_reviewed"
    assert rung.claim is not None
    assert rung.claim.population == "uk_teachers"
    assert "team.safety (person, uk_teachers, en-GB): content_reviewed." in rung.sentence()
