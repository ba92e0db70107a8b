"""How one stream stands, in the memory of the service: what its watcher told, what was decided, what was done about it."""

import time
from asyncio import TimerHandle
from collections import deque

from msgspec import Struct

from underwing.live.guard import Guard, Watched
from underwing.live.watch import Health, Sighting
from underwing.model import Event, Level
from underwing.server.streams.answers import Happened, State, StreamAnswer
from underwing.server.streams.guarded import without_secrets
from underwing.server.streams.store import Act, Row

MOST_EVENTS, MOST_ACTS = 50, 50
"""What is told of a stream: the newest."""
MOST_LOOKS = 20
"""Looks that wait to be matched; beyond, the oldest is passed over, and counted."""


class Gap(Struct, frozen=True):
    """The stream cannot be seen since `at` (epoch seconds)."""

    at: float
    why: str


class Standing:
    """One stream. Only the event loop changes it."""

    def __init__(self, row: Row) -> None:
        asked = row.asked
        self.row = row
        self.id, self.asked = asked.id, asked
        self.conversation = asked.conversation or asked.id
        self.guard = Guard(
            Watched(
                id=asked.id, streamer=asked.streamer, conversation=self.conversation, kind=asked.kind, run=row.run
            )
        )  # fmt: skip
        self.health = Health(state="ended", why=row.why) if row.ended else Health()
        self.ended = row.ended
        self.since = row.ended or time.time()
        self.felt = time.monotonic()
        """When its watcher last said that it lives."""
        self.watcher: int | None = None
        self.restarts = self.said = self.skipped = 0
        self.events: deque[Happened] = deque(maxlen=MOST_EVENTS)
        self.acts: dict[int, Act] = {}
        self.queue: deque[Sighting | Event] = deque()
        self.working = False
        self.gap: Gap | None = None
        self.timer: TimerHandle | None = None
        self.ever_seen = False
        self.closer_until = 0.0
        self._level, self._level_until = Level.none, 0.0

    @property
    def state(self) -> State:
        """What can be seen; `unseen` at once, before that is told as an event."""
        return (
            "unseen" if self.gap is not None and self.ever_seen and self.ended is None else self.health.state
        )

    @property
    def level(self) -> Level:
        """The highest level that was decided while it is looked at often."""
        return self._level if time.monotonic() < self._level_until else Level.none

    def felt_level(self, level: Level, seconds: float) -> None:
        """Something of this level was decided; it is remembered for so long."""
        self._level = max(level, self.level)
        self._level_until = time.monotonic() + seconds

    def enqueue(self, item: Sighting | Event) -> None:
        """Put what is to be decided on behind the rest; looks beyond `MOST_LOOKS` go, events never do."""
        self.queue.append(item)
        looks = [waiting for waiting in self.queue if isinstance(waiting, Sighting)]
        if len(looks) > MOST_LOOKS:
            self.queue.remove(looks[0])
            self.skipped += 1

    def note_act(self, act: Act) -> None:
        """Remember an action as it is now."""
        self.acts[act.number] = act
        if len(self.acts) > MOST_ACTS:
            del self.acts[min(self.acts)]

    def lift(self) -> None:
        """It can be seen, or is over: nothing is to be told about it later."""
        if self.timer is not None:
            self.timer.cancel()
        self.gap = self.timer = None

    def answer(self, most: int = MOST_EVENTS) -> StreamAnswer:
        """As the API tells it, with at most so many events and actions, the newest."""
        health, acts = self.health, [self.acts[number] for number in sorted(self.acts)]
        return StreamAnswer(
            id=self.id, streamer=self.asked.streamer, conversation=self.conversation, kind=self.asked.kind,
            source=without_secrets(self.asked.url), control=tuple(map(without_secrets, self.asked.control)),
            state=self.state, why=self.gap.why if self.gap and self.ended is None else health.why,
            since=round(self.gap.at if self.gap else self.since, 3), started=self.row.started, ended=self.ended,
            second=round(health.second, 3), looks=health.looks, skipped=self.skipped, packets=health.packets,
            lost=health.lost, damaged=health.damaged, restarts=self.restarts, watcher=self.watcher,
            level=self.level.name, raised_for=round(max(0.0, self.closer_until - time.monotonic()), 1), said=self.said,
            events=tuple(self.events)[-most:], actions=tuple(act.told() for act in acts[-most:]),
        )  # fmt: skip
