"""Clients of Hasher-Matcher-Actioner pointed at Underwing: its shapes, its codes, its known defects done right."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import httpx2
import pytest

import media_files as files
from media_clips import clip, joined, panned
from server_cases import Running, running
from underwing.engine import Engine
from underwing.media.hashing import look
from underwing.packs import load_packs
from underwing.policy import load_policy
from underwing.server.settings import Settings, SettingsError

PDQ = "f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22"  # an example signal of ThreatExchange's own
NEAR = "f8f8f0cee0f4a84f06370a2a038f63f0b36e26d596621e1d33e6b39c4e9c9b22"
MD5 = "d41d8cd98f00b204e9800998ecf8427e"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(
        Engine(load_packs(), load_policy()), tmp_path_factory.mktemp("hma"), media_workers=1
    ) as service:
        yield service.with_banks()


@pytest.fixture(scope="module")
def client(service: Running) -> Iterator[httpx2.Client]:
    with service.client() as client:
        yield client


@pytest.fixture
def bank(client: httpx2.Client, request: pytest.FixtureRequest) -> str:
    name = request.node.name.split("[")[0].upper()
    assert client.post("/c/banks", json={"name": name}).status_code in (201, 403)
    return str(name)


def lookup(client: httpx2.Client, signal: str, kind: str = "pdq", **more: Any) -> dict[str, Any]:
    answer = client.get("/m/lookup", params={"signal": signal, "signal_type": kind, **more})
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


def upload(
    client: httpx2.Client, path: str, file: bytes, part: str = "photo", **more: Any
) -> httpx2.Response:
    return client.post(path, files={part: ("x", file)}, **more)


# -- its shapes -------------------------------------------------------------------------------------------


def test_banks(client: httpx2.Client) -> None:
    assert client.post("/c/banks", json={"name": "01_TEST_BANK"}).status_code == 400
    assert client.post("/c/banks", json={"name": "my_test_bank"}).status_code == 400
    made = client.post("/c/banks", json={"name": "MY_TEST_BANK_01"})
    assert (made.status_code, made.json()) == (
        201,
        {"matching_enabled_ratio": 1.0, "name": "MY_TEST_BANK_01"},
    )
    assert made.json() in client.get("/c/banks").json()
    assert client.post("/c/banks", json={"name": "MY_TEST_BANK_01"}).status_code == 403
    assert client.get("/c/bank/MY_TEST_BANK_01").json() == made.json()
    off = client.put("/c/bank/MY_TEST_BANK_01", json={"enabled": False})
    assert off.json()["matching_enabled_ratio"] == 0
    assert client.put("/c/bank/MY_TEST_BANK_01", json={"enabled_ratio": 0.5}).status_code == 400
    assert client.put("/c/bank/MY_TEST_BANK_01", json={"name": "OTHER"}).status_code == 400
    for _ in range(2):  # to delete what is not there succeeds too
        assert client.delete("/c/bank/MY_TEST_BANK_01").json() == {"message": "Done"}
    answer = client.get("/c/bank/MY_TEST_BANK_01")
    assert answer.status_code == 404
    assert answer.json()["message"]
    assert client.get("/v1/banks/my_test_bank_01").status_code == 404


def test_signals_and_lookups(client: httpx2.Client, bank: str) -> None:
    added = client.post(f"/c/bank/{bank}/signal", json={"pdq": PDQ, "video_md5": MD5, "note": "why"})
    assert added.status_code == 200
    id = added.json()["id"]
    assert added.json()["signals"] == {"pdq": PDQ, "video_md5": MD5}
    assert lookup(client, PDQ) == {bank: [{"bank_content_id": id, "distance": "0"}]}
    assert lookup(client, NEAR) == {bank: [{"bank_content_id": id, "distance": "2"}]}
    assert lookup(client, MD5, "video_md5") == {bank: [{"bank_content_id": id, "distance": "-"}]}
    assert lookup(client, "0f" * 32) == {}
    query = {"signal": NEAR, "signal_type": "pdq"}
    assert client.get("/m/raw_lookup", params=query).json() == {"matches": [id]}
    told = client.get("/m/raw_lookup", params={**query, "include_distance": "true"}).json()
    assert told == {"matches": [{"bank_content_id": id, "distance": "2"}]}
    path = f"/c/bank/{bank}/content/{id}"
    content = client.get(path, params={"include_signals": "true"}).json()
    assert content["bank"] == {"name": bank, "matching_enabled_ratio": 1.0}
    assert (content["disable_until_ts"], content["note"], content["original_media_uri"]) == (1, "why", None)
    assert content["signals"] == {"pdq": PDQ, "video_md5": MD5}
    assert "signals" not in client.get(path).json()
    assert client.put(path, json={"disable_until_ts": 0}).json()["disable_until_ts"] == 0
    assert lookup(client, PDQ) == {}
    assert client.put(path, json={"disable_until_ts": 1, "note": "again"}).json()["note"] == "again"
    assert lookup(client, PDQ) != {}
    assert client.put(path, json={"disable_until_ts": 1893456000}).status_code == 400
    assert client.delete(path).json() == {"deleted": 1}
    assert client.delete(path).json() == {"deleted": 0}
    assert lookup(client, PDQ) == {}
    assert client.get(path).status_code == 404


def test_banks_can_be_chosen(client: httpx2.Client) -> None:
    signal = "3c" * 32
    for name in ("BANK_A", "BANK_B", "BANK_C"):
        client.post("/c/banks", json={"name": name})
        client.post(f"/c/bank/{name}/signal", json={"pdq": signal})
    query = {"signal": signal, "signal_type": "pdq"}
    assert set(lookup(client, signal)) == {"BANK_A", "BANK_B", "BANK_C"}
    assert set(lookup(client, signal, banks="BANK_A,BANK_C")) == {"BANK_A", "BANK_C"}
    assert lookup(client, signal, banks="NON_EXISTENT") == {}
    assert len(client.get("/m/raw_lookup", params={**query, "banks": "BANK_A,BANK_B"}).json()["matches"]) == 2


def test_files(client: httpx2.Client, bank: str) -> None:
    data = files.file("chelsea")
    shown = look(data).pdq
    assert shown is not None
    signal = shown.hash
    assert upload(client, "/h/hash", data).json() == {"pdq": signal}
    assert upload(client, "/h/hash", data, params={"types": "pdq"}).json() == {"pdq": signal}
    metadata = {"content_id": "ext-1", "content_uri": "https://example.org/1", "json": {"a": {}}}
    form = {"metadata": json.dumps(metadata), "note": "a cat"}
    added = upload(client, f"/c/bank/{bank}/content", data, data=form)
    assert (added.status_code, added.json()["signals"]) == (200, {"pdq": signal})
    id = added.json()["id"]
    content = client.get(f"/c/bank/{bank}/content/{id}").json()
    assert (content["metadata"], content["note"]) == (metadata, "a cat")
    assert (
        "metadata"
        not in client.get(f"/c/bank/{bank}/content/{id}", params={"include_metadata": "false"}).json()
    )
    assert upload(client, "/m/lookup", data).json() == {
        "pdq": {bank: [{"bank_content_id": id, "distance": "0"}]}
    }
    assert upload(client, "/m/lookup", data, params={"signal_type": "pdq"}).json() == {
        bank: [{"bank_content_id": id, "distance": "0"}]
    }
    assert upload(client, "/m/lookup", files.file("rocket")).json() == {"pdq": {}}


@pytest.mark.parametrize(
    ("method", "path", "more", "status"),
    [
        ("GET", "/m/lookup", {}, 400), ("GET", "/m/lookup", {"params": {"signal": PDQ}}, 400),
        ("GET", "/m/lookup", {"params": {"signal": "xyz", "signal_type": "pdq"}}, 400),
        ("GET", "/m/lookup", {"params": {"signal": PDQ, "signal_type": "none"}}, 400),
        ("GET", "/m/raw_lookup", {}, 400), ("GET", "/h/hash", {}, 400), ("POST", "/h/hash", {}, 415),
        ("POST", "/h/hash", {"files": {"other": ("x", b"x")}}, 400),
        ("POST", "/h/hash", {"files": {"photo": ("x", b"no photo")}}, 400),
        ("POST", "/h/hash", {"files": {"photo": ("x", b"x")}, "params": {"types": "vpdq"}}, 400),
        ("POST", "/m/lookup", {"files": {"photo": ("x", b"no photo")}}, 422),
        ("POST", "/c/bank/NONE/signal", {"json": {"pdq": PDQ}}, 404),
        ("POST", "/c/bank/TEST/signal", {"json": {"pdq": "x"}}, 400),
        ("POST", "/c/bank/TEST/signal", {"json": {}}, 400),
        ("POST", "/c/bank/TEST/content", {"files": {"photo": ("x", b"x")}, "data": {"metadata": "{"}}, 400),
        ("GET", "/c/bank/TEST/content/x", {}, 404), ("GET", "/c/bank/test", {}, 404),
    ],
)  # fmt: skip
def test_refusals_are_told_as_there(
    client: httpx2.Client, method: str, path: str, more: Any, status: int
) -> None:
    answer = client.request(method, path, **more)
    assert answer.status_code == status, answer.text
    assert answer.json()["message"]


def test_keys(service: Running) -> None:
    token = service.tokens["platform"]
    with service.client(None) as client:
        query = {"signal": PDQ, "signal_type": "pdq"}
        assert client.get("/m/lookup", params=query).status_code == 401
        assert "message" in client.get("/m/lookup", params=query).json()
        assert client.get("/m/lookup", params=query, auth=("any", token)).status_code == 200
        assert client.get("/m/lookup", params=query, auth=(token, "")).status_code == 401
        assert client.get("/c/banks", auth=("any", token)).status_code == 403
        assert client.get("/v1/recent", auth=("any", service.tokens["operator"])).status_code == 401


# -- URLs -------------------------------------------------------------------------------------------------


class _Store(http.server.BaseHTTPRequestHandler):
    """A platform's own store of media on loopback."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path == "/media/away":
            self.send_response(302)
            self.send_header("location", "/secret")
            self.end_headers()
            return
        body = files.file("coins")
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Store) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_urls_are_not_fetched(client: httpx2.Client, store: str) -> None:
    _Store.asked.clear()
    for path in ("/h/hash", "/m/lookup"):
        answer = client.get(path, params={"url": f"{store}/media/a.jpg"})
        assert answer.status_code == 403
        assert "send the bytes" in answer.json()["message"]
    assert _Store.asked == []


