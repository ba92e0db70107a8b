"""A chat flood into one live stream, among the chats of 100 calm ones, over loopback HTTP against a durable service.

Every stream is that of a known minor, so that the meaning layer reads too. Calm chats: single events in an open loop at
moments drawn at random, each latency counted from the moment it was due. The flood: 2,000 messages a second as NDJSON,
`--lines` a body, as a platform's gateway would hand them on, in an open loop as well, made ready before and sent by a
process of its own; two in a hundred carry an example sentence of the shipped packs. Windows with and without the flood
alternate, so that a busy machine weighs on both. The service runs in a process of its own (SQLite, synchronous FULL); all
three share the machine's cores.

    python benchmarks/live_flood.py [--windows 6] [--seconds 10] [--rate 2000] [--lines 100] [--calm 100]
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
from concurrent.futures import Executor, ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from over_http import CUES_SHARE, LINES, Connection, cpu_seconds, service
from underwing.packs import load_packs

BAR = 1.2
Flooded = tuple[int, list[float]]
NDJSON, JSON = "application/x-ndjson", "application/json"


@cache
def cues() -> list[str]:
    """The example sentences of the shipped packs."""
    return [text for entry in load_packs().entries for text in entry.examples]


class Chat:
    """Makes messages of the chats of streams."""

    def __init__(self, seed: int) -> None:
        self._draw, self._number = random.Random(seed), 0
        self._cues = cues()
        self._seed = seed

    def message(self, stream: str, viewers: int, ahead: float = 0.0) -> bytes:
        """One message of one of so many viewers, so many seconds from now."""
        draw = self._draw
        self._number += 1
        at = datetime.now(UTC) + timedelta(seconds=ahead)
        text = draw.choice(self._cues if draw.random() < CUES_SHARE else LINES)
        return json.dumps(
            {
                "type": "message", "id": f"{self._seed}-{self._number}", "surface": "live",
                "at": at.isoformat(timespec="milliseconds"), "conversation": stream,
                "from": f"{stream}-v{draw.randrange(viewers)}", "to": [], "text": f"{text} {draw.randrange(1000)}",
            }
        ).encode()  # fmt: skip


class Pool:
    """Connections that are kept."""

    def __init__(self, port: int, token: str) -> None:
        self._port, self._token, self._idle = port, token, list[Connection]()

    async def post(self, body: bytes, media: str) -> tuple[int, bytes]:
        """Send a body; the status and the answer."""
        connection = self._idle.pop() if self._idle else Connection(self._port, self._token)
        try:
            answer = await connection.post(body, media)
        except (
            asyncio.IncompleteReadError,
            ConnectionError,
        ):  # it was idle for too long; an event may be sent again
            connection = Connection(self._port, self._token)
            answer = await connection.post(body, media)
        self._idle.append(connection)
        return answer


async def paced(began: float, rate: float, seconds: float, send: Any) -> None:
    """From `began` on (`time.perf_counter`) call `send(due)` so often a second, whatever becomes of it; wait for all.

    The moments are drawn at random (uniformly): those of two that run side by side do not fall together again and again.
    """
    running = set[asyncio.Task[None]]()
    for due in sorted(began + random.uniform(0, seconds) for _ in range(int(rate * seconds))):
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        task = asyncio.create_task(send(due))
        running.add(task)
        task.add_done_callback(running.discard)
    async with asyncio.timeout(120):
        await asyncio.gather(*running)


async def calm(
    pool: Pool, chat: Chat, streams: int, rate: float, seconds: float, began: float = 0.0
) -> list[float]:
    """Latencies of the calm chats."""
    latencies: list[float] = []

    async def one(due: float) -> None:
        status, _ = await pool.post(chat.message(f"calm{random.randrange(streams)}", 20), JSON)
        assert status == 200, status
        latencies.append(time.perf_counter() - due)

    await paced(began or time.perf_counter(), rate, seconds, one)
    return latencies


def flooding(
    port: int, token: str, seed: int, began: float, rate: float, lines: int, seconds: float
) -> Flooded:
    """`flood`, in a process of its own."""
    return asyncio.run(flood(Pool(port, token), Chat(seed), began, rate, lines, seconds))


async def flood(pool: Pool, chat: Chat, began: float, rate: float, lines: int, seconds: float) -> Flooded:
    """(messages that were judged, latencies of bodies) of the flood."""
    judged, latencies = 0, list[float]()
    count = int(rate / lines * seconds)
    bodies = iter(
        [
            b"\n".join(chat.message("flood", 2_000, n * lines / rate) for _ in range(lines))
            for n in range(count)
        ]
    )

    async def one(due: float) -> None:
        nonlocal judged
        status, answer = await pool.post(next(bodies), NDJSON)
        assert status == 200, (status, answer)
        judged += sum(b'"level"' in line for line in answer.splitlines())
        latencies.append(time.perf_counter() - due)

    await paced(began, rate / lines, seconds, one)
    return judged, latencies


def at(latencies: list[float], share: float) -> float:
    """A quantile, in milliseconds."""
    ordered = sorted(latencies)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000, 2)


def beginning(name: str) -> list[bytes]:
    """The events with which a minor's stream begins."""
    account = {"type": "account", "id": f"host-{name}", "declared_age": 13, "minor": True}
    started = {
        "type": "stream", "id": f"start-{name}", "at": datetime.now(UTC).isoformat(), "conversation": name,
        "from": f"host-{name}", "state": "started",
    }  # fmt: skip
    return [json.dumps(event).encode() for event in (account, started)]


