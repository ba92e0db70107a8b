"""What an account lets on about its own age, where the platform says nothing of it.

Words of school and of home, and ages told: each speaks for a child, a little or more (`young.*` of the packs). Enough of
them, and the account is treated as a child's until somebody says how old it is: messages to it are read as messages to one.
A policy is never told of it as of a known age; it counts for nobody's guilt, and eases nobody's.
"""

import re

from msgspec import structs

from underwing.engine.keys import room_target
from underwing.engine.people import pairs_of_others
from underwing.engine.state import State
from underwing.model import Message, Signal
from underwing.risk import Heard, Settings, is_minor
from underwing.risk.context import UNKNOWN
from underwing.text import Claims
from underwing.text.scan import Scan
from underwing.text.sieve import NUMBER

ANSWER_SECONDS = 120
"""So soon after a question for one's age a number is an answer to it, with few words after it."""
_AGE = re.compile(r" ?(?:[89]|1[0-7])(?: [^ ]+){0,4} ?$")

YOUNGEST = 8
"""An age told below this is more often something else (a number of years, a time)."""
MOST, EACH = 8, 2
"""So much is kept of an account, and so much of one signal; the second time it counts half."""


def hear(
    state: State, event: Message, at: int, scan: Scan, claims: Claims, settings: Settings
) -> tuple[Signal, ...]:
    """Note with its sender what in a message speaks for a child; returns the other signals."""
    signals = scan.signals
    young = [signal for signal in signals if signal.stage == "young"]
    told = (claims.age is not None and YOUNGEST <= claims.age < 18) or (
        scan.clues & NUMBER and _answers(state, event, at, scan.view)
    )
    if not young and not told:
        return signals
    facts = state.accounts.get(event.sender) or UNKNOWN
    if is_minor(facts) is None and len(facts.heard) < MOST:
        found = [
            Heard(s.signal, round(1000 * s.weight), event.id, at, *(s.span or (-1, -1)), s.source)
            for s in young
        ]
        if told:
            found.append(Heard("young.age-told", round(1000 * settings.age_told), event.id, at, source="own"))
        heard = facts.heard
        for one in found:
            before = sum(old.signal == one.signal for old in heard)
            if before < EACH and len(heard) < MOST:
                heard = (*heard, structs.replace(one, milli=one.milli // (1 + before)))
        if heard != facts.heard:
            state.accounts.put(event.sender, structs.replace(facts, heard=heard))
    return tuple(signal for signal in signals if signal.stage != "young") if young else signals


def _answers(state: State, event: Message, at: int, view: str) -> bool:
    """Whether a message begins with an age below 18 just after somebody asked its sender for it."""
    if _AGE.match(view) is None:
        return False
    direct = event.surface == "dm" and len(event.to) == 1
    other = event.to[0] if direct else room_target(event.conversation)
    asking = map(state.pairs.get, pairs_of_others(state, event, event.sender, other, direct))
    return any(
        made.stage == "age_probe" and 0 <= at - made.at <= ANSWER_SECONDS
        for pair in asking
        if pair is not None
        for made in pair.kept
    )
