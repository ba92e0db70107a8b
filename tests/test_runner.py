"""The embedded runner: durable, idempotent, exact, and alone on its file."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from conftest import child, message, write_pack
from underwing.engine import Decisions, Engine, MemoryState, Runner, StoreError
from underwing.model import BadEvent, Decision, Event, encode

TEXTS = [
    "home alone",
    "picture of you",
    "hello",
    "dont tell",
    "no way",
    "pay me",
    "everyone will see",
    "nice",
]


def some_events(count: int) -> list[Event]:
    chance = random.Random(7)
    events: list[Event] = [child(f"k{n}") for n in range(5)]
    for n in range(count):
        events.append(message(n, f"a{chance.randrange(9)}", f"k{chance.randrange(5)}", chance.choice(TEXTS)))
    return events


def test_stored_and_in_memory_decide_alike_even_with_a_tiny_cache(engine: Engine, tmp_path: Path) -> None:
    events = some_events(400)
    state = MemoryState()
    expected = [encode(engine.step(state, e)) for e in events]
    with Runner(engine, tmp_path / "a.db", capacity=2) as runner:
        got = [runner.process([e])[0].body for e in events]
    assert got == expected


def test_batches_do_not_change_anything(engine: Engine, tmp_path: Path) -> None:
    events = some_events(300)
    with Runner(engine, tmp_path / "a.db") as one, Runner(engine, tmp_path / "b.db") as many:
        single = [one.process([e])[0].body for e in events]
        assert [a.body for a in many.process(events)] == single


def test_an_answered_event_gets_the_same_bytes(engine: Engine, tmp_path: Path) -> None:
    events = some_events(50)
    with Runner(engine, tmp_path / "a.db") as runner:
        first = runner.process(events)
        again = runner.process(events)
        changed = runner.process([message(0, "a0", "k0", "pay me or everyone will see")])
    assert [a.body for a in again] == [a.body for a in first]
    assert changed[0].repeated
    with Runner(engine, tmp_path / "a.db") as runner:
        assert [a.body for a in runner.process(events)] == [a.body for a in first]


def test_a_repeat_inside_one_batch(engine: Engine, tmp_path: Path) -> None:
    with Runner(engine, tmp_path / "a.db") as runner:
        first, second = runner.process([message(1, "a", "k", "hello"), message(1, "a", "k", "hello")])
    assert first.body == second.body
    assert second.repeated


def test_a_failure_in_a_batch_leaves_nothing(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Runner(engine, tmp_path / "a.db") as runner:
        runner.process([child("k"), message(1, "a", "k", "home alone")])
        real = engine.step

        def failing(state: object, event: Event) -> Decision:
            if event.id == "m3":
                raise RuntimeError("broken")
            return real(state, event)  # type: ignore[arg-type]

        monkeypatch.setattr(engine, "step", failing)
        with pytest.raises(RuntimeError):
            runner.process([message(2, "a", "k", "picture of you"), message(3, "a", "k", "dont tell")])
        monkeypatch.undo()
        assert runner.decision("m2") is None
        one = runner.process([message(2, "a", "k", "picture of you")])[0]
    state = MemoryState()
    for event in (child("k"), message(1, "a", "k", "home alone")):
        engine.step(state, event)
    assert one.body == encode(engine.step(state, message(2, "a", "k", "picture of you")))


def test_bad_lines_do_not_stop_good_ones(engine: Engine, tmp_path: Path) -> None:
    with Runner(engine, tmp_path / "a.db") as runner:
        good = encode(message(1, "a", "k", "hello"))
        answers = runner.process_lines([b"{", good, b'{"type":"message"}', b"\xff"])
    assert [isinstance(a, BadEvent) for a in answers] == [True, False, True, True]


def test_one_file_one_runner(engine: Engine, tmp_path: Path) -> None:
    with Runner(engine, tmp_path / "a.db"), pytest.raises(StoreError, match="in use"):
        Runner(engine, tmp_path / "a.db")


def test_another_programs_file_is_left_alone(engine: Engine, tmp_path: Path) -> None:
    import sqlite3

    other = sqlite3.connect(tmp_path / "a.db")
    other.execute("CREATE TABLE theirs (x)")
    other.commit()
    other.close()
    with pytest.raises(StoreError, match="another program"):
        Runner(engine, tmp_path / "a.db")


def test_explanations_are_read_while_it_runs(engine: Engine, tmp_path: Path) -> None:
    with Runner(engine, tmp_path / "a.db") as runner:
        runner.process(
            [child("k"), message(1, "a", "k", "home alone"), message(2, "a", "k", "picture of you")]
        )
        reader = Decisions.of(tmp_path / "a.db")
        decisions = [msgspec.json.decode(b, type=Decision) for b in reader.explain(actor="a", target="k")]
    assert [d.event for d in decisions] == ["m1", "m2"]
    assert decisions[1].reasons[0].event == "m1"


def test_no_message_text_reaches_the_disk(engine: Engine, tmp_path: Path) -> None:
    with Runner(engine, tmp_path / "a.db") as runner:
        runner.process([child("k"), message(1, "a", "k", "zanzibarheron are you home alone zanzibarheron")])
    for path in tmp_path.iterdir():
        assert b"zanzibarheron" not in path.read_bytes()


def test_pruned_answers_are_forgotten_and_reasons_stay(engine: Engine, tmp_path: Path) -> None:
    with Runner(engine, tmp_path / "a.db") as runner:
        runner.process([child("k"), message(1, "a", "k", "hello"), message(2, "a", "k", "home alone")])
        assert runner.prune(before=2**40) == 1
        assert runner.decision("m1") is None
        assert runner.decision("m2") is not None


WORKER = """
import sys
from pathlib import Path
from underwing.engine import Engine, Runner
from underwing.packs import load_packs
from underwing.policy import load_policy
runner = Runner(Engine(load_packs(Path(sys.argv[2]), builtin=False), load_policy()), sys.argv[1])
for line in sys.stdin.buffer:
    (answer,) = runner.process_lines([line])
    sys.stdout.buffer.write(answer.body + b"\\n")
    sys.stdout.buffer.flush()
"""


def test_kill_minus_nine_loses_no_answer(engine: Engine, tmp_path: Path) -> None:
    """Killed at random moments and started again over the same file, the answers are those of one quiet run."""
    packs = write_pack(tmp_path / "packs")
    events = some_events(400)
    lines = [encode(e) for e in events]
    state = MemoryState()
    expected = [encode(engine.step(state, e)) for e in events]
    expected_by_id = {e.id: b for e, b in zip(events, expected, strict=True)}
    chance = random.Random(3)
    answered: dict[str, bytes] = {}
    position = 0
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(tmp_path / "a.db"), str(packs)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin
        assert process.stdout
        stop_after = chance.randrange(20, 60)
        for line in lines[max(0, position - 5) :][:stop_after]:
            process.stdin.write(line + b"\n")
            process.stdin.flush()
            body = process.stdout.readline()[:-1]
            event = json.loads(line)["id"]
            answered[event] = body
            position = max(position, lines.index(line) + 1)
        ahead = lines[position : position + 10]
        process.stdin.write(b"".join(line + b"\n" for line in ahead))
        process.stdin.flush()
        time.sleep(chance.random() * 0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    assert len(answered) > 100
    # Only accounts are folded again when repeated; their facts are the same, so nothing changes.
    for event, body in answered.items():
        assert body == expected_by_id[event], event
    with Runner(engine, tmp_path / "a.db") as runner:
        for event, body in answered.items():
            if event.startswith("m"):
                assert runner.decision(event) == body
