"""Insights and accounts over HTTP: charts with their numbers, networks with their table, no rank of anybody."""

import html
import re
from collections.abc import Iterator

import pytest

from console_cases import HOSTILE, Console, console, fill
from underwing.casebook.appeals import Given, statement
from underwing.engine import Engine
from underwing.packs import Packs
from underwing.policy import load_policy


@pytest.fixture(scope="module")
def service(small_packs: Packs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with console(Engine(small_packs, load_policy()), tmp_path_factory.mktemp("insights")) as service:
        fill(service)
        for n, case in enumerate(service.book.queue()):
            service.book.take(case.id, "id-senior")
            service.clock.on(minutes=5)
            service.book.close(case.id, "id-senior", "harm" if n % 2 == 0 else "no_harm", "looked at")
        reopened = service.book.queue("closed")[0]
        service.book.reopen(reopened.id, "id-reviewer", "thought again")
        appeals = service.app.desk.appeals
        told = statement(None, Given(measures=["account_suspended"]), decided=0, person=True)
        made = appeals.file(appeals.grant("a", statement=told)[1], "decision", "Please look again.")
        appeals.take(made.id, "id-reviewer")
        appeals.decide(made.id, "id-reviewer", "reversed", reason="r", answer="You are right.")
        yield service


def test_charts_come_with_their_numbers(service: Console) -> None:
    with service.browser("auditor") as client:
        answer = client.get("/console/insights?days=7")
        page = html.unescape(answer.text)
    assert answer.status_code == 200
    assert page.count('<svg class="chart"') == 6
    assert page.count('role="img"') >= 5
    for label in re.findall(r'aria-describedby="([\w-]+)"', page):
        assert f'id="{label}"' in page
    for word in (
        "Cases opened and closed", "Warned before harm", "Taken before the clock ran out", "xx.threat.expose",
        "Opened again by a person", "The numbers",
    ):  # fmt: skip
        assert word in page, word
    assert re.search(r'Opened again by a person</th><td class="number">\s*1\s*</td>', page)
    assert re.search(r'Appeals decided</th><td class="number">\s*1\s*</td>', page)
    assert re.search(r'Reversed after an appeal</th><td class="number">\s*1\s*</td>', page)
    assert re.search(r">\d+ / [1-9]\d*</td>", page), "cases were taken"
    assert "5 min</td>" in page
    assert not re.search(r"\sstyle=", page)


def test_nobody_is_ranked(service: Console) -> None:
    with service.browser("senior") as client:
        page = client.get("/console/insights").text
    main = page[page.index("<main") : page.index("</main")]
    for member in ("id-senior", "id-reviewer", "Reviewer"):
        assert member not in main


def test_spans_are_bounded_and_the_answer_is_kept_for_a_while(service: Console) -> None:
    with service.browser("author") as client:
        for days, shown in ((1, 7), (30, 30), (31, 90), (365, 365)):
            page = client.get(f"/console/insights?days={days}").text
            assert f'href="/console/insights?days={shown}" aria-current="page"' in page
        for bad in ("0", "366", "x", "-1"):
            assert client.get(f"/console/insights?days={bad}").status_code == 400


def test_it_is_told_in_german(service: Console) -> None:
    with service.browser("auditor", headers={"accept-language": "de-DE"}) as client:
        page = html.unescape(client.get("/console/insights").text)
    assert "Vor dem Schaden gewarnt" in page
    assert "Rechtzeitig übernommen" in page


def test_only_who_may(service: Console) -> None:
    for role, status in (
        ("reviewer", 403),
        ("senior", 200),
        ("author", 200),
        ("administrator", 200),
        ("auditor", 200),
    ):
        with service.browser(role) as client:  # type: ignore[arg-type]
            assert client.get("/console/insights").status_code == status, role


def test_an_account_is_told_with_cases_pairs_and_network(service: Console) -> None:
    with service.browser("senior") as client:
        page = html.unescape(client.get("/console/accounts/a").text)
        child = html.unescape(client.get("/console/accounts/k").text)
        nobody = client.get("/console/accounts/nobody-knows")
    assert re.search(r'href="/console/cases/\d+">Case \d+</a>', page)
    assert '<svg class="chart network"' in page
    assert '<rect class="node suspect"' in page
    assert '<circle class="node victim"' in page
    assert 'href="/console/accounts/k2"' in page
    assert "it acted" in page
    assert "40" in page
    assert '<span class="badge minor">' in child
    assert "the other acted" in child
    assert "said by the account itself" in child
    assert nobody.status_code == 200
    assert "It is in no case." in html.unescape(nobody.text)
    told = [(r.by, r.facts) for r in service.app.desk.home.custody.records(kind="acted")]
    assert ("id-senior", {"what": "saw account", "about": "account:a"}) in told


def test_a_hostile_account_is_inert(service: Console) -> None:
    with service.browser("senior") as client:
        answer = client.get("/console/accounts", params={"id": HOSTILE[:60] + "b"})
        assert answer.status_code == 303
        page = client.get(answer.headers["location"]).text
        assert client.get("/console/accounts", params={"id": "x" * 600}).status_code == 400
        assert client.get("/console/accounts").status_code == 400
        bidi = client.get("/console/accounts", params={"id": "stranger\u202e"})
        assert "stranger⟨U+202E⟩" in client.get(bidi.headers["location"]).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
