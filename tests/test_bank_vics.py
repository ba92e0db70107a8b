"""VICS 1.x and 2.x: categories by country, encodings, and what survives a round trip."""

import io
import json

import pytest

from bank_cases import made_up, written
from underwing.banks.entries import Entry, EntryHash, Update
from underwing.banks.formats import FormatError, Tally, vics
from underwing.banks.labels import Labels

LABELS = Labels.load()
MD5, SHA1, SHA256 = (made_up(1, kind) for kind in ("md5", "sha1", "sha256"))


def from_vics(document: object, tally: Tally | None = None, country: str = "US") -> list[Update]:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return list(vics.read(io.BytesIO(data), tally, labels=LABELS, country=country))


MEDIUM = {
    "MediaID": 1,
    "Category": 1,
    "MD5": MD5.upper(),
    "SHA1": SHA1.upper(),
    "MediaSize": 10,
    "DateUpdated": "2023-06-07T02:31:49.8300Z",
    "IsPrecategorized": "true",
    "MimeType": "image/jpeg",
    "PhotoDNA": "QUJD",
    "Series": "never kept",
    "AlternativeHashes": [
        {"HashName": "SHA-256", "HashValue": SHA256},
        {"HashName": "PhotoDNA", "HashValue": "QQ=="},
    ],
}
V1 = {"odata.metadata": "http://github.com/ICMEC/ProjectVic/DataModels/1.3.xml#Media", "value": [MEDIUM]}
V2 = {
    "@odata.context": "http://github.com/VICSDATAMODEL/ProjectVic/DataModels/2.0.xml/US/$metadata#Media"
} | {"value": [MEDIUM]}
CASE = {
    "odata.metadata": "…1.3.xml#Cases",
    "value": [{"CaseID": "x", "Media": [MEDIUM], "TotalMediaFiles": 99}],
}


@pytest.mark.parametrize("document", [V1, V2, CASE])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_vics(document: object, encoding: str) -> None:
    tally = Tally()
    (entry,) = from_vics(json.dumps(document, ensure_ascii=False).encode(encoding), tally)
    assert entry == Entry(
        id=MD5,
        label="csam",
        hashes=(EntryHash("md5", MD5), EntryHash("sha1", SHA1), EntryHash("sha256", SHA256)),
        media="image",
        scheme="vics",
        code="1",
        country="US",
        source="vics",
        added_at=1686105109,
    )
    assert tally.skipped == {"PhotoDNA": 2}
    assert b"never kept" not in json.dumps(str(entry)).encode()


def test_vics_categories() -> None:
    tally = Tally()
    value = [
        MEDIUM | {"Category": c, "PhotoDNA": None, "AlternativeHashes": None}
        for c in ("2", 3, 0, 4, None, 1.0)
    ]
    value.append({k: v for k, v in value[0].items() if k != "Category"})
    updates = from_vics({"value": value}, tally)
    assert [e.label for e in updates if isinstance(e, Entry)] == ["exploitative", "exploitative", "csam"]
    assert tally.skipped == {"category 0": 1, "category 4": 1, "no category": 2}
    assert from_vics({"value": [{"CaseID": "x", "Media": []}, {"CaseID": "y", "Media": None}]}) == []


@pytest.mark.parametrize("bad", [7, "seven", -1, 1.5, True, [1], "1e3", 10**30])
def test_vics_with_an_unknown_category_is_refused(bad: object) -> None:
    with pytest.raises(FormatError, match=r"record 2: .*(unknown code|no whole number|no JSON)"):
        from_vics({"value": [MEDIUM, MEDIUM | {"Category": bad}]})


def test_vics_needs_a_country_with_a_table() -> None:
    with pytest.raises(FormatError, match="no table for vics in DE"):
        from_vics(V2, country="DE")
    with pytest.raises(FormatError, match="no public source"):
        from_vics(V2, country="UK")


def test_vics_hashes_in_base64_and_keys_in_other_case() -> None:
    import base64

    medium = {"category": 1, "md5": base64.b64encode(bytes.fromhex(MD5)).decode(), "sha1": "junk"}
    tally = Tally()
    (entry,) = from_vics({"value": [medium]}, tally)
    assert isinstance(entry, Entry)
    assert entry.hashes == (EntryHash("md5", MD5),)
    assert tally.skipped == {"bad sha1": 1}


@pytest.mark.parametrize("version", [1, 2])
def test_vics_round_trip(version: int) -> None:
    (entry,) = from_vics(V2)
    assert from_vics(written(vics.write, [entry], country="US", version=version)) == [entry]
    tally = Tally()
    assert from_vics(written(vics.write, [entry], country="GB", version=version), tally) == []
    assert tally.skipped["no category"] == 1, "a category of another country is not written"
