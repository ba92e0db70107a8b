"""The key service: a real OpenBao; and a server on loopback that refuses as a real one seldom does."""

import base64
import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from openbao import OpenBao, openbao
from underwing.casebook.database import CasebookError, Database
from underwing.casebook.keys import KeyRefused, new_key, unwrap, wrap
from underwing.casebook.transit import KeysAway, Transit
from underwing.casebook.vault import Home, KeyFile

TOKEN = "s.only-for-tests"
WHERE = "/v1/transit/underwing"


class Service(ThreadingHTTPServer):
    """Keeps a key, and takes nothing that the real one would not take."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.key, self.asked, self.says = new_key(), 0, 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        self.server.asked += 1
        body = self.rfile.read(int(self.headers["content-length"]))
        status, answer = self.server.says or 200, {}
        if not self.server.says:
            try:
                status, answer = 200, {"data": self.work(json.loads(body))}
            except PermissionError:
                status = 403
            except (ValueError, KeyError, KeyRefused) as error:
                status, answer = 400, {"errors": [str(error)]}
        sent = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def work(self, fields: dict[str, Any]) -> dict[str, str]:
        if self.headers.get("x-vault-token") != TOKEN:
            raise PermissionError
        context = base64.b64decode(fields.pop("associated_data"), validate=True)
        if self.path == WHERE.replace("/underwing", "/encrypt/underwing"):
            sealed = wrap(self.server.key, base64.b64decode(fields.pop("plaintext"), validate=True), context)
            assert not fields
            return {"ciphertext": "vault:v1:" + base64.b64encode(sealed).decode()}
        if self.path != WHERE.replace("/underwing", "/decrypt/underwing"):
            raise PermissionError
        given = fields.pop("ciphertext")
        assert not fields
        if not given.startswith("vault:v1:"):
            raise ValueError("invalid ciphertext: no prefix")
        opened = unwrap(self.server.key, base64.b64decode(given[9:], validate=True), context)
        return {"plaintext": base64.b64encode(opened).decode()}

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setenv("BAO_TOKEN", TOKEN)
    made = Service()
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def test_what_is_wrapped_opens_for_its_context_only(service: Service) -> None:
    keys, key = Transit(service.url + WHERE), new_key()
    wrapped = keys.wrap(key, b"case 1\0")
    assert key not in wrapped
    assert keys.unwrap(wrapped, b"case 1\0") == key
    for other, context in (
        (wrapped, b"case 2"),
        (wrapped[:-4] + b"AAAA", b"case 1\0"),
        (b"\xff", b"case 1\0"),
    ):
        with pytest.raises(KeyRefused):
            keys.unwrap(other, context)


@pytest.mark.parametrize("status", [403, 404, 500, 503, 302])
def test_a_service_that_refuses_says_nothing_of_the_key(service: Service, status: int) -> None:
    keys = Transit(service.url + WHERE)
    wrapped = keys.wrap(b"k" * 32, b"c")
    service.says = status
    with pytest.raises(KeysAway, match=str(status)):
        keys.unwrap(wrapped, b"c")
    service.says = 200
    with pytest.raises(KeysAway, match="not understood"):
        keys.unwrap(wrapped, b"c")


def test_away_and_wrong_token(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeysAway, match="403"):
        Transit(service.url + WHERE, "another").wrap(b"k", b"c")
    with pytest.raises(KeysAway, match="does not answer") as told:
        Transit("http://127.0.0.1:1" + WHERE, TOKEN, timeout=1).wrap(b"k", b"c")
    assert TOKEN not in str(told.value)
    monkeypatch.delenv("BAO_TOKEN")
    with pytest.raises(CasebookError, match="BAO_TOKEN"):
        Transit(service.url + WHERE)


@pytest.mark.parametrize(
    "address",
    [
        "http://keys.example/v1/transit/k",
        "https://u:p@keys.example/v1/transit/k",
        "https://keys.example/v1/k",
        "ftp://x/v1/a/b",
    ],
)
def test_an_address_that_cannot_be_is_refused(address: str) -> None:
    with pytest.raises(CasebookError, match="address") as told:
        Transit(address, TOKEN)
    assert "u:p" not in str(told.value)


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    with openbao(tmp_path_factory.mktemp("bao")) as server:
        yield server


def test_openbao_opens_what_it_wrapped_for_its_context_and_after_a_rotation(bao: OpenBao) -> None:
    keys, key = Transit(bao.where, bao.token), new_key()
    wrapped = keys.wrap(key, b"case 1\0")
    assert wrapped.startswith(b"vault:v1:")
    assert base64.b64encode(key) not in wrapped
    bao.ask("/transit/keys/underwing/rotate")
    assert keys.unwrap(wrapped, b"case 1\0") == key
    assert keys.wrap(key, b"case 1\0").startswith(b"vault:v2:")
    last = wrapped[-5:-4]
    for other, context in (
        (wrapped, b"case 2"),
        (wrapped[:-5] + (b"B" if last == b"A" else b"A") + wrapped[-4:], b"case 1\0"),
        (wrapped.replace(b":v1:", b":v2:"), b"case 1\0"),
        (b"no cipher text", b"case 1\0"),
        (b"\xff", b"case 1\0"),
    ):
        with pytest.raises(KeyRefused):
            keys.unwrap(other, context)


def test_openbao_refuses_other_tokens_and_other_keys(bao: OpenBao) -> None:
    with pytest.raises(KeysAway, match="403"):
        Transit(bao.where, "another").wrap(b"k", b"c")
    with pytest.raises(KeysAway, match="403"):
        Transit(bao.where + "2", bao.token).wrap(b"k", b"c")


def test_a_vault_over_openbao_that_is_sealed_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with openbao(tmp_path) as bao:
        monkeypatch.setenv("BAO_TOKEN", bao.token)
        database = Database(tmp_path / "casebook.db")
        home = Home.make(tmp_path / "vault", database, key_file=bao.where)
        address = home.vault.put(io.BytesIO(b"pattern"), case="c", by="ann").address
        assert home.verify()[1] == []
        bao.ask("/sys/seal")
        with pytest.raises(KeysAway, match="503"):
            list(home.vault.read(address, by="ann", looking="machine-read"))
        database.close()


def test_a_vault_over_a_key_service_and_back_to_a_file(service: Service, tmp_path: Path) -> None:
    from underwing.casebook.rewrap import rewrap

    database = Database(tmp_path / "casebook.db")
    home = Home.make(tmp_path / "vault", database, key_file=service.url + WHERE)
    assert not (tmp_path / "vault" / "vault.key").exists()
    assert TOKEN not in (tmp_path / "vault" / "vault.toml").read_text()
    address = home.vault.put(io.BytesIO(b"pattern"), case="c", by="ann").address
    again = Home(tmp_path / "vault", database)
    assert b"".join(again.vault.read(address, by="ann", looking="machine-read")) == b"pattern"
    service.says = 503
    with pytest.raises(KeysAway):
        list(again.vault.read(address, by="ann", looking="machine-read"))
    service.says = 0
    assert again.verify()[1] == []
    new = KeyFile.make(tmp_path / "new.key")
    assert rewrap(again, new, by="ann", reason="leaving the service") == 1
    service.says = 503
    assert b"".join(again.vault.read(address, by="ann", looking="machine-read")) == b"pattern"
    database.close()
