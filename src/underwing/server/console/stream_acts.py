"""What people do about a live stream from the browser: each with its reason, on record before it is done."""

from collections.abc import Awaitable, Callable
from functools import partial

from underwing.casebook.people import May
from underwing.connectors import STREAM_ACTIONS
from underwing.server.console.asked import chosen, number, text
from underwing.server.console.desk import Desk
from underwing.server.console.site import Site, View
from underwing.server.console.streams import HOME, event_in, found, path
from underwing.server.console.visit import Problem, Visit
from underwing.server.http import Refusal, Response
from underwing.server.streams import persons
from underwing.server.streams.streams import Streams

ENDED = "ended by a person"
How = Callable[[Streams, str, str, str, str], Awaitable[None]]
"""(streams, the stream's id, the action, the member's id, why) → it is done, or on its way."""


def lay(site: Site, desk: Desk) -> None:
    """Lay the acts."""
    acts: tuple[tuple[str, How, May, bool], ...] = (
        ("closer", closer, May.act_on_stream, False),
        ("act", act, May.act_on_stream, True),
        ("back", back, May.act_on_stream, True),
        ("end", end, May.end_watch, False),
    )
    for name, how, permission, names_one in acts:
        view = View(f"stream_{name}", partial(do, desk, name, how, names_one), permission)
        site.add(f"{HOME}/{{id}}/{name}", POST=view)
    site.add(f"{HOME}/{{id}}/seal", POST=View("stream_seal", partial(seal, desk), May.act_on_stream))


async def do(desk: Desk, name: str, how: How, names_one: bool, visit: Visit, id: str) -> Response:
    """Put an act on record, then do it; `names_one`: the form says which action of the media server it is about."""
    one = found(desk, id)
    why = text(visit.form, "why", needed=True)
    action = chosen(visit.form, "action", STREAM_ACTIONS) if names_one else ""
    if names_one and not action:
        raise Problem(400, "asked.missing", name="action")
    if one.ended is not None:
        raise Problem(409, "streams.over")
    facts = {"why": why, **({"action": action} if action else {})}
    await visit.work(partial(desk.audit, visit.member, f"stream_{name}", f"stream:{id}", **facts))
    try:
        await how(desk.behind.streams(), id, action, visit.member.id, why)
    except Refusal as refusal:
        if refusal.status not in (409, 422):
            raise
        over = refusal.status == 409
        raise Problem(409 if over else 400, "streams.over" if over else "streams.cannot") from None
    return visit.redirect(path(id), f"streams.{name}")


async def seal(desk: Desk, visit: Visit, id: str) -> Response:
    """Seal the stream's last seconds into an open case of it that the member may read; on record before it is done."""
    one = found(desk, id)
    why = text(visit.form, "why", needed=True)
    case = number(visit.form, "case", 1, 2**53)
    if case is None:
        raise Problem(400, "asked.missing", name="case")
    if one.ended is not None:
        raise Problem(409, "streams.over")
    events = [*(act.event for act in one.acts.values()), *(happened.event for happened in one.events)]
    event = await visit.work(event_in, desk, visit, events, case)
    await visit.work(
        partial(desk.audit, visit.member, "stream_seal", f"stream:{id}", why=why, case=str(case))
    )
    try:
        await persons.seal(desk.behind.streams(), id, event)
    except Refusal as refusal:
        raise Problem(refusal.status, "streams.no_seal", why=refusal.message) from None
    return visit.redirect(path(id), "streams.seal")


async def closer(streams: Streams, id: str, action: str, by: str, why: str) -> None:
    """Look at it often for ten minutes."""
    persons.look_closer(streams, id)


async def act(streams: Streams, id: str, action: str, by: str, why: str) -> None:
    """Have its media server do something."""
    await persons.act(streams, id, action, by, why)


async def back(streams: Streams, id: str, action: str, by: str, why: str) -> None:
    """Have that taken back."""
    await persons.take_back(streams, id, action, by, why)


async def end(streams: Streams, id: str, action: str, by: str, why: str) -> None:
    """Watch it no longer."""
    await streams.end(id, ENDED)
