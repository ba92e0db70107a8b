"""Care, evidence and appeals of a running service: made from the casebook and its vault, and what they do by themselves."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from underwing.banks.store import Store
from underwing.casebook.appeals import Appeals, Keeper
from underwing.casebook.care import Care, load_limits
from underwing.casebook.errors import CasebookError
from underwing.casebook.people import May
from underwing.casebook.people.audit import note
from underwing.casebook.people.members import Members
from underwing.model import Event
from underwing.server.appeals.follow import Follower
from underwing.server.casework import Casework
from underwing.server.console.media import close_late
from underwing.server.evidence import LONG, Evidence
from underwing.server.http import Refusal
from underwing.server.ingest import Ingest
from underwing.server.intake import Problem
from underwing.server.logs import note as told
from underwing.server.settings import Settings

SWEEP = 6 * 3_600
"""Seconds between looks for appeals that need not be kept any longer."""


class Caring:
    """`banks` runs a function with the store of the banks; `clock` gives epoch seconds.

    Raises:
        LimitsError: the file of limits cannot be used.
    """

    def __init__(
        self,
        casework: Casework,
        settings: Settings,
        ingest: Ingest,
        banks: Callable[[Callable[[Store], object]], Awaitable[object]],
        clock: Callable[[], float],
    ) -> None:
        home, database = casework.home, casework.database
        limits = load_limits(Path(settings.care) if settings.care else None)
        self._ingest, self._clock = ingest, clock
        alone = database.kind == "sqlite"
        self._left_behind = int(clock()) - (1 if alone else LONG)
        self.care = Care(database, home.vault, home.custody, limits, clock=clock)
        self.evidence = Evidence(self.care, casework.book, keep_media=settings.keep_media)

        def audit(by: str, what: str, about: str, facts: dict[str, int | str | bool]) -> None:
            note(home.custody, "acted", by, what, about, **facts)

        members = Members(database)
        self.appeals = Appeals(
            database, casework.book, audit, clock=clock, able=lambda: members.able(May.decide_appeal)
        )
        self.keeper = Keeper(database, casework.book, home.keeping, audit, clock=clock)
        webhook = (settings.appeal_webhook, settings.appeal_secret)
        self.follower = Follower(self.appeals, self._decide, banks, webhook, clock)

    async def run(self) -> None:
        """End reveals whose end nobody reported, carry out what follows from appeals and forget those whose time is over,
        settle what services that died left behind; until cancelled."""
        await asyncio.gather(close_late(self.care), self.follower.run(), self._mend(), self._forget())

    async def close(self) -> None:
        """Finish the files that are being sealed."""
        await asyncio.to_thread(self.evidence.close)

    async def _mend(self) -> None:
        """What was being sealed when this service started is nobody's any more where the casebook is its own; later and
        elsewhere, what takes too long."""
        until = self._left_behind
        while True:
            await asyncio.to_thread(self.evidence.mend, until)
            await asyncio.sleep(LONG)
            until = int(self._clock()) - LONG

    async def _forget(self) -> None:
        """Appeals and tokens that need not be kept any longer."""
        while True:
            try:
                if count := await asyncio.to_thread(self.keeper.sweep):
                    told("appeals_forgotten", appeals=count)
            except CasebookError as error:
                told("appeals_fault", logging.ERROR, error)
            await asyncio.sleep(SWEEP)

    async def _decide(self, event: Event) -> None:
        outcome = await self._ingest.single(event)
        if isinstance(outcome, Problem):
            raise Refusal(outcome.status, outcome.code, outcome.message)
