"""NCMEC's hash-sharing XML: what is read from its documented shape, what survives a round trip, what is refused."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bank_cases import Trickle, hex_hashes, made_up, written
from underwing.banks.entries import Entry, EntryHash, Update, Withdrawn
from underwing.banks.formats import FormatError, Tally, ncmec
from underwing.banks.labels import Labels

LABELS = Labels.load()
MD5, SHA1, PDQ = (made_up(1, kind) for kind in ("md5", "sha1", "pdq"))

NCMEC = f"""<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<queryResult xmlns="https://hashsharing.ncmec.org/hashsharing/v2">
  <images count="2" maxTimestamp="2017-10-24T15:10:00Z">
    <image><member id="42">Example Member</member><timestamp>2017-10-24T15:00:00Z</timestamp><id>image1</id>
      <classification>A1</classification>
      <fingerprints><md5>{MD5}</md5><sha1>{SHA1.upper()}</sha1><pdna>abc</pdna><pdq>{PDQ}</pdq></fingerprints>
      <feedback lastUpdateTimestamp="2023-06-01T12:48:14Z">
        <affirmativeFeedback type="Md5"><members><member id="42">Example</member></members></affirmativeFeedback>
        <negativeFeedback type="Sha1"><reasons><reason guid="g" name="n" type="Sha1"/>
          <members><member id="42">Example</member></members></reasons></negativeFeedback>
      </feedback></image>
    <deletedImage><member id="43">M</member><id>image4</id><timestamp>2017-10-24T15:10:00Z</timestamp></deletedImage>
  </images>
  <videos count="1" maxTimestamp="2017-10-24T15:20:00Z">
    <video><member id="42">Example Member</member><id>video1</id>
      <fingerprints><md5>{MD5}</md5><tmk-pdqf rel="self" href="/v2/entries/1/fingerprints/TMK_PDQF"/></fingerprints>
    </video>
    <video><member id="44">M</member><id>video2</id><fingerprints><ssvh-pdna>x</ssvh-pdna></fingerprints></video>
  </videos>
  <paging><next>/v2/entries?from=2017&amp;start=2001</next></paging>
</queryResult>"""


def from_ncmec(text: str | bytes, tally: Tally | None = None, **options: object) -> list[Update]:
    data = text if isinstance(text, bytes) else text.encode()
    return list(ncmec.read(io.BytesIO(data), tally, labels=LABELS, **options))


@pytest.mark.parametrize(
    "text", [NCMEC, NCMEC.replace(' xmlns="https://hashsharing.ncmec.org/hashsharing/v2"', "")]
)
def test_ncmec(text: str) -> None:
    tally = Tally()
    image, gone, video, useless = from_ncmec(text, tally)
    assert image == Entry(
        id="42-image1",
        label="csam",
        hashes=(EntryHash("md5", MD5), EntryHash("sha1", SHA1), EntryHash("pdq", PDQ)),
        media="image",
        scheme="ncmec",
        code="A1",
        source="ncmec",
        added_at=1508857200,
        note="feedback: 1 up, 1 down",
    )
    assert gone == Withdrawn(id="43-image4")
    assert isinstance(video, Entry)
    assert (video.id, video.label, video.media, video.hashes) == (
        "42-video1",
        "csam",
        "video",
        image.hashes[:1],
    )
    assert useless == Withdrawn(id="44-video2")
    assert tally.skipped == {"PDNA": 1, "TMK_PDQF": 1, "SSVH_PDNA": 1, "no usable hash": 1}
    assert (tally.entries, tally.withdrawn) == (2, 2)
    assert tally.next == "/v2/entries?from=2017&start=2001"
    assert tally.checkpoint == "2017-10-24T15:20:00Z"


def test_ncmec_options() -> None:
    assert {e.label for e in from_ncmec(NCMEC, exploitative=True) if isinstance(e, Entry)} == {"exploitative"}
    assert [u.id for u in from_ncmec(NCMEC, members=frozenset({"43"}))] == ["43-image4"]
    assert from_ncmec("<queryResult><images count='0'/><videos count='0'/></queryResult>") == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no XML, or it is cut short"),
        (NCMEC[:900], "line 1?[0-9], column [0-9]+: this is no XML"),
        ("<html/>", "not queryResult"),
        (NCMEC.replace("A1<", "Z9<"), r"entry 1 \(image\): ncmec: unknown code 'Z9'"),
        (NCMEC.replace("<id>image4</id>", ""), r"entry 2 \(deletedimage\): it has no id"),
        (NCMEC.replace('<member id="43">M</member>', ""), r"entry 2 \(deletedimage\): it has no member"),
        (NCMEC.replace("<queryResult", '<!DOCTYPE q [<!ENTITY a "b">]><queryResult'), "DTD"),
        (NCMEC.replace('encoding="UTF-8"', 'encoding="x-unknown"'), "no XML|encoding"),
        (b'<queryResult><images><image a="\xff"/></images></queryResult>', "no XML"),
    ],
)
def test_bad_ncmec_is_refused(text: str | bytes, says: str) -> None:
    with pytest.raises(FormatError, match=says):
        from_ncmec(text)


@st.composite
def ncmec_entries(draw: st.DrawFn) -> Update:
    key = f"{draw(st.integers(1, 999))}-{draw(st.text('abc123-', min_size=1, max_size=9))}"
    if draw(st.booleans()):
        return Withdrawn(id=key)
    kinds = draw(st.lists(st.sampled_from(("md5", "sha1", "pdq")), min_size=1, max_size=3, unique=True))
    return Entry(
        id=key,
        label="csam",
        hashes=tuple(EntryHash(kind, draw(hex_hashes(kind))) for kind in kinds),
        media=draw(st.sampled_from(("image", "video"))),
        scheme="ncmec",
        code=draw(st.sampled_from(("", "A1", "A2", "B1", "B2"))),
        source="ncmec",
        added_at=draw(st.integers(0, 4_000_000_000)),
    )


@given(st.lists(ncmec_entries(), max_size=6), st.integers(1, 30))
def test_ncmec_round_trip(updates: list[Update], step: int) -> None:
    data = written(ncmec.write, updates)
    assert from_ncmec(data) == updates
    assert list(ncmec.read(Trickle(data, step), labels=LABELS)) == updates
