"""What goes wrong with live streams: each is told, and each watch finds its stream again by itself."""

import io
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from live_servers import RtmpServer, free_port, publisher, rtmp_server
from underwing.live import watch as watches
from underwing.live import watcher
from underwing.live.attention import Senses
from underwing.live.orders import HEAD, Begin, Changed, End, Report, Seen, decode_report
from underwing.live.sampling import Pace
from underwing.live.source import Limits
from underwing.live.watch import Health, Sighting, Watch
from underwing.live.watcher import Sender, Watcher


class Watching:
    """A watch in a thread, and what it told."""

    def __init__(self, url: str, limits: Limits) -> None:
        self.seen: list[Sighting] = []
        self.states: list[Health] = []
        self.watch = Watch(url, self.seen.append, self.states.append, pace=Pace(calm=0.5), limits=limits)
        self.thread = threading.Thread(target=self.watch.run, daemon=True)
        self.thread.start()

    def sees(self, more: int = 2) -> None:
        """Wait until so many more frames were looked at."""
        goal, end = len(self.seen) + more, time.monotonic() + 60
        while len(self.seen) < goal:
            assert time.monotonic() < end, (self.states, len(self.seen))
            time.sleep(0.05)

    def is_unseen(self) -> None:
        end = time.monotonic() + 60
        while self.watch.health.state != "unseen":
            assert time.monotonic() < end, self.states
            time.sleep(0.05)
        assert self.watch.health.why

    def sizes(self) -> set[tuple[int, int]]:
        return {(sighting.width, sighting.height) for sighting in self.seen}


@contextmanager
def watching(url: str, limits: Limits | None = None) -> Iterator[Watching]:
    made = Watching(url, limits or Limits(open=4, read=2))
    try:
        yield made
    finally:
        made.watch.stop()
        made.thread.join(30)
    assert not made.thread.is_alive()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtmpServer]:
    with rtmp_server(tmp_path_factory.mktemp("nginx")) as server:
        yield server


def test_a_publisher_that_stalls_is_told_and_found_again(server: RtmpServer) -> None:
    with publisher(server.url("one")) as sending, watching(server.url("one")) as one:
        one.sees()
        os.kill(sending.pid, signal.SIGSTOP)
        one.is_unseen()
        os.kill(sending.pid, signal.SIGCONT)
        one.sees()
        assert one.watch.health.state == "watching"


def test_a_server_that_is_started_again_is_found_again(tmp_path: Path) -> None:
    rtmp, http = free_port(), free_port()
    with rtmp_server(tmp_path / "nginx", rtmp=rtmp, http=http) as server, watching(server.url("one")) as one:
        with publisher(server.url("one")):
            one.sees()
        subprocess.run(["kill", "-9", (tmp_path / "nginx" / "nginx.pid").read_text().strip()], check=True)
        one.is_unseen()
        with rtmp_server(tmp_path / "again", rtmp=rtmp, http=http), publisher(server.url("one")):
            one.sees()


def test_another_size_on_the_same_connection_is_seen(server: RtmpServer) -> None:
    with watching(server.url("one"), Limits(open=4, read=10)) as one:
        with publisher(server.url("one")):
            one.sees()
            before = one.sizes()
        time.sleep(1)  # the server has to see first that the one before is gone
        with publisher(server.url("one"), more=["-s", "1280x720", "-profile:v", "high"]):
            end = time.monotonic() + 60
            while one.sizes() == before:
                assert time.monotonic() < end, (one.states, one.watch.health)
                time.sleep(0.05)


def test_another_codec_on_the_same_connection_is_seen(
    server: RtmpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FFmpeg's reader hangs then, whatever its limits: the watcher process begins anew."""
    monkeypatch.setattr(watcher, "HANGS", 22.0)
    said = io.BytesIO()
    process = Watcher(Sender(said), Senses())
    threading.Thread(target=process.beat, daemon=True).start()
    process.obey(Begin(watch=1, stream="one", url=server.url("one"), closer=600))
    with publisher(server.url("one")):
        until(lambda: any(isinstance(report, Seen) for report in reports(said)))
    time.sleep(1)  # the server has to see first that the one before is gone
    with publisher(server.url("one"), more=["-c:v", "flv1", "-s", "320x240"]):
        until(lambda: any(isinstance(r, Seen) and r.sighting.width == 320 for r in reports(said)))
    states = [report.health.state for report in reports(said) if isinstance(report, Changed)]
    assert states[:3] == ["watching", "unseen", "watching"]
    process.obey(End(1))


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.2)


def reports(said: io.BytesIO) -> Iterator[Report]:
    """What a watcher process has said so far."""
    data, place = said.getvalue(), 0
    while place + HEAD <= len(data):
        length = int.from_bytes(data[place : place + HEAD])
        if place + HEAD + length > len(data):
            return
        yield decode_report(data[place + HEAD : place + HEAD + length])
        place += HEAD + length


def test_packets_of_garbage_do_no_harm_and_what_follows_is_seen(
    server: RtmpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watches, "UNSEEN_AFTER", 4.0)
    with watching(server.url("one"), Limits(open=4, read=10)) as one:
        with publisher(server.url("one")):
            one.sees()
        time.sleep(1)  # the server has to see first that the one before is gone
        with publisher(server.url("one"), more=["-bsf:v", "noise=1"]):
            time.sleep(2)
            one.is_unseen()
        time.sleep(1)  # the server has to see first that the one before is gone
        with publisher(server.url("one")):
            one.sees(4)
        assert one.watch.health.state == "watching"
