"""The console's table: which page answers which method on which path, who may ask, and what stands in the menu.

Least rights: who may not ask is refused here, before a page's handler runs.
"""

import logging
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Literal, NamedTuple

from underwing.casebook.cases import Case, Stale
from underwing.casebook.database import CasebookError
from underwing.casebook.people import May
from underwing.server.console import statics
from underwing.server.console.desk import Desk
from underwing.server.console.refusals import reason_of
from underwing.server.console.render import render
from underwing.server.console.visit import NOBODY, Problem, Visit
from underwing.server.console.words import choose
from underwing.server.http import ClientGone, Header, Refusal, Request, Response
from underwing.server.limits import Rates
from underwing.server.logs import note
from underwing.server.routes import Route, Routes

Handler = Callable[..., Awaitable[Response]]
MOST_FORM = 256 * 1024
"""Bytes of a form, unless a view says otherwise."""
MOST_RATE = 100.0
"""Requests a second of one session. The door and the page of account holders have limits of their own."""
SIGN_IN = "/console/sign-in"


class View(NamedTuple):
    """What answers a method on a path: its name, `async (visit, *parts) -> Response`, and what one must be allowed
    (None: everybody, without signing in). `about="case"`: the path's first part is a case's number; permission is then
    asked for that case, and `visit.case` has it; `about="free"`: it is about a case that nobody holds. `most`: bytes of
    its form."""

    name: str
    handler: Handler
    permission: May | None
    about: Literal["case", "free", "none"] = "none"
    most: int = MOST_FORM


class Row(NamedTuple):
    """One line of the table, for whoever checks that none is missing."""

    method: str
    path: str
    permission: May | None
    about: str


class Entry(NamedTuple):
    """One line of the menu. `key`: the key after `g` that goes there."""

    group: str
    path: str
    word: str
    permission: May
    key: str


