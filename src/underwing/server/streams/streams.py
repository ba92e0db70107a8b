"""The streams that this service watches: begun and ended durably, seen by the crew, decided on by the engine.

Everything here lives in the event loop but `follow`, which the engine's thread calls with what it has decided. A stream is
never silently unwatched: whoever fails, what has no pulse is told as unseen, and what is on the disk is taken up again.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from typing import Any

from underwing.live.clip import Times
from underwing.live.crew import ClipError, Crew
from underwing.live.guard import RAISED_FOR
from underwing.live.orders import Pulse
from underwing.live.plugins import Plan
from underwing.live.rolling import Keep
from underwing.live.senses import Noticed
from underwing.live.watch import Health, Sighting
from underwing.model import Event, Level
from underwing.server.http import Refusal
from underwing.server.ingest import Ingest
from underwing.server.logs import note
from underwing.server.streams.acting import Hand
from underwing.server.streams.answers import NewStream
from underwing.server.streams.deciding import Deciding, Match
from underwing.server.streams.following import Following, Heard
from underwing.server.streams.standing import Gap, Standing
from underwing.server.streams.store import MOST_KEPT, Act, StreamStore

GRACE, OPENING = 5.0, 20.0
"""Seconds after which a stream that cannot be seen is told as unseen; longer for one that was not seen yet. A publisher that
goes is told by the media server's hook within them."""
NO_PULSE = 20.0
"""Seconds without a sign of its watcher after which a stream counts as unseen, whatever the crew says."""
CLIP_AGAIN = 60.0
_ASKS = ("open_case", "page")
Clip = Callable[[str, str, AsyncIterator[Times | bytes]], Awaitable[None]]


