"""The JSON of StopNCII, ThreatExchange and Tech Against Terrorism: what is read, kept and counted as left out."""

import io
import json

from hypothesis import given
from hypothesis import strategies as st

from bank_cases import entries, made_up, written
from underwing.banks.entries import Entry, EntryHash, Update, Withdrawn
from underwing.banks.formats import Tally, stopncii, tat, threatexchange
from underwing.banks.labels import Labels

LABELS = Labels.load()
MD5, PDQ = (made_up(1, kind) for kind in ("md5", "pdq"))

# --- StopNCII --------------------------------------------------------------------------------------------


def from_stopncii(document: object, tally: Tally | None = None) -> list[Update]:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return list(stopncii.read(io.BytesIO(data), tally, labels=LABELS))


def ncii_record(**change: object) -> dict[str, object]:
    return {
        "lastModtimestamp": 1625167804,
        "hashValue": PDQ,
        "hashStatus": "Active",
        "caseNumbers": {"c1": "Active"},
        "signalType": "ImagePDQ",
    } | change


def test_stopncii() -> None:
    votes = [
        {"source": "x", "feedbackValue": "Blocked", "tags": []},
        {"source": "y", "feedbackValue": "NotBlocked"},
    ]
    tally = Tally()
    document = {
        "count": 9,
        "nextSetTimestamp": 1625175071,
        "nextPageToken": "token",
        "hasMoreRecords": True,
        "hashRecords": [
            ncii_record(CSPFeedbacks=votes),
            ncii_record(
                signalType="VideoMD5", hashValue=MD5.upper(), hashStatus="Received", caseNumbers=None
            ),
            ncii_record(hashStatus="Withdrawn"),
            ncii_record(hashStatus="Deleted"),
            ncii_record(caseNumbers={"c1": "Withdrawn", "c2": "Deleted"}),
            ncii_record(caseNumbers={"c1": "Withdrawn", "c2": "Active"}),
            ncii_record(signalType="VideoTMK"),
            ncii_record(hashStatus="Unknown"),
            ncii_record(hashValue="zz"),
        ],
    }
    image, video, *gone, again = from_stopncii(document, tally)
    assert image == Entry(
        id=f"ImagePDQ:{PDQ}",
        label="ncii",
        hashes=(EntryHash("pdq", PDQ),),
        media="image",
        scheme="stopncii",
        code="Active",
        source="stopncii",
        added_at=1625167804,
        note="feedback: 1 up, 1 down",
    )
    assert isinstance(video, Entry)
    assert (video.hashes, video.media, video.code) == ((EntryHash("md5", MD5),), "video", "Received")
    assert gone == [Withdrawn(id=f"ImagePDQ:{PDQ}")] * 3
    assert isinstance(again, Entry)
    assert tally.skipped == {"VideoTMK": 1, "status Unknown": 1, "bad pdq": 1}
    assert (tally.next, tally.checkpoint) == ("token", "1625175071")
    from_stopncii(document | {"hasMoreRecords": False}, last := Tally())
    assert last.next is None


@given(st.lists(st.tuples(st.sampled_from(("pdq", "md5")), st.integers(0, 99), st.booleans()), max_size=8))
def test_stopncii_round_trip(drawn: list[tuple[str, int, bool]]) -> None:
    updates: list[Update] = []
    for kind, name, live in drawn:
        digits = made_up(name, kind)
        key = f"{'ImagePDQ' if kind == 'pdq' else 'VideoMD5'}:{digits}"
        entry = Entry(
            id=key,
            label="ncii",
            hashes=(EntryHash(kind, digits),),
            media="image" if kind == "pdq" else "video",
            scheme="stopncii",
            code="Active",
            source="stopncii",
            added_at=name,
        )
        updates.append(entry if live else Withdrawn(id=key))
    assert from_stopncii(written(stopncii.write, updates)) == updates


# --- ThreatExchange --------------------------------------------------------------------------------------


def te_update(**change: object) -> dict[str, object]:
    return {
        "id": "1",
        "indicator": PDQ,
        "type": "HASH_PDQ",
        "last_updated": 1625167804,
        "should_delete": False,
        "descriptors": {
            "data": [{"id": "9", "owner": {"id": "5"}, "status": "MALICIOUS", "tags": ["b", "a"]}]
        },
    } | change


def from_te(document: object, tally: Tally | None = None, **options: object) -> list[Update]:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return list(threatexchange.read(io.BytesIO(data), tally, label="csam", **options))


