"""How a file is kept, over HTTP: holds, retention, erasure, destruction by two people, and the way out by two."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from console_cases import MEMBERS, Browser, Console, console, fill
from test_console_media import bring, file_page, png
from underwing.casebook.custody import Record, Verifier
from underwing.casebook.vault.certificate import Certificate, holds
from underwing.engine import Engine
from underwing.packs import Packs
from underwing.policy import load_policy

WHY = "asked for by the authority, file 12/7"


@pytest.fixture
def service(tmp_path: Path, small_packs: Packs) -> Iterator[Console]:
    with console(Engine(small_packs, load_policy()), tmp_path) as made:
        made.with_banks()
        fill(made)
        yield made


def brought(service: Console) -> str:
    """The path of the page about the keeping of a file in case 1, which the reviewer holds."""
    service.book.take(1, MEMBERS["reviewer"].id)
    assert bring(service, 1, png(5), event="m9").status_code == 201
    with service.browser("reviewer") as browser:
        return file_page(browser, 1) + "/keeping"


def act(browser: Browser, path: str, name: str, **fields: str) -> Any:
    return browser.send_form(f"{path}/{name}", path, reason=WHY, **fields)


def records(service: Console, *kinds: str) -> list[Record]:
    return [record for record in service.home.custody.records() if record.kind in kinds]


def test_nothing_goes_while_a_hold_or_a_rule_stands_and_then_it_takes_two(service: Console) -> None:
    path = brought(service)
    with service.browser("reviewer") as browser:
        page = browser.get(path).text
        assert "To be kept until" in page
        assert "Confirm: destroy" not in page
        assert act(browser, path, "hold", whole="yes").status_code == 303
        number = re.findall(r'name="hold" value="(\d+)"', browser.get(path).text)[0]
        refused = act(browser, path, "ask")
        assert (refused.status_code, "a legal hold stands on it" in refused.text) == (400, True)
        assert act(browser, path, "release", hold="77").status_code == 404
        assert act(browser, path, "release", hold=number).status_code == 303
        refused = act(browser, path, "ask")
        assert "This must be kept until 20" in refused.text
        assert act(browser, path, "erase").headers["location"].startswith(f"{path}?did=keeping.erasure_kept")
        assert "out of view, and kept" in browser.get(path).text
        assert browser.send_form(f"{path}/withdraw", path).status_code == 400, "a reason is needed"
        assert act(browser, path, "restore").status_code == 303
        assert browser.get(f"{path}/certificate").status_code == 400
    service.clock.on(days=40 * 366)
    with service.browser("reviewer") as browser:
        assert act(browser, path, "ask").status_code == 303
        page = browser.get(path).text
        assert "You asked for it" in page
        assert act(browser, path, "destroy").status_code == 403
    with service.browser("senior") as browser:
        assert act(browser, path, "cancel").status_code == 303
        assert act(browser, path, "ask").status_code == 303
        own = act(browser, path, "destroy")
        assert (own.status_code, "Another person must confirm" in own.text) == (400, True)
        assert act(browser, path, "cancel").status_code == 303
    with service.browser("reviewer") as browser:
        act(browser, path, "ask")
    with service.browser("senior") as browser:
        assert act(browser, path, "destroy").status_code == 303
        made = browser.get(f"{path}/certificate")
        certificate = msgspec.json.decode(made.content, type=Certificate)
        assert holds(certificate, Verifier(service.home.custody.public_key))
        assert (certificate.asked_by, certificate.confirmed_by) == ("id-reviewer", "id-senior")
        assert "destroyed" in browser.get(path).text
        assert act(browser, path, "hold").status_code == 400
    kinds = [
        r.kind
        for r in records(service, "held", "released", "erasure-asked", "withdrawn", "restored", "destroyed")
    ]
    assert kinds == ["held", "released", "erasure-asked", "withdrawn", "restored", "destroyed"]


def test_a_file_leaves_the_vault_only_when_two_agree(service: Console) -> None:
    path = brought(service)
    swift, _ = service.app.desk.people.add("swift", "Swift", "senior", "test")
    with service.browser("reviewer") as browser:
        assert act(browser, path, "export").status_code == 403
    with service.browser("senior") as browser:
        asked = act(browser, path, "export")
        assert asked.headers["location"].startswith(f"{path}?did=keeping.export_asked")
        again = act(browser, path, "export")
        assert (again.status_code, "asked for already" in again.text) == (400, True)
        assert not records(service, "exported")
    with service.browser(swift) as browser:
        page = browser.get("/console/requests").text
        assert WHY in page
        number = re.search(r"/console/requests/(\d+)/confirm", page)
        assert number
        assert browser.send_form(number[0], "/console/requests").status_code == 303
        assert act(browser, path, "export").headers.get("location", ""), "who agreed does not get it"
    with service.browser("senior") as browser:
        given = act(browser, path, "export")
        assert given.content == png(5)
        assert given.headers["content-type"] == "application/octet-stream"
        assert given.headers["content-disposition"].startswith("attachment")
    (out,) = records(service, "exported")
    assert (out.by, out.reason, out.facts["request"]) == ("id-senior", WHY, 1)
    service.clock.on(days=1, hours=1)
    with service.browser("senior") as browser:
        assert act(browser, path, "export").status_code == 303, "a day later it must be asked for anew"
