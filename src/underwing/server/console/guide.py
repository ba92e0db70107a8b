"""The guide for who found something and is alone with it: step by step, with what must not be done."""

from underwing.casebook.guide import load_guide
from underwing.casebook.people import May
from underwing.server.console.desk import Desk
from underwing.server.console.render import render
from underwing.server.console.site import Site, View
from underwing.server.console.visit import Visit
from underwing.server.http import Response


def lay(site: Site, desk: Desk) -> None:
    """Lay the page."""
    site.add("/console/guide", GET=View("guide", guide, May.sign_in))
    site.nav("work", "/console/guide", "guide.nav", May.sign_in, "e")


async def guide(visit: Visit) -> Response:
    """The steps, in the reader's language."""
    return render(visit, "guide.html.j2", guide=load_guide(visit.language))
