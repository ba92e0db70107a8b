"""What a platform may have the service ask for: media servers that the operator named, and nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_cases import Running, running
from underwing.engine import Engine
from underwing.server.http import Refusal
from underwing.server.settings import Settings, SettingsError
from underwing.server.streams.guarded import (
    HostError,
    checked_control,
    checked_url,
    hosts_of,
    without_secrets,
)

HOSTS = hosts_of("media.example *.edge.example:1935 127.0.0.1:1935 [::1]:1935")


@pytest.mark.parametrize(
    "url",
    [
        "rtmp://media.example/live/one",
        "RTMPS://MEDIA.example./live/one",
        "https://media.example:8443/live/one.m3u8?token=x",
        "rtmp://a.b.edge.example/live/one",
        "rtmp://127.0.0.1/live/one",
        "rtmp://[::1]/live/one",
        "rtmp://[0:0:0:0:0:0:0:1]:1935/live/one",
        "srt://media.example:9000?streamid=read:one",
    ],
)
def test_what_the_operator_named_may_be_watched(url: str) -> None:
    checked_url(url, HOSTS)


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("file:///etc/passwd", 422),
        ("/etc/passwd", 422),
        ("concat:rtmp://media.example/a|/etc/passwd", 422),
        ("pipe://0", 422),
        ("data://x", 422),
        ("subfile,,start,0,end,9,,:/etc/passwd", 422),
        ("rtmp+file://media.example/x", 422),
        ("rtmp://media.example/live/one two", 422),
        ("rtmp://media.example/live/one\r\nx: y", 422),
        ("rtmp://media.example\\@10.0.0.1/live", 422),
        ("rtmp:///live/one", 403),
        ("rtmp://media.example:x/live", 422),
        ("srt://media.example:9000?mode=listener", 422),
        ("http://169.254.169.254/latest/meta-data", 403),
        ("http://localhost:1935/x", 403),
        ("http://127.0.0.1:8610/x", 403),
        ("http://127.1:1935/x", 403),
        ("http://0x7f000001:1935/x", 403),
        ("http://2130706433:1935/x", 403),
        ("rtmp://[::ffff:127.0.0.1]:1935/x", 403),
        ("rtmp://media.example@10.0.0.1/x", 403),
        ("rtmp://10.0.0.1#@media.example/x", 403),
        ("rtmp://10.0.0.1?@media.example/x", 403),
        ("rtmp://media.example.other.example/x", 403),
        ("rtmp://edge.example/x", 403),
        ("rtmp://a.edge.example:1936/x", 403),
    ],
)
def test_what_the_operator_did_not_name_is_not_asked(url: str, status: int) -> None:
    with pytest.raises(Refusal) as refused:
        checked_url(url, HOSTS)
    assert refused.value.status == status
    assert url not in refused.value.message


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("nginx-rtmp+http://127.0.0.1:1935/control?app=a&name=b", 0),
        ("webhook+https://media.example/hook", 0),
        ("webhook+http://169.254.169.254/hook", 403),
        ("nginx-rtmp+http://127.0.0.1:80/control?app=a&name=b", 403),
        ("nginx-rtmp+file:///etc/passwd?app=a&name=b", 422),
        ("gopher+http://media.example/x", 422),
    ],
)
def test_what_acts_on_a_stream_is_guarded_as_well(address: str, status: int) -> None:
    if not status:
        return checked_control(address, HOSTS)
    with pytest.raises(Refusal) as refused:
        checked_control(address, HOSTS)
    assert refused.value.status == status
    return None


@given(st.text(max_size=60))
def test_whatever_is_asked_for_is_refused_in_words(text: str) -> None:
    for url in (text, f"rtmp://{text}", f"http://{text}/x"):
        with pytest.raises(Refusal):
            checked_url(url, ())


@pytest.mark.parametrize(
    "setting", ["a b:x", "http://media.example", "*", "media.example:0", "a/b", "-x", "*.*.x"]
)
def test_a_host_that_is_none_stops_the_start(setting: str) -> None:
    with pytest.raises(HostError):
        hosts_of(setting)
    with pytest.raises(SettingsError, match="stream_hosts"):
        Settings.read({"UNDERWING_STREAM_HOSTS": setting})


def test_nothing_that_opens_a_stream_is_shown() -> None:
    assert without_secrets("rtmp://user:pass@host:1935/live/key?token=x#y") == "rtmp://host:1935/live/…"
    assert without_secrets("https://host/key.m3u8") == "https://host/…"


@pytest.fixture
def service(engine: Engine, tmp_path: Path) -> Iterator[Running]:
    with running(engine, tmp_path) as service:
        yield service


def test_without_the_setting_no_stream_is_watched(service: Running) -> None:
    body = {"id": "one", "streamer": "kid", "url": "rtmp://127.0.0.1/live/one"}
    with service.client("operator") as client:
        answer = client.post("/v1/streams", json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_asked")
        assert "UNDERWING_STREAM_HOSTS" in answer.json()["error"]["message"]
        assert client.post("/v1/streams", json={**body, "url": "file:///etc/passwd"}).status_code == 422
        assert client.post("/v1/streams", json={**body, "more": 1}).status_code == 422
        assert client.post("/v1/streams", content=b"x").status_code == 415
