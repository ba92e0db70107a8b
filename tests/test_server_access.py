"""Who may ask for what over HTTP: every route of the API, for every role of a key, with a wrong key and without one.

The table is the whole of it, written by hand: a route that is not in it fails, and so does a row without a route.
P platform, R reviewer, O operator; a letter that is missing is refused. The console has a table of its own
(`test_console_access.py`).
"""

import re
from collections.abc import Iterator

import pytest

from console_cases import Console, console, fill
from underwing.engine import Engine
from underwing.packs import Packs
from underwing.policy import load_policy

OPEN = "open"
LETTER = {"platform": "P", "reviewer": "R", "operator": "O"}
TABLE: dict[str, str] = {
    "GET /": OPEN,
    "DELETE /c/bank/{bank}": "O",
    "GET /c/bank/{bank}": "RO",
    "PUT /c/bank/{bank}": "O",
    "POST /c/bank/{bank}/content": "O",
    "DELETE /c/bank/{bank}/content/{content}": "O",
    "GET /c/bank/{bank}/content/{content}": "RO",
    "PUT /c/bank/{bank}/content/{content}": "O",
    "POST /c/bank/{bank}/signal": "O",
    "GET /c/banks": "RO",
    "POST /c/banks": "O",
    "GET /h/hash": "PO",
    "POST /h/hash": "PO",
    "GET /healthz": OPEN,
    "GET /m/lookup": "PO",
    "POST /m/lookup": "PO",
    "GET /m/raw_lookup": "PO",
    "GET /metrics": OPEN,
    "GET /openapi.json": OPEN,
    "GET /readyz": OPEN,
    "GET /v1/agreements": "RO",
    "POST /v1/appeals": "PO",
    "POST /v1/appeals/tokens": "PO",
    "GET /v1/appeals/{id}": "PO",
    "GET /v1/banks": "RO",
    "POST /v1/banks": "O",
    "GET /v1/banks/{bank}": "RO",
    "PATCH /v1/banks/{bank}": "O",
    "GET /v1/banks/{bank}/entries": "RO",
    "POST /v1/banks/{bank}/entries": "O",
    "GET /v1/banks/{bank}/entries/{entry}": "RO",
    "POST /v1/banks/{bank}/entries/{entry}/disable": "O",
    "POST /v1/banks/{bank}/entries/{entry}/enable": "O",
    "POST /v1/banks/{bank}/entries/{entry}/feedback": "RO",
    "POST /v1/banks/{bank}/entries/{entry}/withdraw": "O",
    "POST /v1/cases/{case}/evidence": "PO",
    "POST /v1/context": "PO",
    "GET /v1/decisions/{event}": "PRO",
    "POST /v1/events": "PO",
    "GET /v1/exchanges": "RO",
    "GET /v1/explain/actor/{id}": "RO",
    "GET /v1/explain/pair": "RO",
    "GET /v1/explain/target/{id}": "RO",
    "POST /v1/hashes": "PO",
    "POST /v1/media": "PO",
    "GET /v1/receipts/keys": OPEN,
    "GET /v1/recent": "RO",
    "GET /v1/streams": "PRO",
    "POST /v1/streams": "PO",
    "POST /v1/streams/hooks/{server}": OPEN,
    "DELETE /v1/streams/{id}": "PO",
    "GET /v1/streams/{id}": "PRO",
    "POST /v1/switches": "PO",
}
OTHERWISE = ("GET /metrics", "POST /v1/streams/hooks/{server}")
"""Open on loopback only, and for who knows a server's own secret: each has tests of its own."""
GIVEN = {"case": "1", "bank": "test", "entry": "e", "content": "1", "event": "m6", "id": "a", "server": "s"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, small_packs: Packs) -> Iterator[Console]:
    with console(Engine(small_packs, load_policy()), tmp_path_factory.mktemp("service")) as made:
        made.with_banks()
        fill(made)
        yield made


def test_every_route_has_its_row(service: Console) -> None:
    assert {f"{method} {path}" for method, path, _ in service.app._routes.table()} == set(TABLE)


@pytest.mark.parametrize("role", [*LETTER, "wrong", None])
def test_the_table_is_what_the_service_does(service: Console, role: str | None) -> None:
    header = {"authorization": "Bearer uw_0_wrong"} if role == "wrong" else {}
    wrong = []
    with service.client(role if role in LETTER else None, headers=header) as client:
        for row, allowed in TABLE.items():
            if row in OTHERWISE:
                continue
            method, path = row.split(" ")
            answer = client.request(method, re.sub(r"\{(\w+)\}", lambda part: GIVEN[part[1]], path))
            refused = 403 if role in LETTER else 401
            expected = allowed == OPEN or LETTER.get(role or "", "-") in allowed
            if (answer.status_code == refused) == expected or answer.status_code >= 500:
                wrong.append(f"{row}: {answer.status_code}, expected {'in' if expected else refused}")
    assert not wrong, "\n".join(wrong)


def test_a_platform_supplies_what_was_said(service: Console) -> None:
    said = {"from": "a", "to": ["k"]}
    lines = [
        {**said, "id": f"s{n}", "at": f"2026-01-01T11:0{n}:00Z", "text": f"before {n} <b>"} for n in range(3)
    ]
    asked = {"event": "m9", "conversation": "a-k", "messages": lines}
    with service.client("platform") as client:
        first = client.post("/v1/context", json=asked)
        assert (first.status_code, first.json()) == (201, {"case": 1, "sealed": 3})
        assert client.post("/v1/context", json=asked).json() == {"case": 1, "sealed": 0}
        assert client.post("/v1/context", json=asked | {"event": "none"}).status_code == 404
        for bad in (
            {"messages": []},
            {"messages": [{**lines[0], "text": "x" * 20_001}]},
            {"conversation": ""},
        ):
            assert client.post("/v1/context", json=asked | bad).status_code == 422
        assert client.post("/v1/context", json=asked | {"messages": lines * 334}).status_code == 422
    with service.browser("senior") as browser:
        page = browser.get("/console/cases/1").text
        assert "before 2 &lt;b&gt;" in page
        assert "supplied by the platform" in page
