"""The thread that talks to the engine: a single event does not wait for a body, and nothing is decided twice."""

import asyncio
import json
from datetime import UTC, datetime

import pytest

from underwing.engine import Engine, Runner
from underwing.engine.runner import Answer
from underwing.model import Event, Message
from underwing.packs import load_packs
from underwing.policy import load_policy
from underwing.server.ingest import Ingest
from underwing.server.metrics import Metrics

LINES = 6_000


def _line(number: int, conversation: str = "flood") -> bytes:
    return json.dumps(
        {
            "type": "message", "id": f"{conversation}-{number}", "at": datetime.now(UTC).isoformat(), "surface": "live",
            "conversation": conversation, "from": f"viewer{number % 50}", "to": [], "text": f"hello there {number}",
        }
    ).encode()  # fmt: skip


def _single(id: str) -> Message:
    return Message(
        id=id, at=datetime.now(UTC), surface="dm", conversation="quiet", sender="ann", to=("ben",), text="hi"
    )


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(load_packs(), load_policy())


def _run(engine: Engine, tmp_path, work) -> Runner:
    runner = Runner(engine, tmp_path / "store.db")

    async def go() -> None:
        ingest = Ingest(runner, Metrics(), max_waiting=1_000, max_ahead=300)
        try:
            await work(ingest)
        finally:
            await ingest.close()

    asyncio.run(go())
    return runner


def test_a_single_event_is_answered_while_a_body_is_still_read(engine, tmp_path):
    finished: list[str] = []

    async def work(ingest: Ingest) -> None:
        async def body() -> None:
            outcomes = await ingest.bulk([(n, _line(n)) for n in range(LINES)])
            finished.append("body")
            assert len(outcomes) == LINES
            assert all(isinstance(one, Answer) and not one.repeated for one in outcomes)
            assert [json.loads(one.body)["event"] for one in outcomes] == [f"flood-{n}" for n in range(LINES)]

        async def single(number: int) -> None:
            assert isinstance(await ingest.single(_single(f"quiet-{number}")), Answer)
            finished.append("single")

        running = asyncio.create_task(body())
        await asyncio.sleep(0)
        for number in range(5):
            await single(number)
        await running

    runner = _run(engine, tmp_path, work)
    assert finished == ["single"] * 5 + ["body"]
    with runner:
        assert runner.decision("quiet-4")
        assert runner.decision(f"flood-{LINES - 1}")


def test_bodies_take_turns_and_lines_that_cannot_be_read_keep_their_place(engine, tmp_path):
    async def work(ingest: Ingest) -> None:
        bodies = [
            [(n, _line(n, f"talk{k}") if n % 7 else b"{not json") for n in range(450)] for k in range(3)
        ]
        answered = await asyncio.gather(*(ingest.bulk(lines) for lines in [*bodies, []]))
        for k, outcomes in enumerate(answered[:3]):
            assert [isinstance(one, Answer) for one in outcomes] == [bool(n % 7) for n in range(450)]
            events = [json.loads(one.body)["event"] for one in outcomes if isinstance(one, Answer)]
            assert events == [f"talk{k}-{n}" for n in range(450) if n % 7]
        assert answered[3] == []

    _run(engine, tmp_path, work).close()


def test_an_event_that_the_engine_cannot_take_spoils_no_other_of_its_transaction(
    engine, tmp_path, monkeypatch
):
    step = engine.step

    def stumbles(state: object, event: Event) -> object:
        if getattr(event, "id", "") == "flood-23":
            raise RuntimeError("a mistake of ours")
        return step(state, event)  # type: ignore[arg-type]

    monkeypatch.setattr(engine, "step", stumbles)

    async def work(ingest: Ingest) -> None:
        body = asyncio.create_task(ingest.bulk([(n, _line(n)) for n in range(60)]))
        single = await ingest.single(_single("quiet-1"))
        outcomes = await body
        assert isinstance(single, Answer)
        assert [n for n, one in enumerate(outcomes) if not isinstance(one, Answer)] == [23]

    _run(engine, tmp_path, work).close()


def test_when_the_store_cannot_be_written_everybody_is_told(engine, tmp_path):
    async def work(ingest: Ingest) -> None:
        ingest.runner._connection.execute("PRAGMA query_only = ON")
        outcomes = await asyncio.gather(
            ingest.single(_single("quiet-1")), ingest.bulk([(n, _line(n)) for n in range(30)])
        )
        assert outcomes[0].status == 503  # type: ignore[union-attr]
        assert [one.status for one in outcomes[1]] == [503] * 30  # type: ignore[union-attr]
        assert not ingest.store_ok
        ingest.runner._connection.execute("PRAGMA query_only = OFF")
        assert isinstance(await ingest.single(_single("quiet-2")), Answer)
        assert ingest.store_ok

    _run(engine, tmp_path, work).close()
