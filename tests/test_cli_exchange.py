"""`underwing exchange …`: over a list on a loopback server, and a configuration that never holds a secret."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cli_cases import line, lines, run
from exchange_servers import NcmecServer
from test_exchange_sources import NCMEC
from underwing.banks.exchanges import (
    ExchangeError,
    ListFile,
    Ncmec,
    StopNcii,
    TechAgainstTerrorism,
    ThreatExchange,
)
from underwing.banks.exchanges.config import NEEDED, make_source, read_config

TOKEN = "a-made-up-token"


class Lists:
    """A server of one list, for those who bear the token; what it answers can be changed."""

    def __init__(self) -> None:
        self.body, self.status = self.list_of(3), 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                allowed = self.headers.get("Authorization") == f"Bearer {TOKEN}"
                body = outer.body if allowed else b""
                self.send_response(outer.status if allowed else 401)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/list.csv"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @staticmethod
    def list_of(count: int) -> bytes:
        return b"id,sha256\n" + b"".join(f"e{n},{n:064x}\n".encode() for n in range(count))


@pytest.fixture
def server() -> Iterator[Lists]:
    lists = Lists()
    yield lists
    lists.server.shutdown()


@pytest.fixture
def at(server: Lists, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[object, ...]:
    """The options of a configuration with the source `own`, and of banks with its bank."""
    monkeypatch.setenv("OWN_TOKEN", TOKEN)
    (tmp_path / "sources.toml").write_text(f'''
        [own]
        kind = "list"
        bank = "own"
        address = "{server.address}"
        [own.credentials]
        bearer = "OWN_TOKEN"
    ''')
    run("banks", "create", "own", "--label", "test", "--banks", tmp_path / "banks.db")
    return "--config", tmp_path / "sources.toml", "--banks", tmp_path / "banks.db"


def counts(at: tuple[object, ...]) -> dict[str, int]:
    return line("banks", "show", "own", *at[2:])["entries"]


def test_what_is_new_comes_and_what_is_gone_is_withdrawn(at: tuple[object, ...], server: Lists) -> None:
    assert line("exchange", "status", *at)["state"] == "new"
    tried = line("exchange", "sync", "--dry-run", *at)
    assert (tried["entries"], tried["error"], counts(at)["active"]) == (3, None, 0)
    assert line("exchange", "status", *at)["state"] == "new", "a dry run leaves no trace"
    assert line("exchange", "sync", *at)["entries"] == 3
    assert counts(at) == {"active": 3, "disabled": 0, "withdrawn": 0}
    assert line("banks", "show", "own", "e1", *at[2:])["label"] == "test", "the bank's label"
    assert line("exchange", "sync", *at)["pages"] == 0, "unchanged"
    server.body = Lists.list_of(2)
    run("exchange", "sync", "own", *at)
    assert counts(at) == {"active": 2, "disabled": 0, "withdrawn": 1}
    assert line("exchange", "status", *at)["state"] == "ok"
    assert "own" in run("exchange", "status", *at).stdout
    assert lines("exchange", "sync", "--due", *at) == []


def test_a_source_that_fails_says_so_and_keeps_what_there_was(
    at: tuple[object, ...], server: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("exchange", "sync", *at)
    server.body = b""
    failed = line("exchange", "sync", *at, code=2)
    assert "empty" in failed["error"]
    assert counts(at)["active"] == 3
    assert line("exchange", "status", *at)["state"] == "failing"
    monkeypatch.setenv("OWN_TOKEN", "another-token")
    refused = run("exchange", "sync", *at, code=2).stdout
    assert "401" in refused or "credentials" in refused
    assert "another-token" not in refused
    monkeypatch.delenv("OWN_TOKEN")
    assert "OWN_TOKEN" in line("exchange", "sync", *at, code=2)["error"]
    (listed,) = line("exchange", "list", *at[:2])
    assert listed["credentials"] == {"OWN_TOKEN": False}
    assert "NOT SET" in run("exchange", "list", *at[:2]).stdout


def test_feedback_goes_to_the_source_unless_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = NcmecServer(NCMEC)
    monkeypatch.setenv("EXCHANGE_NCMEC_USER", server.USER)
    monkeypatch.setenv("EXCHANGE_NCMEC_PASSWORD", server.PASSWORD)
    at = "--config", tmp_path / "sources.toml", "--banks", tmp_path / "banks.db"
    run("banks", "create", "n", "--label", "test", *at[2:])
    with server.running() as base:
        at[1].write_text(f'[ncmec]\nkind = "ncmec"\nbank = "n"\naddress = "{base}"')
        told = {"taken": True, "sent": 0, "left": 0, "why": "", "failed": False}
        assert line("exchange", "sync", *at)["feedback"] == told
        run("banks", "feedback", "n", "0-e0", "--up", *at[2:])
        run("banks", "feedback", "n", "1-e1", "--down", "--reason", "a meme", *at[2:])
        assert line("exchange", "sync", "--no-feedback", *at)["feedback"] is None
        assert line("exchange", "sync", "--dry-run", *at)["feedback"] == told | {"left": 2}
        assert server.votes == []
        shown = run("exchange", "sync", *at).stdout
        assert "1 sent, 1 left" in shown
        assert "Not what it says" in shown
        assert len(server.votes) == 1
        monkeypatch.setenv("EXCHANGE_NCMEC_PASSWORD", "another")
        assert line("exchange", "sync", *at, code=2)["feedback"] is None, "not read, so not told"


def test_feedback_for_a_source_that_takes_none_is_said(at: tuple[object, ...]) -> None:
    run("exchange", "sync", *at)
    run("banks", "feedback", "own", "e1", "--down", *at[2:])
    told = line("exchange", "sync", *at)["feedback"]
    assert (told["taken"], told["left"]) == (False, 1)
    assert "takes none; 1 noted" in run("exchange", "sync", *at).stdout


def test_what_is_missing_is_said_before_anything_is_asked(at: tuple[object, ...], tmp_path: Path) -> None:
    assert "no source" in run("exchange", "sync", "other", *at, code=2).stderr
    assert "--config" in run("exchange", "sync", "--config", tmp_path / "none.toml", *at[2:], code=2).stderr
    run("banks", "create", "x", "--banks", tmp_path / "other.db")
    assert "no bank" in run("exchange", "sync", *at[:2], "--banks", tmp_path / "other.db", code=2).stderr


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("x", "no TOML"),
        ('[a]\nkind = "other"\nbank = "b"', "kind"),
        ('[a]\nkind = "ncmec"\nbank = "b"\npassword = "hunter2"', "password"),
        ('[a]\nkind = "ncmec"\nbank = "b"\n[a.credentials]\nuser = "hunter2 is no name"', "never the secret"),
        ('[a]\nkind = "ncmec"\nbank = "b"\ndatabase = "other"', "database"),
        ('[a]\nkind = "threatexchange"\nbank = "b"', "privacy_group"),
        ('[a]\nkind = "list"\nbank = "b"', "address"),
        ('[a]\nkind = "list"\nbank = "b"\naddress = "https://x"\nformat = "doc"', "format"),
        ('[a]\nkind = "s3"\nbank = "b"', "bucket"),
        ('["A b"]\nkind = "ncmec"\nbank = "b"', "A b|pattern|regex"),
    ],
)
def test_a_wrong_configuration_is_refused_without_quoting_a_secret(
    tmp_path: Path, text: str, word: str
) -> None:
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(ExchangeError, match=word) as raised:
        read_config(tmp_path / "c.toml")
    assert "hunter2" not in str(raised.value)


def test_every_kind_of_source_is_made(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("".join(
        f'[the-{kind}]\nkind = "{kind}"\nbank = "b"\nprivacy_group = 1\nbucket = "b"\nkey = "k"\n'
        f'address = "http://127.0.0.1:9"\nlabel = "test"\n' for kind in NEEDED if kind != "s3"
    ))  # fmt: skip
    sources = read_config(tmp_path / "c.toml")
    environ = {
        f"EXCHANGE_THE_{k}_{f}".upper().replace("-", "_"): "x" for k, fields in NEEDED.items() for f in fields
    }
    made = {name: make_source(name, said, "blocked", environ=environ) for name, said in sources.items()}
    expected = {"ncmec": Ncmec, "stopncii": StopNcii, "threatexchange": ThreatExchange,
                "tech-against-terrorism": TechAgainstTerrorism, "list": ListFile}  # fmt: skip
    assert {name: type(source) for name, source in made.items()} == {
        f"the-{k}": t for k, t in expected.items()
    }
    assert all(source.name == name for name, source in made.items())
