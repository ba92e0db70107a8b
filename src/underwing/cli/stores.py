"""Commands about where things are kept: the casebook's tables, backups, restoring."""

from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import func, select, text

from underwing.casebook import migrations
from underwing.casebook.backup import Places, bring, take
from underwing.casebook.backup.rows import tables_of
from underwing.casebook.database import Database
from underwing.casebook.vault import Home
from underwing.casebook.vault.place import vault_beside
from underwing.cli.casebook import DEFAULT, Directory, Where, opened_database, refusals
from underwing.cli.common import DEFAULT_BANKS, DEFAULT_DATABASE, BanksFile, Json, out, print_json, stop
from underwing.server.streams.store import streams_beside

casebook = typer.Typer(
    help="The casebook's database: bring its tables up to date, look whether all is well.",
    no_args_is_help=True,
)
EngineFile = Annotated[
    Path,
    typer.Option(
        "--database", envvar="UNDERWING_DATABASE", help="The service's SQLite file (state, decisions, keys)."
    ),
]
Passphrase = Annotated[
    Path | None, typer.Option("--passphrase-file", help="A file whose first line is the pass-phrase.")
]


@casebook.command("migrate")
def casebook_migrate(
    to: Annotated[str, typer.Option("--to", help="A revision, such as 0002; up or down.")] = migrations.HEAD,
    casebook: Where = DEFAULT,
    json: Json = False,
) -> None:
    """Bring the tables to a revision (default: this program's). Stop all services and make a backup first.

    A migration is one transaction: one that is broken off was never begun. Down: what only newer tables hold is lost.
    """
    if to not in migrations.REVISIONS:
        stop(f"there is no revision {to}; known are {', '.join(migrations.REVISIONS)}")
    with opened_database(casebook, make=True, prepared=False) as database:
        before = migrations.revision(database) or ""
        if before and before not in migrations.REVISIONS:
            stop(f"{database.name} has revision {before}, which is newer than this program")
        if to < before:
            migrations.downgrade(database, to)
        elif to > before:
            migrations.upgrade(database, to)
    if json:
        print_json({"before": before, "now": to})
    else:
        out.print(
            f"[green]revision {to}[/]" + (f", was {before}" if before not in (to, "") else ""),
            highlight=False,
        )


@casebook.command("check")
def casebook_check(casebook: Where = DEFAULT, json: Json = False) -> None:
    """See that the tables are those this program knows, and whole. Exit code 2 if not."""
    with opened_database(casebook, migrate=False) as database:
        migrations.agree(database)
        _whole(database)
        rows = {
            table.name: database.value(select(func.count()).select_from(table))
            for table in tables_of(database)
        }
    if json:
        print_json({"revision": migrations.HEAD, "kind": database.kind, "rows": rows})
        return
    told = ", ".join(f"{count:,} {name}" for name, count in rows.items() if count)
    out.print(
        f"[green]well[/] {database.kind}, revision {migrations.HEAD}; {told or 'empty'}", highlight=False
    )


def _whole(database: Database) -> None:
    """See that a SQLite file is whole and every reference leads somewhere; a server sees to that itself."""
    if database.kind == "sqlite":
        for pragma, good in (("integrity_check", "ok"), ("foreign_key_check", None)):
            found = database.value(text(f"PRAGMA {pragma}"))
            if found != good:
                stop(f"{database.name} is damaged: {found}")


def backup(
    file: Annotated[Path, typer.Argument(help="The new file.")],
    passphrase_file: Passphrase = None,
    database: EngineFile = DEFAULT_DATABASE,
    casebook: Where = DEFAULT,
    vault: Directory = "",
    banks: BanksFile = DEFAULT_BANKS,
    json: Json = False,
) -> None:
    """Put everything a service knows into one file, while it runs: casebook, vault, state and decisions, banks, streams.

    With a pass-phrase the file is encrypted and holds the keys and the watches of streams as well (their addresses may
    hold passwords). Without, these are left out: whoever restores it needs the keys from elsewhere, and whoever finds it
    reads accounts and notes, but no message and no evidence.
    """
    with opened_database(casebook) as opened:
        done = take(
            file, Home(vault_beside(casebook, vault), opened, resume=False),
            sqlite=_files(database, banks, streams=passphrase_file is not None),
            secrets=_secrets(database), passphrase=_phrase(passphrase_file),
        )  # fmt: skip
    if json:
        print_json({"file": str(file), "bytes": file.stat().st_size, **_told(done)})
        return
    out.print(
        f"[green]made[/] {file}: {sum(done.rows.values()):,} rows, {done.objects:,} pieces of objects, "
        f"{' and '.join(done.files) or 'no other file'}", highlight=False,
    )  # fmt: skip
    if done.objects_stay:
        out.print(
            f"[yellow]note[/] the objects stay at {done.objects_stay}: keep its versions", highlight=False
        )
    if not done.keys:
        out.print(
            "[yellow]note[/] not encrypted, and without the keys: keep copies of vault.key and custody.key elsewhere; "
            "without them nothing can be read. With --passphrase-file both go in, encrypted.", highlight=False,
        )  # fmt: skip


def restore(
    file: Annotated[Path, typer.Argument(help="A backup.")],
    passphrase_file: Passphrase = None,
    database: EngineFile = DEFAULT_DATABASE,
    casebook: Where = DEFAULT,
    vault: Directory = "",
    banks: BanksFile = DEFAULT_BANKS,
    json: Json = False,
) -> None:
    """Bring a backup back to where nothing is, and prove it. All of it is there in the end, or nothing.

    The casebook may move: what was in a file can be restored into PostgreSQL, and back.
    """
    directory = vault_beside(casebook, vault)
    places = Places(
        casebook=casebook,
        vault=directory,
        sqlite=_files(database, banks, streams=True),
        secrets=_secrets(database),
    )
    with refusals():
        done = bring(file, places, _phrase(passphrase_file))
    if json:
        print_json(_told(done))
        return
    out.print(
        f"[green]restored[/] the backup of {done.made}: {sum(done.rows.values()):,} rows, {done.objects:,} pieces of "
        f"objects, {' and '.join(done.files) or 'no other file'}; {done.proven} proven ({done.records} records)",
        highlight=False,
    )  # fmt: skip
    if not done.keys:
        out.print(
            f"[yellow]next[/] put vault.key and custody.key into {directory} (mode 0600), then run: "
            "underwing custody verify", highlight=False,
        )  # fmt: skip


def _files(database: Path, banks: Path, *, streams: bool) -> dict[str, Path]:
    """The SQLite files beside the casebook, by what they hold."""
    files = {"engine": database, "banks": banks}
    return files | {"streams": streams_beside(database)} if streams else files


def _secrets(database: Path) -> dict[str, Path]:
    """The key files beside the service's own file."""
    return {"receipts.pem": database.with_name("receipts.pem")}


def _phrase(file: Path | None) -> str:
    if file is None:
        return ""
    lines = file.read_text(encoding="utf-8").splitlines()
    if not lines or not lines[0].strip():
        stop(f"{file} is empty; its first line is the pass-phrase")
    return lines[0].strip()


def _told(done: Any) -> dict[str, Any]:
    return {name: getattr(done, name) for name in done.__struct_fields__}
