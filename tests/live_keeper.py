"""A process that watches a stream and keeps its last seconds; it is told by lines on its standard input what to do next.

`clip` makes clips, `leak` writes one to a temporary file (a test must see that it would be found), anything else ends it.
"""

import sys
import tempfile

from underwing.live.rolling import Rolling
from underwing.live.watch import Watch


def main(url: str) -> None:
    kept = Rolling()
    Watch(url, lambda _: None, lambda _: None, taken=kept.take).run()
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
    main(sys.argv[1])
