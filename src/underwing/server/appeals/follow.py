"""What follows from a decided appeal outside of the casebook: the engine forgets what was wrong, a false match is
silenced, the platform is told. Each is noted with the decision and tried until it is done; doing it twice changes
nothing.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import httpx2
import msgspec

from underwing.banks.entries import Bank, Entry, EntryHash
from underwing.banks.store import Store
from underwing.casebook.appeals import Appeal, Appeals, Follow
from underwing.casebook.cases.senders import signature
from underwing.model import Correction, Event
from underwing.server.appeals.routes import answer_of
from underwing.server.logs import note

SECONDS = 5.0
"""How often it is looked whether there is something to do."""
BANK = "overturned"
"""The negative bank of files whose match a person found to be false. It knows their very bytes only: what else a bank
should not match is for its keeper to decide."""
MOST_EVENTS = 1_000


class Follower:
    """`decide` gives an event to the engine, `banks` runs a function with the store of the banks, `webhook` is the
    address and secret of the platform's ("" for none: it asks by itself)."""

    def __init__(
        self,
        appeals: Appeals,
        decide: Callable[[Event], Awaitable[object]],
        banks: Callable[[Callable[[Store], object]], Awaitable[object]],
        webhook: tuple[str, str] = ("", ""),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._appeals, self._decide, self._banks, self._clock = appeals, decide, banks, clock
        self._url, self._secret = webhook[0], webhook[1].encode()

    async def run(self) -> None:
        """Again and again."""
        while True:
            try:
                await self.once()
            except Exception as error:  # the next round may succeed
                note("appeals_fault", logging.ERROR, error)
            await asyncio.sleep(SECONDS)

    async def once(self) -> int:
        """Do what is to be done now; how much of it was done."""
        done = 0
        for follow in await asyncio.to_thread(self._appeals.follows):
            try:
                await self._carry_out(follow)
            except Exception as error:
                note("appeal_follow_failed", logging.ERROR, error, what=follow.what, tries=follow.tries + 1)
                await asyncio.to_thread(self._appeals.failed, follow)
            else:
                await asyncio.to_thread(self._appeals.done, follow)
                done += 1
        return done

    async def _carry_out(self, follow: Follow) -> None:
        appeal = await asyncio.to_thread(self._appeals.get, follow.appeal)
        if follow.what == "engine":
            for event in await asyncio.to_thread(self._corrections, appeal):
                await self._decide(event)
        elif follow.what == "bank":
            sha256 = await asyncio.to_thread(self._file, appeal)
            if sha256:
                await self._banks(lambda store: silence(store, sha256, appeal, int(self._clock())))
        elif self._url:
            await asyncio.to_thread(self._tell, appeal, follow)

    def _corrections(self, appeal: Appeal) -> list[Correction]:
        """One for each account, or room, that the corrected events were addressed to."""
        parties: dict[tuple[str, str], list[tuple[int, str]]] = {}
        for item in self._appeals.matter(appeal).items:
            found = item.found
            room = (found.conversation or "") if found.surface not in ("", "dm") else ""
            parties.setdefault((found.target or "", room), []).append((found.at, found.event))
        assert appeal.decided is not None
        decided = datetime.fromtimestamp(appeal.decided, UTC)
        return [
            Correction(
                id=f"appeal:{appeal.id}:{number}", at=decided, sender=appeal.account, to=to or None, room=room or None,
                events=[event for _, event in events[-MOST_EVENTS:]],
                until=datetime.fromtimestamp(max(at for at, _ in events), UTC),
            )
            for number, ((to, room), events) in enumerate(sorted(parties.items()))
        ]  # fmt: skip

    def _file(self, appeal: Appeal) -> str:
        """The SHA-256 of the file that the appeal is about, "" where none is known."""
        items = [item for item in self._appeals.matter(appeal).items if item.found.event == appeal.event]
        found = [tie.key for item in items for tie in item.found.ties if tie.kind == "media"]
        return found[0] if found and len(found[0]) == 64 else ""

    def _tell(self, appeal: Appeal, follow: Follow) -> None:
        """Post how it ended, signed as the pages are (Standard Webhooks 1.0)."""
        told = answer_of(appeal, [])
        body = msgspec.json.encode({"type": "underwing.appeal", **msgspec.to_builtins(told)})
        now, id = int(self._clock()), f"appeal_{appeal.id}_{follow.number}"
        headers = {
            "content-type": "application/json",
            "webhook-id": id,
            "webhook-timestamp": str(now),
            "webhook-signature": signature(self._secret, id, now, body),
        }
        answer = httpx2.post(self._url, content=body, headers=headers, timeout=10, follow_redirects=False)
        answer.raise_for_status()


def silence(store: Store, sha256: str, appeal: Appeal, now: int) -> None:
    """Put a file into the negative bank, which is made where it is missing."""
    if not any(state.bank.name == BANK for state in store.banks()):
        about = "Files whose match was found to be false by a person, after an appeal."
        store.create_bank(
            Bank(name=BANK, label="false_match", negative=True, note=about), by="underwing", now=now
        )
    entry = Entry(
        id=sha256, label="false_match", hashes=(EntryHash("sha256", sha256),), source="appeal", added_at=now,
        note=f"appeal {appeal.id}",
    )  # fmt: skip
    store.put(BANK, [entry], by=appeal.decided_by or "underwing", now=now)
