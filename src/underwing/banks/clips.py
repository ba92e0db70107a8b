"""Known clips in videos: the hits of single frames become ranges of seconds.

The index says for each frame of the queried video which banked frames are near. Here these hits are put in the order of
time: a banked clip inside the video, or the video inside a longer banked one, shows as many hits at one offset (second of
the query less second of the clip). Two rules, of which either finds a clip:

- `video`, Meta's vPDQ rule: of the query's different frames of a quality >= 50, 80 % are near a frame of the clip (distance
  <= 31), in any order (ThreatExchange, `vpdq_util.py`). It sees no clip in a longer video, so there is
- `clip`: at one offset a run of frames of which more than half hit, at least three (all of a shorter clip); and the frames
  of the run are not all one picture, unless they are nearly all of the clip. Black frames and title cards that many videos
  share make no run that counts; nor does a picture that is held for minutes cost more than its frames.

The rules were set by reason and tried on generated clips (`benchmarks/video.py`), not fitted to a list.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Literal

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from underwing.banks.entries import Entry
from underwing.model.media import PDQ_DISTANCE, PDQ_QUALITY, Frame, Seconds

VIDEO_SHARE = 0.8
"""Of the different frames of a query, for the `video` rule; of a clip's frames, for a run that is all one picture."""
LEAST = 3
"""Frames of a run, for the `clip` rule."""
TOLERANCE = 0.8
"""Seconds by which a frame may lie off its offset: banked frames are up to 1.5 s apart, so one is at most 0.75 s away."""
_HITS = 1_000_000
"""Hits on one clip that are looked at, shared out among the query's frames (at least 64 each), nearest first."""
_OFFSETS = 8
"""Offsets of one clip that are tried, best first, and so ranges that are found at the most."""
_AROUND = 30.0
"""Seconds before and behind a hit of a quick look that are looked at again."""
_SHORT = 60.0
"""A video of no more seconds is looked at again as a whole."""


class FrameHit(Struct, frozen=True):
    """A banked frame that lies near a frame of the query: whose it is, its second there and the distance in bits."""

    entry: str
    at: float
    distance: int


class BankedClip(Struct, frozen=True):
    """The seconds of an entry's usable frames, in their order."""

    seconds: tuple[float, ...]

    @property
    def duration(self) -> float:
        """Until its last frame may be taken to end: one step behind it."""
        return self.seconds[-1] + 1.0 if self.seconds else 0.0


class ClipMatch(Struct, frozen=True, kw_only=True):
    """A clip that was found, and where: `range` in seconds of the query.

    `offset` is the query's second in which the clip begins, or would begin (negative when it began before). `share` is the
    part of the clip's seconds that was found, `frames` how many of the query's hit, `distance` the median of theirs.
    """

    entry: str
    how: Literal["video", "clip"]
    range: Seconds
    offset: float
    share: float
    frames: int
    distance: int


def banked_clip(entry: Entry, quality: int = PDQ_QUALITY) -> BankedClip:
    """What of a banked video is compared. An entry without timed frames gives an empty one."""
    times = [h.at for h in entry.hashes if h.kind == "pdq" and h.at is not None and h.quality >= quality]
    return BankedClip(tuple(sorted(times)))


def find_clips(
    frames: Sequence[Frame],
    hits: Sequence[Sequence[FrameHit]],
    banked: Mapping[str, BankedClip],
    duration: float,
    *,
    whole: bool = True,
    quality: int = PDQ_QUALITY,
) -> tuple[ClipMatch, ...]:
    """The clips in a video of so many seconds, those with most frames first.

    `hits` are those of each frame, in the same order; entries that `banked` does not know are passed over. `whole` says
    that the frames stand for the whole video, one a second (`vpdq-1s`): the `video` rule asks for that.
    Time: the hits, sorted a few times, at most a million of a clip.
    """
    query = _usable(frames, hits, quality)
    found: list[ClipMatch] = []
    for entry, table in _by_entry(query, banked).items():
        runs = list(_runs(entry, table, query, banked[entry], duration))
        if not runs and whole:
            runs = _whole(entry, table, query, banked[entry], duration)
        found += runs
    return tuple(sorted(found, key=lambda match: (-match.frames, match.distance, match.entry, match.range)))


