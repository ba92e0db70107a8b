"""What is kept of a file: exact hashes, views of a picture as people change it, frames of an animation, or an error."""

import hashlib
import io
from functools import cache
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from PIL import Image, ImageDraw

from media_photos import photo
from underwing.media.decode import DRAFT, DRAFT_MARGIN, FULL, Picture
from underwing.media.hashing import exact_hashes, look, look_to_bank, undecided
from underwing.media.pdq import ORIENTATIONS, pdq
from underwing.media.sampling import luma_of
from underwing.media.variants import bank_variants, cut, layers
from underwing.model.media import PDQ_DISTANCE, MediaHashes, Pdq, View

NAMES = ("chelsea", "china", "coffee", "flower", "rocket", "coins", "ihc", "motorcycle_left")
"""Photos of several kinds; `benchmarks/media_robustness.py` takes all."""


def encoded(image: Image.Image, form: str = "JPEG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def distance(one: Pdq, other: Pdq) -> int:
    return (int(one.hash, 16) ^ int(other.hash, 16)).bit_count()


def nearest(query: MediaHashes, banked: tuple[View, ...]) -> tuple[int, str, str]:
    return min((distance(a.pdq, b.pdq), a.how, b.how) for a in query.views for b in banked)


def picture(name: str) -> Image.Image:
    return Image.fromarray(photo(name))


@cache
def trimmed(name: str) -> tuple[View, ...]:
    """A photo as it is and without its own dark edges, in one orientation."""
    views = look(encoded(picture(name), "PNG")).views
    return tuple(view for view in views if set(view.how.split("+")) <= {"plain", "trimmed"})


def framed(image: Image.Image, colour: str, edge: int, above: int = 0) -> Image.Image:
    made = Image.new("RGB", (image.width + 2 * edge, image.height + 2 * edge + above), colour)
    made.paste(image, (edge, edge + above))
    return made


def test_exact_hashes_are_of_the_untouched_bytes() -> None:
    data = encoded(picture("china")) + b"and something behind"
    found = look(data)
    assert found.sha256 == hashlib.sha256(data).hexdigest()
    assert found.sha1 == hashlib.sha1(data).hexdigest()
    assert found.md5 == hashlib.md5(data).hexdigest()
    assert (found.size, found.type, found.error) == (len(data), "image/jpeg", None)
    assert (found.width, found.height) == (640, 427)


def test_a_picture_has_eight_views_the_plain_one_first() -> None:
    found = look(encoded(picture("chelsea"), "PNG"))
    assert tuple(view.how for view in found.views) == ORIENTATIONS
    assert found.pdq == pdq(luma_of(photo("chelsea")))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(found), type=MediaHashes) == found


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("colour", ["black", "white", "teal"])
def test_borders_are_taken_off(name: str, colour: str) -> None:
    plain = trimmed(name)
    for edge in (8, 40):
        found = look(encoded(framed(picture(name), colour, edge), quality=85))
        least, how, _ = nearest(found, plain)
        assert least <= PDQ_DISTANCE
        assert how.startswith("trimmed")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("ground", "ink"), [("white", "black"), ("black", "white")])
def test_caption_bars_are_taken_off(name: str, ground: str, ink: str) -> None:
    plain = trimmed(name)
    made = framed(picture(name), ground, 0, above=90)
    ImageDraw.Draw(made).multiline_text((10, 8), "when the bus is late\nand it rains", ink, font_size=28)
    for image in (made, framed(made, ink, 12)):
        assert nearest(look(encoded(image, quality=85)), plain)[0] <= PDQ_DISTANCE


def test_both_borders_and_mirrors_are_undone_together() -> None:
    plain = look(encoded(picture("coffee"), "PNG")).views[:1]
    mirrored = picture("coffee").transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    least, how, _ = nearest(look(encoded(framed(mirrored, "black", 30))), plain)
    assert (least <= PDQ_DISTANCE, how) == (True, "trimmed+mirrored")


def test_a_picture_of_one_colour_is_left_alone() -> None:
    found = look(encoded(Image.new("RGB", (300, 200), "navy"), "PNG"))
    assert found.error is None
    assert found.pdq is not None
    assert found.pdq.quality == 0


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**32 - 1), st.integers(0, 20))
def test_layers_never_fail_and_lie_within(height: int, width: int, seed: int, edge: int) -> None:
    rng = np.random.default_rng(seed)
    luma = np.pad(rng.integers(0, 256, (height, width)).astype(np.float32), edge, constant_values=7)
    for how, inner in layers(Picture(luma, *luma.shape)):
        assert how in ("trimmed", "trimmed+trimmed")
        assert inner.luma.shape == (inner.height, inner.width)
        assert inner.luma.size < luma.size


