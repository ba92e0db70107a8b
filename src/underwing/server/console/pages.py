"""The console's pages. A new one: a module with `lay(site, desk)`, named here."""

from collections.abc import Callable

from underwing.server.console import (
    account,
    appeal,
    appeals,
    banks,
    care,
    case,
    case_acts,
    custody,
    exchanges,
    guide,
    home,
    insights,
    keeping,
    live,
    me,
    media,
    members,
    packs,
    policies,
    queue,
    requests,
    service,
    sign_in,
)
from underwing.server.console.desk import Desk
from underwing.server.console.site import Site

PAGES: tuple[Callable[[Site, Desk], None], ...] = (
    home.lay,
    queue.lay,
    case.lay,
    case_acts.lay,
    live.lay,
    guide.lay,
    account.lay,
    policies.lay,
    packs.lay,
    insights.lay,
    custody.lay,
    banks.lay,
    exchanges.lay,
    service.lay,
    media.lay,
    keeping.lay,
    appeals.lay,
    appeal.lay,
    care.lay,
    members.lay,
    me.lay,
    requests.lay,
    sign_in.lay,
)  # fmt: skip
"""In the order of the menu."""


def console(desk: Desk) -> Site:
    """The whole console over a desk."""
    site = Site(desk)
    for lay in PAGES:
        lay(site, desk)
    return site
