"""The account page: what is known of one account, what it did and what was done to it, its cases and its network."""

from contextlib import suppress
from functools import partial
from urllib.parse import quote

from underwing.casebook.cases.appearances import Appearance, appearances
from underwing.casebook.people import May
from underwing.server.console.asked import text
from underwing.server.console.desk import Desk
from underwing.server.console.known import look_up
from underwing.server.console.render import render
from underwing.server.console.site import Site, View
from underwing.server.console.sphere import sphere
from underwing.server.console.visit import Visit
from underwing.server.http import Refusal, Response

MOST_ID = 512


def lay(site: Site, desk: Desk) -> None:
    """Lay the page, and the way to it by an id."""
    site.add("/console/accounts", GET=View("accounts", find, May.see_live))
    site.add("/console/accounts/{id}", GET=View("account", partial(account, desk), May.see_live))


def path(id: str) -> str:
    """Where the page of an account is."""
    return f"/console/accounts/{quote(id, safe='')}"


async def find(visit: Visit) -> Response:
    """Go to the page of the account that was asked for."""
    return visit.redirect(path(text(visit.query, "id", MOST_ID, needed=True)))


async def account(desk: Desk, visit: Visit, id: str) -> Response:
    """Everything that is known. That somebody looked is recorded; no message's text is shown."""
    id = text({"id": id}, "id", MOST_ID, needed=True)
    known = await desk.engine(partial(look_up, account=id))
    cases: list[Appearance] = []
    drawn = None
    with suppress(Refusal):  # without a casebook an account is still known to the engine
        cases = await visit.work(appearances, desk.database, id)
        network = await visit.work(partial(desk.book.network, actor=id))
        drawn = sphere(network, id) if network.edges else None
    await visit.work(desk.audit, visit.member, "saw account", f"account:{id}"[:200])
    return render(visit, "account.html.j2", known=known, cases=cases, drawn=drawn)
