"""The meaning layer and its fold: bounded, gated, never alarming alone, without text."""

import gzip
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from underwing.engine import Engine, MemoryState
from underwing.model import Account, Decision, Message
from underwing.packs import load_packs
from underwing.policy import load_policy
from underwing.risk import PairState, Reading, Settings, evidence_of, fold_reading, levels_of
from underwing.text import Meaning, canonical
from underwing.text.meaning import MODEL_FILE, ModelFile, Sense

S = Settings()
nats = st.floats(-50, 50, allow_nan=False)


class Fixed:
    """A meaning layer that says the same of every message, and counts how often it is asked."""

    version = "fixed"

    def __init__(self, now: float) -> None:
        self.sense, self.asked = Sense(now, 0.0, 0.0), 0

    def read(self, view: str) -> Sense:
        """The same sense for every view."""
        self.asked += 1
        return self.sense

    def read_again(self, view: str, first: Sense) -> Sense:
        """A second reading says no more."""
        return first

    def stage(self, view: str) -> str:
        """The same stage for every view."""
        return "isolate"


@given(st.lists(st.tuples(nats, nats, nats, st.integers(0, 10**6)), max_size=60))
def test_evidence_is_bounded_and_small(messages: list[tuple[float, float, float, int]]) -> None:
    reading: Reading | None = None
    for what, (now, own, other, at) in enumerate(messages):
        reading, gain = fold_reading(
            reading, (now, own, other), [], at, S, counts=True, worded=lambda: True, what=what
        )
        assert S.reading_floor <= reading.evidence <= S.reading_cap
        assert abs(gain) <= S.reading_cap - S.reading_floor
        assert reading.worded <= 9
    if reading is not None:
        assert len(msgspec.msgpack.encode(reading)) < 112


@given(st.integers(0, 10**7))
def test_evidence_fades(gap: int) -> None:
    reading = Reading(evidence=3.0, at=1000)
    assert 0 <= evidence_of(reading, 1000 + gap, S) <= 3.0
    assert evidence_of(reading, 1000 - gap, S) == 3.0


def test_what_does_not_count_leaves_only_context() -> None:
    reading, gain = fold_reading(None, (5.0, 1.0, -1.0), [], 10, S, counts=False, worded=lambda: True)
    assert (gain, reading.evidence, reading.own, reading.other, reading.worded) == (0.0, 0.0, 1.0, -1.0, 0)


def test_the_layer_stays_below_urgent_and_needs_a_word_of_a_pack() -> None:
    now = 10**6
    most = Reading(evidence=S.reading_cap, at=now)
    assert S.reading_most < S.urgent
    assert levels_of(PairState(now, reading=most), now, S)[0] == 1
    assert levels_of(PairState(now, reading=msgspec.structs.replace(most, worded=1)), now, S)[0] == 2


def talk(engine: Engine, text: str, *, minor: bool | None) -> list[Decision]:
    state, start = MemoryState(), datetime(2026, 1, 1, tzinfo=UTC)
    if minor is not None:
        engine.step(state, Account(id="child", minor=minor))
    return [
        engine.step(
            state,
            Message(
                id=f"e{i}", at=start + timedelta(minutes=i), surface="dm", conversation="c", sender="other",
                to=["child"], text=text,
            ),
        )
        for i in range(8)
    ]  # fmt: skip


@pytest.mark.parametrize("minor", [None, False])
def test_the_gate_is_closed_where_no_minor_is_known(minor: bool | None) -> None:
    layer = Fixed(5.0)
    decisions = talk(Engine(load_packs(), load_policy(), meaning=layer), "the parcel is here", minor=minor)  # type: ignore[arg-type]
    assert layer.asked == 0
    assert {d.level for d in decisions} == {"none"}


def test_the_layer_alone_never_reaches_review() -> None:
    layer = Fixed(5.0)
    decisions = talk(Engine(load_packs(), load_policy(), meaning=layer), "zrrblt qwvvnk mxxrp", minor=True)  # type: ignore[arg-type]
    assert layer.asked == 8
    assert {d.level for d in decisions} <= {"none", "watch"}


