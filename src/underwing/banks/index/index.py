"""An exact index of PDQ hashes that takes additions and removals at once.

Most hashes stand in buckets, which never change; what was added since stands in a tail that is scanned, and what was removed
is marked dead in either. `merge` makes new buckets of all that is alive.
"""

import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray

from underwing.banks.index import snapshot
from underwing.banks.index.buckets import Buckets, Flags
from underwing.banks.index.loops import order_bits, scan
from underwing.banks.index.plan import BITS, FEW, FEW_WIDTHS, Numbers, Plan, Words
from underwing.model.media import PDQ_DISTANCE

LIMIT: Final = 100
MOST_LIMIT: Final = 10_000
"""So many hits a query gives by default, and at most."""
_TAIL: Final = 1 << 31
"""Rows of the tail are counted from here, those of the buckets from 0."""
_USUAL_TAIL: Final = 16_384
_HEX: Final = re.compile(r"(?:[0-9a-f]{64})*")
_PLAN: Final = Plan()
_PLAN_OF_FEW: Final = Plan(FEW_WIDTHS)


class Answer(Struct, frozen=True):
    """What lies within the distance: (number, distance in bits), nearest first, then by number.

    `more`: there are more hits than were asked for. The others lie no nearer, unless the search ended early (`Index.query`).
    """

    near: list[tuple[int, int]]
    more: bool


class _State(NamedTuple):
    """What a query looks at. A writer puts another one in its place; of the arrays only flags of the dead are changed,
    and places of the tail beyond `size` filled."""

    buckets: Buckets | None
    dead: Flags
    tail_numbers: Numbers
    tail_rows: Words
    tail_dead: Flags
    size: int


