"""The service around the events: health, metrics, logs, settings, policy reload, description, a clean stop."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import jsonschema_rs
import pytest
from msgspec import structs

from server_cases import TRIGGER, Running, event, ndjson, post, running
from underwing.engine import Engine, Runner
from underwing.server.app import create_app
from underwing.server.keys import Keys
from underwing.server.settings import PREFIX, Settings, SettingsError

ROOT = Path(__file__).parent.parent


@pytest.fixture
def service(engine: Engine, tmp_path: Path) -> Iterator[Running]:
    with running(engine, tmp_path) as service:
        yield service


def until(check: Any, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.05)


def test_health_and_readiness(service: Running) -> None:
    with service.client(None) as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        ready = client.get("/readyz").json()
        assert ready["ready"] is True
        assert ready["details"]["packs"] == service.runner.engine.versions.packs


async def _call(app: Any, path: str) -> int:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"", "headers": [],
        "client": ("127.0.0.1", 1),
    }  # fmt: skip
    await app(scope, receive, send)
    return int(sent[0]["status"])


def test_not_ready_before_there_is_an_engine(tmp_path: Path) -> None:
    import asyncio

    with Keys(tmp_path / "keys.db") as keys:
        app = create_app(None, keys, Settings())
        assert asyncio.run(_call(app, "/healthz")) == 200
        assert asyncio.run(_call(app, "/readyz")) == 503


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/v1/events", 405, "POST"),
        ("DELETE", "/healthz", 405, "GET, HEAD"),
        ("POST", "/v1/decisions/m1", 405, "GET, HEAD"),
        ("TRACE", "/", 405, "GET, HEAD"),
        ("GET", "/nothing", 404, None),
        ("GET", "/v1/decisions/", 404, None),
        ("GET", "/v1/events/", 404, None),
        ("GET", "/v1/decisions/a/b", 404, None),
        ("GET", "/v1/decisions/unknown", 404, None),
        ("GET", "/v1/decisions/%FF", 400, None),
        ("HEAD", "/healthz", 200, None),
        ("HEAD", "/v1/events", 405, "POST"),
    ],
)
def test_methods_and_paths(service: Running, method: str, path: str, status: int, allow: str | None) -> None:
    with service.client() as client:
        answer = client.request(method, path)
        assert answer.status_code == status
        assert answer.headers.get("allow") == allow
        if method == "HEAD":
            assert answer.content == b""
            assert int(answer.headers["content-length"]) > 0
        elif status >= 400:
            assert answer.json()["error"]["message"]


def test_every_answer_is_protected_and_has_an_id(service: Running) -> None:
    with service.client() as client:
        for path in ("/", "/healthz", "/nothing", "/v1/recent", "/metrics", "/openapi.json"):
            answer = client.get(path, headers={"x-request-id": "mine-1"})
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["x-frame-options"] == "DENY"
            assert answer.headers["cache-control"] == "no-store"
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            assert answer.headers["x-request-id"] == "mine-1"
            assert "strict-transport-security" not in answer.headers
        strange = client.get("/healthz", headers={"x-request-id": 'a"b c'})
        assert re.fullmatch(r"[0-9a-f-]+", strange.headers["x-request-id"])


def test_behind_https_cookies_are_secure(engine: Engine, tmp_path: Path) -> None:
    with running(engine, tmp_path, https=True) as service, service.client(None) as client:
        answer = client.get(service.app.welcome())
        assert "; Secure" in answer.headers["set-cookie"]
        assert answer.headers["strict-transport-security"]


def value(text: str, name: str) -> float:
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))


def test_metrics_count_what_happened(service: Running) -> None:
    with service.client() as client:
        post(
            client,
            event(1, "home alone"),
            event(1, "home alone"),
            event(2, surface="group"),
            b"{",
            event(3, TRIGGER),
        )
        client.post("/v1/events", json=event(4, surface="no"))
        text = client.get("/metrics").text
    assert value(text, 'underwing_events_total{surface="dm",type="message"}') == 2
    assert value(text, 'underwing_events_total{surface="group",type="message"}') == 1
    assert value(text, "underwing_events_repeated_total") == 1
    assert value(text, 'underwing_rejected_total{reason="malformed_json"}') == 1
    assert value(text, 'underwing_rejected_total{reason="invalid_event"}') == 1
    assert value(text, 'underwing_signals_total{signal="xx.risk_check.alone"}') == 1
    assert value(text, "underwing_decisions_total{") == 2
    assert value(text, "underwing_test_decisions_total") == 1
    assert value(text, 'underwing_request_seconds_count{route="events"}') == 2
    assert "underwing_queue_events" in text


def test_metrics_are_open_to_this_machine_itself_only(engine: Engine, tmp_path: Path) -> None:
    with running(engine, tmp_path) as service, service.client(None) as client:
        assert client.get("/metrics").status_code == 200
        for header in ("x-forwarded-for", "forwarded", "via", "x-real-ip"):
            assert client.get("/metrics", headers={header: "127.0.0.1"}).status_code == 401
    (tmp_path / "b").mkdir()
    with running(engine, tmp_path / "b", open_metrics=False) as service, service.client(None) as client:
        assert client.get("/metrics").status_code == 401
    (tmp_path / "c").mkdir()
    with running(engine, tmp_path / "c", host="0.0.0.0") as service, service.client(None) as client:
        assert client.get("/metrics").status_code == 401


def test_logs_tell_what_happened_but_never_what_was_said(service: Running) -> None:
    secret = "xylophone"
    with service.client() as client:
        post(
            client, event(1, f"home alone {secret}"), {**event(2), "surface": secret}, f'{{"{secret}'.encode()
        )
        client.post("/v1/events", json=event(3, secret, at=secret))
        client.get(f"/v1/decisions/{secret}")
        client.get(f"/v1/explain/actor/{secret}")
        client.get(f"/{secret}?{secret}={secret}")
        client.get("/v1/recent", headers={"authorization": f"Bearer {secret}", "x-request-id": "r-77"})
    service.stop()
    log = service.log
    assert secret not in log
    for token in service.tokens.values():
        assert token not in log
        assert token.split("_", 2)[2] not in log
    requests = service.lines("request")
    assert {"at", "level", "event", "request", "route", "status", "ms", "key"} <= set(requests[0])
    assert (requests[0]["lines"], requests[0]["taken"], requests[0]["refused"]) == (3, 1, 2)
    assert requests[0]["route"] == "events"
    assert any(r["request"] == "r-77" and r["status"] == 401 for r in requests)


POLICY = """
version = "{version}"
[[rule]]
id = "look"
why = "a test"
when = {when}
actions = ["{action}"]
"""


def test_a_policy_file_is_followed_and_a_bad_one_told_about(engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    always = "'level >= 0'"
    file.write_text(POLICY.format(version=1, when=always, action="open_case"))
    with running(engine, tmp_path, policy=str(file)) as service, service.client() as client:
        assert client.post("/v1/events", json=event(1, TRIGGER)).json()["actions"] == ["open_case"]
        first = client.get("/readyz").json()["details"]["policy"]

        file.write_text(POLICY.format(version=2, when="'no such ('", action="page"))
        until(lambda: "policy_problem" in client.get("/readyz").json()["details"])
        ready = client.get("/readyz")
        assert ready.status_code == 200
        assert "last good one is kept" in ready.json()["policy"]
        assert str(tmp_path) not in ready.text
        assert value(client.get("/metrics").text, "underwing_policy_invalid") == 1
        assert client.post("/v1/events", json=event(2, TRIGGER)).json()["actions"] == ["open_case"]
        assert service.lines("policy_invalid")

        file.write_text(POLICY.format(version=3, when=always, action="page"))
        until(lambda: client.get("/readyz").json()["details"]["policy"] != first)
        assert client.post("/v1/events", json=event(3, TRIGGER)).json()["actions"] == ["page"]
        assert value(client.get("/metrics").text, "underwing_policy_invalid") == 0
        assert client.post("/v1/events", json=event(1, TRIGGER)).json()["actions"] == ["open_case"]


def test_a_stop_answers_what_is_under_way(engine: Engine, tmp_path: Path) -> None:
    with running(engine, tmp_path) as service:
        head = (
            f"POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {service.tokens['platform']}\r\n"
            "content-type: application/x-ndjson\r\ncontent-length: {}\r\n\r\n"
        )
        body = ndjson(*map(event, range(3_000)))
        with socket.create_connection(("127.0.0.1", service.port)) as wire:
            wire.sendall(head.format(len(body)).encode() + body[:1_000])
            time.sleep(0.2)
            service.server.should_exit = True
            time.sleep(0.3)
            wire.sendall(body[1_000:])
            answer = b""
            while part := wire.recv(65536):
                answer += part
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.count(b'{"event":"m') == 3_000
        service.thread.join(10)
        assert not service.thread.is_alive()
        assert service.runner.decision("m2999") is not None


def test_the_description_is_sound_and_fits_the_answers(service: Running) -> None:
    with service.client() as client:
        description = client.get("/openapi.json").json()
        assert description["openapi"] == "3.1.0"
        schemas = {"$defs": description["components"]["schemas"]}
        document = json.loads(json.dumps(schemas).replace("#/components/schemas/", "#/$defs/"))

        def fits(name: str, instance: Any) -> None:
            jsonschema_rs.validate({**document, "$ref": f"#/$defs/{name}"}, instance)

        fits("Event", event(1))
        for answer in post(client, event(1, "home alone"), event(2)):
            fits("Decision", answer)
        fits("Problem", post(client, b"{")[0])
        fits("Recent", client.get("/v1/recent").json())
        fits("Explanation", client.get("/v1/explain/actor/a").json())
        fits("Readiness", client.get("/readyz").json())
        fits("Problem", client.get("/nothing").json())
        with pytest.raises(jsonschema_rs.ValidationError):
            fits("Event", event(1, surface="no"))


def test_every_setting_is_documented_with_its_default() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(UNDERWING_\w+)` \| (?:`([^`]*)`|none) \|", text, flags=re.M))
    expected = {PREFIX + f.name.upper(): f.default for f in structs.fields(Settings)}
    assert set(rows) == set(expected)
    for name, default in expected.items():
        assert rows[name] == (str(default).lower() if isinstance(default, bool) else str(default)), name


def test_settings_are_read_from_the_environment_and_checked() -> None:
    environ = {"UNDERWING_PORT": "9000", "UNDERWING_OPEN_METRICS": "false", "PATH": "/bin"}
    settings = Settings.read(environ, host="::1", rate=None)
    assert (settings.port, settings.open_metrics, settings.host) == (9000, False, "::1")
    assert Settings.read(environ, port="1").port == 1
    for bad, word in (
        ({"UNDERWING_PORT": "x"}, "UNDERWING_PORT"), ({"UNDERWING_PORT": "70000"}, "port"),
        ({"UNDERWING_PROT": "1"}, "not a setting"), ({"UNDERWING_DURABILITY": "some"}, "durability"),
        ({"UNDERWING_TICKET": "short"}, "32"),
    ):  # fmt: skip
        with pytest.raises(SettingsError, match=word):
            Settings.read(bad)


def _process(*arguments: str) -> "subprocess.Popen[bytes]":
    environ = {k: v for k, v in os.environ.items() if not k.startswith(PREFIX)}
    return subprocess.Popen(
        [sys.executable, "-m", "underwing.server", *arguments], stderr=subprocess.PIPE, env=environ
    )


def test_a_service_that_cannot_start_says_why(engine: Engine, tmp_path: Path) -> None:
    database = tmp_path / "taken.db"
    with Runner(engine, database), socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        policy = tmp_path / "bad.toml"
        policy.write_text("version = 1\n[[rule]]\n")
        cases = {
            "in use by another": ["--port", "0", "--database", str(database)],
            "cannot listen": ["--port", port, "--database", str(tmp_path / "a.db")],
            "bad.toml": ["--port", "0", "--database", str(tmp_path / "b.db"), "--policy", str(policy)],
            "not a directory": [
                "--port",
                "0",
                "--database",
                str(tmp_path / "c.db"),
                "--packs",
                str(tmp_path / "no"),
            ],
        }
        for word, arguments in cases.items():
            process = _process(*arguments)
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 2, errors
            assert word in errors.decode()
            assert "Traceback" not in errors.decode()


def test_a_terminated_process_ends_with_success(tmp_path: Path) -> None:
    process = _process("--port", "0", "--database", str(tmp_path / "x.db"))
    assert process.stderr is not None
    lines: list[dict[str, Any]] = []

    def read() -> None:
        for line in process.stderr or []:
            lines.append(json.loads(line))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    until(lambda: any(line["event"] in ("ready", "cannot_serve") for line in lines), 60)
    assert not [line for line in lines if line["event"] == "cannot_serve"]
    port = next(line["port"] for line in lines if line["event"] == "listening")
    assert httpx2.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    reader.join(5)
    assert lines[-1]["event"] == "stopped"
