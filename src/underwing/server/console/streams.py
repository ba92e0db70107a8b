"""The wall of live streams by risk, and the page of one stream; both without pictures: who must see has the last seconds
sealed into its case, and looks there."""

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from urllib.parse import quote

from msgspec import Struct, json

from underwing.casebook.care import Exhibit
from underwing.casebook.cases import Case
from underwing.casebook.cases.appearances import cases_with
from underwing.casebook.context import Said
from underwing.casebook.people import May
from underwing.engine import Runner
from underwing.model import Decision, Level
from underwing.policy import SwitchBook, Switches
from underwing.risk import effective_age, is_minor
from underwing.risk.context import UNKNOWN
from underwing.server.console.asked import number
from underwing.server.console.desk import Desk
from underwing.server.console.render import render
from underwing.server.console.site import Site, View
from underwing.server.console.stream_line import Mark, line
from underwing.server.console.visit import Problem, Visit
from underwing.server.console.wall import MOST, Tile, Whose, tile, wall
from underwing.server.http import Refusal, Response
from underwing.server.streams.acting import UNDO
from underwing.server.streams.persons import undoable
from underwing.server.streams.standing import Standing
from underwing.server.streams.store import Act
from underwing.server.streams.switches import switches_of

HOME = "/console/streams"
OVER, MOST_OVER = 3_600.0, 20
"""Of the streams that ended in so many seconds, so many stand below the wall: what was acted on goes soon."""
MOST_PAST = 50
"""Decisions about the streamer that are read beside those that the service still remembers of the stream."""
_decode = json.Decoder(Decision).decode


class Held(Struct, frozen=True, kw_only=True):
    """A case that an event of the stream is in. `opens`: this member may read it; `clips` are files of it that belong to
    these events."""

    case: Case
    opens: bool
    clips: list[Exhibit]

    @property
    def takes(self) -> bool:
        """Whether it is open, and this member's to put something into."""
        return self.opens and self.case.state in ("open", "taken")


class Reading(Struct, frozen=True, kw_only=True):
    """A stream with all that its page shows. `left_out` counts older marks."""

    tile: Tile
    country: str
    marks: list[Mark]
    left_out: int
    acts: list[Act]
    done: frozenset[str]
    """Actions that can be taken back now."""
    cases: list[Held]
    names: dict[str, str]


def lay(site: Site, desk: Desk) -> None:
    """Lay the wall and the page of a stream.

    Raises:
        PolicyError: the settings name a file of switches that cannot be used.
    """
    book = switches_of(desk.settings)
    site.nav("work", HOME, "streams.title", May.see_live, "t")
    site.add(HOME, GET=View("streams_wall", partial(show_wall, desk), May.see_live))
    site.add(f"{HOME}/{{id}}", GET=View("stream_page", partial(show, desk, book), May.see_live))


def path(id: str) -> str:
    """Where the page of a stream is."""
    return f"{HOME}/{quote(id, safe='')}"


def found(desk: Desk, id: str) -> Standing:
    """A stream that the service knows.

    Raises:
        Problem: 404, it does not.
    """
    try:
        return desk.behind.streams().get(id)
    except Refusal as refusal:
        if refusal.status != 404:
            raise
        raise Problem(404, "streams.unknown") from None


# -- the wall ---------------------------------------------------------------------------------------------


async def show_wall(desk: Desk, visit: Visit) -> Response:
    """The live streams that are watched, those first that need somebody."""
    streams, now = desk.behind.streams(), time.time()
    live = streams.live()
    over = [one for one in streams.all() if one.ended is not None and now - one.ended < OVER]
    whose = await desk.engine(partial(_whose, accounts={one.asked.streamer for one in live}))
    tiles = wall(tile(one, whose[one.asked.streamer], now) for one in live)
    urgent, blind = sum(t.level == Level.urgent for t in tiles), sum(t.blind for t in tiles)
    return render(
        visit, "streams.html.j2", tiles=tiles[:MOST], total=len(tiles), urgent=urgent, blind=blind, path=path, undo=UNDO,
        over=sorted(over, key=lambda one: one.ended or 0, reverse=True)[:MOST_OVER],
    )  # fmt: skip


