"""Requests for a second person: what waits, what one asked for oneself; confirm, decline, take back."""

from functools import partial

from underwing.casebook.people import May, PeopleError, Request
from underwing.server.console.desk import Desk
from underwing.server.console.members import invitation_page
from underwing.server.console.refusals import reason_of
from underwing.server.console.render import render
from underwing.server.console.sign_in import people_of
from underwing.server.console.site import Site, View
from underwing.server.console.visit import Problem, Visit
from underwing.server.http import Response

HOME = "/console/requests"
_BODY = 8
"""Details of a request that are shown."""


def lay(site: Site, desk: Desk) -> None:
    """Lay the pages of the second person."""
    site.add(HOME, GET=View("requests", partial(requests, desk), May.sign_in))
    for name, permission in (("confirm", May.confirm), ("decline", May.confirm), ("take-back", May.sign_in)):
        word = name.replace("-", "_")
        site.add(
            f"{HOME}/{{request}}/{name}",
            POST=View(f"request_{word}", partial(decide, desk, word), permission),
        )
    site.nav("you", HOME, "requests.title", May.sign_in, "s")


async def requests(desk: Desk, visit: Visit) -> Response:
    """What this member may decide, and what they asked for."""
    return await _page(desk, visit)


async def _page(desk: Desk, visit: Visit, status: int = 200, wrong: str = "") -> Response:
    second, member = people_of(desk).second, visit.member
    waiting: list[Request] = await visit.work(second.pending)
    recent: list[Request] = await visit.work(second.recent)
    return render(
        visit, "requests.html.j2", status=status, wrong=wrong, most=_BODY,
        decide=[r for r in waiting if second.objection(r, member) is None],
        mine=[r for r in waiting if r.asked_by == member.id],
        past=[r for r in recent if r.state != "waiting" and member.id in (r.asked_by, r.decided_by)],
        names=await visit.work(_names, desk),
    )  # fmt: skip


def _names(desk: Desk) -> dict[str, str]:
    return {member.id: member.shown for member in people_of(desk).members()}


async def decide(desk: Desk, how: str, visit: Visit, number: str) -> Response:
    """Confirm, decline or take back."""
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        raise Problem(404)
    second = people_of(desk).second
    act = {"confirm": second.confirm, "decline": second.decline, "take_back": second.take_back}[how]
    try:
        done = await visit.work(act, int(number), visit.member.id)
    except PeopleError as error:
        return await _page(desk, visit, 409, reason_of(visit, error))
    if done.result:
        return invitation_page(visit, done.result)
    return visit.redirect(HOME, f"requests.{how}")
