"""Which patterns could match a message: its light view and one pass over the search literals of all packs, in machine code.

Every pattern is a conjunction of elements, each a set of search literals of which one has to stand in the view. The
literals of all patterns make one trie, walked from every character of a view; where the rarest element of a pattern
stands, the pattern's other elements are asked for, and then whether they can stand in its order. The work is linear in
the view: at most the longest literal for each character, and each literal, element and pattern is looked at once.
`numba` compiles the loops when they are first used and keeps them beside this file (or in the user's cache directory);
`docs/decisions/0002-scanning.md` has the measurement. Most of the cost are cache misses, so what is read together
stands together.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from underwing.text.light import ROOM, TELLING, compiled, write_light
from underwing.text.rarity import rarity_of_any

MIN_AGE, MAX_AGE = 5, 99
"""Numbers outside this range are never taken for an age, in years."""
NUMBER, TRIPLED, LONE = 1, 2, 4
"""Clues besides `TELLING`: a number that could be an age, a letter three times in a row, three lone letters in a row."""

# The first numbers of the table say where its parts begin, and then those of the scratch memory.
_WIDE_ROWS, _NODES, _ACCEPT, _ROWS_OF, _ROWS, _NEEDS_OF, _NEEDS, _ORDER, _MEMBERS_OF, _MEMBERS = range(10)
_HERE, _LITERAL, _ELEMENT, _FOUND, _TAKEN, _OUT = range(10, 16)
_PARTS: Final = 16
_ENDS, _LAST_CHILD, _WIDE, _CHILD = 256, 512, 1024, 11
"""Of a node: a literal ends here; its parent's last child; its children stand in a row by byte; where its number begins."""
_MANY: Final = 8
"""A node with so many children has a row."""
_FIRST, _LAST, _SEEN = 0, 1, 2
"""Of a literal two numbers: where it stands first and last in the view. Of an element four: these, and when it was looked
for last."""
_NEVER: Final = 2**29
"""After so many views the scratch memory is wiped, so that its 32 bits do not overflow."""
_SPACE, _EDGE, _A, _Z, _0, _1, _5, _9 = (ord(c) for c in " \naz0159")

Levels = list[NDArray[np.int64]]
Conjunction = tuple[frozenset[str], ...]
"""What must stand in a view for a pattern: of each set one literal, each beginning after the one before."""


@compiled
def _clues(view: Any, size: int) -> int:
    """What hints at hiding in the `size` bytes of a view, and whether there is a number that could be an age."""
    clues = run = 0
    last = -9
    for start in range(size - 2):
        char, first, second = view[start], view[start + 1], view[start + 2]
        if char == _SPACE:
            if _A <= first <= _Z and second == _SPACE:
                run = run + 1 if start == last + 2 else 1
                last = start
                if run == 3:
                    clues |= LONE
            elif (_5 <= first <= _9 and second == _SPACE) or (
                _1 <= first <= _9 and _0 <= second <= _9 and start + 3 < size and view[start + 3] == _SPACE
            ):
                clues |= NUMBER
        elif char == first and char == second and _A <= char <= _Z:
            clues |= TRIPLED
    return clues


@compiled
def _walk(view: Any, size: int, table: Any, work: Any) -> int:
    """Note which literals stand in a view, and where first and last; returns how many."""
    wide, nodes, accept = table[_WIDE_ROWS], table[_NODES], table[_ACCEPT]
    here, literals, found = table[_HERE], table[_LITERAL], table[_FOUND]
    count = 0
    for start in range(size - 1):
        node = table[wide + view[start]]
        at = start + 1
        while node > 0:
            packed = table[nodes + node]
            if packed & _ENDS:
                number = table[accept + node]
                literal = literals + number * 2
                bit = 1 << (number & 31)
                if work[here + (number >> 5)] & bit == 0:
                    work[here + (number >> 5)] |= bit
                    work[literal + _FIRST] = start
                    work[found + count] = number
                    count += 1
                work[literal + _LAST] = start
            if at >= size:
                break
            char = view[at]
            child = packed >> _CHILD
            if packed & _WIDE:
                node = table[wide + (child << 8) + char]
            else:
                node = 0
                while child > 0:
                    packed = table[nodes + child]
                    if packed & 255 >= char:
                        if packed & 255 == char:
                            node = child
                        break
                    child = child + 1 if packed & _LAST_CHILD == 0 else 0
            at += 1
    return count


@compiled
def _element(number: int, table: Any, work: Any, now: int) -> bool:
    """Whether one of the literals of an element stands in the view; notes where first and where last."""
    element, here, literals = table[_ELEMENT] + number * 4, table[_HERE], table[_LITERAL]
    answer = work[element + _SEEN]
    if answer >> 1 != now:
        answer = now << 1
        members = table[_MEMBERS_OF] + number
        for member in range(table[members], table[members + 1]):
            wanted = table[table[_MEMBERS] + member]
            if work[here + (wanted >> 5)] >> (wanted & 31) & 1:
                literal = literals + wanted * 2
                if answer & 1 == 0 or work[literal + _FIRST] < work[element + _FIRST]:
                    work[element + _FIRST] = work[literal + _FIRST]
                if answer & 1 == 0 or work[literal + _LAST] > work[element + _LAST]:
                    work[element + _LAST] = work[literal + _LAST]
                answer |= 1
        work[element + _SEEN] = answer
    return bool(answer & 1)


