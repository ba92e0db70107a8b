"""Keys: shown once, stored as a hash, bound to a role, revoked at once; and how much each may send."""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from server_cases import Running, event, post, running
from underwing.engine import Engine
from underwing.server.http import Refusal
from underwing.server.keys import BadKey, Keys
from underwing.server.limits import Rates


@pytest.fixture
def service(engine: Engine, tmp_path: Path) -> Iterator[Running]:
    with running(engine, tmp_path) as service:
        yield service


def test_a_token_is_nowhere_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.db"
    with Keys(path) as keys:
        tokens = [keys.create("platform", f"key {n}") for n in range(5)]
        assert len(set(tokens)) == 5
        stored = b"".join(p.read_bytes() for p in tmp_path.iterdir())
        for token in tokens:
            assert token.split("_", 2)[2].encode() not in stored  # a secret may hold "_" itself
            assert keys.find(token) is not None
        assert [k.name for k in keys.list()] != []
        assert all(not hasattr(k, "hash") for k in keys.list())


def test_only_the_whole_token_opens(tmp_path: Path) -> None:
    with Keys(tmp_path / "keys.db") as keys:
        token, other = keys.create("platform"), keys.create("operator")
        _, id, secret = token.split("_", 2)
        _, other_id, other_secret = other.split("_", 2)
        wrong = [
            "", "uw_", token[:-1], token + "x", token.upper(), f"uw_{id}_{other_secret}", f"uw_{other_id}_{secret}",
            f"uw_000000000000_{secret}", secret, f"uw_{id}_", "x" * 100_000, "é" * 60,
        ]  # fmt: skip
        assert [keys.find(t) for t in wrong] == [None] * len(wrong)
        found = keys.find(token)
        assert found is not None
        assert (found.role, found.id) == ("platform", id)


def test_roles_and_names_are_checked(tmp_path: Path) -> None:
    with Keys(tmp_path / "keys.db") as keys:
        with pytest.raises(BadKey, match="known are platform, reviewer, operator"):
            keys.create("king")
        with pytest.raises(BadKey, match="100 characters"):
            keys.create("platform", "x" * 101)
        assert keys.revoke("nothing") is False


ROUTES = {
    ("POST", "/v1/events"): {"platform", "operator"},
    ("GET", "/v1/decisions/m1"): {"platform", "reviewer", "operator"},
    ("GET", "/v1/explain/pair?actor=a&target=k"): {"reviewer", "operator"},
    ("GET", "/v1/explain/actor/a"): {"reviewer", "operator"},
    ("GET", "/v1/explain/target/k"): {"reviewer", "operator"},
    ("GET", "/v1/recent"): {"reviewer", "operator"},
    ("GET", "/v1/streams"): {"platform", "reviewer", "operator"},
    ("GET", "/metrics"): {"operator"},
}


def test_every_route_is_for_its_roles_only(service: Running) -> None:
    with service.client("platform") as client:
        post(client, event(1, "home alone"))
    for (method, path), roles in ROUTES.items():
        for role in ("platform", "reviewer", "operator"):
            with service.client(role) as client:
                answer = client.request(method, path, json=event(1) if method == "POST" else None)
                assert answer.status_code == (200 if role in roles else 403), (path, role)
        for header in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic YTpi"}):
            if path == "/metrics" and not header:
                continue
            with service.client(None, headers=header) as client:
                answer = client.request(method, path, json=event(1) if method == "POST" else None)
                assert answer.status_code == 401, (path, header)
                assert answer.headers["www-authenticate"].startswith('Bearer realm="underwing"')
                assert answer.json()["error"]["code"] == "unauthorized"


STREAMS = {
    ("POST", "/v1/streams"): ({"platform", "operator"}, 422),
    ("GET", "/v1/streams/s1"): ({"platform", "reviewer", "operator"}, 404),
    ("DELETE", "/v1/streams/s1"): ({"platform", "operator"}, 404),
}


@pytest.mark.parametrize("role", ["platform", "reviewer", "operator", None])
def test_streams_are_begun_and_ended_by_platforms_and_seen_by_all(service: Running, role: str | None) -> None:
    with service.client(role) as client:
        for (method, path), (roles, status) in STREAMS.items():
            answer = client.request(method, path, json={} if method == "POST" else None)
            assert answer.status_code == (401 if role is None else status if role in roles else 403), path


def test_a_key_works_and_ends_within_a_second_from_another_process(service: Running) -> None:
    path = service.app.settings.database
    with service.client(None) as client, Keys(path) as elsewhere:
        client.get("/v1/recent", headers={"authorization": f"Bearer {service.tokens['reviewer']}"})
        headers = {"authorization": f"Bearer {elsewhere.create('reviewer')}"}
        time.sleep(0.9)
        assert client.get("/v1/recent", headers=headers).status_code == 200
        made = next(k for k in elsewhere.list() if k.name == "" and k.revoked is None)
        assert elsewhere.revoke(made.id) is True
        assert elsewhere.revoke(made.id) is False
        time.sleep(0.9)
        assert client.get("/v1/recent", headers=headers).status_code == 401


def test_keys_are_kept_beside_the_state_in_one_file(service: Running) -> None:
    with sqlite3.connect(service.app.settings.database) as db:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert {"api_keys", "decisions"} <= tables
        assert {len(h) for (h,) in db.execute("SELECT hash FROM api_keys")} == {32}


def test_a_key_that_sends_too_much_is_asked_to_wait(engine: Engine, tmp_path: Path) -> None:
    with running(engine, tmp_path, rate=50) as service, service.client("platform") as client:
        assert len(post(client, *map(event, range(200)))) == 200  # a body is never cut
        answer = client.post("/v1/events", json=event(1))
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["retry-after"]) <= 4
        with service.client("operator") as other:
            assert other.post("/v1/events", json=event(2)).status_code == 200
        time.sleep(int(answer.headers["retry-after"]))
        assert client.post("/v1/events", json=event(1)).status_code == 200


def test_the_bucket_fills_with_time_and_not_beyond_a_second() -> None:
    now = 100.0
    rates = Rates(10, clock=lambda: now)

    def spend() -> int:
        spent = 0
        try:
            while True:
                rates.check("k")
                rates.charge("k", 1)
                spent += 1
        except Refusal:
            return spent

    assert spend() == 10
    now += 0.5
    assert spend() == 5
    now += 3600
    assert spend() == 10
    rates.check("another")


def test_the_bucket_remembers_a_bounded_number_of_keys() -> None:
    rates = Rates(10, capacity=100, clock=lambda: 0.0)
    for n in range(1_000):
        rates.charge(f"k{n}", 1)
    assert len(rates._balance) == 100
