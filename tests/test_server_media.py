"""`/v1/media` and `/v1/hashes`: bytes and hashes in, matches, decisions and receipts out."""

import base64
import json
import os
import signal
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

import media_files as files
from server_cases import Running, running
from underwing.engine import Engine
from underwing.media.test_picture import drawn
from underwing.packs import load_packs
from underwing.policy import load_policy
from underwing.server.media.receipts import CheckVersions, Receipt, ReceiptError, Signer

LIMIT = 3_000_000
SENT = {
    "id": "p1",
    "at": "2026-01-01T12:00:00Z",
    "surface": "dm",
    "conversation": "c",
    "from": "a",
    "to": ["k"],
}


@pytest.fixture(scope="module")
def quiet_engine() -> Engine:
    return Engine(load_packs(), load_policy())


@pytest.fixture(scope="module")
def service(quiet_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("media")
    with running(quiet_engine, folder, media_workers=1, media_max=LIMIT, media_seconds=20) as service:
        yield service.with_banks()


@pytest.fixture(scope="module")
def client(service: Running) -> Iterator[httpx2.Client]:
    with service.client() as client:
        for name in ("coffee", "chelsea"):
            bank = f"own-{name}"
            assert client.post(
                "/v1/banks", json={"name": bank, "label": "csam" if name == "coffee" else "blocked"}
            )
            assert client.post(f"/v1/banks/{bank}/entries", content=files.file(name)).status_code == 201
        yield client


def check(client: httpx2.Client, data: bytes, event: dict[str, Any] | None = None) -> dict[str, Any]:
    header = {"underwing-event": json.dumps(event)} if event else {}
    answer = client.post("/v1/media", content=data, headers={"content-type": "image/x-anything", **header})
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


# -- the verdict ------------------------------------------------------------------------------------------


def test_a_picture_of_no_bank_is_clear(client: httpx2.Client) -> None:
    answer = check(client, files.file("rocket"))
    assert answer["matches"] == []
    assert answer["error"] is None
    assert answer["decision"] is None
    assert answer["pdq"]["quality"] >= 50
    assert answer["type"] == "image/png"


@pytest.mark.parametrize(
    "made",
    [files.bordered, files.mirrored, files.palette_gif, files.cmyk, files.turned_by_exif],
    ids=lambda f: f.__name__,
)
def test_a_known_picture_is_found_however_it_comes(client: httpx2.Client, made: Any) -> None:
    (match,) = check(client, made("coffee"))["matches"]
    assert (match["bank"], match["label"], match["signal"]) == ("own-coffee", "csam", "pdq")
    assert match["distance"] <= 31


def test_the_same_bytes_are_found_by_their_hash(client: httpx2.Client) -> None:
    (match,) = check(client, files.file("coffee"))["matches"]
    assert (match["signal"], match["distance"], match["how"]) == ("sha256", 0, "plain")


def test_the_shipped_test_picture_trips_the_whole_way(client: httpx2.Client) -> None:
    answer = check(client, drawn(), {**SENT, "id": "test-picture"})
    assert answer["matches"][0]["bank"] == "test"
    decision = answer["decision"]
    assert decision["test"] is True
    assert decision["level"] == "review"
    assert decision["actions"] == ["hold_media", "open_case"]
    assert decision["reasons"][0]["stage"] == "known_media"


@pytest.mark.parametrize(
    "data", [b"not a picture", files.file("rocket")[:700], files.bomb()], ids=["unknown", "truncated", "bomb"]
)
def test_what_cannot_be_checked_stays_held(client: httpx2.Client, data: bytes) -> None:
    answer = check(client, data, {**SENT, "id": f"bad-{len(data)}"})
    assert answer["error"]
    assert answer["decision"]["actions"] == ["hold_media"]
    assert _said(answer["receipt"])["verdict"] == "unchecked"


def test_a_file_whose_worker_dies_is_answered(quiet_engine: Engine, tmp_path: Path) -> None:
    with (
        running(quiet_engine, tmp_path, media_workers=1, media_seconds=1) as service,
        service.client() as client,
    ):
        service.with_banks()
        check(client, files.file("rocket"))
        desk = service.app._media.desk()
        assert desk._made is not None
        stop = threading.Event()

        def kill() -> None:
            while not stop.wait(0.002):
                for child in desk._made.pids():
                    with suppress(ProcessLookupError):
                        os.kill(child, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            answer = check(client, files.encoded(files.picture("retina", 4000)), {**SENT, "id": "died"})
        finally:
            stop.set()
            killer.join()
        assert "the process" in answer["error"]
        for child in desk._made.pids():  # and one that dies while it waits costs nobody anything
            os.kill(child, signal.SIGKILL)
        assert check(client, files.file("rocket"))["error"] is None
        assert answer["decision"]["actions"] == ["hold_media"]
        assert "underwing_media_worker_deaths" in client.get("/metrics").text


@pytest.mark.parametrize("quick", [0.0, 60.0])
def test_whoever_matches_the_answer_is_the_same(
    quick: float, quiet_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event loop itself where that was quick of late, else a thread: what is banked or withdrawn counts for both."""
    monkeypatch.setattr("underwing.server.media.desk.QUICK", quick)
    with running(quiet_engine, tmp_path, media_workers=1) as service, service.client() as client:
        service.with_banks()
        data = files.file("rocket")
        pdq = check(client, data)["pdq"]["hash"]
        client.post("/v1/banks", json={"name": "known", "label": "ncii"}).raise_for_status()
        found = []
        for turn in ("", "add", "withdraw"):
            if turn == "add":
                entry = {"id": "e", "hashes": [{"kind": "pdq", "hash": pdq}]}
                client.post("/v1/banks/known/entries", json={"entries": [entry]}).raise_for_status()
            elif turn:
                client.post("/v1/banks/known/entries/e/withdraw").raise_for_status()
            for _ in range(3):
                by_hash = client.post("/v1/hashes", json={"pdq": pdq}).json()
                found.append([len(answer["matches"]) for answer in (by_hash, check(client, data))])
    assert found == [[0, 0]] * 3 + [[1, 1]] * 3 + [[0, 0]] * 3


# -- events -----------------------------------------------------------------------------------------------


def test_the_fields_may_come_in_the_query_the_header_or_a_part(client: httpx2.Client) -> None:
    data = files.file("coffee", "JPEG")
    query = {**SENT, "id": "by-query"}
    by_query = client.post("/v1/media", params=query, content=data).json()
    by_header = check(client, data, {**SENT, "id": "by-header"})
    by_part = client.post(
        "/v1/media", files={"file": ("x", data)}, data={"event": json.dumps({**SENT, "id": "by-part"})}
    ).json()
    for answer, id in ((by_query, "by-query"), (by_header, "by-header"), (by_part, "by-part")):
        decision = answer["decision"]
        assert (decision["event"], decision["actor"], decision["target"]) == (id, "a", "k")
        assert decision["actions"] == ["hold_media", "open_case"]
        assert not decision["test"]
        assert client.get(f"/v1/decisions/{id}").json() == decision


def test_an_event_is_decided_once(client: httpx2.Client) -> None:
    event = {**SENT, "id": "once"}
    first = check(client, files.file("coffee"), event)["decision"]
    assert check(client, files.file("rocket"), event)["decision"] == first


def test_what_a_client_says_of_the_check_does_not_count(client: httpx2.Client) -> None:
    score = {"name": "n", "version": "1", "score": 1.0}
    said = {
        **SENT,
        "id": "liar",
        "score": score,
        "sha256": "0" * 64,
        "matches": [{"bank": "x"}],
        "error": "no",
    }
    assert check(client, files.file("rocket"), said)["decision"]["actions"] == []


@pytest.mark.parametrize(
    ("params", "headers", "status", "code"),
    [
        ({"id": "x"}, {}, 422, "invalid_event"),
        ({"pigeon": "x"}, {}, 400, "bad_query"),
        ({**SENT, "at": "2999-01-01T00:00:00Z"}, {}, 422, "in_the_future"),
        ({}, {"underwing-event": "{"}, 400, "malformed_json"),
        ({}, {"underwing-event": json.dumps({**SENT, "surface": "no"})}, 422, "invalid_event"),
        ({}, {"underwing-event": json.dumps({**SENT, "type": "message", "text": "x"})}, 422, "invalid_event"),
        (SENT, {"underwing-event": json.dumps(SENT)}, 400, "two_events"),
        ({}, {"content-type": "application/json"}, 415, "unsupported_type"),
        ({}, {"content-type": "multipart/form-data"}, 400, "bad_form"),
        ({}, {"content-type": "multipart/form-data; boundary=x"}, 400, "bad_form"),
    ],
)
def test_bad_requests(client: httpx2.Client, params: Any, headers: Any, status: int, code: str) -> None:
    answer = client.post("/v1/media", params=params, headers=headers, content=b"bytes")
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_bad_forms(client: httpx2.Client) -> None:
    def code(**form: Any) -> str:
        return str(client.post("/v1/media", **form).json()["error"]["code"])

    assert code(files={"file": ("a", b"")}) == "no_file"
    assert code(files={"other": ("a", b"x")}) == "unknown_part"
    assert code(files=[("file", ("a", b"x")), ("file", ("b", b"y"))]) == "several_files"
    assert code(files={"file": ("a", b"x" * (LIMIT + 1))}) == "too_large"
    assert code(files={"file": ("a", b"x")}, data={f"f{n}": "x" for n in range(20)}) == "bad_form"
    assert code(content=b"") == "no_file"
    cut = b'--b\r\ncontent-disposition: form-data; name="file"; filename="x"\r\n\r\nabc'
    assert code(content=cut, headers={"content-type": "multipart/form-data; boundary=b"}) == "bad_form"


# -- bounds -----------------------------------------------------------------------------------------------


def test_too_large_a_file_is_refused(client: httpx2.Client) -> None:
    answer = client.post("/v1/media", content=bytes(LIMIT + 1))
    assert answer.status_code == 413
    assert check(client, bytes(LIMIT))["error"]


def test_too_many_at_once_are_told_to_come_back(quiet_engine: Engine, tmp_path: Path) -> None:
    with running(quiet_engine, tmp_path, media_workers=1, media_in_flight=1) as service:
        service.with_banks()
        head = (
            f"POST /v1/media HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {service.tokens['platform']}\r\n"
            "content-type: image/png\r\ncontent-length: 100\r\n\r\nabc"
        )
        with socket.create_connection(("127.0.0.1", service.port)) as slow, service.client() as client:
            slow.sendall(head.encode())
            while service.app._media.desk()._free:
                pass
            answer = client.post("/v1/media", content=b"x")
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            slow.sendall(b"d" * 97)
            assert slow.recv(100).startswith(b"HTTP/1.1 200")
            assert client.post("/v1/media", content=b"x").status_code == 200


def test_roles(service: Running) -> None:
    for role, status in ((None, 401), ("reviewer", 403), ("platform", 200)):
        with service.client(role) as client:
            assert client.post("/v1/media", content=b"x").status_code == status
            assert client.post("/v1/hashes", json={"md5": "0" * 32}).status_code == status


def test_nothing_of_a_file_is_logged_or_kept(quiet_engine: Engine, tmp_path: Path) -> None:
    secret = b"xylophone" * 400
    with running(quiet_engine, tmp_path, media_workers=1) as service, service.client() as client:
        service.with_banks()
        found = check(client, secret, {**SENT, "id": "secret"})
        form = {"files": {"file": ("xylophone.png", secret)}, "data": {"xylophone": "1"}}
        client.post("/v1/media", **form)
        client.post("/v1/hashes", json={"sha256": "xylophone"})
        for path in tmp_path.rglob("*"):
            if path.is_file():
                assert b"xylophone" not in path.read_bytes()
    assert "xylophone" not in service.log
    assert found["sha256"] not in service.log
    sizes = [line["bytes"] for line in service.lines("request") if line["route"] == "media"]
    assert sizes == [len(secret), len(secret)]


def test_metrics_count_the_checks(client: httpx2.Client) -> None:
    text = client.get("/metrics").text
    for verdict in ("match", "clear", "unchecked"):
        assert f'underwing_media_checked_total{{verdict="{verdict}",what="file"}}' in text
    assert 'underwing_media_seconds_count{step="look"}' in text
    assert "underwing_media_in_flight 0.0" in text


# -- hashes -----------------------------------------------------------------------------------------------


def test_hashes_are_looked_up(client: httpx2.Client) -> None:
    known = check(client, files.file("coffee"))
    for kind in ("sha256", "sha1", "md5"):
        (match,) = client.post("/v1/hashes", json={kind: known[kind]}).json()["matches"]
        assert (match["bank"], match["signal"]) == ("own-coffee", kind)
    bits = bytearray.fromhex(known["pdq"]["hash"])
    bits[0] ^= 0b111
    (match,) = client.post("/v1/hashes", json={"pdq": bits.hex()}).json()["matches"]
    assert (match["signal"], match["distance"]) == ("pdq", 3)
    assert client.post("/v1/hashes", json={"pdq": bits.hex(), "quality": 49}).json()["matches"] == []
    assert client.post("/v1/hashes", json={"pdq": "f0" * 32}).json() == {
        "matches": [],
        "more": 0,
        "decision": None,
    }


def test_many_hashes_with_events_at_once(client: httpx2.Client) -> None:
    known = check(client, files.file("coffee"))["sha256"]
    asked = [{"sha256": known, "event": {**SENT, "id": f"h{n}"}} for n in range(5)]
    asked.append({"sha256": "0" * 64, "event": {**SENT, "id": "h-clear"}})
    answers = client.post("/v1/hashes", json=asked).json()
    assert [a["decision"]["event"] for a in answers] == ["h0", "h1", "h2", "h3", "h4", "h-clear"]
    assert answers[0]["decision"]["actions"] == ["hold_media", "open_case"]
    assert answers[-1]["decision"]["actions"] == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422), ([], 422), ({"pdq": "xyz"}, 422), ({"sha256": "A" * 64}, 422), ("text", 422), ({"md5": 5}, 422),
        ([{"md5": "0" * 32}] * 1001, 422), ({"md5": "0" * 32, "event": {"id": "x"}}, 422),
    ],
)  # fmt: skip
def test_bad_hashes(client: httpx2.Client, body: Any, status: int) -> None:
    assert client.post("/v1/hashes", json=body).status_code == status


# -- receipts ---------------------------------------------------------------------------------------------


def _unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _said(receipt: str) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(_unpadded(receipt.split(".")[1]))
    return said


def _verify(jwks: dict[str, Any], receipt: str) -> None:
    """RFC 7515 by hand, with the signature checked by `cryptography`."""
    head, body, signature = receipt.split(".")
    (key,) = (key for key in jwks["keys"] if key["kid"] == json.loads(_unpadded(head))["kid"])
    assert (key["kty"], key["crv"], "d" in key) == ("OKP", "Ed25519", False)
    Ed25519PublicKey.from_public_bytes(_unpadded(key["x"])).verify(
        _unpadded(signature), f"{head}.{body}".encode()
    )


def test_a_receipt_proves_that_these_bytes_were_checked(service: Running, client: httpx2.Client) -> None:
    answer = check(client, files.file("coffee"))
    with service.client(None) as anybody:
        jwks = anybody.get("/v1/receipts/keys").json()
    _verify(jwks, answer["receipt"])
    said = _said(answer["receipt"])
    assert (said["sha256"], said["verdict"]) == (answer["sha256"], "match")
    assert set(said["versions"]) == {"profile", "banks"}
    head, body, signature = answer["receipt"].split(".")
    for place in (0, len(body) // 2, len(body) - 1):
        other = body[:place] + ("A" if body[place] != "A" else "B") + body[place + 1 :]
        with pytest.raises(InvalidSignature):
            _verify(jwks, f"{head}.{other}.{signature}")
    assert _said(check(client, files.file("rocket"))["receipt"])["verdict"] == "clear"


def test_the_banks_state_in_a_receipt_changes_with_them(client: httpx2.Client) -> None:
    def state() -> str:
        return str(_said(check(client, b"x")["receipt"])["versions"]["banks"])

    before = state()
    assert state() == before
    client.post(
        "/v1/banks/own-chelsea/entries", json={"entries": [{"hashes": [{"kind": "md5", "hash": "1" * 32}]}]}
    )
    assert state() != before


def test_the_key_is_kept_and_guarded(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    signer = Signer(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Signer(path).jwks == signer.jwks
    receipt = Receipt(
        sha256="0" * 64, at="2026-01-01T00:00:00Z", verdict="clear", versions=CheckVersions("full-1", "x")
    )
    _verify(json.loads(Signer(path).jwks), signer.sign(receipt))
    path.chmod(0o644)
    with pytest.raises(ReceiptError, match="chmod 600"):
        Signer(path)
    path.chmod(0o600)
    path.write_text("no key")
    with pytest.raises(ReceiptError, match="Ed25519"):
        Signer(path)
    with pytest.raises(ReceiptError, match="cannot be made"):
        Signer(tmp_path / "no" / "key.pem")