class Streams:
    """What is watched; what was before a restart is taken up at once.

    `match` holds a frame's hashes against the banks (it may refuse: then it is asked again), `clip` is given the stream, the
    event that opened a case, and what the watcher keeps of the stream's last seconds (`keep` says how much). `plan` names
    the senses, which are turned to the streams of those whom `guarded` tells to be children, or perhaps.
    """

    def __init__(
        self,
        store: StreamStore,
        ingest: Ingest,
        match: Match,
        *,
        most: int,
        watchers: int,
        give_up: float,
        secret: str = "",
        clip: Clip | None = None,
        keep: Keep | None = None,
        plan: Plan | None = None,
        guarded: Callable[[str], Awaitable[bool]] | None = None,
    ) -> None:
        self._store, self._clip, self._guarded = store, clip, guarded
        self._most, self._give_up = most, give_up
        self._loop = asyncio.get_running_loop()
        self._known: dict[str, Standing] = {}
        self._rooms: dict[str, dict[str, str]] = {}
        self._hosts: dict[str, str] = {}
        self._sealed: dict[str, float] = {}
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._deciding = Deciding(ingest, match, self._keep)
        self._following = Following(store, self._rooms, self._hosts)
        self.crew = Crew(self, watchers or None, keep=keep, plan=plan)
        self.hand = Hand(store, self._controls, secret, self._acted)
        for row in store.take_up():
            one = self._known[row.asked.id] = Standing(row)
            if row.ended is None:
                self._take_up(one)
        for act in store.acts():
            self._acted(act)
        for act in store.acts(waiting=True):
            self.hand.take(act)

    # -- life -------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Do what decisions ask for, and see to it that nothing is unwatched, until cancelled."""
        self.crew.start()
        self._keep(self.hand.run())
        while True:
            await asyncio.sleep(NO_PULSE / 4)
            for one in self.live():
                if time.monotonic() - one.felt > NO_PULSE:
                    self._lost(one, "no watcher has it", 0)

    def _take_up(self, one: Standing) -> None:
        one.ever_seen = True
        self._name(one)
        self._lost(one, "the service was restarted", OPENING)
        self.crew.begin(one.id, one.asked.url, give_up=self._give_up)

    async def close(self) -> None:
        """End the watchers; the watches are taken up by the next start."""
        self._closed = True
        for one in self._known.values():
            one.lift()
        for task in list(self._tasks):
            task.cancel()
        await self.crew.close()
        await self.hand.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._store.close)

    # -- what people and platforms ask ------------------------------------------------------------------

    def live(self) -> list[Standing]:
        """Those that have not ended."""
        return [one for one in self._known.values() if one.ended is None]

    def counts(self) -> dict[str, int]:
        """How many of them there are in each state; a state without any is not named."""
        return dict(Counter(one.state for one in self.live()))

    def all(self) -> list[Standing]:
        """Those that are remembered, what needs somebody first: by level, then what cannot be seen, then the newest."""
        return sorted(
            self._known.values(),
            key=lambda one: (
                one.ended is not None,
                -one.level,
                one.state != "unseen",
                -one.row.started,
                one.id,
            ),
        )

    def get(self, id: str) -> Standing:
        """One of them.

        Raises:
            Refusal: 404, it is not known.
        """
        if id not in self._known:
            raise Refusal(404, "unknown_stream", "no stream of this id is watched, or was of late")
        return self._known[id]

    async def begin(self, asked: NewStream, session: str = "") -> tuple[Standing, bool]:
        """Watch a stream, durably; whether it is new. `session` is the media server's name for this publishing.

        Raises:
            Refusal: 409, another one of its id, or of its conversation, is watched; 503, too many are.
        """
        async with self._turn:
            known = self._known.get(asked.id)
            if known is not None and known.ended is None:
                if known.asked != asked:
                    raise Refusal(
                        409, "watched_already", "a stream of this id is watched by other terms; end it first"
                    )
                if session and session != known.row.session:
                    known.row = await asyncio.to_thread(self._store.resumed, known.row, session)
                return known, False
            beside = [
                self._known[id].asked.kind for id in self._rooms.get(asked.conversation or asked.id, ())
            ]
            if beside and {*beside, asked.kind} != {"many"}:
                raise Refusal(409, "conversation_taken", "another stream is watched with this conversation")
            if len(self.live()) >= self._most:
                raise Refusal(
                    503, "too_many_streams", f"{self._most} streams are watched; end one", retry_after=10
                )
            row = await asyncio.to_thread(self._store.begun, asked, session, round(time.time(), 3))
            one = self._known[asked.id] = Standing(row)
            self._name(one)
            guarded = await self._guarded(asked.streamer) if self._guarded is not None else True
            self.crew.begin(one.id, asked.url, give_up=self._give_up, guarded=guarded)
            await self._deciding.promptly(one, one.guard.started(time.time()))
            self._forget()
            return one, True

    async def end(self, id: str, why: str) -> Standing:
        """Watch it no longer, durably.

        Raises:
            Refusal: 404, it is not known.
        """
        async with self._turn:
            one = self.get(id)
            if one.ended is None:
                self.crew.end(id)
                await self._over(one, why)
            return one

    async def end_sessions(self, session: str, why: str) -> int:
        """End the watches of what a media server calls `session`, or of all sessions that begin so, where it ends with a
        slash; how many these were."""
        async with self._turn:
            whole = session.endswith("/")
            ending = [
                one for one in self.live()
                if (one.row.session.startswith(session) if whole else one.row.session == session)
            ]  # fmt: skip
            for one in ending:
                self.crew.end(one.id)
                await self._over(one, why)
            return len(ending)

    async def _over(self, one: Standing, why: str) -> None:
        one.lift()
        one.ended = one.since = round(time.time(), 3)
        one.health = Health(
            state="ended", why=why, second=one.health.second, looks=one.health.looks, packets=one.health.packets,
            lost=one.health.lost, damaged=one.health.damaged,
        )  # fmt: skip
        one.watcher = None
        await asyncio.to_thread(self._store.ended, one.id, why, one.ended)
        await self._deciding.promptly(one, *one.guard.changed(one.health, one.ended))
        left = {id: host for id, host in self._rooms.pop(one.conversation, {}).items() if id != one.id}
        if left:
            self._rooms[one.conversation] = left
        if self._hosts.get(one.asked.streamer) == one.id:
            del self._hosts[one.asked.streamer]
        self._following.forget(one.id)

    def _name(self, one: Standing) -> None:
        self._rooms[one.conversation] = {**self._rooms.get(one.conversation, {}), one.id: one.asked.streamer}
        self._hosts[one.asked.streamer] = one.id

    def _forget(self) -> None:
        ended = sorted((one.ended, one.id) for one in self._known.values() if one.ended is not None)
        for _, id in ended[: max(0, len(ended) - MOST_KEPT)]:
            del self._known[id]

    def _controls(self, id: str) -> tuple[str, ...]:
        one = self._known.get(id)
        return one.asked.control if one is not None else ()

    # -- what the crew tells ----------------------------------------------------------------------------

    def seen(self, stream: str, sighting: Sighting) -> None:
        """A frame was looked at: it is matched, and what that says decided on."""
        one = self._known.get(stream)
        if one is not None and one.ended is None:
            self._deciding.put(one, sighting)

    def changed(self, stream: str, health: Health) -> None:
        """What can be seen has changed."""
        one = self._known.get(stream)
        if one is None or one.ended is not None:
            return
        if health.state == "ended":
            self._keep(self._ended_by_itself(one, health))
            return
        if health.state != one.health.state:
            one.since = time.time()
        one.health = health
        if health.state == "unseen":
            self._lost(one, health.why, GRACE if one.ever_seen else OPENING)
        elif health.state == "watching":
            self._found(one)

    def noticed(self, stream: str, noticed: Noticed) -> None:
        """Words were read or heard in it, or a classifier guessed: that is decided on."""
        one = self._known.get(stream)
        if one is not None and one.ended is None:
            self._deciding.put(one, one.guard.noticed(noticed))

    def pulse(self, stream: str, pulse: Pulse) -> None:
        """How a watch stands."""
        one = self._known.get(stream)
        if one is not None and one.ended is None:
            one.felt, one.health = time.monotonic(), pulse.health

    def unwatched(self, stream: str, why: str) -> None:
        """Its watcher is gone."""
        one = self._known.get(stream)
        if one is not None and one.ended is None:
            one.restarts, one.watcher = one.restarts + 1, None
            note("stream_unwatched", logging.ERROR, None, problem=why)
            self._lost(one, why, GRACE)

    def taken(self, stream: str, process: int) -> None:
        """A watcher has it."""
        one = self._known.get(stream)
        if one is not None:
            one.watcher, one.felt = process, time.monotonic()

    async def _ended_by_itself(self, one: Standing, health: Health) -> None:
        async with self._turn:
            if one.ended is None:
                one.health = health
                await self._over(one, health.why or "the publisher ended it")

    def _lost(self, one: Standing, why: str, grace: float) -> None:
        """It cannot be seen; told when that lasts for `grace` seconds. What hinders now is what is told."""
        one.gap = Gap(one.gap.at if one.gap is not None else time.time(), why)
        if one.timer is None:
            one.timer = self._loop.call_later(grace, self._tell_unseen, one)

    def _tell_unseen(self, one: Standing) -> None:
        if one.gap is not None and one.ended is None:
            told = one.guard.changed(Health(state="unseen", why=one.gap.why), time.time())
            self._deciding.put(one, *told)

    def _found(self, one: Standing) -> None:
        gap = one.gap
        one.lift()
        told = one.guard.changed(one.health, time.time())
        if not told and gap is not None and one.ever_seen:
            lasted = time.time() - gap.at
            told = [one.guard.seen_again(time.time(), f"not seen for {lasted:.1f} s: {gap.why}")]
        one.ever_seen = True
        self._deciding.put(one, *told)

    # -- what is decided --------------------------------------------------------------------------------

    def follow(self, answered: Sequence[tuple[Event, bytes, bool]]) -> None:
        """Take note of what was decided, in the engine's thread. What is to be done is on the disk when this returns."""
        if self._rooms and (heard := self._following.read(answered)):
            self._loop.call_soon_threadsafe(self._heard, heard)

    def _heard(self, heard: Heard) -> None:
        for id, count in heard.said.items():
            if id in self._known:
                self._known[id].said += count
        for id, happened, decision in heard.told:
            one = self._known.get(id)
            if one is None:
                continue
            one.events.append(happened)
            if one.ended is None and happened.type != "stream":
                self._closer(one, Level[decision.level])
            if any(action in _ASKS for action in decision.actions):
                self._ask_for_clip(one, decision.event)
        for act in heard.acts:
            self._acted(act)
            self.hand.take(act)

    def _closer(self, one: Standing, level: Level) -> None:
        now = time.monotonic()
        one.felt_level(level, RAISED_FOR)
        if one.closer_until - now < RAISED_FOR - 10:
            self.crew.closer(one.id, RAISED_FOR)
            one.closer_until = now + RAISED_FOR

    def _ask_for_clip(self, one: Standing, event: str) -> None:
        now = time.monotonic()
        if self._clip is not None and now - self._sealed.get(one.id, -CLIP_AGAIN) >= CLIP_AGAIN:
            self._sealed[one.id] = now
            self._keep(self._clipped(one, event))

    async def seal(self, one: Standing, event: str) -> None:
        """Seal the last seconds of a stream into the case of an event.

        Raises:
            ClipError: nothing is kept, it cannot be had, or there is no case of that event.
            Refusal: it cannot be looked at now.
        """
        if self._clip is None:
            raise ClipError("no evidence is kept by this service")
        self._sealed[one.id] = time.monotonic()
        await self._clip(one.id, event, self.crew.clip(one.id))

    async def _clipped(self, one: Standing, event: str) -> None:
        try:
            await self.seal(one, event)
        except Exception as error:  # evidence is a help: what cannot be sealed costs no watch
            note("stream_clip_missing", logging.WARNING, error)

    def _acted(self, act: Act) -> None:
        one = self._known.get(act.stream)
        if one is not None:
            one.note_act(act)

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            note("streams_fault", logging.ERROR, error)
