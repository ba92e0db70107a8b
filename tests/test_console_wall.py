"""The order of the wall and the timeline of a stream, as pure functions."""

from msgspec.structs import replace

from underwing.live.watch import Health
from underwing.model import Decision, Level, Reason, Versions
from underwing.server.console.stream_line import MOST, line
from underwing.server.console.wall import LATELY, Whose, tile, wall
from underwing.server.streams.answers import Happened, NewStream
from underwing.server.streams.standing import Gap, Standing
from underwing.server.streams.store import Act, Ground, Row

NOW = 1_800_000_000.0


def stream(id: str, state: str = "watching") -> Standing:
    asked = NewStream(id=id, url="rtmp://x/live/x", streamer="kid")
    one = Standing(Row(asked=asked, session="", run=1, started=NOW - 60, ended=None, why=""))
    one.health, one.since, one.ever_seen = Health(state=state), NOW - 30, True  # type: ignore[arg-type]
    return one


def happened(
    event: str, level: str = "none", *, at: float = NOW, type: str = "message", **more: object
) -> Happened:
    return Happened(at=at, event=event, type=type, level=level, stage="threat", **more)  # type: ignore[arg-type]


def decision(event: str, *reasons: str) -> Decision:
    told = tuple(
        Reason(
            signal=f"en.{name}", stage="threat", span=None, weight=1.0, at="2027-01-15T08:00:00Z", event=name,
            source="own",
        )
        for name in reasons
    )  # fmt: skip
    return Decision(
        event=event, level="review", actor="v", target="kid", stage="threat", actions=(), reasons=told,
        versions=Versions(engine="", packs="", policy=""),
    )  # fmt: skip


def act(number: int, action: str, at: float = NOW, outcome: str = "done") -> Act:
    ground = Ground(
        event=f"e{number}", level="none", actor=None, target=None, stage=None, actions=(), reasons=(),
        versions=Versions(engine="", packs="", policy=""),
    )  # fmt: skip
    return Act(
        number=number, stream="s", event=f"e{number}", action=action, at=at, decision=ground, outcome=outcome,
        problem="", tries=1, due=at,
    )  # type: ignore[arg-type]  # fmt: skip


def test_urgent_ones_come_first_then_those_that_nobody_sees() -> None:
    calm, watch, review, urgent = stream("a"), stream("b"), stream("c"), stream("d")
    unseen, slow, opening = stream("e"), stream("f", "opening"), stream("g", "opening")
    for one, level in ((watch, "watch"), (review, "review"), (urgent, "urgent")):
        one.events.append(happened("m", level))
    unseen.gap = Gap(NOW - 1, "no packets")
    unseen.events.append(happened("u", "review", type="stream"))
    slow.since, opening.since = NOW - 21, NOW - 19
    both = stream("h")
    both.gap = Gap(NOW - 1, "gone")
    both.events.append(happened("m", "urgent"))
    order = wall(
        tile(one, Whose(), NOW) for one in (calm, watch, opening, review, slow, unseen, both, urgent)
    )
    assert [t.one.id for t in order] == ["d", "h", "e", "f", "c", "b", "a", "g"]
    assert [t.blind for t in order] == [False, True, True, True, False, False, False, False]
    assert order[2].why == "no packets"


def test_a_stream_keeps_its_place_for_ten_minutes_and_the_sign_of_its_level_is_told() -> None:
    one = stream("a")
    one.events.extend([happened("m1", "urgent", at=NOW - LATELY), happened("m2", "watch", at=NOW - 1)])
    told = tile(one, Whose(), NOW)
    assert told.level == Level.urgent
    assert told.newest
    assert told.newest.event == "m1"
    later = tile(one, Whose(), NOW + 2)
    assert later.level == Level.watch
    assert later.newest
    assert later.newest.event == "m2"


def test_of_each_action_the_newest_of_this_run_is_told() -> None:
    one = stream("a")
    for made in (
        act(1, "end_stream", NOW - 61),
        act(2, "blur_stream"),
        act(3, "undo_blur_stream"),
        act(4, "slow_chat"),
    ):
        one.note_act(made)
    assert [made.action for made in tile(one, Whose(), NOW).acts] == ["undo_blur_stream", "slow_chat"]


def test_the_timeline_tells_each_contribution_once_at_its_event() -> None:
    events = [
        happened("s1", type="stream", at=NOW + 1, why="unseen: no packets"), happened("m2", "review", at=NOW + 2),
        happened("f1", type="stream_frame", at=NOW + 3),
    ]  # fmt: skip
    marks, left_out = line(
        events, [decision("m2", "m1", "m2"), decision("m3", "m1")], [act(1, "slow_chat", NOW + 4)], {}
    )
    assert [(mark.kind, mark.event) for mark in marks] == [
        ("act", "e1"), ("frame", "f1"), ("sign", "m2"), ("state", "s1"), ("sign", "m1"),
    ]  # fmt: skip
    assert left_out == 0
    assert [len(mark.entry.whys) for mark in marks if mark.entry] == [0, 1, 0, 1]
    assert all(not mark.entry.pieces for mark in marks if mark.entry)
    many = [replace(events[1], event=f"m{n}", at=NOW + n) for n in range(MOST + 5)]
    marks, left_out = line(many, [], [], {})
    assert (len(marks), left_out, marks[0].event) == (MOST, 5, f"m{MOST + 4}")
