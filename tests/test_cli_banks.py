"""`underwing banks …`: made, filled, listed, switched off, and read from and written to every list format."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli_cases import line, picture, run
from underwing.banks.formats.named import FORMATS, guess

MADE_UP = {"sha256": "ab" * 32, "sha1": "cd" * 20, "md5": "ef" * 16, "pdq": "0f" * 32}
CSV = "id,sha256,label\n" + "".join(f"e{n},{n:064x},test\n" for n in range(5))


@pytest.fixture
def at(tmp_path: Path) -> tuple[str, Path]:
    """The option for a file of banks with one bank, `mine`."""
    option = ("--banks", tmp_path / "banks.db")
    run("banks", "create", "mine", "--label", "test", *option)
    return option


def counts(at: tuple[str, Path], bank: str = "mine") -> dict[str, int]:
    return line("banks", "show", bank, *at)["entries"]


def test_create_list_show(at: tuple[str, Path]) -> None:
    run(
        "banks",
        "create",
        "strict",
        "--distance",
        10,
        "--quality",
        70,
        "--label-distance",
        "csam=20",
        "--note",
        "n",
        *at,
    )
    strict = line("banks", "show", "strict", *at)
    assert (strict["distance"], strict["quality"], strict["label_distance"]) == (10, 70, {"csam": 20})
    assert [b["name"] for b in line("banks", "list", *at)] == ["mine", "strict"]
    assert "strict" in run("banks", "list", *at).stdout
    for wrong, word in (
        (("mine",), "already"), (("Not A Name",), "named by"), (("x", "--distance", 99), "0 to 31"),
        (("x", "--label", "bad"), "no label"), (("x", "--agreement", "none"), "agreement"),
        (("x", "--label-distance", "csam"), "LABEL=BITS"),
    ):  # fmt: skip
        assert word in run("banks", "create", *wrong, *at, code=2).stderr
    assert "no bank" in run("banks", "show", "nowhere", *at, code=2).stderr
    assert "no entry" in run("banks", "show", "mine", "nothing", *at, code=2).stderr


def test_hashes_are_added_by_hand(at: tuple[str, Path]) -> None:
    options = [part for kind, digits in MADE_UP.items() for part in ("--hash", f"{kind}:{digits}")]
    run(
        "banks",
        "add",
        "mine",
        *options,
        "--id",
        "one",
        "--code",
        "A1",
        "--scheme",
        "ncmec",
        "--note",
        "seen",
        *at,
    )
    entry = line("banks", "show", "mine", "one", *at)
    assert {h["kind"]: h["hash"] for h in entry["hashes"]} == MADE_UP
    assert (entry["label"], entry["code"], entry["scheme"], entry["note"]) == ("test", "A1", "ncmec", "seen")
    assert MADE_UP["pdq"] in run("banks", "show", "mine", "one", *at).stdout
    run("banks", "add", "mine", "--hash", MADE_UP["md5"].upper(), *at)
    assert counts(at)["active"] == 2
    for wrong, word in (
        (MADE_UP["pdq"], "which kind"), ("pdq:0f", "hex digits"), ("pdq:" + "x" * 64, "hex digits"),
        ("photo:00", "which kind"),
    ):  # fmt: skip
        assert word in run("banks", "add", "mine", "--hash", wrong, *at, code=2).stderr
    assert "name files" in run("banks", "add", "mine", *at, code=2).stderr
    assert (
        "no date"
        in run("banks", "add", "mine", "--hash", MADE_UP["md5"], "--expires", "soon", *at, code=2).stderr
    )


def test_files_that_cannot_be_banked_are_told_and_the_others_are(
    at: tuple[str, Path], tmp_path: Path
) -> None:
    good = picture(tmp_path / "good.png", 1)
    (tmp_path / "text").write_text("no picture")
    done = line("banks", "add", "mine", good, tmp_path / "text", tmp_path / "nowhere", *at, code=2)
    assert [e["file"] for e in done["entries"]] == [str(good)]
    assert [e["file"] for e in done["errors"]] == [str(tmp_path / "text"), str(tmp_path / "nowhere")]
    entry = line("banks", "show", "mine", done["entries"][0]["entry"], *at)
    assert {h["how"] for h in entry["hashes"]} >= {"plain", "cropped-3"}
    assert entry["media"] == "image"


def test_entries_are_switched_off_and_taken_out(at: tuple[str, Path]) -> None:
    run("banks", "import", "-", "--bank", "mine", *at, stdin=CSV.encode())
    assert line("banks", "disable", "mine", "e0", "e1", "nothing", *at) == {"changed": 2, "asked": 3}
    assert line("banks", "enable", "mine", "e1", *at)["changed"] == 1
    assert line("banks", "withdraw", "mine", "e2", "e3", *at)["changed"] == 2
    assert counts(at) == {"active": 2, "disabled": 1, "withdrawn": 2}
    assert line("banks", "disable", "mine", *at) == {
        "bank": "mine",
        "matches": False,
        "why_not": "disabled by the operator",
    }
    assert line("banks", "enable", "mine", *at)["matches"]


@pytest.mark.parametrize("format", [f for f in FORMATS if f != "lines"])
def test_what_is_written_is_read_again(at: tuple[str, Path], tmp_path: Path, format: str) -> None:
    """Each format is recognised by itself, and keeps the hashes that it can say."""
    labels = {"ncmec": "csam", "stopncii": "ncii", "tat": "terrorism", "vics": "csam"}
    said = {"ncmec": ("A1", "ncmec"), "vics": ("1", "vics")}.get(format, ("", "own"))
    run("banks", "add", "mine", "--hash", f"pdq:{MADE_UP['pdq']}", "--hash", f"md5:{MADE_UP['md5']}", "--id", "42-one",
        "--label", labels.get(format, "test"), "--code", said[0], "--scheme", said[1], "--country", "US", *at)  # fmt: skip
    country = ("--country", "US") if format == "vics" else ()
    file = tmp_path / "list"
    told = line("banks", "export", "mine", "--format", format, "--to", file, *country, *at)
    assert told["entries"] == 1
    assert file.stat().st_mode & 0o077 == 0
    run("banks", "create", "copy", "--label", "test", *at)
    read = line("banks", "import", file, "--bank", "copy", *country, *at)
    assert (read["read"]["format"], read["error"]) == (format, None)
    assert read["bank"]["added"] == read["read"]["entries"] >= 1
    again = run("banks", "export", "copy", *at).stdout
    assert MADE_UP["md5"] in again or MADE_UP["pdq"] in again
    assert labels.get(format, "test") in again


def test_a_plain_list_needs_to_know_what_64_digits_are(at: tuple[str, Path]) -> None:
    plain = f"# made up\n{MADE_UP['md5']}\n{MADE_UP['sha1']}\n"
    assert line("banks", "import", "-", "--bank", "mine", *at, stdin=plain.encode())["bank"]["added"] == 2
    long = f"{MADE_UP['pdq']}\n".encode()
    assert "SHA-256 or PDQ" in run("banks", "import", "-", "--bank", "mine", *at, stdin=long, code=2).stderr
    run("banks", "import", "-", "--bank", "mine", "--digits64", "pdq", *at, stdin=long)
    assert line("banks", "show", "mine", MADE_UP["pdq"], *at)["hashes"][0]["kind"] == "pdq"


def test_a_list_with_a_fault_keeps_what_stands_before_it(at: tuple[str, Path], tmp_path: Path) -> None:
    bad = CSV + "e9,nonsense,test\ne10," + "f" * 64 + ",test\n"
    counted = line("banks", "import", "-", "--bank", "mine", "--dry-run", *at, stdin=bad.encode(), code=2)
    assert (counted["dry_run"], counts(at)["active"]) == (True, 0)
    done = line("banks", "import", "-", "--bank", "mine", *at, stdin=bad.encode(), code=2)
    assert "line 7" in done["error"]
    assert counts(at)["active"] == done["bank"]["added"] == done["read"]["entries"] >= 4
    shown = run("banks", "import", "-", "--bank", "mine", *at, stdin=bad.encode(), code=2)
    assert "line 7" in shown.stderr
    for wrong, word in ((("--format", "doc"), "unknown format"), (("--digits64", "md5"), "sha256 or pdq")):
        assert word in run("banks", "import", "-", "--bank", "mine", *wrong, *at, stdin=b"", code=2).stderr
    assert (
        "No such file" in run("banks", "import", tmp_path / "nowhere", "--bank", "mine", *at, code=2).stderr
    )
    assert "--format" in run("banks", "import", "-", "--bank", "mine", *at, stdin=b'{"a": 1}', code=2).stderr


def test_what_is_left_out_is_counted(at: tuple[str, Path]) -> None:
    update: dict[str, Any] = {
        "id": 1,
        "type": "HASH_PHOTO",
        "indicator": "x",
        "last_updated": 1,
        "descriptors": {"data": []},
    }
    body = json.dumps({"data": [update, {**update, "id": 2}]}).encode()
    read = line("banks", "import", "-", "--bank", "mine", *at, stdin=body)["read"]
    assert (read["format"], read["skipped"]) == ("threatexchange", {"HASH_PHOTO": 2})
    assert "HASH_PHOTO" in run("banks", "import", "-", "--bank", "mine", *at, stdin=body).stdout


def test_a_failed_export_leaves_the_old_file(at: tuple[str, Path], tmp_path: Path) -> None:
    (tmp_path / "list").write_text("old")
    run("banks", "export", "nowhere", "--to", tmp_path / "list", *at, code=2)
    run("banks", "export", "mine", "--format", "vics", "--to", tmp_path / "list", *at, code=2)
    assert (tmp_path / "list").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_agreements_end_their_banks(at: tuple[str, Path]) -> None:
    run(
        "banks",
        "agreements",
        "add",
        "npo",
        "--party",
        "A. Party",
        "--use",
        "detection",
        "--expires",
        "2999-01-01",
        *at,
    )
    run("banks", "create", "theirs", "--agreement", "npo", *at)
    assert line("banks", "show", "theirs", *at)["matches"]
    run("banks", "agreements", "add", "npo", "--party", "A. Party", "--expires", "2020-01-01", *at)
    (kept,) = line("banks", "agreements", "list", *at)
    assert (kept["expired"], kept["no_training"]) == (True, True)
    assert "expired" in line("banks", "show", "theirs", *at)["why_not"]
    assert "expired" in run("banks", "agreements", "list", *at).stdout


def test_feedback_is_noted(at: tuple[str, Path]) -> None:
    run("banks", "add", "mine", "--hash", f"md5:{MADE_UP['md5']}", "--id", "m", *at)
    assert line("banks", "feedback", "mine", "m", "--down", "--reason", "a false match", *at) == {
        "feedback": 1
    }
    assert "no entry" in run("banks", "feedback", "mine", "x", "--up", *at, code=2).stderr


def test_formats_are_guessed_by_content() -> None:
    assert guess(b"\xef\xbb\xbf<?xml version='1.0'?>") == "ncmec"
    assert guess(b"md5,label\n") == "csv"
    assert guess(b"") == guess(b"# a list\n") == "lines"
    assert guess('{"odata.metadata": "…ProjectVic…"'.encode("utf-16")) == "vics"
