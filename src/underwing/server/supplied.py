"""`POST /v1/context`: a platform supplies what was said around an event that a case came of, in place of the buffer here."""

import asyncio
from collections.abc import Callable
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field

from underwing.casebook.cases import Casebook
from underwing.casebook.context import Line
from underwing.model.events import At, Id, Text
from underwing.server.http import Refusal, Request, Response
from underwing.server.media.asked import read_json
from underwing.server.routes import EVENTS, Route, Routes
from underwing.server.settings import Settings

MOST_LINES = 1_000
"""Messages in one request; what was sealed already is not sealed again, so that more can come in a second one."""
MAX_BODY = 8 << 20


class SuppliedLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One message, as it was sent to `/v1/events`."""

    id: Id
    at: At
    sender: Id = field(name="from")
    to: Annotated[list[Id], Meta(max_length=16)] = []
    text: Text


class NewContext(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was said: `event` names the decision that asked for a case, `conversation` where the messages stand."""

    event: Id
    conversation: Id
    messages: Annotated[list[SuppliedLine], Meta(min_length=1, max_length=MOST_LINES)]


class ContextAnswer(Struct, frozen=True, kw_only=True):
    """They are sealed: into which case, and how many of them were new there."""

    case: int
    sealed: int


TYPES = [NewContext, SuppliedLine, ContextAnswer]


class Supplied:
    """The route. The casebook refuses while it is not there."""

    def __init__(self, book: Callable[[], Casebook], settings: Settings) -> None:
        self._book, self._settings = book, settings

    def lay(self, routes: Routes) -> None:
        """Lay it."""
        routes.add("/v1/context", POST=Route("supply_context", self.post, EVENTS))

    async def post(self, request: Request) -> Response:
        """Seal messages into the case of an event."""
        book = self._book()
        asked: NewContext = await read_json(
            request, NewContext, MAX_BODY, seconds=self._settings.read_seconds
        )
        lines = [
            Line(event=one.id, at=int(one.at.timestamp()), sender=one.sender, to=tuple(one.to), text=one.text)
            for one in asked.messages
        ]
        case, sealed = await asyncio.to_thread(_sealed, book, asked, lines)
        request.counts = {"messages": len(lines)}
        return Response(msgspec.json.encode(ContextAnswer(case=case, sealed=sealed)), status=201)


def _sealed(book: Casebook, asked: NewContext, lines: list[Line]) -> tuple[int, int]:
    item = book.where(asked.event)
    if item is None:
        raise Refusal(404, "unknown_event", "this event is in no case")
    return item.case, book.supply(item.case, asked.conversation, lines)
