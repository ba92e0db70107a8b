"""A LiveKit room under watch, on a real server: seen by a participant that nobody sees, lost, found again."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from livekit.protocol.room import ListParticipantsRequest

from livekit_servers import KEY, SECRET, LiveKitServer, livekit_server, publishing
from media_clips import panned, still
from test_live_watch import Told
from underwing.live.sampling import Pace
from underwing.live.source import Limits
from underwing.live.watch import Watch

SOON = {"pace": Pace(calm=1.0), "limits": Limits(open=5, read=4)}


@pytest.fixture(scope="module")
def server():
    with livekit_server() as running:
        yield running


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    monkeypatch.setenv("LIVEKIT_API_KEY", KEY)
    monkeypatch.setenv("LIVEKIT_API_SECRET", SECRET)


@contextmanager
def watched(url: str, told: Told, **more) -> Iterator[Watch]:
    eye = Watch(url, told.seen.append, told.states.append, **more)
    thread = threading.Thread(target=eye.run, daemon=True)
    thread.start()
    try:
        yield eye
    finally:
        eye.stop()
        thread.join(20)
    assert not thread.is_alive()
    assert told.states[-1].state == "ended"


def participants(server: LiveKitServer, room: str) -> list:
    asked = ListParticipantsRequest(room=room)
    return list(server.ask(lambda api: api.room.list_participants(asked)).participants)


def test_a_streamer_is_watched_leaves_and_comes_back(server, caplog):
    caplog.set_level(logging.DEBUG)
    told = Told()
    with watched(server.watched("one", "sam"), told, **SOON):
        told.until(lambda: told.states)
        assert (told.states[0].state, told.states[0].why) == ("unseen", "sam is not in the room")
        with publishing(server, "one", "sam", panned("coffee")):
            told.until(lambda: len(told.seen) >= 3)
            assert told.states[-1].state == "watching"
            (watcher,) = [p for p in participants(server, "one") if p.identity != "sam"]
            assert watcher.permission.hidden
            assert not watcher.permission.can_publish
            assert not watcher.permission.can_publish_data
        told.until(lambda: told.states[-1].state == "unseen")
        before = len(told.seen)
        with publishing(server, "one", "sam", panned("coffee")):
            told.until(lambda: len(told.seen) >= before + 2)
            assert told.states[-1].state == "watching"
    assert all(sighting.views[0].how == "plain" and sighting.width == 640 for sighting in told.seen)
    assert SECRET not in caplog.text
    assert "access_token" not in caplog.text


def test_a_raised_room_is_looked_at_twice_a_second_and_a_calm_one_is_not(server):
    told = Told()
    with (
        publishing(server, "two", "sam", panned("coffee")),
        watched(server.watched("two", "sam"), told, pace=Pace(calm=4.0)) as eye,
    ):
        told.until(lambda: len(told.seen) >= 2)
        assert told.seen[1].second - told.seen[0].second >= 3
        eye.raise_for(60)
        calm = len(told.seen)
        told.until(lambda: len(told.seen) >= calm + 8)
    raised = told.seen[calm + 1 :]
    assert all(sighting.raised for sighting in raised)
    assert (raised[-1].second - raised[0].second) / (len(raised) - 1) >= 0.3


def test_a_server_that_restarts_is_found_again():
    told = Told()
    with livekit_server() as server, watched(server.watched("three", "sam"), told, **SOON):
        with publishing(server, "three", "sam", still("coffee")):
            told.until(lambda: told.seen)
            server.stop()
            told.until(lambda: told.states[-1].state == "unseen")
        before = len(told.seen)
        with livekit_server(server.port) as again, publishing(again, "three", "sam", still("coffee")):
            told.until(lambda: len(told.seen) > before)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("livekit+ws://127.0.0.1:1/room", "participant="),
        ("livekit+ws://127.0.0.1:1?participant=sam", "participant="),
        ("livekit+ws:///room?participant=sam", "participant="),
    ],
)
def test_an_address_that_lacks_something_says_what(url, said):
    with pytest.raises(ValueError, match=said):
        Watch(url, print, print)


def test_without_a_key_it_says_what_to_set(monkeypatch):
    monkeypatch.delenv("LIVEKIT_API_SECRET")
    with pytest.raises(ValueError, match="LIVEKIT_API_SECRET"):
        Watch("livekit+ws://127.0.0.1:1/room?participant=sam", print, print)


def test_a_server_that_is_not_there_is_told():
    told = Told()
    began = time.monotonic()
    Watch(
        "livekit+ws://127.0.0.1:1/room?participant=sam", told.seen.append, told.states.append, give_up=0.1
    ).run()
    assert [state.state for state in told.states] == ["unseen", "ended"]
    assert "cannot be joined" in told.states[0].why
    assert time.monotonic() - began < 60
