"""Load over loopback HTTP against a durable service: NDJSON throughput, latency of single events.

The service runs in a process of its own (`python -m underwing.server`, SQLite, synchronous FULL), the client
in this one, so that both share the machine's cores. NDJSON: bodies are sent one after the other on a few
connections, new events each. Single events: an open loop, one request every 1/RATE seconds whatever the
answers do, each latency counted from the moment the request was due (so that a stall is not forgotten).

    python benchmarks/over_http.py [--seconds 10] [--rate 1000] [--lines 5000] [--json]
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from underwing.packs import load_packs
from underwing.server.keys import Keys

LINES = """did you see the match last night
the bus was late again so i walked
what did you get for question four
lol the cat is asleep on my keyboard
we have netball on thursday right
anyone up for a game after dinner
my sister ate the last pancake
that level took me three hours
i think the shop shuts at six
can you send me the maths homework page
happy birthday!! hope you had cake
it rained the whole trip
the new update broke my save file
who is bringing the ball tomorrow
i like the second song best
ok see you at practice then
my charger died so i could not answer
the teacher moved the test to monday""".splitlines()
PAIRS = 5_000
"""Conversations that go on at the same time."""
CUES_SHARE = 0.02
"""The share of messages that carry an example sentence of the shipped packs, so that decisions have reasons."""


class Talk:
    """Makes messages: mostly small talk between a bounded set of accounts, some with a sign in them."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._cues = [text for entry in load_packs().entries for text in entry.examples]
        self._number, self._seed = 0, seed

    def message(self) -> bytes:
        """One new event as JSON."""
        draw = self._random
        self._number += 1
        pair = draw.randrange(PAIRS)
        text = draw.choice(self._cues if self._cues and draw.random() < CUES_SHARE else LINES)
        return json.dumps(
            {
                "type": "message",
                "id": f"{self._seed}-{self._number}",
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "surface": "dm",
                "conversation": f"c{pair}",
                "from": f"a{pair}",
                "to": [f"b{pair}"],
                "text": f"{text} {draw.randrange(1000)}",
            }
        ).encode()


