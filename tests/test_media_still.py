"""Stills for a person to look at: small, grey, blurred, of one moment; hostile files give none and harm nobody."""

import io
import random
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from media_clips import clip, cuts, joined
from media_clips import still as unmoved
from media_files import bomb, encoded, file, turned_by_exif
from media_mutants import mutants
from underwing.media.pool import Pool
from underwing.media.still import BLURS, SIDE, Still, Wish, still
from underwing.media.workers import Bounds

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
ZIP = b"PK\x03\x04" + bytes(40)


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(1, Bounds(processor_seconds=10)) as made:
        yield made


def shown(made: Still) -> Image.Image:
    assert made.error is None
    picture = Image.open(io.BytesIO(made.picture))
    assert picture.format == "JPEG"
    return picture


def sharpness(picture: Image.Image) -> float:
    pixels = np.asarray(picture, np.float64)
    return float(np.abs(np.diff(pixels, axis=1)).mean())


def test_it_is_small_grey_and_holds_nothing_of_the_file_but_pixels() -> None:
    said = Image.Exif()
    said[0x010E] = "who and where"
    picture = shown(still(file("china", "JPEG", exif=said, comment=b"hello"), Wish()))
    assert picture.mode == "L"
    assert max(picture.size) == SIDE
    assert not picture.getexif()
    assert not {"comment", "exif", "icc_profile"} & set(picture.info)


def test_each_step_blurs_more() -> None:
    steps = [sharpness(shown(still(file("china"), Wish(blur=step)))) for step in range(len(BLURS))]
    assert steps == sorted(steps, reverse=True)
    assert steps[-1] < steps[0] / 8


def test_it_is_the_way_round_that_is_shown() -> None:
    assert shown(still(turned_by_exif("china"), Wish())).size == shown(still(file("china"), Wish())).size


@pytest.mark.parametrize("second", [0.0, 2.5, 4.5])
def test_a_video_gives_the_moment_that_was_chosen(second: float) -> None:
    scene, seconds = joined(*[(unmoved(name), 0.0, 2.0) for name in ("coffee", "chelsea", "china")])
    film = clip(scene, seconds)
    made = still(film, Wish(blur=0, side=160, second=second))
    assert made.duration == pytest.approx(6.0, abs=0.2)
    wanted = shown(still(encoded(Image.fromarray(scene(second))), Wish(blur=0, side=160)))
    difference = np.abs(np.asarray(shown(made), float) - np.asarray(wanted, float))
    assert difference.mean() < 12


def test_beyond_its_end_a_video_gives_its_beginning() -> None:
    film = clip(cuts(("coffee", "china"), 2.0), 4.0)
    assert still(film, Wish(second=90)).picture == still(film, Wish(second=0)).picture


def test_an_animation_gives_the_frame_that_is_shown_then() -> None:
    frames = [Image.new("L", (40, 40), shade) for shade in (0, 120, 240)]
    film = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=1000)
    for second, shade in ((0.0, 0), (1.5, 120), (2.5, 240), (99.0, 240)):
        middle = np.asarray(shown(still(film, Wish(blur=0, second=second))), float).mean()
        assert middle == pytest.approx(shade, abs=3)


@pytest.mark.parametrize(
    "data", [b"", SVG, ZIP, b"%PDF-1.7", b"<html>", bomb(), file("china")[:900]], ids=range(7)
)
def test_what_is_no_picture_gives_no_still_and_says_why(pool: Pool, data: bytes) -> None:
    made = pool.still(data, Wish()).result(60)
    assert made.picture == b""
    assert made.error


def test_the_pool_draws_as_one_would_without_it_and_goes_on_hashing(pool: Pool) -> None:
    wish = Wish(blur=1, side=100)
    assert pool.still(file("china"), wish).result(60) == still(file("china"), wish)
    assert pool.look(file("china")).error is None


def test_hostile_files_are_all_answered(pool: Pool) -> None:
    made = [pool.still(data, Wish(second=1.0)) for data in mutants(random.Random(7), 150)]
    for one in made:
        answer = one.result(120)
        assert (answer.error is None) == bool(answer.picture)
        assert max(answer.width, answer.height) <= SIDE
