"""A LiveKit room, joined as a hidden participant that only receives: nobody in the room sees it, and it cannot publish.

The address is `livekit+ws(s)://host:port/room?participant=identity`. Key and secret are the LiveKit libraries' own
variables, `LIVEKIT_API_KEY` and `LIVEKIT_API_SECRET`; the pass made of them is for this room alone, for ten minutes.
A room is entered only while its streamer is in it, so that a watch neither makes a room nor holds one open for long.

While all is calm the server is told to send a picture for one look only: it asks the publisher for a keyframe then, and
nothing is sent or decoded between looks. The subscription itself is kept: to make and leave it costs three times as much
as a look. All video tracks of the streamer are looked at: a second one is no place to hide. Sound is subscribed to only
where somebody listens, and then all the time, each of the streamer's tracks by itself.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from secrets import token_hex
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
from av.video.frame import VideoFrame
from livekit import api, rtc
from livekit.protocol.room import RoomParticipantIdentity
from livekit.rtc._ffi_client import FfiClient
from livekit.rtc._proto.ffi_pb2 import FfiRequest

from underwing.live.senses import RATE
from underwing.live.source import Limits, SourceLost, now
from underwing.live.viewer import MOST_TRACKS, Heard, Shown

KEY, SECRET = "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"
logging.getLogger("livekit").setLevel(logging.ERROR)  # it warns of each frame that nobody waited for
_GRACE = 0.3
"""Seconds that the other pictures are waited for when one was there."""
_PIECE, _PIECES = 200, 50
"""Milliseconds of sound that are handed on together, and pieces that may wait; beyond, the oldest is lost."""
_NEWS: tuple[rtc.room.EventTypes, ...] = (
    "track_published", "track_unpublished", "track_subscribed", "track_unsubscribed", "track_muted", "track_unmuted",
    "participant_disconnected", "disconnected",
)  # fmt: skip
"""Events of a room after which what is waited for may have come."""


def way_in(url: str, limits: Limits, heard: Heard | None = None) -> "Callable[[], LiveKitRoom]":
    """What enters the room of an address.

    Raises:
        ValueError: room or participant are not named, or key and secret are not set.
    """
    parts = urlsplit(url.partition("+")[2])
    base, _, room = parts.path.rpartition("/")
    identity = parse_qs(parts.query).get("participant", [""])[0]
    if not (parts.hostname and room and identity):
        raise ValueError(
            "livekit: name the room and whose stream it is: livekit+wss://host/room?participant=identity"
        )
    key, secret = os.environ.get(KEY), os.environ.get(SECRET)
    if not (key and secret):
        raise ValueError(f"livekit: set {KEY} and {SECRET}")
    server = f"{parts.scheme}://{parts.netloc}{base}"
    return partial(LiveKitRoom, server, (key, secret), unquote(room), identity, limits, heard)


class LiveKitRoom:
    """One participant of one room. `key` is the server's with its secret."""

    def __init__(
        self, server: str, key: tuple[str, str], room: str, identity: str, limits: Limits, heard: Heard | None
    ) -> None:
        self._server, self._key, self._name, self._identity = server, key, room, identity
        self._limits, self._heard = limits, heard
        self._listening: asyncio.Task[None] | None = None
        self._room: Any = None
        self._news = asyncio.Event()
        self._looks: dict[str, asyncio.Task[Shown]] = {}

    async def enter(self) -> None:
        """Join, when the streamer is there, and wait for a picture."""
        await self._is_there()
        self._room = rtc.Room()
        for event in _NEWS:
            self._room.on(event, lambda *_: self._news.set())
        options = rtc.RoomOptions(
            auto_subscribe=False,
            # Gathering addresses again and again costs twice what all else does while nothing is subscribed to.
            rtc_config=rtc.RtcConfiguration(
                continual_gathering_policy=rtc.ContinualGatheringPolicy.GATHER_ONCE
            ),
            connect_timeout=self._limits.open,
        )
        try:
            await self._room.connect(self._server, self._pass(), options)
        except rtc.ConnectError as error:
            # What stands behind a question mark may be the address with the pass.
            raise SourceLost(f"cannot be joined: {error.message.partition('?')[0]}") from None
        if self._heard is not None:
            self._listening = asyncio.create_task(self._listen(self._heard))
        await self._until(lambda: bool(self._pictures()))

    async def look(self, stay: bool) -> list[Shown]:
        """A frame of each video track that is not muted. One that is slow (a screen that stands still) comes later."""
        pictures = {picture.sid: picture for picture in self._pictures()}
        if not pictures:
            raise SourceLost(f"{self._identity} shows no picture")
        for sid in self._looks.keys() - pictures.keys():
            self._looks.pop(sid).cancel()
        for sid, picture in pictures.items():
            if sid not in self._looks:
                self._looks[sid] = asyncio.create_task(self._frame(picture, stay))
        await asyncio.wait(self._looks.values(), return_when=asyncio.FIRST_COMPLETED)
        done, _ = await asyncio.wait(self._looks.values(), timeout=_GRACE)
        self._looks = {sid: one for sid, one in self._looks.items() if one not in done}
        return [one.result() for one in done]

    async def rest(self) -> None:
        """Wait until the streamer or the room is gone."""
        await self._until(lambda: False)

    async def leave(self) -> None:
        """Leave the room."""
        for one in (*self._looks.values(), *filter(None, [self._listening])):
            one.cancel()
        if self._room is not None:
            await self._room.disconnect()

    async def _is_there(self) -> None:
        who = RoomParticipantIdentity(room=self._name, identity=self._identity)
        try:
            async with api.LiveKitAPI(self._server, *self._key, failover=False) as server:
                await server.room.get_participant(who)
        except api.TwirpError as error:
            gone = error.code == api.TwirpErrorCode.NOT_FOUND
            raise SourceLost(f"{self._identity} is not in the room" if gone else error.message) from None
        except OSError as error:
            raise SourceLost(f"cannot be joined: {error}") from None

    def _pass(self) -> str:
        grants = api.VideoGrants(
            room_join=True, room=self._name, hidden=True, can_publish=False, can_publish_data=False
        )
        # LiveKit sends one of two participants of the same name away.
        name = f"underwing-watch-{token_hex(8)}"
        made = api.AccessToken(*self._key).with_identity(name).with_grants(grants)
        return made.with_ttl(timedelta(minutes=10)).to_jwt()

    def _pictures(self) -> list[rtc.RemoteTrackPublication]:
        return self._tracks(rtc.TrackKind.KIND_VIDEO)

    def _tracks(self, kind: Any) -> list[rtc.RemoteTrackPublication]:
        """The streamer's tracks of a kind that are not muted."""
        who = self._room.remote_participants.get(self._identity)
        found = who.track_publications.values() if who is not None else ()
        return [one for one in found if one.kind == kind and not one.muted]

    async def _listen(self, heard: Heard) -> None:
        """Listen to each sound track of the streamer for as long as it is there and not muted."""
        hearing: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                sounds = {one.sid: one for one in self._tracks(rtc.TrackKind.KIND_AUDIO)[:MOST_TRACKS]}
                for sid in hearing.keys() - sounds.keys():
                    hearing.pop(sid).cancel()
                for sid, sound in sounds.items():
                    if sid not in hearing:
                        hearing[sid] = asyncio.create_task(self._hear(sound, heard))
                self._news.clear()
                await self._news.wait()
        finally:
            for one in hearing.values():
                one.cancel()

    async def _hear(self, sound: rtc.RemoteTrackPublication, heard: Heard) -> None:
        sound.set_subscribed(True)
        with suppress(SourceLost):  # who looks is told
            await self._until(lambda: sound.track is not None)
        if sound.track is None:
            return
        pieces = rtc.AudioStream(
            sound.track, capacity=_PIECES, sample_rate=RATE, num_channels=1, frame_size_ms=_PIECE
        )
        try:
            async for event in pieces:
                samples = np.frombuffer(event.frame.data, np.int16)
                heard(sound.sid, np.divide(samples, 32768, dtype=np.float32), now())
        finally:
            await pieces.aclose()

    async def _frame(self, picture: rtc.RemoteTrackPublication, stay: bool) -> Shown:
        if picture.track is None:
            picture.set_subscribed(True)
            await self._until(lambda: picture.track is not None)
        else:
            _send(picture, True)
        assert picture.track is not None
        # A stream of frames is opened for each look: the library copies every frame that it hands out.
        frames = rtc.VideoStream(picture.track, capacity=1)
        try:
            event = await anext(frames)
            if not stay:
                _send(picture, False)
            return Shown(_picture(event.frame), now())
        finally:
            await frames.aclose()

    async def _until(self, true: Callable[[], bool]) -> None:
        while True:
            self._news.clear()
            if not self._room.isconnected():
                raise SourceLost("the room was closed, or the connection to it broke off")
            if self._identity not in self._room.remote_participants:
                raise SourceLost(f"{self._identity} left the room")
            if true():
                return
            await self._news.wait()


def _send(picture: rtc.RemoteTrackPublication, sent: bool) -> None:
    """Have the server send a subscribed picture, or not: of this the library's Python part knows nothing yet."""
    asked = FfiRequest()
    asked.enable_remote_track_publication.track_publication_handle = picture._ffi_handle.handle
    asked.enable_remote_track_publication.enabled = sent
    FfiClient.instance.request(asked)


def _picture(frame: Any) -> VideoFrame:
    """A frame of three planes (I420) as FFmpeg's, whose lines may be padded."""
    made = VideoFrame(frame.width, frame.height, "yuv420p")
    for number, plane in enumerate(made.planes):
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        rows[: plane.height, : plane.width] = np.frombuffer(frame.get_plane(number), np.uint8).reshape(
            plane.height, plane.width
        )
    return made
