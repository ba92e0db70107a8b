"""Policies: the one in force in words, the shadow beside it, a new one tried, and put in force by two."""

import html
import re
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from console_cases import Console, console, fill
from underwing.casebook.custody import Custody, Signer
from underwing.casebook.database import Database
from underwing.casebook.people import Member
from underwing.engine import Engine
from underwing.packs import Packs
from underwing.policy import PolicyError, default_path, load_policy, parse_policy
from underwing.server.golive import PUT, put_in_force, resume, stage

SHIPPED = default_path().read_text("utf-8")
SHADOW = """version = "quiet"
[[rule]]
id = "only"
why = "a test"
when = 'level == 3'
actions = ["page"]
"""


@pytest.fixture(scope="module")
def service(small_packs: Packs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("policies")
    (folder / "live.toml").write_text(SHIPPED, "utf-8")
    (folder / "shadow.toml").write_text(SHADOW, "utf-8")
    files = {"policy": str(folder / "live.toml"), "shadow": str(folder / "shadow.toml")}
    with console(Engine(small_packs, load_policy()), folder, **files) as service:
        fill(service)
        yield service


def test_the_policy_in_force_is_told_rule_by_rule(service: Console) -> None:
    policy = load_policy()
    with service.browser("auditor") as client:
        page = html.unescape(client.get("/console/policies").text)
    assert policy.version in page
    for rule in policy.rules:
        assert f"<code>{rule.id}</code>" in page
        assert rule.why in page
    assert "hold the message" in page
    assert "live.toml" in page


def test_the_shadow_is_told_in_totals_and_examples(service: Console) -> None:
    with service.browser("author") as client:
        page = html.unescape(client.get("/console/policies/shadow").text)
    found = re.search(
        r"newest (\d+) decisions: (\d+) were taken beside a shadow policy, (\d+) of them differ", page
    )
    assert found
    assert int(found[1]) >= int(found[2]) >= int(found[3]) > 0
    assert "open a case" in page


def tried(service: Console, text: str, role: str = "author") -> tuple[int, str]:
    with service.browser(role) as client:  # type: ignore[arg-type]
        answer = client.send_form("/console/policies/try", "/console/policies/try", policy=text)
        return answer.status_code, html.unescape(answer.text)


def test_the_same_policy_changes_nothing_and_another_says_what(service: Console) -> None:
    status, page = tried(service, SHIPPED)
    assert status == 200
    same = re.search(r"Of (\d+) decisions that count, (\d+) would be answered otherwise", page)
    assert same
    assert int(same[1]) > 0
    assert same[2] == "0"
    status, page = tried(
        service, SHIPPED.replace('actions = ["open_case"]', 'actions = ["open_case", "page"]')
    )
    other = re.search(r"Of (\d+) decisions that count, (\d+) would be answered otherwise", page)
    assert other
    assert other[1] == same[1]
    assert int(other[2]) > 0
    assert "wake the person on call" in page
    assert "Decisions are kept, not what the policy was told" in page


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("version = ", "not valid TOML"), ("x = 1", "unknown field"),
        ('version = "1"\n[[rule]]\nid = "<script>"\nwhy = "x"\nwhen = "help"\nactions = ["page"]', "&lt;script&gt;"),
        ('version = "1"\n[[rule]]\nid = "a"\nwhy = "x"\nwhen = "levell > 1"\nactions = ["page"]', "did you mean level?"),
    ],
)  # fmt: skip
def test_what_is_no_policy_is_told_with_what_to_mend(service: Console, text: str, wrong: str) -> None:
    with service.browser("author") as client:
        answer = client.send_form("/console/policies/try", "/console/policies/try", policy=text)
    assert answer.status_code == 400
    assert wrong in (answer.text if "&" in wrong else html.unescape(answer.text))
    assert "<script>" not in answer.text


def test_only_who_may(service: Console) -> None:
    for role, see, write in (
        ("reviewer", 403, 403), ("senior", 200, 403), ("author", 200, 400), ("administrator", 200, 403),
        ("auditor", 200, 403),
    ):  # fmt: skip
        with service.browser(role) as client:  # type: ignore[arg-type]
            assert client.get("/console/policies").status_code == see, role
            assert client.get("/console/packs").status_code == see, role
            assert client.send_form("/console/policies/live", why="x", policy="x = ").status_code == write, (
                role
            )


