"""Administration of the service: health, settings in force, storage, regions, keys of platforms."""

from functools import partial

from underwing.casebook.people import May
from underwing.casebook.regions import PRIORITIES, load_regions
from underwing.server.console.asked import chosen, text
from underwing.server.console.desk import Desk
from underwing.server.console.render import render
from underwing.server.console.settled import settings_of, storage_of, versions_of
from underwing.server.console.site import Site, View
from underwing.server.console.visit import Problem, Visit
from underwing.server.http import Refusal, Response
from underwing.server.keys import ROLES, BadKey


def lay(site: Site, desk: Desk) -> None:
    """Lay the pages of administration."""
    site.nav("keep", "/console/service", "service.nav", May.manage_service, "v")
    site.add("/console/service", GET=View("service", partial(service, desk), May.manage_service))
    site.add("/console/service/regions", GET=View("regions", partial(regions, desk), May.manage_service))
    site.add(
        "/console/service/keys",
        GET=View("service_keys", partial(keys, desk), May.manage_service),
        POST=View("make_key", partial(make_key, desk), May.manage_service),
    )
    site.add(
        "/console/service/keys/{key}", POST=View("revoke_key", partial(revoke_key, desk), May.manage_service)
    )


async def service(desk: Desk, visit: Visit) -> Response:
    """How the service does, what it runs with, what it takes of the disk."""
    try:
        engine: object = await desk.engine(lambda runner: runner.engine.versions)
    except Refusal:
        engine = None
    stored, disk = await visit.work(storage_of, desk.settings)
    return render(
        visit, "service.html.j2", ready=desk.behind.readiness(), settings=settings_of(desk.settings), stored=stored,
        disk=disk, versions=versions_of(engine),
    )  # fmt: skip


async def regions(desk: Desk, visit: Visit) -> Response:
    """The clocks and windows of each region, with where they come from."""
    try:
        held = desk.book.regions
    except Refusal:  # without a casebook the shipped ones would hold
        held = await visit.work(load_regions)
    return render(visit, "regions.html.j2", regions=held.regions, priorities=PRIORITIES)


async def keys(desk: Desk, visit: Visit) -> Response:
    """All keys of platforms, never their secrets."""
    return await _keys(desk, visit)


async def _keys(desk: Desk, visit: Visit, token: str = "") -> Response:
    held = await visit.work(desk.behind.keys.list)
    return render(visit, "service_keys.html.j2", keys=held[::-1], roles=ROLES, token=token)


async def make_key(desk: Desk, visit: Visit) -> Response:
    """Make a key; its token is in this answer and nowhere else."""
    role, name = chosen(visit.form, "role", ROLES), text(visit.form, "name", 100, needed=True)
    try:
        token = await visit.work(desk.behind.keys.create, role, name)
    except BadKey:
        raise Problem(400, "asked.choice", name="role") from None
    await visit.work(desk.audit, visit.member, "key made", f"key:{token.split('_')[1]}", role=role)
    return await _keys(desk, visit, token)


async def revoke_key(desk: Desk, visit: Visit, key: str) -> Response:
    """Take a key back for good."""
    if not await visit.work(desk.behind.keys.revoke, key):
        raise Problem(404, "service.no_key")
    await visit.work(desk.audit, visit.member, "key revoked", f"key:{key}")
    return visit.redirect("/console/service/keys", "service.revoked", key)
