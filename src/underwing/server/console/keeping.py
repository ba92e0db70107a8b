"""How a file of a case is kept: until when and by which rule, holds, out of view and back, erasure, destruction by two
people with a certificate, and the way out of the vault."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import msgspec

from underwing.casebook.care import Exhibit
from underwing.casebook.people import May, Request
from underwing.casebook.vault import Home
from underwing.casebook.vault.index import Asked, Hold, Stored
from underwing.casebook.vault.retention import Kept
from underwing.server.console.asked import text
from underwing.server.console.desk import Desk
from underwing.server.console.render import render
from underwing.server.console.site import Handler, Site, View
from underwing.server.console.visit import Problem, Visit
from underwing.server.http import JSON, Response

DAY = 86_400
BYTES = b"application/octet-stream"


class Place(NamedTuple):
    """A file of the case, the vault it lies in, and what the vault's index knows of it."""

    home: Home
    file: Exhibit
    stored: Stored


class Keep(NamedTuple):
    """What the page shows: how it is kept, what stands against destroying it, and what waits."""

    kept: Kept
    holds: list[Hold]
    asked: Asked | None
    over: bool
    """Whether its retention has run out."""


def lay(site: Site, desk: Desk) -> None:
    """Lay the pages."""
    one = "/console/cases/{case}/files/{number}/keeping"

    def view(name: str, handler: Handler, may: May = May.keep_evidence) -> View:
        return View(name, partial(handler, desk), may, "case")

    site.add(one, GET=view("keeping", show))
    for name, act in ACTS.items():
        site.add(f"{one}/{name}", POST=view(f"keeping_{name}", partial(do, act, name)))
    site.add(f"{one}/destroy", POST=view("keeping_destroy", destroy, May.confirm))
    site.add(f"{one}/certificate", GET=view("certificate", certificate))
    site.add(f"{one}/export", POST=view("keeping_export", export, May.export_evidence))
    desk.carry("export", _agreed)


async def show(desk: Desk, visit: Visit, case: str, number: str) -> Response:
    """How the file is kept, and what can be done."""
    place = await visit.work(_place, desk, visit, number)
    keep = await visit.work(_keep, place)
    allowed = await visit.work(_allowed, desk, visit, place.file)
    return render(
        visit, "keeping.html.j2", file=place.file, stored=place.stored, keep=keep, names=desk.names(),
        mine=keep.asked is not None and keep.asked.by == visit.member.id, allowed=allowed, cases=place.stored.case,
    )  # fmt: skip


Act = Callable[[Place, Visit, str], str]
"""Does something with a reason; the end of the notice's key."""


async def do(act: Act, name: str, desk: Desk, visit: Visit, case: str, number: str) -> Response:
    """One act with its reason; the vault records it."""
    reason = text(visit.form, "reason", needed=True)
    place = await visit.work(_place, desk, visit, number)
    did = await visit.work(act, place, visit, reason)
    return visit.redirect(_path(place.file), f"keeping.{did}", place.file.number)


def _withdraw(place: Place, visit: Visit, reason: str) -> str:
    place.home.keeping.withdraw(place.stored.address, by=visit.member.id, reason=reason)
    return "withdrawn"


def _restore(place: Place, visit: Visit, reason: str) -> str:
    place.home.keeping.restore(place.stored.address, by=visit.member.id, reason=reason)
    return "restored"


def _hold(place: Place, visit: Visit, reason: str) -> str:
    whole = visit.form.get("whole") == "yes"
    on = {"case": place.stored.case} if whole else {"address": place.stored.address}
    place.home.keeping.hold(by=visit.member.id, reason=reason, **on)
    return "held"


def _release(place: Place, visit: Visit, reason: str) -> str:
    given = visit.form.get("hold", "")
    holds = {str(hold.number): hold.number for hold in place.home.vault.index.holds_on(place.stored)}
    if given not in holds:
        raise Problem(404, "refused.no_hold", number=given[:20])
    place.home.keeping.release(holds[given], by=visit.member.id, reason=reason)
    return "released"


def _erase(place: Place, visit: Visit, reason: str) -> str:
    (answer,) = place.home.keeping.erasure(address=place.stored.address, by=visit.member.id, reason=reason)
    return "erasure_asked" if answer.asked else "erasure_kept"


