"""Project VIC's VICS JSON, 1.x and 2.x (CAID's too): a hash set, or a case's media.

Shape: `{"@odata.context" or "odata.metadata": "…/DataModels/2.0.xml/US/$metadata#Media", "value": [media, …]}`; of a case
(`#Cases`) `value` holds cases, each with `Media`: [media, …]. A medium: `MediaID`, `Category` (a number, a number as text,
or null), `MD5`, `SHA1`, `PhotoDNA` (base64), `AlternativeHashes`: [{`HashName`, `HashValue`}]; more is of no use here.
Source: public parsers and writers of the format (IPED, GLEAPP, Clees4All, python tools), read in November 2026.

Traps held in the reader: a byte order mark, UTF-16; keys in other case; counts in the header that differ from exporter to
exporter (not read); `IsPrecategorized`, which says yes where nobody has judged (not read: `Category` alone counts); numbers
that mean another thing in each country (the operator names it); `MediaID`, which begins anew in each file (the MD5 is
the id).
Nothing else of a case is kept: no paths, names, comments or series.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from underwing.banks.entries import Entry, Update, Withdrawn
from underwing.banks.formats.jsonstream import records
from underwing.banks.formats.reading import FormatError, Tally, hashes_of, hex_of_base64, seconds_of, time_of
from underwing.banks.labels import LabelError, Labels
from underwing.model import HashKind

_ARRAYS = frozenset({("value",), ("value", "[]", "Media"), ("value", "[]", "media")})
_KINDS: dict[str, HashKind] = {"MD5": "md5", "SHA1": "sha1", "SHA256": "sha256", "PDQ": "pdq"}
_CONTEXT = "http://github.com/VICSDATAMODEL/ProjectVic/DataModels/2.0.xml/{country}/$metadata#Media"
_METADATA = "http://github.com/ICMEC/ProjectVic/DataModels/1.3.xml#Media"


def read(
    stream: BinaryIO, tally: Tally | None = None, *, labels: Labels, country: str, source: str = "vics"
) -> Iterator[Update]:
    """The entries of a file, by the category table of `country` (`US`, `GB`, …, or one the operator brought).

    Media without a category or with one of no concern, and what has no usable hash, are counted.

    Raises:
        FormatError: not this JSON, cut short, or a category that the country's table does not know.
    """
    tally = Tally() if tally is None else tally
    country = "GB" if country.upper() == "UK" else country.upper()
    for number, found in records(stream, _ARRAYS):
        medium = {key.casefold(): value for key, value in found.items()}
        if "media" in medium and "md5" not in medium:
            continue
        code = _category(medium.get("category"), number)
        try:
            label = labels.label("vics", code, country)
        except LabelError as error:
            raise FormatError(f"record {number}: {error}") from None
        if label is None:
            tally.skip(f"category {code}" if code else "no category")
            continue
        hashes = hashes_of(_hashes(medium, tally), tally)
        if not hashes:
            tally.skip("no usable hash")
            continue
        kind = str(medium.get("mimetype") or "").partition("/")[0].lower()
        yield tally.taken(
            Entry(
                id=next((h.hash for h in hashes if h.kind == "md5"), hashes[0].hash),
                label=label,
                hashes=hashes,
                media="image" if kind == "image" else "video" if kind == "video" else "",
                scheme="vics",
                code=code,
                country=country,
                source=source,
                added_at=seconds_of(str(medium.get("dateupdated") or "")),
            )
        )


def _category(value: object, number: int) -> str:
    """The category as digits, "" where there is none; `1`, `"1"` and `1.0` are the same."""
    if value is None or value == "":
        return ""
    try:
        if isinstance(value, (int, float, str)) and not isinstance(value, bool):
            whole = int(value)
            if whole == float(value) and 0 <= whole < 1_000:
                return str(whole)
    except (ValueError, OverflowError):
        pass  # no number at all, or an endless one: said below like any other that is no category
    raise FormatError(f"record {number}: its category is no whole number from 0 to 999")


def _hashes(medium: dict[str, Any], tally: Tally) -> Iterator[tuple[HashKind, str]]:
    others = medium.get("alternativehashes")
    named = [(name, medium.get(name.casefold())) for name in ("MD5", "SHA1", "SHA256", "PDQ", "PhotoDNA")]
    for other in others if isinstance(others, list) else []:
        lower = {key.casefold(): value for key, value in other.items()} if isinstance(other, dict) else {}
        named.append((str(lower.get("hashname") or "unnamed hash"), lower.get("hashvalue")))
    for name, value in named:
        if value is None or value == "":
            continue
        kind = _KINDS.get(name.upper().replace("-", "").replace("_", ""))
        if kind is None:
            tally.skip(name[:40])
        else:
            yield kind, (hex_of_base64(kind, value) if isinstance(value, str) else None) or ""


def write(updates: Iterable[Update], stream: BinaryIO, *, country: str, version: int = 2) -> Tally:
    """Write entries as a hash set for `country`; returns what was written and what this format cannot say.

    An entry's category is written only if it came with one of the same country; others have none (null), for a person
    to give. Withdrawals and entries without an MD5 have no place in this format.
    """
    tally = Tally()
    country = "GB" if country.upper() == "UK" else country.upper()
    model = {"GB": "UK"}.get(country, country)
    head = (
        {"@odata.context": _CONTEXT.format(country=model)} if version == 2 else {"odata.metadata": _METADATA}
    )
    stream.write(json.dumps(head).encode()[:-1] + b',"value":[')
    number = 0
    for update in updates:
        if isinstance(update, Withdrawn) or update.status != "active":
            tally.skip("withdrawn")
            continue
        plain = {h.kind: h.hash for h in reversed(update.hashes) if h.how == "plain" and h.at is None}
        if "md5" not in plain:
            tally.skip("no MD5")
            continue
        if len(update.hashes) > len(plain):
            tally.skip("further hash", len(update.hashes) - len(plain))
        number += 1
        known = update.scheme == "vics" and update.country == country and update.code.isdigit()
        medium: dict[str, Any] = {
            "MediaID": number,
            "Category": int(update.code) if known else None,
            "MD5": plain["md5"].upper(),
        }
        if "sha1" in plain:
            medium["SHA1"] = plain["sha1"].upper()
        if update.media:
            medium["MimeType"] = update.media
        if update.added_at:
            medium["DateUpdated"] = time_of(update.added_at)
        medium["AlternativeHashes"] = [
            {"HashName": name, "HashValue": plain[kind]}
            for name, kind in (("SHA256", "sha256"), ("PDQ", "pdq"))
            if kind in plain
        ]
        stream.write((b"," if number > 1 else b"") + b"\n" + json.dumps(medium).encode())
        tally.entries += 1
    stream.write(b"\n]}\n")
    return tally
