"""The bytes of a file become all that is kept of it: `MediaHashes`.

`look` is for what is asked about, `look_to_bank` for what is banked. Both are pure, bounded in pixels and frames, and
never raise for bad bytes: what cannot be checked has an `error`. They are not bounded in memory and time; whoever does
not trust the bytes calls them through `Pool`.
"""

import hashlib
import math
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from underwing.media.decode import (
    DRAFT,
    DRAFT_MARGIN,
    FULL,
    Picture,
    Profile,
    Undecodable,
    frames,
    shown,
)
from underwing.media.pdq import ORIENTATIONS
from underwing.media.sniff import VIDEOS, sniff
from underwing.media.variants import bank_variants, layers
from underwing.media.video import DENSE, Seen, look_video
from underwing.media.windows import Windows
from underwing.model.media import PDQ_DISTANCE, PDQ_QUALITY, Frame, MediaHashes, View

QUALITY_MARGIN = 8
"""The quality of a reduced decode is trusted only if it is farther from the least quality than this."""


def exact_hashes(data: bytes) -> MediaHashes:
    """What is known of a file without decoding it: its type, size and exact hashes."""
    return MediaHashes(
        sha256=hashlib.sha256(data).hexdigest(),
        sha1=hashlib.sha1(data, usedforsecurity=False).hexdigest(),
        md5=hashlib.md5(data, usedforsecurity=False).hexdigest(),
        size=len(data),
        type=sniff(data),
    )


def look(
    data: bytes, profile: Profile = DRAFT, *, long_video: float = math.inf, seen: Seen | None = None
) -> MediaHashes:
    """All hashes of a file that is asked about.

    A picture has views in eight orientations, of itself and of what remains without its borders; a transparent one also
    on black and opaque. An animation has its first frame as a picture, and all its frames; a video a frame a second,
    one of more than `long_video` seconds its keyframes. `seen` is shown each frame of a video.
    """
    known = exact_hashes(data)
    if known.type in VIDEOS:
        return look_video(data, known=known, long_video=long_video, seen=seen)
    return _look(data, known, profile, banked=False)


def look_closer(data: bytes, windows: Windows, most: float = math.inf) -> MediaHashes:
    """The frames of these seconds of a video, of `most` seconds at the most: see `orders.joined`."""
    known = exact_hashes(data)
    return look_video(data, windows=windows, known=known, long_video=most)


def look_to_bank(data: bytes) -> MediaHashes:
    """All hashes of a picture that is banked: decoded in full, as it is and trimmed, in one orientation, and variants."""
    known = exact_hashes(data)
    if known.type in VIDEOS:
        return look_video(data, profile=DENSE, known=known)
    return _look(data, known, FULL, banked=True)


def undecided(
    hashes: MediaHashes, distance: int, threshold: int = PDQ_DISTANCE, quality: int = PDQ_QUALITY
) -> bool:
    """Whether a match at this distance, in bits, must be looked at again by `look(data, FULL)`.

    It is so when the picture was decoded at a reduced scale, and either the distance lies within `DRAFT_MARGIN` bits of
    the threshold, on either side, or the picture's quality near the least one. To see the matches beyond the threshold a
    search goes to `threshold + DRAFT_MARGIN`.
    """
    if hashes.profile == FULL or hashes.pdq is None:
        return False
    return abs(distance - threshold) <= DRAFT_MARGIN or abs(hashes.pdq.quality - quality) <= QUALITY_MARGIN


def _look(data: bytes, known: MediaHashes, profile: Profile, banked: bool) -> MediaHashes:
    exact = known
    views: list[View] = []
    alone = False
    try:
        for picture in shown(data, known.type, profile):
            views += _views(picture, banked)
            known = replace(known, profile=picture.profile, width=picture.width, height=picture.height)
            alone = picture.alone
            del picture  # before the next one is made
    except Undecodable as error:
        return replace(exact, error=str(error))
    known = replace(known, views=_distinct(views))
    if alone:
        return known
    found: list[Frame] = []
    duration = None
    try:
        for at, until, picture in frames(data, known.type):
            found.append(Frame(at=at, pdq=picture.pdq()))
            duration = until
    except Undecodable as error:
        known = replace(known, error=str(error))
    return replace(known, frames=tuple(found), duration=duration)


def _views(picture: Picture, banked: bool) -> Iterator[View]:
    ground = (picture.shown_on,) if picture.shown_on else ()
    yield from _turned(picture, ground, banked)
    for how, inner in layers(picture):
        yield from _turned(inner, (*ground, how), banked)
    if banked:
        for how, variant in bank_variants(picture):
            yield from _turned(variant, (*ground, how), banked)


def _turned(picture: Picture, steps: tuple[str, ...], banked: bool) -> Iterator[View]:
    if banked:
        yield View(how="+".join(steps) or "plain", pdq=picture.pdq())
        return
    for how, found in zip(ORIENTATIONS, picture.pdq_turned(), strict=True):
        names = steps if steps and how == "plain" else (*steps, how)
        yield View(how="+".join(names), pdq=found)


def _distinct(views: Iterable[View]) -> tuple[View, ...]:
    """The first view of each hash."""
    first: dict[str, View] = {}
    for view in views:
        first.setdefault(view.pdq.hash, view)
    return tuple(first.values())
