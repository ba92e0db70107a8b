"""What was seen before, in another guise: over real hashes of patterns."""

import io

import numpy as np
from PIL import Image, ImageOps

from underwing.casebook.care.likeness import FRAMES, Print, first_like, print_of
from underwing.media.hashing import look
from underwing.model import Frame, MediaHashes, Pdq, View


def pattern(seed: int, side: int = 200) -> Image.Image:
    """A smooth pattern of a number."""
    coarse = np.random.default_rng(seed).integers(0, 255, (9, 7), dtype=np.uint8)
    return Image.fromarray(coarse).resize((side, side + 40), Image.Resampling.BICUBIC)


def printed(picture: Image.Image, form: str = "PNG", **more: object) -> Print:
    out = io.BytesIO()
    picture.save(out, form, **more)
    return print_of(look(out.getvalue()))


SEEN = [printed(pattern(seed)) for seed in range(12)]


def test_the_same_picture_in_another_guise_was_seen() -> None:
    for turned in (
        pattern(7), ImageOps.mirror(pattern(7)), pattern(7).rotate(90, expand=True), pattern(7).resize((120, 144)),
    ):  # fmt: skip
        assert first_like(printed(turned), SEEN) == 7
    assert first_like(printed(pattern(7), "JPEG", quality=40), SEEN) == 7


def test_another_picture_was_not() -> None:
    assert [first_like(printed(pattern(seed)), SEEN) for seed in range(100, 130)] == [None] * 30
    assert first_like(printed(pattern(3)), []) is None


def video(*seeds: int) -> Print:
    frames = tuple(Frame(at=float(n), pdq=Pdq(SEEN[s].views[0].hex(), 100)) for n, s in enumerate(seeds))
    return print_of(MediaHashes(sha256="", sha1="", md5="", size=1, frames=frames))


def test_a_video_was_seen_when_four_fifths_of_it_were() -> None:
    known = [SEEN[0], video(9, 10), video(0, 1, 2, 3, 4)]
    assert first_like(video(1, 2, 3, 4, 5), known) == 2
    assert first_like(video(1, 2, 3, 5, 6), known) is None
    assert first_like(video(9), known) == 1


def test_what_says_too_little_is_like_nothing() -> None:
    flat = MediaHashes(sha256="", sha1="", md5="", size=1, views=(View("plain", Pdq("0" * 64, 10)),))
    assert print_of(flat) == Print()
    assert first_like(print_of(flat), [print_of(flat)]) is None
    long = MediaHashes(
        sha256="", sha1="", md5="", size=1, frames=(Frame(at=0.0, pdq=Pdq("0" * 64, 100)),) * (FRAMES + 1)
    )
    assert print_of(long).frames == ()
