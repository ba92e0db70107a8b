"""Exchanges: which sources of lists there are, how each does, and asking one now."""

import asyncio
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from msgspec import Struct

from underwing.banks.exchanges import ExchangeError, Health, Progress, Schedule, next_due, read_health, state
from underwing.banks.exchanges.config import Configured, read_config
from underwing.banks.schema import BankError
from underwing.banks.store import Store
from underwing.banks.syncing import Brought, alone, bring
from underwing.casebook.people import May
from underwing.server.console.desk import Desk
from underwing.server.console.render import render
from underwing.server.console.site import Site, View
from underwing.server.console.visit import Problem, Visit
from underwing.server.http import Response


class Told(Struct, frozen=True, kw_only=True):
    """A source as a page shows it. `missing`: names of variables that its credentials should be in and are not.

    `said` is None for a source that was asked once and is in no file now; `due` is when it is to be asked next.
    """

    name: str
    bank: str
    state: str
    health: Health
    due: int
    said: Configured | None
    missing: tuple[str, ...]


class Asking(Struct):
    """A source being asked, or what came of it."""

    progress: Progress = Progress()
    done: Brought | None = None
    failed: str = ""
    task: "asyncio.Task[None] | None" = None

    @property
    def running(self) -> bool:
        """Whether it is being asked now."""
        return self.task is not None and not self.task.done()


class Askings:
    """Which sources are being asked; each at most once at a time. For one event loop."""

    def __init__(self, banks: Path, clock: Callable[[], float]) -> None:
        self._banks, self._clock = banks, clock
        self.held: dict[str, Asking] = {}

    def begin(self, name: str, said: Configured) -> bool:
        """Ask a source in a thread, over a connection of its own; False where it is being asked already."""
        before = self.held.get(name)
        if before is not None and before.running:
            return False
        asking = self.held[name] = Asking()
        asking.task = asyncio.create_task(self._ask(asking, name, said))
        return True

    async def _ask(self, asking: Asking, name: str, said: Configured) -> None:
        try:
            asking.done = await asyncio.to_thread(self._bring, asking, name, said)
        except (BankError, ExchangeError, OSError) as error:
            asking.failed = str(error)

    def _bring(self, asking: Asking, name: str, said: Configured) -> Brought:
        store = Store.open(self._banks)
        try:
            with alone(self._banks) as mine:
                if not mine:
                    raise BankError("another process brings lists into these banks now; try again in a while")
                return bring(
                    store,
                    name,
                    said,
                    lambda: int(self._clock()),
                    progress=partial(setattr, asking, "progress"),
                )
        finally:
            store.close()


def lay(site: Site, desk: Desk) -> None:
    """Lay the pages about exchanges."""
    askings = Askings(desk.settings.banks_file, lambda: desk.clock())
    site.nav("keep", "/console/exchanges", "exchanges.nav", May.see_banks, "x")
    site.add("/console/exchanges", GET=View("exchanges", partial(exchanges, desk, askings), May.see_banks))
    site.add("/console/exchanges/{source}", POST=View("sync", partial(sync, desk, askings), May.write_banks))


def named_file(desk: Desk) -> Path | None:
    """The file of the sources, if the settings name one or it lies in its place."""
    file = desk.settings.exchanges_file
    return file if file is not None and (desk.settings.exchanges or file.exists()) else None


def sources(desk: Desk) -> tuple[dict[str, Configured], str]:
    """The sources of the file that the settings name, and what is wrong with it."""
    file = named_file(desk)
    if file is None:
        return {}, ""
    try:
        return read_config(file), ""
    except ExchangeError as error:
        return {}, str(error)


def told(store: Store, named: dict[str, Configured], now: int) -> list[Told]:
    """Every source of the file, and every one that was asked before."""
    asked = {source: (bank, read_health(noted)) for bank, source, noted in store.healths()}
    found = []
    for name in dict.fromkeys((*named, *asked)):
        said = named.get(name)
        bank, health = asked.get(name, ("", Health()))
        schedule = said.schedule if said is not None else Schedule()
        variables = said.variables(name).values() if said is not None else ()
        found.append(
            Told(
                name=name, bank=said.bank if said is not None else bank, state=state(health, schedule, now),
                health=health, due=next_due(health, schedule), said=said,
                missing=tuple(v for v in variables if not os.environ.get(v)),
            )
        )  # fmt: skip
    return found


async def exchanges(desk: Desk, askings: Askings, visit: Visit) -> Response:
    """How the sources do."""
    named, wrong = await visit.work(sources, desk)
    found = await desk.behind.banks().banks(lambda store: told(store, named, int(desk.clock())))
    running = any(asking.running for asking in askings.held.values())
    return render(
        visit, "exchanges.html.j2", sources=found, wrong=wrong, file=named_file(desk), askings=askings.held,
        running=running,
    )  # fmt: skip


async def sync(desk: Desk, askings: Askings, visit: Visit, name: str) -> Response:
    """Ask a source now."""
    named, _ = await visit.work(sources, desk)
    said = named.get(name)
    if said is None:
        raise Problem(404, "exchanges.no_source")
    if not askings.begin(name, said):
        raise Problem(409, "exchanges.asked_already")
    await visit.work(partial(desk.audit, visit.member, "source asked", f"source:{name}"))
    return visit.redirect("/console/exchanges", "exchanges.begun", name)
