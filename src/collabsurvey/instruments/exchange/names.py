"""Names of columns in every export, so that the way back needs no mapping.

`tru.expect.01` is `tru_expect_01`, and `tru_expect_01__2` about the second partner. LimeSurvey
takes letters and digits only, no minus, and 20 characters: there the name is divided over the
question and the sub-question (`truexpect[01]`, `p2truexpect[01]`) and -8 is `n8`. REDCap takes
small letters and makes one underscore of two (so `tru_expect_01_p2`); ODK and KoboToolbox put
groups before a name (`p2-g1-tru_expect_01__2`). `item_name` and `signed_code` read these back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from collabsurvey.errors import DataError, NotSupportedError, listed

LIMESURVEY_LONGEST = 20  # characters of a question's or sub-question's code
LIMESURVEY_LONGEST_ANSWER = 5
LIMESURVEY_HEADER = re.compile(r"(?P<question>[A-Za-z][A-Za-z0-9]*)\[(?P<part>[A-Za-z0-9]+)\]")
LIMESURVEY_PARTNER = re.compile(r"p(?P<number>[1-9]\d*)(?P<name>[a-z].*)", re.IGNORECASE)
PARTNER_BEHIND = re.compile(r"(?P<name>.+?)x(?P<number>[1-9]\d*)")  # sat[01x2]
# Also `__2` as REDCap stores it; ___2 is a checkbox.
REDCAP_PARTNER = re.compile(r"(?P<name>.*[^_])_p?(?P<number>[1-9]\d*)")
PARTNER = re.compile(r"(?P<name>.*[^_])__(?P<number>[1-9]\d*)")
STATA_LONGEST = 32
SPSS_LONGEST = 64


def column_name(item_id: str, partner: int = 0) -> str:
    """Name of an item's column; `partner` counts from 1, 0 is an item about none."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", item_id).strip("_")
    return f"{name}__{partner}" if partner else name


def code_text(code: float) -> str:
    """A code as it stands in a file: 4, -8, 0.5."""
    return f"{code:.15g}"


def item_name(header: str, platform: str) -> tuple[str, int]:
    """What a platform's header means: the name of an item, and the partner's number or 0.

    The name is to be compared by its letters and digits, small or not.
    """
    if platform == "limesurvey" and (match := LIMESURVEY_HEADER.fullmatch(header)):
        name = f"{match['question']}{match['part']}"
        numbered = LIMESURVEY_PARTNER.fullmatch(name) or PARTNER_BEHIND.fullmatch(name)
    else:
        name = re.split(r"[-/]", header)[-1]  # without groups
        numbered = (REDCAP_PARTNER if platform == "redcap" else PARTNER).fullmatch(name)
    return (numbered["name"], int(numbered["number"])) if numbered else (name, 0)


def signed_code(text: str) -> float | None:
    """The code -8 that is `n8` in LimeSurvey; None for any other text."""
    return -float(text[1:]) if re.fullmatch(r"n\d{1,4}", text) else None


def check_distinct(item_ids: Iterable[str]) -> None:
    """Refuse ids that the letters and digits of a column name cannot tell apart."""
    seen: dict[str, str] = {}
    for item_id in item_ids:
        plain = _plain(item_id)
        if (first := seen.setdefault(plain, item_id)) != item_id:
            raise DataError(
                f"The items {first!r} and {item_id!r} would share the column "
                f"{column_name(item_id)!r}. Give one of them another id."
            )


def check_lengths(columns: Sequence[str], longest: int, program: str) -> None:
    """Refuse names that a program would cut off."""
    if long := [column for column in columns if len(column) > longest]:
        raise NotSupportedError(
            f"A column name over {longest} characters in {program} ({listed(long, most=3)})",
            instead="Give the items shorter ids.",
        )


def redcap_name(name: str, partner: int = 0) -> str:
    """A name of a field or form in REDCap: small letters, digits and single underscores."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_")
    return f"{plain}_p{partner}" if partner else plain


def limesurvey_answer(code: float) -> str:
    """A code as an answer code of LimeSurvey, which has no sign: -8 is n8."""
    text = code_text(code)
    written = text.replace("-", "n")
    if not written.isalnum() or len(written) > LIMESURVEY_LONGEST_ANSWER:
        raise NotSupportedError(
            f"The answer code {text} in LimeSurvey, whose codes are up to "
            f"{LIMESURVEY_LONGEST_ANSWER} letters and digits",
            instead="Export to another platform.",
        )
    return written


def limesurvey_code(columns: Sequence[str], taken: set[str]) -> tuple[str, tuple[str, ...]]:
    """Code of a question and of its sub-questions, which read one after the other as the column.

    `taken` holds the codes of other questions in small letters; the new one is added.
    """
    names = [_limesurvey_name(column) for column in columns]
    shared = _shared_start(names)
    shortest = min(map(len, names)) - 1  # one character at least for each sub-question
    for length in range(min(len(shared), shortest, LIMESURVEY_LONGEST), 0, -1):
        code = shared[:length]
        parts = tuple(name[length:] for name in names)
        if code not in taken and max(map(len, parts)) <= LIMESURVEY_LONGEST:
            taken.add(code)
            return code, parts
    raise NotSupportedError(
        f"A question code of {LIMESURVEY_LONGEST} letters and digits for {listed(columns, most=3)}",
        instead="Give the items shorter ids, or export to another platform.",
    )


def _limesurvey_name(column: str) -> str:
    """Letters and digits of a column, the number of the partner in front: p2truexpect01."""
    name, _, number = column.partition("__")
    return f"p{number}{_plain(name)}" if number else _plain(name)


def _shared_start(names: Sequence[str]) -> str:
    first, last = min(names), max(names)
    same = 0
    while same < min(len(first), len(last)) and first[same] == last[same]:
        same += 1
    return first[:same].rstrip("0123456789") or first[:same]  # truexpect[01], not truexpect0[1]


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()
