"""The door of the console: signing in, joining with an invitation, setting up the second factor, the identity provider."""

import asyncio
from functools import partial

import segno
from markupsafe import Markup

from underwing.casebook.people import Member, People, PeopleError, Refused, Session
from underwing.server.addresses import client_address
from underwing.server.console.desk import Desk
from underwing.server.console.refusals import reason_of
from underwing.server.console.render import render
from underwing.server.console.site import SIGN_IN, Site, View
from underwing.server.console.visit import Problem, Visit
from underwing.server.console.words import say
from underwing.server.http import Header, Refusal, Response
from underwing.server.oidc import OidcError

ENROL = "/console/enrol"
BEGUN = "underwing_provider"
"""The cookie that a sign-in at the identity provider brings back."""
_BEGUN_SECONDS = 600
AT_ONCE, WAITING = 2, 20
"""Sign-ins that are looked at at the same time, and those that may be inside; further ones are told to come again."""


class Doorman:
    """Lets sign-ins in a few at a time: each takes a thread and a good deal of memory, and other pages need threads too."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self._inside = desk, 0
        self._turn = asyncio.Semaphore(AT_ONCE)

    @property
    def people(self) -> People:
        """The people of the casebook.

        Raises:
            Refusal: 503, they are not loaded yet, or there is no casebook.
        """
        return people_of(self.desk)

    async def __aenter__(self) -> People:
        if self._inside >= WAITING:
            raise Problem(503, "sign_in.busy")
        people = self.people
        self._inside += 1
        try:
            await self._turn.acquire()
        except BaseException:
            self._inside -= 1
            raise
        return people

    async def __aexit__(self, *_: object) -> None:
        self._inside -= 1
        self._turn.release()


def lay(site: Site, desk: Desk) -> None:
    """Lay the pages that need no session."""
    door = Doorman(desk)
    site.add(
        SIGN_IN,
        GET=View("sign_in_page", partial(sign_in_page, desk), None),
        POST=View("sign_in", partial(sign_in, door), None),
    )
    site.add(
        "/console/join",
        GET=View("join_page", partial(join_page, door), None),
        POST=View("join", partial(join, door), None),
    )
    site.add(
        ENROL,
        GET=View("enrol_page", partial(enrol_page, door), None),
        POST=View("enrol", partial(enrol, door), None),
    )
    site.add("/console/sign-in/provider", GET=View("provider", partial(provider, desk), None))
    site.add("/console/sign-in/provider/back", GET=View("provider_back", partial(provider_back, door), None))


# -- name and pass-phrase -------------------------------------------------------------------------------


async def sign_in_page(desk: Desk, visit: Visit) -> Response:
    """The form."""
    if visit.member.active:
        return visit.redirect("/console/")
    return _form(desk, visit)


def _form(desk: Desk, visit: Visit, status: int = 200, wrong: str = "", name: str = "") -> Response:
    label = desk.oidc.provider.config.label or "OpenID" if desk.oidc else ""
    return render(visit, "sign_in.html.j2", status=status, wrong=wrong, typed=name[:64], provider=label)


async def sign_in(door: Doorman, visit: Visit) -> Response:
    """Let somebody in, or say that it was not right."""
    form = visit.form
    async with door as people:
        made = await visit.work(
            people.sign_in, form.get("name", ""), form.get("phrase", ""), form.get("code", ""), *whence(visit)
        )
    if isinstance(made, Refused):
        return _form(door.desk, visit, *refused(visit, made), name=form.get("name", ""))
    return await begun(door.people, visit, made)


async def begun(people: People, visit: Visit, session: Session) -> Response:
    """Take a new session's cookie along: to the console, or to the second factor. The one before in this browser ends."""
    if visit.token:
        await visit.work(people.sign_out, visit.token)
    return visit.redirect(
        "/console/" if session.complete else ENROL, "", "", visit.session_cookie(session.token)
    )


