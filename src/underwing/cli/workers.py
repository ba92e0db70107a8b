"""The worker processes that look at files for the command line, and how much of the files is held in memory meanwhile."""

import hashlib
import os
import threading
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, TypeVar

from underwing.media.decode import DRAFT, FULL
from underwing.media.orders import Job, Order, joined
from underwing.media.pool import Pool
from underwing.media.sniff import sniff
from underwing.media.workers import Bounds
from underwing.model import MediaHashes

LARGEST = 256 << 20
"""Bytes of a file that is decoded; of larger ones only the exact hashes are taken."""
IN_FLIGHT = 512 << 20
"""Bytes of files that are held at a time."""
BOUNDS = Bounds(
    size=LARGEST, memory=(512 << 20) + LARGEST, processor_seconds=600, seconds=1800.0, long_video=3600.0
)
"""Of one file: longer than a service bears; an hour of a video is looked at each second."""
MADE_BY = f"2 {DRAFT} {FULL}"
"""Which ways of decoding made the hashes that are kept; to be counted up when they change."""


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


R = TypeVar("R")


class Workers:
    """So many worker processes, given files by their path or bytes; they start with the first. One thread hands in."""

    def __init__(self, count: int, classifier: str = "") -> None:
        """`classifier` names the one that scores what a job `scored` asks for, "" for none."""
        self.count, self._classifier = count, classifier
        self._pool: Pool | None = None
        self._held = 0
        self._room = threading.Condition()

    def look(self, source: str | bytes, job: Job | Order = "draft") -> "Future[MediaHashes]":
        """The hashes of a file, later; waits while too much is held. A file that cannot be read has an error, no hashes."""
        try:
            data = source if isinstance(source, bytes) else self._read(source)
        except OSError as error:
            return ready(unreadable(error))
        if isinstance(data, MediaHashes):
            return ready(data)
        size = len(data)
        with self._room:
            self._room.wait_for(lambda: not self._held or self._held + size <= IN_FLIGHT)
            self._held += size
        if self._pool is None:
            self._pool = Pool(self.count, BOUNDS, classifier=self._classifier)
        future = self._pool.submit(data, job)
        future.add_done_callback(lambda _: self._give_back(size))
        return future

    def look_again(self, source: str | bytes, order: Order, first: MediaHashes) -> "Future[MediaHashes]":
        """As `look`, a second time, joined with what the first look gave."""
        future: Future[MediaHashes] = Future()
        self.look(source, order).add_done_callback(lambda second: _passed_on(second, first, future))
        return future

    def _give_back(self, size: int) -> None:
        with self._room:
            self._held -= size
            self._room.notify()

    @staticmethod
    def _read(path: str) -> bytes | MediaHashes:
        """The bytes of a file, or the exact hashes of one that is too large."""
        with Path(path).open("rb") as file:
            data = file.read(LARGEST + 1)
            return data if len(data) <= LARGEST else _only_exact(data, file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if (
            kind is None and self._pool is not None
        ):  # else there is no time to wait: the workers end as soon as this process has
            self._pool.close()


def _passed_on(second: "Future[MediaHashes]", first: MediaHashes, future: "Future[MediaHashes]") -> None:
    try:
        hashes = second.result()
        future.set_result(joined(first, hashes) if hashes.sha256 == first.sha256 else hashes)
    except BaseException as error:
        future.set_exception(error)


def ready(result: R) -> "Future[R]":
    """A result that is there already, as a future."""
    future: Future[R] = Future()
    future.set_result(result)
    return future


def unreadable(error: OSError | ValueError) -> MediaHashes:
    """What stands for the hashes of a file that cannot be read."""
    why = f"cannot be read: {error.strerror or error}" if isinstance(error, OSError) else str(error)
    return MediaHashes(sha256="", sha1="", md5="", size=0, error=why)


def _only_exact(head: bytes, file: BinaryIO) -> MediaHashes:
    digests = [hashlib.sha256(head), hashlib.sha1(head), hashlib.md5(head)]  # noqa: S324 (lists hold them)
    size = len(head)
    while block := file.read(1 << 20):
        size += len(block)
        for digest in digests:
            digest.update(block)
    sha256, sha1, md5 = (digest.hexdigest() for digest in digests)
    why = f"larger than {LARGEST >> 20} MiB: only its exact hashes are compared"
    return MediaHashes(sha256=sha256, sha1=sha1, md5=md5, size=size, type=sniff(head), error=why)
