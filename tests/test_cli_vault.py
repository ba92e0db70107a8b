"""`underwing vault` and `underwing custody`, as a user runs them."""

import json
import sqlite3
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

from test_cli import underwing
from underwing.casebook.custody import Signer
from underwing.cli.app import app

WHO = ("--by", "anna", "--reason", "a test")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a vault in `vault` and a picture-like file, as the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    run("vault", "init")
    Path("pattern.bin").write_bytes(bytes(range(256)) * 100)
    return tmp_path


def run(*arguments: str, code: int = 0, stdin: bytes | None = None) -> str:
    """One command in this process; what it printed."""
    done = CliRunner().invoke(app, list(arguments), input=stdin)
    assert done.exit_code == code, done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return " ".join(done.output.split()) if code else done.stdout


def put(*more: str, case: str = "c1") -> dict[str, str]:
    return json.loads(run("vault", "put", "pattern.bin", "--case", case, "--by", "anna", "--json", *more))  # type: ignore[no-any-return]


def test_in_and_out_as_processes(tmp_path: Path) -> None:
    data = b"pattern" * 1_000
    (tmp_path / "file").write_bytes(data)
    assert "public key" in underwing("vault", "init", cwd=tmp_path)
    made = json.loads(
        underwing("vault", "put", "file", "--case", "c", "--by", "anna", "--json", cwd=tmp_path)
    )
    assert made["sha256"] == sha256(data).hexdigest()
    underwing("vault", "get", made["address"][:10], "out", *WHO, cwd=tmp_path)
    assert (tmp_path / "out").read_bytes() == data
    assert (tmp_path / "out").stat().st_mode & 0o077 == 0
    assert "proven" in underwing("custody", "verify", cwd=tmp_path)
    assert "exists already" in underwing("vault", "get", made["address"], "out", *WHO, cwd=tmp_path, code=2)


def test_standard_input_and_the_list(home: Path) -> None:
    made = json.loads(run("vault", "put", "-", "--case", "c", "--by", "anna", "--json", stdin=b"piped"))
    assert made["sha256"] == sha256(b"piped").hexdigest()
    put()
    rows = json.loads(run("vault", "list", "--json"))
    assert [r["case"] for r in json.loads(run("vault", "list", "--case", "c", "--json"))] == ["c"]
    assert len(rows) == 2
    assert all(r["kept_until"] and r["rule"] for r in rows)
    assert made["address"][:16] in run("vault", "list")


def test_holds_withdrawal_and_refusals(home: Path) -> None:
    address = put("--region", "US")["address"]
    hold = json.loads(run("vault", "hold", "--object", address[:12], *WHO, "--json"))
    assert hold["number"] == 3
    said = run("vault", "destroy", address, *WHO, code=2)
    assert "legal hold 3 by anna" in said
    assert "retention until" in said
    assert "18 U.S.C. 2258A(h)" in said
    assert json.loads(run("vault", "holds", "--json"))[0]["reason"] == "a test"
    run("vault", "release", "3", *WHO)
    assert "nobody asked" in run("vault", "destroy", address, "--by", "ben", "--confirm", code=2)
    run("vault", "withdraw", address, *WHO)
    assert json.loads(run("vault", "list", "--json"))[0]["state"] == "withdrawn"
    run("vault", "restore", address, *WHO)
    run("vault", "reported", address, "--by", "anna", "--to", "an authority")
    assert "retention until" in run("vault", "erase", "--case", "c1", *WHO)
    for wrong, said in (
        (("vault", "get", "ffff", "out", *WHO), "no object begins with"),
        (("vault", "put", "none", "--case", "c", "--by", "a"), "No such file"),
        (("vault", "put", "pattern.bin", "--case", "c", "--by", "a", "--region", "UK"), "is GB"),
        (("vault", "release", "99", *WHO), "no hold 99"),
        (("vault", "list", "--vault", "elsewhere"), "holds no vault"),
        (("vault", "init"), "holds a vault already"),
        (("custody", "show", "--kind", "looked"), "unknown kind"),
        (("vault", "certificate", address), "was not destroyed"),
    ):
        assert said in run(*wrong, code=2)


