"""The people who work with the casebook: who they are, how they sign in, what each may do, what takes two of them.

`values` has the words, `access` is the table of roles and permissions (pure). `people` is the whole as one object, built
from `entrance` (signing in and out) and `own` (one's own account); `phrases`, `hashing`, `totp`, `throttle`, `sessions`
and `members` are its parts. `second` holds what waits for a second person, by the rules of `second.toml`.
May import: model.
"""

from underwing.casebook.people.access import GRANTS, Whose, may
from underwing.casebook.people.entrance import Identity
from underwing.casebook.people.own import Enrolment
from underwing.casebook.people.people import People
from underwing.casebook.people.rules import Rules, load_rules
from underwing.casebook.people.second import Request, Second, SecondError
from underwing.casebook.people.sessions import Span
from underwing.casebook.people.values import (
    ROLES,
    May,
    Member,
    PeopleError,
    Refused,
    Role,
    Session,
    Standing,
)

__all__ = [
    "GRANTS",
    "ROLES",
    "Enrolment",
    "Identity",
    "May",
    "Member",
    "People",
    "PeopleError",
    "Refused",
    "Request",
    "Role",
    "Rules",
    "Second",
    "SecondError",
    "Session",
    "Span",
    "Standing",
    "Whose",
    "load_rules",
    "may",
]