def test_urls_of_the_operators_own_store_are(store: str, tmp_path: Path) -> None:
    _Store.asked.clear()
    engine = Engine(load_packs(), load_policy())
    with (
        running(engine, tmp_path, media_workers=1, media_sources=f"{store}/media/") as service,
        service.client() as client,
    ):
        service.with_banks()
        url = f"{store}/media/a.jpg"
        client.post("/c/banks", json={"name": "FETCHED"})
        added = client.post("/c/bank/FETCHED/content", params={"url": url, "content_type": "photo"})
        assert added.status_code == 200, added.text
        assert client.get("/h/hash", params={"url": url}).json() == added.json()["signals"]
        assert set(client.get("/m/lookup", params={"url": url}).json()["pdq"]) == {"FETCHED"}
        before = len(_Store.asked)
        for bad in (
            f"{store}/secret", f"{store}/media/../secret", f"{store}/media/%2e%2e/secret", f"{store}/media/..%2fsecret",
            f"{store}/media/..\\secret", store.replace("127.0.0.1", "user@127.0.0.1") + "/media/a",
            store.replace("127.0.0.1", "localhost") + "/media/a", "file:///etc/passwd", "", "http://", "//x",
            f"{store}/medial", "http://169.254.169.254/latest/",
        ):  # fmt: skip
            assert client.get("/h/hash", params={"url": bad}).status_code == 403, bad
        assert len(_Store.asked) == before
        assert client.get("/h/hash", params={"url": f"{store}/media/away"}).status_code == 400
        assert "/secret" not in _Store.asked


