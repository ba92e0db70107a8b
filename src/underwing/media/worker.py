"""The process that looks at bytes nobody trusts, and may die of them: `python -m underwing.media.worker MEMORY CPU MORE`.

It reads jobs from its standard input and answers on its standard output: a length of eight bytes, then one byte that
names the job (of an answer: none), then the bytes. It says it is ready by an empty answer. MEMORY is how many bytes of
address space it may take above what it has when it is ready (interpreter, machine code and decoders loaded), CPU the
seconds of processor time a job may take and MORE the further ones for each MiB of it; past that the system ends it.
"""

import gc
import os
import sys
from collections.abc import Callable
from typing import BinaryIO, TypeVar

import msgspec

from underwing.media.start_up import give_back
from underwing.model.media import MediaHashes

LENGTH = 8
JOBS = (b"d", b"f", b"b")
"""Look at it by the reduced profile; by the full one; look at it to bank it."""


S = TypeVar("S", int, float)


def allowed(seconds: S, each_mib: S, size: int) -> S:
    """The seconds that a file of so many bytes may take: `seconds`, and `each_mib` for every whole MiB of it."""
    return seconds + each_mib * (size >> 20)


def main(arguments: list[str]) -> int:
    """Work until the input ends."""
    memory, seconds, each_mib = (int(argument) for argument in arguments)
    answers = _own_output()
    looks = _looks()
    _warm_up(looks)
    give_back()
    limit_processor_time = _limits(memory)
    _send(answers, b"")
    while head := sys.stdin.buffer.read(LENGTH + 1):
        data = sys.stdin.buffer.read(int.from_bytes(head[:LENGTH]))
        limit_processor_time(allowed(seconds, each_mib, len(data)))
        found = looks[head[LENGTH:]](data)
        _send(answers, msgspec.msgpack.encode(found))
        if found.frames:
            gc.collect()  # a video's decoder hangs in a cycle, with all its pictures
    return 0


def _looks() -> dict[bytes, Callable[[bytes], MediaHashes]]:
    from underwing.media.decode import DRAFT, FULL
    from underwing.media.hashing import look, look_to_bank

    one_by_one = (lambda data: look(data, DRAFT), lambda data: look(data, FULL), look_to_bank)
    return dict(zip(JOBS, one_by_one, strict=True))


def _warm_up(looks: dict[bytes, Callable[[bytes], MediaHashes]]) -> None:
    """Load every decoder and all machine code, so that neither counts as a job's."""
    import io

    import pillow_heif
    from PIL import AvifImagePlugin, Image

    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    pillow_heif.options.DECODE_THREADS = 1
    pattern = Image.linear_gradient("L").convert("RGB")
    for form in ("PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF", "HEIF", "JPEG"):
        out = io.BytesIO()
        pattern.resize((1040, 1040) if form == "JPEG" else (64, 48)).save(out, form)
        for look in looks.values():
            look(out.getvalue())


def _limits(memory: int) -> Callable[[int], None]:
    """Bound this process's memory; what bounds the processor time of the next job comes back."""
    try:
        import resource
    except ImportError:  # no such limits on this system: the wall clock of the pool remains
        return lambda _: None
    try:
        with open("/proc/self/statm") as file:
            taken = int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        taken = 0
    if taken:
        resource.setrlimit(resource.RLIMIT_AS, (taken + memory, taken + memory))

    def processor_time(seconds: int) -> None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        until = int(used.ru_utime + used.ru_stime) + 1 + seconds
        resource.setrlimit(resource.RLIMIT_CPU, (until, resource.getrlimit(resource.RLIMIT_CPU)[1]))

    return processor_time


def _own_output() -> BinaryIO:
    """The output for answers alone: what a decoder prints goes to the standard error."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def _send(answers: BinaryIO, body: bytes) -> None:
    answers.write(len(body).to_bytes(LENGTH) + body)
    answers.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
