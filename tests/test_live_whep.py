"""A stream by WHEP under watch: seen, lost with its server, found again, and left with a word."""

import pytest

from live_servers import free_port
from media_clips import panned
from test_live_livekit import SOON, watched
from test_live_watch import Told
from underwing.live.watch import Watch
from whep_server import TOKEN, whep_server


def test_a_whep_stream_is_watched_lost_found_again_and_left(monkeypatch):
    monkeypatch.setenv("WHEP_TOKEN", TOKEN)
    told, port = Told(), free_port()
    with watched(f"whep+http://127.0.0.1:{port}/whep/one", told, **SOON):
        told.until(lambda: told.states)
        assert told.states[0].state == "unseen"
        with whep_server(panned("coffee"), port):
            told.until(lambda: len(told.seen) >= 3)
            assert told.states[-1].state == "watching"
        told.until(lambda: told.states[-1].state == "unseen")
        before = len(told.seen)
        with whep_server(panned("coffee"), port) as server:
            told.until(lambda: len(told.seen) >= before + 2)
            assert len(server.sessions) <= 1
    assert all(sighting.width == 640 and sighting.views[0].how == "plain" for sighting in told.seen)


def test_while_calm_a_session_lasts_for_one_look_and_raised_it_stays(monkeypatch):
    monkeypatch.setenv("WHEP_TOKEN", TOKEN)
    told = Told()
    with whep_server(panned("coffee"), free_port()) as server, watched(server.url, told, **SOON) as eye:
        told.until(lambda: len(server.ended) >= 2)
        eye.raise_for(60)
        told.until(lambda: len(server.sessions) == 1)
        ended, seen = len(server.ended), len(told.seen)
        told.until(lambda: len(told.seen) >= seen + 4)
        assert len(server.ended) <= ended + 1  # a calm look may have been under way
        assert len(server.sessions) == 1


def test_a_watch_that_ends_deletes_its_session(monkeypatch):
    monkeypatch.setenv("WHEP_TOKEN", TOKEN)
    told = Told()
    with whep_server(panned("coffee"), free_port()) as server:
        with watched(server.url, told, **SOON) as eye:
            eye.raise_for(60)
            told.until(lambda: len(told.seen) >= 4)
        assert server.ended
        assert not server.sessions


@pytest.mark.parametrize(("token", "path", "said"), [("", "one", "401"), (TOKEN, "two", "404")])
def test_what_the_server_refuses_is_told(token, path, said, monkeypatch):
    monkeypatch.setenv("WHEP_TOKEN", token)
    told = Told()
    with whep_server(panned("coffee"), free_port()) as server:
        url = f"whep+http://127.0.0.1:{server.port}/whep/{path}"
        Watch(url, told.seen.append, told.states.append, give_up=0.1).run()
    assert said in told.states[0].why


def test_an_address_without_a_server_says_what_one_looks_like():
    with pytest.raises(ValueError, match="whep"):
        Watch("whep+https:///path", print, print)
