"""The kinds of columns that migrations are written with. What a revision says stays as it is, so these must as well."""

from typing import Any

from sqlalchemy import Boolean, Column, Double, text

from underwing.casebook.columns import Bytes, Number, Text


def number(name: str, nullable: bool = False, **more: Any) -> Column[Any]:
    """A column of whole numbers."""
    return Column(name, Number, nullable=nullable, **more)


def words(name: str, nullable: bool = False) -> Column[Any]:
    """A column of text."""
    return Column(name, Text, nullable=nullable)


def blob(name: str, nullable: bool = False) -> Column[Any]:
    """A column of bytes."""
    return Column(name, Bytes, nullable=nullable)


def flag(name: str, nullable: bool = False) -> Column[Any]:
    """A column of yes and no."""
    return Column(name, Boolean, nullable=nullable)


def real(name: str) -> Column[Any]:
    """A column of fractions."""
    return Column(name, Double, nullable=False)


def only(where: str, postgresql: str = "") -> dict[str, Any]:
    """An index over some of the rows."""
    return {"sqlite_where": text(where), "postgresql_where": text(postgresql or where)}
