"""The command that goes through a directory: `scan`."""

import glob
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from msgspec import Struct
from rich.progress import Progress

from underwing.banks.checker import Checker
from underwing.cli.bank_file import open_banks
from underwing.cli.common import (
    DEFAULT_BANKS,
    BanksFile,
    Json,
    err,
    out,
    plain_errors,
    printable,
    progress_bar,
    shown_path,
    stop,
    table_of,
)
from underwing.cli.looking import Classifier, asked_for, in_order
from underwing.cli.outcome import (
    NO_MEDIA,
    Outcome,
    exit_code,
    from_rest,
    json_line,
    json_rest,
    outcome,
    outcome_lines,
    unread,
)
from underwing.cli.scan_state import Found, Kept, ScanError, ScanState, default_state, packed, unpacked, walk
from underwing.cli.workers import MADE_BY, Workers, cores, ready
from underwing.model import MediaHashes

_COMMIT_EVERY = 1.0
"""Seconds, while nothing is looked at. Whatever is looked at is written down before its line is shown."""
_NOTED_AT_ONCE = 1_000


SUMMARY = {
    "files": "files",
    "looked_at": "of them looked at in this run",
    "matched": "matched",
    "unchecked": "not checked, or not to their end",
    "no_media": "no picture or video (only their exact hashes were compared)",
    "passed_over": "passed over (links, pipes, devices)",
}


class Step(Struct, frozen=True):
    """What came of one file: its line as JSON without the name, and whether it was looked at in this run."""

    path: bytes
    answer: bytes
    looked: bool


