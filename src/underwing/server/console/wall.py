"""The wall: live streams in the order in which they need somebody, told in words. Pure."""

import time
from collections.abc import Iterable

from msgspec import Struct

from underwing.model import Level
from underwing.server.streams.acting import UNDO
from underwing.server.streams.answers import Happened
from underwing.server.streams.standing import Standing
from underwing.server.streams.store import Act
from underwing.server.streams.streams import OPENING

LATELY = 600.0
"""Seconds for which a stream keeps its place on the wall after a decision about it: a pause is no end."""
MOST = 200
"""Streams on the wall, those that need somebody first."""


class Whose(Struct, frozen=True):
    """What is known of a streamer: age in years and whether a minor, None where not known."""

    age: int | None = None
    minor: bool | None = None


class Tile(Struct, frozen=True, kw_only=True):
    """One stream on the wall at the time `now` (epoch seconds)."""

    one: Standing
    whose: Whose
    now: float
    level: Level
    newest: Happened | None
    acts: list[Act]
    """The newest of each action in this run; one that was taken back is told as that."""

    @property
    def since(self) -> float:
        """Since when it is as it is (epoch seconds)."""
        return self.one.gap.at if self.one.gap is not None else self.one.since

    @property
    def why(self) -> str:
        """What hinders, or ended it; "" while nothing does."""
        return self.one.gap.why if self.one.gap is not None else self.one.health.why

    @property
    def blind(self) -> bool:
        """Whether nobody sees what happens in it."""
        state = self.one.state
        return state == "unseen" or (state == "opening" and self.now - self.since > OPENING)

    @property
    def raised_for(self) -> float:
        """Seconds for which it is still looked at often."""
        return max(0.0, self.one.closer_until - time.monotonic())

    @property
    def rank(self) -> int:
        """Its place: urgent, unseen, review, watch, calm."""
        if self.level == Level.urgent:
            return 0
        return 1 if self.blind else {Level.review: 2, Level.watch: 3}.get(self.level, 4)


def tile(one: Standing, whose: Whose, now: float) -> Tile:
    """A stream as the wall tells it."""
    recent = [h for h in one.events if h.type != "stream" and h.at >= now - LATELY]
    level = max([one.level, *(Level[h.level] for h in recent)])
    told = [h for h in one.events if h.stage and (level == Level.none or Level[h.level] == level)]
    newest: dict[str, Act] = {}
    for number in sorted(one.acts):
        act = one.acts[number]
        if act.at >= one.row.started:
            newest[act.action.removeprefix(UNDO)] = act
    return Tile(
        one=one, whose=whose, now=now, level=level, newest=told[-1] if told else None, acts=list(newest.values())
    )  # fmt: skip


def wall(tiles: Iterable[Tile]) -> list[Tile]:
    """In the order in which they need somebody; of equals the one that runs longest, so that rows keep their places."""
    return sorted(tiles, key=lambda tile: (tile.rank, tile.one.row.started, tile.one.id))
