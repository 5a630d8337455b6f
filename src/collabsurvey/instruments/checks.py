"""What a single field cannot know: ids used twice, items nobody scores, keys of no answer.

Each check yields faults over the `Parts` of a file. `wording_checks` has those about
texts, slots and translations, `rule_checks` those about scoring rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from collabsurvey.errors import OptionError, listed
from collabsurvey.instruments.evidence import status_from, unlike_scores
from collabsurvey.instruments.evidence_checks import check_evidence
from collabsurvey.instruments.faults import SECTIONS, did_you_mean
from collabsurvey.instruments.model import ResponseSet, Scale, items_required
from collabsurvey.instruments.parts import Parts, parts_of
from collabsurvey.instruments.records import ID, VERSION
from collabsurvey.instruments.rule_checks import ADDED_UP, RULE_CHECKS
from collabsurvey.instruments.wording_checks import WORDING_CHECKS
from collabsurvey.instruments.yaml_tree import Document, Fault

SCHEMA_VERSION = re.compile(r"1(\.\d+)?")
WITH_IDS = ("items", "scoring", "constructs", "evidence", "norms")


def find_faults(document: Document) -> list[Fault]:
    """Every semantic fault of a file whose root is a set of keys."""
    parts = parts_of(document)
    return [fault for check in CHECKS for fault in check(parts)]


def check_ids(parts: Parts) -> Iterator[Fault]:
    """Ids are unique in their section, well formed, and never reused after an item's retirement."""
    for section in WITH_IDS:
        kind = SECTIONS[section]
        first_line: dict[str, int] = {}
        for path, name in parts.ids(section):
            line = parts.document.line((*path, "id"))
            if name in first_line:
                where = f"first on line {first_line[name]}"
                yield Fault(line, f"{kind} {name!r} is used twice ({where}).")
            elif not ID.fullmatch(name):
                yield Fault(
                    line,
                    f"the id {name!r} has characters an id cannot have. "
                    "Use letters, digits, dots and underscores, beginning with a letter.",
                )
            first_line.setdefault(name, line)
    item_ids = set(parts.names("items"))
    for place, name in enumerate(parts.raw_list("retired_items")):
        if name in item_ids:
            yield parts.fault(
                ("retired_items", place),
                f"item {name!r} is retired: its id may not be used again. Give the item a new id.",
            )
    for path, name in parts.ids("scoring"):
        if name in item_ids:
            yield parts.fault(path, f"scale {name!r} has the id of an item. Rename one of them.")
    published: dict[str, str] = {}
    for place, item in parts.items.items():
        number = str(item.source_item)
        if item.source_item is not None and number in published:
            yield parts.fault(
                ("items", place, "source_item"),
                f"item {item.id!r} is number {number} of the published form, and so is "
                f"{published[number]!r}.",
            )
        published.setdefault(number, item.id)
    own_id = parts.text("id")
    if own_id is not None and parts.text("superseded_by") == own_id:
        yield parts.fault(("superseded_by",), f"{own_id!r} cannot be superseded by itself.")
    if own_id is not None and not ID.fullmatch(own_id):
        yield parts.fault(("id",), f"the instrument's id {own_id!r} should be a word like 'trust'.")


def check_versions(parts: Parts) -> Iterator[Fault]:
    """Versions read x.y.z; no item is newer than the instrument."""
    schema = parts.raw.get("schema_version", "1.0")
    if isinstance(schema, str) and not SCHEMA_VERSION.fullmatch(schema):
        yield parts.fault(
            ("schema_version",),
            f'schema_version {schema!r} is not known here. This version reads files of "1.0".',
        )
    version = parts.text("version")
    if version is None:
        return
    if not VERSION.fullmatch(version):
        yield parts.fault(("version",), f"version {version!r} should read x.y.z, such as 1.0.0.")
        return
    stated = {place for place, raw in enumerate(parts.raw_list("items")) if _has(raw, "since")}
    for place, item in parts.items.items():
        if place not in stated:
            continue
        if not VERSION.fullmatch(item.since):
            yield parts.fault(
                ("items", place, "since"),
                f"item {item.id!r}: 'since' should read x.y.z, not {item.since!r}.",
            )
        elif _numbers(item.since) > _numbers(version):
            yield parts.fault(
                ("items", place, "since"),
                f"item {item.id!r} is from version {item.since}, but the instrument is {version}.",
            )


