"""Recent decisions by their numbers, read from the engine's store."""

import msgspec

from underwing.engine import Runner
from underwing.model import Decision
from underwing.server.answers import Numbered, Recent

_decode = msgspec.json.Decoder(Decision).decode


def newest_number(runner: Runner) -> int:
    """The number of the newest decision with reasons, 0 when there is none (a search: about 40 look-ups)."""
    low, high = 0, 1
    while runner.recent(high - 1, 1):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        if runner.recent(middle - 1, 1):
            low = middle
        else:
            high = middle
    return low


def recent(runner: Runner, after: int | None, limit: int) -> Recent:
    """Decisions above the number `after`; None means the newest. For the thread that owns the runner."""
    if after is None:
        after = max(0, newest_number(runner) - limit)
    rows = runner.recent(after, limit)
    return Recent(
        last=rows[-1][0] if rows else after,
        decisions=tuple(Numbered(number=number, decision=_decode(body)) for number, body in rows),
    )
