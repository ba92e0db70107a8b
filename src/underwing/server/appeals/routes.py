"""The appeals under `/v1`: a token for an account holder, filing for a platform with pages of its own, and how it ended."""

import asyncio
import time
from collections.abc import Callable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from underwing.casebook.appeals import Appeal, AppealError, Appeals, Given, Statement, statement
from underwing.casebook.appeals.tokens import DAYS, LONGEST_DAYS
from underwing.casebook.appeals.values import MOST_TEXT, Kind, State
from underwing.casebook.cases import Casebook
from underwing.model import Decision
from underwing.server.http import Refusal, Request, Response
from underwing.server.ingest import Ingest
from underwing.server.media.asked import read_json
from underwing.server.routes import EVENTS, Route, Routes
from underwing.server.settings import Settings

PAGE = "/appeal"
MAX_BODY = 64 * 1024
_decision = msgspec.json.Decoder(Decision).decode
_Id = Annotated[str, Meta(min_length=1, max_length=64)]
_Token = Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{43}$")]


class NewToken(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose decision the token is about. Without `event` and measures it is good for a complaint about automated
    detection in general only."""

    account: _Id
    event: _Id | None = None
    given: Given = Given()
    language: Literal["en", "de"] = "en"
    days: Annotated[int, Meta(ge=1, le=LONGEST_DAYS)] = DAYS


class TokenAnswer(Struct, frozen=True, kw_only=True):
    """A token, shown this once; `path` of this service with it, for the account holder; when it runs out (epoch seconds);
    and what the page will say."""

    token: str
    path: str
    expires: int
    statement: Statement | None


class NewAppeal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an account holder wrote on a page of the platform's own."""

    token: _Token
    kind: Kind = "decision"
    text: Annotated[str, Meta(min_length=1, max_length=MOST_TEXT)]


class AppealAnswer(Struct, frozen=True, kw_only=True):
    """How an appeal stands. `restore`: the decision was wrong, what followed from it is to be undone; with `partly` the
    platform decides what. `pending`: what this service has still to do about it. `answer` is what the account holder is
    told. `independent` false: whoever decided had decided the first time too, since nobody else was there."""

    id: str
    kind: Kind
    account: str
    event: str
    state: State
    filed: int
    due: int
    decided: int | None
    restore: bool
    answer: str
    pending: tuple[str, ...]
    independent: bool | None = None


TYPES = [NewToken, TokenAnswer, NewAppeal, AppealAnswer]


class AppealRoutes:
    """The routes. What lies behind them refuses while it is not there."""

    def __init__(
        self,
        appeals: Callable[[], Appeals],
        book: Callable[[], Casebook],
        ingest: Callable[[], Ingest],
        settings: Settings,
    ) -> None:
        self._appeals, self._book, self._ingest, self._settings = appeals, book, ingest, settings

    def lay(self, routes: Routes) -> None:
        """Put them into the table."""
        routes.add("/v1/appeals/tokens", POST=Route("appeal_token", self.token, EVENTS))
        routes.add("/v1/appeals", POST=Route("file_appeal", self.file, EVENTS))
        routes.add("/v1/appeals/{id}", GET=Route("appeal", self.get, EVENTS))

    async def token(self, request: Request) -> Response:
        """Make a token for an account holder."""
        appeals, ingest = self._appeals(), self._ingest()
        asked: NewToken = await read_json(request, NewToken, MAX_BODY, seconds=self._settings.read_seconds)
        told = None
        if asked.event is not None:
            event = asked.event
            body = await ingest.call(lambda: ingest.runner.decision(event))
            if body is None:
                raise Refusal(404, "unknown_event", "no decision was given for this id")
            decision = _decision(body)
            if decision.actor != asked.account:
                raise Refusal(422, "other_account", "the decision is not about this account")
            told = await asyncio.to_thread(self._told, event, decision, asked.given)
        elif asked.given.measures:
            told = statement(None, asked.given, decided=int(time.time()), person=True)
        token, grant = await asyncio.to_thread(
            appeals.grant, asked.account, event=asked.event or "", statement=told, language=asked.language,
            days=asked.days,
        )  # fmt: skip
        answer = TokenAnswer(token=token, path=f"{PAGE}?token={token}", expires=grant.expires, statement=told)
        return Response(msgspec.json.encode(answer), status=201)

    def _told(self, event: str, decision: Decision, given: Given) -> Statement:
        """The statement: a person decided where one closed the case as harm."""
        item = self._book().where(event)
        case = self._book().case(item.case) if item is not None else None
        if case is not None and case.closed is not None and case.outcome == "harm":
            return statement(decision, given, decided=case.closed, person=True)
        at = item.found.at if item is not None else int(time.time())
        return statement(decision, given, decided=at, person=False)

    async def file(self, request: Request) -> Response:
        """File what an account holder wrote elsewhere."""
        appeals = self._appeals()
        asked: NewAppeal = await read_json(request, NewAppeal, MAX_BODY, seconds=self._settings.read_seconds)
        grant = await asyncio.to_thread(appeals.find, asked.token)
        if grant is None:
            raise Refusal(404, "unknown_token", "the token is not known or has run out")
        try:
            appeal = await asyncio.to_thread(appeals.file, grant, asked.kind, asked.text)
        except AppealError as error:
            raise Refusal(422, "cannot_file", str(error)) from None
        return Response(await asyncio.to_thread(self._answer, appeal), status=201)

    async def get(self, request: Request, id: str) -> Response:
        """How an appeal stands."""
        appeals = self._appeals()
        try:
            appeal = await asyncio.to_thread(appeals.get, id)
        except AppealError:
            raise Refusal(404, "unknown_appeal", "there is no such appeal") from None
        return Response(await asyncio.to_thread(self._answer, appeal))

    def _answer(self, appeal: Appeal) -> bytes:
        return msgspec.json.encode(answer_of(appeal, self._appeals().pending(appeal.id)))


def answer_of(appeal: Appeal, pending: list[str]) -> AppealAnswer:
    """What a platform is told of an appeal: never what colleagues wrote about it."""
    return AppealAnswer(
        id=appeal.id, kind=appeal.kind, account=appeal.account, event=appeal.event, state=appeal.state,
        filed=appeal.filed, due=appeal.due, decided=appeal.decided,
        restore=appeal.kind == "decision" and appeal.state == "reversed", answer=appeal.answer, pending=tuple(pending),
        independent=None if appeal.decided is None else not appeal.alone,
    )  # fmt: skip
