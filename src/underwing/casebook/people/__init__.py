"""The people who work with the casebook: who they are, what each may do, what takes two of them.

`values` has the words, `access` is the table of roles and permissions (pure). May import: model.
"""

from underwing.casebook.people.access import GRANTS, Whose, may
from underwing.casebook.people.values import May, Member, Role

__all__ = ["GRANTS", "May", "Member", "Role", "Whose", "may"]
