"""The process that looks at bytes nobody trusts, and may die of them: `python -m underwing.media.worker TERMS`.

It reads jobs from its standard input: the length of an `Order` in eight bytes, the order (msgpack), the length of the file
in eight bytes, the file. It answers each on its standard output, a length and `MediaHashes`, and says that it is ready by an
empty answer. TERMS is `Terms` as JSON: how many bytes of address space it may take above what it has when it is ready
(interpreter, machine code, decoders and the classifier loaded), the seconds of processor time a job may take and the further
ones for each MiB of it; past that the system ends it.
"""

import gc
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, TypeVar

import msgspec

from underwing.media.orders import Job, Order, Terms
from underwing.media.start_up import give_back
from underwing.model.media import MediaHashes

if TYPE_CHECKING:
    from underwing.media.still import Still

LENGTH = 8
Looks = dict[Job, Callable[[bytes, Order], "MediaHashes | Still"]]
S = TypeVar("S", int, float)


def allowed(seconds: S, each_mib: S, size: int) -> S:
    """The seconds that a file of so many bytes may take: `seconds`, and `each_mib` for every whole MiB of it."""
    return seconds + each_mib * (size >> 20)


def main(arguments: list[str]) -> int:
    """Work until the input ends."""
    terms = msgspec.json.decode(arguments[0], type=Terms)
    answers = _own_output()
    looks = _looks(terms)
    _warm_up(looks)
    give_back()
    limit_processor_time = _limits(terms.memory)
    _send(answers, b"")
    orders = msgspec.msgpack.Decoder(Order)
    while (asked := _received()) is not None:
        order, data = orders.decode(asked), _received() or b""
        limit_processor_time(allowed(terms.processor_seconds, terms.processor_seconds_a_mib, len(data)))
        found = looks[order.job](data, order)
        _send(answers, msgspec.msgpack.encode(found))
        if not isinstance(found, MediaHashes) or found.frames:
            gc.collect()  # a video's decoder hangs in a cycle, with all its pictures
    return 0


def _looks(terms: Terms) -> Looks:
    from underwing.media.decode import FULL
    from underwing.media.hashing import look, look_closer, look_to_bank
    from underwing.media.still import Wish, still

    def draft(data: bytes, _: Order) -> MediaHashes:
        return look(data, long_video=terms.long_video)

    looks: Looks = {
        "draft": draft,
        "scored": draft,
        "full": lambda data, _: look(data, FULL),
        "bank": lambda data, _: look_to_bank(data),
        "closer": lambda data, order: look_closer(data, order.windows, terms.long_video),
        "still": lambda data, order: still(data, order.still or Wish()),
    }
    if terms.classifier:
        from underwing.media.scoring import Scorer

        scorer = Scorer(terms.classifier)
        looks["scored"] = lambda data, _: scorer.look(data, terms.long_video)
    return looks


def _warm_up(looks: Looks) -> None:
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
        for job in ("scored", "full", "bank"):
            looks[job](out.getvalue(), Order())


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


def _received() -> bytes | None:
    """What comes next, behind its length; None when the input has ended."""
    head = sys.stdin.buffer.read(LENGTH)
    return sys.stdin.buffer.read(int.from_bytes(head)) if len(head) == LENGTH else None


def _send(answers: BinaryIO, body: bytes) -> None:
    answers.write(len(body).to_bytes(LENGTH) + body)
    answers.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
