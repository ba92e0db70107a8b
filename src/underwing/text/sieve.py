"""Which patterns could match a view: one pass over the search literals of all packs, in machine code.

Every pattern is a conjunction of elements, each a set of search literals of which one has to stand in the view. The
literals of all patterns make one trie, walked from every character of a view; where the rarest element of a pattern
stands, the pattern's other elements are asked for, and then whether they can stand in its order. The work is linear in
the view: at most the longest literal for each character, and each literal, element and pattern is looked at once.
`numba` compiles the loop when it is first used and keeps it beside this file (or in the user's cache directory);
`docs/decisions/0002-scanning.md` has the measurement. Most of its cost are cache misses, so what is read together
stands together.
"""

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from underwing.text.patterns import EDGE
from underwing.text.rarity import rarity_of_any

MIN_AGE, MAX_AGE = 5, 99
"""Numbers outside this range are never taken for an age, in years."""

# The first numbers of the table say where its parts begin, and then those of the scratch memory.
_NODES, _ACCEPT, _ROWS_OF, _ROWS, _NEEDS_OF, _NEEDS, _ORDER, _MEMBERS_OF, _MEMBERS = range(9)
_LITERAL, _ELEMENT, _HITS, _TAKEN, _OUT = range(9, 14)
_ROOT: Final = 14
_WORD: Final = _ROOT + 256
"""The nodes below the root, and those below the space: no literal is a space alone."""
_SEEN, _FIRST, _LAST = 0, 1, 2
"""Of a literal or an element, four numbers a piece: when it was last seen, where first and where last in the view."""
_NEVER: Final = 2**29
"""After so many views the scratch memory is wiped, so that its 32 bits do not overflow."""
_SPACE, _A, _Z, _0, _1, _5, _9 = (ord(c) for c in " az0159")

Conjunction = tuple[frozenset[str], ...]
"""What must stand in a view for a pattern: of each set one literal, each beginning after the one before."""


def _compiled(function: Callable[..., int]) -> Callable[..., int]:
    """`function` in machine code, kept on disk where a directory can be written."""
    try:
        made: Callable[..., int] = njit(cache=True)(function)
    except RuntimeError:
        made = njit(function)
    return made


def _sift(view: bytes, table: Any, work: Any) -> int:
    """Write the patterns that could match `view` to `work`; returns their number << 3 | hint << 1 | numbered."""
    literals, elements, hits = table[_LITERAL], table[_ELEMENT], table[_HITS]
    taken, out = table[_TAKEN], table[_OUT]
    nodes, accept = table[_NODES], table[_ACCEPT]
    now = work[0] + 1
    if now > _NEVER:
        work[:] = 0
        now = 1
    work[0] = now
    size = len(view)
    found = hint = numbered = run = 0
    last = -9
    for start in range(size):
        char = view[start]
        if _A <= char <= _Z:
            if start + 2 < size and view[start + 1] == char and view[start + 2] == char and hint == 0:
                hint = 1
        elif char == _SPACE and start + 2 < size:
            first, second = view[start + 1], view[start + 2]
            if _A <= first <= _Z and second == _SPACE:
                run = run + 1 if start == last + 2 else 1
                last = start
                if run == 3:
                    hint = 2
            elif (_5 <= first <= _9 and second == _SPACE) or (
                _1 <= first <= _9 and _0 <= second <= _9 and start + 3 < size and view[start + 3] == _SPACE
            ):
                numbered = 1
        if char == _SPACE and start + 1 < size:
            node = table[_WORD + view[start + 1]]
            at = start + 2
        else:
            node = table[_ROOT + char]
            at = start + 1
        while node > 0:
            packed = table[nodes + node]
            if packed & 256:
                told = table[accept + node]
                literal = literals + (told >> 1) * 4
                if work[literal + _SEEN] != now:
                    work[literal + _SEEN] = now
                    work[literal + _FIRST] = start
                    if told & 1:
                        work[hits + found] = told >> 1
                        found += 1
                work[literal + _LAST] = start
            if at >= size:
                break
            char = view[at]
            child = packed >> 10
            node = 0
            while child > 0:
                packed = table[nodes + child]
                if packed & 255 >= char:
                    if packed & 255 == char:
                        node = child
                    break
                child = child + 1 if packed & 512 == 0 else 0
            at += 1
    count = 0
    for hit in range(found):
        rows = table[_ROWS_OF] + work[hits + hit]
        for row in range(table[rows], table[rows + 1]):
            pattern = table[table[_ROWS] + row]
            if work[taken + pattern] == now:
                continue
            work[taken + pattern] = now
            begin, end = table[table[_NEEDS_OF] + pattern], table[table[_NEEDS_OF] + pattern + 1]
            stands = True
            for place in range(begin, end):
                number = table[table[_NEEDS] + place]
                element = elements + number * 4
                answer = work[element + _SEEN]
                if answer >> 1 != now:
                    answer = now << 1
                    members = table[_MEMBERS_OF] + number
                    for member in range(table[members], table[members + 1]):
                        literal = literals + table[table[_MEMBERS] + member] * 4
                        if work[literal + _SEEN] == now:
                            if answer & 1 == 0 or work[literal + _FIRST] < work[element + _FIRST]:
                                work[element + _FIRST] = work[literal + _FIRST]
                            if answer & 1 == 0 or work[literal + _LAST] > work[element + _LAST]:
                                work[element + _LAST] = work[literal + _LAST]
                            answer |= 1
                    work[element + _SEEN] = answer
                if answer & 1 == 0:
                    stands = False
                    break
            after = -1
            for place in range(begin, end if stands else begin):
                element = elements + table[table[_ORDER] + place] * 4
                after = max(after + 1, work[element + _FIRST])
                if after > work[element + _LAST]:
                    stands = False
                    break
            if stands:
                work[out + count] = pattern
                count += 1
    return count << 3 | hint << 1 | numbered