def windows_to_confirm(
    frames: Sequence[Frame],
    hits: Sequence[Sequence[FrameHit]],
    banked: Mapping[str, BankedClip],
    duration: float,
    *,
    quality: int = PDQ_QUALITY,
) -> tuple[Seconds, ...]:
    """The seconds (from, to) of a video to look at again, each second, after a quick look that had hits; none, if none.

    A keyframe alone may hit by a title card, and does not name a range: the second look does. It gives (0, `duration`) for a
    short video, whose second look stands for the whole.
    """
    query = _usable(frames, hits, quality)
    windows = set()
    for entry, table in _by_entry(query, banked).items():
        for part in _apart(table, query.times):
            times = query.times[part.frame]
            offset = _best_offset(*_intervals(part, query.times))
            start = max(0.0, offset - 1, float(times.min()) - _AROUND)
            end = min(duration, offset + banked[entry].duration + 1, float(times.max()) + _AROUND)
            windows.add((min(start, float(times.min())), max(end, float(times.max()))))
    if windows and duration <= _SHORT:
        return ((0.0, duration),)
    return tuple(sorted(windows))


def _apart(table: "_Table", times: NDArray[np.float64]) -> list["_Table"]:
    """The hits of one entry, in parts that lie so far apart that what lies between need not be looked at."""
    order = np.argsort(times[table.frame], kind="stable")
    breaks = np.flatnonzero(np.diff(times[table.frame[order]]) > 2 * _AROUND) + 1
    return [_Table(table.frame[p], table.at[p], table.distance[p]) for p in np.split(order, breaks)]


class _Query(Struct, frozen=True):
    """The frames that may be compared: seconds in their order, hashes, hits."""

    times: NDArray[np.float64]
    hashes: list[int]
    hits: list[Sequence[FrameHit]]


class _Table(Struct, frozen=True):
    """The hits of one entry, one a row: index of the query's frame, second of the banked one, distance."""

    frame: NDArray[np.int64]
    at: NDArray[np.float64]
    distance: NDArray[np.int64]


def _usable(frames: Sequence[Frame], hits: Sequence[Sequence[FrameHit]], quality: int) -> _Query:
    pairs = [(f, h) for f, h in zip(frames, hits, strict=True) if f.pdq.quality >= quality]
    pairs.sort(key=lambda pair: pair[0].at)
    times = np.array([f.at for f, _ in pairs], np.float64)
    return _Query(times, [int(f.pdq.hash, 16) for f, _ in pairs], [h for _, h in pairs])


