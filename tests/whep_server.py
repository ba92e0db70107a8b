"""A WHEP server on loopback made with aiortc: one endpoint, one scene, as many sessions as come."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

import av
import numpy as np
from aiohttp import web
from aiortc import (
    AudioStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
    VideoStreamTrack,
)
from numpy.typing import NDArray

from live_sounds import RATE
from media_clips import Scene

TOKEN = "let me see"
STEP = RATE // 50


class Shown(VideoStreamTrack):
    """A scene, 30 frames a second."""

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self._frames = [np.ascontiguousarray(scene(at / 30)) for at in range(60)]
        self._count = 0

    async def recv(self) -> av.VideoFrame:
        pts, base = await self.next_timestamp()
        frame = av.VideoFrame.from_ndarray(self._frames[self._count % 60], format="rgb24").reformat(
            format="yuv420p"
        )
        frame.pts, frame.time_base = pts, Fraction(base)
        self._count += 1
        return frame


class Spoken(AudioStreamTrack):
    """A sound (48 kHz, one channel), over and over."""

    def __init__(self, sound: NDArray[np.int16]) -> None:
        super().__init__()
        self._steps = len(sound) // STEP
        self._sound, self._count, self._began = sound, 0, time.monotonic()

    async def recv(self) -> av.AudioFrame:
        await asyncio.sleep(max(0.0, self._began + self._count * STEP / RATE - time.monotonic()))
        start = self._count % self._steps * STEP
        frame = av.AudioFrame.from_ndarray(
            self._sound[None, start : start + STEP], format="s16", layout="mono"
        )
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._count * STEP, Fraction(1, RATE)
        self._count += 1
        return frame


class WhepServer:
    """`sessions` are open; `ended` were deleted by their viewers."""

    def __init__(self, scene: Scene, port: int, sound: NDArray[np.int16] | None) -> None:
        self._scene, self.port, self._sound = scene, port, sound
        self.sessions: dict[str, RTCPeerConnection] = {}
        self.ended: list[str] = []
        self.url = f"whep+http://127.0.0.1:{port}/whep/one"

    async def begin(self, request: web.Request) -> web.Response:
        """POST with an offer: 201 and the answer."""
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return web.Response(status=401)
        if request.match_info["name"] != "one" or request.content_type != "application/sdp":
            return web.Response(status=404)
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        offer = await request.text()
        await peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        peer.addTrack(Shown(self._scene))
        if self._sound is not None and "m=audio" in offer:
            peer.addTrack(Spoken(self._sound))
        await peer.setLocalDescription(await peer.createAnswer())
        name = str(len(self.sessions) + len(self.ended))
        self.sessions[name] = peer
        headers = {"location": f"/whep/one/{name}"}
        return web.Response(
            status=201, text=peer.localDescription.sdp, content_type="application/sdp", headers=headers
        )

    async def end(self, request: web.Request) -> web.Response:
        """DELETE of a session."""
        name = request.match_info["session"]
        await self.sessions.pop(name).close()
        self.ended.append(name)
        return web.Response()

    async def drop(self) -> None:
        """The server ends all sessions by itself."""
        while self.sessions:
            await self.sessions.popitem()[1].close()


@contextmanager
def whep_server(scene: Scene, port: int, sound: NDArray[np.int16] | None = None) -> Iterator[WhepServer]:
    """A server whose sessions all end with it."""
    loop, server = asyncio.new_event_loop(), WhepServer(scene, port, sound)

    async def start() -> web.AppRunner:
        app = web.Application()
        app.router.add_post("/whep/{name}", server.begin)
        app.router.add_delete("/whep/{name}/{session}", server.end)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        return runner

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    runner = asyncio.run_coroutine_threadsafe(start(), loop).result(20)
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.drop(), loop).result(20)
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()
