"""The timeline of one stream: signs, frames that matched, what could be seen, what was done, the newest first. Pure."""

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

from underwing.casebook.context import Said
from underwing.model import Decision
from underwing.server.console.timeline import Entry, contributions, entry, epoch
from underwing.server.streams.answers import Happened
from underwing.server.streams.store import Act

MOST = 200
"""Lines on the page, the newest."""


class Mark(Struct, frozen=True, kw_only=True):
    """One line, at `at` (epoch seconds): an action, or an event with what was decided on it (`happened`, where the service
    still knows) and what it contributed (`entry`; its text only where a case's context was asked for)."""

    at: float
    kind: Literal["sign", "frame", "state", "act"]
    event: str
    happened: Happened | None = None
    entry: Entry | None = None
    act: Act | None = None


def line(
    events: Sequence[Happened], decisions: Sequence[Decision], acts: Sequence[Act], said: Mapping[str, Said]
) -> tuple[list[Mark], int]:
    """(the newest marks, newest first; how many older ones are left out). Each contribution stands once, at its event."""
    given = contributions(decisions)
    happened = {one.event: one for one in events}
    marks: list[Mark] = []
    for event in dict.fromkeys([*happened, *given]):
        one, whys = happened.get(event), given.get(event, [])
        at = one.at if one is not None else float(epoch(whys[0][0].at))
        made = entry(event, int(at), said.get(event), None, whys)
        kind: Literal["sign", "frame", "state"] = "sign"
        if one is not None and one.type in ("stream", "stream_frame"):
            kind = "state" if one.type == "stream" else "frame"
        marks.append(Mark(at=at, kind=kind, event=event, happened=one, entry=made))
    marks += [Mark(at=act.at, kind="act", event=act.event, act=act) for act in acts]
    marks.sort(key=lambda mark: mark.at)
    marks.reverse()
    return marks[:MOST], max(0, len(marks) - MOST)
