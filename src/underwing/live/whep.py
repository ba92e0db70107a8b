"""A stream by WHEP: WebRTC with one HTTP request to begin it (`whep+https://host/path`).

Source: draft-ietf-wish-whep: the offer is posted as `application/sdp`, 201 brings the answer and the session's address,
which is deleted at the end. Where a server asks for a token, it is `WHEP_TOKEN`. The library decodes every frame that
comes, and WHEP has no word for "send nothing for a while": so while all is calm a session lasts for one look, and between
looks there is none. Where somebody listens, sound is asked for too, and heard while a session stays.
"""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn
from urllib.parse import urljoin, urlsplit

import av
import httpx2
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from av.video.frame import VideoFrame

from underwing.live.senses import RATE
from underwing.live.source import Limits, SourceLost, now
from underwing.live.viewer import Heard, Shown

TOKEN = "WHEP_TOKEN"  # noqa: S105
_SDP = "application/sdp"


def way_in(url: str, limits: Limits, heard: Heard | None = None) -> "Callable[[], WhepSession]":
    """What begins a session at an address. Raises `ValueError` when it names no server."""
    address = url.partition("+")[2]
    if not urlsplit(address).hostname:
        raise ValueError("whep: name the endpoint: whep+https://host/path")
    return partial(WhepSession, address, limits, os.environ.get(TOKEN, ""), heard)


class WhepSession:
    """One session of one endpoint."""

    def __init__(self, endpoint: str, limits: Limits, token: str = "", heard: Heard | None = None) -> None:
        self._endpoint, self._heard = endpoint, heard
        self._client = httpx2.AsyncClient(timeout=limits.open, trust_env=False)
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        self._session = ""
        self._peer: Any = None
        self._readers: list[asyncio.Task[None]] = []
        self._next: asyncio.Future[Shown] | None = None
        self._lost: asyncio.Event = asyncio.Event()

    async def enter(self) -> None:
        """Begin a session, and wait for its first frame."""
        await self._begin()
        await self._frame()

    async def look(self, stay: bool) -> list[Shown]:
        """The next frame that comes, in a new session where there is none."""
        if self._peer is None:
            await self._begin()
        shown = await self._frame()
        if not stay:
            await self._end()
        return [shown]

    async def rest(self) -> NoReturn:
        """Wait until the session has ended, or, where there is none, for as long as one likes."""
        await self._lost.wait()
        raise SourceLost("the session was closed, or the connection broke off")

    async def leave(self) -> None:
        """End the session, and what asked for it."""
        await self._end()
        await self._client.aclose()

    async def _end(self) -> None:
        peer, session, readers = self._peer, self._session, self._readers
        self._peer, self._session, self._readers = None, "", []
        self._lost = asyncio.Event()
        if session:
            with suppress(SourceLost):
                await self._ask("DELETE", session)
        if peer is not None:
            await peer.close()
        for reader in readers:
            reader.cancel()

    async def _begin(self) -> None:
        """Offer to receive one picture, and the sound where somebody listens."""
        self._peer = peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        peer.on("track", self._receive)
        peer.on("connectionstatechange", partial(self._changed, peer, self._lost))
        peer.addTransceiver("video", direction="recvonly")
        if self._heard is not None:
            peer.addTransceiver("audio", direction="recvonly")
        await peer.setLocalDescription(await peer.createOffer())
        answer = await self._ask("POST", self._endpoint, peer.localDescription.sdp)
        self._session = urljoin(self._endpoint, answer.headers.get("location", ""))
        try:
            await peer.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
        except ValueError as error:
            raise SourceLost(f"its answer cannot be read: {error}") from None

    async def _frame(self) -> Shown:
        coming: asyncio.Future[Shown] = asyncio.get_running_loop().create_future()
        self._next = coming
        lost = asyncio.create_task(self._lost.wait())
        await asyncio.wait((coming, lost), return_when=asyncio.FIRST_COMPLETED)
        lost.cancel()
        return await coming if coming.done() else await self.rest()

    def _receive(self, track: Any) -> None:
        if track.kind == "video":
            self._readers.append(asyncio.ensure_future(self._read(track, self._lost)))
        elif self._heard is not None:
            self._readers.append(asyncio.ensure_future(self._hear(track, self._heard)))

    @staticmethod
    async def _hear(track: Any, heard: Heard) -> None:
        resampler = av.AudioResampler("flt", "mono", RATE)
        with suppress(MediaStreamError):
            while True:
                for part in resampler.resample(await track.recv()):
                    heard(track.id, part.to_ndarray()[0], now())

    async def _read(self, track: Any, lost: asyncio.Event) -> None:
        with suppress(MediaStreamError):
            while True:
                frame: VideoFrame = await track.recv()
                if self._next is not None and not self._next.done():
                    self._next.set_result(Shown(frame, now()))
        lost.set()

    @staticmethod
    def _changed(peer: Any, lost: asyncio.Event) -> None:
        if peer.connectionState in ("failed", "closed", "disconnected"):
            lost.set()

    async def _ask(self, method: str, url: str, sdp: str = "") -> httpx2.Response:
        headers = self._headers | ({"content-type": _SDP, "accept": _SDP} if sdp else {})
        try:
            answer = await self._client.request(method, url, content=sdp or None, headers=headers)
        except httpx2.HTTPError as error:
            raise SourceLost(f"did not answer: {error or type(error).__name__}") from None
        if sdp and answer.status_code != 201:
            raise SourceLost(f"the server answered {answer.status_code}")
        return answer
