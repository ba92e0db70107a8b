"""Commands that look at files: hash and match."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from underwing.banks.checker import Checker
from underwing.cli.bank_file import open_banks
from underwing.cli.common import (
    DEFAULT_BANKS,
    BanksFile,
    Json,
    escaped,
    out,
    plain_errors,
    print_json,
    printable,
    progress_bar,
    table_of,
)
from underwing.cli.looking import Classifier, asked_for, look_at_files
from underwing.cli.outcome import FAILED, exit_code, outcome, outcome_lines, unread
from underwing.model import MediaHashes

Files = Annotated[
    list[Path], typer.Argument(metavar="FILE...", help="Pictures, videos, any files; - reads standard input.")
]


def hash(
    files: Files,
    views: Annotated[
        bool,
        typer.Option(
            "--views", help="Every view of a picture (mirrored, trimmed, …) and every frame of a video too."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Hash files: SHA-256, SHA-1 and MD5 of their bytes, PDQ of what they show. Nothing is looked up or kept.

    Exit codes: 0 all were hashed, 2 some could not be read or decoded (their lines say why).
    """
    failed = 0
    with plain_errors(), progress_bar(json) as bar:
        for name, hashes in bar.track(look_at_files(files, "full"), len(files), description="hashing"):
            failed += hashes.error is not None
            if json:
                print_json(_hashed(name, hashes, views))
            else:
                out.print(_shown(name, hashes, views))
    if failed:
        raise typer.Exit(FAILED)


def _hashed(name: str, hashes: MediaHashes, views: bool) -> dict[str, Any]:
    """The line of `hash --json`."""
    line: dict[str, Any] = {
        "file": name, "sha256": hashes.sha256 or None, "sha1": hashes.sha1 or None, "md5": hashes.md5 or None,
        "pdq": hashes.pdq, "type": hashes.type, "error": hashes.error,
    }  # fmt: skip
    if views:
        line |= {
            "profile": hashes.profile,
            "views": hashes.views,
            "frames": hashes.frames,
            "duration": hashes.duration,
        }
    return line


def _shown(name: str, hashes: MediaHashes, views: bool) -> Table:
    rows: list[tuple[object, ...]] = [(kind, getattr(hashes, kind)) for kind in ("sha256", "sha1", "md5")]
    shown_views = hashes.views if views else hashes.views[:1]
    rows += [(f"pdq {view.how}", f"{view.pdq.hash} quality {view.pdq.quality}") for view in shown_views]
    if hashes.frames:
        length = f", {hashes.duration:.1f} s" if hashes.duration is not None else ""
        rows.append(("frames", f"{len(hashes.frames)}{length}"))
        shown_frames = hashes.frames if views else ()
        rows += [(f"at {f.at:.2f} s", f"{f.pdq.hash} quality {f.pdq.quality}") for f in shown_frames]
    if hashes.error is not None:
        rows.append(("error", hashes.error))
    size = f"{hashes.width} × {hashes.height}" if hashes.width else ""
    kind = hashes.type or ("" if hashes.error else "unknown type")
    rows = [row for row in rows if row[1] != ""]
    table = table_of(("", ""), rows)
    table.show_header, table.box, table.title_justify = False, None, "left"
    table.title = f"[bold]{escaped(printable(name))}[/] [dim]{kind} {size}[/]"
    return table


def match(
    files: Files, banks: BanksFile = DEFAULT_BANKS, classifier: Classifier = "", json: Json = False
) -> None:
    """Look files up in the banks: which entries they match, how, and at what distance.

    A classifier's score is a guess: it changes neither the matches nor the exit code.

    Exit codes: 0 nothing matched; 1 something matched; 2 nothing matched, but some files could not be checked (their
    lines say why), or the command could not run.
    """
    matched = failed = 0
    asked_for(classifier)
    with plain_errors(), open_banks(banks) as store, progress_bar(json) as bar:
        checker = Checker(store, beside=banks)
        looked = look_at_files(files, "scored", again=checker.second_look, classifier=classifier)
        for name, hashes in bar.track(looked, len(files), description="matching"):
            if hashes.sha256:
                found = checker.match(hashes)
                said, more = outcome(name, hashes, found), found.more
            else:
                said, more = unread(name, hashes.error or ""), 0
            matched += bool(said.matches)
            failed += said.error is not None
            if json:
                print_json(said)
                sys.stdout.flush()
            else:
                for line in outcome_lines(said, more):
                    out.print(line, highlight=False, soft_wrap=True)
        if not json and len(files) > 1:
            out.print(
                f"[bold]{len(files)} files:[/] {matched} matched, {failed} not checked", highlight=False
            )
    if code := exit_code(matched, failed):
        raise typer.Exit(code)
