"""The versions of the casebook's tables, each with the way up and the way down (Alembic), carried out from code.

A revision is a file of `versions/` named by its number; each follows the one before it. A migration is one transaction on
both databases: what is killed in the middle was never begun. May import: model.
"""

import threading
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from alembic.config import Config

from underwing.casebook.database import Database
from underwing.casebook.errors import CasebookError

HERE = Path(__file__).parent
REVISIONS = tuple(sorted(path.name[:4] for path in HERE.glob("versions/[0-9]*.py")))
HEAD = REVISIONS[-1]
TABLE = "casebook_revision"
"""Where the database keeps its version."""
_one = threading.Lock()
"""Alembic's environment is the process's."""
_TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
    "postgresql": "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()",
}


def revision(database: Database) -> str | None:
    """The version of the tables there; None where there are none.

    Raises:
        CasebookError: there are tables of something else.
    """
    tables = {row[0] for row in database.rows(text(_TABLES[database.kind]))}
    if TABLE in tables:
        found: str | None = database.value(text(f"SELECT version_num FROM {TABLE}"))
        return found
    if tables - {"sqlite_sequence"}:
        raise CasebookError(f"{database.name} holds tables of another program; give the casebook its own")
    return None


def prepare(database: Database, migrate: bool) -> None:
    """Make the tables of an empty database, and bring older ones up to date if `migrate` says so.

    Raises:
        CasebookError: they are newer than this program, or older and are to be left.
    """
    found = revision(database)
    if found == HEAD:
        return
    if found is not None and found not in REVISIONS:
        raise CasebookError(
            f"{database.name} has tables of revision {found[:40]!r}, this program knows {HEAD}"
        )
    if found is not None and not migrate:
        raise CasebookError(
            f"{database.name} has tables of revision {found}, this program needs {HEAD}; "
            "stop all services, make a backup and run: underwing casebook migrate"
        )
    upgrade(database)


def upgrade(database: Database, to: str = HEAD) -> None:
    """Bring the tables up to a revision, in one transaction.

    Raises:
        CasebookError: there is no such revision, or it is below.
    """
    _move(database, to, up=True)


def downgrade(database: Database, to: str) -> None:
    """Take the tables down to a revision, in one transaction; what only newer ones hold is lost. "base": all is lost.

    Raises:
        CasebookError: there is no such revision, or it is above.
    """
    _move(database, to, up=False)


def agree(database: Database) -> None:
    """See that the tables are those that the program declares.

    Raises:
        CasebookError: they differ.
    """
    from alembic import command
    from alembic.util import CommandError

    from underwing.casebook import tables

    with _one, database.snapshot(), database.connection() as connection:
        config = _config(connection)
        config.attributes["metadata"] = tables.METADATA
        try:
            command.check(config)
        except CommandError as error:
            raise CasebookError(f"{database.name}: {error}") from None


def _move(database: Database, to: str, up: bool) -> None:
    from alembic import command  # here: most commands need no migration, and this takes its time
    from alembic.util import CommandError

    with _one, database.transaction(), database.connection() as connection:
        try:
            (command.upgrade if up else command.downgrade)(_config(connection), to)
        except CommandError as error:
            raise CasebookError(f"{database.name}: {error}") from None


def _config(connection: object) -> "Config":
    from alembic.config import Config

    config = Config(stdout=StringIO())
    config.set_main_option("script_location", str(HERE).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
