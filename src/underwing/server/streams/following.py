"""What the engine decided, read for what concerns watched streams: in the engine's thread, and cheap where nothing does."""

import time
from collections.abc import Mapping, Sequence

from msgspec import Struct, json

from underwing.connectors import STREAM_ACTIONS
from underwing.model import Decision, Event, Message, Stream
from underwing.server.streams.answers import Happened
from underwing.server.streams.store import Act, StreamStore

SAME_ACTION = 60.0
"""Seconds within which the same action is not asked for again of the same stream."""
_decision = json.Decoder(Decision).decode


class Heard(Struct, frozen=True):
    """What some decisions say of streams: (stream, what happened, the decision), actions to be done, messages by stream."""

    told: list[tuple[str, Happened, Decision]]
    acts: list[Act]
    said: dict[str, int]

    def __bool__(self) -> bool:
        return bool(self.told or self.said)


class Following:
    """Knows the streams by `rooms` (conversation → the streams that share it, with their streamers) and `hosts` (streamer →
    stream). Others change these; what stands in `rooms` is replaced, never changed."""

    def __init__(
        self, store: StreamStore, rooms: Mapping[str, Mapping[str, str]], hosts: Mapping[str, str]
    ) -> None:
        self._store, self._rooms, self._hosts = store, rooms, hosts
        self._asked: dict[tuple[str, str], float] = {}

    def read(self, answered: Sequence[tuple[Event, bytes, bool]]) -> Heard:
        """What of these decisions concerns a stream: those in its conversation, and those in which its streamer is the
        target. Actions are on the disk when this returns.

        Raises:
            sqlite3.Error: they cannot be written.
        """
        told: list[tuple[str, Happened, Decision]] = []
        wanted: list[tuple[str, str, str, bytes]] = []
        said: dict[str, int] = {}
        for event, body, _ in answered:
            here = self._rooms.get(getattr(event, "conversation", ""), {})
            if type(event) is Message:
                for id in here:
                    said[id] = said.get(id, 0) + 1
            if _is_quiet(body) and not (here and type(event) is Stream):
                continue
            decision = _decision(body)
            happened = _happened(event, decision)
            for id in self._concerned(here, decision):
                told.append((id, happened, decision))
                wanted += [(id, decision.event, action, body) for action in self._due(id, decision)]
        return Heard(told, self._store.ask(wanted, time.time()) if wanted else [], said)

    def forget(self, stream: str) -> None:
        """A stream has ended: the next one of its name is not kept from its actions."""
        for action in STREAM_ACTIONS:
            self._asked.pop((stream, action), None)

    def _concerned(self, here: Mapping[str, str], decision: Decision) -> list[str]:
        """The streams that a decision concerns: of those in its conversation the one whose streamer it names, else all of
        them; outside of them, that of its target."""
        if here:
            named = (decision.target, decision.actor)
            return [id for id, host in here.items() if host in named] or list(here)
        id = self._hosts.get(decision.target or "")
        return [id] if id is not None else []

    def _due(self, id: str, decision: Decision) -> list[str]:
        """The actions of a decision that were not asked for just now."""
        now, due = time.monotonic(), []
        for action in decision.actions:
            if action in STREAM_ACTIONS and now - self._asked.get((id, action), -SAME_ACTION) >= SAME_ACTION:
                self._asked[id, action] = now
                due.append(action)
        return due


def _is_quiet(body: bytes) -> bool:
    """Whether a decision says nothing, by its bytes: most do, and are not worth decoding."""
    return b'"level":"none"' in body and b'"reasons":[]' in body and b'"help":[]' in body


def _happened(event: Event, decision: Decision) -> Happened:
    state = event.state if isinstance(event, Stream) else ""
    why = ": ".join(part for part in (state, getattr(event, "why", "")) if part)
    at = getattr(event, "at", None)
    return Happened(
        at=round(at.timestamp(), 3) if at is not None else time.time(), event=decision.event,
        type=str(event.__struct_config__.tag), level=decision.level, stage=decision.stage, actor=decision.actor,
        target=decision.target, actions=decision.actions,
        reasons=tuple(dict.fromkeys(reason.signal for reason in decision.reasons)), help=decision.help, why=why,
    )  # fmt: skip
