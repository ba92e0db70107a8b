"""Every act of a person leaves a custody record, in the transaction of the act where both lie in the casebook's database."""

from underwing.casebook.custody import Custody, Kind, Record

NOBODY = "nobody"
"""Who a record names when it is not known who it was."""
_MOST = 200


def note(
    custody: Custody, kind: Kind, by: str, what: str, about: str = "", **facts: int | str | bool
) -> Record:
    """Append a record: `by` (a member's id) did `what`, about `case:7`, `member:p12…`, `policy` or nothing. The record.

    Raises:
        CasebookError: the record cannot be written.
    """
    case = about.removeprefix("case:") if about.startswith("case:") else ""
    told = {"about": about[:_MOST]} if about and not case else {}
    return custody.append(kind, by, case=case, facts={"what": what, **told, **facts})
