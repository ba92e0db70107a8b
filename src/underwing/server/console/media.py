"""The files of a case. None is shown by itself; asked for, a small grey blurred still; plain only while a key or pointer
holds it, or, without script, for three seconds after being asked twice."""

import asyncio
import math
from functools import partial

from msgspec import Struct

from underwing.casebook.care import FIRST_STEP, Care, NotNow, Ruling, Standing
from underwing.casebook.people import May
from underwing.media.sniff import VIDEOS
from underwing.server.console.desk import Desk
from underwing.server.console.render import render
from underwing.server.console.site import Handler, Site, View
from underwing.server.console.stills import Asked
from underwing.server.console.visit import Problem, Visit
from underwing.server.http import Response

PICTURE = b"image/jpeg"
TOKEN = b"underwing-reveal"
"""The header that names a reveal which has begun."""
MOST_REASON = 500
_OURS = (b"cross-origin-resource-policy", b"same-origin")


class Strip(Struct, frozen=True, kw_only=True):
    """The files of a case as its page tells of them: how the member stands, and to each file."""

    ruling: Ruling
    files: list[Standing]


def lay(site: Site, desk: Desk) -> None:
    """Lay the pages of files."""
    one = "/console/cases/{case}/files/{number}"

    def view(name: str, handler: Handler) -> View:
        return View(name, partial(handler, desk), May.see_media, "case")

    site.add(one, GET=view("file", show))
    site.add(f"{one}/look", POST=view("file_look", look))
    site.add(f"{one}/still/{{token}}", GET=view("file_still", still))
    site.add(f"{one}/reveal", POST=view("file_reveal", reveal))
    site.add(f"{one}/ask", GET=view("file_ask", ask))
    site.add(f"{one}/once", POST=view("file_once", once))
    site.add(f"{one}/end", POST=view("file_end", end))
    site.add("/console/cases/{case}/enough", POST=view("enough", enough))


async def strip(desk: Desk, visit: Visit, case: int) -> Strip | None:
    """What the page of a case tells of its files; None where nothing is kept."""
    if desk.care is None:
        return None
    ruling, files = await visit.work(desk.care.of_case, visit.member.id, case)
    return Strip(ruling=ruling, files=files)


async def show(desk: Desk, visit: Visit, case: str, number: str) -> Response:
    """What is known of a file without looking, and the ways to look."""
    return await _page(desk, visit, number)


async def look(desk: Desk, visit: Visit, case: str, number: str) -> Response:
    """Draw a blurred still, and show the page with it."""
    file = await _file(desk, visit, number)
    step = _number(visit.form.get("step", str(file.step)), FIRST_STEP)
    if step == 0:
        raise Problem(409, "files.no.step")
    asked = await _drawn(desk, visit, file, step)
    if asked.still.error is not None:
        return await _page(desk, visit, number, error=asked.still.error)
    return await _page(desk, visit, number, token=desk.stills.keep(asked), step=step)


async def still(desk: Desk, visit: Visit, case: str, number: str, token: str) -> Response:
    """A still, once; what it shows is written down before it is sent."""
    file = await _file(desk, visit, number)
    asked = None
    if visit.request.method == "GET":
        asked = desk.stills.fetch(token, visit.member.id, file.exhibit.number)
    if asked is None:
        raise Problem(404, "files.no_still")
    if asked.step == 0:
        begun = await visit.work(_care(desk).begin, asked.member, asked.number, asked.reason)
        desk.stills.later(_care(desk).limits.reveal.once, partial(_care(desk).end, asked.member, begun.token))
    else:
        await visit.work(_care(desk).saw, asked.member, asked.number, asked.step, asked.reason)
    return Response(asked.still.picture, type=PICTURE, headers=(_OURS,))


async def reveal(desk: Desk, visit: Visit, case: str, number: str) -> Response:
    """The still without blur, for a script that shows it while a key or pointer is held and reports the end."""
    file = await _file(desk, visit, number)
    asked = await _drawn(desk, visit, file, 0)
    if asked.still.error is not None:
        raise Problem(422, "files.cannot", why=asked.still.error)
    begun = await visit.work(_care(desk).begin, asked.member, asked.number, asked.reason)
    return Response(asked.still.picture, type=PICTURE, headers=(_OURS, (TOKEN, begun.token.encode())))


