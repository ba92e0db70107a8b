"""Commands about banks: make, fill, look at, switch off, take out, and the register of agreements."""

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from msgspec import structs, to_builtins

from underwing.banks.banked import entry_hashes, media_kind
from underwing.banks.entries import Agreement, Bank, Entry, EntryHash
from underwing.banks.holdings import BYTES
from underwing.cli.bank_file import Label, open_banks
from underwing.cli.bank_lists import banks_export, banks_import
from underwing.cli.common import (
    DEFAULT_BANKS,
    BanksFile,
    Json,
    now,
    operator,
    out,
    plain_errors,
    print_json,
    printable,
    progress_bar,
    stop,
    table_of,
)
from underwing.model import HASH_KINDS, LABELS

banks = typer.Typer(
    help="Banks of known media: make, fill, export, switch off, take out.", no_args_is_help=True
)
agreements = typer.Typer(help="The register of agreements that lists are held under.", no_args_is_help=True)
banks.add_typer(agreements, name="agreements")

Name = Annotated[str, typer.Argument(help="The bank's name.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="[ENTRY]...", help="Ids of entries.")]


def day(text: str | None) -> int | None:
    """Epoch seconds of a day or a time that an operator typed (ISO 8601, UTC unless it says otherwise)."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        stop(f"{printable(text)!r} is no date; write it as 2027-01-31 or 2027-01-31T12:00Z")
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())


def written_day(at: int | None) -> str:
    """The day of epoch seconds, in UTC."""
    return "" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


@banks.command("create")
def banks_create(
    name: Name,
    label: Annotated[
        str, typer.Option("--label", help=f"That of entries which bring none: {', '.join(LABELS)}.")
    ] = "blocked",
    distance: Annotated[
        int | None,
        typer.Option("--distance", help="The greatest PDQ distance that matches, 0 to 31 bits (31)."),
    ] = None,
    quality: Annotated[
        int | None, typer.Option("--quality", help="The least PDQ quality that is compared, 0 to 100 (50).")
    ] = None,
    label_distance: Annotated[
        list[str] | None,
        typer.Option("--label-distance", help="The same for one label: csam=24 (repeatable)."),
    ] = None,
    negative: Annotated[
        bool, typer.Option("--negative", help="Its entries are known false matches: they silence others.")
    ] = False,
    agreement: Annotated[
        str | None, typer.Option("--agreement", help="The agreement in the register that it is held under.")
    ] = None,
    note: Annotated[str, typer.Option("--note", help="For people.")] = "",
    file: BanksFile = DEFAULT_BANKS,
    json: Json = False,
) -> None:
    """Make an empty bank; makes the file of the banks too, where there is none."""
    own = {}
    for pair in label_distance or []:
        key, _, bits = pair.partition("=")
        if not bits.isdecimal():
            stop(f"--label-distance takes LABEL=BITS, not {printable(pair)!r}")
        own[key] = int(bits)
    bank = Bank(
        name=name, label=label, distance=distance, quality=quality, label_distance=own, negative=negative,
        agreement=agreement, note=note,
    )  # fmt: skip
    with plain_errors(), open_banks(file, make=True) as store:
        made = store.create_bank(bank, by=operator(), now=now())
    if json:
        print_json(made.bank)
    else:
        out.print(f"[green]made[/] bank {name} in {printable(str(file))}", highlight=False)


@banks.command("list")
def banks_list(file: BanksFile = DEFAULT_BANKS, json: Json = False) -> None:
    """Show all banks, how many entries they hold, and whether they match now."""
    with plain_errors(), open_banks(file) as store:
        states = [(state, store.count(state.bank.name)) for state in store.banks()]
    if json:
        print_json([
            {**to_builtins(s.bank), "matches": s.matches, "why_not": s.why_not, "entries": n} for s, n in states
        ])  # fmt: skip
        return
    rows: list[tuple[object, ...]] = [
        (s.bank.name, "negative" if s.bank.negative else s.bank.label, n["active"], n["disabled"], n["withdrawn"],
         s.bank.agreement or "", s.why_not or "yes")
        for s, n in states
    ]  # fmt: skip
    columns = ("bank", "label", "active", "disabled", "withdrawn", "agreement", "matches")
    out.print(table_of(columns, rows) if rows else "no banks yet; `underwing banks create NAME` makes one")


@banks.command("show")
def banks_show(
    name: Name,
    entry: Annotated[str | None, typer.Argument(help="An entry's id.")] = None,
    file: BanksFile = DEFAULT_BANKS,
    json: Json = False,
) -> None:
    """Show a bank's settings and counts, or one of its entries with its hashes."""
    with plain_errors(), open_banks(file) as store:
        state = store.bank(name)
        counts = store.count(name)
        found = store.entry(name, entry) if entry is not None else None
    if entry is not None and found is None:
        stop(f"bank {name} has no entry {printable(entry)!r}")
    if json:
        body = {
            **to_builtins(state.bank),
            "matches": state.matches,
            "why_not": state.why_not,
            "entries": counts,
        }
        print_json(found or body)
        return
    told: list[tuple[object, ...]] = []
    if found is None:
        values = {**to_builtins(state.bank), "matches": state.why_not or "yes",
                  "made": f"{written_day(state.created_at)} by {state.created_by}", **counts}  # fmt: skip
    else:
        values = to_builtins(structs.replace(found, hashes=()))
        values.pop("hashes")
        values |= {
            "added_at": written_day(found.added_at or None),
            "expires_at": written_day(found.expires_at),
        }
    told = [(key, str(value)) for key, value in values.items() if value not in ("", None, {})]
    out.print(table_of(("", "value"), told, title=name if entry is None else f"{name}/{printable(entry)}"))
    if found is not None:
        hashes: list[tuple[object, ...]] = [
            (h.kind, h.hash, h.how, "" if h.at is None else f"{h.at:.2f}", h.quality)
            for h in found.hashes[:200]
        ]
        out.print(table_of(("kind", "hash", "view", "second", "quality"), hashes))
        if len(found.hashes) > 200:
            out.print(f"… and {len(found.hashes) - 200} more; --json shows all", highlight=False)


def typed_hash(text: str) -> EntryHash:
    """A hash that an operator typed: `pdq:…`, `sha256:…`; MD5 and SHA-1 are known by their length too."""
    kind, _, digits = text.strip().lower().rpartition(":")
    kind = kind or {32: "md5", 40: "sha1"}.get(len(digits), "")
    if kind not in HASH_KINDS:
        stop(f"say which kind of hash it is, as in pdq:{digits[:8]}…; kinds are {', '.join(HASH_KINDS)}")
    if len(digits) != 2 * BYTES[kind] or not all(c in "0123456789abcdef" for c in digits):
        stop(f"a {kind} has {2 * BYTES[kind]} hex digits; this has {len(digits)} characters")
    return EntryHash(kind, digits)


@banks.command("add")
def banks_add(
    name: Name,
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]...", help="Pictures or videos; - reads standard input."),
    ] = None,
    hashes: Annotated[
        list[str] | None,
        typer.Option("--hash", help="A hash, as pdq:…, sha256:…, sha1:… or md5:… (repeatable)."),
    ] = None,
    id: Annotated[str | None, typer.Option("--id", help="The entry's id (default: its first hash).")] = None,
    label: Label = None,
    note: Annotated[str, typer.Option("--note", help="For people.")] = "",
    code: Annotated[str, typer.Option("--code", help="What the source calls it (A1, …).")] = "",
    scheme: Annotated[str, typer.Option("--scheme", help="Whose codes these are (ncmec, iwf, …).")] = "own",
    country: Annotated[str, typer.Option("--country", help="Whose law the code is of (GB, …).")] = "",
    expires: Annotated[str | None, typer.Option("--expires", help="The day it stops to match (UTC).")] = None,
    file: BanksFile = DEFAULT_BANKS,
    json: Json = False,
) -> None:
    """Bank files from their bytes (with small crops and tilts), or hashes alone. The files themselves are not kept.

    Exit codes: 0 all were banked, 2 some were not, or the command could not run.
    """
    from underwing.cli.looking import look_at_files

    if not files and not hashes:
        stop("name files, or a hash with --hash")
    if id is not None and len(files or []) + bool(hashes) > 1:
        stop("--id names one entry; bank one file at a time with it, or only hashes")
    common = partial(
        Entry, label=label or "", note=note, code=code, scheme=scheme, country=country.upper(), source=operator(),
        added_at=now(), expires_at=day(expires),
    )  # fmt: skip
    made: list[tuple[str, Entry]] = []
    bad: list[tuple[str, str]] = []
    with plain_errors(), open_banks(file) as store, progress_bar(json) as bar:
        store.bank(name)
        if hashes:
            typed = tuple(dict.fromkeys(typed_hash(text) for text in hashes))
            made.append(("--hash", common(id=id or typed[0].hash, hashes=typed)))
        looked = look_at_files(files or [], "bank")
        for shown, found in bar.track(looked, len(files or []), description="banking"):
            if found.error is not None:
                bad.append((shown, found.error))
                continue
            entry = common(id=id or found.sha256, media=media_kind(found), hashes=entry_hashes(found))
            made.append((shown, entry))
        put = store.put(name, [entry for _, entry in made], by=operator(), now=now())
    if json:
        banked = [{"file": shown, "entry": e.id, "hashes": len(e.hashes)} for shown, e in made]
        print_json(
            {**to_builtins(put), "entries": banked, "errors": [{"file": f, "error": e} for f, e in bad]}
        )
    else:
        rows: list[tuple[object, ...]] = [(shown, e.id, len(e.hashes), "banked") for shown, e in made]
        rows += [(shown, "", 0, error) for shown, error in bad]
        out.print(table_of(("file", "entry", "hashes", "what became of it"), rows))
    if bad:
        raise typer.Exit(2)


