"""Which keys a table has, by their hashes: a question that waits for memory once, however many keys there are.

A look-up in a dict of a million strings waits for its index, its entry, the string and the value, each in another place.
Here all hashes stand in one row (open addressing, linear probing; Knuth, TAOCP 3, 6.4), at most half of its places taken.

A key that is not there is taken for one that is with a chance of N / 2⁶⁴, for a million keys 5 × 10⁻¹⁴. Python draws the key
of its hash (SipHash) anew for each process, so nobody can look for two that meet.
"""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from underwing.text.light import compiled

_FREE, _GONE = 0, -1
"""What stands in a place that was never taken, and in one whose key was taken out. Python's hash is never -1."""
_FIRST: Final = 1 << 10


@compiled
def _move(old: Any, new: Any) -> int:
    """Put the hashes of `old` into `new`, a larger row; returns how many there are."""
    mask, count = len(new) - 1, 0
    for value in old:
        if value != _FREE and value != _GONE:
            at = value & mask
            while new[at] != _FREE:
                at = (at + 1) & mask
            new[at] = value
            count += 1
    return count


class KnownKeys:
    """A set of at most `most` strings, 16 to 32 bytes each. Too many, and it begins anew and is no longer `whole`.

    Several threads may ask while one adds.
    """

    def __init__(self, most: int, keys: Iterable[str] = ()) -> None:
        self.whole = True
        """What is not here is nowhere."""
        self._most = most
        self._use(np.zeros(_FIRST, np.int64), 0)
        hashes = np.fromiter((hash(key) or 1 for key in keys), np.int64)
        if len(hashes) > most:
            self.whole = False
        elif len(hashes) > 0:
            row = np.zeros(max(_FIRST, 1 << (2 * len(hashes)).bit_length()), np.int64)
            self._use(row, _move(hashes, row))

    def _use(self, row: Any, taken: int) -> None:
        self._row, self._taken, self._room = row, taken, len(row) // 2
        self._places = memoryview(row), len(row) - 1

    def __contains__(self, key: str) -> bool:
        places, mask = self._places
        value = hash(key) or 1
        at = value & mask
        while (found := places[at]) != value:
            if found == _FREE:
                return False
            at = (at + 1) & mask
        return True

    def add(self, key: str) -> bool:
        """Add a key; says whether it is a new one."""
        places, mask = self._places
        value = hash(key) or 1
        at = value & mask
        while (found := places[at]) != value:
            if found == _FREE:
                break
            at = (at + 1) & mask
        else:
            return False
        places[at] = value
        self._taken += 1
        if self._taken > self._room:
            self._grow()
        return True

    def discard(self, key: str) -> None:
        """Take a key out, if it is there. Its place is free again when the row grows."""
        places, mask = self._places
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
            self._use(np.zeros(_FIRST, np.int64), 0)
            self.whole = False
            return
        row = np.zeros(len(self._row) * (2 if there > self._room // 2 else 1), np.int64)
        self._use(row, _move(self._row, row))
