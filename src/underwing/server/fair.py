"""A queue in which conversations take turns: whoever floods one waits behind its own flood, and nobody else does.

Within a conversation the order stays.
"""

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """Items by key; `take` goes round the keys, one item each, and goes on next time where it stopped."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[T]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, key: str, item: T) -> None:
        """Add an item behind those of its key."""
        lane = self._waiting.get(key)
        if lane is None:
            self._waiting[key] = deque((item,))
        else:
            lane.append(item)
        self._count += 1

    def take(self, most: int) -> list[T]:
        """At most so many items, of each key in turn."""
        taken: list[T] = []
        while self._count and len(taken) < most:
            key = next(iter(self._waiting))
            lane = self._waiting.pop(key)
            taken.append(lane.popleft())
            self._count -= 1
            if lane:
                self._waiting[key] = lane
        return taken
