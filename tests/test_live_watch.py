"""A stream under watch: files, and a real RTMP server fed by a real publisher."""

import signal
import threading
import time
from pathlib import Path

import pytest

from live_servers import free_port, publisher, rtmp_server
from media_clips import clip, panned
from underwing.live.sampling import Pace
from underwing.live.source import Limits, Piece, SourceLost, opened, scheme_of
from underwing.live.watch import Health, Sighting, Watch


class Told:
    """What a watch told."""

    def __init__(self) -> None:
        self.seen: list[Sighting] = []
        self.states: list[Health] = []

    def until(self, true, seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, (self.states, len(self.seen))
            time.sleep(0.05)


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("live") / "film.mp4"
    path.write_bytes(clip(panned("coffee"), 12.0, rate=15))
    return path


def pieces_of(url: str) -> list[Piece]:
    with opened(url, Limits(open=5, read=5)) as source:
        return list(source.pieces())


def watch(url: str, told: Told, **more) -> Watch:
    return Watch(url, told.seen.append, told.states.append, **more)


def test_a_calm_file_is_looked_at_by_few_keyframes_and_a_raised_one_twice_a_second(film):
    calm, raised = Told(), Told()
    watch(str(film), calm).run()
    often = watch(str(film), raised)
    often.raise_for(1e6)
    often.run()
    assert 1 <= len(calm.seen) <= 3
    assert 20 <= len(raised.seen) <= 26
    assert [state.state for state in calm.states] == ["watching", "ended"]
    assert all(sighting.views[0].how == "plain" for sighting in calm.seen)


def test_what_is_no_stream_is_told_and_given_up(tmp_path):
    told = Told()
    noise = tmp_path / "noise.mp4"
    noise.write_bytes(b"\x00\x01garbage" * 5_000)
    watch(str(noise), told, give_up=0.1).run()
    assert [state.state for state in told.states] == ["unseen", "ended"]
    assert "cannot be opened" in told.states[0].why
    assert not told.seen


@pytest.mark.parametrize("url", ["gopher://x/y", "concat:a|b://", "data://text"])
def test_other_schemes_are_refused(url):
    with pytest.raises(ValueError, match="watched by rtmp"):
        scheme_of(url)


def test_a_playlist_from_outside_opens_no_file_of_this_machine(tmp_path, film):
    playlist = tmp_path / "list.m3u8"
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nfile://{film}\n#EXT-X-ENDLIST\n")
    import http.server

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(tmp_path))

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/list.m3u8"
        with pytest.raises(SourceLost):
            pieces_of(url)
    finally:
        server.shutdown()


def test_a_real_stream_is_watched_lost_found_again_and_ended(tmp_path, film):
    told = Told()
    with rtmp_server(tmp_path / "nginx") as server:
        eye = watch(server.url("one"), told, pace=Pace(calm=1.0), limits=Limits(open=5, read=2))
        thread = threading.Thread(target=eye.run, daemon=True)
        with publisher(server.url("one"), film):
            time.sleep(1)
            thread.start()
            told.until(lambda: len(told.seen) >= 3)
        told.until(lambda: told.states and told.states[-1].state == "unseen")
        before = len(told.seen)
        with publisher(server.url("one"), film):
            told.until(lambda: len(told.seen) >= before + 2)
            assert told.states[-1].state == "watching"
            assert eye.health.lost >= 1
            eye.stop()
            thread.join(15)
    assert not thread.is_alive()
    assert told.states[-1].state == "ended"


def test_an_srt_stream_is_watched_lost_and_found_again(film):
    told, port = Told(), free_port()
    listening = f"srt://127.0.0.1:{port}?mode=listener"
    eye = watch(f"srt://127.0.0.1:{port}", told, pace=Pace(calm=1.0), limits=Limits(open=3, read=3))
    thread = threading.Thread(target=eye.run, daemon=True)
    with publisher(listening, film, form="mpegts") as sending:
        time.sleep(1)
        thread.start()
        told.until(lambda: len(told.seen) >= 3)
        sending.send_signal(signal.SIGSTOP)  # it neither sends nor takes leave
        told.until(lambda: told.states[-1].state == "unseen")
    before = len(told.seen)
    with publisher(listening, film, form="mpegts"):
        told.until(lambda: len(told.seen) >= before + 2)
        eye.stop()
        thread.join(20)
    assert not thread.is_alive()
    assert told.states[-1].state == "ended"
