"""Real programs for the tests, from Debian's packages: installed if they are missing and we may."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_MAY = hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get") is not None


def program(name: str, *packages: str) -> str:
    """The path of a program that packages bring; a test that needs it is skipped where it cannot be had."""
    found = shutil.which(name)
    if found is None and installed(*packages):
        found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not here (Debian: apt install {' '.join(packages)})")
    return found


def present(path: str, *packages: str) -> Path:
    """A file that packages bring, as `program`. `path` may be a pattern below /."""
    for again in (False, True):
        found = sorted(Path("/").glob(path.lstrip("/")))
        if found:
            return found[-1]
        if again or not installed(*packages):
            break
    pytest.skip(f"{path} is not here (Debian: apt install {' '.join(packages)})")


def installed(*packages: str) -> bool:
    """Install packages, if we may; whether that was done."""
    if not _MAY:
        return False
    quiet = {"stdout": subprocess.DEVNULL, "env": os.environ | {"DEBIAN_FRONTEND": "noninteractive"}}
    subprocess.run(["apt-get", "update", "-q"], check=True, **quiet)  # type: ignore[call-overload]
    command = ["apt-get", "install", "-qy", "--no-install-recommends", *packages]
    subprocess.run(command, check=True, **quiet)  # type: ignore[call-overload]
    return True
