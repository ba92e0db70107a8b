"""The catalogues: every language says everything, every key that is used exists, none is unused."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import underwing.casebook as casebook
import underwing.server.console as package
from underwing.casebook.errors import CasebookError
from underwing.casebook.people import PeopleError
from underwing.model import ACTIONS, GUESSED_STAGES, KNOWN_STAGES, SPEAKER_STAGES, STAGES, UNSEEN_STAGES
from underwing.server.console.words import HOME, LANGUAGES, catalogue, say

CODE = Path(package.__file__).parent
TEMPLATES = CODE.parent / "templates" / "console"
PAGES = {path.stem for path in (HOME / "en").glob("*.toml")}
_ANY = "|".join(sorted(PAGES))
_KEY = re.compile(rf"""["']((?:{_ANY})\.[a-z0-9_.]+)["'](\s*~)?""")
_DID = re.compile(rf"""["']({_ANY})\.([a-z_]+)["']""")
_IN_CODE = re.compile(rf"""f["']((?:{_ANY})\.[a-z0-9_.]*)\{{""")
_HOLES = re.compile(r"\{(\w+)\}")


def used() -> tuple[set[str], set[str]]:
    """Keys named in templates and code; beginnings of keys that are put together."""
    keys, beginnings = set(), set()
    for path in [*TEMPLATES.glob("*.j2"), *CODE.glob("*.py")]:
        text = path.read_text("utf-8")
        for key, more in _KEY.findall(text):
            (beginnings if more or key.endswith(".") else keys).add(key)
        beginnings |= set(_IN_CODE.findall(text))
        if path.suffix == ".py":
            keys |= {
                f"{page}.did.{name}"
                for page, name in _DID.findall(text)
                if f"{page}.did.{name}" in catalogue("en")
            }
    return keys, beginnings


@pytest.mark.parametrize("language", list(LANGUAGES)[1:])
def test_every_language_says_everything_with_the_same_values(language: str) -> None:
    ours, other = catalogue("en"), catalogue(language)
    assert set(ours) == set(other)
    for key, text in ours.items():
        assert set(_HOLES.findall(text)) == set(_HOLES.findall(other[key])), key


def plural(key: str) -> bool:
    return f"{key}.one" in catalogue("en") and f"{key}.other" in catalogue("en")


def test_every_key_that_is_used_exists() -> None:
    keys, beginnings = used()
    known = catalogue("en")
    did = {key.replace(".did.", ".") for key in known if ".did." in key}
    missing = {key for key in keys if key not in known and not plural(key) and key not in did}
    missing = {key for key in missing if not key.endswith((".html", ".j2", ".css", ".js", ".svg", ".toml"))}
    assert not missing
    assert not {start for start in beginnings if not any(key.startswith(start) for key in known)}


def test_what_the_engine_says_has_words() -> None:
    stages = {*STAGES, *KNOWN_STAGES, *GUESSED_STAGES, *UNSEEN_STAGES, *SPEAKER_STAGES}
    wanted = {f"{page}.stage.{name}" for page in ("signs", "cases") for name in stages}
    wanted |= {f"signs.does.{name}" for name in stages}
    wanted |= {f"{page}.action.{name}" for page in ("signs", "cases") for name in ACTIONS}
    assert wanted <= set(catalogue("en"))


def test_no_text_is_unused() -> None:
    keys, beginnings = used()
    keys |= {key for _, key, _ in refusals()}
    unused = {
        key
        for key in catalogue("en")
        if key not in keys
        and key.removesuffix(".one").removesuffix(".other") not in keys
        and not any(key.startswith(start) for start in beginnings)
    }
    assert not unused


def test_a_number_chooses_its_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(catalogue("en"), "x.n.one", "one")
    monkeypatch.setitem(catalogue("en"), "x.n.other", "{count} many")
    assert say("en", "x.n", count=1) == "one"
    assert say("en", "x.n", count=3) == "3 many"
    with pytest.raises(KeyError):
        say("en", "x.nothing")


CASEBOOK = Path(casebook.__file__).parent
AT_THE_START = {
    "private.py", "keys.py", "transit.py", "database.py", "vault/home.py", "vault/retention.py", "custody/signing.py",
    "custody/checkpoints.py", "care/limits.py", "people/rules.py", "context/buffer.py", "context/keyfile.py",
}  # fmt: skip
"""Modules whose errors without a key only whoever runs the service meets: files of keys, rules and settings."""
SPELLED = {"Refused": ("held", "kept_until"), "NotNow": ("not_shown",)}
"""Errors that choose their key themselves."""


def _family(root: type[CasebookError]) -> dict[str, type[CasebookError]]:
    found = {root.__name__: root}
    for one in root.__subclasses__():
        found |= _family(one)
    return found


def refusals() -> Iterator[tuple[str, str, dict[str, object]]]:
    """(where, the key of the catalogue, the values to fill in) of every error that the casebook makes."""
    for module in pkgutil.walk_packages(casebook.__path__, "underwing.casebook."):
        if ".migrations." not in module.name:
            importlib.import_module(module.name)
    errors = _family(CasebookError)
    for path in sorted([*CASEBOOK.rglob("*.py"), *CODE.glob("*.py")]):
        where = path.relative_to(CASEBOOK).as_posix() if path.is_relative_to(CASEBOOK) else path.name
        if where.startswith(("backup/", "migrations/")):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            kind = errors.get(getattr(node.func, "id", "") or getattr(node.func, "attr", ""))
            if kind is None or (kind.__name__ in SPELLED and where.startswith("people/")):
                continue
            page = "people.error" if issubclass(kind, PeopleError) else "refused"
            named = [arg.value for arg in node.args[1:2] if isinstance(arg, ast.Constant)] or [kind.key]
            values = {str(word.arg): 1 for word in node.keywords}
            if kind.__name__ in SPELLED:
                named, values = list(SPELLED[kind.__name__]), {"count": 1, "until": "", "rule": ""}
            if any(named) or where not in AT_THE_START:
                yield from ((f"{where}:{node.lineno}", f"{page}.{key}", dict(values)) for key in named)


def test_what_the_casebook_refuses_is_said_in_every_language() -> None:
    wrong = []
    for where, key, values in refusals():
        for language in LANGUAGES:
            try:
                say(language, key, **values)
            except KeyError as error:
                wrong.append(f"{where}: {key}: {error}")
    assert not wrong, "\n".join(wrong)
    said = {key for _, key, _ in refusals()}
    texts = {key.removesuffix(".one").removesuffix(".other") for key in catalogue("en")}
    assert not {key for key in texts if key.startswith("refused.")} - said
    assert len(said) > 60
