"""Stills that are drawn and wait for the browser to fetch them: once, by whoever asked, within a minute. In memory only."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable

from msgspec import Struct

from underwing.casebook.care import Care
from underwing.media.still import Still, Wish

MOST = 64
"""Stills that wait at the same time; beyond, the oldest is thrown away."""
SECONDS = 60
AT_ONCE = 2
"""Files that are in memory to be drawn."""
Draw = Callable[[bytes, Wish], Awaitable[Still]]


class Asked(Struct, frozen=True, kw_only=True):
    """A still that a member asked for: of which exhibit, with which step of blur (0: a reveal), and why."""

    member: str
    number: int
    step: int
    reason: str
    still: Still
    until: float


class Stills:
    """For one event loop. `draw` gives a file's bytes to a worker that may die of them."""

    def __init__(self, draw: Draw, clock: Callable[[], float]) -> None:
        self._draw, self._clock = draw, clock
        self._waiting: dict[str, Asked] = {}
        self._tasks: set[asyncio.Future[None]] = set()
        self._room = asyncio.Semaphore(AT_ONCE)

    async def draw(
        self, care: Care, member: str, number: int, step: int, *, second: float = 0.0, reason: str = ""
    ) -> Asked:
        """Draw a still of an exhibit for a member.

        Raises:
            NotNow: the member may not look.
            CasebookError: there is no such exhibit, or its bytes are not what was put.
        """
        async with self._room:
            data = await asyncio.to_thread(lambda: b"".join(care.stream(member, number, step, reason)))
            still = await self._draw(data, Wish(blur=step, second=second))
        return Asked(
            member=member, number=number, step=step, reason=reason, still=still, until=self._clock() + SECONDS
        )

    def later(self, seconds: float, function: Callable[[], object]) -> None:
        """Call a function in a thread, some seconds from now."""

        async def wait() -> None:
            await asyncio.sleep(seconds)
            await asyncio.to_thread(function)

        task = asyncio.ensure_future(wait())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def keep(self, asked: Asked) -> str:
        """Let a still wait; the token that fetches it."""
        while len(self._waiting) >= MOST:
            del self._waiting[next(iter(self._waiting))]
        token = secrets.token_urlsafe(24)
        self._waiting[token] = asked
        return token

    def fetch(self, token: str, member: str, number: int) -> Asked | None:
        """The still that waits for this member's one request, or None."""
        asked = self._waiting.get(token)
        if asked is None or (asked.member, asked.number) != (member, number):
            return None
        del self._waiting[token]
        return asked if self._clock() < asked.until else None
