"""One's own account: language, pass-phrase, second factor, recovery codes, sessions."""

from functools import partial

from underwing.casebook.people import May, Member, PeopleError, Refused
from underwing.server.console.desk import Desk
from underwing.server.console.refusals import reason_of
from underwing.server.console.render import render
from underwing.server.console.sign_in import codes_page, people_of, qr, refused, whence
from underwing.server.console.site import Site, View
from underwing.server.console.visit import Problem, Visit
from underwing.server.console.words import say
from underwing.server.http import Response

HOME = "/console/me"


def lay(site: Site, desk: Desk) -> None:
    """Lay the pages of one's own account."""
    site.add(HOME, GET=View("me", partial(me, desk), May.sign_in))
    for path, handler in (
        ("language", set_language),
        ("phrase", set_phrase),
        ("factor", renew_factor),
        ("factor/code", enrol_factor),
        ("recovery", new_recovery),
        ("sessions", end_session),
    ):
        site.add(f"{HOME}/{path}", POST=View(f"me_{handler.__name__}", partial(handler, desk), May.sign_in))
    site.nav("you", HOME, "me.title", May.sign_in, "m")


async def me(desk: Desk, visit: Visit) -> Response:
    """All of it on one page."""
    return await _page(desk, visit)


async def _page(desk: Desk, visit: Visit, status: int = 200, wrong: str = "", at: str = "") -> Response:
    """The page; `wrong` is said at the part named `at`."""
    people = people_of(desk)
    found = await visit.work(people.session, visit.token)
    if found is None:  # a guest of the demo
        return render(visit, "guest.html.j2")
    member, here = found
    return render(
        visit, "me.html.j2", status=status, wrong=wrong, at=at, me=member, this=here.id,
        sessions=await visit.work(people.sessions, member), local=await visit.work(people.is_local, member),
        left_codes=await visit.work(people.recovery_left, member),
    )  # fmt: skip


async def set_language(desk: Desk, visit: Visit) -> Response:
    """Choose the console's language."""
    await visit.work(people_of(desk).set_language, _own(visit), visit.form.get("language", ""))
    return visit.redirect(HOME, "me.language")


async def set_phrase(desk: Desk, visit: Visit) -> Response:
    """Change the pass-phrase; all sessions end but a new one here."""
    form = visit.form
    if form.get("new", "") != form.get("again", ""):
        return await _page(desk, visit, 400, say(visit.language, "sign_in.differ"), "phrase")
    try:
        made = await visit.work(
            people_of(desk).set_password,
            _own(visit),
            form.get("old", ""),
            form.get("new", ""),
            *whence(visit),
        )
    except PeopleError as error:
        return await _page(desk, visit, 400, reason_of(visit, error), "phrase")
    if isinstance(made, Refused):
        return await _page(desk, visit, *_not_proven(visit, made), "phrase")
    return visit.redirect(HOME, "me.phrase", "", visit.session_cookie(made.token))


async def renew_factor(desk: Desk, visit: Visit) -> Response:
    """Begin a new second factor; the old one stays good until the first code of the new one."""
    made = await visit.work(
        people_of(desk).renew_totp, _own(visit), visit.form.get("old", ""), whence(visit)[0]
    )
    if isinstance(made, Refused):
        return await _page(desk, visit, *_not_proven(visit, made), "factor")
    return render(
        visit, "enrol.html.j2", wrong="", enrolment=made, picture=qr(made.uri), to=f"{HOME}/factor/code"
    )


async def enrol_factor(desk: Desk, visit: Visit) -> Response:
    """Finish the new second factor; new recovery codes come with it."""
    done = await visit.work(
        people_of(desk).enrol_totp, _own(visit), visit.form.get("code", ""), *whence(visit)
    )
    if done is None:
        return await _page(desk, visit, 400, say(visit.language, "me.begin_again"), "factor")
    return codes_page(visit, done[1], visit.session_cookie(done[0].token))


async def new_recovery(desk: Desk, visit: Visit) -> Response:
    """New recovery codes in the place of the old ones."""
    made = await visit.work(
        people_of(desk).new_recovery, _own(visit), visit.form.get("old", ""), whence(visit)[0]
    )
    if isinstance(made, Refused):
        return await _page(desk, visit, *_not_proven(visit, made), "recovery")
    return codes_page(visit, made)


async def end_session(desk: Desk, visit: Visit) -> Response:
    """End one of one's own sessions."""
    await visit.work(people_of(desk).end_session, _own(visit), visit.form.get("session", ""))
    return visit.redirect(HOME, "me.session")


def _own(visit: Visit) -> Member:
    """The member, who must have an account: a guest of the demo has none to change."""
    if visit.site.desk.guests.session(visit.token) is not None:
        raise Problem(403, "me.guest")
    return visit.member


def _not_proven(visit: Visit, made: Refused) -> tuple[int, str]:
    return refused(visit, made) if made.why == "wait" else (403, say(visit.language, "me.not_proven"))
