"""What is known in a video: banked videos (whole, or a clip inside it) and banked pictures among its frames.

The matcher says which banked hashes each frame is like, `clips` what that means for whole videos; here they are joined.
"""

from collections.abc import Iterator

from msgspec import Struct

from underwing.banks.clips import BankedClip, FrameHit, find_clips, windows_to_confirm
from underwing.banks.matching import Matcher, Near
from underwing.media.video import EVERY_SECOND
from underwing.media.windows import Windows, uncovered, united
from underwing.model import MediaHashes, MediaMatch, Seconds
from underwing.model.media import Signal

MOST_HITS = 1_000
"""Hits that are looked at of one frame: static scenes of many banked videos are like each other."""
_AROUND_PICTURE = 5.0
"""Seconds before and behind a keyframe that is like a banked picture, which are looked at closely."""
_SLACK = 2.0
"""Seconds by which what is to be looked at may reach out of what was: the closer look moves the edges a little."""
Key = tuple[int, str]


class _Hits(Struct):
    """What the frames of a video are like: banked videos, by frame and by name, and banked pictures."""

    of_frames: list[list[FrameHit]] = []
    names: dict[str, Near] = {}
    pictures: dict[Key, list[tuple[int, float, Near]]] = {}

    def clips(self, matcher: Matcher) -> dict[str, BankedClip]:
        """The banked videos, by name."""
        return {
            name: BankedClip(tuple(sorted(matcher.seconds_of(near.hit.bank, near.hit.entry))))
            for name, near in self.names.items()
        }


def known_in_video(matcher: Matcher, hashes: MediaHashes) -> Iterator[MediaMatch]:
    """The matches of a video's frames, for `Matcher(clips=known_in_video)`.

    A banked video: signal `vpdq`, `how` is that of `clips`, `range` the seconds of the query and `distance` the median.
    A banked picture: signal `pdq`, `how` is `frame`, `range` from the first to the last frame that is like it.
    """
    found = _hits(matcher, hashes)
    if found.names:
        whole = hashes.profile == EVERY_SECOND
        clips = find_clips(
            hashes.frames, found.of_frames, found.clips(matcher), _duration(hashes), whole=whole
        )
        for clip in clips:
            yield _match(found.names[clip.entry], "vpdq", clip.distance, clip.how, clip.range)
    for seen in found.pictures.values():
        distance, _, near = min(seen, key=lambda one: one[:2])
        seconds = [at for _, at, _ in seen]
        yield _match(near, "pdq", distance, "frame", (min(seconds), max(seconds)))


def near_known(matcher: Matcher, hashes: MediaHashes) -> Windows:
    """The seconds of a long video, of which the keyframes were looked at, that must be looked at closely: those around
    whatever is near a banked video or picture, but for those that were. Looks at the banks as of the last `follow`."""
    found = _hits(matcher, hashes)
    around = [
        (max(0.0, at - _AROUND_PICTURE), at + _AROUND_PICTURE)
        for seen in found.pictures.values()
        for _, at, _ in seen
    ]
    if found.names:
        around += windows_to_confirm(hashes.frames, found.of_frames, found.clips(matcher), _duration(hashes))
    return uncovered(united(around), hashes.closer, _SLACK)


def _hits(matcher: Matcher, hashes: MediaHashes) -> _Hits:
    found = _Hits()
    for frame in hashes.frames:
        of_frame: list[FrameHit] = []
        for near in matcher.near(frame.pdq, MOST_HITS):
            if near.hit.at is None:
                key = near.hit.bank, near.hit.entry
                found.pictures.setdefault(key, []).append((near.distance, frame.at, near))
            else:
                name = f"{near.hit.bank} {near.hit.entry}"
                found.names[name] = near
                of_frame.append(FrameHit(name, near.hit.at, near.distance))
        found.of_frames.append(of_frame)
    return found


def _duration(hashes: MediaHashes) -> float:
    return hashes.duration or hashes.frames[-1].at + 1.0


def _match(near: Near, signal: Signal, distance: int, how: str, seconds: Seconds) -> MediaMatch:
    return MediaMatch(
        bank=near.bank,
        entry=near.hit.entry,
        label=near.hit.label,
        signal=signal,
        distance=distance,
        how=how,
        range=seconds,
    )