async def end(desk: Desk, visit: Visit, case: str, number: str) -> Response:
    """The key or pointer was let go."""
    await visit.work(_care(desk).end, visit.member.id, visit.form.get("token", "")[:64])
    return Response(status=204, type=b"")


async def ask(desk: Desk, visit: Visit, case: str, number: str) -> Response:
    """Ask once more before a file is shown without script."""
    file = await _file(desk, visit, number)
    return render(visit, "file_ask.html.j2", file=file, once=_care(desk).limits.reveal.once)


async def once(desk: Desk, visit: Visit, case: str, number: str) -> Response:
    """A page that shows the still without blur, and goes back by itself."""
    file = await _file(desk, visit, number)
    asked = await _drawn(desk, visit, file, 0)
    if asked.still.error is not None:
        return await _page(desk, visit, number, error=asked.still.error)
    seconds = _care(desk).limits.reveal.once
    return render(visit, "file_once.html.j2", file=file, token=desk.stills.keep(asked), once=seconds)


async def enough(desk: Desk, visit: Visit, case: str) -> Response:
    """It is enough to decide: the looking ends."""
    assert visit.case is not None
    await visit.work(_enough, desk, visit, visit.case.id)
    return visit.redirect(f"/console/cases/{visit.case.id}", "files.enough")


def _enough(desk: Desk, visit: Visit, case: int) -> None:
    with desk.transaction():
        _care(desk).enough(visit.member.id, case)
        desk.audit(visit.member, "enough", f"case:{case}")


# -- parts ------------------------------------------------------------------------------------------------


async def _page(
    desk: Desk, visit: Visit, number: str, *, token: str = "", step: int = FIRST_STEP, error: str = "",
    refused: NotNow | None = None,
) -> Response:  # fmt: skip
    file = await _file(desk, visit, number)
    care = _care(desk)
    ruling = await visit.work(care.ruling, visit.member.id)
    return render(
        visit, "file.html.j2", file=file, ruling=ruling, limits=care.limits, token=token, step=step, error=error,
        names=desk.names(), film=_film(file), first=FIRST_STEP, second=_second(visit), reason=_reason(visit),
    )  # fmt: skip


async def _file(desk: Desk, visit: Visit, number: str) -> Standing:
    assert visit.case is not None
    standing = await visit.work(_care(desk).standing, visit.member.id, _number(number, 2**53))
    if standing.exhibit.case != visit.case.id:
        raise Problem(404, "files.not_here")
    return standing


async def _drawn(desk: Desk, visit: Visit, file: Standing, step: int) -> Asked:
    try:
        return await desk.stills.draw(
            _care(desk),
            visit.member.id,
            file.exhibit.number,
            step,
            second=_second(visit),
            reason=_reason(visit),
        )
    except NotNow as no:
        raise Problem(409, f"files.no.{no.why}") from None


def _film(file: Standing) -> bool:
    return file.exhibit.type in VIDEOS or file.exhibit.seconds is not None


def _second(visit: Visit) -> float:
    try:
        second = float(visit.form.get("second", "").replace(",", ".") or 0)
    except ValueError:
        raise Problem(400) from None
    if not (math.isfinite(second) and 0 <= second <= 86_400):
        raise Problem(400)
    return second


def _reason(visit: Visit) -> str:
    return " ".join(visit.form.get("reason", "").split())[:MOST_REASON]


def _number(given: str, most: int) -> int:
    if not (given.isascii() and given.isdigit() and len(given) <= 16 and int(given) <= most):
        raise Problem(404, "files.not_here")
    return int(given)


def _care(desk: Desk) -> Care:
    if desk.care is None:
        raise Problem(404, "files.off")
    care: Care = desk.care
    return care


async def close_late(care: Care, seconds: float = 5.0) -> None:
    """Again and again end the reveals whose end nobody reported."""
    while True:
        await asyncio.to_thread(care.close_late)
        await asyncio.sleep(seconds)
