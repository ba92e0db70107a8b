"""What a watch tells becomes events of its stream, and what is decided says how closely it is watched.

Pure but for the numbers it counts: whoever runs it brings the matcher's answer and the time.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Literal

from msgspec import Struct

from underwing.live.senses import Noticed, Words
from underwing.live.watch import Health, Sighting
from underwing.model import Decision, Event, MediaMatch, Stream, StreamFrame, StreamText

RAISED_FOR = 120.0
"""Seconds for which a stream is looked at more often after something was said or seen in it."""
AGAIN_AFTER = 10.0
"""A match of the same entry is told again only after so many seconds of the stream."""


class Watched(Struct, frozen=True, kw_only=True):
    """A stream: its id, whose it is, and the conversation its viewers write in. `run` tells the events of one watch from
    those of another one of the same id."""

    id: str
    streamer: str
    conversation: str
    kind: Literal["one", "many"] = "one"
    run: int = 0


class Guard:
    """Makes the events of one watch. Their ids are the stream's with a number, so that a replay gives the same."""

    def __init__(self, stream: Watched) -> None:
        self.stream = stream
        self._name = _short(stream.id)
        self._count = 0
        self._told: dict[tuple[str, str], float] = {}
        self._unseen = False

    def started(self, at: float) -> Event:
        """The stream began to be watched at `at` (epoch seconds)."""
        return self._stream("started", at)

    def changed(self, health: Health, at: float) -> list[Event]:
        """What a change of what can be seen says: one event each time it is lost, and each time it is back."""
        if health.state == "ended":
            return [self._stream("ended", at)]
        if health.state == "unseen" and not self._unseen:
            self._unseen = True
            return [self._stream("unseen", at, health.why[:500])]
        if health.state == "watching" and self._unseen:
            self._unseen = False
            return [self._stream("seen", at)]
        return []

    def seen_again(self, at: float, why: str) -> Event:
        """It is seen again after a time too short to be told as unseen; `why` says what hindered, and for how long."""
        return self._stream("seen", at, why[:500])

    def seen(self, sighting: Sighting, matches: Sequence[MediaMatch]) -> list[Event]:
        """What a frame says, given what it matched; nothing where there is nothing to say, or it was said just now."""
        new = [m for m in matches if self._is_new(m, sighting.second)]
        if not new:
            return []
        return [
            StreamFrame(
                id=self._id(), at=_time(sighting.at), conversation=self.stream.conversation,
                sender=self.stream.streamer, second=sighting.second, matches=new[:100],
            )
        ]  # fmt: skip

    def noticed(self, one: Noticed) -> Event:
        """What words in the stream, or a guess about a frame, say."""
        if isinstance(one, Words):
            return StreamText(
                id=self._id(), at=_time(one.at), conversation=self.stream.conversation, sender=self.stream.streamer,
                second=one.second, source=one.source, text=one.text,
            )  # fmt: skip
        return StreamFrame(
            id=self._id(), at=_time(one.at), conversation=self.stream.conversation, sender=self.stream.streamer,
            second=one.second, score=one.score,
        )  # fmt: skip

    def _is_new(self, match: MediaMatch, second: float) -> bool:
        key = (match.bank, match.entry)
        before = self._told.get(key)
        if before is not None and 0 <= second - before < AGAIN_AFTER:
            return False
        self._told[key] = second
        return True

    def _stream(self, state: str, at: float, why: str = "") -> Stream:
        return Stream(
            id=self._id(), at=_time(at), conversation=self.stream.conversation, sender=self.stream.streamer,
            kind=self.stream.kind, state=state, why=why,  # type: ignore[arg-type]
        )  # fmt: skip

    def _id(self) -> str:
        self._count += 1
        run = f"{self.stream.run}." if self.stream.run else ""
        return f"{self._name}:{run}{self._count}"


def worth_a_closer_look(decisions: Iterable[Decision]) -> bool:
    """Whether a stream is to be looked at more often after these decisions: anything that speaks for or against somebody."""
    return any(decision.level != "none" or decision.help or decision.reasons for decision in decisions)


def _short(id: str) -> str:
    """An id that leaves room for a number behind it; two long ones do not become one."""
    return id if len(id) <= 44 else f"{id[:27]}~{sha256(id.encode()).hexdigest()[:16]}"


def _time(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
