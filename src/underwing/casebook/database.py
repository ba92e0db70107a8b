"""The casebook's database: SQLite in a file, or PostgreSQL. One door for all parts, so that an act and its record are one
transaction.

Both behave the same: one writer at a time (SQLite's own lock; on PostgreSQL an advisory lock that lasts as long as the
transaction), so that every rule that reads before it writes holds on both, and the custody log stays one chain. Readers wait
for nobody.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import (
    URL,
    Connection,
    CursorResult,
    Engine,
    Executable,
    Table,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy import Row as _Row
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from underwing.casebook.columns import METADATA
from underwing.casebook.errors import CasebookError

__all__ = ["APPLICATION_ID", "METADATA", "CasebookError", "Database", "Row"]

APPLICATION_ID = 0x556E6462
"""Marks a SQLite file as a casebook ("Undb")."""
FORMER_IDS = (0x556E6443, 0x556E6463)
"""Marks of the files of cases and of evidence from before they were one database."""
WRITER = 0x556E6462
"""The advisory lock of whoever writes, in PostgreSQL."""
Row = _Row[*tuple[Any, ...]]
"""A row of a result: a tuple whose values have the columns' names as well."""
Values = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None
_WAIT = 30
"""Seconds that a writer waits for another process."""


class Database:
    """The casebook in a file, in memory (`:memory:`) or at `postgresql://user:password@host/name`.

    What was committed outlives a loss of power, unless `durability` is "normal": then the last commits may be missing, but
    never half of one. An empty database gets its tables; an older one is brought up to date if it is a file, or if `migrate`
    says so; with `prepared` False the tables are left as they are. Safe for several threads and several processes. SQLite
    overwrites what is deleted (`secure_delete`), which the
    destruction of keys needs.

    Raises:
        CasebookError: it cannot be opened, is another program's, or has tables of another version; later, that it is
            damaged, full or away. No error shows a password or a value.
    """

    def __init__(
        self,
        where: Path | str,
        *,
        durability: Literal["full", "normal"] = "full",
        migrate: bool | None = None,
        prepared: bool = True,
    ) -> None:
        from underwing.casebook import migrations

        self._url = _url(where)
        self.kind: Literal["sqlite", "postgresql"] = (
            "sqlite" if self._url.get_backend_name() == "sqlite" else "postgresql"
        )
        self.name = self._url.render_as_string() if self.kind == "postgresql" else str(where)
        self._mine = threading.local()
        self._writing = threading.RLock()
        self._memory = self.kind == "sqlite" and str(where) == ":memory:"
        self._engine = self._made(durability)
        try:
            if self.kind == "sqlite":
                self._mark()
            if prepared:
                migrations.prepare(self, self.kind == "sqlite" if migrate is None else migrate)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close all connections; the data stays."""
        self._engine.dispose()

    # -- transactions -----------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, and no other writer meanwhile. Within another transaction of this thread it joins that one."""
        if self._held() is not None:
            if self._mine.reading:
                raise RuntimeError("a snapshot only reads")
            yield
            return
        with self._writing, self._opened() as connection:
            with self._errors():
                if self.kind == "sqlite":
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                else:
                    connection.exec_driver_sql("BEGIN")
                    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER})")
            later: list[Callable[[], object]] = []
            self._mine.later = later
            with self._holding(connection, reading=False):
                yield
        for work in later:
            work()

    def after(self, work: Callable[[], object]) -> None:
        """Do something once the transaction that runs in this thread is committed, or now if none runs; not at all when it
        is taken back. For what cannot be taken back itself."""
        if self._held() is None or self._mine.reading:
            work()
        else:
            self._mine.later.append(work)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything that is read within is of one moment. Within a transaction it joins that one."""
        if self._held() is not None:
            yield
            return
        with self._writing if self._memory else nullcontext(), self._opened() as connection:
            with self._errors():
                connection.exec_driver_sql(
                    "BEGIN" if self.kind == "sqlite" else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
                )
            with self._holding(connection, reading=True):
                yield

    @contextmanager
    def _holding(self, connection: Connection, reading: bool) -> Iterator[None]:
        self._mine.connection, self._mine.reading = connection, reading
        try:
            yield
        except BaseException:
            self._mine.connection = None
            self._roll_back(connection)
            raise
        self._mine.connection = None
        try:
            with self._errors():
                connection.exec_driver_sql("COMMIT")
        except BaseException:
            self._roll_back(connection)
            raise

    def _roll_back(self, connection: Connection) -> None:
        """Undo; a connection that cannot is thrown away, which undoes as well."""
        try:
            connection.exec_driver_sql("ROLLBACK")
        except SQLAlchemyError:
            connection.invalidate()

    # -- statements -------------------------------------------------------------------------------------

    def run(self, statement: Executable, values: Values = None) -> int:
        """Carry out a statement, for each of `values` if there are several; the number of rows it changed."""
        with self._done(statement, values) as result:
            return result.rowcount

    def rows(self, statement: Executable, values: Values = None) -> list[Row]:
        """All rows of a query that gives few."""
        with self._done(statement, values) as result:
            return list(result.fetchall())

    def row(self, statement: Executable, values: Values = None) -> Row | None:
        """The first row of a query."""
        with self._done(statement, values) as result:
            return result.first()

    def value(self, statement: Executable, values: Values = None) -> Any:
        """The first column of the first row, or None."""
        found = self.row(statement, values)
        return found[0] if found is not None else None

    def upsert(self, table: Table) -> Any:
        """The dialect's insert, with `on_conflict_do_nothing` and `on_conflict_do_update`."""
        return sqlite.insert(table) if self.kind == "sqlite" else postgresql.insert(table)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """The connection of this thread's transaction, or one of its own that commits each statement."""
        held = self._held()
        if held is not None:
            yield held
            return
        with self._writing if self._memory else nullcontext(), self._opened() as connection:
            yield connection

    def forget(self, *tables: Table) -> None:
        """See that what was deleted or overwritten in some tables is gone from the files, as far as that can be done from
        here; within a transaction, once it is committed.

        SQLite's write-ahead log is emptied. PostgreSQL vacuums; its own log and what was archived of it keep the old rows
        for as long as they are kept.
        """
        names = ", ".join(table.name for table in tables)
        done = "PRAGMA wal_checkpoint(TRUNCATE)" if self.kind == "sqlite" else f"VACUUM {names}"
        self.after(lambda: self.run(text(done)))

    @contextmanager
    def _done(self, statement: Executable, values: Values) -> Iterator[CursorResult[*tuple[Any, ...]]]:
        with self.connection() as connection, self._errors():
            result: CursorResult[*tuple[Any, ...]] = connection.execute(statement, values)
            yield result
            result.close()

    # -- connections and errors ---------------------------------------------------------------------------

    def _held(self) -> Connection | None:
        held: Connection | None = getattr(self._mine, "connection", None)
        return held

    @contextmanager
    def _opened(self) -> Iterator[Connection]:
        with self._errors():
            connection = self._engine.connect()
        try:
            yield connection
        finally:
            with self._errors():
                connection.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Errors of the driver in one line, without the statement and its values."""
        try:
            yield
        except DBAPIError as error:
            raise CasebookError(f"{self.name}: {_said(error)}", "database") from None
        except SQLAlchemyError as error:
            raise CasebookError(
                f"{self.name}: {type(error).__name__}: {_line(str(error))}", "database"
            ) from None
        except (UnicodeError, OverflowError) as error:
            raise CasebookError(
                f"{self.name}: a value that cannot be written or read: {error}", "database"
            ) from None

    def _made(self, durability: str) -> Engine:
        if self.kind == "postgresql":
            commit = "on" if durability == "full" else "off"
            return create_engine(
                self._url, isolation_level="AUTOCOMMIT", pool_pre_ping=True, hide_parameters=True, max_overflow=12,
                execution_options={"preserve_rowcount": True},
                connect_args={"connect_timeout": 10, "application_name": "underwing",
                              "options": f"-c synchronous_commit={commit} -c client_min_messages=warning"},
            )  # fmt: skip
        pool: dict[str, Any] = (
            {"poolclass": StaticPool} if self._memory else {"pool_size": 4, "max_overflow": 60}
        )
        made = create_engine(
            self._url, isolation_level="AUTOCOMMIT", hide_parameters=True,
            connect_args={"timeout": _WAIT, "check_same_thread": False}, **pool,
        )  # fmt: skip
        synchronous = "FULL" if durability == "full" else "NORMAL"

        @event.listens_for(made, "connect")
        def prepare(connection: Any, _: object) -> None:
            for pragma in ("journal_mode = WAL", f"synchronous = {synchronous}", "secure_delete = ON",
                           "foreign_keys = ON", "mmap_size = 1073741824"):  # fmt: skip
                connection.execute(f"PRAGMA {pragma}")

        return made

    def _mark(self) -> None:
        """See that a SQLite file is a casebook, or make an empty one so.

        Raises:
            CasebookError: it is something else.
        """
        try:
            marked = self.value(text("PRAGMA application_id"))
            if marked in FORMER_IDS:
                raise CasebookError(
                    f"{self.name} is from before cases and evidence were one database, and cannot be read any more; "
                    "choose another path"
                )
            if marked != APPLICATION_ID:
                with self.transaction():
                    if self.value(text("SELECT count(*) FROM sqlite_master")):
                        raise CasebookError(
                            f"{self.name} is a SQLite file of another program; choose another path"
                        )
                    self.run(text(f"PRAGMA application_id = {APPLICATION_ID}"))
        except CasebookError as error:
            if str(error).startswith(f"{self.name} is "):
                raise
            raise CasebookError(f"{self.name} cannot be opened: {str(error).partition(': ')[2]}") from None


def _url(where: Path | str) -> URL:
    named = str(where)
    if "://" not in named:
        return URL.create("sqlite", database=named)
    try:
        url = make_url(named)
    except (ArgumentError, ValueError):
        raise CasebookError(
            "the casebook's address is not understood: give a path or postgresql://…"
        ) from None
    if url.drivername not in ("postgres", "postgresql", "postgresql+psycopg"):
        raise CasebookError(f"the casebook can be a file or in PostgreSQL, not in {url.drivername}")
    return url.set(drivername="postgresql+psycopg")


def _said(error: DBAPIError) -> str:
    """What the driver said, in its first line: the others may quote values."""
    diag = getattr(error.orig, "diag", None)
    return _line(getattr(diag, "message_primary", None) or str(error.orig))


def _line(said: str) -> str:
    return (said.strip().splitlines() or ["no reason given"])[0][:300]
