"""What all parts of `Rows` share: the database."""

from contextlib import AbstractContextManager

from underwing.casebook.database import Database


class Base:
    """Statements on one database. Safe for several threads, each in its own transaction."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing; inside a running transaction, a part of that one."""
        return self.database.transaction()
