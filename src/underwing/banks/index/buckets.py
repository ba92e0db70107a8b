"""Hashes in buckets by the values of their chunks: made once, then only read."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from underwing.banks.index.loops import GAVE_UP, any_near, chunk_keys, fill, look, scan
from underwing.banks.index.plan import Numbers, Plan, Words

MOST_ROWS: Final = 100_000_000
"""Hashes in one index; places in it are counted in 31 bits. More are shared out to several (`docs/scale.md`)."""
PATIENCE: Final = 1 << 18
"""Once a query has more hits than it may give, it ends after so many comparisons: about four milliseconds."""

Bits32 = NDArray[np.uint32]
Flags = NDArray[np.bool_]


class Buckets:
    """The hashes of one bank or many, by the values of their chunks.

    `numbers` (n, ascending) names the `rows` (n × 4 words, bits in the order of the plan). For each chunk, `words` has a
    bit for every possible value, set where some row has it. `ranks` (one a word) says how many set bits stand before the
    word, and so where in `entries` that of a set bit stands: a row, or a place in `many`, where the number of rows and
    then they stand.
    """

    def __init__(
        self,
        plan: Plan,
        numbers: Numbers,
        rows: Words,
        words: Words,
        ranks: Bits32,
        entries: Bits32,
        many: Bits32,
    ) -> None:
        self.plan, self.numbers, self.rows = plan, numbers, rows
        self.words, self.ranks, self.entries, self.many = words, ranks, entries, many
        self._tables = (plan.starts, plan.width, plan.words_at, plan.flips, plan.flips_at, plan.balls)
        self._buckets = (words, ranks, entries, many)
        # Compiles what answers queries before the first one comes.
        alive = np.zeros(len(rows), np.bool_)
        self.near(rows[:1], plan.most, alive, np.empty(1, np.int64), must_look=True)
        self.any_near(rows[:1], 0, alive, must_look=True)

    @classmethod
    def of(cls, plan: Plan, numbers: Numbers, rows: Words) -> "Buckets":
        """Buckets of one or more rows; `numbers` ascending, each once. About 0.25 s a million rows.

        Raises:
            ValueError: more than `MOST_ROWS`.
        """
        size, chunks = len(rows), len(plan.widths)
        if size > MOST_ROWS:
            raise ValueError(f"{size} hashes are more than the {MOST_ROWS} of one index; use several")
        words = np.zeros(plan.words_at[-1], np.uint64)
        ranks = np.zeros(plan.words_at[-1], np.uint32)
        # Room for the worst case; what is not used is never touched, and so takes no memory.
        entries = np.empty(chunks * size, np.uint32)
        many = np.empty(chunks * (size + size // 2), np.uint32)
        keys = np.empty(size, np.uint64)
        made = used = 0
        for chunk in range(chunks):
            part = slice(plan.words_at[chunk], plan.words_at[chunk + 1])
            chunk_keys(rows, plan.starts[chunk], plan.width[chunk], keys)
            keys.sort()
            new, used = fill(keys, words[part], ranks[part], made, entries[made:], many, used)
            made += new
        return cls(plan, numbers, rows, words, ranks, entries[:made], many[:used])

    @property
    def nbytes(self) -> int:
        """Bytes of memory, mapped or not."""
        return sum(part.nbytes for part in (self.numbers, self.rows, *self._buckets))

    def near(self, query: Words, distance: int, dead: Flags, found: Numbers, must_look: bool = False) -> int:
        """Put `distance << 32 | row` of the nearest rows within `distance` of `query` (1 × 4 words) into `found`, ascending.

        Returns how many there are, which may be more than `found` holds. Rows that are `dead` are passed over.
        """
        if distance <= self.plan.most:
            radii, words, values = self.plan.radii(distance)
            if len(self.rows) > words or must_look:
                hits: int = look(
                    query, distance, radii, words, values, self._tables,
                    self.rows, dead, self._buckets, found, 0, PATIENCE,
                )  # fmt: skip
                if hits != GAVE_UP:
                    return hits
        return int(scan(query, distance, self.rows, dead, len(self.rows), 0, found, 0))

    def any_near(self, queries: Words, distance: int, dead: Flags, must_look: bool = False) -> bool:
        """Whether a row that is not `dead` lies within `distance` of one of the queries (n × 4 words)."""
        if distance <= self.plan.most:
            radii, words, values = self.plan.radii(distance)
            if len(self.rows) > words or must_look:
                return bool(
                    any_near(
                        queries, distance, radii, words, values, self._tables,
                        self.rows, dead, self._buckets, PATIENCE,
                    )
                )  # fmt: skip
        found = np.empty(1, np.int64)
        return any(
            scan(queries[at : at + 1], distance, self.rows, dead, len(self.rows), 0, found, 0)
            for at in range(len(queries))
        )
