"""Media over loopback HTTP: look-ups of a hash, checks of a 512 px and of a 12-megapixel picture, one worker process.

The service runs in a process of its own with one worker and a bank of random PDQ hashes, the client in this one; a closed
loop on a few connections. Every request is of other bytes (a few more at the end of a file), so nothing is remembered.
Printed are requests a second and processor milliseconds a request, of the service and its worker together. The picture is
a pattern of smooth waves; it matches nothing.

The peer, Hasher-Matcher-Actioner, is in no registry: start it from its public repository beside this, with one worker,
fill it with the hashes of `random_hashes`, and give its address (`--peer URL --peer-pid PID`, the parent of its
processes; a second PID, its database's, is added to it). It is then asked the same by `/m/lookup`, in turns with ours,
and the ratios are of processor time. A server that closes a connection after its answer, as gunicorn's `sync` worker
does, is asked by a new one each time.

    python benchmarks/media_over_http.py [--seconds 5] [--rounds 1] [--hashes 100000] [--connections 8] [--json]
        [--peer URL --peer-pid PID [PID]]
"""

import argparse
import asyncio
import io
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

from underwing.banks.entries import Bank, Entry, EntryHash
from underwing.banks.store import Store
from underwing.server.keys import Keys

Made = Callable[[], tuple[str, str, str, bytes]]
"""Makes a request: method, path, content type, body."""


