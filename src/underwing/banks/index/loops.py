"""The loops of the index in machine code: ordering bits, cutting chunks, building buckets, looking into them, scanning.

`numba` compiles them when they are first used and keeps them beside this file (or in the user's cache directory). They
let go of the interpreter lock, so threads that look things up run side by side. Hashes are rows of four `uint64`.
"""

from typing import Any, Final

import numpy as np
from numba import types
from numba.extending import intrinsic

from underwing.media.machine_code import compiled

MANY: Final = 0x80000000
"""Of an entry: the other bits are where, among the rows of full buckets, the bucket's size and then its rows stand."""
_BATCH: Final = 4096
"""So many candidates are gathered before they are compared: their cache misses overlap."""
GAVE_UP: Final = -1
"""What `look` answers when a scan is cheaper than going on."""


def _count_ones(typing: Any, word: Any) -> Any:
    def written(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), written


_ones: Any = intrinsic(_count_ones)
"""How many bits of a `uint64` are set: one instruction."""


@compiled
def order_bits(hashes: Any, order: Any, rows: Any) -> None:
    """Write `hashes` (n × 32 bytes) to `rows` (n × 4 words) with their bits in another order."""
    for row in range(len(hashes)):
        for word in range(4):
            made = np.uint64(0)
            for bit in range(64):
                source = order[word * 64 + bit]
                value = np.uint64(hashes[row, source >> 3] >> (7 - (source & 7)) & 1)
                made |= value << np.uint64(bit)
            rows[row, word] = made


@compiled
def _chunk(rows: Any, row: int, start: int, width: int) -> Any:
    """The value of one chunk of a row."""
    word, shift = start >> 6, start & 63
    value = rows[row, word] >> np.uint64(shift)
    if shift + width > 64:
        value |= rows[row, word + 1] << np.uint64(64 - shift)
    return value & ((np.uint64(1) << np.uint64(width)) - np.uint64(1))


@compiled
def chunk_keys(rows: Any, start: int, width: int, keys: Any) -> None:
    """Write for each row `value of the chunk << 32 | row` to `keys`."""
    for row in range(len(rows)):
        keys[row] = _chunk(rows, row, start, width) << np.uint64(32) | np.uint64(row)


@compiled
def fill(keys: Any, words: Any, ranks: Any, first: int, entries: Any, many: Any, used: int) -> Any:
    """Make the buckets of one chunk of its sorted `keys`.

    A bit of `words` is set for each value that some row has; `ranks` says how many stand before each word, from `first`
    on; `entries` holds for each such value its row, or `MANY | place in many` (from `used` on): a size and rows. Returns
    (entries, places of `many`) used.
    """
    made, at, word = 0, 0, 0
    low = np.uint64(0xFFFFFFFF)
    while at < len(keys):
        value = keys[at] >> np.uint64(32)
        end = at + 1
        while end < len(keys) and keys[end] >> np.uint64(32) == value:
            end += 1
        while word <= np.int64(value >> np.uint64(6)):
            ranks[word] = first + made
            word += 1
        words[word - 1] |= np.uint64(1) << (value & np.uint64(63))
        if end == at + 1:
            entries[made] = keys[at] & low
        else:
            entries[made] = MANY | used
            many[used] = end - at
            for key in range(at, end):
                many[used + 1 + key - at] = keys[key] & low
            used += 1 + end - at
        made += 1
        at = end
    while word < len(ranks):
        ranks[word] = first + made
        word += 1
    return made, used


@compiled
def _keep(found: Any, kept: int, key: int) -> int:
    """Put `key` in its place among the `kept` smallest keys; returns how many are kept now."""
    if kept == len(found):
        if key >= found[kept - 1]:
            return kept
        kept -= 1
    at = kept
    while at > 0 and found[at - 1] > key:
        found[at] = found[at - 1]
        at -= 1
    found[at] = key
    return kept + 1


@compiled
def _apart(query: Any, rows: Any, row: Any) -> int:
    """The distance between the query and a row, in bits."""
    apart: int = _ones(query[0, 0] ^ rows[row, 0])
    for word in range(1, 4):
        apart += _ones(query[0, word] ^ rows[row, word])
    return apart


@compiled
def scan(
    query: Any, distance: int, rows: Any, dead: Any, size: int, first: int, found: Any, hits: int
) -> int:
    """Compare the query with the first `size` rows; keep `distance << 32 | first + row` of the nearest in `found`.

    `hits` is how many were found before; returns it with those found now.
    """
    for row in range(size):
        apart = _apart(query, rows, row)
        if apart <= distance and not dead[row]:
            _keep(found, min(hits, len(found)), apart << 32 | first + row)
            hits += 1
    return hits


