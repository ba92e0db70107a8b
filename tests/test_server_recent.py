"""Recent decisions and explanations over HTTP: in order, in plain English."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from server_cases import TRIGGER, Running, event, post, running
from underwing import model
from underwing.engine import Engine
from underwing.server.explain import STAGES, when
from underwing.server.recent import newest_number

STORY = ["home alone", "dont tell", "picture of you", "everyone will see", "pay me", "bring your mum"]


@pytest.fixture
def service(engine: Engine, tmp_path: Path) -> Iterator[Running]:
    with running(engine, tmp_path) as service:
        with service.client("platform") as client:
            post(
                client,
                {"type": "account", "id": "k", "declared_age": 13, "minor": True},
                {"type": "account", "id": "a", "declared_age": 40, "minor": False},
                *(event(n, text, at=f"2026-01-01T12:0{n}:00Z") for n, text in enumerate(STORY)),
                event("t", TRIGGER, **{"from": "<script>alert(1)</script>", "to": ["'\"&"]}),
            )
        yield service


def test_recent_goes_on_where_it_stopped(service: Running) -> None:
    with service.client("reviewer") as client:
        everything = client.get("/v1/recent?after=0").json()
        numbers = [d["number"] for d in everything["decisions"]]
        assert numbers == sorted(numbers)
        assert everything["last"] == numbers[-1]
        part = client.get(f"/v1/recent?after={numbers[1]}&limit=2").json()
        assert [d["number"] for d in part["decisions"]] == numbers[2:4]
        rest = client.get(f"/v1/recent?after={numbers[-1]}").json()
        assert rest == {"last": numbers[-1], "decisions": []}
        newest = client.get("/v1/recent?limit=2").json()
        assert [d["number"] for d in newest["decisions"]] == numbers[-2:]
        for bad in (
            "after=-1",
            "after=x",
            "limit=0",
            "limit=501",
            "after=1&after=2",
            "after=%FF",
            "after=١",
            "befor=1",
        ):
            assert client.get(f"/v1/recent?{bad}").status_code == 400, bad


def test_the_newest_number_is_found() -> None:
    class Store:
        def __init__(self, last: int) -> None:
            self.last = last

        def recent(self, after: int, limit: int) -> list[int]:
            return list(range(after + 1, self.last + 1))[:limit]

    for last in (0, 1, 2, 3, 7, 8, 1000):
        assert newest_number(Store(last)) == last  # type: ignore[arg-type]


def test_an_explanation_is_dated_and_in_sentences(service: Running) -> None:
    with service.client("reviewer") as client:
        pair = client.get("/v1/explain/pair", params={"actor": "a", "target": "k"}).json()
        assert (pair["actor"], pair["target"]) == ("a", "k")
        dates = [c["at"] for c in pair["contributions"]]
        assert dates == sorted(dates)
        signals = [c["signal"] for c in pair["contributions"]]
        assert "xx.threat.expose" in signals
        assert len(set(zip(signals, dates, strict=True))) == len(signals)
        first = pair["contributions"][0]
        assert first["sentence"] == "1 January 2026, 12:00 UTC: towards k, a checks who might notice."
        assert pair["decisions"][-1]["decision"]["event"] == "m5"
        assert "a person decides" in pair["summary"]
        assert client.get("/v1/explain/actor/a").json()["contributions"] == pair["contributions"]
        assert client.get("/v1/explain/target/k").json()["decisions"] == pair["decisions"]
        odd = client.get("/v1/explain/actor/%3Cscript%3Ealert(1)%3C%2Fscript%3E").json()
        assert odd["decisions"][0]["decision"]["test"] is True
        assert "test phrase" in odd["contributions"][0]["sentence"]
        for path, status in (
            ("/v1/explain/actor/nobody", 404), ("/v1/explain/actor/%FF", 400), ("/v1/explain/actor/", 404),
            ("/v1/explain/actor/a/b", 404), ("/v1/explain/pair", 400), ("/v1/explain/pair?actor=a", 400),
        ):  # fmt: skip
            assert client.get(path).status_code == status, path


def test_every_stage_has_its_words() -> None:
    assert {
        *model.STAGES,
        *model.KNOWN_STAGES,
        *model.GUESSED_STAGES,
        *model.UNSEEN_STAGES,
        *model.SPEAKER_STAGES,
    } == set(STAGES)
    assert when("2026-11-02T17:05:00Z") == "2 November 2026, 17:05 UTC"
