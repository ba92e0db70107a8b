"""Banks and exchanges in the console: what is switched counts at once, nothing of a list leaves, only by who may."""

import html
import re
import time
from collections.abc import Iterator

import pytest

from casebook_cases import sent
from console_cases import Console, console
from test_cli_exchange import TOKEN, Lists
from underwing.casebook.cases import Taken
from underwing.engine import Engine
from underwing.model import Decision, MediaMatch, Reason, Versions, encode
from underwing.packs import Packs
from underwing.policy import load_policy

MD5, SHA256, PDQ = "0123456789abcdef" * 2, "ab" * 32, "0f" * 32


@pytest.fixture(scope="module")
def lists() -> Iterator[Lists]:
    made = Lists()
    yield made
    made.server.shutdown()


@pytest.fixture(scope="module")
def service(small_packs: Packs, tmp_path_factory: pytest.TempPathFactory, lists: Lists) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("banks")
    file = folder / "sources.toml"
    file.write_text(f"""
        [own]
        kind = "list"
        bank = "ours"
        address = "{lists.address}"
        [own.credentials]
        bearer = "OWN_CONSOLE_TOKEN"
    """)
    with console(Engine(small_packs, load_policy()), folder, exchanges=str(file), media_workers=1) as service:
        service.with_banks()
        with service.browser("administrator") as client:
            for name, more in (("ours", {"label": "test"}), ("known-false", {"negative": "yes"})):
                answer = client.send_form("/console/banks", "/console/banks", name=name, **more)
                assert answer.status_code == 303, answer.text
        yield service


def matches(service: Console, **hashes: str) -> list[str]:
    with service.client() as client:
        return [m["bank"] for m in client.post("/v1/hashes", json=hashes).json()["matches"]]


def add(service: Console, hash: str, why: str = "a test", bank: str = "ours") -> None:
    with service.browser("administrator") as client:
        answer = client.send_form(
            f"/console/banks/{bank}/entries", f"/console/banks/{bank}", hash=hash, label="", why=why
        )
        assert answer.status_code == 303, answer.text


def records(service: Console) -> list[dict[str, object]]:
    return [dict(r.facts) for r in service.app.desk.home.custody.records(kind="acted")]


def test_an_entry_is_added_found_switched_and_taken_out(service: Console) -> None:
    add(service, MD5, "from the desk")
    assert matches(service, md5=MD5) == ["ours"]
    with service.browser("administrator") as client:
        found = client.get(f"/console/bank-entries?hash={MD5}").text
        link = re.search(r'href="(/console/bank-entries/\d+)"', found)
        assert link
        assert "One entry matches it now" in found
        assert client.send_form(link[1], link[1], do="disable", why="").status_code == 400
        assert client.send_form(link[1], link[1], do="disable", why="wrong file").status_code == 303
        assert matches(service, md5=MD5) == []
        again = client.get(f"/console/bank-entries?hash={MD5}").text
        assert "0 entries match it now" in again
        assert "do not match now" in again
        assert client.send_form(link[1], link[1], do="enable", why="right after all").status_code == 303
        assert matches(service, md5=MD5) == ["ours"]
        assert client.send_form(link[1], link[1], do="enable", why="again").status_code == 409
        assert client.send_form(link[1], link[1], do="withdraw", why="gone").status_code == 303
        assert matches(service, md5=MD5) == []
        assert 'value="withdraw"' not in client.get(link[1]).text
        assert (
            client.send_form(
                "/console/banks/ours/entries", "/console/banks/ours", hash=MD5, why="x"
            ).status_code
            == 409
        )
    told = [(r["what"], r.get("why")) for r in records(service)]
    for act in (
        ("entry added", "from the desk"),
        ("entry disabled", "wrong file"),
        ("entry withdrawn", "gone"),
    ):
        assert act in told


def test_a_bank_is_switched_with_a_reason_and_at_once(service: Console) -> None:
    add(service, "sha256:" + SHA256)
    add(service, "pdq:" + PDQ)
    with service.browser("administrator") as client:
        path = "/console/banks/ours"
        assert client.send_form(path, path, enabled="", why="").status_code == 400
        assert client.send_form(path, path, distance="32", why="x", enabled="yes").status_code == 400
        assert client.send_form(path, path, why="agreement in doubt").status_code == 303
        assert matches(service, sha256=SHA256) == []
        assert "disabled by the operator" in client.get("/console/banks").text
        assert client.send_form(path, path, enabled="yes", distance="10", why="settled").status_code == 303
        assert matches(service, sha256=SHA256) == ["ours"]
        assert "<dd>10</dd>" in client.get(path).text
        near = client.get(f"/console/bank-entries?hash=pdq:{PDQ}").text
        assert "One entry matches it now" in near


def test_no_hash_of_a_list_is_on_any_page(service: Console) -> None:
    add(service, "sha1:" + "cd" * 20)
    with service.browser("auditor") as client:
        there = client.get(f"/console/bank-entries?bank=ours&id={'cd' * 20}")
        assert there.status_code == 303
        for path in (
            "/console/banks", "/console/banks/ours", f"/console/bank-entries?hash=sha1:{'cd' * 20}",
            there.headers["location"], "/console/exchanges",
        ):  # fmt: skip
            answer = client.get(path)
            assert answer.status_code == 200
            assert "cd" * 20 not in answer.text, path
            assert "<img" not in answer.text
        assert "cd" * 20 not in there.headers["location"]


