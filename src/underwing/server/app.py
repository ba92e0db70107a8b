"""The ASGI application: routes, who may use them, and the life of the service around them."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import quote

import msgspec

from underwing.casebook.people import Member
from underwing.engine import Runner, StoreError
from underwing.server.answers import Health, Readiness
from underwing.server.appeals.routes import PAGE as APPEAL
from underwing.server.appeals.routes import AppealRoutes
from underwing.server.caring import Caring
from underwing.server.casework import Casework
from underwing.server.console import Desk, console
from underwing.server.console.behind import Behind
from underwing.server.console.guests import DEMO
from underwing.server.decided import Decided
from underwing.server.events import Events
from underwing.server.http import (
    ClientGone,
    Receive,
    Refusal,
    Request,
    Response,
    Scope,
    Send,
    Sender,
    redirect,
)
from underwing.server.ingest import Ingest
from underwing.server.keys import Keys, token_of
from underwing.server.limits import Rates
from underwing.server.logs import FLUSH_SECONDS, flush, note
from underwing.server.media.bring import Bring
from underwing.server.media.surfaces import Surfaces
from underwing.server.metrics import CONTENT_TYPE, Metrics
from underwing.server.openapi import describe
from underwing.server.people import load_flow, load_people
from underwing.server.routes import EVENTS, OPERATE, Route, Routes
from underwing.server.settings import Settings
from underwing.server.streams.routes import StreamRoutes
from underwing.server.streams.switches import SwitchDesk, switches_of
from underwing.server.supplied import Supplied
from underwing.server.urllists import UrlLists
from underwing.server.watch import PolicyWatch

_FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via")
_LOOPBACK = ("127.0.0.1", "::1")


class App:
    """The service as an ASGI application. Give it its engine with `attach` when it is not there yet."""

    def __init__(self, runner: Runner | None, keys: Keys, settings: Settings) -> None:
        self.settings, self.keys = settings, keys
        self.metrics = Metrics()
        self._runner = runner
        self._ingest: Ingest | None = None
        self._events: Events | None = None
        self._watch: PolicyWatch | None = None
        self._lists: UrlLists | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._send = Sender(https=settings.https)
        self._rates = Rates(settings.rate)
        self._openapi = Response(msgspec.json.encode(describe()))
        self.on_start: Callable[[], Awaitable[None]] | None = None
        """Run when the service starts: where a slow engine is loaded and attached."""
        self._routes = Routes()
        self._lay_routes()
        self.desk = Desk(settings)
        """What the console's pages work with."""
        self.desk.oidc = load_flow(settings)
        if settings.ticket:
            self.desk.guests.invite(ticket=settings.ticket)
        self.site = console(self.desk)
        self.site.on_fault = self.metrics.faults.labels("request").inc
        self._caring: Caring | None = None
        self._media = Surfaces(
            settings,
            self.metrics,
            lambda: self._ready,
            lambda: self._caring.evidence if self._caring else None,
        )
        self._media.lay(self._routes)
        self._lay_casebook()
        self.streams = StreamRoutes(settings, self.metrics, lambda: self._ready)
        self.streams.lay(self._routes)
        self.desk.behind = Behind(
            keys=keys, banks=self._media.desk, readiness=self._readiness,
            policy_problems=lambda: self._watch.errors if self._watch else {},
        )  # fmt: skip

    def _lay_routes(self) -> None:
        add = self._routes.add
        add("/v1/events", POST=Route("events", self._post_events, EVENTS))
        Decided(lambda: self._ready).lay(self._routes)
        SwitchDesk(lambda: self._ready, switches_of(self.settings)).lay(self._routes)
        add("/healthz", GET=Route("healthz", self._healthz))
        add("/readyz", GET=Route("readyz", self._readyz))
        add("/metrics", GET=Route("metrics", self._metrics))
        add("/openapi.json", GET=Route("openapi", self._describe))
        add("/", GET=Route("home", self._home))

    def _lay_casebook(self) -> None:
        bring = Bring(self._media.desk, lambda: self._cared().evidence, lambda: self.desk.book, self.settings)
        self._routes.add("/v1/cases/{case}/evidence", POST=Route("bring_evidence", bring.post, EVENTS))
        Supplied(lambda: self.desk.book, self.settings).lay(self._routes)
        AppealRoutes(
            lambda: self._cared().appeals, lambda: self.desk.book, lambda: self._ready, self.settings
        ).lay(self._routes)

    # -- life -------------------------------------------------------------------------------------------

    def attach(self, runner: Runner, casework: Casework | None = None) -> None:
        """Begin to serve from `runner`, and to bring what asks for a case to `casework`. Call it in the event loop.

        Raises:
            PolicyError: the policy file of the settings is invalid.
            UrlListError, OSError: the URL lists of the settings cannot be read.
        """
        settings = self.settings
        self._runner = runner
        self._ingest = ingest = Ingest(
            runner,
            self.metrics,
            max_waiting=settings.max_waiting,
            max_ahead=settings.max_ahead,
            casework=casework,
        )
        self.desk.attach(
            book=casework.book if casework else None,
            database=casework.database if casework else None,
            custody=casework.home.custody if casework else None,
            home=casework.home if casework else None,
            engine=lambda function: self._ready.call(partial(function, runner)),
            draw=lambda data, wish: self._media.desk().still(data, wish),
        )
        if casework is not None:
            self.desk.attach(people=load_people(settings, casework.home, self.desk.clock))
            self._attach_care(casework, ingest)
        self._events = Events(ingest, self.metrics, self._rates, settings, self._send)
        self._keep(self.streams.start(ingest, self._media.desk, lambda: self._caring).run())
        if settings.url_lists:
            self._lists = lists = UrlLists(settings.url_lists)
            runner.engine.use_links(lists.current)
            self._keep(lists.follow(runner.engine, ingest))
        if settings.policy or settings.shadow:
            self._watch = watch = PolicyWatch(settings.policy, settings.shadow)
            runner.engine.use_policy(*watch.policies())
            self._keep(watch.follow(runner.engine, ingest, self.metrics))

    def _attach_care(self, casework: Casework, ingest: Ingest) -> None:
        self._caring = caring = Caring(
            casework,
            self.settings,
            ingest,
            lambda work: self._media.desk().banks(work),
            lambda: self.desk.clock(),
        )
        self.desk.attach(care=caring.care, appeals=caring.appeals)
        self._keep(caring.run())

    def _cared(self) -> Caring:
        _ = self._ready
        if self._caring is None:
            raise Refusal(404, "no_casebook", "the casebook of this service is switched off")
        return self._caring

    def welcome(self, member: Member = DEMO) -> str:
        """The path that opens the console once as somebody, within some hours, without a pass-phrase: for a demo."""
        return f"/console/enter?key={self.desk.guests.invite(member)}"

    def _keep(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write_logs(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            flush()

    async def start(self) -> None:
        """Begin: with the engine given at first, or by loading one."""
        self._keep(self._write_logs())
        self._keep(self._media.start())
        if self._runner is not None:
            self.attach(self._runner)
        elif self.on_start is not None:
            self._keep(self.on_start())

    async def stop(self) -> None:
        """End: finish what was taken in, then stop the thread. The runner stays open; it is the caller's."""
        self._stopping = True
        for task in list(self._tasks):
            task.cancel()
        await self.streams.stop()
        if self._ingest is not None:
            await self._ingest.close()
        if self._caring is not None:
            await self._caring.close()
        await self._media.stop()
        flush()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            try:
                if message["type"] == "lifespan.startup":
                    await self.start()
                elif message["type"] == "lifespan.shutdown":
                    await self.stop()
            except Exception as error:
                note("lifespan_fault", logging.ERROR, error, problem=str(error))
                await send({"type": message["type"] + ".failed", "message": str(error)})
                return
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return

    # -- requests ---------------------------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        if scope["type"] == "lifespan":
            return await self._lifespan(receive, send)
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return None
        began = time.perf_counter()
        request = Request(scope, receive, send)
        status = 499
        try:
            try:
                response = await self._answer(request)
            except Refusal as refusal:
                self.metrics.rejected.labels(refusal.code).inc()
                response = refusal.response(bare=request.bare)
            except (sqlite3.Error, StoreError) as error:
                note("store_fault", logging.ERROR, error, request=request.id, route=request.route)
                response = Refusal(503, "store_unavailable", "the store cannot be read; try again").response()
            except ClientGone:
                response = None
            except Exception as error:
                note("fault", logging.ERROR, error, request=request.id, route=request.route)
                self.metrics.faults.labels("request").inc()
                response = Refusal(500, "internal", "something failed inside; try again").response()
            else:
                status = 200
            if response is not None:
                status = response.status
                await self._send.send(request, response)
        finally:
            took = time.perf_counter() - began
            route = request.route or "none"
            self.metrics.request(route, status, took)
            note(
                "request", request=request.id, route=route, status=status, ms=round(took * 1000, 2),
                key=request.key, **request.counts,
            )  # fmt: skip

    async def _answer(self, request: Request) -> Response | None:
        if request.path == b"/console":
            return redirect(b"/console/")
        if request.path == APPEAL.encode():
            request.path = b"/console/appeal"
        if request.path.startswith(b"/console/"):
            return await self.site.answer(request)
        route, parts = self._routes.find(request)
        request.route, request.bare = route.name, route.basic
        if route.roles is not None:
            request.key = self._authorise(request, route.roles, basic=route.basic)
            self._rates.check(request.key)
            if route.name != "events":
                self._rates.charge(request.key, 1)
        return await route.handler(request, *parts)

    def _authorise(self, request: Request, roles: frozenset[str], *, basic: bool = False) -> str:
        """The id of the key that asks."""
        given = request.header(b"authorization")
        if given is None:
            raise _unauthorised("this needs a key: Authorization: Bearer <key>", b"")
        token = token_of(given, basic=basic)
        key = self.keys.find(token) if token else None
        if key is None:
            raise _unauthorised("the key is not known or was revoked", b', error="invalid_token"')
        if key.role not in roles:
            raise Refusal(403, "forbidden", f"a {key.role} key may not do this")
        return key.id

    @property
    def _ready(self) -> Ingest:
        if self._ingest is None or not self._ingest.alive:
            raise Refusal(503, "not_ready", "the service starts or stops; try again in 1 s", retry_after=1)
        return self._ingest

    # -- routes -----------------------------------------------------------------------------------------

    async def _post_events(self, request: Request) -> Response | None:
        _ = self._ready
        assert self._events is not None
        return await self._events.post(request)

    async def _healthz(self, request: Request) -> Response:
        return Response(msgspec.json.encode(Health(status="ok")))

    async def _readyz(self, request: Request) -> Response:
        answer = self._readiness()
        return Response(msgspec.json.encode(answer), status=200 if answer.ready else 503)

    def _readiness(self) -> Readiness:
        ingest, runner = self._ingest, self._runner
        store = "loading" if ingest is None else "ok" if ingest.store_ok else "the last write failed"
        if self._stopping or (ingest is not None and not ingest.alive):
            store = "stopping"
        errors = self._watch.errors if self._watch else {}
        details = {f"{kind}_problem": problem for kind, problem in errors.items()}
        if runner is not None:
            details |= msgspec.structs.asdict(runner.engine.versions)
        details |= (
            self._media.details() | self.streams.details() | (self._lists.details() if self._lists else {})
        )
        return Readiness(
            ready=store == "ok",
            packs="loading" if runner is None else "ok",
            store=store,
            policy="loading" if runner is None else "invalid; the last good one is kept" if errors else "ok",
            details=details,
        )

    async def _metrics(self, request: Request) -> Response:
        client = request.scope.get("client")
        local = self.settings.loopback and client is not None and client[0] in _LOOPBACK
        forwarded = any(request.header(name) is not None for name in _FORWARDED)
        bare = local and not forwarded and request.header(b"authorization") is None
        if not (bare and self.settings.open_metrics):
            request.key = self._authorise(request, OPERATE)
        return Response(await asyncio.to_thread(self.metrics.text), type=CONTENT_TYPE)

    async def _describe(self, request: Request) -> Response:
        return self._openapi

    async def _home(self, request: Request) -> Response:
        """To the console; with `?key=<ticket>` through the door that tickets open."""
        ticket = request.query().get("key")
        where = b"/console/" if ticket is None else b"/console/enter?key=" + quote(ticket, safe="").encode()
        return redirect(where)


def _unauthorised(message: str, more: bytes) -> Refusal:
    return Refusal(
        401, "unauthorized", message, headers=((b"www-authenticate", b'Bearer realm="underwing"' + more),)
    )


def create_app(runner: Runner | None, keys: Keys, settings: Settings | None = None) -> App:
    """The ASGI application over `runner` (None: it is attached later and the service says "not ready")."""
    return App(runner, keys, settings or Settings())
