"""Cases: what belongs together, who is in it, what comes first, who is woken, what was done, what follows for the
engine.

`values` has the words, `findings` and `triage` and `paging` are pure, `rows/` holds all SQL, `gather` and `acts`
change cases, `book` puts them behind one door. May import: model.
"""

from underwing.casebook.cases.book import Casebook
from underwing.casebook.cases.feedback import Label, Negative
from underwing.casebook.cases.findings import findings
from underwing.casebook.cases.gather import SYSTEM, Gathered
from underwing.casebook.cases.network import Network, Node
from underwing.casebook.cases.pager import Pager
from underwing.casebook.cases.paging import Alarm, Notice, Plan
from underwing.casebook.cases.senders import Email, Mail, SendError, Webhook
from underwing.casebook.cases.triage import due_of, priority_of
from underwing.casebook.cases.values import (
    OUTCOMES,
    Act,
    Because,
    Case,
    CaseError,
    Edge,
    Findings,
    Flag,
    Item,
    Marks,
    Outcome,
    Person,
    Priority,
    Relation,
    Stale,
    Taken,
    Tie,
)

__all__ = [
    "OUTCOMES",
    "SYSTEM",
    "Act",
    "Alarm",
    "Because",
    "Case",
    "CaseError",
    "Casebook",
    "Edge",
    "Email",
    "Findings",
    "Flag",
    "Gathered",
    "Item",
    "Label",
    "Mail",
    "Marks",
    "Negative",
    "Network",
    "Node",
    "Notice",
    "Outcome",
    "Pager",
    "Person",
    "Plan",
    "Priority",
    "Relation",
    "SendError",
    "Stale",
    "Taken",
    "Tie",
    "Webhook",
    "due_of",
    "findings",
    "priority_of",
]
