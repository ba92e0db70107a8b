"""The console's pages. A new one: a module with `lay(site, desk)`, named here."""

from collections.abc import Callable

from underwing.server.console import (
    account,
    care,
    case,
    case_acts,
    home,
    insights,
    live,
    media,
    policies,
    queue,
)
from underwing.server.console.desk import Desk
from underwing.server.console.site import Site

PAGES: tuple[Callable[[Site, Desk], None], ...] = (
    home.lay,
    queue.lay,
    case.lay,
    case_acts.lay,
    live.lay,
    account.lay,
    policies.lay,
    insights.lay,
    media.lay,
    care.lay,
)  # fmt: skip
"""In the order of the menu."""


def console(desk: Desk) -> Site:
    """The whole console over a desk."""
    site = Site(desk)
    for lay in PAGES:
        lay(site, desk)
    return site