def _by_entry(query: _Query, banked: Mapping[str, BankedClip]) -> dict[str, _Table]:
    rows: dict[str, list[tuple[int, float, int]]] = {}
    share = max(64, _HITS // max(1, len(query.hits)))
    for index, hits in enumerate(query.hits):
        of_frame: Counter[str] = Counter()
        for hit in hits if len(hits) <= share else sorted(hits, key=lambda hit: hit.distance):
            clip = banked.get(hit.entry)
            if clip is not None and clip.seconds and of_frame[hit.entry] < share:
                of_frame[hit.entry] += 1
                rows.setdefault(hit.entry, []).append((index, hit.at, hit.distance))
    return {entry: _table(found) for entry, found in rows.items()}


def _table(rows: list[tuple[int, float, int]]) -> _Table:
    frame, at, distance = zip(*rows, strict=True)
    return _Table(np.array(frame, np.int64), np.array(at, np.float64), np.array(distance, np.int64))


def _runs(entry: str, table: _Table, query: _Query, clip: BankedClip, duration: float) -> list[ClipMatch]:
    """The runs of the `clip` rule, one offset after the other, each frame in one run only."""
    found = []
    for _ in range(_OFFSETS):
        if not len(table.frame):
            break
        offset = _best_offset(*_intervals(table, query.times))
        near = np.abs(query.times[table.frame] - table.at - offset) <= TOLERANCE
        run = _longest_run(np.unique(table.frame[near]), query.times, offset, clip)
        inside = near & np.isin(table.frame, run)
        if len(run) >= min(LEAST, len(clip.seconds)) and _counts(run, table.at[inside], query, clip):
            found.append(_match(entry, "clip", run, inside, offset, table, query, clip, duration))
            gone = np.isin(table.frame, run)
        else:
            gone = near
        table = _Table(table.frame[~gone], table.at[~gone], table.distance[~gone])
    return found


def _intervals(table: _Table, times: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """From where to where the offset may lie by each frame's hits: those of one frame that overlap are made one."""
    offsets = times[table.frame] - table.at
    order = np.lexsort((offsets, table.frame))
    offsets, frame = offsets[order], table.frame[order]
    apart = (np.diff(offsets) > 2 * TOLERANCE) | (np.diff(frame) != 0)
    return offsets[np.r_[True, apart]] - TOLERANCE, offsets[np.r_[apart, True]] + TOLERANCE


def _best_offset(starts: NDArray[np.float64], ends: NDArray[np.float64]) -> float:
    """The offset that lies in most of the intervals; the middle, where a range of them does."""
    starts, ends = np.sort(starts), np.sort(ends)
    open_at = np.arange(1, len(starts) + 1) - np.searchsorted(ends, starts, side="left")
    best = int(np.argmax(open_at))
    return float(starts[best] + ends[np.searchsorted(ends, starts[best], side="left")]) / 2


def _longest_run(
    hit: NDArray[np.int64], times: NDArray[np.float64], offset: float, clip: BankedClip
) -> NDArray[np.int64]:
    """Of the frames that hit, those of the stretch with the most hits less misses (so that more than half of it hits)."""
    first = min(int(hit[0]), int(np.searchsorted(times, offset - TOLERANCE)))
    last = max(int(hit[-1]) + 1, int(np.searchsorted(times, offset + clip.duration, side="right")))
    scores = np.full(last - first, -1)
    scores[hit - first] = 1
    sums = np.concatenate(([0], np.cumsum(scores)))
    gains = sums[1:] - np.minimum.accumulate(sums)[:-1]
    stop = int(np.argmax(gains))
    start = int(np.argmin(sums[: stop + 1]))
    return hit[(hit >= first + start) & (hit <= first + stop)]


def _counts(run: NDArray[np.int64], at: NDArray[np.float64], query: _Query, clip: BankedClip) -> bool:
    """Whether a run shows more than one picture, or nearly all of the clip."""
    pictures = [query.hashes[i] for i in run]
    if any((pictures[0] ^ other).bit_count() > PDQ_DISTANCE for other in pictures):
        return True
    return _share(at, clip) >= VIDEO_SHARE


def _share(at: NDArray[np.float64], clip: BankedClip) -> float:
    """The part of the clip that was found: of its whole seconds, as a clip may hold several frames a second."""
    return len(np.unique(np.floor(at))) / len({int(second) for second in clip.seconds})


def _match(
    entry: str,
    how: Literal["video", "clip"],
    run: NDArray[np.int64],
    inside: NDArray[np.bool_],
    offset: float,
    table: _Table,
    query: _Query,
    clip: BankedClip,
    duration: float,
) -> ClipMatch:
    """`inside` are the rows of the table that belong to the run."""
    first, last = int(run[0]), int(run[-1])
    before = float(query.times[first - 1]) if first else 0.0
    behind = float(query.times[last + 1]) if last + 1 < len(query.times) else duration
    start = min(max(offset, before), float(query.times[first]))
    end = max(min(offset + clip.duration, behind), float(query.times[last]))
    nearest = np.full(len(query.times), 256)
    np.minimum.at(nearest, table.frame[inside], table.distance[inside])
    return ClipMatch(
        entry=entry,
        how=how,
        range=(round(start, 3), round(min(end, max(duration, start)), 3)),
        offset=round(offset, 3),
        share=_share(table.at[inside], clip),
        frames=len(run),
        distance=int(median(nearest[run].tolist())),
    )


def _whole(entry: str, table: _Table, query: _Query, clip: BankedClip, duration: float) -> list[ClipMatch]:
    """The `video` rule: enough of the query's different frames are near any frame of the clip."""
    run = np.unique(table.frame)
    hit = {query.hashes[i] for i in run}
    if len(hit) < VIDEO_SHARE * len(set(query.hashes)):
        return []
    everything = np.ones(len(table.frame), np.bool_)
    offset = _best_offset(*_intervals(table, query.times))
    match = _match(entry, "video", run, everything, offset, table, query, clip, duration)
    return [replace(match, range=(0.0, round(duration, 3)))]
