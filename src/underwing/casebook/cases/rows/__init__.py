"""All SQL of the cases, and nothing but SQL: one method for each statement. The rules are elsewhere, the tables in `tables`.

Callers open a transaction around what belongs together. `heads` has the cases themselves, `items` their events, `sums` what
sums these up, `past` what was done to cases and what is still to do. May import: model.
"""

from underwing.casebook.cases.rows.heads import Heads
from underwing.casebook.cases.rows.items import Items
from underwing.casebook.cases.rows.past import Past
from underwing.casebook.cases.rows.sums import Sums

__all__ = ["Rows"]


class Rows(Heads, Items, Sums, Past):
    """The tables of the cases in one database."""

    def rebuild(self, case: int, live: bool) -> int:
        """Make ties, people and edges of a case again from its items; how many items it has."""
        self.clear(case)
        count = 0
        for item in self.all_items(case):
            self.sum_up(case, item.found, live)
            count += 1
        return count
