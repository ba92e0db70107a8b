"""Whether a file is one that somebody saw before, in another guise. Pure.

Pictures are one when PDQ hashes of any of their turned and trimmed views differ in at most `PDQ_DISTANCE` bits, as for the
banks. A video was seen when four fifths of its frames are frames of one seen before (`vpdq`'s usual share).
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from underwing.model import PDQ_DISTANCE, PDQ_QUALITY, MediaHashes, Pdq

FRAMES = 600
"""Frames of a video that are kept for this; of a longer one only an exact copy is recognised."""
SHARE = 0.8


class Print(Struct, frozen=True, array_like=True):
    """What a file is recognised by: PDQ hashes of its views (the plain one first) or of its frames, 32 bytes each."""

    views: tuple[bytes, ...] = ()
    frames: tuple[bytes, ...] = ()


def print_of(hashes: MediaHashes) -> Print:
    """The print of a file; hashes of a low quality say too little and are left out."""
    views = tuple(bytes.fromhex(view.pdq.hash) for view in hashes.views if _says(view.pdq))
    frames = tuple(bytes.fromhex(frame.pdq.hash) for frame in hashes.frames if _says(frame.pdq))
    return Print(views=views, frames=frames if len(frames) <= FRAMES else ())


def first_like(new: Print, seen: Sequence[Print]) -> int | None:
    """The place of the first of `seen` that `new` is the same as, or None."""
    if new.views:
        places = [n for n, other in enumerate(seen) if other.views]
        plain = _bits([seen[n].views[0] for n in places])
        near = _near(_bits(new.views), plain).any(axis=0)
        return next((places[n] for n in np.flatnonzero(near)), None)
    if new.frames:
        frames = _bits(new.frames)
        for n, other in enumerate(seen):
            if other.frames and _near(frames, _bits(other.frames)).any(axis=1).mean() >= SHARE:
                return n
    return None


def _says(pdq: Pdq) -> bool:
    return pdq.quality >= PDQ_QUALITY


def _bits(hashes: Sequence[bytes]) -> NDArray[np.uint64]:
    """Hashes × 4 words."""
    return np.frombuffer(b"".join(hashes), np.uint64).reshape(-1, 4)


def _near(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which of `one` (rows) and `other` (columns) are at most `PDQ_DISTANCE` bits apart."""
    near = np.zeros((len(one), len(other)), np.bool_)
    for row, hash in enumerate(one):
        near[row] = np.bitwise_count(other ^ hash).sum(axis=1, dtype=np.int64) <= PDQ_DISTANCE
    return near
