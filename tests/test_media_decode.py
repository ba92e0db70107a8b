"""Pictures of every kind are seen as people see them; whatever is no picture, or too large, is said to be so."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from media_photos import PHOTOS, photo
from underwing.media import decode as decoding
from underwing.media.decode import DRAFT, DRAFT_MARGIN, FULL, Undecodable, decode, frames
from underwing.media.pdq import ORIENTATIONS, pdq
from underwing.media.sampling import luma_of
from underwing.media.sniff import IMAGES, sniff
from underwing.model.media import Pdq

CHINA = Image.fromarray(photo("china"))


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def distance(one: Pdq, other: Pdq) -> int:
    return (int(one.hash, 16) ^ int(other.hash, 16)).bit_count()


def hashed(data: bytes, profile: decoding.Profile = FULL) -> Pdq:
    return decode(data, sniff(data), profile)[0].pdq()


def shown(image: Image.Image) -> Pdq:
    return pdq(luma_of(np.asarray(image.convert("RGB"))))


TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "GIF": "image/gif",
    "WEBP": "image/webp",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "AVIF": "image/avif",
    "HEIF": "image/heif",
}


@pytest.mark.parametrize("form", TYPES)
def test_the_type_is_known_by_content_and_decoded(form: str) -> None:
    data = encoded(CHINA, form)
    assert sniff(data) == TYPES[form]
    assert sniff(data) in IMAGES
    assert distance(hashed(data), shown(CHINA)) <= 8


FILMS = {
    "video/mp4": b"\0\0\0\x18ftypisom\0\0\2\0isomiso2",
    "video/quicktime": b"\0\0\0\x14ftypqt  \0\0\2\0qt  ",
    "video/webm": b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x84webm",
    "video/x-matroska": b"\x1aE\xdf\xa3\xa3B\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x88matroska",
    "video/x-msvideo": b"RIFF\x24\0\0\0AVI LIST",
    "video/mp2t": (b"\x47" + bytes(187)) * 4,
    "video/x-flv": b"FLV\x01\x05\0\0\0\x09",
}


@pytest.mark.parametrize("media_type", FILMS)
def test_films_are_known_by_content(media_type: str) -> None:
    assert sniff(FILMS[media_type]) == media_type
    with pytest.raises(Undecodable, match="no picture"):
        decode(FILMS[media_type], media_type)


@pytest.mark.parametrize(
    "data", [b"", b"x", b"hello world", b"BM, a letter", b"PK\3\4" + bytes(99), b"RIFF\x24\0\0\0WAVE"]
)
def test_what_is_nothing_known_has_no_type(data: bytes) -> None:
    assert sniff(data) == ""


@given(st.binary(max_size=600))
def test_sniffing_never_fails(data: bytes) -> None:
    assert sniff(data) == "" or "/" in sniff(data)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_a_picture_is_seen_the_way_round_that_its_exif_says(form: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    big = CHINA.resize((1603, 1205))
    data = encoded(big, form, exif=exif, quality=92, **({"speed": 10} if form == "AVIF" else {}))
    with Image.open(io.BytesIO(data)) as image:
        upright = ImageOps.exif_transpose(image)
    for profile in (FULL, DRAFT):
        (picture,) = decode(data, sniff(data), profile)
        assert (picture.width, picture.height) == upright.size
        assert distance(picture.pdq(), shown(upright)) <= (0 if picture.profile == FULL else 6)


@pytest.mark.parametrize("form", ["GIF", "PNG"])
def test_palettes(form: str) -> None:
    palette = CHINA.quantize(200)
    assert palette.mode == "P"
    assert hashed(encoded(palette, form)) == shown(palette)
    assert distance(hashed(encoded(palette, form)), shown(CHINA)) <= 10


def test_cmyk_jpeg() -> None:
    data = encoded(CHINA.convert("CMYK"), "JPEG", quality=95)
    assert distance(hashed(data), shown(CHINA)) <= 8
    assert distance(hashed(data, DRAFT), shown(CHINA)) <= 8


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bits(form: str) -> None:
    grey = np.asarray(CHINA.convert("L"))
    sixteen = Image.fromarray(grey.astype(np.uint16) * 257)
    assert sixteen.mode == "I;16"
    assert distance(hashed(encoded(sixteen, form)), pdq(luma_of(grey))) <= 2


@pytest.mark.parametrize("scale", [1 / 255, 1.0, 257.0])
def test_floating_point_tiff(scale: float) -> None:
    grey = np.asarray(CHINA.convert("L"))
    data = encoded(Image.fromarray(grey.astype(np.float32) * np.float32(scale)), "TIFF")
    assert distance(hashed(data), pdq(luma_of(grey))) <= 4


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGBA", "P"])
def test_modes_that_png_has(mode: str) -> None:
    assert decode(encoded(CHINA.convert("L").convert(mode), "PNG"), "image/png")[0].pdq().quality > 50


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_a_transparent_picture_is_seen_on_white_on_black_and_opaque(form: str) -> None:
    """What is drawn in white alone is seen on black only; what is quite transparent is still there when opaque."""
    clear = np.zeros((256, 256, 4), np.uint8)
    clear[..., :3] = np.asarray(CHINA.resize((256, 256)))
    white = np.full((256, 256, 4), 255, np.uint8)
    white[..., 3] = np.asarray(CHINA.convert("L").resize((256, 256)))
    pictures = {}
    for name, pixels in (("clear", clear), ("white", white)):
        data = encoded(
            Image.fromarray(pixels), form, **({"lossless": True, "exact": True} if form == "WEBP" else {})
        )
        pictures[name] = {picture.shown_on: picture.pdq() for picture in decode(data, sniff(data))}
    assert pictures["clear"][""].quality == pictures["clear"]["on-black"].quality == 0
    assert pictures["clear"]["opaque"] == shown(CHINA.resize((256, 256)))
    assert pictures["white"][""].quality == 0
    assert distance(pictures["white"]["on-black"], shown(CHINA.resize((256, 256)))) <= 4


def test_an_alpha_channel_that_hides_nothing_makes_no_further_views() -> None:
    (picture,) = decode(encoded(CHINA.convert("RGBA"), "PNG"), "image/png")
    assert picture.pdq() == shown(CHINA)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "AVIF", "TIFF"])
def test_animations_give_every_frame_with_its_time(form: str) -> None:
    pictures = [
        Image.fromarray(photo(name)).resize((200, 150)) for name in ("china", "coffee", "rocket", "chelsea")
    ]
    times = [120, 400, 80, 1000]
    more = {} if form == "TIFF" else {"duration": times}
    data = encoded(pictures[0], form, save_all=True, append_images=pictures[1:], **more)
    found = list(frames(data, sniff(data)))
    begins = [0.0, 0.1, 0.2, 0.3] if form == "TIFF" else [0.0, 0.12, 0.52, 0.6]
    assert [at for at, _, _ in found] == pytest.approx(begins, abs=0.011)
    assert found[-1][1] == pytest.approx(0.4 if form == "TIFF" else 1.6, abs=0.011)
    for (_, _, picture), original in zip(found, pictures, strict=True):
        assert distance(picture.pdq(), shown(original)) <= 14


def test_one_picture_has_no_frames() -> None:
    assert [*frames(encoded(CHINA, "PNG"), "image/png"), *frames(encoded(CHINA, "GIF"), "image/gif")] == []


def test_frames_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [Image.new("L", (20, 20), number) for number in range(12)]
    data = encoded(pages[0], "GIF", save_all=True, append_images=pages[1:])
    monkeypatch.setattr(decoding, "MAX_FRAMES", 10)
    with pytest.raises(Undecodable, match="10 frames"):
        list(frames(data, "image/gif"))
    monkeypatch.setattr(decoding, "MAX_FRAMES", 1000)
    monkeypatch.setattr(decoding, "MAX_FRAME_PIXELS", 11 * 400)
    with pytest.raises(Undecodable, match="4400 pixels"):
        list(frames(data, "image/gif"))


def bomb(width: int, height: int, body: bytes = b"") -> bytes:
    """A PNG that says it is so large, whatever its body."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(body))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(8_000, 8_000), (20_000, 20_000), (2**31 - 1, 2**31 - 1), (0, 0)])
