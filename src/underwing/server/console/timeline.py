"""A case's timeline: sealed messages with the stages marked in their text, and beside them the dated contributions.

Pure. Spans are (start, end) in characters (code points) of the text as the platform sent it, and are cut out of that same
text before anything is escaped or made visible, so no normalisation can move them. A span that does not fit the text
(the platform supplied another one) marks nothing; its contribution stands beside the message all the same.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Literal

import msgspec
from msgspec import Struct

from underwing.casebook.cases import Item
from underwing.casebook.context import Said
from underwing.model import Decision, Reason

SHOWN = 200
"""Entries on one page."""
LEAD = 10
"""So many entries stand before the first alarm when a case is opened."""
MOST_TEXT = 1_500
"""Characters shown of the beginning of a message; around marks further on, `AROUND` on each side."""
AROUND = 80
MOST_MARKS = 40
MOST_WORD = 60
MOST_DECISIONS = 2_000
"""Decisions that are read for contributions; of a larger case the newest, whose reasons reach back."""
_decode = msgspec.json.Decoder(Decision).decode


class Why(Struct, frozen=True, kw_only=True):
    """One contribution: what was seen, how much it weighed (nats), and the decision it stands in. `number` counts within
    its entry; `word` is the text it marks."""

    number: int
    reason: Reason
    word: str
    decision: str
    packs: str
    policy: str
    test: bool


class Piece(Struct, frozen=True, kw_only=True):
    """A part of a text. `numbers` and `stages` of the contributions that mark it; `gap`: characters left out here."""

    text: str = ""
    numbers: tuple[int, ...] = ()
    stages: tuple[str, ...] = ()
    gap: int = 0


class Entry(Struct, frozen=True, kw_only=True):
    """One line of the timeline: a message, or an event whose text is not kept here."""

    at: int
    event: str
    kind: Literal["message", "event"]
    sender: str
    to: tuple[str, ...]
    conversation: str
    origin: str
    pieces: tuple[Piece, ...]
    whys: tuple[Why, ...]
    item: Item | None

    @property
    def marked(self) -> bool:
        """Whether anything contributed here."""
        return bool(self.whys) or self.item is not None


class Timeline(Struct, frozen=True, kw_only=True):
    """One page of a timeline. `start` and `total` count entries; `next_marked` is where the next marked entry stands
    behind this page."""

    entries: tuple[Entry, ...]
    start: int
    total: int
    next_marked: int | None
    conversations: int


def decisions_of(items: Sequence[Item]) -> list[Decision]:
    """The decisions of a case's events, by time, at most the newest `MOST_DECISIONS`."""
    bodies = [item.decision for item in items if item.decision]
    return [_decode(body) for body in bodies[-MOST_DECISIONS:]]


def contributions(decisions: Iterable[Decision]) -> dict[str, list[tuple[Reason, Decision]]]:
    """Every contribution once, by the event it belongs to, with the first decision that names it."""
    seen: set[tuple[object, ...]] = set()
    found: dict[str, list[tuple[Reason, Decision]]] = {}
    for decision in decisions:
        for reason in decision.reasons:
            key = (decision.actor, decision.target, reason.event, reason.signal, reason.span)
            if key not in seen:
                seen.add(key)
                found.setdefault(reason.event, []).append((reason, decision))
    return found


def timeline(
    said: Sequence[Said], items: Sequence[Item], decisions: Sequence[Decision], start: int | None = None
) -> Timeline:
    """One page of a case's timeline, from entry `start` on (None: around the first alarm)."""
    lines = {s.line.event: s for s in said}
    held = {item.found.event: item for item in items}
    reasons = contributions(decisions)
    times = {event: s.line.at for event, s in lines.items()} | {
        event: item.found.at for event, item in held.items() if event not in lines
    }
    for event, given in reasons.items():
        if event not in times:
            times[event] = epoch(given[0][0].at)
    order = sorted(times, key=lambda event: (times[event], event))
    marked = [n for n, event in enumerate(order) if event in held or event in reasons]
    if start is None:
        first = next((n for n, event in enumerate(order) if event in held), 0)
        start = first - LEAD
    start = max(0, min(start, len(order) - 1))
    shown = order[start : start + SHOWN]
    beyond = next((n for n in marked if n >= start + SHOWN), None)
    return Timeline(
        entries=tuple(entry(e, times[e], lines.get(e), held.get(e), reasons.get(e, [])) for e in shown),
        start=start,
        total=len(order),
        next_marked=None if beyond is None else max(0, beyond - LEAD),
        conversations=len({s.conversation for s in said}),
    )