def _ask(place: Place, visit: Visit, reason: str) -> str:
    place.home.keeping.ask_destruction(place.stored.address, by=visit.member.id, reason=reason)
    return "asked"


def _cancel(place: Place, visit: Visit, reason: str) -> str:
    place.home.keeping.cancel_destruction(place.stored.address, by=visit.member.id, reason=reason)
    return "cancelled"


ACTS: dict[str, Act] = {
    "withdraw": _withdraw, "restore": _restore, "hold": _hold, "release": _release, "erase": _erase, "ask": _ask,
    "cancel": _cancel,
}  # fmt: skip


async def destroy(desk: Desk, visit: Visit, case: str, number: str) -> Response:
    """The second person confirms: the file is destroyed, and there is a certificate."""
    place = await visit.work(_place, desk, visit, number)
    address = place.stored.address
    await visit.work(partial(place.home.keeping.confirm_destruction, address, by=visit.member.id))
    return visit.redirect(_path(place.file), "keeping.destroyed", place.file.number)


async def certificate(desk: Desk, visit: Visit, case: str, number: str) -> Response:
    """The signed certificate of a destruction, to be kept elsewhere too."""
    place = await visit.work(_place, desk, visit, number)
    made = await visit.work(place.home.keeping.certificate, place.stored.address)
    name = b'attachment; filename="certificate-%d.json"' % place.file.number
    return Response(msgspec.json.encode(made), type=JSON, headers=((b"content-disposition", name),))


# -- out of the vault -----------------------------------------------------------------------------------


async def export(desk: Desk, visit: Visit, case: str, number: str) -> Response:
    """Ask for the file; once the second person has agreed, give it, for a day."""
    reason = text(visit.form, "reason", needed=True)
    place = await visit.work(_place, desk, visit, number)
    allowed = await visit.work(_allowed, desk, visit, place.file)
    if allowed is None:
        body = {"case": str(place.file.case), "file": str(place.file.number)}
        await visit.work(desk.second.ask, "export", _about(place.file), visit.member.id, reason, body)
        return visit.redirect(_path(place.file), "keeping.export_asked", place.file.number)
    data = await visit.work(_bytes, place, visit, reason, allowed)
    name = b'attachment; filename="file-%d.bin"' % place.file.number
    return Response(data, type=BYTES, headers=((b"content-disposition", name),))


def _bytes(place: Place, visit: Visit, reason: str, allowed: int) -> bytes:
    facts: dict[str, int | str | bool] = {"request": allowed} if allowed else {}
    read = place.home.vault.read(
        place.stored.address, by=visit.member.id, looking="exported", reason=reason, facts=facts
    )
    return b"".join(read)


def _allowed(desk: Desk, visit: Visit, file: Exhibit) -> int | None:
    """The number of the request by which this member may have the file today, 0 where none is needed, None: not yet."""
    if desk.people is None:
        return None
    about, by = _about(file), visit.member.id
    if not desk.second.needs("export", about=about, by=by):
        return 0
    since = desk.clock() - DAY
    agreed = (
        one.id
        for one in desk.second.recent(500)
        if (one.what, one.about, one.asked_by, one.state) == ("export", about, by, "confirmed")
        and one.decided > since
    )
    return next(agreed, None)


def _agreed(request: Request) -> None:
    """Nothing is done by itself: whoever asked fetches the file, and that is recorded."""


def _about(file: Exhibit) -> str:
    return f"file:{file.number}"


# -- parts ----------------------------------------------------------------------------------------------


def _place(desk: Desk, visit: Visit, number: str) -> Place:
    home, care = desk.home, desk.care
    assert visit.case is not None
    if home is None or care is None or not (number.isascii() and number.isdigit() and len(number) <= 15):
        raise Problem(404, "files.not_here")
    file = care.exhibits.get(int(number))
    if file is None or file.case != visit.case.id or not file.address:
        raise Problem(404, "files.not_here")
    return Place(home, file, home.vault.index.get(file.address))


def _keep(place: Place) -> Keep:
    index, kept = place.home.vault.index, place.home.keeping.kept(place.stored)
    over = place.home.vault.clock() >= kept.until
    return Keep(kept, index.holds_on(place.stored), index.asked(place.stored.address), over)


def _path(file: Exhibit) -> str:
    return f"/console/cases/{file.case}/files/{file.number}/keeping"