def test_destruction_by_two(home: Path) -> None:
    Path("vault/own.toml").write_text(
        "version = 1\n"
        + "".join(
            f'[[rule]]\nid = "{id}"\nregion = "{region}"\nkind = "*"\nstarts = "intake"\nsays = "none"\nsource = "a test"\n'
            "checked = 2026-11-20\nconfirmed = true\n"
            for id, region in (("house", "*"), ("us-content", "US"))
        )
    )
    path = Path("vault/vault.toml")
    path.write_text(path.read_text().replace('retention = ""', 'retention = "own.toml"'))
    address = put("--region", "US")["address"]
    assert "another person" in run("vault", "destroy", address, *WHO)
    assert "another person must confirm" in run(
        "vault", "destroy", address, "--by", "ANNA", "--confirm", code=2
    )
    run("vault", "destroy", address, *WHO, "--cancel")
    run("vault", "destroy", address, *WHO)
    made = json.loads(run("vault", "destroy", address, "--by", "ben", "--confirm", "--json"))
    assert (made["asked_by"], made["confirmed_by"], made["rule"]) == ("anna", "ben", "us-content")
    assert json.loads(run("vault", "certificate", address)) == made
    assert "was destroyed" in run("vault", "get", address, "out", *WHO, code=2)
    assert not list(Path("vault/objects").rglob("entry"))
    assert json.loads(run("custody", "verify", "--json"))["ok"]
    assert "18 U.S.C." in run("vault", "retention")
    assert "a test" in run("vault", "retention", "vault/own.toml")


def test_another_signing_key_is_refused(home: Path) -> None:
    address = put()["address"]
    old = Path("vault/custody.key").rename("old.key")
    Signer.made().save(Path("vault/custody.key"))
    assert "is not the key" in run("vault", "withdraw", address, *WHO, code=2)
    assert "bad record 1" in run("custody", "verify", code=1)
    old.replace("vault/custody.key")
    assert "proven" in run("custody", "verify")


def test_verify_names_what_is_wrong(home: Path) -> None:
    address = put()["address"]
    key = json.loads(run("custody", "publish", "published", "--json"))["key"]
    count = json.loads(run("custody", "checkpoint", "--json"))["count"]
    lines = run("custody", "show", "--json").splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["opened", "intake"]
    assert len(lines) == count
    assert "intake" in run("custody", "show", "--object", address)
    everything = ("--checkpoints", "published", "--key", key)
    assert json.loads(run("custody", "verify", "--json", *everything))["problems"] == []
    assert "proven" in run("custody", "verify", "--alone", *everything)
    assert "--alone needs --key" in run("custody", "verify", "--alone", code=2)
    assert "64 hex digits" in run("custody", "verify", "--key", "zz", code=2)

    [segment] = Path("vault/objects/objects").rglob("00000000")
    good = segment.read_bytes()
    segment.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    assert f"object {address}: segment 0" in run("custody", "verify", code=1)
    assert "proven" in run("custody", "verify", "--quick")
    said = run("vault", "get", address, "out", *WHO, code=2)
    assert f"object {address}, segment 0" in said
    assert not Path("out").exists()
    assert not [p for p in Path().iterdir() if p.name.startswith(".out")]
    segment.write_bytes(good)

    with sqlite3.connect("underwing.casebook.db") as db:
        db.execute("DELETE FROM custody WHERE number > 1")
        db.execute("DELETE FROM custody_checkpoints")
    found = json.loads(run("custody", "verify", "--json", "--checkpoints", "published", code=1))
    assert found["problems"][0]["where"] == "record 2"
    assert "published line 1" in found["problems"][0]["what"]