class Index:
    """PDQ hashes, each under a number of the caller's (0 to 2⁶³ - 1), and what lies near one.

    Exact: every hash within the distance is found and none beyond. Distances up to 43 look into buckets, or up to 51 where
    there are few hashes; greater ones scan all hashes (about 2 ms a million).

    Any number of threads may query while others write: writers wait for each other, queries for nobody, and the loops let
    go of the interpreter lock. A query that begins after `add` or `remove` has returned sees what it did. One that runs
    meanwhile may see a part of it; a replaced hash may then be found under its old and its new value, never under neither.

    `position` is the number of the last change of the store that a mapped or written snapshot holds. Adding and removing may
    be repeated without harm, so a process that maps a snapshot applies the changes since, in their order.
    """

    def __init__(self, numbers: ArrayLike = (), hashes: Sequence[str] | NDArray[np.uint8] = ()) -> None:
        """An index of `hashes` (hex, or n × 32 bytes) under `numbers`, in buckets from the start.

        Raises:
            ValueError: as `add`; more than `MOST_ROWS`.
        """
        self.position = 0
        self._writing = threading.Lock()
        self._merging = threading.Lock()
        self._gone_meanwhile: list[Numbers] | None = None
        taken, rows = _last_of_each(_checked_numbers(numbers), _rows(hashes))
        self._state = _state(_bucketed(taken, rows))

    @classmethod
    def open(cls, path: Path, *, whole: bool = True) -> "Index":
        """Map a snapshot that `save` wrote; what it holds is shared with other processes that map it.

        `whole`: check every byte of it (about 1 s a GB); see `snapshot.read` for when to leave that out.

        Raises:
            SnapshotError: not a snapshot, of another version, truncated or damaged.
            OSError: it cannot be opened.
        """
        buckets, position = snapshot.read(path, whole=whole)
        index = cls()
        index._state = _state(buckets)
        index.position = position
        return index

    def save(self, path: Path, position: int) -> None:
        """Merge what waits to be merged and write a snapshot, as of change `position` of the store, all or nothing.

        Every change up to `position` must have been applied before; later ones may come in meanwhile.

        Raises:
            OSError: it could not be written; what was at `path` is still there.
        """
        state = self._state
        if state.size or state.dead.any():
            self.merge()
        snapshot.write(path, self._state.buckets, position)
        self.position = position

    def query(self, pdq: str, distance: int = PDQ_DISTANCE, limit: int = LIMIT) -> Answer:
        """The nearest `limit` hashes within `distance` bits (0 to 256) of `pdq` (hex).

        Work is bounded by that of two scans. Where there are more than `limit` hits (a flood of near-equal entries), the
        search ends after a quarter of a million comparisons, with the nearest of those it saw; an answer whose `more` is
        false is always whole.

        Raises:
            ValueError: not 64 hex digits; a distance or a limit (1 to 10,000) out of range.
        """
        if not 0 <= distance <= BITS or not 1 <= limit <= MOST_LIMIT:
            raise ValueError(
                f"a distance of 0 to {BITS} and a limit of 1 to {MOST_LIMIT}, not {distance}, {limit}"
            )
        state = self._state
        query = _rows([pdq])
        found = np.empty(limit, np.int64)
        hits = state.buckets.near(query, distance, state.dead, found) if state.buckets else 0
        if state.size:
            hits = scan(query, distance, state.tail_rows, state.tail_dead, state.size, _TAIL, found, hits)
        if not hits:
            return Answer([], False)
        keys = found[: min(hits, limit)].tolist()
        near = [(key >> 32, _number(state, key & 0xFFFFFFFF)) for key in keys]
        return Answer([(number, apart) for apart, number in sorted(near)], hits > limit)

    def any_near(self, hashes: Sequence[str], distance: int = PDQ_DISTANCE) -> bool:
        """Whether anything lies within `distance` bits (0 to 256) of any of these hashes (hex).

        Raises:
            ValueError: not 64 hex digits each; a distance out of range.
        """
        if not 0 <= distance <= BITS:
            raise ValueError(f"a distance of 0 to {BITS}, not {distance}")
        state = self._state
        queries = _rows(hashes)
        if state.buckets and state.buckets.any_near(queries, distance, state.dead):
            return True
        found = np.empty(1, np.int64)
        return bool(state.size) and any(
            scan(
                queries[at : at + 1], distance, state.tail_rows, state.tail_dead, state.size, _TAIL, found, 0
            )
            for at in range(len(queries))
        )

    def add(self, numbers: ArrayLike, hashes: Sequence[str] | NDArray[np.uint8]) -> None:
        """Add `hashes` (hex, or n × 32 bytes) under `numbers`; a number that is known gets the new hash.

        Takes about a microsecond a hash. They are scanned until the next `merge`.

        Raises:
            ValueError: not as many numbers as hashes, a number below 0, a hash that is not 256 bits.
        """
        taken, rows = _last_of_each(_checked_numbers(numbers), _rows(hashes))
        with self._writing:
            state = self._state
            size = state.size + len(taken)
            if size > len(state.tail_numbers):
                state = _with_room(state, max(1024, 2 * size))
            state.tail_numbers[state.size : size] = taken
            state.tail_rows[state.size : size] = rows
            self._state = state._replace(size=size)
            self._bury(state, taken)

    def remove(self, numbers: ArrayLike) -> int:
        """Remove the hashes under `numbers`; unknown ones are passed over. Returns how many were there."""
        with self._writing:
            return self._bury(self._state, np.unique(_checked_numbers(numbers)))

    def merge(self) -> None:
        """Make new buckets of all that is alive: about 0.5 s a million hashes, and memory for both meanwhile.

        Queries and writers go on; to be called from a thread of its own when `merge_due` says so.
        """
        with self._merging:
            with self._writing:
                before = self._state
                gone = self._gone_meanwhile = []
            try:
                buckets = _merged(before)
                with self._writing:
                    late = self._state
                    new = slice(before.size, late.size)
                    room = _with_room(_state(buckets), max(1024, late.size - before.size))
                    size = late.size - before.size
                    room.tail_numbers[:size] = late.tail_numbers[new]
                    room.tail_rows[:size] = late.tail_rows[new]
                    room.tail_dead[:size] = late.tail_dead[new]
                    for numbers in gone:
                        _bury_in_buckets(room, numbers)
                    self._state = room._replace(size=size)
            finally:
                self._gone_meanwhile = None

    @property
    def merge_due(self) -> bool:
        """Whether the tail or the dead cost queries more than a merge is worth."""
        state = self._state
        settled = len(state.dead)
        return state.size > max(_USUAL_TAIL, settled >> 6) or int(state.dead.sum()) > settled >> 2

    @property
    def nbytes(self) -> int:
        """Bytes of memory, mapped or not, for everything that is held."""
        state = self._state
        own = (state.dead, state.tail_numbers, state.tail_rows, state.tail_dead)
        return sum(part.nbytes for part in own) + (state.buckets.nbytes if state.buckets else 0)

    def __len__(self) -> int:
        state = self._state
        gone = int(state.dead.sum()) + int(state.tail_dead[: state.size].sum())
        return len(state.dead) + state.size - gone

    def _bury(self, state: _State, numbers: Numbers) -> int:
        """Mark as dead what `state` holds under ascending `numbers`; returns how many were alive."""
        if self._gone_meanwhile is not None:
            self._gone_meanwhile.append(numbers)
        tail = np.flatnonzero(np.isin(state.tail_numbers[: state.size], numbers))
        alive = int((~state.tail_dead[tail]).sum())
        state.tail_dead[tail] = True
        return alive + _bury_in_buckets(state, numbers)


