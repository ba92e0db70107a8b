"""Time stamps of a stream, repaired: what a viewer's clock shows never runs backwards and never leaps.

Publishers restart their clocks, count from the epoch, or wrap after 2^33 ticks (MPEG-TS, 26.5 h) or 2^32 ms (RTMP). Whatever
they do, a stream's second here is the time since its first packet.
"""

from msgspec import Struct

LEAP = 5.0
"""Seconds that a time stamp may run ahead of the time that went by on our own clock, or fall behind the newest before it.
What comes late, all at once, is no leap."""


class StreamClock(Struct, frozen=True):
    """`shift` is added to a publisher's seconds; `last` is the newest stream second, `arrived` when it came by our clock."""

    shift: float = 0.0
    last: float = 0.0
    arrived: float = 0.0
    started: bool = False


def tell(clock: StreamClock, stamp: float | None, arrived: float) -> tuple[StreamClock, float]:
    """The stream second of a packet with the publisher's `stamp` (seconds; None: it has none) that came at `arrived`.

    A stamp that leaps starts a new count where the stream should be. Small steps back (frames that
    are shown in another order than they are sent) are kept as they are.
    """
    if not clock.started:
        return StreamClock(-(stamp or 0.0), 0.0, arrived, True), 0.0
    expected = clock.last + max(0.0, arrived - clock.arrived)
    if stamp is None:
        return StreamClock(clock.shift, expected, arrived, True), expected
    shift, second = clock.shift, stamp + clock.shift
    if not clock.last - LEAP <= second <= expected + LEAP:
        second = expected
        shift = second - stamp
    second = max(0.0, second)
    if second <= clock.last:
        return StreamClock(shift, clock.last, clock.arrived, True), second
    return StreamClock(shift, second, arrived, True), second
