"""The service asks sources of lists by itself: all four kinds over loopback, what fails is seen, and one process asks."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from cli_cases import lines, run
from exchange_cases import Asked, Reply
from exchange_servers import NcmecServer, StopNciiServer, TatServer, ThreatExchangeServer
from server_cases import running
from test_cli_exchange import TOKEN, Lists
from test_exchange_sources import NCMEC, SOURCES
from underwing.banks.entries import Bank
from underwing.banks.store import Store
from underwing.banks.syncing import alone
from underwing.engine import Engine
from underwing.packs import load_packs
from underwing.policy import load_policy
from underwing.server.media import exchanges
from underwing.server.settings import Settings

CREDENTIALS = {
    "ncmec": {"USER": NcmecServer.USER, "PASSWORD": NcmecServer.PASSWORD},
    "stopncii": {"SUBSCRIPTION_KEY": StopNciiServer.SUBSCRIPTION, "FETCH_KEY": StopNciiServer.FETCH},
    "threatexchange": {"TOKEN": ThreatExchangeServer.TOKEN},
    "tech-against-terrorism": {"USER": TatServer.USER, "PASSWORD": TatServer.PASSWORD},
}


@pytest.fixture(scope="module")
def quiet_engine() -> Engine:
    return Engine(load_packs(), load_policy())


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchanges, "TICK_SECONDS", 0.05)
    for name, fields in CREDENTIALS.items():
        for field, value in fields.items():
            monkeypatch.setenv(f"EXCHANGE_{name}_{field}".upper().replace("-", "_"), value)
    monkeypatch.setenv("OWN_TOKEN", TOKEN)


@pytest.fixture
def lists() -> Iterator[Lists]:
    server = Lists()
    yield server
    server.server.shutdown()


def bank(folder: Path, *names: str) -> Path:
    store = Store.open(folder / "banks.db")
    for name in names:
        store.create_bank(Bank(name=name, label="test"), by="t", now=0)
    store.close()
    return folder / "banks.db"


def configured(folder: Path, text: str) -> None:
    (folder / "exchanges.toml").write_text(text)


def own(address: str, *, name: str = "own", every: int = 1) -> str:
    return (
        f'[{name}]\nkind = "list"\nbank = "known"\naddress = "{address}"\nevery = {every}\n'
        '[%s.credentials]\nbearer = "OWN_TOKEN"\n' % name
    )


def until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)


def ready(client: httpx2.Client) -> dict[str, Any]:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    details: dict[str, Any] = answer.json()["details"]
    return details


def active(client: httpx2.Client, name: str) -> int:
    count: int = client.get(f"/v1/banks/{name}").json()["entries"]["active"]
    return count


def metric(client: httpx2.Client, name: str) -> float:
    (found,) = (x for x in client.get("/metrics").text.splitlines() if x.startswith(f"{name} "))
    return float(found.rsplit(" ", 1)[1])


def test_every_kind_of_source_that_is_due_is_brought_in(quiet_engine: Engine, tmp_path: Path) -> None:
    bank(tmp_path, *SOURCES)
    with ExitStack() as stack:
        text = ""
        for name, (make, _, _) in SOURCES.items():
            server = make()
            server.now = int(time.time())
            base = stack.enter_context(server.running())
            text += f'[{name}]\nkind = "{name}"\nbank = "{name}"\naddress = "{base}"\n'
            text += f"privacy_group = {ThreatExchangeServer.GROUP}\n" if name == "threatexchange" else ""
        configured(tmp_path, text)
        service = stack.enter_context(running(quiet_engine, tmp_path))
        client = stack.enter_context(service.with_banks().client())
        until(lambda: ready(client)["exchanges"] == "4 ok")
        for name, (_, _, expected) in SOURCES.items():
            wanted = list(expected.values()).count("active")
            assert active(client, name) == wanted
            assert (
                metric(client, f'underwing_exchange_entries_total{{source="{name}",what="entries"}}')
                == wanted
            )
            assert (
                metric(client, f'underwing_exchange_last_success_seconds{{source="{name}"}}')
                > time.time() - 600
            )
        shown = client.get("/v1/exchanges").json()["exchanges"]
        assert {one["source"]: one["state"] for one in shown} == dict.fromkeys(SOURCES, "ok")
        assert (
            metric(client, "underwing_exchanges_unusable") == metric(client, "underwing_exchanges_late") == 0
        )
        assert {line["source"] for line in service.lines("exchange_done")} == set(SOURCES)
        secrets = [secret for fields in CREDENTIALS.values() for secret in fields.values()]
        assert not [secret for secret in secrets if secret in service.log]


def test_what_is_withdrawn_at_the_source_matches_no_more(
    quiet_engine: Engine, tmp_path: Path, lists: Lists
) -> None:
    bank(tmp_path, "known")
    configured(tmp_path, own(lists.address))
    with running(quiet_engine, tmp_path) as service, service.client() as client:
        service.with_banks()

        def matches(number: int) -> bool:
            return bool(client.post("/v1/hashes", json={"sha256": f"{number:064x}"}).json()["matches"])

        until(lambda: matches(2))
        lists.body = Lists.list_of(2)
        until(lambda: not matches(2))
        assert matches(1)


def test_a_source_that_fails_is_seen_and_the_others_go_on(
    quiet_engine: Engine, tmp_path: Path, lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank(tmp_path, "known", "n")
    server = NcmecServer(NCMEC)
    server.now = int(time.time())
    monkeypatch.setenv("EXCHANGE_NCMEC_PASSWORD", "wrong-password")
    monkeypatch.delenv("EXCHANGE_STOPNCII_FETCH_KEY")
    with server.running() as base:
        configured(
            tmp_path,
            f'[ncmec]\nkind = "ncmec"\nbank = "n"\naddress = "{base}"\n[stopncii]\nkind = "stopncii"\nbank = "n"\n'
            '[nobank]\nkind = "stopncii"\nbank = "missing"\n' + own(lists.address),
        )
        with running(quiet_engine, tmp_path) as service, service.client() as client:
            service.with_banks()
            until(lambda: ready(client)["exchanges"] == "1 ok, 3 failing")
            assert active(client, "known") == 3
            for name in ("ncmec", "stopncii", "nobank"):
                assert metric(client, f'underwing_exchange_failures{{source="{name}"}}') == 1
            told = {line["source"]: line["problem"] for line in service.lines("exchange_failed")}
            assert "EXCHANGE_STOPNCII_FETCH_KEY" in told["stopncii"]
            assert "missing" in told["nobank"]
            assert "wrong-password" not in service.log
            tried = len(server.asked)
            time.sleep(0.5)
            assert len(server.asked) == tried, "a source that fails is not asked at every turn"
            configured(tmp_path, own(lists.address))
            gone = 'underwing_exchange_failures{source="nobank"}'
            until(lambda: gone not in client.get("/metrics").text)
            assert ready(client)["exchanges"] == "1 ok"


def test_a_file_that_cannot_be_read_is_told_and_followed(
    quiet_engine: Engine, tmp_path: Path, lists: Lists
) -> None:
    bank(tmp_path, "known")
    path = tmp_path / "elsewhere.toml"
    with running(quiet_engine, tmp_path, exchanges=str(path)) as service, service.client() as client:
        service.with_banks()
        until(lambda: metric(client, "underwing_exchanges_unusable") == 1)
        assert ready(client)["exchanges"] == "cannot be asked; see the log"
        path.write_text("kind = [")
        until(lambda: any("no TOML" in line["problem"] for line in service.lines("exchanges_unusable")))
        assert client.post("/v1/hashes", json={"md5": "0" * 32}).status_code == 200
        path.write_text(own(lists.address))
        until(lambda: ready(client)["exchanges"] == "1 ok")
        assert metric(client, "underwing_exchanges_unusable") == 0
        assert str(tmp_path) not in json.dumps(ready(client))


def test_a_fault_of_ours_in_one_source_stops_no_other(
    quiet_engine: Engine, tmp_path: Path, lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = exchanges.bring

    def broken(banks: Store, name: str, *given: Any, **more: Any) -> Any:
        if name == "first":
            raise RuntimeError("a fault")
        return real(banks, name, *given, **more)

    monkeypatch.setattr(exchanges, "bring", broken)
    bank(tmp_path, "known")
    configured(tmp_path, own(lists.address, name="first") + own(lists.address, name="second"))
    with running(quiet_engine, tmp_path) as service, service.client() as client:
        service.with_banks()
        until(lambda: ready(client)["exchanges"] == "1 ok, 1 failing")
        assert [line["source"] for line in service.lines("exchange_fault")] == ["first"]


def test_none_are_asked_without_a_file_or_when_off(
    quiet_engine: Engine, tmp_path: Path, lists: Lists
) -> None:
    bank(tmp_path, "known")
    with running(quiet_engine, tmp_path) as service, service.client() as client:
        service.with_banks()
        until(lambda: ready(client)["exchanges"] == "none configured")
        configured(tmp_path, own(lists.address))
        until(lambda: ready(client)["exchanges"] == "1 ok")
    with running(quiet_engine, tmp_path, exchanges="off") as service, service.client() as client:
        service.with_banks()
        assert ready(client)["exchanges"] == "off"
    assert Settings(database="/d/u.db").exchanges_file == Path("/d/exchanges.toml")


def test_one_process_asks_at_a_time(quiet_engine: Engine, tmp_path: Path, lists: Lists) -> None:
    banks = bank(tmp_path, "known")
    configured(tmp_path, own(lists.address, every=3600))
    at = ("--config", tmp_path / "exchanges.toml", "--banks", banks)
    with alone(banks) as mine:
        assert mine
        with alone(banks) as also:
            assert not also
        assert "another process" in run("exchange", "sync", *at, code=2).stderr
        assert lines("exchange", "sync", "--due", *at) == []
        assert lines("exchange", "sync", "--dry-run", *at)[0]["entries"] == 3
        with running(quiet_engine, tmp_path) as service, service.client() as client:
            service.with_banks()
            until(lambda: ready(client)["exchanges"] == "1 new")
            time.sleep(0.3)
            assert active(client, "known") == 0
    with running(quiet_engine, tmp_path) as service, service.client() as client:
        service.with_banks()
        until(lambda: ready(client)["exchanges"] == "1 ok")
        assert lines("exchange", "sync", "--due", *at) == [], "it was just done"
        assert lines("exchange", "sync", *at)[0]["error"] is None, (
            "the service holds on to it only while it asks"
        )


class Slow(NcmecServer):
    """Takes its time over every page but the first."""

    def answer(self, asked: Asked) -> Reply:
        if sum(one.path == "/v2/entries" for one in self.asked) > 1:
            time.sleep(0.5)
        return super().answer(asked)


def test_a_stop_ends_between_two_pages_and_the_next_start_goes_on(
    quiet_engine: Engine, tmp_path: Path
) -> None:
    bank(tmp_path, "n")
    server = Slow([(1, f"e{n}", int(time.time()) - 5000 + n, False) for n in range(30)])
    server.now = int(time.time())
    with server.running() as base:
        configured(tmp_path, f'[ncmec]\nkind = "ncmec"\nbank = "n"\naddress = "{base}"\n')
        with running(quiet_engine, tmp_path) as service, service.client() as client:
            service.with_banks()
            until(lambda: active(client, "n") > 0)
            began = time.monotonic()
            service.stop()
            assert time.monotonic() - began < 15
        done = len([one for one in server.asked if one.path == "/v2/entries"])
        assert done < 10
        with running(quiet_engine, tmp_path) as service, service.client() as client:
            service.with_banks()
            until(lambda: active(client, "n") == 30)
