"""Files are looked at on every core, and come back in the order in which they were given."""

import stat
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from underwing.cli.common import shown_path, stop
from underwing.cli.workers import LARGEST, Workers, cores, ready, unreadable
from underwing.media.classifier import ClassifierMissingError, require_classifier
from underwing.media.orders import Job, Order
from underwing.model import MediaHashes

T = TypeVar("T")
R = TypeVar("R")
Source = str | bytes
"""A file by its path, or its bytes."""
Again = Callable[[MediaHashes], Order | None]
"""How a file must be looked at again, if it must."""
Classifier = Annotated[
    str,
    typer.Option(
        "--classifier", metavar="NAME", help="Give a classifier's score too, which is a guess: open-nsfw."
    ),
]


def asked_for(classifier: str) -> None:
    """End the command where a classifier is asked for that is not installed."""
    if classifier:
        try:
            require_classifier(classifier)
        except (ValueError, ClassifierMissingError) as error:
            stop(str(error))


def in_order(
    work: Iterable[T],
    begin: Callable[[T], "Future[R]"],
    settle: Callable[[T, R], "Future[R] | None"],
    ahead: int,
) -> Iterator[tuple[T, R]]:
    """Each piece of work with its result, in their order, with up to `ahead` pieces begun at a time.

    `settle` sees a result as soon as it is there, and may ask for another one in its place.
    """
    rest = iter(work)
    begun: deque[tuple[T, list[R]]] = deque()
    waiting: dict[Future[R], tuple[T, list[R]]] = {}
    more = True
    while more or begun:
        while more and len(begun) < ahead:
            try:
                piece = next(rest)
            except StopIteration:
                more = False
                break
            begun.append((piece, []))
            waiting[begin(piece)] = begun[-1]
        done = wait(waiting, return_when=FIRST_COMPLETED).done if waiting else ()
        for future in done:
            place = waiting.pop(future)
            again = settle(place[0], future.result())
            if again is None:
                place[1].append(future.result())
            else:
                waiting[again] = place
        while begun and begun[0][1]:
            piece, results = begun.popleft()
            yield piece, results[0]


def look_at_files(
    files: list[Path], job: Job = "draft", again: Again = lambda _: None, *, classifier: str = ""
) -> Iterator[tuple[str, MediaHashes]]:
    """The files of a command line with their hashes; (name, hashes) in their order.

    What cannot be read, a directory too, has an error and no hashes. One for which `again` says so is looked at once more.
    """
    if not files:
        return
    sources: dict[int, Source] = {}
    with Workers(min(len(files), cores()), classifier) as workers:

        def begin(piece: tuple[int, Path]) -> "Future[MediaHashes]":
            number, path = piece
            try:
                sources[number] = _source(path)
            except (OSError, ValueError) as error:
                return ready(unreadable(error))
            return workers.look(sources[number], job)

        def settle(piece: tuple[int, Path], hashes: MediaHashes) -> "Future[MediaHashes] | None":
            source = sources.pop(piece[0], None)
            order = again(hashes) if source is not None else None
            return None if source is None or order is None else workers.look_again(source, order, hashes)

        for (_, path), hashes in in_order(enumerate(files), begin, settle, workers.count * 4):
            yield shown_path(path), hashes


def _source(path: Path) -> Source:
    """A file's path, or the bytes of standard input or a pipe.

    Raises:
        OSError: it is missing or cannot be read.
        ValueError: a directory, more than is taken from a pipe, or no path at all.
    """
    if str(path) == "-":
        return _bounded(sys.stdin.buffer.read)
    kind = path.stat().st_mode
    if stat.S_ISDIR(kind):
        raise ValueError("is a directory; `underwing scan DIR` goes through directories")
    if stat.S_ISREG(kind):
        return str(path)
    with path.open("rb") as pipe:
        return _bounded(pipe.read)


def _bounded(read: Callable[[int], bytes]) -> bytes:
    data = read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError(f"more than {LARGEST >> 20} MiB are not taken from a pipe")
    return data
