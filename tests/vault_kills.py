"""A process that takes evidence in and destroys it is killed (`kill -9`) at random moments; then everything is looked at.

`python tests/vault_kills.py 200` for many rounds over SQLite, with `--postgresql` behind it over a PostgreSQL of its own;
the suite does some of both.
"""

import io
import random
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

from postgres_server import server
from underwing.casebook.database import CasebookError
from vault_cases import SEGMENT, START, Rig

YEAR = timedelta(days=400)


def content(seed: int) -> bytes:
    """Different bytes for every seed, of 0 to 12 segments."""
    chance = random.Random(seed)
    return seed.to_bytes(8) + chance.randbytes(
        chance.choice((0, 1, SEGMENT - 8, chance.randrange(12 * SEGMENT)))
    )


def work(home: Path, round_: int, where: str) -> None:
    """Put and destroy until killed; a line for every answer, written only once it was given."""
    rig = Rig(home, start=START + YEAR * round_, where=where)
    rig.vault.resume()
    chance = random.Random(round_)
    old = [s.address for s in rig.vault.index.objects() if s.state != "destroyed"]
    sys.stdout.write("ready\n")
    for seed in range(round_ * 100_000, (round_ + 1) * 100_000):
        stored = rig.vault.put(io.BytesIO(content(seed)), case=f"c{seed % 3}", by="anna")
        sys.stdout.write(f"put {stored.address} {seed}\n")
        sys.stdout.flush()
        if seed % 5 == 0:
            rig.custody.checkpoint()
        if old and chance.random() < 0.5:
            address = old.pop()
            if rig.vault.index.asked(address) is None:
                rig.keeping.ask_destruction(address, by="anna", reason="r")
            rig.keeping.confirm_destruction(address, by="ben")
            sys.stdout.write(f"gone {address}\n")
            sys.stdout.flush()


class Kills:
    """Rounds of killing over one vault; remembers everything that was answered."""

    def __init__(self, home: Path, where: str = "") -> None:
        self.home, self.where, self.round = home, where, 0
        self.put: dict[str, int] = {}
        self.gone: set[str] = set()
        self.unanswered = self.halves = 0

    def kill_once(self, chance: random.Random) -> None:
        """One process, one kill after up to 0.3 s of work, one look at what is left."""
        answers = self.home.parent / f"answers{self.round}"
        with answers.open("wb") as out, (self.home.parent / "errors").open("wb") as errors:
            made = subprocess.Popen(
                [sys.executable, "-u", __file__, "--work", str(self.home), str(self.round), self.where],
                stdout=out,
                stderr=errors,
            )
            end = time.monotonic() + 120
            while b"ready" not in answers.read_bytes():
                assert made.poll() is None, (self.home.parent / "errors").read_text()
                assert time.monotonic() < end
                time.sleep(0.005)
            time.sleep(chance.uniform(0, 0.3))
            made.kill()
            made.wait()
        for line in answers.read_text().splitlines(keepends=True):
            if line.startswith("put") and line.endswith("\n"):
                _, address, seed = line.split()
                self.put[address] = int(seed)
            elif line.startswith("gone") and line.endswith("\n"):
                self.gone.add(line.split()[1])
        self.round += 1
        self.look()

    def look(self) -> None:
        """Nothing answered is lost, nothing stands half, all is proven, and no bytes are left without an owner."""
        rig = Rig(self.home, start=START + YEAR * self.round, where=self.where)
        try:
            objects = {s.address: s for s in rig.vault.index.objects()}
            self.halves += len(rig.vault.index.intakes()) + len(list(rig.vault.index.objects(settled=False)))
            rig.vault.resume()
            rig.vault.sweep(timedelta(0))
            assert rig.problems() == []
            assert self.put.keys() <= objects.keys()
            for address in self.gone:
                assert objects[address].state == "destroyed"
            for stored in objects.values():
                if stored.state == "destroyed":
                    assert rig.keeping.certificate(stored.address).sha256 == stored.sha256
                    continue
                body = b"".join(rig.vault.unsealed(stored))
                assert sha256(body).hexdigest() == stored.sha256
                if stored.address in self.put:
                    assert body == content(self.put[stored.address])
            self.unanswered += len(objects.keys() - self.put.keys())
            kept = {s.locator for s in objects.values() if s.state != "destroyed"}
            assert {n.split("/")[1] for n in rig.names() if n.startswith("objects/")} == kept
            self.put |= {a: int.from_bytes(b"".join(rig.vault.unsealed(s))[:8]) for a, s in objects.items()
                         if a not in self.put and s.state != "destroyed"}  # fmt: skip
        finally:
            rig.close()


def main() -> None:
    """The script's own way in."""
    if sys.argv[1] == "--work":
        try:
            work(Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
        except CasebookError as error:
            sys.exit(str(error))
        return
    with ExitStack() as stack:
        directory, where = stack.enter_context(tempfile.TemporaryDirectory()), ""
        if "--postgresql" in sys.argv:
            where = stack.enter_context(stack.enter_context(server()).empty())
        kills = Kills(Path(directory) / "vault", where)
        chance = random.Random()
        for number in range(1, int(sys.argv[1]) + 1):
            kills.kill_once(chance)
            if number % 20 == 0:
                said = (
                    f"{number} kills: {len(kills.put)} taken in, {len(kills.gone)} destroyed and answered,",
                    f"{kills.halves} acts found unfinished, {kills.unanswered} done but not answered; nothing lost",
                )
                print(*said, flush=True)


if __name__ == "__main__":
    main()
