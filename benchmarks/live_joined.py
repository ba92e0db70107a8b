"""What watching joined streams (LiveKit rooms, WHEP) costs the watcher: cores a stream, calm and raised.

Method: a publisher in a process of its own shows a moving photo (720p, 30 frames a second) to a LiveKit server; to a WHEP
server made with aiortc. Here run watches in threads, so many at once, and the share of a core is processor time of this
process (`time.process_time`, all threads, the libraries' own too) by time gone by, for each stream. Calm: a look in ten
seconds, for which LiveKit's server is told to send the picture, then to stop, and for which a WHEP session begins and ends.
Raised: two a second. The peer reads every frame with LiveKit's SDK, and the same without reading shows what receiving and
decoding alone take. With voices: a room whose streamer speaks half the time; voices are looked for in all of it while calm,
no words are made. Kept: the looks and the sound are held as rolling evidence too.
"""

import argparse
import asyncio
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import numpy as np
from livekit import api, rtc

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from live_servers import free_port
from live_words import spoken
from livekit_servers import KEY, SECRET, LiveKitServer, livekit_server, publishing
from media_clips import panned
from underwing.live.attention import Attention, Senses
from underwing.live.keeping import LastSeconds
from underwing.live.rolling import Keep
from underwing.live.thinker import Thinker
from underwing.live.watch import Watch
from underwing.live.whisper import SileroVoices
from whep_server import TOKEN, whep_server

SIZE, RATE = (1280, 720), 30
SETTLE = 8.0
"""Seconds until everything has begun."""


def publish(port: int, ready: Event, stop: Event) -> None:
    """A publisher to a LiveKit room."""
    server = LiveKitServer(port, None)  # type: ignore[arg-type]
    scene = panned("coffee", speed=0.2, width=SIZE[0], height=SIZE[1])
    with publishing(server, "cost", "sam", scene, size=SIZE, rate=RATE):
        ready.set()
        stop.wait()


def publish_speaking(port: int, ready: Event, stop: Event) -> None:
    """A publisher to another room, who speaks half the time."""
    server = LiveKitServer(port, None)  # type: ignore[arg-type]
    scene = panned("coffee", speed=0.2, width=SIZE[0], height=SIZE[1])
    said = spoken("We will play another round, and then I have to do my homework.")
    sound = np.concatenate([said, np.zeros(len(said), np.int16)])
    with publishing(server, "heard", "sam", scene, size=SIZE, rate=RATE, sound=sound):
        ready.set()
        stop.wait()


def serve(port: int, ready: Event, stop: Event) -> None:
    """A WHEP server."""
    with whep_server(panned("coffee", speed=0.2, width=SIZE[0], height=SIZE[1]), port):
        ready.set()
        stop.wait()


@contextmanager
def elsewhere(work: Callable[[int, Event, Event], None], port: int) -> Iterator[None]:
    """Run in another process."""
    spawn = multiprocessing.get_context("spawn")
    ready, stop = spawn.Event(), spawn.Event()
    process = spawn.Process(target=work, args=(port, ready, stop))
    process.start()
    try:
        assert ready.wait(120), "nothing was published"
        yield
    finally:
        stop.set()
        process.join(30)


