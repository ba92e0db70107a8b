"""Whatever is sent: a clear answer, never a 5xx, and the service goes on."""

import contextlib
import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from conftest import write_pack
from console_cases import console
from server_cases import Running, event, ndjson, post
from underwing.engine import Engine
from underwing.model import Decision, decode_event
from underwing.packs import load_packs
from underwing.policy import load_policy
from underwing.server.openapi import describe

QUIET = settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("fuzz")
    engine = Engine(load_packs(write_pack(folder / "packs"), builtin=False), load_policy())
    with console(engine, folder, rate=100_000_000, media_workers=1) as service:
        yield service.with_banks()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
times = st.one_of(
    st.datetimes().map(lambda t: t.isoformat() + "Z"),
    st.from_regex(r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,12})?(Z|[+-]\d\d:\d\d)\Z"),
    json_values,
)
kinds = st.sampled_from(
    ["message", "account", "contact_request", "block", "user_report", "media", "stream", "pigeon"]
)


@st.composite
def nearly_events(draw: st.DrawFn) -> dict[str, Any]:
    """Events of every kind, most of them with something wrong."""
    made: dict[str, Any] = {
        **event(draw(st.integers(0, 50))),
        "type": draw(kinds),
        "text": draw(st.text(max_size=200) | st.sampled_from(["home alone", "pay me", "im 13 years"])),
        "state": "started",
        "to": draw(st.sampled_from([["k"], [], ["k", "l"], "k"])),
        "declared_age": draw(st.integers(-5, 200)),
        "created_at": draw(times),
        "relations": {"x": draw(st.sampled_from(["parent", "friend", "pigeon"]))},
    }
    if draw(st.booleans()):
        made["at"] = draw(times)
    for field in draw(st.lists(st.sampled_from(sorted(made)), max_size=2)):
        made[field] = draw(json_values)
    return made


@given(body=st.binary(max_size=400), many=st.booleans())
@QUIET
def test_arbitrary_bytes(service: Running, body: bytes, many: bool) -> None:
    media = "application/x-ndjson" if many else "application/json"
    with service.client() as client:
        answer = client.post("/v1/events", content=body, headers={"content-type": media})
    if many:
        assert answer.status_code == 200
        lines = [line for line in body.split(b"\n") if line.strip()]
        assert len(answer.content.splitlines()) == len(lines)
    else:
        assert answer.status_code in (200, 400, 422)


@given(made=st.lists(nearly_events(), min_size=1, max_size=12))
@QUIET
def test_events_with_something_wrong(service: Running, made: list[dict[str, Any]]) -> None:
    with service.client() as client:
        answers = post(client, *made)
        assert len(answers) == len(made)
        for answer in answers:
            if "error" in answer:
                assert answer["error"]["code"] in (
                    "invalid_event", "malformed_json", "in_the_future", "too_old", "too_large",
                ), answer  # fmt: skip
        alone = client.post("/v1/events", json=made[0]) if _plain(made[0]) else None
        if alone is not None:
            assert ("error" in answers[0]) == (alone.status_code != 200)
    assert not service.lines("engine_fault")


def _plain(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False).encode()
    except (ValueError, UnicodeEncodeError):
        return False
    return True


@given(part=st.text(min_size=1, max_size=80) | st.binary(min_size=1, max_size=30))
@QUIET
def test_any_path_and_query(service: Running, part: str | bytes) -> None:
    from urllib.parse import quote

    written = quote(part, safe="", errors="surrogatepass") if isinstance(part, str) else quote(part, safe="")
    with service.client() as client:
        for path in (
            f"/{written}", f"/v1/decisions/{written}", f"/v1/explain/actor/{written}", f"/v1/recent?after={written}",
            f"/v1/explain/pair?actor={written}&target={written}", f"/?key={written}", f"/v1/recent?{written}",
        ):  # fmt: skip
            assert client.get(path).status_code in (200, 303, 400, 401, 404), path


FORM = (
    b'--edge\r\nContent-Disposition: form-data; name="file"; filename="x.png"\r\nContent-Type: image/png\r\n\r\n'
    b'bytes\r\n--edge\r\nContent-Disposition: form-data; name="event"\r\n\r\n{"id": "x"}\r\n--edge--\r\n'
)


