"""`POST /v1/streams/hooks/{server}`: a media server says what is published, and what no longer is."""

import logging
import time
from collections.abc import Callable, Mapping

import msgspec
from msgspec import Struct

from underwing.server.http import Refusal, Request, Response
from underwing.server.keys import token_of
from underwing.server.limits import read_body
from underwing.server.logs import note
from underwing.server.metrics import Metrics
from underwing.server.routes import Route, Routes
from underwing.server.streams.hooks.config import HookError, Server
from underwing.server.streams.hooks.said import (
    Said,
    prove_shared,
    prove_signed,
    said_by_livekit,
    said_in_form,
    unproven,
)
from underwing.server.streams.streams import Streams

MAX_BODY = 64 * 1024
READ_SECONDS = 5


class HookAnswer(Struct, frozen=True, kw_only=True):
    """What followed from a hook: a watch was `started`, some were `stopped`, or `nothing`; `problem` says why a stream that
    starts is not watched."""

    followed: str
    problem: str = ""


class Hooks:
    """The hooks of the servers of the operator's file."""

    def __init__(
        self, servers: Mapping[str, Server], streams: Callable[[], Streams], metrics: Metrics
    ) -> None:
        self._servers, self._streams, self._metrics = servers, streams, metrics

    def lay(self, routes: Routes) -> None:
        """Put them into the table: they prove themselves by what is in the file, not by a key."""
        routes.add("/v1/streams/hooks/{server}", POST=Route("stream_hook", self.post))

    async def post(self, request: Request, name: str) -> Response:
        """Take one hook."""
        body = await read_body(
            request.receive, request.declared_length(), MAX_BODY, "a hook", seconds=READ_SECONDS
        )
        server = self._servers.get(name)
        if server is None:
            raise unproven()
        said = self._said(server, request, body)
        followed, problem = "nothing", ""
        try:
            if said.what == "start":
                problem = await self._start(name, server, said)
                followed = "nothing" if problem else "started"
            elif said.what == "stop":
                ended = await self._streams().end_sessions(f"{name}:{said.session}", "the publisher ended it")
                followed = "stopped" if ended else "nothing"
        except Refusal as refusal:  # the stream goes on whatever becomes of its watch
            problem = refusal.message
        if problem:
            self._metrics.rejected.labels("stream_hook").inc()
            note("stream_not_watched", logging.ERROR, None, server=name, problem=problem)
        return Response(msgspec.json.encode(HookAnswer(followed=followed, problem=problem)))

    def _said(self, server: Server, request: Request, body: bytes) -> Said:
        header = request.header(b"authorization") or b""
        if server.kind == "livekit":
            token = token_of(header) or header.strip().decode("latin-1")
            prove_signed(server, token, body, int(time.time()))
            return said_by_livekit(body)
        query = request.query()
        given = query.pop("secret", "")
        prove_shared(server, token_of(header, basic=True) or given)
        return said_in_form(server, body, query)

    async def _start(self, name: str, server: Server, said: Said) -> str:
        """Watch what is published; what hinders, "" for nothing. An older publishing of the same stream makes way."""
        try:
            asked = server.asked(said.fields)
        except HookError as error:
            return str(error)
        streams, session = self._streams(), f"{name}:{said.session}"
        for one in streams.live():
            if one.id == asked.id and one.asked != asked:
                await streams.end(one.id, "published anew by other terms")
        await streams.begin(asked, session)
        return ""