def _whose(runner: Runner, accounts: Iterable[str]) -> dict[str, Whose]:
    told = {}
    for account in accounts:
        facts = runner.state.accounts.get(account) or UNKNOWN
        told[account] = Whose(effective_age(facts), is_minor(facts))
    return told


# -- one stream -------------------------------------------------------------------------------------------


async def show(desk: Desk, book: SwitchBook, visit: Visit, id: str) -> Response:
    """One stream. With `case`, the texts that this open case keeps stand in the timeline; that they were read is recorded,
    and the page then does not renew itself."""
    one, streams = found(desk, id), desk.behind.streams()
    asked = number(visit.query, "case", 1, 2**53)
    whose, country, decisions = await desk.engine(
        partial(_about, streamer=one.asked.streamer, events=[h.event for h in one.events])
    )
    acts = [one.acts[key] for key in sorted(one.acts)]
    events = {h.event for h in one.events} | {d.event for d in decisions} | {act.event for act in acts}
    cases: list[Held] = []
    said: dict[str, Said] = {}
    with suppress(Refusal):  # without a casebook there are no cases
        cases = await visit.work(_cases, desk, visit, events)
        said = await visit.work(_said, desk, visit, cases, asked) if asked is not None else {}
    marks, left_out = line(tuple(one.events), decisions, acts, said)
    reading = Reading(
        tile=tile(one, whose, time.time()), country=country, marks=marks, left_out=left_out, acts=acts[::-1],
        done=undoable(streams, one) if one.ended is None else frozenset(), cases=cases,
        names=await visit.work(desk.names),
    )  # fmt: skip
    return render(
        visit, "stream.html.j2", reading=reading, tile=reading.tile, one=one, asked=asked, path=path, undo=UNDO,
        switches=_switches(book, whose, country, one), able=sorted(streams.hand.able(one.id)[0]),
    )  # fmt: skip


def _switches(book: SwitchBook, whose: Whose, country: str, one: Standing) -> Switches:
    return book.of(age=whose.age, minor=whose.minor, country=country, kind=one.asked.kind)


def _about(runner: Runner, streamer: str, events: Sequence[str]) -> tuple[Whose, str, list[Decision]]:
    """What is known of a streamer, and the decisions on these events and the newest about it as a target; for the thread
    that owns the runner."""
    bodies = [body for body in map(runner.decision, events) if body is not None]
    past = runner.explain(actor=None, target=streamer, limit=MOST_PAST)
    facts = runner.state.accounts.get(streamer) or UNKNOWN
    decisions = {decision.event: decision for decision in map(_decode, [*past, *bodies])}
    return Whose(effective_age(facts), is_minor(facts)), facts.country or "", list(decisions.values())


def _cases(desk: Desk, visit: Visit, events: set[str]) -> list[Held]:
    held = []
    for id in sorted(set(cases_with(desk.database, events).values())):
        case = desk.book.case(id)
        if case is None:
            continue
        whose = visit.stands(case)
        opens = visit.may(May.see_case, whose)
        clips = []
        if desk.care is not None and visit.may(May.see_media, whose):
            clips = [exhibit for exhibit in desk.care.exhibits.of_case(id) if exhibit.event in events]
        held.append(Held(case=case, opens=opens, clips=clips))
    return held


def event_in(desk: Desk, visit: Visit, events: Sequence[str], asked: int) -> str:
    """The last of a stream's events that is in this open case of it.

    Raises:
        Problem: 404, it is no case of this stream; 403, it is not this member's to read.
    """
    placed = cases_with(desk.database, set(events))
    _open_to(_cases(desk, visit, set(events)), asked)
    return next(event for event in reversed(events) if placed.get(event) == asked)


def _open_to(cases: Sequence[Held], asked: int) -> None:
    """That a case is an open one of this stream, and this member's to read. Raises as `event_in` does."""
    held = next((held for held in cases if held.case.id == asked), None)
    if held is None or held.case.state not in ("open", "taken"):
        raise Problem(404, "streams.no_case")
    if not held.opens:
        raise Problem(403, "problem.not_allowed")


def _said(desk: Desk, visit: Visit, cases: Sequence[Held], asked: int) -> dict[str, Said]:
    """What an open case of this stream keeps of its messages, by event. Raises as `event_in` does."""
    _open_to(cases, asked)
    desk.saw(visit.member, asked)
    return {said.line.event: said for said in desk.book.said(asked)}
