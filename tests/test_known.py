"""The keys of a table: a set that holds what was put, forgets what is taken out, and stays within its bound."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import child, message
from underwing.engine import Engine, MemoryState, Runner
from underwing.engine.known import KnownKeys
from underwing.engine.state import MemoryTable
from underwing.engine.store import SCHEMA, connect
from underwing.engine.stored import StoredState
from underwing.model import Event, encode
from underwing.risk import PairState

keys = st.integers(0, 30).map("k{}".format)


@given(st.lists(st.tuples(st.none() | st.integers(0, 2**32 - 1), keys), max_size=200))
def test_it_is_a_set_with_notes(steps: list[tuple[int | None, str]]) -> None:
    known, wanted = KnownKeys(100), dict[str, int]()
    for note, key in steps:
        if note is None:
            known.discard(key)
            wanted.pop(key, None)
        else:
            assert known.add(key, note) == (key not in wanted)
            wanted[key] = note
        assert all((f"k{n}" in known) == (f"k{n}" in wanted) for n in range(31))
        assert list(known.among([f"k{n}" for n in range(31)])) == [
            f"k{n}" for n in range(31) if f"k{n}" in wanted
        ]
        assert all(known.note(f"k{n}") == wanted.get(f"k{n}", 0) for n in range(31))


def test_it_grows_and_keeps_all_while_keys_come_and_go() -> None:
    known = KnownKeys(10_000, (f"a{n}" for n in range(3_000)))
    for n in range(3_000, 40_000):
        known.add(f"a{n}", n)
        known.discard(f"a{n - 3_000}")
    assert known.whole
    assert [n for n in range(40_000) if f"a{n}" in known] == list(range(37_000, 40_000))
    assert all(known.note(f"a{n}") == n for n in range(37_000, 40_000))
    assert len(known._row) <= 4 * 4_096


def test_too_many_are_not_whole() -> None:
    assert KnownKeys(10, map(str, range(10))).whole
    assert not KnownKeys(10, map(str, range(11))).whole
    known = KnownKeys(2_000)
    for n in range(100_000):
        known.add(str(n))
    assert not known.whole
    assert len(known._row) <= 4 * 2_048


def test_a_table_in_memory_has_what_it_has_not_forgotten() -> None:
    table: MemoryTable[PairState] = MemoryTable(3)
    for n in range(5):
        table.put(str(n), PairState(n))
    table.put("2", PairState(9))
    table.put("5", PairState(5))
    assert [str(n) in table for n in range(6)] == [False, False, True, False, True, True]
    assert [key for key, _ in table.items()] == ["4", "2", "5"]


@pytest.mark.parametrize("known", [0, 1, 32])
def test_what_a_file_has_is_found_however_few_keys_are_remembered(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: int
) -> None:
    monkeypatch.setattr("underwing.engine.stored._KNOWN", known)
    events: list[Event] = [child("k")]
    events += [message(n, f"a{n % 37}", "k", "home alone" if n % 3 else "hello") for n in range(300)]
    state = MemoryState()
    expected = [encode(engine.step(state, event)) for event in events]
    got = []
    for start in range(0, len(events), 50):  # a new process each time
        with Runner(engine, tmp_path / "a.db", capacity=20) as runner:
            got += [answer.body for answer in runner.process(events[start : start + 50])]
    assert got == expected


def test_what_is_not_written_yet_is_there_when_the_keys_are_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("underwing.engine.stored._KNOWN", 1)
    connection = connect(tmp_path / "a.db")
    connection.executescript(SCHEMA)
    pairs = StoredState(connection, 100).pairs
    everyone = [f"p{n}" for n in range(2_000)]
    for n, key in enumerate(everyone):
        pairs.put(key, PairState(n, fast=float(n % 2)))
    wanted = {key: PairState(n, fast=float(n % 2)) for n, key in enumerate(everyone)}
    assert pairs.fetch(everyone) == wanted
    assert {key: pairs.get(key) for key in everyone if key in pairs} == wanted
    pairs.flush()
    pairs.trim()
    assert pairs.fetch([*everyone, "nobody"]) == wanted
    assert "nobody" not in pairs
    connection.close()


def test_what_was_rolled_back_is_not_there(engine: Engine, tmp_path: Path) -> None:
    connection = connect(tmp_path / "a.db")
    connection.executescript(SCHEMA)
    state = StoredState(connection, 10)
    state.pairs.put("kept", PairState(1))
    state.pairs.flush()
    state.pairs.trim()
    connection.execute("BEGIN")
    state.pairs.put("lost", PairState(1))
    state.pairs.put("lost", PairState(3))
    state.pairs.put("kept", PairState(2, fast=1.0))
    assert state.pairs.get("kept") == PairState(2, fast=1.0)
    state.pairs.put("kept", PairState(2))
    state.pairs.flush()
    connection.execute("ROLLBACK")
    state.pairs.forget()
    assert "lost" not in state.pairs
    assert state.pairs.get("lost") is None
    assert "kept" in state.pairs
    assert state.pairs.get("kept") == PairState(1)
    connection.close()