def test_the_shipped_layer_reads_the_same_twice_and_takes_odd_text() -> None:
    layer, again = Meaning.load(second=True), Meaning.load(second=True)
    assert layer.version.removesuffix("+e5") == Meaning.load(second=False).version
    for text in (
        "dont tell your mum about this ok",
        "the bus leaves at nine",
        "",
        "\x00\ud800 \u202e",
        "a" * 5000,
    ):
        view = canonical(text)
        first = layer.read(view)
        assert first == again.read(view) == layer.read(view)
        assert layer.read_again(view, first) == again.read_again(view, first) == layer.read_again(view, first)
        assert layer.stage(view) == again.stage(view)


def test_only_what_is_not_dull_is_read_again() -> None:
    asked: list[str] = []

    class Second:
        def read(self, view: str) -> tuple[float, ...]:
            asked.append(view)
            return 3.0, 1.0, -1.0

    file = msgspec.msgpack.decode(gzip.decompress(MODEL_FILE.read_bytes()), type=ModelFile)
    layer = Meaning(file, Second())  # type: ignore[arg-type]
    dull, telling = Sense(0.0, 0.0, 0.0, dull=True), Sense(1.0, 0.0, -1.0)
    assert layer.version == f"{file.version}+e5"
    assert layer.read_again("same here", dull) is dull
    assert layer.read_again("some words", telling) == Sense(2.0, 0.5, -1.0)
    assert asked == ["some words"]
    assert Meaning(file).read_again("some words", telling) is telling


@given(st.integers(0, 300))
def test_small_talk_takes_back_little(count: int) -> None:
    reading: Reading | None = None
    for now in [2.0, 2.0, *[-3.0] * count]:
        reading, _ = fold_reading(reading, (now, 0.0, 0.0), [], 100, S, counts=True, worded=lambda: True)
    assert reading is not None
    assert reading.evidence >= 2 * S.reading_each - S.reading_back


@given(st.lists(st.tuples(nats, nats, nats), min_size=1, max_size=40))
def test_what_is_dull_adds_nothing_and_is_no_context(messages: list[tuple[float, float, float]]) -> None:
    start, _ = fold_reading(None, (2.0, 1.0, -1.0), [], 100, S, counts=True, worded=lambda: True)
    reading = start
    for senses in messages:
        reading, gain = fold_reading(reading, senses, [], 100, S, counts=True, worded=lambda: True, dull=True)
        assert -S.reading_each <= gain <= 0
    assert (reading.own, reading.other, reading.weight) == (start.own, start.other, start.weight)
    assert reading.worded == start.worded


@pytest.mark.parametrize("text", ["haha yes", "same here", "did you see the match"])
def test_small_talk_leaves_no_context(text: str) -> None:
    engine, state = Engine(load_packs(), load_policy(), meaning=Meaning.load()), MemoryState()
    engine.step(state, Account(id="child", minor=True))
    seen = []
    for number, said in enumerate(["dont tell your mum about this", text]):
        message = Message(
            id=f"e{number}", at=datetime(2026, 1, 1, tzinfo=UTC), surface="dm", conversation="c", sender="x",
            to=["child"], text=said,
        )  # fmt: skip
        engine.step(state, message)
        pair = state.pairs.get("x\x1fchild")
        assert pair is not None
        assert pair.reading is not None
        seen.append(pair.reading)
    before, after = seen
    assert (before.own, before.other, before.weight) == (after.own, after.other, after.weight)
    assert after.evidence <= before.evidence


def test_a_known_minor_gathers_less() -> None:
    older, younger = None, None
    for _ in range(20):
        older, _ = fold_reading(older, (2.0, 0.0, 0.0), [], 100, S, counts=True, worded=lambda: True)
        younger, _ = fold_reading(
            younger, (2.0, 0.0, 0.0), [], 100, S, counts=True, worded=lambda: True, minor=True
        )
    assert older is not None
    assert younger is not None
    assert older.evidence == S.reading_cap
    assert younger.evidence == round(S.reading_cap * S.reading_minor, 3)
    older, back = fold_reading(older, (-3.0, 0.0, 0.0), [], 100, S, counts=True, worded=lambda: True)
    younger, same = fold_reading(
        younger, (-3.0, 0.0, 0.0), [], 100, S, counts=True, worded=lambda: True, minor=True
    )
    assert back == same == -S.reading_each
