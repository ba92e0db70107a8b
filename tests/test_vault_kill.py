"""kill -9 during intake and destruction: nothing answered is lost, nothing stands half. On both databases."""

import os
import random
from pathlib import Path

from vault_kills import Kills

ROUNDS = {"sqlite": 8, "postgresql": 5}


def test_nothing_answered_is_lost_and_nothing_stands_half(tmp_path: Path, casebook_address: str) -> None:
    rounds = ROUNDS["postgresql" if "://" in casebook_address else "sqlite"]
    kills, chance = Kills(tmp_path / "vault", casebook_address), random.Random(os.getpid())
    while kills.round < rounds or (kills.round < 5 * rounds and not kills.gone):
        kills.kill_once(chance)
    assert kills.put
    assert kills.gone
