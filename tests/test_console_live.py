"""The live page: decisions with reasons in words, names as text, nothing that a message said."""

import html
import re
from collections.abc import Iterator

import pytest

from console_cases import Console, console
from server_cases import TRIGGER, event, post
from underwing.engine import Engine
from underwing.model import ACTIONS, GUESSED_STAGES, KNOWN_STAGES, SPEAKER_STAGES, STAGES, Level
from underwing.packs import Packs
from underwing.policy import load_policy
from underwing.server.console.live import SHOWN
from underwing.server.console.words import known

STORY = ["home alone", "dont tell", "picture of you", "everyone will see", "pay me", "bring your mum"]
EVIL = "<script>alert(1)</script>\u202e"


@pytest.fixture(scope="module")
def service(small_packs: Packs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with console(Engine(small_packs, load_policy()), tmp_path_factory.mktemp("live")) as service:
        with service.client("platform") as client:
            post(
                client,
                {"type": "account", "id": "k", "declared_age": 13, "minor": True},
                {"type": "account", "id": "a", "declared_age": 40, "minor": False},
                *(event(n, text, at=f"2026-01-01T12:0{n}:00Z") for n, text in enumerate(STORY)),
                event("t", TRIGGER, **{"from": EVIL, "to": ["'\"&/"]}),
            )
        yield service


def test_every_word_of_a_decision_is_in_the_catalogue() -> None:
    for stage in (*STAGES, *KNOWN_STAGES, *GUESSED_STAGES, *SPEAKER_STAGES):
        assert known(f"signs.stage.{stage}")
        assert known(f"signs.does.{stage}")
        assert known(f"cases.stage.{stage}")
    for level in Level:
        assert known(f"signs.level.{level.name}")
        assert known(f"signs.means.{level.name}")
    for action in ACTIONS:
        assert known(f"signs.action.{action}")


def test_the_page_tells_levels_in_words_with_reasons_and_dates(service: Console) -> None:
    with service.browser("reviewer") as client:
        page = html.unescape(client.get("/console/live").text)
    for needed in (
        '<span class="badge urgent">urgent</span>', '<a href="/console/accounts/a">a</a>', "xx.threat.expose",
        "characters 0 to", "<meter", '<time datetime="2026-01-01T12:03:00Z">2026-01-01 12:03</time>',
        "a towards k: threatens.", "No message text is shown here", "source: own", "This lowers the risk.", "test phrase",
        'data-live="5"',
    ):  # fmt: skip
        assert needed in page, needed
    for text in STORY:
        assert text not in page


def test_names_are_text_and_never_markup(service: Console) -> None:
    with service.browser("reviewer") as client:
        page = client.get("/console/live").text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;⟨U+202E⟩" in page
        link = re.search(r'href="(/console/accounts/%3Cscript[^"]*)"', page)
        assert link
        there = client.get(link[1])
        assert there.status_code == 200
        assert "&lt;script&gt;alert(1)" in there.text
        assert "\u202e" not in there.text
        assert client.get("/console/accounts/%27%22%26%2F").status_code == 200


def test_it_is_told_in_german(service: Console) -> None:
    with service.browser("reviewer", headers={"accept-language": "de"}) as client:
        page = html.unescape(client.get("/console/live").text)
    assert 'lang="de"' in page
    assert "a gegenüber k: droht." in page
    assert ">dringend<" in page


def test_only_who_may_see_it(service: Console) -> None:
    for role, status in (
        ("reviewer", 200),
        ("senior", 200),
        ("author", 403),
        ("administrator", 403),
        ("auditor", 403),
    ):
        with service.browser(role) as client:  # type: ignore[arg-type]
            assert client.get("/console/live").status_code == status, role
            assert client.get("/console/accounts/a").status_code == status, role


def test_the_old_ways_lead_here(service: Console) -> None:
    with service.browser(None) as client:
        assert client.get("/").headers["location"] == "/console/"
        ticket = service.app.welcome().partition("=")[2]
        answer = client.get(f"/?key={ticket}")
        assert answer.headers["location"] == f"/console/enter?key={ticket}"
        assert client.get(answer.headers["location"]).status_code == 303
        assert client.post("/sign-in", data={"key": "x"}).status_code == 404
    with service.browser("senior") as client:  # a session of the console opens no route of programs
        assert client.get("/v1/recent").status_code == 401


def test_it_can_be_stopped_and_read_backwards(service: Console) -> None:
    with service.client("platform") as client:
        post(client, *(event(f"x{n}", TRIGGER) for n in range(SHOWN + 20)))
    with service.browser("senior") as client:
        newest = client.get("/console/live").text
        assert newest.count('<li class="card" id="n') == SHOWN
        assert newest.index(f"mx{SHOWN + 19}<") < newest.index(f"mx{SHOWN}<")
        assert 'data-live="5"' not in client.get("/console/live?hold=1").text
        older = re.search(r'href="/console/live\?before=(\d+)"', newest)
        assert older
        second = client.get(f"/console/live?before={older[1]}").text
        assert f'id="n{int(older[1]) - 1}"' in second
        assert f'id="n{older[1]}"' not in second
        assert 'data-live="5"' not in second
        assert client.get("/console/live?before=1").status_code == 200
        for bad in ("before=x", "before=-1", "before=0"):
            assert client.get(f"/console/live?{bad}").status_code == 400
