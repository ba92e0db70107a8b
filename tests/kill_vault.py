"""A process that takes evidence in and destroys it is killed; then everything is looked at."""

import io
import random
import sys
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

from kill_rounds import Nursery, Round, fork_for_each_line
from vault_cases import SEGMENT, START, Rig

YEAR = timedelta(days=400)


def content(seed: int) -> bytes:
    """Different bytes for every seed, of 0 to 12 segments."""
    chance = random.Random(seed)
    return seed.to_bytes(8) + chance.randbytes(
        chance.choice((0, 1, SEGMENT - 8, chance.randrange(12 * SEGMENT)))
    )


def work(place: str, round_: int, where: str) -> None:
    """Put and destroy until killed; a line for every answer, written only once it was given."""
    rig = Rig(Path(place), start=START + YEAR * round_, where=where)
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


class VaultKills:
    """Rounds of killing over one vault; remembers everything that was answered."""

    def __init__(self, folder: Path, where: str, nursery: Nursery) -> None:
        self.folder, self.home, self.where, self.nursery, self.round = (
            folder,
            folder / "vault",
            where,
            nursery,
            0,
        )
        self.put: dict[str, int] = {}
        self.gone: set[str] = set()

    def kill_once(self, chance: random.Random) -> Round:
        """One process, one kill after up to five answers and 0.3 s, one look at what is left."""
        acts, seconds = chance.randrange(6), chance.uniform(0, 0.3)
        lines = self.nursery.answers(self.folder, acts, seconds, str(self.home), self.round, self.where)
        told = [line.split() for line in lines]
        put = {line[1]: int(line[2]) for line in told if line[0] == "put"}
        gone = {line[1] for line in told if line[0] == "gone"}
        self.put |= put
        self.gone |= gone
        self.round += 1
        return Round(seconds, f"{len(put)} taken in, {len(gone)} destroyed", self.look())

    def look(self) -> str:
        """Nothing answered is lost, nothing stands half, all is proven, and no bytes are left without an owner; what was
        unfinished, and what was done and not answered."""
        rig = Rig(self.home, start=START + YEAR * self.round, where=self.where)
        try:
            objects = {s.address: s for s in rig.vault.index.objects()}
            halves = len(rig.vault.index.intakes()) + len(list(rig.vault.index.objects(settled=False)))
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
            unanswered = len(objects.keys() - self.put.keys())
            kept = {s.locator for s in objects.values() if s.state != "destroyed"}
            assert {n.split("/")[1] for n in rig.names() if n.startswith("objects/")} == kept
            self.put |= {a: int.from_bytes(b"".join(rig.vault.unsealed(s))[:8]) for a, s in objects.items()
                         if a not in self.put and s.state != "destroyed"}  # fmt: skip
            return f"{halves} begun and unfinished, {unanswered} done but not answered"
        finally:
            rig.close()


if __name__ == "__main__":
    fork_for_each_line(work)