def test_a_new_policy_takes_two_and_keeps_the_old(service: Console) -> None:
    people, path = service.app.desk.people, Path(service.app.settings.policy)
    author: Member = people.add("ann", "Ann", "author", "test", password="seven calm otters rowing")[0]
    senior: Member = people.add("sue", "Sue", "senior", "test", password="seven calm otters rowing")[0]
    new = SHIPPED.replace('version = "2026-11-2"', 'version = "ours"')
    with service.browser(author) as client:
        nothing = client.send_form("/console/policies/live", "/console/policies/try", policy=new, why="")
        assert nothing.status_code == 400
        answer = client.send_form("/console/policies/live", "/console/policies/try", policy=new, why="calmer")
        assert answer.status_code == 303
        assert "did=policies.asked" in answer.headers["location"]
        page = client.get(answer.headers["location"]).text
        assert "waits for a second person" in page
    assert path.read_text("utf-8") == SHIPPED
    (request,) = service.app.desk.second.pending("policy")
    service.app.desk.second.confirm(request.id, senior.id)
    assert path.read_text("utf-8") == new
    old = path.with_name(f"live.{load_policy().version}.toml")
    assert old.read_text("utf-8") == SHIPPED
    version = load_policy(path).version
    for _ in range(600):
        if service.runner.engine.versions.policy == version:
            break
        time.sleep(0.1)
    assert service.runner.engine.versions.policy == version
    told = [r.facts for r in service.app.desk.home.custody.records(kind="acted")]
    assert {
        "what": "policy put in force",
        "about": "policy",
        "version": version,
        "asked_by": author.id,
    } in told


def test_a_bad_text_or_place_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text(SHIPPED, "utf-8")
    with pytest.raises(PolicyError, match="not valid TOML"):
        put_in_force(path, "version =")
    with pytest.raises(PolicyError, match="stays"):
        put_in_force(tmp_path / "no" / "p.toml", SHADOW)
    assert [p.name for p in tmp_path.iterdir()] == ["p.toml"]
    kept, version = put_in_force(path, SHADOW)
    assert load_policy(path).version == version
    assert kept.read_text("utf-8") == SHIPPED
    put_in_force(path, SHIPPED)
    put_in_force(path, SHADOW)
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("died", ["before the record", "before the file", "half written"])
def test_a_policy_and_its_record_stand_together_or_not_at_all(tmp_path: Path, died: str) -> None:
    path, database = tmp_path / "p.toml", Database(tmp_path / "casebook.db")
    path.write_text(SHIPPED, "utf-8")
    custody = Custody(database, Signer.made())
    custody.append("acted", "ann", facts={"what": "hello"})
    version = parse_policy(SHADOW.encode(), "new").version
    with (
        pytest.raises(KeyboardInterrupt) if died == "before the record" else nullcontext(),
        database.transaction(),
    ):
        record = custody.append("acted", "ann", facts={"what": PUT, "version": version})
        staged = stage(path, SHADOW, record.number)
        if died == "before the record":
            raise KeyboardInterrupt
    if died == "half written":
        staged.write_text(SHADOW[:40], "utf-8")
    assert resume(path, custody) == ([version] if died == "before the file" else [])
    assert path.read_text("utf-8") == (SHADOW if died == "before the file" else SHIPPED)
    assert resume(path, custody) == []
    old = {f"p.{load_policy().version}.toml"} if died == "before the file" else set()
    assert {one.name for one in tmp_path.glob("*.toml*")} == {"p.toml", *old}
    assert not list(tmp_path.glob(".p*"))
    database.close()


def test_a_record_of_something_else_puts_no_policy_in_force(tmp_path: Path) -> None:
    path, database = tmp_path / "p.toml", Database(tmp_path / "casebook.db")
    path.write_text(SHIPPED, "utf-8")
    custody = Custody(database, Signer.made())
    stage(path, SHADOW, custody.append("acted", "ann", facts={"what": PUT, "version": "another"}).number)
    stage(path, SHADOW, custody.append("acted", "ann", facts={"what": "close"}).number)
    stage(path, SHADOW, 99)
    assert resume(path, custody) == []
    assert path.read_text("utf-8") == SHIPPED
    assert [one.name for one in tmp_path.iterdir() if "p.toml" in one.name] == ["p.toml"]
    database.close()


def test_packs_are_told_with_their_sources(service: Console) -> None:
    with service.browser("author") as client:
        page = html.unescape(client.get("/console/packs?language=xx&stage=threat").text)
        assert client.get("/console/packs?language=yy").status_code == 400
    assert "<code>xx.threat.expose</code>" in page
    assert "xx.isolate.secrecy" not in page
    assert "a test" in page