@compiled
def _stands(pattern: int, table: Any, work: Any, now: int) -> bool:
    """Whether every element of a pattern stands in the view, in an order the pattern could have."""
    needs = table[_NEEDS_OF] + pattern
    for place in range(table[needs], table[needs + 1]):
        if not _element(table[table[_NEEDS] + place], table, work, now):
            return False
    after = -1
    for place in range(table[needs], table[needs + 1]):
        element = table[_ELEMENT] + table[table[_ORDER] + place] * 4
        after = max(after + 1, work[element + _FIRST])
        if after > work[element + _LAST]:
            return False
    return True


@compiled
def _sift(text: bytes, raw: int, table: Any, work: Any, view: Any) -> int:
    """Write the light view of `text` (itself a view unless it is `raw`) between edges to `view`, and the patterns that
    could match it to `work`; returns how many << 36 | bytes of the view with its edges << 4 | clues."""
    now = work[0] + 1
    if now > _NEVER:
        work[:] = 0
        now = 1
    work[0] = now
    view[0] = _EDGE
    clues = 0
    if raw:
        told = write_light(text, view)
        size, clues = told >> 4, told & TELLING
    else:
        size = len(text) + 1
        for index in range(len(text)):
            view[index + 1] = text[index]
    view[size] = _EDGE
    size += 1
    clues |= _clues(view, size)
    literals = _walk(view, size, table, work)
    found, taken, out = table[_FOUND], table[_TAKEN], table[_OUT]
    count = 0
    for index in range(literals):
        rows = table[_ROWS_OF] + work[found + index]
        for row in range(table[rows], table[rows + 1]):
            pattern = table[table[_ROWS] + row]
            if work[taken + pattern] != now:
                work[taken + pattern] = now
                if _stands(pattern, table, work, now):
                    work[out + count] = pattern
                    count += 1
    for index in range(literals):
        work[table[_HERE] + (work[found + index] >> 5)] = 0
    return int(count << 36 | size << 4 | clues)


_USUAL: Final = 1 << 16
_MOST: Final = _USUAL // ROOM - 8
"""Bytes of a message whose view fits into the space that is kept; a longer one gets its own."""


class Sieve:
    """The literals of all patterns, ready to be looked for. Build once.

    Its scratch memory holds nothing that outlives a call; a call keeps the interpreter lock, so threads may share it.
    """

    def __init__(self, patterns: Sequence[Conjunction]) -> None:
        literals = sorted({x for pattern in patterns for element in pattern for x in element})
        number = {literal: index for index, literal in enumerate(literals)}
        elements: dict[frozenset[str], int] = {}
        anchored: list[list[int]] = [[] for _ in literals]
        order: list[list[int]] = []
        needs: list[list[int]] = []
        for index, pattern in enumerate(patterns):
            rarest_first = sorted(pattern, key=lambda element: (rarity_of_any(element), sorted(element)))
            order.append([elements.setdefault(element, len(elements)) for element in pattern])
            needs.append([elements[element] for element in rarest_first])
            for literal in rarest_first[0]:
                anchored[number[literal]].append(index)
        wide, nodes, accept = _trie(literals)
        parts: list[Any] = [
            wide,
            nodes,
            accept,
            _offsets(map(len, anchored)),
            [pattern for of_literal in anchored for pattern in of_literal],
            _offsets(map(len, needs)),
            [element for of_pattern in needs for element in of_pattern],
            [element for of_pattern in order for element in of_pattern],
            _offsets(map(len, elements)),
            [number[literal] for element in elements for literal in sorted(element)],
        ]
        sizes = (
            (len(literals) + 31) // 32,
            len(literals) * 2,
            len(elements) * 4,
            len(literals),
            len(patterns),
            len(patterns),
        )
        *scratch, size = accumulate(sizes, initial=4)
        table = np.concatenate([np.zeros(_PARTS, np.int64), *(np.asarray(part, np.int64) for part in parts)])
        table[: len(parts)] = list(accumulate(map(len, parts[:-1]), initial=_PARTS))
        table[_HERE : _OUT + 1] = scratch
        self._table: NDArray[np.int32] = table.astype(np.int32)
        self._work = np.zeros(size, np.int32)
        self._out = self._work[scratch[-1] :]
        self._view = np.zeros(_USUAL, np.uint8)
        self._seen = memoryview(self._view.data)
        self("")

    def __call__(self, view: str) -> tuple[list[int], int]:
        """(numbers of the patterns that could match a view, clues)."""
        data = view.encode("utf-8", "replace")
        told = _sift(data, 0, self._table, self._work, self._space(len(data)))
        return self._candidates(told >> 36), told & 15

    def read(self, text: str) -> tuple[str, list[int], int]:
        """(the light view of an ASCII `text`, numbers of the patterns that could match it, clues)."""
        data = text.encode()
        space = self._view if len(data) < _MOST else self._space(len(data))
        told = _sift(data, 1, self._table, self._work, space)
        end = (told >> 4 & 0xFFFFFFFF) - 1
        view = str(self._seen[1:end] if space is self._view else space.data[1:end], "ascii")
        return view, self._candidates(told >> 36) if told >> 36 else [], told & 15

    def _space(self, size: int) -> NDArray[np.uint8]:
        """Room for the view of a message of `size` bytes."""
        return self._view if size < _MOST else np.zeros(ROOM * size + 8, np.uint8)

    def _candidates(self, count: int) -> list[int]:
        return sorted(self._out[:count].tolist())


