"""The media routes put together: their table, what lies behind them, and what `/readyz` is told of it."""

import asyncio
import logging
import os
import time
from collections.abc import Callable
from functools import partial

from underwing.banks.schema import BankError
from underwing.banks.store import Store
from underwing.media.workers import Bounds, Workers
from underwing.server.evidence import Evidence
from underwing.server.http import Refusal, Request, Response
from underwing.server.ingest import Ingest
from underwing.server.logs import note
from underwing.server.media.banks import BankRoutes
from underwing.server.media.check import Checks
from underwing.server.media.desk import Desk
from underwing.server.media.exchanges import Exchanges
from underwing.server.media.hma import HmaRoutes
from underwing.server.media.hma_banks import HmaBanks
from underwing.server.media.receipts import ReceiptError, Signer
from underwing.server.media.testbank import TEST_BANK, ensure_test_bank
from underwing.server.metrics import Metrics
from underwing.server.routes import EVENTS, EXPLAIN, OPERATE, Route, Routes
from underwing.server.settings import Settings

AGAIN_SECONDS = 5.0
"""How long to wait before banks that could not be opened are tried again."""
EXPIRE_SECONDS = 60.0
"""How often it is looked whether entries or agreements have reached their end."""


class Surfaces:
    """Everything about media that the application has."""

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        ingest: Callable[[], Ingest],
        evidence: Callable[[], Evidence | None] = lambda: None,
    ) -> None:
        self._evidence = evidence
        self._settings, self._metrics, self._ingest = settings, metrics, ingest
        self._open: Desk | None = None
        self._problem = ""
        self._told = "loading"
        self._exchanges = _exchanges(settings, metrics)

    def desk(self) -> Desk:
        """What lies behind the routes.

        Raises:
            Refusal: 503, it is not there yet, or cannot be.
        """
        if self._open is None:
            if self._problem:
                raise Refusal(503, "no_banks", "the banks cannot be opened; see /readyz", retry_after=60)
            raise Refusal(503, "not_ready", "the banks are loading; try again in 1 s", retry_after=1)
        return self._open

    def lay(self, routes: Routes) -> None:
        """Put the routes into the table."""
        add, settings = routes.add, self._settings
        checks = Checks(self.desk, self._ingest, self._metrics, settings, self._evidence)
        banks = BankRoutes(self.desk, settings)
        add("/v1/media", POST=Route("media", checks.post_media, EVENTS))
        add("/v1/hashes", POST=Route("hashes", checks.post_hashes, EVENTS))
        add("/v1/receipts/keys", GET=Route("receipt_keys", self._keys))
        add(
            "/v1/banks",
            GET=Route("banks", banks.banks, EXPLAIN),
            POST=Route("create_bank", banks.create, OPERATE),
        )
        add(
            "/v1/banks/{bank}",
            GET=Route("bank", banks.bank, EXPLAIN),
            PATCH=Route("change_bank", banks.change, OPERATE),
        )
        add(
            "/v1/banks/{bank}/entries",
            GET=Route("entries", banks.entries, EXPLAIN),
            POST=Route("add_entries", banks.add, OPERATE),
        )
        add("/v1/banks/{bank}/entries/{entry}", GET=Route("entry", banks.entry, EXPLAIN))
        for turn in ("disable", "enable", "withdraw"):
            add(
                f"/v1/banks/{{bank}}/entries/{{entry}}/{turn}",
                POST=Route(f"{turn}_entry", partial(banks.turn, turn), OPERATE),
            )
        add(
            "/v1/banks/{bank}/entries/{entry}/feedback",
            POST=Route("entry_feedback", banks.feedback, EXPLAIN),
        )
        add("/v1/agreements", GET=Route("agreements", banks.agreements, EXPLAIN))
        add("/v1/exchanges", GET=Route("exchanges", banks.exchanges, EXPLAIN))
        HmaRoutes(self.desk, settings).lay(routes)
        HmaBanks(self.desk, settings).lay(routes)

    async def start(self) -> None:
        """Open the banks and load their index, again and again until it succeeds; then follow what runs out."""
        while self._open is None:
            try:
                self._open = await self._ready_desk()
            except Exception as error:
                known = isinstance(error, BankError | ReceiptError | OSError)
                said = str(error) if known else "the banks cannot be loaded; see the log"
                if said != self._problem:
                    note("banks_unusable", logging.ERROR, error, problem=said)
                self._problem = self._told = said
                for path in (self._settings.banks_file, self._settings.receipt_key_file):
                    self._told = self._told.replace(str(path), path.name)  # anybody may read /readyz
                await asyncio.sleep(AGAIN_SECONDS)
        self._problem = ""
        note("banks_ready", file=str(self._settings.banks_file), banks=self._told)
        if self._exchanges is not None:
            self._exchanges.start()
        while True:
            await asyncio.sleep(EXPIRE_SECONDS)
            try:
                await self._open.banks(lambda store: store.expire(int(time.time())))
                self._told = await self._open.banks(_told)
            except Exception as error:
                note("banks_fault", logging.ERROR, error)

    async def _ready_desk(self) -> Desk:
        desk = await asyncio.to_thread(self._made)
        try:
            now = int(time.time())
            await desk.banks(partial(ensure_test_bank, now=now))
            await desk.banks(lambda store: store.expire(now))
            await desk.warm()
            self._told = await desk.banks(_told)
        except BaseException:
            await desk.close()
            raise
        return desk

    def _made(self) -> Desk:
        settings = self._settings
        bounds = Bounds(
            size=settings.media_max,
            memory=settings.media_memory,
            seconds=float(settings.media_seconds),
            long_video=float(settings.media_long_video),
        )
        count = settings.media_workers or os.cpu_count() or 1
        return Desk(
            settings.banks_file,
            Signer(settings.receipt_key_file),
            self._metrics,
            workers=lambda: Workers(count, bounds, classifier=settings.classifier),
            in_flight=settings.media_in_flight,
        )

    async def stop(self) -> None:
        """End what lies behind the routes."""
        if self._exchanges is not None:
            await asyncio.to_thread(self._exchanges.stop)
        desk, self._open = self._open, None
        if desk is not None:
            await desk.close()

    def details(self) -> dict[str, str]:
        """What `/readyz` tells of the banks and of the sources of lists."""
        exchanges = self._exchanges.details() if self._exchanges is not None else {"exchanges": "off"}
        return {"banks": self._told} | exchanges

    async def _keys(self, request: Request) -> Response:
        return Response(self.desk().signer.jwks, type=b"application/jwk-set+json")


def _exchanges(settings: Settings, metrics: Metrics) -> Exchanges | None:
    path = settings.exchanges_file
    return (
        None
        if path is None
        else Exchanges(path, settings.banks_file, metrics, named=bool(settings.exchanges))
    )


def _told(store: Store) -> str:
    """How many banks and entries there are, in words."""
    own = [state for state in store.banks() if state.bank.name != TEST_BANK]
    if not own:
        return "none but the shipped test bank; nothing real is known"
    entries = sum(store.count(state.bank.name)["active"] for state in own)
    asleep = sum(not state.matches for state in own)
    return f"{len(own)} with {entries} active entries" + (
        f"; {asleep} of them do not match" if asleep else ""
    )
