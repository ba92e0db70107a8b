"""A pressed child's stream is warned of and ended on the media server itself; a calm one goes on."""

import hmac
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from typer.testing import CliRunner

from live_servers import free_port, publisher, rtmp_server
from underwing.cli.app import app
from underwing.connectors import ControlError, carry_out, control_at
from underwing.model import Decision, Versions

VERSIONS = Versions(engine="1", packs="p", policy="p")
CHILD = {"type": "account", "id": "kid", "declared_age": 12, "minor": True}
PRESSING = [
    "do it now, 500 coins if you stand up and show us",
    "i will post your pics to everyone at your school if you don't do it",
    "do it right now or i send them to your mum, 5 minutes",
    "pay me or everyone will see your pictures",
]
CALM = ["nice build!", "which song is that", "gg", "see you tomorrow", "love this level"]


def chat(texts: list[str]) -> list[dict[str, Any]]:
    said = [
        {
            "type": "message", "id": f"m{n}", "at": f"2026-11-27T08:00:{n:02}Z", "surface": "live",
            "conversation": "one", "from": "v1", "to": [], "text": text,
        }
        for n, text in enumerate(texts)
    ]  # fmt: skip
    return [CHILD, *said]


def decision(*actions: str) -> Decision:
    return Decision(
        event="e", level="urgent", actor="a", target="t", stage="threat", actions=actions, reasons=(), versions=VERSIONS
    )  # fmt: skip


@pytest.mark.parametrize(("texts", "ended"), [(PRESSING, True), (CALM, False)], ids=["pressed", "calm"])
def test_a_pressed_stream_is_ended_through_the_servers_control_and_a_calm_one_is_not(texts, ended, tmp_path):
    lines = tmp_path / "chat.ndjson"
    lines.write_text("\n".join(map(json.dumps, chat(texts))) + "\n", "utf-8")
    with (
        rtmp_server(tmp_path / "nginx") as server,
        publisher(server.url("one"), seconds=120 if ended else 25) as sending,
    ):
        result = CliRunner().invoke(
            app,
            [
                "watch", server.url("one"), "--stream", "one", "--streamer", "kid", "--chat", str(lines), "--banks",
                str(tmp_path / "none.db"), "--give-up", "2", "--json", "--control",
                f"nginx-rtmp+{server.control}?app=live&name=one",
            ],
        )  # fmt: skip
        stopped_by_server = sending.poll() not in (None, 0)
    decisions = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    levels = {d["level"] for d in decisions if d["event"].startswith("m")}
    if ended:
        assert result.exit_code == 1, result.output
        assert any("warn_streamer" in d["actions"] and "end_stream" in d["actions"] for d in decisions)
        assert "end_stream: done" in result.stderr
        assert stopped_by_server
    else:
        assert levels == {"none"}
        assert "end_stream" not in result.output
        assert not stopped_by_server


def test_a_stream_that_nobody_publishes_is_told(tmp_path):
    with rtmp_server(tmp_path / "nginx") as server:
        control = control_at(f"nginx-rtmp+{server.control}?app=live&name=nobody")
        (done,) = carry_out(control, decision("end_stream", "open_case"))
        assert done.problem
    (done,) = carry_out(control, decision("end_stream"))
    assert "did not answer" in done.problem
    (done,) = carry_out(control, decision("blur_stream"))
    assert "the platform has to" in done.problem


@contextmanager
def platform(status: int = 204) -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    got: list[tuple[dict[str, str], bytes]] = []

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"webhook+http://127.0.0.1:{server.server_port}/hook", got
    finally:
        server.shutdown()


def test_a_platform_is_told_of_each_action_and_can_tell_who_says_so():
    with platform() as (address, got):
        control = control_at(address, "a secret of this test")
        assert [d.problem for d in carry_out(control, decision("pause_chat", "page", "warn_streamer"))] == [
            "",
            "",
        ]
    for headers, body in got:
        made = "sha256=" + hmac.digest(b"a secret of this test", body, "sha256").hex()
        assert headers["underwing-signature"] == made
    assert [json.loads(body)["action"] for _, body in got] == ["pause_chat", "warn_streamer"]


def test_a_platform_that_refuses_is_told():
    with platform(503) as (address, _):
        (done,) = carry_out(control_at(address), decision("end_stream"))
    assert "503" in done.problem


@pytest.mark.parametrize(
    "address",
    [
        "",
        "http://x/y",
        "nginx-rtmp+file:///etc/passwd",
        f"nginx-rtmp+http://127.0.0.1:{free_port()}/control",
        "x+http://y",
    ],
)
def test_an_address_that_is_none_says_what_one_looks_like(address):
    with pytest.raises(ControlError, match="nginx-rtmp"):
        control_at(address)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gopher://x/y"], "watched by rtmp"),
        (["film.mp4", "--chat", "nowhere.ndjson"], "is no file"),
        (["film.mp4", "--control", "x"], "nginx-rtmp"),
    ],
)
def test_what_cannot_be_watched_is_told_in_one_line(arguments, said, tmp_path):
    result = CliRunner().invoke(app, ["watch", *arguments, "--banks", str(tmp_path / "none.db")])
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.output
