"""Videos: what their hashes cost beside Meta's `vpdq`, that the hashes are its hashes, and known clips found inside others.

Cost: a made video of 1280 × 720 at 30 frames a second (shipped photos panned and zoomed, with noise; a cut every 4 s, or
none; H.264 and VP9, encoders' default keyframes) is hashed from its file by each, on one core (the process and its children
are bound to one, one thread): CPU seconds of the process, the least of three runs in turn. `vpdq` hashes a frame a second;
so does `vpdq-1s`; `keyframes-1` only keyframes. Where both took the same frame the bits are compared.

Clips: 10 s are banked from one video and pasted into others of 13 s and 10 min, encoded anew at another size and rate.
They are looked for as a server does it: in `vpdq-1s` at once; after `keyframes-1`, where it hits, again each second around
the hit. `vpdq`'s rule (80 % of the query's frames match) is printed beside.

    python benchmarks/video.py [--seconds 30] [--peer PYTHON]

`--peer` is a Python that has `vpdq` (it is built from source, with FFmpeg's headers); without one only ours is measured.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from media_clips import KNOWN, OTHER, Pixels, Scene, clip, cuts, joined, panned
from underwing.banks.clips import BankedClip, FrameHit, find_clips, windows_to_confirm
from underwing.media.video import VideoProfile, look_video
from underwing.model.media import PDQ_DISTANCE, PDQ_QUALITY, Frame

SIZE = (1280, 720)
BARS = {"vpdq-1s": 2.0, "keyframes-1": 40.0}
PEER = """
import json, sys, time, vpdq
best = []
for _ in range(3):
    began = time.process_time()
    frames = vpdq.computeHash(sys.argv[1], seconds_per_hash=1.0, thread_count=1)
    best.append(time.process_time() - began)
print(json.dumps({"seconds": min(best), "frames": [(f.timestamp, f.hex) for f in frames]}))
"""


def main() -> int:
    """Measure and print; fails when a bar is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=30, help="length of the videos that are timed")
    parser.add_argument("--peer", default=sys.executable, help="a Python that has vpdq")
    wanted = parser.parse_args()
    print(__doc__)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    missed = cost(wanted.seconds, wanted.peer)
    missed |= finding()
    return int(missed)


def cost(seconds: int, peer: str) -> bool:
    """CPU time of each; whether a bar is missed in H.264 with cuts, of which the bars speak."""
    missed = False
    videos = {
        "h264, cuts": (
            noisy(cuts(KNOWN + OTHER, 4.0, speed=0.3, width=1280, height=720)),
            "libx264",
            "mp4",
            {},
        ),
        "h264, one take": (noisy(panned("china", speed=0.3, width=1280, height=720)), "libx264", "mp4", {}),
        "vp9, cuts": (
            noisy(cuts(KNOWN + OTHER, 4.0, speed=0.3, width=1280, height=720)),
            "libvpx-vp9",
            "webm",
            {"deadline": "realtime", "cpu-used": "6", "b": "2000000"},
        ),
    }
    head = f"{'video':16s} {'':12s} {'hashes':>6s} {'CPU ms/s':>9s} {'× real time':>12s} {'× vpdq':>7s} {'bits off':>9s}"
    print(f"{head}\n{'-' * len(head)}")
    with tempfile.TemporaryDirectory() as folder:
        for name, (scene, codec, container, options) in videos.items():
            path = Path(folder) / f"video.{container}"
            preset = {"preset": "medium"} if codec == "libx264" else {}
            path.write_bytes(
                clip(
                    scene,
                    seconds,
                    rate=30,
                    size=SIZE,
                    codec=codec,
                    container=container,
                    options=preset | options,
                )
            )
            theirs = by_vpdq(peer, path)
            if theirs is not None:
                print(row(name, "vpdq", len(theirs[1]), theirs[0], seconds))
            for profile in ("vpdq-1s", "keyframes-1"):
                spent, frames = ours(path, profile)
                print(row(name, profile, len(frames), spent, seconds, theirs, frames), flush=True)
                if name == "h264, cuts":
                    ratio = (
                        seconds / spent if profile == "keyframes-1" else theirs[0] / spent if theirs else 99.0
                    )
                    missed |= ratio < BARS[profile]
    return missed


def row(
    name: str,
    what: str,
    hashes: int,
    spent: float,
    seconds: int,
    theirs: tuple[float, dict[float, str]] | None = None,
    frames: Sequence[Frame] = (),
) -> str:
    """One line of the table."""
    line = f"{name:16s} {what:12s} {hashes:6d} {spent / seconds * 1000:9.1f} {seconds / spent:12.1f}"
    if theirs is None:
        return line
    off = [distance(f.pdq.hash, theirs[1][round(f.at, 2)]) for f in frames if round(f.at, 2) in theirs[1]]
    return f"{line} {theirs[0] / spent:7.2f} {max(off, default=0):5d} in {len(off)}"


