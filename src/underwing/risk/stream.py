"""The fold for what is seen in a live stream: gifts, and a classifier's guesses about frames; and what its crowd may cost.

It bends and never makes: what is seen counts only beside somebody who presses the streamer by words, in the same minutes.
"""

from math import exp

from msgspec import structs

from underwing.risk.settings import Settings
from underwing.risk.states import Contribution, RoomState, TargetState

MAX_SEEN = 6


def guess_weight(score: float, settings: Settings) -> float:
    """What a classifier's guess (0 to 1) is worth, in nats; 0 below `stream_guess_from`."""
    over = (score - settings.stream_guess_from) / (1.0 - settings.stream_guess_from)
    return settings.stream_guess * min(1.0, over) if over > 0 else 0.0


def fold_seen(room: RoomState, made: Contribution) -> RoomState:
    """The room with one more thing seen; the oldest goes."""
    return structs.replace(room, seen=(*room.seen, made)[-MAX_SEEN:])


def fold_read(room: RoomState | None, at: int, settings: Settings) -> RoomState | None:
    """The room after one more second reading at `at`; None where its readings are used up (a leaky bucket)."""
    used = max(float(at), room.reads_until if room else 0.0)
    if used - at > settings.room_read_saved:
        return None
    return structs.replace(room or RoomState(), reads_until=used + settings.room_read_each)


def recently_seen(room: RoomState | None, at: int, settings: Settings) -> tuple[float, list[Contribution]]:
    """(what was seen up to `at` adds up to, faded and capped, in nats; what it is, without what has faded away)."""
    total, kept = 0.0, []
    for made in room.seen if room else ():
        worth = made.milli / 1000 * exp(-max(0, at - made.at) / settings.stream_tau)
        if worth >= 0.05:
            total += worth
            kept.append(made)
    return min(total, settings.stream_cap), kept


def pressed_by_words(
    target: TargetState | None, at: int, settings: Settings
) -> tuple[float, tuple[int, ...]]:
    """(what the accounts that press the target by words add up to by `at`, their hashes, the strongest first)."""
    now = [
        (score * exp(-max(0, at - seen) / settings.target_tau), who)
        for who, score, seen in (target.pressing if target else ())
    ]
    strong = sorted((item for item in now if item[0] >= settings.stream_each), reverse=True)
    return sum(score for score, _ in strong), tuple(who for _, who in strong)
