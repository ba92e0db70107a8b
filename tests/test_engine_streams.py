"""A live stream in the fold: whose it is, what is seen in it, and words that press a child beside it."""

from datetime import UTC, datetime, timedelta

import pytest

from underwing.engine import Engine, MemoryState
from underwing.model import Account, Decision, Gift, MediaMatch, MediaScore, Message, Stream, StreamFrame
from underwing.packs import load_packs
from underwing.policy import load_policy

START = datetime(2026, 5, 1, 18, 0, tzinfo=UTC)
ROOM = "stream-1"


class Live:
    """A stream of a child (or of `age`), with viewers who write, give and watch."""

    def __init__(self, engine: Engine, age: int = 13) -> None:
        self.engine, self.state, self.count = engine, MemoryState(), 0
        self.now = START
        self.step(Account(id="child", declared_age=age, minor=age < 18))
        for viewer in ("v1", "v2", "v3"):
            self.step(Account(id=viewer, declared_age=30, minor=False))
        self.step(Stream(id=self.id(), at=self.now, conversation=ROOM, sender="child", state="started"))

    def id(self) -> str:
        self.count += 1
        return f"e{self.count}"

    def step(self, event: object) -> Decision:
        return self.engine.step(self.state, event)  # type: ignore[arg-type]

    def says(self, who: str, text: str, after: float = 5.0) -> Decision:
        self.now += timedelta(seconds=after)
        return self.step(
            Message(id=self.id(), at=self.now, surface="live", conversation=ROOM, sender=who, text=text)
        )

    def gives(self, who: str, coins: int, after: float = 5.0) -> Decision:
        self.now += timedelta(seconds=after)
        return self.step(
            Gift(id=self.id(), at=self.now, conversation=ROOM, sender=who, to="child", coins=coins)
        )

    def frame(self, score: float | None = None, label: str = "", after: float = 5.0) -> Decision:
        self.now += timedelta(seconds=after)
        match = MediaMatch(bank="known", entry="1", label=label, signal="pdq", distance=4) if label else None
        guess = MediaScore(name="stub", version="1", score=score, meaning="") if score is not None else None
        seconds = (self.now - START).total_seconds()
        return self.step(
            StreamFrame(
                id=self.id(), at=self.now, conversation=ROOM, sender="child", second=seconds,
                matches=[match] if match else [], score=guess,
            )
        )  # fmt: skip


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(load_packs(), load_policy())


def test_words_and_what_is_seen_warn_together_and_give_both_reasons(engine):
    live = Live(engine)
    alone = [live.frame(0.95).level, live.gives("v1", 500).level]
    live = Live(engine)
    words = live.says("v1", "do it now, 500 coins if you stand up and show us")
    assert words.level in ("none", "watch")
    live.gives("v1", 500)
    decision = live.frame(0.95)
    assert alone == ["none", "none"]
    assert decision.level == "review"
    assert {reason.signal for reason in decision.reasons} >= {"stream.frame", "stream.gift"}
    assert any(
        reason.event == "e6" or reason.stage in ("incentive", "pressure", "go_live")
        for reason in decision.reasons
    )
    assert {"warn_streamer", "pause_chat", "blur_stream", "open_case", "page"} <= set(decision.actions)
    assert (decision.actor, decision.target) == ("v1", "child")


def test_it_warns_once_and_not_with_every_frame(engine):
    live = Live(engine)
    live.says("v1", "do it now, 500 coins if you stand up and show us")
    live.gives("v1", 500)
    rung = [("page" in live.frame(0.95).actions) for _ in range(5)]
    assert rung.count(True) == 1


def test_what_is_seen_without_words_never_warns(engine):
    live = Live(engine)
    assert {live.frame(1.0, after=1).level for _ in range(50)} | {
        live.gives("v2", 10_000, 1).level for _ in range(50)
    } == {"none"}


def test_a_grown_streamer_is_not_watched_over(engine):
    live = Live(engine, age=30)
    live.says("v1", "do it now, 500 coins if you stand up and show us")
    assert live.frame(1.0).level == "none"
    assert live.gives("v1", 500).level == "none"


def test_what_a_list_names_ends_the_stream_and_wakes_somebody(engine):
    decision = Live(engine).frame(label="csam")
    assert decision.level == "review"
    assert {"end_stream", "open_case", "page"} <= set(decision.actions)
    assert "into the stream" in decision.reasons[0].source
    assert Live(engine).frame(label="blocked").actions == ("end_stream",)


def test_a_stream_that_cannot_be_seen_is_an_alarm(engine):
    live = Live(engine)
    unseen = Stream(
        id="u", at=live.now, conversation=ROOM, sender="child", state="unseen", why="no keyframe for 30 s"
    )
    decision = live.step(unseen)
    assert decision.level == "review"
    assert decision.target == "child"
    assert decision.actor is None
    assert {"open_case", "page"} <= set(decision.actions)
    assert decision.reasons[0].source == "no keyframe for 30 s"
    assert Live(engine, age=40).step(unseen).level == "watch"


def test_chat_addresses_the_child_whose_stream_it_is(engine):
    live = Live(engine)
    live.says("v2", "hello everybody")
    decision = live.says("v1", "do it now, 500 coins if you stand up and show us")
    assert decision.target == "child"


def test_a_calm_stream_stays_calm(engine):
    live = Live(engine)
    said = ["nice build!", "what's that song", "gg", "love this game", "can you play the next level", "lol"]
    levels = {live.says(f"v{n % 3 + 1}", text).level for n, text in enumerate(said * 10)}
    levels |= {live.gives("v1", 20).level, live.frame(0.3).level, live.gives("v2", 5).level}
    assert levels == {"none"}


def test_a_new_stream_forgets_what_was_seen_in_the_last(engine):
    live = Live(engine)
    live.frame(0.95)
    live.step(Stream(id="end", at=live.now, conversation=ROOM, sender="child", state="ended"))
    live.step(Stream(id="again", at=live.now, conversation=ROOM, sender="child", state="started"))
    room = live.state.rooms.get(ROOM)
    assert room is not None
    assert room.seen == ()
    assert room.host == "child"
