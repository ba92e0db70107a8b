"""Media servers' hooks start and stop watches: nginx-rtmp's by a real one, MediaMTX's and LiveKit's as they are sent."""

import base64
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from debian import program
from live_servers import free_port, publisher, rtmp_server
from server_cases import Running, running
from stream_cases import Asked, kinds
from underwing.engine import Engine
from underwing.server.streams.hooks.config import HookError, load_hooks

SECRET = "a secret of these tests, long enough"
HOOKS = """
[edge]
kind = "nginx-rtmp"
secret_file = "secret"
url = "rtmp://127.0.0.1:{rtmp}/{{app}}/{{name}}"
stream = "{{app}}-{{name}}"
streamer = "{{arg_user}}"
conversation = "chat-{{name}}"
control = ["nginx-rtmp+http://127.0.0.1:{http}/control?app={{app}}&name={{name}}"]

[mtx]
kind = "mediamtx"
secret_file = "secret"
url = "rtmp://127.0.0.1:{rtmp}/{{path}}"
stream = "mtx-{{id}}"
streamer = "{{arg_user}}"

[kit]
kind = "livekit"
key = "apikey"
secret_file = "secret"
url = "rtmp://127.0.0.1:{rtmp}/live/{{room}}"
stream = "kit-{{room}}-{{participant}}"
streamer = "{{participant}}"
conversation = "{{room}}"
many = true
"""


def hooks_file(folder: Path, rtmp: int = 1935, http: int = 80) -> Path:
    secret = folder / "secret"
    secret.write_text(SECRET + "\n")
    secret.chmod(0o600)
    path = folder / "hooks.toml"
    path.write_text(HOOKS.format(rtmp=rtmp, http=http))
    return path


@pytest.fixture
def service(engine: Engine, tmp_path: Path) -> Iterator[Running]:
    with running(engine, tmp_path, stream_hooks=str(hooks_file(tmp_path)), stream_watchers=1) as service:
        yield service


def watched(service: Running) -> dict[str, dict[str, Any]]:
    with service.client("operator") as client:
        return {one["id"]: one for one in client.get("/v1/streams").json()["streams"]}


def calling(where: str) -> str:
    """Hooks that nginx waits for."""
    return f"on_publish '{where}'; on_publish_done '{where}'; on_done '{where}';"


def commands(where: str) -> str:
    """Commands that it starts, and does not wait for."""
    curl = program("curl", "curl")
    data = "--data-urlencode app=$app --data-urlencode name=$name --data-urlencode args=$args"
    run = f"{curl} -s --retry 5 --retry-connrefused {data}"
    return f"exec_publish {run} -d call=publish '{where}'; exec_publish_done {run} -d call=publish_done '{where}';"


@pytest.mark.parametrize("ways", [calling, commands])
def test_nginx_rtmp_starts_and_stops_watches_by_itself(
    ways: Callable[[str], str], engine: Engine, tmp_path: Path
) -> None:
    rtmp, http = free_port(), free_port()
    hooks = str(hooks_file(tmp_path, rtmp, http))
    with running(engine, tmp_path, stream_hooks=hooks) as service:
        where = f"{service.url}/v1/streams/hooks/edge?secret={SECRET.replace(' ', '%20')}"
        with rtmp_server(tmp_path / "nginx", ways(where), rtmp=rtmp, http=http) as server:
            with publisher(server.url("one?user=kid")):
                one = Asked(service, "live-one")
                end = time.monotonic() + 20
                while "live-one" not in watched(service):
                    assert time.monotonic() < end, service.log
                    time.sleep(0.1)
                told = one.until(lambda told: told["state"] == "watching")
                assert (told["streamer"], told["conversation"]) == ("kid", "chat-one")
                with publisher(server.url("two?user=sam")):
                    Asked(service, "live-two")
                    two = Asked(service, "live-two")
                    while "live-two" not in watched(service):
                        time.sleep(0.1)
                    two.until(lambda told: told["state"] == "watching")
                assert two.until(lambda told: told["state"] == "ended")["why"] == "the publisher ended it"
                assert one.now()["state"] == "watching"
            ended = one.until(lambda told: told["state"] == "ended")
            assert ended["why"] == "the publisher ended it"
    assert "unseen" not in kinds(ended)


def test_with_commands_nothing_is_kept_from_being_published_while_the_service_is_down(tmp_path: Path) -> None:
    with (
        rtmp_server(tmp_path / "nginx", commands(f"http://127.0.0.1:{free_port()}/x")) as server,
        publisher(server.url("one?user=kid"), seconds=30) as sending,
    ):
        time.sleep(4)
        assert sending.poll() is None


def form(call: str, **more: str) -> dict[str, str]:
    return {"call": call, "path": "live/one", "id": "s1", "query": "user=kid", **more}