def entry(
    event: str, at: int, said: Said | None, item: Item | None, given: list[tuple[Reason, Decision]]
) -> Entry:
    """One line: an event with what is kept of its text, and (reason, decision) of each contribution to it."""
    text = said.line.text if said else ""
    whys = tuple(
        Why(
            number=n, reason=reason, word=_word(text, reason.span), decision=decision.event,
            packs=decision.versions.packs, policy=decision.versions.policy, test=decision.test,
        )
        for n, (reason, decision) in enumerate(sorted(given, key=lambda g: g[0].span or (-1, -1)), 1)
    )  # fmt: skip
    if said is None:
        named = [d for _, d in given]
        actor = item.found.actor if item else named[0].actor if named else None
        target = item.found.target if item else named[0].target if named else None
        return Entry(
            at=at, event=event, kind="event", sender=actor or "", to=(target,) if target else (), conversation="",
            origin="", pieces=(), whys=whys, item=item,
        )  # fmt: skip
    return Entry(
        at=at, event=event, kind="message", sender=said.line.sender, to=said.line.to,
        conversation=said.conversation, origin=said.origin, pieces=pieces(text, whys), whys=whys, item=item,
    )  # fmt: skip


def _fits(span: tuple[int, int] | None, length: int) -> bool:
    return span is not None and 0 <= span[0] < span[1] <= length


def _word(text: str, span: tuple[int, int] | None) -> str:
    if span is None or not _fits(span, len(text)):
        return ""
    word = text[span[0] : span[1]]
    return word if len(word) <= MOST_WORD else word[: MOST_WORD - 1] + "…"


def pieces(text: str, whys: Sequence[Why]) -> tuple[Piece, ...]:
    """A text cut at the borders of its marks; what is far from its beginning and from every mark is left out."""
    marks = [why for why in whys if _fits(why.reason.span, len(text))][:MOST_MARKS]
    spans = [(why.reason.span[0], why.reason.span[1], why) for why in marks if why.reason.span]
    kept = _merged(
        [
            (0, min(len(text), MOST_TEXT)),
            *((max(0, s - AROUND), min(len(text), e + AROUND)) for s, e, _ in spans),
        ]
    )
    borders = sorted(
        {border for s, e, _ in spans for border in (s, e)} | {border for span in kept for border in span}
    )
    made: list[Piece] = []
    end = 0
    for begin, stop in kept:
        if begin > end:
            made.append(Piece(gap=begin - end))
        cuts = [border for border in borders if begin <= border <= stop]
        for low, high in pairwise(cuts):
            over = [why for s, e, why in spans if s <= low and high <= e]
            made.append(
                Piece(
                    text=text[low:high],
                    numbers=tuple(why.number for why in over),
                    stages=tuple(dict.fromkeys(why.reason.stage for why in over)),
                )
            )
        end = stop
    if end < len(text):
        made.append(Piece(gap=len(text) - end))
    return tuple(made)


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    made: list[tuple[int, int]] = []
    for begin, stop in sorted(spans):
        if made and begin <= made[-1][1]:
            made[-1] = (made[-1][0], max(made[-1][1], stop))
        else:
            made.append((begin, stop))
    return [span for span in made if span[0] < span[1]]


def epoch(at: str) -> int:
    """The time of a reason (ISO 8601) in epoch seconds; 0 for what is none."""
    try:
        return int(datetime.fromisoformat(at).timestamp())
    except ValueError:
        return 0
