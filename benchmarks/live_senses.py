"""What rolling evidence and each sense cost a stream: cores of the watcher, beside looking at its picture alone.

Method: 720p at 30 frames a second in H.264 with AAC, keyframes 2 s apart, a shipped photo that moves; in the half of it
somebody speaks (espeak-ng), and text stands on it from the middle on. The file is read as fast as it comes, so that
processor time (`time.process_time`, all threads) divided by stream seconds is the share of a core that a live stream takes.
Each line is the difference to a watch without it, at the shipped intervals, calm and raised. Jobs wait for each other, so
that none is passed over. Then the cost of one piece of work of each plug-in, and of what is kept of a stream that is joined:
one frame of 720p as a still, and a second of sound in pieces of 0.2 s.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
import av
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from live_sounds import RATE, sounding
from live_words import spoken, written
from media_clips import panned, resized
from underwing.live.attention import Attention, Senses
from underwing.live.plugins import Plan, load
from underwing.live.rolling import Keep, Rolling
from underwing.live.senses import RATE as HEARD_RATE
from underwing.live.senses import VOICE_STEP
from underwing.live.stills import Stills
from underwing.live.thinker import Thinker
from underwing.live.watch import Watch

SAID = "Do it now, five hundred coins if you stand up. Hello everybody, welcome to my stream. "


def film(seconds: int) -> bytes:
    """A stream with sound: speech in half of it, text on the screen from its middle on."""
    said = spoken(SAID)
    sound = np.zeros(seconds * RATE, np.int16)
    for start in range(0, len(sound) - len(said), 2 * len(said)):
        sound[start : start + len(said)] = said
    moving = panned("coffee", speed=0.2)

    def scene(at: float) -> np.ndarray:
        picture = resized(moving(at), (1280, 720))
        return written(picture, "do it now, 500 coins", "kim: hello there") if at > seconds / 2 else picture

    return sounding(scene, seconds, sound, rate=30, gop=60)


def watched(path: Path, raised: bool, senses: Senses, rolling: Rolling | None) -> float:
    """Processor seconds of a watch of the file."""
    thinker = Thinker()
    attention = Attention(senses, thinker, lambda _: None, raised=lambda: raised, patient=True)

    def taken(source, piece, arrived, second):
        if rolling is not None:
            rolling.take(source, piece, arrived, second)
        attention.taken(source, piece, arrived, second)

    eye = Watch(str(path), lambda _: None, lambda _: None, taken=taken, looked=attention.looked)
    if raised:
        eye.raise_for(1e9)
    began = time.process_time()
    eye.run()
    attention.finish(600)
    thinker.close()
    return time.process_time() - began


def one(work: Callable[[], object], times: int = 5) -> float:
    """Processor seconds of one piece of work."""
    work()
    began = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began) / times


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    given = parser.parse_args()
    print(__doc__)
    everything = load(Plan(reader="rapidocr", recogniser="whisper", classifier="open-nsfw"))
    kinds = {
        "text on the screen": Senses(reader=everything.reader),
        "voices": Senses(voices=everything.voices),
        "voices and words": Senses(voices=everything.voices, recogniser=everything.recogniser),
        "classifier": Senses(classifier=everything.classifier),
        "all of these": everything,
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.flv"
        path.write_bytes(film(given.seconds))
        print(f"{8 * path.stat().st_size / given.seconds / 1000:.0f} kbit/s")
        watched(path, True, everything, None)
        for raised in (False, True):
            alone = watched(path, raised, Senses(), None) / given.seconds
            print(f"{'raised' if raised else 'calm'}: the picture alone {alone:.4f} cores")
            rolling = Rolling(Keep(seconds=60.0))
            kept = watched(path, raised, Senses(), rolling) / given.seconds - alone
            print(f"  rolling evidence   {kept:+.4f} ({rolling.size / 2**20:.1f} MiB kept)")
            for name, senses in kinds.items():
                more = watched(path, raised, senses, None) / given.seconds - alone
                print(f"  {name:18} {more:+.4f}")
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                last = frame
        began = time.process_time()
        clips = rolling.clips()
        print(
            f"a clip of {sum(len(c.data) for c in clips) / 2**20:.1f} MiB: {time.process_time() - began:.3f} s"
        )
    rgb = last.to_ndarray(format="rgb24")
    speech = spoken(SAID, HEARD_RATE).astype(np.float32) / 32768
    whole = speech[: len(speech) - len(speech) % VOICE_STEP]
    print(f"one frame read: {one(lambda: everything.reader.read(rgb)):.3f} s with text")
    print(f"one frame scored: {one(lambda: everything.classifier.score(rgb)):.3f} s")
    print(
        f"{len(speech) / HEARD_RATE:.1f} s of speech: voices {one(lambda: everything.voices.voiced(whole)):.4f} s, "
        f"words {one(lambda: everything.recogniser.words(speech)):.3f} s"
    )
    joined()


def joined() -> None:
    """What one frame and a second of sound cost to be kept, where they come decoded: each after a pause, as then caches are
    cold."""
    kept, scene = Stills(), panned("coffee", width=1280, height=720)
    pictures = [
        av.VideoFrame.from_ndarray(scene(n / 2), format="rgb24").to_ndarray(format="yuv420p")
        for n in range(12)
    ]
    still = sound = 0.0
    for second in range(60):
        frame = av.VideoFrame.from_ndarray(pictures[second % len(pictures)], format="yuv420p")
        time.sleep(0.2)
        began = time.process_time()
        kept.see(frame, float(second), float(second))
        still += time.process_time() - began
    size = kept.size / 60
    for part in range(300):
        at, piece = 60 + part / 5, np.zeros(HEARD_RATE // 5, np.float32)
        time.sleep(0.05)
        began = time.process_time()
        kept.hear("mic", piece, at, at)
        sound += time.process_time() - began
    print(
        f"one still kept: {still / 60 * 1e3:.2f} ms, {size / 1024:.0f} KiB; a second of sound: {sound / 60 * 1e3:.2f} ms"
    )


if __name__ == "__main__":
    main()