def _switch(done: int, wanted: int, verb: str, json: bool) -> None:
    if json:
        print_json({"changed": done, "asked": wanted})
    else:
        out.print(f"[green]{verb}[/] {done} of {wanted}", highlight=False)


def _bank_enabled(file: Path, name: str, enabled: bool, json: bool) -> None:
    with plain_errors(), open_banks(file) as store:
        state = store.change_bank(structs.replace(store.bank(name).bank, enabled=enabled))
    if json:
        print_json({"bank": name, "matches": state.matches, "why_not": state.why_not})
    else:
        out.print(
            f"bank {name} {'matches' if state.matches else 'does not match: ' + state.why_not}",
            highlight=False,
        )


@banks.command("disable")
def banks_disable(
    name: Name, entries: Ids = None, file: BanksFile = DEFAULT_BANKS, json: Json = False
) -> None:
    """Switch off entries, or without any the whole bank. It takes effect at once, and `enable` undoes it."""
    if not entries:
        return _bank_enabled(file, name, False, json)
    with plain_errors(), open_banks(file) as store:
        _switch(store.disable(name, entries), len(entries), "switched off", json)


@banks.command("enable")
def banks_enable(
    name: Name, entries: Ids = None, file: BanksFile = DEFAULT_BANKS, json: Json = False
) -> None:
    """Switch entries on again, or without any the whole bank."""
    if not entries:
        return _bank_enabled(file, name, True, json)
    with plain_errors(), open_banks(file) as store:
        _switch(store.enable(name, entries, now=now()), len(entries), "switched on", json)