@st.composite
def nearly_forms(draw: st.DrawFn) -> bytes:
    """A form with pieces cut out, doubled or overwritten."""
    made = bytearray(FORM)
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(made)))
        end = draw(st.integers(start, min(len(made), start + 30)))
        made[start:end] = draw(st.one_of(st.binary(max_size=20), st.just(bytes(made[start:end]) * 2)))
    return bytes(made)


@given(
    body=nearly_forms() | st.binary(max_size=300), path=st.sampled_from(["/v1/media", "/h/hash", "/m/lookup"])
)
@QUIET
def test_forms_with_something_wrong(service: Running, body: bytes, path: str) -> None:
    with service.client() as client:
        answer = client.post(
            path, content=body, headers={"content-type": "multipart/form-data; boundary=edge"}
        )
    assert answer.status_code in (200, 400, 413, 422), answer.text
    assert b"bytes" not in answer.content


@given(
    body=st.binary(min_size=1, max_size=400),
    start=st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a"]),
)
@QUIET
def test_bytes_that_are_no_picture(service: Running, body: bytes, start: bytes) -> None:
    with service.client() as client:
        answer = client.post("/v1/media", content=start + body)
    assert answer.status_code == 200
    assert answer.json()["error"]


@given(wire=st.binary(max_size=300))
@QUIET
def test_bytes_that_are_not_http(service: Running, wire: bytes) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=5) as connection:
        connection.sendall(wire)
    with service.client(None) as client:
        assert client.get("/healthz").status_code == 200


def test_after_all_that_the_service_still_decides(service: Running) -> None:
    with service.client() as client:
        answer = post(client, event("the end", "home alone", **{"from": "z", "to": ["y"]}))[0]
    assert answer["level"] in ("none", "watch")
    assert not service.lines("fault")
    assert not service.lines("engine_fault")
    assert ndjson(event(1)).endswith(b"\n")
    assert decode_event(json.dumps(event(1)))
    assert Decision


BEYOND = (
    "missing required field", '"no_hash"', '"bank"', '"unchecked"', '"two_events"', '"no_file"', '"bad_form"', "digits",
    '"unwatchable"', '"no_control"',
)  # fmt: skip
"""What no schema says of media: all of the event's fields or none, one hash at least, a hash of its kind's length, an
agreement of the register, bytes that are a picture; and of streams: an address that can be watched, or acted on."""


@pytest.mark.parametrize("path", sorted(set(describe()["paths"]) - {"/openapi.json"}))
def test_the_description_holds(service: Running, path: str) -> None:
    """Schemathesis makes requests from the live description, right ones and wrong ones, and checks the answers."""
    schema = schemathesis.openapi.from_url(f"{service.url}/openapi.json")
    headers = {"Authorization": f"Bearer {service.tokens['operator']}"}
    tried = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path != path:
            continue
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            try:
                cases = operation.as_strategy(generation_mode=mode)
                cases.validate()
            except Unsatisfiable:
                continue

            @given(case=cases)
            @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None)
            def hold(case: schemathesis.Case) -> None:
                nonlocal tried
                tried += 1
                generated = {name.lower() for name in case.headers or {}}
                # A right key, unless leaving it out is what is wrong with this request.
                keyed = mode == GenerationMode.POSITIVE or "authorization" in generated  # noqa: B023 (called at once)
                answer = case.call(headers=headers if keyed else {})
                # What a schema cannot say: that a time is too far from now, that 71.0 is no whole number here.
                beyond = ('"in_the_future"', '"too_old"', "got `float`", *BEYOND)
                excluded = [positive_data_acceptance] if any(word in answer.text for word in beyond) else []
                if path.startswith(
                    ("/h/", "/m/", "/c/")
                ):  # another program's: it takes what it does not know
                    excluded = [positive_data_acceptance, negative_data_rejection]
                # What is too large is refused before it is read: whether it breaks the schema is not asked any more.
                if answer.status_code == 413:
                    excluded = [positive_data_acceptance, negative_data_rejection]
                # What a URL cannot say: a parameter whose value is an empty list is not sent at all.
                sent = {
                    name for name, _ in parse_qsl(urlsplit(answer.request.url).query, keep_blank_values=True)
                }
                if not set(case.query or {}) <= sent:
                    excluded.append(negative_data_rejection)
                case.validate_response(answer, headers=headers if keyed else {}, excluded_checks=excluded)

            with contextlib.suppress(Unsatisfiable):  # nothing can be wrong with a request without parameters
                hold()
    assert tried