def scan(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="The directory; what lies under it is looked at too.")
    ],
    banks: BanksFile = DEFAULT_BANKS,
    classifier: Classifier = "",
    state: Annotated[
        Path | None,
        typer.Option("--state", help="What is remembered of it (default: in the user's state directory)."),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow-links", help="Follow symbolic links.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Look at every file again, known or not.")] = False,
    everything: Annotated[
        bool | None,
        typer.Option(
            "--all/--matches",
            help="Lines for all files, or only for what matched or was not checked.",
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Worker processes (default: one for each core).")
    ] = None,
    json: Json = False,
) -> None:
    """Look all files of a directory up in the banks, with every core. Nothing is written there.

    A scan that was ended, however, goes on where it was when it is started again. The next one decodes only what is new
    or changed (by size, time and inode), and looks known hashes up anew when the banks have changed.

    Lines come in the order of paths; the summary is on standard error (as JSON too, with --json). Without --json, files
    that are clear have no line unless --all is given.

    Exit codes: 0 nothing matched; 1 something matched; 2 nothing matched, but some files could not be checked, or the
    command could not run; 130 it was ended by Ctrl-C.
    """
    asked_for(classifier)
    started = time.monotonic()
    tally: Counter[str] = Counter()
    labels: Counter[str] = Counter()
    with plain_errors(), open_banks(banks) as store:
        root = os.path.realpath(os.fsencode(directory))
        if not os.path.isdir(root):
            stop(f"{printable(str(directory))} is no directory; `underwing match` looks at files")
        memory = state or default_state(root)
        try:
            known = ScanState(memory, root)
        except ScanError as error:
            stop(printable(str(error)))
        try:
            with progress_bar(json) as bar:
                checker = Checker(store, beside=banks)
                own = frozenset(os.fsencode(path) for file in (memory, banks) for path in _files_of(file))
                tally["passed_over"] = _note(known, bar, walk(root, follow, own))
                total = known.forget_gone()
                known.commit()
                task = bar.add_task("checking", total=total)
                shown = everything if everything is not None else json
                for step in _checked(known, checker, workers or cores(), again, classifier):
                    bar.advance(task)
                    name = shown_path(step.path)
                    said = from_rest(name, step.answer)
                    _count(said, step.looked, tally, labels)
                    if not shown and not said.matches and said.error in (None, NO_MEDIA):
                        continue
                    if json:
                        sys.stdout.write(json_line(name, step.answer).decode())
                        if step.looked:
                            sys.stdout.flush()
                        continue
                    for line in outcome_lines(said):
                        out.print(line, highlight=False, soft_wrap=True)
        except KeyboardInterrupt:
            known.close()
            sys.stdout.flush()
            err.print("stopped; the same command goes on where it was", highlight=False)
            os._exit(130)  # no waiting for the workers, which end as soon as this process has
        known.close()
    _summary(tally, labels, time.monotonic() - started, memory, json)
    if code := exit_code(tally["matched"], tally["unchecked"]):
        raise typer.Exit(code)


def _files_of(file: Path) -> Iterator[Path]:
    """A database and what SQLite and we keep beside it."""
    real = Path(os.path.realpath(file))
    yield from (real.with_name(real.name + end) for end in ("", "-wal", "-shm", "-journal"))
    yield from real.parent.glob(f"{glob.escape(real.name)}.index-*")


def _note(known: ScanState, bar: Progress, found: Iterator[Found | None]) -> int:
    """Write down what is there; returns how many things were passed over."""
    task = bar.add_task("finding files", total=None)
    passed, batch = 0, list[Found]()
    for one in found:
        if one is None:
            passed += 1
            continue
        batch.append(one)
        if len(batch) == _NOTED_AT_ONCE:
            known.note(batch)
            bar.advance(task, len(batch))
            batch.clear()
    known.note(batch)
    bar.remove_task(task)
    return passed


def _checked(known: ScanState, checker: Checker, count: int, again: bool, classifier: str) -> Iterator[Step]:
    """Every file in the order of paths, with its answer; what is new is kept before it is handed on."""
    last = time.monotonic()
    looked: set[bytes] = set()
    twice: set[bytes] = set()
    ways = f"{MADE_BY} {classifier}".rstrip()
    with Workers(count, classifier) as workers:

        def begin(kept: Kept) -> "Future[MediaHashes | None]":
            usable = kept.made_by == ways and not again
            if kept.found.problem is not None:
                return ready(None)
            if usable and kept.answer is not None and kept.banks == checker.fingerprint():
                return ready(None)
            if usable and kept.hashes is not None:
                return ready(unpacked(kept.hashes))
            looked.add(kept.found.path)
            return workers.look(os.fsdecode(kept.found.path), "scored")  # type: ignore[return-value]

        def settle(kept: Kept, hashes: MediaHashes | None) -> "Future[MediaHashes | None] | None":
            path = kept.found.path
            order = checker.second_look(hashes) if hashes is not None and path not in twice else None
            if hashes is None or order is None:
                return None
            looked.add(path)
            twice.add(path)
            return workers.look_again(os.fsdecode(path), order, hashes)  # type: ignore[return-value]

        for kept, hashes in in_order(known.pages(), begin, settle, count * 8):
            path = kept.found.path
            fresh = path in looked
            looked.discard(path)
            twice.discard(path)
            step = Step(path, _answer(known, checker, kept, hashes, fresh, ways), fresh)
            if fresh or time.monotonic() - last > _COMMIT_EVERY:
                known.commit()
                last = time.monotonic()
            yield step


def _answer(
    known: ScanState, checker: Checker, kept: Kept, hashes: MediaHashes | None, fresh: bool, ways: str
) -> bytes:
    """What is said of a file, as JSON without its name; kept, unless it may be another one next time."""
    path, name = kept.found.path, shown_path(kept.found.path)
    if kept.found.problem is not None:
        return json_rest(unread(name, kept.found.problem))
    if hashes is None:
        assert kept.answer is not None
        return kept.answer
    if not hashes.sha256:
        return json_rest(unread(name, hashes.error or ""))
    banks = checker.fingerprint()
    answer = json_rest(outcome(name, hashes, checker.match(hashes)))
    made_by = ways if not fresh or _is_same(kept.found) else ""
    known.keep(path, made_by, packed(hashes) if fresh else None, banks, answer)
    return answer


def _is_same(found: Found) -> bool:
    """Whether a file still is the one that was found, now that it was read."""
    try:
        at = os.stat(found.path)
    except OSError:
        return False
    return (at.st_size, at.st_mtime_ns, at.st_ino) == (found.size, found.mtime, found.inode)


def _count(said: Outcome, looked: bool, tally: Counter[str], labels: Counter[str]) -> None:
    tally["files"] += 1
    tally["looked_at"] += looked
    tally["no_media"] += said.error == NO_MEDIA
    tally["unchecked"] += said.error not in (None, NO_MEDIA)
    tally["matched"] += bool(said.matches)
    labels.update({match.label for match in said.matches})


def _summary(tally: Counter[str], labels: Counter[str], seconds: float, memory: Path, json: bool) -> None:
    if json:
        body = {**{key: tally[key] for key in SUMMARY}, "by_label": labels, "seconds": round(seconds, 3)}
        sys.stderr.write(msgspec.json.encode(body).decode() + "\n")
        return
    rows: list[tuple[object, ...]] = [
        (SUMMARY[key], tally[key]) for key in SUMMARY if tally[key] or key == "files"
    ]
    rows += [(f"matched: {label}", count) for label, count in labels.most_common()]
    table = table_of(("", ""), rows, title=f"{tally['files']} files in {seconds:.1f} s")
    table.show_header = False
    err.print(table)
    err.print(f"remembered in {printable(str(memory))}", style="dim", highlight=False, soft_wrap=True)