@banks.command("withdraw")
def banks_withdraw(
    name: Name,
    entries: Annotated[list[str], typer.Argument(metavar="ENTRY...", help="Ids of entries.")],
    file: BanksFile = DEFAULT_BANKS,
    json: Json = False,
) -> None:
    """Take entries out, as their source would: they match no more, at once, and stay for the record."""
    with plain_errors(), open_banks(file) as store:
        _switch(store.withdraw(name, entries), len(entries), "withdrawn", json)


@banks.command("feedback")
def banks_feedback(
    name: Name,
    entry: Annotated[str, typer.Argument(help="The entry's id.")],
    up: Annotated[bool, typer.Option("--up/--down", help="Whether the entry is right.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, for its source.")] = "",
    file: BanksFile = DEFAULT_BANKS,
    json: Json = False,
) -> None:
    """Note that an entry is right or wrong, for its source to be told."""
    with plain_errors(), open_banks(file) as store:
        number = store.add_feedback(name, entry, up=up, reason=reason, by=operator(), now=now())
    if json:
        print_json({"feedback": number})
    else:
        out.print(f"[green]noted[/] as number {number}", highlight=False)


banks.command("import")(banks_import)
banks.command("export")(banks_export)


@agreements.command("add")
def agreements_add(
    name: Annotated[str, typer.Argument(help="A short name, for banks to refer to.")],
    party: Annotated[str, typer.Option("--party", help="With whom.")],
    terms: Annotated[str, typer.Option("--terms", help="Where the terms are, or what they say.")] = "",
    uses: Annotated[list[str] | None, typer.Option("--use", help="A use it allows (repeatable).")] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", help="The day it ends (UTC); its banks match no more.")
    ] = None,
    training: Annotated[
        bool, typer.Option("--may-train", help="The data may be used to train models (usually it may not).")
    ] = False,
    file: BanksFile = DEFAULT_BANKS,
    json: Json = False,
) -> None:
    """Add an agreement to the register, or renew one of that name."""
    agreement = Agreement(
        name=name,
        party=party,
        terms=terms,
        uses=tuple(uses or ()),
        expires_at=day(expires),
        no_training=not training,
    )
    with plain_errors(), open_banks(file, make=True) as store:
        store.put_agreement(agreement, now=now())
    if json:
        print_json(agreement)
    else:
        out.print(f"[green]in the register[/] {printable(name)}", highlight=False)


@agreements.command("list")
def agreements_list(file: BanksFile = DEFAULT_BANKS, json: Json = False) -> None:
    """Show the register."""
    with plain_errors(), open_banks(file) as store:
        states = store.agreements()
    if json:
        print_json([{**to_builtins(s.agreement), "expired": s.expired} for s in states])
        return
    rows: list[tuple[object, ...]] = [
        (a.name, a.party, ", ".join(a.uses), written_day(a.expires_at), "expired" if s.expired else "yes")
        for s in states for a in (s.agreement,)
    ]  # fmt: skip
    out.print(
        table_of(("agreement", "party", "uses", "until", "in force"), rows) if rows else "no agreements"
    )
