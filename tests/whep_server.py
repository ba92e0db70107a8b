"""A WHEP server on loopback made with aiortc: one endpoint, one scene, as many sessions as come."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

import av
import numpy as np
from aiohttp import web
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack

from media_clips import Scene

TOKEN = "let me see"


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


class WhepServer:
    """`sessions` are open; `ended` were deleted by their viewers."""

    def __init__(self, scene: Scene, port: int) -> None:
        self._scene, self.port = scene, port
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
        await peer.setRemoteDescription(RTCSessionDescription(await request.text(), "offer"))
        peer.addTrack(Shown(self._scene))
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
def whep_server(scene: Scene, port: int) -> Iterator[WhepServer]:
    """A server whose sessions all end with it."""
    loop, server = asyncio.new_event_loop(), WhepServer(scene, port)

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
