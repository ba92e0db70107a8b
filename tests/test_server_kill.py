"""kill -9 at any moment: what was answered is answered again, byte for byte, and nothing stands half."""

import json
import os
import random
import signal
import threading
import time
from pathlib import Path

import httpx2

from server_cases import event, ndjson, process
from underwing.engine import MemoryState
from underwing.model import decode_event, encode
from underwing.server.keys import Keys
from underwing.server.run import load_runner
from underwing.server.settings import Settings

ROUNDS = 4


class Sender(threading.Thread):
    """Sends bodies and single events until the service is gone; remembers what was answered."""

    def __init__(self, url: str, token: str, first: int, seed: int) -> None:
        super().__init__(daemon=True)
        self.url, self.first, self.chance = url, first, random.Random(seed)
        self.headers = {"authorization": f"Bearer {token}", "content-type": "application/x-ndjson"}
        self.sent: list[list[str]] = []
        self.answered: dict[str, bytes] = {}

    def run(self) -> None:
        number = self.first
        try:
            with httpx2.Client(base_url=self.url, headers=self.headers, timeout=30) as client:
                while True:
                    size = self.chance.choice((1, 1, 3, 50, 3000))
                    made = [self.make(n) for n in range(number, number + size)]
                    number += size
                    if size == 1:
                        media = {"content-type": "application/json"}
                        answer = client.post("/v1/events", content=json.dumps(made[0]), headers=media)
                        self.answered[made[0]["id"]] = answer.content
                        continue
                    with client.stream("POST", "/v1/events", content=ndjson(*made)) as stream:
                        rest = b""
                        for part in stream.iter_bytes():
                            *whole, rest = (rest + part).split(b"\n")
                            for line in whole:
                                self.answered[json.loads(line)["event"]] = line
        except httpx2.HTTPError:
            return

    def make(self, number: int) -> dict[str, object]:
        text = self.chance.choice(
            ("hello", "are your parents home", "underwing test phrase heron urgent", "ok")
        )
        return event(f"{self.first}-{number}", text, **{"from": f"a{number % 50}", "to": [f"k{number % 7}"]})


def test_nothing_answered_is_lost(tmp_path: Path) -> None:
    database, chance = tmp_path / "store.db", random.Random(os.getpid())
    with Keys(database) as keys:
        token = keys.create("operator")
    answered: dict[str, bytes] = {}
    for round_ in range(ROUNDS):
        with process(database, tmp_path / f"log{round_}") as (made, url):
            senders = [Sender(url, token, round_ * 10_000_000 + n * 1_000_000, n) for n in range(3)]
            for sender in senders:
                sender.start()
            time.sleep(chance.uniform(0.1, 1.5))
            made.send_signal(signal.SIGKILL)
            for sender in senders:
                sender.join(30)
                assert not sender.is_alive()
                answered |= sender.answered
        assert answered
    with (
        process(database, tmp_path / "last") as (_, url),
        httpx2.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=60) as client,
    ):
        ids = list(answered)
        for id in random.Random(1).sample(ids, min(300, len(ids))):
            assert client.get(f"/v1/decisions/{id}").content == answered[id]
        for start in range(0, len(ids), 5_000):
            part = ids[start : start + 5_000]
            body = ndjson(*({**event(0, "other words"), "id": id} for id in part))
            again = client.post("/v1/events", content=body, headers={"content-type": "application/x-ndjson"})
            assert again.content.splitlines() == [answered[id] for id in part]


def test_one_stream_of_events_decides_as_if_nothing_had_happened(tmp_path: Path) -> None:
    """One sender that repeats whatever was not answered: after all kills, the decisions of an undisturbed run."""
    database, chance = tmp_path / "store.db", random.Random(3)
    texts = (
        "hello",
        "are your parents home",
        "dont tell your mum",
        "send me a picture of you",
        "ok",
        "please stop",
    )
    events = [
        event(
            n, chance.choice(texts), at=f"2026-01-0{1 + n // 3000}T12:00:00Z",
            **{"from": f"a{n % 9}", "to": [f"k{n % 4}"]},
        )
        for n in range(12_000)
    ]  # fmt: skip
    with Keys(database) as keys:
        token = keys.create("platform")
    headers = {"authorization": f"Bearer {token}", "content-type": "application/x-ndjson"}
    answers: list[bytes] = []
    kills = 0
    while len(answers) < len(events):
        with process(database, tmp_path / f"log{kills}") as (made, url):
            if kills < ROUNDS:
                threading.Timer(chance.uniform(0.02, 0.4), made.kill).start()
            kills += 1
            try:
                with httpx2.Client(base_url=url, headers=headers, timeout=60) as client:
                    while len(answers) < len(events):
                        part = events[len(answers) : len(answers) + 250]
                        answers += client.post("/v1/events", content=ndjson(*part)).content.splitlines()
            except httpx2.HTTPError:
                continue
    assert kills > 1
    runner = load_runner(Settings(database=":memory:"))
    state = MemoryState()
    expected = [encode(runner.engine.step(state, decode_event(json.dumps(e)))) for e in events]
    assert answers == expected