def _offsets(lengths: Any) -> list[int]:
    """Where each of several runs begins, and where the last ends."""
    return list(accumulate(lengths, initial=0))


def _trie(literals: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Of sorted `literals`: rows of 256 children by byte, the nodes, and the literal that ends at each node or -1.

    A node is `number << 11 | wide << 10 | last child << 9 | a literal ends here << 8 | label`, its number that of its first
    child (0: none), or of its row where it has many. The children of one node stand together, and after them those of
    their first: a walk mostly reads on where it is. The first row is that of the root.

    Raises:
        ValueError: more than a million nodes.
    """
    labels, parents, firsts, ends = _by_depth(literals or [" "])
    label, parent = np.concatenate(labels), np.concatenate(parents)
    made = len(label)
    if made > 1_000_000:
        raise ValueError(f"{made} nodes are more than a sieve holds; use fewer or shorter phrases")
    # Depth first, each node at the place of its parent: where a node goes, by its number by breadth.
    depth = np.repeat(np.arange(len(labels)), [*map(len, labels)])
    before = np.empty(made, np.int64)
    before[np.lexsort((depth, np.concatenate(firsts)))] = np.arange(made)
    order = np.concatenate([[0], 1 + np.lexsort((label[1:], before[parent[1:]]))])
    place = np.empty(made, np.int64)
    place[order] = np.arange(made)
    label, parent = label[order], place[parent[order]]
    last_child = np.append(parent[1:] != parent[:-1], True)
    nodes = label | last_child.astype(np.int64) << 9
    begins = np.flatnonzero(np.append(False, parent[1:] != parent[:-1]) | (np.arange(made) == 1))
    nodes[parent[begins]] |= begins << _CHILD
    many = np.flatnonzero(np.bincount(parent[1:], minlength=made) >= _MANY)
    many = np.concatenate([[0], many[many > 0]])
    row = np.full(made, -1, np.int64)
    row[many] = np.arange(len(many))
    nodes[many] = nodes[many] & (1 << _CHILD) - 1 | _WIDE | row[many] << _CHILD
    wide = np.zeros((len(many), 256), np.int64)
    below = np.flatnonzero(row[parent] >= 0)
    below = below[below > 0]
    wide[row[parent[below]], label[below]] = below
    accept = np.full(made, -1, np.int64)
    for node, literal in ends if literals else ():
        accept[place[node]] = literal
        nodes[place[node]] |= _ENDS
    return wide.ravel(), nodes, accept


def _by_depth(
    literals: list[str],
) -> tuple[Levels, Levels, Levels, list[tuple[NDArray[np.int64], NDArray[np.intp]]]]:
    """Nodes level by level: their labels, parents and first literals, and which literals end at which nodes."""
    encoded = np.array([literal.encode() for literal in literals])
    length = encoded.dtype.itemsize
    text = encoded.view(np.uint8).reshape(len(literals), length).astype(np.int64)
    sizes = np.array([len(literal.encode()) for literal in literals])
    current = np.zeros(len(literals), np.int64)
    labels, parents, firsts = [np.zeros(1, np.int64)], [np.zeros(1, np.int64)], [np.zeros(1, np.int64)]
    ends: list[tuple[NDArray[np.int64], NDArray[np.intp]]] = []
    made = 1
    for depth in range(length):
        rows = np.flatnonzero(sizes > depth)
        byte, parent = text[rows, depth], current[rows]
        new = np.ones(len(rows), bool)
        new[1:] = (byte[1:] != byte[:-1]) | (parent[1:] != parent[:-1])
        current[rows] = made - 1 + np.cumsum(new)
        labels.append(byte[new])
        parents.append(parent[new])
        firsts.append(rows[new])
        made += int(new.sum())
        last = rows[sizes[rows] == depth + 1]
        ends.append((current[last], last))
    return labels, parents, firsts, ends
