"""Control of LiveKit on a real server, of MediaMTX on a strict server that stands for it, and taking actions back."""

import base64
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote

import pytest
from typer.testing import CliRunner

from live_servers import rtmp_server
from livekit_servers import KEY, SECRET, Publisher, livekit_server, publishing
from media_clips import panned
from test_live_ended import CALM, PRESSING, chat, decision, platform
from test_live_watch import Told
from underwing.cli.app import app
from underwing.connectors import ControlError, carry_out, control_at, take_back


@pytest.fixture(scope="module")
def server():
    with livekit_server() as running:
        yield running


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    monkeypatch.setenv("LIVEKIT_API_KEY", KEY)
    monkeypatch.setenv("LIVEKIT_API_SECRET", SECRET)


def soon(true) -> None:
    Told().until(true)


@pytest.mark.parametrize(("texts", "ended"), [(PRESSING, True), (CALM, False)], ids=["pressed", "calm"])
def test_a_pressed_room_is_warned_of_and_ended_by_its_server_and_a_calm_one_is_not(
    texts, ended, server, tmp_path
):
    lines = tmp_path / "chat.ndjson"
    lines.write_text("\n".join(map(json.dumps, chat(texts))) + "\n", "utf-8")
    room = "pressed" if ended else "calm"
    with publishing(server, room, "kid", panned("coffee")) as sending:
        if not ended:  # its streamer leaves by herself, after a while
            threading.Timer(8, sending.stop.set).start()
        arguments = [
            "watch", server.watched(room, "kid"), "--stream", "one", "--streamer", "kid", "--chat", str(lines),
            "--banks", str(tmp_path / "none.db"), "--give-up", "2", "--json", "--control",
            f"livekit+{server.http}/{room}?participant=kid",
        ]  # fmt: skip
        result = CliRunner().invoke(app, arguments)
        by_server = sending.gone.is_set() and not sending.stop.is_set()
    decisions = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    if ended:
        assert result.exit_code == 1, result.output
        assert any("warn_streamer" in d["actions"] and "end_stream" in d["actions"] for d in decisions)
        assert "warn_streamer: done" in result.stderr
        assert "end_stream: done" in result.stderr
        assert warnings(sending)
        assert by_server
    else:
        assert {d["level"] for d in decisions if d["event"].startswith("m")} == {"none"}
        assert "end_stream" not in result.output
        assert not by_server


def warnings(publisher: Publisher) -> list[dict]:
    return [json.loads(packet.data) for packet in publisher.heard if packet.topic == "underwing"]


def test_a_livekit_picture_is_muted_and_shown_again(server):
    with publishing(server, "blurred", "sam", panned("coffee")) as sending:
        control = control_at(f"livekit+{server.http}/blurred?participant=sam")
        (done,) = carry_out(control, decision("blur_stream"))
        assert not done.problem
        soon(lambda: sending.muted)
        assert not take_back(control, "blur_stream").problem
        soon(lambda: not sending.muted)
        assert "the platform has to" in take_back(control, "end_stream").problem


def test_a_livekit_room_is_warned_and_closed_for_all(server):
    with (
        publishing(server, "all", "a", panned("coffee")) as a,
        publishing(server, "all", "b", panned("coffee")) as b,
    ):
        control = control_at(f"livekit+{server.http}/all")
        assert [done.problem for done in carry_out(control, decision("warn_streamer"))] == [""]
        soon(lambda: warnings(a) and warnings(b))
        assert [done.problem for done in carry_out(control, decision("end_stream"))] == [""]
        while not (
            a.gone.is_set() and b.gone.is_set()
        ):  # an app that was too slow to hear of it joins again by itself
            carry_out(control, decision("end_stream"))


def test_what_livekit_does_not_do_is_told(server, monkeypatch):
    control = control_at(f"livekit+{server.http}/nowhere?participant=nobody")
    problems = [
        done.problem for done in carry_out(control, decision("blur_stream", "end_stream", "pause_chat"))
    ]
    assert "nobody shows a picture" in problems[0]
    assert "LiveKit:" in problems[1]
    assert "the platform has to" in problems[2]
    (done,) = carry_out(control_at("livekit+http://127.0.0.1:1/r"), decision("end_stream"))
    assert "did not answer" in done.problem
    with pytest.raises(ControlError, match="name the room"):
        control_at("livekit+http://127.0.0.1:1")
    monkeypatch.setenv("LIVEKIT_API_SECRET", "another secret than the server's, of some length")
    (done,) = carry_out(control_at(f"livekit+{server.http}/r"), decision("end_stream"))
    assert done.problem
    monkeypatch.delenv("LIVEKIT_API_KEY")
    with pytest.raises(ControlError, match="LIVEKIT_API_KEY"):
        control_at(f"livekit+{server.http}/r")


@contextmanager
def mediamtx(paths: dict[str, dict | None]) -> Iterator[tuple[str, list[str]]]:
    """The parts of MediaMTX's control API that are used, after its OpenAPI description; a user `api` may use it."""
    kicked: list[str] = []

    class Api(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = unquote(self.path.removeprefix("/v3/paths/get/"))
            known = self.path.startswith("/v3/paths/get/") and name in paths
            self.answer({"name": name, "source": paths[name], "readers": []} if known else None)

        def do_POST(self) -> None:
            _, version, where, act, name = self.path.split("/")
            lists = {"rtmpConn": "rtmpconns", "webRTCSession": "webrtcsessions"}
            there = {(lists[s["type"]], s["id"]) for s in paths.values() if s and s["type"] in lists}
            known = (version, act) == ("v3", "kick") and (where, name) in there
            kicked.extend([f"{where}/{name}"] * known)
            self.answer({"status": "ok"} if known else None)

        def answer(self, body: dict | None) -> None:
            allowed = self.headers["authorization"] == "Basic " + base64.b64encode(b"api:let me").decode()
            self.send_response(401 if not allowed else 404 if body is None else 200)
            self.end_headers()
            self.wfile.write(json.dumps(body or {"status": "error", "error": "path not found"}).encode())

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"mediamtx+http://127.0.0.1:{server.server_port}", kicked
    finally:
        server.shutdown()


def test_mediamtx_kicks_whoever_publishes_a_path():
    paths = {
        "live/sam": {"type": "rtmpConn", "id": "5a-1"},
        "b": {"type": "webRTCSession", "id": "77"},
        "fetched": {"type": "rtspSource", "id": ""},
        "empty": None,
    }
    with mediamtx(paths) as (address, kicked):

        def end(path: str, secret: str = "api:let me") -> str:
            (done,) = carry_out(control_at(f"{address}/{path}", secret), decision("end_stream"))
            return done.problem

        assert end("live/sam") == end("b") == ""
        assert kicked == ["rtmpconns/5a-1", "webrtcsessions/77"]
        assert "nobody to kick" in end("fetched")
        assert "nobody publishes" in end("empty")
        assert "nobody publishes" in end("unknown")
        assert "401" in end("b", "api:wrong")
        assert len(kicked) == 2
    with pytest.raises(ControlError, match="name the path"):
        control_at(address)


def test_a_platform_is_told_to_take_an_action_back():
    with platform() as (address, got):
        assert not take_back(control_at(address), "blur_stream").problem
    assert json.loads(got[0][1]) == {"action": "blur_stream", "undo": True}


def test_what_cannot_be_taken_back_is_told(tmp_path):
    with rtmp_server(tmp_path / "nginx") as running:
        control = control_at(f"nginx-rtmp+{running.control}?app=live&name=one")
    assert "the platform has to" in take_back(control, "end_stream").problem
