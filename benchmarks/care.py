"""What care costs: a still, the ruling about a person, the search for a copy among what was seen, sealing a file.

Method: each act is done again and again for a second or more of processor time (`time.process_time`, this process only), and
the mean is told. Stills are drawn in this process, as a worker draws them. Pictures are smooth patterns. The file that is
sealed is one of 300 KB, into a vault in a temporary directory with `synchronous=FULL`; beside it the same bytes hashed and
written to a plain file with one fsync, in the same run: the ratio says what sealing costs.
"""

import hashlib
import io
import os
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
from PIL import Image

from underwing.casebook.care import Care, Limits, Look, load_limits, rule
from underwing.casebook.care.likeness import Print, first_like
from underwing.casebook.database import Database
from underwing.casebook.vault import Home
from underwing.media.still import Wish, still
from underwing.model import MediaHashes

SECONDS = 1.0
NOW = 1_800_000_000


def cost(act: Callable[[], object]) -> float:
    """Milliseconds of processor time that an act takes, in the mean."""
    act()
    done, began = 0, time.process_time()
    while (took := time.process_time() - began) < SECONDS:
        act()
        done += 1
    return took / done * 1000


def picture(width: int, height: int) -> bytes:
    """A smooth pattern as JPEG."""
    coarse = np.random.default_rng(1).integers(0, 255, (9, 12, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(out, "JPEG", quality=90)
    return out.getvalue()


def week(limits: Limits) -> list[Look]:
    """As many looks as a week allows, four for each file."""
    return [
        Look(at=NOW - n * 600, exhibit=n // 4, seconds=1, severity=n % 3)
        for n in range(4 * limits.week.items)
    ]


def sealing(home: Path) -> tuple[float, float]:
    """Milliseconds to hash and write a plain file, and to seal one into a case."""
    database = Database(home / "casebook.db")
    vault = Home.ensure(home / "vault", database)
    care = Care(database, vault.vault, vault.custody)
    numbers, body = count(), os.urandom(300_000)

    def plain() -> None:
        data = next(numbers).to_bytes(8) + body
        with open(home / hashlib.sha256(data).hexdigest(), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def seal() -> None:
        data = next(numbers).to_bytes(8) + body
        hashes = MediaHashes(sha256=hashlib.sha256(data).hexdigest(), sha1="", md5="", size=len(data))
        care.keep(data, 1, f"m{next(numbers)}", hashes, by="benchmark")

    costs = cost(plain), cost(seal)
    database.close()
    return costs


def main() -> None:
    """Measure and print."""
    print(__doc__)
    limits = load_limits()
    for name, data in (("512 x 384", picture(512, 384)), ("4000 x 3000", picture(4000, 3000))):
        print(f"a still of {name}: {cost(lambda data=data: still(data, Wish())):.2f} ms")  # type: ignore[misc]
    looks = week(limits)
    print(f"the ruling over {len(looks)} looks: {cost(lambda: rule(looks, NOW, limits)):.2f} ms")
    random = np.random.default_rng(2)
    seen = [Print(views=(random.bytes(32),)) for _ in range(2_000)]
    new = Print(views=tuple(random.bytes(32) for _ in range(8)))
    print(f"a copy among {len(seen)} seen: {cost(lambda: first_like(new, seen)):.2f} ms")
    with tempfile.TemporaryDirectory() as home:
        plain, sealed = sealing(Path(home))
    print(
        f"300 KB hashed and written plainly: {plain:.2f} ms; sealed into a case: {sealed:.2f} ms, ratio {sealed / plain:.1f}"
    )


if __name__ == "__main__":
    main()
