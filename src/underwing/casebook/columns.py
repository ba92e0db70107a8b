"""What the casebook's tables are made of: one `METADATA`, and types that mean the same on SQLite and on PostgreSQL."""

from typing import Any

from sqlalchemy import BigInteger, Dialect, Integer, LargeBinary, MetaData
from sqlalchemy import Text as _Text
from sqlalchemy.types import TypeDecorator

METADATA = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "ck": "%(table_name)s_%(constraint_name)s",
    }
)
Number = BigInteger().with_variant(Integer, "sqlite")
"""A whole number of up to 64 bits. As a primary key SQLite makes it the row's own number."""
_ESCAPE = "\U0010fffe"
_NUL, _SELF = _ESCAPE + "0", _ESCAPE + "1"


class Text(TypeDecorator[str]):
    """Text that compares by its code points, whatever the server's locale.

    PostgreSQL takes no NUL in text, and a platform's ids may hold one: there it is written as U+10FFFE and "0". U+10FFFE,
    which is no character, is written as itself and "1".
    """

    impl = _Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """The type in the database: PostgreSQL's with the collation "C"."""
        return dialect.type_descriptor(_Text(collation="C") if dialect.name == "postgresql" else _Text())

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """What is written for a text."""
        if value is None or dialect.name != "postgresql" or ("\0" not in value and _ESCAPE not in value):
            return value
        return value.replace(_ESCAPE, _SELF).replace("\0", _NUL)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """The text that was written."""
        if value is None or dialect.name != "postgresql" or _ESCAPE not in value:
            return value
        return value.replace(_NUL, "\0").replace(_SELF, _ESCAPE)


class Bytes(LargeBinary):
    """Bytes exactly as they lie there; both drivers give them so."""

    def bind_processor(self, dialect: Dialect) -> None:
        """Nothing to do."""

    def result_processor(self, dialect: Dialect, coltype: object) -> None:
        """Nothing to do: what is damaged is not made into other bytes."""
