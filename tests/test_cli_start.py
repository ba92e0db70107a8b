"""How the command line starts: a table of what there is, and nothing imported that is not called for."""

import os
import subprocess
import sys

import pytest

from underwing import __version__
from underwing.cli.app import COMMANDS, called

HEAVY = {"numba", "numpy", "sqlalchemy", "cel", "httpx2", "underwing.engine", "underwing.server"}
JUDGING = {"numba", "cel", "underwing.engine.core"}
SERVING = {"uvicorn", "underwing.server.app"}
IMPORTED = """
import sys
from underwing.cli import main
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""
INTERRUPTED = """
import signal, sys
from underwing.cli import main

class Finder:
    def find_spec(name, path, target=None):
        if name == {module!r}:
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Finder)
main()
"""


def python(code: str, *arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120,
        env={**os.environ, "COLUMNS": "160", "NO_COLOR": "1", **environ},
    )  # fmt: skip


@pytest.mark.parametrize("place", COMMANDS)
def test_the_table_says_what_each_command_says_of_itself(place: str) -> None:
    name = place.partition(":")[2]
    command = called(name)
    assert command.name == name
    assert " ".join(command.help.partition("\n\n")[0].split()) == COMMANDS[place]
    assert not command.hidden
    assert not command.deprecated


def test_no_two_commands_have_one_name() -> None:
    names = [place.partition(":")[2] for place in COMMANDS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("arguments", "environ"),
    [
        (["--version"], {}),
        (["--help"], {}),
        ([], {"_UNDERWING_COMPLETE": "complete_bash", "COMP_WORDS": "underwing ", "COMP_CWORD": "1"}),
        (["guide", "--help"], {}),
    ],
)
def test_what_is_listed_is_not_imported(arguments: list[str], environ: dict[str, str]) -> None:
    code = "import sys; sys.argv[0] = 'underwing'\n" + IMPORTED
    done = python(code, *arguments, **environ)
    assert (__version__ if arguments == ["--version"] else "guide") in done.stdout
    assert not HEAVY & set(done.stderr.split()), done.stderr


@pytest.mark.parametrize(
    ("command", "without"),
    [
        ("banks", {"sqlalchemy", "httpx2", *JUDGING, *SERVING}),
        ("cases", {"numpy", *JUDGING, *SERVING}),
        ("casebook", {"numpy", *JUDGING, *SERVING}),
        ("explain", {"numpy", "sqlalchemy", *JUDGING, *SERVING}),
        ("keys", {"numpy", "sqlalchemy", *JUDGING, *SERVING}),
        ("replay", {"sqlalchemy", "httpx2", *SERVING}),
        ("scan", {"sqlalchemy", "httpx2", *SERVING}),
    ],
)
def test_a_command_imports_what_it_needs_only(command: str, without: set[str]) -> None:
    assert not without & set(python(IMPORTED, command, "--help").stderr.split())


@pytest.mark.parametrize("module", ["typer", "underwing.cli.custody", "sqlalchemy"])
def test_ctrl_c_while_it_starts_says_nothing(module: str) -> None:
    done = python(INTERRUPTED.format(module=module), "custody", "show")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_an_unknown_command_is_told_from_the_known() -> None:
    done = python(IMPORTED, "bank")
    assert done.returncode == 2
    assert "Did you mean 'banks'" in done.stderr
