"""LiveKit: its server API warns the streamer, mutes the picture, and ends the stream.

`livekit+http(s)://host:port/room?participant=identity` is one participant's stream, and ends by removing them; without a
participant the room is the stream: its warning goes to all, its end closes the room. Key and secret are the LiveKit
libraries' own variables, `LIVEKIT_API_KEY` and `LIVEKIT_API_SECRET`.

LiveKit cannot blur. Its nearest reversible act is to mute the video tracks: viewers see no picture. The streamer's own app
can unmute them, and the server only where its setting `room.enable_remote_unmute` is on. Nor can LiveKit keep out whom it
removed: that is the platform's, which gives out the passes. An app that loses its connection before it hears why joins again
by itself; who is back within a second is removed again. A warning is a data packet of the topic `underwing`, that the
platform's app shows.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
from aiohttp import ClientError, ClientTimeout
from livekit import api
from livekit.protocol.models import DataPacket, TrackType
from livekit.protocol.room import (
    DeleteRoomRequest,
    ListParticipantsRequest,
    MuteRoomTrackRequest,
    RoomParticipantIdentity,
    SendDataRequest,
)

from underwing.connectors.control import TIMEOUT, ControlError
from underwing.model import Decision

KEY, SECRET = "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"
TOPIC = "underwing"
_BACK_WITHIN, _TIMES = 1.0, 3


class LiveKit:
    """One participant's stream, or with an empty `identity` a whole room."""

    does = frozenset({"warn_streamer", "blur_stream", "end_stream"})
    undoes = frozenset({"blur_stream"})

    def __init__(self, url: str) -> None:
        """Of an address without its `livekit+`. Raises `ControlError` when it lacks something."""
        parts = urlsplit(url)
        base, _, room = parts.path.rpartition("/")
        if not room:
            raise ControlError("livekit: name the room: livekit+https://host/room?participant=identity")
        key, secret = os.environ.get(KEY), os.environ.get(SECRET)
        if not (key and secret):
            raise ControlError(f"livekit: set {KEY} and {SECRET}")
        self._server, self._key = f"{parts.scheme}://{parts.netloc}{base}", (key, secret)
        self._room, self._identity = unquote(room), parse_qs(parts.query).get("participant", [""])[0]

    def do(self, action: str, decision: Decision) -> None:
        """Warn, mute, or end. Raises `ControlError` when the server does not."""
        if action == "warn_streamer":
            self._ask(lambda server: self._warn(server, decision))
        elif action == "blur_stream":
            self._ask(lambda server: self._mute(server, True))
        else:
            self._ask(self._end)

    def undo(self, action: str) -> None:
        """Unmute. Raises `ControlError` when the server does not."""
        self._ask(lambda server: self._mute(server, False))

    def _ask(self, work: Callable[[api.LiveKitAPI], Awaitable[None]]) -> None:
        async def ask() -> None:
            limit = ClientTimeout(total=TIMEOUT)
            async with api.LiveKitAPI(self._server, *self._key, timeout=limit, failover=False) as server:
                await work(server)

        try:
            asyncio.run(ask())
        except api.TwirpError as error:
            raise ControlError(f"LiveKit: {error.message}") from None
        except (ClientError, OSError, TimeoutError) as error:
            raise ControlError(f"LiveKit did not answer: {error or type(error).__name__}") from None

    async def _warn(self, server: api.LiveKitAPI, decision: Decision) -> None:
        told = {"action": "warn_streamer", "event": decision.event, "stage": decision.stage}
        await server.room.send_data(
            SendDataRequest(
                room=self._room, data=msgspec.json.encode(told), kind=DataPacket.RELIABLE, topic=TOPIC,
                destination_identities=[self._identity] if self._identity else [],
            )
        )  # fmt: skip

    async def _mute(self, server: api.LiveKitAPI, muted: bool) -> None:
        found = await server.room.list_participants(ListParticipantsRequest(room=self._room))
        tracks = [
            (who.identity, track.sid)
            for who in found.participants
            for track in who.tracks
            if track.type == TrackType.VIDEO and self._identity in ("", who.identity)
        ]
        if not tracks:
            raise ControlError("nobody shows a picture there")
        for identity, sid in tracks:
            await server.room.mute_published_track(
                MuteRoomTrackRequest(room=self._room, identity=identity, track_sid=sid, muted=muted)
            )

    async def _end(self, server: api.LiveKitAPI) -> None:
        for _ in range(_TIMES):
            await self._drop(server)
            await asyncio.sleep(_BACK_WITHIN)
            if not await self._there(server):
                return
        raise ControlError("they join again at once: the platform has to refuse them")

    async def _drop(self, server: api.LiveKitAPI) -> None:
        if self._identity:
            who = RoomParticipantIdentity(room=self._room, identity=self._identity)
            await server.room.remove_participant(who)
        else:
            await server.room.delete_room(DeleteRoomRequest(room=self._room))

    async def _there(self, server: api.LiveKitAPI) -> bool:
        try:
            found = await server.room.list_participants(ListParticipantsRequest(room=self._room))
        except api.TwirpError as error:
            if error.code == api.TwirpErrorCode.NOT_FOUND:
                return False
            raise
        return any(
            not who.permission.hidden and self._identity in ("", who.identity) for who in found.participants
        )
