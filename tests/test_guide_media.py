"""The guide for operators of media: what it names exists, and what exists is named."""

import re
import shlex
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer

from underwing.banks.exchanges.config import read_config
from underwing.banks.formats.named import FORMATS
from underwing.cli.app import app, called
from underwing.cli.outcome import Outcome
from underwing.engine import level_of
from underwing.model import LABELS, PDQ_DISTANCE, PDQ_QUALITY, MediaMatch

GUIDE = (Path(__file__).parent.parent / "docs" / "media.md").read_text(encoding="utf-8")
ROOT = typer.main.get_command(app)
OURS = ("hash", "match", "scan", "banks", "exchange")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, flags=re.S)


def command_of(words: list[str]) -> tuple[Any, list[str]]:
    """The command that words call, and what is left of them."""
    command: Any = ROOT
    while hasattr(command, "commands"):
        assert words[0] in command.commands, f"no command {words[0]}"
        _, command, words = command.resolve_command(typer.Context(command), words)
    return command, words


def calls() -> list[list[str]]:
    """Every command line of the guide, without `underwing`."""
    found = [line for block in blocks("sh") for line in block.splitlines() if "underwing " in line]
    found = [line[line.index("underwing ") :] for line in found]
    found += re.findall(r"`(underwing [^`]+)`", GUIDE)
    return [shlex.split(line, comments=True)[1:] for line in found]


def commands(command: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    if not hasattr(command, "commands"):
        return {path: command}
    return {k: v for name, sub in command.commands.items() for k, v in commands(sub, (*path, name)).items()}


MEDIA = {path: command for name in OURS for path, command in commands(called(name), (name,)).items()}


@pytest.mark.parametrize("words", calls(), ids=" ".join)
def test_every_command_and_option_in_the_guide_exists(words: list[str]) -> None:
    command, rest = command_of([w for w in words if w != ">"])
    options = {o for p in command.params for o in (*p.opts, *p.secondary_opts)}
    assert [w for w in rest if w.startswith("--") and w not in options] == []


def test_every_command_of_media_and_every_option_is_in_the_guide() -> None:
    named = {path for words in calls() for path in MEDIA if tuple(words[: len(path)]) == path}
    assert set(MEDIA) - named == set()
    options = {o for c in MEDIA.values() for p in c.params if p.param_type_name == "option" for o in p.opts}
    assert {o for o in options if o not in GUIDE} - {"--help", "--up"} == set()


def test_every_help_says_its_exit_codes() -> None:
    for path in (
        ("match",),
        ("scan",),
        ("hash",),
        ("banks", "import"),
        ("exchange", "sync"),
        ("exchange", "status"),
    ):
        assert "Exit codes" in (MEDIA[path].help or ""), path


def test_the_shape_of_a_match_is_the_guides() -> None:
    (text,) = blocks("json")
    shown = msgspec.json.decode(text)
    assert list(shown) == list(msgspec.to_builtins(Outcome(file="x")))
    assert list(shown["matches"][0]) == list(MediaMatch.__struct_fields__)


def test_thresholds_labels_levels_and_formats_are_those_of_the_code() -> None:
    assert f"at most {PDQ_DISTANCE} of 256 bits" in GUIDE
    assert f"quality of at least {PDQ_QUALITY}" in GUIDE
    assert [label for label in LABELS if f"`{label}`" not in GUIDE] == []
    assert [name for name in FORMATS if f"| `{name}` |" not in GUIDE] == []
    review = {
        label for label in LABELS
        if level_of([MediaMatch(bank="b", entry="e", label=label, signal="pdq", distance=0)]).name == "review"
    }  # fmt: skip
    assert review == {"csam", "exploitative", "ncii", "terrorism", "test"}


def test_the_configuration_in_the_guide_is_valid(tmp_path: Path) -> None:
    (text,) = blocks("toml")
    (tmp_path / "exchanges.toml").write_text(text, encoding="utf-8")
    sources = read_config(tmp_path / "exchanges.toml")
    assert {name: said.kind for name, said in sources.items()} == {"ncmec": "ncmec", "office": "list"}
