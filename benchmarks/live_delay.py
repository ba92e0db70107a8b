"""How long it takes from a frame leaving its publisher to the decision about it, over RTMP and over LiveKit.

Method: a publisher in a process of its own shows moving scenery (720p, 30 frames a second), and at random times cuts to one
of 24 pictures that are in a bank. It notes its clock (`time.monotonic`, one for the whole machine) when the first frame of
the picture is handed to the encoder. The watch is raised: two looks a second. The delay ends when the engine has decided on
the match, so it holds encoding, the server, the network (loopback), the wait for the next look (up to 0.5 s), decoding,
hashing and matching. Our own share runs from the packet's arrival (LiveKit: the decoded frame's) to the decision.
RTMP: nginx with its RTMP module, x264 ultrafast without look-ahead, a keyframe in two seconds. LiveKit: its server and SDK.
"""

import argparse
import asyncio
import multiprocessing
import os
import queue
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path

import av
import numpy as np
from livekit import api, rtc
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from live_servers import rtmp_server
from livekit_servers import KEY, SECRET, i420, livekit_server
from media_clips import KNOWN, OTHER, panned
from media_files import encoded
from underwing.banks.banked import entry_hashes
from underwing.banks.checker import FollowingIndex
from underwing.banks.entries import Bank, Entry
from underwing.banks.matching import Matcher
from underwing.banks.store import Store
from underwing.cli.engine import build_engine
from underwing.engine import Engine, MemoryState
from underwing.live.eye import views_of
from underwing.live.guard import Guard, Watched
from underwing.live.watch import Sighting, Watch
from underwing.media.hashing import look_to_bank
from underwing.model import Event

SIZE, RATE, LEAD = (1280, 720), 30, 12.0
"""`LEAD` seconds of scenery come first: a watch takes some to begin."""
SHOWN, GAP = 1.0, (0.8, 1.8)
"""Seconds that a picture stands, and that lie between two."""
_SCENERY = "motorcycle_left"
STREAM = Watched(id="s", streamer="kid", conversation="c")
BARS = {"RTMP": 2.0, "LiveKit": 1.0}
OWN = 0.150


def pictures() -> list[np.ndarray]:
    """The 24 pictures of the bank: views of eight photos."""
    names = [name for name in (*KNOWN, *OTHER) if name != _SCENERY]
    return [panned(name, width=SIZE[0], height=SIZE[1])(at) for name in names for at in (0.0, 2.7, 5.4)]


def plan(shows: int) -> Iterator[int | None]:
    """For each frame which picture it shows (None: scenery)."""
    chance = random.Random(5)
    yield from [None] * round(LEAD * RATE)
    for number in range(shows):
        yield from [number % 24] * round(SHOWN * RATE)
        yield from [None] * round(chance.uniform(*GAP) * RATE)


def publish(show: Callable[[np.ndarray], object], shows: int) -> Iterator[tuple[object, int | None]]:
    """(frame, which picture) in real time; `show` makes a frame of a picture, beforehand."""
    scenery = panned(_SCENERY, speed=0.5, width=SIZE[0], height=SIZE[1])
    moving = [show(scenery(at / RATE)) for at in range(4 * RATE)]
    known = [show(picture) for picture in pictures()]
    due = time.monotonic()
    for number, which in zip(count(), plan(shows), strict=False):
        time.sleep(max(0.0, due - time.monotonic()))
        due += 1 / RATE
        yield (moving[number % len(moving)] if which is None else known[which]), which


class Notes:
    """When each picture first left."""

    def __init__(self) -> None:
        self.made: list[tuple[int, float]] = []
        self._before: int | None = None

    def take(self, which: int | None) -> None:
        """Before each frame."""
        if which is not None and which != self._before:
            self.made.append((which, time.monotonic()))
        self._before = which


def over_rtmp(url: str, shows: int, back: Connection) -> None:
    """A publisher with x264."""
    notes = Notes()
    with av.open(url, "w", format="flv") as out:
        stream = out.add_stream(
            "libx264", rate=RATE, options={"preset": "ultrafast", "tune": "zerolatency", "g": "60"}
        )
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        frames = publish(
            lambda p: av.VideoFrame.from_ndarray(p, format="rgb24").reformat(format="yuv420p"), shows
        )
        for number, (frame, which) in enumerate(frames):
            notes.take(which)
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    back.send(notes.made)


def over_livekit(url: str, shows: int, back: Connection) -> None:
    """A publisher with LiveKit's SDK (VP8)."""

    async def run() -> None:
        notes, room = Notes(), rtc.Room()
        grants = api.VideoGrants(room_join=True, room="delay")
        await room.connect(
            url, api.AccessToken(KEY, SECRET).with_identity("sam").with_grants(grants).to_jwt()
        )
        source = rtc.VideoSource(*SIZE)
        track = rtc.LocalVideoTrack.create_video_track("camera", source)
        await room.local_participant.publish_track(track, rtc.TrackPublishOptions(simulcast=False))
        for frame, which in publish(lambda p: i420(p, SIZE), shows):
            notes.take(which)
            source.capture_frame(frame)
            await asyncio.sleep(0)
        await room.disconnect()
        back.send(notes.made)

    asyncio.run(run())


