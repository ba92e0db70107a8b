"""What people do about a stream: look closer, seal its last seconds, have its media server act, take that back. For the
event loop.

Who may, and the record of it, is the caller's.
"""

import time
from uuid import uuid4

from underwing.connectors import STREAM_ACTIONS
from underwing.live.crew import ClipError
from underwing.model import Versions
from underwing.server.http import Refusal
from underwing.server.streams.acting import UNDO
from underwing.server.streams.standing import Standing
from underwing.server.streams.store import Act, Ground
from underwing.server.streams.streams import Streams

CLOSER = 600.0
"""Seconds for which a person has a stream looked at often."""


def alive(streams: Streams, id: str) -> Standing:
    """A stream that is watched.

    Raises:
        Refusal: 404, it is not known; 409, it is over.
    """
    one = streams.get(id)
    if one.ended is not None:
        raise Refusal(409, "stream_over", "this stream is not watched any more")
    return one


def look_closer(streams: Streams, id: str, seconds: float = CLOSER) -> None:
    """Look at a stream often for so many seconds from now.

    Raises:
        Refusal: 404, 409, as `alive`.
    """
    one = alive(streams, id)
    until = time.monotonic() + seconds
    if until > one.closer_until:
        streams.crew.closer(id, seconds)
        one.closer_until = until


async def seal(streams: Streams, id: str, event: str) -> None:
    """Seal a stream's last seconds, as they are now, into the case of one of its events.

    Raises:
        Refusal: 404, 409, as `alive`; 422, there is nothing that could be sealed.
    """
    one = alive(streams, id)
    try:
        await streams.seal(one, event)
    except ClipError as error:
        raise Refusal(422, "no_clip", str(error)) from None


async def act(streams: Streams, id: str, action: str, by: str, why: str) -> Act:
    """Have a stream's media servers do an action; what becomes of it stands with the stream's other actions.

    Raises:
        Refusal: 404, 409, as `alive`; 422, none of its servers can do it.
    """
    one = alive(streams, id)
    if action not in streams.hand.able(id)[0]:
        raise Refusal(422, "cannot_act", "no media server of this stream can do it")
    return await streams.hand.ask(id, action, _ground(one, action, by, why))


async def take_back(streams: Streams, id: str, action: str, by: str, why: str) -> Act:
    """Have an action taken back that was done.

    Raises:
        Refusal: 404, 409, as `alive`; 422, it was not done, or cannot be taken back.
    """
    one = alive(streams, id)
    if action not in undoable(streams, one):
        raise Refusal(422, "cannot_undo", "it was not done, or cannot be taken back")
    return await streams.hand.ask(id, UNDO + action, _ground(one, action, by, why))


def undoable(streams: Streams, one: Standing) -> frozenset[str]:
    """The actions that are done in this run of the stream, and could be taken back."""
    undoes, done = streams.hand.able(one.id)[1], set[str]()
    for made in sorted(one.acts.values(), key=lambda made: made.number):
        if made.at < one.row.started:
            continue
        action = made.action.removeprefix(UNDO)
        if made.action != action and made.outcome != "not_done":
            done.discard(action)
        elif made.action == action and made.outcome == "done":
            done.add(action)
    return frozenset(done & undoes)


def _ground(one: Standing, action: str, by: str, why: str) -> Ground:
    assert action in STREAM_ACTIONS
    return Ground(
        event=f"person:{uuid4().hex}", level=one.level.name, actor=None, target=one.asked.streamer, stage=None,
        actions=(action,), reasons=(), versions=Versions(engine="", packs="", policy=""), by=by, why=why,
    )  # fmt: skip