@given(
    # The narrowest part has 22 points: of a strip of less than 17 the hash is made of the steps between its points.
    st.integers(40, 60),
    st.integers(40, 60),
    st.sampled_from([1, 2, 4, 8]),
    st.tuples(*[st.integers(0, 9)] * 4),
    st.booleans(),
)
def test_a_part_of_a_reduced_picture_lies_where_it_lies_in_the_whole(
    rows: int, columns: int, scale: int, off: tuple[int, int, int, int], leading: bool
) -> None:
    """Cut from a reduced copy, the part has the points that it has when cut from the whole."""
    rng = np.random.default_rng(rows * columns)
    small = rng.integers(0, 256, (rows, columns)).astype(np.float32)
    excess = (scale // 2, scale // 3)
    lead = excess if leading else (0, 0)
    height, width = rows * scale - excess[0], columns * scale - excess[1]
    whole = small.repeat(scale, axis=0).repeat(scale, axis=1)
    whole = whole[lead[0] : lead[0] + height, lead[1] : lead[1] + width]
    box = (off[0], off[1], rows - off[2], columns - off[3])
    part = cut(Picture(small, height, width, DRAFT, lead), box)
    top, left = max(0, box[0] * scale - lead[0]), max(0, box[1] * scale - lead[1])
    same = whole[top : box[2] * scale - lead[0], left : box[3] * scale - lead[1]]
    assert same.shape == (part.height, part.width)
    assert distance(part.pdq(), Picture(same, *same.shape).pdq()) <= 4


@pytest.mark.parametrize("name", NAMES)
def test_small_crops_and_tilts_of_banked_pictures_are_found(name: str) -> None:
    image = picture(name)
    banked = look_to_bank(encoded(image, "PNG"))
    assert banked.views[0].how == "plain"
    assert banked.profile == FULL
    width, height = image.size
    for cent in (1, 2, 3, 4, 5):
        across, down = width * cent / 100, height * cent / 100
        query = look(encoded(image.crop((across, down, width - across, height - down)), quality=85))
        assert nearest(query, banked.views)[0] <= PDQ_DISTANCE
    for degrees in (-3, -2, -1, 1, 2, 3):
        for fill in ("black", "white"):
            query = look(encoded(image.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=fill), quality=85))
            assert nearest(query, banked.views)[0] <= PDQ_DISTANCE


def test_unrelated_photos_do_not_match() -> None:
    banked = {name: look_to_bank(encoded(picture(name), "PNG")) for name in NAMES}
    for name in NAMES:
        query = look(encoded(picture(name)))
        for other in NAMES:
            assert (nearest(query, banked[other].views)[0] <= PDQ_DISTANCE) == (name == other)


def test_variants_are_named_once() -> None:
    names = [how for how, _ in bank_variants(Picture(luma_of(photo("china")), 427, 640))]
    assert len(names) == len(set(names))
    assert {"cropped-3", "cropped-left-4", "tilted-right-2", "tilted-left-2+black-corners"} <= set(names)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (5, 5), (17, 40)])
def test_tiny_pictures_are_banked_without_error(size: tuple[int, int]) -> None:
    for data in (encoded(picture("china").resize(size), form) for form in ("PNG", "JPEG")):
        assert look_to_bank(data).error is None
        assert look(data).error is None


def test_an_animation_has_views_and_frames() -> None:
    pictures = [picture(name).resize((240, 200)) for name in ("china", "coffee", "rocket")]
    data = encoded(
        pictures[0], "WEBP", save_all=True, append_images=pictures[1:], duration=500, lossless=True
    )
    found = look(data)
    assert [frame.at for frame in found.frames] == [0.0, 0.5, 1.0]
    assert found.duration == 1.5
    assert found.frames[0].pdq == found.pdq
    assert [frame.pdq for frame in found.frames] == [pdq(luma_of(np.asarray(image))) for image in pictures]


def test_an_animation_that_breaks_off_keeps_what_was_seen_and_has_an_error() -> None:
    pictures = [picture(name).resize((240, 200)) for name in ("china", "coffee", "rocket")]
    data = encoded(pictures[0], "GIF", save_all=True, append_images=pictures[1:], duration=500)
    found = look(data[: len(data) // 2])
    assert found.error is not None
    assert found.pdq is not None
    assert len(found.frames) == 1


@pytest.mark.parametrize("data", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff" + bytes(99)])
def test_bytes_that_are_no_picture_have_exact_hashes_and_an_error(data: bytes) -> None:
    for found in (look(data), look_to_bank(data)):
        assert found == replace(exact_hashes(data), error=found.error)
        assert found.error


def test_near_the_threshold_the_full_decode_decides() -> None:
    draft = look(encoded(picture("china").resize((2400, 1600))))
    assert draft.profile == DRAFT
    assert undecided(draft, PDQ_DISTANCE)
    assert undecided(draft, PDQ_DISTANCE - DRAFT_MARGIN)
    assert undecided(draft, PDQ_DISTANCE + DRAFT_MARGIN)
    assert not undecided(draft, PDQ_DISTANCE - DRAFT_MARGIN - 1)
    assert not undecided(draft, PDQ_DISTANCE + DRAFT_MARGIN + 1)
    assert not undecided(draft, 31, threshold=60)
    assert undecided(draft, 0, quality=95)
    full = look(encoded(picture("china").resize((2400, 1600))), FULL)
    assert full.profile == FULL
    assert not undecided(full, PDQ_DISTANCE)
