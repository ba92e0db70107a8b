"""A process that watches a stream and keeps its last seconds (`packets`, or `stills` of what it looks at).

It is told by lines on its standard input what to do next.

`clip` makes clips, `leak` writes one to a temporary file (a test must see that it would be found), anything else ends it.
"""

import sys
import tempfile
import time

import numpy as np
from av.video.frame import VideoFrame

from underwing.live.rolling import Rolling
from underwing.live.stills import Stills
from underwing.live.watch import Watch


def main(url: str, how: str) -> None:
    kept: Rolling | Stills
    if how == "packets":
        kept = Rolling()
        Watch(url, lambda _: None, lambda _: None, taken=kept.take).run()
    else:
        kept = stills = Stills()

        def looked(frame: VideoFrame, second: float, at: float) -> None:
            stills.see(frame, time.monotonic(), second)
            sound = np.random.default_rng(round(second)).uniform(-1, 1, 8_000).astype(np.float32)
            stills.hear("", sound, time.monotonic(), second)

        eye = Watch(url, lambda _: None, lambda _: None, looked=looked)
        eye.raise_for(1e6)
        eye.run()
    print("kept", kept.size, flush=True)
    for line in sys.stdin:
        if line.strip() == "clip":
            print("clips", len(kept.clips()), flush=True)
        elif line.strip() == "leak":
            with tempfile.NamedTemporaryFile(delete=False) as file:
                file.write(kept.clips()[0].data)
            print("leaked", flush=True)
        else:
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
