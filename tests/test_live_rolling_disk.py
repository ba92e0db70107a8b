"""Rolling evidence never lies on a disk in the clear: every place where a process could put it is looked through."""

import os
import subprocess
import sys
from pathlib import Path

import av
import pytest

from live_sounds import sounding, tone
from media_clips import panned

KEEPER = Path(__file__).with_name("live_keeper.py")


def marks_of(film: Path) -> list[bytes]:
    """Bytes out of the middle of the largest packets, which nothing else has."""
    with av.open(str(film)) as file:
        packets = sorted((bytes(p) for p in file.demux() if p.size), key=len)[-40:]
    return [packet[len(packet) // 2 :][:24] for packet in packets]


def places(home: Path) -> list[Path]:
    """Every file that could have been written: below the process's directories, and in shared memory."""
    shared = Path("/dev/shm")
    return [path for root in (home, shared) if root.exists() for path in root.rglob("*") if path.is_file()]


def opened_to_write(pid: int) -> list[str]:
    """What regular files a process has open other than for reading only, by name; deleted ones as well."""
    found = []
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        name = os.readlink(fd)
        flags = int(Path(f"/proc/{pid}/fdinfo/{fd.name}").read_text().split("flags:")[1].split()[0], 8)
        if name.startswith("/") and not name.startswith("/dev/") and flags & os.O_ACCMODE != os.O_RDONLY:
            found.append(name)
        if name.startswith("/dev/shm") or name.startswith("/memfd"):
            found.append(name)
    return found


def found_in(files: list[Path], marks: list[bytes]) -> list[Path]:
    return [path for path in files if any(mark in path.read_bytes() for mark in marks)]


@pytest.mark.parametrize("how", ["packets", "stills"])
def test_nothing_that_is_kept_is_on_disk(tmp_path, how):
    film, home = tmp_path / "film.flv", tmp_path / "home"
    film.write_bytes(sounding(panned("coffee"), 8.0, tone(8.0)))
    home.mkdir()
    where = {
        name: str(home) for name in ("TMPDIR", "TEMP", "TMP", "HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR")
    }
    with subprocess.Popen(
        [sys.executable, str(KEEPER), str(film), how], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, env=os.environ | where,
    ) as running:  # fmt: skip

        def told(line: str = "") -> list[str]:
            assert running.stdin is not None
            assert running.stdout is not None
            if line:
                running.stdin.write(line.encode() + b"\n")
                running.stdin.flush()
            return running.stdout.readline().decode().split()

        def leaked(marks: list[bytes]) -> Path:
            assert told("leak") == ["leaked"]
            (leak,) = found_in(places(home), marks)
            return leak

        assert int(told()[1]) > 100_000
        leak = leaked([b"matroska"])  # what it would look like
        marks = marks_of(leak)
        assert len(marks) > 10
        assert how == "stills" or found_in([film], marks) == [film]
        leak.unlink()
        assert found_in(places(home), marks) == []
        assert opened_to_write(running.pid) == []
        assert told("clip") == ["clips", "1"]
        assert found_in(places(home), marks) == []
        assert opened_to_write(running.pid) == []
        leaked(marks).unlink()
        running.kill()
    assert found_in(places(home), marks) == []