def picture(width: int, height: int) -> bytes:
    """Smooth waves as a JPEG."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / height
    waves = sum(
        np.sin(2 * np.pi * (a * x + b * y) + c) / (1 + i)
        for i, (a, b, c) in enumerate(rng.uniform(1, 9, (12, 3)))
    )
    grey = np.uint8(255 * (waves - waves.min()) / np.ptp(waves))
    out = io.BytesIO()
    Image.fromarray(np.dstack([grey, np.roll(grey, 40, 0), np.roll(grey, 90, 1)])).save(
        out, "JPEG", quality=90
    )
    return out.getvalue()


def form(data: bytes) -> tuple[str, bytes]:
    """A form with the file in the part `photo`."""
    edge = secrets.token_hex(8)
    head = f'--{edge}\r\ncontent-disposition: form-data; name="photo"; filename="x.jpg"\r\ncontent-type: image/jpeg\r\n\r\n'
    return f"multipart/form-data; boundary={edge}", head.encode() + data + f"\r\n--{edge}--\r\n".encode()


def processor_seconds(pid: int) -> float:
    """Of a process and all its descendants, those that are alive."""
    parents: dict[int, list[tuple[int, float]]] = {}
    own = 0.0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            used = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
            parents.setdefault(int(fields[1]), []).append((int(entry.name), used))
            own = used if int(entry.name) == pid else own
    waiting, total = [pid], own
    while waiting:
        for child, used in parents.get(waiting.pop(), []):
            total += used
            waiting.append(child)
    return total


async def load(
    url: str, token: str, made: Made, seconds: float, connections: int, pids: Sequence[int]
) -> dict[str, float]:
    """Ask for a while; what came of it."""
    host, port = urlsplit(url).hostname or "", urlsplit(url).port or 80
    done = 0

    async def ask(until: float) -> None:
        nonlocal done
        reader, writer = await asyncio.open_connection(host, port, limit=2**20)
        while time.perf_counter() < until:
            method, path, kind, body = made()
            head = f"{method} {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n"
            if body:
                head += f"content-type: {kind}\r\ncontent-length: {len(body)}\r\n"
            writer.write(head.encode() + b"\r\n" + body)
            headers = (await reader.readuntil(b"\r\n\r\n")).lower()
            answer = await reader.readexactly(int(headers.split(b"content-length: ")[1].split(b"\r\n")[0]))
            if b"\r\nconnection: close\r\n" in headers:
                writer.close()
                reader, writer = await asyncio.open_connection(host, port, limit=2**20)
            if headers[9:12] != b"200":
                raise SystemExit(f"{path} was answered {headers[9:12].decode()}: {answer[:200]!r}")
            done += 1
        writer.close()

    await ask(time.perf_counter() + 0.2)
    done = 0
    began, used = time.perf_counter(), sum(map(processor_seconds, pids))
    await asyncio.gather(*(ask(began + seconds) for _ in range(connections)))
    took = time.perf_counter() - began
    return {"requests": done, "seconds": took, "cpu": sum(map(processor_seconds, pids)) - used}


def random_hashes(count: int) -> list[str]:
    """The PDQ hashes of the bank, the same each time."""
    return [row.tobytes().hex() for row in np.random.default_rng(2).integers(0, 256, (count, 32), np.uint8)]


def fill(path: Path, count: int) -> None:
    """A bank of random hashes."""
    store = Store.open(path, "normal")
    store.create_bank(Bank(name="bench"), by="benchmark", now=1)
    entries = (
        Entry(id=f"e{n}", label="blocked", hashes=(EntryHash("pdq", pdq),))
        for n, pdq in enumerate(random_hashes(count))
    )
    store.put("bench", entries, by="benchmark", now=1)
    store.close()


def cases() -> dict[str, tuple[Made | None, Made]]:
    """By name: our own route, and the one that the peer has too."""
    small, large = picture(512, 384), picture(4000, 3000)

    def hash_own() -> tuple[str, str, str, bytes]:
        return "POST", "/v1/hashes", "application/json", json.dumps({"pdq": secrets.token_hex(32)}).encode()

    def hash_theirs() -> tuple[str, str, str, bytes]:
        return "GET", f"/m/lookup?signal_type=pdq&signal={secrets.token_hex(32)}", "", b""

    def own(data: bytes) -> Made:
        return lambda: ("POST", "/v1/media", "image/jpeg", data + secrets.token_bytes(8))

    def theirs(data: bytes) -> Made:
        return lambda: ("POST", "/m/lookup", *form(data + secrets.token_bytes(8)))

    return {
        "hash": (hash_own, hash_theirs),
        "512 px": (own(small), theirs(small)),
        "12 MP": (own(large), theirs(large)),
    }


def serve(folder: Path, hashes: int) -> tuple["subprocess.Popen[bytes]", str, str]:
    """The service as a process of its own, its banks loaded: process, address, key."""
    database = folder / "bench.db"
    with Keys(database) as keys:
        token = keys.create("operator", "benchmark")
    fill(folder / "banks.db", hashes)
    log = folder / "log"
    command = [sys.executable, "-m", "underwing.server", "--port", "0", "--database", str(database)]
    command += [
        "--media-workers",
        "1",
        "--media-in-flight",
        "32",
        "--rate",
        "10000000",
        "--log-level",
        "info",
    ]
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stderr=stream)
    for _ in range(1200):
        lines = [
            json.loads(line) for line in log.read_text().splitlines(keepends=True) if line.endswith("\n")
        ]
        events = {line["event"]: line for line in lines}
        if {"ready", "banks_ready"} <= set(events):
            return process, f"http://127.0.0.1:{events['listening']['port']}", token
        if process.poll() is not None:
            break
        time.sleep(0.1)
    process.kill()
    raise SystemExit(f"the service did not start: {log.read_text()}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--hashes", type=int, default=100_000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--peer")
    parser.add_argument("--peer-pid", type=int, nargs="+", default=[])
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    sums: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        process, url, token = serve(Path(folder), given.hashes)
        try:
            for name, (own, shared) in list(cases().items()) * given.rounds:
                asked = [("own", url, own, [process.pid]), ("/m/lookup", url, shared, [process.pid])]
                if given.peer:
                    asked.append(("peer", given.peer, shared, given.peer_pid))
                for route, address, made, pids in asked:
                    run = load(address, token, made, given.seconds, given.connections, pids)
                    sums.setdefault(f"{name}, {route}", Counter()).update(asyncio.run(run))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
    results = {
        name: {
            "requests": one["requests"],
            "per_second": round(one["requests"] / one["seconds"], 1),
            "cpu_ms": round(one["cpu"] / one["requests"] * 1000, 3),
        }
        for name, one in sums.items()
    }
    if given.json:
        print(json.dumps(results))
        return
    print(__doc__.split("\n\n")[1], "\n")
    for name, found in results.items():
        print(f"{name:22} {found['per_second']:9.1f} requests/s  {found['cpu_ms']:8.2f} ms of CPU", end="")
        peer = results.get(f"{name.partition(',')[0]}, peer", found)
        print("" if peer is found else f"  1/{peer['cpu_ms'] / found['cpu_ms']:.1f} of the peer's")


if __name__ == "__main__":
    main()
