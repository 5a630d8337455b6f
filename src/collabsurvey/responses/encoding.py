"""Bytes to text: what a file is, in which encoding, and what to do where it is no table."""

from __future__ import annotations

import codecs
import json

from collabsurvey.errors import DataError, OptionError

BYTE_ORDER_MARKS = (  # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Eight-bit encodings of survey exports, tried in this order where two read equally well.
EIGHT_BIT = ("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257")
SIGNATURES = (
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"\x1f\x8b", "a compressed (gzip) file"),
    (b"PAR1", "a Parquet file"),
    (b"$FL2", "an SPSS file"),
    (b"$FL3", "an SPSS file"),
    (b"<stata_dta>", "a Stata file"),
    (b"SQLite format 3", "a database"),
    (b"{\\rtf", "a word processor document"),
)
ADVICE = "Export the answers as CSV (comma or semicolon separated text) and read that file."


def decode(raw: bytes, *, name: str, encoding: str | None = None) -> tuple[str, str]:
    """Text of a file and the encoding it was read in; raise where it is not text.

    UTF-8 and what a byte order mark says are certain; only where both fail is the encoding
    judged by how the text reads, and the caller writes that into the ledger.
    """
    if not raw.strip(b"\x00 \t\r\n"):
        raise DataError(f"{name} is empty. Export it again, or check the path.")
    _refuse_signature(raw, name)
    used = encoding or _marked(raw) or _encoding_of(raw, name)
    try:
        text = raw.decode(used)
    except LookupError:
        raise OptionError("encoding", encoding, allowed=("utf-8", "utf-16", "cp1252")) from None
    except UnicodeError:
        raise DataError(
            f"{name} is not text in the encoding {used}: some bytes do not belong to it. Leave "
            "encoding out to have it found, or save the file as CSV UTF-8."
        ) from None
    text = text.removeprefix("\ufeff")
    if "\x00" in text:
        raise DataError(f"{name} holds binary data, not a table of text. {ADVICE}")
    _refuse_markup(text, name)
    return text, used


def _refuse_signature(raw: bytes, name: str) -> None:
    for signature, kind in SIGNATURES:
        if raw.startswith(signature):
            if signature == b"PAR1":
                raise DataError(
                    f"{name} is a Parquet file, not a CSV table. Give its name the ending .parquet."
                )
            office = signature == b"PK\x03\x04" and b"[Content_Types].xml" in raw
            found = "an Excel workbook or another Office document" if office else kind
            raise DataError(f"{name} is {found}, not a CSV table. {ADVICE}")


def _refuse_markup(text: str, name: str) -> None:
    start = text[:2000].lstrip().casefold()
    if start.startswith(("<!doctype html", "<html", "<head", "<body", "<table")):
        raise DataError(
            f"{name} is a web page, not a CSV table: the download may have needed a login. {ADVICE}"
        )
    if start.startswith("<?xml"):
        raise DataError(f"{name} is an XML document, not a CSV table. {ADVICE}")
    if start.startswith(("{", "[")) and _is_json(text):
        raise DataError(f"{name} is a JSON document, not a CSV table. {ADVICE}")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _marked(raw: bytes) -> str | None:
    return next((name for mark, name in BYTE_ORDER_MARKS if raw.startswith(mark)), None)


def _encoding_of(raw: bytes, name: str) -> str:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        return "utf-8"
    if b"\x00" in raw:
        raise DataError(
            f"{name} holds binary data, not a table of text. {ADVICE} "
            "If it is text in UTF-16, say encoding='utf-16-le'."
        )
    from charset_normalizer import from_bytes

    # Encodings that give the same text come as one match, with their names in it.
    possible = {
        code: (match.chaos, -match.coherence)
        for match in from_bytes(raw, cp_isolation=list(EIGHT_BIT))
        for code in match.could_be_from_charset
    }
    if not possible:
        raise DataError(
            f"{name} is not text in any encoding known here. {ADVICE} If you know its encoding, "
            "say encoding=..."
        )
    best = min(possible.values())
    return next(code for code in EIGHT_BIT if possible.get(code) == best)