def test_a_header_that_says_too_much_is_believed_and_refused(size: tuple[int, int]) -> None:
    with pytest.raises(Undecodable):
        decode(bomb(*size), "image/png")


@pytest.mark.parametrize("form", TYPES)
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_a_truncated_file_is_said_to_be_so(form: str, share: float) -> None:
    data = encoded(CHINA, form)
    with pytest.raises(Undecodable):
        decode(data[: int(len(data) * share)], TYPES[form])


def test_a_file_is_opened_as_what_it_is_alone() -> None:
    """A PNG that is called a JPEG, and a picture inside another container, are not opened by another decoder."""
    for data in (encoded(CHINA, "PNG"), b"PK\3\4" + encoded(CHINA, "JPEG")):
        with pytest.raises(Undecodable):
            decode(data, "image/jpeg")
        assert sniff(data) != "image/jpeg"


@pytest.mark.parametrize("name", PHOTOS)
def test_the_reduced_decode_is_near_the_full_one(name: str) -> None:
    """Within half of the margin, so that the verdict can always be the full decode's, in every orientation."""
    for size in ((1500, 2011), (1101, 1024)):
        data = encoded(Image.fromarray(photo(name)).resize(size), "JPEG", quality=88)
        ((full,), (draft,)) = (decode(data, "image/jpeg", profile) for profile in (FULL, DRAFT))
        assert (full.profile, draft.profile) == (FULL, DRAFT)
        assert draft.luma.size * 3 < full.luma.size
        for how, one, other in zip(ORIENTATIONS, full.pdq_turned(), draft.pdq_turned(), strict=True):
            assert distance(one, other) <= DRAFT_MARGIN // 2, how


def test_only_jpegs_are_decoded_at_a_reduced_scale() -> None:
    assert decode(encoded(CHINA, "PNG"), "image/png", DRAFT)[0].profile == FULL


@pytest.mark.parametrize("colour", [(1, 0, 0), (0, 0, 1)])
def test_a_picture_in_one_pure_colour_is_decoded_in_full(colour: tuple[int, int, int]) -> None:
    """Its luma alone is not that of its RGB: hashes of such were up to 28 bits apart, more than the margin."""
    tinted = Image.fromarray(np.asarray(CHINA.convert("RGB")) * np.array(colour, np.uint8))
    data = encoded(tinted, "JPEG", quality=50)
    ((full,), (draft,)) = (decode(data, "image/jpeg", profile) for profile in (FULL, DRAFT))
    assert draft.profile == FULL
    assert draft.pdq() == full.pdq()
    assert decode(encoded(tinted.convert("L"), "JPEG"), "image/jpeg", DRAFT)[0].profile == DRAFT