def refused(visit: Visit, made: Refused) -> tuple[int, str]:
    """(status, text) of a refusal."""
    if made.why == "wait":
        return 429, say(visit.language, "sign_in.wait", minutes=-(-made.seconds // 60))
    return 403, say(visit.language, "sign_in.wrong")


def whence(visit: Visit) -> tuple[str, str]:
    """(address, what the browser calls itself) of who asks."""
    agent = (visit.request.header(b"user-agent") or b"").decode("latin-1")
    return client_address(visit.request, visit.site.desk.settings.proxies), agent


# -- the invitation -------------------------------------------------------------------------------------


async def join_page(door: Doorman, visit: Visit) -> Response:
    """The form of somebody who was invited; without a good invitation, a field for it."""
    secret = visit.query.get("invitation", "")
    return await _joining(door, visit, secret)


async def _joining(door: Doorman, visit: Visit, secret: str, status: int = 200, wrong: str = "") -> Response:
    member: Member | None = await visit.work(door.people.invited, secret) if secret else None
    if secret and member is None:
        status, wrong = 403, say(visit.language, "sign_in.join_bad")
    return render(
        visit, "join.html.j2", status=status, wrong=wrong, invited=member, invitation=secret if member else ""
    )


async def join(door: Doorman, visit: Visit) -> Response:
    """Set the first pass-phrase."""
    form = visit.form
    secret, phrase = form.get("invitation", "").strip(), form.get("phrase", "")
    if "phrase" not in form:  # only the invitation was typed
        return await _joining(door, visit, secret)
    if phrase != form.get("again", ""):
        return await _joining(door, visit, secret, 400, say(visit.language, "sign_in.differ"))
    try:
        async with door as people:
            made = await visit.work(people.join, secret, phrase, *whence(visit))
    except PeopleError as error:
        return await _joining(door, visit, secret, 400, reason_of(visit, error))
    if isinstance(made, Refused):
        return await _joining(door, visit, secret)
    return await begun(door.people, visit, made)


# -- the second factor ----------------------------------------------------------------------------------


async def enrol_page(door: Doorman, visit: Visit) -> Response:
    """The secret for an authenticator app, as a picture and as text."""
    return await _enrolling(door, visit)


async def _enrolling(door: Doorman, visit: Visit, status: int = 200, wrong: str = "") -> Response:
    member = await _unfinished(door, visit)
    enrolment = await visit.work(door.people.begin_totp, member)
    return render(
        visit,
        "enrol.html.j2",
        status=status,
        wrong=wrong,
        enrolment=enrolment,
        picture=qr(enrolment.uri),
        to=ENROL,
    )


async def _unfinished(door: Doorman, visit: Visit) -> Member:
    found = await visit.work(door.people.unfinished, visit.token)
    if found is None:
        raise Problem(401, "sign_in.enrol_over")
    return found[0]


async def enrol(door: Doorman, visit: Visit) -> Response:
    """Check the app's first code; then the recovery codes are shown, this once."""
    member = await _unfinished(door, visit)
    done = await visit.work(door.people.enrol_totp, member, visit.form.get("code", ""), *whence(visit))
    if done is None:
        return await _enrolling(door, visit, 400, say(visit.language, "sign_in.enrol_wrong"))
    return codes_page(visit, done[1], visit.session_cookie(done[0].token))


def codes_page(visit: Visit, codes: list[str], *headers: Header) -> Response:
    """Recovery codes, shown in the answer to a form and nowhere else."""
    response = render(visit, "codes.html.j2", codes=codes)
    response.headers = (*response.headers, *headers)
    return response


def qr(text: str) -> Markup:
    """A QR code as SVG without styles: black on white, with the quiet zone that readers need."""
    made = segno.make(text, error="m", micro=False)
    return Markup(made.svg_inline(scale=5, border=4, dark="#000", light="#fff", omitsize=False))  # noqa: S704


# -- the identity provider ------------------------------------------------------------------------------


async def provider(desk: Desk, visit: Visit) -> Response:
    """Send the browser to the identity provider."""
    if desk.oidc is None:
        raise Problem(404)
    try:
        async with asyncio.timeout(30):
            url, kept = await desk.oidc.begin()
    except (OidcError, TimeoutError) as error:
        raise Problem(503, "sign_in.provider_failed", why=str(error)) from None
    return Response(
        b"",
        status=303,
        type=b"",
        headers=((b"location", url.encode()), _begun_cookie(visit, kept, _BEGUN_SECONDS)),
    )


async def provider_back(door: Doorman, visit: Visit) -> Response:
    """The browser comes back from the identity provider."""
    if door.desk.oidc is None:
        raise Problem(404)
    request, https = visit.request, door.desk.settings.https
    kept = request.cookie(_begun_name(https).encode())
    try:
        async with asyncio.timeout(60):
            who = await door.desk.oidc.end(visit.query, kept)
        made = await visit.work(door.people.sign_in_as, who, *whence(visit))
    except (OidcError, PeopleError, TimeoutError) as error:
        raise Problem(403, "sign_in.provider_failed", why=str(error)) from None
    if isinstance(made, Refused):
        raise Problem(403, "sign_in.provider_unknown")
    response = through(visit, "/console/")
    response.headers = (*response.headers, visit.session_cookie(made.token), _begun_cookie(visit, "", 0))
    return response


def through(visit: Visit, path: str) -> Response:
    """A page that goes on to `path` by itself. A redirect will not do when another site sent the browser here: it would
    come without the session's cookie (SameSite=Strict)."""
    return render(visit, "through.html.j2", path=path)


def _begun_name(https: bool) -> str:
    return ("__Host-" if https else "") + BEGUN


def _begun_cookie(visit: Visit, value: str, seconds: int) -> Header:
    """Lax, unlike the session's: the provider, another site, sends the browser back here."""
    https = visit.site.desk.settings.https
    parts = [f"{_begun_name(https)}={value}", "Path=/", "HttpOnly", "SameSite=Lax", f"Max-Age={seconds}"]
    return b"set-cookie", "; ".join([*parts, *(["Secure"] if https else [])]).encode()


# -- shared ---------------------------------------------------------------------------------------------


def people_of(desk: Desk) -> People:
    """The people of the casebook.

    Raises:
        Refusal: 503, they are not loaded yet, or there is no casebook.
    """
    if desk.people is None:
        raise Refusal(503, "not_ready", "the service starts or stops; try again in 1 s", retry_after=1)
    people: People = desk.people
    return people