def _state(buckets: Buckets | None) -> _State:
    """Buckets with all alive, and an empty tail."""
    dead = np.zeros(len(buckets.rows) if buckets else 0, np.bool_)
    none = np.empty(0, np.int64)
    return _State(buckets, dead, none, np.empty((0, 4), np.uint64), np.zeros(0, np.bool_), 0)


def _with_room(state: _State, room: int) -> _State:
    """The same with a tail that takes `room` hashes."""
    numbers, rows = np.empty(room, np.int64), np.empty((room, 4), np.uint64)
    dead = np.zeros(room, np.bool_)
    numbers[: state.size] = state.tail_numbers[: state.size]
    rows[: state.size] = state.tail_rows[: state.size]
    dead[: state.size] = state.tail_dead[: state.size]
    return state._replace(tail_numbers=numbers, tail_rows=rows, tail_dead=dead)


def _merged(state: _State) -> Buckets | None:
    """Buckets of all that is alive."""
    tail = np.flatnonzero(~state.tail_dead[: state.size])
    numbers, rows = state.tail_numbers[tail], state.tail_rows[tail]
    if state.buckets:
        alive = ~state.dead
        numbers = np.concatenate([state.buckets.numbers[alive], numbers])
        rows = np.concatenate([state.buckets.rows[alive], rows])
    numbers, rows = _last_of_each(numbers, rows)
    return _bucketed(numbers, rows)


def _bucketed(numbers: Numbers, rows: Words) -> Buckets | None:
    """Buckets by the plan for so many rows; their bits have one order in both."""
    if not len(rows):
        return None
    return Buckets.of(_PLAN if len(rows) > FEW else _PLAN_OF_FEW, numbers, rows)


def _bury_in_buckets(state: _State, numbers: Numbers) -> int:
    if not state.buckets or not len(numbers):
        return 0
    known = state.buckets.numbers
    at = np.searchsorted(known, numbers)
    at = at[at < len(known)] if numbers[-1] > known[-1] else at
    at = at[known[at] == numbers[: len(at)]]
    alive = int((~state.dead[at]).sum())
    state.dead[at] = True
    return alive


def _number(state: _State, row: int) -> int:
    if row >= _TAIL:
        return int(state.tail_numbers[row - _TAIL])
    assert state.buckets is not None
    return int(state.buckets.numbers[row])


def _last_of_each(numbers: Numbers, rows: Words) -> tuple[Numbers, Words]:
    """By ascending number; of those given twice the last.

    Raises:
        ValueError: not as many numbers as rows.
    """
    if len(numbers) != len(rows):
        raise ValueError(f"{len(numbers)} numbers for {len(rows)} hashes")
    if (numbers[1:] > numbers[:-1]).all():
        return numbers, rows
    ascending, from_end = np.unique(numbers[::-1], return_index=True)
    return ascending, rows[len(numbers) - 1 - from_end]


def _checked_numbers(numbers: ArrayLike) -> Numbers:
    given = np.asarray(numbers)
    if given.ndim != 1 or (len(given) and (given.dtype.kind not in "iu" or not _fit(given))):
        raise ValueError("numbers are whole, from 0 to 2^63 - 1")
    return given.astype(np.int64)


def _fit(numbers: NDArray[np.integer[Any]]) -> bool:
    return int(numbers.min()) >= 0 and int(numbers.max()) < 1 << 63


def _rows(hashes: Sequence[str] | NDArray[np.uint8]) -> Words:
    """Hashes with their bits in the order of the plan.

    Raises:
        ValueError: one that is not 256 bits.
    """
    if isinstance(hashes, np.ndarray):
        given = hashes
        if given.dtype != np.uint8 or given.shape != (len(given), BITS // 8):
            raise ValueError("hashes are n × 32 bytes")
    else:
        if wrong := [one for one in hashes if len(one) != BITS // 4]:
            raise ValueError(f"a PDQ hash has 64 hex digits, not {len(wrong[0])}")
        joined = "".join(hashes)
        if not _HEX.fullmatch(joined):
            raise ValueError("a PDQ hash is written in lower-case hex digits")
        given = np.frombuffer(bytearray.fromhex(joined), np.uint8).reshape(len(hashes), BITS // 8)
    rows = np.empty((len(given), 4), np.uint64)
    order_bits(np.ascontiguousarray(given), _PLAN.order, rows)
    return rows
