"""What looking cost oneself, and for those who support others: the team's totals, and whom to ask how they are. No ranks."""

from functools import partial

from underwing.casebook.people import May
from underwing.server.console.desk import Desk
from underwing.server.console.render import render
from underwing.server.console.site import Site, View
from underwing.server.console.visit import Problem, Visit
from underwing.server.http import Response


def lay(site: Site, desk: Desk) -> None:
    """Lay the page."""
    site.add("/console/care", GET=View("care", partial(care, desk), May.sign_in))
    site.nav("you", "/console/care", "care.title", May.sign_in, "h")


async def care(desk: Desk, visit: Visit) -> Response:
    """One's own last day and week beside the caps, and the totals of all for those who may see them."""
    if desk.care is None:
        raise Problem(404, "files.off")
    ruling = await visit.work(desk.care.ruling, visit.member.id)
    team, support = None, []
    if visit.may(May.see_exposure):
        team, support = await visit.work(desk.care.team), await visit.work(desk.care.to_support)
    names = desk.names()
    return render(
        visit, "care.html.j2", ruling=ruling, limits=desk.care.limits, team=team,
        support=sorted(names.get(id, id) for id in support),
    )  # fmt: skip
