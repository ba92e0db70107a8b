"""The bytes of a picture become luma, within bounds: what is shown, the way round it is shown.

The header is looked at before a pixel is decoded. A file is opened only by the decoder of its type by content. Colour
becomes luma in strips, so that a picture of `MAX_PIXELS` is held once as the decoder gives it and once as luma.

Two profiles, versioned because they are part of what a hash says:

- `full-1`: all pixels. Orientation by EXIF; palettes, CMYK and the like through RGB; 16 bits by their upper eight;
  transparent pictures on white (and, as further views, on black and with their transparency ignored).
- `draft-1`: a JPEG is decoded at 1/2, 1/4 or 1/8 of its scale, of its luma alone, as long as its shorter side keeps
  `DRAFT_SIDE` pixels; the hash is then taken where the points lie in the whole picture. Whatever is no JPEG is decoded
  as in `full-1`, and says so.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

import numpy as np
import pillow_heif
from msgspec import Struct
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from underwing.media.pdq import (
    NO_HASH,
    ORIENTATIONS,
    SMALLEST_SIDE,
    pdq,
    pdq_of_points,
    pdq_of_turned,
    pdq_turned,
)
from underwing.media.sampling import luma_of, sample_turned
from underwing.model.media import Pdq

FULL: Final = "full-1"
DRAFT: Final = "draft-1"
Profile = Literal["full-1", "draft-1"]

MAX_PIXELS = 42_500_000
"""Of a picture as it is decoded. It takes about 8 bytes a pixel at the peak: 340 MB; with that a worker stays below 512 MiB.
A larger JPEG is decoded at a reduced scale, and only not where the full decode would have to decide."""
MAX_FRAMES = 1_000
MAX_FRAME_PIXELS = 1_000_000_000
"""Of all frames of an animation together."""
DRAFT_SIDE = 512
"""Pixels of the shorter side that a reduced decode keeps: eight for each point that is sampled."""
DRAFT_MARGIN = 12
"""A reduced decode is trusted only if its distance is farther from the threshold than this, in bits. The hashes of the two
profiles were at most 6 bits apart on shipped photos of 1 to 12 megapixels (`benchmarks/pdq.py`)."""

FLAT = 110.0
GLARING = 0.05
"""A colour JPEG whose luma spans no more than `FLAT` of 255, and that has more than this share of glaring pixels (tinted
in one pure colour), is always decoded in full: its reduced hash was up to 28 bits off, that of all others up to 8."""

_FORMATS = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/gif": "GIF",
    "image/webp": "WEBP",
    "image/bmp": "BMP",
    "image/tiff": "TIFF",
    "image/avif": "AVIF",
    "image/heif": "HEIF",
}
_STRIP = 256
_UNTIMED = 0.1
"""Seconds that a frame without a time is shown, as browsers do."""
_ORIENTATION = 0x0112

pillow_heif.register_heif_opener(thumbnails=False)
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # our own bound is lower


class Undecodable(ValueError):
    """The bytes are no picture that can be decoded within the bounds; says why in plain words."""


class Picture(Struct, frozen=True):
    """A decoded picture, the way round it is shown.

    `luma` is rows × columns in 0 to 255; `height` and `width` those of the whole picture, larger where it was reduced.
    Then the first row and column may reach beyond the edge by `lead` (rows, columns) pixels of the whole picture.
    """

    luma: NDArray[np.float32]
    height: int
    width: int
    profile: Profile = FULL
    lead: tuple[int, int] = (0, 0)
    shown_on: str = ""
    """What a transparent picture was laid on: "" white or nothing to be seen through, else `on-black`, `opaque`."""
    alone: bool = False
    """Whether its file is known to have no `frames`."""

    def pdq(self) -> Pdq:
        """Its hash."""
        if self._is_whole():
            return pdq(self.luma)
        if min(self.height, self.width) < SMALLEST_SIDE:
            return NO_HASH
        return pdq_of_points(sample_turned(self.luma, self.height, self.width, self.lead)[0, 0])

    def pdq_turned(self) -> tuple[Pdq, ...]:
        """Its hashes in each of `ORIENTATIONS`."""
        if self._is_whole():
            return pdq_turned(self.luma)
        if min(self.height, self.width) < SMALLEST_SIDE:
            return (NO_HASH,) * len(ORIENTATIONS)
        return pdq_of_turned(sample_turned(self.luma, self.height, self.width, self.lead))

    def _is_whole(self) -> bool:
        """Whether the hash has to have the reference's bits: `draft-1` is never summed in the reference's order."""
        return self.profile == FULL and self.luma.shape == (self.height, self.width)


def decode(data: bytes, media_type: str, profile: Profile = FULL) -> tuple[Picture, ...]:
    """A picture as it is shown, the first frame of an animation; a transparent one also on black, and opaque.

    Raises `Undecodable`.
    """
    return tuple(shown(data, media_type, profile))


def shown(data: bytes, media_type: str, profile: Profile = FULL) -> Iterator[Picture]:
    """As `decode`, one after the other: whoever lets go of each holds no more than one. Raises `Undecodable` at any."""
    if profile == DRAFT and media_type == "image/jpeg":
        with _opened(data, media_type) as image:
            whole, coloured = image.size, image.mode != "L"
            image.draft("L", (DRAFT_SIDE, DRAFT_SIDE))
            (picture,) = _pictures(image, whole, DRAFT)
        if not (coloured and _is_flat(picture.luma) and _is_glaring(data, media_type)):
            yield picture
            return
        del picture
    with _opened(data, media_type) as image:
        yield from _pictures(image, image.size, FULL)


def _is_flat(luma: NDArray[np.float32]) -> bool:
    """Whether luma spans little between its darkest and its brightest hundredth."""
    some = np.sort(luma[::4, ::4], axis=None)
    return float(some[int(0.99 * len(some))] - some[int(0.01 * len(some))]) <= FLAT


def _is_glaring(data: bytes, media_type: str) -> bool:
    """Whether many pixels of a JPEG have a colour at the edge of what RGB holds: there, luma alone is not that of RGB."""
    with _opened(data, media_type) as image:
        image.draft("RGB", (SMALLEST_SIDE, SMALLEST_SIDE))
        pixels = np.asarray(image.resize((64, 64), Image.Resampling.NEAREST).convert("RGB"))
    least, most = pixels.min(axis=2), pixels.max(axis=2)
    at_edge = ((least <= 8) | (most >= 247)) & (most - least >= 32)
    return float(at_edge.mean()) > GLARING


def frames(data: bytes, media_type: str) -> Iterator[tuple[float, float, Picture]]:
    """The frames of an animation, or the pages of a file with several: (from, to) in seconds, and the picture.

    One picture alone gives nothing. A page without a time is shown 0.1 s. Raises `Undecodable` when it comes to a bad
    frame.
    """
    with _opened(data, media_type) as image:
        at, pixels, number = 0.0, 0, 0
        while _found(image, number):
            pixels += image.width * image.height
            number += 1
            if number > MAX_FRAMES or pixels > MAX_FRAME_PIXELS:
                raise Undecodable(
                    f"more than {MAX_FRAMES} frames, or {MAX_FRAME_PIXELS} pixels in all frames"
                )
            picture = next(_pictures(image, image.size, FULL))
            until = at + (float(image.info.get("duration") or 0) / 1000 or _UNTIMED)
            yield at, until, picture
            at = until


def small_pictures(data: bytes, media_type: str, side: int, most: int) -> Iterator[NDArray[np.uint8]]:
    """A picture as it is shown, on white and scaled down, RGB: height × width × 3, the longer side at most `side` pixels.

    Of an animation up to `most` frames, spread evenly over it. Raises `Undecodable`.
    """
    with _opened(data, media_type) as image:
        if image.format in ("JPEG", "MPO"):
            image.draft("RGB", (side, side))
        count = min(getattr(image, "n_frames", 1), MAX_FRAMES)
        for number in range(0, count, max(1, -(-count // most))):
            if count > 1:
                image.seek(number)
            if not 0 < image.width * image.height <= MAX_PIXELS:
                raise Undecodable(f"{image.width} × {image.height} pixels; at most {MAX_PIXELS} are decoded")
            yield _small_rgb(image, side)


def _small_rgb(image: Image.Image, side: int) -> NDArray[np.uint8]:
    """Reduced before anything is converted, so that a large picture is held once."""
    factor = max(1, max(image.size) // side)
    image.load()
    scale = _scale(image)
    if scale:
        numbers = np.nan_to_num(np.asarray(image)[::factor, ::factor].astype(np.float32))
        small = Image.fromarray(np.clip(numbers / np.float32(scale), 0, 255).astype(np.uint8))
    else:
        see_through = image.has_transparency_data
        if image.mode in ("1", "P", "PA") or (see_through and image.mode != "RGBA"):
            image = image.convert("RGBA" if see_through else "RGB")
        small = image.reduce(factor).convert("RGBA" if see_through else "RGB")
    small.thumbnail((side, side), Image.Resampling.BOX)
    small = ImageOps.exif_transpose(small)
    if small.mode == "RGBA":
        small = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small)
    return np.asarray(small.convert("RGB"), np.uint8)


def _found(image: Image.Image, number: int) -> bool:
    """Go to a frame of an animation, if there is such a frame."""
    if not getattr(image, "is_animated", False):
        return False
    try:
        image.seek(number)
    except EOFError:
        return False
    return True


@contextmanager
def _opened(data: bytes, media_type: str) -> Iterator[Image.Image]:
    """A picture file with its header read; whatever a decoder raises becomes `Undecodable`."""
    wanted = _FORMATS.get(media_type)
    if wanted is None:
        raise Undecodable(f"no picture that can be decoded: {media_type or 'its type is not recognised'}")
    try:
        yield Image.open(io.BytesIO(data), formats=[wanted])
    except Undecodable:
        raise
    except UnidentifiedImageError as error:
        raise Undecodable(f"cannot be decoded: no readable {wanted} header") from error
    except MemoryError as error:
        raise Undecodable("needs more memory than there is for a picture") from error
    except Image.DecompressionBombError as error:
        raise Undecodable("declares more pixels than are ever decoded") from error
    except Exception as error:  # decoders raise what they like: OSError, SyntaxError, struct.error, …
        raise Undecodable(f"cannot be decoded: {str(error)[:200] or type(error).__name__}") from error


def _pictures(image: Image.Image, whole: tuple[int, int], profile: Profile) -> Iterator[Picture]:
    if not 0 < image.width * image.height <= MAX_PIXELS:
        raise Undecodable(f"{image.width} × {image.height} pixels; at most {MAX_PIXELS} are decoded")
    image.load()
    orientation = image.getexif().get(_ORIENTATION, 1)
    looks = ("",) if not image.has_transparency_data or _is_opaque(image) else ("", "on-black", "opaque")
    for shown_on in looks:
        luma, height, width = _luma(image, shown_on), whole[1], whole[0]
        beyond = -height % (-(-height // luma.shape[0])), -width % (-(-width // luma.shape[1]))
        luma, beyond_shown = _upright(luma, orientation, beyond)
        if orientation in _SIDEWAYS:
            height, width = width, height
        luma, alone = (
            np.ascontiguousarray(luma),
            image.format == "JPEG",
        )  # one with several pictures is an MPO
        yield Picture(luma, height, width, profile, beyond_shown, shown_on, alone)
        del luma


_SIDEWAYS = frozenset({5, 6, 7, 8})


def _upright(
    luma: NDArray[np.float32], orientation: int, beyond: tuple[int, int]
) -> tuple[NDArray[np.float32], tuple[int, int]]:
    """The picture the way round that EXIF says (1 to 8), and by how much its first row and column reach beyond the edge."""
    down, across = beyond
    if orientation in _SIDEWAYS:
        luma, down, across = luma.T, across, down
    upside_down = orientation in (3, 4, 7, 8)
    back_to_front = orientation in (2, 3, 6, 7)
    luma = luma[:: -1 if upside_down else 1, :: -1 if back_to_front else 1]
    return luma, (down if upside_down else 0, across if back_to_front else 0)


def _is_opaque(image: Image.Image) -> bool:
    """Whether nothing can be seen through, although the mode would allow it."""
    return image.mode in ("RGBA", "LA", "PA") and image.getchannel("A").getextrema()[0] == 255


def _luma(image: Image.Image, shown_on: str) -> NDArray[np.float32]:
    if image.mode == "L" and not image.has_transparency_data:  # a byte a pixel: no need of strips
        return luma_of(np.asarray(image))
    luma = np.empty((image.height, image.width), np.float32)
    scale = _scale(image)
    for top in range(0, image.height, _STRIP):
        strip = image.crop((0, top, image.width, min(top + _STRIP, image.height)))
        if scale:
            numbers = np.nan_to_num(np.asarray(strip).astype(np.float32))
            luma[top : top + _STRIP] = np.clip(numbers / np.float32(scale), 0, 255)
        else:
            luma[top : top + _STRIP] = luma_of(_grey_or_rgb(strip, shown_on))
    return luma


def _scale(image: Image.Image) -> float:
    """What numbers of more than 8 bits are divided by; 0 for those of 8 bits."""
    if image.mode.startswith("I;16"):
        return 256.0
    if image.mode not in ("I", "F"):
        return 0.0
    top = float(image.getextrema()[1])  # type: ignore[arg-type]
    steps = (1.0, 255.0, 65_535.0) if image.mode == "F" else (255.0, 65_535.0)
    return next((step for step in steps if top <= step), max(1.0, top)) / 255.0


def _grey_or_rgb(strip: Image.Image, shown_on: str) -> NDArray[np.uint8]:
    if not shown_on and _is_opaque(strip):
        shown_on = "opaque"
    if not strip.has_transparency_data:
        return np.asarray(strip.convert("L" if strip.mode in ("1", "L") else "RGB"))
    strip = strip.convert("RGBA")
    if shown_on == "opaque":
        return np.ascontiguousarray(np.asarray(strip)[..., :3])
    ground = Image.new("RGBA", strip.size, "black" if shown_on else "white")
    return np.asarray(Image.alpha_composite(ground, strip).convert("RGB"))
