"""What watching streams costs the watcher: cores a stream, calm and raised, beside decoding every frame.

Method: 720p at 30 frames a second in H.264 (veryfast), keyframes 2 s and 10 s apart, made from a shipped photo that moves.
Files are read as fast as they come, so that processor time (`time.process_time`, all threads) divided by stream seconds is
the share of a core that a live stream takes. Calm: a keyframe in ten seconds. Raised: two frames a second, all decoded.
Decoding alone (PyAV, one thread, nothing hashed) is the peer. Many at once: threads of one process, each over its own opened
file. The network is not in it.
"""

import argparse
import sys
import tempfile
import threading
import time
from pathlib import Path

import av

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from media_clips import clip, panned
from underwing.live.watch import Watch

BAR = 0.01


def decode_all(path: Path) -> None:
    """Decode every frame, and nothing else."""
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "NONE"
        for _ in container.decode(video=0):
            pass


def watch(path: Path, raised: bool) -> None:
    """Watch a file to its end."""
    eye = Watch(str(path), lambda _: None, lambda _: None)
    if raised:
        eye.raise_for(1e9)
    eye.run()


def cost(work, times: int, seconds: float) -> float:
    """Processor seconds for each second of each stream, `times` streams at once."""
    began = time.process_time()
    threads = [threading.Thread(target=work) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (time.process_time() - began) / times / seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--many", type=int, nargs="*", default=[1, 20, 200])
    given = parser.parse_args()
    print(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        for gap in (2, 10):
            path = Path(folder) / f"{gap}.mp4"
            options = {"g": str(30 * gap), "keyint_min": str(30 * gap), "sc_threshold": "0"}
            scene = panned("coffee", speed=0.2)
            path.write_bytes(clip(scene, given.seconds, rate=30, size=(1280, 720), options=options))
            watch(path, False)  # machine code is made once
            full = cost(lambda path=path: decode_all(path), 1, given.seconds)
            raised = cost(lambda path=path: watch(path, True), 1, given.seconds)
            print(
                f"keyframes {gap} s apart: decoding alone {full:.4f} cores, raised {raised:.4f} ({raised / full:.2f} of it)"
            )
            for many in given.many:
                calm = cost(lambda path=path: watch(path, False), many, given.seconds)
                met = "met" if calm <= BAR else "missed"
                print(
                    f"  calm, {many:3} at once: {calm:.5f} cores a stream ({full / calm:.0f} times less), bar {BAR}: {met}"
                )


if __name__ == "__main__":
    main()
