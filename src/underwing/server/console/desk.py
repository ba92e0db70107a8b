"""What the console's pages work with: the casebook, the people, the vault, the engine, the settings, the clock.

The service listens before its engine is loaded; what is not there yet answers 503.
"""

import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from underwing.casebook.appeals import Appeals
from underwing.casebook.care import Care
from underwing.casebook.cases import Casebook
from underwing.casebook.people import May, Member, Request, Second, may
from underwing.engine import Runner
from underwing.media.still import Still, Wish
from underwing.server.console.behind import Behind
from underwing.server.console.guests import DEMO, Guests
from underwing.server.console.stills import Draw, Stills
from underwing.server.http import Refusal
from underwing.server.oidc import Flow
from underwing.server.settings import Settings

T = TypeVar("T")
Facts = dict[str, int | str | bool]
EngineCall = Callable[[Callable[[Runner], Any]], Awaitable[Any]]
"""Runs a function with the runner in the thread that owns it."""


class Desk:
    """Filled when the service has loaded; one for a console."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self.settings, self.clock = settings, clock
        self.guests = Guests()
        self.home: Any = None
        """The vault's home, or None where there is none."""
        self.oidc: Flow | None = None
        """Sign-ins through an identity provider, where the settings name one."""
        self.behind = Behind()
        """What only the pages about banks, policies and the service ask for."""
        self.care: Care | None = None
        """The files of cases and what looking at them costs, or None while it is not there."""
        self.appeals: Appeals | None = None
        self.stills = Stills(self._draw, lambda: self.clock())
        """Stills of files that were asked for."""
        self._drawer: Draw | None = None
        self._book: Casebook | None = None
        self._database: Any = None
        self._people: Any = None
        self._carry: dict[str, Callable[[Request], str | None]] = {}
        self._custody: Any = None
        self._engine: EngineCall | None = None

    def attach(
        self,
        *,
        book: Casebook | None = None,
        database: Any = None,
        people: Any = None,
        custody: Any = None,
        home: Any = None,
        engine: EngineCall | None = None,
        care: Care | None = None,
        appeals: Appeals | None = None,
        draw: Draw | None = None,
    ) -> None:
        """Hand over what has been loaded; what is not given stays as it is."""
        self.care, self.appeals = care or self.care, appeals or self.appeals
        self._drawer = draw or self._drawer
        self._book = book or self._book
        self._database = database or self._database
        self._people = people or self._people
        for what, how in self._carry.items() if people is not None else ():
            people.second.carry(what, how)
        self._custody = custody or self._custody
        self.home = home or self.home
        self._engine = engine or self._engine

    @property
    def book(self) -> Casebook:
        """The casebook.

        Raises:
            Refusal: 503, it is not loaded yet or switched off.
        """
        return _there(self._book)

    @property
    def database(self) -> Any:
        """The casebook's database.

        Raises:
            Refusal: 503, it is not loaded yet or switched off.
        """
        return _there(self._database)

    @property
    def people(self) -> Any:
        """The people of the casebook, or None where there are none yet."""
        return self._people

    @property
    def second(self) -> Second:
        """What takes a second person.

        Raises:
            Refusal: 503, the people are not loaded yet, or there is no casebook.
        """
        second: Second = _there(self._people).second
        return second

    def carry(self, what: str, how: Callable[[Request], str | None]) -> None:
        """Say how an act that may take a second person is carried out, before or after the people are loaded."""
        self._carry[what] = how
        if self._people is not None:
            self._people.second.carry(what, how)

    async def engine(self, function: Callable[[Runner], T]) -> T:
        """What `function` gives for the runner, in the engine's thread.

        Raises:
            Refusal: 503, the engine is not loaded yet.
        """
        result: T = await _there(self._engine)(function)
        return result

    async def _draw(self, data: bytes, wish: Wish) -> Still:
        return await _there(self._drawer)(data, wish)

    def transaction(self) -> AbstractContextManager[None]:
        """One transaction of the casebook: an act and the record of it stand or fall together."""
        made: AbstractContextManager[None] = (
            nullcontext() if self._database is None else self._database.transaction()
        )
        return made

    def audit(self, by: Member, did: str, about: str = "", **facts: int | str | bool) -> None:
        """Append to the custody log who did what, and to what it was done (`case:7`)."""
        if self._people is not None:
            self._people.audit(by.id, did, about, facts)

    def saw(self, by: Member, case: int) -> None:
        """Append to the custody log that a member read a case: its messages and names, no media."""
        if self._custody is not None:
            self._custody.append("saw-metadata", by.id, case=str(case))

    def session(self, token: str, touch: bool = True) -> Member | None:
        """Who is signed in with a token; `touch` notes that its owner did something."""
        guest = self.guests.session(token)
        if guest is not None or self._people is None:
            return guest
        found = self._people.session(token, touch)
        return found[0] if found is not None else None

    def names(self) -> dict[str, str]:
        """What colleagues call each member, by id."""
        known = [] if self._people is None else self._people.members()
        return {member.id: member.shown for member in (DEMO, *known)}

    def colleagues(self, member: Member) -> list[Member]:
        """Who else works on cases."""
        others: list[Member] = [] if self._people is None else self._people.members()
        return [other for other in others if other.id != member.id and may(other, May.act_on_case, "own")]


def _there(value: T | None) -> T:
    if value is None:
        raise Refusal(503, "not_ready", "the service starts or stops; try again in 1 s", retry_after=1)
    return value