def test_what_is_no_hash_is_told(service: Console) -> None:
    with service.browser("senior") as client:
        for hash, word in (
            ("xyz", "which kind"),
            ("sha256:12", "64 hex digits"),
            ("md5:" + "g" * 32, "32 hex digits"),
        ):
            answer = client.get(f"/console/bank-entries?hash={hash}")
            assert answer.status_code == 400
            assert word in html.unescape(answer.text)
        assert client.get("/console/banks/nothing").status_code == 404
        assert client.get("/console/bank-entries/99999").status_code == 404


def test_agreements_are_kept_and_renewed(service: Console) -> None:
    with service.browser("administrator") as client:
        form = {"name": "net", "party": "The <Network>", "terms": "as signed", "expires": "2020-01-31"}
        assert client.send_form("/console/agreements", "/console/banks", **form).status_code == 303
        page = client.get("/console/banks").text
        assert "The &lt;Network&gt;" in page
        assert "ended: its banks do not match" in page
        answer = client.send_form(
            "/console/agreements", "/console/banks", **(form | {"expires": "2099-01-31"})
        )
        assert answer.status_code == 303
        assert "ended: its banks" not in client.get("/console/banks").text
        assert (
            client.send_form("/console/agreements", "/console/banks", **(form | {"name": "No!"})).status_code
            == 400
        )
        assert (
            client.send_form(
                "/console/agreements", "/console/banks", **(form | {"expires": "soon"})
            ).status_code
            == 400
        )


def test_what_matched_by_mistake_is_silenced(service: Console) -> None:
    sha256 = "ef" * 32
    add(service, "sha256:" + sha256)
    match = MediaMatch(bank="ours", entry=sha256, label="csam", signal="sha256", distance=0)
    reason = Reason(
        signal="media.sha256", stage="known_media", span=None, weight=0.0, at="2026-01-01T12:00:00Z", event="mm1",
        source=f"ours/{sha256}: csam, distance 0, plain",
    )  # fmt: skip
    decision = Decision(
        event="mm1", level="review", actor="x", target="y", stage="known_media", actions=("open_case",),
        reasons=(reason,), versions=Versions(engine="1", packs="p", policy="q"),
    )  # fmt: skip
    made = service.book.take_in_all(
        [Taken(event=sent("mm1", sha256, "x", "y", [match]), decision=encode(decision))]
    )[0]
    assert made is not None
    service.book.close(made.case, "p1", "false_match", "a drawing")
    assert matches(service, sha256=sha256) == ["ours"]
    with service.browser("administrator") as client:
        page = client.get("/console/banks").text
        assert "Matched by mistake" in page
        form = {"hash": f"sha256:{sha256}", "case": str(made.case), "bank": "ours"}
        assert client.send_form("/console/bank-mistakes", "/console/banks", **form).status_code == 400
        form["bank"] = "known-false"
        assert client.send_form("/console/bank-mistakes", "/console/banks", **form).status_code == 303
    assert matches(service, sha256=sha256) == []


def test_only_who_may(service: Console) -> None:
    for role, see, write in (
        ("reviewer", 403, 403), ("author", 403, 403), ("senior", 200, 403), ("auditor", 200, 403),
        ("administrator", 200, 404),
    ):  # fmt: skip
        with service.browser(role) as client:  # type: ignore[arg-type]
            assert client.get("/console/banks").status_code == see, role
            assert client.get("/console/exchanges").status_code == see, role
            assert client.send_form("/console/exchanges/none").status_code == write, role
            if write == 403:
                for path in (
                    "/console/banks",
                    "/console/agreements",
                    "/console/banks/ours",
                    "/console/bank-mistakes",
                ):
                    assert client.send_form(path, name="x", why="x").status_code == 403, (role, path)


def test_a_source_is_asked_and_tells_how_it_does(
    service: Console, lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask() -> str:
        with service.browser("administrator") as client:
            page = "another process brings lists"
            for _ in range(600):
                if "another process brings lists" in page:  # the service itself is at it
                    assert client.send_form("/console/exchanges/own", "/console/exchanges").status_code == 303
                page = html.unescape(client.get("/console/exchanges").text)
                if "Being asked" not in page and "another process brings lists" not in page:
                    return page
                time.sleep(0.05)
        raise AssertionError("the source is asked for ever")

    with service.browser("auditor") as client:
        page = client.get("/console/exchanges").text
    assert "<code>OWN_CONSOLE_TOKEN</code>" in page
    assert "Ask now" not in page
    missing = ask()
    assert "OWN_CONSOLE_TOKEN" in missing
    monkeypatch.setenv("OWN_CONSOLE_TOKEN", TOKEN)
    good = ask()
    assert "Read to its end: 3 entries, 0 withdrawn." in good
    assert TOKEN not in good
    assert "Credentials that are not set" not in good
    assert '<span class="badge done">ok</span>' in good
    assert matches(service, sha256=f"{1:064x}") == ["ours"]
    lists.body = b""
    bad = ask()
    assert "It could not be read to its end" in bad
    assert "Failures in a row" in bad
    assert matches(service, sha256=f"{1:064x}") == ["ours"]
