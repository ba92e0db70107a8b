"""The service watches streams of a real RTMP server: by the API, durably, in processes that may die."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from live_servers import RtmpServer, publisher, rtmp_server
from media_clips import clip, panned
from server_cases import Running, running
from stream_cases import CALM, CHILD, PRESSING, Asked, asked, kinds, say
from underwing.banks.banked import entry_hashes
from underwing.banks.entries import Bank, Entry
from underwing.banks.store import Store
from underwing.engine import Engine
from underwing.live import crew
from underwing.media.hashing import look_to_bank
from underwing.packs import Packs
from underwing.policy import load_policy

HOSTS = "127.0.0.1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtmpServer]:
    with rtmp_server(tmp_path_factory.mktemp("nginx")) as server:
        yield server


@pytest.fixture
def service(engine: Engine, tmp_path: Path) -> Iterator[Running]:
    with running(engine, tmp_path, stream_hosts=HOSTS, stream_watchers=2) as service:
        yield service


def why(told: dict[str, Any]) -> str:
    """All reasons that its events give: a moment after its state they are decided on."""
    return " ".join(event["why"] for event in told["events"])


def test_a_watch_is_begun_told_and_ended(service: Running, server: RtmpServer) -> None:
    body = asked(server)
    with service.client("platform") as client, publisher(server.url("one")):
        answer = client.post("/v1/streams", json=body)
        assert answer.status_code == 201, answer.text
        assert answer.json()["streamer"] == "kid"
        assert client.post("/v1/streams", json=body).status_code == 200
        other = client.post("/v1/streams", json={**body, "streamer": "other"})
        assert (other.status_code, other.json()["error"]["code"]) == (409, "watched_already")
        taken = client.post("/v1/streams", json={**body, "id": "two", "conversation": "one"})
        assert (taken.status_code, taken.json()["error"]["code"]) == (409, "conversation_taken")
        one = Asked(service, "one")
        seen = one.until(lambda told: told["state"] == "watching" and told["looks"] >= 1)
        assert seen["watcher"]
        assert server.url("one") not in str(seen)
        (listed,) = client.get("/v1/streams").json()["streams"]
        assert listed["id"] == "one"
        ended = client.delete("/v1/streams/one").json()
        assert (ended["state"], ended["why"]) == ("ended", "ended by the platform")
        assert client.get("/v1/streams").json()["streams"] == []
        assert [s["id"] for s in client.get("/v1/streams?ended=true").json()["streams"]] == ["one"]
        assert client.delete("/v1/streams/one").status_code == 200
        assert client.delete("/v1/streams/nothing").status_code == 404
        assert client.get("/v1/streams/nothing").status_code == 404
        assert client.post("/v1/streams", json=body).status_code == 201
    assert one.told()[-1] == "started"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_watcher_that_dies_or_hangs_is_replaced_and_the_time_between_is_told(
    how: signal.Signals, service: Running, server: RtmpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "SILENT", 4.0)
    one = Asked(service, "one")
    with service.client("platform") as client, publisher(server.url("one")):
        client.post("/v1/streams", json=asked(server))
        before = one.until(lambda told: told["state"] == "watching")["watcher"]
        os.kill(before, how)
        one.until(lambda told: told["restarts"] == 1)
        after = one.until(lambda told: told["state"] == "watching" and kinds(told)[-1] == "seen")
    assert after["watcher"] not in (None, before)
    assert "watcher" in why(after)
    assert kinds(after)[0] == "started"


def test_watches_go_on_after_a_restart_of_the_service(
    engine: Engine, tmp_path: Path, server: RtmpServer
) -> None:
    with publisher(server.url("one")):
        with running(engine, tmp_path, stream_hosts=HOSTS) as service:
            with service.client("platform") as client:
                assert client.post("/v1/streams", json=asked(server)).status_code == 201
            Asked(service, "one").until(lambda told: told["state"] == "watching")
            watcher = Asked(service, "one").now()["watcher"]
        with running(engine, tmp_path, stream_hosts=HOSTS) as service:
            one = Asked(service, "one")
            told = one.until(
                lambda told: told["state"] == "watching" and "the service was restarted" in why(told)
            )
            assert told["watcher"] != watcher
    with pytest.raises(ProcessLookupError):
        os.kill(watcher, 0)


def test_known_material_is_found_by_the_service_and_its_stream_ended(
    engine: Engine, tmp_path: Path, server: RtmpServer
) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(clip(panned("coffee"), 10.0, size=(640, 360)))
    with closing(Store.open(tmp_path / "banks.db")) as store:
        store.create_bank(Bank(name="known"), by="t", now=0)
        hashes = entry_hashes(look_to_bank(film.read_bytes()))
        store.put("known", [Entry(id="film", label="test", hashes=hashes, media="video")], by="t", now=0)
    with (
        running(engine, tmp_path, stream_hosts=HOSTS) as service,
        publisher(server.url("one"), film) as sending,
        service.client("platform") as client,
    ):
        client.post("/v1/streams", json=asked(server))
        told = Asked(service, "one").until(
            lambda told: [act for act in told["actions"] if act["outcome"] == "done"]
        )
        (frame,) = [event for event in told["events"] if event["type"] == "stream_frame"][:1]
        assert (frame["stage"], "end_stream" in frame["actions"]) == ("known_media", True)
        decision = client.get(f"/v1/decisions/{frame['event']}").json()
        assert decision["stage"] == "known_media"
        sending.wait(30)
        assert sending.poll() != 0


@pytest.mark.parametrize(("texts", "ended"), [(PRESSING, True), (CALM, False)], ids=["pressed", "calm"])
def test_a_pressed_child_s_stream_is_ended_on_the_server(
    texts: list[str], ended: bool, all_packs: Packs, tmp_path: Path, server: RtmpServer
) -> None:
    with (
        running(Engine(all_packs, load_policy()), tmp_path, stream_hosts=HOSTS, stream_give_up=3) as service,
        publisher(server.url("one"), seconds=60) as sending,
        service.client("platform") as client,
    ):
        client.post("/v1/events", json=CHILD)
        client.post("/v1/streams", json=asked(server))
        one = Asked(service, "one")
        one.until(lambda told: told["state"] == "watching")
        say(service, texts)
        told = one.until(lambda told: told["said"] == len(texts))
        if not ended:
            time.sleep(1)
            assert sending.poll() is None
            told = one.now()
            assert (told["level"], told["raised_for"], told["actions"]) == ("none", 0.0, [])
            return
        told = one.until(lambda told: all(act["outcome"] != "waiting" for act in told["actions"]))
        acts = {act["action"]: act for act in told["actions"]}
        assert acts["end_stream"]["outcome"] == "done"
        assert acts["end_stream"]["reasons"]
        assert acts["warn_streamer"]["outcome"] == "not_done"
        assert "the platform has to" in acts["warn_streamer"]["problem"]
        assert told["level"] == "urgent"
        assert told["raised_for"] > 100
        sending.wait(20)
        assert sending.poll() not in (None, 0)
        one.until(lambda told: told["state"] == "ended")