class Connection:
    """One kept-alive HTTP/1.1 connection."""

    def __init__(self, port: int, token: str) -> None:
        self._port, self._token = port, token
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, body: bytes, media: str) -> tuple[int, bytes]:
        """Send a body to /v1/events; the status and the answer."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=2**20)
        reader, writer = self._streams
        head = (
            f"POST /v1/events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {self._token}\r\n"
            f"content-type: {media}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        headers = await reader.readuntil(b"\r\n\r\n")
        status = int(headers[9:12])
        lower = headers.lower()
        if b"transfer-encoding: chunked" in lower:
            parts = []
            while size := int(await reader.readline(), 16):
                parts.append(await reader.readexactly(size))
                await reader.readexactly(2)
            await reader.readline()
            return status, b"".join(parts)
        length = int(lower.split(b"content-length: ")[1].split(b"\r\n")[0])
        return status, await reader.readexactly(length)

    def close(self) -> None:
        """Hang up."""
        if self._streams is not None:
            self._streams[1].close()


async def many(port: int, token: str, seconds: float, lines: int, connections: int) -> dict[str, Any]:
    """Send bodies of NDJSON for a while."""
    talk = Talk(random.randrange(2**30))
    bodies: asyncio.Queue[bytes] = asyncio.Queue()
    for _ in range(max(4, int(seconds * 40_000 / lines))):  # made before the clock starts
        bodies.put_nowait(b"\n".join(talk.message() for _ in range(lines)) + b"\n")
    began = time.perf_counter()
    done = 0

    async def sender() -> None:
        nonlocal done
        connection = Connection(port, token)
        while time.perf_counter() - began < seconds and not bodies.empty():
            status, answer = await connection.post(bodies.get_nowait(), "application/x-ndjson")
            if status != 200 or answer.count(b"\n") != lines or b'{"error"' in answer:
                raise SystemExit(f"NDJSON was not answered as it should be: status {status}")
            done += lines
        connection.close()

    await asyncio.gather(*(sender() for _ in range(connections)))
    took = time.perf_counter() - began
    return {"messages": done, "seconds": round(took, 2), "messages_per_second": round(done / took)}


async def singles(port: int, token: str, seconds: float, rate: float) -> dict[str, Any]:
    """Send single events in an open loop."""
    talk = Talk(random.randrange(2**30))
    count = int(seconds * rate)
    events = [talk.message() for _ in range(count)]
    idle: list[Connection] = []
    latencies: list[float] = []
    late = failed = 0
    running: set[asyncio.Task[None]] = set()

    async def one(due: float, event: bytes) -> None:
        nonlocal failed
        connection = idle.pop() if idle else Connection(port, token)
        status, _ = await connection.post(event, "application/json")
        latencies.append(time.perf_counter() - due)
        failed += status != 200
        idle.append(connection)

    for event in (talk.message() for _ in range(200)):  # open connections, fill caches
        await one(time.perf_counter(), event)
    latencies.clear()
    began = time.perf_counter()
    for number, event in enumerate(events):
        due = began + number / rate
        while (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        late += time.perf_counter() - due > 0.002
        task = asyncio.create_task(one(due, event))
        running.add(task)
        task.add_done_callback(running.discard)
    async with asyncio.timeout(30):
        await asyncio.gather(*running)
    took = time.perf_counter() - began
    for connection in idle:
        connection.close()
    latencies.sort()

    def at(share: float) -> float:
        return round(latencies[min(len(latencies) - 1, int(share * len(latencies)))] * 1000, 2)

    return {
        "offered_per_second": rate,
        "answered_per_second": round(len(latencies) / took),
        "failed": failed,
        "sent_late_by_client": late,
        "connections": len(idle),
        "p50_ms": at(0.5),
        "p90_ms": at(0.9),
        "p99_ms": at(0.99),
        "max_ms": at(1.0),
    }


@contextlib.contextmanager
def service(folder: str) -> Any:
    """The service as a process of its own; yields its port and a key."""
    database = str(Path(folder) / "bench.db")
    with Keys(database) as keys:
        token = keys.create("platform", "benchmark")
    command = [sys.executable, "-m", "underwing.server", "--port", "0", "--database", database]
    command += ["--rate", "10000000", "--log-level", "info"]
    log = Path(folder) / "log.jsonl"
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stderr=stream, env=os.environ)
    try:
        port = 0
        for _ in range(600):
            events = {line["event"]: line for line in map(json.loads, log.read_text().splitlines()) if line}
            if "ready" in events:
                port = events["listening"]["port"]
                break
            if process.poll() is not None:
                raise SystemExit(f"the service did not start: {log.read_text()}")
            time.sleep(0.1)
        else:
            raise SystemExit("the service was not ready within a minute")
        yield port, token, process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def cpu_seconds(process: "subprocess.Popen[bytes]") -> float:
    """Processor time the service has used so far (Linux), else 0."""
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return 0.0


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=1000.0)
    parser.add_argument("--lines", type=int, default=5000)
    parser.add_argument("--connections", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    seconds = min(options.seconds, 120.0)
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder, service(folder) as (port, token, process):
        before = cpu_seconds(process)
        one = asyncio.run(singles(port, token, seconds, options.rate))
        one["service_cpu_share"] = round((cpu_seconds(process) - before) / seconds, 2)
        before = cpu_seconds(process)
        bulk = asyncio.run(many(port, token, seconds, options.lines, options.connections))
        bulk["service_cpu_share"] = round((cpu_seconds(process) - before) / bulk["seconds"], 2)
    result = {
        "method": __doc__.split("\n\n")[1].replace("\n", " "),
        "cores": os.cpu_count(),
        "load_average_before": round(load_before, 2),
        "http": _parser_name(),
        "ndjson": {"lines_per_body": options.lines, "connections": options.connections, **bulk},
        "singles": one,
    }
    if options.json:
        print(json.dumps(result))
        return 0
    print(result["method"])
    print(f"\ncores {result['cores']}, load average before {result['load_average_before']}, {result['http']}")
    for name in ("ndjson", "singles"):
        print(f"\n{name}")
        for key, value in result[name].items():
            print(f"  {key:24} {value}")
    return 0


def _parser_name() -> str:
    import importlib.util

    return "httptools" if importlib.util.find_spec("httptools") else "h11"


if __name__ == "__main__":
    sys.exit(main())
