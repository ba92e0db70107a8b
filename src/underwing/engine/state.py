"""Keyed state as the engine sees it: five maps behind one small interface."""

from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from underwing.engine.known import KnownKeys
from underwing.policy import QuotaState
from underwing.risk import ActorState, Facts, PairState, RoomState, TargetState

T = TypeVar("T")


class Table(Protocol[T]):
    """One keyed map. `get` returns None for what was never put; `in` is cheaper where the value is not wanted."""

    def get(self, key: str) -> T | None:
        """The value of `key`, or None."""
        ...

    def __contains__(self, key: str) -> bool:
        """Whether `key` was put."""
        ...

    def put(self, key: str, value: T) -> None:
        """Set the value of `key`."""
        ...


class State(Protocol):
    """Everything the fold knows, by key: pairs `actor␟target`, actors, targets, rooms, account facts."""

    @property
    def pairs(self) -> Table[PairState]:
        """What one account did towards another."""
        ...

    @property
    def actors(self) -> Table[ActorState]:
        """What one account does across others."""
        ...

    @property
    def targets(self) -> Table[TargetState]:
        """Who presses one account."""
        ...

    @property
    def rooms(self) -> Table[RoomState]:
        """Who spoke last in a room."""
        ...

    @property
    def accounts(self) -> Table[Facts]:
        """What the platform knows of an account."""
        ...

    @property
    def quotas(self) -> Table[QuotaState]:
        """What automatic actions have used up."""
        ...


class MemoryTable(Generic[T]):
    """A bounded map in memory: beyond `capacity` the entry untouched for longest is forgotten."""

    def __init__(self, capacity: int = 1_000_000) -> None:
        self._items: dict[str, T] = {}
        self._known = KnownKeys(capacity + 1)
        self._capacity = capacity

    def get(self, key: str) -> T | None:
        """The value of `key`, or None."""
        return self._items.get(key)

    def put(self, key: str, value: T) -> None:
        """Set the value of `key`, forgetting the oldest entry beyond the capacity."""
        items = self._items
        if items.pop(key, None) is None:
            self._known.add(key)
        items[key] = value
        if len(items) > self._capacity:
            oldest = next(iter(items))
            del items[oldest]
            self._known.discard(oldest)

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def __len__(self) -> int:
        return len(self._items)

    def items(self) -> Iterator[tuple[str, T]]:
        """All entries, the one untouched for longest first."""
        return iter(list(self._items.items()))


class MemoryState:
    """State in memory, for tests, backtests and evaluation."""

    def __init__(self, capacity: int = 1_000_000) -> None:
        self.pairs: MemoryTable[PairState] = MemoryTable(capacity)
        self.actors: MemoryTable[ActorState] = MemoryTable(capacity)
        self.targets: MemoryTable[TargetState] = MemoryTable(capacity)
        self.rooms: MemoryTable[RoomState] = MemoryTable(capacity)
        self.accounts: MemoryTable[Facts] = MemoryTable(capacity)
        self.quotas: MemoryTable[QuotaState] = MemoryTable(8)
