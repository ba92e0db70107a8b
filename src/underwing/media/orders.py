"""What a worker is asked, under which terms it works, and how a second look is joined with the first."""

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from underwing.media.still import Wish
from underwing.media.video import CONFIRMED, KEYFRAMES
from underwing.media.windows import Windows, united
from underwing.model.media import MediaHashes

Job = Literal["draft", "scored", "full", "bank", "closer", "still"]
"""Look at a file by the reduced profile; so, and give the classifier's score; in full; to bank it; at some seconds again;
draw a still of it."""


class Order(Struct, frozen=True, array_like=True):
    """One job. `windows` are the seconds of a video that are looked at again, of a job `closer`; `still` is which still is
    wanted, of a job `still`."""

    job: Job = "draft"
    windows: Windows = ()
    still: Wish | None = None


class Terms(Struct, frozen=True, kw_only=True):
    """How a worker works: bounds as in `pool.Bounds`, and the classifier's name, "" for none."""

    memory: int
    processor_seconds: int
    processor_seconds_a_mib: int
    long_video: float
    classifier: str = ""


def joined(first: MediaHashes, second: MediaHashes) -> MediaHashes:
    """What is known of a file after a second look: that look's hashes; of a long video also the first look's keyframes.

    The score is of the first look. What went wrong in the second counts: a place that was near something known and could
    not be looked at closely makes the file unchecked.
    """
    if first.profile not in (KEYFRAMES, CONFIRMED):
        return replace(second, score=first.score, unscored=first.unscored)
    frames = {frame.at: frame for frame in (*first.frames, *second.frames)}
    return replace(
        first,
        profile=CONFIRMED,
        frames=tuple(frames[at] for at in sorted(frames)),
        closer=united(first.closer + second.closer),
        error=first.error or second.error,
    )
