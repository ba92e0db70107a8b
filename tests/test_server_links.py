"""URL lists of the settings: messages are held against them, and they are followed."""

import time
from pathlib import Path
from typing import Any

import pytest

from server_cases import event, running
from underwing.banks.urls import UrlListError
from underwing.engine import Engine
from underwing.server.settings import Settings
from underwing.server.urllists import read_lists


def until(check: Any) -> None:
    end = time.monotonic() + 20
    while not check():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.05)


def test_lists_are_used_and_followed(engine: Engine, tmp_path: Path) -> None:
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "bad.csam.txt").write_text("bad.example # a comment\n")
    (lists / "short-links.txt").write_text("sho.rt.example/a https://bad.example/b\n")
    (lists / "README").write_text("not a list")
    with running(engine, tmp_path, url_lists=str(lists)) as service, service.client() as client:

        def level(number: int, text: str) -> str:
            answer = client.post("/v1/events", json=event(number, text)).json()
            assert answer["level"] != "review" or "hold_link" in answer["actions"]
            return str(answer["level"])

        assert level(1, "see https://bad.example/x") == "review"
        assert level(2, "see sho.rt.example/a") == "review"
        assert level(3, "see other.example") == "none"
        assert client.get("/readyz").json()["details"]["url_lists"] == "1 with 1 entries"

        (lists / "more.spam.txt").write_text("other.example\n")
        until(lambda: "url_lists_problem" in client.get("/readyz").json()["details"])
        assert "spam is no label" in client.get("/readyz").json()["details"]["url_lists_problem"]
        assert level(4, "see https://bad.example/x") == "review"

        (lists / "more.spam.txt").rename(lists / "more.terrorism.txt")
        until(lambda: client.get("/readyz").json()["details"]["url_lists"] == "2 with 2 entries")
        until(lambda: level(time.monotonic_ns(), "see other.example") == "review")
        assert "bad.example" not in service.log


def test_lists_that_cannot_be_read_stop_the_start(tmp_path: Path) -> None:
    (tmp_path / "bad.csam.txt").write_text("fine.example\nno address !!\n")
    with pytest.raises(UrlListError, match="line 2"):
        read_lists(tmp_path)
    (tmp_path / "bad.csam.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(UrlListError, match="UTF-8"):
        read_lists(tmp_path)
    (tmp_path / "bad.csam.txt").unlink()
    (tmp_path / "csam.txt").write_text("a.example\n")
    with pytest.raises(UrlListError, match=r"NAME\.LABEL\.txt"):
        read_lists(tmp_path)
    assert Settings.read({}, url_lists=str(tmp_path)).url_lists


def test_the_version_says_which_lists_these_are(tmp_path: Path) -> None:
    (tmp_path / "bad.csam.txt").write_text("a.example\nb.example\n")
    first = read_lists(tmp_path)
    (tmp_path / "bad.csam.txt").write_text("b.example\na.example # again\n")
    same = read_lists(tmp_path)
    (tmp_path / "bad.csam.txt").write_text("b.example\n")
    other = read_lists(tmp_path)
    assert first is not None
    assert same is not None
    assert other is not None
    assert first.version == same.version != other.version
