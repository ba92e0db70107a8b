"""What a child's stream has switched off, for a platform that asks; and what of its settings is wider than that."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from underwing.engine import Runner
from underwing.policy import load_switches
from underwing.policy.switches import Audience, Broken, StreamKind, SwitchBook, Switches, broken
from underwing.risk import effective_age, is_minor
from underwing.risk.context import UNKNOWN
from underwing.server.http import Request, Response
from underwing.server.ingest import Ingest
from underwing.server.media.asked import read_json
from underwing.server.routes import EVENTS, Route, Routes
from underwing.server.settings import Settings

MAX_BODY = 16_384
_Id = Annotated[str, Meta(min_length=1, max_length=64)]


class StreamSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a stream has set, as far as a platform says; `followers` are accounts that the streamer itself let follow."""

    audience: Audience | UnsetType = UNSET
    comments: Audience | UnsetType = UNSET
    gifts: bool | UnsetType = UNSET
    reactions: bool | UnsetType = UNSET
    recording: bool | UnsetType = UNSET


class SwitchQuestion(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may a stream of this account do? `kind` is `one` (to many) or `many` (to many). With `settings` these are
    held against the answer; an age or country that is given here counts beside what is known of the account: the age only
    where none is known."""

    account: _Id
    kind: StreamKind = "one"
    age: Annotated[int, Meta(ge=0, le=120)] | None = None
    country: Annotated[str, Meta(pattern=r"^[A-Z]{2}$")] | None = None
    settings: StreamSettings | None = None


class SwitchAnswer(Struct, frozen=True, kw_only=True):
    """What is to be set and why, and what is set wider than that."""

    switches: Switches
    broken: tuple[Broken, ...] = ()


def switches_for(runner: Runner, book: SwitchBook, question: SwitchQuestion) -> SwitchAnswer:
    """The answer, by what is known of the account. Talks to the runner: call it from the thread that owns it."""
    facts = runner.state.accounts.get(question.account) or UNKNOWN
    age, minor = effective_age(facts), is_minor(facts)
    if age is None and minor is None and question.age is not None:
        age = question.age
    country = facts.country or question.country or ""
    asked = book.of(age=age, minor=minor, country=country, kind=question.kind)
    told = msgspec.structs.asdict(question.settings) if question.settings else {}
    return SwitchAnswer(
        switches=asked,
        broken=tuple(broken(asked, {name: value for name, value in told.items() if value is not UNSET})),  # type: ignore[misc]
    )


def switches_of(settings: Settings) -> SwitchBook:
    """The switches that the settings name.

    Raises:
        PolicyError: the file cannot be used.
    """
    return load_switches(Path(settings.switches) if settings.switches else None)


class SwitchDesk:
    """The route `POST /v1/switches`."""

    def __init__(self, ready: Callable[[], Ingest], book: SwitchBook) -> None:
        self._ready, self._book = ready, book

    def lay(self, routes: Routes) -> None:
        """Lay the route."""
        routes.add("/v1/switches", POST=Route("switches", self.post, EVENTS))

    async def post(self, request: Request) -> Response:
        """Answer one question."""
        question: SwitchQuestion = await read_json(request, SwitchQuestion, MAX_BODY)
        ingest = self._ready()
        answer = await ingest.call(partial(switches_for, ingest.runner, self._book, question))
        return Response(msgspec.json.encode(answer))
