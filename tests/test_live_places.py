"""Which process takes a stream, and what a watcher process says and is told: without any stream."""

import asyncio
import os
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from underwing.live import watcher
from underwing.live.attention import Senses
from underwing.live.clip import Clip
from underwing.live.crew import ClipError, Crew
from underwing.live.guard import Guard, Watched
from underwing.live.orders import Begin, End, Order, Part, Pulse, Report, Seal
from underwing.live.places import FULL_AFTER, SUSPECT_FOR, Place, again_after, choose, lane_of
from underwing.live.rolling import Keep
from underwing.live.senses import Noticed
from underwing.live.watch import Health, Sighting


@given(st.lists(st.sampled_from(["", "", "2.0", "2.1"]), max_size=400), st.integers(1, 8))
def test_streams_are_spread_and_processes_are_few(lanes: list[str], most: int) -> None:
    places: list[Place] = []
    for lane in lanes:
        number = choose(places, most, lane)
        if number is None:
            places.append(Place(len(places), 1, lane))
        else:
            assert places[number].lane == lane
            places[number] = Place(number, places[number].streams + 1, lane)
    ordinary = [place.streams for place in places if not place.lane]
    assert len(ordinary) <= most
    assert len(places) - len(ordinary) <= 2
    if len(ordinary) > 1:
        assert sum(ordinary) > FULL_AFTER
        assert max(ordinary) - min(ordinary) <= FULL_AFTER


def test_what_died_twice_of_late_is_a_suspect_and_waits_ever_longer() -> None:
    assert lane_of("one", [100.0], 101.0) == ""
    assert lane_of("one", [100.0, 101.0], 102.0)
    assert lane_of("one", [100.0, 101.0], 101.0 + SUSPECT_FOR) == ""
    waits = [again_after(deaths) for deaths in range(12)]
    assert waits[:4] == [0, 0, 1, 2]
    assert waits == sorted(waits)
    assert waits[-1] == 60


@pytest.mark.parametrize("name", ["s", "room-", "live/", "kid"])
def test_what_kills_is_soon_alone(name: str) -> None:
    streams = {f"{name}{n}": [0.0] for n in range(FULL_AFTER)}
    poison, died = f"{name}0", []
    for at in range(1, 10):
        lanes = {stream: lane_of(stream, deaths, at) for stream, deaths in streams.items()}
        killed = [stream for stream, lane in lanes.items() if lane == lanes[poison]]
        for stream in killed:
            streams[stream].append(at)
        died.append(len(killed))
    assert died[0] == FULL_AFTER
    assert died[:6] == sorted(died[:6], reverse=True)
    assert max(died[6:]) <= 3


class Heard:
    """What a crew tells."""

    def noticed(self, stream: str, noticed: Noticed) -> None:
        pass

    def __init__(self) -> None:
        self.unwatched_why: list[tuple[str, str]] = []
        self.processes: list[tuple[str, int]] = []
        self.states: list[tuple[str, str]] = []

    def seen(self, stream: str, sighting: Sighting) -> None:
        raise AssertionError("nobody publishes")

    def changed(self, stream: str, health: Health) -> None:
        self.states.append((stream, health.state))

    def pulse(self, stream: str, pulse: Pulse) -> None:
        pass

    def unwatched(self, stream: str, why: str) -> None:
        self.unwatched_why.append((stream, why))

    def taken(self, stream: str, process: int) -> None:
        self.processes.append((stream, process))


URL = "rtmp://127.0.0.1:9/live/nobody"


def test_a_stream_that_kills_its_watchers_is_taken_up_again_and_again() -> None:
    """Here a hand kills whoever has `poison`."""

    async def run() -> Heard:
        heard = Heard()
        crew = Crew(heard, 1)
        crew.start()
        for name in ("poison", "a", "b"):
            crew.begin(name, URL)
        async with asyncio.timeout(120):
            for times in (1, 2, 3):
                while sum(name == "poison" for name, _ in heard.processes) < times:
                    await asyncio.sleep(0.05)
                os.kill(next(p for name, p in reversed(heard.processes) if name == "poison"), signal.SIGKILL)
                while sum(name == "poison" for name, _ in heard.unwatched_why) < times:
                    await asyncio.sleep(0.05)
        assert crew.deaths == 3
        await crew.close()
        return heard

    heard = asyncio.run(run())
    assert {name for name, _ in heard.unwatched_why} == {"poison", "a", "b"}
    assert all("watcher died" in why for _, why in heard.unwatched_why)


def test_nothing_is_kept_and_that_is_told() -> None:
    async def run() -> None:
        heard = Heard()
        crew = Crew(heard, 1)
        crew.start()
        crew.begin("one", URL)
        try:
            with pytest.raises(ClipError, match=r"nothing is kept|nobody watches"):
                async for _ in crew.clip("one"):
                    pass
            with pytest.raises(ClipError, match="nobody watches"):
                async for _ in crew.clip("two"):
                    pass
        finally:
            await crew.close()

    asyncio.run(run())


class Kept:
    """Keeps what a test says."""

    def __init__(self, keep: Keep) -> None:
        pass

    def clips(self) -> list[Clip]:
        return [CLIP, structs.replace(CLIP, data=b"b", first=9.0)]


CLIP = Clip(data=b"a" * (3 << 19), began=1.0, ended=2.0, first=3.0, last=4.0)


class Said:
    """Where a watcher reports to."""

    def __init__(self) -> None:
        self.reports: list[Report] = []

    def __call__(self, report: Report) -> None:
        self.reports.append(report)


def obeyed(orders: list[Order]) -> list[Report]:
    said = Said()
    process = watcher.Watcher(said, Senses())  # type: ignore[arg-type]
    for order in orders:
        process.obey(order)
    for _ in range(200):
        if any(isinstance(report, Part) and report.last for report in said.reports):
            break
        asyncio.run(asyncio.sleep(0.02))
    process.obey(End(1))
    return [report for report in said.reports if isinstance(report, Part)]


def test_what_is_kept_comes_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "LastSeconds", Kept)
    parts = obeyed([Begin(watch=1, stream="one", url=URL, keep=Keep()), Seal(1, 7)])
    assert [part.asked for part in parts] == [7] * len(parts)
    assert b"".join(part.data for part in parts) == b"a" * (3 << 19) + b"b"
    assert [part.begins.first for part in parts if part.begins is not None] == [3.0, 9.0]
    assert [part.begins is not None for part in parts] == [True, False, False, True, False, False]
    assert max(len(part.data) for part in parts) <= 1 << 20
    assert [part.last for part in parts] == [*[False] * (len(parts) - 1), True]


def test_ids_of_events_are_their_own_for_each_watch_and_stream() -> None:
    long = "x" * 60
    made = [
        Guard(Watched(id=id, streamer="kid", conversation="c", run=run)).started(0.0).id
        for id, run in (("one", 0), ("one", 1), ("one", 2), (long + "a", 1), (long + "b", 1), ("one:1", 0))
    ]
    assert len(set(made)) == len(made)
    assert max(map(len, made)) <= 64
