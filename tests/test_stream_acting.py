"""What decisions ask of streams is done beside the engine, tried again, and told; what is kept outlives the service."""

import asyncio
import time
from pathlib import Path

import pytest

from test_live_ended import platform
from underwing.model import Decision, Reason, Versions, encode
from underwing.server.streams import acting
from underwing.server.streams.acting import Hand
from underwing.server.streams.answers import NewStream
from underwing.server.streams.following import Following
from underwing.server.streams.store import Act, StreamStore

REASON = Reason(
    signal="threat.expose", stage="threat", span=None, weight=1.0, at="t", event="e", source="own"
)
DECISION = Decision(
    event="e", level="urgent", actor="a", target="kid", stage="threat", actions=("end_stream",), reasons=(REASON,),
    versions=Versions(engine="1", packs="p", policy="p"),
)  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> StreamStore:
    return StreamStore(tmp_path / "streams.db")


def wanted(store: StreamStore, action: str = "end_stream", event: str = "e", now: float | None = None) -> Act:
    (act,) = store.ask([("one", event, action, encode(DECISION))], time.time() if now is None else now)
    return act


def done(store: StreamStore, controls: tuple[str, ...], *acts: Act, secret: str = "") -> list[Act]:
    """What became of actions, as it is told."""

    async def run() -> list[Act]:
        told: list[Act] = []
        hand = Hand(store, lambda _: controls, secret, told.append)
        task = asyncio.ensure_future(hand.run())
        for act in acts:
            hand.take(act)
        async with asyncio.timeout(60):
            while sum(act.outcome != "waiting" for act in told) < len(acts):
                await asyncio.sleep(0.02)
        task.cancel()
        await hand.close()
        return told

    return asyncio.run(run())


def test_the_first_server_that_can_do_it_does_it(store: StreamStore) -> None:
    act = wanted(store, "pause_chat")
    with platform() as (address, got):
        nginx = "nginx-rtmp+http://127.0.0.1:9/control?app=a&name=b"
        (told,) = done(store, (nginx, address), act, secret="a secret of this test")
    assert (told.outcome, told.problem, told.tries) == ("done", "", 1)
    assert len(got) == 1
    assert store.acts()[0].outcome == "done"
    assert store.acts()[0].told().reasons == ("threat.expose",)


def test_a_server_that_fails_is_asked_again_and_then_it_is_told(
    store: StreamStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acting, "AGAIN", (0.05, 0.05))
    with platform(503) as (address, got):
        *before, last = done(store, (address,), wanted(store))
    assert [act.outcome for act in before] == ["waiting", "waiting"]
    assert (last.outcome, last.tries, len(got)) == ("not_done", 3, 3)
    assert "503" in last.problem


def test_what_nobody_can_do_and_what_comes_too_late_is_told(store: StreamStore) -> None:
    late = wanted(store, event="e2", now=time.time() - 3_600)
    told = done(store, (), wanted(store), late)
    assert {act.event: (act.outcome, act.problem.split(";")[0]) for act in told} == {
        "e": ("not_done", "no media server is named that can do it"),
        "e2": ("not_done", "the service did not run in time"),
    }


def test_what_is_asked_for_is_kept_once_and_waits_over_a_restart(tmp_path: Path) -> None:
    store = StreamStore(tmp_path / "streams.db")
    store.begun(NewStream(id="one", url="rtmp://x/live/one", streamer="kid"), "edge:1", 1.0)
    act = wanted(store)
    assert store.ask([("one", "e", "end_stream", encode(DECISION))], 2.0) == []
    store.close()
    store = StreamStore(tmp_path / "streams.db")
    (row,) = store.take_up()
    assert (row.asked.id, row.session, row.run, row.ended) == ("one", "edge:1", 2, None)
    assert store.acts(waiting=True) == [act]
    store.ended("one", "over", 3.0)
    (row,) = store.take_up()
    assert (row.run, row.ended, row.why) == (2, 3.0, "over")
    assert store.begun(row.asked, "", 4.0).run == 3


def test_the_same_action_is_not_asked_for_again_at_once(store: StreamStore) -> None:
    from conftest import message

    following = Following(store, {"c": {"one": "kid"}}, {"kid": "one"})
    said = [(message(n, "a", [], "x", surface="live"), encode(DECISION), False) for n in range(3)]
    assert len(following.read(said).acts) == 1
    assert following.read(said).acts == []
    following.forget("one")
    heard = following.read([(message(9, "a", "kid", "x", conversation="dm"), encode(DECISION), False)])
    assert [id for id, _, _ in heard.told] == ["one"]
    assert not following.read([(message(10, "a", "b", "x", conversation="dm"), encode(_quiet()), False)])


def test_of_streams_that_share_a_chat_the_one_that_is_meant_is_acted_on(store: StreamStore) -> None:
    from conftest import message

    following = Following(store, {"c": {"one": "kid", "two": "sam"}}, {})
    said = (message(1, "a", [], "x", surface="live"), encode(DECISION), False)
    heard = following.read([said])
    assert [act.stream for act in heard.acts] == ["one"]
    assert heard.said == {"one": 1, "two": 1}


def _quiet() -> Decision:
    return Decision(
        event="m10", level="none", actor="a", target="kid", stage=None, actions=(), reasons=(),
        versions=DECISION.versions,
    )  # fmt: skip