def test_threatexchange() -> None:
    tally = Tally()
    unseen = {"data": [{"id": "9", "status": "MALICIOUS"}]}
    benign = {"data": [{"id": "9", "owner": {"id": "5"}, "status": "NON_MALICIOUS"}]}
    tagged = {
        "data": [
            {
                "owner": {"id": "5"},
                "status": "MALICIOUS",
                "tags": {"data": [{"id": "3", "text": "media_type_video"}]},
            }
        ]
    }
    document = {
        "data": [
            te_update(),
            te_update(id=2, type="HASH_MD5", indicator=MD5, descriptors=tagged, last_updated="1700000000"),
            te_update(id=3, should_delete=True),
            {k: v for k, v in te_update(id=4).items() if k != "descriptors"},
            te_update(id=5, descriptors=unseen),
            te_update(id=6, descriptors=benign),
            te_update(id=7, type="HASH_TMK"),
            te_update(id=8, type="HASH_VIDEO_MD5", indicator=MD5),
        ],
        "paging": {"cursors": {"after": "x"}, "next": "https://graph.example/next"},
    }
    updates = from_te(document, tally, by_tag={"a": "exploitative"})
    first, video, *gone, last = updates
    assert first == Entry(
        id="1",
        label="exploitative",
        hashes=(EntryHash("pdq", PDQ),),
        media="image",
        scheme="threatexchange",
        code="a b",
        source="threatexchange",
        added_at=1625167804,
    )
    assert isinstance(video, Entry)
    assert isinstance(last, Entry)
    assert (video.label, video.media, last.media) == ("csam", "video", "video")
    assert gone == [Withdrawn(id=str(n)) for n in (3, 4, 5, 6)]
    assert tally.skipped == {"HASH_TMK": 1, "no visible owner": 1, "nobody calls it malicious": 1}
    assert (tally.next, tally.checkpoint) == ("https://graph.example/next", "1700000000")


@given(st.lists(entries(), max_size=5, unique_by=lambda e: e.id))
def test_threatexchange_round_trip(drawn: list[Entry]) -> None:
    back = from_te(written(threatexchange.write, list(drawn)))
    for entry, update in zip(drawn, back, strict=True):
        assert update.id == entry.id
        if entry.status == "active":
            assert isinstance(update, Entry)
            kept = (update.hashes[0].kind, update.hashes[0].hash, update.added_at)
            assert kept == (entry.hashes[0].kind, entry.hashes[0].hash, entry.added_at)
        else:
            assert isinstance(update, Withdrawn)


# --- Tech Against Terrorism ------------------------------------------------------------------------------


def from_tat(document: object, tally: Tally | None = None) -> list[Update]:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return list(tat.read(io.BytesIO(data), tally, labels=LABELS))


def test_tat() -> None:
    result = {
        "hash_digest": MD5,
        "algorithm": "MD5",
        "ideology": "far-right",
        "file_type": "mp4",
        "deleted": False,
        "updated_on": 1704901040.2,
        "created_on": "2025-03-03T23:05:22.587000Z",
        "id": 2819,
    }
    tally = Tally()
    document = {
        "count": 4,
        "next": "limit=2&offset=2",
        "previous": None,
        "checkpoint": "1724856487.709035,10594",
        "results": [
            result,
            result | {"id": 2820, "algorithm": "PDQ", "hash_digest": PDQ, "file_type": "gif"},
            result | {"id": 2821, "deleted": True},
            result | {"id": 2822, "algorithm": "TLSH"},
        ],
    }
    video, image, gone = from_tat(document, tally)
    assert video == Entry(
        id="2819",
        label="terrorism",
        hashes=(EntryHash("md5", MD5),),
        media="video",
        scheme="tat",
        code="far-right",
        source="tat",
        added_at=1741043122,
        note="mp4",
    )
    assert isinstance(image, Entry)
    assert image.media == "image"
    assert gone == Withdrawn(id="2821")
    assert tally.skipped == {"TLSH": 1}
    assert (tally.next, tally.checkpoint) == ("limit=2&offset=2", "1724856487.709035,10594")
    back = from_tat(written(tat.write, [video, image, gone]))
    assert [(u.id, getattr(u, "hashes", ()), getattr(u, "code", "")) for u in back] == [
        (u.id, getattr(u, "hashes", ()), getattr(u, "code", "")) for u in (video, image, gone)
    ]