def test_prefixes_that_could_mean_more_are_refused() -> None:
    for bad in (
        "https://example.org",
        "ftp://example.org/",
        "example.org/",
        "https://example.org/x",
        "https://a/?b/",
    ):
        with pytest.raises(SettingsError, match="media_sources"):
            Settings.read({}, media_sources=bad)
    assert Settings.read({}, media_sources="https://a.example/m/ http://b.example/").media_sources


# -- its defects ------------------------------------------------------------------------------------------


def test_a_bank_of_one_hash_matches(client: httpx2.Client, bank: str) -> None:
    signal = "a5" * 32
    client.post(f"/c/bank/{bank}/signal", json={"pdq": signal})
    assert set(lookup(client, signal)) == {bank}


def test_a_new_signal_counts_at_once_and_a_withdrawn_one_no_more(client: httpx2.Client, bank: str) -> None:
    for n in range(20):
        signal = f"{n:02x}" * 16 + "5a" * 16
        id = client.post(f"/c/bank/{bank}/signal", json={"pdq": signal}).json()["id"]
        assert any(one["bank_content_id"] == id for one in lookup(client, signal)[bank])
        client.delete(f"/c/bank/{bank}/content/{id}")
        assert all(one["bank_content_id"] != id for one in lookup(client, signal).get(bank, []))


