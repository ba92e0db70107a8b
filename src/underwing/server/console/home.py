"""The first page, the way in by ticket, the way out, and the list of keys."""

from functools import partial

from underwing.casebook.people import May
from underwing.server.console.desk import Desk
from underwing.server.console.render import render
from underwing.server.console.site import Site, View
from underwing.server.console.visit import Problem, Visit
from underwing.server.http import HTML, Response


def lay(site: Site, desk: Desk) -> None:
    """Lay the pages that everybody with an account sees."""
    site.add("/console/", GET=View("home", home, May.sign_in))
    site.add("/console/keys", GET=View("keys", keys, May.sign_in))
    site.add("/console/enter", GET=View("enter", partial(enter, desk), None))
    site.add("/console/sign-out", POST=View("sign_out", partial(sign_out, desk), May.sign_in))


async def home(visit: Visit) -> Response:
    """What this member can do here."""
    return render(visit, "home.html.j2")


async def keys(visit: Visit) -> Response:
    """All keys, in writing."""
    return render(visit, "keys.html.j2")


async def enter(desk: Desk, visit: Visit) -> Response:
    """Use a ticket up and begin a session."""
    if visit.request.method == "HEAD":  # who only asks whether the page is there keeps the ticket
        return Response(type=HTML)
    token = desk.guests.redeem(visit.query.get("key", ""))
    if token is None:
        raise Problem(401, "home.ticket_used")
    return visit.redirect("/console/", "", "", visit.session_cookie(token))


async def sign_out(desk: Desk, visit: Visit) -> Response:
    """End the session."""
    desk.guests.sign_out(visit.token)
    if desk.people is not None:
        await visit.work(desk.people.sign_out, visit.token)
    return visit.redirect("/console/", "", "", visit.session_cookie(""))
