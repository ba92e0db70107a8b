"""The page of the account holder: what was decided, by whom and on what ground, and how to object. It needs a token and no
account, and works while suspended. It says nothing about lists, reports or other people."""

from collections import deque
from functools import partial

from underwing.casebook.appeals import AppealError, Appeals, Grant
from underwing.casebook.appeals.values import MOST_TEXT, Kind
from underwing.server.console.desk import Desk
from underwing.server.console.render import render
from underwing.server.console.site import Site, View
from underwing.server.console.visit import Problem, Visit
from underwing.server.console.words import LANGUAGES
from underwing.server.http import Response

PATH = "/console/appeal"
MOST_FORM = 4 * MOST_TEXT + 4_096
WINDOW, FROM_ONE, FROM_ALL = 60.0, 30, 600
"""Within so many seconds so many requests from one address, and from all together (behind a proxy they are one)."""
MOST_ADDRESSES = 1_000


class Gate:
    """Lets so many requests through in a window and no more; bounded itself."""

    def __init__(self) -> None:
        self._all: deque[float] = deque()
        self._one: dict[str, deque[float]] = {}

    def check(self, address: str, now: float) -> None:
        """Let a request through.

        Raises:
            Problem: 429, there were too many.
        """
        one = self._one.pop(address, None) or deque()
        self._one[address] = one
        while len(self._one) > MOST_ADDRESSES:
            del self._one[next(iter(self._one))]
        for seen, most in ((one, FROM_ONE), (self._all, FROM_ALL)):
            while seen and seen[0] <= now - WINDOW:
                seen.popleft()
            if len(seen) >= most:
                raise Problem(429)
        one.append(now)
        self._all.append(now)


def lay(site: Site, desk: Desk) -> None:
    """Lay the page."""
    gate = Gate()
    site.add(
        PATH,
        GET=View("appeal_page", partial(show, desk, gate), None),
        POST=View("appeal_file", partial(file, desk, gate), None, most=MOST_FORM),
    )


async def show(desk: Desk, gate: Gate, visit: Visit) -> Response:
    """What was decided, what was said about it already, and the forms to object."""
    appeals = _appeals(desk)
    gate.check(_address(visit), desk.clock())
    token = visit.query.get("token", "")
    grant = await visit.work(appeals.find, token) if token else None
    if grant is None:
        return render(visit, "appeal_unknown.html.j2", status=404 if token else 200)
    return await _page(appeals, visit, token, grant)


async def file(desk: Desk, gate: Gate, visit: Visit) -> Response:
    """File an appeal or a complaint."""
    appeals = _appeals(desk)
    gate.check(_address(visit), desk.clock())
    token, kind, text = (visit.form.get(name, "") for name in ("token", "kind", "text"))
    grant = await visit.work(appeals.find, token)
    if grant is None:
        return render(visit, "appeal_unknown.html.j2", status=404)
    if kind not in ("decision", "detection"):
        raise Problem(400)
    chosen: Kind = "decision" if kind == "decision" else "detection"
    try:
        await visit.work(appeals.file, grant, chosen, text)
    except AppealError:
        return await _page(appeals, visit, token, grant, text=text, kind=kind, status=400)
    return visit.redirect(f"{PATH}?token={token}", "appeal.filed")


async def _page(
    appeals: Appeals,
    visit: Visit,
    token: str,
    grant: Grant,
    *,
    text: str = "",
    kind: str = "",
    status: int = 200,
) -> Response:
    """The page in the language that the platform named, unless the address asks for another (`&lang=de`)."""
    wanted = visit.query.get("lang", grant.language)
    visit.language = wanted if wanted in LANGUAGES else visit.language
    filed = await visit.work(appeals.filed, grant)
    return render(
        visit, "appeal.html.j2", status=status, token=token, grant=grant, told=grant.statement, filed=filed, text=text,
        wrong=kind, kinds={appeal.kind for appeal in filed}, most=MOST_TEXT,
        independent=await visit.work(appeals.independent, grant),
    )  # fmt: skip


def _address(visit: Visit) -> str:
    client = visit.request.scope.get("client")
    return str(client[0]) if client else ""


def _appeals(desk: Desk) -> Appeals:
    if desk.appeals is None:
        raise Problem(503)
    return desk.appeals