class Site:
    """All pages of a console, and the answer to each request for one."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._routes = Routes()
        self._views: dict[str, View] = {}
        self._rows: list[Row] = []
        self._entries: list[Entry] = []
        self._rates = Rates(MOST_RATE)
        self.on_fault: Callable[[], None] = lambda: None
        """Told of everything that fails inside."""

    def add(self, path: str, **methods: View) -> None:
        """Take in a path with its methods (`GET=View(...)`).

        Raises:
            ValueError: a path outside of the console, or a name or path that is taken.
        """
        if not path.startswith("/console/"):
            raise ValueError(f"{path}: paths of the console begin with /console/")
        if any(row.path == path for row in self._rows):
            raise ValueError(f"{path} is taken")
        for method, view in methods.items():
            if view.name in self._views:
                raise ValueError(f"the name {view.name} is taken")
            self._views[view.name] = view
            self._rows.append(Row(method, path, view.permission, view.about))
        self._routes.add(path, **{method: Route(v.name, v.handler) for method, v in methods.items()})

    def nav(self, group: str, path: str, word: str, permission: May, key: str = "") -> None:
        """Put a page into the menu, for those who may see it; `word` is the key of its text."""
        if key and any(entry.key == key for entry in self._entries):
            raise ValueError(f"the key g {key} is taken")
        self._entries.append(Entry(group, path, word, permission, key))

    def menu(self, visit: Visit) -> list[tuple[str, list[Entry]]]:
        """The menu as this member sees it: groups with their pages."""
        groups: dict[str, list[Entry]] = {}
        for entry in self._entries:
            if visit.may(entry.permission):
                groups.setdefault(entry.group, []).append(entry)
        return list(groups.items())

    def table(self) -> list[Row]:
        """Every (method, path, permission, about), for the test of access."""
        return list(self._rows)

    async def answer(self, request: Request) -> Response:
        """The answer to a request for a path of the console; errors are pages too.

        Raises:
            ClientGone: the client hung up before it had sent its request.
        """
        if request.path.startswith(statics.PREFIX):
            request.route = "console_static"
            return statics.serve(request)
        visit = Visit(self, request, https=self.desk.settings.https)
        request.route = "console"
        try:
            visit.language = choose("", request.header(b"accept-language"))
            await self._recognise(visit)
            response = await self._find_and_serve(visit)
        except Problem as problem:
            response = problem_page(visit, problem.status, problem.key, problem.values)
        except Refusal as refusal:
            response = problem_page(visit, refusal.status, headers=refusal.headers)
        except CasebookError as error:
            status = 409 if isinstance(error, Stale) else 400
            response = problem_page(visit, status, "problem.because", {"why": reason_of(visit, error)})
        except sqlite3.Error as error:
            note("store_fault", logging.ERROR, error, request=request.id, route=request.route)
            response = problem_page(visit, 503)
        except ClientGone:
            raise
        except Exception as error:
            note("fault", logging.ERROR, error, request=request.id, route=request.route)
            self.on_fault()
            response = problem_page(visit, 500)
        response.headers = (*response.headers, *visit.cookies())
        return response

    async def _recognise(self, visit: Visit) -> None:
        if visit.token:
            by_itself = visit.request.header(b"sec-fetch-dest") == b"empty" and visit.request.method != "POST"
            found = await visit.work(self.desk.session, visit.token, not by_itself)
            if found is not None and found.active:
                visit.member = found
                visit.request.key = found.id
                self._rates.check(visit.session)
                self._rates.charge(visit.session, 1)
                visit.language = choose(found.language, visit.request.header(b"accept-language"))
        visit.query = visit.request.query()

    async def _find_and_serve(self, visit: Visit) -> Response:
        request = visit.request
        route, parts = self._routes.find(request)
        view = self._views[route.name]
        request.route = f"console_{view.name}"
        if view.permission is not None:
            if visit.member is NOBODY:
                return self._arrived(visit) or self._to_sign_in(visit)
            if view.about == "case":
                visit.case = await visit.work(self._case, parts[0])
                visit.whose = visit.stands(visit.case)
            elif view.about == "free":
                visit.whose = "free"
            if not visit.may(view.permission, visit.whose):
                raise Problem(403, "problem.not_allowed")
        if request.method == "POST":
            await visit.read_form(view.most)
        return await view.handler(visit, *parts)

    def _case(self, number: str) -> Case:
        if number.isascii() and number.isdigit() and len(number) <= 15:
            found = self.desk.book.case(int(number))
            if found is not None:
                return found
        raise Problem(404, "problem.no_case")

    def _arrived(self, visit: Visit) -> Response | None:
        """For who followed a link on another site: a page that goes on to the same path. Browsers leave the session's cookie
        (SameSite=Strict) out of the first request then and send it with the second."""
        request = visit.request
        from_elsewhere = request.header(b"sec-fetch-site") in (b"cross-site", b"same-site")
        if request.method != "GET" or visit.token or not from_elsewhere:
            return None
        query = request.scope["query_string"].decode("latin-1")
        path = request.path.decode("latin-1") + (f"?{query}" if query else "")
        return render(visit, "through.html.j2", path=path)

    def _to_sign_in(self, visit: Visit) -> Response:
        if visit.request.method in ("GET", "HEAD") and any(row.path == SIGN_IN for row in self._rows):
            return visit.redirect(SIGN_IN)
        raise Problem(401)


def problem_page(
    visit: Visit,
    status: int,
    key: str = "",
    values: dict[str, object] | None = None,
    headers: tuple[Header, ...] = (),
) -> Response:
    """The page that says what went wrong and what to do."""
    known = status if status in (400, 401, 403, 404, 405, 409, 413, 429, 500, 503) else 400
    response = render(
        visit, "problem.html.j2", status=status, code=status, known=known, key=key, values=values or {}
    )
    response.headers = (*response.headers, *headers)
    return response
