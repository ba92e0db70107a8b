"""The live page: recent decisions with their reasons, as they fall; and the way to an account."""

from functools import partial

from underwing.casebook.people import May
from underwing.engine import Runner
from underwing.server.answers import Recent
from underwing.server.console.asked import number
from underwing.server.console.desk import Desk
from underwing.server.console.render import render
from underwing.server.console.site import Site, View
from underwing.server.console.visit import Visit
from underwing.server.http import Response
from underwing.server.recent import newest_number, recent

SHOWN = 50
"""Decisions on a page."""


def lay(site: Site, desk: Desk) -> None:
    """Lay the live page."""
    site.nav("work", "/console/live", "live.nav", May.see_live, "l")
    site.add("/console/live", GET=View("live", partial(live, desk), May.see_live))


async def live(desk: Desk, visit: Visit) -> Response:
    """The newest decisions, or those before the number `before`; `hold` stops the page from updating itself."""
    before = number(visit.query, "before", 1, 2**53)
    found = await desk.engine(partial(page, before=before))
    held = before is not None or "hold" in visit.query
    return render(visit, "live.html.j2", found=found, held=held, before=before)


def page(runner: Runner, before: int | None = None) -> Recent:
    """A page of decisions, oldest first. For the thread that owns the runner."""
    last = newest_number(runner) if before is None else before - 1
    after = max(0, last - SHOWN)
    return (
        recent(runner, after, min(SHOWN, last - after)) if last > after else Recent(last=last, decisions=())
    )
