"""A film of two hours: looked at each second, and as the pool does it, by its keyframes first and closely around a hit.

The film is made: shipped photos panned, a cut every 4 s, 24 frames a second, H.264; a minute of it is encoded once and set
one behind the other without encoding it again, with a 10 s clip at a known second, banked from another encoding. It is
looked at in one worker process, with the bounds of a service of default settings: 64 MiB a file, 20 s of processor time
and 1 s for each MiB. CPU seconds of the worker, the peak of its memory, what was found, and whether the bounds held.

    python benchmarks/long_video.py [--seconds 7200] [--width 1280] [--crf 49]
"""

import argparse
import io
import sys
import tempfile
import time
from pathlib import Path

import av

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from media_clips import KNOWN, OTHER, clip, cuts
from underwing.banks.banked import entry_hashes
from underwing.banks.checker import Checker
from underwing.banks.entries import Bank, Entry
from underwing.banks.store import Store
from underwing.media.hashing import look_to_bank
from underwing.media.orders import joined as joined_looks
from underwing.media.pool import Pool
from underwing.media.workers import Bounds
from underwing.model import MediaHashes

RATE = 24
MINUTE = 60
LARGEST = 64 << 20
"""The service's largest file, unless set otherwise."""


def main() -> int:
    """Measure and print; fails when the clip is not found by the pool's way, or its bounds did not hold."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=7_200, help="length of the film")
    parser.add_argument("--width", type=int, default=1_280, help="pixels")
    parser.add_argument("--crf", type=int, default=49, help="x264's constant rate factor")
    wanted = parser.parse_args()
    print(__doc__)
    size = (wanted.width, wanted.width * 9 // 16)
    options = {"preset": "veryfast", "crf": str(wanted.crf)}
    known = cuts(KNOWN, 4.0, speed=0.3)
    around = cuts(OTHER, 4.0, speed=0.3, width=size[0], height=size[1])
    minute = clip(around, MINUTE, rate=RATE, size=size, options=options)
    inside = clip(known, 10, rate=RATE, size=size, options=options)
    before = wanted.seconds * 6 // (10 * MINUTE)
    data = one_behind_the_other([minute] * before + [inside] + [minute] * (wanted.seconds // MINUTE - before))
    at = float(before * MINUTE)
    print(f"film: {size[0]} × {size[1]}, {wanted.seconds + 10} s, {len(data) / 2**20:.1f} MiB")
    print(f"the clip lies at {at:.0f}-{at + 10:.0f} s\n")
    banked = look_to_bank(clip(known, 10, rate=25))
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder) / "banks.db")
        store.create_bank(Bank(name="b", label="test"), by="t", now=0)
        store.put("b", [Entry(id="known", label="test", hashes=entry_hashes(banked))], by="t", now=0)
        checker = Checker(store)
        missed = False
        for name, bounds in (
            ("each second", Bounds(size=LARGEST, long_video=1e9)),
            ("keyframes, then closely", Bounds(size=LARGEST)),
        ):
            missed = not way(name, bounds, checker, data, at)
        store.close()
    return int(missed)


def way(name: str, bounds: Bounds, checker: Checker, data: bytes, at: float) -> bool:
    """Look at the film under these bounds, and print it; whether the clip was found where it is."""
    with Pool(1, bounds) as pool:
        pool.look(b"")
        (worker,) = pool.pids()
        spent = -processor(worker)
        began = time.monotonic()
        hashes = pool.look(data)
        looks = 1
        order = checker.second_look(hashes)
        if order is not None:
            hashes, looks = joined_looks(hashes, pool.look(data, order)), 2
        took = time.monotonic() - began
        (now,) = pool.pids()
        if now == worker:
            spent += processor(worker)
            print(f"{name}: {spent:.1f} CPU s, {took:.1f} s, peak {peak(worker):.0f} MiB, {looks} look(s)")
        else:
            print(f"{name}: the worker was ended after {took:.1f} s")
    return told(hashes, checker, bounds, len(data), at)


def told(hashes: MediaHashes, checker: Checker, bounds: Bounds, size: int, at: float) -> bool:
    """Print what is known of the film."""
    found = checker.match(hashes).matches
    print(f"    profile {hashes.profile!r}, {len(hashes.frames)} frames, closely {hashes.closer}")
    print(f"    allowed {bounds.processor_for(size)} CPU s a look; error: {hashes.error}")
    print(f"    found: {', '.join(f'{m.entry} {m.range}' for m in found) or 'nothing'}\n", flush=True)
    return any(m.range is not None and abs(m.range[0] - at) < 1.5 for m in found)


def one_behind_the_other(parts: list[bytes]) -> bytes:
    """Videos of the same kind as one, their packets as they are."""
    out = io.BytesIO()
    begins = 0
    with av.open(out, "w", format="mp4") as target:
        stream = None
        for part in parts:
            with av.open(io.BytesIO(part)) as source:
                track = source.streams.video[0]
                if stream is None:
                    stream = target.add_stream_from_template(track)
                for packet in source.demux(track):
                    if packet.dts is None:
                        continue
                    packet.pts, packet.dts = packet.pts + begins, packet.dts + begins
                    packet.stream = stream
                    target.mux(packet)
                begins += track.duration
    return out.getvalue()


def processor(pid: int) -> float:
    """CPU seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def peak(pid: int) -> float:
    """The most memory that a process held, in MiB."""
    (line,) = (x for x in Path(f"/proc/{pid}/status").read_text().splitlines() if x.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    sys.exit(main())