async def prepared(pool: Pool, streams: list[str]) -> None:
    """The streamers are known for minors, and their streams are watched."""
    for name in streams:
        for line in beginning(name):
            assert (await pool.post(line, JSON))[0] == 200


async def measured(
    port: int, token: str, process: Any, elsewhere: Executor, given: argparse.Namespace
) -> dict[str, Any]:
    """All windows."""
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(elsewhere, cues)  # it is ready
    pool, chat = Pool(port, token), Chat(random.randrange(2**30))
    await prepared(pool, ["flood", *(f"calm{n}" for n in range(given.calm))])
    await calm(pool, chat, given.calm, given.calm_rate, 3)
    quiet, loud, bodies, judged, cpu = [], [], [], 0, [0.0, 0.0]
    for window in range(given.windows):
        before = cpu_seconds(process)
        if window % 2 == 0:
            quiet += await calm(pool, chat, given.calm, given.calm_rate, given.seconds)
        else:
            began = time.perf_counter() + 1
            (more, took), latencies = await asyncio.gather(
                loop.run_in_executor(
                    elsewhere, flooding, port, token, window, began, given.rate, given.lines, given.seconds
                ),
                calm(pool, chat, given.calm, given.calm_rate, given.seconds, began),
            )
            judged, loud, bodies = judged + more, loud + latencies, bodies + took
        cpu[window % 2] += (cpu_seconds(process) - before) / given.seconds / (given.windows / 2)
    sent = int(given.rate / given.lines * given.seconds) * given.lines * (given.windows // 2)
    return {
        "calm_messages": len(quiet) + len(loud), "flood_sent": sent, "flood_judged": judged,
        **{f"calm_{name}_without_ms": at(quiet, share) for name, share in (("p50", 0.5), ("p99", 0.99))},
        **{f"calm_{name}_with_ms": at(loud, share) for name, share in (("p50", 0.5), ("p99", 0.99))},
        "p99_ratio": round(at(loud, 0.99) / at(quiet, 0.99), 2), "flood_body_p99_ms": at(bodies, 0.99),
        "cores_without": round(cpu[0], 2), "cores_with": round(cpu[1], 2),
    }  # fmt: skip


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--windows", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=2_000.0)
    parser.add_argument("--lines", type=int, default=100)
    parser.add_argument("--calm", type=int, default=100)
    parser.add_argument(
        "--calm-rate", type=float, default=50.0, help="messages a second of all calm chats together"
    )
    given = parser.parse_args()
    print(__doc__)
    load = os.getloadavg()[0]
    with (
        tempfile.TemporaryDirectory() as folder,
        service(folder) as (port, token, process),
        ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as elsewhere,
    ):
        result = asyncio.run(measured(port, token, process, elsewhere, given))
    print(f"cores {os.cpu_count()}, load average before {load:.1f}")
    for key, value in result.items():
        print(f"  {key:24} {value}")
    met = result["p99_ratio"] <= BAR and result["flood_judged"] == result["flood_sent"]
    print(f"  bar: every message judged, calm p99 within {BAR}: {'met' if met else 'missed'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
