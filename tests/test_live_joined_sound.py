"""Sound of streams that are joined: what is spoken in a LiveKit room and in a WHEP stream becomes words."""

import time

import numpy as np
import pytest

from live_servers import free_port
from live_sounds import RATE
from live_words import spoken
from livekit_servers import KEY, SECRET, livekit_server, publishing
from media_clips import panned
from test_live_livekit import SOON, watched
from test_live_watch import Told
from underwing.live.attention import Attention, Intervals, Senses
from underwing.live.senses import RATE as HEARD_RATE
from underwing.live.senses import Words
from underwing.live.thinker import Thinker
from underwing.live.viewer import MOST_TRACKS
from underwing.live.whisper import SileroVoices, Whisper
from whep_server import TOKEN, whep_server

THREAT = "Do not end the stream, or I will send it to all your friends."


@pytest.fixture
def said():
    pause = np.zeros(2 * RATE, np.int16)
    return np.concatenate([pause, spoken(THREAT), pause])


@pytest.fixture
def told(monkeypatch):
    monkeypatch.setenv("LIVEKIT_API_KEY", KEY)
    monkeypatch.setenv("LIVEKIT_API_SECRET", SECRET)
    monkeypatch.setenv("WHEP_TOKEN", TOKEN)
    return Told()


@pytest.fixture(scope="module")
def senses():
    return Senses(voices=SileroVoices(), recogniser=Whisper())


def heard_in(url: str, told: Told, senses: Senses, *, raised: bool) -> list[Words]:
    """The words that are heard in a stream, until the threat is among them."""
    noticed, thinker = [], Thinker()
    attention = Attention(senses, thinker, noticed.append, intervals=Intervals(words=(1.0, 1.0)))
    with watched(url, told, sounded=attention.sounded, **SOON) as eye:
        if raised:
            eye.raise_for(1e6)
        told.until(lambda: any("all your friends" in one.text.lower() for one in noticed))
    thinker.close()
    assert 0.1 < attention.voice < 0.9
    assert abs(time.time() - noticed[0].at) < 90
    assert all(one.source == "speech" for one in noticed)
    return noticed


def test_what_is_spoken_in_a_calm_room_is_heard(told, senses, said):
    with livekit_server() as server, publishing(server, "room", "sam", panned("coffee"), sound=said):
        words = heard_in(server.watched("room", "sam"), told, senses, raised=False)
    assert 0 <= words[0].second < 90


def test_what_is_spoken_in_a_raised_whep_stream_is_heard(told, senses, said):
    with whep_server(panned("coffee"), free_port(), said) as server:
        heard_in(server.url, told, senses, raised=True)


def test_without_somebody_who_listens_no_sound_is_asked_for(told, said):
    with whep_server(panned("coffee"), free_port(), said) as server, watched(server.url, told, **SOON) as eye:
        eye.raise_for(60)
        told.until(lambda: len(told.seen) >= 2)
        (peer,) = server.sessions.values()
        assert "m=audio" not in peer.remoteDescription.sdp


def test_tracks_are_listened_to_by_themselves_and_only_so_many(senses):
    thinker, noticed = Thinker(), []
    attention = Attention(senses, thinker, noticed.append, intervals=Intervals(words=(0.0, 0.0)))
    for second in range(3):
        for track in range(MOST_TRACKS + 2):
            attention.sounded(str(track), np.zeros(HEARD_RATE, np.float32), float(second), time.monotonic())
    assert attention.voice == 0
    assert noticed == []
    thinker.close()