_run = _compiled(_sift)


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
        root, nodes, accept = _trie(literals)
        parts: list[Any] = [
            nodes,
            np.where(accept < 0, 0, accept << 1 | np.array([*map(bool, anchored), False])[accept]),
            _offsets(map(len, anchored)),
            [pattern for of_literal in anchored for pattern in of_literal],
            _offsets(map(len, needs)),
            [element for of_pattern in needs for element in of_pattern],
            [element for of_pattern in order for element in of_pattern],
            _offsets(map(len, elements)),
            [number[literal] for element in elements for literal in sorted(element)],
        ]
        sizes = (len(literals) * 4, len(elements) * 4, len(literals), len(patterns), len(patterns))
        *scratch, size = accumulate(sizes, initial=4)
        head = _WORD + 256
        table = np.concatenate([np.zeros(head, np.int64), *(np.asarray(part, np.int64) for part in parts)])
        table[: len(parts)] = list(accumulate(map(len, parts[:-1]), initial=head))
        table[_LITERAL : _OUT + 1] = scratch
        table[_ROOT:head] = root.ravel()
        self._table: NDArray[np.int32] = table.astype(np.int32)
        self._work = np.zeros(size, np.int32)
        self._out = self._work[scratch[-1] :]
        self("")

    def __call__(self, view: str) -> tuple[list[int], int, bool]:
        """(numbers of the patterns that could match, what hints at hiding, whether there is a number that could be an age).

        The hint is 2 for three lone letters in a row, 1 for a tripled letter, 0 for neither.
        """
        told = _run(f"{EDGE}{view}{EDGE}".encode("utf-8", "replace"), self._table, self._work)
        if told < 8:
            return [], told >> 1, bool(told & 1)
        return sorted(self._out[: told >> 3].tolist()), told >> 1 & 3, bool(told & 1)


def _offsets(lengths: Any) -> list[int]:
    """Where each of several runs begins, and where the last ends."""
    return list(accumulate(lengths, initial=0))


def _trie(literals: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Of sorted `literals`: the children by byte of the root and of the space below it, the nodes, and the literal that ends
    at each node or -1.

    A node is `first child or 0 << 10 | whether it is the last child << 9 | whether a literal ends here << 8 | label`. The
    children of one node stand together, and after them those of their first: a walk mostly reads on where it is.

    Raises:
        ValueError: more than two million nodes.
    """
    if not literals:
        return np.zeros((2, 256), np.int64), np.zeros(1, np.int64), np.full(1, -1)
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
    if made > 2_000_000:
        raise ValueError(f"{made} nodes are more than a sieve holds; use fewer or shorter phrases")
    label, parent = np.concatenate(labels), np.concatenate(parents)
    level_of = np.repeat(np.arange(len(labels)), [*map(len, labels)])
    # Depth first, each node at the place of its parent: where a node goes, by its number by breadth.
    before = np.empty(made, np.int64)
    before[np.lexsort((level_of, np.concatenate(firsts)))] = np.arange(made)
    order = np.concatenate([[0], 1 + np.lexsort((label[1:], before[parent[1:]]))])
    place = np.empty(made, np.int64)
    place[order] = np.arange(made)
    label, parent = label[order], place[parent[order]]
    last_child = np.append(parent[1:] != parent[:-1], True)
    nodes = label | last_child.astype(np.int64) << 9
    begins = np.flatnonzero(np.append(False, parent[1:] != parent[:-1]) | (np.arange(made) == 1))
    nodes[parent[begins]] |= begins << 10
    accept = np.full(made, -1, np.int64)
    for node, literal in ends:
        accept[place[node]] = literal
        nodes[place[node]] |= 256
    root = np.zeros((2, 256), np.int64)
    below = np.flatnonzero(parent[1:] == 0) + 1
    root[0, label[below]] = below
    if root[0, _SPACE]:
        below = np.flatnonzero(parent[1:] == root[0, _SPACE]) + 1
        root[1, label[below]] = below
    return root, nodes, accept
