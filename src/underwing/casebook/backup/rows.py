"""The casebook's tables as plain values, out of one database and into another, of the same kind or not.

What the tables are is asked of the database itself, so that every part of the casebook is in the backup. Rows stand in the
order of foreign keys. A piece is MessagePack: `{"columns": [names], "rows": [[values]]}`.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import (
    Boolean,
    Float,
    LargeBinary,
    MetaData,
    String,
    TableClause,
    column,
    insert,
    select,
    table,
    text,
)
from sqlalchemy import Table as _Table
from sqlalchemy.types import TypeEngine

from underwing.casebook.columns import Bytes, Number, Text
from underwing.casebook.database import Database
from underwing.casebook.migrations import TABLE

_ROWS, _BYTES = 1_000, 4 << 20
_KINDS: tuple[tuple[type[TypeEngine[Any]], Any], ...] = (
    (Boolean, Boolean()), (Float, Float()), (LargeBinary, Bytes()), (String, Text()),
)  # fmt: skip


class Piece(msgspec.Struct, frozen=True):
    """Some rows of a table."""

    columns: list[str]
    rows: list[list[Any]]


_encode, _decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(Piece).decode


def tables_of(database: Database) -> list[_Table]:
    """The tables there, each behind those it refers to."""
    found = MetaData()
    with database.connection() as connection:
        found.reflect(connection)
    return [one for one in found.sorted_tables if one.name != TABLE]


def dump(database: Database) -> Iterator[tuple[str, bytes, int]]:
    """(table, piece, its rows) of all there is. Call it within a snapshot."""
    for known in tables_of(database):
        plain = plain_of(known)
        names = [str(one.name) for one in plain.columns]
        with database.connection() as connection:
            result = connection.execute(select(plain).execution_options(yield_per=200))
            held: list[list[Any]] = []
            size = 0
            for row in result:
                held.append(list(row))
                size += sum(len(value) for value in row if isinstance(value, bytes | str))
                if len(held) >= _ROWS or size >= _BYTES:
                    yield known.name, _encode(Piece(names, held)), len(held)
                    held, size = [], 0
            if held:
                yield known.name, _encode(Piece(names, held)), len(held)


class Loader:
    """Writes pieces into the tables of a database. Call it within a transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tables = {known.name: plain_of(known) for known in tables_of(database)}
        self.counts = dict.fromkeys(self._tables, 0)

    def load(self, name: str, piece: bytes) -> None:
        """Write one piece.

        Raises:
            ValueError: not a piece, or not of these tables.
        """
        if name not in self._tables:
            raise ValueError(f"there is no table {name!r}")
        given = _decode(piece)
        into = insert(self._tables[name])
        self._database.run(into, [dict(zip(given.columns, row, strict=True)) for row in given.rows])
        self.counts[name] += len(given.rows)

    def finish(self) -> None:
        """Let PostgreSQL number new rows behind those that were written."""
        if self._database.kind == "sqlite":
            return
        for known in tables_of(self._database):
            for key in known.primary_key:
                sequence = self._database.value(
                    text("SELECT pg_get_serial_sequence(:name, :key)"), {"name": known.name, "key": key.name}
                )
                if sequence:
                    self._database.run(
                        text(f'SELECT setval(:sequence, max("{key.name}")) FROM "{known.name}"'),
                        {"sequence": sequence},
                    )


def plain_of(known: _Table) -> TableClause:
    """The table with columns of the casebook's own types."""
    return table(known.name, *(column(one.name, _kind(one.type)) for one in known.columns))


def _kind(type: TypeEngine[Any]) -> Any:
    return next((ours for theirs, ours in _KINDS if isinstance(type, theirs)), Number)