@compiled
def _found_before(query: Any, rows: Any, row: Any, chunk: int, radii: Any, starts: Any, width: Any) -> bool:
    """Whether a chunk before `chunk` leads to the row too."""
    for before in range(chunk):
        mine = _chunk(query, 0, starts[before], width[before])
        if _ones(mine ^ _chunk(rows, row, starts[before], width[before])) <= radii[before]:
            return True
    return False


@compiled
def look(
    query: Any,
    distance: int,
    radii: Any,
    room: int,
    values: int,
    plan: Any,
    rows: Any,
    dead: Any,
    buckets: Any,
    found: Any,
    hits: int,
    patience: int,
) -> int:
    """Look into the buckets within `radii` of the query; keep `distance << 32 | row` of the nearest in `found`.

    `room` and `values` are how many words and values that takes. Returns `hits` and those found now (not all are counted
    where they are more than `found` holds), or `GAVE_UP` once an eighth as many candidates as rows were compared: going
    on could cost more than a scan. Where `found` is full and `patience` candidates were compared, the search ends with
    what it has.
    """
    starts, width, words_at, flips, flips_at, balls = plan
    words, ranks, entries, many = buckets
    # The words with a bit in the ball around the query.
    pending, wanted = np.empty(room, np.uint32), np.empty(room, np.uint64)
    ends = np.empty(len(starts), np.int64)
    count = 0
    for chunk in range(len(starts)):
        value = _chunk(query, 0, starts[chunk], width[chunk])
        high, low = np.int64(value >> np.uint64(6)), np.int64(value & np.uint64(63))
        base = words_at[chunk]
        for flipped in range(radii[chunk] + 1):
            ball = balls[radii[chunk] - flipped, low]
            for at in range(flips_at[chunk, flipped], flips_at[chunk, flipped + 1]):
                word = base + (high ^ np.int64(flips[at]))
                bits = words[word] & ball
                pending[count] = word
                wanted[count] = bits
                count += bits != 0
        ends[chunk] = count
    # Where the entries of those values stand.
    slots = np.empty(values, np.uint32)
    slot_ends = np.empty(len(starts), np.int64)
    slot, at = 0, 0
    for chunk in range(len(starts)):
        while at < ends[chunk]:
            bits, word = wanted[at], pending[at]
            whole, rank = words[word], ranks[word]
            while bits != 0:
                lowest = bits & (~bits + np.uint64(1))
                slots[slot] = rank + _ones(whole & (lowest - np.uint64(1)))
                slot += 1
                bits ^= lowest
            at += 1
        slot_ends[chunk] = slot
    # The rows they hold, compared in batches.
    batch = np.empty(_BATCH, np.uint32)
    compared, slot = 0, 0
    listed: Any
    list_end: Any
    for chunk in range(len(starts)):
        end = slot_ends[chunk]
        listed, list_end = 0, 0
        while slot < end or listed < list_end:
            filled = 0
            while filled < _BATCH:
                if listed < list_end:
                    batch[filled] = many[listed]
                    listed += 1
                    filled += 1
                elif slot < end:
                    entry = np.int64(entries[slots[slot]])
                    slot += 1
                    if entry & MANY:
                        listed = (entry ^ MANY) + 1
                        list_end = listed + np.int64(many[listed - 1])
                    else:
                        batch[filled] = entry
                        filled += 1
                else:
                    break
            for index in range(filled):
                row = batch[index]
                apart = _apart(query, rows, row)
                if apart > distance or dead[row]:
                    continue
                key = apart << 32 | np.int64(row)
                if hits > len(found) and key >= found[-1]:
                    continue
                if not _found_before(query, rows, row, chunk, radii, starts, width):
                    _keep(found, min(hits, len(found)), key)
                    hits += 1
            compared += filled
            if hits > len(found) and compared > patience:
                return hits
            if compared > len(rows) >> 3:
                return GAVE_UP
    return hits


@compiled
def any_near(
    queries: Any,
    distance: int,
    radii: Any,
    room: int,
    values: int,
    plan: Any,
    rows: Any,
    dead: Any,
    buckets: Any,
    patience: int,
) -> bool:
    """Whether a living row lies within the distance of one of the queries (n × 4); parameters as of `look`."""
    found = np.empty(1, np.int64)
    for at in range(len(queries)):
        query = queries[at : at + 1]
        hits = look(query, distance, radii, room, values, plan, rows, dead, buckets, found, 0, patience)
        if hits == GAVE_UP:
            hits = scan(query, distance, rows, dead, len(rows), 0, found, 0)
        if hits:
            return True
    return False