def check_items(parts: Parts) -> Iterator[Fault]:
    """Each item has an existing response set and construct, and is scored or marked unscored."""
    scored = {name for scale in parts.raw_records("scoring") for name in _texts(scale.get("items"))}
    for place, item in parts.items.items():
        path = ("items", place)
        for key, name, section in (
            ("response", item.response, "response_sets"),
            ("construct", item.construct_id, "constructs"),
        ):
            known = parts.names(section)
            if name is not None and name not in known:
                yield parts.fault(
                    (*path, key),
                    f"item {item.id!r} names a {SECTIONS[section]} {name!r} that does not exist. "
                    + did_you_mean(name, known),
                )
        if item.response is None:
            yield parts.fault(path, f"item {item.id!r} lacks 'response', the answers it allows.")
        if item.unscored and item.id in scored:
            yield parts.fault(
                (*path, "unscored"), f"item {item.id!r} is marked unscored, yet a scale lists it."
            )
        if not item.unscored and item.id not in scored:
            yield parts.fault(
                path,
                f"item {item.id!r} is in no scale. Add it to one, or mark it 'unscored: true'.",
            )


def check_scales(parts: Parts) -> Iterator[Fault]:
    """Scales list existing items once, on one set of answers that can be added up."""
    known = parts.names("items")
    by_id = {item.id: item for item in parts.items.values()}
    for place, scale in parts.scales.items():
        path = ("scoring", place)
        for position, name in enumerate(scale.items):
            here = (*path, "items", position)
            if name not in known:
                yield parts.fault(
                    here,
                    f"scale {scale.id!r} lists the item {name!r}, which does not exist. "
                    + did_you_mean(name, known),
                )
            elif name in scale.items[:position]:
                yield parts.fault(here, f"scale {scale.id!r} lists the item {name!r} twice.")
        try:
            items_required(scale.min_valid, len(scale.items))
        except OptionError:
            yield parts.fault(
                (*path, "min_valid"),
                f"scale {scale.id!r}: min_valid {scale.min_valid!r} does not fit "
                f"{len(scale.items)} items. "
                'Write a share such as "2/3", or a count no larger than that.',
            )
        items = [by_id[name] for name in scale.items if name in by_id]
        sets = dict.fromkeys(item.response for item in items if item.response is not None)
        if scale.rule in ADDED_UP and len(sets) > 1:
            names = ", ".join(map(repr, sets))
            yield parts.fault(
                (*path, "items"),
                f"scale {scale.id!r} mixes the response sets {names}. A {scale.rule} needs one.",
            )
        for name in sets:
            if (answers := parts.response_sets.get(name)) is not None:
                yield from _check_range(parts, place, scale, name, answers)
        for item in items:
            answers = parts.response_set_of(item)
            if item.keyed == -1 and answers is not None and answers.type == "nominal":
                yield parts.fault(
                    (*path, "items"),
                    f"item {item.id!r} is reversed, but its answers ({item.response!r}) are "
                    "nominal: there is no range to turn round.",
                )


