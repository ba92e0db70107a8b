"""Which keys a table has, by their hashes: a question that waits for memory once, however many keys there are.

A look-up in a dict of a million strings waits for its index, its entry, the string and the value, each in another place.
Here all hashes stand in one row (open addressing, linear probing; Knuth, TAOCP 3, 6.4), at most half of its places taken.

A key that is not there is taken for one that is with a chance of N / 2⁶⁴, for a million keys 5 × 10⁻¹⁴. Python draws the key
of its hash (SipHash) anew for each process, so nobody can look for two that meet.
"""

from collections.abc import Collection, Iterable, Iterator
from itertools import compress
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from underwing.text.light import compiled

_FREE, _GONE = 0, -1
"""What stands in a place that was never taken, and in one whose key was taken out. Python's hash is never -1."""
_FIRST: Final = 1 << 10


@compiled
def _move(old: Any, old_notes: Any, new: Any, new_notes: Any) -> int:
    """Put the hashes of `old` into `new`, a larger row, and their notes; returns how many there are."""
    mask, count = len(new) - 1, 0
    for index in range(len(old)):
        value = old[index]
        if value != _FREE and value != _GONE:
            at = value & mask
            while new[at] != _FREE:
                at = (at + 1) & mask
            new[at] = value
            new_notes[at] = old_notes[index]
            count += 1
    return count


@compiled
def _found(row: Any, hashes: Any) -> Any:
    """Which of `hashes` stand in `row`. Asked in one go, they wait for memory together."""
    mask, found = len(row) - 1, np.zeros(len(hashes), np.bool_)
    for index in range(len(hashes)):
        value = hashes[index] if hashes[index] != 0 else 1
        at = value & mask
        while row[at] != value and row[at] != _FREE:
            at = (at + 1) & mask
        found[index] = row[at] == value
    return found


class KnownKeys:
    """A set of at most `most` strings, each with a number, its note; 24 to 48 bytes a string. Too many, and it begins anew
    and is no longer `whole`.

    Several threads may ask while one adds.
    """

    def __init__(self, most: int, keys: Iterable[str] = ()) -> None:
        self.whole = True
        """What is not here is nowhere."""
        self._most = most
        self._make(_FIRST)
        hashes = np.fromiter((hash(key) or 1 for key in keys), np.int64)
        if len(hashes) > most:
            self.whole = False
        elif len(hashes) > 0:
            size = max(_FIRST, 1 << (2 * len(hashes)).bit_length())
            self._make(size, hashes, np.zeros(len(hashes), np.uint32))

    def _make(self, size: int, *old: NDArray[Any]) -> None:
        """A new row of `size` places with the hashes and notes of an `old` one."""
        row, notes = np.zeros(size, np.int64), np.zeros(size, np.uint32)
        self._taken, self._room = _move(*old, row, notes) if old else 0, size // 2
        self._row, self._notes = row, notes
        self._places = memoryview(row.data), memoryview(notes.data), size - 1

    def __contains__(self, key: str) -> bool:
        places, _, mask = self._places
        value = hash(key) or 1
        at = value & mask
        while (found := places[at]) != value:
            if found == _FREE:
                return False
            at = (at + 1) & mask
        return True

    def among(self, keys: Collection[str]) -> Iterator[str]:
        """Those of `keys` that are here."""
        hashes = np.fromiter(map(hash, keys), np.int64, len(keys))
        return compress(keys, _found(self._row, hashes).tolist())

    def note(self, key: str) -> int:
        """The note of a key; 0 where there is none."""
        places, notes, mask = self._places
        value = hash(key) or 1
        at = value & mask
        while (found := places[at]) != value:
            if found == _FREE:
                return 0
            at = (at + 1) & mask
        return notes[at]

    def add(self, key: str, note: int = 0) -> bool:
        """Add a key, or give it another note (0 to 2³² - 1); says whether it is a new one."""
        places, notes, mask = self._places
        value = hash(key) or 1
        at = value & mask
        while (found := places[at]) != value and found != _FREE:
            at = (at + 1) & mask
        places[at] = value
        notes[at] = note
        if found == value:
            return False
        self._taken += 1
        if self._taken > self._room:
            self._grow()
        return True

    def discard(self, key: str) -> None:
        """Take a key out, if it is there. Its place is free again when the row grows."""
        places, _, mask = self._places
        value = hash(key) or 1
        at = value & mask
        while (found := places[at]) != value:
            if found == _FREE:
                return
            at = (at + 1) & mask
        places[at] = _GONE

    def _grow(self) -> None:
        """A row twice as long; as long as it was where half of it are places of keys that are gone."""
        there = int(np.count_nonzero((self._row != _FREE) & (self._row != _GONE)))
        if there > self._most:
            self.whole = False
            self._make(_FIRST)
        else:
            size = len(self._row)
            self._make(size * 2 if there > size // 4 else size, self._row, self._notes)
