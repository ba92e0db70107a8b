"""Shared by the tests of the media commands: running them, and pictures made of generated patterns."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

import numpy as np
from PIL import Image, ImageDraw
from typer.testing import CliRunner, Result

from underwing.cli.app import app
from underwing.media.pool import Pool
from underwing.media.workers import Bounds

COMMAND = [sys.executable, "-c", "from underwing.cli import main; main()"]
PLAIN = {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}


class _SharedPool:
    """One pool of real workers for all commands that run in this process, one more for each other setting: a start takes
    seconds."""

    pools: ClassVar[dict[tuple[str, float], Pool]] = {}

    def __init__(self, count: int, bounds: Bounds, *, classifier: str = "") -> None:
        key = classifier, bounds.long_video
        if key not in self.pools:
            self.pools[key] = Pool(1, bounds, classifier=classifier)
        self.submit = self.pools[key].submit

    def close(self) -> None:
        """The workers end with this process."""


def run(*arguments: object, code: int = 0, stdin: bytes | None = None) -> Result:
    """One command, in this process; fails unless it ends with `code`."""
    with patch("underwing.cli.workers.Pool", _SharedPool):
        done = CliRunner().invoke(app, [str(a) for a in arguments], input=stdin, env=PLAIN)
    told = f"{done.stdout}\n{done.stderr}"
    assert done.exception is None or isinstance(done.exception, SystemExit), (told, done.exception)
    assert done.exit_code == code, told
    return done


def lines(*arguments: object, code: int = 0, stdin: bytes | None = None) -> list[Any]:
    """The JSON lines that a command prints on its standard output."""
    return [
        json.loads(line) for line in run(*arguments, "--json", code=code, stdin=stdin).stdout.splitlines()
    ]


def line(*arguments: object, code: int = 0, stdin: bytes | None = None) -> Any:
    """The only JSON line that a command prints."""
    (only,) = lines(*arguments, code=code, stdin=stdin)
    return only


def started(*arguments: object, **environ: str) -> "subprocess.Popen[str]":
    """A command in a process of its own."""
    return subprocess.Popen(
        [*COMMAND, *(str(a) for a in arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **PLAIN, **environ},
    )  # fmt: skip


def pattern(seed: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Discs of many colours, other ones for each seed."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", size, tuple(int(v) for v in random.integers(0, 256, 3)))
    draw = ImageDraw.Draw(image)
    for _ in range(40):
        x, y = random.random(2) * size
        w, h = (0.03 + 0.3 * random.random(2)) * size
        colour = tuple(int(v) for v in random.integers(0, 256, 3))
        draw.ellipse([x - w, y - h, x + w, y + h], fill=colour)
    return image


def picture(path: Path, seed: int, size: tuple[int, int] = (320, 240), **options: Any) -> Path:
    """A file with the pattern of this seed, in the format that its name says."""
    pattern(seed, size).save(path, **options)
    return path
