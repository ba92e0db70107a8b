"""Commands about API keys: create, list, revoke."""

from typing import Annotated

import msgspec
import typer
from rich.table import Table

from underwing.cli.common import DEFAULT_DATABASE, Database, Json, out, plain_errors, print_json, stop
from underwing.server.keys import ROLES, Keys

keys = typer.Typer(help="API keys: create, list, revoke.", no_args_is_help=True)


@keys.command("create")
def keys_create(
    role: Annotated[str, typer.Option("--role", help=f"One of {', '.join(ROLES)}.")] = "platform",
    name: Annotated[str, typer.Option("--name", help="Whose key it is, for the list.")] = "",
    database: Database = DEFAULT_DATABASE,
    json: Json = False,
) -> None:
    """Make a key. It is shown once; only its hash is kept."""
    if role not in ROLES:
        stop(f"unknown role {role!r}; known are {', '.join(ROLES)}")
    with plain_errors(), Keys(database) as store:
        made = store.create(role, name)
    if json:
        print_json({"role": role, "name": name, "key": made})
    else:
        out.print(made, highlight=False, soft_wrap=True)


@keys.command("list")
def keys_list(database: Database = DEFAULT_DATABASE, json: Json = False) -> None:
    """Show all keys (never their secrets)."""
    with plain_errors(), Keys(database) as store:
        rows = [msgspec.to_builtins(key) for key in store.list()]
    if json:
        print_json(rows)
        return
    table = Table()
    for column in ("id", "role", "name", "created", "revoked"):
        table.add_column(column)
    for row in rows:
        table.add_row(*(str(row.get(c) or "") for c in ("id", "role", "name", "created", "revoked")))
    out.print(table)


@keys.command("revoke")
def keys_revoke(
    id: Annotated[str, typer.Argument(help="The key's id, from `underwing keys list`.")],
    database: Database = DEFAULT_DATABASE,
) -> None:
    """Take a key back; a running service refuses it within a second."""
    with plain_errors(), Keys(database) as store:
        if not store.revoke(id):
            stop(f"no key {id}")
    out.print("[green]revoked[/]")
