"""Another key-encryption key for everything that one wraps: cases of the vault, sealed context, second factors of people."""

from underwing.casebook.context import Sealed
from underwing.casebook.context.tables import keys as tags
from underwing.casebook.context.tables import seals
from underwing.casebook.keys import Keys
from underwing.casebook.people import People
from underwing.casebook.people.tables import MEMBERS
from underwing.casebook.vault import Home
from underwing.casebook.vault.tables import case_keys


def rewrap(home: Home, new: Keys, *, by: str, reason: str) -> int:
    """Wrap every key by `new` from now on, in one transaction; how many there were. No object and no line is touched.

    Other processes, such as the service, go on with the old key until they are started again: stop them first.

    Raises:
        CasebookError: it is the same key, or one that the key at hand does not open; nothing is changed then.
    """
    with home.database.transaction():
        count = home.vault.rewrap(new, by=by, reason=reason)
        count += Sealed(home.database, home.keys).rewrap(new)
        count += People(home.database, home.custody, home.keys).rewrap(new)
    home.keys = new
    home.database.forget(case_keys, tags, seals, MEMBERS)
    return count
