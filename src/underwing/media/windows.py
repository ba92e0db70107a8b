"""Windows: stretches (from, to) of a video, in seconds."""

from collections.abc import Iterable

from underwing.model.media import Seconds

Windows = tuple[Seconds, ...]


def united(windows: Iterable[Seconds], gap: float = 0.0) -> Windows:
    """Windows in their order, those made one that overlap or lie no farther than `gap` apart."""
    made: list[Seconds] = []
    for start, end in sorted(windows):
        if made and start <= made[-1][1] + gap:
            made[-1] = (made[-1][0], max(end, made[-1][1]))
        else:
            made.append((start, end))
    return tuple(made)


def length_of(windows: Iterable[Seconds]) -> float:
    """How long they are together."""
    return sum(end - start for start, end in windows)


def shortened(windows: Windows, most: float) -> Windows:
    """Windows (that do not overlap) cut so that they are no longer than `most` seconds together: the longest are cut, all
    of these to one length, each at its end."""
    left, longest = most, most
    for number, length in enumerate(sorted(end - start for start, end in windows)):
        longest = left / (len(windows) - number)
        if length > longest:
            break
        left -= length
    else:
        return windows
    return tuple((start, min(end, start + longest)) for start, end in windows)


def uncovered(windows: Windows, seen: Windows, slack: float = 0.0) -> Windows:
    """Those that reach out by more than `slack` seconds of each of the stretches that were looked at already."""
    return tuple(
        (start, end)
        for start, end in windows
        if not any(a - slack <= start and end <= b + slack for a, b in seen)
    )
