"""What the casebook refuses, in the reader's language: its errors name their reason by a key of the catalogue."""

from underwing.casebook.errors import CasebookError
from underwing.casebook.people import PeopleError
from underwing.server.console.visit import Visit
from underwing.server.console.words import known, say


def reason_of(visit: Visit, error: CasebookError) -> str:
    """Why something cannot be done. Only what whoever runs the service has to mend at the start has no words of its own."""
    key = f"people.error.{error.key}" if isinstance(error, PeopleError) else f"refused.{error.key}"
    if not (error.key and (known(key) or known(f"{key}.other"))):
        return str(error)
    values = dict(error.values)
    if "who" in values:
        names = visit.site.desk.names()
        values["who"] = names.get(str(values["who"]), values["who"])
    return say(visit.language, key, **values)
