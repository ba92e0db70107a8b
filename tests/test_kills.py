"""kill -9 during intake, decision, destruction and migration: nothing answered is lost, nothing stands half.

A few rounds on both databases; `kills.py` does many.
"""

import os
import random
from pathlib import Path

import pytest

from kill_migration import MigrationKills
from kill_rounds import Nursery
from kill_service import ServiceKills
from kill_vault import VaultKills


@pytest.fixture
def where(casebook_address: str) -> str:
    """An empty PostgreSQL, or "" for files beside."""
    return casebook_address if "://" in casebook_address else ""


@pytest.fixture
def chance() -> random.Random:
    return random.Random(os.getpid())


def test_a_service_that_is_killed_has_all_that_it_answered(
    tmp_path: Path, where: str, chance: random.Random
) -> None:
    with Nursery("kill_service.py") as nursery:
        kills = ServiceKills(tmp_path, where, nursery)
        while kills.round < 4 or (kills.round < 20 and not kills.reviewer.number):
            kills.kill_once(chance)
    kills.look(whole=True)
    assert kills.files.answered
    assert kills.reviewer.number


def test_a_vault_that_is_killed_has_what_it_took_in_and_not_what_it_destroyed(
    tmp_path: Path, where: str, chance: random.Random
) -> None:
    with Nursery("kill_vault.py") as nursery:
        kills = VaultKills(tmp_path, where, nursery)
        while kills.round < 5 or (kills.round < 25 and not kills.gone):
            kills.kill_once(chance)
    assert kills.put
    assert kills.gone


def test_a_migration_that_is_killed_was_never_begun(
    tmp_path: Path, where: str, chance: random.Random
) -> None:
    with Nursery("kill_migration.py") as nursery:
        kills = MigrationKills(tmp_path, where, nursery)
        for _ in range(3):
            kills.kill_once(chance)