def test_a_content_is_in_its_own_bank_only(client: httpx2.Client, bank: str) -> None:
    client.post("/c/banks", json={"name": "ANOTHER"})
    id = client.post(f"/c/bank/{bank}/signal", json={"pdq": "96" * 32}).json()["id"]
    wrong = f"/c/bank/ANOTHER/content/{id}"
    assert client.get(wrong).status_code == 404
    assert client.put(wrong, json={"disable_until_ts": 0}).status_code == 404
    assert client.delete(wrong).json() == {"deleted": 0}
    assert client.get(f"/c/bank/{bank}/content/{id}").json()["bank"]["name"] == bank
    assert set(lookup(client, "96" * 32)) == {bank}


@pytest.mark.parametrize(
    "made", [files.palette_gif, files.cmyk, files.turned_by_exif], ids=lambda f: f.__name__
)
def test_odd_photos_hash_as_what_they_show(client: httpx2.Client, made: Any) -> None:
    answer = upload(client, "/h/hash", made("coffee"))
    assert answer.status_code == 200, answer.text
    shown = upload(client, "/h/hash", files.file("coffee")).json()["pdq"]
    assert (int(answer.json()["pdq"], 16) ^ int(shown, 16)).bit_count() <= 20


def test_a_photo_of_low_quality_is_answered(client: httpx2.Client, bank: str) -> None:
    grey = files.plain_grey()
    assert upload(client, "/h/hash", grey).json() == {"pdq": ""}
    assert lookup(client, "") == {}
    assert upload(client, "/m/lookup", grey).json() == {"pdq": {}}
    id = upload(client, f"/c/bank/{bank}/content", grey).json()["id"]
    told = upload(client, "/m/lookup", grey).json()["pdq"][bank]
    assert told == [{"bank_content_id": id, "distance": "0"}]  # by its exact hashes


def test_borders_and_mirrors_are_seen_through(client: httpx2.Client, bank: str) -> None:
    id = upload(client, f"/c/bank/{bank}/content", files.file("motorcycle_left")).json()["id"]
    for made in (files.bordered, files.mirrored):
        (match,) = upload(client, "/m/lookup", made("motorcycle_left")).json()["pdq"][bank]
        assert match["bank_content_id"] == id


def test_a_clip_is_found_in_a_longer_video(client: httpx2.Client, bank: str) -> None:
    known = clip(panned("coffee"), 10)
    longer = clip(*joined((panned("rocket"), 0, 8), (panned("coffee"), 0, 10), (panned("flower"), 0, 8)))
    added = upload(client, f"/c/bank/{bank}/content", known, "video")
    assert set(added.json()["signals"]) == {"video_md5"}
    same = upload(client, "/m/lookup", known, "video").json()
    assert same["video_md5"][bank] == [{"bank_content_id": added.json()["id"], "distance": "-"}]
    inside = upload(client, "/m/lookup", longer, "video").json()
    assert inside["video_md5"] == {}
    assert [one["bank_content_id"] for one in inside["vpdq"][bank]] == [added.json()["id"]]
    (match,) = client.post("/v1/media", content=longer).json()["matches"]
    assert match["signal"] == "vpdq"
    assert abs(match["range"][0] - 8) <= 1.5