@contextmanager
def bank() -> Iterator[Matcher]:
    """A bank of the pictures, by their numbers."""
    store = Store.open(":memory:")
    store.create_bank(Bank(name="known"), by="t", now=0)
    for number, picture in enumerate(pictures()):
        hashes = entry_hashes(look_to_bank(encoded(Image.fromarray(picture))))
        store.put("known", [Entry(id=str(number), label="test", hashes=hashes, media="image")], by="t", now=0)
    yield Matcher(store.lookups, FollowingIndex())
    store.close()


def spent(engine: Engine, matcher: Matcher, times: int) -> float:
    """Processor seconds from a decoded frame that matches to the decision, the median; also makes what is made once."""
    frame = av.VideoFrame.from_ndarray(pictures()[0], format="rgb24").reformat(format="yuv420p")
    state, each = MemoryState(), []
    for number in range(times):
        began, guard = time.thread_time(), Guard(Watched(id=f"s{number}", streamer="kid", conversation="c"))
        sighting = Sighting(
            second=0, at=number, took=0, views=views_of(frame), width=1, height=1, raised=True
        )
        for event in judged(sighting, matcher, guard):
            engine.step(state, event)
        each.append(time.thread_time() - began)
    return float(np.median(each))


def judged(sighting: Sighting, matcher: Matcher, guard: Guard) -> list[Event]:
    """The events of a sighting."""
    return guard.seen(sighting, matcher.match_hashes([], [(v.how, v.pdq) for v in sighting.views]).matches)


def decide(
    url: str, engine: Engine, matcher: Matcher, until: Callable[[], bool]
) -> list[tuple[int, float, float]]:
    """(picture, when it was decided on, our own share in seconds) of a raised watch."""
    state, guard = MemoryState(), Guard(STREAM)
    told: queue.SimpleQueue[Sighting] = queue.SimpleQueue()
    eye = Watch(url, told.put, lambda _: None)
    eye.raise_for(1e9)
    thread = threading.Thread(target=eye.run, daemon=True)
    thread.start()
    made = []
    while not until():
        try:
            sighting = told.get(timeout=1)
        except queue.Empty:
            continue
        for event in judged(sighting, matcher, guard):
            engine.step(state, event)
            share = time.time() - sighting.at
            made += [(int(match.entry), time.monotonic(), share) for match in event.matches]
    eye.stop()
    thread.join(20)
    return made


def measure(
    name: str, work: Callable[..., None], target: str, url: str, shows: int, engine: Engine, matcher: Matcher
) -> None:
    """One way: publish, watch, print."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe(duplex=False)
    publisher = spawn.Process(target=work, args=(target, shows, there))
    publisher.start()
    there.close()
    left: list[tuple[int, float]] = []

    ended = 0.0

    def over() -> bool:
        nonlocal ended
        if not left and here.poll():
            left.extend(here.recv())
            ended = time.monotonic()
        return bool(left) and time.monotonic() - ended > 3

    decided = decide(url, engine, matcher, over)
    publisher.join(20)
    report(name, left, decided)


def report(name: str, left: list[tuple[int, float]], decided: list[tuple[int, float, float]]) -> None:
    """The delays of all pictures that were shown, and of our own share."""
    delays, shares = [], []
    for which, at in left:  # the same picture comes again after some 50 s
        found = [
            (when - at, share) for entry, when, share in decided if entry == which and at <= when < at + 10
        ]
        if found:
            delays.append(found[0][0])
            shares.append(found[0][1])
    half, most = np.percentile(delays, [50, 95])
    own, own_most = np.percentile(shares, [50, 95])
    print(
        f"{name}: {len(left)} pictures shown, {len(delays)} found; delay p50 {half:.2f} s, p95 {most:.2f} s, bar "
        f"{BARS[name]:g} s: {'met' if most <= BARS[name] else 'missed'}; our own share p50 {own * 1e3:.0f} ms, p95 "
        f"{own_most * 1e3:.0f} ms, bar {OWN * 1e3:.0f} ms: {'met' if own_most <= OWN else 'missed'}",
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shows", type=int, default=100)
    given = parser.parse_args()
    print(__doc__)
    os.environ |= {"LIVEKIT_API_KEY": KEY, "LIVEKIT_API_SECRET": SECRET}
    with bank() as matcher, tempfile.TemporaryDirectory() as folder:
        engine = build_engine(None, None)
        print(
            f"from a decoded frame to the decision: {spent(engine, matcher, 50) * 1e3:.0f} ms of processor time",
            flush=True,
        )
        with rtmp_server(Path(folder) / "nginx") as nginx:
            url = nginx.url("delay")
            measure("RTMP", over_rtmp, url, url, given.shows, engine, matcher)
        with livekit_server() as livekit:
            url = livekit.watched("delay", "sam")
            measure("LiveKit", over_livekit, livekit.url, url, given.shows, engine, matcher)


if __name__ == "__main__":
    main()
