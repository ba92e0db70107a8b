"""A file becomes one small grey still for a person to look at: blurred, of one moment, without sound or metadata.

It is drawn anew from the decoded pixels, and thrown away once it was shown. Pure, and bounded in pixels; whoever does not
trust the bytes calls it through `Pool.still`.
"""

import io
from typing import Annotated, Final

import numpy as np
from msgspec import Meta, Struct
from msgspec.structs import replace
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from underwing.media.decode import DRAFT, FULL, Undecodable, decode, frames
from underwing.media.sniff import VIDEOS, sniff
from underwing.media.video import DEFAULT_LIMITS, luma_of_frame
from underwing.media.video_frames import UnreadableVideo, opened

SIDE: Final = 320
"""Pixels of the longer side, at the most."""
BLURS: Final = (0, 4, 9, 20)
"""Gauss radius in pixels of each step of blur, from none to the first that is shown. At 20 of 320 a face is a smudge, and
one sees whether it is a screenshot, a landscape or a body."""
_QUALITY = 75


class Wish(Struct, frozen=True, kw_only=True):
    """Which still is wanted: step of blur (a place in `BLURS`), longer side in pixels, second of a video or animation."""

    blur: Annotated[int, Meta(ge=0, lt=len(BLURS))] = len(BLURS) - 1
    side: Annotated[int, Meta(ge=16, le=SIDE)] = SIDE
    second: Annotated[float, Meta(ge=0, le=86_400)] = 0.0


class Still(Struct, frozen=True, kw_only=True):
    """A still as JPEG, its size in pixels, and the length of the file it is from in seconds, where that is known. With an
    `error` there is no picture."""

    picture: bytes = b""
    width: int = 0
    height: int = 0
    duration: float | None = None
    error: str | None = None


def still(data: bytes, wish: Wish) -> Still:
    """The still of a file. Raises nothing for what the bytes hold."""
    media_type = sniff(data)
    try:
        if media_type in VIDEOS:
            luma, duration = _moment_of_video(data, wish.second)
        else:
            luma, duration = _moment(data, media_type, wish.second)
    except (Undecodable, UnreadableVideo) as error:
        return Still(error=str(error))
    return replace(_drawn(luma, wish), duration=duration)


def _moment(data: bytes, media_type: str, second: float) -> tuple[NDArray[np.float32], float | None]:
    """A picture, or the frame of an animation that is shown at a second (the last one, when it is over by then)."""
    luma = decode(data, media_type, DRAFT if second == 0 else FULL)[0].luma
    if second == 0:
        return luma, None
    until = None
    for _, until, picture in frames(data, media_type):
        luma = picture.luma
        if second < until:
            break
    return luma, until


def _moment_of_video(data: bytes, second: float) -> tuple[NDArray[np.float32], float | None]:
    """The first frame from a second on; the first of all, when there is none."""
    for start in (second, 0.0):
        with opened(io.BytesIO(data), DEFAULT_LIMITS) as track:
            for _, frame in track.sampled(sparing=False, window=(start, start + 1.0)):
                return luma_of_frame(frame), track.declared
    raise UnreadableVideo("no frame there")


def _drawn(luma: NDArray[np.float32], wish: Wish) -> Still:
    picture = Image.fromarray(np.clip(luma, 0, 255).astype(np.uint8))
    picture.thumbnail((wish.side, wish.side), Image.Resampling.LANCZOS)
    if wish.blur:
        radius = BLURS[wish.blur] * wish.side / SIDE
        picture = picture.filter(ImageFilter.GaussianBlur(radius))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=_QUALITY)
    return Still(picture=out.getvalue(), width=picture.width, height=picture.height)