def ours(path: Path, profile: VideoProfile) -> tuple[float, Sequence[Frame]]:
    """CPU seconds of one look at a file, and its frames."""
    spent = []
    for _ in range(3):
        began = time.process_time()
        with path.open("rb") as file:
            seen = look_video(file, profile=profile)
        spent.append(time.process_time() - began)
        assert seen.error is None, seen.error
    return min(spent), seen.frames


def by_vpdq(python: str, path: Path) -> tuple[float, dict[float, str]] | None:
    """CPU seconds of the peer, and its hashes by their second."""
    done = subprocess.run([python, "-c", PEER, path], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"(vpdq is not measured: {done.stderr.strip().splitlines()[-1]})")
        return None
    answer = json.loads(done.stdout)
    return answer["seconds"], {round(at, 2): found for at, found in answer["frames"]}


def noisy(scene: Scene) -> Scene:
    """A scene with the noise of a camera."""
    dice = np.random.default_rng(3)
    grain = [dice.normal(0, 1.5, (SIZE[1], SIZE[0], 1)).round().astype(np.int16) for _ in range(5)]

    def picture(at: float) -> Pixels:
        return np.clip(scene(at) + grain[round(at * 30) % 5], 0, 255).astype(np.uint8)

    return picture


def finding() -> bool:
    """Look for the known clip; whether it was missed anywhere, or something else found."""
    known = cuts(KNOWN, 4.0, speed=0.3)
    around = cuts(OTHER, 4.0, speed=0.3, width=320, height=180)
    banked = look_video(clip(known, 10, rate=25), profile="dense-2").frames
    other = look_video(clip(cuts(("gravel", "page", "horse"), 4.0), 10, rate=25), profile="dense-2").frames
    bank = {"known": banked, "unrelated": other}
    missed = False
    print(
        "\nclip of 10 s in …  profile        true range        found                        CPU s   vpdq's rule"
    )
    for name, before, behind, rate, size in (
        ("13 s", 1.7, 1.3, 24, (320, 180)),
        ("10 min", 401.3, 188.7, 12, (256, 144)),
    ):
        scene, length = joined((around, 0, before), (known, 0, 10), (around, 40, 40 + behind))
        data = clip(scene, length, rate=rate, size=size)
        for profile in ("vpdq-1s", "keyframes-1"):
            began = time.process_time()
            found, theirs = look_for(data, bank, profile)
            spent = time.process_time() - began
            names = (
                ", ".join(f"{m.entry} {m.range[0]:.1f}-{m.range[1]:.1f} s ({m.share:.0%})" for m in found)
                or "nothing"
            )
            print(
                f"{name:18s} {profile:14s} {before:5.1f}-{before + 10:5.1f} s   {names:28s} {spent:5.2f}   {theirs}"
            )
            missed |= {m.entry for m in found} != {"known"}
    return missed


def look_for(data: bytes, bank: dict[str, Sequence[Frame]], profile: VideoProfile):
    """What is found as a server looks for it, and what the peer's rule says."""
    clips = {name: BankedClip(tuple(f.at for f in frames)) for name, frames in bank.items()}
    seen = look_video(data, profile=profile)
    hits = hits_of(seen.frames, bank)
    usable = [h for f, h in zip(seen.frames, hits, strict=True) if f.pdq.quality >= PDQ_QUALITY]
    share = sum(any(hit.entry == "known" for hit in h) for h in usable) / max(1, len(usable))
    theirs = f"{share:.0%} of the frames: {'found' if share >= 0.8 else 'missed'}"
    if seen.profile == "vpdq-1s":
        return find_clips(seen.frames, hits, clips, seen.duration or 0), theirs
    windows = windows_to_confirm(seen.frames, hits, clips, seen.duration or 0)
    if not windows:
        return (), theirs
    closer = look_video(data, windows=windows)
    return find_clips(
        closer.frames, hits_of(closer.frames, bank), clips, seen.duration or 0, whole=False
    ), theirs


def hits_of(frames: Sequence[Frame], bank: dict[str, Sequence[Frame]]) -> list[list[FrameHit]]:
    """A plain scan in place of the index."""
    found = []
    for frame in frames:
        near = [
            FrameHit(entry, known.at, distance(frame.pdq.hash, known.pdq.hash))
            for entry, of_entry in bank.items()
            for known in of_entry
            if known.pdq.quality >= PDQ_QUALITY
        ]
        found.append([hit for hit in near if hit.distance <= PDQ_DISTANCE])
    return found


def distance(a: str, b: str) -> int:
    """Hamming distance of two hashes, in bits."""
    return (int(a, 16) ^ int(b, 16)).bit_count()


if __name__ == "__main__":
    sys.exit(main())