def _check_range(
    parts: Parts, place: int, scale: Scale, name: str, answers: ResponseSet
) -> Iterator[Fault]:
    """Check that a scale's rule and its rescaling fit the range of the answers."""
    if scale.rule in ADDED_UP and answers.type in ("nominal", "text"):
        yield parts.fault(
            ("scoring", place, "rule"),
            f"scale {scale.id!r} takes the {scale.rule} of {name!r}, whose answers are "
            f"{answers.type}.",
        )
    if scale.rescale is None or scale.rule not in ADDED_UP:
        return
    if not scale.rescale.to[0] < scale.rescale.to[1]:
        yield parts.fault(
            ("scoring", place, "rescale"),
            f"scale {scale.id!r} is rescaled to {{:g}} to {{:g}}, which should ascend.".format(
                *scale.rescale.to
            ),
        )
    times = len(scale.items) if scale.rule == "sum" else 1
    low, high = answers.low * times, answers.high * times
    if scale.rescale.from_ != (low, high):
        stated = "{:g} to {:g}".format(*scale.rescale.from_)
        yield parts.fault(
            ("scoring", place, "rescale"),
            f"scale {scale.id!r} is rescaled from {stated}, but its scores run from "
            f"{low:g} to {high:g}.",
        )


def check_response_sets(parts: Parts) -> Iterator[Fault]:
    """Values ascend; labels belong to values; missing codes are not answers."""
    for name, answers in parts.response_sets.items():
        path = ("response_sets", name)
        pairs = zip(answers.values, answers.values[1:], strict=False)
        if len(set(answers.values)) < len(answers.values):
            yield parts.fault((*path, "values"), f"response set {name!r} has a value twice.")
        elif answers.type == "bounded" and len(answers.values) > 2:
            yield parts.fault(
                (*path, "values"),
                f"response set {name!r} is bounded: its 'values' are the lowest and the highest.",
            )
        elif answers.type != "nominal" and any(a >= b for a, b in pairs):
            yield parts.fault(
                (*path, "values"), f"the values of response set {name!r} should ascend."
            )
        for code in answers.missing:
            if _allows(answers, code):
                yield parts.fault(
                    (*path, "missing", code),
                    f"response set {name!r}: the missing code {code:g} is also an answer.",
                )
        for key, labels, belongs, what in (
            ("labels", answers.labels, lambda c, a=answers: _allows(a, c), "value"),
            (
                "missing_labels",
                answers.missing_labels,
                answers.missing.__contains__,
                "missing code",
            ),
        ):
            for language, by_code in labels.items():
                for code in by_code:
                    if not belongs(code):
                        yield parts.fault(
                            (*path, key, language, code),
                            f"response set {name!r} has a label for {code:g}, "
                            f"which is no {what} of it.",
                        )


def _allows(answers: ResponseSet, code: float) -> bool:
    if answers.type == "bounded":
        return answers.low <= code <= answers.high
    return code in answers.values


def check_status(parts: Parts) -> Iterator[Fault]:
    """Stated status is the one the evidence records support; `retired` is a decision."""
    stated, version = parts.raw.get("status", "draft"), parts.text("version")
    sound = len(parts.evidence) == len(parts.raw_list("evidence"))
    if stated == "retired" or version is None or not sound or not isinstance(stated, str):
        return
    unlike = unlike_scores(parts.scales.values(), parts.items.values(), parts.constructs.values())
    derived = {scale.id for scale in parts.scales.values() if scale.between is not None}
    examined = [name for name in parts.names("scoring") if name not in derived]
    computed = status_from(version, examined, parts.evidence.values(), unlike=unlike)
    if stated != computed:
        simulated = [one.id for one in parts.evidence.values() if one.sample.kind == "simulated"]
        barred = (
            f" Simulated data ({listed(simulated, most=3)}) prove code and never move a status."
            if simulated
            else ""
        )
        yield parts.fault(
            ("status",),
            f"status is {stated!r}, but the evidence records support {computed!r}. "
            f"Write {computed!r}, or add the records.{barred}",
        )


CHECKS: tuple[Callable[[Parts], Iterator[Fault]], ...] = (
    check_ids,
    check_versions,
    check_items,
    check_scales,
    check_response_sets,
    *RULE_CHECKS,
    *WORDING_CHECKS,
    check_evidence,
    check_status,
)


def _has(raw: object, key: str) -> bool:
    return isinstance(raw, dict) and key in raw


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _texts(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
