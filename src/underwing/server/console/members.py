"""Administration of people: who works here, invitations, roles, resets, closing an account."""

from functools import partial
from typing import get_args

from msgspec import ValidationError, convert

from underwing.casebook.people import May, PeopleError, Request, Role
from underwing.server.console.desk import Desk
from underwing.server.console.refusals import reason_of
from underwing.server.console.render import render
from underwing.server.console.sign_in import people_of
from underwing.server.console.site import Site, View
from underwing.server.console.visit import Problem, Visit
from underwing.server.http import Response

HOME = "/console/people"


def lay(site: Site, desk: Desk) -> None:
    """Lay the pages for those who keep people."""
    site.add(
        HOME,
        GET=View("people", partial(everybody, desk), May.manage_people),
        POST=View("people_add", partial(add, desk), May.manage_people),
    )
    site.add(HOME + "/{member}", GET=View("person", partial(person, desk), May.manage_people))
    for name, handler in (
        ("name", set_name), ("role", give_role), ("reset", reset), ("close", close), ("open", reopen),
        ("sessions", end_sessions),
    ):  # fmt: skip
        site.add(
            f"{HOME}/{{member}}/{name}",
            POST=View(f"people_{handler.__name__}", partial(handler, desk), May.manage_people),
        )
    site.nav("keep", HOME, "people.title", May.manage_people, "w")


async def everybody(desk: Desk, visit: Visit) -> Response:
    """All members, and the form for a new one."""
    return await _list(desk, visit)


async def _list(desk: Desk, visit: Visit, status: int = 200, wrong: str = "") -> Response:
    return render(
        visit, "people.html.j2", status=status, wrong=wrong, form=visit.form, roles=get_args(Role),
        standings=await visit.work(people_of(desk).standings),
    )  # fmt: skip


async def add(desk: Desk, visit: Visit) -> Response:
    """Make an account; its invitation is shown, this once."""
    form, people = visit.form, people_of(desk)
    try:
        member, asked = await visit.work(
            people.take_on, form.get("name", ""), form.get("shown", ""), _role(visit), visit.member.id,
            form.get("why", ""),
        )  # fmt: skip
    except PeopleError as error:
        return await _list(desk, visit, 400, reason_of(visit, error))
    return _after(visit, asked, member.id, "people.added")


async def person(desk: Desk, visit: Visit, id: str) -> Response:
    """One member, and what can be done with the account."""
    return await _person(desk, visit, id)


async def _person(desk: Desk, visit: Visit, id: str, status: int = 200, wrong: str = "") -> Response:
    people = people_of(desk)
    standing = next((s for s in await visit.work(people.standings) if s.member.id == id), None)
    if standing is None:
        raise Problem(404)
    facts, about, by = {"role": str(standing.member.role)}, f"member:{id}", visit.member.id
    takes = {
        what: await visit.work(partial(people.second.needs, what, facts, about=about, by=by))
        for what in ("reset", "give_role")
    }
    return render(
        visit, "person.html.j2", status=status, wrong=wrong, standing=standing, person=standing.member,
        roles=get_args(Role), takes_two=takes,
        waiting=await visit.work(people.second.pending, f"member:{id}"),
    )  # fmt: skip


async def set_name(desk: Desk, visit: Visit, id: str) -> Response:
    """Change the name that colleagues see."""
    return await _changed(desk, visit, id, "people.renamed", shown=visit.form.get("shown", ""))


async def close(desk: Desk, visit: Visit, id: str) -> Response:
    """Close an account: its sessions end."""
    return await _changed(desk, visit, id, "people.closed", active=False)


async def reopen(desk: Desk, visit: Visit, id: str) -> Response:
    """Open a closed account again, or ask the second person."""
    try:
        asked = await visit.work(people_of(desk).reopen, id, visit.member.id, visit.form.get("why", ""))
    except PeopleError as error:
        return await _person(desk, visit, id, 400, reason_of(visit, error))
    return visit.redirect(f"{HOME}/{id}", "people.asked" if asked else "people.opened")


async def _changed(desk: Desk, visit: Visit, id: str, did: str, **fields: object) -> Response:
    try:
        await visit.work(partial(people_of(desk).change, id, visit.member.id, **fields))  # type: ignore[arg-type]
    except PeopleError as error:
        return await _person(desk, visit, id, 400, reason_of(visit, error))
    return visit.redirect(f"{HOME}/{id}", did)


async def give_role(desk: Desk, visit: Visit, id: str) -> Response:
    """Give a role, or ask the second person."""
    try:
        asked = await visit.work(
            people_of(desk).give_role, id, _role(visit), visit.member.id, visit.form.get("why", "")
        )
    except PeopleError as error:
        return await _person(desk, visit, id, 400, reason_of(visit, error))
    return _after(visit, asked, id, "people.role")


async def reset(desk: Desk, visit: Visit, id: str) -> Response:
    """Reset an account, or ask the second person; the new invitation is shown, this once."""
    try:
        asked = await visit.work(people_of(desk).ask_reset, id, visit.member.id, visit.form.get("why", ""))
    except PeopleError as error:
        return await _person(desk, visit, id, 400, reason_of(visit, error))
    return _after(visit, asked, id, "people.reset")


async def end_sessions(desk: Desk, visit: Visit, id: str) -> Response:
    """End all sessions of a member."""
    try:
        await visit.work(people_of(desk).end_sessions, id, visit.member.id)
    except PeopleError as error:
        return await _person(desk, visit, id, 400, reason_of(visit, error))
    return visit.redirect(f"{HOME}/{id}", "people.sessions_ended")


def _after(visit: Visit, asked: Request, id: str, did: str) -> Response:
    if asked.state == "waiting":
        return visit.redirect(f"{HOME}/{id}", "people.asked")
    if asked.result:
        return invitation_page(visit, asked.result)
    return visit.redirect(f"{HOME}/{id}", did)


def invitation_page(visit: Visit, secret: str) -> Response:
    """An invitation, shown in the answer to a form and nowhere else."""
    scheme = "https" if visit.site.desk.settings.https else "http"
    host = (visit.request.header(b"host") or b"").decode("latin-1")[:200]
    return render(
        visit, "invitation.html.j2", link=f"{scheme}://{host}/console/join?invitation={secret}", secret=secret
    )


def _role(visit: Visit) -> Role:
    try:
        return convert(visit.form.get("role", ""), Role)  # type: ignore[no-any-return]
    except ValidationError:
        raise Problem(400) from None
