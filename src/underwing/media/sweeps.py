"""Which frames of a banked film are hashed: the first of each quarter of a second, and more where the picture sweeps.

While the view moves slowly every frame of a film lies near one of its quarters. Where the camera sweeps, frames 50 ms apart
differ by more bits than match, and a look that falls between two quarters would not know the film. There the frames between
are hashed as well, by halves, until neighbours lie near each other or nothing lies between.

All of it is bounded: frames that wait for the next quarter by number and bytes, further hashes by how long the film is.
Measured in `docs/decisions/0012-video.md`.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

from msgspec import Struct

from underwing.model.media import PDQ_QUALITY, Frame, Pdq

QUARTER = 0.25
"""Seconds from one frame to the next that are hashed in any case."""
FAR = 24
"""Bits between neighbours from which on a frame between them is hashed: it may lie half as far from both, and what a new
encoding, a border or a mirror adds (up to 18 bits were measured) still leaves it within the 31 bits that match."""
LEAST_GAP = 0.03
"""Seconds between two frames that are hashed, so about 30 a second at the most: a film's own rate, or half of 60."""
AT_ONCE = 600
"""Further hashes that a film of any length may have, besides one for each quarter of a second: half a minute of sweeps."""
_WAITING_BYTES = 24 << 20
"""Pixels that wait for the next quarter: seven frames of 1920 × 1080, two of 4K; none that are larger."""
_ROUNDED = 0.002
"""Seconds by which a time stamp may be rounded down."""

P = TypeVar("P")


class Shown(Struct, Generic[P], frozen=True):
    """A picture and the second from which on it is shown."""

    at: float
    picture: P

    def hashed(self, by: Callable[[P], Pdq]) -> Frame:
        """Its frame."""
        return Frame(self.at, by(self.picture))


def steps(
    shown: Iterable[tuple[float, P]], hashed: Callable[[P], Pdq], size: Callable[[P], int]
) -> Iterator[list[Frame]]:
    """A film's frames to be banked, quarter by quarter: that of the quarter last, before it those since the one before.

    `shown` are all its pictures with their seconds; what goes back in time is passed over. A picture that is shown for
    longer than to the next quarter is always among them, as is what is new at the end. `size` is a picture's bytes.
    """
    pictures = (Shown(at, picture) for at, picture in shown)
    latest = next(pictures, None)
    if latest is None:
        return
    last, allowed = latest.hashed(hashed), AT_ONCE
    yield [last]
    waiting: list[Shown[P]] = []
    wanted = _quarter_behind(latest.at)
    for one in pictures:
        if one.at <= latest.at:
            continue
        if one.at < wanted - _ROUNDED:
            latest = one
            _wait(waiting, one, last.at, size(one.picture))
            continue
        held = latest.at > last.at and one.at > wanted + QUARTER / 2
        ends = [end.hashed(hashed) for end in ((latest, one) if held else (one,))]
        between = further(last, waiting, ends[0], hashed, allowed)
        yield between + ends
        allowed += 1 - len(between)
        last, latest, waiting = ends[-1], one, []
        wanted = _quarter_behind(one.at)
    end = latest.hashed(hashed) if latest.at > last.at else last
    if _far(last, end):
        yield [*further(last, waiting, end, hashed, allowed), end]


def further(
    first: Frame, between: Sequence[Shown[P]], last: Frame, hashed: Callable[[P], Pdq], most: int
) -> list[Frame]:
    """Frames between two, at most so many: the middle one of each pair of neighbours that lie far apart."""
    made: list[Frame] = []
    pairs = deque([(first, [one for one in between if one.at < last.at], last)])
    while pairs and len(made) < most:
        before, waiting, behind = pairs.popleft()
        if waiting and _far(before, behind):
            middle = len(waiting) // 2
            found = waiting[middle].hashed(hashed)
            made.append(found)
            pairs += [(before, waiting[:middle], found), (found, waiting[middle + 1 :], behind)]
    return sorted(made, key=lambda frame: frame.at)


def _quarter_behind(second: float) -> float:
    return (int((second + _ROUNDED) / QUARTER) + 1) * QUARTER


def _far(one: Frame, other: Frame) -> bool:
    """Whether what lies between may be like neither; hashes of too low a quality are never compared."""
    if max(one.pdq.quality, other.pdq.quality) < PDQ_QUALITY:
        return False
    return (int(one.pdq.hash, 16) ^ int(other.pdq.hash, 16)).bit_count() > FAR


def _wait(waiting: list[Shown[P]], one: Shown[P], since: float, size: int) -> None:
    """Keep a picture, unless it comes too soon behind the one before for how many may wait."""
    room = _WAITING_BYTES // max(1, size)
    gap = max(LEAST_GAP, QUARTER / (room + 1))
    before = waiting[-1].at if waiting else since
    if room >= 2 and one.at >= before + gap - 1e-6:
        waiting.append(one)