def test_mediamtx_hooks_as_a_command_sends_them(service: Running) -> None:
    with service.client(None, headers={"authorization": f"Bearer {SECRET}"}) as client:
        hook = "/v1/streams/hooks/mtx"
        assert client.post(hook, data=form("ready")).json() == {"followed": "started", "problem": ""}
        assert watched(service)["mtx-s1"]["streamer"] == "kid"
        assert watched(service)["mtx-s1"]["source"].endswith("/live/…")
        assert client.post(hook, data=form("ready")).json()["followed"] == "started"
        assert client.post(hook, data=form("not_ready", id="other")).json()["followed"] == "nothing"
        assert client.post(hook, data=form("else")).json()["followed"] == "nothing"
        assert client.post(hook, data=form("not_ready")).json()["followed"] == "stopped"
        assert not watched(service)
        # What cannot be watched is told, and never keeps a stream from being published.
        for wrong in (form("ready", query=""), form("ready", path="live/../x"), form("ready", id="x" * 100)):
            answer = client.post(hook, data=wrong)
            assert answer.status_code == 200
            assert (answer.json()["followed"], bool(answer.json()["problem"])) == ("nothing", True)
    assert service.lines("stream_not_watched")


def test_a_name_changes_nothing_of_the_address_but_itself(tmp_path: Path) -> None:
    server = load_hooks(hooks_file(tmp_path))["edge"]
    asked = server.asked({"app": "live", "name": "a?b=c&name=other#d@e", "arg_user": "kid"})
    assert asked.url == "rtmp://127.0.0.1:1935/live/a%3Fb%3Dc%26name%3Dother%23d%40e"
    assert asked.control[0].endswith("?app=live&name=a%3Fb%3Dc%26name%3Dother%23d%40e")


def webhook(
    client: httpx2.Client,
    event: str,
    *,
    secret: str = SECRET,
    key: str = "apikey",
    participant: Any = None,
    **more: Any,
) -> Any:
    body = json.dumps(
        {
            "event": event, "room": {"sid": "RM_1", "name": "room"},
            "participant": participant or {"sid": "PA_1", "identity": "kid"}, "track": {"type": "VIDEO"}, "id": "EV_1",
        }
    ).encode()  # fmt: skip
    claims = {
        "iss": key, "exp": int(time.time()) + 300, "nbf": int(time.time()),
        "sha256": base64.b64encode(hashlib.sha256(body).digest()).decode(), **more,
    }  # fmt: skip
    token = jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(secret))
    headers = {"authorization": token, "content-type": "application/webhook+json"}
    return client.post("/v1/streams/hooks/kit", content=body, headers=headers)


def test_livekit_webhooks_watch_whoever_publishes_a_picture(service: Running) -> None:
    with service.client(None) as client:
        assert webhook(client, "participant_joined").json()["followed"] == "nothing"
        for stop in ("participant_left", "room_finished"):
            assert webhook(client, "track_published").json()["followed"] == "started"
            assert watched(service)["kit-room-kid"]["conversation"] == "room"
            assert webhook(client, stop).json()["followed"] == "stopped"
            assert not watched(service)


def test_in_a_room_of_many_each_publisher_is_watched(service: Running) -> None:
    with service.client(None) as client:
        for who in ("kid", "sam"):
            participant = {"sid": f"PA_{who}", "identity": who}
            assert webhook(client, "track_published", participant=participant).json()["followed"] == "started"
        assert set(watched(service)) == {"kit-room-kid", "kit-room-sam"}
        webhook(client, "participant_left", participant={"sid": "PA_kid", "identity": "kid"})
        assert set(watched(service)) == {"kit-room-sam"}
        webhook(client, "room_finished")
        assert not watched(service)


def test_a_hook_that_does_not_prove_itself_is_not_taken(service: Running) -> None:
    past = int(time.time()) - 600
    with service.client(None) as client:
        refused = [
            webhook(client, "track_published", secret="another secret of these tests"),
            webhook(client, "track_published", key="other"),
            webhook(client, "track_published", exp=past),
            webhook(client, "track_published", nbf=int(time.time()) + 600),
            webhook(client, "track_published", sha256="x"),
            client.post("/v1/streams/hooks/kit", content=b"{}"),
            client.post("/v1/streams/hooks/kit", content=b"{}", headers={"authorization": "a.b.c"}),
            client.post("/v1/streams/hooks/mtx", data=form("ready")),
            client.post("/v1/streams/hooks/mtx?secret=wrong", data=form("ready")),
            client.post("/v1/streams/hooks/nobody", data=form("ready")),
        ]
        unsigned = jwt.encode(
            {"alg": "none"}, {"iss": "apikey"}, OctKey.import_key(SECRET), algorithms=["none"]
        )
        refused.append(
            client.post("/v1/streams/hooks/kit", content=b"{}", headers={"authorization": unsigned})
        )
    assert [answer.status_code for answer in refused] == [401] * len(refused)
    assert not watched(service)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("127.0.0.1:1935/{app}", "{app}/x"), "never in it"),
        (("{app}-{name}", "{app.x}"), "fields are"),
        (("{app}-{name}", "{name!r}"), "fields are"),
        (("rtmp://127.0.0.1:1935/{app}/{name}", "file:///{name}"), "watched by"),
        (('key = "apikey"', ""), "API key"),
        (('kind = "mediamtx"', 'kind = "other"'), "Invalid enum"),
        (("nginx-rtmp+http", "gopher"), "begins with"),
    ],
)
def test_a_file_of_hooks_that_is_wrong_says_what(change: tuple[str, str], said: str, tmp_path: Path) -> None:
    path = hooks_file(tmp_path)
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(HookError, match=said):
        load_hooks(path)


def test_a_secret_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    path = hooks_file(tmp_path)
    (tmp_path / "secret").chmod(0o644)
    with pytest.raises(HookError, match="can be read by others"):
        load_hooks(path)
