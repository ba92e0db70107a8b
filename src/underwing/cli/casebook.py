"""What the commands about cases and evidence share: the casebook's address, the vault's directory, who acts."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from underwing.casebook.database import CasebookError, Database
from underwing.casebook.vault import Home
from underwing.casebook.vault.place import vault_beside
from underwing.cli.common import plain_errors, stop

Where = Annotated[
    str,
    typer.Option(
        "--casebook", envvar="UNDERWING_CASEBOOK", help="The casebook: a SQLite file, or postgresql://…"
    ),
]
Directory = Annotated[
    str,
    typer.Option(
        "--vault", envvar="UNDERWING_VAULT", help="The vault's directory (default: beside the casebook)."
    ),
]
By = Annotated[str, typer.Option("--by", help="Your name, as the custody log will keep it.")]
Reason = Annotated[
    str, typer.Option("--reason", help="Why; kept in the custody log. Never put content here.")
]
DEFAULT = "underwing.casebook.db"


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what the casebook refuses into one line and exit code 2."""
    with plain_errors():
        try:
            yield
        except CasebookError as error:
            stop(str(error))


@contextmanager
def opened_database(
    where: str, *, make: bool = False, migrate: bool | None = None, prepared: bool = True
) -> Iterator[Database]:
    """The casebook's database, closed at the end; a missing file is an error unless it is to be made. `migrate` and
    `prepared` as `Database` has them."""
    if not make and "://" not in where and not Path(where).is_file():
        stop(f"{where}: no such casebook; start the service first or name another with --casebook")
    with refusals():
        database = Database(where, migrate=migrate, prepared=prepared)
        try:
            yield database
        finally:
            database.close()


@contextmanager
def opened(where: str, directory: str, resume: bool = True) -> Iterator[Home]:
    """The vault of a casebook; `resume=False` leaves everything as it lies."""
    with opened_database(where) as database:
        yield Home(vault_beside(where, directory), database, resume=resume)