def watching(
    urls: list[str], raised: bool, seconds: float, voices: SileroVoices | None = None, *, kept: bool = False
) -> tuple[float, float]:
    """(cores a stream, looks a second and stream) of watches side by side; `kept`: their last seconds are."""
    attentions = [Attention(Senses(voices=voices), Thinker(), lambda _: None) for _ in urls]
    keepers = [LastSeconds(Keep()) for _ in urls]

    def sounded(attention: Attention, keeper: LastSeconds, *sound: Any) -> None:
        attention.sounded(*sound)
        if kept:
            keeper.sounded(*sound)

    eyes = [
        Watch(
            url, lambda _: None, lambda _: None, looked=keeper.looked if kept else None,
            sounded=partial(sounded, one, keeper) if one.listens else None,
        )
        for url, one, keeper in zip(urls, attentions, keepers, strict=True)
    ]  # fmt: skip
    threads = [threading.Thread(target=eye.run, daemon=True) for eye in eyes]
    for eye, thread in zip(eyes, threads, strict=True):
        if raised:
            eye.raise_for(1e9)
        thread.start()
    time.sleep(SETTLE)
    looks, began, spent = sum(eye.health.looks for eye in eyes), time.monotonic(), time.process_time()
    time.sleep(seconds)
    gone = time.monotonic() - began
    cores = (time.process_time() - spent) / gone / len(urls)
    looks = sum(eye.health.looks for eye in eyes) - looks
    for eye in eyes:
        eye.stop()
    for thread in threads:
        thread.join(30)
    assert voices is None or all(one.voice > 0.2 for one in attentions), "nobody was heard"
    return cores, looks / gone / len(urls)


async def received(server: LiveKitServer, read: bool, seconds: float) -> float:
    """Cores that LiveKit's SDK takes to receive one picture, and to hand on all its frames."""
    room, subscribed = rtc.Room(), asyncio.Event()
    room.on("track_subscribed", lambda *_: subscribed.set())
    grants = api.VideoGrants(room_join=True, room="cost", hidden=True)
    await room.connect(
        server.url, api.AccessToken(KEY, SECRET).with_identity("peer").with_grants(grants).to_jwt()
    )
    await subscribed.wait()
    (picture,) = room.remote_participants["sam"].track_publications.values()
    frames = rtc.VideoStream(picture.track) if read else None
    await asyncio.sleep(2)
    began, spent = time.monotonic(), time.process_time()
    while time.monotonic() - began < seconds:
        await (anext(frames) if frames is not None else asyncio.sleep(0.5))
    cores = (time.process_time() - spent) / (time.monotonic() - began)
    if frames is not None:
        await frames.aclose()
    await room.disconnect()
    return cores


def show(name: str, many: int, measured: tuple[float, float], full: float) -> None:
    """One line."""
    cores, looks = measured
    print(
        f"{name}, {many:3} at once: {cores:.4f} cores a stream ({cores / full:.2f} of the peer), {looks:.2f} looks/s",
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--many", type=int, nargs="*", default=[1, 10])
    given = parser.parse_args()
    print(__doc__)
    os.environ |= {"LIVEKIT_API_KEY": KEY, "LIVEKIT_API_SECRET": SECRET, "WHEP_TOKEN": TOKEN}
    with livekit_server() as server, elsewhere(publish, server.port):
        full = asyncio.run(received(server, True, given.seconds / 2))
        alone = asyncio.run(received(server, False, given.seconds / 2))
        print(
            f"LiveKit's SDK: {full:.4f} cores to read every frame (the peer), {alone:.4f} to receive without reading"
        )
        url = server.watched("cost", "sam")
        watching([url], False, 3)  # everything is loaded
        for many in given.many:
            show("LiveKit, calm", many, watching([url] * many, False, given.seconds), full)
        show("LiveKit, raised", 1, watching([url], True, given.seconds), full)
        show("LiveKit, raised, kept", 1, watching([url], True, given.seconds, kept=True), full)
        with elsewhere(publish_speaking, server.port):
            url, voices = server.watched("heard", "sam"), SileroVoices()
            for many in given.many:
                measured = watching([url] * many, False, given.seconds, voices)
                show("LiveKit, calm, with voices", many, measured, full)
                measured = watching([url] * many, False, given.seconds, voices, kept=True)
                show("LiveKit, calm, with voices, kept", many, measured, full)
    port = free_port()
    with elsewhere(serve, port):
        url = f"whep+http://127.0.0.1:{port}/whep/one"
        watching([url], False, 3)
        show("WHEP, calm", 1, watching([url], False, given.seconds), full)
        show("WHEP, raised", 1, watching([url], True, given.seconds / 2), full)
        show("WHEP, raised, kept", 1, watching([url], True, given.seconds / 2, kept=True), full)


if __name__ == "__main__":
    main()
