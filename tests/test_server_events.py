"""Events over HTTP: one or many, good or bad, answered in order and once for all."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from server_cases import TRIGGER, Running, ahead, event, ndjson, post, running
from underwing.engine import Engine, MemoryState
from underwing.model import Decision, Event, Message, decode_event, encode
from underwing.packs import Packs
from underwing.policy import load_policy


@pytest.fixture
def service(engine: Engine, tmp_path: Path) -> Iterator[Running]:
    with running(engine, tmp_path) as service:
        yield service


def refused(answer: httpx2.Response, status: int, code: str) -> str:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == {"code", "message"}
    assert error["code"] == code
    return str(error["message"])


def test_one_event_one_decision_the_same_bytes_for_ever(service: Running, engine: Engine) -> None:
    with service.client("platform") as client:
        first = client.post("/v1/events", json=event(1, "home alone"))
        assert first.status_code == 200
        expected = encode(engine.step(MemoryState(), decode_event(json.dumps(event(1, "home alone")))))
        assert first.content == expected
        again = client.post("/v1/events", json=event(1, "another text altogether"))
        assert again.content == first.content
        assert client.get("/v1/decisions/m1").content == first.content


def test_many_lines_are_answered_in_their_order(service: Running) -> None:
    texts = ["hello", "home alone", TRIGGER, "dont tell"] * 700
    with service.client("platform") as client:
        answers = post(client, *(event(n, text) for n, text in enumerate(texts)))
        assert [a["event"] for a in answers] == [f"m{n}" for n in range(len(texts))]
        assert answers[2]["level"] == "review"
        assert answers[2]["test"] is True
        jsonl = client.post(
            "/v1/events", content=ndjson(event(0), event(1)), headers={"content-type": "application/jsonl"}
        )
        assert [json.loads(line) for line in jsonl.text.splitlines()] == answers[:2]


def test_bad_lines_are_answered_in_place_and_the_good_ones_taken(service: Running) -> None:
    with service.client("platform") as client:
        answers = post(
            client, event(1), b"{nonsense", b"", b"  ", event(2, surface="zebra"), event(3), event(4, at=ahead(3600))
        )  # fmt: skip
        assert [a.get("event") for a in answers] == ["m1", None, None, "m3", None]
        faults = [a["error"] for a in answers if "error" in a]
        assert [(f["code"], f["line"]) for f in faults] == [
            ("malformed_json", 2), ("invalid_event", 5), ("in_the_future", 7),
        ]  # fmt: skip
        assert client.get("/v1/decisions/m3").status_code == 200
        assert client.get("/v1/decisions/m4").status_code == 404


def test_an_empty_body_of_many_is_an_empty_answer(service: Running) -> None:
    with service.client("platform") as client:
        for body in (b"", b"\n\n \r\n"):
            answer = client.post("/v1/events", content=body, headers={"content-type": "application/x-ndjson"})
            assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "malformed_json"),
        (b"{", 400, "malformed_json"),
        (b"\xff\xfe", 400, "malformed_json"),
        (b"[" * 200_000, 422, "invalid_event"),
        (b'{"a":' * 40_000, 400, "malformed_json"),
        (b"null", 422, "invalid_event"),
        (json.dumps(event(1, type="pigeon")).encode(), 422, "invalid_event"),
        (json.dumps(event(1, surface="pigeon")).encode(), 422, "invalid_event"),
        (json.dumps(event(1, at="pigeon")).encode(), 422, "invalid_event"),
        (json.dumps(event(1, at="2026-01-01T12:00:00")).encode(), 422, "invalid_event"),
        (json.dumps(event(1, at="0001-01-01T00:00:00+14:00")).encode(), 422, "too_old"),
        (json.dumps(event(1, at="9999-12-31T23:59:59-14:00")).encode(), 422, "in_the_future"),
        (json.dumps(event(1, to=["pigeon"] * 1001)).encode(), 422, "invalid_event"),
        (json.dumps(event(1, "pigeon" * 5_000)).encode(), 422, "invalid_event"),
        (json.dumps(event(1)).encode().replace(b"hello", rb"\ud800"), 400, "malformed_json"),
        (b'{"type":"account","id":"p","relations":{"q":"pigeon"}}', 422, "invalid_event"),
        (b'{"type":"account","id":"p","declared_age":-3}', 422, "invalid_event"),
    ],
)
def test_a_bad_event_is_refused_and_never_quoted(
    service: Running, body: bytes, status: int, code: str
) -> None:
    with service.client("platform") as client:
        answer = client.post("/v1/events", content=body, headers={"content-type": "application/json"})
        assert "pigeon" not in refused(answer, status, code)
    assert "pigeon" not in service.log


def test_a_value_that_imitates_an_error_message_is_not_quoted(service: Running) -> None:
    with service.client("platform") as client:
        for field in ("type", "surface"):
            answer = client.post("/v1/events", json=event(1, **{field: "pigeon' - at `$.pigeon"}))
            assert "pigeon" not in refused(answer, 422, "invalid_event")
            assert f"$.{field}" in answer.json()["error"]["message"]


def test_the_clock_allows_ten_minutes(service: Running) -> None:
    with service.client("platform") as client:
        assert client.post("/v1/events", json=event(1, at=ahead(540))).status_code == 200
        message = refused(client.post("/v1/events", json=event(2, at=ahead(660))), 422, "in_the_future")
        assert "clock" in message


def test_too_large_is_said_while_reading(engine: Engine, tmp_path: Path) -> None:
    with (
        running(engine, tmp_path, max_body=300_000, max_lines=100) as service,
        service.client("platform") as client,
    ):
        big = client.post("/v1/events", json=event(1, "x" * 10_000_000))
        refused(big, 413, "too_large")

        def drip() -> Iterator[bytes]:
            for _ in range(300):
                yield b"x" * 1_000

        for media, code in (("application/json", "too_large"), ("application/x-ndjson", "too_large")):
            answer = client.post(
                "/v1/events",
                content=drip() if "nd" not in media else b"x" * 300_001,
                headers={"content-type": media},
            )
            refused(answer, 413, code)
        lines = client.post(
            "/v1/events", content=b"\n" * 101, headers={"content-type": "application/x-ndjson"}
        )
        refused(lines, 413, "too_many_lines")
        most = client.post(
            "/v1/events",
            content=ndjson(*map(event, range(100))),
            headers={"content-type": "application/x-ndjson"},
        )
        assert most.text.count("\n") == 100


def test_a_million_recipients_and_a_long_line_do_not_spoil_their_neighbours(service: Running) -> None:
    with service.client("platform") as client:
        crowd = event(2, surface="group", to=["k"] * 1_000_000)
        answers = post(client, event(1), crowd, event(3, "x" * 10_000_000), event(4))
        assert [a.get("event") or a["error"]["code"] for a in answers] == [
            "m1",
            "too_large",
            "too_large",
            "m4",
        ]


def test_every_kind_of_event_is_answered(service: Running) -> None:
    kinds: list[dict[str, Any]] = [
        {"type": "account", "id": "k", "declared_age": 13, "minor": True},
        {"type": "contact_request", "id": "r1", "at": "2026-01-01T12:00:00Z", "from": "a", "to": "k"},
        {"type": "block", "id": "b1", "at": "2026-01-01T12:00:00Z", "from": "k", "to": "a"},
        {"type": "user_report", "id": "u1", "at": "2026-01-01T12:00:00Z", "from": "k", "to": "a"},
        {"type": "media", "id": "p1", "at": "2026-01-01T12:00:00Z", "surface": "dm", "conversation": "c", "from": "a"},
        {"type": "stream", "id": "s1", "at": "2026-01-01T12:00:00Z", "conversation": "c", "from": "a",
         "state": "started"},
    ]  # fmt: skip
    with service.client("platform") as client:
        assert [a["event"] for a in post(client, *kinds)] == ["k", "r1", "b1", "u1", "p1", "s1"]


@pytest.mark.parametrize("media", ["text/plain", "", "application/xml", "multipart/form-data; boundary=x"])
def test_other_content_types_are_refused(service: Running, media: str) -> None:
    with service.client("platform") as client:
        answer = client.post("/v1/events", content=b"{}", headers={"content-type": media} if media else {})
        refused(answer, 415, "unsupported_type")
        with_charset = {"content-type": "Application/JSON; charset=utf-8"}
        assert (
            client.post("/v1/events", content=json.dumps(event(1)), headers=with_charset).status_code == 200
        )


def test_single_events_at_once_share_commits(service: Running) -> None:
    async def send() -> list[int]:
        limits = httpx2.Limits(max_connections=40)
        headers = {"authorization": f"Bearer {service.tokens['platform']}"}
        async with httpx2.AsyncClient(
            base_url=service.url, headers=headers, limits=limits, timeout=30
        ) as client:
            answers = await asyncio.gather(*(client.post("/v1/events", json=event(n)) for n in range(400)))
            return [a.status_code for a in answers]

    assert asyncio.run(send()) == [200] * 400
    metrics = httpx2.get(f"{service.url}/metrics").text
    commits = next(line for line in metrics.splitlines() if line.startswith("underwing_batch_events_count"))
    assert float(commits.split()[1]) < 400


class Clumsy(Engine):
    """An engine with a mistake in it: it stumbles over one word."""

    def step(self, state: Any, event: Event) -> Decision:
        if isinstance(event, Message) and event.text.startswith("pigeon"):
            raise ValueError(f"stumbled over {event.text}")
        return super().step(state, event)


def test_a_mistake_inside_costs_only_its_own_event(small_packs: Packs, tmp_path: Path) -> None:
    clumsy, sound = Clumsy(small_packs, load_policy()), Engine(small_packs, load_policy())
    with running(clumsy, tmp_path) as service, service.client("platform") as client:
        refused(client.post("/v1/events", json=event(0, "pigeon")), 500, "internal")
        texts = ["pigeon" if n in (40, 41, 99) else "home alone" for n in range(100)]
        answers = post(client, *(event(n, text) for n, text in enumerate(texts, 1)))
        bad = [n for n, a in enumerate(answers) if "error" in a]
        assert bad == [40, 41, 99]
        state = MemoryState()
        good = [event(n, t) for n, t in enumerate(texts, 1) if t != "pigeon"]
        expected = [json.loads(encode(sound.step(state, decode_event(json.dumps(e))))) for e in good]
        assert [a for a in answers if "error" not in a] == expected
        assert "ValueError" in service.log
        assert "pigeon" not in service.log


def test_a_store_that_cannot_be_written_is_said_and_forgiven(service: Running) -> None:
    connection = service.runner._connection  # the real thing, made read-only for a while
    with service.client() as client:
        assert client.post("/v1/events", json=event(1)).status_code == 200
        connection.execute("PRAGMA query_only = ON")
        refused(client.post("/v1/events", json=event(2)), 503, "store_unavailable")
        assert client.get("/readyz").status_code == 503
        assert post(client, event(3))[0]["error"]["code"] == "store_unavailable"
        connection.execute("PRAGMA query_only = OFF")
        assert client.post("/v1/events", json=event(2)).status_code == 200
        assert client.get("/readyz").status_code == 200
